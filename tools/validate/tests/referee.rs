//! What the referee promises beyond its verdicts: the same bytes for any count of workers, a hold-out that opens once, a ledger
//! that knows of every look, a report that cannot be changed.
#![allow(clippy::unwrap_used, reason = "a helper that panics fails its test")]

use smc_metrics::permutation::Ohlc;
use smc_metrics::promotion::Step;
use smc_metrics::reality_check::RealityCheck;
use smc_metrics::{PeriodsPerYear, Random};
use smc_trials::{Data, Entry, Head, Ledger, Trial};
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
    assert_eq!(second.failing(), ["hold_out_seen"]);
    assert!(!second.is_accepted());
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
    // Nor without an interval, but for a count.
    for name in [
        "sharpe",
        "win_rate",
        "expectancy_r",
        "sqn",
        "max_drawdown_r",
        "exposure",
        "turnover_ann",
        "cost_share",
    ] {
        let mut all = document["out_of_sample"].as_array().unwrap().iter();
        let figure = all.rfind(|figure| figure["name"] == name).unwrap();
        let [low, high] = ["low", "high"].map(|end| figure["interval"][end].as_f64().unwrap());
        assert!(low <= high && low < figure["value"].as_f64().unwrap() * 1.5 + 1.0, "{figure}");
    }
}

/// A pipeline that remembers of which candidate the features were searched.
struct Watched(Rule, std::sync::Mutex<Vec<usize>>);

impl Pipeline for Watched {
    fn strategy(&self) -> &str {
        self.0.strategy()
    }
    fn version(&self) -> &str {
        self.0.version()
    }
    fn grid(&self) -> &pipeline::Grid {
        self.0.grid()
    }
    fn run(
        &self,
        markets: &Markets,
        periods: &Periods,
        candidates: &[usize],
        under: pipeline::Conditions,
    ) -> Result<Vec<pipeline::Record>, smc_validate::ValidateError> {
        self.0.run(markets, periods, candidates, under)
    }
    fn search_features(
        &self,
        _: &Markets,
        candidate: usize,
        _: u64,
        _: Workers,
    ) -> Vec<smc_validate::look_ahead::Searched> {
        self.1.lock().unwrap().push(candidate);
        Vec::new()
    }
}

/// Somebody ran a backtest over everything, from another file, before a part was kept back: that part proves nothing any more. It
/// stays closed, and the strategy with the edge is turned away for that alone.
#[test]
fn a_hold_out_that_somebody_looked_at_is_none() {
    let home = tempfile::tempdir().unwrap();
    let mut ledger = Ledger::open(&home.path().join("trials")).unwrap();
    let markets = with_edge(3, News::Dealt).unwrap();
    let (from_ns, to_ns) = markets.span();
    ledger
        .record(Trial {
            at_ns: 1,
            strategy: "kick".into(),
            version: "0".into(),
            parameters: [].into(),
            data: Data { source: "the same market in another file".into(), from_ns, to_ns },
            stage: "backtest".into(),
            metric: "sharpe".into(),
            score: Some(1.0),
            periods: 1_000,
        })
        .unwrap();
    let watched = Watched(Rule::new("1").unwrap(), std::sync::Mutex::default());
    let workers = Workers::of_machine();
    let verdict = validate(&watched, &markets, &quick(3), &mut ledger, 7, workers, &|_, _, _| {}).unwrap();
    assert_eq!((verdict.failing(), verdict.hold_out_seen), (vec!["hold_out_seen"], 1));
    assert!(matches!(verdict.hold_out, Opened::Closed(_)) && !verdict.is_accepted());
    assert!(ledger.entries().iter().all(|entry| !matches!(entry, Entry::HoldOutOpened(_))));
    assert_eq!(*watched.1.lock().unwrap(), [verdict.chosen.candidate]);
    assert_ne!(verdict.chosen.candidate, 0, "cell 0 would have been looked at anyway");
    // Paper trading cannot be proved, so what needs it cannot be reached.
    let asked = Settings { step: Step::ToProbation, ..quick(3) };
    let coin = (coin::Coin::new(1).unwrap(), coin::walk(1).unwrap().prefix(24 * 365 * 2));
    let verdict = validate(&coin.0, &coin.1, &asked, &mut ledger, 8, workers, &|_, _, _| {}).unwrap();
    assert!(
        ["paper_entries_matched", "paper_slippage_error"].iter().all(|one| verdict.failing().contains(one))
    );
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

/// Bars of a walk for permutations: a hundred and fifty days.
const PERMUTED: usize = 900;
/// Bars of a walk for the reality check: twelve hundred days. White's p is uniform only asymptotically: on a hundred and fifty days
/// of coins that trade a day in three its distance D from uniform is 0.02, on these below 0.012.
const CHECKED: usize = 7_200;

/// A walk of six bars a day.
fn short_walk(seed: u64, bars: usize) -> Markets {
    let mut random = Random::of_run(99, seed);
    let mut last = 100.0;
    let prices: Vec<Ohlc> = (0..bars)
        .map(|_| {
            let open = last;
            let close = open * (0.01 * random.normal()).exp();
            last = close;
            Ohlc { open, high: open.max(close) * 1.001, low: open.min(close) * 0.999, close }
        })
        .collect();
    let bar_ns = DAY_NS / 6;
    let open_ns = (0..bars as u64).map(|nth| nth * bar_ns).collect();
    let market = Market {
        name: "W".into(),
        source: "generated".into(),
        tick: 0.01,
        bar_ns,
        open_ns,
        volume: vec![1.0; bars],
        prices,
    };
    Markets::new(vec![market]).unwrap()
}

/// What one walk came to.
struct Nulls {
    in_sample: f64,
    forward: f64,
    /// With blocks of one day, spread over the steps of its p.
    reality: f64,
    /// As shipped: blocks of the cube root of the count of days; the p itself.
    reality_shipped: f64,
    deflated: f64,
    naive: f64,
}

/// V-10 through the referee's own steps, search and all, on random walks: p-values are uniform, the reality check with the blocks
/// that are shipped rejects as often as it says, and the deflated ratio stays unconvinced. 60 walks here
/// (`SMC_VALIDATE_WALKS=10000` is the long form); single formulas, PSR among them, have 10,000 in `smc-metrics`.
#[test]
fn on_random_walks_the_referee_finds_nothing() {
    let count = runs(60);
    let year = PeriodsPerYear::CRYPTO_DAYS;
    let one = |nth: usize| {
        let seed = nth as u64;
        // Coins, orders and resamples are run 0, 1, 2, … each: under one seed coin k and resample k would be the same draws.
        let stream = |of: u64| Random::of_run(1_000 + of, seed).bits();
        let (coin, markets) = (coin::Coin::new(stream(0)).unwrap(), short_walk(seed, PERMUTED));
        let settings = Settings::of_reference(seed, year);
        let under = pipeline::Conditions::plain(stream(1));
        let permuting = |of| permute::Permuting {
            seed: stream(of),
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
        // The best in sample, as if nobody had kept anything back: what deflation is for.
        let best = (0..coin.grid().count()).max_by(|a, b| chosen.scores[*a].total_cmp(&chosen.scores[*b]));
        let returns = &trial.records[best.unwrap()].returns;
        let series = smc_metrics::Series::new("returns", returns).unwrap();
        let deflated = luck::deflate(series, &candidates, 25, &chosen.scores).unwrap();
        let in_sample = permute::in_sample(&coin, &markets, under, permuting(2)).unwrap().p_value;
        let forward = permute::walk_forward(&coin, &markets, under, walking, permuting(3)).unwrap().p_value;
        // The reality check's own walk.
        let trial =
            pipeline::Trial::of(&coin, &short_walk(stream(4), CHECKED), DAY_NS, under.for_results()).unwrap();
        let candidates = luck::matrix(&trial.records, trial.periods.count()).unwrap();
        let reality = |of, block_mean| {
            let how = smc_metrics::bootstrap::Resampling { seed: stream(of), resamples: 199, block_mean };
            RealityCheck::of(&candidates, how).unwrap().p_value
        };
        // p-values of m draws are multiples of 1 / (m + 1); spread over their steps they are uniform exactly.
        let mut random = Random::of_run(7, seed);
        let mut spread = |p: f64, draws: usize| p - random.unit() / (draws + 1) as f64;
        Nulls {
            in_sample: spread(in_sample, 99),
            forward: spread(forward, 99),
            reality: spread(reality(5, Some(1.0)), 199),
            reality_shipped: reality(6, None),
            deflated: deflated.dsr.unwrap(),
            naive: deflated.psr.unwrap(),
        }
    };
    let all = Workers::of_machine().map(count as usize, one);
    let column = |of: fn(&Nulls) -> f64| all.iter().map(of).collect::<Vec<f64>>();
    let share = |values: &[f64], is: &dyn Fn(f64) -> bool| {
        values.iter().filter(|value| is(**value)).count() as f64 / count as f64
    };
    for (name, values) in [
        ("MCPT in sample", column(|one| one.in_sample)),
        ("MCPT walk-forward", column(|one| one.forward)),
        ("reality check, blocks of a day", column(|one| one.reality)),
    ] {
        let p = uniformity(&values);
        let [one, five, ten] = [0.01, 0.05, 0.10].map(|level| share(&values, &|p| p <= level));
        println!("{name}: {count} walks, KS p {p:.3}; p <= .01/.05/.10 in {one:.4}/{five:.4}/{ten:.4}");
        assert!(p > 0.01, "{name}: {p}");
    }
    let shipped = column(|one| one.reality_shipped);
    for (level, low, high) in [(0.05f64, 0.035, 0.06), (0.10, 0.08, 0.115)] {
        // The bounds are those of 10,000 walks. Fewer scatter more: by three of their standard errors.
        let error = |walks: f64| (level * (1.0 - level) / walks).sqrt();
        let wider = 3.0 * (error(count as f64) - error(1e4)).max(0.0);
        let size = share(&shipped, &|p| p <= level);
        println!("reality check as shipped: p <= {level} in {size:.4}");
        assert!((low - wider..=high + wider).contains(&size), "{level}: {size}");
    }
    let above = |values: Vec<f64>| share(&values, &|value| value > 0.95);
    let (deflated, naive) = (above(column(|one| one.deflated)), above(column(|one| one.naive)));
    println!("above 0.95: {deflated:.3} deflated, {naive:.3} not deflated");
    assert!(deflated <= 0.06, "{deflated}");
    assert!(naive > 0.4, "without deflation luck convinces: {naive}");
}
