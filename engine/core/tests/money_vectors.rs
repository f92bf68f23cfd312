//! Golden: the risk vectors that lie beside the repository, through the shipped code.
#![allow(clippy::unwrap_used, reason = "a helper that panics fails its test")]

use serde_json::Value;
use smc_core::book::Reference;
use smc_core::risk::vectors::{self, CaseOrder, GateCase};
use smc_core::risk::{AccountLimits, Check, Limits};
use smc_core::sizing::{Rate, SizeRequest, size_from_risk};
use smc_core::words::{Money, Price, Qty, Side, TsNs};
use std::path::Path;

mod money_common;

const FILE: &str = "shared/data/vectors/risk.json";

/// All cases of one function; empty (and said so) when the file is absent.
fn cases(function: &str) -> Vec<Value> {
    let found =
        Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().map(|dir| dir.join(FILE)).find(|f| f.exists());
    let Some(path) = found else {
        println!("skipped: {FILE} absent");
        return Vec::new();
    };
    let text = std::fs::read_to_string(path).unwrap();
    let file: Value = serde_json::from_str(&text).unwrap();
    let all = file["cases"].as_array().unwrap();
    let cases: Vec<_> = all.iter().filter(|case| case["fn"] == function).cloned().collect();
    assert!(!cases.is_empty(), "no case of {function}");
    println!("{function}: {} cases", cases.len());
    cases
}

fn int(value: &Value) -> i64 {
    value.as_i64().unwrap()
}

fn small(value: &Value) -> u32 {
    u32::try_from(int(value)).unwrap()
}

fn ns(value: &Value) -> u64 {
    u64::try_from(int(value)).unwrap() * 1_000_000
}

fn case_order(value: &Value, qty: &str) -> CaseOrder {
    CaseOrder {
        side: if int(&value["side"]) > 0 { Side::Buy } else { Side::Sell },
        is_market: value["type"] == "MARKET",
        price: Price(int(&value["px"])),
        qty: Qty(int(&value[qty])),
    }
}

fn gate_case(case: &Value) -> GateCase {
    let (cfg, state, order) = (&case["in"]["cfg"], &case["in"]["state"], &case["in"]["order"]);
    let list = |name: &str| state[name].as_array().unwrap().iter();
    GateCase {
        is_allowed: cfg["allowed"].as_bool().unwrap(),
        spec: smc_core::instrument::InstrumentSpec {
            tick: Price(int(&cfg["tick"])),
            lot: Qty(int(&cfg["lot"])),
            qty_min: Qty::ZERO,
            notional_min: Money(int(&cfg["min_notional"])),
            status: vectors::status_of(state["inst_status"].as_str().unwrap()),
            ..money_common::spec()
        },
        limits: Limits {
            strategies_allowed: 1,
            order_qty_max: Qty(int(&cfg["max_qty"])),
            order_notional_max: Money(int(&cfg["max_notional"])),
            collar_ppm: small(&cfg["collar_ppm"]),
            collar_passive_ppm: small(&cfg["passive_ppm"]),
            reference_age_max_ns: ns(&cfg["max_age_ms"]),
            reference_skew_max_ns: ns(&cfg["max_skew_ms"]),
            position_qty_max: Qty(int(&cfg["max_pos"])),
            open_orders_max: small(&cfg["max_open"]),
            duplicate_window_ns: ns(&cfg["dup_ms"]),
            repeat_max: small(&cfg["max_repeat"]),
        },
        account: AccountLimits {
            gross_max: Money(int(&cfg["max_gross"])),
            net_max: Money(int(&cfg["max_net"])),
            leverage_max_milli: small(&cfg["max_leverage_milli"]),
            messages_max: small(&cfg["max_msgs"]),
            messages_window_ns: ns(&cfg["window_ms"]),
            ..money_common::account()
        },
        state: vectors::state_of(state["state"].as_str().unwrap()).unwrap(),
        loss_level: vectors::loss_level_of(int(&state["loss_level"])),
        now: TsNs(ns(&state["now_ms"])),
        reference: Reference { price: Price(int(&state["ref_px"])), ts: TsNs(ns(&state["ref_ts_ms"])) },
        position: Qty(int(&state["pos"])),
        open: list("open").map(|o| case_order(o, "rem")).collect(),
        other_gross: Money(int(&state["other_gross"])),
        other_net: Money(int(&state["other_net"])),
        equity: Money(int(&state["equity"])),
        messages: list("msgs_ms").map(|t| TsNs(ns(t))).collect(),
        recent: list("recent").map(|o| (TsNs(ns(&o["ts_ms"])), case_order(o, "qty"))).collect(),
        repeats: small(&state["repeat"]),
        order: case_order(order, "qty"),
    }
}

#[test]
fn every_pretrade_gate_case_gives_its_codes() {
    let mut produced = std::collections::BTreeSet::new();
    let cases = cases("pretrade_gate");
    for case in &cases {
        let codes = vectors::evaluate_gate(&gate_case(case));
        let names: Vec<_> = codes.iter().map(Check::name).collect();
        let expected: Vec<_> =
            case["out"]["violations"].as_array().unwrap().iter().map(|v| v.as_str().unwrap()).collect();
        assert_eq!(names, expected, "{}", case["id"]);
        produced.extend(names);
    }
    assert!(cases.is_empty() || produced.len() == 21, "the cases produce {} codes", produced.len());
}

#[test]
fn every_throttle_sliding_case_accepts_the_same() {
    for case in cases("throttle_sliding") {
        let input = &case["in"];
        let times: Vec<_> = input["ts_ms"].as_array().unwrap().iter().map(|t| TsNs(ns(t))).collect();
        let accepted = vectors::evaluate_throttle(&times, small(&input["max"]), ns(&input["window_ms"]));
        let expected: Vec<_> =
            case["out"]["accept"].as_array().unwrap().iter().map(|v| v.as_bool().unwrap()).collect();
        assert_eq!(accepted, expected, "{}", case["id"]);
    }
}

#[test]
fn every_size_from_risk_case_gives_its_quantity() {
    for case in cases("size_from_risk") {
        let number = |name: &str| Price::parse(case["in"][name].as_str().unwrap().as_bytes()).unwrap().0;
        let size = size_from_risk(&SizeRequest {
            equity: Money(number("equity")),
            risk_fraction: Rate(number("risk_fraction")),
            entry: Price(number("entry")),
            stop: Price(number("stop")),
            multiplier: Qty(number("multiplier")),
            fee: Rate(number("fee_rate")),
            lot: Qty(number("lot")),
            qty_min: Qty(number("min_qty")),
            qty_max: Qty(number("max_qty")),
            notional_min: Money(number("min_notional")),
        });
        let out = &case["out"];
        assert_eq!(size.qty.to_string(), out["qty"].as_str().unwrap(), "{}", case["id"]);
        assert_eq!(size.reason.name(), out["reason"].as_str().unwrap(), "{}", case["id"]);
        let expected = out["loss_per_unit"].as_str().unwrap();
        let expected = if expected.contains('.') { expected.trim_end_matches('0') } else { expected };
        assert_eq!(
            vectors::decimal_e24(size.loss_per_unit_e24),
            expected.trim_end_matches('.'),
            "{}",
            case["id"]
        );
    }
}
