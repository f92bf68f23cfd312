//! Text that must not be seen: wiped when it is dropped, never printed.

use std::fmt;
use zeroize::{Zeroize as _, Zeroizing};

/// A key's text.
#[derive(Clone)]
pub struct Secret(Zeroizing<String>);

impl Secret {
    /// Keeps a copy; the caller's own is the caller's to wipe.
    pub fn new(text: &str) -> Self {
        Self(Zeroizing::new(text.to_owned()))
    }

    pub(super) fn text(&self) -> &str {
        &self.0
    }
}

impl From<String> for Secret {
    /// Takes the text over, so that no second copy is left behind.
    fn from(text: String) -> Self {
        Self(Zeroizing::new(text))
    }
}

impl From<Vec<u8>> for Secret {
    /// What is not UTF-8 is no key: the secret is empty then.
    fn from(bytes: Vec<u8>) -> Self {
        match String::from_utf8(bytes) {
            Ok(text) => Self::from(text),
            Err(error) => {
                error.into_bytes().zeroize();
                Self::from(String::new())
            }
        }
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(..)")
    }
}
