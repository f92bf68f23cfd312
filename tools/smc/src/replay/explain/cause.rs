//! Structures on paper: what was said, the bars it stands on, and the chain it came from.

use crate::replay::show::{Node, Show, clock, key};
use crate::replay::until::bar_json;
use crate::view::fixed;
use serde_json::{Value, json};
use smc_core::output::{Scope, Structure, StructureKind};
use smc_core::words::{Direction, InstrumentId, Price};
use smc_replay::{BarAt, Cause};

/// One structure and everything behind it.
pub fn tree(show: &Show, label: &str, cause: &Cause) -> Node {
    let label = if label.is_empty() { String::new() } else { format!("{label}: ") };
    let id = cause.structure.instrument;
    let mut node = Node::at(Some(cause.seq), format!("{label}{}", said(show, &cause.structure)));
    match (&cause.formed, &cause.known) {
        (Some(formed), Some(known)) if formed.index == known.index => {
            node.push(bar(show, id, "formed and known at", formed));
        }
        (formed, known) => {
            node.extend(formed.iter().map(|it| bar(show, id, "formed at", it)));
            node.extend(known.iter().map(|it| bar(show, id, "known at close of", it)));
        }
    }
    if let Some(from) = &cause.cause {
        let label = if from.structure.id == cause.structure.id { "first said" } else { "from" };
        node.push(tree(show, label, from));
    }
    node
}

/// One line without what is behind it.
pub fn said(show: &Show, it: &Structure) -> String {
    let price = |price| show.price(it.instrument, price);
    let at = match it.top == it.bottom {
        true => format!("at {}", price(it.top)),
        false => format!("{} to {}", price(it.bottom), price(it.top)),
    };
    let scope = if it.scope == Scope::Internal { ", internal" } else { "" };
    let note = note(show, it).map_or(String::new(), |note| format!(", {note}"));
    format!("{} {} {} {at}{note}{scope}, id {}", it.timeframe, kind_name(it.kind), way(it), it.id)
}

/// Highs and lows of what lies on a side, directions of what moves.
fn way(it: &Structure) -> &'static str {
    use StructureKind as K;
    let is_side = matches!(
        it.kind,
        K::PivotConfirmed
            | K::SwingStarted
            | K::SwingExtended
            | K::SwingLocked
            | K::PoolFormed
            | K::PoolExtended
            | K::PoolSwept
            | K::PoolRun
            | K::LevelSwept
            | K::PeriodLevelBroken
    );
    match (is_side, it.direction) {
        (true, Direction::Up) => "high",
        (true, Direction::Down) => "low",
        (false, Direction::Up) => "up",
        (false, Direction::Down) => "down",
    }
}

fn kind_name(kind: StructureKind) -> String {
    match kind {
        StructureKind::Bos => "break of structure (BOS)".into(),
        StructureKind::Choch => "change of character (CHoCH)".into(),
        StructureKind::Mss => "market structure shift (MSS)".into(),
        StructureKind::ObCreated => "order block".into(),
        StructureKind::ObTested => "order block tested".into(),
        StructureKind::ObBroken => "order block broken".into(),
        StructureKind::FvgCreated => "fair value gap".into(),
        StructureKind::FvgJoined => "fair value gap, joined".into(),
        StructureKind::FvgMitigated => "fair value gap mitigated".into(),
        StructureKind::FvgInverted => "fair value gap inverted".into(),
        StructureKind::IfvgInvalidated => "inverted gap invalidated".into(),
        StructureKind::PivotConfirmed => "pivot".into(),
        other => smc_replay::words(&other),
    }
}

/// The numbers that a kind carries beside its prices.
fn note(show: &Show, it: &Structure) -> Option<String> {
    use StructureKind as K;
    let times_atr = || format!("{} × ATR", fixed(it.extra.saturating_mul(100), 2));
    Some(match it.kind {
        K::Bos | K::Choch | K::Mss => format!(
            "displacement {}, bias before {}",
            times_atr(),
            match it.value {
                1 => "up",
                -1 => "down",
                _ => "none",
            }
        ),
        K::FvgCreated | K::FvgJoined => format!("height {}", times_atr()),
        K::SwingLocked => {
            let names = ["nothing to compare with", "higher high", "lower high", "higher low", "lower low"];
            (*names.get(usize::try_from(it.extra).ok()?)?).into()
        }
        K::PoolFormed | K::PoolExtended | K::PoolSwept | K::PoolRun => format!("{} members", it.extra),
        K::LevelSwept => {
            let level = match it.value {
                0 => "of a pivot".into(),
                1 => "of the previous day".into(),
                2 => "of the previous week".into(),
                3 => "of the previous month".into(),
                4 => "of the previous period".into(),
                code => format!("of session {}", code - 15),
            };
            format!("{level}, {} beyond", show.price(it.instrument, Price(it.extra)))
        }
        _ => return None,
    })
}

/// A bar with its prices.
pub fn bar(show: &Show, id: InstrumentId, label: &str, it: &BarAt) -> Node {
    let price = |price| show.price(id, price);
    let bar = &it.bar;
    Node::at(
        Some(it.seq),
        format!(
            "{label} bar {} {} O {} H {} L {} C {}",
            it.index,
            clock(bar.open_ts),
            price(bar.open),
            price(bar.high),
            price(bar.low),
            price(bar.close)
        ),
    )
}

/// For programs.
pub fn json(cause: &Cause) -> Value {
    let bar = |it: &BarAt| {
        let mut object = bar_json(&it.bar);
        object["seq"] = json!(it.seq);
        object["index"] = json!(it.index);
        object
    };
    let it = &cause.structure;
    json!({
        "seq": cause.seq, "kind": key(&it.kind), "timeframe": it.timeframe.to_string(),
        "direction": key(&it.direction), "scope": key(&it.scope), "id": it.id, "cause_id": it.cause_id,
        "top": it.top.to_string(), "bottom": it.bottom.to_string(), "extra": it.extra, "value": it.value,
        "formed": cause.formed.as_ref().map(bar), "known": cause.known.as_ref().map(bar),
        "cause": cause.cause.as_deref().map(json),
    })
}
