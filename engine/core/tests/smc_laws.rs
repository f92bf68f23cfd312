//! Laws that hold for every stream of bars and every setting.
#![allow(clippy::unwrap_used, reason = "a test may crash")]

mod smc_common;

use std::collections::BTreeMap;

use smc_common::{Random, engine, golden_bars, mirrored, of_kind, roomy, run, walks};
use smc_core::event::Bar;
use smc_core::output::{Structure, StructureKind as Kind};
use smc_core::smc::{BarFault, IdSource, PRICE_MAX, RangeHalf, SmcParams, Tolerance};
use smc_core::words::Direction;
use smc_core::{Price, Qty, TsNs};

fn settings() -> [SmcParams; 5] {
    [
        roomy(),
        roomy().with_swing_length(2),
        roomy().with_leg(3),
        SmcParams { fvg_cap: 3, ob_cap: 3, pool_cap: 3, level_cap: 3, ..SmcParams::default() },
        SmcParams { fvg_cap: 1, ob_cap: 1, pool_cap: 1, level_cap: 1, ..roomy().with_swing_length(1) },
    ]
}

fn streams() -> Vec<Vec<Bar>> {
    let mut streams = walks();
    streams.extend(golden_bars().map(|bars| bars[..3_000].to_vec()));
    streams
}

/// The prefix law: what is said after `n` bars cannot depend on bar `n + 1`.
#[test]
fn nothing_looks_ahead() {
    for params in settings() {
        for bars in streams() {
            let whole = run(&bars, &params);
            for n in (0..bars.len()).step_by(97) {
                let part = run(&bars[..n], &params);
                assert!(whole.starts_with(&part), "bar {n} changed the past");
                assert!(whole[part.len()..].iter().all(|fact| fact.known_bar as usize >= n));
            }
        }
    }
}

fn is_creation(kind: Kind) -> bool {
    use Kind::*;
    matches!(kind, PivotConfirmed | SwingStarted | Bos | Choch | FvgCreated | ObCreated | PoolFormed)
}

fn is_terminal(kind: Kind) -> bool {
    use Kind::*;
    matches!(
        kind,
        SwingLocked | IfvgInvalidated | BreakerInvalidated | PoolSwept | PoolRun | LevelSwept | Expired
    )
}

/// Ids start at 1 and are dense; each is created once, before anything names it, and ends at most once.
#[test]
fn objects_are_born_once_and_end_once() {
    for params in settings() {
        for bars in streams() {
            let (mut known, mut ids) = (0, 0);
            let mut ended = vec![false];
            for fact in run(&bars, &params) {
                assert!(fact.bar <= fact.known_bar && known <= fact.known_bar && fact.bottom <= fact.top);
                known = fact.known_bar;
                if is_creation(fact.kind) {
                    ids += 1;
                    assert_eq!(fact.id, ids, "{fact:?}");
                    ended.push(false);
                }
                assert!(fact.id <= ids && fact.cause_id <= ids, "{fact:?} names what is not there");
                let ended = &mut ended[fact.id as usize];
                assert!(!*ended, "{fact:?} after its end");
                *ended |= is_terminal(fact.kind);
            }
        }
    }
}

/// A break names its pivot, a block its break, a swing its pivot; the bars stand in that order.
#[test]
fn causes_are_what_they_say() {
    for params in settings() {
        for bars in streams() {
            let said = run(&bars, &params);
            let born: BTreeMap<u32, &Structure> =
                said.iter().filter(|fact| is_creation(fact.kind)).map(|fact| (fact.id, fact)).collect();
            let mut broken = BTreeMap::new();
            for fact in &said {
                let cause = born.get(&fact.cause_id);
                match fact.kind {
                    Kind::Bos | Kind::Choch => {
                        let pivot = cause.unwrap();
                        assert_eq!(
                            (pivot.kind, pivot.direction, pivot.bar, pivot.top),
                            (Kind::PivotConfirmed, fact.direction, fact.bar, fact.top)
                        );
                        assert!(pivot.known_bar < fact.known_bar);
                        assert_eq!(broken.insert(pivot.id, fact.id), None, "a pivot broke twice");
                    }
                    Kind::ObCreated => {
                        let cause = cause.unwrap();
                        assert!(matches!(cause.kind, Kind::Bos | Kind::Choch));
                        assert_eq!((cause.direction, cause.known_bar), (fact.direction, fact.known_bar));
                        assert!(cause.bar < fact.bar && fact.bar < fact.known_bar);
                    }
                    Kind::SwingStarted | Kind::SwingExtended | Kind::SwingLocked => {
                        let pivot = cause.unwrap();
                        assert_eq!(
                            (pivot.kind, pivot.bar, pivot.top),
                            (Kind::PivotConfirmed, fact.bar, fact.top)
                        );
                    }
                    Kind::PoolFormed | Kind::PoolExtended => {
                        let pivot = cause.unwrap();
                        assert_eq!((pivot.kind, pivot.direction), (Kind::PivotConfirmed, fact.direction));
                        assert!(fact.bottom <= pivot.top && pivot.top <= fact.top && fact.bar < pivot.bar);
                    }
                    _ => {}
                }
            }
        }
    }
}

/// A change of character always turns the bias, a break of structure never does.
#[test]
fn bias_turns_with_every_change_of_character_only() {
    for bars in streams() {
        let mut bias = None;
        for fact in run(&bars, &roomy()) {
            match fact.kind {
                Kind::Choch => assert_eq!(bias.replace(fact.direction), Some(fact.direction.opposite())),
                Kind::Bos => assert_ne!(bias.replace(fact.direction), Some(fact.direction.opposite())),
                _ => {}
            }
        }
    }
}

#[test]
fn locked_swings_alternate_and_top_their_runs() {
    for params in settings() {
        for bars in streams() {
            let said = run(&bars, &params);
            let locked: Vec<_> = of_kind(&said, Kind::SwingLocked).collect();
            assert!(locked.windows(2).all(|pair| pair[0].direction != pair[1].direction));
            let mut run_start = 0;
            for swing in locked {
                for pivot in of_kind(&said, Kind::PivotConfirmed) {
                    let is_of_run = (run_start..swing.known_bar).contains(&pivot.known_bar);
                    if is_of_run && pivot.direction == swing.direction {
                        match swing.direction {
                            Direction::Up => assert!(pivot.top <= swing.top),
                            Direction::Down => assert!(swing.top <= pivot.top),
                        }
                    }
                }
                run_start = swing.known_bar;
            }
        }
    }
}

/// What a fact says without its ids, which depend on which side speaks first.
fn content(fact: &Structure) -> (u32, Kind, u8, u32, i64, i64, i64) {
    let Structure { known_bar, kind, direction, bar, top, bottom, extra, .. } = *fact;
    (known_bar, kind, direction as u8, bar, top.0, bottom.0, extra)
}

fn contents(said: &[Structure], change: impl Fn(&mut Structure)) -> Vec<(u32, Kind, u8, u32, i64, i64, i64)> {
    let mut contents: Vec<_> = said
        .iter()
        .map(|fact| {
            let mut fact = *fact;
            change(&mut fact);
            content(&fact)
        })
        .collect();
    contents.sort();
    contents
}

#[test]
fn the_mirror_image_says_the_mirror_image() {
    let flip = |fact: &mut Structure| {
        fact.direction = fact.direction.opposite();
        (fact.top, fact.bottom) = (Price(-fact.bottom.0), Price(-fact.top.0));
        // Higher high and lower low change places, lower high and higher low too.
        if fact.kind == Kind::SwingLocked && fact.extra != 0 {
            fact.extra = 5 - fact.extra;
        }
    };
    for params in settings() {
        for bars in streams() {
            let other = SmcParams { pivot_high_first: false, ..params };
            let image = run(&mirrored(&bars), &other);
            assert_eq!(contents(&run(&bars, &params), |_| {}), contents(&image, flip));
        }
    }
}

#[test]
fn a_shift_of_all_prices_shifts_the_facts() {
    let shift = 777_777;
    let params = SmcParams { pool_tolerance: Tolerance::FixedTicks(Price(4)), ..roomy() };
    for params in [roomy(), params] {
        for bars in walks() {
            let mut shifted = bars.clone();
            for bar in &mut shifted {
                for price in [&mut bar.open, &mut bar.high, &mut bar.low, &mut bar.close] {
                    price.0 += shift;
                }
            }
            let back = |fact: &mut Structure| {
                fact.top.0 -= shift;
                fact.bottom.0 -= shift;
            };
            assert_eq!(contents(&run(&bars, &params), |_| {}), contents(&run(&shifted, &params), back));
        }
    }
}

/// A small cap only removes: what is said about the objects that stay is what a large cap says, and whatever
/// is missing comes after the `Expired` of its object. Pools are apart: a seed that left cannot gather.
#[test]
fn caps_only_forget_the_oldest() {
    let is_pool = |fact: &Structure| {
        matches!(fact.kind, Kind::PoolFormed | Kind::PoolExtended | Kind::PoolSwept | Kind::PoolRun)
    };
    for cap in [1, 2, 5, 40] {
        let params = SmcParams { fvg_cap: cap, ob_cap: cap, level_cap: cap, ..roomy() };
        for bars in streams() {
            let (roomy, capped) = (run(&bars, &roomy()), run(&bars, &params));
            // One bar can be the block of several breaks; the first that left counts.
            let mut expired = BTreeMap::new();
            for fact in of_kind(&capped, Kind::Expired) {
                let object = (fact.direction as u8, fact.bar, fact.top, fact.bottom);
                expired.entry(object).or_insert(fact.known_bar);
            }
            let mut kept: BTreeMap<_, u32> = BTreeMap::new();
            for fact in capped.iter().filter(|fact| fact.kind != Kind::Expired) {
                *kept.entry(content(fact)).or_default() += 1;
            }
            for fact in roomy.iter().filter(|fact| !is_pool(fact)) {
                match kept.get_mut(&content(fact)).filter(|count| **count > 0) {
                    Some(count) => *count -= 1,
                    None => {
                        let object = (fact.direction as u8, fact.bar, fact.top, fact.bottom);
                        let left = expired.get(&object).unwrap_or_else(|| panic!("{fact:?} is missing"));
                        assert!(*left <= fact.known_bar);
                    }
                }
            }
            kept.retain(|key, count| {
                let pool = [Kind::PoolFormed, Kind::PoolExtended, Kind::PoolSwept, Kind::PoolRun];
                *count > 0 && !pool.contains(&key.1)
            });
            assert!(kept.is_empty(), "cap {cap} made things up: {kept:?}");
        }
    }
}

/// Followed by events alone: who leaves a full book is the oldest of its kind and side.
#[test]
fn caps_hold_and_the_oldest_leaves_first() {
    let cap = 3;
    let params = SmcParams { fvg_cap: cap, ob_cap: cap, ..roomy() };
    let mut expired = 0;
    for bars in streams() {
        let mut living: BTreeMap<(bool, u8), Vec<u32>> = BTreeMap::new();
        for fact in run(&bars, &params) {
            let side = fact.direction as u8;
            match fact.kind {
                Kind::FvgCreated => living.entry((true, side)).or_default().push(fact.id),
                Kind::ObCreated => living.entry((false, side)).or_default().push(fact.id),
                Kind::Expired => {
                    let book = living.values_mut().find(|book| book.contains(&fact.id)).unwrap();
                    assert_eq!((book.remove(0), book.len()), (fact.id, usize::from(cap)));
                    expired += 1;
                }
                Kind::IfvgInvalidated | Kind::BreakerInvalidated => {
                    living.values_mut().for_each(|book| book.retain(|id| *id != fact.id));
                }
                _ => {}
            }
            // One more while a gap that was just said waits for the older ones to live through its bar.
            assert!(living.values().all(|book| book.len() <= usize::from(cap) + 1));
        }
        let (mut engine, mut ids) = (engine(&params), IdSource::new());
        bars.iter().for_each(|bar| engine.on_bar(bar, &mut ids, &mut |_: Structure| {}));
        let ours: usize = engine.watched_gaps().chain(engine.order_blocks()).count();
        assert_eq!(ours, living.values().map(Vec::len).sum::<usize>());
    }
    assert!(expired > 100, "too few left to prove anything");
}

/// The read side agrees with what was said: last sweep, last swing, bias, position in the range.
#[test]
fn what_can_be_read_is_what_was_said() {
    for bars in streams() {
        let (mut engine, mut ids) = (engine(&roomy()), IdSource::new());
        let (mut swept, mut locked, mut bias) = ([None, None], [None, None], None);
        for bar in &bars {
            engine.on_bar(bar, &mut ids, &mut |fact: Structure| {
                let side = fact.direction as usize;
                match fact.kind {
                    Kind::PoolSwept => swept[side] = Some((fact.id, fact.known_bar, true)),
                    Kind::LevelSwept
                        if swept[side]
                            .is_none_or(|(_, known, is_pool)| !is_pool || known < fact.known_bar) =>
                    {
                        swept[side] = Some((fact.id, fact.known_bar, false));
                    }
                    Kind::SwingLocked => locked[side] = Some((fact.id, fact.bar, fact.top, fact.extra)),
                    Kind::Bos | Kind::Choch => bias = Some(fact.direction),
                    _ => {}
                }
            });
            for direction in [Direction::Up, Direction::Down] {
                let sweep = engine.last_sweep(direction);
                assert_eq!(sweep.map(|s| (s.id, s.known_bar, s.is_pool)), swept[direction as usize]);
                let swing = engine.last_swing(direction);
                assert_eq!(swing.map(|s| (s.id, s.bar, s.price, s.label as i64)), locked[direction as usize]);
            }
            assert_eq!(engine.bias(), bias);
            if let Some((top, bottom)) = engine.dealing_range().filter(|(top, bottom)| bottom < top) {
                assert_eq!(engine.range_position_ppm(top), Some(1_000_000));
                assert_eq!(engine.range_position_ppm(bottom), Some(0));
                assert_eq!(engine.range_half(top), Some(RangeHalf::Premium));
                assert_eq!(engine.range_half(bottom), Some(RangeHalf::Discount));
            }
        }
    }
}

/// Malformed bars between good ones are named, and change nothing that is said about the good ones.
#[test]
fn bad_bars_are_rejected_and_leave_no_trace() {
    for bars in walks() {
        let (mut engine, mut ids, mut said, mut random) =
            (engine(&roomy()), IdSource::new(), vec![], Random(5));
        for (k, bar) in bars.iter().enumerate() {
            let (bad, fault) = match random.below(5) {
                0 if k > 0 => (Bar { open_ts: bars[k - 1].open_ts, ..*bar }, BarFault::Time),
                1 => (Bar { high: Price(bar.low.0 - 1), ..*bar }, BarFault::Shape),
                2 => (Bar { close: Price(bar.high.0 + 1), ..*bar }, BarFault::Shape),
                3 => (Bar { high: Price(PRICE_MAX.0 + 1), ..*bar }, BarFault::Price),
                _ => (Bar { volume: Qty(-1), ..*bar }, BarFault::Volume),
            };
            let mut refusals = vec![];
            engine.on_bar(&bad, &mut ids, &mut |fact| refusals.push(fact));
            assert_eq!(refusals.len(), 1);
            let refusal = refusals[0];
            assert_eq!((refusal.kind, refusal.known_bar as usize), (Kind::InputRejected, k));
            assert_eq!(refusal.extra, fault as i64);
            engine.on_bar(bar, &mut ids, &mut |fact| said.push(fact));
        }
        assert_eq!(said, run(&bars, &roomy()));
    }
}

/// Whatever numbers a bar holds, nothing panics.
#[test]
fn no_bar_can_crash_the_engine() {
    let mut random = Random(11);
    let extremes = [0, 1, -1, PRICE_MAX.0, -PRICE_MAX.0, i64::MAX, i64::MIN, PRICE_MAX.0 - 1];
    for params in settings() {
        let params = SmcParams { pool_tolerance: Tolerance::PctOfPrice(u32::MAX), ..params };
        let (mut engine, mut ids, mut rejected, mut ts) = (engine(&params), IdSource::new(), 0, 0);
        for _ in 0..20_000 {
            let mut price = || match random.below(3) {
                0 => extremes[random.below(extremes.len() as u64) as usize],
                1 => random.next() as i64 >> 2,
                _ => random.below(10),
            };
            let mut prices = [price(), price(), price(), price()];
            if random.below(8) != 0 {
                prices.sort();
            }
            let [low, open, close, high] = prices.map(Price);
            ts += random.below(20) as u64;
            let volume = Qty(random.next() as i64 >> (random.below(63)));
            let bar = Bar { open_ts: TsNs(ts), open, high, low, close, volume, trades: 0 };
            engine.on_bar(&bar, &mut ids, &mut |fact: Structure| {
                rejected += u32::from(fact.kind == Kind::InputRejected);
            });
        }
        assert!(0 < rejected && 1_000 < engine.bar_count());
        let _ = (engine.atr(), engine.dealing_range(), engine.range_position_ppm(Price(i64::MIN)));
    }
}
