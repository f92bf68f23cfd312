//! Orders and executions as the venue remembers them: the exchange's order, and what only this venue's words know.
//!
//! Bounded: beyond [`RECORDS_MAX`] the oldest ended orders are forgotten, as the exchange forgets them. Pure.

use super::words::{Category, id_text};
use crate::exchange::order::{Order, OrderId};
use crate::exchange::{Execution, ExpiryReason, Fill, Report};
use smc_core::words::Name;
use smc_core::{Price, TsNs};
use std::collections::{BTreeMap, HashMap, VecDeque};

/// Ended orders kept; executions kept per account.
const RECORDS_MAX: usize = 100_000;

/// What a client asked for beyond what the exchange knows. Words are the venue's.
#[derive(Clone, Debug)]
pub struct Asked {
    /// `GTC`, `IOC`, `FOK` or `PostOnly`.
    pub time_in_force: &'static str,
    /// A market order, at once or when triggered.
    pub is_market: bool,
    /// `baseCoin`, `quoteCoin` or empty.
    pub market_unit: &'static str,
    /// 1: triggered by a rise; 2: by a fall; 0: not conditional.
    pub trigger_direction: u8,
    /// What triggers it.
    pub trigger_by: &'static str,
    /// What kind of conditional order it is; `UNKNOWN` for others.
    pub stop_order_type: &'static str,
    /// Who made it and why.
    pub create_type: &'static str,
    /// What happens when it meets an order of its own account.
    pub smp_type: &'static str,
    /// It may close the whole position.
    pub is_close_on_trigger: bool,
    /// Take-profit trigger for the position that it opens; zero for none.
    pub take_profit: Price,
    /// Stop-loss trigger for the position that it opens; zero for none.
    pub stop_loss: Price,
    /// What triggers the take profit and the stop loss.
    pub tpsl_trigger_by: [&'static str; 2],
    /// Last price when it came.
    pub last_price: Price,
}

impl Default for Asked {
    fn default() -> Self {
        Self {
            time_in_force: "GTC",
            is_market: false,
            market_unit: "",
            trigger_direction: 0,
            trigger_by: "",
            stop_order_type: "UNKNOWN",
            create_type: "CreateByUser",
            smp_type: "None",
            is_close_on_trigger: false,
            take_profit: Price::ZERO,
            stop_loss: Price::ZERO,
            tpsl_trigger_by: [""; 2],
            last_price: Price::ZERO,
        }
    }
}

impl Asked {
    /// What the venue itself sends when it closes a position.
    pub fn liquidation() -> Self {
        Self { time_in_force: "IOC", is_market: true, create_type: "CreateByLiq", ..Self::default() }
    }

    /// Whether the order rests rather than going straight to its end.
    fn rests(&self) -> bool {
        !self.is_market && matches!(self.time_in_force, "GTC" | "PostOnly")
    }
}

/// Where an order stands, in the venue's words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct State {
    /// `orderStatus`.
    pub status: &'static str,
    /// `cancelType`.
    pub cancel_type: &'static str,
    /// `rejectReason`.
    pub reject_reason: &'static str,
}

impl State {
    const fn open(status: &'static str) -> Self {
        Self { status, cancel_type: "UNKNOWN", reject_reason: "EC_NoError" }
    }
}

/// One order.
#[derive(Clone, Debug)]
pub struct Record {
    /// Its category.
    pub category: Category,
    /// `orderId`.
    pub order_id: String,
    /// `orderLinkId`; empty when the client gave none.
    pub link_id: String,
    /// The order as last reported.
    pub order: Order,
    /// What the client asked for.
    pub asked: Asked,
    /// Where it stands.
    pub state: State,
    /// Fees so far, by asset.
    pub fees: BTreeMap<Name, i64>,
    /// Profit that it realised.
    pub closed_pnl: i64,
    /// Why it is about to be cancelled: `cancelType`.
    pub cancel_type: &'static str,
}

/// One execution.
#[derive(Clone, Debug)]
pub struct Executed {
    /// `execId`.
    pub exec_id: String,
    /// `Trade`, or `BustTrade` where the venue took a position over.
    pub exec_type: &'static str,
    /// The order's category.
    pub category: Category,
    /// The order after it.
    pub order: Order,
    /// The order's ids.
    pub order_id: String,
    /// The client's name for the order.
    pub link_id: String,
    /// What the client asked for.
    pub asked: Asked,
    /// Price, quantity, fee.
    pub fill: Fill,
    /// When.
    pub at: TsNs,
    /// The book's number.
    pub seq: u64,
    /// What it closed of a position.
    pub closed_size: i64,
    /// Mark price.
    pub mark: i64,
}

/// All orders and executions.
#[derive(Default)]
pub struct Ledger {
    records: BTreeMap<OrderId, Record>,
    by_order_id: HashMap<String, OrderId>,
    by_link_id: HashMap<(usize, Category, String), OrderId>,
    ended: VecDeque<OrderId>,
    executions: BTreeMap<usize, VecDeque<Executed>>,
}

impl Ledger {
    /// Keeps an order that the exchange has just taken.
    pub fn open(&mut self, order: Order, category: Category, link_id: &str, asked: Asked) -> &mut Record {
        let id = order.id;
        let order_id = id_text(category, id);
        self.by_order_id.insert(order_id.clone(), id);
        if !link_id.is_empty() {
            self.by_link_id.insert((order.account, category, link_id.to_owned()), id);
        }
        let record = Record {
            category,
            order_id,
            link_id: link_id.to_owned(),
            state: State::open("Created"),
            order,
            asked,
            fees: BTreeMap::new(),
            closed_pnl: 0,
            cancel_type: "CancelByUser",
        };
        self.records.entry(id).or_insert(record)
    }

    /// An order by the exchange's number.
    pub fn get(&self, id: OrderId) -> Option<&Record> {
        self.records.get(&id)
    }

    /// An order by the exchange's number, to change it.
    pub fn get_mut(&mut self, id: OrderId) -> Option<&mut Record> {
        self.records.get_mut(&id)
    }

    /// Whether the account has used a name.
    pub fn is_used(&self, account: usize, category: Category, link_id: &str) -> bool {
        self.by_link_id.contains_key(&(account, category, link_id.to_owned()))
    }

    /// An account's order by `orderId`, which decides when it is given, else by `orderLinkId`.
    pub fn find(
        &self,
        account: usize,
        category: Category,
        order_id: Option<&str>,
        link_id: Option<&str>,
    ) -> Option<&Record> {
        let id = match (order_id, link_id) {
            (Some(order_id), _) => self.by_order_id.get(order_id)?,
            (None, Some(link_id)) => self.by_link_id.get(&(account, category, link_id.to_owned()))?,
            (None, None) => return None,
        };
        let is_it = |record: &&Record| record.order.account == account && record.category == category;
        self.records.get(id).filter(is_it)
    }

    /// An account's orders of a category, newest first.
    pub fn orders(&self, account: usize, category: Category) -> impl Iterator<Item = &Record> + '_ {
        let is_it = move |record: &&Record| record.order.account == account && record.category == category;
        self.records.values().rev().filter(is_it)
    }

    /// An account's executions, newest first.
    pub fn executions(&self, account: usize) -> impl Iterator<Item = &Executed> + '_ {
        self.executions.get(&account).into_iter().flat_map(|executions| executions.iter().rev())
    }

    /// Keeps an execution.
    pub fn push_execution(&mut self, executed: Executed) {
        let executions = self.executions.entry(executed.order.account).or_default();
        if executions.len() >= RECORDS_MAX {
            executions.pop_front();
        }
        executions.push_back(executed);
    }

    /// Takes what happened to an order. Returns the states to tell, in order: none for what the venue keeps to itself.
    pub fn on_report(&mut self, report: &Report) -> Vec<State> {
        let Some(record) = self.records.get_mut(&report.order.id) else { return Vec::new() };
        let was = record.state.status;
        record.order = report.order.clone();
        let states = record.follow(report, was);
        if let Some(state) = states.last() {
            record.state = *state;
        }
        if !report.order.status.is_open() {
            self.ended.push_back(report.order.id);
            self.forget_oldest();
        }
        states
    }

    fn forget_oldest(&mut self) {
        while self.ended.len() > RECORDS_MAX {
            let Some(record) = self.ended.pop_front().and_then(|id| self.records.remove(&id)) else {
                continue;
            };
            self.by_order_id.remove(&record.order_id);
            self.by_link_id.remove(&(record.order.account, record.category, record.link_id));
        }
    }
}

impl Record {
    /// Whether it can still fill or be triggered.
    pub fn is_open(&self) -> bool {
        self.order.status.is_open()
    }

    /// The states that a report leads through.
    fn follow(&mut self, report: &Report, was: &'static str) -> Vec<State> {
        let order = &report.order;
        match &report.exec {
            Execution::New if order.working.is_none() => vec![State::open("Untriggered")],
            Execution::New => {
                let triggered = (was == "Untriggered").then_some(State::open("Triggered"));
                let resting = self.asked.rests().then_some(State::open("New"));
                triggered.into_iter().chain(resting).collect()
            }
            Execution::Amended => {
                let is_filled = order.filled_qty.0 > 0;
                vec![State::open(if is_filled { "PartiallyFilled" } else { "New" })]
            }
            Execution::Trade(fill) | Execution::TakenOver(fill) => {
                let fees = self.fees.entry(fill.commission_asset).or_default();
                *fees = fees.saturating_add(fill.commission);
                self.closed_pnl = self.closed_pnl.saturating_add(fill.realised);
                vec![State::open(if order.leaves_qty() == 0 { "Filled" } else { "PartiallyFilled" })]
            }
            Execution::Canceled(_) => {
                let reason = match self.cancel_type {
                    "CancelByUser" => "EC_PerCancelRequest",
                    _ => "EC_NoError",
                };
                vec![self.ended(self.cancel_type, reason)]
            }
            Execution::Expired(reason) => {
                let (cancel_type, reject_reason) = match reason {
                    ExpiryReason::UnfilledFok => ("UNKNOWN", "EC_CancelForNoFullFill"),
                    ExpiryReason::UnfilledIoc | ExpiryReason::InsufficientLiquidity => {
                        ("UNKNOWN", "EC_NoImmediateQtyToFill")
                    }
                    ExpiryReason::WouldTake => ("UNKNOWN", "EC_PostOnlyWillTakeLiquidity"),
                    ExpiryReason::NothingToReduce => ("CancelByReduceOnly", "EC_NoError"),
                    ExpiryReason::InsufficientMargin => ("UNKNOWN", "EC_Others"),
                    ExpiryReason::OcoTrigger => ("UNKNOWN", "EC_Others"), // no lists here
                    ExpiryReason::Liquidation => ("CancelAllBeforeLiq", "EC_NoError"),
                };
                vec![self.ended(cancel_type, reject_reason)]
            }
            Execution::TradePrevention => vec![self.ended("CancelBySmp", "EC_BySelfMatch")],
        }
    }

    /// The end of an order that is not wholly filled: its word differs by what it was.
    fn ended(&self, cancel_type: &'static str, reject_reason: &'static str) -> State {
        let status = if self.order.working.is_none() {
            "Deactivated"
        } else if self.category.is_spot() && self.order.filled_qty.0 > 0 {
            "PartiallyFilledCanceled"
        } else {
            "Cancelled"
        };
        State { status, cancel_type, reject_reason }
    }
}
