//! The picture: everything a person asks of a running engine, as plain data with a JSON form.
//!
//! In JSON prices, quantities and money are decimal text, times are nanoseconds since the epoch (UTC), states and kinds
//! are words. Money is in the account's currency unless a field says otherwise. Counts begin with the observer: they start
//! anew with each process, as counters of a scrape do.

pub use crate::form::STATES;

use crate::form;
use serde::{Deserialize, Serialize};
use smc_core::event::{FeedState, GatewayState, JournalState, RiskScope};
use smc_core::output::{Control, OrderKind, Purpose, TradingState};
use smc_core::words::{Direction, Money, Price, Qty, Side, TsNs};
use std::collections::{BTreeMap, VecDeque};

/// Alerts and acts kept.
pub const NEWEST_KEPT: usize = 64;
/// Zones and pools of one kind that a chart shows; how many there are is told beside.
pub const ZONES_SHOWN_MAX: usize = 32;
/// Different codes of refusals that are told apart; the rest is [`OTHER`].
pub const CODES_MAX: usize = 32;
/// What the rest is called.
pub const OTHER: &str = "other";

/// Everything a person asks.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Picture {
    /// Last journal record folded in.
    pub seq: u64,
    /// The engine's time: when the last event was received.
    #[serde(with = "form::time")]
    pub time: TsNs,
    /// Trading state of the whole engine.
    #[serde(with = "form::state")]
    pub state: TradingState,
    /// Every scope that is not normal, by the control that holds it down most.
    pub held: Vec<Held>,
    /// Every control that holds a scope down, whether another holds it further.
    #[serde(default)]
    pub holds: Vec<Held>,
    /// In the order of the configuration.
    pub instruments: Vec<InstrumentPicture>,
    /// Orders that may still fill, the oldest first.
    pub orders: Vec<OrderPicture>,
    /// Every limit with its present use.
    pub limits: Vec<LimitUse>,
    /// What the account is worth.
    pub money: MoneyPicture,
    /// The strategies that run.
    pub strategies: Vec<StrategyPicture>,
    /// The venues that orders go to, by number.
    pub venues: Vec<VenuePicture>,
    /// What happened since the observer began, counted.
    pub counts: Counts,
    /// The newest alerts and changes of state, oldest first; at most [`NEWEST_KEPT`].
    pub alerts: VecDeque<AlertPicture>,
    /// The newest acts of operators, oldest first; at most [`NEWEST_KEPT`].
    pub acts: VecDeque<ActPicture>,
    /// Record of the newest order that was sent, which `smc replay --explain` takes; none before the first.
    pub last_order: Option<u64>,
    /// The journal.
    pub journal: JournalPicture,
    /// Fingerprint of everything the engine has said, hexadecimal.
    pub digest: String,
}

/// A scope that is held down.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Held {
    /// Which.
    #[serde(with = "form::scope")]
    pub scope: RiskScope,
    /// As people call it: `instrument BTCUSDT`.
    pub name: String,
    /// What holds it.
    #[serde(with = "form::control")]
    pub control: Control,
    /// How far.
    #[serde(with = "form::state")]
    pub state: TradingState,
}

/// One instrument.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct InstrumentPicture {
    /// Its place in the configuration.
    pub id: u16,
    /// The venue's symbol, with the venue where two have the same.
    pub symbol: String,
    /// Name of the venue its orders go to.
    pub venue: String,
    /// What the venue allows now: `trading`, `halted`, ...; `unknown` before it was told.
    pub status: String,
    /// Signed quantity held, base units or contracts.
    #[serde(with = "form::decimal")]
    pub position: Qty,
    /// Average entry price; 0 when flat.
    #[serde(with = "form::decimal")]
    pub average: Price,
    /// Price of the last public trade; none before the first.
    #[serde(with = "form::decimal_or_none")]
    pub last: Option<Price>,
    /// Best bid, trusted or not.
    #[serde(with = "form::decimal_or_none")]
    pub bid: Option<Price>,
    /// Best ask, trusted or not.
    #[serde(with = "form::decimal_or_none")]
    pub ask: Option<Price>,
    /// Bid and ask may be traded on.
    pub is_trusted: bool,
    /// The price that values the position; 0 before the first.
    #[serde(with = "form::decimal")]
    pub mark: Price,
    /// Profit of what is held, at the mark.
    #[serde(with = "form::decimal")]
    pub open_pnl: Money,
    /// Profit taken, after fees.
    #[serde(with = "form::decimal")]
    pub realised: Money,
    /// Fees paid.
    #[serde(with = "form::decimal")]
    pub fees: Money,
    /// State of its market data.
    #[serde(with = "form::feed")]
    pub feed: FeedState,
    /// Since when, as far as the observer saw it change.
    #[serde(with = "form::time_or_none")]
    pub feed_since: Option<TsNs>,
    /// When the last trade, quote or book came; none before the first.
    #[serde(with = "form::time_or_none")]
    pub last_price_at: Option<TsNs>,
    /// Open orders.
    pub open_orders: u32,
    /// What reconciliation holds it at.
    #[serde(with = "form::state")]
    pub reconcile: TradingState,
    /// Why, where it holds it at all: `unknown order`.
    pub reconcile_cause: Option<String>,
    /// The trade planned or under way.
    pub plan: Option<PlanPicture>,
    /// Why the position is being closed, if it is.
    pub leaving: Option<String>,
    /// Each timeframe, ascending.
    pub charts: Vec<ChartPicture>,
}

/// A trade planned or under way.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PlanPicture {
    /// The signal it serves.
    pub signal: u32,
    /// Long (`up`) or short.
    #[serde(with = "form::direction")]
    pub direction: Direction,
    /// Wanted entry.
    #[serde(with = "form::decimal")]
    pub entry: Price,
    /// Where the stop began.
    #[serde(with = "form::decimal")]
    pub stop: Price,
    /// Where it belongs now.
    #[serde(with = "form::decimal")]
    pub stop_now: Price,
    /// Where profit is taken.
    #[serde(with = "form::decimal")]
    pub target: Price,
    /// What of the entry has not filled is cancelled then.
    #[serde(with = "form::time")]
    pub expires: TsNs,
}

/// Market structure on one timeframe.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ChartPicture {
    /// `15m`.
    pub timeframe: String,
    /// Bars taken.
    pub bars: u32,
    /// Direction of the last break of structure; none before the first.
    #[serde(with = "form::direction_or_none")]
    pub bias: Option<Direction>,
    /// Average true range; 0 before the first bar.
    #[serde(with = "form::decimal")]
    pub atr: Price,
    /// Bottom of the dealing range.
    #[serde(with = "form::decimal_or_none")]
    pub range_bottom: Option<Price>,
    /// Top of the dealing range.
    #[serde(with = "form::decimal_or_none")]
    pub range_top: Option<Price>,
    /// Living order blocks of the swing scope, breakers among them.
    pub order_blocks_open: u32,
    /// The newest of them, oldest first; at most [`ZONES_SHOWN_MAX`].
    pub order_blocks: Vec<ZonePicture>,
    /// Fair value gaps still watched: open, mitigated and inverted.
    pub gaps_open: u32,
    /// The newest of them likewise.
    pub gaps: Vec<ZonePicture>,
    /// Unswept pools of liquidity.
    pub pools_open: u32,
    /// The newest of them likewise.
    pub pools: Vec<PoolPicture>,
}

/// A living zone.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ZonePicture {
    /// Its object's number.
    pub id: u32,
    /// The side it speaks for now.
    #[serde(with = "form::direction")]
    pub direction: Direction,
    /// `fresh`, `touched` or `flipped`.
    pub state: String,
    /// Upper edge.
    #[serde(with = "form::decimal")]
    pub top: Price,
    /// Lower edge.
    #[serde(with = "form::decimal")]
    pub bottom: Price,
    /// Bar whose close made it known.
    pub known_bar: u32,
}

/// A pool of liquidity.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PoolPicture {
    /// Its object's number.
    pub id: u32,
    /// `up` at the highs.
    #[serde(with = "form::direction")]
    pub direction: Direction,
    /// Mean of its members.
    #[serde(with = "form::decimal")]
    pub level: Price,
    /// Pivots in it.
    pub members: u32,
}

/// An order that may still fill.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct OrderPicture {
    /// Our id, as venues see it; empty for an order of another hand.
    pub client_order_id: String,
    /// The venue's id; 0 until told.
    pub venue_order_id: u64,
    /// The instrument's place in the configuration.
    pub instrument: u16,
    /// Its symbol.
    pub symbol: String,
    /// Buy or sell.
    #[serde(with = "form::side")]
    pub side: Side,
    /// Limit, market, ...
    #[serde(with = "form::kind")]
    pub kind: OrderKind,
    /// What it is for.
    #[serde(with = "form::purpose")]
    pub purpose: Purpose,
    /// Limit price; 0 for market orders.
    #[serde(with = "form::decimal")]
    pub price: Price,
    /// Trigger price; 0 where there is none.
    #[serde(with = "form::decimal")]
    pub stop_price: Price,
    /// Quantity asked for.
    #[serde(with = "form::decimal")]
    pub qty: Qty,
    /// Filled of it.
    #[serde(with = "form::decimal")]
    pub filled: Qty,
    /// `working`, `pending new`, `unknown`, ...
    pub status: String,
    /// When the gate let it through.
    #[serde(with = "form::time")]
    pub sent_at: TsNs,
    /// The strategy's number; 0 for nobody's.
    pub strategy: u8,
    /// The signal it serves; 0 for none.
    pub signal: u32,
    /// Found at the venue, not sent by this engine.
    pub is_adopted: bool,
}

/// A limit and what the gate, or a breaker, would hold against it now.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LimitUse {
    /// Of which scope.
    #[serde(with = "form::scope")]
    pub scope: RiskScope,
    /// As people call it: `instrument BTCUSDT`.
    pub scope_name: String,
    /// The name by which it is set: `position_qty_max`.
    pub name: String,
    /// What `limit` and `used` are counted in: `base`, the account's asset, `count`, `ratio`, `times`, `seconds`.
    pub unit: String,
    /// The limit as it is now.
    #[serde(with = "form::decimal")]
    pub limit: Qty,
    /// What would be held against it now, before a new order adds its own; none where nothing can be told without an order,
    /// and where what is held cannot be valued.
    #[serde(with = "form::decimal_or_none")]
    pub used: Option<Qty>,
    /// `used` over `limit` in parts per million, rounded up, at least 0.
    pub use_ppm: Option<u64>,
    /// The limit in its own unit (1e-8, a count, ppm, ns): what `set-limit` takes. None where no command sets it.
    pub raw: Option<i64>,
}

/// What the account is worth, in its currency.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct MoneyPicture {
    /// The account's currency.
    pub asset: String,
    /// Starting equity and transfers plus all profit; none while it cannot be told.
    #[serde(with = "form::decimal_or_none")]
    pub equity: Option<Money>,
    /// The highest, as far as it was looked at.
    #[serde(with = "form::decimal")]
    pub equity_high: Money,
    /// Profit taken since the journal began, after fees and with cash.
    #[serde(with = "form::decimal")]
    pub realised: Money,
    /// Profit of what is held, at the marks.
    #[serde(with = "form::decimal")]
    pub open: Money,
    /// Fees since the journal began.
    #[serde(with = "form::decimal")]
    pub fees: Money,
    /// Sum of the values of what is held, signs dropped; open orders are not in it. None when something cannot be valued.
    #[serde(with = "form::decimal_or_none")]
    pub gross: Option<Money>,
    /// Signed sum likewise.
    #[serde(with = "form::decimal_or_none")]
    pub net: Option<Money>,
    /// Value at risk of what is held and open over equity, ppm; none where it cannot be told.
    pub var_ppm: Option<u32>,
    /// Equity below its highest, ppm of that.
    pub drawdown_ppm: u32,
    /// Loss since the day began, ppm of the equity it began with; 0 in profit.
    pub daily_loss_ppm: u32,
}

/// A strategy.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct StrategyPicture {
    /// Its number, part of every order id it causes.
    pub number: u8,
    /// Its name.
    pub name: String,
    /// What its own scope is held at; that of the engine comes on top.
    #[serde(with = "form::state")]
    pub state: TradingState,
    /// Signals since the observer began.
    pub signals: u64,
    /// Orders sent since the observer began.
    pub orders: u64,
    /// What the configuration sets of it, by key; what is not there has its default.
    pub parameters: BTreeMap<String, String>,
}

/// A venue.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct VenuePicture {
    /// Its number.
    pub number: u8,
    /// Its name.
    pub name: String,
    /// State of the order path.
    #[serde(with = "form::gateway")]
    pub gateway: GatewayState,
    /// Worst state of the market data of its instruments.
    #[serde(with = "form::feed")]
    pub feed: FeedState,
    /// Requests left of the present window; none where it does not say.
    pub budget_left: Option<u32>,
    /// The whole of them.
    pub budget_limit: Option<u32>,
    /// It listens to nothing before this; none when it does.
    #[serde(with = "form::time_or_none")]
    pub banned_until: Option<TsNs>,
    /// Its clock minus ours, ns; none where it is not measured.
    pub clock_offset_ns: Option<i64>,
    /// The key may trade; none before it was told.
    pub key_can_trade: Option<bool>,
    /// The key may take money out; none before it was told.
    pub key_can_withdraw: Option<bool>,
    /// Times that the order path was ready again after it was not, since the observer began.
    pub reconnects: u64,
    /// The newest round of reconciliation.
    pub last_round: Option<RoundPicture>,
}

/// A round of reconciliation.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RoundPicture {
    /// Its number, from 1 after each start and reconnect.
    pub number: u32,
    /// When its beginning or end was told.
    #[serde(with = "form::time")]
    pub at: TsNs,
    /// It has ended.
    pub is_over: bool,
    /// Nothing was missing of it.
    pub is_complete: bool,
}

/// What happened since the observer began.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Counts {
    /// Structures said, by timeframe, then kind.
    pub structures: BTreeMap<String, BTreeMap<String, u64>>,
    /// Orders that the gate answered.
    pub decisions: u64,
    /// Of them refused, by each check that was violated, by its code: an order may violate several. All codes are there.
    pub denials: BTreeMap<String, u64>,
    /// Orders that a venue took, each counted once.
    pub acks: u64,
    /// Refusals by venue, then the venue's code as text; at most [`CODES_MAX`] codes in all, the rest [`OTHER`].
    pub rejects: BTreeMap<String, BTreeMap<String, u64>>,
    /// Orders and cancels that never left because the ring to the order path was full.
    pub ring_full: u64,
    /// Alerts by kind. All kinds are there.
    pub alerts: BTreeMap<String, u64>,
    /// When each kind of alert was last said, ns by the engine's clock; those that were said since the counting began.
    #[serde(default)]
    pub alerts_at: BTreeMap<String, u64>,
    /// Changes of the state of a scope.
    pub state_changes: u64,
    /// Acts of operators by command. All commands are there.
    pub acts: BTreeMap<String, u64>,
    /// Signals.
    pub signals: u64,
    /// Fills of ours.
    pub fills: u64,
}

/// Something a person should see.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AlertPicture {
    /// The journal record that says it.
    pub seq: u64,
    /// When, by the event that raised it.
    #[serde(with = "form::time")]
    pub ts: TsNs,
    /// `venue reject`, `control`, ...; `state` for a change of state.
    pub kind: String,
    /// `engine`, `instrument BTCUSDT`, ...: what it is about.
    pub scope: String,
    /// The order it is about; none for those about no order.
    pub order: Option<String>,
    /// By kind: the venue's code, a count, the number of a control.
    pub detail: i64,
    /// Of a change of state, the state after.
    pub state: Option<String>,
    /// Everything in one line.
    pub text: String,
}

/// An act of an operator.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ActPicture {
    /// The journal record that holds it.
    pub seq: u64,
    /// When the engine took it.
    #[serde(with = "form::time")]
    pub ts: TsNs,
    /// `kill`, `set limit`, ...
    pub command: String,
    /// On what: `engine`, `instrument BTCUSDT`.
    pub scope: String,
    /// Of `set limit`: which; else empty.
    pub limit: String,
    /// Of `set limit`: its new value in the limit's own unit.
    pub value: i64,
    /// The system's number of the person; none for the process itself.
    pub operator: Option<u32>,
    /// Why, in a word.
    pub reason: String,
    /// State of the engine after it.
    #[serde(with = "form::state")]
    pub state: TradingState,
}

/// The journal.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct JournalPicture {
    /// The last record folded in.
    pub seq: u64,
    /// Whether it can keep what happens, as the engine was told.
    #[serde(with = "form::journal")]
    pub state: JournalState,
    /// How long the oldest record that the disk may not have has waited, ns; none where nobody tells.
    pub unsynced_ns: Option<u64>,
    /// Segment of the last record.
    pub segment: u32,
    /// The newest digest record, which the observer found right; none before the first.
    pub checked_seq: Option<u64>,
    /// What it says, hexadecimal.
    pub checked_digest: Option<String>,
    /// It ended with its close record.
    pub is_closed: bool,
}
