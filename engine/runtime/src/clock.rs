//! The edge's clocks. The core never sees them: time reaches it as a field of the event.

use smc_core::TsNs;
pub use smc_net::stamp::mono_ns;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Instant, SystemTime, UNIX_EPOCH};

/// Where "now" comes from.
#[derive(Clone)]
pub enum Clock {
    /// The machine's wall clock: live trading.
    System,
    /// A wall clock that started at `epoch` when `started` was taken and runs `speed` times as fast: a
    /// simulated venue whose market runs faster than life.
    Scaled {
        /// Market time at `started`.
        epoch: TsNs,
        /// When the scale began.
        started: Instant,
        /// Market seconds per second.
        speed: f64,
    },
    /// Told by someone else: a simulator in lock step.
    Virtual(Arc<AtomicU64>),
}

impl Clock {
    /// A virtual clock and the handle that sets it.
    pub fn virtual_at(now: TsNs) -> (Self, Arc<AtomicU64>) {
        let handle = Arc::new(AtomicU64::new(now.0));
        (Self::Virtual(handle.clone()), handle)
    }

    /// Nanoseconds since the epoch.
    pub fn now(&self) -> TsNs {
        match self {
            Self::System => {
                let elapsed = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
                TsNs(u64::try_from(elapsed.as_nanos()).unwrap_or(u64::MAX))
            }
            Self::Scaled { epoch, started, speed } => {
                TsNs(epoch.0.saturating_add((started.elapsed().as_nanos() as u64 as f64 * speed) as u64))
            }
            Self::Virtual(handle) => TsNs(handle.load(Ordering::Acquire)),
        }
    }
}

/// What the kernel says of the wall clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClockSync {
    /// Somebody (chrony, ntpd, timesyncd, a PTP daemon) disciplines it.
    pub is_synchronised: bool,
    /// How far it may be off, by that somebody's reckoning, in microseconds.
    pub error_us_max: u64,
}

/// Asks the kernel; none where it does not say. For tools.
pub fn clock_sync() -> Option<ClockSync> {
    // SAFETY: plain data of integers, for which zero is a value; zero as `modes` asks and changes nothing.
    let mut found: libc::timex = unsafe { std::mem::zeroed() };
    // SAFETY: the pointer is to a timex of our own, which the call fills.
    let state = unsafe { libc::adjtimex(&raw mut found) };
    let error_us_max = u64::try_from(found.maxerror).ok()?;
    let is_synchronised = state != libc::TIME_ERROR && found.status & libc::STA_UNSYNC == 0;
    (state >= 0).then_some(ClockSync { is_synchronised, error_us_max })
}
