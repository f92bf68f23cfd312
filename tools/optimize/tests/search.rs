//! Whole searches over a function that is known.
#![allow(clippy::unwrap_used, reason = "a helper that panics fails its test")]

mod common;

use common::{CONFIG, Hill, in_ledger, results, search, search_of, space, try_space};
use smc_metrics::stability::ScoreMap;
use smc_optimize::{Ending, Evaluate, Method, OptimizeError, Score};
use smc_settings::file::FileConfig;
use std::collections::BTreeSet;
use std::fs;
use tempfile::tempdir;

const TPE: Method = Method::Tpe { trials: 30, batch: 4, startup: 8 };
const WIDE: &[(&str, &str)] = &[
    ("smc.pivot_left", "2..9"),
    ("sizing.risk_fraction_ppm", "log 500..10000"),
    ("strategy.stop_buffer_atr_ppm", "0..1000000 step 50000"),
    ("strategy.entry_kind", "take,rest"),
];
const GRID: &[(&str, &str)] =
    &[("smc.pivot_left", "2..9"), ("strategy.stop_buffer_atr_ppm", "0..600000 step 100000")];

/// Every method.
fn methods() -> Vec<(Method, &'static [(&'static str, &'static str)])> {
    vec![
        (Method::Grid, GRID),
        (Method::LatinHypercube { trials: 25 }, WIDE),
        (Method::Random { trials: 25 }, WIDE),
        (TPE, WIDE),
    ]
}

#[test]
fn the_number_of_workers_changes_no_byte() {
    for (method, specs) in methods() {
        let (one, four) = (tempdir().unwrap(), tempdir().unwrap());
        let space = space(specs);
        search(&space, method, 3, 1, one.path()).unwrap();
        search(&space, method, 3, 4, four.path()).unwrap();
        assert_eq!(results(one.path()), results(four.path()), "{method:?}");
        assert_eq!(in_ledger(one.path()), in_ledger(four.path()), "{method:?}");
        let another = tempdir().unwrap();
        search(&space, method, 4, 4, another.path()).unwrap();
        assert_ne!(results(one.path()), results(another.path()), "{method:?}: the seed does nothing");
    }
}

/// Few returns, so that a line is short.
struct Brief;

impl Evaluate for Brief {
    fn score(&self, config: &FileConfig, seed: u64) -> Result<Score, String> {
        let mut score = Hill.score(config, seed)?;
        score.returns.truncate(3);
        Ok(score)
    }
}

#[test]
fn a_record_cut_at_any_byte_leads_to_the_same_result() {
    let few: &[_] = &[("smc.pivot_left", "5..7"), ("strategy.entry_kind", "take,rest")];
    for (method, specs) in [(Method::Grid, few), (Method::Tpe { trials: 9, batch: 3, startup: 4 }, WIDE)] {
        let whole = tempdir().unwrap();
        let space = space(specs);
        search_of(&Brief, &space, method, 5, 1, whole.path()).unwrap();
        let expected = results(whole.path());
        let (looks, record) =
            (in_ledger(whole.path()), fs::read(whole.path().join("out/trials.jsonl")).unwrap());
        // Every byte of the last two lines and of the first one, and a few in between.
        let ends: Vec<usize> = (0..record.len()).filter(|at| record[*at] == b'\n').collect();
        let last_two = ends[ends.len() - 3]..=record.len();
        for cut in
            (0..=ends[0] + 2).step_by(7).chain((ends[0]..*last_two.start()).step_by(97)).chain(last_two)
        {
            // The ledger knows trials that the record has lost, as after a kill between the two.
            fs::write(whole.path().join("out/trials.jsonl"), &record[..cut]).unwrap();
            let is_lost = cut <= ends[0];
            if is_lost {
                // A search without a first line has made no trial yet.
                fs::remove_file(whole.path().join("ledger")).unwrap();
                fs::remove_file(whole.path().join("ledger.head")).unwrap();
            }
            search_of(&Brief, &space, method, 5, 2, whole.path()).unwrap();
            assert_eq!(results(whole.path()), expected, "{method:?} cut at {cut}");
            assert_eq!(in_ledger(whole.path()), looks, "{method:?} cut at {cut}");
        }
    }
}

#[test]
fn a_grid_has_every_point_once_and_no_other() {
    let dir = tempdir().unwrap();
    let space = space(&[
        ("smc.pivot_left", "2..4"),
        ("strategy.entry_kind", "take,rest,rest-maker-only"),
        ("smc.patterns", "false,true"),
    ]);
    let outcome = search(&space, Method::Grid, 0, 3, dir.path()).unwrap();
    let mut expected = BTreeSet::new();
    for pivot in ["2", "3", "4"] {
        for patterns in ["false", "true"] {
            for kind in ["take", "rest", "rest-maker-only"] {
                expected.insert([pivot, patterns, kind].map(str::to_owned).to_vec());
            }
        }
    }
    // In the order of the paths.
    let texts = |trial: &smc_optimize::Trial| space.texts(&trial.point).into_values().collect::<Vec<_>>();
    let points: Vec<Vec<String>> = outcome.trials.iter().map(texts).collect();
    assert_eq!(points.len(), 18);
    let names: Vec<String> = space.parameters().iter().map(|parameter| parameter.path.to_string()).collect();
    assert_eq!(names, ["smc.patterns", "smc.pivot_left", "strategy.entry_kind"]);
    let points: BTreeSet<Vec<String>> =
        points.into_iter().map(|point| vec![point[1].clone(), point[0].clone(), point[2].clone()]).collect();
    assert_eq!(points, expected);
}

/// The evaluation sees what the tables say.
#[test]
fn values_reach_the_configuration() {
    struct Sees;
    impl Evaluate for Sees {
        fn score(&self, config: &FileConfig, _: u64) -> Result<Score, String> {
            let (pivot, risk) = (config.smc.pivot_left.unwrap(), config.sizing.risk_fraction_ppm.unwrap());
            let kind = serde_json::to_value(config.strategy.entry_kind).unwrap();
            // A decimal, which the file writes as a text, and a key of a list.
            let quantity = config.instruments[0].order_qty_max.0 / 1_000_000;
            let collar = config.instruments[0].collar_ppm;
            let seen = format!("{collar} {quantity} {risk} {pivot} {}", kind.as_str().unwrap());
            Ok(Score { value: Some(1.0), metric: seen, periods: 1, returns: vec![], trades: 0 })
        }
    }
    let dir = tempdir().unwrap();
    let specs = &[
        ("smc.pivot_left", "2..6"),
        ("sizing.risk_fraction_ppm", "log 500..10000"),
        ("instruments.0.order_qty_max", "0.25..1 step 0.25"),
        ("instruments.0.collar_ppm", "1000..9000 step 1000"),
        ("strategy.entry_kind", "take,rest"),
    ];
    let space = space(specs);
    let outcome = search_of(&Sees, &space, Method::LatinHypercube { trials: 40 }, 1, 2, dir.path()).unwrap();
    for trial in &outcome.trials {
        let Ending::Scored(score) = &trial.ending else { panic!("{trial:?}") };
        let said: Vec<String> = space
            .texts(&trial.point)
            .into_iter()
            .map(|(path, text)| match path.as_str() {
                "instruments.0.order_qty_max" => (text.parse::<f64>().unwrap() * 100.0).to_string(),
                _ => text,
            })
            .collect();
        assert_eq!(score.metric, said.join(" "));
    }
}

#[test]
fn every_look_is_in_the_ledger_before_it_is_shown() {
    let dir = tempdir().unwrap();
    let space = space(GRID);
    let out = dir.path().join("out");
    let ledger = dir.path().join("ledger");
    let mut told = 0;
    smc_optimize::Search {
        space: &space,
        method: Method::Grid,
        seed: 1,
        workers: std::num::NonZeroUsize::new(2).unwrap(),
        subject: common::subject(),
        evaluate: &Hill,
        out: &out,
        ledger: &ledger,
        clock: &|| 7,
    }
    .run(&mut |progress| {
        told += 1;
        let Some((number, score)) = progress.best else { return };
        // Nobody holds it while progress is shown: anybody may look.
        let ledger = smc_trials::Ledger::open(&ledger).unwrap();
        assert!(
            ledger.trials("hill").any(|trial| trial.score == Some(score)),
            "trial {number} is shown and not in the ledger"
        );
        assert!(ledger.trials("hill").all(|trial| trial.stage == "optimize" && trial.at_ns == 7));
    })
    .unwrap();
    assert!(told > 1);
    // Failed trials (pivot 7) read no performance; undefined scores (pivot 9) did.
    assert_eq!(in_ledger(dir.path()).len(), 8 * 7 - 7);
}

#[test]
fn another_search_does_not_go_on_in_this_record() {
    let dir = tempdir().unwrap();
    let wide = space(WIDE);
    search(&wide, TPE, 1, 2, dir.path()).unwrap();
    let refused = |space: &smc_optimize::Space, method, seed| match search(space, method, seed, 2, dir.path())
        .unwrap_err()
    {
        OptimizeError::Another { what, .. } => what,
        other => panic!("{other}"),
    };
    assert_eq!(refused(&wide, TPE, 2), "the seed");
    assert_eq!(refused(&wide, Method::Tpe { trials: 30, batch: 5, startup: 8 }, 1), "the method");
    assert_eq!(refused(&space(GRID), TPE, 1), "the space");
    let other_base = smc_optimize::Base::parse(&CONFIG.replace("fee_ppm = 200", "fee_ppm = 300")).unwrap();
    let specs = wide.parameters().iter().map(|one| (one.path.clone(), one.spec.clone())).collect();
    assert_eq!(
        refused(&smc_optimize::Space::new(other_base, specs).unwrap(), TPE, 1),
        "the base configuration"
    );
    // A comment is no other configuration, and more trials are no other search.
    let commented = smc_optimize::Base::parse(&format!("# said twice\n{CONFIG}")).unwrap();
    let specs = wide.parameters().iter().map(|one| (one.path.clone(), one.spec.clone())).collect();
    let longer = Method::Tpe { trials: 41, batch: 4, startup: 8 };
    search(&smc_optimize::Space::new(commented, specs).unwrap(), longer, 1, 2, dir.path()).unwrap();
    let at_once = tempdir().unwrap();
    search(&wide, longer, 1, 1, at_once.path()).unwrap();
    assert_eq!(results(dir.path()), results(at_once.path()), "made longer, or as long at once");
    // Nor may it become shorter, or a line say something else.
    let shorter = search(&wide, TPE, 1, 2, dir.path()).unwrap_err().to_string();
    assert!(shorter.contains("trials.jsonl:") && shorter.contains("as many trials as before"), "{shorter}");
    let path = dir.path().join("out/trials.jsonl");
    let text = fs::read_to_string(&path).unwrap();
    fs::write(&path, text.replacen("\"number\":3,", "\"number\":4,", 1)).unwrap();
    let wrong = search(&wide, longer, 1, 2, dir.path()).unwrap_err().to_string();
    assert!(wrong.contains("already") || wrong.contains("another point"), "{wrong}");
}

#[test]
fn two_searches_do_not_write_one_record() {
    let dir = tempdir().unwrap();
    fs::create_dir_all(dir.path().join("out")).unwrap();
    let file = fs::File::create(dir.path().join("out/trials.jsonl")).unwrap();
    file.lock().unwrap();
    let refused = search(&space(GRID), Method::Grid, 1, 1, dir.path()).unwrap_err().to_string();
    assert!(refused.contains("another search is at work"), "{refused}");
}

#[test]
fn a_grid_chooses_the_same_centre_as_a_map_of_scores() {
    let dir = tempdir().unwrap();
    let space =
        space(&[("smc.pivot_left", "1..6"), ("strategy.stop_buffer_atr_ppm", "0..600000 step 100000")]);
    let outcome = search(&space, Method::Grid, 1, 2, dir.path()).unwrap();
    let scores = outcome.trials.iter().map(|trial| trial.ending.value().unwrap()).collect();
    let map = ScoreMap::new(vec![6, 7], scores).unwrap();
    let centre: Vec<u64> = map.centre().into_iter().map(|index| index as u64).collect();
    assert_eq!(outcome.trials[outcome.chosen.trial].point, centre);
    let place: Vec<usize> = centre.iter().map(|index| *index as usize).collect();
    assert_eq!(outcome.chosen.plateau, map.plateau(&place).unwrap());
}

/// A narrow peak far from a broad hill: the peak is best, the hill is chosen, by every method.
#[test]
fn the_plateau_is_chosen_and_not_the_peak() {
    /// How far the peak reaches.
    struct Peak(f64);
    impl Evaluate for Peak {
        fn score(&self, config: &FileConfig, _: u64) -> Result<Score, String> {
            let pivot = f64::from(config.smc.pivot_left.unwrap());
            let buffer = f64::from(config.strategy.stop_buffer_atr_ppm.unwrap()) / 100_000.0;
            let hill = 1.0 - ((pivot - 14.0) / 12.0).powi(2) - ((buffer - 14.0) / 12.0).powi(2);
            let is_peak = (pivot - 4.0).abs() <= self.0 && (buffer - 4.0).abs() <= self.0;
            let value = if is_peak { 3.0 } else { hill };
            Ok(Score { value: Some(value), metric: "height".into(), periods: 1, returns: vec![], trades: 1 })
        }
    }
    let space =
        space(&[("smc.pivot_left", "1..20"), ("strategy.stop_buffer_atr_ppm", "0..2000000 step 100000")]);
    for method in [Method::Grid, Method::LatinHypercube { trials: 250 }, Method::Random { trials: 250 }] {
        let dir = tempdir().unwrap();
        // Of a grid one cell; of the others nine, or they would hardly find it.
        let peak = Peak(if method == Method::Grid { 0.5 } else { 1.0 });
        let outcome = search_of(&peak, &space, method, 2, 2, dir.path()).unwrap();
        let best = &outcome.trials[outcome.best()];
        assert_eq!(best.ending.value(), Some(3.0), "{method:?}");
        let chosen = outcome.trials[outcome.chosen.trial].ending.value().unwrap();
        assert!((0.8..1.01).contains(&chosen), "{method:?}: {chosen}");
        assert!(outcome.chosen.plateau.is_stable(), "{method:?}: {:?}", outcome.chosen.plateau);
    }
}

#[test]
fn the_best_of_tpe_is_better_than_that_of_chance() {
    let space = space(WIDE);
    let best = |method: Method, seed| {
        let dir = tempdir().unwrap();
        let outcome = search(&space, method, seed, 2, dir.path()).unwrap();
        outcome.trials[outcome.best()].ending.value().unwrap()
    };
    let mut pairs: Vec<(f64, f64)> = (0..20)
        .map(|seed| {
            let tpe = best(Method::Tpe { trials: 60, batch: 4, startup: 15 }, seed);
            (tpe, best(Method::Random { trials: 60 }, seed))
        })
        .collect();
    let wins = pairs.iter().filter(|(tpe, random)| tpe > random).count();
    pairs.sort_by(|a, b| a.0.total_cmp(&b.0));
    let tpe = (pairs[9].0 + pairs[10].0) / 2.0;
    pairs.sort_by(|a, b| a.1.total_cmp(&b.1));
    let random = (pairs[9].1 + pairs[10].1) / 2.0;
    println!(
        "median best of 60 trials over 20 seeds: tpe {tpe:.4}, random {random:.4}; tpe better in {wins} of 20; top 1.05"
    );
    // The top is 1.05: the distance to it must halve.
    assert!(1.05 - tpe < (1.05 - random) / 2.0, "tpe {tpe}, random {random}");
    assert!(wins >= 15, "{wins} of 20");
}

#[test]
fn a_small_space_is_tried_whole_and_then_the_search_ends() {
    let space = space(&[("smc.pivot_left", "2..5"), ("smc.patterns", "true,false")]);
    for method in [TPE, Method::Random { trials: 100 }, Method::LatinHypercube { trials: 100 }] {
        let dir = tempdir().unwrap();
        let outcome = search(&space, method, 1, 2, dir.path()).unwrap();
        let points: BTreeSet<Vec<u64>> = outcome.trials.iter().map(|trial| trial.point.clone()).collect();
        assert_eq!((points.len(), outcome.trials.len()), (8, 8), "{method:?}");
    }
}

#[test]
fn values_that_only_do_not_go_together_are_trials_without_a_score() {
    let dir = tempdir().unwrap();
    // A target nearer than the least reward is refused by the configuration.
    let space = space(&[
        ("strategy.reward_to_risk_ppm_min", "1000000..4000000 step 1000000"),
        ("strategy.target_risk_ppm", "1000000..4000000 step 1000000"),
    ]);
    let outcome = search(&space, Method::Grid, 1, 2, dir.path()).unwrap();
    let refused: Vec<&str> = outcome
        .trials
        .iter()
        .filter_map(|trial| match &trial.ending {
            Ending::Refused(reason) => Some(reason.as_str()),
            _ => None,
        })
        .collect();
    assert!((1..16).contains(&refused.len()), "{refused:?}");
    assert!(refused.iter().all(|reason| reason.contains("target_risk_ppm")), "{refused:?}");
    assert_eq!(in_ledger(dir.path()).len(), 16 - refused.len());
}

#[test]
fn what_cannot_be_varied_is_refused_by_name() {
    for (specs, expected) in [
        (vec![("strategy.reward", "1..3")], vec!["strategy.reward:", "unknown field"]),
        (vec![("stratgy.cooldown_bars", "1..3")], vec!["stratgy.cooldown_bars:", "unknown field `stratgy`"]),
        (vec![("smc.pivot_left", "2..100000")], vec!["smc.pivot_left:", "100000"]),
        (
            vec![("smc.pivot_left", "2..6 points 3"), ("smc.pivot_left", "2..6")],
            vec!["smc.pivot_left:", "twice"],
        ),
        (vec![("smc.pivot_left", "0.5..2.5 step 0.5")], vec!["smc.pivot_left:", "0.5"]),
        (vec![("strategy.entry_kind", "take,give")], vec!["strategy.entry_kind:", "give", "rest-maker-only"]),
        (
            vec![("smc.pivot_left.deeper", "2..6")],
            vec!["smc.pivot_left.deeper:", "smc.pivot_left is a value"],
        ),
        (
            vec![("instruments.3.collar_ppm", "1000..2000 step 500")],
            vec!["instruments.3.collar_ppm:", "list of 1"],
        ),
        (vec![("smc", "1..2"), ("smc.pivot_left", "2..6")], vec!["smc.pivot_left:", "within"]),
        (vec![], vec!["nothing is varied", "--vary"]),
    ] {
        let reason = try_space(&specs).unwrap_err().to_string();
        for part in expected {
            assert!(reason.contains(part), "{specs:?}: {reason}");
        }
    }
    let endless = space(WIDE);
    let reason = Method::Grid.check(&endless).unwrap_err().to_string();
    assert!(reason.starts_with("sizing.risk_fraction_ppm:") && reason.contains("points COUNT"), "{reason}");
    let vast =
        space(&[("sizing.risk_fraction_ppm", "1..100000"), ("strategy.stop_buffer_atr_ppm", "0..100000")]);
    assert!(Method::Grid.check(&vast).unwrap_err().to_string().contains("10000100000 trials"));
    assert!(Method::Random { trials: 0 }.check(&vast).is_err());
    assert!(Method::Tpe { trials: 1, batch: 0, startup: 1 }.check(&vast).is_err());
}

#[test]
fn a_search_without_any_score_says_why() {
    struct Broken;
    impl Evaluate for Broken {
        fn score(&self, _: &FileConfig, _: u64) -> Result<Score, String> {
            Ok(Score { value: Some(f64::NAN), metric: "m".into(), periods: 1, returns: vec![], trades: 0 })
        }
    }
    let dir = tempdir().unwrap();
    let reason = search_of(&Broken, &space(GRID), Method::Grid, 1, 2, dir.path()).unwrap_err().to_string();
    assert!(reason.contains("none of 56 trials") && reason.contains("no finite number"), "{reason}");
    assert!(in_ledger(dir.path()).is_empty(), "a number that is none was no look at performance");
}

#[test]
fn the_page_is_whole_and_loads_nothing() {
    let dir = tempdir().unwrap();
    let outcome = search(&space(WIDE), TPE, 1, 2, dir.path()).unwrap();
    let [json, csv, page, chosen] = results(dir.path()).try_into().unwrap();
    for outside in ["src=", "href=", "@import", "url(", "<script"] {
        assert!(!page.contains(outside), "{outside}");
    }
    assert!(page.contains("prefers-color-scheme:dark"));
    // A map for each of six pairs.
    assert_eq!(
        (page.matches("<svg ").count(), page.matches("</svg>").count(), outcome.maps.len()),
        (6, 6, 6)
    );
    assert_eq!(csv.lines().count(), 31);
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!(json["trials"]["made"], 30);
    assert_eq!(json["luck"]["trials_in_ledger"], in_ledger(dir.path()).len());
    assert!(
        json["luck"]["dsr_chosen"]["value"].is_f64() && json["luck"]["pbo"]["value"].is_f64(),
        "{}",
        json["luck"]
    );
    // Every trial with a score is in every map once.
    for map in json["maps"].as_array().unwrap() {
        let rows = map["trials"].as_array().unwrap().iter().flat_map(|row| row.as_array().unwrap());
        let trials: u64 = rows.map(|cell| cell.as_u64().unwrap()).sum();
        assert_eq!(trials, outcome.ranking.len() as u64);
    }
    let config = FileConfig::parse(&chosen).unwrap();
    let pivot = &json["chosen"]["parameters"]["smc.pivot_left"];
    assert_eq!(pivot.as_str().unwrap(), config.smc.pivot_left.unwrap().to_string());
}
