//! The simulator's edge: one thread that owns the listener, every connection and the clock.
//!
//! Two ways to run: [`Sim::run`] follows the wall clock; [`Sim::run_lock_step`] moves market time only when
//! the peer has dealt with everything before, so that a run is the same each time.

mod conn;
mod http;
mod pipe;
mod taken;
mod tls;

use crate::dialect::oanda::Oanda;
use crate::dialect::{ConnId, Deed, Dialect, Frame, SeenOrder, Summary, Truth, UsdmVenue, Venue, bybit};
use crate::faults::{Counts, FaultyVenue};
use crate::settings::{LockStepError, SimError, SimSettings, VenueKind};
use conn::{Conn, Gone};
use pipe::Pipe;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustls::ServerConfig;
use smc_core::TsNs;
use std::collections::BTreeMap;
use std::fs::File;
use std::io::Write;
use std::net::{SocketAddr, TcpListener};
use std::os::fd::AsFd;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};
pub use taken::Taken;

/// How long the loop sleeps when nothing is to be done.
const IDLE: Duration = Duration::from_micros(50);
/// Market steps between two looks at the sockets when the clock has run ahead.
const STEPS_MAX: usize = 256;
/// Wall time that a peer in lock step may take to become quiet, unless set otherwise.
const QUIET_WITHIN: Duration = Duration::from_secs(10);

/// What the simulator needs to know of the process it is in lock step with.
pub trait Peer: Sync {
    /// Market time is now this.
    fn set_now(&self, now: TsNs);

    /// Whether it has subscribed and logged on: the market may start.
    fn is_started(&self) -> bool;

    /// True when the peer has read `sim_sent` bytes in total, has nothing left to do at the time last set, and the
    /// simulator has read all that the peer wrote (`sim_received`).
    ///
    /// It is asked right after [`set_now`](Self::set_now) too, when no byte has moved: a peer whose timers follow
    /// that clock must not say yes before it has looked at the new time, or a frame may overtake a timer.
    fn is_quiet(&self, sim_sent: u64, sim_received: u64) -> bool;

    /// The same while it is kept waiting for the answer to a connection that it makes. Asked only at a venue with faults.
    fn is_quiet_but_connecting(&self, sim_sent: u64, sim_received: u64) -> bool {
        self.is_quiet(sim_sent, sim_received)
    }
}

/// A running venue.
pub struct Sim {
    listener: TcpListener,
    local_addr: SocketAddr,
    /// None where it is spoken without.
    tls: Option<Arc<ServerConfig>>,
    ca_pem: String,
    venue: Box<dyn Dialect>,
    conns: BTreeMap<ConnId, Conn>,
    /// In lock step: connections that have ended here and not yet over there, kept for the count of their bytes.
    lingering: Vec<Pipe>,
    next_conn: ConnId,
    /// Start of the current second of the edge's clock, and connections accepted in it.
    accepted: (u64, u32),
    /// Raw bytes sent and received on connections that are gone.
    past_bytes: (u64, u64),
    speed: f64,
    audit: Option<(std::path::PathBuf, File)>,
    /// The edge's clock for pings, in nanoseconds from any start.
    edge_now_ns: u64,
    quiet_within: Duration,
    is_lock_step: bool,
    /// HTTP requests wait until the peer is quiet, so that their order is not that of its threads.
    holds_requests: bool,
    /// In lock step: the market time that the peer was last told and has dealt with. Clients that are kept waiting are
    /// heard by this clock: one that gives up at the very time its wait would have ended has given up.
    dealt_with: TsNs,
}

impl Sim {
    /// Listens; the market waits at its start until [`run`](Self::run) or [`run_lock_step`](Self::run_lock_step).
    pub fn bind(settings: SimSettings) -> Result<Self, SimError> {
        let SimSettings {
            kind,
            listen,
            seed,
            market,
            oanda,
            speed,
            accounts,
            limits,
            ca_file,
            audit,
            faults,
            plain,
        } = settings;
        if !(speed.is_finite() && speed > 0.0) {
            return Err(SimError::Settings(format!("speed is {speed}, must be more than zero")));
        }
        let refused = |source| SimError::Listen { address: listen, source };
        let listener = TcpListener::bind(listen).map_err(refused)?;
        listener.set_nonblocking(true).map_err(refused)?;
        let local_addr = listener.local_addr().map_err(refused)?;
        let (tls, ca_pem) = tls::make(local_addr.ip())?;
        if let Some(path) = ca_file {
            std::fs::write(&path, &ca_pem).map_err(|source| SimError::File { path, source })?;
        }
        let open = |path: std::path::PathBuf| match File::options().create(true).append(true).open(&path) {
            Ok(file) => Ok((path, file)),
            Err(source) => Err(SimError::File { path, source }),
        };
        let audit = audit.map(open).transpose()?;
        let venue: Box<dyn Dialect> = match kind {
            VenueKind::BinanceSpot => Box::new(Venue::new(market, &accounts, limits, seed)?),
            VenueKind::BinanceUsdm => Box::new(UsdmVenue::new(market, &accounts, limits, seed)?),
            VenueKind::Bybit => Box::new(bybit::Venue::new(market, &accounts, limits, seed)?),
            VenueKind::Oanda => {
                let oanda = oanda.ok_or_else(|| SimError::Settings("an Oanda has quotes".to_owned()))?;
                Box::new(Oanda::new(oanda, &accounts, seed)?)
            }
        };
        let venue = match faults {
            Some(plan) => Box::new(FaultyVenue::new(venue, plan)),
            None => venue,
        };
        Ok(Self {
            listener,
            local_addr,
            tls: (!plain).then_some(tls),
            ca_pem,
            venue,
            conns: BTreeMap::new(),
            lingering: Vec::new(),
            next_conn: 1,
            accepted: (0, 0),
            past_bytes: (0, 0),
            speed,
            audit,
            edge_now_ns: 0,
            quiet_within: QUIET_WITHIN,
            is_lock_step: false,
            holds_requests: false,
            dealt_with: TsNs(0),
        })
    }

    /// Where it listens.
    pub fn local_addr(&self) -> SocketAddr {
        self.local_addr
    }

    /// The certificate authority a client must trust, as PEM.
    pub fn ca_pem(&self) -> &str {
        &self.ca_pem
    }

    /// How long (wall time) a peer in lock step may take to become quiet; ten seconds when not set.
    pub fn set_quiet_within(&mut self, limit: Duration) {
        self.quiet_within = limit;
    }

    /// As [`Dialect::set_tick`].
    pub fn set_tick(&mut self, tick: Duration) {
        self.venue.set_tick(tick);
    }

    /// Market time.
    pub fn now(&self) -> TsNs {
        self.venue.now()
    }

    /// What the venue has done so far.
    pub fn summary(&self) -> Summary {
        self.venue.summary()
    }

    /// Every order request ever received, accepted or refused, oldest first.
    pub fn orders_seen(&self) -> &[SeenOrder] {
        self.venue.orders_seen()
    }

    /// What is so at the venue, of one account and of the books.
    pub fn truth(&self, account: usize) -> Truth {
        self.venue.truth(account)
    }

    /// As [`Dialect::stage`]: what it makes the venue say goes out with the next step.
    pub fn stage(&mut self, deed: &Deed) -> bool {
        self.venue.stage(deed)
    }

    /// How often which fault has struck; none without faults.
    pub fn faults(&self) -> Option<&Counts> {
        self.venue.faults()
    }

    /// Serves until no connection is left, market time standing still: after the peer's process has ended. False when
    /// one is left after `limit` of wall time.
    pub fn wait_gone(&mut self, limit: Duration) -> bool {
        let started = Instant::now();
        self.conns.values_mut().for_each(|conn| conn.asleep_until = TsNs(0));
        while !self.conns.is_empty() || !self.lingering.is_empty() {
            if started.elapsed() > limit {
                return false;
            }
            if !self.serve() {
                std::thread::sleep(IDLE);
            }
        }
        true
    }

    /// Serves until `stop`, market time following the wall clock at the speed of the settings.
    pub fn run(&mut self, stop: &AtomicBool) {
        let wall_start = Instant::now();
        let market_start = self.venue.now();
        while !stop.load(Ordering::Relaxed) {
            let elapsed = wall_start.elapsed();
            self.edge_now_ns = u64::try_from(elapsed.as_nanos()).unwrap_or(u64::MAX);
            let target = TsNs(market_start.0.saturating_add((elapsed.as_nanos() as f64 * self.speed) as u64));
            let is_busy = self.serve() | self.advance(target);
            self.send_all();
            self.ping_all();
            if !is_busy {
                std::thread::sleep(IDLE);
            }
        }
    }

    /// One pass over the sockets, market time standing still; true when something came.
    pub fn serve_once(&mut self) -> bool {
        self.holds_requests = false;
        let is_busy = self.serve();
        self.send_all();
        is_busy
    }

    /// Lets the market go on until `target`, in bounded steps; true when it did anything.
    pub fn advance(&mut self, target: TsNs) -> bool {
        let mut is_busy = false;
        for _ in 0..STEPS_MAX {
            if self.venue.next_due() > target {
                break;
            }
            self.venue.step();
            is_busy = true;
        }
        self.venue.set_now(target);
        is_busy
    }

    /// What the venue says to this text on a connection that was taken: its answers, as texts.
    pub fn answer(&mut self, taken: &Taken, text: &str) -> Vec<String> {
        self.send_all();
        self.venue.on_text(taken.id, text);
        let mut texts = Vec::new();
        while let Some((id, frame)) = self.venue.pop_frame() {
            match frame {
                Frame::Text(text) if id == taken.id => texts.push(text),
                frame => drop(self.send(id, frame)),
            }
        }
        texts
    }

    /// Takes the first WebSocket whose path begins so out of the simulator's hands, once all that was said to it is sent.
    /// The venue believes it open from then on, and what it says to it is lost. None where there is none, or bytes wait.
    pub fn take(&mut self, path: &str) -> Option<Taken> {
        let found = self.conns.iter().find(|(_, conn)| conn.is_at(path) && !conn.has_unsent());
        let id = *found?.0;
        self.conns.remove(&id)?.into_pipe().map(|pipe| pipe.into_taken(id))
    }

    /// Serves until `stop` without moving market time: after a lock-step run, while the peer winds down.
    pub fn serve_frozen(&mut self, stop: &AtomicBool) {
        while !stop.load(Ordering::Relaxed) {
            if !self.serve_once() {
                std::thread::sleep(IDLE);
            }
        }
    }

    /// Serves a peer in lock step for `until` of market time, or until the market is over or `stop`.
    ///
    /// Before the market starts it serves freely until the peer has started. Then each frame goes out alone, and
    /// the next only when the peer is quiet again. With a pace, market time does not run faster than the wall
    /// clock times `pace`.
    pub fn run_lock_step(
        &mut self,
        peer: &dyn Peer,
        until: Duration,
        pace: Option<f64>,
        stop: &AtomicBool,
    ) -> Result<(), LockStepError> {
        let start = self.venue.now();
        self.edge_now_ns = start.0;
        self.is_lock_step = true;
        peer.set_now(start);
        // What goes wrong takes its time, and there is none yet.
        self.venue.hold_faults(true);
        while !peer.is_started() {
            self.holds_requests = false;
            if stop.load(Ordering::Relaxed) {
                return Ok(());
            }
            let is_busy = self.serve();
            self.send_all();
            if !is_busy {
                std::thread::sleep(IDLE);
            }
        }
        self.holds_requests = true;
        // What it still asks is answered before time moves, or it would be chance at what time it hears the answer.
        self.settle(peer, stop)?;
        self.venue.hold_faults(false);
        self.deliver(peer, stop)?;
        let end = TsNs(start.0.saturating_add(u64::try_from(until.as_nanos()).unwrap_or(u64::MAX)));
        let wall_start = Instant::now();
        while !stop.load(Ordering::Relaxed) {
            let due = self.venue.next_due();
            if due > end || self.venue.is_market_over() {
                return Ok(());
            }
            self.keep_pace(peer, pace, wall_start, due.since(start), stop)?;
            let is_tick = self.venue.step();
            self.edge_now_ns = self.venue.now().0;
            if is_tick {
                self.announce(peer, stop)?;
                if self.ping_all() {
                    self.wait_quiet(peer, stop)?;
                }
            }
            self.deliver(peer, stop)?;
        }
        Ok(())
    }

    /// Answers what the peer still asks, market time standing still, until it is quiet: after the end of a run.
    pub fn settle(&mut self, peer: &dyn Peer, stop: &AtomicBool) -> Result<(), LockStepError> {
        self.wait_quiet(peer, stop)?;
        self.deliver(peer, stop)
    }

    /// Serves at the current market time until the wall clock allows the next step.
    fn keep_pace(
        &mut self,
        peer: &dyn Peer,
        pace: Option<f64>,
        wall_start: Instant,
        market_ns: u64,
        stop: &AtomicBool,
    ) -> Result<(), LockStepError> {
        let Some(pace) = pace.filter(|pace| *pace > 0.0) else { return Ok(()) };
        let wanted = Duration::from_nanos((market_ns as f64 / pace) as u64);
        while let Some(ahead) = wanted.checked_sub(wall_start.elapsed()) {
            if ahead.is_zero() || stop.load(Ordering::Relaxed) {
                break;
            }
            if self.serve() {
                self.deliver(peer, stop)?;
            } else {
                std::thread::sleep(ahead.min(Duration::from_millis(1)));
            }
        }
        Ok(())
    }

    /// Sends what is queued, one frame at a time, the peer quiet after each. Answers to what the peer sends
    /// meanwhile join the end of the queue.
    fn deliver(&mut self, peer: &dyn Peer, stop: &AtomicBool) -> Result<(), LockStepError> {
        let mut is_announced = false;
        while let Some((conn, frame)) = self.next_frame() {
            if !is_announced {
                self.announce(peer, stop)?;
                is_announced = true;
            }
            if !self.send(conn, frame) {
                // The end of a connection is no byte that could be counted: a peer that has seen a later time has
                // looked at its sockets since.
                peer.set_now(TsNs(self.venue.now().0.saturating_add(1)));
            }
            self.wait_quiet(peer, stop)?;
            if stop.load(Ordering::Relaxed) {
                break;
            }
        }
        Ok(())
    }

    /// The next frame, once what was asked meanwhile is answered. Requests come over connections of several threads, and
    /// which of them was faster may not matter: they are answered while the peer is quiet, in the order of their texts.
    fn next_frame(&mut self) -> Option<(ConnId, Frame)> {
        let mut held: Vec<(String, ConnId)> =
            self.conns.iter().filter_map(|(id, conn)| Some((conn.held()?, *id))).collect();
        held.sort();
        for (_, id) in held {
            let gone = self.conns.get_mut(&id).is_some_and(|conn| conn.answer(self.venue.as_mut()).is_err());
            if gone {
                self.drop_conn(id);
            }
        }
        self.venue.pop_frame()
    }

    /// Tells the peer the time, and lets it act on that before anything else reaches it; then hears whom it kept waiting
    /// until now.
    fn announce(&mut self, peer: &dyn Peer, stop: &AtomicBool) -> Result<(), LockStepError> {
        peer.set_now(self.venue.now());
        self.wait_quiet(peer, stop)?;
        let before = std::mem::replace(&mut self.dealt_with, self.venue.now());
        let is_due = |conn: &Conn| before < conn.asleep_until && conn.asleep_until <= self.dealt_with;
        if self.conns.values().any(is_due) { self.wait_quiet(peer, stop) } else { Ok(()) }
    }

    fn wait_quiet(&mut self, peer: &dyn Peer, stop: &AtomicBool) -> Result<(), LockStepError> {
        let started = Instant::now();
        loop {
            let is_busy = self.serve_news();
            let has_unsent = self.conns.values().any(Conn::has_unsent);
            let (sent, received) = self.bytes();
            let is_quiet = |is_stalling| match is_stalling {
                true => peer.is_quiet_but_connecting(sent, received),
                false => peer.is_quiet(sent, received),
            };
            // The second look: a connection that the peer closed on its way to quiet takes no more frames, and what
            // were sent on it would never be counted as read.
            if !is_busy && !has_unsent && is_quiet(self.is_stalling()) && !self.serve_news() {
                return Ok(());
            }
            if stop.load(Ordering::Relaxed) {
                return Ok(());
            }
            if started.elapsed() > self.quiet_within {
                let (now, waited_s) = (self.venue.now(), self.quiet_within.as_secs());
                return Err(LockStepError::PeerNotQuiet { now, sent, received, waited_s });
            }
            std::thread::yield_now();
        }
    }

    /// Whether a client waits for an answer that is held back on purpose.
    fn is_stalling(&self) -> bool {
        let now = self.hearing_time();
        self.conns.values().any(|conn| now < conn.asleep_until)
    }

    /// Until when clients are kept waiting is told by this clock.
    fn hearing_time(&self) -> TsNs {
        if self.is_lock_step { self.dealt_with } else { self.venue.now() }
    }

    /// Connections taken so far, those that ended included.
    pub const fn connections(&self) -> u64 {
        self.next_conn
    }

    /// Raw bytes sent and received on all connections ever.
    pub fn bytes(&self) -> (u64, u64) {
        let lingering = self.lingering.iter().map(|pipe| (pipe.sent, pipe.received));
        self.conns
            .values()
            .map(Conn::bytes)
            .chain(lingering)
            .fold(self.past_bytes, |(sent, received), (s, r)| (sent + s, received + r))
    }

    /// As [`Sim::serve`], where one question to the system says whether there is anything to do: a peer in lock step is
    /// looked at ten thousand times a minute, and mostly says nothing.
    fn serve_news(&mut self) -> bool {
        let now = self.hearing_time();
        if self.conns.values().any(|conn| conn.is_due(now)) {
            return self.serve();
        }
        let pipes = self.conns.values().filter_map(Conn::pipe).chain(&self.lingering);
        let sockets = pipes.map(|pipe| PollFd::from_borrowed_fd(pipe.socket(), PollFlags::IN));
        let listener = PollFd::from_borrowed_fd(self.listener.as_fd(), PollFlags::IN);
        let mut all: Vec<PollFd<'_>> = sockets.chain([listener]).collect();
        // A question that fails is none that was answered with no.
        let is_silent = poll(&mut all, Some(&Timespec::default())).is_ok_and(|ready| ready == 0);
        !is_silent && self.serve()
    }

    /// Accepts, reads and flushes once. True when anything happened.
    fn serve(&mut self) -> bool {
        let mut is_busy = self.accept();
        let mut gone = Vec::new();
        let now = self.hearing_time();
        for (id, conn) in &mut self.conns {
            let result = match now < conn.asleep_until {
                true => conn.sleep(),
                false => conn
                    .wake()
                    .and_then(|()| conn.flush())
                    .and_then(|()| conn.read(self.venue.as_mut(), self.edge_now_ns, self.holds_requests)),
            };
            match result {
                Ok(is_read) => is_busy |= is_read,
                Err(Gone) => gone.push(*id),
            }
        }
        for id in gone {
            is_busy = true;
            self.drop_conn(id);
        }
        if !self.lingering.is_empty() {
            is_busy |= self.linger();
        }
        self.write_audit();
        is_busy
    }

    /// Hears out the clients whose connections have ended here. True when anything happened.
    fn linger(&mut self) -> bool {
        let mut is_busy = false;
        let past = &mut self.past_bytes;
        self.lingering.retain_mut(|pipe| {
            let before = pipe.received;
            let is_over = pipe.linger();
            if is_over {
                *past = (past.0 + pipe.sent, past.1 + pipe.received);
            }
            is_busy |= is_over || pipe.received != before;
            !is_over
        });
        is_busy
    }

    fn accept(&mut self) -> bool {
        let mut is_busy = false;
        while let Ok((tcp, _)) = self.listener.accept() {
            is_busy = true;
            if !self.may_connect() {
                continue; // dropping it tells the client
            }
            let id = self.next_conn;
            self.next_conn += 1;
            if let Ok(pipe) = Pipe::new(tcp, self.tls.clone()) {
                let mut conn = Conn::new(id, pipe, self.edge_now_ns, !self.is_lock_step);
                let delay = u64::try_from(self.venue.handshake_delay().as_nanos()).unwrap_or(u64::MAX);
                if delay > 0 {
                    conn.asleep_until = TsNs(self.venue.now().0.saturating_add(delay));
                }
                self.conns.insert(id, conn);
            }
        }
        is_busy
    }

    /// Counts a new connection against the venue's limit. A peer in lock step is never refused: there the wall clock
    /// must not matter.
    fn may_connect(&mut self) -> bool {
        let Some(most) = self.venue.connections_per_second().filter(|_| !self.is_lock_step) else {
            return true;
        };
        if self.edge_now_ns.saturating_sub(self.accepted.0) >= 1_000_000_000 {
            self.accepted = (self.edge_now_ns, 0);
        }
        self.accepted.1 += 1;
        self.accepted.1 <= most
    }

    fn send_all(&mut self) {
        while let Some((conn, frame)) = self.venue.pop_frame() {
            self.send(conn, frame);
        }
    }

    /// Sends a frame; false when its connection ends with it.
    fn send(&mut self, id: ConnId, frame: Frame) -> bool {
        let Some(conn) = self.conns.get_mut(&id) else { return true };
        let is_last = matches!(frame, Frame::Close);
        if conn.send(frame).is_err() {
            self.drop_conn(id);
            return false;
        }
        !is_last
    }

    /// Pings whoever is due; true when any ping went out.
    fn ping_all(&mut self) -> bool {
        let now_ns = self.edge_now_ns;
        let (mut gone, mut is_sent) = (Vec::new(), false);
        for (id, conn) in &mut self.conns {
            match conn.ping(now_ns) {
                Ok(is_ping) => is_sent |= is_ping,
                Err(Gone) => gone.push(*id),
            }
        }
        for id in gone {
            self.drop_conn(id);
        }
        is_sent
    }

    fn drop_conn(&mut self, id: ConnId) {
        if let Some(conn) = self.conns.remove(&id) {
            let (sent, received) = conn.bytes();
            match conn.into_pipe().filter(|_| self.is_lock_step) {
                Some(pipe) => self.lingering.push(pipe),
                None => self.past_bytes = (self.past_bytes.0 + sent, self.past_bytes.1 + received),
            }
        }
        self.venue.close(id);
    }

    /// Writes the orders just seen to the audit file, before their answers are sent.
    fn write_audit(&mut self) {
        let fresh = self.venue.take_unaudited();
        if fresh.is_empty() {
            return;
        }
        let Some((path, file)) = &mut self.audit else { return };
        let lines: String = fresh.iter().map(|order| order.line() + "\n").collect();
        if let Err(error) = file.write_all(lines.as_bytes()).and_then(|()| file.flush()) {
            eprintln!("cannot write {}: {error}", path.display());
        }
    }
}
