//! A tap in the wire: two TCP relays between venue and engine that stamp what passes, without opening it.
//!
//! ```text
//!  venue ──market──► tap ──t0──► engine          t0: before the send of a venue's frame
//!  venue ◄─orders─── tap ◄──t1── engine          t1: when the first bytes of an order have been received
//! ```
//!
//! The venue runs in lock step, so the frame last sent is the one an order answers. The tap lives on the venue's own
//! thread: it is turned whenever the venue asks whether the engine is quiet. After each frame it spins on the order
//! socket until bytes come or the engine says that it has read everything and has nothing left to do; it never stops
//! waiting early, so that a slow answer is a slow sample and not a missing one.

use super::echo::write_all;
use smc_core::TsNs;
use smc_runtime::progress::Progress;
use std::io::{ErrorKind, Read};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::{Duration, Instant};
use venue_sim::Peer;

/// Frames of the venue are shorter.
const BUFFER_BYTES: usize = 1 << 18;
/// What the engine writes to the order socket besides orders and cancels (pongs, at most 131 bytes of payload) is
/// shorter than any order: its empty template alone is longer.
const ORDER_BYTES_MIN: usize = 160;
/// Looks at the order socket between two looks at the engine's progress: reading its cache lines more often would slow
/// down the engine that is being measured.
const LOOKS: u32 = 64;
/// How long one question of the venue may take while the engine is at work.
const SPIN_MAX: Duration = Duration::from_micros(200);
/// An engine that says nothing for this long is broken; the venue will say so.
const WATCH_MAX: Duration = Duration::from_secs(5);

/// One order and what caused it.
#[derive(Clone, Copy, Debug)]
pub struct Sample {
    /// A market message caused it, not a report about another order.
    pub is_market: bool,
    /// From the send of the cause to the receipt of the order.
    pub ns: u64,
    /// Bytes on the wire, TLS and all: cause and order.
    pub sizes: super::echo::Sizes,
}

/// The relays, and what the venue needs to know of the engine.
pub struct Tap {
    progress: Arc<Progress>,
    clock: Arc<AtomicU64>,
    /// Bytes of the connection that fetched the rules, which no thread counts; set when the launch is done.
    pub preamble: OnceLock<(u64, u64)>,
    wires: Mutex<Wires>,
}

struct Wires {
    market: Door,
    orders: Door,
    buffer: Vec<u8>,
    samples: Vec<Sample>,
}

/// One relayed address.
struct Door {
    listener: TcpListener,
    venue: SocketAddr,
    links: Vec<Link>,
}

struct Link {
    engine: TcpStream,
    venue: TcpStream,
}

impl Tap {
    /// Relays to `venue`. The clock is the engine's virtual one.
    pub fn new(venue: SocketAddr, progress: Arc<Progress>, clock: Arc<AtomicU64>) -> std::io::Result<Self> {
        let wires = Wires {
            market: Door::open(venue)?,
            orders: Door::open(venue)?,
            buffer: vec![0; BUFFER_BYTES],
            samples: Vec::with_capacity(1 << 16),
        };
        Ok(Self { progress, clock, preamble: OnceLock::new(), wires: Mutex::new(wires) })
    }

    /// Where the engine must connect for market data and for orders.
    pub fn addresses(&self) -> std::io::Result<[SocketAddr; 2]> {
        let wires = self.wires.lock().unwrap_or_else(PoisonError::into_inner);
        Ok([wires.market.listener.local_addr()?, wires.orders.listener.local_addr()?])
    }

    /// Every order that a message caused so far.
    pub fn take_samples(&self) -> Vec<Sample> {
        std::mem::take(&mut self.wires.lock().unwrap_or_else(PoisonError::into_inner).samples)
    }

    /// Moves what waits in any socket; true when the venue got something to read. `has_read` asks the engine whether it has taken
    /// everything in.
    fn turn(&self, has_read: impl Fn() -> bool) -> bool {
        let is_watched = self.preamble.get().is_some() && self.progress.is_started.load(Ordering::Acquire);
        let mut wires = self.wires.lock().unwrap_or_else(PoisonError::into_inner);
        let Wires { market, orders, buffer, samples } = &mut *wires;
        let mut is_busy = market.accept() | orders.accept();
        is_busy |= market.move_up(buffer) | orders.move_up(buffer);
        // Both before the watch: what waits in a relay would keep the engine from having read everything.
        let (from_market, from_orders) = (market.move_down(buffer), orders.move_down(buffer));
        let is_market = from_market.is_some();
        let Some((sent_at, cause_bytes)) = from_market.or(from_orders) else { return is_busy };
        if is_watched && let Some((ns, bytes)) = orders.watch(sent_at, buffer, &has_read) {
            is_busy = true;
            // When both said something at once it is not known which of them was answered.
            if bytes >= ORDER_BYTES_MIN && !(is_market && from_orders.is_some()) {
                samples.push(Sample { is_market, ns, sizes: (cause_bytes, bytes) });
            }
        }
        is_busy
    }
}

impl Peer for Tap {
    fn set_now(&self, now: TsNs) {
        self.clock.store(now.0, Ordering::Release);
    }

    fn is_started(&self) -> bool {
        self.turn(|| false);
        self.preamble.get().is_some() && self.progress.is_started.load(Ordering::Acquire)
    }

    fn is_quiet(&self, sim_sent: u64, sim_received: u64) -> bool {
        let (received, sent) = self.preamble.get().copied().unwrap_or_default();
        let has_read = || {
            let bytes = self.progress.feed.read().received + self.progress.gateway.read().received;
            bytes == sim_sent - received
        };
        let now = TsNs(self.clock.load(Ordering::Acquire));
        // Between two questions the venue yields its core, which on a shared machine is gone for milliseconds: while
        // the engine is at work and the venue has nothing to read, the wait is spent here.
        let asked_at = Instant::now();
        while asked_at.elapsed() < SPIN_MAX {
            if self.turn(has_read) {
                return false;
            }
            if self.progress.is_over.load(Ordering::Acquire)
                || self.progress.is_quiet(now, sim_sent - received, sim_received - sent)
            {
                return true;
            }
            std::hint::spin_loop();
        }
        false
    }
}

impl Door {
    fn open(venue: SocketAddr) -> std::io::Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", 0))?;
        listener.set_nonblocking(true)?;
        Ok(Self { listener, venue, links: Vec::new() })
    }

    fn accept(&mut self) -> bool {
        let Ok((engine, _)) = self.listener.accept() else { return false };
        let link = TcpStream::connect(self.venue).and_then(|venue| {
            for end in [&engine, &venue] {
                end.set_nodelay(true)?;
                end.set_nonblocking(true)?;
            }
            Ok(Link { engine, venue })
        });
        // A link that could not be made is a closed connection to the engine, which tries again.
        self.links.extend(link);
        true
    }

    /// From the engine to the venue.
    fn move_up(&mut self, buffer: &mut [u8]) -> bool {
        let mut is_busy = false;
        self.links.retain_mut(|link| match link.engine.read(buffer) {
            Ok(0) => false,
            Ok(count) => {
                is_busy = true;
                write_all(&mut link.venue, &buffer[..count]).is_ok()
            }
            Err(error) => error.kind() == ErrorKind::WouldBlock,
        });
        is_busy
    }

    /// From the venue to the engine: when the last of it was sent, and how much.
    fn move_down(&mut self, buffer: &mut [u8]) -> Option<(Instant, usize)> {
        let mut sent = None;
        self.links.retain_mut(|link| match link.venue.read(buffer) {
            Ok(0) => false,
            Ok(count) => {
                sent = Some((Instant::now(), count));
                write_all(&mut link.engine, &buffer[..count]).is_ok()
            }
            Err(error) => error.kind() == ErrorKind::WouldBlock,
        });
        sent
    }

    /// Spins until the engine writes to any link (time and bytes, handed on to the venue) or has read everything and
    /// written nothing.
    fn watch(
        &mut self,
        sent_at: Instant,
        buffer: &mut [u8],
        has_read: impl Fn() -> bool,
    ) -> Option<(u64, usize)> {
        let mut is_last = false;
        loop {
            for _ in 0..LOOKS {
                for link in &mut self.links {
                    let Ok(count) = link.engine.read(buffer) else { continue };
                    let ns = sent_at.elapsed().as_nanos() as u64;
                    let is_sent = count > 0 && write_all(&mut link.venue, &buffer[..count]).is_ok();
                    return is_sent.then_some((ns, count));
                }
            }
            if is_last || sent_at.elapsed() > WATCH_MAX {
                return None;
            }
            // What it wrote before it said so is in the socket by now: one more look.
            is_last = has_read() || self.links.is_empty();
        }
    }
}
