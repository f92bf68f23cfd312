//! The swarm in its long form, or one run of it again. Its short form is an ordinary test.

use crate::step::Step;

/// Runs of the long form.
const RUNS: u64 = 20_000;

/// `[RUNS]` or `--seed N`, and `--pairs` for runs at Binance spot with stop and target as pairs.
pub fn steps(words: &[String]) -> Result<Vec<Step>, String> {
    let number = |text: &String| text.parse::<u64>().map_err(|_| format!("swarm: `{text}` is no number"));
    let has_pairs = words.iter().any(|word| word == "--pairs");
    let words: Vec<String> = words.iter().filter(|word| *word != "--pairs").cloned().collect();
    let (runs, first) = match words.as_slice() {
        [] => (RUNS, None),
        [runs] => (number(runs)?, None),
        [key, seed] if key == "--seed" => (1, Some(number(seed)?)),
        _ => return Err("swarm takes a number of runs, or --seed and one seed; and --pairs".into()),
    };
    let test =
        ["test", "--release", "--package", "tests", "--test", "swarm", "no_promise", "--", "--nocapture"];
    let name =
        first.map_or_else(|| format!("{runs} runs of the swarm"), |seed| format!("the swarm's run {seed}"));
    let step = Step::cargo(&name, &test).env("SMC_SWARM_RUNS", &runs.to_string());
    let step = if has_pairs { step.env("SMC_SWARM_PAIRS", "1") } else { step };
    Ok(vec![match first {
        Some(seed) => step.env("SMC_SWARM_FIRST", &seed.to_string()),
        None => step,
    }])
}
