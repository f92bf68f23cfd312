//! Smart Money Concepts on the closed bars of one instrument and timeframe, one bar at a time.
//!
//! Pure and deterministic; runs on the engine thread once per closed bar, allocates only in
//! [`SmcEngine::new`]. Never looks ahead: what is said at bar `k` depends on the bars up to `k` alone, and
//! nothing said is ever taken back. Each concept has its file, and each event kind is defined there:
//!
//! | file | events | scopes |
//! |---|---|---|
//! | `pivots.rs` | `PivotConfirmed` | both |
//! | `swings.rs` | `SwingStarted`, `SwingExtended`, `SwingLocked` | both |
//! | `structure.rs` | `Bos`, `Choch`, `Mss` | both |
//! | `patterns.rs` | `PatternConfirmed`, `PatternBroken`, `PatternSuperseded` | swing |
//! | `order_blocks.rs` | `ObCreated`, `ObTested`, `ObBroken`, `BreakerInvalidated` | both |
//! | `fair_value_gaps.rs` | `FvgCreated`, `FvgJoined`, `FvgMitigated`, `FvgInverted`, `IfvgInvalidated` | |
//! | `liquidity.rs` | `PoolFormed`, `PoolExtended`, `PoolSwept`, `PoolRun`, `LevelSwept` | swing pivots |
//! | `periods.rs` | `PeriodRolled`, `PeriodLevelBroken`, `LevelSwept` | |
//! | `sessions.rs` | `SessionOpened`, `SessionClosed`, `LevelSwept` | |
//! | `range.rs` | `RangeChanged`, `ZoneChanged` | swing |
//! | `retracement.rs` | `OteEntered`, `OteLeft`, `RetracementReached` | swing |
//! | `zones.rs`, `liquidity.rs`, `patterns.rs` | `Expired` | its object's |
//! | here | `InputRejected` |
//!
//! In every event `bar` is the bar of the object it talks about (a pivot's own bar, the block bar, a gap's
//! middle bar, a pool's seed), `known_bar` the bar at whose close it happened.
//!
//! * `InputRejected {id 0, bar = known_bar = the index the bar would have had, top = high, bottom = low,
//!   extra = [`BarFault`] as a number}`: the bar is malformed; nothing changed.
//!
//! The order inside one bar is fixed, and in each step the swing scope comes before the internal one:
//!
//! 0. the calendar: periods that roll, sessions that close, sessions that open;
//! 1. gaps: the new one said, then the life of the older;
//! 2. life of the order blocks;
//! 3. breaks: up with its block, then down; after both scopes the breaks of patterns;
//! 4. pools swept (highs, then lows), then levels swept (highs, then lows), then levels of periods and
//!    sessions;
//! 5. the pivot that is now known: its swing, its break level; of the swing scope's pivot also the pattern
//!    and pools; then range, zone, band and retracement.

mod atr;
mod fair_value_gaps;
mod ladder;
mod levels;
mod liquidity;
mod order_blocks;
mod params;
mod patterns;
mod periods;
mod pivots;
mod range;
mod retracement;
mod scope;
mod sessions;
mod shelf;
mod sliding_max;
mod snapshot;
mod structure;
mod swings;
mod view;
mod zones;

pub use levels::LevelSweep;
pub use liquidity::{Pool, Sweep};
pub use params::{
    BlockBar, BlockZone, CAP_MAX, FvgMiddle, FvgMitigation, InternalParams, ObMitigation, PERIOD_MINUTES_MAX,
    PIVOT_SPAN_MAX, ParamsError, Periods, PivotProfile, RANGE_BARS_MAX, RETRACEMENT_LEVELS_MAX, RangeBands,
    SmcParams, Tolerance, VolatilityFilter,
};
pub use patterns::PATTERNS_MAX;
pub use periods::{PeriodKind, PreviousPeriod};
pub use range::RangeHalf;
pub use retracement::Retracement;
pub use sessions::Session;
pub use structure::Strength;
pub use swings::{Swing, SwingLabel};
pub use zones::{Zone, ZoneState};

use alloc::boxed::Box;

use crate::calendar::Calendar;
use crate::event::Bar;
use crate::output::{Scope, Structure, StructureKind};
use crate::words::{Direction, InstrumentId, Price, Timeframe};
use atr::Atr;
use fair_value_gaps::Gaps;
use levels::CalendarLevels;
use liquidity::Liquidity;
use patterns::Patterns;
use range::DealingRange;
use retracement::Retracements;
use scope::ScopeStructure;
use sliding_max::SlidingMax;
use view::{Candle, History, Say, Sides};
use zones::ZoneBook;

/// Prices beyond this either way are refused, so that sums and differences of two always fit.
pub const PRICE_MAX: Price = Price(1 << 61);

/// Gives out object ids, from 1. One for all engines whose events share a stream.
#[derive(Clone, Debug)]
pub struct IdSource {
    next: u32,
}

impl Default for IdSource {
    fn default() -> Self {
        Self::new()
    }
}

impl IdSource {
    /// Starts at 1.
    pub const fn new() -> Self {
        Self { next: 1 }
    }

    /// The next id. The last one, after four billion, repeats.
    pub const fn take(&mut self) -> u32 {
        let id = self.next;
        self.next = self.next.saturating_add(1);
        id
    }

    /// The id that the next object will have.
    pub const fn peek(&self) -> u32 {
        self.next
    }
}

/// Why a bar was refused; the numbers are the event's `extra`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum BarFault {
    /// It does not start after the bar before it.
    Time = 1,
    /// High under low, or open or close outside them.
    Shape = 2,
    /// A price beyond [`PRICE_MAX`].
    Price = 3,
    /// Negative volume.
    Volume = 4,
    /// Bar indices are used up.
    Index = 5,
}

/// Market structure of one instrument and timeframe.
pub struct SmcEngine {
    instrument: InstrumentId,
    timeframe: Timeframe,
    /// Of all it was built from; see `snapshot.rs`.
    fingerprint: u64,
    filter: VolatilityFilter,
    /// Bars taken so far; the index of the next one.
    count: u32,
    last_bar: Option<Bar>,
    /// Sum of true ranges since the first bar; 0 when no filter asks for it.
    range_sum: i128,
    atr: Atr,
    /// None when neither a tolerance nor a filter asks for it.
    slow_atr: Option<Atr>,
    /// None when no tolerance asks for it.
    recent_range: Option<SlidingMax>,
    history: History,
    swing: ScopeStructure,
    internal: Option<Box<ScopeStructure>>,
    /// None when patterns are not said.
    patterns: Option<Patterns>,
    /// None when gaps are not kept.
    gaps: Option<Gaps>,
    /// None when pools and levels are not kept.
    liquidity: Option<Sides<Liquidity>>,
    range: DealingRange,
    retracements: Retracements,
    levels: CalendarLevels,
}

impl SmcEngine {
    /// An engine that has seen nothing. Settings out of range are brought to the nearest that is not;
    /// [`SmcParams::validate`] names them beforehand.
    pub fn new(instrument: InstrumentId, timeframe: Timeframe, params: &SmcParams) -> Self {
        Self::with_calendar(instrument, timeframe, params, &Calendar::default())
    }

    /// The same with sessions and a trading day of one's own.
    pub fn with_calendar(
        instrument: InstrumentId,
        timeframe: Timeframe,
        params: &SmcParams,
        calendar: &Calendar,
    ) -> Self {
        let params = params.clamped();
        // The pivot and the bars after it; three bars of a gap and of a block's volume.
        let inner_right = params.internal.map_or(0, |inner| inner.pivot_right);
        let bars = u32::from(params.pivot_right.max(inner_right)) + 1;
        Self {
            instrument,
            timeframe,
            fingerprint: snapshot::fingerprint(instrument, timeframe, &params, calendar),
            filter: if params.order_blocks { params.ob_filter } else { VolatilityFilter::Off },
            count: 0,
            last_bar: None,
            range_sum: 0,
            atr: Atr::new(params.atr_len),
            slow_atr: params.needs_slow_atr().then(|| Atr::new(params.vol_len)),
            recent_range: match params.pool_tolerance {
                Tolerance::RangePct { bars, .. } if params.liquidity => {
                    Some(SlidingMax::new(bars.into(), false))
                }
                _ => None,
            },
            history: History::new(bars.max(3)),
            swing: ScopeStructure::swing(&params),
            internal: params.internal.map(|inner| Box::new(ScopeStructure::internal(&params, &inner))),
            patterns: params.patterns.then(|| Patterns::new(&params)),
            gaps: params.gaps.then(|| Gaps::new(&params)),
            liquidity: params.liquidity.then(|| Sides::new(|direction| Liquidity::new(direction, &params))),
            range: DealingRange::new(&params),
            retracements: Retracements::new(&params),
            levels: CalendarLevels::new(&params, calendar),
        }
    }

    /// Takes one closed bar and says what it made known, in the fixed order of the module's doc.
    pub fn on_bar(&mut self, bar: &Bar, ids: &mut IdSource, emit: &mut impl FnMut(Structure)) {
        if let Err(fault) = self.check(bar) {
            emit(self.rejected(bar, fault));
            return;
        }
        let k = self.count;
        let candle = self.measure(bar);
        self.history.push(k, candle);
        let seen = Sides::new(|direction| candle.seen_from(direction));
        let mut say = Say {
            instrument: self.instrument,
            timeframe: self.timeframe,
            known: k,
            scope: Scope::Swing,
            ids,
            emit,
        };

        self.levels.open(bar.open_ts, &seen.up, &mut say);
        if let Some(gaps) = &mut self.gaps {
            gaps.on_bar(&seen, &self.history, &self.atr, &mut say);
        }
        self.live_and_break(&seen, &mut say);
        self.take_liquidity(&seen, &mut say);
        self.levels.take(&seen, &mut say);
        self.range.on_bar(k, &seen);
        self.confirm(&seen, &mut say);
        say.scope = Scope::Swing;
        self.range.tell(&seen.up, &mut say);
        self.retracements.tell(&seen, &mut say);

        self.last_bar = Some(*bar);
        self.count = k + 1;
    }

    /// Which instrument.
    pub const fn instrument(&self) -> InstrumentId {
        self.instrument
    }

    /// Which timeframe.
    pub const fn timeframe(&self) -> Timeframe {
        self.timeframe
    }

    /// Bars taken so far; the last one has the index one less.
    pub const fn bar_count(&self) -> u32 {
        self.count
    }

    /// The last bar taken.
    pub const fn last_bar(&self) -> Option<&Bar> {
        self.last_bar.as_ref()
    }

    /// Direction of the last structure break of the swing scope.
    pub const fn bias(&self) -> Option<Direction> {
        self.swing.breaks.bias()
    }

    /// Direction of the last structure break of a scope; none from a scope that is not kept.
    pub fn bias_of(&self, scope: Scope) -> Option<Direction> {
        self.scope(scope)?.breaks.bias()
    }

    /// Average true range over `atr_len` bars; 0 before the first.
    pub fn atr(&self) -> Price {
        Price(self.atr.value())
    }

    /// Living order blocks of the swing scope of both sides, bullish first, each oldest first; breakers
    /// included ([`Zone::is_flipped`], [`Zone::role`]).
    pub fn order_blocks(&self) -> impl Iterator<Item = &Zone> {
        self.swing.order_blocks()
    }

    /// The same of a scope.
    pub fn order_blocks_of(&self, scope: Scope) -> impl Iterator<Item = &Zone> {
        self.scope(scope).into_iter().flat_map(ScopeStructure::order_blocks)
    }

    /// Open gaps, that is, not yet mitigated, of both sides, bullish first, each oldest first.
    pub fn fair_value_gaps(&self) -> impl Iterator<Item = &Zone> {
        self.watched_gaps().filter(|zone| zone.state == ZoneState::Fresh)
    }

    /// All gaps still watched: open, mitigated and inverted ones.
    pub fn watched_gaps(&self) -> impl Iterator<Item = &Zone> {
        self.gaps.iter().flat_map(|gaps| gaps.books.up.iter().chain(gaps.books.down.iter()))
    }

    /// Order blocks of a scope that were born in `direction`, newest first; breakers included.
    pub fn newest_order_blocks(&self, scope: Scope, direction: Direction) -> impl Iterator<Item = &Zone> {
        self.blocks(scope, direction).into_iter().flat_map(ZoneBook::newest)
    }

    /// Breakers of a scope that now speak for `role`, by level.
    pub fn breakers(&self, scope: Scope, role: Direction) -> impl Iterator<Item = &Zone> {
        self.blocks(scope, role.opposite()).into_iter().flat_map(ZoneBook::flipped)
    }

    /// Gaps born in `direction` that are still watched, newest first.
    pub fn newest_gaps(&self, direction: Direction) -> impl Iterator<Item = &Zone> {
        self.gaps.iter().flat_map(move |gaps| gaps.books.of(direction).newest())
    }

    /// Inverted gaps that now speak for `role`, by level.
    pub fn inverted_gaps(&self, role: Direction) -> impl Iterator<Item = &Zone> {
        self.gaps.iter().flat_map(move |gaps| gaps.books.of(role.opposite()).flipped())
    }

    fn blocks(&self, scope: Scope, direction: Direction) -> Option<&ZoneBook> {
        Some(self.scope(scope)?.blocks.as_ref()?.books.of(direction))
    }

    /// The untested order block of the swing scope that price meets next on its way against `direction`: the
    /// highest bullish or the lowest bearish one.
    pub fn nearest_order_block(&self, direction: Direction) -> Option<&Zone> {
        self.nearest_order_block_of(Scope::Swing, direction)
    }

    /// The same of a scope.
    pub fn nearest_order_block_of(&self, scope: Scope, direction: Direction) -> Option<&Zone> {
        self.blocks(scope, direction)?.nearest_fresh()
    }

    /// The open gap that price meets next on its way against `direction`.
    pub fn nearest_fair_value_gap(&self, direction: Direction) -> Option<&Zone> {
        self.gaps.as_ref()?.books.of(direction).nearest_fresh()
    }

    /// Unswept pools of two members or more, those at the highs first, each oldest first.
    pub fn pools(&self) -> impl Iterator<Item = &Pool> {
        self.liquidity.iter().flat_map(|sides| sides.up.pools().chain(sides.down.pools()))
    }

    /// The last sweep of highs (`Up`) or lows (`Down`), of a pool or a single level.
    pub fn last_sweep(&self, direction: Direction) -> Option<&Sweep> {
        self.liquidity.as_ref()?.of(direction).last_sweep()
    }

    /// The last locked swing high (`Up`) or low of the swing scope.
    pub fn last_swing(&self, direction: Direction) -> Option<Swing> {
        self.swing.swings.locked(direction)
    }

    /// The same of a scope.
    pub fn last_swing_of(&self, scope: Scope, direction: Direction) -> Option<Swing> {
        self.scope(scope)?.swings.locked(direction)
    }

    /// The provisional swing of the swing scope, which the next pivots may still extend.
    pub fn current_swing(&self) -> Option<Swing> {
        self.swing.swings.current()
    }

    /// The same of a scope.
    pub fn current_swing_of(&self, scope: Scope) -> Option<Swing> {
        self.scope(scope)?.swings.current()
    }

    /// Are a scope's swing highs (`Up`) or lows expected to hold? None before the first of that side.
    pub fn strength(&self, scope: Scope, direction: Direction) -> Option<Strength> {
        self.scope(scope)?.strength(direction)
    }

    /// Bar and price of the pivot whose break would be the next structure break of that side, in the swing
    /// scope.
    pub fn break_level(&self, direction: Direction) -> Option<(u32, Price)> {
        self.break_level_of(Scope::Swing, direction)
    }

    /// The same of a scope.
    pub fn break_level_of(&self, scope: Scope, direction: Direction) -> Option<(u32, Price)> {
        let pivot = self.scope(scope)?.breaks.level(direction)?;
        Some((pivot.bar, Price(view::seen_from(direction, pivot.price))))
    }

    /// Top and bottom of the dealing range, once both sides have had a swing.
    pub fn dealing_range(&self) -> Option<(Price, Price)> {
        self.range.edges()
    }

    /// Where `price` is in the dealing range, in ppm of its height: 0 at the bottom, 1 000 000 at the top.
    pub fn range_position_ppm(&self, price: Price) -> Option<i64> {
        self.range.position_ppm(price)
    }

    /// Premium or discount.
    pub fn range_half(&self, price: Price) -> Option<RangeHalf> {
        self.range.half(price)
    }

    /// How much of the last leg price has taken back; none before two swings, while the leg has no height, or
    /// without `range_events`.
    pub fn retracement(&self) -> Option<Retracement> {
        self.retracements.now()
    }

    /// High and low of the day, week, month or bucket before the running one.
    pub fn previous_period(&self, kind: PeriodKind) -> Option<PreviousPeriod> {
        self.levels.periods.previous(kind)
    }

    /// The open session of the calendar's window `index`, or else the last one that closed.
    pub fn session(&self, index: usize) -> Option<&Session> {
        self.levels.sessions.running(index).or(self.last_session(index))
    }

    /// The last bar was in the calendar's window `index`.
    pub fn is_in_session(&self, index: usize) -> bool {
        self.levels.sessions.running(index).is_some()
    }

    /// The last session of the calendar's window `index` that closed.
    pub fn last_session(&self, index: usize) -> Option<&Session> {
        self.levels.sessions.last(index)
    }

    /// The high (`Up`) or low of the last session of the window `index` that closed, and the session's id, while
    /// no bar has gone beyond it.
    pub fn untaken_session_level(&self, index: usize, direction: Direction) -> Option<(Price, u32)> {
        self.levels.sessions.untaken(index, direction)
    }

    /// The last sweep of a high (`Up`) or low of a previous period or a closed session.
    pub const fn last_level_sweep(&self, direction: Direction) -> Option<LevelSweep> {
        self.levels.last_sweep(direction)
    }

    fn check(&self, bar: &Bar) -> Result<(), BarFault> {
        if self.last_bar.as_ref().is_some_and(|last| bar.open_ts <= last.open_ts) {
            return Err(BarFault::Time);
        }
        if let Some(fault) = fault_of(bar) {
            return Err(fault);
        }
        if self.count == u32::MAX {
            return Err(BarFault::Index);
        }
        Ok(())
    }

    #[cold]
    fn rejected(&self, bar: &Bar, fault: BarFault) -> Structure {
        Structure {
            instrument: self.instrument,
            timeframe: self.timeframe,
            kind: StructureKind::InputRejected,
            direction: Direction::Up,
            id: 0,
            cause_id: 0,
            bar: self.count,
            known_bar: self.count,
            top: bar.high,
            bottom: bar.low,
            extra: fault as i64,
            value: 0,
            scope: Scope::Swing,
        }
    }

    fn scope(&self, scope: Scope) -> Option<&ScopeStructure> {
        match scope {
            Scope::Swing => Some(&self.swing),
            Scope::Internal => self.internal.as_deref(),
        }
    }

    /// Takes the bar's range into the averages that somebody asks for.
    fn measure(&mut self, bar: &Bar) -> Candle {
        let (high, low, close) = (bar.high.0, bar.low.0, bar.close.0);
        let true_range = self.atr.on_bar(high, low, close);
        if let Some(slow_atr) = &mut self.slow_atr {
            slow_atr.on_bar(high, low, close);
        }
        let is_wild = match (self.filter, &self.slow_atr) {
            (VolatilityFilter::Atr, Some(slow_atr)) => {
                i128::from(high - low) >= 2 * i128::from(slow_atr.value())
            }
            (VolatilityFilter::MeanTrueRange, _) => {
                self.range_sum += i128::from(true_range);
                i128::from(high - low) * i128::from(self.count.max(1)) >= 2 * self.range_sum
            }
            _ => false,
        };
        Candle::new(bar, is_wild)
    }

    fn live_and_break<F: FnMut(Structure)>(&mut self, seen: &Sides<Candle>, say: &mut Say<'_, F>) {
        self.swing.live(seen, say);
        if let Some(internal) = &mut self.internal {
            internal.live(seen, say);
        }
        self.swing.test_breaks(seen, &Sides::default(), &self.history, &self.atr, say);
        if let Some(internal) = &mut self.internal {
            // Handed over always; a scope that ignores none does not look.
            let ignored = self.swing.breaks.newest();
            internal.test_breaks(seen, &ignored, &self.history, &self.atr, say);
        }
        say.scope = Scope::Swing;
        if let Some(patterns) = &mut self.patterns {
            patterns.on_bar(seen, say);
        }
    }

    fn take_liquidity<F: FnMut(Structure)>(&mut self, seen: &Sides<Candle>, say: &mut Say<'_, F>) {
        let Some(sides) = &mut self.liquidity else { return };
        if let Some(recent_range) = &mut self.recent_range {
            recent_range.push(seen);
        }
        sides.up.sweep_pools(&seen.up, say);
        sides.down.sweep_pools(&seen.down, say);
        sides.up.sweep_levels(&seen.up, say);
        sides.down.sweep_levels(&seen.down, say);
    }

    fn confirm<F: FnMut(Structure)>(&mut self, seen: &Sides<Candle>, say: &mut Say<'_, F>) {
        if let Some(confirmed) = self.swing.confirm(seen, &self.history, say) {
            let scope::Confirmed { direction, pivot, is_swing } = confirmed;
            if let Some(patterns) = &mut self.patterns
                && let Some(swing) = self.swing.swings.current().filter(|_| is_swing)
            {
                patterns.on_swing(&swing, say);
            }
            if let Some(sides) = &mut self.liquidity {
                let yardstick = match (&self.recent_range, &self.slow_atr) {
                    (Some(recent_range), _) => recent_range.height(),
                    (None, Some(slow_atr)) => slow_atr.value(),
                    (None, None) => 0,
                };
                sides.of_mut(direction).on_pivot(&pivot, yardstick, say);
            }
            if let Some(swing) = self.swing.swings.current().filter(|_| is_swing) {
                self.range.on_swing(&swing);
                let opposite = self.swing.swings.locked(direction.opposite());
                self.retracements.on_swing(&swing, opposite.as_ref());
            }
        }
        if let Some(internal) = &mut self.internal {
            internal.confirm(seen, &self.history, say);
        }
    }
}

/// What is wrong with a bar by itself.
fn fault_of(bar: &Bar) -> Option<BarFault> {
    let Bar { open, high, low, close, volume, .. } = *bar;
    if high < low || open < low || high < open || close < low || high < close {
        return Some(BarFault::Shape);
    }
    if PRICE_MAX < high || low < Price(-PRICE_MAX.0) {
        return Some(BarFault::Price);
    }
    (volume.0 < 0).then_some(BarFault::Volume)
}
