//! What the feeds of Binance spot and Binance futures share: everything but how a message is spelled.
//!
//! ```text
//!  lines of sessions ─► dialect ─► market ─► events       session    one stream connection
//!                       (decodes)   │                     line       the one that speaks and the one that stands by
//!  snapshots ───────────────────────┴─ sync ─ ladder      market     pure: what becomes an event, feed states
//!                                                         sync       pure: the venue's book rules
//! ```
//!
//! `feed` joins them and is what a thread turns.

pub mod buffer;
pub mod cursor;
pub mod describe;
pub mod dialect;
pub mod feed;
pub mod fields;
pub mod history;
pub mod line;
pub mod market;
pub mod message;
pub mod rules;
pub mod session;
pub mod settings;
pub mod snapshots;
pub mod subscribe;
pub mod sync;
