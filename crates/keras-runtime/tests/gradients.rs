//! Gradients beside those that Keras gives: `fixtures/gradients.npz`, `fixtures/op_gradients.json`.

use keras_runtime::{DType, Differentiate, Gradients, Model, Result, Tensor};

/// Elements up to which a gradient is there as a whole.
const WHOLE: usize = 48;
/// Elements at the start of a longer one that are there, and weighted sums of all.
const FIRST: usize = 16;
const SUMS: usize = 16;

/// What reaches output `number`, as `fixtures/make/gradients.py` makes it.
pub(crate) fn upstream(y: &Tensor, number: usize) -> Tensor {
    let value = |i: usize| ((i * 7919 + number * 104_729 + 12_345) % 1009) as f64 / 1009.0 - 0.5;
    Tensor::new(y.shape(), (0..y.len()).map(value).collect::<Vec<f64>>()).unwrap()
}

/// The gradients of a model whose outputs are `y`.
pub(crate) fn gradients(
    model: &Model,
    inputs: &[Tensor],
    y: &[Tensor],
    training: bool,
) -> Result<Gradients> {
    let dy: Vec<Tensor> = y.iter().enumerate().map(|(i, y)| upstream(y, i)).collect();
    model.gradients_with(inputs, &dy, &Differentiate::new().training(training))
}

fn numbers(tensor: &Tensor) -> Vec<f64> {
    tensor.cast(DType::Float64).unwrap().as_slice::<f64>().unwrap().to_vec()
}

/// A gradient, or what stands for it.
fn short(gradient: &[f64]) -> Vec<f64> {
    if gradient.len() <= WHOLE {
        return gradient.to_vec();
    }
    let factor =
        |i: usize, k: usize| ((i * 6151 + k * 40_013 + 71) % 997) as f64 / 997.0 * 2.0 - 1.0;
    let sum = |k: usize| gradient.iter().enumerate().map(|(i, g)| g * factor(i, k)).sum::<f64>();
    gradient[..FIRST].iter().copied().chain((0..SUMS).map(sum)).collect()
}

/// What is not Keras's, up to `tolerance` of the largest element of each gradient. `expected` has
/// NaN for one that Keras has not.
pub(crate) fn difference(
    found: &Gradients,
    inputs: &[Tensor],
    expected: &[f64],
    tolerance: f64,
) -> Option<String> {
    let of_inputs = found.inputs.iter().zip(inputs).enumerate();
    let of_inputs = of_inputs.filter(|(_, (_, x))| x.dtype().is_float());
    let of_inputs = of_inputs.map(|(i, (g, x))| (format!("input {i}"), g.as_ref(), x.len()));
    let of_weights = found.weights.iter();
    let of_weights = of_weights
        .map(|w| (w.path.clone(), w.gradient.as_ref(), w.shape.iter().product::<usize>()));
    let all = of_inputs.chain(of_weights);
    let all = all.map(|(name, g, len)| (name, g.map_or_else(|| vec![0.0; len], numbers)));
    let all: Vec<(String, Vec<f64>)> = all.collect();
    let largest = |v: &[f64]| v.iter().fold(0.0_f64, |m, v| m.max(v.abs()));
    // What is zero by a law (the bias of a key does not change a softmax) is the rounding of what
    // cancels, and that is as small as what it was made of is large.
    let least = all.iter().map(|(_, g)| largest(g)).fold(1e-6_f64, f64::max) * 0.1;
    let mut rest = expected;
    for (name, gradient) in all {
        if let [first, behind @ ..] = rest
            && first.is_nan()
            && !gradient.is_empty()
        {
            if gradient.iter().any(|g| *g != 0.0) {
                return Some(format!("{name}: Keras has no gradient of it, found {gradient:?}"));
            }
            rest = behind;
            continue;
        }
        let found = short(&gradient);
        let Some((expected, behind)) = rest.split_at_checked(found.len()) else {
            return Some(format!("{name}: Keras has no gradient of it"));
        };
        rest = behind;
        // Elements, then sums of them.
        let count = if gradient.len() > WHOLE { FIRST } else { found.len() };
        let sums = largest(&expected[count..]);
        for (at, (a, b)) in found.iter().zip(expected).enumerate() {
            let scale = if at < count { largest(&gradient) } else { sums };
            if (a - b).abs() > tolerance * scale.max(least) || a.is_nan() {
                return Some(format!("{name}, {at}: {a}, {b} expected, largest {scale}"));
            }
        }
    }
    (!rest.is_empty()).then(|| format!("Keras has {} numbers more", rest.len()))
}
