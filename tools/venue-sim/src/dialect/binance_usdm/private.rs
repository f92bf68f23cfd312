//! Orders as the venue writes them, and the private events.
//!
//! Pure. Private events keep the venue's key order, as answers to order requests do.

use super::UsdmVenue;
use super::info::Grid;
use crate::dialect::json::{D8, to_text};
use crate::exchange::account::Balance;
use crate::exchange::income::IncomeKind;
use crate::exchange::margin::SymbolMargin;
use crate::exchange::order::{Order, OrderStatus, OrderType, TriggerBy};
use crate::exchange::position::Position;
use crate::exchange::{Execution, ExpiryReason, Fill, MarginReason, Report};
use smc_core::words::{Name, SCALE, clamp_i64};
use smc_core::{Qty, Side, TsNs};

/// The venue's word for a side.
pub const fn side_word(side: Side) -> &'static str {
    match side {
        Side::Buy => "BUY",
        Side::Sell => "SELL",
    }
}

/// The venue's word for a kind of order.
pub const fn type_word(kind: OrderType) -> &'static str {
    match kind {
        OrderType::Limit | OrderType::LimitMaker => "LIMIT",
        OrderType::Market => "MARKET",
        OrderType::StopLossLimit => "STOP",
        OrderType::StopMarket => "STOP_MARKET",
        OrderType::TakeProfitLimit => "TAKE_PROFIT",
        OrderType::TakeProfitMarket => "TAKE_PROFIT_MARKET",
    }
}

/// The venue's word for the price that wakes an order.
pub const fn working_word(by: TriggerBy) -> &'static str {
    match by {
        TriggerBy::Last => "CONTRACT_PRICE",
        TriggerBy::Mark => "MARK_PRICE",
    }
}

/// Mean price of what an order filled, 1e-8.
pub fn average_price(order: &Order) -> i64 {
    match order.filled_qty.0 {
        0 => 0,
        qty => clamp_i64(i128::from(order.filled_quote) * i128::from(SCALE) / i128::from(qty)),
    }
}

/// What else an answer tells of an order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Detail {
    /// What it was when it was taken, whatever has become of it by now.
    Ack,
    /// What it is now.
    Result,
    /// What it is now, after a change.
    Modified,
    /// What it is now, and when it began.
    Query,
}

/// An order as answers to requests show it.
pub fn order_text(grid: &Grid, order: &Order, detail: Detail) -> String {
    let fresh = Order { filled_qty: Qty::ZERO, filled_quote: 0, status: OrderStatus::New, ..order.clone() };
    let order = if detail == Detail::Ack { &fresh } else { order };
    let extra = match detail {
        Detail::Query => format!(",\"time\":{}", order.created.as_ms()),
        Detail::Modified => {
            format!(
                ",\"pair\":\"{}\",\"cumBase\":\"0\",\"modifyId\":{}",
                grid.symbol.as_str(),
                order.amendments
            )
        }
        _ => String::new(),
    };
    let executed = grid.qty(order.filled_qty.0);
    format!(
        r#"{{"orderId":{},"symbol":"{}","status":"{}","clientOrderId":{},"price":"{}","avgPrice":"{}","origQty":"{}","executedQty":"{executed}","cumQty":"{executed}","cumQuote":"{}","timeInForce":"{}","type":"{kind}","reduceOnly":{},"closePosition":{},"side":"{}","positionSide":"BOTH","stopPrice":"{}","workingType":"{}","priceProtect":false,"origType":"{kind}","priceMatch":"NONE","selfTradePreventionMode":"{}","goodTillDate":0,"updateTime":{}{extra}}}"#,
        order.id,
        grid.symbol.as_str(),
        order.status.word(),
        to_text(&order.client_order_id),
        grid.price(order.price.0),
        grid.price(average_price(order)),
        grid.qty(order.qty.0),
        grid.quote(order.filled_quote),
        order.time_in_force.word(),
        order.scope.is_reduce_only,
        order.scope.closes_position,
        side_word(order.side),
        grid.price(order.stop_price.0),
        working_word(order.scope.trigger_by),
        order.stp.word(),
        order.updated.as_ms(),
        kind = type_word(order.kind),
    )
}

/// Why an order expired, in the venue's numbers.
const fn expiry_number(exec: &Execution) -> u8 {
    match exec {
        Execution::TradePrevention => 1,
        Execution::Expired(reason) => match reason {
            ExpiryReason::UnfilledIoc | ExpiryReason::UnfilledFok => 2,
            ExpiryReason::NothingToReduce | ExpiryReason::WouldTake => 4,
            ExpiryReason::InsufficientMargin => 6,
            ExpiryReason::Liquidation => 5,
            ExpiryReason::InsufficientLiquidity => 9,
            ExpiryReason::OcoTrigger => 0, // no lists here
        },
        _ => 0,
    }
}

/// What happened to an order.
pub fn order_trade_update(grid: &Grid, report: &Report, margin: &SymbolMargin, now: TsNs) -> String {
    let order = &report.order;
    let fill = match &report.exec {
        Execution::Trade(fill) | Execution::TakenOver(fill) => Some(fill),
        _ => None,
    };
    let word = match &report.exec {
        Execution::New => "NEW",
        Execution::Trade(_) => "TRADE",
        Execution::TakenOver(_) => "CALCULATED",
        Execution::Canceled(_) => "CANCELED",
        Execution::Expired(_) | Execution::TradePrevention => "EXPIRED",
        Execution::Amended => "AMENDMENT",
    };
    // Without a commission the live venue leaves both keys out.
    let fee = fill.map_or_else(String::new, |fill| {
        format!(r#""N":"{}","n":"{}","#, fill.commission_asset.as_str(), D8(fill.commission))
    });
    let modify = match order.amendments {
        0 => String::new(),
        count => format!(",\"M\":\"{count}\""),
    };
    format!(
        r#"{{"e":"ORDER_TRADE_UPDATE","T":{at},"E":{now},"o":{{"s":"{}","c":{},"S":"{}","o":"{kind}","f":"{}","q":"{}","p":"{}","ap":"{}","sp":"{}","x":"{word}","X":"{}","i":{},"l":"{}","z":"{}","L":"{}",{fee}"T":{at},"t":{},"b":"{}","a":"{}","m":{},"R":{},"wt":"{}","ot":"{kind}","ps":"BOTH","cp":{},"rp":"{}","pP":false,"si":0,"ss":0,"V":"{}","pm":"NONE","gtd":0,"er":"{}"{modify}}}}}"#,
        grid.symbol.as_str(),
        to_text(&order.client_order_id),
        side_word(order.side),
        order.time_in_force.word(),
        grid.qty(order.qty.0),
        grid.price(order.price.0),
        grid.price(average_price(order)),
        grid.price(order.stop_price.0),
        order.status.word(),
        order.id,
        grid.qty(fill.map_or(0, |fill| fill.qty.0)),
        grid.qty(order.filled_qty.0),
        grid.price(fill.map_or(0, |fill| fill.price.0)),
        fill.map_or(0, |fill| fill.trade_id),
        grid.quote(margin.bid_notional),
        grid.quote(margin.ask_notional),
        fill.is_some_and(|fill| fill.is_maker),
        order.is_reducing(),
        working_word(order.scope.trigger_by),
        order.scope.closes_position,
        D8(fill.map_or(0, |fill| fill.realised)),
        order.stp.word(),
        expiry_number(&report.exec),
        at = order.updated.as_ms(),
        now = now.as_ms(),
        kind = type_word(order.kind),
    )
}

/// The short form of a fill, sent before the long one.
pub fn trade_lite(grid: &Grid, order: &Order, fill: &Fill, now: TsNs) -> String {
    format!(
        r#"{{"e":"TRADE_LITE","E":{now},"T":{now},"s":"{}","q":"{}","p":"{}","m":{},"c":{},"S":"{}","L":"{}","l":"{}","t":{},"i":{}}}"#,
        grid.symbol.as_str(),
        grid.qty(order.qty.0),
        grid.price(order.price.0),
        fill.is_maker,
        to_text(&order.client_order_id),
        side_word(order.side),
        grid.price(fill.price.0),
        grid.qty(fill.qty.0),
        fill.trade_id,
        order.id,
        now = now.as_ms(),
    )
}

/// A listen key's end.
pub fn listen_key_expired(key: &str, now: TsNs) -> String {
    format!(r#"{{"e":"listenKeyExpired","E":{},"listenKey":{}}}"#, now.as_ms(), to_text(key))
}

/// A leverage that its owner changed.
pub fn leverage_update(grid: &Grid, leverage: u32, now: TsNs) -> String {
    format!(
        r#"{{"e":"ACCOUNT_CONFIG_UPDATE","E":{now},"T":{now},"ac":{{"s":"{}","l":{leverage}}}}}"#,
        grid.symbol.as_str(),
        now = now.as_ms(),
    )
}

impl UsdmVenue {
    /// What of an account's money and positions changed, and why.
    pub(super) fn account_update(
        &self,
        account: usize,
        reason: MarginReason,
        assets: &[(Name, Balance)],
        positions: &[(usize, Position)],
    ) -> String {
        let (word, kind) = match reason {
            MarginReason::Order => ("ORDER", None),
            MarginReason::Funding => ("FUNDING_FEE", Some(IncomeKind::Funding)),
            MarginReason::InsuranceClear => ("INSURANCE_CLEAR", Some(IncomeKind::InsuranceClear)),
        };
        let balances: Vec<String> = assets
            .iter()
            .map(|(asset, balance)| {
                let change = kind.map_or(0, |kind| self.moved(account, kind, *asset));
                format!(
                    r#"{{"a":"{}","wb":"{wallet}","cw":"{wallet}","bc":"{}"}}"#,
                    asset.as_str(),
                    D8(change),
                    wallet = D8(balance.free),
                )
            })
            .collect();
        let lines: Vec<String> =
            positions.iter().map(|(symbol, position)| self.position_line(*symbol, position)).collect();
        format!(
            r#"{{"e":"ACCOUNT_UPDATE","T":{now},"E":{now},"a":{{"B":[{}],"P":[{}],"m":"{word}"}}}}"#,
            balances.join(","),
            lines.join(","),
            now = self.now.as_ms(),
        )
    }

    /// What moved an account's asset for one reason at this moment.
    fn moved(&self, account: usize, kind: IncomeKind, asset: Name) -> i64 {
        let Some(owner) = self.exchange.account(account) else { return 0 };
        let entries = owner.income().entries().rev().map(|(_, income)| income);
        let fresh = entries.take_while(|income| income.at == self.now);
        fresh.filter(|income| income.kind == kind && income.asset == asset).map(|income| income.amount).sum()
    }

    fn position_line(&self, symbol: usize, position: &Position) -> String {
        let grid = self.grid(symbol);
        let mark = self.exchange.mark_price(symbol).unwrap_or_default();
        let entry = D8(position.average_price().0);
        format!(
            r#"{{"s":"{}","pa":"{}","ep":"{entry}","cr":"{}","up":"{}","mt":"cross","iw":"0","ps":"BOTH","ma":"{}","bep":"{entry}"}}"#,
            grid.symbol.as_str(),
            grid.qty(position.qty),
            D8(position.realised),
            D8(position.unrealised(mark)),
            grid.quote_asset.as_str(),
        )
    }
}
