//! The highest high and the lowest low of the last bars, as they move on.
//!
//! Pure, no allocation; four steps a bar without a branch that depends on the values, and one walk over the
//! block every `span` bars. The idea (van Herk, Gil and Werman): cut time into blocks of `span` bars. A window
//! of `span` bars is the end of one block and the beginning of the next, so its maximum is the greater of a
//! running maximum of the new block and a maximum over the end of the old one; the latter, for every possible
//! end, are made once, when the block is full. A monotonic deque does the same work but guesses a branch
//! wrongly on most bars, which costs more than all the rest.

use alloc::boxed::Box;
use alloc::vec;

use super::snapshot;
use super::view::{Candle, Sides};
use crate::state::{StateError, StateIo};
use crate::words::Direction;

/// Highest high and lowest low of the last `span` bars; of all bars while there are fewer. Both stand side by side,
/// because every bar asks for both.
pub(super) struct SlidingMax {
    /// Places before `filled`: bars of the running block. Places from `filled` on: extremes of the former block from
    /// there to its end. One place more than `span`, which stays [`NOTHING`].
    places: Box<[Span]>,
    /// Bars in the running block, 1 to `span` after the first push.
    filled: usize,
    /// Extremes of the running block.
    block: Span,
    /// The last `span` bars, where somebody asks who is alone; else empty.
    bars: Box<[Span]>,
    /// Place of the next bar in `bars`.
    next: usize,
}

/// A high and a low, as prices and not as sides see them: a maximum and a minimum are two instructions each, while
/// two maxima would be paired up by the compiler into a long emulation of one.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Span {
    high: i64,
    low: i64,
}

const NOTHING: Span = Span { high: i64::MIN, low: i64::MAX };

impl Span {
    #[inline]
    fn join(self, other: Self) -> Self {
        Self { high: self.high.max(other.high), low: self.low.min(other.low) }
    }

    /// As the side sees its extreme.
    #[inline]
    const fn extreme(self, direction: Direction) -> i64 {
        match direction {
            Direction::Up => self.high,
            Direction::Down => self.low.wrapping_neg(),
        }
    }

    fn state(&mut self, io: &mut StateIo<'_>) -> Result<(), StateError> {
        snapshot::price(io, &mut self.high)?;
        snapshot::price(io, &mut self.low)?;
        snapshot::sound(io, self.low <= self.high)
    }
}

impl SlidingMax {
    /// `counts_equals`: [`is_alone`](Self::is_alone) will be asked.
    pub fn new(span: u32, counts_equals: bool) -> Self {
        let span = span as usize;
        Self {
            places: vec![NOTHING; span + 1].into_boxed_slice(),
            filled: 0,
            block: NOTHING,
            bars: vec![NOTHING; if counts_equals { span } else { 0 }].into_boxed_slice(),
            next: 0,
        }
    }

    /// Takes the next bar.
    #[inline]
    pub fn push(&mut self, seen: &Sides<Candle>) {
        self.push_span(Span { high: seen.up.high, low: seen.up.low });
    }

    #[inline]
    fn push_span(&mut self, bar: Span) {
        if self.filled + 1 == self.places.len() {
            self.turn_block();
        }
        self.places[self.filled] = bar;
        self.filled += 1;
        self.block = self.block.join(bar);
        if !self.bars.is_empty() {
            self.bars[self.next] = bar;
            self.next = (self.next + 1) % self.bars.len();
        }
    }

    /// The extreme of a side, as it sees it. Valid after the first push.
    #[inline]
    pub fn max(&self, direction: Direction) -> i64 {
        self.block.join(self.places[self.filled]).extreme(direction)
    }

    /// High minus low of the window; valid after the first push.
    pub fn height(&self) -> i64 {
        let Span { high, low } = self.block.join(self.places[self.filled]);
        high - low
    }

    /// One bar of the window has the extreme of the side and no other. Looks at the whole window.
    pub fn is_alone(&self, direction: Direction) -> bool {
        let max = self.max(direction);
        self.bars.iter().filter(|bar| **bar != NOTHING && bar.extreme(direction) == max).count() == 1
    }

    /// Saves or loads it after `count` bars, each of which was pushed.
    pub fn state(&mut self, io: &mut StateIo<'_>, count: u32) -> Result<(), StateError> {
        let span = self.places.len() - 1;
        let seen = count as usize;
        self.filled = if seen == 0 { 0 } else { (seen - 1) % span + 1 };
        self.next = seen % span;
        self.block = NOTHING;
        for at in 0..seen.min(span) {
            self.places[at].state(io)?;
            if at < self.filled {
                self.block = self.block.join(self.places[at]);
            } else {
                // Extremes to the end of a block never grow.
                let before = self.places[at.saturating_sub(1)];
                snapshot::sound(io, at == self.filled || before.join(self.places[at]) == before)?;
            }
        }
        for bar in self.bars.iter_mut().take(seen) {
            bar.state(io)?;
        }
        let window = self.block.join(self.places[self.filled]);
        let is_same = self.bars.is_empty() || self.bars.iter().copied().fold(NOTHING, Span::join) == window;
        snapshot::sound(io, is_same)
    }

    fn turn_block(&mut self) {
        let mut joined = NOTHING;
        for place in self.places.iter_mut().rev() {
            joined = joined.join(*place);
            *place = joined;
        }
        self.filled = 0;
        self.block = NOTHING;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec::Vec;

    #[test]
    fn the_window_is_the_last_values_and_nothing_else() {
        let mut state = 3u64;
        for span in [1u32, 2, 3, 7, 10, 64] {
            let (mut window, mut all) = (SlidingMax::new(span, true), vec![]);
            for _ in 0..600 {
                state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                let pair = [(state >> 60) as i64 - 8, (state >> 50 & 7) as i64];
                window.push_span(Span { high: pair[0], low: -pair[1] });
                all.push(pair);
                let last = &all[all.len().saturating_sub(span as usize)..];
                for direction in [Direction::Up, Direction::Down] {
                    let values: Vec<i64> = last.iter().map(|pair| pair[direction as usize]).collect();
                    let max = values.iter().copied().max().unwrap();
                    assert_eq!(window.max(direction), max);
                    let equals = values.iter().filter(|&&value| value == max).count();
                    assert_eq!(window.is_alone(direction), equals == 1);
                }
            }
        }
    }
}
