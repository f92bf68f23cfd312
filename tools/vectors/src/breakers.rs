//! The loss breakers.

use crate::{CaseError, Input};
use serde_json::{Value, json};
use smc_core::output::TradingState;
use smc_core::risk::{LossBreaker, LossLimits};
use smc_core::words::Money;

/// `None` for a function that is not of this family.
pub fn evaluate(function: &str, input: Input<'_>) -> Option<Result<Value, CaseError>> {
    (function == "loss_breaker").then(|| loss_breaker(input))
}

/// The state after each event.
fn loss_breaker(input: Input<'_>) -> Result<Value, CaseError> {
    let ppm = |name| {
        let wanted = "parts per million";
        u32::try_from(input.count(name)?).map_err(|_| CaseError::Field { name, wanted })
    };
    let limits = LossLimits { daily_loss_ppm: ppm("daily_loss_ppm")?, drawdown_ppm: ppm("drawdown_ppm")? };
    let mut breaker = LossBreaker::default();
    breaker.on_equity(Money(input.int("start_equity")?), &limits);
    let states = input.inputs("events")?.map(|event| {
        match event.text("t")? {
            "eq" => breaker.on_equity(Money(event.int("v")?), &limits),
            "day" => breaker.on_day(&limits),
            "reset" => breaker.reset(),
            _ => return Err(CaseError::Field { name: "t", wanted: "eq, day or reset" }),
        }
        Ok(name(breaker.worst()))
    });
    Ok(json!({ "states": states.collect::<Result<Vec<_>, _>>()? }))
}

const fn name(state: TradingState) -> &'static str {
    match state {
        TradingState::Normal => "NORMAL",
        TradingState::Warn => "WARN",
        TradingState::ReduceOnly => "REDUCE_ONLY",
        TradingState::CancelOnly => "CANCEL_ONLY",
        TradingState::Halt => "HALT",
    }
}
