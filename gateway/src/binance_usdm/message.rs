//! What the venue says: answers to requests, and events of the account; and how both are read.
//!
//! Pure. One parser whose memory is kept; no input can make it panic: what cannot be used is a named [`Refusal`].

use crate::json_line::Json;
use simd_json::prelude::*;
use simd_json::tape::{Object, Value};
use simd_json::{Buffers, Tape};
use smc_core::words::{DecimalError, Money, Name, Price, Qty, Side};
use std::fmt;

/// The parser's memory, reused from message to message.
pub struct Scratch {
    buffers: Buffers,
    tape: Tape<'static>,
}

impl Default for Scratch {
    fn default() -> Self {
        Self::new()
    }
}

impl Scratch {
    /// Room for messages of some kilobytes; grows with the largest one seen.
    pub fn new() -> Self {
        Self { buffers: Buffers::new(16 * 1024), tape: Tape(Vec::with_capacity(4 * 1024)) }
    }

    /// Parses one document and has `read` make something of it. The text is changed (escapes are resolved in place).
    pub(super) fn parse<R>(
        &mut self,
        text: &mut [u8],
        read: impl FnOnce(Value<'_, '_>) -> Result<R, Refusal>,
    ) -> Result<R, Refusal> {
        let mut tape = std::mem::replace(&mut self.tape, Tape(Vec::new())).reset();
        let result = match simd_json::fill_tape(text, &mut self.buffers, &mut tape) {
            Ok(()) => read(tape.as_value()),
            Err(_) => Err(Refusal::NotJson),
        };
        self.tape = tape.reset();
        result
    }
}

/// Why a message was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// Not JSON.
    NotJson,
    /// JSON, but neither an answer nor an event.
    UnknownShape,
    /// An event of a kind we do not know; its name, empty when longer than fifteen bytes.
    UnknownEvent(Name),
    /// A field is missing.
    Missing(&'static str),
    /// A field holds another type than its own, or is out of its range.
    WrongType(&'static str),
    /// A field holds a word we do not know.
    UnknownWord(&'static str),
    /// A field holds a number that we cannot keep exactly.
    BadDecimal(&'static str, DecimalError),
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotJson => f.write_str("not JSON"),
            Self::UnknownShape => f.write_str("neither an answer nor an account event"),
            Self::UnknownEvent(name) => write!(f, "unknown event `{name}`"),
            Self::Missing(field) => write!(f, "field `{field}` is missing"),
            Self::WrongType(field) => write!(f, "field `{field}` has the wrong type or range"),
            Self::UnknownWord(field) => write!(f, "field `{field}` holds an unknown word"),
            Self::BadDecimal(field, error) => write!(f, "field `{field}`: {error}"),
        }
    }
}

impl std::error::Error for Refusal {}

/// The fields of one object, read by the venue's names.
pub(super) struct Fields<'t, 'a>(Object<'t, 'a>);

impl<'t, 'a> Fields<'t, 'a> {
    pub fn of(value: Value<'t, 'a>, field: &'static str) -> Result<Self, Refusal> {
        value.into_object().map(Self).ok_or(Refusal::WrongType(field))
    }

    /// A field that is there and is not null.
    pub fn find(&self, field: &str) -> Option<Value<'t, 'a>> {
        self.0.get(field).filter(|value| !value.is_null())
    }

    pub fn inner(&self, field: &'static str) -> Result<Self, Refusal> {
        Self::of(self.find(field).ok_or(Refusal::Missing(field))?, field)
    }

    pub fn text_or_none(&self, field: &'static str) -> Result<Option<&'a str>, Refusal> {
        match self.find(field) {
            None => Ok(None),
            Some(value) => value.into_string().map(Some).ok_or(Refusal::WrongType(field)),
        }
    }

    pub fn text(&self, field: &'static str) -> Result<&'a str, Refusal> {
        self.text_or_none(field)?.ok_or(Refusal::Missing(field))
    }

    /// An unsigned integer, also one written as text; none for an empty text.
    pub fn integer_or_none(&self, field: &'static str) -> Result<Option<u64>, Refusal> {
        let Some(value) = self.find(field) else { return Ok(None) };
        match (value.as_u64(), value.into_string()) {
            (Some(number), _) => Ok(Some(number)),
            (None, Some("")) => Ok(None),
            (None, Some(text)) => text.parse().map(Some).map_err(|_| Refusal::WrongType(field)),
            (None, None) => Err(Refusal::WrongType(field)),
        }
    }

    pub fn integer(&self, field: &'static str) -> Result<u64, Refusal> {
        self.integer_or_none(field)?.ok_or(Refusal::Missing(field))
    }

    pub fn flag(&self, field: &'static str) -> Result<bool, Refusal> {
        let value = self.find(field).ok_or(Refusal::Missing(field))?;
        value.as_bool().ok_or(Refusal::WrongType(field))
    }

    /// A decimal in 1e-8 units; none when it is not there.
    pub fn decimal_or_none(&self, field: &'static str) -> Result<Option<i64>, Refusal> {
        match self.text_or_none(field)? {
            None | Some("") => Ok(None),
            Some(text) => match Price::parse(text.as_bytes()) {
                Ok(value) => Ok(Some(value.0)),
                Err(error) => Err(Refusal::BadDecimal(field, error)),
            },
        }
    }

    pub fn decimal(&self, field: &'static str) -> Result<i64, Refusal> {
        self.decimal_or_none(field)?.ok_or(Refusal::Missing(field))
    }

    /// An amount whose digits beyond the eighth decimal do not matter (averages and valuations): cut.
    pub fn rough(&self, field: &'static str) -> Result<i64, Refusal> {
        let text = self.text(field)?;
        let end = text.find('.').map_or(text.len(), |point| text.len().min(point + 9));
        let kept = text.get(..end).unwrap_or(text);
        Price::parse(kept.as_bytes()).map(|value| value.0).map_err(|error| Refusal::BadDecimal(field, error))
    }

    pub fn side(&self, field: &'static str) -> Result<Side, Refusal> {
        match self.text(field)? {
            "BUY" => Ok(Side::Buy),
            "SELL" => Ok(Side::Sell),
            _ => Err(Refusal::UnknownWord(field)),
        }
    }

    /// The rows of a list.
    pub fn rows(&self, field: &'static str) -> Result<impl Iterator<Item = Result<Self, Refusal>>, Refusal> {
        let list = match self.find(field) {
            Some(value) => Some(value.into_array().ok_or(Refusal::WrongType(field))?),
            None => None,
        };
        let rows = list.map(|list| list.iter().map(|row| Self::of(row, field)).collect::<Vec<_>>());
        Ok(rows.unwrap_or_default().into_iter())
    }
}

/// State of an order, plain or conditional, as far as it matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// Works or waits.
    Working,
    /// Done.
    Filled,
    /// Cancelled.
    Canceled,
    /// Ended by the venue.
    Expired,
}

impl Status {
    pub(super) fn parse(word: &str, field: &'static str) -> Result<Self, Refusal> {
        match word {
            "NEW" | "PARTIALLY_FILLED" | "NEW_INSURANCE" | "NEW_ADL" | "PENDING_NEW" => Ok(Self::Working),
            "TRIGGERING" | "TRIGGERED" => Ok(Self::Working),
            "FILLED" => Ok(Self::Filled),
            "CANCELED" => Ok(Self::Canceled),
            "EXPIRED" | "EXPIRED_IN_MATCH" | "REJECTED" => Ok(Self::Expired),
            _ => Err(Refusal::UnknownWord(field)),
        }
    }

    /// True when it will never change again.
    pub const fn is_final(self) -> bool {
        !matches!(self, Self::Working)
    }
}

/// `ORDER_TRADE_UPDATE`: something happened to an order of the account, ours or not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OrderReport<'a> {
    /// When it happened.
    pub time_ms: u64,
    /// Symbol.
    pub symbol: &'a str,
    /// The order's client id, whoever gave it.
    pub client_order_id: &'a str,
    /// The venue's id.
    pub order_id: u64,
    /// Side.
    pub side: Side,
    /// What happened, in the venue's word.
    pub execution: &'a str,
    /// State after it.
    pub status: Status,
    /// Of a fill: its number; none when it is none.
    pub trade_id: Option<u64>,
    /// Quantity of this fill.
    pub last_qty: Qty,
    /// Its price.
    pub last_price: Price,
    /// Cumulative filled quantity.
    pub cum_qty: Qty,
    /// Fee in `fee_asset`.
    pub fee: Money,
    /// Asset of the fee; empty where none was taken.
    pub fee_asset: &'a str,
    /// We were the resting side.
    pub is_maker: bool,
}

/// `ALGO_UPDATE`, or the answer to a question: a conditional order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AlgoReport<'a> {
    /// When it changed; none where not told.
    pub time_ms: Option<u64>,
    /// Symbol.
    pub symbol: &'a str,
    /// The client id.
    pub client_id: &'a str,
    /// The venue's id of the conditional order.
    pub algo_id: u64,
    /// State, in the venue's word.
    pub state: &'a str,
    /// The plain order that it became; none before.
    pub order_id: Option<u64>,
    /// Side.
    pub side: Side,
    /// Trigger price.
    pub trigger: Price,
    /// Limit price of what it becomes.
    pub price: Price,
    /// Quantity.
    pub qty: Qty,
    /// Filled of it, where told.
    pub filled: Option<Qty>,
}

impl<'a> AlgoReport<'a> {
    /// Of a REST or WebSocket API row.
    pub(super) fn of_row(row: &Fields<'_, 'a>) -> Result<Self, Refusal> {
        Ok(Self {
            time_ms: row.integer_or_none("updateTime")?,
            symbol: row.text("symbol")?,
            client_id: row.text("clientAlgoId")?,
            algo_id: row.integer("algoId")?,
            state: row.text("algoStatus")?,
            order_id: row.integer_or_none("actualOrderId")?.filter(|&id| id != 0),
            side: row.side("side")?,
            trigger: Price(row.decimal("triggerPrice")?),
            price: Price(row.decimal_or_none("price")?.unwrap_or(0)),
            qty: Qty(row.decimal("quantity")?),
            filled: None,
        })
    }
}

/// An order as answers describe it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OrderRow<'a> {
    /// When it last changed; none where not told.
    pub time_ms: Option<u64>,
    /// Symbol.
    pub symbol: &'a str,
    /// Its client id.
    pub client_order_id: &'a str,
    /// The venue's id.
    pub order_id: u64,
    /// State.
    pub status: Status,
    /// Side; none where not told.
    pub side: Option<Side>,
    /// Limit price.
    pub price: Price,
    /// Quantity.
    pub qty: Qty,
    /// Filled of it.
    pub filled: Qty,
    /// Makers only.
    pub is_maker: bool,
    /// Without a price.
    pub is_market: bool,
}

impl<'a> OrderRow<'a> {
    pub(super) fn of_row(row: &Fields<'_, 'a>) -> Result<Self, Refusal> {
        Ok(Self {
            time_ms: row.integer_or_none("updateTime")?,
            symbol: row.text("symbol")?,
            client_order_id: row.text("clientOrderId")?,
            order_id: row.integer("orderId")?,
            status: Status::parse(row.text("status")?, "status")?,
            side: if row.find("side").is_some() { Some(row.side("side")?) } else { None },
            price: Price(row.decimal_or_none("price")?.unwrap_or(0)),
            qty: Qty(row.decimal_or_none("origQty")?.unwrap_or(0)),
            filled: Qty(row.decimal_or_none("executedQty")?.unwrap_or(0)),
            is_maker: row.text_or_none("timeInForce")? == Some("GTX"),
            is_market: row.text_or_none("type")? == Some("MARKET"),
        })
    }
}

/// One event of the account.
pub(super) enum Event<'t, 'a> {
    Order(OrderReport<'a>),
    /// The same fill as a later order report, without fee and state.
    TradeLite,
    Algo(AlgoReport<'a>),
    /// Balances and positions that changed; `a` is the venue's own part of it.
    Account {
        time_ms: u64,
        body: Fields<'t, 'a>,
    },
    /// Margin or configuration changed: to be read anew.
    AccountChanged,
    KeyExpired,
    /// Known, of no use.
    Ignored,
}

/// Reads an event of the private stream, raw or in the combined envelope. Gives the venue's name of it too.
pub(super) fn event<'t, 'a>(value: Value<'t, 'a>) -> Result<(&'a str, Event<'t, 'a>), Refusal> {
    let root = Fields(value.into_object().ok_or(Refusal::UnknownShape)?);
    let root = if root.find("stream").is_some() { root.inner("data")? } else { root };
    let name = root.text_or_none("e")?.ok_or(Refusal::UnknownShape)?;
    let event = match name {
        "ORDER_TRADE_UPDATE" => Event::Order(order_report(&root, &root.inner("o")?)?),
        "TRADE_LITE" => {
            root.integer("t")?;
            root.text("s")?;
            Event::TradeLite
        }
        "ALGO_UPDATE" => Event::Algo(algo_report(&root, &root.inner("o")?)?),
        "ACCOUNT_UPDATE" => Event::Account { time_ms: root.integer("T")?, body: root.inner("a")? },
        "MARGIN_CALL" | "ACCOUNT_CONFIG_UPDATE" => Event::AccountChanged,
        "listenKeyExpired" => Event::KeyExpired,
        "CONDITIONAL_ORDER_TRIGGER_REJECT" | "STRATEGY_UPDATE" | "GRID_UPDATE" => Event::Ignored,
        _ => return Err(Refusal::UnknownEvent(Name::new(name).unwrap_or_default())),
    };
    Ok((name, event))
}

fn order_report<'a>(root: &Fields<'_, 'a>, order: &Fields<'_, 'a>) -> Result<OrderReport<'a>, Refusal> {
    let qty = order.decimal("l")?;
    Ok(OrderReport {
        time_ms: order.integer_or_none("T")?.map_or_else(|| root.integer("E"), Ok)?,
        symbol: order.text("s")?,
        client_order_id: order.text("c")?,
        order_id: order.integer("i")?,
        side: order.side("S")?,
        execution: order.text("x")?,
        status: Status::parse(order.text("X")?, "X")?,
        trade_id: order.integer_or_none("t")?.filter(|&id| id != 0),
        last_qty: Qty(qty),
        last_price: Price(order.decimal("L")?),
        cum_qty: Qty(order.decimal("z")?),
        fee: Money(order.decimal_or_none("n")?.unwrap_or(0)),
        fee_asset: order.text_or_none("N")?.unwrap_or(""),
        is_maker: order.find("m").is_some() && order.flag("m")?,
    })
}

fn algo_report<'a>(root: &Fields<'_, 'a>, order: &Fields<'_, 'a>) -> Result<AlgoReport<'a>, Refusal> {
    Ok(AlgoReport {
        time_ms: root.integer_or_none("T")?,
        symbol: order.text("s")?,
        client_id: order.text("caid")?,
        algo_id: order.integer("aid")?,
        state: order.text("X")?,
        order_id: order.integer_or_none("ai")?.filter(|&id| id != 0),
        side: order.side("S")?,
        trigger: Price(order.decimal("tp")?),
        price: Price(order.decimal_or_none("p")?.unwrap_or(0)),
        qty: Qty(order.decimal("q")?),
        filled: order.decimal_or_none("aq")?.map(Qty),
    })
}

/// An answer on the WebSocket API.
pub(super) struct Answer<'t, 'a> {
    pub id: Option<u64>,
    pub status: u16,
    pub result: Result<Fields<'t, 'a>, VenueError<'a>>,
    pub root: Fields<'t, 'a>,
}

/// An error, on either interface.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct VenueError<'a> {
    /// The venue's number; 0 where it gave none.
    pub code: i32,
    /// Its words.
    pub message: &'a str,
    /// When the venue will listen again, in its milliseconds.
    pub retry_after_ms: Option<u64>,
}

impl<'a> VenueError<'a> {
    pub(super) fn of(fields: &Fields<'_, 'a>) -> Result<Self, Refusal> {
        let code = fields.find("code").and_then(|code| code.as_i64());
        let retry = fields.find("data").and_then(|data| Fields::of(data, "data").ok());
        Ok(Self {
            code: i32::try_from(code.ok_or(Refusal::Missing("code"))?)
                .map_err(|_| Refusal::WrongType("code"))?,
            message: fields.text("msg")?,
            retry_after_ms: retry.and_then(|data| data.integer_or_none("retryAfter").ok().flatten()),
        })
    }
}

/// Reads an answer of the WebSocket API.
pub(super) fn answer<'t, 'a>(value: Value<'t, 'a>) -> Result<Answer<'t, 'a>, Refusal> {
    let root = Fields(value.into_object().ok_or(Refusal::UnknownShape)?);
    let status = u16::try_from(root.integer("status").map_err(|_| Refusal::UnknownShape)?);
    let status = status.map_err(|_| Refusal::WrongType("status"))?;
    let id = root.find("id").and_then(|id| id.as_u64());
    let result = match root.find("error") {
        Some(error) => Err(VenueError::of(&Fields::of(error, "error")?)?),
        None => Ok(root.inner("result")?),
    };
    Ok(Answer { id, status, result, root })
}

/// A private message in the house's words, for `smc decode`: its kind and a JSON object; or why it is refused. The text may be
/// changed.
pub fn describe(payload: &mut [u8], scratch: &mut Scratch) -> Result<(&'static str, String), Refusal> {
    scratch.parse(payload, |value| {
        let root = Fields::of(value, "message").map_err(|_| Refusal::UnknownShape)?;
        if root.find("status").is_some() && root.find("e").is_none() {
            let status = root.integer("status")?;
            return Ok(Json::new("answer").plain("status", status).end());
        }
        let (name, event) = event(value)?;
        let said = |kind| Json::new(kind).text("event", name);
        let json = match event {
            Event::Order(report) => said("order_report")
                .text("symbol", report.symbol)
                .plain("order_id", report.order_id)
                .text("execution", report.execution)
                .text("cum_qty", report.cum_qty)
                .text("last_qty", report.last_qty)
                .text("last_price", report.last_price)
                .plain("trade_id", report.trade_id.unwrap_or(0)),
            Event::Algo(report) => said("algo_report")
                .text("symbol", report.symbol)
                .plain("algo_id", report.algo_id)
                .text("state", report.state),
            Event::TradeLite => said("early_fill"),
            Event::Account { .. } | Event::AccountChanged => said("account"),
            Event::KeyExpired => said("key_expired"),
            Event::Ignored => said("ignored"),
        };
        Ok(json.end())
    })
}
