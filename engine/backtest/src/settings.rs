//! What the simulated exchange is: how far away, how fair, how dear.

use smc_core::words::{Money, Name, Price, Qty, TsNs};
use smc_metrics::Random;
use smc_metrics::queue::QueueModel;
use std::fmt;

/// One exchange. The default is one that answers in a few milliseconds, keeps everybody in line, and costs what nobody
/// is charged more than.
#[derive(Clone, Debug, PartialEq)]
pub struct VenueSettings {
    /// Of all draws: latencies, noise.
    pub seed: u64,
    /// From the exchange's telling of its market to our hearing of it, where the data does not know it.
    pub feed: Delay,
    /// From our sending of an order to the exchange's taking of it.
    pub entry: Delay,
    /// From what the exchange did with an order to our hearing of it.
    pub response: Delay,
    /// Where a resting order stands among the others of its price.
    pub queue: Queue,
    /// Fees, by the day from which they hold; ascending. Before the first, the first.
    pub fees: Vec<Fees>,
    /// Funding of perpetual contracts.
    pub funding: Funding,
    /// Overnight financing of currency positions.
    pub financing: Option<Financing>,
    /// What our own size does to the price.
    pub impact: Option<Impact>,
    /// Of data without best prices: the distance between them.
    pub spread: Price,
    /// Of stops inside bars: steps that a fill is worse than its trigger, or half of the spread if that is more.
    pub slippage_ticks: u32,
    /// A bar that touches a limit price fills it; otherwise it must go through.
    pub touch_fills: bool,
    /// The exchange keeps stop and target that come with an entry, whatever the venue of the configuration can. Of bars
    /// only: the way inside a bar is not known, so nobody could watch a target there.
    pub keeps_brackets: bool,
    /// Quantity taken to stand at a best price of data that tells none (or 1).
    pub unsized_qty: Qty,
    /// What the account begins with.
    pub balances: Vec<(Name, Qty)>,
    /// Share of entries, in ppm, that never fill while they rest, and of bars not at the opening either, for tests of how much a result
    /// hangs on luck in the queue.
    pub missed_fills_ppm: u32,
    /// Of bars, which have no latency: share of a bar, in ppm, that is over before what is new meets the market. Its price is then on
    /// the straight line from open to close, but never better than the open: for tests of how much a result hangs on haste.
    pub late_ppm: u32,
}

impl Default for VenueSettings {
    fn default() -> Self {
        Self {
            seed: 1,
            feed: Delay::Constant(1_000_000),
            entry: Delay::Constant(2_000_000),
            response: Delay::Constant(1_000_000),
            queue: Queue::RiskAverse,
            fees: vec![Fees { from: TsNs(0), maker_ppm: 1_000, taker_ppm: 1_000 }],
            funding: Funding::None,
            financing: None,
            impact: None,
            spread: Price::ZERO,
            slippage_ticks: 1,
            touch_fills: false,
            keeps_brackets: true,
            unsized_qty: Qty(0),
            balances: Vec::new(),
            missed_fills_ppm: 0,
            late_ppm: 0,
        }
    }
}

/// A way's length, in nanoseconds.
#[derive(Clone, Debug, PartialEq)]
pub enum Delay {
    /// Always the same.
    Constant(u64),
    /// One of those that were measured, drawn with the seed.
    Samples(Vec<u64>),
    /// As measured at that time: pairs of time and length, ascending; between two, in proportion.
    Recorded(Vec<(TsNs, u64)>),
}

impl Delay {
    /// The length of a way that begins now.
    pub fn at(&self, now: TsNs, random: &mut Random) -> u64 {
        match self {
            Self::Constant(ns) => *ns,
            Self::Samples(samples) => samples.get(random.below(samples.len().max(1))).copied().unwrap_or(0),
            Self::Recorded(points) => between(points, now),
        }
    }

    fn fault(&self) -> Option<&'static str> {
        match self {
            Self::Samples(samples) if samples.is_empty() => Some("no sample"),
            Self::Recorded(points) if points.is_empty() => Some("no record"),
            Self::Recorded(points) if !points.is_sorted_by_key(|(at, _)| *at) => {
                Some("not in the order of time")
            }
            _ => None,
        }
    }
}

fn between(points: &[(TsNs, u64)], now: TsNs) -> u64 {
    let after = points.partition_point(|(at, _)| *at <= now);
    match (points.get(after.wrapping_sub(1)), points.get(after)) {
        (Some(&(from, low)), Some(&(to, high))) => {
            let (part, whole) = (i128::from(now.since(from)), i128::from(to.since(from).max(1)));
            let length = i128::from(low) + (i128::from(high) - i128::from(low)) * part / whole;
            u64::try_from(length).unwrap_or(0)
        }
        (Some(&(_, only)), None) | (None, Some(&(_, only))) => only,
        (None, None) => 0,
    }
}

/// Where a resting order stands.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Queue {
    /// Behind everybody; who leaves was behind us.
    RiskAverse,
    /// Behind everybody at first; who leaves was before or behind us with a probability of the level's shape.
    Probable(QueueModel),
}

/// What a fill costs, in ppm of its value; negative is paid to us.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fees {
    /// From then on.
    pub from: TsNs,
    /// Of what rested.
    pub maker_ppm: i32,
    /// Of what took.
    pub taker_ppm: i32,
}

/// What holders of a perpetual contract pay each other: position times mark times rate, longs to shorts.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum Funding {
    /// Nothing.
    #[default]
    None,
    /// The same at every multiple of the interval since the epoch.
    Every {
        /// Interval.
        interval_ns: u64,
        /// Rate in 1e-8.
        rate_e8: i64,
    },
    /// As it was: times, ascending, and rates in 1e-8.
    Recorded(Vec<(TsNs, i64)>),
}

/// What holding a currency position overnight costs or brings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Financing {
    /// Received for a day of a long position, in 1e-8 of its value; negative is paid.
    pub long_e8: i64,
    /// The same of a short one.
    pub short_e8: i64,
    /// Time of day of the roll, in seconds UTC.
    pub roll_s: u32,
    /// The weekday, Monday is 0, whose roll counts three days; Saturday and Sunday have none.
    pub triple_on: u8,
}

/// What our own size does to the price: `factor * sigma_day * sqrt(qty / adv)`, a part of the price, against us.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Impact {
    /// 0.7 where nobody measured it.
    pub factor: f64,
    /// Deviation of a day's return.
    pub sigma_day: f64,
    /// Average daily volume, base units.
    pub adv: f64,
}

impl Impact {
    /// Part of the price by which an order of this size moves it against itself. A square root is correctly rounded
    /// everywhere, by IEEE 754.
    pub fn part(&self, qty: Qty) -> f64 {
        let qty = qty.0 as f64 / smc_core::words::SCALE as f64;
        self.factor * self.sigma_day * (qty / self.adv).max(0.0).sqrt()
    }
}

/// A setting that makes no sense, by name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SettingError {
    /// Which, as the configuration's `[backtest]` calls it.
    pub name: &'static str,
    /// Why.
    pub reason: &'static str,
}

impl fmt::Display for SettingError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "backtest.{}: {}", self.name, self.reason)
    }
}

impl std::error::Error for SettingError {}

impl VenueSettings {
    /// The first that makes no sense.
    pub fn check(&self) -> Result<(), SettingError> {
        let refuse = |name, reason| Err(SettingError { name, reason });
        for (name, delay) in [("feed", &self.feed), ("entry", &self.entry), ("response", &self.response)] {
            if let Some(reason) = delay.fault() {
                return refuse(name, reason);
            }
        }
        let is_fee = |ppm: i32| (-10_000..=100_000).contains(&ppm);
        if self.fees.is_empty()
            || !self.fees.iter().all(|fees| is_fee(fees.maker_ppm) && is_fee(fees.taker_ppm))
        {
            return refuse("fees", "must be there, between -10000 and 100000 ppm");
        }
        if !self.fees.is_sorted_by_key(|fees| fees.from) {
            return refuse("fees", "not in the order of time");
        }
        match &self.funding {
            Funding::Every { interval_ns: 0, .. } => return refuse("funding", "its interval must not be 0"),
            Funding::Recorded(points) if !points.is_sorted_by_key(|(at, _)| *at) => {
                return refuse("funding", "not in the order of time");
            }
            _ => {}
        }
        if self.financing.is_some_and(|it| it.roll_s >= 86_400 || it.triple_on > 6) {
            return refuse("financing", "the roll is a second of a day, the triple day 0 (Monday) to 6");
        }
        if self.spread.0 < 0 || self.unsized_qty.0 < 0 {
            return refuse("spread", "negative");
        }
        if let Some(Impact { factor, sigma_day, adv }) = self.impact
            && !(factor >= 0.0 && sigma_day >= 0.0 && adv > 0.0 && (factor * sigma_day).is_finite())
        {
            return refuse("impact", "factor and deviation must be 0 or more, the volume above 0");
        }
        if let Queue::Probable(QueueModel::Power(n) | QueueModel::Power2(n) | QueueModel::Power3(n)) =
            self.queue
            && !(n > 0.0 && n.is_finite())
        {
            return refuse("queue", "its power must be above 0");
        }
        if self.missed_fills_ppm > 1_000_000 {
            return refuse("missed_fills_ppm", "more than all fills cannot be missed");
        }
        if self.late_ppm > 1_000_000 {
            return refuse("late_ppm", "later than the bar's end is another bar");
        }
        if self.balances.is_empty() || self.balances.iter().any(|(_, qty)| qty.0 < 0) {
            return refuse("balances", "the account needs something to begin with, and no debts");
        }
        Ok(())
    }

    /// The fees of a moment.
    pub fn fees_at(&self, now: TsNs) -> Fees {
        let after = self.fees.partition_point(|fees| fees.from <= now);
        let fees = self.fees.get(after.saturating_sub(1)).or(self.fees.first());
        fees.copied().unwrap_or(Fees { from: TsNs(0), maker_ppm: 0, taker_ppm: 0 })
    }

    /// What a fill of this value costs, rounded against us.
    pub fn fee(&self, now: TsNs, value_e16: i128, is_maker: bool) -> Money {
        let fees = self.fees_at(now);
        let ppm = i128::from(if is_maker { fees.maker_ppm } else { fees.taker_ppm });
        let fee = smc_core::words::div_ceil(value_e16 * ppm, 1_000_000 * i128::from(smc_core::words::SCALE));
        Money(smc_core::words::clamp_i64(fee))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_recorded_delay_goes_in_proportion_between_its_points() {
        let delay = Delay::Recorded(vec![(TsNs(100), 10), (TsNs(200), 30), (TsNs(300), 20)]);
        let mut random = Random::new(1);
        let lengths: Vec<u64> = [50, 100, 150, 199, 200, 250, 300, 900]
            .into_iter()
            .map(|now| delay.at(TsNs(now), &mut random))
            .collect();
        assert_eq!(lengths, [10, 10, 20, 29, 30, 25, 20, 20]);
    }

    #[test]
    fn fees_go_by_date_and_round_against_us() {
        let fees = |from, maker_ppm, taker_ppm| Fees { from: TsNs(from), maker_ppm, taker_ppm };
        let venue =
            VenueSettings { fees: vec![fees(10, -100, 400), fees(20, 200, 500)], ..VenueSettings::default() };
        let value = 3 * i128::from(smc_core::words::SCALE) + 1;
        assert_eq!(venue.fee(TsNs(5), value, false), Money(1));
        assert_eq!(venue.fee(TsNs(15), 1_000_000_000_000 * value, true), Money(-300_000_001));
        assert_eq!(venue.fee(TsNs(20), 1_000_000_000_000 * value, true), Money(600_000_002));
    }

    #[test]
    fn what_makes_no_sense_is_named() {
        let good = VenueSettings {
            balances: vec![(Name::new("USDT").unwrap(), Qty(1))],
            ..VenueSettings::default()
        };
        assert_eq!(good.check(), Ok(()));
        type Spoil = fn(&mut VenueSettings);
        let faults: [(&str, Spoil); 9] = [
            ("feed", |v| v.feed = Delay::Samples(vec![])),
            ("entry", |v| v.entry = Delay::Recorded(vec![(TsNs(2), 1), (TsNs(1), 1)])),
            ("fees", |v| v.fees.clear()),
            ("funding", |v| v.funding = Funding::Every { interval_ns: 0, rate_e8: 1 }),
            ("financing", |v| {
                v.financing = Some(Financing { long_e8: 0, short_e8: 0, roll_s: 90_000, triple_on: 2 });
            }),
            ("spread", |v| v.spread = Price(-1)),
            ("impact", |v| v.impact = Some(Impact { factor: 0.7, sigma_day: 0.02, adv: 0.0 })),
            ("queue", |v| v.queue = Queue::Probable(QueueModel::Power(0.0))),
            ("balances", |v| v.balances.clear()),
        ];
        for (name, spoil) in faults {
            let mut venue = good.clone();
            spoil(&mut venue);
            assert_eq!(venue.check().unwrap_err().name, name);
        }
    }
}
