//! `keras-model`: Keras models on the command line.

mod arrays;
mod check;
mod convert;
mod error;
mod evaluate;
mod export;
mod fit;
mod h5;
mod inspect;
mod model;
mod npz;
mod predict;
mod summary;
mod verify;
mod weights;

use std::io::Write as _;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// Keras models without Python: any file that some Keras saved, old or new.
#[derive(Parser)]
#[command(version, max_term_width = 100, arg_required_else_help = true)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Print the table of layers that Keras prints
    Summary(summary::Summary),
    /// Say whether the file can be used: who wrote it, what was rewritten, what does not fit
    ///
    /// Exit code 1 if predictions would be wrong or impossible.
    Check(check::Check),
    /// Show everything in the file: layers, graph, compile information
    Inspect(inspect::Inspect),
    /// List the weights with statistics, or export them
    Weights(weights::Weights),
    /// Write a model of any Keras as a file that Keras 3 loads
    ///
    /// What was rewritten and what the new file does not say goes to standard error.
    Convert(convert::Convert),
    /// Compute the outputs for given inputs
    Predict(predict::Predict),
    /// Compare the outputs for given inputs with those expected
    ///
    /// Exit code 1 if one differs by more than `atol + rtol * |expected|`.
    Verify(verify::Verify),
    /// Compute the loss and the compiled metrics for given targets
    Evaluate(evaluate::Evaluate),
    /// Train the model, from where the file stopped
    Fit(fit::Fit),
    /// Look into HDF5 files
    #[command(subcommand)]
    H5(h5::H5),
}

fn main() -> ExitCode {
    let mut out = std::io::BufWriter::new(std::io::stdout().lock());
    let done = match Cli::parse().command {
        Command::Summary(command) => command.run(&mut out),
        Command::Check(command) => command.run(&mut out),
        Command::Inspect(command) => command.run(&mut out),
        Command::Weights(command) => command.run(&mut out),
        Command::Convert(command) => command.run(&mut out),
        Command::Predict(command) => command.run(&mut out),
        Command::Verify(command) => command.run(&mut out),
        Command::Evaluate(command) => command.run(&mut out),
        Command::Fit(command) => command.run(&mut out),
        Command::H5(command) => command.run(&mut out),
    };
    match done.and_then(|code| Ok(out.flush().map(|()| code)?)) {
        Ok(code) => code,
        // Who reads has seen enough: `keras-model summary M | head`.
        Err(error) if error.is_broken_pipe() => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("keras-model: {error}");
            ExitCode::FAILURE
        }
    }
}
