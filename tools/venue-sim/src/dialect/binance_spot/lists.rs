//! The methods of order lists: pairs of which one order ends the other (OCO).

use super::api::ApiSession;
use super::info::DEFAULT_STP;
use super::list_reports;
use super::orders::{order_type, response_type};
use super::params::Params;
use super::reports;
use super::{SeenOrder, Venue};
use crate::exchange::list::{ListId, OrderList};
use crate::exchange::order::{NewOrder, OrderId, OrderType, Scope, SelfTradePrevention, TimeInForce};
use crate::exchange::reject::Reject;
use smc_core::{Price, Qty, Side};

const DAY_MS: u64 = 86_400_000;

/// The method as the audit of orders writes it.
const PLACE: &str = "orderList.place.oco";

impl Venue {
    pub(super) fn list_place(&mut self, session: &ApiSession, params: &Params) -> Result<String, Reject> {
        self.summary.orders_received += 2;
        let placed = self.place_list(session, params);
        let orders = placed.as_ref().ok().and_then(|id| self.exchange.list(*id)).map(|list| list.orders);
        for place in PLACES {
            let name = params.get(&place.name("ClientOrderId")).unwrap_or("");
            let of_name =
                |id: &OrderId| self.exchange.order(*id).is_some_and(|order| order.client_order_id == name);
            let id = orders.and_then(|orders| orders.into_iter().find(of_name).or(orders.first().copied()));
            self.seen.push(SeenOrder {
                ts: self.now,
                symbol: params.get("symbol").unwrap_or("-").to_owned(),
                client_order_id: name.to_owned(),
                method: PLACE.to_owned(),
                outcome: placed.as_ref().map(|_| id.unwrap_or(0)).map_err(|reject| reject.code),
            });
        }
        let id = placed?;
        self.summary.orders_accepted += 2;
        let list = self.exchange.list(id).ok_or(Reject::UNKNOWN)?;
        let response = response_type(params, OrderType::LimitMaker)?;
        let symbol = self.symbol_name(list.symbol);
        let report = |id: &OrderId| {
            let order = self.exchange.order(*id)?;
            Some(reports::placed(symbol, order, &self.fresh_fills(*id), response))
        };
        let made: Vec<String> = list.orders.iter().filter_map(report).collect();
        Ok(list_reports::list_with(symbol, list, &self.exchange, &made))
    }

    fn place_list(&mut self, session: &ApiSession, params: &Params) -> Result<ListId, Reject> {
        let account = self.authorize(session, params)?;
        let [stop, limit] = self.both_orders(account, params)?;
        let name = params.name("listClientOrderId")?;
        response_type(params, OrderType::LimitMaker)?;
        self.limits.count_orders(self.now, account, 2)?;
        let placed = self.exchange.place_list(stop, limit, name);
        if placed.is_err() {
            self.limits.order_done(self.now, account);
            self.limits.order_done(self.now, account);
        }
        placed
    }

    /// The stop and the limit order that a request asks for, in the order in which the venue complains.
    fn both_orders(&self, account: usize, params: &Params) -> Result<[NewOrder; 2], Reject> {
        let symbol = self.symbol_of(params)?;
        let side = match params.required("side")? {
            "BUY" => Side::Buy,
            "SELL" => Side::Sell,
            _ => return Err(Reject::SIDE),
        };
        let qty = params.amount("quantity")?.ok_or_else(|| Reject::mandatory("quantity"))?;
        let kinds = [PLACES[0].kind(params)?, PLACES[1].kind(params)?];
        let stands_above = side == Side::Buy;
        match (kinds, stands_above) {
            ([OrderType::LimitMaker, OrderType::LimitMaker], _) => return Err(Reject::OCO_BOTH_LIMIT),
            ([OrderType::LimitMaker, _], true) => return Err(Reject::OCO_BUY_LIMIT),
            ([_, OrderType::LimitMaker], false) => return Err(Reject::OCO_SELL_LIMIT),
            ([_, OrderType::StopLossLimit], true) => return Err(Reject::OCO_BUY_STOP),
            ([OrderType::StopLossLimit, _], false) => return Err(Reject::OCO_SELL_STOP),
            _ => {}
        }
        let stp = match params.get("selfTradePreventionMode") {
            None => DEFAULT_STP,
            Some(word) => {
                let mode = SelfTradePrevention::ALL.into_iter().find(|mode| mode.word() == word);
                mode.ok_or_else(|| Reject::invalid("selfTradePreventionMode"))?
            }
        };
        let plain = NewOrder {
            account,
            symbol,
            side,
            kind: OrderType::LimitMaker,
            time_in_force: TimeInForce::Gtc,
            price: Price::ZERO,
            qty: Qty(qty),
            quote_qty: 0,
            stop_price: Price::ZERO,
            client_order_id: None,
            stp,
            scope: Scope::default(),
        };
        let [above, below] = PLACES.map(|place| place.order(params, &plain));
        let (above, below) = (above?, below?);
        Ok(if stands_above { [above, below] } else { [below, above] })
    }

    pub(super) fn list_cancel(&mut self, session: &ApiSession, params: &Params) -> Result<String, Reject> {
        let account = self.authorize(session, params)?;
        let symbol = self.symbol_of(params)?;
        let (id, name) = (params.whole("orderListId")?, params.get("listClientOrderId"));
        if id.is_none() && name.is_none() {
            return Err(Reject::either("orderListId", "listClientOrderId"));
        }
        // Found by number, the list must also have the name.
        let list = self
            .exchange
            .find_list(account, id, name)
            .filter(|list| list.symbol == symbol && name.is_none_or(|name| list.client_order_id == name));
        let working = list.and_then(|list| list.orders.into_iter().find(|id| self.exchange.is_open(*id)));
        self.cancel(working.ok_or(Reject::UNKNOWN_ORDER)?, params.name("newClientOrderId")?)
    }

    /// A list of which these orders were just cancelled.
    pub(super) fn canceled_list(&self, list: &OrderList, ids: &[OrderId], cancel_name: &str) -> String {
        let symbol = self.symbol_name(list.symbol);
        let ended = ids.iter().filter_map(|id| self.exchange.order(*id));
        let rows: Vec<String> = ended.map(|order| reports::canceled(symbol, order, cancel_name)).collect();
        list_reports::list_with(symbol, list, &self.exchange, &rows)
    }

    pub(super) fn list_status(&self, session: &ApiSession, params: &Params) -> Result<String, Reject> {
        let account = self.authorize(session, params)?;
        let (id, name) = (params.whole("orderListId")?, params.get("origClientOrderId"));
        if id.is_none() && name.is_none() {
            return Err(Reject::either("orderListId", "origClientOrderId"));
        }
        // Of both the name alone counts.
        let id = id.filter(|_| name.is_none());
        let list = self.exchange.find_list(account, id, name).ok_or(Reject::NO_SUCH_LIST)?;
        Ok(self.list_text(list))
    }

    pub(super) fn open_lists(&self, session: &ApiSession, params: &Params) -> Result<String, Reject> {
        let account = self.authorize(session, params)?;
        let open = self.exchange.lists_of(account).filter(|list| !list.is_done);
        let rows: Vec<String> = open.map(|list| self.list_text(list)).collect();
        Ok(format!("[{}]", rows.join(",")))
    }

    pub(super) fn all_lists(&self, session: &ApiSession, params: &Params) -> Result<String, Reject> {
        let account = self.authorize(session, params)?;
        let (from_ms, to_ms) = (params.whole("startTime")?, params.whole("endTime")?);
        let has_times = from_ms.is_some() || to_ms.is_some();
        let from_id = params.whole("fromId")?.filter(|_| !has_times);
        let limit = usize::try_from(params.whole("limit")?.unwrap_or(500).clamp(1, 1_000)).unwrap_or(1_000);
        if let (Some(from), Some(to)) = (from_ms, to_ms)
            && to.saturating_sub(from) > DAY_MS
        {
            return Err(Reject::MORE_THAN_A_DAY);
        }
        let is_wanted = |list: &&OrderList| {
            let at_ms = list.updated.as_ms();
            from_id.is_none_or(|from| list.id >= from)
                && from_ms.is_none_or(|from| at_ms >= from)
                && to_ms.is_none_or(|to| at_ms <= to)
        };
        // With a beginning the first from there, else the newest.
        let all = self.exchange.lists_of(account).filter(is_wanted);
        let mut lists: Vec<&OrderList> = match from_id.is_some() || from_ms.is_some() {
            true => all.take(limit).collect(),
            false => all.rev().take(limit).collect(),
        };
        lists.sort_by_key(|list| list.id);
        let rows: Vec<String> = lists.into_iter().map(|list| self.list_text(list)).collect();
        Ok(format!("[{}]", rows.join(",")))
    }

    fn list_text(&self, list: &OrderList) -> String {
        list_reports::list(self.symbol_name(list.symbol), list, &self.exchange)
    }
}

/// Where an order of a list stands, and what its parameters begin with.
#[derive(Clone, Copy)]
struct Place(&'static str);

const PLACES: [Place; 2] = [Place("above"), Place("below")];

impl Place {
    fn name(self, what: &str) -> String {
        format!("{}{what}", self.0)
    }

    fn kind(self, params: &Params) -> Result<OrderType, Reject> {
        match params.required(&self.name("Type"))? {
            "LIMIT" | "MARKET" => Err(Reject::OCO_ORDER_TYPE),
            word => order_type(word),
        }
    }

    /// What is asked for at this place, beside what both orders have in common.
    fn order(self, params: &Params, plain: &NewOrder) -> Result<NewOrder, Reject> {
        let kind = self.kind(params)?;
        let refusals = [
            ("IcebergQty", "Iceberg orders are not supported for this symbol."),
            ("TrailingDelta", "Trailing stop orders are not supported for this symbol."),
            ("PegPriceType", "Pegged orders are not supported for this symbol."),
        ];
        if let Some((_, msg)) = refusals.into_iter().find(|(what, _)| params.get(&self.name(what)).is_some())
        {
            return Err(Reject::new(-2010, msg));
        }
        let (price_name, stop_name) = (self.name("Price"), self.name("StopPrice"));
        let (force_name, id_name) = (self.name("TimeInForce"), self.name("ClientOrderId"));
        let price = params.price(&price_name)?.ok_or_else(|| Reject::mandatory(&price_name))?;
        let stop_price = params.price(&stop_name)?;
        let time_in_force = match (kind, params.get(&force_name)) {
            (OrderType::LimitMaker, None) | (OrderType::StopLossLimit, Some("GTC")) => TimeInForce::Gtc,
            (OrderType::LimitMaker, Some(_)) => return Err(Reject::not_required(&force_name)),
            (_, None) => return Err(Reject::mandatory(&force_name)),
            (_, Some("IOC")) => TimeInForce::Ioc,
            (_, Some("FOK")) => TimeInForce::Fok,
            (_, Some(_)) => return Err(Reject::TIME_IN_FORCE),
        };
        let stop_price = match (kind, stop_price) {
            (OrderType::LimitMaker, Some(_)) => return Err(Reject::not_required(&stop_name)),
            (OrderType::LimitMaker, None) => Price::ZERO,
            (_, stop_price) => stop_price.ok_or_else(|| Reject::mandatory(&stop_name))?,
        };
        let client_order_id = params.name(&id_name)?;
        Ok(NewOrder { kind, time_in_force, price, stop_price, client_order_id, ..plain.clone() })
    }
}
