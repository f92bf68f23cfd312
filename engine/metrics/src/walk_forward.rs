//! Walk-forward windows: fit on what was, test on what came, move on.

use crate::BadInput;
use std::ops::Range;

/// Most splits: each is a fit of its own.
pub const SPLITS_MAX: usize = 1_000_000;

/// One fit and its test.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Split {
    /// Periods to fit on.
    pub train: Range<usize>,
    /// Periods to test on, all later.
    pub test: Range<usize>,
}

/// How windows move.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WalkForward {
    /// Periods of the first window to fit on; six tests is the usual length.
    pub train: usize,
    /// Periods of a test; the next one follows without a hole.
    pub test: usize,
    /// Periods between them that belong to neither: the longest horizon of a label.
    pub gap: usize,
    /// Fits on everything since the beginning, instead of on a window of one length.
    pub is_anchored: bool,
}

impl WalkForward {
    /// The splits of `n` periods, as many as are whole; none when `n` is too small for one.
    pub fn splits(&self, n: usize) -> Result<Vec<Split>, BadInput> {
        let Self { train, test, gap, is_anchored } = *self;
        for (what, length) in [("train", train), ("test", test)] {
            if length == 0 {
                return Err(BadInput::Domain { what, wanted: "1 or more" });
            }
        }
        let first = train.saturating_add(gap);
        let count = n.saturating_sub(first) / test;
        if count > SPLITS_MAX {
            return Err(BadInput::Domain { what: "test", wanted: "long enough for a million splits" });
        }
        let split = |nth: usize| {
            let moved = nth * test;
            let start = first + moved;
            Split { train: if is_anchored { 0 } else { moved }..train + moved, test: start..start + test }
        };
        Ok((0..count).map(split).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tests_follow_each_other_and_nothing_overlaps() {
        for n in 0..60 {
            for (train, test, gap) in [(1, 1, 0), (6, 3, 0), (10, 5, 2), (8, 7, 3), (5, 9, 1)] {
                for is_anchored in [false, true] {
                    let splits = WalkForward { train, test, gap, is_anchored }.splits(n).unwrap();
                    assert!(splits.windows(2).all(|pair| pair[0].test.end == pair[1].test.start));
                    for split in &splits {
                        assert_eq!(split.train.end + gap, split.test.start);
                        assert_eq!(split.test.len(), test);
                        assert!(split.test.end <= n);
                        assert!(if is_anchored {
                            split.train.start == 0
                        } else {
                            split.train.len() == train
                        });
                    }
                    let end = splits.last().map_or(train + gap, |split| split.test.end);
                    assert!(end + test > n, "another one would have been whole");
                }
            }
        }
    }

    #[test]
    fn windows_of_nothing_are_refused_and_absurd_ones_are_empty() {
        let walk = WalkForward { train: 0, test: 1, gap: 0, is_anchored: false };
        assert!(walk.splits(9).is_err());
        assert!(WalkForward { train: 1, test: 0, ..walk }.splits(9).is_err());
        let endless = WalkForward { train: 1, test: 1, gap: 0, is_anchored: true };
        assert!(endless.splits(usize::MAX).is_err());
        let absurd = WalkForward { train: usize::MAX, test: usize::MAX, gap: usize::MAX, is_anchored: true };
        assert_eq!(absurd.splits(usize::MAX), Ok(vec![]));
    }
}
