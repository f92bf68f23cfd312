//! Fills: when a simulated order gets them, and what they do to an account.

use crate::case::{figure, number};
use crate::{CaseError, Input};
use serde_json::{Value, json};
use smc_core::words::{Qty, SCALE};
use smc_metrics::accounting::{Account, AccountError, Fill, Kind, funding};
use smc_metrics::bracket::{Bar, Bracket, Exit};
use smc_metrics::decimal::Decimal;
use smc_metrics::queue::{QueueModel, RiskAverseQueue};

/// `None` for a function that is not of this family.
pub fn evaluate(function: &str, input: Input<'_>) -> Option<Result<Value, CaseError>> {
    Some(match function {
        "pnl_average_cost" => average_cost(input),
        "funding_payment" => funding_payment(input),
        "bracket_on_bars" => bracket(input),
        "queue_probability" => probability(input),
        "queue_risk_averse" => risk_averse(input),
        _ => return None,
    })
}

fn decimal(input: Input<'_>, name: &'static str) -> Result<Decimal, CaseError> {
    let wanted = "a decimal number as text";
    Decimal::parse(input.text(name)?).map_err(|_| CaseError::Field { name, wanted })
}

fn refused(error: AccountError) -> CaseError {
    CaseError::Refused { reason: error.to_string() }
}

fn average_cost(input: Input<'_>) -> Result<Value, CaseError> {
    let kind = if input.claim("inverse")? { Kind::Inverse } else { Kind::Linear };
    let mut account = Account::new(kind);
    for fill in input.inputs("fills")? {
        let fill = Fill {
            side: fill.side("side")?,
            qty: decimal(fill, "qty")?,
            price: decimal(fill, "px")?,
            fee_rate: decimal(fill, "fee_rate")?,
        };
        account.fill(&fill).map_err(refused)?;
    }
    let standing = account.at(&decimal(input, "mark")?).map_err(refused)?;
    Ok(json!({
        "position": standing.position.to_string(),
        "avg_price": standing.average.map(|average| average.to_string()),
        "realized": standing.realised.to_string(),
        "unrealized": standing.unrealised.to_string(),
        "fees": standing.fees.to_string(),
    }))
}

fn funding_payment(input: Input<'_>) -> Result<Value, CaseError> {
    let cash = funding(&decimal(input, "position")?, &decimal(input, "mark")?, &decimal(input, "rate")?);
    Ok(json!({ "cash": cash.to_string() }))
}

fn bracket(input: Input<'_>) -> Result<Value, CaseError> {
    let bracket = Bracket {
        side: input.side("side")?,
        stop: input.float("sl")?,
        target: input.float("tp")?,
        touch_fills: input.claim("touch_fills")?,
    };
    let bar = |row: Vec<f64>| match row.as_slice() {
        &[open, high, low, _] => Ok(Bar { open, high, low }),
        _ => Err(CaseError::Field { name: "bars_ohlc", wanted: "a list of four prices each" }),
    };
    let bars: Vec<Bar<f64>> = input.rows("bars_ohlc")?.into_iter().map(bar).collect::<Result<_, _>>()?;
    Ok(match bracket.on_bars(&bars) {
        Some((bar, exit, price)) => json!({ "bar": bar, "price": price, "reason": name(exit) }),
        None => json!({ "bar": null, "price": null, "reason": "OPEN" }),
    })
}

const fn name(exit: Exit) -> &'static str {
    match exit {
        Exit::StopGap => "SL_GAP",
        Exit::Stop => "SL",
        Exit::Target => "TP",
    }
}

fn probability(input: Input<'_>) -> Result<Value, CaseError> {
    let (front, back, n) = (input.float("front")?, input.float("back")?, input.float("power_n")?);
    let of = |model: QueueModel| Ok::<_, CaseError>(figure(model.probability_behind(front, back)?));
    let power = QueueModel::Power(n);
    let after = power.front_after(front, back, input.float("decrease")?, input.float("new_qty")?)?;
    Ok(json!({
        "power": of(power)?,
        "log": of(QueueModel::Log)?,
        "power2": of(QueueModel::Power2(n))?,
        "power3": of(QueueModel::Power3(n))?,
        "log2": of(QueueModel::Log2)?,
        "front_after_power": figure(after),
    }))
}

fn risk_averse(input: Input<'_>) -> Result<Value, CaseError> {
    let qty = |input: Input<'_>, name| input.decimal_number(name).map(Qty);
    let mut queue = RiskAverseQueue::new(qty(input, "queue_ahead")?, qty(input, "qty")?)?;
    let fills = input.inputs("events")?.map(|event| {
        let filled = match event.text("t")? {
            "trade" => queue.on_trade(qty(event, "qty")?),
            "depth" => {
                queue.on_level(qty(event, "level_qty")?);
                Qty::ZERO
            }
            _ => return Err(CaseError::Field { name: "t", wanted: "trade or depth" }),
        };
        Ok(shown(filled))
    });
    let fills = fills.collect::<Result<Vec<_>, _>>()?;
    Ok(json!({ "fills": fills, "queue_ahead": shown(queue.ahead()), "remaining": shown(queue.leaves()) }))
}

/// Whole quantities are whole numbers.
fn shown(qty: Qty) -> Value {
    if qty.0 % SCALE == 0 { json!(qty.0 / SCALE) } else { number(Some(qty.0 as f64 / SCALE as f64)) }
}
