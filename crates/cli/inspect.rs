//! `keras-model inspect`.

use std::collections::BTreeMap;
use std::io::Write;
use std::process::ExitCode;

use clap::Args;
use keras_model::{KerasTensor, ModelFile};
use serde_json::{Value, json};

use crate::error::Result;
use crate::model::ModelArgs;

#[derive(Args)]
pub(crate) struct Inspect {
    #[command(flatten)]
    model: ModelArgs,
    /// Print all of it as JSON
    #[arg(long)]
    json: bool,
}

impl Inspect {
    pub(crate) fn run(self, out: &mut impl Write) -> Result<ExitCode> {
        let file = self.model.inspect()?;
        if self.json {
            serde_json::to_writer_pretty(&mut *out, &everything(&file)?)?;
            writeln!(out)?;
        } else {
            overview(&file, out)?;
        }
        Ok(ExitCode::SUCCESS)
    }
}

fn everything(file: &ModelFile) -> Result<Value> {
    let inputs: Vec<Value> = file
        .inputs()
        .into_iter()
        .map(|(name, t)| json!({"name": name, "shape": t.shape, "dtype": t.dtype}))
        .collect();
    Ok(json!({
        "container": file.container,
        "keras_version": file.keras_version,
        "backend": file.backend,
        "generation": file.generation,
        "inputs": inputs,
        "outputs": file.outputs(),
        "model": file.root,
        "weights": file.weights,
        "compile": file.compile,
        "optimizer_state": file.optimizer_state,
        "assets": file.assets.keys().collect::<Vec<_>>(),
        "report": file.check()?,
    }))
}

fn overview(file: &ModelFile, out: &mut impl Write) -> Result<()> {
    let tensor = |t: &KerasTensor| format!("{} {}", t.shape, t.dtype);
    let version = file.keras_version.as_deref().unwrap_or("unknown");
    writeln!(out, "{} ({}), {}", file.root.base.name, file.root.base.class, file.container)?;
    writeln!(out, "written by  Keras {version}")?;
    if let Some(backend) = &file.backend {
        writeln!(out, "backend     {backend}")?;
    }
    for (name, input) in file.inputs() {
        writeln!(out, "input       {name} {}", tensor(&input))?;
    }
    for output in file.outputs().iter().flatten() {
        writeln!(out, "output      {}", tensor(output))?;
    }
    if let Some(model) = file.model() {
        let mut classes: BTreeMap<&str, usize> = BTreeMap::new();
        for layer in &model.layers {
            *classes.entry(&layer.base.class).or_default() += 1;
        }
        let classes: Vec<String> =
            classes.iter().map(|(class, n)| format!("{n} {class}")).collect();
        writeln!(out, "layers      {}: {}", model.layers.len(), classes.join(", "))?;
    }
    let params: usize = file.weights.iter().map(keras_model::Weight::len).sum();
    writeln!(out, "weights     {} with {params} parameters", file.weights.len())?;
    if let Some(compile) = &file.compile {
        let optimizer = compile.optimizer.as_ref().map_or("none", |o| o.kind.class_name());
        writeln!(out, "optimizer   {optimizer}")?;
        let losses: Vec<&str> = compile.loss.flat().iter().map(|l| l.kind.class_name()).collect();
        writeln!(out, "loss        {}", losses.join(", "))?;
        let metrics = compile.metrics.flat().into_iter().chain(compile.weighted_metrics.flat());
        let metrics: Vec<&str> = metrics.map(|m| m.kind.name()).collect();
        if !metrics.is_empty() {
            writeln!(out, "metrics     {}", metrics.join(", "))?;
        }
    }
    if let Some(state) = &file.optimizer_state {
        writeln!(out, "state       {} slot variables", state.slots.len())?;
    }
    for object in &file.report.unknown {
        writeln!(out, "unknown     {} {:?} at {}", object.kind, object.name, object.path)?;
    }
    Ok(())
}
