//! Work spread over cores, where it is enough to pay.

use std::marker::PhantomData;

#[cfg(feature = "parallel")]
use super::crew;

/// Multiplications that are worth a thread that waits for them.
#[cfg(feature = "parallel")]
const PAYS: usize = 1 << 16;

/// Multiplications that are worth waking a thread up, which takes some microseconds.
#[cfg(feature = "parallel")]
const WAKES: usize = 1 << 19;

/// Threads that share work of so many multiplications.
pub(crate) fn threads(work: usize) -> usize {
    #[cfg(feature = "parallel")]
    if work >= PAYS && !crew::is_working() && (work >= WAKES || crew::has_helpers()) {
        return rayon::current_num_threads().min(work / PAYS + 1);
    }
    let _ = work;
    1
}

/// Wakes up those that will share work of so many multiplications, if it pays.
pub(crate) fn announce(work: usize) {
    #[cfg(feature = "parallel")]
    if work >= WAKES && !crew::is_working() {
        crew::call((rayon::current_num_threads() - 1).min(work / WAKES));
    }
    let _ = work;
}

/// Calls `f(i)` for each `i` below `count`; `work` is the number of multiplications of all together.
pub(crate) fn each(count: usize, work: usize, f: impl Fn(usize) + Sync) {
    #[cfg(feature = "parallel")]
    if count > 1
        && let threads = threads(work)
        && threads > 1
        && let Ok(count) = u32::try_from(count)
    {
        announce(work);
        crew::share(count, threads - 1, &f);
        return;
    }
    let _ = work;
    (0..count).for_each(f);
}

/// A slice to which several threads write, each to a part of its own.
pub(super) struct Whole<'a, T> {
    start: *mut T,
    lifetime: PhantomData<&'a mut [T]>,
}

// SAFETY: it stands for a `&mut [T]`, which may go to other threads; that no two of them touch the
// same part is the promise at each use.
unsafe impl<T: Send> Sync for Whole<'_, T> {}

impl<'a, T> Whole<'a, T> {
    pub(super) fn new(data: &'a mut [T]) -> Self {
        Self { start: data.as_mut_ptr(), lifetime: PhantomData }
    }

    pub(super) fn start(&self) -> *mut T {
        self.start
    }

    /// # Safety
    /// The part must be inside of the slice, and nobody else may use it meanwhile.
    #[allow(clippy::mut_from_ref, reason = "the caller promises that it is the only one")]
    pub(super) unsafe fn part(&self, start: usize, len: usize) -> &mut [T] {
        // SAFETY: as the caller's.
        unsafe { std::slice::from_raw_parts_mut(self.start.add(start), len) }
    }
}

/// Calls `f(number, chunk)` for each chunk of `len` elements of `data`; `work` is the number of
/// multiplications of all together.
pub(crate) fn chunks<T: Send>(
    data: &mut [T],
    len: usize,
    work: usize,
    f: impl Fn(usize, &mut [T]) + Sync,
) {
    let (len, all) = (len.max(1), data.len());
    let whole = Whole::new(data);
    each(all.div_ceil(len), work, |i| {
        // SAFETY: chunks are inside and do not overlap; `data` is not used meanwhile.
        f(i, unsafe { whole.part(i * len, len.min(all - i * len)) });
    });
}

/// Calls `f` with each of the parts; `work` is the number of multiplications of all together.
pub(crate) fn all<P: Send>(parts: Vec<P>, work: usize, f: impl Fn(P) + Sync) {
    let mut parts: Vec<Option<P>> = parts.into_iter().map(Some).collect();
    chunks(&mut parts, 1, work, |_, part| {
        part.iter_mut().filter_map(Option::take).for_each(&f);
    });
}
