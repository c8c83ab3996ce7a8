//! Threads that help the one that predicts: rayon's, which look for more work for a moment after
//! they had some. Work is then handed over in the time of a few memory accesses, and nobody waits
//! for a thread that does not come.

use std::any::Any;
use std::cell::{Cell, UnsafeCell};
use std::hint::spin_loop;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// How long a helper looks for more work: longer than what lies between two operations that are
/// worth sharing, or between two predictions in a loop.
const PATIENCE: Duration = Duration::from_micros(100);

/// Looks without a pause, before time is asked for or others may run.
const LOOKS: usize = 64;

thread_local! {
    /// The helpers of this thread.
    static CREW: Arc<Crew> = Arc::default();
    /// Whether this thread is at work that is shared already.
    static WORKING: Cell<bool> = const { Cell::new(false) };
}

type Function<'a> = dyn Fn(usize) + Sync + 'a;

/// A thread that has work and those that help it.
#[derive(Default)]
struct Crew {
    /// [`OPEN`] while helpers may join in, and [`MEMBER`] for each that does.
    state: AtomicUsize,
    /// What nobody has taken yet: the first number in the upper half, the end in the lower one.
    left: AtomicU64,
    /// How many helpers are of use: as many as come first.
    seats: AtomicUsize,
    /// What is called with each number. It lives as long as the work is open or has members.
    function: UnsafeCell<Option<&'static Function<'static>>>,
    /// Threads that look for work here, or were asked to.
    helpers: AtomicUsize,
    /// What went wrong in a helper.
    panic: Mutex<Option<Box<dyn Any + Send>>>,
}

const OPEN: usize = 1;
const MEMBER: usize = 2;

// SAFETY: `function` is written by the thread whose crew it is while the work is neither open nor
// has members, and read by members that found it open.
unsafe impl Sync for Crew {}

/// Whether this thread is at work that is shared already: all of it is then its own.
pub(super) fn is_working() -> bool {
    WORKING.get()
}

/// Whether somebody looks for work of this thread.
pub(super) fn has_helpers() -> bool {
    CREW.with(|crew| crew.helpers.load(Ordering::Relaxed) > 0)
}

/// Asks for so many helpers.
pub(super) fn call(wanted: usize) {
    CREW.with(|crew| {
        while crew.helpers.load(Ordering::Relaxed) < wanted {
            let seat = crew.helpers.fetch_add(1, Ordering::Relaxed);
            let crew = Arc::clone(crew);
            rayon::spawn(move || crew.help(seat));
        }
    });
}

/// Calls `f(i)` for each `i` below `count`: this thread from the first one on, helpers from the
/// last, so that each finds near what it made before. So many helpers are of use.
pub(super) fn share(count: u32, helpers: usize, f: &Function<'_>) {
    CREW.with(|crew| crew.lead(count, helpers, f));
}

impl Crew {
    fn lead(&self, count: u32, helpers: usize, f: &Function<'_>) {
        // SAFETY: only the lifetime differs, and `f` is let go before this returns. The work is
        // closed and without members: the last call waited for that.
        unsafe {
            let f = std::mem::transmute::<&Function<'_>, &'static Function<'static>>(f);
            *self.function.get() = Some(f);
        }
        self.seats.store(helpers, Ordering::Relaxed);
        self.left.store(u64::from(count), Ordering::Relaxed);
        // If the last call ended in a panic of its own, one of a helper may have been left.
        *self.panic.lock().unwrap_or_else(PoisonError::into_inner) = None;
        let open = Open::new(self);
        while let Some(i) = self.take(true) {
            f(i);
        }
        drop(open);
        let panic = self.panic.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(panic) = panic {
            resume_unwind(panic);
        }
    }

    /// The first or the last number of those that are left.
    fn take(&self, first: bool) -> Option<usize> {
        let taken = |left: u64| {
            let (at, end) = split(left);
            let rest = if first { left + (1 << 32) } else { left.wrapping_sub(1) };
            (at < end).then_some(rest)
        };
        let left = self.left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, taken).ok()?;
        let (at, end) = split(left);
        Some(if first { at } else { end - 1 })
    }

    /// Looks for work until there has been none for a while.
    fn help(&self, seat: usize) {
        let mut last = Instant::now();
        while last.elapsed() < PATIENCE {
            for _ in 0..LOOKS {
                let (at, end) = split(self.left.load(Ordering::Relaxed));
                if at < end && seat < self.seats.load(Ordering::Relaxed) && self.join() {
                    last = Instant::now();
                }
                spin_loop();
            }
        }
        self.helpers.fetch_sub(1, Ordering::Relaxed);
    }

    /// Does what is left; whether it was open.
    fn join(&self) -> bool {
        let open = self.state.fetch_add(MEMBER, Ordering::Acquire) & OPEN != 0;
        // SAFETY: it is not written while the work is open or has members, and lives as long.
        if open && let Some(f) = unsafe { *self.function.get() } {
            WORKING.set(true);
            let done = catch_unwind(AssertUnwindSafe(|| {
                while let Some(i) = self.take(false) {
                    f(i);
                }
            }));
            WORKING.set(false);
            if let Err(panic) = done {
                *self.panic.lock().unwrap_or_else(PoisonError::into_inner) = Some(panic);
            }
        }
        self.state.fetch_sub(MEMBER, Ordering::Release);
        open
    }
}

/// The two halves.
fn split(left: u64) -> (usize, usize) {
    ((left >> 32) as usize, left as u32 as usize)
}

/// Work that helpers may join in; closed, and all of it done, when this is dropped.
struct Open<'a>(&'a Crew);

impl<'a> Open<'a> {
    fn new(crew: &'a Crew) -> Self {
        WORKING.set(true);
        crew.state.fetch_or(OPEN, Ordering::Release);
        Self(crew)
    }
}

impl Drop for Open<'_> {
    fn drop(&mut self) {
        self.0.state.fetch_and(!OPEN, Ordering::Relaxed);
        let mut looks = 0_usize;
        while self.0.state.load(Ordering::Acquire) != 0 {
            looks += 1;
            if looks.is_multiple_of(LOOKS) {
                std::thread::yield_now();
            }
            spin_loop();
        }
        WORKING.set(false);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn count_all(numbers: usize) -> Vec<usize> {
        let calls: Vec<AtomicUsize> = (0..numbers).map(|_| AtomicUsize::new(0)).collect();
        call(3);
        share(numbers as u32, 3, &|i| {
            assert!(is_working());
            calls[i].fetch_add(1, Ordering::Relaxed);
        });
        assert!(!is_working());
        calls.into_iter().map(AtomicUsize::into_inner).collect()
    }

    #[test]
    fn each_number_is_taken_once() {
        std::thread::scope(|scope| {
            for _ in 0..3 {
                scope.spawn(|| {
                    for round in 0..2000 {
                        let numbers = round % 40;
                        assert_eq!(count_all(numbers), vec![1; numbers]);
                    }
                });
            }
        });
    }

    #[test]
    fn a_panic_comes_back() {
        for bad in [0, 17, 99] {
            let done = catch_unwind(|| {
                call(3);
                share(100, 3, &|i| assert!(i != bad));
            });
            assert!(done.is_err());
            assert!(!is_working());
            assert_eq!(count_all(100), vec![1; 100]);
        }
    }
}
