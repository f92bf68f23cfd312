//! A short scripted story for tests: bars, a swept low, zones, a short trade that is stopped out.

use smc_core::event::*;
use smc_core::instrument::{Contract, InstrumentSpec, TradingStatus};
use smc_core::output::*;
use smc_core::words::*;

/// What a record holds.
pub enum Word {
    /// An input.
    Event(Event),
    /// An output.
    Output(Output<NewOrder>),
}

const BTC: InstrumentId = InstrumentId(0);

/// Hundredths to a price.
pub const fn price(hundredths: i64) -> Price {
    Price(hundredths * 1_000_000)
}

/// Seconds since a quiet midnight.
pub const fn at(seconds: u64) -> TsNs {
    TsNs((1_767_225_600 + seconds) * 1_000_000_000)
}

/// An input about the instrument.
pub fn event(seconds: u64, body: EventBody) -> Word {
    Word::Event(Event { seq: 0, ts_event: at(seconds), ts_recv: at(seconds), instrument: BTC, body })
}

/// A public trade.
pub fn trade(seconds: u64, hundredths: i64) -> Word {
    let trade = Trade { price: price(hundredths), qty: Qty(1), aggressor: Side::Buy, trade_id: seconds };
    event(seconds, EventBody::Trade(trade))
}

/// A closed bar of five seconds.
pub fn bar(seconds: u64, [open, high, low, close]: [i64; 4]) -> Word {
    let bar = Bar {
        open_ts: at(seconds),
        open: price(open),
        high: price(high),
        low: price(low),
        close: price(close),
        volume: Qty(5),
        trades: 3,
    };
    Word::Output(Output::BarClosed(BTC, five(), bar))
}

/// Five seconds.
pub fn five() -> Timeframe {
    Timeframe::from_secs(5).unwrap()
}

/// News about the bar that just closed.
pub fn news(kind: StructureKind, id: u32, bar: u32, known_bar: u32, [bottom, top]: [i64; 2]) -> Word {
    Word::Output(Output::Structure(Structure {
        instrument: BTC,
        timeframe: five(),
        kind,
        direction: Direction::Down,
        id,
        cause_id: 0,
        bar,
        known_bar,
        top: price(top),
        bottom: price(bottom),
        extra: 2,
        value: 0,
        scope: Scope::Swing,
    }))
}

/// An order of ours.
pub fn order(id: u64, side: Side, purpose: Purpose, hundredths: i64) -> Word {
    let is_stop = purpose == Purpose::Stop;
    Word::Output(Output::NewOrder(NewOrder {
        client_order_id: ClientOrderId(id),
        instrument: BTC,
        side,
        kind: if is_stop { OrderKind::StopLimit } else { OrderKind::Limit },
        time_in_force: TimeInForce::Gtc,
        price: price(hundredths),
        stop_price: if is_stop { price(hundredths) } else { Price(0) },
        qty: Qty(3 * SCALE),
        purpose,
        signal_id: 1,
        terms: OrderTerms::PLAIN,
    }))
}

/// A report about it.
pub fn report(seconds: u64, id: u64, kind: OrderUpdateKind) -> Word {
    let update = OrderUpdate { client_order_id: ClientOrderId(id), venue_order_id: 9, kind };
    event(seconds, EventBody::Order(update))
}

/// A fill: the venue's report and the position after it. Quantities in whole units, money in hundredths.
pub fn fill(seconds: u64, id: u64, hundredths: i64, qty: i64, after: i64, realised: i64) -> [Word; 2] {
    let kind = OrderUpdateKind::Fill {
        trade_id: seconds,
        side: if qty > 0 { Side::Buy } else { Side::Sell },
        price: price(hundredths),
        qty: Qty(qty.abs() * SCALE),
        cum_qty: Qty((if qty < 0 { -after } else { 3 }) * SCALE),
        fee: Money(0),
        fee_asset: Name::new("USDT").unwrap(),
        is_maker: true,
    };
    let position = Position {
        instrument: BTC,
        qty: Qty(after * SCALE),
        average: if after == 0 { Price(0) } else { price(10_050) },
        realised: Money(realised * 1_000_000),
        fees: Money(60_000_000),
        client_order_id: ClientOrderId(id),
        fill_price: price(hundredths),
        fill_qty: Qty(qty * SCALE),
    };
    [report(seconds, id, kind), Word::Output(Output::Position(position))]
}

/// The start: rules, states, eight bars with their structure, one bar forming.
pub fn market() -> Vec<Word> {
    let name = |text| Name::new(text).unwrap();
    let spec = InstrumentSpec {
        symbol: name("BTCUSDT"),
        base: name("BTC"),
        quote: name("USDT"),
        tick: price(1),
        lot: Qty(100_000),
        qty_min: Qty(100_000),
        qty_max: Qty(i64::MAX),
        notional_min: Money(0),
        status: TradingStatus::Trading,
        contract: Contract::SPOT,
    };
    let mut words = vec![
        event(0, EventBody::Instrument(spec)),
        event(0, EventBody::Feed(FeedState::Live)),
        event(0, EventBody::Gateway(GatewayState::Ready)),
    ];
    for nth in 0..8i64 {
        let open = 10_000 + nth * 10;
        words.push(trade(nth as u64 * 5, open));
        words.push(bar(nth as u64 * 5, [open, open + 30, open - 20, open + 10]));
    }
    words.extend([
        news(StructureKind::Bos, 1, 102, 107, [10_020, 10_020]),
        news(StructureKind::ObCreated, 2, 103, 107, [10_060, 10_090]),
        news(StructureKind::FvgCreated, 3, 106, 107, [10_030, 10_040]),
        news(StructureKind::PoolFormed, 4, 101, 107, [9_990, 10_000]),
        news(StructureKind::LevelSwept, 5, 104, 107, [10_020, 10_020]),
        trade(41, 10_050),
        trade(42, 10_070),
        trade(43, 10_040),
    ]);
    words
}

/// The whole story.
pub fn short_and_stopped() -> Vec<Word> {
    let signal = Signal {
        id: 1,
        strategy: 1,
        instrument: BTC,
        direction: Direction::Down,
        entry: price(10_050),
        stop: price(10_100),
        target: price(9_900),
        reasons: [1, 2, 3, 0, 0, 0],
    };
    let mut words = market();
    words.push(Word::Output(Output::Signal(signal)));
    words.push(order(11, Side::Sell, Purpose::Entry, 10_050));
    words.push(report(43, 11, OrderUpdateKind::Ack));
    words.extend(fill(44, 11, 10_050, -1, -1, -10));
    words.push(order(12, Side::Buy, Purpose::Stop, 10_100));
    words.push(report(44, 12, OrderUpdateKind::Ack));
    words.extend(fill(45, 11, 10_050, -2, -3, -30));
    words.extend(fill(46, 12, 10_100, 3, 0, -210));
    words
}
