//! A WebSocket connection that lives from poll to poll.
//!
//! The caller's thread polls it; it connects, shakes hands, upgrades, reads, answers pings and flushes as it is polled
//! and at no other time. It reads no clock: how long connecting may take is the caller's to decide.

use aws_lc_rs::rand;

use crate::error::{NetError, TlsError};
use crate::link::{Endpoint, Link};
use crate::outbox::Lane;
use crate::ws::frame::{FrameWriter, MaskSource, Opcode};
use crate::ws::reader::{Frame, FrameReader};
use crate::ws::upgrade::Upgrade;

/// Reads of the socket in one poll: enough to empty it in calm times, few enough to let others have their turn.
const READS_PER_POLL_MAX: u32 = 4;
/// The longest frame header a server sends.
const HEADER_BYTES_MAX: usize = 14;

const CODE_NORMAL: u16 = 1000;
const CODE_PROTOCOL_ERROR: u16 = 1002;
const CODE_TOO_LARGE: u16 = 1009;

/// How much a connection may hold; all of it is allocated when connecting.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WsLimits {
    /// The longest message that is taken.
    pub message_bytes_max: usize,
    /// Bytes that may wait for the socket, TLS overhead included.
    pub send_buffer_bytes: usize,
}

impl Default for WsLimits {
    fn default() -> Self {
        Self { message_bytes_max: 1024 * 1024, send_buffer_bytes: 128 * 1024 }
    }
}

/// A WebSocket client over TLS.
pub struct WsClient {
    link: Link,
    reader: FrameReader,
    masks: MaskSource,
    phase: Phase,
}

enum Phase {
    /// Connecting, shaking hands or upgrading; true once the upgrade request was sent.
    Opening(Box<Upgrade>, bool),
    Open,
    /// We said goodbye and read on until the peer does.
    Closing,
    Dead(NetError),
}

impl WsClient {
    /// Starts to connect and returns at once; [`WsClient::poll`] does the rest. Only resolving a name may wait, so give
    /// the endpoint an address where that matters.
    pub fn connect(endpoint: &Endpoint, path_and_query: &str, limits: WsLimits) -> Result<Self, NetError> {
        Self::connect_with(endpoint, path_and_query, &[], limits)
    }

    /// The same with header lines of the caller's: some venues want a key at the upgrade.
    pub fn connect_with(
        endpoint: &Endpoint,
        path_and_query: &str,
        headers: &[(&str, &str)],
        limits: WsLimits,
    ) -> Result<Self, NetError> {
        let (mut seed, mut key) = ([0; 8], [0; 16]);
        rand::fill(&mut seed).and(rand::fill(&mut key)).map_err(|_| TlsError::Key)?;
        let upgrade = Upgrade::new(&endpoint.authority(), path_and_query, headers, key)?;
        let plain_bytes_max = limits.message_bytes_max.saturating_add(HEADER_BYTES_MAX);
        Ok(Self {
            link: Link::connect(endpoint, plain_bytes_max, limits.send_buffer_bytes)?,
            reader: FrameReader::new(limits.message_bytes_max),
            masks: MaskSource::new(u64::from_ne_bytes(seed)),
            phase: Phase::Opening(Box::new(upgrade), false),
        })
    }

    /// One bounded pass: sends what waits, reads what the socket holds, answers pings, and hands every whole message to
    /// `on_message`, in place in the receive buffer. Returns the messages handed over. An error means that the
    /// connection is dead; every later call returns the same one. Messages handed over before it stand.
    #[inline]
    pub fn poll<F>(&mut self, on_message: &mut F) -> Result<u32, NetError>
    where
        F: FnMut(&mut [u8]) + ?Sized,
    {
        if !matches!(self.phase, Phase::Open | Phase::Closing) && !self.open_step()? {
            return Ok(0);
        }
        self.turn(on_message).map_err(|error| self.die(error))
    }

    /// True between the upgrade and the first goodbye or error.
    #[inline]
    pub fn is_open(&self) -> bool {
        matches!(self.phase, Phase::Open)
    }

    /// True once only a new connection helps.
    pub fn is_dead(&self) -> bool {
        matches!(self.phase, Phase::Dead(_))
    }

    /// Masks, seals and writes one text message. What the socket does not take now is kept and flushed by
    /// [`WsClient::poll`]; when there is no room to keep it, nothing is sent and the connection lives on.
    #[inline]
    pub fn send_text(&mut self, payload: &[u8]) -> Result<(), NetError> {
        self.send_message(Opcode::Text, payload)
    }

    /// As [`WsClient::send_text`], with a binary message.
    pub fn send_binary(&mut self, payload: &[u8]) -> Result<(), NetError> {
        self.send_message(Opcode::Binary, payload)
    }

    /// Asks the peer for a sign of life; `payload` is cut to 125 bytes. Its pong is not reported.
    pub fn send_ping(&mut self, payload: &[u8]) -> Result<(), NetError> {
        self.send_message(Opcode::Ping, payload.get(..125).unwrap_or(payload))
    }

    /// Says goodbye, best effort; poll on to hear the peer's. Before the connection is open it is simply dropped.
    pub fn close(&mut self) {
        match self.phase {
            Phase::Open => {
                let sent = self.send_frame(Opcode::Close, &CODE_NORMAL.to_be_bytes(), Lane::Control);
                self.phase = Phase::Closing;
                if let Err(error) = sent {
                    self.die(error);
                }
            }
            Phase::Opening(..) => drop(self.die(NetError::Closed { code: None })),
            Phase::Closing | Phase::Dead(_) => {}
        }
    }

    /// Raw bytes read from the socket so far, TLS and handshake included.
    #[inline]
    pub fn bytes_received(&self) -> u64 {
        self.link.bytes_received()
    }

    /// Raw bytes that the socket took so far, TLS and handshake included.
    #[inline]
    pub fn bytes_sent(&self) -> u64 {
        self.link.bytes_sent()
    }

    /// Bytes that wait for the socket.
    #[inline]
    pub fn pending_send(&self) -> usize {
        self.link.pending_send()
    }

    fn turn<F>(&mut self, on_message: &mut F) -> Result<u32, NetError>
    where
        F: FnMut(&mut [u8]) + ?Sized,
    {
        self.link.flush()?;
        // Frames that came in the same record as the upgrade's answer.
        let mut messages = self.hand_over(on_message)?;
        for _ in 0..READS_PER_POLL_MAX {
            let is_more = self.link.receive()?;
            while self.link.open_next()? {
                messages += self.hand_over(on_message)?;
            }
            if !is_more {
                break;
            }
        }
        Ok(messages)
    }

    /// Hands over every whole message that is opened.
    fn hand_over<F>(&mut self, on_message: &mut F) -> Result<u32, NetError>
    where
        F: FnMut(&mut [u8]) + ?Sized,
    {
        let mut messages = 0;
        while !self.link.is_plain_empty() {
            let (consumed, frame) = self.reader.next(self.link.plain())?;
            match frame {
                Frame::Message { payload, .. } => {
                    on_message(payload);
                    messages += 1;
                }
                Frame::Incomplete => break,
                Frame::Fragment | Frame::Pong => {}
                Frame::Ping(payload) => {
                    let (copy, len) = copied(payload);
                    self.answer_ping(copy.get(..len).unwrap_or_default())?;
                }
                Frame::Close(code) => return Err(self.on_close(code)),
            }
            self.link.consume(consumed);
        }
        Ok(messages)
    }

    /// One step towards being open; an error is the end of the connection.
    #[cold]
    fn open_step(&mut self) -> Result<bool, NetError> {
        if let Phase::Dead(error) = &self.phase {
            return Err(error.clone());
        }
        self.upgrade_step().map_err(|error| {
            // The body of a refusal says more than the end of the connection that cut it short.
            let refusal = if let Phase::Opening(upgrade, _) = &self.phase { upgrade.refusal() } else { None };
            self.die(refusal.unwrap_or(error))
        })
    }

    fn upgrade_step(&mut self) -> Result<bool, NetError> {
        let Phase::Opening(upgrade, is_sent) = &mut self.phase else { return Ok(true) };
        if !self.link.advance()? {
            return Ok(false);
        }
        if !*is_sent {
            let request = upgrade.request();
            self.link.send(request.len(), Lane::Control, |offset, out| {
                out.iter_mut().zip(request.iter().skip(offset)).for_each(|(out, byte)| *out = *byte);
            })?;
            *is_sent = true;
        }
        self.link.flush()?;
        self.link.receive()?;
        while self.link.open_next()? {
            let (consumed, is_done) = upgrade.on_bytes(self.link.plain())?;
            self.link.consume(consumed);
            if is_done {
                self.phase = Phase::Open;
                return Ok(true);
            }
        }
        Ok(false)
    }

    #[inline]
    fn send_message(&mut self, opcode: Opcode, payload: &[u8]) -> Result<(), NetError> {
        match &self.phase {
            Phase::Open => {}
            Phase::Dead(error) => return Err(error.clone()),
            Phase::Opening(..) | Phase::Closing => return Err(NetError::NotOpen),
        }
        let sent = self.send_frame(opcode, payload, Lane::Data);
        sent.map_err(|error| if error.is_fatal() { self.die(error) } else { error })
    }

    #[inline]
    fn send_frame(&mut self, opcode: Opcode, payload: &[u8], lane: Lane) -> Result<(), NetError> {
        let frame = FrameWriter::new(opcode, payload, self.masks.next_key());
        self.link.send(frame.len(), lane, |offset, out| frame.fill(offset, out))
    }

    fn answer_ping(&mut self, payload: &[u8]) -> Result<(), NetError> {
        if !self.is_open() {
            return Ok(()); // after our own goodbye nothing more may be sent
        }
        match self.send_frame(Opcode::Pong, payload, Lane::Control) {
            // Data waits up to the limit and the room kept for pongs is used up too: nobody reads over there.
            Err(NetError::SendBufferFull { .. }) => Err(NetError::Stalled { pending: self.pending_send() }),
            other => other,
        }
    }

    #[cold]
    fn on_close(&mut self, code: Option<u16>) -> NetError {
        if self.is_open() {
            let echo = code.map(u16::to_be_bytes);
            let echo = echo.as_ref().map_or(&[][..], |code| code.as_slice());
            let _ = self.send_frame(Opcode::Close, echo, Lane::Control);
        }
        NetError::Closed { code }
    }

    /// Ends the connection, telling the peer why where there is something to tell.
    #[cold]
    fn die(&mut self, error: NetError) -> NetError {
        let code = match error {
            NetError::Ws(_) => Some(CODE_PROTOCOL_ERROR),
            NetError::TooLarge { .. } => Some(CODE_TOO_LARGE),
            _ => None,
        };
        if let Some(code) = code.filter(|_| self.is_open()) {
            let _ = self.send_frame(Opcode::Close, &code.to_be_bytes(), Lane::Control);
        }
        self.link.shut_down(&error);
        self.phase = Phase::Dead(error.clone());
        error
    }
}

/// A ping's payload lies in the receive buffer, which must be free while the answer is sent.
fn copied(payload: &[u8]) -> ([u8; 125], usize) {
    let mut copy = [0; 125];
    copy.iter_mut().zip(payload).for_each(|(out, byte)| *out = *byte);
    (copy, payload.len())
}

/// The pipelined topology moves connections to their own threads.
const _: () = {
    const fn is_send<T: Send>() {}
    is_send::<WsClient>();
    is_send::<crate::HttpClient>();
};
