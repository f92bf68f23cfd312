//! The pure half of the feed: which messages become which events, and what the engine is told of the feed.
#![allow(clippy::unwrap_used, clippy::expect_used)] // Helpers of tests may fail loudly.

mod common;

use common::settings;
use smc_core::Event;
use smc_core::event::EventBody;
use smc_core::words::{InstrumentId, Name, Price, Side, Timeframe, TsNs};
use smc_feeds::binance_spot::{FeedSettings, Market, Notes, Streams, TradeStream};

const SECOND: u64 = 1_000_000_000;

/// A market of one instrument and what it emitted.
struct Bench {
    market: Market,
    events: Vec<Event>,
    now: TsNs,
    notes: Notes,
}

impl Bench {
    fn new(settings: &FeedSettings) -> Self {
        let market = Market::new(settings, &[(InstrumentId(5), Name::new("BTCUSDT").unwrap())]);
        let mut bench = Self { market, events: Vec::new(), now: TsNs(SECOND), notes: Notes::default() };
        bench.market.on_down(0, bench.now, &mut |event| bench.events.push(event));
        bench.market.on_open(0, bench.now, &mut |event| bench.events.push(event));
        bench.market.on_subscribed(0, bench.now, &mut |event| bench.events.push(event));
        bench
    }

    /// Subscribed, in step at id 100 with 10 bid for 1 and 12 asked for 1.
    fn live(settings: &FeedSettings) -> Self {
        let mut bench = Self::new(settings);
        assert!(bench.snapshot(100));
        bench.events.clear();
        bench
    }

    fn message(&mut self, text: &str) {
        let mut payload = text.as_bytes().to_vec();
        self.market.on_message(&mut payload, self.now, &mut self.notes, &mut |event| self.events.push(event));
    }

    fn snapshot(&mut self, id: u64) -> bool {
        let mut body =
            format!(r#"{{"lastUpdateId":{id},"bids":[["10","1"]],"asks":[["12","1"]]}}"#).into_bytes();
        self.market.on_snapshot(0, &mut body, self.now, &mut |event| self.events.push(event))
    }

    fn wait(&mut self, ns: u64) -> Option<usize> {
        self.now.0 += ns;
        self.market.check_silence(self.now, &mut |event| self.events.push(event)).map(|(_, place)| place)
    }

    fn depth(&mut self, first: u64, last: u64, bid: &str, qty: &str) {
        self.message(&format!(
            r#"{{"e":"depthUpdate","E":1700000000000,"s":"BTCUSDT","U":{first},"u":{last},"b":[["{bid}","{qty}"]],"a":[]}}"#
        ));
    }

    fn quote(&mut self, id: u64, bid: &str, ask: &str) {
        self.message(&format!(r#"{{"u":{id},"s":"BTCUSDT","b":"{bid}","B":"1","a":"{ask}","A":"1"}}"#));
    }

    fn trade(&mut self, id: u64) {
        self.message(&format!(
            r#"{{"e":"trade","E":1700000000001,"s":"BTCUSDT","t":{id},"p":"11","q":"2","T":1700000000000,"m":true,"M":true}}"#
        ));
    }

    /// What was emitted since the last call, in short.
    fn said(&mut self) -> Vec<String> {
        let events = std::mem::take(&mut self.events);
        for event in &events {
            assert_eq!((event.seq, event.instrument), (0, InstrumentId(5)));
            assert!(event.ts_recv <= self.now);
        }
        events
            .iter()
            .map(|event| match event.body {
                EventBody::Feed(state) => format!("{state:?}"),
                EventBody::Book(update) if update.is_snapshot_start => {
                    format!("snapshot {}", update.update_id)
                }
                EventBody::Book(update) => format!("book {}", update.update_id),
                EventBody::Quote(quote) => format!("quote {}", quote.update_id),
                EventBody::Trade(trade) => format!("trade {}", trade.trade_id),
                EventBody::Bar(_, bar) => format!("bar {}", bar.open_ts.as_ms()),
                other => format!("{other:?}"),
            })
            .collect()
    }
}

#[test]
fn a_feed_comes_up_in_order() {
    let mut bench = Bench::new(&settings());
    bench.depth(101, 103, "11", "1");
    assert_eq!(bench.said(), ["Down", "Syncing"]);
    assert_eq!(bench.market.next_wanted(0), Some(0));
    assert!(!bench.market.is_live());
    assert!(bench.snapshot(100));
    // Bids and asks are two events; the buffered delta is in them.
    assert_eq!(bench.said(), ["snapshot 103", "book 103", "Live"]);
    assert_eq!(bench.market.next_wanted(0), None);
    assert!(bench.market.is_live());
}

#[test]
fn events_carry_the_venues_stamp_and_the_aggressor() {
    let mut bench = Bench::live(&settings());
    bench.trade(7);
    bench.quote(101, "10", "12");
    bench.depth(101, 101, "9", "1");
    let stamp = TsNs::from_ms(1_700_000_000_000);
    let stamps: Vec<_> = bench.events.iter().map(|event| event.ts_event).collect();
    assert_eq!(stamps, [stamp, bench.now, stamp]);
    let EventBody::Trade(trade) = bench.events[0].body else { panic!("{:?}", bench.events[0]) };
    assert_eq!((trade.aggressor, trade.price), (Side::Sell, Price(11 * 100_000_000)));
}

#[test]
fn what_only_repeats_the_past_is_dropped() {
    let mut bench = Bench::live(&settings());
    bench.quote(99, "9", "12");
    bench.depth(101, 105, "9", "1");
    bench.depth(101, 105, "9", "1");
    bench.quote(104, "9", "12");
    bench.quote(106, "10", "12");
    bench.quote(106, "10", "12");
    bench.trade(7);
    bench.trade(7);
    bench.trade(6);
    bench.trade(9);
    assert_eq!(bench.said(), ["book 105", "quote 106", "trade 7", "trade 9"]);
    let counters = bench.market.counters();
    assert_eq!((counters.old, counters.trade_gaps, counters.refused), (6, 1, 0));
}

#[test]
fn a_gap_silences_book_and_quotes_until_the_new_snapshot() {
    let mut bench = Bench::live(&settings());
    bench.depth(102, 103, "9", "1");
    bench.quote(104, "10", "12");
    bench.trade(7);
    assert_eq!(bench.said(), ["Syncing", "trade 7"]);
    assert_eq!(bench.market.next_wanted(0), Some(0));
    assert!(!bench.snapshot(100), "a snapshot from before the gap is no help");
    assert_eq!(bench.said(), [""; 0]);
    assert!(bench.snapshot(102));
    bench.quote(105, "10", "12");
    assert_eq!(bench.said(), ["snapshot 103", "book 103", "Live", "quote 105"]);
    assert_eq!((bench.market.counters().gaps, bench.market.counters().resyncs), (1, 2));
    assert!(bench.market.take_hasty());
}

#[test]
fn impossible_books_and_quotes_are_not_passed_on() {
    let mut bench = Bench::live(&settings());
    bench.quote(101, "12", "12");
    bench.quote(102, "13", "12");
    bench.quote(103, "0", "12");
    assert_eq!(bench.said(), [""; 0]);
    assert_eq!(bench.market.counters().refused, 3);
    bench.depth(101, 101, "12", "1");
    assert_eq!(bench.said(), ["Syncing"]);
    assert!(bench.snapshot(101));
    bench.said();
    // The quote says that 10 is bid for 1, the book at the same id says for 5.
    bench.quote(104, "10", "12");
    bench.depth(102, 104, "10", "5");
    assert_eq!(bench.said().last().map(String::as_str), Some("Syncing"));
    assert_eq!(bench.market.counters().invalid_books, 2);
}

#[test]
fn garbage_is_counted_and_changes_nothing() {
    let mut bench = Bench::live(&settings());
    for text in
        ["", "{", "[]", "{}", r#"{"u":1,"s":"ETHUSDT","b":"1","B":"1","a":"2","A":"1"}"#, r#"{"e":"x"}"#]
    {
        bench.message(text);
    }
    bench.message(r#"{"e":"24hrTicker","s":"BTCUSDT"}"#);
    assert_eq!(bench.said(), [""; 0]);
    assert_eq!((bench.market.counters().refused, bench.market.counters().messages), (6, 7));
    assert!(bench.market.is_live());
}

#[test]
fn silence_is_stale_and_one_new_message_of_each_kind_ends_it() {
    let mut bench = Bench::live(&settings());
    assert_eq!(bench.wait(4 * SECOND), None);
    bench.depth(101, 101, "9", "1");
    assert_eq!(bench.said(), ["book 101"]);
    // Quotes have been silent for six seconds, depth for two.
    assert_eq!(bench.wait(2 * SECOND), None);
    assert_eq!(bench.said(), ["Stale"]);
    assert!(!bench.market.is_live());
    // Patience ends: the streams are to be asked for again, once.
    assert_eq!(bench.wait(5 * SECOND + 1), Some(0));
    assert_eq!(bench.wait(1), None);
    bench.quote(102, "10", "12");
    bench.depth(102, 102, "9", "2");
    assert_eq!(bench.said(), ["quote 102", "book 102", "Live"]);
}

#[test]
fn a_book_that_only_hears_of_the_past_is_fetched_anew() {
    let mut bench = Bench::live(&settings());
    for _ in 0..7 {
        bench.depth(1, 2, "9", "1");
        bench.quote(1_000 + bench.now.0 / SECOND, "10", "12");
        bench.wait(SECOND);
    }
    assert!(bench.said().ends_with(&["Stale".to_owned(), "Syncing".to_owned()]));
    assert_eq!(bench.market.next_wanted(0), Some(0));
    // The venue's ids have gone back: the book follows.
    bench.depth(3, 4, "9", "1");
    assert!(bench.snapshot(3));
    assert!(bench.said().contains(&"snapshot 4".to_owned()));
}

#[test]
fn a_lost_connection_leaves_nothing_behind() {
    let mut bench = Bench::live(&settings());
    bench.market.on_down(0, bench.now, &mut |event| bench.events.push(event));
    assert_eq!(bench.said(), ["Down"]);
    assert_eq!(bench.market.book(0).and_then(|book| book.id()), None);
    bench.market.on_open(0, bench.now, &mut |event| bench.events.push(event));
    bench.market.on_subscribed(0, bench.now, &mut |event| bench.events.push(event));
    bench.depth(5, 6, "11", "1");
    assert!(bench.snapshot(5));
    assert_eq!(bench.said(), ["Syncing", "snapshot 6", "book 6", "Live"]);
}

#[test]
fn only_closed_sound_bars_become_events_once_and_second_thoughts_again() {
    let mut streams = Streams::default();
    (streams.klines[0], streams.klines[3]) = (Timeframe::parse("1m"), Timeframe::parse("1d"));
    let mut bench = Bench::live(&FeedSettings { streams, ..settings() });
    let mut bar = |open_ms: u64, low: &str, interval: &str, is_closed: bool| {
        let trades = u32::from(low != "4.5");
        bench.message(&format!(
            concat!(
                r#"{{"e":"kline","E":1,"s":"BTCUSDT","k":{{"t":{},"T":{},"s":"BTCUSDT","i":"{}","f":-1,"L":-1,"#,
                r#""o":"5","c":"6","h":"7","l":"{}","v":"1","n":{},"x":{},"q":"1","V":"1","Q":"1","B":"0"}}}}"#
            ),
            open_ms,
            open_ms + 59_999,
            interval,
            low,
            trades,
            is_closed
        ));
        bench.said()
    };
    assert_eq!(bar(60_000, "4", "1m", false), [""; 0]);
    assert_eq!(bar(60_000, "4", "1m", true), ["bar 60000"]);
    assert_eq!(bar(60_000, "4", "1m", true), [""; 0]);
    assert_eq!(bar(60_000, "3", "1m", true), ["bar 60000"]);
    assert_eq!(bar(60_000, "3", "1m", true), [""; 0]);
    assert_eq!(bar(120_000, "4", "1h", true), [""; 0]);
    assert_eq!(bar(120_000, "6", "1m", true), [""; 0]);
    assert_eq!(bar(120_001, "4", "1m", true), [""; 0]);
    assert_eq!(bar(180_000, "4", "1m", true), ["bar 180000"]);
    assert_eq!(bar(240_000, "4.5", "1m", true), [""; 0], "no trade, no bar");
    assert_eq!(bar(86_400_000, "4", "1d", true), ["bar 86400000"], "each length has its own order");
    assert_eq!(bar(300_000, "4", "1m", true), ["bar 300000"]);
}

#[test]
fn a_feed_without_depth_is_live_once_subscribed() {
    let streams = Streams { depth: false, trades: TradeStream::Aggregate, ..Streams::default() };
    let mut bench = Bench::new(&FeedSettings { streams, ..settings() });
    bench.quote(1, "10", "12");
    bench.trade(3);
    bench.message(
        r#"{"e":"aggTrade","E":1,"s":"BTCUSDT","a":9,"p":"1","q":"1","f":1,"l":2,"T":1,"m":false,"M":true}"#,
    );
    assert_eq!(bench.said(), ["Down", "Syncing", "Live", "quote 1", "trade 9"]);
    assert_eq!(bench.market.next_wanted(0), None);
}

#[test]
fn control_messages_are_noted() {
    let mut bench = Bench::live(&settings());
    bench.message(r#"{"result":null,"id":1}"#);
    bench.message(r#"{"code":2,"msg":"Invalid request: invalid stream"}"#);
    bench.message(r#"{"stream":"!serverShutdown","data":{"e":"serverShutdown","E":1770123456789}}"#);
    assert_eq!(bench.notes, Notes { acks: 1, is_refused: true, is_shutdown: true });
    bench.notes = Notes::default();
    bench.message(r#"{"error":{"code":2,"msg":"Invalid request"},"id":2}"#);
    assert!(bench.notes.is_refused);
}
