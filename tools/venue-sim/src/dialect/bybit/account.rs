//! Private REST: orders, executions, positions, amounts, settings.

use super::Venue;
use super::ledger::{Executed, Record};
use super::params::Params;
use super::refusal::Refusal;
use super::reports;
use super::words::Category;
use crate::exchange::reject::Reject;
use serde_json::{Value, json};

/// Longest span of a query, in milliseconds.
const SPAN_MAX_MS: u64 = 7 * 86_400_000;
/// Ended orders that `order/realtime` still knows.
const RECENT_MAX: usize = 500;

/// A span of time in milliseconds, at most seven days.
struct Span(Option<u64>, Option<u64>);

impl Span {
    fn of(params: &Params) -> Result<Self, Refusal> {
        let span = Self(params.whole("startTime")?, params.whole("endTime")?);
        match span {
            Self(Some(from), Some(to)) if from > to || to - from > SPAN_MAX_MS => {
                Err(Refusal::new(10001, "The time range between startTime and endTime cannot exceed 7 days"))
            }
            _ => Ok(span),
        }
    }

    fn contains(&self, at_ms: u64) -> bool {
        self.0.is_none_or(|from| at_ms >= from) && self.1.is_none_or(|to| at_ms <= to)
    }
}

/// One page of rows: those after the one that the cursor names, and the cursor of the next page.
fn page<T>(
    rows: impl Iterator<Item = T>,
    limit: usize,
    cursor: Option<&str>,
    id: impl Fn(&T) -> String,
) -> (Vec<T>, String) {
    // Clients send the cursor back decoded, or as it stood.
    let after = cursor.map(|cursor| cursor.split([':', '%']).next().unwrap_or("").to_owned());
    let mut rows = rows.peekable();
    if let Some(after) = after {
        while rows.next().is_some_and(|row| id(&row) != after) {}
    }
    let mut rows = rows.peekable();
    let taken: Vec<T> = rows.by_ref().take(limit).collect();
    let next = match (taken.last(), rows.peek()) {
        (Some(last), Some(_)) => format!("{}%3A{}", id(last), taken.len()),
        _ => String::new(),
    };
    (taken, next)
}

impl Venue {
    /// Open orders, or with `openOnly=1` those that ended lately.
    pub(super) fn open_orders(&self, account: usize, params: &Params) -> Result<Value, Refusal> {
        let category = params.category()?;
        let wants_ended = match params.get("openOnly") {
            None | Some("0") => false,
            Some("1" | "2") => true,
            Some(_) => return Err(Refusal::param("openOnly")),
        };
        let is_named = params.get("orderId").is_some() || params.get("orderLinkId").is_some();
        let scope = if is_named && params.get("symbol").is_none() {
            None
        } else {
            Some(self.scope(category, params)?)
        };
        let rows = self
            .ledger
            .orders(account, category)
            .filter(|record| record.is_open() != wants_ended)
            .filter(|record| scope.as_ref().is_none_or(|scope| scope.contains(&record.order.symbol)))
            .take(if wants_ended { RECENT_MAX } else { usize::MAX });
        self.order_page(category, rows, params)
    }

    /// Ended orders.
    pub(super) fn order_history(&self, account: usize, params: &Params) -> Result<Value, Refusal> {
        let category = params.category()?;
        let span = Span::of(params)?;
        let scope = params.get("symbol").map(|_| self.instrument(params)).transpose()?;
        let rows = self
            .ledger
            .orders(account, category)
            .filter(|record| !record.is_open() && span.contains(record.order.created.as_ms()))
            .filter(|record| scope.is_none_or(|(_, symbol)| symbol == record.order.symbol))
            .filter(|record| params.get("orderStatus").is_none_or(|status| status == record.state.status));
        self.order_page(category, rows, params)
    }

    fn order_page<'a>(
        &'a self,
        category: Category,
        rows: impl Iterator<Item = &'a Record>,
        params: &Params,
    ) -> Result<Value, Refusal> {
        let limit = params.limit(20, 50)?;
        let (order_id, link_id) = (params.get("orderId"), params.link_id()?);
        let is_conditional = |record: &Record| record.asked.stop_order_type != "UNKNOWN";
        let rows = rows
            .filter(|record| order_id.is_none_or(|id| record.order_id == id))
            .filter(|record| order_id.is_some() || link_id.is_none_or(|id| record.link_id == id))
            .filter(|record| match params.get("orderFilter") {
                Some("Order") => !is_conditional(record),
                Some("StopOrder" | "tpslOrder") => is_conditional(record),
                _ => true,
            });
        let (rows, next) = page(rows, limit, params.get("cursor"), |record| record.order_id.clone());
        let list: Vec<Value> = rows.into_iter().filter_map(|record| self.order_row(record)).collect();
        Ok(json!({"category": category.word(), "list": list, "nextPageCursor": next}))
    }

    fn order_row(&self, record: &Record) -> Option<Value> {
        let info = self.exchange.market(record.order.symbol)?.info;
        Some(reports::order(record, record.state, &info))
    }

    /// Executions, newest first.
    pub(super) fn executions(&self, account: usize, params: &Params) -> Result<Value, Refusal> {
        let category = params.category()?;
        let (limit, span) = (params.limit(50, 100)?, Span::of(params)?);
        let scope = params.get("symbol").map(|_| self.instrument(params)).transpose()?;
        let (order_id, link_id) = (params.get("orderId"), params.link_id()?);
        let is_wanted = |executed: &&Executed| {
            executed.category == category
                && scope.is_none_or(|(_, symbol)| symbol == executed.order.symbol)
                && order_id.is_none_or(|id| executed.order_id == id)
                && (order_id.is_some() || link_id.is_none_or(|id| executed.link_id == id))
                && params.get("execType").is_none_or(|kind| executed.exec_type == kind)
                && span.contains(executed.at.as_ms())
        };
        let rows = self.ledger.executions(account).filter(is_wanted);
        let (rows, next) = page(rows, limit, params.get("cursor"), |executed| executed.exec_id.clone());
        let list: Vec<Value> = rows.into_iter().filter_map(|executed| self.execution_row(executed)).collect();
        Ok(json!({"category": category.word(), "list": list, "nextPageCursor": next}))
    }

    /// One execution in the venue's words.
    pub(super) fn execution_row(&self, executed: &Executed) -> Option<Value> {
        let owner = self.exchange.account(executed.order.account)?;
        let info = self.exchange.market(executed.order.symbol)?.info;
        let fee_bps = if executed.fill.is_maker { owner.maker_fee_bps } else { owner.taker_fee_bps };
        Some(reports::execution(executed, &info, fee_bps))
    }

    /// Positions: one, empty or not, or all that there are of a settlement coin.
    pub(super) fn positions(&self, account: usize, params: &Params) -> Result<Value, Refusal> {
        let category = params.category()?;
        if category.is_spot() {
            return Err(Refusal::CATEGORY);
        }
        let is_one = params.get("symbol").is_some();
        let scope =
            if matches!(category, Category::Linear) { self.scope(category, params)? } else { Vec::new() };
        let limit = params.limit(20, 200)?;
        let owner = self.exchange.account(account).ok_or(Refusal::INTERNAL)?;
        let is_wanted = |symbol: &usize| is_one || owner.position(*symbol).qty != 0;
        let rows = scope.into_iter().filter(is_wanted);
        let (rows, next) = page(rows, limit, params.get("cursor"), |symbol| symbol.to_string());
        let list: Vec<Value> = rows
            .into_iter()
            .filter_map(|symbol| {
                reports::position(&self.exchange, account, symbol, self.guards_of(account, symbol), false)
            })
            .collect();
        Ok(json!({"category": category.word(), "list": list, "nextPageCursor": next}))
    }

    /// Changes the leverage of an instrument.
    pub(super) fn set_leverage(&mut self, account: usize, params: &Params) -> Result<Value, Refusal> {
        let (category, symbol) = self.instrument(params)?;
        if category.is_spot() {
            return Err(Refusal::CATEGORY);
        }
        let whole = |name| {
            // Whole leverages only, however many decimals they are written with.
            let amount = params.amount(name)?.ok_or(Refusal::param(name))?;
            let scale = smc_core::words::SCALE;
            u32::try_from(amount / scale).ok().filter(|_| amount % scale == 0).ok_or(Refusal::param(name))
        };
        let (buy, sell): (u32, u32) = (whole("buyLeverage")?, whole("sellLeverage")?);
        if buy != sell {
            return Err(Refusal::new(10001, "buyLeverage and sellLeverage must be equal in one-way mode"));
        }
        let owner = self.exchange.account(account).ok_or(Refusal::INTERNAL)?;
        if owner.leverage(symbol) == buy {
            return Err(Refusal::new(110043, "leverage not modified"));
        }
        self.exchange.set_leverage(account, symbol, buy).map_err(|reject| match reject {
            r if r == Reject::LEVERAGE_MARGIN => Refusal::funds(category),
            _ => Refusal::new(110013, "cannot set leverage gt maxLeverage by risk limit"),
        })?;
        self.touched_positions.insert((account, symbol));
        Ok(json!({}))
    }

    /// Changes the position mode; the simulator has one-way positions only.
    pub(super) fn switch_mode(&self, params: &Params) -> Result<Value, Refusal> {
        if params.category()? != Category::Linear {
            return Err(Refusal::CATEGORY);
        }
        match params.get("mode") {
            Some("0") => Err(Refusal::new(110025, "Position mode is not modified")),
            Some("3") => Err(Refusal::new(110029, "Hedge mode is not available for this symbol")),
            _ => Err(Refusal::param("mode")),
        }
    }

    /// The amounts of the account.
    pub(super) fn wallet_balance(&self, account: usize, params: &Params) -> Result<Value, Refusal> {
        if params.required("accountType")? != "UNIFIED" {
            return Err(Refusal::new(10001, "accountType only support UNIFIED."));
        }
        let coins: Option<Vec<&str>> = params.get("coin").map(|coins| coins.split(',').collect());
        let wanted = |coin: &str| coins.as_ref().is_none_or(|coins| coins.contains(&coin));
        let owner = self.exchange.account(account).ok_or(Refusal::INTERNAL)?;
        Ok(json!({"list": [reports::wallet(&self.exchange, account, owner, &wanted)]}))
    }

    /// What kind of account it is.
    pub(super) fn account_info(&self) -> Value {
        json!({
            "marginMode": "REGULAR_MARGIN",
            "updatedTime": self.start.as_ms().to_string(),
            "unifiedMarginStatus": 5,
            "dcpStatus": "ON",
            "timeWindow": 10,
            "smpGroup": 0,
            "isMasterTrader": false,
            "spotHedgingStatus": "OFF",
        })
    }

    /// The windows of disconnect cancel all.
    pub(super) fn dcp_info(&self, account: usize) -> Value {
        let row = |(product, category): (&str, Category)| {
            let dcp = self.dcp.get(&(account, category)).copied().unwrap_or_default();
            json!({"product": product, "dcpStatus": "ON", "timeWindow": dcp.window_s().to_string()})
        };
        let products =
            [("SPOT", Category::Spot), ("DERIVATIVES", Category::Linear), ("OPTIONS", Category::Option)];
        json!({"dcpInfos": products.map(row)})
    }

    /// What fills cost.
    pub(super) fn fee_rate(&self, account: usize, params: &Params) -> Result<Value, Refusal> {
        let category = params.category()?;
        let only = params.get("symbol").map(|_| self.instrument(params)).transpose()?;
        let owner = self.exchange.account(account).ok_or(Refusal::INTERNAL)?;
        let markets = self.exchange.markets().iter().enumerate();
        let list: Vec<Value> = markets
            .filter(|(symbol, _)| self.category_of(*symbol) == category)
            .filter(|(symbol, _)| only.is_none_or(|(_, only)| only == *symbol))
            .map(|(_, market)| {
                json!({
                    "symbol": market.info.spec.symbol.as_str(),
                    "baseCoin": "",
                    "takerFeeRate": reports::fee_rate(owner.taker_fee_bps),
                    "makerFeeRate": reports::fee_rate(owner.maker_fee_bps),
                })
            })
            .collect();
        Ok(json!({"category": category.word(), "list": list}))
    }

    /// What the key may do: trade, and nothing that moves money away.
    pub(super) fn api_key_info(&self, account: usize) -> Value {
        json!({
            "id": (1_000 + account).to_string(),
            "note": "simulator",
            "apiKey": self.keys.api_key(account),
            "readOnly": 0,
            "secret": "",
            "permissions": {
                "ContractTrade": ["Order", "Position"],
                "Spot": ["SpotTrade"],
                "Wallet": [],
                "Options": [],
                "Derivatives": ["DerivativesTrade"],
                "CopyTrading": [],
                "BlockTrade": [],
                "Exchange": [],
                "NFT": [],
                "Affiliate": [],
                "Earn": [],
            },
            "ips": ["*"],
            "type": 1,
            "deadlineDay": 90,
            "expiredAt": "2099-01-01T00:00:00Z",
            "createdAt": "2020-01-01T00:00:00Z",
            "unified": 0,
            "uta": 1,
            "userID": 100_000_001 + account,
            "inviterID": 0,
            "vipLevel": "No VIP",
            "mktMakerLevel": "0",
            "affiliateID": 0,
            "rsaPublicKey": "",
            "isMaster": true,
            "parentUid": "0",
            "kycLevel": "LEVEL_DEFAULT",
            "kycRegion": "",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::page;

    #[test]
    fn pages_follow_each_other_whichever_way_the_cursor_comes_back() {
        let id = |row: &u32| format!("id-{row}");
        let (first, next) = page(1..=5, 2, None, id);
        assert_eq!((first.as_slice(), next.as_str()), ([1, 2].as_slice(), "id-2%3A2"));
        let (second, next) = page(1..=5, 2, Some("id-2:2"), id);
        assert_eq!((second.as_slice(), next.as_str()), ([3, 4].as_slice(), "id-4%3A2"));
        let (third, next) = page(1..=5, 2, Some("id-4%3A2"), id);
        assert_eq!((third.as_slice(), next.as_str()), ([5].as_slice(), ""));
        assert_eq!(page(1..=5, 2, Some("gone"), id), (Vec::new(), String::new()));
    }
}
