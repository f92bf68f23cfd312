//! What a thread does when a turn found nothing to do, and where it runs.

use std::str::FromStr;
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

/// Pins the calling thread to the `nth` core it may use; says whether it worked.
/// A wish, not a need: behaviour does not change, only latency.
pub fn pin_to(nth: usize) -> bool {
    let Some(cores) = core_affinity::get_core_ids() else { return false };
    cores.get(nth).is_some_and(|core| core_affinity::set_for_current(*core))
}

/// Cores this process may use.
pub fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}
