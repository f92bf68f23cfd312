//! The tables and their columns, once, for every format and for both directions.
//!
//! Each word of the engine lists its columns: name, place in the word, unit, meaning. The list is what is written,
//! what is read back, and what `SCHEMA.md` says.

use crate::cell::{Cell, CellError, Cells, Column, Kind};
use crate::words::UpdateKind;
use smc_core::event::*;
use smc_core::instrument::{Contract, InstrumentSpec, TradingStatus};
use smc_core::output::*;
use smc_core::words::{Direction, Name};
use smc_core::{ClientOrderId, InstrumentId, Money, Price, Qty, Side, Timeframe, TsNs};

/// No table has more columns.
pub const COLUMNS_MAX: usize = 32;

/// One table: the records of one kind and variant.
pub struct Table {
    /// Which.
    pub id: Id,
    /// Its name, and the stem of its file.
    pub name: &'static str,
    /// What its rows are, in a sentence.
    pub doc: &'static str,
    groups: [&'static [Column]; 3],
    pub(crate) content: Content,
}

/// What the rows of a table are, and how one becomes a word again.
pub(crate) enum Content {
    Input(fn(&mut Cells<'_, '_>) -> Result<EventBody, CellError>),
    Output(fn(&mut Cells<'_, '_>) -> Result<Output<NewOrder>, CellError>),
    Digest,
    Raw,
    Segment,
}

/// Which table, in the order of [`TABLES`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
#[allow(missing_docs, reason = "each is described where it stands in TABLES")]
pub enum Id {
    Trades,
    Quotes,
    Book,
    BarsIn,
    Instruments,
    Feed,
    Gateway,
    OrderUpdates,
    Balances,
    Timers,
    Commands,
    JournalStates,
    Clocks,
    Budgets,
    Keys,
    Margins,
    Marks,
    Rates,
    Cash,
    Rounds,
    VenueOrders,
    VenuePositions,
    Sequences,
    Orders,
    Cancels,
    Signals,
    Decisions,
    Structures,
    Bars,
    Positions,
    States,
    Alerts,
    Replaces,
    Digests,
    Raw,
    Segments,
}

/// How many tables there are.
pub const TABLE_COUNT: usize = 36;

impl Id {
    /// The table.
    pub const fn table(self) -> &'static Table {
        // An id is a place in the list, which is asserted below.
        &TABLES[self as usize]
    }

    /// The table of that name.
    pub fn by_name(name: &str) -> Option<Self> {
        TABLES.iter().find(|table| table.name == name).map(|table| table.id)
    }
}

impl Table {
    /// Its columns from the left.
    pub fn columns(&self) -> impl Iterator<Item = &'static Column> + use<> {
        self.groups.into_iter().flatten()
    }

    /// How many.
    pub const fn width(&self) -> usize {
        self.groups[0].len() + self.groups[1].len() + self.groups[2].len()
    }

    const fn input(
        id: Id,
        name: &'static str,
        doc: &'static str,
        columns: &'static [Column],
        make: fn(&mut Cells<'_, '_>) -> Result<EventBody, CellError>,
    ) -> Self {
        let groups = [RecordHead::COLUMNS, InputHead::COLUMNS, columns];
        Self { id, name, doc, groups, content: Content::Input(make) }
    }

    const fn output(
        id: Id,
        name: &'static str,
        doc: &'static str,
        columns: &'static [Column],
        make: fn(&mut Cells<'_, '_>) -> Result<Output<NewOrder>, CellError>,
    ) -> Self {
        let groups = [RecordHead::COLUMNS, columns, &[]];
        Self { id, name, doc, groups, content: Content::Output(make) }
    }
}

/// A word that is spread over columns.
pub(crate) trait Spread: Sized {
    /// From the left.
    const COLUMNS: &'static [Column];
    /// Appends the cells.
    fn put<'a>(&self, row: &mut Vec<Cell<'a>>);
    /// Reads the cells back.
    fn take(cells: &mut Cells<'_, '_>) -> Result<Self, CellError>;
}

macro_rules! spread {
    ($word:ty = $blank:expr; $($column:ident ($($place:tt)+) $unit:literal $doc:literal;)*) => {
        impl Spread for $word {
            const COLUMNS: &'static [Column] = {
                const BLANK: $word = $blank;
                let _ = &BLANK;
                &[$(Column::of(stringify!($column), &BLANK.$($place)+, $unit, $doc)),*]
            };

            #[allow(unused_variables, reason = "a word may have no columns")]
            fn put<'a>(&self, row: &mut Vec<Cell<'a>>) {
                $(row.push(crate::cell::Value::cell(&self.$($place)+));)*
            }

            #[allow(unused_mut, unused_variables, reason = "a word may have no columns")]
            fn take(cells: &mut Cells<'_, '_>) -> Result<Self, CellError> {
                let mut word = $blank;
                $(word.$($place)+ = cells.take()?;)*
                Ok(word)
            }
        }
    };
}

/// What every record has.
pub(crate) struct RecordHead {
    pub seq: u64,
    pub ts: TsNs,
}

/// What every input has beside its body.
pub(crate) struct InputHead {
    pub ts_event: TsNs,
    pub ts_recv: TsNs,
    pub seq: u64,
    pub instrument: InstrumentId,
}

/// A word that is one column.
pub(crate) struct Only<T>(pub T);

/// A word that is no column.
pub(crate) struct Nothing;

/// A venue candle with its timeframe.
pub(crate) struct Candle {
    pub timeframe: Timeframe,
    pub bar: Bar,
}

/// A closed bar of the engine's with what it is about.
pub(crate) struct Closed {
    pub instrument: InstrumentId,
    pub timeframe: Timeframe,
    pub bar: Bar,
}

/// An order update, flat: what its kind does not have is absent.
pub(crate) struct Update {
    pub client_order_id: ClientOrderId,
    pub venue_order_id: u64,
    pub kind: UpdateKind,
    pub code: Option<i32>,
    pub trade_id: Option<u64>,
    pub side: Option<Side>,
    pub price: Option<Price>,
    pub qty: Option<Qty>,
    pub cum_qty: Option<Qty>,
    pub fee: Option<Money>,
    pub fee_asset: Option<Name>,
    pub is_maker: Option<bool>,
}

// Values that every cell of a row then replaces.
const ZERO_TS: TsNs = TsNs(0);
const DAY: Timeframe = match Timeframe::from_secs(86_400) {
    Some(day) => day,
    None => panic!("a day divides a day"),
};
const ZERO_LEVEL: Level = Level { price: Price::ZERO, qty: Qty::ZERO };
const ZERO_BAR: Bar = Bar {
    open_ts: ZERO_TS,
    open: Price::ZERO,
    high: Price::ZERO,
    low: Price::ZERO,
    close: Price::ZERO,
    volume: Qty::ZERO,
    trades: 0,
};

spread! {
    RecordHead = RecordHead { seq: 0, ts: ZERO_TS };
    seq (seq) "" "Number of the record in the journal, from 1, without a hole over all tables.";
    ts_ns (ts) "ns" "Time of the record as its writer gave it. May go back: `seq` is the order.";
}

spread! {
    InputHead = InputHead { ts_event: ZERO_TS, ts_recv: ZERO_TS, seq: 0, instrument: InstrumentId::NONE };
    ts_event_ns (ts_event) "ns" "The venue's stamp; `ts_recv_ns` where the venue gives none.";
    ts_recv_ns (ts_recv) "ns" "Our first sight of it.";
    event_seq (seq) "" "The event's own number; that of its record where the engine gave it.";
    instrument (instrument) "" "Index in the engine's instrument table; 65535 for none.";
}

spread! {
    Trade = Trade { price: Price::ZERO, qty: Qty::ZERO, aggressor: Side::Buy, trade_id: 0 };
    price (price) "quote per base" "Price of the trade.";
    qty (qty) "base" "Quantity traded.";
    aggressor (aggressor) "" "Who crossed the spread.";
    trade_id (trade_id) "" "The venue's number of the trade.";
}

spread! {
    Quote = Quote {
        bid: Price::ZERO, bid_qty: Qty::ZERO, ask: Price::ZERO, ask_qty: Qty::ZERO, update_id: 0,
    };
    bid (bid) "quote per base" "Highest bid.";
    bid_qty (bid_qty) "base" "Quantity at the bid.";
    ask (ask) "quote per base" "Lowest ask.";
    ask_qty (ask_qty) "base" "Quantity at the ask.";
    update_id (update_id) "" "The venue's book number.";
}

spread! {
    BookUpdate = BookUpdate {
        update_id: 0,
        is_snapshot_start: false,
        is_last: false,
        side: Side::Buy,
        len: 0,
        levels: [ZERO_LEVEL; BOOK_LEVELS_PER_EVENT],
    };
    update_id (update_id) "" "The venue's number of the message it came from.";
    is_snapshot_start (is_snapshot_start) "" "First event of a snapshot: the book is cleared before it.";
    is_last (is_last) "" "Last event of the venue's message.";
    side (side) "" "Side of all levels in the row.";
    len (len) "" "Levels used, 0 to 4; the others are zero.";
    level0_price (levels[0].price) "quote per base" "Price of the first level.";
    level0_qty (levels[0].qty) "base" "What now stands there; 0 removes the level.";
    level1_price (levels[1].price) "quote per base" "Price of the second level.";
    level1_qty (levels[1].qty) "base" "What now stands there; 0 removes the level.";
    level2_price (levels[2].price) "quote per base" "Price of the third level.";
    level2_qty (levels[2].qty) "base" "What now stands there; 0 removes the level.";
    level3_price (levels[3].price) "quote per base" "Price of the fourth level.";
    level3_qty (levels[3].qty) "base" "What now stands there; 0 removes the level.";
}

spread! {
    Candle = Candle { timeframe: DAY, bar: ZERO_BAR };
    timeframe_s (timeframe) "s" "Length of the bar.";
    open_ts_ns (bar.open_ts) "ns" "Start of the bar.";
    open (bar.open) "quote per base" "First price.";
    high (bar.high) "quote per base" "Highest price.";
    low (bar.low) "quote per base" "Lowest price.";
    close (bar.close) "quote per base" "Last price.";
    volume (bar.volume) "base" "Quantity traded.";
    trades (bar.trades) "" "Trades counted.";
}

spread! {
    InstrumentSpec = InstrumentSpec {
        symbol: Name::EMPTY,
        base: Name::EMPTY,
        quote: Name::EMPTY,
        tick: Price::ZERO,
        lot: Qty::ZERO,
        qty_min: Qty::ZERO,
        qty_max: Qty::ZERO,
        notional_min: Money::ZERO,
        status: TradingStatus::Unknown,
        contract: Contract::SPOT,
    };
    symbol (symbol) "" "The venue's symbol.";
    base (base) "" "Asset that is bought and sold.";
    quote (quote) "" "Asset it is paid in.";
    tick (tick) "quote per base" "Smallest price step.";
    lot (lot) "base" "Smallest quantity step.";
    qty_min (qty_min) "base" "Smallest order quantity.";
    qty_max (qty_max) "base" "Largest order quantity.";
    notional_min (notional_min) "quote" "Smallest order value.";
    status (status) "" "Whether the venue takes orders.";
    contract (contract.kind) "" "How its profit is counted.";
    contract_size (contract.size) "" "Base units of a unit (linear), quote units of a contract (inverse).";
    margin_initial_ppm (contract.margin_initial_ppm) "ppm" "Part of its value that secures it when opened.";
    margin_maintenance_ppm (contract.margin_maintenance_ppm) "ppm" "Part of its value that must stay secured.";
    can_replace (contract.can_replace) "" "The venue changes a working order in one step.";
    can_oco (contract.can_oco) "" "The venue keeps pairs of which one cancels the other.";
    can_attach (contract.can_attach) "" "The venue takes stop and target with the entry.";
    can_reduce_only (contract.can_reduce_only) "" "The venue knows reduce-only orders.";
}

spread! {
    Only<FeedState> = Only(FeedState::Down);
    state (0) "" "Whether the instrument's market data can be trusted.";
}

spread! {
    Only<GatewayState> = Only(GatewayState::Down);
    state (0) "" "Whether orders can be sent.";
}

spread! {
    Only<JournalState> = Only(JournalState::Good);
    state (0) "" "Whether the journal can keep what happens.";
}

spread! {
    Update = Update {
        client_order_id: ClientOrderId::NONE,
        venue_order_id: 0,
        kind: UpdateKind::Ack,
        code: None,
        trade_id: None,
        side: None,
        price: None,
        qty: None,
        cum_qty: None,
        fee: None,
        fee_asset: None,
        is_maker: None,
    };
    client_order_id (client_order_id) "" "Our id of the order.";
    venue_order_id (venue_order_id) "" "The venue's id; 0 when not told.";
    kind (kind) "" "What happened.";
    code (code) "" "Of `reject` and `cancel_reject`: the venue's error number.";
    trade_id (trade_id) "" "Of `fill`: the venue's trade number.";
    side (side) "" "Of `fill`: bought or sold.";
    price (price) "quote per base" "Of `fill`: its price.";
    qty (qty) "base" "Of `fill`: its quantity.";
    cum_qty (cum_qty) "base" "Of `fill`, `canceled` and `expired`: filled so far, as the venue counts.";
    fee (fee) "fee_asset" "Of `fill`: the fee.";
    fee_asset (fee_asset) "" "Of `fill`: the asset that the fee is taken in.";
    is_maker (is_maker) "" "Of `fill`: we were the resting side.";
}

spread! {
    Balance = Balance { asset: Name::EMPTY, free: Qty::ZERO, locked: Qty::ZERO };
    asset (asset) "" "The asset.";
    free (free) "asset" "Free to use.";
    locked (locked) "asset" "Locked in working orders.";
}

spread! { Nothing = Nothing; }

spread! {
    Act = Act {
        command: Command::Kill,
        scope: RiskScope::ENGINE,
        limit: LimitName::None,
        value: 0,
        operator: 0,
        reason: Name::EMPTY,
    };
    command (command) "" "The operator's act.";
    scope (scope.kind) "" "On what.";
    scope_id (scope.id) "" "Which one: index of the instrument, number of the strategy or venue; 0 for the engine.";
    limit (limit) "" "Of `set_limit`: which.";
    value (value) "" "Of `set_limit`: its new value, in the limit's own unit.";
    operator (operator) "" "Who: the number the system knows the person by; 0 for the process itself.";
    reason (reason) "" "Why, in a word.";
}

spread! {
    VenueClock = VenueClock { offset_ns: 0 };
    offset_ns (offset_ns) "ns" "The venue's time minus ours.";
}

spread! {
    RequestBudget = RequestBudget { left: 0, limit: 0, banned_until: ZERO_TS, resets_at: ZERO_TS };
    left (left) "" "Request weight left.";
    limit (limit) "" "The whole of it.";
    banned_until_ns (banned_until) "ns" "Nothing may be asked before; 0 when something may.";
    resets_at_ns (resets_at) "ns" "When all of it is there again.";
}

spread! {
    KeyScope = KeyScope { can_trade: false, can_withdraw: false };
    can_trade (can_trade) "" "The key in use may trade.";
    can_withdraw (can_withdraw) "" "It may take money out.";
}

spread! {
    Margin = Margin { equity: Money::ZERO, free: Money::ZERO };
    equity (equity) "account currency" "Cash and open profit.";
    free (free) "account currency" "Free to secure new positions.";
}

spread! {
    MarkPrice = MarkPrice { price: Price::ZERO };
    price (price) "quote per base" "As the venue values positions.";
}

spread! {
    AssetRate = AssetRate { asset: Name::EMPTY, price: Price::ZERO };
    asset (asset) "" "The asset.";
    price (price) "account currency" "What one unit of it is worth.";
}

spread! {
    Cash = Cash { kind: CashKind::Funding, asset: Name::EMPTY, amount: Money::ZERO, booking_id: 0 };
    kind (kind) "" "What for.";
    asset (asset) "" "In which asset.";
    amount (amount) "asset" "Received; negative when paid.";
    booking_id (booking_id) "" "The venue's number of the booking; 0 where it has none.";
}

spread! {
    ReconcileRound = ReconcileRound { number: 0, is_end: false, is_complete: false };
    number (number) "" "From 1 after each start and reconnect.";
    is_end (is_end) "" "Everything was told that belongs to it.";
    is_complete (is_complete) "" "Nothing was missing.";
}

spread! {
    VenueOrder = VenueOrder {
        client_order_id: ClientOrderId::NONE,
        venue_order_id: 0,
        side: Side::Buy,
        kind: OrderKind::Limit,
        price: Price::ZERO,
        stop_price: Price::ZERO,
        qty: Qty::ZERO,
        filled_qty: Qty::ZERO,
    };
    client_order_id (client_order_id) "" "Our id; `x0000000000000000` for an order of another hand.";
    venue_order_id (venue_order_id) "" "The venue's id.";
    side (side) "" "Buy or sell.";
    kind (kind) "" "Order type.";
    price (price) "quote per base" "Limit price; 0 for market orders.";
    stop_price (stop_price) "quote per base" "Trigger price; 0 where there is none.";
    qty (qty) "base" "Quantity asked for.";
    filled_qty (filled_qty) "base" "Filled of it.";
}

spread! {
    VenuePosition = VenuePosition { qty: Qty::ZERO, average: Price::ZERO };
    qty (qty) "base" "Held; negative when short.";
    average (average) "quote per base" "The venue's average price; 0 where it keeps none.";
}

spread! {
    AccountSequence = AccountSequence { told_to: 0 };
    told_to (told_to) "" "Everything up to this number of the account's transactions has been told.";
}

spread! {
    NewOrder = NewOrder {
        client_order_id: ClientOrderId::NONE,
        instrument: InstrumentId::NONE,
        side: Side::Buy,
        kind: OrderKind::Limit,
        time_in_force: TimeInForce::Gtc,
        price: Price::ZERO,
        stop_price: Price::ZERO,
        qty: Qty::ZERO,
        purpose: Purpose::Entry,
        signal_id: 0,
        terms: OrderTerms::PLAIN,
    };
    instrument (instrument) "" "Index in the engine's instrument table.";
    client_order_id (client_order_id) "" "Our id of the order.";
    side (side) "" "Buy or sell.";
    kind (kind) "" "Order type.";
    time_in_force (time_in_force) "" "How long it lives.";
    price (price) "quote per base" "Limit price; 0 for market orders.";
    stop_price (stop_price) "quote per base" "Trigger price; 0 where there is none.";
    qty (qty) "base" "Quantity ordered.";
    purpose (purpose) "" "What it is for.";
    signal_id (signal_id) "" "`id` of the signal it serves; 0 for none.";
    reduce_only (terms.reduce_only) "" "Never to open or turn a position.";
    stop_on_fill (terms.stop_on_fill) "quote per base" "Stop the venue places when it fills; 0 for none.";
    target_on_fill (terms.target_on_fill) "quote per base" "Target likewise; 0 for none.";
    oco (terms.oco) "" "The other order of a pair of which one cancels the other.";
}

spread! {
    ReplaceOrder<NewOrder> = ReplaceOrder {
        replaced: ClientOrderId::NONE,
        replaced_venue_id: 0,
        order: NewOrder {
            client_order_id: ClientOrderId::NONE,
            instrument: InstrumentId::NONE,
            side: Side::Buy,
            kind: OrderKind::Limit,
            time_in_force: TimeInForce::Gtc,
            price: Price::ZERO,
            stop_price: Price::ZERO,
            qty: Qty::ZERO,
            purpose: Purpose::Entry,
            signal_id: 0,
            terms: OrderTerms::PLAIN,
        },
    };
    replaced (replaced) "" "Our id of the working order.";
    replaced_venue_id (replaced_venue_id) "" "The venue's id of it; 0 where it is not known.";
    instrument (order.instrument) "" "Index in the engine's instrument table.";
    client_order_id (order.client_order_id) "" "Our id of the order.";
    side (order.side) "" "Buy or sell.";
    kind (order.kind) "" "Order type.";
    time_in_force (order.time_in_force) "" "How long it lives.";
    price (order.price) "quote per base" "Limit price; 0 for market orders.";
    stop_price (order.stop_price) "quote per base" "Trigger price; 0 where there is none.";
    qty (order.qty) "base" "Quantity ordered.";
    purpose (order.purpose) "" "What it is for.";
    signal_id (order.signal_id) "" "`id` of the signal it serves; 0 for none.";
    reduce_only (order.terms.reduce_only) "" "Never to open or turn a position.";
    stop_on_fill (order.terms.stop_on_fill) "quote per base" "Stop the venue places when it fills; 0 for none.";
    target_on_fill (order.terms.target_on_fill) "quote per base" "Target likewise; 0 for none.";
    oco (order.terms.oco) "" "The other order of a pair of which one cancels the other.";
}

spread! {
    CancelOrder = CancelOrder {
        instrument: InstrumentId::NONE, client_order_id: ClientOrderId::NONE, venue_order_id: 0,
    };
    instrument (instrument) "" "Index in the engine's instrument table.";
    client_order_id (client_order_id) "" "Our id of the order.";
    venue_order_id (venue_order_id) "" "The venue's id; 0 where it is not known.";
}

spread! {
    Signal = Signal {
        id: 0,
        strategy: 0,
        instrument: InstrumentId::NONE,
        direction: Direction::Up,
        entry: Price::ZERO,
        stop: Price::ZERO,
        target: Price::ZERO,
        reasons: [0; REASONS_MAX],
    };
    instrument (instrument) "" "Index in the engine's instrument table.";
    id (id) "" "Number of the signal, from 1.";
    strategy (strategy) "" "Which strategy.";
    direction (direction) "" "Long (`up`) or short.";
    entry (entry) "quote per base" "Wanted entry.";
    stop (stop) "quote per base" "Where the idea is wrong.";
    target (target) "quote per base" "Where it has paid.";
    reason0 (reasons[0]) "" "`id` of the first structure it rests on (built-in strategy: the sweep); 0 for none.";
    reason1 (reasons[1]) "" "The second (the shift).";
    reason2 (reasons[2]) "" "The third (the zone).";
    reason3 (reasons[3]) "" "The fourth (the target).";
    reason4 (reasons[4]) "" "The fifth (the bias).";
    reason5 (reasons[5]) "" "The sixth (the session).";
}

spread! {
    Decision = Decision {
        client_order_id: ClientOrderId::NONE,
        instrument: InstrumentId::NONE,
        codes: 0,
        qty: Qty::ZERO,
        price: Price::ZERO,
    };
    instrument (instrument) "" "Index in the engine's instrument table.";
    client_order_id (client_order_id) "" "The order asked about.";
    codes (codes) "" "Bit n - 1 set: check n of the gate was violated; 0: approved.";
    qty (qty) "base" "Quantity asked for.";
    price (price) "quote per base" "Price asked for; the reference price for market orders.";
}

spread! {
    Structure = Structure {
        instrument: InstrumentId::NONE,
        timeframe: DAY,
        kind: StructureKind::PivotConfirmed,
        direction: Direction::Up,
        id: 0,
        cause_id: 0,
        bar: 0,
        known_bar: 0,
        top: Price::ZERO,
        bottom: Price::ZERO,
        extra: 0,
        value: 0,
        scope: Scope::Swing,
    };
    instrument (instrument) "" "Index in the engine's instrument table.";
    timeframe_s (timeframe) "s" "Length of the bars it was seen on.";
    kind (kind) "" "What happened.";
    direction (direction) "" "Bullish (`up`) or bearish; of pivots and pools: highs are `up`.";
    id (id) "" "The object, from 1; a later event about it repeats the number.";
    cause_id (cause_id) "" "`id` of the object that caused it; 0 for none.";
    bar (bar) "" "Index of the bar it talks about.";
    known_bar (known_bar) "" "Index of the bar whose close made it known.";
    top (top) "quote per base" "Upper edge, or the one price it has.";
    bottom (bottom) "quote per base" "Lower edge; `top` for everything that has one price.";
    extra (extra) "" "By kind, a number: swing label, pool members, displacement in ppm of ATR.";
    value (value) "" "By kind, a number: prices and quantities in 1e-8, or a code.";
    scope (scope) "" "Main structure (`swing`) or the one inside it.";
}

spread! {
    Closed = Closed { instrument: InstrumentId::NONE, timeframe: DAY, bar: ZERO_BAR };
    instrument (instrument) "" "Index in the engine's instrument table.";
    timeframe_s (timeframe) "s" "Length of the bar.";
    open_ts_ns (bar.open_ts) "ns" "Start of the bar.";
    open (bar.open) "quote per base" "First price.";
    high (bar.high) "quote per base" "Highest price.";
    low (bar.low) "quote per base" "Lowest price.";
    close (bar.close) "quote per base" "Last price.";
    volume (bar.volume) "base" "Quantity traded.";
    trades (bar.trades) "" "Trades counted.";
}

spread! {
    Position = Position {
        instrument: InstrumentId::NONE,
        qty: Qty::ZERO,
        average: Price::ZERO,
        realised: Money::ZERO,
        fees: Money::ZERO,
        client_order_id: ClientOrderId::NONE,
        fill_price: Price::ZERO,
        fill_qty: Qty::ZERO,
    };
    instrument (instrument) "" "Index in the engine's instrument table.";
    qty (qty) "base" "Position after the fill; negative when short.";
    average (average) "quote per base" "Average entry price; 0 when flat.";
    realised (realised) "account" "Realised profit since start, after fees and with funding; 0 while it cannot be converted.";
    fees (fees) "account" "Fees since start; 0 while they cannot be converted.";
    client_order_id (client_order_id) "" "The order that filled; none of cash.";
    fill_price (fill_price) "quote per base" "Price of the fill; 0 of cash.";
    fill_qty (fill_qty) "base" "Quantity of the fill; negative when sold, 0 of cash.";
}

spread! {
    StateChange = StateChange {
        scope: RiskScope::ENGINE,
        from: TradingState::Normal,
        to: TradingState::Normal,
        cause: Control::Operator,
        command: None,
    };
    scope (scope.kind) "" "Whose.";
    scope_id (scope.id) "" "Which one: index of the instrument, number of the strategy or venue; 0 for the engine.";
    from (from) "" "Trading state before.";
    to (to) "" "Trading state after.";
    cause (cause) "" "Which control did it.";
    command (command) "" "The operator's act that did it, if one did.";
}

spread! {
    Alert = Alert {
        kind: AlertKind::VenueReject,
        instrument: InstrumentId::NONE,
        client_order_id: ClientOrderId::NONE,
        detail: 0,
        ts: ZERO_TS,
    };
    instrument (instrument) "" "Index in the engine's instrument table; 65535 for none.";
    kind (kind) "" "What.";
    client_order_id (client_order_id) "" "About which order; `x0000000000000000` for none.";
    detail (detail) "" "By kind: the venue's code, a count.";
    alert_ts_ns (ts) "ns" "When, by the event that raised it.";
}

/// Columns of `digests` behind the record's.
const DIGEST: &[Column] = &[Column::plain(
    "digest",
    Kind::Bytes,
    "",
    "Fingerprint of all outputs so far, least significant byte first.",
)];

/// Columns of `raw` behind the record's.
const RAW: &[Column] = &[
    Column::plain("kind_code", Kind::Small, "", "Number of the record's kind."),
    Column::plain("kind", Kind::Text, "", "Its name; `unknown` where this version has none."),
    Column::plain("flags", Kind::Small, "", "The record's flags; 0 in version 1 of the journal."),
    Column::plain("payload", Kind::Bytes, "", "The record's bytes."),
];

/// Columns of `segments`.
const SEGMENT: &[Column] = &[
    Column::plain("number", Kind::Small, "", "Number of the segment, from 1."),
    Column::plain("first_seq", Kind::Count, "", "`seq` of its first record; of the next one if it has none."),
    Column::plain("segment_bytes", Kind::Count, "bytes", "Length of its file."),
    Column::plain(
        "synced_bytes",
        Kind::Count,
        "bytes",
        "Offset up to which its records were known to be on the disk.",
    ),
    Column::plain("is_run_start", Kind::Flag, "", "The journal was created or resumed here."),
    Column::plain("build", Kind::Bytes, "", "Hash of the program that wrote it."),
    Column::plain("config_hash", Kind::Bytes, "", "Hash of the configuration."),
    Column::plain("instruments_hash", Kind::Bytes, "", "Hash of the instrument table."),
    Column::plain("account", Kind::Text, "", "The venue account."),
    Column::plain("environment", Kind::Text, "", "`sim`, `testnet` or `live`."),
];

/// All tables: inputs, outputs, the rest.
pub static TABLES: [Table; TABLE_COUNT] = [
    Table::input(Id::Trades, "trades", "Public trades.", Trade::COLUMNS, |cells| {
        Trade::take(cells).map(EventBody::Trade)
    }),
    Table::input(Id::Quotes, "quotes", "Best bid and ask.", Quote::COLUMNS, |cells| {
        Quote::take(cells).map(EventBody::Quote)
    }),
    Table::input(
        Id::Book,
        "book",
        "Levels of the synchronised book, up to four a row; a larger message of the venue is several rows.",
        BookUpdate::COLUMNS,
        |cells| BookUpdate::take(cells).map(EventBody::Book),
    ),
    Table::input(
        Id::BarsIn,
        "bars_in",
        "The venue's closed candles, for warm-up.",
        Candle::COLUMNS,
        |cells| Candle::take(cells).map(|candle| EventBody::Bar(candle.timeframe, candle.bar)),
    ),
    Table::input(
        Id::Instruments,
        "instruments",
        "The venue's rules for an instrument, at start and whenever they change.",
        InstrumentSpec::COLUMNS,
        |cells| InstrumentSpec::take(cells).map(EventBody::Instrument),
    ),
    Table::input(Id::Feed, "feed", "State of market data.", Only::<FeedState>::COLUMNS, |cells| {
        Only::take(cells).map(|Only(state)| EventBody::Feed(state))
    }),
    Table::input(
        Id::Gateway,
        "gateway",
        "State of the order path.",
        Only::<GatewayState>::COLUMNS,
        |cells| Only::take(cells).map(|Only(state)| EventBody::Gateway(state)),
    ),
    Table::input(
        Id::OrderUpdates,
        "order_updates",
        "The venue's reports about our orders, in any order and sometimes twice.",
        Update::COLUMNS,
        |cells| {
            let update = Update::take(cells)?;
            // A column that its kind needs is absent: the row is told by its `kind`, the third of its columns.
            let at = cells.wrong().column - (Update::COLUMNS.len() - 3);
            update.whole().map(EventBody::Order).ok_or(CellError { column: at })
        },
    ),
    Table::input(Id::Balances, "balances", "Absolute balances of assets.", Balance::COLUMNS, |cells| {
        Balance::take(cells).map(EventBody::Balance)
    }),
    Table::input(Id::Timers, "timers", "Time passed.", Nothing::COLUMNS, |_| Ok(EventBody::Timer)),
    Table::input(Id::Commands, "commands", "Acts of an operator.", Act::COLUMNS, |cells| {
        Act::take(cells).map(EventBody::Operator)
    }),
    Table::input(
        Id::JournalStates,
        "journal_states",
        "State of the journal and its disk.",
        Only::<JournalState>::COLUMNS,
        |cells| Only::take(cells).map(|Only(state)| EventBody::Journal(state)),
    ),
    Table::input(Id::Clocks, "clocks", "The venue's clock against ours.", VenueClock::COLUMNS, |cells| {
        VenueClock::take(cells).map(EventBody::Clock)
    }),
    Table::input(
        Id::Budgets,
        "budgets",
        "What the venue still lets us ask.",
        RequestBudget::COLUMNS,
        |cells| RequestBudget::take(cells).map(EventBody::Budget),
    ),
    Table::input(Id::Keys, "keys", "What the key in use may do.", KeyScope::COLUMNS, |cells| {
        KeyScope::take(cells).map(EventBody::Key)
    }),
    Table::input(Id::Margins, "margins", "The account as the venue counts it.", Margin::COLUMNS, |cells| {
        Margin::take(cells).map(EventBody::Margin)
    }),
    Table::input(
        Id::Marks,
        "marks",
        "Fair prices, by which the venue values positions.",
        MarkPrice::COLUMNS,
        |cells| MarkPrice::take(cells).map(EventBody::Mark),
    ),
    Table::input(Id::Rates, "rates", "What assets are worth.", AssetRate::COLUMNS, |cells| {
        AssetRate::take(cells).map(EventBody::Rate)
    }),
    Table::input(Id::Cash, "cash", "Money that came or went without a fill.", Cash::COLUMNS, |cells| {
        Cash::take(cells).map(EventBody::Cash)
    }),
    Table::input(
        Id::Rounds,
        "rounds",
        "Beginnings and ends of looks at everything the venue has of ours.",
        ReconcileRound::COLUMNS,
        |cells| ReconcileRound::take(cells).map(EventBody::Round),
    ),
    Table::input(
        Id::VenueOrders,
        "venue_orders",
        "Of a round: orders that work at the venue.",
        VenueOrder::COLUMNS,
        |cells| VenueOrder::take(cells).map(EventBody::VenueOrder),
    ),
    Table::input(
        Id::VenuePositions,
        "venue_positions",
        "Of a round: what the venue says is held.",
        VenuePosition::COLUMNS,
        |cells| VenuePosition::take(cells).map(EventBody::VenuePosition),
    ),
    Table::input(
        Id::Sequences,
        "sequences",
        "How far the numbering of an account has been told.",
        AccountSequence::COLUMNS,
        |cells| AccountSequence::take(cells).map(EventBody::Sequence),
    ),
    Table::output(Id::Orders, "orders", "Orders sent.", NewOrder::COLUMNS, |cells| {
        NewOrder::take(cells).map(Output::NewOrder)
    }),
    Table::output(Id::Cancels, "cancels", "Cancels sent.", CancelOrder::COLUMNS, |cells| {
        CancelOrder::take(cells).map(Output::Cancel)
    }),
    Table::output(Id::Signals, "signals", "A strategy saw its conditions met.", Signal::COLUMNS, |cells| {
        Signal::take(cells).map(Output::Signal)
    }),
    Table::output(
        Id::Decisions,
        "decisions",
        "The gate's answer to one order: why it was or was not sent.",
        Decision::COLUMNS,
        |cells| Decision::take(cells).map(Output::Decision),
    ),
    Table::output(
        Id::Structures,
        "structures",
        "Market structure came to be, changed or ended.",
        Structure::COLUMNS,
        |cells| Structure::take(cells).map(Output::Structure),
    ),
    Table::output(Id::Bars, "bars", "Bars that the engine closed.", Closed::COLUMNS, |cells| {
        Closed::take(cells).map(|closed| Output::BarClosed(closed.instrument, closed.timeframe, closed.bar))
    }),
    Table::output(
        Id::Positions,
        "positions",
        "Position and profit after a fill, or after cash about an instrument.",
        Position::COLUMNS,
        |cells| Position::take(cells).map(Output::Position),
    ),
    Table::output(Id::States, "states", "The trading state changed.", StateChange::COLUMNS, |cells| {
        StateChange::take(cells).map(Output::State)
    }),
    Table::output(Id::Alerts, "alerts", "Something a person should see.", Alert::COLUMNS, |cells| {
        Alert::take(cells).map(Output::Alert)
    }),
    Table::output(
        Id::Replaces,
        "replaces",
        "Orders sent in the place of working ones.",
        ReplaceOrder::<NewOrder>::COLUMNS,
        |cells| ReplaceOrder::take(cells).map(Output::Replace),
    ),
    Table {
        id: Id::Digests,
        name: "digests",
        doc: "Fingerprints of all outputs so far.",
        groups: [RecordHead::COLUMNS, DIGEST, &[]],
        content: Content::Digest,
    },
    Table {
        id: Id::Raw,
        name: "raw",
        doc: "Every other record: configuration, source, run, snapshot, close, kinds and words that this version does not know.",
        groups: [RecordHead::COLUMNS, RAW, &[]],
        content: Content::Raw,
    },
    Table {
        id: Id::Segments,
        name: "segments",
        doc: "The journal's files: what a journal is restored from. Only in exports that leave nothing out.",
        groups: [SEGMENT, &[], &[]],
        content: Content::Segment,
    },
];

const _: () = {
    let mut at = 0;
    while at < TABLE_COUNT {
        assert!(TABLES[at].id as usize == at);
        assert!(TABLES[at].width() <= COLUMNS_MAX);
        at += 1;
    }
};

impl From<OrderUpdate> for Update {
    fn from(update: OrderUpdate) -> Self {
        let OrderUpdate { client_order_id, venue_order_id, kind } = update;
        let mut out = Self {
            client_order_id,
            venue_order_id,
            kind: UpdateKind::Ack,
            code: None,
            trade_id: None,
            side: None,
            price: None,
            qty: None,
            cum_qty: None,
            fee: None,
            fee_asset: None,
            is_maker: None,
        };
        out.kind = match kind {
            OrderUpdateKind::Ack => UpdateKind::Ack,
            OrderUpdateKind::Reject { code } => {
                out.code = Some(code);
                UpdateKind::Reject
            }
            OrderUpdateKind::Fill { trade_id, side, price, qty, cum_qty, fee, fee_asset, is_maker } => {
                out.side = Some(side);
                (out.trade_id, out.price, out.qty) = (Some(trade_id), Some(price), Some(qty));
                (out.cum_qty, out.fee) = (Some(cum_qty), Some(fee));
                (out.fee_asset, out.is_maker) = (Some(fee_asset), Some(is_maker));
                UpdateKind::Fill
            }
            OrderUpdateKind::Canceled { cum_qty } => {
                out.cum_qty = Some(cum_qty);
                UpdateKind::Canceled
            }
            OrderUpdateKind::Expired { cum_qty } => {
                out.cum_qty = Some(cum_qty);
                UpdateKind::Expired
            }
            OrderUpdateKind::CancelReject { code } => {
                out.code = Some(code);
                UpdateKind::CancelReject
            }
            OrderUpdateKind::Unknown => UpdateKind::Unknown,
            OrderUpdateKind::NotFound => UpdateKind::NotFound,
        };
        out
    }
}

impl Update {
    /// The update, if the columns that its kind needs are there.
    fn whole(self) -> Option<OrderUpdate> {
        let kind = match self.kind {
            UpdateKind::Ack => OrderUpdateKind::Ack,
            UpdateKind::Reject => OrderUpdateKind::Reject { code: self.code? },
            UpdateKind::Fill => OrderUpdateKind::Fill {
                trade_id: self.trade_id?,
                side: self.side?,
                price: self.price?,
                qty: self.qty?,
                cum_qty: self.cum_qty?,
                fee: self.fee?,
                fee_asset: self.fee_asset?,
                is_maker: self.is_maker?,
            },
            UpdateKind::Canceled => OrderUpdateKind::Canceled { cum_qty: self.cum_qty? },
            UpdateKind::Expired => OrderUpdateKind::Expired { cum_qty: self.cum_qty? },
            UpdateKind::CancelReject => OrderUpdateKind::CancelReject { code: self.code? },
            UpdateKind::Unknown => OrderUpdateKind::Unknown,
            UpdateKind::NotFound => OrderUpdateKind::NotFound,
        };
        let Self { client_order_id, venue_order_id, .. } = self;
        Some(OrderUpdate { client_order_id, venue_order_id, kind })
    }
}
