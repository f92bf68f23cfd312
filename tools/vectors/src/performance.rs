//! What a record of returns or trades says, and how far its Sharpe ratio can be believed.

use crate::case::{figure, number};
use crate::{CaseError, Input};
use serde_json::{Map, Value, json};
use smc_metrics::benchmark::BenchmarkMetrics;
use smc_metrics::returns::ReturnMetrics;
use smc_metrics::sharpe::{SharpeRatio, Trials};
use smc_metrics::trades::TradeMetrics;
use smc_metrics::{PeriodsPerYear, Series};

/// `None` for a function that is not of this family.
pub fn evaluate(function: &str, input: Input<'_>) -> Option<Result<Value, CaseError>> {
    Some(match function {
        "return_metrics" => return_metrics(input),
        "benchmark_metrics" => benchmark_metrics(input),
        "trade_metrics" => trade_metrics(input),
        "psr" => psr(input),
        "dsr" => dsr(input),
        _ => return None,
    })
}

fn return_metrics(input: Input<'_>) -> Result<Value, CaseError> {
    let returns = input.floats("returns")?;
    let year = PeriodsPerYear::new(input.float("periods_per_year")?)?;
    let metrics = ReturnMetrics::of(Series::new("returns", &returns)?, input.float("rf_per_period")?, year)?;
    let figures = metrics.figures().map(|shown| (shown.name.to_owned(), figure(shown.value)));
    let mut out: Map<String, Value> = figures.into_iter().collect();
    // Counts are whole.
    out.insert("n".into(), json!(metrics.n));
    out.insert("longest_underwater".into(), json!(metrics.longest_underwater));
    Ok(Value::Object(out))
}

fn benchmark_metrics(input: Input<'_>) -> Result<Value, CaseError> {
    let (returns, benchmark) = (input.floats("returns")?, input.floats("benchmark")?);
    let year = PeriodsPerYear::new(input.float("periods_per_year")?)?;
    let (returns, benchmark) = (Series::new("returns", &returns)?, Series::new("benchmark", &benchmark)?);
    let metrics = BenchmarkMetrics::of(returns, benchmark, year)?;
    Ok(json!({
        "beta": figure(metrics.beta),
        "alpha_ann_simple": figure(metrics.alpha_ann_simple),
        "tracking_error_ann": figure(metrics.tracking_error_ann),
        "information_ratio_per_period": figure(metrics.information_ratio_per_period),
        "correlation": figure(metrics.correlation),
        "stability_r2": figure(metrics.stability_r2),
    }))
}

fn trade_metrics(input: Input<'_>) -> Result<Value, CaseError> {
    let trades = input.floats("r_multiples")?;
    let metrics = TradeMetrics::of(Series::new("r_multiples", &trades)?);
    Ok(json!({
        "n": metrics.n,
        "win_rate": figure(metrics.win_rate),
        "avg_win": figure(metrics.avg_win),
        "avg_loss": figure(metrics.avg_loss),
        "payoff": figure(metrics.payoff),
        "expectancy_r": figure(metrics.expectancy_r),
        "profit_factor": figure(metrics.profit_factor),
        "sqn": figure(metrics.sqn),
        "max_consecutive_losses": metrics.max_consecutive_losses,
        "max_drawdown_r": figure(metrics.max_drawdown_r),
    }))
}

fn psr(input: Input<'_>) -> Result<Value, CaseError> {
    let returns = input.floats("returns")?;
    let (benchmark, confidence) = (input.float("sr_benchmark")?, input.float("confidence")?);
    if !(0.0..1.0).contains(&confidence) || confidence == 0.0 {
        return Err(CaseError::Field { name: "confidence", wanted: "between 0 and 1" });
    }
    let measured = SharpeRatio::of(Series::new("returns", &returns)?);
    let of = |ask: &dyn Fn(&SharpeRatio) -> smc_metrics::Value| {
        figure(measured.and_then(|measured| ask(&measured)))
    };
    Ok(json!({
        "sr": of(&|measured| Ok(measured.sr)),
        "skew": of(&|measured| Ok(measured.skew)),
        "kurt": of(&|measured| Ok(measured.kurt)),
        "psr_vs_0": of(&|measured| measured.probability_above(0.0)),
        "psr_vs_benchmark": of(&|measured| measured.probability_above(benchmark)),
        "min_track_record": of(&|measured| measured.min_track_record(benchmark, confidence)),
    }))
}

fn dsr(input: Input<'_>) -> Result<Value, CaseError> {
    let measured = SharpeRatio {
        sr: input.float("sr")?,
        n: input.count("n_obs")?,
        skew: input.float("skew")?,
        kurt: input.float("kurt")?,
    };
    let trials = Trials::new(input.count("n_trials")?, input.float("var_trials")?)?;
    let best = number(Some(trials.expected_best()));
    Ok(json!({ "sr0": best, "dsr": figure(measured.deflated(trials)) }))
}
