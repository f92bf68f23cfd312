//! Whether a result is luck: splits of time, overfitting, reality checks, permutations.

use crate::case::number;
use crate::{CaseError, Input};
use serde_json::{Value, json};
use smc_metrics::cpcv::Cpcv;
use smc_metrics::folds::{Span, purged_kfold};
use smc_metrics::overfitting::Overfitting;
use smc_metrics::permutation::p_value;
use smc_metrics::reality_check::RealityCheck;
use smc_metrics::resampling::drawdowns_of;
use smc_metrics::walk_forward::WalkForward;
use smc_metrics::{Panel, Series};
use std::ops::Range;

/// Most places that an answer lists.
const PLACES_MAX: usize = 10_000_000;

/// `None` for a function that is not of this family.
pub fn evaluate(function: &str, input: Input<'_>) -> Option<Result<Value, CaseError>> {
    Some(match function {
        "walk_forward" => walk_forward(input),
        "purged_kfold" => kfold(input),
        "cpcv" => cpcv(input),
        "pbo_cscv" => pbo(input),
        "white_reality_check" => reality_check(input),
        "permutation_p_value" => permutation(input),
        "mc_drawdown_shuffle" => drawdowns(input),
        _ => return None,
    })
}

fn ends(range: &Range<usize>) -> [usize; 2] {
    [range.start, range.end]
}

fn walk_forward(input: Input<'_>) -> Result<Value, CaseError> {
    let walk = WalkForward {
        train: input.size("train")?,
        test: input.size("test")?,
        gap: input.size("gap")?,
        is_anchored: input.claim("anchored")?,
    };
    let splits = walk.splits(input.size("n")?)?;
    let splits = splits.iter().map(|split| json!({ "train": ends(&split.train), "test": ends(&split.test) }));
    Ok(json!({ "splits": splits.collect::<Vec<_>>() }))
}

fn kfold(input: Input<'_>) -> Result<Value, CaseError> {
    let (starts, ends) = (input.ints("t_start")?, input.ints("t_end")?);
    if starts.len() != ends.len() {
        return Err(CaseError::Field { name: "t_end", wanted: "as long as t_start" });
    }
    let spans: Vec<Span> = starts.into_iter().zip(ends).map(|(start, end)| Span { start, end }).collect();
    let folds = purged_kfold(&spans, input.size("folds")?, input.int("embargo")?)?;
    Ok(json!({ "train_per_fold": folds.into_iter().map(|fold| fold.train).collect::<Vec<_>>() }))
}

fn cpcv(input: Input<'_>) -> Result<Value, CaseError> {
    let cpcv = Cpcv {
        groups: input.size("folds")?,
        test_groups: input.size("test_folds")?,
        purge: input.size("purge")?,
        embargo: input.size("embargo")?,
    };
    let splits = cpcv.splits(input.size("n")?)?;
    let lengths = splits.iter().flat_map(|split| &split.train).map(Range::len);
    if lengths.fold(0, usize::saturating_add) > PLACES_MAX {
        return Err(CaseError::Field { name: "n", wanted: "small enough to list ten million places" });
    }
    let shown = splits.iter().map(|split| {
        let train: Vec<usize> = split.train.iter().cloned().flatten().collect();
        json!({ "train": train, "test": split.test.iter().map(ends).collect::<Vec<_>>() })
    });
    Ok(json!({
        "n_splits": splits.len(),
        "n_paths": cpcv.paths_count()?,
        "splits": shown.collect::<Vec<_>>(),
    }))
}

fn pbo(input: Input<'_>) -> Result<Value, CaseError> {
    let panel = Panel::from_rows("matrix", &input.rows("matrix")?)?;
    let found = Overfitting::of(&panel, input.size("blocks")?)?;
    Ok(json!({
        "combinations": found.logits.len(),
        "logits": found.logits.iter().map(|logit| number(Some(*logit))).collect::<Vec<_>>(),
        "pbo": number(Some(found.pbo)),
    }))
}

fn reality_check(input: Input<'_>) -> Result<Value, CaseError> {
    let panel = Panel::from_rows("diffs", &input.rows("diffs")?)?;
    let check = RealityCheck::with_resamples(&panel, &input.places("bootstrap_indices")?)?;
    Ok(json!({
        "v": number(Some(check.v)),
        "count_ge": check.count_ge,
        "p_value": number(Some(check.p_value)),
    }))
}

fn permutation(input: Input<'_>) -> Result<Value, CaseError> {
    let p = p_value(input.float("real")?, &input.floats("permuted")?)?;
    Ok(json!({ "p_value": number(Some(p)) }))
}

fn drawdowns(input: Input<'_>) -> Result<Value, CaseError> {
    let returns = input.floats("returns")?;
    let shuffled = drawdowns_of(Series::new("returns", &returns)?, &input.places("permutations")?)?;
    Ok(json!({
        "max_drawdowns": shuffled.max_drawdowns.iter().map(|fall| number(Some(*fall))).collect::<Vec<_>>(),
        "p95_worst": number(shuffled.p95_worst),
    }))
}
