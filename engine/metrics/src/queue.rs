//! How long a resting order waits behind others when only sizes of price levels are known.

use crate::figure::finite;
use crate::{BadInput, Undefined, Value, input};
use libm::{log1p, pow};
use smc_core::words::Qty;

/// How likely a decrease of a level happened behind us: functions of what is in front and behind. The forms are those
/// of the hftbacktest project.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum QueueModel {
    /// `f(b) / (f(b) + f(a))` with `f(x) = x^n`.
    Power(f64),
    /// `f(b) / f(a + b)` with `f(x) = x^n`.
    Power2(f64),
    /// `1 - f(a / (a + b))` with `f(x) = x^n`.
    Power3(f64),
    /// `f(b) / (f(b) + f(a))` with `f(x) = ln(1 + x)`.
    Log,
    /// `f(b) / f(a + b)` with `f(x) = ln(1 + x)`.
    Log2,
}

impl QueueModel {
    /// Probability that a decrease is behind us, for `front` and `back` quantities of 0 or more; undefined for a level
    /// without either.
    pub fn probability_behind(self, front: f64, back: f64) -> Result<Value, BadInput> {
        for (what, qty) in [("front", front), ("back", back)] {
            if !(qty >= 0.0 && qty.is_finite()) {
                return Err(BadInput::Domain { what, wanted: "a quantity of 0 or more" });
            }
        }
        if let Self::Power(n) | Self::Power2(n) | Self::Power3(n) = self
            && !(n > 0.0 && n.is_finite())
        {
            return Err(BadInput::Domain { what: "power", wanted: "above 0" });
        }
        if front + back == 0.0 {
            return Ok(Err(Undefined::Flat));
        }
        // Powers of shares instead of quantities: the same quotient, and nothing overflows.
        let (a, b) = (front / (front + back), back / (front + back));
        Ok(finite(match self {
            Self::Power(n) => {
                let larger = f64::max(a, b);
                let (a, b) = (pow(a / larger, n), pow(b / larger, n));
                b / (b + a)
            }
            Self::Power2(n) => pow(b, n),
            Self::Power3(n) => 1.0 - pow(a, n),
            Self::Log => log1p(back) / (log1p(back) + log1p(front)),
            Self::Log2 => log1p(back) / log1p(front + back),
        }))
    }

    /// What is in front of us after the level fell by `decrease` to `new_qty` without a trade: the part of the decrease
    /// that was not behind us, and what was behind us and is not there, comes off the front.
    pub fn front_after(self, front: f64, back: f64, decrease: f64, new_qty: f64) -> Result<Value, BadInput> {
        input::check_numbers("decrease", &[decrease])?;
        input::check_numbers("new quantity", &[new_qty])?;
        let behind = self.probability_behind(front, back)?;
        Ok(behind.and_then(|p| {
            let missing = (back - p * decrease).min(0.0);
            finite((front - (1.0 - p) * decrease + missing).min(new_qty))
        }))
    }
}

/// A resting order that only trades at its price move forward: whatever is cancelled is behind it, until the level is
/// smaller than what was thought to be in front.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RiskAverseQueue {
    ahead: Qty,
    leaves: Qty,
}

impl RiskAverseQueue {
    /// Joins behind the whole displayed quantity; neither is negative.
    pub const fn new(displayed: Qty, qty: Qty) -> Result<Self, BadInput> {
        if displayed.0 < 0 || qty.0 < 0 {
            return Err(BadInput::Domain { what: "queue", wanted: "quantities of 0 or more" });
        }
        Ok(Self { ahead: displayed, leaves: qty })
    }

    /// A trade at our price; what it fills of us. Negative quantities are none.
    pub fn on_trade(&mut self, qty: Qty) -> Qty {
        let qty = qty.0.max(0);
        let passed = qty.min(self.ahead.0);
        let filled = (qty - passed).min(self.leaves.0);
        self.ahead.0 -= passed;
        self.leaves.0 -= filled;
        Qty(filled)
    }

    /// The level shows this much now.
    pub fn on_level(&mut self, displayed: Qty) {
        self.ahead.0 = self.ahead.0.min(displayed.0.max(0));
    }

    /// The market traded through our price: all of us is filled.
    pub fn on_trade_through(&mut self) -> Qty {
        self.ahead = Qty::ZERO;
        std::mem::take(&mut self.leaves)
    }

    /// What must trade before us.
    pub const fn ahead(&self) -> Qty {
        self.ahead
    }

    /// What is still open of us.
    pub const fn leaves(&self) -> Qty {
        self.leaves
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MODELS: [QueueModel; 5] = [
        QueueModel::Power(2.0),
        QueueModel::Power2(2.0),
        QueueModel::Power3(2.0),
        QueueModel::Log,
        QueueModel::Log2,
    ];

    #[test]
    fn probabilities_are_some_and_grow_with_what_is_behind() {
        let quantities = [0.0, 1e-9, 0.5, 1.0, 7.0, 1e6, 1e300];
        for model in MODELS {
            for front in quantities {
                let mut last = 0.0;
                for back in quantities {
                    match model.probability_behind(front, back).unwrap() {
                        Ok(p) => {
                            assert!(
                                (last - 1e-12..=1.0 + 1e-12).contains(&p),
                                "{model:?} {front} {back} {p}"
                            );
                            last = p;
                        }
                        Err(reason) => assert_eq!((reason, front + back), (Undefined::Flat, 0.0)),
                    }
                }
            }
            assert!(model.probability_behind(-1.0, 1.0).is_err());
            assert!(model.front_after(1.0, 1.0, f64::NAN, 1.0).is_err());
        }
        assert!(QueueModel::Power(0.0).probability_behind(1.0, 1.0).is_err());
    }

    #[test]
    fn a_trade_through_fills_all_and_nothing_fills_twice() {
        let mut queue = RiskAverseQueue::new(Qty(5), Qty(10)).unwrap();
        assert_eq!((queue.on_trade(Qty(-3)), queue.on_trade(Qty(8))), (Qty(0), Qty(3)));
        queue.on_level(Qty(100));
        assert_eq!((queue.ahead(), queue.leaves()), (Qty(0), Qty(7)));
        assert_eq!((queue.on_trade_through(), queue.on_trade(Qty(i64::MAX))), (Qty(7), Qty(0)));
        assert!(RiskAverseQueue::new(Qty(-1), Qty(1)).is_err());
    }
}
