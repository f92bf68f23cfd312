//! Many short lives of a session with a venue that loses answers, cuts connections and repeats itself, each from
//! one printed seed. However it went, in the end the session must have told exactly what the venue did.

use super::desk::{Desk, report, state};
use super::session::{MS, SECOND, Step};
use crate::testing::order;
use serde_json::{Value, json};
use smc_core::event::OrderUpdateKind;
use smc_core::output::NewOrder;
use smc_core::words::{ClientOrderId, Qty, SCALE};

const SEEDS: u64 = 400;
const STEPS: u32 = 60;

/// An order as the venue knows it.
struct Truth {
    order: NewOrder,
    status: &'static str,
    /// Trade id and quantity.
    trades: Vec<(u64, i64)>,
}

/// The venue, and the dice.
struct Venue {
    desk: Desk,
    orders: Vec<Truth>,
    /// Everything the session has told about orders.
    told: Vec<(ClientOrderId, OrderUpdateKind)>,
    /// Every client id the session was asked to send.
    placed: Vec<ClientOrderId>,
    next_trade: u64,
    dice: u64,
    /// Loses nothing any more.
    is_honest: bool,
}

impl Truth {
    fn executed(&self) -> i64 {
        self.trades.iter().map(|(_, qty)| qty).sum()
    }

    fn is_open(&self) -> bool {
        matches!(self.status, "NEW" | "PARTIALLY_FILLED")
    }

    fn state(&self) -> Value {
        state(&self.order, self.status, &Qty(self.executed()).to_string())
    }

    fn report(&self, x: &str, fill: Option<(u64, i64)>) -> Value {
        let fill = fill.map(|(id, qty)| (id, Qty(qty).to_string()));
        let fill = fill.as_ref().map(|(id, qty)| (*id, qty.as_str()));
        report(&self.order, x, self.status, &Qty(self.executed()).to_string(), fill)
    }
}

impl Venue {
    fn new(seed: u64) -> Self {
        Self {
            desk: Desk::ready(),
            orders: Vec::new(),
            told: Vec::new(),
            placed: Vec::new(),
            next_trade: 1,
            dice: seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1,
            is_honest: false,
        }
    }

    fn roll(&mut self, sides: u64) -> u64 {
        self.dice ^= self.dice << 13;
        self.dice ^= self.dice >> 7;
        self.dice ^= self.dice << 17;
        (self.dice >> 11) % sides
    }

    fn is_on(&self) -> bool {
        self.desk.session.step != Step::Offline
    }

    fn send(&mut self, message: &Value) {
        if self.is_on() {
            self.desk.hear(message);
            self.told.extend(self.desk.told());
        }
    }

    fn is_lost(&mut self) -> bool {
        !self.is_honest && self.roll(6) == 0
    }

    fn answer(&mut self, request: &Value, answer: Result<Value, (u16, i32)>) {
        if self.is_lost() {
            return;
        }
        let id = &request["id"];
        self.send(&match answer {
            Ok(result) => json!({"id": id, "status": 200, "result": result}),
            Err((status, code)) => json!({"id": id, "status": status, "error": {"code": code, "msg": ""}}),
        });
    }

    /// The truth with this client id, by index.
    fn find(&self, request: &Value) -> Option<usize> {
        let id = request["params"]["origClientOrderId"].as_str()?;
        self.orders.iter().position(|truth| truth.order.client_order_id.to_string() == id)
    }

    fn place(&mut self) {
        let new = order(0, self.placed.len() as u64 + 1);
        let Ok(request) = self.desk.place(&new) else { return };
        self.placed.push(new.client_order_id);
        match self.roll(8) {
            0 => return,
            1 => return self.answer(&request, Err((400, -2010))),
            _ => {}
        }
        self.orders.push(Truth { order: new, status: "NEW", trades: Vec::new() });
        let at = self.orders.len() - 1;
        let doubt = self.roll(8) == 0;
        let is_report_first = self.roll(2) == 0;
        if is_report_first {
            self.send(&self.orders[at].report("NEW", None));
        }
        let answer = if doubt { Err((503, -1007)) } else { Ok(self.orders[at].state()) };
        self.answer(&request, answer);
        if !is_report_first {
            self.send(&self.orders[at].report("NEW", None));
        }
    }

    /// Somebody trades with one of the open orders, or the venue ends it.
    fn trade(&mut self) {
        let at = self.roll(self.orders.len().max(1) as u64) as usize;
        let (qty, end) = (SCALE / 20 * (1 + self.roll(4) as i64), self.roll(8));
        let trade = self.next_trade;
        let Some(truth) = self.orders.get_mut(at).filter(|truth| truth.is_open()) else { return };
        if end == 0 {
            truth.status = "EXPIRED";
            let report = truth.report("EXPIRED", None);
            return self.send(&report);
        }
        let qty = qty.min(truth.order.qty.0 - truth.executed());
        truth.trades.push((trade, qty));
        truth.status = if truth.executed() == truth.order.qty.0 { "FILLED" } else { "PARTIALLY_FILLED" };
        let report = truth.report("TRADE", Some((trade, qty)));
        self.next_trade += 1;
        self.send(&report);
        if self.roll(5) == 0 {
            self.send(&report);
        }
    }

    fn cancel(&mut self) {
        let at = self.roll(self.orders.len().max(1) as u64) as usize;
        let Some(id) = self.orders.get(at).map(|truth| truth.order.client_order_id) else { return };
        let Ok(request) = self.desk.cancel(id) else { return };
        if self.is_lost() {
            return;
        }
        let truth = &mut self.orders[at];
        if !truth.is_open() {
            return self.answer(&request, Err((400, -2011)));
        }
        truth.status = "CANCELED";
        let (report, state) = (truth.report("CANCELED", None), truth.state());
        if self.roll(2) == 0 {
            self.send(&report);
            self.answer(&request, Ok(state));
        } else {
            self.answer(&request, Ok(state));
            self.send(&report);
        }
    }

    /// Serves what the session has asked.
    fn serve(&mut self) {
        for request in std::mem::take(&mut self.desk.sent) {
            let answer = match request["method"].as_str().unwrap() {
                "order.status" => match self.find(&request) {
                    Some(at) => Ok(self.orders[at].state()),
                    None => Err((400, -2013)),
                },
                "myTrades" => Ok(match request["params"]["orderId"].as_u64() {
                    Some(order) => self.trades(order),
                    None => json!([]),
                }),
                "time" => Ok(json!({"serverTime": self.desk.now.as_ms()})),
                other => panic!("{other}"),
            };
            self.answer(&request, answer);
        }
    }

    fn trades(&self, order_id: u64) -> Value {
        let truth = self.orders.iter().find(|truth| truth.state()["orderId"] == order_id).unwrap();
        let row = |&(id, qty): &(u64, i64)| {
            json!({"symbol": "BTCUSDT", "id": id, "orderId": order_id, "price": "50000",
                "qty": Qty(qty).to_string(), "commission": "0", "commissionAsset": "BNB", "time": 1,
                "isBuyer": true, "isMaker": true})
        };
        truth.trades.iter().map(row).collect()
    }

    fn wait(&mut self, nanos: u64) {
        self.desk.wait(nanos);
        self.told.extend(self.desk.told());
    }

    fn reconnect(&mut self) {
        if !self.is_on() {
            self.desk.sent.clear();
            let open: Value = self.orders.iter().filter(|truth| truth.is_open()).map(Truth::state).collect();
            self.desk.connect(open);
            self.told.extend(self.desk.told());
        }
    }

    fn step(&mut self) {
        match self.roll(16) {
            0..5 => self.place(),
            5..10 => self.trade(),
            10..12 => self.cancel(),
            12 => {
                self.desk.cut();
                self.told.extend(self.desk.told());
            }
            13 => self.reconnect(),
            _ => {
                let nanos = (1 + self.roll(800)) * MS;
                self.wait(nanos);
            }
        }
        self.serve();
    }

    /// From now on the venue is honest; long enough for every doubt to be resolved.
    fn calm(&mut self) {
        self.is_honest = true;
        for _ in 0..600 {
            self.reconnect();
            self.wait(100 * MS);
            self.serve();
        }
        assert!(self.desk.now.0 > SECOND);
    }

    fn check(&self) {
        assert_eq!(self.desk.session.step, Step::Ready);
        for &id in &self.placed {
            let told: Vec<OrderUpdateKind> =
                self.told.iter().filter(|(about, _)| *about == id).map(|(_, kind)| *kind).collect();
            let fills: Vec<(u64, i64)> = told
                .iter()
                .filter_map(|kind| match kind {
                    OrderUpdateKind::Fill { trade_id, qty, .. } => Some((*trade_id, qty.0)),
                    _ => None,
                })
                .collect();
            let truth = self.orders.iter().find(|truth| truth.order.client_order_id == id);
            let states: Vec<&OrderUpdateKind> = told
                .iter()
                .filter(|kind| {
                    let is_side_note =
                        matches!(kind, OrderUpdateKind::Fill { .. } | OrderUpdateKind::CancelReject { .. });
                    !is_side_note
                })
                .collect();
            let Some(truth) = truth else {
                let last = states.last();
                let is_proved =
                    matches!(last, Some(OrderUpdateKind::NotFound | OrderUpdateKind::Reject { code: -2010 }));
                assert!(is_proved, "{id} never arrived, but was told {told:?}");
                continue;
            };
            let mut sorted = fills.clone();
            sorted.sort_unstable();
            assert_eq!(sorted, truth.trades, "{id}: every fill once, {told:?}");
            let cum_qty = Qty(truth.executed());
            let is_right = match truth.status {
                "CANCELED" => states.contains(&&OrderUpdateKind::Canceled { cum_qty }),
                "EXPIRED" => states.contains(&&OrderUpdateKind::Expired { cum_qty }),
                "FILLED" => !matches!(told.last(), Some(OrderUpdateKind::Unknown)),
                _ => !matches!(states.last(), None | Some(OrderUpdateKind::Unknown)),
            };
            assert!(is_right, "{id} is {} with {cum_qty}, but was told {told:?}", truth.status);
            let is_kept = self.desk.session.orders.iter().any(|order| order.id == id);
            assert_eq!(is_kept, truth.is_open(), "{id} is {}", truth.status);
        }
    }
}

#[test]
fn whatever_is_lost_the_end_is_what_the_venue_did() {
    let (mut orders, mut unknown, mut cuts) = (0, 0, 0);
    for seed in 0..SEEDS {
        // Shown only when the test fails.
        println!("seed {seed}");
        let mut venue = Venue::new(seed);
        for _ in 0..STEPS {
            venue.step();
        }
        venue.calm();
        venue.check();
        orders += venue.placed.len();
        unknown += venue.desk.session.counters.unknown;
        cuts += venue.desk.session.counters.cuts;
    }
    println!("{orders} orders, {unknown} unknown outcomes, {cuts} cuts");
    assert!(orders > 1_000 && unknown > 200 && cuts > 200);
}
