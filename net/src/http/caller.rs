//! Requests over a few kept-alive connections: what a venue's REST interface needs of a client.
//!
//! Cold path: it allocates. Says of each request once what became of it, and never sends one a second time unless
//! repeating it cannot do harm. Reads no clock: time is the `now` of the turn, in nanoseconds.

use std::collections::VecDeque;
use std::fmt;

use super::client::HttpClient;
use super::request::Method;
use super::response::HttpResponse;
use crate::error::NetError;
use crate::link::Endpoint;

/// Requests that may wait for a connection.
const WAITING_MAX: usize = 1_024;
/// First pause after a connection that could not be made; doubles up to the longest.
const PAUSE_FIRST_NS: u64 = 250_000_000;
const PAUSE_LONGEST_NS: u64 = 30_000_000_000;

/// One request.
#[derive(Clone)]
pub struct Call {
    /// The caller's own mark, told with the outcome.
    pub tag: u64,
    /// The method.
    pub method: Method,
    /// Path and query.
    pub path: String,
    /// Header lines besides those every request has.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Vec<u8>,
    /// Asking twice does no harm: repeated once, when a connection that had been idle turns out to be closed.
    pub is_repeatable: bool,
}

/// Header values and the body stay out of it: they carry keys and signatures.
impl fmt::Debug for Call {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { tag, method, path, headers, body, is_repeatable } = self;
        let path = path.split('?').next().unwrap_or_default();
        f.debug_struct("Call")
            .field("tag", tag)
            .field("method", method)
            .field("path", &path)
            .field("headers", &headers.len())
            .field("body_bytes", &body.len())
            .field("is_repeatable", is_repeatable)
            .finish()
    }
}

/// What became of a request.
#[derive(Debug)]
pub enum Outcome {
    /// The venue answered.
    Answer(HttpResponse),
    /// No byte of it has left.
    NotSent(NetError),
    /// It left, and no whole answer came: it may have been done or not.
    Unknown(NetError),
}

/// Several connections to one endpoint.
pub struct Caller {
    endpoint: Endpoint,
    slots: Vec<Slot>,
    waiting: VecDeque<Waiting>,
    /// Requests that no connection would take, until the next turn tells so.
    refused: Vec<(u64, NetError)>,
    timeout_ns: u64,
    /// Nothing is sent before this.
    held_until_ns: u64,
    /// No connection is made before this; those that stand go on.
    connect_at_ns: u64,
    failures: u32,
    past_received: u64,
    past_sent: u64,
}

#[derive(Default)]
struct Slot {
    client: Option<HttpClient>,
    /// The connection stood once: that it ended later is no reason to wait with the next.
    was_open: bool,
    flight: Option<Flight>,
}

/// A request that has no connection yet.
struct Waiting {
    call: Call,
    /// When it was given to us: the time that it may take runs from here.
    since_ns: u64,
}

struct Flight {
    call: Call,
    since_ns: u64,
    /// The connection had answered before: the venue may have closed it meanwhile.
    is_reused: bool,
}

impl Caller {
    /// At most `connections` at once; a request that has no answer `timeout_ns` after it was given is given up, also one
    /// that still waits for a connection: nothing is sent when nobody waits for it any more.
    pub fn new(endpoint: Endpoint, connections: usize, timeout_ns: u64) -> Self {
        Self {
            endpoint,
            slots: (0..connections.max(1)).map(|_| Slot::default()).collect(),
            waiting: VecDeque::new(),
            refused: Vec::new(),
            timeout_ns,
            held_until_ns: 0,
            connect_at_ns: 0,
            failures: 0,
            past_received: 0,
            past_sent: 0,
        }
    }

    /// Sends the request over an idle connection now, or as soon as there is one. False when too many wait: then
    /// nothing was taken.
    pub fn call(&mut self, now_ns: u64, call: Call) -> bool {
        if self.waiting.len() >= WAITING_MAX {
            return false;
        }
        self.waiting.push_back(Waiting { call, since_ns: now_ns });
        self.start(now_ns);
        // What can go now goes now.
        for slot in &mut self.slots {
            if let (Some(client), Some(_)) = (&mut slot.client, &slot.flight)
                && client.is_unsent()
            {
                client.nudge();
            }
        }
        true
    }

    /// One bounded pass; tells the outcome of each request that has one.
    pub fn turn(&mut self, now_ns: u64, tell: &mut impl FnMut(u64, Outcome)) -> u32 {
        let mut told = 0;
        for at in 0..self.slots.len() {
            if let Some((tag, outcome)) = self.turn_slot(at, now_ns) {
                told += 1;
                tell(tag, outcome);
            }
        }
        told += self.drop_overdue(now_ns, tell);
        for (tag, error) in self.refused.drain(..) {
            told += 1;
            tell(tag, Outcome::NotSent(error));
        }
        if !self.waiting.is_empty() {
            self.start(now_ns);
        }
        told
    }

    /// True when a request given now leaves at once, over a connection that stands and is idle.
    pub fn is_ready(&self) -> bool {
        let is_ready =
            |slot: &Slot| slot.flight.is_none() && slot.client.as_ref().is_some_and(HttpClient::is_ready);
        self.waiting.is_empty() && self.slots.iter().any(is_ready)
    }

    /// Starts one connection that is missing, if none is being made and no pause is kept: venues limit how many may be
    /// made in a second. True when one was started.
    pub fn keep_warm(&mut self, now_ns: u64) -> bool {
        let is_opening = |slot: &Slot| slot.client.as_ref().is_some_and(|client| !client.is_open());
        if now_ns < self.connect_at_ns || self.slots.iter().any(is_opening) {
            return false;
        }
        let Some(slot) = self.slots.iter_mut().find(|slot| slot.client.is_none()) else { return false };
        match HttpClient::connect(&self.endpoint) {
            Ok(client) => {
                (slot.client, slot.was_open) = (Some(client), false);
                true
            }
            Err(_) => {
                self.pause(now_ns);
                false
            }
        }
    }

    /// Drops what waits and has not been sent, telling so. What is under way stays.
    pub fn drop_waiting(&mut self, tell: &mut impl FnMut(u64, Outcome)) {
        for Waiting { call, .. } in self.waiting.drain(..) {
            tell(call.tag, Outcome::NotSent(NetError::Closed { code: None }));
        }
    }

    /// Nothing is sent before this.
    pub fn hold_until(&mut self, at_ns: u64) {
        self.held_until_ns = self.held_until_ns.max(at_ns);
    }

    /// Requests that wait or have no outcome yet.
    pub fn open(&self) -> usize {
        self.waiting.len()
            + self.refused.len()
            + self.slots.iter().filter(|slot| slot.flight.is_some()).count()
    }

    /// Bytes that have not left yet count as one each connection, and requests whose refusal is not told yet; 0 is quiet.
    /// What waits does not count: every turn begins what can be begun, and the rest waits for time or for an answer.
    pub fn in_flight(&self) -> u32 {
        let is_sending = |slot: &&Slot| {
            slot.flight.is_some() && slot.client.as_ref().is_some_and(|client| client.pending_send() > 0)
        };
        (self.slots.iter().filter(is_sending).count() + self.refused.len()) as u32
    }

    /// Raw bytes read, over all connections.
    pub fn bytes_received(&self) -> u64 {
        let of = |slot: &Slot| slot.client.as_ref().map_or(0, HttpClient::bytes_received);
        self.past_received + self.slots.iter().map(of).sum::<u64>()
    }

    /// Raw bytes sent, over all connections.
    pub fn bytes_sent(&self) -> u64 {
        let of = |slot: &Slot| slot.client.as_ref().map_or(0, HttpClient::bytes_sent);
        self.past_sent + self.slots.iter().map(of).sum::<u64>()
    }

    fn start(&mut self, now_ns: u64) {
        if now_ns < self.held_until_ns {
            return;
        }
        // A connection that is there already comes first.
        let is_free = |slot: &Slot| slot.flight.is_none();
        let has_client = |slot: &Slot| slot.client.as_ref().is_some_and(|client| !client.is_dead());
        while !self.waiting.is_empty() {
            let ready = self.slots.iter().position(|slot| is_free(slot) && has_client(slot));
            let may_connect = now_ns >= self.connect_at_ns;
            let fresh = || self.slots.iter().position(is_free).filter(|_| may_connect);
            let Some(at) = ready.or_else(fresh) else { return };
            let Some(waiting) = self.waiting.pop_front() else { return };
            if let Err(waiting) = self.begin(at, waiting, now_ns) {
                self.waiting.push_front(waiting);
                return;
            }
        }
    }

    /// Gives a request to a connection; back when there is none to be had now.
    fn begin(&mut self, at: usize, waiting: Waiting, now_ns: u64) -> Result<(), Waiting> {
        if self.slots.get(at).is_some_and(|slot| slot.client.as_ref().is_some_and(HttpClient::is_dead)) {
            self.drop_client(at);
        }
        let Some(slot) = self.slots.get_mut(at) else { return Err(waiting) };
        let is_reused = slot.client.is_some();
        if slot.client.is_none() {
            match HttpClient::connect(&self.endpoint) {
                Ok(client) => (slot.client, slot.was_open) = (Some(client), false),
                Err(_) => {
                    self.pause(now_ns);
                    return Err(waiting);
                }
            }
        }
        let Some(client) = &mut slot.client else { return Err(waiting) };
        let Waiting { call, since_ns } = waiting;
        let headers: Vec<(&str, &str)> =
            call.headers.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        match client.request(call.method, &call.path, &headers, &call.body) {
            Ok(()) => {
                slot.flight = Some(Flight { call, since_ns, is_reused });
                Ok(())
            }
            Err(error) if error.is_fatal() => {
                self.drop_client(at);
                self.pause(now_ns);
                Err(Waiting { call, since_ns })
            }
            // The request itself is at fault: no connection would take it.
            Err(error) => {
                self.refused.push((call.tag, error));
                Ok(())
            }
        }
    }

    fn turn_slot(&mut self, at: usize, now_ns: u64) -> Option<(u64, Outcome)> {
        let slot = self.slots.get_mut(at)?;
        let client = slot.client.as_mut()?;
        slot.was_open |= client.is_open();
        let polled = client.poll();
        // Asked after the poll, which may have sent the request before it failed.
        let is_unsent = client.is_unsent();
        match polled {
            Ok(Some(response)) => {
                self.failures = 0;
                slot.flight.take().map(|flight| (flight.call.tag, Outcome::Answer(response)))
            }
            Ok(None) => {
                let since_ns = slot.flight.as_ref()?.since_ns;
                (now_ns.saturating_sub(since_ns) > self.timeout_ns)
                    .then(|| self.give_up(at, NetError::TimedOut, is_unsent, now_ns))?
            }
            Err(error) => self.give_up(at, error, is_unsent, now_ns),
        }
    }

    fn give_up(
        &mut self,
        at: usize,
        error: NetError,
        is_unsent: bool,
        now_ns: u64,
    ) -> Option<(u64, Outcome)> {
        let slot = self.slots.get_mut(at)?;
        let (flight, was_open) = (slot.flight.take(), slot.was_open);
        self.drop_client(at);
        let Some(flight) = flight else {
            if !was_open {
                self.pause(now_ns);
            }
            return None;
        };
        if flight.is_reused && (is_unsent || flight.call.is_repeatable) && error != NetError::TimedOut {
            self.waiting.push_front(Waiting { call: flight.call, since_ns: flight.since_ns });
            return None;
        }
        self.pause(now_ns);
        let outcome = if is_unsent { Outcome::NotSent(error) } else { Outcome::Unknown(error) };
        Some((flight.call.tag, outcome))
    }

    fn drop_overdue(&mut self, now_ns: u64, tell: &mut impl FnMut(u64, Outcome)) -> u32 {
        let timeout_ns = self.timeout_ns;
        let mut told = 0;
        while let Some(waiting) =
            self.waiting.pop_front_if(|waiting| now_ns.saturating_sub(waiting.since_ns) > timeout_ns)
        {
            told += 1;
            tell(waiting.call.tag, Outcome::NotSent(NetError::TimedOut));
        }
        told
    }

    fn pause(&mut self, now_ns: u64) {
        let pause = PAUSE_FIRST_NS.saturating_mul(1 << self.failures.min(16)).min(PAUSE_LONGEST_NS);
        self.failures = self.failures.saturating_add(1);
        self.connect_at_ns = self.connect_at_ns.max(now_ns.saturating_add(pause));
    }

    fn drop_client(&mut self, at: usize) {
        if let Some(client) = self.slots.get_mut(at).and_then(|slot| slot.client.take()) {
            self.past_received += client.bytes_received();
            self.past_sent += client.bytes_sent();
        }
    }
}
