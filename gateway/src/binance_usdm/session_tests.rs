//! The session against a venue that the test plays: every byte and every moment chosen, in order and out of it.

use super::message::Scratch;
use super::session::{MS, Out, SECOND, Sent, Session, Step};
use super::settings::SendError;
use super::wire_tests::{INSTANCE, SECRET, instrument, order};
use crate::sign::{Secret, Signer};
use serde_json::{Value, json};
use smc_core::event::{CashKind, Event, EventBody, GatewayState, OrderUpdateKind};
use smc_core::output::{CancelOrder, NewOrder, OrderKind};
use smc_core::words::{ClientOrderId, InstrumentId, Price, Qty, SCALE, TsNs};
use smc_net::{HttpResponse, NetError, Outcome};

const START_MS: u64 = 1_700_000_000_000;
const TENTH: i64 = SCALE / 10;

struct Desk {
    session: Session,
    scratch: Scratch,
    now: TsNs,
    /// Frames on the order connection, oldest first.
    frames: Vec<Value>,
    events: Vec<Event>,
    is_open: bool,
}

impl Desk {
    fn new() -> Self {
        let signer = Signer::new(&Secret::new(SECRET)).unwrap();
        let instruments = [instrument(0, "BTCUSDT"), instrument(1, "ETHUSDT")];
        Self {
            session: Session::new("KEY", signer, (1_000, 0), INSTANCE, &instruments).unwrap(),
            scratch: Scratch::new(),
            now: TsNs::from_ms(START_MS),
            frames: Vec::new(),
            events: Vec::new(),
            is_open: false,
        }
    }

    fn ready() -> Self {
        let mut desk = Self::new();
        desk.connect(json!([]));
        assert_eq!(desk.session.step, Step::Ready);
        desk.events.clear();
        desk
    }

    fn with<R>(&mut self, act: impl FnOnce(&mut Session, &mut Scratch, &mut Out<'_>) -> R) -> R {
        let events = &mut self.events;
        let mut emit = |event| events.push(event);
        let mut out = Out::new(self.now, &mut emit);
        act(&mut self.session, &mut self.scratch, &mut out)
    }

    fn turn(&mut self) {
        let (mut frames, is_open) = (std::mem::take(&mut self.frames), self.is_open);
        let wants_cut = self.with(|session, _, out| {
            let mut wire = |bytes: &[u8]| {
                frames.push(serde_json::from_slice(bytes).unwrap());
                Sent::Yes
            };
            match is_open {
                true => session.drive(out, Some(&mut wire)),
                false => session.drive(out, None),
            }
            session.wants_cut
        });
        self.frames = frames;
        if wants_cut {
            self.cut();
        }
    }

    fn cut(&mut self) {
        self.is_open = false;
        self.with(|session, _, out| {
            session.postpone(out.now, 200 * MS);
            session.on_cut(out);
        });
    }

    fn wait(&mut self, nanos: u64) {
        self.now = TsNs(self.now.0 + nanos);
        self.turn();
    }

    /// Takes the oldest REST call to this path, with its number.
    fn take(&mut self, path: &str) -> (u64, String) {
        let calls = &mut self.session.calls;
        let at = calls.iter().position(|call| call.path.split('?').next() == Some(path));
        let call = calls.remove(at.unwrap_or_else(|| panic!("{path} was not called"))).unwrap();
        (call.tag, call.path)
    }

    fn respond(&mut self, tag: u64, status: u16, headers: &[(&str, &str)], body: &Value) {
        let own = |&(name, value): &(&str, &str)| (name.to_owned(), value.to_owned());
        let response = HttpResponse {
            status,
            headers: headers.iter().map(own).collect(),
            body: body.to_string().into_bytes().into(),
            is_keep_alive: true,
        };
        let outcome = Outcome::Answer(response);
        self.with(|session, scratch, out| session.on_rest(tag, &outcome, scratch, out));
        self.turn();
    }

    fn answer(&mut self, path: &str, body: Value) -> String {
        let (tag, path) = self.take(path);
        self.respond(tag, 200, &[], &body);
        path
    }

    fn refuse(&mut self, path: &str, status: u16, code: i32) {
        let (tag, _) = self.take(path);
        self.respond(tag, status, &[], &json!({"code": code, "msg": "no"}));
    }

    /// The answer on the order connection to the oldest frame.
    fn reply(&mut self, status: u16, what: &str, body: Value) {
        let frame = self.frames.remove(0);
        let message = json!({"id": frame["id"], "status": status, what: body});
        self.with(|session, scratch, out| {
            session.on_message(&mut message.to_string().into_bytes(), scratch, out)
        });
        self.turn();
    }

    fn hear(&mut self, event: &Value) {
        self.with(|session, scratch, out| {
            session.on_event(&mut event.to_string().into_bytes(), scratch, out)
        });
        self.turn();
    }

    /// From nothing to open sockets.
    fn open(&mut self) {
        self.turn();
        let now_ms = self.now.as_ms();
        self.answer("/fapi/v1/time", json!({"serverTime": now_ms}));
        self.answer("/fapi/v1/listenKey", json!({"listenKey": "abc123"}));
        if !self.session.is_mode_known {
            self.answer("/fapi/v1/positionSide/dual", json!({"dualSidePosition": false}));
        }
        self.turn();
        assert_eq!(self.session.step, Step::Connecting);
        self.is_open = true;
        let now = self.now;
        self.session.on_open(now);
        self.turn();
    }

    fn round(&mut self, positions: Value, orders: Value, algos: Value) {
        self.answer("/fapi/v3/positionRisk", positions);
        self.answer("/fapi/v1/openOrders", orders);
        self.answer("/fapi/v1/openAlgoOrders", algos);
        self.answer(
            "/fapi/v3/account",
            json!({"totalMarginBalance": "101.5", "availableBalance": "90.123456789", "assets": [
                {"asset": "USDT", "walletBalance": "100.5"}, {"asset": "BNB", "walletBalance": "-0.1"}]}),
        );
    }

    fn connect(&mut self, orders: Value) {
        self.open();
        for _ in 0..3 {
            self.turn();
        }
        self.round(json!([]), orders, json!([]));
    }

    fn place(&mut self, order: &NewOrder) -> Result<(), SendError> {
        let now = self.now;
        let frames = &mut self.frames;
        self.session.place(now, order, &mut |bytes| {
            frames.push(serde_json::from_slice(bytes).unwrap());
            Sent::Yes
        })
    }

    fn cancel(&mut self, id: ClientOrderId, venue_order_id: u64) -> Result<(), SendError> {
        let (now, is_open) = (self.now, self.is_open);
        let frames = &mut self.frames;
        let cancel = CancelOrder { instrument: InstrumentId(0), client_order_id: id, venue_order_id };
        let mut wire = |bytes: &[u8]| {
            frames.push(serde_json::from_slice(bytes).unwrap());
            Sent::Yes
        };
        match is_open {
            true => self.session.cancel(now, &cancel, Some(&mut wire)),
            false => self.session.cancel(now, &cancel, None),
        }
    }

    fn told(&mut self) -> Vec<(ClientOrderId, OrderUpdateKind)> {
        let told = std::mem::take(&mut self.events).into_iter();
        let of = |event: Event| match event.body {
            EventBody::Order(update) => Some((update.client_order_id, update.kind)),
            _ => None,
        };
        told.filter_map(of).collect()
    }

    fn working(&mut self, sequence: u64) -> NewOrder {
        let order = order(sequence);
        self.place(&order).unwrap();
        self.reply(200, "result", row(&order, "NEW", "0"));
        assert_eq!(self.told(), [(order.client_order_id, OrderUpdateKind::Ack)]);
        order
    }
}

fn venue_id(order: &NewOrder) -> u64 {
    9_000 + order.client_order_id.sequence()
}

fn row(order: &NewOrder, status: &str, executed: &str) -> Value {
    json!({"symbol": "BTCUSDT", "orderId": venue_id(order), "clientOrderId": order.client_order_id.to_string(),
        "status": status, "side": "BUY", "price": "50000", "origQty": "0.5", "executedQty": executed,
        "type": "LIMIT", "timeInForce": "GTC", "updateTime": START_MS})
}

fn report(order: &NewOrder, x: &str, status: &str, cum: &str, fill: Option<(u64, &str)>) -> Value {
    let (trade, qty) = fill.unwrap_or((0, "0"));
    json!({"e": "ORDER_TRADE_UPDATE", "E": START_MS + 7, "T": START_MS + 6, "o": {"s": "BTCUSDT",
        "c": order.client_order_id.to_string(), "S": "BUY", "x": x, "X": status, "i": venue_id(order),
        "l": qty, "z": cum, "L": "50000", "n": "0.001", "N": "USDT", "T": START_MS + 6, "t": trade, "m": true}})
}

fn trade(order: &NewOrder, id: u64, qty: &str) -> Value {
    json!({"symbol": "BTCUSDT", "id": id, "orderId": venue_id(order), "price": "50000", "qty": qty, "side": "BUY",
        "commission": "0.001", "commissionAsset": "USDT", "time": START_MS, "maker": true})
}

fn fills(told: &[(ClientOrderId, OrderUpdateKind)]) -> Vec<(u64, i64)> {
    let of = |(_, kind): &(ClientOrderId, OrderUpdateKind)| match kind {
        OrderUpdateKind::Fill { trade_id, qty, .. } => Some((*trade_id, qty.0)),
        _ => None,
    };
    told.iter().filter_map(of).collect()
}

#[test]
fn the_way_to_ready_tells_clock_and_a_whole_round() {
    let mut desk = Desk::new();
    assert_eq!(desk.place(&order(1)), Err(SendError::NotReady));
    desk.open();
    for _ in 0..3 {
        desk.turn();
    }
    let foreign = json!({"symbol": "BTCUSDT", "orderId": 5, "clientOrderId": "web_1", "status": "NEW", "side": "SELL",
        "price": "60000", "origQty": "1", "executedQty": "0.5", "type": "LIMIT", "timeInForce": "GTX"});
    let position = json!([{"symbol": "ETHUSDT", "positionAmt": "-1.5", "entryPrice": "2000.123456789"}]);
    desk.round(position, json!([foreign]), json!([]));
    let told: Vec<String> = desk
        .events
        .iter()
        .filter_map(|event| match event.body {
            EventBody::Round(round) => {
                Some(format!("{} {} {}", event.instrument.0, round.number, round.is_end))
            }
            EventBody::VenuePosition(held) => {
                Some(format!("{} holds {} at {}", event.instrument.0, held.qty, held.average))
            }
            EventBody::VenueOrder(row) => {
                Some(format!("{:?} {:?}", row.client_order_id == ClientOrderId::NONE, row.kind))
            }
            EventBody::Balance(balance) => Some(format!("{} {}", balance.asset, balance.free)),
            EventBody::Margin(margin) => Some(format!("{} {}", margin.equity, margin.free)),
            EventBody::Gateway(state) => Some(format!("{state:?}")),
            EventBody::Clock(clock) => Some(format!("{}", clock.offset_ns)),
            _ => None,
        })
        .collect();
    assert_eq!(
        told,
        [
            "0",
            "Syncing",
            "0 1 false",
            "1 1 false",
            "0 holds 0 at 0",
            "1 holds -1.5 at 2000.12345678",
            "true LimitMaker",
            "BNB 0",
            "USDT 100.5",
            "101.5 90.12345678",
            "0 1 true",
            "1 1 true",
            "Ready",
        ]
    );
    assert!(desk.session.orders.iter().next().is_none(), "an order of another hand is none of ours");
}

#[test]
fn an_order_lives_and_each_fill_counts_once() {
    let mut desk = Desk::ready();
    let order = desk.working(1);
    desk.hear(&report(&order, "TRADE", "PARTIALLY_FILLED", "0.1", Some((70, "0.1"))));
    desk.hear(&report(&order, "TRADE", "PARTIALLY_FILLED", "0.1", Some((70, "0.1"))));
    desk.hear(&report(&order, "CANCELED", "CANCELED", "0.1", None));
    let told = desk.told();
    assert_eq!(fills(&told), [(70, TENTH)]);
    assert_eq!(told.last().unwrap().1, OrderUpdateKind::Canceled { cum_qty: Qty(TENTH) });
    assert_eq!(desk.place(&order), Err(SendError::Duplicate));
}

#[test]
fn a_lost_answer_is_unknown_until_the_venue_proves_it_and_nothing_is_sent_again() {
    for arrived in [true, false] {
        let mut desk = Desk::ready();
        let order = order(1);
        desk.place(&order).unwrap();
        desk.wait(3 * SECOND);
        assert_eq!(desk.told(), [(order.client_order_id, OrderUpdateKind::Unknown)]);
        if arrived {
            desk.answer("/fapi/v1/order", row(&order, "NEW", "0"));
            assert_eq!(desk.told(), [(order.client_order_id, OrderUpdateKind::Ack)]);
        } else {
            desk.refuse("/fapi/v1/order", 400, -2_013);
            assert_eq!(desk.told(), [], "too early to be proof");
            desk.wait(9 * SECOND);
            desk.refuse("/fapi/v1/order", 400, -2_013);
            assert_eq!(desk.told(), [(order.client_order_id, OrderUpdateKind::NotFound)]);
        }
        assert_eq!(desk.frames.len(), 1, "the order was sent once");
    }
}

#[test]
fn a_server_error_is_unknown_and_a_refusal_is_not() {
    let mut desk = Desk::ready();
    desk.place(&order(1)).unwrap();
    desk.reply(503, "error", json!({"code": -1000, "msg": "Unknown error, please check your request"}));
    desk.place(&order(2)).unwrap();
    desk.reply(400, "error", json!({"code": -2019, "msg": "Margin is insufficient."}));
    let told = desk.told();
    assert_eq!(told[0].1, OrderUpdateKind::Unknown);
    assert_eq!(told[1], (order(2).client_order_id, OrderUpdateKind::Reject { code: -2_019 }));
}

#[test]
fn an_end_before_its_fills_waits_for_them() {
    let mut desk = Desk::ready();
    let order = desk.working(1);
    desk.hear(&report(&order, "CANCELED", "CANCELED", "0.2", None));
    assert_eq!(desk.told(), []);
    desk.wait(SECOND);
    let asked =
        desk.answer("/fapi/v1/userTrades", json!([trade(&order, 70, "0.1"), trade(&order, 71, "0.1")]));
    assert!(asked.contains("orderId=9001"), "{asked}");
    desk.hear(&report(&order, "TRADE", "PARTIALLY_FILLED", "0.1", Some((70, "0.1"))));
    let told = desk.told();
    assert_eq!(fills(&told), [(70, TENTH), (71, TENTH)]);
    assert_eq!(told.last().unwrap().1, OrderUpdateKind::Canceled { cum_qty: Qty(2 * TENTH) });
}

#[test]
fn liquidations_and_other_hands_are_told_without_an_id_of_ours() {
    let mut desk = Desk::ready();
    let mut event = report(&order(1), "CALCULATED", "FILLED", "0.5", Some((70, "0.5")));
    event["o"]["c"] = json!("autoclose-1700000000000");
    desk.hear(&event);
    let told = desk.told();
    assert_eq!((told[0].0, fills(&told)), (ClientOrderId::NONE, vec![(70, 5 * TENTH)]));
}

#[test]
fn after_a_cut_each_order_is_asked_about_missed_trades_are_fetched_and_a_first_round_is_told() {
    let mut desk = Desk::ready();
    let (first, second) = (desk.working(1), desk.working(2));
    desk.hear(&report(&first, "TRADE", "PARTIALLY_FILLED", "0.1", Some((70, "0.1"))));
    desk.told();
    desk.cut();
    assert_eq!(desk.place(&order(3)), Err(SendError::NotReady));
    desk.wait(SECOND);
    desk.open();
    // The first went on and was filled up; the second is gone; somebody else traded.
    desk.answer("/fapi/v1/order", row(&first, "FILLED", "0.5"));
    desk.answer("/fapi/v1/order", row(&second, "CANCELED", "0"));
    desk.turn();
    desk.answer("/fapi/v1/userTrades", json!([trade(&first, 70, "0.1"), trade(&first, 71, "0.4")]));
    desk.turn();
    let asked =
        desk.answer("/fapi/v1/userTrades", json!([trade(&first, 71, "0.4"), trade(&order(77), 72, "0.3")]));
    assert!(asked.contains("fromId=72") || asked.contains("fromId=71"), "{asked}");
    for _ in 0..3 {
        desk.turn();
    }
    let told = desk.told();
    assert_eq!(fills(&told), [(71, 4 * TENTH), (72, 3 * TENTH)]);
    assert_eq!(told[0].1, OrderUpdateKind::Canceled { cum_qty: Qty::ZERO });
    assert_eq!(told[2].0, ClientOrderId::NONE);
    desk.round(json!([]), json!([]), json!([]));
    assert_eq!((desk.session.step, desk.session.rounds), (Step::Ready, 1));
}

#[test]
fn a_stop_becomes_a_plain_order_and_its_fills_are_its_own() {
    let mut desk = Desk::ready();
    let stop = NewOrder { kind: OrderKind::StopLimit, stop_price: Price(49_000 * SCALE), ..order(1) };
    let id = stop.client_order_id;
    desk.place(&stop).unwrap();
    assert_eq!(desk.frames[0]["method"], "algoOrder.place");
    desk.reply(200, "result", json!({"algoId": 333, "clientAlgoId": id.to_string(), "createTime": START_MS}));
    let update = |state: &str, actual: &str| {
        json!({"e": "ALGO_UPDATE", "E": 1, "T": START_MS, "o": {"caid": id.to_string(), "aid": 333, "at": "CONDITIONAL",
            "s": "BTCUSDT", "S": "BUY", "q": "0.5", "X": state, "ai": actual, "aq": "0", "tp": "49000", "p": "50000"}})
    };
    desk.hear(&update("NEW", ""));
    // Before it is triggered, the conditional order is cancelled; after it, the plain one.
    desk.cancel(id, 333).unwrap();
    assert_eq!(desk.frames[0]["params"]["algoId"], 333);
    desk.reply(400, "error", json!({"code": -4117, "msg": "Stop order is triggering."}));
    desk.hear(&update("TRIGGERED", "9001"));
    let mut fill = report(&stop, "TRADE", "FILLED", "0.5", Some((70, "0.5")));
    fill["o"]["c"] = json!("whatever the venue names it");
    desk.hear(&fill);
    let told = desk.told();
    assert!(told.iter().all(|(told_id, _)| *told_id == id), "{told:?}");
    assert_eq!(fills(&told), [(70, 5 * TENTH)]);
    assert!(desk.session.orders.get(id).is_none());
}

/// A report that was lost on a connection that lives: the next round shows what is not there any more.
#[test]
fn an_order_that_a_round_does_not_list_is_asked_about() {
    let mut desk = Desk::ready();
    let (gone, stays) = (desk.working(1), desk.working(2));
    desk.session.is_round_wanted = true;
    desk.wait(SECOND);
    desk.round(json!([]), json!([row(&stays, "NEW", "0")]), json!([]));
    desk.wait(20 * MS);
    let asked = desk.answer("/fapi/v1/order", row(&gone, "EXPIRED", "0"));
    assert!(asked.contains("orderId=9001"), "{asked}");
    desk.wait(20 * MS);
    assert!(desk.session.calls.iter().all(|call| !call.path.starts_with("/fapi/v1/order?")));
    assert_eq!(desk.told(), [(gone.client_order_id, OrderUpdateKind::Expired { cum_qty: Qty::ZERO })]);
}

#[test]
fn cancels_go_over_rest_while_the_order_connection_is_down() {
    let mut desk = Desk::ready();
    let order = desk.working(1);
    desk.cut();
    desk.cancel(order.client_order_id, 0).unwrap();
    let (tag, path) = desk.take("/fapi/v1/order");
    assert!(path.contains("orderId=9001"), "{path}");
    desk.respond(tag, 200, &[], &row(&order, "CANCELED", "0"));
    assert_eq!(desk.told(), [(order.client_order_id, OrderUpdateKind::Canceled { cum_qty: Qty::ZERO })]);
    // An order of another hand is named by the venue's id alone.
    desk.cancel(ClientOrderId::NONE, 5).unwrap();
    let (tag, path) = desk.take("/fapi/v1/order");
    assert!(path.contains("orderId=5&") && !path.contains("origClientOrderId"), "{path}");
    let lost = Outcome::NotSent(NetError::TimedOut);
    desk.with(|session, scratch, out| session.on_rest(tag, &lost, scratch, out));
    assert!(matches!(desk.told()[..], [(ClientOrderId::NONE, OrderUpdateKind::CancelReject { .. })]));
}

#[test]
fn a_ban_stops_orders_and_questions_until_its_end_and_is_told() {
    let mut desk = Desk::ready();
    let order = desk.working(1);
    desk.wait(31 * SECOND);
    let (tag, _) = desk.take("/fapi/v1/time");
    let body = json!({"code": -1003, "msg": "Way too many requests; IP banned until 1700000099000."});
    desk.respond(tag, 418, &[("retry-after", "20")], &body);
    desk.wait(20 * MS);
    let mut budgets = desk.events.iter().filter_map(|event| match event.body {
        EventBody::Budget(budget) => Some(budget.banned_until.as_ms()),
        _ => None,
    });
    assert_eq!(budgets.next_back(), Some(1_700_000_099_500));
    assert!(matches!(desk.place(&super::wire_tests::order(9)), Err(SendError::RateLimited { .. })));
    assert_eq!(desk.cancel(order.client_order_id, 0), Ok(()), "cancels pass");
}

#[test]
fn what_no_retry_can_help_is_fatal_by_name() {
    let mut desk = Desk::new();
    desk.turn();
    desk.answer("/fapi/v1/time", json!({"serverTime": START_MS}));
    desk.answer("/fapi/v1/positionSide/dual", json!({"dualSidePosition": true}));
    assert_eq!(desk.session.fatal.as_ref().unwrap().step, "positionSide");
    let mut desk = Desk::new();
    desk.turn();
    desk.answer("/fapi/v1/time", json!({"serverTime": START_MS}));
    desk.refuse("/fapi/v1/listenKey", 401, -2_015);
    assert_eq!(desk.session.fatal.as_ref().unwrap().code, -2_015);
    desk.wait(60 * SECOND);
    let is_question = |call: &smc_net::Call| call.path == "/fapi/v1/time";
    assert!(!desk.session.calls.iter().any(is_question), "no key guessing");
}

#[test]
fn an_expired_key_means_new_connections_and_funding_is_cash() {
    let mut desk = Desk::ready();
    desk.hear(&json!({"e": "ACCOUNT_UPDATE", "E": 1, "T": START_MS, "a": {"m": "FUNDING_FEE",
        "B": [{"a": "USDT", "wb": "99.5", "cw": "99.5", "bc": "-0.25"}], "P": [{"s": "ETHUSDT", "pa": "1"}]}}));
    let cash = desk.events.iter().find_map(|event| match event.body {
        EventBody::Cash(cash) => Some((event.instrument, cash.kind, cash.amount.0)),
        _ => None,
    });
    assert_eq!(cash, Some((InstrumentId(1), CashKind::Funding, -SCALE / 4)));
    desk.hear(&json!({"e": "listenKeyExpired", "E": 1, "listenKey": "abc123"}));
    assert_eq!((desk.session.step, desk.session.listen_key.as_str()), (Step::Offline, ""));
    let is_down = |event: &Event| event.body == EventBody::Gateway(GatewayState::Down);
    assert!(desk.events.iter().any(is_down));
}

/// One order's whole life, its reports shuffled, doubled and lost, its answers late or never; questions are answered by the
/// truth. Whatever happens, each trade is handed on once, their sum is the venue's, and the end comes last.
#[test]
fn chaos_loses_no_fill_and_counts_none_twice() {
    for seed in 1..400u64 {
        let mut random = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let mut chance = |bound: usize| {
            random ^= random << 13;
            random ^= random >> 7;
            random ^= random << 17;
            (random >> 11) as usize % bound
        };
        let mut desk = Desk::ready();
        let order = order(1);
        desk.place(&order).unwrap();
        let count = chance(4);
        let is_full = count == 3 && chance(2) == 0;
        let last_status = if is_full { "FILLED" } else { "CANCELED" };
        let sizes: Vec<i64> = (0..count).map(|at| if is_full && at == 2 { 3 } else { 1 }).collect();
        let text = |tenths: i64| format!("0.{tenths}");
        let mut reports = vec![report(&order, "NEW", "NEW", "0", None)];
        let (mut trades, mut sum) = (Vec::new(), 0);
        for (at, &size) in sizes.iter().enumerate() {
            sum += size;
            let status = if is_full && at == 2 { "FILLED" } else { "PARTIALLY_FILLED" };
            let id = 70 + at as u64;
            reports.push(report(&order, "TRADE", status, &text(sum), Some((id, &text(size)))));
            trades.push(trade(&order, id, &text(size)));
        }
        if !is_full {
            reports.push(report(&order, "CANCELED", "CANCELED", &text(sum), None));
        }
        match chance(3) {
            0 => desk.reply(200, "result", row(&order, "NEW", "0")),
            1 => desk.reply(503, "error", json!({"code": -1000, "msg": "?"})),
            _ => {}
        }
        let doubled = reports.clone();
        reports.extend(doubled.into_iter().filter(|_| chance(3) == 0));
        while !reports.is_empty() {
            let event = reports.remove(chance(reports.len()));
            if chance(3) > 0 {
                desk.hear(&event);
            }
            if chance(9) == 0 {
                desk.cut();
            }
        }
        // From here on the venue answers every question, with the truth.
        let last = row(&order, last_status, &text(sum));
        for _ in 0..200 {
            // The core wants rounds as long as something is in doubt.
            desk.session.is_round_wanted = true;
            desk.wait(200 * MS);
            if desk.session.step == Step::Connecting {
                desk.is_open = true;
                let now = desk.now;
                desk.session.on_open(now);
            }
            while let Some(call) = desk.session.calls.front() {
                let path = call.path.split('?').next().unwrap().to_owned();
                let now_ms = desk.now.as_ms();
                let body = match path.as_str() {
                    "/fapi/v1/time" => json!({"serverTime": now_ms}),
                    "/fapi/v1/listenKey" => json!({"listenKey": "abc"}),
                    "/fapi/v1/order" => last.clone(),
                    "/fapi/v1/userTrades" => json!(trades),
                    "/fapi/v3/account" => {
                        json!({"totalMarginBalance": "1", "availableBalance": "1", "assets": []})
                    }
                    _ => json!([]),
                };
                desk.answer(&path, body);
            }
        }
        let told = desk.told();
        let expected: Vec<_> =
            sizes.iter().enumerate().map(|(at, &size)| (70 + at as u64, size * TENTH)).collect();
        let mut found = fills(&told);
        found.sort_unstable();
        assert_eq!(found, expected, "seed {seed}: {told:?}");
        assert!(desk.session.orders.get(order.client_order_id).is_none(), "seed {seed}: {told:?}");
        let is_end = |kind: &OrderUpdateKind| matches!(kind, OrderUpdateKind::Canceled { .. });
        let first_end = told.iter().position(|(_, kind)| is_end(kind));
        let last_fill = told.iter().rposition(|(_, kind)| matches!(kind, OrderUpdateKind::Fill { .. }));
        assert_eq!(first_end.is_some(), !is_full, "seed {seed}: {told:?}");
        assert!(is_full || last_fill < first_end, "seed {seed}: {told:?}");
        assert!(told.iter().all(|(id, _)| *id == order.client_order_id), "seed {seed}");
        assert_eq!(desk.session.step, Step::Ready, "seed {seed}");
    }
}
