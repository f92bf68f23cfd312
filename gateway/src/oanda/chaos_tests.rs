//! Many short lives of a session with a venue whose answers are lost, late or errors, whose stream is cut, repeats itself,
//! loses and swaps lines, and whose account other hands trade as well; each from one printed seed. However it went, in the
//! end the session must have told exactly what the venue booked, and each position only as of what was told before it.

use super::desk::{Desk, bracketed, market, order};
use super::fake::Fate;
use super::session::{MS, SECOND};
use serde_json::{Value, json};
use smc_core::event::{EventBody, OrderUpdateKind};
use smc_core::output::{NewOrder, OrderKind, OrderTerms, Purpose};
use smc_core::words::{ClientOrderId, InstrumentId, Price, Qty, SCALE, Side, TsNs};
use smc_net::{Call, Method};
use std::collections::{BTreeMap, BTreeSet};

const SEEDS: u64 = 600;
const STEPS: u32 = 80;
/// A request that is late still arrives before nobody expects it any more.
const LATE_MAX: u64 = 25 * SECOND;

/// A life.
struct Life {
    desk: Desk,
    dice: u64,
    /// Orders that were sent.
    sent: Vec<NewOrder>,
    /// Requests whose outcome is told as unknown and that arrive later.
    late: Vec<(TsNs, Call)>,
    /// Transactions that the stream will show, in its order.
    lines: Vec<u64>,
    is_honest: bool,
    /// Processes end and begin.
    has_restarts: bool,
    restarts: u32,
    /// Events that were told when the session was ready first, or when the last order or cancel was sent.
    decided: usize,
}

impl Life {
    fn new(seed: u64, has_restarts: bool) -> Self {
        let mut desk = Desk::new();
        desk.connect();
        desk.venue.page = 3;
        let decided = desk.events.len();
        let dice = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
        desk.venue.forgets_names = has_restarts && seed.is_multiple_of(2);
        Self {
            desk,
            dice,
            sent: Vec::new(),
            late: Vec::new(),
            lines: Vec::new(),
            is_honest: false,
            has_restarts,
            restarts: 0,
            decided,
        }
    }

    fn roll(&mut self, sides: u64) -> u64 {
        self.dice ^= self.dice << 13;
        self.dice ^= self.dice >> 7;
        self.dice ^= self.dice << 17;
        (self.dice >> 11) % sides
    }

    fn next(&self) -> u64 {
        // Each leaves room for what comes with it.
        self.sent.len() as u64 * 3 + 1
    }

    fn place(&mut self) {
        let sequence = self.next();
        let roll = self.roll(5);
        let new = match roll {
            0 => market(sequence),
            1 => bracketed(sequence),
            2 => NewOrder { side: Side::Sell, qty: Qty(70 * SCALE), ..market(sequence) },
            3 => NewOrder { terms: bracketed(1).terms, ..order(sequence) },
            _ => order(sequence),
        };
        if self.desk.place(&new).is_ok() {
            self.sent.push(new);
            self.decided = self.desk.events.len();
        }
    }

    /// A pending order of ours as the engine would name it.
    fn pending(&mut self) -> Option<ClientOrderId> {
        let pending: Vec<_> = self.desk.session.orders.iter().map(|order| order.id).collect();
        (!pending.is_empty()).then(|| pending[self.roll(pending.len() as u64) as usize])
    }

    fn cancel(&mut self) {
        if let Some(id) = self.pending() {
            self.desk.cancel(id, 0).unwrap();
            self.decided = self.desk.events.len();
        }
    }

    fn replace(&mut self) {
        let Some(id) = self.pending() else { return };
        let stop = NewOrder {
            side: Side::Sell,
            kind: OrderKind::StopLimit,
            purpose: Purpose::Stop,
            price: Price(108_000_000),
            stop_price: Price(109_000_000),
            terms: OrderTerms { reduce_only: true, ..OrderTerms::PLAIN },
            ..order(self.next())
        };
        let trade = self.desk.session.orders.get(id).and_then(|order| order.trade);
        let new = if trade.is_some() { stop } else { order(self.next()) };
        let old = NewOrder { client_order_id: id, ..new };
        if self.desk.replace(&old, &new).is_ok() {
            self.sent.push(new);
            self.decided = self.desk.events.len();
        }
    }

    /// The market, other hands, and the venue's own bookings.
    fn venue_acts(&mut self) {
        let pending = self.desk.venue.pending.len() as u64;
        let one = if pending > 0 { self.roll(pending) as usize } else { 0 };
        let some = self.desk.venue.pending.get(one).cloned();
        match (self.roll(6), some) {
            (0 | 1, Some(order)) => drop(self.desk.venue.fill(order.id, order.units)),
            (2, Some(order)) if order.trade == 0 => drop(self.desk.venue.fill(order.id, order.units / 2 + 1)),
            (3, Some(order)) => drop(self.desk.venue.end(order.id, "INSUFFICIENT_MARGIN")),
            (4, _) => {
                let units = if self.roll(2) == 0 { "35" } else { "-35" };
                let wish =
                    json!({"type": "MARKET", "instrument": "EUR_USD", "units": units, "timeInForce": "FOK"});
                self.desk.venue.create(wish, None);
            }
            (5, _) => drop(self.desk.venue.note(json!({"type": "DAILY_FINANCING", "financing": "-0.1",
                "positionFinancings": [{"instrument": "EUR_USD", "financing": "-0.1"}]}))),
            _ => {}
        }
    }

    /// One request reaches the venue, or does not, and its answer reaches us, or does not.
    fn serve_one(&mut self) {
        if self.desk.calls.is_empty() {
            return;
        }
        let at = self.roll(self.desk.calls.len() as u64) as usize;
        let call = self.desk.calls.remove(at);
        let is_order =
            call.method == Method::Post || call.method == Method::Put && !call.path.ends_with("/cancel");
        if is_order && self.roll(5) == 0 {
            let fates = [
                Fate::Cancel("MARKET_HALTED"),
                Fate::Refuse("PRICE_INVALID"),
                Fate::Part(10),
                Fate::Cancel("TIME_IN_FORCE_EXPIRED"),
            ];
            let fate = fates[self.roll(4) as usize];
            let is_of_trade = String::from_utf8_lossy(&call.body).contains("tradeID");
            let is_sell = String::from_utf8_lossy(&call.body).contains("\"-");
            if !matches!(fate, Fate::Part(_)) || !is_of_trade && !is_sell {
                self.desk.venue.fate = fate;
            }
        }
        if self.is_honest {
            let (status, body) = self.desk.venue.handle(&call);
            self.desk.venue.fate = Fate::Usual;
            return self.desk.answer(&call, status, &body);
        }
        match self.roll(12) {
            // Lost on its way there.
            0 => self.desk.lose(&call),
            // Lost on its way back.
            1 => {
                self.desk.venue.handle(&call);
                self.desk.lose(&call);
            }
            // Given up, and done later.
            2 => {
                let flight = self.desk.session.flights.iter().find(|flight| flight.tag == call.tag);
                let last = flight.map_or(self.desk.now.0, |flight| flight.sent.0 + LATE_MAX);
                let at = TsNs((self.desk.now.0 + self.roll(LATE_MAX)).min(last));
                self.desk.lose(&call);
                if call.method != Method::Get {
                    self.late.push((at, call));
                }
            }
            3 => {
                self.desk.venue.handle(&call);
                self.desk.answer(&call, 503, &json!({"errorMessage": "upstream"}));
            }
            4 => self.desk.answer(&call, 502, &Value::Null),
            _ => {
                let (status, body) = self.desk.venue.handle(&call);
                if self.roll(3) == 0 {
                    self.show(4);
                }
                self.desk.answer(&call, status, &body);
            }
        }
        self.desk.venue.fate = Fate::Usual;
    }

    fn arrive_late(&mut self) {
        let now = self.desk.now;
        while let Some(at) = self.late.iter().position(|(at, _)| *at <= now) {
            let (_, call) = self.late.remove(at);
            self.desk.venue.handle(&call);
        }
    }

    /// The stream shows up to so many lines: in order, but for what goes wrong.
    fn show(&mut self, lines: u64) {
        while self.desk.streamed < self.desk.venue.last() {
            self.desk.streamed += 1;
            self.lines.push(self.desk.streamed);
        }
        for _ in 0..lines {
            if self.lines.is_empty() || !self.desk.session.link.is_open {
                break;
            }
            let trouble = if self.is_honest { 9 } else { self.roll(24) };
            let at = if trouble == 0 && self.lines.len() > 1 { 1 } else { 0 };
            let id = if trouble == 1 { self.lines[0] } else { self.lines.remove(at) };
            let line = self.desk.venue.transactions[(id - self.desk.venue.first) as usize].clone();
            match trouble {
                2 => {}
                3 => self.desk.hear(&json!({"type": "ORDER_FILL", "id": "?"})),
                _ => self.desk.hear(&line),
            }
        }
        if self.roll(3) == 0 || self.is_honest {
            self.desk.heartbeat();
        }
    }

    fn cut(&mut self) {
        self.desk.cut();
        self.lines.clear();
        self.desk.streamed = self.desk.venue.last();
    }

    fn reconnect(&mut self) {
        if !self.desk.session.link.is_open {
            self.desk.streamed = self.desk.venue.last();
            self.desk.session.on_open(self.desk.now);
            self.desk.turn();
        }
    }

    /// The process is killed, and another takes over what its core knows to be open.
    fn restart(&mut self) {
        self.restarts += 1;
        for call in std::mem::take(&mut self.desk.calls) {
            match self.roll(3) {
                _ if call.method == Method::Get => {}
                0 => {}
                1 => drop(self.desk.venue.handle(&call)),
                _ => {
                    let at = TsNs(self.desk.now.0 + self.roll(LATE_MAX));
                    self.late.push((at, call));
                }
            }
        }
        for _ in 0..self.roll(4) {
            self.venue_acts();
        }
        // What was told last may not have reached the journal: as far back as the last order, which follows its cause.
        let lost = self.roll(4).min((self.desk.events.len() - self.decided) as u64) as usize;
        self.desk.events.truncate(self.desk.events.len() - lost);
        let journal = self.desk.events.clone();
        self.desk.restart(&journal, &self.sent);
        self.lines.clear();
        self.reconnect();
    }

    fn step(&mut self) {
        if self.has_restarts && self.roll(30) == 0 {
            self.restart();
        }
        match self.roll(14) {
            0 | 1 => self.place(),
            2 => self.cancel(),
            3 => self.replace(),
            4 | 5 => self.venue_acts(),
            6 => {
                let pause = self.roll(2_000) * MS;
                self.desk.wait(pause);
            }
            7 if self.roll(4) == 0 => self.cut(),
            8 => self.reconnect(),
            9 => self.show(3),
            _ => self.serve_one(),
        }
        self.arrive_late();
        self.desk.wait(20 * MS);
    }

    fn rest(&mut self) {
        self.is_honest = true;
        for _ in 0..130 {
            self.reconnect();
            self.desk.wait(SECOND / 2);
            self.arrive_late();
            self.show(1_000);
            for _ in 0..100 {
                self.serve_one();
            }
        }
        // Whatever is asked now is asked of an account at rest.
        self.desk.session.want_round();
        self.desk.wait(SECOND);
        while !self.desk.calls.is_empty() {
            self.serve_one();
        }
    }

    fn check(&mut self, seed: u64) {
        let venue = &self.desk.venue;
        assert!(self.desk.session.is_ready(), "seed {seed}: not ready");
        let made: BTreeSet<&String> = venue.made.iter().filter(|id| !id.is_empty()).collect();
        let named = venue.made.iter().filter(|id| !id.is_empty()).count();
        assert_eq!(made.len(), named, "seed {seed}: an order was made twice");
        let mut told: BTreeMap<ClientOrderId, Vec<OrderUpdateKind>> = BTreeMap::new();
        let (mut fills, mut position) = (BTreeMap::new(), 0);
        let mut bookings = BTreeSet::new();
        for event in &self.desk.events {
            match event.body {
                EventBody::Order(update) => {
                    if let OrderUpdateKind::Fill { trade_id, side, qty, .. } = update.kind {
                        let fill = (update.client_order_id, side.sign() * qty.0);
                        let twice = fills.insert(trade_id, fill);
                        assert!(twice.is_none(), "seed {seed}: fill {trade_id} was told twice");
                        position += side.sign() * qty.0;
                    }
                    told.entry(update.client_order_id).or_default().push(update.kind);
                }
                EventBody::VenuePosition(held) if event.instrument == InstrumentId(0) => {
                    assert_eq!(held.qty.0, position, "seed {seed}: a position that no fill explains");
                }
                EventBody::Cash(cash) => {
                    let is_new = bookings.insert(cash.booking_id);
                    assert!(is_new || self.restarts > 0, "seed {seed}: booked twice");
                }
                _ => {}
            }
        }
        let booked: BTreeMap<u64, (ClientOrderId, i64)> = venue
            .transactions
            .iter()
            .filter(|t| t["type"] == "ORDER_FILL")
            .map(|t| {
                let number = |field: &str| t[field].as_str().unwrap().parse::<i64>().unwrap();
                let id = t["clientOrderID"].as_str().and_then(|id| ClientOrderId::parse(id.as_bytes()));
                (number("id") as u64, (id.unwrap_or(ClientOrderId::NONE), number("units") * SCALE))
            })
            .collect();
        assert_eq!(position, venue.held() * SCALE, "seed {seed}: the position differs");
        assert_eq!(fills, booked, "seed {seed}: fills told and booked");
        let financed = venue
            .transactions
            .iter()
            .filter(|t| t["financing"].as_str().is_some_and(|amount| amount.parse::<f64>().unwrap() != 0.0));
        assert_eq!(bookings.len(), financed.count(), "seed {seed}: cash");
        for new in &self.sent {
            self.check_order(new, told.get(&new.client_order_id).map_or(&[], Vec::as_slice), seed);
        }
        let mut known: Vec<String> =
            self.desk.session.orders.iter().map(|order| order.id.to_string()).collect();
        let mut pending: Vec<String> =
            venue.pending.iter().map(|order| order.client.clone()).filter(|id| !id.is_empty()).collect();
        known.sort();
        pending.sort();
        assert_eq!(known, pending, "seed {seed}: orders that work");
    }

    fn check_order(&self, new: &NewOrder, told: &[OrderUpdateKind], seed: u64) {
        let (id, venue) = (new.client_order_id, &self.desk.venue);
        let name = id.to_string();
        let filled: i64 = told
            .iter()
            .map(|kind| if let OrderUpdateKind::Fill { qty, .. } = kind { qty.0 } else { 0 })
            .sum();
        let is_made = venue.made.contains(&name);
        let is_pending = venue.pending.iter().any(|order| order.client == name);
        let context = format!("seed {seed}: {id} {told:?}");
        if is_pending {
            assert!(
                !told.iter().any(|kind| ends(kind) || refused(kind)),
                "works and was told to have ended: {context}"
            );
            let is_heard = matches!(told.last(), Some(OrderUpdateKind::Ack | OrderUpdateKind::Fill { .. }));
            assert!(is_heard, "works and was not told: {context}");
        } else if is_made {
            let is_over = filled >= new.qty.0 || told.iter().any(ends) || told.iter().any(refused);
            assert!(is_over, "has ended and was not told: {context}");
            assert!(filled == 0 || !told.iter().any(refused), "filled and was told to be refused: {context}");
        } else {
            assert_eq!(told.iter().filter(|kind| refused(kind)).count(), 1, "was not made: {context}");
        }
        let over = told.iter().filter(|kind| ends(kind) || refused(kind)).count();
        assert!(over <= 1, "ended twice: {context}");
    }
}

fn ends(kind: &OrderUpdateKind) -> bool {
    matches!(kind, OrderUpdateKind::Canceled { .. } | OrderUpdateKind::Expired { .. })
}

fn refused(kind: &OrderUpdateKind) -> bool {
    matches!(kind, OrderUpdateKind::Reject { .. } | OrderUpdateKind::NotFound)
}

/// Lives it, and looks.
fn live(seed: u64, has_restarts: bool) -> Life {
    let mut life = Life::new(seed, has_restarts);
    for _ in 0..STEPS {
        life.step();
    }
    life.rest();
    life.check(seed);
    life
}

#[test]
fn whatever_goes_wrong_every_fill_is_told_once_and_every_order_comes_to_its_end() {
    let (mut unknown, mut repeated, mut not_found) = (0, 0, 0);
    for seed in 1..=SEEDS {
        let life = live(seed, false);
        let counters = life.desk.session.counters;
        unknown += counters.unknown;
        repeated += counters.fills_repeated;
        not_found += counters.not_found;
    }
    println!(
        "{SEEDS} lives: {unknown} outcomes unknown, {repeated} fills repeated, {not_found} never arrived"
    );
    assert!(unknown > SEEDS && repeated > SEEDS && not_found > 0);
}

#[test]
fn however_often_the_process_is_killed_every_fill_of_ours_is_told_and_every_order_comes_to_its_end() {
    let restarts: u32 = (1..=SEEDS).map(|seed| live(seed, true).restarts).sum();
    assert!(u64::from(restarts) > SEEDS);
}
