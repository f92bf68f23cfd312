//! Fair value gaps (FVG): three-bar holes in price that the market may come back to fill.
//!
//! Pure; constant work per bar plus a few steps per gap that changes, no allocation.
//!
//! Bullish, with the middle bar `i = k - 1`: `high[i - 1] < low[k]`, the zone between them, and the middle bar
//! shows what `fvg_middle` asks. Known when bar `k` closes. Bearish is the mirror image. A gap lower than
//! `fvg_size_min` or `fvg_size_min_atr_ppm` is none. With `fvg_auto_threshold` the body of the middle bar must
//! point the gap's way and, as part of its open, be more than twice the mean of `|close - open| / open` over
//! all bars from the first up to and including `k`; each ratio in 1e-9, rounded down, 0 where the open is 0.
//!
//! * `FvgCreated {id, bar = i, top, bottom, extra = height in ppm of ATR}`; said before the lifecycle of older
//!   gaps at the same bar.
//! * `FvgJoined {id, cause_id = the gap taken in, bar = i, top, bottom, extra = height in ppm of ATR}`, with
//!   `fvg_join` in place of `FvgCreated`: bar `i - 1` was the middle of a gap of the same side, perhaps itself
//!   a joined one. The new gap spans both; the one taken in ends here without a further word.
//! * `FvgMitigated`: from `k + 1` on, price first came as deep as `fvg_mitigation` asks (inclusive). The gap
//!   is watched further, for inversion.
//! * `FvgInverted`: a close strictly beyond the far edge; the zone now stands for the other side.
//! * `IfvgInvalidated`: a later close strictly back beyond the near edge; terminal.
//! * `Expired`: see `zones.rs`; terminal.
//!
//! A gap taken in was created at the bar before and has not lived through a bar yet, so it is always fresh and
//! the newest of its side. A joined gap may reach beyond price; so tops in a book need not rise with age.

use super::atr::Atr;
use super::params::{FvgMiddle, SmcParams};
use super::snapshot;
use super::view::{Candle, Fact, History, Say, Sides, seen_from};
use super::zones::{Source, Zone, ZoneBook, ZoneRules, ZoneState};
use crate::output::{Structure, StructureKind};
use crate::state::{StateError, StateIo};
use crate::words::{Direction, Price, Qty};

/// Detection and the living gaps of both sides.
pub(super) struct Gaps {
    middle: FvgMiddle,
    size_min: i64,
    size_min_atr_ppm: i64,
    joins: bool,
    /// None when the threshold is off.
    bodies: Option<Bodies>,
    pub books: Sides<ZoneBook>,
}

impl Gaps {
    pub fn new(params: &SmcParams) -> Self {
        let rules = ZoneRules {
            touched: StructureKind::FvgMitigated,
            broken: StructureKind::FvgInverted,
            ended: StructureKind::IfvgInvalidated,
            touch_depth_ppm: params.fvg_mitigation.depth_ppm(),
            break_source: Source::Close,
            is_broken_at_middle: false,
            end_source: Source::Close,
        };
        Self {
            middle: params.fvg_middle,
            size_min: params.fvg_size_min.0,
            size_min_atr_ppm: i64::from(params.fvg_size_min_atr_ppm),
            joins: params.fvg_join,
            bodies: params.fvg_auto_threshold.then(Bodies::default),
            books: Sides::new(|direction| ZoneBook::new(direction, rules, params.fvg_cap)),
        }
    }

    /// Takes closed bar `k`, already in `history`. The new gap joins the book after the older ones have lived
    /// through the bar: it may be touched from the next bar on.
    pub fn on_bar<F: FnMut(Structure)>(
        &mut self,
        seen: &Sides<Candle>,
        history: &History,
        atr: &Atr,
        say: &mut Say<'_, F>,
    ) {
        if let Some(bodies) = &mut self.bodies {
            bodies.push(&seen.up);
        }
        let created = match say.known {
            0 | 1 => None,
            _ => self
                .detect(Direction::Up, history, atr, say)
                .or_else(|| self.detect(Direction::Down, history, atr, say)),
        };
        self.books.up.on_bar(&seen.up, say);
        self.books.down.on_bar(&seen.down, say);
        if let Some(zone) = created {
            self.books.of_mut(zone.direction).admit(zone, say);
        }
    }

    pub fn state(&mut self, io: &mut StateIo<'_>, count: u32) -> Result<(), StateError> {
        self.books.up.state(io, count)?;
        self.books.down.state(io, count)?;
        let Some(bodies) = &mut self.bodies else { return Ok(()) };
        io.number(&mut bodies.sum)?;
        let most = i128::from(count) * i128::from(RATIO_MAX);
        snapshot::sound(io, (0..=most).contains(&bodies.sum))
    }

    fn detect<F: FnMut(Structure)>(
        &mut self,
        direction: Direction,
        history: &History,
        atr: &Atr,
        say: &mut Say<'_, F>,
    ) -> Option<Zone> {
        let k = say.known;
        let bottom = history.at(k - 2, direction).high;
        let top = history.at(k, direction).low;
        if top <= bottom || !self.is_middle(&history.at(k - 1, direction), bottom, k) {
            return None;
        }
        let height_ppm = atr.ppm_of(top - bottom);
        if top - bottom < self.size_min || height_ppm < self.size_min_atr_ppm {
            return None;
        }
        let id = say.new_id();
        let mut fact = Fact {
            kind: StructureKind::FvgCreated,
            id,
            cause_id: 0,
            bar: k - 1,
            top,
            bottom,
            extra: height_ppm,
            value: 0,
        };
        if self.joins
            && let Some(taken) = self.books.of_mut(direction).take_newest(k - 2)
        {
            let (a, b) = (seen_from(direction, taken.top.0), seen_from(direction, taken.bottom.0));
            fact.kind = StructureKind::FvgJoined;
            fact.cause_id = taken.id;
            fact.top = top.max(a).max(b);
            fact.bottom = bottom.min(a).min(b);
            fact.extra = atr.ppm_of(fact.top - fact.bottom);
        }
        let Fact { cause_id, top, bottom, .. } = fact;
        say.fact(direction, fact);
        let (a, b) = (seen_from(direction, top), seen_from(direction, bottom));
        Some(Zone {
            id,
            cause_id,
            direction,
            state: ZoneState::Fresh,
            top: Price(a.max(b)),
            bottom: Price(a.min(b)),
            bar: k - 1,
            known_bar: k,
            volume: Qty(0),
        })
    }

    fn is_middle(&self, middle: &Candle, high_before: i64, k: u32) -> bool {
        let is_shown = match self.middle {
            FvgMiddle::Body => middle.close > middle.open,
            FvgMiddle::CloseBeyond => middle.close > high_before,
            FvgMiddle::Any => true,
        };
        is_shown && self.bodies.as_ref().is_none_or(|bodies| bodies.is_large(middle, k))
    }
}

/// Largest body as part of its open, in 1e-9: a thousandfold. Keeps the sum of four billion within bounds.
const RATIO_MAX: u64 = 1 << 40;

/// Bodies of all bars so far, each as part of its open.
#[derive(Default)]
struct Bodies {
    /// In 1e-9.
    sum: i128,
}

impl Bodies {
    fn push(&mut self, candle: &Candle) {
        self.sum += i128::from(ratio(candle));
    }

    /// The body points up and is more than twice the mean of the bars up to `k`, all of them pushed.
    fn is_large(&self, candle: &Candle, k: u32) -> bool {
        candle.close > candle.open && i128::from(ratio(candle)) * (i128::from(k) + 1) > 2 * self.sum
    }
}

/// `|close - open| / |open|` in 1e-9, rounded down.
fn ratio(candle: &Candle) -> u64 {
    let (body, open) = ((candle.close - candle.open).unsigned_abs(), candle.open.unsigned_abs());
    let ratio = match body.checked_mul(1_000_000_000) {
        Some(scaled) => scaled.checked_div(open).unwrap_or(0),
        None => ratio_of_far(body, open),
    };
    ratio.min(RATIO_MAX)
}

#[cold]
fn ratio_of_far(body: u64, open: u64) -> u64 {
    let scaled = u128::from(body) * 1_000_000_000;
    u64::try_from(scaled.checked_div(u128::from(open)).unwrap_or(0)).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn candle(open: i64, close: i64) -> Candle {
        Candle { open, high: open.max(close), low: open.min(close), close, ..Candle::default() }
    }

    #[test]
    fn only_a_body_of_more_than_twice_the_mean_that_points_the_way_is_large() {
        let mut bodies = Bodies::default();
        for candle in [candle(100, 101), candle(100, 99), candle(100, 104)] {
            bodies.push(&candle);
        }
        // The mean of 1, 1 and 4 % is 2 %.
        assert!(!bodies.is_large(&candle(100, 104), 2), "twice the mean is not more than it");
        assert!(bodies.is_large(&candle(1_000, 1_041), 2));
        assert!(!bodies.is_large(&candle(1_000, 959), 2), "it points the other way");
        assert!(bodies.is_large(&candle(-1_000, -959), 2), "a mirrored bar");
    }

    #[test]
    fn a_ratio_is_the_same_near_and_far_and_bounded() {
        assert_eq!(ratio(&candle(3, 4)), 333_333_333);
        assert_eq!(ratio(&candle(3 << 58, 1 << 60)), 333_333_333);
        assert_eq!((ratio(&candle(0, 5)), ratio(&candle(0, 1 << 61))), (0, 0));
        assert_eq!(ratio(&candle(1, 1 << 61)), RATIO_MAX);
    }
}
