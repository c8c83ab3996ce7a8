//! Random numbers by place: the number at a place depends on seed, stream and place alone, so that
//! any thread may make any of them. Philox4x32-10 of Salmon et al., "Parallel random numbers: as
//! easy as 1, 2, 3" (2011).

/// Four random words for a counter under a key.
fn philox(mut counter: [u32; 4], mut key: [u32; 2]) -> [u32; 4] {
    const FACTORS: [u64; 2] = [0xd251_1f53, 0xcd9e_8d57];
    const STEPS: [u32; 2] = [0x9e37_79b9, 0xbb67_ae85];
    for _ in 0..10 {
        let [a, b, c, d] = counter;
        let [p, q] = [FACTORS[0] * u64::from(a), FACTORS[1] * u64::from(c)];
        let high = |n: u64| (n >> 32) as u32;
        counter = [high(q) ^ b ^ key[0], q as u32, high(p) ^ d ^ key[1], p as u32];
        key = [key[0].wrapping_add(STEPS[0]), key[1].wrapping_add(STEPS[1])];
    }
    counter
}

/// The random words of one operation in one run.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Stream {
    pub(crate) seed: u64,
    pub(crate) number: u64,
}

impl Stream {
    /// Words `4 · block ..`.
    fn block(self, block: u64) -> [u32; 4] {
        let words = |n: u64| [n as u32, (n >> 32) as u32];
        let ([a, b], [c, d]) = (words(block), words(self.number));
        philox([a, b, c, d], words(self.seed))
    }

    /// Evenly spread numbers from 0, below 1.
    pub(crate) fn uniform(self, out: &mut [f32]) {
        for (block, out) in (0..).zip(out.chunks_mut(4)) {
            out.iter_mut().zip(self.block(block)).for_each(|(y, word)| *y = unit(word));
        }
    }

    /// Numbers with a normal distribution of mean 0 and deviation 1, by Box and Muller.
    pub(crate) fn normal(self, out: &mut [f32]) {
        for (block, out) in (0..).zip(out.chunks_mut(4)) {
            let [a, b, c, d] = self.block(block);
            let [first, second] = [pair(a, b), pair(c, d)];
            out.iter_mut().zip([first, second].concat()).for_each(|(y, value)| *y = value);
        }
    }
}

/// The upper 24 bits as a share of 1: all that an `f32` below 1 can tell apart everywhere.
fn unit(word: u32) -> f32 {
    (word >> 8) as f32 / (1 << 24) as f32
}

fn pair(a: u32, b: u32) -> [f32; 2] {
    // From 1 down to above 0, whose logarithm is finite.
    let radius = (-2.0 * f64::from(1.0 - unit(a)).ln()).sqrt();
    let (sin, cos) = (std::f64::consts::TAU * f64::from(unit(b))).sin_cos();
    [(radius * cos) as f32, (radius * sin) as f32]
}

#[test]
fn words_are_those_of_the_paper() {
    assert_eq!(philox([0; 4], [0; 2]), [0x6627_e8d5, 0xe169_c58d, 0xbc57_ac4c, 0x9b00_dbd8]);
    let ones = philox([u32::MAX; 4], [u32::MAX; 2]);
    assert_eq!(ones, [0x408f_276d, 0x41c8_3b0e, 0xa20b_c7c6, 0x6d54_51fd]);
}

#[test]
fn numbers_have_their_distributions() {
    let stream = Stream { seed: 7, number: 3 };
    let mut values = vec![0.0; 100_000];
    let moments = |values: &[f32]| {
        let n = values.len() as f64;
        let mean = values.iter().map(|v| f64::from(*v)).sum::<f64>() / n;
        (mean, values.iter().map(|v| (f64::from(*v) - mean).powi(2)).sum::<f64>() / n)
    };
    // Five deviations of the mean of as many numbers.
    stream.uniform(&mut values);
    let (mean, variance) = moments(&values);
    assert!(
        (mean - 0.5).abs() < 0.005 && (variance - 1.0 / 12.0).abs() < 0.002,
        "{mean} {variance}"
    );
    assert!(values.iter().all(|v| (0.0..1.0).contains(v)));
    stream.normal(&mut values);
    let (mean, variance) = moments(&values);
    assert!(mean.abs() < 0.016 && (variance - 1.0).abs() < 0.025, "{mean} {variance}");
    let within = values.iter().filter(|v| v.abs() < 1.0).count();
    assert!((within as f64 / 100_000.0 - 0.6827).abs() < 0.008, "{within}");
}
