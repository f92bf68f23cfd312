//! Journals through CSV and back: the same records, and where the writer had finished them the same files.
#![allow(clippy::unwrap_used, reason = "a test")]

mod common;

use common::*;
use smc_export::csv::{CsvSink, CsvTables};
use smc_export::export::{Selection, Summary, export};
use smc_export::progress::Progress;
use smc_export::restore::restore;
use smc_export::schema::{Id, TABLES};
use smc_export::{Draft, ExportError, RestoreError};
use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

fn to_csv(journal: &Path, out: &Path, selection: &Selection) -> Result<Summary, ExportError> {
    let draft = Draft::begin(out).unwrap().unwrap();
    let summary = export(journal, selection, CsvSink::new(draft.path()), &mut Progress::silent())?;
    draft.finish().unwrap();
    Ok(summary)
}

fn from_csv(out: &Path, journal: &Path) -> Result<smc_export::restore::Summary, RestoreError> {
    restore(&mut CsvTables::new(out), journal, &mut Progress::silent())
}

/// Exports everything and restores it beside; the directory of the new journal.
fn there_and_back(dir: &Path, journal: &Path) -> std::path::PathBuf {
    let (out, back) = (dir.join("out"), dir.join("back"));
    let summary = to_csv(journal, &out, &Selection::all()).unwrap();
    assert!(summary.is_whole);
    let restored = from_csv(&out, &back).unwrap();
    assert_eq!(restored.records, summary.records);
    back
}

#[test]
fn every_word_of_closed_runs_comes_back_and_the_files_are_the_same() {
    let mut random = Random::from_env(11);
    let dir = tempfile::tempdir().unwrap();
    let journal = dir.path().join("journal");
    write_journal(&journal, &mut random, &[Run::new(5_000, End::Closed)]);
    let back = there_and_back(dir.path(), &journal);
    assert_same_records(&journal, &back);
    assert_same_files(&journal, &back);
    // All tables were filled, so nothing of the above was idle.
    let files: BTreeSet<_> =
        fs::read_dir(dir.path().join("out")).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(files.len(), TABLES.len());
}

#[test]
fn runs_that_were_closed_killed_empty_and_resumed_come_back_file_by_file() {
    let mut random = Random::from_env(12);
    let dir = tempfile::tempdir().unwrap();
    let journal = dir.path().join("journal");
    let runs = [
        Run::new(500, End::Closed).synced(),
        Run::new(300, End::Killed).in_segments(8_192),
        Run::new(0, End::Killed),
        Run::new(0, End::Closed),
        Run::new(1, End::Closed).in_segments(4_096),
        Run::new(400, End::Killed).synced(),
        Run::new(700, End::Killed),
    ];
    write_journal(&journal, &mut random, &runs);
    let back = there_and_back(dir.path(), &journal);
    assert_same_records(&journal, &back);
    assert_same_files(&journal, &back);
    let chain = |dir: &Path| smc_journal::verify(dir).unwrap().chain;
    assert_eq!(chain(&journal), chain(&back));
}

#[test]
fn random_runs_come_back() {
    let mut random = Random::from_env(13);
    for _ in 0..30 {
        let dir = tempfile::tempdir().unwrap();
        let journal = dir.path().join("journal");
        let count = random.below(4) + 1;
        let runs: Vec<_> = (0..count)
            .map(|_| {
                let end = random.of(&[End::Closed, End::Killed]);
                let size = random.of(&[4_096, 12_288, 65_536]);
                Run::new(random.below(120), end).in_segments(size)
            })
            .collect();
        write_journal(&journal, &mut random, &runs);
        let back = there_and_back(dir.path(), &journal);
        assert_same_records(&journal, &back);
        assert_same_files(&journal, &back);
    }
}

#[test]
fn the_demos_journal_comes_back_and_every_record_has_its_typed_table() {
    let dir = tempfile::tempdir().unwrap();
    let Some(journal) = demo_journal(dir.path()) else { return };
    let back = there_and_back(dir.path(), &journal);
    assert_same_records(&journal, &back);
    assert_same_files(&journal, &back);
    let raw = fs::read_to_string(dir.path().join("out/raw.csv")).unwrap();
    for line in raw.lines().skip(1) {
        let kind = line.split(',').nth(3).unwrap();
        assert!(!["input", "output", "digest", "unknown"].contains(&kind), "untyped: {line}");
    }
}

#[test]
fn a_cell_that_someone_changed_is_found_by_the_chain_hash() {
    let mut random = Random::from_env(14);
    let dir = tempfile::tempdir().unwrap();
    let (journal, out) = (dir.path().join("journal"), dir.path().join("out"));
    write_journal(&journal, &mut random, &[Run::new(200, End::Closed)]);
    to_csv(&journal, &out, &Selection::all()).unwrap();
    let path = out.join("quotes.csv");
    let text = fs::read_to_string(&path).unwrap();
    let mut lines: Vec<_> = text.lines().map(str::to_owned).collect();
    let mut cells: Vec<_> = lines[1].split(',').collect();
    cells[6] = "61000.01";
    lines[1] = cells.join(",");
    fs::write(&path, lines.join("\n")).unwrap();
    let error = from_csv(&out, &dir.path().join("back")).unwrap_err();
    assert!(error.is_answer());
    assert!(error.to_string().contains("the chain hash in record 201 is another"), "{error}");
    assert!(!dir.path().join("back").exists(), "nothing half-made stays");
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 2);
}

#[test]
fn a_row_that_is_missing_doubled_or_no_row_is_named() {
    let mut random = Random::from_env(15);
    let dir = tempfile::tempdir().unwrap();
    let (journal, out, back) = (dir.path().join("journal"), dir.path().join("out"), dir.path().join("back"));
    write_journal(&journal, &mut random, &[Run::new(300, End::Closed)]);
    to_csv(&journal, &out, &Selection::all()).unwrap();
    let path = out.join("timers.csv");
    let whole = fs::read_to_string(&path).unwrap();
    let mut lines: Vec<_> = whole.lines().collect();
    let gone = lines.remove(2);
    let check = |text: &str, expected: &str| {
        fs::write(&path, text).unwrap();
        let error = from_csv(&out, &back).unwrap_err().to_string();
        assert!(error.contains(expected), "`{error}` instead of `{expected}`");
    };
    let seq = gone.split(',').next().unwrap();
    check(&lines.join("\n"), &format!("record {seq} is in no table"));
    check(&format!("{whole}{gone}\n"), &format!("record {seq} is there twice"));
    check(&whole.replacen("ts_ns", "ts", 1), "row 1: the header is not `seq,ts_ns,");
    check(&whole.replacen(gone, &format!("{gone},1"), 1), "row 3: 7 fields where 6 were expected");
    check(&whole.replacen(gone, &format!("{gone}x"), 1), "is no value of column instrument");
    check(&whole.replacen(gone, &format!("+{gone}"), 1), "is no value of column seq");
    check(&format!("{whole}\"1"), "the file ends within quotes");
    check(&format!("{whole}\"1\"1"), "text behind a closing quote");
    // Line ends of other systems are no reason to refuse.
    fs::write(&path, whole.replace('\n', "\r\n")).unwrap();
    from_csv(&out, &back).unwrap();
}

#[test]
fn part_of_a_journal_is_exported_and_cannot_be_restored() {
    let mut random = Random::from_env(16);
    let dir = tempfile::tempdir().unwrap();
    let journal = dir.path().join("journal");
    write_journal(&journal, &mut random, &[Run::new(300, End::Closed)]);
    let names = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
    let cases = [
        Selection::new(2, u64::MAX, &[]).unwrap(),
        Selection::new(1, 300, &[]).unwrap(),
        Selection::new(50, 120, &[]).unwrap(),
        Selection::new(1, u64::MAX, &names(&["trades", "raw"])).unwrap(),
    ];
    let counts = [300, 300, 71];
    for (nth, selection) in cases.iter().enumerate() {
        let out = dir.path().join(format!("out{nth}"));
        let summary = to_csv(&journal, &out, selection).unwrap();
        assert!(!summary.is_whole);
        assert!(counts.get(nth).is_none_or(|count| *count == summary.records), "{summary:?}");
        let error = from_csv(&out, &dir.path().join("back")).unwrap_err();
        assert!(matches!(error, RestoreError::NotWhole { .. }), "{error}");
    }
    let files: Vec<_> = fs::read_dir(dir.path().join("out3")).unwrap().collect();
    assert_eq!(files.len(), 2, "only the tables that were asked for");
    // The whole range is the whole.
    assert!(
        to_csv(&journal, &dir.path().join("all"), &Selection::new(0, 301, &[]).unwrap()).unwrap().is_whole
    );
    let error = Selection::new(1, 2, &names(&["trade"])).unwrap_err().to_string();
    assert!(error.starts_with("no table `trade`; there are trades, quotes,"), "{error}");
}

#[test]
fn a_damaged_journal_is_refused_with_the_place_and_the_part_before_it_can_be_had() {
    let mut random = Random::from_env(17);
    let dir = tempfile::tempdir().unwrap();
    let (journal, out) = (dir.path().join("journal"), dir.path().join("out"));
    write_journal(&journal, &mut random, &[Run::new(300, End::Closed)]);
    let victim = smc_journal::Reader::open(&journal).unwrap();
    let victim = victim.records().map(Result::unwrap).find(|record| record.seq == 200).unwrap();
    let path = journal.join(format!("{:08}.smcj", victim.segment));
    let mut bytes = fs::read(&path).unwrap();
    bytes[victim.offset as usize + 9] ^= 1;
    fs::write(&path, bytes).unwrap();
    let error = to_csv(&journal, &out, &Selection::all()).unwrap_err();
    assert!(error.is_answer());
    let text = error.to_string();
    assert!(text.contains("Records 1 to 199 hold: add --to 199"), "{text}");
    assert!(!out.exists());
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1, "nothing half-made stays");
    let kept = to_csv(&journal, &out, &Selection::new(1, 199, &[]).unwrap()).unwrap();
    assert_eq!((kept.records, kept.is_whole), (199, false));
}

#[test]
fn a_torn_end_is_told_and_the_rest_comes_back() {
    let mut random = Random::from_env(18);
    let dir = tempfile::tempdir().unwrap();
    let (journal, out) = (dir.path().join("journal"), dir.path().join("out"));
    write_journal(&journal, &mut random, &[Run::new(20, End::Killed).in_segments(65_536)]);
    let before = records(&journal);
    let path = journal.join("00000001.smcj");
    let mut bytes = fs::read(&path).unwrap();
    let used = smc_journal::verify(&journal).unwrap().list[0].bytes_used as usize;
    bytes[used + 40..used + 60].fill(7);
    fs::write(&path, bytes).unwrap();
    let summary = to_csv(&journal, &out, &Selection::all()).unwrap();
    assert!(summary.torn.is_some());
    from_csv(&out, &dir.path().join("back")).unwrap();
    assert_eq!(before, records(&dir.path().join("back")));
}

#[test]
fn no_name_becomes_a_formula_or_breaks_a_line() {
    let mut random = Random::from_env(19);
    let dir = tempfile::tempdir().unwrap();
    let (journal, out) = (dir.path().join("journal"), dir.path().join("out"));
    write_journal(&journal, &mut random, &[Run::new(4_000, End::Killed)]);
    to_csv(&journal, &out, &Selection::all()).unwrap();
    for table in &TABLES {
        let text = fs::read_to_string(out.join(format!("{}.csv", table.name))).unwrap();
        let numbers: Vec<_> = table
            .columns()
            .map(|column| !matches!(column.kind, smc_export::cell::Kind::Text | smc_export::cell::Kind::Word))
            .collect();
        for row in split(&text) {
            assert_eq!(row.len(), table.width(), "{}: {row:?}", table.name);
            for (cell, is_number) in row.iter().zip(&numbers) {
                assert!(
                    *is_number || !cell.starts_with(['=', '+', '-', '@', '\t', '\r']),
                    "{}: {row:?}",
                    table.name
                );
            }
        }
    }
    assert_eq!(Id::by_name("trades"), Some(Id::Trades));
}

/// A reader of RFC 4180 as short as can be: the twin of the one that is shipped.
fn split(text: &str) -> Vec<Vec<String>> {
    let mut rows = vec![vec![]];
    let (mut cell, mut is_quoted) = (String::new(), false);
    let mut letters = text.chars().peekable();
    while let Some(letter) = letters.next() {
        match letter {
            '"' if is_quoted && letters.peek() == Some(&'"') => cell.extend(letters.next()),
            '"' => is_quoted = !is_quoted,
            ',' | '\n' if !is_quoted => {
                rows.last_mut().unwrap().push(std::mem::take(&mut cell));
                if letter == '\n' {
                    rows.push(vec![]);
                }
            }
            letter => cell.push(letter),
        }
    }
    rows.pop();
    rows
}

/// Set `SMC_GOLDEN_WRITE` to write it anew.
#[test]
fn the_schemas_text_is_up_to_date() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("SCHEMA.md");
    let text = smc_export::document();
    if std::env::var_os("SMC_GOLDEN_WRITE").is_some() {
        fs::write(&path, &text).unwrap();
    }
    assert!(
        fs::read_to_string(&path).unwrap_or_default() == text,
        "SMC_GOLDEN_WRITE=1 writes SCHEMA.md anew"
    );
}

#[test]
fn no_two_columns_of_a_table_share_a_name() {
    for table in &TABLES {
        let names: BTreeSet<_> = table.columns().map(|column| column.name).collect();
        assert_eq!(names.len(), table.width(), "{}", table.name);
    }
}
