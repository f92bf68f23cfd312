//! Latencies leave the hot threads as plain numbers in a lossy ring; histograms are filled elsewhere.

use hdrhistogram::Histogram;
use serde::{Deserialize, Serialize};
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
        let shared = Arc::new(Mutex::new(Histograms { inlets: Vec::new(), by_stretch }));
        Self { shared, lost: Arc::default() }
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
        let Histograms { inlets, by_stretch } = &mut *shared;
        for inlet in inlets {
            while let Ok(sample) = inlet.pop() {
                by_stretch[sample.stretch as usize].saturating_record(sample.nanos.max(1));
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
