//! What a person reads, to the letter: an order and a refusal of a seeded run, and the two comparisons.
//!
//! `SMC_GOLDEN=write` writes the expected texts anew; the diff is to be reviewed like code.

#[path = "../../../../engine/replay/tests/common/mod.rs"]
mod common;

use super::{diff, explain, until, what_if};
use common::{config, world, write};
use smc_core::output::Output;
use smc_journal::Reader;
use smc_replay::{Content, DiffOptions, Question, content};
use std::path::PathBuf;

/// The text of the file of that name, or the file made of the text.
#[track_caller]
fn golden(name: &str, text: &str) {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("src/replay/golden").join(name);
    if std::env::var_os("SMC_GOLDEN").is_some_and(|word| word == "write") {
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, text).unwrap();
    }
    let expected = std::fs::read_to_string(&path).unwrap_or_default();
    let line = expected.lines().zip(text.lines()).position(|(a, b)| a != b);
    assert!(expected == text, "{name} differs first at line {line:?}; it is now:\n{text}");
}

fn first(reader: &Reader, is_it: impl Fn(&Output<smc_core::output::NewOrder>) -> bool) -> u64 {
    let mut records = reader.records().map(Result::unwrap);
    let found =
        records.find(|record| matches!(content(record), Ok(Content::Output(output)) if is_it(&output)));
    found.unwrap().seq
}

fn text(reader: &Reader, seq: u64) -> String {
    let it = smc_replay::explain(reader, config(), Question::Record(seq)).unwrap();
    assert_eq!(explain::json(&it)["record"]["seq"], seq);
    explain::text(&it)
}

#[test]
fn an_order_and_a_refusal_read_like_this() {
    let dir = tempfile::tempdir().unwrap();
    let reader = write(dir.path(), &world(5, 12_000, true));
    let order = first(&reader, |output| matches!(output, Output::NewOrder(_)));
    golden("order.txt", &text(&reader, order));
    let refusal =
        first(&reader, |output| matches!(output, Output::Decision(decision) if decision.codes != 0));
    golden("refusal.txt", &text(&reader, refusal));
    let cancel = first(&reader, |output| matches!(output, Output::Cancel(_)));
    golden("cancel.txt", &text(&reader, cancel));
    let is_bar = |seq: &u64| {
        let mut records = reader.records().map(Result::unwrap);
        let record = records.find(|record| record.seq == *seq).unwrap();
        matches!(content(&record), Ok(Content::Output(Output::BarClosed(..))))
    };
    let bar = (order - 400..order).rev().find(is_bar).unwrap();
    golden("bar.txt", &text(&reader, bar));
    let state = smc_replay::until(&reader, config(), order).unwrap();
    golden("state.txt", &until::text(&state));
    assert_eq!(until::json(&state)["digest"], state.digest);
}

#[test]
fn no_line_is_too_wide_and_every_record_has_a_text_and_a_document() {
    let dir = tempfile::tempdir().unwrap();
    let world = world(5, 6_000, true);
    let reader = write(dir.path(), &world);
    let last = reader.records().count() as u64;
    for seq in (1..=last).step_by(397).chain(last - 3..=last) {
        let text = text(&reader, seq);
        let wide = text.lines().find(|line| line.chars().count() > 120);
        assert_eq!(wide, None, "record {seq}");
        assert!(text.contains(&format!("#{seq} ")), "record {seq}: {text}");
    }
}

#[test]
fn comparisons_read_like_this() {
    let home = tempfile::tempdir().unwrap();
    let (a, b) = (home.path().join("a"), home.path().join("b"));
    let mut world = world(5, 12_000, false);
    let reader = write(&a, &world);
    let mut other = config();
    other.strategy.sweep_age_bars_max = 6;
    let it = smc_replay::what_if::what_if(&reader, config(), other).unwrap();
    let state = smc_replay::until(&reader, config(), 10).unwrap();
    golden("what_if.txt", &what_if::text(&it, &until::show(&state)));
    assert_eq!(what_if::json(&it)["differences"].as_array().unwrap().len(), it.differences.len());
    let at = world.steps.iter().rposition(|step| step.outputs.len() > 4).unwrap();
    world.steps[at].outputs.truncate(1);
    world.steps.remove(500);
    let changed = write(&b, &world);
    let found = smc_replay::diff(&reader, &changed, DiffOptions { list_max: 100, ..Default::default() });
    let found = found.unwrap();
    golden("diff.txt", &diff::text(&found));
    assert_eq!(diff::json(&found)["equal"], false);
}
