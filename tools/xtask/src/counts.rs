//! Instructions of each stage of the hot path, counted by valgrind's callgrind and held against a committed baseline.
//!
//! A count does not care what else the machine does, so it can guard where a clock cannot: a stage that takes over 3 % more
//! instructions than `benches/counts.txt` says fails, unless the same change writes a new baseline. What a count means, what
//! it does not see and when two are comparable stands in `benches/README.md`.

use crate::step::{Step, root};
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::process::Command;

/// A stage may take this much more than its baseline, as a part of it.
const TOLERANCE: f64 = 0.03;
/// One that takes this much less is told: any more, and a stage that gets 5 % slower again would stay under its baseline's 3 %.
const STALE: f64 = 0.015;
/// How much slower a planted stage is.
const PLANTED: f64 = 0.05;
/// The stage that is planted in the test command.
const WITNESS: &str = "decode/spot/trade";

const HEADER: &str = "\
# Instructions of one step of each stage of the hot path, counted by callgrind: `cargo xtask counts`.
# Never edited by hand: `cargo xtask counts --write` in the change that moves a count. See README.md.
";

/// Begins the header's line whose change makes counts incomparable.
const PROCESSOR: &str = "# processor: ";

/// Instructions of one step, by stage.
type Counts = BTreeMap<String, f64>;

/// `[--write | --plant STAGE] [STAGE…]`
#[derive(Default)]
struct Wish {
    write: bool,
    plant: Option<String>,
    stages: Vec<String>,
}

/// Builds, counts, compares.
pub fn steps(words: &[String]) -> Result<Vec<Step>, String> {
    let wish = wish(words)?;
    let mut steps = made_ready();
    steps.push(Step::check("instructions of each stage", move || count(&wish)));
    Ok(steps)
}

/// The same in the test command, with a proof that it can fail. A machine without valgrind is told what it skipped.
pub fn short() -> Vec<Step> {
    let or_skipped = |check: fn() -> Result<(), String>| {
        move || {
            if is_there() {
                return check();
            }
            println!("skipped: no valgrind on this machine");
            Ok(())
        }
    };
    let mut steps = made_ready();
    steps.push(Step::check("instructions of each stage", or_skipped(|| count(&Wish::default()))));
    steps.push(Step::check("a stage made 5 % slower is noticed", or_skipped(notices)));
    steps
}

fn made_ready() -> Vec<Step> {
    vec![
        Step::check("valgrind", install).may_fail(),
        Step::cargo("what is counted", &["build", "--release", "--package", "benches", "--bin", "counts"]),
    ]
}

fn wish(words: &[String]) -> Result<Wish, String> {
    let mut wish = Wish::default();
    let mut words = words.iter();
    while let Some(word) = words.next() {
        match word.as_str() {
            "--write" => wish.write = true,
            "--plant" => wish.plant = Some(words.next().ok_or("--plant takes a stage")?.clone()),
            flag if flag.starts_with('-') => return Err(format!("counts: no flag `{flag}`")),
            _ => wish.stages.push(word.clone()),
        }
    }
    if wish.write && (wish.plant.is_some() || !wish.stages.is_empty()) {
        return Err("counts: a baseline is written of all stages as they are".into());
    }
    if wish.plant.is_some() && !wish.stages.is_empty() {
        return Err("counts: a planted stage is held against itself alone".into());
    }
    Ok(wish)
}

fn is_there() -> bool {
    Command::new("valgrind").arg("--version").output().is_ok_and(|done| done.status.success())
}

/// From the system's packages, where this process may install any.
fn install() -> Result<(), String> {
    if is_there() {
        return Ok(());
    }
    let is_root = output(Command::new("id").arg("-u"))?.trim() == "0";
    let apt = |words: &[&str]| {
        let mut command = Command::new(if is_root { "apt-get" } else { "sudo" });
        command.args(if is_root { &[][..] } else { &["-n", "apt-get"] }).args(words);
        output(command.env("DEBIAN_FRONTEND", "noninteractive"))
    };
    let package = ["install", "--yes", "--no-install-recommends", "valgrind"];
    // Lists of packages that are missing or old are fetched once.
    apt(&package).or_else(|_| apt(&["update"]).and_then(|_| apt(&package)))?;
    Ok(())
}

fn count(wish: &Wish) -> Result<(), String> {
    if let Some(stage) = &wish.plant {
        return planted(stage);
    }
    let path = root().join("benches/counts.txt");
    let (counts, processor) = run(&wish.stages, None)?;
    let taken_with = taken_with(&processor)?;
    if wish.write {
        std::fs::write(&path, written(&taken_with, &counts))
            .map_err(|error| format!("{}: {error}", path.display()))?;
        println!("{} stages written to {}", counts.len(), path.display());
        return Ok(());
    }
    let text = std::fs::read_to_string(&path).map_err(|error| format!("{}: {error}", path.display()))?;
    let (table, faults) = compared(&read(&text)?, &counts, wish.stages.is_empty());
    print!("{table}");
    let strange: Vec<&String> =
        taken_with.iter().filter(|line| !text.lines().any(|known| known == *line)).collect();
    for line in &strange {
        println!("not what the baseline was counted with: {}", line.trim_start_matches("# "));
    }
    if faults.is_empty() {
        return Ok(());
    }
    let mut said = faults.join("\n  ");
    if strange.iter().any(|line| line.starts_with(PROCESSOR)) {
        println!("skipped: with other instructions at hand this is another program\n  {said}");
        return Ok(());
    }
    if !strange.is_empty() {
        said += "\n  (not all is as it was for the baseline, see above: does the parent of this change fail as well?)";
    }
    Err(format!(
        "\n  {said}\n  a change that means it writes a new baseline, cargo xtask counts --write, and says why"
    ))
}

/// Holds a stage that does 5 % more against itself as it is: the baseline may be a little stale.
fn planted(stage: &str) -> Result<(), String> {
    let stages = [stage.to_owned()];
    let (counts, _) = run(&stages, None)?;
    let count = counts.get(stage).ok_or_else(|| format!("`{stage}` is the name of no stage"))?;
    let (slower, _) = run(&stages, Some((stage, count * PLANTED)))?;
    let (table, faults) = compared(&counts, &slower, true);
    print!("{table}");
    if faults.is_empty() { Ok(()) } else { Err(faults.join("\n  ")) }
}

/// The check must fail for a stage that does 5 % more, or it is none.
fn notices() -> Result<(), String> {
    match planted(WITNESS) {
        Err(said) if said.starts_with(WITNESS) => {
            println!("noticed, as it must be: {said}");
            Ok(())
        }
        Err(said) => Err(format!("it failed of something else: {said}")),
        Ok(()) => Err(format!("{WITNESS} does 5 % more and passed")),
    }
}

/// Runs stages under callgrind: instructions of a step of each, and what the program says of the processor.
fn run(stages: &[String], plant: Option<(&str, f64)>) -> Result<(Counts, String), String> {
    let target = root().join(std::env::var_os("CARGO_TARGET_DIR").unwrap_or_else(|| "target".into()));
    let home = target.join("counts");
    let _ = std::fs::remove_dir_all(&home);
    std::fs::create_dir_all(&home).map_err(|error| format!("{}: {error}", home.display()))?;
    let mut command = Command::new("valgrind");
    command
        .args(["--quiet", "--tool=callgrind", "--toggle-collect=counts::counted*"])
        .arg("--dump-before=counts::stage_is_over*")
        .arg(format!("--callgrind-out-file={}", home.join("out").display()))
        .arg(target.join("release/counts"))
        .args(stages);
    if let Some((stage, instructions)) = plant {
        command.arg("--plant").arg(format!("{stage}={instructions}"));
    }
    let said = output(&mut command)?;
    let mut lines = said.lines().filter_map(|line| line.split_once('\t'));
    let Some(("processor", processor)) = lines.next() else {
        return Err(format!("the first line of\n{said}\ntells no processor"));
    };
    let mut counts = Counts::new();
    for (nth, (stage, steps)) in (1..).zip(lines) {
        let path = home.join(format!("out.{nth}"));
        let part = std::fs::read_to_string(&path).map_err(|error| format!("{}: {error}", path.display()))?;
        let total = part.lines().find_map(|line| line.strip_prefix("totals: ")?.trim().parse::<u64>().ok());
        let steps = steps.parse::<u64>().ok().filter(|steps| *steps > 0);
        match (total, steps) {
            // A stage without instructions was not seen at all.
            (Some(total), Some(steps)) if total > 0 => {
                counts.insert(stage.to_owned(), total as f64 / steps as f64);
            }
            _ => return Err(format!("{stage}: callgrind counted nothing ({})", path.display())),
        }
    }
    if counts.is_empty() {
        return Err(format!("no stage ran:\n{said}"));
    }
    Ok((counts, processor.to_owned()))
}

/// What counts depend on beside the code, a comment line each.
fn taken_with(processor: &str) -> Result<Vec<String>, String> {
    let rustc = std::env::var("RUSTC").unwrap_or_else(|_| "rustc".into());
    let rustc = output(Command::new(rustc).arg("-V").current_dir(root()))?;
    let valgrind = output(Command::new("valgrind").arg("--version"))?;
    let libc = output(Command::new("getconf").arg("GNU_LIBC_VERSION")).unwrap_or_else(|_| "unknown".into());
    Ok(vec![
        format!("# compiler: {}", rustc.trim()),
        format!("{PROCESSOR}{processor}"),
        format!("# valgrind: {}", valgrind.trim()),
        format!("# libc: {}", libc.trim()),
    ])
}

fn written(taken_with: &[String], counts: &Counts) -> String {
    let mut text = format!("{HEADER}{}\n", taken_with.join("\n"));
    for (stage, count) in counts {
        let _ = writeln!(text, "{stage}\t{count:.1}");
    }
    text
}

fn read(text: &str) -> Result<Counts, String> {
    let lines = text.lines().filter(|line| !line.starts_with('#') && !line.is_empty());
    lines
        .map(|line| {
            let (stage, count) = line.split_once('\t').ok_or_else(|| format!("baseline: `{line}`"))?;
            let count = count.parse::<f64>().ok().filter(|count| *count > 0.0);
            Ok((stage.to_owned(), count.ok_or_else(|| format!("baseline: `{line}`"))?))
        })
        .collect()
}

/// The table of what was counted, and what is wrong with it. `is_all`: every stage was to be counted.
fn compared(baseline: &Counts, counts: &Counts, is_all: bool) -> (String, Vec<String>) {
    let mut table = format!("{:<42} {:>12} {:>12} {:>8}\n", "stage", "instructions", "baseline", "change");
    let mut faults = Vec::new();
    for (stage, &count) in counts {
        let Some(&before) = baseline.get(stage) else {
            let _ = writeln!(table, "{stage:<42} {count:>12.1} {:>12}", "-");
            faults.push(format!("{stage} is not in the baseline"));
            continue;
        };
        let change = count / before - 1.0;
        let word = if count > before * (1.0 + TOLERANCE) {
            faults.push(format!(
                "{stage}: {count:.1} instructions instead of {before:.1} ({:+.1} %)",
                change * 100.0
            ));
            "  slower"
        } else if count < before * (1.0 - STALE) {
            "  better: the baseline is stale"
        } else {
            ""
        };
        let _ = writeln!(table, "{stage:<42} {count:>12.1} {before:>12.1} {:>+7.1}%{word}", change * 100.0);
    }
    let gone = baseline.keys().filter(|stage| is_all && !counts.contains_key(*stage));
    faults.extend(gone.map(|stage| format!("{stage} is in the baseline and was not counted")));
    (table, faults)
}

fn output(command: &mut Command) -> Result<String, String> {
    let program = command.get_program().to_string_lossy().into_owned();
    let done = command.output().map_err(|error| format!("{program}: {error}"))?;
    if done.status.success() {
        return Ok(String::from_utf8_lossy(&done.stdout).into_owned());
    }
    Err(format!("{program}: {}: {}", done.status, String::from_utf8_lossy(&done.stderr).trim()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counts(list: &[(&str, f64)]) -> Counts {
        list.iter().map(|&(stage, count)| (stage.to_owned(), count)).collect()
    }

    /// What is told of `list` against a baseline of 100 instructions in each of a, b.
    fn faults(list: &[(&str, f64)]) -> Vec<String> {
        compared(&counts(&[("a", 100.0), ("b", 100.0)]), &counts(list), true).1
    }

    #[test]
    fn three_percent_more_pass_and_a_little_more_does_not() {
        assert!(faults(&[("a", 103.0), ("b", 90.0)]).is_empty());
        let told = faults(&[("a", 103.1), ("b", 100.0)]);
        assert_eq!(told, ["a: 103.1 instructions instead of 100.0 (+3.1 %)"]);
        assert!(told.iter().all(|fault| !fault.starts_with('b')));
    }

    #[test]
    fn a_stage_without_a_baseline_and_one_that_was_not_counted_fail() {
        assert_eq!(faults(&[("a", 100.0), ("b", 100.0), ("c", 1.0)]), ["c is not in the baseline"]);
        assert_eq!(faults(&[("a", 100.0)]), ["b is in the baseline and was not counted"]);
        assert!(compared(&counts(&[("a", 1.0), ("b", 1.0)]), &counts(&[("a", 1.0)]), false).1.is_empty());
    }

    #[test]
    fn improvements_make_the_baseline_stale_and_do_not_fail() {
        let (table, faults) = compared(&counts(&[("a", 100.0)]), &counts(&[("a", 98.4)]), true);
        assert!(faults.is_empty());
        assert!(table.contains("the baseline is stale"), "{table}");
    }

    #[test]
    fn a_baseline_reads_as_it_was_written() {
        let all = counts(&[("decode/spot/sbe trade", 123.5), ("ws/mask a frame", 77.0)]);
        assert_eq!(read(&written(&["# compiler: x".to_owned()], &all)), Ok(all));
        assert!(read("a 12").is_err());
        assert!(read("a\t0").is_err());
    }

    #[test]
    fn wishes_that_contradict_themselves_are_refused() {
        let wish_of = |text: &str| wish(&text.split_whitespace().map(str::to_owned).collect::<Vec<_>>());
        assert!(wish_of("--write").is_ok_and(|wish| wish.write));
        assert!(wish_of("--plant sign/hmac").is_ok_and(|wish| wish.plant.as_deref() == Some("sign/hmac")));
        for wrong in ["--write decode", "--write --plant a", "--plant a b", "--plant", "--what"] {
            assert!(wish_of(wrong).is_err(), "{wrong}");
        }
    }
}
