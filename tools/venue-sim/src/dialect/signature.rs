//! Whether a signature fits what it should sign, for every kind of key that a venue registers.

use crate::settings::Credential;
use aws_lc_rs::{hmac, signature};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

/// Checks a signature over a payload: base64 of an Ed25519 or RSA signature, hexadecimal digits of an HMAC.
pub fn verify(credential: &Credential, payload: &str, signature: &str) -> bool {
    match credential {
        Credential::Ed25519(public_key) => asymmetric(&signature::ED25519, public_key, payload, signature),
        Credential::Rsa(public_key) => {
            asymmetric(&signature::RSA_PKCS1_2048_8192_SHA256, public_key, payload, signature)
        }
        Credential::Hmac(secret) => verify_hmac(secret, payload, signature),
        Credential::Token(_) => false, // signs nothing
    }
}

fn asymmetric(
    algorithm: &'static dyn signature::VerificationAlgorithm,
    public_key: &[u8],
    payload: &str,
    signature: &str,
) -> bool {
    let Ok(signature) = STANDARD.decode(signature) else { return false };
    signature::UnparsedPublicKey::new(algorithm, public_key).verify(payload.as_bytes(), &signature).is_ok()
}

fn verify_hmac(secret: &str, payload: &str, signature: &str) -> bool {
    let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|value| u8::try_from(value).ok());
    let byte = |pair: &[u8]| match pair {
        [high, low] => Some(digit(*high)? << 4 | digit(*low)?),
        _ => None,
    };
    let Some(tag) = signature.as_bytes().chunks(2).map(byte).collect::<Option<Vec<u8>>>() else {
        return false;
    };
    let key = hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes());
    hmac::verify(&key, payload.as_bytes(), &tag).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_published_hmac_signature_verifies() {
        let secret = "NhqPtmdSJYdKjVHjA7PZj4Mge3R5YNiP1e3UZjInClVN65XAbvqqM6A7H5fATj0j";
        let payload = "symbol=LTCBTC&side=BUY&type=LIMIT&timeInForce=GTC&quantity=1&price=0.1&recvWindow=5000&timestamp=1499827319559";
        let signature = "C8db56825ae71d6d79447849e617115f4a920fa2acdcab2b053c4b2838bd6b71";
        assert!(verify_hmac(secret, payload, signature));
        assert!(!verify_hmac(secret, &payload.replace('9', "8"), signature));
        assert!(!verify_hmac(secret, payload, "zz"));
    }
}
