//! One-time passwords by the clock (RFC 6238, on the counters of RFC 4226).

use aws_lc_rs::constant_time::verify_slices_are_equal;
use aws_lc_rs::hmac;
use std::fmt;

/// Digits at most: the truncated hash has 31 bits.
const DIGITS_MAX: u32 = 10;

/// An operator's generator of codes, the same one as in his pocket.
pub struct Totp {
    key: hmac::Key,
    digits: u32,
    step_s: u64,
}

/// The hash under the code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hash {
    /// What most authenticators speak.
    Sha1,
    /// SHA-256.
    Sha256,
    /// SHA-512.
    Sha512,
}

/// Why no code can be made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TotpError {
    /// Not 1 to 10 digits.
    Digits {
        /// What was asked.
        got: u32,
    },
    /// A code must hold for at least a second.
    Step,
}

impl fmt::Display for TotpError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Digits { got } => write!(f, "digits: {got} is not within 1 to {DIGITS_MAX}"),
            Self::Step => write!(f, "step: must be at least one second"),
        }
    }
}

impl std::error::Error for TotpError {}

impl Hash {
    /// By its name, such as `sha1`.
    pub fn named(name: &str) -> Option<Self> {
        Some(match name {
            "sha1" => Self::Sha1,
            "sha256" => Self::Sha256,
            "sha512" => Self::Sha512,
            _ => return None,
        })
    }

    fn hmac(self) -> hmac::Algorithm {
        match self {
            Self::Sha1 => hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY,
            Self::Sha256 => hmac::HMAC_SHA256,
            Self::Sha512 => hmac::HMAC_SHA512,
        }
    }
}

impl Totp {
    /// Over a shared secret. Codes have `digits` digits and change every `step_s` seconds.
    pub fn new(secret: &[u8], hash: Hash, digits: u32, step_s: u64) -> Result<Self, TotpError> {
        if !(1..=DIGITS_MAX).contains(&digits) {
            return Err(TotpError::Digits { got: digits });
        }
        if step_s == 0 {
            return Err(TotpError::Step);
        }
        Ok(Self { key: hmac::Key::new(hash.hmac(), secret), digits, step_s })
    }

    /// The step of a moment, in seconds since the epoch.
    pub fn step(&self, unix_s: u64) -> u64 {
        unix_s / self.step_s
    }

    /// The code of a step, with its leading zeros.
    pub fn code(&self, step: u64) -> String {
        let tag = hmac::sign(&self.key, &step.to_be_bytes());
        let bytes = tag.as_ref();
        // The last four bits say where in the hash the number stands; every hash is at least 20 bytes long.
        let at = usize::from(bytes.last().copied().unwrap_or_default() & 0x0F);
        let word: [u8; 4] = bytes.get(at..at + 4).and_then(|word| word.try_into().ok()).unwrap_or_default();
        let number = u64::from(u32::from_be_bytes(word) & 0x7FFF_FFFF) % 10u64.pow(self.digits);
        format!("{number:0width$}", width = self.digits as usize)
    }

    /// The step whose code this is, if it is one of now, the step before or the one after, for clocks that differ.
    /// `used` is the last step that was taken: it and all before it are never taken again, so that a code that
    /// somebody saw is worth nothing. The caller keeps the answer as the next `used`.
    pub fn verify(&self, code: &str, unix_s: u64, used: Option<u64>) -> Option<u64> {
        let now = self.step(unix_s);
        let steps = [now.checked_sub(1), Some(now), now.checked_add(1)];
        // All three are always compared, each in constant time: how long it takes tells nothing.
        steps.into_iter().flatten().fold(None, |found, step| {
            let is_equal = verify_slices_are_equal(self.code(step).as_bytes(), code.as_bytes()).is_ok();
            let is_new = used.is_none_or(|used| used < step);
            if is_equal && is_new { Some(step) } else { found }
        })
    }
}

/// Never shows the secret.
impl fmt::Debug for Totp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Totp")
            .field("digits", &self.digits)
            .field("step_s", &self.step_s)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn totp() -> Totp {
        Totp::new(b"12345678901234567890", Hash::Sha1, 8, 30).unwrap()
    }

    /// RFC 6238, appendix B.
    #[test]
    fn the_codes_are_those_of_the_rfc() {
        let of = |secret: &[u8], hash| {
            let totp = Totp::new(secret, hash, 8, 30).unwrap();
            [59, 1_111_111_109, 20_000_000_000].map(|unix_s| totp.code(totp.step(unix_s)))
        };
        let long = b"1234567890".repeat(7);
        assert_eq!(of(&long[..20], Hash::Sha1), ["94287082", "07081804", "65353130"]);
        assert_eq!(of(&long[..32], Hash::Sha256), ["46119246", "68084774", "77737706"]);
        assert_eq!(of(&long[..64], Hash::Sha512), ["90693936", "25091201", "47863826"]);
    }

    #[test]
    fn a_code_is_taken_once_and_by_clocks_that_differ_a_little() {
        let totp = totp();
        let code = totp.code(100);
        assert_eq!(totp.verify(&code, 100 * 30, None), Some(100));
        assert_eq!(totp.verify(&code, 101 * 30 + 29, Some(99)), Some(100));
        assert_eq!(totp.verify(&code, 99 * 30, Some(99)), Some(100));
        assert_eq!(totp.verify(&code, 102 * 30, None), None, "too old");
        assert_eq!(totp.verify(&code, 98 * 30 + 29, None), None, "too early");
        assert_eq!(totp.verify(&code, 100 * 30, Some(100)), None, "seen");
        assert_eq!(totp.verify(&code, 100 * 30, Some(101)), None, "a later one was taken");
        assert_eq!(totp.verify("", 0, None), None);
        assert_eq!(totp.verify(&code[1..], 100 * 30, None), None);
        assert_eq!(totp.verify(&totp.code(0), 0, None), Some(0));
    }

    #[test]
    fn what_makes_no_code_is_refused() {
        assert_eq!(Totp::new(b"", Hash::Sha1, 0, 30).err(), Some(TotpError::Digits { got: 0 }));
        assert_eq!(Totp::new(b"", Hash::Sha1, 11, 30).err(), Some(TotpError::Digits { got: 11 }));
        assert_eq!(Totp::new(b"", Hash::Sha1, 6, 0).err(), Some(TotpError::Step));
        assert_eq!(Totp::new(b"", Hash::Sha512, 10, 1).unwrap().code(u64::MAX).len(), 10);
        assert!(!format!("{:?}", totp()).contains("1234"));
    }
}
