//! The token only the gate can make, and the only thing a gateway takes.

use crate::codec::{Buffer, Put};
use crate::output::NewOrder;

/// An order that passed every check of the gate. There is no other way to make one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ApprovedOrder(NewOrder);

impl ApprovedOrder {
    /// For the gate alone.
    pub(super) const fn approve(order: NewOrder) -> Self {
        Self(order)
    }

    /// The order itself.
    pub const fn order(&self) -> &NewOrder {
        &self.0
    }
}

impl Put for ApprovedOrder {
    fn put(&self, to: &mut Buffer) {
        self.0.put(to);
    }
}
