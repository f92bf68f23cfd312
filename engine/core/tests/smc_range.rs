//! Range, zones, optimal entry band and retracement against a slow twin in exact arithmetic.
#![allow(clippy::unwrap_used, reason = "a test may crash")]

mod smc_common;

use smc_common::{Random, engine, golden_bars, mirrored, of_kind, roomy, run, walks};
use smc_core::event::Bar;
use smc_core::output::{Structure, StructureKind as Kind};
use smc_core::smc::{IdSource, RangeBands, SmcParams};
use smc_core::words::Direction;
use smc_core::{Price, Qty, TsNs};

/// Known, kind, side, bar, top, bottom, extra, value, cause.
type Fact = (usize, Kind, u8, usize, i64, i64, i64, i64, u32);

fn is_of_range(fact: &Structure) -> bool {
    use Kind::*;
    matches!(fact.kind, RangeChanged | ZoneChanged | OteEntered | OteLeft | RetracementReached)
}

fn plain(fact: &Structure) -> Fact {
    let Structure { known_bar, kind, direction, bar, top, bottom, extra, value, cause_id, .. } = *fact;
    (known_bar as usize, kind, direction as u8, bar as usize, top.0, bottom.0, extra, value, cause_id)
}

/// A leg as everybody sees it; `sign` is +1 after a swing high.
#[derive(Clone, Copy, PartialEq)]
struct Leg {
    sign: i64,
    swing: u32,
    bar: usize,
    origin: i64,
    end: i64,
    since: usize,
}

impl Leg {
    fn height(&self) -> i128 {
        i128::from(self.sign * (self.end - self.origin))
    }

    /// Numerator of the retracement in ppm; its denominator is the height.
    fn back(&self, price: i64) -> i128 {
        i128::from(self.sign * (self.end - price)) * 1_000_000
    }

    fn is_at_least(&self, price: i64, ppm: u32) -> bool {
        self.height() > 0 && self.back(price) >= self.height() * i128::from(ppm)
    }

    fn is_at_most(&self, price: i64, ppm: u32) -> bool {
        self.height() > 0 && self.back(price) <= self.height() * i128::from(ppm)
    }

    /// The first price on the way back with a retracement of `ppm` at least, by halving.
    fn first_at_least(&self, ppm: u32) -> i64 {
        let (mut no, mut yes) = (-1i64, self.height() as i64 * 5);
        while yes - no > 1 {
            let mid = no + (yes - no) / 2;
            if self.is_at_least(self.end - self.sign * mid, ppm) { yes = mid } else { no = mid }
        }
        self.end - self.sign * yes
    }

    /// The last price on the way back with a retracement of `ppm` at most.
    fn last_at_most(&self, ppm: u32) -> i64 {
        let (mut yes, mut no) = (0i64, self.height() as i64 * 5);
        while no - yes > 1 {
            let mid = yes + (no - yes) / 2;
            if self.is_at_most(self.end - self.sign * mid, ppm) { yes = mid } else { no = mid }
        }
        self.end - self.sign * yes
    }
}

/// What is true after one bar, made from the swings said and all bars again.
struct Now {
    /// Price, bar and cause of both edges.
    edges: Option<[(i64, usize, u32); 2]>,
    zone: i64,
    swing_side: u8,
    leg: Option<Leg>,
    is_inside: bool,
}

struct Twin<'a> {
    bars: &'a [Bar],
    params: &'a SmcParams,
    /// Swings as they were said: started, extended, locked.
    swings: Vec<Structure>,
}

impl Twin<'_> {
    /// The last swing of a side that was started or extended by bar `k`.
    fn swing(&self, k: usize, is_it: impl Fn(&Structure) -> bool) -> Option<&Structure> {
        let is_known = |fact: &&Structure| fact.known_bar as usize <= k && is_it(fact);
        self.swings.iter().rfind(is_known)
    }

    fn edge(&self, k: usize, side: Direction) -> Option<(i64, usize, u32)> {
        let is_it = |fact: &Structure| fact.kind != Kind::SwingLocked && fact.direction == side;
        let swing = self.swing(k, is_it)?;
        let sign = if side == Direction::Up { 1 } else { -1 };
        let extreme = |j: usize| if sign > 0 { self.bars[j].high.0 } else { -self.bars[j].low.0 };
        let later = swing.known_bar as usize + 1..=k;
        let most = later.clone().map(extreme).max().unwrap_or(i64::MIN);
        if most <= sign * swing.top.0 {
            return Some((swing.top.0, swing.bar as usize, swing.id));
        }
        let bar = later.into_iter().find(|&j| extreme(j) == most).unwrap();
        Some((sign * most, bar, 0))
    }

    fn zone(&self, close: i64, top: i64, bottom: i64) -> i64 {
        let (height, above) = (i128::from(top - bottom), i128::from(close - bottom) * 1_000);
        if height == 0 {
            return 0;
        }
        match self.params.range_bands {
            RangeBands::Halves => 1 + i64::from(above >= 500 * height) + i64::from(above > 500 * height),
            RangeBands::Bands if above <= 50 * height => 1,
            RangeBands::Bands if above >= 950 * height => 3,
            RangeBands::Bands if (475 * height..=525 * height).contains(&above) => 2,
            RangeBands::Bands => 4,
        }
    }

    fn leg(&self, k: usize) -> Option<Leg> {
        let end = self.swing(k, |fact| fact.kind != Kind::SwingLocked)?;
        let is_origin = |fact: &Structure| fact.kind == Kind::SwingLocked && fact.direction != end.direction;
        let origin = self.swing(k, is_origin)?;
        Some(Leg {
            sign: if end.direction == Direction::Up { 1 } else { -1 },
            swing: end.id,
            bar: end.bar as usize,
            origin: origin.top.0,
            end: end.top.0,
            since: end.known_bar as usize,
        })
    }

    fn now(&self, k: usize) -> Now {
        let close = self.bars[k].close.0;
        let both = self.edge(k, Direction::Up).zip(self.edge(k, Direction::Down));
        let leg = self.leg(k);
        let (from, to) = (self.params.ote_from_ppm, self.params.ote_to_ppm);
        Now {
            edges: both.map(|(up, down)| [up, down]),
            zone: both.map_or(0, |(up, down)| self.zone(close, up.0, down.0)),
            swing_side: self
                .swing(k, |fact| fact.kind != Kind::SwingLocked)
                .map_or(0, |fact| fact.direction as u8),
            leg,
            is_inside: leg.is_some_and(|leg| leg.is_at_least(close, from) && leg.is_at_most(close, to)),
        }
    }

    /// The wick that retraces.
    fn wick(&self, k: usize, leg: &Leg) -> i64 {
        if leg.sign > 0 { self.bars[k].low.0 } else { self.bars[k].high.0 }
    }

    fn facts(&self) -> Vec<Fact> {
        let mut facts = vec![];
        let mut before: Option<Now> = None;
        for k in 0..self.bars.len() {
            let now = self.now(k);
            self.range_facts(k, before.as_ref(), &now, &mut facts);
            self.band_facts(k, before.as_ref(), &now, &mut facts);
            if let Some(leg) = now.leg.filter(|leg| leg.height() > 0) {
                for level in self.params.retracement_levels_ppm.into_iter().filter(|level| *level > 0) {
                    let is_reached = |j| leg.is_at_least(self.wick(j, &leg), level);
                    if is_reached(k) && !(leg.since..k).any(is_reached) {
                        let price = leg.first_at_least(level);
                        let side = u8::from(leg.sign < 0);
                        let (kind, level) = (Kind::RetracementReached, i64::from(level));
                        facts.push((k, kind, side, leg.bar, price, price, level, 0, leg.swing));
                    }
                }
            }
            before = Some(now);
        }
        facts
    }

    fn range_facts(&self, k: usize, before: Option<&Now>, now: &Now, facts: &mut Vec<Fact>) {
        let Some(edges) = now.edges else { return };
        let (top, bottom) = (edges[0].0, edges[1].0);
        let old = before.and_then(|before| before.edges);
        for side in 0..2 {
            let (price, bar, cause) = edges[side];
            if old.is_none_or(|old| old[side].0 != price) {
                facts.push((k, Kind::RangeChanged, side as u8, bar, top, bottom, 0, 0, cause));
            }
        }
        let zone = before.map_or(0, |before| before.zone);
        if now.zone != zone {
            facts.push((k, Kind::ZoneChanged, now.swing_side, k, top, bottom, now.zone, zone, 0));
        }
    }

    fn band_facts(&self, k: usize, before: Option<&Now>, now: &Now, facts: &mut Vec<Fact>) {
        let fact = |kind, leg: &Leg| {
            let near = leg.first_at_least(self.params.ote_from_ppm);
            let far = leg.last_at_most(self.params.ote_to_ppm);
            let side = u8::from(leg.sign < 0);
            (k, kind, side, leg.bar, near.max(far), near.min(far), 0, 0, leg.swing)
        };
        let old = before.filter(|before| before.is_inside).and_then(|before| before.leg);
        let new = now.leg.filter(|_| now.is_inside);
        if old == new {
            return;
        }
        facts.extend(old.iter().map(|leg| fact(Kind::OteLeft, leg)));
        facts.extend(new.iter().map(|leg| fact(Kind::OteEntered, leg)));
    }

    /// Current and deepest retracement after bar `k`, each bar measured on the leg of its time.
    fn retracement(&self, k: usize) -> Option<(i64, i64)> {
        let leg = self.leg(k)?;
        let of = |j: usize| {
            let then = self.leg(j).filter(|then| then.sign == leg.sign && then.swing == leg.swing)?;
            (then.height() > 0).then(|| then.back(self.wick(j, &then)).div_euclid(then.height()) as i64)
        };
        // A swing keeps its id when it is extended, so the id is the run of one direction.
        let deepest = (0..=k).rev().take_while(|&j| self.leg(j).is_some_and(|then| then.swing == leg.swing));
        Some((of(k)?, deepest.filter_map(of).max()?))
    }
}

fn settings() -> Vec<SmcParams> {
    let events = SmcParams { range_events: true, ..roomy() };
    let levels = [1, 333_333, 500_000, 999_999, 1_000_000, 1_500_000, 2_000_001, 4_000_000];
    vec![
        events,
        SmcParams { range_bands: RangeBands::Bands, ..events.with_swing_length(2) },
        SmcParams { retracement_levels_ppm: levels, ..events.with_leg(3) },
        SmcParams {
            range_bands: RangeBands::Bands,
            retracement_levels_ppm: [0; 8],
            ote_from_ppm: 0,
            ote_to_ppm: 1_000_000,
            ..events.with_swing_length(1)
        },
        SmcParams { ote_from_ppm: 705_000, ote_to_ppm: 705_000, ..events.with_leg(1) },
    ]
}

fn check(bars: &[Bar], params: &SmcParams) -> usize {
    let said = run(bars, params);
    let is_swing =
        |fact: &&Structure| matches!(fact.kind, Kind::SwingStarted | Kind::SwingExtended | Kind::SwingLocked);
    let twin = Twin { bars, params, swings: said.iter().filter(is_swing).copied().collect() };
    let ours: Vec<Fact> = said.iter().filter(|fact| is_of_range(fact)).map(plain).collect();
    let twins = twin.facts();
    if let Some(at) = (0..ours.len().max(twins.len())).find(|&at| ours.get(at) != twins.get(at)) {
        panic!("fact {at}: engine {:?}, twin {:?}", ours.get(at), twins.get(at));
    }
    let (mut engine, mut ids) = (engine(params), IdSource::new());
    for (k, bar) in bars.iter().enumerate() {
        engine.on_bar(bar, &mut ids, &mut |_| {});
        let now = engine.retracement().map(|now| (now.current_ppm, now.deepest_ppm));
        assert_eq!(now, twin.retracement(k), "bar {k}");
        let leg = twin.leg(k).filter(|leg| leg.height() > 0);
        let ours = engine.retracement().map(|now| (now.swing_id, now.origin.0, now.end.0));
        assert_eq!(ours, leg.map(|leg| (leg.swing, leg.origin, leg.end)));
    }
    ours.len()
}

#[test]
fn every_fact_in_its_order_is_the_twins_on_walks() {
    let mut counts = std::collections::BTreeMap::new();
    for params in settings() {
        for bars in walks() {
            check(&bars, &params);
            for fact in run(&bars, &params).iter().filter(|fact| is_of_range(fact)) {
                *counts.entry((fact.kind, fact.direction as u8)).or_insert(0) += 1;
            }
        }
    }
    assert_eq!(counts.len(), 10, "{counts:?}");
    assert!(counts.values().all(|count| *count > 100), "{counts:?}");
}

#[test]
fn every_fact_in_its_order_is_the_twins_on_real_bars() {
    let Some(bars) = golden_bars() else { return };
    for params in settings() {
        println!("{} facts equal", check(&bars[4_000..6_000], &params));
    }
}

#[test]
fn nothing_looks_ahead() {
    for params in settings() {
        for bars in walks() {
            let whole = run(&bars, &params);
            for n in (0..bars.len()).step_by(89) {
                let part = run(&bars[..n], &params);
                assert!(whole.starts_with(&part), "bar {n} changed the past");
                assert!(whole[part.len()..].iter().all(|fact| fact.known_bar as usize >= n));
            }
        }
    }
}

/// The events are the only difference that the setting makes.
#[test]
fn without_range_events_only_they_are_missing() {
    for params in settings() {
        for bars in walks() {
            let quiet = run(&bars, &SmcParams { range_events: false, ..params });
            let rest: Vec<_> = run(&bars, &params).into_iter().filter(|fact| !is_of_range(fact)).collect();
            assert_eq!(quiet, rest);
        }
    }
}

#[test]
fn the_mirror_image_says_the_mirror_image() {
    for params in settings() {
        for bars in walks() {
            let facts = |bars: &[Bar], params: &SmcParams, flip: bool| {
                let mut facts: Vec<Fact> =
                    run(bars, params).iter().filter(|fact| is_of_range(fact)).map(plain).collect();
                for fact in &mut facts {
                    fact.8 = 0; // Ids depend on which side speaks first.
                    if flip {
                        fact.2 = 1 - fact.2;
                        (fact.4, fact.5) = (-fact.5, -fact.4);
                        if fact.1 == Kind::ZoneChanged {
                            let mirror = |zone| [0, 3, 2, 1, 4][zone as usize];
                            (fact.6, fact.7) = (mirror(fact.6), mirror(fact.7));
                        }
                    }
                }
                facts.sort();
                facts
            };
            let other = SmcParams { pivot_high_first: false, ..params };
            assert_eq!(facts(&bars, &params, false), facts(&mirrored(&bars), &other, true));
        }
    }
}

/// Zones as they were said are where the close is now.
#[test]
fn the_last_zone_said_is_the_half_that_can_be_read() {
    for bars in walks() {
        let params = settings()[0];
        let (mut engine, mut ids, mut zone) = (engine(&params), IdSource::new(), 0);
        for bar in &bars {
            engine.on_bar(bar, &mut ids, &mut |fact| {
                if fact.kind == Kind::ZoneChanged {
                    assert_eq!(fact.value, zone);
                    zone = fact.extra;
                }
            });
            let half = engine.range_half(bar.close).map_or(0, |half| half as i64 + 1);
            assert_eq!(half, zone);
        }
    }
}

/// One up leg from 1000 to 2000, then down step by step.
#[test]
fn a_plain_leg_is_told_in_order() {
    let params = SmcParams { range_events: true, ..roomy().with_leg(1) };
    let closes = [1_500, 1_200, 1_000, 1_600, 2_000, 1_900, 1_700, 1_381, 1_380, 1_210, 1_209, 990];
    let bars: Vec<Bar> = closes
        .iter()
        .enumerate()
        .map(|(k, &close)| {
            let price = Price(close);
            let ts = TsNs(1 + k as u64);
            Bar { open_ts: ts, open: price, high: price, low: price, close: price, volume: Qty(0), trades: 1 }
        })
        .collect();
    let said = run(&bars, &params);
    let of = |kind| -> Vec<_> {
        let facts = of_kind(&said, kind).filter(|fact| fact.direction == Direction::Up);
        facts.map(|fact| (fact.known_bar, fact.top.0, fact.bottom.0, fact.extra)).collect()
    };
    assert_eq!(of(Kind::OteEntered), [(8, 1_380, 1_210, 0)]);
    assert_eq!(of(Kind::OteLeft), [(10, 1_380, 1_210, 0)]);
    assert_eq!(
        of(Kind::RetracementReached),
        [
            (6, 1_764, 1_764, 236_000),
            (7, 1_618, 1_618, 382_000),
            (7, 1_500, 1_500, 500_000),
            (7, 1_382, 1_382, 618_000),
            (9, 1_214, 1_214, 786_000),
            (11, 1_000, 1_000, 1_000_000)
        ]
    );
}

/// Prices at the very edge of what is accepted: nothing overflows.
#[test]
fn the_largest_prices_are_in_range() {
    let most = smc_core::smc::PRICE_MAX.0;
    for params in settings() {
        let levels = [1, 2, 3, 4, 5, 6, 7, u32::MAX];
        let params = SmcParams { retracement_levels_ppm: levels, ..params };
        let mut engine = engine(&params);
        let (mut ids, mut said, mut random) = (IdSource::new(), 0, Random(5));
        for k in 0..400u64 {
            let mut price =
                || (random.below(1 << 62) * 2 - most).clamp(-most, most) / [1, 1, 9][k as usize % 3];
            let (mut a, mut b) = (price(), price());
            if k % 20 == 0 {
                (a, b) = (if k % 40 == 0 { most } else { -most }, a / 2);
            }
            let bar = Bar {
                open_ts: TsNs(k + 1),
                open: Price(a),
                high: Price(a.max(b)),
                low: Price(a.min(b)),
                close: Price(b),
                volume: Qty(0),
                trades: 1,
            };
            engine.on_bar(&bar, &mut ids, &mut |fact| said += usize::from(is_of_range(&fact)));
            let _ = (engine.retracement(), engine.range_position_ppm(Price(b)));
        }
        assert!(said > 0);
    }
}
