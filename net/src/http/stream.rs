//! An answer that never ends: one request, then lines for as long as the connection lives.
//!
//! Chunks are the transport's pieces and mean nothing: a line may begin in one and end in the third after it. Lines are
//! handed over whole and changeable, without their end, out of memory that is taken once; empty ones, which some servers
//! send as a sign of life, are left out. It reads no clock; how long silence is borne is the caller's to decide.

use crate::error::{HttpViolation, NetError};
use crate::http::request::{Method, encode_request};
use crate::http::response::ResponseReader;
use crate::link::{Endpoint, Link};
use crate::outbox::Lane;

/// Reads of the socket in one poll.
const READS_PER_POLL_MAX: u32 = 4;
/// The longest request.
const SEND_BYTES: usize = 16 * 1024;

/// How much a stream may hold; all of it is taken before the first line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StreamLimits {
    /// The longest line that is taken, and the longest body of a refusal.
    pub line_bytes_max: usize,
    /// Received bytes that may wait to be parsed.
    pub receive_bytes: usize,
}

impl Default for StreamLimits {
    fn default() -> Self {
        Self { line_bytes_max: 256 * 1024, receive_bytes: 64 * 1024 }
    }
}

/// A client of one endless answer over TLS.
pub struct StreamClient {
    link: Link,
    lines: LineReader,
    /// Encoded and not yet given to the link, which may still be connecting.
    request: Vec<u8>,
    dead: Option<NetError>,
}

impl StreamClient {
    /// Starts to connect and returns at once; [`StreamClient::poll`] does the rest. Only resolving a name may wait.
    pub fn connect(
        endpoint: &Endpoint,
        path_and_query: &str,
        headers: &[(&str, &str)],
        limits: StreamLimits,
    ) -> Result<Self, NetError> {
        Ok(Self {
            request: encode_request(Method::Get, &endpoint.authority(), path_and_query, headers, b"")?,
            link: Link::connect(endpoint, limits.receive_bytes, SEND_BYTES)?,
            lines: LineReader::new(limits.line_bytes_max),
            dead: None,
        })
    }

    /// One bounded pass: connects, asks, reads, and hands over every whole line. Returns the lines handed over. An error
    /// means that the connection is dead, an orderly end of the answer too; every later call returns the same one. Lines
    /// handed over before it stand.
    #[inline]
    pub fn poll<F>(&mut self, on_line: &mut F) -> Result<u32, NetError>
    where
        F: FnMut(&mut [u8]) + ?Sized,
    {
        if let Some(error) = &self.dead {
            return Err(error.clone());
        }
        self.turn(on_line).map_err(|error| self.die(error))
    }

    /// True once the peer has answered 200: lines may come.
    #[inline]
    pub fn is_open(&self) -> bool {
        self.dead.is_none() && self.lines.is_open()
    }

    /// True once only a new connection helps.
    pub fn is_dead(&self) -> bool {
        self.dead.is_some()
    }

    /// Raw bytes read from the socket so far, TLS and handshake included.
    pub fn bytes_received(&self) -> u64 {
        self.link.bytes_received()
    }

    /// Raw bytes that the socket took so far, TLS and handshake included.
    pub fn bytes_sent(&self) -> u64 {
        self.link.bytes_sent()
    }

    /// Bytes that wait for the connection or the socket.
    pub fn pending_send(&self) -> usize {
        self.link.pending_send() + self.request.len()
    }

    fn turn<F>(&mut self, on_line: &mut F) -> Result<u32, NetError>
    where
        F: FnMut(&mut [u8]) + ?Sized,
    {
        if !self.link.advance()? {
            return Ok(0);
        }
        self.send()?;
        let mut lines = 0;
        for _ in 0..READS_PER_POLL_MAX {
            let is_more = self.link.receive()?;
            while self.link.open_next()? {
                while !self.link.is_plain_empty() {
                    let consumed = self.lines.push(self.link.plain(), &mut lines, on_line)?;
                    self.link.consume(consumed);
                }
            }
            if !is_more {
                break;
            }
        }
        Ok(lines)
    }

    fn send(&mut self) -> Result<(), NetError> {
        if !self.request.is_empty() {
            let request = std::mem::take(&mut self.request);
            self.link.send(request.len(), Lane::Data, |offset, out| {
                out.iter_mut().zip(request.iter().skip(offset)).for_each(|(out, byte)| *out = *byte);
            })?;
        }
        self.link.flush()
    }

    /// Says goodbye as far as that goes. A refusal cut short says more than the cut.
    #[cold]
    fn die(&mut self, error: NetError) -> NetError {
        let error = self.lines.refusal().filter(|_| error.is_end()).unwrap_or(error);
        self.link.shut_down(&error);
        self.dead = Some(error.clone());
        error
    }
}

impl NetError {
    /// The connection ended, in whatever way.
    const fn is_end(&self) -> bool {
        matches!(self, Self::Closed { .. } | Self::Truncated | Self::Io(_))
    }
}

/// Lines out of one answer. Pure.
struct LineReader {
    response: ResponseReader,
    line_bytes_max: usize,
}

impl LineReader {
    fn new(line_bytes_max: usize) -> Self {
        // A chunk may hold the end of one line and the whole of the next.
        Self { response: ResponseReader::new(line_bytes_max.saturating_mul(2)), line_bytes_max }
    }

    fn is_open(&self) -> bool {
        matches!(self.response.so_far(), Some((200, _)))
    }

    /// A status other than 200 and as much of its body as has come.
    fn refusal(&self) -> Option<NetError> {
        let (status, body) = self.response.so_far().filter(|&(status, _)| status != 200)?;
        Some(NetError::StreamRefused { status, body: body.to_vec() })
    }

    /// Takes received bytes, hands over the lines they end, counts them in `lines`, and returns how many bytes were taken.
    fn push<F>(&mut self, bytes: &[u8], lines: &mut u32, on_line: &mut F) -> Result<usize, NetError>
    where
        F: FnMut(&mut [u8]) + ?Sized,
    {
        // A piece no longer than a line, so that what is kept never outgrows two.
        let piece = bytes.get(..self.line_bytes_max).unwrap_or(bytes);
        let consumed = self.response.push(piece)?;
        self.hand_over(lines, on_line)?;
        if let Some(whole) = self.response.take() {
            return Err(match whole.status {
                200 => NetError::Closed { code: None },
                status => NetError::StreamRefused { status, body: whole.body.to_vec() },
            });
        }
        // An answer that takes no bytes and does not end would be waited for without end.
        if consumed == 0 { Err(HttpViolation::Unasked.into()) } else { Ok(consumed) }
    }

    fn hand_over<F>(&mut self, lines: &mut u32, on_line: &mut F) -> Result<(), NetError>
    where
        F: FnMut(&mut [u8]) + ?Sized,
    {
        let max = self.line_bytes_max;
        let Some((200, body)) = self.response.body_mut() else { return Ok(()) };
        // Taken before the first line: what is kept between two pieces is less than a line.
        body.reserve((2 * max).saturating_sub(body.len()));
        let mut start = 0;
        while let Some(len) = body.iter().skip(start).position(|&byte| byte == b'\n') {
            if len > max {
                return Err(NetError::TooLarge { got: len as u64, max: max as u64 });
            }
            let line = body.get_mut(start..start + len).unwrap_or_default();
            let line = match line {
                [rest @ .., b'\r'] => rest,
                line => line,
            };
            if !line.is_empty() {
                on_line(line);
                *lines += 1;
            }
            start += len + 1;
        }
        // Moved to the front instead of given up: the memory stays one piece and is never taken anew.
        let rest = body.len() - start.min(body.len());
        if start > 0 {
            body.copy_within(start.., 0);
            body.truncate(rest);
        }
        if rest > max {
            return Err(NetError::TooLarge { got: rest as u64, max: max as u64 });
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEAD: &str = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";

    /// What comes of an answer that is received in pieces of `step` bytes.
    fn read(answer: &[u8], step: usize, max: usize) -> (Vec<String>, Option<NetError>) {
        let mut reader = LineReader::new(max);
        let (mut told, mut lines) = (Vec::new(), 0);
        let mut keep = |line: &mut [u8]| told.push(String::from_utf8_lossy(line).into_owned());
        for piece in answer.chunks(step) {
            let mut rest = piece;
            while !rest.is_empty() {
                match reader.push(rest, &mut lines, &mut keep) {
                    Ok(consumed) => rest = &rest[consumed..],
                    Err(error) => return (told, Some(error)),
                }
            }
        }
        assert_eq!(told.len() as u32, lines);
        (told, None)
    }

    fn chunked(body: &str, sizes: &[usize]) -> Vec<u8> {
        let (mut out, mut rest, mut sizes) = (HEAD.as_bytes().to_vec(), body, sizes.iter().cycle());
        while !rest.is_empty() {
            let (piece, after) = rest.split_at((*sizes.next().unwrap()).min(rest.len()));
            out.extend(format!("{:x}\r\n{piece}\r\n", piece.len()).bytes());
            rest = after;
        }
        out
    }

    /// Whatever the chunks and whatever the reads: the same lines.
    #[test]
    fn borders_of_chunks_and_reads_mean_nothing() {
        let body = "{\"a\":1}\n\n{\"b\":22}\r\n{\"c\":[3,\"\u{e9}\"]}\n";
        let body = body.replace('\u{e9}', "e");
        for sizes in [&[1][..], &[2, 3], &[7], &[8], &[5, 1, 30], &[1_000]] {
            let answer = chunked(&body, sizes);
            for step in 1..=answer.len() {
                let (lines, error) = read(&answer, step, 64);
                assert_eq!(lines, ["{\"a\":1}", "{\"b\":22}", "{\"c\":[3,\"e\"]}"], "{sizes:?} {step}");
                assert_eq!(error, None);
            }
        }
    }

    #[test]
    fn a_line_has_a_limit() {
        let at_limit = format!("{}\n", "x".repeat(64));
        assert_eq!(read(&chunked(&at_limit, &[1_000]), 9, 64).0.len(), 1);
        let over = format!("{}\n", "x".repeat(65));
        for sizes in [[1], [64], [65]] {
            let (lines, error) = read(&chunked(&over, &sizes), 10_000, 64);
            assert!(lines.is_empty() && matches!(error, Some(NetError::TooLarge { .. })), "{error:?}");
        }
        // A chunk that announces more than could be kept is refused before it comes.
        let huge = format!("{HEAD}ffffffffff\r\n");
        assert!(matches!(read(huge.as_bytes(), 10_000, 64).1, Some(NetError::TooLarge { .. })));
    }

    #[test]
    fn many_lines_in_one_chunk_of_their_limit_pass() {
        let body = "{\"n\":1}\n".repeat(16); // 128 bytes: two lines' worth of room
        assert_eq!(read(&chunked(&body, &[128]), 3, 64).0.len(), 16);
    }

    #[test]
    fn an_end_and_a_refusal_are_told_apart() {
        let ended = format!("{HEAD}2\r\n1\n\r\n0\r\n\r\n");
        assert_eq!(read(ended.as_bytes(), 7, 64), (vec!["1".into()], Some(NetError::Closed { code: None })));
        let refused = b"HTTP/1.1 401 No\r\nContent-Length: 4\r\n\r\nwhy\n";
        let error = NetError::StreamRefused { status: 401, body: b"why\n".to_vec() };
        assert_eq!(read(refused, 5, 64), (vec![], Some(error)));
        let broken = format!("{HEAD}zz\r\n");
        assert_eq!(read(broken.as_bytes(), 3, 64).1, Some(HttpViolation::ChunkSize.into()));
    }

    /// Every byte changed to every class of byte: an answer or an error, never a panic.
    #[test]
    fn no_byte_breaks_it() {
        let answer = chunked("{\"a\":1}\n{\"b\":2}\n", &[3, 9]);
        for at in 0..answer.len() {
            for byte in [0, b'\n', b'\r', b'0', b'f', b';', 0xff] {
                let mut changed = answer.clone();
                changed[at] = byte;
                let _ = read(&changed, 11, 32);
            }
        }
    }
}
