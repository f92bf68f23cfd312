//! What has happened: transactions by page, range and type, and the changes since one of them.

use super::account::{Account, Transaction};
use super::market::Market;
use super::order::State;
use super::query::Query;
use super::refusal::{Answer, Refusal};
use super::report;
use super::wire::Obj;
use crate::market::fx::calendar::{DAY_S, SECOND_NS};
use smc_core::TsNs;
use std::collections::BTreeSet;

/// Transactions of a page, unless asked otherwise and at most.
const PAGE: u64 = 100;
const PAGE_MAX: u64 = 1_000;
/// Transactions of one answer.
const ANSWER_MAX: u64 = 1_000;
/// What is looked through when no beginning is given.
const LOOK_BACK_NS: u64 = 7 * DAY_S as u64 * SECOND_NS;
/// What is said of a number that is beyond the log.
const OUT_OF_RANGE: &str = "The transaction ID specified is out of range";

/// `TAKE_PROFIT_ORDER` and the like, or a group of them. None for a word that is neither.
fn matcher(words: &[&str]) -> Option<impl Fn(&Transaction) -> bool + use<>> {
    let words: Vec<String> = words.iter().map(|word| (*word).to_owned()).collect();
    let is_word =
        |word: &String| word.bytes().all(|b| b.is_ascii_uppercase() || b == b'_') && word.len() <= 64;
    words.iter().all(is_word).then_some(move |transaction: &Transaction| {
        words.is_empty() || words.iter().any(|word| is_of(transaction.kind, word))
    })
}

fn is_of(kind: &str, word: &str) -> bool {
    match word {
        "ORDER" => kind.contains("ORDER"),
        "FUNDING" => kind.starts_with("TRANSFER_FUNDS"),
        "ADMIN" => matches!(kind, "CREATE" | "CLOSE" | "REOPEN") || kind.starts_with("CLIENT_CONFIGURE"),
        _ => kind == word,
    }
}

/// Pages of ranges of numbers.
pub fn pages(account: &Account, query: &Query, host: &str, now: TsNs) -> Result<Answer, Refusal> {
    let to = query.time("to")?.unwrap_or(now);
    let floor = TsNs(to.0.saturating_sub(LOOK_BACK_NS)).max(account.created);
    let from = query.time("from")?.unwrap_or(floor);
    let size = query.number("pageSize")?.unwrap_or(PAGE);
    if !(1..=PAGE_MAX).contains(&size) {
        return Err(Refusal::value("pageSize"));
    }
    let types = query.list("type");
    let is_wanted = matcher(&types).ok_or_else(|| Refusal::value("type"))?;
    let within = |it: &&Transaction| (from..=to).contains(&it.time) && is_wanted(it);
    let ids: Vec<u64> = account.transactions.iter().filter(within).map(|it| it.id).collect();
    let filter = if types.is_empty() { String::new() } else { format!("&type={}", types.join("%2C")) };
    let page = |ids: &[u64]| {
        let (first, last) = (ids.first().copied().unwrap_or(0), ids.last().copied().unwrap_or(0));
        format!(
            "\"https://{host}/v3/accounts/{}/transactions/idrange?from={first}&to={last}{filter}\"",
            account.id
        )
    };
    let quoted = |word: &&str| serde_json::Value::from(*word).to_string();
    let mut body = Obj::new().time("from", from).time("to", to).raw("pageSize", &size.to_string());
    if !types.is_empty() {
        body = body.list("type", types.iter().map(quoted));
    }
    let pages = ids.chunks(usize::try_from(size).unwrap_or(usize::MAX)).map(page);
    Ok(Answer::ok(
        body.raw("count", &ids.len().to_string())
            .list("pages", pages)
            .id("lastTransactionID", account.last_id()),
    ))
}

/// The transactions of a range of numbers.
pub fn range(account: &Account, query: &Query) -> Result<Answer, Refusal> {
    let from = query.number("from")?.ok_or_else(|| Refusal::missing("from"))?;
    let to = query.number("to")?.ok_or_else(|| Refusal::missing("to"))?;
    if from > to {
        return Err(Refusal::value("to"));
    }
    listed(account, query, from.max(1), to)
}

/// The transactions after one.
pub fn since(account: &Account, query: &Query) -> Result<Answer, Refusal> {
    let id = query.number("id")?.ok_or_else(|| Refusal::missing("id"))?;
    if id > account.last_id() {
        return Ok(Answer::sentence(416, OUT_OF_RANGE));
    }
    listed(account, query, id + 1, u64::MAX)
}

fn listed(account: &Account, query: &Query, from: u64, to: u64) -> Result<Answer, Refusal> {
    let is_wanted = matcher(&query.list("type")).ok_or_else(|| Refusal::value("type"))?;
    if from > account.last_id() + 1 {
        return Ok(Answer::sentence(416, OUT_OF_RANGE));
    }
    let to = to.min(account.last_id()).min(from.saturating_add(ANSWER_MAX - 1));
    let found = (from..=to).filter_map(|id| account.transaction(id)).filter(|it| is_wanted(it));
    Ok(Answer::ok(
        Obj::new()
            .list("transactions", found.map(|it| account.transaction_json(it)))
            .id("lastTransactionID", account.last_id()),
    ))
}

/// One transaction.
pub fn single(account: &Account, id: &str) -> Answer {
    match id.parse().ok().and_then(|id| account.transaction(id)) {
        Some(found) => Answer::ok(
            Obj::new()
                .raw("transaction", &account.transaction_json(found))
                .id("lastTransactionID", account.last_id()),
        ),
        None => Answer::absent("NO_SUCH_TRANSACTION", account.last_id()),
    }
}

/// What has changed since a transaction. `back`: how far back the venue remembers.
pub fn changes(account: &Account, market: &Market, query: &Query, back: u64) -> Result<Answer, Refusal> {
    let since = query.number("sinceTransactionID")?.ok_or_else(|| Refusal::missing("sinceTransactionID"))?;
    let last = account.last_id();
    if since > last || last - since > back {
        return Ok(Answer::sentence(416, OUT_OF_RANGE));
    }
    let order = |is_it: &dyn Fn(&State) -> bool| {
        let found = account.orders.values().filter(|order| is_it(&order.state));
        found.map(|order| order.json(market)).collect::<Vec<_>>()
    };
    let created = account.orders.range(since + 1..).map(|(_, order)| order.json(market));
    let trade = |it| report::trade(account, market, it, true);
    let opened = account.trades.range(since + 1..).map(|(_, it)| trade(it));
    let met = || account.trades.values().filter(|it| it.closing.last().is_some_and(|by| *by > since));
    let touched: BTreeSet<usize> = account
        .trades
        .values()
        .filter(|it| it.id > since || it.closing.last().is_some_and(|by| *by > since))
        .map(|it| it.instrument)
        .collect();
    let changes = Obj::new()
        .list("ordersCreated", created)
        .list("ordersCancelled", order(&|it| matches!(it, State::Cancelled { by, .. } if *by > since)))
        .list("ordersFilled", order(&|it| matches!(it, State::Filled { by, .. } if *by > since)))
        .list("ordersTriggered", [])
        .list("tradesOpened", opened)
        .list("tradesReduced", met().filter(|it| it.is_open()).map(trade))
        .list("tradesClosed", met().filter(|it| !it.is_open()).map(trade))
        .list("positions", touched.iter().map(|it| report::position(account, market, *it)))
        .list(
            "transactions",
            (since + 1..=last)
                .filter_map(|id| account.transaction(id))
                .map(|it| account.transaction_json(it)),
        );
    Ok(Answer::ok(
        Obj::new()
            .raw("changes", &changes.done())
            .raw("state", &report::state(account, market).done())
            .id("lastTransactionID", last),
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn groups_hold_their_types() {
        for (kind, word) in [
            ("ORDER_FILL", "ORDER"),
            ("LIMIT_ORDER_REJECT", "ORDER"),
            ("TRANSFER_FUNDS", "FUNDING"),
            ("CLIENT_CONFIGURE", "ADMIN"),
            ("DAILY_FINANCING", "DAILY_FINANCING"),
        ] {
            assert!(is_of(kind, word) && !is_of(kind, "NOTHING"), "{kind}");
        }
        assert!(matcher(&["order"]).is_none() && matcher(&[]).is_some());
    }
}
