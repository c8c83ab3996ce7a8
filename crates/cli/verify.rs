//! `keras-model verify`: whether a model still gives the outputs that were kept beside it.

use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use keras_model::DType;
use keras_runtime::{Data, Model, Tensor};

use crate::arrays;
use crate::error::Result;
use crate::model::ModelArgs;

#[derive(Args)]
pub(crate) struct Verify {
    #[command(flatten)]
    model: ModelArgs,
    /// Inputs in0, in1... and expected outputs out0, out1... in one `.npz`
    #[arg(long, value_name = "FILE")]
    case: PathBuf,
    /// Share of the expected value by which an output may differ
    #[arg(long, default_value_t = 1e-4)]
    rtol: f64,
    /// Amount by which an output may differ on top
    #[arg(long, default_value_t = 1e-5)]
    atol: f64,
}

impl Verify {
    pub(crate) fn run(&self, out: &mut impl Write) -> Result<ExitCode> {
        let model = Model::from_file(self.model.load()?)?;
        let found = model.predict(&arrays::numbered(&self.case, "in")?)?;
        let expected = arrays::numbered(&self.case, "out")?;
        let mut code = ExitCode::SUCCESS;
        if found.len() != expected.len() {
            writeln!(out, "{} outputs, expected {}", found.len(), expected.len())?;
            code = ExitCode::FAILURE;
        }
        for (i, (found, expected)) in found.iter().zip(&expected).enumerate() {
            match self.compare(found, expected)? {
                Ok(worst) => writeln!(out, "out{i}: ok, largest difference {worst:.3e}")?,
                Err(reason) => {
                    writeln!(out, "out{i}: {reason}")?;
                    code = ExitCode::FAILURE;
                }
            }
        }
        Ok(code)
    }

    /// The largest difference, or what is wrong.
    fn compare(&self, found: &Tensor, expected: &Tensor) -> Result<Result<f64, String>> {
        if found.shape() != expected.shape() {
            return Ok(Err(format!("shape {:?}, expected {:?}", found.shape(), expected.shape())));
        }
        if let (Data::String(found), Data::String(expected)) = (found.data(), expected.data()) {
            let same = found == expected;
            return Ok(if same { Ok(0.0) } else { Err("strings differ".to_owned()) });
        }
        let (found, expected) = (found.cast(DType::Float64)?, expected.cast(DType::Float64)?);
        let pairs = found.as_slice::<f64>().into_iter().flatten();
        let pairs = pairs.zip(expected.as_slice::<f64>().into_iter().flatten());
        let mut worst = 0.0_f64;
        let mut beyond = 0_usize;
        for (found, expected) in pairs {
            let difference = (found - expected).abs();
            // The same infinity and the same NaN have no difference that is a number.
            if found.to_bits() == expected.to_bits() || found.is_nan() && expected.is_nan() {
                continue;
            }
            worst = worst.max(difference);
            if difference.is_nan() || difference > self.atol + self.rtol * expected.abs() {
                beyond += 1;
            }
        }
        let reason = format!("{beyond} elements differ, by up to {worst:.3e}");
        Ok(if beyond == 0 { Ok(worst) } else { Err(reason) })
    }
}
