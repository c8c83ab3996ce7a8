//! What the config of a layer says of one of its weights.

use keras_model::{Kind, Layer};
use serde_json::Value as Json;

/// The `kernel_regularizer`, `bias_constraint`... of a weight: an argument of the innermost layer on
/// the weight's path that has a config. `kind` is what comes behind the weight's name.
pub(super) fn of_weight(layer: &Layer, path: &str, weight: &str, kind: &str) -> Option<Json> {
    for (_, inner) in layer.kind.config().sublayers() {
        let rest = path.strip_prefix(inner.base.name.as_str());
        if let Some(rest) = rest.filter(|rest| rest.is_empty() || rest.starts_with('/')) {
            return of_weight(inner, rest.trim_start_matches('/'), weight, kind);
        }
    }
    if matches!(layer.kind, Kind::Model(_)) {
        return None;
    }
    let config = serde_json::to_value(layer).ok()?;
    let config = config.get("config")?;
    let of = |name: &str| config.get(format!("{name}_{kind}")).filter(|v| !v.is_null());
    // `recurrent_regularizer` is that of `recurrent_kernel`, and a layer that has kernels of
    // channels only calls that of its `kernel` so; the parts of an update are as what they update.
    let update = weight.strip_prefix("lora_").and_then(|name| Some(name.rsplit_once('_')?.0));
    of(weight)
        .or_else(|| of(weight.strip_suffix("_kernel")?))
        .or_else(|| of("depthwise").filter(|_| weight == "kernel"))
        .or_else(|| of(update?))
        .cloned()
}
