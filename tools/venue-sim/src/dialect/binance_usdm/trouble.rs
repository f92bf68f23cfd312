//! Futures' words for what a fault needs: what a text is, how the venue refuses and says goodbye.

use super::UsdmVenue;
use super::private::{leverage_update, listen_key_expired};
use super::streams::{ALL_SYMBOLS, StreamKind};
use crate::dialect::binance_spot::streams::Stream;
use crate::dialect::deed::{self, Deed};
use crate::dialect::{ConnId, Farewell, Frame, HttpRequest, Lane, Said};

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

/// Whether a request asks for the book.
pub(super) fn is_snapshot(request: &HttpRequest) -> bool {
    request.method == "GET" && request.target.starts_with("/fapi/v1/depth?")
}

impl UsdmVenue {
    /// Does a deed. Changed rules are announced; the connections of a key that is withdrawn are closed.
    pub(super) fn do_deed(&mut self, deed: &Deed) -> bool {
        match deed {
            Deed::Key { is_good } => {
                self.keys.is_withdrawn = !is_good;
                let is_private = |to: &&super::StreamConn| {
                    to.session.streams().any(|stream| stream.kind == StreamKind::User)
                };
                let private = self.streams.iter().filter(|(_, to)| is_private(to)).map(|(conn, _)| *conn);
                let conns: Vec<ConnId> =
                    self.api_sessions.keys().copied().chain(private).filter(|_| !is_good).collect();
                conns.into_iter().for_each(|conn| self.send(conn, Frame::Close));
                true
            }
            Deed::Rules { kind, .. } => {
                let is_done = deed::stage(&mut self.exchange, deed);
                if let Some(market) = deed::market_of(&self.exchange, *kind) {
                    self.announce_contract(market);
                }
                is_done
            }
            Deed::Leverage { kind, times } => {
                let is_done = deed::stage(&mut self.exchange, deed);
                if let Some(market) = deed::market_of(&self.exchange, *kind).filter(|_| is_done) {
                    let event = leverage_update(&self.grid(market), *times, self.now);
                    self.tell_account(0, "ACCOUNT_CONFIG_UPDATE", &event);
                }
                is_done
            }
            _ => deed::stage(&mut self.exchange, deed),
        }
    }

    /// Tells those who want to know that a contract's terms have changed.
    fn announce_contract(&mut self, market: usize) {
        let symbol = self.grid(market).symbol;
        let now_ms = self.now.as_ms();
        let text = format!(
            r#"{{"e":"contractInfo","E":{now_ms},"s":"{s}","ps":"{s}","ct":"PERPETUAL","cs":"TRADING"}}"#,
            s = symbol.as_str()
        );
        self.route(ALL_SYMBOLS, vec![(StreamKind::Contract, text)]);
    }

    /// Private events end with their listen key, whose end is told. Before it shuts down the venue says nothing.
    pub(super) fn say_farewell(&mut self, conn: ConnId, farewell: Farewell) -> bool {
        if farewell == Farewell::Shutdown {
            self.send(conn, Frame::Close);
            return true;
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
