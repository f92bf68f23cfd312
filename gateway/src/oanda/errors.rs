//! The venue's reasons as numbers and a few reactions.
//!
//! The venue says why by a word. The core's words carry a number: the word's place in this table, from 1, which is
//! therefore only ever appended to. A word that is not in it refuses and has the number [`UNKNOWN`].

/// What a refusal asks of us.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reaction {
    /// Nothing was done, and asking again will not help.
    Refuse,
    /// Nothing was done; asking again later may work.
    Retry,
    /// Too many: nothing was done, and nothing may be asked for a while.
    Wait,
    /// It may have been done or not: ask.
    Unknown,
    /// There is no such order now; it may have ended.
    NoSuchOrder,
    /// The token or the account: no retry can help.
    Fatal,
}

/// The number of a reason that the table does not have.
pub const UNKNOWN: i32 = 10_000;
/// The number of a request that was malformed, for which the venue gives a sentence and no word.
pub const MALFORMED: i32 = 10_001;
/// The number told where the answer to a cancel was lost and the order turns out to work still.
pub const OUTCOME_LOST: i32 = 10_002;
/// Added to an HTTP status that came without a word.
pub const HTTP: i32 = 20_000;

/// The number of a reason.
pub fn code(word: &str) -> i32 {
    // The venue's own description spells one of them in another way than the venue.
    let word = if word == "UNITS_MIMIMUM_NOT_MET" { "UNITS_MINIMUM_NOT_MET" } else { word };
    REASONS.iter().position(|(known, _)| *known == word).map_or(UNKNOWN, |at| at as i32 + 1)
}

/// The word of a number; none for numbers that stand for no word.
pub fn word(code: i32) -> Option<&'static str> {
    let at = usize::try_from(code).ok()?.checked_sub(1)?;
    REASONS.get(at).map(|(word, _)| *word)
}

/// What a reason asks of us. One that we do not know refuses: the venue never gives one for what it has done.
pub fn reaction(word: &str) -> Reaction {
    let code = code(word);
    let at = usize::try_from(code - 1).unwrap_or(usize::MAX);
    REASONS.get(at).map_or(Reaction::Refuse, |(_, reaction)| *reaction)
}

/// What an HTTP status means for a request that changes something.
pub const fn reaction_to_status(status: u16) -> Reaction {
    match status {
        401 | 403 => Reaction::Fatal,
        429 => Reaction::Wait,
        404 => Reaction::NoSuchOrder,
        400 | 405 | 406 | 411..=417 => Reaction::Refuse,
        _ => Reaction::Unknown,
    }
}

use Reaction::{Fatal, NoSuchOrder, Refuse, Retry, Unknown};

/// Reasons of refusals and of cancels that are none of ours. Only ever appended to.
const REASONS: &[(&str, Reaction)] = &[
    ("INTERNAL_SERVER_ERROR", Unknown),
    ("INSTRUMENT_UNKNOWN", Refuse),
    ("INSTRUMENT_NOT_TRADEABLE", Retry),
    ("INSTRUMENT_PRICE_UNKNOWN", Retry),
    ("UNITS_MISSING", Refuse),
    ("UNITS_INVALID", Refuse),
    ("UNITS_PRECISION_EXCEEDED", Refuse),
    ("UNITS_LIMIT_EXCEEDED", Refuse),
    ("UNITS_MINIMUM_NOT_MET", Refuse),
    ("PRICE_MISSING", Refuse),
    ("PRICE_INVALID", Refuse),
    ("PRICE_PRECISION_EXCEEDED", Refuse),
    ("PRICE_BOUND_INVALID", Refuse),
    ("PRICE_BOUND_PRECISION_EXCEEDED", Refuse),
    ("PRICE_DISTANCE_INVALID", Refuse),
    ("PRICE_DISTANCE_MAXIMUM_EXCEEDED", Refuse),
    ("PRICE_DISTANCE_MINIMUM_NOT_MET", Refuse),
    ("PRICE_DISTANCE_PRECISION_EXCEEDED", Refuse),
    ("TIME_IN_FORCE_MISSING", Refuse),
    ("TIME_IN_FORCE_INVALID", Refuse),
    ("TIME_IN_FORCE_GTD_TIMESTAMP_MISSING", Refuse),
    ("TIME_IN_FORCE_GTD_TIMESTAMP_IN_PAST", Refuse),
    ("CLIENT_ORDER_ID_INVALID", Refuse),
    ("CLIENT_ORDER_ID_ALREADY_EXISTS", Refuse),
    ("TRADE_DOESNT_EXIST", Refuse),
    ("ORDER_DOESNT_EXIST", NoSuchOrder),
    ("NO_SUCH_ORDER", NoSuchOrder),
    ("NO_SUCH_TRADE", Refuse),
    ("STOP_LOSS_ORDER_ALREADY_EXISTS", Refuse),
    ("TAKE_PROFIT_ORDER_ALREADY_EXISTS", Refuse),
    ("TRAILING_STOP_LOSS_ORDER_ALREADY_EXISTS", Refuse),
    ("STOP_LOSS_ON_FILL_PRICE_INVALID", Refuse),
    ("STOP_LOSS_ON_FILL_PRICE_PRECISION_EXCEEDED", Refuse),
    ("TAKE_PROFIT_ON_FILL_PRICE_INVALID", Refuse),
    ("TAKE_PROFIT_ON_FILL_PRICE_PRECISION_EXCEEDED", Refuse),
    ("STOP_LOSS_ORDER_PRICE_AND_DISTANCE_BOTH_SPECIFIED", Refuse),
    ("STOP_LOSS_ORDER_PRICE_AND_DISTANCE_BOTH_MISSING", Refuse),
    ("PENDING_ORDERS_ALLOWED_EXCEEDED", Retry),
    ("OPEN_TRADES_ALLOWED_EXCEEDED", Retry),
    ("POSITION_SIZE_EXCEEDED", Refuse),
    ("INSUFFICIENT_MARGIN", Refuse),
    ("INSUFFICIENT_LIQUIDITY", Retry),
    ("BOUNDS_VIOLATION", Retry),
    ("FIFO_VIOLATION", Refuse),
    ("MARKET_HALTED", Retry),
    ("INSTRUMENT_BID_HALTED", Retry),
    ("INSTRUMENT_ASK_HALTED", Retry),
    ("INSTRUMENT_BID_REDUCE_ONLY", Retry),
    ("INSTRUMENT_ASK_REDUCE_ONLY", Retry),
    ("ACCOUNT_NOT_ACTIVE", Fatal),
    ("ACCOUNT_LOCKED", Fatal),
    ("ACCOUNT_NEW_POSITIONS_LOCKED", Refuse),
    ("ACCOUNT_ORDER_CREATION_LOCKED", Refuse),
    ("ACCOUNT_ORDER_FILL_LOCKED", Refuse),
    ("ACCOUNT_ORDER_CANCEL_LOCKED", Refuse),
    ("ACCOUNT_CONFIGURATION_LOCKED", Refuse),
    ("ACCOUNT_POSITION_VALUE_LIMIT_EXCEEDED", Refuse),
    ("CLIENT_TRADE_ID_ALREADY_EXISTS", Refuse),
    ("CLOSEOUT_POSITION_DOESNT_EXIST", Refuse),
    ("CLOSEOUT_POSITION_REJECT", Refuse),
    ("CLOSEOUT_POSITION_UNITS_EXCEED_POSITION_SIZE", Refuse),
    ("CLOSE_TRADE_UNITS_EXCEED_TRADE_SIZE", Refuse),
    ("ORDER_CANNOT_BE_CANCELLED", NoSuchOrder),
    ("ORDER_CANNOT_BE_REPLACED", NoSuchOrder),
    ("REPLACING_ORDER_INVALID", NoSuchOrder),
    ("REPLACING_TRADE_ID_INVALID", Refuse),
    ("LOSING_TAKE_PROFIT", Refuse),
    ("STOP_LOSS_ON_FILL_LOSS", Refuse),
    ("STOP_LOSS_ON_FILL_REQUIRED", Refuse),
    ("STOP_LOSS_ON_FILL_GTD_TIMESTAMP_IN_PAST", Refuse),
    ("STOP_LOSS_ON_FILL_CLIENT_ORDER_ID_ALREADY_EXISTS", Refuse),
    ("TAKE_PROFIT_ON_FILL_LOSS", Refuse),
    ("TAKE_PROFIT_ON_FILL_GTD_TIMESTAMP_IN_PAST", Refuse),
    ("TAKE_PROFIT_ON_FILL_CLIENT_ORDER_ID_ALREADY_EXISTS", Refuse),
    ("TRAILING_STOP_LOSS_ON_FILL_CLIENT_ORDER_ID_ALREADY_EXISTS", Refuse),
    ("HEDGING_GSLO_VIOLATION", Refuse),
    ("POSITION_CLOSEOUT_FAILED", Refuse),
    ("MIGRATION", Refuse),
    ("TIME_IN_FORCE_EXPIRED", Refuse),
    ("LINKED_TRADE_CLOSED", Refuse),
    ("NO_TRADE_OPENED", Refuse),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reasons_and_numbers_map_onto_each_other() {
        for (at, (text, _)) in REASONS.iter().enumerate() {
            assert_eq!(code(text), at as i32 + 1, "{text} is there twice");
            assert_eq!(word(code(text)), Some(*text));
        }
        assert_eq!((code("INTERNAL_SERVER_ERROR"), code("MIGRATION")), (1, 78), "numbers are journaled");
        assert_eq!(code("UNITS_MIMIMUM_NOT_MET"), code("UNITS_MINIMUM_NOT_MET"));
        assert_eq!((code("A_NEW_ONE"), reaction("A_NEW_ONE")), (UNKNOWN, Reaction::Refuse));
        assert_eq!((word(0), word(-1), word(UNKNOWN)), (None, None, None));
    }

    /// The reference's table, section 10.
    #[test]
    fn each_status_is_one_reaction() {
        let rows: &[(&[u16], Reaction)] = &[
            (&[400, 405, 416], Reaction::Refuse),
            (&[401, 403], Reaction::Fatal),
            (&[404], Reaction::NoSuchOrder),
            (&[429], Reaction::Wait),
            (&[500, 502, 503, 504, 408, 302], Reaction::Unknown),
        ];
        for (statuses, expected) in rows {
            statuses.iter().for_each(|&status| assert_eq!(reaction_to_status(status), *expected, "{status}"));
        }
    }
}
