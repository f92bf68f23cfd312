//! Approved orders and questions as requests.
//!
//! An order says exactly what was approved or nothing: a price finer than the instrument's grid, a kind that the venue does
//! not have, a bound on the wrong side are refused here. Requests go through an HTTP client that allocates, so this does.

use super::message::Kind;
use super::settings::{GatewayInstrument, GatewaySettings, SendError};
#[cfg(feature = "bench")]
use crate::common::Encoding;
use smc_core::output::{NewOrder, OrderKind, Purpose, TimeInForce};
use smc_core::words::{ClientOrderId, InstrumentId, Name, Price, Qty, SCALE, Side};
#[cfg(feature = "bench")]
use smc_net::http::request::encode_request;
use smc_net::{Call, Method};
use std::fmt::Write as _;

/// Knows the account, the token and the grids.
pub(super) struct Encoder {
    /// `/v3/accounts/ID`.
    base: String,
    authorization: String,
    grids: Vec<Grid>,
}

#[derive(Clone, Copy)]
struct Grid {
    id: InstrumentId,
    symbol: Name,
    price_decimals: u32,
    units_decimals: u32,
}

/// How an order is named in a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Spec {
    /// By the venue's id.
    Venue(u64),
    /// By ours.
    Client(ClientOrderId),
}

impl Spec {
    /// By the venue's id where it is known.
    pub const fn of(venue_id: u64, id: ClientOrderId) -> Self {
        if venue_id == 0 { Self::Client(id) } else { Self::Venue(venue_id) }
    }
}

impl std::fmt::Display for Spec {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Venue(id) => write!(f, "{id}"),
            Self::Client(id) => write!(f, "@{id}"),
        }
    }
}

/// A request without tag and token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Ask {
    pub method: Method,
    /// Behind the account's path.
    pub path: String,
    pub body: String,
}

impl Ask {
    fn get(path: String) -> Self {
        Self { method: Method::Get, path, body: String::new() }
    }
}

impl Encoder {
    pub fn new(settings: &GatewaySettings, instruments: &[GatewayInstrument]) -> Self {
        let grid = |one: &GatewayInstrument| Grid {
            id: one.id,
            symbol: one.spec.symbol,
            price_decimals: decimals(one.spec.tick.0),
            units_decimals: decimals(one.spec.lot.0),
        };
        Self {
            base: format!("/v3/accounts/{}", settings.account),
            authorization: format!("Bearer {}", settings.token.expose()),
            grids: instruments.iter().map(grid).collect(),
        }
    }

    /// The instrument of a symbol.
    pub fn instrument_of(&self, symbol: &str) -> Option<InstrumentId> {
        self.grids.iter().find(|grid| grid.symbol.as_str() == symbol).map(|grid| grid.id)
    }

    /// All instruments.
    pub fn instruments(&self) -> impl Iterator<Item = InstrumentId> {
        self.grids.iter().map(|grid| grid.id)
    }

    pub fn authorization(&self) -> &str {
        &self.authorization
    }

    /// Path of the transaction stream.
    pub fn stream_path(&self) -> String {
        format!("{}/transactions/stream", self.base)
    }

    /// A new order.
    pub fn place(&self, order: &NewOrder) -> Result<Ask, SendError> {
        Ok(Ask { method: Method::Post, path: "/orders".to_owned(), body: self.order(order, None)? })
    }

    /// A new order in the place of another. One that closes a trade is replaced by one that closes the same trade.
    pub fn replace(
        &self,
        spec: Spec,
        order: &NewOrder,
        trade: Option<(Kind, u64)>,
    ) -> Result<Ask, SendError> {
        Ok(Ask { method: Method::Put, path: format!("/orders/{spec}"), body: self.order(order, trade)? })
    }

    fn order(&self, order: &NewOrder, trade: Option<(Kind, u64)>) -> Result<String, SendError> {
        let grid =
            self.grids.iter().find(|grid| grid.id == order.instrument).ok_or(SendError::UnknownInstrument)?;
        if order.terms.oco != ClientOrderId::NONE {
            return Err(SendError::Unsupported);
        }
        let price = |price: Price| fixed(price.0, grid.price_decimals).ok_or(SendError::BadPrice);
        let units = fixed(order.qty.0, grid.units_decimals).ok_or(SendError::BadQty)?;
        let sign = if order.side == Side::Sell { "-" } else { "" };
        let id = order.client_order_id;
        let mut body = String::with_capacity(512);
        if let Some((kind, trade_id)) = trade {
            let (word, at) = match kind {
                Kind::TakeProfit => ("TAKE_PROFIT", order.price),
                _ => ("STOP_LOSS", order.stop_price),
            };
            let at = price(at)?;
            let _ = write!(
                body,
                "{{\"order\":{{\"type\":\"{word}\",\"tradeID\":\"{trade_id}\",\"price\":\"{at}\",\"timeInForce\":\"GTC\",\
                 \"clientExtensions\":{{\"id\":\"{id}\"}}}}}}"
            );
            return Ok(body);
        }
        let (word, at, bound) = priced(order)?;
        let fill = if order.terms.reduce_only { "REDUCE_ONLY" } else { "DEFAULT" };
        let _ = write!(
            body,
            "{{\"order\":{{\"type\":\"{word}\",\"instrument\":\"{}\",\"units\":\"{sign}{units}\"",
            grid.symbol
        );
        if let Some(at) = at {
            let _ = write!(body, ",\"price\":\"{}\"", price(at)?);
        }
        if let Some(bound) = bound {
            let _ = write!(body, ",\"priceBound\":\"{}\"", price(bound)?);
        }
        let _ = write!(body, ",\"timeInForce\":\"{}\",\"positionFill\":\"{fill}\"", lasting(order)?);
        for (name, at, places) in [
            ("stopLossOnFill", order.terms.stop_on_fill, 1),
            ("takeProfitOnFill", order.terms.target_on_fill, 2),
        ] {
            if at != Price::ZERO {
                let _ = write!(
                    body,
                    ",\"{name}\":{{\"price\":\"{}\",\"timeInForce\":\"GTC\",\"clientExtensions\":{{\"id\":\"{}\"}}}}",
                    price(at)?,
                    id.after(places)
                );
            }
        }
        let _ = write!(body, ",\"clientExtensions\":{{\"id\":\"{id}\"}}}}}}");
        Ok(body)
    }

    /// A cancel.
    pub fn cancel(&self, spec: Spec) -> Ask {
        Ask { method: Method::Put, path: format!("/orders/{spec}/cancel"), body: String::new() }
    }

    /// The whole account.
    pub fn account(&self) -> Ask {
        Ask::get(String::new())
    }

    /// The account without its lists.
    pub fn summary(&self) -> Ask {
        Ask::get("/summary".to_owned())
    }

    /// One order, in whatever state.
    pub fn details(&self, spec: Spec) -> Ask {
        Ask::get(format!("/orders/{spec}"))
    }

    /// One transaction.
    pub fn transaction(&self, id: u64) -> Ask {
        Ask::get(format!("/transactions/{id}"))
    }

    /// Transactions after this one.
    pub fn since(&self, id: u64) -> Ask {
        Ask::get(format!("/transactions/sinceid?id={id}"))
    }

    /// Transactions from one to another, both with them.
    pub fn range(&self, from: u64, to: u64) -> Ask {
        Ask::get(format!("/transactions/idrange?from={from}&to={to}"))
    }

    /// The request as it goes out. What changes anything is never sent twice.
    pub fn call(&self, tag: u64, ask: Ask) -> Call {
        let header = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        let mut headers =
            vec![header("Authorization", &self.authorization), header("Accept-Datetime-Format", "RFC3339")];
        if !ask.body.is_empty() {
            headers.push(header("Content-Type", "application/json"));
        }
        Call {
            tag,
            method: ask.method,
            path: format!("{}{}", self.base, ask.path),
            headers,
            body: ask.body.into_bytes(),
            is_repeatable: ask.method == Method::Get,
        }
    }
}

/// An encoder by itself, for benches. Its bytes are the whole HTTP request, which carries a token and no signature.
#[cfg(feature = "bench")]
pub fn encoding(settings: &GatewaySettings, instruments: &[GatewayInstrument]) -> Encoding {
    let (encoder, host) = (Encoder::new(settings, instruments), settings.rest.host.clone());
    Box::new(move |id, _, order, sink| {
        let Call { method, path, headers, body, .. } = encoder.call(id, encoder.place(order)?);
        let headers: Vec<(&str, &str)> = headers.iter().map(|(name, value)| (&**name, &**value)).collect();
        let bytes =
            encode_request(method, &host, &path, &headers, &body).map_err(|_| SendError::Unsupported)?;
        sink(&bytes);
        Ok(())
    })
}

/// The venue's type, its price and the worst price it may fill at. A stop is bounded by its limit: where the market jumps
/// over it, it is cancelled and told as expired. A target that waits for a trigger is touched from the other side.
fn priced(order: &NewOrder) -> Result<(&'static str, Option<Price>, Option<Price>), SendError> {
    match order.kind {
        OrderKind::Market => Ok(("MARKET", None, None)),
        OrderKind::Limit => Ok(("LIMIT", Some(order.price), None)),
        OrderKind::StopLimit => {
            let is_worse = match order.side {
                Side::Buy => order.price >= order.stop_price,
                Side::Sell => order.price <= order.stop_price,
            };
            let word = if order.purpose == Purpose::Target { "MARKET_IF_TOUCHED" } else { "STOP" };
            if !is_worse {
                return Err(SendError::BadPrice);
            }
            Ok((word, Some(order.stop_price), Some(order.price)))
        }
        // The venue deals itself: nobody makes.
        OrderKind::LimitMaker => Err(SendError::Unsupported),
    }
}

fn lasting(order: &NewOrder) -> Result<&'static str, SendError> {
    match (order.kind, order.time_in_force) {
        (OrderKind::Market, TimeInForce::Ioc) => Ok("IOC"),
        (OrderKind::Market, _) => Ok("FOK"),
        (OrderKind::StopLimit, TimeInForce::Gtc) | (_, TimeInForce::Gtc) => Ok("GTC"),
        (OrderKind::StopLimit, _) if order.purpose == Purpose::Target => Err(SendError::Unsupported),
        (_, TimeInForce::Ioc) => Ok("IOC"),
        (_, TimeInForce::Fok) => Ok("FOK"),
    }
}

/// A positive number with exactly so many decimals; none where it is not positive or finer.
fn fixed(value: i64, decimals: u32) -> Option<String> {
    let unit = 10i64.checked_pow(8u32.checked_sub(decimals)?)?;
    if value <= 0 || value % unit != 0 {
        return None;
    }
    let (whole, fraction) = (value / SCALE, value % SCALE / unit);
    Some(match decimals {
        0 => whole.to_string(),
        _ => format!("{whole}.{fraction:0width$}", width = decimals as usize),
    })
}

/// Decimals that every multiple of `step` (1e-8 units) can be written with.
fn decimals(mut step: i64) -> u32 {
    let mut decimals = 8;
    while decimals > 0 && step % 10 == 0 {
        step /= 10;
        decimals -= 1;
    }
    decimals
}

/// Units with their sign, of an order or a position.
pub(super) const fn side_of(units: Qty) -> Side {
    if units.0 < 0 { Side::Sell } else { Side::Buy }
}
