//! The inside of a PEM block. Every copy of it is wiped.

use super::KeyError;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use zeroize::Zeroizing;

const BEGIN: &str = "-----BEGIN PRIVATE KEY-----";
const END: &str = "-----END PRIVATE KEY-----";

/// The DER of the first unencrypted PKCS#8 block.
pub(super) fn private_key(text: &str) -> Result<Zeroizing<Vec<u8>>, KeyError> {
    let Some((_, rest)) = text.split_once(BEGIN) else {
        let is_other_key = text.contains("PRIVATE KEY-----");
        return Err(if is_other_key { KeyError::WrongBlock } else { KeyError::NoKey });
    };
    let (body, _) = rest.split_once(END).ok_or(KeyError::WrongBlock)?;
    // Room for all of it at once: a vector that grows leaves copies behind.
    let mut packed = Zeroizing::new(Vec::with_capacity(body.len()));
    packed.extend(body.bytes().filter(|byte| !byte.is_ascii_whitespace()));
    let mut der = Zeroizing::new(vec![0; packed.len()]);
    let len = STANDARD.decode_slice(packed.as_slice(), &mut der).map_err(|_| KeyError::NotBase64)?;
    der.truncate(len);
    Ok(der)
}
