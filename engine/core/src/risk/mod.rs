//! Pre-trade risk: the one gate every order passes. See `gate`.

mod approved;
pub use approved::ApprovedOrder;
