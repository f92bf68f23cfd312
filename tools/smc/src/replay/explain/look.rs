//! The strategy's conditions on paper: which held, which did not, by which numbers.

use super::cause;
use crate::replay::show::{Node, Show, key};
use serde_json::{Value, json};
use smc_core::strategy::{Condition, ConditionKind, Intent, Look, Measure, Standing};
use smc_core::words::{Direction, InstrumentId};
use smc_replay::{Cause, SeenLook};
use std::collections::BTreeMap;

const fn side(direction: Direction) -> &'static str {
    match direction {
        Direction::Up => "long",
        Direction::Down => "short",
    }
}

/// Failed conditions first in the head, all of them below.
pub fn tree(show: &Show, seen: &SeenLook, named: &BTreeMap<u32, Cause>) -> Node {
    let look = &seen.look;
    let failed = |condition: &&Condition| condition.standing == Standing::Failed;
    let failed: Vec<&str> = look.conditions.iter().filter(failed).map(|c| short(c.kind)).collect();
    let verdict = match (failed.is_empty(), seen.is_decision) {
        (true, true) => "every condition holds".into(),
        (true, false) => "nothing stands against it but that no bar closed".into(),
        (false, _) => format!("no: {}", failed.join(", ")),
    };
    let symbol = show.symbol(seen.instrument);
    let head = format!("{symbol} {} {} at bar {}: {verdict}", look.timeframe, side(look.direction), look.bar);
    let rows = look.conditions.iter().map(|it| Node::new(row(show, seen.instrument, look, it, named)));
    Node::new(head).with(rows)
}

const fn short(kind: ConditionKind) -> &'static str {
    match kind {
        ConditionKind::Idle => "a trade is under way",
        ConditionKind::Rested => "too soon after a signal",
        ConditionKind::Session => "no entry session",
        ConditionKind::NoExitNear => "the exit is near",
        ConditionKind::DayLeft => "the day's signals are used up",
        ConditionKind::Bias => "bias",
        ConditionKind::Sweep => "no sweep",
        ConditionKind::Shift => "no shift",
        ConditionKind::Zone => "no place to enter",
        ConditionKind::Half => "entry in the wrong place",
        ConditionKind::Target => "no target that pays",
    }
}

const fn name(kind: ConditionKind) -> &'static str {
    match kind {
        ConditionKind::Idle => "no trade under way",
        ConditionKind::Rested => "cooldown over",
        ConditionKind::Session => "entry session open",
        ConditionKind::NoExitNear => "no exit near",
        ConditionKind::DayLeft => "signals left today",
        ConditionKind::Bias => "bias agrees",
        ConditionKind::Sweep => "liquidity swept",
        ConditionKind::Shift => "structure shifted",
        ConditionKind::Zone => "place to enter",
        ConditionKind::Half => "right half or band",
        ConditionKind::Target => "target pays",
    }
}

fn row(show: &Show, id: InstrumentId, look: &Look, it: &Condition, named: &BTreeMap<u32, Cause>) -> String {
    let standing = match it.standing {
        Standing::Held => "held",
        Standing::Failed => "FAILED",
        Standing::NotAsked => "not asked",
        Standing::Unknown => "unknown",
    };
    let from = named.get(&it.structure_id).filter(|_| it.structure_id != 0);
    let from =
        from.map_or(String::new(), |from| format!("; #{} {}", from.seq, cause::said(show, &from.structure)));
    let text = format!("{:<19} {standing:<9}  {}{from}", name(it.kind), measured(show, id, look, it));
    text.trim_end().into()
}

fn measured(show: &Show, id: InstrumentId, look: &Look, it: &Condition) -> String {
    let price = |price| show.price(id, price);
    match it.measure {
        Measure::Nothing => String::new(),
        Measure::QuietUntil(0) => "no signal yet".into(),
        Measure::QuietUntil(bar) => format!("from bar {bar}, now {}", look.bar),
        Measure::Bias(None) => "none yet".into(),
        Measure::Bias(Some(bias)) => if bias == Direction::Up { "up" } else { "down" }.into(),
        Measure::Age { bars: None, .. } => "none, or spent by an earlier signal".into(),
        Measure::Age { bars: Some(bars), bars_max, is_before_sweep } => {
            let before = if is_before_sweep { ", before the sweep" } else { "" };
            format!("{bars} bars ago, at most {bars_max}{before}")
        }
        Measure::Zones { open, timely, place } => {
            let place = place.map_or("none can be entered".into(), |(entry, stop)| {
                format!("enter at {}, stop {}", price(entry), price(stop))
            });
            format!("{open} zones speak for it, {timely} of the wanted kinds and age; {place}")
        }
        Measure::Half { entry, range, band } => {
            let range = range.map_or("no dealing range yet".into(), |(low, high)| {
                let middle = smc_core::words::Price(low.0 + (high.0 - low.0) / 2);
                let half = if look.direction == Direction::Up { "below" } else { "above" };
                format!("must be {half} {} ({} to {})", price(middle), price(low), price(high))
            });
            let band = band.map_or(String::new(), |(near, far)| {
                format!(", in the band {} to {}", price(near), price(far))
            });
            format!("entry {}, {range}{band}", price(entry))
        }
        Measure::Target { risk, reward: (least, most), levels, target } => {
            let found = target.map_or("none pays".into(), |target| format!("target {}", price(target)));
            format!(
                "{found}; risk {}, must pay {} to {}; {levels} levels of liquidity on that side",
                price(risk),
                price(least),
                price(most)
            )
        }
    }
}

/// What the strategy wanted.
pub fn intent(show: &Show, id: InstrumentId, intent: &Intent) -> String {
    let price = |price| show.price(id, price);
    match intent {
        Intent::Exit => "leave the trade".into(),
        Intent::Enter { direction, entry, stop, target, .. } => format!(
            "enter {} at {}, stop {}, target {}",
            side(*direction),
            price(*entry),
            price(*stop),
            price(*target)
        ),
    }
}

/// For programs.
pub fn json(seen: &SeenLook) -> Value {
    let conditions = seen.look.conditions.iter().map(|it| {
        json!({
            "condition": key(&it.kind), "standing": key(&it.standing), "structure_id": it.structure_id,
            "measure": measure_json(&it.measure),
        })
    });
    json!({
        "instrument": seen.instrument.0, "timeframe": seen.look.timeframe.to_string(),
        "direction": side(seen.look.direction), "bar": seen.look.bar, "is_decision": seen.is_decision,
        "is_met": seen.look.is_met(), "conditions": conditions.collect::<Vec<_>>(),
    })
}

fn measure_json(measure: &Measure) -> Value {
    match *measure {
        Measure::Nothing => Value::Null,
        Measure::QuietUntil(bar) => json!({ "quiet_until_bar": bar }),
        Measure::Bias(bias) => json!({ "bias": bias.map(|bias| key(&bias)) }),
        Measure::Age { bars, bars_max, is_before_sweep } => {
            json!({ "age_bars": bars, "age_bars_max": bars_max, "is_before_sweep": is_before_sweep })
        }
        Measure::Zones { open, timely, place } => json!({
            "zones_open": open, "zones_timely": timely, "entry": place.map(|(entry, _)| entry.to_string()),
            "stop": place.map(|(_, stop)| stop.to_string()),
        }),
        Measure::Half { entry, range, band } => json!({
            "entry": entry.to_string(), "range": range.map(|(low, high)| [low.to_string(), high.to_string()]),
            "band": band.map(|(near, far)| [near.to_string(), far.to_string()]),
        }),
        Measure::Target { risk, reward, levels, target } => json!({
            "risk": risk.to_string(), "reward_min": reward.0.to_string(), "reward_max": reward.1.to_string(),
            "levels": levels, "target": target.map(|target| target.to_string()),
        }),
    }
}
