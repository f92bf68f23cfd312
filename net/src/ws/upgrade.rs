//! The HTTP request that turns a connection into a WebSocket, and the check of its answer. Pure.

use aws_lc_rs::digest::{SHA1_FOR_LEGACY_USE_ONLY, digest};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::error::{NetError, WsViolation};
use crate::http::request::{Method, encode_request};
use crate::http::response::{HttpResponse, ResponseReader};

/// RFC 6455 section 1.3.
const ACCEPT_SUFFIX: &str = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
/// What of a refusal's body is worth keeping; reading ends there.
const REFUSAL_BYTES_MAX: usize = 512;
/// A refusal may announce as long a body as it likes.
const ANSWER_BYTES_MAX: usize = usize::MAX;

/// One upgrade under way.
pub struct Upgrade {
    request: Vec<u8>,
    accept: String,
    answer: ResponseReader,
}

impl Upgrade {
    /// Asks `authority` for `path_and_query`, with 16 random bytes as the key.
    pub fn new(
        authority: &str,
        path_and_query: &str,
        more: &[(&str, &str)],
        key: [u8; 16],
    ) -> Result<Self, NetError> {
        let key = STANDARD.encode(key);
        let own = [
            ("Connection", "Upgrade"),
            ("Upgrade", "websocket"),
            ("Sec-WebSocket-Version", "13"),
            ("Sec-WebSocket-Key", key.as_str()),
        ];
        let headers: Vec<(&str, &str)> = own.iter().chain(more).copied().collect();
        let request = encode_request(Method::Get, authority, path_and_query, &headers, b"")?;
        let accept = digest(&SHA1_FOR_LEGACY_USE_ONLY, format!("{key}{ACCEPT_SUFFIX}").as_bytes());
        Ok(Self {
            request,
            accept: STANDARD.encode(accept),
            answer: ResponseReader::for_upgrade(ANSWER_BYTES_MAX),
        })
    }

    /// The bytes to send.
    pub fn request(&self) -> &[u8] {
        &self.request
    }

    /// Takes received bytes; returns how many belong to the answer, and whether the connection is now a WebSocket.
    pub fn on_bytes(&mut self, bytes: &[u8]) -> Result<(usize, bool), NetError> {
        let consumed = self.answer.push(bytes).map_err(|error| self.refusal().unwrap_or(error))?;
        match self.answer.take() {
            None => match self.answer.so_far() {
                Some((status, body)) if body.len() >= REFUSAL_BYTES_MAX => Err(refused(status, body)),
                _ => Ok((consumed, false)),
            },
            Some(response) if response.status == 101 => self.check(&response).map(|()| (consumed, true)),
            Some(response) => Err(refused(response.status, &response.body)),
        }
    }

    /// The connection has ended: the refusal so far, if there was one.
    pub fn refusal(&self) -> Option<NetError> {
        self.answer.so_far().map(|(status, body)| refused(status, body))
    }

    fn check(&self, response: &HttpResponse) -> Result<(), NetError> {
        let is = |name, token| response.header(name).is_some_and(|v| has_token(v, token));
        if !is("upgrade", "websocket") || !is("connection", "upgrade") {
            return Err(WsViolation::UpgradeHeaders.into());
        }
        if response.header("sec-websocket-accept") != Some(&self.accept) {
            return Err(WsViolation::AcceptKey.into());
        }
        let chosen = ["sec-websocket-extensions", "sec-websocket-protocol"];
        if chosen.iter().any(|name| response.header(name).is_some_and(|v| !v.is_empty())) {
            return Err(WsViolation::Extension.into());
        }
        Ok(())
    }
}

fn refused(status: u16, body: &[u8]) -> NetError {
    let body = body.get(..REFUSAL_BYTES_MAX).unwrap_or(body).to_vec();
    NetError::UpgradeRefused { status, body }
}

fn has_token(value: &str, token: &str) -> bool {
    value.split(',').any(|part| part.trim().eq_ignore_ascii_case(token))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The key and the answer of RFC 6455 section 1.3.
    const KEY: [u8; 16] = *b"the sample nonce";
    const ANSWER: &str = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
                          Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n";

    fn answered(answer: &str) -> Result<(usize, bool), NetError> {
        Upgrade::new("server.example.com", "/chat", &[("X-Key", "k")], KEY)
            .unwrap()
            .on_bytes(answer.as_bytes())
    }

    #[test]
    fn the_sample_of_the_rfc_is_accepted_and_what_follows_is_left() {
        assert_eq!(answered(&format!("{ANSWER}\u{1}\u{2}")), Ok((ANSWER.len(), true)));
    }

    #[test]
    fn the_callers_headers_go_along_and_cannot_smuggle_anything() {
        let asked = |value| Upgrade::new("h", "/", &[("X-MBX-APIKEY", value)], KEY);
        let request = asked("abc").unwrap();
        assert!(
            request.request().windows(20).any(|part| part == b"\r\nX-MBX-APIKEY: abc\r\n".get(..20).unwrap())
        );
        assert!(asked("abc\r\nHost: other").is_err());
    }

    #[test]
    fn a_wrong_answer_is_refused_by_name() {
        let wrong = |from, to| answered(&ANSWER.replace(from, to)).unwrap_err();
        assert_eq!(wrong("s3pP", "s3pQ"), WsViolation::AcceptKey.into());
        assert_eq!(wrong("Upgrade: websocket", "Upgrade: h2c"), WsViolation::UpgradeHeaders.into());
        assert_eq!(wrong("Connection: Upgrade", "Connection: close"), WsViolation::UpgradeHeaders.into());
        let extension = "Upgrade: websocket\r\nSec-WebSocket-Extensions: permessage-deflate";
        assert_eq!(wrong("Upgrade: websocket", extension), WsViolation::Extension.into());
    }

    #[test]
    fn a_refusal_gives_status_and_body() {
        let body = "slow down".to_owned();
        let answer = format!("HTTP/1.1 429 Too Many\r\nContent-Length: {}\r\n\r\n{body}", body.len());
        assert_eq!(answered(&answer), Err(NetError::UpgradeRefused { status: 429, body: body.into() }));
    }

    #[test]
    fn a_long_refusal_is_read_no_further_than_it_is_kept() {
        let answer = format!("HTTP/1.1 500 Oops\r\nContent-Length: 99999999999\r\n\r\n{}", "x".repeat(600));
        assert_eq!(answered(&answer), Err(NetError::UpgradeRefused { status: 500, body: vec![b'x'; 512] }));
    }

    #[test]
    fn a_refusal_cut_short_still_gives_what_came() {
        let mut upgrade = Upgrade::new("h", "/", &[], KEY).unwrap();
        let answer = b"HTTP/1.1 503 Busy\r\nContent-Length: 100\r\n\r\nback so";
        assert_eq!(upgrade.on_bytes(answer), Ok((answer.len(), false)));
        assert_eq!(
            upgrade.refusal(),
            Some(NetError::UpgradeRefused { status: 503, body: b"back so".to_vec() })
        );
    }
}
