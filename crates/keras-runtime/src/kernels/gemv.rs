//! `y = x · B` for one row and a matrix that is read once and therefore not packed.

use super::parallel;
use super::simd::{Isa, Kernel, Simd, dispatch_on};

/// `y = x · B` for one row `x: [k]` and `B: [k, n]` as it lies in the file.
pub(crate) fn gemv(x: &[f32], b: &[f32], y: &mut [f32]) {
    gemv_on(Isa::detect(), x, b, y);
}

fn gemv_on(isa: Isa, x: &[f32], b: &[f32], y: &mut [f32]) {
    let n = y.len();
    // Columns that stay in the first-level cache while the rows of `B` go by.
    let part = 1024;
    parallel::chunks(y, part, x.len() * n, |chunk, y| {
        let from = chunk * part;
        assert!(b.len() >= x.len() * n && from + y.len() <= n);
        y.fill(0.0);
        dispatch_on(isa, AddRows { x, b, n, from, y });
    });
}

/// `y += Σ x[i] · B[i, from..]`; `b` has a row of `n` for each `x`, and `from + y.len() ≤ n`.
struct AddRows<'a> {
    x: &'a [f32],
    b: &'a [f32],
    n: usize,
    from: usize,
    y: &'a mut [f32],
}

impl Kernel for AddRows<'_> {
    type Output = ();

    #[inline(always)]
    unsafe fn run<S: Simd>(self) {
        const ROWS: usize = 8;
        let Self { x, b, n, from, y } = self;
        // SAFETY: row `i` of `b` starts at `i · n` and is read from `from` to `from + y.len()`, all
        // inside, as the fields promise.
        unsafe {
            let len = y.len();
            let mut i = 0;
            while i + ROWS <= x.len() {
                let mut rows = [std::ptr::null::<f32>(); ROWS];
                let mut factors = [S::splat(0.0); ROWS];
                for r in 0..ROWS {
                    rows[r] = b.as_ptr().add((i + r) * n + from);
                    factors[r] = S::splat(x[i + r]);
                }
                let mut j = 0;
                while j + S::LANES <= len {
                    let mut sum = S::load(y.as_ptr().add(j));
                    for r in 0..ROWS {
                        sum = S::fma(factors[r], S::load(rows[r].add(j)), sum);
                    }
                    S::store(y.as_mut_ptr().add(j), sum);
                    j += S::LANES;
                }
                while j < len {
                    for r in 0..ROWS {
                        y[j] += x[i + r] * *rows[r].add(j);
                    }
                    j += 1;
                }
                i += ROWS;
            }
            while i < x.len() {
                for (j, y) in y.iter_mut().enumerate() {
                    *y += x[i] * b[i * n + from + j];
                }
                i += 1;
            }
        }
    }
}

#[test]
fn one_row_gives_the_plain_sums() {
    let x: Vec<f32> = (0..19).map(|i| i as f32 - 9.0).collect();
    for isa in Isa::all() {
        for n in [1, 15, 16, 40, 1500] {
            let b: Vec<f32> = (0..19 * n).map(|i| (i % 11) as f32).collect();
            let mut y = vec![3.0; n];
            gemv_on(isa, &x, &b, &mut y);
            for j in 0..n {
                let sum: f32 = (0..19).map(|i| x[i] * b[i * n + j]).sum();
                assert_eq!(y[j], sum);
            }
        }
    }
}
