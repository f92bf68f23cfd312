//! Signatures of requests: HMAC-SHA256, Ed25519 and RSA (PKCS#1 v1.5, SHA-256), each with its key made ready once.
//!
//! Never prints or copies a key's text, and wipes every copy that passes through here. Signing takes no memory of ours.
//! What is signed, and where the signature goes, is each venue's own business.

mod pem;
mod secret;
#[cfg(test)]
mod tests;

use aws_lc_rs::hmac;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::KeyPair as RsaKeyPair;
use aws_lc_rs::signature::{Ed25519KeyPair, RSA_PKCS1_SHA256};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use std::fmt;

pub use secret::Secret;

/// Bytes of the largest RSA modulus that is taken: 4096 bits.
const MODULUS_MAX: usize = 512;
/// Bytes of the smallest: 2048 bits.
const MODULUS_MIN: usize = 256;
/// Base64 digits of the longest signature.
const TEXT_MAX: usize = MODULUS_MAX.div_ceil(3) * 4;
/// Characters of the shortest shared secret that is believed to be one.
const HMAC_SECRET_MIN: usize = 10;

/// An account's private key, ready to sign.
pub struct Signer(Key);

enum Key {
    Hmac(Box<hmac::Key>),
    Ed25519(Ed25519KeyPair),
    Rsa(Box<RsaKeyPair>),
}

/// How a key signs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyKind {
    /// HMAC-SHA256 with a shared secret; hexadecimal.
    Hmac,
    /// Ed25519; base64.
    Ed25519,
    /// RSA, PKCS#1 v1.5 with SHA-256; base64.
    Rsa,
}

/// Why a key was refused. None of the messages repeats a byte of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyError {
    /// Neither a `-----BEGIN PRIVATE KEY-----` block nor a shared secret.
    NoKey,
    /// The block is encrypted, cut, or of another kind than unencrypted PKCS#8.
    WrongBlock,
    /// The block's inside is not base64.
    NotBase64,
    /// Neither an Ed25519 nor an RSA key in PKCS#8.
    UnknownKey,
    /// An RSA key of fewer than 2048 or more than 4096 bits.
    RsaSize,
    /// Not an Ed25519 key, where only such a key will do.
    NotEd25519,
    /// An Ed25519 key, where the venue takes none.
    Ed25519,
}

impl fmt::Display for KeyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NoKey => "neither a `-----BEGIN PRIVATE KEY-----` block nor a shared secret",
            Self::WrongBlock => "the key must be one whole, unencrypted PKCS#8 `PRIVATE KEY` block",
            Self::NotBase64 => "the key block is damaged: not base64",
            Self::UnknownKey => "neither an Ed25519 nor an RSA key in PKCS#8 form",
            Self::RsaSize => "the RSA key must have 2048 to 4096 bits",
            Self::Ed25519 => "an Ed25519 key (this venue takes shared secrets and RSA keys)",
            Self::NotEd25519 => "not an Ed25519 key (no other kind is taken here)",
        })
    }
}

impl std::error::Error for KeyError {}

impl fmt::Debug for Signer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Signer({:?})", self.kind())
    }
}

impl Signer {
    /// From a key's text: the PEM block of an Ed25519 or RSA key, or else a shared secret in letters and digits.
    pub fn new(secret: &Secret) -> Result<Self, KeyError> {
        let text = secret.text();
        if text.contains("-----") {
            return Self::from_pem(text);
        }
        let text = text.trim_ascii();
        if text.len() < HMAC_SECRET_MIN || !text.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(KeyError::NoKey);
        }
        Ok(Self(Key::Hmac(Box::new(hmac::Key::new(hmac::HMAC_SHA256, text.as_bytes())))))
    }

    /// From the PEM text that `openssl genpkey` makes.
    pub fn from_pem(text: &str) -> Result<Self, KeyError> {
        let der = pem::private_key(text)?;
        if let Ok(key) = Ed25519KeyPair::from_pkcs8_maybe_unchecked(&der) {
            return Ok(Self(Key::Ed25519(key)));
        }
        let key = RsaKeyPair::from_pkcs8(&der).map_err(|_| KeyError::UnknownKey)?;
        if !(MODULUS_MIN..=MODULUS_MAX).contains(&key.public_modulus_len()) {
            return Err(KeyError::RsaSize);
        }
        Ok(Self(Key::Rsa(Box::new(key))))
    }

    /// How it signs.
    pub const fn kind(&self) -> KeyKind {
        match self.0 {
            Key::Hmac(_) => KeyKind::Hmac,
            Key::Ed25519(_) => KeyKind::Ed25519,
            Key::Rsa(_) => KeyKind::Rsa,
        }
    }

    /// Signs `payload`.
    pub fn sign(&self, payload: &[u8]) -> Signature {
        match &self.0 {
            Key::Hmac(key) => Signature::hexadecimal(hmac::sign(key, payload).as_ref()),
            Key::Ed25519(key) => Signature::base64(key.sign(payload).as_ref()),
            Key::Rsa(key) => {
                let mut bytes = [0; MODULUS_MAX];
                let signed = bytes.get_mut(..key.public_modulus_len()).and_then(|bytes| {
                    // PKCS#1 v1.5 uses no chance; the interface asks for a source all the same.
                    key.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), payload, bytes).ok()?;
                    Some(Signature::base64(bytes))
                });
                // Only a want of memory can fail; the venue then refuses the empty signature.
                signed.unwrap_or(Signature::EMPTY)
            }
        }
    }
}

/// A signature as text: hexadecimal or base64, by the key's kind.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Signature {
    /// Bytes at `len` and beyond mean nothing.
    text: [u8; TEXT_MAX],
    len: usize,
}

impl Signature {
    const EMPTY: Self = Self { text: [0; TEXT_MAX], len: 0 };

    fn hexadecimal(bytes: &[u8]) -> Self {
        const DIGITS: &[u8; 16] = b"0123456789abcdef";
        let mut signature = Self::EMPTY;
        for (pair, byte) in signature.text.chunks_exact_mut(2).zip(bytes) {
            pair.copy_from_slice(&[DIGITS[usize::from(byte >> 4)], DIGITS[usize::from(byte & 15)]]);
        }
        signature.len = (2 * bytes.len()).min(TEXT_MAX);
        signature
    }

    fn base64(bytes: &[u8]) -> Self {
        let mut signature = Self::EMPTY;
        signature.len = STANDARD.encode_slice(bytes, &mut signature.text).unwrap_or(0);
        signature
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        self.text.get(..self.len).and_then(|text| std::str::from_utf8(text).ok()).unwrap_or_default()
    }
}

impl fmt::Debug for Signature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Signature(..)")
    }
}

impl fmt::Display for Signature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
