//! What sizing looks at besides the plan: how prices move, what open trades may lose.
//!
//! Remembered between events and saved with the engine. How trades ended stands with each market.

use super::market::Market;
use super::plan::Plan;
use crate::event::Bar;
use crate::orders::Orders;
use crate::output::Purpose;
use crate::position::PositionBook;
use crate::sizing::heat::{Correlations, HeatParams, Load, Loads, NO_LOADS};
use crate::sizing::policy::Evidence;
use crate::sizing::returns::Returns;
use crate::sizing::{Rate, loss_at_stop};
use crate::state::{State, StateError, StateIo};
use crate::words::{Direction, Money, Price, Qty, SCALE, clamp_i64, scale_ceil};

/// What the engine has seen of the account and of the markets.
pub(super) struct Observed {
    /// On the lowest timeframe.
    returns: Returns,
    /// Follows from the returns.
    pub(super) correlations: Correlations,
}

impl Observed {
    pub(super) fn new(instruments: usize, heat: &HeatParams) -> Self {
        Self {
            returns: Returns::new(instruments, heat.lambda_ppm),
            correlations: Correlations::new(instruments),
        }
    }

    pub(super) fn on_bar(&mut self, at: usize, bar: &Bar) {
        self.returns.on_bar(at, bar.open_ts, bar.close, &mut self.correlations);
    }

    /// What Kelly sizing is told about a plan.
    pub(super) fn evidence(
        &self,
        market: &Market,
        plan: &Plan,
        positions: &PositionBook,
        drawdown: f64,
        fee: Rate,
    ) -> Evidence {
        let stats = positions.stats(market.id);
        let risk = plan.entry.0.abs_diff(plan.stop.0) as f64;
        let reward = plan.entry.0.abs_diff(plan.target.0) as f64;
        // Fees both ways at the dearer exit.
        let traded = plan.entry.0 as f64 + plan.stop.max(plan.target).0 as f64;
        Evidence {
            wins: stats.wins,
            losses: stats.losses,
            record: market.record,
            reward: reward / risk,
            cost: fee.0 as f64 / SCALE as f64 * traded / risk,
            drawdown,
            volatility: self.returns.volatility(market.id.index()),
        }
    }
}

/// What every instrument's trade would lose at its stop.
pub(super) fn loads(markets: &[Market], orders: &Orders, positions: &PositionBook, fee: Rate) -> Loads {
    let mut loads = NO_LOADS;
    for (load, market) in loads.iter_mut().zip(markets) {
        add_position(load, market, positions, fee);
        add_entries(load, market, orders, positions, fee);
    }
    loads
}

/// From the better of the mark and the average price, so that open profit counts as what can be lost. What has no stop
/// can lose its whole value. Dust is no trade.
fn add_position(load: &mut Load, market: &Market, positions: &PositionBook, fee: Rate) {
    // What a trade under way has bought counts, whether or not the venue would take an order for it just now.
    if market.bracket.plan.is_none() && !market.is_holding(positions) {
        return;
    }
    let qty = positions.qty(market.id);
    let direction = if qty.0 > 0 { Direction::Up } else { Direction::Down };
    let qty = Qty(qty.0.saturating_abs());
    let average = positions.average(market.id);
    let mark = market.book.mark();
    let mark = if mark > Price::ZERO { mark } else { average };
    let loss = match market.bracket.plan.filter(|plan| plan.direction == direction) {
        Some(plan) if direction == Direction::Up => loss_between(average.max(mark), &plan, market, fee, qty),
        Some(plan) => loss_between(average.min(mark), &plan, market, fee, qty),
        None => value(market, qty, average.max(mark)),
    };
    load.add(direction, in_account(market, positions, loss));
}

/// Working entries, as if they filled at once.
fn add_entries(load: &mut Load, market: &Market, orders: &Orders, positions: &PositionBook, fee: Rate) {
    let entry = market.bracket.entry.order.map(|leg| leg.id);
    for order in orders.of(market.id).filter(|order| order.purpose == Purpose::Entry) {
        let qty = order.leaves_qty();
        let (direction, loss) = match market.bracket.plan.filter(|_| Some(order.client_order_id) == entry) {
            Some(plan) => (plan.direction, loss_between(plan.entry, &plan, market, fee, qty)),
            None => (order.side.direction(), value(market, qty, order.price)),
        };
        load.add(direction, in_account(market, positions, loss));
    }
}

fn loss_between(from: Price, plan: &Plan, market: &Market, fee: Rate, qty: Qty) -> Money {
    loss_at_stop(from, plan.stop, market.contract().gain_per_price(from), fee, qty)
}

fn value(market: &Market, qty: Qty, price: Price) -> Money {
    let unit = market.contract().unit_value(price);
    Money(clamp_i64(scale_ceil(i128::from(qty.0) * i128::from(unit.0))))
}

/// What cannot be valued may lose everything.
fn in_account(market: &Market, positions: &PositionBook, loss: Money) -> Money {
    positions.in_account(market.id, loss).unwrap_or(Money(i64::MAX))
}

impl State for Observed {
    fn state(&mut self, io: &mut StateIo<'_>) -> Result<(), StateError> {
        let Self { returns, correlations } = self;
        returns.state(io)?;
        if io.is_loading() {
            returns.fill(correlations);
        }
        Ok(())
    }
}
