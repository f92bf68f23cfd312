//! How the round trips of one instrument ended, in units of what each had planned to risk.

use crate::state::{StateError, StateIo};
use crate::words::{Money, clamp_i64};

const ONE_PPM: i128 = 1_000_000;
/// A trip of more than a thousand R tells of a plan that was wrong, not of an edge.
const TRIP_PPM_MAX: i64 = 1_000_000_000;

/// Results of round trips whose planned risk is known. 1 R is the planned distance to the stop times the quantity
/// entered; results are after fees.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TradeRecord {
    wins: u32,
    losses: u32,
    /// Sum of what the wins won, in millionths of R.
    won_ppm: i64,
    /// Sum of what the losses lost, in millionths of R, not negative.
    lost_ppm: i64,
}

impl TradeRecord {
    /// Counts a round trip that made `profit` after fees and had planned to risk `risk`. Without a positive risk it
    /// says nothing in R and is not counted.
    pub fn count(&mut self, profit: Money, risk: Money) {
        if risk.0 <= 0 {
            return;
        }
        let result = clamp_i64((i128::from(profit.0) * ONE_PPM).div_euclid(risk.0.into()));
        let result = result.clamp(-TRIP_PPM_MAX, TRIP_PPM_MAX);
        if profit.0 > 0 {
            self.wins = self.wins.saturating_add(1);
            self.won_ppm = self.won_ppm.saturating_add(result);
        } else {
            self.losses = self.losses.saturating_add(1);
            self.lost_ppm = self.lost_ppm.saturating_sub(result);
        }
    }

    /// What a win may be believed to pay, in R: `planned`, held against what the wins so far paid as if it were
    /// `weight` wins; never more than planned.
    pub fn believed_win(&self, planned: f64, weight: f64) -> f64 {
        let seen = believed(planned, weight, self.won_ppm, self.wins);
        if seen < planned { seen } else { planned }
    }

    /// What a loss may be believed to cost, in R; never less than planned.
    pub fn believed_loss(&self, planned: f64, weight: f64) -> f64 {
        let seen = believed(planned, weight, self.lost_ppm, self.losses);
        if seen > planned { seen } else { planned }
    }

    pub(crate) fn state(&mut self, io: &mut StateIo<'_>) -> Result<(), StateError> {
        let Self { wins, losses, won_ppm, lost_ppm } = self;
        io.number(wins)?;
        io.number(losses)?;
        io.unsigned(won_ppm)?;
        io.unsigned(lost_ppm)
    }
}

fn believed(planned: f64, weight: f64, sum_ppm: i64, count: u32) -> f64 {
    (weight * planned + sum_ppm as f64 / 1e6) / (weight + f64::from(count))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_seen_can_only_make_a_bet_worse() {
        let mut record = TradeRecord::default();
        assert_eq!((record.believed_win(2.0, 20.0), record.believed_loss(1.1, 20.0)), (2.0, 1.1));
        (0..20).for_each(|_| record.count(Money(100), Money(100)));
        (0..20).for_each(|_| record.count(Money(-210), Money(100)));
        assert_eq!(record.believed_win(2.0, 20.0), 1.5, "half of it is the plan's two, half the one seen");
        assert_eq!(record.believed_loss(1.1, 20.0), 1.6);
        assert_eq!((record.believed_win(0.5, 20.0), record.believed_loss(3.0, 20.0)), (0.5, 3.0));
    }

    #[test]
    fn a_trip_without_a_plan_says_nothing() {
        let mut record = TradeRecord::default();
        record.count(Money(i64::MAX), Money(0));
        record.count(Money(i64::MIN), Money(-1));
        assert_eq!(record, TradeRecord::default());
        record.count(Money(i64::MIN), Money(1));
        assert_eq!(record.lost_ppm, TRIP_PPM_MAX);
    }
}
