//! Fetches depth snapshots and rules, one at a time, so that many books out of step do not burn the request weight.
//!
//! Cold path: allocates. Owns the only HTTP connection of the feed. Waits with backoff after a failure, as
//! long as `Retry-After` says after a 429 or 418, whoever of us was told it, and for the next minute once much weight is used.

use bytes::{Bytes, BytesMut};
use smc_core::words::{Name, TsNs};
use smc_net::{Endpoint, Hold, HttpClient, HttpResponse};

use super::settings::FeedSettings;
use super::subscribe::percent_encoded;
use crate::backoff::Backoff;

const MINUTE_NS: u64 = 60_000_000_000;
/// Wait after 403 or a 429 without `Retry-After`: such refusals get worse when pressed.
const REFUSED_NS: u64 = 30_000_000_000;
/// An idle connection is looked after once in so many turns: that costs a system call.
const IDLE_TURNS: u32 = 16;

/// The snapshot fetcher.
pub struct Snapshots {
    endpoint: Endpoint,
    /// One path for each place in the table; behind them, that of the rules.
    paths: Vec<String>,
    client: Option<HttpClient>,
    flight: Option<Flight>,
    backoff: Backoff,
    hold: Hold,
    timeout_ns: u64,
    weight_max: u32,
    idle_turns: u32,
    asked: u64,
    failed: u64,
    /// Bytes of connections that are gone.
    past_received: u64,
    past_sent: u64,
}

struct Flight {
    place: usize,
    since: TsNs,
    /// The connection was lost meanwhile: the answer is older than the new stream and must not be used.
    is_void: bool,
    /// On a connection that had been idle: the venue may have closed it, which is no failure.
    is_reused: bool,
}

impl Snapshots {
    /// For the symbols in the table's order.
    pub fn new(settings: &FeedSettings, symbols: impl Iterator<Item = Name>) -> Self {
        let path = |symbol: Name| {
            let symbol = percent_encoded(symbol.as_str());
            format!("{}?symbol={symbol}&limit={}", settings.snapshot_path, settings.snapshot_limit)
        };
        Self {
            endpoint: settings.rest.clone(),
            paths: symbols.map(path).chain([settings.rules_path.clone()]).collect(),
            client: None,
            flight: None,
            backoff: Backoff::new(settings.seed ^ 0x0005_a095_4075),
            hold: settings.hold.clone(),
            timeout_ns: settings.request_timeout_ns,
            weight_max: settings.weight_max,
            idle_turns: 0,
            asked: 0,
            failed: 0,
            past_received: 0,
            past_sent: 0,
        }
    }

    /// Whether a request waits for its answer.
    pub const fn is_in_flight(&self) -> bool {
        self.flight.is_some()
    }

    /// Whether a request has not left yet: its connection is being made, or the socket is full.
    pub fn is_sending(&self) -> bool {
        self.flight.is_some() && self.client.as_ref().is_some_and(|client| client.pending_send() > 0)
    }

    /// Whether a new request may be made now.
    pub fn is_due(&self, now: TsNs) -> bool {
        self.flight.is_none() && self.backoff.is_due(now) && self.hold.until() <= now.0
    }

    /// Asks for the snapshot of the instrument at `place`; behind the last one, for the rules.
    #[cold]
    pub fn ask(&mut self, place: usize, now: TsNs) {
        if self.client.as_ref().is_some_and(HttpClient::is_dead) {
            self.drop_client();
        }
        let is_reused = self.client.is_some();
        if self.client.is_none() {
            match HttpClient::connect(&self.endpoint) {
                Ok(client) => self.client = Some(client),
                Err(_) => return self.fail(now),
            }
        }
        let (Some(client), Some(path)) = (&mut self.client, self.paths.get(place)) else { return };
        match client.get(path, &[]) {
            Ok(()) => {
                self.asked += 1;
                self.flight = Some(Flight { place, since: now, is_void: false, is_reused });
            }
            Err(_) => {
                self.drop_client();
                self.fail(now);
            }
        }
    }

    /// One bounded pass. An answer: the place it is for and its body, whole and good as far as HTTP goes.
    pub fn turn(&mut self, now: TsNs) -> Option<(usize, BytesMut)> {
        let client = self.client.as_mut()?;
        let Some(flight) = &self.flight else {
            self.idle_turns = (self.idle_turns + 1) % IDLE_TURNS;
            if self.idle_turns == 0 && client.poll().is_err() {
                self.drop_client();
            }
            return None;
        };
        match client.poll() {
            Ok(None) if now.since(flight.since) <= self.timeout_ns => None,
            Ok(Some(response)) => {
                let (place, is_void) = (flight.place, flight.is_void);
                self.flight = None;
                self.on_response(&response, now).filter(|_| !is_void).map(|body| (place, body))
            }
            Ok(None) => {
                self.lose(now);
                None
            }
            Err(_) if flight.is_reused => {
                // The venue closed the idle connection: ask again on a new one.
                let (place, is_void) = (flight.place, flight.is_void);
                self.flight = None;
                self.drop_client();
                if !is_void {
                    self.ask(place, now);
                }
                None
            }
            Err(_) => {
                self.lose(now);
                None
            }
        }
    }

    /// What the last snapshot was good for.
    pub fn on_outcome(&mut self, is_good: bool, now: TsNs) {
        if is_good { self.backoff.succeed() } else { self.fail(now) }
    }

    /// Makes the next request wait, though the last snapshot was good: its book broke soon after.
    pub fn hold_back(&mut self, now: TsNs) {
        self.backoff.fail(now);
    }

    /// The stream connection is gone: an answer under way is of no use.
    pub const fn void_flight(&mut self) {
        if let Some(flight) = &mut self.flight {
            flight.is_void = true;
        }
    }

    /// Requests made, and those that failed.
    pub const fn counts(&self) -> (u64, u64) {
        (self.asked, self.failed)
    }

    /// Raw bytes read, over all connections.
    pub fn bytes_received(&self) -> u64 {
        self.past_received + self.client.as_ref().map_or(0, HttpClient::bytes_received)
    }

    /// Raw bytes sent, over all connections.
    pub fn bytes_sent(&self) -> u64 {
        self.past_sent + self.client.as_ref().map_or(0, HttpClient::bytes_sent)
    }

    fn on_response(&mut self, response: &HttpResponse, now: TsNs) -> Option<BytesMut> {
        let number = |name: &str| response.header(name).and_then(|text| text.trim().parse::<u64>().ok());
        let minute_end = TsNs((now.0 / MINUTE_NS).saturating_add(1).saturating_mul(MINUTE_NS));
        if number("x-mbx-used-weight-1m").is_some_and(|used| used >= u64::from(self.weight_max)) {
            self.backoff.wait_until(minute_end);
        }
        match response.status {
            200 => return Some(owned(&response.body)),
            403 | 418 | 429 => {
                let wait =
                    number("retry-after").map_or(REFUSED_NS, |secs| secs.saturating_mul(1_000_000_000));
                self.hold.raise(now.0.saturating_add(wait));
            }
            _ => {}
        }
        self.fail(now);
        None
    }

    fn lose(&mut self, now: TsNs) {
        self.flight = None;
        self.drop_client();
        self.fail(now);
    }

    fn fail(&mut self, now: TsNs) {
        self.failed += 1;
        self.backoff.fail(now);
    }

    fn drop_client(&mut self) {
        if let Some(client) = self.client.take() {
            self.past_received += client.bytes_received();
            self.past_sent += client.bytes_sent();
        }
    }
}

/// A copy that may be changed: the tape unescapes in place.
fn owned(body: &Bytes) -> BytesMut {
    BytesMut::from(body.as_ref())
}
