//! Binance spot's words for what a fault needs: what a text is, how the venue refuses and says goodbye.

use super::Venue;
use super::api::{envelope, error_text};
use super::params::Params;
use crate::dialect::{Asked, ConnId, Farewell, Frame, HttpRequest, Lane, Said, Trouble, answer};
use crate::exchange::Exchange;
use crate::exchange::order::Order;
use crate::exchange::reject::Reject;
use serde::Deserialize;
use serde_json::value::RawValue;
use std::borrow::Cow;

#[derive(Deserialize)]
struct Request<'a> {
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

/// What a text of a client asks for.
pub(super) fn asked(text: &str) -> Asked {
    if text.contains("\"order.place\"") {
        Asked::Place
    } else if text.contains("\"order.cancel\"") {
        Asked::Cancel
    } else {
        Asked::Other
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
        _ => (-1001, "Internal error; unable to process your request. Please try again."),
    };
    Reject { code, msg: Cow::Borrowed(msg), status: trouble.status, retry_after_ms: trouble.retry_at_ms }
}

impl Venue {
    /// The refusal of a WebSocket API request. The market streams know no such thing: they stay silent.
    pub(super) fn refusal_of(&self, text: &str, trouble: Trouble) -> Option<String> {
        let request: Request<'_> = serde_json::from_str(text).ok()?;
        let id = request.id?.get();
        Some(envelope(id, Err(&reject(trouble)), None, self.now))
    }

    /// The refusal of a REST request.
    pub(super) fn http_refusal_of(&self, trouble: Trouble) -> Vec<u8> {
        let seconds = |ms: u64| ms.saturating_sub(self.now.as_ms()).div_ceil(1_000);
        let head =
            trouble.retry_at_ms.map_or_else(String::new, |ms| format!("Retry-After: {}\r\n", seconds(ms)));
        answer(trouble.status, &head, &error_text(&reject(trouble), self.now))
    }

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

    /// Fills a part of a resting order at its own price.
    pub(super) fn fill_one(&mut self, cancel: Option<&str>, share_ppm: u32) -> bool {
        let id = match cancel {
            Some(text) => named_by(&self.exchange, text),
            None => self.exchange.resting().next().map(|order| order.id),
        };
        let Some((id, qty)) = id.and_then(|id| Some((id, self.exchange.share_of_rest(id, share_ppm)?)))
        else {
            return false;
        };
        let is_filled = self.exchange.fill_resting(id, qty);
        self.publish();
        is_filled
    }
}

/// The resting order that a cancel request names, whoever sent it.
pub fn named_by(exchange: &Exchange, text: &str) -> Option<u64> {
    let request: Request<'_> = serde_json::from_str(text).ok()?;
    let params = Params::from_json(request.params).ok()?;
    let (id, name) = (params.whole("orderId").ok()?, params.get("origClientOrderId"));
    let is_named = |order: &&Order| match id {
        Some(id) => order.id == id,
        None => name.is_some_and(|name| order.client_order_id == name),
    };
    exchange.resting().find(is_named).map(|order| order.id)
}

#[cfg(test)]
mod tests {
    use super::*;

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
        assert_eq!(asked("{\"id\":1,\"method\":\"order.place\"}"), Asked::Place);
        assert_eq!(asked("{\"id\":1,\"method\":\"order.cancel\"}"), Asked::Cancel);
        assert_eq!(asked("{\"id\":1,\"method\":\"time\"}"), Asked::Other);
        assert_eq!(lane("/ws-api/v3"), Lane::Orders);
        assert_eq!(lane("/stream?timeUnit=MICROSECOND"), Lane::Market);
    }
}
