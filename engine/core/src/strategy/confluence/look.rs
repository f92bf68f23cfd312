//! A look that does not stop at the first condition that fails: why there was no signal, in numbers.
//!
//! Pure; for who asks, never on the way of an event. The conditions are the very calls that decide (`search.rs`,
//! `hours.rs`); here only the numbers beside them are read.

use super::place::Place;
use super::search::{Search, since_bar};
use super::{Confluence, DIRECTIONS};
use crate::strategy::MarketView;
use crate::words::{Direction, Price, Timeframe};

/// How many conditions a look has.
pub const CONDITIONS: usize = 11;

/// All conditions of an entry in one direction on one timeframe, in the order in which they are asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Look {
    /// On which timeframe.
    pub timeframe: Timeframe,
    /// Long or short.
    pub direction: Direction,
    /// Index of the bar that closed last.
    pub bar: u32,
    /// The conditions.
    pub conditions: [Condition; CONDITIONS],
}

impl Look {
    /// Nothing stands against the entry.
    pub fn is_met(&self) -> bool {
        self.conditions.iter().all(|condition| condition.standing != Standing::Failed)
            && self.conditions.iter().all(|condition| condition.standing != Standing::Unknown)
    }
}

/// One condition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Condition {
    /// Which.
    pub kind: ConditionKind,
    /// Does it hold?
    pub standing: Standing,
    /// The structure that it was read from; 0 for none.
    pub structure_id: u32,
    /// The numbers.
    pub measure: Measure,
}

/// Does a condition hold?
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// Yes.
    Held,
    /// No.
    Failed,
    /// The configuration does not ask for it.
    NotAsked,
    /// It is about an entry price, and there is none.
    Unknown,
}

/// The conditions, in the order in which they are asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ConditionKind {
    /// No trade is under way.
    Idle,
    /// The bars after the last signal are over.
    Rested,
    /// An entry session is open, not in its last minutes and not used up.
    Session,
    /// No exit session ends soon.
    NoExitNear,
    /// The trading day's signals are not used up.
    DayLeft,
    /// The bias points in the direction.
    Bias,
    /// Liquidity against the trade was swept lately.
    Sweep,
    /// Structure broke in the direction at the sweep or later.
    Shift,
    /// There is a place to enter: an open zone, or the market.
    Zone,
    /// The entry is in the right half of the range and in the band, where those are asked for.
    Half,
    /// There is a target worth the risk.
    Target,
}

/// The numbers of a condition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Measure {
    /// None to tell.
    Nothing,
    /// No signal before this bar.
    QuietUntil(u32),
    /// Where the bias points.
    Bias(Option<Direction>),
    /// Bars since it was known, and the most allowed; none when there was none.
    Age {
        /// Its age.
        bars: Option<u32>,
        /// The most allowed.
        bars_max: u32,
        /// It was known before the sweep, which does not count.
        is_before_sweep: bool,
    },
    /// Zones of the direction.
    Zones {
        /// Open ones.
        open: u32,
        /// Of those, not older than the sweep and the limit.
        timely: u32,
        /// Entry and stop that the nearest offers.
        place: Option<(Price, Price)>,
    },
    /// Where the entry lies.
    Half {
        /// Wanted entry.
        entry: Price,
        /// Bottom and top of the dealing range.
        range: Option<(Price, Price)>,
        /// Near and far edge of the optimal-trade-entry band.
        band: Option<(Price, Price)>,
    },
    /// What the target pays.
    Target {
        /// Distance that must be paid for: to the stop, and the costs.
        risk: Price,
        /// The least and the most that the target may pay, costs taken off.
        reward: (Price, Price),
        /// Levels of liquidity on the side.
        levels: u32,
        /// What was found.
        target: Option<Price>,
    },
}

impl Confluence {
    /// Every condition for an entry on one timeframe, long and short, as they stand before
    /// [`on_bar`](crate::strategy::Strategy::on_bar) is told of the bar that the view ends with. None for a
    /// timeframe on which no entry is sought, and before its first bar.
    ///
    /// Changes nothing but the cached hours of wall clocks.
    pub fn looks(&mut self, view: &MarketView<'_>, timeframe: Timeframe) -> Option<[Look; 2]> {
        let at = self.memory_index(view.instrument, timeframe)?;
        let smc = view.structure_of(timeframe)?;
        let bar = smc.bar_count().checked_sub(1)?;
        let memory = self.memories.get(at)?;
        let bias_id = self.bias_ids.get(view.instrument.index()).copied().unwrap_or(0);
        let before = [
            told(ConditionKind::Idle, !view.is_engaged),
            Condition {
                measure: Measure::QuietUntil(memory.quiet_until_bar),
                ..told(ConditionKind::Rested, !memory.is_quiet(bar))
            },
            asked(
                ConditionKind::Session,
                !self.params.entry_sessions.is_empty(),
                self.hours.is_open(view.instrument, view.now),
            ),
            asked(
                ConditionKind::NoExitNear,
                !self.params.exit_sessions.is_empty(),
                !self.hours.is_exit_near(view.now),
            ),
            asked(
                ConditionKind::DayLeft,
                self.params.signals_per_day_max > 0,
                self.hours.has_day_left(view.instrument, view.now),
            ),
        ];
        Some(DIRECTIONS.map(|direction| {
            let search = Search {
                params: &self.params,
                settings: self.settings,
                view,
                smc,
                memory,
                bias_id,
                timeframe,
                direction,
                bar,
            };
            let [bias, sweep, shift, zone, half, target] = search.conditions();
            let [idle, rested, session, exit, day] = before;
            let conditions = [idle, rested, session, exit, day, bias, sweep, shift, zone, half, target];
            Look { timeframe, direction, bar, conditions }
        }))
    }
}

impl Search<'_> {
    /// All conditions of [`Search::setup`], each answered whatever the others say.
    fn conditions(&self) -> [Condition; 6] {
        let sweep = self.sweep();
        let since_bar = since_bar(sweep.flatten());
        let place = self.place(since_bar, sweep.flatten());
        [
            self.bias_condition(),
            self.sweep_condition(),
            self.shift_condition(since_bar),
            self.zone_condition(since_bar, place.as_ref()),
            self.half_condition(place.as_ref()),
            self.target_condition(place.as_ref()),
        ]
    }

    fn bias_condition(&self) -> Condition {
        let told = asked(ConditionKind::Bias, self.params.require_bias, self.bias().is_some());
        let (bias, id) = self.bias_now().map_or((None, 0), |(bias, id)| (Some(bias), id));
        Condition { structure_id: id, measure: Measure::Bias(bias), ..told }
    }

    fn sweep_condition(&self) -> Condition {
        let told = asked(ConditionKind::Sweep, self.params.require_sweep, self.sweep().is_some());
        let last = self.memory.sweeps[self.direction as usize].map(|sweep| sweep.mark);
        let measure = Measure::Age {
            bars: last.map(|mark| self.bar.saturating_sub(mark.known_bar)),
            bars_max: self.params.sweep_age_bars_max,
            is_before_sweep: false,
        };
        Condition { structure_id: last.map_or(0, |mark| mark.id), measure, ..told }
    }

    fn shift_condition(&self, since_bar: u32) -> Condition {
        let is_met = self.shift(since_bar).is_some();
        let last = self.memory.shifts[self.direction as usize];
        let measure = Measure::Age {
            bars: last.map(|mark| self.bar.saturating_sub(mark.known_bar)),
            bars_max: self.params.shift_age_bars_max,
            is_before_sweep: last.is_some_and(|mark| mark.known_bar < since_bar),
        };
        let told = asked(ConditionKind::Shift, self.params.require_shift, is_met);
        Condition { structure_id: last.map_or(0, |mark| mark.id), measure, ..told }
    }

    /// Asked always: without a zone the market itself is the place.
    fn zone_condition(&self, since_bar: u32, place: Option<&Place>) -> Condition {
        let count = |since_bar| match self.params.require_zone {
            true => u32::try_from(self.zones_since(since_bar)).unwrap_or(u32::MAX),
            false => 0,
        };
        let measure = Measure::Zones {
            open: u32::try_from(self.zones_open()).unwrap_or(u32::MAX),
            timely: count(since_bar),
            place: place.map(|place| (place.entry, place.stop)),
        };
        let told = told(ConditionKind::Zone, place.is_some());
        Condition { structure_id: place.map_or(0, |place| place.zone_id), measure, ..told }
    }

    fn half_condition(&self, place: Option<&Place>) -> Condition {
        let is_asked = self.params.require_discount || self.params.require_ote;
        let Some(place) = place else { return unknown(ConditionKind::Half, is_asked) };
        let measure = Measure::Half {
            entry: place.entry,
            range: self.smc.dealing_range().map(|(top, bottom)| (bottom, top)),
            band: self.ote_band().filter(|_| self.params.require_ote),
        };
        Condition { measure, ..asked(ConditionKind::Half, is_asked, self.is_well_placed(place.entry)) }
    }

    fn target_condition(&self, place: Option<&Place>) -> Condition {
        let Some(place) = place else { return unknown(ConditionKind::Target, true) };
        let found = self.target(place);
        let pay = self.pay(place);
        let measure = Measure::Target {
            risk: Price(pay.risk),
            reward: (Price(pay.reward_min), Price(pay.reward_max)),
            levels: u32::try_from(self.liquidity().count()).unwrap_or(u32::MAX),
            target: found.map(|(price, _)| price),
        };
        let structure_id = found.map_or(0, |(_, id)| id);
        Condition { structure_id, measure, ..told(ConditionKind::Target, found.is_some()) }
    }
}

const fn told(kind: ConditionKind, is_met: bool) -> Condition {
    let standing = if is_met { Standing::Held } else { Standing::Failed };
    Condition { kind, standing, structure_id: 0, measure: Measure::Nothing }
}

/// What is not asked for never stands in the way.
const fn asked(kind: ConditionKind, is_asked: bool, is_met: bool) -> Condition {
    match is_asked {
        true => told(kind, is_met),
        false => Condition { standing: Standing::NotAsked, ..told(kind, true) },
    }
}

const fn unknown(kind: ConditionKind, is_asked: bool) -> Condition {
    let standing = if is_asked { Standing::Unknown } else { Standing::NotAsked };
    Condition { standing, ..told(kind, true) }
}
