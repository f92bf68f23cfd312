//! From what the exchange did to frames: public trades, and per account fast executions, executions, orders, positions
//! and amounts. Orders and executions come in either order, as on the venue; the seed decides.

use super::ledger::{Asked, Executed, Record, State};
use super::reports;
use super::topics::Private;
use super::words::{Category, id_text, scatter};
use super::{Frame, Venue, category_of, execution_number};
use crate::exchange::order::OrderId;
use crate::exchange::{ExchangeEvent, Execution, Fill, PublicTrade, Report};
use serde_json::{Value, json};
use std::collections::BTreeSet;

/// What is to be told to accounts about one action.
#[derive(Default)]
struct Told {
    /// An order in a state, and whether a fill led there.
    orders: Vec<OrderState>,
    executions: Vec<Executed>,
    wallets: BTreeSet<usize>,
}

struct OrderState {
    account: usize,
    category: Category,
    id: OrderId,
    row: Value,
    is_fill: bool,
}

impl Venue {
    /// Turns what the exchange did into frames, until nothing follows from it any more.
    pub(super) fn publish(&mut self) {
        let mut told = Told::default();
        loop {
            let events = self.exchange.take_events();
            if events.is_empty() {
                break;
            }
            for event in events {
                match event {
                    ExchangeEvent::Report(report) => self.take_report(&report, &mut told),
                    ExchangeEvent::Balances { account, .. } => {
                        told.wallets.insert(account);
                    }
                    ExchangeEvent::Margin { account, positions, .. } => {
                        told.wallets.insert(account);
                        self.touched_positions
                            .extend(positions.into_iter().map(|(symbol, _)| (account, symbol)));
                    }
                    ExchangeEvent::List(_) => {} // this venue has no order lists
                    ExchangeEvent::Trade(trade) => self.take_trade(trade),
                }
            }
            self.drop_idle_guards();
        }
        self.finish_feeds();
        self.tell_executions(Private::FastExecution, &told);
        if self.is_told_first() {
            self.tell_orders(&told);
            self.tell_executions(Private::Execution, &told);
        } else {
            self.tell_executions(Private::Execution, &told);
            self.tell_orders(&told);
        }
        self.tell_positions();
        self.tell_wallets(&told);
    }

    fn take_trade(&mut self, trade: PublicTrade) {
        let seq = self.exchange.market(trade.symbol).map_or(0, |market| market.book.update_id());
        let now = self.now;
        if let Some(feed) = self.feeds.get_mut(trade.symbol) {
            feed.on_trade(trade, seq, now);
        }
    }

    fn finish_feeds(&mut self) {
        let now = self.now;
        for symbol in 0..self.feeds.len() {
            let mut events = Vec::new();
            if let (Some(feed), Some(book)) = (self.feeds.get_mut(symbol), self.exchange.book_mut(symbol)) {
                feed.finish(book, now, &mut events);
            }
            self.route(symbol, events);
        }
    }

    fn take_report(&mut self, report: &Report, told: &mut Told) {
        let order = &report.order;
        let (id, account, symbol) = (order.id, order.account, order.symbol);
        let Some(info) = self.exchange.market(symbol).map(|market| market.info) else { return };
        let category = category_of(&info.spec.contract);
        if self.ledger.get(id).is_none() {
            // Nobody asked for it: the venue closes what the account can no longer secure.
            self.ledger.open(order.clone(), category, "", Asked::liquidation());
        }
        let states = self.ledger.on_report(report);
        let Some(record) = self.ledger.get(id) else { return };
        let fill = match &report.exec {
            Execution::Trade(fill) => Some((*fill, "Trade")),
            Execution::TakenOver(fill) => Some((*fill, "BustTrade")),
            _ => None,
        };
        for state in states {
            let row = reports::order(record, state, &info);
            let is_fill = fill.is_some();
            // Fills of one action lead straight to the last of their states.
            if is_fill && told.orders.last().is_some_and(|last| last.id == id && last.is_fill) {
                told.orders.pop();
            }
            told.orders.push(OrderState { account, category, id, row, is_fill });
        }
        if !category.is_spot() {
            self.touched_positions.insert((account, symbol));
        }
        if let Some((fill, exec_type)) = fill {
            let executed = self.executed(report, fill, exec_type);
            told.executions.extend(executed);
            self.summary.fills += 1;
            self.attach_guards(id);
        }
    }

    fn executed(&mut self, report: &Report, fill: Fill, exec_type: &'static str) -> Option<Executed> {
        let order = report.order.clone();
        let record = self.ledger.get(order.id)?;
        let symbol = order.symbol;
        let held = self.held.entry((order.account, symbol)).or_default();
        let signed = order.side.sign() * fill.qty.0;
        let is_closing = held.signum() * signed.signum() < 0;
        let closed_size = if is_closing { fill.qty.0.min(held.saturating_abs()) } else { 0 };
        *held = held.saturating_add(signed);
        // What the venue takes over is no trade and has no number of one.
        let number = match exec_type {
            "Trade" => execution_number(symbol, fill.trade_id, fill.is_maker),
            _ => scatter(report.exec_id) >> 8,
        };
        let executed = Executed {
            exec_id: id_text(record.category, number),
            exec_type,
            category: record.category,
            order_id: record.order_id.clone(),
            link_id: record.link_id.clone(),
            asked: record.asked.clone(),
            fill,
            at: self.now,
            seq: self.exchange.market(symbol).map_or(0, |market| market.book.update_id()),
            closed_size,
            mark: self.exchange.mark_price(symbol).map_or(0, |price| price.0),
            order,
        };
        self.ledger.push_execution(executed.clone());
        Some(executed)
    }

    /// Says once more that an order is filled, after a cancel that came too late.
    pub(super) fn tell_filled_again(&mut self, id: OrderId) {
        let Some(record) = self.ledger.get(id) else { return };
        let state = State {
            status: "Filled",
            cancel_type: "CancelByUser",
            reject_reason: "EC_OrigClOrdIDDoesNotExist",
        };
        let (account, category) = (record.order.account, record.category);
        if let Some(row) = self.order_row_in(record, state) {
            self.tell(account, Private::Order, category, "order", &[row]);
        }
    }

    fn order_row_in(&self, record: &Record, state: State) -> Option<Value> {
        let info = self.exchange.market(record.order.symbol)?.info;
        Some(reports::order(record, state, &info))
    }

    fn tell_orders(&mut self, told: &Told) {
        for order in &told.orders {
            self.tell(
                order.account,
                Private::Order,
                order.category,
                "order",
                std::slice::from_ref(&order.row),
            );
        }
    }

    /// Tells executions; several of one order may come in one message, but for the fast ones.
    fn tell_executions(&mut self, topic: Private, told: &Told) {
        let mut rest = told.executions.as_slice();
        while let Some(first) = rest.first() {
            let is_fast = topic == Private::FastExecution;
            let same =
                rest.iter().take_while(|next| !is_fast && next.order.id == first.order.id).count().max(1);
            let (group, after) = rest.split_at(same);
            rest = after;
            let rows: Vec<Value> = group
                .iter()
                .filter(|executed| !is_fast || executed.exec_type == "Trade")
                .filter_map(|executed| {
                    if is_fast {
                        let info = self.exchange.market(executed.order.symbol)?.info;
                        Some(reports::fast_execution(executed, &info))
                    } else {
                        self.execution_row(executed)
                    }
                })
                .collect();
            let word = if is_fast { "execution.fast" } else { "execution" };
            if !rows.is_empty() {
                self.tell(first.order.account, topic, first.category, word, &rows);
            }
        }
    }

    fn tell_positions(&mut self) {
        for (account, symbol) in std::mem::take(&mut self.touched_positions) {
            let guards = self.guards_of(account, symbol);
            if let Some(row) = reports::position(&self.exchange, account, symbol, guards, true) {
                self.tell(account, Private::Position, Category::Linear, "position", &[row]);
            }
        }
    }

    fn tell_wallets(&mut self, told: &Told) {
        for account in &told.wallets {
            let Some(owner) = self.exchange.account(*account) else { continue };
            let row = reports::wallet(&self.exchange, *account, owner, &|_| true);
            self.tell(*account, Private::Wallet, Category::Spot, "wallet", &[row]);
        }
    }

    /// Queues a private message for the account's connections that want it.
    fn tell(&mut self, account: usize, topic: Private, category: Category, word: &str, rows: &[Value]) {
        let now = self.now.as_ms();
        self.next_message += 1;
        let id = format!("{}_{word}_{:016x}", 100_000_001 + account, scatter(self.next_message));
        let conns: Vec<_> = self
            .session_order
            .iter()
            .filter(|conn| {
                let session = self.sessions.get(conn);
                session
                    .is_some_and(|session| session.account == Some(account) && session.wants(topic, category))
            })
            .copied()
            .collect();
        for conn in conns {
            // A connection that asked for one category hears the topic under that name.
            let is_whole =
                self.sessions.get(&conn).is_some_and(|session| session.private.contains(&(topic, None)));
            let name = if is_whole { word.to_owned() } else { format!("{word}.{}", category.word()) };
            let id = if topic == Private::FastExecution { String::new() } else { format!(r#""id":"{id}","#) };
            let data = json!(rows);
            self.send(
                conn,
                Frame::Text(format!(r#"{{{id}"topic":"{name}","creationTime":{now},"data":{data}}}"#)),
            );
        }
    }
}
