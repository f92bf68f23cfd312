//! Everything the engine says. Outputs are journaled, folded into the digest, and handed on.

use crate::event::{Bar, Command, RiskScope};
use crate::words::{ClientOrderId, Direction, InstrumentId, Money, Price, Qty, Side, Timeframe, TsNs};

/// One output. `O` is the order word: the engine itself emits only what its gate approved; a reader of the
/// journal, who must not be able to make an approval, sees plain [`NewOrder`]s.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Output<O = crate::risk::ApprovedOrder> {
    /// Send this order.
    NewOrder(O),
    /// Cancel this order.
    Cancel(CancelOrder),
    /// Put an order in the place of a working one, in one step.
    Replace(ReplaceOrder<O>),
    /// A strategy saw its conditions met.
    Signal(Signal),
    /// Why an order was or was not sent: the violated codes, empty when approved.
    Decision(Decision),
    /// A market structure came to be, changed or ended.
    Structure(Structure),
    /// A bar closed.
    BarClosed(InstrumentId, Timeframe, Bar),
    /// Position and profit after a fill, or after cash about an instrument.
    Position(Position),
    /// The engine's trading state changed.
    State(StateChange),
    /// Something a person should see.
    Alert(Alert),
}

impl<O> Output<O> {
    /// Has to reach the venue: an order, a cancel or a replacement.
    pub const fn is_for_venue(&self) -> bool {
        matches!(self, Self::NewOrder(_) | Self::Cancel(_) | Self::Replace(_))
    }
}

/// An order as the strategy wants it and as the venue will see it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NewOrder {
    /// Our id, unique for ever.
    pub client_order_id: ClientOrderId,
    /// Which instrument.
    pub instrument: InstrumentId,
    /// Buy or sell.
    pub side: Side,
    /// Limit, market, …
    pub kind: OrderKind,
    /// How long it lives.
    pub time_in_force: TimeInForce,
    /// Limit price; 0 for market orders.
    pub price: Price,
    /// Trigger price; 0 where there is none.
    pub stop_price: Price,
    /// Base quantity.
    pub qty: Qty,
    /// What it is for.
    pub purpose: Purpose,
    /// The signal it serves (its [`Signal::id`]); 0 for none.
    pub signal_id: u32,
    /// What the venue is asked beyond a plain order.
    pub terms: OrderTerms,
}

/// What the venue is asked beyond a plain order; nothing by default.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OrderTerms {
    /// Never to open or turn a position.
    pub reduce_only: bool,
    /// Stop to be placed by the venue when this fills, with the sequence after this order's as its id; 0 for none. It
    /// covers what this has filled and grows with it; where it has filled whole before this order has, and so does not
    /// grow any more, the gateway says that it expired.
    pub stop_on_fill: Price,
    /// Target to be placed likewise, with the sequence after that; 0 for none.
    pub target_on_fill: Price,
    /// The other order of a pair of which one cancels the other, said in the same event;
    /// [`ClientOrderId::NONE`] for none.
    pub oco: ClientOrderId,
}

impl OrderTerms {
    /// A plain order.
    pub const PLAIN: Self = Self {
        reduce_only: false,
        stop_on_fill: Price::ZERO,
        target_on_fill: Price::ZERO,
        oco: ClientOrderId::NONE,
    };
}

/// Put an order in the place of a working one, in one step: the venue ends the old one and takes the new, or refuses the
/// new and leaves the old. It must refuse where the old one has begun to fill, or both together could fill too much.
/// Until it has said which lives, both may.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReplaceOrder<O = crate::risk::ApprovedOrder> {
    /// The working order.
    pub replaced: ClientOrderId,
    /// The venue's id of it where it is known; else 0.
    pub replaced_venue_id: u64,
    /// What takes its place.
    pub order: O,
}

impl ReplaceOrder<crate::risk::ApprovedOrder> {
    /// The cancel that is half of it.
    pub const fn cancel(&self) -> CancelOrder {
        let (client_order_id, venue_order_id) = (self.replaced, self.replaced_venue_id);
        CancelOrder { instrument: self.order.order().instrument, client_order_id, venue_order_id }
    }
}

/// Order types that every venue module must know how to say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum OrderKind {
    /// Takes or makes up to its price.
    Limit = 0,
    /// Makes only; refused if it would take.
    LimitMaker = 1,
    /// Takes whatever is there.
    Market = 2,
    /// Becomes a limit order when the last price reaches `stop_price`.
    StopLimit = 3,
}

/// How long an order lives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum TimeInForce {
    /// Until cancelled.
    Gtc = 0,
    /// Fill what can be filled now, drop the rest.
    Ioc = 1,
    /// All now or nothing.
    Fok = 2,
}

/// What an order is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Purpose {
    /// Opens or adds to a position.
    Entry = 0,
    /// Protects it.
    Stop = 1,
    /// Takes its profit.
    Target = 2,
    /// Closes it by an operator's or breaker's wish.
    Flatten = 3,
}

/// Cancel one working order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CancelOrder {
    /// Which instrument.
    pub instrument: InstrumentId,
    /// Which order; [`ClientOrderId::NONE`] for one that another hand made: the venue's id alone names it.
    pub client_order_id: ClientOrderId,
    /// The venue's id where it is known (cancels are fastest by it); else 0.
    pub venue_order_id: u64,
}

/// Structures a signal may name as its reasons.
pub const REASONS_MAX: usize = 6;

/// A strategy saw its conditions met. The reasons are ids of [`Structure`]s; 0 marks an unused slot. The built-in
/// strategy names sweep, shift, zone, target, bias and session, in this order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Signal {
    /// Number of the signal, from 1.
    pub id: u32,
    /// Which strategy.
    pub strategy: u8,
    /// Which instrument.
    pub instrument: InstrumentId,
    /// Long or short.
    pub direction: Direction,
    /// Wanted entry.
    pub entry: Price,
    /// Where the idea is wrong.
    pub stop: Price,
    /// Where it has paid.
    pub target: Price,
    /// Structures it rests on.
    pub reasons: [u32; REASONS_MAX],
}

/// The gate's answer to one order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Decision {
    /// The order asked about.
    pub client_order_id: ClientOrderId,
    /// Which instrument.
    pub instrument: InstrumentId,
    /// Bit `n - 1` set means check `n` of the gate was violated; 0 means approved.
    pub codes: u32,
    /// The quantity asked for.
    pub qty: Qty,
    /// The price asked for; the reference price for market orders.
    pub price: Price,
}

/// One market-structure event, flat. `id` names the object; a later event about the same object repeats it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Structure {
    /// Which instrument.
    pub instrument: InstrumentId,
    /// On which timeframe.
    pub timeframe: Timeframe,
    /// What happened.
    pub kind: StructureKind,
    /// Bullish or bearish; of pivots and pools: highs are `Up`.
    pub direction: Direction,
    /// The object; unique per engine, from 1.
    pub id: u32,
    /// The object that caused it (an order block's break, a break's pivot); 0 for none.
    pub cause_id: u32,
    /// Index of the bar it talks about.
    pub bar: u32,
    /// Index of the bar whose close made it known; `bar <= known_bar`.
    pub known_bar: u32,
    /// Upper edge of a zone; the level of everything that has one price.
    pub top: Price,
    /// Lower edge of a zone; equal to `top` for everything that has one price.
    pub bottom: Price,
    /// By kind, a number: swing label (0 none, 1 HH, 2 LH, 3 HL, 4 LL), pool members, displacement in ppm of ATR.
    pub extra: i64,
    /// By kind, a price, quantity or code that needs room beside `extra`; 0 where its kind has none.
    pub value: i64,
    /// Which of the two scopes it belongs to; [`Scope::Swing`] for everything that has one scope only.
    pub scope: Scope,
}

/// How wide a structure is read: the pivots that traders call swings, or the small ones inside them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub enum Scope {
    /// The main structure.
    #[default]
    Swing = 0,
    /// The structure inside it, by pivots of fewer bars.
    Internal = 1,
}

/// What happened to a structure.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
#[allow(missing_docs, reason = "each is defined in the file of its concept under `smc/`")]
pub enum StructureKind {
    PivotConfirmed = 0,
    SwingStarted = 1,
    SwingExtended = 2,
    SwingLocked = 3,
    Bos = 10,
    Choch = 11,
    Mss = 12,
    PatternConfirmed = 13,
    PatternBroken = 14,
    PatternSuperseded = 15,
    FvgCreated = 20,
    FvgMitigated = 21,
    FvgInverted = 22,
    IfvgInvalidated = 23,
    FvgJoined = 24,
    ObCreated = 30,
    ObTested = 31,
    ObBroken = 32,
    BreakerInvalidated = 33,
    PoolFormed = 40,
    PoolExtended = 41,
    PoolSwept = 42,
    PoolRun = 43,
    LevelSwept = 44,
    PeriodRolled = 50,
    PeriodLevelBroken = 51,
    SessionOpened = 52,
    SessionClosed = 53,
    Expired = 60,
    InputRejected = 61,
    RangeChanged = 70,
    ZoneChanged = 71,
    OteEntered = 72,
    OteLeft = 73,
    RetracementReached = 74,
}

impl StructureKind {
    /// A break of structure, whatever its tag.
    pub const fn is_break(self) -> bool {
        matches!(self, Self::Bos | Self::Choch | Self::Mss)
    }

    /// A break against the bias, which turns it.
    pub const fn is_turn(self) -> bool {
        matches!(self, Self::Choch | Self::Mss)
    }
}

/// Position in one instrument after a fill, or after money came or went for it. Money is in the account's currency.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Position {
    /// Which instrument.
    pub instrument: InstrumentId,
    /// Signed quantity: base units, or contracts.
    pub qty: Qty,
    /// Average entry price; 0 when flat.
    pub average: Price,
    /// Realised profit since start, after fees and with funding; 0 while it cannot be converted.
    pub realised: Money,
    /// Fees since start; 0 while they cannot be converted.
    pub fees: Money,
    /// The order that filled; none of cash.
    pub client_order_id: ClientOrderId,
    /// Price of the fill; 0 of cash.
    pub fill_price: Price,
    /// Signed quantity of the fill; 0 of cash.
    pub fill_qty: Qty,
}

/// Trading state, worst last.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub enum TradingState {
    /// Everything allowed.
    #[default]
    Normal = 0,
    /// Something to look at; everything allowed.
    Warn = 1,
    /// Only orders that reduce a position.
    ReduceOnly = 2,
    /// Only cancels.
    CancelOnly = 3,
    /// Only cancels, until a person re-arms.
    Halt = 4,
}

/// The trading state of the engine or of a part of it changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StateChange {
    /// Whose.
    pub scope: RiskScope,
    /// Before.
    pub from: TradingState,
    /// After.
    pub to: TradingState,
    /// Which control did it.
    pub cause: Control,
    /// The command that did it, if one did.
    pub command: Option<Command>,
}

/// What can change a trading state. The number is journaled: never reuse one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub enum Control {
    /// A person's command.
    Operator = 0,
    /// What the journal can keep.
    Journal = 1,
    /// The process stops or starts.
    Process = 2,
    /// Loss since the day's reference.
    DailyLoss = 3,
    /// Loss from the high-water mark.
    Drawdown = 4,
    /// Losing trades in a row.
    LossStreak = 5,
    /// Fills per minute, or value filled in a day.
    FillRate = 6,
    /// Refusals by the venue.
    RejectStorm = 7,
    /// Fills far from where they were expected.
    Slippage = 8,
    /// Our position is not the venue's.
    PositionMismatch = 9,
    /// An order or fill that we never sent.
    UnknownOrder = 10,
    /// An order without an answer.
    Unacknowledged = 11,
    /// The price jumped, or the spread is far from normal.
    FlashMove = 12,
    /// Two sources of one price differ.
    FeedDivergence = 13,
    /// Value at risk of what is held.
    ValueAtRisk = 14,
    /// A model no longer does what it was tested to do.
    ModelDrift = 15,
    /// A strategy that is denied over and over.
    Runaway = 16,
    /// A strategy that enters over and over.
    RepeatExec = 17,
    /// The venue's view of us is not yet ours.
    Reconciling = 18,
    /// The venue's clock, key, budget or mode.
    Venue = 19,
    /// The operator's heartbeat, a flag file or a signal.
    Trigger = 20,
    /// A day began.
    DayRoll = 21,
}

/// Something a person should see.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Alert {
    /// What.
    pub kind: AlertKind,
    /// About which instrument.
    pub instrument: InstrumentId,
    /// About which order.
    pub client_order_id: ClientOrderId,
    /// By kind: the venue's code, a count.
    pub detail: i64,
    /// When, by the event that raised it.
    pub ts: TsNs,
}

/// What a person should see.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum AlertKind {
    /// The venue refused an order; `detail` is its code.
    VenueReject = 0,
    /// A report about an order we never sent.
    UnknownOrder = 1,
    /// The outcome of an order is unknown.
    OrderUnknown = 2,
    /// The outbound ring was full: an order was not sent.
    OutboundFull = 3,
    /// Market data lost; positions are open.
    BlindWithPosition = 4,
    /// An instrument was refused or changed; `detail` says which rule.
    Instrument = 5,
    /// A position is open without a stop.
    Unprotected = 6,
    /// A control acted; `detail` is the number of the [`Control`].
    Control = 7,
    /// Our position is not the venue's; `detail` is the venue's.
    PositionMismatch = 8,
    /// An order, fill or position of another hand was taken into the books; `detail` is its signed quantity.
    Adopted = 9,
    /// No answer to an order in time; `detail` is how long it has waited, in ns.
    Unacknowledged = 10,
    /// A limit was changed; `detail` is its new value.
    LimitChanged = 11,
    /// A change of a limit was refused; `detail` is the value asked for.
    LimitRefused = 12,
    /// The venue filled more than was asked for; `detail` is by how much.
    Overfill = 13,
    /// Working orders were checked again and no longer pass; `detail` is the set of violated codes.
    Revalidation = 14,
    /// The venue's candle of a bar that was closed is another than ours, which stays; `detail` is when it opened, in ns.
    BarRevised = 15,
}

impl OrderKind {
    pub(crate) const ALL: [Self; 4] = [Self::Limit, Self::LimitMaker, Self::Market, Self::StopLimit];
}

impl TimeInForce {
    pub(crate) const ALL: [Self; 3] = [Self::Gtc, Self::Ioc, Self::Fok];
}

impl Purpose {
    pub(crate) const ALL: [Self; 4] = [Self::Entry, Self::Stop, Self::Target, Self::Flatten];
}
