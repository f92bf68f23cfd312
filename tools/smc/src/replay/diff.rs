//! `smc replay --diff`: what two journals do not share.

use super::show::Show;
use serde_json::{Value, json};
use smc_replay::{Change, Content, Diff, Entry, FieldChange, fields_json, value_json};
use std::collections::BTreeMap;
use std::fmt::Write;

/// Differing records listed for people after the first one.
pub const SHOWN: usize = 20;
/// Differing records kept for `--json`.
pub const KEPT: usize = 10_000;
/// Lines of a changed text shown.
const FIELDS_SHOWN: usize = 24;
const VALUE_WIDTH: usize = 42;

/// For people. Prices are told in full: a difference must not hide behind decimals.
pub fn text(it: &Diff) -> String {
    let show = Show::new(BTreeMap::new(), Vec::new());
    let mut out = String::new();
    let _ = writeln!(
        out,
        "{} records in the first, {} in the second, {} the same",
        it.records_a, it.records_b, it.same
    );
    for (which, is_closed) in ["first", "second"].iter().zip(it.is_closed) {
        if !is_closed {
            let _ = writeln!(out, "the {which} was not closed");
        }
    }
    let Some(first) = it.changes.first() else {
        let _ = writeln!(out, "no difference");
        return out;
    };
    let _ = writeln!(out, "\nfirst difference: {}", headline(first));
    let fields = first.fields();
    let _ = writeln!(out, "    {:<20} {:<VALUE_WIDTH$} second", "", "first");
    for field in fields.iter().take(FIELDS_SHOWN) {
        field_rows(&show, field, &mut out);
    }
    if fields.len() > FIELDS_SHOWN {
        let _ = writeln!(out, "    and {} fields more; --json has all", fields.len() - FIELDS_SHOWN);
    }
    let _ =
        writeln!(out, "\n{:<22}{:>12}{:>16}{:>16}", "by kind", "changed", "only in first", "only in second");
    for (name, [changed, only_a, only_b]) in &it.counts {
        let _ = writeln!(out, "{name:<22}{changed:>12}{only_a:>16}{only_b:>16}");
    }
    if it.changes.len() > 1 {
        let _ = writeln!(out, "\nfurther differing records");
    }
    for change in it.changes.iter().skip(1).take(SHOWN) {
        let names: Vec<String> = change.fields().into_iter().map(|(name, ..)| name).collect();
        let what = match (&change.a, &change.b) {
            (Some(_), Some(_)) => format!(": {}", short(&names.join(", "), 70)),
            _ => String::new(),
        };
        let _ = writeln!(out, "    {}{what}", headline(change));
    }
    let all: u64 = it.counts.values().flatten().sum();
    let listed = it.changes.len().min(SHOWN + 1) as u64;
    if all > listed {
        let _ = writeln!(out, "    and {} more", all - listed);
    }
    out
}

fn headline(change: &Change) -> String {
    match (&change.a, &change.b) {
        (Some(a), Some(b)) if a.seq == b.seq => format!("record {} ({}) changed", a.seq, a.name()),
        (Some(a), Some(b)) => format!("record {} ({}) is {} in the second, changed", a.seq, a.name(), b.seq),
        (Some(a), None) => format!("record {} ({}) is only in the first", a.seq, a.name()),
        (None, Some(b)) => format!("record {} ({}) of the second is only there", b.seq, b.name()),
        (None, None) => String::new(),
    }
}

fn field_rows(show: &Show, (name, a, b): &FieldChange, out: &mut String) {
    let text = |value: &Option<smc_replay::Value>| {
        value.as_ref().map_or("-".into(), |value| short(&show.value(None, value), VALUE_WIDTH))
    };
    let _ = writeln!(out, "    {:<20} {:<VALUE_WIDTH$} {}", name.replace('_', " "), text(a), text(b));
}

fn short(text: &str, width: usize) -> String {
    match text.chars().count() > width {
        true => text.chars().take(width - 1).chain(['…']).collect(),
        false => text.into(),
    }
}

/// For programs.
pub fn json(it: &Diff) -> Value {
    let counts: serde_json::Map<String, Value> = it
        .counts
        .iter()
        .map(|(name, [changed, only_a, only_b])| {
            (name.clone(), json!({ "changed": changed, "only_first": only_a, "only_second": only_b }))
        })
        .collect();
    let changes: Vec<Value> = it.changes.iter().map(change_json).collect();
    json!({
        "equal": it.is_equal(), "records_first": it.records_a, "records_second": it.records_b, "same": it.same,
        "closed_first": it.is_closed[0], "closed_second": it.is_closed[1], "counts": counts,
        "first_difference": changes.first(), "differences": changes,
    })
}

fn change_json(change: &Change) -> Value {
    let entry = |entry: &Entry| {
        let is_text = matches!(entry.content, Some(Content::Text(_)));
        let fields = entry.content.as_ref().filter(|_| !is_text).map(|it| fields_json(&it.fields()));
        json!({ "seq": entry.seq, "ts_ns": entry.ts.0, "kind": entry.kind.name(), "what": entry.name(), "fields": fields })
    };
    let fields: Vec<Value> = change
        .fields()
        .iter()
        .map(|(name, a, b)| {
            json!({ "field": name, "first": a.as_ref().map(value_json), "second": b.as_ref().map(value_json) })
        })
        .collect();
    json!({ "first": change.a.as_ref().map(entry), "second": change.b.as_ref().map(entry), "fields": fields })
}
