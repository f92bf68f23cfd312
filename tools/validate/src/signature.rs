//! Keys and signed reports: Ed25519, in files that other programs read too.
//!
//! A signed report is two lines of JSON:
//!
//! ```text
//! {"format":1,…}                                        the report
//! {"ed25519":"BASE64","key":"HEX"}                      of the bytes of the first line, its end excluded
//! ```
//!
//! `key` is BLAKE3 of the public key and says which one to look for; it proves nothing. Keys are PEM: PKCS#8 for the private one,
//! SubjectPublicKeyInfo for the public one, as `openssl` writes and reads them.

use crate::ValidateError;
use aws_lc_rs::encoding::{AsDer, PublicKeyX509Der};
use aws_lc_rs::signature::{ED25519, Ed25519KeyPair, KeyPair, ParsedPublicKey};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};
use std::fs::{self, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};

const PRIVATE: &str = "PRIVATE KEY";
const PUBLIC: &str = "PUBLIC KEY";

/// Signs reports. Does not show its key.
pub struct Signer {
    pair: Ed25519KeyPair,
}

/// The second line of a signed report.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Signature {
    /// In base64.
    pub ed25519: String,
    /// BLAKE3 of the public key as its file has it, without the armour, in hexadecimal digits.
    pub key: String,
}

impl Signer {
    /// Makes a key: the private one at `path`, readable by its owner alone, the public one beside it at `path.pub`. Refuses to
    /// write over anything. Gives the public key's path.
    pub fn create(path: &Path) -> Result<PathBuf, ValidateError> {
        let failed = |_| wrong("no key could be made");
        let pair = Ed25519KeyPair::generate().map_err(failed)?;
        let private = pair.to_pkcs8().map_err(failed)?;
        let mut name = path.as_os_str().to_owned();
        name.push(".pub");
        let beside = PathBuf::from(name);
        write_new(path, &pem(PRIVATE, private.as_ref()), true)?;
        write_new(&beside, &pem(PUBLIC, public_der(&pair)?.as_ref()), false)?;
        Ok(beside)
    }

    /// From the PEM file of a private key.
    pub fn open(path: &Path) -> Result<Self, ValidateError> {
        let text = read(path)?;
        let der = from_pem(PRIVATE, &text).ok_or_else(|| said(path, "not one `PRIVATE KEY` block"))?;
        let pair = Ed25519KeyPair::from_pkcs8(&der)
            .or_else(|_| Ed25519KeyPair::from_pkcs8_maybe_unchecked(&der))
            .map_err(|_| said(path, "not an Ed25519 key in PKCS#8 form"))?;
        Ok(Self { pair })
    }

    /// The two lines of a report. The report must be one line.
    pub fn sign(&self, report: &str) -> Result<String, ValidateError> {
        if report.contains('\n') {
            return Err(wrong("a report of several lines"));
        }
        let signature = Signature {
            ed25519: STANDARD.encode(self.pair.sign(report.as_bytes())),
            key: name_of(public_der(&self.pair)?.as_ref()),
        };
        let line = serde_json::to_string(&signature).map_err(|error| wrong(&error.to_string()))?;
        Ok(format!("{report}\n{line}\n"))
    }
}

/// Checks a signed report against the PEM file of a public key; gives the report's line.
pub fn verify<'a>(signed: &'a str, key: &Path) -> Result<&'a str, ValidateError> {
    let text = read(key)?;
    let der = from_pem(PUBLIC, &text).ok_or_else(|| said(key, "not one `PUBLIC KEY` block"))?;
    let public = ParsedPublicKey::new(&ED25519, &der).map_err(|_| said(key, "not an Ed25519 public key"))?;
    let (report, rest) = signed.split_once('\n').ok_or_else(|| wrong("the report has no signature"))?;
    let line = rest.strip_suffix('\n').unwrap_or(rest);
    let signature: Signature =
        serde_json::from_str(line).map_err(|_| wrong("the second line is not a signature"))?;
    let bytes = STANDARD.decode(&signature.ed25519).map_err(|_| wrong("the signature is not base64"))?;
    let mine = name_of(&der);
    if signature.key != mine {
        return Err(wrong(&format!("signed by key {}, this is key {}", short(&signature.key), short(&mine))));
    }
    public
        .verify_sig(report.as_bytes(), &bytes)
        .map_err(|_| wrong("the signature is not that of this report: it was changed"))?;
    Ok(report)
}

fn short(name: &str) -> String {
    name.chars().filter(char::is_ascii_hexdigit).take(16).collect()
}

fn name_of(public: &[u8]) -> String {
    blake3::hash(public).to_hex().to_string()
}

fn public_der(pair: &Ed25519KeyPair) -> Result<PublicKeyX509Der<'_>, ValidateError> {
    pair.public_key().as_der().map_err(|_| wrong("the public key has no form"))
}

fn pem(kind: &str, der: &[u8]) -> String {
    let text = STANDARD.encode(der);
    let mut lines = format!("-----BEGIN {kind}-----\n");
    for piece in text.as_bytes().chunks(64) {
        lines.extend(piece.iter().map(|byte| char::from(*byte)));
        lines.push('\n');
    }
    lines + &format!("-----END {kind}-----\n")
}

/// The inside of the only block of this kind.
fn from_pem(kind: &str, text: &str) -> Option<Vec<u8>> {
    let (_, rest) = text.split_once(&format!("-----BEGIN {kind}-----"))?;
    let (body, _) = rest.split_once(&format!("-----END {kind}-----"))?;
    let packed: String = body.chars().filter(|digit| !digit.is_ascii_whitespace()).collect();
    STANDARD.decode(packed).ok()
}

fn write_new(path: &Path, text: &str, is_secret: bool) -> Result<(), ValidateError> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt;
        options.mode(if is_secret { 0o600 } else { 0o644 });
    }
    let mut file = options.open(path).map_err(|error| said(path, &error.to_string()))?;
    file.write_all(text.as_bytes())
        .and_then(|()| file.sync_all())
        .map_err(|error| said(path, &error.to_string()))
}

fn read(path: &Path) -> Result<String, ValidateError> {
    fs::read_to_string(path).map_err(|error| said(path, &error.to_string()))
}

fn wrong(reason: &str) -> ValidateError {
    ValidateError::Signature(reason.into())
}

fn said(path: &Path, reason: &str) -> ValidateError {
    ValidateError::Signature(format!("{}: {reason}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_changed_report_and_another_key_are_told() {
        let home = tempfile::tempdir().unwrap();
        let [one, two] = ["one", "two"].map(|name| home.path().join(name));
        let public = Signer::create(&one).unwrap();
        let other = Signer::create(&two).unwrap();
        assert!(Signer::create(&one).is_err(), "never writes over a key");
        let signed = Signer::open(&one).unwrap().sign("{\"verdict\":true}").unwrap();
        assert_eq!(verify(&signed, &public).unwrap(), "{\"verdict\":true}");
        assert!(verify(&signed, &other).unwrap_err().to_string().contains("signed by key"));
        let report = signed.find('\n').unwrap();
        for at in 0..signed.len() - 1 {
            let mut bytes = signed.clone().into_bytes();
            bytes[at] ^= 1;
            let Ok(changed) = String::from_utf8(bytes) else { continue };
            // A changed last digit of base64 may hold no bits; then the signature is still that of the whole report.
            let told = verify(&changed, &public);
            assert!(told.is_err() || (at > report && told.unwrap() == "{\"verdict\":true}"), "byte {at}");
        }
        assert!(verify("{}\n", &public).is_err() && verify("", &public).is_err());
        assert!(Signer::open(&public).is_err() && verify(&signed, &one).is_err());
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            assert_eq!(fs::metadata(&one).unwrap().permissions().mode() & 0o777, 0o600);
        }
    }
}
