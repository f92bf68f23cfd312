//! What `status` and `watch` answer: the mapped counters and the histograms, as people read them.

use crate::counters::{CountersView, INSTRUMENTS_MAX, Slot};
use crate::latency::{Latencies, Percentiles, STRETCHES};
use serde::{Deserialize, Serialize};
use smc_core::digest::Digest;
use smc_core::event::ScopeKind;
use smc_core::output::{Control, TradingState};
use smc_core::words::{Money, Price, Qty};
use smc_replay::{scope_name, words};
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

/// What `status` answers; prices and money as decimal text.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(default)]
pub struct Status {
    /// NORMAL to HALT, of the whole engine.
    pub state: String,
    /// Every scope that is held down: which, how far, by what.
    pub held: Vec<HeldScope>,
    /// Last journal sequence number.
    pub seq: u64,
    /// Time of the last event, nanoseconds since the epoch.
    pub time_ns: u64,
    /// Events taken.
    pub events_in: u64,
    /// Orders sent.
    pub orders_sent: u64,
    /// Cancels sent.
    pub cancels_sent: u64,
    /// Orders the gate denied.
    pub orders_denied: u64,
    /// Orders working or on their way.
    pub open_orders: u64,
    /// Fills counted.
    pub fills: u64,
    /// Signals.
    pub signals: u64,
    /// Market-structure events.
    pub structures: u64,
    /// Position per symbol, signed.
    pub positions: BTreeMap<String, String>,
    /// Last price per symbol.
    pub last_prices: BTreeMap<String, String>,
    /// Equity in quote currency.
    pub equity: String,
    /// Realised profit in quote currency, after fees.
    pub realised_pnl: String,
    /// Percentiles per stretch.
    pub latency_ns: BTreeMap<String, Percentiles>,
    /// Samples lost because a ring was full.
    pub latency_samples_lost: u64,
    /// Messages, refusals, gaps, resyncs, reconnects of the feed.
    pub feed: BTreeMap<String, u64>,
    /// Whether orders can be sent.
    pub gateway_ready: bool,
    /// Digest of everything the engine said.
    pub digest: String,
    /// Directory of the journal.
    pub journal: PathBuf,
    /// Market seconds per second: 1 but for simulated venues.
    pub speed: f64,
    /// How the threads are joined: inline or pipelined.
    pub topology: String,
    /// Process number of the engine.
    pub pid: u32,
    /// Version of the program.
    pub version: String,
}

/// A scope that is held down.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(default)]
pub struct HeldScope {
    /// `engine`, `venue 0`, `instrument BTCUSDT` or `strategy 1`.
    pub scope: String,
    /// WARN to HALT.
    pub state: String,
    /// The control that holds it: `daily loss`.
    pub control: String,
}

/// Everything a status is made of.
#[derive(Clone)]
pub struct StatusSource {
    /// The engine's counters.
    pub counters: Arc<CountersView>,
    /// The histograms.
    pub latencies: Latencies,
    /// Symbols in the order of their instrument ids.
    pub symbols: Vec<String>,
    /// Directory of the journal.
    pub journal: PathBuf,
    /// Market seconds per second.
    pub speed: f64,
    /// How the threads are joined.
    pub topology: &'static str,
}

impl StatusSource {
    /// The status now.
    pub fn status(&self) -> Status {
        let get = |slot| self.counters.get(slot);
        let per_symbol = |slot: Slot, text: fn(i64) -> String| {
            let symbols = self.symbols.iter().take(INSTRUMENTS_MAX).enumerate();
            symbols.map(|(nth, symbol)| (symbol.clone(), text(self.counters.nth(slot, nth) as i64))).collect()
        };
        let stretches =
            STRETCHES.iter().map(|(stretch, name)| ((*name).into(), self.latencies.percentiles(*stretch)));
        Status {
            state: state_name(get(Slot::State)).into(),
            held: self.held(),
            seq: get(Slot::JournalSeq),
            time_ns: get(Slot::LastEventNs),
            events_in: get(Slot::EventsIn),
            orders_sent: get(Slot::OrdersSent),
            cancels_sent: get(Slot::CancelsSent),
            orders_denied: get(Slot::OrdersDenied),
            open_orders: get(Slot::OpenOrders),
            fills: get(Slot::Fills),
            signals: get(Slot::Signals),
            structures: get(Slot::Structures),
            positions: per_symbol(Slot::PositionE8, |value| Qty(value).to_string()),
            last_prices: per_symbol(Slot::LastPriceE8, |value| Price(value).to_string()),
            equity: Money(self.counters.signed(Slot::EquityE8)).to_string(),
            realised_pnl: Money(self.counters.signed(Slot::RealisedE8)).to_string(),
            latency_ns: stretches.collect(),
            latency_samples_lost: self.latencies.lost(),
            feed: [
                ("messages", Slot::FeedMessages),
                ("refused", Slot::FeedRefused),
                ("gaps", Slot::FeedGaps),
                ("resyncs", Slot::FeedResyncs),
                ("reconnects", Slot::FeedReconnects),
            ]
            .map(|(name, slot)| (name.into(), get(slot)))
            .into(),
            gateway_ready: get(Slot::GatewayReady) == 1,
            digest: digest_text(get(Slot::DigestA), get(Slot::DigestB)),
            journal: self.journal.clone(),
            speed: self.speed,
            topology: self.topology.into(),
            pid: self.counters.writer().pid,
            version: env!("CARGO_PKG_VERSION").into(),
        }
    }
}

impl StatusSource {
    fn held(&self) -> Vec<HeldScope> {
        let held = self.counters.held().into_iter().map(|(scope, state, control)| {
            let control = usize::try_from(control).ok().and_then(|at| Control::ALL.get(at));
            let symbol =
                self.symbols.get(usize::from(scope.id)).filter(|_| scope.kind == ScopeKind::Instrument);
            HeldScope {
                scope: symbol.map_or_else(|| scope_name(scope), |symbol| format!("instrument {symbol}")),
                state: state_name(state).into(),
                control: control.map_or_else(|| "unknown".into(), words),
            }
        });
        held.collect()
    }
}

fn digest_text(a: u64, b: u64) -> String {
    if a == 0 && b == 0 { Digest::default().to_string() } else { format!("{a:016x}{b:016x}") }
}

/// The name people use for a trading state's number.
pub fn state_name(state: u64) -> &'static str {
    const NAMES: [(TradingState, &str); 5] = [
        (TradingState::Normal, "NORMAL"),
        (TradingState::Warn, "WARN"),
        (TradingState::ReduceOnly, "REDUCE_ONLY"),
        (TradingState::CancelOnly, "CANCEL_ONLY"),
        (TradingState::Halt, "HALT"),
    ];
    NAMES.iter().find(|(value, _)| *value as u64 == state).map_or("UNKNOWN", |(_, name)| name)
}
