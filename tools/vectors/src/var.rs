//! Value at risk, expected shortfall and their backtests.

use serde_json::{Value, json};
use smc_core::var::{
    Decay, LikelihoodRatio, Moments, NormalTail, SlidingHistorical, Tail, TailRisk, WINDOW_MAX,
    christoffersen, cornish_fisher, ewma, filtered_historical, historical, kupiec, quantile_linear,
    shortfall_z2, student_t, traffic_light,
};

use crate::{CaseError, Input};

/// `None` for a function that is not of this family.
pub fn evaluate(function: &str, input: Input<'_>) -> Option<Result<Value, CaseError>> {
    Some(match function {
        "var_historical" => var_historical(input),
        "var_sliding" => var_sliding(input),
        "var_normal" => var_normal(input),
        "var_student_t" => var_student_t(input),
        "cornish_fisher_z" => cornish_fisher_z(input),
        "var_cornish_fisher" => var_cornish_fisher(input),
        "var_ewma" => var_ewma(input),
        "var_filtered_historical" => var_filtered_historical(input),
        "kupiec_pof" => kupiec_pof(input),
        "christoffersen" => christoffersen_both(input),
        "basel_zone" => basel_zone(input),
        "acerbi_szekely_z2" => acerbi_szekely_z2(input),
        _ => return None,
    })
}

fn var_historical(input: Input<'_>) -> Result<Value, CaseError> {
    let mut returns = input.floats("returns")?;
    let tail = Tail::from_basis_points(input.count("tail_bp")?);
    let risk = tail.and_then(|tail| historical(&mut returns, tail));
    // The returns are sorted now.
    let linear = tail.and_then(|tail| quantile_linear(&returns, tail.fraction()));
    Ok(json!({
        "k": tail.map(|tail| tail.rank(returns.len())),
        "var": var_of(risk),
        "es": es_of(risk),
        "var_linear": number(linear.map(|quantile| -quantile)),
    }))
}

fn var_sliding(input: Input<'_>) -> Result<Value, CaseError> {
    let returns = input.floats("returns")?;
    let tail = Tail::from_basis_points(input.count("tail_bp")?);
    let window = usize::try_from(input.count("window")?).unwrap_or(usize::MAX);
    let risks: Vec<Option<TailRisk>> = match tail.zip(Some(window)) {
        _ if window == 0 || window > returns.len() => Vec::new(),
        Some((tail, 1..=WINDOW_MAX)) => slide(&returns, window, tail),
        // Longer than the engine keeps one.
        _ => returns.windows(window).map(|last| historical(&mut last.to_vec(), tail?)).collect(),
    };
    let (var, es): (Vec<Value>, Vec<Value>) =
        risks.into_iter().map(|risk| (var_of(risk), es_of(risk))).unzip();
    Ok(json!({ "var": var, "es": es }))
}

fn slide(returns: &[f64], window: usize, tail: Tail) -> Vec<Option<TailRisk>> {
    let Some(mut sliding) = SlidingHistorical::new(window, tail) else { return Vec::new() };
    let mut risks: Vec<_> = returns
        .iter()
        .map(|value| {
            sliding.on_return(*value);
            sliding.risk()
        })
        .collect();
    risks.split_off(window - 1)
}

fn var_normal(input: Input<'_>) -> Result<Value, CaseError> {
    let tail = NormalTail::new(input.float("tail")?);
    let (mu, sigma) = (input.float("mu")?, input.float("sigma")?);
    let risk = tail.and_then(|tail| tail.risk(mu, sigma));
    Ok(json!({ "z": z_of(tail), "var": var_of(risk), "es": es_of(risk) }))
}

fn var_student_t(input: Input<'_>) -> Result<Value, CaseError> {
    let risk = student_t(input.float("nu")?, input.float("scale")?, input.float("tail")?);
    Ok(json!({ "var": number(risk.map(|(var, _)| var)), "es": number(risk.and_then(|(_, es)| es)) }))
}

fn cornish_fisher_z(input: Input<'_>) -> Result<Value, CaseError> {
    let tail = NormalTail::new(input.float("tail")?);
    let (skew, kurtosis) = (input.float("skew")?, input.float("excess_kurt")?);
    let z = tail.map_or(f64::NAN, |tail| tail.z());
    let corrected = cornish_fisher(z, skew, kurtosis);
    Ok(json!({ "z": z_of(tail), "z_cf": number(Some(corrected.z)), "monotone": corrected.is_monotone }))
}

fn var_cornish_fisher(input: Input<'_>) -> Result<Value, CaseError> {
    let moments = Moments::of(&input.floats("returns")?);
    let tail = NormalTail::new(input.float("tail")?);
    let shape = moments.and_then(|moments| moments.skew.zip(moments.kurtosis));
    Ok(json!({
        "skew": number(shape.map(|(skew, _)| skew)),
        "excess_kurt": number(shape.map(|(_, kurtosis)| kurtosis)),
        "monotone": shape.is_some_and(|(skew, kurtosis)| cornish_fisher(0.0, skew, kurtosis).is_monotone),
        "var": number(moments.zip(tail).and_then(|(moments, tail)| moments.cornish_fisher_var(&tail).0)),
    }))
}

fn var_ewma(input: Input<'_>) -> Result<Value, CaseError> {
    let returns = input.floats("returns")?;
    let tail = NormalTail::new(input.float("tail")?);
    let sigma = Decay::new(input.float("lambda")?).and_then(|decay| ewma(&returns, decay));
    let risk = tail.zip(sigma).and_then(|(tail, sigma)| tail.risk(0.0, sigma));
    Ok(json!({
        "sigma_first": number(returns.first().map(|first| first.abs())),
        "sigma_last": number(sigma),
        "var": var_of(risk),
    }))
}

fn var_filtered_historical(input: Input<'_>) -> Result<Value, CaseError> {
    let returns = input.floats("returns")?;
    let tail = Tail::from_basis_points(input.count("tail_bp")?);
    let dropped = usize::try_from(input.count("burn_in")?).unwrap_or(usize::MAX);
    let decay = Decay::new(input.float("lambda")?);
    let count = returns.len().saturating_sub(dropped);
    let reading = decay.map(|decay| {
        // The deviation does not depend on the tail, so it is there for any.
        let tail = tail.unwrap_or(Tail::ONE_PERCENT);
        filtered_historical(&returns, decay, dropped, tail, &mut vec![0.0; count])
    });
    let risk = reading.zip(tail).and_then(|(reading, _)| reading.risk);
    Ok(json!({
        "sigma_next": number(reading.and_then(|reading| reading.sigma)),
        "n_resid": count,
        "k": tail.map(|tail| tail.rank(count)),
        "var": var_of(risk),
        "es": es_of(risk),
    }))
}

fn kupiec_pof(input: Input<'_>) -> Result<Value, CaseError> {
    let test = kupiec(input.count("n")?, input.count("exceptions")?, input.float("p")?);
    Ok(json!({ "lr": ratio_of(test), "p_value": p_value_of(test) }))
}

fn christoffersen_both(input: Input<'_>) -> Result<Value, CaseError> {
    let test = christoffersen(&input.flags("hits")?, input.float("p")?);
    Ok(json!({
        "n00": test.transitions.after_miss_miss,
        "n01": test.transitions.after_miss_hit,
        "n10": test.transitions.after_hit_miss,
        "n11": test.transitions.after_hit_hit,
        "lr_ind": ratio_of(test.independence),
        "p_ind": p_value_of(test.independence),
        "lr_uc": ratio_of(test.coverage),
        "p_uc": p_value_of(test.coverage),
        "lr_cc": ratio_of(test.conditional),
        "p_cc": p_value_of(test.conditional),
    }))
}

fn basel_zone(input: Input<'_>) -> Result<Value, CaseError> {
    let reading = traffic_light(input.count("n")?, input.count("exceptions")?, input.float("p")?);
    Ok(json!({
        "zone": reading.map(|reading| reading.zone.name()),
        "cum_prob": number(reading.map(|reading| reading.probability)),
    }))
}

/// VaR and ES are one number for all days or one a day.
fn acerbi_szekely_z2(input: Input<'_>) -> Result<Value, CaseError> {
    let returns = input.floats("returns")?;
    let (var, es) = (daily(input, "var", returns.len())?, daily(input, "es", returns.len())?);
    let days = returns.into_iter().zip(var).zip(es).map(|((value, var), es)| (value, var, es));
    Ok(json!({ "z2": number(shortfall_z2(days, input.float("p")?)) }))
}

fn daily(input: Input<'_>, name: &'static str, days: usize) -> Result<Vec<f64>, CaseError> {
    if !input.get(name).is_some_and(Value::is_array) {
        return Ok(vec![input.float(name)?; days]);
    }
    let wanted = CaseError::Field { name, wanted: "a number or a list as long as the returns" };
    input.floats(name).and_then(|all| if all.len() == days { Ok(all) } else { Err(wanted) })
}

/// Null where it is undefined; zero is never negative.
fn number(value: Option<f64>) -> Value {
    value.filter(|value| value.is_finite()).map_or(Value::Null, |value| json!(value + 0.0))
}

fn var_of(risk: Option<TailRisk>) -> Value {
    number(risk.map(|risk| risk.var))
}

fn es_of(risk: Option<TailRisk>) -> Value {
    number(risk.map(|risk| risk.es))
}

fn z_of(tail: Option<NormalTail>) -> Value {
    number(tail.map(|tail| tail.z()))
}

fn ratio_of(test: Option<LikelihoodRatio>) -> Value {
    number(test.map(|test| test.ratio))
}

fn p_value_of(test: Option<LikelihoodRatio>) -> Value {
    number(test.map(|test| test.p_value))
}
