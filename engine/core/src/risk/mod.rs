//! Pre-trade risk: the one gate every order passes, and the limits it holds them against.
//!
//! Nothing else in the workspace can make an [`ApprovedOrder`], and a gateway takes nothing else. What belongs to
//! whom, so that two orders wanted in one event see each other:
//!
//! * [`Orders`](crate::orders::Orders) holds what is open and what it reserves. [`Gate::check`] puts an accepted
//!   order in before it returns; only venue reports take it out.
//! * [`PositionBook`](crate::position::PositionBook) holds what has filled, marks and equity. Only fills change it.
//! * [`Gate`] holds limits, the message window, recent orders and the repeat counters.
//!
//! The engine's glue is four calls:
//!
//! ```text
//! positions.mark(instrument, book.mark());                              // after market data
//! let verdict = gate.check(&order, &GateView { .. }, &mut orders);      // to send; journal verdict.decision
//! match orders.on_update(event.instrument, &update, event.ts_recv) {    // on a report
//!     OrderEffect::Filled(fill) => { let change = positions.on_fill(&fill, dust); gate.on_fill(&fill, &change); }
//!     OrderEffect::Closed(order) => gate.on_closed(&order, event.ts_recv),
//!     ..
//! }
//! ```

mod approved;
mod breakers;
mod check;
mod facts;
mod finding;
mod flash;
mod gate;
mod inventory;
mod limits;
mod loss;
mod scopes;
mod token_bucket;
pub mod vectors;
mod windows;

pub use approved::ApprovedOrder;
pub use breakers::{BreakerParams, VenueFacts};
pub(crate) use breakers::{Breakers, Taken, value_of};
pub use check::{CHECKS, Check, Violations};
pub use facts::{Exposure, Facts, Margining};
pub use finding::{Amount, Bound, Finding};
pub(crate) use flash::FlashWatch;
pub use gate::{Asked, Beside, Gate, GateView, Verdict};
pub use inventory::{Entry, EntryKind, inventory};
pub use limits::{AccountLimits, LimitError, LimitReason, Limits, STRATEGIES_MAX, ScopeLimits};
pub use loss::{LossBreaker, LossLimits};
pub use scopes::{Hold, Scopes, Shift, VENUES_MAX};
pub use token_bucket::TokenBucket;
pub use windows::{RecentOrders, Throttle, WINDOW_MESSAGES_MAX};
