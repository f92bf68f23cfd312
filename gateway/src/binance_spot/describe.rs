//! [`Message`]s as JSON for people: what `smc decode` prints for a line of the private stream.
//!
//! A tool's path: allocates as it likes. Names are the house's words, decimals are text, times are milliseconds.

use super::message::*;
use smc_core::words::Side;
use std::fmt::Write as _;

impl Message<'_, '_> {
    /// The kind, as the venue names it: the event's name, or `answer`.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Answer(_) => "answer",
            Self::Execution(_) => "executionReport",
            Self::AccountPosition { .. } => "outboundAccountPosition",
            Self::BalanceUpdate(_) => "balanceUpdate",
            Self::ExternalLock(_) => "externalLockUpdate",
            Self::ListStatus { .. } => "listStatus",
            Self::StreamTerminated { .. } => "eventStreamTerminated",
            Self::ServerShutdown { .. } => "serverShutdown",
        }
    }

    /// Appends one JSON object, `kind` first.
    pub fn write_json(&self, out: &mut String) {
        let mut object = Writer::open(out);
        object.text("kind", self.kind());
        match self {
            Self::Answer(answer) => answer_fields(answer, &mut object),
            Self::Execution(report) => report_fields(report, &mut object),
            Self::AccountPosition { event_time_ms, update_time_ms, balances } => {
                object.number("event_time_ms", event_time_ms);
                object.number("update_time_ms", update_time_ms);
                balance_list(balances, &mut object);
            }
            Self::BalanceUpdate(change) | Self::ExternalLock(change) => {
                object.number("event_time_ms", change.event_time_ms);
                object.text("asset", change.asset);
                object.some("delta", change.delta);
                object.number("time_ms", change.time_ms);
            }
            Self::ListStatus { event_time_ms, symbol, list_id, status_type, order_status, client_id } => {
                object.number("event_time_ms", event_time_ms);
                object.text("symbol", symbol);
                object.number("list_id", list_id);
                object.text("status_type", status_type);
                object.text("order_status", order_status);
                object.text("client_order_id", client_id);
            }
            Self::StreamTerminated { event_time_ms } | Self::ServerShutdown { event_time_ms } => {
                object.number("event_time_ms", event_time_ms);
            }
        }
        object.close();
    }
}

fn report_fields(report: &ExecutionReport<'_>, object: &mut Writer<'_>) {
    object.number("event_time_ms", report.event_time_ms);
    object.number("time_ms", report.time_ms);
    object.text("symbol", report.symbol);
    object.text("client_order_id", report.client_order_id);
    if report.own_client_id != report.client_order_id {
        object.text("cancel_id", report.own_client_id);
    }
    object.number("venue_order_id", report.order_id);
    object.text("side", side(report.side));
    object.text("type", report.order_type);
    object.text("time_in_force", report.time_in_force);
    object.show("price", report.price);
    object.show("stop_price", report.stop_price);
    object.show("qty", report.qty);
    object.text("execution", report.execution.text());
    object.text("status", report.status.text());
    object.text("reject_reason", report.reject_reason);
    if let Some(reason) = report.expiry_reason {
        object.text("expiry_reason", reason);
    }
    object.show("last_qty", report.last_qty);
    object.show("last_price", report.last_price);
    object.show("cum_qty", report.cum_qty);
    if let Some(trade_id) = report.trade_id {
        object.number("trade_id", trade_id);
    }
    object.show("fee", report.fee);
    if let Some(asset) = report.fee_asset {
        object.text("fee_asset", asset);
    }
    object.number("is_maker", report.is_maker);
}

fn answer_fields(answer: &Answer<'_, '_>, object: &mut Writer<'_>) {
    match answer.id {
        AnswerId::Number(id) => object.number("id", id),
        AnswerId::Text(id) => object.text("id", id),
        AnswerId::Null => object.number("id", "null"),
    }
    object.number("status", answer.status);
    match &answer.outcome {
        Outcome::Order(order) => {
            object.text("outcome", "order");
            order_fields(order, object);
        }
        Outcome::Orders(orders) => {
            object.text("outcome", "orders");
            object.list("orders", orders.iter(), order_fields);
        }
        Outcome::Trades(trades) => {
            object.text("outcome", "trades");
            object.list("trades", trades.iter(), trade_fields);
        }
        Outcome::Account { can_trade, update_time_ms, balances } => {
            object.text("outcome", "account");
            object.number("can_trade", can_trade);
            object.number("update_time_ms", update_time_ms);
            balance_list(balances, object);
        }
        Outcome::Session { is_authorized, server_time_ms } => {
            object.text("outcome", "session");
            object.number("is_authorized", is_authorized);
            object.number("server_time_ms", server_time_ms);
        }
        Outcome::Subscription { id } => {
            object.text("outcome", "subscription");
            object.number("subscription_id", id);
        }
        Outcome::Time { server_time_ms } => {
            object.text("outcome", "time");
            object.number("server_time_ms", server_time_ms);
        }
        Outcome::OrderList { id, orders, reports } => {
            object.text("outcome", "order_list");
            object.number("list_id", id);
            object.list("orders", orders.iter(), order_fields);
            object.list("reports", reports.iter(), order_fields);
        }
        Outcome::Rights { can_trade, can_withdraw } => {
            object.text("outcome", "rights");
            object.number("can_trade", can_trade);
            object.number("can_withdraw", can_withdraw);
        }
        Outcome::Replaced(result) => {
            object.text("outcome", "replaced");
            replace_fields(result, object);
        }
        Outcome::Empty => object.text("outcome", "empty"),
        Outcome::Other => object.text("outcome", "other"),
        Outcome::Error(error) => {
            object.text("outcome", "error");
            object.number("code", error.code);
            object.text("message", error.message);
            object.some_number("retry_after_ms", error.retry_after_ms);
            if let Some(result) = &error.replaced {
                replace_fields(result, object);
            }
        }
    }
    if answer.limits.iter().next().is_some() {
        object.list("rate_limits", answer.limits.iter(), limit_fields);
    }
}

fn replace_fields(result: &ReplaceResult, object: &mut Writer<'_>) {
    for (name, half) in [("cancel", &result.cancel), ("new_order", &result.new)] {
        object.text(
            name,
            match half {
                Half::Done { .. } => "done",
                Half::Refused(_) => "refused",
                Half::NotTried => "not_tried",
            },
        );
    }
}

fn order_fields(order: &OrderResult<'_>, object: &mut Writer<'_>) {
    object.text("symbol", order.symbol);
    object.text("client_order_id", order.client_order_id);
    object.number("venue_order_id", order.order_id);
    if let Some(status) = order.status {
        object.text("order_status", status.text());
    }
    if let Some(told) = order.side {
        object.text("side", side(told));
    }
    if let Some(word) = order.order_type {
        object.text("type", word);
    }
    object.some("price", order.price);
    object.some("stop_price", order.stop_price);
    object.some("qty", order.qty);
    object.some("cum_qty", order.executed_qty);
    object.some_number("time_ms", order.time_ms);
}

fn trade_fields(trade: &TradeRow<'_>, object: &mut Writer<'_>) {
    object.text("symbol", trade.symbol);
    object.number("trade_id", trade.trade_id);
    object.number("venue_order_id", trade.order_id);
    object.show("price", trade.price);
    object.show("qty", trade.qty);
    object.show("fee", trade.fee);
    object.text("fee_asset", trade.fee_asset);
    object.number("time_ms", trade.time_ms);
    object.number("is_maker", trade.is_maker);
}

fn limit_fields(limit: &&RateLimit, object: &mut Writer<'_>) {
    object.text(
        "limit_kind",
        match limit.kind {
            LimitKind::RequestWeight => "request_weight",
            LimitKind::Orders => "orders",
            LimitKind::Other => "other",
        },
    );
    object.number("interval_s", limit.interval_s);
    object.number("limit", limit.limit);
    object.number("count", limit.count);
}

fn balance_list(balances: &Rows<'_, '_, BalanceRow<'_>>, object: &mut Writer<'_>) {
    object.list("balances", balances.iter(), |row: &BalanceRow<'_>, object| {
        object.text("asset", row.asset);
        object.some("free", row.free);
        object.some("locked", row.locked);
    });
}

const fn side(side: Side) -> &'static str {
    match side {
        Side::Buy => "buy",
        Side::Sell => "sell",
    }
}

/// Writes one JSON object.
struct Writer<'o> {
    out: &'o mut String,
    is_first: bool,
}

impl<'o> Writer<'o> {
    fn open(out: &'o mut String) -> Self {
        out.push('{');
        Self { out, is_first: true }
    }

    fn close(self) {
        self.out.push('}');
    }

    fn key(&mut self, key: &str) {
        if !self.is_first {
            self.out.push(',');
        }
        self.is_first = false;
        self.quoted(key);
        self.out.push(':');
    }

    fn text(&mut self, key: &str, value: &str) {
        self.key(key);
        self.quoted(value);
    }

    /// A decimal, as text.
    fn show(&mut self, key: &str, value: impl std::fmt::Display) {
        self.text(key, &value.to_string());
    }

    fn some(&mut self, key: &str, value: Option<impl std::fmt::Display>) {
        if let Some(value) = value {
            self.show(key, value);
        }
    }

    /// Something that is JSON as it prints.
    fn number(&mut self, key: &str, value: impl std::fmt::Display) {
        self.key(key);
        // Writing to a String cannot fail.
        let _ = write!(self.out, "{value}");
    }

    fn some_number(&mut self, key: &str, value: Option<u64>) {
        if let Some(value) = value {
            self.number(key, value);
        }
    }

    fn list<T>(&mut self, key: &str, rows: impl Iterator<Item = T>, fields: impl Fn(&T, &mut Writer<'_>)) {
        self.key(key);
        self.out.push('[');
        for (index, row) in rows.enumerate() {
            if index > 0 {
                self.out.push(',');
            }
            let mut object = Writer::open(self.out);
            fields(&row, &mut object);
            object.close();
        }
        self.out.push(']');
    }

    fn quoted(&mut self, text: &str) {
        self.out.push('"');
        for character in text.chars() {
            match character {
                '"' => self.out.push_str("\\\""),
                '\\' => self.out.push_str("\\\\"),
                '\u{0}'..='\u{1f}' => {
                    let _ = write!(self.out, "\\u{:04x}", u32::from(character));
                }
                _ => self.out.push(character),
            }
        }
        self.out.push('"');
    }
}
