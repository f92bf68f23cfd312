//! `smc replay --explain`: the chain of causes of one record, as a tree or as one JSON document.

mod cause;
mod decision;
mod look;
mod steps;

use super::show::{Node, Show, time};
use serde_json::{Value, json};
use smc_core::event::EventBody;
use smc_core::output::{NewOrder, Output, Signal};
use smc_core::words::{Direction, InstrumentId};
use smc_replay::{
    At, Content, DecisionWhy, Explanation, Line, SignalWhy, body_fields, codes_text, fields_json, words,
};

/// Names of a signal's reasons, in its order.
const REASONS: [&str; 6] = ["sweep", "shift", "zone", "target", "bias", "session"];
/// Structures of one bar listed with their chains.
const STRUCTURES_SHOWN: usize = 12;

pub fn show(it: &Explanation) -> Show {
    Show::new(it.specs.clone(), it.symbols.clone())
}

/// For people.
pub fn text(it: &Explanation) -> String {
    let show = show(it);
    let mut root = Node::at(it.target.seq, line(&show, &it.target));
    if let Some(difference) = &it.difference {
        root.push(Node::new(format!(
            "WARNING: this build says something else than the journal, and is explained here: {difference}"
        )));
    }
    let mut out = format!("{}\n", time(it.target.ts));
    root.extend(it.moves.iter().map(|taken| steps::tree(&show, it, taken)));
    root.extend(it.decisions.iter().map(|why| decided(&show, it, why)));
    let is_told =
        |made: &&SignalWhy| !it.decisions.iter().any(|why| why.asked.order.signal_id == made.signal.what.id);
    root.extend(it.signals.iter().filter(is_told).map(|made| signal(&show, it, made)));
    root.extend(it.trade.iter().map(|trade| steps::trade(&show, trade)));
    root.extend(it.bar.iter().map(|bar| cause::bar(&show, instrument(it), "the", bar)));
    root.extend(it.structures.iter().take(STRUCTURES_SHOWN).map(|said| cause::tree(&show, "", said)));
    if it.structures.len() > STRUCTURES_SHOWN {
        root.push(Node::new(format!(
            "and {} structures more; --json has all",
            it.structures.len() - STRUCTURES_SHOWN
        )));
    }
    root.extend(strategy(&show, it));
    match &it.input {
        Some(input) => root.push(Node::at(input.seq, format!("caused by {}", line(&show, input)))),
        None if it.target.kind == smc_journal::RecordKind::Input => root.push(caused(&show, it)),
        None => {}
    }
    out.push_str(&root.lines());
    out
}

fn instrument(it: &Explanation) -> InstrumentId {
    it.target.content.instrument().unwrap_or(InstrumentId::NONE)
}

/// What an input caused.
fn caused(show: &Show, it: &Explanation) -> Node {
    if it.outputs.is_empty() {
        return Node::new("caused no output");
    }
    let rows = it.outputs.iter().map(|said| Node::at(said.seq, line(show, said)));
    Node::new(format!("caused {} outputs", it.outputs.len())).with(rows)
}

/// Conditions, wishes, and what became of them; nothing for records that are about something else.
fn strategy(show: &Show, it: &Explanation) -> Vec<Node> {
    let is_input = it.target.kind == smc_journal::RecordKind::Input;
    let is_bar = matches!(it.target.content, Content::Output(Output::BarClosed(..)));
    let mut nodes = Vec::new();
    for ignored in &it.ignored {
        let wish = look::intent(show, ignored.instrument, &ignored.intent);
        nodes.push(Node::new(format!("not tried: {wish}: {}", steps::ignorance(&ignored.reason))));
    }
    if is_input || is_bar {
        for (id, intent) in &it.intents {
            nodes.push(Node::new(format!("the strategy wants to {}", look::intent(show, *id, intent))));
        }
        let has_signal = !it.signals.is_empty();
        let head = match (it.looks.is_empty(), it.is_between_bars) {
            (true, _) => {
                let is_market = matches!(&it.target.content, Content::Input(event)
                    if matches!(event.body, EventBody::Trade(_) | EventBody::Quote(_) | EventBody::Book(_)));
                match is_market {
                    true => {
                        "it closed no bar, and entries are decided when a bar of an entry timeframe closes"
                    }
                    false if is_bar => "no entry is sought on this timeframe",
                    false => return nodes,
                }
            }
            (false, true) => "no bar closed, so no entry was decided; the conditions stood so",
            (false, false) if has_signal => "the conditions of an entry",
            (false, false) => "no signal; the conditions of an entry",
        };
        let looks = it.looks.iter().map(|seen| look::tree(show, seen, &it.named));
        nodes.push(Node::new(head).with(looks));
    }
    nodes
}

fn decided(show: &Show, it: &Explanation, why: &DecisionWhy) -> Node {
    let order = &why.asked.order;
    let verdict = codes_text(why.asked.violations.bits());
    let verdict = if why.asked.violations.is_empty() { verdict } else { format!("REFUSED: {verdict}") };
    let mut node = Node::at(why.decision, format!("decision about {}: {verdict}", order_text(show, order)));
    if let Some(seq) = why.sent.filter(|_| it.target.seq != why.sent) {
        node.push(Node::at(Some(seq), "sent"));
    }
    node.push(decision::checks(show, why));
    node.extend(why.sizing.iter().map(|sizing| decision::size(show, order.instrument, sizing)));
    let made = it.signals.iter().find(|made| made.signal.what.id == order.signal_id);
    node.extend(made.filter(|_| why.sizing.is_some()).map(|made| signal(show, it, made)));
    node
}

fn signal(show: &Show, it: &Explanation, made: &SignalWhy) -> Node {
    let mut node = Node::at(Some(made.signal.seq), signal_text(show, &made.signal));
    for (name, (id, reason)) in REASONS.iter().zip(made.signal.what.reasons.iter().zip(&made.reasons)) {
        node.push(match reason {
            Some(cause) => cause::tree(show, name, cause),
            None if *id == 0 => Node::new(format!("{name}: none named")),
            None => Node::new(format!("{name}: structure {id}, not told in this journal")),
        });
    }
    let met = it
        .looks
        .iter()
        .filter(|seen| seen.look.is_met() && seen.look.direction == made.signal.what.direction);
    node.extend(met.map(|seen| look::tree(show, seen, &it.named)));
    node
}

pub(super) fn signal_text(show: &Show, signal: &At<Signal>) -> String {
    let it = &signal.what;
    let price = |price| show.price(it.instrument, price);
    let side = if it.direction == Direction::Up { "long" } else { "short" };
    format!(
        "signal {}: {side} {} at {}, stop {}, target {}",
        it.id,
        show.symbol(it.instrument),
        price(it.entry),
        price(it.stop),
        price(it.target)
    )
}

pub(super) fn order_text(show: &Show, it: &NewOrder) -> String {
    let at = match (it.price.0, it.stop_price.0) {
        (0, _) => String::new(),
        (_, 0) => format!(" at {}", show.price(it.instrument, it.price)),
        _ => {
            let (price, trigger) =
                (show.price(it.instrument, it.price), show.price(it.instrument, it.stop_price));
            format!(" at {price}, trigger {trigger}")
        }
    };
    let serves = if it.signal_id == 0 { String::new() } else { format!(" of signal {}", it.signal_id) };
    format!(
        "{} {} {} {}{at}, {}, {}{serves}, {}",
        words(&it.side),
        show.qty(it.instrument, it.qty),
        show.symbol(it.instrument),
        words(&it.kind),
        words(&it.time_in_force).to_uppercase(),
        words(&it.purpose),
        it.client_order_id
    )
}

/// Any record in one line.
pub(super) fn line(show: &Show, it: &Line) -> String {
    match &it.content {
        Content::Input(event) => {
            let id = it.content.instrument();
            let fields = show.fields(id, &body_fields(&event.body));
            let symbol = id.map_or(String::new(), |id| format!(" {}", show.symbol(id)));
            format!("{}{symbol}: {fields}", it.content.name()).trim_end_matches([':', ' ']).into()
        }
        Content::Output(Output::NewOrder(order)) => format!("order: {}", order_text(show, order)),
        Content::Output(Output::Signal(what)) => {
            signal_text(show, &At { seq: it.seq.unwrap_or_default(), what: *what })
        }
        Content::Output(Output::Structure(said)) => {
            format!("structure {}: {}", show.symbol(said.instrument), cause::said(show, said))
        }
        Content::Output(_) => {
            let fields = it.content.fields();
            format!("{}: {}", it.content.name(), show.fields(it.content.instrument(), &fields))
        }
        Content::Text(text) => {
            format!("{}: {} lines; `smc journal dump` shows them", it.kind.name(), text.lines().count())
        }
        Content::Bytes(bytes) => {
            let hex: String = bytes.iter().take(16).map(|byte| format!("{byte:02x}")).collect();
            let what = match it.kind {
                smc_journal::RecordKind::Digest => "fingerprint of all outputs so far",
                smc_journal::RecordKind::Close => "clean end of the journal",
                smc_journal::RecordKind::Run => "a new process went on with the journal of a dead one",
                smc_journal::RecordKind::Snapshot => "state of the engine",
                _ => "unknown to this version",
            };
            format!("{}: {what} {hex}", it.kind.name()).trim_end().into()
        }
    }
}

/// For programs.
pub fn json(it: &Explanation) -> Value {
    let signals = it.signals.iter().map(|made| {
        let reasons: serde_json::Map<String, Value> = REASONS
            .iter()
            .zip(&made.reasons)
            .map(|(name, reason)| ((*name).to_string(), json!(reason.as_ref().map(cause::json))))
            .collect();
        json!({
            "seq": made.signal.seq, "reasons": reasons,
            "signal": fields_json(&Content::Output(Output::Signal(made.signal.what)).fields()),
        })
    });
    json!({
        "record": line_json(&it.target), "input": it.input.as_ref().map(line_json),
        "outputs": it.outputs.iter().map(line_json).collect::<Vec<_>>(),
        "decisions": it.decisions.iter().map(decision::json).collect::<Vec<_>>(),
        "steps": it.moves.iter().map(|taken| steps::json(it, taken)).collect::<Vec<_>>(),
        "signals": signals.collect::<Vec<_>>(),
        "looks": it.looks.iter().map(look::json).collect::<Vec<_>>(),
        "not_tried": it.ignored.iter().map(|it| steps::ignorance(&it.reason)).collect::<Vec<_>>(),
        "structures": it.structures.iter().map(cause::json).collect::<Vec<_>>(),
        "trade": it.trade.as_ref().map(steps::trade_json),
        "closed_bar": !it.is_between_bars,
        "difference": it.difference.as_ref().map(ToString::to_string),
    })
}

fn line_json(it: &Line) -> Value {
    json!({
        "seq": it.seq, "ts_ns": it.ts.0, "time": time(it.ts), "kind": it.kind.name(),
        "what": it.content.name().replace(' ', "_"), "fields": fields_json(&it.content.fields()),
    })
}
