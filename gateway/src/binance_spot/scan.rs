//! A scanner for JSON the way the venue writes it: no spaces, no escapes, ASCII.
//!
//! Pure, no allocation, one pass. It reads only what it fully understands; at the first byte that is not so
//! (white space, an escape, a float, a nested value where none is expected) it gives up with `None` and the
//! message goes to the general parser instead. What both understand they understand alike (property test in
//! `decode`), so the scanner is a short cut and never a second opinion.

/// A place in the text.
pub(super) struct Scanner<'a> {
    bytes: &'a [u8],
    at: usize,
}

/// A value without an inside.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Scalar<'a> {
    /// Printable ASCII from the scanner, UTF-8 from the general parser.
    Text(&'a [u8]),
    Integer(i64),
    Bool(bool),
    Null,
    /// Something else; only the general parser says so.
    Other,
}

impl<'a> Scanner<'a> {
    pub fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, at: 0 }
    }

    /// The next byte, not taken.
    pub fn peek(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }

    /// True when everything was read.
    pub fn is_at_end(&self) -> bool {
        self.at == self.bytes.len()
    }

    /// Takes exactly these bytes.
    pub fn take(&mut self, text: &[u8]) -> Option<()> {
        let end = self.at.checked_add(text.len())?;
        if self.bytes.get(self.at..end)? != text {
            return None;
        }
        self.at = end;
        Some(())
    }

    /// Takes `byte` if it comes next.
    pub fn try_take(&mut self, byte: u8) -> bool {
        let is_next = self.peek() == Some(byte);
        self.at += usize::from(is_next);
        is_next
    }

    /// A string without escapes, of printable ASCII. Kept as bytes: most of a message's texts are never looked at.
    pub fn string(&mut self) -> Option<&'a [u8]> {
        self.take(b"\"")?;
        let rest = self.bytes.get(self.at..)?;
        let len = rest.iter().position(|&byte| !is_plain(byte))?;
        if rest.get(len) != Some(&b'"') {
            return None;
        }
        self.at += len + 1;
        rest.get(..len)
    }

    /// A key and its colon.
    pub fn key(&mut self) -> Option<&'a [u8]> {
        let key = self.string()?;
        self.take(b":")?;
        Some(key)
    }

    /// An integer that fits `i64`; leading zeros, fractions and exponents are not understood.
    pub fn integer(&mut self) -> Option<i64> {
        let is_negative = self.try_take(b'-');
        let start = self.at;
        let mut value: i64 = 0;
        while let Some(digit @ b'0'..=b'9') = self.peek() {
            value = value.checked_mul(10)?.checked_add(i64::from(digit - b'0'))?;
            self.at += 1;
        }
        let digits = self.at - start;
        let has_leading_zero = digits > 1 && self.bytes.get(start) == Some(&b'0');
        if digits == 0 || has_leading_zero || (is_negative && value == 0) {
            return None;
        }
        if matches!(self.peek(), Some(b'.' | b'e' | b'E')) {
            return None;
        }
        Some(if is_negative { -value } else { value })
    }

    /// A value without an inside.
    pub fn scalar(&mut self) -> Option<Scalar<'a>> {
        match self.peek()? {
            b'"' => self.string().map(Scalar::Text),
            b't' => self.take(b"true").map(|()| Scalar::Bool(true)),
            b'f' => self.take(b"false").map(|()| Scalar::Bool(false)),
            b'n' => self.take(b"null").map(|()| Scalar::Null),
            _ => self.integer().map(Scalar::Integer),
        }
    }

    /// After a member: true when another follows, false when `close` ended the list.
    pub fn has_more(&mut self, close: u8) -> Option<bool> {
        if self.try_take(b',') {
            return Some(true);
        }
        self.try_take(close).then_some(false)
    }
}

/// Printable ASCII that means only itself inside a string.
const fn is_plain(byte: u8) -> bool {
    matches!(byte, 0x20..0x7f) && byte != b'"' && byte != b'\\'
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_plain_values_are_understood() {
        let scalar = |text: &str| {
            let mut scanner = Scanner::new(text.as_bytes());
            let value = scanner.scalar().map(|v| format!("{v:?}"))?;
            scanner.is_at_end().then_some(value)
        };
        assert_eq!(scalar("\"a b\"").as_deref(), Some("Text([97, 32, 98])"));
        assert_eq!(scalar("-1").as_deref(), Some("Integer(-1)"));
        assert_eq!(scalar("9223372036854775807").as_deref(), Some("Integer(9223372036854775807)"));
        assert_eq!(scalar("null").as_deref(), Some("Null"));
        let not_plain = [
            "",
            "-",
            "-0",
            "01",
            "1.0",
            "1e5",
            "9223372036854775808",
            "nul",
            "tru",
            "\"a",
            "\"a\\n\"",
            "\"é\"",
            " 1",
            "{}",
            "[]",
            "\"\u{1}\"",
            "\"\u{7f}\"",
        ];
        for text in not_plain {
            assert_eq!(scalar(text), None, "{text}");
        }
    }
}
