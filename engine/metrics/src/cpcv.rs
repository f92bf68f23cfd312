//! Combinatorial purged cross-validation (López de Prado, 2018): every choice of some groups of periods is a test once,
//! and the tests join into many histories instead of one.

use crate::BadInput;
use crate::combinations::{self, Combinations};
use std::ops::Range;

/// Most splits: each is a fit of its own.
pub const SPLITS_MAX: u64 = 100_000;

/// How periods are grouped and what is kept away from a test.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cpcv {
    /// Groups of periods; 10 is the usual number.
    pub groups: usize,
    /// Groups in a test; 2 is the usual number.
    pub test_groups: usize,
    /// Periods before and after each block of tested periods that are not fitted on.
    pub purge: usize,
    /// Further periods after it that are not fitted on.
    pub embargo: usize,
}

/// One choice of groups.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Split {
    /// Periods to fit on, ascending, with holes between them.
    pub train: Vec<Range<usize>>,
    /// Tested groups, ascending.
    pub test: Vec<Range<usize>>,
}

impl Cpcv {
    /// All splits of `n` periods, choices in lexicographic order. Groups have `n / groups` periods each, and the last
    /// one what is left over, as the libraries have it.
    pub fn splits(&self, n: usize) -> Result<Vec<Split>, BadInput> {
        let Self { groups, test_groups, purge, embargo } = *self;
        self.check()?;
        if n < groups {
            return Err(BadInput::Domain { what: "periods", wanted: "one or more a group" });
        }
        let size = n / groups;
        let group = |nth: usize| nth * size..if nth + 1 == groups { n } else { (nth + 1) * size };
        let split = |chosen: Vec<usize>| {
            let test: Vec<_> = chosen.into_iter().map(group).collect();
            let (mut train, mut free) = (Vec::new(), 0);
            for Range { start, end } in &test {
                train.push(free..start.saturating_sub(purge));
                free = end.saturating_add(purge).saturating_add(embargo);
            }
            train.push(free..n);
            train.retain(|range| !range.is_empty());
            Split { train, test }
        };
        Ok(Combinations::new(groups, test_groups).map(split).collect())
    }

    /// Histories that the tests join into: `k / N` of the splits.
    pub fn paths_count(&self) -> Result<usize, BadInput> {
        self.check()?;
        let count = combinations::count(self.groups - 1, self.test_groups - 1);
        Ok(count.and_then(|count| usize::try_from(count).ok()).unwrap_or(usize::MAX))
    }

    /// The histories: for each one, which split tests group 0, group 1 and so on. A group's tests go to the histories
    /// in the order of the splits, so every test is in exactly one.
    pub fn paths(&self) -> Result<Vec<Vec<usize>>, BadInput> {
        let count = self.paths_count()?;
        let mut paths = vec![Vec::with_capacity(self.groups); count];
        for group in 0..self.groups {
            let chosen = Combinations::new(self.groups, self.test_groups).enumerate();
            let tests = chosen.filter(|(_, chosen)| chosen.contains(&group)).map(|(split, _)| split);
            for (path, split) in paths.iter_mut().zip(tests) {
                path.push(split);
            }
        }
        Ok(paths)
    }

    fn check(&self) -> Result<(), BadInput> {
        if self.test_groups == 0 || self.test_groups >= self.groups {
            return Err(BadInput::Domain { what: "test groups", wanted: "1 or more, and not all groups" });
        }
        match combinations::count(self.groups, self.test_groups) {
            Some(..=SPLITS_MAX) => Ok(()),
            _ => Err(BadInput::Domain { what: "groups", wanted: "few enough for 100,000 splits" }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const USUAL: Cpcv = Cpcv { groups: 10, test_groups: 2, purge: 3, embargo: 2 };

    #[test]
    fn every_test_is_in_one_history_and_every_history_is_whole() {
        let splits = USUAL.splits(107).unwrap();
        let paths = USUAL.paths().unwrap();
        assert_eq!((splits.len(), paths.len()), (45, 9));
        let mut seen = std::collections::BTreeSet::new();
        for path in &paths {
            assert_eq!(path.len(), 10);
            let mut next = 0;
            for (group, split) in path.iter().enumerate() {
                let range = splits[*split].test.iter().find(|range| range.start == group * 10).unwrap();
                assert_eq!(range.start, next);
                next = range.end;
                assert!(seen.insert((group, *split)), "twice");
            }
            assert_eq!(next, 107);
        }
        assert_eq!(seen.len(), 45 * 2);
    }

    #[test]
    fn what_is_fitted_on_keeps_its_distance() {
        for split in USUAL.splits(107).unwrap() {
            let mut away = 0;
            for period in 0..107 {
                let is_near = |test: &Range<usize>| test.start <= period + 3 && period < test.end + 5;
                let is_clean = !split.test.iter().any(is_near);
                assert_eq!(split.train.iter().any(|range| range.contains(&period)), is_clean);
                away += usize::from(!is_clean);
            }
            assert_eq!(split.train.iter().map(Range::len).sum::<usize>() + away, 107);
        }
    }

    #[test]
    fn what_cannot_be_chosen_is_refused() {
        for (groups, test_groups) in [(0, 0), (3, 0), (3, 3), (3, 4), (40, 20), (usize::MAX, 2)] {
            let cpcv = Cpcv { groups, test_groups, purge: 0, embargo: 0 };
            assert!(cpcv.splits(100).is_err() && cpcv.paths().is_err(), "{groups} {test_groups}");
        }
        assert!(USUAL.splits(9).is_err());
        let all_gone = Cpcv { purge: usize::MAX, embargo: usize::MAX, ..USUAL };
        assert!(all_gone.splits(20).unwrap().iter().all(|split| split.train.is_empty()));
    }
}
