//! The greatest value of the last bars, and their range, as they move on.
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

/// Highest high and lowest low of the last `span` bars, each as its side sees it; of all bars while there are
/// fewer. Both sides stand side by side, because every bar asks for both.
pub(super) struct SlidingMax {
    /// Places before `filled`: values of the running block. Places from `filled` on: maximum of the former block
    /// from there to its end. One place more than `span`, which stays the least value.
    places: Box<[Pair]>,
    /// Bars in the running block, 1 to `span` after the first push.
    filled: usize,
    /// Greatest values of the running block.
    block_max: Pair,
    /// The last `span` values, where somebody asks who is alone; else empty.
    values: Box<[Pair]>,
    /// Place of the next value in `values`.
    next: usize,
}

/// Values of the high and the low side.
type Pair = [i64; 2];

const LEAST: Pair = [i64::MIN; 2];

#[inline]
const fn greater(a: Pair, b: Pair) -> Pair {
    [if a[0] < b[0] { b[0] } else { a[0] }, if a[1] < b[1] { b[1] } else { a[1] }]
}

impl SlidingMax {
    /// `counts_equals`: [`is_alone`](Self::is_alone) will be asked.
    pub fn new(span: u32, counts_equals: bool) -> Self {
        let span = span as usize;
        Self {
            places: vec![LEAST; span + 1].into_boxed_slice(),
            filled: 0,
            block_max: LEAST,
            values: vec![LEAST; if counts_equals { span } else { 0 }].into_boxed_slice(),
            next: 0,
        }
    }

    /// Takes the next bar.
    #[inline]
    pub fn push(&mut self, seen: &Sides<Candle>) {
        self.push_pair([seen.up.high, seen.down.high]);
    }

    #[inline]
    fn push_pair(&mut self, pair: Pair) {
        if self.filled + 1 == self.places.len() {
            self.turn_block();
        }
        self.places[self.filled] = pair;
        self.filled += 1;
        self.block_max = greater(self.block_max, pair);
        if !self.values.is_empty() {
            self.values[self.next] = pair;
            self.next = (self.next + 1) % self.values.len();
        }
    }

    /// The greatest values, high side first. Valid after the first push.
    #[inline]
    pub fn max(&self) -> [i64; 2] {
        greater(self.block_max, self.places[self.filled])
    }

    /// High minus low of the window; valid after the first push.
    pub fn height(&self) -> i64 {
        let [up, down] = self.max();
        up + down
    }

    /// One bar of the window has the greatest value of the side and no other. Looks at the whole window.
    pub fn is_alone(&self, direction: Direction) -> bool {
        let side = direction as usize;
        let max = self.max()[side];
        self.values.iter().filter(|pair| pair[side] == max).count() == 1
    }

    /// Saves or loads it after `count` bars, each of which was pushed.
    pub fn state(&mut self, io: &mut StateIo<'_>, count: u32) -> Result<(), StateError> {
        let span = self.places.len() - 1;
        let seen = count as usize;
        self.filled = if seen == 0 { 0 } else { (seen - 1) % span + 1 };
        self.block_max = LEAST;
        for at in 0..seen.min(span) {
            let mut pair = self.places[at];
            snapshot::price(io, &mut pair[0])?;
            snapshot::price(io, &mut pair[1])?;
            self.places[at] = pair;
            if at < self.filled {
                self.block_max = greater(self.block_max, pair);
            } else {
                // Maxima to the end of a block never rise.
                let is_falling =
                    at == self.filled || greater(self.places[at - 1], pair) == self.places[at - 1];
                snapshot::sound(io, is_falling)?;
            }
        }
        if self.values.is_empty() {
            return Ok(());
        }
        self.next = seen % span;
        for pair in self.values.iter_mut().take(seen) {
            snapshot::price(io, &mut pair[0])?;
            snapshot::price(io, &mut pair[1])?;
        }
        let is_same = seen == 0 || self.values.iter().copied().fold(LEAST, greater) == self.max();
        snapshot::sound(io, is_same)
    }

    fn turn_block(&mut self) {
        let mut max = LEAST;
        for place in self.places.iter_mut().rev() {
            max = greater(max, *place);
            *place = max;
        }
        self.filled = 0;
        self.block_max = LEAST;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_window_is_the_last_values_and_nothing_else() {
        let mut state = 3u64;
        for span in [1u32, 2, 3, 7, 10, 64] {
            let (mut window, mut all) = (SlidingMax::new(span, true), vec![]);
            for _ in 0..600 {
                state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                let pair = [(state >> 60) as i64 - 8, (state >> 50 & 7) as i64];
                window.push_pair(pair);
                all.push(pair);
                let last = &all[all.len().saturating_sub(span as usize)..];
                for direction in [Direction::Up, Direction::Down] {
                    let side = direction as usize;
                    let max = last.iter().map(|pair| pair[side]).max().unwrap();
                    assert_eq!(window.max()[side], max);
                    let equals = last.iter().filter(|pair| pair[side] == max).count();
                    assert_eq!(window.is_alone(direction), equals == 1);
                }
            }
        }
    }
}
