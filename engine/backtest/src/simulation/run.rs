//! One run: everything that is on its way, and the loop that takes what comes first.

use super::{BacktestError, DIGEST_EVERY, Log, Record, TIMERS_AT_ONCE_MAX, Wanted};
use crate::exchange::{Exchange, Report, Request};
use crate::market::{Detail, Market};
use crate::outcome::{Ended, Outcome};
use crate::settings::VenueSettings;
use crate::watch::Watch;
use smc_core::Engine;
use smc_core::bars::BarBuilder;
use smc_core::codec::Buffer;
use smc_core::config::EngineConfig;
use smc_core::event::{
    Balance, Event, EventBody, FeedState, GatewayState, OrderUpdateKind, Quote, ReconcileRound, VenuePosition,
};
use smc_core::instrument::ContractKind;
use smc_core::outbox::Outbox;
use smc_core::output::{Output, TradingState};
use smc_core::strategy::Strategy;
use smc_core::words::{InstrumentId, Name, Price, Qty, SCALE, Timeframe, TsNs};
use smc_metrics::Random;
use std::collections::VecDeque;

/// What happens next, and in which order of one instant.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Next {
    Market,
    Holding,
    Report,
    Heard,
    Request,
    Open,
}

/// One step of the market: an event, or the opening of its bar.
#[derive(Clone, Copy)]
struct Step<'a> {
    ts: TsNs,
    is_open: bool,
    event: &'a Event,
}

/// The market's steps: its events, and the openings of its bars between them, at one instant behind everything else. A year of
/// minutes has a million; they are merged on the way and not written down before.
struct Steps<'a> {
    events: &'a [Event],
    /// The bars in the order of their openings, as places in `events`.
    openings: Vec<u32>,
    /// How many events and openings were taken.
    taken: (usize, usize),
    /// When the next bar opens; never, behind the last.
    next_opening: TsNs,
}

impl<'a> Steps<'a> {
    fn new(events: &'a [Event]) -> Self {
        let bars = (0u32..).zip(events).filter(|(_, event)| matches!(event.body, EventBody::Bar(..)));
        let mut openings: Vec<u32> = bars.map(|(nth, _)| nth).collect();
        let opens = |nth: u32| events.get(nth as usize).map_or(TsNs(u64::MAX), opening);
        openings.sort_by_key(|nth| opens(*nth));
        let next_opening = openings.first().map_or(TsNs(u64::MAX), |nth| opens(*nth));
        Self { events, openings, taken: (0, 0), next_opening }
    }

    fn has_bars(&self) -> bool {
        !self.openings.is_empty()
    }

    #[inline]
    fn next(&self) -> Option<Step<'a>> {
        match self.events.get(self.taken.0) {
            Some(event) if event.ts_event <= self.next_opening => {
                Some(Step { ts: event.ts_event, is_open: false, event })
            }
            _ => {
                let nth = self.openings.get(self.taken.1)?;
                let event = self.events.get(*nth as usize)?;
                Some(Step { ts: self.next_opening, is_open: true, event })
            }
        }
    }

    /// Behind the step that was next.
    #[inline]
    fn pass(&mut self, step: Step<'_>) {
        if !step.is_open {
            self.taken.0 += 1;
            return;
        }
        self.taken.1 += 1;
        let next = self.openings.get(self.taken.1).and_then(|nth| self.events.get(*nth as usize));
        self.next_opening = next.map_or(TsNs(u64::MAX), opening);
    }
}

/// When the bar of an event opened; never, where it is none.
fn opening(event: &Event) -> TsNs {
    match event.body {
        EventBody::Bar(_, bar) => bar.open_ts,
        _ => TsNs(u64::MAX),
    }
}

/// What was told of an instrument's fills and cash.
#[derive(Clone, Copy, Default)]
struct Told {
    qty: i128,
    cash_e16: i128,
}

pub(super) struct Run<'a, S, L> {
    engine: Engine<S>,
    outbox: Outbox,
    pub(super) market: &'a Market,
    details: Vec<Detail>,
    steps: Steps<'a>,
    /// The last step's time.
    end: TsNs,
    pub(super) exchange: Exchange,
    pub(super) venue: &'a VenueSettings,
    random: Random,
    /// On their way: to the exchange, and from it, each in the order in which they left.
    requests: VecDeque<(TsNs, Request)>,
    pub(super) reports: VecDeque<(TsNs, Report)>,
    /// The next event of the market that we hear, and when. Everything before it was heard.
    heard_at: usize,
    heard_ts: TsNs,
    /// Draws of the feed's delay alone: what the market does next must not change what was drawn for our orders.
    feed_random: Random,
    /// When the next payment for holding is due, of funding and financing.
    pub(super) funding_at: TsNs,
    pub(super) funded: usize,
    pub(super) financing_at: TsNs,
    /// Longer bars, by instrument: of bars the engine is told all that it keeps.
    longer: Vec<Vec<BarBuilder>>,
    timer_ns: u64,
    next_timer: TsNs,
    last_ts: TsNs,
    quotes: u64,
    pub(super) bookings: u64,
    told: Vec<Told>,
    pub(super) watch: Watch,
    log: &'a mut L,
    buffer: Buffer,
    to_digest: u64,
    ended: Ended,
}

impl<'a, S: Strategy, L: Log> Run<'a, S, L> {
    pub fn new(
        config: &EngineConfig,
        strategy: S,
        market: &'a Market,
        venue: &'a VenueSettings,
        wanted: Wanted,
        log: &'a mut L,
    ) -> Result<Self, BacktestError> {
        venue.check().map_err(BacktestError::Setting)?;
        if market.instruments.len() != config.instruments.len() {
            return Err(BacktestError::Instruments(market.instruments.len(), config.instruments.len()));
        }
        let details = market.details().map_err(BacktestError::Market)?;
        let mut specs = market.instruments.clone();
        for (spec, detail) in specs.iter_mut().zip(&details) {
            if matches!(detail, Detail::Bars(_)) && venue.keeps_brackets {
                spec.contract.can_attach = true;
            }
        }
        for ((id, spec), instrument) in (0u16..).map(InstrumentId).zip(&specs).zip(&config.instruments) {
            if let Some(rule) = spec.fault(instrument.symbol) {
                return Err(BacktestError::Rules(id, rule));
            }
        }
        let longer = details.iter().map(|detail| match detail {
            Detail::Bars(own) => {
                let is_longer = |timeframe: &&Timeframe| **timeframe > *own;
                config
                    .timeframes
                    .iter()
                    .filter(is_longer)
                    .map(|timeframe| BarBuilder::new(*timeframe))
                    .collect()
            }
            _ => Vec::new(),
        });
        let longer = longer.collect();
        let steps = Steps::new(&market.events);
        let engine = Engine::new(config.clone(), strategy).map_err(BacktestError::Config)?;
        Ok(Self {
            exchange: Exchange::new(venue.clone(), &specs, &details),
            watch: Watch::new(config, &specs, wanted, steps.has_bars()),
            outbox: Outbox::new(),
            random: Random::of_run(venue.seed, 0),
            requests: VecDeque::new(),
            reports: VecDeque::new(),
            heard_at: 0,
            heard_ts: TsNs(0),
            feed_random: Random::of_run(venue.seed, 2),
            end: market.events.last().map_or(TsNs(0), |last| last.ts_event),
            funding_at: TsNs(u64::MAX),
            funded: 0,
            financing_at: TsNs(u64::MAX),
            timer_ns: config.timer_interval_ns,
            next_timer: TsNs(0),
            last_ts: TsNs(0),
            quotes: 0,
            bookings: 0,
            told: vec![Told::default(); specs.len()],
            buffer: Buffer::default(),
            to_digest: DIGEST_EVERY,
            ended: Ended::EndOfData,
            engine,
            market,
            details,
            steps,
            venue,
            longer,
            log,
        })
    }

    /// What makes an engine ready to trade: rules, order path, balances, two quiet rounds, a live feed.
    pub fn prepare(&mut self) -> Result<(), BacktestError> {
        let Some(first) = self.steps.next().map(|step| step.ts) else { return Ok(()) };
        self.set_payments(first);
        let count = self.told.len() as u16;
        let specs: Vec<_> = (0..count).map(|id| *self.watch.spec(InstrumentId(id))).collect();
        let none = InstrumentId::NONE;
        for (id, spec) in (0..count).map(InstrumentId).zip(&specs) {
            self.tell(first, id, EventBody::Instrument(*spec))?;
        }
        for event in &self.market.warm_up {
            self.tell(first, event.instrument, event.body)?;
        }
        self.tell(first, none, EventBody::Gateway(GatewayState::Syncing))?;
        for number in 1..=2 {
            let round = |is_end| EventBody::Round(ReconcileRound { number, is_end, is_complete: true });
            self.tell(first, none, round(false))?;
            for (id, spec) in (0..count).map(InstrumentId).zip(&specs) {
                for balance in self.balances(spec.base, spec.quote) {
                    self.tell(first, id, EventBody::Balance(balance))?;
                }
                if !spec.contract.is_spot() {
                    let flat = VenuePosition { qty: Qty::ZERO, average: Price::ZERO };
                    self.tell(first, id, EventBody::VenuePosition(flat))?;
                }
            }
            self.tell(first, none, round(true))?;
            if number == 1 {
                self.tell(first, none, EventBody::Gateway(GatewayState::Ready))?;
                self.tell(first, none, EventBody::Feed(FeedState::Live))?;
            }
        }
        let state = self.engine.state();
        if state > TradingState::Warn {
            return Err(BacktestError::NotReady(state));
        }
        self.watch.begin(first, &self.engine);
        Ok(())
    }

    /// Of these, and of whatever else the account begins with.
    fn balances(&self, base: Name, quote: Name) -> Vec<Balance> {
        let mut assets = vec![base, quote, self.engine.config().quote_asset];
        assets.extend(self.venue.balances.iter().map(|(asset, _)| *asset));
        assets.sort_unstable();
        assets.dedup();
        assets.into_iter().map(|asset| self.exchange.balance(asset)).collect()
    }

    pub fn play(&mut self) -> Result<(), BacktestError> {
        self.set_heard_ts();
        while self.ended == Ended::EndOfData {
            let step = self.steps.next();
            let Some((ts, next)) = self.next(step) else { return Ok(()) };
            if self.next_timer <= ts {
                self.timers_until(ts, next)?;
                // A timer may have sent something that arrives first.
                if self.requests.front().is_some_and(|(arrives, _)| (*arrives, Next::Request) < (ts, next)) {
                    continue;
                }
            }
            match next {
                Next::Market | Next::Open => {
                    if let Some(step) = step {
                        self.steps.pass(step);
                        self.on_step(step);
                    }
                }
                Next::Holding => self.pay_for_holding(ts),
                Next::Report => {
                    if let Some((ts, report)) = self.reports.pop_front() {
                        self.note_told(&report);
                        self.watch.note_slippage(report.slippage);
                        self.tell(ts, report.instrument, report.body)?;
                        self.check_books(ts, report.instrument)?;
                    }
                }
                Next::Heard => {
                    if let Some(event) = self.market.events.get(self.heard_at) {
                        self.hear(&mut Event { ts_recv: self.heard_ts, ..*event })?;
                        self.heard_at += 1;
                        self.set_heard_ts();
                    }
                }
                Next::Request => {
                    if let Some((ts, request)) = self.requests.pop_front() {
                        self.exchange.on_request(ts, &request);
                    }
                }
            }
            self.collect_reports();
        }
        Ok(())
    }

    /// What happens next; what is still on its way when the data ends arrives. By hand, not over a list of five: this is asked
    /// several times an event.
    #[inline]
    fn next(&self, step: Option<Step<'_>>) -> Option<(TsNs, Next)> {
        let mut first = step.map_or((TsNs(u64::MAX), Next::Open), |step| {
            (step.ts, if step.is_open { Next::Open } else { Next::Market })
        });
        // What falls due with the last event is paid; nobody pays behind it.
        let holding = self.funding_at.min(self.financing_at);
        if holding <= self.end {
            first = first.min((holding, Next::Holding));
        }
        if let Some((ts, _)) = self.reports.front() {
            first = first.min((*ts, Next::Report));
        }
        first = first.min((self.heard_ts, Next::Heard));
        if let Some((ts, _)) = self.requests.front() {
            first = first.min((*ts, Next::Request));
        }
        (first.0 < TsNs(u64::MAX)).then_some(first)
    }

    /// The engine's timers before an instant; none where nothing happens for long.
    fn timers_until(&mut self, ts: TsNs, next: Next) -> Result<(), BacktestError> {
        if ts.since(self.next_timer) > TIMERS_AT_ONCE_MAX * self.timer_ns {
            self.next_timer = TsNs(ts.0 - ts.0 % self.timer_ns);
        }
        while self.next_timer <= ts {
            let now = self.next_timer;
            self.next_timer = TsNs(now.0 + self.timer_ns);
            self.repeat_quotes(now)?;
            self.tell(now, InstrumentId::NONE, EventBody::Timer)?;
            let is_sent =
                self.requests.front().is_some_and(|(arrives, _)| (*arrives, Next::Request) < (ts, next));
            if is_sent {
                return Ok(());
            }
        }
        Ok(())
    }

    /// The last prices of bars again, where something of ours works or is held: in life they would have been told many times since, and
    /// what is wrong with a price that is old is that its feed may be dead.
    fn repeat_quotes(&mut self, now: TsNs) -> Result<(), BacktestError> {
        if !self.steps.has_bars() {
            return Ok(());
        }
        for id in (0..self.details.len() as u16).map(InstrumentId) {
            let is_in_bars = matches!(self.details.get(id.index()), Some(Detail::Bars(_)));
            let last = self.engine.book(id).and_then(|book| book.top());
            let is_ours = self.exchange.has_orders(id) || self.exchange.position(id) != Qty::ZERO;
            let Some(top) = last.filter(|_| is_in_bars && is_ours) else { continue };
            self.quotes += 1;
            let (bid, ask) = (top.bid, top.ask);
            let (bid_qty, ask_qty, update_id) = (bid.qty, ask.qty, self.quotes);
            let quote = Quote { bid: bid.price, bid_qty, ask: ask.price, ask_qty, update_id };
            self.tell(now, id, EventBody::Quote(quote))?;
        }
        Ok(())
    }

    fn on_step(&mut self, step: Step<'_>) {
        let event = step.event;
        match event.body {
            EventBody::Bar(_, bar) if step.is_open => {
                self.exchange.on_open(event.instrument, step.ts, &bar);
                return;
            }
            EventBody::Bar(_, bar) => self.exchange.on_close(event.instrument, step.ts, &bar),
            _ => self.exchange.on_market(event),
        }
        if let (Detail::Trades, EventBody::Trade(trade)) = (self.detail(event.instrument), event.body) {
            self.quotes += 1;
            if let Some(quote) = self.exchange.quote_at(event.instrument, trade.price, self.quotes) {
                self.exchange.on_market(&Event { body: EventBody::Quote(quote), ..*event });
            }
        }
    }

    fn detail(&self, instrument: InstrumentId) -> Detail {
        self.details.get(instrument.index()).copied().unwrap_or(Detail::Nothing)
    }

    /// When the next event of the market is heard: as long after it as was recorded, else as the feed's delay says, and never
    /// before the one before it.
    #[inline]
    fn set_heard_ts(&mut self) {
        let Some(event) = self.market.events.get(self.heard_at) else {
            self.heard_ts = TsNs(u64::MAX);
            return;
        };
        let took = match self.detail(event.instrument) {
            Detail::Bars(_) => 0,
            _ if event.ts_recv > event.ts_event => event.ts_recv.since(event.ts_event),
            _ => self.venue.feed.at(event.ts_event, &mut self.feed_random),
        };
        self.heard_ts = self.heard_ts.max(TsNs(event.ts_event.0.saturating_add(took)));
    }

    /// Reports of what was just done, on their way.
    fn collect_reports(&mut self) {
        while let Some(report) = self.exchange.report() {
            let took = match self.details.get(report.instrument.index()) {
                Some(Detail::Bars(_)) => 0,
                None if self.details.iter().all(|detail| matches!(detail, Detail::Bars(_))) => 0,
                _ => self.venue.response.at(report.at, &mut self.random),
            };
            let last = self.reports.back().map_or(TsNs(0), |(ts, _)| *ts);
            self.reports.push_back((TsNs(report.at.0.saturating_add(took)).max(last), report));
        }
    }

    /// Where nobody tells best prices, a trade stands for them.
    fn hear_trade_alone(&mut self, event: &Event) -> Result<(), BacktestError> {
        let (EventBody::Trade(trade), Detail::Trades) = (event.body, self.detail(event.instrument)) else {
            return Ok(());
        };
        self.quotes += 1;
        match self.exchange.quote_at(event.instrument, trade.price, self.quotes) {
            Some(quote) => self.take(&mut Event { body: EventBody::Quote(quote), ..*event }),
            None => Ok(()),
        }
    }

    /// Something of the market is heard. Of bars also their best prices, and the longer bars that end with them.
    fn hear(&mut self, event: &mut Event) -> Result<(), BacktestError> {
        let EventBody::Bar(own, bar) = event.body else {
            self.take(event)?;
            return self.hear_trade_alone(event);
        };
        self.quotes += 1;
        if let Some(quote) = self.exchange.quote_at(event.instrument, bar.close, self.quotes) {
            self.take(&mut Event { body: EventBody::Quote(quote), ..*event })?;
        }
        self.watch.on_bar(event.instrument, &bar, &self.engine);
        self.take(event)?;
        let end = TsNs(bar.open_ts.0.saturating_add(own.nanos()));
        let count = self.longer.get(event.instrument.index()).map_or(0, Vec::len);
        for nth in 0..count {
            let builder = self.longer.get_mut(event.instrument.index()).and_then(|all| all.get_mut(nth));
            let Some(builder) = builder else { continue };
            let timeframe = builder.timeframe();
            // A bar that a gap cut short ends with the first bar behind the gap; one that is whole ends with its last. Most bars end
            // none.
            let (cut, whole) = (builder.on_bar(&bar), builder.on_clock(end));
            if let Some(longer) = cut {
                self.take(&mut Event { body: EventBody::Bar(timeframe, longer), ..*event })?;
            }
            if let Some(longer) = whole {
                self.take(&mut Event { body: EventBody::Bar(timeframe, longer), ..*event })?;
            }
        }
        Ok(())
    }

    fn tell(&mut self, ts: TsNs, instrument: InstrumentId, body: EventBody) -> Result<(), BacktestError> {
        self.take(&mut Event { seq: 0, ts_event: ts, ts_recv: ts, instrument, body })
    }

    /// One event through the engine, as live: numbered, written down, answered, what it said written down and sent.
    fn take(&mut self, event: &mut Event) -> Result<(), BacktestError> {
        event.seq = self.log.next_seq();
        event.ts_recv = event.ts_recv.max(self.last_ts);
        self.last_ts = event.ts_recv;
        if self.next_timer.0 == 0 {
            self.next_timer = TsNs(event.ts_recv.0 - event.ts_recv.0 % self.timer_ns + self.timer_ns);
        }
        self.watch.before(event, &self.engine);
        let bytes = if L::IS_KEPT { self.buffer.encode(event) } else { &[] };
        self.log.append(Record::Input(event, bytes), event.ts_recv).map_err(BacktestError::Log)?;
        self.engine.on_event(event, &mut self.outbox);
        let records = 1 + self.outbox.len() as u64;
        if !self.outbox.is_empty() {
            for (_, bytes) in self.outbox.encoded() {
                self.log.append(Record::Output(bytes), event.ts_recv).map_err(BacktestError::Log)?;
            }
            self.watch.after(event, self.outbox.outputs(), &self.engine);
            self.send(event.ts_recv);
            self.outbox.clear();
        }
        self.to_digest = self.to_digest.saturating_sub(records);
        if self.to_digest == 0 {
            self.to_digest = DIGEST_EVERY;
            let digest = Record::Digest(self.engine.digest().to_bytes());
            self.log.append(digest, event.ts_recv).map_err(BacktestError::Log)?;
        }
        if let Some(ended) = self.watch.is_liquidated(event, &self.engine) {
            self.ended = ended;
        }
        Ok(())
    }

    /// What the engine wants done, on its way to the exchange.
    fn send(&mut self, now: TsNs) {
        for output in self.outbox.outputs() {
            let request = match output {
                Output::NewOrder(approved) => Request::Place(*approved.order()),
                Output::Cancel(cancel) => Request::Cancel(*cancel),
                Output::Replace(replace) => Request::Replace(replace.replaced, *replace.order.order()),
                _ => continue,
            };
            let took = match self.details.get(request.instrument().index()) {
                Some(Detail::Bars(_)) => 0,
                _ => self.venue.entry.at(now, &mut self.random),
            };
            let last = self.requests.back().map_or(TsNs(0), |(ts, _)| *ts);
            self.requests.push_back((TsNs(now.0.saturating_add(took)).max(last), request));
        }
    }

    fn note_told(&mut self, report: &Report) {
        let Some(told) = self.told.get_mut(report.instrument.index()) else { return };
        match report.body {
            EventBody::Order(update) => {
                if let OrderUpdateKind::Fill { side, price, qty, fee, .. } = update.kind {
                    let signed = i128::from(side.sign()) * i128::from(qty.0);
                    told.qty += signed;
                    told.cash_e16 -= signed * i128::from(price.0) + i128::from(fee.0) * i128::from(SCALE);
                }
            }
            EventBody::Cash(cash) => told.cash_e16 += i128::from(cash.amount.0) * i128::from(SCALE),
            _ => {}
        }
    }

    /// Everything that came and went, to the last unit, where a unit is a unit: the engine's and what it was told.
    fn check_books(&self, at: TsNs, instrument: InstrumentId) -> Result<(), BacktestError> {
        let Some(told) = self.told.get(instrument.index()) else { return Ok(()) };
        let flows = self.engine.positions().flows(instrument);
        let spec = self.watch.spec(instrument);
        let is_plain = spec.contract.kind != ContractKind::Inverse
            && spec.contract.size == Qty(SCALE)
            && spec.quote == self.engine.config().quote_asset;
        let cash = flows.net.settle_e16 + flows.net.account_e16;
        if flows.qty != told.qty || (is_plain && cash != told.cash_e16) {
            let (cash, qty) = ((cash, told.cash_e16), (flows.qty, told.qty));
            return Err(BacktestError::Books { at, instrument, cash, qty });
        }
        Ok(())
    }

    pub fn finish(self) -> Outcome {
        let Self { engine, watch, exchange, last_ts, ended, .. } = self;
        watch.finish(last_ts, &engine, exchange.costs(), ended)
    }
}
