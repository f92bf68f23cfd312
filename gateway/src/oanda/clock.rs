//! The venue's clock against ours, from the `Date` of its answers.
//!
//! A date is whole seconds, so that one answer says little: the venue's clock stood somewhere in that second at some moment
//! between question and answer. Each answer gives a window for the offset; windows of many answers share a smaller one.

use smc_core::words::TsNs;

const SECOND: i128 = 1_000_000_000;
/// A clock that has drifted out of the window is found this way, and one that has drifted inside it by beginning anew.
const GOOD_FOR: u64 = 600_000_000_000;
/// What is told changes by so much at least.
const STEP: i64 = 20_000_000;

/// The window so far.
#[derive(Debug, Default)]
pub(super) struct Clock {
    window: Option<(i128, i128)>,
    begun: TsNs,
    told: Option<i64>,
}

impl Clock {
    /// Learns from an answer that was asked for at `sent` and read at `now`.
    pub fn learn(&mut self, date_ns: u64, sent: TsNs, now: TsNs) {
        let low = i128::from(date_ns) - i128::from(now.0);
        let high = i128::from(date_ns) + SECOND - i128::from(sent.0);
        let is_old = now.since(self.begun) >= GOOD_FOR;
        let joined = self.window.map(|(a, b)| (a.max(low), b.min(high)));
        match joined.filter(|(a, b)| a <= b && !is_old) {
            Some(joined) => self.window = Some(joined),
            None => (self.window, self.begun) = (Some((low, high)), now),
        }
    }

    /// The venue's time minus ours, once, when it is another than told before.
    pub fn news(&mut self) -> Option<i64> {
        let (low, high) = self.window?;
        let offset = i64::try_from((low + high) / 2).ok()?;
        if self.told.is_some_and(|told| told.abs_diff(offset) < STEP.unsigned_abs()) {
            return None;
        }
        self.told = Some(offset);
        Some(offset)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn windows_of_many_answers_find_the_offset() {
        let (mut clock, ahead) = (Clock::default(), 3_250_000_000u64);
        let mut last = None;
        for step in 0..400u64 {
            let sent = 1_700_000_000_000_000_000 + step * 137_000_000;
            let (at_venue, read) = (sent + 20_000_000 + ahead, sent + 45_000_000);
            clock.learn(at_venue / 1_000_000_000 * 1_000_000_000, TsNs(sent), TsNs(read));
            last = clock.news().or(last);
        }
        let off = last.unwrap().abs_diff(ahead as i64);
        assert!(off < 60_000_000, "off by {off} ns");
        // Ours was set back by an hour: the old window is given up.
        clock.learn(
            1_700_000_100_000_000_000,
            TsNs(1_699_996_500_000_000_000),
            TsNs(1_699_996_500_100_000_000),
        );
        assert!(clock.news().is_some_and(|offset| offset > 3_590_000_000_000));
    }
}
