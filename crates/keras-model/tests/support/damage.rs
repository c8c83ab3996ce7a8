//! Random damage to configs, for the tests of both crates that read and that run them.

use serde_json::{Value, json};

/// A small generator of its own: the same inputs on every machine.
pub(crate) struct Random(u64);

impl Random {
    /// `HOSTILE_SEED` asks for other inputs than the usual ones.
    #[allow(clippy::unwrap_used, reason = "a seed that is no number must not go unseen")]
    pub(crate) fn new(seed: u64) -> Self {
        Self(std::env::var("HOSTILE_SEED").map_or(seed, |n| n.parse().unwrap()))
    }

    pub(crate) fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % limit.max(1) as u64).unwrap_or(0)
    }
}

/// A value that hardly fits: of another type, or far too large.
pub(crate) fn hostile(random: &mut Random) -> Value {
    let deep = || (0..100).fold(json!(1), |inner, _| json!([inner]));
    match random.below(22) {
        0 => Value::Null,
        1 => json!(-1),
        2 => json!(-3),
        3 => json!(0),
        4 => json!(1),
        5 => json!(7),
        6 => json!(3_000_000_000_u64),
        7 => json!(1_000_000_000_000_000_000_u64),
        8 => json!(u64::MAX),
        9 => json!(i64::MIN),
        10 => json!(1e308),
        11 => json!("NaN"),
        12 => json!("dense"),
        13 => json!("valid"),
        14 => json!(true),
        15 => json!([]),
        16 => json!([1, 2]),
        17 => json!([null, 1_000_000_000, 1_000_000_000, 1_000_000_000]),
        18 => json!({}),
        19 => json!({"class_name": "Sequential", "config": {"layers": []}}),
        20 => json!({"class_name": "__keras_tensor__", "config": {"keras_history": ["x", 9, 9]}}),
        _ => deep(),
    }
}
