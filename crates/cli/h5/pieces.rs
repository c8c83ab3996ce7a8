//! Parts of datasets: what a user asks for, and pieces small enough to hold.

use hdf5_lite::Axis;

/// Boxes that cover an array in row-major order, of no more than `most` elements each.
///
/// Each is given by its first coordinates and its extent.
pub(crate) struct Pieces {
    shape: Vec<u64>,
    piece: Vec<u64>,
    at: Option<Vec<u64>>,
}

impl Pieces {
    /// Along the axis that is cut, pieces are of whole chunks where that is possible.
    pub(crate) fn new(shape: &[u64], chunk: Option<&[u64]>, most: u64) -> Self {
        let mut piece = vec![1; shape.len()];
        let mut room = most.max(1);
        for (n, (part, len)) in piece.iter_mut().zip(shape).enumerate().rev() {
            *part = room.min(*len).max(1);
            let chunk = chunk.and_then(|chunk| chunk.get(n)).copied().unwrap_or(1);
            if *part < *len && *part > chunk && chunk > 0 {
                *part -= *part % chunk;
            }
            room /= *part;
            if *part < *len || room == 0 {
                break;
            }
        }
        let at = (!shape.contains(&0)).then(|| vec![0; shape.len()]);
        Self { shape: shape.to_vec(), piece, at }
    }
}

impl Iterator for Pieces {
    type Item = (Vec<u64>, Vec<u64>);

    fn next(&mut self) -> Option<Self::Item> {
        let at = self.at.take()?;
        let extents = at.iter().zip(&self.piece).zip(&self.shape);
        let extent = extents.map(|((at, piece), len)| (*piece).min(len - at)).collect();
        let mut next = at.clone();
        let mut axes = next.iter_mut().zip(&self.piece).zip(&self.shape).rev();
        let more = axes.any(|((at, piece), len)| {
            *at = at.saturating_add(*piece);
            let fits = *at < *len;
            if !fits {
                *at = 0;
            }
            fits
        });
        self.at = more.then_some(next);
        Some((at, extent))
    }
}

/// The selection of a box.
pub(crate) fn of_box(start: &[u64], extent: &[u64]) -> Vec<Axis> {
    start.iter().zip(extent).map(|(start, len)| Axis::from(*start..start + len)).collect()
}

/// Parses a slice as NumPy has them, `0:10,::2,-1,...`: the first index, the step and the number
/// of indices along each axis of `shape`.
pub(crate) fn parse(slice: &str, shape: &[u64]) -> Result<Vec<(u64, u64, u64)>, String> {
    let slice = slice.trim().trim_start_matches('[').trim_end_matches(']');
    let parts: Vec<&str> = slice.split(',').map(str::trim).collect();
    let given = parts.iter().filter(|part| **part != "...").count();
    if given > shape.len() {
        return Err(format!("{given} indices for {} axes", shape.len()));
    }
    let dots = parts.iter().position(|part| *part == "...").unwrap_or(parts.len());
    let whole = shape.len() - given;
    let all = std::iter::repeat_n(":", whole);
    let (before, after) = parts.split_at(dots);
    let parts = before.iter().copied().chain(all).chain(after.iter().skip(1).copied());
    parts.zip(shape).map(|(part, len)| axis(part, *len)).collect()
}

fn axis(part: &str, len: u64) -> Result<(u64, u64, u64), String> {
    let wrong = || format!("{part:?} is not an index or start:stop:step");
    // Negative numbers count from the end.
    let index = |text: &str, default: u64| -> Result<u64, String> {
        match text.strip_prefix('-') {
            _ if text.is_empty() => Ok(default),
            Some(back) => Ok(len.saturating_sub(back.parse().map_err(|_| wrong())?)),
            None => text.parse().map_err(|_| wrong()),
        }
    };
    let fields: Vec<&str> = part.split(':').map(str::trim).collect();
    match fields.as_slice() {
        [""] => Err(wrong()),
        [one] => match index(one, 0)? {
            at if at < len => Ok((at, 1, 1)),
            at => Err(format!("index {at} of an axis of {len}")),
        },
        [from, to] | [from, to, ""] => {
            let (from, to) = (index(from, 0)?.min(len), index(to, len)?.min(len));
            Ok((from, 1, to.saturating_sub(from)))
        }
        [from, to, stride] => {
            let stride: u64 = stride.parse().ok().filter(|n| *n > 0).ok_or_else(wrong)?;
            let (from, to) = (index(from, 0)?.min(len), index(to, len)?.min(len));
            Ok((from, stride, to.saturating_sub(from).div_ceil(stride)))
        }
        _ => Err(wrong()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_cover_the_array_in_order() {
        for (shape, chunk, most) in [
            (&[3, 5, 7][..], None, 10),
            (&[3, 5, 7], Some(&[2, 2, 3][..]), 20),
            (&[3, 5, 7], None, 1000),
            (&[4], None, 1),
            (&[], None, 5),
            (&[3, 0], None, 5),
        ] {
            let mut count = 0;
            for (start, extent) in Pieces::new(shape, chunk, most) {
                let elements: u64 = extent.iter().product();
                assert!(elements <= most);
                let fits = start.iter().zip(&extent).zip(shape);
                assert!(fits.into_iter().all(|((start, len), all)| start + len <= *all));
                count += elements;
            }
            assert_eq!(count, shape.iter().product::<u64>());
        }
    }

    #[test]
    fn slices_are_those_of_numpy() {
        assert_eq!(parse("0:10,::2", &[20, 5]), Ok(vec![(0, 1, 10), (0, 2, 3)]));
        assert_eq!(parse("-3:,1", &[20, 5]), Ok(vec![(17, 1, 3), (1, 1, 1)]));
        assert_eq!(parse("...,4", &[2, 3, 5]), Ok(vec![(0, 1, 2), (0, 1, 3), (4, 1, 1)]));
        assert_eq!(parse("[2:99]", &[5, 6]), Ok(vec![(2, 1, 3), (0, 1, 6)]));
        for wrong in ["1,2,3", "5", "a", "::0", "1:2:3:4", ""] {
            assert!(parse(wrong, &[5, 6]).is_err(), "{wrong:?}");
        }
    }
}
