//! Random numbers: a new set for each seed.

use keras_model::DType;

use super::{Gradient, Operator, Out, Spec, Types, inputs, nothing, single};
use crate::graph::{Builder, Value};
use crate::random::Stream;
use crate::tensor::{View, out};
use crate::{Error, Result};

/// How random numbers are spread.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Distribution {
    /// Evenly from 0, below 1.
    Uniform,
    /// Around 0 with deviation 1.
    Normal,
}

/// `float32` numbers that depend on the seed, the stream and their place alone.
///
/// # Shapes
/// The seed: `int64` without axes; to `shape`.
///
/// # Source
/// `keras.random.uniform`, `keras.random.normal`, Keras 3: the distributions, not the values.
#[derive(Clone, Debug)]
pub(crate) struct Random {
    pub(crate) distribution: Distribution,
    pub(crate) shape: Vec<usize>,
    /// Tells the operations of a plan apart.
    pub(crate) stream: u64,
}

impl Operator for Random {
    const NAME: &'static str = "random";
    const TYPES: Types = Types::Any;

    fn output(&self, x: &[Spec]) -> Result<Vec<Spec>> {
        let [seed] = inputs(Self::NAME, x)?;
        if !seed.shape.is_empty() || seed.dtype != DType::Int64 {
            return Err(Error::op(Self::NAME, "the seed is one int64"));
        }
        Ok(vec![Spec::new(self.shape.clone(), DType::Float32)])
    }

    fn forward(&self, x: &[View<'_>], y: &mut [Out<'_>]) -> Result<()> {
        let [seed] = inputs(Self::NAME, x)?;
        let seed = seed.of::<i64>(Self::NAME)?[0] as u64;
        let y = single(Self::NAME, y)?;
        let y = out::<f32>(&mut y.data, Self::NAME)?;
        let stream = Stream { seed, number: self.stream };
        match self.distribution {
            Distribution::Uniform => stream.uniform(y),
            Distribution::Normal => stream.normal(y),
        }
        Ok(())
    }

    fn gradient(
        &self,
        _b: &mut Builder<'_>,
        x: &[Value],
        _y: &[Value],
        _dy: &[Option<Value>],
    ) -> Gradient {
        nothing(x)
    }
}

#[test]
fn seed_and_stream_tell_numbers_apart() {
    let numbers = |stream, seed: i64| {
        let op = Random { distribution: Distribution::Uniform, shape: vec![2, 3], stream };
        super::run(op, &[crate::Tensor::scalar(seed)]).unwrap()
    };
    assert_eq!(numbers(0, 5), numbers(0, 5));
    assert_ne!(numbers(0, 5), numbers(0, 6));
    assert_ne!(numbers(0, 5), numbers(1, 5));
}
