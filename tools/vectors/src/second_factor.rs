//! Codes of the operator's second factor.

use crate::{CaseError, Input};
use serde_json::{Value, json};
use smc_operator::{Hash, Totp};

/// `None` for a function that is not of this family.
pub fn evaluate(function: &str, input: Input<'_>) -> Option<Result<Value, CaseError>> {
    (function == "totp").then(|| totp(input))
}

fn totp(input: Input<'_>) -> Result<Value, CaseError> {
    let wanted = "an even number of hexadecimal digits";
    let key = bytes(input.text("key_hex")?).ok_or(CaseError::Field { name: "key_hex", wanted })?;
    let wanted = "sha1, sha256 or sha512";
    let hash = Hash::named(input.text("algo")?).ok_or(CaseError::Field { name: "algo", wanted })?;
    let digits = u32::try_from(input.int("digits")?).unwrap_or(0);
    let step_s = u64::try_from(input.int("step_s")?).unwrap_or(0);
    // There is no code before the epoch, of no digits, or that changes at once.
    let unix_s = u64::try_from(input.int("unix_s")?).ok();
    let code = unix_s.zip(Totp::new(&key, hash, digits, step_s).ok());
    Ok(json!({ "code": code.map(|(unix_s, totp)| totp.code(totp.step(unix_s))) }))
}

fn bytes(hex: &str) -> Option<Vec<u8>> {
    let digit = |byte: u8| char::from(byte).to_digit(16);
    let pairs = hex.as_bytes().chunks(2);
    pairs
        .map(|pair| match pair {
            &[high, low] => Some((digit(high)? * 16 + digit(low)?) as u8),
            _ => None,
        })
        .collect()
}
