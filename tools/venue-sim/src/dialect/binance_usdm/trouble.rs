//! Futures' words for what a fault needs: what a text is, how the venue refuses and says goodbye.

use super::UsdmVenue;
use super::api::{envelope, error_text};
use super::private::listen_key_expired;
use super::streams::StreamKind;
use crate::dialect::binance_spot::streams::Stream;
use crate::dialect::binance_spot::trouble::{named_by, reject};
use crate::dialect::{Asked, ConnId, Farewell, Frame, HttpRequest, Lane, Said, Trouble, answer};
use serde::Deserialize;
use serde_json::value::RawValue;

/// Whom a path serves.
pub(super) fn lane(target: &str) -> Lane {
    let is_private = target.starts_with("/ws-fapi/") || target.starts_with("/private/");
    if is_private { Lane::Orders } else { Lane::Market }
}

/// What a text of the venue is; it writes its own texts, so their first bytes tell.
pub(super) fn said(text: &str) -> Said {
    let event = text.split_once("\"e\":\"").map_or("", |(_, rest)| rest.split('"').next().unwrap_or(""));
    match event {
        "ORDER_TRADE_UPDATE" | "TRADE_LITE" => Said::Report,
        "ACCOUNT_UPDATE" | "ALGO_UPDATE" | "ACCOUNT_CONFIG_UPDATE" | "listenKeyExpired" => Said::Account,
        _ if ["{\"id\":", "{\"result\":", "{\"error\":", "{\"code\":"]
            .iter()
            .any(|head| text.starts_with(head)) =>
        {
            Said::Answer
        }
        _ => Said::Market,
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
    request.method == "GET" && request.target.starts_with("/fapi/v1/depth?")
}

#[derive(Deserialize)]
struct Request<'a> {
    #[serde(borrow)]
    id: Option<&'a RawValue>,
}

impl UsdmVenue {
    /// The refusal of a WebSocket API request. The streams know no such thing: they stay silent.
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

    /// Private events end with their listen key, whose end is told. No shutdown is announced on futures.
    pub(super) fn say_farewell(&mut self, conn: ConnId, farewell: Farewell) -> bool {
        if farewell != Farewell::LoggedOut {
            return false;
        }
        let Some(listening) = self.streams.get(&conn) else { return false };
        let is_user = |stream: &Stream<StreamKind>| stream.kind == StreamKind::User;
        let Some(account) = listening.session.streams().find(is_user).map(|stream| stream.symbol) else {
            return false;
        };
        let Some(key) = self.listen_keys.key(account).map(str::to_owned) else { return false };
        self.listen_keys.end(account);
        let text = listen_key_expired(&key, self.now);
        let wrapped = self.streams.get(&conn).map(|listening| listening.session.wrap(&key, &text));
        self.send(conn, Frame::Text(wrapped.unwrap_or(text)));
        true
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_tells_what_it_is() {
        let said_of = [
            ("{\"id\":7,\"status\":200,\"result\":{}}", Said::Answer),
            ("{\"result\":null,\"id\":1}", Said::Answer),
            ("{\"e\":\"ORDER_TRADE_UPDATE\",\"T\":1}", Said::Report),
            ("{\"stream\":\"k\",\"data\":{\"e\":\"TRADE_LITE\"}}", Said::Report),
            ("{\"e\":\"ACCOUNT_UPDATE\"}", Said::Account),
            ("{\"e\":\"aggTrade\"}", Said::Market),
        ];
        for (text, expected) in said_of {
            assert_eq!(said(text), expected, "{text}");
        }
        assert_eq!(lane("/private/ws?listenKey=k"), Lane::Orders);
        assert_eq!(lane("/public/stream"), Lane::Market);
    }
}
