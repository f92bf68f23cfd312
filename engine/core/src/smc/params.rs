//! The settings of market structure: plain values, checked once, the same for the life of an engine.

use core::fmt;

use crate::words::Price;

/// How structure is read on one instrument and timeframe.
///
/// Where a field says "public definition", the default follows the widely used open batch package, so that
/// its tables can be compared; the other choices are those of other well-known scripts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct SmcParams {
    /// Which pivot rule.
    pub pivot_profile: PivotProfile,
    /// Bars before a pivot that it must not lie under ([`PivotProfile::Window`] only).
    pub pivot_left: u16,
    /// Bars after a pivot that it must not lie under, and so the bars until it is known. At least 1.
    pub pivot_right: u16,
    /// First bar index that may be a pivot ([`PivotProfile::Window`] only).
    pub pivot_first: u32,
    /// An equal extreme elsewhere in the window does not spoil a pivot ([`PivotProfile::Window`] only).
    pub pivot_ties: bool,
    /// A bar that is both pivot high and pivot low counts as high only; when false, as low only.
    pub pivot_high_first: bool,

    /// Structure inside the swings: a second set of pivots, swings, breaks and order blocks. None keeps one scope.
    pub internal: Option<InternalParams>,

    /// A structure break needs the close beyond the level; when false, the wick is enough.
    pub close_break: bool,
    /// Least displacement of the breaking bar, in ppm of ATR. When above 0 a break also needs a fresh cross:
    /// the bar before it was not beyond the level. 0 is off.
    pub displacement_min_ppm: u32,
    /// A CHoCH with at least this displacement, in ppm of ATR, is said as MSS (market structure shift). 0 is off.
    pub mss_min_ppm: u32,
    /// Four-swing patterns are said too (the anchor's BOS and CHoCH, see `patterns.rs`).
    pub patterns: bool,

    /// Order blocks are kept.
    pub order_blocks: bool,
    /// Which bar is the order block.
    pub ob_block: BlockBar,
    /// Which part of that bar is the zone.
    pub ob_zone: BlockZone,
    /// What breaks an order block.
    pub ob_mitigation: ObMitigation,
    /// Which bars are too wild to be an order block.
    pub ob_filter: VolatilityFilter,

    /// Fair value gaps are kept.
    pub gaps: bool,
    /// What the middle bar of a gap must show.
    pub fvg_middle: FvgMiddle,
    /// Least height of a gap.
    pub fvg_size_min: Price,
    /// Least height of a gap in ppm of ATR.
    pub fvg_size_min_atr_ppm: u32,
    /// The body of the middle bar, as part of its open, must be more than twice the mean of all bars so far.
    pub fvg_auto_threshold: bool,
    /// A gap right after one of its side takes that one in: `FvgJoined` instead of `FvgCreated`.
    pub fvg_join: bool,
    /// How deep price must come into a gap to mitigate it.
    pub fvg_mitigation: FvgMitigation,

    /// Pools and swept levels are kept.
    pub liquidity: bool,
    /// How far a pivot may lie from a pool's seed and still belong to it.
    pub pool_tolerance: Tolerance,
    /// Which calendar periods' highs and lows are kept as levels.
    pub periods: Periods,

    /// Changes of the dealing range and of price's place in it are said; the retracement is kept and said. The
    /// range itself is always readable.
    pub range_events: bool,
    /// Where premium, equilibrium and discount begin.
    pub range_bands: RangeBands,
    /// Retracements whose first reach is said, in ppm of the last leg, ascending; 0 marks an unused slot.
    pub retracement_levels_ppm: [u32; RETRACEMENT_LEVELS_MAX],
    /// Optimal trade entry: the retracement, in ppm of the last leg, where the band begins.
    pub ote_from_ppm: u32,
    /// Optimal trade entry: where the band ends.
    pub ote_to_ppm: u32,

    /// Smallest price step; tolerances are never below it. At least 1.
    pub tick: Price,

    /// Bars of the ATR behind displacement, the gap size and [`atr`](super::SmcEngine::atr).
    pub atr_len: u16,
    /// Bars of the slow ATR behind tolerances and the volatility filter.
    pub vol_len: u16,

    /// Gaps kept at once on each side; the oldest leaves with `Expired`. 1 to [`CAP_MAX`].
    pub fvg_cap: u16,
    /// Order blocks and breakers kept at once on each side; the oldest leaves with `Expired`.
    pub ob_cap: u16,
    /// Pools, and seeds that may become pools, kept at once on each side; the oldest leaves, a pool with `Expired`.
    pub pool_cap: u16,
    /// Pivot levels watched for a sweep at once on each side; the oldest leaves with `Expired`.
    pub level_cap: u16,
}

/// Structure inside the swings.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct InternalParams {
    /// Which pivot rule.
    pub pivot_profile: PivotProfile,
    /// As [`SmcParams::pivot_left`].
    pub pivot_left: u16,
    /// As [`SmcParams::pivot_right`].
    pub pivot_right: u16,
    /// As [`SmcParams::pivot_first`].
    pub pivot_first: u32,
    /// An internal level at the very price of the swing level of its side does not break: the swing's break says
    /// it.
    pub ignores_swing_level: bool,
    /// Order blocks of internal breaks are kept as well.
    pub order_blocks: bool,
}

impl InternalParams {
    /// Pivots of the leg definition of a size (5 is common).
    pub const fn leg(size: u16) -> Self {
        Self {
            pivot_profile: PivotProfile::Leg,
            pivot_left: 0,
            pivot_right: size,
            pivot_first: 0,
            ignores_swing_level: true,
            order_blocks: true,
        }
    }

    /// Pivots of the public definition for a swing length.
    pub const fn window(length: u16) -> Self {
        Self {
            pivot_profile: PivotProfile::Window,
            pivot_left: length.saturating_sub(1),
            pivot_right: length,
            pivot_first: (length as u32 * 2).saturating_sub(1),
            ignores_swing_level: true,
            order_blocks: true,
        }
    }
}

/// Calendar periods whose highs and lows are kept. Days begin where [`Roll`](crate::calendar::Roll) says.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Periods {
    /// Previous day (PDH, PDL).
    pub day: bool,
    /// Previous week, Monday first (PWH, PWL).
    pub week: bool,
    /// Previous month (PMH, PML).
    pub month: bool,
    /// Previous bucket of this many minutes since the epoch; 0 is off.
    pub minutes: u32,
}

impl Periods {
    /// Day, week and month.
    pub const CALENDAR: Self = Self { day: true, week: true, month: true, minutes: 0 };
}

/// Where premium, equilibrium and discount begin in the dealing range.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum RangeBands {
    /// Discount below the middle, premium above it.
    Halves,
    /// Premium in the top 5 %, equilibrium from 47.5 to 52.5 %, discount in the bottom 5 %, nothing between.
    Bands,
}

/// Retracement levels one engine can watch.
pub const RETRACEMENT_LEVELS_MAX: usize = 8;
/// Longest internal bucket in minutes: a week.
pub const PERIOD_MINUTES_MAX: u32 = 7 * 24 * 60;
/// Longest window of [`Tolerance::RangePct`].
pub const RANGE_BARS_MAX: u16 = 4_096;
/// Largest cap.
pub const CAP_MAX: u16 = u16::MAX - 1;
/// Longest `pivot_left`, `pivot_right`.
pub const PIVOT_SPAN_MAX: u16 = 4_096;
const CAP_DEFAULT: u16 = 512;

impl Default for SmcParams {
    fn default() -> Self {
        Self {
            pivot_profile: PivotProfile::Window,
            pivot_left: 4,
            pivot_right: 5,
            pivot_first: 9,
            pivot_ties: true,
            pivot_high_first: true,
            internal: None,
            close_break: true,
            displacement_min_ppm: 0,
            mss_min_ppm: 0,
            patterns: false,
            order_blocks: true,
            ob_block: BlockBar::Extreme,
            ob_zone: BlockZone::Wick,
            ob_mitigation: ObMitigation::Wick,
            ob_filter: VolatilityFilter::Off,
            gaps: true,
            fvg_middle: FvgMiddle::Body,
            fvg_size_min: Price(0),
            fvg_size_min_atr_ppm: 0,
            fvg_auto_threshold: false,
            fvg_join: false,
            fvg_mitigation: FvgMitigation::Touch,
            liquidity: true,
            pool_tolerance: Tolerance::AtrMult(100_000),
            periods: Periods::default(),
            range_events: false,
            range_bands: RangeBands::Halves,
            retracement_levels_ppm: [236_000, 382_000, 500_000, 618_000, 786_000, 1_000_000, 0, 0],
            ote_from_ppm: 620_000,
            ote_to_ppm: 790_000,
            tick: Price(1),
            atr_len: 14,
            vol_len: 200,
            fvg_cap: CAP_DEFAULT,
            ob_cap: CAP_DEFAULT,
            pool_cap: CAP_DEFAULT,
            level_cap: CAP_DEFAULT,
        }
    }
}

impl SmcParams {
    /// Everything that can be said is said: both scopes, patterns, calendar levels, range, shifts of 1 ATR.
    pub fn everything() -> Self {
        Self {
            internal: Some(InternalParams::leg(3)),
            mss_min_ppm: 1_000_000,
            patterns: true,
            periods: Periods::CALENDAR,
            range_events: true,
            ..Self::default()
        }
    }

    /// The pivots of the public definition for a swing length: `length - 1` bars before, `length` after.
    pub const fn with_swing_length(mut self, length: u16) -> Self {
        self.pivot_profile = PivotProfile::Window;
        self.pivot_left = length.saturating_sub(1);
        self.pivot_right = length;
        self.pivot_first = (length as u32 * 2).saturating_sub(1);
        self
    }

    /// The pivots of the leg definition of a size: no left side, strict, only when the leg turns.
    pub const fn with_leg(mut self, size: u16) -> Self {
        self.pivot_profile = PivotProfile::Leg;
        self.pivot_right = size;
        self
    }

    /// Names the first field that is out of its range.
    pub fn validate(&self) -> Result<(), ParamsError> {
        let cap = i64::from(CAP_MAX);
        let span = i64::from(PIVOT_SPAN_MAX);
        let inner = self.internal.unwrap_or(InternalParams::leg(1));
        let range_bars = match self.pool_tolerance {
            Tolerance::RangePct { bars, .. } => bars,
            _ => 1,
        };
        let whole = 1_000_000;
        let levels = self.retracement_levels_ppm;
        let used = levels.iter().position(|&level| level == 0).unwrap_or(levels.len());
        let is_ladder = levels[..used].is_sorted_by(|a, b| a < b) && levels[used..].iter().all(|&l| l == 0);
        let fields = [
            ("pivot_left", i64::from(self.pivot_left), 0, span),
            ("pivot_right", i64::from(self.pivot_right), 1, span),
            ("internal.pivot_left", i64::from(inner.pivot_left), 0, span),
            ("internal.pivot_right", i64::from(inner.pivot_right), 1, span),
            ("pool_tolerance.bars", i64::from(range_bars), 1, i64::from(RANGE_BARS_MAX)),
            ("periods.minutes", i64::from(self.periods.minutes), 0, i64::from(PERIOD_MINUTES_MAX)),
            ("retracement_levels_ppm ascending", i64::from(is_ladder), 1, 1),
            ("ote_to_ppm", i64::from(self.ote_to_ppm), 1, whole),
            ("ote_from_ppm", i64::from(self.ote_from_ppm), 0, i64::from(self.ote_to_ppm)),
            ("fvg_size_min", self.fvg_size_min.0, 0, i64::MAX),
            ("fvg_mitigation", i64::from(self.fvg_mitigation.depth_ppm()), 0, 1_000_000),
            ("pool_tolerance", self.pool_tolerance.raw(), 0, i64::MAX / 4),
            ("tick", self.tick.0, 1, i64::MAX / 4),
            ("atr_len", i64::from(self.atr_len), 1, i64::from(u16::MAX)),
            ("vol_len", i64::from(self.vol_len), 1, i64::from(u16::MAX)),
            ("fvg_cap", i64::from(self.fvg_cap), 1, cap),
            ("ob_cap", i64::from(self.ob_cap), 1, cap),
            ("pool_cap", i64::from(self.pool_cap), 1, cap),
            ("level_cap", i64::from(self.level_cap), 1, cap),
        ];
        for (field, got, min, max) in fields {
            if got < min || max < got {
                return Err(ParamsError { field, got, min, max });
            }
        }
        Ok(())
    }

    /// Does anything ask for the slow ATR?
    pub(super) const fn needs_slow_atr(&self) -> bool {
        let is_of_tolerance = self.liquidity && matches!(self.pool_tolerance, Tolerance::AtrMult(_));
        let is_of_filter = self.order_blocks && matches!(self.ob_filter, VolatilityFilter::Atr);
        is_of_tolerance || is_of_filter
    }

    /// The nearest settings that [`validate`](Self::validate) accepts.
    pub(super) fn clamped(mut self) -> Self {
        self.pivot_left = self.pivot_left.min(PIVOT_SPAN_MAX);
        self.pivot_right = self.pivot_right.clamp(1, PIVOT_SPAN_MAX);
        if let Some(inner) = &mut self.internal {
            inner.pivot_left = inner.pivot_left.min(PIVOT_SPAN_MAX);
            inner.pivot_right = inner.pivot_right.clamp(1, PIVOT_SPAN_MAX);
        }
        self.periods.minutes = self.periods.minutes.min(PERIOD_MINUTES_MAX);
        self.ote_to_ppm = self.ote_to_ppm.clamp(1, 1_000_000);
        self.ote_from_ppm = self.ote_from_ppm.min(self.ote_to_ppm);
        let mut below = 0;
        for level in &mut self.retracement_levels_ppm {
            *level = if below < *level { *level } else { 0 };
            below = if *level == 0 { u32::MAX } else { *level };
        }
        self.fvg_size_min = self.fvg_size_min.max(Price(0));
        self.fvg_mitigation = match self.fvg_mitigation {
            FvgMitigation::DepthPpm(ppm) => FvgMitigation::DepthPpm(ppm.min(1_000_000)),
            other => other,
        };
        self.pool_tolerance = match self.pool_tolerance {
            Tolerance::FixedTicks(units) => Tolerance::FixedTicks(Price(units.0.clamp(0, i64::MAX / 4))),
            Tolerance::RangePct { ppm, bars } => {
                Tolerance::RangePct { ppm, bars: bars.clamp(1, RANGE_BARS_MAX) }
            }
            other => other,
        };
        self.tick = Price(self.tick.0.clamp(1, i64::MAX / 4));
        self.atr_len = self.atr_len.max(1);
        self.vol_len = self.vol_len.max(1);
        for cap in [&mut self.fvg_cap, &mut self.ob_cap, &mut self.pool_cap, &mut self.level_cap] {
            *cap = (*cap).clamp(1, CAP_MAX);
        }
        self
    }
}

/// A setting that is out of its range.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ParamsError {
    /// Which field of [`SmcParams`].
    pub field: &'static str,
    /// Its value.
    pub got: i64,
    /// Least value allowed.
    pub min: i64,
    /// Greatest value allowed.
    pub max: i64,
}

impl fmt::Display for ParamsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "smc.{} is {}, must be {} to {}", self.field, self.got, self.min, self.max)
    }
}

/// Which rule makes a pivot. See `pivots.rs`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum PivotProfile {
    /// The extreme of a window around it (public definition).
    Window,
    /// The bar before `pivot_right` bars that all stay strictly inside it, when the leg turns.
    Leg,
}

/// Which bar between pivot and break is the order block. See `order_blocks.rs`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum BlockBar {
    /// The lowest low under a bullish break, the highest high over a bearish one; the last on ties.
    Extreme,
    /// The last bar that closed against the break; [`BlockBar::Extreme`] when there is none.
    LastOpposite,
}

/// Which part of the block bar is the zone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum BlockZone {
    /// Low to high.
    Wick,
    /// Open to close.
    Body,
}

/// What breaks an order block; bullish shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ObMitigation {
    /// Low under the bottom.
    Wick,
    /// Close under the bottom.
    Close,
    /// The body (the lower of open and close) under the bottom.
    Body,
    /// Close under the middle of the zone.
    MeanThreshold,
}

/// Which bars are too wild to be an order block: high − low at least twice the measure.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum VolatilityFilter {
    /// None is.
    Off,
    /// Measured by the slow ATR.
    Atr,
    /// Measured by the mean true range since the first bar.
    MeanTrueRange,
}

/// What the middle bar of a gap must show; bullish shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum FvgMiddle {
    /// Close above open (public definition).
    Body,
    /// Close above the high of the bar before it.
    CloseBeyond,
    /// Nothing.
    Any,
}

/// How deep price must come into a gap to mitigate it, from the near edge, inclusive.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum FvgMitigation {
    /// To the near edge (public definition).
    Touch,
    /// To the middle (consequent encroachment).
    Half,
    /// To the far edge.
    Full,
    /// To this part of the height, in ppm.
    DepthPpm(u32),
}

impl FvgMitigation {
    /// Depth in ppm of the height.
    pub const fn depth_ppm(self) -> u32 {
        match self {
            Self::Touch => 0,
            Self::Half => 500_000,
            Self::Full => 1_000_000,
            Self::DepthPpm(ppm) => ppm,
        }
    }
}

/// How far a pivot may lie from a pool's seed. Fixed when the seed is known, so nothing looks ahead.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Tolerance {
    /// ppm of the slow ATR (100 000 is 0.1 ATR).
    AtrMult(u32),
    /// This price distance.
    FixedTicks(Price),
    /// ppm of the seed's price.
    PctOfPrice(u32),
    /// This part of the distance between the highest high and the lowest low of the last `bars` bars.
    RangePct {
        /// ppm of the distance.
        ppm: u32,
        /// How many bars, at most [`RANGE_BARS_MAX`].
        bars: u16,
    },
}

impl Tolerance {
    fn raw(self) -> i64 {
        match self {
            Self::AtrMult(ppm) | Self::PctOfPrice(ppm) | Self::RangePct { ppm, .. } => i64::from(ppm),
            Self::FixedTicks(units) => units.0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_field_out_of_range_is_named_and_clamping_mends_it() {
        assert_eq!(SmcParams::default().validate(), Ok(()));
        assert_eq!(SmcParams::default(), SmcParams::default().with_swing_length(5).clamped());
        let broken = [
            SmcParams { pivot_right: 0, ..SmcParams::default() },
            SmcParams { tick: Price(0), ..SmcParams::default() },
            SmcParams { ob_cap: u16::MAX, ..SmcParams::default() },
            SmcParams { fvg_mitigation: FvgMitigation::DepthPpm(1_000_001), ..SmcParams::default() },
            SmcParams { pool_tolerance: Tolerance::FixedTicks(Price(-1)), ..SmcParams::default() },
            SmcParams { internal: Some(InternalParams::leg(0)), ..SmcParams::default() },
            SmcParams { pool_tolerance: Tolerance::RangePct { ppm: 1, bars: 0 }, ..SmcParams::default() },
            SmcParams { ote_from_ppm: 900_000, ..SmcParams::default() },
            SmcParams { retracement_levels_ppm: [5, 4, 0, 0, 0, 0, 0, 0], ..SmcParams::default() },
            SmcParams { retracement_levels_ppm: [0, 4, 0, 0, 0, 0, 0, 0], ..SmcParams::default() },
        ];
        let names = [
            "pivot_right",
            "tick",
            "ob_cap",
            "fvg_mitigation",
            "pool_tolerance",
            "internal.pivot_right",
            "pool_tolerance.bars",
            "ote_from_ppm",
            "retracement_levels_ppm ascending",
            "retracement_levels_ppm ascending",
        ];
        assert_eq!(SmcParams::everything().validate(), Ok(()));
        for (params, name) in broken.iter().zip(names) {
            assert_eq!(params.validate().map_err(|error| error.field), Err(name));
            assert_eq!(params.clamped().validate(), Ok(()));
        }
    }
}
