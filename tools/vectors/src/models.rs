//! What models are trained on and judged by: labels, scores, calibration, drift.

use crate::case::{figure, number};
use crate::{CaseError, Input};
use serde_json::{Value, json};
use smc_metrics::Series;
use smc_metrics::calibration::{Isotonic, Platt};
use smc_metrics::drift;
use smc_metrics::labels::{Barrier, Bars, Label, TripleBarrier, Uniqueness};
use smc_metrics::scores::{Forecasts, Scores};

/// `None` for a function that is not of this family.
pub fn evaluate(function: &str, input: Input<'_>) -> Option<Result<Value, CaseError>> {
    Some(match function {
        "triple_barrier" => triple_barrier(input),
        "label_uniqueness" => uniqueness(input),
        "probability_scores" => scores(input),
        "platt_fit" => platt(input),
        "isotonic" => isotonic(input),
        "psi" => psi(input),
        "ks_two_sample" => ks(input),
        _ => return None,
    })
}

fn triple_barrier(input: Input<'_>) -> Result<Value, CaseError> {
    let (high, low, close) = (input.floats("high")?, input.floats("low")?, input.floats("close")?);
    let bars = Bars::new(&high, &low, &close)?;
    let barriers = TripleBarrier::new(input.float("tp")?, input.float("sl")?, input.size("horizon")?)?;
    let labels = input.inputs("events")?.map(|event| {
        let label = barriers.label(bars, event.size("i")?, event.side("side")?)?;
        Ok(match label {
            Some(Label { sign, at, barrier }) => json!({ "label": sign, "at": at, "hit": name(barrier) }),
            None => json!({ "label": null, "at": null, "hit": "OPEN" }),
        })
    });
    Ok(json!({ "labels": labels.collect::<Result<Vec<_>, CaseError>>()? }))
}

const fn name(barrier: Barrier) -> &'static str {
    match barrier {
        Barrier::Target => "TP",
        Barrier::Stop => "SL",
        Barrier::Time => "TIME",
    }
}

fn uniqueness(input: Input<'_>) -> Result<Value, CaseError> {
    let spans = input.places("spans")?.into_iter().map(|span| match span.as_slice() {
        [from, to] => Ok((*from, *to)),
        _ => Err(CaseError::Field { name: "spans", wanted: "a list of pairs" }),
    });
    let labels = Uniqueness::of(input.size("n")?, &spans.collect::<Result<Vec<_>, _>>()?)?;
    Ok(json!({ "concurrency": labels.concurrency, "uniqueness": labels.uniqueness }))
}

fn scores(input: Input<'_>) -> Result<Value, CaseError> {
    let (happened, p) = (input.flags("y")?, input.floats("p")?);
    let scores = Scores::of(Forecasts::new(&happened, &p)?, input.size("ece_bins")?)?;
    Ok(json!({
        "log_loss": figure(scores.log_loss),
        "brier": figure(scores.brier),
        "auc": figure(scores.auc),
        "ece": figure(scores.ece),
    }))
}

fn platt(input: Input<'_>) -> Result<Value, CaseError> {
    let fit = Platt::fit(&input.floats("score")?, &input.flags("y")?)?;
    Ok(json!({ "a": number(Some(fit.a)), "b": number(Some(fit.b)) }))
}

fn isotonic(input: Input<'_>) -> Result<Value, CaseError> {
    let fit = Isotonic::fit(&input.floats("x")?, &input.floats("y")?)?;
    let values: Vec<_> = input.floats("at")?.into_iter().map(|at| number(Some(fit.value(at)))).collect();
    Ok(json!({ "value": values }))
}

fn psi(input: Input<'_>) -> Result<Value, CaseError> {
    let (expected, actual) = (input.counts("expected_counts")?, input.counts("actual_counts")?);
    Ok(json!({ "psi": figure(drift::psi(&expected, &actual, input.float("floor")?)?) }))
}

fn ks(input: Input<'_>) -> Result<Value, CaseError> {
    let (a, b) = (input.floats("a")?, input.floats("b")?);
    Ok(json!({ "d": number(Some(drift::ks_two_sample(Series::new("a", &a)?, Series::new("b", &b)?))) }))
}
