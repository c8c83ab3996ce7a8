//! `FeatureSpace`.

use keras_model::layers::encoding::OutputMode;
use keras_model::layers::feature_space::{FeatureEncoding, FeatureOutput, FeatureSpace};
use keras_model::{Arg, DType, Inputs, Kind, Layer};

use super::encoding::encode;
use super::index_lookup::Table;
use super::{Call, hashed_crossing};
use crate::Result;
use crate::graph::{Builder, Value};

pub(super) fn lower(
    layer: &FeatureSpace,
    b: &mut Builder<'_>,
    call: &Call<'_>,
) -> Result<Vec<Value>> {
    let Some(Arg::Dict(entries)) = call.inputs.args.first() else {
        return Err(b.error("expected a dict of columns"));
    };
    let mut prepared = Vec::new();
    for (name, feature) in &layer.features {
        let given = entries.iter().find(|(key, _)| key == name);
        let Some(x) = given.and_then(|(_, arg)| arg.tensor()) else {
            return Err(b.error(format!("the column {name} is missing")));
        };
        let x = if b.rank(*x) == 1 { b.expand(*x, 1)? } else { *x };
        let outputs = super::layer(&feature.preprocessor, b, &Inputs::one(x))?;
        let Some(y) = outputs.first() else {
            return Err(b.error(format!("the column {name} has no output")));
        };
        prepared.push((name.clone(), *y));
    }
    let mut crosses = Vec::new();
    for cross in &layer.crosses {
        let find = |name: &String| prepared.iter().find(|(n, _)| n == name).map(|(_, v)| *v);
        let columns: Option<Vec<Value>> = cross.feature_names.iter().map(find).collect();
        let Some(columns) = columns else {
            return Err(b.error(format!("a column of {} is missing", cross.name())));
        };
        let bin = hashed_crossing::cross(b, &columns, cross.crossing_dim)?;
        let y = match cross.output_mode {
            FeatureEncoding::OneHot => {
                encode(b, bin, OutputMode::MultiHot, cross.crossing_dim, DType::Float32)?
            }
            _ => bin,
        };
        crosses.push((cross.name(), y));
    }
    let mut columns = Vec::new();
    for ((name, feature), (_, y)) in layer.features.iter().zip(prepared) {
        let y = match feature.output_mode {
            FeatureEncoding::OneHot => {
                let depth = categories(&feature.preprocessor, b)?;
                encode(b, y, OutputMode::MultiHot, depth, DType::Float32)?
            }
            _ => y,
        };
        columns.push((name.clone(), y));
    }
    columns.sort_by(|a, b| a.0.cmp(&b.0));
    crosses.sort_by(|a, b| a.0.cmp(&b.0));
    columns.extend(crosses);
    if layer.output_mode == FeatureOutput::Dict {
        columns.sort_by(|a, b| a.0.cmp(&b.0));
        return Ok(columns.into_iter().map(|(_, y)| y).collect());
    }
    let mut parts = Vec::with_capacity(columns.len());
    for (_, y) in columns {
        parts.push(b.cast(y, DType::Float32)?);
    }
    Ok(vec![b.concat(&parts, 1)?])
}

/// How many categories a layer tells apart.
fn categories(layer: &Layer, b: &mut Builder<'_>) -> Result<usize> {
    let found = match &layer.kind {
        Kind::StringLookup(lookup) | Kind::IntegerLookup(lookup) => {
            b.enter(&layer.base);
            let table = Table::of(lookup, b);
            b.leave();
            Some(table?.size())
        }
        Kind::CategoryEncoding(encoding) => Some(encoding.num_tokens),
        Kind::Discretization(bins) => {
            bins.num_bins.or_else(|| bins.bin_boundaries.as_ref().map(|b| b.len() + 1))
        }
        Kind::HashedCrossing(hash) => Some(hash.num_bins),
        Kind::Hashing(hash) => Some(hash.num_bins),
        _ => None,
    };
    found.ok_or_else(|| b.error(format!("how many categories has {}?", layer.base.class)))
}
