//! Monte Carlo permutation tests: does a strategy find more in the market than in the same moves in another order?

use crate::{BadInput, Random};
use libm::{exp, log};

/// Share of permutations, the real order counted as one, that do as well: `(1 + #{permuted >= real}) / (1 + m)`.
/// Results that are not numbers are refused: they would count as worse.
pub fn p_value(real: f64, permuted: &[f64]) -> Result<f64, BadInput> {
    if real.is_nan() {
        return Err(BadInput::Domain { what: "real", wanted: "a number" });
    }
    if let Some(at) = permuted.iter().position(|value| value.is_nan()) {
        return Err(BadInput::Element { what: "permuted", at, wanted: "a number" });
    }
    Ok(p_value_of(permuted.iter().filter(|value| **value >= real).count(), permuted.len()))
}

pub(crate) fn p_value_of(as_good: usize, of: usize) -> f64 {
    (1 + as_good) as f64 / (1 + of) as f64
}

/// One bar: prices as fractions.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Ohlc {
    /// First price.
    pub open: f64,
    /// Highest.
    pub high: f64,
    /// Lowest.
    pub low: f64,
    /// Last price.
    pub close: f64,
}

/// One bar's moves in logarithms: what happens to an order of bars is an order of these.
#[derive(Clone, Copy, Debug)]
struct Moves {
    /// From the last close to the open.
    gap: f64,
    high: f64,
    low: f64,
    close: f64,
}

/// The moves of some markets, ready to be put into other orders.
///
/// The moves within bars are permuted, and so are the gaps between bars, each by an order of its own; all markets get
/// the same orders, so what moves together still does. Bars up to and with `keep` stay: 1 for an in-sample test, the
/// first fit for a walk-forward test. The last close is the real one whatever the order, but for rounding.
#[derive(Clone, Debug)]
pub struct Permuter {
    /// Bars that stay, market by market.
    kept: Vec<Vec<Ohlc>>,
    moves: Vec<Vec<Moves>>,
}

impl Permuter {
    /// Markets over the same bars, all prices positive. At least one bar is kept.
    pub fn new<M: AsRef<[Ohlc]>>(markets: &[M], keep: usize) -> Result<Self, BadInput> {
        let count = markets.first().map_or(0, |market| market.as_ref().len());
        if keep == 0 || keep > count {
            return Err(BadInput::Domain {
                what: "bars kept",
                wanted: "1 or more, and not more than there are",
            });
        }
        for market in markets {
            crate::input::check_length("market", market.as_ref().len(), count)?;
            let is_sound = |bar: &Ohlc| {
                let Ohlc { open, high, low, close } = *bar;
                low > 0.0 && low <= open.min(close) && open.max(close) <= high && high.is_finite()
            };
            if let Some(at) = market.as_ref().iter().position(|bar| !is_sound(bar)) {
                return Err(BadInput::Element { what: "bars", at, wanted: "a bar of positive prices" });
            }
        }
        let moves = |market: &M| {
            let pairs = market.as_ref()[keep - 1..].windows(2);
            pairs
                .map(|pair| {
                    let (last, bar) = (pair[0].close, pair[1]);
                    let over_open = |price: f64| log(price / bar.open);
                    Moves {
                        gap: log(bar.open / last),
                        high: over_open(bar.high),
                        low: over_open(bar.low),
                        close: over_open(bar.close),
                    }
                })
                .collect()
        };
        let kept = markets.iter().map(|market| market.as_ref()[..keep].to_vec()).collect();
        Ok(Self { kept, moves: markets.iter().map(moves).collect() })
    }

    /// The markets in another order. Permutation `k` of a test is drawn with [`Random::of_run`]`(seed, k)`.
    pub fn permute(&self, random: &mut Random) -> Vec<Vec<Ohlc>> {
        let count = self.moves.first().map_or(0, Vec::len);
        let mut within: Vec<u32> = (0..count as u32).collect();
        let mut between = within.clone();
        random.shuffle(&mut within);
        random.shuffle(&mut between);
        let market = |(kept, moves): (&Vec<Ohlc>, &Vec<Moves>)| {
            let mut bars = Vec::with_capacity(kept.len() + moves.len());
            bars.extend_from_slice(kept);
            let mut last = kept.last().map_or(1.0, |bar| bar.close);
            for (within, between) in within.iter().zip(&between) {
                let open = last * exp(moves[*between as usize].gap);
                let Moves { high, low, close, .. } = moves[*within as usize];
                let close = open * exp(close);
                // Rounding may not put an end outside of its bar.
                let (high, low) = (open * exp(high), open * exp(low));
                let (high, low) = (high.max(open).max(close), low.min(open).min(close));
                bars.push(Ohlc { open, high, low, close });
                last = close;
            }
            bars
        };
        self.kept.iter().zip(&self.moves).map(market).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn market(seed: u64, n: usize) -> Vec<Ohlc> {
        let mut random = Random::new(seed);
        let mut last = 100.0;
        (0..n)
            .map(|_| {
                let open = last * exp(0.001 * random.normal());
                let close = open * exp(0.01 * random.normal());
                last = close;
                let high = open.max(close) * exp(0.004 * random.unit());
                Ohlc { open, high, low: open.min(close) * exp(-0.004 * random.unit()), close }
            })
            .collect()
    }

    fn sorted(values: impl Iterator<Item = f64>) -> Vec<f64> {
        let mut values: Vec<f64> = values.collect();
        values.sort_by(f64::total_cmp);
        values
    }

    #[test]
    fn another_order_of_the_same_moves_in_all_markets_at_once() {
        let real = [market(1, 60), market(2, 60)];
        for keep in [1, 20, 60] {
            let permuter = Permuter::new(&real, keep).unwrap();
            let other = permuter.permute(&mut Random::new(5));
            let mut orders = Vec::new();
            for (real, other) in real.iter().zip(&other) {
                assert_eq!(real[..keep], other[..keep]);
                let near = |a: f64, b: f64| (a / b - 1.0).abs() < 1e-9;
                assert!(near(real[59].close, other[59].close));
                let within = |bars: &[Ohlc]| -> Vec<f64> {
                    bars[keep..].iter().map(|bar| bar.close / bar.open).collect()
                };
                let gaps =
                    |bars: &[Ohlc]| sorted(bars[keep - 1..].windows(2).map(|p| p[1].open / p[0].close));
                let same = |a: Vec<f64>, b: Vec<f64>| a.iter().zip(&b).all(|(a, b)| near(*a, *b));
                assert!(same(sorted(within(real).into_iter()), sorted(within(other).into_iter())));
                assert!(same(gaps(real), gaps(other)));
                let place = |value: &f64| within(real).iter().position(|own| near(*own, *value)).unwrap();
                orders.push(within(other).iter().map(place).collect::<Vec<_>>());
            }
            assert_eq!(orders[0], orders[1], "what moved together still does");
            assert!(keep == 60 || orders[0].windows(2).any(|pair| pair[0] > pair[1]));
        }
    }

    #[test]
    fn bars_that_are_none_are_refused() {
        let good = market(1, 5);
        let spoilt = |spoil: &dyn Fn(&mut Ohlc)| {
            let mut bars = good.clone();
            spoil(&mut bars[3]);
            Permuter::new(&[bars], 1).map(|_| ())
        };
        let refused = Err(BadInput::Element { what: "bars", at: 3, wanted: "a bar of positive prices" });
        assert_eq!(spoilt(&|bar| bar.low = 0.0), refused);
        assert_eq!(spoilt(&|bar| bar.high = f64::NAN), refused);
        assert_eq!(spoilt(&|bar| bar.close = bar.high * 2.0), refused);
        assert!(Permuter::new(std::slice::from_ref(&good), 0).is_err());
        assert!(Permuter::new(&[good.clone(), market(2, 4)], 1).is_err());
        assert!(Permuter::new(&Vec::<Vec<Ohlc>>::new(), 1).is_err());
        assert!(p_value(f64::NAN, &[]).is_err() && p_value(1.0, &[0.0, f64::NAN]).is_err());
    }
}
