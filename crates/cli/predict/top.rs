//! The likeliest classes of each sample: `decode_predictions` of `keras.applications`.

use std::io::Write;
use std::path::{Path, PathBuf};

use clap::Args;
use comfy_table::{CellAlignment, Table, presets};
use keras_runtime::{DType, Tensor};
use serde_json::{Value, json};

use crate::error::{Error, Result};

#[derive(Args)]
#[group(skip)]
pub(super) struct Options {
    /// Print the N likeliest classes of each sample instead of the outputs [default with --labels: 5]
    #[arg(long, value_name = "N", value_parser = super::positive)]
    top: Option<usize>,
    /// Names of the classes: one a line, or JSON: a list, or a class index as that of ImageNet
    #[arg(long, value_name = "FILE")]
    labels: Option<PathBuf>,
    /// Print the classes as JSON
    #[arg(long)]
    json: bool,
}

impl Options {
    pub(super) const fn is_asked(&self) -> bool {
        self.top.is_some() || self.labels.is_some() || self.json
    }

    pub(super) fn labels(&self) -> Result<Option<Vec<String>>> {
        let Some(path) = &self.labels else { return Ok(None) };
        let wrong = |reason: String| Error::Input { path: path.clone(), reason };
        let text = std::fs::read_to_string(path).map_err(|e| wrong(e.to_string()))?;
        labels(&text).map(Some).map_err(wrong)
    }

    /// Prints the classes of the first output, which must be rows of one number for each class.
    pub(super) fn print(
        &self,
        outputs: &[Tensor],
        labels: Option<&[String]>,
        samples: &[String],
        out: &mut impl Write,
    ) -> Result<()> {
        let wrong = |reason: String| Error::Input {
            path: self.labels.clone().unwrap_or_else(|| Path::new("--top").to_owned()),
            reason,
        };
        let [scores] = outputs else {
            return Err(wrong(format!("one output has classes, the model has {}", outputs.len())));
        };
        let &[rows, classes] = scores.shape() else {
            let shape = scores.shape();
            return Err(wrong(format!("classes are rows of numbers, the output is {shape:?}")));
        };
        if let Some(labels) = labels.filter(|labels| labels.len() != classes) {
            return Err(wrong(format!("{} labels for {classes} classes", labels.len())));
        }
        let scores = scores.cast(DType::Float64)?;
        let scores = scores.as_slice::<f64>().unwrap_or_default();
        let rows_of = || scores.chunks_exact(classes.max(1));
        let is_share = |row: &[f64]| {
            row.iter().all(|p| (-1e-6..=1.000_001).contains(p))
                && (row.iter().sum::<f64>() - 1.0).abs() < 1e-2
        };
        let kind = if rows_of().all(is_share) { "probability" } else { "score" };
        let count = self.top.unwrap_or(5).min(classes);
        let mut found = Vec::with_capacity(rows);
        for row in rows_of() {
            let mut order: Vec<(usize, f64)> = row.iter().copied().enumerate().collect();
            order.sort_by(|a, b| b.1.total_cmp(&a.1));
            order.truncate(count);
            found.push(order);
        }
        let label = |class: usize| labels.and_then(|l| l.get(class)).map(String::as_str);
        let name = |i: usize| samples.get(i).cloned().unwrap_or_else(|| (i + 1).to_string());
        if self.json {
            let class = |(class, score): &(usize, f64)| json!({"class": class, "label": label(*class), kind: score});
            let sample = |(i, order): (usize, &Vec<(usize, f64)>)| json!({"sample": name(i), "top": order.iter().map(class).collect::<Vec<_>>()});
            let all: Vec<Value> = found.iter().enumerate().map(sample).collect();
            serde_json::to_writer_pretty(&mut *out, &all)?;
            writeln!(out)?;
            return Ok(());
        }
        let mut table = Table::new();
        table.load_style(presets::NOTHING);
        table.set_header(["sample", "class", "label", kind]);
        for (i, order) in found.iter().enumerate() {
            for (n, (class, score)) in order.iter().enumerate() {
                let name = if n == 0 { name(i) } else { String::new() };
                let label = label(*class).unwrap_or("-").to_owned();
                table.add_row([name, class.to_string(), label, format!("{score:.6}")]);
            }
        }
        for column in [1, 3] {
            if let Some(column) = table.column_mut(column) {
                column.set_cell_alignment(CellAlignment::Right);
            }
        }
        writeln!(out, "{table}")?;
        Ok(())
    }
}

/// One name for each class, in order.
fn labels(text: &str) -> Result<Vec<String>, String> {
    if !text.trim_start().starts_with(['{', '[']) {
        return Ok(text.lines().map(|line| line.trim().to_owned()).collect());
    }
    let wrong = || "expected a list of names, or an object from class to name".to_owned();
    // ImageNet's `{"0": ["n01440764", "tench"], ...}` has the name last.
    let name = |value: &Value| match value {
        Value::Array(parts) => parts.last()?.as_str().map(str::to_owned),
        value => value.as_str().map(str::to_owned),
    };
    match serde_json::from_str(text).map_err(|e| e.to_string())? {
        Value::Array(names) => names.iter().map(name).collect::<Option<_>>().ok_or_else(wrong),
        Value::Object(names) => {
            let classes = 0..names.len();
            let of = |class: usize| name(names.get(&class.to_string())?);
            classes.map(of).collect::<Option<_>>().ok_or_else(wrong)
        }
        _ => Err(wrong()),
    }
}

#[test]
fn labels_are_lines_lists_or_imagenet_s_index() {
    let expected = ["tench", "goldfish"];
    for text in [
        "tench\ngoldfish\n",
        r#"["tench", "goldfish"]"#,
        r#"{"1": ["n01443537", "goldfish"], "0": ["n01440764", "tench"]}"#,
        r#"{"0": "tench", "1": "goldfish"}"#,
    ] {
        assert_eq!(labels(text).unwrap(), expected);
    }
    assert!(labels(r#"{"5": "tench"}"#).is_err());
}
