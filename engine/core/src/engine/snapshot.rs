//! Saving the whole engine between two events and going on from there as if nothing had happened.
//!
//! So a start after a crash replays only what came after the last snapshot. Off the hot path; saving allocates.
//! The bytes begin with a version and a fingerprint of configuration and strategy, so that they load only onto an
//! engine that was built the same. Then each part names its fields in the file where it lives. Equal states have
//! equal bytes whatever their past: rings are turned until the oldest entry stands first, caches and sums are no
//! fields.
//!
//! Loading believes nothing. Times lie in the past, lists fit, ids are unique, sums agree with their parts; what
//! passes cannot make a later event panic. It fills the memory that the engine has, so that no later event takes
//! any. An engine that failed to load must be thrown away.

use super::bracket::Known;
use super::{Counters, Engine};
use crate::event::GatewayState;
use crate::state::{State, StateError, StateIo, fingerprint};
use crate::strategy::Strategy;
use alloc::vec::Vec;

/// First byte of a saved engine.
const VERSION: u8 = 4;

impl<S: Strategy + State> Engine<S> {
    /// Appends the state after the last event. Changes nothing that anyone could notice.
    pub fn save(&mut self, to: &mut Vec<u8>) {
        StateIo::save(self, to);
    }

    /// Brings a saved state back, onto an engine built with the same configuration and strategy. On an error
    /// throw the engine away: it is half filled.
    pub fn load(&mut self, bytes: &[u8]) -> Result<(), StateError> {
        StateIo::load(self, bytes)
    }

    /// One number for all that the engine was built from: configuration and strategy.
    pub fn fingerprint(&self) -> u64 {
        fingerprint(&(&self.config, self.strategy.number(), self.strategy.settings()))
    }
}

impl<S: Strategy + State> State for Engine<S> {
    fn state(&mut self, io: &mut StateIo<'_>) -> Result<(), StateError> {
        check_head(io, self.fingerprint())?;
        let Self {
            config: _,
            strategy,
            markets: _,
            structure_ids,
            account,
            gateway,
            gate,
            orders,
            positions,
            guard,
            observed,
            book_var,
            banned_until,
            told_to,
            now,
            order_sequence,
            passed_over,
            signal_id,
            digest,
            counters,
            // Explains the last event and decides nothing.
            notes: _,
        } = self;
        io.number(now)?;
        let now = *now;
        guard.state(io, now)?;
        gateway.iter_mut().try_for_each(|state| io.choice(state, &GatewayState::ALL))?;
        banned_until.iter_mut().try_for_each(|until| io.number(until))?;
        told_to.iter_mut().try_for_each(|told_to| io.number(told_to))?;
        io.tally(order_sequence)?;
        io.tally(passed_over)?;
        io.number(signal_id)?;
        digest.state(io)?;
        counters.state(io)?;
        structure_ids.state(io)?;
        account.state(io)?;
        orders.state(io, now)?;
        positions.state(io)?;
        observed.state(io)?;
        book_var.state(io)?;
        gate.state(io, now)?;
        strategy.state(io)?;
        self.markets_state(io)?;
        if io.is_loading() {
            self.recall();
            io.sound(self.is_counted())?;
        }
        Ok(())
    }

    fn settings(&self) -> u64 {
        self.fingerprint()
    }
}

impl<S> Engine<S> {
    fn markets_state(&mut self, io: &mut StateIo<'_>) -> Result<(), StateError> {
        let Self { config, markets, orders, now, signal_id, .. } = self;
        for (market, instrument) in markets.iter_mut().zip(&config.instruments) {
            let known = Known { instrument: market.id, orders, now: *now, signal_id: *signal_id };
            market.state(io, instrument.symbol, &known)?;
        }
        Ok(())
    }

    /// What the position book has from others.
    fn recall(&mut self) {
        self.positions.recall(self.account.balances());
        for market in &self.markets {
            if let Some(spec) = &market.spec {
                self.positions.set_contract(market.id, spec.base, spec.quote, spec.contract);
            }
        }
    }

    /// Numbers that are told in two places agree.
    fn is_counted(&self) -> bool {
        let Counters { bars, signals, orders_sent, orders_denied, orders_attached, fills, .. } =
            self.counters;
        let smc = self.markets.iter().flat_map(|market| &market.smc);
        let bars_taken: u64 = smc.map(|smc| u64::from(smc.bar_count())).sum();
        let fills_of = |id| self.positions.stats(id).fills;
        let filled: u64 = self.positions.instruments().map(fills_of).map(u64::from).sum();
        let is_full = self.positions.instruments().map(fills_of).any(|fills| fills == u32::MAX);
        let first = self.config.order_sequence_first;
        let asked = orders_sent + orders_denied + orders_attached;
        let last_sequence = self.orders.last_sequence();
        let starting_equity = self.config.starting_equity;
        bars_taken <= bars
            && u64::from(self.signal_id) == signals.min(u32::MAX.into())
            && (filled == fills || is_full && filled < fills)
            && self.order_sequence == first.saturating_add(asked).saturating_add(self.passed_over)
            && (last_sequence > 0 || orders_sent == 0)
            && last_sequence < self.order_sequence
            && (starting_equity.is_none() || starting_equity == self.positions.starting_equity())
    }
}

impl State for Counters {
    fn state(&mut self, io: &mut StateIo<'_>) -> Result<(), StateError> {
        let Self {
            events,
            bars,
            structures,
            signals,
            intents_ignored,
            orders_sent,
            orders_denied,
            orders_attached,
            cancels,
            fills,
            rejects,
            orders_unknown,
            alerts,
        } = self;
        for count in [
            events,
            bars,
            structures,
            signals,
            intents_ignored,
            orders_sent,
            orders_denied,
            orders_attached,
            cancels,
            fills,
            rejects,
            orders_unknown,
            alerts,
        ] {
            io.tally(count)?;
        }
        Ok(())
    }
}

/// What tells at once that bytes are not of this engine.
fn check_head(io: &mut StateIo<'_>, wanted: u64) -> Result<(), StateError> {
    let (mut version, mut got) = (VERSION, wanted);
    io.number(&mut version)?;
    if version != VERSION {
        return Err(StateError::OtherVersion { got: version });
    }
    io.number(&mut got)?;
    if got != wanted {
        return Err(StateError::OtherSettings { got, wanted });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{EngineConfig, InstrumentConfig};
    use crate::risk::{AccountLimits, Limits};
    use crate::strategy::Confluence;
    use crate::words::{InstrumentId, Money, Name, Qty, SCALE, Timeframe, TsNs};
    use alloc::vec;

    const ONE: InstrumentId = InstrumentId(0);

    fn engine() -> Engine<Confluence> {
        let limits = Limits {
            strategies_allowed: 2,
            order_qty_max: Qty(SCALE),
            order_notional_max: Money(SCALE),
            collar_ppm: 10_000,
            collar_passive_ppm: 100_000,
            reference_age_max_ns: 1_000,
            reference_skew_max_ns: 1_000,
            position_qty_max: Qty(SCALE),
            open_orders_max: 10,
            duplicate_window_ns: 1_000,
            repeat_max: 5,
        };
        let account_limits = AccountLimits {
            gross_max: Money(SCALE),
            net_max: Money(SCALE),
            leverage_max_milli: 3_000,
            open_orders_max: 50,
            messages_max: 20,
            messages_window_ns: 1_000,
            runaway_denials_max: 20,
            runaway_window_ns: 1_000,
            entry_forgiven_after_ns: 1_000,
            margin_use_ppm_max: 800_000,
            var_ppm_max: None,
            order_lifetime_ns_max: 60_000_000_000,
            clock_offset_ns_max: 500_000_000,
            budget_reserve_ppm: 200_000,
        };
        let symbol = Name::new("BTCUSDT").unwrap();
        let timeframes = vec![Timeframe::parse("1m").unwrap()];
        let quote = Name::new("USDT").unwrap();
        let instruments = vec![InstrumentConfig { symbol, venue: 0, bars_from: None, limits }];
        let config = EngineConfig::new(quote, instruments, timeframes, account_limits);
        let strategy = Confluence::for_config(&config);
        Engine::new(config, strategy).unwrap()
    }

    fn reload(engine: &mut Engine<Confluence>) -> Result<Engine<Confluence>, StateError> {
        let (mut bytes, mut loaded) = (vec![], self::engine());
        engine.save(&mut bytes);
        loaded.load(&bytes)?;
        Ok(loaded)
    }

    #[test]
    fn limits_changed_while_running_come_along() {
        let mut first = engine();
        let limits = Limits {
            strategies_allowed: 3,
            order_qty_max: Qty(11),
            order_notional_max: Money(12),
            collar_ppm: 13,
            collar_passive_ppm: 14,
            reference_age_max_ns: 15,
            reference_skew_max_ns: 16,
            position_qty_max: Qty(17),
            open_orders_max: 18,
            duplicate_window_ns: 19,
            repeat_max: 20,
        };
        let account = AccountLimits {
            gross_max: Money(21),
            net_max: Money(22),
            leverage_max_milli: 23,
            open_orders_max: 24,
            messages_max: 25,
            messages_window_ns: 26,
            runaway_denials_max: 27,
            runaway_window_ns: 28,
            entry_forgiven_after_ns: 29,
            margin_use_ppm_max: 800_000,
            var_ppm_max: None,
            order_lifetime_ns_max: 60_000_000_000,
            clock_offset_ns_max: 500_000_000,
            budget_reserve_ppm: 200_000,
        };
        first.gate.set_account_limits(account).unwrap();
        first.gate.set_limits(ONE, limits).unwrap();
        let second = reload(&mut first).unwrap();
        assert_eq!(second.gate.limits(ONE), Some(&limits));
        assert_eq!(second.gate.account_limits(), &account);
    }

    /// Each sets one thing that contradicts another; a sound engine loads.
    #[test]
    fn what_contradicts_itself_is_refused() {
        type Fault = fn(&mut Engine<Confluence>);
        let faults: [Fault; 8] = [
            |e| e.signal_id = 1,
            |e| e.order_sequence += 1,
            |e| e.counters.orders_sent = 1,
            |e| e.counters.fills = 1,
            |e| e.counters.events = u64::MAX,
            |e| e.markets[0].is_watched = true,
            |e| e.markets[0].bracket.naked_since = Some(TsNs(1)),
            |e| e.markets[0].bracket.leaving = Some(crate::output::Purpose::Entry),
        ];
        assert!(reload(&mut engine()).is_ok());
        for (nth, fault) in faults.into_iter().enumerate() {
            let mut engine = engine();
            fault(&mut engine);
            let refusal = reload(&mut engine).err();
            assert!(matches!(refusal, Some(StateError::BadValue { .. })), "fault {nth}: {refusal:?}");
        }
    }
}
