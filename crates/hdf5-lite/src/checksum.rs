//! Checksum of metadata: Jenkins' lookup3, as the specification asks throughout ("Checksum").

use byteorder::{ByteOrder, LittleEndian};

/// `hashlittle(bytes, 0)` of Bob Jenkins' lookup3.c (public domain).
pub(crate) fn lookup3(bytes: &[u8]) -> u32 {
    // As in the original, where the length is 32 bits wide.
    let len = u32::try_from(bytes.len() & 0xffff_ffff).unwrap_or(0);
    let mut state = [0xdead_beef_u32.wrapping_add(len); 3];
    let mut rest = bytes;
    // The last block is mixed differently, even when it is full.
    while rest.len() > 12 {
        let (block, tail) = rest.split_at(12);
        state = mix(add(state, block));
        rest = tail;
    }
    if rest.is_empty() {
        return state[2];
    }
    let mut last = [0; 12];
    for (to, from) in last.iter_mut().zip(rest) {
        *to = *from;
    }
    finish(add(state, &last))
}

fn add([a, b, c]: [u32; 3], block: &[u8]) -> [u32; 3] {
    let mut words = [0; 3];
    LittleEndian::read_u32_into(block, &mut words);
    [a.wrapping_add(words[0]), b.wrapping_add(words[1]), c.wrapping_add(words[2])]
}

fn mix([mut a, mut b, mut c]: [u32; 3]) -> [u32; 3] {
    a = a.wrapping_sub(c) ^ c.rotate_left(4);
    c = c.wrapping_add(b);
    b = b.wrapping_sub(a) ^ a.rotate_left(6);
    a = a.wrapping_add(c);
    c = c.wrapping_sub(b) ^ b.rotate_left(8);
    b = b.wrapping_add(a);
    a = a.wrapping_sub(c) ^ c.rotate_left(16);
    c = c.wrapping_add(b);
    b = b.wrapping_sub(a) ^ a.rotate_left(19);
    a = a.wrapping_add(c);
    c = c.wrapping_sub(b) ^ b.rotate_left(4);
    b = b.wrapping_add(a);
    [a, b, c]
}

fn finish([mut a, mut b, mut c]: [u32; 3]) -> u32 {
    c = (c ^ b).wrapping_sub(b.rotate_left(14));
    a = (a ^ c).wrapping_sub(c.rotate_left(11));
    b = (b ^ a).wrapping_sub(a.rotate_left(25));
    c = (c ^ b).wrapping_sub(b.rotate_left(16));
    a = (a ^ c).wrapping_sub(c.rotate_left(4));
    b = (b ^ a).wrapping_sub(a.rotate_left(14));
    (c ^ b).wrapping_sub(b.rotate_left(24))
}

#[test]
fn agrees_with_the_values_in_lookup3() {
    assert_eq!(lookup3(b""), 0xdead_beef);
    assert_eq!(lookup3(b"Four score and seven years ago"), 0x1777_0551);
}
