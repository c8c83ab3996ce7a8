//! Work spread over cores, where it is enough to pay.

/// Multiplications below which the caller's thread does all: handing work over costs some
/// microseconds.
const PAYS: usize = 1 << 19;

/// Calls `f(number, chunk)` for each chunk of `len` elements of `data`; `work` is the number of
/// multiplications of all together.
pub(crate) fn chunks<T: Send>(
    data: &mut [T],
    len: usize,
    work: usize,
    f: impl Fn(usize, &mut [T]) + Sync + Send,
) {
    let len = len.max(1);
    #[cfg(feature = "parallel")]
    if work >= PAYS && data.len() > len && rayon::current_num_threads() > 1 {
        use rayon::prelude::*;
        data.par_chunks_mut(len).enumerate().for_each(|(i, chunk)| f(i, chunk));
        return;
    }
    let _ = work >= PAYS;
    data.chunks_mut(len).enumerate().for_each(|(i, chunk)| f(i, chunk));
}
