//! Columns of the engine's outputs.

use super::columns::{Closed, DAY, ZERO_BAR, ZERO_TS};
use super::spread;
use smc_core::event::RiskScope;
use smc_core::output::*;
use smc_core::words::Direction;
use smc_core::{ClientOrderId, InstrumentId, Money, Price, Qty, Side};

// Replaced by what a row says.
const ORDER: NewOrder = NewOrder {
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

spread! {
    NewOrder = ORDER;
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
        order: ORDER,
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
