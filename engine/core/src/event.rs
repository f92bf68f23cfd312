//! Everything that can change a decision. What is not in [`EventBody`] cannot.

use crate::instrument::InstrumentSpec;
use crate::output::OrderKind;
use crate::state::{State, StateError, StateIo};
use crate::words::{ClientOrderId, InstrumentId, Money, Name, Price, Qty, Side, Timeframe, TsNs};

/// One input of the engine, plain memory, fixed size.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Event {
    /// Journal sequence number of this input; given by the engine thread when it takes the event, 0 before.
    pub seq: u64,
    /// The venue's stamp; equal to `ts_recv` where the venue gives none.
    pub ts_event: TsNs,
    /// Our first sight of it; the only "now" the engine knows. The engine thread makes it non-decreasing.
    pub ts_recv: TsNs,
    /// What it is about; [`InstrumentId::NONE`] for timers, operator commands and the like. What is about an account names
    /// any instrument traded there; without one it is the account of venue 0.
    pub instrument: InstrumentId,
    /// What happened.
    pub body: EventBody,
}

/// What happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EventBody {
    /// A trade between others (or ours, seen in the public stream).
    Trade(Trade),
    /// Best bid and ask.
    Quote(Quote),
    /// Levels of the synchronised book; only what passed the venue's sync rule.
    Book(BookUpdate),
    /// A closed venue candle, for warm-up. `ts_event` is its close.
    Bar(Timeframe, Bar),
    /// Rules of the instrument, at start and whenever they change.
    Instrument(InstrumentSpec),
    /// State of the instrument's market data (or of all, with [`InstrumentId::NONE`]).
    Feed(FeedState),
    /// State of the order path of the instrument's venue (or of all, with [`InstrumentId::NONE`]).
    Gateway(GatewayState),
    /// Life of one of our orders.
    Order(OrderUpdate),
    /// Absolute balance of an asset.
    Balance(Balance),
    /// Time passed; emitted on a fixed grid so that silence has consequences.
    Timer,
    /// An operator's act.
    Operator(Act),
    /// How the journal fares: what it cannot keep must not be done.
    Journal(JournalState),
    /// The venue's clock against ours.
    Clock(VenueClock),
    /// What the venue still lets us ask.
    Budget(RequestBudget),
    /// What the key in use may do.
    Key(KeyScope),
    /// The account as the venue counts it.
    Margin(Margin),
    /// Fair price of the instrument, by which the venue values positions.
    Mark(MarkPrice),
    /// What an asset is worth in the account's currency.
    Rate(AssetRate),
    /// Money that came or went without a fill.
    Cash(Cash),
    /// A round of reconciliation begins or ends.
    Round(ReconcileRound),
    /// Of a round: an order that works at the venue.
    VenueOrder(VenueOrder),
    /// Of a round: what the venue says is held.
    VenuePosition(VenuePosition),
    /// How far the account's own numbering has been told.
    Sequence(AccountSequence),
}

/// The venue's clock against ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct VenueClock {
    /// The venue's time minus ours at the middle of the measuring request.
    pub offset_ns: i64,
}

/// What the venue still lets us ask, from its last answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RequestBudget {
    /// Request weight (or requests) left until `resets_at`.
    pub left: u32,
    /// The whole of it.
    pub limit: u32,
    /// Nothing may be asked before this; 0 when something may. Ours, not the venue's clock.
    pub banned_until: TsNs,
    /// When all of it is there again.
    pub resets_at: TsNs,
}

/// What the key in use may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeyScope {
    /// Place and cancel orders.
    pub can_trade: bool,
    /// Take money out: a key that can is refused.
    pub can_withdraw: bool,
}

/// The account as the venue counts it, in the account's currency.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Margin {
    /// Cash and open profit.
    pub equity: Money,
    /// Free to secure new positions.
    pub free: Money,
}

/// Fair price of an instrument.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MarkPrice {
    /// As the venue values positions; zero when it gives no such price any more, and the book's counts again.
    pub price: Price,
}

/// What an asset is worth.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AssetRate {
    /// The asset.
    pub asset: Name,
    /// One unit of it in the account's currency.
    pub price: Price,
}

/// Money that came or went without a fill.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cash {
    /// What for.
    pub kind: CashKind,
    /// In which asset.
    pub asset: Name,
    /// Received; negative when paid.
    pub amount: Money,
    /// The venue's number of the booking: each counts once. 0 where it has none, which always counts.
    pub booking_id: u64,
}

/// What money came or went for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum CashKind {
    /// Funding of a perpetual contract.
    Funding = 0,
    /// Overnight financing of a currency position.
    Financing = 1,
    /// A commission that came apart from its fill.
    Commission = 2,
    /// A deposit or withdrawal: no profit or loss.
    Transfer = 3,
    /// Whatever else the venue books.
    Adjustment = 4,
}

/// Beginning or end of one look at everything the venue has of ours: of the event's instrument, or of all. Between the two
/// come a row for each working order and, where the venue keeps positions, one for each instrument, flat ones too. No row
/// of a position says nothing about it: on a spot account, whose coins may have come from anywhere, none is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReconcileRound {
    /// From 1 after each start and reconnect.
    pub number: u32,
    /// Everything was told that belongs to it.
    pub is_end: bool,
    /// Nothing was missing; of a beginning: no meaning.
    pub is_complete: bool,
}

/// Where a venue numbers everything that happens to an account by one rising sequence: how much of that has been told. It
/// proves where a process that goes on from the journal has to begin asking.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AccountSequence {
    /// Everything up to this number has been told, without a hole.
    pub told_to: u64,
}

/// An order that works at the venue, as the venue tells it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct VenueOrder {
    /// Our id; [`ClientOrderId::NONE`] for one that another hand made.
    pub client_order_id: ClientOrderId,
    /// The venue's id.
    pub venue_order_id: u64,
    /// Buy or sell.
    pub side: Side,
    /// Limit, market, …
    pub kind: OrderKind,
    /// Limit price; 0 for market orders.
    pub price: Price,
    /// Trigger price; 0 where there is none.
    pub stop_price: Price,
    /// Quantity asked for.
    pub qty: Qty,
    /// Filled of it.
    pub filled_qty: Qty,
}

/// What the venue says is held of an instrument.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct VenuePosition {
    /// Signed.
    pub qty: Qty,
    /// The venue's average price; 0 where it keeps none.
    pub average: Price,
}

/// A public trade.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Trade {
    /// Price of the trade.
    pub price: Price,
    /// Base quantity.
    pub qty: Qty,
    /// Who crossed the spread.
    pub aggressor: Side,
    /// The venue's number; contiguous per instrument where the venue says so.
    pub trade_id: u64,
}

/// Best bid and ask.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Quote {
    /// Highest bid.
    pub bid: Price,
    /// Quantity at the bid.
    pub bid_qty: Qty,
    /// Lowest ask.
    pub ask: Price,
    /// Quantity at the ask.
    pub ask_qty: Qty,
    /// The venue's book number.
    pub update_id: u64,
}

/// Levels carried by one [`BookUpdate`].
pub const BOOK_LEVELS_PER_EVENT: usize = 4;

/// A price and the absolute quantity that now stands there; 0 removes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Level {
    /// Price of the level.
    pub price: Price,
    /// Absolute quantity; 0 removes the level.
    pub qty: Qty,
}

/// Up to four levels. A venue message larger than that is several events; the last carries `is_last`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BookUpdate {
    /// The venue's number of the message it came from.
    pub update_id: u64,
    /// First event of a snapshot: clear the book before applying.
    pub is_snapshot_start: bool,
    /// Last event of the message: the book may be trusted again after it.
    pub is_last: bool,
    /// Side of all levels in this event: bids are [`Side::Buy`].
    pub side: Side,
    /// Levels used, 0 to 4.
    pub len: u8,
    /// Slots at `len` and beyond are zero.
    pub levels: [Level; BOOK_LEVELS_PER_EVENT],
}

/// A closed bar: half-open time bucket `[open_ts, open_ts + timeframe)`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bar {
    /// Start of the bucket.
    pub open_ts: TsNs,
    /// First price.
    pub open: Price,
    /// Highest price.
    pub high: Price,
    /// Lowest price.
    pub low: Price,
    /// Last price.
    pub close: Price,
    /// Base quantity traded.
    pub volume: Qty,
    /// Trades counted.
    pub trades: u32,
}

/// Can the instrument's market data be trusted?
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum FeedState {
    /// Not connected.
    Down = 0,
    /// Connected, book not yet (or no longer) synchronised.
    Syncing = 1,
    /// Connected but silent for longer than its limit.
    Stale = 2,
    /// Good.
    Live = 3,
}

/// Can orders be sent?
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum GatewayState {
    /// Not connected or not logged on.
    Down = 0,
    /// Logged on, private stream running, reconciling.
    Syncing = 1,
    /// Orders may be sent.
    Ready = 2,
}

/// Can the journal keep what happens? Each state but the first takes something away until it passes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub enum JournalState {
    /// Yes.
    Good = 0,
    /// Its disk fills up, or its mirror has failed: WARN.
    Low = 1,
    /// The disk is slow, so that a power cut would cost more than was agreed, or the next segment cannot be had:
    /// CANCEL_ONLY.
    Behind = 2,
    /// A sync failed, a file was cut or deleted, or the thread that syncs is gone: HALT. A process that
    /// says so says nothing else any more.
    Lost = 3,
}

/// One report about an order on our account. Reports may come in any order and twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OrderUpdate {
    /// Our id; [`ClientOrderId::NONE`] for an order that another hand made, which the venue's id then names.
    pub client_order_id: ClientOrderId,
    /// The venue's id; 0 when not told.
    pub venue_order_id: u64,
    /// What happened.
    pub kind: OrderUpdateKind,
}

/// Code of a refusal that no venue said: nothing was sent, because the gateway was not ready or its budget was used up.
pub const REJECT_NOT_SENT: i32 = -1;
/// Code of a refusal that no venue said: nothing was sent, because the ring to the gateway was full.
pub const REJECT_RING_FULL: i32 = -2;

/// What the venue says happened to an order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OrderUpdateKind {
    /// Accepted and working (or waiting for its trigger).
    Ack,
    /// Refused; the venue's code.
    Reject {
        /// The venue's error number; [`REJECT_NOT_SENT`] or [`REJECT_RING_FULL`] where nothing reached it.
        code: i32,
    },
    /// A fill. Counted once per `trade_id`.
    Fill {
        /// The venue's trade number, unique per instrument.
        trade_id: u64,
        /// Which way: the order's side, told again so that a fill of an order unknown here has one.
        side: Side,
        /// Price of this fill.
        price: Price,
        /// Quantity of this fill.
        qty: Qty,
        /// Cumulative filled quantity after it, as the venue counts.
        cum_qty: Qty,
        /// Fee in `fee_asset` units.
        fee: Money,
        /// Asset the fee is taken in.
        fee_asset: Name,
        /// We were the resting side.
        is_maker: bool,
    },
    /// Cancelled; final.
    Canceled {
        /// Cumulative filled quantity at the end.
        cum_qty: Qty,
    },
    /// Expired (time in force, triggers, self-trade prevention); final.
    Expired {
        /// Cumulative filled quantity at the end.
        cum_qty: Qty,
    },
    /// A cancel was refused; the order's own state is unknown until the query answers.
    CancelReject {
        /// The venue's error number.
        code: i32,
    },
    /// The outcome of a request is unknown (cut, timeout, 5xx). The gateway is asking.
    Unknown,
    /// The venue proved that the order never arrived.
    NotFound,
}

/// Absolute balance of one asset.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Balance {
    /// The asset.
    pub asset: Name,
    /// Free to use.
    pub free: Qty,
    /// Locked in working orders.
    pub locked: Qty,
}

/// An operator's act: what, on what, by whom and why.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Act {
    /// What.
    pub command: Command,
    /// On what: the whole engine, or a part of it.
    pub scope: RiskScope,
    /// Of [`Command::SetLimit`]: which limit; else [`LimitName::None`].
    pub limit: LimitName,
    /// Of [`Command::SetLimit`]: its new value in the limit's own unit; what it means for others they say.
    pub value: i64,
    /// Who, by the number the system knows the person by; [`Act::PROCESS`] for the process itself.
    pub operator: u32,
    /// Why, in a word.
    pub reason: Name,
}

impl Act {
    /// Nobody's act: the process's own, by a trigger that a person has set.
    pub const PROCESS: u32 = u32::MAX;
}

impl From<Command> for Act {
    /// On the whole engine, by the process itself.
    fn from(command: Command) -> Self {
        let (scope, limit) = (RiskScope::ENGINE, LimitName::None);
        Self { command, scope, limit, value: 0, operator: Self::PROCESS, reason: Name::EMPTY }
    }
}

/// What an operator can do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Command {
    /// HALT: cancel everything, no new order until re-armed.
    Kill = 0,
    /// No new entries; exits go on.
    Pause = 1,
    /// Back to normal after `Pause`.
    Resume = 2,
    /// Cancel entries and close positions with reduce-only orders.
    Flatten = 3,
    /// The process is stopping: cancel working entries, send no more.
    Shutdown = 4,
    /// Leave HALT.
    Arm = 5,
    /// A new process goes on with what the last one left: its `Shutdown` is over, and so is what it thought of its
    /// journal, which has been read again. Pauses and kills stay. Nobody types this.
    Start = 6,
    /// `Kill`, then close what is held with reduce-only orders inside the collar. Of the whole engine only.
    KillFlatten = 7,
    /// Replace one limit; it holds from the next order on, and what exceeds it is cancelled.
    SetLimit = 8,
    /// The loss breakers start anew from the equity of now.
    ResetLoss = 9,
    /// A venue that was disconnected may be used again.
    Connect = 10,
    /// Of one venue: entries there are withdrawn, then its connections are closed and stay so until `Connect`.
    Disconnect = 11,
    /// The journal goes on in a new segment. Decides nothing, as all that follow.
    Rotate = 12,
    /// A snapshot of the state is taken.
    Snapshot = 13,
    /// The process says more or less of what it does; `value` is the level, 1 (error) to 5 (trace).
    LogLevel = 14,
    /// An alert has been seen by a person; `value` is its number.
    Acknowledge = 15,
}

/// A part of what one engine does, to be stopped or limited by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct RiskScope {
    /// Which kind of part.
    pub kind: ScopeKind,
    /// Which one: index of the instrument, number of the strategy or venue; 0 for the engine.
    pub id: u16,
}

/// Kinds of parts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub enum ScopeKind {
    /// Everything.
    Engine = 0,
    /// One venue.
    Venue = 1,
    /// One instrument.
    Instrument = 2,
    /// One strategy.
    Strategy = 3,
}

impl RiskScope {
    /// Everything.
    pub const ENGINE: Self = Self { kind: ScopeKind::Engine, id: 0 };

    /// One instrument.
    pub const fn instrument(id: InstrumentId) -> Self {
        Self { kind: ScopeKind::Instrument, id: id.0 }
    }

    /// One strategy.
    pub const fn strategy(number: u8) -> Self {
        Self { kind: ScopeKind::Strategy, id: number as u16 }
    }

    /// One venue.
    pub const fn venue(number: u8) -> Self {
        Self { kind: ScopeKind::Venue, id: number as u16 }
    }
}

/// Limits that a command can change. The number is journaled: never reuse one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
#[allow(missing_docs, reason = "each is the field of the same name, described there")]
pub enum LimitName {
    None = 0,
    OrderQtyMax = 1,
    OrderNotionalMax = 2,
    CollarPpm = 3,
    CollarPassivePpm = 4,
    ReferenceAgeMaxNs = 5,
    PositionQtyMax = 6,
    OpenOrdersMax = 7,
    RepeatMax = 8,
    GrossMax = 9,
    NetMax = 10,
    LeverageMaxMilli = 11,
    MessagesMax = 12,
    MarginUsePpmMax = 13,
    VarPpmMax = 14,
    OrderLifetimeNsMax = 15,
    DailyLossPpm = 16,
    DrawdownPpm = 17,
}

impl Bar {
    /// What loading starts from.
    pub(crate) const BLANK: Self = Self {
        open_ts: TsNs(0),
        open: Price(0),
        high: Price(0),
        low: Price(0),
        close: Price(0),
        volume: Qty(0),
        trades: 0,
    };
}

impl State for Bar {
    fn state(&mut self, io: &mut StateIo<'_>) -> Result<(), StateError> {
        let Self { open_ts, open, high, low, close, volume, trades } = self;
        io.number(open_ts)?;
        for price in [&mut *open, &mut *high, &mut *low, &mut *close] {
            io.number(price)?;
        }
        io.unsigned(&mut volume.0)?;
        io.number(trades)?;
        io.sound(low <= open && open <= high && low <= close && close <= high)
    }
}

impl Quote {
    /// What loading starts from.
    pub(crate) const BLANK: Self =
        Self { bid: Price(0), bid_qty: Qty(0), ask: Price(0), ask_qty: Qty(0), update_id: 0 };
}

impl State for Quote {
    fn state(&mut self, io: &mut StateIo<'_>) -> Result<(), StateError> {
        let Self { bid, bid_qty, ask, ask_qty, update_id } = self;
        io.number(bid)?;
        io.number(bid_qty)?;
        io.number(ask)?;
        io.number(ask_qty)?;
        io.number(update_id)
    }
}

impl State for Level {
    fn state(&mut self, io: &mut StateIo<'_>) -> Result<(), StateError> {
        let Self { price, qty } = self;
        io.number(price)?;
        io.number(qty)
    }
}

impl Balance {
    /// What loading starts from.
    pub(crate) fn blank() -> Self {
        Self { asset: Name::default(), free: Qty(0), locked: Qty(0) }
    }
}

impl State for Balance {
    fn state(&mut self, io: &mut StateIo<'_>) -> Result<(), StateError> {
        let Self { asset, free, locked } = self;
        asset.state(io)?;
        io.number(free)?;
        io.number(locked)
    }
}

impl CashKind {
    pub(crate) const ALL: [Self; 5] =
        [Self::Funding, Self::Financing, Self::Commission, Self::Transfer, Self::Adjustment];
}

impl FeedState {
    pub(crate) const ALL: [Self; 4] = [Self::Down, Self::Syncing, Self::Stale, Self::Live];
}

impl GatewayState {
    pub(crate) const ALL: [Self; 3] = [Self::Down, Self::Syncing, Self::Ready];
}
