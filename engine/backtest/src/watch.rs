//! What a run is told of from the side: trades put together from fills, equity by period, what trading cost.

use crate::outcome::{Costs, Ended, EquityPoint, Outcome, Record, Trade};
use crate::simulation::Wanted;
use smc_core::Engine;
use smc_core::config::EngineConfig;
use smc_core::event::{Bar, CashKind, Event, EventBody, OrderUpdate, OrderUpdateKind};
use smc_core::instrument::{ContractKind, InstrumentSpec};
use smc_core::output::{Output, Position, Signal};
use smc_core::words::{Direction, InstrumentId, Money, Name, Price, Qty, SCALE, TsNs, clamp_i64};
use std::collections::BTreeMap;

/// Signals remembered until their trades open: older ones are forgotten.
const SIGNALS_MAX: u32 = 4_096;

/// The observer of one run.
pub(crate) struct Watch {
    wanted: Wanted,
    currency: Name,
    specs: Vec<InstrumentSpec>,
    first: TsNs,
    starting_equity: Money,
    signals: BTreeMap<u32, Signal>,
    open: Vec<Option<Open>>,
    /// How many of them there are.
    open_count: u32,
    /// Of each instrument, as they were after the last word about it.
    sums: Vec<Sums>,
    trades: Vec<Trade>,
    points: Vec<EquityPoint>,
    /// Of the period that runs.
    now: Running,
    last: TsNs,
    /// Bars are told: what is told at the very end of a period is what happened in it, up to the last of its bars.
    is_in_bars: bool,
    /// What the price of the fill costs that is told next, in quote currency.
    slipped: Money,
    inputs: u64,
    denied: [u64; 32],
    held: Costs,
    record: Record,
}

/// The period that runs.
#[derive(Clone, Copy, Default)]
struct Running {
    /// The next begins then.
    end: TsNs,
    /// A bar that closes with the period was told.
    is_told: bool,
    low: Option<Money>,
    turnover: Money,
    exposed_ns: u64,
}

impl Running {
    fn at(now: TsNs, period_ns: u64) -> Self {
        Self { end: TsNs((now.0 / period_ns + 1).saturating_mul(period_ns)), ..Self::default() }
    }
}

/// What the engine has counted of an instrument, in the account's currency.
#[derive(Clone, Copy, Default)]
struct Sums {
    realised: Money,
    fees: Money,
    funding: Money,
}

impl Sums {
    /// What came since.
    fn since(self, then: Self) -> Self {
        let since = |now: Money, then: Money| Money(now.0.saturating_sub(then.0));
        Self {
            realised: since(self.realised, then.realised),
            fees: since(self.fees, then.fees),
            funding: since(self.funding, then.funding),
        }
    }

    /// Profit before costs.
    fn gross(self) -> Money {
        Money(self.realised.0.saturating_add(self.fees.0).saturating_sub(self.funding.0))
    }
}

/// A trade that is open.
struct Open {
    trade: Trade,
    /// When it opened.
    before: Sums,
    /// What was opened and closed, in 1e-16 (of an inverse contract of base currency), and how much.
    opened: (i128, i128),
    closed: (i128, i128),
}

impl Watch {
    /// `is_in_bars` where it is known that bars are told; else the first one says so.
    pub fn new(config: &EngineConfig, specs: &[InstrumentSpec], wanted: Wanted, is_in_bars: bool) -> Self {
        Self {
            wanted: Wanted { period_ns: wanted.period_ns.max(1), ..wanted },
            currency: config.quote_asset,
            specs: specs.to_vec(),
            first: TsNs(0),
            starting_equity: Money::ZERO,
            signals: BTreeMap::new(),
            open: specs.iter().map(|_| None).collect(),
            open_count: 0,
            sums: vec![Sums::default(); specs.len()],
            trades: Vec::new(),
            points: Vec::new(),
            now: Running::default(),
            last: TsNs(0),
            is_in_bars,
            slipped: Money::ZERO,
            inputs: 0,
            denied: [0; 32],
            held: Costs::default(),
            record: Record::default(),
        }
    }

    pub fn spec(&self, instrument: InstrumentId) -> &InstrumentSpec {
        &self.specs[instrument.index()]
    }

    /// Everything from here on counts.
    pub fn begin<S>(&mut self, at: TsNs, engine: &Engine<S>) {
        (self.first, self.last) = (at, at);
        self.starting_equity = engine.equity();
        self.now = Running::at(at, self.wanted.period_ns);
    }

    /// An event is about to be taken: the period before it may be over.
    #[inline]
    pub fn before<S>(&mut self, event: &Event, engine: &Engine<S>) {
        self.inputs += 1;
        if event.ts_recv >= self.now.end && self.first.0 != 0 && self.is_next(event) {
            self.end_period(engine);
            self.now = Running::at(event.ts_recv, self.wanted.period_ns);
        }
        if self.is_exposed() {
            self.now.exposed_ns += event.ts_recv.since(self.last);
        }
        self.last = event.ts_recv;
    }

    /// Does an event at the end of the period that runs, or behind it, belong to the next one? A bar that closes at midnight is of the
    /// day before, with its prices and with all that happened inside of it, which is told before it; what is told after the last
    /// bar of the instant (fills at the next opening, say) is of the day that begins.
    #[cold]
    fn is_next(&mut self, event: &Event) -> bool {
        let is_bar = matches!(event.body, EventBody::Bar(..));
        self.is_in_bars |= is_bar;
        if !self.is_in_bars || event.ts_recv > self.now.end {
            return true;
        }
        self.now.is_told |= is_bar;
        self.now.is_told && !is_bar && !matches!(event.body, EventBody::Quote(_))
    }

    const fn is_exposed(&self) -> bool {
        self.open_count > 0
    }

    #[cold]
    fn end_period<S>(&mut self, engine: &Engine<S>) {
        let positions = engine.positions();
        let worth = |id| {
            let value = positions.valuation(id)?;
            Some(i128::from(positions.qty(id).0.abs()) * i128::from(value.0) / i128::from(SCALE))
        };
        let exposure = positions.instruments().filter_map(worth).sum();
        let equity = engine.equity();
        self.points.push(EquityPoint {
            ts: self.last,
            equity,
            low: self.now.low.map_or(equity, |low| low.min(equity)),
            exposure: Money(clamp_i64(exposure)),
            turnover: self.now.turnover,
            exposed_ns: self.now.exposed_ns,
        });
    }

    /// What the engine said to an event.
    pub fn after<S>(&mut self, event: &Event, outputs: &[Output], engine: &Engine<S>) {
        for output in outputs {
            match output {
                Output::Signal(signal) => {
                    self.signals.insert(signal.id, *signal);
                    if let Some((&oldest, _)) = self.signals.first_key_value()
                        && oldest + SIGNALS_MAX < signal.id
                    {
                        self.signals.remove(&oldest);
                    }
                }
                Output::Decision(decision) if decision.codes != 0 => {
                    for (nth, count) in self.denied.iter_mut().enumerate() {
                        *count += u64::from(decision.codes >> nth & 1);
                    }
                }
                Output::Position(position) => {
                    let sums = sums(position.instrument, engine);
                    if position.fill_qty != Qty::ZERO {
                        self.on_fill(event.ts_recv, position, sums, engine);
                    }
                    if let Some(known) = self.sums.get_mut(position.instrument.index()) {
                        *known = sums;
                    }
                }
                Output::BarClosed(instrument, timeframe, bar) if self.wanted.record => {
                    self.record.bars.push((*instrument, *timeframe, *bar));
                }
                Output::Structure(structure) if self.wanted.record => {
                    self.record.structures.push((event.ts_recv, *structure));
                }
                _ => {}
            }
        }
    }

    fn on_fill<S>(&mut self, now: TsNs, fill: &Position, sums: Sums, engine: &Engine<S>) {
        let id = fill.instrument;
        let positions = engine.positions();
        let order = engine.order(fill.client_order_id);
        let Some(spec) = self.specs.get(id.index()) else { return };
        let value = value_e16(spec, fill.fill_price, fill.fill_qty.abs());
        let face = face_e16(spec, fill.fill_price, fill.fill_qty.abs());
        let turnover = positions.in_account(id, Money(clamp_i64(face / i128::from(SCALE))));
        self.now.turnover.0 = self.now.turnover.0.saturating_add(turnover.unwrap_or_default().0);
        let after = fill.qty.0;
        let before = after.saturating_sub(fill.fill_qty.0);
        let Some(slot) = self.open.get_mut(id.index()) else { return };
        let known = self.sums.get(id.index()).copied().unwrap_or_default();
        self.open_count += u32::from(slot.is_none());
        let open = slot.get_or_insert_with(|| {
            let signal = order.and_then(|order| self.signals.get(&order.signal_id)).copied();
            Open::new(now, fill, signal, known)
        });
        open.trade.fills += 1;
        let slippage = positions.in_account(id, std::mem::take(&mut self.slipped)).unwrap_or_default();
        open.trade.slippage.0 = open.trade.slippage.0.saturating_add(slippage.0);
        open.trade.closed = now;
        let is_opening = fill.fill_qty.0.signum() == open.trade.direction.side().sign();
        let sum = if is_opening { &mut open.opened } else { &mut open.closed };
        sum.0 += value;
        sum.1 += i128::from(fill.fill_qty.0.abs());
        open.trade.exit_by = order.map(|order| order.purpose).filter(|_| !is_opening);
        let is_over = after == 0 || (before != 0 && after.signum() != before.signum());
        if is_over && let Some(mut open) = slot.take() {
            self.open_count -= 1;
            open.settle(sums);
            open.note(open.trade.gross);
            self.trades.push(open.finish(|risk| positions.in_account(id, risk), spec));
        } else {
            self.look(id, fill.fill_price, engine);
        }
        self.note_low(engine);
    }

    /// A report is about to be told, with a fill whose price costs so much.
    pub const fn note_slippage(&mut self, slippage: Money) {
        self.slipped = slippage;
    }

    /// A bar is about to be heard: how far it went for and against an open trade.
    pub fn on_bar<S>(&mut self, id: InstrumentId, bar: &Bar, engine: &Engine<S>) {
        if self.open.get(id.index()).is_some_and(Option::is_some) {
            self.look(id, bar.high, engine);
            self.look(id, bar.low, engine);
        }
    }

    /// What the open trade would have made at a price, before costs.
    fn look<S>(&mut self, id: InstrumentId, price: Price, engine: &Engine<S>) {
        let (positions, Some(spec)) = (engine.positions(), self.specs.get(id.index())) else { return };
        let Some(Some(open)) = self.open.get_mut(id.index()) else { return };
        let (qty, average) = (i128::from(positions.qty(id).0), positions.average(id));
        let per_price = i128::from(spec.contract.gain_per_price(average).0);
        let gain = qty * i128::from(price.0 - average.0) / i128::from(SCALE) * per_price / i128::from(SCALE);
        let gain = positions.in_account(id, Money(clamp_i64(gain))).unwrap_or_default();
        let taken = sums(id, engine).since(open.before).gross();
        open.note(Money(taken.0.saturating_add(gain.0)));
    }

    fn note_low<S>(&mut self, engine: &Engine<S>) {
        let equity = engine.equity();
        self.now.low = Some(self.now.low.map_or(equity, |low| low.min(equity)));
    }

    /// Of a recorded run: rules, and what fills and holding cost, as the venue said.
    pub fn note_recorded<S>(&mut self, event: &Event, engine: &Engine<S>) {
        let id = event.instrument;
        match &event.body {
            EventBody::Instrument(spec) => {
                if let Some(known) = self.specs.get_mut(id.index()) {
                    *known = *spec;
                }
            }
            EventBody::Cash(cash) => self.costs_of_holding(cash.kind, cash.amount),
            EventBody::Order(OrderUpdate {
                kind: OrderUpdateKind::Fill { price, qty, fee, fee_asset, is_maker, .. },
                ..
            }) => {
                let Some(spec) = self.specs.get(id.index()) else { return };
                let face = face_e16(spec, *price, *qty);
                // A fee in kind is worth what the fill says.
                let in_quote = if *fee_asset == spec.base && spec.contract.is_spot() {
                    price.notional_ceil(Qty(fee.0))
                } else {
                    *fee
                };
                let positions = engine.positions();
                let in_account = |amount| positions.in_account(id, amount).unwrap_or_default();
                let (fee, turnover) =
                    (in_account(in_quote), in_account(Money(clamp_i64(face / i128::from(SCALE)))));
                let (sum, place) = match is_maker {
                    true => (&mut self.held.maker_fees, 0),
                    false => (&mut self.held.taker_fees, 1),
                };
                sum.0 = sum.0.saturating_add(fee.0);
                self.held.fills[place] += 1;
                self.held.turnover.0 = self.held.turnover.0.saturating_add(turnover.0);
            }
            _ => {}
        }
    }

    /// What was noted of a recorded run.
    pub fn recorded_costs(&self) -> Costs {
        self.held
    }

    pub fn costs_of_holding(&mut self, kind: CashKind, received: Money) {
        let sum = match kind {
            CashKind::Funding => &mut self.held.funding,
            CashKind::Financing => &mut self.held.financing,
            _ => return,
        };
        sum.0 = sum.0.saturating_sub(received.0);
    }

    /// After each event with a price or a fill: the venue ends what is no longer secured, and who owes it more than there is.
    #[inline]
    pub fn is_liquidated<S>(&mut self, event: &Event, engine: &Engine<S>) -> Option<Ended> {
        match &event.body {
            EventBody::Quote(_) | EventBody::Trade(_) | EventBody::Bar(..) | EventBody::Mark(_)
                if !self.is_exposed() =>
            {
                return None;
            }
            EventBody::Quote(quote) => {
                let middle = Price(quote.bid.0 + (quote.ask.0 - quote.bid.0) / 2);
                self.look(event.instrument, middle, engine);
            }
            EventBody::Trade(_)
            | EventBody::Bar(..)
            | EventBody::Cash(_)
            | EventBody::Mark(_)
            | EventBody::Order(_) => {}
            _ => return None,
        }
        self.note_low(engine);
        let (positions, equity) = (engine.positions(), engine.equity());
        if equity.0 <= 0 && self.starting_equity.0 > 0 {
            return Some(Ended::Liquidated { at: event.ts_recv, equity });
        }
        let mut needed = 0;
        for id in positions.instruments() {
            let ppm = self.specs.get(id.index()).map_or(0, |spec| spec.contract.margin_maintenance_ppm);
            if ppm > 0
                && let Some(value) = positions.valuation(id)
            {
                let value = i128::from(positions.qty(id).0.abs()) * i128::from(value.0) / i128::from(SCALE);
                needed += value * i128::from(ppm) / 1_000_000;
            }
        }
        (needed > 0 && i128::from(equity.0) <= needed)
            .then_some(Ended::Liquidated { at: event.ts_recv, equity })
    }

    pub fn finish<S>(mut self, last: TsNs, engine: &Engine<S>, costs: Costs, ended: Ended) -> Outcome {
        if self.first.0 != 0 {
            self.end_period(engine);
        }
        let positions = engine.positions();
        let mut still_open = Vec::new();
        for (id, slot) in (0u16..).map(InstrumentId).zip(&mut self.open) {
            let Some(mut open) = slot.take() else { continue };
            open.settle(sums(id, engine));
            open.trade.closed = last;
            let unrealised = positions.unrealised(id);
            open.trade.gross.0 = open.trade.gross.0.saturating_add(unrealised.0);
            open.trade.net.0 = open.trade.net.0.saturating_add(unrealised.0);
            let mark = engine.book(id).map_or(Price::ZERO, |book| book.mark());
            let Some(spec) = self.specs.get(id.index()) else { continue };
            let trade = open.finish(|risk| positions.in_account(id, risk), spec);
            still_open.push(Trade { exit: mark, exit_by: None, ..trade });
        }
        let Costs { funding, financing, .. } = self.held;
        Outcome {
            span: (self.first, last),
            currency: self.currency,
            starting_equity: self.starting_equity,
            equity: engine.equity(),
            trades: self.trades,
            open: still_open,
            points: self.points,
            period_ns: self.wanted.period_ns,
            costs: Costs { funding, financing, ..costs },
            counters: engine.counters(),
            denied: self.denied,
            inputs: self.inputs,
            digest: engine.digest(),
            ended,
            record: self.record,
        }
    }
}

impl Open {
    fn new(now: TsNs, fill: &Position, signal: Option<Signal>, before: Sums) -> Self {
        let direction = if fill.fill_qty.0 > 0 { Direction::Up } else { Direction::Down };
        let trade = Trade {
            instrument: fill.instrument,
            direction,
            signal,
            opened: now,
            closed: now,
            qty: Qty::ZERO,
            entry: Price::ZERO,
            exit: Price::ZERO,
            gross: Money::ZERO,
            fees: Money::ZERO,
            cash: Money::ZERO,
            net: Money::ZERO,
            risked: Money::ZERO,
            mae: Money::ZERO,
            mfe: Money::ZERO,
            exit_by: None,
            slippage: Money::ZERO,
            fills: 0,
        };
        Self { trade, before, opened: (0, 0), closed: (0, 0) }
    }

    fn settle(&mut self, now: Sums) {
        let made = now.since(self.before);
        let trade = &mut self.trade;
        (trade.gross, trade.fees, trade.cash, trade.net) =
            (made.gross(), made.fees, made.funding, made.realised);
    }

    /// How far it is, before costs.
    fn note(&mut self, gain: Money) {
        self.trade.mfe = self.trade.mfe.max(gain);
        self.trade.mae = self.trade.mae.max(Money(gain.0.saturating_neg()));
    }

    fn finish(self, in_account: impl Fn(Money) -> Option<Money>, spec: &InstrumentSpec) -> Trade {
        let Self { mut trade, opened, closed, .. } = self;
        trade.qty = Qty(clamp_i64(opened.1));
        (trade.entry, trade.exit) = (average(spec, opened), average(spec, closed));
        if let Some(signal) = trade.signal {
            let distance = i128::from(trade.entry.0.abs_diff(signal.stop.0));
            let per_price = i128::from(spec.contract.gain_per_price(trade.entry).0);
            let risked =
                distance * i128::from(trade.qty.0) / i128::from(SCALE) * per_price / i128::from(SCALE);
            trade.risked = in_account(Money(clamp_i64(risked))).unwrap_or_default();
        }
        trade
    }
}

fn sums<S>(id: InstrumentId, engine: &Engine<S>) -> Sums {
    let positions = engine.positions();
    Sums { realised: positions.realised(id), fees: positions.fees(id), funding: positions.funding(id) }
}

/// Value in 1e-16 of what profit is made in: quote currency, base currency of an inverse contract.
fn value_e16(spec: &InstrumentSpec, price: Price, qty: Qty) -> i128 {
    let units = units(spec, qty.0.into());
    match spec.contract.kind {
        ContractKind::Inverse => units * i128::from(SCALE) * i128::from(SCALE) / i128::from(price.0.max(1)),
        _ => units * i128::from(price.0),
    }
}

/// Value in 1e-16 of quote currency.
fn face_e16(spec: &InstrumentSpec, price: Price, qty: Qty) -> i128 {
    match spec.contract.kind {
        ContractKind::Inverse => units(spec, qty.0.into()) * i128::from(SCALE),
        _ => value_e16(spec, price, qty),
    }
}

/// Average price of so much value in so much quantity.
fn average(spec: &InstrumentSpec, (value, qty): (i128, i128)) -> Price {
    let units = units(spec, qty);
    let price = match spec.contract.kind {
        ContractKind::Inverse => (units * i128::from(SCALE) * i128::from(SCALE)).checked_div(value),
        _ => value.checked_div(units),
    };
    Price(clamp_i64(price.unwrap_or(0)))
}

fn units(spec: &InstrumentSpec, qty: i128) -> i128 {
    qty * i128::from(spec.contract.size.0) / i128::from(SCALE)
}
