//! `keras-model fit`: training, from where the file stopped.

use std::cell::RefCell;
use std::io::{IsTerminal as _, Write};
use std::ops::ControlFlow;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use indicatif::{ProgressBar, ProgressStyle};
use keras_runtime::keras_model::compile::CompileConfig;
use keras_runtime::{Fit as How, History, Model, Progress, Report};
use serde_json::{Map, Value, json};

use crate::arrays;
use crate::error::{Error, Result};
use crate::model::ModelArgs;
use crate::predict::{outputs, positive};

#[derive(Args)]
pub(crate) struct Fit {
    #[command(flatten)]
    model: ModelArgs,
    /// The inputs: arrays in0, in1... in an `.npz`, or the only one as `.npy`
    #[arg(long, value_name = "FILE")]
    x: PathBuf,
    /// The targets: arrays out0, out1..., those of outputs without a loss may be left out
    #[arg(long, value_name = "FILE")]
    y: PathBuf,
    /// Where the trained model goes: `.keras`, `.h5` or `.weights.h5`
    #[arg(short, long, value_name = "FILE")]
    output: PathBuf,
    /// How often to go over all samples
    #[arg(long, value_name = "N", default_value = "1", value_parser = positive)]
    epochs: usize,
    /// Samples of one step
    #[arg(long, value_name = "N", default_value = "32", value_parser = positive)]
    batch_size: usize,
    /// Take the samples in their order in every epoch
    #[arg(long)]
    no_shuffle: bool,
    /// Where the random numbers of shuffling and dropout start
    #[arg(long, value_name = "N", default_value = "0")]
    seed: u64,
    /// The part of the samples, from the end, that is evaluated after each epoch, not trained on
    #[arg(long, value_name = "PART", default_value = "0")]
    validation_split: f64,
    /// What samples count for: array sw0 for all outputs, or sw0, sw1... for each
    #[arg(long, value_name = "FILE")]
    sample_weight: Option<PathBuf>,
    /// What the samples of classes count for: '{"0": 1.5, "3": 0.5}'
    #[arg(long, value_name = "JSON", value_parser = class_weight, conflicts_with = "sample_weight")]
    class_weight: Option<ClassWeight>,
    /// Write the loss of each step and the logs of each epoch there, as JSON
    #[arg(long, value_name = "FILE")]
    history: Option<PathBuf>,
    /// Compile the model anew: a loss by its name, or as a JSON object
    #[arg(long, value_name = "LOSS")]
    loss: Option<String>,
    /// The optimizer when it is compiled anew
    #[arg(long, value_name = "OPTIMIZER", default_value = "rmsprop", requires = "loss")]
    optimizer: String,
    /// Metrics when it is compiled anew
    #[arg(long, value_name = "METRIC", value_delimiter = ',', requires = "loss")]
    metrics: Vec<String>,
    /// Another learning rate than that of the file, or of the optimizer
    #[arg(long, value_name = "RATE")]
    learning_rate: Option<f32>,
}

#[derive(Clone)]
struct ClassWeight(Vec<(i64, f64)>);

fn class_weight(text: &str) -> Result<ClassWeight, String> {
    let all: Map<String, Value> = serde_json::from_str(text).map_err(|e| e.to_string())?;
    let one = |(class, weight): (String, Value)| {
        let number = class.parse().map_err(|_| format!("{class:?} is no number of a class"))?;
        let weight = weight.as_f64().ok_or_else(|| format!("{weight} is no weight"))?;
        Ok((number, weight))
    };
    Ok(ClassWeight(all.into_iter().map(one).collect::<Result<_, String>>()?))
}

impl Fit {
    pub(crate) fn run(&self, out: &mut impl Write) -> Result<ExitCode> {
        let mut model = Model::from_file(self.model.load()?)?;
        if let Some(loss) = &self.loss {
            model.compile(self.compiled(loss)?);
        }
        if let Some(rate) = self.learning_rate {
            model.set_learning_rate(rate)?;
        }
        let (x, y) = (arrays::read(&self.x, "in")?, arrays::read(&self.y, "out")?);
        let weights = self.sample_weight.as_deref().map(|path| arrays::read(path, "sw"));
        let bar = Bar::new(self.epochs);
        let lines = RefCell::new(Vec::new());
        let how = How::epochs(self.epochs)
            .batch_size(self.batch_size)
            .shuffle(!self.no_shuffle)
            .seed(self.seed)
            .validation_split(self.validation_split)
            .sample_weight(weights.transpose()?.unwrap_or_default())
            .class_weight(self.class_weight.iter().flat_map(|w| w.0.clone()))
            .on_batch(|progress| {
                bar.step(progress);
                ControlFlow::Continue(())
            })
            .on_epoch(|progress| {
                let line = bar.epoch(progress);
                lines.borrow_mut().extend(line);
                ControlFlow::Continue(())
            });
        let history = model.fit(&x, &y, &how)?;
        drop(how);
        for line in lines.into_inner() {
            writeln!(out, "{line}")?;
        }
        if let Some(path) = &self.history {
            let json = serde_json::to_vec(&to_json(&history))?;
            std::fs::write(path, json).map_err(|e| Error::export(path, &e))?;
        }
        for lost in model.save(&self.output)?.lost {
            eprintln!("keras-model: {}: left out: {lost}", self.output.display());
        }
        Ok(ExitCode::SUCCESS)
    }

    /// What the arguments say, for a model that is compiled anew.
    fn compiled(&self, loss: &str) -> Result<CompileConfig> {
        let config = json!({
            "loss": object(loss),
            "optimizer": object(&self.optimizer),
            "metrics": self.metrics.iter().map(|metric| object(metric)).collect::<Vec<_>>(),
        });
        Ok(CompileConfig::parse(&config)?)
    }
}

/// A name, or an object in JSON.
fn object(text: &str) -> Value {
    serde_json::from_str(text).ok().filter(Value::is_object).unwrap_or_else(|| text.into())
}

/// `batch_loss`: the loss of every step; `epochs`: for each its logs.
fn to_json(history: &History) -> Value {
    let logs = |report: &Report| {
        let values = report.values().iter();
        values.map(|(name, value)| (name.clone(), outputs::json(value))).collect::<Map<_, _>>()
    };
    let epochs: Vec<_> = history.epochs.iter().map(logs).collect();
    json!({"batch_loss": history.batch_loss, "epochs": epochs})
}

/// Progress, as Keras prints it: on a terminal each step, else a line for each epoch.
struct Bar {
    bar: Option<ProgressBar>,
    epochs: usize,
}

impl Bar {
    fn new(epochs: usize) -> Self {
        let style = ProgressStyle::with_template("{pos}/{len} {bar:20.green} {elapsed} {msg}");
        let style = style.unwrap_or_else(|_| ProgressStyle::default_bar());
        let bar = std::io::stderr().is_terminal().then(|| ProgressBar::new(1).with_style(style));
        Self { bar, epochs }
    }

    fn step(&self, progress: &Progress<'_>) {
        let Some(bar) = &self.bar else { return };
        if progress.step == 1 {
            bar.reset();
            bar.set_length(progress.steps as u64);
            bar.println(format!("Epoch {}/{}", progress.epoch + 1, self.epochs));
        }
        bar.set_position(progress.step as u64);
        bar.set_message(numbers(progress.logs));
    }

    /// The line of an epoch, where it is not on the terminal already.
    fn epoch(&self, progress: &Progress<'_>) -> Option<String> {
        let (logs, steps) = (numbers(progress.logs), progress.steps);
        match &self.bar {
            Some(bar) => {
                bar.println(format!("{}/{steps} - {logs}", progress.step));
                None
            }
            None => Some(format!("Epoch {}/{} - {logs}", progress.epoch + 1, self.epochs)),
        }
    }
}

/// `loss: 0.6931 - accuracy: 0.5000`.
fn numbers(logs: &Report) -> String {
    let one = |(name, value): &(String, _)| match outputs::json(value).as_f64() {
        Some(number) => format!("{name}: {number:.4}"),
        None => format!("{name}: {}", outputs::json(value)),
    };
    logs.values().iter().map(one).collect::<Vec<_>>().join(" - ")
}
