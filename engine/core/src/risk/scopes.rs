//! Trading states by scope: the engine, each venue, instrument and strategy, and which control holds each of them down.
//!
//! A scope's state is the worst of what its controls say; what holds for an order is the worst of the scopes it lies
//! in. Controls do not know of each other: one that lets go lifts only its own level. Fixed tables, no allocation
//! after construction. Run by the engine thread; reading the state is one load.

use crate::event::{RiskScope, ScopeKind};
use crate::output::{Control, StateChange, TradingState};
use crate::risk::limits::STRATEGIES_MAX;
use crate::state::{StateError, StateIo};
use crate::words::{InstrumentId, TsNs};
use alloc::vec;
use alloc::vec::Vec;

/// Venues one engine tells apart.
pub const VENUES_MAX: usize = 8;

/// The states of all scopes.
pub struct Scopes {
    engine: Levels,
    venues: Vec<Levels>,
    instruments: Vec<Levels>,
    strategies: Vec<Levels>,
    /// Levels that end by themselves, over all scopes: nothing to look for while it is 0.
    timed: u32,
}

/// One scope. Invariant: `worst` is the maximum of `by`.
#[derive(Clone, Copy)]
struct Levels {
    by: [TradingState; Control::COUNT],
    /// When a level ends by itself; 0 for one that does not.
    until: [TsNs; Control::COUNT],
    worst: TradingState,
}

impl Levels {
    const NORMAL: Self = Self {
        by: [TradingState::Normal; Control::COUNT],
        until: [TsNs(0); Control::COUNT],
        worst: TradingState::Normal,
    };

    fn get(&self, control: Control) -> TradingState {
        self.by.get(control as usize).copied().unwrap_or(TradingState::Halt)
    }
}

/// A level a control sets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Hold {
    /// Whose state.
    pub scope: RiskScope,
    /// Which control.
    pub control: Control,
    /// The level; `Normal` lets go.
    pub level: TradingState,
    /// When it lets go by itself; 0 for never.
    pub until: TsNs,
}

/// What setting a level did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shift {
    /// The scope's state before.
    pub from: TradingState,
    /// The scope's state after.
    pub to: TradingState,
    /// The control holds more down than before.
    pub is_worse: bool,
}

impl Scopes {
    /// Everything normal.
    pub fn new(instruments: usize) -> Self {
        Self {
            engine: Levels::NORMAL,
            venues: vec![Levels::NORMAL; VENUES_MAX],
            instruments: vec![Levels::NORMAL; instruments],
            strategies: vec![Levels::NORMAL; STRATEGIES_MAX],
            timed: 0,
        }
    }

    /// A scope's own state. One that does not exist is halted.
    pub fn state(&self, scope: RiskScope) -> TradingState {
        self.levels(scope).map_or(TradingState::Halt, |levels| levels.worst)
    }

    /// What one control holds a scope at.
    pub fn level(&self, scope: RiskScope, control: Control) -> TradingState {
        self.levels(scope).map_or(TradingState::Halt, |levels| levels.get(control))
    }

    /// The worst of the engine, a venue and an instrument.
    pub fn over_instrument(&self, venue: u8, instrument: InstrumentId) -> TradingState {
        let venue = self.venues.get(usize::from(venue)).map_or(TradingState::Halt, |levels| levels.worst);
        let at = self.instruments.get(instrument.index());
        self.engine.worst.max(venue).max(at.map_or(TradingState::Halt, |levels| levels.worst))
    }

    /// A person, or a trigger a person set, has halted a scope that the order path lies in: nothing may work, and nothing
    /// that works may stay. A halt by any other control leaves protection where it is.
    pub fn is_killed(&self, venue: u8, instrument: InstrumentId, strategy: u8) -> bool {
        let scopes = [
            Some(&self.engine),
            self.venues.get(usize::from(venue)),
            self.instruments.get(instrument.index()),
            self.strategies.get(usize::from(strategy)),
        ];
        scopes.into_iter().flatten().any(|levels| {
            levels.worst == TradingState::Halt
                && Control::KILLS.iter().any(|&control| levels.get(control) == TradingState::Halt)
        })
    }

    /// Sets a control's level, whatever it was. None for a scope that does not exist.
    pub fn set(&mut self, hold: Hold) -> Option<Shift> {
        let was_timed = self.levels(hold.scope)?.until.get(hold.control as usize)?.0 > 0;
        let is_timed = hold.level > TradingState::Normal && hold.until.0 > 0;
        let levels = self.levels_mut(hold.scope)?;
        let at = hold.control as usize;
        let before = core::mem::replace(levels.by.get_mut(at)?, hold.level);
        *levels.until.get_mut(at)? = if is_timed { hold.until } else { TsNs(0) };
        let from = levels.worst;
        levels.worst = levels.by.iter().copied().max().unwrap_or(TradingState::Halt);
        let to = levels.worst;
        self.timed = self.timed - u32::from(was_timed) + u32::from(is_timed);
        Some(Shift { from, to, is_worse: hold.level > before })
    }

    /// As [`Scopes::set`], but a level never falls by it, and never ends sooner.
    pub fn raise(&mut self, hold: Hold) -> Option<Shift> {
        let levels = self.levels(hold.scope)?;
        let at = hold.control as usize;
        let (level, until) = (levels.get(hold.control), *levels.until.get(at)?);
        let is_endless = level > TradingState::Normal && until == TsNs(0);
        let later = if hold.until == TsNs(0) || is_endless { TsNs(0) } else { until.max(hold.until) };
        match hold.level.cmp(&level) {
            core::cmp::Ordering::Less => {
                Some(Shift { from: levels.worst, to: levels.worst, is_worse: false })
            }
            core::cmp::Ordering::Equal => self.set(Hold { until: later, ..hold }),
            core::cmp::Ordering::Greater => self.set(hold),
        }
    }

    /// A level whose time is over, if there is one. Ask again after letting go.
    pub fn expired(&self, now: TsNs) -> Option<(RiskScope, Control)> {
        if self.timed == 0 {
            return None;
        }
        self.scopes().find_map(|(scope, levels)| {
            let at = levels.until.iter().position(|until| until.0 > 0 && *until <= now)?;
            Some((scope, *Control::ALL.get(at)?))
        })
    }

    /// Every scope that is not normal, with the control that holds it down most.
    pub fn held(&self) -> impl Iterator<Item = (RiskScope, Control, TradingState)> {
        self.scopes().filter(|(_, levels)| levels.worst > TradingState::Normal).filter_map(
            |(scope, levels)| {
                let control =
                    Control::ALL.into_iter().find(|&control| levels.get(control) == levels.worst)?;
                Some((scope, control, levels.worst))
            },
        )
    }

    /// Every control that holds a scope down, whether another holds it further.
    pub fn holds(&self) -> impl Iterator<Item = (RiskScope, Control, TradingState)> {
        self.scopes().filter(|(_, levels)| levels.worst > TradingState::Normal).flat_map(|(scope, levels)| {
            let by = Control::ALL.into_iter().zip(levels.by);
            by.filter(|(_, level)| *level > TradingState::Normal)
                .map(move |(control, level)| (scope, control, level))
        })
    }

    fn scopes(&self) -> impl Iterator<Item = (RiskScope, &Levels)> {
        let many = |kind, levels: &Vec<Levels>| {
            (0..levels.len()).map(move |id| RiskScope { kind, id: u16::try_from(id).unwrap_or(u16::MAX) })
        };
        core::iter::once((RiskScope::ENGINE, &self.engine))
            .chain(many(ScopeKind::Venue, &self.venues).zip(&self.venues))
            .chain(many(ScopeKind::Instrument, &self.instruments).zip(&self.instruments))
            .chain(many(ScopeKind::Strategy, &self.strategies).zip(&self.strategies))
    }

    fn levels(&self, scope: RiskScope) -> Option<&Levels> {
        let id = usize::from(scope.id);
        match scope.kind {
            ScopeKind::Engine => Some(&self.engine),
            ScopeKind::Venue => self.venues.get(id),
            ScopeKind::Instrument => self.instruments.get(id),
            ScopeKind::Strategy => self.strategies.get(id),
        }
    }

    fn levels_mut(&mut self, scope: RiskScope) -> Option<&mut Levels> {
        let id = usize::from(scope.id);
        match scope.kind {
            ScopeKind::Engine => Some(&mut self.engine),
            ScopeKind::Venue => self.venues.get_mut(id),
            ScopeKind::Instrument => self.instruments.get_mut(id),
            ScopeKind::Strategy => self.strategies.get_mut(id),
        }
    }

    /// The word for the journal, if the scope's state changed.
    pub fn word(hold: &Hold, shift: &Shift) -> Option<StateChange> {
        let Shift { from, to, .. } = *shift;
        (from != to).then_some(StateChange {
            scope: hold.scope,
            from,
            to,
            cause: hold.control,
            command: None,
        })
    }

    pub(crate) fn state_io(&mut self, io: &mut StateIo<'_>) -> Result<(), StateError> {
        let Self { engine, venues, instruments, strategies, timed } = self;
        *timed = 0;
        let parts = [venues, instruments, strategies];
        for levels in core::iter::once(engine).chain(parts.into_iter().flatten()) {
            *timed += levels.state(io)?;
        }
        Ok(())
    }
}

impl Levels {
    /// How many of them end by themselves.
    fn state(&mut self, io: &mut StateIo<'_>) -> Result<u32, StateError> {
        let Self { by, until, worst } = self;
        let mut timed = 0;
        for (level, until) in by.iter_mut().zip(until) {
            io.choice(level, &TradingState::ALL)?;
            io.number(until)?;
            io.sound(*level > TradingState::Normal || *until == TsNs(0))?;
            timed += u32::from(until.0 > 0);
        }
        *worst = by.iter().copied().max().unwrap_or(TradingState::Halt);
        Ok(timed)
    }
}

impl Control {
    /// All of them, in the order of their numbers.
    pub const ALL: [Self; Self::COUNT] = [
        Self::Operator,
        Self::Journal,
        Self::Process,
        Self::DailyLoss,
        Self::Drawdown,
        Self::LossStreak,
        Self::FillRate,
        Self::RejectStorm,
        Self::Slippage,
        Self::PositionMismatch,
        Self::UnknownOrder,
        Self::Unacknowledged,
        Self::FlashMove,
        Self::FeedDivergence,
        Self::ValueAtRisk,
        Self::ModelDrift,
        Self::Runaway,
        Self::RepeatExec,
        Self::Reconciling,
        Self::Venue,
        Self::Trigger,
        Self::DayRoll,
    ];
    /// How many there are.
    pub const COUNT: usize = 22;
    /// Those by which a person says that nothing may stay.
    const KILLS: [Self; 2] = [Self::Operator, Self::Trigger];
    /// What a person lets go of by re-arming a scope. A loss is let go of by a reset, a fact when it is no longer so.
    pub const ARMED: [Self; 9] = [
        Self::Operator,
        Self::Trigger,
        Self::LossStreak,
        Self::FillRate,
        Self::RejectStorm,
        Self::Slippage,
        Self::FlashMove,
        Self::Runaway,
        Self::RepeatExec,
    ];
}

impl TradingState {
    pub(crate) const ALL: [Self; 5] =
        [Self::Normal, Self::Warn, Self::ReduceOnly, Self::CancelOnly, Self::Halt];
}

const _: () = {
    let mut at = 0;
    while at < Control::COUNT {
        assert!(Control::ALL[at] as usize == at);
        at += 1;
    }
};

#[cfg(test)]
mod tests {
    use super::*;

    const STRATEGY: RiskScope = RiskScope::strategy(3);

    fn hold(control: Control, level: TradingState, until: u64) -> Hold {
        Hold { scope: STRATEGY, control, level, until: TsNs(until) }
    }

    #[test]
    fn a_control_lifts_only_its_own_level() {
        let mut scopes = Scopes::new(2);
        scopes.set(hold(Control::Slippage, TradingState::Warn, 0)).unwrap();
        let shift = scopes.set(hold(Control::LossStreak, TradingState::ReduceOnly, 0)).unwrap();
        assert_eq!(
            (shift.from, shift.to, shift.is_worse),
            (TradingState::Warn, TradingState::ReduceOnly, true)
        );
        let shift = scopes.set(hold(Control::LossStreak, TradingState::Normal, 0)).unwrap();
        assert_eq!((shift.from, shift.to), (TradingState::ReduceOnly, TradingState::Warn));
        scopes.set(hold(Control::LossStreak, TradingState::ReduceOnly, 0)).unwrap();
        let held: Vec<_> = scopes.held().map(|(_, control, _)| control).collect();
        assert_eq!(held, [Control::LossStreak], "the one that holds it most");
        let holds: Vec<_> = scopes.holds().collect();
        let of = |control, level| (STRATEGY, control, level);
        let both =
            [of(Control::LossStreak, TradingState::ReduceOnly), of(Control::Slippage, TradingState::Warn)];
        assert_eq!(holds, both, "and all that hold it");
        assert_eq!(scopes.state(RiskScope::strategy(16)), TradingState::Halt, "unknown means no");
        assert_eq!(
            scopes.set(Hold {
                scope: RiskScope::strategy(16),
                ..hold(Control::Slippage, TradingState::Warn, 0)
            }),
            None
        );
    }

    #[test]
    fn a_timed_level_ends_and_never_sooner_than_said() {
        let mut scopes = Scopes::new(1);
        scopes.raise(hold(Control::FlashMove, TradingState::ReduceOnly, 100)).unwrap();
        scopes.raise(hold(Control::FlashMove, TradingState::ReduceOnly, 50)).unwrap();
        assert_eq!(scopes.expired(TsNs(99)), None);
        assert_eq!(scopes.expired(TsNs(100)), Some((STRATEGY, Control::FlashMove)));
        scopes.raise(hold(Control::FlashMove, TradingState::ReduceOnly, 0)).unwrap();
        assert_eq!(scopes.expired(TsNs(u64::MAX)), None, "now it waits for a person");
        scopes.raise(hold(Control::FlashMove, TradingState::ReduceOnly, 70)).unwrap();
        assert_eq!(scopes.expired(TsNs(u64::MAX)), None);
    }

    #[test]
    fn a_kill_is_a_persons_and_a_halt_is_not() {
        let mut scopes = Scopes::new(1);
        let engine = |control| Hold { scope: RiskScope::ENGINE, ..hold(control, TradingState::Halt, 0) };
        scopes.set(engine(Control::DailyLoss)).unwrap();
        assert_eq!(scopes.over_instrument(0, InstrumentId(0)), TradingState::Halt);
        assert!(!scopes.is_killed(0, InstrumentId(0), 1));
        scopes.set(engine(Control::Trigger)).unwrap();
        assert!(scopes.is_killed(0, InstrumentId(0), 1));
    }
}
