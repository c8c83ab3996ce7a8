//! `keras-model predict`: the outputs for given inputs.

mod csv;
mod images;
mod inputs;
pub(crate) mod outputs;
mod print;
mod top;

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Args;
use indicatif::{ProgressBar, ProgressStyle};
use keras_runtime::{Model, Tensor};

use crate::error::Result;
use crate::model::ModelArgs;

#[derive(Args)]
pub(crate) struct Predict {
    #[command(flatten)]
    model: ModelArgs,
    /// The inputs: .npz, .npy, .csv, .tsv, .txt, .png, .jpg, a folder of images, or - for standard input
    ///
    /// Once for each input of the model, `NAME=FILE` says for which; several images are a batch. An
    /// `.npz` has the arrays in0, in1... in the model's order, or under the names of its inputs. A
    /// table has one sample a line, `.txt` one text a line; what its columns are a header may say.
    #[arg(long, value_name = "FILE", required = true)]
    input: Vec<String>,
    /// Where the outputs go: .npz, .npy, .csv, .json, or - for standard output; printed without it
    #[arg(long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// How the outputs are written [default: what the ending says, json for -]
    #[arg(long, value_enum, requires = "output")]
    format: Option<outputs::Format>,
    /// Samples that are computed at a time [default: some, or all where they depend on each other]
    #[arg(long, value_name = "N", value_parser = positive)]
    batch_size: Option<usize>,
    #[command(flatten)]
    table: csv::Options,
    #[command(flatten)]
    image: images::Options,
    #[command(flatten)]
    top: top::Options,
}

/// A number from 1 on.
pub(crate) fn positive(text: &str) -> Result<usize, String> {
    text.parse().ok().filter(|n| *n > 0).ok_or_else(|| "must be 1 or more".to_owned())
}

impl Predict {
    pub(crate) fn run(&self, out: &mut impl Write) -> Result<ExitCode> {
        // What is wrong with these shows before the work is done.
        let format = self.output.as_deref().map(|path| self.format(path)).transpose()?;
        let labels = self.top.labels()?;
        let model = Model::from_file(self.model.load()?)?;
        let given = inputs::read(&self.input, model.inputs(), &self.table, &self.image)?;
        let outputs = batches(&model, &given.tensors, self.batch_size)?;
        if let (Some(path), Some(format)) = (&self.output, format) {
            outputs::write(&outputs, path, format, out)?;
        }
        if self.top.is_asked() {
            self.top.print(&outputs, labels.as_deref(), &given.samples, out)?;
        } else if self.output.is_none() {
            print::print(&outputs, out)?;
        }
        Ok(ExitCode::SUCCESS)
    }

    fn format(&self, path: &Path) -> Result<outputs::Format> {
        self.format.map_or_else(|| outputs::Format::of(path), Ok)
    }
}

/// The outputs for all samples, some at a time; how far it is shows on a terminal.
fn batches(model: &Model, inputs: &[Tensor], size: Option<usize>) -> Result<Vec<Tensor>> {
    let samples = |t: &Tensor| t.shape().first().copied();
    let count = inputs.first().and_then(samples).unwrap_or(0);
    // As many as Keras takes, or a hundredth of many, where that makes no difference.
    let apart = model.has_independent_rows();
    let size = size.unwrap_or(if apart { (count / 100).max(32) } else { count });
    if count <= size || inputs.iter().any(|t| samples(t) != Some(count)) {
        return Ok(model.predict(inputs)?);
    }
    // Nothing is drawn where standard error is no terminal.
    let style = ProgressStyle::with_template("{pos}/{len} {wide_bar} {eta}");
    let bar = ProgressBar::new(count as u64);
    let bar = if let Ok(style) = style { bar.with_style(style) } else { bar };
    let mut parts: Vec<Vec<Tensor>> = Vec::new();
    for start in (0..count).step_by(size) {
        let end = count.min(start + size);
        let rows = inputs.iter().map(|t| t.rows(start, end)).collect::<Result<Vec<_>, _>>()?;
        parts.push(model.predict(&rows)?);
        bar.set_position(end as u64);
    }
    bar.finish_and_clear();
    let outputs = 0..parts.first().map_or(0, Vec::len);
    let behind =
        |i| Tensor::concat_rows(&parts.iter().filter_map(|p| p.get(i)).collect::<Vec<_>>());
    Ok(outputs.map(behind).collect::<Result<_, _>>()?)
}
