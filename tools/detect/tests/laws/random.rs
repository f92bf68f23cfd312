//! Random markets, settings and calendars. A failing one is shrunk and printed as what it is made of.

use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use smc_core::calendar::{Calendar, OffsetStep, Roll, SessionWindow, ZoneOffsets};
use smc_core::event::Bar;
use smc_core::smc::{
    BlockBar, BlockZone, FvgMiddle, FvgMitigation, InternalParams, ObMitigation, Periods, PivotProfile,
    RangeBands, SmcParams, Tolerance, VolatilityFilter,
};
use smc_core::words::{Name, Price, Qty, TsNs};
use std::fmt;

const MINUTE_NS: u64 = 60_000_000_000;
const HOUR_NS: u64 = 60 * MINUTE_NS;
/// A Friday evening in March, before clocks change.
const START_NS: u64 = 1_679_068_800_000_000_000;
/// Where prices begin; they never come near 0.
const PRICE: i64 = 100_000;

/// One try.
#[derive(Clone, Debug)]
pub struct Case {
    pub params: SmcParams,
    pub calendar: Calendar,
    pub bars: Vec<Bar>,
}

pub fn case() -> impl Strategy<Value = Case> {
    (params(), calendar(), bars()).prop_map(|(params, calendar, bars)| Case { params, calendar, bars })
}

/// Bars on a grid so coarse that ties are everywhere, restless to one degree or another, with holes.
fn bars() -> impl Strategy<Value = Vec<Bar>> {
    let minutes = prop_oneof![12 => Just(15u64), 2 => 1u64..600, 1 => 600u64..9_000];
    let gap = prop_oneof![3 => Just(0i64), 1 => -8i64..=8];
    let step = (minutes, gap, -8i64..=8, 0i64..6, 0i64..6, 0i64..5);
    let scale = prop_oneof![2 => Just(1i64), 1 => 2i64..40];
    (scale, -2i64..=2, vec(step, 0..260)).prop_map(|(scale, slope, steps)| {
        let (mut ts, mut close) = (START_NS, PRICE);
        let bar = |(minutes, gap, body, above, below, volume): (u64, i64, i64, i64, i64, i64)| {
            ts += minutes * MINUTE_NS;
            let open = close + scale * gap;
            close = open + scale * body + slope;
            let (high, low) = (open.max(close) + scale * above, open.min(close) - scale * below);
            let [open, high, low, close] = [open, high, low, close].map(Price);
            Bar { open_ts: TsNs(ts), open, high, low, close, volume: Qty(volume), trades: 1 }
        };
        steps.into_iter().map(bar).collect()
    })
}

fn params() -> impl Strategy<Value = SmcParams> {
    let parts = (pivots(), breaks(), blocks(), gaps(), pools(), range(), measures());
    (internal(), parts).prop_map(|(internal, (pivots, breaks, blocks, gaps, pools, range, measures))| {
        let mut params = SmcParams { internal, ..SmcParams::default() };
        for part in [pivots, breaks, blocks, gaps, pools, range, measures] {
            part.0(&mut params);
        }
        assert_eq!(params.validate(), Ok(()));
        params
    })
}

/// Sets its part of the settings.
struct Part(Box<dyn Fn(&mut SmcParams)>);

impl Part {
    fn new(set: impl Fn(&mut SmcParams) + 'static) -> Self {
        Self(Box::new(set))
    }
}

/// The settings are shown whole.
impl fmt::Debug for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Part")
    }
}

/// On in three of four cases.
fn mostly() -> impl Strategy<Value = bool> {
    prop_oneof![3 => Just(true), 1 => Just(false)]
}

fn profile() -> impl Strategy<Value = PivotProfile> {
    prop_oneof![3 => Just(PivotProfile::Window), 1 => Just(PivotProfile::Leg)]
}

fn pivots() -> impl Strategy<Value = Part> {
    (profile(), 0u16..8, 1u16..8, 0u32..20, any::<bool>(), any::<bool>()).prop_map(
        |(profile, left, right, first, ties, high_first)| -> Part {
            Part::new(move |params: &mut SmcParams| {
                params.pivot_profile = profile;
                (params.pivot_left, params.pivot_right, params.pivot_first) = (left, right, first);
                (params.pivot_ties, params.pivot_high_first) = (ties, high_first);
            })
        },
    )
}

fn internal() -> impl Strategy<Value = Option<InternalParams>> {
    let inner = (profile(), 0u16..4, 1u16..4, 0u32..9, any::<bool>(), mostly());
    option::of(inner.prop_map(|(pivot_profile, left, right, first, ignores_swing_level, order_blocks)| {
        InternalParams {
            pivot_profile,
            pivot_left: left,
            pivot_right: right,
            pivot_first: first,
            ignores_swing_level,
            order_blocks,
        }
    }))
}

fn breaks() -> impl Strategy<Value = Part> {
    let ppm = || prop_oneof![2 => Just(0u32), 1 => 1u32..2_000_000];
    (mostly(), ppm(), ppm(), mostly()).prop_map(|(close_break, least, mss, patterns)| -> Part {
        Part::new(move |params: &mut SmcParams| {
            (params.close_break, params.patterns) = (close_break, patterns);
            (params.displacement_min_ppm, params.mss_min_ppm) = (least, mss);
        })
    })
}

fn blocks() -> impl Strategy<Value = Part> {
    let block = prop_oneof![Just(BlockBar::Extreme), Just(BlockBar::LastOpposite)];
    let zone = prop_oneof![Just(BlockZone::Wick), Just(BlockZone::Body)];
    let mitigation = prop_oneof![
        Just(ObMitigation::Wick),
        Just(ObMitigation::Close),
        Just(ObMitigation::Body),
        Just(ObMitigation::MeanThreshold)
    ];
    let filter = prop_oneof![
        Just(VolatilityFilter::Off),
        Just(VolatilityFilter::Atr),
        Just(VolatilityFilter::MeanTrueRange)
    ];
    (mostly(), block, zone, mitigation, filter).prop_map(|(is_on, block, zone, mitigation, filter)| -> Part {
        Part::new(move |params: &mut SmcParams| {
            (params.order_blocks, params.ob_block, params.ob_zone) = (is_on, block, zone);
            (params.ob_mitigation, params.ob_filter) = (mitigation, filter);
        })
    })
}

fn gaps() -> impl Strategy<Value = Part> {
    let middle = prop_oneof![Just(FvgMiddle::Body), Just(FvgMiddle::CloseBeyond), Just(FvgMiddle::Any)];
    let mitigation = prop_oneof![
        2 => Just(FvgMitigation::Touch),
        1 => Just(FvgMitigation::Half),
        1 => Just(FvgMitigation::Full),
        1 => (0u32..=1_000_000).prop_map(FvgMitigation::DepthPpm)
    ];
    let ppm = prop_oneof![2 => Just(0u32), 1 => 1u32..500_000];
    let size = prop_oneof![2 => Just(0i64), 1 => 1i64..8];
    (mostly(), middle, size, ppm, any::<bool>(), any::<bool>(), mitigation).prop_map(
        |(is_on, middle, size, ppm, auto, join, mitigation)| -> Part {
            Part::new(move |params: &mut SmcParams| {
                (params.gaps, params.fvg_middle, params.fvg_mitigation) = (is_on, middle, mitigation);
                (params.fvg_size_min, params.fvg_size_min_atr_ppm) = (Price(size), ppm);
                (params.fvg_auto_threshold, params.fvg_join) = (auto && size == 0, join);
            })
        },
    )
}

fn pools() -> impl Strategy<Value = Part> {
    let tolerance = prop_oneof![
        (0u32..800_000).prop_map(Tolerance::AtrMult),
        (0i64..12).prop_map(|units| Tolerance::FixedTicks(Price(units))),
        (0u32..200).prop_map(Tolerance::PctOfPrice),
        (0u32..120_000, 1u16..80).prop_map(|(ppm, bars)| Tolerance::RangePct { ppm, bars })
    ];
    let minutes = prop_oneof![1 => Just(0u32), 1 => 1u32..=10_080];
    let periods = (any::<bool>(), any::<bool>(), any::<bool>(), minutes);
    (mostly(), tolerance, periods).prop_map(|(is_on, tolerance, (day, week, month, minutes))| -> Part {
        Part::new(move |params: &mut SmcParams| {
            (params.liquidity, params.pool_tolerance) = (is_on, tolerance);
            params.periods = Periods { day, week, month, minutes };
        })
    })
}

fn range() -> impl Strategy<Value = Part> {
    let bands = prop_oneof![Just(RangeBands::Halves), Just(RangeBands::Bands)];
    (mostly(), bands, vec(1u32..1_500_000, 0..=8), 1u32..=1_000_000, 0u32..=1_000_000).prop_map(
        |(is_on, bands, mut levels, to, from)| -> Part {
            levels.sort_unstable();
            levels.dedup();
            levels.resize(8, 0);
            let levels = levels.try_into().unwrap();
            Part::new(move |params: &mut SmcParams| {
                (params.range_events, params.range_bands) = (is_on, bands);
                params.retracement_levels_ppm = levels;
                (params.ote_to_ppm, params.ote_from_ppm) = (to, from.min(to));
            })
        },
    )
}

fn measures() -> impl Strategy<Value = Part> {
    let cap = || prop_oneof![1 => 1u16..6, 1 => Just(512u16)];
    (1i64..4, 1u16..30, 1u16..90, cap(), cap(), cap(), cap()).prop_map(
        |(tick, atr_len, vol_len, fvg_cap, ob_cap, pool_cap, level_cap)| -> Part {
            Part::new(move |params: &mut SmcParams| {
                params.tick = Price(tick);
                (params.atr_len, params.vol_len) = (atr_len, vol_len);
                (params.fvg_cap, params.ob_cap) = (fvg_cap, ob_cap);
                (params.pool_cap, params.level_cap) = (pool_cap, level_cap);
            })
        },
    )
}

/// Clocks that change now and then, by hours and by odd seconds.
fn zone() -> impl Strategy<Value = ZoneOffsets> {
    let offset = prop_oneof![3 => (-14i32..=14).prop_map(|hours| hours * 3_600), 1 => -86_399i32..86_400];
    (offset.clone(), vec((1u64..200, offset), 0..4)).prop_map(|(first, changes)| {
        let mut steps = vec![OffsetStep { since: TsNs(0), offset_secs: first }];
        let mut since = START_NS;
        for (hours, offset_secs) in changes {
            since += hours * HOUR_NS;
            steps.push(OffsetStep { since: TsNs(since), offset_secs });
        }
        ZoneOffsets::new(&steps).unwrap()
    })
}

fn clock() -> impl Strategy<Value = u32> {
    prop_oneof![3 => (0u32..24).prop_map(|hour| hour * 3_600), 1 => 0u32..86_400]
}

fn calendar() -> impl Strategy<Value = Calendar> {
    let window = (zone(), clock(), clock()).prop_map(|(offsets, start_secs, end_secs)| SessionWindow {
        name: Name::default(),
        offsets,
        start_secs,
        end_secs,
    });
    (zone(), clock(), vec(window, 0..4))
        .prop_map(|(offsets, at_secs, sessions)| Calendar { roll: Roll { offsets, at_secs }, sessions })
}
