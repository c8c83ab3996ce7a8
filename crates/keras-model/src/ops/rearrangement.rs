//! The pattern of `keras.ops.rearrange`. Source: `keras/src/ops/einops.py`, Keras 3.15.

/// `"b (h 2h) c -> b c (h 2h)"`: axes by name, several in one where parentheses hold them.
///
/// ```
/// let pattern = keras_model::ops::Rearrangement::parse("b (h s) -> s (b h)").unwrap();
/// let split = pattern.split(&[Some(2), Some(6)], &|name| (name == "s").then_some(3)).unwrap();
/// assert_eq!(split, [Some(2), Some(2), Some(3)]);
/// assert_eq!(pattern.order(), [2, 0, 1]);
/// assert_eq!(pattern.join(&split), [Some(3), Some(4)]);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rearrangement {
    /// The axes of the input, by the axis that holds them.
    from: Vec<Vec<String>>,
    /// Those of the output.
    to: Vec<Vec<String>>,
}

impl Rearrangement {
    /// Reads a pattern; `None` if it is none, or the two sides have not the same axes.
    pub fn parse(pattern: &str) -> Option<Self> {
        let (from, to) = pattern.split_once("->")?;
        let pattern = Self { from: groups(from)?, to: groups(to)? };
        let names = |groups: &[Vec<String>]| {
            let mut names: Vec<String> = groups.iter().flatten().cloned().collect();
            names.sort();
            let count = names.len();
            names.dedup();
            (names.len() == count).then_some(names)
        };
        (names(&pattern.from)? == names(&pattern.to)?).then_some(pattern)
    }

    /// The lengths of the input's axes with each group taken apart; `None` if the lengths that are
    /// given do not fit.
    pub fn split(
        &self,
        shape: &[Option<usize>],
        given: &dyn Fn(&str) -> Option<usize>,
    ) -> Option<Vec<Option<usize>>> {
        if shape.len() != self.from.len() {
            return None;
        }
        let mut split = Vec::new();
        for (names, length) in self.from.iter().zip(shape) {
            if let [_] = names.as_slice() {
                split.push(*length);
                continue;
            }
            let known = names.iter().filter_map(|name| given(name));
            let known = known.into_iter().try_fold(1_usize, usize::checked_mul)?;
            let rest = length.map(|length| length.checked_div(known));
            let mut left = 1_usize;
            for name in names {
                let own = match given(name) {
                    Some(own) => Some(own),
                    // Of several that are not given the first takes all.
                    None if left == 1 => {
                        left = 0;
                        match rest {
                            Some(rest) => Some(rest?),
                            None => None,
                        }
                    }
                    None => return None,
                };
                split.push(own);
            }
            let product = |n: usize, d: &Option<usize>| n.checked_mul((*d)?);
            let parts = split.get(split.len().checked_sub(names.len())?..)?;
            if let Some(length) = length
                && parts.iter().try_fold(1_usize, product) != Some(*length)
            {
                return None;
            }
        }
        Some(split)
    }

    /// Where each axis of the output, taken apart, is in the input.
    pub fn order(&self) -> Vec<usize> {
        let from: Vec<&String> = self.from.iter().flatten().collect();
        let place = |name: &String| from.iter().position(|own| *own == name).unwrap_or(0);
        self.to.iter().flatten().map(place).collect()
    }

    /// The lengths of the output's axes, from those of the input taken apart.
    pub fn join(&self, split: &[Option<usize>]) -> Vec<Option<usize>> {
        let mut order = self.order().into_iter();
        let lengths = self.to.iter().map(|names| {
            let own = order.by_ref().take(names.len());
            let mut own = own.map(|at| split.get(at).copied().flatten());
            own.try_fold(1_usize, |n, d| n.checked_mul(d?))
        });
        lengths.collect()
    }
}

fn groups(side: &str) -> Option<Vec<Vec<String>>> {
    let spaced = side.replace('(', " ( ").replace(')', " ) ");
    let (mut groups, mut open) = (Vec::new(), None::<Vec<String>>);
    for word in spaced.split_whitespace() {
        match (word, &mut open) {
            ("(", None) => open = Some(Vec::new()),
            (")", Some(_)) => groups.push(open.take()?),
            ("(" | ")", _) => return None,
            (name, Some(group)) => group.push(name.to_owned()),
            (name, None) => groups.push(vec![name.to_owned()]),
        }
    }
    open.is_none().then_some(groups)
}
