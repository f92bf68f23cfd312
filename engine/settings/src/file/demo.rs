//! `[demo]`: the market that `smc demo` generates for a configuration, and the account it opens there.
//!
//! Read by `smc demo` alone. `smc run` checks the keys, so that a slip is found, and then ignores the section: a
//! real venue has a market and an account of its own. It is not journaled; what the market did is.

use super::Decimal;
use serde::{Deserialize, Serialize};
use smc_core::TsNs;
use toml::value::Datetime;

/// `[demo]`; missing keys have the values of the default demo.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct DemoSection {
    /// When the market opens: a TOML date and time, in UTC.
    pub start: Option<Datetime>,
    /// Length of the run in market hours; `--seconds` times `--speed` where the key is missing.
    pub hours: Option<f64>,
    /// Seed of the market; `--seed` wins.
    pub seed: Option<u64>,
    /// Market seconds per second when not `--fast`; `--speed` wins.
    pub speed: f64,
    /// Days of one-minute candles before the opening, for the warm-up.
    pub history_days: f64,
    /// First price.
    pub price: f64,
    /// Price step.
    pub tick: Decimal,
    /// Quantity step.
    pub lot: Decimal,
    /// Typical quantities are this many times those of the default market (a few hundredths of a unit).
    pub qty_scale: f64,
    /// Mean steps of the order flow in a market minute; each is a trade or a few.
    pub steps_per_minute: f64,
    /// Deviation of a day's noise in percent; the legs of the story grow with it.
    pub day_noise_percent: f64,
    /// What price does: `legs` at any hour, or `sessions`, a day with a quiet night and lively mornings.
    pub story: StoryWord,
    /// Legs last so many times as long as those of the default market, which are read on 5-second bars.
    pub leg_stretch: f64,
    /// Fee of a fill that rested, in 1/100 of a percent.
    pub maker_fee_bps: u32,
    /// Fee of a fill that took, in 1/100 of a percent.
    pub taker_fee_bps: u32,
    /// Quote asset in the account.
    pub quote_balance: Decimal,
    /// Base asset in the account: what can be sold short of a purchase.
    pub base_balance: Decimal,
    /// Heartbeat of the venue's book and candle streams in market milliseconds: 100 as in life, up to 5000 where
    /// days must pass quickly. A feed takes ten heartbeats, or ten steps, without a word for silence.
    pub heartbeat_ms: u64,
}

/// What a generated price does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum StoryWord {
    /// Ranges, sweeps, breakouts, pullbacks at any hour.
    Legs,
    /// A trading day: a quiet Asian range, often swept by London, then the move; New York goes on or turns.
    Sessions,
}

impl Default for DemoSection {
    fn default() -> Self {
        Self {
            start: None,
            hours: None,
            seed: None,
            speed: 100.0,
            history_days: 1.0 / 6.0,
            price: 60_000.0,
            tick: Decimal(1_000_000),
            lot: Decimal(1_000),
            qty_scale: 1.0,
            steps_per_minute: 240.0,
            day_noise_percent: 1.322_724_461_102_916_3,
            story: StoryWord::Legs,
            leg_stretch: 1.0,
            maker_fee_bps: 1,
            taker_fee_bps: 2,
            quote_balance: Decimal(100_000 * 100_000_000),
            base_balance: Decimal(5 * 100_000_000),
            heartbeat_ms: 100,
        }
    }
}

impl DemoSection {
    /// The key that makes no sense, if any.
    pub fn fault(&self) -> Option<&'static str> {
        let within = |value: f64, least: f64, most: f64| (least..=most).contains(&value);
        let checks = [
            (self.start.is_none() || self.start_ts().is_some(), "start"),
            (self.hours.is_none_or(|hours| within(hours, 0.01, 100_000.0)), "hours"),
            (within(self.speed, 1e-6, 100_000.0), "speed"),
            (within(self.history_days, 0.0, 2_000.0), "history_days"),
            (within(self.price, 1e-6, 1e9), "price"),
            (self.tick.0 > 0, "tick"),
            (self.lot.0 > 0, "lot"),
            (within(self.qty_scale, 1e-6, 1e9), "qty_scale"),
            (within(self.steps_per_minute, 0.01, 60_000.0), "steps_per_minute"),
            (within(self.day_noise_percent, 1e-4, 100.0), "day_noise_percent"),
            (within(self.leg_stretch, 1e-3, 1e5), "leg_stretch"),
            (self.maker_fee_bps <= 1_000, "maker_fee_bps"),
            (self.taker_fee_bps <= 1_000, "taker_fee_bps"),
            (self.quote_balance.0 >= 0, "quote_balance"),
            (self.base_balance.0 >= 0, "base_balance"),
            ((100..=5_000).contains(&self.heartbeat_ms), "heartbeat_ms"),
        ];
        checks.iter().find(|(is_sane, _)| !*is_sane).map(|(_, key)| *key)
    }

    /// `start` in nanoseconds since the epoch; none when the key is missing or no UTC date after 1970.
    pub fn start_ts(&self) -> Option<TsNs> {
        utc(self.start?)
    }
}

/// A TOML date (and time) in nanoseconds since the epoch; none when it is no UTC date after 1970.
pub fn utc(written: Datetime) -> Option<TsNs> {
    let Datetime { date, time, offset } = written;
    let is_utc = offset.is_none_or(|offset| offset == toml::value::Offset::Z);
    let date = date.filter(|date| is_utc && date.year >= 1970)?;
    // Days since 1970-01-01; the year is taken to begin in March, so that the leap day is its last.
    let (year, month) = (i64::from(date.year), i64::from(date.month));
    let (year, month) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let of_year = (153 * month + 2) / 5 + i64::from(date.day) - 1;
    let days = 365 * year + year / 4 - year / 100 + year / 400 + of_year - 719_468;
    let secs = time.map_or(0, |time| {
        i64::from(time.hour) * 3_600 + i64::from(time.minute) * 60 + i64::from(time.second.unwrap_or(0))
    });
    u64::try_from(days * 86_400 + secs).ok().map(|secs| TsNs(secs.saturating_mul(1_000_000_000)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_start_is_a_date_of_toml() {
        let section = |text: &str| toml::from_str::<DemoSection>(text).unwrap();
        let secs = |text: &str| section(text).start_ts().map(|ts| ts.0 / 1_000_000_000);
        assert_eq!(secs("start = 2026-01-01T00:00:00Z"), Some(1_767_225_600));
        assert_eq!(secs("start = 2024-02-29 12:30:00"), Some(1_709_209_800));
        assert_eq!(secs("start = 2000-03-01"), Some(951_868_800));
        assert_eq!(secs(""), None);
        assert_eq!(section("start = 2026-01-01T00:00:00+02:00").fault(), Some("start"));
        assert_eq!(section("start = 1969-01-01").fault(), Some("start"));
        assert_eq!(section("").fault(), None);
        assert_eq!(section("speed = 0").fault(), Some("speed"));
        assert_eq!(section("heartbeat_ms = 10").fault(), Some("heartbeat_ms"));
        assert!(toml::from_str::<DemoSection>("sped = 1").is_err());
    }
}
