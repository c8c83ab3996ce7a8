//! `keras-model summary`.

use std::io::Write;
use std::process::ExitCode;

use clap::Args;
use keras_model::SummaryOptions;

use crate::error::Result;
use crate::model::ModelArgs;

#[derive(Args)]
pub(crate) struct Summary {
    #[command(flatten)]
    model: ModelArgs,
    /// Show the layers of nested models
    #[arg(long)]
    expand_nested: bool,
    /// Show which layers are trained
    #[arg(long)]
    show_trainable: bool,
    /// Width in characters [default: that of the terminal, 80 without one]
    #[arg(long, value_name = "COLUMNS")]
    width: Option<usize>,
}

impl Summary {
    pub(crate) fn run(self, out: &mut impl Write) -> Result<ExitCode> {
        let file = self.model.inspect()?;
        let columns = self.width.or_else(|| {
            terminal_size::terminal_size().map(|(terminal_size::Width(columns), _)| columns.into())
        });
        let options = SummaryOptions {
            expand_nested: self.expand_nested,
            show_trainable: self.show_trainable,
            columns: columns.unwrap_or(80),
        };
        if let Some(summary) = file.summary(options) {
            write!(out, "{summary}")?;
        } else {
            // The calls of a subclassed model are code: there are only its name and its weights.
            writeln!(out, "Model: \"{}\" ({})", file.root.base.name, file.root.base.class)?;
            writeln!(out, "A subclass of keras.Model: its layers are not in its config.")?;
            for weight in file.stored_weights()? {
                writeln!(out, "{}  {:?}", weight.name, weight.dataset.shape())?;
            }
        }
        let unknown = file.report.unknown.iter().filter(|u| u.is_error());
        for object in unknown {
            writeln!(out, "Unknown {} {:?} at {}", object.kind, object.name, object.path)?;
        }
        Ok(ExitCode::SUCCESS)
    }
}
