//! Hashes of texts: `FarmHash64` and `SipHash` as TensorFlow uses them.

const K0: u64 = 0xc3a5_c85c_97cb_3127;
const K1: u64 = 0xb492_b66f_be98_f273;
const K2: u64 = 0x9ae1_6a3b_2f90_404f;

/// Eight bytes from `at` on; zeros behind the end, where nothing reads.
fn word(s: &[u8], at: usize) -> u64 {
    let bytes = s.get(at..).and_then(<[u8]>::first_chunk);
    bytes.map_or(0, |b| u64::from_le_bytes(*b))
}

fn half_word(s: &[u8], at: usize) -> u64 {
    let bytes = s.get(at..).and_then(<[u8]>::first_chunk);
    bytes.map_or(0, |b| u64::from(u32::from_le_bytes(*b)))
}

const fn mix(x: u64) -> u64 {
    x ^ (x >> 47)
}

const fn combine(u: u64, v: u64, by: u64) -> u64 {
    let a = mix((u ^ v).wrapping_mul(by));
    mix((v ^ a).wrapping_mul(by)).wrapping_mul(by)
}

const fn sum(a: u64, b: u64, c: u64) -> u64 {
    a.wrapping_add(b).wrapping_add(c)
}

fn short(s: &[u8]) -> u64 {
    let n = s.len() as u64;
    let by = K2.wrapping_add(n.wrapping_mul(2));
    match s {
        [] => K2,
        [a, ..] if s.len() < 4 => {
            let c = s.last().copied().unwrap_or(0);
            let b = s.get(s.len() >> 1).copied().unwrap_or(0);
            let y = u64::from(*a).wrapping_add(u64::from(b) << 8);
            let z = n.wrapping_add(u64::from(c) << 2);
            mix(y.wrapping_mul(K2) ^ z.wrapping_mul(K0)).wrapping_mul(K2)
        }
        _ if s.len() < 8 => {
            let first = n.wrapping_add(half_word(s, 0) << 3);
            combine(first, half_word(s, s.len() - 4), by)
        }
        _ => {
            let a = word(s, 0).wrapping_add(K2);
            let b = word(s, s.len() - 8);
            let c = b.rotate_right(37).wrapping_mul(by).wrapping_add(a);
            let d = a.rotate_right(25).wrapping_add(b).wrapping_mul(by);
            combine(c, d, by)
        }
    }
}

fn middle(s: &[u8]) -> u64 {
    let n = s.len();
    let by = K2.wrapping_add((n as u64).wrapping_mul(2));
    let long = n > 32;
    let a = word(s, 0).wrapping_mul(if long { K2 } else { K1 });
    let b = word(s, 8);
    let c = word(s, n - 8).wrapping_mul(by);
    let d = word(s, n - 16).wrapping_mul(K2);
    let y = sum(a.wrapping_add(b).rotate_right(43), c.rotate_right(30), d);
    let z = combine(y, sum(a, b.wrapping_add(K2).rotate_right(18), c), by);
    if !long {
        return z;
    }
    let e = word(s, 16).wrapping_mul(by);
    let f = word(s, 24);
    let g = y.wrapping_add(word(s, n - 32)).wrapping_mul(by);
    let h = z.wrapping_add(word(s, n - 24)).wrapping_mul(by);
    combine(
        sum(e.wrapping_add(f).rotate_right(43), g.rotate_right(30), h),
        sum(e, f.wrapping_add(a).rotate_right(18), g),
        by,
    )
}

/// The weak hash of 32 bytes with two seeds.
fn weak(s: &[u8], at: usize, a: u64, b: u64) -> (u64, u64) {
    let [w, x, y, z] = [0, 8, 16, 24].map(|i| word(s, at + i));
    let a = a.wrapping_add(w);
    let b = sum(b, a, z).rotate_right(21);
    let c = a;
    let a = sum(a, x, y);
    (a.wrapping_add(z), sum(b, a.rotate_right(44), c))
}

/// What the loop over a long text carries.
struct State {
    x: u64,
    y: u64,
    z: u64,
    v: (u64, u64),
    w: (u64, u64),
}

impl State {
    fn round(&mut self, s: &[u8], at: usize, by: u64, last: bool) {
        let Self { x, y, z, v, w } = self;
        let nine = if last { 9 } else { 1 };
        *x = sum(x.wrapping_add(*y), v.0, word(s, at + 8)).rotate_right(37).wrapping_mul(by);
        *y = sum(*y, v.1, word(s, at + 48)).rotate_right(42).wrapping_mul(by);
        *x ^= w.1.wrapping_mul(nine);
        *y = sum(*y, v.0.wrapping_mul(nine), word(s, at + 40));
        *z = z.wrapping_add(w.0).rotate_right(33).wrapping_mul(by);
        *v = weak(s, at, v.1.wrapping_mul(by), x.wrapping_add(w.0));
        *w = weak(s, at + 32, z.wrapping_add(w.1), y.wrapping_add(word(s, at + 16)));
        std::mem::swap(z, x);
    }
}

/// `Fingerprint64` of `FarmHash`.
pub(crate) fn farm(s: &[u8]) -> u64 {
    if s.len() <= 16 {
        return short(s);
    }
    if s.len() <= 64 {
        return middle(s);
    }
    let seed = 81_u64;
    let y = seed.wrapping_mul(K1).wrapping_add(113);
    let mut state = State {
        x: seed.wrapping_mul(K2).wrapping_add(word(s, 0)),
        y,
        z: mix(y.wrapping_mul(K2).wrapping_add(113)).wrapping_mul(K2),
        v: (0, 0),
        w: (0, 0),
    };
    let rest = (s.len() - 1) & 63;
    let end = (s.len() - 1) & !63;
    for at in (0..end).step_by(64) {
        state.round(s, at, K1, false);
    }
    let by = K1.wrapping_add((state.z & 0xff) << 1);
    state.w.0 = state.w.0.wrapping_add(rest as u64);
    state.v.0 = state.v.0.wrapping_add(state.w.0);
    state.w.0 = state.w.0.wrapping_add(state.v.0);
    state.round(s, s.len() - 64, by, true);
    let State { x, y, z, v, w } = state;
    combine(
        sum(combine(v.0, w.0, by), mix(y).wrapping_mul(K0), z),
        combine(v.1, w.1, by).wrapping_add(x),
        by,
    )
}

/// One hash of two: `FingerprintCat64`.
pub(crate) fn join(a: u64, b: u64) -> u64 {
    const BY: u64 = 0xc6a4_a793_5bd1_e995;
    let joined = a ^ BY ^ mix(b.wrapping_mul(BY)).wrapping_mul(BY);
    mix(mix(joined.wrapping_mul(BY)).wrapping_mul(BY))
}

/// `SipHash-2-4`.
pub(crate) fn sip(key: [u64; 2], s: &[u8]) -> u64 {
    let [k0, k1] = key;
    let mut v = [
        k0 ^ 0x736f_6d65_7073_6575,
        k1 ^ 0x646f_7261_6e64_6f6d,
        k0 ^ 0x6c79_6765_6e65_7261,
        k1 ^ 0x7465_6462_7974_6573,
    ];
    let (chunks, rest) = s.as_chunks::<8>();
    let mut last = [0; 8];
    for (to, from) in last.iter_mut().zip(rest) {
        *to = *from;
    }
    let last = u64::from_le_bytes(last) | ((s.len() as u64) << 56);
    for m in chunks.iter().map(|c| u64::from_le_bytes(*c)).chain([last]) {
        v[3] ^= m;
        v = sip_round(sip_round(v));
        v[0] ^= m;
    }
    v[2] ^= 0xff;
    for _ in 0..4 {
        v = sip_round(v);
    }
    v.into_iter().fold(0, |a, b| a ^ b)
}

const fn sip_round([mut a, mut b, mut c, mut d]: [u64; 4]) -> [u64; 4] {
    a = a.wrapping_add(b);
    b = b.rotate_left(13) ^ a;
    a = a.rotate_left(32);
    c = c.wrapping_add(d);
    d = d.rotate_left(16) ^ c;
    a = a.wrapping_add(d);
    d = d.rotate_left(21) ^ a;
    c = c.wrapping_add(b);
    b = b.rotate_left(17) ^ c;
    c = c.rotate_left(32);
    [a, b, c, d]
}

#[test]
fn hashes_are_those_of_the_reference() {
    let key = [0x0706_0504_0302_0100, 0x0f0e_0d0c_0b0a_0908];
    let text: Vec<u8> = (0..15).collect();
    assert_eq!(sip(key, &text), 0xa129_ca61_49be_45e5);
    assert_eq!(farm(b""), K2);
}
