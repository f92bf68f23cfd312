//! What a fault needs to know of a dialect's words: whom a connection serves, what a text is, how the venue refuses.
//!
//! Pure. The faults themselves lie in [`crate::faults`] and know no venue.

use super::HttpRequest;
use smc_core::TsNs;

/// What a client asks for, by whichever way it came.
#[derive(Clone, Copy, Debug)]
pub enum Request<'a> {
    /// A text on a WebSocket connection.
    Text(&'a str),
    /// An HTTP request.
    Http(&'a HttpRequest),
}

/// Whom a WebSocket connection serves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lane {
    /// Market data.
    Market,
    /// Orders and the account's private events.
    Orders,
}

/// What a text that the venue sends is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Said {
    /// Market data.
    Market,
    /// The answer to a request.
    Answer,
    /// A private event about an order.
    Report,
    /// Another private event.
    Account,
}

/// What a request is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Asked {
    /// A new order.
    Place,
    /// A cancel.
    Cancel,
    /// Anything else.
    Other,
}

/// A refusal that has nothing to do with what was asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Trouble {
    /// HTTP status: 403, 418, 429 or one of the five hundreds.
    pub status: u16,
    /// Market time in milliseconds to wait until, where the venue tells it.
    pub retry_at_ms: Option<u64>,
    /// What was asked for has been done all the same; the venue does not know, and its words may not deny it.
    pub is_done: bool,
}

impl Trouble {
    /// The header line that tells how many seconds to wait; empty where the venue does not tell it.
    pub fn retry_after(&self, now: TsNs) -> String {
        let seconds = |ms: u64| ms.saturating_sub(now.as_ms()).div_ceil(1_000);
        self.retry_at_ms.map_or_else(String::new, |ms| format!("Retry-After: {}\r\n", seconds(ms)))
    }
}

/// How a venue announces the end of something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Farewell {
    /// The private events of a connection have ended.
    LoggedOut,
    /// The server will close the connection soon.
    Shutdown,
}
