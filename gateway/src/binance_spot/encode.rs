//! Requests as the venue wants to read them.
//!
//! The hot ones (`order.place`, `order.cancel`) are templates built once per instrument, type, time in force and side
//! (`template`). The cold ones are a [`Query`] each, which knows its name on the WebSocket API and its place in REST, and
//! says its parameters once for both (`form`).

use super::form::{Form, Keys};
use super::settings::{GatewayError, GatewayInstrument, SendError};
use super::template::Template;
#[cfg(feature = "bench")]
use crate::common::Encoding;
use crate::digits::decimals;
use crate::sign::{KeyKind, Signer};
use smc_core::output::{CancelOrder, NewOrder, OrderKind, TimeInForce};
use smc_core::words::{ClientOrderId, InstrumentId, Side};
use smc_net::{Call, Method};
use std::fmt;

/// Trades of one page: the venue's largest.
pub(super) const TRADES_PAGE: usize = 1_000;

/// Turns orders into bytes. One per gateway.
pub(super) struct Encoder {
    instruments: Vec<Instrument>,
    recv_window_ms: u32,
    keys: Keys,
    form: Form,
}

/// One instrument's templates.
struct Instrument {
    id: InstrumentId,
    symbol: String,
    grid: Grid,
    /// By [`place_index`].
    place: Vec<Template>,
    cancel: Template,
}

/// Decimals that prices and quantities are written with.
#[derive(Clone, Copy)]
struct Grid {
    price: u32,
    qty: u32,
}

/// A cold request.
#[derive(Clone, Copy, Debug)]
pub(super) enum Query<'a> {
    /// The venue's clock.
    Time,
    /// Opens the session; Ed25519 keys only.
    Logon,
    /// The private stream: of the session, or by a signature of its own.
    Subscribe,
    /// Balances, without the assets that are zero.
    Account,
    /// Working orders: of the only instrument (weight 6), or of all (weight 80).
    OpenOrders,
    /// One order's state.
    Status(InstrumentId, Named),
    /// Trades of the account, oldest first: of one order or of all, from a number on, or the last ones.
    Trades(&'a TradesQuery),
    /// Ends one order.
    Cancel(&'a CancelOrder),
    /// Ends every order of an instrument.
    CancelAll(InstrumentId),
    /// Ends an order that has not begun to fill, and only then places another.
    Replace(&'a CancelOrder, &'a NewOrder),
    /// Stop and target of which one ends the other.
    Pair(&'a NewOrder, &'a NewOrder),
    /// What the key may do; REST only.
    Restrictions,
}

/// How an order is named.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Named {
    /// By our id.
    Ours(ClientOrderId),
    /// By the venue's.
    Theirs(u64),
}

/// Which trades.
#[derive(Clone, Copy, Debug)]
pub(super) struct TradesQuery {
    pub instrument: InstrumentId,
    /// Of one order, by the venue's id; none for all.
    pub order: Option<u64>,
    /// The first number wanted; none for the last trades.
    pub from: Option<u64>,
    pub limit: usize,
}

const KINDS: [(OrderKind, &str); 4] = [
    (OrderKind::Limit, "LIMIT"),
    (OrderKind::LimitMaker, "LIMIT_MAKER"),
    (OrderKind::Market, "MARKET"),
    (OrderKind::StopLimit, "STOP_LOSS_LIMIT"),
];
const FORCES: [(TimeInForce, &str); 3] =
    [(TimeInForce::Gtc, "GTC"), (TimeInForce::Ioc, "IOC"), (TimeInForce::Fok, "FOK")];
const SIDES: [(Side, &str); 2] = [(Side::Buy, "BUY"), (Side::Sell, "SELL")];

/// Place of an order's template. The order of the loops in [`Instrument::new`].
const fn place_index(kind: OrderKind, force: TimeInForce, side: Side) -> usize {
    (kind as usize * FORCES.len() + force as usize) * SIDES.len() + side as usize
}

/// A time in force where the venue wants none is refused (−1106).
const fn has_force(kind: OrderKind) -> bool {
    matches!(kind, OrderKind::Limit | OrderKind::StopLimit)
}

impl Query<'_> {
    /// Its name on the WebSocket API.
    const fn method(&self, is_session: bool) -> &'static str {
        match self {
            Self::Time => "time",
            Self::Logon => "session.logon",
            Self::Subscribe if is_session => "userDataStream.subscribe",
            Self::Subscribe => "userDataStream.subscribe.signature",
            Self::Account => "account.status",
            Self::OpenOrders => "openOrders.status",
            Self::Status(..) => "order.status",
            Self::Trades(_) => "myTrades",
            Self::Cancel(_) => "order.cancel",
            Self::CancelAll(_) => "openOrders.cancelAll",
            Self::Replace(..) => "order.cancelReplace",
            Self::Pair(..) => "orderList.place.oco",
            Self::Restrictions => "account.apiRestrictions",
        }
    }

    /// Its place in REST.
    const fn rest(&self) -> (Method, &'static str) {
        match self {
            Self::Time => (Method::Get, "/api/v3/time"),
            Self::Account => (Method::Get, "/api/v3/account"),
            Self::OpenOrders => (Method::Get, "/api/v3/openOrders"),
            Self::Status(..) => (Method::Get, "/api/v3/order"),
            Self::Trades(_) => (Method::Get, "/api/v3/myTrades"),
            Self::Cancel(_) => (Method::Delete, "/api/v3/order"),
            Self::CancelAll(_) => (Method::Delete, "/api/v3/openOrders"),
            Self::Replace(..) => (Method::Post, "/api/v3/order/cancelReplace"),
            Self::Pair(..) => (Method::Post, "/api/v3/orderList/oco"),
            Self::Restrictions => (Method::Get, "/sapi/v1/account/apiRestrictions"),
            // Without a connection there is neither session nor stream.
            Self::Logon | Self::Subscribe => (Method::Get, "/api/v3/ping"),
        }
    }

    /// What the venue counts for it.
    pub const fn weight(&self, instruments: usize) -> u32 {
        match self {
            Self::Account => 20,
            Self::OpenOrders if instruments == 1 => 6,
            Self::OpenOrders => 80,
            Self::Status(..) => 4,
            Self::Trades(TradesQuery { order: Some(_), .. }) => 5,
            Self::Trades(_) => 20,
            Self::Logon | Self::Subscribe => 2,
            _ => 1,
        }
    }
}

impl Encoder {
    pub fn new(
        instruments: &[GatewayInstrument],
        recv_window_ms: u32,
        api_key: &str,
        signer: Signer,
    ) -> Result<Self, GatewayError> {
        let keys = Keys { api_key: api_key.to_owned(), signer };
        let signed_by = (!is_session(&keys)).then_some(api_key);
        let instruments = instruments
            .iter()
            .map(|instrument| Instrument::new(instrument, recv_window_ms, signed_by))
            .collect::<Result<_, _>>()?;
        Ok(Self { instruments, recv_window_ms, keys, form: Form::new() })
    }

    /// The connection is logged on, and requests are not signed one by one.
    pub fn is_session(&self) -> bool {
        is_session(&self.keys)
    }

    /// `order.place`. Only [`place`](super::BinanceSpotGateway::place), which takes approved orders, leads here.
    pub fn place(&mut self, id: u64, time_ms: u64, order: &NewOrder) -> Result<&[u8], SendError> {
        let signer = (!is_session(&self.keys)).then_some(&self.keys.signer);
        let instrument = find(&mut self.instruments, order.instrument)?;
        let grid = instrument.grid;
        let has_price = order.kind != OrderKind::Market;
        let has_stop = order.kind == OrderKind::StopLimit;
        let index = place_index(order.kind, order.time_in_force, order.side);
        let template = instrument.place.get_mut(index).ok_or(SendError::UnknownInstrument)?;
        template.patch(id, time_ms, order.client_order_id)?;
        if has_price {
            template.decimal("price", order.price.0, grid.price).ok_or(SendError::BadPrice)?;
        }
        template.decimal("quantity", order.qty.0, grid.qty).ok_or(SendError::BadQty)?;
        if has_stop {
            template.decimal("stopPrice", order.stop_price.0, grid.price).ok_or(SendError::BadPrice)?;
        }
        Ok(template.finish(signer))
    }

    /// `order.cancel`: by the venue's id where it is known, and by ours, so that a wrong pair is refused. An order of
    /// another hand has only the venue's.
    pub fn cancel(&mut self, id: u64, time_ms: u64, cancel: &CancelOrder) -> Result<&[u8], SendError> {
        if cancel.client_order_id == ClientOrderId::NONE {
            return self.frame(id, time_ms, &Query::Cancel(cancel));
        }
        let signer = (!is_session(&self.keys)).then_some(&self.keys.signer);
        let template = &mut find(&mut self.instruments, cancel.instrument)?.cancel;
        template.patch(id, time_ms, cancel.client_order_id)?;
        if cancel.venue_order_id != 0 {
            template.integer("orderId", cancel.venue_order_id);
        }
        Ok(template.finish(signer))
    }

    /// A cold request as a frame of the WebSocket API.
    pub fn frame(&mut self, id: u64, time_ms: u64, query: &Query<'_>) -> Result<&[u8], SendError> {
        self.fill(time_ms, query)?;
        let is_session = is_session(&self.keys);
        // A logon is signed; after it nothing is.
        let is_signed = match query {
            Query::Time => false,
            Query::Logon => true,
            _ => !is_session,
        };
        let keys = is_signed.then_some(&self.keys);
        Ok(self.form.frame(id, query.method(is_session), keys))
    }

    /// A cold request for REST, without the caller's mark.
    pub fn call(&mut self, time_ms: u64, query: &Query<'_>) -> Result<Call, SendError> {
        self.fill(time_ms, query)?;
        let keys = (!matches!(query, Query::Time)).then_some(&self.keys);
        let (method, path) = query.rest();
        let text = self.form.query(keys);
        let mark = if text.is_empty() { "" } else { "?" };
        let path = format!("{path}{mark}{text}");
        let headers = vec![("X-MBX-APIKEY".to_owned(), self.keys.api_key.clone())];
        let is_repeatable = method == Method::Get;
        Ok(Call { tag: 0, method, path, headers, body: Vec::new(), is_repeatable })
    }

    /// Says the parameters of a request.
    fn fill(&mut self, time_ms: u64, query: &Query<'_>) -> Result<(), SendError> {
        let form = &mut self.form;
        form.begin();
        match *query {
            Query::Time => return Ok(()),
            Query::Subscribe if is_session(&self.keys) => return Ok(()),
            Query::Logon | Query::Subscribe | Query::Restrictions => {}
            Query::Account => form.plain("omitZeroBalances", true),
            Query::OpenOrders => {
                if let [only] = self.instruments.as_slice() {
                    form.text("symbol", &only.symbol);
                }
            }
            Query::Status(instrument, named) => {
                form.text("symbol", &find(&mut self.instruments, instrument)?.symbol);
                match named {
                    Named::Ours(id) => form.text("origClientOrderId", id),
                    Named::Theirs(id) => form.plain("orderId", id),
                }
            }
            Query::Trades(&TradesQuery { instrument, order, from, limit }) => {
                form.text("symbol", &find(&mut self.instruments, instrument)?.symbol);
                form.plain("limit", limit);
                order.into_iter().for_each(|id| form.plain("orderId", id));
                from.into_iter().for_each(|id| form.plain("fromId", id));
            }
            Query::Cancel(cancel) => {
                form.text("symbol", &find(&mut self.instruments, cancel.instrument)?.symbol);
                name_order(form, cancel, "orderId", "origClientOrderId");
            }
            Query::CancelAll(instrument) => {
                form.text("symbol", &find(&mut self.instruments, instrument)?.symbol);
            }
            Query::Replace(cancel, order) => {
                let instrument = find(&mut self.instruments, order.instrument)?;
                form.text("symbol", &instrument.symbol);
                form.text("cancelReplaceMode", "STOP_ON_FAILURE");
                // What has begun to fill is not replaced: both together could fill too much.
                form.text("cancelRestrictions", "ONLY_NEW");
                name_order(form, cancel, "cancelOrderId", "cancelOrigClientOrderId");
                let grid = instrument.grid;
                say_order(form, order, grid)?;
            }
            Query::Pair(one, other) => {
                let instrument = find(&mut self.instruments, one.instrument)?;
                form.text("symbol", &instrument.symbol);
                let grid = instrument.grid;
                say_pair(form, one, other, grid)?;
            }
        }
        form.plain("recvWindow", self.recv_window_ms);
        form.plain("timestamp", time_ms);
        Ok(())
    }

    /// The instrument with this symbol.
    pub fn instrument_of(&self, symbol: &str) -> Option<InstrumentId> {
        self.instruments.iter().find(|i| i.symbol == symbol).map(|i| i.id)
    }

    /// The instrument at a place.
    pub fn instrument_at(&self, place: usize) -> Option<InstrumentId> {
        self.instruments.get(place).map(|i| i.id)
    }

    /// How many there are.
    pub fn instruments(&self) -> usize {
        self.instruments.len()
    }
}

/// An encoder by itself, for benches.
#[cfg(feature = "bench")]
pub fn encoding(
    instruments: &[GatewayInstrument],
    api_key: &str,
    signer: Signer,
) -> Result<Encoding, GatewayError> {
    let mut encoder = Encoder::new(instruments, 1_000, api_key, signer)?;
    Ok(Box::new(move |id, time_ms, order, sink| encoder.place(id, time_ms, order).map(sink)))
}

/// Only an Ed25519 key can log on; the others sign each request.
fn is_session(keys: &Keys) -> bool {
    keys.signer.kind() == KeyKind::Ed25519
}

fn name_order(form: &mut Form, cancel: &CancelOrder, theirs: &'static str, ours: &'static str) {
    if cancel.client_order_id != ClientOrderId::NONE {
        form.text(ours, cancel.client_order_id);
    }
    if cancel.venue_order_id != 0 {
        form.plain(theirs, cancel.venue_order_id);
    }
}

/// The parameters of a plain order.
fn say_order(form: &mut Form, order: &NewOrder, grid: Grid) -> Result<(), SendError> {
    form.text("newClientOrderId", order.client_order_id);
    form.text("newOrderRespType", "ACK");
    form.text("side", side_word(order.side));
    form.text("type", kind_word(order.kind));
    form.text("quantity", Exact::new(order.qty.0, grid.qty).ok_or(SendError::BadQty)?);
    if has_force(order.kind) {
        form.text("timeInForce", force_word(order.time_in_force));
    }
    if order.kind != OrderKind::Market {
        form.text("price", Exact::new(order.price.0, grid.price).ok_or(SendError::BadPrice)?);
    }
    if order.kind == OrderKind::StopLimit {
        form.text("stopPrice", Exact::new(order.stop_price.0, grid.price).ok_or(SendError::BadPrice)?);
    }
    Ok(())
}

/// The parameters of a pair: the one above the market and the one below. A target is a limit that only makes, for the
/// venue pairs no other kind with a stop.
fn say_pair(form: &mut Form, one: &NewOrder, other: &NewOrder, grid: Grid) -> Result<(), SendError> {
    let (stop, target) = match (one.kind, other.kind) {
        (OrderKind::StopLimit, OrderKind::Limit | OrderKind::LimitMaker) => (one, other),
        (OrderKind::Limit | OrderKind::LimitMaker, OrderKind::StopLimit) => (other, one),
        _ => return Err(SendError::BadPair),
    };
    let is_same = stop.side == target.side && stop.qty == target.qty && stop.instrument == target.instrument;
    if !is_same {
        return Err(SendError::BadPair);
    }
    let price = |value: i64| Exact::new(value, grid.price).ok_or(SendError::BadPrice);
    let names = match stop.side {
        Side::Buy => [ABOVE, BELOW],
        Side::Sell => [BELOW, ABOVE],
    };
    let [stop_names, target_names] = names;
    form.text("newOrderRespType", "ACK");
    form.text("side", side_word(stop.side));
    form.text("quantity", Exact::new(stop.qty.0, grid.qty).ok_or(SendError::BadQty)?);
    form.text(stop_names.kind, kind_word(OrderKind::StopLimit));
    form.text(stop_names.id, stop.client_order_id);
    form.text(stop_names.price, price(stop.price.0)?);
    form.text(stop_names.stop, price(stop.stop_price.0)?);
    form.text(stop_names.force, force_word(stop.time_in_force));
    form.text(target_names.kind, kind_word(OrderKind::LimitMaker));
    form.text(target_names.id, target.client_order_id);
    form.text(target_names.price, price(target.price.0)?);
    Ok(())
}

/// Names of one order of a pair.
struct PairNames {
    kind: &'static str,
    id: &'static str,
    price: &'static str,
    stop: &'static str,
    force: &'static str,
}

const ABOVE: PairNames = PairNames {
    kind: "aboveType",
    id: "aboveClientOrderId",
    price: "abovePrice",
    stop: "aboveStopPrice",
    force: "aboveTimeInForce",
};
const BELOW: PairNames = PairNames {
    kind: "belowType",
    id: "belowClientOrderId",
    price: "belowPrice",
    stop: "belowStopPrice",
    force: "belowTimeInForce",
};

fn side_word(side: Side) -> &'static str {
    SIDES.iter().find(|(one, _)| *one == side).map_or("", |(_, word)| word)
}

fn kind_word(kind: OrderKind) -> &'static str {
    KINDS.iter().find(|(one, _)| *one == kind).map_or("", |(_, word)| word)
}

fn force_word(force: TimeInForce) -> &'static str {
    FORCES.iter().find(|(one, _)| *one == force).map_or("", |(_, word)| word)
}

/// A positive decimal in 1e-8 units that its decimals can say exactly.
#[derive(Clone, Copy)]
struct Exact {
    value: i64,
    decimals: u32,
}

impl Exact {
    fn new(value: i64, decimals: u32) -> Option<Self> {
        let unit = 10i64.checked_pow(8u32.checked_sub(decimals)?)?;
        (value > 0 && value % unit == 0).then_some(Self { value, decimals })
    }
}

impl fmt::Display for Exact {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (whole, part) = (self.value / 100_000_000, self.value % 100_000_000);
        match self.decimals {
            0 => write!(f, "{whole}"),
            decimals => {
                let part = part / 10i64.pow(8 - decimals);
                write!(f, "{whole}.{part:0width$}", width = decimals as usize)
            }
        }
    }
}

impl Instrument {
    fn new(
        instrument: &GatewayInstrument,
        recv_window_ms: u32,
        signed_by: Option<&str>,
    ) -> Result<Self, GatewayError> {
        let symbol = instrument.spec.symbol.as_str();
        let is_plain = symbol.chars().all(|c| c.is_alphanumeric() || matches!(c, '-' | '_' | '.'));
        if symbol.is_empty() || !is_plain {
            return Err(GatewayError::BadSymbol(instrument.spec.symbol));
        }
        let (tick, lot) = (instrument.spec.tick.0, instrument.spec.lot.0);
        if tick <= 0 || lot <= 0 {
            return Err(GatewayError::BadGrid(instrument.spec.symbol));
        }
        let window = recv_window_ms.to_string();
        let mut about = vec![("recvWindow", window.as_str(), false), ("symbol", symbol, true)];
        about.extend(signed_by.map(|api_key| ("apiKey", api_key, true)));
        let mut place = Vec::with_capacity(KINDS.len() * FORCES.len() * SIDES.len());
        for (kind, kind_text) in KINDS {
            for (_, force_text) in FORCES {
                for (_, side_text) in SIDES {
                    let mut fixed = about.clone();
                    fixed.extend([("newOrderRespType", "ACK", true), ("side", side_text, true)]);
                    fixed.extend(has_force(kind).then_some(("timeInForce", force_text, true)));
                    fixed.push(("type", kind_text, true));
                    place.push(Template::new("order.place", "newClientOrderId", &fixed));
                }
            }
        }
        Ok(Self {
            id: instrument.id,
            symbol: symbol.to_owned(),
            grid: Grid { price: decimals(tick), qty: decimals(lot) },
            place,
            cancel: Template::new("order.cancel", "origClientOrderId", &about),
        })
    }
}

fn find(instruments: &mut [Instrument], id: InstrumentId) -> Result<&mut Instrument, SendError> {
    instruments.iter_mut().find(|i| i.id == id).ok_or(SendError::UnknownInstrument)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sign::Secret;
    use crate::testing::{PEM, instrument, order, shared};
    use proptest::prelude::*;
    use serde_json::{Value, json};
    use smc_core::words::{Price, Qty};

    const ID: u64 = 6_000_000_000_000_001;
    const TIME: u64 = 1_645_423_376_532;

    fn encoder() -> Encoder {
        with_key(PEM)
    }

    fn with_key(secret: &str) -> Encoder {
        let signer = Signer::new(&Secret::new(secret)).unwrap();
        Encoder::new(&[instrument(3, "BTCUSDT", "0.01", "0.00001")], 1_000, "KEY1", signer).unwrap()
    }

    fn placed(order: &NewOrder) -> Value {
        serde_json::from_slice(encoder().place(ID, TIME, order).unwrap()).unwrap()
    }

    #[test]
    fn each_order_type_says_what_the_venue_asks_for() {
        let mut sell = order(3, 77);
        sell.side = Side::Sell;
        sell.price = Price(5_200_000_000_000);
        sell.qty = Qty(1_000_000);
        let id = sell.client_order_id.to_string();
        let common = json!({
            "newClientOrderId": id, "newOrderRespType": "ACK", "recvWindow": 1000, "side": "SELL",
            "symbol": "BTCUSDT", "timestamp": TIME, "quantity": "0.01000",
        });
        let check = |order: &NewOrder, own: Value| {
            let mut params = common.clone();
            params.as_object_mut().unwrap().extend(own.as_object().unwrap().clone());
            assert_eq!(placed(order), json!({"id": ID, "method": "order.place", "params": params}));
        };
        for (force, text) in FORCES {
            let order = NewOrder { time_in_force: force, ..sell };
            check(&order, json!({"type": "LIMIT", "timeInForce": text, "price": "52000.00"}));
            let stop = NewOrder { kind: OrderKind::StopLimit, stop_price: Price(5_200_100_000_000), ..order };
            check(
                &stop,
                json!({
                    "type": "STOP_LOSS_LIMIT", "timeInForce": text, "price": "52000.00", "stopPrice": "52001.00",
                }),
            );
            let maker = NewOrder { kind: OrderKind::LimitMaker, ..order };
            check(&maker, json!({"type": "LIMIT_MAKER", "price": "52000.00"}));
            let market = NewOrder { kind: OrderKind::Market, price: Price::ZERO, ..order };
            check(&market, json!({"type": "MARKET"}));
        }
        check(
            &NewOrder { side: Side::Buy, ..sell },
            json!({"type": "LIMIT", "timeInForce": "GTC", "price": "52000.00", "side": "BUY"}),
        );
    }

    #[test]
    fn a_template_keeps_nothing_of_the_order_before() {
        let mut encoder = encoder();
        let first = NewOrder { price: Price(9_999_999_900_000_000), qty: Qty(123_456_000), ..order(3, 1) };
        let second = NewOrder { price: Price(1_000_000), qty: Qty(1_000), ..order(3, 2) };
        encoder.place(ID, TIME, &first).unwrap();
        let bytes = encoder.place(ID + 1, TIME + 1, &second).unwrap();
        let sent: Value = serde_json::from_slice(bytes).unwrap();
        assert_eq!(sent, {
            let mut expected = placed(&second);
            expected["id"] = json!(ID + 1);
            expected["params"]["timestamp"] = json!(TIME + 1);
            expected
        });
        assert_eq!(
            (&sent["params"]["price"], &sent["params"]["quantity"]),
            (&json!("0.01"), &json!("0.00001"))
        );
    }

    #[test]
    fn what_cannot_be_said_exactly_is_not_said() {
        let mut encoder = encoder();
        let good = order(3, 1);
        let mut refused = |order: NewOrder| encoder.place(ID, TIME, &order).unwrap_err();
        assert_eq!(refused(NewOrder { price: Price(good.price.0 + 1), ..good }), SendError::BadPrice);
        assert_eq!(refused(NewOrder { price: Price(0), ..good }), SendError::BadPrice);
        assert_eq!(refused(NewOrder { qty: Qty(-1_000), ..good }), SendError::BadQty);
        assert_eq!(refused(NewOrder { qty: Qty(1_500), ..good }), SendError::BadQty);
        assert_eq!(refused(NewOrder { instrument: InstrumentId(4), ..good }), SendError::UnknownInstrument);
        assert_eq!(refused(NewOrder { kind: OrderKind::StopLimit, ..good }), SendError::BadPrice);
        assert_eq!(encoder.place(ID, 999_999_999_999, &good).unwrap_err(), SendError::BadTime);
    }

    #[test]
    fn cancels_and_queries_name_the_order() {
        let mut encoder = encoder();
        let id = ClientOrderId::new(1, 2, 3);
        let mut cancel = CancelOrder { instrument: InstrumentId(3), client_order_id: id, venue_order_id: 0 };
        let read = |bytes: &[u8]| -> Value { serde_json::from_slice(bytes).unwrap() };
        let mut params = json!({
            "symbol": "BTCUSDT", "origClientOrderId": id.to_string(), "recvWindow": 1000, "timestamp": TIME,
        });
        let said = read(encoder.cancel(ID, TIME, &cancel).unwrap());
        assert_eq!(said, json!({"id": ID, "method": "order.cancel", "params": params}));
        let status = Query::Status(InstrumentId(3), Named::Ours(id));
        let said = read(encoder.frame(ID, TIME, &status).unwrap());
        assert_eq!(said, json!({"id": ID, "method": "order.status", "params": params}));
        cancel.venue_order_id = u64::MAX;
        params["orderId"] = json!(u64::MAX);
        let said = read(encoder.cancel(ID, TIME, &cancel).unwrap());
        assert_eq!(said, json!({"id": ID, "method": "order.cancel", "params": params}));
        let trades = TradesQuery { instrument: InstrumentId(3), order: Some(7), from: Some(9), limit: 1_000 };
        let said = read(encoder.frame(ID, TIME, &Query::Trades(&trades)).unwrap());
        assert_eq!((&said["params"]["orderId"], &said["params"]["fromId"]), (&json!(7), &json!(9)));
        let said = read(encoder.frame(ID, TIME, &Query::OpenOrders).unwrap());
        assert_eq!(said["params"]["symbol"], "BTCUSDT");
        assert_eq!(read(encoder.frame(ID, TIME, &Query::Account).unwrap())["method"], "account.status");
        let said = read(encoder.frame(ID, TIME, &Query::Subscribe).unwrap());
        assert_eq!(said, json!({"id": ID, "method": "userDataStream.subscribe", "params": {}}));
        let said = read(encoder.frame(ID, TIME, &Query::Time).unwrap());
        assert_eq!(said, json!({"id": ID, "method": "time", "params": {}}));
        let foreign = CancelOrder { client_order_id: ClientOrderId::NONE, venue_order_id: 12, ..cancel };
        let said = read(encoder.cancel(ID, TIME, &foreign).unwrap());
        let params = json!({"symbol": "BTCUSDT", "orderId": 12, "recvWindow": 1000, "timestamp": TIME});
        assert_eq!(said, json!({"id": ID, "method": "order.cancel", "params": params}));
    }

    #[test]
    fn a_replacement_cancels_what_has_not_begun_to_fill_and_stops_on_failure() {
        let old = ClientOrderId::new(1, 2, 3);
        let cancel = CancelOrder { instrument: InstrumentId(3), client_order_id: old, venue_order_id: 40 };
        let stop = NewOrder {
            kind: OrderKind::StopLimit,
            side: Side::Sell,
            stop_price: Price(4_900_000_000_000),
            ..order(3, 9)
        };
        let mut encoder = encoder();
        let said = encoder.frame(ID, TIME, &Query::Replace(&cancel, &stop)).unwrap();
        let said: Value = serde_json::from_slice(said).unwrap();
        let params = json!({
            "symbol": "BTCUSDT", "cancelReplaceMode": "STOP_ON_FAILURE", "cancelRestrictions": "ONLY_NEW",
            "cancelOrderId": 40, "cancelOrigClientOrderId": old.to_string(), "side": "SELL",
            "newClientOrderId": stop.client_order_id.to_string(), "newOrderRespType": "ACK", "recvWindow": 1000,
            "type": "STOP_LOSS_LIMIT", "timeInForce": "GTC", "price": "50000.00", "stopPrice": "49000.00",
            "quantity": "0.50000", "timestamp": TIME,
        });
        assert_eq!(said, json!({"id": ID, "method": "order.cancelReplace", "params": params}));
    }

    #[test]
    fn a_pair_stands_on_both_sides_of_the_market() {
        let stop = NewOrder {
            kind: OrderKind::StopLimit,
            side: Side::Sell,
            stop_price: Price(4_900_000_000_000),
            ..order(3, 9)
        };
        let target = NewOrder { side: Side::Sell, price: Price(6_000_000_000_000), ..order(3, 8) };
        let mut encoder = encoder();
        let mut say = |one: &NewOrder, other: &NewOrder| -> Result<Value, SendError> {
            let bytes = encoder.frame(ID, TIME, &Query::Pair(one, other))?;
            Ok(serde_json::from_slice(bytes).unwrap())
        };
        let said = say(&stop, &target).unwrap();
        let params = json!({
            "symbol": "BTCUSDT", "side": "SELL", "quantity": "0.50000", "newOrderRespType": "ACK",
            "aboveType": "LIMIT_MAKER", "aboveClientOrderId": target.client_order_id.to_string(),
            "abovePrice": "60000.00", "belowType": "STOP_LOSS_LIMIT",
            "belowClientOrderId": stop.client_order_id.to_string(), "belowPrice": "50000.00",
            "belowStopPrice": "49000.00", "belowTimeInForce": "GTC", "recvWindow": 1000, "timestamp": TIME,
        });
        assert_eq!(said, json!({"id": ID, "method": "orderList.place.oco", "params": params}));
        assert_eq!(say(&target, &stop), Ok(said), "in whichever order they came");
        let buys = [stop, target].map(|order| NewOrder { side: Side::Buy, ..order });
        let said = say(&buys[0], &buys[1]).unwrap();
        assert_eq!(
            (&said["params"]["aboveType"], &said["params"]["belowType"]),
            (&json!("STOP_LOSS_LIMIT"), &json!("LIMIT_MAKER"))
        );
        assert_eq!(say(&stop, &stop), Err(SendError::BadPair));
        assert_eq!(say(&stop, &NewOrder { qty: Qty(1_000), ..target }), Err(SendError::BadPair));
    }

    /// Whatever the key, what is signed is what is said: every parameter but the signature, sorted.
    #[test]
    fn a_key_that_cannot_log_on_signs_every_request() {
        let Some(text) = shared("data/binance/requests/credentials.json") else { return };
        let all: Value = serde_json::from_str(&text).unwrap();
        for name in ["hmac_secret", "rsa_private_key_pem"] {
            let secret = all[name]["value"].as_str().unwrap();
            let signer = Signer::new(&Secret::new(secret)).unwrap();
            let mut encoder = with_key(secret);
            let is_signed = |bytes: &[u8]| {
                let said: Value = serde_json::from_slice(bytes).unwrap();
                let params = said["params"].as_object().unwrap();
                let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
                let mut pairs: Vec<String> = params
                    .iter()
                    .filter(|(name, _)| *name != "signature")
                    .map(|(name, value)| format!("{name}={}", text(value)))
                    .collect();
                pairs.sort_unstable();
                assert_eq!(params["apiKey"], "KEY1", "{said}");
                assert_eq!(signer.sign(pairs.join("&").as_bytes()).as_str(), params["signature"], "{said}");
            };
            let stop =
                NewOrder { kind: OrderKind::StopLimit, stop_price: Price(5_100_000_000_000), ..order(3, 1) };
            let market = NewOrder { kind: OrderKind::Market, ..stop };
            for order in [order(3, 2), stop, market, stop, order(3, 3)] {
                is_signed(encoder.place(ID, TIME, &order).unwrap());
            }
            let mut cancel = CancelOrder {
                instrument: InstrumentId(3),
                client_order_id: stop.client_order_id,
                venue_order_id: 17,
            };
            is_signed(encoder.cancel(ID, TIME, &cancel).unwrap());
            cancel.venue_order_id = 0;
            is_signed(encoder.cancel(ID, TIME, &cancel).unwrap());
            for query in [Query::Account, Query::OpenOrders, Query::Subscribe, Query::Replace(&cancel, &stop)]
            {
                is_signed(encoder.frame(ID, TIME, &query).unwrap());
            }
            let said = encoder.frame(ID, TIME, &Query::Subscribe).unwrap();
            assert!(std::str::from_utf8(said).unwrap().contains("userDataStream.subscribe.signature"));
        }
    }

    #[test]
    fn a_logon_carries_the_signature_of_its_own_parameters() {
        let mut encoder = encoder();
        let said: Value = serde_json::from_slice(encoder.frame(ID, TIME, &Query::Logon).unwrap()).unwrap();
        let signer = Signer::new(&Secret::new(PEM)).unwrap();
        let signature = signer.sign(format!("apiKey=KEY1&recvWindow=1000&timestamp={TIME}").as_bytes());
        assert_eq!(said["method"], "session.logon");
        assert_eq!(
            said["params"],
            json!({"apiKey": "KEY1", "recvWindow": 1000, "timestamp": TIME, "signature": signature.as_str()})
        );
    }

    proptest! {
        #[test]
        fn decimals_read_back_exactly(price in 1i64..=i64::MAX / 1_000_000, qty in 1i64..=i64::MAX / 1_000) {
            let order = NewOrder { price: Price(price * 1_000_000), qty: Qty(qty * 1_000), ..order(3, 1) };
            let said = placed(&order);
            let text = |name: &str| said["params"][name].as_str().unwrap().to_owned();
            prop_assert_eq!(Price::parse(text("price").as_bytes()), Ok(order.price));
            prop_assert_eq!(Qty::parse(text("quantity").as_bytes()), Ok(order.qty));
            prop_assert_eq!(text("price").split_once('.').unwrap().1.len(), 2);
            prop_assert_eq!(text("quantity").split_once('.').unwrap().1.len(), 5);
        }
    }
}
