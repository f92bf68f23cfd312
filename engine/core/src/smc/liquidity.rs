//! Liquidity: levels where stops rest, pools of equal highs or lows, and the bars that take them.
//!
//! Pure; constant work on a bar that takes nothing, a few steps per pool near price otherwise, no allocation.
//! `Up` is at the highs (buy-side liquidity); lows are the mirror image.
//!
//! A new pivot joins the earliest unswept seed within the seed's tolerance (inclusive, measured from the seed's
//! own price); otherwise it becomes a seed. The tolerance is fixed when the seed is known. Pivots are those of
//! the swing scope.
//!
//! * `PoolFormed {id, cause_id = the joining pivot, bar = seed's bar, top / bottom = seed ± tolerance,
//!   extra = members, value = mean level of the members}` at the second member; `PoolExtended` at each later one, same fields.
//! * `PoolSwept`, `PoolRun`: the first bar with `high >= seed + tolerance`, after its members. Swept when it
//!   closed back inside, run when it closed there or beyond. Terminal. Same fields, `cause_id` 0.
//! * `LevelSwept {id = the pivot's, bar = the pivot's, top = bottom = level, extra = depth beyond it,
//!   value = 0: the level of a pivot}`: the first bar with `high > level` closed at or under it. When that first bar closed beyond, the level is gone
//!   without a word: the structure break tells it.
//! * `Expired`: too many at once, the oldest left. `extra` 0 and the pool's fields for a pool, or the pivot's
//!   id and level. A seed alone was never announced, so it leaves unannounced.
//!
//! Why the order needs no search: an unswept seed has seen no later high at its upper edge, and a pivot within
//! its tolerance would have joined it. So every newer seed lies lower: oldest first is highest first, and
//! price meets the newest first. The same holds for single levels.

use super::params::{SmcParams, Tolerance};
use super::pivots::Pivot;
use super::shelf::Shelf;
use super::snapshot;
use super::view::{Candle, Fact, Say, seen_from};
use crate::output::{Structure, StructureKind};
use crate::state::{StateError, StateIo};
use crate::words::{Direction, Price, ppm_of};

/// Equal highs (`Up`) or lows (`Down`), or the first of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pool {
    /// Its object id; 0 while it is a seed alone.
    pub id: u32,
    /// `Up` at the highs.
    pub direction: Direction,
    /// Mean of the members, rounded away from the side where it is swept.
    pub level: Price,
    /// Price of the first member.
    pub seed: Price,
    /// Half the width of the band around the seed. At least one tick.
    pub tolerance: Price,
    /// Pivots in it.
    pub members: u32,
    /// Bar of the first member.
    pub bar: u32,
    /// Bar of the last member.
    pub last_bar: u32,
    /// Bar whose close made the last member known.
    pub known_bar: u32,
    /// Sum over the members of what they lie beyond the seed, as the side sees it.
    excess_sum: i64,
}

impl Pool {
    /// The price whose touch sweeps it: seed + tolerance at the highs, seed − tolerance at the lows.
    pub const fn edge(&self) -> Price {
        match self.direction {
            Direction::Up => Price(self.seed.0 + self.tolerance.0),
            Direction::Down => Price(self.seed.0 - self.tolerance.0),
        }
    }

    fn seed_seen(&self) -> i64 {
        seen_from(self.direction, self.seed.0)
    }

    /// Mean of the members.
    fn mean(&self) -> Price {
        let excess = self.excess_sum.div_euclid(i64::from(self.members));
        Price(seen_from(self.direction, self.seed_seen() + excess))
    }
}

/// The last time liquidity was taken and price closed back inside.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sweep {
    /// The pool or, when `is_pool` is false, the pivot.
    pub id: u32,
    /// A pool rather than a single level. Of one bar's sweeps the pool is kept.
    pub is_pool: bool,
    /// `Up` when highs were taken.
    pub direction: Direction,
    /// The level that was taken: a pool's edge or a pivot's price.
    pub level: Price,
    /// How far price went: the high of the bar (`Up`) or its low.
    pub extreme: Price,
    /// The bar that did it; known at its close.
    pub known_bar: u32,
}

/// Pools and levels of one side, as that side sees them.
pub(super) struct Liquidity {
    direction: Direction,
    tolerance: Tolerance,
    tick: i64,
    /// Seeds and pools, oldest and most extreme first.
    pools: Shelf<Pool>,
    /// Pivots not yet traded beyond, oldest and most extreme first.
    levels: Shelf<Pivot>,
    /// Greatest tolerance ever given: bounds the search for a seed. An upper bound, may be stale.
    tolerance_max: i64,
    last_sweep: Option<Sweep>,
}

impl Liquidity {
    pub fn new(direction: Direction, params: &SmcParams) -> Self {
        Self {
            direction,
            tolerance: params.pool_tolerance,
            tick: params.tick.0,
            pools: Shelf::new(params.pool_cap, no_pool(direction)),
            levels: Shelf::new(params.level_cap, NO_PIVOT),
            tolerance_max: 0,
            last_sweep: None,
        }
    }

    /// Pools that the bar takes.
    pub fn sweep_pools<F: FnMut(Structure)>(&mut self, candle: &Candle, say: &mut Say<'_, F>) {
        let mut at = self.pools.len();
        while at > 0 {
            at -= 1;
            let pool = *self.pools.get(at);
            if candle.high < pool.seed_seen() {
                break; // All older seeds lie higher still.
            }
            if pool.seed_seen() + pool.tolerance.0 <= candle.high {
                self.pools.remove(at);
                self.tell_swept(&pool, candle, say);
            }
        }
    }

    /// Single levels that the bar takes.
    pub fn sweep_levels<F: FnMut(Structure)>(&mut self, candle: &Candle, say: &mut Say<'_, F>) {
        while let Some(pivot) = self.levels.last().copied()
            && pivot.price < candle.high
        {
            self.levels.remove(self.levels.len() - 1);
            if candle.close <= pivot.price {
                let extra = candle.high - pivot.price;
                self.tell_level(StructureKind::LevelSwept, &pivot, extra, say);
                let is_kept = self.last_sweep.is_some_and(|last| last.known_bar == say.known && last.is_pool);
                if !is_kept {
                    self.remember(pivot.id, false, pivot.price, candle, say.known);
                }
            }
        }
    }

    /// A pivot of this side became known. `yardstick`: what a relative tolerance is a part of.
    pub fn on_pivot<F: FnMut(Structure)>(&mut self, pivot: &Pivot, yardstick: i64, say: &mut Say<'_, F>) {
        if self.levels.is_full() {
            let oldest = self.levels.remove(0);
            self.tell_level(StructureKind::Expired, &oldest, 0, say);
        }
        self.levels.push(*pivot);
        match self.seed_for(pivot.price) {
            Some(at) => self.join(at, pivot, say),
            None => self.plant(pivot, yardstick, say),
        }
    }

    /// Pools with two members or more, oldest first.
    pub fn pools(&self) -> impl Iterator<Item = &Pool> {
        self.pools.iter().filter(|pool| pool.members >= 2)
    }

    pub const fn last_sweep(&self) -> Option<&Sweep> {
        self.last_sweep.as_ref()
    }

    pub fn state(&mut self, io: &mut StateIo<'_>, count: u32) -> Result<(), StateError> {
        let direction = self.direction;
        io.number(&mut self.tolerance_max)?;
        snapshot::sound(io, (0..=TOLERANCE_MAX).contains(&self.tolerance_max))?;
        let tolerances = self.tick..=self.tolerance_max;
        let mut seed_before = i64::MAX;
        self.pools.state(io, no_pool(direction), |io, pool| {
            pool_state(io, pool, count)?;
            let is_sound = tolerances.contains(&pool.tolerance.0) && pool.seed_seen() < seed_before;
            seed_before = pool.seed_seen();
            snapshot::sound(io, is_sound)
        })?;
        let mut price_before = i64::MAX;
        self.levels.state(io, NO_PIVOT, |io, pivot| {
            snapshot::pivot(io, pivot, count)?;
            let is_sound = pivot.price <= price_before;
            price_before = pivot.price;
            snapshot::sound(io, is_sound)
        })?;
        let nothing = Price(0);
        let blank =
            || Sweep { id: 0, is_pool: false, direction, level: nothing, extreme: nothing, known_bar: 0 };
        io.option(&mut self.last_sweep, blank, |io, sweep| sweep_state(io, sweep, count))
    }

    /// The earliest seed that takes `price`. Every pivot lies under the edge of every unswept seed, so only
    /// the lower end of the band is in question.
    fn seed_for(&self, price: i64) -> Option<usize> {
        let mut found = None;
        for at in (0..self.pools.len()).rev() {
            let pool = self.pools.get(at);
            if pool.seed_seen() - self.tolerance_max > price {
                break;
            }
            if pool.seed_seen() - pool.tolerance.0 <= price {
                found = Some(at);
            }
        }
        found
    }

    fn join<F: FnMut(Structure)>(&mut self, at: usize, pivot: &Pivot, say: &mut Say<'_, F>) {
        let pool = self.pools.get_mut(at);
        pool.members = pool.members.saturating_add(1);
        pool.excess_sum = pool.excess_sum.saturating_add(pivot.price - pool.seed_seen());
        pool.level = pool.mean();
        pool.last_bar = pivot.bar;
        pool.known_bar = say.known;
        let kind = if pool.id == 0 {
            pool.id = say.new_id();
            StructureKind::PoolFormed
        } else {
            StructureKind::PoolExtended
        };
        let pool = *pool;
        tell_pool(kind, &pool, pivot.id, i64::from(pool.members), say);
    }

    fn plant<F: FnMut(Structure)>(&mut self, pivot: &Pivot, yardstick: i64, say: &mut Say<'_, F>) {
        if self.pools.is_full() {
            let oldest = self.pools.remove(0);
            if oldest.id != 0 {
                tell_pool(StructureKind::Expired, &oldest, 0, 0, say);
            }
        }
        let part = |of: i64, ppm: u32| ppm_of(of.abs(), ppm);
        let tolerance = match self.tolerance {
            Tolerance::AtrMult(ppm) | Tolerance::RangePct { ppm, .. } => part(yardstick, ppm),
            Tolerance::FixedTicks(distance) => distance.0,
            Tolerance::PctOfPrice(ppm) => part(pivot.price, ppm),
        };
        let tolerance = tolerance.clamp(self.tick, TOLERANCE_MAX);
        self.tolerance_max = self.tolerance_max.max(tolerance);
        let price = Price(seen_from(self.direction, pivot.price));
        self.pools.push(Pool {
            id: 0,
            direction: self.direction,
            level: price,
            seed: price,
            tolerance: Price(tolerance),
            members: 1,
            bar: pivot.bar,
            last_bar: pivot.bar,
            known_bar: say.known,
            excess_sum: 0,
        });
    }

    fn tell_swept<F: FnMut(Structure)>(&mut self, pool: &Pool, candle: &Candle, say: &mut Say<'_, F>) {
        if pool.id == 0 {
            return;
        }
        let edge = pool.seed_seen() + pool.tolerance.0;
        let kind = if candle.close < edge { StructureKind::PoolSwept } else { StructureKind::PoolRun };
        tell_pool(kind, pool, 0, i64::from(pool.members), say);
        if kind == StructureKind::PoolSwept {
            self.remember(pool.id, true, edge, candle, say.known);
        }
    }

    fn tell_level<F: FnMut(Structure)>(
        &self,
        kind: StructureKind,
        pivot: &Pivot,
        extra: i64,
        say: &mut Say<'_, F>,
    ) {
        let Pivot { id, bar, price } = *pivot;
        say.fact(
            self.direction,
            Fact { kind, id, cause_id: 0, bar, top: price, bottom: price, extra, value: 0 },
        );
    }

    fn remember(&mut self, id: u32, is_pool: bool, level: i64, candle: &Candle, known_bar: u32) {
        let direction = self.direction;
        let level = Price(seen_from(direction, level));
        let extreme = Price(seen_from(direction, candle.high));
        self.last_sweep = Some(Sweep { id, is_pool, direction, level, extreme, known_bar });
    }
}

/// Widest tolerance: a seed and twice this much still fit.
const TOLERANCE_MAX: i64 = i64::MAX / 4;
const NO_PIVOT: Pivot = Pivot { id: 0, bar: 0, price: 0 };

const fn no_pool(direction: Direction) -> Pool {
    Pool {
        id: 0,
        direction,
        level: Price(0),
        seed: Price(0),
        tolerance: Price(0),
        members: 0,
        bar: 0,
        last_bar: 0,
        known_bar: 0,
        excess_sum: 0,
    }
}

/// The direction is that of its side, the level follows from the members.
fn pool_state(io: &mut StateIo<'_>, pool: &mut Pool, count: u32) -> Result<(), StateError> {
    let Pool { id, direction: _, level: _, seed, tolerance, members, bar, last_bar, known_bar, excess_sum } =
        pool;
    io.number(id)?;
    snapshot::price(io, &mut seed.0)?;
    io.number(tolerance)?;
    io.number(members)?;
    snapshot::bar(io, bar, count)?;
    snapshot::bar(io, last_bar, count)?;
    snapshot::bar(io, known_bar, count)?;
    io.number(excess_sum)?;
    // No member lies further from the seed than the tolerance; so their mean does not either.
    let excess_max = i128::from(*members) * i128::from(tolerance.0);
    let is_sound = *members > 0
        && (*id > 0) == (*members > 1)
        && i128::from(*excess_sum).abs() <= excess_max
        && bar <= last_bar
        && last_bar <= known_bar;
    snapshot::sound(io, is_sound)?;
    pool.level = pool.mean();
    Ok(())
}

/// The direction is that of its side.
fn sweep_state(io: &mut StateIo<'_>, sweep: &mut Sweep, count: u32) -> Result<(), StateError> {
    let Sweep { id, is_pool, direction: _, level, extreme, known_bar } = sweep;
    io.number(id)?;
    io.flag(is_pool)?;
    io.number(level)?;
    snapshot::price(io, &mut extreme.0)?;
    snapshot::bar(io, known_bar, count)?;
    // A pool's edge lies a tolerance beyond a price.
    let level_max = super::PRICE_MAX.0 + TOLERANCE_MAX;
    snapshot::sound(io, (-level_max..=level_max).contains(&level.0))
}

fn tell_pool<F: FnMut(Structure)>(
    kind: StructureKind,
    pool: &Pool,
    cause_id: u32,
    extra: i64,
    say: &mut Say<'_, F>,
) {
    let (seed, tolerance) = (pool.seed_seen(), pool.tolerance.0);
    let (top, bottom) = (seed + tolerance, seed - tolerance);
    say.fact(
        pool.direction,
        Fact { kind, id: pool.id, cause_id, bar: pool.bar, top, bottom, extra, value: pool.level.0 },
    );
}
