//! The control port: a Unix socket that speaks one JSON object per line, on a thread of its own.
//!
//! A request that changes anything becomes an event in the engine's control ring: ordered, journaled, replayed.
//! The answer says that the event was queued, not what it did; `status` and `watch` tell what happened. Reading
//! never touches the hot thread: numbers come from mapped counters and from histograms.
//!
//! The socket lives in a directory only its owner may enter, and the kernel says who is at the other end: other
//! users are refused.

use crate::counters::{CountersView, Slot};
use crate::latency::{Latencies, Percentiles, STRETCHES};
use crate::operator::{Ask, Desk};
use mio::net::{UnixListener, UnixStream};
use mio::{Events, Interest, Poll, Token};
use serde::{Deserialize, Serialize};
use smc_core::digest::Digest;
use smc_core::event::ScopeKind;
use smc_core::event::{Act, Command, Event, EventBody};
use smc_core::output::{Control, TradingState};
use smc_core::words::{Money, Price, Qty};
use smc_core::{InstrumentId, TsNs};
use smc_replay::{scope_name, words};
use std::collections::BTreeMap;
use std::io::{self, Read, Write};
use std::os::fd::AsRawFd;
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Longest request line.
const LINE_MAX: usize = 4096;
/// Most bytes kept for a client that asks and does not read; more ends it.
const UNREAD_MAX: usize = 1 << 20;
/// Clients served at once; further ones are refused.
const CLIENTS_MAX: usize = 32;
/// Time between two lines of `watch`.
const WATCH_EVERY: Duration = Duration::from_millis(500);
/// How often histograms are fed.
const COLLECT_EVERY: Duration = Duration::from_millis(50);

/// What may be asked.
#[derive(Debug, Deserialize)]
#[serde(tag = "cmd", rename_all = "kebab-case", deny_unknown_fields)]
enum Request {
    // Braces: serde lets a unit variant pass with keys nobody knows.
    Status {},
    Watch {},
    Kill(Ask),
    KillFlatten(Ask),
    Pause(Ask),
    Resume(Ask),
    Flatten(Ask),
    Arm(Ask),
    ResetLoss(Ask),
    SetLimit(Ask),
}

impl Request {
    const fn command(&self) -> Option<(Command, &Ask)> {
        Some(match self {
            Self::Status {} | Self::Watch {} => return None,
            Self::Kill(ask) => (Command::Kill, ask),
            Self::KillFlatten(ask) => (Command::KillFlatten, ask),
            Self::Pause(ask) => (Command::Pause, ask),
            Self::Resume(ask) => (Command::Resume, ask),
            Self::Flatten(ask) => (Command::Flatten, ask),
            Self::Arm(ask) => (Command::Arm, ask),
            Self::ResetLoss(ask) => (Command::ResetLoss, ask),
            Self::SetLimit(ask) => (Command::SetLimit, ask),
        })
    }
}

/// The way into the engine for everybody but the hot threads: a ring with a lock, for there are several who may say
/// something and none of them is in a hurry.
#[derive(Clone)]
pub struct Operators(Arc<Mutex<rtrb::Producer<Event>>>);

impl Operators {
    /// Over the ring that the engine reads.
    pub fn new(ring: rtrb::Producer<Event>) -> Self {
        Self(Arc::new(Mutex::new(ring)))
    }

    /// False when the ring is full.
    pub fn push(&self, event: Event) -> bool {
        // Nothing that holds the lock can panic.
        let mut ring = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        ring.push(event).is_ok()
    }
}

/// What `status` answers; prices and money as decimal text.
#[derive(Debug, Serialize)]
pub struct Status {
    /// NORMAL to HALT, of the whole engine.
    pub state: &'static str,
    /// Every scope that is held down: which, how far, by what.
    pub held: Vec<HeldScope>,
    /// Last journal sequence number.
    pub seq: u64,
    /// Time of the last event, nanoseconds since the epoch.
    pub time_ns: u64,
    /// Events taken.
    pub events_in: u64,
    /// Orders sent.
    pub orders_sent: u64,
    /// Cancels sent.
    pub cancels_sent: u64,
    /// Orders the gate denied.
    pub orders_denied: u64,
    /// Orders working or on their way.
    pub open_orders: u64,
    /// Fills counted.
    pub fills: u64,
    /// Signals.
    pub signals: u64,
    /// Market-structure events.
    pub structures: u64,
    /// Position per symbol, signed.
    pub positions: BTreeMap<String, String>,
    /// Last price per symbol.
    pub last_prices: BTreeMap<String, String>,
    /// Equity in quote currency.
    pub equity: String,
    /// Realised profit in quote currency, after fees.
    pub realised_pnl: String,
    /// Percentiles per stretch.
    pub latency_ns: BTreeMap<&'static str, Percentiles>,
    /// Samples lost because a ring was full.
    pub latency_samples_lost: u64,
    /// Messages, refusals, gaps, resyncs, reconnects of the feed.
    pub feed: BTreeMap<&'static str, u64>,
    /// Whether orders can be sent.
    pub gateway_ready: bool,
    /// Digest of everything the engine said.
    pub digest: String,
}

/// A scope that is held down.
#[derive(Debug, Serialize)]
pub struct HeldScope {
    /// `engine`, `venue 0`, `instrument BTCUSDT` or `strategy 1`.
    pub scope: String,
    /// WARN to HALT.
    pub state: &'static str,
    /// The control that holds it: `daily loss`.
    pub control: String,
}

/// Everything a status is made of.
#[derive(Clone)]
pub struct StatusSource {
    /// The engine's counters.
    pub counters: Arc<CountersView>,
    /// The histograms.
    pub latencies: Latencies,
    /// Symbols in the order of their instrument ids.
    pub symbols: Vec<String>,
}

impl StatusSource {
    /// The status now.
    pub fn status(&self) -> Status {
        let get = |slot| self.counters.get(slot);
        let per_symbol = |slot: Slot, text: fn(i64) -> String| {
            let symbols = self.symbols.iter().take(crate::counters::INSTRUMENTS_MAX).enumerate();
            symbols.map(|(nth, symbol)| (symbol.clone(), text(self.counters.nth(slot, nth) as i64))).collect()
        };
        let stretches = STRETCHES.iter().map(|(stretch, name)| (*name, self.latencies.percentiles(*stretch)));
        Status {
            state: state_name(get(Slot::State)),
            held: self.held(),
            seq: get(Slot::JournalSeq),
            time_ns: get(Slot::LastEventNs),
            events_in: get(Slot::EventsIn),
            orders_sent: get(Slot::OrdersSent),
            cancels_sent: get(Slot::CancelsSent),
            orders_denied: get(Slot::OrdersDenied),
            open_orders: get(Slot::OpenOrders),
            fills: get(Slot::Fills),
            signals: get(Slot::Signals),
            structures: get(Slot::Structures),
            positions: per_symbol(Slot::PositionE8, |value| Qty(value).to_string()),
            last_prices: per_symbol(Slot::LastPriceE8, |value| Price(value).to_string()),
            equity: Money(self.counters.signed(Slot::EquityE8)).to_string(),
            realised_pnl: Money(self.counters.signed(Slot::RealisedE8)).to_string(),
            latency_ns: stretches.collect(),
            latency_samples_lost: self.latencies.lost(),
            feed: BTreeMap::from([
                ("messages", get(Slot::FeedMessages)),
                ("refused", get(Slot::FeedRefused)),
                ("gaps", get(Slot::FeedGaps)),
                ("resyncs", get(Slot::FeedResyncs)),
                ("reconnects", get(Slot::FeedReconnects)),
            ]),
            gateway_ready: get(Slot::GatewayReady) == 1,
            digest: digest_text(get(Slot::DigestA), get(Slot::DigestB)),
        }
    }
}

impl StatusSource {
    fn held(&self) -> Vec<HeldScope> {
        let held = self.counters.held().into_iter().map(|(scope, state, control)| {
            let control = usize::try_from(control).ok().and_then(|at| Control::ALL.get(at));
            let symbol =
                self.symbols.get(usize::from(scope.id)).filter(|_| scope.kind == ScopeKind::Instrument);
            HeldScope {
                scope: symbol.map_or_else(|| scope_name(scope), |symbol| format!("instrument {symbol}")),
                state: state_name(state),
                control: control.map_or_else(|| "unknown".into(), words),
            }
        });
        held.collect()
    }
}

fn digest_text(a: u64, b: u64) -> String {
    if a == 0 && b == 0 { Digest::default().to_string() } else { format!("{a:016x}{b:016x}") }
}

/// The name people use for a trading state's number.
pub fn state_name(state: u64) -> &'static str {
    const NAMES: [(TradingState, &str); 5] = [
        (TradingState::Normal, "NORMAL"),
        (TradingState::Warn, "WARN"),
        (TradingState::ReduceOnly, "REDUCE_ONLY"),
        (TradingState::CancelOnly, "CANCEL_ONLY"),
        (TradingState::Halt, "HALT"),
    ];
    NAMES.iter().find(|(value, _)| *value as u64 == state).map_or("UNKNOWN", |(_, name)| name)
}

/// Why the control port could not be opened.
#[derive(Debug)]
pub struct ControlError {
    path: PathBuf,
    error: io::Error,
}

impl std::fmt::Display for ControlError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "control socket {}: {}", self.path.display(), self.error)
    }
}

impl std::error::Error for ControlError {}

/// The listening end; serves on the thread that calls [`ControlPort::serve`].
pub struct ControlPort {
    path: PathBuf,
    listener: UnixListener,
    source: StatusSource,
    desk: Desk,
    operators: Operators,
}

impl ControlPort {
    /// Opens the socket at `path`, making its directory (mode 0700) when missing. A stale socket, one nobody
    /// answers on, is replaced; a live one is an error.
    pub fn open(
        path: &Path,
        source: StatusSource,
        desk: Desk,
        operators: Operators,
    ) -> Result<Self, ControlError> {
        let fail = |error| ControlError { path: path.to_owned(), error };
        if let Some(dir) = path.parent().filter(|dir| !dir.as_os_str().is_empty()) {
            std::fs::DirBuilder::new().recursive(true).mode(0o700).create(dir).map_err(fail)?;
        }
        if let Ok(meta) = std::fs::symlink_metadata(path) {
            use std::os::unix::fs::FileTypeExt;
            if !meta.file_type().is_socket() {
                return Err(fail(io::Error::other("something that is not a socket stands there")));
            }
            if std::os::unix::net::UnixStream::connect(path).is_ok() {
                return Err(fail(io::Error::new(io::ErrorKind::AddrInUse, "another engine answers there")));
            }
            std::fs::remove_file(path).map_err(fail)?;
        }
        let listener = UnixListener::bind(path).map_err(fail)?;
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600)).map_err(fail)?;
        Ok(Self { path: path.to_owned(), listener, source, desk, operators })
    }

    /// Serves until `stop`; also feeds the histograms.
    pub fn serve(mut self, stop: &AtomicBool) -> io::Result<()> {
        const LISTENER: Token = Token(usize::MAX);
        let mut poll = Poll::new()?;
        let mut events = Events::with_capacity(64);
        poll.registry().register(&mut self.listener, LISTENER, Interest::READABLE)?;
        let mut clients: BTreeMap<usize, Client> = BTreeMap::new();
        let mut next_client = 0;
        while !stop.load(Ordering::Acquire) {
            if let Err(error) = poll.poll(&mut events, Some(COLLECT_EVERY))
                && error.kind() != io::ErrorKind::Interrupted
            {
                return Err(error);
            }
            self.source.latencies.collect();
            if events.iter().any(|event| event.token() == LISTENER) {
                while let Ok((mut stream, _)) = self.listener.accept() {
                    let peer = peer(&stream).filter(|_| clients.len() < CLIENTS_MAX);
                    let Some(uid) = peer else { continue };
                    poll.registry().register(
                        &mut stream,
                        Token(next_client),
                        Interest::READABLE | Interest::WRITABLE,
                    )?;
                    clients.insert(next_client, Client::new(stream, uid));
                    next_client += 1;
                }
            }
            clients.retain(|_, client| client.turn(&self.source, &mut self.desk, &self.operators).is_ok());
        }
        let _ = std::fs::remove_file(&self.path);
        Ok(())
    }
}

/// The kernel's word on who connected; none for another user than our own.
fn peer(stream: &UnixStream) -> Option<u32> {
    let mut credentials = libc::ucred { pid: 0, uid: u32::MAX, gid: u32::MAX };
    let mut length = size_of::<libc::ucred>() as libc::socklen_t;
    // SAFETY: the descriptor is open; the pointers are to a `ucred` and its length, as SO_PEERCRED wants them.
    let answer = unsafe {
        libc::getsockopt(
            stream.as_raw_fd(),
            libc::SOL_SOCKET,
            libc::SO_PEERCRED,
            (&raw mut credentials).cast(),
            &raw mut length,
        )
    };
    // SAFETY: no preconditions.
    let is_same_user = answer == 0 && credentials.uid == unsafe { libc::geteuid() };
    is_same_user.then_some(credentials.uid)
}

struct Client {
    stream: UnixStream,
    inbox: Vec<u8>,
    outbox: Vec<u8>,
    watch_due: Option<Instant>,
    uid: u32,
}

impl Client {
    const fn new(stream: UnixStream, uid: u32) -> Self {
        Self { uid, stream, inbox: Vec::new(), outbox: Vec::new(), watch_due: None }
    }

    /// Reads what is there, answers whole lines, writes what fits. An error ends the client.
    fn turn(&mut self, source: &StatusSource, desk: &mut Desk, operators: &Operators) -> io::Result<()> {
        let mut chunk = [0; 1024];
        loop {
            match self.stream.read(&mut chunk) {
                Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
                Ok(n) => self.inbox.extend_from_slice(&chunk[..n]),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                Err(error) => return Err(error),
            }
            while let Some(end) = self.inbox.iter().position(|byte| *byte == b'\n') {
                let line: Vec<u8> = self.inbox.drain(..=end).collect();
                self.answer(&line, source, desk, operators)?;
            }
            if self.inbox.len() > LINE_MAX {
                return Err(io::Error::other("request line too long"));
            }
        }
        // A watcher that does not read gets no further lines: one unread answer is enough.
        if self.outbox.is_empty() && self.watch_due.is_some_and(|due| due <= Instant::now()) {
            self.watch_due = Some(Instant::now() + WATCH_EVERY);
            self.say(&source.status())?;
        }
        self.flush()
    }

    fn answer(
        &mut self,
        line: &[u8],
        source: &StatusSource,
        desk: &mut Desk,
        operators: &Operators,
    ) -> io::Result<()> {
        match serde_json::from_slice::<Request>(line) {
            Err(error) => self.say(&serde_json::json!({ "error": error.to_string() })),
            Ok(Request::Status {}) => self.say(&source.status()),
            Ok(Request::Watch {}) => {
                self.watch_due = Some(Instant::now());
                Ok(())
            }
            Ok(request) => {
                let Some((command, ask)) = request.command() else { return Ok(()) };
                match desk.act(command, ask, self.uid) {
                    Err(error) => self.say(&serde_json::json!({ "error": error })),
                    Ok(act) if operators.push(act_event(act)) => {
                        self.say(&serde_json::json!({ "ok": true, "queued": format!("{command:?}") }))
                    }
                    Ok(_) => self.say(&serde_json::json!({ "error": "command ring full, try again" })),
                }
            }
        }
    }

    fn say(&mut self, answer: &impl Serialize) -> io::Result<()> {
        serde_json::to_writer(&mut self.outbox, answer)?;
        self.outbox.push(b'\n');
        self.flush()?;
        if self.outbox.len() > UNREAD_MAX {
            return Err(io::Error::other("too many unread answers"));
        }
        Ok(())
    }

    fn flush(&mut self) -> io::Result<()> {
        while !self.outbox.is_empty() {
            match self.stream.write(&self.outbox) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(n) => drop(self.outbox.drain(..n)),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }
}

/// The event of an act; the engine thread stamps it.
pub const fn act_event(act: Act) -> Event {
    Event {
        seq: 0,
        ts_event: TsNs(0),
        ts_recv: TsNs(0),
        instrument: InstrumentId::NONE,
        body: EventBody::Operator(act),
    }
}
