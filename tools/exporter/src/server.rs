//! The port: one thread at low priority, a bounded number of connections, one answer on each.
//!
//! Who is slow is dropped: a request has two seconds to come whole, its answer two seconds to be taken. Connections beyond
//! the limit are told 503 and closed at once; they are accepted at a bounded rate, and wait in the kernel's queue beyond it.

use crate::host::Jitter;
use crate::http::{Answer, Parsed, REQUEST_MAX, parse};
use crate::metrics::{Reading, page};
use crate::source::{Health, Source};
use crate::text::Format;
use mio::net::{TcpListener, TcpStream};
use mio::{Events, Interest, Poll, Token, Waker};
use std::io::{self, ErrorKind, Read, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// Connections served at once.
const CONNECTIONS_MAX: usize = 16;
/// For a request to come whole, and again for its answer to be taken.
const TIME_MAX: Duration = Duration::from_secs(2);
/// A page is made anew only when it is older.
const PAGE_AGE_MAX: Duration = Duration::from_millis(250);
/// Connections accepted in a second, and in a burst.
const ACCEPTS_PER_SECOND: f64 = 200.0;
const ACCEPTS_BURST: f64 = 50.0;
/// The longest sleep: so often it is looked who is late.
const LOOK_EVERY: Duration = Duration::from_millis(100);
/// What a peer says behind its request is taken up to here, so that the answer is not taken back; who says more loses it.
const DRAINED_MAX: usize = 64 << 10;
/// What the thread steps back by; the engine's threads stand at 0.
const NICE: i32 = 10;

const LISTENER: Token = Token(CONNECTIONS_MAX);
const WAKE: Token = Token(CONNECTIONS_MAX + 1);

/// Why there is no port.
#[derive(Debug)]
pub enum ExporterError {
    /// Not an address.
    Address(String),
    /// It cannot be listened on.
    Listen(SocketAddr, io::Error),
    /// A thread could not be started.
    Thread(io::Error),
}

impl std::fmt::Display for ExporterError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Address(text) => write!(f, "metrics address `{text}`: expected a port or IP:PORT"),
            Self::Listen(address, error) => write!(f, "metrics port {address}: {error}"),
            Self::Thread(error) => write!(f, "metrics: a thread could not be started: {error}"),
        }
    }
}

impl std::error::Error for ExporterError {}

/// A port that is ours and serves nobody yet: what cannot be had is known before an engine starts.
pub struct Port {
    address: SocketAddr,
    listener: TcpListener,
    poll: Poll,
    waker: Waker,
}

impl Port {
    /// Listens on `address`: `9464` (of this machine alone) or `IP:PORT`. Port 0 takes any.
    pub fn open(address: &str) -> Result<Self, ExporterError> {
        let unknown = || ExporterError::Address(address.into());
        let asked = match address.parse::<u16>() {
            Ok(port) => SocketAddr::from((Ipv4Addr::LOCALHOST, port)),
            Err(_) => address.parse().map_err(|_| unknown())?,
        };
        let failed = |error| ExporterError::Listen(asked, error);
        let mut listener = TcpListener::bind(asked).map_err(failed)?;
        let address = listener.local_addr().map_err(failed)?;
        let poll = Poll::new().map_err(failed)?;
        poll.registry().register(&mut listener, LISTENER, Interest::READABLE).map_err(failed)?;
        let waker = Waker::new(poll.registry(), WAKE).map_err(failed)?;
        Ok(Self { address, listener, poll, waker })
    }

    /// Where it listens.
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Serves what `source` tells, from a thread of its own, until what is given back is dropped.
    pub fn serve(self, source: Source) -> Result<Exporter, ExporterError> {
        let Self { address, listener, poll, waker } = self;
        let jitter = Jitter::start().map_err(ExporterError::Thread)?;
        let stop = Arc::new(AtomicBool::new(false));
        let server = Server {
            poll,
            listener,
            connections: Default::default(),
            can_accept: true,
            tokens: ACCEPTS_BURST,
            refilled_at: Instant::now(),
            pages: Pages { source, jitter, scrapes: 0, refused: 0, health: Health::Good, made: [None, None] },
        };
        let until = stop.clone();
        let body = move || server.serve(&until);
        let thread = std::thread::Builder::new().name("metrics".into()).spawn(body);
        let thread = Some(thread.map_err(ExporterError::Thread)?);
        Ok(Exporter { address, stop, waker, thread })
    }
}

/// A port that serves; ends when it is dropped.
pub struct Exporter {
    address: SocketAddr,
    stop: Arc<AtomicBool>,
    waker: Waker,
    thread: Option<JoinHandle<()>>,
}

impl Exporter {
    /// Where it listens.
    pub const fn address(&self) -> SocketAddr {
        self.address
    }
}

impl Drop for Exporter {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Release);
        let _ = self.waker.wake();
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// The calling thread lets others go first. A wish: where it is refused only the machine's shares change.
pub(crate) fn step_back() {
    // Of Linux: a priority set by a thread's id is that thread's alone.
    let _ = rustix::process::setpriority_process(Some(rustix::thread::gettid()), NICE);
}

struct Server {
    poll: Poll,
    listener: TcpListener,
    connections: [Option<Connection>; CONNECTIONS_MAX],
    /// Somebody may be waiting: readiness is told once.
    can_accept: bool,
    tokens: f64,
    refilled_at: Instant,
    pages: Pages,
}

struct Connection {
    stream: TcpStream,
    /// What came so far.
    request: Vec<u8>,
    /// What goes out, once asked.
    answer: Option<Outgoing>,
    deadline: Instant,
}

struct Outgoing {
    head: String,
    body: Arc<str>,
    sent: usize,
}

/// Pages as they were made last, by form.
struct Pages {
    source: Source,
    jitter: Jitter,
    scrapes: u64,
    refused: u64,
    health: Health,
    made: [Option<(Instant, Arc<str>)>; 2],
}

impl Server {
    fn serve(mut self, stop: &AtomicBool) {
        step_back();
        let mut events = Events::with_capacity(CONNECTIONS_MAX + 2);
        while !stop.load(Ordering::Acquire) {
            if let Err(error) = self.poll.poll(&mut events, Some(LOOK_EVERY))
                && error.kind() != ErrorKind::Interrupted
            {
                eprintln!("smc: the metrics port ends here: {error}");
                return;
            }
            for event in &events {
                match event.token() {
                    LISTENER => self.can_accept = true,
                    WAKE => {}
                    Token(at) => self.turn(at),
                }
            }
            self.drop_late();
            self.accept();
        }
    }

    fn accept(&mut self) {
        let now = Instant::now();
        let passed = now.saturating_duration_since(self.refilled_at).as_secs_f64();
        self.refilled_at = now;
        self.tokens = (self.tokens + passed * ACCEPTS_PER_SECOND).min(ACCEPTS_BURST);
        while self.can_accept && self.tokens >= 1.0 {
            let stream = match self.listener.accept() {
                Ok((stream, _)) => stream,
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    self.can_accept = false;
                    return;
                }
                // One connection that is gone already, or no descriptors left: the next look tries again.
                Err(_) => return,
            };
            self.tokens -= 1.0;
            match self.connections.iter().position(Option::is_none) {
                Some(at) => self.admit(at, stream),
                None => self.refuse(stream),
            }
        }
    }

    fn admit(&mut self, at: usize, mut stream: TcpStream) {
        let interest = Interest::READABLE | Interest::WRITABLE;
        if self.poll.registry().register(&mut stream, Token(at), interest).is_err() {
            return;
        }
        let deadline = Instant::now() + TIME_MAX;
        self.connections[at] = Some(Connection { stream, request: Vec::new(), answer: None, deadline });
        self.turn(at);
    }

    /// A few bytes always fit into a fresh socket.
    fn refuse(&mut self, mut stream: TcpStream) {
        self.pages.refused += 1;
        let _ = stream.write(head(503, "text/plain", 0).as_bytes());
        let _ = stream.shutdown(Shutdown::Both);
    }

    fn drop_late(&mut self) {
        let now = Instant::now();
        for slot in &mut self.connections {
            if slot.as_ref().is_some_and(|connection| now >= connection.deadline) {
                *slot = None;
            }
        }
    }

    fn turn(&mut self, at: usize) {
        let Some(slot) = self.connections.get_mut(at) else { return };
        let Some(connection) = slot else { return };
        if !connection.turn(&mut self.pages).unwrap_or(false) {
            *slot = None;
        }
    }
}

impl Connection {
    /// Reads and writes what can be; false when it is done.
    fn turn(&mut self, pages: &mut Pages) -> io::Result<bool> {
        let mut chunk = [0; 2_048];
        while self.answer.is_none() {
            match self.stream.read(&mut chunk) {
                Ok(0) => return Ok(false),
                Ok(count) => self.request.extend_from_slice(&chunk[..count]),
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(true),
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                Err(error) => return Err(error),
            }
            if let Parsed::Done(answer) = parse(&self.request) {
                self.answer = Some(pages.answer(answer));
                self.deadline = Instant::now() + TIME_MAX;
            }
            assert!(self.request.len() < REQUEST_MAX + chunk.len(), "the parser lets nothing grow further");
        }
        let Some(answer) = &mut self.answer else { return Ok(true) };
        while let Some(rest) = answer.rest() {
            match self.stream.write(rest) {
                Ok(0) => return Ok(false),
                Ok(count) => answer.sent += count,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(true),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        // What else the peer has said would make the kernel reset the connection, and with it take our answer back.
        let _ = self.stream.shutdown(Shutdown::Write);
        drain(&mut self.stream, self.deadline);
        Ok(false)
    }
}

/// Reads what is there, in bounds: one that never ends would hold up everybody.
fn drain(stream: &mut impl Read, deadline: Instant) {
    let (mut chunk, mut taken) = ([0; 2_048], 0);
    while taken < DRAINED_MAX && Instant::now() < deadline {
        match stream.read(&mut chunk) {
            Ok(count) if count > 0 => taken += count,
            _ => return,
        }
    }
}

impl Outgoing {
    fn rest(&self) -> Option<&[u8]> {
        let head = self.head.as_bytes();
        let rest = match self.sent.checked_sub(head.len()) {
            None => &head[self.sent..],
            Some(sent) => &self.body.as_bytes()[sent..],
        };
        (!rest.is_empty()).then_some(rest)
    }
}

impl Pages {
    fn answer(&mut self, answer: Answer) -> Outgoing {
        let (status, kind, body) = match answer {
            Answer::Metrics(format) => {
                self.scrapes += 1;
                (200, format.content_type(), self.page(format))
            }
            Answer::Health => {
                self.page(Format::Prometheus);
                let status = if self.health == Health::Good { 200 } else { 503 };
                (status, "text/plain; charset=utf-8", format!("{}\n", self.health.word()).into())
            }
            Answer::NotFound => (404, "text/plain", "metrics are at /metrics, health at /healthz\n".into()),
            Answer::NotAllowed => (405, "text/plain", "GET only\n".into()),
            Answer::Bad => (400, "text/plain", "not a request that is served here\n".into()),
        };
        Outgoing { head: head(status, kind, body.len()), body, sent: 0 }
    }

    /// The page, made anew if it is too old.
    fn page(&mut self, format: Format) -> Arc<str> {
        if let Some((made_at, page)) = &self.made[format as usize]
            && made_at.elapsed() < PAGE_AGE_MAX
        {
            return page.clone();
        }
        let (jitter, scrapes, scrapes_refused) = (self.jitter.late(), self.scrapes, self.refused);
        let reading = Reading { jitter, scrapes, scrapes_refused, ..self.source.read() };
        self.health = self.source.health(&reading);
        let page: Arc<str> = page(&reading, format).into();
        self.made[format as usize] = Some((Instant::now(), page.clone()));
        page
    }
}

fn head(status: u16, kind: &str, length: usize) -> String {
    let reason = match status {
        200 => "OK",
        400 => "Bad Request",
        404 => "Not Found",
        405 => "Method Not Allowed",
        _ => "Service Unavailable",
    };
    let allow = if status == 405 { "Allow: GET\r\n" } else { "" };
    format!(
        "HTTP/1.1 {status} {reason}\r\nContent-Type: {kind}\r\nContent-Length: {length}\r\n{allow}\
         Cache-Control: no-store\r\nConnection: close\r\n\r\n"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A peer that always has more to say.
    struct Endless(usize);

    impl Read for Endless {
        fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
            self.0 += bytes.len();
            assert!(self.0 <= 2 * DRAINED_MAX, "there is no end");
            Ok(bytes.len())
        }
    }

    #[test]
    fn who_never_stops_talking_is_not_listened_to_for_ever() {
        let mut peer = Endless(0);
        drain(&mut peer, Instant::now() + TIME_MAX);
        assert_eq!(peer.0, DRAINED_MAX);
        drain(&mut peer, Instant::now());
        assert_eq!(peer.0, DRAINED_MAX, "nor beyond its time");
    }
}
