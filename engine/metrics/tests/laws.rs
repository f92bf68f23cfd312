//! Laws that figures obey: scaling, order, and values that a closed form gives.
#![allow(clippy::unwrap_used, reason = "a helper that panics fails its test")]

use proptest::prelude::*;
use smc_metrics::benchmark::BenchmarkMetrics;
use smc_metrics::bootstrap::Resampling;
use smc_metrics::returns::ReturnMetrics;
use smc_metrics::sharpe::SharpeRatio;
use smc_metrics::trades::{Excursions, TradeMetrics};
use smc_metrics::{Figure, PeriodsPerYear, Random, Series, Undefined, Value};

fn series(values: &[f64]) -> Series<'_> {
    Series::new("values", values).unwrap()
}

fn metrics(returns: &[f64]) -> ReturnMetrics {
    ReturnMetrics::of(series(returns), 0.0, PeriodsPerYear::CRYPTO_DAYS).unwrap()
}

/// Equal, or both undefined; relative to the larger of the two and to `unit`.
fn near(a: Value, b: Value, unit: f64) -> bool {
    match (a, b) {
        (Ok(a), Ok(b)) => (a - b).abs() <= 1e-9 * a.abs().max(b.abs()).max(unit),
        _ => a.is_err() && b.is_err(),
    }
}

fn value(figures: &[Figure], name: &str) -> Value {
    figures.iter().find(|figure| figure.name == name).unwrap().value
}

/// Figures that depend on the order of returns.
const PATH: [&str; 6] =
    ["max_drawdown", "longest_underwater", "calmar", "ulcer_index", "pain_index", "recovery_factor"];

fn returns() -> impl Strategy<Value = Vec<f64>> {
    // Multiples of 0.001, so that ties and zeros are there.
    prop::collection::vec((-90i32..=90).prop_map(|step| f64::from(step) / 1_000.0), 1..60)
}

proptest! {
    #[test]
    fn the_order_of_returns_matters_only_to_the_path(returns in returns(), seed in any::<u64>()) {
        let mut other = returns.clone();
        Random::new(seed).shuffle(&mut other);
        let (one, two) = (metrics(&returns).figures(), metrics(&other).figures());
        for figure in one.iter().filter(|figure| !PATH.contains(&figure.name)) {
            prop_assert!(near(figure.value, value(&two, figure.name), 1e-3), "{}", figure.name);
        }
    }

    /// Ratios have no unit; deviations and quantiles have that of the returns.
    #[test]
    fn returns_in_another_unit(returns in returns(), exponent in -3i32..=3) {
        let unit = 2f64.powi(exponent);
        let scaled: Vec<f64> = returns.iter().map(|value| value * unit).collect();
        let (one, two) = (metrics(&returns).figures(), metrics(&scaled).figures());
        let same = ["sharpe", "sortino", "omega_0", "gain_to_pain", "win_rate", "payoff", "skew", "excess_kurt", "tail_ratio"];
        for name in same {
            prop_assert_eq!(value(&one, name), value(&two, name), "a power of two changes no bit: {}", name);
        }
        for name in ["mean", "ann_vol", "downside_dev", "var_95_linear", "es_95"] {
            prop_assert_eq!(value(&one, name).map(|value| value * unit), value(&two, name), "{}", name);
        }
    }

    #[test]
    fn bounds_hold_and_nothing_is_no_number(returns in returns()) {
        let metrics = metrics(&returns);
        for figure in metrics.figures() {
            prop_assert!(figure.value.is_ok_and(f64::is_finite) || figure.value.is_err(), "{}", figure.name);
            prop_assert_eq!(figure.n, returns.len());
        }
        let deepest = metrics.max_drawdown.unwrap();
        let (ulcer, pain) = (metrics.ulcer_index.unwrap(), metrics.pain_index.unwrap());
        prop_assert!((-1.0..=0.0).contains(&deepest));
        prop_assert!(pain <= ulcer + 1e-15 && ulcer <= -deepest + 1e-15);
        prop_assert!(metrics.longest_underwater <= returns.len());
        prop_assert!(metrics.es_95.unwrap() >= metrics.var_95_linear.unwrap() - 1e-12 || returns.len() > 20);
        if let (Ok(omega), Ok(pain)) = (metrics.omega_0, metrics.gain_to_pain) {
            prop_assert!((omega - 1.0 - pain).abs() < 1e-9 * omega.max(1.0));
        }
    }

    /// A strategy that is a line of the benchmark is explained by it.
    #[test]
    fn a_line_has_its_slope_and_height(benchmark in returns(), beta in -3i32..=3, alpha in -5i32..=5) {
        let (beta, alpha) = (f64::from(beta), f64::from(alpha) / 10_000.0);
        let ours: Vec<f64> = benchmark.iter().map(|value| alpha + beta * value).collect();
        let found =
            BenchmarkMetrics::of(series(&ours), series(&benchmark), PeriodsPerYear::FX_DAYS).unwrap();
        let varies = benchmark.iter().any(|value| *value != benchmark[0]);
        prop_assert_eq!(found.beta.is_ok(), varies);
        if varies {
            prop_assert!((found.beta.unwrap() - beta).abs() < 1e-9);
            prop_assert!((found.alpha_ann_simple.unwrap() - 252.0 * alpha).abs() < 1e-9);
            if beta != 0.0 {
                prop_assert!((found.correlation.unwrap() - beta.signum()).abs() < 1e-9);
            }
        }
    }

    #[test]
    fn trades_in_any_order_have_the_same_shares(trades in returns(), seed in any::<u64>()) {
        let mut other = trades.clone();
        Random::new(seed).shuffle(&mut other);
        let (one, two) = (TradeMetrics::of(series(&trades)), TradeMetrics::of(series(&other)));
        for (a, b) in [
            (one.win_rate, two.win_rate),
            (one.avg_win, two.avg_win),
            (one.avg_loss, two.avg_loss),
            (one.payoff, two.payoff),
            (one.expectancy_r, two.expectancy_r),
            (one.profit_factor, two.profit_factor),
            (one.sqn, two.sqn),
        ] {
            prop_assert!(near(a, b, 1e-3));
        }
        let wins = trades.iter().filter(|r| **r > 0.0).count();
        prop_assert!(one.max_consecutive_wins <= wins && one.max_consecutive_losses <= trades.len() - wins);
        // Expectancy by its parts.
        if let (Ok(win), Ok(loss), Ok(rate)) = (one.avg_win, one.avg_loss, one.win_rate) {
            let parts = rate * win + (1.0 - rate) * loss;
            prop_assert!((parts - one.expectancy_r.unwrap()).abs() < 1e-12);
        }
    }

    #[test]
    fn a_higher_bar_is_less_likely_to_be_met(returns in returns(), low in -0.5f64..0.5, step in 0.0f64..0.5) {
        if let Ok(measured) = SharpeRatio::of(series(&returns))
            && let (Ok(low), Ok(high)) =
                (measured.probability_above(low), measured.probability_above(low + step))
        {
            prop_assert!(high <= low + 1e-15);
            prop_assert!((0.0..=1.0).contains(&high));
        }
    }
}

#[test]
fn closed_forms() {
    // Growth of 1 % a period, n periods a year, is that growth.
    let steady = metrics(&[0.01; 365]);
    assert!((steady.cagr.unwrap() - (1.01f64.powi(365) - 1.0)).abs() < 1e-9);
    assert_eq!(steady.sharpe, Err(Undefined::NoVariation));
    assert_eq!(steady.calmar, Err(Undefined::NoDrawdown));
    // Up and down by turns.
    let turns: Vec<f64> = (0..100).map(|nth| if nth % 2 == 0 { 0.02 } else { -0.01 }).collect();
    let turns = metrics(&turns);
    assert_eq!((turns.omega_0, turns.payoff, turns.win_rate), (Ok(2.0), Ok(2.0), Ok(0.5)));
    assert!((turns.max_drawdown.unwrap() + 0.01).abs() < 1e-12);
    // Gone is gone, whatever comes.
    let gone = metrics(&[0.1, -1.0, 5.0]);
    assert_eq!((gone.total_return, gone.cagr, gone.max_drawdown), (Ok(-1.0), Ok(-1.0), Ok(-1.0)));
    assert_eq!(metrics(&[-1.5, -1.5]).cagr, Ok(-1.0), "two losses of more than all are no gain");
    // Beyond numbers is undefined, not infinite.
    assert_eq!(metrics(&[[1e60; 6].as_slice(), &[-0.1]].concat()).total_return, Err(Undefined::Overflow));
    assert!(metrics(&[1.0; 2]).cagr.is_ok() && metrics(&[1e9]).cagr == Err(Undefined::Overflow));
    assert_eq!(metrics(&[0.5]).ann_vol, Err(Undefined::TooFew { needed: 2, got: 1 }));
    assert_eq!(metrics(&[0.0; 4]).win_rate, Err(Undefined::AllZero));
}

#[test]
fn a_report_carries_formula_size_year_and_interval() {
    let mut random = Random::new(17);
    let returns: Vec<f64> = (0..250).map(|_| 0.001 + 0.01 * random.normal()).collect();
    let how = Resampling { seed: 1, resamples: 200, block_mean: None };
    let year = PeriodsPerYear::CRYPTO_DAYS;
    let report = ReturnMetrics::report(series(&returns), 0.0, year, how).unwrap();
    let plain = metrics(&returns).figures();
    for (figure, plain) in report.iter().zip(plain) {
        assert_eq!(figure.value, plain.value);
        assert_eq!((figure.n, figure.formula.starts_with("6.")), (250, true));
        let interval = figure.interval.unwrap();
        assert!(interval.low <= interval.high, "{}", figure.name);
    }
    assert_eq!(report.iter().filter(|figure| figure.per_year == Some(year)).count(), 6);
    let sharpe = report.iter().find(|figure| figure.name == "sharpe").unwrap();
    let interval = sharpe.interval.unwrap();
    assert!((interval.low..=interval.high).contains(&sharpe.value.unwrap()));
    assert_eq!(report, ReturnMetrics::report(series(&returns), 0.0, year, how).unwrap(), "the same seed");
    let other = ReturnMetrics::report(series(&returns), 0.0, year, Resampling { seed: 2, ..how }).unwrap();
    assert_ne!(report, other);
}

#[test]
fn excursions_are_those_of_their_trades() {
    let (r, mae, mfe) = ([2.0, -1.0, 0.0], [0.5, 1.0, 0.3], [2.5, 0.5, 1.0]);
    let all = Excursions::of(series(&r), &mae, &mfe).unwrap();
    assert_eq!((all.mae_mean_of_wins, all.mfe_mean_of_losses), (Ok(0.5), Ok(0.75)));
    assert_eq!((all.edge_ratio, all.kept), (Ok(4.0 / 1.8), Ok(0.25)));
    assert!(Excursions::of(series(&r), &mae[..2], &mfe).is_err());
    assert!(Excursions::of(series(&r), &[-0.1, 1.0, 1.0], &mfe).is_err());
}
