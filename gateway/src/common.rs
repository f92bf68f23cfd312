//! What every gateway shares: its instruments, what it says when it cannot be made or an order cannot be sent, and what it
//! counts.

use crate::sign::KeyError;
use smc_core::instrument::InstrumentSpec;
#[cfg(feature = "bench")]
use smc_core::output::NewOrder;
use smc_core::words::{InstrumentId, Name, TsNs};
use std::fmt;

/// An instrument that orders may be sent for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GatewayInstrument {
    /// Its place in the engine's table.
    pub id: InstrumentId,
    /// Its symbol, assets and grid.
    pub spec: InstrumentSpec,
}

/// Refusals of key, signature, permission or address. Before the gateway was ever ready the first one is for good: whoever
/// starts an engine is there to mend it. Later it takes three with nothing let through between them, and half a minute: an
/// address that is kept out for moments gets the same words. No key is tried for ever, which could lock it.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Refusals {
    was_ready: bool,
    count: u32,
    since: TsNs,
}

impl Refusals {
    const MAX: u32 = 3;
    const SPAN: u64 = 30_000_000_000;

    /// Notes one; true when it is for good.
    pub fn note(&mut self, now: TsNs) -> bool {
        if self.count == 0 {
            self.since = now;
        }
        self.count = self.count.saturating_add(1);
        !self.was_ready || self.count >= Self::MAX && now.since(self.since) >= Self::SPAN
    }

    /// Something was let through.
    pub const fn forget(&mut self) {
        self.count = 0;
    }

    /// Orders may be sent.
    pub const fn on_ready(&mut self) {
        self.was_ready = true;
    }
}

/// A venue's encoder by itself: request number, venue's time in milliseconds, order; the bytes go to the last argument.
#[cfg(feature = "bench")]
pub type Encoding = Box<dyn FnMut(u64, u64, &NewOrder, &mut dyn FnMut(&[u8])) -> Result<(), SendError>>;

/// Why a gateway could not be made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GatewayError {
    /// No instrument at all.
    NoInstruments,
    /// Two instruments share an id or a symbol.
    TwiceNamed(Name),
    /// A symbol with bytes that no symbol has.
    BadSymbol(Name),
    /// A tick or lot that is not positive.
    BadGrid(Name),
    /// The private key.
    Key(KeyError),
    /// The API key is empty or holds bytes that no key has.
    BadApiKey,
    /// `recv_window_ms` outside 1 to 60 000.
    BadRecvWindow(u32),
    /// The dead man's switch at a time that the venue does not take, or that would fire between two of our words.
    BadDeadMan {
        /// What was given, in milliseconds.
        given_ms: u32,
        /// The shortest that is taken, in milliseconds.
        least_ms: u32,
        /// The longest.
        most_ms: u32,
    },
}

impl fmt::Display for GatewayError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoInstruments => f.write_str("no instruments"),
            Self::TwiceNamed(symbol) => write!(f, "instrument {symbol}: its id or symbol is given twice"),
            Self::BadSymbol(symbol) => write!(f, "`{symbol}` is not a symbol"),
            Self::BadGrid(symbol) => write!(f, "instrument {symbol}: tick and lot must be positive"),
            Self::Key(error) => write!(f, "private key: {error}"),
            Self::BadApiKey => f.write_str("the API key is empty or holds characters that no key has"),
            Self::BadRecvWindow(ms) => write!(f, "recv_window_ms is {ms}, must be 1 to 60000"),
            Self::BadDeadMan { given_ms, least_ms, most_ms } => {
                write!(f, "dead_man_ms is {given_ms}, must be {least_ms} to {most_ms}")
            }
        }
    }
}

impl std::error::Error for GatewayError {}

/// Why an order or a cancel was not sent. Nothing of it left the process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SendError {
    /// Not connected, not logged on, or not yet reconciled.
    NotReady,
    /// The venue's limits are used up, or it told us to wait.
    RateLimited {
        /// Our clock's moment from which it may work again.
        until: TsNs,
    },
    /// Too many orders or requests at once.
    Full,
    /// The socket has not taken what was sent before.
    Backpressure,
    /// An order with this client id is under way or working already.
    Duplicate,
    /// Not one of our instruments.
    UnknownInstrument,
    /// A price that is not positive, or has more decimals than the instrument.
    BadPrice,
    /// A quantity that is not positive, or has more decimals than the instrument.
    BadQty,
    /// Two orders that the venue cannot pair: not a stop and a limit of the same side, quantity and instrument.
    BadPair,
    /// The other order of the pair has left alone, or never came.
    PairBroken,
    /// The order to be replaced has begun to fill, or is not known to work.
    CannotReplace,
    /// Stop or target along with an entry: the venue would place them only once all of it has filled.
    CannotAttach,
    /// Our clock stands outside the years 2001 to 2286.
    BadTime,
    /// The venue cannot do this in the way it was asked for.
    Unsupported,
}

impl fmt::Display for SendError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotReady => f.write_str("the gateway is not ready"),
            Self::RateLimited { until } => {
                write!(f, "the venue's limits are used up until {} ms", until.as_ms())
            }
            Self::Full => f.write_str("too many orders or requests at once"),
            Self::Backpressure => f.write_str("the socket is full"),
            Self::Duplicate => f.write_str("an order with this client id is working already"),
            Self::UnknownInstrument => f.write_str("not one of the gateway's instruments"),
            Self::BadPrice => f.write_str("the price is not positive or too fine for the instrument"),
            Self::BadQty => f.write_str("the quantity is not positive or too fine for the instrument"),
            Self::BadPair => f.write_str("not a stop and a limit that the venue can pair"),
            Self::PairBroken => f.write_str("the other order of the pair has left alone"),
            Self::CannotReplace => f.write_str("the order to be replaced has begun to fill or does not work"),
            Self::CannotAttach => f.write_str("the venue protects an entry only once all of it has filled"),
            Self::BadTime => f.write_str("the clock stands outside the years 2001 to 2286"),
            Self::Unsupported => f.write_str("the venue cannot do this in the way it was asked for"),
        }
    }
}

impl std::error::Error for SendError {}

/// Why the venue will not let us in. No retry can help; a person has to act.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GatewayFatal {
    /// The venue's error number; 0 where it gave none.
    pub code: i32,
    /// What we asked for.
    pub step: &'static str,
    /// The venue's words.
    pub message: String,
}

impl fmt::Display for GatewayFatal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the venue refused {}: {} ({})", self.step, self.message, self.code)
    }
}

impl std::error::Error for GatewayFatal {}

/// What a gateway has done since start. Plain counts, written by its one owner.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct GatewayCounters {
    /// Messages read.
    pub messages: u64,
    /// Messages that could not be used.
    pub refused: u64,
    /// Orders written.
    pub orders_sent: u64,
    /// Cancels written.
    pub cancels_sent: u64,
    /// Orders accepted, told by an answer or a report; an order may count twice.
    pub acks: u64,
    /// Orders refused.
    pub rejects: u64,
    /// Cancels refused.
    pub cancel_rejects: u64,
    /// Fills handed on.
    pub fills: u64,
    /// Fills dropped because the same trade was handed on before.
    pub fills_repeated: u64,
    /// Orders of which fewer fills were handed on than the venue counts, because it would not tell the rest.
    pub fills_missing: u64,
    /// Requests whose outcome was unknown.
    pub unknown: u64,
    /// Orders proved never to have arrived.
    pub not_found: u64,
    /// Questions about orders and trades written.
    pub queries: u64,
    /// Reports about orders that are not ours.
    pub foreign: u64,
    /// Answers to no request of ours.
    pub stray_answers: u64,
    /// Orders denied here because of the venue's limits.
    pub rate_limited: u64,
    /// Connections made.
    pub connects: u64,
    /// Connections lost or given up.
    pub cuts: u64,
    /// Weight used in the venue's minute, as last told.
    pub weight_used: u32,
    /// Rounds of reconciliation told whole.
    pub rounds: u64,
    /// Unfilled orders counted in the venue's shortest window, as last told.
    pub orders_used: u32,
}
