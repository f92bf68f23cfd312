//! Bookings counted, by the venue's number: each counts once, however often a venue tells it.

use crate::event::CashKind;
use crate::state::{StateError, StateIo};
use alloc::vec;
use alloc::vec::Vec;

/// Bookings remembered; the oldest leaves. A venue repeats what it booked within days: eight perpetual contracts
/// with funding every eight hours fill it in forty.
pub(super) const BOOKINGS_MAX: usize = 1024;

/// A ring of numbers. Venues number each kind by itself.
pub(super) struct Bookings {
    /// 0 where none is yet.
    ids: Vec<u64>,
    kinds: Vec<CashKind>,
    next: usize,
}

impl Default for Bookings {
    fn default() -> Self {
        Self { ids: vec![0; BOOKINGS_MAX], kinds: vec![CashKind::Funding; BOOKINGS_MAX], next: 0 }
    }
}

impl Bookings {
    /// Notes a booking down; false when it was known. 0 is no number and always new.
    pub(super) fn note(&mut self, kind: CashKind, id: u64) -> bool {
        if id == 0 {
            return true;
        }
        if self.ids.iter().zip(&self.kinds).any(|(&known, &of)| known == id && of == kind) {
            return false;
        }
        if let (Some(slot), Some(of)) = (self.ids.get_mut(self.next), self.kinds.get_mut(self.next)) {
            (*slot, *of) = (id, kind);
        }
        self.next = (self.next + 1) % BOOKINGS_MAX;
        true
    }

    /// Oldest first.
    pub(super) fn state(&mut self, io: &mut StateIo<'_>) -> Result<(), StateError> {
        let Self { ids, kinds, next } = self;
        let mut len = ids.iter().filter(|&&id| id != 0).count();
        if len == BOOKINGS_MAX {
            ids.rotate_left(*next);
            kinds.rotate_left(*next);
        }
        io.len(&mut len, BOOKINGS_MAX)?;
        *next = len % BOOKINGS_MAX;
        for (at, (id, kind)) in ids.iter_mut().zip(kinds).enumerate() {
            if at < len {
                io.number(id)?;
                io.sound(*id != 0)?;
                io.choice(kind, &CashKind::ALL)?;
            } else {
                (*id, *kind) = (0, CashKind::Funding);
            }
        }
        Ok(())
    }
}
