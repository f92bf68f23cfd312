//! `smc replay --what-if`: two runs over one market, side by side.

use super::show::{Show, clock, duration, key, money};
use crate::view::signed;
use serde_json::{Value, json};
use smc_core::output::NewOrder;
use smc_core::words::{Direction, Money};
use smc_replay::what_if::{Choice, DecisionDifference, RunReport, WhatIf};
use smc_replay::{codes_text, words};
use std::fmt::Write;

/// Differences listed for people; `--json` has all.
const SHOWN: usize = 20;

/// For people.
pub fn text(it: &WhatIf, show: &Show) -> String {
    let mut out = String::new();
    let _ = writeln!(out, "{:<22}{:>16}{:>16}{:>16}", "", "journal's own", "what if", "really recorded");
    let (own, other, real) = (&it.own, &it.other, &it.recorded);
    let mut row = |name: &str, own: String, other: String, real: Option<String>| {
        let _ = writeln!(out, "{name:<22}{own:>16}{other:>16}{:>16}", real.unwrap_or_else(|| "-".into()));
    };
    let count = |n: u64| n.to_string();
    row("signals", count(own.signals), count(other.signals), Some(count(real.signals)));
    row("orders", count(own.orders), count(other.orders), Some(count(real.orders)));
    row("refused by the gate", count(own.refused), count(other.refused), None);
    row("cancels", count(own.cancels), count(other.cancels), None);
    row("fills", count(own.fills), count(other.fills), Some(count(real.fills)));
    let profit = |amount: Money| signed(amount.0, 2);
    row("realised, after fees", profit(own.realised), profit(other.realised), Some(profit(real.realised)));
    row("open at the end", profit(own.open), profit(other.open), None);
    row("fees", money(own.fees), money(other.fees), Some(money(real.fees)));
    row("largest drawdown", money(own.drawdown_max), money(other.drawdown_max), None);
    row("time with a position", duration(own.exposure_ns), duration(other.exposure_ns), None);
    let _ = writeln!(
        out,
        "\nBoth runs fill by one simple rule over the recorded prices (no queue, no depth, no latency; fees by\n\
         sizing.fee_ppm), so compare the two with each other, not with what was really recorded."
    );
    match it.differences.first() {
        None => {
            let _ = writeln!(out, "\nevery decision is the same ({})", it.same);
        }
        Some(first) => {
            let _ = writeln!(
                out,
                "\n{} decisions the same, {} not; the first at record {}",
                it.same,
                it.differences.len(),
                first.seq
            );
        }
    }
    for difference in it.differences.iter().take(SHOWN) {
        let _ = writeln!(out, "#{} {}  {}", difference.seq, clock(difference.ts), verdict(difference));
        for (name, choice) in [("own", &difference.own), ("if", &difference.other)] {
            if let Some(choice) = choice {
                let _ = writeln!(out, "    {name:<4}{}", choice_text(show, choice));
            }
        }
    }
    if it.differences.len() > SHOWN {
        let _ = writeln!(out, "and {} more; --json has all", it.differences.len() - SHOWN);
    }
    out
}

fn verdict(it: &DecisionDifference) -> String {
    let Some(choice) = it.own.as_ref().or(it.other.as_ref()) else { return String::new() };
    let what = name(choice);
    match (&it.own, &it.other) {
        (Some(own), Some(other)) => format!("{what} in both, other {}", differing(own, other)),
        (Some(_), None) => format!("{what} only under the journal's own"),
        _ => format!("{what} only under the other"),
    }
}

const fn name(choice: &Choice) -> &'static str {
    match choice {
        Choice::Signal(_) => "signal",
        Choice::Order(_) => "order",
        Choice::Refusal(_) => "refusal",
    }
}

fn differing(own: &Choice, other: &Choice) -> String {
    let mut names = Vec::new();
    let mut note = |name, differs| {
        if differs {
            names.push(name);
        }
    };
    match (own, other) {
        (Choice::Signal(a), Choice::Signal(b)) => {
            note("entry", a.entry != b.entry);
            note("stop", a.stop != b.stop);
            note("target", a.target != b.target);
        }
        (Choice::Order(a), Choice::Order(b)) => {
            note("price", (a.price, a.stop_price) != (b.price, b.stop_price));
            note("quantity", a.qty != b.qty);
            note("kind", (a.kind, a.time_in_force) != (b.kind, b.time_in_force));
        }
        (Choice::Refusal(a), Choice::Refusal(b)) => {
            note("reasons", a.codes != b.codes);
            note("price", a.price != b.price);
            note("quantity", a.qty != b.qty);
        }
        _ => {}
    }
    names.join(" and ")
}

fn choice_text(show: &Show, choice: &Choice) -> String {
    match choice {
        Choice::Signal(s) => {
            let price = |price| show.price(s.instrument, price);
            let side = if s.direction == Direction::Up { "long" } else { "short" };
            let symbol = show.symbol(s.instrument);
            format!(
                "{side} {symbol} at {}, stop {}, target {}",
                price(s.entry),
                price(s.stop),
                price(s.target)
            )
        }
        Choice::Order(o) => order_text(show, o),
        Choice::Refusal(d) => {
            format!(
                "{} at {}: {}",
                show.qty(d.instrument, d.qty),
                show.price(d.instrument, d.price),
                codes_text(d.codes)
            )
        }
    }
}

fn order_text(show: &Show, o: &NewOrder) -> String {
    let at = match (o.price.0, o.stop_price.0) {
        (0, _) => String::new(),
        (_, 0) => format!(" at {}", show.price(o.instrument, o.price)),
        _ => format!(
            " at {}, trigger {}",
            show.price(o.instrument, o.price),
            show.price(o.instrument, o.stop_price)
        ),
    };
    format!(
        "{} {} {} {}{at}, {}",
        words(&o.side),
        show.qty(o.instrument, o.qty),
        show.symbol(o.instrument),
        words(&o.kind),
        words(&o.purpose)
    )
}

/// For programs.
pub fn json(it: &WhatIf) -> Value {
    let differences = it.differences.iter().map(|difference| {
        json!({
            "seq": difference.seq, "ts_ns": difference.ts.0,
            "own": difference.own.as_ref().map(choice_json), "other": difference.other.as_ref().map(choice_json),
        })
    });
    json!({
        "own": report_json(&it.own), "other": report_json(&it.other),
        "recorded": {
            "signals": it.recorded.signals, "orders": it.recorded.orders, "fills": it.recorded.fills,
            "realised": it.recorded.realised.to_string(), "fees": it.recorded.fees.to_string(),
        },
        "same": it.same, "first_difference": it.differences.first().map(|first| first.seq),
        "differences": differences.collect::<Vec<_>>(),
    })
}

fn report_json(it: &RunReport) -> Value {
    json!({
        "signals": it.signals, "orders": it.orders, "refused": it.refused, "cancels": it.cancels,
        "fills": it.fills, "realised": it.realised.to_string(), "open": it.open.to_string(),
        "fees": it.fees.to_string(), "drawdown_max": it.drawdown_max.to_string(),
        "exposure_ns": it.exposure_ns, "length_ns": it.length_ns,
    })
}

fn choice_json(choice: &Choice) -> Value {
    match choice {
        Choice::Signal(s) => json!({
            "what": "signal", "direction": key(&s.direction), "entry": s.entry.to_string(),
            "stop": s.stop.to_string(), "target": s.target.to_string(),
        }),
        Choice::Order(o) => json!({
            "what": "order", "side": key(&o.side), "kind": key(&o.kind), "purpose": key(&o.purpose),
            "price": o.price.to_string(), "stop_price": o.stop_price.to_string(), "qty": o.qty.to_string(),
        }),
        Choice::Refusal(d) => json!({
            "what": "refusal", "codes": codes_text(d.codes), "price": d.price.to_string(), "qty": d.qty.to_string(),
        }),
    }
}
