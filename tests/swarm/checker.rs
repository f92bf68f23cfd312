//! The independent checker: the venue's truth and the journal, side by side. Nothing of the engine's decisions is used;
//! only the replay is the engine's own.

use super::at::At;
use super::story::{Fate, Story, Told, ToldFill, Witness, best, differences, is_top};
use crate::Rec;
use smc_core::engine::Engine;
use smc_core::event::{FeedState, GatewayState};
use smc_core::output::OrderKind;
use smc_core::strategy::Confluence;
use smc_core::words::{ClientOrderId, Money, Name, Price, Qty, SCALE, Side};
use smc_journal::{Reader, RecordKind};
use smc_runtime::config::FileConfig;
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use venue_sim::{SeenOrder, TrueOrder, TruePosition, TrueTrade, Truth};

/// How names of orders begin that another hand than the engine's has made.
pub const HAND: &str = "hand-";

/// What the checker is given.
#[derive(Clone, Debug)]
pub struct Evidence {
    /// Where the run was.
    pub at: At,
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
    let story = Story::read(&evidence.records, false, &evidence.witness, evidence.at);
    wrong.extend(story.faults.iter().cloned());
    fills(&story, &evidence.end, &mut wrong);
    orders(&story, evidence, &mut wrong);
    pairs(&story, evidence, &mut wrong);
    replay(evidence, &mut wrong);
    let story = Story::read(&evidence.records, true, &evidence.witness, evidence.at);
    sums(&story, evidence, &mut wrong);
    alive(&story, evidence, &mut wrong);
    wrong
}

/// P1: every fill of the venue is in the journal and in the position once; none is made up.
fn fills(story: &Story, truth: &Truth, wrong: &mut Vec<String>) {
    let names: BTreeMap<u64, &str> =
        truth.orders.iter().map(|order| (order.venue_order_id, order.client_order_id.as_str())).collect();
    for trade in &truth.trades {
        let name = names.get(&trade.venue_order_id).copied().unwrap_or("");
        let Some(told) = story.fills.get(&trade.trade_id) else {
            // What another hand did before us is in the position that was taken over.
            if !is_ours(name) {
                continue;
            }
            wrong.push(format!("P1 the venue's trade is not in the journal: {trade:?}"));
            continue;
        };
        let is_same = (told.side, told.price, told.qty, told.fee, told.fee_asset)
            == (trade.side, trade.price, trade.qty, trade.fee, trade.fee_asset);
        let of_hand = ClientOrderId::NONE;
        if !is_same || ClientOrderId::parse(name.as_bytes()).unwrap_or(of_hand) != told.client_order_id {
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
    let (mut asked, mut refused) = (BTreeSet::new(), BTreeSet::new());
    // Oanda's list has cancels too.
    for seen in evidence.seen.iter().filter(|seen| !seen.method.ends_with("cancel")) {
        let Some(id) = ClientOrderId::parse(seen.client_order_id.as_bytes()) else {
            wrong.push(format!("P2 an order without an id of ours: {seen:?}"));
            continue;
        };
        // What the venue refused as a pair is asked for once more at most, and only its stop: alone.
        let is_refused_pair = seen.method == PAIR && seen.outcome.is_err();
        let is_first = if is_refused_pair { refused.insert(id) } else { asked.insert(id) };
        if !is_first {
            wrong.push(format!("P2 asked for twice: {seen:?}"));
        }
        let is_stop = story.orders.get(&id).is_some_and(|told| told.order.kind == OrderKind::StopLimit);
        if !is_refused_pair && refused.contains(&id) && (!is_stop || seen.method == PAIR) {
            wrong.push(format!("P2 asked for again after its pair was refused: {seen:?}"));
        }
        if !story.orders.contains_key(&id) {
            wrong.push(format!("P3 no cause in the journal: {seen:?}"));
        }
    }
    for (name, parts) in named(&evidence.end.orders) {
        if !is_ours(name) {
            continue;
        }
        let id = ClientOrderId::parse(name.as_bytes());
        match id.and_then(|id| story.orders.get(&id)) {
            None => wrong.push(format!("P3 an order at the venue has no cause in the journal: {parts:?}")),
            Some(told) => order(told, &parts, evidence.at, wrong),
        }
    }
}

/// What the venue calls the request for a pair.
const PAIR: &str = "orderList.place.oco";

/// P2 and P3 of pairs: at the venue is one where two orders were decided that name each other, and never did both fill, nor did
/// one work on that the other had ended.
fn pairs(story: &Story, evidence: &Evidence, wrong: &mut Vec<String>) {
    let mut lists: BTreeMap<u64, Vec<&TrueOrder>> = BTreeMap::new();
    for order in &evidence.end.orders {
        if let Some(list) = order.list {
            lists.entry(list).or_default().push(order);
        }
    }
    let told = |order: &TrueOrder| {
        let id = ClientOrderId::parse(order.client_order_id.as_bytes())?;
        story.orders.get(&id).map(|told| told.order)
    };
    for (list, orders) in lists {
        let &[one, other] = orders.as_slice() else {
            wrong.push(format!("P2 list {list} is no pair: {orders:?}"));
            continue;
        };
        let is_decided = told(one).zip(told(other)).is_some_and(|(one, other)| {
            (one.terms.oco, other.terms.oco) == (other.client_order_id, one.client_order_id)
        });
        if !is_decided {
            wrong.push(format!("P3 the pair of list {list} was not decided: {orders:?}"));
        }
        let has_filled = |order: &TrueOrder| order.filled_qty > Qty::ZERO;
        if has_filled(one) && has_filled(other) {
            wrong.push(format!("P1 both orders of list {list} filled: {orders:?}"));
        }
        for (filled, left) in [(one, other), (other, one)] {
            if has_filled(filled) && left.is_open {
                wrong.push(format!("P2 an order of list {list} works on beside one that filled: {orders:?}"));
            }
        }
    }
    for order in
        evidence.end.orders.iter().filter(|order| order.list.is_none() && is_ours(&order.client_order_id))
    {
        if told(order)
            .is_some_and(|told| told.terms.oco != ClientOrderId::NONE && told.kind != OrderKind::StopLimit)
        {
            wrong.push(format!("P3 a target of a pair works without its stop: {order:?}"));
        }
    }
}

/// An order of another hand, made by the test itself.
fn is_ours(name: &str) -> bool {
    !name.starts_with(HAND)
}

/// The venue's orders under each name that a client gave.
fn named(orders: &[TrueOrder]) -> BTreeMap<&str, Vec<&TrueOrder>> {
    let mut named: BTreeMap<&str, Vec<&TrueOrder>> = BTreeMap::new();
    for order in orders {
        named.entry(&order.client_order_id).or_default().push(order);
    }
    named
}

/// What the venue has under one name against what was decided and told. At Oanda what a part leaves of an order goes on
/// as an order of its own under the same name.
fn order(told: &Told, parts: &[&TrueOrder], at: At, wrong: &mut Vec<String>) {
    let id = told.order.client_order_id;
    let is_chain = at == At::Oanda && parts.iter().rev().skip(1).all(|part| !part.is_open);
    let Some(last) = parts.last().filter(|_| parts.len() == 1 || is_chain) else {
        return wrong.push(format!("P2 two orders under one id {id:?}: {parts:?}"));
    };
    let before: i64 = parts.iter().rev().skip(1).map(|part| part.filled_qty.0).sum();
    let is_stop = told.order.kind == OrderKind::StopLimit;
    // Oanda's stop has a trigger, and its worst price beside it.
    let price = if at == At::Oanda && is_stop { told.order.stop_price } else { told.order.price };
    let qty = if told.is_attached { Qty(before + last.qty.0) } else { told.order.qty };
    // An order for a trade that is closed by now is for nothing.
    let is_void = at == At::Oanda && last.qty == Qty::ZERO && !last.is_open;
    let is_same = (told.order.side, qty.0) == (last.side, before + last.qty.0);
    if price != last.price || !is_same && !is_void {
        wrong.push(format!("P3 the venue's order is not the decision's: {parts:?}, {:?}", told.order));
    }
    // Oanda makes an order that it refuses late, and ends it in the same answer.
    let is_made_for_nothing =
        at == At::Oanda && parts.iter().all(|part| !part.is_open && part.filled_qty == Qty::ZERO);
    if told.fate == Fate::Never || told.fate == Fate::Refused && !is_made_for_nothing {
        wrong.push(format!("P2 an order that was told never to have been: {parts:?}"));
    }
    if told.fate == Fate::Done && last.is_open {
        wrong.push(format!("P2 an order that was told to be over works on: {parts:?}"));
    }
    if told.filled != before + last.filled_qty.0 {
        wrong.push(format!("P1 filled {} by the journal: {parts:?}", Qty(told.filled)));
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
fn sums(story: &Story, evidence: &Evidence, wrong: &mut Vec<String>) {
    let Evidence { at, calm, first: [base, quote], .. } = evidence;
    for balance in calm.balances.iter().filter(|_| at.tells_amounts()) {
        let told = story.balances.get(&balance.asset).map(|told| (told.free, told.locked));
        // Where positions are held, what is free is the venue's own sum.
        let is_same = match told {
            Some(told) if at.is_spot() => told == (balance.free, balance.locked),
            Some((free, locked)) => free.0 + locked.0 == balance.free.0 + balance.locked.0,
            None => !story.balances.is_empty() && !at.is_spot() && balance.asset == base.0,
        };
        if !is_same {
            wrong.push(format!("P1 amounts: the venue has {balance:?}, the engine was told {told:?}"));
        }
    }
    let change = |(asset, before): &(Name, Qty)| {
        let now = calm.balances.iter().find(|balance| balance.asset == *asset);
        now.map_or(0, |now| now.free.0 + now.locked.0) - before.0
    };
    let held = if at.is_spot() { change(base) } else { calm.positions.iter().map(|held| held.qty.0).sum() };
    if story.position != held {
        wrong.push(format!("P1 position {}, the venue's {}", Qty(story.position), Qty(held)));
    }
    let (paid, slack) = match at.is_spot() {
        true => (spent(story, quote.0), 0),
        false => earned(story, calm, *at),
    };
    if (paid - change(quote)).abs() > slack {
        wrong.push(format!("P1 money {} by the fills, {} at the venue", Qty(paid), Qty(change(quote))));
    }
}

/// What the fills of coins brought in of the asset that they are paid in, each rounded as the venue books it.
fn spent(story: &Story, quote: Name) -> i64 {
    let flow = |fill: &ToldFill| {
        let value = fill.price.notional_floor(fill.qty).0 * -fill.side.sign();
        value - if fill.fee_asset == quote { fill.fee.0 } else { 0 }
    };
    story.fills.values().map(flow).sum()
}

/// Trades of the venue that the engine only knows by the position they made.
fn untold<'a>(story: &'a Story, truth: &'a Truth) -> impl Iterator<Item = &'a TrueTrade> {
    truth.trades.iter().filter(|trade| !story.fills.contains_key(&trade.trade_id))
}

/// What fills of a position booked: all that was received less all that was paid, what is still held at its mean price,
/// fees, and other money; and what rounding may make of it.
fn earned(story: &Story, truth: &Truth, at: At) -> (i64, i64) {
    let one = i128::from(SCALE);
    let flow = |side: Side, price: Price, qty: Qty, fee: Money| {
        i128::from(price.0) * i128::from(qty.0) * i128::from(-side.sign()) - i128::from(fee.0) * one
    };
    let told = story.fills.values().map(|fill| flow(fill.side, fill.price, fill.qty, fill.fee));
    let untold = untold(story, truth).map(|trade| flow(trade.side, trade.price, trade.qty, trade.fee));
    let flows: i128 = told.chain(untold).sum();
    let value = |held: &TruePosition| i128::from(held.qty.0) * i128::from(held.entry_price.0);
    let still: i128 = truth.positions.iter().map(value).sum();
    let paid = i64::try_from((flows + still) / one).unwrap_or(i64::MAX) + story.cash;
    let held: i64 = truth.positions.iter().map(|held| held.qty.0.abs() / SCALE).sum();
    (paid, at.grain() * (story.fills.len() as i64 + 1) + held + 1)
}

/// P6: after the faults everything works again, and the engine sees what is so.
fn alive(story: &Story, evidence: &Evidence, wrong: &mut Vec<String>) {
    let (truth, at) = (&evidence.calm, evidence.at);
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
    for book in truth.books.iter().filter(|_| !at.has_book()) {
        if !story.quote.is_some_and(|quote| is_top(&quote, book, at)) {
            wrong.push(format!("P6 the prices are others: {:?} for {book:?}", story.quote));
        }
    }
    for book in truth.books.iter().filter(|_| at.has_book()) {
        let ([bids, asks], count) = (&story.books, at.levels());
        let is_equal = story.book_id == book.update_id
            && best(bids, Side::Buy, count).eq(book.bids.iter().copied().take(count))
            && best(asks, Side::Sell, count).eq(book.asks.iter().copied().take(count));
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
