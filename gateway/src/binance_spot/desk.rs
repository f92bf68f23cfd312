//! A desk for testing a session: no socket, no clock, every byte and every moment chosen by the test.

use super::decode::Scratch;
use super::session::{Out, Sent, Session, Step};
use super::settings::SendError;
use crate::sign::Secret;
use crate::testing::{INSTANCE, PEM, instrument, order};
use serde_json::{Value, json};
use smc_core::event::{Event, EventBody, GatewayState, OrderUpdateKind};
use smc_core::output::{CancelOrder, NewOrder};
use smc_core::words::{ClientOrderId, InstrumentId, Money, Name, Price, Qty, SCALE, Side, TsNs};

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

pub(super) const START_MS: u64 = 1_700_000_000_000;

impl Desk {
    pub fn new() -> Self {
        let instruments =
            [instrument(0, "BTCUSDT", "0.01", "0.00001"), instrument(1, "ETHUSDT", "0.01", "0.0001")];
        Self {
            session: Session::new("KEY", &Secret::new(PEM), 1_000, INSTANCE, &instruments).unwrap(),
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
        self.no_new_trades();
    }

    /// The lists of trades of both instruments, with nothing that is new.
    pub fn no_new_trades(&mut self) {
        for symbol in ["BTCUSDT", "ETHUSDT"] {
            let trades = self.take("myTrades");
            assert_eq!(trades["params"]["symbol"], symbol);
            self.answer(&trades, json!([]));
        }
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

    /// A cancel that must not go over the connection.
    pub fn cancel_silently(&mut self, id: ClientOrderId) -> Result<(), SendError> {
        let cancel = CancelOrder { instrument: InstrumentId(0), client_order_id: id, venue_order_id: 0 };
        self.session.cancel(self.now, &cancel, &mut |_| panic!("there is no connection"))
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

    pub fn states(&mut self) -> Vec<GatewayState> {
        let told = std::mem::take(&mut self.events);
        told.iter()
            .filter_map(|event| match event.body {
                EventBody::Gateway(state) => Some(state),
                _ => None,
            })
            .collect()
    }

    /// A working order, acknowledged.
    pub fn working(&mut self, sequence: u64) -> NewOrder {
        let order = order(0, sequence);
        let request = self.place(&order).unwrap();
        self.answer(&request, ack(&order));
        assert_eq!(self.told(), [(order.client_order_id, OrderUpdateKind::Ack)]);
        order
    }
}

pub(super) fn venue_id(order: &NewOrder) -> u64 {
    9_000 + order.client_order_id.sequence()
}

pub(super) fn ack(order: &NewOrder) -> Value {
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

pub(super) fn trade(order: &NewOrder, id: u64, qty: &str) -> Value {
    json!({"symbol": "BTCUSDT", "id": id, "orderId": venue_id(order), "price": "50000", "qty": qty,
        "commission": "0.001", "commissionAsset": "BNB", "time": START_MS, "isBuyer": true, "isMaker": true})
}

pub(super) fn fill(trade_id: u64, qty: i64, cum_qty: i64) -> OrderUpdateKind {
    OrderUpdateKind::Fill {
        trade_id,
        side: Side::Buy,
        price: Price(50_000 * SCALE),
        qty: Qty(qty),
        cum_qty: Qty(cum_qty),
        fee: Money(100_000),
        fee_asset: Name::new("BNB").unwrap(),
        is_maker: true,
    }
}

pub(super) const TENTH: i64 = SCALE / 10;
