//! Binance spot's words for what a fault needs: what a text is, how the venue refuses and says goodbye.

use super::Venue;
use super::api::{envelope, error_text};
use super::params::Params;
use crate::dialect::deed::{self, Deed};
use crate::dialect::{Asked, ConnId, Farewell, Frame, HttpRequest, Lane, Request, Said, Trouble, answer};
use crate::exchange::Exchange;
use crate::exchange::order::Order;
use crate::exchange::reject::Reject;
use serde::Deserialize;
use serde_json::value::RawValue;
use smc_core::TsNs;
use std::borrow::Cow;

#[derive(Deserialize)]
struct Call<'a> {
    #[serde(borrow)]
    id: Option<&'a RawValue>,
    #[serde(borrow)]
    params: Option<&'a RawValue>,
}

/// Whom a path serves.
pub(super) fn lane(target: &str) -> Lane {
    if target.starts_with("/ws-api/") { Lane::Orders } else { Lane::Market }
}

/// What a text of the venue is; it writes its own texts, so their first bytes tell.
pub(super) fn said(text: &str) -> Said {
    let is_private = text.starts_with("{\"subscriptionId\":");
    if is_private && text.contains("\"e\":\"executionReport\"") {
        Said::Report
    } else if is_private {
        Said::Account
    } else if ["{\"id\":", "{\"result\":", "{\"error\":", "{\"code\":"]
        .iter()
        .any(|head| text.starts_with(head))
    {
        Said::Answer
    } else {
        Said::Market
    }
}

/// What a request of a client is for; spot and futures ask alike.
pub fn asked(request: Request<'_>) -> Asked {
    let ends = |http: &HttpRequest, with: [&str; 2]| {
        let path = http.target.split('?').next().unwrap_or("");
        with.into_iter().any(|end| path.ends_with(end))
    };
    match request {
        Request::Text(text) if text.contains("\"order.place\"") => Asked::Place,
        Request::Text(text) if text.contains("\"orderList.place.oco\"") => Asked::Place,
        Request::Text(text) if text.contains("\"order.cancel\"") => Asked::Cancel,
        Request::Text(text) if text.contains("\"orderList.cancel\"") => Asked::Cancel,
        Request::Http(http) if http.method == "POST" && ends(http, ["/order", "/orderList/oco"]) => {
            Asked::Place
        }
        Request::Http(http) if http.method == "DELETE" && ends(http, ["/order", "/orderList"]) => {
            Asked::Cancel
        }
        _ => Asked::Other,
    }
}

/// Whether a request asks for the book.
pub(super) fn is_snapshot(request: &HttpRequest) -> bool {
    request.method == "GET" && request.target.starts_with("/api/v3/depth?")
}

/// The venue's code and message for a status.
pub fn reject(trouble: Trouble) -> Reject {
    let (code, msg) = match trouble.status {
        429 => (
            -1003,
            "Too many requests; please use WebSocket Streams for live updates to avoid polling the API.",
        ),
        418 => (-1003, "Way too much request weight used; IP banned."),
        403 => (0, "Forbidden by the firewall."),
        408 => (
            -1007,
            "Timeout waiting for response from backend server. Send status unknown; execution status unknown.",
        ),
        // On futures the words that follow below promise that nothing was done.
        _ if trouble.is_done => (-1000, "Unknown error, please check your request or try again later."),
        _ => (-1001, "Internal error; unable to process your request. Please try again."),
    };
    Reject {
        code,
        msg: Cow::Borrowed(msg),
        status: trouble.status,
        retry_after_ms: trouble.retry_at_ms,
        data: None,
    }
}

/// The refusal of a WebSocket API request. Streams know no such thing: they stay silent.
pub fn text_refusal(text: &str, trouble: Trouble, now: TsNs) -> Option<String> {
    let call: Call<'_> = serde_json::from_str(text).ok()?;
    Some(envelope(call.id?.get(), Err(&reject(trouble)), None, now))
}

/// The refusal of a REST request.
pub fn http_refusal(trouble: Trouble, now: TsNs) -> Vec<u8> {
    answer(trouble.status, &trouble.retry_after(now), &error_text(&reject(trouble), now))
}

impl Venue {
    /// Queues what the venue says before it ends a subscription or a connection.
    pub(super) fn say_farewell(&mut self, conn: ConnId, farewell: Farewell) -> bool {
        let now_ms = self.now.as_ms();
        match farewell {
            Farewell::LoggedOut => {
                let Some(session) = self.api_sessions.get_mut(&conn) else { return false };
                let ended = session.end_subscriptions();
                for id in &ended {
                    let text = format!(
                        "{{\"subscriptionId\":{id},\"event\":{{\"e\":\"eventStreamTerminated\",\"E\":{now_ms}}}}}"
                    );
                    self.send(conn, Frame::Text(text));
                }
                !ended.is_empty()
            }
            Farewell::Shutdown => {
                let event = format!("{{\"e\":\"serverShutdown\",\"E\":{now_ms}}}");
                if self.api_sessions.contains_key(&conn) {
                    self.send(conn, Frame::Text(format!("{{\"event\":{event}}}")));
                } else if let Some(session) = self.stream_sessions.get(&conn) {
                    let text = session.wrap("!serverShutdown", &event);
                    self.send(conn, Frame::Text(text));
                } else {
                    return false;
                }
                true
            }
        }
    }

    /// Does a deed; the connections of a key that is withdrawn are closed.
    pub(super) fn do_deed(&mut self, deed: &Deed) -> bool {
        if matches!(deed, Deed::Revision) {
            let Some(event) = self.feeds.first().and_then(|feed| feed.revision(self.now)) else {
                return false;
            };
            self.route(0, vec![event]);
            return true;
        }
        let Deed::Key { is_good } = deed else { return deed::stage(&mut self.exchange, deed) };
        self.keys.is_withdrawn = !is_good;
        let conns: Vec<ConnId> = self.api_sessions.keys().copied().filter(|_| !is_good).collect();
        conns.into_iter().for_each(|conn| self.send(conn, Frame::Close));
        true
    }

    /// Fills a part of a resting order at its own price.
    pub(super) fn fill_one(&mut self, cancel: Option<Request<'_>>, share_ppm: u32) -> bool {
        let is_filled = fill_one(&mut self.exchange, cancel, share_ppm);
        self.publish();
        is_filled
    }
}

/// Fills a part of the resting order that a cancel names, or of any.
pub fn fill_one(exchange: &mut Exchange, cancel: Option<Request<'_>>, share_ppm: u32) -> bool {
    match cancel {
        None => exchange.fill_share(None, share_ppm),
        Some(request) => {
            let id = named_by(exchange, request);
            id.is_some() && exchange.fill_share(id, share_ppm)
        }
    }
}

/// The resting order that a cancel request names, or the one that rests beside it in its list; whoever sent it.
fn named_by(exchange: &Exchange, request: Request<'_>) -> Option<u64> {
    let params = match request {
        Request::Text(text) => Params::from_json(serde_json::from_str::<Call<'_>>(text).ok()?.params).ok()?,
        Request::Http(http) => {
            let query = http.target.split_once('?').map_or("", |(_, query)| query);
            Params::from_query(query).ok()?.or(Params::from_query(&http.body).ok()?)
        }
    };
    let (id, name) = (params.whole("orderId").ok()?, params.get("origClientOrderId"));
    let is_named = |order: &&Order| match id {
        Some(id) => order.id == id,
        None => name.is_some_and(|name| order.client_order_id == name),
    };
    let named = exchange.orders().filter(|order| order.status.is_open()).find(is_named)?.id;
    let beside = exchange.working_of_list(named);
    exchange.resting().map(|order| order.id).find(|id| *id == named || beside.contains(id))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Futures promise by these words that nothing was done.
    #[test]
    fn what_was_done_is_not_denied() {
        for status in [503, 408] {
            let msg = |is_done| reject(Trouble { status, retry_at_ms: None, is_done }).msg;
            for denial in ["Internal error; unable to process", "Service Unavailable"] {
                assert!(!msg(true).starts_with(denial), "{status}: {}", msg(true));
            }
            assert_eq!(msg(false).starts_with("Internal error; unable to process"), status == 503);
        }
    }

    #[test]
    fn the_first_bytes_of_a_text_tell_what_it_is() {
        let said_of = [
            ("{\"id\":7,\"status\":200,\"result\":{}}", Said::Answer),
            ("{\"result\":null,\"id\":1}", Said::Answer),
            ("{\"error\":{\"code\":2,\"msg\":\"x\"},\"id\":1}", Said::Answer),
            ("{\"subscriptionId\":0,\"event\":{\"e\":\"executionReport\",\"E\":1}}", Said::Report),
            ("{\"subscriptionId\":0,\"event\":{\"e\":\"outboundAccountPosition\"}}", Said::Account),
            ("{\"stream\":\"btcusdt@trade\",\"data\":{}}", Said::Market),
            ("{\"e\":\"trade\"}", Said::Market),
        ];
        for (text, expected) in said_of {
            assert_eq!(said(text), expected, "{text}");
        }
        assert_eq!(asked(Request::Text("{\"id\":1,\"method\":\"order.place\"}")), Asked::Place);
        assert_eq!(asked(Request::Text("{\"id\":1,\"method\":\"order.cancel\"}")), Asked::Cancel);
        assert_eq!(asked(Request::Text("{\"id\":1,\"method\":\"time\"}")), Asked::Other);
        let http = |method: &str, target: &str| {
            let (method, target) = (method.to_owned(), target.to_owned());
            asked(Request::Http(&HttpRequest { method, target, ..HttpRequest::default() }))
        };
        assert_eq!(http("DELETE", "/api/v3/order?symbol=BTCUSDT&orderId=7"), Asked::Cancel);
        assert_eq!(http("POST", "/fapi/v1/order"), Asked::Place);
        assert_eq!(http("POST", "/api/v3/orderList/oco?symbol=BTCUSDT"), Asked::Place);
        assert_eq!(http("DELETE", "/api/v3/orderList?orderListId=7"), Asked::Cancel);
        assert_eq!(http("GET", "/api/v3/orderList?orderListId=7"), Asked::Other);
        assert_eq!(asked(Request::Text("{\"id\":1,\"method\":\"orderList.place.oco\"}")), Asked::Place);
        assert_eq!(http("GET", "/api/v3/order?symbol=BTCUSDT&orderId=7"), Asked::Other);
        assert_eq!(lane("/ws-api/v3"), Lane::Orders);
        assert_eq!(lane("/stream?timeUnit=MICROSECOND"), Lane::Market);
    }
}
