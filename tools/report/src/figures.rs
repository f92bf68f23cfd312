//! Every figure of a report, with formula, sample, interval, and the words that go with it.

use crate::curve::Curve;
use crate::meta::Meta;
use crate::text::{grouped, percent};
use smc_backtest::{Outcome, Trade};
use smc_metrics::activity::Activity;
use smc_metrics::benchmark::BenchmarkMetrics;
use smc_metrics::bootstrap::{self, Resampling};
use smc_metrics::returns::ReturnMetrics;
use smc_metrics::sharpe::{SharpeRatio, Trials};
use smc_metrics::sum::mean;
use smc_metrics::trades::{Excursions, TradeMetrics};
use smc_metrics::{BadInput, Figure, Interval, PeriodsPerYear, Series, Undefined, Value};

/// Values that all resamples of one group together may draw: a second or two.
const DRAWS_MAX: usize = 20_000_000;
/// Resamples that there are however long the series.
const RESAMPLES_MIN: usize = 50;

/// What a figure is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Group {
    /// The series of returns.
    Returns,
    /// Whether it is luck.
    Luck,
    /// Trades in multiples of what they risked.
    TradesR,
    /// Trades in money.
    TradesMoney,
    /// How far trades went before they closed.
    Excursions,
    /// How much was done, and its price.
    Activity,
    /// Against something else.
    Benchmark,
}

impl Group {
    /// For programs.
    pub const fn key(self) -> &'static str {
        match self {
            Self::Returns => "returns",
            Self::Luck => "luck",
            Self::TradesR => "trades_r",
            Self::TradesMoney => "trades_money",
            Self::Excursions => "excursions",
            Self::Activity => "activity",
            Self::Benchmark => "benchmark",
        }
    }

    /// For people.
    pub const fn title(self) -> &'static str {
        match self {
            Self::Returns => "Returns by period",
            Self::Luck => "Is it luck?",
            Self::TradesR => "Trades, in R",
            Self::TradesMoney => "Trades, in money",
            Self::Excursions => "Excursions, in R",
            Self::Activity => "Activity and costs",
            Self::Benchmark => "Against the benchmark",
        }
    }
}

/// How a number is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    /// A fraction, read as percent.
    Percent,
    /// A plain ratio.
    Ratio,
    /// A whole number of something.
    Count,
    /// Multiples of the risk.
    R,
    /// The account's currency.
    Money,
    /// A probability between 0 and 1.
    Probability,
}

/// One figure as it is shown.
#[derive(Clone, Debug, PartialEq)]
pub struct Shown {
    /// What it is about.
    pub group: Group,
    /// Name for programs; unique in its group.
    pub name: &'static str,
    /// Name for people.
    pub label: &'static str,
    /// Formula: `SECTION.name` of the reference on validation, or `own.name`.
    pub formula: &'static str,
    /// How it is written.
    pub unit: Unit,
    /// The point estimate, or why there is none.
    pub value: Result<f64, String>,
    /// Observations behind it.
    pub n: usize,
    /// What is counted by `n`.
    pub of: &'static str,
    /// Periods a year, if it is a figure a year.
    pub per_year: Option<PeriodsPerYear>,
    /// The bootstrap interval, or why there is none.
    pub interval: Result<Interval, &'static str>,
}

impl Shown {
    /// A number of this unit as people read it; with more decimals where the figure itself is small.
    pub fn write(&self, value: f64, money_decimals: usize) -> String {
        let point = self.value.as_ref().map_or(1.0, |value| value.abs());
        match self.unit {
            Unit::Percent => percent(value, if point < 0.001 && point > 0.0 { 4 } else { 2 }),
            Unit::Ratio => grouped(value, if point < 0.1 && point > 0.0 { 3 } else { 2 }),
            Unit::Probability => grouped(value, 3),
            Unit::Count => grouped(value, if value.fract() == 0.0 { 0 } else { 1 }),
            Unit::R => grouped(value, 2) + " R",
            Unit::Money => grouped(value, money_decimals),
        }
    }

    /// Both ends of the interval, the unit once.
    pub fn span(&self, interval: &Interval, money_decimals: usize) -> String {
        let [low, high] = [interval.low, interval.high].map(|end| self.write(end, money_decimals));
        let low = low.strip_suffix(" %").or(low.strip_suffix(" R")).unwrap_or(&low);
        format!("{low} … {high}")
    }

    /// The value, or a dash.
    pub fn written(&self, money_decimals: usize) -> String {
        self.value.as_ref().map_or_else(|_| "—".into(), |value| self.write(*value, money_decimals))
    }
}

/// Observations below which resamples say nothing: those of one trade all are that trade.
const INTERVAL_N_MIN: usize = 5;

const FEW: &str = "fewer than 5 observations";
const RARE: &str = "too few resamples define it";
const TOTAL: &str = "a total of the run: nothing to resample";
const ITSELF: &str = "a statement about the estimate";
const SEE_YEAR: &str = "that of the ratio a year";
const UNDEFINED: &str = "no value";

/// Everything that can be said of an outcome.
pub fn figures(outcome: &Outcome, curve: &Curve, meta: &Meta) -> Result<Vec<Shown>, BadInput> {
    let returns = outcome.returns();
    let periods_a_day = 86_400e9 / outcome.period_ns.max(1) as f64;
    let per_year = PeriodsPerYear::new(meta.days_per_year.get() * periods_a_day)?;
    let maker = Maker { outcome, meta, returns: &returns, per_year };
    let mut all = maker.returns(curve)?;
    all.extend(maker.luck());
    all.extend(maker.trades_r()?);
    all.extend(maker.trades_money()?);
    all.extend(maker.excursions()?);
    all.extend(maker.activity()?);
    all.extend(maker.benchmark()?);
    Ok(all)
}

struct Maker<'a> {
    outcome: &'a Outcome,
    meta: &'a Meta,
    returns: &'a [f64],
    per_year: PeriodsPerYear,
}

/// Stands in for an empty series, so that figures without a value still have names.
const BLANK: [f64; 1] = [0.0];

fn empty() -> Value {
    Err(Undefined::TooFew { needed: 1, got: 0 })
}

impl Maker<'_> {
    /// Resamples that the time for them allows.
    fn how(&self, n: usize) -> Resampling {
        let most = (DRAWS_MAX / n.max(1)).max(RESAMPLES_MIN);
        Resampling { resamples: self.meta.resampling.resamples.min(most), ..self.meta.resampling }
    }

    fn returns(&self, curve: &Curve) -> Result<Vec<Shown>, BadInput> {
        let n = self.returns.len();
        let figures = match Series::new("returns", self.returns) {
            Ok(series) => ReturnMetrics::report(series, self.meta.risk_free, self.per_year, self.how(n))?,
            Err(_) => {
                let blank = Series::new("returns", &BLANK)?;
                ReturnMetrics::of(blank, self.meta.risk_free, self.per_year)?.figures().map(without_sample)
            }
        };
        let within = if n == 0 { empty() } else { Ok(curve.worst_within) };
        let mut all: Vec<Shown> =
            figures.iter().map(|figure| shown(Group::Returns, figure, "periods", RARE)).collect();
        let within = Figure::new("max_drawdown_within", "own.max_drawdown_within", within, n);
        let after =
            all.iter().position(|figure| figure.name == "max_drawdown").map_or(all.len(), |at| at + 1);
        all.insert(after, shown(Group::Returns, &within, "periods", "lows within periods are not resampled"));
        Ok(all)
    }

    fn luck(&self) -> Vec<Shown> {
        let known = self.meta.trials.and_then(|trials| trials.independent);
        let trials = known.and_then(|(count, variance)| Trials::new(count, variance).ok());
        let single = Trials::new(1, 0.0).ok();
        let ratio = match Series::new("returns", self.returns) {
            Ok(series) => SharpeRatio::of(series),
            Err(_) => Err(Undefined::TooFew { needed: 4, got: 0 }),
        };
        let Some(assumed) = trials.or(single) else { return Vec::new() };
        let blank = SharpeRatio { sr: 0.0, n: self.returns.len() as u64, skew: 0.0, kurt: 3.0 };
        let figures = ratio.unwrap_or(blank).figures(0.0, 0.95, assumed);
        let mut all = Vec::new();
        for mut figure in figures {
            if let Err(reason) = ratio {
                figure.value = Err(reason);
            }
            let no_interval = if figure.name == "sharpe_per_period" { SEE_YEAR } else { ITSELF };
            let mut one = shown(Group::Luck, &figure, "periods", no_interval);
            if one.name == "dsr" && trials.is_none() {
                one.value = Err("how the trials before this one came out is not known".into());
                one.interval = Err(UNDEFINED);
            }
            all.push(one);
        }
        all
    }

    fn trades_r(&self) -> Result<Vec<Shown>, BadInput> {
        let multiples: Vec<f64> = self.outcome.trades.iter().filter_map(Trade::r).collect();
        self.trades(Group::TradesR, &multiples)
    }

    fn trades_money(&self) -> Result<Vec<Shown>, BadInput> {
        let net: Vec<f64> = self.outcome.trades.iter().map(|trade| crate::text::float(trade.net.0)).collect();
        let of_r = ["max_consecutive_losses", "max_consecutive_wins"];
        let all = self.trades(Group::TradesMoney, &net)?;
        // A run of losses is the same in money; it is said once, unless there are trades without a stop.
        let same = self.outcome.trades.iter().all(|trade| trade.r().is_some());
        Ok(all.into_iter().filter(|figure| !(same && of_r.contains(&figure.name))).collect())
    }

    fn trades(&self, group: Group, values: &[f64]) -> Result<Vec<Shown>, BadInput> {
        let n = values.len();
        let Ok(series) = Series::new("trades", values) else {
            let blank = TradeMetrics::of(Series::new("trades", &BLANK)?).figures().map(without_sample);
            return Ok(blank.iter().map(|figure| shown(group, figure, "trades", RARE)).collect());
        };
        let intervals = bootstrap::intervals(series, self.how(n), |drawn| {
            values_of(Series::new("trades", drawn).map(|drawn| TradeMetrics::of(drawn).figures()))
        })?;
        Ok(together(group, "trades", TradeMetrics::of(series).figures(), intervals))
    }

    fn excursions(&self) -> Result<Vec<Shown>, BadInput> {
        let rows: Vec<[f64; 3]> = self.outcome.trades.iter().filter_map(excursion).collect();
        let n = rows.len();
        let figures = |rows: &[[f64; 3]]| {
            let column = |nth: usize| rows.iter().map(|row| row[nth]).collect::<Vec<f64>>();
            let multiples = column(0);
            let series = Series::new("trades", &multiples)?;
            Ok(Excursions::of(series, &column(1), &column(2))?.figures())
        };
        if n == 0 {
            let blank = figures(&[[0.0; 3]])?.map(without_sample);
            return Ok(blank.iter().map(|figure| shown(Group::Excursions, figure, "trades", RARE)).collect());
        }
        let intervals = self.by_place(n, |places| {
            values_of(figures(&places.iter().map(|place| rows[*place]).collect::<Vec<_>>()))
        })?;
        Ok(together(Group::Excursions, "trades", figures(&rows)?, intervals))
    }

    fn activity(&self) -> Result<Vec<Shown>, BadInput> {
        let outcome = self.outcome;
        let points = &outcome.points;
        let n = points.len();
        let equity: Vec<f64> = points.iter().map(|point| crate::text::float(point.equity.0)).collect();
        let costs = CostShare::of(outcome);
        let held = points.iter().filter(|point| point.exposed_ns > 0).count();
        let run = Activity {
            trades: outcome.trades.len(),
            periods: n,
            periods_held: held,
            traded: crate::text::float(outcome.costs.turnover.0),
            equity_mean: if n == 0 { 0.0 } else { mean(&equity) },
            gross_profit: costs.gross_profit,
            costs: costs.paid,
        };
        let mut figures = run.figures(self.per_year)?;
        if n == 0 {
            figures[2].value = empty();
        }
        let intervals = if n == 0 {
            [None; 4]
        } else {
            self.by_place(n, |places| {
                let drawn: Vec<f64> = places.iter().map(|place| equity[*place]).collect();
                let traded = places.iter().map(|place| crate::text::float(points[*place].turnover.0)).sum();
                let periods_held = places.iter().filter(|place| points[**place].exposed_ns > 0).count();
                values_of(
                    Activity { periods_held, traded, equity_mean: mean(&drawn), ..run }
                        .figures(self.per_year),
                )
            })?
        };
        let mut all = Vec::new();
        for (figure, interval) in figures.into_iter().zip(intervals) {
            let is_total = matches!(figure.name, "trades" | "cost_share");
            let figure = Figure { interval: interval.filter(|_| !is_total), ..figure };
            let of = if is_total { "trades" } else { "periods" };
            all.push(shown(Group::Activity, &figure, of, if is_total { TOTAL } else { RARE }));
        }
        let span = outcome.span.1.since(outcome.span.0);
        let exposed: u64 = points.iter().map(|point| point.exposed_ns).fold(0, u64::saturating_add);
        let share = if span == 0 { empty() } else { Ok(exposed as f64 / span as f64) };
        let figure = Figure::new("time_in_market", "own.time_in_market", share, n);
        all.push(shown(Group::Activity, &figure, "periods", TOTAL));
        Ok(all)
    }

    fn benchmark(&self) -> Result<Vec<Shown>, BadInput> {
        let Some(benchmark) = &self.meta.benchmark else { return Ok(Vec::new()) };
        let (ours, theirs) = (self.returns, &benchmark.returns);
        let figures = |ours: &[f64], theirs: &[f64]| {
            let (ours, theirs) = (Series::new("returns", ours)?, Series::new("benchmark", theirs)?);
            Ok(BenchmarkMetrics::of(ours, theirs, self.per_year)?.figures())
        };
        if ours.is_empty() {
            let blank = figures(&BLANK, &BLANK)?.map(without_sample);
            return Ok(blank.iter().map(|figure| shown(Group::Benchmark, figure, "periods", RARE)).collect());
        }
        let point = figures(ours, theirs)?;
        let intervals = self.by_place(ours.len(), |places| {
            let [ours, theirs] =
                [ours, theirs].map(|of| places.iter().map(|place| of[*place]).collect::<Vec<f64>>());
            values_of(figures(&ours, &theirs))
        })?;
        Ok(together(Group::Benchmark, "periods", point, intervals))
    }

    /// Resamples of observations that are more than one number: their places are drawn.
    fn by_place<const K: usize>(
        &self,
        n: usize,
        statistic: impl Fn(&[usize]) -> [Value; K],
    ) -> Result<[Option<Interval>; K], BadInput> {
        let places: Vec<f64> = (0..n).map(|place| place as f64).collect();
        bootstrap::intervals(Series::new("places", &places)?, self.how(n), |drawn| {
            statistic(&drawn.iter().map(|place| *place as usize).collect::<Vec<usize>>())
        })
    }
}

/// R, MAE and MFE of a trade that had a stop.
pub fn excursion(trade: &Trade) -> Option<[f64; 3]> {
    let risked = trade.risked.0 as f64;
    let of_risk = |amount: i64| amount.max(0) as f64 / risked;
    trade.r().map(|r| [r, of_risk(trade.mae.0), of_risk(trade.mfe.0)])
}

/// What trading cost against what it brought.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct CostShare {
    /// Profit of all trades that made some, at the prices of their fills.
    pub gross_profit: f64,
    /// Fees, spread, impact, funding and financing; positive is paid.
    pub paid: f64,
}

impl CostShare {
    /// Of a run, trades that are open included, since their costs are.
    pub fn of(outcome: &Outcome) -> Self {
        let gains = outcome.trades.iter().chain(&outcome.open).map(|trade| trade.gross.0.max(0));
        let costs = &outcome.costs;
        let paid =
            [costs.maker_fees, costs.taker_fees, costs.spread, costs.impact, costs.funding, costs.financing];
        let sum = |amounts: &mut dyn Iterator<Item = i64>| {
            amounts.map(i128::from).sum::<i128>() as f64 / smc_core::words::SCALE as f64
        };
        Self { gross_profit: sum(&mut gains.into_iter()), paid: sum(&mut paid.iter().map(|cost| cost.0)) }
    }
}

fn without_sample(figure: Figure) -> Figure {
    Figure { value: empty(), n: 0, interval: None, ..figure }
}

fn values_of<const K: usize>(figures: Result<[Figure; K], BadInput>) -> [Value; K] {
    figures.map_or([Err(Undefined::Overflow); K], |figures| figures.map(|figure| figure.value))
}

fn together<const K: usize>(
    group: Group,
    of: &'static str,
    figures: [Figure; K],
    intervals: [Option<Interval>; K],
) -> Vec<Shown> {
    let pairs = figures.into_iter().zip(intervals);
    pairs.map(|(figure, interval)| shown(group, &Figure { interval, ..figure }, of, RARE)).collect()
}

fn shown(group: Group, figure: &Figure, of: &'static str, no_interval: &'static str) -> Shown {
    let Figure { name, formula, value, n, per_year, interval } = *figure;
    let (label, unit) = words(group, name);
    let interval = match interval {
        _ if value.is_err() => Err(UNDEFINED),
        Some(_) if n < INTERVAL_N_MIN => Err(FEW),
        interval => interval.ok_or(no_interval),
    };
    let value = value.map_err(|reason| reason.to_string());
    Shown { group, name, label, formula, unit, value, n, of, per_year, interval }
}

/// Name and unit.
fn words(group: Group, name: &'static str) -> (&'static str, Unit) {
    use Unit::{Count, Money, Percent, Probability, R, Ratio};
    let own = match group {
        Group::TradesMoney => Money,
        _ => R,
    };
    match name {
        "total_return" => ("Total return", Percent),
        "cagr" => ("Compound annual growth", Percent),
        "mean" => ("Mean return a period", Percent),
        "ann_vol" => ("Volatility", Percent),
        "sharpe" => ("Sharpe ratio", Ratio),
        "downside_dev" => ("Downside deviation", Percent),
        "sortino" => ("Sortino ratio", Ratio),
        "max_drawdown" => ("Maximum drawdown", Percent),
        "max_drawdown_within" => ("Maximum drawdown, lows within periods", Percent),
        "longest_underwater" => ("Longest time under water, in periods", Count),
        "calmar" => ("Calmar ratio", Ratio),
        "ulcer_index" => ("Ulcer index", Percent),
        "pain_index" => ("Pain index", Percent),
        "recovery_factor" => ("Recovery factor", Ratio),
        "omega_0" => ("Omega at 0", Ratio),
        "gain_to_pain" => ("Gain to pain", Ratio),
        "profit_factor" if group == Group::Returns => ("Profit factor of periods", Ratio),
        "profit_factor" => ("Profit factor", Ratio),
        "win_rate" if group == Group::Returns => ("Share of periods with a gain", Percent),
        "win_rate" => ("Win rate", Percent),
        "payoff" => ("Mean gain per mean loss", Ratio),
        "skew" => ("Skew", Ratio),
        "excess_kurt" => ("Excess kurtosis", Ratio),
        "tail_ratio" => ("Tail ratio", Ratio),
        "var_95_linear" => ("Value at risk, 95 %", Percent),
        "es_95" => ("Expected shortfall, 95 %", Percent),
        "sharpe_per_period" => ("Sharpe ratio a period", Ratio),
        "psr" => ("Probability that the Sharpe ratio is above 0", Probability),
        "min_track_record" => ("Periods needed to show it at 95 %", Count),
        "dsr" => ("The same after all trials (deflated)", Probability),
        "avg_win" => ("Mean win", own),
        "avg_loss" => ("Mean loss", own),
        "expectancy_r" => ("Expectancy a trade", own),
        "sqn" => ("System quality number", Ratio),
        "max_consecutive_losses" => ("Longest run of losses", Count),
        "max_consecutive_wins" => ("Longest run of wins", Count),
        "max_drawdown_r" => ("Maximum drawdown over trades", own),
        "mae_mean" => ("Mean adverse excursion", R),
        "mfe_mean" => ("Mean favourable excursion", R),
        "mae_mean_of_wins" => ("Mean adverse excursion of wins", R),
        "mfe_mean_of_losses" => ("Mean favourable excursion of losses", R),
        "edge_ratio" => ("Favourable per adverse excursion", Ratio),
        "kept" => ("Share of favourable excursion kept", Percent),
        "trades" => ("Closed trades", Count),
        "exposure" => ("Periods with a position", Percent),
        "time_in_market" => ("Time with a position", Percent),
        "turnover_ann" => ("Turnover, in times of equity", Ratio),
        "cost_share" => ("Costs, share of gross profit", Percent),
        "beta" => ("Beta", Ratio),
        "alpha_ann_simple" => ("Alpha, simple", Percent),
        "tracking_error_ann" => ("Tracking error", Percent),
        "information_ratio_per_period" => ("Information ratio a period", Ratio),
        "correlation" => ("Correlation", Ratio),
        "stability_r2" => ("Stability (R² of the log curve)", Ratio),
        "up_capture" => ("Up capture", Percent),
        "down_capture" => ("Down capture", Percent),
        // A figure that is new to this page still has its own name.
        other => (other, Ratio),
    }
}
