//! One scope of structure: pivots, the swings and breaks they make, and the order blocks of those breaks.
//!
//! The swing scope and the internal scope inside it are the same code with another pivot rule; all they share
//! is the bars. Pure; the engine calls the steps in its fixed order, the swing scope first in each. Every
//! event said here carries the scope.

use super::atr::Atr;
use super::order_blocks::Blocks;
use super::params::{InternalParams, SmcParams};
use super::pivots::{Pivot, PivotRule, Pivots};
use super::structure::{Breaks, Strength};
use super::swings::Swings;
use super::view::{Candle, Fact, History, Say, Sides};
use super::zones::Zone;
use crate::output::{Scope, Structure, StructureKind};
use crate::state::{StateError, StateIo};
use crate::words::Direction;

/// The structure of one scope.
pub(super) struct ScopeStructure {
    scope: Scope,
    pivots: Pivots,
    pub swings: Swings,
    pub breaks: Breaks,
    /// None when order blocks are not kept.
    pub blocks: Option<Blocks>,
}

/// What a pivot has just done.
pub(super) struct Confirmed {
    pub direction: Direction,
    pub pivot: Pivot,
    /// It became the provisional swing.
    pub is_swing: bool,
}

impl ScopeStructure {
    pub fn swing(params: &SmcParams) -> Self {
        Self {
            scope: Scope::Swing,
            pivots: Pivots::new(PivotRule::swing(params)),
            swings: Swings::default(),
            breaks: Breaks::new(params, false),
            blocks: params.order_blocks.then(|| Blocks::new(params)),
        }
    }

    pub fn internal(params: &SmcParams, inner: &InternalParams) -> Self {
        Self {
            scope: Scope::Internal,
            pivots: Pivots::new(PivotRule::internal(params, inner)),
            swings: Swings::default(),
            breaks: Breaks::new(params, inner.ignores_swing_level),
            blocks: (params.order_blocks && inner.order_blocks).then(|| Blocks::new(params)),
        }
    }

    /// One closed bar in the life of the order blocks that were there before it.
    #[inline]
    pub fn live<F: FnMut(Structure)>(&mut self, seen: &Sides<Candle>, say: &mut Say<'_, F>) {
        if let Some(blocks) = &mut self.blocks {
            say.scope = self.scope;
            blocks.on_bar(seen, say);
        }
    }

    /// Breaks, up with the block it makes, then down. Levels at the `ignored` prices do not break.
    #[inline]
    pub fn test_breaks<F: FnMut(Structure)>(
        &mut self,
        seen: &Sides<Candle>,
        ignored: &Sides<Option<i64>>,
        history: &History,
        atr: &Atr,
        say: &mut Say<'_, F>,
    ) {
        if self.breaks.is_reached(seen) {
            self.take_breaks(seen, ignored, history, atr, say);
        }
        if let Some(blocks) = &mut self.blocks {
            blocks.offer(say.known, seen);
        }
    }

    /// Out of line, because it is rare and long: the bar that reaches nothing runs straight past it.
    #[inline(never)]
    fn take_breaks<F: FnMut(Structure)>(
        &mut self,
        seen: &Sides<Candle>,
        ignored: &Sides<Option<i64>>,
        history: &History,
        atr: &Atr,
        say: &mut Say<'_, F>,
    ) {
        say.scope = self.scope;
        let bar_before = say.known.saturating_sub(1);
        for direction in [Direction::Up, Direction::Down] {
            let before = || history.at(bar_before, direction);
            let ignored = *ignored.of(direction);
            let broken = self.breaks.on_bar(direction, seen.of(direction), before, ignored, atr, say);
            if let (Some(broken), Some(blocks)) = (broken, &mut self.blocks) {
                blocks.on_break(direction, broken.id, history, say);
            }
        }
    }

    /// The pivot that the bar made known, if any, and what follows from it.
    #[inline]
    pub fn confirm<F: FnMut(Structure)>(
        &mut self,
        seen: &Sides<Candle>,
        history: &History,
        say: &mut Say<'_, F>,
    ) -> Option<Confirmed> {
        let (direction, bar, price) = self.pivots.on_bar(say.known, seen, history)?;
        Some(self.follow(direction, bar, price, history, say))
    }

    /// What follows from a pivot.
    fn follow<F: FnMut(Structure)>(
        &mut self,
        direction: Direction,
        bar: u32,
        price: i64,
        history: &History,
        say: &mut Say<'_, F>,
    ) -> Confirmed {
        say.scope = self.scope;
        let pivot = Pivot { id: say.new_id(), bar, price };
        let kind = StructureKind::PivotConfirmed;
        say.fact(
            direction,
            Fact { kind, id: pivot.id, cause_id: 0, bar, top: price, bottom: price, extra: 0, value: 0 },
        );
        let is_swing = self.swings.on_pivot(direction, &pivot, say);
        self.breaks.on_pivot(direction, &pivot);
        if let Some(blocks) = &mut self.blocks {
            blocks.on_pivot(direction, bar, say.known, history);
        }
        Confirmed { direction, pivot, is_swing }
    }

    pub fn state(&mut self, io: &mut StateIo<'_>, count: u32) -> Result<(), StateError> {
        self.pivots.state(io, count)?;
        self.swings.state(io, count)?;
        self.breaks.state(io, count)?;
        match &mut self.blocks {
            Some(blocks) => blocks.state(io, count),
            None => Ok(()),
        }
    }

    /// Living order blocks, bullish first.
    pub fn order_blocks(&self) -> impl Iterator<Item = &Zone> {
        self.blocks.iter().flat_map(|blocks| blocks.books.up.iter().chain(blocks.books.down.iter()))
    }

    /// How the swing of this side stands, once there is one.
    pub fn strength(&self, direction: Direction) -> Option<Strength> {
        let is_current = self.swings.current().is_some_and(|swing| swing.direction == direction);
        let is_known = is_current || self.swings.locked(direction).is_some();
        is_known.then(|| self.breaks.strength(direction))
    }
}
