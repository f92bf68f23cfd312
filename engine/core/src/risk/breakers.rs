//! What happens after an order is out, watched: losing streaks, fills that come too fast, refusals in a row, fills far
//! from where they were expected.
//!
//! Each watcher counts and says when it trips; what that means (which scope, which level, for how long) is the
//! engine's to do. Fixed memory, one step an event. A threshold that is met trips, except where the rule says "more
//! than".

use crate::config::ConfigError;
use crate::risk::limits::STRATEGIES_MAX;
use crate::risk::loss::LossLimits;
use crate::risk::windows::Throttle;
use crate::state::{StateError, StateIo};
use crate::words::{ClientOrderId, InstrumentId, Money, Price, SCALE, Side, TsNs};
use alloc::vec::Vec;

/// Settings of the breakers. Every one is on: there is no value that switches one off but the day's plan, which nobody
/// can guess.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct BreakerParams {
    /// Largest loss of a day, in ppm of the equity it began with.
    pub daily_loss_ppm: u32,
    /// Largest fall from the highest equity, in ppm of it.
    pub drawdown_ppm: u32,
    /// The day of the loss limit begins so long after midnight UTC, in seconds.
    pub day_starts_at_s: u32,
    /// Losing trades in a row that pause a strategy.
    pub loss_streak_max: u32,
    /// How long.
    pub loss_streak_pause_ns: u64,
    /// More fills of one instrument in a minute halt the strategy.
    pub fills_per_minute_max: u32,
    /// What a strategy plans to trade in a day, in the account's currency; twice of it halts it. None plans nothing.
    pub day_notional_plan: Option<Money>,
    /// More refusals by a venue within the window leave it with cancels only.
    pub rejects_max: u32,
    /// Length of that window.
    pub rejects_window_ns: u64,
    /// Expected distance of a taking fill from the price it was sent at, in ppm.
    pub slippage_model_ppm: u32,
    /// A fill this many times beyond it is a bad one; three of ten warn, then pause the strategy.
    pub slippage_factor: u32,
    /// How long.
    pub slippage_pause_ns: u64,
    /// A move of the mid within a minute that pauses entries, in ppm.
    pub flash_move_ppm: u32,
    /// A spread this many times its median of the last hour pauses entries.
    pub flash_spread_factor: u32,
    /// ... unless it is narrower than this part of the mid, ppm: where the usual spread is one tiny tick, ten of them are
    /// nothing.
    pub flash_spread_ppm_min: u32,
    /// How long.
    pub flash_pause_ns: u64,
    /// Two prices of one thing (the book's mid, the venue's mark) further apart than this, in ppm, …
    pub divergence_ppm: u32,
    /// … for so long are no reference.
    pub divergence_ns: u64,
}

const SECOND_NS: u64 = 1_000_000_000;
const MINUTE_NS: u64 = 60 * SECOND_NS;
const DAY_NS: u64 = 86_400 * SECOND_NS;
/// Fills a minute that can be counted.
const FILLS_MAX: u32 = 1_000;
/// Taking fills judged together, and how many of them may be bad.
const SLIPPAGE_FILLS: u32 = 10;
const SLIPPAGE_BAD_MAX: u32 = 3;
/// Market orders whose price when sent is remembered.
const EXPECTED_MAX: usize = 64;

impl Default for BreakerParams {
    fn default() -> Self {
        Self {
            daily_loss_ppm: 20_000,
            drawdown_ppm: 100_000,
            day_starts_at_s: 0,
            loss_streak_max: 6,
            loss_streak_pause_ns: 60 * MINUTE_NS,
            fills_per_minute_max: 30,
            day_notional_plan: None,
            rejects_max: 5,
            rejects_window_ns: 10 * SECOND_NS,
            slippage_model_ppm: 500,
            slippage_factor: 5,
            slippage_pause_ns: 60 * MINUTE_NS,
            flash_move_ppm: 50_000,
            flash_spread_factor: 10,
            flash_spread_ppm_min: 500,
            flash_pause_ns: 5 * MINUTE_NS,
            divergence_ppm: 5_000,
            divergence_ns: 2 * SECOND_NS,
        }
    }
}

impl BreakerParams {
    /// The first that makes no sense, by name.
    pub(crate) fn check(&self) -> Result<(), ConfigError> {
        let within = |field, got: u64, min: u64, max: u64| match (min..=max).contains(&got) {
            true => Ok(()),
            false => Err(ConfigError::OutOfRange { field, got, min, max }),
        };
        within("breakers.daily_loss_ppm", self.daily_loss_ppm.into(), 1, 500_000)?;
        within("breakers.drawdown_ppm", self.drawdown_ppm.into(), 1, 900_000)?;
        within("breakers.day_starts_at_s", self.day_starts_at_s.into(), 0, 86_399)?;
        within("breakers.loss_streak_max", self.loss_streak_max.into(), 1, 1_000)?;
        within("breakers.loss_streak_pause_ns", self.loss_streak_pause_ns, SECOND_NS, 7 * DAY_NS)?;
        within("breakers.fills_per_minute_max", self.fills_per_minute_max.into(), 1, FILLS_MAX.into())?;
        if let Some(Money(plan)) = self.day_notional_plan {
            let (got, max) = (u64::try_from(plan).unwrap_or(0), i64::MAX as u64 / 2);
            within("breakers.day_notional_plan", got, 1, max)?;
        }
        within("breakers.rejects_max", self.rejects_max.into(), 1, FILLS_MAX.into())?;
        within("breakers.rejects_window_ns", self.rejects_window_ns, SECOND_NS, DAY_NS)?;
        within("breakers.slippage_model_ppm", self.slippage_model_ppm.into(), 1, 100_000)?;
        within("breakers.slippage_factor", self.slippage_factor.into(), 1, 1_000)?;
        within("breakers.slippage_pause_ns", self.slippage_pause_ns, SECOND_NS, 7 * DAY_NS)?;
        within("breakers.flash_move_ppm", self.flash_move_ppm.into(), 100, 900_000)?;
        within("breakers.flash_spread_factor", self.flash_spread_factor.into(), 2, 10_000)?;
        within("breakers.flash_spread_ppm_min", self.flash_spread_ppm_min.into(), 1, 500_000)?;
        within("breakers.flash_pause_ns", self.flash_pause_ns, SECOND_NS, 7 * DAY_NS)?;
        within("breakers.divergence_ppm", self.divergence_ppm.into(), 10, 500_000)?;
        within("breakers.divergence_ns", self.divergence_ns, SECOND_NS / 10, DAY_NS)
    }

    /// The loss limits among them.
    pub(crate) const fn loss(&self) -> LossLimits {
        LossLimits { daily_loss_ppm: self.daily_loss_ppm, drawdown_ppm: self.drawdown_ppm }
    }

    /// Number of the day that holds `now`.
    pub(crate) const fn day(&self, now: TsNs) -> u64 {
        now.0.saturating_sub(self.day_starts_at_s as u64 * SECOND_NS) / DAY_NS
    }
}

/// The watchers of one engine.
pub(crate) struct Breakers {
    strategies: Vec<Strategy>,
    /// Fills of each instrument within a minute.
    fills: Vec<Throttle>,
    rejects: Throttle,
    /// What market orders were expected to fill at. Ring: the newest replace the oldest.
    expected: Vec<(ClientOrderId, Price)>,
    next_expected: usize,
}

#[derive(Clone, Copy, Default)]
struct Strategy {
    losses_in_a_row: u32,
    /// Value filled since the day began, in the account's currency.
    day_notional: i128,
    /// The last taking fills, newest in bit 0: set for a bad one.
    bad_fills: u16,
    /// Taking fills judged since the last trip, up to [`SLIPPAGE_FILLS`].
    judged: u32,
}

impl Breakers {
    pub fn new(instruments: usize, params: &BreakerParams) -> Self {
        let window = |count: u32| Throttle::new(count as usize + 1);
        Self {
            strategies: alloc::vec![Strategy::default(); STRATEGIES_MAX],
            fills: (0..instruments).map(|_| window(params.fills_per_minute_max)).collect(),
            rejects: window(params.rejects_max),
            expected: Vec::with_capacity(EXPECTED_MAX),
            next_expected: 0,
        }
    }

    /// A round trip ended. True when it was one loss too many in a row.
    pub fn on_trip(&mut self, strategy: u8, profit: Money, params: &BreakerParams) -> bool {
        let Some(known) = self.strategies.get_mut(usize::from(strategy)) else { return false };
        known.losses_in_a_row =
            if profit > Money::ZERO { 0 } else { known.losses_in_a_row.saturating_add(1) };
        let is_tripped = known.losses_in_a_row >= params.loss_streak_max;
        if is_tripped {
            known.losses_in_a_row = 0;
        }
        is_tripped
    }

    /// A fill of `instrument`. True when it was one too many in a minute.
    pub fn on_fill(&mut self, instrument: InstrumentId, now: TsNs, params: &BreakerParams) -> bool {
        let Some(fills) = self.fills.get_mut(instrument.index()) else { return false };
        fills.record(now);
        fills.is_full(now, params.fills_per_minute_max + 1, MINUTE_NS)
    }

    /// Value filled for a strategy. True when the day's is twice the plan.
    pub fn on_notional(&mut self, strategy: u8, notional: Money, params: &BreakerParams) -> bool {
        let Some(known) = self.strategies.get_mut(usize::from(strategy)) else { return false };
        known.day_notional = known.day_notional.saturating_add(notional.0.into());
        params.day_notional_plan.is_some_and(|plan| known.day_notional >= 2 * i128::from(plan.0))
    }

    /// A day begins.
    pub fn on_day(&mut self) {
        self.strategies.iter_mut().for_each(|strategy| strategy.day_notional = 0);
    }

    /// A refusal by the venue. True when it was one too many within the window.
    pub fn on_reject(&mut self, now: TsNs, params: &BreakerParams) -> bool {
        self.rejects.record(now);
        self.rejects.is_full(now, params.rejects_max + 1, params.rejects_window_ns)
    }

    /// Remembers where a market order is expected to fill.
    pub fn expect(&mut self, id: ClientOrderId, price: Price) {
        match self.expected.get_mut(self.next_expected) {
            Some(slot) => *slot = (id, price),
            None => self.expected.push((id, price)),
        }
        self.next_expected = (self.next_expected + 1) % EXPECTED_MAX;
    }

    /// Where a market order was expected to fill.
    pub fn expected(&self, id: ClientOrderId) -> Option<Price> {
        self.expected.iter().find(|(known, _)| *known == id).map(|(_, price)| *price)
    }

    /// A taking fill against the price it was sent at. True when it was the third bad one of the last ten.
    pub fn on_slippage(&mut self, strategy: u8, taken: Taken, params: &BreakerParams) -> bool {
        let Some(known) = self.strategies.get_mut(usize::from(strategy)) else { return false };
        let is_bad = taken.is_beyond(params.slippage_model_ppm, params.slippage_factor);
        known.judged = (known.judged + 1).min(SLIPPAGE_FILLS);
        known.bad_fills = (known.bad_fills << 1 | u16::from(is_bad)) & ((1 << SLIPPAGE_FILLS) - 1);
        let is_tripped = known.bad_fills.count_ones() >= SLIPPAGE_BAD_MAX;
        if is_tripped {
            (known.bad_fills, known.judged) = (0, 0); // The next trip needs three more.
        }
        is_tripped
    }

    /// Losing trades of a strategy in a row.
    pub fn losses_in_a_row(&self, strategy: u8) -> u32 {
        self.strategies.get(usize::from(strategy)).map_or(0, |known| known.losses_in_a_row)
    }

    /// Value a strategy has filled since the day began; saturated.
    pub fn day_notional(&self, strategy: u8) -> Money {
        let known = self.strategies.get(usize::from(strategy));
        Money(known.map_or(0, |known| crate::words::clamp_i64(known.day_notional)))
    }

    /// Bad fills among the last ten of a strategy, and how many trip.
    pub fn bad_fills(&self, strategy: u8) -> (u32, u32) {
        let known = self.strategies.get(usize::from(strategy));
        (known.map_or(0, |known| known.bad_fills.count_ones()), SLIPPAGE_BAD_MAX)
    }

    /// Fills of an instrument within the last minute.
    pub fn fills_in_minute(&self, instrument: InstrumentId, now: TsNs) -> u32 {
        self.fills.get(instrument.index()).map_or(0, |fills| fills.count(now, MINUTE_NS))
    }

    /// Refusals by venues within their window.
    pub fn rejects(&self, now: TsNs, params: &BreakerParams) -> u32 {
        self.rejects.count(now, params.rejects_window_ns)
    }

    /// A person re-arms: a strategy's past no longer counts.
    pub fn arm(&mut self) {
        self.strategies.iter_mut().for_each(|strategy| {
            (strategy.losses_in_a_row, strategy.bad_fills, strategy.judged) = (0, 0, 0);
        });
        self.fills.iter_mut().for_each(Throttle::clear);
        self.rejects.clear();
    }

    pub fn state(&mut self, io: &mut StateIo<'_>, now: TsNs) -> Result<(), StateError> {
        let Self { strategies, fills, rejects, expected, next_expected } = self;
        for Strategy { losses_in_a_row, day_notional, bad_fills, judged } in strategies {
            io.number(losses_in_a_row)?;
            io.number(day_notional)?;
            io.sound(*day_notional >= 0)?;
            io.number(bad_fills)?;
            io.number(judged)?;
            io.sound(*bad_fills < 1 << SLIPPAGE_FILLS && *judged <= SLIPPAGE_FILLS)?;
        }
        fills.iter_mut().try_for_each(|fills| fills.state(io, now))?;
        rejects.state(io, now)?;
        if expected.len() == EXPECTED_MAX {
            expected.rotate_left(*next_expected);
        }
        let blank = || (ClientOrderId::NONE, Price::ZERO);
        io.list(expected, EXPECTED_MAX, blank, |io, (id, price)| {
            io.number(id)?;
            io.unsigned(&mut price.0)
        })?;
        *next_expected = expected.len() % EXPECTED_MAX;
        Ok(())
    }
}

/// A fill that took what was there.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Taken {
    pub side: Side,
    /// What it was sent at.
    pub expected: Price,
    /// What it became.
    pub filled: Price,
}

impl Taken {
    /// Worse than expected by more than `factor` times `model_ppm`; by so much is still within.
    fn is_beyond(&self, model_ppm: u32, factor: u32) -> bool {
        let worse = i128::from(self.side.sign()) * (i128::from(self.filled.0) - i128::from(self.expected.0));
        worse * 1_000_000 > i128::from(self.expected.0) * i128::from(model_ppm) * i128::from(factor)
    }
}

/// The venue's answer to how much it lets us ask, the key's scope, and its clock.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct VenueFacts {
    /// Its clock against ours; none where it is not measured.
    pub clock: Option<crate::event::VenueClock>,
    /// What may still be asked; none where it does not say.
    pub budget: Option<crate::event::RequestBudget>,
    /// What the key may do; none where it does not say.
    pub key: Option<crate::event::KeyScope>,
}

impl VenueFacts {
    /// Requests left at `now`, and of how many: all of them once the window has begun anew. None where the venue does not
    /// say.
    pub fn requests_left(&self, now: TsNs) -> Option<(u32, u32)> {
        let budget = self.budget?;
        if now < budget.banned_until {
            return Some((0, budget.limit));
        }
        let left = if now >= budget.resets_at { budget.limit } else { budget.left };
        Some((left.min(budget.limit), budget.limit))
    }

    /// Nothing may be asked.
    pub fn is_banned(&self, now: TsNs) -> bool {
        self.budget.is_some_and(|budget| now < budget.banned_until)
    }

    pub(crate) fn state(&mut self, io: &mut StateIo<'_>) -> Result<(), StateError> {
        use crate::event::{KeyScope, RequestBudget, VenueClock};
        let Self { clock, budget, key } = self;
        io.option(
            clock,
            || VenueClock { offset_ns: 0 },
            |io, VenueClock { offset_ns }| io.number(offset_ns),
        )?;
        let blank = || RequestBudget { left: 0, limit: 0, banned_until: TsNs(0), resets_at: TsNs(0) };
        io.option(budget, blank, |io, RequestBudget { left, limit, banned_until, resets_at }| {
            io.number(left)?;
            io.number(limit)?;
            io.number(banned_until)?;
            io.number(resets_at)
        })?;
        let blank = || KeyScope { can_trade: false, can_withdraw: true };
        io.option(key, blank, |io, KeyScope { can_trade, can_withdraw }| {
            io.flag(can_trade)?;
            io.flag(can_withdraw)
        })
    }
}

/// Value of a fill in quote currency, rounded up.
pub(crate) const fn value_of(price: Price, qty: i64) -> Money {
    let value = crate::words::div_ceil(price.0 as i128 * qty.unsigned_abs() as i128, SCALE as i128);
    Money(crate::words::clamp_i64(value))
}

#[cfg(test)]
mod tests {
    use super::*;

    const PARAMS: fn() -> BreakerParams = BreakerParams::default;

    fn bad() -> Taken {
        // 0.26 % against a model of 0.05 %, five times allowed.
        Taken { side: Side::Buy, expected: Price(100_000), filled: Price(100_260) }
    }

    #[test]
    fn the_sixth_loss_in_a_row_trips_and_a_win_forgives() {
        let mut breakers = Breakers::new(1, &PARAMS());
        let lose = |breakers: &mut Breakers, profit| breakers.on_trip(1, Money(profit), &PARAMS());
        for _ in 0..5 {
            assert!(!lose(&mut breakers, -1));
        }
        assert!(!lose(&mut breakers, 1));
        for _ in 0..5 {
            assert!(!lose(&mut breakers, 0), "no profit is a loss");
        }
        assert!(lose(&mut breakers, -1));
        assert!(!lose(&mut breakers, -1), "the pause begins a new count");
    }

    #[test]
    fn the_thirty_first_fill_of_a_minute_trips() {
        let mut breakers = Breakers::new(2, &PARAMS());
        let at = |n: u64| TsNs(1_000 * SECOND_NS + n * SECOND_NS);
        for n in 0..30 {
            assert!(!breakers.on_fill(InstrumentId(0), at(n), &PARAMS()));
        }
        assert!(!breakers.on_fill(InstrumentId(1), at(30), &PARAMS()), "another instrument");
        assert!(breakers.on_fill(InstrumentId(0), at(30), &PARAMS()));
        assert!(!breakers.on_fill(InstrumentId(0), at(61), &PARAMS()), "the first two are over");
    }

    #[test]
    fn three_bad_fills_of_ten_trip_and_good_ones_push_them_out() {
        let good = Taken { filled: Price(100_250), ..bad() };
        let mut breakers = Breakers::new(1, &PARAMS());
        let mut take = |taken| breakers.on_slippage(1, taken, &PARAMS());
        assert!(!take(bad()) && !take(bad()));
        for _ in 0..8 {
            assert!(!take(good), "exactly five times the model is within it");
        }
        assert!(!take(bad()) && !take(bad()), "the first two have left the ten");
        let sale = Taken { side: Side::Sell, ..bad() };
        assert!(!take(sale), "selling higher is no slippage");
        assert!(take(bad()));
    }

    #[test]
    fn a_ban_leaves_nothing_and_a_new_window_everything() {
        let budget =
            crate::event::RequestBudget { left: 3, limit: 100, banned_until: TsNs(50), resets_at: TsNs(90) };
        let venue = VenueFacts { budget: Some(budget), ..VenueFacts::default() };
        assert_eq!(venue.requests_left(TsNs(49)), Some((0, 100)));
        assert_eq!(venue.requests_left(TsNs(50)), Some((3, 100)));
        assert_eq!(venue.requests_left(TsNs(90)), Some((100, 100)));
    }
}
