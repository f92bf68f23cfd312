//! One line: what an event said, made text.

use crate::Form;
use serde_json::{Map, Value};
use std::fmt;
use std::fmt::Write;
use tracing::Level;
use tracing::field::{Field, Visit};

/// Bytes of a message or a field that are kept.
const TEXT_BYTES_MAX: usize = 4_096;
/// Fields that are kept.
const FIELDS_MAX: usize = 32;

/// What an event said.
#[derive(Debug)]
pub(crate) struct Line {
    pub at: jiff::Timestamp,
    pub level: Level,
    pub target: &'static str,
    pub thread: String,
    pub message: String,
    pub fields: Vec<(&'static str, Value)>,
}

/// Takes an event apart.
#[derive(Default)]
pub(crate) struct Parts {
    pub message: String,
    pub fields: Vec<(&'static str, Value)>,
}

impl Parts {
    fn add(&mut self, field: &Field, value: Value) {
        if field.name() == "message" {
            self.message = match value {
                Value::String(text) => text,
                other => other.to_string(),
            };
        } else if self.fields.len() < FIELDS_MAX {
            self.fields.push((field.name(), value));
        }
    }
}

impl Visit for Parts {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        let mut text = Bounded(String::new());
        // An error means that it was cut.
        let is_cut = write!(text, "{value:?}").is_err();
        if is_cut {
            text.0.push('…');
        }
        self.add(field, Value::String(text.0));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.record_debug(field, &format_args!("{value}"));
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.add(field, value.into());
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.add(field, value.into());
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        self.add(field, value.into());
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.add(field, value.into());
    }
}

/// Text that stops growing: whoever prints a book of a million levels pays for one screen.
struct Bounded(String);

impl Write for Bounded {
    fn write_str(&mut self, more: &str) -> fmt::Result {
        let room = TEXT_BYTES_MAX.saturating_sub(self.0.len());
        if more.len() <= room {
            self.0.push_str(more);
            return Ok(());
        }
        let cut = (0..=room).rev().find(|&at| more.is_char_boundary(at)).unwrap_or(0);
        self.0.push_str(more.get(..cut).unwrap_or_default());
        Err(fmt::Error)
    }
}

/// Text whose control characters are escapes: it cannot end a line, move a cursor, or turn the direction of reading. For what
/// came from outside and is printed anywhere.
pub fn inert(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            // Line separators and marks of direction are no control characters to Unicode, but to a terminal.
            '\u{2028}'
            | '\u{2029}'
            | '\u{202a}'..='\u{202e}'
            | '\u{2066}'..='\u{2069}'
            | '\u{200e}'
            | '\u{200f}'
            | '\u{feff}' => _ = write!(out, "\\u{{{:x}}}", letter as u32),
            letter if letter.is_control() => _ = write!(out, "\\u{{{:x}}}", letter as u32),
            letter => out.push(letter),
        }
    }
    out
}

impl Line {
    /// The line with its end. `is_file` puts the time before what people read.
    pub fn text(&self, form: Form, is_file: bool) -> String {
        let mut text = match form {
            Form::Json => self.json(),
            Form::Human => self.human(is_file),
        };
        text.push('\n');
        text
    }

    fn human(&self, is_file: bool) -> String {
        let mut text = if is_file {
            format!("{:.3} {:<5} {}: ", self.at, self.level.as_str(), self.target)
        } else {
            let word = match self.level {
                Level::ERROR => "error: ",
                Level::WARN => "warning: ",
                Level::INFO => "",
                _ => "debug: ",
            };
            format!("smc: {word}")
        };
        text.push_str(&inert(&self.message));
        for (nth, (name, value)) in self.fields.iter().enumerate() {
            text.push_str(if nth == 0 { "; " } else { ", " });
            text.push_str(&name.replace('_', " "));
            text.push(' ');
            match value {
                Value::String(value) => text.push_str(&inert(value)),
                other => _ = write!(text, "{other}"),
            }
        }
        text
    }

    fn json(&self) -> String {
        let mut fields = Map::new();
        for (name, value) in &self.fields {
            let value = match value {
                Value::String(text) => Value::String(inert(text)),
                other => other.clone(),
            };
            fields.insert((*name).to_owned(), value);
        }
        let line = serde_json::json!({
            "ts": format!("{:.6}", self.at), "level": self.level.as_str().to_ascii_lowercase(),
            "target": self.target, "thread": inert(&self.thread), "message": inert(&self.message), "fields": fields,
        });
        line.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(message: &str, fields: Vec<(&'static str, Value)>) -> Line {
        let at = jiff::Timestamp::from_millisecond(1_700_000_000_123).unwrap();
        let (target, thread, message) = ("smc::run", "main".into(), message.into());
        Line { at, level: Level::INFO, target, thread, message, fields }
    }

    #[test]
    fn people_read_words_and_programs_read_fields() {
        let said = line("ready", vec![("journal", "/j".into()), ("control_socket", 7.into())]);
        assert_eq!(said.text(Form::Human, false), "smc: ready; journal /j, control socket 7\n");
        assert_eq!(
            said.text(Form::Human, true),
            "2023-11-14T22:13:20.123Z INFO  smc::run: ready; journal /j, control socket 7\n"
        );
        let json: Value = serde_json::from_str(&said.text(Form::Json, false)).unwrap();
        assert_eq!((&json["fields"]["control_socket"], &json["level"]), (&7.into(), &"info".into()));
        assert_eq!(json["ts"], "2023-11-14T22:13:20.123000Z");
    }

    /// S14: what a venue sends cannot make a second line, a colour, or text that reads backwards.
    #[test]
    fn what_came_from_outside_stays_on_its_line() {
        let evil = "x\nsmc: ready\r\u{1b}[2J\u{9b}1m\u{202e}\u{7f}\u{0}\u{2028}";
        let said = line(evil, vec![("reason", evil.into())]);
        for text in
            [said.text(Form::Human, false), said.text(Form::Human, true), said.text(Form::Json, false)]
        {
            assert_eq!(text.matches('\n').count(), 1, "{text:?}");
            let bad =
                |letter: char| letter.is_control() && letter != '\n' || "\u{202e}\u{2028}".contains(letter);
            assert!(!text.contains(bad), "{text:?}");
            assert!(text.contains("[2J"), "told, not lost: {text:?}");
        }
    }
}
