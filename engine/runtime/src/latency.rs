//! Latencies leave the hot threads as plain numbers in a lossy ring; histograms are filled elsewhere.
//!
//! Who has access to the memory gets percentiles; for other processes the same samples are counted into fixed buckets in
//! the mapped file `latency.smc`: [`STRETCHES`] times [`BUCKETS`] counts and a sum, then the samples lost.

use crate::mapped::{Kind, Mapped, MappedView};
use hdrhistogram::Histogram;
use serde::{Deserialize, Serialize};
use std::io;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

/// What was measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Stretch {
    /// From the return of the read that brought the bytes, still sealed, to the engine's outputs being journaled, events that
    /// led to an order.
    WireToDecision = 0,
    /// From there to the order's bytes being sealed and ready for the socket.
    DecisionToWire = 1,
    /// The sum, per order.
    WireToWire = 2,
}

/// Stretches in the order of their numbers.
pub const STRETCHES: [(Stretch, &str); 3] = [
    (Stretch::WireToDecision, "wire_to_decision"),
    (Stretch::DecisionToWire, "decision_to_wire"),
    (Stretch::WireToWire, "wire_to_wire"),
];

/// Upper ends of the fixed buckets, nanoseconds; each holds what is not longer than it and longer than the one before.
pub const BUCKET_ENDS_NS: [u64; 16] = [
    1_000,
    2_000,
    5_000,
    10_000,
    20_000,
    50_000,
    100_000,
    200_000,
    500_000,
    1_000_000,
    2_000_000,
    5_000_000,
    10_000_000,
    50_000_000,
    100_000_000,
    1_000_000_000,
];

/// Fixed buckets; the last is for everything longer.
pub const BUCKETS: usize = BUCKET_ENDS_NS.len() + 1;

/// Name of the mapped file in the journal's directory.
pub const FILE_NAME: &str = "latency.smc";

/// Words of one stretch: its buckets, and the sum in nanoseconds.
const ROW: usize = BUCKETS + 1;
const LOST_AT: usize = STRETCHES.len() * ROW;
const KIND: Kind = Kind { magic: *b"SMClaten", version: 1 };
const WORDS: usize = LOST_AT + 1;

/// The bucket of a duration. Most are short, so it is looked for from the short end.
#[inline]
pub fn bucket_of(nanos: u64) -> usize {
    BUCKET_ENDS_NS.iter().position(|&end| nanos <= end).unwrap_or(BUCKET_ENDS_NS.len())
}

/// What is in fixed buckets.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Bucketed {
    /// How many fell into each; not cumulative.
    pub counts: [u64; BUCKETS],
    /// Sum of all, nanoseconds.
    pub sum_ns: u64,
}

impl Bucketed {
    /// Counts one.
    #[inline]
    pub fn note(&mut self, nanos: u64) {
        self.counts[bucket_of(nanos)] += 1;
        self.sum_ns = self.sum_ns.saturating_add(nanos);
    }
}

/// A reader's end of `latency.smc`.
pub struct LatencyView(MappedView<WORDS>);

impl LatencyView {
    /// Maps an existing file; refuses what is not one of this version.
    pub fn open(path: &Path) -> io::Result<Self> {
        MappedView::open(path, KIND).map(Self)
    }

    /// One stretch so far.
    pub fn bucketed(&self, stretch: Stretch) -> Bucketed {
        let first = stretch as usize * ROW;
        let counts = std::array::from_fn(|nth| self.0.word(first + nth));
        Bucketed { counts, sum_ns: self.0.word(first + BUCKETS) }
    }

    /// Samples that found their ring full.
    pub fn lost(&self) -> u64 {
        self.0.word(LOST_AT)
    }
}

/// One measurement.
#[derive(Clone, Copy, Debug)]
pub struct Sample {
    stretch: Stretch,
    nanos: u64,
}

/// The hot end. A full ring loses samples and counts them.
pub struct Probe {
    ring: rtrb::Producer<Sample>,
    lost: Arc<AtomicU64>,
}

impl Probe {
    /// Notes one measurement; never blocks.
    pub fn note(&mut self, stretch: Stretch, nanos: u64) {
        if self.ring.push(Sample { stretch, nanos }).is_err() {
            self.lost.fetch_add(1, Ordering::Relaxed);
        }
    }
}

/// The cold end: histograms that anybody may ask.
#[derive(Clone)]
pub struct Latencies {
    shared: Arc<Mutex<Histograms>>,
    lost: Arc<AtomicU64>,
}

struct Histograms {
    inlets: Vec<rtrb::Consumer<Sample>>,
    by_stretch: [Histogram<u64>; STRETCHES.len()],
    /// Since the beginning: what is taken away from the histograms stays here.
    bucketed: [Bucketed; STRETCHES.len()],
    /// Written by whoever holds the lock around all this: one at a time.
    file: Option<Mapped<WORDS>>,
}

/// Percentiles of one stretch, in nanoseconds.
#[derive(Clone, Copy, Debug, Default, Deserialize, Serialize)]
pub struct Percentiles {
    /// Median.
    pub p50: u64,
    /// 99 of 100 were at most this.
    pub p99: u64,
    /// 999 of 1000.
    pub p999: u64,
    /// The worst.
    pub max: u64,
    /// Measurements.
    pub count: u64,
}

impl Latencies {
    /// Histograms from 1 ns to one minute, three significant digits.
    pub fn new() -> Self {
        let histogram = || Histogram::new_with_bounds(1, 60_000_000_000, 3);
        let by_stretch =
            std::array::from_fn(|_| histogram().unwrap_or_else(|_| unreachable!("bounds are constants")));
        let bucketed = Default::default();
        let shared = Histograms { inlets: Vec::new(), by_stretch, bucketed, file: None };
        Self { shared: Arc::new(Mutex::new(shared)), lost: Arc::default() }
    }

    /// From now on also into the mapped file `path`, which is made anew.
    pub fn map_to(&self, path: &Path) -> io::Result<()> {
        let file = Mapped::create(path, KIND)?;
        self.shared.lock().unwrap_or_else(PoisonError::into_inner).file = Some(file);
        Ok(())
    }

    /// A hot end for one thread.
    pub fn probe(&self) -> Probe {
        let (ring, inlet) = rtrb::RingBuffer::new(1 << 14);
        self.shared.lock().unwrap_or_else(PoisonError::into_inner).inlets.push(inlet);
        Probe { ring, lost: self.lost.clone() }
    }

    /// Takes what the hot threads left. Call a few times per second.
    pub fn collect(&self) {
        let mut shared = self.shared.lock().unwrap_or_else(PoisonError::into_inner);
        let Histograms { inlets, by_stretch, bucketed, file } = &mut *shared;
        let mut is_new = false;
        for inlet in inlets {
            while let Ok(sample) = inlet.pop() {
                is_new = true;
                by_stretch[sample.stretch as usize].saturating_record(sample.nanos.max(1));
                bucketed[sample.stretch as usize].note(sample.nanos);
            }
        }
        let Some(file) = file else { return };
        file.word(LOST_AT).store(self.lost(), Ordering::Relaxed);
        if is_new {
            for (nth, row) in bucketed.iter().enumerate() {
                let words = row.counts.iter().chain([&row.sum_ns]);
                words.zip(nth * ROW..).for_each(|(&word, at)| file.word(at).store(word, Ordering::Relaxed));
            }
        }
    }

    /// Percentiles so far.
    pub fn percentiles(&self, stretch: Stretch) -> Percentiles {
        self.collect();
        let shared = self.shared.lock().unwrap_or_else(PoisonError::into_inner);
        let histogram = &shared.by_stretch[stretch as usize];
        Percentiles {
            p50: histogram.value_at_quantile(0.5),
            p99: histogram.value_at_quantile(0.99),
            p999: histogram.value_at_quantile(0.999),
            max: histogram.max(),
            count: histogram.len(),
        }
    }

    /// The histogram of one stretch so far, which begins anew.
    pub fn take(&self, stretch: Stretch) -> Histogram<u64> {
        self.collect();
        let mut shared = self.shared.lock().unwrap_or_else(PoisonError::into_inner);
        let histogram = &mut shared.by_stretch[stretch as usize];
        let taken = histogram.clone();
        histogram.reset();
        taken
    }

    /// Samples that found their ring full.
    pub fn lost(&self) -> u64 {
        self.lost.load(Ordering::Relaxed)
    }
}

impl Default for Latencies {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_process_sees_what_the_probes_noted() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join(FILE_NAME);
        let latencies = Latencies::new();
        let mut probe = latencies.probe();
        latencies.map_to(&path).unwrap();
        for nanos in [999, 1_000, 1_001, 5_000_000_000] {
            probe.note(Stretch::WireToWire, nanos);
        }
        latencies.collect();
        let view = LatencyView::open(&path).unwrap();
        let seen = view.bucketed(Stretch::WireToWire);
        assert_eq!(
            (seen.counts[0], seen.counts[1], seen.counts[BUCKETS - 1]),
            (2, 1, 1),
            "an end belongs to its bucket"
        );
        assert_eq!((seen.counts.iter().sum::<u64>(), seen.sum_ns), (4, 5_000_003_000));
        assert_eq!(view.bucketed(Stretch::DecisionToWire), Bucketed::default());
        latencies.take(Stretch::WireToWire);
        probe.note(Stretch::WireToWire, 1);
        latencies.collect();
        assert_eq!(view.bucketed(Stretch::WireToWire).counts[0], 3, "histograms begin anew, counts do not");
        std::fs::write(&path, [0; 4_096]).unwrap();
        assert!(LatencyView::open(&path).is_err());
    }
}
