//! The socket edge: the one file that reads and writes sockets, and joins them to the TLS session.
//!
//! Runs on the caller's thread. It never blocks: readiness is asked of mio only while the connection is being made;
//! after that the socket is read directly, which is about 90 ns cheaper per look than asking first.

use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, ToSocketAddrs};
use std::time::Duration;

use mio::net::TcpStream;
use mio::{Events, Interest, Poll, Token};

use crate::error::{NetError, TlsError};
use crate::inbox::Inbox;
use crate::outbox::{Lane, Outbox};
use crate::stamp;
use crate::tls::record::{Alert, Opened, RecordLayer};
use crate::tls::session::{Handshake, Step};
use crate::tls::settings::TlsSettings;

/// Reads of 4 KiB after the end of a connection.
const DRAIN_READS_MAX: u32 = 64;

/// Whom to talk to and whom to trust about it.
#[derive(Clone, Debug)]
pub struct Endpoint {
    /// The name that the certificate must carry, and that HTTP names as host.
    pub host: String,
    /// TCP port.
    pub port: u16,
    /// Where to connect instead of asking the resolver.
    pub address: Option<SocketAddr>,
    /// Trust and ciphers.
    pub tls: TlsSettings,
}

impl Endpoint {
    /// The value of the `Host` header.
    pub(crate) fn authority(&self) -> String {
        let host = if self.host.contains(':') { format!("[{}]", self.host) } else { self.host.clone() };
        if self.port == 443 { host } else { format!("{host}:{}", self.port) }
    }

    /// IPv4 first: the venues' IPv6 addresses, where there are any, are often the longer way.
    fn resolve(&self) -> Result<SocketAddr, NetError> {
        if let Some(address) = self.address {
            return Ok(address);
        }
        let found = (self.host.as_str(), self.port).to_socket_addrs();
        let found: Vec<SocketAddr> = found.map_err(|e| NetError::Resolve(e.kind()))?.collect();
        let first = found.iter().find(|a| a.is_ipv4()).or(found.first());
        first.copied().ok_or(NetError::NoAddress)
    }
}

/// One TLS connection over one socket; to this machine also one without TLS.
pub(crate) struct Link {
    stream: TcpStream,
    phase: Phase,
    inbox: Inbox,
    outbox: Outbox,
    /// Raw socket bytes, TLS and handshake included: a simulator in lock step compares them with its own counts.
    bytes_received: u64,
    bytes_sent: u64,
    /// The peer's side of the socket is finished; what was received before still counts.
    is_at_end: bool,
}

enum Phase {
    Connecting(Box<Connecting>),
    Handshaking(Handshake),
    Open(Box<RecordLayer>),
    /// Open without TLS.
    Plain,
    /// Broken during the handshake, or shut down.
    Gone,
}

/// What only the time of connecting needs.
struct Connecting {
    poll: Poll,
    events: Events,
    /// None without TLS.
    handshake: Option<Handshake>,
}

impl Link {
    /// Starts to connect and returns at once. Resolving a name may wait for the resolver; give an address to avoid it.
    pub(crate) fn connect(
        endpoint: &Endpoint,
        plain_bytes_max: usize,
        send_bytes_max: usize,
    ) -> Result<Self, NetError> {
        let handshake = Handshake::new(&endpoint.tls, &endpoint.host)?;
        let address = endpoint.resolve()?;
        if handshake.is_none() && !address.ip().is_loopback() {
            return Err(NetError::PlainBeyondLoopback(address));
        }
        let mut stream = TcpStream::connect(address)?;
        let poll = Poll::new()?;
        poll.registry().register(&mut stream, Token(0), Interest::WRITABLE)?;
        let connecting = Connecting { poll, events: Events::with_capacity(4), handshake };
        Ok(Self {
            stream,
            phase: Phase::Connecting(Box::new(connecting)),
            inbox: Inbox::new(plain_bytes_max),
            outbox: Outbox::new(send_bytes_max),
            bytes_received: 0,
            bytes_sent: 0,
            is_at_end: false,
        })
    }

    pub(crate) fn bytes_received(&self) -> u64 {
        self.bytes_received
    }

    pub(crate) fn bytes_sent(&self) -> u64 {
        self.bytes_sent
    }

    /// True once data can flow, until the connection is shut down.
    pub(crate) fn is_open(&self) -> bool {
        matches!(self.phase, Phase::Open(_) | Phase::Plain)
    }

    pub(crate) fn pending_send(&self) -> usize {
        self.outbox.pending()
    }

    /// One step of connecting and shaking hands. True once data can flow.
    #[cold]
    pub(crate) fn advance(&mut self) -> Result<bool, NetError> {
        match std::mem::replace(&mut self.phase, Phase::Gone) {
            Phase::Connecting(mut connecting) => {
                if !self.is_connected(&mut connecting)? {
                    self.phase = Phase::Connecting(connecting);
                    return Ok(false);
                }
                connecting.poll.registry().deregister(&mut self.stream)?;
                self.stream.set_nodelay(true)?;
                let Some(handshake) = connecting.handshake else {
                    self.phase = Phase::Plain;
                    return Ok(true);
                };
                self.shake_hands(handshake)
            }
            Phase::Handshaking(handshake) => {
                self.receive()?;
                self.shake_hands(handshake)
            }
            open @ (Phase::Open(_) | Phase::Plain) => {
                self.phase = open;
                Ok(true)
            }
            Phase::Gone => Err(NetError::NotOpen),
        }
    }

    fn is_connected(&mut self, connecting: &mut Connecting) -> Result<bool, NetError> {
        match connecting.poll.poll(&mut connecting.events, Some(Duration::ZERO)) {
            Err(e) if e.kind() == ErrorKind::Interrupted => return Ok(false),
            other => other?,
        }
        if connecting.events.is_empty() {
            return Ok(false);
        }
        if let Some(error) = self.stream.take_error()? {
            return Err(error.into());
        }
        match self.stream.peer_addr() {
            Ok(_) => Ok(true),
            Err(e) if e.kind() == ErrorKind::NotConnected => Ok(false),
            Err(e) => Err(e.into()),
        }
    }

    fn shake_hands(&mut self, handshake: Handshake) -> Result<bool, NetError> {
        let step = handshake.step(&mut self.inbox, &mut self.outbox);
        let flushed = self.flush();
        match step? {
            Step::Going(handshake) => {
                flushed?;
                if self.is_at_end {
                    return Err(NetError::Truncated);
                }
                self.phase = Phase::Handshaking(handshake);
                Ok(false)
            }
            Step::Done(records) => {
                flushed?;
                self.phase = Phase::Open(records);
                Ok(true)
            }
        }
    }

    /// Reads the socket once, straight into the buffer where it will be opened. True when there may be more.
    pub(crate) fn receive(&mut self) -> Result<bool, NetError> {
        let space = self.inbox.space();
        let room = space.len();
        if room == 0 {
            return match self.phase {
                Phase::Open(_) | Phase::Plain => Ok(false),
                _ => Err(TlsError::HandshakeTooLarge { got: self.inbox.cipher().len() }.into()),
            };
        }
        match self.stream.read(space) {
            Ok(0) => {
                self.is_at_end = true;
                Ok(false)
            }
            Ok(count) => {
                stamp::received();
                self.inbox.received(count);
                self.bytes_received += count as u64;
                // A read that did not fill the room has emptied the socket: no second look needed.
                Ok(count == room)
            }
            Err(e) if e.kind() == ErrorKind::WouldBlock => Ok(false),
            Err(e) if e.kind() == ErrorKind::Interrupted => Ok(true),
            Err(e) => Err(e.into()),
        }
    }

    /// Opens records until one adds payload. False when no whole record is left; an error once the peer has ended.
    pub(crate) fn open_next(&mut self) -> Result<bool, NetError> {
        let records = match &mut self.phase {
            Phase::Open(records) => records,
            Phase::Plain => return self.take_plain(),
            _ => return Err(NetError::NotOpen),
        };
        loop {
            match records.open(self.inbox.cipher())? {
                Opened::Payload { record_len, at, len } => {
                    self.inbox.opened(record_len, at, len);
                    return Ok(true);
                }
                Opened::Handled { record_len } => self.inbox.discard_cipher(record_len),
                Opened::CloseNotify => return Err(NetError::Closed { code: None }),
                Opened::Incomplete if self.is_at_end => return Err(NetError::Truncated),
                Opened::Incomplete => return Ok(false),
            }
        }
    }

    /// As [`Link::open_next`], without TLS. The end of the stream is no goodbye that could be believed.
    #[cold]
    fn take_plain(&mut self) -> Result<bool, NetError> {
        if self.inbox.cipher().is_empty() {
            return if self.is_at_end { Err(NetError::Truncated) } else { Ok(false) };
        }
        self.inbox.opened_all();
        Ok(true)
    }

    /// What was opened and not consumed.
    pub(crate) fn plain(&mut self) -> &mut [u8] {
        self.inbox.plain()
    }

    /// True when every opened byte was consumed.
    pub(crate) fn is_plain_empty(&self) -> bool {
        self.inbox.is_plain_empty()
    }

    /// Drops the first `count` opened bytes.
    pub(crate) fn consume(&mut self, count: usize) {
        self.inbox.consume(count);
    }

    /// Seals `len` bytes, which `fill(offset, out)` writes piece by piece, and gives them to the socket. Refuses all of
    /// it when the send buffer has no room.
    #[inline]
    pub(crate) fn send(
        &mut self,
        len: usize,
        lane: Lane,
        mut fill: impl FnMut(usize, &mut [u8]),
    ) -> Result<(), NetError> {
        match &mut self.phase {
            Phase::Open(records) => records.seal_into(&mut self.outbox, len, lane, fill)?,
            Phase::Plain => {
                self.outbox.reserve(len, lane)?;
                fill(0, self.outbox.append(len));
            }
            _ => return Err(NetError::NotOpen),
        }
        stamp::sealed();
        self.flush()
    }

    /// Gives the socket what it takes of the bytes that wait.
    #[inline]
    pub(crate) fn flush(&mut self) -> Result<(), NetError> {
        while self.outbox.pending() > 0 {
            match self.stream.write(self.outbox.unsent()) {
                Ok(0) => return Err(NetError::Io(ErrorKind::WriteZero)),
                Ok(count) => {
                    self.outbox.sent(count);
                    self.bytes_sent += count as u64;
                }
                Err(e) if e.kind() == ErrorKind::WouldBlock => break,
                Err(e) if e.kind() == ErrorKind::Interrupted => {}
                Err(e) => return Err(e.into()),
            }
        }
        Ok(())
    }

    /// Says goodbye as far as the socket takes it now, telling the peer of a TLS error, and shuts the socket down.
    #[cold]
    pub(crate) fn shut_down(&mut self, reason: &NetError) {
        let alert = match reason {
            NetError::Tls(error) => Alert::of(error),
            NetError::Io(_) | NetError::Truncated => None,
            _ => Some(Alert::CloseNotify),
        };
        if let (Phase::Open(records), Some(alert)) = (&mut self.phase, alert) {
            let _ = records.seal_alert_into(&mut self.outbox, alert);
        }
        let _ = self.flush();
        let _ = self.stream.shutdown(Shutdown::Write);
        self.drain();
        self.phase = Phase::Gone;
    }

    /// Reads and counts what the peer had already sent: closing a socket with unread bytes would make the system reset
    /// the connection, and our goodbye could be lost.
    fn drain(&mut self) {
        let mut scrap = [0; 4096];
        for _ in 0..DRAIN_READS_MAX {
            match self.stream.read(&mut scrap) {
                Ok(0) | Err(_) => return,
                Ok(count) => self.bytes_received += count as u64,
            }
        }
    }
}
