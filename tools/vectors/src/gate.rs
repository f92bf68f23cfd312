//! The gate's codes, and the two throttles.

use crate::{CaseError, Input};
use serde_json::{Value, json};
use smc_core::book::Reference;
use smc_core::instrument::{Contract, InstrumentSpec};
use smc_core::risk::vectors::{self, CaseOrder, GateCase};
use smc_core::risk::{AccountLimits, Check, Limits, TokenBucket, WINDOW_MESSAGES_MAX};
use smc_core::words::{Money, Name, Price, Qty, SCALE, Side, TsNs};

const MS: u64 = 1_000_000;
const SECOND: u64 = 1_000 * MS;

/// `None` for a function that is not of this family.
pub fn evaluate(function: &str, input: Input<'_>) -> Option<Result<Value, CaseError>> {
    Some(match function {
        "pretrade_gate" => gate(input),
        "throttle_sliding" => sliding(input),
        "throttle_token_bucket" => token_bucket(input),
        _ => return None,
    })
}

fn gate(input: Input<'_>) -> Result<Value, CaseError> {
    let codes = vectors::evaluate_gate(&gate_case(input)?);
    let names: Vec<_> = codes.iter().map(Check::name).collect();
    Ok(json!({ "violations": names }))
}

fn gate_case(input: Input<'_>) -> Result<GateCase, CaseError> {
    let (cfg, state, order) = (input.object("cfg")?, input.object("state")?, input.object("order")?);
    let recent =
        |input: Input<'_>| Ok::<_, CaseError>((TsNs(ns(input, "ts_ms")?), case_order(input, "qty")?));
    Ok(GateCase {
        is_allowed: cfg.claim("allowed")?,
        spec: spec(cfg, state)?,
        limits: limits(cfg)?,
        account: account(cfg)?,
        state: vectors::state_of(state.text("state")?)
            .ok_or(CaseError::Field { name: "state", wanted: "a trading state" })?,
        loss_level: vectors::loss_level_of(state.int("loss_level")?),
        now: TsNs(ns(state, "now_ms")?),
        reference: Reference { price: Price(state.int("ref_px")?), ts: TsNs(ns(state, "ref_ts_ms")?) },
        position: Qty(state.int("pos")?),
        open: state.inputs("open")?.map(|open| case_order(open, "rem")).collect::<Result<_, _>>()?,
        other_gross: Money(state.int("other_gross")?),
        other_net: Money(state.int("other_net")?),
        equity: Money(state.int("equity")?),
        messages: times(state, "msgs_ms")?,
        recent: state.inputs("recent")?.map(recent).collect::<Result<_, _>>()?,
        repeats: small(state, "repeat")?,
        order: case_order(order, "qty")?,
    })
}

/// The names are not the case's: one instrument has no need of them.
fn spec(cfg: Input<'_>, state: Input<'_>) -> Result<InstrumentSpec, CaseError> {
    Ok(InstrumentSpec {
        symbol: Name::default(),
        base: Name::default(),
        quote: Name::default(),
        tick: Price(cfg.int("tick")?),
        lot: Qty(cfg.int("lot")?),
        qty_min: Qty::ZERO,
        qty_max: Qty(i64::MAX),
        notional_min: Money(cfg.int("min_notional")?),
        status: vectors::status_of(state.text("inst_status")?),
        contract: Contract::SPOT,
    })
}

fn limits(cfg: Input<'_>) -> Result<Limits, CaseError> {
    Ok(Limits {
        strategies_allowed: 1,
        order_qty_max: Qty(cfg.int("max_qty")?),
        order_notional_max: Money(cfg.int("max_notional")?),
        collar_ppm: small(cfg, "collar_ppm")?,
        collar_passive_ppm: small(cfg, "passive_ppm")?,
        reference_age_max_ns: ns(cfg, "max_age_ms")?,
        reference_skew_max_ns: ns(cfg, "max_skew_ms")?,
        position_qty_max: Qty(cfg.int("max_pos")?),
        open_orders_max: small(cfg, "max_open")?,
        duplicate_window_ns: ns(cfg, "dup_ms")?,
        repeat_max: small(cfg, "max_repeat")?,
    })
}

/// What a case does not say is no limit.
fn account(cfg: Input<'_>) -> Result<AccountLimits, CaseError> {
    Ok(AccountLimits {
        gross_max: Money(cfg.int("max_gross")?),
        net_max: Money(cfg.int("max_net")?),
        leverage_max_milli: small(cfg, "max_leverage_milli")?,
        open_orders_max: u32::MAX,
        messages_max: small(cfg, "max_msgs")?,
        messages_window_ns: ns(cfg, "window_ms")?,
        runaway_denials_max: u32::MAX,
        runaway_window_ns: 1,
        entry_forgiven_after_ns: u64::MAX,
        margin_use_ppm_max: 1_000_000,
        var_ppm_max: None,
        order_lifetime_ns_max: u64::MAX,
        clock_offset_ns_max: u64::MAX,
        budget_reserve_ppm: 0,
    })
}

fn case_order(input: Input<'_>, qty: &'static str) -> Result<CaseOrder, CaseError> {
    // Open and earlier orders have no type; those at the market have no price.
    let is_market = input.get("type").and_then(Value::as_str) == Some("MARKET");
    let price = if is_market && input.get("px").is_none() { 0 } else { input.int("px")? };
    Ok(CaseOrder {
        side: if input.int("side")? > 0 { Side::Buy } else { Side::Sell },
        is_market,
        price: Price(price),
        qty: Qty(input.int(qty)?),
    })
}

fn sliding(input: Input<'_>) -> Result<Value, CaseError> {
    let times = times(input, "ts_ms")?;
    // Of fewer messages than the limit all are accepted, so a limit beyond their number is that number.
    let most = u64::try_from(input.int("max")?).unwrap_or(0).min(times.len() as u64);
    let wanted = "a limit that the window can count";
    let most = u32::try_from(most).ok().filter(|most| *most as usize <= WINDOW_MESSAGES_MAX);
    let most = most.ok_or(CaseError::Field { name: "max", wanted })?;
    let window_ns = u64::try_from(input.int("window_ms")?).unwrap_or(0).saturating_mul(MS);
    Ok(json!({ "accept": vectors::evaluate_throttle(&times, most, window_ns) }))
}

fn token_bucket(input: Input<'_>) -> Result<Value, CaseError> {
    let times = times(input, "ts_ms")?;
    // A rate such as 2.5 is exact in 1e-8: so many tokens in 1e8 seconds.
    let rate = u64::try_from(input.decimal_number("rate_per_s")?).unwrap_or(0);
    let capacity = u64::try_from(input.int("capacity")?).unwrap_or(0);
    let mut bucket = TokenBucket::new(capacity, rate, SECOND * SCALE as u64);
    let accept: Vec<_> = times.iter().map(|&now| bucket.take(now, 1)).collect();
    Ok(json!({ "accept": accept }))
}

/// Moments in milliseconds. Only distances count, so those before the epoch are moved behind it.
fn times(input: Input<'_>, name: &'static str) -> Result<Vec<TsNs>, CaseError> {
    let wanted = "a list of whole numbers";
    let read = |value: &Value| value.as_i64().ok_or(CaseError::Field { name, wanted });
    let times = input.list(name)?.iter().map(read).collect::<Result<Vec<_>, _>>()?;
    let first = times.iter().copied().min().unwrap_or(0).min(0);
    Ok(times.iter().map(|ts| TsNs(ts.abs_diff(first).saturating_mul(MS))).collect())
}

fn ns(input: Input<'_>, name: &'static str) -> Result<u64, CaseError> {
    input.count(name).map(|ms| ms.saturating_mul(MS))
}

fn small(input: Input<'_>, name: &'static str) -> Result<u32, CaseError> {
    u32::try_from(input.count(name)?).map_err(|_| CaseError::Field { name, wanted: "a small count" })
}
