//! Bybit's words for what a fault needs: what a text is, how the venue refuses; and its truth.
//!
//! The venue announces no end of a session: what it ends is closed.

use super::Venue;
use super::ledger::Record;
use super::limits::Usage;
use super::orders::Action;
use super::params::Params;
use super::refusal::Refusal;
use super::rest::envelope;
use super::session::Lane as Purpose;
use super::trade::{Sender, action, brief};
use super::words::{Category, scatter};
use crate::dialect::deed::{self, Deed, HandOrder};
use crate::dialect::{
    Asked, ConnId, Farewell, Frame, HttpRequest, Lane, Request, Said, Trouble, Truth, answer,
};
use serde::Deserialize;
use serde_json::value::RawValue;
use smc_core::instrument::ContractKind;
use smc_core::{Price, Side};

/// The topic whose numbers the truth about a book has.
const TRUE_DEPTH: u16 = 50;

/// What orders over a WebSocket are asked with, as far as faults look.
#[derive(Deserialize)]
struct Call<'a> {
    #[serde(rename = "reqId")]
    req_id: Option<String>,
    op: Option<String>,
    #[serde(borrow)]
    args: Option<&'a RawValue>,
}

/// Whom a path serves.
pub(super) fn lane(target: &str) -> Lane {
    if target.starts_with("/v5/public/") { Lane::Market } else { Lane::Orders }
}

/// What a text of the venue is; it writes its own texts, so their first bytes tell.
pub(super) fn said(text: &str) -> Said {
    // Private messages begin with their number or their topic, public ones with their topic, answers with neither.
    let head = text.get(..text.find("\"data\":").unwrap_or(text.len())).unwrap_or(text);
    let topic = head.split_once("\"topic\":\"").map(|(_, rest)| rest.split(['"', '.']).next().unwrap_or(""));
    match topic {
        Some("order" | "execution") => Said::Report,
        Some("position" | "wallet" | "dcp") => Said::Account,
        Some(_) => Said::Market,
        None => Said::Answer,
    }
}

/// What a request of a client is for.
pub(super) fn asked(request: Request<'_>) -> Asked {
    let word = match request {
        Request::Text(text) => text.split_once("\"order.").map(|(_, rest)| rest),
        Request::Http(http) => http.target.strip_prefix("/v5/order/"),
    };
    let word =
        word.map(|rest| rest.split(|c: char| !(c.is_ascii_alphabetic() || c == '-')).next().unwrap_or(""));
    match word {
        Some("create" | "create-batch") => Asked::Place,
        Some("cancel" | "cancel-batch" | "cancel-all") => Asked::Cancel,
        _ => Asked::Other,
    }
}

/// Whether a request asks for the book.
pub(super) fn is_snapshot(request: &HttpRequest) -> bool {
    request.method == "GET" && request.target.starts_with("/v5/market/orderbook?")
}

/// The code and the text of a trouble. 418 stands for the address being shut out.
fn refusal(trouble: Trouble) -> Refusal {
    match trouble.status {
        429 => Refusal::RATE,
        418 | 403 => Refusal::new(10403, "Access too frequent."),
        408 => Refusal::new(10000, "Server Timeout"),
        _ => Refusal::INTERNAL,
    }
}

impl Venue {
    /// The refusal of an order request. Market data and private topics know no such thing: they stay silent.
    pub(super) fn refusal_of(&self, conn: ConnId, text: &str, trouble: Trouble) -> Option<String> {
        let session = self.sessions.get(&conn).filter(|session| session.lane == Purpose::Trade)?;
        let call: Call<'_> = serde_json::from_str(text).ok()?;
        let (id, op) = (call.req_id.as_deref(), call.op.as_deref().unwrap_or(""));
        let refusal = refusal(trouble);
        if action(op).is_none() {
            return Some(brief(id, Err(&refusal), op, &session.conn_id));
        }
        let now_ms = self.now.as_ms();
        let usage = trouble.retry_at_ms.map(|reset_ms| Usage { limit: 10, left: 0, reset_ms });
        let sender = Sender { id, op, conn_id: &session.conn_id, now_ms, trace: scatter(self.now.0) };
        Some(sender.whole(usage, Err(refusal)))
    }

    /// The refusal of a REST request: what concerns a user comes with HTTP 200.
    pub(super) fn http_refusal_of(&self, trouble: Trouble) -> Vec<u8> {
        let status = match trouble.status {
            429 | 408 => 200,
            418 => 403,
            other => other,
        };
        let usage = trouble.retry_at_ms.filter(|_| trouble.status == 429);
        let head = usage.map(|reset_ms| Usage { limit: 10, left: 0, reset_ms }.head()).unwrap_or_default();
        let refusal = match trouble.status {
            418 | 403 => Refusal::SHUT_OUT,
            _ => refusal(trouble),
        };
        answer(status, &head, &envelope(&Err(refusal), self.now.as_ms()))
    }

    /// Ends a connection, without a word; only those with an account are logged out.
    pub(super) fn say_farewell(&mut self, conn: ConnId, farewell: Farewell) -> bool {
        let Some(session) = self.sessions.get(&conn) else { return false };
        if farewell == Farewell::LoggedOut && session.account.is_none() {
            return false;
        }
        self.send(conn, Frame::Close);
        true
    }

    /// Does a deed; the connections of a key that is withdrawn are closed.
    pub(super) fn do_deed(&mut self, deed: &Deed) -> bool {
        match deed {
            Deed::Key { is_good } => {
                self.keys.is_withdrawn = !is_good;
                let has_account =
                    |(_, session): &(&ConnId, &super::session::Session)| session.account.is_some();
                let conns: Vec<ConnId> = self
                    .sessions
                    .iter()
                    .filter(has_account)
                    .map(|(conn, _)| *conn)
                    .filter(|_| !is_good)
                    .collect();
                conns.into_iter().for_each(|conn| self.send(conn, Frame::Close));
                true
            }
            Deed::Order(order) => self.place_by_hand(order).is_some(),
            _ => deed::stage(&mut self.exchange, deed),
        }
    }

    fn place_by_hand(&mut self, order: &HandOrder) -> Option<u64> {
        let market = deed::market_of(&self.exchange, order.kind)?;
        let price = deed::price_of(&self.exchange, market, order)?;
        let symbol = self.exchange.market(market)?.info.spec.symbol;
        let category = if order.kind == ContractKind::Spot { Category::Spot } else { Category::Linear };
        let (word, at) = match price {
            Price::ZERO => ("Market", String::new()),
            price => ("Limit", format!(r#","price":"{price}""#)),
        };
        let side = if order.side == Side::Buy { "Buy" } else { "Sell" };
        let text = format!(
            r#"{{"category":"{}","symbol":"{}","side":"{side}","orderType":"{word}","qty":"{}"{at},"marketUnit":"baseCoin","orderLinkId":"{}"}}"#,
            category.word(),
            symbol.as_str(),
            order.qty,
            order.name
        );
        self.place(0, &Params::from_json(&text).ok()?).ok()
    }

    /// Fills a part of a resting order at its own price: of the one that a cancel names, or of any.
    pub(super) fn fill_one(&mut self, cancel: Option<Request<'_>>, share_ppm: u32) -> bool {
        let id = cancel.map(|request| self.named_by(request).map(|record| record.order.id));
        let is_filled = id != Some(None) && self.exchange.fill_share(id.flatten(), share_ppm);
        self.publish();
        is_filled
    }

    /// The order that a cancel request names, whoever sent it.
    fn named_by(&self, request: Request<'_>) -> Option<&Record> {
        let params = match request {
            Request::Http(http) => Params::from_json(&http.body).ok()?,
            Request::Text(text) => {
                let call: Call<'_> = serde_json::from_str(text).ok()?;
                if action(call.op.as_deref()?) != Some((Action::Cancel, false)) {
                    return None;
                }
                let args: Vec<&RawValue> = serde_json::from_str(call.args?.get()).ok()?;
                Params::from_json(args.first()?.get()).ok()?
            }
        };
        let category = params.category().ok()?;
        self.keys.accounts().find_map(|account| self.named(account, category, &params).ok()?)
    }

    /// What is so, under the names that clients read.
    pub(super) fn truth_of(&self, account: usize) -> Truth {
        let mut truth = Truth::of(&self.exchange, account);
        for order in &mut truth.orders {
            let Some(record) = self.ledger.get(order.venue_order_id) else { continue };
            order.venue_order_name.clone_from(&record.order_id);
            order.client_order_id.clone_from(&record.link_id);
        }
        // The numbers of a book are a topic's own.
        for (book, feed) in truth.books.iter_mut().zip(&self.feeds) {
            book.update_id = feed.number_of(TRUE_DEPTH, book.update_id);
        }
        for trade in &mut truth.trades {
            let category = if trade.kind == ContractKind::Spot { Category::Spot } else { Category::Linear };
            let symbol = self.symbol_index(category, trade.symbol.as_str()).unwrap_or(usize::MAX);
            let is_it = |executed: &&super::ledger::Executed| {
                executed.order.symbol == symbol
                    && executed.order.id == trade.venue_order_id
                    && executed.fill.trade_id == trade.trade_id
            };
            if let Some(executed) = self.ledger.executions(account).find(is_it) {
                trade.trade_name.clone_from(&executed.exec_id);
            }
        }
        truth
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_tells_what_it_is() {
        let said_of = [
            (r#"{"id":"1_order_0","topic":"order","creationTime":1,"data":[]}"#, Said::Report),
            (r#"{"topic":"execution.fast","creationTime":1,"data":[]}"#, Said::Report),
            (r#"{"id":"1_order_0","topic":"order.linear","creationTime":1,"data":[]}"#, Said::Report),
            (r#"{"id":"1_wallet_0","topic":"wallet","creationTime":1,"data":[]}"#, Said::Account),
            (r#"{"topic":"orderbook.50.BTCUSDT","type":"delta","ts":1,"data":{}}"#, Said::Market),
            (r#"{"success":true,"ret_msg":"","op":"auth","conn_id":"x"}"#, Said::Answer),
            (r#"{"reqId":"7","retCode":0,"retMsg":"OK","op":"order.create","data":{}}"#, Said::Answer),
        ];
        for (text, expected) in said_of {
            assert_eq!(said(text), expected, "{text}");
        }
        let text = |op: &str| asked(Request::Text(&format!(r#"{{"reqId":"1","op":"{op}","args":[]}}"#)));
        assert_eq!(
            [text("order.create"), text("order.cancel"), text("order.amend"), text("ping")],
            [Asked::Place, Asked::Cancel, Asked::Other, Asked::Other]
        );
        assert_eq!(lane("/v5/public/linear"), Lane::Market);
        assert_eq!(lane("/v5/trade?max_active_time=30s"), Lane::Orders);
    }
}
