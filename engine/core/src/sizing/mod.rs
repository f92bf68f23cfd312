//! How much to trade: from what an edge is worth to whole lots.
//!
//! Formulas give a share of equity (`kelly`, `posterior`, `policy`), limits on all that is open give another
//! (`heat`), and one exact division turns the least of them into a quantity (`quantity`). Formulas are floating
//! point, through `libm` and in a fixed order, so that every machine gets the same bits; prices, quantities and money
//! are integers throughout. Whatever is unknown makes a quantity smaller, never larger. Nothing here reads the
//! engine: it hands the numbers in.

pub mod heat;
pub mod kelly;
pub mod policy;
pub mod posterior;
mod quantity;
pub mod record;
pub mod returns;

pub use quantity::{
    Rate, STOP_DISTANCE_MIN_TICKS, Size, SizeReason, SizeRequest, is_stop_far_enough, size_entry,
    size_from_risk,
};
pub(crate) use quantity::{loss_at_stop, qty_for_loss};
