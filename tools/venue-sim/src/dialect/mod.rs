//! Dialects: what a venue says and understands. Requests in, answers and stream frames out.
//!
//! Pure: no socket, no clock. A dialect holds its exchange, the background market and every session; the server at the
//! edge hands it what came with the number of its connection, moves its clock, and sends the frames that it queues.

pub mod binance_spot;
pub mod binance_usdm;
pub mod bybit;
mod deed;
pub mod json;
pub mod oanda;
pub(crate) mod signature;
mod trouble;
mod truth;

pub use binance_spot::Venue;
pub use binance_usdm::UsdmVenue;
pub use deed::{Deed, HandOrder};
pub use trouble::{Asked, Farewell, Lane, Request, Said, Trouble};
pub use truth::{TrueBalance, TrueBook, TrueOrder, TruePosition, TrueTrade, Truth};

use smc_core::TsNs;
use std::time::Duration;

/// The server's number of a connection.
pub type ConnId = u64;

/// Something to send on one connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Frame {
    /// One WebSocket text message.
    Text(String),
    /// One WebSocket binary message.
    Binary(Vec<u8>),
    /// The bytes of one whole HTTP answer.
    Http(Vec<u8>),
    /// Bytes of an HTTP answer that goes on: its head, or chunks of it.
    Part(Vec<u8>),
    /// Nothing more: the connection is closed once everything before has gone out.
    Close,
    /// The first bytes of a frame on the wire, that many in a million of them, and the connection's end.
    Torn(Box<Frame>, u32),
}

/// One HTTP request.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HttpRequest {
    /// `GET`, `POST`, …
    pub method: String,
    /// Path and query.
    pub target: String,
    /// Header lines: names in lower case, values trimmed.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: String,
}

impl HttpRequest {
    /// The first header of a name in lower case.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(found, _)| found == name).map(|(_, value)| value.as_str())
    }
}

/// One order request as the venue received it, whatever became of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SeenOrder {
    /// Market time of receipt.
    pub ts: TsNs,
    /// The symbol as asked for.
    pub symbol: String,
    /// The client's name for the order; empty when it gave none.
    pub client_order_id: String,
    /// `order.place` or the like.
    pub method: String,
    /// The venue's number, or the code of the refusal.
    pub outcome: Result<u64, i32>,
}

impl SeenOrder {
    /// One line for the audit file: `ts_ns symbol client_order_id method accepted ID` or `… refused CODE`.
    pub fn line(&self) -> String {
        let outcome = match self.outcome {
            Ok(id) => format!("accepted {id}"),
            Err(code) => format!("refused {code}"),
        };
        let name = if self.client_order_id.is_empty() { "-" } else { &self.client_order_id };
        format!("{} {} {name} {} {outcome}", self.ts.0, self.symbol, self.method)
    }
}

/// What the venue has done so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Summary {
    /// Order requests received.
    pub orders_received: u64,
    /// Order requests accepted.
    pub orders_accepted: u64,
    /// Cancels done.
    pub cancels: u64,
    /// Fills of clients' orders.
    pub fills: u64,
    /// Frames queued for connections.
    pub frames_out: u64,
}

/// How the venue's WebSocket server treats a client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WsRules {
    /// The server pings so often; none where the client has to.
    pub ping_every: Option<Duration>,
    /// A client that answers no ping for this long is cut off.
    pub pong_within: Duration,
    /// Messages a client may send per second, pongs included, before it is cut off.
    pub messages_per_second: Option<u32>,
}

/// What the server asks of a dialect.
pub trait Dialect: Send {
    /// Lets what the venue sends by the clock breathe every so often instead of at its own pace; before the market
    /// starts. A venue of a market in which days pass in seconds.
    fn set_tick(&mut self, tick: Duration);
    /// Market time.
    fn now(&self) -> TsNs;
    /// When something happens next by itself.
    fn next_due(&self) -> TsNs;
    /// Whether the background market has no operation left.
    fn is_market_over(&self) -> bool;
    /// Moves the clock without doing anything; it never passes what is due, and never goes back.
    fn set_now(&mut self, now: TsNs);
    /// Moves the clock to what is due next and does it. Returns true when it was a tick.
    fn step(&mut self) -> bool;
    /// Opens a WebSocket on a path; none when the venue has no such path or something in it is malformed.
    fn open(&mut self, conn: ConnId, target: &str) -> Option<WsRules>;
    /// The same with the request's header lines, names in lower case; most venues look at none.
    fn open_with(&mut self, conn: ConnId, target: &str, _headers: &[(String, String)]) -> Option<WsRules> {
        self.open(conn, target)
    }
    /// Takes one text message of a connection.
    fn on_text(&mut self, conn: ConnId, text: &str);
    /// Takes one HTTP request.
    fn on_http(&mut self, conn: ConnId, request: &HttpRequest);
    /// The answer to what is no request, or to an upgrade that was refused: its connection ends with it.
    fn refusal(&self, status: u16) -> Vec<u8>;
    /// Forgets a connection.
    fn close(&mut self, conn: ConnId);
    /// The next frame to send.
    fn pop_frame(&mut self) -> Option<(ConnId, Frame)>;
    /// Every order request ever received, oldest first.
    fn orders_seen(&self) -> &[SeenOrder];
    /// The orders seen since the last call, for the audit file.
    fn take_unaudited(&mut self) -> &[SeenOrder];
    /// What the venue has done so far.
    fn summary(&self) -> Summary;

    /// New connections that one second of the wall clock takes; more are refused. None: as many as come.
    fn connections_per_second(&self) -> Option<u32> {
        None
    }

    /// What is so at the venue, of one account and of the books.
    fn truth(&self, _account: usize) -> Truth {
        Truth::default()
    }

    // What faults ask, so that they need not know a venue's words.

    /// Whom a WebSocket path serves.
    fn lane(&self, _target: &str) -> Lane {
        Lane::Market
    }

    /// What a text of the venue is.
    fn said(&self, _text: &str) -> Said {
        Said::Market
    }

    /// Whom an HTTP connection serves on which an answer goes on and on, a line at a time; none while it does not.
    fn line_stream(&self, _conn: ConnId) -> Option<Lane> {
        None
    }

    /// Whether orders come over HTTP alone, so that its connections are the way of orders.
    fn takes_orders_by_http(&self) -> bool {
        false
    }

    /// What a request of a client is for.
    fn asked(&self, _request: Request<'_>) -> Asked {
        Asked::Other
    }

    /// Whether a refusal under a status tells until when to wait.
    fn tells_when(&self, status: u16) -> bool {
        status != 403
    }

    /// Whether each kind of request has a limit of its own, so that too many of one leave the others free.
    fn keeps_limits_apart(&self) -> bool {
        false
    }

    /// Whether a request asks for a picture of a book.
    fn is_snapshot(&self, _request: &HttpRequest) -> bool {
        false
    }

    /// The refusal of a text that a client sent; none where the venue has no such answer and stays silent.
    fn refuse_text(&self, _conn: ConnId, _text: &str, _trouble: Trouble) -> Option<String> {
        None
    }

    /// The refusal of an HTTP request.
    fn refuse_http(&self, trouble: Trouble) -> Vec<u8> {
        answer(trouble.status, &trouble.retry_after(self.now()), "{}")
    }

    /// Queues what the venue says when something ends, or the end alone where it says nothing; false where nothing of
    /// the kind can end on this connection.
    fn announce_end(&mut self, _conn: ConnId, _farewell: Farewell) -> bool {
        false
    }

    /// Lets the market fill a resting order of a client in part (`share_ppm` of its rest) or whole: the one that a
    /// cancel names, else any. False when there is none.
    fn fill_resting(&mut self, _cancel: Option<Request<'_>>, _share_ppm: u32) -> bool {
        false
    }

    /// Lets something happen that no request asks for; false where it cannot.
    fn stage(&mut self, _deed: &Deed) -> bool {
        false
    }

    // What the server asks, and only a venue with faults answers otherwise.

    /// How long a connection just accepted is left without an answer.
    fn handshake_delay(&mut self) -> Duration {
        Duration::ZERO
    }

    /// The status under which the last upgrade was refused.
    fn refused_upgrade(&self) -> u16 {
        404
    }

    /// No faults until further notice, or faults again.
    fn hold_faults(&mut self, _is_held: bool) {}

    /// How often which fault has struck; none on a venue without faults.
    fn faults(&self) -> Option<&crate::faults::Counts> {
        None
    }
}

/// The bytes of an HTTP answer. `head` holds further header lines, each with its line end.
pub fn answer(status: u16, head: &str, body: &str) -> Vec<u8> {
    let reason = match status {
        200 => "OK",
        201 => "Created",
        400 => "Bad Request",
        401 => "Unauthorized",
        403 => "Forbidden",
        404 => "Not Found",
        405 => "Method Not Allowed",
        416 => "Range Not Satisfiable",
        418 => "I'm a teapot",
        429 => "Too Many Requests",
        503 => "Service Unavailable",
        _ => "Error",
    };
    let length = body.len();
    format!(
        "HTTP/1.1 {status} {reason}\r\nContent-Type: application/json;charset=UTF-8\r\nContent-Length: {length}\r\n{head}\r\n{body}"
    )
    .into_bytes()
}
