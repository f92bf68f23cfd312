//! A decision on paper: every check with its numbers, and how the quantity came about.

use crate::replay::show::{Node, Show, duration, key, money, percent_e8};
use crate::view::fixed;
use serde_json::{Value, json};
use smc_core::engine::{Cap, Sizing};
use smc_core::output::Purpose;
use smc_core::risk::{Amount, Asked, Bound, Check, Finding};
use smc_core::sizing::SizeReason;
use smc_core::sizing::policy::{Stake, Verdict};
use smc_core::words::{InstrumentId, Money, Price, Qty, clamp_i64};
use smc_replay::{DecisionWhy, codes_text, state_name};

/// What was violated comes first, then the rest in the order of the table.
pub fn checks(show: &Show, why: &DecisionWhy) -> Node {
    let mut findings = why.asked.findings();
    findings.sort_by_key(|finding| !finding.is_violated);
    let violated = findings.iter().filter(|finding| finding.is_violated).count();
    let reference = why.asked.facts.reference.map_or("no reference price".into(), |reference| {
        let age = why.asked.facts.now.since(reference.ts);
        format!("reference price {}, {} old", reference.price, duration(age))
    });
    let head = match violated {
        0 => format!("{} checks, none violated; {reference}", findings.len()),
        n => format!("{} checks, {n} violated; {reference}", findings.len()),
    };
    let row =
        |finding: &Finding| Node::new(check_text(show, why.asked.order.instrument, &why.asked, finding));
    Node::new(head).with(findings.iter().map(row))
}

fn check_text(show: &Show, id: InstrumentId, asked: &Asked, finding: &Finding) -> String {
    let verdict = match (finding.is_violated, finding.is_exempt) {
        (true, _) => "VIOLATED",
        (false, true) => "exempt",
        (false, false) => "ok",
    };
    let (measured, bound) = match finding.is_exempt {
        true if finding.check == Check::BadTick || finding.check == Check::PriceCollar => {
            ("-".into(), "a market order has no price".into())
        }
        true => ("-".into(), exempt_text(finding.check, asked).into()),
        false => (measured_text(show, id, finding), bound_text(show, id, asked, finding)),
    };
    let (number, name) = (finding.check as u8, finding.check.name());
    format!("{number:>2} {name:<22} {verdict:<8}  {measured:<16}  {bound}")
}

/// Why a check was not made.
fn exempt_text(check: Check, asked: &Asked) -> &'static str {
    match check {
        Check::MaxOrderLifetime => "asked again of an order that waits",
        Check::VarLimit if asked.facts.account.var_ppm_max.is_none() => "no limit set",
        Check::ParentQty if asked.order.purpose == Purpose::Entry => "no signal stands behind it",
        _ => "not held against an order that only reduces",
    }
}

/// Claims are told in their own words.
fn measured_text(show: &Show, id: InstrumentId, finding: &Finding) -> String {
    let Amount::Claim(is) = finding.measured else { return amount_text(show, id, finding.measured) };
    let (yes, no) = match finding.check {
        Check::SymbolNotAllowed => ("on the list", "not on the list"),
        Check::Throttle => ("window full", "has room"),
        Check::Duplicate => ("seen before", "new"),
        Check::RepeatExec => ("disabled", "enabled"),
        Check::SelfTrade => ("would meet", "meets none"),
        _ => ("yes", "no"),
    };
    if is { yes } else { no }.into()
}

fn amount_text(show: &Show, id: InstrumentId, amount: Amount) -> String {
    match amount {
        Amount::Nothing => "unknown".into(),
        Amount::Claim(is) => if is { "yes" } else { "no" }.into(),
        Amount::State(state) => state_name(&state),
        Amount::Status(status) => {
            let names = ["unknown", "trading", "halted", "cancel only"];
            names.get(usize::from(status)).copied().unwrap_or("unknown").into()
        }
        Amount::Price(n) => show.price(id, Price(clamp_i64(n))),
        Amount::Qty(n) => show.qty(id, Qty(clamp_i64(n))),
        Amount::Money(n) => money(Money(clamp_i64(n))),
        Amount::Count(n) => n.to_string(),
        Amount::Nanos(n) => duration(n),
        Amount::Ppm(n) => format!("{n} ppm"),
        Amount::Milli(n) => format!("{} times", fixed(clamp_i64(n.saturating_mul(100_000)), 3)),
    }
}

fn bound_text(show: &Show, id: InstrumentId, asked: &Asked, finding: &Finding) -> String {
    let (limits, account) = (&asked.facts.limits, &asked.facts.account);
    match finding.check {
        Check::SymbolNotAllowed => return "strategy on the instrument's allow list".into(),
        Check::Throttle => {
            let window = duration(account.messages_window_ns);
            return format!("at most {} orders in {window}", account.messages_max);
        }
        Check::Duplicate => {
            return format!("no equal order within {}, no id twice", duration(limits.duplicate_window_ns));
        }
        Check::SelfTrade => return "no open order of ours on the other side".into(),
        _ => {}
    }
    let text = |amount| amount_text(show, id, amount);
    let what = match finding.check {
        Check::StaleData => " old",
        Check::RepeatExec => " entries without an exit",
        Check::MaxOpenOrders => " open already",
        Check::MaxLeverage => " the equity",
        _ => "",
    };
    match finding.bound {
        Bound::Free => String::new(),
        Bound::AtMost(most) => format!("at most {}{what}", text(most)),
        Bound::AtLeast(least) => format!("at least {}", text(least)),
        Bound::Below(beyond) => format!("below {}{what}", text(beyond)),
        Bound::Is(_) if finding.check == Check::RepeatExec => {
            "a strategy that repeated itself waits for a person to arm it".into()
        }
        Bound::Is(this) => format!("must be {}", text(this)),
        Bound::IsNot(this) => format!("must not be {}", text(this)),
        Bound::MultipleOf(step) => format!("a multiple of {}", text(step)),
        Bound::Within(least, most) => format!("from {} to {}", text(least), text(most)),
    }
}

/// Equity, risk, distance, what the risk alone would give, and what bound it.
pub fn size(show: &Show, id: InstrumentId, sizing: &Sizing) -> Node {
    let (price, qty) = (|p| show.price(id, p), |q| show.qty(id, q));
    let (cap, _) = sizing.tightest();
    let by = match sizing.size.reason {
        SizeReason::Ok => "the risk decided".into(),
        SizeReason::Capped => format!("limited by {}", cap_name(cap)),
        SizeReason::BelowMinQty => "less than the venue's smallest quantity".into(),
        SizeReason::BelowMinNotional => "less than the venue's smallest value".into(),
        SizeReason::ZeroStopDistance => "entry and stop are the same".into(),
        SizeReason::StopTooClose => "the stop is nearer than three ticks or one spread".into(),
        SizeReason::BadInput => "prices, rates or grid that make no sense".into(),
        SizeReason::NoEdge => "the trades so far show no edge beyond doubt".into(),
        SizeReason::Drawdown => "equity is too far below its highest".into(),
        SizeReason::NoVolatility => "the volatility is not known yet".into(),
    };
    let at_risk = i128::from(sizing.equity.0) * i128::from(sizing.risk_fraction.0) / 100_000_000;
    let distance = Price((sizing.entry.0 - sizing.stop.0).abs());
    let lot = sizing.spec.lot.0.max(1);
    let mut node = Node::new(format!(
        "quantity {}: {by}; {} lots of {}",
        qty(sizing.size.qty),
        sizing.size.qty.0 / lot,
        sizing.spec.lot
    ));
    node.push(Node::new(format!(
        "equity {}, of which the stop may cost {}: {}",
        money(sizing.equity),
        percent_e8(sizing.risk_fraction.0),
        money(Money(clamp_i64(at_risk)))
    )));
    if let Some(stake) = &sizing.stake {
        node.push(stake_node(stake));
    }
    node.push(Node::new(format!(
        "entry {}, stop {}, distance {} ({} ticks); spread {}; fee {} a fill",
        price(sizing.entry),
        price(sizing.stop),
        price(distance),
        distance.0 / sizing.spec.tick.0.max(1),
        price(sizing.spread),
        percent_e8(sizing.fee.0)
    )));
    node.push(Node::new(format!(
        "loss of one unit at the stop, fees both ways: {}; the risk alone gives {}",
        Price(clamp_i64(sizing.size.loss_per_unit_e24 / 10_000_000_000_000_000)),
        qty(sizing.qty_by_risk())
    )));
    let in_use = sizing.caps.iter().copied().filter(|(_, most)| *most < Qty(i64::MAX));
    let caps = in_use.chain([(Cap::Venue, sizing.spec.qty_max)]);
    node.extend(caps.map(|(each, most)| {
        let mark = if each == cap { "  (the tightest)" } else { "" };
        Node::new(format!("at most {:<14} by {}{mark}", most.to_string(), cap_name(each)))
    }));
    node
}

/// Where the share of equity comes from, when Kelly's criterion decides it.
fn stake_node(stake: &Stake) -> Node {
    let by = match stake.verdict {
        Verdict::Edge => "the edge decided",
        Verdict::Capped => "the cap on one trade decided",
        Verdict::Probation => "too few trades to show an edge: probation size",
        Verdict::NoEdge => "no edge at the lower bound of the win rate",
        Verdict::Drawdown => "drawdown at its limit",
        Verdict::NoVolatility => "volatility unknown",
    };
    let evidence = &stake.evidence;
    let mut node = Node::new(format!("Kelly: {by}"));
    node.push(Node::new(format!(
        "{} wins, {} losses; a win pays {:.3} R, a loss costs {:.3} R, of which {:.3} R fees",
        evidence.wins, evidence.losses, stake.bet.win, stake.bet.loss, evidence.cost
    )));
    if let Some(posterior) = stake.posterior {
        node.push(Node::new(format!(
            "win rate believed {:.4}, lower bound {:.4}, break-even {:.4}; Kelly {:.4} of equity, of which doubt leaves {:.3}",
            posterior.mean(),
            stake.win_rate_lower().unwrap_or(0.0),
            stake.bet.break_even_rate().unwrap_or(1.0),
            stake.fraction,
            stake.shrink_factor
        )));
    }
    node.push(Node::new(format!(
        "drawdown {:.2} % leaves {:.3}, volatility leaves {:.3}",
        evidence.drawdown * 100.0,
        stake.drawdown_factor,
        stake.volatility_factor
    )));
    node
}

const fn cap_name(cap: Cap) -> &'static str {
    match cap {
        Cap::OrderQty => "the quantity of one order, with room for its exit",
        Cap::OrderNotional => "the value of one order, with room for its exit",
        Cap::EquityFraction => "the part of equity in one entry",
        Cap::Position => "the largest position",
        Cap::Balance => "the free balance",
        Cap::OpenHeat => "what all open trades may lose at their stops",
        Cap::ClusterHeat => "what trades that move together may lose at their stops",
        Cap::FixedQuantity => "the fixed quantity",
        Cap::Venue => "the venue's largest order",
    }
}

/// For programs.
pub fn json(why: &DecisionWhy) -> Value {
    let findings = why.asked.findings();
    let checks = findings.iter().map(|finding| {
        json!({
            "check": finding.check as u8, "code": finding.check.name(), "is_violated": finding.is_violated,
            "is_exempt": finding.is_exempt, "measured": amount_json(finding.measured),
            "bound": bound_json(finding.bound),
        })
    });
    let order = &why.asked.order;
    json!({
        "decision_seq": why.decision, "order_seq": why.sent, "client_order_id": order.client_order_id.to_string(),
        "verdict": codes_text(why.asked.violations.bits()), "side": key(&order.side), "kind": key(&order.kind),
        "purpose": key(&order.purpose), "price": order.price.to_string(),
        "stop_price": order.stop_price.to_string(), "qty": order.qty.to_string(), "signal_id": order.signal_id,
        "checks": checks.collect::<Vec<_>>(), "sizing": why.sizing.as_ref().map(sizing_json),
    })
}

fn amount_json(amount: Amount) -> Value {
    match amount {
        Amount::Nothing => Value::Null,
        Amount::Claim(is) => json!(is),
        Amount::State(state) => json!(state_name(&state)),
        Amount::Status(status) => {
            json!(["unknown", "trading", "halted", "cancel_only"].get(usize::from(status)))
        }
        Amount::Price(n) | Amount::Qty(n) | Amount::Money(n) => json!(Price(clamp_i64(n)).to_string()),
        Amount::Count(n) | Amount::Nanos(n) => json!(n),
        Amount::Ppm(n) | Amount::Milli(n) => json!(clamp_i64(n)),
    }
}

fn bound_json(bound: Bound) -> Value {
    let one = |name: &str, amount| json!({ name: amount_json(amount) });
    match bound {
        Bound::Free => Value::Null,
        Bound::AtMost(amount) => one("at_most", amount),
        Bound::AtLeast(amount) => one("at_least", amount),
        Bound::Below(amount) => one("below", amount),
        Bound::Is(amount) => one("is", amount),
        Bound::IsNot(amount) => one("is_not", amount),
        Bound::MultipleOf(amount) => one("multiple_of", amount),
        Bound::Within(least, most) => json!({ "at_least": amount_json(least), "at_most": amount_json(most) }),
    }
}

fn sizing_json(sizing: &Sizing) -> Value {
    let in_use = sizing.caps.iter().filter(|(_, most)| *most < Qty(i64::MAX));
    let caps: serde_json::Map<String, Value> =
        in_use.map(|(cap, qty)| (key(cap), json!(qty.to_string()))).collect();
    json!({
        "equity": sizing.equity.to_string(), "risk_fraction": Price(sizing.risk_fraction.0).to_string(),
        "fee": Price(sizing.fee.0).to_string(), "entry": sizing.entry.to_string(),
        "stop": sizing.stop.to_string(), "spread": sizing.spread.to_string(),
        "lot": sizing.spec.lot.to_string(), "qty": sizing.size.qty.to_string(),
        "qty_by_risk": sizing.qty_by_risk().to_string(), "reason": key(&sizing.size.reason), "caps": caps,
        "stake": sizing.stake.as_ref().map(stake_json),
        "tightest": key(&sizing.tightest().0), "venue_qty_max": sizing.spec.qty_max.to_string(),
    })
}

fn stake_json(stake: &Stake) -> Value {
    let evidence = &stake.evidence;
    json!({
        "verdict": key(&stake.verdict), "wins": evidence.wins, "losses": evidence.losses,
        "win_r": stake.bet.win, "loss_r": stake.bet.loss, "cost_r": evidence.cost,
        "win_rate_mean": stake.posterior.map(|posterior| posterior.mean()),
        "win_rate_lower": stake.win_rate_lower(),
        "win_rate_break_even": stake.bet.break_even_rate(), "kelly_fraction": stake.fraction,
        "shrink_factor": stake.shrink_factor, "drawdown": evidence.drawdown,
        "drawdown_factor": stake.drawdown_factor, "volatility": evidence.volatility,
        "volatility_factor": stake.volatility_factor,
    })
}
