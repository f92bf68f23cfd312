//! What the referee promises beyond its verdicts: the same bytes for any count of workers, a hold-out that opens once, a ledger
//! that knows of every look, a report that cannot be changed.
#![allow(clippy::unwrap_used, reason = "a helper that panics fails its test")]

use smc_metrics::permutation::Ohlc;
use smc_metrics::{PeriodsPerYear, Random};
use smc_trials::{Entry, Head, Ledger};
use smc_validate::fixtures::campaign::settings;
use smc_validate::fixtures::planted::{News, Rule, with_edge};
use smc_validate::fixtures::{DAY_NS, coin};
use smc_validate::hold_out::{Cut, Opened};
use smc_validate::look_ahead::run::Cuts;
use smc_validate::market::{Market, Markets, Periods};
use smc_validate::pipeline::Pipeline;
use smc_validate::referee::{Settings, Verdict, validate};
use smc_validate::report::{self, Context};
use smc_validate::signature::{Signer, verify};
use smc_validate::workers::Workers;
use smc_validate::{choice, luck, permute, pipeline};
use std::num::NonZeroUsize;
use std::path::Path;

/// The reference's tests with fewer draws.
fn quick(seed: u64) -> Settings {
    Settings {
        permutations_in_sample: 120,
        permutations_walk_forward: 40,
        interval_resamples: 50,
        reality_resamples: 200,
        trade_resamples: 200,
        ..settings(seed, Cuts::Evenly(20))
    }
}

fn judged(ledger: &Path, workers: usize, at_ns: u64) -> (Verdict, String) {
    let (rule, markets, settings) = (Rule::new("1").unwrap(), with_edge(3, News::Dealt).unwrap(), quick(3));
    let mut ledger = Ledger::open(ledger).unwrap();
    let workers = Workers::new(NonZeroUsize::new(workers).unwrap());
    let verdict = validate(&rule, &markets, &settings, &mut ledger, at_ns, workers, &|_, _, _| {}).unwrap();
    let context = Context { at_ns, program: "test", configuration: "none" };
    let document = report::json(&verdict, &rule, &markets, &settings, &context);
    (verdict, report::line(&document).unwrap())
}

/// V-02: one worker and sixteen write the same report, byte by byte, and the same ledger.
#[test]
fn reports_do_not_depend_on_the_count_of_workers() {
    let home = tempfile::tempdir().unwrap();
    let paths = [home.path().join("one"), home.path().join("sixteen")];
    let (_, one) = judged(&paths[0], 1, 7);
    let (_, sixteen) = judged(&paths[1], 16, 7);
    assert_eq!(one, sixteen);
    assert_eq!(std::fs::read(&paths[0]).unwrap(), std::fs::read(&paths[1]).unwrap());
}

/// V-11, V-12, and a report that knows its ledger.
#[test]
fn every_look_is_counted_and_the_hold_out_opens_once() {
    let home = tempfile::tempdir().unwrap();
    let path = home.path().join("trials");
    let (first, line) = judged(&path, 4, 7);
    assert!(first.is_accepted(), "{:?} {:?}", first.failing(), first.hold_out);
    assert!(matches!(first.hold_out, Opened::Read(_)));
    // Twenty-five candidates, two walks, the hold-out.
    let ledger = Ledger::open(&path).unwrap();
    assert_eq!(ledger.trials("kick").count(), 28);
    let stage = |name: &str| ledger.trials("kick").filter(|trial| trial.stage == name).count();
    assert_eq!((stage("grid"), stage("walk_forward"), stage("hold_out")), (25, 1, 1));
    // Nothing but the hold-out's own entry reaches into the kept part.
    let late = ledger.trials("kick").filter(|trial| trial.data.to_ns > first.cut.from_ns);
    assert_eq!(late.map(|trial| trial.stage.as_str()).collect::<Vec<_>>(), ["hold_out"]);
    drop(ledger);

    // The same version again: refused, logged, rejected; and deflated by twice the trials.
    let (second, _) = judged(&path, 4, 8);
    assert_eq!(second.hold_out, Opened::Refused { opened_ns: 7 });
    assert!(second.passes_gate() && !second.is_accepted());
    assert_eq!((first.deflated.trials_made, second.deflated.trials_made), (27, 55));
    assert_eq!((first.hold_out_seen, second.hold_out_seen), (0, 1));
    let ledger = Ledger::open(&path).unwrap();
    let refused = ledger.entries().iter().filter(|entry| matches!(entry, Entry::HoldOutRefused(_))).count();
    assert_eq!(refused, 1);
    drop(ledger);

    // Signed, and tied to its ledger: one that was cut back is not the one that the report knew.
    let key = home.path().join("referee.pem");
    let public = Signer::create(&key).unwrap();
    let signed = Signer::open(&key).unwrap().sign(&line).unwrap();
    let document: serde_json::Value = serde_json::from_str(verify(&signed, &public).unwrap()).unwrap();
    let text = report::text(&document);
    assert!(text.starts_with("kick 1: ACCEPTED for research to paper"), "{text}");
    let head = Head {
        entries: document["ledger"]["entries"].as_u64().unwrap(),
        hash: document["ledger"]["head"].as_str().unwrap().into(),
    };
    assert_eq!(head, first.ledger);
    Ledger::verify(&path, Some(&head)).unwrap();
    let all = std::fs::read_to_string(&path).unwrap();
    let cut: String = all.lines().take(10).map(|line| format!("{line}\n")).collect();
    std::fs::write(&path, cut).unwrap();
    assert!(Ledger::verify(&path, Some(&head)).is_err());

    // V-14: nothing is shown without its sample's size and formula.
    for figure in document["out_of_sample"].as_array().unwrap() {
        assert!(figure["n"].is_u64() && figure["formula"].as_str().unwrap().contains('.'), "{figure}");
    }
}

/// A strategy that fails keeps its hold-out closed.
#[test]
fn the_hold_out_of_a_rejected_version_stays_closed() {
    let home = tempfile::tempdir().unwrap();
    let mut ledger = Ledger::open(&home.path().join("trials")).unwrap();
    let (coin, markets) = (coin::Coin::new(1).unwrap(), coin::walk(1).unwrap());
    let verdict = validate(&coin, &markets, &quick(1), &mut ledger, 1, Workers::ONE, &|_, _, _| {}).unwrap();
    assert!(matches!(verdict.hold_out, Opened::Closed(_)));
    assert!(ledger.entries().iter().all(|entry| !matches!(entry, Entry::HoldOutOpened(_))));
    // Less than half a year to keep back is no hold-out.
    let short = markets.prefix(24 * 365 * 2);
    let periods = Periods::of(&short, DAY_NS).unwrap();
    assert!(Cut::of(&short, &periods).unwrap().is_short);
}

fn runs(default: u64) -> u64 {
    std::env::var("SMC_VALIDATE_WALKS").map_or(default, |text| text.parse().unwrap())
}

fn uniformity(p_values: &[f64]) -> f64 {
    use smc_metrics::drift::{ks_p_value, ks_uniform};
    let series = smc_metrics::Series::new("p-values", p_values).unwrap();
    ks_p_value(ks_uniform(series), p_values.len() as f64)
}

/// A walk of a hundred and fifty days, six bars each.
fn short_walk(seed: u64) -> Markets {
    const BARS: usize = 900;
    let mut random = Random::of_run(99, seed);
    let mut last = 100.0;
    let prices: Vec<Ohlc> = (0..BARS)
        .map(|_| {
            let open = last;
            let close = open * (0.01 * random.normal()).exp();
            last = close;
            Ohlc { open, high: open.max(close) * 1.001, low: open.min(close) * 0.999, close }
        })
        .collect();
    let bar_ns = DAY_NS / 6;
    let open_ns = (0..BARS as u64).map(|nth| nth * bar_ns).collect();
    let market = Market {
        name: "W".into(),
        source: "generated".into(),
        tick: 0.01,
        bar_ns,
        open_ns,
        volume: vec![1.0; BARS],
        prices,
    };
    Markets::new(vec![market]).unwrap()
}

/// V-10 through the referee's own steps, search and all, on random walks: p-values are uniform and the deflated ratio stays
/// unconvinced. 60 walks here (`SMC_VALIDATE_WALKS=10000` is the long form); single formulas, PSR among them, have 10,000 in
/// `smc-metrics`.
#[test]
fn on_random_walks_the_referee_finds_nothing() {
    let count = runs(60);
    let year = PeriodsPerYear::CRYPTO_DAYS;
    let one = |nth: usize| {
        let seed = nth as u64;
        let (coin, markets) = (coin::Coin::new(seed).unwrap(), short_walk(seed));
        let settings = Settings::of_reference(seed, year);
        let under = pipeline::Conditions::plain(seed);
        let permuting = permute::Permuting {
            seed,
            permutations: 99,
            period_ns: DAY_NS,
            workers: Workers::ONE,
            told: &|_| {},
        };
        let trial = pipeline::Trial::of(&coin, &markets, DAY_NS, under).unwrap();
        let periods = trial.periods.count();
        let chosen = trial.choose(&choice::Look::at(0..periods)).unwrap();
        let walking = smc_metrics::walk_forward::WalkForward { train: 60, test: 15, ..settings.walk_forward };
        let candidates = luck::matrix(&trial.records, periods).unwrap();
        let how = smc_metrics::bootstrap::Resampling { seed, resamples: 199, block_mean: Some(1.0) };
        let reality = luck::reality_check(&candidates, how).unwrap().white.p_value;
        // The best in sample, as if nobody had kept anything back: what deflation is for.
        let best = (0..coin.grid().count()).max_by(|a, b| chosen.scores[*a].total_cmp(&chosen.scores[*b]));
        let returns = &trial.records[best.unwrap()].returns;
        let series = smc_metrics::Series::new("returns", returns).unwrap();
        let deflated = luck::deflate(series, &candidates, 25, &chosen.scores).unwrap();
        let in_sample = permute::in_sample(&coin, &markets, under, permuting).unwrap().p_value;
        let forward = permute::walk_forward(&coin, &markets, under, walking, permuting).unwrap().p_value;
        // p-values of m draws are multiples of 1 / (m + 1); spread over their steps they are uniform exactly.
        let mut random = Random::of_run(7, seed);
        let mut spread = |p: f64, draws: usize| p - random.unit() / (draws + 1) as f64;
        let (in_sample, forward) = (spread(in_sample, 99), spread(forward, 99));
        (in_sample, forward, spread(reality, 199), deflated.dsr.unwrap(), deflated.psr.unwrap())
    };
    let all = Workers::of_machine().map(count as usize, one);
    let column = |of: fn(&(f64, f64, f64, f64, f64)) -> f64| all.iter().map(of).collect::<Vec<f64>>();
    for (name, values) in [
        ("MCPT in sample", column(|one| one.0)),
        ("MCPT walk-forward", column(|one| one.1)),
        ("reality check", column(|one| one.2)),
    ] {
        let p = uniformity(&values);
        println!("{name}: {count} walks, KS p {p:.3}");
        assert!(p > 0.01, "{name}: {p}");
    }
    let share = |values: Vec<f64>| values.iter().filter(|value| **value > 0.95).count() as f64 / count as f64;
    let (deflated, naive) = (share(column(|one| one.3)), share(column(|one| one.4)));
    println!("above 0.95: {deflated:.3} deflated, {naive:.3} not deflated");
    assert!(deflated <= 0.06, "{deflated}");
    assert!(naive > 0.4, "without deflation luck convinces: {naive}");
}
