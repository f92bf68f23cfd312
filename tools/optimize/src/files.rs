//! The results as files: JSON for programs, CSV for tables, a page for people, and the chosen configuration.
//!
//! Each is a function of the outcome alone and is written beside its name and then renamed, so that there is a whole one or
//! none.

use crate::heat::{Axis, HeatMap};
use crate::outcome::{Chosen, Ending, Luck, Outcome};
use crate::{OptimizeError, page};
use serde_json::{Map, Value, json};
use smc_metrics::stability::{KEPT_MIN, PROFITABLE_MIN};
use std::fmt::Write as _;
use std::fs::{self, File};
use std::io::Write as _;
use std::path::Path;

/// The files, within the directory of results.
pub const FILES: [&str; 4] = ["result.json", "trials.csv", "result.html", "chosen.toml"];

/// Writes all of [`FILES`]; `best` rows are in the table of the best.
pub fn write_files(outcome: &Outcome, dir: &Path, best: usize) -> Result<(), OptimizeError> {
    let mut result = serde_json::to_string_pretty(&document(outcome, best)).unwrap_or_default();
    result.push('\n');
    let contents = [result, csv(outcome), page::page(outcome, best), chosen(outcome)?];
    for (name, text) in FILES.iter().zip(contents) {
        let (path, fresh) = (dir.join(name), dir.join(format!("{name}.new")));
        let write = || -> std::io::Result<()> {
            let mut file = File::create(&fresh)?;
            file.write_all(text.as_bytes())?;
            file.sync_data()?;
            fs::rename(&fresh, &path)
        };
        write().map_err(OptimizeError::io(&path))?;
    }
    Ok(())
}

/// Everything but the trials' returns, which the record has.
pub(crate) fn document(outcome: &Outcome, best: usize) -> Value {
    let facts = &outcome.facts;
    let ended =
        |wanted: fn(&Ending) -> bool| outcome.trials.iter().filter(|trial| wanted(&trial.ending)).count();
    let ranking: Vec<Value> = outcome.ranking.iter().take(best).map(|nth| row(outcome, *nth)).collect();
    let Chosen { trial, plateau } = outcome.chosen;
    let mut chosen = row(outcome, trial);
    if let Value::Object(chosen) = &mut chosen {
        let around = json!({
            "kept": plateau.kept, "neighbours": plateau.neighbours, "profitable": plateau.profitable,
            "counted": plateau.cells, "is_stable": plateau.is_stable(),
            "kept_min": KEPT_MIN, "profitable_min": PROFITABLE_MIN, "rule": outcome.rule(),
        });
        chosen.insert("plateau".into(), around);
    }
    json!({
        "format": 1,
        "metric": outcome.metric,
        "search": {
            "base": facts.base, "space": facts.space, "method": facts.method, "seed": facts.seed,
            "data": facts.data, "strategy": facts.strategy, "version": facts.version,
            "evaluation": facts.evaluation,
        },
        "trials": {
            "made": outcome.trials.len(),
            "points": outcome.space.points(),
            "scored": outcome.ranking.len(),
            "undefined": ended(|ending| matches!(ending, Ending::Scored(score) if score.value.is_none())),
            "failed": ended(|ending| matches!(ending, Ending::Failed(_))),
            "refused": ended(|ending| matches!(ending, Ending::Refused(_))),
        },
        "best": ranking,
        "chosen": chosen,
        "luck": luck(&outcome.luck),
        "maps": outcome.maps.iter().map(map).collect::<Vec<_>>(),
    })
}

fn row(outcome: &Outcome, nth: usize) -> Value {
    let trial = &outcome.trials[nth];
    let mut row = Map::new();
    row.insert("trial".into(), nth.into());
    row.insert("parameters".into(), json!(outcome.space.texts(&trial.point)));
    if let Ending::Scored(score) = &trial.ending {
        row.insert("score".into(), json!(score.value));
        row.insert("periods".into(), score.periods.into());
        row.insert("trades".into(), score.trades.into());
    }
    Value::Object(row)
}

fn luck(luck: &Luck) -> Value {
    let said = |figure: &Result<f64, String>| match figure {
        Ok(value) => json!({ "value": value }),
        Err(reason) => json!({ "value": null, "because": reason }),
    };
    let effective = match &luck.effective {
        Ok(count) => json!({ "value": count }),
        Err(reason) => json!({ "value": null, "because": reason }),
    };
    json!({
        "trials_in_ledger": luck.made, "trials_effective": effective,
        "dsr_best": said(&luck.dsr_best), "dsr_chosen": said(&luck.dsr_chosen), "pbo": said(&luck.pbo),
    })
}

fn map(map: &HeatMap) -> Value {
    let axis = |axis: &Axis| json!({ "path": axis.path, "labels": axis.labels });
    let columns = map.x.labels.len();
    let of = |what: fn(&crate::Cell) -> Value| -> Vec<Vec<Value>> {
        map.cells.chunks(columns).map(|row| row.iter().map(what).collect()).collect()
    };
    json!({
        "x": axis(&map.x), "y": map.y.as_ref().map(axis),
        "mean": of(|cell| json!(cell.mean)), "best": of(|cell| json!(cell.best)), "trials": of(|cell| json!(cell.trials)),
    })
}

/// A row a trial.
fn csv(outcome: &Outcome) -> String {
    let mut out = String::from("trial");
    for parameter in outcome.space.parameters() {
        let _ = write!(out, ",{}", cell(&parameter.path.to_string()));
    }
    out.push_str(",ending,score,metric,periods,trades,reason\n");
    for (nth, trial) in outcome.trials.iter().enumerate() {
        let _ = write!(out, "{nth}");
        for (parameter, index) in outcome.space.parameters().iter().zip(&trial.point) {
            let _ = write!(out, ",{}", cell(&parameter.text(*index)));
        }
        let _ = match &trial.ending {
            Ending::Scored(score) => {
                let value = score.value.map(|value| value.to_string()).unwrap_or_default();
                write!(out, ",scored,{value},{},{},{},", cell(&score.metric), score.periods, score.trades)
            }
            Ending::Failed(reason) => write!(out, ",failed,,,,,{}", cell(reason)),
            Ending::Refused(reason) => write!(out, ",refused,,,,,{}", cell(reason)),
        };
        out.push('\n');
    }
    out
}

/// A cell. Quoted where it must be; texts that a spreadsheet would run as a formula get a quote before them, numbers do not.
fn cell(text: &str) -> String {
    let is_formula = text.starts_with(['=', '+', '-', '@', '\t', '\r']) && text.parse::<f64>().is_err();
    let guarded = if is_formula { format!("'{text}") } else { text.to_owned() };
    let text = guarded.as_str();
    if text.contains([',', '"', '\n', '\r']) {
        format!("\"{}\"", text.replace('"', "\"\""))
    } else {
        text.into()
    }
}

/// The base configuration with the chosen values.
fn chosen(outcome: &Outcome) -> Result<String, OptimizeError> {
    let trial = outcome.chosen.trial;
    let text = outcome.space.text_at(&outcome.trials[trial].point)?;
    let score = outcome.trials[trial].ending.value().unwrap_or_default();
    let stands = if outcome.chosen.plateau.is_stable() { "on a plateau" } else { "on no plateau" };
    let head = format!(
        "# Chosen by a search: trial {trial}, {} {score}, {stands}. Not tested out of sample.\n",
        outcome.metric
    );
    Ok(head + &text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_cell_is_run_as_a_formula() {
        assert_eq!(cell("=HYPERLINK(\"x\")"), "\"'=HYPERLINK(\"\"x\"\")\"");
        assert_eq!(["@x", "-x", "+x", "\tx"].map(cell), ["'@x", "'-x", "'+x", "'\tx"]);
        assert_eq!(["-5", "+0.5", "-1e-3", "take"].map(cell), ["-5", "+0.5", "-1e-3", "take"]);
    }
}
