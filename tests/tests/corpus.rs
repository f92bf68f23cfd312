//! Every market and private message of the corpora through `smc decode`: a table of what each file gives, beside the table
//! that is expected.
//!
//! `cargo test -p tests --test corpus -- --nocapture` prints it, a line a file: lines, what they decode to, and what is
//! refused by which name. `SMC_GOLDEN_WRITE=1` writes `golden/corpus.txt` anew; the change is reviewed like code.

#![allow(clippy::unwrap_used, reason = "helpers of a test fail it")]

use serde_json::Value;
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;
use std::process::Command;
use tests::{binary, finish, shared};

/// Venue, folder below the data, how the names of its files begin.
const FILES: [(&str, &str, &str); 10] = [
    ("binance-spot", "binance/spot/stream", ""),
    ("binance-spot", "binance/spot/user", ""),
    ("binance-spot", "binance/spot/wsapi", ""),
    ("binance-usdm", "binance/usdm/stream", ""),
    ("binance-usdm", "binance/usdm/user", ""),
    ("binance-usdm", "binance/usdm/wsapi", ""),
    ("bybit", "bybit", "ws_"),
    ("oanda", "oanda", "rest_"),
    ("oanda", "oanda", "stream_"),
    ("oanda", "oanda", "synthetic_"),
];

/// The message of a line, as it came: `raw` as text, or `msg` with its keys in their order.
fn message(line: &str) -> String {
    let row: Value = serde_json::from_str(line).unwrap();
    match row["raw"].as_str() {
        Some(raw) => raw.replace('\n', " "),
        None => {
            let message = line.split_once("\"msg\":").unwrap().1;
            message[..message.len() - 1].to_owned()
        }
    }
}

/// A line of the table.
fn told(venue: &str, name: &str, file: &Path) -> String {
    let text = std::fs::read_to_string(file).unwrap();
    let messages: Vec<String> = text.lines().map(message).collect();
    let args = ["decode", "--venue", venue, "-"];
    let done = finish(Command::new(binary()).args(args), messages.join("\n").as_bytes());
    assert_eq!((done.code, done.stderr.as_str()), (0, ""), "{name}");
    // What each line said: one thing, or several.
    let mut said = vec![Vec::new(); messages.len()];
    for row in done.stdout.lines().map(|line| serde_json::from_str::<Value>(line).unwrap()) {
        let at = row["line"].as_u64().unwrap() as usize - 1;
        said[at].push((row["kind"].as_str().unwrap().to_owned(), row["reason"].as_str().map(str::to_owned)));
    }
    let (mut decoded, mut refused): (BTreeMap<String, usize>, BTreeMap<String, usize>) = Default::default();
    for mut rows in said {
        assert!(!rows.is_empty(), "{name}: a line that says nothing");
        rows.sort();
        rows.dedup();
        match rows.iter().find(|(kind, _)| kind == "refused") {
            // One row that cannot be used counts against the whole line.
            Some((_, reason)) => *refused.entry(reason.clone().unwrap()).or_default() += 1,
            None => {
                let kinds: Vec<_> = rows.into_iter().map(|(kind, _)| kind).collect();
                *decoded.entry(kinds.join("+")).or_default() += 1;
            }
        }
    }
    let count = |of: &BTreeMap<String, usize>| of.values().sum::<usize>();
    assert_eq!(count(&decoded) + count(&refused), messages.len(), "{name}");
    let mut line = format!("{name}: {} lines", messages.len());
    for (what, of) in [("decoded", &decoded), ("refused", &refused)].iter().filter(|(_, of)| !of.is_empty()) {
        let parts: Vec<_> = of.iter().map(|(name, count)| format!("{count} {name}")).collect();
        write!(line, "; {} {what}: {}", count(of), parts.join(", ")).unwrap();
    }
    line
}

#[test]
fn every_message_decodes_as_expected_or_is_refused_by_name() {
    let Some(manifest) = shared("data/binance/manifest.json") else { return };
    let manifest: Value = serde_json::from_str(&std::fs::read_to_string(manifest).unwrap()).unwrap();
    let mut table = String::new();
    for (venue, folder, start) in FILES {
        let Some(folder_path) = shared(&format!("data/{folder}")) else { return };
        let entries = std::fs::read_dir(folder_path).unwrap().map(|entry| entry.unwrap().path());
        let mut files: Vec<_> = entries
            .filter(|file| {
                let name = file.file_name().unwrap().to_string_lossy();
                name.starts_with(start) && name.ends_with(".jsonl")
            })
            .collect();
        files.sort();
        assert!(!files.is_empty(), "{folder}");
        for file in files {
            let name = format!("{folder}/{}", file.file_name().unwrap().to_string_lossy());
            let line = told(venue, &name, &file);
            // The corpus' own count.
            if let Some(name) = name.strip_prefix("binance/") {
                let lines = &manifest["messages"][name]["lines"];
                assert!(line.contains(&format!(": {lines} lines")), "{line}, not {lines}");
            }
            println!("{line}");
            table.push_str(&line);
            table.push('\n');
        }
    }
    let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("golden/corpus.txt");
    if std::env::var_os("SMC_GOLDEN_WRITE").is_some() {
        std::fs::write(&golden, &table).unwrap();
    }
    let expected = std::fs::read_to_string(&golden).unwrap();
    for (found, expected) in table.lines().zip(expected.lines()) {
        assert_eq!(found, expected);
    }
    assert_eq!(table.lines().count(), expected.lines().count());
}
