//! Requests as the venue wants to read them.
//!
//! The hot ones (`order.place`, `order.cancel`) are templates built once per instrument, type, time in force
//! and side. Three places of constant width are patched (request id, client order id, time stamp), then the
//! decimals are written behind them, where their length may vary. No formatting, no allocation. The cold ones
//! are written into one reused buffer.
//!
//! ```text
//! {"id":################,"method":"order.place","params":{"newClientOrderId":"#################",…
//!  …,"timestamp":#############,"type":"LIMIT" | ,"price":"52000.00","quantity":"0.01000"}}
//!                        fixed, patched in place | written anew for each order
//! ```

use super::settings::{GatewayError, GatewayInstrument, SendError};
use super::sign::{Signer, payload};
use crate::digits::{decimals, fill_digits, push_decimal, push_digits};
use crate::requests::ID_DIGITS;
use smc_core::output::{CancelOrder, NewOrder, OrderKind, TimeInForce};
use smc_core::words::{ClientOrderId, InstrumentId, Side};
use std::fmt::Write as _;

const CLIENT_ID_DIGITS: usize = ClientOrderId::TEXT_LEN;
const TIME_DIGITS: usize = 13;
/// Bytes that may follow a template: three decimals of at most 21 digits with their names.
const TAIL_MAX: usize = 160;

/// Turns orders into bytes. One per gateway.
pub(super) struct Encoder {
    instruments: Vec<Instrument>,
    recv_window_ms: u32,
    /// The cold requests' buffer.
    cold: String,
}

/// One instrument's templates.
struct Instrument {
    id: InstrumentId,
    symbol: String,
    price_decimals: u32,
    qty_decimals: u32,
    /// By [`place_index`].
    place: Vec<Template>,
    cancel: Template,
    status: Template,
}

/// A request whose places of constant width are known.
struct Template {
    bytes: Vec<u8>,
    id_at: usize,
    client_id_at: usize,
    time_at: usize,
    /// Bytes from here on are written anew each time.
    tail_at: usize,
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

impl Encoder {
    pub fn new(instruments: &[GatewayInstrument], recv_window_ms: u32) -> Result<Self, GatewayError> {
        let instruments =
            instruments.iter().map(|i| Instrument::new(i, recv_window_ms)).collect::<Result<_, _>>()?;
        Ok(Self { instruments, recv_window_ms, cold: String::with_capacity(1_024) })
    }

    /// `order.place`. Only [`place`](super::BinanceSpotGateway::place), which takes approved orders, leads here.
    pub fn place(&mut self, id: u64, time_ms: u64, order: &NewOrder) -> Result<&[u8], SendError> {
        let instrument = find(&mut self.instruments, order.instrument)?;
        let (price_decimals, qty_decimals) = (instrument.price_decimals, instrument.qty_decimals);
        let has_price = order.kind != OrderKind::Market;
        let has_stop = order.kind == OrderKind::StopLimit;
        let index = place_index(order.kind, order.time_in_force, order.side);
        let template = instrument.place.get_mut(index).ok_or(SendError::UnknownInstrument)?;
        template.patch(id, time_ms, order.client_order_id)?;
        if has_price {
            template.decimal(b",\"price\":\"", order.price.0, price_decimals).ok_or(SendError::BadPrice)?;
        }
        template.decimal(b",\"quantity\":\"", order.qty.0, qty_decimals).ok_or(SendError::BadQty)?;
        if has_stop {
            let stop = order.stop_price.0;
            template.decimal(b",\"stopPrice\":\"", stop, price_decimals).ok_or(SendError::BadPrice)?;
        }
        Ok(template.finish())
    }

    /// `order.cancel`: by the venue's id where it is known, and always by ours, so that a wrong pair is refused.
    pub fn cancel(&mut self, id: u64, time_ms: u64, cancel: &CancelOrder) -> Result<&[u8], SendError> {
        let template = &mut find(&mut self.instruments, cancel.instrument)?.cancel;
        template.patch(id, time_ms, cancel.client_order_id)?;
        if cancel.venue_order_id != 0 {
            template.integer(b",\"orderId\":", cancel.venue_order_id);
        }
        Ok(template.finish())
    }

    /// `order.status` by client id.
    pub fn status(
        &mut self,
        id: u64,
        time_ms: u64,
        instrument: InstrumentId,
        order: ClientOrderId,
    ) -> Result<&[u8], SendError> {
        let template = &mut find(&mut self.instruments, instrument)?.status;
        template.patch(id, time_ms, order)?;
        Ok(template.finish())
    }

    /// `myTrades` of one order.
    pub fn trades(
        &mut self,
        id: u64,
        time_ms: u64,
        instrument: InstrumentId,
        venue_order_id: u64,
    ) -> Result<&[u8], SendError> {
        let symbol = find(&mut self.instruments, instrument)?.symbol.as_str();
        let window = self.recv_window_ms;
        write(
            &mut self.cold,
            format_args!(
                "{{\"id\":{id},\"method\":\"myTrades\",\"params\":{{\"limit\":1000,\"orderId\":{venue_order_id},\
             \"recvWindow\":{window},\"symbol\":\"{symbol}\",\"timestamp\":{time_ms}}}}}"
            ),
        );
        Ok(self.cold.as_bytes())
    }

    /// `openOrders.status`: of the only instrument (weight 6), or of all (weight 80).
    pub fn open_orders(&mut self, id: u64, time_ms: u64) -> &[u8] {
        let window = self.recv_window_ms;
        write(
            &mut self.cold,
            format_args!(
                "{{\"id\":{id},\"method\":\"openOrders.status\",\"params\":{{\"recvWindow\":{window},"
            ),
        );
        if let [only] = self.instruments.as_slice() {
            let _ = write!(self.cold, "\"symbol\":\"{}\",", only.symbol);
        }
        let _ = write!(self.cold, "\"timestamp\":{time_ms}}}}}");
        self.cold.as_bytes()
    }

    /// `account.status` without the assets that are zero.
    pub fn account(&mut self, id: u64, time_ms: u64) -> &[u8] {
        let window = self.recv_window_ms;
        write(
            &mut self.cold,
            format_args!(
                "{{\"id\":{id},\"method\":\"account.status\",\"params\":{{\"omitZeroBalances\":true,\
             \"recvWindow\":{window},\"timestamp\":{time_ms}}}}}"
            ),
        );
        self.cold.as_bytes()
    }

    /// `session.logon`, signed.
    pub fn logon(&mut self, id: u64, time_ms: u64, api_key: &str, signer: &Signer) -> &[u8] {
        let (window, time) = (self.recv_window_ms.to_string(), time_ms.to_string());
        let params = [("apiKey", api_key), ("recvWindow", &window), ("timestamp", &time)];
        let signature = signer.sign(payload(&params).as_bytes());
        let signature = std::str::from_utf8(&signature).unwrap_or_default();
        write(
            &mut self.cold,
            format_args!(
                "{{\"id\":{id},\"method\":\"session.logon\",\"params\":{{\"apiKey\":\"{api_key}\",\
             \"recvWindow\":{window},\"signature\":\"{signature}\",\"timestamp\":{time}}}}}"
            ),
        );
        self.cold.as_bytes()
    }

    /// `userDataStream.subscribe`.
    pub fn subscribe(&mut self, id: u64) -> &[u8] {
        write(
            &mut self.cold,
            format_args!("{{\"id\":{id},\"method\":\"userDataStream.subscribe\",\"params\":{{}}}}"),
        );
        self.cold.as_bytes()
    }

    /// `time`.
    pub fn time(&mut self, id: u64) -> &[u8] {
        write(&mut self.cold, format_args!("{{\"id\":{id},\"method\":\"time\",\"params\":{{}}}}"));
        self.cold.as_bytes()
    }

    /// The instrument with this symbol.
    pub fn instrument_of(&self, symbol: &str) -> Option<InstrumentId> {
        self.instruments.iter().find(|i| i.symbol == symbol).map(|i| i.id)
    }
}

impl Instrument {
    fn new(instrument: &GatewayInstrument, recv_window_ms: u32) -> Result<Self, GatewayError> {
        let symbol = instrument.spec.symbol.as_str();
        let is_plain = symbol.chars().all(|c| c.is_alphanumeric() || matches!(c, '-' | '_' | '.'));
        if symbol.is_empty() || !is_plain {
            return Err(GatewayError::BadSymbol(instrument.spec.symbol));
        }
        let (tick, lot) = (instrument.spec.tick.0, instrument.spec.lot.0);
        if tick <= 0 || lot <= 0 {
            return Err(GatewayError::BadGrid(instrument.spec.symbol));
        }
        let mut place = Vec::with_capacity(KINDS.len() * FORCES.len() * SIDES.len());
        for (kind, kind_text) in KINDS {
            for (_, force_text) in FORCES {
                for (_, side_text) in SIDES {
                    // A time in force where the venue wants none is refused (−1106).
                    let force = match kind {
                        OrderKind::Limit | OrderKind::StopLimit => {
                            format!(",\"timeInForce\":\"{force_text}\"")
                        }
                        OrderKind::LimitMaker | OrderKind::Market => String::new(),
                    };
                    place.push(Template::new("order.place", "newClientOrderId", &format!(
                        "\"newOrderRespType\":\"ACK\",\"recvWindow\":{recv_window_ms},\"side\":\"{side_text}\",\
                         \"symbol\":\"{symbol}\"{force},\"type\":\"{kind_text}\""
                    )));
                }
            }
        }
        let about = format!("\"recvWindow\":{recv_window_ms},\"symbol\":\"{symbol}\"");
        Ok(Self {
            id: instrument.id,
            symbol: symbol.to_owned(),
            price_decimals: decimals(tick),
            qty_decimals: decimals(lot),
            place,
            cancel: Template::new("order.cancel", "origClientOrderId", &about),
            status: Template::new("order.status", "origClientOrderId", &about),
        })
    }
}

impl Template {
    fn new(method: &str, client_id_name: &str, rest: &str) -> Self {
        let mut bytes = Vec::with_capacity(512);
        let mut fixed = |text: &str, room: usize| {
            bytes.extend_from_slice(text.as_bytes());
            bytes.resize(bytes.len() + room, b'0');
            bytes.len() - room
        };
        let id_at = fixed("{\"id\":", ID_DIGITS);
        let head = format!(",\"method\":\"{method}\",\"params\":{{\"{client_id_name}\":\"");
        let client_id_at = fixed(&head, CLIENT_ID_DIGITS);
        let time_at = fixed("\",\"timestamp\":", TIME_DIGITS);
        fixed(&format!(",{rest}"), 0);
        let tail_at = bytes.len();
        bytes.reserve(TAIL_MAX);
        Self { bytes, id_at, client_id_at, time_at, tail_at }
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

    fn decimal(&mut self, name: &[u8], value: i64, decimals: u32) -> Option<()> {
        push_decimal(&mut self.bytes, name, value, decimals)
    }

    fn integer(&mut self, name: &[u8], value: u64) {
        self.bytes.extend_from_slice(name);
        push_digits(&mut self.bytes, value, 1);
    }

    fn finish(&mut self) -> &[u8] {
        self.bytes.extend_from_slice(b"}}");
        &self.bytes
    }
}

fn find(instruments: &mut [Instrument], id: InstrumentId) -> Result<&mut Instrument, SendError> {
    instruments.iter_mut().find(|i| i.id == id).ok_or(SendError::UnknownInstrument)
}

fn write(to: &mut String, arguments: std::fmt::Arguments<'_>) {
    to.clear();
    // Writing to a String cannot fail.
    let _ = to.write_fmt(arguments);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::binance_spot::testing::{instrument, order, shared};
    use proptest::prelude::*;
    use serde_json::{Value, json};
    use smc_core::words::{Price, Qty};

    const ID: u64 = 6_000_000_000_000_001;
    const TIME: u64 = 1_645_423_376_532;

    fn encoder() -> Encoder {
        Encoder::new(&[instrument(3, "BTCUSDT", "0.01", "0.00001")], 1_000).unwrap()
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
        let said = read(encoder.status(ID, TIME, InstrumentId(3), id).unwrap());
        assert_eq!(said, json!({"id": ID, "method": "order.status", "params": params}));
        cancel.venue_order_id = u64::MAX;
        params["orderId"] = json!(u64::MAX);
        let said = read(encoder.cancel(ID, TIME, &cancel).unwrap());
        assert_eq!(said, json!({"id": ID, "method": "order.cancel", "params": params}));
        let said = read(encoder.trades(ID, TIME, InstrumentId(3), 7).unwrap());
        assert_eq!(said["params"]["orderId"], 7);
        assert_eq!(read(encoder.open_orders(ID, TIME))["params"]["symbol"], "BTCUSDT");
        assert_eq!(read(encoder.account(ID, TIME))["method"], "account.status");
        assert_eq!(read(encoder.subscribe(ID))["method"], "userDataStream.subscribe");
        assert_eq!(read(encoder.time(ID)), json!({"id": ID, "method": "time", "params": {}}));
    }

    #[test]
    fn a_logon_carries_the_signature_of_its_own_parameters() {
        let Some(text) = shared("data/binance/requests/credentials.json") else { return };
        let all: Value = serde_json::from_str(&text).unwrap();
        let signer = Signer::from_pem(all["ed25519_private_key_pem"]["value"].as_str().unwrap()).unwrap();
        let said: Value = serde_json::from_slice(encoder().logon(ID, TIME, "KEY1", &signer)).unwrap();
        let signature = signer.sign(format!("apiKey=KEY1&recvWindow=1000&timestamp={TIME}").as_bytes());
        assert_eq!(said["method"], "session.logon");
        assert_eq!(
            said["params"],
            json!({
                "apiKey": "KEY1", "recvWindow": 1000, "timestamp": TIME,
                "signature": std::str::from_utf8(&signature).unwrap(),
            })
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
