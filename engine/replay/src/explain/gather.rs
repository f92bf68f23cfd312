//! Gathers what belongs to one record: read on the way to it, noted down by the engine, looked at by the strategy.

use super::{DecisionWhy, Explanation, Line, SignalWhy, TradeWhy};
use crate::course::Course;
use crate::fields::{Content, content};
use crate::history::{At, Cause, History, Leaving};
use crate::verify::{Difference, ReplayError};
use crate::watched::{Seen, SeenLook, Watched};
use smc_core::engine::{Engine, Move, Sizing, Step};
use smc_core::event::{Event, EventBody};
use smc_core::output::{NewOrder, OrderKind, Output, Purpose, ReplaceOrder};
use smc_core::risk::Asked;
use smc_core::words::{ClientOrderId, TsNs};
use smc_journal::{Record, RecordKind};

/// What was read on the way to the record.
#[derive(Default)]
pub(super) struct Told {
    history: History,
    ts: TsNs,
    target: Option<Line>,
    input: Option<Line>,
    outputs: Vec<Line>,
}

impl Told {
    pub fn take(
        &mut self,
        record: &Record<'_>,
        course: &mut Course<'_, Watched>,
        target: u64,
        input: Option<u64>,
    ) -> Result<(), ReplayError> {
        self.history.take(record)?;
        if record.kind == RecordKind::Input {
            self.note_leaving(record, course.core);
        }
        if record.seq < target && input.is_none_or(|input| record.seq < input) {
            return Ok(());
        }
        let seq = record.seq;
        let content = content(record).map_err(|error| ReplayError::Content { seq, error })?;
        let line = Line { seq: Some(seq), ts: record.ts, kind: record.kind, content };
        if Some(seq) == input {
            self.ts = record.ts;
            self.input = Some(line.clone());
        } else if input.is_some() && record.kind == RecordKind::Output {
            self.outputs.push(line.clone());
        }
        if seq == target {
            self.target = Some(line);
        }
        Ok(())
    }

    /// An output without a record.
    pub fn unsaid(&mut self, output: &Output) {
        let content = Content::Output(plain(output));
        self.outputs.push(Line { seq: None, ts: self.ts, kind: RecordKind::Output, content });
    }

    /// The input at which a position began to be left is remembered until it is no longer being left.
    fn note_leaving(&mut self, record: &Record<'_>, core: &Engine<Watched>) {
        let is_wish = core.strategy().take_left();
        for id in core.positions().instruments() {
            match core.leaving(id) {
                None => {
                    // Steps of this very input may still be asked for.
                    let is_asked = core.why().moves.iter().any(|taken| taken.instrument == id);
                    if !is_asked {
                        self.history.leaving.remove(&id);
                    }
                }
                Some(purpose) if self.history.leaving.get(&id).is_none_or(|l| l.purpose != purpose) => {
                    if let Ok(Content::Input(what)) = content(record) {
                        let input = At { seq: record.seq, what };
                        self.history.leaving.insert(id, Leaving { input, purpose, is_wish });
                    }
                }
                Some(_) => {}
            }
        }
    }

    /// Puts together what belongs to the record.
    pub fn explanation(
        self,
        core: &Engine<Watched>,
        symbols: Vec<String>,
        difference: Option<Difference>,
    ) -> Result<Explanation, ReplayError> {
        let Some(target) = self.target else {
            return Err(ReplayError::NotFound("what was asked".into()));
        };
        let is_input = target.kind == RecordKind::Input;
        let focus = Focus::of(&target);
        let (why, seen, history) = (core.why(), core.strategy().seen(), self.history);
        let decisions: Vec<DecisionWhy> = match self.input {
            Some(_) => why
                .asked
                .iter()
                .filter(|asked| focus.has_order(&asked.order))
                .map(|asked| decision(asked, &self.outputs, why.sizings))
                .collect(),
            None => Vec::new(),
        };
        let moves = why.moves.iter().filter(|taken| focus.has_move(taken, why.asked)).copied();
        let moves = if self.input.is_some() { moves.collect() } else { Vec::new() };
        let signals = signals(&focus, &self.outputs, &history);
        let trade = trade(&focus, &target, &history);
        let looks = looks(&focus, seen, &self.outputs);
        let ids = looks.iter().flat_map(|seen| seen.look.conditions).map(|condition| condition.structure_id);
        let named = ids.filter_map(|id| Some((id, history.cause(id, u64::MAX)?))).collect();
        let structures = structures(&target, &self.outputs, &history);
        let bar = match (&target.content, target.seq) {
            (Content::Output(Output::BarClosed(id, timeframe, _)), Some(seq)) => {
                history.bar_at(*id, *timeframe, seq)
            }
            _ => None,
        };
        let has_bar =
            self.outputs.iter().any(|l| matches!(l.content, Content::Output(Output::BarClosed(..))));
        Ok(Explanation {
            input: self.input.filter(|_| !is_input),
            is_between_bars: !has_bar,
            decisions,
            moves,
            leaving: history.leaving,
            signals,
            ignored: why.ignored.iter().filter(|_| focus.is_whole).copied().collect(),
            looks,
            named,
            intents: seen.intents.iter().filter(|_| focus.is_whole).copied().collect(),
            structures,
            bar,
            trade,
            specs: history.specs,
            symbols,
            difference,
            outputs: self.outputs,
            target,
        })
    }
}

/// What of an event a record is about.
#[derive(Default)]
struct Focus {
    /// All of it.
    is_whole: bool,
    order: Option<ClientOrderId>,
    signal: Option<u32>,
}

impl Focus {
    fn of(target: &Line) -> Self {
        let order = |id| Self { order: Some(id), ..Self::default() };
        match &target.content {
            Content::Output(Output::NewOrder(o)) => {
                let signal = (o.purpose == Purpose::Entry).then_some(o.signal_id);
                Self { order: Some(o.client_order_id), signal, is_whole: false }
            }
            Content::Output(Output::Replace(r)) => order(r.order.client_order_id),
            Content::Output(Output::Decision(d)) => order(d.client_order_id),
            Content::Output(Output::Cancel(c)) => order(c.client_order_id),
            Content::Output(Output::Position(p)) => order(p.client_order_id),
            Content::Output(Output::Signal(s)) => Self { signal: Some(s.id), ..Self::default() },
            Content::Output(Output::Structure(_)) => Self::default(),
            Content::Output(Output::BarClosed(..) | Output::State(_) | Output::Alert(_))
            | Content::Input(_) => Self { is_whole: true, ..Self::default() },
            Content::Text(_) | Content::Bytes(_) => Self::default(),
        }
    }

    fn has_order(&self, order: &NewOrder) -> bool {
        self.is_whole
            || self.order == Some(order.client_order_id)
            || self.signal.is_some_and(|id| id == order.signal_id && order.purpose == Purpose::Entry)
    }

    /// A placed order has no id yet in its step; purpose and kind tell which it is.
    fn has_move(&self, taken: &Move, asked: &[Asked]) -> bool {
        let order = asked.iter().map(|asked| &asked.order).find(|o| self.order == Some(o.client_order_id));
        let order = order.filter(|order| order.instrument == taken.instrument);
        self.is_whole
            || match taken.step {
                Step::Cancel(id) => self.order == Some(id),
                Step::PlaceStop(_) => order.is_some_and(|order| order.kind != OrderKind::Market),
                Step::ReplaceStop(old, _) => {
                    self.order == Some(old) || order.is_some_and(|order| order.kind == OrderKind::StopLimit)
                }
                Step::PlaceExit(_, why) => {
                    order.is_some_and(|order| order.purpose == why && order.kind == OrderKind::Market)
                }
                Step::Finish => false,
            }
    }
}

fn decision(asked: &Asked, outputs: &[Line], sizings: &[Sizing]) -> DecisionWhy {
    let id = asked.order.client_order_id;
    let seq_of = |is_it: &dyn Fn(&Output<NewOrder>) -> bool| {
        let line =
            outputs.iter().find(|line| matches!(&line.content, Content::Output(output) if is_it(output)));
        line.and_then(|line| line.seq)
    };
    DecisionWhy {
        decision: seq_of(&|output| matches!(output, Output::Decision(d) if d.client_order_id == id)),
        sent: seq_of(&|output| match output {
            Output::NewOrder(order) => order.client_order_id == id,
            Output::Replace(replace) => replace.order.client_order_id == id,
            _ => false,
        }),
        asked: *asked,
        sizing: sizings
            .iter()
            .find(|sizing| asked.order.purpose == Purpose::Entry && sizing.signal_id == asked.order.signal_id)
            .copied(),
    }
}

fn signals(focus: &Focus, outputs: &[Line], history: &History) -> Vec<SignalWhy> {
    let of_event = outputs.iter().filter_map(|line| match &line.content {
        Content::Output(Output::Signal(signal)) => Some(signal.id),
        _ => None,
    });
    let refused = |line: &Line| matches!(&line.content, Content::Output(Output::Decision(d)) if focus.order == Some(d.client_order_id));
    // A decision names no signal: the one of its event is meant, when it made one.
    let is_decided_here = outputs.iter().any(refused);
    let wanted = |id: &u32| focus.is_whole || is_decided_here || focus.signal == Some(*id);
    of_event
        .filter(wanted)
        .filter_map(|id| history.signal(id))
        .map(|signal| SignalWhy { signal: signal.clone(), reasons: history.reasons(signal) })
        .collect()
}

/// The trade behind an order that is no entry, and behind a report.
fn trade(focus: &Focus, target: &Line, history: &History) -> Option<TradeWhy> {
    let id = match &target.content {
        Content::Input(Event { body: EventBody::Order(update), .. }) => Some(update.client_order_id),
        Content::Output(Output::Alert(alert)) => Some(alert.client_order_id),
        _ => focus.order,
    };
    let story = history.order(id?)?;
    let order = &story.order.what;
    let is_entry = order.purpose == Purpose::Entry;
    if is_entry && matches!(target.content, Content::Output(Output::NewOrder(_) | Output::Decision(_))) {
        return None;
    }
    let is_itself = Some(story.order.seq) == target.seq;
    Some(TradeWhy {
        order: (!is_itself).then(|| story.clone()),
        entry: history.entry_of(order.signal_id).filter(|_| !is_entry).cloned(),
        signal: history.signal(order.signal_id).cloned(),
    })
}

/// Of a signal the look that made it; of a bar or an input all of them.
fn looks(focus: &Focus, seen: &Seen, outputs: &[Line]) -> Vec<SeenLook> {
    let direction = outputs.iter().find_map(|line| match &line.content {
        Content::Output(Output::Signal(signal)) => Some(signal.direction),
        _ => None,
    });
    let is_wanted = |seen: &&SeenLook| {
        focus.is_whole
            || focus.signal.is_some() && seen.look.is_met() && Some(seen.look.direction) == direction
    };
    seen.looks.iter().filter(is_wanted).copied().collect()
}

/// Of a structure its chain; of a bar what it made known.
fn structures(target: &Line, outputs: &[Line], history: &History) -> Vec<Cause> {
    let is_wanted = |line: &&Line| match (&target.content, &line.content) {
        (Content::Output(Output::Structure(_)), _) => line.seq == target.seq,
        (Content::Output(Output::BarClosed(id, timeframe, _)), Content::Output(Output::Structure(said))) => {
            said.instrument == *id && said.timeframe == *timeframe
        }
        _ => false,
    };
    outputs.iter().filter(is_wanted).filter_map(|line| history.cause_at(line.seq?)).collect()
}

fn plain(output: &Output) -> Output<NewOrder> {
    match *output {
        Output::NewOrder(approved) => Output::NewOrder(*approved.order()),
        Output::Cancel(it) => Output::Cancel(it),
        Output::Replace(it) => Output::Replace(ReplaceOrder {
            replaced: it.replaced,
            replaced_venue_id: it.replaced_venue_id,
            order: *it.order.order(),
        }),
        Output::Signal(it) => Output::Signal(it),
        Output::Decision(it) => Output::Decision(it),
        Output::Structure(it) => Output::Structure(it),
        Output::BarClosed(id, timeframe, bar) => Output::BarClosed(id, timeframe, bar),
        Output::Position(it) => Output::Position(it),
        Output::State(it) => Output::State(it),
        Output::Alert(it) => Output::Alert(it),
    }
}
