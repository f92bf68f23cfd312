//! What must hold for the facts said about any bars, each by a definition that looks at the bars themselves.

use crate::random::Case;
use smc_core::output::{Scope, Structure, StructureKind as Kind};
use smc_core::smc::{FvgMitigation, PivotProfile};
use smc_core::words::Direction;
use std::collections::BTreeMap;

/// Bars as one side sees them: 1 up, -1 down.
struct Seen<'a> {
    case: &'a Case,
    said: &'a [Structure],
    born: BTreeMap<u32, &'a Structure>,
}

pub fn sign(fact: &Structure) -> i64 {
    if fact.direction == Direction::Up { 1 } else { -1 }
}

/// Makes the object that it names.
fn is_creation(kind: Kind) -> bool {
    use Kind::*;
    kind.is_break()
        || matches!(
            kind,
            FvgCreated | FvgJoined | ObCreated | PivotConfirmed | SwingStarted | PatternConfirmed
        )
        || matches!(kind, PoolFormed | PeriodRolled | SessionOpened)
}

/// Ends the object that it names. Levels of the calendar live on when they are swept.
fn is_terminal(fact: &Structure) -> bool {
    use Kind::*;
    fact.kind == LevelSwept && fact.value == 0
        || matches!(fact.kind, SwingLocked | PatternSuperseded | IfvgInvalidated | BreakerInvalidated)
        || matches!(fact.kind, PoolSwept | PoolRun | Expired)
}

/// Says nothing of an object.
fn is_without_id(kind: Kind) -> bool {
    use Kind::*;
    matches!(kind, RangeChanged | ZoneChanged | OteEntered | OteLeft | RetracementReached)
}

/// Invariants 2 to 7 of the reference.
pub fn check(case: &Case, said: &[Structure]) {
    objects_are_born_once_and_end_once(said);
    let born = said.iter().filter(|fact| is_creation(fact.kind)).map(|fact| (fact.id, fact)).collect();
    let seen = Seen { case, said, born };
    seen.pivots();
    for scope in [Scope::Swing, Scope::Internal] {
        seen.swings(scope);
        seen.breaks(scope);
    }
    seen.blocks();
    seen.gaps();
    seen.pools();
    seen.levels();
}

/// Ids are dense from 1, so a birth out of turn, before or after, is seen at once.
fn objects_are_born_once_and_end_once(said: &[Structure]) {
    let (mut known, mut ids, mut ended) = (0, 0, vec![false]);
    for fact in said {
        assert!(fact.bar <= fact.known_bar && known <= fact.known_bar && fact.bottom <= fact.top, "{fact:?}");
        known = fact.known_bar;
        assert_eq!(fact.id == 0, is_without_id(fact.kind), "{fact:?}");
        if is_creation(fact.kind) {
            ids += 1;
            assert_eq!(fact.id, ids, "{fact:?}");
            ended.push(false);
        }
        assert!(fact.id <= ids && fact.cause_id <= ids, "{fact:?} names what is not there");
        assert!(!ended[fact.id as usize], "{fact:?} after its end");
        ended[fact.id as usize] = is_terminal(fact);
        if fact.kind == Kind::FvgJoined {
            assert!(!std::mem::replace(&mut ended[fact.cause_id as usize], true), "{fact:?}");
        }
    }
}

impl Seen<'_> {
    fn high(&self, side: i64, k: u32) -> i64 {
        let bar = &self.case.bars[k as usize];
        if side == 1 { bar.high.0 } else { -bar.low.0 }
    }

    fn low(&self, side: i64, k: u32) -> i64 {
        -self.high(-side, k)
    }

    fn close(&self, side: i64, k: u32) -> i64 {
        side * self.case.bars[k as usize].close.0
    }

    fn source(&self, side: i64, k: u32) -> i64 {
        if self.case.params.close_break { self.close(side, k) } else { self.high(side, k) }
    }

    /// Upper and lower edge as the fact's side sees them.
    fn span(&self, fact: &Structure) -> (i64, i64) {
        let (a, b) = (sign(fact) * fact.top.0, sign(fact) * fact.bottom.0);
        (a.max(b), a.min(b))
    }

    fn of_kind(&self, kinds: &'static [Kind]) -> impl Iterator<Item = &Structure> {
        self.said.iter().filter(move |fact| kinds.contains(&fact.kind))
    }

    /// The first fact of a kind about an object.
    fn told(&self, id: u32, kinds: &'static [Kind]) -> Option<&Structure> {
        self.of_kind(kinds).find(|fact| fact.id == id)
    }

    /// Nothing happened to it that `what` would have been: not before the fact, nor ever without one.
    fn is_first(&self, born: &Structure, told: Option<&Structure>, what: impl Fn(u32) -> bool) {
        let expired = self.told(born.id, &[Kind::Expired]).map(|fact| fact.known_bar);
        let joined = self.of_kind(&[Kind::FvgJoined]).find(|fact| fact.cause_id == born.id);
        let until = told.map(|fact| fact.known_bar);
        let gone = expired.or(joined.map(|fact| fact.known_bar));
        if let Some(until) = until {
            assert!(what(until), "{:?} for nothing", told.unwrap());
        }
        let end = until.or(gone).unwrap_or(self.case.bars.len() as u32);
        let missed = (born.known_bar + 1..end).find(|&k| what(k));
        assert_eq!(missed, None, "{born:?} until {told:?}");
    }

    fn pivots(&self) {
        for pivot in self.of_kind(&[Kind::PivotConfirmed]) {
            let params = &self.case.params;
            let (profile, left, right, first) = match (pivot.scope, params.internal) {
                (Scope::Swing, _) => {
                    (params.pivot_profile, params.pivot_left, params.pivot_right, params.pivot_first)
                }
                (Scope::Internal, inner) => {
                    let inner = inner.unwrap();
                    (inner.pivot_profile, inner.pivot_left, inner.pivot_right, inner.pivot_first)
                }
            };
            let (side, bar, price) = (sign(pivot), pivot.bar, sign(pivot) * pivot.top.0);
            assert_eq!((pivot.known_bar, price), (bar + u32::from(right), self.high(side, bar)));
            let is_fine = match profile {
                PivotProfile::Window => {
                    let mut window = bar.saturating_sub(left.into())..=pivot.known_bar;
                    bar >= first
                        && window.all(|j| {
                            let is_tie = j == bar || params.pivot_ties;
                            self.high(side, j) < price || is_tie && self.high(side, j) == price
                        })
                }
                PivotProfile::Leg => (bar + 1..=pivot.known_bar).all(|j| self.high(side, j) < price),
            };
            assert!(is_fine, "{pivot:?}");
        }
    }

    fn swings(&self, scope: Scope) {
        let mut run_start = 0;
        let mut last = None;
        for swing in self.of_kind(&[Kind::SwingLocked]).filter(|fact| fact.scope == scope) {
            assert_ne!(last.replace(swing.direction), Some(swing.direction), "{swing:?}");
            for pivot in self.of_kind(&[Kind::PivotConfirmed]).filter(|fact| fact.scope == scope) {
                let is_of_run = (run_start..swing.known_bar).contains(&pivot.known_bar);
                if is_of_run && pivot.direction == swing.direction {
                    assert!(sign(pivot) * pivot.top.0 <= sign(swing) * swing.top.0, "{swing:?} {pivot:?}");
                }
            }
            run_start = swing.known_bar;
        }
    }

    fn breaks(&self, scope: Scope) {
        let params = &self.case.params;
        let may_wait = params.displacement_min_ppm > 0
            || scope == Scope::Internal && params.internal.is_some_and(|inner| inner.ignores_swing_level);
        let (mut bias, mut broken) = (0, vec![]);
        for fact in self.said.iter().filter(|fact| fact.kind.is_break() && fact.scope == scope) {
            let (pivot, side, k) = (self.born[&fact.cause_id], sign(fact), fact.known_bar);
            let level = side * fact.top.0;
            assert_eq!((pivot.kind, pivot.scope, pivot.bar), (Kind::PivotConfirmed, scope, fact.bar));
            assert_eq!((pivot.top, pivot.direction), (fact.top, fact.direction));
            assert!(self.source(side, k) > level && pivot.known_bar < k, "{fact:?}");
            let earlier = if may_wait { k - 1..k } else { pivot.known_bar + 1..k };
            assert!(earlier.clone().all(|j| self.source(side, j) <= level), "{fact:?} is late");
            assert!(!broken.contains(&pivot.id), "{fact:?} broke before");
            broken.push(pivot.id);
            assert_eq!((fact.value, fact.kind.is_turn()), (bias, bias == -side), "{fact:?}");
            bias = side;
        }
    }

    fn blocks(&self) {
        for block in self.of_kind(&[Kind::ObCreated]) {
            let (cause, (top, _)) = (self.born[&block.cause_id], self.span(block));
            assert!(cause.kind.is_break() && cause.known_bar == block.known_bar, "{block:?}");
            assert!(cause.bar < block.bar && block.bar < block.known_bar, "{block:?}");
            let life = [Kind::ObTested, Kind::ObBroken, Kind::BreakerInvalidated];
            for fact in self.said.iter().filter(|fact| fact.id == block.id && life.contains(&fact.kind)) {
                assert!(block.known_bar < fact.known_bar, "{fact:?} at its birth");
            }
            let tested = self.told(block.id, &[Kind::ObTested]);
            self.is_first(block, tested, |k| self.low(sign(block), k) <= top);
        }
    }

    fn gaps(&self) {
        let depth = i64::from(self.case.params.fvg_mitigation.depth_ppm());
        for gap in self.of_kind(&[Kind::FvgCreated, Kind::FvgJoined]) {
            let (side, (top, bottom)) = (sign(gap), self.span(gap));
            assert!(bottom < top && gap.known_bar == gap.bar + 1, "{gap:?}");
            let told = self.told(gap.id, &[Kind::FvgMitigated]);
            assert!(told.is_none_or(|fact| fact.known_bar >= gap.bar + 2));
            let is_deep = |k| (top - self.low(side, k)) * 1_000_000 >= (top - bottom) * depth;
            self.is_first(gap, told, is_deep);
            if self.case.params.fvg_mitigation == FvgMitigation::Touch {
                self.is_first(gap, told, |k| self.low(side, k) <= top);
            }
            let told = self.told(gap.id, &[Kind::FvgInverted]);
            self.is_first(gap, told, |k| self.close(side, k) < bottom);
        }
    }

    fn pools(&self) {
        for pool in self.of_kind(&[Kind::PoolFormed]) {
            let (side, (top, bottom)) = (sign(pool), self.span(pool));
            let (seed, tolerance) = (bottom + (top - bottom) / 2, (top - bottom) / 2);
            assert_eq!((seed, tolerance >= self.case.params.tick.0), (self.high(side, pool.bar), true));
            let taken = self.told(pool.id, &[Kind::PoolSwept, Kind::PoolRun]);
            let mut members = 1;
            let joins = self.of_kind(&[Kind::PoolFormed, Kind::PoolExtended]);
            for fact in joins.filter(|fact| fact.id == pool.id) {
                let pivot = self.born[&fact.cause_id];
                let distance = side * pivot.top.0 - seed;
                assert!(distance.abs() <= tolerance && pivot.kind == Kind::PivotConfirmed, "{fact:?}");
                assert!(pool.bar < pivot.bar && taken.is_none_or(|taken| pivot.bar < taken.known_bar));
                members += 1;
                assert_eq!((fact.extra, self.span(fact)), (members, (top, bottom)));
            }
            self.is_first(pool, taken, |k| self.high(side, k) >= top);
            if let Some(taken) = taken {
                let is_back = self.close(side, taken.known_bar) < top;
                assert_eq!((taken.kind == Kind::PoolSwept, taken.extra), (is_back, members), "{taken:?}");
            }
        }
    }

    fn levels(&self) {
        for fact in self.of_kind(&[Kind::LevelSwept]) {
            let (side, k, level) = (sign(fact), fact.known_bar, sign(fact) * fact.top.0);
            assert!(self.high(side, k) > level && self.close(side, k) <= level, "{fact:?}");
            assert_eq!(fact.extra, self.high(side, k) - level, "{fact:?}");
        }
    }
}
