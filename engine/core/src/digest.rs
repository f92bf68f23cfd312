//! The fingerprint of everything the engine said: two lanes of multiply-and-fold over the outputs' bytes.
//!
//! Not a cryptographic hash: it must notice a difference between two honest runs, in about a nanosecond per
//! eight bytes. Tamper evidence is the journal's chain hash.

use crate::state::{State, StateError, StateIo};
use core::fmt;

const LANE_A: u64 = 0x9E37_79B9_7F4A_7C15;
const LANE_B: u64 = 0xC2B2_AE3D_27D4_EB4F;

/// Running fingerprint; equal iff the same words were folded in the same order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Digest {
    a: u64,
    b: u64,
}

impl Default for Digest {
    fn default() -> Self {
        Self { a: LANE_A, b: LANE_B }
    }
}

impl Digest {
    /// Folds one output's bytes, and their length, in.
    pub fn fold(&mut self, bytes: &[u8]) {
        self.fold_word(bytes.len() as u64);
        let (words, rest) = bytes.as_chunks::<8>();
        for word in words {
            self.fold_word(u64::from_le_bytes(*word));
        }
        if !rest.is_empty() {
            let mut last = [0; 8];
            last[..rest.len()].copy_from_slice(rest);
            self.fold_word(u64::from_le_bytes(last));
        }
    }

    fn fold_word(&mut self, word: u64) {
        let product = u128::from(self.a ^ word) * u128::from(LANE_A);
        self.a = (product as u64) ^ ((product >> 64) as u64).wrapping_add(LANE_B);
        self.b = (self.b.rotate_left(23) ^ word).wrapping_mul(LANE_B).wrapping_add(self.a);
    }

    /// Sixteen bytes, as the journal's digest records hold them.
    pub fn to_bytes(self) -> [u8; 16] {
        let mut out = [0; 16];
        out[..8].copy_from_slice(&self.a.to_le_bytes());
        out[8..].copy_from_slice(&self.b.to_le_bytes());
        out
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}{:016x}", self.a, self.b)
    }
}

impl State for Digest {
    fn state(&mut self, io: &mut StateIo<'_>) -> Result<(), StateError> {
        let Self { a, b } = self;
        io.number(a)?;
        io.number(b)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn digest(parts: &[&[u8]]) -> Digest {
        let mut digest = Digest::default();
        for part in parts {
            digest.fold(part);
        }
        digest
    }

    #[test]
    fn order_length_and_every_bit_count() {
        let base = digest(&[b"abcdefgh", b"ij"]);
        assert_eq!(base, digest(&[b"abcdefgh", b"ij"]));
        assert_ne!(base, digest(&[b"ij", b"abcdefgh"]));
        assert_ne!(base, digest(&[b"abcdefghij"]));
        assert_ne!(base, digest(&[b"abcdefgh", b"ij\0"]));
        assert_ne!(base, digest(&[b"abcdefgi", b"ij"]));
        assert_ne!(digest(&[&[0; 8]]), digest(&[&[0; 16]]));
    }
}
