//! The order methods: from parameters to the exchange and back.

use super::api::ApiSession;
use super::info::DEFAULT_STP;
use super::params::Params;
use super::reports::{self, ResponseType};
use super::{SeenOrder, Venue};
use crate::exchange::order::{
    NewOrder, Order, OrderStatus, OrderType, Scope, SelfTradePrevention, TimeInForce,
};
use crate::exchange::reject::Reject;
use crate::exchange::trade_log::TradeQuery;
use crate::exchange::{ExchangeEvent, Execution, Fill};
use smc_core::{Price, Qty, Side};

impl Venue {
    pub(super) fn order_place(&mut self, session: &ApiSession, params: &Params) -> Result<String, Reject> {
        self.summary.orders_received += 1;
        let placed = self.place(session, params);
        self.seen.push(SeenOrder {
            ts: self.now,
            symbol: params.get("symbol").unwrap_or("-").to_owned(),
            client_order_id: params.get("newClientOrderId").unwrap_or("").to_owned(),
            method: "order.place".to_owned(),
            outcome: placed.as_ref().map(|(order, _)| order.id).map_err(|reject| reject.code),
        });
        let (order, response) = placed?;
        self.summary.orders_accepted += 1;
        let fills = self.fresh_fills(order.id);
        Ok(reports::placed(self.symbol_name(order.symbol), &order, &fills, response))
    }

    fn place(&mut self, session: &ApiSession, params: &Params) -> Result<(Order, ResponseType), Reject> {
        let account = self.authorize(session, params)?;
        let request = self.new_order(account, params)?;
        let response = response_type(params, request.kind)?;
        self.limits.count_order(self.now, account)?;
        let placed = self.exchange.place(request);
        if placed.is_err() {
            self.limits.order_done(self.now, account);
        }
        let order = self.exchange.order(placed?).cloned().ok_or(Reject::UNKNOWN)?;
        Ok((order, response))
    }

    pub(super) fn order_test(&mut self, session: &ApiSession, params: &Params) -> Result<String, Reject> {
        let account = self.authorize(session, params)?;
        let request = self.new_order(account, params)?;
        response_type(params, request.kind)?;
        self.exchange.test(&request)?;
        Ok("{}".to_owned())
    }

    /// The fills that an order got in the request at hand.
    pub(super) fn fresh_fills(&self, id: u64) -> Vec<Fill> {
        let fill_of = |event: &ExchangeEvent| match event {
            ExchangeEvent::Report(report) if report.order.id == id => match report.exec {
                Execution::Trade(fill) => Some(fill),
                _ => None,
            },
            _ => None,
        };
        self.exchange.events().iter().filter_map(fill_of).collect()
    }

    /// Reads a new order, in the order in which the venue complains.
    pub(super) fn new_order(&self, account: usize, params: &Params) -> Result<NewOrder, Reject> {
        let symbol = self.symbol_of(params)?;
        let side = match params.required("side")? {
            "BUY" => Side::Buy,
            "SELL" => Side::Sell,
            _ => return Err(Reject::SIDE),
        };
        let kind = order_type(params.required("type")?)?;
        refuse_unsupported(params)?;
        let time_in_force = time_in_force(params, kind)?;
        let price = params.price("price")?;
        let qty = params.amount("quantity")?;
        let quote_qty = params.amount("quoteOrderQty")?;
        let stop_price = params.price("stopPrice")?;
        check_composition(kind, price, qty, quote_qty, stop_price)?;
        let stp = match params.get("selfTradePreventionMode") {
            None => DEFAULT_STP,
            Some(word) => {
                let mode = SelfTradePrevention::ALL.into_iter().find(|mode| mode.word() == word);
                mode.ok_or_else(|| Reject::invalid("selfTradePreventionMode"))?
            }
        };
        Ok(NewOrder {
            account,
            symbol,
            side,
            kind,
            time_in_force,
            price: price.unwrap_or(Price::ZERO),
            qty: Qty(qty.unwrap_or(0)),
            quote_qty: quote_qty.unwrap_or(0),
            stop_price: stop_price.unwrap_or(Price::ZERO),
            client_order_id: params.name("newClientOrderId")?,
            stp,
            scope: Scope::default(),
        })
    }

    pub(super) fn order_cancel(&mut self, session: &ApiSession, params: &Params) -> Result<String, Reject> {
        let account = self.authorize(session, params)?;
        let symbol = self.symbol_of(params)?;
        let (id, name) = (params.whole("orderId")?, params.get("origClientOrderId"));
        if id.is_none() && name.is_none() {
            return Err(Reject::either("origClientOrderId", "orderId"));
        }
        self.cancel_named((account, symbol), (id, name), params, params.name("newClientOrderId")?)
    }

    /// Cancels the order of an account and a symbol that is named by number, by name or by both.
    pub(super) fn cancel_named(
        &mut self,
        (account, symbol): (usize, usize),
        (id, name): (Option<u64>, Option<&str>),
        params: &Params,
        cancel_name: Option<String>,
    ) -> Result<String, Reject> {
        let Some(order) = self.exchange.find(account, symbol, id, name) else {
            let is_other =
                id.is_some() && name.is_some() && self.exchange.find(account, symbol, id, None).is_some();
            return Err(if is_other { Reject::CANCEL_MISMATCH } else { Reject::UNKNOWN_ORDER });
        };
        let is_allowed = match params.get("cancelRestrictions") {
            None => true,
            Some("ONLY_NEW") => order.status == OrderStatus::New,
            Some("ONLY_PARTIALLY_FILLED") => order.status == OrderStatus::PartiallyFilled,
            Some(_) => return Err(Reject::CANCEL_RESTRICTIONS),
        };
        let (order_id, is_open) = (order.id, order.status.is_open());
        if is_open && !is_allowed {
            return Err(Reject::RESTRICTED);
        }
        self.cancel(order_id, cancel_name)
    }

    /// Cancels an order. One of a list takes the others along, and the list is told instead.
    pub(super) fn cancel(&mut self, id: u64, cancel_name: Option<String>) -> Result<String, Reject> {
        let cancel_name = cancel_name.unwrap_or_else(|| self.exchange.make_name());
        let together = self.exchange.working_of_list(id);
        let order = self.exchange.cancel(id, Some(cancel_name.clone()))?;
        self.summary.cancels += together.len().max(1) as u64;
        let list = order.list.filter(|_| !together.is_empty());
        match list.and_then(|list| self.exchange.list(list)) {
            Some(list) => Ok(self.canceled_list(list, &together, &cancel_name)),
            None => Ok(reports::canceled(self.symbol_name(order.symbol), &order, &cancel_name)),
        }
    }

    pub(super) fn cancel_all(&mut self, session: &ApiSession, params: &Params) -> Result<String, Reject> {
        let account = self.authorize(session, params)?;
        let symbol = self.symbol_of(params)?;
        let ids: Vec<u64> =
            self.exchange.open_orders(account, Some(symbol)).iter().map(|order| order.id).collect();
        if ids.is_empty() {
            return Err(Reject::UNKNOWN_ORDER);
        }
        let mut rows = Vec::new();
        for id in ids {
            // The other of a list that was cancelled before is gone by now.
            if self.exchange.is_open(id) {
                rows.push(self.cancel(id, None)?);
            }
        }
        Ok(format!("[{}]", rows.join(",")))
    }

    pub(super) fn order_status(&mut self, session: &ApiSession, params: &Params) -> Result<String, Reject> {
        let account = self.authorize(session, params)?;
        let symbol = self.symbol_of(params)?;
        let (id, name) = (params.whole("orderId")?, params.get("origClientOrderId"));
        if id.is_none() && name.is_none() {
            return Err(Reject::either("origClientOrderId", "orderId"));
        }
        let order = self.exchange.find(account, symbol, id, name).ok_or(Reject::NO_SUCH_ORDER)?;
        Ok(reports::status(self.symbol_name(symbol), order))
    }

    pub(super) fn open_orders(&mut self, session: &ApiSession, params: &Params) -> Result<String, Reject> {
        let account = self.authorize(session, params)?;
        let symbol = params.get("symbol").map(|_| self.symbol_of(params)).transpose()?;
        let open = self.exchange.open_orders(account, symbol);
        let rows: Vec<String> =
            open.iter().map(|order| reports::status(self.symbol_name(order.symbol), order)).collect();
        Ok(format!("[{}]", rows.join(",")))
    }

    pub(super) fn my_trades(&self, session: &ApiSession, params: &Params) -> Result<String, Reject> {
        let account = self.authorize(session, params)?;
        let query = trade_query(self.symbol_of(params)?, params)?;
        let owner = self.exchange.account(account).ok_or(Reject::UNKNOWN)?;
        Ok(reports::trades(self.symbol_name(query.symbol), &owner.trades().find(&query)))
    }
}

/// Reads which trades are wanted. Times go neither with an order nor with a first number, and span a day at most.
fn trade_query(symbol: usize, params: &Params) -> Result<TradeQuery, Reject> {
    const DAY_MS: u64 = 86_400_000;
    let query = TradeQuery {
        symbol,
        order: params.whole("orderId")?,
        from_id: params.whole("fromId")?,
        from_ms: params.whole("startTime")?,
        to_ms: params.whole("endTime")?,
        limit: usize::try_from(params.whole("limit")?.unwrap_or(500).clamp(1, 1_000)).unwrap_or(1_000),
    };
    let has_times = query.from_ms.is_some() || query.to_ms.is_some();
    if has_times && (query.order.is_some() || query.from_id.is_some()) {
        return Err(Reject::COMBINATION);
    }
    match (query.from_ms, query.to_ms) {
        (Some(from), Some(to)) if to.saturating_sub(from) > DAY_MS => Err(Reject::MORE_THAN_A_DAY),
        _ => Ok(query),
    }
}

pub(super) fn order_type(word: &str) -> Result<OrderType, Reject> {
    Ok(match word {
        "LIMIT" => OrderType::Limit,
        "LIMIT_MAKER" => OrderType::LimitMaker,
        "MARKET" => OrderType::Market,
        "STOP_LOSS_LIMIT" => OrderType::StopLossLimit,
        "STOP_LOSS" => {
            return Err(Reject::new(-2010, "Stop loss orders are not supported for this symbol."));
        }
        "TAKE_PROFIT" => {
            return Err(Reject::new(-2010, "Take profit orders are not supported for this symbol."));
        }
        "TAKE_PROFIT_LIMIT" => {
            return Err(Reject::new(-2010, "Take profit limit orders are not supported for this symbol."));
        }
        _ => return Err(Reject::ORDER_TYPE),
    })
}

/// Parameters with a meaning that this venue does not offer are refused, never ignored.
fn refuse_unsupported(params: &Params) -> Result<(), Reject> {
    let refusals = [
        ("icebergQty", "Iceberg orders are not supported for this symbol."),
        ("trailingDelta", "Trailing stop orders are not supported for this symbol."),
        ("pegPriceType", "Pegged orders are not supported for this symbol."),
    ];
    match refusals.into_iter().find(|(name, _)| params.get(name).is_some()) {
        Some((_, msg)) => Err(Reject::new(-2010, msg)),
        None => Ok(()),
    }
}

fn time_in_force(params: &Params, kind: OrderType) -> Result<TimeInForce, Reject> {
    let is_needed = matches!(kind, OrderType::Limit | OrderType::StopLossLimit);
    match params.get("timeInForce") {
        None if is_needed => Err(Reject::mandatory("timeInForce")),
        None => Ok(TimeInForce::Gtc),
        Some(_) if !is_needed => Err(Reject::not_required("timeInForce")),
        Some("GTC") => Ok(TimeInForce::Gtc),
        Some("IOC") => Ok(TimeInForce::Ioc),
        Some("FOK") => Ok(TimeInForce::Fok),
        Some(_) => Err(Reject::TIME_IN_FORCE),
    }
}

/// Which numbers each type must have, and must not have.
fn check_composition(
    kind: OrderType,
    price: Option<Price>,
    qty: Option<i64>,
    quote_qty: Option<i64>,
    stop_price: Option<Price>,
) -> Result<(), Reject> {
    let needed = |is_there: bool, name| if is_there { Ok(()) } else { Err(Reject::mandatory(name)) };
    let unwanted = |is_there: bool, name| if is_there { Err(Reject::not_required(name)) } else { Ok(()) };
    if kind == OrderType::Market {
        unwanted(price.is_some(), "price")?;
        unwanted(stop_price.is_some(), "stopPrice")?;
        return match (qty, quote_qty) {
            (None, None) => Err(Reject::either("quantity", "quoteOrderQty")),
            (Some(_), Some(_)) => Err(Reject::not_required("quoteOrderQty")),
            _ => Ok(()),
        };
    }
    needed(qty.is_some(), "quantity")?;
    needed(price.is_some(), "price")?;
    unwanted(quote_qty.is_some(), "quoteOrderQty")?;
    if kind == OrderType::StopLossLimit {
        needed(stop_price.is_some(), "stopPrice")
    } else {
        unwanted(stop_price.is_some(), "stopPrice")
    }
}

pub(super) fn response_type(params: &Params, kind: OrderType) -> Result<ResponseType, Reject> {
    match params.get("newOrderRespType") {
        Some("ACK") => Ok(ResponseType::Ack),
        Some("RESULT") => Ok(ResponseType::Result),
        Some("FULL") => Ok(ResponseType::Full),
        Some(_) => Err(Reject::invalid("newOrderRespType")),
        None if matches!(kind, OrderType::Limit | OrderType::Market) => Ok(ResponseType::Full),
        None => Ok(ResponseType::Ack),
    }
}
