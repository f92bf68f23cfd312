//! The session against a scripted venue: no socket, no clock, every byte and every moment chosen by the test.

use super::decode::Scratch;
use super::session::{MS, Out, SECOND, Sent, Session, Step};
use super::settings::SendError;
use super::testing::{INSTANCE, PEM, instrument, order};
use serde_json::{Value, json};
use smc_core::event::{Balance, Event, EventBody, GatewayState, OrderUpdateKind};
use smc_core::output::{CancelOrder, NewOrder};
use smc_core::words::{ClientOrderId, InstrumentId, Money, Name, Price, Qty, SCALE, TsNs};

/// A session, the time, and everything that came out of it.
pub(super) struct Desk {
    pub session: Session,
    scratch: Scratch,
    pub now: TsNs,
    /// Requests, oldest first.
    pub sent: Vec<Value>,
    pub events: Vec<Event>,
    /// What the wire does with the next bytes.
    pub wire: Sent,
}

const START_MS: u64 = 1_700_000_000_000;

impl Desk {
    pub fn new() -> Self {
        let instruments =
            [instrument(0, "BTCUSDT", "0.01", "0.00001"), instrument(1, "ETHUSDT", "0.01", "0.0001")];
        Self {
            session: Session::new("KEY", PEM, 1_000, INSTANCE, &instruments).unwrap(),
            scratch: Scratch::new(),
            now: TsNs::from_ms(START_MS),
            sent: Vec::new(),
            events: Vec::new(),
            wire: Sent::Yes,
        }
    }

    /// Logged on and reconciled, with nothing open; the way there is forgotten.
    pub fn ready() -> Self {
        let mut desk = Self::new();
        desk.connect(json!([]));
        assert_eq!(desk.session.step, Step::Ready);
        desk.events.clear();
        desk.sent.clear();
        desk
    }

    fn with<R>(
        &mut self,
        act: impl FnOnce(&mut Session, &mut Scratch, &mut Out<'_>, &mut Vec<Value>) -> R,
    ) -> R {
        let events = &mut self.events;
        let mut emit = |event| events.push(event);
        let mut out = Out::new(self.now, &mut emit);
        act(&mut self.session, &mut self.scratch, &mut out, &mut self.sent)
    }

    /// One turn, as the gateway does it.
    pub fn turn(&mut self) {
        let wire = self.wire;
        self.with(|session, _, out, sent| {
            if session.step != Step::Offline {
                session.drive(out, &mut |bytes| {
                    sent.push(serde_json::from_slice(bytes).unwrap());
                    wire
                });
            }
            if session.wants_cut {
                session.on_cut(out);
            }
            session.tell_state(out);
        });
    }

    pub fn wait(&mut self, nanos: u64) {
        self.now = TsNs(self.now.0 + nanos);
        self.turn();
    }

    pub fn hear(&mut self, message: &Value) {
        let mut payload = message.to_string().into_bytes();
        self.with(|session, scratch, out, _| session.on_message(&mut payload, scratch, out));
        self.turn();
    }

    /// Takes the oldest request, which must be this one.
    pub fn take(&mut self, method: &str) -> Value {
        assert!(!self.sent.is_empty(), "{method} was not sent");
        let request = self.sent.remove(0);
        assert_eq!(request["method"], method, "{request}");
        request
    }

    pub fn answer(&mut self, request: &Value, result: Value) {
        self.hear(&json!({"id": request["id"], "status": 200, "result": result}));
    }

    pub fn refuse(&mut self, request: &Value, status: u16, code: i32, message: &str) {
        let error = json!({"code": code, "msg": message});
        self.hear(&json!({"id": request["id"], "status": status, "error": error}));
    }

    /// From a new connection to the list of open orders.
    pub fn connect(&mut self, open_orders: Value) {
        self.session.on_open(self.now);
        self.turn();
        let time = self.take("time");
        let server_time = self.now.as_ms();
        self.answer(&time, json!({"serverTime": server_time}));
        let logon = self.take("session.logon");
        self.answer(
            &logon,
            json!({"apiKey": "KEY", "authorizedSince": 1, "connectedSince": 1,
            "returnRateLimits": true, "serverTime": server_time, "userDataStream": false}),
        );
        let subscribe = self.take("userDataStream.subscribe");
        self.answer(&subscribe, json!({"subscriptionId": 0}));
        let account = self.take("account.status");
        self.answer(&account, json!({"canTrade": true, "updateTime": 5, "balances": [
            {"asset": "USDT", "free": "1000.5", "locked": "1"}, {"asset": "SHIB", "free": "1", "locked": "0"}]}));
        let open = self.take("openOrders.status");
        self.answer(&open, open_orders);
    }

    pub fn cut(&mut self) {
        self.with(|session, _, out, _| session.on_cut(out));
    }

    pub fn place(&mut self, order: &NewOrder) -> Result<Value, SendError> {
        let (now, wire) = (self.now, self.wire);
        let mut bytes = Vec::new();
        self.session.place(now, order, &mut |sent| {
            bytes = sent.to_vec();
            wire
        })?;
        Ok(serde_json::from_slice(&bytes).unwrap())
    }

    pub fn cancel(&mut self, id: ClientOrderId) -> Result<Value, SendError> {
        let (now, wire) = (self.now, self.wire);
        let cancel = CancelOrder { instrument: InstrumentId(0), client_order_id: id, venue_order_id: 0 };
        let mut bytes = Vec::new();
        self.session.cancel(now, &cancel, &mut |sent| {
            bytes = sent.to_vec();
            wire
        })?;
        Ok(serde_json::from_slice(&bytes).unwrap())
    }

    /// What was said about orders since the last look.
    pub fn told(&mut self) -> Vec<(ClientOrderId, OrderUpdateKind)> {
        let told = std::mem::take(&mut self.events);
        told.iter()
            .filter_map(|event| match event.body {
                EventBody::Order(update) => Some((update.client_order_id, update.kind)),
                _ => None,
            })
            .collect()
    }

    fn states(&mut self) -> Vec<GatewayState> {
        let told = std::mem::take(&mut self.events);
        told.iter()
            .filter_map(|event| match event.body {
                EventBody::Gateway(state) => Some(state),
                _ => None,
            })
            .collect()
    }

    /// A working order, acknowledged.
    fn working(&mut self, sequence: u64) -> NewOrder {
        let order = order(0, sequence);
        let request = self.place(&order).unwrap();
        self.answer(&request, ack(&order));
        assert_eq!(self.told(), [(order.client_order_id, OrderUpdateKind::Ack)]);
        order
    }
}

fn venue_id(order: &NewOrder) -> u64 {
    9_000 + order.client_order_id.sequence()
}

fn ack(order: &NewOrder) -> Value {
    json!({"symbol": "BTCUSDT", "orderId": venue_id(order), "orderListId": -1,
        "clientOrderId": order.client_order_id.to_string(), "transactTime": START_MS})
}

/// The order as `order.status` and `openOrders.status` tell it.
pub(super) fn state(order: &NewOrder, status: &str, executed: &str) -> Value {
    let mut state = ack(order);
    state["status"] = json!(status);
    state["executedQty"] = json!(executed);
    state["origQty"] = json!(order.qty.to_string());
    state
}

/// A report about the order; `fill` is (trade id, quantity).
pub(super) fn report(order: &NewOrder, x: &str, status: &str, cum: &str, fill: Option<(u64, &str)>) -> Value {
    let (trade, qty) = fill.map_or((json!(-1), "0"), |(trade, qty)| (json!(trade), qty));
    json!({"subscriptionId": 0, "event": {"e": "executionReport", "E": START_MS + 7, "s": "BTCUSDT",
        "c": order.client_order_id.to_string(), "S": "BUY", "o": "LIMIT", "f": "GTC",
        "q": order.qty.to_string(), "p": order.price.to_string(), "P": "0", "F": "0", "g": -1, "C": "",
        "x": x, "X": status, "r": "NONE", "i": venue_id(order), "l": qty, "z": cum, "L": "50000",
        "n": "0.001", "N": "BNB", "T": START_MS + 6, "t": trade, "m": true}})
}

fn trade(order: &NewOrder, id: u64, qty: &str) -> Value {
    json!({"symbol": "BTCUSDT", "id": id, "orderId": venue_id(order), "price": "50000", "qty": qty,
        "commission": "0.001", "commissionAsset": "BNB", "time": START_MS, "isBuyer": true, "isMaker": true})
}

fn fill(trade_id: u64, qty: i64, cum_qty: i64) -> OrderUpdateKind {
    OrderUpdateKind::Fill {
        trade_id,
        price: Price(50_000 * SCALE),
        qty: Qty(qty),
        cum_qty: Qty(cum_qty),
        fee: Money(100_000),
        fee_asset: Name::new("BNB").unwrap(),
        is_maker: true,
    }
}

const TENTH: i64 = SCALE / 10;

#[test]
fn the_way_to_ready_is_told() {
    let mut desk = Desk::new();
    desk.connect(json!([]));
    let balances: Vec<Balance> = desk
        .events
        .iter()
        .filter_map(|event| match event.body {
            EventBody::Balance(balance) => Some(balance),
            _ => None,
        })
        .collect();
    let balance = |asset, free, locked| Balance {
        asset: Name::new(asset).unwrap(),
        free: Qty(free),
        locked: Qty(locked),
    };
    assert_eq!(
        balances,
        [
            balance("USDT", 100_050_000_000, SCALE),
            balance("BNB", 0, 0),
            balance("BTC", 0, 0),
            balance("ETH", 0, 0),
        ]
    );
    assert_eq!(desk.states(), [GatewayState::Down, GatewayState::Syncing, GatewayState::Ready]);
}

#[test]
fn requests_carry_the_venues_time() {
    let mut desk = Desk::new();
    desk.session.on_open(desk.now);
    desk.turn();
    let time = desk.take("time");
    desk.now = TsNs(desk.now.0 + 20 * MS);
    desk.answer(&time, json!({"serverTime": START_MS + 10 + 5_000}));
    assert_eq!(desk.take("session.logon")["params"]["timestamp"], START_MS + 20 + 5_000);
}

#[test]
fn an_order_lives_and_dies() {
    let mut desk = Desk::ready();
    let order = desk.working(1);
    let id = order.client_order_id;
    desk.hear(&report(&order, "NEW", "NEW", "0", None));
    desk.hear(&report(&order, "TRADE", "PARTIALLY_FILLED", "0.1", Some((70, "0.1"))));
    desk.hear(&report(&order, "TRADE", "FILLED", "0.5", Some((71, "0.4"))));
    assert_eq!(
        desk.told(),
        [(id, OrderUpdateKind::Ack), (id, fill(70, TENTH, TENTH)), (id, fill(71, 4 * TENTH, 5 * TENTH))]
    );
    assert!(desk.session.orders.iter().next().is_none(), "finished orders leave the table");
    let event = report(&order, "TRADE", "FILLED", "0.5", Some((71, "0.4")));
    desk.hear(&event);
    assert_eq!(desk.told(), [], "the same trade twice");
}

#[test]
fn a_fill_before_the_answer_is_no_doubt() {
    let mut desk = Desk::ready();
    let order = order(0, 1);
    let id = order.client_order_id;
    let request = desk.place(&order).unwrap();
    desk.hear(&report(&order, "TRADE", "PARTIALLY_FILLED", "0.1", Some((70, "0.1"))));
    desk.wait(3 * SECOND);
    assert_eq!(desk.told(), [(id, fill(70, TENTH, TENTH))], "a report settles what an answer would");
    desk.answer(&request, ack(&order));
    assert_eq!(desk.told(), [(id, OrderUpdateKind::Ack)]);
}

#[test]
fn answers_come_in_any_order() {
    let mut desk = Desk::ready();
    let orders: Vec<NewOrder> = (1..=20).map(|n| order(0, n)).collect();
    let requests: Vec<Value> = orders.iter().map(|order| desk.place(order).unwrap()).collect();
    for (n, (order, request)) in orders.iter().zip(&requests).enumerate().rev() {
        if n % 2 == 0 {
            desk.answer(request, ack(order));
            assert_eq!(desk.told(), [(order.client_order_id, OrderUpdateKind::Ack)]);
        } else {
            desk.refuse(request, 400, -2010, "Account has insufficient balance for requested action.");
            assert_eq!(desk.told(), [(order.client_order_id, OrderUpdateKind::Reject { code: -2010 })]);
        }
    }
    assert_eq!(desk.session.counters.rejects, 10);
}

#[test]
fn no_answer_is_unknown_until_the_venue_proves_it() {
    let mut desk = Desk::ready();
    let order = order(0, 1);
    let id = order.client_order_id;
    desk.place(&order).unwrap();
    desk.wait(1_999 * MS);
    assert_eq!(desk.told(), []);
    desk.wait(20 * MS);
    assert_eq!(desk.told(), [(id, OrderUpdateKind::Unknown)]);
    let query = desk.take("order.status");
    assert_eq!(query["params"]["origClientOrderId"], id.to_string());
    desk.answer(&query, state(&order, "NEW", "0"));
    assert_eq!(desk.told(), [(id, OrderUpdateKind::Ack)]);
    assert_eq!(desk.place(&order), Err(SendError::Duplicate), "never sent twice");
}

#[test]
fn a_late_answer_ends_the_doubt() {
    let mut desk = Desk::ready();
    let (first, second) = (order(0, 1), order(0, 2));
    let requests = [desk.place(&first).unwrap(), desk.place(&second).unwrap()];
    desk.wait(3 * SECOND);
    assert_eq!(desk.told().len(), 2);
    desk.answer(&requests[0], ack(&first));
    desk.refuse(&requests[1], 400, -1013, "Filter failure: LOT_SIZE");
    assert_eq!(
        desk.told(),
        [
            (first.client_order_id, OrderUpdateKind::Ack),
            (second.client_order_id, OrderUpdateKind::Reject { code: -1013 }),
        ]
    );
}

#[test]
fn no_such_order_is_proof_only_after_the_margin() {
    let mut desk = Desk::ready();
    let order = order(0, 1);
    let id = order.client_order_id;
    let request = desk.place(&order).unwrap();
    desk.refuse(&request, 503, -1007, "Timeout waiting for response from backend server.");
    assert_eq!(desk.told(), [(id, OrderUpdateKind::Unknown)]);
    let sent = desk.now;
    let mut queries = 0;
    while desk.now.since(sent) <= 11 * SECOND {
        desk.wait(50 * MS);
        while !desk.sent.is_empty() {
            if desk.sent[0]["method"] == "order.status" {
                assert_eq!(desk.told(), [], "{} ms after sending", desk.now.since(sent) / MS);
                let query = desk.take("order.status");
                desk.refuse(&query, 400, -2013, "Order does not exist.");
                queries += 1;
            } else {
                desk.take("time");
            }
        }
    }
    assert_eq!(desk.told(), [(id, OrderUpdateKind::NotFound)]);
    assert!((4..12).contains(&queries), "{queries} queries");
    assert_eq!(desk.session.counters.orders_sent, 1);
}

#[test]
fn a_cut_leaves_orders_in_doubt_and_the_next_connection_resolves_them() {
    let mut desk = Desk::ready();
    let (lost, filled, open) = (order(0, 1), desk.working(2), desk.working(3));
    desk.hear(&report(&filled, "TRADE", "PARTIALLY_FILLED", "0.1", Some((70, "0.1"))));
    desk.told();
    desk.place(&lost).unwrap();
    desk.cut();
    assert_eq!(desk.told(), [(lost.client_order_id, OrderUpdateKind::Unknown)]);
    assert_eq!(desk.place(&order(0, 4)), Err(SendError::NotReady));

    desk.connect(json!([state(&open, "NEW", "0")]));
    assert_eq!(desk.told(), [(open.client_order_id, OrderUpdateKind::Ack)]);
    assert_eq!(desk.session.step, Step::Resolving);
    assert_eq!(desk.place(&order(0, 4)), Err(SendError::NotReady), "not before all is known");
    let queries = [desk.take("order.status"), desk.take("order.status")];
    for query in queries {
        let asked = query["params"]["origClientOrderId"].as_str().unwrap().to_owned();
        if asked == lost.client_order_id.to_string() {
            desk.answer(&query, state(&lost, "EXPIRED", "0.00000000"));
            assert_eq!(desk.told(), [(lost.client_order_id, OrderUpdateKind::Expired { cum_qty: Qty(0) })]);
        } else {
            desk.answer(&query, state(&filled, "FILLED", "0.50000000"));
            assert_eq!(desk.told(), [], "fills first");
        }
    }
    let trades = desk.take("myTrades");
    assert_eq!(trades["params"]["orderId"], venue_id(&filled));
    desk.answer(&trades, json!([trade(&filled, 70, "0.1"), trade(&filled, 75, "0.4")]));
    assert_eq!(desk.told(), [(filled.client_order_id, fill(75, 4 * TENTH, 5 * TENTH))]);
    assert_eq!(desk.session.step, Step::Ready);
}

#[test]
fn a_cancel_fetches_missed_fills_before_it_is_final() {
    let mut desk = Desk::ready();
    let order = desk.working(1);
    let id = order.client_order_id;
    let mut canceled = report(&order, "CANCELED", "CANCELED", "0.2", None);
    canceled["event"]["C"] = canceled["event"]["c"].clone();
    canceled["event"]["c"] = json!("the-id-of-the-cancel");
    desk.hear(&canceled);
    assert_eq!(desk.told(), []);
    desk.wait(300 * MS);
    let trades = desk.take("myTrades");
    desk.answer(&trades, json!([]));
    desk.wait(SECOND);
    let trades = desk.take("myTrades");
    desk.answer(&trades, json!([trade(&order, 70, "0.1"), trade(&order, 71, "0.1")]));
    assert_eq!(
        desk.told(),
        [
            (id, fill(70, TENTH, TENTH)),
            (id, fill(71, TENTH, 2 * TENTH)),
            (id, OrderUpdateKind::Canceled { cum_qty: Qty(2 * TENTH) }),
        ]
    );
}

#[test]
fn a_late_fill_completes_a_cancel_without_a_question() {
    let mut desk = Desk::ready();
    let order = desk.working(1);
    let id = order.client_order_id;
    let request = desk.cancel(id).unwrap();
    desk.answer(&request, state(&order, "CANCELED", "0.1"));
    desk.hear(&report(&order, "TRADE", "PARTIALLY_FILLED", "0.1", Some((70, "0.1"))));
    assert_eq!(
        desk.told(),
        [(id, fill(70, TENTH, TENTH)), (id, OrderUpdateKind::Canceled { cum_qty: Qty(TENTH) }),]
    );
    desk.wait(SECOND);
    assert_eq!(desk.sent, Vec::<Value>::new());
}

#[test]
fn missing_fills_are_given_up_after_a_bounded_number_of_questions() {
    let mut desk = Desk::ready();
    let order = desk.working(1);
    desk.hear(&report(&order, "EXPIRED", "EXPIRED", "0.2", None));
    let mut questions = 0;
    for _ in 0..4_000 {
        desk.wait(10 * MS);
        for request in std::mem::take(&mut desk.sent) {
            match request["method"].as_str().unwrap() {
                "myTrades" => {
                    questions += 1;
                    desk.answer(&request, json!([]));
                }
                _ => desk.answer(&request, json!({"serverTime": START_MS})),
            }
        }
    }
    assert_eq!(questions, 5);
    let cum_qty = Qty(2 * TENTH);
    assert_eq!(desk.told(), [(order.client_order_id, OrderUpdateKind::Expired { cum_qty })]);
    assert_eq!(desk.session.counters.fills_missing, 1);
}

#[test]
fn a_refused_cancel_asks_what_became_of_the_order() {
    let mut desk = Desk::ready();
    let order = desk.working(1);
    let id = order.client_order_id;
    let request = desk.cancel(id).unwrap();
    desk.refuse(&request, 400, -2011, "Unknown order sent.");
    assert_eq!(desk.told(), [(id, OrderUpdateKind::CancelReject { code: -2011 })]);
    desk.wait(10 * MS);
    let query = desk.take("order.status");
    desk.answer(&query, state(&order, "CANCELED", "0"));
    assert_eq!(desk.told(), [(id, OrderUpdateKind::Canceled { cum_qty: Qty(0) })]);
}

#[test]
fn a_lost_cancel_is_unknown_and_then_refused_if_the_order_still_works() {
    let mut desk = Desk::ready();
    let order = desk.working(1);
    let id = order.client_order_id;
    desk.cancel(id).unwrap();
    desk.cut();
    assert_eq!(desk.told(), [(id, OrderUpdateKind::Unknown)]);
    desk.connect(json!([state(&order, "NEW", "0")]));
    assert_eq!(
        desk.told(),
        [(id, OrderUpdateKind::Ack), (id, OrderUpdateKind::CancelReject { code: -1007 })]
    );
    assert_eq!(desk.session.step, Step::Ready);
}

#[test]
fn limits_stop_orders_and_let_cancels_pass() {
    let mut desk = Desk::ready();
    let working = desk.working(1);
    let request = desk.place(&order(0, 2)).unwrap();
    let until_ms = desk.now.as_ms() + 3_000;
    desk.hear(&json!({"id": request["id"], "status": 429, "error": {"code": -1003, "msg": "Too much",
        "data": {"serverTime": 1, "retryAfter": until_ms}}}));
    assert_eq!(desk.told(), [(order(0, 2).client_order_id, OrderUpdateKind::Reject { code: -1003 })]);
    let until = TsNs::from_ms(until_ms);
    assert_eq!(desk.place(&order(0, 3)), Err(SendError::RateLimited { until }));
    assert_eq!(desk.cancel(working.client_order_id).unwrap()["method"], "order.cancel");
    desk.now = until;
    assert!(desk.place(&order(0, 3)).is_ok());
}

#[test]
fn the_venues_order_count_is_obeyed() {
    let mut desk = Desk::ready();
    let first = order(0, 1);
    let request = desk.place(&first).unwrap();
    desk.hear(&json!({"id": request["id"], "status": 200, "result": ack(&first), "rateLimits": [
        {"rateLimitType": "ORDERS", "interval": "SECOND", "intervalNum": 10, "limit": 4, "count": 1}]}));
    assert!(desk.place(&order(0, 2)).is_ok());
    assert!(desk.place(&order(0, 3)).is_ok());
    let until = TsNs::from_ms(START_MS + 10_000);
    assert_eq!(desk.place(&order(0, 4)), Err(SendError::RateLimited { until }));
    assert_eq!(desk.session.counters.rate_limited, 1);
}

#[test]
fn a_wrong_key_is_fatal_and_says_so() {
    let mut desk = Desk::new();
    desk.session.on_open(desk.now);
    desk.turn();
    let time = desk.take("time");
    desk.answer(&time, json!({"serverTime": START_MS}));
    let logon = desk.take("session.logon");
    desk.refuse(&logon, 400, -2015, "Invalid API-key, IP, or permissions for action.");
    let fatal = desk.session.fatal.clone().unwrap();
    let expected = "the venue refused session.logon: Invalid API-key, IP, or permissions for action. (-2015)";
    assert_eq!(fatal.to_string(), expected);
    assert_eq!(desk.states(), [GatewayState::Down]);
}

#[test]
fn a_passing_trouble_at_logon_is_not_fatal() {
    for (status, code) in [(400, -1021), (503, -1007), (429, -1003), (400, -1008), (401, -1016)] {
        let mut desk = Desk::new();
        desk.session.on_open(desk.now);
        desk.turn();
        let time = desk.take("time");
        desk.answer(&time, json!({"serverTime": START_MS}));
        let logon = desk.take("session.logon");
        desk.refuse(&logon, status, code, "later");
        assert_eq!((desk.session.fatal.clone(), desk.session.step), (None, Step::Offline), "{status} {code}");
    }
}

#[test]
fn a_revoked_session_goes_down() {
    let mut desk = Desk::ready();
    let error = json!({"code": -2015, "msg": "Invalid API-key, IP, or permissions for action."});
    desk.hear(&json!({"id": null, "status": 401, "error": error}));
    assert_eq!(desk.states(), [GatewayState::Down]);
    assert_eq!(desk.session.fatal, None, "only a refused logon is for good");
}

#[test]
fn a_wrong_time_stamp_rejects_and_measures_the_clocks() {
    let mut desk = Desk::ready();
    let order = order(0, 1);
    let request = desk.place(&order).unwrap();
    desk.refuse(&request, 400, -1021, "Timestamp for this request is outside of the recvWindow.");
    assert_eq!(desk.told(), [(order.client_order_id, OrderUpdateKind::Reject { code: -1021 })]);
    desk.wait(10 * MS);
    let time = desk.take("time");
    desk.answer(&time, json!({"serverTime": desk.now.as_ms() + 700}));
    assert_eq!(desk.session.offset_ms, 700);
}

#[test]
fn a_shutdown_is_left_after_the_answers_under_way() {
    let mut desk = Desk::ready();
    let order = order(0, 1);
    let request = desk.place(&order).unwrap();
    desk.hear(&json!({"event": {"e": "serverShutdown", "E": 1}}));
    assert_eq!(desk.place(&super::testing::order(0, 2)), Err(SendError::NotReady));
    desk.wait(500 * MS);
    assert_eq!(desk.states(), [GatewayState::Syncing]);
    desk.answer(&request, ack(&order));
    desk.wait(20 * MS);
    assert_eq!(desk.states(), [GatewayState::Down]);
    assert_eq!(desk.session.counters.unknown, 0);
}

#[test]
fn reports_of_others_are_counted_and_left_alone() {
    let mut desk = Desk::ready();
    let mut stranger = report(&order(0, 1), "NEW", "NEW", "0", None);
    stranger["event"]["c"] = json!("autoclose-1");
    desk.hear(&stranger);
    stranger["event"]["c"] = json!(ClientOrderId::new(INSTANCE + 1, 1, 1).to_string());
    desk.hear(&stranger);
    let mut elsewhere = report(&order(0, 1), "NEW", "NEW", "0", None);
    elsewhere["event"]["s"] = json!("DOGEUSDT");
    desk.hear(&elsewhere);
    assert_eq!(desk.told(), []);
    assert_eq!(desk.session.counters.foreign, 3);
}

#[test]
fn an_older_list_does_not_bring_a_finished_order_back() {
    let mut desk = Desk::ready();
    let order = desk.working(1);
    desk.cut();
    desk.session.on_open(desk.now);
    desk.turn();
    let time = desk.take("time");
    desk.answer(&time, json!({"serverTime": START_MS}));
    let logon = desk.take("session.logon");
    desk.answer(&logon, json!({"authorizedSince": 1, "serverTime": START_MS}));
    let subscribe = desk.take("userDataStream.subscribe");
    desk.answer(&subscribe, json!({"subscriptionId": 1}));
    let account = desk.take("account.status");
    desk.answer(&account, json!({"canTrade": true, "updateTime": 5, "balances": []}));
    let open = desk.take("openOrders.status");
    desk.hear(&report(&order, "CANCELED", "CANCELED", "0", None));
    desk.told();
    desk.answer(&open, json!([state(&order, "NEW", "0")]));
    assert_eq!(desk.told(), []);
    assert!(desk.session.orders.iter().next().is_none());
}

#[test]
fn a_restart_asks_about_what_the_engine_remembers_and_adopts_what_is_open() {
    let mut desk = Desk::new();
    let (remembered, forgotten) = (order(0, 1), order(0, 2));
    assert!(desk.session.resolve(desk.now, InstrumentId(0), remembered.client_order_id, Qty(TENTH)));
    desk.connect(json!([state(&forgotten, "PARTIALLY_FILLED", "0.3")]));
    assert_eq!(desk.told(), [(forgotten.client_order_id, OrderUpdateKind::Ack)]);
    for request in std::mem::take(&mut desk.sent) {
        match request["method"].as_str().unwrap() {
            "order.status" => desk.answer(&request, state(&remembered, "CANCELED", "0.1")),
            _ => desk.answer(&request, json!([trade(&forgotten, 80, "0.3")])),
        }
    }
    assert_eq!(
        desk.told(),
        [
            (remembered.client_order_id, OrderUpdateKind::Canceled { cum_qty: Qty(TENTH) }),
            (forgotten.client_order_id, fill(80, 3 * TENTH, 3 * TENTH)),
        ]
    );
    assert_eq!(desk.session.step, Step::Ready);
}

#[test]
fn a_wire_that_takes_nothing_refuses_and_one_that_breaks_is_unknown() {
    let mut desk = Desk::ready();
    let order = order(0, 1);
    desk.wire = Sent::No;
    assert_eq!(desk.place(&order), Err(SendError::Backpressure));
    desk.wire = Sent::Cut;
    assert!(desk.place(&order).is_ok(), "a part of it may be on its way");
    desk.turn();
    assert_eq!(desk.told(), [(order.client_order_id, OrderUpdateKind::Unknown)]);
    assert_eq!(desk.session.step, Step::Offline);
}

#[test]
fn a_silent_connection_is_noticed() {
    let mut desk = Desk::ready();
    desk.wait(20 * SECOND);
    desk.take("time");
    desk.wait(10 * SECOND);
    assert_eq!(desk.states(), [GatewayState::Down]);
}

#[test]
fn a_duplicate_refusal_means_the_first_one_arrived() {
    let mut desk = Desk::ready();
    let order = order(0, 1);
    let request = desk.place(&order).unwrap();
    desk.refuse(&request, 400, -2010, "Duplicate order sent.");
    assert_eq!(desk.told(), [(order.client_order_id, OrderUpdateKind::Unknown)]);
    desk.wait(10 * MS);
    let query = desk.take("order.status");
    desk.answer(&query, state(&order, "NEW", "0"));
    assert_eq!(desk.told(), [(order.client_order_id, OrderUpdateKind::Ack)]);
}
