//! Flash moves: a price that jumps within a minute, a spread far beyond its usual, two sources that disagree.
//!
//! One instrument. The minute is kept as sixty one-second buckets of lowest and highest mid, so that a quote costs two
//! comparisons and a new second one look over the buckets; the window is therefore a minute and up to a second. The usual
//! spread is the median of one sample every ten seconds over an hour, kept sorted. No allocation after construction.

use crate::risk::breakers::BreakerParams;
use crate::state::{StateError, StateIo};
use crate::words::{Price, TsNs};
use alloc::vec::Vec;

const SECOND_NS: u64 = 1_000_000_000;
const BUCKETS: usize = 60;
/// Samples of an hour's spreads, and how many make a median that means something: five minutes.
const SPREADS: usize = 360;
const SPREADS_MIN: usize = 30;
const SPREAD_EVERY_NS: u64 = 10 * SECOND_NS;
const PPM: i128 = 1_000_000;

/// What was seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Flash {
    /// The mid moved so far, in ppm of where it was.
    Move(u32),
    /// The spread is so many times its median.
    Spread(u32),
}

/// Watches one instrument.
pub(crate) struct FlashWatch {
    /// Lowest and highest mid × 2 of a second; by the second's number modulo [`BUCKETS`].
    buckets: [Bucket; BUCKETS],
    /// Of all buckets but the present one.
    past: Option<(i64, i64)>,
    second: u64,
    /// Ring of samples, oldest at `next_spread` once full.
    spreads: Vec<i64>,
    next_spread: usize,
    /// The same samples, ascending.
    sorted: Vec<i64>,
    spread_due: TsNs,
    /// The venue's mark.
    mark: Price,
    /// Since when mid and mark differ too much.
    apart_since: Option<TsNs>,
}

#[derive(Clone, Copy)]
struct Bucket {
    second: u64,
    low: i64,
    high: i64,
}

impl Bucket {
    const EMPTY: Self = Self { second: 0, low: i64::MAX, high: 0 };

    fn is_empty(&self) -> bool {
        self.high == 0
    }
}

impl FlashWatch {
    pub fn new() -> Self {
        Self {
            buckets: [Bucket::EMPTY; BUCKETS],
            past: None,
            second: 0,
            spreads: Vec::with_capacity(SPREADS),
            next_spread: 0,
            sorted: Vec::with_capacity(SPREADS),
            spread_due: TsNs(0),
            mark: Price::ZERO,
            apart_since: None,
        }
    }

    /// A trusted best bid and ask.
    #[inline]
    pub fn on_top(&mut self, now: TsNs, bid: Price, ask: Price, params: &BreakerParams) -> Option<Flash> {
        let mid_x2 = bid.0.saturating_add(ask.0);
        if bid.0 <= 0 || ask <= bid {
            return None;
        }
        let second = now.0 / SECOND_NS;
        if second != self.second {
            self.turn(second);
        }
        let spread = ask.0 - bid.0;
        if now >= self.spread_due {
            self.sample(now, spread);
        }
        let bucket = &mut self.buckets[(second % BUCKETS as u64) as usize];
        (bucket.low, bucket.high) = (bucket.low.min(mid_x2), bucket.high.max(mid_x2));
        let (low, high) = self
            .past
            .map_or((bucket.low, bucket.high), |(low, high)| (low.min(bucket.low), high.max(bucket.high)));
        if self.mark > Price::ZERO {
            self.compare(now, mid_x2, params);
        }
        let (low, high, mid) = (i128::from(low), i128::from(high), i128::from(mid_x2));
        let limit = i128::from(params.flash_move_ppm);
        if (mid - low) * PPM >= low * limit {
            return Some(Flash::Move(ratio(mid - low, low)));
        }
        if (high - mid) * PPM >= high * limit {
            return Some(Flash::Move(ratio(high - mid, high)));
        }
        self.usual_spread().and_then(|usual| {
            let is_wide = i128::from(spread) >= i128::from(usual) * i128::from(params.flash_spread_factor);
            let is_felt = i128::from(spread) * 2 * PPM >= mid * i128::from(params.flash_spread_ppm_min);
            (is_wide && is_felt)
                .then(|| Flash::Spread(u32::try_from(spread / usual.max(1)).unwrap_or(u32::MAX)))
        })
    }

    /// The venue's fair price.
    pub fn on_mark(&mut self, price: Price) {
        if price >= Price::ZERO {
            self.mark = price;
        }
        if price == Price::ZERO {
            self.apart_since = None;
        }
    }

    /// Mid and mark have been too far apart for too long: neither is a reference.
    pub fn is_diverged(&self, now: TsNs, params: &BreakerParams) -> bool {
        self.apart_since.is_some_and(|since| now.since(since) >= params.divergence_ns)
    }

    fn compare(&mut self, now: TsNs, mid_x2: i64, params: &BreakerParams) {
        let mark_x2 = i128::from(self.mark.0) * 2;
        let apart = (i128::from(mid_x2) - mark_x2).abs();
        if apart * PPM > mark_x2 * i128::from(params.divergence_ppm) {
            self.apart_since.get_or_insert(now);
        } else {
            self.apart_since = None;
        }
    }

    /// Once a second.
    fn turn(&mut self, second: u64) {
        // After a minute without a quote nothing counts but what comes now.
        let is_first_of_minute = second.saturating_sub(self.second) >= BUCKETS as u64;
        self.second = second;
        let at = (second % BUCKETS as u64) as usize;
        self.buckets[at] = Bucket { second, ..Bucket::EMPTY };
        if is_first_of_minute {
            self.past = None;
            return;
        }
        self.past = past_of(&self.buckets, second);
    }

    /// Every ten seconds: the oldest sample leaves, the new one takes its place in the order.
    fn sample(&mut self, now: TsNs, spread: i64) {
        self.spread_due = TsNs(now.0.saturating_add(SPREAD_EVERY_NS));
        if self.spreads.len() < SPREADS {
            self.spreads.push(spread);
            let at = self.sorted.partition_point(|&known| known < spread);
            self.sorted.insert(at, spread); // Within the capacity taken by the constructor.
        } else if let Some(slot) = self.spreads.get_mut(self.next_spread) {
            let oldest = core::mem::replace(slot, spread);
            self.next_spread = (self.next_spread + 1) % SPREADS;
            self.replace(oldest, spread);
        }
    }

    /// In the order: only what lies between the two moves. Most spreads are like the one that leaves.
    fn replace(&mut self, oldest: i64, spread: i64) {
        if oldest == spread {
            return;
        }
        let from = self.sorted.partition_point(|&known| known < oldest);
        let to = self.sorted.partition_point(|&known| known < spread);
        if from < to {
            self.sorted.copy_within(from + 1..to, from);
            self.sorted[to - 1] = spread;
        } else {
            self.sorted.copy_within(to..from, to + 1);
            self.sorted[to] = spread;
        }
    }

    fn usual_spread(&self) -> Option<i64> {
        if self.sorted.len() < SPREADS_MIN {
            return None;
        }
        self.sorted.get(self.sorted.len() / 2).copied()
    }

    pub fn state(&mut self, io: &mut StateIo<'_>, now: TsNs) -> Result<(), StateError> {
        let Self { buckets, past: _, second, spreads, next_spread, sorted, spread_due, mark, apart_since } =
            self;
        io.number(second)?;
        io.sound(*second <= now.0 / SECOND_NS)?;
        for (at, bucket) in buckets.iter_mut().enumerate() {
            let Bucket { second: of, low, high } = bucket;
            io.number(of)?;
            io.number(low)?;
            io.number(high)?;
            let is_blank = *high == 0 && *low == i64::MAX;
            io.sound(*of <= *second && (*of == 0 || *of % BUCKETS as u64 == at as u64))?;
            io.sound(is_blank || 0 < *low && low <= high)?;
        }
        if spreads.len() == SPREADS {
            spreads.rotate_left(*next_spread);
        }
        io.list(
            spreads,
            SPREADS,
            || 1,
            |io, spread| {
                io.number(spread)?;
                io.sound(*spread > 0)
            },
        )?;
        *next_spread = 0;
        io.number(spread_due)?;
        io.sound(spread_due.0 <= now.0.saturating_add(SPREAD_EVERY_NS))?;
        io.unsigned(&mut mark.0)?;
        io.option(apart_since, || TsNs(0), |io, since| io.past(since, now))?;
        if io.is_loading() {
            sorted.clear();
            sorted.extend_from_slice(spreads);
            sorted.sort_unstable();
            self.past = past_of(&self.buckets, *second);
        }
        Ok(())
    }
}

/// Lowest and highest of the minute before `second`.
fn past_of(buckets: &[Bucket; BUCKETS], second: u64) -> Option<(i64, i64)> {
    let is_recent = |bucket: &&Bucket| {
        !bucket.is_empty() && bucket.second < second && second - bucket.second < BUCKETS as u64
    };
    buckets.iter().filter(is_recent).fold(None, |past, bucket| {
        let (low, high) = past.unwrap_or((i64::MAX, 0));
        Some((low.min(bucket.low), high.max(bucket.high)))
    })
}

fn ratio(part: i128, whole: i128) -> u32 {
    u32::try_from(part * PPM / whole.max(1)).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const START: u64 = 1_000_000 * SECOND_NS;

    fn top(watch: &mut FlashWatch, at_ms: u64, mid: i64) -> Option<Flash> {
        let params = BreakerParams::default();
        watch.on_top(TsNs(START + at_ms * 1_000_000), Price(mid - 1), Price(mid + 1), &params)
    }

    #[test]
    fn five_percent_within_a_minute_either_way() {
        let mut watch = FlashWatch::new();
        assert_eq!(top(&mut watch, 0, 100_000), None);
        assert_eq!(top(&mut watch, 30_000, 104_999), None);
        assert_eq!(top(&mut watch, 59_900, 105_000), Some(Flash::Move(50_000)), "equality acts");
        assert_eq!(top(&mut watch, 61_000, 105_000), None, "the old price is a minute old");
        assert_eq!(top(&mut watch, 62_000, 99_750), Some(Flash::Move(50_000)));
    }

    /// The slow twin: every quote of the last minute, by whole seconds.
    #[test]
    fn the_buckets_agree_with_all_quotes_of_the_window() {
        let mut state = 7u64;
        let mut random = |n: u64| {
            state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
            (state >> 33) % n
        };
        let (mut watch, mut seen, mut now, mut mid) = (FlashWatch::new(), Vec::new(), 0, 100_000i64);
        let mut found = 0;
        for _ in 0..20_000 {
            now += random(3_000);
            mid = (mid + random(2_001) as i64 - 1_000).clamp(60_000, 160_000);
            let second = |ms: u64| (START / 1_000_000 + ms) / 1_000;
            seen.push((now, mid));
            let inside = seen.iter().filter(|(at, _)| second(now) - second(*at) < 60);
            let is_flash = inside.clone().any(|(_, old)| (mid - old).abs() * 1_000_000 >= old * 50_000);
            let got = top(&mut watch, now, mid);
            assert_eq!(matches!(got, Some(Flash::Move(_))), is_flash, "at {now}");
            found += u32::from(is_flash);
        }
        assert!(found > 100, "{found}");
    }

    #[test]
    fn a_spread_ten_times_the_median_of_the_hour_that_can_be_felt() {
        let params = BreakerParams::default();
        let mut watch = FlashWatch::new();
        let at = |watch: &mut FlashWatch, n: u64, spread: i64| {
            watch.on_top(TsNs(START + n * SPREAD_EVERY_NS), Price(100_000), Price(100_000 + spread), &params)
        };
        for n in 0..29 {
            assert_eq!(at(&mut watch, n, 10), None);
        }
        assert_eq!(at(&mut watch, 28, 1_000), None, "too few samples to know");
        assert_eq!(at(&mut watch, 29, 99), None);
        assert_eq!(at(&mut watch, 29, 100), Some(Flash::Spread(10)));
        let narrow = |spread: i64| (Price(1_000_000), Price(1_000_000 + spread));
        let (bid, ask) = narrow(400);
        assert_eq!(
            watch
                .on_top(TsNs(START + 29 * SPREAD_EVERY_NS + 1), bid, ask, &params)
                .map(|found| matches!(found, Flash::Spread(_))),
            Some(false),
            "40 times the usual, and 4 basis points"
        );
        for n in 30..30 + SPREADS as u64 {
            at(&mut watch, n, 100);
        }
        assert_eq!(at(&mut watch, 1_000, 100), None, "an hour of it and it is usual");
        assert_eq!(watch.sorted.len(), SPREADS);
    }

    #[test]
    fn mark_and_mid_apart_for_two_seconds() {
        let params = BreakerParams::default();
        let mut watch = FlashWatch::new();
        watch.on_mark(Price(100_000));
        top(&mut watch, 0, 100_501);
        assert!(!watch.is_diverged(TsNs(START + 1_999_000_000), &params));
        assert!(watch.is_diverged(TsNs(START + 2_000_000_000), &params));
        top(&mut watch, 2_100, 100_500);
        assert!(!watch.is_diverged(TsNs(START + 9_000_000_000), &params), "as far as allowed");
        top(&mut watch, 2_200, 100_600);
        watch.on_mark(Price::ZERO);
        top(&mut watch, 2_300, 100_600);
        assert!(!watch.is_diverged(TsNs(START + 9_000_000_000), &params), "from nothing at all");
    }
}
