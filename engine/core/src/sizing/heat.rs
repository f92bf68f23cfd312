//! Heat: what the account would lose if every stop were hit now, and how much more of it an entry may add.
//!
//! All open trades and working entries count. Trades in one direction whose instruments move together are one bet:
//! they share a limit of their own, as do those that move together with these. What is not known to move apart moves
//! together.

use crate::config::INSTRUMENTS_MAX;
use crate::words::{Direction, Money, ppm_of};
use alloc::vec;
use alloc::vec::Vec;

/// Limits on heat, as shares of equity.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct HeatParams {
    /// Of everything.
    pub open_ppm_max: u32,
    /// Of what moves together in one direction.
    pub cluster_ppm_max: u32,
    /// Instruments with a correlation above this move together.
    pub correlation_ppm: u32,
    /// Weight of the past in volatility and correlation, per bar of the lowest timeframe.
    pub lambda_ppm: u32,
}

impl Default for HeatParams {
    fn default() -> Self {
        Self { open_ppm_max: 50_000, cluster_ppm_max: 20_000, correlation_ppm: 700_000, lambda_ppm: 970_000 }
    }
}

/// What one instrument's trade would lose at its stop; not negative.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Load {
    /// By longs.
    pub long: Money,
    /// By shorts.
    pub short: Money,
}

impl Load {
    /// Adds what is lost in one direction.
    pub fn add(&mut self, direction: Direction, loss: Money) {
        let side = if direction == Direction::Up { &mut self.long } else { &mut self.short };
        *side = Money(side.0.saturating_add(loss.0.max(0)));
    }

    fn of(&self, direction: Direction) -> Money {
        if direction == Direction::Up { self.long } else { self.short }
    }

    fn sum(&self) -> Money {
        Money(self.long.0.saturating_add(self.short.0))
    }
}

/// What all instruments would lose, by their number.
pub type Loads = [Load; INSTRUMENTS_MAX];

/// Nothing is open.
pub const NO_LOADS: Loads = [Load { long: Money::ZERO, short: Money::ZERO }; INSTRUMENTS_MAX];

/// How much more an entry may lose at its stop; not negative.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Room {
    /// Until everything open is too much.
    pub open: Money,
    /// Until what moves together is.
    pub cluster: Money,
}

/// The room for an entry in instrument `at`.
pub fn room(
    params: &HeatParams,
    equity: Money,
    loads: &Loads,
    correlations: &Correlations,
    (at, direction): (usize, Direction),
) -> Room {
    let loads: &[Load] = loads.get(..correlations.instruments).unwrap_or(loads);
    let open = loads.iter().fold(0i64, |sum, load| sum.saturating_add(load.sum().0));
    let together = cluster(params, loads, correlations, at, direction);
    let members = loads.iter().enumerate().filter(|(other, _)| together & bit(*other) != 0);
    let shared = members.fold(0i64, |sum, (_, load)| sum.saturating_add(load.of(direction).0));
    Room {
        open: left(equity, params.open_ppm_max, open),
        cluster: left(equity, params.cluster_ppm_max, shared),
    }
}

fn left(equity: Money, ppm_max: u32, used: i64) -> Money {
    let most = ppm_of(equity.0.max(0), ppm_max);
    Money(most.saturating_sub(used).max(0))
}

/// The instruments that are one bet with `at`, as bits: those it moves together with, those they move together with,
/// and so on.
fn cluster(
    params: &HeatParams,
    loads: &[Load],
    correlations: &Correlations,
    at: usize,
    direction: Direction,
) -> u64 {
    let has_heat = |other: &usize| loads.get(*other).is_some_and(|load| load.of(direction) > Money::ZERO);
    let (mut found, mut to_ask) = (bit(at), bit(at));
    while to_ask != 0 {
        let asked = to_ask.trailing_zeros() as usize;
        to_ask &= to_ask - 1;
        for other in (0..correlations.instruments).filter(has_heat) {
            let is_new = found & bit(other) == 0;
            if is_new && correlations.is_together(asked, other, params.correlation_ppm) {
                found |= bit(other);
                to_ask |= bit(other);
            }
        }
    }
    found
}

const fn bit(at: usize) -> u64 {
    if at < INSTRUMENTS_MAX { 1 << at } else { 0 }
}
const _: () = assert!(INSTRUMENTS_MAX <= 64);

/// How instruments move together, in millionths, by pair. Whoever knows writes it.
pub struct Correlations {
    instruments: usize,
    /// None while unknown.
    pairs: Vec<Option<i32>>,
}

impl Correlations {
    /// Between `instruments` instruments, nothing known.
    pub fn new(instruments: usize) -> Self {
        Self { instruments, pairs: vec![None; Self::pairs(instruments)] }
    }

    /// Pairs between so many instruments.
    pub const fn pairs(instruments: usize) -> usize {
        instruments * instruments.saturating_sub(1) / 2
    }

    /// Where a pair stands, in whatever order it is named; none for what is no pair.
    pub(super) fn place(instruments: usize, a: usize, b: usize) -> Option<usize> {
        let (low, high) = if a < b { (a, b) } else { (b, a) };
        (low < high && high < instruments).then(|| high * (high - 1) / 2 + low)
    }

    /// Writes what is known of a pair; none forgets it.
    pub fn set(&mut self, a: usize, b: usize, ppm: Option<i32>) {
        let place = Self::place(self.instruments, a, b);
        if let Some(pair) = place.and_then(|place| self.pairs.get_mut(place)) {
            *pair = ppm;
        }
    }

    /// What is known of a pair.
    pub fn get(&self, a: usize, b: usize) -> Option<i32> {
        *self.pairs.get(Self::place(self.instruments, a, b)?)?
    }

    fn is_together(&self, a: usize, b: usize, above_ppm: u32) -> bool {
        self.get(a, b).is_none_or(|ppm| i64::from(ppm) > i64::from(above_ppm))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const UP: Direction = Direction::Up;

    /// Five instruments, of which the first three move together one after the other and the last is unknown.
    fn correlations() -> Correlations {
        let mut table = Correlations::new(5);
        for high in 0..5 {
            for low in 0..high {
                table.set(low, high, Some(if high < 3 && high == low + 1 { 700_001 } else { 700_000 }));
            }
        }
        table.set(4, 0, None);
        table
    }

    fn check(heat: &[(usize, Direction, i64)], at: usize, open: i64, cluster: i64) {
        let mut loads = NO_LOADS;
        heat.iter().for_each(|&(at, direction, loss)| loads[at].add(direction, Money(loss)));
        let room = room(&HeatParams::default(), Money(1_000_000), &loads, &correlations(), (at, UP));
        assert_eq!((room.open, room.cluster), (Money(open), Money(cluster)), "{heat:?} at {at}");
    }

    #[test]
    fn what_moves_together_shares_its_room() {
        check(&[], 0, 50_000, 20_000);
        check(&[(1, UP, 5_000)], 0, 45_000, 15_000);
        check(&[(2, UP, 5_000)], 0, 45_000, 20_000);
        check(&[(1, UP, 5_000), (2, UP, 7_000)], 0, 38_000, 8_000);
        check(&[(1, Direction::Down, 5_000)], 0, 45_000, 20_000);
        check(&[(3, UP, 49_000)], 0, 1_000, 20_000);
        check(&[(1, UP, 60_000)], 0, 0, 0);
    }

    #[test]
    fn what_is_unknown_moves_together() {
        check(&[(4, UP, 5_000)], 0, 45_000, 15_000);
        check(&[(4, UP, 5_000)], 1, 45_000, 20_000);
        check(&[(0, UP, 1_000), (4, UP, 5_000)], 1, 44_000, 14_000);
    }

    #[test]
    fn every_pair_has_its_own_place() {
        let mut seen = [false; 10];
        for a in 0..5 {
            for b in 0..a {
                let place = Correlations::place(5, a, b).unwrap();
                assert_eq!(Correlations::place(5, b, a), Some(place));
                assert!(!core::mem::replace(&mut seen[place], true));
            }
        }
        assert_eq!(seen, [true; 10]);
        assert_eq!((Correlations::place(5, 2, 2), Correlations::place(5, 1, 5)), (None, None));
    }
}
