//! What an observer keeps beside the core: counts, the newest alerts and acts, when things changed.
//!
//! Everything is bounded by the configuration or by a constant, whatever the journal says.

use crate::names::Names;
use crate::picture::{ActPicture, AlertPicture, CODES_MAX, Counts, NEWEST_KEPT, OTHER, RoundPicture};
use smc_core::config::EngineConfig;
use smc_core::engine::Engine;
use smc_core::event::{Act, Command, Event, EventBody, GatewayState, LimitName, OrderUpdateKind, RiskScope};
use smc_core::output::{Alert, AlertKind, Control, Output, StateChange, StructureKind};
use smc_core::risk::{Check, STRATEGIES_MAX, VENUES_MAX, Violations};
use smc_core::strategy::Strategy;
use smc_core::words::{ClientOrderId, InstrumentId, TsNs};
use smc_replay::{Onlooker, Step, codes_text, state_name, words};
use std::collections::VecDeque;

/// The venue code by which our own process says that its ring was full.
const CODE_RING_FULL: i64 = -2;

/// Counts and memories of one observer.
pub(crate) struct Tally {
    pub names: Names,
    pub counts: Counts,
    pub alerts: VecDeque<AlertPicture>,
    pub acts: VecDeque<ActPicture>,
    pub last_order: Option<u64>,
    /// By instrument: when its feed's state was told to change.
    pub feed_since: Vec<Option<TsNs>>,
    /// By instrument: when its last price came.
    pub price_at: Vec<Option<TsNs>>,
    pub venues: [VenueTally; VENUES_MAX],
    pub strategies: [StrategyTally; STRATEGIES_MAX],
    /// Counted densely, and named when a picture is made: by timeframe, then kind.
    structures: Vec<[u64; KINDS]>,
    denials: [u64; Check::ALL.len()],
    /// Refusals by venue and code, at most [`CODES_MAX`] pairs.
    rejects: Vec<((u8, i64), u64)>,
    rejects_other: [u64; VENUES_MAX],
    venue_of: Vec<u8>,
    timeframes: Vec<smc_core::Timeframe>,
}

/// Of one venue.
#[derive(Clone, Default)]
pub(crate) struct VenueTally {
    pub reconnects: u64,
    pub round: Option<RoundPicture>,
    was_ready: bool,
    is_ready: bool,
}

/// Of one strategy.
#[derive(Clone, Copy, Default)]
pub(crate) struct StrategyTally {
    pub signals: u64,
    pub orders: u64,
}

/// Numbers of structure kinds lie below.
const KINDS: usize = 128;

impl Tally {
    pub fn new(config: &EngineConfig, names: Names) -> Self {
        let instruments = config.instruments.len();
        Self {
            names,
            counts: Counts::default(),
            alerts: VecDeque::with_capacity(NEWEST_KEPT),
            acts: VecDeque::with_capacity(NEWEST_KEPT),
            last_order: None,
            feed_since: vec![None; instruments],
            price_at: vec![None; instruments],
            venues: Default::default(),
            strategies: Default::default(),
            structures: vec![[0; KINDS]; config.timeframes.len()],
            denials: [0; Check::ALL.len()],
            rejects: Vec::new(),
            rejects_other: [0; VENUES_MAX],
            venue_of: config.instruments.iter().map(|instrument| instrument.venue).collect(),
            timeframes: config.timeframes.clone(),
        }
    }

    /// The counts with their names.
    pub fn counts(&self) -> Counts {
        let mut counts = self.counts.clone();
        for (timeframe, by_kind) in self.timeframes.iter().zip(&self.structures) {
            let named = StructureKind::TAGS.iter();
            let named = named.filter_map(|kind| Some((words(kind), *by_kind.get(*kind as usize)?)));
            counts.structures.insert(timeframe.to_string(), named.collect());
        }
        let denials = Check::ALL.iter().zip(self.denials);
        counts.denials = denials.map(|(check, count)| (check.name().to_owned(), count)).collect();
        for ((venue, code), count) in &self.rejects {
            let of_venue = counts.rejects.entry(self.names.venue(*venue)).or_default();
            of_venue.insert(code.to_string(), *count);
        }
        for (venue, count) in (0..).zip(self.rejects_other).filter(|(_, count)| *count > 0) {
            counts.rejects.entry(self.names.venue(venue)).or_default().insert(OTHER.into(), count);
        }
        // Those that never came are counted as 0.
        for kind in AlertKind::TAGS {
            counts.alerts.entry(words(kind)).or_default();
        }
        for command in Command::TAGS {
            counts.acts.entry(words(command)).or_default();
        }
        counts
    }

    fn venue_of(&self, instrument: InstrumentId) -> u8 {
        self.venue_of.get(instrument.index()).copied().unwrap_or(0)
    }

    /// The venues that an event about an order path or a round means: with no instrument, all.
    fn venues_meant(&mut self, instrument: InstrumentId) -> impl Iterator<Item = &mut VenueTally> {
        let only = (instrument != InstrumentId::NONE).then(|| usize::from(self.venue_of(instrument)));
        let meant = self.venues.iter_mut().enumerate();
        meant.filter(move |(at, _)| only.is_none_or(|only| only == *at)).map(|(_, venue)| venue)
    }

    fn on_input(&mut self, event: &Event) {
        let (instrument, now) = (event.instrument, event.ts_recv);
        match &event.body {
            EventBody::Trade(_) | EventBody::Quote(_) | EventBody::Book(_) => {
                if let Some(at) = self.price_at.get_mut(instrument.index()) {
                    *at = Some(now);
                }
            }
            EventBody::Gateway(state) => {
                let state = *state;
                self.venues_meant(instrument).for_each(|venue| venue.on_gateway(state));
            }
            EventBody::Round(round) => {
                let seen = RoundPicture {
                    number: round.number,
                    at: now,
                    is_over: round.is_end,
                    is_complete: round.is_end && round.is_complete,
                };
                self.venues_meant(instrument).for_each(|venue| venue.round = Some(seen.clone()));
            }
            _ => {}
        }
    }

    fn on_output(&mut self, seq: u64, output: &Output) {
        match output {
            Output::NewOrder(order) => self.on_order(seq, order.order().client_order_id),
            Output::Replace(replace) => self.on_order(seq, replace.order.order().client_order_id),
            Output::Signal(signal) => {
                self.counts.signals += 1;
                if let Some(known) = self.strategies.get_mut(usize::from(signal.strategy)) {
                    known.signals += 1;
                }
            }
            Output::Decision(decision) => {
                self.counts.decisions += 1;
                for check in Violations::from_bits(decision.codes).iter() {
                    if let Some(count) = self.denials.get_mut(check as usize - 1) {
                        *count += 1;
                    }
                }
            }
            Output::Structure(structure) => {
                let at = self.timeframes.iter().position(|known| *known == structure.timeframe);
                let by_kind = at.and_then(|at| self.structures.get_mut(at));
                if let Some(count) = by_kind.and_then(|kinds| kinds.get_mut(structure.kind as usize)) {
                    *count += 1;
                }
            }
            Output::Position(position) if position.fill_qty.0 != 0 => self.counts.fills += 1,
            Output::State(_) => self.counts.state_changes += 1,
            Output::Alert(alert) => self.on_alert(seq, alert),
            Output::Position(_) | Output::Cancel(_) | Output::BarClosed(..) => {}
        }
    }

    fn on_order(&mut self, seq: u64, id: ClientOrderId) {
        self.last_order = Some(seq);
        if let Some(known) = self.strategies.get_mut(usize::from(id.strategy())) {
            known.orders += 1;
        }
    }

    fn on_alert(&mut self, seq: u64, alert: &Alert) {
        let Alert { kind, instrument, client_order_id, detail, ts } = *alert;
        let kind_name = words(&kind);
        *self.counts.alerts.entry(kind_name.clone()).or_default() += 1;
        self.counts.alerts_at.insert(kind_name.clone(), ts.0);
        if kind == AlertKind::VenueReject {
            self.on_reject(self.venue_of(instrument), detail);
        }
        let scope = match instrument {
            InstrumentId::NONE => RiskScope::ENGINE,
            id => RiskScope::instrument(id),
        };
        let scope = self.names.scope(scope);
        let order = (client_order_id != ClientOrderId::NONE).then(|| client_order_id.to_string());
        let about = order.as_ref().map(|order| format!(", order {order}")).unwrap_or_default();
        let text = format!("{kind_name}: {scope}{about}{}", detail_text(kind, detail));
        newest(
            &mut self.alerts,
            AlertPicture { seq, ts, kind: kind_name, scope, order, detail, state: None, text },
        );
    }

    fn on_reject(&mut self, venue: u8, code: i64) {
        self.counts.ring_full += u64::from(code == CODE_RING_FULL);
        let key = (venue, code);
        if let Some((_, count)) = self.rejects.iter_mut().find(|(known, _)| *known == key) {
            *count += 1;
        } else if self.rejects.len() < CODES_MAX {
            self.rejects.push((key, 1));
        } else if let Some(count) = self.rejects_other.get_mut(usize::from(venue)) {
            *count += 1;
        }
    }

    fn on_state(&mut self, seq: u64, ts: TsNs, change: &StateChange) {
        let scope = self.names.scope(change.scope);
        let (from, to) = (state_name(&change.from), state_name(&change.to));
        let by = change.command.map(|command| format!(" ({})", words(&command))).unwrap_or_default();
        let text = format!("state: {scope} {from} -> {to} by {}{by}", words(&change.cause));
        let detail = change.cause as i64;
        let picture =
            AlertPicture { seq, ts, kind: "state".into(), scope, order: None, detail, state: Some(to), text };
        newest(&mut self.alerts, picture);
    }

    fn on_act<S: Strategy>(&mut self, core: &Engine<S>, step: &Step, act: &Act) {
        let command = words(&act.command);
        *self.counts.acts.entry(command.clone()).or_default() += 1;
        let picture = ActPicture {
            seq: step.seq,
            ts: step.ts,
            command,
            scope: self.names.scope(act.scope),
            limit: if act.limit == LimitName::None { String::new() } else { act.limit.field().into() },
            value: act.value,
            operator: (act.operator != Act::PROCESS).then_some(act.operator),
            reason: act.reason.as_str().into(),
            state: core.state(),
        };
        newest(&mut self.acts, picture);
    }
}

impl VenueTally {
    fn on_gateway(&mut self, state: GatewayState) {
        let is_ready = state == GatewayState::Ready;
        if is_ready && !self.is_ready {
            self.reconnects += u64::from(self.was_ready);
            self.was_ready = true;
        }
        self.is_ready = is_ready;
    }
}

impl<S: Strategy> Onlooker<S> for Tally {
    fn before(&mut self, core: &Engine<S>, _step: &Step, event: &Event) {
        match &event.body {
            EventBody::Order(update) if matches!(update.kind, OrderUpdateKind::Ack) => {
                let order = core.order(update.client_order_id);
                self.counts.acks += u64::from(order.is_some_and(|order| !order.is_acknowledged()));
            }
            EventBody::Feed(state) => {
                let meant =
                    |id: usize| event.instrument == InstrumentId::NONE || event.instrument.index() == id;
                for (id, since) in self.feed_since.iter_mut().enumerate().filter(|(id, _)| meant(*id)) {
                    let before = core.book(InstrumentId(id as u16)).map(|book| book.feed());
                    if before != Some(*state) {
                        *since = Some(event.ts_recv);
                    }
                }
            }
            _ => {}
        }
    }

    fn after(&mut self, core: &Engine<S>, step: &Step, event: &Event, said: &[Output]) {
        self.on_input(event);
        if let EventBody::Operator(act) = &event.body {
            self.on_act(core, step, act);
        }
        for (seq, output) in (step.seq + 1..).zip(said) {
            self.on_output(seq, output);
            if let Output::State(change) = output {
                self.on_state(seq, event.ts_recv, change);
            }
        }
    }
}

/// What the number of an alert means, as far as it is worth a word.
fn detail_text(kind: AlertKind, detail: i64) -> String {
    match kind {
        AlertKind::VenueReject | AlertKind::OrderUnknown => format!(", code {detail}"),
        AlertKind::Control => {
            let control = usize::try_from(detail).ok().and_then(|at| Control::ALL.get(at));
            control.map_or_else(String::new, |control| format!(", {}", words(control)))
        }
        AlertKind::PositionMismatch | AlertKind::Adopted | AlertKind::Overfill => {
            format!(", {}", smc_core::Qty(detail))
        }
        AlertKind::Unacknowledged => format!(", after {} ms", detail / 1_000_000),
        AlertKind::LimitChanged | AlertKind::LimitRefused => format!(", value {detail}"),
        AlertKind::Revalidation => format!(", {}", codes_text(u32::try_from(detail).unwrap_or(0))),
        AlertKind::UnknownOrder
        | AlertKind::OutboundFull
        | AlertKind::BlindWithPosition
        | AlertKind::Instrument
        | AlertKind::Unprotected
        | AlertKind::BarRevised => String::new(),
    }
}

fn newest<T>(list: &mut VecDeque<T>, item: T) {
    if list.len() == NEWEST_KEPT {
        list.pop_front();
    }
    list.push_back(item);
}

const _: () = {
    let mut at = 0;
    while at < StructureKind::TAGS.len() {
        assert!((StructureKind::TAGS[at] as usize) < KINDS);
        at += 1;
    }
};
