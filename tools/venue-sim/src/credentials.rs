//! Keys for the simulator's accounts: made at start, never the same twice.

use crate::settings::Credential;
use aws_lc_rs::rand;
use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

/// What stands before the 32 secret bytes in PKCS#8, version 1: the form that OpenSSL writes, and the only one that every
/// client reads.
const PKCS8_HEAD: [u8; 16] = [0x30, 0x2e, 2, 1, 0, 0x30, 5, 6, 3, 0x2b, 0x65, 0x70, 4, 0x22, 4, 0x20];

/// An Ed25519 key pair.
pub struct Credentials {
    private_pem: String,
    public: [u8; 32],
}

impl Credentials {
    /// Makes a new pair.
    pub fn generate() -> Result<Self, String> {
        let seed = random_bytes()?;
        let pair = Ed25519KeyPair::from_seed_unchecked(&seed).map_err(|error| error.to_string())?;
        let public = pair.public_key().as_ref().try_into().map_err(|_| "the public key is not 32 bytes")?;
        let der = [&PKCS8_HEAD[..], &seed].concat();
        let text = STANDARD.encode(der);
        let private_pem = format!("-----BEGIN PRIVATE KEY-----\n{text}\n-----END PRIVATE KEY-----\n");
        Ok(Self { private_pem, public })
    }

    /// The private half, PKCS#8 PEM: the client's.
    pub fn private_pem(&self) -> &str {
        &self.private_pem
    }

    /// The public half: the venue's.
    pub const fn credential(&self) -> Credential {
        Credential::Ed25519(self.public)
    }
}

/// A shared secret, for venues that register no key of ours.
pub struct Secret(String);

impl Secret {
    /// Makes a new secret of 256 bits.
    pub fn generate() -> Result<Self, String> {
        random_hex().map(Self)
    }

    /// The secret, which both sides know.
    pub fn text(&self) -> &str {
        &self.0
    }

    /// The venue's half.
    pub fn credential(&self) -> Credential {
        Credential::Hmac(self.0.clone())
    }
}

/// A bearer token: 32 hexadecimal digits, a dash, 32 more.
pub struct Token(String);

impl Token {
    /// Makes a new one.
    pub fn generate() -> Result<Self, String> {
        let hex = random_hex()?;
        let (first, second) = hex.split_at(32);
        Ok(Self(format!("{first}-{second}")))
    }

    /// What the client sends.
    pub fn text(&self) -> &str {
        &self.0
    }

    /// What the venue compares it with.
    pub fn credential(&self) -> Credential {
        Credential::Token(self.0.clone())
    }
}

/// 256 random bits as hexadecimal digits.
fn random_hex() -> Result<String, String> {
    Ok(random_bytes()?.iter().map(|byte| format!("{byte:02x}")).collect())
}

fn random_bytes() -> Result<[u8; 32], String> {
    let mut bytes = [0u8; 32];
    rand::fill(&mut bytes).map_err(|_| "the system gives no random bytes".to_owned())?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_client_that_reads_the_key_signs_what_the_venue_believes() {
        let credentials = Credentials::generate().expect("random bytes");
        let body: String = credentials.private_pem().lines().filter(|line| !line.starts_with('-')).collect();
        let der = STANDARD.decode(body).expect("base64");
        let pair = Ed25519KeyPair::from_pkcs8_maybe_unchecked(&der).expect("a key");
        let signature = STANDARD.encode(pair.sign(b"a=1").as_ref());
        assert!(crate::dialect::signature::verify(&credentials.credential(), "a=1", &signature));
        assert!(!crate::dialect::signature::verify(&credentials.credential(), "a=2", &signature));
    }
}
