//! Value at risk of everything that is held, as it is and as an order would leave it.
//!
//! The grid is the bars of one timeframe: a step is complete when every instrument has closed its bar, or when one of them
//! has closed the next. A bar that nobody traded in moved nothing: its return is 0, and the next bar's covers the time
//! between; an instrument that has never had a bar has no return. The figure asked for by the gate is computed only with a
//! limit (bench `var`: 2.7 us for 8 instruments); the grid is always kept, so that a limit can be set while it runs.

use super::Engine;
use crate::config::{EngineConfig, INSTRUMENTS_MAX};
use crate::event::{Bar, RiskScope};
use crate::orders::Orders;
use crate::outbox::Outbox;
use crate::output::{Control, NewOrder, TradingState};
use crate::position::PositionBook;
use crate::risk::Hold;
use crate::state::{State, StateError, StateIo};
use crate::strategy::Strategy;
use crate::var::{BookRisk, Decay, PortfolioVar, PortfolioVarSettings, Tail, VarMonitor};
use crate::words::{InstrumentId, Price, TsNs};
use alloc::vec;
use alloc::vec::Vec;

/// Settings of the figure; the limit on it is one of the account's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct VarParams {
    /// Returns looked back on.
    pub window: u16,
    /// The worst part of them, in basis points: 100 is one in a hundred.
    pub tail_bp: u16,
    /// Weight of the past in the exponentially weighted variance, ppm.
    pub lambda_ppm: u32,
    /// Which of the engine's timeframes is the grid; none takes the longest.
    pub timeframe: Option<u8>,
}

impl Default for VarParams {
    fn default() -> Self {
        Self { window: 500, tail_bp: 100, lambda_ppm: 940_000, timeframe: None }
    }
}

impl VarParams {
    fn settings(&self, instruments: usize) -> Option<PortfolioVarSettings> {
        let tail = Tail::from_basis_points(self.tail_bp.into())?;
        let decay = Decay::new(f64::from(self.lambda_ppm) / 1e6)?;
        Some(PortfolioVarSettings { instruments, window: self.window.into(), tail, decay })
    }

    /// The first field that makes no sense, if any.
    pub(crate) fn fault(&self, timeframes: usize) -> Option<&'static str> {
        let is_known = self.timeframe.is_none_or(|slot| usize::from(slot) < timeframes);
        match self.settings(1).and_then(PortfolioVar::new) {
            _ if !(50..=crate::var::WINDOW_MAX).contains(&usize::from(self.window)) => {
                Some("risk.var.window")
            }
            _ if !(1..=5_000).contains(&self.tail_bp) => Some("risk.var.tail_bp"),
            _ if !(500_000..1_000_000).contains(&self.lambda_ppm) => Some("risk.var.lambda_ppm"),
            _ if !is_known => Some("risk.var.timeframe"),
            None => Some("risk.var"),
            Some(_) => None,
        }
    }
}

/// Returns of all instruments on one grid, and how good the forecasts were.
pub(super) struct BookVar {
    portfolio: PortfolioVar,
    monitor: VarMonitor,
    slot: usize,
    /// Opening time of the step that is being filled.
    step: TsNs,
    /// Close of each instrument's last bar; 0 before the first.
    closes: Vec<Price>,
    /// Returns of the step; none where the bar has not closed.
    returns: Vec<Option<f64>>,
    /// What the present step was forecast to lose at most, with the weights it was forecast for.
    forecast: Option<f64>,
    weights: [f64; INSTRUMENTS_MAX],
    /// The forecasts of the last year were wrong: the limit is held against the shortfall.
    is_conservative: bool,
}

impl BookVar {
    /// `config` has been checked.
    pub(super) fn new(config: &EngineConfig) -> Option<Self> {
        let instruments = config.instruments.len();
        let settings = config.var.settings(instruments)?;
        let longest = config.timeframes.len().saturating_sub(1);
        Some(Self {
            portfolio: PortfolioVar::new(settings)?,
            monitor: VarMonitor::new(settings.tail),
            slot: config.var.timeframe.map_or(longest, usize::from),
            step: TsNs(0),
            closes: vec![Price::ZERO; instruments],
            returns: vec![None; instruments],
            forecast: None,
            weights: [0.0; INSTRUMENTS_MAX],
            is_conservative: false,
        })
    }

    /// True when a step of the grid is complete.
    fn on_bar(&mut self, at: usize, slot: usize, bar: &Bar) -> bool {
        if slot != self.slot || bar.open_ts < self.step {
            return false;
        }
        let has_begun = self.returns.iter().any(Option::is_some);
        let is_over = has_begun && bar.open_ts > self.step;
        if is_over {
            self.complete();
        }
        self.step = bar.open_ts;
        let (Some(close), Some(slot)) = (self.closes.get_mut(at), self.returns.get_mut(at)) else {
            return is_over;
        };
        let before = core::mem::replace(close, bar.close);
        if before > Price::ZERO {
            *slot = Some(bar.close.0.saturating_sub(before.0) as f64 / before.0 as f64);
        }
        let is_full = self.returns.iter().all(Option::is_some);
        if is_full {
            self.complete();
        }
        is_over || is_full
    }

    fn complete(&mut self) {
        let mut step = [f64::NAN; INSTRUMENTS_MAX];
        for ((place, value), close) in step.iter_mut().zip(&mut self.returns).zip(&self.closes) {
            let still = if *close > Price::ZERO { 0.0 } else { f64::NAN };
            *place = value.take().unwrap_or(still);
        }
        if let Some(forecast) = self.forecast {
            let held = self.weights.iter().zip(&step).filter(|(weight, _)| **weight != 0.0);
            let made = held.fold(0.0, |sum, (weight, value)| sum + weight * value);
            self.monitor.on_return(forecast, made);
            self.is_conservative =
                self.monitor.reading().is_some_and(|reading| reading.must_be_conservative());
        }
        self.portfolio.push(step.get(..self.closes.len()).unwrap_or_default());
    }

    fn figure(&self, risk: &BookRisk) -> f64 {
        if self.is_conservative { risk.es() } else { risk.var() }
    }

    /// Of these weights, in ppm rounded up; none where it cannot be told.
    fn ppm(&mut self, weights: &[f64]) -> Option<u32> {
        let risk = self.portfolio.with_order(weights)?;
        let ppm = libm::ceil(self.figure(&risk).max(0.0) * 1e6);
        (ppm < f64::from(u32::MAX)).then_some(ppm as u32)
    }
}

/// Signed value of what would be held over equity, by instrument: everything that is open counted as filled, in the
/// direction of `order` for its own instrument. None where something that is held cannot be valued, or without equity.
fn weights(
    order: Option<&NewOrder>,
    positions: &PositionBook,
    orders: &Orders,
) -> Option<[f64; INSTRUMENTS_MAX]> {
    let equity = positions.equity().0;
    if equity <= 0 {
        return None;
    }
    let mut out = [0.0; INSTRUMENTS_MAX];
    for (weight, id) in out.iter_mut().zip(positions.instruments()) {
        let (held, reserved) = (i128::from(positions.qty(id).0), orders.reserved(id));
        let after = match order.filter(|order| order.instrument == id) {
            Some(order) => {
                let wanted = reserved.qty(order.side).saturating_add(order.qty.0.into());
                held.saturating_add(i128::from(order.side.sign()) * wanted)
            }
            // What protects a position does not make it smaller before it fills: only what adds counts.
            None if held > 0 => held.saturating_add(reserved.buy_qty),
            None if held < 0 => held.saturating_sub(reserved.sell_qty),
            None if reserved.buy_qty >= reserved.sell_qty => reserved.buy_qty,
            None => reserved.sell_qty.saturating_neg(),
        };
        if after != 0 {
            let mark = positions.valuation(id)?;
            *weight = after as f64 * mark.0 as f64 / (equity as f64 * crate::words::SCALE as f64);
        }
    }
    Some(out)
}

impl<S: Strategy> Engine<S> {
    /// A closed bar may complete a step: then the book's risk is looked at, and told when it is beyond the limit.
    pub(super) fn on_risk_bar(&mut self, at: usize, slot: usize, bar: &Bar, outbox: &mut Outbox) {
        if !self.book_var.on_bar(at, slot, bar) {
            return;
        }
        let held = weights(None, &self.positions, &self.orders);
        let count = self.markets.len();
        let known = held.filter(|_| self.gate.account_limits().var_ppm_max.is_some());
        let ppm = known.and_then(|weights| self.book_var.ppm(weights.get(..count)?));
        self.book_var.forecast = ppm.map(|ppm| f64::from(ppm) / 1e6);
        self.book_var.weights = known.unwrap_or([0.0; INSTRUMENTS_MAX]);
        let is_beyond =
            self.gate.account_limits().var_ppm_max.is_some_and(|most| ppm.is_some_and(|ppm| ppm > most));
        let level = if is_beyond { TradingState::Warn } else { TradingState::Normal };
        let (scope, control) = (RiskScope::ENGINE, Control::ValueAtRisk);
        if self.guard.scopes.level(scope, control) != level {
            self.hold(Hold { scope, control, level, until: TsNs(0) }, None, outbox);
        }
    }

    /// Value at risk over equity with the order filled, ppm rounded up; none without a limit and where it cannot be told.
    pub(super) fn var_after(&mut self, order: &NewOrder) -> Option<u32> {
        self.gate.account_limits().var_ppm_max?;
        let after = weights(Some(order), &self.positions, &self.orders)?;
        self.book_var.ppm(after.get(..self.markets.len())?)
    }

    /// Value at risk of what is held and open now, over equity, ppm; none where it cannot be told.
    pub fn var_ppm(&mut self) -> Option<u32> {
        let held = weights(None, &self.positions, &self.orders)?;
        self.book_var.ppm(held.get(..self.markets.len())?)
    }
}

impl State for BookVar {
    fn state(&mut self, io: &mut StateIo<'_>) -> Result<(), StateError> {
        let Self { portfolio, monitor, slot: _, step, closes, returns, forecast, weights, is_conservative } =
            self;
        portfolio.state(io)?;
        monitor.state(io)?;
        io.number(step)?;
        for (close, value) in closes.iter_mut().zip(returns) {
            io.unsigned(&mut close.0)?;
            io.option(value, || 0.0, |io, value| io.finite(value))?;
            io.sound(value.is_none() || *close > Price::ZERO)?;
        }
        io.option(forecast, || 0.0, |io, forecast| io.finite(forecast))?;
        weights.iter_mut().try_for_each(|weight| io.finite(weight))?;
        io.flag(is_conservative)
    }
}

/// The instruments of a portfolio are those of an engine.
const _: () =
    assert!(INSTRUMENTS_MAX <= crate::var::INSTRUMENTS_MAX && InstrumentId::NONE.index() >= INSTRUMENTS_MAX);
