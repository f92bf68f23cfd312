//! Kelly fractions and quantities.

use crate::case::number;
use crate::{CaseError, Input};
use serde_json::{Value, json};
use smc_core::sizing::kelly::{self, Bet};
use smc_core::sizing::posterior::Posterior;
use smc_core::sizing::{Rate, SizeRequest, size_from_risk};
use smc_core::words::{Money, Price, Qty};

/// `None` for a function that is not of this family.
pub fn evaluate(function: &str, input: Input<'_>) -> Option<Result<Value, CaseError>> {
    Some(match function {
        "kelly_bracket" => bracket(input),
        "kelly_bracket_net" => bracket_net(input),
        "kelly_continuous" => continuous(input),
        "kelly_multi_outcome" => multi_outcome(input),
        "kelly_shrunk" => shrunk(input),
        "size_from_risk" => size(input),
        _ => return None,
    })
}

fn bracket(input: Input<'_>) -> Result<Value, CaseError> {
    let (p, bet) = (input.float("p")?, Bet { win: input.float("b")?, loss: input.float("a")? });
    let f = bet.fraction(p);
    let growth = f.and_then(|f| bet.growth(p, f));
    Ok(json!({ "f_raw": number(bet.fraction_raw(p)), "f": number(f), "growth": number(growth) }))
}

fn bracket_net(input: Input<'_>) -> Result<Value, CaseError> {
    let (p, bet) = (input.float("p")?, Bet::net(input.float("b")?, input.float("cost_r")?));
    Ok(
        json!({ "b_net": number(Some(bet.win)), "a_net": number(Some(bet.loss)), "f": number(bet.fraction(p)) }),
    )
}

fn continuous(input: Input<'_>) -> Result<Value, CaseError> {
    let (mu, r, sigma) = (input.float("mu")?, input.float("r")?, input.float("sigma")?);
    let raw = kelly::continuous_raw(mu, r, sigma);
    let f = raw.map(|raw| if raw > 0.0 { raw } else { 0.0 });
    let growth = f.and_then(|f| kelly::continuous_growth(mu, r, sigma, f));
    Ok(json!({ "f_raw": number(raw), "f": number(f), "growth": number(growth) }))
}

fn multi_outcome(input: Input<'_>) -> Result<Value, CaseError> {
    let f = kelly::multi_outcome(&input.floats("probs")?, &input.floats("r_multiples")?);
    Ok(json!({ "f": number(f) }))
}

fn shrunk(input: Input<'_>) -> Result<Value, CaseError> {
    let bet = Bet { win: input.float("b")?, loss: 1.0 };
    let (wins, losses) = (input.float("wins")?, input.float("losses")?);
    let posterior = Posterior::new(wins, losses, bet.win, input.float("prior_strength")?);
    let mean = posterior.map(|posterior| posterior.mean());
    let lower_q = input.float("lower_q")?;
    let lower = posterior.and_then(|posterior| posterior.quantile(lower_q));
    let fraction = mean.and_then(|mean| bet.fraction(mean));
    // Without a win that pays there is nothing to shrink.
    let shrink = posterior.zip(bet.odds()).map(|(posterior, odds)| posterior.shrink_factor(odds));
    Ok(json!({
        "p_mean": number(mean),
        "p_var": number(posterior.map(|posterior| posterior.variance())),
        "p_lower": number(lower),
        "f_mean": number(fraction),
        "shrink_k": number(shrink),
        "f_shrunk": number(fraction.zip(shrink).map(|(fraction, shrink)| fraction * shrink)),
        "f_lower": number(lower.and_then(|lower| bet.fraction(lower))),
    }))
}

fn size(input: Input<'_>) -> Result<Value, CaseError> {
    let size = size_from_risk(&SizeRequest {
        equity: Money(input.decimal("equity")?),
        risk_fraction: Rate(input.decimal("risk_fraction")?),
        entry: Price(input.decimal("entry")?),
        stop: Price(input.decimal("stop")?),
        multiplier: Qty(input.decimal("multiplier")?),
        fee: Rate(input.decimal("fee_rate")?),
        lot: Qty(input.decimal("lot")?),
        qty_min: Qty(input.decimal("min_qty")?),
        qty_max: Qty(input.decimal("max_qty")?),
        notional_min: Money(input.decimal("min_notional")?),
    });
    let is_known = size.loss_per_unit_e24 != i128::MAX;
    let loss = is_known.then(|| smc_core::risk::vectors::decimal_e24(size.loss_per_unit_e24));
    Ok(json!({ "qty": size.qty.to_string(), "reason": size.reason.name(), "loss_per_unit": loss }))
}
