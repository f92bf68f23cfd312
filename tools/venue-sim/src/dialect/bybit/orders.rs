//! Orders: created, amended and cancelled, alone and in batches. An answer says accepted, not done: what became of an
//! order is told on the private topics.

use super::limits::Endpoint;
use super::params::Params;
use super::place::{check_price, check_qty, new_order};
use super::refusal::Refusal;
use super::words::Category;
use super::{SeenOrder, Venue};
use crate::exchange::order::OrderId;
use crate::exchange::reject::Reject;
use serde_json::{Value, json};
use smc_core::Qty;

/// A cancel that comes so soon after the fill was on its way when it happened.
const RACE_NS: u64 = 50_000_000;

/// The ids that an answer names.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ids {
    /// `orderId`.
    pub order_id: String,
    /// `orderLinkId`.
    pub link_id: String,
}

impl Ids {
    /// As the result of a request.
    pub fn value(&self) -> Value {
        json!({"orderId": self.order_id, "orderLinkId": self.link_id})
    }
}

/// What can be asked for one order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// A new order.
    Create,
    /// Another price or quantity.
    Amend,
    /// Its end.
    Cancel,
}

impl Action {
    /// What limits it, alone or in a batch.
    pub const fn endpoint(self, is_batch: bool) -> Endpoint {
        match (self, is_batch) {
            (Self::Create, false) => Endpoint::Create,
            (Self::Amend, false) => Endpoint::Amend,
            (Self::Cancel, false) => Endpoint::Cancel,
            (Self::Create, true) => Endpoint::CreateBatch,
            (Self::Amend, true) => Endpoint::AmendBatch,
            (Self::Cancel, true) => Endpoint::CancelBatch,
        }
    }
}

impl Venue {
    /// Does one thing to one order.
    pub(super) fn act(&mut self, action: Action, account: usize, params: &Params) -> Result<Ids, Refusal> {
        match action {
            Action::Create => self.create(account, params),
            Action::Amend => self.amend(account, params),
            Action::Cancel => self.cancel(account, params),
        }
    }

    /// The elements of a batch, each with the category of the whole.
    pub(super) fn batch(params: &Params) -> Result<(Category, Vec<Params>), Refusal> {
        let category = params.category()?;
        let rows = params.objects("request", if category.is_spot() { 10 } else { 20 })?;
        Ok((category, rows.into_iter().map(|row| row.with("category", category.word())).collect()))
    }

    /// Does one thing to many orders: results and refusals, in the order of the request.
    pub(super) fn act_all(&mut self, action: Action, account: usize, rows: &[Params]) -> (Value, Value) {
        let (mut list, mut codes) = (Vec::new(), Vec::new());
        for row in rows {
            let result = self.act(action, account, row);
            let text = |name| row.get(name).unwrap_or("").to_owned();
            let ids = result.clone().unwrap_or(Ids { order_id: String::new(), link_id: text("orderLinkId") });
            let mut line = json!({
                "category": text("category"), "symbol": text("symbol"),
                "orderId": ids.order_id, "orderLinkId": ids.link_id,
            });
            if let (Action::Create, Some(fields)) = (action, line.as_object_mut()) {
                let at = if result.is_ok() { self.now.as_ms().to_string() } else { String::new() };
                fields.insert("createAt".to_owned(), json!(at));
            }
            list.push(line);
            codes.push(match result {
                Ok(_) => json!({"code": 0, "msg": "OK"}),
                Err(refusal) => json!({"code": refusal.code, "msg": refusal.msg}),
            });
        }
        (json!({"list": list}), json!({"list": codes}))
    }

    fn create(&mut self, account: usize, params: &Params) -> Result<Ids, Refusal> {
        self.summary.orders_received += 1;
        let placed = self.place(account, params);
        self.seen.push(SeenOrder {
            ts: self.now,
            symbol: params.get("symbol").unwrap_or("-").to_owned(),
            client_order_id: params.get("orderLinkId").unwrap_or("").to_owned(),
            method: "order.create".to_owned(),
            outcome: placed.as_ref().copied().map_err(|refusal| refusal.code),
        });
        let id = placed?;
        self.summary.orders_accepted += 1;
        self.ids(id)
    }

    fn ids(&self, id: OrderId) -> Result<Ids, Refusal> {
        let record = self.ledger.get(id).ok_or(Refusal::INTERNAL)?;
        Ok(Ids { order_id: record.order_id.clone(), link_id: record.link_id.clone() })
    }

    pub(super) fn place(&mut self, account: usize, params: &Params) -> Result<OrderId, Refusal> {
        let (category, symbol) = self.instrument(params)?;
        let link_id = params.link_id()?.unwrap_or("").to_owned();
        if !link_id.is_empty() && self.ledger.is_used(account, category, &link_id) {
            return Err(Refusal::duplicate(category));
        }
        let (order, asked) = new_order(&self.exchange, account, symbol, category, params)?;
        let direction = asked.trigger_direction;
        let placed = self.exchange.place(order).map_err(|reject| match reject {
            r if r == Reject::TRIGGERS_AT_ONCE || r == Reject::WOULD_TRIGGER => wrong_side(direction),
            r => Refusal::of(&r, category),
        });
        let id = placed?;
        let order = self.exchange.order(id).cloned().ok_or(Refusal::INTERNAL)?;
        self.ledger.open(order, category, &link_id, asked);
        Ok(id)
    }

    fn amend(&mut self, account: usize, params: &Params) -> Result<Ids, Refusal> {
        let (category, symbol) = self.instrument(params)?;
        let late = Refusal::too_late_to_replace(category);
        let record = self.named(account, category, params)?.filter(|record| record.is_open());
        let order =
            record.map(|record| record.order.clone()).filter(|order| order.symbol == symbol).ok_or(late)?;
        for name in ["triggerPrice", "takeProfit", "stopLoss", "orderIv"] {
            if params.get(name).is_some() {
                return Err(Refusal::param(name)); // only price and quantity can be amended here
            }
        }
        let price = params.price("price")?.unwrap_or(order.price);
        let qty = params.amount("qty")?.map_or(order.qty, Qty);
        if price == order.price && qty == order.qty {
            return Err(Refusal::NOT_MODIFIED);
        }
        let info = self.exchange.market(symbol).ok_or(Refusal::symbol(category))?.info;
        check_price(price, category, &info)?;
        check_qty(qty, info.spec.qty_max, category, &info)?;
        if qty <= order.filled_qty {
            return Err(Refusal::below_filled(category));
        }
        self.exchange.amend(order.id, price, qty, true).map_err(|reject| Refusal::of(&reject, category))?;
        self.ids(order.id)
    }

    fn cancel(&mut self, account: usize, params: &Params) -> Result<Ids, Refusal> {
        let (category, symbol) = self.instrument(params)?;
        let late = Refusal::too_late_to_cancel(category);
        let record = self.named(account, category, params)?.filter(|record| record.order.symbol == symbol);
        let record = record.ok_or(late.clone())?;
        let id = record.order.id;
        if record.is_open() {
            self.end_order(id, "CancelByUser")?;
            return self.ids(id);
        }
        let is_race = record.state.status == "Filled" && self.now.since(record.order.updated) < RACE_NS;
        if !is_race {
            return Err(late);
        }
        // The venue took the cancel before it knew of the fill: it says Filled once more.
        self.tell_filled_again(id);
        self.ids(id)
    }

    /// Ends an open order for a reason of the venue's.
    pub(super) fn end_order(&mut self, id: OrderId, cancel_type: &'static str) -> Result<(), Refusal> {
        let record = self.ledger.get_mut(id).ok_or(Refusal::INTERNAL)?;
        record.cancel_type = cancel_type;
        let category = record.category;
        self.exchange.cancel(id, None).map_err(|reject| Refusal::of(&reject, category))?;
        self.summary.cancels += 1;
        Ok(())
    }

    /// Cancels the open orders of a symbol, of a base coin or of a settlement coin.
    pub(super) fn cancel_all(&mut self, account: usize, params: &Params) -> Result<Value, Refusal> {
        let category = params.category()?;
        let scope = self.scope(category, params)?;
        let wants = |stop: &str| match params.get("orderFilter") {
            Some("StopOrder" | "tpslOrder") => stop != "UNKNOWN",
            Some("Order") => stop == "UNKNOWN",
            _ => true,
        };
        let open: Vec<OrderId> = self
            .ledger
            .orders(account, category)
            .filter(|record| record.is_open() && scope.contains(&record.order.symbol))
            .filter(|record| wants(record.asked.stop_order_type))
            .map(|record| record.order.id)
            .collect();
        let mut list = Vec::new();
        for id in open {
            // A first cancel may end others with it: what is gone already is not named.
            if self.exchange.is_open(id) {
                self.end_order(id, "CancelByUser")?;
                list.push(self.ids(id)?.value());
            }
        }
        Ok(json!({"list": list, "success": "1"}))
    }

    /// The instrument that a request names.
    pub(super) fn instrument(&self, params: &Params) -> Result<(Category, usize), Refusal> {
        let category = params.category()?;
        let symbol = self.symbol_index(category, params.required("symbol")?);
        Ok((category, symbol.ok_or(Refusal::symbol(category))?))
    }

    /// The instruments that a request is about: one, or all of a coin. Contracts need one of the three.
    pub(super) fn scope(&self, category: Category, params: &Params) -> Result<Vec<usize>, Refusal> {
        if params.get("symbol").is_some() {
            return Ok(vec![self.instrument(params)?.1]);
        }
        let (base, settle) = (params.get("baseCoin"), params.get("settleCoin"));
        if !category.is_spot() && base.is_none() && settle.is_none() {
            return Err(Refusal::new(
                10001,
                "Missing some parameters that must be filled in, symbol or settleCoin or baseCoin",
            ));
        }
        let markets = self.exchange.markets().iter().enumerate();
        let is_wanted = |spec: &smc_core::instrument::InstrumentSpec| {
            base.is_none_or(|coin| spec.base.as_str() == coin)
                && settle.is_none_or(|coin| spec.quote.as_str() == coin)
        };
        Ok(markets
            .filter(|(symbol, market)| self.category_of(*symbol) == category && is_wanted(&market.info.spec))
            .map(|(symbol, _)| symbol)
            .collect())
    }

    /// The order that a request names by one of its ids.
    pub(super) fn named(
        &self,
        account: usize,
        category: Category,
        params: &Params,
    ) -> Result<Option<&super::ledger::Record>, Refusal> {
        let (order_id, link_id) = (params.get("orderId"), params.link_id()?);
        if order_id.is_none() && link_id.is_none() {
            return Err(Refusal::param("orderId"));
        }
        Ok(self.ledger.find(account, category, order_id, link_id))
    }
}

/// The trigger lies on the side where the price is already.
fn wrong_side(direction: u8) -> Refusal {
    if direction == 1 {
        Refusal::new(110092, "expect Rising, but trigger_price <= current")
    } else {
        Refusal::new(110093, "expect Falling, but trigger_price >= current")
    }
}
