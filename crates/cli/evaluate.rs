//! `keras-model evaluate`: the loss and the compiled metrics for given targets.

use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use keras_runtime::{Evaluate as How, Model, Report};
use serde_json::{Map, Value};

use crate::arrays;
use crate::error::Result;
use crate::model::ModelArgs;
use crate::predict::{outputs, positive};

#[derive(Args)]
pub(crate) struct Evaluate {
    #[command(flatten)]
    model: ModelArgs,
    /// The inputs: arrays in0, in1... in an `.npz`, or the only one as `.npy`
    #[arg(long, value_name = "FILE")]
    x: PathBuf,
    /// The targets: arrays out0, out1..., those of outputs without a loss may be left out
    #[arg(long, value_name = "FILE")]
    y: PathBuf,
    /// What samples count for: array sw0 for all outputs, or sw0, sw1... for each
    #[arg(long, value_name = "FILE")]
    sample_weight: Option<PathBuf>,
    /// Samples that are evaluated at a time
    #[arg(long, value_name = "N", default_value = "32", value_parser = positive)]
    batch_size: usize,
    /// Print one JSON object: names and values
    #[arg(long)]
    json: bool,
}

impl Evaluate {
    pub(crate) fn run(&self, out: &mut impl Write) -> Result<ExitCode> {
        let model = Model::from_file(self.model.load()?)?;
        let (x, y) = (arrays::read(&self.x, "in")?, arrays::read(&self.y, "out")?);
        let weights = self.sample_weight.as_deref().map(|path| arrays::read(path, "sw"));
        let how = How::new().batch_size(self.batch_size);
        let how = how.sample_weight(weights.transpose()?.unwrap_or_default());
        let report = model.evaluate_with(&x, &y, &how)?;
        self.print(&report, out)?;
        Ok(ExitCode::SUCCESS)
    }

    fn print(&self, report: &Report, out: &mut impl Write) -> Result<()> {
        let values = report.values().iter().map(|(name, value)| (name, outputs::json(value)));
        if self.json {
            let values: Map<String, Value> =
                values.map(|(name, value)| (name.clone(), value)).collect();
            writeln!(out, "{}", Value::Object(values))?;
        } else {
            for (name, value) in values {
                writeln!(out, "{name}: {value}")?;
            }
        }
        Ok(())
    }
}
