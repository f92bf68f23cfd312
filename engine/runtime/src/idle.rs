//! What a thread does when a turn found nothing to do, and where it runs.

use core_affinity::CoreId;
use rustix::thread::{CpuSet, sched_setaffinity};
use std::str::FromStr;
use std::sync::OnceLock;
use std::time::Duration;

/// What to do after an empty turn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Idle {
    /// Try again at once: lowest latency, needs a core of its own.
    Spin,
    /// Let others run first: the choice where cores are shared.
    Yield,
    /// After some empty turns, sleep for 50 µs: saves power, costs latency.
    Park,
}

impl FromStr for Idle {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "spin" => Ok(Self::Spin),
            "yield" => Ok(Self::Yield),
            "park" => Ok(Self::Park),
            other => Err(format!("idle policy `{other}`: expected spin, yield or park")),
        }
    }
}

/// Empty turns after which `Park` sleeps.
const PARK_AFTER: u32 = 200;

/// Counts empty turns and acts on them.
pub struct Idler {
    policy: Idle,
    empty_turns: u32,
}

impl Idler {
    /// Starts busy.
    pub const fn new(policy: Idle) -> Self {
        Self { policy, empty_turns: 0 }
    }

    /// Call once per turn with what the turn handled.
    pub fn after(&mut self, handled: u32) {
        if handled > 0 {
            self.empty_turns = 0;
            return;
        }
        self.empty_turns = self.empty_turns.saturating_add(1);
        match self.policy {
            Idle::Spin => std::hint::spin_loop(),
            Idle::Yield => std::thread::yield_now(),
            Idle::Park if self.empty_turns < PARK_AFTER => std::thread::yield_now(),
            Idle::Park => std::thread::sleep(Duration::from_micros(50)),
        }
    }
}

/// The cores that the process was given, as they were when it was first asked.
fn given() -> &'static [CoreId] {
    static GIVEN: OnceLock<Vec<CoreId>> = OnceLock::new();
    GIVEN.get_or_init(|| core_affinity::get_core_ids().unwrap_or_default())
}

/// Why a thread runs where the scheduler puts it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PinError {
    /// The system does not say which cores this process may use.
    Unknown,
    /// This process may use fewer cores.
    TooFew {
        /// The one that was asked for, counted from 0 among them.
        nth: usize,
        /// How many there are.
        allowed: usize,
    },
    /// The system refused it.
    Refused {
        /// The system's number of the core.
        core: usize,
    },
}

impl std::fmt::Display for PinError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Unknown => f.write_str("the system does not say which cores this process may use"),
            Self::TooFew { nth, allowed } => write!(
                f,
                "core {nth} of those this process may use, counted from 0, does not exist: it may use {allowed}"
            ),
            Self::Refused { core } => write!(f, "the system refused core {core}"),
        }
    }
}

/// Pins the calling thread to the `nth` core that this process may use, counted from 0; gives the system's number of it.
pub fn pin_to(nth: usize) -> Result<usize, PinError> {
    let cores = given();
    if cores.is_empty() {
        return Err(PinError::Unknown);
    }
    let core = *cores.get(nth).ok_or(PinError::TooFew { nth, allowed: cores.len() })?;
    if core_affinity::set_for_current(core) { Ok(core.id) } else { Err(PinError::Refused { core: core.id }) }
}

/// Pins the calling thread, which is called `thread`. A wish, not a need: where it fails only latency changes, so it is
/// told in the log and the thread goes on. Call it once, before the first turn.
pub fn pin_or_tell(thread: &str, nth: usize) {
    if let Err(error) = pin_to(nth) {
        tracing::warn!(thread, nth, %error, "a thread is not pinned (process.first_core)");
    }
}

/// Keeps the calling thread, and those it starts from now on, off `count` cores from the `first` on: they belong to threads
/// that never wait. Nothing changes where no other core is left.
pub fn keep_off(first: usize, count: usize) {
    let others = given().iter().enumerate().filter(|(nth, _)| !(first..first + count).contains(nth));
    let mut set = CpuSet::new();
    others.for_each(|(_, core)| set.set(core.id));
    if set.count() > 0 {
        let _ = sched_setaffinity(None, &set);
    }
}

/// Cores this process may use.
pub fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_core_that_is_not_there_is_named_and_the_thread_goes_on() {
        let error = std::thread::spawn(|| pin_to(100_000)).join().unwrap().unwrap_err();
        let allowed = core_affinity::get_core_ids().map_or(0, |cores| cores.len());
        assert_eq!(error, PinError::TooFew { nth: 100_000, allowed });
        assert!(error.to_string().contains("core 100000"), "{error}");
    }

    #[test]
    fn a_pinned_thread_may_use_the_core_it_was_told() {
        let at_first = || (pin_to(0), core_affinity::get_core_ids().unwrap_or_default());
        let (pinned, allowed) = std::thread::spawn(at_first).join().unwrap();
        let core = pinned.unwrap();
        assert_eq!(allowed.iter().map(|core| core.id).collect::<Vec<_>>(), [core]);
    }
}
