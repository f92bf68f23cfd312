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

/// Pins the calling thread to the `nth` core the process was given; says whether it worked.
/// A wish, not a need: behaviour does not change, only latency.
pub fn pin_to(nth: usize) -> bool {
    given().get(nth).is_some_and(|core| core_affinity::set_for_current(*core))
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
