//! JSON objects of one line, for `smc decode`.

use std::fmt::{self, Write as _};

/// An object under way; its first member is its kind.
pub(crate) struct Json {
    kind: &'static str,
    text: String,
}

impl Json {
    pub fn new(kind: &'static str) -> Self {
        Self { kind, text: format!("{{\"kind\":\"{kind}\"") }
    }

    /// A number or a truth.
    pub fn plain(mut self, name: &str, value: impl fmt::Display) -> Self {
        let _ = write!(self.text, ",\"{name}\":{value}");
        self
    }

    /// A text, escaped.
    pub fn text(mut self, name: &str, value: impl fmt::Display) -> Self {
        let _ = write!(self.text, ",\"{name}\":\"");
        for letter in value.to_string().chars() {
            match letter {
                '"' | '\\' => self.text.extend(['\\', letter]),
                letter if u32::from(letter) < 0x20 => drop(write!(self.text, "\\u{:04x}", u32::from(letter))),
                letter => self.text.push(letter),
            }
        }
        self.text.push('"');
        self
    }

    /// The kind and the whole object.
    pub fn end(mut self) -> (&'static str, String) {
        self.text.push('}');
        (self.kind, self.text)
    }
}
