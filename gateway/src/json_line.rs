//! JSON objects of one line, for `smc decode`.

use std::fmt::{self, Write as _};

/// An object under way; its first member is the kind.
pub(crate) struct Json(String);

impl Json {
    pub fn new(kind: &str) -> Self {
        Self(format!("{{\"kind\":\"{kind}\""))
    }

    /// A number or a truth.
    pub fn plain(mut self, name: &str, value: impl fmt::Display) -> Self {
        let _ = write!(self.0, ",\"{name}\":{value}");
        self
    }

    /// A text, escaped.
    pub fn text(mut self, name: &str, value: impl fmt::Display) -> Self {
        let _ = write!(self.0, ",\"{name}\":\"");
        for letter in value.to_string().chars() {
            match letter {
                '"' | '\\' => self.0.extend(['\\', letter]),
                letter if u32::from(letter) < 0x20 => drop(write!(self.0, "\\u{:04x}", u32::from(letter))),
                letter => self.0.push(letter),
            }
        }
        self.0.push('"');
        self
    }

    pub fn end(mut self) -> String {
        self.0.push('}');
        self.0
    }
}
