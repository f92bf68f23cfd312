//! Steps of a trade on paper: which order was asked for or withdrawn, why, and which event decided that.

use super::{line, order_text, signal_text};
use crate::replay::show::{Node, Show, clock, duration};
use serde_json::{Value, json};
use smc_core::engine::{Ignorance, LEGS, Motive, Move, Plan, Step};
use smc_core::event::{EventBody, OrderUpdateKind};
use smc_core::output::Purpose;
use smc_core::strategy::{BreakEven, Distance, Management, Reach};
use smc_core::words::TsNs;
use smc_journal::RecordKind;
use smc_replay::{At, Content, Explanation, Leaving, Line, OrderStory, TradeWhy, words};

/// What the orders of a trade are called, in the order of [`Move::legs`].
const LEG_NAMES: [&str; LEGS] = ["entry", "stop", "next stop", "target", "exit"];

/// The step, its motive, and what decided that the trade is over.
pub fn tree(show: &Show, it: &Explanation, taken: &Move) -> Node {
    let head = format!("step of the trade: {}, because {}", step(show, taken), motive(show, taken));
    let mut node = Node::new(head);
    if let (Motive::Leaving(_), Some(leaving)) = (taken.motive, it.leaving.get(&taken.instrument)) {
        node.push(decided(show, taken, leaving));
    }
    if let Some(plan) = &taken.plan {
        let price = |price| show.price(taken.instrument, price);
        node.push(Node::new(format!(
            "the trade's plan, by signal {}: entry {}, stop {}, target {}, entry until {}",
            plan.signal_id,
            price(plan.entry),
            price(plan.stop),
            price(plan.target),
            clock(plan.expires)
        )));
        node.extend(managed(show, taken, plan));
    }
    let names = LEG_NAMES.iter().zip(taken.legs);
    let legs: Vec<String> = names.filter_map(|(name, id)| Some(format!("{name} {}", id?))).collect();
    let legs =
        if legs.is_empty() { "no order works".into() } else { format!("at work: {}", legs.join(", ")) };
    node.push(Node::new(format!("{legs}; held {}", show.qty(taken.instrument, taken.held))));
    node
}

/// How the trade is looked after, and where its stop belongs by now.
fn managed(show: &Show, taken: &Move, plan: &Plan) -> Option<Node> {
    let price = |reach: Reach| match reach {
        Reach::Price(price) => show.price(taken.instrument, price),
        Reach::Risk(ppm) => format!("{ppm} ppm of the risk"),
    };
    let percent = |ppm: u32| format!("{}.{:04} %", ppm / 10_000, ppm % 10_000);
    let Management { parts, trail, break_even } = plan.manage;
    let mut words: Vec<String> = parts
        .iter()
        .flatten()
        .map(|part| format!("{} taken at {}", percent(part.share_ppm), price(part.at)))
        .collect();
    words.extend(trail.map(|trail| {
        let distance = match trail.distance {
            Distance::Price(distance) => show.price(taken.instrument, distance),
            Distance::Ppm(ppm) => percent(ppm),
            Distance::Risk(ppm) => format!("{ppm} ppm of the risk"),
        };
        let from = trail.from.map_or("at once".into(), |from| format!("from {}", price(from)));
        format!("stop {distance} behind the best price {from}, {} ticks at a time", trail.step_ticks)
    }));
    words.extend(break_even.map(|when| match when {
        BreakEven::AfterPart(nth) => format!("stop to the entry after part {nth}"),
        BreakEven::At(reach) => format!("stop to the entry at {}", price(reach)),
    }));
    let head = format!("looked after: {}; the stop belongs at ", words.join("; "));
    (!words.is_empty()).then(|| Node::new(head + &show.price(taken.instrument, taken.stop)))
}

fn step(show: &Show, taken: &Move) -> String {
    match taken.step {
        Step::Cancel(id) => format!("cancel {id}"),
        Step::PlaceStop(qty) => format!("place a stop for {}", show.qty(taken.instrument, qty)),
        Step::ReplaceStop(id, qty) => {
            format!("put a stop for {} in the place of {id}", show.qty(taken.instrument, qty))
        }
        Step::PlaceExit(qty, why) => {
            format!("close {} at the market ({})", show.qty(taken.instrument, qty), words(&why))
        }
        Step::Finish => "the trade is over".into(),
    }
}

fn motive(show: &Show, taken: &Move) -> String {
    let qty = |qty| show.qty(taken.instrument, qty);
    match taken.motive {
        Motive::Halted => "nothing may work under HALT".into(),
        Motive::Stray => "the order is no part of the trade: one thought dead that lives".into(),
        Motive::Leaving(why) => format!("the position is to be closed at the market ({})", words(&why)),
        Motive::Opposed => "what is held lies against the plan, where its stop does not protect it".into(),
        Motive::EntryExpired => "the entry's time is over".into(),
        Motive::EntriesForbidden => "no entry may work in this trading state".into(),
        Motive::Bare => "what is held has no stop".into(),
        Motive::StopSize { held, covered } => {
            format!("the stop covers {} and {} is held", qty(covered), qty(held))
        }
        Motive::StopMoved { from, to } => {
            let price = |price| show.price(taken.instrument, price);
            format!("the stop stands at {} and belongs at {}", price(from), price(to))
        }
        Motive::PartDue(part) => format!("the market reached a part's price: {} are to be closed", qty(part)),
        Motive::PartReached => "the market reached a part's price: nothing more is to be entered".into(),
        Motive::StopPastEntry => "the stop is to stand where it would meet the entry".into(),
        Motive::HalfPair => "its stop is gone, and a target must not stay alone".into(),
        Motive::Replaced => "it was replaced and should be gone".into(),
        Motive::StopLeftOver => "nothing is held any more".into(),
        Motive::Over => "no order of it works and nothing is held".into(),
    }
}

/// The event that decided to leave.
fn decided(show: &Show, taken: &Move, leaving: &Leaving) -> Node {
    let event = &leaving.input.what;
    let price = |price| show.price(taken.instrument, price);
    let why = match (leaving.purpose, &event.body) {
        (_, EventBody::Operator(command)) => format!("the operator asked: {}", words(command)),
        _ if leaving.is_wish => "the strategy asked to leave".into(),
        (Purpose::Target, EventBody::Quote(quote)) => {
            let target =
                taken.plan.map_or("the target".into(), |plan| format!("target {}", price(plan.target)));
            format!("the market reached the {target} (bid {}, ask {})", price(quote.bid), price(quote.ask))
        }
        (Purpose::Target, _) => "the market reached the target".into(),
        (Purpose::Stop, EventBody::Timer) => {
            "the stop's price was reached and it did not fill in time".into()
        }
        (Purpose::Stop, _) => "the stop has filled".into(),
        (Purpose::Flatten, EventBody::Timer) => "the position had no working stop for too long".into(),
        (Purpose::Flatten, EventBody::Order(_)) => "the venue would not have the stop".into(),
        _ => "closing was decided".into(),
    };
    let (ts, content) = (event.ts_recv, Content::Input(*event));
    let input = Line { seq: Some(leaving.input.seq), ts, kind: RecordKind::Input, content };
    Node::at(input.seq, format!("decided there: {why}; {}", line(show, &input)))
}

/// Why a wish was not tried.
pub fn ignorance(reason: &Ignorance) -> String {
    match *reason {
        Ignorance::Old { age_ns, age_ns_max } => {
            format!("the bar ended {} ago, at most {} is allowed", duration(age_ns), duration(age_ns_max))
        }
        Ignorance::Busy => "a trade is under way already".into(),
        Ignorance::Misordered => "entry, stop and target do not lie in order on the tick".into(),
        Ignorance::Missed => "the market is at its stop or target already".into(),
    }
}

/// Order, entry and signal of a trade.
pub fn trade(show: &Show, it: &TradeWhy) -> Node {
    let mut node = Node::new("belongs to");
    node.extend(it.order.iter().map(|story| life(show, "order", story)));
    node.extend(it.entry.iter().map(|story| life(show, "entry", story)));
    node.extend(it.signal.iter().map(|signal| Node::at(Some(signal.seq), signal_text(show, signal))));
    node
}

fn life(show: &Show, name: &str, story: &OrderStory) -> Node {
    let order = &story.order.what;
    let rows = story.updates.iter().map(|update| {
        let said = match update.what.kind {
            OrderUpdateKind::Fill { price, qty, cum_qty, .. } => format!(
                "fill {} at {}, {} in all",
                show.qty(order.instrument, qty),
                show.price(order.instrument, price),
                show.qty(order.instrument, cum_qty)
            ),
            OrderUpdateKind::Reject { code } => format!("refused by the venue, code {code}"),
            OrderUpdateKind::CancelReject { code } => format!("cancel refused, code {code}"),
            OrderUpdateKind::Canceled { cum_qty } => {
                format!("cancelled, {} filled", show.qty(order.instrument, cum_qty))
            }
            OrderUpdateKind::Expired { cum_qty } => {
                format!("expired, {} filled", show.qty(order.instrument, cum_qty))
            }
            OrderUpdateKind::Ack => "working at the venue".into(),
            OrderUpdateKind::Unknown => "outcome unknown".into(),
            OrderUpdateKind::NotFound => "never reached the venue".into(),
        };
        Node::at(Some(update.seq), said)
    });
    Node::at(Some(story.order.seq), format!("{name}: {}", order_text(show, order))).with(rows)
}

/// For programs.
pub fn json(it: &Explanation, taken: &Move) -> Value {
    let leaving = it.leaving.get(&taken.instrument).filter(|_| matches!(taken.motive, Motive::Leaving(_)));
    let names = LEG_NAMES.iter().zip(taken.legs);
    let legs: serde_json::Map<String, Value> =
        names.filter_map(|(name, id)| Some(((*name).to_string(), json!(id?.to_string())))).collect();
    json!({
        "step": words(&taken.step).split('(').next().unwrap_or_default(),
        "order": match taken.step {
            Step::Cancel(id) | Step::ReplaceStop(id, _) => Some(id.to_string()),
            _ => None,
        },
        "stop": taken.stop.to_string(),
        "motive": words(&taken.motive).split(['(', '{']).next().unwrap_or_default().trim(),
        "held": taken.held.to_string(), "signal_id": taken.plan.map(|plan| plan.signal_id), "legs": legs,
        "decided_seq": leaving.map(|leaving| leaving.input.seq),
        "leaving": leaving.map(|leaving| words(&leaving.purpose)),
    })
}

/// For programs.
pub fn trade_json(it: &TradeWhy) -> Value {
    let story = |story: &OrderStory| {
        let updates = story.updates.iter().map(|At { seq, what }| {
            let content = Content::Input(smc_core::event::Event {
                seq: *seq,
                ts_event: TsNs(0),
                ts_recv: TsNs(0),
                instrument: story.order.what.instrument,
                body: EventBody::Order(*what),
            });
            let mut object = super::fields_json(&content.fields().split_off(3));
            object["seq"] = json!(seq);
            object
        });
        let content = Content::Output(smc_core::output::Output::NewOrder(story.order.what));
        json!({
            "seq": story.order.seq, "order": super::fields_json(&content.fields()),
            "updates": updates.collect::<Vec<_>>(),
        })
    };
    json!({
        "order": it.order.as_ref().map(story), "entry": it.entry.as_ref().map(story),
        "signal_seq": it.signal.as_ref().map(|signal| signal.seq),
        "signal_id": it.signal.as_ref().map(|signal| signal.what.id),
    })
}
