//! The verdict: every test of the reference in one order, and the gate at the end.
//!
//! Nothing is shown before it is in the ledger: each candidate's score, and each of the two walks. The hold-out comes last and is
//! opened only when everything else holds, so a strategy that fails early keeps it closed.

use crate::ValidateError;
use crate::choice::{Chosen, Look, score};
use crate::cross_validation::{CrossValidated, cross_validate};
use crate::hold_out::{self, Asked, Cut, METRIC, Opened};
use crate::look_ahead::{Searched, run};
use crate::luck::{self, Checked, Deflated};
use crate::market::{Markets, Periods};
use crate::permute::{self, Permuted, Permuting};
use crate::pipeline::{Conditions, Pipeline, Record, Trial};
use crate::robustness::{self, Drawn, Noise, Resampled};
use crate::walk_forward::{Walked, walk};
use crate::workers::Workers;
use smc_metrics::activity::Activity;
use smc_metrics::bootstrap::{self, Resampling};
use smc_metrics::cpcv::Cpcv;
use smc_metrics::overfitting::Overfitting;
use smc_metrics::promotion::{Criterion, Evidence, Step, judge};
use smc_metrics::returns::ReturnMetrics;
use smc_metrics::trades::TradeMetrics;
use smc_metrics::walk_forward::WalkForward;
use smc_metrics::{BadInput, Figure, PeriodsPerYear, Series, Undefined, Value};
use smc_trials::{Data, Head, Ledger, Trial as Entry};

/// How the tests are run. All of it stands in the report.
#[derive(Clone, Debug, PartialEq)]
pub struct Settings {
    /// Of everything that is drawn; each test has a seed made from it.
    pub seed: u64,
    /// The step that is asked for.
    pub step: Step,
    /// Length of a period of returns, in nanoseconds.
    pub period_ns: u64,
    /// Periods a year.
    pub per_year: PeriodsPerYear,
    /// Lengths of the walk-forward, in periods. The rolling walk is the one that is judged; the anchored one stands beside it.
    pub walk_forward: WalkForward,
    /// Groups, purge and embargo of cross-validation, in periods.
    pub cpcv: Cpcv,
    /// Blocks of the test for overfitting.
    pub overfitting_blocks: usize,
    /// Resamples of the reality check.
    pub reality_resamples: usize,
    /// Resamples of intervals.
    pub interval_resamples: usize,
    /// Permutations in sample.
    pub permutations_in_sample: usize,
    /// Permutations of the walk-forward.
    pub permutations_walk_forward: usize,
    /// Resamples of trades, of each kind.
    pub trade_resamples: usize,
    /// Trades in a block.
    pub trade_block: usize,
    /// Drawdown that the account may have.
    pub drawdown_limit: f64,
    /// Where runs are cut in the search for knowledge of the future.
    pub cuts: run::Cuts,
    /// Open the hold-out if everything else holds.
    pub opens_hold_out: bool,
}

impl Settings {
    /// The numbers of the reference, for daily periods: tests of a month after half a year, ten groups of which two are tested,
    /// 1,000 and 200 permutations.
    pub fn of_reference(seed: u64, per_year: PeriodsPerYear) -> Self {
        let test = 30;
        Self {
            seed,
            step: Step::ToPaper,
            period_ns: 86_400_000_000_000,
            per_year,
            walk_forward: WalkForward { train: 6 * test, test, gap: 1, is_anchored: false },
            cpcv: Cpcv { groups: 10, test_groups: 2, purge: 1, embargo: 9 },
            overfitting_blocks: 16,
            reality_resamples: 2_000,
            interval_resamples: 1_000,
            permutations_in_sample: 1_000,
            permutations_walk_forward: 200,
            trade_resamples: 10_000,
            trade_block: 5,
            drawdown_limit: 0.2,
            cuts: run::Cuts::Every,
            opens_hold_out: false,
        }
    }
}

/// A seed of its own for each test.
#[derive(Clone, Copy)]
enum Draw {
    Run = 1,
    Reality,
    InSample,
    Forward,
    Trades,
    Noise,
    Intervals,
    Features,
}

impl Settings {
    fn seed(&self, of: Draw) -> u64 {
        smc_metrics::Random::of_run(self.seed, of as u64).bits()
    }
}

/// Everything that was found out about one version.
#[derive(Clone, Debug)]
pub struct Verdict {
    /// Where the data was cut.
    pub cut: Cut,
    /// Periods before the cut.
    pub periods: usize,
    /// What the search over them took.
    pub chosen: Chosen,
    /// Rolling and anchored walk-forward.
    pub walked: [Walked; 2],
    /// Cross-validation.
    pub cross_validated: CrossValidated,
    /// Sharpe ratio of the curve out of sample, deflated.
    pub deflated: Deflated,
    /// Probability of overfitting.
    pub overfitting: Result<Overfitting, Undefined>,
    /// Reality check.
    pub reality: Checked,
    /// Permutation tests in sample and of the walk-forward.
    pub permuted: [Permuted; 2],
    /// Trades out of sample, resampled.
    pub resampled: Result<Resampled, Undefined>,
    /// Noise tests.
    pub noise: Vec<Noise>,
    /// Searches for knowledge of the future.
    pub look_ahead: Vec<Searched>,
    /// Figures of the curve out of sample.
    pub figures: Vec<Figure>,
    /// What the gate was given.
    pub evidence: Evidence,
    /// What the gate says.
    pub criteria: Vec<Criterion>,
    /// The hold-out.
    pub hold_out: Opened,
    /// Trials of the ledger that had looked at the kept part before.
    pub hold_out_seen: usize,
    /// The ledger after all of it.
    pub ledger: Head,
}

impl Verdict {
    /// Every criterion holds, and the hold-out made money.
    pub fn is_accepted(&self) -> bool {
        self.passes_gate() && self.hold_out.holds()
    }

    /// Every criterion holds.
    pub fn passes_gate(&self) -> bool {
        self.criteria.iter().all(Criterion::holds)
    }

    /// Names of the criteria that do not hold.
    pub fn failing(&self) -> Vec<&'static str> {
        let failing = self.criteria.iter().filter(|criterion| !criterion.holds());
        failing.map(|criterion| criterion.name).collect()
    }
}

/// Told what is being done: a stage, how much of it, of how much.
pub type Progress<'a> = &'a (dyn Fn(&str, usize, usize) + Sync);

/// Runs everything. `at_ns` is the time that the ledger's entries bear; nothing else depends on it, and nothing at all on the
/// count of workers.
pub fn validate(
    pipeline: &dyn Pipeline,
    markets: &Markets,
    settings: &Settings,
    ledger: &mut Ledger,
    at_ns: u64,
    workers: Workers,
    progress: Progress<'_>,
) -> Result<Verdict, ValidateError> {
    let cut = Cut::of(markets, &Periods::of(markets, settings.period_ns)?)?;
    // From here on the kept part is out of reach.
    let open = markets.prefix(cut.bars);
    let period_ns = settings.period_ns;
    let under = Conditions::plain(settings.seed(Draw::Run));

    progress("every candidate", 0, 1);
    let trial = Trial::of(pipeline, &open, period_ns, under)?;
    let periods = trial.periods.count();
    let chosen = trial.choose(&Look::at(0..periods))?;
    let book = Book { pipeline, data: data_of(&open), at_ns, periods };
    let question = hold_out::question(pipeline, markets, &cut, at_ns);
    let hold_out_seen = ledger.seen_before(&question).count();
    for (candidate, score) in chosen.scores.iter().enumerate() {
        book.record(ledger, "grid", candidate, *score)?;
    }

    progress("walk-forward", 0, 1);
    let rolling = WalkForward { is_anchored: false, ..settings.walk_forward };
    let anchored = WalkForward { is_anchored: true, ..settings.walk_forward };
    let walked = [walk(&trial, rolling, periods)?, walk(&trial, anchored, periods)?];
    for (stage, walked) in ["walk_forward", "walk_forward_anchored"].into_iter().zip(&walked) {
        book.record(ledger, stage, chosen.candidate, score(&walked.out_of_sample.returns)?)?;
    }
    let out = &walked[0].out_of_sample;
    let returns = Series::new("out-of-sample returns", &out.returns)?;

    progress("cross-validation", 0, 1);
    let cross_validated = cross_validate(&trial, settings.cpcv, periods, workers)?;

    progress("luck", 0, 1);
    let candidates = luck::matrix(&trial.records, periods)?;
    let made: Vec<f64> = ledger
        .trials(pipeline.strategy())
        .filter(|made| made.metric == METRIC && made.stage == "grid")
        .filter_map(|made| made.score)
        .collect();
    let count = ledger.trials(pipeline.strategy()).count() as u64;
    let deflated = luck::deflate(returns, &candidates, count, &made)?;
    let overfitting = luck::overfitting(&candidates, settings.overfitting_blocks)?;
    let how = |draw, resamples| Resampling { seed: settings.seed(draw), resamples, block_mean: None };
    let reality = luck::reality_check(&candidates, how(Draw::Reality, settings.reality_resamples))?;

    let permuting = |draw, permutations, told| Permuting {
        seed: settings.seed(draw),
        permutations,
        period_ns,
        workers,
        told,
    };
    let count = settings.permutations_in_sample;
    let told = |done| progress("permutations in sample", done, count);
    let in_sample = permute::in_sample(pipeline, &open, under, permuting(Draw::InSample, count, &told))?;
    let count = settings.permutations_walk_forward;
    let told = |done| progress("permutations of the walk-forward", done, count);
    let forward = permuting(Draw::Forward, count, &told);
    let forward = permute::walk_forward(pipeline, &open, under, rolling, forward)?;

    progress("robustness", 0, 1);
    let resampling = Drawn {
        seed: settings.seed(Draw::Trades),
        resamples: settings.trade_resamples,
        block: settings.trade_block,
        drawdown_limit: settings.drawdown_limit,
    };
    let resampled = robustness::resample(&out.trades, resampling)?;
    let seed = settings.seed(Draw::Noise);
    let noise = robustness::noise_tests(pipeline, &open, period_ns, chosen.candidate, seed, workers)?;

    progress("knowledge of the future", 0, 1);
    let mut look_ahead =
        vec![run::search(pipeline, &open, period_ns, chosen.candidate, under, settings.cuts, workers)?];
    look_ahead.extend(pipeline.search_features(
        &open,
        chosen.candidate,
        settings.seed(Draw::Features),
        workers,
    ));

    progress("figures", 0, 1);
    let figures = figures(out, settings, how(Draw::Intervals, settings.interval_resamples))?;
    // Nobody measures paper trading yet in a way that could be proved, and what somebody typed is no evidence: the steps that need
    // it are closed until there is a report of parity that can be verified.
    let paper = Err(Undefined::TooFew { needed: 1, got: 0 });
    let evidence = Evidence {
        trades: out.trades.len(),
        periods: out.returns.len(),
        min_track_record: deflated.min_track_record,
        dsr: deflated.dsr,
        pbo: overfitting.as_ref().map(|found| found.pbo).map_err(|reason| *reason),
        reality_check_p: Ok(reality.white.p_value),
        mcpt_in_sample_p: Ok(in_sample.p_value),
        mcpt_walk_forward_p: Ok(forward.p_value),
        histories: cross_validated.histories,
        walk_forward_efficiency: walked[0].efficiency,
        plateau: Some(chosen.plateau),
        noise_profit_least: robustness::profit_least(&noise),
        is_free_of_look_ahead: Some(look_ahead.iter().all(|searched| searched.found.is_none())),
        hold_out_seen: Some(hold_out_seen),
        cost_share: robustness::cost_share(&out.trades),
        drawdown_resampled: resampled.map(|resampled| resampled.drawdown()),
        drawdown_limit: settings.drawdown_limit,
        paper_entries_matched: paper,
        paper_slippage_error: paper,
    };
    let criteria = judge(settings.step, &evidence)?;

    let hold_out = if cut.is_short {
        Opened::Closed("half a year would have to be kept back, and there is less")
    } else if !settings.opens_hold_out {
        Opened::Closed("nobody asked for it")
    } else if criteria.iter().all(Criterion::holds) || ledger.opened_before(&question).is_some() {
        // Who asks a second time is refused, and the ledger says so, whatever else holds.
        progress("hold-out", 0, 1);
        let candidate = chosen.candidate;
        hold_out::open(pipeline, ledger, &Asked { markets, cut: &cut, candidate, period_ns, under, at_ns })?
    } else {
        Opened::Closed("a criterion does not hold")
    };
    let permuted = [in_sample, forward];
    let ledger = ledger.head();
    Ok(Verdict {
        cut,
        periods,
        chosen,
        walked,
        cross_validated,
        deflated,
        overfitting,
        reality,
        permuted,
        resampled,
        noise,
        look_ahead,
        figures,
        evidence,
        criteria,
        hold_out,
        hold_out_seen,
        ledger,
    })
}

/// What every entry of this validation has in common.
struct Book<'a> {
    pipeline: &'a dyn Pipeline,
    data: Data,
    at_ns: u64,
    periods: usize,
}

impl Book<'_> {
    fn record(
        &self,
        ledger: &mut Ledger,
        stage: &str,
        candidate: usize,
        score: f64,
    ) -> Result<(), ValidateError> {
        ledger.record(Entry {
            at_ns: self.at_ns,
            strategy: self.pipeline.strategy().into(),
            version: self.pipeline.version().into(),
            parameters: self.pipeline.grid().values(candidate),
            data: self.data.clone(),
            stage: stage.into(),
            metric: METRIC.into(),
            score: Some(score),
            periods: self.periods as u64,
        })?;
        Ok(())
    }
}

fn data_of(markets: &Markets) -> Data {
    let (from_ns, to_ns) = markets.span();
    Data { source: hold_out::source(markets), from_ns, to_ns }
}

/// Observations below which resamples say nothing: those of one trade all are that trade.
const INTERVAL_N_MIN: usize = 5;

/// Figures of a curve with their intervals: its returns, its trades, and what it did.
fn figures(out: &Record, settings: &Settings, how: Resampling) -> Result<Vec<Figure>, ValidateError> {
    let returns = Series::new("returns", &out.returns)?;
    let mut figures = ReturnMetrics::report(returns, 0.0, settings.per_year, how)?.to_vec();
    let r: Vec<f64> = out.trades.iter().map(|trade| trade.r).collect();
    if let Ok(trades) = Series::new("trades", &r) {
        let intervals = bootstrap::intervals(trades, how, |drawn| {
            values_of(Series::new("trades", drawn).map(|drawn| TradeMetrics::of(drawn).figures()))
        })?;
        let enough = |interval| if r.len() < INTERVAL_N_MIN { None } else { interval };
        let both = TradeMetrics::of(trades).figures().into_iter().zip(intervals);
        figures.extend(both.map(|(figure, interval)| Figure { interval: enough(interval), ..figure }));
    }
    // Of trades and of periods that are drawn by their places.
    let activity = |periods: &[usize], trades: &[usize]| {
        let total = |values: &mut dyn Iterator<Item = f64>| smc_metrics::sum::sum(values);
        let of = |nth: &usize| &out.trades[*nth];
        Activity {
            trades: trades.len(),
            periods: periods.len(),
            periods_held: periods.iter().filter(|nth| out.held[**nth]).count(),
            traded: total(&mut periods.iter().map(|nth| out.traded[*nth])),
            // Everything here is per equity.
            equity_mean: 1.0,
            gross_profit: total(&mut trades.iter().map(|nth| of(nth).gross.max(0.0))),
            costs: total(&mut trades.iter().map(|nth| of(nth).paid())),
        }
        .figures(settings.per_year)
    };
    let [periods, trades] = [out.returns.len(), out.trades.len()].map(|count| (0..count).collect::<Vec<_>>());
    let by_period = by_place(periods.len(), how, |drawn| values_of(activity(drawn, &trades)))?;
    let by_trade = by_place(trades.len(), how, |drawn| values_of(activity(&periods, drawn)))?;
    for (nth, figure) in activity(&periods, &trades)?.into_iter().enumerate() {
        let interval = match figure.name {
            "exposure" | "turnover_ann" => by_period[nth],
            "cost_share" => by_trade[nth],
            // The count of trades is no estimate of anything.
            _ => None,
        };
        figures.push(Figure { interval, ..figure });
    }
    Ok(figures)
}

fn values_of<const K: usize>(figures: Result<[Figure; K], BadInput>) -> [Value; K] {
    figures.map_or([Err(Undefined::Overflow); K], |figures| figures.map(|figure| figure.value))
}

/// Intervals of what is made of several numbers an observation: places are drawn.
fn by_place<const K: usize>(
    count: usize,
    how: Resampling,
    statistic: impl Fn(&[usize]) -> [Value; K],
) -> Result<[Option<smc_metrics::Interval>; K], BadInput> {
    if count < INTERVAL_N_MIN {
        return Ok([None; K]);
    }
    let places: Vec<f64> = (0..count).map(|place| place as f64).collect();
    bootstrap::intervals(Series::new("places", &places)?, how, |drawn| {
        statistic(&drawn.iter().map(|place| *place as usize).collect::<Vec<usize>>())
    })
}
