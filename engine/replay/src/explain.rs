//! Why this order, why none: the chain of causes of one record.
//!
//! The journal is run again up to the input that caused the record; what the engine noted down at that input
//! (`Engine::why`), what the strategy looked at, and everything the journal told before are put together. Plain data
//! out; how it looks on paper is the printer's.

mod gather;

use crate::course::Course;
use crate::fields::{Content, content};
use crate::history::{At, BarAt, Cause, Leaving, OrderStory};
use crate::verify::{Difference, ReplayError};
use crate::watched::{SeenLook, Watched};
use gather::Told;
use smc_core::config::EngineConfig;
use smc_core::engine::{Engine, Ignored, Move, Sizing};
use smc_core::instrument::InstrumentSpec;
use smc_core::output::{Output, REASONS_MAX, Signal};
use smc_core::risk::Asked;
use smc_core::strategy::Intent;
use smc_core::words::{ClientOrderId, InstrumentId, TsNs};
use smc_journal::{Reader, RecordKind};
use std::collections::BTreeMap;

/// What is asked about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Question {
    /// A record by its number.
    Record(u64),
    /// An order: the record that sends it, or else the decision that refused it.
    Order(ClientOrderId),
    /// A signal by its number.
    Signal(u32),
}

impl Question {
    /// `123`, `order:x0001…` (or the id alone, or its sequence), `signal:7`.
    pub fn parse(text: &str) -> Option<Self> {
        if let Some(number) = text.strip_prefix("signal:") {
            return number.parse().ok().map(Self::Signal);
        }
        let (is_order, id) = text.strip_prefix("order:").map_or((false, text), |id| (true, id));
        if let Some(id) = ClientOrderId::parse(id.as_bytes()) {
            return Some(Self::Order(id));
        }
        let number = id.parse().ok()?;
        Some(if is_order { Self::Order(ClientOrderId(number)) } else { Self::Record(number) })
    }

    fn is_about(&self, id: ClientOrderId) -> bool {
        match *self {
            // A bare number is the sequence: an id always has an instance above it.
            Self::Order(asked) => asked == id || asked.instance() == 0 && asked.sequence() == id.sequence(),
            _ => false,
        }
    }
}

/// One record as it was read.
#[derive(Clone, Debug)]
pub struct Line {
    /// Its number; none for an output that the process died before journaling.
    pub seq: Option<u64>,
    /// Its time.
    pub ts: TsNs,
    /// Its kind.
    pub kind: RecordKind,
    /// What it says.
    pub content: Content,
}

/// The gate's answer to one order, and everything it depended on.
#[derive(Clone, Debug)]
pub struct DecisionWhy {
    /// The record of the decision.
    pub decision: Option<u64>,
    /// The record of the order, when it was sent.
    pub sent: Option<u64>,
    /// What the decision was made from.
    pub asked: Asked,
    /// How an entry's quantity came about.
    pub sizing: Option<Sizing>,
}

/// A signal and what it rests on.
#[derive(Clone, Debug)]
pub struct SignalWhy {
    /// The signal.
    pub signal: At<Signal>,
    /// Its reasons: sweep, shift, zone, target, bias, session.
    pub reasons: [Option<Cause>; REASONS_MAX],
}

/// The trade that an order or a report belongs to.
#[derive(Clone, Debug)]
pub struct TradeWhy {
    /// The order in question, when it is not the entry itself.
    pub order: Option<OrderStory>,
    /// Its entry.
    pub entry: Option<OrderStory>,
    /// The signal behind the entry.
    pub signal: Option<At<Signal>>,
}

/// Everything there is to say about one record.
#[derive(Debug)]
pub struct Explanation {
    /// The record asked about.
    pub target: Line,
    /// The input that caused it, when it is an output.
    pub input: Option<Line>,
    /// The input closed no bar, so the strategy was not asked for an entry.
    pub is_between_bars: bool,
    /// What that input caused, in order.
    pub outputs: Vec<Line>,
    /// Orders decided at that input, those the record is about.
    pub decisions: Vec<DecisionWhy>,
    /// Steps that trades took, those the record is about.
    pub moves: Vec<Move>,
    /// Since when and why a position is being left.
    pub leaving: BTreeMap<InstrumentId, Leaving>,
    /// Signals made at that input, or behind the record.
    pub signals: Vec<SignalWhy>,
    /// Entries wanted and not tried.
    pub ignored: Vec<Ignored>,
    /// Conditions as they stood.
    pub looks: Vec<SeenLook>,
    /// Structures the conditions were read from, by id.
    pub named: BTreeMap<u32, Cause>,
    /// What the strategy wanted.
    pub intents: Vec<(InstrumentId, Intent)>,
    /// The chains of the structures the record is about.
    pub structures: Vec<Cause>,
    /// The bar the record is about.
    pub bar: Option<BarAt>,
    /// The trade that the record belongs to.
    pub trade: Option<TradeWhy>,
    /// The venue's rules, for decimals.
    pub specs: BTreeMap<InstrumentId, InstrumentSpec>,
    /// Symbols, in the order of the configuration.
    pub symbols: Vec<String>,
    /// The first record up to here at which this replay said something else than the journal: what follows is then
    /// about the replay.
    pub difference: Option<Difference>,
}

/// Answers one question about a journal.
pub fn explain(
    reader: &Reader,
    config: EngineConfig,
    question: Question,
) -> Result<Explanation, ReplayError> {
    let (target, input) = find(reader, question)?;
    let mut told = Told::default();
    let watched = Watched::new(&config);
    let symbols = config.instruments.iter().map(|instrument| instrument.symbol.to_string()).collect();
    let mut core = Engine::new(config, watched).map_err(|error| ReplayError::Config(error.to_string()))?;
    core.note_why();
    let mut course = Course::begin(reader, &mut core)?;
    for record in reader.records() {
        let record = record.map_err(ReplayError::Damage)?;
        if record.seq > target && (record.kind != RecordKind::Output || input.is_none()) {
            break;
        }
        if record.seq == target
            && record.kind == RecordKind::Output
            && input.is_none()
            && reader.base().is_some()
        {
            return Err(ReplayError::Pruned);
        }
        if Some(record.seq) == input {
            course.core.strategy().arm();
        }
        course.take(&record)?;
        told.take(&record, &mut course, target, input)?;
    }
    // Said by the engine, never journaled: the process died first.
    course.expected().for_each(|output| told.unsaid(output));
    let difference = course.result.difference.take();
    told.explanation(&core, symbols, difference)
}

/// The record asked about, and the input that caused it (itself, when it is one; none for other kinds).
fn find(reader: &Reader, question: Question) -> Result<(u64, Option<u64>), ReplayError> {
    let (mut input, mut last, mut refused) = (None, 0, None);
    for record in reader.records() {
        let record = record.map_err(ReplayError::Damage)?;
        last = record.seq;
        match record.kind {
            RecordKind::Input => input = Some(record.seq),
            RecordKind::Output if !matches!(question, Question::Record(_)) => match content(&record) {
                Ok(Content::Output(Output::NewOrder(order))) if question.is_about(order.client_order_id) => {
                    return Ok((record.seq, input));
                }
                Ok(Content::Output(Output::Replace(replace)))
                    if question.is_about(replace.order.client_order_id) =>
                {
                    return Ok((record.seq, input));
                }
                Ok(Content::Output(Output::Decision(decision)))
                    if question.is_about(decision.client_order_id) =>
                {
                    refused = Some((record.seq, input));
                }
                Ok(Content::Output(Output::Signal(signal))) if question == Question::Signal(signal.id) => {
                    return Ok((record.seq, input));
                }
                _ => {}
            },
            _ => {}
        }
        if question == Question::Record(record.seq) {
            let is_of_input = matches!(record.kind, RecordKind::Input | RecordKind::Output);
            return Ok((record.seq, input.filter(|_| is_of_input)));
        }
    }
    match question {
        Question::Record(seq) => Err(ReplayError::NoRecord { seq, last }),
        Question::Signal(id) => Err(ReplayError::NotFound(format!("signal {id}"))),
        Question::Order(id) => refused.ok_or_else(|| ReplayError::NotFound(format!("order {id}"))),
    }
}
