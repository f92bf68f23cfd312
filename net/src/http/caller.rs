//! Requests over a few kept-alive connections: what a venue's REST interface needs of a client.
//!
//! Cold path: it allocates. Says of each request once what became of it, and never sends one a second time unless
//! repeating it cannot do harm. Reads no clock: time is the `now` of the turn, in nanoseconds.

use std::collections::VecDeque;

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
#[derive(Clone, Debug)]
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
    waiting: VecDeque<Call>,
    timeout_ns: u64,
    retry_at_ns: u64,
    failures: u32,
    past_received: u64,
    past_sent: u64,
}

#[derive(Default)]
struct Slot {
    client: Option<HttpClient>,
    flight: Option<Flight>,
}

struct Flight {
    call: Call,
    since_ns: u64,
    /// The connection had answered before: the venue may have closed it meanwhile.
    is_reused: bool,
}

impl Caller {
    /// At most `connections` at once; a request that has no answer after `timeout_ns` is given up.
    pub fn new(endpoint: Endpoint, connections: usize, timeout_ns: u64) -> Self {
        Self {
            endpoint,
            slots: (0..connections.max(1)).map(|_| Slot::default()).collect(),
            waiting: VecDeque::new(),
            timeout_ns,
            retry_at_ns: 0,
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
        self.waiting.push_back(call);
        self.start(now_ns);
        // What can go now goes now.
        for slot in &mut self.slots {
            if let (Some(client), Some(_)) = (&mut slot.client, &slot.flight)
                && client.is_unsent()
            {
                let _ = client.nudge();
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
        if !self.waiting.is_empty() {
            self.start(now_ns);
        }
        told
    }

    /// Drops what waits and has not been sent, telling so. What is under way stays.
    pub fn drop_waiting(&mut self, tell: &mut impl FnMut(u64, Outcome)) {
        for call in self.waiting.drain(..) {
            tell(call.tag, Outcome::NotSent(NetError::Closed { code: None }));
        }
    }

    /// Nothing is sent before this.
    pub fn hold_until(&mut self, at_ns: u64) {
        self.retry_at_ns = self.retry_at_ns.max(at_ns);
    }

    /// Requests that wait or have no outcome yet.
    pub fn open(&self) -> usize {
        self.waiting.len() + self.slots.iter().filter(|slot| slot.flight.is_some()).count()
    }

    /// Bytes that have not left yet count as one each connection; 0 is quiet.
    pub fn in_flight(&self) -> u32 {
        let is_sending = |slot: &&Slot| {
            slot.flight.is_some() && slot.client.as_ref().is_some_and(|client| client.pending_send() > 0)
        };
        self.slots.iter().filter(is_sending).count() as u32 + self.waiting.len() as u32
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
        if now_ns < self.retry_at_ns {
            return;
        }
        // A connection that is there already comes first.
        let is_free = |slot: &Slot| slot.flight.is_none();
        let has_client = |slot: &Slot| slot.client.as_ref().is_some_and(|client| !client.is_dead());
        while !self.waiting.is_empty() {
            let ready = self.slots.iter().position(|slot| is_free(slot) && has_client(slot));
            let Some(at) = ready.or_else(|| self.slots.iter().position(is_free)) else { return };
            let Some(call) = self.waiting.pop_front() else { return };
            if let Err(call) = self.begin(at, call, now_ns) {
                self.waiting.push_front(call);
                return;
            }
        }
    }

    /// Gives a request to a connection; back when there is none to be had now.
    fn begin(&mut self, at: usize, call: Call, now_ns: u64) -> Result<(), Call> {
        if self.slots.get(at).is_some_and(|slot| slot.client.as_ref().is_some_and(HttpClient::is_dead)) {
            self.drop_client(at);
        }
        let Some(slot) = self.slots.get_mut(at) else { return Err(call) };
        let is_reused = slot.client.is_some();
        if slot.client.is_none() {
            match HttpClient::connect(&self.endpoint) {
                Ok(client) => slot.client = Some(client),
                Err(_) => {
                    self.pause(now_ns);
                    return Err(call);
                }
            }
        }
        let Some(client) = &mut slot.client else { return Err(call) };
        let headers: Vec<(&str, &str)> =
            call.headers.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        match client.request(call.method, &call.path, &headers, &call.body) {
            Ok(()) => {
                slot.flight = Some(Flight { call, since_ns: now_ns, is_reused });
                Ok(())
            }
            Err(_) => {
                self.drop_client(at);
                self.pause(now_ns);
                Err(call)
            }
        }
    }

    fn turn_slot(&mut self, at: usize, now_ns: u64) -> Option<(u64, Outcome)> {
        let slot = self.slots.get_mut(at)?;
        let client = slot.client.as_mut()?;
        let is_unsent = client.is_unsent();
        match client.poll() {
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
        let flight = self.slots.get_mut(at)?.flight.take();
        self.drop_client(at);
        let flight = flight?;
        if flight.is_reused && (is_unsent || flight.call.is_repeatable) && error != NetError::TimedOut {
            self.waiting.push_front(flight.call);
            return None;
        }
        self.pause(now_ns);
        let outcome = if is_unsent { Outcome::NotSent(error) } else { Outcome::Unknown(error) };
        Some((flight.call.tag, outcome))
    }

    fn pause(&mut self, now_ns: u64) {
        let pause = PAUSE_FIRST_NS.saturating_mul(1 << self.failures.min(16)).min(PAUSE_LONGEST_NS);
        self.failures = self.failures.saturating_add(1);
        self.hold_until(now_ns.saturating_add(pause));
    }

    fn drop_client(&mut self, at: usize) {
        if let Some(client) = self.slots.get_mut(at).and_then(|slot| slot.client.take()) {
            self.past_received += client.bytes_received();
            self.past_sent += client.bytes_sent();
        }
    }
}
