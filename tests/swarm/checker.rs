//! The independent checker: the venue's truth and the journal, side by side. Nothing of the engine's decisions is used;
//! only the replay is the engine's own.

use super::story::{Fate, LEVELS, Story, Witness, best, differences};
use crate::Rec;
use smc_core::engine::Engine;
use smc_core::event::{FeedState, GatewayState};
use smc_core::strategy::Confluence;
use smc_core::words::{ClientOrderId, Name, Qty, Side};
use smc_journal::{Reader, RecordKind};
use smc_runtime::config::FileConfig;
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use venue_sim::{SeenOrder, Truth};

/// What the checker is given.
#[derive(Clone, Debug)]
pub struct Evidence {
    /// The journal as a list.
    pub records: Vec<Rec>,
    /// Its directory.
    pub journal: PathBuf,
    /// The venue when all was calm, before the engine was told to stop or killed.
    pub calm: Truth,
    /// The venue at the very end.
    pub end: Truth,
    /// Every order request that the venue ever read.
    pub seen: Vec<SeenOrder>,
    /// The venue's books at moments of the run.
    pub witness: Witness,
    /// What the account had of base and quote asset at the opening.
    pub first: [(Name, Qty); 2],
}

/// All that is not as promised, by the promise's number in the fault reference; empty when all is.
pub fn check(evidence: &Evidence) -> Vec<String> {
    let mut wrong = Vec::new();
    let story = Story::read(&evidence.records, false, &evidence.witness);
    wrong.extend(story.faults.iter().cloned());
    fills(&story, &evidence.end, &mut wrong);
    orders(&story, evidence, &mut wrong);
    replay(evidence, &mut wrong);
    let story = Story::read(&evidence.records, true, &evidence.witness);
    sums(&story, &evidence.calm, &evidence.first, &mut wrong);
    alive(&story, &evidence.calm, &mut wrong);
    wrong
}

/// P1: every fill of the venue is in the journal and in the position once; none is made up.
fn fills(story: &Story, truth: &Truth, wrong: &mut Vec<String>) {
    let names: BTreeMap<u64, &str> =
        truth.orders.iter().map(|order| (order.venue_order_id, order.client_order_id.as_str())).collect();
    for trade in &truth.trades {
        let Some(told) = story.fills.get(&trade.trade_id) else {
            wrong.push(format!("P1 the venue's trade is not in the journal: {trade:?}"));
            continue;
        };
        let is_same = (told.side, told.price, told.qty, told.fee, told.fee_asset)
            == (trade.side, trade.price, trade.qty, trade.fee, trade.fee_asset);
        let name = names.get(&trade.venue_order_id).copied().unwrap_or("");
        if !is_same || ClientOrderId::parse(name.as_bytes()) != Some(told.client_order_id) {
            wrong.push(format!("P1 a fill is not as the venue has it: {told:?}, {trade:?} of {name}"));
        }
    }
    let real: BTreeSet<u64> = truth.trades.iter().map(|trade| trade.trade_id).collect();
    for (id, told) in &story.fills {
        if told.counted != 1 {
            wrong.push(format!("P1 trade {id} was counted {} times: {told:?}", told.counted));
        }
        if !real.contains(id) {
            wrong.push(format!("P1 trade {id} never was: {told:?}"));
        }
    }
}

/// P2 and P3: one decision, one order, and none without a decision.
fn orders(story: &Story, evidence: &Evidence, wrong: &mut Vec<String>) {
    let mut asked = BTreeSet::new();
    for seen in &evidence.seen {
        let Some(id) = ClientOrderId::parse(seen.client_order_id.as_bytes()) else {
            wrong.push(format!("P2 an order without an id of ours: {seen:?}"));
            continue;
        };
        if !asked.insert(id) {
            wrong.push(format!("P2 asked for twice: {seen:?}"));
        }
        if !story.orders.contains_key(&id) {
            wrong.push(format!("P3 no cause in the journal: {seen:?}"));
        }
    }
    let mut taken = BTreeSet::new();
    for order in &evidence.end.orders {
        let id = ClientOrderId::parse(order.client_order_id.as_bytes());
        let Some((id, told)) = id.and_then(|id| Some((id, story.orders.get(&id)?))) else {
            wrong.push(format!("P3 an order at the venue has no cause in the journal: {order:?}"));
            continue;
        };
        if !taken.insert(id) {
            wrong.push(format!("P2 two orders under one id: {order:?}"));
        }
        if (told.order.side, told.order.qty, told.order.price) != (order.side, order.qty, order.price) {
            wrong.push(format!("P3 the venue's order is not the decision's: {order:?}, {:?}", told.order));
        }
        if told.fate == Fate::Never {
            wrong.push(format!("P2 an order that was told never to have been: {order:?}"));
        }
        if told.fate == Fate::Done && order.is_open {
            wrong.push(format!("P2 an order that was told to be over works on: {order:?}"));
        }
        if told.filled != order.filled_qty.0 {
            wrong.push(format!("P1 filled {} by the journal: {order:?}", Qty(told.filled)));
        }
    }
}

/// P4: the same inputs give the same outputs.
fn replay(evidence: &Evidence, wrong: &mut Vec<String>) {
    if let Err(error) = replay_of(evidence) {
        wrong.push(format!("P4 {error}"));
    }
}

fn replay_of(evidence: &Evidence) -> Result<(), String> {
    let text = |error: &dyn std::fmt::Display| error.to_string();
    let sound = smc_journal::verify(&evidence.journal).map_err(|error| text(&error))?;
    if let Some(damage) = sound.damage {
        return Err(damage.to_string());
    }
    let first = evidence.records.first().filter(|record| record.kind == RecordKind::Config);
    let config = first.ok_or("the journal does not begin with a configuration")?;
    let config =
        FileConfig::parse(&String::from_utf8_lossy(&config.payload)).map_err(|error| text(&error))?;
    let config = config.engine().map_err(|error| text(&error))?;
    let strategy = Confluence::for_config(&config);
    let mut core = Engine::new(config, strategy).map_err(|error| text(&error))?;
    let reader = Reader::open(&evidence.journal).map_err(|error| text(&error))?;
    let replay = smc_replay::replay(&reader, &mut core).map_err(|error| text(&error))?;
    replay.difference.map_or(Ok(()), |difference| Err(difference.to_string()))
}

/// Position, money and balances are the venue's.
fn sums(story: &Story, truth: &Truth, [base, quote]: &[(Name, Qty); 2], wrong: &mut Vec<String>) {
    for balance in &truth.balances {
        let told = story.balances.get(&balance.asset).map(|told| (told.free, told.locked));
        if told != Some((balance.free, balance.locked)) {
            wrong.push(format!("P1 amounts: the venue has {balance:?}, the engine was told {told:?}"));
        }
    }
    let change = |(asset, before): &(Name, Qty)| {
        let now = truth.balances.iter().find(|balance| balance.asset == *asset);
        now.map_or(0, |now| now.free.0 + now.locked.0) - before.0
    };
    if story.position != change(base) {
        wrong.push(format!("P1 position {}, the venue's {}", Qty(story.position), Qty(change(base))));
    }
    let paid: i64 = story
        .fills
        .values()
        .map(|fill| {
            let value = fill.price.notional_floor(fill.qty).0 * -fill.side.sign();
            value - if fill.fee_asset == quote.0 { fill.fee.0 } else { 0 }
        })
        .sum();
    if paid != change(quote) {
        wrong.push(format!("P1 money {} by the fills, {} at the venue", Qty(paid), Qty(change(quote))));
    }
}

/// P6: after the faults everything works again, and the engine sees what is so.
fn alive(story: &Story, truth: &Truth, wrong: &mut Vec<String>) {
    if story.feed != Some(FeedState::Live) {
        wrong.push(format!("P6 market data: {:?}", story.feed));
    }
    if story.gateway != Some(GatewayState::Ready) {
        wrong.push(format!("P6 order path: {:?}", story.gateway));
    }
    let open: BTreeSet<_> = truth
        .orders
        .iter()
        .filter(|order| order.is_open)
        .filter_map(|order| ClientOrderId::parse(order.client_order_id.as_bytes()))
        .collect();
    let believed: BTreeSet<_> = story.open().into_iter().collect();
    if open != believed {
        wrong.push(format!("P6 working orders: the venue has {open:?}, the engine {believed:?}"));
    }
    for book in &truth.books {
        let [bids, asks] = &story.books;
        let is_equal = story.book_id == book.update_id
            && best(bids, Side::Buy).eq(book.bids.iter().copied().take(LEVELS))
            && best(asks, Side::Sell).eq(book.asks.iter().copied().take(LEVELS));
        if !is_equal {
            wrong.push(format!(
                "P6 the book is another: number {} for {}, {}",
                story.book_id,
                book.update_id,
                differences(&story.books, book)
            ));
        }
    }
}
