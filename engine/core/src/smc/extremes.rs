//! The highest high and the lowest low of the last bars, as they move on.
//!
//! Pure, no allocation; a few comparisons per bar without a branch that depends on prices, which a queue of
//! candidates would need: on prices, the processor guesses such branches wrong half the time.
//!
//! The bars are cut into blocks as long as the window. A window is the end of the block before and the
//! beginning of the present one: when a block is full, each of its places takes the extreme from there to the
//! block's end, once; the present block keeps a running extreme. So a full block costs one step per bar of it,
//! and the window at any bar is one running extreme and one place.
//!
//! ```text
//!        block before             present block
//!   ┌───┬───┬───┬───┬───┐   ┌───┬───┬───┐
//!   │   │   │   │ extreme from here to the end; then the running extreme
//!   └───┴───┴───┴───┴───┘   └───┴───┴───┘
//! ```
//!
//! Both share one ring: the present block overwrites the places of the block before that left the window.

use alloc::boxed::Box;
use alloc::vec;

use super::snapshot;
use super::view::{Candle, Sides};
use crate::state::{StateError, StateIo};
use crate::words::Direction;

/// Extremes of a window, as each side sees them.
pub(super) struct Extremes {
    /// Before `at` the values of the present block, from `at` on the extremes of the block before from there to
    /// its end. As long as the window.
    ring: Box<[Sides<i64>]>,
    /// Place of the next bar.
    at: usize,
    /// Extremes of the present block.
    running: Sides<i64>,
    /// Extremes of the window; made anew by every bar, so no part of a saved state.
    window: Sides<i64>,
}

const NOTHING: Sides<i64> = Sides { up: i64::MIN, down: i64::MIN };

impl Extremes {
    /// Of `span` bars, at least 1.
    pub fn new(span: u32) -> Self {
        let ring = vec![NOTHING; span.max(1) as usize].into_boxed_slice();
        Self { ring, at: 0, running: NOTHING, window: NOTHING }
    }

    /// Takes a closed bar.
    #[inline]
    pub fn push(&mut self, seen: &Sides<Candle>) {
        let Self { ring, at, running, window } = self;
        ring[*at] = Sides { up: seen.up.high, down: seen.down.high };
        *running = greater(*running, ring[*at]);
        *at += 1;
        // The first bar of the block before that is still in the window, if there is one.
        match ring.get(*at) {
            Some(rest) => *window = greater(*running, *rest),
            None => {
                *window = *running;
                self.close_block();
            }
        }
    }

    /// As the side sees it: the highest high, or the negated lowest low. Valid after the first bar.
    pub const fn max(&self, direction: Direction) -> i64 {
        *self.window.of(direction)
    }

    /// Highest high minus lowest low; valid after the first bar.
    pub const fn height(&self) -> i64 {
        self.window.up + self.window.down
    }

    fn close_block(&mut self) {
        let mut extreme = NOTHING;
        for place in self.ring.iter_mut().rev() {
            extreme = greater(extreme, *place);
            *place = extreme;
        }
        (self.at, self.running) = (0, NOTHING);
    }

    /// Saves or loads it after `count` bars, each of which was pushed.
    pub fn state(&mut self, io: &mut StateIo<'_>, count: u32) -> Result<(), StateError> {
        let span = self.ring.len();
        let used = span.min(count as usize);
        for place in &mut self.ring[..used] {
            snapshot::price(io, &mut place.up)?;
            snapshot::price(io, &mut place.down)?;
        }
        if io.is_loading() {
            self.ring[used..].fill(NOTHING);
            self.at = count as usize % span;
            self.running = self.ring[..self.at].iter().copied().fold(NOTHING, greater);
        }
        let is_extreme = |a: &Sides<i64>, b: &Sides<i64>| b.up <= a.up && b.down <= a.down;
        snapshot::sound(io, self.ring[self.at..].is_sorted_by(is_extreme))
    }
}

#[inline]
fn greater(a: Sides<i64>, b: Sides<i64>) -> Sides<i64> {
    Sides { up: a.up.max(b.up), down: a.down.max(b.down) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec::Vec;

    #[test]
    fn the_extremes_are_those_of_the_last_bars_for_every_span() {
        let mut random = 5u64;
        let bars: Vec<Candle> = (0..200)
            .map(|_| {
                random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                let (low, height) = ((random >> 40) as i64 % 50, (random >> 20) as i64 % 9);
                Candle { high: low + height, low, ..Candle::default() }
            })
            .collect();
        for span in 1..=40u32 {
            let mut extremes = Extremes::new(span);
            for k in 0usize..bars.len() {
                extremes.push(&Sides::new(|direction| bars[k].seen_from(direction)));
                let last = &bars[(k + 1).saturating_sub(span as usize)..=k];
                let (high, low) = (last.iter().map(|b| b.high).max(), last.iter().map(|b| b.low).min());
                assert_eq!(Some(extremes.max(Direction::Up)), high, "span {span}, bar {k}");
                assert_eq!(Some(-extremes.max(Direction::Down)), low, "span {span}, bar {k}");
                assert_eq!(extremes.height(), high.unwrap() - low.unwrap());
            }
        }
    }
}
