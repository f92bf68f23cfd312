//! Requests as the venue wants to read them: orders and cancels for the WebSocket API, everything else for REST.
//!
//! A conditional order is the venue's "algo" order: an interface of its own, with ids of its own.

use super::params::Params;
use super::settings::{GatewayError, GatewayInstrument, SendError};
#[cfg(feature = "bench")]
use crate::common::Encoding;
use crate::digits::decimals;
use crate::sign::{KeyKind, Signer};
use smc_core::output::{NewOrder, OrderKind, TimeInForce};
use smc_core::words::{ClientOrderId, InstrumentId, Side};
use smc_net::{Call, Method};

/// Turns orders into bytes. One per gateway.
pub(super) struct Encoder {
    pub instruments: Vec<Instrument>,
    params: Params,
    signer: Signer,
    api_key: String,
    recv_window_ms: u32,
    /// The connection is logged on: requests on it need neither key nor signature.
    pub is_logged_on: bool,
}

/// What requests need of an instrument.
pub(super) struct Instrument {
    pub id: InstrumentId,
    pub symbol: String,
    price_decimals: u32,
    qty_decimals: u32,
}

/// Which order a request is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Target {
    pub instrument: InstrumentId,
    pub id: ClientOrderId,
    /// The venue's id; 0 when not known.
    pub venue_id: u64,
    /// Conditional, and not triggered yet.
    pub is_algo: bool,
}

impl Encoder {
    pub fn new(
        instruments: &[GatewayInstrument],
        api_key: &str,
        signer: Signer,
        recv_window_ms: u32,
    ) -> Result<Self, GatewayError> {
        let instruments = instruments.iter().map(Instrument::new).collect::<Result<_, _>>()?;
        let api_key = api_key.to_owned();
        Ok(Self { instruments, params: Params::new(), signer, api_key, recv_window_ms, is_logged_on: false })
    }

    /// Whether the key can log a connection on, so that its requests need no signatures.
    pub fn can_log_on(&self) -> bool {
        self.signer.kind() == KeyKind::Ed25519
    }

    /// The instrument with this symbol.
    pub fn instrument_of(&self, symbol: &str) -> Option<InstrumentId> {
        self.instruments.iter().find(|one| one.symbol == symbol).map(|one| one.id)
    }

    pub fn find(&self, id: InstrumentId) -> Option<&Instrument> {
        self.instruments.iter().find(|one| one.id == id)
    }

    /// `session.logon`.
    pub fn logon(&mut self, id: u64, time_ms: u64) -> &[u8] {
        self.params.begin(id, "session.logon");
        self.params.text("apiKey", self.api_key.as_bytes());
        self.params.number("recvWindow", self.recv_window_ms.into());
        self.params.number("timestamp", time_ms);
        self.params.frame(Some(&self.signer))
    }

    /// `order.place`, or `algoOrder.place` for what waits for a trigger. Only
    /// [`place`](super::BinanceUsdmGateway::place), which takes approved orders, leads here.
    pub fn place(&mut self, id: u64, time_ms: u64, order: &NewOrder) -> Result<&[u8], SendError> {
        let Self { instruments, params, signer, api_key, recv_window_ms, is_logged_on } = self;
        let found = instruments.iter().find(|one| one.id == order.instrument);
        let instrument = found.ok_or(SendError::UnknownInstrument)?;
        let is_algo = order.kind == OrderKind::StopLimit;
        let has_price = order.kind != OrderKind::Market;
        params.begin(id, if is_algo { "algoOrder.place" } else { "order.place" });
        if is_algo {
            params.text("algoType", b"CONDITIONAL");
        }
        if !*is_logged_on {
            params.text("apiKey", api_key.as_bytes());
        }
        if is_algo {
            params.text("clientAlgoId", &order.client_order_id.text());
        } else {
            params.text("newClientOrderId", &order.client_order_id.text());
            params.text("newOrderRespType", b"ACK");
        }
        if has_price {
            let price = params.decimal("price", order.price.0, instrument.price_decimals);
            price.ok_or(SendError::BadPrice)?;
        }
        params.decimal("quantity", order.qty.0, instrument.qty_decimals).ok_or(SendError::BadQty)?;
        params.number("recvWindow", (*recv_window_ms).into());
        if order.terms.reduce_only {
            params.text("reduceOnly", b"true");
        }
        // Documents disagree about the default, so it is always said.
        params.text("selfTradePreventionMode", b"EXPIRE_MAKER");
        params.text("side", side(order.side));
        params.text("symbol", instrument.symbol.as_bytes());
        if has_price {
            params.text("timeInForce", force(order));
        }
        params.number("timestamp", time_ms);
        if is_algo {
            let trigger = params.decimal("triggerPrice", order.stop_price.0, instrument.price_decimals);
            trigger.ok_or(SendError::BadPrice)?;
        }
        params.text("type", kind(order.kind));
        if is_algo {
            // The engine's stops are meant by the last price, not by the mark price.
            params.text("workingType", b"CONTRACT_PRICE");
        }
        Ok(params.frame((!*is_logged_on).then_some(&*signer)))
    }

    /// `order.cancel` or `algoOrder.cancel`: by the venue's id where it is known, else by ours.
    pub fn cancel(&mut self, id: u64, time_ms: u64, target: Target) -> Result<&[u8], SendError> {
        self.params.begin(id, if target.is_algo { "algoOrder.cancel" } else { "order.cancel" });
        let is_signed = !self.is_logged_on;
        self.cancel_params(time_ms, target, is_signed)?;
        Ok(self.params.frame(is_signed.then_some(&self.signer)))
    }

    /// The same over REST.
    pub fn cancel_call(&mut self, tag: u64, time_ms: u64, target: Target) -> Result<Call, SendError> {
        self.params.begin(0, "");
        self.cancel_params(time_ms, target, false)?;
        let path = if target.is_algo { "/fapi/v1/algoOrder" } else { "/fapi/v1/order" };
        Ok(self.signed(tag, Method::Delete, path, false))
    }

    fn cancel_params(&mut self, time_ms: u64, target: Target, has_key: bool) -> Result<(), SendError> {
        let Self { instruments, params, api_key, recv_window_ms, .. } = self;
        let found = instruments.iter().find(|one| one.id == target.instrument);
        let instrument = found.ok_or(SendError::UnknownInstrument)?;
        match (target.is_algo, target.venue_id) {
            (true, 1..) => params.number("algoId", target.venue_id),
            _ if has_key => params.text("apiKey", api_key.as_bytes()),
            _ => {}
        }
        if target.is_algo && target.venue_id > 0 && has_key {
            params.text("apiKey", api_key.as_bytes());
        }
        match (target.is_algo, target.venue_id) {
            (true, 0) => params.text("clientAlgoId", &target.id.text()),
            (true, _) => {}
            (false, 0) => params.text("origClientOrderId", &target.id.text()),
            (false, _) => params.number("orderId", target.venue_id),
        }
        params.number("recvWindow", (*recv_window_ms).into());
        if !target.is_algo {
            params.text("symbol", instrument.symbol.as_bytes());
        }
        params.number("timestamp", time_ms);
        Ok(())
    }

    /// A question about one order.
    pub fn status_call(&mut self, tag: u64, time_ms: u64, target: Target) -> Option<Call> {
        let symbol = self.find(target.instrument)?.symbol.clone();
        self.params.begin(0, "");
        match (target.is_algo, target.venue_id) {
            (true, _) => self.params.text("clientAlgoId", &target.id.text()),
            (false, 0) => self.params.text("origClientOrderId", &target.id.text()),
            (false, _) => self.params.number("orderId", target.venue_id),
        }
        self.params.number("recvWindow", self.recv_window_ms.into());
        if !target.is_algo {
            self.params.text("symbol", symbol.as_bytes());
        }
        self.params.number("timestamp", time_ms);
        let path = if target.is_algo { "/fapi/v1/algoOrder" } else { "/fapi/v1/order" };
        Some(self.signed(tag, Method::Get, path, true))
    }

    /// Trades of one order (`orderId`), or of an instrument from a trade on (`fromId`).
    pub fn trades_call(
        &mut self,
        tag: u64,
        time_ms: u64,
        instrument: InstrumentId,
        (name, value): (&str, u64),
    ) -> Option<Call> {
        let symbol = self.find(instrument)?.symbol.clone();
        self.params.begin(0, "");
        self.params.number(name, value);
        self.params.number("limit", 1_000);
        self.params.number("recvWindow", self.recv_window_ms.into());
        self.params.text("symbol", symbol.as_bytes());
        self.params.number("timestamp", time_ms);
        Some(self.signed(tag, Method::Get, "/fapi/v1/userTrades", true))
    }

    /// A signed question about the account as a whole.
    pub fn account_call(&mut self, tag: u64, time_ms: u64, path: &str) -> Call {
        self.params.begin(0, "");
        self.params.number("recvWindow", self.recv_window_ms.into());
        self.params.number("timestamp", time_ms);
        self.signed(tag, Method::Get, path, true)
    }

    /// Sets the dead man's timer of one instrument anew.
    pub fn countdown_call(
        &mut self,
        tag: u64,
        time_ms: u64,
        instrument: InstrumentId,
        countdown_ms: u32,
    ) -> Option<Call> {
        let symbol = self.find(instrument)?.symbol.clone();
        self.params.begin(0, "");
        self.params.number("countdownTime", countdown_ms.into());
        self.params.number("recvWindow", self.recv_window_ms.into());
        self.params.text("symbol", symbol.as_bytes());
        self.params.number("timestamp", time_ms);
        Some(self.signed(tag, Method::Post, "/fapi/v1/countdownCancelAll", true))
    }

    /// The listen key: `Post` makes it, `Put` keeps it alive. Carries the key, but no signature.
    pub fn listen_key_call(&self, tag: u64, method: Method) -> Call {
        self.unsigned(tag, method, "/fapi/v1/listenKey")
    }

    /// The venue's clock.
    pub fn time_call(&self, tag: u64) -> Call {
        self.unsigned(tag, Method::Get, "/fapi/v1/time")
    }

    fn signed(&self, tag: u64, method: Method, path: &str, is_repeatable: bool) -> Call {
        let path = format!("{path}?{}", self.params.query(&self.signer));
        Call { is_repeatable, ..self.unsigned(tag, method, &path) }
    }

    fn unsigned(&self, tag: u64, method: Method, path: &str) -> Call {
        let headers = vec![("X-MBX-APIKEY".to_owned(), self.api_key.clone())];
        Call { tag, method, path: path.to_owned(), headers, body: Vec::new(), is_repeatable: true }
    }
}

/// An encoder by itself, for benches; `is_logged_on` as after a log-on, when nothing is signed.
#[cfg(feature = "bench")]
pub fn encoding(
    instruments: &[GatewayInstrument],
    api_key: &str,
    signer: Signer,
    is_logged_on: bool,
) -> Result<Encoding, GatewayError> {
    let mut encoder = Encoder::new(instruments, api_key, signer, 1_000)?;
    encoder.is_logged_on = is_logged_on;
    Ok(Box::new(move |id, time_ms, order, sink| encoder.place(id, time_ms, order).map(sink)))
}

impl Instrument {
    fn new(instrument: &GatewayInstrument) -> Result<Self, GatewayError> {
        let symbol = instrument.spec.symbol.as_str();
        let is_plain = symbol.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
        if symbol.is_empty() || !is_plain {
            return Err(GatewayError::BadSymbol(instrument.spec.symbol));
        }
        let (tick, lot) = (instrument.spec.tick.0, instrument.spec.lot.0);
        if tick <= 0 || lot <= 0 {
            return Err(GatewayError::BadGrid(instrument.spec.symbol));
        }
        Ok(Self {
            id: instrument.id,
            symbol: symbol.to_owned(),
            price_decimals: decimals(tick),
            qty_decimals: decimals(lot),
        })
    }
}

const fn side(side: Side) -> &'static [u8] {
    match side {
        Side::Buy => b"BUY",
        Side::Sell => b"SELL",
    }
}

/// Makers only is a time in force here.
const fn force(order: &NewOrder) -> &'static [u8] {
    match (order.kind, order.time_in_force) {
        (OrderKind::LimitMaker, _) => b"GTX",
        (_, TimeInForce::Gtc) => b"GTC",
        (_, TimeInForce::Ioc) => b"IOC",
        (_, TimeInForce::Fok) => b"FOK",
    }
}

const fn kind(kind: OrderKind) -> &'static [u8] {
    match kind {
        OrderKind::Limit | OrderKind::LimitMaker => b"LIMIT",
        OrderKind::Market => b"MARKET",
        OrderKind::StopLimit => b"STOP",
    }
}
