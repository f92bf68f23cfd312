//! Where both ways into a message meet: the fields we know of an object, and what is made of them.
//!
//! Scanner and tape put the same scalars into the same slots; the `finish` functions here give them meaning, so
//! the two cannot disagree about it. Pure, no allocation.

use super::message::*;
use super::scan::Scalar;
use smc_core::words::{DecimalError, Money, Price, Qty, Side};

/// Values of the fields we know, by their slot.
pub(super) struct Slots<'a, const N: usize>([Option<Scalar<'a>>; N]);

impl<'a, const N: usize> Slots<'a, N> {
    pub const fn new() -> Self {
        Self([None; N])
    }

    /// Keeps the value of a field we know. The first one counts.
    pub fn set(&mut self, slot: Option<usize>, value: Scalar<'a>) {
        if let Some(slot) = slot.and_then(|slot| self.0.get_mut(slot)) {
            slot.get_or_insert(value);
        }
    }

    fn get(&self, slot: usize) -> Option<Scalar<'a>> {
        self.0.get(slot).copied().flatten().filter(|value| *value != Scalar::Null)
    }

    fn text(&self, slot: usize, field: &'static str) -> Result<&'a str, Refusal> {
        self.text_or_none(slot, field)?.ok_or(Refusal::Missing { field })
    }

    fn text_or_none(&self, slot: usize, field: &'static str) -> Result<Option<&'a str>, Refusal> {
        match self.bytes_or_none(slot, field)? {
            None => Ok(None),
            Some(text) => std::str::from_utf8(text).map(Some).map_err(|_| Refusal::WrongType { field }),
        }
    }

    /// The text of a decimal, which its parser checks byte by byte.
    fn bytes(&self, slot: usize, field: &'static str) -> Result<&'a [u8], Refusal> {
        self.bytes_or_none(slot, field)?.ok_or(Refusal::Missing { field })
    }

    fn bytes_or_none(&self, slot: usize, field: &'static str) -> Result<Option<&'a [u8]>, Refusal> {
        match self.get(slot) {
            None => Ok(None),
            Some(Scalar::Text(text)) => Ok(Some(text)),
            Some(_) => Err(Refusal::WrongType { field }),
        }
    }

    fn integer(&self, slot: usize, field: &'static str) -> Result<i64, Refusal> {
        match self.get(slot) {
            None => Err(Refusal::Missing { field }),
            Some(Scalar::Integer(value)) => Ok(value),
            Some(_) => Err(Refusal::WrongType { field }),
        }
    }

    fn unsigned(&self, slot: usize, field: &'static str) -> Result<u64, Refusal> {
        u64::try_from(self.integer(slot, field)?).map_err(|_| Refusal::WrongType { field })
    }

    fn unsigned_or_none(&self, slot: usize, field: &'static str) -> Result<Option<u64>, Refusal> {
        if self.get(slot).is_none() { Ok(None) } else { self.unsigned(slot, field).map(Some) }
    }

    fn small(&self, slot: usize, field: &'static str) -> Result<u32, Refusal> {
        u32::try_from(self.integer(slot, field)?).map_err(|_| Refusal::WrongType { field })
    }
}

/// Makes a module that numbers the fields we know of one kind of object.
macro_rules! fields {
    ($($key:literal => $name:ident,)+) => {
        #[allow(non_camel_case_types, clippy::upper_case_acronyms)]
        enum Field { $($name,)+ }
        $(const $name: (usize, &str) = (Field::$name as usize, $key);)+
        pub const COUNT: usize = [$($key),+].len();
        mod keys {
            $(pub const $name: &[u8] = $key.as_bytes();)+
        }
        pub fn slot(key: &[u8]) -> Option<usize> {
            match key {
                $(keys::$name => Some(Field::$name as usize),)+
                _ => None,
            }
        }
    };
}

/// `executionReport`.
pub(super) mod report {
    use super::*;

    fields! {
        "E" => EVENT_TIME, "T" => TIME, "s" => SYMBOL, "c" => CLIENT, "C" => ORIGINAL, "i" => ORDER, "S" => SIDE,
        "o" => TYPE, "f" => FORCE, "p" => PRICE, "P" => STOP, "q" => QTY, "x" => EXECUTION, "X" => STATUS,
        "r" => REASON, "eR" => EXPIRY, "l" => LAST_QTY, "L" => LAST_PRICE, "z" => CUM_QTY, "t" => TRADE,
        "n" => FEE, "N" => FEE_ASSET, "m" => MAKER,
    }

    pub fn finish<'a>(slots: &Slots<'a, COUNT>) -> Result<ExecutionReport<'a>, Refusal> {
        let text = |(slot, field)| slots.text(slot, field);
        let text_or_none = |(slot, field)| slots.text_or_none(slot, field);
        let unsigned = |(slot, field)| slots.unsigned(slot, field);
        let price = |(slot, field)| Price::parse(slots.bytes(slot, field)?).map_err(bad(field));
        let qty = |(slot, field)| Qty::parse(slots.bytes(slot, field)?).map_err(bad(field));
        let own_client_id = text(CLIENT)?;
        let original = text_or_none(ORIGINAL)?.unwrap_or("");
        let trade_id = slots.integer(TRADE.0, TRADE.1)?;
        let is_maker = match slots.get(MAKER.0) {
            Some(Scalar::Bool(is_maker)) => is_maker,
            None => false,
            Some(_) => return Err(Refusal::WrongType { field: MAKER.1 }),
        };
        Ok(ExecutionReport {
            event_time_ms: unsigned(EVENT_TIME)?,
            time_ms: unsigned(TIME)?,
            symbol: text(SYMBOL)?,
            client_order_id: if original.is_empty() { own_client_id } else { original },
            own_client_id,
            order_id: unsigned(ORDER)?,
            side: side(text(SIDE)?, SIDE.1)?,
            order_type: text(TYPE)?,
            time_in_force: text(FORCE)?,
            price: price(PRICE)?,
            stop_price: if slots.get(STOP.0).is_some() { price(STOP)? } else { Price::ZERO },
            qty: qty(QTY)?,
            execution: Execution::parse(text(EXECUTION)?)
                .ok_or(Refusal::UnknownWord { field: EXECUTION.1 })?,
            status: OrderStatus::parse(text(STATUS)?).ok_or(Refusal::UnknownWord { field: STATUS.1 })?,
            reject_reason: text_or_none(REASON)?.unwrap_or("NONE"),
            expiry_reason: text_or_none(EXPIRY)?,
            last_qty: qty(LAST_QTY)?,
            last_price: price(LAST_PRICE)?,
            cum_qty: qty(CUM_QTY)?,
            trade_id: u64::try_from(trade_id).ok(),
            fee: match slots.bytes_or_none(FEE.0, FEE.1)? {
                Some(fee) => Money::parse(fee).map_err(bad(FEE.1))?,
                None => Money::ZERO,
            },
            fee_asset: text_or_none(FEE_ASSET)?,
            is_maker,
        })
    }
}

/// An order in an answer.
pub(super) mod order {
    use super::*;

    fields! {
        "symbol" => SYMBOL, "orderId" => ORDER, "clientOrderId" => CLIENT, "origClientOrderId" => ORIGINAL,
        "transactTime" => TRANSACT, "updateTime" => UPDATE, "time" => TIME, "status" => STATUS, "side" => SIDE,
        "price" => PRICE, "origQty" => QTY, "executedQty" => EXECUTED, "type" => TYPE, "stopPrice" => STOP,
        "orderListId" => LIST,
    }

    /// False for keys that could make the result something else than one order.
    pub fn is_plain(key: &[u8]) -> bool {
        !matches!(key, b"balances" | b"orders" | b"cancelResult")
    }

    pub fn finish<'a>(slots: &Slots<'a, COUNT>) -> Result<OrderResult<'a>, Refusal> {
        let text_or_none = |(slot, field)| slots.text_or_none(slot, field);
        let qty = |key: (usize, &'static str)| match slots.bytes_or_none(key.0, key.1)? {
            Some(text) => Qty::parse(text).map(Some).map_err(bad(key.1)),
            None => Ok(None),
        };
        let transact = slots.unsigned_or_none(TRANSACT.0, TRANSACT.1)?;
        let update = slots.unsigned_or_none(UPDATE.0, UPDATE.1)?;
        let time = slots.unsigned_or_none(TIME.0, TIME.1)?;
        Ok(OrderResult {
            symbol: slots.text(SYMBOL.0, SYMBOL.1)?,
            order_id: slots.unsigned(ORDER.0, ORDER.1)?,
            client_order_id: match text_or_none(ORIGINAL)? {
                Some(original) => original,
                None => slots.text(CLIENT.0, CLIENT.1)?,
            },
            time_ms: transact.or(update).or(time),
            status: match text_or_none(STATUS)? {
                Some(word) => Some(OrderStatus::parse(word).ok_or(Refusal::UnknownWord { field: STATUS.1 })?),
                None => None,
            },
            side: text_or_none(SIDE)?.map(|word| side(word, SIDE.1)).transpose()?,
            price: match slots.bytes_or_none(PRICE.0, PRICE.1)? {
                Some(text) => Some(Price::parse(text).map_err(bad(PRICE.1))?),
                None => None,
            },
            order_type: text_or_none(TYPE)?,
            stop_price: match slots.bytes_or_none(STOP.0, STOP.1)? {
                Some(text) => Some(Price::parse(text).map_err(bad(STOP.1))?),
                None => None,
            },
            qty: qty(QTY)?,
            executed_qty: qty(EXECUTED)?,
            is_of_list: matches!(slots.get(LIST.0), Some(Scalar::Integer(id)) if id >= 0),
        })
    }
}

/// A row of `rateLimits`.
pub(super) mod limit {
    use super::*;

    fields! {
        "rateLimitType" => TYPE, "interval" => INTERVAL, "intervalNum" => INTERVALS, "limit" => LIMIT,
        "count" => USED,
    }

    pub fn finish(slots: &Slots<'_, COUNT>) -> Result<RateLimit, Refusal> {
        let unit = match slots.text(INTERVAL.0, INTERVAL.1)? {
            "SECOND" => 1,
            "MINUTE" => 60,
            "HOUR" => 3_600,
            "DAY" => 86_400,
            _ => return Err(Refusal::UnknownWord { field: INTERVAL.1 }),
        };
        let intervals = slots.small(INTERVALS.0, INTERVALS.1)?;
        Ok(RateLimit {
            kind: match slots.text(TYPE.0, TYPE.1)? {
                "REQUEST_WEIGHT" => LimitKind::RequestWeight,
                "ORDERS" => LimitKind::Orders,
                _ => LimitKind::Other,
            },
            interval_s: intervals.checked_mul(unit).ok_or(Refusal::WrongType { field: INTERVALS.1 })?,
            limit: slots.small(LIMIT.0, LIMIT.1)?,
            count: slots.small(USED.0, USED.1)?,
        })
    }
}

fn side(word: &str, field: &'static str) -> Result<Side, Refusal> {
    match word {
        "BUY" => Ok(Side::Buy),
        "SELL" => Ok(Side::Sell),
        _ => Err(Refusal::UnknownWord { field }),
    }
}

/// Names the field of a decimal that was refused.
pub(super) fn bad(field: &'static str) -> impl Fn(DecimalError) -> Refusal {
    move |error| Refusal::BadDecimal { field, error }
}
