//! What the journal told up to a record, kept so that causes can be followed back: structures, bars, signals, orders.

use crate::fields::{Content, content};
use crate::verify::ReplayError;
use smc_core::event::{Bar, Event, EventBody, OrderUpdate};
use smc_core::instrument::InstrumentSpec;
use smc_core::output::{
    NewOrder, Output, Purpose, REASONS_MAX, ReplaceOrder, Signal, Structure, StructureKind,
};
use smc_core::words::{ClientOrderId, InstrumentId, Timeframe};
use smc_journal::{Record, RecordKind};
use std::collections::BTreeMap;

/// Steps back that a chain of causes is followed.
const CAUSES_MAX: usize = 12;

/// Something with the record that says it.
#[derive(Clone, Debug)]
pub struct At<T> {
    /// The record.
    pub seq: u64,
    /// What it says.
    pub what: T,
}

/// A bar, its index in its timeframe and the record of its close.
#[derive(Clone, Copy, Debug)]
pub struct BarAt {
    /// The record.
    pub seq: u64,
    /// Its index.
    pub index: u32,
    /// The bar.
    pub bar: Bar,
}

/// A structure, the bars it stands on, and what it came from.
#[derive(Clone, Debug)]
pub struct Cause {
    /// The record that says it.
    pub seq: u64,
    /// What it says.
    pub structure: Structure,
    /// The bar it is about.
    pub formed: Option<BarAt>,
    /// The bar whose close made it known.
    pub known: Option<BarAt>,
    /// What it came from.
    pub cause: Option<Box<Cause>>,
}

/// The life of one order.
#[derive(Clone, Debug)]
pub struct OrderStory {
    /// The order.
    pub order: At<NewOrder>,
    /// What the venue said of it.
    pub updates: Vec<At<OrderUpdate>>,
}

/// Since when, and by which event, a position is being closed at the market.
#[derive(Clone, Debug)]
pub struct Leaving {
    /// The input that decided it.
    pub input: At<Event>,
    /// Why.
    pub purpose: Purpose,
    /// The strategy asked for it.
    pub is_wish: bool,
}

/// Everything told so far.
#[derive(Default)]
pub(crate) struct History {
    structures: BTreeMap<u32, Vec<At<Structure>>>,
    bars: BTreeMap<(InstrumentId, Timeframe), Vec<At<Bar>>>,
    signals: BTreeMap<u32, At<Signal>>,
    orders: BTreeMap<ClientOrderId, OrderStory>,
    pub specs: BTreeMap<InstrumentId, InstrumentSpec>,
    pub leaving: BTreeMap<InstrumentId, Leaving>,
}

impl History {
    /// Takes the next record.
    pub fn take(&mut self, record: &Record<'_>) -> Result<(), ReplayError> {
        if !matches!(record.kind, RecordKind::Input | RecordKind::Output) {
            return Ok(());
        }
        let seq = record.seq;
        match content(record).map_err(|error| ReplayError::Content { seq, error })? {
            Content::Input(event) => self.input(seq, &event),
            Content::Output(output) => self.output(seq, &output),
            Content::Text(_) | Content::Bytes(_) => {}
        }
        Ok(())
    }

    fn input(&mut self, seq: u64, event: &Event) {
        match event.body {
            EventBody::Instrument(spec) => {
                self.specs.insert(event.instrument, spec);
            }
            EventBody::Order(update) => {
                if let Some(story) = self.orders.get_mut(&update.client_order_id) {
                    story.updates.push(At { seq, what: update });
                }
            }
            _ => {}
        }
    }

    fn output(&mut self, seq: u64, output: &Output<NewOrder>) {
        match *output {
            Output::Structure(said) if said.kind == StructureKind::InputRejected => {
                // The bar has no index: the next one gets it.
                self.bars.entry((said.instrument, said.timeframe)).or_default().pop();
            }
            Output::Structure(what) => self.structures.entry(what.id).or_default().push(At { seq, what }),
            Output::BarClosed(instrument, timeframe, what) => {
                self.bars.entry((instrument, timeframe)).or_default().push(At { seq, what });
            }
            Output::Signal(what) => {
                self.signals.insert(what.id, At { seq, what });
            }
            Output::NewOrder(what) | Output::Replace(ReplaceOrder { order: what, .. }) => {
                let order = At { seq, what };
                self.orders.insert(what.client_order_id, OrderStory { order, updates: Vec::new() });
            }
            _ => {}
        }
    }

    pub fn signal(&self, id: u32) -> Option<&At<Signal>> {
        self.signals.get(&id)
    }

    pub fn order(&self, id: ClientOrderId) -> Option<&OrderStory> {
        self.orders.get(&id)
    }

    /// The entry that a signal led to.
    pub fn entry_of(&self, signal_id: u32) -> Option<&OrderStory> {
        let is_entry = |story: &&OrderStory| {
            let order = &story.order.what;
            order.signal_id == signal_id && order.purpose == Purpose::Entry
        };
        self.orders.values().find(is_entry).filter(|_| signal_id != 0)
    }

    pub fn bar(&self, instrument: InstrumentId, timeframe: Timeframe, index: u32) -> Option<BarAt> {
        let at = self.bars.get(&(instrument, timeframe))?.get(index as usize)?;
        Some(BarAt { seq: at.seq, index, bar: at.what })
    }

    /// Index of the bar whose close stands at a record.
    pub fn bar_at(&self, instrument: InstrumentId, timeframe: Timeframe, seq: u64) -> Option<BarAt> {
        let bars = self.bars.get(&(instrument, timeframe))?;
        let index = bars.iter().rposition(|bar| bar.seq == seq)?;
        self.bar(instrument, timeframe, u32::try_from(index).ok()?)
    }

    /// The last word about an object before a record, and its chain.
    pub fn cause(&self, id: u32, before: u64) -> Option<Cause> {
        let said = self.structures.get(&id)?.iter().rev().find(|said| said.seq < before && id != 0)?;
        Some(self.chain(said, CAUSES_MAX))
    }

    /// What a record says about a structure, and its chain.
    pub fn cause_at(&self, seq: u64) -> Option<Cause> {
        let said = self.structures.values().flatten().find(|said| said.seq == seq)?;
        Some(self.chain(said, CAUSES_MAX))
    }

    /// A signal's reasons, in the order in which it names them.
    pub fn reasons(&self, signal: &At<Signal>) -> [Option<Cause>; REASONS_MAX] {
        signal.what.reasons.map(|id| self.cause(id, signal.seq))
    }

    /// From one thing said about an object to the word that made it, then to the object that caused it.
    fn chain(&self, said: &At<Structure>, left: usize) -> Cause {
        let it = &said.what;
        let cause = (left > 0).then(|| self.before(said)).flatten();
        Cause {
            seq: said.seq,
            structure: *it,
            formed: self.bar(it.instrument, it.timeframe, it.bar),
            known: self.bar(it.instrument, it.timeframe, it.known_bar),
            cause: cause.map(|before| Box::new(self.chain(before, left - 1))),
        }
    }

    /// The one step back: the object's own birth first, then its cause's.
    fn before(&self, said: &At<Structure>) -> Option<&At<Structure>> {
        let birth = self.structures.get(&said.what.id).and_then(|all| all.first());
        if let Some(birth) = birth.filter(|birth| birth.seq < said.seq && said.what.id != 0) {
            return Some(birth);
        }
        let caused_by = self.structures.get(&said.what.cause_id)?;
        caused_by.first().filter(|cause| cause.seq < said.seq && said.what.cause_id != 0)
    }
}
