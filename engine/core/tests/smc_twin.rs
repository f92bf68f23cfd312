//! The engine against its slow twin: every fact and the state it leaves, on walks full of ties and, where
//! the file is at hand, on a year of real bars, under every setting.
#![allow(clippy::unwrap_used, reason = "a test may crash")]

mod smc_common;
#[path = "smc_common/twin.rs"]
mod twin;

use smc_common::{engine, golden_bars, roomy, walks};
use smc_core::event::Bar;
use smc_core::smc::{
    BlockBar, BlockZone, FvgMiddle, FvgMitigation, IdSource, InternalParams, ObMitigation, SmcEngine,
    SmcParams, Strength, Tolerance, VolatilityFilter, Zone, ZoneState,
};
use smc_core::words::Direction;
use smc_core::{Price, output::Scope, output::Structure};
use twin::{Fact, Found, FoundInScope, ZoneNow, side};

fn fact(said: &Structure) -> Fact {
    let Structure { kind, scope, direction, bar, known_bar, top, bottom, extra, value, .. } = *said;
    (known_bar as usize, kind, scope, side(direction), bar as usize, top.0, bottom.0, extra, value)
}

fn zone(zone: &Zone) -> ZoneNow {
    let Zone { direction, bar, top, bottom, state, .. } = *zone;
    (side(direction), bar as usize, top.0, bottom.0, state)
}

fn sorted<T: Ord>(items: impl IntoIterator<Item = T>) -> Vec<T> {
    let mut items: Vec<T> = items.into_iter().collect();
    items.sort();
    items
}

/// Settings one step away from the default in every direction.
fn settings() -> Vec<SmcParams> {
    let base = SmcParams { vol_len: 30, ..roomy() };
    let inner = InternalParams::leg(2);
    let all_inside = InternalParams { ignores_swing_level: false, ..InternalParams::window(2) };
    let no_blocks_inside = InternalParams { order_blocks: false, ..InternalParams::window(3) };
    vec![
        roomy(),
        base,
        base.with_swing_length(1),
        base.with_swing_length(2),
        base.with_swing_length(20),
        base.with_leg(1),
        base.with_leg(3),
        base.with_leg(10),
        SmcParams { pivot_left: 0, pivot_right: 3, pivot_first: 0, ..base },
        SmcParams { pivot_left: 9, pivot_right: 2, pivot_first: 1, pivot_ties: false, ..base },
        SmcParams { pivot_high_first: false, ..base.with_swing_length(1) },
        SmcParams { close_break: false, ..base },
        SmcParams { displacement_min_ppm: 500_000, ..base },
        SmcParams { displacement_min_ppm: 300_000, close_break: false, ..base },
        SmcParams { ob_block: BlockBar::LastOpposite, ob_zone: BlockZone::Body, ..base },
        SmcParams { ob_mitigation: ObMitigation::Close, ob_filter: VolatilityFilter::Atr, ..base },
        SmcParams { ob_mitigation: ObMitigation::Body, ob_filter: VolatilityFilter::MeanTrueRange, ..base },
        SmcParams { ob_mitigation: ObMitigation::MeanThreshold, ob_zone: BlockZone::Body, ..base },
        SmcParams { fvg_middle: FvgMiddle::CloseBeyond, fvg_mitigation: FvgMitigation::Half, ..base },
        SmcParams { fvg_middle: FvgMiddle::Any, fvg_mitigation: FvgMitigation::Full, ..base },
        SmcParams { fvg_mitigation: FvgMitigation::DepthPpm(333_333), fvg_size_min: Price(3), ..base },
        SmcParams { fvg_size_min_atr_ppm: 250_000, ..base },
        SmcParams { pool_tolerance: Tolerance::FixedTicks(Price(0)), tick: Price(2), ..base },
        SmcParams { pool_tolerance: Tolerance::FixedTicks(Price(9)), ..base },
        SmcParams { pool_tolerance: Tolerance::PctOfPrice(1_000), ..base },
        SmcParams { pool_tolerance: Tolerance::AtrMult(2_000_000), ..base.with_swing_length(2) },
        SmcParams { pool_tolerance: Tolerance::RangePct { ppm: 30_000, bars: 50 }, ..base },
        SmcParams { pool_tolerance: Tolerance::RangePct { ppm: 100_000, bars: 7 }, ..base.with_leg(4) },
        SmcParams { fvg_join: true, ..base },
        SmcParams { fvg_join: true, fvg_mitigation: FvgMitigation::Half, fvg_middle: FvgMiddle::Any, ..base },
        SmcParams { fvg_join: true, fvg_size_min: Price(3), fvg_middle: FvgMiddle::CloseBeyond, ..base },
        SmcParams { fvg_auto_threshold: true, ..base },
        SmcParams { fvg_auto_threshold: true, fvg_join: true, fvg_middle: FvgMiddle::Any, ..base },
        SmcParams { internal: Some(inner), ..base },
        SmcParams { internal: Some(all_inside), ..base },
        SmcParams { internal: Some(no_blocks_inside), close_break: false, ..base },
        SmcParams { internal: Some(InternalParams::window(1)), ..base.with_swing_length(2) },
        // The same pivots twice: with no block to differ, the internal scope never has a level of its own.
        SmcParams { internal: Some(InternalParams::window(5)), ..base },
        SmcParams { internal: Some(all_inside), displacement_min_ppm: 400_000, ..base },
        SmcParams { internal: Some(inner), displacement_min_ppm: 400_000, mss_min_ppm: 600_000, ..base },
        SmcParams { mss_min_ppm: 1_000_000, ..base.with_swing_length(2) },
        SmcParams { order_blocks: false, internal: Some(inner), ..base },
        SmcParams { gaps: false, ob_filter: VolatilityFilter::Atr, ..base },
        SmcParams { liquidity: false, ob_filter: VolatilityFilter::MeanTrueRange, ..base },
        SmcParams { order_blocks: false, gaps: false, liquidity: false, ..base },
        SmcParams { patterns: true, ..base },
        SmcParams { patterns: true, close_break: false, ..base.with_swing_length(2) },
        SmcParams { patterns: true, internal: Some(inner), ..base.with_swing_length(1) },
        SmcParams { patterns: true, ..base.with_leg(2) },
    ]
}

fn check(bars: &[Bar], params: &SmcParams) {
    let (mut engine, mut ids, mut said) = (engine(params), IdSource::new(), vec![]);
    for bar in bars {
        engine.on_bar(bar, &mut ids, &mut |structure| said.push(fact(&structure)));
    }
    let found = twin::find(bars, params);
    said.sort();
    if let Some((ours, twins)) = said.iter().zip(&found.facts).find(|(a, b)| a != b) {
        panic!("{params:?}\n ours {ours:?}\n twin {twins:?}");
    }
    assert_eq!(said.len(), found.facts.len(), "{params:?}");
    check_state(&engine, &found);
}

fn check_state(engine: &SmcEngine, found: &Found) {
    assert_eq!(sorted(engine.watched_gaps().map(zone)), sorted(found.gaps.clone()));
    let pools = engine.pools().map(|p| (side(p.direction), p.bar as usize, p.level.0, p.members as usize));
    assert_eq!(sorted(pools), sorted(found.pools.clone()));
    let range = engine.dealing_range().map(|(top, bottom)| (top.0, bottom.0));
    assert_eq!(range, found.swing.range);
    check_scope(engine, Scope::Swing, &found.swing);
    match &found.internal {
        Some(internal) => check_scope(engine, Scope::Internal, internal),
        None => assert_eq!(engine.bias_of(Scope::Internal), None),
    }
    assert_eq!(engine.bias(), engine.bias_of(Scope::Swing));
    assert!(engine.order_blocks().eq(engine.order_blocks_of(Scope::Swing)));
}

fn check_scope(engine: &SmcEngine, scope: Scope, found: &FoundInScope) {
    assert_eq!(sorted(engine.order_blocks_of(scope).map(zone)), sorted(found.blocks.clone()));
    assert_eq!(engine.bias_of(scope).map_or(0, side), found.bias);
    for direction in [Direction::Up, Direction::Down] {
        let edge =
            |zone: &Zone| side(direction) * if side(direction) > 0 { zone.top.0 } else { zone.bottom.0 };
        let nearest = engine
            .order_blocks_of(scope)
            .filter(|zone| zone.direction == direction && zone.state == ZoneState::Fresh)
            .map(edge)
            .max();
        assert_eq!(engine.nearest_order_block_of(scope, direction).map(edge), nearest);
        let is_strong = engine.strength(scope, direction).map(|strength| strength == Strength::Strong);
        assert!(is_strong.is_none_or(|is_strong| is_strong == (found.bias == -side(direction))));
    }
}

#[test]
fn every_fact_and_state_is_the_twins_on_walks() {
    for params in settings() {
        for bars in walks() {
            for n in [1, 2, 3, 12, 57, 200, bars.len()] {
                check(&bars[..n], &params);
            }
        }
    }
}

#[test]
fn every_fact_and_state_is_the_twins_on_real_bars() {
    let Some(bars) = golden_bars() else { return };
    for params in settings() {
        check(&bars[5_000..6_500], &params);
    }
}
