//! The order methods: from parameters to the exchange and back.

use super::api::ApiSession;
use super::filters::{self, Market};
use super::info::Grid;
use super::private::{Detail, order_text, side_word};
use super::{SeenOrder, UsdmVenue, refusals};
use crate::dialect::binance_spot::params::Params;
use crate::dialect::json::{D8, Text};
use crate::exchange::order::{
    NewOrder, Order, OrderStatus, OrderType, Scope, SelfTradePrevention, TimeInForce,
};
use crate::exchange::reject::Reject;
use crate::exchange::trade_log::{AccountTrade, TradeQuery};
use serde_json::{Value, json};
use smc_core::{Price, Qty, Side, TsNs};

/// The mode of orders that name none. The venue's pages disagree; clients should always send one.
const DEFAULT_STP: SelfTradePrevention = SelfTradePrevention::ExpireMaker;
/// Changes that one order may see.
const CHANGES_MAX: u32 = 10_000;
const DAY_MS: u64 = 86_400_000;

impl UsdmVenue {
    fn see(&mut self, method: &str, params: &Params, name: &str, outcome: Result<u64, i32>) {
        self.seen.push(SeenOrder {
            ts: self.now,
            symbol: params.get("symbol").unwrap_or("-").to_owned(),
            client_order_id: params.get(name).unwrap_or("").to_owned(),
            method: method.to_owned(),
            outcome,
        });
    }

    pub(super) fn order_place(&mut self, session: &ApiSession, params: &Params) -> Result<String, Reject> {
        self.summary.orders_received += 1;
        let placed = self.place(session, params);
        let outcome = placed.as_ref().map(|(order, _)| order.id).map_err(|reject| reject.code);
        self.see("order.place", params, "newClientOrderId", outcome);
        let (order, detail) = placed?;
        self.summary.orders_accepted += 1;
        Ok(order_text(&self.grid(order.symbol), &order, detail))
    }

    fn place(&mut self, session: &ApiSession, params: &Params) -> Result<(Order, Detail), Reject> {
        let account = self.authorize(session, params)?;
        self.limits.count_order(self.now, account)?;
        let request = self.new_order(account, params)?;
        let detail = match params.get("newOrderRespType") {
            None | Some("ACK") => Detail::Ack,
            Some("RESULT") => Detail::Result,
            Some(_) => return Err(refusals::RESPONSE_TYPE),
        };
        let id = self.take(request)?;
        let order = self.exchange.order(id).cloned().ok_or(Reject::UNKNOWN)?;
        Ok((order, detail))
    }

    /// Checks an order and hands it to the exchange.
    pub(super) fn take(&mut self, request: NewOrder) -> Result<u64, Reject> {
        self.check_filters(&request, None)?;
        let would_take = self.exchange.would_take(request.symbol, request.side, request.price);
        match request.time_in_force {
            TimeInForce::Gtx if would_take => return Err(refusals::GTX),
            TimeInForce::Fok if !self.exchange.can_fill_whole(&request) => return Err(refusals::FOK),
            _ => {}
        }
        self.exchange.place(request)
    }

    /// Holds an order against the symbol's filters; `changed` is the open order that it takes the place of.
    pub(super) fn check_filters(&self, request: &NewOrder, changed: Option<u64>) -> Result<(), Reject> {
        let market = self.exchange.market(request.symbol).ok_or(Reject::SYMBOL)?;
        let open = self.exchange.open_orders(request.account, Some(request.symbol));
        let others = open.iter().filter(|order| Some(order.id) != changed).count();
        let against = Market {
            mark: self.exchange.mark_price(request.symbol),
            best_opposite: market.book.best(request.side.opposite()).map(|(price, _)| Price(price)),
            open_orders: u32::try_from(others).unwrap_or(u32::MAX),
        };
        filters::check(request, &market.info, against)
    }

    /// Reads a new order, in the order in which the venue complains.
    fn new_order(&self, account: usize, params: &Params) -> Result<NewOrder, Reject> {
        let symbol = self.symbol_of(params)?;
        let side = side(params)?;
        let kind = match params.required("type")? {
            "LIMIT" => OrderType::Limit,
            "MARKET" => OrderType::Market,
            "STOP" | "STOP_MARKET" | "TAKE_PROFIT" | "TAKE_PROFIT_MARKET" | "TRAILING_STOP_MARKET" => {
                return Err(refusals::ALGO_ONLY);
            }
            _ => return Err(Reject::ORDER_TYPE),
        };
        refuse_unsupported(params)?;
        one_way(params)?;
        let time_in_force = time_in_force(params, kind)?;
        let (price, qty) = (params.price("price")?, params.amount("quantity")?);
        let qty = qty.ok_or_else(|| Reject::mandatory("quantity"))?;
        let price = match (kind, price) {
            (OrderType::Limit, None) => return Err(Reject::mandatory("price")),
            (OrderType::Market, Some(_)) => return Err(Reject::not_required("price")),
            (_, price) => price.unwrap_or(Price::ZERO),
        };
        if params.get("stopPrice").is_some() {
            return Err(Reject::not_required("stopPrice"));
        }
        let is_reduce_only = params.flag("reduceOnly")?.unwrap_or(false);
        if params.flag("closePosition")? == Some(true) {
            return Err(refusals::ALGO_ONLY);
        }
        Ok(NewOrder {
            account,
            symbol,
            side,
            kind,
            time_in_force,
            price,
            qty: Qty(qty),
            quote_qty: 0,
            stop_price: Price::ZERO,
            client_order_id: params.futures_name("newClientOrderId")?,
            stp: self_trade(params)?,
            scope: Scope { is_reduce_only, ..Scope::default() },
        })
    }

    /// The order that a request names by number or by name; the number wins.
    fn named(&self, account: usize, params: &Params) -> Result<Option<&Order>, Reject> {
        let symbol = self.symbol_of(params)?;
        let (id, name) = (params.whole("orderId")?, params.get("origClientOrderId"));
        let name = match (id, name) {
            (None, None) => return Err(Reject::either("origClientOrderId", "orderId")),
            (Some(_), _) => None,
            (None, name) => name,
        };
        let found = self.exchange.find(account, symbol, id, name);
        Ok(found.filter(|order| !is_forgotten(order, self.now)))
    }

    pub(super) fn order_modify(&mut self, session: &ApiSession, params: &Params) -> Result<String, Reject> {
        self.summary.orders_received += 1;
        let modified = self.modify(session, params);
        let outcome = modified.as_ref().map(|order| order.id).map_err(|reject| reject.code);
        self.see("order.modify", params, "origClientOrderId", outcome);
        let order = modified?;
        self.summary.orders_accepted += 1;
        Ok(order_text(&self.grid(order.symbol), &order, Detail::Modified))
    }

    fn modify(&mut self, session: &ApiSession, params: &Params) -> Result<Order, Reject> {
        let account = self.authorize(session, params)?;
        self.limits.count_order(self.now, account)?;
        let side = side(params)?;
        let (price, qty) = (params.price("price")?, params.amount("quantity")?);
        let qty = Qty(qty.ok_or_else(|| Reject::mandatory("quantity"))?);
        let price = price.ok_or_else(|| Reject::mandatory("price"))?;
        let order = self.named(account, params)?.filter(|order| order.status.is_open());
        let order = order.ok_or(Reject::NO_SUCH_ORDER)?.clone();
        if order.kind != OrderType::Limit {
            return Err(Reject::NOT_A_LIMIT_ORDER);
        }
        if order.side != side {
            return Err(Reject::invalid("side"));
        }
        if order.price == price && order.qty == qty {
            return Err(refusals::SAME_ORDER);
        }
        if order.amendments >= CHANGES_MAX {
            return Err(refusals::TOO_MANY_CHANGES);
        }
        let request = NewOrder {
            account,
            symbol: order.symbol,
            side,
            kind: order.kind,
            time_in_force: order.time_in_force,
            price,
            qty,
            quote_qty: 0,
            stop_price: Price::ZERO,
            client_order_id: None,
            stp: order.stp,
            scope: order.scope,
        };
        self.check_filters(&request, Some(order.id))?;
        let would_take = self.exchange.would_take(order.symbol, side, price);
        if order.time_in_force == TimeInForce::Gtx && would_take {
            return self.exchange.cancel(order.id, None);
        }
        self.exchange.amend(order.id, price, qty, false)
    }

    pub(super) fn order_cancel(&mut self, session: &ApiSession, params: &Params) -> Result<String, Reject> {
        let account = self.authorize(session, params)?;
        let id = self.named(account, params)?.ok_or(Reject::UNKNOWN_ORDER)?.id;
        let order = self.exchange.cancel(id, None)?;
        self.summary.cancels += 1;
        Ok(order_text(&self.grid(order.symbol), &order, Detail::Result))
    }

    pub(super) fn cancel_all(&mut self, session: &ApiSession, params: &Params) -> Result<String, Reject> {
        let account = self.authorize(session, params)?;
        let symbol = self.symbol_of(params)?;
        self.summary.cancels += self.exchange.cancel_all(account, Some(symbol)).len() as u64;
        Ok(r#"{"code":200,"msg":"The operation of cancel all open order is done."}"#.to_owned())
    }

    pub(super) fn countdown(&mut self, session: &ApiSession, params: &Params) -> Result<String, Reject> {
        let account = self.authorize(session, params)?;
        let symbol = self.symbol_of(params)?;
        let ms = params.whole("countdownTime")?.ok_or_else(|| Reject::mandatory("countdownTime"))?;
        if ms == 0 {
            self.countdowns.remove(&(account, symbol));
        } else {
            let at = TsNs(self.now.0.saturating_add(ms.saturating_mul(1_000_000)));
            self.countdowns.insert((account, symbol), at);
        }
        let symbol = Text(self.grid(symbol).symbol);
        Ok(json!({"symbol": symbol, "countdownTime": ms.to_string()}).to_string())
    }

    pub(super) fn order_status(&self, session: &ApiSession, params: &Params) -> Result<String, Reject> {
        let account = self.authorize(session, params)?;
        let order = self.named(account, params)?.ok_or(Reject::NO_SUCH_ORDER)?;
        Ok(order_text(&self.grid(order.symbol), order, Detail::Query))
    }

    pub(super) fn open_order(&self, session: &ApiSession, params: &Params) -> Result<String, Reject> {
        let account = self.authorize(session, params)?;
        let order = self.named(account, params)?.filter(|order| order.status.is_open());
        let order = order.ok_or(Reject::NO_SUCH_ORDER)?;
        Ok(order_text(&self.grid(order.symbol), order, Detail::Query))
    }

    pub(super) fn open_orders(&self, session: &ApiSession, params: &Params) -> Result<String, Reject> {
        let account = self.authorize(session, params)?;
        let symbol = params.get("symbol").map(|_| self.symbol_of(params)).transpose()?;
        let open = self.exchange.open_orders(account, symbol);
        let rows: Vec<String> =
            open.iter().map(|order| order_text(&self.grid(order.symbol), order, Detail::Query)).collect();
        Ok(format!("[{}]", rows.join(",")))
    }

    pub(super) fn all_orders(&self, session: &ApiSession, params: &Params) -> Result<String, Reject> {
        let account = self.authorize(session, params)?;
        let symbol = self.symbol_of(params)?;
        let first = params.whole("orderId")?;
        let (from, to) = (params.whole("startTime")?, params.whole("endTime")?);
        check_span(from, to, 7)?;
        let limit = usize::try_from(params.whole("limit")?.unwrap_or(500).clamp(1, 1_000)).unwrap_or(1_000);
        let grid = self.grid(symbol);
        let is_wanted = |order: &&Order| {
            let at = order.created.as_ms();
            first.is_none_or(|first| order.id >= first)
                && from.is_none_or(|from| at >= from)
                && to.is_none_or(|to| at <= to)
                && !is_forgotten(order, self.now)
        };
        let text = |order: &Order| order_text(&grid, order, Detail::Query);
        let orders = self.exchange.orders_of(account, symbol);
        let rows: Vec<String> = if first.is_some() || from.is_some() {
            orders.filter(is_wanted).take(limit).map(text).collect()
        } else {
            let mut newest: Vec<_> = orders.rev().filter(is_wanted).take(limit).map(text).collect();
            newest.reverse();
            newest
        };
        Ok(format!("[{}]", rows.join(",")))
    }

    pub(super) fn user_trades(&self, session: &ApiSession, params: &Params) -> Result<String, Reject> {
        let account = self.authorize(session, params)?;
        let query = TradeQuery {
            symbol: self.symbol_of(params)?,
            order: params.whole("orderId")?,
            from_id: params.whole("fromId")?,
            from_ms: params.whole("startTime")?,
            to_ms: params.whole("endTime")?,
            limit: usize::try_from(params.whole("limit")?.unwrap_or(500).clamp(1, 1_000)).unwrap_or(1_000),
        };
        if query.from_id.is_some() && (query.from_ms.is_some() || query.to_ms.is_some()) {
            return Err(Reject::COMBINATION);
        }
        check_span(query.from_ms, query.to_ms, 7)?;
        let owner = self.exchange.account(account).ok_or(Reject::UNKNOWN)?;
        let grid = self.grid(query.symbol);
        let lines: Vec<Value> =
            owner.trades().find(&query).into_iter().map(|trade| trade_line(&grid, trade)).collect();
        Ok(Value::from(lines).to_string())
    }
}

fn trade_line(grid: &Grid, trade: &AccountTrade) -> Value {
    json!({
        "symbol": Text(grid.symbol),
        "id": trade.fill.trade_id,
        "orderId": trade.order,
        "side": side_word(trade.side),
        "price": grid.price(trade.fill.price.0),
        "qty": grid.qty(trade.fill.qty.0),
        "realizedPnl": D8(trade.fill.realised),
        "quoteQty": grid.quote(trade.fill.quote),
        "commission": D8(trade.fill.commission),
        "commissionAsset": Text(trade.fill.commission_asset),
        "time": trade.at.as_ms(),
        "positionSide": "BOTH",
        "buyer": trade.side == Side::Buy,
        "maker": trade.fill.is_maker,
    })
}

/// Whether the venue no longer knows an ended order: after three days when nothing of it filled, else after ninety.
fn is_forgotten(order: &Order, now: TsNs) -> bool {
    let age_ms = now.as_ms().saturating_sub(order.updated.as_ms());
    let is_unfilled =
        order.filled_qty == Qty::ZERO && matches!(order.status, OrderStatus::Canceled | OrderStatus::Expired);
    !order.status.is_open() && age_ms > if is_unfilled { 3 * DAY_MS } else { 90 * DAY_MS }
}

fn check_span(from: Option<u64>, to: Option<u64>, days: u64) -> Result<(), Reject> {
    match (from, to) {
        (Some(from), Some(to)) if to < from => {
            Err(Reject::new(-1023, "Start time is greater than end time."))
        }
        (Some(from), Some(to)) if to - from > days * DAY_MS => {
            Err(Reject::new(-4165, "Maximum time interval is 7 days"))
        }
        _ => Ok(()),
    }
}

pub(super) fn side(params: &Params) -> Result<Side, Reject> {
    match params.required("side")? {
        "BUY" => Ok(Side::Buy),
        "SELL" => Ok(Side::Sell),
        _ => Err(Reject::SIDE),
    }
}

/// One-way mode knows one position a symbol.
pub(super) fn one_way(params: &Params) -> Result<(), Reject> {
    match params.get("positionSide") {
        None | Some("BOTH") => Ok(()),
        Some("LONG" | "SHORT") => Err(refusals::POSITION_MODE),
        Some(_) => Err(refusals::POSITION_SIDE),
    }
}

pub(super) fn self_trade(params: &Params) -> Result<SelfTradePrevention, Reject> {
    let Some(word) = params.get("selfTradePreventionMode") else { return Ok(DEFAULT_STP) };
    SelfTradePrevention::ALL.into_iter().find(|mode| mode.word() == word).ok_or(refusals::STP_MODE)
}

/// Parameters with a meaning that this venue does not offer are refused, never ignored.
pub(super) fn refuse_unsupported(params: &Params) -> Result<(), Reject> {
    let is_offered = |name: &str| match params.get(name) {
        None => true,
        Some(value) => matches!((name, value), ("priceMatch", "NONE") | ("priceProtect", "FALSE" | "false")),
    };
    let all = ["priceMatch", "priceProtect", "callbackRate", "activatePrice", "goodTillDate"];
    if all.into_iter().all(is_offered) { Ok(()) } else { Err(refusals::UNSUPPORTED) }
}

pub(super) fn time_in_force(params: &Params, kind: OrderType) -> Result<TimeInForce, Reject> {
    match params.get("timeInForce") {
        None if kind == OrderType::Limit => Err(Reject::mandatory("timeInForce")),
        None => Ok(TimeInForce::Gtc),
        Some(_) if kind == OrderType::Market => Err(refusals::TIF_NOT_REQUIRED),
        Some("GTC") => Ok(TimeInForce::Gtc),
        Some("IOC") => Ok(TimeInForce::Ioc),
        Some("FOK") => Ok(TimeInForce::Fok),
        Some("GTX") => Ok(TimeInForce::Gtx),
        Some(_) => Err(Reject::TIME_IN_FORCE),
    }
}
