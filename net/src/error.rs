//! What can go wrong between us and a peer, each by its name and with its numbers.

use std::net::SocketAddr;
use std::{fmt, io};

/// Why a call on a connection failed. Only what [`NetError::is_fatal`] claims ends the connection.
#[derive(Debug, Clone, PartialEq)]
pub enum NetError {
    /// The operating system refused a socket call.
    Io(io::ErrorKind),
    /// The host name could not be resolved.
    Resolve(io::ErrorKind),
    /// The host name resolved to no address.
    NoAddress,
    /// The host is neither a DNS name nor an IP address.
    HostName,
    /// A connection without TLS to an address that is not this machine.
    PlainBeyondLoopback(SocketAddr),
    /// A path, header name or header value holds bytes that would break the request apart.
    BadRequest(&'static str),
    /// The TLS layer failed.
    Tls(TlsError),
    /// The peer broke the WebSocket protocol.
    Ws(WsViolation),
    /// The peer broke HTTP.
    Http(HttpViolation),
    /// The peer answered the WebSocket upgrade with something other than 101.
    UpgradeRefused {
        /// HTTP status of the answer.
        status: u16,
        /// The first bytes of its body.
        body: Vec<u8>,
    },
    /// The peer answered a request for a stream with something other than 200.
    StreamRefused {
        /// HTTP status of the answer.
        status: u16,
        /// Its body.
        body: Vec<u8>,
    },
    /// A frame, message, head or body is larger than we agreed to take.
    TooLarge {
        /// Its announced or reached size.
        got: u64,
        /// The limit.
        max: u64,
    },
    /// The peer closed in an orderly way; `code` is its WebSocket close code where it gave one.
    Closed {
        /// WebSocket close code.
        code: Option<u16>,
    },
    /// The connection ended without the peer's goodbye, so what came before may be cut short.
    Truncated,
    /// What waits to be sent leaves no room for this; nothing of it was sent and the connection lives on.
    SendBufferFull {
        /// Bytes this would need.
        needed: usize,
        /// Bytes there are.
        free: usize,
    },
    /// The peer sends but has not read for so long that not even a pong finds room.
    Stalled {
        /// Bytes that wait to be sent.
        pending: usize,
    },
    /// The connection is not open yet.
    NotOpen,
    /// A request is already in flight.
    Busy,
    /// The time that the caller granted is over.
    TimedOut,
}

impl NetError {
    /// True when the connection is dead and only a new one helps.
    pub fn is_fatal(&self) -> bool {
        !matches!(self, Self::SendBufferFull { .. } | Self::NotOpen | Self::Busy | Self::BadRequest(_))
    }
}

impl fmt::Display for NetError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Io(kind) => write!(f, "socket: {kind}"),
            Self::Resolve(kind) => write!(f, "the host name could not be resolved: {kind}"),
            Self::NoAddress => f.write_str("the host name has no address"),
            Self::HostName => f.write_str("the host is neither a DNS name nor an IP address"),
            Self::PlainBeyondLoopback(address) => {
                write!(f, "without TLS only this machine is spoken to, not {address}")
            }
            Self::BadRequest(what) => write!(f, "the request holds forbidden bytes: {what}"),
            Self::Tls(e) => write!(f, "TLS: {e}"),
            Self::Ws(e) => write!(f, "the peer broke the WebSocket protocol: {e:?}"),
            Self::Http(e) => write!(f, "the peer broke HTTP: {e:?}"),
            Self::UpgradeRefused { status, body } => {
                write!(f, "upgrade refused with {status}: {}", String::from_utf8_lossy(body))
            }
            Self::StreamRefused { status, body } => {
                write!(f, "stream refused with {status}: {}", String::from_utf8_lossy(body))
            }
            Self::TooLarge { got, max } => write!(f, "{got} bytes where at most {max} are taken"),
            Self::Closed { code: Some(code) } => write!(f, "closed by the peer with code {code}"),
            Self::Closed { code: None } => f.write_str("closed by the peer"),
            Self::Truncated => f.write_str("the connection ended without a goodbye"),
            Self::SendBufferFull { needed, free } => {
                write!(f, "send buffer full: {needed} bytes needed, {free} free")
            }
            Self::Stalled { pending } => write!(f, "the peer does not read: {pending} bytes wait"),
            Self::NotOpen => f.write_str("the connection is not open"),
            Self::Busy => f.write_str("a request is already in flight"),
            Self::TimedOut => f.write_str("no answer in the time granted"),
        }
    }
}

impl std::error::Error for NetError {}

impl From<io::Error> for NetError {
    fn from(e: io::Error) -> Self {
        Self::Io(e.kind())
    }
}

impl From<TlsError> for NetError {
    fn from(e: TlsError) -> Self {
        Self::Tls(e)
    }
}

impl From<WsViolation> for NetError {
    fn from(e: WsViolation) -> Self {
        Self::Ws(e)
    }
}

impl From<HttpViolation> for NetError {
    fn from(e: HttpViolation) -> Self {
        Self::Http(e)
    }
}

/// What the TLS layer refused.
#[derive(Debug, Clone, PartialEq)]
pub enum TlsError {
    /// The given text is not PEM.
    BadPem,
    /// The given PEM holds no certificate.
    NoCertificate,
    /// The system's certificate bundle was found at none of the usual places.
    NoSystemRoots,
    /// Settings or certificates that rustls refused.
    Settings(rustls::Error),
    /// The handshake failed: a certificate that does not verify ends here.
    Handshake(rustls::Error),
    /// The peer spoke before it was asked to, inside the handshake.
    EarlyData,
    /// The handshake does not fit the receive buffer.
    HandshakeTooLarge {
        /// Bytes held without progress.
        got: usize,
    },
    /// The peer sent a fatal alert; the number is RFC 8446 section 6.
    Alert(u8),
    /// An alert that is not two bytes long.
    BadAlert,
    /// A record did not authenticate: damaged, replayed or not from the peer.
    BadRecord,
    /// A record longer than the protocol allows.
    RecordTooLarge {
        /// Its announced length.
        got: usize,
        /// The protocol's limit.
        max: usize,
    },
    /// A record shorter than its own overhead.
    RecordTooShort {
        /// Its announced length.
        got: usize,
    },
    /// A record whose content type has no place after the handshake.
    UnexpectedContent(u8),
    /// A handshake message that has no place after the handshake.
    UnexpectedHandshake(u8),
    /// A handshake message after the handshake that does not parse.
    BadHandshake,
    /// The key has sealed as many records as is safe and this protocol version cannot renew it.
    KeyLimit {
        /// Records sealed.
        records: u64,
    },
    /// The library could not make or renew a key.
    Key,
}

impl fmt::Display for TlsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Settings(e) => write!(f, "settings refused: {e}"),
            Self::Handshake(e) => write!(f, "handshake failed: {e}"),
            Self::Alert(code) => write!(f, "alert {code} from the peer"),
            other => write!(f, "{other:?}"),
        }
    }
}

impl std::error::Error for TlsError {}

/// The rule of RFC 6455 that the peer broke.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WsViolation {
    /// A reserved bit is set though no extension was agreed.
    ReservedBits,
    /// An opcode that the protocol does not know.
    Opcode(u8),
    /// A server must not mask.
    Masked,
    /// A control frame is split in fragments.
    ControlFragmented,
    /// A control frame is longer than 125 bytes.
    ControlTooLong,
    /// A length not in its shortest form, or with the top bit set.
    Length,
    /// A continuation of nothing.
    Continuation,
    /// A new message inside a fragmented one.
    Interleaved,
    /// A close frame with one byte, where a code has two.
    ClosePayload,
    /// The 101 answer lacks `Upgrade: websocket` or `Connection: upgrade`.
    UpgradeHeaders,
    /// `Sec-WebSocket-Accept` is absent or not the answer to our key.
    AcceptKey,
    /// The peer chose an extension or subprotocol that we did not offer.
    Extension,
}

/// The rule of HTTP/1.1 that the peer broke.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HttpViolation {
    /// The head does not parse.
    Head,
    /// More header lines than we take.
    TooManyHeaders,
    /// `Content-Length` is no number, or there are two that differ.
    ContentLength,
    /// A transfer coding other than `chunked`, or `chunked` beside a `Content-Length`.
    TransferEncoding,
    /// A chunk's size line does not parse.
    ChunkSize,
    /// A chunk is not followed by a line end, or a trailer line is too long.
    ChunkEnd,
    /// Bytes that answer no request.
    Unasked,
    /// A protocol switch that was not asked for.
    SwitchingProtocols,
}
