//! Answers that we receive, fed in pieces of any size. Pure; bounded by the limits given at the start.

use bytes::{Bytes, BytesMut};

use crate::error::{HttpViolation, NetError};

/// The longest head that is taken.
const HEAD_BYTES_MAX: usize = 32 * 1024;
/// Header lines that are taken.
const HEADERS_MAX: usize = 128;
/// The longest chunk-size or trailer line.
const LINE_BYTES_MAX: usize = 4096;
/// What an announced length may reserve before its bytes come.
const RESERVE_BYTES_MAX: u64 = 1024 * 1024;

/// One whole answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HttpResponse {
    /// HTTP status.
    pub status: u16,
    /// Header names in lower case, with their values, in the order received.
    pub headers: Vec<(String, String)>,
    /// The body, chunks joined.
    pub body: Bytes,
    /// Whether the peer keeps the connection for a next request.
    pub is_keep_alive: bool,
}

impl HttpResponse {
    /// The first header of this name; give it in lower case.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(n, _)| n == name).map(|(_, value)| value.as_str())
    }
}

/// Reads one answer after another.
pub struct ResponseReader {
    state: State,
    head: Vec<u8>,
    /// The answer under way; its body is in `body` until it is whole.
    response: Option<HttpResponse>,
    body: BytesMut,
    line: Vec<u8>,
    body_bytes_max: usize,
    /// 101 ends the answer instead of breaking the rules.
    is_upgrade: bool,
}

enum State {
    Head,
    /// Bytes of body still to come.
    Length(u64),
    ChunkSize,
    Chunk(u64),
    ChunkEnd,
    Trailer,
    UntilEnd,
    Done,
}

impl ResponseReader {
    /// A reader that takes bodies of at most `body_bytes_max` bytes.
    pub fn new(body_bytes_max: usize) -> Self {
        Self {
            state: State::Head,
            head: Vec::new(),
            response: None,
            body: BytesMut::new(),
            line: Vec::new(),
            body_bytes_max,
            is_upgrade: false,
        }
    }

    /// A reader for the answer to an upgrade.
    pub fn for_upgrade(body_bytes_max: usize) -> Self {
        Self { is_upgrade: true, ..Self::new(body_bytes_max) }
    }

    /// Takes received bytes and returns how many belong to this answer; the rest is what follows it.
    pub fn push(&mut self, bytes: &[u8]) -> Result<usize, NetError> {
        let mut rest = bytes;
        while !rest.is_empty() && !matches!(self.state, State::Done) {
            let used = self.step(rest)?;
            rest = rest.get(used..).unwrap_or_default();
        }
        Ok(bytes.len() - rest.len())
    }

    /// The whole answer, once it is there; the reader is then ready for the next.
    pub fn take(&mut self) -> Option<HttpResponse> {
        if !matches!(self.state, State::Done) {
            return None;
        }
        self.state = State::Head;
        let mut response = self.response.take()?;
        response.body = self.body.split().freeze();
        Some(response)
    }

    /// The connection has ended: the answer, when an orderly end is what makes it whole.
    pub fn take_at_end(&mut self, is_orderly: bool) -> Option<HttpResponse> {
        if is_orderly && matches!(self.state, State::UntilEnd) {
            self.state = State::Done;
        }
        self.take()
    }

    /// The answer's status and the part of its body that has come and was not taken, to take from.
    pub(crate) fn body_mut(&mut self) -> Option<(u16, &mut BytesMut)> {
        self.response.as_ref().map(|response| (response.status, &mut self.body))
    }

    /// Status and body as far as they have come.
    pub fn so_far(&self) -> Option<(u16, &[u8])> {
        self.response.as_ref().map(|response| (response.status, &self.body[..]))
    }

    fn step(&mut self, bytes: &[u8]) -> Result<usize, NetError> {
        match self.state {
            State::Head => self.on_head_bytes(bytes),
            State::Length(left) => {
                let used = self.on_body(bytes, left);
                self.state = match left - used as u64 {
                    0 => State::Done,
                    left => State::Length(left),
                };
                Ok(used)
            }
            State::ChunkSize => self.on_line(bytes, Self::on_chunk_size),
            State::Chunk(left) => {
                let used = self.on_body(bytes, left);
                self.state = match left - used as u64 {
                    0 => State::ChunkEnd,
                    left => State::Chunk(left),
                };
                Ok(used)
            }
            State::ChunkEnd => self.on_line(bytes, |this, line| {
                this.state = State::ChunkSize;
                if line.is_empty() { Ok(()) } else { Err(HttpViolation::ChunkEnd.into()) }
            }),
            State::Trailer => self.on_line(bytes, |this, line| {
                this.state = if line.is_empty() { State::Done } else { State::Trailer };
                Ok(())
            }),
            State::UntilEnd => {
                self.check_body(bytes.len() as u64)?;
                Ok(self.on_body(bytes, u64::MAX))
            }
            State::Done => Ok(0),
        }
    }

    fn on_head_bytes(&mut self, bytes: &[u8]) -> Result<usize, NetError> {
        let before = self.head.len();
        let room = HEAD_BYTES_MAX - before;
        self.head.extend_from_slice(bytes.get(..room).unwrap_or(bytes));
        let searched = before.saturating_sub(3);
        let tail = self.head.get(searched..).unwrap_or_default();
        let Some(at) = tail.windows(4).position(|w| w == b"\r\n\r\n") else {
            if self.head.len() >= HEAD_BYTES_MAX {
                return Err(NetError::TooLarge { got: self.head.len() as u64, max: HEAD_BYTES_MAX as u64 });
            }
            return Ok(self.head.len() - before);
        };
        self.head.truncate(searched + at + 4);
        let used = self.head.len() - before;
        let head = std::mem::take(&mut self.head);
        self.on_head(&head)?;
        Ok(used)
    }

    fn on_head(&mut self, head: &[u8]) -> Result<(), NetError> {
        let mut slots = [httparse::EMPTY_HEADER; HEADERS_MAX];
        let mut parsed = httparse::Response::new(&mut slots);
        match parsed.parse(head) {
            Ok(httparse::Status::Complete(len)) if len == head.len() => {}
            Err(httparse::Error::TooManyHeaders) => return Err(HttpViolation::TooManyHeaders.into()),
            _ => return Err(HttpViolation::Head.into()),
        }
        let status = parsed.code.ok_or(HttpViolation::Head)?;
        let is_http_11 = parsed.version == Some(1);
        let headers: Vec<(String, String)> = parsed
            .headers
            .iter()
            .map(|h| (h.name.to_ascii_lowercase(), String::from_utf8_lossy(h.value).trim().to_owned()))
            .collect();
        if status == 101 && !self.is_upgrade {
            return Err(HttpViolation::SwitchingProtocols.into());
        }
        if (100..200).contains(&status) && status != 101 {
            return Ok(()); // an interim answer: the real one follows
        }
        let framing = self.framing(status, &headers)?;
        if let State::Length(length) = framing {
            // Only announced so far, so only a part of it is reserved at once.
            self.body.reserve(length.min(RESERVE_BYTES_MAX) as usize);
        }
        let has = |token: &str| {
            let mut values =
                headers.iter().filter(|(n, _)| n == "connection").flat_map(|(_, v)| v.split(','));
            values.any(|v| v.trim().eq_ignore_ascii_case(token))
        };
        let is_keep_alive =
            !matches!(framing, State::UntilEnd) && if is_http_11 { !has("close") } else { has("keep-alive") };
        self.state = framing;
        self.response = Some(HttpResponse { status, headers, body: Bytes::new(), is_keep_alive });
        Ok(())
    }

    /// How the body is delimited: RFC 9112 section 6.3, and stricter where leniency has let requests be smuggled.
    fn framing(&self, status: u16, headers: &[(String, String)]) -> Result<State, NetError> {
        let values = |name: &'static str| headers.iter().filter(move |(n, _)| n == name).map(|(_, v)| v);
        if matches!(status, 101 | 204 | 304) {
            return Ok(State::Done);
        }
        let mut lengths = values("content-length");
        let length = lengths.next();
        if lengths.any(|other| Some(other) != length) {
            return Err(HttpViolation::ContentLength.into());
        }
        let mut codings = values("transfer-encoding");
        match (codings.next(), codings.next(), length) {
            (None, _, None) => Ok(State::UntilEnd),
            (None, _, Some(length)) => {
                let is_number = !length.is_empty() && length.bytes().all(|b| b.is_ascii_digit());
                let length = length.parse::<u64>().ok().filter(|_| is_number);
                let length = length.ok_or(HttpViolation::ContentLength)?;
                self.check_body(length)?;
                Ok(if length == 0 { State::Done } else { State::Length(length) })
            }
            (Some(coding), None, None) if coding.eq_ignore_ascii_case("chunked") => Ok(State::ChunkSize),
            _ => Err(HttpViolation::TransferEncoding.into()),
        }
    }

    /// Gathers one line, which may come in pieces, and gives it on without its end.
    fn on_line(
        &mut self,
        bytes: &[u8],
        then: fn(&mut Self, &[u8]) -> Result<(), NetError>,
    ) -> Result<usize, NetError> {
        let end = bytes.iter().position(|&b| b == b'\n');
        let used = end.map_or(bytes.len(), |at| at + 1);
        if self.line.len() + used > LINE_BYTES_MAX {
            return Err(HttpViolation::ChunkEnd.into());
        }
        self.line.extend_from_slice(bytes.get(..used).unwrap_or_default());
        if end.is_some() {
            let mut line = std::mem::take(&mut self.line);
            then(self, line.strip_suffix(b"\r\n").ok_or(HttpViolation::ChunkEnd)?)?;
            line.clear();
            self.line = line; // An answer without end has many such lines: its memory is kept.
        }
        Ok(used)
    }

    fn on_chunk_size(&mut self, line: &[u8]) -> Result<(), NetError> {
        let digits = line.split(|&b| b == b';').next().unwrap_or_default().trim_ascii_end();
        let is_hex = !digits.is_empty() && digits.len() <= 15 && digits.iter().all(u8::is_ascii_hexdigit);
        let size = std::str::from_utf8(digits).ok().and_then(|d| u64::from_str_radix(d, 16).ok());
        let size = size.filter(|_| is_hex).ok_or(HttpViolation::ChunkSize)?;
        self.check_body(size)?;
        self.state = if size == 0 { State::Trailer } else { State::Chunk(size) };
        Ok(())
    }

    fn check_body(&self, more: u64) -> Result<(), NetError> {
        let (got, max) = ((self.body.len() as u64).saturating_add(more), self.body_bytes_max as u64);
        if got > max { Err(NetError::TooLarge { got, max }) } else { Ok(()) }
    }

    fn on_body(&mut self, bytes: &[u8], left: u64) -> usize {
        let used = usize::try_from(left).unwrap_or(usize::MAX).min(bytes.len());
        self.body.extend_from_slice(bytes.get(..used).unwrap_or_default());
        used
    }
}
