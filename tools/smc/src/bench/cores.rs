//! Which core a thread of the harness runs on. Threads and processes inherit the place of the one that starts them: who
//! was put on one core has to say so before it starts another for a second one.

use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};
use std::sync::OnceLock;

/// The cores this process was given, as they were when it was first asked.
fn given() -> &'static CpuSet {
    static GIVEN: OnceLock<CpuSet> = OnceLock::new();
    GIVEN.get_or_init(|| sched_getaffinity(None).unwrap_or_default())
}

/// Puts the calling thread on the `nth` core of those the process was given, where there are as many. A wish, not a need.
pub fn stay_on(nth: usize) {
    let core = (0..CpuSet::MAX_CPU).filter(|&core| given().is_set(core)).nth(nth);
    if let Some(core) = core {
        let mut one = CpuSet::new();
        one.set(core);
        let _ = sched_setaffinity(None, &one);
    }
}

/// Lets the calling thread run anywhere again.
pub fn leave() {
    let _ = sched_setaffinity(None, given());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_thread_that_left_its_core_may_run_where_it_could_before() {
        let all = given();
        stay_on(0);
        assert_eq!(sched_getaffinity(None).expect("a mask").count(), 1);
        leave();
        assert_eq!(&sched_getaffinity(None).expect("a mask"), all);
    }
}
