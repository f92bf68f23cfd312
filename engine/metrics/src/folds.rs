//! K-fold cross-validation of labels that span time: what overlaps a test in time is not fitted on.

use crate::BadInput;
use std::ops::Range;

/// `count` ranges that cover `0..n`, as equal as possible, larger ones first.
pub fn edges_even(n: usize, count: usize) -> Vec<Range<usize>> {
    let (size, larger) = (n / count.max(1), n % count.max(1));
    let start = |nth: usize| nth * size + nth.min(larger);
    (0..count).map(|nth| start(nth)..start(nth + 1)).collect()
}

/// The time that a label looks at: from its decision to the moment when it was known. Both ends belong to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    /// Decision.
    pub start: i64,
    /// Known.
    pub end: i64,
}

/// One fold: labels by their place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fold {
    /// Labels to fit on.
    pub train: Vec<usize>,
    /// Labels to test on.
    pub test: Range<usize>,
}

/// Purged k-fold: a fold keeps for fitting the labels that were known before its test began, and those whose decision
/// came more than `embargo` after it ended.
pub fn purged_kfold(spans: &[Span], folds: usize, embargo: i64) -> Result<Vec<Fold>, BadInput> {
    if folds < 2 || folds > spans.len() {
        return Err(BadInput::Domain { what: "folds", wanted: "from 2 to the count of labels" });
    }
    if embargo < 0 {
        return Err(BadInput::Domain { what: "embargo", wanted: "0 or more" });
    }
    if let Some(at) = spans.iter().position(|span| span.end < span.start) {
        return Err(BadInput::Element { what: "spans", at, wanted: "known after its decision" });
    }
    let fold = |test: Range<usize>| {
        let tested = &spans[test.clone()];
        let first = tested.iter().map(|span| span.start).min().unwrap_or(i64::MIN);
        let last = tested.iter().map(|span| span.end).max().unwrap_or(i64::MAX);
        let is_clean = |span: &Span| span.end < first || span.start > last.saturating_add(embargo);
        let train = (0..spans.len()).filter(|nth| is_clean(&spans[*nth])).collect();
        Fold { train, test }
    };
    Ok(edges_even(spans.len(), folds).into_iter().map(fold).collect())
}

/// The embargo that is used without a word: 1 % of the observations.
pub const fn embargo_default(n: usize) -> usize {
    n / 100
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Random;

    #[test]
    fn edges_are_as_equal_as_possible_and_larger_first() {
        assert_eq!(edges_even(10, 4), [0..3, 3..6, 6..8, 8..10]);
        assert_eq!(edges_even(2, 3), [0..1, 1..2, 2..2]);
        assert!(edges_even(5, 0).is_empty());
    }

    /// V-09: by brute force over every moment, 10,000 random sets of spans.
    #[test]
    fn no_label_that_is_fitted_on_overlaps_a_test() {
        let mut kept = 0;
        for nth in 0..10_000 {
            let mut random = Random::of_run(5, nth);
            let n = 2 + random.below(30);
            let mut spans: Vec<Span> = (0..n)
                .map(|_| {
                    let start = random.below(60) as i64;
                    Span { start, end: start + random.below(8) as i64 }
                })
                .collect();
            if random.below(2) == 0 {
                spans.sort_by_key(|span| span.start);
            }
            let (folds, embargo) = (2 + random.below(n - 1), random.below(4) as i64);
            for fold in purged_kfold(&spans, folds, embargo).unwrap() {
                let moments = |nth: &usize| spans[*nth].start..=spans[*nth].end;
                let tested: Vec<usize> = fold.test.clone().collect();
                let first = tested.iter().map(|nth| spans[*nth].start).min().unwrap();
                let last = tested.iter().map(|nth| spans[*nth].end).max().unwrap();
                for train in 0..n {
                    let touches = moments(&train).any(|moment| (first..=last + embargo).contains(&moment));
                    // A label that began before and ends after is purged too: it overlaps.
                    let should_stay = !touches;
                    assert_eq!(fold.train.contains(&train), should_stay, "{spans:?} {fold:?}");
                    kept += u32::from(should_stay);
                }
            }
        }
        assert!(kept > 100_000, "{kept}");
    }

    #[test]
    fn what_cannot_be_folded_is_refused() {
        let spans = [Span { start: 0, end: 1 }, Span { start: 1, end: 2 }];
        assert!(purged_kfold(&spans, 1, 0).is_err());
        assert!(purged_kfold(&spans, 3, 0).is_err());
        assert!(purged_kfold(&spans, 2, -1).is_err());
        assert!(purged_kfold(&[Span { start: 1, end: 0 }, spans[0]], 2, 0).is_err());
        assert!(purged_kfold(&spans, 2, i64::MAX).unwrap()[0].train.is_empty());
    }
}
