//! The command end to end: what it says, what it refuses, and that it never takes anything back.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot go on fails")]

use clap::Parser;
use smc_detect::cli::{Args, run};
use std::fmt::Write as _;
use std::path::Path;

struct Answer {
    out: String,
    notes: String,
}

/// Runs the command over a file of this text; `{dir}` in a flag is the file's directory.
fn detect_in(dir: &Path, csv: &[u8], flags: &[&str]) -> Result<Answer, String> {
    let path = dir.join("bars.csv");
    std::fs::write(&path, csv).unwrap();
    let mut words = vec!["detect".to_owned(), "--csv".to_owned(), path.display().to_string()];
    words.extend(flags.iter().map(|flag| flag.replace("{dir}", &dir.display().to_string())));
    let args = Args::try_parse_from(words).map_err(|error| error.to_string())?;
    let (mut out, mut notes) = (Vec::new(), Vec::new());
    run(&args, &mut out, &mut notes)
        .map_err(|failure| failure.to_string().replace(&dir.display().to_string(), "DIR"))?;
    Ok(Answer { out: String::from_utf8(out).unwrap(), notes: String::from_utf8(notes).unwrap() })
}

fn detect(csv: &str, flags: &[&str]) -> Result<String, String> {
    let dir = tempfile::tempdir().unwrap();
    detect_in(dir.path(), csv.as_bytes(), flags).map(|answer| answer.out)
}

/// A market that wanders, in cents; the same for the same seed.
fn market(rows: usize, seed: u64) -> String {
    let mut text = String::from("time,open,high,low,close,volume\n");
    let (mut random, mut close) = (seed, 10_000i64);
    let mut next = |below: u64| {
        random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (random >> 33) % below
    };
    for row in 0..rows {
        let open = close;
        close = (open + next(81) as i64 - 40).max(100);
        let (high, low) = (open.max(close) + next(15) as i64, open.min(close) - next(15) as i64);
        let cents = |price: i64| format!("{}.{:02}", price / 100, price % 100);
        let time = 1_700_000_100 + row as u64 * 900;
        let (open, high, low, close) = (cents(open), cents(high), cents(low), cents(close));
        writeln!(text, "{time},{open},{high},{low},{close},{}", next(1_000)).unwrap();
    }
    text
}

#[test]
fn events_are_the_golden_lines() {
    let golden = include_str!("golden.jsonl");
    let flags = ["--sessions", "london", "--swing-length", "2", "--internal", "off"];
    let got = detect(&market(40, 7), &flags).unwrap();
    if std::env::var_os("SMC_GOLDEN_WRITE").is_some() {
        std::fs::write(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden.jsonl"), &got).unwrap();
        return;
    }
    for (nth, (got, expected)) in got.lines().zip(golden.lines()).enumerate() {
        assert_eq!(got, expected, "line {}", nth + 1);
    }
    assert_eq!(got.lines().count(), golden.lines().count());
}

#[test]
fn every_line_is_one_flat_object_in_order() {
    let got = detect(&market(600, 3), &["--timeframes", "15m,1h,4h"]).unwrap();
    let mut ids = std::collections::HashSet::new();
    for (nth, line) in got.lines().enumerate() {
        let value: serde_json::Value = serde_json::from_str(line).unwrap();
        let object = value.as_object().unwrap();
        assert_eq!(object["seq"], nth + 1);
        assert!(object["bar"].as_u64() <= object["known"].as_u64(), "{line}");
        assert!(object["ts_bar"].as_str() <= object["ts"].as_str(), "{line}");
        assert!(object.values().all(|value| !value.is_object() && !value.is_array()), "{line}");
        let is_new =
            matches!(object["kind"].as_str().unwrap(), "PivotConfirmed" | "FvgCreated" | "ObCreated");
        assert!(!is_new || ids.insert(object["id"].as_u64()), "an id twice: {line}");
    }
    for tf in ["15m", "1h", "4h"] {
        assert!(got.contains(&format!("\"tf\":\"{tf}\"")));
    }
}

/// What the command says about a file cannot depend on rows that come later.
#[test]
fn no_line_looks_ahead() {
    let text = market(300, 11);
    let lines: Vec<&str> = text.lines().collect();
    let flags = ["--timeframes", "15m,1h"];
    let whole = detect(&text, &flags).unwrap();
    for rows in (3..lines.len()).step_by(7) {
        let part = detect(&lines[..rows].join("\n"), &flags).unwrap();
        assert!(whole.starts_with(&part), "after {rows} lines");
    }
}

#[test]
fn longer_bars_folded_are_longer_bars_read() {
    let text = market(400, 5);
    let mut hours = String::from("time,open,high,low,close,volume\n");
    let rows: Vec<Vec<&str>> = text.lines().skip(1).map(|line| line.split(',').collect()).collect();
    // The market begins a quarter past a full hour.
    let bucket = |row: &Vec<&str>| row[0].parse::<u64>().unwrap() / 3_600;
    let complete = |chunk: &[Vec<&str>]| chunk.last().unwrap()[0].parse::<u64>().unwrap() % 3_600 == 2_700;
    for chunk in rows.chunk_by(|a, b| bucket(a) == bucket(b)).filter(|chunk| complete(chunk)) {
        let price = |text: &str| text.parse::<f64>().unwrap();
        let high = chunk.iter().map(|row| row[2]).max_by(|a, b| price(a).total_cmp(&price(b))).unwrap();
        let low = chunk.iter().map(|row| row[3]).min_by(|a, b| price(a).total_cmp(&price(b))).unwrap();
        let volume: u64 = chunk.iter().map(|row| row[5].parse::<u64>().unwrap()).sum();
        let (open, close) = (chunk[0][1], chunk.last().unwrap()[4]);
        writeln!(hours, "{},{open},{high},{low},{close},{volume}", bucket(&chunk[0]) * 3_600).unwrap();
    }
    let folded = detect(&text, &["--timeframes", "1h"]).unwrap();
    assert!(folded.lines().count() > 100);
    assert_eq!(folded, detect(&hours, &[]).unwrap());
}

#[test]
fn a_bad_row_is_told_and_changes_nothing() {
    let good = market(120, 9);
    let mut lines: Vec<String> = good.lines().map(Into::into).collect();
    let bad = ["1700050000,1,2,3,1,1", "1700050000,1,NaN,1,1,1", "1700050000,1,2,1,3,1"];
    lines.insert(60, lines[59].clone());
    lines.insert(50, bad[0].into());
    lines.insert(40, bad[1].into());
    lines.insert(30, bad[2].into());
    lines.insert(20, "1600000000,1,1,1,1,1".into());
    lines.insert(10, "1700050000,1,inf,1,1,-1".into());
    let with_bad = detect(&lines.join("\n"), &["--base", "15m"]).unwrap();
    let (rejected, rest): (Vec<&str>, Vec<&str>) =
        with_bad.lines().partition(|line| line.contains("\"kind\":\"InputRejected\""));
    let named: Vec<_> = rejected
        .iter()
        .map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap())
        .map(|value| format!("{} {}", value["line"], value["reason"].as_str().unwrap()))
        .collect();
    assert_eq!(
        named,
        [
            "11 a value is infinite",
            "22 time goes back",
            "33 open or close lies outside high and low",
            "44 a price is missing or NaN",
            "55 high is under low",
            "66 same time as the bar before",
        ]
    );
    // Without `seq`, which counts the refusals too.
    let tail = |line: &str| line.split_once(',').unwrap().1.to_owned();
    let clean = detect(&good, &[]).unwrap();
    assert_eq!(rest.into_iter().map(tail).collect::<Vec<_>>(), clean.lines().map(tail).collect::<Vec<_>>());
}

#[test]
fn malformed_files_and_wrong_flags_say_where() {
    let error = |csv: &str, flags: &[&str]| detect(csv, flags).err().unwrap();
    assert_eq!(error("", &[]), "DIR/bars.csv: the file is empty");
    assert_eq!(error("time,open,high,low,close\n", &[]), "DIR/bars.csv:1: a header and no bars");
    let text = market(5, 1) + "1700009100,1,x,1,1,1\n";
    assert_eq!(error(&text, &[]), "DIR/bars.csv:7: high `x` is no number");
    let fold = error(&market(50, 1), &["--timeframes", "15m,20m"]);
    assert_eq!(fold, "DIR/bars.csv: 20m is not a multiple of the file's 15m");
    let kinds = error(&market(5, 1), &["--kinds", "Boss"]);
    assert!(kinds.starts_with("--kinds: no kind is `Boss`; there are PivotConfirmed, "), "{kinds}");
    assert_eq!(error(&market(5, 1), &["--pivot-right", "0"]), "smc.pivot_right is 0, must be 1 to 4096");
    assert!(error(&market(5, 1), &["--sessions", "londn"]).starts_with("calendar.sessions[0]: `londn`"));
    assert!(error(&market(5, 1), &["--period", "1Q"]).starts_with("--period: "));
    assert!(error(&market(5, 1), &["--session", "Mars"]).starts_with("--session: "));
    let weekly = "time,open,high,low,close\n2024-01-01,1,1,1,1\n2024-01-08,1,1,1,1\n";
    assert!(error(weekly, &[]).contains("rows are 604800 s apart"));
    assert!(detect(weekly, &["--base", "1d"]).is_ok());
    assert!(detect(weekly, &["--base", "1D"]).is_ok());
    let dir = tempfile::tempdir().unwrap();
    assert!(detect_in(dir.path(), weekly.as_bytes(), &["--columns", "{dir}/out"]).is_ok());
}

#[test]
fn flags_and_file_say_the_same_and_flags_win() {
    let text = market(400, 21);
    let dir = tempfile::tempdir().unwrap();
    let config = r#"
        [smc]
        swing_length = 3
        close_break = false
        ob_mitigation = "close"
        pool_tolerance = "1 % of 50 bars"
        periods = "day,60m"
        [calendar]
        roll = "17:00 America/New_York"
        sessions = ["tokyo", { name = "lunch", start = "12:00", end = "13:30", zone = "Europe/London" }]
        [engine]
        instance = 1
    "#;
    std::fs::write(dir.path().join("smc.toml"), config).unwrap();
    let by_file = detect_in(dir.path(), text.as_bytes(), &["--config", "{dir}/smc.toml"]).unwrap();
    let flags = [
        "--swing-length=3",
        "--close-break=false",
        "--ob-mitigation=close",
        "--pool-tolerance=1 % of 50 bars",
        "--periods=day,60m",
        "--roll=17:00 America/New_York",
        "--sessions=tokyo,lunch=12:00-13:30@Europe/London",
    ];
    assert_eq!(by_file.out, detect(&text, &flags).unwrap());
    assert!(by_file.notes.ends_with("smc.toml: not used here: engine\n"), "{}", by_file.notes);
    assert_ne!(by_file.out, detect(&text, &[]).unwrap());
    let both = detect_in(dir.path(), text.as_bytes(), &["--config", "{dir}/smc.toml", "--swing-length", "4"]);
    let mut four = flags;
    four[0] = "--swing-length=4";
    assert_eq!(both.unwrap().out, detect(&text, &four).unwrap());
    std::fs::write(dir.path().join("smc.toml"), "[smc]\nswing_lenght = 3\n").unwrap();
    let error = detect_in(dir.path(), text.as_bytes(), &["--config", "{dir}/smc.toml"]).err().unwrap();
    assert!(error.starts_with("DIR/smc.toml:2: unknown field `swing_lenght`"), "{error}");
}

#[test]
fn filters_choose_lines_and_keep_their_numbers() {
    let text = market(300, 2);
    let whole = detect(&text, &[]).unwrap();
    let chosen =
        detect(&text, &["--kinds", "bos,fvg_created", "--from", "1700090000", "--to", "1700190000"]).unwrap();
    assert!(chosen.lines().count() > 10);
    let expected: Vec<&str> = whole
        .lines()
        .filter(|line| {
            let value: serde_json::Value = serde_json::from_str(line).unwrap();
            let ts = value["ts"].as_str().unwrap();
            let is_in_time = ("2023-11-15T23:13:20Z"..="2023-11-17T03:00:00Z").contains(&ts);
            is_in_time && matches!(value["kind"].as_str().unwrap(), "Bos" | "FvgCreated")
        })
        .collect();
    assert_eq!(chosen.lines().collect::<Vec<_>>(), expected);
    let summary = detect(&text, &["--summary", "--json"]).unwrap();
    let summary: serde_json::Value = serde_json::from_str(&summary).unwrap();
    let created = whole.lines().filter(|line| line.contains("\"kind\":\"FvgCreated\"")).count();
    assert_eq!(summary["kinds"]["FvgCreated"]["15m"], created);
    assert_eq!(summary["bars"]["15m"], 300);
    assert!(detect(&text, &["--summary"]).unwrap().contains("FvgCreated"));
}

#[test]
fn gzip_and_plain_say_the_same() {
    use std::io::Write;
    let text = market(200, 4);
    let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    packed.write_all(text.as_bytes()).unwrap();
    let packed = packed.finish().unwrap();
    let dir = tempfile::tempdir().unwrap();
    assert_eq!(detect_in(dir.path(), &packed, &[]).unwrap().out, detect(&text, &[]).unwrap());
    let torn = detect_in(dir.path(), &packed[..packed.len() / 2], &[]).err().unwrap();
    assert!(torn.starts_with("DIR/bars.csv:"), "{torn}");
}

#[test]
fn the_tables_have_a_row_a_bar() {
    let dir = tempfile::tempdir().unwrap();
    let mut text = market(200, 6);
    text.push_str("1700000100,1,1,1,1,1\n");
    let flags = ["--columns", "{dir}/out", "--swing-length", "5"];
    let answer = detect_in(dir.path(), text.as_bytes(), &flags).unwrap();
    assert_eq!(answer.out, "");
    assert!(answer.notes.ends_with("bars.csv:202: one row is no bar: time goes back\n"), "{}", answer.notes);
    let heads = [
        ("swing_highs_lows", "HighLow,Level"),
        ("fvg", "FVG,Top,Bottom,MitigatedIndex"),
        ("bos_choch", "BOS,CHOCH,Level,BrokenIndex"),
        ("ob", "OB,Top,Bottom,OBVolume,MitigatedIndex,Percentage"),
        ("liquidity", "Liquidity,Level,End,Swept"),
        ("previous_high_low", "PreviousHigh,PreviousLow,BrokenHigh,BrokenLow"),
        ("sessions", "Active,High,Low"),
        ("retracements", "Direction,CurrentRetracement%,DeepestRetracement%"),
    ];
    for (name, head) in heads {
        let table = std::fs::read_to_string(dir.path().join("out").join(name).with_extension("csv")).unwrap();
        assert_eq!(table.lines().next(), Some(head));
        assert_eq!(table.lines().count(), 201, "{name}");
    }
}
