//! How a word is spread over columns, and the columns of what the engine is told.

use crate::cell::{Cell, CellError, Cells, Column};
use smc_core::event::*;
use smc_core::instrument::{Contract, InstrumentSpec, TradingStatus};
use smc_core::output::OrderKind;
use smc_core::words::Name;
use smc_core::{ClientOrderId, InstrumentId, Money, Price, Qty, Side, Timeframe, TsNs};

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
        impl $crate::schema::Spread for $word {
            const COLUMNS: &'static [$crate::cell::Column] = {
                const BLANK: $word = $blank;
                let _ = &BLANK;
                &[$($crate::cell::Column::of(stringify!($column), &BLANK.$($place)+, $unit, $doc)),*]
            };

            #[allow(unused_variables, reason = "a word may have no columns")]
            fn put<'a>(&self, row: &mut Vec<$crate::cell::Cell<'a>>) {
                $(row.push($crate::cell::Value::cell(&self.$($place)+));)*
            }

            #[allow(unused_mut, unused_variables, reason = "a word may have no columns")]
            fn take(cells: &mut $crate::cell::Cells<'_, '_>) -> Result<Self, $crate::cell::CellError> {
                let mut word = $blank;
                $(word.$($place)+ = cells.take()?;)*
                Ok(word)
            }
        }
    };
}

pub(super) use spread;

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

// Values that every cell of a row then replaces.
pub(super) const ZERO_TS: TsNs = TsNs(0);
pub(super) const DAY: Timeframe = match Timeframe::from_secs(86_400) {
    Some(day) => day,
    None => panic!("a day divides a day"),
};
const ZERO_LEVEL: Level = Level { price: Price::ZERO, qty: Qty::ZERO };
pub(super) const ZERO_BAR: Bar = Bar {
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
