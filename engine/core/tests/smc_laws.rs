//! Laws that hold for every stream of bars and every setting.
#![allow(clippy::unwrap_used, reason = "a test may crash")]

mod smc_common;

use std::collections::{BTreeMap, BTreeSet};

use smc_common::{Random, engine, golden_bars, mirrored, of_kind, roomy, run, walks};
use smc_core::event::Bar;
use smc_core::output::{Scope, Structure, StructureKind as Kind};
use smc_core::smc::{
    BarFault, BlockBar, FvgMitigation, IdSource, InternalParams, PRICE_MAX, RangeHalf, SmcParams, Strength,
    Tolerance,
};
use smc_core::words::Direction;
use smc_core::{Price, Qty, TsNs};

/// Everything that can be said, and nothing evicted but patterns.
fn everything() -> SmcParams {
    let SmcParams { fvg_cap, ob_cap, pool_cap, level_cap, .. } = roomy();
    SmcParams { fvg_cap, ob_cap, pool_cap, level_cap, ..SmcParams::everything() }
}

/// The same with other choices wherever there are some.
fn everything_else() -> SmcParams {
    SmcParams {
        internal: Some(InternalParams { ignores_swing_level: false, ..InternalParams::window(2) }),
        fvg_join: true,
        fvg_mitigation: FvgMitigation::Half,
        pool_tolerance: Tolerance::RangePct { ppm: 50_000, bars: 40 },
        ob_block: BlockBar::LastOpposite,
        ..everything().with_leg(4)
    }
}

fn settings() -> [SmcParams; 8] {
    [
        everything(),
        everything_else(),
        SmcParams { fvg_cap: 2, ob_cap: 2, pool_cap: 2, level_cap: 2, ..everything_else() },
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
    let is_zone = matches!(kind, FvgCreated | FvgJoined | ObCreated);
    kind.is_break()
        || is_zone
        || matches!(kind, PivotConfirmed | SwingStarted | PatternConfirmed | PoolFormed | PeriodRolled)
        || kind == SessionOpened
}

/// A period and a session live on when one of their levels is swept.
fn is_terminal(fact: &Structure) -> bool {
    use Kind::*;
    let is_of_calendar = fact.kind == LevelSwept && fact.value != 0;
    !is_of_calendar
        && matches!(
            fact.kind,
            SwingLocked
                | PatternSuperseded
                | IfvgInvalidated
                | BreakerInvalidated
                | PoolSwept
                | PoolRun
                | LevelSwept
                | Expired
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
                assert!(!ended[fact.id as usize], "{fact:?} after its end");
                ended[fact.id as usize] = is_terminal(&fact);
                if fact.kind == Kind::FvgJoined {
                    assert!(!std::mem::replace(&mut ended[fact.cause_id as usize], true), "{fact:?}");
                }
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
                assert!(cause.is_none_or(|cause| cause.scope == fact.scope), "{fact:?} of another scope");
                match fact.kind {
                    Kind::Bos | Kind::Choch | Kind::Mss => {
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
                        assert!(cause.kind.is_break());
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
                    Kind::FvgJoined => {
                        let taken = cause.unwrap();
                        assert!(matches!(taken.kind, Kind::FvgCreated | Kind::FvgJoined));
                        assert_eq!((taken.direction, taken.bar + 1), (fact.direction, fact.bar));
                        assert!(fact.bottom <= taken.bottom && taken.top <= fact.top);
                    }
                    Kind::PatternConfirmed => {
                        let swing = cause.unwrap();
                        assert_eq!((swing.kind, swing.direction), (Kind::SwingStarted, fact.direction));
                        assert!(swing.bar <= fact.bar && fact.top == fact.bottom);
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

/// A change of character always turns the bias of its scope, a break of structure never does; each says the
/// bias before it, and a shift is a change with enough displacement.
#[test]
fn bias_turns_with_every_change_of_character_only() {
    let mut shifts = 0;
    for params in [roomy(), everything(), everything_else()] {
        for bars in streams() {
            let mut biases = [0, 0];
            for fact in run(&bars, &params).iter().filter(|fact| fact.kind.is_break()) {
                let bias = &mut biases[fact.scope as usize];
                let now = if fact.direction == Direction::Up { 1 } else { -1 };
                assert_eq!(fact.value, *bias);
                assert_eq!(fact.kind.is_turn(), *bias == -now, "{fact:?}");
                let is_large = params.mss_min_ppm > 0 && fact.extra >= i64::from(params.mss_min_ppm);
                assert_eq!(fact.kind == Kind::Mss, is_large && fact.kind.is_turn());
                shifts += u32::from(fact.kind == Kind::Mss);
                *bias = now;
            }
        }
    }
    assert!(shifts > 100);
}

#[test]
fn locked_swings_alternate_and_top_their_runs() {
    for params in settings() {
        for bars in streams() {
            for scope in [Scope::Swing, Scope::Internal] {
                let mut said = run(&bars, &params);
                said.retain(|fact| fact.scope == scope);
                check_swings(&said);
            }
        }
    }
}

fn check_swings(said: &[Structure]) {
    let locked: Vec<_> = of_kind(said, Kind::SwingLocked).collect();
    assert!(locked.windows(2).all(|pair| pair[0].direction != pair[1].direction));
    let mut run_start = 0;
    for swing in locked {
        for pivot in of_kind(said, Kind::PivotConfirmed) {
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

/// Without the others switched on, what a part says is what it says among them.
#[test]
fn parts_do_not_disturb_each_other() {
    for whole in [everything(), everything_else()] {
        let off = SmcParams {
            internal: None,
            patterns: false,
            order_blocks: false,
            gaps: false,
            liquidity: false,
            ..whole
        };
        let alone = [
            off,
            SmcParams { internal: whole.internal, ..off },
            SmcParams { patterns: true, ..off },
            SmcParams { order_blocks: true, ..off },
            SmcParams { gaps: true, ..off },
            SmcParams { liquidity: true, ..off },
        ];
        for bars in streams() {
            let among: BTreeSet<_> = contents(&run(&bars, &whole), |_| {}).into_iter().collect();
            let mut together: BTreeSet<_> = BTreeSet::new();
            for params in &alone {
                together.extend(contents(&run(&bars, params), |_| {}));
            }
            // Blocks of internal breaks need both.
            let both = SmcParams { order_blocks: true, internal: whole.internal, ..off };
            together.extend(contents(&run(&bars, &both), |_| {}));
            assert_eq!(among, together);
        }
    }
}

/// What a fact says without its ids, which depend on which side speaks first.
type Content = (u32, Kind, Scope, u8, u32, [i64; 4]);

fn content(fact: &Structure) -> Content {
    let Structure { known_bar, kind, scope, direction, bar, top, bottom, extra, value, .. } = *fact;
    (known_bar, kind, scope, direction as u8, bar, [top.0, bottom.0, extra, value])
}

fn contents(said: &[Structure], change: impl Fn(&mut Structure)) -> Vec<Content> {
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

fn is_pool(kind: Kind) -> bool {
    matches!(kind, Kind::PoolFormed | Kind::PoolExtended | Kind::PoolSwept | Kind::PoolRun)
}

/// As `assert_eq`, but tells the first difference alone.
fn assert_same<T: PartialEq + std::fmt::Debug>(ours: &[T], theirs: &[T]) {
    if let Some(at) = (0..ours.len().max(theirs.len())).find(|&at| ours.get(at) != theirs.get(at)) {
        panic!("at {at}: {:?} but {:?}", ours.get(at), theirs.get(at));
    }
}

#[test]
fn the_mirror_image_says_the_mirror_image() {
    let flip = |fact: &mut Structure| {
        // What the calendar draws has two sides at once.
        if !matches!(fact.kind, Kind::PeriodRolled | Kind::SessionOpened | Kind::SessionClosed) {
            fact.direction = fact.direction.opposite();
        }
        (fact.top, fact.bottom) = (Price(-fact.bottom.0), Price(-fact.top.0));
        // Discount and premium change places.
        if fact.kind == Kind::ZoneChanged {
            let flipped = |zone: i64| if zone == 1 || zone == 3 { 4 - zone } else { zone };
            (fact.extra, fact.value) = (flipped(fact.extra), flipped(fact.value));
        }
        // Higher high and lower low change places, lower high and higher low too.
        if fact.kind == Kind::SwingLocked && fact.extra != 0 {
            fact.extra = 5 - fact.extra;
        }
        // The bias before a break; the mean level of a pool.
        if fact.kind.is_break() || is_pool(fact.kind) || fact.kind == Kind::Expired {
            fact.value = -fact.value;
        }
    };
    for params in settings() {
        for bars in streams() {
            let other = SmcParams { pivot_high_first: false, ..params };
            let image = run(&mirrored(&bars), &other);
            assert_same(&contents(&run(&bars, &params), |_| {}), &contents(&image, flip));
        }
    }
}

#[test]
fn a_shift_of_all_prices_shifts_the_facts() {
    let shift = 777_777;
    let params = SmcParams { pool_tolerance: Tolerance::FixedTicks(Price(4)), ..roomy() };
    for params in [roomy(), params, everything(), everything_else()] {
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
                if is_pool(fact.kind) {
                    fact.value -= shift;
                }
            };
            assert_eq!(contents(&run(&bars, &params), |_| {}), contents(&run(&shifted, &params), back));
        }
    }
}

/// A small cap only removes: what is said about the objects that stay is what a large cap says, and whatever
/// is missing comes after the `Expired` of its object. Pools are apart: a seed that left cannot gather.
#[test]
fn caps_only_forget_the_oldest() {
    for cap in [1, 2, 5, 40] {
        for base in [roomy(), everything(), everything_else()] {
            let params = SmcParams { fvg_cap: cap, ob_cap: cap, level_cap: cap, ..base };
            for bars in streams() {
                check_that_caps_only_forget(&run(&bars, &base), &run(&bars, &params));
            }
        }
    }
}

fn check_that_caps_only_forget(roomy: &[Structure], capped: &[Structure]) {
    let object = |fact: &Structure| (fact.scope, fact.direction as u8, fact.bar, fact.top, fact.bottom);
    // One bar can be the block of several breaks; the first that left counts.
    let mut expired = BTreeMap::new();
    for fact in of_kind(capped, Kind::Expired) {
        expired.entry(object(fact)).or_insert(fact.known_bar);
    }
    let mut kept: BTreeMap<_, u32> = BTreeMap::new();
    for fact in capped.iter().filter(|fact| fact.kind != Kind::Expired) {
        *kept.entry(content(fact)).or_default() += 1;
    }
    for fact in roomy.iter().filter(|fact| !is_pool(fact.kind)) {
        match kept.get_mut(&content(fact)).filter(|count| **count > 0) {
            Some(count) => *count -= 1,
            None => {
                let left = expired.get(&object(fact)).unwrap_or_else(|| panic!("{fact:?} is missing"));
                assert!(*left <= fact.known_bar);
            }
        }
    }
    kept.retain(|key, count| *count > 0 && !is_pool(key.1));
    assert!(kept.is_empty(), "made up: {kept:?}");
}

/// Followed by events alone: who leaves a full book is the oldest of its kind, scope and side.
#[test]
fn caps_hold_and_the_oldest_leaves_first() {
    let cap = 3;
    let mut expired = 0;
    for base in [roomy(), everything(), everything_else()] {
        // Pools and levels say `Expired` too; here they never have to.
        let params = SmcParams { fvg_cap: cap, ob_cap: cap, ..base };
        for bars in streams() {
            let mut living: BTreeMap<(bool, Scope, u8), Vec<u32>> = BTreeMap::new();
            for fact in run(&bars, &params) {
                let (scope, side) = (fact.scope, fact.direction as u8);
                match fact.kind {
                    Kind::FvgJoined => {
                        let book = living.get_mut(&(true, scope, side)).unwrap();
                        assert_eq!(book.pop(), Some(fact.cause_id), "the newest is taken in");
                        book.push(fact.id);
                    }
                    Kind::FvgCreated => living.entry((true, scope, side)).or_default().push(fact.id),
                    Kind::ObCreated => living.entry((false, scope, side)).or_default().push(fact.id),
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
            let inner = engine.order_blocks_of(Scope::Internal);
            let ours: usize = engine.watched_gaps().chain(engine.order_blocks()).chain(inner).count();
            assert_eq!(ours, living.values().map(Vec::len).sum::<usize>());
        }
    }
    assert!(expired > 100, "too few left to prove anything");
}

/// The read side agrees with what was said: last sweep, last swing, bias, position in the range.
#[test]
fn what_can_be_read_is_what_was_said() {
    for params in [roomy(), everything_else()] {
        for bars in streams() {
            let (mut engine, mut ids) = (engine(&params), IdSource::new());
            let mut swept = [None, None];
            let (mut locked, mut started, mut bias) = ([[None; 2]; 2], [[false; 2]; 2], [None; 2]);
            for bar in &bars {
                engine.on_bar(bar, &mut ids, &mut |fact: Structure| {
                    let (side, scope) = (fact.direction as usize, fact.scope as usize);
                    match fact.kind {
                        Kind::PoolSwept => swept[side] = Some((fact.id, fact.known_bar, true)),
                        Kind::LevelSwept
                            if fact.value == 0
                                && swept[side]
                                    .is_none_or(|(_, known, is_pool)| !is_pool || known < fact.known_bar) =>
                        {
                            swept[side] = Some((fact.id, fact.known_bar, false));
                        }
                        Kind::SwingStarted => started[scope][side] = true,
                        Kind::SwingLocked => {
                            locked[scope][side] = Some((fact.id, fact.bar, fact.top, fact.extra));
                        }
                        kind if kind.is_break() => bias[scope] = Some(fact.direction),
                        _ => {}
                    }
                });
                for direction in [Direction::Up, Direction::Down] {
                    let side = direction as usize;
                    let sweep = engine.last_sweep(direction);
                    assert_eq!(sweep.map(|s| (s.id, s.known_bar, s.is_pool)), swept[side]);
                    for scope in [Scope::Swing, Scope::Internal] {
                        let swing = engine.last_swing_of(scope, direction);
                        let swing = swing.map(|s| (s.id, s.bar, s.price, s.label as i64));
                        assert_eq!(swing, locked[scope as usize][side]);
                        let is_against = bias[scope as usize] == Some(direction.opposite());
                        let strength = if is_against { Strength::Strong } else { Strength::Weak };
                        let expected = started[scope as usize][side].then_some(strength);
                        assert_eq!(engine.strength(scope, direction), expected);
                    }
                }
                assert_eq!([Scope::Swing, Scope::Internal].map(|scope| engine.bias_of(scope)), bias);
                if let Some((top, bottom)) = engine.dealing_range().filter(|(top, bottom)| bottom < top) {
                    assert_eq!(engine.range_position_ppm(top), Some(1_000_000));
                    assert_eq!(engine.range_position_ppm(bottom), Some(0));
                    assert_eq!(engine.range_half(top), Some(RangeHalf::Premium));
                    assert_eq!(engine.range_half(bottom), Some(RangeHalf::Discount));
                }
            }
        }
    }
}

/// Told bar by bar or found with the whole history at hand, pools are the same: pivots in the order of their
/// bars, each joins the earliest seed within its tolerance that nothing has swept before the pivot's bar.
#[test]
fn pools_need_no_hindsight() {
    type Pool = (u8, u32, u32, i64, u32);
    let high = |side: i64, bar: &Bar| (side * bar.high.0).max(side * bar.low.0);
    let mut pools = 0;
    for tolerance in [1, 3, 10] {
        let params = SmcParams { pool_tolerance: Tolerance::FixedTicks(Price(tolerance)), ..roomy() };
        for params in [params, params.with_swing_length(2), params.with_leg(3)] {
            for bars in walks() {
                let said = run(&bars, &params);
                let mut live: BTreeMap<u32, Pool> = BTreeMap::new();
                for fact in said.iter().filter(|fact| is_pool(fact.kind)) {
                    let swept = if fact.cause_id == 0 { fact.known_bar } else { 0 };
                    let pool = (fact.direction as u8, fact.bar, fact.extra as u32, fact.value, swept);
                    live.insert(fact.id, pool);
                }
                let mut batch: Vec<Pool> = vec![];
                for (side, sign) in [(0, 1), (1, -1)] {
                    // Seed's bar, seed, members, bar that sweeps it.
                    let mut seeds: Vec<(u32, i64, Vec<i64>, Option<usize>)> = vec![];
                    let pivots = of_kind(&said, Kind::PivotConfirmed).filter(|p| p.direction as u8 == side);
                    for pivot in pivots {
                        let price = sign * pivot.top.0;
                        let taker = seeds.iter_mut().find(|(_, seed, _, swept)| {
                            (price - seed).abs() <= tolerance
                                && swept.is_none_or(|at| (pivot.bar as usize) < at)
                        });
                        if let Some((_, _, members, _)) = taker {
                            members.push(price);
                            continue;
                        }
                        let mut later = pivot.bar as usize + 1..bars.len();
                        let swept = later.find(|&j| high(sign, &bars[j]) >= price + tolerance);
                        seeds.push((pivot.bar, price, vec![price], swept));
                    }
                    for (bar, _, members, swept) in seeds.iter().filter(|seed| seed.2.len() > 1) {
                        let mean = members.iter().sum::<i64>().div_euclid(members.len() as i64);
                        let swept = swept.map_or(0, |at| at as u32);
                        batch.push((side, *bar, members.len() as u32, sign * mean, swept));
                    }
                }
                let mut live: Vec<Pool> = live.into_values().collect();
                live.sort_unstable();
                batch.sort_unstable();
                assert_eq!(live, batch);
                pools += live.len();
            }
        }
    }
    assert!(pools > 1_000, "only {pools} pools");
}

/// Malformed bars between good ones are named, and change nothing that is said about the good ones.
#[test]
fn bad_bars_are_rejected_and_leave_no_trace() {
    for (bars, params) in walks().into_iter().zip([roomy(), everything(), everything_else()].iter().cycle()) {
        let (mut engine, mut ids, mut said, mut random) =
            (engine(params), IdSource::new(), vec![], Random(5));
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
        assert_eq!(said, run(&bars, params));
    }
}

/// Whatever numbers a bar holds, nothing panics.
#[test]
fn no_bar_can_crash_the_engine() {
    let mut random = Random(11);
    let extremes = [0, 1, -1, PRICE_MAX.0, -PRICE_MAX.0, i64::MAX, i64::MIN, PRICE_MAX.0 - 1];
    let wild = |params| SmcParams { pool_tolerance: Tolerance::PctOfPrice(u32::MAX), ..params };
    let bodies = |params| SmcParams { fvg_auto_threshold: true, ..params };
    for params in settings().into_iter().flat_map(|params| [wild(params), bodies(params)]) {
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
