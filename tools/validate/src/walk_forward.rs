//! Walk-forward: search in each training span, trade the next test span with what was found, move on.
//!
//! The stitched tests are the only curve that reports call "out of sample".

use crate::ValidateError;
use crate::choice::{Look, score};
use crate::market::Periods;
use crate::pipeline::{Record, Trade, Trial};
use smc_metrics::sharpe::walk_forward_efficiency;
use smc_metrics::walk_forward::WalkForward;
use smc_metrics::{Series, Value};
use std::ops::Range;

/// One search and its test.
#[derive(Clone, Debug, PartialEq)]
pub struct Step {
    /// Periods that were searched.
    pub train: Range<usize>,
    /// Periods that were traded.
    pub test: Range<usize>,
    /// What was found.
    pub candidate: usize,
    /// Its score where it was found.
    pub score_in: f64,
    /// Its score in the test.
    pub score_out: f64,
}

/// What came of it.
#[derive(Clone, Debug, PartialEq)]
pub struct Walked {
    /// In order.
    pub steps: Vec<Step>,
    /// The stitched tests: returns, what was held and traded, and the trades that opened and closed in them.
    pub out_of_sample: Record,
    /// Mean return out of sample per mean return in sample.
    pub efficiency: Value,
    /// Most ends of periods over which a candidate that was found held a trade. Beyond the gap, what was held when a test began had
    /// begun where its search could see it.
    pub held_longest: usize,
}

impl Walked {
    /// Periods that were tested, in all; one range, since tests follow without a hole.
    pub fn tested(&self) -> Range<usize> {
        match (self.steps.first(), self.steps.last()) {
            (Some(first), Some(last)) => first.test.start..last.test.end,
            _ => 0..0,
        }
    }
}

/// Walks over periods `0..within`. Refuses to when they are not enough for two tests.
pub fn walk(trial: &Trial, how: WalkForward, within: usize) -> Result<Walked, ValidateError> {
    let splits = how.splits(within)?;
    if splits.len() < 2 {
        return Err(ValidateError::TooShort {
            what: "walk-forward",
            needed: how.train + how.gap + 2 * how.test,
            got: within,
        });
    }
    let mut steps = Vec::with_capacity(splits.len());
    let mut inside = Vec::new();
    for split in splits {
        let chosen = trial.choose(&Look::at(split.train.clone()))?;
        let record = &trial.records[chosen.candidate];
        inside.extend_from_slice(&record.returns[split.train.clone()]);
        steps.push(Step {
            candidate: chosen.candidate,
            score_in: chosen.score,
            score_out: score(&record.returns[split.test.clone()])?,
            train: split.train,
            test: split.test,
        });
    }
    let pieces: Vec<(usize, Range<usize>)> =
        steps.iter().map(|step| (step.candidate, step.test.clone())).collect();
    let out_of_sample = stitch(trial, &pieces);
    let efficiency = walk_forward_efficiency(
        Series::new("in-sample returns", &inside)?,
        Series::new("out-of-sample returns", &out_of_sample.returns)?,
    );
    let held = |step: &Step| {
        trial.records[step.candidate].trades.iter().map(|trade| ends(trade, &trial.periods)).max()
    };
    let held_longest = steps.iter().filter_map(held).max().unwrap_or(0);
    Ok(Walked { steps, out_of_sample, efficiency, held_longest })
}

/// Ends of periods over which a trade was held.
fn ends(trade: &Trade, periods: &Periods) -> usize {
    let opened = periods.of_moment(trade.opened_ns).unwrap_or(0);
    // One that closes with a period's last bar closes in it.
    periods.of_moment(trade.closed_ns.saturating_sub(1)).map_or(0, |closed| closed.saturating_sub(opened))
}

/// One record of pieces that follow each other: the candidate that traded each, and its periods. Candidates ran over everything,
/// so one may come into its piece with a position, or leave it with one. Nobody who begins there has that position, or keeps it: such
/// trades are not counted, and coming and going is charged to the piece's first and last period, half of what the trade cost each.
/// Pieces of one candidate that touch are one piece. (Of a position that is open when the data ends the cost is not known.)
pub fn stitch(trial: &Trial, pieces: &[(usize, Range<usize>)]) -> Record {
    let mut all = Record::blank(0);
    for run in pieces.chunk_by(|a, b| a.0 == b.0 && a.1.end == b.1.start) {
        let (Some((candidate, first)), Some((_, last))) = (run.first(), run.last()) else { continue };
        append(&mut all, &trial.records[*candidate], &trial.periods, first.start..last.end);
    }
    all
}

fn append(to: &mut Record, record: &Record, periods: &Periods, piece: Range<usize>) {
    let begins = to.returns.len();
    to.returns.extend_from_slice(&record.returns[piece.clone()]);
    to.held.extend_from_slice(&record.held[piece.clone()]);
    to.traded.extend_from_slice(&record.traded[piece.clone()]);
    let from_ns = periods.start_ns(piece.start);
    let to_ns = if piece.end < periods.count() { periods.start_ns(piece.end) } else { u64::MAX };
    let half = |trade: &Trade| trade.paid().max(0.0) / 2.0;
    for trade in &record.trades {
        let is_over = |moment_ns: u64| trade.opened_ns < moment_ns && moment_ns < trade.closed_ns;
        if is_over(from_ns) {
            to.returns[begins] -= half(trade);
        }
        if is_over(to_ns)
            && let Some(last) = to.returns.last_mut()
        {
            *last -= half(trade);
        }
        if from_ns <= trade.opened_ns && trade.closed_ns <= to_ns {
            to.trades.push(*trade);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::market::{Market, Markets};
    use smc_metrics::permutation::Ohlc;

    /// Ten days of a bar each; two candidates that hold a trade over the end of the fifth.
    fn trial() -> Trial {
        const DAY: u64 = 86_400_000_000_000;
        let bar = Ohlc { open: 1.0, high: 1.0, low: 1.0, close: 1.0 };
        let market = Market {
            name: "A".into(),
            source: "x".into(),
            tick: 0.1,
            bar_ns: DAY,
            open_ns: (0..10).map(|day| day * DAY).collect(),
            prices: vec![bar; 10],
            volume: vec![1.0; 10],
        };
        let trade = |from: u64, to: u64, r| Trade {
            decided_ns: from * DAY,
            opened_ns: from * DAY,
            closed_ns: to * DAY,
            r,
            gross: 0.05,
            costs: 0.006,
            slippage: 0.002,
        };
        let record = |r| Record {
            trades: vec![trade(0, 1, r), trade(1, 5, r), trade(4, 7, r), trade(7, 10, r)],
            ..Record::blank(10)
        };
        let periods = Periods::of(&Markets::new(vec![market]).unwrap(), DAY).unwrap();
        Trial::single(vec![record(1.0), record(2.0)], periods)
    }

    #[test]
    fn a_position_that_is_cut_is_no_trade_and_costs_its_coming_and_going() {
        let trial = trial();
        let r = |record: &Record| record.trades.iter().map(|trade| trade.r).collect::<Vec<_>>();
        // One candidate throughout: nothing is cut but what was there before the first test.
        let one = stitch(&trial, &[(0, 2..5), (0, 5..8), (0, 8..10)]);
        assert_eq!(r(&one), [1.0, 1.0]);
        assert_eq!(one.returns, [-0.004, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0]);
        // Another from the sixth day on: the one leaves its position, the other takes its own up.
        let two = stitch(&trial, &[(0, 2..5), (1, 5..8), (1, 8..10)]);
        assert_eq!(r(&two), [2.0]);
        assert_eq!(two.returns, [-0.004, 0.0, -0.004, -0.004, 0.0, 0.0, 0.0, 0.0]);
        // What closes with the last bar of a piece is whole.
        assert_eq!(r(&stitch(&trial, &[(0, 1..5)])), [1.0]);
        assert_eq!(trial.records[0].trades.iter().map(|trade| ends(trade, &trial.periods)).max(), Some(3));
    }
}
