//! A saved engine goes on as if nothing had happened, and no bytes can make one that crashes.
#![allow(clippy::unwrap_used, reason = "a test may crash")]

mod smc_common;

use smc_common::{Random, engine, golden_bars, roomy, run, walks};
use smc_core::event::Bar;
use smc_core::output::Structure;
use smc_core::smc::{
    BlockBar, FvgMiddle, FvgMitigation, IdSource, InternalParams, ObMitigation, SmcEngine, SmcParams,
    Tolerance, VolatilityFilter,
};
use smc_core::state::{StateError, StateIo};
use smc_core::{InstrumentId, Price, Timeframe};

fn everything() -> SmcParams {
    SmcParams { fvg_cap: 60, ob_cap: 60, pool_cap: 60, level_cap: 60, ..SmcParams::everything() }
}

fn settings() -> [SmcParams; 6] {
    [
        everything(),
        SmcParams { fvg_cap: 2, ob_cap: 2, pool_cap: 2, level_cap: 2, ..everything().with_swing_length(1) },
        SmcParams {
            fvg_join: true,
            fvg_auto_threshold: true,
            fvg_middle: FvgMiddle::Any,
            fvg_mitigation: FvgMitigation::Half,
            pool_tolerance: Tolerance::RangePct { ppm: 50_000, bars: 30 },
            ob_filter: VolatilityFilter::MeanTrueRange,
            displacement_min_ppm: 200_000,
            ..everything().with_swing_length(2)
        },
        SmcParams {
            ob_block: BlockBar::LastOpposite,
            ob_mitigation: ObMitigation::MeanThreshold,
            ob_filter: VolatilityFilter::Atr,
            vol_len: 400,
            close_break: false,
            internal: Some(InternalParams { order_blocks: false, ..InternalParams::window(2) }),
            ..everything().with_leg(4)
        },
        SmcParams { order_blocks: false, gaps: false, liquidity: false, patterns: true, ..roomy() },
        SmcParams::default(),
    ]
}

fn streams() -> Vec<Vec<Bar>> {
    let mut streams: Vec<_> = walks().into_iter().skip(4).step_by(2).collect();
    streams.extend(golden_bars().map(|bars| bars[..900].to_vec()));
    streams
}

fn bytes_of(engine: &mut SmcEngine, ids: &mut IdSource) -> (Vec<u8>, Vec<u8>) {
    let (mut saved, mut saved_ids) = (vec![], vec![]);
    engine.save(&mut saved);
    StateIo::save(ids, &mut saved_ids);
    (saved, saved_ids)
}

fn feed(engine: &mut SmcEngine, ids: &mut IdSource, bars: &[Bar]) -> Vec<Structure> {
    let mut said = vec![];
    bars.iter().for_each(|bar| engine.on_bar(bar, ids, &mut |fact| said.push(fact)));
    said
}

#[test]
fn an_engine_loaded_at_any_bar_says_the_rest_word_for_word() {
    let mut random = Random(77);
    for params in settings() {
        for bars in streams() {
            let whole = run(&bars, &params);
            let (mut first, mut ids) = (engine(&params), IdSource::new());
            let mut cuts: Vec<usize> = (0..58).map(|_| random.below(bars.len() as u64) as usize).collect();
            cuts.extend([0, bars.len()]);
            cuts.sort_unstable();
            let (mut fed, mut said) = (0, 0);
            for cut in cuts {
                said += feed(&mut first, &mut ids, &bars[fed..cut]).len();
                fed = cut;
                let (saved, saved_ids) = bytes_of(&mut first, &mut ids);
                let (mut second, mut second_ids) = (engine(&params), IdSource::new());
                assert_eq!(second.load(&saved), Ok(()), "bar {cut} of {params:?}");
                assert_eq!(StateIo::load(&mut second_ids, &saved_ids), Ok(()));
                assert_eq!(bytes_of(&mut second, &mut second_ids), (saved, saved_ids), "saved again");
                check_reads(&first, &second);
                assert_eq!(feed(&mut second, &mut second_ids, &bars[cut..]), whole[said..], "from bar {cut}");
            }
        }
    }
}

fn check_reads(a: &SmcEngine, b: &SmcEngine) {
    use smc_core::output::Scope::{Internal, Swing};
    use smc_core::words::Direction::{Down, Up};
    assert_eq!((a.bar_count(), a.last_bar(), a.atr()), (b.bar_count(), b.last_bar(), b.atr()));
    assert!(a.watched_gaps().eq(b.watched_gaps()) && a.pools().eq(b.pools()));
    for direction in [Up, Down] {
        assert_eq!(a.last_sweep(direction), b.last_sweep(direction));
        assert_eq!(a.nearest_fair_value_gap(direction), b.nearest_fair_value_gap(direction));
        for scope in [Swing, Internal] {
            assert!(a.order_blocks_of(scope).eq(b.order_blocks_of(scope)));
            assert_eq!(a.break_level_of(scope, direction), b.break_level_of(scope, direction));
            assert_eq!(a.last_swing_of(scope, direction), b.last_swing_of(scope, direction));
            assert_eq!(a.strength(scope, direction), b.strength(scope, direction));
        }
    }
}

/// The second half of a run changes a loaded engine of another past in no way: nothing of it shines through.
#[test]
fn loading_leaves_nothing_of_what_was_there() {
    for params in settings() {
        let [bars, other] = [&streams()[0], &streams()[1]];
        let (mut first, mut ids) = (engine(&params), IdSource::new());
        feed(&mut first, &mut ids, &bars[..300]);
        let (saved, saved_ids) = bytes_of(&mut first, &mut ids);
        let (mut used, mut used_ids) = (engine(&params), IdSource::new());
        feed(&mut used, &mut used_ids, other);
        assert_eq!(used.load(&saved), Ok(()));
        assert_eq!(StateIo::load(&mut used_ids, &saved_ids), Ok(()));
        let rest = feed(&mut first, &mut ids, &bars[300..]);
        assert_eq!(feed(&mut used, &mut used_ids, &bars[300..]), rest);
    }
}

#[test]
fn other_settings_instruments_and_timeframes_refuse_the_state() {
    let mut saved = vec![];
    engine(&everything()).save(&mut saved);
    let bad = Err(StateError::BadValue { at: 9 });
    for params in [
        SmcParams { ob_cap: 61, ..everything() },
        SmcParams { tick: Price(2), ..everything() },
        SmcParams { internal: None, ..everything() },
        SmcParams { pool_tolerance: Tolerance::PctOfPrice(100_000), ..everything() },
    ] {
        assert_eq!(engine(&params).load(&saved), bad);
    }
    let other = |instrument, timeframe| {
        SmcEngine::new(InstrumentId(instrument), Timeframe::parse(timeframe).unwrap(), &everything())
    };
    assert_eq!(other(3, "15m").load(&saved), Ok(()));
    assert_eq!(other(4, "15m").load(&saved), bad);
    assert_eq!(other(3, "5m").load(&saved), bad);
    saved[0] += 1;
    assert_eq!(other(3, "15m").load(&saved), bad);
}

#[test]
fn half_a_state_is_none() {
    for params in &settings()[1..4] {
        let (mut first, mut ids) = (engine(params), IdSource::new());
        feed(&mut first, &mut ids, &streams()[1][..400]);
        let (mut saved, _) = bytes_of(&mut first, &mut ids);
        let mut second = engine(params);
        for cut in 0..saved.len() {
            assert!(second.load(&saved[..cut]).is_err(), "{cut} of {} bytes", saved.len());
        }
        saved.push(0);
        assert_eq!(second.load(&saved), Err(StateError::Spare { bytes: 1 }));
    }
}

/// A flipped byte is refused or makes another state; no later bar may trip over that.
#[test]
fn damaged_states_are_refused_or_run() {
    let (mut random, mut loaded, mut refused) = (Random(3), 0, 0);
    for params in &settings()[..4] {
        for bars in streams() {
            let (mut first, mut ids) = (engine(params), IdSource::new());
            feed(&mut first, &mut ids, &bars[..500]);
            let (saved, _) = bytes_of(&mut first, &mut ids);
            for _ in 0..500 {
                let mut damaged = saved.clone();
                for _ in 0..=random.below(3) {
                    // Behind version and fingerprint, which refuse all damage.
                    let at = 9 + random.below(saved.len() as u64 - 9) as usize;
                    damaged[at] ^= 1 << random.below(8);
                }
                let mut second = engine(params);
                match second.load(&damaged) {
                    Err(_) => refused += 1,
                    Ok(()) => {
                        loaded += 1;
                        let mut wild = bars[500..550].to_vec();
                        wild[10].high = smc_core::smc::PRICE_MAX;
                        wild[20].low = Price(-smc_core::smc::PRICE_MAX.0);
                        for fact in feed(&mut second, &mut IdSource::new(), &wild) {
                            assert!(fact.bottom <= fact.top && fact.bar <= fact.known_bar, "{fact:?}");
                        }
                    }
                }
            }
        }
    }
    println!("{loaded} loaded, {refused} refused");
    assert!(loaded > 1_000 && refused > 1_000, "{loaded} loaded, {refused} refused");
}
