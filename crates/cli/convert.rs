//! `keras-model convert`.

use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use keras_model::Saver;

use crate::error::Result;
use crate::export;
use crate::model::ModelArgs;

#[derive(Args)]
pub(crate) struct Convert {
    #[command(flatten)]
    model: ModelArgs,
    /// What to write: `.keras`, `.h5`, `.weights.h5`, `.json` (the architecture), or the weights as
    /// `.safetensors` or `.npz`
    #[arg(value_name = "OUTPUT")]
    output: PathBuf,
    /// Leave out the optimizer's state
    #[arg(long)]
    no_optimizer: bool,
    /// Write the weights alone, by layer, as Keras 2 did (`.h5`)
    #[arg(long)]
    weights_only: bool,
    /// Do not replace a file that is there
    #[arg(long)]
    keep: bool,
    /// When it was saved, as the file says: `2026-01-31@12:00:00`
    #[arg(long, value_name = "DATE")]
    date: Option<String>,
}

impl Convert {
    pub(crate) fn run(self, _out: &mut impl Write) -> Result<ExitCode> {
        // Code of the file's author stays what it is.
        let file = self.model.inspect()?;
        let extension = self.output.extension().and_then(|e| e.to_str());
        if matches!(extension, Some("safetensors" | "npz")) {
            export::write(&self.output, &file.weights)?;
            return Ok(ExitCode::SUCCESS);
        }
        let mut saver = Saver::new().optimizer(!self.no_optimizer).overwrite(!self.keep);
        if let Some(date) = self.date {
            saver = saver.date(date);
        }
        let written = if self.weights_only {
            saver.save_weights(&file, &self.output)?
        } else {
            saver.save(&file, &self.output)?
        };
        for rewrite in &file.report.rewrites {
            eprintln!("rewritten: {rewrite}");
        }
        for lost in &written.lost {
            eprintln!("lost: {lost}");
        }
        Ok(ExitCode::SUCCESS)
    }
}
