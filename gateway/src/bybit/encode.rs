//! Orders and cancels as the trade socket wants to read them, and the frames around them.
//!
//! The hot requests are templates built once per instrument, type, time in force and side. Three places of constant
//! width are patched (request id, time stamp, client order id), then what varies in length is written behind them. No
//! formatting, no allocation, no signature: the session has logged on.
//!
//! ```text
//! {"reqId":"################","header":{"X-BAPI-TIMESTAMP":"#############",…},"op":"order.create","args":[{…
//!  …,"orderLinkId":"#################" | ,"qty":"0.010","price":"52000.0"}]}
//!                fixed, patched in place | written anew for each order
//! ```

use super::settings::{Category, GatewayError, GatewayInstrument, SendError};
use super::sign::Signer;
#[cfg(feature = "bench")]
use crate::common::Encoding;
use crate::digits::{decimals, fill_digits, push_decimal};
use crate::requests::ID_DIGITS;
use smc_core::output::{NewOrder, OrderKind, TimeInForce};
use smc_core::words::{ClientOrderId, InstrumentId, Name, Side};

const CLIENT_ID_DIGITS: usize = ClientOrderId::TEXT_LEN;
const TIME_DIGITS: usize = 13;
/// Bytes that may follow a template.
const TAIL_MAX: usize = 192;

/// The heartbeat of both sockets.
pub(super) const PING: &[u8] = b"{\"op\":\"ping\"}";

/// Turns orders into bytes. One per gateway.
pub(super) struct Encoder {
    category: Category,
    instruments: Vec<Instrument>,
}

/// One instrument's templates.
struct Instrument {
    id: InstrumentId,
    symbol: Name,
    price_decimals: u32,
    qty_decimals: u32,
    /// By [`place_index`].
    place: Vec<Template>,
    cancel: Template,
}

/// A request whose places of constant width are known.
struct Template {
    bytes: Vec<u8>,
    id_at: usize,
    time_at: usize,
    client_id_at: usize,
    /// Bytes from here on are written anew each time.
    tail_at: usize,
}

const KINDS: [OrderKind; 4] =
    [OrderKind::Limit, OrderKind::LimitMaker, OrderKind::Market, OrderKind::StopLimit];
const FORCES: [(TimeInForce, &str); 3] =
    [(TimeInForce::Gtc, "GTC"), (TimeInForce::Ioc, "IOC"), (TimeInForce::Fok, "FOK")];
const SIDES: [(Side, &str); 2] = [(Side::Buy, "Buy"), (Side::Sell, "Sell")];

/// Place of an order's template. The order of the loops in [`Instrument::new`].
const fn place_index(kind: OrderKind, force: TimeInForce, side: Side) -> usize {
    (kind as usize * FORCES.len() + force as usize) * SIDES.len() + side as usize
}

impl Encoder {
    pub fn new(
        category: Category,
        instruments: &[GatewayInstrument],
        recv_window_ms: u32,
    ) -> Result<Self, GatewayError> {
        let made = |instrument| Instrument::new(category, instrument, recv_window_ms);
        Ok(Self { category, instruments: instruments.iter().map(made).collect::<Result<_, _>>()? })
    }

    /// `order.create`. Only [`place`](super::BybitGateway::place), which takes approved orders, leads here.
    pub fn place(&mut self, id: u64, time_ms: u64, order: &NewOrder) -> Result<&[u8], SendError> {
        let is_spot = self.category == Category::Spot;
        if order.terms.reduce_only && is_spot {
            return Err(SendError::Unsupported);
        }
        let instrument = find(&mut self.instruments, order.instrument)?;
        let (price_decimals, qty_decimals) = (instrument.price_decimals, instrument.qty_decimals);
        let index = place_index(order.kind, order.time_in_force, order.side);
        let template = instrument.place.get_mut(index).ok_or(SendError::UnknownInstrument)?;
        template.patch(id, time_ms, order.client_order_id)?;
        let tail = &mut template.bytes;
        quoted(tail, b",\"qty\":\"", order.qty.0, qty_decimals).ok_or(SendError::BadQty)?;
        if order.kind != OrderKind::Market {
            quoted(tail, b",\"price\":\"", order.price.0, price_decimals).ok_or(SendError::BadPrice)?;
        }
        if order.kind == OrderKind::StopLimit {
            let stop = order.stop_price.0;
            quoted(tail, b",\"triggerPrice\":\"", stop, price_decimals).ok_or(SendError::BadPrice)?;
        }
        if order.terms.reduce_only {
            tail.extend_from_slice(b",\"reduceOnly\":true");
        }
        Ok(template.finish())
    }

    /// `order.cancel` by our id. On spot the venue must be told that an order still waits for its trigger.
    pub fn cancel(
        &mut self,
        id: u64,
        time_ms: u64,
        instrument: InstrumentId,
        order: ClientOrderId,
        is_waiting: bool,
    ) -> Result<&[u8], SendError> {
        let is_filtered = is_waiting && self.category == Category::Spot;
        let template = &mut find(&mut self.instruments, instrument)?.cancel;
        template.patch(id, time_ms, order)?;
        if is_filtered {
            template.bytes.extend_from_slice(b",\"orderFilter\":\"StopOrder\"");
        }
        Ok(template.finish())
    }

    /// The instrument with this symbol.
    pub fn instrument_of(&self, symbol: &str) -> Option<InstrumentId> {
        self.instruments.iter().find(|i| i.symbol.as_str() == symbol).map(|i| i.id)
    }

    /// The symbol of an instrument.
    pub fn symbol_of(&self, id: InstrumentId) -> Option<Name> {
        self.instruments.iter().find(|i| i.id == id).map(|i| i.symbol)
    }
}

/// An encoder by itself, for benches. The socket is logged on, so nothing is signed.
#[cfg(feature = "bench")]
pub fn encoding(category: Category, instruments: &[GatewayInstrument]) -> Result<Encoding, GatewayError> {
    let mut encoder = Encoder::new(category, instruments, 5_000)?;
    Ok(Box::new(move |id, time_ms, order, sink| encoder.place(id, time_ms, order).map(sink)))
}

/// What logs a socket on: the trade socket spells the request's name otherwise.
pub(super) fn log_on(name: &str, api_key: &str, expires_ms: u64, signer: &Signer) -> String {
    let signature = signer.log_on(expires_ms);
    format!("{{\"{name}\":\"auth\",\"op\":\"auth\",\"args\":[\"{api_key}\",{expires_ms},\"{signature}\"]}}")
}

/// The private topics of one category.
pub(super) fn subscribe(category: Category, has_fast_fills: bool, has_dead_man: bool) -> String {
    let word = category.word();
    let mut topics = format!("\"order.{word}\",\"execution.{word}\",\"wallet\"");
    if category == Category::Linear {
        topics.push_str(",\"position.linear\"");
        if has_fast_fills {
            topics.push_str(",\"execution.fast.linear\"");
        }
    }
    if has_dead_man {
        topics.push_str(match category {
            Category::Spot => ",\"dcp.spot\"",
            Category::Linear => ",\"dcp.future\"",
        });
    }
    format!("{{\"req_id\":\"subscribe\",\"op\":\"subscribe\",\"args\":[{topics}]}}")
}

impl Instrument {
    fn new(
        category: Category,
        instrument: &GatewayInstrument,
        recv_window_ms: u32,
    ) -> Result<Self, GatewayError> {
        let symbol = instrument.spec.symbol;
        let is_plain = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
        if symbol.as_bytes().is_empty() || !symbol.as_bytes().iter().all(is_plain) {
            return Err(GatewayError::BadSymbol(symbol));
        }
        let (tick, lot) = (instrument.spec.tick.0, instrument.spec.lot.0);
        if tick <= 0 || lot <= 0 {
            return Err(GatewayError::BadGrid(symbol));
        }
        let about = format!("\"category\":\"{}\",\"symbol\":\"{symbol}\"", category.word());
        let mut place = Vec::with_capacity(KINDS.len() * FORCES.len() * SIDES.len());
        for kind in KINDS {
            for (_, force) in FORCES {
                for (side, side_word) in SIDES {
                    let what = what(category, kind, force, side);
                    let text = format!("{about},\"side\":\"{side_word}\",{what}");
                    place.push(Template::new("order.create", &text, recv_window_ms));
                }
            }
        }
        Ok(Self {
            id: instrument.id,
            symbol,
            price_decimals: decimals(tick),
            qty_decimals: decimals(lot),
            place,
            cancel: Template::new("order.cancel", &about, recv_window_ms),
        })
    }
}

/// Type, time in force and whatever the category wants to be told with them.
fn what(category: Category, kind: OrderKind, force: &str, side: Side) -> String {
    let kind_and_force = match kind {
        OrderKind::Limit | OrderKind::StopLimit => {
            format!("\"orderType\":\"Limit\",\"timeInForce\":\"{force}\"")
        }
        OrderKind::LimitMaker => "\"orderType\":\"Limit\",\"timeInForce\":\"PostOnly\"".to_owned(),
        OrderKind::Market => "\"orderType\":\"Market\"".to_owned(),
    };
    let rest = match (category, kind) {
        // A spot market order to buy would else count in quote coins.
        (Category::Spot, OrderKind::Market) => ",\"marketUnit\":\"baseCoin\"".to_owned(),
        (Category::Spot, OrderKind::StopLimit) => ",\"orderFilter\":\"StopOrder\"".to_owned(),
        (Category::Spot, _) => String::new(),
        // A buy waits for a rise (1), a sale for a fall (2).
        (Category::Linear, OrderKind::StopLimit) => {
            let direction = if side == Side::Buy { 1 } else { 2 };
            format!(",\"positionIdx\":0,\"triggerDirection\":{direction},\"triggerBy\":\"LastPrice\"")
        }
        (Category::Linear, _) => ",\"positionIdx\":0".to_owned(),
    };
    kind_and_force + &rest
}

impl Template {
    fn new(op: &str, about: &str, recv_window_ms: u32) -> Self {
        let mut bytes = Vec::with_capacity(512 + TAIL_MAX);
        let mut fixed = |text: &str, room: usize| {
            bytes.extend_from_slice(text.as_bytes());
            bytes.resize(bytes.len() + room, b'0');
            bytes.len() - room
        };
        let id_at = fixed("{\"reqId\":\"", ID_DIGITS);
        let time_at = fixed("\",\"header\":{\"X-BAPI-TIMESTAMP\":\"", TIME_DIGITS);
        let head = format!(
            "\",\"X-BAPI-RECV-WINDOW\":\"{recv_window_ms}\"}},\"op\":\"{op}\",\"args\":[{{{about},\"orderLinkId\":\""
        );
        let client_id_at = fixed(&head, CLIENT_ID_DIGITS);
        fixed("\"", 0);
        let tail_at = bytes.len();
        bytes.reserve(TAIL_MAX);
        Self { bytes, id_at, time_at, client_id_at, tail_at }
    }

    fn patch(&mut self, id: u64, time_ms: u64, order: ClientOrderId) -> Result<(), SendError> {
        self.bytes.truncate(self.tail_at);
        fill_digits(self.bytes.get_mut(self.id_at..self.id_at + ID_DIGITS), id).ok_or(SendError::Full)?;
        let client_id = self.bytes.get_mut(self.client_id_at..self.client_id_at + CLIENT_ID_DIGITS);
        client_id.ok_or(SendError::Full)?.copy_from_slice(&order.text());
        // Thirteen digits are the years 2001 to 2286; another time means that the clock is wrong.
        let time = self.bytes.get_mut(self.time_at..self.time_at + TIME_DIGITS);
        fill_digits(time, time_ms).ok_or(SendError::BadTime)
    }

    fn finish(&mut self) -> &[u8] {
        self.bytes.extend_from_slice(b"}]}");
        &self.bytes
    }
}

fn find(instruments: &mut [Instrument], id: InstrumentId) -> Result<&mut Instrument, SendError> {
    instruments.iter_mut().find(|i| i.id == id).ok_or(SendError::UnknownInstrument)
}

/// Appends `name`, a positive decimal as the instrument counts, and a quote.
fn quoted(to: &mut Vec<u8>, name: &[u8], value: i64, decimals: u32) -> Option<()> {
    to.extend_from_slice(name);
    push_decimal(to, value, decimals)?;
    to.push(b'"');
    Some(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{instrument, order};
    use serde_json::{Value, json};
    use smc_core::words::{Price, Qty, SCALE};

    const ID: u64 = 6_000_000_000_000_001;
    const TIME: u64 = 1_700_000_000_000;

    fn encoder(category: Category) -> Encoder {
        let instruments = [instrument(0, "BTCUSDT", "0.1", "0.001")];
        Encoder::new(category, &instruments, 5_000).unwrap()
    }

    fn placed(category: Category, order: &NewOrder) -> Value {
        let sent: Value = serde_json::from_slice(encoder(category).place(ID, TIME, order).unwrap()).unwrap();
        let header = json!({"X-BAPI-TIMESTAMP": TIME.to_string(), "X-BAPI-RECV-WINDOW": "5000"});
        assert_eq!((&sent["reqId"], &sent["header"]), (&json!(ID.to_string()), &header));
        assert_eq!((&sent["op"], sent["args"].as_array().unwrap().len()), (&json!("order.create"), 1));
        sent["args"][0].clone()
    }

    #[test]
    fn each_order_type_says_what_its_category_asks_for() {
        let plain = order(0, 1);
        let common = json!({"category": "spot", "symbol": "BTCUSDT", "side": "Buy", "qty": "0.500",
            "orderLinkId": plain.client_order_id.to_string()});
        let check = |category, order: &NewOrder, own: Value| {
            let mut expected = common.clone();
            expected.as_object_mut().unwrap().extend(own.as_object().unwrap().clone());
            assert_eq!(placed(category, order), expected);
        };
        check(
            Category::Spot,
            &plain,
            json!({"orderType": "Limit", "timeInForce": "GTC", "price": "50000.0"}),
        );
        let market = NewOrder { kind: OrderKind::Market, price: Price::ZERO, ..plain };
        check(Category::Spot, &market, json!({"orderType": "Market", "marketUnit": "baseCoin"}));
        let stop = NewOrder { kind: OrderKind::StopLimit, stop_price: Price(49_000 * SCALE), ..plain };
        check(
            Category::Spot,
            &stop,
            json!({"orderType": "Limit", "timeInForce": "GTC", "price": "50000.0", "triggerPrice": "49000.0",
                "orderFilter": "StopOrder"}),
        );
        let mut exit = NewOrder { side: Side::Sell, ..stop };
        exit.terms.reduce_only = true;
        check(
            Category::Linear,
            &exit,
            json!({"category": "linear", "side": "Sell", "orderType": "Limit", "timeInForce": "GTC",
                "price": "50000.0", "triggerPrice": "49000.0", "triggerDirection": 2, "triggerBy": "LastPrice",
                "positionIdx": 0, "reduceOnly": true}),
        );
        assert_eq!(encoder(Category::Spot).place(ID, TIME, &exit), Err(SendError::Unsupported));
    }

    #[test]
    fn what_does_not_fit_the_grid_is_refused_and_leaves_no_trace() {
        let mut encoder = encoder(Category::Linear);
        let fine = order(0, 1);
        let expected = encoder.place(ID, TIME, &fine).unwrap().to_vec();
        let bad = |order: NewOrder, encoder: &mut Encoder| encoder.place(ID, TIME, &order).unwrap_err();
        assert_eq!(bad(NewOrder { price: Price(1), ..fine }, &mut encoder), SendError::BadPrice);
        assert_eq!(bad(NewOrder { qty: Qty(1), ..fine }, &mut encoder), SendError::BadQty);
        assert_eq!(bad(NewOrder { qty: Qty(0), ..fine }, &mut encoder), SendError::BadQty);
        assert_eq!(
            bad(NewOrder { instrument: InstrumentId(9), ..fine }, &mut encoder),
            SendError::UnknownInstrument
        );
        assert_eq!(encoder.place(ID, 1, &fine), Err(SendError::BadTime));
        assert_eq!(encoder.place(ID, TIME, &fine).unwrap(), expected);
    }

    #[test]
    fn a_waiting_spot_order_is_cancelled_where_it_waits() {
        let id = ClientOrderId::new(7, 1, 5);
        let args = |category, is_waiting| {
            let mut encoder = encoder(category);
            let bytes = encoder.cancel(ID, TIME, InstrumentId(0), id, is_waiting).unwrap();
            let sent: Value = serde_json::from_slice(bytes).unwrap();
            assert_eq!(sent["op"], "order.cancel");
            sent["args"][0].clone()
        };
        let plain = json!({"category": "spot", "symbol": "BTCUSDT", "orderLinkId": id.to_string()});
        assert_eq!(args(Category::Spot, false), plain);
        assert_eq!(args(Category::Spot, true)["orderFilter"], "StopOrder");
        assert!(args(Category::Linear, true)["orderFilter"].is_null());
    }

    #[test]
    fn frames_are_what_the_venue_shows() {
        let signer = Signer::new(&crate::sign::Secret::new("test_secret")).unwrap();
        let frame: Value =
            serde_json::from_str(&log_on("req_id", "test_api_key", 1_700_000_000_000, &signer)).unwrap();
        let signature = "bacffe7500499eb829bb58c45d36d1b3e5ac67c14eaeba91df5e99ccee013925";
        assert_eq!(frame["args"], json!(["test_api_key", 1_700_000_000_000u64, signature]));
        let topics = |text: String| serde_json::from_str::<Value>(&text).unwrap()["args"].clone();
        assert_eq!(
            topics(subscribe(Category::Linear, true, true)),
            json!([
                "order.linear",
                "execution.linear",
                "wallet",
                "position.linear",
                "execution.fast.linear",
                "dcp.future"
            ])
        );
        assert_eq!(
            topics(subscribe(Category::Spot, true, false)),
            json!(["order.spot", "execution.spot", "wallet"])
        );
    }
}
