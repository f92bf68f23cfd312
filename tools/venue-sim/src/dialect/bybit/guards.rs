//! Take profit and stop loss of positions: orders that sleep and close the whole position when they wake.
//!
//! They come with an entry, and are placed when it fills, or are set on the position itself; they leave with it.

use super::Venue;
use super::ledger::Asked;
use super::params::Params;
use super::place::{check_price, trigger_by, trigger_word};
use super::refusal::Refusal;
use super::reports::Guards;
use super::words::Category;
use crate::exchange::order::{NewOrder, OrderId, OrderType, Scope, SelfTradePrevention, TimeInForce};
use smc_core::{Price, Qty};

/// The sleeping orders of one position.
#[derive(Clone, Copy, Debug, Default)]
pub struct GuardOrders {
    take_profit: Option<OrderId>,
    stop_loss: Option<OrderId>,
}

/// Which of the two.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Guard {
    TakeProfit,
    StopLoss,
}

impl Venue {
    /// Sets what guards a position: `"0"` removes, what is absent stays.
    pub(super) fn trading_stop(&mut self, account: usize, params: &Params) -> Result<(), Refusal> {
        let (category, symbol) = self.instrument(params)?;
        if category != Category::Linear {
            return Err(Refusal::CATEGORY);
        }
        if params.get("positionIdx").is_some_and(|index| index != "0") {
            return Err(Refusal::new(10001, "position idx not match position mode"));
        }
        let is_set = |name: &str| params.get(name).is_some_and(|text| text != "0");
        for name in ["trailingStop", "activePrice", "tpLimitPrice", "slLimitPrice", "tpSize", "slSize"] {
            if is_set(name) {
                return Err(Refusal::param(name));
            }
        }
        if params.get("tpslMode").is_some_and(|mode| mode != "Full") {
            return Err(Refusal::param("tpslMode"));
        }
        let position = self.exchange.account(account).ok_or(Refusal::INTERNAL)?.position(symbol);
        if position.qty == 0 {
            return Err(Refusal::new(10001, "can not set tp/sl/ts for zero position"));
        }
        let before = self.guards_of(account, symbol);
        let wanted = |name, old| match params.amount(name)? {
            Some(price) => Ok(Price(price)),
            None => Ok(old),
        };
        let take_profit = wanted("takeProfit", before.take_profit)?;
        let stop_loss = wanted("stopLoss", before.stop_loss)?;
        let info = self.exchange.market(symbol).ok_or(Refusal::INTERNAL)?.info;
        for price in [take_profit, stop_loss] {
            if price != Price::ZERO {
                check_price(price, category, &info)?;
            }
        }
        if (Guards { take_profit, stop_loss }) == before {
            return Err(Refusal::new(34040, "not modified"));
        }
        let words = [trigger_word(params, "tpTriggerBy")?, trigger_word(params, "slTriggerBy")?];
        self.guard(account, symbol, Guard::TakeProfit, take_profit, words[0])?;
        self.guard(account, symbol, Guard::StopLoss, stop_loss, words[1])
    }

    /// What guards a position now.
    pub(super) fn guards_of(&self, account: usize, symbol: usize) -> Guards {
        let orders = self.guards.get(&(account, symbol)).copied().unwrap_or_default();
        let price = |id: Option<OrderId>| {
            let order = id.and_then(|id| self.exchange.order(id)).filter(|order| order.status.is_open());
            order.map_or(Price::ZERO, |order| order.stop_price)
        };
        Guards { take_profit: price(orders.take_profit), stop_loss: price(orders.stop_loss) }
    }

    /// An entry that carries guards has filled: they guard the position from now on.
    pub(super) fn attach_guards(&mut self, id: OrderId) {
        let Some(record) = self.ledger.get(id) else { return };
        let (account, symbol, asked) = (record.order.account, record.order.symbol, record.asked.clone());
        let [tp_word, sl_word] = asked.tpsl_trigger_by;
        // A price that has been passed meanwhile guards nothing; the venue drops it silently.
        if asked.take_profit != Price::ZERO {
            let _ = self.guard(account, symbol, Guard::TakeProfit, asked.take_profit, tp_word);
        }
        if asked.stop_loss != Price::ZERO {
            let _ = self.guard(account, symbol, Guard::StopLoss, asked.stop_loss, sl_word);
        }
    }

    /// Removes the guards of positions that are no more, or that turned over. True when there were any.
    pub(super) fn drop_idle_guards(&mut self) -> bool {
        let mut idle = Vec::new();
        for ((account, symbol), orders) in &self.guards {
            let position = self.exchange.account(*account).map(|owner| owner.position(*symbol));
            let closing = position.and_then(|position| position.closing_side());
            let ids = [orders.take_profit, orders.stop_loss].into_iter().flatten();
            idle.extend(ids.filter(|id| {
                let sleeping = self.exchange.order(*id).filter(|order| order.status.is_open());
                sleeping.is_some_and(|order| order.working.is_none() && closing != Some(order.side))
            }));
        }
        for id in &idle {
            let _ = self.end_order(*id, "CancelByTpSlTsClear");
        }
        !idle.is_empty()
    }

    /// Puts one guard in place of another; a price of zero removes it.
    fn guard(
        &mut self,
        account: usize,
        symbol: usize,
        guard: Guard,
        price: Price,
        word: &'static str,
    ) -> Result<(), Refusal> {
        let orders = self.guards.get(&(account, symbol)).copied().unwrap_or_default();
        let old = if guard == Guard::TakeProfit { orders.take_profit } else { orders.stop_loss };
        let old = old.filter(|id| self.exchange.is_open(*id));
        let old_price =
            old.and_then(|id| self.exchange.order(id)).map_or(Price::ZERO, |order| order.stop_price);
        if old_price == price {
            return Ok(());
        }
        let new = if price == Price::ZERO {
            None
        } else {
            Some(self.place_guard(account, symbol, guard, price, word)?)
        };
        if let Some(old) = old {
            self.end_order(old, "CancelByTpSlTsClear")?;
        }
        let orders = self.guards.entry((account, symbol)).or_default();
        match guard {
            Guard::TakeProfit => orders.take_profit = new,
            Guard::StopLoss => orders.stop_loss = new,
        }
        Ok(())
    }

    fn place_guard(
        &mut self,
        account: usize,
        symbol: usize,
        guard: Guard,
        price: Price,
        word: &'static str,
    ) -> Result<OrderId, Refusal> {
        let owner = self.exchange.account(account).ok_or(Refusal::INTERNAL)?;
        let side = owner.position(symbol).closing_side().ok_or(Refusal::INTERNAL)?;
        let word = if word.is_empty() { "LastPrice" } else { word };
        let is_rise = (side == smc_core::Side::Sell) == (guard == Guard::TakeProfit);
        let (kind, stop_order_type, create_type) = match guard {
            Guard::TakeProfit => (OrderType::TakeProfitMarket, "TakeProfit", "CreateByTakeProfit"),
            Guard::StopLoss => (OrderType::StopMarket, "StopLoss", "CreateByStopLoss"),
        };
        let order = NewOrder {
            account,
            symbol,
            side,
            kind,
            time_in_force: TimeInForce::Ioc,
            price: Price::ZERO,
            qty: Qty::ZERO,
            quote_qty: 0,
            stop_price: price,
            client_order_id: None,
            stp: SelfTradePrevention::None,
            scope: Scope { is_reduce_only: true, closes_position: true, trigger_by: trigger_by(word) },
        };
        let id = self.exchange.place(order).map_err(|_| {
            Refusal::text(
                10001,
                format!("{stop_order_type}:{price} set for this position is on the wrong side"),
            )
        })?;
        let order = self.exchange.order(id).cloned().ok_or(Refusal::INTERNAL)?;
        let last_price =
            self.exchange.market(symbol).and_then(|market| market.last_price).unwrap_or(Price::ZERO);
        let asked = Asked {
            time_in_force: "IOC",
            is_market: true,
            trigger_direction: if is_rise { 1 } else { 2 },
            trigger_by: word,
            stop_order_type,
            create_type,
            is_close_on_trigger: true,
            last_price,
            ..Asked::default()
        };
        self.ledger.open(order, Category::Linear, "", asked);
        Ok(id)
    }
}
