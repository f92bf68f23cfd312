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

/// Greatest value of the last `span` bars; of all bars while there are fewer.
pub(super) struct SlidingMax {
    /// Places before `filled`: values of the running block. Places from `filled` on: maximum of the former block
    /// from there to its end. One place more than `span`, which stays the least value.
    places: Box<[i64]>,
    /// Bars in the running block, 1 to `span` after the first push.
    filled: usize,
    /// Greatest value of the running block.
    block_max: i64,
    /// The last `span` values, where somebody asks who is alone; else empty.
    values: Box<[i64]>,
    /// Place of the next value in `values`.
    next: usize,
}

impl SlidingMax {
    /// `counts_equals`: [`is_alone`](Self::is_alone) will be asked.
    pub fn new(span: u32, counts_equals: bool) -> Self {
        let span = span as usize;
        Self {
            places: vec![i64::MIN; span + 1].into_boxed_slice(),
            filled: 0,
            block_max: i64::MIN,
            values: vec![i64::MIN; if counts_equals { span } else { 0 }].into_boxed_slice(),
            next: 0,
        }
    }

    /// Takes the value of the next bar.
    #[inline]
    pub fn push(&mut self, value: i64) {
        if self.filled + 1 == self.places.len() {
            self.turn_block();
        }
        self.places[self.filled] = value;
        self.filled += 1;
        self.block_max = self.block_max.max(value);
        if !self.values.is_empty() {
            self.values[self.next] = value;
            self.next = (self.next + 1) % self.values.len();
        }
    }

    /// Valid after the first push.
    #[inline]
    pub fn max(&self) -> i64 {
        self.block_max.max(self.places[self.filled])
    }

    /// One bar of the window has the greatest value and no other. Looks at the whole window.
    pub fn is_alone(&self) -> bool {
        let max = self.max();
        self.values.iter().filter(|&&value| value == max).count() == 1
    }

    /// Saves or loads it after `count` bars, each of which was pushed.
    pub fn state(&mut self, io: &mut StateIo<'_>, count: u32) -> Result<(), StateError> {
        let span = self.places.len() - 1;
        let seen = count as usize;
        self.filled = if seen == 0 { 0 } else { (seen - 1) % span + 1 };
        self.block_max = i64::MIN;
        for at in 0..seen.min(span) {
            snapshot::price(io, &mut self.places[at])?;
            if at < self.filled {
                self.block_max = self.block_max.max(self.places[at]);
            } else {
                // Maxima to the end of a block never rise.
                snapshot::sound(io, at == self.filled || self.places[at] <= self.places[at - 1])?;
            }
        }
        if self.values.is_empty() {
            return Ok(());
        }
        self.next = seen % span;
        for at in 0..seen.min(span) {
            snapshot::price(io, &mut self.values[at])?;
        }
        let is_same = seen == 0 || self.values.iter().max() == Some(&self.max());
        snapshot::sound(io, is_same)
    }

    fn turn_block(&mut self) {
        let mut max = i64::MIN;
        for place in self.places.iter_mut().rev() {
            max = max.max(*place);
            *place = max;
        }
        self.filled = 0;
        self.block_max = i64::MIN;
    }
}

/// Highest high and lowest low of the last bars.
pub(super) struct SlidingRange {
    extremes: Sides<SlidingMax>,
}

impl SlidingRange {
    pub fn new(span: u16) -> Self {
        Self { extremes: Sides::new(|_| SlidingMax::new(span.into(), false)) }
    }

    pub fn push(&mut self, seen: &Sides<Candle>) {
        self.extremes.up.push(seen.up.high);
        self.extremes.down.push(seen.down.high);
    }

    pub fn state(&mut self, io: &mut StateIo<'_>, count: u32) -> Result<(), StateError> {
        self.extremes.up.state(io, count)?;
        self.extremes.down.state(io, count)
    }

    /// High minus low; valid after the first push.
    pub fn height(&self) -> i64 {
        self.extremes.up.max() + self.extremes.down.max()
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
                let value = (state >> 60) as i64 - 8;
                window.push(value);
                all.push(value);
                let last = &all[all.len().saturating_sub(span as usize)..];
                let max = last.iter().copied().max().unwrap();
                assert_eq!(window.max(), max);
                assert_eq!(window.is_alone(), last.iter().filter(|&&other| other == max).count() == 1);
            }
        }
    }
}
