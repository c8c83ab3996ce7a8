//! `model.summary()`: the text that Keras 3 prints.
//! Source: `keras/src/utils/summary_utils.py`, Keras 3.15.

mod table;

use std::collections::HashSet;
use std::fmt;

use serde::Serialize;
use table::{Align, Column, Table};

use crate::graph::Inferred;
use crate::variables::{VariableSpec, Variables};
use crate::{DType, Inputs, KerasTensor, Kind, Layer, Model, ModelClass};

/// How a summary looks. `Default` is what Keras prints where there is no terminal.
#[derive(Clone, Copy, Debug)]
pub struct SummaryOptions {
    /// Whether the layers of nested models have rows of their own.
    pub expand_nested: bool,
    /// Whether a column shows which layers are trained.
    pub show_trainable: bool,
    /// Width of the terminal in characters.
    pub columns: usize,
}

impl Default for SummaryOptions {
    fn default() -> Self {
        Self { expand_nested: false, show_trainable: false, columns: 80 }
    }
}

/// The table of a model, its totals, and how to print them.
#[derive(Clone, Debug)]
pub struct Summary<'a> {
    model: &'a Model,
    shapes: &'a Inferred,
    owned: Vec<Option<Variables>>,
    optimizer: Option<Size>,
    options: SummaryOptions,
}

/// A number of parameters and the memory that they take.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Size {
    /// Elements.
    pub params: u64,
    /// Bits: four for an `int4`.
    pub bits: u64,
}

impl Size {
    /// The size of arrays with these shapes and types.
    pub fn of<'a>(variables: impl IntoIterator<Item = &'a VariableSpec>) -> Self {
        let mut size = Self::default();
        for v in variables {
            let params = v.shape.iter().fold(1_u64, |n, d| n.saturating_mul(*d as u64));
            let bits = if v.dtype == DType::Int4 { 4 } else { v.dtype.size() as u64 * 8 };
            size = size + Self { params, bits: params.saturating_mul(bits) };
        }
        size
    }
}

impl std::ops::Add for Size {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self {
            params: self.params.saturating_add(other.params),
            bits: self.bits.saturating_add(other.bits),
        }
    }
}

/// `344 (1.35 KB)`.
impl fmt::Display for Size {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const UNITS: [&str; 6] = ["B", "KB", "MB", "GB", "TB", "PB"];
        let mut size = self.bits as f64 / 8.0;
        let mut units = UNITS.iter().peekable();
        while let Some(unit) = units.next() {
            if size / 1024.0 < 1.0 || units.peek().is_none() {
                return write!(f, "{} ({size:.2} {unit})", grouped(self.params));
            }
            size /= 1024.0;
        }
        Ok(())
    }
}

/// Digits in groups of three: `1,234,567`.
fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut out = String::with_capacity(digits.len() + digits.len() / 3);
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// The variables of a layer, those of its sublayers included, with their effective flags.
fn flat(variables: &Variables, trainable: bool) -> Vec<(bool, &VariableSpec)> {
    let own = variables.own.iter().map(|v| (trainable && v.trainable, v));
    let inner =
        variables.sublayers.iter().flat_map(|s| flat(&s.variables, trainable && s.trainable));
    own.chain(inner).collect()
}

impl<'a> Summary<'a> {
    pub(crate) fn new(
        model: &'a Model,
        shapes: &'a Inferred,
        optimizer: Option<Size>,
        options: SummaryOptions,
    ) -> Self {
        let owned = model.layer_variables(shapes);
        Self { model, shapes, owned, optimizer, options }
    }

    /// Trainable and other parameters of the whole model.
    pub fn totals(&self) -> (Size, Size) {
        let mut totals = (Size::default(), Size::default());
        for (layer, owned) in self.model.layers.iter().zip(&self.owned) {
            let Some(owned) = owned else { continue };
            for (trainable, variable) in flat(owned, layer.base.trainable) {
                let total = if trainable { &mut totals.0 } else { &mut totals.1 };
                *total = *total + Size::of([variable]);
            }
        }
        totals
    }

    /// Whether the graph is a row of layers, each called once: it needs no "Connected to".
    fn is_row(&self) -> bool {
        let nodes = &self.model.graph.nodes;
        let mut called = HashSet::new();
        let mut used = HashSet::new();
        self.model.class == ModelClass::Sequential
            || nodes.iter().enumerate().all(|(at, node)| {
                let from = node.inputs.dependencies();
                called.insert(node.layer)
                    && from.len() == usize::from(at > 0)
                    && from.iter().all(|t| used.insert(t.node))
            })
    }

    fn rows(&self, connected: bool) -> Vec<Vec<String>> {
        let mut rows = Vec::new();
        let hidden = |l: &Layer| {
            self.model.class == ModelClass::Sequential && matches!(l.kind, Kind::InputLayer(_))
        };
        for (i, (layer, owned)) in self.model.layers.iter().zip(&self.owned).enumerate() {
            if hidden(layer) {
                continue;
            }
            let mut row = vec![
                format!("{} ({})", layer.base.name, class(layer)),
                self.output_shape(i),
                params(layer, owned.as_ref()),
            ];
            if connected {
                row.push(self.connections(i));
            }
            if self.options.show_trainable {
                row.push(trainable(layer.base.trainable, owned.as_ref()));
            }
            rows.push(row);
            if self.options.expand_nested
                && let Kind::Model(inner) = &layer.kind
            {
                let call = self.shapes.last_call(i);
                self.nested(inner, call, layer.base.trainable, 1, connected, &mut rows);
            }
        }
        rows
    }

    fn nested(
        &self,
        model: &Model,
        inputs: Option<&Inputs>,
        outer_trainable: bool,
        level: usize,
        connected: bool,
        rows: &mut Vec<Vec<String>>,
    ) {
        let Ok(shapes) = model.infer(inputs) else { return };
        let inner = Summary::new(model, &shapes, None, self.options);
        for (i, layer) in model.listed_layers() {
            let owned = inner.owned.get(i).and_then(Option::as_ref);
            let flag = outer_trainable && layer.base.trainable;
            let mut row = vec![
                format!("{}└ {} ({})", "   ".repeat(level), layer.base.name, class(layer)),
                inner.output_shape(i),
                params(layer, owned),
            ];
            if connected {
                row.push("-".to_owned());
            }
            if self.options.show_trainable {
                row.push(trainable(flag, owned));
            }
            rows.push(row);
            if let Kind::Model(model) = &layer.kind {
                let call = shapes.last_call(i);
                self.nested(model, call, flag, level.saturating_add(1), connected, rows);
            }
        }
    }

    /// The shape of the layer's last output, as Python prints the structure.
    fn output_shape(&self, index: usize) -> String {
        let node = self.model.graph.nodes.iter().rposition(|n| n.layer == index);
        let outputs = node.and_then(|n| self.shapes.tensors.get(n)?.as_ref());
        let Some(outputs) = outputs else { return "?".to_owned() };
        let shape = |t: &KerasTensor| t.shape.to_string().replace(",)", ")");
        match outputs.as_slice() {
            [one] => shape(one),
            several => {
                let all: Vec<String> = several.iter().map(shape).collect();
                format!("[{}]", all.join(", "))
            }
        }
    }

    fn connections(&self, layer: usize) -> String {
        let nodes = &self.model.graph.nodes;
        let mut from = Vec::new();
        for node in nodes.iter().filter(|n| n.layer == layer) {
            for tensor in node.inputs.dependencies() {
                let Some(source) = nodes.get(tensor.node) else { continue };
                let earlier = nodes.iter().take(tensor.node);
                let call = earlier.filter(|n| n.layer == source.layer).count();
                let name = self.model.layers.get(source.layer).map_or("?", |l| &l.base.name);
                from.push(format!("{name}[{call}][{}]", tensor.index));
            }
        }
        if from.is_empty() { "-".to_owned() } else { from.join(", ") }
    }
}

/// The class without the package that it is registered under.
fn class(layer: &Layer) -> &str {
    let class = &layer.base.class;
    class.rsplit_once('>').map_or(class, |(_, class)| class)
}

fn params(layer: &Layer, owned: Option<&Variables>) -> String {
    match owned {
        Some(owned) => grouped(Size::of(flat(owned, true).into_iter().map(|(_, v)| v)).params),
        // Only a layer that creates weights asks for its inputs.
        None => match layer.variables(&Inputs::default()) {
            Ok(none) if none.is_empty() => "0".to_owned(),
            _ => "0 (unbuilt)".to_owned(),
        },
    }
}

fn trainable(flag: bool, owned: Option<&Variables>) -> String {
    match owned {
        Some(owned) if !owned.is_empty() => if flag { "Y" } else { "N" }.to_owned(),
        _ => "-".to_owned(),
    }
}

impl fmt::Display for Summary<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let connected = !self.is_row();
        // Right ends of the columns, as parts of the whole.
        let (mut width, mut ends, mut headers) = if connected {
            let headers = vec!["Layer (type)", "Output Shape", "Param #", "Connected to"];
            (108, vec![0.3, 0.56, 0.74, 1.0], headers)
        } else {
            (88, vec![0.45, 0.80, 1.0], vec!["Layer (type)", "Output Shape", "Param #"])
        };
        if self.options.show_trainable {
            width += 12;
            ends.iter_mut().for_each(|end| *end *= 0.90);
            ends.push(1.0);
            headers.push("Trainable");
        }
        let width = width.min(self.options.columns.saturating_sub(4)).max(MIN_WIDTH);
        let mut start = 0;
        let columns = headers.iter().zip(ends).map(|(header, end)| {
            let align = match *header {
                "Param #" => Align::Right,
                "Trainable" => Align::Center,
                _ => Align::Left,
            };
            let end = part_of(width, end);
            let column = Column { header, align, width: end.saturating_sub(start) };
            start = end;
            column
        });
        let columns = columns.collect();
        let title = format!("Model: \"{}\"", self.model.name);
        for line in table::wrap(&title, self.options.columns) {
            writeln!(f, "{line}")?;
        }
        write!(f, "{}", Table { columns, rows: self.rows(connected), width })?;
        let (trainable, other) = self.totals();
        let optimizer = self.optimizer.unwrap_or_default();
        writeln!(f, " Total params: {}", trainable + other + optimizer)?;
        writeln!(f, " Trainable params: {trainable}")?;
        writeln!(f, " Non-trainable params: {other}")?;
        if let Some(optimizer) = self.optimizer {
            writeln!(f, " Optimizer params: {optimizer}")?;
        }
        Ok(())
    }
}

/// Below this Keras refuses to print: no column may have fewer than four characters.
const MIN_WIDTH: usize = 44;

/// `int(part * width)`.
#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "0 to a line's width")]
fn part_of(width: usize, part: f64) -> usize {
    (part * width as f64) as usize
}

#[test]
fn sizes_print_as_in_keras() {
    let size = |params, bits| Size { params, bits }.to_string();
    assert_eq!(size(0, 0), "0 (0.00 B)");
    assert_eq!(size(344, 1380 * 8), "344 (1.35 KB)");
    assert_eq!(size(25_636_712, 25_636_712 * 32), "25,636,712 (97.80 MB)");
}
