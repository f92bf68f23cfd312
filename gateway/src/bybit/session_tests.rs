//! The session against a venue that the test plays word by word: no socket, no clock.

use super::answers::RestOutcome;
use super::message::Status;
use super::session::{MS, Out, SECOND, Sent, Session, Step, Wires};
use super::settings::{Category, GatewaySettings, SendError};
use super::tape::Scratch;
use crate::testing::{INSTANCE, instrument, order};
use serde_json::{Value, json};
use smc_core::event::{CashKind, Event, EventBody, GatewayState, OrderUpdateKind};
use smc_core::output::{CancelOrder, NewOrder};
use smc_core::words::{ClientOrderId, InstrumentId, Money, Qty, SCALE, TsNs, number_of_text};
use smc_net::{Call, Endpoint, TlsSettings};

const START_MS: u64 = 1_700_000_000_000;
/// The venue's clock runs ahead of ours by so much.
const AHEAD_MS: u64 = 250;
const TENTH: i64 = SCALE / 10;

/// A session, the time, and everything that came out of it.
struct Desk {
    session: Session,
    scratch: Scratch,
    now: TsNs,
    /// What went over the trade and the private socket, and over REST, oldest first.
    trade: Vec<Value>,
    private: Vec<Value>,
    rest: Vec<Call>,
    events: Vec<Event>,
    /// What the trade socket does with the next bytes.
    wire: Sent,
    /// Rows that the venue lists.
    open: Vec<Value>,
    positions: Vec<Value>,
    executions: Vec<Value>,
    past: Vec<Value>,
}

fn settings(category: Category) -> GatewaySettings {
    let mut params = rcgen::CertificateParams::new(Vec::<String>::new()).unwrap();
    params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    let authority = rcgen::CertifiedIssuer::self_signed(params, rcgen::KeyPair::generate().unwrap()).unwrap();
    let tls = TlsSettings::from_ca_pem(&authority.pem()).unwrap();
    let nobody =
        Endpoint { host: "localhost".into(), port: 9, address: Some(([127, 0, 0, 1], 9).into()), tls };
    GatewaySettings::new(nobody.clone(), nobody, category, "KEY", "test_secret", INSTANCE)
}

impl Desk {
    fn with_settings(settings: &GatewaySettings) -> Self {
        let instruments =
            [instrument(0, "BTCUSDT", "0.1", "0.001"), instrument(1, "ETHUSDT", "0.01", "0.01")];
        Self {
            session: Session::new(settings, &instruments).unwrap(),
            scratch: Scratch::new(),
            now: TsNs::from_ms(START_MS),
            trade: Vec::new(),
            private: Vec::new(),
            rest: Vec::new(),
            events: Vec::new(),
            wire: Sent::Yes,
            open: Vec::new(),
            positions: Vec::new(),
            executions: Vec::new(),
            past: Vec::new(),
        }
    }

    fn new(category: Category) -> Self {
        Self::with_settings(&settings(category))
    }

    /// Logged on and reconciled, with nothing open; the way there is forgotten.
    fn ready() -> Self {
        let mut desk = Self::new(Category::Linear);
        desk.connect();
        assert!(desk.session.is_ready());
        desk.events.clear();
        desk.trade.clear();
        desk
    }

    fn with<R>(&mut self, act: impl FnOnce(&mut Session, &mut Scratch, &mut Out<'_>) -> R) -> R {
        let events = &mut self.events;
        let mut emit = |event| events.push(event);
        let mut out = Out::new(self.now, &mut emit);
        act(&mut self.session, &mut self.scratch, &mut out)
    }

    /// One turn, as the gateway does it.
    fn turn(&mut self) {
        let (events, trade, private, rest) =
            (&mut self.events, &mut self.trade, &mut self.private, &mut self.rest);
        let mut emit = |event| events.push(event);
        let mut out = Out::new(self.now, &mut emit);
        let mut push = |bytes: &[u8]| {
            private.push(serde_json::from_slice(bytes).unwrap());
            Sent::Yes
        };
        let mut wires = Wires {
            trade: &mut |bytes| {
                trade.push(serde_json::from_slice(bytes).unwrap());
                Sent::Yes
            },
            private: &mut push,
            rest: &mut |call| {
                rest.push(call);
                true
            },
        };
        self.session.drive(&mut out, &mut wires);
        if self.session.trade.wants_cut {
            self.session.on_trade_cut(&mut out);
        }
        if self.session.private.wants_cut {
            self.session.on_private_cut(&mut out);
        }
        self.session.tell_state(&mut out);
    }

    /// Time passes; the venue answers pings.
    fn wait(&mut self, nanos: u64) {
        self.now = TsNs(self.now.0 + nanos);
        (self.session.trade.heard, self.session.private.heard) = (self.now, self.now);
        self.turn();
    }

    fn hear_trade(&mut self, message: &Value) {
        let mut payload = message.to_string().into_bytes();
        self.with(|session, scratch, out| session.on_trade(&mut payload, scratch, out));
        self.turn();
    }

    fn hear_private(&mut self, message: &Value) {
        let mut payload = message.to_string().into_bytes();
        self.with(|session, scratch, out| session.on_private(&mut payload, scratch, out));
        self.turn();
    }

    fn topic(&mut self, topic: &str, rows: Value) {
        self.hear_private(&json!({"id": "1", "topic": topic, "creationTime": START_MS, "data": rows}));
    }

    fn reply(&mut self, call: &Call, body: &Value) {
        let mut bytes = body.to_string().into_bytes();
        let tag = call.tag;
        self.with(|session, scratch, out| {
            session.on_rest(
                tag,
                RestOutcome::Answer { status: 200, body: &mut bytes, reset_ms: 0 },
                scratch,
                out,
            );
        });
        self.turn();
    }

    /// The venue answers everything that was asked over REST, as it stands.
    fn serve(&mut self) {
        for _ in 0..200 {
            if self.rest.is_empty() {
                return;
            }
            let call = self.rest.remove(0);
            let body = self.answer_of(&call);
            self.reply(&call, &body);
        }
        panic!("questions without end");
    }

    fn answer_of(&self, call: &Call) -> Value {
        let (path, query) = call.path.split_once('?').unwrap_or((&call.path, ""));
        let field = |name: &str| {
            let prefix = format!("{name}=");
            query.split('&').find_map(|pair| pair.strip_prefix(&prefix)).map(str::to_owned)
        };
        let has = |row: &&Value, key: &str| field(key).is_none_or(|value| row[key] == value);
        let result = match path {
            "/v5/market/time" => {
                json!({"timeNano": (self.now.0 + AHEAD_MS * MS).to_string(), "timeSecond": "1"})
            }
            "/v5/user/query-api" => {
                json!({"readOnly": 0, "permissions": {"ContractTrade": ["Order", "Position"],
                "Spot": ["SpotTrade"], "Wallet": ["AccountTransfer"]}})
            }
            "/v5/account/wallet-balance" => json!({"list": [{"totalEquity": "1000.5",
                "totalAvailableBalance": "900", "coin": [{"coin": "USDT", "walletBalance": "1000.5",
                "locked": "0", "totalOrderIM": "10", "totalPositionIM": "5", "borrowAmount": "0"}]}]}),
            "/v5/order/realtime" => {
                let rows: Vec<_> = self.open.iter().filter(|row| has(row, "orderLinkId")).collect();
                json!({"list": rows, "nextPageCursor": ""})
            }
            "/v5/order/history" => {
                let rows: Vec<_> = self.past.iter().filter(|row| has(row, "orderLinkId")).collect();
                json!({"list": rows, "nextPageCursor": ""})
            }
            "/v5/execution/list" => {
                let rows: Vec<_> = self.executions.iter().filter(|row| has(row, "orderId")).collect();
                json!({"list": rows, "nextPageCursor": ""})
            }
            "/v5/position/list" => json!({"list": self.positions, "nextPageCursor": ""}),
            "/v5/order/disconnected-cancel-all" | "/v5/order/cancel" => json!({}),
            _ => panic!("{path} was asked"),
        };
        json!({"retCode": 0, "retMsg": "OK", "result": result, "retExtInfo": {}, "time": START_MS})
    }

    /// From two new sockets to the end of the first round.
    fn connect(&mut self) {
        self.session.on_trade_open(self.now);
        self.session.on_private_open(self.now);
        self.turn();
        self.serve();
        self.log_on();
        self.serve();
    }

    fn log_on(&mut self) {
        if matches!(self.session.trade.step, Step::LoggingOn(_)) {
            self.hear_trade(&json!({"retCode": 0, "retMsg": "OK", "op": "auth", "connId": "c"}));
        }
        if matches!(self.session.private.step, Step::LoggingOn(_)) {
            self.hear_private(&json!({"success": true, "ret_msg": "", "op": "auth", "conn_id": "c"}));
            self.hear_private(&json!({"success": true, "ret_msg": "", "op": "subscribe", "conn_id": "c"}));
        }
    }

    fn place(&mut self, order: &NewOrder) -> Result<Value, SendError> {
        let (now, wire) = (self.now, self.wire);
        let mut bytes = Vec::new();
        self.session.place(now, order, &mut |sent| {
            bytes = sent.to_vec();
            wire
        })?;
        Ok(serde_json::from_slice(&bytes).unwrap())
    }

    fn cancel(&mut self, id: ClientOrderId, number: u64) -> Result<Option<Value>, SendError> {
        let now = self.now;
        let cancel = CancelOrder { instrument: InstrumentId(0), client_order_id: id, venue_order_id: number };
        let mut bytes = Vec::new();
        let rest = &mut self.rest;
        self.session.cancel(
            now,
            &cancel,
            &mut |sent| {
                bytes = sent.to_vec();
                Sent::Yes
            },
            &mut |call| {
                rest.push(call);
                true
            },
        )?;
        Ok(serde_json::from_slice(&bytes).ok())
    }

    fn answer(&mut self, request: &Value, code: i64, order_id: &str) {
        let data = if code == 0 { json!({"orderId": order_id, "orderLinkId": ""}) } else { json!({}) };
        self.hear_trade(
            &json!({"reqId": request["reqId"], "retCode": code, "retMsg": "?", "op": request["op"],
            "data": data, "retExtInfo": {}, "connId": "c", "header": {"X-Bapi-Limit": "10",
            "X-Bapi-Limit-Status": "9", "X-Bapi-Limit-Reset-Timestamp": START_MS.to_string()}}),
        );
    }

    /// What was said about orders since the last look.
    fn told(&mut self) -> Vec<(ClientOrderId, OrderUpdateKind)> {
        let told = std::mem::take(&mut self.events);
        let update = |event: &Event| match event.body {
            EventBody::Order(update) => Some((update.client_order_id, update.kind)),
            _ => None,
        };
        told.iter().filter_map(update).collect()
    }

    /// A working order, acknowledged by the order topic.
    fn working(&mut self, sequence: u64) -> NewOrder {
        let order = order(0, sequence);
        let request = self.place(&order).unwrap();
        self.answer(&request, 0, &venue_id(&order));
        self.topic("order.linear", json!([row(&order, "New", "0")]));
        assert_eq!(self.told(), [(order.client_order_id, OrderUpdateKind::Ack)]);
        order
    }
}

fn venue_id(order: &NewOrder) -> String {
    format!("fd4300ae-7847-404e-b947-{:012x}", order.client_order_id.sequence())
}

/// The order as the topic and the lists tell it.
fn row(order: &NewOrder, status: &str, cum: &str) -> Value {
    json!({"category": "linear", "symbol": "BTCUSDT", "orderId": venue_id(order),
        "orderLinkId": order.client_order_id.to_string(), "side": "Buy", "orderType": "Limit",
        "timeInForce": "GTC", "orderStatus": status, "cancelType": "UNKNOWN", "rejectReason": "EC_NoError",
        "price": order.price.to_string(), "qty": order.qty.to_string(), "cumExecQty": cum, "triggerPrice": "",
        "updatedTime": START_MS.to_string()})
}

fn with(mut row: Value, fields: &[(&str, &str)]) -> Value {
    for (name, value) in fields {
        row[*name] = json!(value);
    }
    row
}

/// A fill of the order; `leaves` is what stays open after it.
fn fill(order: &NewOrder, exec: u32, qty: &str, leaves: &str) -> Value {
    json!({"category": "linear", "symbol": "BTCUSDT", "orderId": venue_id(order), "isMaker": true,
        "orderLinkId": order.client_order_id.to_string(), "side": "Buy", "execType": "Trade",
        "execId": exec_id(exec), "execPrice": "50000", "execQty": qty, "execFee": "0.001", "feeCurrency": "",
        "orderQty": order.qty.to_string(), "leavesQty": leaves, "execTime": START_MS.to_string(),
        "extraFees": ""})
}

fn exec_id(exec: u32) -> String {
    format!("7e2ae69c-4edf-5800-a352-{exec:012x}")
}

fn is_fill(kind: &OrderUpdateKind, exec: u32, qty: i64) -> bool {
    let number = number_of_text(exec_id(exec).as_bytes());
    matches!(kind, OrderUpdateKind::Fill { trade_id, qty: got, .. } if *trade_id == number && got.0 == qty)
}

#[test]
fn the_way_to_ready_tells_clock_key_and_a_whole_round() {
    let mut desk = Desk::new(Category::Linear);
    desk.positions = vec![json!({"symbol": "BTCUSDT", "side": "Sell", "size": "0.5", "avgPrice": "50000",
        "positionIdx": 0})];
    desk.connect();
    assert!(desk.session.is_ready());
    assert_eq!(
        desk.private[1]["args"],
        json!(["order.linear", "execution.linear", "wallet", "position.linear"])
    );
    let bodies: Vec<EventBody> = desk.events.iter().map(|event| event.body).collect();
    let at = |is: fn(&EventBody) -> bool| bodies.iter().position(is).unwrap();
    let begin = at(|body| matches!(body, EventBody::Round(round) if !round.is_end && round.number == 1));
    let end = at(|body| matches!(body, EventBody::Round(round) if round.is_end && round.is_complete));
    assert!(at(|body| matches!(body, EventBody::Clock(clock) if clock.offset_ns == 250_000_000)) < begin);
    assert!(at(|body| matches!(body, EventBody::Key(key) if key.can_trade && !key.can_withdraw)) < begin);
    let held = desk.events.iter().filter_map(|event| match event.body {
        EventBody::VenuePosition(position) => Some((event.instrument.0, position.qty.0)),
        _ => None,
    });
    let held: Vec<_> = held.collect();
    assert_eq!(held, [(0, -SCALE / 2), (1, 0)], "flat ones too");
    assert!(
        bodies[begin..end]
            .iter()
            .any(|body| matches!(body, EventBody::Margin(margin) if margin.free.0 == 900 * SCALE))
    );
    assert!(
        bodies[begin..end]
            .iter()
            .any(|body| matches!(body, EventBody::Balance(b) if b.locked == Qty(15 * SCALE)))
    );
    assert_eq!(bodies.last(), Some(&EventBody::Gateway(GatewayState::Ready)));
}

#[test]
fn an_answer_is_no_ack_and_the_order_topic_is() {
    let mut desk = Desk::ready();
    let order = order(0, 1);
    let request = desk.place(&order).unwrap();
    let time: u64 = request["header"]["X-BAPI-TIMESTAMP"].as_str().unwrap().parse().unwrap();
    assert_eq!(time, START_MS + AHEAD_MS, "requests carry the venue's time");
    desk.answer(&request, 0, &venue_id(&order));
    assert_eq!(desk.told(), []);
    desk.topic("order.linear", json!([row(&order, "New", "0")]));
    assert_eq!(desk.told(), [(order.client_order_id, OrderUpdateKind::Ack)]);
    assert_eq!(desk.place(&order), Err(SendError::Duplicate));
}

#[test]
fn an_order_that_is_taken_and_never_heard_of_again_is_asked_about() {
    let mut desk = Desk::ready();
    let order = order(0, 1);
    let request = desk.place(&order).unwrap();
    desk.answer(&request, 0, &venue_id(&order));
    desk.wait(2 * SECOND);
    assert_eq!(desk.told(), [(order.client_order_id, OrderUpdateKind::Unknown)]);
    desk.open = vec![row(&order, "New", "0")];
    desk.serve();
    assert_eq!(desk.told(), [(order.client_order_id, OrderUpdateKind::Ack)]);
}

#[test]
fn a_post_only_order_that_would_take_expires_by_the_order_topic_alone() {
    let mut desk = Desk::ready();
    let order = order(0, 1);
    let request = desk.place(&order).unwrap();
    desk.answer(&request, 0, &venue_id(&order));
    let gone = with(row(&order, "Cancelled", "0"), &[("rejectReason", "EC_PostOnlyWillTakeLiquidity")]);
    desk.topic("order.linear", json!([gone]));
    assert_eq!(desk.told(), [(order.client_order_id, OrderUpdateKind::Expired { cum_qty: Qty::ZERO })]);
}

#[test]
fn a_cancel_that_crosses_the_last_fill_gives_two_ends_and_one_is_told() {
    let mut desk = Desk::ready();
    let order = desk.working(1);
    desk.cancel(order.client_order_id, 0).unwrap();
    desk.topic("execution.linear", json!([fill(&order, 7, "0.5", "0")]));
    desk.topic("order.linear", json!([row(&order, "Filled", "0.5")]));
    let second = with(
        row(&order, "Filled", "0.5"),
        &[("cancelType", "CancelByUser"), ("rejectReason", "EC_OrigClOrdIDDoesNotExist")],
    );
    desk.topic("order.linear", json!([second]));
    desk.topic("execution.linear", json!([fill(&order, 7, "0.5", "0")]));
    let told = desk.told();
    assert_eq!(told.len(), 1, "{told:?}");
    assert!(is_fill(&told[0].1, 7, 5 * TENTH));
    assert!(desk.session.orders.get(order.client_order_id).is_none());
}

#[test]
fn an_end_waits_for_its_fills_and_fetches_those_that_do_not_come() {
    let mut desk = Desk::ready();
    let order = desk.working(1);
    desk.topic("order.linear", json!([row(&order, "Cancelled", "0.3")]));
    assert_eq!(desk.told(), [], "three tenths are missing");
    desk.topic("execution.linear", json!([fill(&order, 1, "0.1", "0.4")]));
    desk.executions = vec![fill(&order, 2, "0.2", "0.2"), fill(&order, 1, "0.1", "0.4")];
    desk.wait(300 * MS);
    desk.serve();
    let told: Vec<_> = desk.told().into_iter().map(|told| told.1).collect();
    assert!(is_fill(&told[0], 1, TENTH) && is_fill(&told[1], 2, 2 * TENTH), "{told:?}");
    assert_eq!(told[2..], [OrderUpdateKind::Canceled { cum_qty: Qty(3 * TENTH) }]);
}

#[test]
fn an_unanswered_order_is_asked_for_and_never_sent_again_until_proof() {
    let mut desk = Desk::ready();
    let order = order(0, 1);
    desk.place(&order).unwrap();
    desk.wait(2 * SECOND);
    assert_eq!(desk.told(), [(order.client_order_id, OrderUpdateKind::Unknown)]);
    for _ in 0..8 {
        desk.serve();
        desk.wait(4 * SECOND);
        assert_eq!(desk.told(), [], "too early to be proof");
    }
    for _ in 0..4 {
        desk.serve();
        desk.wait(4 * SECOND);
    }
    assert_eq!(desk.told(), [(order.client_order_id, OrderUpdateKind::NotFound)]);
    let sent = desk.trade.iter().filter(|sent| sent["op"] == "order.create").count();
    assert_eq!(sent, 0, "nothing is sent but by the caller");
    assert_eq!(desk.place(&order), Err(SendError::Duplicate));
}

#[test]
fn a_server_error_may_hide_an_order_that_was_placed() {
    let mut desk = Desk::ready();
    for (sequence, code) in [(1, 10_016), (2, 110_072), (3, 10_000), (4, 123_456_789)] {
        let order = order(0, sequence);
        let request = desk.place(&order).unwrap();
        desk.answer(&request, code, "");
        assert_eq!(desk.told(), [(order.client_order_id, OrderUpdateKind::Unknown)], "{code}");
        desk.open = vec![row(&order, "PartiallyFilled", "0.1")];
        desk.executions = vec![fill(&order, sequence as u32, "0.1", "0.4")];
        desk.wait(SECOND);
        desk.serve();
        desk.wait(SECOND);
        desk.serve();
        let told: Vec<_> = desk.told().into_iter().map(|told| told.1).collect();
        assert_eq!(told[0], OrderUpdateKind::Ack);
        assert!(told.iter().any(|kind| is_fill(kind, sequence as u32, TENTH)), "{told:?}");
    }
}

#[test]
fn a_certain_refusal_is_told_with_its_number_and_a_limit_waits() {
    let mut desk = Desk::ready();
    let first = order(0, 1);
    let request = desk.place(&first).unwrap();
    desk.answer(&request, 110_007, "");
    assert_eq!(desk.told(), [(first.client_order_id, OrderUpdateKind::Reject { code: 110_007 })]);
    let second = order(0, 2);
    let request = desk.place(&second).unwrap();
    desk.answer(&request, 10_006, "");
    assert_eq!(desk.told(), [(second.client_order_id, OrderUpdateKind::Reject { code: 10_006 })]);
    assert!(matches!(desk.place(&order(0, 3)), Err(SendError::RateLimited { .. })));
    assert!(desk.cancel(order(0, 9).client_order_id, 0).is_ok(), "a cancel passes");
    desk.wait(SECOND + 250 * MS);
    assert!(desk.place(&order(0, 3)).is_ok());
}

#[test]
fn a_late_cancel_is_refused_and_the_venue_is_asked_what_became_of_the_order() {
    let mut desk = Desk::ready();
    let order = desk.working(1);
    let request = desk.cancel(order.client_order_id, 0).unwrap().unwrap();
    desk.answer(&request, 110_001, "");
    assert_eq!(desk.told(), [(order.client_order_id, OrderUpdateKind::CancelReject { code: 110_001 })]);
    desk.past = vec![row(&order, "Filled", "0.5")];
    desk.executions = vec![fill(&order, 4, "0.5", "0")];
    for _ in 0..5 {
        desk.serve();
        desk.wait(SECOND);
    }
    let told = desk.told();
    assert!(told.len() == 1 && is_fill(&told[0].1, 4, 5 * TENTH), "{told:?}");
}

#[test]
fn without_the_trade_socket_no_order_leaves_and_cancels_go_over_rest() {
    let mut desk = Desk::ready();
    let order = desk.working(1);
    desk.with(|session, _, out| session.on_trade_cut(out));
    assert!(desk.events.iter().any(|event| event.body == EventBody::Gateway(GatewayState::Down)));
    assert_eq!(desk.place(&crate::testing::order(0, 2)), Err(SendError::NotReady));
    assert_eq!(desk.cancel(order.client_order_id, 0), Ok(None));
    let call = desk.rest.iter().find(|call| call.path == "/v5/order/cancel").unwrap();
    let body: Value = serde_json::from_slice(&call.body).unwrap();
    assert_eq!(body["orderLinkId"], order.client_order_id.to_string());
    desk.serve();
    desk.events.clear();
    desk.topic(
        "order.linear",
        json!([with(row(&order, "Cancelled", "0"), &[("cancelType", "CancelByUser")])]),
    );
    assert_eq!(desk.told(), [(order.client_order_id, OrderUpdateKind::Canceled { cum_qty: Qty::ZERO })]);
}

#[test]
fn what_was_filled_while_the_sockets_were_down_is_told_before_ready() {
    let mut desk = Desk::ready();
    let (first, second) = (desk.working(1), desk.working(2));
    desk.with(|session, _, out| session.on_private_cut(out));
    desk.with(|session, _, out| session.on_trade_cut(out));
    desk.past = vec![row(&first, "Filled", "0.5")];
    desk.open = vec![row(&second, "PartiallyFilled", "0.1")];
    desk.executions = vec![fill(&second, 22, "0.1", "0.4"), fill(&first, 11, "0.5", "0")];
    desk.events.clear();
    desk.connect();
    desk.wait(SECOND);
    desk.serve();
    assert!(desk.session.is_ready());
    let position =
        |is: &dyn Fn(&EventBody) -> bool| desk.events.iter().position(|event| is(&event.body)).unwrap();
    let filled = |exec: u32, qty: i64| {
        position(&|body| matches!(body, EventBody::Order(update) if is_fill(&update.kind, exec, qty)))
    };
    let ready = position(&|body| *body == EventBody::Gateway(GatewayState::Ready));
    assert!(filled(11, 5 * TENTH) < ready && filled(22, TENTH) < ready);
    let begin =
        position(&|body| matches!(body, EventBody::Round(round) if round.number == 1 && !round.is_end));
    assert!(begin < ready);
    let told = desk.told();
    let fills = told.iter().filter(|told| matches!(told.1, OrderUpdateKind::Fill { .. })).count();
    assert_eq!(fills, 2, "each once: {told:?}");
    assert!(desk.session.orders.get(first.client_order_id).is_none());
}

#[test]
fn orders_of_other_hands_are_told_and_can_be_cancelled_by_their_text() {
    let mut desk = Desk::ready();
    let theirs = with(
        row(&order(0, 5), "New", "0"),
        &[("orderLinkId", "by-hand"), ("orderId", "1321003749386327552")],
    );
    desk.topic("order.linear", json!([theirs]));
    let told = desk.events.iter().find_map(|event| match event.body {
        EventBody::VenueOrder(order) => Some((order.client_order_id, order.venue_order_id)),
        _ => None,
    });
    assert_eq!(told, Some((ClientOrderId::NONE, 1_321_003_749_386_327_552)));
    assert_eq!(desk.cancel(ClientOrderId::NONE, 7), Err(SendError::Unsupported), "never heard of");
    desk.cancel(ClientOrderId::NONE, 1_321_003_749_386_327_552).unwrap();
    let call = desk.rest.iter().find(|call| call.path == "/v5/order/cancel").unwrap();
    assert_eq!(serde_json::from_slice::<Value>(&call.body).unwrap()["orderId"], "1321003749386327552");
}

#[test]
fn funding_is_cash_once_and_no_fill_and_another_hands_fill_is_a_fill() {
    let mut desk = Desk::ready();
    let own = order(0, 5);
    let funding = with(
        fill(&own, 9, "0.5", "0"),
        &[("execType", "Funding"), ("orderLinkId", ""), ("execFee", "-0.25")],
    );
    desk.topic("execution.linear", json!([funding, funding]));
    let cash = desk.events.iter().filter_map(|event| match event.body {
        EventBody::Cash(cash) => Some((cash.kind, cash.amount)),
        _ => None,
    });
    let cash: Vec<_> = cash.collect();
    assert_eq!(cash, [(CashKind::Funding, Money(SCALE / 4))]);
    assert_eq!(desk.told(), []);
    let taken = with(fill(&own, 10, "0.2", "0"), &[("execType", "AdlTrade"), ("orderLinkId", "")]);
    desk.topic("execution.linear", json!([taken]));
    let told = desk.told();
    assert!(told.len() == 1 && told[0].0 == ClientOrderId::NONE && is_fill(&told[0].1, 10, 2 * TENTH));
}

#[test]
fn a_fast_fill_is_told_at_once_and_its_fee_follows_as_commission() {
    let mut settings = settings(Category::Linear);
    settings.has_fast_fills = true;
    let mut desk = Desk::with_settings(&settings);
    desk.connect();
    let order = desk.working_after(1);
    // A maker's own name is not in the faster topic: the venue's name leads to it.
    let fast = json!({"category": "linear", "symbol": "BTCUSDT", "execId": exec_id(3), "execPrice": "50000",
        "execQty": "0.1", "orderId": venue_id(&order), "isMaker": true, "orderLinkId": "", "side": "Buy",
        "execTime": START_MS.to_string(), "seq": 1});
    let mut strangers = fast.clone();
    strangers["orderId"] = json!("f6e324ff-99c2-4e89-9739-3086e47f9381");
    strangers["execId"] = json!(exec_id(4));
    desk.topic("execution.fast.linear", json!([fast, strangers]));
    let told = desk.told();
    assert!(told.len() == 1 && is_fill(&told[0].1, 3, TENTH), "{told:?}");
    desk.topic("execution.linear", json!([fill(&order, 3, "0.1", "0.4")]));
    let fees = desk.events.iter().filter_map(|event| match event.body {
        EventBody::Cash(cash) => Some((cash.kind, cash.amount.0)),
        _ => None,
    });
    let fees: Vec<_> = fees.collect();
    assert_eq!(fees, [(CashKind::Commission, -100_000)]);
    assert_eq!(desk.told(), [], "the fill itself is not told twice");
}

impl Desk {
    /// As [`Desk::working`], of a desk whose way to ready is still in its events.
    fn working_after(&mut self, sequence: u64) -> NewOrder {
        self.events.clear();
        self.working(sequence)
    }
}

#[test]
fn a_key_that_is_refused_a_hedged_account_and_a_missing_dead_man_are_for_a_person() {
    let mut desk = Desk::new(Category::Linear);
    desk.positions =
        vec![json!({"symbol": "BTCUSDT", "side": "Buy", "size": "1", "avgPrice": "1", "positionIdx": 1})];
    desk.connect();
    assert_eq!(desk.session.fatal.as_ref().map(|fatal| fatal.step), Some("position mode"));
    let mut settings = settings(Category::Spot);
    settings.dead_man_s = Some(10);
    let mut desk = Desk::with_settings(&settings);
    desk.turn();
    let clock = desk.rest.remove(0);
    desk.reply(&clock, &desk.answer_of(&clock));
    let call = desk.rest.iter().find(|call| call.path.ends_with("disconnected-cancel-all")).unwrap().clone();
    desk.reply(&call, &json!({"retCode": 10_001, "retMsg": "no such switch", "result": {}}));
    assert_eq!(desk.session.fatal.as_ref().map(|fatal| fatal.step), Some("the dead-man switch"));
    let mut desk = Desk::new(Category::Linear);
    desk.turn();
    let clock = desk.rest.remove(0);
    desk.reply(&clock, &desk.answer_of(&clock));
    let call = desk.rest.iter().find(|call| call.path.ends_with("query-api")).unwrap().clone();
    desk.reply(&call, &json!({"retCode": 10_003, "retMsg": "API key is invalid.", "result": {}}));
    assert_eq!(desk.session.fatal.as_ref().map(|fatal| fatal.code), Some(10_003));
}

#[test]
fn a_ban_stops_rest_and_orders_and_is_told() {
    let mut desk = Desk::ready();
    desk.session.want_round();
    desk.wait(SECOND);
    let call = desk.rest.remove(0);
    let tag = call.tag;
    let mut body = b"access too frequent".to_vec();
    desk.with(|session, scratch, out| {
        let answer = RestOutcome::Answer { status: 403, body: &mut body, reset_ms: 0 };
        session.on_rest(tag, answer, scratch, out);
    });
    let banned_at = desk.now;
    desk.wait(20 * MS);
    let until = desk.events.iter().rev().find_map(|event| match event.body {
        EventBody::Budget(budget) => Some(budget.banned_until),
        _ => None,
    });
    assert_eq!(until, Some(TsNs(banned_at.0 + 600 * SECOND)));
    assert!(matches!(desk.place(&order(0, 1)), Err(SendError::RateLimited { .. })));
    desk.wait(30 * SECOND);
    assert!(desk.rest.is_empty(), "nothing is asked until then");
}

#[test]
fn a_limit_of_questions_is_waited_out_as_told() {
    let mut desk = Desk::ready();
    desk.session.want_round();
    desk.wait(SECOND);
    let tag = desk.rest.remove(0).tag;
    let reset_ms = desk.now.as_ms() + AHEAD_MS + 3_000;
    let mut body =
        json!({"retCode": 10_006, "retMsg": "Too many visits.", "result": {}}).to_string().into_bytes();
    desk.with(|session, scratch, out| {
        session.on_rest(tag, RestOutcome::Answer { status: 200, body: &mut body, reset_ms }, scratch, out);
    });
    desk.rest.clear();
    desk.wait(3 * SECOND);
    assert!(desk.rest.is_empty(), "{:?}", desk.rest.iter().map(|call| &call.path).collect::<Vec<_>>());
    desk.wait(SECOND);
    assert!(!desk.rest.is_empty(), "the round goes on");
}

/// Fills and ends of one order in any order, twice, some lost: each fill is told once, and the end after them.
#[test]
fn no_chaos_of_reports_loses_or_doubles_a_fill() {
    for seed in 1..=300u64 {
        let mut random = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let mut chance = |below: u64| {
            random ^= random << 13;
            random ^= random >> 7;
            random ^= random << 17;
            random % below
        };
        let mut desk = Desk::ready();
        let order = order(0, seed);
        let request = desk.place(&order).unwrap();
        let leaves = ["0.4", "0.3", "0.2", "0.1", "0"];
        let fills: Vec<Value> = (0..5u32).map(|n| fill(&order, n + 1, "0.1", leaves[n as usize])).collect();
        desk.executions = fills.clone();
        desk.past = vec![row(&order, "Filled", "0.5")];
        let mut reports: Vec<(u8, Value)> = fills.into_iter().map(|fill| (0, fill)).collect();
        reports.push((1, row(&order, "New", "0")));
        reports.push((1, row(&order, "Filled", "0.5")));
        reports.push((2, Value::Null));
        for at in (1..reports.len()).rev() {
            reports.swap(at, chance(at as u64 + 1) as usize);
        }
        for (kind, report) in reports {
            for _ in 0..[0, 1, 1, 2][chance(4) as usize] {
                match kind {
                    0 => desk.topic("execution.linear", json!([report])),
                    1 => desk.topic("order.linear", json!([report])),
                    _ => desk.answer(&request, 0, &venue_id(&order)),
                }
            }
            if chance(3) == 0 {
                desk.wait(chance(3_000) * MS);
            }
            if chance(12) == 0 {
                desk.with(|session, _, out| session.on_private_cut(out));
                desk.session.on_private_open(desk.now);
                desk.turn();
                desk.log_on();
            }
            desk.serve();
        }
        // A report that is lost on a connection that stands is noticed by the next round.
        for _ in 0..80 {
            desk.wait(SECOND);
            desk.log_on();
            desk.serve();
        }
        assert!(desk.session.is_ready(), "seed {seed}");
        let left = desk.session.orders.get(order.client_order_id).copied();
        assert!(left.is_none(), "seed {seed}: {left:?}");
        let mut ids: Vec<u64> = desk
            .told()
            .into_iter()
            .filter_map(|(id, kind)| match kind {
                OrderUpdateKind::Fill { trade_id, .. } if id == order.client_order_id => Some(trade_id),
                OrderUpdateKind::Reject { .. } | OrderUpdateKind::NotFound => panic!("seed {seed}: {kind:?}"),
                _ => None,
            })
            .collect();
        ids.sort_unstable();
        let mut expected: Vec<u64> = (1..=5).map(|n| number_of_text(exec_id(n).as_bytes())).collect();
        expected.sort_unstable();
        assert_eq!(ids, expected, "seed {seed}");
    }
}

#[test]
fn words_of_states_are_the_venues() {
    let known = ["New", "PartiallyFilled", "Untriggered", "Triggered", "Filled", "Cancelled", "Rejected"];
    assert!(
        known
            .iter()
            .chain(&["PartiallyFilledCanceled", "Deactivated"])
            .all(|word| Status::parse(word).is_some())
    );
    assert_eq!(Status::parse("Bored"), None);
}
