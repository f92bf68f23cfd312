//! What sizing looks at besides the plan: the highest equity, how prices move, what open trades may lose.
//!
//! Remembered between events and saved with the engine. How trades ended stands with each market.

use super::bracket::Plan;
use super::market::Market;
use crate::event::Bar;
use crate::orders::Orders;
use crate::output::Purpose;
use crate::position::PositionBook;
use crate::sizing::heat::{Correlations, HeatParams, Load, Loads, NO_LOADS};
use crate::sizing::policy::Evidence;
use crate::sizing::returns::Returns;
use crate::sizing::{Rate, loss_at_stop};
use crate::state::{State, StateError, StateIo};
use crate::words::{Direction, Money, Price, Qty, SCALE, clamp_i64, div_ceil};

/// What the engine has seen of the account and of the markets.
pub(super) struct Observed {
    /// 0 until equity is known.
    equity_high: Money,
    /// On the lowest timeframe.
    returns: Returns,
    /// Follows from the returns.
    pub(super) correlations: Correlations,
}

impl Observed {
    pub(super) fn new(instruments: usize, heat: &HeatParams) -> Self {
        Self {
            equity_high: Money::ZERO,
            returns: Returns::new(instruments, heat.lambda_ppm),
            correlations: Correlations::new(instruments),
        }
    }

    pub(super) fn equity_high(&self) -> Money {
        self.equity_high
    }

    pub(super) fn on_equity(&mut self, equity: Money) {
        self.equity_high = self.equity_high.max(equity);
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
            drawdown: self.drawdown(positions.equity()),
            volatility: self.returns.volatility(market.id.index()),
        }
    }

    /// How far equity is below its highest, as a share of it; all of it where there is none.
    fn drawdown(&self, equity: Money) -> f64 {
        let high = self.equity_high.max(equity);
        if high.0 <= 0 { 1.0 } else { (i128::from(high.0) - i128::from(equity.0)) as f64 / high.0 as f64 }
    }
}

/// What every instrument's trade would lose at its stop.
pub(super) fn loads(markets: &[Market], orders: &Orders, positions: &PositionBook, fee: Rate) -> Loads {
    let mut loads = NO_LOADS;
    for (load, market) in loads.iter_mut().zip(markets) {
        add_position(load, market, positions, fee);
        add_entries(load, market, orders, fee);
    }
    loads
}

/// From the better of the mark and the average price, so that open profit counts as what can be lost. What has no stop
/// can lose its whole value. Dust is no trade.
fn add_position(load: &mut Load, market: &Market, positions: &PositionBook, fee: Rate) {
    if !market.is_holding(positions) {
        return;
    }
    let qty = positions.qty(market.id);
    let direction = if qty.0 > 0 { Direction::Up } else { Direction::Down };
    let qty = Qty(qty.0.saturating_abs());
    let average = positions.average(market.id);
    let mark = positions.valuation(market.id).unwrap_or(average);
    let loss = match market.bracket.plan.filter(|plan| plan.direction == direction) {
        Some(plan) if direction == Direction::Up => loss_at_stop(average.max(mark), plan.stop, fee, qty),
        Some(plan) => loss_at_stop(average.min(mark), plan.stop, fee, qty),
        None => value(qty, average.max(mark)),
    };
    load.add(direction, loss);
}

/// Working entries, as if they filled at once.
fn add_entries(load: &mut Load, market: &Market, orders: &Orders, fee: Rate) {
    let entry = market.bracket.entry.order.map(|leg| leg.id);
    for order in orders.of(market.id).filter(|order| order.purpose == Purpose::Entry) {
        let qty = order.leaves_qty();
        let (direction, loss) = match market.bracket.plan.filter(|_| Some(order.client_order_id) == entry) {
            Some(plan) => (plan.direction, loss_at_stop(plan.entry, plan.stop, fee, qty)),
            None => (order.side.direction(), value(qty, order.price)),
        };
        load.add(direction, loss);
    }
}

fn value(qty: Qty, price: Price) -> Money {
    Money(clamp_i64(div_ceil(i128::from(qty.0) * i128::from(price.0), SCALE.into())))
}

impl State for Observed {
    fn state(&mut self, io: &mut StateIo<'_>) -> Result<(), StateError> {
        let Self { equity_high, returns, correlations } = self;
        io.number(equity_high)?;
        io.sound(equity_high.0 >= 0)?;
        returns.state(io)?;
        if io.is_loading() {
            returns.fill(correlations);
        }
        Ok(())
    }
}
