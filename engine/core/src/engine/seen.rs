//! What people ask of an engine and no decision needs: limits as they are now and how far they are used, what watchers have
//! counted, what venues said.
//!
//! Pure and read-only; never called on the hot path.

use super::Engine;
use crate::event::{GatewayState, RiskScope};
use crate::orders::Orders;
use crate::output::{Control, TradingState};
use crate::risk::{Exposure, Gate, LossBreaker, LossLimits, VenueFacts};
use crate::words::{InstrumentId, Money, Price, TsNs};

/// What the watchers of one strategy have counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Watched {
    /// Losing trades of the strategy in a row.
    pub losses_in_a_row: u32,
    /// Value that the strategy has filled since the day began, in the account's currency.
    pub day_notional: Money,
    /// Fills of the strategy far from where they were expected, of the last ten.
    pub bad_fills: u32,
    /// So many of them warn, then pause.
    pub bad_fills_max: u32,
}

impl<S> Engine<S> {
    /// The gate, with the limits as they are now.
    pub const fn gate(&self) -> &Gate {
        &self.gate
    }

    /// The table of open orders, with what each instrument reserves.
    pub const fn orders(&self) -> &Orders {
        &self.orders
    }

    /// Worst-case exposure as it stands; see [`Gate::worst_case`].
    pub fn worst_case(&self) -> Option<Exposure> {
        Gate::worst_case(&self.positions, &self.orders)
    }

    /// The loss breakers.
    pub const fn loss(&self) -> &LossBreaker {
        &self.guard.loss
    }

    /// Their limits as they are now.
    pub const fn loss_limits(&self) -> LossLimits {
        self.guard.loss_limits()
    }

    /// What one control holds one scope at; `Halt` for a scope that does not exist.
    pub fn level(&self, scope: RiskScope, control: Control) -> TradingState {
        self.guard.scopes.level(scope, control)
    }

    /// A scope's own state by its controls, without bans and reconciliation; see [`Engine::held`] for those.
    pub fn scope_state(&self, scope: RiskScope) -> TradingState {
        self.guard.scopes.state(scope)
    }

    /// What a venue said of clock, budget and key.
    pub fn venue_facts(&self, venue: u8) -> VenueFacts {
        self.guard.venues.get(usize::from(venue)).copied().unwrap_or_default()
    }

    /// State of one venue's order path.
    pub fn gateway_at(&self, venue: u8) -> GatewayState {
        self.gateway.get(usize::from(venue)).copied().unwrap_or(GatewayState::Down)
    }

    /// The venue listens to nothing before this, by what it has answered; none when it does.
    pub fn banned_until(&self, venue: u8) -> Option<TsNs> {
        let told = self.banned_until.get(usize::from(venue)).copied();
        told.into_iter()
            .chain(self.venue_facts(venue).budget.map(|budget| budget.banned_until))
            .filter(|&until| self.now < until)
            .max()
    }

    /// Why reconciliation holds an instrument where [`Engine::reconcile_level`] says.
    pub fn reconcile_cause(&self, instrument: InstrumentId) -> Option<Control> {
        let market = self.markets.get(instrument.index())?;
        (market.reconcile.level() > TradingState::Normal).then(|| market.reconcile.cause())
    }

    /// Where the stop of the trade under way belongs now; none without a trade.
    pub fn stop_now(&self, instrument: InstrumentId) -> Option<Price> {
        let bracket = &self.markets.get(instrument.index())?.bracket;
        bracket.plan.map(|_| bracket.progress.stop)
    }

    /// What the watchers have counted of a strategy.
    pub fn watched(&self, strategy: u8) -> Watched {
        let breakers = self.guard.breakers();
        let (bad_fills, bad_fills_max) = breakers.bad_fills(strategy);
        Watched {
            losses_in_a_row: breakers.losses_in_a_row(strategy),
            day_notional: breakers.day_notional(strategy),
            bad_fills,
            bad_fills_max,
        }
    }

    /// Fills of an instrument within the last minute.
    pub fn fills_in_minute(&self, instrument: InstrumentId) -> u32 {
        self.guard.breakers().fills_in_minute(instrument, self.now)
    }

    /// Refusals by venues within the window of the configuration.
    pub fn rejects_in_window(&self) -> u32 {
        self.guard.breakers().rejects(self.now, &self.config.breakers)
    }
}
