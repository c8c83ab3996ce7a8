//! Texts as the places of their words in a vocabulary.

use std::sync::Arc;

use keras_model::DType;

use super::lookup::Vocabulary;
use super::{Gradient, Operator, Out, Spec, Types, inputs, nothing, single, size};
use crate::graph::{Builder, Value};
use crate::tensor::{View, out};
use crate::{Error, Result};

/// How a text becomes tokens.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Splitter {
    pub(crate) lower: bool,
    pub(crate) strip_punctuation: bool,
    pub(crate) split: Option<Split>,
    /// Lengths of the runs of words that are tokens.
    pub(crate) ngrams: Option<Vec<usize>>,
}

/// Where a text is split.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Split {
    Whitespace,
    Character,
}

impl Splitter {
    /// The tokens of the texts of one sample.
    fn tokens(&self, texts: &[String]) -> Vec<String> {
        let mut words = Vec::new();
        for text in texts {
            // TensorFlow's `lower` changes ASCII letters only unless it is told an encoding.
            let mut text = if self.lower { text.to_ascii_lowercase() } else { text.clone() };
            if self.strip_punctuation {
                text.retain(|c| !c.is_ascii_punctuation());
            }
            match self.split {
                None => words.push(text),
                Some(Split::Whitespace) => {
                    let split = text.split(is_space).filter(|w| !w.is_empty());
                    words.extend(split.map(str::to_owned));
                }
                Some(Split::Character) => words.extend(text.chars().map(String::from)),
            }
        }
        let Some(lengths) = &self.ngrams else { return words };
        let runs = lengths.iter().filter(|n| **n > 0).flat_map(|n| words.windows(*n));
        runs.map(|run| run.join(" ")).collect()
    }
}

impl Splitter {
    /// How many tokens the longest sample of `x [batch, n..]` has.
    pub(crate) fn longest(&self, x: &View<'_>) -> Result<usize> {
        Ok(samples(TokenPlaces::NAME, x)?.map(|texts| self.tokens(texts).len()).max().unwrap_or(0))
    }
}

/// What ICU and Python call white space among ASCII, and Unicode's.
fn is_space(c: char) -> bool {
    c.is_whitespace()
}

/// Tokens of each sample by their places, cut or filled up with 0.
///
/// # Shapes
/// `x [batch, n..]` of strings to `[batch, length]` of `int64`.
///
/// # Source
/// `TextVectorization` of Keras 3 with `output_mode="int"`.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct TokenPlaces {
    pub(crate) splitter: Splitter,
    pub(crate) vocabulary: Arc<Vocabulary>,
    pub(crate) length: usize,
}

/// How often each place of the vocabulary occurs in a sample.
///
/// # Shapes
/// `x [batch, n..]` of strings to `[batch, depth]` of `float32`.
///
/// # Source
/// `TextVectorization` of Keras 3 with the other output modes.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct TokenCounts {
    pub(crate) splitter: Splitter,
    pub(crate) vocabulary: Arc<Vocabulary>,
    pub(crate) depth: usize,
    /// 1 for whatever occurs.
    pub(crate) once: bool,
}

fn samples<'a>(name: &'static str, x: &View<'a>) -> Result<impl Iterator<Item = &'a [String]>> {
    let texts = x.of::<String>(name)?;
    let each = size(x.shape.get(1..).unwrap_or_default());
    Ok(texts.chunks(each.max(1)))
}

fn batch(name: &'static str, x: &[Spec], length: usize, dtype: DType) -> Result<Vec<Spec>> {
    let [x] = inputs(name, x)?;
    match x.shape.first() {
        Some(batch) if x.dtype == DType::String => Ok(vec![Spec::new([*batch, length], dtype)]),
        _ => Err(Error::op(name, format!("cannot split {x:?}"))),
    }
}

impl Operator for TokenPlaces {
    const NAME: &'static str = "token_places";
    const TYPES: Types = Types::Any;

    fn output(&self, x: &[Spec]) -> Result<Vec<Spec>> {
        batch(Self::NAME, x, self.length, DType::Int64)
    }

    fn forward(&self, x: &[View<'_>], y: &mut [Out<'_>]) -> Result<()> {
        let ([x], y) = (inputs(Self::NAME, x)?, single(Self::NAME, y)?);
        let y = out::<i64>(&mut y.data, Self::NAME)?;
        y.fill(0);
        for (texts, row) in samples(Self::NAME, x)?.zip(y.chunks_mut(self.length.max(1))) {
            for (token, place) in self.splitter.tokens(texts).iter().zip(row) {
                *place = self.vocabulary.place(token)?;
            }
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

impl Operator for TokenCounts {
    const NAME: &'static str = "token_counts";
    const TYPES: Types = Types::Any;

    fn output(&self, x: &[Spec]) -> Result<Vec<Spec>> {
        batch(Self::NAME, x, self.depth, DType::Float32)
    }

    fn forward(&self, x: &[View<'_>], y: &mut [Out<'_>]) -> Result<()> {
        let ([x], y) = (inputs(Self::NAME, x)?, single(Self::NAME, y)?);
        let y = out::<f32>(&mut y.data, Self::NAME)?;
        y.fill(0.0);
        for (texts, row) in samples(Self::NAME, x)?.zip(y.chunks_mut(self.depth.max(1))) {
            for token in self.splitter.tokens(texts) {
                let place = usize::try_from(self.vocabulary.place(&token)?).ok();
                if let Some(count) = place.and_then(|place| row.get_mut(place)) {
                    *count = if self.once { 1.0 } else { *count + 1.0 };
                }
            }
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
fn words_and_pairs_of_words() {
    let ngrams = Some(vec![1, 2]);
    let split = Some(Split::Whitespace);
    let splitter = Splitter { lower: true, strip_punctuation: true, split, ngrams };
    let tokens = splitter.tokens(&["Hello,  my World!".to_owned()]);
    assert_eq!(tokens, ["hello", "my", "world", "hello my", "my world"]);
}
