//! Commands from afar, through a relay that nobody has to trust: each is sealed with a key that the relay does not have.
//!
//! ```text
//! client                                    engine
//!   {"cmd":"challenge","key":"laptop"}  ─►
//!                                       ◄─  {"nonce":"…"}                      of this connection alone
//!   {"cmd":"sealed","key","counter",
//!    "time","request","mac"}            ─►  mac = HMAC-SHA256(key, nonce \n counter \n time \n request)
//! ```
//!
//! The nonce ties a command to one connection, the counter to its place in it, the time to half a minute: whatever is resent,
//! later or elsewhere, is refused.

use aws_lc_rs::constant_time::verify_slices_are_equal;
use aws_lc_rs::hmac;
use std::fmt;

/// Furthest the client's clock may be from ours, seconds.
pub const AGE_MAX_S: u64 = 30;
/// Shortest key, bytes.
const KEY_BYTES_MIN: usize = 32;

/// A key that somebody far away has as well.
pub struct Seal(hmac::Key);

/// What a connection was asked to seal with, and how far it has come.
#[derive(Clone, Debug)]
pub struct Challenge {
    nonce: String,
    counter: u64,
}

/// Why a sealed command was not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SealError {
    /// Keys have at least 32 bytes.
    ShortKey {
        /// Bytes of this one.
        got: usize,
    },
    /// Sealed by another key, or something was changed.
    Mac,
    /// The counter is not higher than the last one: seen before.
    Counter,
    /// Made too long ago, or by a clock that is wrong.
    Age,
}

impl fmt::Display for SealError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ShortKey { got } => {
                write!(f, "a key of {got} bytes is too short, at least {KEY_BYTES_MIN}")
            }
            Self::Mac => f.write_str("the seal does not fit"),
            Self::Counter => f.write_str("the counter was used before"),
            Self::Age => write!(f, "made more than {AGE_MAX_S} s ago, or the clocks differ"),
        }
    }
}

impl std::error::Error for SealError {}

impl Challenge {
    /// `chance` has to be new for every connection, and unknown before.
    pub fn new(chance: [u8; 16]) -> Self {
        Self { nonce: hex(&chance), counter: 0 }
    }

    /// What the client is told.
    pub fn nonce(&self) -> &str {
        &self.nonce
    }
}

impl Seal {
    /// A key of at least 32 bytes.
    pub fn new(key: &[u8]) -> Result<Self, SealError> {
        if key.len() < KEY_BYTES_MIN {
            return Err(SealError::ShortKey { got: key.len() });
        }
        Ok(Self(hmac::Key::new(hmac::HMAC_SHA256, key)))
    }

    /// The seal of a command, as hexadecimal text.
    pub fn sign(&self, nonce: &str, counter: u64, unix_s: u64, request: &str) -> String {
        let text = format!("{nonce}\n{counter}\n{unix_s}\n{request}");
        hex(hmac::sign(&self.0, text.as_bytes()).as_ref())
    }

    /// Takes a command at `now_s`, once. Only one that is taken moves the counter.
    pub fn verify(
        &self,
        challenge: &mut Challenge,
        sealed: (u64, u64, &str, &str),
        now_s: u64,
    ) -> Result<(), SealError> {
        let (counter, unix_s, request, mac) = sealed;
        let own = self.sign(&challenge.nonce, counter, unix_s, request);
        verify_slices_are_equal(own.as_bytes(), mac.as_bytes()).map_err(|_| SealError::Mac)?;
        if counter <= challenge.counter {
            return Err(SealError::Counter);
        }
        if now_s.abs_diff(unix_s) > AGE_MAX_S {
            return Err(SealError::Age);
        }
        challenge.counter = counter;
        Ok(())
    }
}

/// Never shows the key.
impl fmt::Debug for Seal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Seal")
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: [u8; 32] = *b"0123456789abcdef0123456789abcdef";

    #[test]
    fn a_recorded_session_is_worth_nothing() {
        let seal = Seal::new(&KEY).unwrap();
        let mut here = Challenge::new([1; 16]);
        let request = r#"{"cmd":"arm"}"#;
        let mac = seal.sign(here.nonce(), 1, 1_000, request);
        assert_eq!(seal.verify(&mut here, (1, 1_000, request, &mac), 1_010), Ok(()));
        assert_eq!(seal.verify(&mut here, (1, 1_000, request, &mac), 1_010), Err(SealError::Counter));
        let mut elsewhere = Challenge::new([2; 16]);
        assert_eq!(seal.verify(&mut elsewhere, (1, 1_000, request, &mac), 1_010), Err(SealError::Mac));
        let mut again = Challenge::new([1; 16]);
        assert_eq!(seal.verify(&mut again, (1, 1_000, request, &mac), 1_031), Err(SealError::Age));
        assert_eq!(seal.verify(&mut again, (1, 1_000, request, &mac), 969), Err(SealError::Age));
    }

    #[test]
    fn whatever_is_changed_breaks_the_seal() {
        let seal = Seal::new(&KEY).unwrap();
        let mac = seal.sign(Challenge::new([1; 16]).nonce(), 5, 1_000, "kill");
        let check = |key: &[u8], counter, time, request: &str, mac: &str| {
            let mut challenge = Challenge::new([1; 16]);
            Seal::new(key).unwrap().verify(&mut challenge, (counter, time, request, mac), 1_000)
        };
        assert_eq!(check(&KEY, 5, 1_000, "kill", &mac), Ok(()));
        assert_eq!(check(&[7; 32], 5, 1_000, "kill", &mac), Err(SealError::Mac));
        assert_eq!(check(&KEY, 6, 1_000, "kill", &mac), Err(SealError::Mac));
        assert_eq!(check(&KEY, 5, 1_001, "kill", &mac), Err(SealError::Mac));
        assert_eq!(check(&KEY, 5, 1_000, "kilm", &mac), Err(SealError::Mac));
        assert_eq!(check(&KEY, 5, 1_000, "kill", &mac[1..]), Err(SealError::Mac));
        assert_eq!(check(&KEY, 5, 1_000, "kill", ""), Err(SealError::Mac));
        assert!(Seal::new(&KEY[1..]).is_err_and(|error| error == SealError::ShortKey { got: 31 }));
    }
}
