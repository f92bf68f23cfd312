//! What of a journal's records people should be told. Pure.

use crate::desk::{Condition, Lasts};
use crate::notice::Severity;
use smc_core::codec::{self, CodecError};
use smc_core::event::{
    Act, Command, Event, EventBody, FeedState, GatewayState, JournalState, REJECT_NOT_SENT, RiskScope,
    ScopeKind,
};
use smc_core::output::{Alert, AlertKind, Control, NewOrder, Output, StateChange, TradingState};
use smc_core::words::{ClientOrderId, InstrumentId};
use smc_journal::{Record, RecordKind};
use std::collections::BTreeMap;
use std::time::Duration;

/// Feeds come and go; what is back within this is not told.
const FEED_PATIENCE: Duration = Duration::from_secs(15);
/// The order path likewise.
const GATEWAY_PATIENCE: Duration = Duration::from_secs(20);
/// Each start looks at everything the venue has before it trades.
const RECONCILE_PATIENCE: Duration = Duration::from_secs(60);
/// A new process lets go at once of what only a process can hold; the rest is told.
const RESTART_PATIENCE: Duration = Duration::from_secs(2);

/// What people call things.
#[derive(Clone, Debug, Default)]
pub struct Names {
    /// Name and venue's number of each instrument, by its id. Two that people could take for one need two names: keys are made of
    /// them.
    pub instruments: Vec<(String, u8)>,
    /// Names of the venues, by number.
    pub venues: Vec<String>,
    /// Distance of a venue's clock that stops orders.
    pub clock_offset_ns_max: u64,
}

impl Names {
    fn instrument(&self, id: InstrumentId) -> String {
        match self.instruments.get(usize::from(id.0)) {
            Some((symbol, _)) => symbol.clone(),
            None if id == InstrumentId::NONE => "all".into(),
            None => format!("instrument {}", id.0),
        }
    }

    fn venue(&self, number: u8) -> String {
        let name = self.venues.get(usize::from(number)).filter(|name| !name.is_empty());
        name.cloned().unwrap_or_else(|| format!("venue {number}"))
    }

    fn venue_of(&self, id: InstrumentId) -> u8 {
        self.instruments.get(usize::from(id.0)).map_or(0, |(_, venue)| *venue)
    }

    fn scope(&self, scope: RiskScope) -> String {
        match scope.kind {
            ScopeKind::Engine => "engine".into(),
            ScopeKind::Venue => self.venue(u8::try_from(scope.id).unwrap_or(u8::MAX)),
            ScopeKind::Instrument => self.instrument(InstrumentId(scope.id)),
            ScopeKind::Strategy => format!("strategy {}", scope.id),
        }
    }
}

fn who(act: &Act) -> String {
    match act.operator {
        Act::PROCESS => "the process itself".to_owned(),
        uid => format!("user {uid}"),
    }
}

/// What follows from a record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Word {
    /// A condition holds or has happened.
    Raise(Condition),
    /// One is over.
    Over(String, String),
    /// An engine goes on with the journal: what the former one said of itself is past.
    Begun(u64),
    /// The engine has ended in order, with this record.
    Closed(u64),
    /// Another journal lies at the same path; no record says so.
    Replaced,
    /// A person has seen what this record says: the record, and who it was.
    Seen(u64, String),
}

/// Remembers what is needed to tell the end of a condition from its beginning.
pub struct Rules {
    names: Names,
    feeds: Vec<FeedState>,
    /// What is held down, by key: it outlives the process, and no record says it again.
    held: BTreeMap<String, Condition>,
}

impl Rules {
    /// Knows names and nothing else.
    pub fn new(names: Names) -> Self {
        // Before the first word of a feed nothing is wrong with it.
        let feeds = vec![FeedState::Live; names.instruments.len()];
        Self { names, feeds, held: BTreeMap::new() }
    }

    /// Another journal, or another part of it.
    pub fn forget(&mut self) {
        self.feeds.fill(FeedState::Live);
        self.held.clear();
    }

    /// What follows from a record.
    pub fn take(&mut self, record: &Record<'_>, say: &mut impl FnMut(Word)) -> Result<(), CodecError> {
        let (seq, at) = (record.seq, record.ts.0);
        match record.kind {
            RecordKind::Output => match codec::decode::<Output<NewOrder>>(record.payload)? {
                Output::State(change) => say(self.state(&change, seq, at)),
                Output::Alert(alert) => say(Word::Raise(self.alert(&alert, seq, at))),
                _ => {}
            },
            RecordKind::Input => self.input(&codec::decode(record.payload)?, seq, at, say),
            RecordKind::Run => {
                self.feeds.fill(FeedState::Live);
                say(Word::Begun(seq));
                // A kill or a halt is state of the core: the new process goes on with it.
                self.held.values().for_each(|condition| say(Word::Raise(after_start(condition))));
            }
            RecordKind::Close => say(Word::Closed(seq)),
            _ => {}
        }
        Ok(())
    }

    fn state(&mut self, change: &StateChange, seq: u64, at: u64) -> Word {
        let StateChange { scope, from, to, cause, command } = *change;
        let key = state_key(&self.names, scope);
        // The record names the control that changed. Where the state grew worse, that is who holds it; where it grew better, who
        // let go, and who holds the rest no record says.
        let is_worse = to > from;
        let by = is_worse.then_some(cause);
        let patience = if is_of_a_start(cause) { RECONCILE_PATIENCE } else { Duration::ZERO };
        let Some(mut condition) = state_condition(&self.names, scope, to, by, Some(seq), at) else {
            self.held.remove(&key);
            return Word::Over(key, format!("back to NORMAL by {cause:?}"));
        };
        if to != TradingState::Halt {
            condition.lasts = Lasts::UntilOver { patience };
        }
        if !is_worse {
            condition.text = format!("{}; {cause:?} has let go of {}", condition.text, state_word(from));
        }
        if let Some(command) = command {
            condition.text = format!("{}; command {command:?}", condition.text);
        }
        self.held.insert(key, condition.clone());
        Word::Raise(condition)
    }

    fn alert(&self, alert: &Alert, seq: u64, at: u64) -> Condition {
        let symbol = self.names.instrument(alert.instrument);
        // The engine takes what was not sent for refused; people look elsewhere for the reason.
        let is_unsent = alert.kind == AlertKind::VenueReject && alert.detail == i64::from(REJECT_NOT_SENT);
        let (kind, (severity, title, runbook)) = match is_unsent {
            true => ("NotSent".to_owned(), NOT_SENT),
            false => (format!("{:?}", alert.kind), alert_words(alert.kind)),
        };
        let mut text = format!("{symbol}: {kind}, detail {}", alert.detail);
        if alert.client_order_id != ClientOrderId::NONE {
            text = format!("{text}, order {}", alert.client_order_id);
        }
        Condition {
            key: format!("alert/{kind}/{symbol}").to_lowercase(),
            severity,
            rank: 0,
            title: format!("{symbol}: {title}"),
            text,
            seq: Some(seq),
            at,
            runbook,
            lasts: Lasts::Moment,
        }
    }

    fn input(&mut self, event: &Event, seq: u64, at: u64, say: &mut impl FnMut(Word)) {
        let venue = self.names.venue_of(event.instrument);
        let lasting = |key: String, severity, title: String, text: String, runbook, patience| {
            let lasts = Lasts::UntilOver { patience };
            Word::Raise(Condition { key, severity, rank: 0, title, text, seq: Some(seq), at, runbook, lasts })
        };
        let now = Duration::ZERO;
        match event.body {
            EventBody::Feed(state) => say(self.feed(event.instrument, state, seq, at)),
            EventBody::Gateway(state) => {
                let is_all = event.instrument == InstrumentId::NONE;
                let count = u8::try_from(self.names.venues.len()).unwrap_or(u8::MAX).max(1);
                let venues = if is_all { 0..count } else { venue..venue.saturating_add(1) };
                for number in venues {
                    let (key, name) = (format!("gateway/{number}"), self.names.venue(number));
                    say(match state {
                        GatewayState::Ready => Word::Over(key, format!("{name}: orders can be sent")),
                        state => lasting(
                            key,
                            Severity::Critical,
                            format!("{name}: no orders and no cancels can be sent"),
                            format!("the order path is {state:?}"),
                            "SmcGatewayNotReady.md",
                            GATEWAY_PATIENCE,
                        ),
                    });
                }
            }
            EventBody::Journal(state) => {
                let (severity, words, page) = match state {
                    JournalState::Good => {
                        return say(Word::Over("journal".into(), "the journal is well".into()));
                    }
                    JournalState::Low => {
                        (Severity::Warning, "its disk fills up, or its mirror has failed", "SmcJournalLow.md")
                    }
                    JournalState::Behind => (
                        Severity::Critical,
                        "its disk is slow, or has no room for a segment",
                        "SmcJournalBehind.md",
                    ),
                    JournalState::Lost => {
                        (Severity::Critical, "it can no longer keep what happens", "SmcJournalLost.md")
                    }
                };
                let title = format!("the journal is {state:?}").to_lowercase();
                let word = lasting("journal".into(), severity, title, words.into(), page, now);
                say(match word {
                    Word::Raise(condition) => Word::Raise(Condition { rank: state as u8, ..condition }),
                    other => other,
                });
            }
            EventBody::Clock(clock) => {
                let key = format!("venue/{venue}/clock");
                let text = format!("its clock is {} ms from ours", clock.offset_ns / 1_000_000);
                let is_far = clock.offset_ns.unsigned_abs() > self.names.clock_offset_ns_max;
                say(match is_far {
                    false => Word::Over(key, text),
                    true => {
                        let title = format!("{}: clocks differ, no order is sent", self.names.venue(venue));
                        lasting(key, Severity::Critical, title, text, "SmcClockOffset.md", now)
                    }
                });
            }
            EventBody::Budget(budget) => {
                let key = format!("venue/{venue}/ban");
                say(match budget.banned_until > event.ts_recv {
                    false => Word::Over(key, format!("{} of {} requests left", budget.left, budget.limit)),
                    true => {
                        let ms = budget.banned_until.0.saturating_sub(event.ts_recv.0) / 1_000_000;
                        let title = format!("{}: the venue has banned us", self.names.venue(venue));
                        lasting(
                            key,
                            Severity::Critical,
                            title,
                            format!("for {ms} ms"),
                            "SmcVenueBanned.md",
                            now,
                        )
                    }
                });
            }
            EventBody::Key(scope) => {
                let key = format!("venue/{venue}/key");
                let fault = match scope {
                    _ if scope.can_withdraw => Some("the key can withdraw: no order is sent with it"),
                    _ if !scope.can_trade => Some("the key cannot trade, or the venue has turned us away"),
                    _ => None,
                };
                say(match fault {
                    None => Word::Over(key, "the key may trade and not withdraw".into()),
                    Some(fault) => {
                        let title = format!("{}: {fault}", self.names.venue(venue));
                        lasting(key, Severity::Critical, title, String::new(), "SmcGatewayNotReady.md", now)
                    }
                });
            }
            EventBody::Operator(act) if act.command == Command::Acknowledge => {
                say(Word::Seen(u64::try_from(act.value).unwrap_or(0), who(&act)));
            }
            EventBody::Operator(act) if act.command != Command::Start => {
                say(Word::Raise(self.act(&act, seq, at)));
            }
            _ => {}
        }
    }

    fn act(&self, act: &Act, seq: u64, at: u64) -> Condition {
        let who = who(act);
        let scope = self.names.scope(act.scope);
        Condition {
            key: format!("act/{:?}/{scope}", act.command).to_lowercase(),
            severity: Severity::Info,
            rank: 0,
            title: format!("{:?} of {scope} by {who}", act.command),
            text: format!("reason: {}", act.reason.as_str()),
            seq: Some(seq),
            at,
            runbook: "SmcOperatorAct.md",
            lasts: Lasts::Moment,
        }
    }

    /// One condition for all feeds: a lost line takes them all, and is one message.
    fn feed(&mut self, instrument: InstrumentId, state: FeedState, seq: u64, at: u64) -> Word {
        match self.feeds.get_mut(usize::from(instrument.0)) {
            Some(feed) => *feed = state,
            None => self.feeds.fill(state),
        }
        let bad =
            self.feeds.iter().zip(&self.names.instruments).filter(|(feed, _)| **feed != FeedState::Live);
        let bad: Vec<String> = bad.map(|(feed, (symbol, _))| format!("{symbol} {feed:?}")).collect();
        if bad.is_empty() && state == FeedState::Live {
            return Word::Over("feed".into(), "all feeds are live".into());
        }
        Word::Raise(Condition {
            key: "feed".into(),
            severity: Severity::Warning,
            rank: 0,
            title: "market data is not live".into(),
            text: bad.join(", "),
            seq: Some(seq),
            at,
            runbook: "SmcFeedDown.md",
            lasts: Lasts::UntilOver { patience: FEED_PATIENCE },
        })
    }
}

/// What a part of the engine that is held down is called.
pub fn state_key(names: &Names, scope: RiskScope) -> String {
    format!("{STATE}{}", names.scope(scope)).to_lowercase()
}

/// Begins the key of everything that is held down.
pub const STATE: &str = "state/";

const fn state_word(state: TradingState) -> &'static str {
    match state {
        TradingState::Normal => "NORMAL",
        TradingState::Warn => "WARN",
        TradingState::ReduceOnly => "REDUCE_ONLY",
        TradingState::CancelOnly => "CANCEL_ONLY",
        TradingState::Halt => "HALT",
    }
}

/// Each start is held by these for a moment.
const fn is_of_a_start(cause: Control) -> bool {
    matches!(cause, Control::Reconciling | Control::Process | Control::Venue)
}

fn after_start(condition: &Condition) -> Condition {
    let Lasts::UntilOver { patience } = condition.lasts else { return condition.clone() };
    let lasts = Lasts::UntilOver { patience: patience.max(RESTART_PATIENCE) };
    let text = format!("{}; a new process goes on with it", condition.text);
    Condition { lasts, text, ..condition.clone() }
}

/// The condition that a part of the engine may not do everything; none for NORMAL. `by` where it is known what holds it there, `seq`
/// where a record says so; without one it was seen in the counters.
pub fn state_condition(
    names: &Names,
    scope: RiskScope,
    state: TradingState,
    by: Option<Control>,
    seq: Option<u64>,
    at: u64,
) -> Option<Condition> {
    let severity = match state {
        TradingState::Normal => return None,
        // A person's pause is no surprise; whatever else may hold it is.
        TradingState::ReduceOnly if by == Some(Control::Operator) => Severity::Info,
        TradingState::Warn | TradingState::ReduceOnly => Severity::Warning,
        TradingState::CancelOnly | TradingState::Halt => Severity::Critical,
    };
    let patience = match by {
        Some(by) if state != TradingState::Halt && is_of_a_start(by) => RECONCILE_PATIENCE,
        _ => Duration::ZERO,
    };
    let (name, word) = (names.scope(scope), state_word(state));
    let by = by.map_or_else(String::new, |by| format!(" by {by:?}"));
    Some(Condition {
        key: state_key(names, scope),
        severity,
        rank: state as u8,
        title: format!("{name} is {word}{by}"),
        text: match state {
            TradingState::Halt => "only cancels pass until a person arms it again".into(),
            TradingState::CancelOnly => "only cancels pass".into(),
            TradingState::ReduceOnly => "only orders that reduce a position pass".into(),
            _ => "everything is allowed; something is to be looked at".into(),
        },
        seq,
        at,
        runbook: match state {
            TradingState::Halt => "SmcStateHalt.md",
            TradingState::CancelOnly => "SmcStateCancelOnly.md",
            TradingState::ReduceOnly => "SmcStateReduced.md",
            TradingState::Normal | TradingState::Warn => "SmcBreakerHeld.md",
        },
        lasts: Lasts::UntilOver { patience },
    })
}

/// A refusal that no venue said.
const NOT_SENT: (Severity, &str, &str) =
    (Severity::Warning, "an order was not sent: no order path, or no request left", "SmcOrderNotSent.md");

const fn alert_words(kind: AlertKind) -> (Severity, &'static str, &'static str) {
    use Severity::{Critical, Info, Warning};
    match kind {
        AlertKind::VenueReject => (Warning, "the venue refused an order", "SmcOrderRejectStorm.md"),
        AlertKind::UnknownOrder => {
            (Critical, "a report about an order that we never sent", "SmcForeignOrder.md")
        }
        AlertKind::OrderUnknown => {
            (Warning, "the outcome of an order is unknown", "SmcOrderOutcomeUnknown.md")
        }
        AlertKind::OutboundFull => {
            (Critical, "an order was not sent: the ring was full", "SmcOutboundFull.md")
        }
        AlertKind::BlindWithPosition => {
            (Critical, "a position without market data", "SmcBlindWithPosition.md")
        }
        AlertKind::Instrument => (Warning, "rules were refused or changed", "SmcInstrumentChanged.md"),
        AlertKind::Unprotected => (Critical, "a position without a stop", "SmcPositionUnprotected.md"),
        AlertKind::Control => (Warning, "a control acted", "SmcBreakerHeld.md"),
        AlertKind::PositionMismatch => {
            (Critical, "our position is not the venue's", "SmcPositionMismatch.md")
        }
        AlertKind::Adopted => {
            (Warning, "an order or fill of another hand was taken in", "SmcForeignOrder.md")
        }
        AlertKind::Unacknowledged => (Warning, "no answer to an order in time", "SmcOrderUnacknowledged.md"),
        AlertKind::LimitChanged => (Info, "a limit was changed", "SmcLimitChanged.md"),
        AlertKind::LimitRefused => (Warning, "a change of a limit was refused", "SmcLimitRefused.md"),
        AlertKind::Overfill => (Critical, "the venue filled more than was asked for", "SmcOverfill.md"),
        AlertKind::Revalidation => (Warning, "working orders no longer pass", "SmcRevalidationFailed.md"),
        AlertKind::BarRevised => (Info, "the venue's candle differs from ours", "SmcBarsRevised.md"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use smc_core::words::TsNs;

    #[test]
    fn what_was_not_sent_is_not_laid_at_the_venues_door() {
        let rules = Rules::new(Names { instruments: vec![("BTCUSDT".into(), 0)], ..Names::default() });
        let of = |code: i32| {
            let alert = Alert {
                kind: AlertKind::VenueReject,
                instrument: InstrumentId(0),
                client_order_id: ClientOrderId::NONE,
                detail: code.into(),
                ts: TsNs(1),
            };
            rules.alert(&alert, 7, 1)
        };
        let (unsent, refused) = (of(REJECT_NOT_SENT), of(-2010));
        assert_eq!(unsent.title, "BTCUSDT: an order was not sent: no order path, or no request left");
        assert_eq!((unsent.runbook, unsent.key.as_str()), ("SmcOrderNotSent.md", "alert/notsent/btcusdt"));
        assert_eq!(refused.title, "BTCUSDT: the venue refused an order");
        assert_eq!(refused.key, "alert/venuereject/btcusdt", "one must not silence the other");
    }
}
