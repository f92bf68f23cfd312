//! One client connection: TLS, then HTTP requests, then perhaps a WebSocket.

use super::http::{self, Parsed};
use super::pipe::Pipe;
use crate::dialect::{ConnId, Dialect, Frame, WsRules};
use smc_core::TsNs;
use std::io::{ErrorKind, Read, Write};
use std::time::Duration;

use tungstenite::protocol::{Role, WebSocketConfig};
use tungstenite::{Error, Message, WebSocket};

const SECOND_NS: u64 = 1_000_000_000;

/// Longest WebSocket message a client may send.
const MESSAGE_MAX: usize = 64 << 10;

/// How a connection ends for good; nobody needs to know more.
#[derive(Debug)]
pub struct Gone;

/// The connection.
pub struct Conn {
    id: ConnId,
    state: State,
    /// How the venue treats it, once it is a WebSocket.
    rules: Option<WsRules>,
    /// Path and query of the upgrade.
    target: String,
    /// Start of the current second of message counting, and messages in it.
    counted: (u64, u32),
    /// When the last unanswered ping went out, in the edge's clock.
    ping_sent_ns: Option<u64>,
    last_ping_ns: u64,
    /// The next HTTP answer is the last: the client asked to close.
    is_last_answer: bool,
    /// Close once all is sent.
    is_closing: bool,
    /// Nothing is read of the client before this market time, and so nothing answered.
    pub asleep_until: TsNs,
    /// Whether a client's close frame is answered by one. In lock step it is not: a client that is gone reads
    /// no more, and the bytes would never balance.
    answers_close: bool,
}

enum State {
    Http {
        pipe: Box<Pipe>,
        bytes: Vec<u8>,
    },
    WebSocket(Box<WebSocket<Pipe>>),
    /// Only while a state turns into the next.
    Turning,
}

impl Conn {
    /// A connection just accepted.
    pub fn new(id: ConnId, pipe: Pipe, edge_now_ns: u64, answers_close: bool) -> Self {
        Self {
            id,
            state: State::Http { pipe: Box::new(pipe), bytes: Vec::new() },
            rules: None,
            target: String::new(),
            counted: (edge_now_ns, 0),
            ping_sent_ns: None,
            last_ping_ns: edge_now_ns,
            is_last_answer: false,
            is_closing: false,
            asleep_until: TsNs(0),
            answers_close,
        }
    }

    /// What its bytes go through.
    pub fn pipe(&self) -> Option<&Pipe> {
        match &self.state {
            State::Http { pipe, .. } => Some(pipe),
            State::WebSocket(socket) => Some(socket.get_ref()),
            State::Turning => None,
        }
    }

    /// Raw bytes sent and received.
    pub fn bytes(&self) -> (u64, u64) {
        self.pipe().map_or((0, 0), |pipe| (pipe.sent, pipe.received))
    }

    /// Whether it is a WebSocket whose path begins so.
    pub fn is_at(&self, path: &str) -> bool {
        matches!(self.state, State::WebSocket(_)) && self.target.starts_with(path)
    }

    /// Whether bytes wait for the socket.
    pub fn has_unsent(&self) -> bool {
        self.pipe().is_some_and(Pipe::has_unsent)
    }

    /// Sends one frame.
    pub fn send(&mut self, frame: Frame) -> Result<(), Gone> {
        match (&mut self.state, frame) {
            (State::WebSocket(socket), Frame::Text(text)) => {
                socket.send(Message::text(text)).map_err(|_| Gone)
            }
            (State::WebSocket(socket), Frame::Binary(bytes)) => {
                socket.send(Message::binary(bytes)).map_err(|_| Gone)
            }
            (State::WebSocket(socket), Frame::Http(bytes)) => write(socket.get_mut(), &bytes),
            (State::Http { pipe, .. }, Frame::Http(bytes)) => {
                self.is_closing |= self.is_last_answer;
                write(pipe, &bytes)
            }
            (State::Http { pipe, .. }, Frame::Part(bytes)) => write(pipe, &bytes),
            (_, Frame::Close) => {
                self.is_closing = true;
                Ok(())
            }
            (_, Frame::Torn(frame, share_ppm)) => self.tear(*frame, share_ppm),
            _ => Err(Gone),
        }
    }

    /// Lets the first bytes of a frame out and ends the connection there.
    fn tear(&mut self, frame: Frame, share_ppm: u32) -> Result<(), Gone> {
        // A socket that does not take what was sent before is torn there.
        self.flush()?;
        let pipe = match &mut self.state {
            State::Http { pipe, .. } => pipe.as_mut(),
            State::WebSocket(socket) => socket.get_mut(),
            State::Turning => return Err(Gone),
        };
        pipe.is_held = true;
        self.send(frame)?;
        let pipe = match &mut self.state {
            State::Http { pipe, .. } => pipe.as_mut(),
            State::WebSocket(socket) => socket.get_mut(),
            State::Turning => return Err(Gone),
        };
        let _ = pipe.tear(share_ppm);
        Err(Gone)
    }

    /// The connection's pipe, to let it linger.
    pub fn into_pipe(self) -> Option<Pipe> {
        match self.state {
            State::Http { pipe, .. } => Some(*pipe),
            State::WebSocket(socket) => Some(socket.into_inner()),
            State::Turning => None,
        }
    }

    /// Hands the socket what it takes. `Gone` when the connection was to close and all is sent.
    pub fn flush(&mut self) -> Result<(), Gone> {
        match &mut self.state {
            State::Http { pipe, .. } => pipe.flush().map_err(|_| Gone)?,
            State::WebSocket(socket) => socket.flush().map_err(|_| Gone)?,
            State::Turning => return Err(Gone),
        }
        if self.is_closing && !self.has_unsent() { Err(Gone) } else { Ok(()) }
    }

    /// Takes what the client says while it is kept waiting; `Gone` when it has given up. True when anything came.
    pub fn sleep(&mut self) -> Result<bool, Gone> {
        let before = self.bytes().1;
        let State::Http { pipe, .. } = &mut self.state else { return Ok(false) };
        if pipe.hoard() { Err(Gone) } else { Ok(self.bytes().1 != before) }
    }

    /// Whether it wants to be served though its client says nothing: bytes wait, it is to end, or it was kept waiting until
    /// now.
    pub fn is_due(&self, now: TsNs) -> bool {
        self.has_unsent() || self.is_closing || self.asleep_until > TsNs(0) && self.asleep_until <= now
    }

    /// Ends the waiting, if there was any; `Gone` when the client has given up meanwhile: nothing may be sent to it.
    pub fn wake(&mut self) -> Result<(), Gone> {
        if std::mem::replace(&mut self.asleep_until, TsNs(0)) > TsNs(0) {
            self.sleep()?;
        }
        Ok(())
    }

    /// Reads what the socket holds and hands it to the venue; HTTP requests are kept for [`Conn::answer`] when `is_held`.
    /// True when anything came.
    pub fn read(&mut self, venue: &mut dyn Dialect, edge_now_ns: u64, is_held: bool) -> Result<bool, Gone> {
        let before = self.bytes().1;
        if let State::Http { .. } = self.state {
            self.read_http(venue, is_held)?;
        }
        if let State::WebSocket(_) = self.state {
            self.read_messages(venue, edge_now_ns)?;
        }
        Ok(self.bytes().1 != before)
    }

    /// Method and target of a whole request that was read and not handed on.
    pub fn held(&self) -> Option<String> {
        let State::Http { bytes, .. } = &self.state else { return None };
        match http::parse(bytes) {
            Parsed::Request { request, .. } if !self.is_last_answer => {
                Some(format!("{} {}", request.method, request.target))
            }
            _ => None,
        }
    }

    /// Hands what was read to the venue.
    pub fn answer(&mut self, venue: &mut dyn Dialect) -> Result<(), Gone> {
        self.hand_on(venue, false)
    }

    fn read_http(&mut self, venue: &mut dyn Dialect, is_held: bool) -> Result<(), Gone> {
        let State::Http { pipe, bytes } = &mut self.state else { return Ok(()) };
        let mut chunk = [0u8; 4096];
        while bytes.len() <= http::REQUEST_MAX {
            match pipe.read(&mut chunk) {
                Ok(0) => return Err(Gone),
                Ok(n) => bytes.extend_from_slice(chunk.get(..n).unwrap_or_default()),
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(_) => return Err(Gone),
            }
        }
        self.hand_on(venue, is_held)
    }

    fn hand_on(&mut self, venue: &mut dyn Dialect, is_held: bool) -> Result<(), Gone> {
        loop {
            let State::Http { bytes, .. } = &mut self.state else { return Ok(()) };
            if bytes.is_empty() || self.is_last_answer {
                return Ok(());
            }
            match http::parse(bytes) {
                Parsed::Partial => return Ok(()),
                Parsed::Bad => return self.refuse(venue, 400),
                Parsed::Request { .. } if is_held => return Ok(()),
                Parsed::Request { request, len, is_last } => {
                    bytes.drain(..len);
                    venue.on_http(self.id, &request);
                    self.is_last_answer = is_last;
                }
                Parsed::Upgrade { target, headers, accept, len } => {
                    bytes.drain(..len);
                    return self.upgrade(venue, &target, &headers, &accept);
                }
            }
        }
    }

    fn refuse(&mut self, venue: &dyn Dialect, status: u16) -> Result<(), Gone> {
        self.is_last_answer = true;
        self.send(Frame::Http(venue.refusal(status)))
    }

    fn upgrade(
        &mut self,
        venue: &mut dyn Dialect,
        target: &str,
        headers: &[(String, String)],
        accept: &str,
    ) -> Result<(), Gone> {
        let Some(rules) = venue.open_with(self.id, target, headers) else {
            venue.close(self.id);
            return self.refuse(venue, venue.refused_upgrade());
        };
        // At once, not in turn with the frames: a peer in lock step that makes a connection anew is not quiet
        // before it has this, and nothing else is sent until it is quiet.
        self.send(Frame::Http(http::switching_protocols(accept)))?;
        self.rules = Some(rules);
        target.clone_into(&mut self.target);
        let State::Http { pipe, bytes } = std::mem::replace(&mut self.state, State::Turning) else {
            return Err(Gone);
        };
        let config = WebSocketConfig::default()
            .read_buffer_size(16 << 10)
            .write_buffer_size(0)
            .max_message_size(Some(MESSAGE_MAX))
            .max_frame_size(Some(MESSAGE_MAX));
        let socket = WebSocket::from_partially_read(*pipe, bytes, Role::Server, Some(config));
        self.state = State::WebSocket(Box::new(socket));
        Ok(())
    }

    fn read_messages(&mut self, venue: &mut dyn Dialect, edge_now_ns: u64) -> Result<(), Gone> {
        let most = self.rules.and_then(|rules| rules.messages_per_second);
        loop {
            let State::WebSocket(socket) = &mut self.state else { return Ok(()) };
            match socket.read() {
                Ok(Message::Close(_)) if !self.answers_close => return Err(Gone),
                Ok(message) => {
                    if let Message::Text(text) = &message {
                        venue.on_text(self.id, text.as_str());
                    }
                    if message.is_pong() {
                        self.ping_sent_ns = None;
                    }
                    if most.is_some_and(|most| self.count_message(edge_now_ns) > most) {
                        return Err(Gone);
                    }
                }
                Err(Error::Io(error)) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                Err(_) => return Err(Gone),
            }
        }
    }

    /// Counts one incoming message by the edge's clock; returns how many came within the second.
    fn count_message(&mut self, edge_now_ns: u64) -> u32 {
        if edge_now_ns.saturating_sub(self.counted.0) >= SECOND_NS {
            self.counted = (edge_now_ns, 0);
        }
        self.counted.1 += 1;
        self.counted.1
    }

    /// Pings the client when it is time; `Gone` when it has not answered for too long.
    /// Returns true when a ping went out.
    pub fn ping(&mut self, now_ns: u64) -> Result<bool, Gone> {
        let (State::WebSocket(socket), Some(rules)) = (&mut self.state, self.rules) else { return Ok(false) };
        let is_over =
            |since: u64, limit: Duration| u128::from(now_ns.saturating_sub(since)) > limit.as_nanos();
        if self.ping_sent_ns.is_some_and(|sent| is_over(sent, rules.pong_within)) {
            return Err(Gone);
        }
        let Some(every) = rules.ping_every else { return Ok(false) };
        if u128::from(now_ns.saturating_sub(self.last_ping_ns)) < every.as_nanos() {
            return Ok(false);
        }
        self.last_ping_ns = now_ns;
        self.ping_sent_ns.get_or_insert(now_ns);
        let payload = (now_ns / 1_000_000).to_string();
        socket.send(Message::Ping(payload.into_bytes().into())).map_err(|_| Gone)?;
        Ok(true)
    }
}

fn write(pipe: &mut Pipe, bytes: &[u8]) -> Result<(), Gone> {
    pipe.write_all(bytes).and_then(|()| pipe.flush()).map_err(|_| Gone)
}
