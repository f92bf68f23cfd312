//! A venue for tests: one account that books the truth, and answers as the venue does. No socket, no clock of its own.

use serde_json::{Map, Value, json};
use smc_net::{Call, Method};

/// What becomes of the next order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fate {
    /// Market orders fill, others rest.
    Usual,
    /// Fills at once.
    Fill,
    /// Fills in part; the rest is gone, or goes on as another order where it rests.
    Part(i64),
    /// Made, and cancelled at once for this reason.
    Cancel(&'static str),
    /// Not made, for this reason.
    Refuse(&'static str),
}

/// A pending order.
#[derive(Clone, Debug)]
pub(super) struct Pending {
    pub id: u64,
    pub client: String,
    /// The order as it was asked for.
    pub wish: Value,
    pub units: i64,
    pub trade: u64,
}

/// An open trade.
#[derive(Clone, Copy, Debug)]
pub(super) struct OpenTrade {
    pub id: u64,
    pub units: i64,
}

/// The account. It trades EUR_USD alone.
pub(super) struct Venue {
    pub transactions: Vec<Value>,
    /// Id of the first transaction.
    pub first: u64,
    pub pending: Vec<Pending>,
    /// Finished orders: id, client, state, the transaction that ended it, units.
    pub past: Vec<(u64, String, &'static str, u64, i64, Value)>,
    pub trades: Vec<OpenTrade>,
    /// Transactions of one answer.
    pub page: usize,
    pub fate: Fate,
    /// Names of orders that have ended are not found.
    pub forgets_names: bool,
    /// Client ids of the orders that were made by request.
    pub made: Vec<String>,
    pub hedging: bool,
}

impl Venue {
    pub fn new() -> Self {
        let mut this = Self {
            transactions: Vec::new(),
            first: 101,
            pending: Vec::new(),
            past: Vec::new(),
            trades: Vec::new(),
            page: 1_000,
            fate: Fate::Usual,
            forgets_names: false,
            made: Vec::new(),
            hedging: false,
        };
        this.note(json!({"type": "CREATE", "homeCurrency": "USD"}));
        this
    }

    pub fn last(&self) -> u64 {
        self.first + self.transactions.len() as u64 - 1
    }

    /// Signed units held.
    pub fn held(&self) -> i64 {
        self.trades.iter().map(|trade| trade.units).sum()
    }

    /// Books a transaction.
    pub fn note(&mut self, mut body: Value) -> Value {
        let id = self.first + self.transactions.len() as u64;
        body["id"] = json!(id.to_string());
        body["time"] = json!("2026-07-22T07:01:01.229030006Z");
        body["accountID"] = json!("101-004-1234567-001");
        self.transactions.push(body.clone());
        body
    }

    /// Answers a request: status and body.
    pub fn handle(&mut self, call: &Call) -> (u16, Value) {
        let path =
            call.path.strip_prefix("/v3/accounts/101-004-1234567-001").expect("our account").to_owned();
        let (path, query) = path.split_once('?').unwrap_or((&path, ""));
        let field = |name: &str| -> u64 {
            let prefix = format!("{name}=");
            query.split('&').find_map(|pair| pair.strip_prefix(&prefix)).unwrap().parse().unwrap()
        };
        let parts: Vec<&str> = path.split('/').skip(1).collect();
        let order = || serde_json::from_slice::<Value>(&call.body).unwrap()["order"].take();
        match (call.method, parts.as_slice()) {
            (Method::Get, []) => (200, self.account()),
            (Method::Get, ["summary"]) => (200, self.account()),
            (Method::Post, ["orders"]) => self.create(order(), None),
            (Method::Put, ["orders", spec]) => self.replace(spec, order()),
            (Method::Put, ["orders", spec, "cancel"]) => self.cancel(spec),
            (Method::Get, ["orders", spec]) => self.details(spec),
            (Method::Get, ["transactions", "sinceid"]) => self.list(field("id") + 1, self.last()),
            (Method::Get, ["transactions", "idrange"]) => self.list(field("from"), field("to")),
            (Method::Get, ["transactions", id]) => {
                let at = (id.parse::<u64>().unwrap() - self.first) as usize;
                (
                    200,
                    json!({"transaction": self.transactions[at], "lastTransactionID": self.last().to_string()}),
                )
            }
            other => panic!("{other:?} was asked"),
        }
    }

    fn list(&self, from: u64, to: u64) -> (u16, Value) {
        let from = from.max(self.first);
        let rows: Vec<&Value> =
            (from..=to).take(self.page).map(|id| &self.transactions[(id - self.first) as usize]).collect();
        (200, json!({"transactions": rows, "lastTransactionID": self.last().to_string()}))
    }

    fn account(&self) -> Value {
        let orders: Vec<Value> = self.pending.iter().map(|order| self.row(order)).collect();
        let trades: Vec<Value> = self
            .trades
            .iter()
            .map(|t| {
                json!({"id": t.id.to_string(), "instrument": "EUR_USD", "price": "1.1", "state": "OPEN",
                "initialUnits": t.units.to_string(), "currentUnits": t.units.to_string()})
            })
            .collect();
        let held = self.held();
        let (long, short) = (held.max(0).to_string(), held.min(0).to_string());
        let last = self.last().to_string();
        json!({"account": {"id": "101-004-1234567-001", "currency": "USD", "balance": "1000.5000",
            "NAV": "1001.5000", "marginAvailable": "900.0000", "hedgingEnabled": self.hedging,
            "lastTransactionID": last, "orders": orders, "trades": trades, "positions": [{
                "instrument": "EUR_USD", "long": {"units": long, "averagePrice": "1.1"},
                "short": {"units": short, "averagePrice": "1.1"}}]}, "lastTransactionID": last})
    }

    fn row(&self, order: &Pending) -> Value {
        let mut row = order.wish.clone();
        row["id"] = json!(order.id.to_string());
        row["state"] = json!("PENDING");
        row
    }

    fn details(&self, spec: &str) -> (u16, Value) {
        let last = self.last().to_string();
        if let Some(at) = self.find(spec) {
            return (200, json!({"order": self.row(&self.pending[at]), "lastTransactionID": last}));
        }
        let is_it = |past: &&(u64, String, &'static str, u64, i64, Value)| match spec.strip_prefix('@') {
            Some(client) => !self.forgets_names && past.1 == client,
            None => past.0.to_string() == spec,
        };
        // Of orders that shared a name the last counts.
        let Some((id, _, state, by, _, wish)) = self.past.iter().rev().find(is_it) else {
            let text = "The order ID specified does not exist";
            return (
                404,
                json!({"errorCode": "NO_SUCH_ORDER", "errorMessage": text, "lastTransactionID": last}),
            );
        };
        let mut row = wish.clone();
        row["id"] = json!(id.to_string());
        row["state"] = json!(state);
        let field = if *state == "FILLED" { "fillingTransactionID" } else { "cancellingTransactionID" };
        row[field] = json!(by.to_string());
        (200, json!({"order": row, "lastTransactionID": last}))
    }

    fn find(&self, spec: &str) -> Option<usize> {
        self.pending.iter().position(|order| match spec.strip_prefix('@') {
            Some(client) => order.client == client,
            None => order.id.to_string() == spec,
        })
    }

    pub fn create(&mut self, wish: Value, replaces: Option<u64>) -> (u16, Value) {
        let fate = std::mem::replace(&mut self.fate, Fate::Usual);
        let kind = wish["type"].as_str().unwrap().to_owned();
        if let Fate::Refuse(why) = fate {
            let mut body = wish;
            body["type"] = json!(format!("{kind}_ORDER_REJECT"));
            body["reason"] = json!("CLIENT_ORDER");
            body["rejectReason"] = json!(why);
            let refused = self.note(body);
            return (
                400,
                json!({"orderRejectTransaction": refused, "errorCode": why, "errorMessage": "?",
                "lastTransactionID": self.last().to_string()}),
            );
        }
        let client = wish["clientExtensions"]["id"].as_str().unwrap_or_default().to_owned();
        self.made.push(client.clone());
        let mut answer = Map::new();
        let mut body = wish.clone();
        body["type"] = json!(format!("{kind}_ORDER"));
        body["reason"] = json!(if replaces.is_some() { "REPLACEMENT" } else { "CLIENT_ORDER" });
        let made = self.note(body);
        let id = self.last();
        answer.insert("orderCreateTransaction".into(), made);
        let units = wish["units"].as_str().map_or(0, |units| units.parse().unwrap());
        let trade = wish["tradeID"].as_str().map_or(0, |id| id.parse().unwrap());
        self.pending.push(Pending { id, client, wish, units, trade });
        match fate {
            Fate::Cancel(why) => {
                let ended = self.end(id, why);
                answer.insert("orderCancelTransaction".into(), ended);
            }
            Fate::Part(units) => {
                let filled = self.fill(id, units);
                answer.insert("orderFillTransaction".into(), filled);
            }
            Fate::Fill => {
                let filled = self.fill(id, units);
                answer.insert("orderFillTransaction".into(), filled);
            }
            _ if kind == "MARKET" => {
                let filled = self.fill(id, units);
                answer.insert("orderFillTransaction".into(), filled);
            }
            _ => {}
        }
        answer.insert("lastTransactionID".into(), json!(self.last().to_string()));
        (201, Value::Object(answer))
    }

    fn replace(&mut self, spec: &str, wish: Value) -> (u16, Value) {
        let Some(at) = self.find(spec) else { return self.refuse_cancel(spec) };
        let trade = wish["tradeID"].as_str().map_or(0, |id| id.parse().unwrap());
        if trade != self.pending[at].trade {
            self.fate = Fate::Refuse("REPLACING_ORDER_INVALID");
        }
        if let Fate::Refuse(_) = self.fate {
            return self.create(wish, None);
        }
        let old = self.pending[at].id;
        let ended = self.end(old, "CLIENT_REQUEST_REPLACED");
        let (status, mut answer) = self.create(wish, Some(old));
        // One that was made and cancelled has the old one's end under another name; the list tells both.
        if answer.get("orderCancelTransaction").is_none() {
            answer["orderCancelTransaction"] = ended;
        }
        (status, answer)
    }

    fn cancel(&mut self, spec: &str) -> (u16, Value) {
        let Some(at) = self.find(spec) else { return self.refuse_cancel(spec) };
        let id = self.pending[at].id;
        let ended = self.end(id, "CLIENT_REQUEST");
        (200, json!({"orderCancelTransaction": ended, "lastTransactionID": self.last().to_string()}))
    }

    fn refuse_cancel(&mut self, spec: &str) -> (u16, Value) {
        let mut body = json!({"type": "ORDER_CANCEL_REJECT", "rejectReason": "ORDER_DOESNT_EXIST"});
        match spec.strip_prefix('@') {
            Some(client) => body["clientOrderID"] = json!(client),
            None => body["orderID"] = json!(spec),
        }
        let refused = self.note(body);
        (
            404,
            json!({"orderCancelRejectTransaction": refused, "errorCode": "ORDER_DOESNT_EXIST",
            "errorMessage": "The Order specified does not exist", "lastTransactionID": self.last().to_string()}),
        )
    }

    /// Cancels a pending order.
    pub fn end(&mut self, id: u64, why: &str) -> Value {
        let at = self.pending.iter().position(|order| order.id == id).expect("pending");
        let order = self.pending.remove(at);
        let mut body = json!({"type": "ORDER_CANCEL", "orderID": id.to_string(), "reason": why});
        if !order.client.is_empty() {
            body["clientOrderID"] = json!(order.client);
        }
        let ended = self.note(body);
        self.past.push((id, order.client, "CANCELLED", self.last(), order.units, order.wish));
        ended
    }

    /// Fills a pending order by so many signed units; of one that closes a trade, all that is left of it.
    pub fn fill(&mut self, id: u64, units: i64) -> Value {
        let at = self.pending.iter().position(|order| order.id == id).expect("pending");
        let order = self.pending.remove(at);
        let reason = format!("{}_ORDER", order.wish["type"].as_str().unwrap());
        let closes = self.trades.iter().find(|trade| trade.id == order.trade).copied();
        let units = closes.map_or(units, |trade| -trade.units);
        let fill_id = self.last() + 1;
        let (mut rest, mut closed, mut reduced, mut ended) = (units, Vec::new(), Value::Null, Vec::new());
        while rest != 0 {
            let against = self.trades.iter().position(|trade| match closes {
                Some(closed) => trade.id == closed.id,
                None => trade.units.signum() == -rest.signum(),
            });
            let Some(at) = against else { break };
            let trade = self.trades[at];
            if rest.abs() >= trade.units.abs() {
                self.trades.remove(at);
                rest += trade.units;
                closed.push(json!({"tradeID": trade.id.to_string(), "units": (-trade.units).to_string(),
                    "realizedPL": "0.5", "financing": "-0.01"}));
                ended.push(trade.id);
            } else {
                self.trades[at].units += rest;
                reduced =
                    json!({"tradeID": trade.id.to_string(), "units": rest.to_string(), "realizedPL": "0.1"});
                rest = 0;
            }
        }
        let mut body = json!({"type": "ORDER_FILL", "orderID": id.to_string(), "instrument": "EUR_USD",
            "units": units.to_string(), "price": "1.10010", "fullVWAP": "1.10010", "commission": "0.0000",
            "guaranteedExecutionFee": "0.0000", "reason": reason, "tradesClosed": closed,
            "financing": if ended.is_empty() { "0.0000" } else { "-0.0100" },
            "homeConversionFactors": null});
        if !order.client.is_empty() {
            body["clientOrderID"] = json!(order.client);
        }
        if !reduced.is_null() {
            body["tradeReduced"] = reduced;
        }
        if rest != 0 {
            body["tradeOpened"] =
                json!({"tradeID": fill_id.to_string(), "units": rest.to_string(), "price": "1.1"});
            self.trades.push(OpenTrade { id: fill_id, units: rest });
        }
        let filled = self.note(body);
        let left = order.units - units;
        self.past.push((id, order.client.clone(), "FILLED", fill_id, order.units, order.wish.clone()));
        if closes.is_none() && left != 0 && order.wish["timeInForce"] == "GTC" {
            self.reissue(&order, left);
        }
        if rest != 0 {
            self.attach(&order.wish, fill_id);
        }
        for trade in ended {
            while let Some(linked) =
                self.pending.iter().find(|order| order.trade == trade).map(|order| order.id)
            {
                self.end(linked, "LINKED_TRADE_CLOSED");
            }
        }
        filled
    }

    fn reissue(&mut self, order: &Pending, left: i64) {
        let mut wish = order.wish.clone();
        wish["units"] = json!(left.to_string());
        let mut body = wish.clone();
        body["type"] = json!(format!("{}_ORDER", wish["type"].as_str().unwrap()));
        body["reason"] = json!("CLIENT_ORDER");
        self.note(body);
        let (id, client) = (self.last(), order.client.clone());
        self.pending.push(Pending { id, client, wish, units: left, trade: 0 });
    }

    fn attach(&mut self, wish: &Value, trade: u64) {
        for (name, kind) in [("takeProfitOnFill", "TAKE_PROFIT"), ("stopLossOnFill", "STOP_LOSS")] {
            let Some(on_fill) = wish.get(name) else { continue };
            let client = on_fill["clientExtensions"]["id"].as_str().unwrap_or_default().to_owned();
            if self.pending.iter().any(|order| order.client == client) {
                continue;
            }
            let wish = json!({"type": kind, "tradeID": trade.to_string(), "price": on_fill["price"],
                "timeInForce": "GTC", "clientExtensions": {"id": client}});
            let mut body = wish.clone();
            body["type"] = json!(format!("{kind}_ORDER"));
            body["reason"] = json!("ON_FILL");
            body["orderFillTransactionID"] = json!(trade.to_string());
            self.note(body);
            let id = self.last();
            self.pending.push(Pending { id, client, wish, units: 0, trade });
        }
    }
}
