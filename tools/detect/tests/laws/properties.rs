//! The invariants of the reference on random bars under random settings.
//!
//! `SMC_LAWS_CASES` cases a law; a failure prints the smallest case found and the seed of the run.

use crate::invariants::{check, sign};
use crate::random::{Case, case};
use crate::record::{Record, Speaker};
use crate::{number, seed};
use proptest::prelude::*;
use proptest::sample::Index;
use proptest::strategy::ValueTree;
use proptest::test_runner::{RngSeed, TestRunner};
use smc_core::event::Bar;
use smc_core::output::{Scope, Structure, StructureKind as Kind};
use smc_core::smc::{SmcParams, Tolerance};
use smc_core::words::{Price, Qty, Timeframe, TsNs};
use std::collections::BTreeSet;

fn config() -> ProptestConfig {
    let cases = u32::try_from(number("SMC_LAWS_CASES", 64)).unwrap();
    ProptestConfig {
        cases,
        rng_seed: RngSeed::Fixed(seed()),
        failure_persistence: None,
        ..ProptestConfig::default()
    }
}

fn timeframe() -> Timeframe {
    Timeframe::parse("15m").unwrap()
}

fn record(case: &Case) -> Record {
    Record::of(&case.bars, timeframe(), &case.params, &case.calendar)
}

/// What a fact says without its ids, which depend on which side speaks first.
type Content = (u32, Kind, Scope, u8, u32, [i64; 4]);

fn content(fact: &Structure) -> Content {
    let Structure { known_bar, kind, scope, direction, bar, top, bottom, extra, value, .. } = *fact;
    (known_bar, kind, scope, direction as u8, bar, [top.0, bottom.0, extra, value])
}

fn contents(said: &[Structure], change: impl Fn(&mut Structure)) -> Vec<Content> {
    let changed = |fact: &Structure| {
        let mut fact = *fact;
        change(&mut fact);
        content(&fact)
    };
    let mut contents: Vec<_> = said.iter().map(changed).collect();
    contents.sort_unstable();
    contents
}

fn assert_same(ours: &[Content], theirs: &[Content]) {
    if let Some(at) = (0..ours.len().max(theirs.len())).find(|&at| ours.get(at) != theirs.get(at)) {
        panic!("at {at}: {:?} but {:?}", ours.get(at), theirs.get(at));
    }
}

fn is_pool(kind: Kind) -> bool {
    matches!(kind, Kind::PoolFormed | Kind::PoolExtended | Kind::PoolSwept | Kind::PoolRun)
}

/// The prices negated: what was high is low.
fn mirrored(bar: &Bar) -> Bar {
    let flip = |price: Price| Price(-price.0);
    Bar { open: flip(bar.open), high: flip(bar.low), low: flip(bar.high), close: flip(bar.close), ..*bar }
}

fn flipped(fact: &mut Structure) {
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
}

/// A bar that breaks both ways takes its upper level first, and so does its mirror image.
fn has_double_break(said: &[Structure]) -> bool {
    let mut breaks = BTreeSet::new();
    said.iter().filter(|fact| fact.kind.is_break()).any(|fact| !breaks.insert((fact.scope, fact.known_bar)))
}

/// Something that is no next bar: a bar come twice or late, or none at all.
fn refused(choice: u8, bar: &Bar, before: Option<&Bar>) -> Bar {
    match (choice % 8, before) {
        (0, Some(before)) => *before,
        (1, Some(before)) => Bar { open_ts: before.open_ts, ..*bar },
        (2, Some(before)) => Bar { open_ts: TsNs(before.open_ts.0 - 1), ..*bar },
        (3, _) => Bar { high: Price(bar.low.0 - 1), ..*bar },
        (4, _) => Bar { open: Price(bar.high.0 + 1), ..*bar },
        (5, _) => Bar { close: Price(bar.low.0 - 1), ..*bar },
        (6, _) => Bar { high: Price(i64::MAX), ..*bar },
        _ => Bar { volume: Qty(-1), ..*bar },
    }
}

/// The laws below are about something: the random markets say everything that can be said, and few of them are
/// beyond the mirror law.
#[test]
fn random_markets_say_everything() {
    let mut runner = TestRunner::deterministic();
    let (mut kinds, mut facts, mut doubles) = (BTreeSet::new(), 0, 0);
    for _ in 0..300 {
        let said = record(&case().new_tree(&mut runner).unwrap().current()).facts;
        facts += said.len();
        doubles += u32::from(has_double_break(&said));
        kinds.extend(said.iter().map(|fact| fact.kind));
    }
    println!("{} kinds, {facts} facts, {doubles} of 300 with a double break", kinds.len());
    // All but `InputRejected`: these are all bars.
    assert!(kinds.len() == 34 && facts > 30_000 && doubles < 60, "{kinds:?} {facts} {doubles}");
}

proptest! {
    #![proptest_config(config())]

    /// 1: what is said cannot depend on later bars; a snapshot at any bar, taken once or twice, goes on.
    #[test]
    fn prefixes_and_snapshots(case in case(), cuts: [Index; 2]) {
        let whole = record(&case);
        let mut cuts = cuts.map(|cut| cut.index(case.bars.len() + 1));
        cuts.sort_unstable();
        let part = Record::of(&case.bars[..cuts[0]], timeframe(), &case.params, &case.calendar);
        assert!(part.bytes == whole.bytes[..whole.before[cuts[0]]], "bar {} changed the past", cuts[0]);
        let mut bytes = vec![];
        let mut speaker = Speaker::new(timeframe(), &case.params, &case.calendar);
        for (k, bar) in case.bars.iter().enumerate() {
            for _ in cuts.iter().filter(|cut| **cut == k) {
                let saved = speaker.save();
                speaker = Speaker::new(timeframe(), &case.params, &case.calendar);
                speaker.load(&saved);
                assert!(speaker.save() == saved, "saved again at {k}");
            }
            speaker.on_bar(bar, &mut |fact, said| {
                assert_eq!(fact.known_bar as usize, k);
                bytes.extend_from_slice(said);
            });
        }
        assert!(bytes == whole.bytes, "restarts at {cuts:?} changed what is said");
    }

    /// 2 to 7: see `invariants.rs`. Also 11, ends are no more than births.
    #[test]
    fn every_fact_keeps_its_invariants(case in case()) {
        check(&case, &record(&case).facts);
    }

    /// 8: the mirror image says the mirror image.
    #[test]
    fn mirror(case in case()) {
        let said = record(&case).facts;
        let bars = case.bars.iter().map(mirrored).collect();
        let params = SmcParams { pivot_high_first: !case.params.pivot_high_first, ..case.params };
        let image = record(&Case { bars, params, calendar: case.calendar.clone() }).facts;
        if !has_double_break(&said) && !has_double_break(&image) {
            assert_same(&contents(&said, |_| {}), &contents(&image, flipped));
        }
    }

    /// 8: all prices shifted say the same, shifted, where no rule measures a price itself.
    #[test]
    fn shift(case in case(), shift in -60_000i64..1_000_000) {
        let mut params = SmcParams { fvg_auto_threshold: false, ..case.params };
        if let Tolerance::PctOfPrice(ppm) = params.pool_tolerance {
            params.pool_tolerance = Tolerance::FixedTicks(Price(i64::from(ppm) / 10));
        }
        let moved = |bar: &Bar| {
            let [open, high, low, close] =
                [bar.open, bar.high, bar.low, bar.close].map(|price| Price(price.0 + shift));
            Bar { open, high, low, close, ..*bar }
        };
        let shifted = Case { bars: case.bars.iter().map(moved).collect(), params, ..case.clone() };
        let back = |fact: &mut Structure| {
            (fact.top, fact.bottom) = (Price(fact.top.0 - shift), Price(fact.bottom.0 - shift));
            // Of what expires, pools alone have a value: their mean.
            if is_pool(fact.kind) || fact.kind == Kind::Expired && fact.value != 0 {
                fact.value -= shift;
            }
        };
        let said = record(&Case { params, ..case }).facts;
        assert_same(&contents(&said, |_| {}), &contents(&record(&shifted).facts, back));
    }

    /// 9: bars that come twice, late or malformed are told and change nothing.
    #[test]
    fn refused_bars_change_nothing(case in case(), noise in proptest::collection::vec(0u8..16, 260)) {
        let whole = record(&case);
        let mut speaker = Speaker::new(timeframe(), &case.params, &case.calendar);
        let mut bytes = vec![];
        for (k, bar) in case.bars.iter().enumerate() {
            if noise[k] < 8 {
                let bad = refused(noise[k], bar, k.checked_sub(1).map(|before| &case.bars[before]));
                let (saved, mut told) = (speaker.save(), 0);
                speaker.on_bar(&bad, &mut |fact, _| {
                    assert_eq!((fact.kind, fact.id, fact.known_bar as usize), (Kind::InputRejected, 0, k));
                    told += 1;
                });
                assert!(told == 1 && speaker.save() == saved, "{bad:?} left a trace");
            }
            speaker.on_bar(bar, &mut |_, said| bytes.extend_from_slice(said));
        }
        assert!(bytes == whole.bytes);
    }

    /// 10: caps that are never reached say nothing; one that is lets go and adds nothing but that.
    #[test]
    fn caps(case in case()) {
        let with = |cap: u16| {
            let params =
                SmcParams { fvg_cap: cap, ob_cap: cap, pool_cap: cap, level_cap: cap, ..case.params };
            record(&Case { params, ..case.clone() })
        };
        let roomy = with(5_000);
        assert!(with(300).bytes == roomy.bytes);
        assert!(roomy.facts.iter().all(|fact| fact.kind != Kind::Expired));
        // Pools apart: a seed that left cannot gather.
        let all: BTreeSet<_> = roomy.facts.iter().map(content).collect();
        for fact in &record(&case).facts {
            let is_of_pool = is_pool(fact.kind) || fact.kind == Kind::Expired;
            assert!(is_of_pool || all.contains(&content(fact)), "{} {fact:?}", sign(fact));
        }
    }
}
