//! Requests of HTTP/1.1, as far as a metrics port needs them: one GET on a connection, no body.
//!
//! Pure. Whatever the bytes are, there is an answer or a wish for more of them, and never more than [`REQUEST_MAX`] are
//! waited for.

use crate::text::Format;

/// Longest request head.
pub const REQUEST_MAX: usize = 8 << 10;
/// Most header fields.
const FIELDS_MAX: usize = 64;

/// What a request asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    /// The page in this form.
    Metrics(Format),
    /// Whether all is well.
    Health,
    /// Nothing of that name.
    NotFound,
    /// Not by this method.
    NotAllowed,
    /// Not a request that is served here.
    Bad,
}

/// What bytes so far come to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Parsed {
    /// Not yet a whole request.
    Partial,
    /// A request, or something that never becomes one.
    Done(Answer),
}

/// Looks at all bytes that came on a connection.
pub fn parse(bytes: &[u8]) -> Parsed {
    let mut fields = [httparse::EMPTY_HEADER; FIELDS_MAX];
    let mut request = httparse::Request::new(&mut fields);
    match request.parse(bytes) {
        Err(_) => Parsed::Done(Answer::Bad),
        Ok(httparse::Status::Partial) if bytes.len() >= REQUEST_MAX => Parsed::Done(Answer::Bad),
        Ok(httparse::Status::Partial) => Parsed::Partial,
        Ok(httparse::Status::Complete(length)) if length > REQUEST_MAX => Parsed::Done(Answer::Bad),
        Ok(httparse::Status::Complete(_)) => Parsed::Done(answer(&request)),
    }
}

fn answer(request: &httparse::Request<'_, '_>) -> Answer {
    let (Some(method), Some(target)) = (request.method, request.path) else { return Answer::Bad };
    let fields = || request.headers.iter();
    let is = |name: &str, field: &httparse::Header<'_>| field.name.eq_ignore_ascii_case(name);
    // A request with a body is none of ours: where it ended would have to be known.
    let has_body = fields().any(|field| {
        is("transfer-encoding", field) || is("content-length", field) && field.value.trim_ascii() != b"0"
    });
    if has_body || !target.starts_with('/') {
        return Answer::Bad;
    }
    let path = target.split(['?', '#']).next().unwrap_or_default();
    let found = match path {
        "/metrics" => Answer::Metrics(wanted(fields().filter(|field| is("accept", field)).map(|f| f.value))),
        "/healthz" => Answer::Health,
        _ => return Answer::NotFound,
    };
    if method == "GET" { found } else { Answer::NotAllowed }
}

/// OpenMetrics for those who prefer it, or take it as gladly; Prometheus text for everybody else.
fn wanted<'a>(accept: impl Iterator<Item = &'a [u8]>) -> Format {
    let (mut open, mut plain) = (0.0, 0.0);
    for value in accept {
        for item in String::from_utf8_lossy(value).split(',') {
            let mut parts = item.split(';').map(str::trim);
            let kind = parts.next().unwrap_or_default().to_ascii_lowercase();
            let (mut quality, mut is_known) = (1.0f64, true);
            for part in parts {
                match part.split_once('=').map(|(key, value)| (key.trim(), value.trim().trim_matches('"'))) {
                    Some((key, value)) if key.eq_ignore_ascii_case("q") => {
                        quality = value.parse().ok().filter(|q| (0.0..=1.0).contains(q)).unwrap_or(0.0);
                    }
                    // 0.0.1 is a draft that this version satisfies.
                    Some((key, value)) if key.eq_ignore_ascii_case("version") => {
                        is_known = matches!(value, "1.0.0" | "0.0.1") || !kind.contains("openmetrics");
                    }
                    _ => {}
                }
            }
            match kind.as_str() {
                "application/openmetrics-text" if is_known => open = quality.max(open),
                "text/plain" | "text/*" | "*/*" => plain = quality.max(plain),
                _ => {}
            }
        }
    }
    if open > 0.0 && open >= plain { Format::OpenMetrics } else { Format::Prometheus }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const SCRAPE: &str = "GET /metrics HTTP/1.1\r\nHost: localhost:9464\r\nUser-Agent: Prometheus/3.5.0\r\nAccept: application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6,application/openmetrics-text;version=0.0.1;q=0.5,text/plain;version=1.0.0;q=0.4,text/plain;version=0.0.4;q=0.3,*/*;q=0.2\r\nAccept-Encoding: gzip\r\nX-Prometheus-Scrape-Timeout-Seconds: 10\r\n\r\n";

    fn ask(head: &str) -> Parsed {
        parse(format!("{head}\r\nHost: x\r\n\r\n").as_bytes())
    }

    #[test]
    fn what_is_served_and_what_is_not() {
        let plain = Parsed::Done(Answer::Metrics(Format::Prometheus));
        assert_eq!(parse(SCRAPE.as_bytes()), Parsed::Done(Answer::Metrics(Format::OpenMetrics)));
        assert_eq!(ask("GET /metrics HTTP/1.1"), plain);
        assert_eq!(ask("GET /metrics?name=x HTTP/1.0"), plain);
        assert_eq!(
            ask("GET /metrics HTTP/1.1\r\nAccept: text/plain, application/openmetrics-text;q=0.9"),
            plain
        );
        assert_eq!(ask("GET /metrics HTTP/1.1\r\nAccept: application/openmetrics-text;q=nan"), plain);
        assert_eq!(
            ask("GET /metrics HTTP/1.1\r\nAccept: application/openmetrics-text; version=2.0.0"),
            plain
        );
        assert_eq!(ask("GET /healthz HTTP/1.1"), Parsed::Done(Answer::Health));
        for path in ["/", "/metrics/", "/../metrics", "/METRICS", "/metrics%20"] {
            assert_eq!(ask(&format!("GET {path} HTTP/1.1")), Parsed::Done(Answer::NotFound), "{path}");
        }
        for method in ["POST", "HEAD", "PUT", "DELETE", "OPTIONS", "get"] {
            assert_eq!(
                ask(&format!("{method} /metrics HTTP/1.1")),
                Parsed::Done(Answer::NotAllowed),
                "{method}"
            );
        }
        for head in [
            "GET http://elsewhere/metrics HTTP/1.1",
            "GET /metrics HTTP/2.0",
            "GET  /metrics HTTP/1.1",
            "GET /metrics HTTP/1.1\r\nContent-Length: 5",
            "GET /metrics HTTP/1.1\r\nTransfer-Encoding: chunked",
            "GET /metrics HTTP/1.1\r\nBad Field: 1",
            "\u{1}",
        ] {
            assert_eq!(ask(head), Parsed::Done(Answer::Bad), "{head}");
        }
    }

    #[test]
    fn a_request_may_come_in_any_pieces() {
        let whole = SCRAPE.as_bytes();
        for cut in 0..whole.len() {
            assert_eq!(parse(&whole[..cut]), Parsed::Partial, "cut at {cut}");
        }
    }

    #[test]
    fn what_never_ends_ends_at_the_limit() {
        let mut endless = b"GET /metrics HTTP/1.1\r\nX: ".to_vec();
        endless.resize(REQUEST_MAX - 1, b'a');
        assert_eq!(parse(&endless), Parsed::Partial);
        endless.push(b'a');
        assert_eq!(parse(&endless), Parsed::Done(Answer::Bad));
        let fields = "A: b\r\n".repeat(FIELDS_MAX + 1);
        assert_eq!(ask(&format!("GET /metrics HTTP/1.1\r\n{fields}")), Parsed::Done(Answer::Bad));
    }

    proptest! {
        /// Garbage never panics; what was once refused or answered is not taken back by more bytes, unless they break it.
        #[test]
        fn garbage_has_an_answer(mut bytes in proptest::collection::vec(any::<u8>(), 0..600), cut in 0..600usize) {
            let _ = parse(&bytes);
            bytes.splice(0..0, SCRAPE.bytes().take(cut));
            let _ = parse(&bytes);
        }

        /// A changed byte of a good request does not make it something that waits for ever.
        #[test]
        fn a_spoiled_request_is_answered_or_waits_for_little(at in 0..SCRAPE.len(), byte in any::<u8>()) {
            let mut bytes = SCRAPE.as_bytes().to_vec();
            bytes[at] = byte;
            bytes.extend_from_slice(b"\r\n\r\n");
            prop_assert!(parse(&bytes) != Parsed::Partial);
        }
    }
}
