//! The general way into [`Message`]: from simd-json's tape, for every message in any style.
//!
//! Pure; allocates nothing. An answer does not say which method it answers, so results are told apart by what
//! they hold.

use super::message::*;
use super::scan::Scalar;
use super::slots::{Slots, bad, limit, order, report};
use simd_json::prelude::*;
use simd_json::tape::{Object, Value};
use smc_core::words::{DecimalError, Money, Name, Price, Qty, Side};

/// Reads one parsed message.
pub(super) fn message<'t, 'a>(value: Value<'t, 'a>) -> Result<Message<'t, 'a>, Refusal> {
    let root = value.as_object().ok_or(Refusal::UnknownShape)?;
    if let Some(inner) = root.get("event").or_else(|| root.get("data")) {
        return event(&inner.as_object().ok_or(Refusal::UnknownShape)?);
    }
    if root.get("e").is_some() {
        return event(&root);
    }
    if root.get("status").is_some() {
        return answer(&root).map(Message::Answer);
    }
    Err(Refusal::UnknownShape)
}

fn event<'t, 'a>(object: &Object<'t, 'a>) -> Result<Message<'t, 'a>, Refusal> {
    let name = text(object, "e")?;
    if name == "executionReport" {
        let mut slots = Slots::<{ report::COUNT }>::new();
        fill(&mut slots, object, report::slot);
        return report::finish(&slots).map(Message::Execution);
    }
    let event_time_ms = unsigned(object, "E")?;
    Ok(match name {
        "outboundAccountPosition" => Message::AccountPosition {
            event_time_ms,
            update_time_ms: unsigned(object, "u")?,
            balances: rows(object, "B")?,
        },
        "balanceUpdate" => Message::BalanceUpdate(balance_change(object, event_time_ms)?),
        "externalLockUpdate" => Message::ExternalLock(balance_change(object, event_time_ms)?),
        "listStatus" => Message::ListStatus {
            event_time_ms,
            symbol: text(object, "s")?,
            list_id: integer(object, "g")?,
            status_type: text(object, "l")?,
            order_status: text(object, "L")?,
            client_id: text(object, "C")?,
        },
        "eventStreamTerminated" => Message::StreamTerminated { event_time_ms },
        "serverShutdown" => Message::ServerShutdown { event_time_ms },
        other => return Err(Refusal::UnknownEvent { name: Name::new(other).unwrap_or_default() }),
    })
}

fn balance_change<'a>(object: &Object<'_, 'a>, event_time_ms: u64) -> Result<BalanceChange<'a>, Refusal> {
    Ok(BalanceChange {
        event_time_ms,
        asset: text(object, "a")?,
        delta: roomy(text(object, "d")?, "d")?,
        time_ms: unsigned(object, "T")?,
    })
}

fn answer<'t, 'a>(root: &Object<'t, 'a>) -> Result<Answer<'t, 'a>, Refusal> {
    let status =
        u16::try_from(unsigned(root, "status")?).map_err(|_| Refusal::WrongType { field: "status" })?;
    let id = match root.get("id") {
        None => AnswerId::Null,
        Some(id) if id.is_null() => AnswerId::Null,
        Some(id) => match (id.as_i64(), id.into_string()) {
            (Some(id), _) => AnswerId::Number(id),
            (None, Some(id)) => AnswerId::Text(id),
            (None, None) => return Err(Refusal::WrongType { field: "id" }),
        },
    };
    let outcome = match (root.get("error"), root.get("result")) {
        (Some(error), _) => Outcome::Error(venue_error(error)?),
        (None, Some(result)) => result_of(result)?,
        (None, None) => return Err(Refusal::Missing { field: "result" }),
    };
    let mut limits = RateLimits::default();
    if let Some(list) = root.get("rateLimits") {
        let list = list.as_array().ok_or(Refusal::WrongType { field: "rateLimits" })?;
        for row in list.iter() {
            let row = row.as_object().ok_or(Refusal::WrongType { field: "rateLimits" })?;
            let mut slots = Slots::<{ limit::COUNT }>::new();
            fill(&mut slots, &row, limit::slot);
            limits.push(limit::finish(&slots)?);
        }
    }
    Ok(Answer { id, status, outcome, limits })
}

fn venue_error<'a>(value: Value<'_, 'a>) -> Result<VenueError<'a>, Refusal> {
    let error = value.as_object().ok_or(Refusal::WrongType { field: "error" })?;
    let code = i32::try_from(integer(&error, "code")?).map_err(|_| Refusal::WrongType { field: "code" })?;
    let retry_after_ms = error
        .get("data")
        .and_then(|data| data.as_object())
        .and_then(|data| data.get("retryAfter"))
        .and_then(|at| at.as_u64());
    let data = error.get("data").and_then(|data| data.as_object());
    let replaced = match data {
        Some(data) if data.get("cancelResult").is_some() => Some(replaced(&data)?),
        _ => None,
    };
    Ok(VenueError { code, message: text(&error, "msg")?, retry_after_ms, replaced })
}

fn replaced(object: &Object<'_, '_>) -> Result<ReplaceResult, Refusal> {
    Ok(ReplaceResult {
        cancel: half(object, "cancelResult", "cancelResponse")?,
        new: half(object, "newOrderResult", "newOrderResponse")?,
    })
}

fn half(object: &Object<'_, '_>, result: &'static str, response: &'static str) -> Result<Half, Refusal> {
    let inside = || field(object, response)?.as_object().ok_or(Refusal::WrongType { field: response });
    match text(object, result)? {
        "SUCCESS" => {
            let OrderResult { order_id, status, executed_qty, time_ms, .. } = order(&inside()?)?;
            Ok(Half::Done { order_id, status, executed_qty, time_ms })
        }
        "FAILURE" => {
            let code = integer(&inside()?, "code")?;
            i32::try_from(code).map(Half::Refused).map_err(|_| Refusal::WrongType { field: "code" })
        }
        "NOT_ATTEMPTED" => Ok(Half::NotTried),
        _ => Err(Refusal::UnknownWord { field: result }),
    }
}

/// The body of a REST answer: a result, or an error that stands by itself.
pub(super) fn body<'t, 'a>(value: Value<'t, 'a>) -> Result<Outcome<'t, 'a>, Refusal> {
    let is_error = value.as_object().is_some_and(|it| it.get("code").is_some() && it.get("msg").is_some());
    if is_error { venue_error(value).map(Outcome::Error) } else { result_of(value) }
}

/// Tells results apart by what they hold.
fn result_of<'t, 'a>(value: Value<'t, 'a>) -> Result<Outcome<'t, 'a>, Refusal> {
    if let Some(list) = value.as_array() {
        let first = list.iter().next().and_then(|row| row.as_object());
        return match first {
            None if list.is_empty() => Rows::checked(list).map(Outcome::Orders),
            Some(row) if row.get("commission").is_some() => Rows::checked(list).map(Outcome::Trades),
            // What `openOrders.cancelAll` ended: order lists stand among the orders.
            _ if list
                .iter()
                .any(|row| row.as_object().is_some_and(|row| row.get("orderReports").is_some())) =>
            {
                Ok(Outcome::Other)
            }
            Some(row) if row.get("clientOrderId").is_some() => Rows::checked(list).map(Outcome::Orders),
            _ => Ok(Outcome::Other),
        };
    }
    let Some(object) = value.as_object() else { return Ok(Outcome::Other) };
    let has = |key: &str| object.get(key).is_some();
    if has("balances") {
        return Ok(Outcome::Account {
            can_trade: boolean(&object, "canTrade")?,
            update_time_ms: unsigned(&object, "updateTime")?,
            balances: rows(&object, "balances")?,
        });
    }
    if has("orderListId") && has("orders") {
        let orders = rows(&object, "orders")?;
        let reports = if has("orderReports") { rows(&object, "orderReports")? } else { Rows::none() };
        return Ok(Outcome::OrderList { id: integer(&object, "orderListId")?, orders, reports });
    }
    if has("cancelResult") {
        return replaced(&object).map(Outcome::Replaced);
    }
    if has("orderId") {
        return order(&object).map(Outcome::Order);
    }
    if has("enableWithdrawals") {
        return Ok(Outcome::Rights {
            can_trade: boolean(&object, "enableSpotAndMarginTrading")?,
            can_withdraw: boolean(&object, "enableWithdrawals")?,
        });
    }
    if has("authorizedSince") {
        return Ok(Outcome::Session {
            is_authorized: object.get("authorizedSince").is_some_and(|at| at.as_u64().is_some()),
            server_time_ms: unsigned(&object, "serverTime")?,
        });
    }
    if has("serverTime") {
        return Ok(Outcome::Time { server_time_ms: unsigned(&object, "serverTime")? });
    }
    if has("subscriptionId") {
        return Ok(Outcome::Subscription { id: integer(&object, "subscriptionId")? });
    }
    Ok(if object.is_empty() { Outcome::Empty } else { Outcome::Other })
}

impl<'a> Row<'a> for OrderResult<'a> {
    fn read(value: Value<'_, 'a>) -> Result<Self, Refusal> {
        order(&value.as_object().ok_or(Refusal::WrongType { field: "result" })?)
    }
}

impl<'a> Row<'a> for TradeRow<'a> {
    fn read(value: Value<'_, 'a>) -> Result<Self, Refusal> {
        let row = value.as_object().ok_or(Refusal::WrongType { field: "result" })?;
        Ok(Self {
            symbol: text(&row, "symbol")?,
            trade_id: unsigned(&row, "id")?,
            order_id: unsigned(&row, "orderId")?,
            price: Price::parse(text(&row, "price")?.as_bytes()).map_err(bad("price"))?,
            qty: Qty::parse(text(&row, "qty")?.as_bytes()).map_err(bad("qty"))?,
            fee: Money::parse(text(&row, "commission")?.as_bytes()).map_err(bad("commission"))?,
            fee_asset: text(&row, "commissionAsset")?,
            time_ms: unsigned(&row, "time")?,
            side: if boolean(&row, "isBuyer")? { Side::Buy } else { Side::Sell },
            is_maker: boolean(&row, "isMaker")?,
        })
    }
}

impl<'a> Row<'a> for BalanceRow<'a> {
    /// The account's answer spells the names out, the event uses letters.
    fn read(value: Value<'_, 'a>) -> Result<Self, Refusal> {
        let row = value.as_object().ok_or(Refusal::WrongType { field: "balances" })?;
        if row.get("asset").is_some() {
            return Ok(Self {
                asset: text(&row, "asset")?,
                free: roomy(text(&row, "free")?, "free")?,
                locked: roomy(text(&row, "locked")?, "locked")?,
            });
        }
        Ok(Self {
            asset: text(&row, "a")?,
            free: roomy(text(&row, "f")?, "f")?,
            locked: roomy(text(&row, "l")?, "l")?,
        })
    }
}

fn order<'a>(object: &Object<'_, 'a>) -> Result<OrderResult<'a>, Refusal> {
    let mut slots = Slots::<{ order::COUNT }>::new();
    fill(&mut slots, object, order::slot);
    order::finish(&slots)
}

fn fill<'a, const N: usize>(
    slots: &mut Slots<'a, N>,
    object: &Object<'_, 'a>,
    slot: fn(&[u8]) -> Option<usize>,
) {
    for (key, value) in object.iter() {
        slots.set(slot(key.as_bytes()), scalar(value));
    }
}

/// What of a value can be a scalar; everything with an inside, and every float, is [`Scalar::Other`].
fn scalar<'a>(value: Value<'_, 'a>) -> Scalar<'a> {
    if let Some(text) = value.into_string() {
        return Scalar::Text(text.as_bytes());
    }
    if let Some(number) = value.as_i64() {
        return Scalar::Integer(number);
    }
    match value.as_bool() {
        Some(value) => Scalar::Bool(value),
        None if value.is_null() => Scalar::Null,
        None => Scalar::Other,
    }
}

fn field<'t, 'a>(object: &Object<'t, 'a>, field: &'static str) -> Result<Value<'t, 'a>, Refusal> {
    object.get(field).ok_or(Refusal::Missing { field })
}

fn text<'a>(object: &Object<'_, 'a>, name: &'static str) -> Result<&'a str, Refusal> {
    field(object, name)?.into_string().ok_or(Refusal::WrongType { field: name })
}

fn integer(object: &Object<'_, '_>, name: &'static str) -> Result<i64, Refusal> {
    field(object, name)?.as_i64().ok_or(Refusal::WrongType { field: name })
}

fn unsigned(object: &Object<'_, '_>, name: &'static str) -> Result<u64, Refusal> {
    field(object, name)?.as_u64().ok_or(Refusal::WrongType { field: name })
}

fn boolean(object: &Object<'_, '_>, name: &'static str) -> Result<bool, Refusal> {
    field(object, name)?.as_bool().ok_or(Refusal::WrongType { field: name })
}

fn rows<'t, 'a, T: Row<'a>>(object: &Object<'t, 'a>, name: &'static str) -> Result<Rows<'t, 'a, T>, Refusal> {
    Rows::checked(field(object, name)?.as_array().ok_or(Refusal::WrongType { field: name })?)
}

/// An amount that may be too large (or too fine) for our words without spoiling the message it stands in.
fn roomy(text: &str, field: &'static str) -> Result<Option<Qty>, Refusal> {
    match Qty::parse(text.as_bytes()) {
        Ok(qty) => Ok(Some(qty)),
        Err(DecimalError::TooLarge | DecimalError::TooPrecise) => Ok(None),
        Err(error) => Err(Refusal::BadDecimal { field, error }),
    }
}
