//! One order of ours at the exchange, and its place among the others of its price.

use crate::settings::Queue;
use smc_core::output::{NewOrder, OrderKind, Purpose};
use smc_core::words::{ClientOrderId, Price, Qty, Side};
use smc_metrics::queue::{QueueModel, RiskAverseQueue};

/// An order that may still fill.
#[derive(Clone, Debug)]
pub(super) struct Resting {
    /// As it was sent; of one that came with an entry as it would have been.
    pub order: NewOrder,
    /// The exchange's number of it.
    pub venue_id: u64,
    /// Filled so far.
    pub filled: Qty,
    pub stage: Stage,
    /// Where it stands; none before it rests in a line that is known.
    pub place: Option<Place>,
    /// The entry that it came with.
    pub parent: Option<ClientOrderId>,
    /// It was made inside the bar that is being looked at: what the bar did before is not known to be after it.
    pub is_of_bar: bool,
    /// It never fills while it rests.
    pub is_unlucky: bool,
    /// It may only reduce and asked for more than is held: what was cut off ends with it.
    pub is_cut: bool,
}

/// What an order waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stage {
    /// The next opening: between two bars nothing is traded.
    Opening,
    /// The market reaching its trigger.
    Trigger,
    /// Somebody to take it.
    Resting,
    /// More to be taken: a market order that a stop became, of which the best price did not give all.
    Taking,
}

impl Resting {
    pub fn leaves(&self) -> Qty {
        Qty(self.order.qty.0 - self.filled.0)
    }

    /// It takes whatever is there once triggered: what came with an entry has no limit.
    pub fn is_market_stop(&self) -> bool {
        self.order.kind == OrderKind::StopLimit && self.parent.is_some()
    }

    /// May it trade at `price`?
    pub fn accepts(&self, price: Price) -> bool {
        self.is_at_market() || is_within(self.order.side, price, self.order.price)
    }

    pub fn is_at_market(&self) -> bool {
        self.order.kind == OrderKind::Market || self.is_market_stop()
    }

    /// Is it reached by a market at `price`?
    pub fn is_triggered(&self, price: Price) -> bool {
        is_stop_reached(self.order.side, self.order.stop_price, price)
    }

    pub fn is_entry(&self) -> bool {
        self.order.purpose == Purpose::Entry
    }
}

/// `price` is no worse than the limit.
pub(super) fn is_within(side: Side, price: Price, limit: Price) -> bool {
    match side {
        Side::Buy => price <= limit,
        Side::Sell => price >= limit,
    }
}

/// The market went through the limit: everything that rested there is filled.
pub(super) fn is_through(side: Side, price: Price, limit: Price) -> bool {
    match side {
        Side::Buy => price < limit,
        Side::Sell => price > limit,
    }
}

pub(super) fn is_stop_reached(side: Side, stop: Price, price: Price) -> bool {
    match side {
        Side::Sell => price <= stop,
        Side::Buy => price >= stop,
    }
}

/// A place in a line of which only the length is known.
#[derive(Clone, Debug)]
pub(super) enum Place {
    RiskAverse(RiskAverseQueue),
    Probable {
        model: QueueModel,
        /// In front of us.
        front: f64,
        /// The whole line when it was looked at last, without us.
        line: f64,
        /// Traded since at our price: that much of a decrease was no cancel.
        traded: f64,
    },
}

impl Place {
    /// Behind everybody who is shown.
    pub fn behind(queue: Queue, displayed: Qty, leaves: Qty) -> Option<Self> {
        Some(match queue {
            Queue::RiskAverse => Self::RiskAverse(RiskAverseQueue::new(displayed, leaves).ok()?),
            Queue::Probable(model) => {
                let line = displayed.0.max(0) as f64;
                Self::Probable { model, front: line, line, traded: 0.0 }
            }
        })
    }

    /// A trade at our price against our side; what it fills of us.
    pub fn on_trade(&mut self, qty: Qty, leaves: Qty) -> Qty {
        match self {
            Self::RiskAverse(line) => line.on_trade(qty),
            Self::Probable { front, traded, .. } => {
                let qty = qty.0.max(0) as f64;
                *traded += qty;
                *front -= qty;
                let ours = (-*front).max(0.0) as i64;
                *front = front.max(0.0);
                Qty(ours.min(leaves.0))
            }
        }
    }

    /// The line has this length now.
    pub fn on_level(&mut self, displayed: Qty) {
        match self {
            Self::RiskAverse(line) => line.on_level(displayed),
            Self::Probable { model, front, line, traded } => {
                let now = displayed.0.max(0) as f64;
                let decrease = *line - now - *traded;
                *traded = 0.0;
                if decrease > 0.0 {
                    let back = (*line - *front).max(0.0);
                    if let Ok(Ok(after)) = model.front_after(*front, back, decrease, now) {
                        *front = after.clamp(0.0, now);
                    }
                } else {
                    *front = front.min(now);
                }
                *line = now;
            }
        }
    }
}
