//! Work spread over cores, where it is enough to pay.

/// Multiplications below which the caller's thread does all: handing work over costs some
/// microseconds.
const PAYS: usize = 1 << 20;

/// Threads that share work of so many multiplications.
pub(crate) fn threads(work: usize) -> usize {
    #[cfg(feature = "parallel")]
    if work >= PAYS {
        return rayon::current_num_threads();
    }
    let _ = work >= PAYS;
    1
}

/// Calls `f(i)` for each `i` below `count`; `work` is the number of multiplications of all together.
pub(crate) fn each(count: usize, work: usize, f: impl Fn(usize) + Sync + Send) {
    #[cfg(feature = "parallel")]
    if count > 1 && threads(work) > 1 {
        use rayon::prelude::*;
        (0..count).into_par_iter().for_each(f);
        return;
    }
    let _ = work;
    (0..count).for_each(f);
}

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
    if data.len() > len && threads(work) > 1 {
        use rayon::prelude::*;
        data.par_chunks_mut(len).enumerate().for_each(|(i, chunk)| f(i, chunk));
        return;
    }
    let _ = work;
    data.chunks_mut(len).enumerate().for_each(|(i, chunk)| f(i, chunk));
}

/// Calls `f` with each of the parts; `work` is the number of multiplications of all together.
pub(crate) fn all<P: Send>(parts: Vec<P>, work: usize, f: impl Fn(P) + Sync + Send) {
    #[cfg(feature = "parallel")]
    if parts.len() > 1 && threads(work) > 1 {
        use rayon::prelude::*;
        parts.into_par_iter().for_each(f);
        return;
    }
    let _ = work;
    parts.into_iter().for_each(f);
}

/// Runs `f` on a thread that shares its work without being woken up for each piece of it.
pub(crate) fn enter<R: Send>(work: usize, f: impl FnOnce() -> R + Send) -> R {
    #[cfg(feature = "parallel")]
    if threads(work) > 1 && rayon::current_thread_index().is_none() {
        return rayon::scope(|_| f());
    }
    let _ = work;
    f()
}
