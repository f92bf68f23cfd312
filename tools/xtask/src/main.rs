//! `cargo xtask NAME`: one command for each wish; continuous integration calls the same ones.
//!
//! | name | does |
//! |---|---|
//! | `test` | everything below in its short form: format, clippy, tests, doc tests, guards, tuning, fuzzing |
//! | `guards` | the core builds without std and without unsafe |
//! | `fuzz [SECONDS]` | every fuzz target, side by side for 60 s unless told otherwise (`smc` half of it) |
//! | `parity [CASES]` | the batch tables against the real Python package, 1,000 random files unless told otherwise |
//! | `smc [CASES]` | the laws of market structure: 20,000 random cases a law unless told otherwise, a quarter as many cuts |
//! | `clients` | other people's programs trade at the simulated venues |
//! | `tuning` | shellcheck over the host's scripts, their tests on fake hosts |
//! | `monitoring [SECONDS]` | rules, dashboards and runbooks held against each other; a real Prometheus scrapes a demo for 30 s unless told otherwise and is asked every expression |
//! | `tables` | exported journals as DuckDB and pandas read them |
//! | `hot-path [SECONDS]` | allocations, page faults and system calls of the trading thread, ten minutes each unless told otherwise |
//! | `siege [CONNECTIONS]` | order latency beside 10,000 connections and scrapes, unless told otherwise, and beside readers that stand still |
//! | `soak [SECONDS]` | all venues at once at ten times their recorded rate, ten minutes unless told otherwise |
//! | `swarm [RUNS]`, `swarm --seed N`, `--pairs` | the engine at a venue that goes wrong, 20,000 runs unless told otherwise; one again |
//! | `crash [RUNS]` | kill -9 of a trading engine at random instants, 50 unless told otherwise |
//! | `journal-exhaustive` | a 64 KiB journal cut at every byte and with every bit flipped |
//! | `journal-kills [RUNS]` | kill -9 of a writing process and of an engine at full speed, 2,000 of each unless told otherwise |
//! | `journal-stall` | a disk that stands still for ten seconds |
//! | `journal-restart` | a journal of 1 GiB, left by a kill, restarts from its snapshot |
//! | `pgo` | the deployed binary, laid out by a profile of itself, under `target/pgo/optimised/dist` |
//! | `backtest-campaign [MILLIONS]` | a million fills with the books compared at each, unless told otherwise; two runs cut at 2,000 places each |
//! | `validate-campaign [SEEDS]` | planted edges and coins before the referee, twenty seeds of each unless told otherwise |
//! | `counts [--write] [STAGE…]`, `counts --plant STAGE` | instructions of each stage against their baseline; a new baseline; one stage made slower |
//! | `builds` | debug and release builds and other instruction sets replay to the same digest |

mod anchor;
mod builds;
mod clients;
mod counts;
mod fuzz;
mod monitoring;
mod pgo;
mod python;
mod step;
mod swarm;
mod tables;
mod tuning;

use std::process::ExitCode;
use step::{Step, root, run_all};

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let number = |default: u64| args.get(1).map_or(Ok(default), |text| text.parse());
    let steps = match args.first().map(String::as_str) {
        Some("test") => test(),
        Some("guards") => Ok(guards()),
        Some("fuzz") => number(60).map(fuzz::steps).map_err(|_| "fuzz takes a number of seconds".into()),
        Some("parity") => {
            number(1_000).map(anchor::steps).map_err(|_| "parity takes a number of files".into())
        }
        Some("smc") => number(20_000).map(laws).map_err(|_| "smc takes a number of cases".into()),
        Some("tables") => Ok(tables::steps()),
        Some("clients") => Ok(clients::steps()),
        Some("tuning") => Ok(tuning::steps()),
        Some("monitoring") => {
            number(30).map(monitoring::steps).map_err(|_| "monitoring takes a number of seconds".into())
        }
        Some("hot-path") => {
            number(600).map(hot_path).map_err(|_| "hot-path takes a number of seconds".into())
        }
        Some("siege") => number(10_000).map(siege).map_err(|_| "siege takes a number of connections".into()),
        Some("soak") => number(600).map(soak).map_err(|_| "soak takes a number of seconds".into()),
        Some("swarm") => swarm::steps(args.get(1..).unwrap_or_default()),
        Some("crash") => number(50).map(crash).map_err(|_| "crash takes a number of runs".into()),
        Some("journal-exhaustive") => Ok(exhaustive()),
        Some("journal-kills") => {
            number(2_000).map(kills).map_err(|_| "journal-kills takes a number of runs".into())
        }
        Some("journal-stall") => Ok(stall()),
        Some("journal-restart") => Ok(restart()),
        Some("risk-campaign") => {
            number(10).map(risk_campaign).map_err(|_| "risk-campaign takes a number of million orders".into())
        }
        Some("backtest-campaign") => number(1)
            .map(backtest_campaign)
            .map_err(|_| "backtest-campaign takes a number of million fills".into()),
        Some("validate-campaign") => number(20)
            .map(validate_campaign)
            .map_err(|_| "validate-campaign takes a number of seeds".into()),
        Some("counts") => counts::steps(args.get(1..).unwrap_or_default()),
        Some("builds") => Ok(builds::steps()),
        Some("pgo") => Ok(pgo::steps()),
        Some(other) => Err(format!("no task `{other}`; see the top of tools/xtask/src/main.rs")),
        None => Err(
            "which task? test, guards, fuzz, parity, smc, tables, clients, tuning, monitoring, hot-path, siege, soak, swarm, crash, builds, counts, pgo, risk-campaign, backtest-campaign, validate-campaign or journal-…"
                .into(),
        ),
    };
    match steps {
        Ok(steps) => run_all(steps),
        Err(error) => {
            eprintln!("xtask: {error}");
            ExitCode::from(2)
        }
    }
}

/// The long form of what `test` samples.
fn exhaustive() -> Vec<Step> {
    let test = ["test", "--release", "--package", "smc-journal", "--test", "damage", "--", "--nocapture"];
    vec![Step::cargo("every cut and every bit of 64 KiB", &test).env("JOURNAL_EXHAUSTIVE", "1")]
}

fn kills(runs: u64) -> Vec<Step> {
    let writer = ["test", "--release", "--package", "smc-journal", "--test", "kill", "--", "--nocapture"];
    let engine = ["test", "--release", "--package", "tests", "--test", "engine_kill", "--", "--nocapture"];
    let runs = runs.to_string();
    vec![
        Step::cargo("writers killed", &writer).env("JOURNAL_KILLS", &runs),
        Step::cargo("engines killed at full speed", &engine).env("ENGINE_KILLS", &runs),
    ]
}

fn restart() -> Vec<Step> {
    let test =
        ["test", "--release", "--package", "tests", "--test", "engine_kill", "f03", "--", "--nocapture"];
    vec![Step::cargo("a restart of 1 GiB", &test).env("ENGINE_RESTART_MIB", "1024")]
}

fn stall() -> Vec<Step> {
    let test =
        ["test", "--release", "--package", "smc-journal", "--test", "io_faults", "j10", "--", "--nocapture"];
    vec![Step::cargo("ten seconds without a disk", &test).env("JOURNAL_STALL_MS", "10000")]
}

/// Random orders through the gate, order lives against a venue's own books, rounds of reconciliation, sizes.
fn risk_campaign(millions: u64) -> Vec<Step> {
    let core = ["test", "--release", "--package", "smc-core"];
    let test = |name| [&core[..], &["--test", name, "--", "--nocapture"]].concat();
    let (cases, rounds, sizes) = (100_000 * millions, 600 * millions, 1_000_000 * millions);
    vec![
        Step::cargo("orders through the gate", &test("money_flow"))
            .env("SMC_GATE_RUNS", &millions.to_string()),
        Step::cargo("order lives", &test("order_life")).env("SMC_LIFE_CASES", &cases.to_string()),
        Step::cargo("reconciliation", &test("reconcile_sim")).env("SMC_RECONCILE_RUNS", &rounds.to_string()),
        Step::cargo("sizes", &test("money_sizing")).env("SMC_SIZING_INPUTS", &sizes.to_string()),
    ]
}

/// Fills with the engine's books held against the exchange's at each; runs over markets that end early.
fn backtest_campaign(millions: u64) -> Vec<Step> {
    let test = |name| {
        ["test", "--release", "--package", "smc-backtest", "--test", "laws", name, "--", "--nocapture"]
    };
    vec![
        Step::cargo(&format!("{millions} million fills"), &test("books_agree"))
            .env("SMC_BACKTEST_FILLS", &(1_000_000 * millions).to_string()),
        Step::cargo("nothing is known early", &test("nothing_is_known_early"))
            .env("SMC_BACKTEST_CUTS", "2000"),
    ]
}

/// Strategies whose truth is known before the referee, and its p-values where nothing is to be found.
fn validate_campaign(seeds: u64) -> Vec<Step> {
    let test = |name| ["test", "--release", "--package", "smc-validate", "--test", name, "--", "--nocapture"];
    vec![
        Step::cargo(&format!("edges and coins, {seeds} seeds of each"), &test("truth"))
            .env("SMC_VALIDATE_SEEDS", &seeds.to_string()),
        Step::cargo("under the null", &test("referee")).env("SMC_VALIDATE_WALKS", &(500 * seeds).to_string()),
    ]
}

/// Everything, cheapest first, so that a slip is told within seconds.
fn test() -> Result<Vec<Step>, String> {
    let mut steps = vec![
        Step::cargo("format", &["fmt", "--all", "--check"]),
        Step::cargo("clippy", &["clippy", "--workspace", "--all-targets", "--", "--deny", "warnings"]),
    ];
    steps.extend(guards());
    steps.extend(tuning::steps());
    steps.push(Step::cargo("the binary that the tests start", &["build", "--release", "--package", "smc"]));
    steps.push(Step::cargo("tests", &["test", "--workspace", "--all-targets", "--exclude", "benches"]));
    steps.push(Step::cargo("doc tests", &["test", "--workspace", "--doc"]));
    steps.push(Step::cargo("benches stay alive", &["test", "--package", "benches", "--benches"]));
    steps.extend(monitoring::short(20));
    steps.extend(counts::short());
    steps.extend(builds::steps().into_iter().skip(1));
    steps.extend(anchor::steps(40));
    steps.extend(tables::steps());
    steps.extend(clients::steps());
    steps.extend(fuzz::steps(60));
    Ok(steps)
}

/// What the compiler can hold.
fn guards() -> Vec<Step> {
    const BARE: &str = "x86_64-unknown-none";
    vec![
        // A machine that cannot fetch the target may have it; the build below decides.
        Step::program("target without std", "rustup", &["target", "add", BARE]).may_fail(),
        Step::cargo("core builds without std", &["build", "--package", "smc-core", "--target", BARE]),
        Step::check("core forbids unsafe and std", core_says_so),
    ]
}

fn core_says_so() -> Result<(), String> {
    let path = root().join("engine/core/src/lib.rs");
    let text = std::fs::read_to_string(&path).map_err(|error| format!("{}: {error}", path.display()))?;
    for line in ["#![no_std]", "#![forbid(unsafe_code)]"] {
        if !text.lines().any(|found| found == line) {
            return Err(format!("{}: `{line}` is missing", path.display()));
        }
    }
    Ok(())
}

/// The long form of what `test` runs with a few hundred cuts and a few dozen cases.
fn laws(cases: u64) -> Vec<Step> {
    let test = ["test", "--release", "--package", "smc-detect", "--test", "laws", "--", "--nocapture"];
    vec![
        Step::cargo(&format!("laws of market structure, {cases} cases each"), &test)
            .env("SMC_LAWS_CASES", &cases.to_string())
            .env("SMC_LAWS_CUTS", &(cases / 4).to_string()),
    ]
}

/// All venues at once at ten times their rate.
fn hot_path(seconds: u64) -> Vec<Step> {
    let test = ["test", "--release", "--package", "tests", "--test", "hot_path", "--"];
    // One after the other: each has a thread that never sleeps.
    let test = [&test[..], &["--nocapture", "--test-threads", "1"]].concat();
    vec![
        Step::cargo("build", &["build", "--release", "--package", "smc"]),
        Step::cargo(&format!("the trading thread for {seconds} s"), &test)
            .env("SMC_HOT_PATH_SECONDS", &seconds.to_string()),
    ]
}

fn siege(connections: u64) -> Vec<Step> {
    let test = ["test", "--release", "--package", "tests", "--test", "siege", "--", "--nocapture"];
    vec![
        Step::cargo("build", &["build", "--release", "--package", "smc"]),
        Step::cargo(&format!("{connections} connections"), &test)
            .env("SMC_SIEGE_CONNECTIONS", &connections.to_string())
            .env("SMC_SIEGE_SECONDS", "10")
            .env("SMC_SIEGE_ROUNDS", "12")
            .env("SMC_SIEGE_SPEED", "100"),
    ]
}

fn soak(seconds: u64) -> Vec<Step> {
    let test = ["test", "--release", "--package", "tests", "--test", "soak", "--", "--nocapture"];
    vec![
        Step::cargo("build", &["build", "--release", "--package", "smc"]),
        Step::cargo(&format!("all venues for {seconds} s"), &test)
            .env("SMC_SOAK_SECONDS", &seconds.to_string()),
    ]
}

fn crash(runs: u64) -> Vec<Step> {
    vec![
        Step::cargo("build", &["build", "--release", "--package", "smc"]),
        Step::cargo(
            "crash runs",
            &["test", "--release", "--package", "tests", "--test", "crash", "--", "--nocapture"],
        )
        .env("SMC_CRASH_RUNS", &runs.to_string()),
    ]
}
