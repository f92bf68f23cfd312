//! Engine and venue of a what-if run, joined without a socket.

use super::venue::{Prices, Venue};
use super::{Choice, Made, RunReport};
use crate::verify::ReplayError;
use smc_core::config::EngineConfig;
use smc_core::engine::Engine;
use smc_core::event::{Event, EventBody};
use smc_core::outbox::Outbox;
use smc_core::output::Output;
use smc_core::strategy::Confluence;
use smc_core::words::{InstrumentId, Money, TsNs};

/// Engine and venue of one run.
pub(super) struct Desk {
    core: Engine<Confluence>,
    outbox: Outbox,
    venue: Venue,
    /// Every decision, in order.
    pub made: Vec<Made>,
    first_ts: Option<TsNs>,
    is_exposed: bool,
    /// Highest equity so far; none while it is unknown.
    peak: Option<Money>,
    report: RunReport,
}

impl Desk {
    pub fn new(config: EngineConfig) -> Result<Self, ReplayError> {
        let venue = Venue::new(config.sizing.fee_ppm);
        let strategy = Confluence::for_config(&config);
        let core = Engine::new(config, strategy).map_err(|error| ReplayError::Config(error.to_string()))?;
        Ok(Self {
            core,
            outbox: Outbox::new(),
            venue,
            made: Vec::new(),
            first_ts: None,
            is_exposed: false,
            peak: None,
            report: RunReport::default(),
        })
    }

    /// One input of the journal, then everything that the venue says to what came of it.
    pub fn take(&mut self, seq: u64, event: &Event) {
        let before = self.core.now();
        let is_told = match &event.body {
            EventBody::Order(_) => false,
            EventBody::Balance(balance) => self.venue.begin_with(balance),
            _ => true,
        };
        if !is_told {
            return;
        }
        let orders = self.tell(seq, event);
        let trade = match &event.body {
            EventBody::Trade(trade) => Some(trade.price),
            _ => None,
        };
        if trade.is_some() || matches!(event.body, EventBody::Quote(_) | EventBody::Book(_)) {
            let prices = self.prices(event.instrument);
            self.venue.on_market(event.instrument, trade, &prices);
        }
        self.carry_out(orders);
        while let Some((instrument, body)) = self.venue.report() {
            let ts = self.core.now();
            let report = Event { seq, ts_event: ts, ts_recv: ts, instrument, body };
            let orders = self.tell(seq, &report);
            self.carry_out(orders);
        }
        self.measure(before);
    }

    /// What the engine wants sent.
    fn tell(&mut self, seq: u64, event: &Event) -> Vec<Output> {
        self.core.on_event(event, &mut self.outbox);
        if self.outbox.is_empty() {
            return Vec::new();
        }
        let ts = self.core.now();
        for output in self.outbox.outputs() {
            let choice = match output {
                Output::Signal(signal) => Choice::Signal(*signal),
                Output::NewOrder(approved) => Choice::Order(*approved.order()),
                Output::Replace(replace) => Choice::Order(*replace.order.order()),
                Output::Decision(decision) if decision.codes != 0 => Choice::Refusal(*decision),
                _ => continue,
            };
            self.made.push(Made { seq, ts, choice });
        }
        self.outbox.drain().filter(Output::is_for_venue).collect()
    }

    fn carry_out(&mut self, orders: Vec<Output>) {
        for output in orders {
            match output {
                Output::NewOrder(approved) => {
                    let prices = self.prices(approved.order().instrument);
                    self.venue.place(approved.order(), &prices);
                }
                Output::Replace(replace) => {
                    let order = replace.order.order();
                    let prices = self.prices(order.instrument);
                    self.venue.cancel(&replace.cancel(), &prices);
                    self.venue.place(order, &prices);
                }
                Output::Cancel(cancel) => {
                    let prices = self.prices(cancel.instrument);
                    self.venue.cancel(&cancel, &prices);
                }
                _ => {}
            }
        }
    }

    fn prices(&self, instrument: InstrumentId) -> Prices {
        let Some(book) = self.core.book(instrument) else { return Prices::default() };
        let last = book.last_trade().map(|trade| trade.price);
        Prices { top: book.trusted_top(), last, spec: self.core.spec(instrument).copied() }
    }

    fn measure(&mut self, before: TsNs) {
        let now = self.core.now();
        self.first_ts.get_or_insert(now);
        if self.is_exposed {
            self.report.exposure_ns += now.since(before);
        }
        let positions = self.core.positions();
        self.is_exposed = positions.instruments().any(|id| positions.qty(id).0 != 0);
        let equity = self.core.equity();
        if self.peak.is_none() && equity == Money::ZERO {
            return;
        }
        let peak = self.peak.map_or(equity, |peak| peak.max(equity));
        self.peak = Some(peak);
        let fall = Money(peak.0.saturating_sub(equity.0));
        self.report.drawdown_max = self.report.drawdown_max.max(fall);
    }

    /// How it went.
    pub fn report(&self) -> RunReport {
        let (counters, positions) = (self.core.counters(), self.core.positions());
        let open = positions.instruments().map(|id| positions.unrealised(id).0);
        RunReport {
            signals: counters.signals,
            orders: counters.orders_sent,
            refused: counters.orders_denied,
            cancels: counters.cancels,
            fills: counters.fills,
            realised: self.core.realised(),
            open: Money(open.fold(0i64, i64::saturating_add)),
            fees: self.core.fees(),
            length_ns: self.first_ts.map_or(0, |first| self.core.now().since(first)),
            ..self.report.clone()
        }
    }
}
