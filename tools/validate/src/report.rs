//! What was found, as one line of JSON and as text for people.
//!
//! Every figure carries its formula, its sample size and, where it has one, its interval; what is undefined says why. Nothing in a
//! report depends on how many workers made it or how long they took.

use crate::ValidateError;
use crate::hold_out::Opened;
use crate::look_ahead::{Searched, Test};
use crate::market::Markets;
use crate::permute::Permuted;
use crate::pipeline::{Grid, Pipeline};
use crate::referee::{Settings, Verdict};
use crate::walk_forward::Walked;
use serde_json::{Value as Json, json};
use smc_metrics::promotion::{Bound, Criterion, Step};
use smc_metrics::resampling::Paths;
use smc_metrics::{Figure, Value};
use std::fmt::Write as _;

/// Number of the report's form.
pub const FORMAT: u32 = 1;

/// What a report says beyond the verdict.
#[derive(Clone, Debug)]
pub struct Context<'a> {
    /// When, in nanoseconds since the epoch.
    pub at_ns: u64,
    /// The program: a hash of its file, or what the caller knows of it.
    pub program: &'a str,
    /// The configuration as it was read.
    pub configuration: &'a str,
}

/// The report as a document.
pub fn json(
    verdict: &Verdict,
    pipeline: &dyn Pipeline,
    markets: &Markets,
    settings: &Settings,
    context: &Context<'_>,
) -> Json {
    let grid = pipeline.grid();
    let [rolling, anchored] = &verdict.walked;
    let [in_sample, forward] = &verdict.permuted;
    let deflated = &verdict.deflated;
    json!({
        "format": FORMAT,
        "at_ns": context.at_ns,
        "strategy": pipeline.strategy(),
        "version": pipeline.version(),
        "step": step_name(settings.step),
        "is_accepted": verdict.is_accepted(),
        "passes_gate": verdict.passes_gate(),
        "build": { "core": smc_core::BUILD, "program": context.program },
        "configuration": {
            "text": context.configuration,
            "blake3": blake3::hash(context.configuration.as_bytes()).to_hex().to_string(),
        },
        "data": markets.all().iter().map(|market| json!({
            "name": market.name,
            "source": market.source,
            "tick": market.tick,
            "bar_ns": market.bar_ns,
            "bars": market.open_ns.len(),
            "from_ns": markets.span().0,
            "to_ns": markets.span().1,
        })).collect::<Vec<_>>(),
        "ledger": { "entries": verdict.ledger.entries, "head": verdict.ledger.hash },
        "settings": settings_json(settings),
        "cut": {
            "periods_open": verdict.periods,
            "periods_kept": verdict.cut.kept.len(),
            "kept_from_ns": verdict.cut.from_ns,
        },
        "files": pipeline.files().iter().map(|(name, hash)| json!({ "name": name, "blake3": hash })).collect::<Vec<_>>(),
        "grid": grid.parameters().iter().map(|one| json!({ "name": one.name, "values": one.values })).collect::<Vec<_>>(),
        "chosen": {
            "candidate": verdict.chosen.candidate,
            "parameters": grid.values(verdict.chosen.candidate),
            "score": verdict.chosen.score,
            "neighbours_kept": verdict.chosen.plateau.kept,
            "neighbours": verdict.chosen.plateau.neighbours,
            "cells_profitable": verdict.chosen.plateau.profitable,
            "score_map": verdict.chosen.scores,
        },
        "gate": verdict.criteria.iter().map(criterion).collect::<Vec<_>>(),
        "hold_out": hold_out(&verdict.hold_out, verdict.hold_out_seen),
        "out_of_sample": verdict.figures.iter().map(figure).collect::<Vec<_>>(),
        "walk_forward": walked(rolling, grid),
        "walk_forward_anchored": walked(anchored, grid),
        "cross_validation": {
            "splits": verdict.cross_validated.chosen.len(),
            "histories": verdict.cross_validated.histories.count,
            "profitable": value(verdict.cross_validated.histories.profitable),
            "sharpe_low": value(verdict.cross_validated.histories.sharpe_low),
            "chosen": verdict.cross_validated.chosen,
        },
        "luck": {
            "sharpe_per_period": value(deflated.sharpe.map(|ratio| ratio.sr)),
            "skew": value(deflated.sharpe.map(|ratio| ratio.skew)),
            "kurtosis": value(deflated.sharpe.map(|ratio| ratio.kurt)),
            "psr": value(deflated.psr),
            "min_track_record": value(deflated.min_track_record),
            "trials_made": deflated.trials_made,
            "trials_effective": deflated.trials_effective,
            "trials_variance": value(deflated.variance),
            "expected_best": value(deflated.expected_best),
            "dsr": value(deflated.dsr),
            "pbo": value(verdict.overfitting.as_ref().map(|found| found.pbo).map_err(|reason| *reason)),
            "pbo_halves": verdict.overfitting.as_ref().map_or(0, |found| found.logits.len()),
            "reality_check_p": verdict.reality.white.p_value,
            "superior_ability_p": value(verdict.reality.hansen),
            "superior_ability_note": SUPERIOR_ABILITY_NOTE,
            "n": verdict.reality.white.n,
        },
        "permutations": { "in_sample": permuted(in_sample), "walk_forward": permuted(forward) },
        "trades_resampled": match &verdict.resampled {
            Ok(resampled) => json!({ "shuffled": paths(resampled.shuffled), "drawn": paths(resampled.drawn) }),
            Err(reason) => json!({ "undefined": reason.to_string() }),
        },
        "noise": verdict.noise.iter().map(|test| json!({
            "name": test.name, "profit": value(test.profit), "trades": test.trades,
        })).collect::<Vec<_>>(),
        "look_ahead": verdict.look_ahead.iter().map(searched).collect::<Vec<_>>(),
    })
}

/// What must be known to read Hansen's p: shown beside it.
pub const SUPERIOR_ABILITY_NOTE: &str = "asymptotic, as published in 2005, and too small here: without any edge it is at most 0.05 in 6.5 to 9 % of cases; no criterion";

/// The report's one line.
pub fn line(report: &Json) -> Result<String, ValidateError> {
    serde_json::to_string(report).map_err(|error| ValidateError::Signature(error.to_string()))
}

/// Name of a step.
pub const fn step_name(step: Step) -> &'static str {
    match step {
        Step::ToPaper => "research to paper",
        Step::ToProbation => "paper to probation",
        Step::ToFull => "probation to full",
    }
}

fn settings_json(settings: &Settings) -> Json {
    json!({
        "seed": settings.seed,
        "period_ns": settings.period_ns,
        "periods_per_year": settings.per_year.get(),
        "train": settings.walk_forward.train,
        "test": settings.walk_forward.test,
        "gap": settings.walk_forward.gap,
        "groups": settings.cpcv.groups,
        "test_groups": settings.cpcv.test_groups,
        "purge": settings.cpcv.purge,
        "embargo": settings.cpcv.embargo,
        "overfitting_blocks": settings.overfitting_blocks,
        "reality_resamples": settings.reality_resamples,
        "interval_resamples": settings.interval_resamples,
        "permutations_in_sample": settings.permutations_in_sample,
        "permutations_walk_forward": settings.permutations_walk_forward,
        "trade_resamples": settings.trade_resamples,
        "trade_block": settings.trade_block,
        "drawdown_limit": settings.drawdown_limit,
        "cuts": format!("{:?}", settings.cuts),
        "opens_hold_out": settings.opens_hold_out,
    })
}

fn value(value: Value) -> Json {
    match value {
        Ok(number) => json!(number),
        Err(reason) => json!({ "undefined": reason.to_string() }),
    }
}

fn figure(figure: &Figure) -> Json {
    json!({
        "name": figure.name,
        "formula": figure.formula,
        "value": value(figure.value),
        "n": figure.n,
        "per_year": figure.per_year.map(smc_metrics::PeriodsPerYear::get),
        "interval": figure.interval.map(|interval| json!({
            "low": interval.low, "high": interval.high, "level": interval.level, "resamples": interval.resamples,
        })),
    })
}

fn criterion(criterion: &Criterion) -> Json {
    let (word, bound) = bound(criterion.bound);
    json!({
        "name": criterion.name, "value": value(criterion.value), "asked": word, "bound": bound, "holds": criterion.holds(),
    })
}

const fn bound(bound: Bound) -> (&'static str, f64) {
    match bound {
        Bound::AtLeast(bound) => ("at least", bound),
        Bound::AtMost(bound) => ("at most", bound),
        Bound::Above(bound) => ("above", bound),
        Bound::Below(bound) => ("below", bound),
    }
}

fn hold_out(opened: &Opened, seen: usize) -> Json {
    let state = match opened {
        Opened::Closed(reason) => json!({ "state": "closed", "reason": reason }),
        Opened::Refused { opened_ns } => json!({ "state": "refused", "opened_ns": opened_ns }),
        Opened::Read(reading) => json!({
            "state": "opened",
            "profit": value(reading.profit),
            "sharpe_per_period": reading.score,
            "periods": reading.record.returns.len(),
            "trades": reading.record.trades.len(),
        }),
    };
    json!({ "holds": opened.holds(), "seen_by_earlier_trials": seen, "reading": state })
}

fn walked(walked: &Walked, grid: &Grid) -> Json {
    let steps: Vec<Json> = walked
        .steps
        .iter()
        .map(|step| {
            json!({
                "train": [step.train.start, step.train.end],
                "test": [step.test.start, step.test.end],
                "parameters": grid.values(step.candidate),
                "score_in": step.score_in,
                "score_out": step.score_out,
            })
        })
        .collect();
    json!({
        "efficiency": value(walked.efficiency),
        "held_longest": walked.held_longest,
        "periods": walked.out_of_sample.returns.len(),
        "trades": walked.out_of_sample.trades.len(),
        "returns": walked.out_of_sample.returns,
        "steps": steps,
    })
}

fn permuted(permuted: &Permuted) -> Json {
    json!({ "p": permuted.p_value, "real": permuted.real, "permutations": permuted.scores.len(), "scores": permuted.scores })
}

fn paths(paths: Paths) -> Json {
    json!({
        "worst_drawdown": paths.worst_drawdown,
        "limit_risk": paths.limit_risk,
        "worst_equity": paths.worst_equity,
        "trades": paths.trades,
        "resamples": paths.resamples,
    })
}

fn searched(searched: &Searched) -> Json {
    let found = searched.found.as_ref().map(|found| {
        let by = match found.by {
            Test::Truncation => "truncation",
            Test::Perturbation => "perturbation",
        };
        json!({ "by": by, "last": found.last, "at": found.at })
    });
    json!({
        "name": searched.name, "bars": searched.bars, "cuts": searched.cuts, "perturbed": searched.perturbed, "found": found,
    })
}

/// A report for people, from its document alone: what is shown is what was signed.
pub fn text(report: &Json) -> String {
    let mut out = String::new();
    // Writing to a string does not fail.
    let _ = write_text(&mut out, report);
    out
}

fn write_text(out: &mut String, report: &Json) -> std::fmt::Result {
    let word = |path: &str| plain(report.pointer(path));
    let verdict = if report["is_accepted"] == true { "ACCEPTED" } else { "REJECTED" };
    writeln!(out, "{} {}: {} for {}", word("/strategy"), word("/version"), verdict, word("/step"))?;
    writeln!(out, "build {}, program {}", word("/build/core"), word("/build/program"))?;
    writeln!(out, "ledger of {} entries, head {}", word("/ledger/entries"), word("/ledger/head"))?;
    for market in list(&report["data"]) {
        let bars = plain(market.get("bars"));
        writeln!(out, "data {} {bars} bars, {}", plain(market.get("name")), plain(market.get("source")))?;
    }
    let parameters = report.pointer("/chosen/parameters").and_then(Json::as_object);
    let chosen: Vec<String> = parameters
        .into_iter()
        .flatten()
        .map(|(name, value)| format!("{} {}", clean(name), plain(Some(value))))
        .collect();
    writeln!(out, "chosen {}\n", chosen.join(", "))?;
    writeln!(out, "{:<34} {:>12}   asked", "gate", "found")?;
    for one in list(&report["gate"]) {
        let mark = if one["holds"] == true { "ok" } else { "NO" };
        let (name, asked) = (plain(one.get("name")), plain(one.get("asked")));
        writeln!(out, "{mark} {name:<31} {:>12}   {asked} {}", short(&one["value"]), short(&one["bound"]))?;
    }
    let reading = &report["hold_out"]["reading"];
    let mark = if report["hold_out"]["holds"] == true { "ok" } else { "NO" };
    let profit = reading.get("profit").map_or_else(|| "-".to_owned(), short);
    let state = plain(reading.get("state"));
    let why = reading.get("reason").map_or_else(String::new, |reason| format!(": {}", plain(Some(reason))));
    writeln!(out, "{mark} {:<31} {profit:>12}   above 0 ({state}{why})", "hold_out_profit")?;
    let seen = &report["hold_out"]["seen_by_earlier_trials"];
    if seen.as_u64().is_some_and(|seen| seen > 0) {
        writeln!(out, "   {seen} earlier trials of the ledger had looked at data that is kept back here")?;
    }
    let (held, gap) = (&report["walk_forward"]["held_longest"], &report["settings"]["gap"]);
    if held.as_u64() > gap.as_u64() {
        let (held, gap) = (plain(Some(held)), plain(Some(gap)));
        writeln!(
            out,
            "   a trade was held over {held} ends of periods, and the gap between search and test is {gap}"
        )?;
    }
    for file in list(&report["files"]) {
        writeln!(out, "file {} {}", plain(file.get("name")), plain(file.get("blake3")))?;
    }
    writeln!(
        out,
        "\n{:<24} {:>12} {:>25} {:>6}  formula",
        "out of sample", "value", "90 % of resamples", "n"
    )?;
    for one in list(&report["out_of_sample"]) {
        let interval = &one["interval"];
        let between = if interval.is_null() {
            String::new()
        } else {
            format!("{} … {}", short(&interval["low"]), short(&interval["high"]))
        };
        let (name, value, formula) =
            (plain(one.get("name")), short(&one["value"]), plain(one.get("formula")));
        writeln!(out, "{name:<24} {value:>12} {between:>25} {:>6}  {formula}", plain(one.get("n")))?;
    }
    writeln!(
        out,
        "\nluck: {} trials in the ledger, {} of them count",
        word("/luck/trials_made"),
        word("/luck/trials_effective")
    )?;
    for one in list(&report["noise"]) {
        writeln!(
            out,
            "noise: {:<18} {:>12}  {} trades",
            plain(one.get("name")),
            short(&one["profit"]),
            plain(one.get("trades"))
        )?;
    }
    for one in list(&report["look_ahead"]) {
        let found = &one["found"];
        let found = if found.is_null() {
            "nothing".to_owned()
        } else {
            format!("FUTURE by {} behind bar {}", plain(found.get("by")), plain(found.get("last")))
        };
        let (name, cuts) = (plain(one.get("name")), plain(one.get("cuts")));
        writeln!(
            out,
            "knowledge of the future: {name}, {cuts} cuts of {} bars: {found}",
            plain(one.get("bars"))
        )?;
    }
    Ok(())
}

fn list(of: &Json) -> &[Json] {
    of.as_array().map_or(&[], Vec::as_slice)
}

/// A name is text of somebody else: what ends a line, moves a cursor or turns the order of letters around shows as what it is, so
/// that no name can write a line of a report.
fn clean(text: &str) -> String {
    let is_plain = |letter: char| {
        !letter.is_control()
            && !matches!(letter, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}')
    };
    let mut out = String::with_capacity(text.len());
    for letter in text.chars() {
        if is_plain(letter) { out.push(letter) } else { out.extend(letter.escape_unicode()) }
    }
    out
}

fn plain(of: Option<&Json>) -> String {
    match of {
        Some(Json::String(text)) => clean(text),
        Some(other) => other.to_string(),
        None => "-".into(),
    }
}

/// Four digits, or why there is none.
fn short(of: &Json) -> String {
    match of {
        Json::Number(number) => number.as_f64().map_or_else(String::new, |number| {
            if number == number.trunc() && number.abs() < 1e9 {
                format!("{number}")
            } else {
                format!("{number:.4}")
            }
        }),
        Json::Object(_) => plain(of.get("undefined")),
        _ => plain(Some(of)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_name_writes_a_line_of_its_own() {
        let forged = "a\nkick 1: ACCEPTED for research to paper\r\u{1b}[2K\u{202e}";
        let document = json!({
            "strategy": forged,
            "version": forged,
            "data": [{ "name": forged, "source": forged, "bars": 1 }],
            "chosen": { "parameters": { forged: forged } },
            "gate": [{ "name": forged, "value": 1, "asked": forged, "bound": 1, "holds": false }],
            "files": [{ "name": forged, "blake3": forged }],
            "hold_out": { "reading": { "state": forged, "reason": forged } },
            "noise": [{ "name": forged, "profit": { "undefined": forged }, "trades": 1 }],
            "look_ahead": [{ "name": forged, "found": { "by": forged, "last": 1 } }],
        });
        let text = text(&document);
        assert!(text.lines().all(|line| !line.starts_with("kick 1")), "{text}");
        assert!(!text.contains(['\r', '\u{1b}', '\u{202e}']) && text.contains("a\\u{a}kick"), "{text}");
        assert_eq!(clean("Größe ± 1 µs"), "Größe ± 1 µs");
    }
}
