//! After construction no bar takes memory, whatever it brings.
#![allow(clippy::unwrap_used, reason = "a test may crash")]

mod smc_common;

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

use smc_common::{engine, roomy, walk};
use smc_core::bars::{BarBuilder, BarSet};
use smc_core::calendar::{Calendar, OffsetStep, Roll, SessionWindow, ZoneOffsets};
use smc_core::output::{Structure, StructureKind};
use smc_core::smc::{IdSource, Periods, SmcEngine, SmcParams, Tolerance, VolatilityFilter};
use smc_core::words::{Direction, Name};
use smc_core::{InstrumentId, Price, Qty, Timeframe, TsNs};

thread_local! {
    static TAKEN: Cell<u64> = const { Cell::new(0) };
}

/// Counts what each thread takes; the test harness has threads of its own.
struct Counting;

// SAFETY: every call goes on unchanged to `System`, which keeps the contract; the counter takes no memory.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        TAKEN.with(|taken| taken.set(taken.get() + 1));
        // SAFETY: the caller's promises are passed on.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, at: *mut u8, layout: Layout) {
        // SAFETY: the caller's promises are passed on.
        unsafe { System.dealloc(at, layout) }
    }

    unsafe fn realloc(&self, at: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        TAKEN.with(|taken| taken.set(taken.get() + 1));
        // SAFETY: the caller's promises are passed on.
        unsafe { System.realloc(at, layout, size) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

fn taken_by(work: impl FnOnce()) -> u64 {
    let before = TAKEN.with(Cell::get);
    work();
    TAKEN.with(Cell::get) - before
}

#[test]
fn the_counter_counts() {
    assert_eq!(taken_by(|| drop(std::hint::black_box(Box::new(1)))), 1);
}

#[test]
fn bars_take_no_memory() {
    let tiny = SmcParams { fvg_cap: 2, ob_cap: 2, pool_cap: 2, level_cap: 2, ..roomy() };
    let tiny_everything = SmcParams { internal: SmcParams::everything().internal, patterns: true, ..tiny };
    let rarer = SmcParams {
        fvg_join: true,
        fvg_auto_threshold: true,
        pool_tolerance: Tolerance::RangePct { ppm: 10_000, bars: 200 },
        ob_filter: VolatilityFilter::MeanTrueRange,
        ..SmcParams::everything()
    };
    let all = [SmcParams::default(), tiny, roomy().with_leg(10), SmcParams::everything()];
    for params in all.into_iter().chain([tiny_everything, rarer]) {
        for step in [2, 40] {
            let bars = walk(9, 20_000, step);
            let (mut engine, mut ids, mut said) = (engine(&params), IdSource::new(), 0u64);
            let taken = taken_by(|| {
                for bar in &bars {
                    engine.on_bar(bar, &mut ids, &mut |_: Structure| said += 1);
                    said += engine.order_blocks().count() as u64 & 1;
                    said += engine.nearest_fair_value_gap(Direction::Up).map_or(0, |zone| zone.id.into());
                }
            });
            assert_eq!(taken, 0);
            assert!(said > 10_000, "the walk was too quiet to prove anything");
        }
    }
}

/// Two sessions on clocks that change under way, and every period there is.
fn calendar() -> Calendar {
    let hour = |hour: u64, offset_secs| OffsetStep { since: TsNs(hour * 3_600_000_000_000), offset_secs };
    let offsets = ZoneOffsets::new(&[hour(0, -18_000), hour(700, -14_400), hour(3_000, -18_000)]).unwrap();
    let window = |start_secs, end_secs| SessionWindow {
        name: Name::default(),
        offsets: offsets.clone(),
        start_secs,
        end_secs,
    };
    let sessions = vec![window(25_200, 36_000), window(72_000, 7_200)];
    Calendar { roll: Roll { offsets: offsets.clone(), at_secs: 61_200 }, sessions }
}

#[test]
fn bars_with_sessions_and_periods_take_no_memory() {
    let periods = Periods { minutes: 240, ..Periods::CALENDAR };
    let params = SmcParams { periods, ..SmcParams::everything() };
    let timeframe = Timeframe::parse("15m").unwrap();
    let mut bars = walk(9, 20_000, 12);
    for (bar, quarter) in bars.iter_mut().zip(0..) {
        bar.open_ts = TsNs(quarter * 900_000_000_000);
    }
    let mut engine = SmcEngine::with_calendar(InstrumentId(3), timeframe, &params, &calendar());
    let (mut ids, mut told) = (IdSource::new(), [0u32; 3]);
    let taken = taken_by(|| {
        for bar in &bars {
            engine.on_bar(bar, &mut ids, &mut |fact| match fact.kind {
                StructureKind::SessionClosed => told[0] += 1,
                StructureKind::PeriodRolled => told[1] += 1,
                StructureKind::LevelSwept if fact.value != 0 => told[2] += 1,
                _ => {}
            });
            told[0] += u32::from(engine.session(1).is_some_and(|session| session.id == 0));
        }
    });
    assert_eq!(taken, 0);
    assert!(told.iter().all(|&told| told > 300), "{told:?} is too quiet to prove anything");
}

#[test]
fn building_bars_takes_no_memory() {
    let second = Timeframe::parse("1s").unwrap();
    let mut builder = BarBuilder::new(second);
    let mut set = BarSet::new(&[Timeframe::parse("1m").unwrap(), second]);
    let mut closed = 0;
    let taken = taken_by(|| {
        for step in 0..10_000u64 {
            let (ts, price) = (TsNs(step * 300_000_000), Price(1 + (step * 37 % 11) as i64));
            closed += u32::from(builder.on_trade(ts, price, Qty(1)).is_some());
            let is_any = set.on_trade(ts, price, Qty(1)) | set.on_clock(ts);
            closed += u32::from(is_any && (set.closed(0).is_some() | set.closed(1).is_some()));
        }
    });
    assert_eq!(taken, 0);
    assert!(closed > 5_000);
}
