//! The token only the gate can make, and the only thing a gateway takes.

use crate::codec::{Buffer, Put};
use crate::output::NewOrder;

/// An order that passed every check of the gate. There is no other way to make one:
///
/// ```compile_fail,E0423
/// use smc_core::{output::NewOrder, risk::ApprovedOrder};
/// fn around_the_gate(order: NewOrder) -> ApprovedOrder {
///     ApprovedOrder(order) // Its field is private.
/// }
/// ```
///
/// ```compile_fail,E0624
/// use smc_core::{output::NewOrder, risk::ApprovedOrder};
/// fn around_the_gate(order: NewOrder) -> ApprovedOrder {
///     ApprovedOrder::approve(order) // For the gate alone.
/// }
/// ```
///
/// The way that there is, which the two above differ from in one line:
///
/// ```
/// use smc_core::{output::NewOrder, risk::{ApprovedOrder, Gate, GateView}, orders::Orders};
/// fn through_the_gate(order: NewOrder, gate: &mut Gate, view: &GateView<'_>, orders: &mut Orders) -> Option<ApprovedOrder> {
///     gate.check(&order, view, orders).outcome.ok()
/// }
/// ```
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
