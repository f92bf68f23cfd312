//! A row of bounded length for things that come in order and mostly leave at the ends.

use alloc::boxed::Box;
use alloc::vec;

use crate::state::{StateError, StateIo};

/// A row of bounded length: new things at the end, the oldest in front. Taking one out near either end is
/// cheap.
pub(super) struct Shelf<T> {
    /// Power-of-two ring; `head` and the `len` places after it mean something.
    places: Box<[T]>,
    mask: usize,
    head: usize,
    len: usize,
    cap: usize,
}

impl<T: Copy> Shelf<T> {
    pub fn new(cap: u16, filler: T) -> Self {
        let cap = usize::from(cap);
        let places = cap.next_power_of_two();
        Self { places: vec![filler; places].into_boxed_slice(), mask: places - 1, head: 0, len: 0, cap }
    }

    pub const fn len(&self) -> usize {
        self.len
    }

    pub const fn is_full(&self) -> bool {
        self.len == self.cap
    }

    pub fn get(&self, at: usize) -> &T {
        &self.places[(self.head + at) & self.mask]
    }

    pub fn get_mut(&mut self, at: usize) -> &mut T {
        &mut self.places[(self.head + at) & self.mask]
    }

    pub fn last(&self) -> Option<&T> {
        Some(self.get(self.len.checked_sub(1)?))
    }

    pub fn push(&mut self, item: T) {
        assert!(self.len < self.cap, "a full shelf was pushed to");
        *self.get_mut(self.len) = item;
        self.len += 1;
    }

    pub fn remove(&mut self, at: usize) -> T {
        assert!(at < self.len, "a place that is empty was to be removed");
        let item = *self.get(at);
        if at == 0 {
            self.head = (self.head + 1) & self.mask;
        } else {
            for next in at + 1..self.len {
                *self.get_mut(next - 1) = *self.get(next);
            }
        }
        self.len -= 1;
        item
    }

    /// Saves or loads it, item by item; `filler` is what loading starts from.
    pub fn state(
        &mut self,
        io: &mut StateIo<'_>,
        filler: T,
        mut item: impl FnMut(&mut StateIo<'_>, &mut T) -> Result<(), StateError>,
    ) -> Result<(), StateError> {
        let mut len = self.len;
        io.len(&mut len, self.cap)?;
        if io.is_loading() {
            (self.head, self.len) = (0, len);
        }
        for at in 0..len {
            let place = self.get_mut(at);
            if io.is_loading() {
                *place = filler;
            }
            item(io, place)?;
        }
        Ok(())
    }

    pub fn iter(&self) -> impl Iterator<Item = &T> {
        // In two stretches: where the ring begins anew there is a seam.
        let (first, second) = (self.places.len() - self.head, self.head + self.len);
        let before = self.places.get(self.head..self.head + self.len.min(first)).unwrap_or_default();
        let after = self.places.get(..second.saturating_sub(self.places.len())).unwrap_or_default();
        before.iter().chain(after)
    }
}
