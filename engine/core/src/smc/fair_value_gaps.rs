//! Fair value gaps (FVG): three-bar holes in price that the market may come back to fill.
//!
//! Pure; constant work per bar plus a few steps per gap that changes, no allocation.
//!
//! Bullish, with the middle bar `i = k - 1`: `high[i - 1] < low[k]`, the zone between them, and the middle bar
//! shows what `fvg_middle` asks. Known when bar `k` closes. Bearish is the mirror image. A gap lower than
//! `fvg_size_min` or `fvg_size_min_atr_ppm` is none.
//!
//! * `FvgCreated {id, bar = i, top, bottom, extra = height in ppm of ATR}`; said before the lifecycle of older
//!   gaps at the same bar.
//! * `FvgMitigated`: from `k + 1` on, price first came as deep as `fvg_mitigation` asks (inclusive). The gap
//!   is watched further, for inversion.
//! * `FvgInverted`: a close strictly beyond the far edge; the zone now stands for the other side.
//! * `IfvgInvalidated`: a later close strictly back beyond the near edge; terminal.
//! * `Expired`: see `zones.rs`; terminal.
//!
//! Joining consecutive gaps belongs to the batch tables; live, each gap lives its own life.

use super::atr::Atr;
use super::params::{FvgMiddle, SmcParams};
use super::view::{Candle, Fact, History, Say, Sides, seen_from};
use super::zones::{Source, Zone, ZoneBook, ZoneRules, ZoneState};
use crate::output::{Structure, StructureKind};
use crate::words::{Direction, Price, Qty};

/// Detection and the living gaps of both sides.
pub(super) struct Gaps {
    middle: FvgMiddle,
    size_min: i64,
    size_min_atr_ppm: i64,
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

    fn detect<F: FnMut(Structure)>(
        &self,
        direction: Direction,
        history: &History,
        atr: &Atr,
        say: &mut Say<'_, F>,
    ) -> Option<Zone> {
        let k = say.known;
        let bottom = history.at(k - 2, direction).high;
        let top = history.at(k, direction).low;
        if top <= bottom || !self.is_middle(&history.at(k - 1, direction), bottom) {
            return None;
        }
        let height_ppm = atr.ppm_of(top - bottom);
        if top - bottom < self.size_min || height_ppm < self.size_min_atr_ppm {
            return None;
        }
        let id = say.new_id();
        let fact = Fact {
            kind: StructureKind::FvgCreated,
            id,
            cause_id: 0,
            bar: k - 1,
            top,
            bottom,
            extra: height_ppm,
            value: 0,
        };
        say.fact(direction, fact);
        let (a, b) = (seen_from(direction, top), seen_from(direction, bottom));
        Some(Zone {
            id,
            cause_id: 0,
            direction,
            state: ZoneState::Fresh,
            top: Price(a.max(b)),
            bottom: Price(a.min(b)),
            bar: k - 1,
            known_bar: k,
            volume: Qty(0),
        })
    }

    fn is_middle(&self, middle: &Candle, high_before: i64) -> bool {
        match self.middle {
            FvgMiddle::Body => middle.close > middle.open,
            FvgMiddle::CloseBeyond => middle.close > high_before,
            FvgMiddle::Any => true,
        }
    }
}
