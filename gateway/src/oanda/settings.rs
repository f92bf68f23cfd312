//! What a gateway is told at start, and why that cannot work.

use smc_core::words::{ClientOrderId, Name, Qty};
use smc_net::{Endpoint, Secret};
use std::fmt;

pub use crate::common::{GatewayCounters, GatewayFatal, GatewayInstrument, SendError};

/// Where to connect and as whom. Live trading differs from practice and the simulator by these alone. Its Debug shows no
/// token.
#[derive(Clone, Debug)]
pub struct GatewaySettings {
    /// Where the streams are.
    pub stream: Endpoint,
    /// Where everything else is.
    pub rest: Endpoint,
    /// The account that is traded, as `101-004-1234567-001`.
    pub account: String,
    /// The token that may trade it.
    pub token: Secret,
    /// Our engine's instance: the first part of every client order id that is ours.
    pub instance: u16,
}

impl GatewaySettings {
    /// All that is needed.
    pub fn new(stream: Endpoint, rest: Endpoint, account: &str, token: Secret, instance: u16) -> Self {
        Self { stream, rest, account: account.to_owned(), token, instance }
    }
}

/// An order that an engine sent before this process, as its journal has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Recalled {
    /// Our id.
    pub client_order_id: ClientOrderId,
    /// Asked for in all, whatever parts the venue made of it; 0 where that may still change.
    pub asked: Qty,
    /// Sum of the fills counted.
    pub filled: Qty,
    /// It fills at once or not at all.
    pub is_immediate: bool,
    /// A stop comes with its fill.
    pub has_stop: bool,
    /// A target comes with its fill.
    pub has_target: bool,
}

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
    /// The account's id is empty or holds bytes that no id has.
    BadAccount,
    /// The token is empty or holds bytes that no token has.
    BadToken,
}

impl fmt::Display for GatewayError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoInstruments => f.write_str("no instruments"),
            Self::TwiceNamed(symbol) => write!(f, "instrument {symbol}: its id or symbol is given twice"),
            Self::BadSymbol(symbol) => write!(f, "`{symbol}` is not an instrument's name"),
            Self::BadGrid(symbol) => write!(f, "instrument {symbol}: tick and lot must be positive"),
            Self::BadAccount => f.write_str("the account's id is empty or holds characters that no id has"),
            Self::BadToken => f.write_str("the token is empty or holds characters that no token has"),
        }
    }
}

impl std::error::Error for GatewayError {}

/// Whether the settings can work.
pub(super) fn check(
    settings: &GatewaySettings,
    instruments: &[GatewayInstrument],
) -> Result<(), GatewayError> {
    let is_word = |text: &str| {
        let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
        !text.is_empty() && text.bytes().all(is_plain)
    };
    if instruments.is_empty() {
        return Err(GatewayError::NoInstruments);
    }
    for (at, one) in instruments.iter().enumerate() {
        let is_twice = |other: &GatewayInstrument| other.id == one.id || other.spec.symbol == one.spec.symbol;
        if instruments.iter().skip(at + 1).any(is_twice) {
            return Err(GatewayError::TwiceNamed(one.spec.symbol));
        }
        if !is_word(one.spec.symbol.as_str()) {
            return Err(GatewayError::BadSymbol(one.spec.symbol));
        }
        if one.spec.tick.0 <= 0 || one.spec.lot.0 <= 0 {
            return Err(GatewayError::BadGrid(one.spec.symbol));
        }
    }
    if !is_word(&settings.account) {
        return Err(GatewayError::BadAccount);
    }
    if !is_word(settings.token.expose()) {
        return Err(GatewayError::BadToken);
    }
    Ok(())
}
