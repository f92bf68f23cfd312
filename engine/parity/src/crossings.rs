//! "Which bar is the first, from here on, that reaches this price?", asked many times of one array.
//!
//! A tree of maxima over the array (of minima when prices are to fall). A question climbs from its leaf until a
//! subtree to the right reaches the price, then descends to the first leaf that does: O(log n) each, O(n) to
//! build. NaN reaches nothing.

/// One array, ready to be asked.
pub struct Crossings {
    /// Node 1 is the root, the children of `k` are `2k` and `2k + 1`, leaves start at the middle; rest is NaN.
    tree: Vec<f64>,
    /// -1 when prices are to fall: all values are held with this sign.
    sign: f64,
}

impl Crossings {
    /// Looks for prices at or above a level.
    pub fn rising(prices: &[f64]) -> Self {
        Self::new(prices, 1.0)
    }

    /// Looks for prices at or below a level.
    pub fn falling(prices: &[f64]) -> Self {
        Self::new(prices, -1.0)
    }

    fn new(prices: &[f64], sign: f64) -> Self {
        let leaves = prices.len().next_power_of_two();
        let mut tree = vec![f64::NAN; 2 * leaves];
        for (leaf, price) in tree[leaves..].iter_mut().zip(prices) {
            *leaf = sign * price;
        }
        for node in (1..leaves).rev() {
            // `max` prefers the number to the NaN.
            tree[node] = tree[2 * node].max(tree[2 * node + 1]);
        }
        Self { tree, sign }
    }

    /// First row at or after `from` whose price is at the level or beyond it.
    pub fn first_at(&self, from: usize, level: f64) -> Option<usize> {
        let level = self.sign * level;
        self.first(from, |price| price >= level)
    }

    /// First row at or after `from` whose price is strictly beyond the level.
    pub fn first_beyond(&self, from: usize, level: f64) -> Option<usize> {
        let level = self.sign * level;
        self.first(from, |price| price > level)
    }

    fn first(&self, from: usize, reaches: impl Fn(f64) -> bool) -> Option<usize> {
        let leaves = self.tree.len() / 2;
        if from >= leaves {
            return None;
        }
        let mut node = from + leaves;
        while !reaches(self.tree[node]) {
            // A right child has no sibling to its right; neither has the root.
            while node % 2 == 1 {
                node /= 2;
            }
            if node == 0 {
                return None;
            }
            node += 1;
        }
        while node < leaves {
            node *= 2;
            if !reaches(self.tree[node]) {
                node += 1;
            }
        }
        Some(node - leaves)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tree_and_a_plain_scan_find_the_same_row() {
        let mut state = 7u64;
        let mut below = |n: u64| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (state >> 33) % n
        };
        for len in 0..40 {
            let prices: Vec<f64> =
                (0..len).map(|_| if below(9) == 0 { f64::NAN } else { below(7) as f64 }).collect();
            let (rising, falling) = (Crossings::rising(&prices), Crossings::falling(&prices));
            for from in 0..len + 2 {
                let scan = |reaches: &dyn Fn(f64) -> bool| (from..len).find(|&row| reaches(prices[row]));
                for level in 0..7 {
                    let level = f64::from(level);
                    assert_eq!(rising.first_at(from, level), scan(&|price| price >= level));
                    assert_eq!(rising.first_beyond(from, level), scan(&|price| price > level));
                    assert_eq!(falling.first_at(from, level), scan(&|price| price <= level));
                    assert_eq!(falling.first_beyond(from, level), scan(&|price| price < level));
                }
            }
        }
    }
}
