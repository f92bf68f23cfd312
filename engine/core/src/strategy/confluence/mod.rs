//! The built-in strategy: several things must agree before it asks for a trade.
//!
//! Long shown, short is the mirror image. The bias points up; on an entry timeframe the lows were swept; then
//! structure broke upwards; a zone of that move is still open, lies in the discount half of the dealing range
//! and has room to opposing liquidity; the hour is right. Entry at the zone, stop beyond it, target at the
//! liquidity. Every condition is a field of [`ConfluenceParams`].
//!
//! A signal's reasons are ids of structures, in this order, 0 where there is none: the sweep, the shift, the
//! zone (or the swing that stands in for it), the target, the bias, the session.
//!
//! | file | idea |
//! |---|---|
//! | `memory.rs` | what happened lately: sweeps, shifts, zones that changed sides |
//! | `hours.rs` | sessions, trading days, counts, when to be flat |
//! | `search.rs` | the conditions, in the order a trader would name them |
//! | `place.rs` | the zone: entry and stop |
//! | `target.rs` | liquidity that pays |
//! | `look.rs` | all conditions with their numbers, for who asks why |
//!
//! Pure and causal: it acts on closed bars only, at the bar that makes the last condition true or while all of
//! them stay true; it leaves by the clock at any quote. Steps per entry bar are bounded by the zones and pools
//! its engine keeps.

mod hours;
mod look;
mod memory;
mod place;
mod search;
mod target;

use super::{BiasSource, ConfluenceParams, Intent, Intents, MarketView, Strategy};
use crate::calendar::Calendar;
use crate::config::{EngineConfig, ExecutionParams};
use crate::event::{Bar, Quote};
use crate::output::{Scope, Structure};
use crate::smc::{SmcEngine, SmcParams};
use crate::state::{self, State, StateError, StateIo};
use crate::words::{Direction, InstrumentId, Timeframe, TsNs};
use alloc::vec::Vec;
use hours::Hours;
pub use look::{CONDITIONS, Condition, ConditionKind, Look, Measure, Standing};
use memory::Memory;
use search::Search;

const DIRECTIONS: [Direction; 2] = [Direction::Up, Direction::Down];

/// The confluence strategy for all instruments.
pub struct Confluence {
    params: ConfluenceParams,
    settings: Settings,
    /// The timeframes on which it seeks entries, ascending.
    entry_timeframes: Vec<Timeframe>,
    /// One memory per instrument and entry timeframe, instrument-major.
    memories: Vec<Memory>,
    /// The last break on the bias timeframe, by instrument; 0 before the first.
    bias_ids: Vec<u32>,
    hours: Hours,
    /// Of all it was built from.
    fingerprint: u64,
}

/// What it knows of the engine around it.
#[derive(Clone, Copy, Hash)]
struct Settings {
    /// The highest, or the one named.
    bias_timeframe: Option<Timeframe>,
    /// Where the optimal-trade-entry band begins and ends.
    ote_ppm: (u32, u32),
    /// Older signals are not acted on, and so not counted.
    signal_age_ns_max: u64,
}

impl Confluence {
    /// For `instruments` instruments on `timeframes` (ascending), with the defaults of everything else: no
    /// sessions, days from midnight UTC.
    pub fn new(params: ConfluenceParams, instruments: usize, timeframes: &[Timeframe]) -> Self {
        let smc = SmcParams::default();
        let settings = Settings {
            bias_timeframe: params.bias_timeframe.or(timeframes.last().copied()),
            ote_ppm: (smc.ote_from_ppm, smc.ote_to_ppm),
            signal_age_ns_max: ExecutionParams::default().signal_age_ns_max,
        };
        Self::with(params, settings, instruments, timeframes, &Calendar::default())
    }

    /// With everything an engine's configuration says of it.
    pub fn for_config(config: &EngineConfig) -> Self {
        let params = config.strategy;
        let settings = Settings {
            bias_timeframe: params.bias_timeframe.or(config.timeframes.last().copied()),
            ote_ppm: (config.smc.ote_from_ppm, config.smc.ote_to_ppm),
            signal_age_ns_max: config.execution.signal_age_ns_max,
        };
        Self::with(params, settings, config.instruments.len(), &config.timeframes, &config.calendar)
    }

    fn with(
        params: ConfluenceParams,
        settings: Settings,
        instruments: usize,
        timeframes: &[Timeframe],
        calendar: &Calendar,
    ) -> Self {
        let wanted = usize::from(params.entry_timeframes).clamp(1, timeframes.len().max(1));
        let entry_timeframes: Vec<Timeframe> = timeframes.iter().copied().take(wanted).collect();
        Self {
            hours: Hours::new(&params, calendar, instruments),
            memories: alloc::vec![Memory::default(); instruments * entry_timeframes.len()],
            bias_ids: alloc::vec![0; instruments],
            fingerprint: state::fingerprint(&(&params, settings, instruments, timeframes, calendar)),
            params,
            settings,
            entry_timeframes,
        }
    }

    fn memory_index(&self, instrument: InstrumentId, timeframe: Timeframe) -> Option<usize> {
        let at = self.entry_timeframes.iter().position(|&t| t == timeframe)?;
        Some(instrument.index() * self.entry_timeframes.len() + at)
    }

    /// The bias is the last break of the swing scope on its timeframe.
    fn note_bias(&mut self, structure: &Structure) {
        let is_of_bias = structure.kind.is_break()
            && structure.scope == Scope::Swing
            && Some(structure.timeframe) == self.settings.bias_timeframe
            && self.params.bias_source == BiasSource::Structure;
        if is_of_bias && let Some(id) = self.bias_ids.get_mut(structure.instrument.index()) {
            *id = structure.id;
        }
    }

    /// A sweep speaks for its own timeframe and, where that is accepted, for every entry timeframe below it.
    fn note_sweep(&mut self, view: &MarketView<'_>, structure: &Structure) {
        if !memory::is_sweep(structure, &self.params) {
            return;
        }
        let swept = view.structure_of(structure.timeframe).and_then(SmcEngine::last_bar);
        let Some(bar) = swept else { return };
        let closed_at = TsNs(bar.open_ts.0.saturating_add(structure.timeframe.nanos()));
        if self.params.require_sweep_in_session && !self.hours.is_entry_time(closed_at) {
            return;
        }
        let first = view.instrument.index() * self.entry_timeframes.len();
        for (at, &timeframe) in self.entry_timeframes.iter().enumerate() {
            let is_from_above = self.params.accept_higher_sweeps && timeframe < structure.timeframe;
            let known = view.structure_of(timeframe).and_then(|smc| smc.bar_count().checked_sub(1));
            let (Some(known_bar), Some(memory)) = (known, self.memories.get_mut(first + at)) else {
                continue;
            };
            if timeframe == structure.timeframe || is_from_above {
                memory.note_sweep(structure, known_bar, bar);
            }
        }
    }

    fn leave_by_the_clock(&mut self, view: &MarketView<'_>, intents: &mut Intents) {
        if self.hours.must_leave(view.instrument, view.now) && view.is_engaged {
            intents.push(Intent::Exit);
        }
    }
}

impl Strategy for Confluence {
    fn on_structure(&mut self, view: &MarketView<'_>, structure: &Structure, intents: &mut Intents) {
        let params = self.params;
        self.note_bias(structure);
        self.note_sweep(view, structure);
        let Some(at) = self.memory_index(view.instrument, structure.timeframe) else { return };
        let Some(memory) = self.memories.get_mut(at) else { return };
        memory.note(structure, &params);
        let is_against = match structure.direction {
            Direction::Up => view.position.0 < 0,
            Direction::Down => view.position.0 > 0,
        };
        let is_turn = structure.kind.is_turn() && params.shift_scope.has(structure.scope);
        if params.exit_on_opposite_choch && is_turn && is_against {
            intents.push(Intent::Exit);
        }
    }

    fn on_bar(&mut self, view: &MarketView<'_>, timeframe: Timeframe, bar: &Bar, intents: &mut Intents) {
        self.leave_by_the_clock(view, intents);
        let Some(at) = self.memory_index(view.instrument, timeframe) else { return };
        let Some(smc) = view.structure_of(timeframe) else { return };
        let Some(bar_index) = smc.bar_count().checked_sub(1) else { return };
        let Some(memory) = self.memories.get_mut(at) else { return };
        if view.is_engaged || memory.is_quiet(bar_index) {
            return;
        }
        if !self.hours.may_enter(view.instrument, view.now) {
            return;
        }
        let bias_id = self.bias_ids.get(view.instrument.index()).copied().unwrap_or(0);
        let found = DIRECTIONS.iter().find_map(|&direction| {
            let search = Search {
                params: &self.params,
                settings: self.settings,
                view,
                smc,
                memory,
                bias_id,
                timeframe,
                direction,
                bar: bar_index,
            };
            Some((direction, search.setup()?))
        });
        if let Some((direction, intent)) = found {
            memory.quiet_until_bar = bar_index.saturating_add(self.params.cooldown_bars).saturating_add(1);
            memory.spend(direction);
            let closed_at = TsNs(bar.open_ts.0.saturating_add(timeframe.nanos()));
            // A bar of the past makes no trade, so it uses nothing up.
            if view.now.since(closed_at) <= self.settings.signal_age_ns_max {
                self.hours.count(view.instrument, view.now);
            }
            intents.push(intent);
        }
    }

    #[inline]
    fn on_quote(&mut self, view: &MarketView<'_>, _quote: &Quote, intents: &mut Intents) {
        self.leave_by_the_clock(view, intents);
    }
}

impl State for Confluence {
    fn state(&mut self, io: &mut StateIo<'_>) -> Result<(), StateError> {
        let Self { params: _, settings: _, entry_timeframes: _, memories, bias_ids, hours, fingerprint: _ } =
            self;
        memories.iter_mut().try_for_each(|memory| memory.state(io))?;
        bias_ids.iter_mut().try_for_each(|id| io.number(id))?;
        hours.state(io)
    }

    fn settings(&self) -> u64 {
        self.fingerprint
    }
}
