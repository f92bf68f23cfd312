//! Two ways to run the same feed, engine and gateway.
//!
//! - [`inline`]: one thread takes turns; an order leaves in the turn that read its cause. Lowest latency, one core.
//! - [`pipelined`]: a thread each, joined by rings; pays two hops and gains throughput where cores are free.
//!
//! Both give the engine the same events in the same order when the outside speaks one message at a time, so
//! their journals agree. The feed starts only after the gateway was ready once: accounts are known before prices.

use crate::clock::{Clock, mono_ns};
use crate::control::act_event;
use crate::engine_thread::{EngineThread, Errand, Outbound};
use crate::idle::{Idle, Idler, pin_or_tell};
use crate::latency::{Probe, Stretch};
use crate::progress::{Counts, Progress, Stillness};
use crate::venue::{MarketFeed, OrderGateway, Unlinked, not_sent, send};
use smc_core::TsNs;
use smc_core::engine::Engine;
use smc_core::event::{Act, Command, Event, EventBody, REJECT_RING_FULL, ScopeKind};
use smc_core::orders::Order;
use smc_core::output::{CancelOrder, Output, Purpose};
use smc_core::strategy::Strategy;
use smc_core::words::Name;
use smc_journal::{AppendError, JournalError};
use smc_net::stamp;
use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// Slots of the feed's ring.
const FEED_RING: usize = 1 << 14;
/// Slots of the gateway's ring and of the engine's ring to it.
const ORDER_RING: usize = 1 << 10;
/// Slots of the order ring that only cancels may use.
const CANCEL_RESERVE: usize = 128;
/// Events the engine thread takes per turn and ring.
const EVENTS_PER_TURN_MAX: usize = 256;
/// Looks at the prices for one at everything else, while a spinning thread finds nothing: what is looked for is a tick that
/// moves the market, and every other socket asked in between is time in which one waits.
const FEED_LOOKS: u32 = 8;
/// Empty turns of a spinning thread for one after which it says how far it is.
const TURNS_PER_REPORT: u32 = 16;
/// How long the order path may take for the last cancels of a run that has lost its journal.
const FAREWELL: Duration = Duration::from_millis(200);

/// Everything a topology shares with the world outside its threads.
#[derive(Clone)]
pub struct Shared {
    /// Where "now" comes from.
    pub clock: Clock,
    /// How far the threads are.
    pub progress: Arc<Progress>,
    /// Set to end the run.
    pub stop: Arc<AtomicBool>,
    /// What to do when there is nothing to do.
    pub idle: Idle,
    /// Which venues a person wants disconnected; said here, followed by feed and gateway.
    pub unlinked: Unlinked,
    /// First core to pin to, counted from 0 among those this process may use; none leaves it to the scheduler.
    pub first_core: Option<usize>,
}

/// Why a run ended other than by `stop`.
#[derive(Debug)]
pub enum RunError {
    /// The journal could not take a record: nothing may be sent without a journaled cause.
    Journal(AppendError),
    /// The journal could not be closed.
    Close(JournalError),
    /// The gateway can never be ready.
    Gateway(String),
    /// A thread panicked; its own message is on standard error.
    Thread(&'static str),
}

impl std::fmt::Display for RunError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Journal(error) => write!(f, "journal: {error}"),
            Self::Close(error) => write!(f, "closing the journal: {error}"),
            Self::Gateway(reason) => write!(f, "gateway: {reason}"),
            Self::Thread(name) => write!(f, "the {name} thread panicked"),
        }
    }
}

impl std::error::Error for RunError {}

/// What people and the process itself say to the engine: never kept waiting for market data. It is looked at before each
/// event, so that between a kill and its effect lies one event at most.
pub struct Commands<'a> {
    /// What the process itself says; counted, for whoever runs the engine in lock step.
    pub process: &'a mut rtrb::Consumer<Event>,
    /// What people say.
    pub people: &'a mut rtrb::Consumer<Event>,
    /// Set by a signal: kill.
    pub kill: &'a AtomicBool,
    /// Taken from `process`.
    pub taken: u64,
}

impl Commands<'_> {
    #[inline]
    fn is_waiting(&self) -> bool {
        self.kill.load(Ordering::Relaxed) || !self.people.is_empty() || !self.process.is_empty()
    }

    #[cold]
    fn next(&mut self, now: TsNs) -> Option<(Act, Event, bool)> {
        let mut is_persons = false;
        let event = if self.kill.swap(false, Ordering::AcqRel) {
            let reason = Name::new("signal").unwrap_or(Name::EMPTY);
            act_event(Act { reason, ..Act::from(Command::Kill) })
        } else if let Ok(event) = self.process.pop() {
            self.taken += 1;
            event
        } else {
            is_persons = true;
            self.people.pop().ok()?
        };
        let EventBody::Operator(act) = event.body else { return None };
        // It gets the time of the turn that takes it.
        Some((act, Event { ts_event: now, ts_recv: now, ..event }, is_persons))
    }

    /// Lets the engine take whatever was said, and does what the process has to do about it. How many.
    #[cold]
    #[inline(never)]
    fn take<S: Strategy>(
        &mut self,
        shared: &Shared,
        engine: &mut EngineThread<S>,
        now: TsNs,
        read_at: u64,
        forward: &mut impl FnMut(Outbound),
    ) -> Result<u32, AppendError> {
        let mut count = 0;
        while let Some((act, event, is_persons)) = self.next(now) {
            match is_persons {
                true => engine.take_act(event, read_at, forward)?,
                false => engine.take(event, read_at, forward)?,
            }
            count += 1;
            match act.command {
                Command::Disconnect | Command::Connect if act.scope.kind == ScopeKind::Venue => {
                    shared.unlinked.set(act.scope.id, act.command == Command::Disconnect);
                }
                Command::Rotate => engine.rotate()?,
                _ => {}
            }
        }
        Ok(count)
    }
}

/// An event with the moment its bytes were read.
type Stamped = (Event, u64);

/// When the bytes of an event that a turn brings were read: in this turn, which began at `turn_at`, or else its begin.
#[inline]
fn received_since(turn_at: u64) -> u64 {
    stamp::received_at().max(turn_at)
}

/// Runs feed, engine and gateway turns on the calling thread until `stop`.
pub fn inline<S, F, G>(
    shared: &Shared,
    feed: &mut F,
    engine: &mut EngineThread<S>,
    gateway: &mut G,
    mut control: Commands<'_>,
    probe: &mut Probe,
) -> Result<(), RunError>
where
    S: Strategy,
    F: MarketFeed,
    G: OrderGateway,
{
    if let Some(core) = shared.first_core {
        pin_or_tell("engine", core);
    }
    let mut idler = Idler::new(shared.idle);
    // In lock step every empty turn is looked at by the simulator.
    let is_spinning = matches!(shared.idle, Idle::Spin) && !matches!(shared.clock, Clock::Virtual(_));
    let (mut looks, mut empty_turns) = (1, 0);
    let mut answers: VecDeque<Stamped> = VecDeque::with_capacity(FEED_RING);
    let mut was_ready = false;
    let mut stillness = [Stillness::default(); 2];
    // When a turn began that did something: the next one's look at the clock ends it.
    let mut busy_since: Option<u64> = None;
    while !shared.stop.load(Ordering::Acquire) {
        let (mut now, read_at) = (shared.clock.now(), mono_ns());
        if let Some(began) = busy_since.take() {
            engine.note_turn(read_at.saturating_sub(began));
        }
        let mut handled = 0;
        let mut failure = None;
        let mut said = 0;

        let refused = |event| (event, read_at);
        if control.is_waiting() {
            let mut forward =
                |out: Outbound| answers.extend(send_out(gateway, now, &out, probe).map(refused));
            let taken = control.take(shared, engine, now, read_at, &mut forward);
            (said, failure) = split(taken, said, failure);
        }
        handled += gateway.turn(now, &mut |event| answers.push_back((event, received_since(read_at))));
        let mut looks_left = if was_ready { looks } else { 0 };
        while looks_left > 0 {
            looks_left -= 1;
            let mut take = |event| {
                let mut forward =
                    |out: Outbound| answers.extend(send_out(gateway, now, &out, probe).map(refused));
                if control.is_waiting() && failure.is_none() {
                    let taken = control.take(shared, engine, now, read_at, &mut forward);
                    (said, failure) = split(taken, said, failure.take());
                }
                if failure.is_none() {
                    failure = engine.take(event, received_since(read_at), &mut forward).err();
                }
            };
            handled += feed.turn(now, &mut take);
            if handled > 0 || !answers.is_empty() {
                break;
            }
            // An operator's word, a kill above all, is not kept waiting for further looks.
            if control.is_waiting() || shared.stop.load(Ordering::Relaxed) {
                break;
            }
            if looks_left > 0 {
                now = shared.clock.now();
            }
        }
        // What answering these brings up is for the next turn.
        for _ in 0..answers.len() {
            let Some((event, read_at)) = answers.pop_front() else { break };
            handled += 1;
            let mut forward =
                |out: Outbound| answers.extend(send_out(gateway, now, &out, probe).map(refused));
            if control.is_waiting() && failure.is_none() {
                let taken = control.take(shared, engine, now, read_at, &mut forward);
                (said, failure) = split(taken, said, failure.take());
            }
            if failure.is_none() {
                failure = engine.take(event, read_at, &mut forward).err();
            }
        }
        handled += said;
        if handled == 0 {
            let mut forward = |out: Outbound| {
                handled += 1;
                answers.extend(send_out(gateway, now, &out, probe).map(refused));
            };
            failure = failure.or(engine.advance_to(now, read_at, &mut forward).err());
        }
        if let Some(error) = failure {
            cancel_unjournaled(gateway, engine.core(), &shared.clock);
            return Err(RunError::Journal(error));
        }
        answers.extend(engine.journal_event(now, read_at).map(refused));
        if handled == 0 && answers.is_empty() {
            // A wish is sent in the next turn; until then nobody may take this thread for quiet.
            engine.rounds_wanted(now, &mut |venue| {
                gateway.want_round(now, venue);
                handled += 1;
            });
        }
        let is_empty = handled == 0 && answers.is_empty();
        looks = if is_empty && is_spinning { FEED_LOOKS } else { 1 };
        if is_empty {
            empty_turns += 1;
        }
        if is_empty && (!is_spinning || empty_turns >= TURNS_PER_REPORT) {
            empty_turns = 0;
            was_ready |= gateway.is_ready();
            shared.progress.note_feed(feed.tallies(), 0);
            shared.progress.gateway_ready.store(gateway.is_ready(), Ordering::Relaxed);
            shared.progress.tell(engine.counters());
            engine.note_idle();
            publish_inline(shared, now, feed, gateway, control.taken, &mut stillness);
            if let Some(reason) = gateway.fatal() {
                return Err(RunError::Gateway(reason));
            }
        }
        busy_since = (handled > 0).then_some(read_at);
        idler.after(handled);
    }
    Ok(())
}

/// The journal is gone and with it the run. Entries are cancelled without a record: that takes risk away, and the next
/// start asks the venue about every order. Stops and exits stay: nobody is left who could replace them.
fn cancel_unjournaled<S: Strategy, G: OrderGateway>(gateway: &mut G, core: &Engine<S>, clock: &Clock) {
    for order in core.open_orders().filter(|order| order.purpose == Purpose::Entry) {
        gateway.cancel(clock.now(), &cancel_of(order));
    }
    let started = Instant::now();
    while started.elapsed() < FAREWELL {
        gateway.turn(clock.now(), &mut |_| {});
        std::thread::yield_now();
    }
}

const fn cancel_of(order: &Order) -> CancelOrder {
    CancelOrder {
        instrument: order.instrument,
        client_order_id: order.client_order_id,
        venue_order_id: order.venue_order_id,
    }
}

fn publish_inline<F: MarketFeed, G: OrderGateway>(
    shared: &Shared,
    now: TsNs,
    feed: &F,
    gateway: &G,
    commands: u64,
    stillness: &mut [Stillness; 2],
) {
    let counts = Counts { now: now.0, ..Counts::default() };
    let (received, sent) = feed.bytes();
    let at_feed = Counts { received, sent, busy: u64::from(feed.in_flight()), ..counts };
    let (received, sent) = gateway.bytes();
    let at_gateway = Counts { received, sent, busy: u64::from(gateway.in_flight()), ..counts };
    let [of_feed, of_gateway] = stillness;
    // Both are asked in every turn.
    if of_feed.holds(&at_feed) & of_gateway.holds(&at_gateway) {
        shared.progress.feed.publish(&at_feed);
        shared.progress.gateway.publish(&at_gateway);
        shared.progress.engine.publish(&Counts { popped: [0, 0, commands], ..counts });
    }
    if gateway.is_ready() && feed.is_subscribed() {
        shared.progress.is_started.store(true, Ordering::Release);
    }
}

/// Adds what was taken to what was taken before, and keeps the first failure.
fn split(
    taken: Result<u32, AppendError>,
    before: u32,
    failure: Option<AppendError>,
) -> (u32, Option<AppendError>) {
    match taken {
        Ok(count) => (before + count, failure),
        Err(error) => (before, failure.or(Some(error))),
    }
}

fn send_out<G: OrderGateway>(gateway: &mut G, now: TsNs, out: &Outbound, probe: &mut Probe) -> Option<Event> {
    let refused = send(gateway, now, &out.output);
    if refused.is_none() {
        // What waits for a connection or for its answer's turn has not been sealed yet.
        let sealed_at = Some(stamp::sealed_at()).filter(|&at| at >= out.decided_at).unwrap_or_else(mono_ns);
        probe.note(Stretch::DecisionToWire, sealed_at.saturating_sub(out.decided_at));
        probe.note(Stretch::WireToWire, sealed_at.saturating_sub(out.read_at));
    }
    refused
}

/// Runs feed, engine and gateway on a thread each until `stop`; gives the engine back.
pub fn pipelined<S, F, G>(
    shared: &Shared,
    feed: &mut F,
    engine: &mut EngineThread<S>,
    gateway: &mut G,
    control: Commands<'_>,
    probe: &mut Probe,
) -> Result<(), RunError>
where
    S: Strategy + Send,
    F: MarketFeed,
    G: OrderGateway,
{
    let (feed_out, feed_in) = rtrb::RingBuffer::new(FEED_RING);
    let (answers_out, answers_in) = rtrb::RingBuffer::new(ORDER_RING);
    let (orders_out, orders_in) = rtrb::RingBuffer::new(ORDER_RING);
    let was_ready = AtomicBool::new(false);
    let was_ready = &was_ready;
    std::thread::scope(|scope| {
        let name = |name: &str| std::thread::Builder::new().name(name.into());
        let feeder = name("feed").spawn_scoped(scope, move || feed_thread(shared, feed, feed_out, was_ready));
        let sender = name("gateway").spawn_scoped(scope, move || {
            gateway_thread(shared, gateway, answers_out, orders_in, probe, was_ready)
        });
        let (result, mut orders_out) =
            engine_thread(shared, engine, control, feed_in, answers_in, orders_out);
        if result.is_err() {
            for order in engine.core().open_orders().filter(|order| order.purpose == Purpose::Entry) {
                let (output, read_at) = (Output::Cancel(cancel_of(order)), mono_ns());
                let _ = orders_out.push(Errand::Send(Outbound { output, read_at, decided_at: read_at }));
            }
            std::thread::sleep(FAREWELL);
            shared.stop.store(true, Ordering::Release);
        }
        let feeder =
            feeder.map_err(|_| RunError::Thread("feed"))?.join().map_err(|_| RunError::Thread("feed"));
        let sender = sender
            .map_err(|_| RunError::Thread("gateway"))?
            .join()
            .map_err(|_| RunError::Thread("gateway"))?;
        result.and(sender).and(feeder)
    })
}

/// The feed's end of its ring. When the ring is full, quotes are conflated per instrument (the newest counts)
/// and everything else waits in order; while anything waits the socket is not read, so that the venue's own
/// flow control holds the rest.
struct FeedOutlet {
    ring: rtrb::Producer<Stamped>,
    waiting: VecDeque<Stamped>,
    conflated: u64,
    pushed: u64,
}

impl FeedOutlet {
    fn push(&mut self, event: Event, read_at: u64) {
        if self.waiting.is_empty() {
            match self.ring.push((event, read_at)) {
                Ok(()) => self.pushed += 1,
                Err(rtrb::PushError::Full(item)) => self.waiting.push_back(item),
            }
            return;
        }
        if matches!(event.body, EventBody::Quote(_)) {
            let same = |(other, _): &&mut Stamped| {
                other.instrument == event.instrument && matches!(other.body, EventBody::Quote(_))
            };
            if let Some(slot) = self.waiting.iter_mut().rev().find(same) {
                *slot = (event, read_at);
                self.conflated += 1;
                return;
            }
        }
        self.waiting.push_back((event, read_at));
    }

    fn flush(&mut self) {
        while let Some(item) = self.waiting.pop_front() {
            if let Err(rtrb::PushError::Full(item)) = self.ring.push(item) {
                self.waiting.push_front(item);
                return;
            }
            self.pushed += 1;
        }
    }
}

fn feed_thread<F: MarketFeed>(
    shared: &Shared,
    feed: &mut F,
    ring: rtrb::Producer<Stamped>,
    was_ready: &AtomicBool,
) {
    if let Some(core) = shared.first_core {
        pin_or_tell("feed", core + 1);
    }
    let mut idler = Idler::new(shared.idle);
    let mut out = FeedOutlet { ring, waiting: VecDeque::with_capacity(FEED_RING), conflated: 0, pushed: 0 };
    let mut stillness = Stillness::default();
    while !shared.stop.load(Ordering::Acquire) {
        let (now, read_at) = (shared.clock.now(), mono_ns());
        out.flush();
        let mut handled = 0;
        if out.waiting.is_empty() && was_ready.load(Ordering::Acquire) {
            handled = feed.turn(now, &mut |event| out.push(event, received_since(read_at)));
        }
        if handled == 0 && out.waiting.is_empty() {
            let (received, sent) = feed.bytes();
            let busy = u64::from(feed.in_flight());
            let counts = Counts { now: now.0, received, sent, pushed: out.pushed, busy, ..Counts::default() };
            if stillness.holds(&counts) {
                shared.progress.feed.publish(&counts);
            }
            shared.progress.note_feed(feed.tallies(), out.conflated);
            if feed.is_subscribed() {
                shared.progress.is_started.store(true, Ordering::Release);
            }
        }
        idler.after(handled);
    }
}

fn engine_thread<S: Strategy>(
    shared: &Shared,
    engine: &mut EngineThread<S>,
    mut control: Commands<'_>,
    mut feed: rtrb::Consumer<Stamped>,
    mut answers: rtrb::Consumer<Stamped>,
    mut orders: rtrb::Producer<Errand>,
) -> (Result<(), RunError>, rtrb::Producer<Errand>) {
    if let Some(core) = shared.first_core {
        pin_or_tell("engine", core);
    }
    let result = engine_turns(shared, engine, &mut control, &mut feed, &mut answers, &mut orders);
    (result, orders)
}

fn engine_turns<S: Strategy>(
    shared: &Shared,
    engine: &mut EngineThread<S>,
    control: &mut Commands<'_>,
    feed: &mut rtrb::Consumer<Stamped>,
    answers: &mut rtrb::Consumer<Stamped>,
    orders: &mut rtrb::Producer<Errand>,
) -> Result<(), RunError> {
    let mut idler = Idler::new(shared.idle);
    let mut refused: VecDeque<Event> = VecDeque::with_capacity(ORDER_RING);
    let mut taken: VecDeque<Event> = VecDeque::with_capacity(ORDER_RING);
    let mut counts = Counts::default();
    let mut busy_since: Option<u64> = None;
    while !shared.stop.load(Ordering::Acquire) {
        let (now, read_at) = (shared.clock.now(), mono_ns());
        if let Some(began) = busy_since.take() {
            engine.note_turn(read_at.saturating_sub(began));
        }
        let mut handled = 0;
        std::mem::swap(&mut refused, &mut taken);
        let mut forward = |out: Outbound| match push_order(orders, now, out) {
            None => counts.pushed += 1,
            Some(event) => refused.push_back(event),
        };
        // Before each event.
        macro_rules! listen {
            () => {
                if control.is_waiting() {
                    let taken = control.take(shared, engine, now, read_at, &mut forward);
                    handled += taken.map_err(RunError::Journal)?;
                }
            };
        }
        listen!();
        while let Some(event) = taken.pop_front() {
            listen!();
            engine.take(event, read_at, &mut forward).map_err(RunError::Journal)?;
            handled += 1;
        }
        // Look at the feed's ring first and take from it last: an answer that was sent before a price is then
        // never taken after it.
        let prices = feed.slots().min(EVENTS_PER_TURN_MAX);
        while let Ok((event, read_at)) = answers.pop() {
            listen!();
            engine.take(event, read_at, &mut forward).map_err(RunError::Journal)?;
            counts.popped[1] += 1;
            handled += 1;
        }
        for _ in 0..prices {
            let Ok((event, read_at)) = feed.pop() else { break };
            listen!();
            engine.take(event, read_at, &mut forward).map_err(RunError::Journal)?;
            counts.popped[0] += 1;
            handled += 1;
        }
        if handled == 0 {
            engine.advance_to(now, read_at, &mut forward).map_err(RunError::Journal)?;
        }
        refused.extend(engine.journal_event(now, read_at));
        if handled == 0 && refused.is_empty() {
            // A wish that finds no room is told again.
            engine.rounds_wanted(now, &mut |venue| {
                counts.pushed += u64::from(orders.push(Errand::Round(venue)).is_ok());
            });
            counts.now = now.0;
            counts.popped[2] = control.taken;
            shared.progress.engine.publish(&counts);
            shared.progress.tell(engine.counters());
            engine.note_idle();
        }
        busy_since = (handled > 0).then_some(read_at);
        idler.after(handled);
    }
    Ok(())
}

/// Puts an order into the ring, or gives the event that says it was refused. Orders leave the last slots to
/// cancels; an order that finds no room is refused, not delayed.
fn push_order(ring: &mut rtrb::Producer<Errand>, now: TsNs, out: Outbound) -> Option<Event> {
    let is_cancel = matches!(out.output, Output::Cancel(_));
    if (is_cancel || ring.slots() > CANCEL_RESERVE) && ring.push(Errand::Send(out)).is_ok() {
        return None;
    }
    not_sent(now, &out.output, REJECT_RING_FULL)
}

fn gateway_thread<G: OrderGateway>(
    shared: &Shared,
    gateway: &mut G,
    mut answers: rtrb::Producer<Stamped>,
    mut orders: rtrb::Consumer<Errand>,
    probe: &mut Probe,
    was_ready: &AtomicBool,
) -> Result<(), RunError> {
    if let Some(core) = shared.first_core {
        pin_or_tell("gateway", core + 2);
    }
    let mut idler = Idler::new(shared.idle);
    let mut waiting: VecDeque<Stamped> = VecDeque::with_capacity(ORDER_RING);
    let mut counts = Counts::default();
    let mut stillness = Stillness::default();
    while !shared.stop.load(Ordering::Acquire) {
        let (now, read_at) = (shared.clock.now(), mono_ns());
        let mut handled = 0;
        while let Ok(errand) = orders.pop() {
            counts.popped[0] += 1;
            handled += 1;
            match errand {
                Errand::Send(out) => {
                    waiting.extend(send_out(gateway, now, &out, probe).map(|event| (event, read_at)));
                }
                Errand::Round(venue) => gateway.want_round(now, venue),
            }
        }
        // Order events are never dropped: while one waits for room the socket is not read.
        if waiting.is_empty() {
            handled += gateway.turn(now, &mut |event| waiting.push_back((event, received_since(read_at))));
        }
        while let Some(item) = waiting.pop_front() {
            if let Err(rtrb::PushError::Full(item)) = answers.push(item) {
                waiting.push_front(item);
                break;
            }
            counts.pushed += 1;
        }
        if handled == 0 && waiting.is_empty() {
            (counts.received, counts.sent) = gateway.bytes();
            counts.busy = u64::from(gateway.in_flight());
            counts.now = now.0;
            if stillness.holds(&counts) {
                shared.progress.gateway.publish(&counts);
            }
            shared.progress.gateway_ready.store(gateway.is_ready(), Ordering::Release);
            if gateway.is_ready() {
                was_ready.store(true, Ordering::Release);
            }
            if let Some(reason) = gateway.fatal() {
                shared.stop.store(true, Ordering::Release);
                return Err(RunError::Gateway(reason));
            }
        }
        idler.after(handled);
    }
    Ok(())
}
