//! A journal's inputs through the engine again: the same outputs, byte for byte, or the first that differs; and
//! answers to what people ask of a run: how it stood, why, what if, what is different.
//!
//! Knows the core, its settings and the journal; no socket, thread or clock. What a live process, a backtest and a
//! person with a question share stands here.

mod course;
mod diff;
mod explain;
mod fields;
mod history;
mod rebuild;
mod shadow;
mod until;
mod verify;
mod watched;
pub mod what_if;

pub use course::describe_bytes;
pub use diff::{Change, Diff, DiffOptions, Entry, FieldChange, diff};
pub use explain::{DecisionWhy, Explanation, Line, Question, SignalWhy, TradeWhy, explain};
pub use fields::{
    Content, Field, Value, body_fields, codes_text, content, fields_json, scope_name, state_name, value_json,
    words,
};
pub use history::{At, BarAt, Cause, Leaving, OrderStory};
pub use rebuild::{RebuildError, Rebuilt, Under, rebuild};
pub use shadow::{Onlooker, RECORDS_PER_TURN_MAX, Shadow, ShadowError, Step, save};
pub use until::{ChartAt, InstrumentAt, StateAt, ZoneAt, until};
pub use verify::{Difference, Replay, ReplayError, replay, replay_first};
pub use watched::{Seen, SeenLook};
