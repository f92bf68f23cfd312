//! The greatest value of the last bars, and their range, as they move on.
//!
//! Pure; a monotonic deque in a fixed ring, amortised constant work per bar, no allocation.

use alloc::boxed::Box;
use alloc::vec;

use super::snapshot;
use super::view::{Candle, Sides};
use crate::state::{StateError, StateIo};

/// Greatest value of the last `span` bars.
///
/// The deque holds, oldest first, the bars that no later bar exceeds; their values never rise, so the first
/// one is the greatest. Each bar enters once and leaves once.
pub(super) struct SlidingMax {
    /// Power-of-two ring; only `head..tail`, masked, means something.
    ring: Box<[(u32, i64)]>,
    mask: u32,
    head: u32,
    tail: u32,
    span: u32,
}

impl SlidingMax {
    pub fn new(span: u32) -> Self {
        let len = (span + 1).next_power_of_two();
        Self { ring: vec![(0, 0); len as usize].into_boxed_slice(), mask: len - 1, head: 0, tail: 0, span }
    }

    pub fn push(&mut self, bar: u32, value: i64) {
        while self.head != self.tail && self.slot(self.tail.wrapping_sub(1)).1 < value {
            self.tail = self.tail.wrapping_sub(1);
        }
        self.ring[(self.tail & self.mask) as usize] = (bar, value);
        self.tail = self.tail.wrapping_add(1);
        // One bar enters, so at most one is out of date: `bar - span` or none.
        if bar - self.slot(self.head).0 >= self.span {
            self.head = self.head.wrapping_add(1);
        }
    }

    /// Valid after the first push.
    pub fn max(&self) -> i64 {
        self.slot(self.head).1
    }

    /// Bar `bar` has the greatest value and no other bar of the window has it too.
    pub fn is_alone(&self, bar: u32) -> bool {
        let (first_bar, value) = self.slot(self.head);
        let second = self.head.wrapping_add(1);
        first_bar == bar && (second == self.tail || self.slot(second).1 != value)
    }

    /// Saves or loads it after `count` bars, each of which was pushed.
    pub fn state(&mut self, io: &mut StateIo<'_>, count: u32) -> Result<(), StateError> {
        let mut len = self.tail.wrapping_sub(self.head) as usize;
        io.len(&mut len, self.span as usize)?;
        if io.is_loading() {
            (self.head, self.tail) = (0, len as u32);
        }
        snapshot::sound(io, (len > 0) == (count > 0))?;
        for at in 0..len as u32 {
            let (mut bar, mut value) = self.slot(self.head.wrapping_add(at));
            snapshot::bar(io, &mut bar, count)?;
            snapshot::price(io, &mut value)?;
            self.ring[(self.head.wrapping_add(at) & self.mask) as usize] = (bar, value);
            let is_sound = match at {
                0 => count - bar <= self.span,
                _ => {
                    let (bar_before, value_before) = self.slot(self.head.wrapping_add(at - 1));
                    bar_before < bar && value <= value_before
                }
            };
            // The newest bar is always in.
            snapshot::sound(io, is_sound && (at + 1 < len as u32 || bar + 1 == count))?;
        }
        Ok(())
    }

    fn slot(&self, at: u32) -> (u32, i64) {
        self.ring[(at & self.mask) as usize]
    }
}

/// Highest high and lowest low of the last bars.
pub(super) struct SlidingRange {
    extremes: Sides<SlidingMax>,
}

impl SlidingRange {
    pub fn new(span: u16) -> Self {
        Self { extremes: Sides::new(|_| SlidingMax::new(span.into())) }
    }

    pub fn push(&mut self, bar: u32, seen: &Sides<Candle>) {
        self.extremes.up.push(bar, seen.up.high);
        self.extremes.down.push(bar, seen.down.high);
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
