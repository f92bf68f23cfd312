//! Oanda's words for what a fault needs: what a line is, how the venue refuses; and its truth.
//!
//! The venue announces no end of a stream: it is closed. It has no word for an address that is shut out but too many requests.

use super::Oanda;
use super::account::Account;
use super::order::Order;
use super::orders::Room;
use super::refusal::Answer;
use super::streams::Stream;
use super::terms::{Kind, Trigger};
use super::triggers;
use crate::dialect::deed::{Deed, HandOrder};
use crate::dialect::{
    Asked, ConnId, Farewell, Frame, HttpRequest, Lane, Request, Said, Trouble, TrueBalance, TrueBook,
    TrueOrder, TruePosition, TrueTrade, Truth, answer,
};
use crate::market::fx::{FxLevel, FxQuote, LEVELS};
use serde_json::json;
use smc_core::instrument::ContractKind;
use smc_core::words::Name;
use smc_core::{Money, Price, Qty, Side};

/// What a line of a stream is.
pub(super) fn said(line: &str) -> Said {
    // The venue writes its own lines: a transaction names its account, whatever a client has written in it.
    let is_beat = line.contains("\"type\":\"HEARTBEAT\"");
    if is_beat && line.contains("\"lastTransactionID\":") {
        Said::Account
    } else if is_beat || !line.contains("\"accountID\":") {
        Said::Market
    } else {
        Said::Report
    }
}

/// What a request of a client is for. Closing a trade or a position is an order too.
pub(super) fn asked(request: Request<'_>) -> Asked {
    let Request::Http(http) = request else { return Asked::Other };
    match (http.method.as_str(), below(http).as_slice()) {
        ("POST", ["orders"]) | ("PUT", ["trades" | "positions", _, "close"]) => Asked::Place,
        ("PUT", ["orders", _, "cancel"]) => Asked::Cancel,
        _ => Asked::Other,
    }
}

/// Whether a request asks for prices.
pub(super) fn is_snapshot(request: &HttpRequest) -> bool {
    request.method == "GET" && below(request) == ["pricing"]
}

/// The parts of a path below an account.
fn below(request: &HttpRequest) -> Vec<&str> {
    let path = request.target.split('?').next().unwrap_or("");
    path.split('/').filter(|part| !part.is_empty()).skip(3).collect()
}

/// The refusal of a request.
pub(super) fn http_refusal(trouble: Trouble) -> Vec<u8> {
    let (status, sentence) = match trouble.status {
        429 | 418 => (429, "Too many requests"),
        403 => (403, "The provided request was forbidden."),
        408 => (504, "Gateway Timeout"),
        other => (other, "Service Unavailable"),
    };
    let refusal = Answer::sentence(status, sentence);
    answer(status, "", &refusal.body)
}

impl Oanda {
    /// Ends a stream, without a word; only that of transactions is an account's.
    pub(super) fn say_farewell(&mut self, conn: ConnId, farewell: Farewell) -> bool {
        let Some(lane) = self.streams.get(&conn).map(Stream::lane) else { return false };
        if farewell == Farewell::LoggedOut && lane == Lane::Market {
            return false;
        }
        self.send(conn, Frame::Close);
        true
    }

    /// Does a deed; streams of a token that is withdrawn are closed.
    pub(super) fn do_deed(&mut self, deed: &Deed) -> bool {
        let is_done = match deed {
            Deed::Order(order) => self.place_by_hand(order).is_some(),
            Deed::Key { is_good } => {
                self.is_withdrawn = !is_good;
                let conns: Vec<ConnId> = self.streams.keys().copied().filter(|_| !is_good).collect();
                conns.into_iter().for_each(|conn| self.send(conn, Frame::Close));
                true
            }
            // Money, rules and leverage are changed by the venue's own people alone, or by requests; no stream has candles.
            Deed::Transfer { .. } | Deed::Rules { .. } | Deed::Leverage { .. } | Deed::Revision => false,
        };
        self.tell();
        is_done
    }

    fn place_by_hand(&mut self, order: &HandOrder) -> Option<u64> {
        let quote = *self.market.quote(0);
        let rules = self.market.rules(0);
        let best = if order.side == Side::Buy { quote.bid() } else { quote.ask() };
        let units = Qty(order.qty.0 * order.side.sign()).to_string();
        let (name, instrument) = (&order.name, rules.name.as_str());
        let body = match order.price(best, Price(1_000)) {
            None => json!({"type": "MARKET", "instrument": instrument, "units": units,
                "clientExtensions": {"id": name}}),
            Some(price) => json!({"type": "LIMIT", "instrument": instrument, "units": units,
                "price": price.to_string(), "clientExtensions": {"id": name}}),
        };
        let account = self.accounts.first_mut()?;
        account.begin(self.now, None);
        let mut room = Room { account, market: &mut self.market, limits: &self.limits };
        room.create(&json!({ "order": body })).ok()?.1
    }

    /// Lets the dealer deal for an instant at the price of a waiting order: of the one that a cancel names, or of any
    /// limit order. Orders that may be filled in part find a share of their units there.
    pub(super) fn fill_one(&mut self, cancel: Option<Request<'_>>, share_ppm: u32) -> bool {
        let named = match cancel {
            None => self.any_limit(),
            Some(request) => self.named_by(request),
        };
        let Some((account, id)) = named else { return false };
        let Some(quote) = self.tempting(account, id, share_ppm) else { return false };
        let Some(before) = self.market.swap_quote(quote) else { return false };
        let is_filled = self
            .accounts
            .get_mut(account)
            .is_some_and(|account| triggers::tempt(account, &mut self.market, &self.limits, id, self.now));
        self.market.swap_quote(before);
        self.tell();
        is_filled
    }

    /// The first limit order that waits, and whose.
    fn any_limit(&self) -> Option<(usize, u64)> {
        let first =
            |account: &Account| account.pending_orders().find(|it| it.kind == Kind::Limit).map(|it| it.id);
        self.accounts.iter().enumerate().find_map(|(index, account)| Some((index, first(account)?)))
    }

    /// The waiting order that a cancel request names, and whose.
    fn named_by(&self, request: Request<'_>) -> Option<(usize, u64)> {
        let Request::Http(http) = request else { return None };
        let (parts, _) = super::query::split(&http.target)?;
        let [_, _, owner, _, specifier, _] = parts.as_slice() else { return None };
        let index = self.accounts.iter().position(|account| account.id == *owner)?;
        let account = self.accounts.get(index)?;
        let id = account.find_order(specifier).filter(|id| account.pending.contains(id))?;
        Some((index, id))
    }

    /// A quote that triggers a waiting order, the spread as it is.
    fn tempting(&self, account: usize, id: u64, share_ppm: u32) -> Option<FxQuote> {
        let account = self.accounts.get(account)?;
        let order = account.orders.get(&id).filter(|order| order.trigger == Trigger::Default)?;
        let level = if order.kind == Kind::Trailing { order.trailing_value } else { order.price }?;
        let units = wanted(account, order);
        let quote = *self.market.quote(order.instrument);
        if units == 0 || !quote.is_tradeable {
            return None;
        }
        let by = level - if units > 0 { quote.ask().0 } else { quote.bid().0 };
        let moved = |level: FxLevel| FxLevel { price: Price(level.price.0 + by), units: level.units };
        let mut quote = FxQuote {
            bids: quote.bids.map(moved),
            asks: quote.asks.map(moved),
            closeout_bid: Price(quote.closeout_bid.0 + by),
            closeout_ask: Price(quote.closeout_ask.0 + by),
            ..quote
        };
        let mut ladder = [FxLevel::default(); LEVELS];
        let dealt = match order.kind {
            Kind::Limit => share(units.abs(), share_ppm, self.market.rules(order.instrument).units_min),
            _ => units.abs(),
        };
        *ladder.first_mut()? = FxLevel { price: Price(level), units: Qty(dealt) };
        *(if units > 0 { &mut quote.asks } else { &mut quote.bids }) = ladder;
        Some(quote)
    }

    /// What is so.
    pub(super) fn truth_of(&self, account: usize) -> Truth {
        let books = (0..self.market.len()).map(|index| self.book(index)).collect();
        let Some(account) = self.accounts.get(account) else { return Truth { books, ..Truth::default() } };
        let symbol = |instrument: usize| self.market.rules(instrument).name;
        let home = Name::new(&account.currency).unwrap_or_default();
        let orders = account.orders.values().map(|order| {
            let units =
                if order.filled != 0 && order.units == 0 { order.filled } else { wanted(account, order) };
            TrueOrder {
                venue_order_id: order.id,
                venue_order_name: order.id.to_string(),
                client_order_id: order.client.id.clone(),
                symbol: symbol(order.instrument),
                kind: ContractKind::Fx,
                side: side(units),
                price: Price(order.price.unwrap_or(0)),
                qty: Qty(units.saturating_abs()),
                filled_qty: Qty(order.filled.saturating_abs()),
                is_open: order.is_pending(),
                list: None,
            }
        });
        let trades = account.fills.iter().map(|fill| TrueTrade {
            trade_id: fill.id,
            trade_name: fill.id.to_string(),
            symbol: symbol(fill.instrument),
            kind: ContractKind::Fx,
            venue_order_id: fill.order,
            side: side(fill.units),
            price: Price(fill.price),
            qty: Qty(fill.units.saturating_abs()),
            fee: Money::ZERO,
            fee_asset: home,
            at: fill.at,
        });
        let cash = TrueBalance { asset: home, free: Qty(account.balance), locked: Qty::ZERO };
        Truth {
            orders: orders.collect(),
            trades: trades.collect(),
            balances: vec![cash],
            positions: self.positions(account),
            books,
        }
    }

    /// Both sides of each instrument ever traded where the account may hold both; else what it nets to.
    fn positions(&self, account: &Account) -> Vec<TruePosition> {
        let mut all = Vec::new();
        for (instrument, earned) in &account.earned {
            let held = |is_long: bool| {
                let mine = account.open_trades().filter(|it| it.instrument == *instrument);
                let of_side = mine.filter(move |trade| (trade.units > 0) == is_long);
                of_side.fold((0_i64, 0_i128), |(units, cost), trade| {
                    (units + trade.units, cost + i128::from(trade.units) * i128::from(trade.price))
                })
            };
            let position = |(units, cost): (i64, i128), realised: i64| TruePosition {
                symbol: self.market.rules(*instrument).name,
                kind: ContractKind::Fx,
                qty: Qty(units),
                entry_price: Price(
                    cost.checked_div(i128::from(units)).and_then(|it| i64::try_from(it).ok()).unwrap_or(0),
                ),
                realised: Money(realised),
            };
            let (long, short, [gains, losses]) = (held(true), held(false), *earned);
            if account.is_hedging {
                all.extend([position(long, gains.pl), position(short, losses.pl)]);
            } else {
                all.push(position((long.0 + short.0, long.1 + short.1), gains.pl + losses.pl));
            }
        }
        all
    }

    /// The dealer's ladder, less what clients took of it.
    fn book(&self, instrument: usize) -> TrueBook {
        let quote = self.market.quote(instrument);
        let side = |levels: &[FxLevel]| {
            levels.iter().filter(|level| level.units.0 > 0).map(|level| (level.price, level.units)).collect()
        };
        TrueBook {
            symbol: self.market.rules(instrument).name,
            kind: ContractKind::Fx,
            update_id: quote.at.0,
            bids: side(&quote.bids),
            asks: side(&quote.asks),
        }
    }
}

fn side(units: i64) -> Side {
    if units < 0 { Side::Sell } else { Side::Buy }
}

/// Signed units that an order would deal now.
fn wanted(account: &Account, order: &Order) -> i64 {
    let held = order.trade.and_then(|id| account.trades.get(&id)).map_or(0, |trade| trade.units);
    if order.kind.is_for_trade() { -held } else { order.units }
}

/// A share of units: at least one of the smallest, at most all.
fn share(units: i64, share_ppm: u32, unit: i64) -> i64 {
    let share = i128::from(units) * i128::from(share_ppm.min(1_000_000)) / 1_000_000;
    let share = i64::try_from(share).unwrap_or(units);
    (share - share % unit.max(1)).max(unit).min(units)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_and_requests_tell_what_they_are() {
        let said_of = [
            (r#"{"type":"HEARTBEAT","time":"x"}"#, Said::Market),
            (r#"{"type":"PRICE","time":"x","bids":[]}"#, Said::Market),
            (r#"{"type":"HEARTBEAT","lastTransactionID":"7","time":"x"}"#, Said::Account),
            (r#"{"id":"7","accountID":"101-004-1234567-001","type":"ORDER_FILL"}"#, Said::Report),
        ];
        for (line, expected) in said_of {
            assert_eq!(said(line), expected, "{line}");
        }
        let ask = |method: &str, path: &str| {
            let target = format!("/v3/accounts/101-004-1234567-001{path}");
            HttpRequest { method: method.to_owned(), target, ..HttpRequest::default() }
        };
        assert_eq!(asked(Request::Http(&ask("POST", "/orders"))), Asked::Place);
        assert_eq!(asked(Request::Http(&ask("PUT", "/orders/@mine/cancel"))), Asked::Cancel);
        assert_eq!(asked(Request::Http(&ask("GET", "/orders"))), Asked::Other);
        assert!(is_snapshot(&ask("GET", "/pricing?instruments=EUR_USD")));
        assert!(!is_snapshot(&ask("GET", "/pricing/stream?instruments=EUR_USD")));
    }

    #[test]
    fn a_share_is_whole_units_and_never_nothing() {
        assert_eq!(share(1_000, 500_000, 100), 500);
        assert_eq!(share(1_000, 1, 100), 100);
        assert_eq!(share(1_000, 1_000_000, 100), 1_000);
        assert_eq!(share(50, 500_000, 100), 50);
    }
}
