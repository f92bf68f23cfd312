//! What if: the recorded market under another configuration.
//!
//! The venue's answers in a journal belong to the orders that really were sent. Under another configuration there
//! would have been other orders, so both runs, the original too, trade against the same simple venue, and the two
//! results can be compared with each other; the really recorded one is told beside them. **The fill rule:**
//!
//! * The market is the journal's own: nothing we do moves it, and depth is not looked at, so orders fill whole.
//! * No latency: an order is answered at the instant of the input that caused it, after that input. An order that
//!   rests meets inputs after the one that placed it, and meets each before a cancel asked at it.
//! * A market order fills at the recorded opposite best price. A limit order that crosses it does so too.
//! * A resting limit order fills at its price when a trade goes through it (strictly beyond, for the queue before us
//!   is not known) or the opposite best price reaches it.
//! * A stop is triggered by a trade at or beyond its trigger and is a limit order from then on, at first one that
//!   takes. One whose trigger the last trade has reached already is refused, as are an order that the account cannot
//!   pay for and a maker that would take.
//! * Fees are the configuration's `sizing.fee_ppm` of the value, in quote currency, rounded up.
//! * The account begins with the first balance that the journal tells of each asset.
//!
//! This compares decisions; it is no backtest.

mod desk;
mod venue;

use crate::verify::ReplayError;
use desk::Desk;
use smc_core::codec;
use smc_core::config::EngineConfig;
use smc_core::event::Event;
use smc_core::output::{Decision, NewOrder, Output, Signal};
use smc_core::words::{InstrumentId, Money, TsNs};
use smc_journal::{Reader, RecordKind};
use std::collections::BTreeMap;

/// Two runs over one market.
#[derive(Debug)]
pub struct WhatIf {
    /// Under the journal's own configuration.
    pub own: RunReport,
    /// Under the other one.
    pub other: RunReport,
    /// What the journal says really happened.
    pub recorded: Recorded,
    /// Decisions that are the same in both.
    pub same: u64,
    /// All that are not, in the order of the journal.
    pub differences: Vec<DecisionDifference>,
}

/// How one run went.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RunReport {
    /// Signals made.
    pub signals: u64,
    /// Orders sent.
    pub orders: u64,
    /// Orders that the gate refused.
    pub refused: u64,
    /// Cancels asked.
    pub cancels: u64,
    /// Fills.
    pub fills: u64,
    /// Profit taken, after fees.
    pub realised: Money,
    /// Profit still open at the end.
    pub open: Money,
    /// Fees paid.
    pub fees: Money,
    /// Largest fall of the equity from a height it had reached.
    pub drawdown_max: Money,
    /// Time with a position.
    pub exposure_ns: u64,
    /// From the first input to the last.
    pub length_ns: u64,
}

/// What really happened, by the journal's own outputs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Recorded {
    /// Signals.
    pub signals: u64,
    /// Orders sent.
    pub orders: u64,
    /// Fills.
    pub fills: u64,
    /// Profit taken, after fees.
    pub realised: Money,
    /// Fees paid.
    pub fees: Money,
}

/// One decision: what the strategy said, or what became of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Choice {
    /// The conditions were met.
    Signal(Signal),
    /// An order was sent.
    Order(NewOrder),
    /// An order was refused.
    Refusal(Decision),
}

/// A decision that the two runs do not share.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DecisionDifference {
    /// The journal's input at which it was made.
    pub seq: u64,
    /// Its time.
    pub ts: TsNs,
    /// Under the journal's own configuration; none: not made there.
    pub own: Option<Choice>,
    /// Under the other; none: not made there.
    pub other: Option<Choice>,
}

/// A decision and the input at which it was made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Made {
    /// The journal's input.
    pub seq: u64,
    /// Its time.
    pub ts: TsNs,
    /// The decision.
    pub choice: Choice,
}

impl Choice {
    /// The same sort of decision on the same side: what can be the other's counterpart.
    fn is_counterpart(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Signal(a), Self::Signal(b)) => (a.instrument, a.direction) == (b.instrument, b.direction),
            (Self::Order(a), Self::Order(b)) => {
                (a.instrument, a.side, a.purpose) == (b.instrument, b.side, b.purpose)
            }
            (Self::Refusal(a), Self::Refusal(b)) => a.instrument == b.instrument,
            _ => false,
        }
    }

    /// The same but for numbers that merely count: ids of signals, orders and structures.
    pub fn is_same(&self, other: &Self) -> bool {
        match (*self, *other) {
            (Self::Signal(a), Self::Signal(b)) => {
                Signal { id: b.id, reasons: b.reasons, strategy: b.strategy, ..a } == b
            }
            (Self::Order(a), Self::Order(b)) => {
                NewOrder { client_order_id: b.client_order_id, signal_id: b.signal_id, ..a } == b
            }
            (Self::Refusal(a), Self::Refusal(b)) => Decision { client_order_id: b.client_order_id, ..a } == b,
            _ => false,
        }
    }
}

/// Runs the journal's market under its own configuration and under another one.
pub fn what_if(reader: &Reader, own: EngineConfig, other: EngineConfig) -> Result<WhatIf, ReplayError> {
    let symbols = |config: &EngineConfig| -> Vec<String> {
        config.instruments.iter().map(|instrument| instrument.symbol.to_string()).collect()
    };
    if symbols(&own) != symbols(&other) {
        return Err(ReplayError::Config(
            "instruments: must be those of the journal, in the same order".into(),
        ));
    }
    if reader.base().is_some() {
        return Err(ReplayError::Pruned);
    }
    let recorded = recorded(reader)?;
    let (own, own_made) = run(reader, own)?;
    let (other, other_made) = run(reader, other)?;
    let (same, differences) = compare(&own_made, &other_made);
    Ok(WhatIf { own, other, recorded, same, differences })
}

/// One run against the simple venue, and every decision it made.
pub fn run(reader: &Reader, config: EngineConfig) -> Result<(RunReport, Vec<Made>), ReplayError> {
    let mut desk = Desk::new(config)?;
    for record in reader.records() {
        let record = record.map_err(ReplayError::Damage)?;
        if record.kind == RecordKind::Input {
            let event: Event = codec::decode(record.payload)
                .map_err(|error| ReplayError::Content { seq: record.seq, error })?;
            desk.take(record.seq, &event);
        }
    }
    Ok((desk.report(), desk.made))
}

/// Pairs the decisions of the same input; what has no equal is a difference.
pub fn compare(own: &[Made], other: &[Made]) -> (u64, Vec<DecisionDifference>) {
    let (mut same, mut differences) = (0, Vec::new());
    let (mut own, mut other) = (own, other);
    while let Some(seq) = own.first().into_iter().chain(other.first()).map(|made| made.seq).min() {
        let (ours, own_rest) = own.split_at(own.partition_point(|made| made.seq == seq));
        let (theirs, other_rest) = other.split_at(other.partition_point(|made| made.seq == seq));
        (own, other) = (own_rest, other_rest);
        let mut unpaired: Vec<Option<&Made>> = theirs.iter().map(Some).collect();
        for made in ours {
            let slot = unpaired
                .iter_mut()
                .find(|slot| slot.is_some_and(|theirs| made.choice.is_counterpart(&theirs.choice)));
            let pair = slot.and_then(Option::take);
            if pair.is_some_and(|theirs| made.choice.is_same(&theirs.choice)) {
                same += 1;
                continue;
            }
            let other = pair.map(|theirs| theirs.choice);
            differences.push(DecisionDifference { seq, ts: made.ts, own: Some(made.choice), other });
        }
        let left = unpaired.into_iter().flatten();
        differences.extend(left.map(|theirs| DecisionDifference {
            seq,
            ts: theirs.ts,
            own: None,
            other: Some(theirs.choice),
        }));
    }
    (same, differences)
}

/// The last word on each instrument's profit.
fn recorded(reader: &Reader) -> Result<Recorded, ReplayError> {
    let mut recorded = Recorded::default();
    let mut profits: BTreeMap<InstrumentId, (Money, Money)> = BTreeMap::new();
    for record in reader.records() {
        let record = record.map_err(ReplayError::Damage)?;
        if record.kind != RecordKind::Output {
            continue;
        }
        let output: Output<NewOrder> =
            codec::decode(record.payload).map_err(|error| ReplayError::Content { seq: record.seq, error })?;
        match output {
            Output::Signal(_) => recorded.signals += 1,
            Output::NewOrder(_) | Output::Replace(_) => recorded.orders += 1,
            Output::Position(position) => {
                recorded.fills += 1;
                profits.insert(position.instrument, (position.realised, position.fees));
            }
            _ => {}
        }
    }
    for (realised, fees) in profits.values() {
        recorded.realised = Money(recorded.realised.0.saturating_add(realised.0));
        recorded.fees = Money(recorded.fees.0.saturating_add(fees.0));
    }
    Ok(recorded)
}
