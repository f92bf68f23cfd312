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
/// fewer. One cursor for both sides, because every bar asks for both.
pub(super) struct SlidingMax {
    /// Bars in the running block, 1 to `span` after the first push.
    filled: usize,
    up: Blocks,
    down: Blocks,
    /// Place of the next value in the sides' `values`.
    next: usize,
}

/// The blocks of one side. The sides lie apart, so that the compiler does not pair them up: 64-bit maxima in pairs
/// cost three times as much on the plain instruction set.
struct Blocks {
    /// Places before `filled`: values of the running block. Places from `filled` on: maximum of the former block
    /// from there to its end. One place more than `span`, which stays the least value.
    places: Box<[i64]>,
    /// Greatest value of the running block.
    max: i64,
    /// The last `span` values, where somebody asks who is alone; else empty.
    values: Box<[i64]>,
}

impl Blocks {
    fn new(span: usize, counts_equals: bool) -> Self {
        Self {
            places: vec![i64::MIN; span + 1].into_boxed_slice(),
            max: i64::MIN,
            values: vec![i64::MIN; if counts_equals { span } else { 0 }].into_boxed_slice(),
        }
    }

    #[inline]
    fn put(&mut self, at: usize, value: i64) {
        self.places[at] = value;
        self.max = self.max.max(value);
    }

    fn turn(&mut self) {
        let mut max = i64::MIN;
        for place in self.places.iter_mut().rev() {
            max = max.max(*place);
            *place = max;
        }
        self.max = i64::MIN;
    }

    fn state(&mut self, io: &mut StateIo<'_>, filled: usize, seen: usize) -> Result<(), StateError> {
        self.max = i64::MIN;
        for at in 0..seen.min(self.places.len() - 1) {
            snapshot::price(io, &mut self.places[at])?;
            if at < filled {
                self.max = self.max.max(self.places[at]);
            } else {
                // Maxima to the end of a block never rise.
                snapshot::sound(io, at == filled || self.places[at] <= self.places[at - 1])?;
            }
        }
        for value in self.values.iter_mut().take(seen) {
            snapshot::price(io, value)?;
        }
        let max = self.max.max(self.places[filled]);
        snapshot::sound(io, self.values.is_empty() || self.values.iter().max() == Some(&max))
    }
}

impl SlidingMax {
    /// `counts_equals`: [`is_alone`](Self::is_alone) will be asked.
    pub fn new(span: u32, counts_equals: bool) -> Self {
        let blocks = || Blocks::new(span as usize, counts_equals);
        Self { filled: 0, up: blocks(), down: blocks(), next: 0 }
    }

    /// Takes the next bar.
    #[inline]
    pub fn push(&mut self, seen: &Sides<Candle>) {
        self.push_values(seen.up.high, seen.down.high);
    }

    #[inline]
    fn push_values(&mut self, up: i64, down: i64) {
        if self.filled + 1 == self.up.places.len() {
            self.up.turn();
            self.down.turn();
            self.filled = 0;
        }
        self.up.put(self.filled, up);
        self.down.put(self.filled, down);
        self.filled += 1;
        if !self.up.values.is_empty() {
            self.up.values[self.next] = up;
            self.down.values[self.next] = down;
            self.next = (self.next + 1) % self.up.values.len();
        }
    }

    /// The greatest value of a side. Valid after the first push.
    #[inline]
    pub fn max(&self, direction: Direction) -> i64 {
        let blocks = self.side(direction);
        blocks.max.max(blocks.places[self.filled])
    }

    /// High minus low of the window; valid after the first push.
    pub fn height(&self) -> i64 {
        self.max(Direction::Up) + self.max(Direction::Down)
    }

    /// One bar of the window has the greatest value of the side and no other. Looks at the whole window.
    pub fn is_alone(&self, direction: Direction) -> bool {
        let max = self.max(direction);
        self.side(direction).values.iter().filter(|&&value| value == max).count() == 1
    }

    /// Saves or loads it after `count` bars, each of which was pushed.
    pub fn state(&mut self, io: &mut StateIo<'_>, count: u32) -> Result<(), StateError> {
        let span = self.up.places.len() - 1;
        let seen = count as usize;
        self.filled = if seen == 0 { 0 } else { (seen - 1) % span + 1 };
        self.next = seen % span;
        self.up.state(io, self.filled, seen)?;
        self.down.state(io, self.filled, seen)
    }

    #[inline]
    const fn side(&self, direction: Direction) -> &Blocks {
        match direction {
            Direction::Up => &self.up,
            Direction::Down => &self.down,
        }
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
                window.push_values(pair[0], pair[1]);
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
