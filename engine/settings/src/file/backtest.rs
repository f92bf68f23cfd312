//! `[backtest]`: the exchange that `smc backtest` puts in the place of a venue, and the account there.
//!
//! Read by backtests, searches and validation alone; `smc run` checks the keys and ignores the section. It is not journaled
//! with what decides: it is what the decisions met. Missing keys have the values of an exchange that answers within
//! milliseconds and charges what nobody is charged more than.

use super::Decimal;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::PathBuf;
use toml::value::Datetime;

/// `[backtest]`
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct BacktestSection {
    /// Of all draws; `--seed` wins. 1 without it.
    pub seed: Option<u64>,
    /// What the account begins with, by asset: 100,000 of the quote asset without it.
    pub balances: BTreeMap<String, Decimal>,
    /// Fee of a fill that rested, in ppm of its value; negative is paid to us. `sizing.fee_ppm` without it.
    pub maker_fee_ppm: Option<i32>,
    /// Fee of a fill that took.
    pub taker_fee_ppm: Option<i32>,
    /// Fees by the day from which they hold, instead of the two keys before.
    pub fees: Vec<FeesSection>,
    /// From the exchange's word of its market to our hearing of it, in milliseconds, where the data does not know it.
    pub feed_ms: Option<f64>,
    /// From our sending of an order to the exchange's taking of it.
    pub entry_ms: Option<f64>,
    /// From what the exchange did with an order to our hearing of it.
    pub response_ms: Option<f64>,
    /// Latencies as they were measured, instead of the two keys before: CSV, a row an order, `send_ns, exchange_ns, receive_ns`.
    pub latency_file: Option<PathBuf>,
    /// How `latency_file` is used: `samples` (default) draws its rows, `recorded` goes by their times.
    pub latency: LatencyWord,
    /// `risk-averse` (default): whoever leaves a line was behind us; or a probability: `power`, `power2`, `power3`, `log`,
    /// `log2`.
    pub queue: QueueWord,
    /// Of the powers; 2 without it.
    pub queue_power: Option<f64>,
    /// Rate of a perpetual contract's funding, such as `"0.0001"`, the same each time.
    pub funding_rate: Option<Decimal>,
    /// Hours between two fundings; 8 without it.
    pub funding_hours: Option<u32>,
    /// Funding as it was, instead: CSV, a row a funding, `time, rate`, the time in milliseconds or RFC 3339.
    pub funding_file: Option<PathBuf>,
    /// Overnight financing of currency positions.
    pub financing: Option<FinancingSection>,
    /// What our own size does to the price.
    pub impact: Option<ImpactSection>,
    /// Distance between the best prices of data that does not tell them.
    pub spread: Option<Decimal>,
    /// Steps that a stop inside a bar fills worse than its trigger, at least; 1 without it.
    pub slippage_ticks: Option<u32>,
    /// A bar that touches a limit price fills it. Without it the bar must go through.
    pub touch_fills: bool,
    /// The exchange keeps stop and target that come with an entry, in data of bars; true without it.
    pub keeps_brackets: Option<bool>,
    /// Quantity taken to stand at best prices of data that tells none.
    pub unsized_qty: Option<Decimal>,
    /// Share of resting entries that never fill, in ppm.
    pub missed_fills_ppm: u32,
    /// Rules of instruments, by symbol, where they are not as the data and the venue of `[venue]` say.
    pub rules: BTreeMap<String, RulesSection>,
}

/// `[[backtest.fees]]`
#[derive(Clone, Copy, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct FeesSection {
    /// From this day on (UTC).
    pub from: Datetime,
    /// Of what rested.
    pub maker_ppm: i32,
    /// Of what took.
    pub taker_ppm: i32,
}

/// `[backtest.financing]`
#[derive(Clone, Copy, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct FinancingSection {
    /// Received for a day of a long position, as a part of its value; negative is paid: `"-0.00008"`.
    pub long: Decimal,
    /// The same of a short one.
    pub short: Decimal,
    /// Time of day of the roll, UTC; 22:00 without it.
    #[serde(default = "ten_at_night")]
    pub roll: Datetime,
    /// The weekday whose roll counts three days; Wednesday without it.
    #[serde(default)]
    pub triple: Weekday,
}

fn ten_at_night() -> Datetime {
    let time = toml::value::Time { hour: 22, minute: 0, second: Some(0), nanosecond: Some(0) };
    Datetime { date: None, time: Some(time), offset: None }
}

/// A day of the week.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
#[allow(missing_docs, reason = "days")]
pub enum Weekday {
    Monday,
    Tuesday,
    #[default]
    Wednesday,
    Thursday,
    Friday,
}

/// `[backtest.impact]`: `factor * sigma_day * sqrt(qty / adv)`, a part of the price, against us.
#[derive(Clone, Copy, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct ImpactSection {
    /// 0.7 without it.
    #[serde(default = "seven_tenths")]
    pub factor: f64,
    /// Deviation of a day's return.
    pub sigma_day: f64,
    /// Average daily volume, base units.
    pub adv: f64,
}

const fn seven_tenths() -> f64 {
    0.7
}

/// How measured latencies are used.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum LatencyWord {
    /// Drawn.
    #[default]
    Samples,
    /// By their times.
    Recorded,
}

/// Where a resting order stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
#[allow(missing_docs, reason = "the words of `smc_metrics::queue`")]
pub enum QueueWord {
    #[default]
    RiskAverse,
    Power,
    Power2,
    Power3,
    Log,
    Log2,
}

/// `[backtest.rules.SYMBOL]`: what is not given is as the data (steps) and the venue (kind) say.
#[derive(Clone, Copy, Debug, Default, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct RulesSection {
    /// `spot`, `linear`, `inverse`, `fx`.
    pub kind: Option<KindWord>,
    /// Price step.
    pub tick: Option<Decimal>,
    /// Quantity step.
    pub lot: Option<Decimal>,
    /// Smallest quantity of an order.
    pub qty_min: Option<Decimal>,
    /// Smallest value of an order.
    pub notional_min: Option<Decimal>,
    /// Base units of a unit (quote units of an inverse contract).
    pub size: Option<Decimal>,
    /// Part of its value that must be secured to open it, ppm; 50000 without it, of spot all.
    pub margin_initial_ppm: Option<u32>,
    /// Part of its value below which the venue liquidates, ppm; half of that, of spot none.
    pub margin_maintenance_ppm: Option<u32>,
}

/// What an instrument is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
#[allow(missing_docs, reason = "the core's variants of the same names are documented")]
pub enum KindWord {
    Spot,
    Linear,
    Inverse,
    Fx,
}
