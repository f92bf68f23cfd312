//! Bytes to [`Message`]s: any key order, unknown keys, escapes, missing optional fields, numbers as texts or numbers.
//!
//! The JSON is parsed by simd-json onto a tape whose memory is kept from message to message; rows are read from it one
//! by one, so that one that cannot be used does not take the others with it. No input can make it panic.

use super::budget::Limit;
use super::message::*;
use super::orders::VenueId;
use simd_json::prelude::*;
use simd_json::tape::{Array, Object, Value};
use simd_json::{Buffers, Tape};
use smc_core::words::{DecimalError, Money, Name, Price, Qty, Side, number_of_text};

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
        Self { buffers: Buffers::new(16 * 1024), tape: Tape(Vec::with_capacity(4 * 1024)) }
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

/// Reads one message of a socket and hands it to `read`. The payload may be changed (escapes are resolved in place).
pub fn decode<R>(
    payload: &mut [u8],
    scratch: &mut Scratch,
    read: impl FnOnce(Message<'_, List<'_, '_>>) -> R,
) -> Result<R, Refusal> {
    scratch.parse(payload, |fields| message(&fields).map(read))
}

/// Reads the body of a REST answer.
pub fn decode_reply<R>(
    body: &mut [u8],
    scratch: &mut Scratch,
    read: impl FnOnce(&Reply<'_, '_>) -> R,
) -> Result<R, Refusal> {
    scratch.parse(body, |fields| {
        let time_ms = fields.milliseconds("time").unwrap_or(0);
        let head = ReplyHead { code: fields.signed("retCode")?, text: fields.word("retMsg"), time_ms };
        let result = fields.find("result").and_then(Fields::of);
        Ok(read(&Reply { head, result }))
    })
}

/// A REST answer.
pub struct Reply<'t, 'a> {
    /// Whether it was done.
    pub head: ReplyHead<'a>,
    result: Option<Fields<'t, 'a>>,
}

impl<'t, 'a> Reply<'t, 'a> {
    /// Rows of the result.
    pub fn list(&self) -> Option<List<'t, 'a>> {
        self.result.as_ref()?.list("list")
    }

    /// Where the next page begins; empty on the last.
    pub fn cursor(&self) -> &'a str {
        self.result.as_ref().map_or("", |result| result.word("nextPageCursor"))
    }

    /// The venue's time in nanoseconds, of the answer to that question.
    pub fn time_ns(&self) -> Option<u64> {
        self.result.as_ref()?.find("timeNano")?.into_string()?.parse().ok()
    }

    /// What the key may do: trade this market, take money out.
    pub fn key_scopes(&self, is_spot: bool) -> Option<(bool, bool)> {
        let result = self.result.as_ref()?;
        let permissions = result.find("permissions").and_then(Fields::of)?;
        let has = |group: &str, word: &str| {
            permissions
                .find(group)
                .and_then(|list| list.into_array())
                .is_some_and(|list| list.iter().any(|value| value.into_string() == Some(word)))
        };
        let can_change = result.signed("readOnly").is_ok_and(|read_only| read_only == 0);
        let may = if is_spot { has("Spot", "SpotTrade") } else { has("ContractTrade", "Order") };
        Some((can_change && may, can_change && has("Wallet", "Withdraw")))
    }
}

/// Rows of a message.
#[derive(Clone, Copy)]
pub struct List<'t, 'a>(Array<'t, 'a>);

impl std::fmt::Debug for List<'_, '_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} rows", self.len())
    }
}

impl<'t, 'a> List<'t, 'a> {
    /// How many.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn rows<R>(
        self,
        read: impl Fn(&Fields<'t, 'a>) -> Result<R, Refusal>,
    ) -> impl Iterator<Item = Result<R, Refusal>> {
        (0..self.0.len()).map(move |at| {
            let row = self.0.get(at).and_then(Fields::of).ok_or(Refusal::UnknownShape)?;
            read(&row)
        })
    }

    /// As orders.
    pub fn orders(self) -> impl Iterator<Item = Result<OrderRow<'a>, Refusal>> {
        self.rows(order)
    }

    /// As executions.
    pub fn executions(self) -> impl Iterator<Item = Result<ExecutionRow<'a>, Refusal>> {
        self.rows(execution)
    }

    /// As positions.
    pub fn positions(self) -> impl Iterator<Item = Result<PositionRow<'a>, Refusal>> {
        self.rows(position)
    }

    /// As accounts.
    pub fn wallets(self) -> impl Iterator<Item = Result<WalletRow<List<'t, 'a>>, Refusal>> {
        self.rows(|fields| {
            let money = |field: &'static str| match fields.word(field) {
                "" => Ok(None),
                text => loose(text, false).map(|value| Some(Money(value))).map_err(bad(field)),
            };
            Ok(WalletRow {
                equity: money("totalEquity")?,
                free: money("totalAvailableBalance")?,
                coins: fields.list("coin").ok_or(Refusal::Missing { field: "coin" })?,
            })
        })
    }

    /// As coins of an account.
    pub fn coins(self) -> impl Iterator<Item = Result<CoinRow<'a>, Refusal>> {
        self.rows(coin)
    }
}

fn message<'t, 'a>(fields: &Fields<'t, 'a>) -> Result<Message<'a, List<'t, 'a>>, Refusal> {
    let op = fields.word("op");
    if let Some(topic) = fields.find("topic").and_then(|topic| topic.into_string()) {
        let rows = || fields.list("data").ok_or(Refusal::Missing { field: "data" });
        return Ok(match topic.strip_suffix(".linear").or(topic.strip_suffix(".spot")).unwrap_or(topic) {
            "order" => Message::Orders(rows()?),
            "execution" => Message::Executions { rows: rows()?, is_fast: false },
            "execution.fast" => Message::Executions { rows: rows()?, is_fast: true },
            "position" => Message::Positions(rows()?),
            "wallet" => Message::Wallet(rows()?),
            "greeks" | "dcp.future" | "dcp" | "dcp.option" => Message::Ignored { topic },
            // Other categories of the topics above.
            _ if topic
                .split('.')
                .next()
                .is_some_and(|word| matches!(word, "order" | "execution" | "position")) =>
            {
                Message::Ignored { topic }
            }
            _ => return Err(Refusal::UnknownShape),
        });
    }
    let text = if fields.has("ret_msg") { fields.word("ret_msg") } else { fields.word("retMsg") };
    let is_yes = fields.find("success").and_then(|value| value.as_bool());
    let code = fields.signed("retCode").ok();
    match (op, is_yes, code) {
        ("pong", ..) => Ok(Message::Pong),
        ("ping", Some(true), _) => Ok(Message::Pong),
        ("auth", Some(is_yes), _) => Ok(Message::LoggedOn { is_yes, code: 0, text }),
        ("auth", _, Some(code)) => Ok(Message::LoggedOn { is_yes: code == 0, code, text }),
        ("subscribe" | "unsubscribe", Some(is_yes), _) => Ok(Message::Subscribed { is_yes, text }),
        (_, None, Some(code)) => Ok(Message::Answer(answer(fields, op, code, text))),
        (_, Some(is_yes), _) => Ok(Message::Subscribed { is_yes, text }),
        ("", ..) => Err(Refusal::UnknownShape),
        _ => Err(Refusal::ClientRequest),
    }
}

fn answer<'a>(fields: &Fields<'_, 'a>, op: &'a str, code: i64, text: &'a str) -> Answer<'a> {
    let data = fields.find("data").and_then(Fields::of);
    let header = fields.find("header").and_then(Fields::of);
    let number = |name: &str| {
        header.as_ref().and_then(|header| header.word(name).parse::<u64>().ok()).unwrap_or_default()
    };
    let small = |name: &str| u32::try_from(number(name)).unwrap_or(u32::MAX);
    let left = if header.as_ref().is_some_and(|header| header.has("X-Bapi-Limit-Status")) {
        small("X-Bapi-Limit-Status")
    } else {
        u32::MAX
    };
    Answer {
        req_id: fields.word("reqId"),
        op,
        code,
        text,
        order_id: data.and_then(|data| VenueId::new(data.word("orderId"))).unwrap_or(VenueId::NONE),
        limit: Limit { limit: small("X-Bapi-Limit"), left, reset_ms: number("X-Bapi-Limit-Reset-Timestamp") },
    }
}

fn order<'a>(row: &Fields<'_, 'a>) -> Result<OrderRow<'a>, Refusal> {
    Ok(OrderRow {
        category: row.find("category").and_then(|word| word.into_string()),
        symbol: row.text("symbol")?,
        venue_id: row.venue_id("orderId")?,
        link_id: row.word("orderLinkId"),
        side: row.side("side")?.ok_or(Refusal::UnknownWord { field: "side" })?,
        is_market: row.text("orderType")? == "Market",
        is_maker_only: row.word("timeInForce") == "PostOnly",
        status: Status::parse(row.text("orderStatus")?)
            .ok_or(Refusal::UnknownWord { field: "orderStatus" })?,
        cancel_type: row.word("cancelType"),
        reject_reason: row.word("rejectReason"),
        price: Price(row.decimal_or_zero("price")?),
        qty: Qty(row.decimal("qty")?),
        cum_qty: Qty(row.decimal_or_zero("cumExecQty")?),
        trigger: Price(row.decimal_or_zero("triggerPrice")?),
        updated_ms: row.milliseconds("updatedTime").unwrap_or(0),
    })
}

fn execution<'a>(row: &Fields<'_, 'a>) -> Result<ExecutionRow<'a>, Refusal> {
    let optional = |field: &'static str| match row.word(field) {
        "" => Ok(None),
        text => Qty::parse(text.as_bytes()).map(Some).map_err(bad(field)),
    };
    let kind =
        if row.has("execType") { ExecutionKind::parse(row.text("execType")?) } else { ExecutionKind::Trade };
    let exec_id = row.text("execId")?;
    if exec_id.is_empty() {
        return Err(Refusal::Missing { field: "execId" });
    }
    let fee_coin = row.word("feeCurrency");
    let mut extra_fees = [(Name::EMPTY, Money::ZERO); EXTRA_FEES_MAX];
    if let Some(extras) = row.list("extraFees") {
        let read = |fields: &Fields<'_, 'a>| {
            let fee = loose(fields.text("fee")?, true).map_err(bad("fee"))?;
            let coin = Name::new(fields.text("feeCoin")?).ok_or(Refusal::WrongType { field: "feeCoin" })?;
            Ok((coin, Money(fee)))
        };
        for (slot, extra) in extra_fees.iter_mut().zip(extras.rows(read)) {
            *slot = extra?;
        }
    }
    Ok(ExecutionRow {
        category: row.find("category").and_then(|word| word.into_string()),
        symbol: row.text("symbol")?,
        venue_id: row.venue_id("orderId")?,
        link_id: row.word("orderLinkId"),
        trade_id: number_of_text(exec_id.as_bytes()),
        kind,
        side: row.side("side")?,
        price: Price(row.decimal_or_zero("execPrice")?),
        qty: Qty(row.decimal_or_zero("execQty")?),
        order_qty: optional("orderQty")?,
        leaves_qty: optional("leavesQty")?,
        fee: match row.word("execFee") {
            "" => Money::ZERO,
            text => Money(loose(text, true).map_err(bad("execFee"))?),
        },
        fee_coin,
        extra_fees,
        is_maker: row.find("isMaker").and_then(|value| value.as_bool()).unwrap_or(false),
        time_ms: row.milliseconds("execTime")?,
    })
}

fn position<'a>(row: &Fields<'_, 'a>) -> Result<PositionRow<'a>, Refusal> {
    let size = row.decimal("size")?;
    let average = match (row.word("avgPrice"), row.word("entryPrice")) {
        ("", "") => 0,
        ("", text) | (text, _) => loose(text, false).map_err(bad("avgPrice"))?,
    };
    let qty = match row.side("side")? {
        Some(side) => size.saturating_mul(side.sign()),
        None if size == 0 => 0,
        None => return Err(Refusal::UnknownWord { field: "side" }),
    };
    Ok(PositionRow {
        category: row.find("category").and_then(|word| word.into_string()),
        symbol: row.text("symbol")?,
        qty: Qty(qty),
        average: Price(if qty == 0 { 0 } else { average }),
        index: row.signed("positionIdx").unwrap_or(0),
        is_normal: matches!(row.word("positionStatus"), "" | "Normal"),
    })
}

fn coin<'a>(row: &Fields<'_, 'a>) -> Result<CoinRow<'a>, Refusal> {
    let amount = |field: &'static str, is_up: bool| match row.word(field) {
        "" => Ok(0),
        text => loose(text, is_up).map_err(bad(field)),
    };
    let owed = amount("borrowAmount", true)?.max(amount("spotBorrow", true)?);
    let total = amount("walletBalance", false)?.saturating_sub(owed).max(0);
    let margin = amount("totalOrderIM", true)?.saturating_add(amount("totalPositionIM", true)?);
    let locked = amount("locked", true)?.saturating_add(margin);
    Ok(CoinRow { coin: row.text("coin")?, total: Qty(total), locked: Qty(locked.clamp(0, total)) })
}

/// The fields of one object, read by the venue's names.
struct Fields<'t, 'a>(Object<'t, 'a>);

impl<'t, 'a> Fields<'t, 'a> {
    fn of(value: Value<'t, 'a>) -> Option<Self> {
        value.into_object().map(Self)
    }

    /// None where it is absent or null.
    fn find(&self, field: &str) -> Option<Value<'t, 'a>> {
        self.0.get(field).filter(|value| !value.is_null())
    }

    fn has(&self, field: &str) -> bool {
        self.find(field).is_some()
    }

    /// Text; empty where it is absent or something else.
    fn word(&self, field: &str) -> &'a str {
        self.find(field).and_then(|value| value.into_string()).unwrap_or_default()
    }

    fn text(&self, field: &'static str) -> Result<&'a str, Refusal> {
        let value = self.find(field).ok_or(Refusal::Missing { field })?;
        value.into_string().ok_or(Refusal::WrongType { field })
    }

    fn list(&self, field: &str) -> Option<List<'t, 'a>> {
        self.find(field)?.into_array().map(List)
    }

    fn venue_id(&self, field: &'static str) -> Result<VenueId, Refusal> {
        VenueId::new(self.text(field)?).ok_or(Refusal::WrongType { field })
    }

    /// A number, written as one or as text.
    fn signed(&self, field: &'static str) -> Result<i64, Refusal> {
        let value = self.find(field).ok_or(Refusal::Missing { field })?;
        let number = value.as_i64().or_else(|| value.into_string().and_then(|text| text.parse().ok()));
        number.ok_or(Refusal::WrongType { field })
    }

    fn milliseconds(&self, field: &'static str) -> Result<u64, Refusal> {
        u64::try_from(self.signed(field)?).map_err(|_| Refusal::WrongType { field })
    }

    /// Exact and not negative.
    fn decimal(&self, field: &'static str) -> Result<i64, Refusal> {
        let value = Qty::parse(self.text(field)?.as_bytes()).map_err(bad(field))?.0;
        if value < 0 { Err(Refusal::WrongType { field }) } else { Ok(value) }
    }

    fn decimal_or_zero(&self, field: &'static str) -> Result<i64, Refusal> {
        if self.word(field).is_empty() { Ok(0) } else { self.decimal(field) }
    }

    fn side(&self, field: &'static str) -> Result<Option<Side>, Refusal> {
        match self.word(field) {
            "Buy" => Ok(Some(Side::Buy)),
            "Sell" => Ok(Some(Side::Sell)),
            "" | "None" => Ok(None),
            _ => Err(Refusal::UnknownWord { field }),
        }
    }
}

fn bad(field: &'static str) -> impl Fn(DecimalError) -> Refusal {
    move |error| Refusal::BadDecimal { field, error }
}

/// A decimal that may have more than eight decimals: they are dropped, or rounded up where `is_up`.
fn loose(text: &str, is_up: bool) -> Result<i64, DecimalError> {
    let bytes = text.as_bytes();
    let cut = bytes.iter().position(|byte| *byte == b'.').map_or(bytes.len(), |at| at + 9).min(bytes.len());
    let (kept, dropped) = bytes.split_at(cut);
    let value = Qty::parse(kept)?.0;
    // Whatever is dropped has to be digits, or the text was no number.
    if let Some(odd) = dropped.iter().find(|byte| !byte.is_ascii_digit()) {
        return Qty::parse(&[*odd]).map(|qty| qty.0);
    }
    let is_more = dropped.iter().any(|byte| *byte != b'0');
    let is_negative = bytes.first() == Some(&b'-');
    match (is_more, is_up, is_negative) {
        (true, true, false) => Ok(value.saturating_add(1)),
        (true, false, true) => Ok(value.saturating_sub(1)),
        _ => Ok(value),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decimals_beyond_the_eighth_are_rounded_as_asked() {
        assert_eq!(loose("0.006403779", true), Ok(640_378));
        assert_eq!(loose("0.006403779", false), Ok(640_377));
        assert_eq!(loose("-0.006403779", true), Ok(-640_377));
        assert_eq!(loose("-0.006403779", false), Ok(-640_378));
        assert_eq!(loose("1.5000000000", true), Ok(150_000_000));
        assert_eq!(loose("7", true), Ok(700_000_000));
        for text in ["", ".", "1.123456789x", "1e5", "x", "1.12345678.9"] {
            assert!(loose(text, true).is_err(), "{text}");
        }
    }
}
