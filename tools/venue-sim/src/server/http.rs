//! HTTP/1.1 on the server's side: one request from the bytes received so far, and the WebSocket upgrade.
//!
//! Pure.

use crate::dialect::HttpRequest;
use tungstenite::handshake::derive_accept_key;

/// Longest head.
const HEAD_MAX: usize = 16 << 10;
/// Longest body.
const BODY_MAX: usize = 64 << 10;
/// Longest request.
pub const REQUEST_MAX: usize = HEAD_MAX + BODY_MAX;
/// Most header lines.
const HEADERS_MAX: usize = 64;

/// What the bytes received so far hold.
#[derive(Debug, PartialEq, Eq)]
pub enum Parsed {
    /// Not all of a request yet.
    Partial,
    /// A request, and the bytes it takes.
    Request {
        /// The request.
        request: HttpRequest,
        /// Its bytes.
        len: usize,
        /// Whether the client will close after the answer.
        is_last: bool,
    },
    /// A request to go on as WebSocket.
    Upgrade {
        /// Path and query.
        target: String,
        /// Header lines: names in lower case, values trimmed.
        headers: Vec<(String, String)>,
        /// The answer's `Sec-WebSocket-Accept`.
        accept: String,
        /// Its bytes.
        len: usize,
    },
    /// No HTTP request, or one beyond the limits.
    Bad,
}

/// Reads one request.
pub fn parse(bytes: &[u8]) -> Parsed {
    let mut headers = [httparse::EMPTY_HEADER; HEADERS_MAX];
    let mut head = httparse::Request::new(&mut headers);
    let head_len = match head.parse(bytes) {
        Ok(httparse::Status::Complete(len)) => len,
        Ok(httparse::Status::Partial) if bytes.len() <= HEAD_MAX => return Parsed::Partial,
        _ => return Parsed::Bad,
    };
    let (Some(method), Some(target)) = (head.method, head.path) else { return Parsed::Bad };
    let header = |name: &str| {
        let found = head.headers.iter().find(|header| header.name.eq_ignore_ascii_case(name));
        found.and_then(|header| std::str::from_utf8(header.value).ok()).map(str::trim)
    };
    if header("upgrade").is_some_and(|value| value.eq_ignore_ascii_case("websocket")) {
        let Some(key) = header("sec-websocket-key") else { return Parsed::Bad };
        let accept = derive_accept_key(key.as_bytes());
        return Parsed::Upgrade {
            target: target.to_owned(),
            headers: lines(head.headers),
            accept,
            len: head_len,
        };
    }
    let body_len = match header("content-length").map(str::parse::<usize>) {
        None => 0,
        Some(Ok(len)) if len <= BODY_MAX => len,
        Some(_) => return Parsed::Bad,
    };
    if header("transfer-encoding").is_some() {
        return Parsed::Bad;
    }
    let Some(body) = bytes.get(head_len..head_len + body_len) else { return Parsed::Partial };
    let Ok(body) = std::str::from_utf8(body) else { return Parsed::Bad };
    let is_last = header("connection").is_some_and(|value| value.eq_ignore_ascii_case("close"));
    let headers = lines(head.headers);
    let request =
        HttpRequest { method: method.to_owned(), target: target.to_owned(), headers, body: body.to_owned() };
    Parsed::Request { request, len: head_len + body_len, is_last }
}

/// Header lines with names in lower case and values trimmed.
fn lines(headers: &[httparse::Header<'_>]) -> Vec<(String, String)> {
    let text = |header: &httparse::Header<'_>| {
        let value = std::str::from_utf8(header.value).unwrap_or_default();
        (header.name.to_ascii_lowercase(), value.trim().to_owned())
    };
    headers.iter().map(text).collect()
}

/// The answer that turns a connection into a WebSocket.
pub fn switching_protocols(accept: &str) -> Vec<u8> {
    format!(
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: {accept}\r\n\r\n"
    )
    .into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_are_whole_partial_or_bad() {
        let text =
            "POST /api/v3/order?a=1 HTTP/1.1\r\nHost: x\r\nX-Mbx-ApiKey: k\r\nContent-Length: 3\r\n\r\nb=2";
        let Parsed::Request { request, len, is_last } = parse(text.as_bytes()) else { panic!("no request") };
        assert_eq!((request.body.as_str(), request.header("x-mbx-apikey")), ("b=2", Some("k")));
        assert_eq!((len, is_last), (text.len(), false));
        for cut in 0..text.len() {
            assert_eq!(parse(&text.as_bytes()[..cut]), Parsed::Partial, "cut at {cut}");
        }
        assert_eq!(parse(b"\x16\x03\x01\x02\x00"), Parsed::Bad);
        assert_eq!(parse(&[b'a'; HEAD_MAX + 1]), Parsed::Bad);
        assert_eq!(parse(b"GET / HTTP/1.1\r\nContent-Length: 99999999\r\n\r\n"), Parsed::Bad);
    }

    #[test]
    fn the_accept_key_is_the_standards_example() {
        let text =
            "GET /ws HTTP/1.1\r\nUpgrade: WebSocket\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
        let Parsed::Upgrade { target, accept, .. } = parse(text.as_bytes()) else { panic!("no upgrade") };
        assert_eq!((target.as_str(), accept.as_str()), ("/ws", "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="));
    }
}
