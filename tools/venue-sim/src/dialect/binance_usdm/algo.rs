//! Conditional orders: their own list, their own numbers, and the plain order that each becomes when its price comes.
//!
//! Triggers are looked at after every step of the market and every request, before anything else is published.

use super::api::ApiSession;
use super::filters::ALGO_ORDERS_MAX;
use super::info::Grid;
use super::orders::{one_way, refuse_unsupported, self_trade, side, time_in_force};
use super::private::{average_price, side_word, type_word, working_word};
use super::{SeenOrder, UsdmVenue, refusals};
use crate::dialect::TrueOrder;
use crate::dialect::binance_spot::params::Params;
use crate::dialect::json::{Text, to_text};
use crate::exchange::order::{NewOrder, Order, OrderType, Scope, TriggerBy};
use crate::exchange::reject::Reject;
use serde_json::{Value, json};
use smc_core::instrument::ContractKind;
use smc_core::words::Name;
use smc_core::{Price, Qty, TsNs};
use std::collections::BTreeMap;

/// Ended conditional orders that can still be asked for.
const ENDED_MAX: usize = 10_000;

/// Where a conditional order stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Status {
    New,
    Canceled,
    Triggering,
    Triggered,
    Finished,
    Rejected,
}

impl Status {
    const fn word(self) -> &'static str {
        match self {
            Self::New => "NEW",
            Self::Canceled => "CANCELED",
            Self::Triggering => "TRIGGERING",
            Self::Triggered => "TRIGGERED",
            Self::Finished => "FINISHED",
            Self::Rejected => "REJECTED",
        }
    }
}

/// One conditional order.
#[derive(Clone, Debug)]
struct Algo {
    id: u64,
    name: String,
    /// What it asks for; its kind sleeps.
    request: NewOrder,
    status: Status,
    created: TsNs,
    updated: TsNs,
    triggered: Option<TsNs>,
    /// The plain order that it became.
    order: Option<u64>,
    /// What that order filled, and at which mean price, 1e-8.
    filled: (i64, i64),
    /// Why it was rejected.
    reason: Option<String>,
}

/// All conditional orders.
pub struct Algos {
    list: BTreeMap<u64, Algo>,
    next_id: u64,
}

impl Algos {
    /// None yet; numbers count up from one made of `seed`.
    pub fn new(seed: u64) -> Self {
        Self { list: BTreeMap::new(), next_id: 3_000_000_000_000_000 + seed % 1_000_000 * 1_000 }
    }

    fn open(&self, account: usize, symbol: Option<usize>) -> impl Iterator<Item = &Algo> + '_ {
        self.list.values().filter(move |algo| {
            algo.status == Status::New
                && algo.request.account == account
                && symbol.is_none_or(|symbol| symbol == algo.request.symbol)
        })
    }

    fn forget_oldest(&mut self) {
        while self.list.len() > ENDED_MAX {
            let is_over = |algo: &&Algo| !matches!(algo.status, Status::New | Status::Triggered);
            let Some(id) = self.list.values().find(is_over).map(|algo| algo.id) else { return };
            self.list.remove(&id);
        }
    }
}

impl UsdmVenue {
    pub(super) fn algo_place(&mut self, session: &ApiSession, params: &Params) -> Result<String, Reject> {
        self.summary.orders_received += 1;
        let placed = self.place_algo(session, params);
        self.seen.push(SeenOrder {
            ts: self.now,
            symbol: params.get("symbol").unwrap_or("-").to_owned(),
            client_order_id: params.get("clientAlgoId").unwrap_or("").to_owned(),
            method: "algoOrder.place".to_owned(),
            outcome: placed.as_ref().map(|algo| algo.id).map_err(|reject| reject.code),
        });
        let algo = placed?;
        self.summary.orders_accepted += 1;
        self.tell_algo(&algo);
        let mut answer = algo_value(&self.grid(algo.request.symbol), &algo);
        answer["activatePrice"] = "".into();
        answer["callbackRate"] = "".into();
        Ok(answer.to_string())
    }

    fn place_algo(&mut self, session: &ApiSession, params: &Params) -> Result<Algo, Reject> {
        let account = self.authorize(session, params)?;
        self.limits.count_order(self.now, account)?;
        if params.required("algoType")? != "CONDITIONAL" {
            return Err(Reject::invalid("algoType"));
        }
        let request = self.new_conditional(account, params)?;
        let open = self.algos.open(account, None).count();
        if open >= ALGO_ORDERS_MAX as usize {
            return Err(refusals::STOP_ORDERS);
        }
        let given = params.futures_name("clientAlgoId")?;
        if given.as_ref().is_some_and(|name| self.algos.open(account, None).any(|algo| algo.name == *name)) {
            return Err(Reject::DUPLICATE_NAME);
        }
        self.check_filters(&request, None)?;
        if self.exchange.has_reached(&request) {
            return Err(Reject::TRIGGERS_AT_ONCE);
        }
        self.algos.next_id += 1;
        let name = given.unwrap_or_else(|| self.exchange.make_name());
        let algo = Algo {
            id: self.algos.next_id,
            name,
            request,
            status: Status::New,
            created: self.now,
            updated: self.now,
            triggered: None,
            order: None,
            filled: (0, 0),
            reason: None,
        };
        self.algos.list.insert(algo.id, algo.clone());
        self.algos.forget_oldest();
        Ok(algo)
    }

    fn new_conditional(&self, account: usize, params: &Params) -> Result<NewOrder, Reject> {
        let symbol = self.symbol_of(params)?;
        let side = side(params)?;
        let kind = match params.required("type")? {
            "STOP" => OrderType::StopLossLimit,
            "STOP_MARKET" => OrderType::StopMarket,
            "TAKE_PROFIT" => OrderType::TakeProfitLimit,
            "TAKE_PROFIT_MARKET" => OrderType::TakeProfitMarket,
            "TRAILING_STOP_MARKET" => return Err(refusals::UNSUPPORTED),
            _ => return Err(Reject::ORDER_TYPE),
        };
        refuse_unsupported(params)?;
        one_way(params)?;
        let stop_price = params.price("triggerPrice")?.ok_or_else(|| Reject::mandatory("triggerPrice"))?;
        let closes_position = params.flag("closePosition")?.unwrap_or(false);
        let is_reduce_only = params.flag("reduceOnly")?.unwrap_or(false);
        let (qty, price) = (params.amount("quantity")?, params.price("price")?);
        let qty = match (closes_position, qty) {
            (true, Some(_)) => return Err(refusals::QTY_WITH_CLOSE),
            (true, None) if !kind.is_market() => return Err(Reject::not_required("closePosition")),
            (true, None) => 0,
            (false, qty) => qty.ok_or_else(|| Reject::mandatory("quantity"))?,
        };
        let price = match (kind.is_market(), price) {
            (false, None) => return Err(Reject::mandatory("price")),
            (_, price) => price.unwrap_or(Price::ZERO),
        };
        let trigger_by = match params.get("workingType") {
            None | Some("CONTRACT_PRICE") => TriggerBy::Last,
            Some("MARK_PRICE") => TriggerBy::Mark,
            Some(_) => return Err(refusals::WORKING_TYPE),
        };
        Ok(NewOrder {
            account,
            symbol,
            side,
            kind,
            time_in_force: time_in_force(params, kind)?,
            price,
            qty: Qty(qty),
            quote_qty: 0,
            stop_price,
            client_order_id: None,
            stp: self_trade(params)?,
            scope: Scope { is_reduce_only, closes_position, trigger_by },
        })
    }

    fn algo_named(&self, account: usize, params: &Params) -> Result<Option<&Algo>, Reject> {
        let (id, name) = (params.whole("algoId")?, params.get("clientAlgoId"));
        if id.is_none() && name.is_none() {
            return Err(Reject::either("clientAlgoId", "algoId"));
        }
        let is_it = |algo: &&Algo| match id {
            Some(id) => algo.id == id,
            None => Some(algo.name.as_str()) == name,
        };
        let mut newest = self.algos.list.values().rev().filter(|algo| algo.request.account == account);
        Ok(newest.find(is_it))
    }

    pub(super) fn algo_cancel(&mut self, session: &ApiSession, params: &Params) -> Result<String, Reject> {
        let account = self.authorize(session, params)?;
        let found = self.algo_named(account, params)?.filter(|algo| algo.status == Status::New);
        let (id, name) = found.map(|algo| (algo.id, algo.name.clone())).ok_or(Reject::UNKNOWN_ORDER)?;
        self.end_algo(id, Status::Canceled);
        self.summary.cancels += 1;
        Ok(json!({"algoId": id, "clientAlgoId": name, "code": "200", "msg": "success"}).to_string())
    }

    pub(super) fn algo_cancel_all(
        &mut self,
        session: &ApiSession,
        params: &Params,
    ) -> Result<String, Reject> {
        let account = self.authorize(session, params)?;
        let symbol = self.symbol_of(params)?;
        let ids: Vec<u64> = self.algos.open(account, Some(symbol)).map(|algo| algo.id).collect();
        self.summary.cancels += ids.len() as u64;
        for id in ids {
            self.end_algo(id, Status::Canceled);
        }
        Ok(r#"{"code":200,"msg":"The operation of cancel all open order is done."}"#.to_owned())
    }

    pub(super) fn algo_status(&self, session: &ApiSession, params: &Params) -> Result<String, Reject> {
        let account = self.authorize(session, params)?;
        let algo = self.algo_named(account, params)?.ok_or(Reject::NO_SUCH_ORDER)?;
        Ok(algo_value(&self.grid(algo.request.symbol), algo).to_string())
    }

    pub(super) fn algo_list(
        &self,
        session: &ApiSession,
        params: &Params,
        is_open: bool,
    ) -> Result<String, Reject> {
        let account = self.authorize(session, params)?;
        let symbol = params.get("symbol").map(|_| self.symbol_of(params)).transpose()?;
        let is_wanted = |algo: &&Algo| {
            algo.request.account == account
                && symbol.is_none_or(|symbol| symbol == algo.request.symbol)
                && (!is_open || algo.status == Status::New)
        };
        let all = self.algos.list.values().filter(is_wanted);
        let lines: Vec<Value> = all.map(|algo| algo_value(&self.grid(algo.request.symbol), algo)).collect();
        Ok(Value::from(lines).to_string())
    }

    /// Turns the conditional orders whose price has come into plain ones. True when any did.
    pub(super) fn trigger_algos(&mut self) -> bool {
        let due: Vec<u64> = self
            .algos
            .list
            .values()
            .filter(|algo| algo.status == Status::New && self.exchange.has_reached(&algo.request))
            .map(|algo| algo.id)
            .collect();
        for id in &due {
            self.trigger_algo(*id);
        }
        !due.is_empty()
    }

    fn trigger_algo(&mut self, id: u64) {
        let now = self.now;
        let Some(algo) = self.algos.list.get_mut(&id) else { return };
        algo.triggered = Some(now);
        let mut request = NewOrder { client_order_id: Some(algo.name.clone()), ..algo.request.clone() };
        self.end_algo(id, Status::Triggering);
        request.kind = if request.kind.is_market() { OrderType::Market } else { OrderType::Limit };
        request.stop_price = Price::ZERO;
        if request.scope.closes_position {
            let position = self.exchange.account(request.account).map(|owner| owner.position(request.symbol));
            request.qty = Qty(position.map_or(0, |position| position.reducible(request.side)));
            request.scope = Scope { closes_position: true, is_reduce_only: true, ..request.scope };
        }
        let placed = if request.qty.0 == 0 { Err(Reject::REDUCE_ONLY) } else { self.take(request) };
        match placed {
            Ok(order) => {
                if let Some(algo) = self.algos.list.get_mut(&id) {
                    algo.order = Some(order);
                }
                self.end_algo(id, Status::Triggered);
            }
            Err(reject) => {
                if let Some(algo) = self.algos.list.get_mut(&id) {
                    algo.reason = Some(reject.msg.into_owned());
                }
                self.end_algo(id, Status::Rejected);
            }
        }
    }

    /// Ends the conditional order whose plain order has ended.
    pub(super) fn follow_algo(&mut self, order: &Order) {
        if order.status.is_open() {
            return;
        }
        let is_it = |algo: &&mut Algo| algo.order == Some(order.id) && algo.status == Status::Triggered;
        let Some(algo) = self.algos.list.values_mut().find(is_it) else { return };
        algo.filled = (order.filled_qty.0, average_price(order));
        let id = algo.id;
        self.end_algo(id, Status::Finished);
    }

    /// Moves a conditional order to its next state and says so.
    fn end_algo(&mut self, id: u64, status: Status) {
        let now = self.now;
        let Some(algo) = self.algos.list.get_mut(&id) else { return };
        algo.status = status;
        algo.updated = now;
        let algo = algo.clone();
        self.tell_algo(&algo);
    }

    /// The conditional orders that have become no plain one; those that have are the exchange's.
    pub(super) fn waiting_algos(&self, account: usize) -> impl Iterator<Item = TrueOrder> + '_ {
        let is_meant = move |algo: &&Algo| algo.request.account == account && algo.order.is_none();
        self.algos.list.values().filter(is_meant).map(|algo| TrueOrder {
            venue_order_id: algo.id,
            venue_order_name: algo.id.to_string(),
            client_order_id: algo.name.clone(),
            symbol: self
                .exchange
                .market(algo.request.symbol)
                .map_or_else(Name::default, |it| it.info.spec.symbol),
            kind: ContractKind::Linear,
            side: algo.request.side,
            price: algo.request.price,
            qty: algo.request.qty,
            filled_qty: Qty::ZERO,
            is_open: algo.status == Status::New,
            list: None,
        })
    }

    fn tell_algo(&mut self, algo: &Algo) {
        let text = algo_update(&self.grid(algo.request.symbol), algo, self.now);
        self.tell_account(algo.request.account, "ALGO_UPDATE", &text);
    }
}

/// Whether the plain order is a market or a limit order; nothing before there is one.
fn actual_word(algo: &Algo) -> &'static str {
    match (algo.triggered, algo.request.kind.is_market()) {
        (None, _) => "",
        (_, true) => "MARKET",
        (_, false) => "LIMIT",
    }
}

fn algo_value(grid: &Grid, algo: &Algo) -> Value {
    let request = &algo.request;
    json!({
        "algoId": algo.id,
        "clientAlgoId": algo.name,
        "algoType": "CONDITIONAL",
        "orderType": type_word(request.kind),
        "symbol": Text(grid.symbol),
        "side": side_word(request.side),
        "positionSide": "BOTH",
        "timeInForce": request.time_in_force.word(),
        "quantity": grid.qty(request.qty.0),
        "algoStatus": algo.status.word(),
        "actualOrderId": algo.order.map_or(String::new(), |id| id.to_string()),
        "actualPrice": grid.price(algo.filled.1),
        "actualType": actual_word(algo),
        "actualQty": grid.qty(algo.filled.0),
        "triggerPrice": grid.price(request.stop_price.0),
        "price": grid.price(request.price.0),
        "icebergQuantity": null,
        "tpTriggerPrice": grid.price(0),
        "tpPrice": grid.price(0),
        "slTriggerPrice": grid.price(0),
        "slPrice": grid.price(0),
        "tpOrderType": "",
        "selfTradePreventionMode": request.stp.word(),
        "workingType": working_word(request.scope.trigger_by),
        "priceMatch": "NONE",
        "closePosition": request.scope.closes_position,
        "priceProtect": false,
        "reduceOnly": request.scope.is_reduce_only,
        "createTime": algo.created.as_ms(),
        "updateTime": algo.updated.as_ms(),
        "triggerTime": algo.triggered.map_or(0, TsNs::as_ms),
        "goodTillDate": 0,
    })
}

fn algo_update(grid: &Grid, algo: &Algo, now: TsNs) -> String {
    let request = &algo.request;
    let reason = algo.reason.as_ref().map_or(String::new(), |text| format!(",\"rm\":{}", to_text(text)));
    format!(
        r#"{{"e":"ALGO_UPDATE","T":{now},"E":{now},"o":{{"caid":{},"aid":{},"at":"CONDITIONAL","o":"{}","s":"{}","S":"{}","ps":"BOTH","f":"{}","q":"{}","X":"{}","ai":"{}","ap":"{}","aq":"{}","act":"{}","tp":"{}","p":"{}","V":"{}","wt":"{}","pm":"NONE","cp":{},"pP":false,"R":{},"tt":{},"gtd":0{reason}}}}}"#,
        to_text(&algo.name),
        algo.id,
        type_word(request.kind),
        grid.symbol.as_str(),
        side_word(request.side),
        request.time_in_force.word(),
        grid.qty(request.qty.0),
        algo.status.word(),
        algo.order.map_or(String::new(), |id| id.to_string()),
        grid.price(algo.filled.1),
        grid.qty(algo.filled.0),
        actual_word(algo),
        grid.price(request.stop_price.0),
        grid.price(request.price.0),
        request.stp.word(),
        working_word(request.scope.trigger_by),
        request.scope.closes_position,
        request.scope.is_reduce_only,
        algo.triggered.map_or(0, TsNs::as_ms),
        now = now.as_ms(),
    )
}
