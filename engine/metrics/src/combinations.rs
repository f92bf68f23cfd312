//! Choices of some of many, in lexicographic order.

/// All ways to choose `k` of `0..n`, each ascending.
#[derive(Clone, Debug)]
pub struct Combinations {
    n: usize,
    next: Option<Vec<usize>>,
}

impl Combinations {
    /// Nothing when `k > n`; one empty choice for `k = 0`.
    pub fn new(n: usize, k: usize) -> Self {
        Self { n, next: (k <= n).then(|| (0..k).collect()) }
    }
}

impl Iterator for Combinations {
    type Item = Vec<usize>;

    fn next(&mut self) -> Option<Self::Item> {
        let current = self.next.take()?;
        let k = current.len();
        // The last place that can still move, and everything behind it close up.
        if let Some(place) = (0..k).rev().find(|place| current[*place] < self.n - k + place) {
            let mut following = current.clone();
            following[place] += 1;
            for later in place + 1..k {
                following[later] = following[later - 1] + 1;
            }
            self.next = Some(following);
        }
        Some(current)
    }
}

/// How many there are; none beyond `u64`.
pub fn count(n: usize, k: usize) -> Option<u64> {
    let k = if k > n { return Some(0) } else { k.min(n - k) };
    let mut count = 1u128;
    for step in 0..k {
        // Stays whole: it is the count of choices of `step + 1`.
        count = count * (n - step) as u128 / (step as u128 + 1);
        if count > u128::from(u64::MAX) {
            return None;
        }
    }
    u64::try_from(count).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_of_them_in_order() {
        let all: Vec<_> = Combinations::new(4, 2).collect();
        assert_eq!(all, [[0, 1], [0, 2], [0, 3], [1, 2], [1, 3], [2, 3]]);
        for (n, k) in [(0, 0), (3, 0), (3, 3), (2, 3), (10, 2), (16, 8)] {
            assert_eq!(Combinations::new(n, k).count() as u64, count(n, k).unwrap(), "{n} {k}");
        }
        assert_eq!(count(16, 8), Some(12_870));
        assert_eq!(count(1_000, 500), None);
    }
}
