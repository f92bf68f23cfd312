//! Bytes to messages: any key order, unknown keys, escapes, nulls, numbers as texts or numbers.
//!
//! The JSON is parsed by simd-json onto a tape whose memory is kept from message to message. Cold path: lists allocate. No
//! input can make it panic.

use super::message::*;
use simd_json::prelude::*;
use simd_json::tape::{Array, Object, Value};
use simd_json::{Buffers, Tape};
use smc_core::event::CashKind;
use smc_core::words::{Money, Name, Price, Qty, TsNs};
use smc_net::date;

/// Deepest nesting accepted; the venue's messages have six.
const DEPTH_MAX: usize = 64;

/// The parser's memory, reused from message to message.
pub struct Scratch {
    buffers: Buffers,
    /// Always empty between messages; only its memory is of use.
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
        Self {
            buffers: Buffers::with_max_depth(16 * 1024, DEPTH_MAX),
            tape: Tape(Vec::with_capacity(4 * 1024)),
        }
    }

    fn parse<R>(
        &mut self,
        payload: &mut [u8],
        read: impl FnOnce(Fields<'_, '_>) -> Result<R, Refusal>,
    ) -> Result<R, Refusal> {
        let mut tape = std::mem::replace(&mut self.tape, Tape(Vec::new())).reset();
        let result = match simd_json::fill_tape(payload, &mut self.buffers, &mut tape) {
            Ok(()) => Fields::of(tape.as_value()).ok_or(Refusal::UnknownShape).and_then(read),
            Err(_) => Err(Refusal::NotJson),
        };
        self.tape = tape.reset();
        result
    }
}

/// Reads one line of the transaction stream and hands it to `read`. The payload may be changed (escapes are undone in
/// place).
pub fn decode_line<R>(
    payload: &mut [u8],
    scratch: &mut Scratch,
    read: impl FnOnce(&Line<'_>) -> R,
) -> Result<R, Refusal> {
    scratch.parse(payload, |fields| line(&fields).map(|line| read(&line)))
}

/// Reads the body of an answer and hands it to `read`.
pub fn decode_answer<R>(
    body: &mut [u8],
    scratch: &mut Scratch,
    read: impl FnOnce(&Answer<'_>) -> R,
) -> Result<R, Refusal> {
    scratch.parse(body, |fields| answer(&fields).map(|answer| read(&answer)))
}

/// Reads a line or an answer without knowing which; a recorded one may stand as `msg` inside a note about the request.
pub fn decode_any<R>(
    payload: &mut [u8],
    scratch: &mut Scratch,
    read: impl FnOnce(&Piece<'_>) -> R,
) -> Result<R, Refusal> {
    scratch.parse(payload, |root| {
        let fields = root.object("msg").unwrap_or(root);
        piece(&fields).map(|piece| read(&piece))
    })
}

fn line<'a>(fields: &Fields<'_, 'a>) -> Result<Line<'a>, Refusal> {
    match fields.word("type") {
        "HEARTBEAT" => {
            Ok(Line::Heartbeat { last_id: fields.id("lastTransactionID")?, ts: fields.moment("time")? })
        }
        _ => transaction(fields).map(Line::Transaction),
    }
}

fn answer<'a>(fields: &Fields<'_, 'a>) -> Result<Answer<'a>, Refusal> {
    let mut transactions = Vec::new();
    for (key, value) in fields.0.iter() {
        if key == "transaction" || key.ends_with("Transaction") {
            transactions.extend(Fields::of(value).map(|one| transaction(&one)));
        }
    }
    transactions.extend(fields.rows("transactions").map(|row| transaction(&row?)));
    if let Some(changes) = fields.object("changes") {
        transactions.extend(changes.rows("transactions").map(|row| transaction(&row?)));
    }
    transactions.sort_by_key(|row| row.as_ref().map_or(0, |transaction| transaction.id));
    Ok(Answer {
        transactions,
        last_id: fields.optional_id("lastTransactionID")?,
        code: fields.word("errorCode"),
        text: fields.word("errorMessage"),
        order: fields.object("order").map(|row| order_row(&row)),
        account: fields.object("account").map(|row| account(&row)),
    })
}

fn piece<'a>(fields: &Fields<'_, 'a>) -> Result<Piece<'a>, Refusal> {
    let has = |names: &[&str]| names.iter().any(|name| fields.find(name).is_some());
    if has(&["type"]) && !has(&["pages"]) {
        return match has(&["state"]) {
            true => Ok(Piece::Lists {
                orders: vec![order_row(fields)],
                trades: Vec::new(),
                positions: Vec::new(),
            }),
            false => line(fields).map(Piece::Line),
        };
    }
    if has(&["orders", "trades", "trade", "positions", "position"]) {
        let one = |name| fields.object(name);
        return Ok(Piece::Lists {
            orders: fields.rows("orders").map(|row| order_row(&row?)).collect(),
            trades: fields
                .rows("trades")
                .map(|row| trade(&row?))
                .chain(one("trade").map(|row| trade(&row)))
                .collect(),
            positions: fields
                .rows("positions")
                .map(|row| position(&row?))
                .chain(one("position").map(|row| position(&row)))
                .collect(),
        });
    }
    for name in ["pages", "accounts"] {
        if has(&[name]) {
            return Ok(Piece::Ignored(name));
        }
    }
    let answer = answer(fields)?;
    let is_one = !answer.transactions.is_empty()
        || answer.order.is_some()
        || answer.account.is_some()
        || !answer.text.is_empty();
    if is_one { Ok(Piece::Answer(answer)) } else { Err(Refusal::UnknownShape) }
}

fn transaction<'a>(fields: &Fields<'_, 'a>) -> Result<Transaction<'a>, Refusal> {
    let kind = fields.text("type")?;
    let id = fields.id("id")?;
    let ts = if fields.find("time").is_some() { fields.moment("time")? } else { TsNs(0) };
    let body = body(kind, fields)?;
    Ok(Transaction { id, ts, body })
}

fn body<'a>(kind: &'a str, fields: &Fields<'_, 'a>) -> Result<Body<'a>, Refusal> {
    let ended = |name| {
        Ok::<_, Refusal>((fields.optional_id("orderID")?, fields.word("clientOrderID"), fields.word(name)))
    };
    Ok(match kind {
        "ORDER_FILL" => Body::Filled(fill(fields)?),
        "ORDER_CANCEL" => {
            let (order_id, client_id, why) = ended("reason")?;
            Body::Cancelled { order_id, client_id, why }
        }
        "ORDER_CANCEL_REJECT" => {
            let (order_id, client_id, why) = ended("rejectReason")?;
            Body::CancelRefused { order_id, client_id, why }
        }
        "DAILY_FINANCING" => Body::Cash { kind: CashKind::Financing, rows: financing(fields)? },
        "DIVIDEND_ADJUSTMENT" => {
            let row = (fields.word("instrument"), Money(fields.decimal("dividendAdjustment")?));
            Body::Cash { kind: CashKind::Adjustment, rows: vec![row] }
        }
        "TRANSFER_FUNDS" => {
            Body::Cash { kind: CashKind::Transfer, rows: vec![("", Money(fields.decimal("amount")?))] }
        }
        "CLIENT_CONFIGURE"
        | "CLOSE"
        | "REOPEN"
        | "MARGIN_CALL_ENTER"
        | "MARGIN_CALL_EXTEND"
        | "MARGIN_CALL_EXIT"
        | "DELAYED_TRADE_CLOSURE" => Body::Account(kind),
        _ => {
            if let Some(word) = kind.strip_suffix("_ORDER_REJECT").and_then(Kind::parse) {
                // A close-out of nothing names no units.
                Body::Refused { order: order(word, fields, false)?, why: fields.text("rejectReason")? }
            } else if let Some(word) = kind.strip_suffix("_ORDER").and_then(Kind::parse) {
                Body::Created(order(word, fields, true)?)
            } else if kind.ends_with("_ORDER") {
                return Err(Refusal::UnknownWord { field: "type" });
            } else {
                Body::Other(kind)
            }
        }
    })
}

fn order<'a>(kind: Kind, fields: &Fields<'_, 'a>, is_strict: bool) -> Result<Order<'a>, Refusal> {
    let (instrument, units) = match kind.is_of_trade() {
        true => ("", Qty::ZERO),
        false if is_strict => (fields.text("instrument")?, Qty(fields.decimal("units")?)),
        false => (fields.word("instrument"), Qty(fields.optional_decimal("units").unwrap_or(0))),
    };
    if is_strict && !kind.is_of_trade() && units == Qty::ZERO {
        return Err(Refusal::NotPositive { field: "units" });
    }
    let price = |field| match is_strict {
        true if fields.find(field).is_some() => fields.decimal(field).map(Price),
        // A refused order may hold anything.
        _ => Ok(Price(fields.optional_decimal(field).unwrap_or(0))),
    };
    Ok(Order {
        client_id: fields.object("clientExtensions").map_or("", |extensions| extensions.word("id")),
        kind,
        instrument,
        units,
        price: price("price")?,
        bound: price("priceBound")?,
        is_immediate: kind == Kind::Market || matches!(fields.word("timeInForce"), "FOK" | "IOC"),
        trade_id: fields.optional_id("tradeID")?,
        fill_id: fields.optional_id("orderFillTransactionID")?,
        has_stop: fields.find("stopLossOnFill").is_some(),
        has_target: fields.find("takeProfitOnFill").is_some(),
    })
}

fn fill<'a>(fields: &Fields<'_, 'a>) -> Result<Fill<'a>, Refusal> {
    let units = Qty(fields.decimal("units")?);
    if units == Qty::ZERO {
        return Err(Refusal::NotPositive { field: "units" });
    }
    // The average over the ladder; the older field says the same.
    let price = if fields.find("fullVWAP").is_some() { "fullVWAP" } else { "price" };
    let price = match fields.cut(price)? {
        price if price > 0 => Price(price),
        _ => return Err(Refusal::NotPositive { field: "price" }),
    };
    let optional = |field| if fields.find(field).is_some() { fields.cut(field) } else { Ok(0) };
    let opened =
        fields.object("tradeOpened").map(|t| Ok((t.id("tradeID")?, Qty(t.decimal("units")?)))).transpose()?;
    let mut parts: Option<i64> = opened.map(|(_, units)| units.0);
    let mut add = |row: &Fields<'_, '_>| {
        let units = row.decimal("units")?;
        parts = Some(parts.unwrap_or(0).saturating_add(units));
        Ok::<_, Refusal>(())
    };
    if let Some(row) = fields.object("tradeReduced") {
        add(&row)?;
    }
    for row in fields.rows("tradesClosed") {
        add(&row?)?;
    }
    // Both are told as positive amounts.
    let fee = optional("commission")?
        .saturating_abs()
        .saturating_add(optional("guaranteedExecutionFee")?.saturating_abs());
    Ok(Fill {
        order_id: fields.optional_id("orderID")?,
        client_id: fields.word("clientOrderID"),
        instrument: fields.text("instrument")?,
        units,
        price,
        fee: Money(fee),
        financing: Money(optional("financing")?),
        opened,
        is_balanced: parts.is_none_or(|sum| sum == units.0),
    })
}

/// By instrument; what they do not add up to is the account's as such.
fn financing<'a>(fields: &Fields<'_, 'a>) -> Result<Vec<(&'a str, Money)>, Refusal> {
    let mut rest = fields.cut("financing")?;
    let mut rows = Vec::new();
    for row in fields.rows("positionFinancings") {
        let row = row?;
        let amount = row.cut("financing")?;
        rest = rest.saturating_sub(amount);
        rows.push((row.text("instrument")?, Money(amount)));
    }
    if rest != 0 {
        rows.push(("", Money(rest)));
    }
    Ok(rows)
}

fn order_row<'a>(fields: &Fields<'_, 'a>) -> Result<OrderRow<'a>, Refusal> {
    let kind = Kind::parse(fields.text("type")?).ok_or(Refusal::UnknownWord { field: "type" })?;
    let ended = |field| fields.optional_id(field).map(OrderState::Ended);
    let state = match fields.text("state")? {
        "PENDING" => OrderState::Pending,
        "FILLED" => ended("fillingTransactionID")?,
        "CANCELLED" => ended("cancellingTransactionID")?,
        "TRIGGERED" if fields.find("fillingTransactionID").is_some() => ended("fillingTransactionID")?,
        "TRIGGERED" => ended("cancellingTransactionID")?,
        _ => return Err(Refusal::UnknownWord { field: "state" }),
    };
    Ok(OrderRow { id: fields.id("id")?, order: order(kind, fields, true)?, state })
}

fn account<'a>(fields: &Fields<'_, 'a>) -> Result<Account<'a>, Refusal> {
    let currency = Name::new(fields.text("currency")?).filter(|name| *name != Name::EMPTY);
    Ok(Account {
        last_id: fields.id("lastTransactionID")?,
        currency: currency.ok_or(Refusal::WrongType { field: "currency" })?,
        balance: Money(fields.cut("balance")?),
        equity: Money(fields.cut("NAV")?),
        free: Money(fields.cut("marginAvailable")?),
        is_hedging: fields.find("hedgingEnabled").and_then(|value| value.as_bool()).unwrap_or(false),
        orders: fields.rows("orders").map(|row| order_row(&row?)).collect(),
        trades: fields.rows("trades").map(|row| trade(&row?)).collect(),
        positions: fields.rows("positions").map(|row| position(&row?)).collect(),
    })
}

fn trade<'a>(fields: &Fields<'_, 'a>) -> Result<Trade<'a>, Refusal> {
    Ok(Trade {
        id: fields.id("id")?,
        instrument: fields.text("instrument")?,
        units: Qty(fields.decimal("currentUnits")?),
    })
}

fn position<'a>(fields: &Fields<'_, 'a>) -> Result<PositionRow<'a>, Refusal> {
    let (mut units, mut average) = (0i64, 0);
    for side in ["long", "short"] {
        let Some(half) = fields.object(side) else { continue };
        let held = half.decimal("units")?;
        units = units.saturating_add(held);
        if held != 0 && half.find("averagePrice").is_some() {
            average = half.cut("averagePrice")?;
        }
    }
    if units == 0 {
        average = 0;
    }
    Ok(PositionRow { instrument: fields.text("instrument")?, units: Qty(units), average: Price(average) })
}

/// One object.
struct Fields<'t, 'a>(Object<'t, 'a>);

impl<'t, 'a> Fields<'t, 'a> {
    fn of(value: Value<'t, 'a>) -> Option<Self> {
        value.into_object().map(Self)
    }

    /// None where the field is absent or null: the venue sends both for "not told".
    fn find(&self, field: &str) -> Option<Value<'t, 'a>> {
        self.0.get(field).filter(|value| !value.is_null())
    }

    fn object(&self, field: &str) -> Option<Self> {
        self.find(field).and_then(Self::of)
    }

    fn rows(&self, field: &'static str) -> impl Iterator<Item = Result<Self, Refusal>> + use<'t, 'a> {
        let list: Option<Array<'t, 'a>> = self.find(field).and_then(|value| value.into_array());
        let rows: Vec<_> = list.map(|list| list.iter().collect()).unwrap_or_default();
        rows.into_iter().map(move |row| Self::of(row).ok_or(Refusal::WrongType { field }))
    }

    fn text(&self, field: &'static str) -> Result<&'a str, Refusal> {
        let value = self.find(field).ok_or(Refusal::Missing { field })?;
        value.into_string().ok_or(Refusal::WrongType { field })
    }

    /// Text, or nothing.
    fn word(&self, field: &str) -> &'a str {
        self.find(field).and_then(|value| value.into_string()).unwrap_or_default()
    }

    fn moment(&self, field: &'static str) -> Result<TsNs, Refusal> {
        let text = self.text(field)?.as_bytes();
        let ns = date::rfc3339_ns(text).or_else(|| date::unix_ns(text));
        ns.map(TsNs).ok_or(Refusal::WrongType { field })
    }

    /// A number from 1, as text or bare.
    fn id(&self, field: &'static str) -> Result<u64, Refusal> {
        match self.optional_id(field)? {
            0 => Err(Refusal::Missing { field }),
            id => Ok(id),
        }
    }

    /// The same; 0 where it is absent. Ids stay below 2^53, so that numbers made of them fit their fields.
    fn optional_id(&self, field: &'static str) -> Result<u64, Refusal> {
        let Some(value) = self.find(field) else { return Ok(0) };
        let id = value.as_u64().or_else(|| value.into_string()?.parse().ok());
        id.filter(|id| *id < 1 << 53).ok_or(Refusal::WrongType { field })
    }

    /// A decimal, in 1e-8 units.
    fn decimal(&self, field: &'static str) -> Result<i64, Refusal> {
        let text = self.text(field)?;
        Qty::parse(text.as_bytes()).map(|value| value.0).map_err(|error| Refusal::BadDecimal { field, error })
    }

    fn optional_decimal(&self, field: &'static str) -> Option<i64> {
        self.find(field).and_then(|_| self.decimal(field).ok())
    }

    /// The same; decimals beyond the eighth are cut off.
    fn cut(&self, field: &'static str) -> Result<i64, Refusal> {
        let text = self.text(field)?;
        let kept = match text.split_once('.') {
            Some((_, decimals))
                if decimals.len() > 8 && decimals.bytes().all(|byte| byte.is_ascii_digit()) =>
            {
                text.get(..text.len() - (decimals.len() - 8))
            }
            _ => Some(text),
        };
        let error = |error| Refusal::BadDecimal { field, error };
        Qty::parse(kept.unwrap_or_default().as_bytes()).map(|value| value.0).map_err(error)
    }
}
