//! Order blocks (OB): the bar from which a break of structure started, and breakers, the blocks that failed.
//!
//! Pure; constant work per bar, a scan of `pivot_right` bars when a pivot is confirmed, no allocation.
//!
//! A bullish block comes with a break at `k` of the high pivot at bar `p`: the bar `x`, `p < x < k`, with the
//! lowest low, the last on ties (`Extreme`), or the last bar that closed down (`LastOpposite`; `Extreme` when
//! there is none). Bars that `ob_filter` finds too wild are passed over; when none is left there is no
//! block. The zone is the bar's wick or body. Bearish is the mirror image.
//!
//! * `ObCreated {id, cause_id = break, bar = x, top, bottom, extra = balance, value = volume}`. Volume is
//!   that of `k`, `k - 1` and `k - 2` together. Balance, in ppm, compares `k` and `k - 1` with `k - 2`: the
//!   smaller over the greater, 1 000 000 when both are 0.
//! * `ObTested`: from `k + 1` on, the first low at or under the top.
//! * `ObBroken`: the price that `ob_mitigation` names went strictly under the bottom (the middle of the
//!   zone for `MeanThreshold`); the block is now a breaker, for the other side.
//! * `BreakerInvalidated`: a later high strictly over the top; terminal.
//! * `Expired`: see `zones.rs`; terminal.
//!
//! The argmin needs no stack: while a pivot waits for its break, only the best bar since that pivot can ever
//! be asked for, so it is kept; a newer pivot is `pivot_right` bars old when it is known, so those bars
//! are looked through once.

use super::params::{BlockBar, BlockZone, ObMitigation, SmcParams};
use super::snapshot;
use super::view::{Candle, Fact, History, Say, Sides, seen_from};
use super::zones::{Source, Zone, ZoneBook, ZoneRules, ZoneState};
use crate::output::{Structure, StructureKind};
use crate::state::{StateError, StateIo};
use crate::words::{Direction, Price, Qty};

/// Block candidates and the living blocks of both sides.
pub(super) struct Blocks {
    block: BlockBar,
    zone: BlockZone,
    pub books: Sides<ZoneBook>,
    /// Best bars since the pivot that waits for its break on that side; the break takes them.
    candidates: Sides<Option<Candidates>>,
}

/// Best bars since a pivot, as the side sees them.
#[derive(Clone, Copy, Default)]
struct Candidates {
    extreme: Extreme,
    last_opposite: Option<(u32, Candle)>,
}

/// The bar with the lowest low, the last on ties.
#[derive(Clone, Copy)]
struct Extreme {
    bar: u32,
    /// Its low is [`NEVER`] before the first bar.
    candle: Candle,
}

/// A low that every bar goes under.
const NEVER: i64 = i64::MAX;

impl Default for Extreme {
    fn default() -> Self {
        Self { bar: 0, candle: Candle { low: NEVER, ..Candle::default() } }
    }
}

impl Extreme {
    /// Bars take the place of the last one as they like, so it is done without a branch to guess.
    #[inline]
    fn offer(&mut self, bar: u32, candle: &Candle) {
        let is_lower = candle.low <= self.candle.low;
        let pick = |new: i64, old: i64| old ^ (old ^ new) & -i64::from(is_lower);
        let old = self.candle;
        self.bar = pick(bar.into(), self.bar.into()) as u32;
        self.candle = Candle {
            open: pick(candle.open, old.open),
            high: pick(candle.high, old.high),
            low: pick(candle.low, old.low),
            close: pick(candle.close, old.close),
            ..Candle::default()
        };
    }

    fn get(&self) -> Option<(u32, Candle)> {
        (self.candle.low != NEVER).then_some((self.bar, self.candle))
    }
}

impl Candidates {
    /// The colour of a bar is a coin toss, so nobody looks at it unless the `block` rule asks.
    #[inline]
    fn offer(&mut self, block: BlockBar, bar: u32, candle: &Candle) {
        if candle.is_wild {
            return;
        }
        self.extreme.offer(bar, candle);
        if block == BlockBar::LastOpposite && candle.close < candle.open {
            self.last_opposite = Some((bar, *candle));
        }
    }
}

impl Blocks {
    pub fn new(params: &SmcParams) -> Self {
        let rules = ZoneRules {
            touched: StructureKind::ObTested,
            broken: StructureKind::ObBroken,
            ended: StructureKind::BreakerInvalidated,
            touch_depth_ppm: 0,
            break_source: match params.ob_mitigation {
                ObMitigation::Wick => Source::Wick,
                ObMitigation::Close | ObMitigation::MeanThreshold => Source::Close,
                ObMitigation::Body => Source::Body,
            },
            is_broken_at_middle: params.ob_mitigation == ObMitigation::MeanThreshold,
            end_source: Source::Wick,
        };
        Self {
            block: params.ob_block,
            zone: params.ob_zone,
            books: Sides::new(|direction| ZoneBook::new(direction, rules, params.ob_cap)),
            candidates: Sides::default(),
        }
    }

    /// One closed bar in the life of the blocks that were there before it.
    pub fn on_bar<F: FnMut(Structure)>(&mut self, seen: &Sides<Candle>, say: &mut Say<'_, F>) {
        self.books.up.on_bar(&seen.up, say);
        self.books.down.on_bar(&seen.down, say);
    }

    /// The pivot of this side broke at the bar that is just closing.
    pub fn on_break<F: FnMut(Structure)>(
        &mut self,
        direction: Direction,
        break_id: u32,
        history: &History,
        say: &mut Say<'_, F>,
    ) {
        let Some(candidates) = self.candidates.of_mut(direction).take() else { return };
        let chosen = match self.block {
            BlockBar::Extreme => candidates.extreme.get(),
            BlockBar::LastOpposite => candidates.last_opposite.or(candidates.extreme.get()),
        };
        let Some((bar, candle)) = chosen else { return };
        let (top, bottom) = match self.zone {
            BlockZone::Wick => (candle.high, candle.low),
            BlockZone::Body => (candle.open.max(candle.close), candle.open.min(candle.close)),
        };
        let id = say.new_id();
        let (volume, balance) = volume_and_balance(say.known, history);
        let kind = StructureKind::ObCreated;
        say.fact(
            direction,
            Fact { kind, id, cause_id: break_id, bar, top, bottom, extra: balance, value: volume },
        );
        let (a, b) = (seen_from(direction, top), seen_from(direction, bottom));
        let zone = Zone {
            id,
            cause_id: break_id,
            direction,
            state: ZoneState::Fresh,
            top: Price(a.max(b)),
            bottom: Price(a.min(b)),
            bar,
            known_bar: say.known,
            volume: Qty(volume),
        };
        self.books.of_mut(direction).admit(zone, say);
    }

    pub fn state(&mut self, io: &mut StateIo<'_>, count: u32) -> Result<(), StateError> {
        self.books.up.state(io, count)?;
        self.books.down.state(io, count)?;
        for candidates in [&mut self.candidates.up, &mut self.candidates.down] {
            io.option(candidates, Candidates::default, |io, Candidates { extreme, last_opposite }| {
                let mut lowest = extreme.get();
                for best in [&mut lowest, last_opposite] {
                    io.option(best, Default::default, |io, (bar, candle)| {
                        snapshot::bar(io, bar, count)?;
                        snapshot::candle(io, candle)
                    })?;
                }
                *extreme = lowest.map_or_else(Extreme::default, |(bar, candle)| Extreme { bar, candle });
                Ok(())
            })?;
        }
        Ok(())
    }

    /// After the breaks of bar `k` were tested: the bar may be a block of a later break.
    pub fn offer(&mut self, k: u32, seen: &Sides<Candle>) {
        if let Some(candidates) = &mut self.candidates.up {
            candidates.offer(self.block, k, &seen.up);
        }
        if let Some(candidates) = &mut self.candidates.down {
            candidates.offer(self.block, k, &seen.down);
        }
    }

    /// A new pivot of this side, at `pivot_bar`, became known at `k`: only the bars after it count now.
    pub fn on_pivot(&mut self, direction: Direction, pivot_bar: u32, k: u32, history: &History) {
        let mut candidates = Candidates::default();
        for bar in pivot_bar + 1..=k {
            candidates.offer(self.block, bar, &history.at(bar, direction));
        }
        *self.candidates.of_mut(direction) = Some(candidates);
    }
}

/// Volume of `k`, `k - 1` and `k - 2`, and how even it is between the last two and the first, in ppm.
fn volume_and_balance(k: u32, history: &History) -> (i64, i64) {
    let volume = |back: u32| k.checked_sub(back).map_or(0, |bar| history.at(bar, Direction::Up).volume);
    let late = i128::from(volume(0)) + i128::from(volume(1));
    let early = i128::from(volume(2));
    let (less, greater) = (late.min(early), late.max(early));
    // Volumes below 184 thousand units do without a 128-bit division.
    let balance = match (u64::try_from(less * 1_000_000), u64::try_from(greater)) {
        (_, Ok(0)) => 1_000_000,
        (Ok(less), Ok(greater)) => (less / greater) as i64,
        _ => crate::words::clamp_i64(less * 1_000_000 / greater),
    };
    (crate::words::clamp_i64(late + early), balance)
}
