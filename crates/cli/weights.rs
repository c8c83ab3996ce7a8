//! `keras-model weights`.

use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use comfy_table::{CellAlignment, Table, presets};
use keras_model::Weight;
use keras_model::source::Source;

use crate::error::{Error, Result};
use crate::export;
use crate::model::ModelArgs;

#[derive(Args)]
pub(crate) struct Weights {
    #[command(flatten)]
    model: ModelArgs,
    /// Write them to this file, .npz or .safetensors, in the order of `get_weights()`
    #[arg(long, value_name = "FILE")]
    export: Option<PathBuf>,
    /// Show the weights of Keras 1 and 2 in the names and layouts of Keras 3
    #[arg(long)]
    rearranged: bool,
    /// Print names, shapes, types and statistics as JSON
    #[arg(long)]
    json: bool,
}

impl Weights {
    pub(crate) fn run(self, out: &mut impl Write) -> Result<ExitCode> {
        let weights = self.weights()?;
        if let Some(path) = &self.export {
            export::write(path, &weights)?;
            writeln!(out, "{} arrays written to {}", weights.len(), path.display())?;
            return Ok(ExitCode::SUCCESS);
        }
        let rows =
            weights.iter().map(|w| Ok((w, Statistics::of(w)?))).collect::<Result<Vec<_>>>()?;
        if self.json {
            let rows: Vec<_> = rows.iter().map(|(w, s)| s.json(w)).collect();
            serde_json::to_writer_pretty(&mut *out, &rows)?;
            writeln!(out)?;
        } else {
            writeln!(out, "{}", table(&rows))?;
        }
        Ok(ExitCode::SUCCESS)
    }

    fn weights(&self) -> Result<Vec<Weight>> {
        // A file of weights alone has no model to bind them to.
        let source = Source::open(&self.model.path).map_err(Error::file(&self.model.path))?;
        if source.config.is_none() {
            return Ok(source.arrays()?.iter().map(Weight::from).collect());
        }
        drop(source);
        let file = self.model.inspect()?;
        Ok(if self.rearranged { file.weights } else { file.get_weights()? })
    }
}

/// What one looks for in a weight: is it trained, is it broken.
struct Statistics {
    min: f64,
    max: f64,
    mean: f64,
    std: f64,
    not_finite: usize,
}

impl Statistics {
    /// `None` for strings and other things that have no mean.
    fn of(weight: &Weight) -> Result<Option<Self>> {
        let values = match weight.to_f32() {
            Ok(values) if !values.is_empty() => values,
            Ok(_) | Err(keras_model::Error::Weights(_)) => return Ok(None),
            Err(error) => return Err(Error::Model(error)),
        };
        let finite = || values.iter().copied().map(f64::from).filter(|v| v.is_finite());
        let count = finite().count();
        let mean = finite().sum::<f64>() / count as f64;
        let variance = finite().map(|v| (v - mean).powi(2)).sum::<f64>() / count as f64;
        Ok(Some(Self {
            min: finite().fold(f64::INFINITY, f64::min),
            max: finite().fold(f64::NEG_INFINITY, f64::max),
            mean,
            std: variance.sqrt(),
            not_finite: values.len().saturating_sub(count),
        }))
    }
}

trait Row {
    fn json(&self, weight: &Weight) -> serde_json::Value;
}

impl Row for Option<Statistics> {
    fn json(&self, weight: &Weight) -> serde_json::Value {
        let mut row = serde_json::json!(weight);
        if let (Some(s), Some(row)) = (self, row.as_object_mut()) {
            row.insert("min".into(), s.min.into());
            row.insert("max".into(), s.max.into());
            row.insert("mean".into(), s.mean.into());
            row.insert("std".into(), s.std.into());
            row.insert("not_finite".into(), s.not_finite.into());
        }
        row
    }
}

fn table(rows: &[(&Weight, Option<Statistics>)]) -> Table {
    let mut table = Table::new();
    table.load_style(presets::NOTHING);
    table.set_header(["weight", "shape", "dtype", "trained", "min", "mean", "max", "std", ""]);
    for (weight, statistics) in rows {
        let mut row = vec![
            weight.path.clone(),
            format!("{:?}", weight.shape),
            weight.dtype.to_string(),
            if weight.trainable { "yes" } else { "no" }.to_owned(),
        ];
        match statistics {
            Some(s) => {
                row.extend([s.min, s.mean, s.max, s.std].map(|v| format!("{v:.4}")));
                row.push(match s.not_finite {
                    0 => String::new(),
                    n => format!("{n} not finite"),
                });
            }
            None => row.extend(vec!["-".to_owned(); 4]),
        }
        table.add_row(row);
    }
    for column in 4..8 {
        if let Some(column) = table.column_mut(column) {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    table
}
