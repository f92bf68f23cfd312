//! Smart Money Concepts on the closed bars of one instrument and timeframe, one bar at a time.
//!
//! Pure and deterministic; runs on the engine thread once per closed bar, allocates only in
//! [`SmcEngine::new`]. Never looks ahead: what is said at bar `k` depends on the bars up to `k` alone, and
//! nothing said is ever taken back. Each concept has its file, and each event kind is defined there:
//!
//! | file | events |
//! |---|---|
//! | `pivots.rs` | `PivotConfirmed` |
//! | `swings.rs` | `SwingStarted`, `SwingExtended`, `SwingLocked` |
//! | `structure.rs` | `Bos`, `Choch` |
//! | `order_blocks.rs` | `ObCreated`, `ObTested`, `ObBroken`, `BreakerInvalidated` |
//! | `fair_value_gaps.rs` | `FvgCreated`, `FvgMitigated`, `FvgInverted`, `IfvgInvalidated` |
//! | `liquidity.rs` | `PoolFormed`, `PoolExtended`, `PoolSwept`, `PoolRun`, `LevelSwept` |
//! | `periods.rs` | `PeriodRolled`, `PeriodLevelBroken`, `LevelSwept` |
//! | `sessions.rs` | `SessionOpened`, `SessionClosed`, `LevelSwept` |
//! | `range.rs` | `RangeChanged`, `ZoneChanged` |
//! | `retracement.rs` | `OteEntered`, `OteLeft`, `RetracementReached` |
//! | `zones.rs`, `liquidity.rs` | `Expired` |
//! | here | `InputRejected` |
//!
//! In every event `bar` is the bar of the object it talks about (a pivot's own bar, the block bar, a gap's
//! middle bar, a pool's seed), `known_bar` the bar at whose close it happened.
//!
//! * `InputRejected {id 0, bar = known_bar = the index the bar would have had, top = high, bottom = low,
//!   extra = [`BarFault`] as a number}`: the bar is malformed; nothing changed.
//!
//! The order inside one bar is fixed: periods that roll, sessions that close, sessions that open; gaps (new one
//! said, then the life of the older), life of the order blocks, breaks (up with its block, then down), pools
//! swept (highs, then lows), levels swept (highs, then lows), levels of periods and sessions; then the pivot
//! that is now known: swings, levels, pools; then range, zone, band and retracement.

mod atr;
mod fair_value_gaps;
mod ladder;
mod levels;
mod liquidity;
mod order_blocks;
mod params;
mod periods;
mod pivots;
mod range;
mod retracement;
mod sessions;
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
pub use periods::{PeriodKind, PreviousPeriod};
pub use range::RangeHalf;
pub use retracement::Retracement;
pub use sessions::Session;
pub use swings::{Swing, SwingLabel};
pub use zones::{Zone, ZoneState};

use crate::calendar::Calendar;
use crate::event::Bar;
use crate::output::{Scope, Structure, StructureKind};
use crate::words::{Direction, InstrumentId, Price, Timeframe};
use atr::Atr;
use fair_value_gaps::Gaps;
use levels::CalendarLevels;
use liquidity::Liquidity;
use order_blocks::Blocks;
use pivots::{Pivot, Pivots};
use range::DealingRange;
use retracement::Retracements;
use structure::Breaks;
use swings::Swings;
use view::{Candle, History, Say, Sides};

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
    filter: VolatilityFilter,
    /// Bars taken so far; the index of the next one.
    count: u32,
    last_bar: Option<Bar>,
    /// Sum of true ranges since the first bar.
    range_sum: i128,
    atr: Atr,
    slow_atr: Atr,
    history: History,
    gaps: Gaps,
    blocks: Blocks,
    breaks: Breaks,
    liquidity: Sides<Liquidity>,
    pivots: Pivots,
    swings: Swings,
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
        Self {
            instrument,
            timeframe,
            filter: params.ob_filter,
            count: 0,
            last_bar: None,
            range_sum: 0,
            atr: Atr::new(params.atr_len),
            slow_atr: Atr::new(params.vol_len),
            // The pivot and the bars after it; three bars of a gap.
            history: History::new((u32::from(params.pivot_right) + 1).max(3)),
            gaps: Gaps::new(&params),
            blocks: Blocks::new(&params),
            breaks: Breaks::new(&params),
            liquidity: Sides::new(|direction| Liquidity::new(direction, &params)),
            pivots: Pivots::new(&params),
            swings: Swings::default(),
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
        self.gaps.on_bar(&seen, &self.history, &self.atr, &mut say);
        self.blocks.on_bar(&seen, &mut say);
        self.test_breaks(&seen, &mut say);
        self.liquidity.up.sweep_pools(&seen.up, &mut say);
        self.liquidity.down.sweep_pools(&seen.down, &mut say);
        self.liquidity.up.sweep_levels(&seen.up, &mut say);
        self.liquidity.down.sweep_levels(&seen.down, &mut say);
        self.levels.take(&seen, &mut say);
        self.range.on_bar(k, &seen);
        if let Some((direction, bar, price)) = self.pivots.on_bar(k, &seen, &self.history) {
            let pivot = Pivot { id: say.new_id(), bar, price };
            self.confirm(direction, &pivot, &mut say);
        }
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

    /// Direction of the last structure break.
    pub const fn bias(&self) -> Option<Direction> {
        self.breaks.bias()
    }

    /// Average true range over `atr_len` bars; 0 before the first.
    pub fn atr(&self) -> Price {
        Price(self.atr.value())
    }

    /// Living order blocks of both sides, bullish first, each oldest first; breakers included
    /// ([`Zone::is_flipped`], [`Zone::role`]).
    pub fn order_blocks(&self) -> impl Iterator<Item = &Zone> {
        self.blocks.books.up.iter().chain(self.blocks.books.down.iter())
    }

    /// Open gaps, that is, not yet mitigated, of both sides, bullish first, each oldest first.
    pub fn fair_value_gaps(&self) -> impl Iterator<Item = &Zone> {
        self.watched_gaps().filter(|zone| zone.state == ZoneState::Fresh)
    }

    /// All gaps still watched: open, mitigated and inverted ones.
    pub fn watched_gaps(&self) -> impl Iterator<Item = &Zone> {
        self.gaps.books.up.iter().chain(self.gaps.books.down.iter())
    }

    /// The untested order block that price meets next on its way against `direction`: the highest bullish or
    /// the lowest bearish one.
    pub fn nearest_order_block(&self, direction: Direction) -> Option<&Zone> {
        self.blocks.books.of(direction).nearest_fresh()
    }

    /// The open gap that price meets next on its way against `direction`.
    pub fn nearest_fair_value_gap(&self, direction: Direction) -> Option<&Zone> {
        self.gaps.books.of(direction).nearest_fresh()
    }

    /// Unswept pools of two members or more, those at the highs first, each oldest first.
    pub fn pools(&self) -> impl Iterator<Item = &Pool> {
        self.liquidity.up.pools().chain(self.liquidity.down.pools())
    }

    /// The last sweep of highs (`Up`) or lows (`Down`), of a pool or a single level.
    pub const fn last_sweep(&self, direction: Direction) -> Option<&Sweep> {
        self.liquidity.of(direction).last_sweep()
    }

    /// The last locked swing high (`Up`) or low.
    pub fn last_swing(&self, direction: Direction) -> Option<Swing> {
        self.swings.locked(direction)
    }

    /// The provisional swing, which the next pivots may still extend.
    pub fn current_swing(&self) -> Option<Swing> {
        self.swings.current()
    }

    /// Bar and price of the pivot whose break would be the next structure break of that side.
    pub fn break_level(&self, direction: Direction) -> Option<(u32, Price)> {
        let pivot = self.breaks.level(direction)?;
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

    /// How much of the last leg price has taken back; none before two swings, or while the leg has no height.
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

    /// The last sweep of a high (`Up`) or low of a previous period or a closed session.
    pub const fn last_level_sweep(&self, direction: Direction) -> Option<LevelSweep> {
        self.levels.last_sweep(direction)
    }

    fn check(&self, bar: &Bar) -> Result<(), BarFault> {
        let Bar { open_ts, open, high, low, close, volume, .. } = *bar;
        if self.last_bar.is_some_and(|last| open_ts <= last.open_ts) {
            return Err(BarFault::Time);
        }
        if high < low || open < low || high < open || close < low || high < close {
            return Err(BarFault::Shape);
        }
        if PRICE_MAX < high || low < Price(-PRICE_MAX.0) {
            return Err(BarFault::Price);
        }
        if volume.0 < 0 {
            return Err(BarFault::Volume);
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

    /// Takes the bar's range into the averages.
    fn measure(&mut self, bar: &Bar) -> Candle {
        let (high, low, close) = (bar.high.0, bar.low.0, bar.close.0);
        let true_range = self.atr.on_bar(high, low, close);
        self.slow_atr.on_bar(high, low, close);
        self.range_sum += i128::from(true_range);
        let height = i128::from(high - low);
        let is_wild = match self.filter {
            VolatilityFilter::Off => false,
            VolatilityFilter::Atr => height >= 2 * i128::from(self.slow_atr.value()),
            VolatilityFilter::MeanTrueRange => height * i128::from(self.count.max(1)) >= 2 * self.range_sum,
        };
        Candle::new(bar, is_wild)
    }

    fn test_breaks<F: FnMut(Structure)>(&mut self, seen: &Sides<Candle>, say: &mut Say<'_, F>) {
        let bar_before = say.known.saturating_sub(1);
        for direction in [Direction::Up, Direction::Down] {
            let before = || self.history.at(bar_before, direction);
            let broken = self.breaks.on_bar(direction, seen.of(direction), before, &self.atr, say);
            if let Some(broken) = broken {
                self.blocks.on_break(direction, broken.id, &self.history, say);
            }
        }
        self.blocks.offer(say.known, seen);
    }

    fn confirm<F: FnMut(Structure)>(&mut self, direction: Direction, pivot: &Pivot, say: &mut Say<'_, F>) {
        let Pivot { id, bar, price } = *pivot;
        let kind = StructureKind::PivotConfirmed;
        say.fact(
            direction,
            view::Fact { kind, id, cause_id: 0, bar, top: price, bottom: price, extra: 0, value: 0 },
        );
        let is_swing = self.swings.on_pivot(direction, pivot, say);
        self.breaks.on_pivot(direction, pivot);
        self.blocks.on_pivot(direction, bar, say.known, &self.history);
        self.liquidity.of_mut(direction).on_pivot(pivot, &self.slow_atr, say);
        if let Some(swing) = self.swings.current().filter(|_| is_swing) {
            self.range.on_swing(&swing);
            self.retracements.on_swing(&swing, self.swings.locked(direction.opposite()).as_ref());
        }
    }
}
