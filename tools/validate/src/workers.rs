//! Work shared by threads whose results do not depend on how many there are.
//!
//! A task knows its number and nothing of the others; results come back in the order of the numbers.

use std::num::NonZeroUsize;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::thread;

/// How many threads share the work.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Workers(NonZeroUsize);

impl Workers {
    /// At least one.
    pub const fn new(count: NonZeroUsize) -> Self {
        Self(count)
    }

    /// One thread: the caller's.
    pub const ONE: Self = Self(NonZeroUsize::MIN);

    /// As many as the machine runs at once.
    pub fn of_machine() -> Self {
        Self(thread::available_parallelism().unwrap_or(NonZeroUsize::MIN))
    }

    /// `task(0)` to `task(count - 1)`, in that order.
    pub fn map<T: Send>(self, count: usize, task: impl Fn(usize) -> T + Sync) -> Vec<T> {
        let next = AtomicUsize::new(0);
        let work = || {
            let mut done = Vec::new();
            loop {
                let nth = next.fetch_add(1, Relaxed);
                if nth >= count {
                    return done;
                }
                done.push((nth, task(nth)));
            }
        };
        let mut all = self.share(count, &work).concat_all();
        all.sort_unstable_by_key(|(nth, _)| *nth);
        all.into_iter().map(|(_, result)| result).collect()
    }

    /// The same, stopping at the first error in the order of the tasks.
    pub fn try_map<T: Send, E: Send>(
        self,
        count: usize,
        task: impl Fn(usize) -> Result<T, E> + Sync,
    ) -> Result<Vec<T>, E> {
        self.map(count, task).into_iter().collect()
    }

    /// The lowest number whose task finds something. Tasks above one that did may be left out; tasks below never are.
    pub fn first<T: Send>(
        self,
        count: usize,
        task: impl Fn(usize) -> Option<T> + Sync,
    ) -> Option<(usize, T)> {
        let (next, found) = (AtomicUsize::new(0), AtomicUsize::new(usize::MAX));
        let work = || {
            let mut mine = Vec::new();
            loop {
                let nth = next.fetch_add(1, Relaxed);
                if nth >= count || nth > found.load(Relaxed) {
                    return mine;
                }
                if let Some(result) = task(nth) {
                    found.fetch_min(nth, Relaxed);
                    mine.push((nth, result));
                }
            }
        };
        self.share(count, &work).concat_all().into_iter().min_by_key(|(nth, _)| *nth)
    }

    fn share<T: Send>(self, count: usize, work: &(impl Fn() -> Vec<T> + Sync)) -> Vec<Vec<T>> {
        let threads = self.0.get().min(count);
        if threads < 2 {
            return vec![work()];
        }
        thread::scope(|scope| {
            let running: Vec<_> = (0..threads).map(|_| scope.spawn(work)).collect();
            let joined = running.into_iter().map(|thread| thread.join());
            // A task that panicked is our own mistake; it stays one.
            joined.map(|done| done.unwrap_or_else(|panic| std::panic::resume_unwind(panic))).collect()
        })
    }
}

trait ConcatAll<T> {
    fn concat_all(self) -> Vec<T>;
}

impl<T> ConcatAll<T> for Vec<Vec<T>> {
    fn concat_all(self) -> Vec<T> {
        self.into_iter().flatten().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_do_not_depend_on_the_count_of_workers() {
        for count in [1, 2, 7, 16] {
            let workers = Workers::new(NonZeroUsize::new(count).unwrap());
            assert!(workers.map(100, |nth| nth * nth).into_iter().eq((0..100).map(|nth| nth * nth)));
            assert_eq!(workers.first(1_000, |nth| (nth % 97 == 96).then_some(nth)), Some((96, 96)));
            assert_eq!(workers.first(90, |nth| (nth % 97 == 96).then_some(nth)), None);
            let first = workers.try_map(50, |nth| if nth >= 20 { Err(nth) } else { Ok(()) });
            assert_eq!(first, Err(20));
            assert!(workers.map(0, |nth| nth).is_empty());
        }
    }
}
