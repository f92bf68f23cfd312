//! Keys for the simulator's accounts: made at start, never the same twice.

use crate::settings::Credential;
use aws_lc_rs::rand;
use rcgen::{KeyPair, PKCS_ED25519};

/// An Ed25519 key pair.
pub struct Credentials {
    private_pem: String,
    public: [u8; 32],
}

impl Credentials {
    /// Makes a new pair.
    pub fn generate() -> Result<Self, String> {
        let pair = KeyPair::generate_for(&PKCS_ED25519).map_err(|error| error.to_string())?;
        let public = pair.public_key_raw().try_into().map_err(|_| "the public key is not 32 bytes")?;
        Ok(Self { private_pem: pair.serialize_pem(), public })
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
    let mut bytes = [0u8; 32];
    rand::fill(&mut bytes).map_err(|_| "the system gives no random bytes".to_owned())?;
    Ok(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}
