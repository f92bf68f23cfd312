//! Seeded random files through the real package and through our tables: no cell may differ.
//!
//! `SMC_ANCHOR_PYTHON` names a Python that has the package; without it the test says so and passes. `cargo xtask
//! parity [CASES]` makes one. `SMC_ANCHOR_CASES` (40) and `SMC_ANCHOR_SEED` (1) choose the files, one file a
//! seed from there on, so a failing case is run alone with its seed and one case; `SMC_ANCHOR_ROWS` (300) bounds
//! their length.
#![allow(clippy::unwrap_used, reason = "a test may crash")]

mod common;

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use common::{Random, compare, series::series};
use smc_parity::{
    Bars, Cells, Period, Session, Swings, Table, bos_choch, fvg, liquidity, ob, previous_high_low,
    retracements, sessions, swing_highs_lows,
};

const PERIODS: [&str; 58] = [
    "1s", "30s", "1min", "2MIN", "5min", "15min", "15min", "90min", "45min", "1h", "h", "2h", "4h", "4h",
    "5h", "7h", "12h", "24h", "36h", "1.5h", "0.5D", "1D12h", "1h30min", "1D", "1D", "D", "d", "2D", "3D",
    "5D", "7D", "10D", "W", "W", "1W", "w", "2W", "3W", "W-MON", "W-wed", "2W-TUE", "4W-SAT", "MS", "ME",
    "2MS", "2ME", "5ME", "QS", "QE", "QS-FEB", "QE-JAN", "2QE-NOV", "3QS-MAR", "YS", "YE", "YS-APR",
    "2YE-MAR", "3YS",
];
const SESSIONS: [&str; 8] = [
    "Sydney",
    "Tokyo",
    "London",
    "New York",
    "Asian kill zone",
    "London open kill zone",
    "New York kill zone",
    "london close kill zone",
];
const ZONES: [&str; 20] = [
    "UTC",
    "UTC",
    "UTC",
    "GMT",
    "UTC+3",
    "UTC-5",
    "GMT+7",
    "UTC-14",
    "UTC+0",
    "UTC+12",
    "America/New_York",
    "America/New_York",
    "Europe/London",
    "Asia/Kolkata",
    "Australia/Lord_Howe",
    "Asia/Tokyo",
    "America/St_Johns",
    "Pacific/Chatham",
    "+05:30",
    "-09:30",
];

/// The real package, in one process for all cases.
struct Anchor {
    jobs: ChildStdin,
    answers: BufReader<ChildStdout>,
    child: Child,
}

impl Anchor {
    fn start() -> Option<Self> {
        let python = std::env::var_os("SMC_ANCHOR_PYTHON").filter(|path| Path::new(path).exists());
        let Some(python) = python else {
            println!("skipped: SMC_ANCHOR_PYTHON names no Python that has the package");
            return None;
        };
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/anchor.py");
        let mut command = Command::new(python);
        // The zones of its package `tzdata`, not the machine's: laws change, and ours come with a crate.
        command.arg(script).env("PYTHONTZPATH", "").stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let (jobs, answers) = (child.stdin.take().unwrap(), BufReader::new(child.stdout.take().unwrap()));
        Some(Self { jobs, answers, child })
    }

    /// The table as lines, or what the package threw.
    fn ask(&mut self, job: &str) -> Result<Vec<String>, String> {
        writeln!(self.jobs, "{job}").unwrap();
        let head = self.line();
        match head.strip_prefix("table ") {
            Some(lines) => Ok((0..lines.parse().unwrap()).map(|_| self.line()).collect()),
            None => Err(head),
        }
    }

    fn line(&mut self) -> String {
        let mut line = String::new();
        let read = self.answers.read_line(&mut line).unwrap();
        assert!(read > 0, "the package's process ended");
        line.trim_end().into()
    }

    fn end(mut self) {
        drop(self.jobs);
        assert!(self.child.wait().unwrap().success());
    }
}

/// One table to compare: what the package is asked, and what we say.
struct Question {
    table: &'static str,
    swings: String,
    arguments: String,
    ours: Table,
    /// The package refuses stamps that a clock change skips or repeats; we do not.
    may_refuse: bool,
}

fn questions(random: &mut Random, bars: &Bars, made_up: (&Swings, &str)) -> Vec<Question> {
    let mut all = Vec::new();
    let mut ask = |table, swings: &str, arguments: String, ours, may_refuse| {
        all.push(Question { table, swings: swings.into(), arguments, ours, may_refuse });
    };
    ask("fvg", "-", "\tjoin_consecutive=False".into(), fvg(bars, false), false);
    ask("fvg", "-", "\tjoin_consecutive=True".into(), fvg(bars, true), false);
    let mut tables = vec![(made_up.0.clone(), made_up.1.to_owned())];
    for length in [random.pick(&[1, 1, 2, 3]), random.pick(&[2, 4, 5, 10]), random.below(51)] {
        let swings = swing_highs_lows(bars, length as usize);
        ask("swing_highs_lows", "-", format!("\tswing_length={length}"), swings.clone().into_table(), false);
        tables.push((swings, length.to_string()));
    }
    for (swings, name) in &tables {
        for by_close in [true, false] {
            let said = if by_close { "True" } else { "False" };
            let breaks = bos_choch(bars, swings, by_close).unwrap();
            ask("bos_choch", name, format!("\tclose_break={said}"), breaks, false);
            let blocks = ob(bars, swings, by_close).unwrap();
            ask("ob", name, format!("\tclose_mitigation={said}"), blocks, false);
        }
        for part in [0.01, random.pick(&[0.0, 0.001, 0.05, 0.2, 1.0, -0.1]), random.unit() * 0.1] {
            let pools = liquidity(bars, swings, part).unwrap();
            ask("liquidity", name, format!("\trange_percent={part}"), pools, false);
        }
        ask("retracements", name, String::new(), retracements(bars, swings).unwrap(), false);
    }
    for _ in 0..4 {
        let name = random.pick(affordable(bars));
        let table = previous_high_low(bars, Period::parse(name).unwrap());
        ask("previous_high_low", "-", format!("\ttime_frame={name}"), table, false);
    }
    for nth in 0..3 {
        let zone = random.pick(&ZONES);
        let mut time = || format!("{:02}:{:02}", random.below(24), random.pick(&[0, 0, 30, 15, 59]));
        let (start, end) = (time(), time());
        let (named, name) = (random.pick(&SESSIONS), if nth == 0 { "Custom" } else { "" });
        let session = if nth == 0 { Session::custom(&start, &end) } else { Session::named(named) };
        let name = if name.is_empty() { named } else { name };
        let arguments = format!("\tsession={name}\tstart_time={start}\tend_time={end}\ttime_zone={zone}");
        let table = sessions(bars, session.unwrap(), zone).unwrap();
        ask("sessions", "-", arguments, table, zone.contains('/'));
    }
    all
}

/// The package makes every bucket between the first bar and the last: seconds over years need more memory than
/// there is.
fn affordable(bars: &Bars) -> &'static [&'static str] {
    let times = || bars.rows().map(|row| row.time_ns);
    let span_ns = times().max().unwrap_or(0) - times().min().unwrap_or(0);
    match span_ns / 86_400_000_000_000 {
        0..30 => &PERIODS,
        30..4_000 => &PERIODS[2..],
        _ => &PERIODS[9..],
    }
}

/// A swing table that no rule made: sides repeat, levels are near the bar but not on it.
fn made_up_swings(random: &mut Random, rows: &[[f64; 2]]) -> Swings {
    let once_in = 1 + random.below(8) as u64;
    let is_exact = random.once_in(2);
    Swings::from_rows(rows.iter().map(|&[high, low]| {
        if !random.once_in(once_in) {
            return (f64::NAN, f64::NAN);
        }
        let (side, level) = random.pick(&[(1.0, high), (-1.0, low)]);
        (side, if is_exact { level } else { level + (high - low) * (random.unit() - 0.5) })
    }))
}

fn bars_csv(bars: &Bars) -> (String, Vec<[f64; 2]>) {
    let mut text = "time_ns,open,high,low,close,volume\n".to_owned();
    for row in bars.rows() {
        writeln!(text, "{},{},{},{},{},{}", row.time_ns, row.open, row.high, row.low, row.close, row.volume)
            .unwrap();
    }
    (text, bars.rows().map(|row| [row.high, row.low]).collect())
}

/// What pandas throws for a stamp that a clock change skips or repeats.
fn is_clock_change(why: &str) -> bool {
    why.contains("nonexistent time") || why.contains("infer dst time")
}

/// How many cells differ from the one above them: a table of nothing would be easy to match.
fn speaking(table: &Table) -> usize {
    let is_new = |cells: &Cells, row: usize| cells.at(row).to_bits() != cells.at(row - 1).to_bits();
    let of_column = |cells: &Cells| (1..cells.len()).filter(|&row| is_new(cells, row)).count();
    table.columns().iter().map(|column| of_column(&column.cells)).sum()
}

fn number(key: &str, default: u64) -> u64 {
    std::env::var(key).map_or(default, |text| text.parse().unwrap())
}

#[test]
fn no_cell_differs_from_the_real_package_on_random_files() {
    let Some(mut anchor) = Anchor::start() else { return };
    let (cases, first_seed) = (number("SMC_ANCHOR_CASES", 40), number("SMC_ANCHOR_SEED", 1));
    let rows_max = number("SMC_ANCHOR_ROWS", 300);
    let directory = tempfile::tempdir().unwrap();
    let (mut cells, mut said, mut refused) = (BTreeMap::<_, usize>::new(), BTreeMap::<_, usize>::new(), 0);
    let mut differences = Vec::new();
    for seed in first_seed..first_seed + cases {
        let mut random = Random(seed);
        let bars = series(&mut random, if seed % 20 == 0 { 2_000.max(rows_max) } else { rows_max });
        let (text, prices) = bars_csv(&bars);
        let made_up = made_up_swings(&mut random, &prices);
        let path = directory.path().join(format!("{seed}.csv"));
        let swings_path = directory.path().join(format!("{seed}-swings.csv"));
        std::fs::write(&path, text).unwrap();
        made_up.clone().into_table().write_csv(&mut std::fs::File::create(&swings_path).unwrap()).unwrap();
        for question in questions(&mut random, &bars, (&made_up, swings_path.to_str().unwrap())) {
            let Question { table, swings, arguments, ours, may_refuse } = question;
            let outcome = match anchor.ask(&format!("{}\t{swings}\t{table}{arguments}", path.display())) {
                Err(why) if may_refuse && is_clock_change(&why) => {
                    refused += 1;
                    continue;
                }
                theirs => theirs.and_then(|lines| compare(&ours, lines.iter().map(String::as_str))),
            };
            match outcome {
                Ok(compared) => {
                    *cells.entry(table).or_default() += compared;
                    *said.entry(table).or_default() += speaking(&ours);
                }
                Err(why) => {
                    differences.push(format!("seed {seed} {table} swings {swings}{arguments}: {why}"))
                }
            }
        }
        for file in [path, swings_path] {
            std::fs::remove_file(file).unwrap();
        }
    }
    anchor.end();
    println!(
        "{cases} files from seed {first_seed}; cells equal: {cells:?}; {refused} refused by the package"
    );
    println!("cells that say something new: {said:?}");
    for difference in differences.iter().take(40) {
        println!("{difference}");
    }
    assert!(differences.is_empty(), "{} tables differ", differences.len());
}
