//! Folding scripted records.

use super::samples::{Word, at, bar, fill, market, news, order, price, report, short_and_stopped, trade};
use super::*;
use smc_core::codec::Buffer;
use smc_core::event::{FeedState, OrderUpdateKind};
use smc_core::instrument::{Contract, InstrumentSpec, TradingStatus};
use smc_core::output::{Position, Purpose};
use smc_core::words::{ClientOrderId, Direction, Money, Name, Price, Qty, SCALE, Side};

/// Through bytes, as from a journal.
fn folded(words: Vec<Word>) -> Model {
    let mut model = Model::default();
    let mut buffer = Buffer::default();
    for (nth, word) in words.iter().enumerate() {
        let (kind, bytes) = match word {
            Word::Event(event) => (RecordKind::Input, buffer.encode(event)),
            Word::Output(output) => (RecordKind::Output, buffer.encode(output)),
        };
        model.fold(nth as u64 + 1, kind, bytes);
    }
    assert_eq!(model.refused, 0);
    model
}

#[test]
fn a_market_is_seen_as_it_was_told() {
    let model = folded(market());
    let seen = &model.markets[0];
    assert_eq!((seen.symbol.as_str(), seen.price_decimals, seen.qty_decimals), ("BTCUSDT", Some(2), Some(3)));
    assert_eq!((seen.last, seen.move_direction), (Some(price(10_040)), Some(Direction::Down)));
    assert_eq!((seen.feed, model.gateway), (Some(FeedState::Live), Some(GatewayState::Ready)));
    assert_eq!((model.now, model.seq), (at(43), 27));

    let chart = &seen.charts[0];
    assert_eq!((chart.bars.len(), chart.next_bar, chart.bias), (8, 108, Some(Direction::Down)));
    let forming = chart.forming.unwrap();
    assert_eq!((forming.open, forming.high, forming.low), (price(10_050), price(10_070), price(10_040)));
    assert_eq!(chart.zone_counts(ZoneKind::OrderBlock), (1, 0));
    assert_eq!((chart.pools[0].level, chart.pools[0].members), (price(9_995), 2));
    assert_eq!(chart.marks.len(), 2);
    assert_eq!(model.notes.len(), 5);
}

#[test]
fn internal_structure_is_neither_drawn_nor_told() {
    let (plain, mut words) = (folded(market()), market());
    let Word::Output(Output::Structure(mut inner)) =
        news(StructureKind::Choch, 9, 105, 108, [10_010, 10_010])
    else {
        panic!("news is structure");
    };
    inner.scope = Scope::Internal;
    words.push(Word::Output(Output::Structure(inner)));
    let model = folded(words);
    assert_eq!(model.notes.len(), plain.notes.len());
    let charts = [&model, &plain].map(|model| &model.markets[0].charts[0]);
    assert_eq!((charts[0].marks.len(), charts[0].bias), (charts[1].marks.len(), charts[1].bias));
}

#[test]
fn a_zone_lives_and_dies() {
    let mut words = market();
    let count = |words: Vec<Word>| folded(words).markets[0].charts[0].zone_counts(ZoneKind::Gap);
    words.push(news(StructureKind::FvgMitigated, 3, 106, 108, [10_030, 10_040]));
    words.push(news(StructureKind::FvgInverted, 3, 106, 108, [10_030, 10_040]));
    assert_eq!(count(words), (0, 1));
    let mut words = market();
    words.push(news(StructureKind::FvgInverted, 3, 106, 108, [10_030, 10_040]));
    words.push(news(StructureKind::IfvgInvalidated, 3, 106, 109, [10_030, 10_040]));
    assert_eq!(count(words), (0, 0));
    let mut words = market();
    words.push(news(StructureKind::PoolSwept, 4, 101, 109, [9_990, 10_000]));
    assert!(folded(words).markets[0].charts[0].pools.is_empty());
}

#[test]
fn a_closed_bar_replaces_the_forming_one_and_late_trades_change_nothing() {
    let mut words = market();
    words.push(bar(40, [10_050, 10_071, 10_040, 10_040]));
    words.push(trade(44, 20_000));
    let chart = folded(words).markets.remove(0).charts.remove(0);
    assert_eq!(chart.forming, None);
    assert_eq!(chart.bars.back().unwrap().high, price(10_071));
    assert_eq!(chart.next_bar, 109);
}

#[test]
fn fills_of_one_order_are_one_execution_and_a_round_trip_counts_once() {
    let model = folded(short_and_stopped());
    let trading = &model.trading;
    assert_eq!(trading.executions.len(), 2);
    let entry = trading.executions[0];
    assert_eq!((entry.qty, entry.fills, entry.price()), (Qty(3 * SCALE), 2, price(10_050)));
    assert_eq!((entry.purpose, entry.side, entry.result), (Some(Purpose::Entry), Side::Sell, None));
    assert_eq!(trading.executions[1].result, Some(-210_000_000));
    assert_eq!((trading.won, trading.lost), (0, 1));
    assert_eq!(trading.working().count(), 0);
    assert_eq!(model.markets[0].unrealised(), None);
}

#[test]
fn a_turned_position_ends_one_trip_and_begins_the_next() {
    let mut words = market();
    words.extend(fill(44, 11, 10_050, -1, -1, -10));
    words.extend(fill(45, 12, 10_000, 3, 2, 40));
    words.extend(fill(46, 13, 10_000, -2, 0, 30));
    let model = folded(words);
    let results: Vec<_> = model.trading.executions.iter().map(|execution| execution.result).collect();
    assert_eq!(results, [None, Some(40_000_000), Some(-10_000_000)]);
    assert_eq!((model.trading.won, model.trading.lost), (1, 1));
}

#[test]
fn an_open_position_is_valued_at_the_last_price() {
    let mut words = market();
    words.extend(fill(44, 11, 10_050, -3, -3, -30));
    assert_eq!(folded(words).markets[0].unrealised(), Some(30_000_000));
}

#[test]
fn orders_leave_when_they_are_over() {
    for kind in [
        OrderUpdateKind::Reject { code: -2010 },
        OrderUpdateKind::Canceled { cum_qty: Qty(0) },
        OrderUpdateKind::Expired { cum_qty: Qty(0) },
        OrderUpdateKind::NotFound,
    ] {
        let sent =
            || vec![order(11, Side::Sell, Purpose::Stop, 10_050), report(43, 11, OrderUpdateKind::Ack)];
        assert!(folded(sent()).trading.has_stop(InstrumentId(0)));
        let mut words = sent();
        words.push(report(44, 11, kind));
        assert_eq!(folded(words).trading.working().count(), 0, "{kind:?}");
    }
}

#[test]
fn memory_is_bounded() {
    let mut words = Vec::new();
    for nth in 0..3_000u32 {
        words.push(bar(u64::from(nth) * 5, [100, 110, 90, 105]));
        words.push(news(StructureKind::ObCreated, nth + 1, nth, nth, [90, 100]));
        words.push(news(StructureKind::PoolFormed, nth + 10_000, nth, nth, [90, 100]));
        words.push(news(StructureKind::Bos, nth + 20_000, nth, nth, [90, 90]));
        words.push(order(nth.into(), Side::Buy, Purpose::Entry, 100));
        words.extend(fill(1, nth.into(), 100, 1, i64::from(nth) % 3, 0));
    }
    let model = folded(words);
    let chart = &model.markets[0].charts[0];
    assert!(chart.bars.len() <= 400 && chart.zones.len() <= 512 && chart.pools.len() <= 512);
    assert!(chart.marks.len() <= 96 && model.notes.len() <= NOTES_MAX);
    assert!(model.trading.orders.len() <= 128 && model.trading.executions.len() <= 128);
}

#[test]
fn rubbish_is_counted() {
    let mut model = Model::default();
    model.fold(1, RecordKind::Input, &[1, 2, 3]);
    model.fold(2, RecordKind::Output, &[]);
    model.fold(3, RecordKind::Config, &[0xff, 0xfe]);
    assert_eq!((model.refused, model.seq), (2, 3));
}

#[test]
fn what_the_venue_would_not_trade_is_no_position() {
    let mut model = folded(market());
    let market = &mut model.markets[0];
    let spec = InstrumentSpec {
        symbol: Name::new("BTCUSDT").unwrap(),
        base: Name::new("BTC").unwrap(),
        quote: Name::new("USDT").unwrap(),
        tick: Price(1_000_000),
        lot: Qty(1_000),
        qty_min: Qty(1_000),
        qty_max: Qty(SCALE),
        notional_min: Money(5 * SCALE),
        status: TradingStatus::Trading,
        contract: Contract::SPOT,
    };
    market.on_event(TsNs(0), &EventBody::Instrument(spec));
    let position = |qty| Position {
        instrument: InstrumentId(0),
        qty: Qty(qty),
        average: Price(60_000 * SCALE),
        realised: Money(0),
        fees: Money(0),
        client_order_id: ClientOrderId(1),
        fill_price: Price(60_000 * SCALE),
        fill_qty: Qty(qty),
    };
    assert_eq!(market.held(&position(-8_000)), Qty(0), "4.80 in value");
    assert_eq!(market.held(&position(-9_000)), Qty(-9_000), "5.40 in value");
    assert_eq!(market.held(&position(999)), Qty(0), "under a lot");
}
