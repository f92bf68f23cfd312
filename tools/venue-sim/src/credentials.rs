//! Keys for the simulator's accounts: made at start, never the same twice.

use crate::settings::Credential;
use aws_lc_rs::rand;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
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
        Ok(Self { private_pem: plain_pem(&pair.serialize_der())?, public })
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

/// The key as `openssl genpkey` writes it (PKCS#8 version 1, RFC 8410): rcgen adds the public half, which not every reader
/// takes.
fn plain_pem(der: &[u8]) -> Result<String, String> {
    const HEAD: [u8; 16] = [0x30, 0x2e, 2, 1, 0, 0x30, 5, 6, 3, 0x2b, 0x65, 0x70, 4, 0x22, 4, 0x20];
    // Both versions hold the seed behind the same words.
    let at =
        der.windows(4).position(|window| window == [4, 0x22, 4, 0x20]).ok_or("a key without its seed")?;
    let seed = der.get(at + 4..at + 36).ok_or("a key that ends early")?;
    let text = STANDARD.encode([&HEAD, seed].concat());
    Ok(format!("-----BEGIN PRIVATE KEY-----\n{text}\n-----END PRIVATE KEY-----\n"))
}
