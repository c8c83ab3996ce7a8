//! `keras-model check`.

use std::io::Write;
use std::process::ExitCode;

use clap::Args;

use crate::error::Result;
use crate::model::ModelArgs;

#[derive(Args)]
pub(crate) struct Check {
    #[command(flatten)]
    model: ModelArgs,
    /// Print the report as JSON
    #[arg(long)]
    json: bool,
}

impl Check {
    pub(crate) fn run(self, out: &mut impl Write) -> Result<ExitCode> {
        let file = self.model.inspect()?;
        let report = file.check()?;
        let failed = report.is_error();
        if self.json {
            serde_json::to_writer_pretty(&mut *out, &report)?;
            writeln!(out)?;
        } else {
            let version = file.keras_version.as_deref().unwrap_or("of an unknown version");
            let backend = file.backend.as_deref().map(|b| format!(", backend {b}"));
            writeln!(
                out,
                "{}: {}, written by Keras {version}{}",
                self.model.path.display(),
                file.container,
                backend.unwrap_or_default()
            )?;
            for rewrite in &report.rewrites {
                writeln!(out, "  rewritten: {rewrite}")?;
            }
            for object in &report.unknown {
                let mark = if object.is_error() { "UNKNOWN" } else { "unknown" };
                writeln!(out, "  {mark} {} {:?} at {}", object.kind, object.name, object.path)?;
            }
            for finding in &report.findings {
                let mark = if finding.is_error() { "ERROR" } else { "note" };
                writeln!(out, "  {mark}: {finding}")?;
            }
            let stored = file.weights.iter().filter(|w| !w.stored().is_empty()).count();
            let verdict = if failed { "cannot be used" } else { "ok" };
            writeln!(out, "  {stored} of {} weights bound: {verdict}", file.weights.len())?;
        }
        Ok(if failed { ExitCode::FAILURE } else { ExitCode::SUCCESS })
    }
}
