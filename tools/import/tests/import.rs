//! Files of every format become the events that stand in them: recorded files where they are at hand, small ones made here
//! in any case. What a file says was read by eye, not by this code.
#![allow(clippy::unwrap_used, clippy::panic, reason = "helpers of a test fail it")]

use smc_core::codec;
use smc_core::event::{Bar, Event, EventBody, FeedState, Quote, Trade};
use smc_core::words::{Name, Price, Qty, Side, Timeframe, TsNs};
use smc_import::{Format, ImportError, Job, Report, import};
use smc_journal::{Reader, RecordKind};
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

const SCALE: i64 = 100_000_000;

fn job(journal: &Path, files: &[&Path]) -> Job {
    Job {
        journal: journal.to_owned(),
        files: files.iter().map(|path| path.to_path_buf()).collect(),
        format: None,
        symbol: None,
        assets: (None, None),
        steps: (None, None),
        timeframe: None,
        config: None,
        segment_bytes: 1 << 20,
        is_strict: false,
    }
}

fn run(job: &Job) -> Result<Report, ImportError> {
    import(job, &mut |_| {}, &mut |_, _, _| {})
}

fn inputs(journal: &Path) -> Vec<Event> {
    let reader = Reader::open(journal).unwrap();
    let records = reader.records().map(Result::unwrap).filter(|record| record.kind == RecordKind::Input);
    let events = records.map(|record| {
        let event: Event = codec::decode(record.payload).unwrap();
        assert_eq!(event.seq, record.seq, "an input is numbered by its record");
        assert_eq!(event.ts_recv, record.ts);
        event
    });
    events.collect()
}

/// Rules and trust come first; then these.
fn told(journal: &Path) -> Vec<Event> {
    let events = inputs(journal);
    assert!(matches!(events[0].body, EventBody::Instrument(_)));
    assert!(matches!(events[1].body, EventBody::Feed(_)));
    assert!(events.is_sorted_by_key(|event| event.ts_recv));
    events[2..].to_vec()
}

/// Imports one text under a file name.
fn imported(name: &str, text: &str, change: impl FnOnce(&mut Job)) -> (Report, Vec<Event>) {
    let home = tempfile::tempdir().unwrap();
    let file = home.path().join(name);
    fs::write(&file, text).unwrap();
    let journal = home.path().join("journal");
    let mut job = job(&journal, &[&file]);
    change(&mut job);
    let report = run(&job).unwrap();
    let events = if report.files[0].events > 0 { told(&journal) } else { Vec::new() };
    (report, events)
}

fn shared(path: &str) -> Option<PathBuf> {
    let ancestors = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors();
    let found = ancestors.map(|at| at.join("shared/data").join(path)).find(|file| file.exists());
    if found.is_none() {
        println!("skipped: shared/data/{path} absent");
    }
    found
}

fn trade(price: i64, qty: i64, aggressor: Side, trade_id: u64) -> EventBody {
    EventBody::Trade(Trade { price: Price(price), qty: Qty(qty), aggressor, trade_id })
}

#[test]
fn archives_of_trades_with_and_without_header_in_milli_and_microseconds() {
    let head = "id,price,qty,quote_qty,time,is_buyer_maker\n";
    let rows = "5053880937,68402.6,0.024,1641.6624,1717113600031,false\n5053880938,68402.5,0.005,342.0125,1717113600130000,true\n";
    for text in [rows.to_owned(), head.to_owned() + rows, rows.replace('\n', "\r\n")] {
        let (report, events) = imported("BTCUSDT-trades-2024-05-31.csv", &text, |_| {});
        assert_eq!(report.files[0].format, "binance-trades");
        assert_eq!(events[0].body, trade(6_840_260_000_000, 2_400_000, Side::Buy, 5_053_880_937));
        assert_eq!(events[0].ts_event, TsNs(1_717_113_600_031_000_000));
        assert_eq!(events[1].body, trade(6_840_250_000_000, 500_000, Side::Sell, 5_053_880_938));
        assert_eq!(events[1].ts_event, TsNs(1_717_113_600_130_000_000));
        assert_eq!((events.len(), report.files[0].rows), (2, 2));
    }
}

#[test]
fn every_archive_layout_is_told_apart_and_read() {
    let quote = |bid, bid_qty, ask, ask_qty, update_id| {
        EventBody::Quote(Quote {
            bid: Price(bid),
            bid_qty: Qty(bid_qty),
            ask: Price(ask),
            ask_qty: Qty(ask_qty),
            update_id,
        })
    };
    let minute = Timeframe::parse("1m").unwrap();
    let bar = |open_ts, prices: [i64; 4], volume, trades| {
        let [open, high, low, close] = prices.map(|units| Price(units * SCALE / 100));
        EventBody::Bar(
            minute,
            Bar { open_ts: TsNs(open_ts), open, high, low, close, volume: Qty(volume), trades },
        )
    };
    let cases: [(&str, &str, &str, EventBody, u64); 9] = [
        (
            "BTCUSDT-aggTrades.csv",
            "binance-agg-trades",
            "0,0.2,50.0,0,0,1735689600010866,False,True\n",
            trade(20_000_000, 50 * SCALE, Side::Buy, 0),
            1_735_689_600_010_866_000,
        ),
        (
            "ETHUSDT-bookTicker.csv",
            "binance-book-ticker",
            "update_id,best_bid_price,best_bid_qty,best_ask_price,best_ask_qty,transaction_time,event_time\n3831603310013,2474.3,6.009,2474.31,44.757,1705276800000,1705276800005\n",
            quote(247_430_000_000, 600_900_000, 247_431_000_000, 4_475_700_000, 3_831_603_310_013),
            1_705_276_800_000_000_000,
        ),
        (
            "BTCUSDT-1m.csv",
            "binance-klines",
            "1735689600000,1.00,2.00,0.50,1.50,27,1735689659999,8.5,12,0,0,0\n",
            bar(1_735_689_600_000_000_000, [100, 200, 50, 150], 27 * SCALE, 12),
            1_735_689_660_000_000_000,
        ),
        (
            "FXSUSDT-x.csv",
            "sided-trades",
            "12410770,sell,25.3,7.503,1700179210707\n",
            trade(750_300_000, 2_530_000_000, Side::Sell, 12_410_770),
            1_700_179_210_707_000_000,
        ),
        (
            "a.csv",
            "bybit-trades",
            "timestamp,symbol,side,size,price,tickDirection,trdMatchID,grossValue,homeNotional,foreignNotional\n1696982287.4922,FXSUSDT,Sell,8.6e-1,5.2390,ZeroMinusTick,f7,4.5e+08,0.86,4.5\n",
            trade(523_900_000, 86_000_000, Side::Sell, 1),
            1_696_982_287_492_200_000,
        ),
        (
            "20140502_eurusd_tick_quote.csv",
            "lean-ticks",
            "45000001,1.38676,1.38686\n",
            quote(138_676_000, SCALE, 138_686_000, SCALE, 1),
            1_399_033_800_001_000_000,
        ),
        (
            "eurusd.csv",
            "lean-hours",
            "20070101 21:00,1.2,1.4,1.0,1.3,0,1.4,1.6,1.2,1.5,0\n",
            EventBody::Bar(
                Timeframe::parse("1h").unwrap(),
                Bar {
                    open_ts: TsNs(1_167_685_200_000_000_000),
                    open: Price(130_000_000),
                    high: Price(150_000_000),
                    low: Price(110_000_000),
                    close: Price(140_000_000),
                    volume: Qty(0),
                    trades: 1,
                },
            ),
            1_167_688_800_000_000_000,
        ),
        (
            "gbpusd-m1.csv",
            "ohlcv",
            "timestamp,open,high,low,close\n2025-01-01 00:00:00+00:00,1,2,0.5,1.5\n2025-01-01 00:01:00+00:00,1,2,0.5,1.5\n",
            bar(1_735_689_600_000_000_000, [100, 200, 50, 150], 0, 1),
            1_735_689_660_000_000_000,
        ),
        (
            "c.json",
            "oanda-candles",
            r#"{"instrument":"GBP_USD","granularity":"M1","candles":[{"complete":true,"volume":3,"time":"2025-01-01T00:00:00.000000000Z","bid":{"o":"0.9","h":"1.9","l":"0.4","c":"1.4"},"ask":{"o":"1.1","h":"2.1","l":"0.6","c":"1.6"}},{"complete":false,"volume":1,"time":"2025-01-01T00:01:00.000000000Z","mid":{"o":"1","h":"1","l":"1","c":"1"}}]}"#,
            bar(1_735_689_600_000_000_000, [100, 200, 50, 150], 3 * SCALE, 3),
            1_735_689_660_000_000_000,
        ),
    ];
    for (name, format, text, body, ts) in cases {
        let (report, events) = imported(name, text, |_| {});
        assert_eq!(report.files[0].format, format, "{name}");
        assert_eq!(events[0].body, body, "{name}");
        assert_eq!(events[0].ts_event, TsNs(ts), "{name}");
        assert!(report.files[0].refused.is_empty(), "{name}: {:?}", report.files[0].refused);
    }
}

#[test]
fn captured_feeds_keep_their_book_in_step() {
    let usdm = [
        r#"1723161255030314667 {"stream":"btcusdt@depth@0ms","data":{"e":"depthUpdate","E":2,"T":1,"s":"BTCUSDT","U":90,"u":99,"pu":80,"b":[["9","1"]],"a":[]}}"#,
        r#"1723161255030314668 {"lastUpdateId":100,"E":1723161256501,"T":1723161256493,"bids":[["10","1"],["9","1"],["8","1"],["7","1"]],"asks":[["12","1"],["13","1"],["14","1"],["15","1"]]}"#,
        r#"1723161255030314669 {"stream":"x","data":{"e":"depthUpdate","E":2,"T":1723161256494,"s":"BTCUSDT","U":100,"u":110,"pu":99,"b":[["11","5"]],"a":[]}}"#,
        r#"1723161255030314670 {"stream":"x","data":{"e":"depthUpdate","E":2,"T":1723161256495,"s":"BTCUSDT","U":150,"u":160,"pu":110,"b":[["11","0"]],"a":[]}}"#,
        r#"1723161255030314671 {"stream":"x","data":{"e":"trade","E":2,"T":1723161256496,"s":"BTCUSDT","t":7,"p":"11","q":"2","X":"MARKET","m":true}}"#,
        r#"1723161255030314672 {"stream":"x","data":{"e":"depthUpdate","E":2,"T":1723161256497,"s":"BTCUSDT","U":170,"u":180,"pu":165,"b":[["8","1"]],"a":[]}}"#,
        r#"1723161255030314673 {"stream":"x","data":{"e":"trade","E":2,"T":1723161256498,"s":"ETHUSDT","t":7,"p":"11","q":"2","X":"MARKET","m":true}}"#,
    ];
    let (report, events) = imported("feed.txt", &usdm.join("\n"), |job| job.symbol = Name::new("BTCUSDT"));
    let file = &report.files[0];
    assert_eq!(file.format, "binance-usdm-capture");
    let mut book = smc_core::book::Book::new();
    let mut states = Vec::new();
    for event in &events {
        match &event.body {
            EventBody::Book(update) => book.on_update(update, event.ts_recv),
            EventBody::Feed(state) => {
                book.on_feed(*state, event.ts_recv);
                states.push(*state);
            }
            EventBody::Trade(trade) => {
                assert_eq!((trade.trade_id, event.ts_recv), (7, TsNs(1_723_161_255_030_314_671)));
                assert_eq!(event.ts_event, TsNs(1_723_161_256_496_000_000));
                // Between the two: 11 was set and removed again.
                assert_eq!(book.trusted_top().unwrap().bid.price, Price(10 * SCALE));
            }
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(states, [FeedState::Live, FeedState::Syncing], "in step, and out of it at the gap");
    assert_eq!(file.skipped["gaps in the book's changes"], 1);
    assert_eq!(file.skipped["messages of other symbols"], 1);
}

#[test]
fn what_cannot_be_used_is_named_by_its_line_and_everything_else_is_taken() {
    let good = "1,100.5,2,201,1717113600031,true";
    let wrong = [
        "x,100.5,2,201,1717113600031,true",
        "1,-1,2,201,1717113600031,true",
        "1,0,2,201,1717113600031,true",
        "1,100.123456789,2,201,1717113600031,true",
        "1,1e99,2,201,1717113600031,true",
        "1,nan,2,201,1717113600031,true",
        "1,100.5,-2,201,1717113600031,true",
        "1,100.5,2,201,17,true",
        "1,100.5,2,201,yesterday,true",
        "1,100.5,2,201,1717113600031,perhaps",
        "1,100.5,2,201",
        "\u{0}\u{1}\u{2}",
        "1;100.5;2;201;1717113600031;true",
    ];
    let mut lines = vec![good];
    for line in wrong {
        lines.extend([line, good]);
    }
    let home = tempfile::tempdir().unwrap();
    let file = home.path().join("BTCUSDT-trades.csv");
    fs::write(&file, lines.join("\n")).unwrap();
    let journal = home.path().join("journal");
    let job = job(&journal, &[&file]);
    let mut refused = Vec::new();
    let report =
        import(&job, &mut |_| {}, &mut |_, line, reason| refused.push((line, reason.to_owned()))).unwrap();
    let expected: Vec<u64> = (1..=wrong.len() as u64).map(|nth| nth * 2).collect();
    assert_eq!(refused.iter().map(|(line, _)| *line).collect::<Vec<_>>(), expected, "{refused:?}");
    assert_eq!(report.files[0].taken, wrong.len() as u64 + 1);
    assert_eq!(report.files[0].refused.values().sum::<u64>(), wrong.len() as u64);
    assert_eq!(told(&journal).len(), wrong.len() + 1);

    // Strict: ends there, and what was written can be gone on with once the file is read leniently.
    let strict = Job { journal: home.path().join("strict"), is_strict: true, ..job.clone() };
    assert!(matches!(run(&strict), Err(ImportError::Row(_, 2, _))));
    run(&Job { is_strict: false, ..strict.clone() }).unwrap();
    assert_eq!(told(&strict.journal), told(&journal));
}

#[test]
fn plain_gzip_and_zip_give_the_same_journal() {
    let home = tempfile::tempdir().unwrap();
    let text: String = (0..5_000)
        .map(|n| format!("{n},{}.5,2,201,{},true\n", 100 + n % 7, 1_717_113_600_000u64 + n))
        .collect();
    let path = |name: &str| home.path().join(name);
    fs::write(path("BTCUSDT-trades.csv"), &text).unwrap();
    let mut gzip = flate2::write::GzEncoder::new(
        fs::File::create(path("BTCUSDT-trades.csv.gz")).unwrap(),
        flate2::Compression::fast(),
    );
    gzip.write_all(text.as_bytes()).unwrap();
    gzip.finish().unwrap();
    let mut zip = zip::ZipWriter::new(fs::File::create(path("BTCUSDT-trades.zip")).unwrap());
    zip.start_file("BTCUSDT-trades.csv", zip::write::SimpleFileOptions::default()).unwrap();
    zip.write_all(text.as_bytes()).unwrap();
    zip.finish().unwrap();
    let all = ["BTCUSDT-trades.csv", "BTCUSDT-trades.csv.gz", "BTCUSDT-trades.zip"].map(|name| {
        let journal = path(&format!("{name}-journal"));
        run(&job(&journal, &[&path(name)])).unwrap();
        told(&journal)
    });
    assert_eq!(all[0].len(), 5_000);
    assert_eq!(all[0], all[1]);
    assert_eq!(all[0], all[2]);
}

/// Interrupted anywhere and begun again: the same inputs, to the byte. The interruption is a prefix of the journal, as a
/// kill leaves one.
#[test]
fn an_interrupted_import_goes_on_to_the_same_end() {
    let home = tempfile::tempdir().unwrap();
    let file = |name: &str, from: u64| {
        let text: String = (from..from + 4_000)
            .map(|n| format!("{n},{}.25,0.5,50,{},{}\n", 100 + n % 13, 1_717_113_600_000u64 + n, n % 2 == 0))
            .collect();
        let path = home.path().join(name);
        fs::write(&path, text).unwrap();
        path
    };
    let (a, b) = (file("BTCUSDT-trades-1.csv", 0), file("BTCUSDT-trades-2.csv", 4_000));
    let whole = home.path().join("whole");
    run(&job(&whole, &[&a, &b])).unwrap();
    let expected = inputs(&whole);
    assert_eq!(expected.len(), 2 * 4_002);
    let mut seed: u64 = 0x9E37_79B9;
    for round in 0..6 {
        seed = seed.wrapping_mul(0x5851_F42D_4C95_7F2D).wrapping_add(1);
        let cut = home.path().join(format!("cut-{round}"));
        let keep = 1 + (seed >> 33) % 8_000;
        prefix(&whole, &cut, keep);
        let report = run(&job(&cut, &[&a, &b])).unwrap();
        assert_eq!(inputs(&cut), expected, "round {round}, {keep} records kept");
        assert!(report.files.iter().any(|file| file.events_before > 0 || file.was_there));
        // Once more: nothing to do.
        let again = run(&job(&cut, &[&a, &b])).unwrap();
        assert!(again.files.iter().all(|file| file.was_there));
        assert_eq!(inputs(&cut), expected);
    }
    // A file that changed since, and another one first.
    let cut = home.path().join("changed");
    prefix(&whole, &cut, 2_000);
    assert!(matches!(run(&job(&cut, &[&b])), Err(ImportError::Unfinished(_))));
    let changed = fs::read_to_string(&a).unwrap().replace("100.25", "100.75");
    fs::write(&a, changed).unwrap();
    assert!(matches!(run(&job(&cut, &[&a])), Err(ImportError::Changed(_))));
}

/// The first `count` records of a journal, as a writer that was killed leaves them.
fn prefix(from: &Path, to: &Path, count: u64) {
    let reader = Reader::open(from).unwrap();
    let settings = smc_journal::JournalSettings {
        segment_bytes: 1 << 20,
        sync: smc_journal::SyncPolicy::Off,
        ..smc_journal::JournalSettings::new(to)
    };
    let mut writer = smc_journal::Writer::create(&settings, reader.header()).unwrap();
    for record in reader.records().map(Result::unwrap).take(count as usize) {
        writer.append(record.kind, record.ts, record.payload).unwrap();
    }
}

#[test]
fn what_is_no_file_of_ours_is_refused_in_words() {
    let home = tempfile::tempdir().unwrap();
    for (name, text, named) in [
        ("a.csv", "", "empty"),
        ("a.csv", "hello world\n", "--format"),
        ("a.json", "{\"a\":1}\n", "--format"),
        ("1.csv", "1,100.5,2,201,1717113600031,true\n", "--symbol"),
        ("ABCXYZ-trades.csv", "1,100.5,2,201,1717113600031,true\n", "--base"),
        ("a.zip", "PK\u{3}\u{4}nonsense", "ip"),
    ] {
        let file = home.path().join(name);
        fs::write(&file, text).unwrap();
        let error = run(&job(&home.path().join("journal"), &[&file])).err().unwrap().to_string();
        assert!(error.contains(named), "{name} {text:?}: {error}");
        let _ = fs::remove_dir_all(home.path().join("journal"));
    }
}

#[test]
fn recorded_files_have_the_counts_that_their_readme_says() {
    let count = |events: &[Event], what: fn(&EventBody) -> bool| {
        events.iter().filter(|event| what(&event.body)).count()
    };
    let is_trade = |body: &EventBody| matches!(body, EventBody::Trade(_));
    let is_quote = |body: &EventBody| matches!(body, EventBody::Quote(_));
    let is_bar = |body: &EventBody| matches!(body, EventBody::Bar(..));
    // The README counts the line ends of the collector's file; its last row has none.
    for (path, symbol, trades, quotes, bars) in [
        ("market/binance/spot_btcusdt_20240809.gz", None, 10_147, 45_134, 0),
        ("market/binance/usdm_btcusdt_20240808.gz", None, 21_313, 66_089, 0),
        ("market/binance/FXSUSDT-aggTrades-2023-11-17.csv", None, 3_600, 0, 0),
        ("market/bybit/FXSUSDT-ticks-2023-10-10.csv", None, 15, 0, 0),
        ("market/crypto-1m/btc-perp-20211231-20220201_1m.csv.gz", Some("BTCUSD"), 0, 0, 45_031),
        ("market/fxcm/gbpusd-m1-bid-2012.csv.gz", None, 0, 0, 30_117),
        ("market/oanda/eurusd_hour.zip", None, 0, 0, 74_439),
        ("market/oanda/eurusd_tick_20140502_quote.zip", None, 0, 49_341, 0),
    ] {
        let Some(file) = shared(path) else { continue };
        let home = tempfile::tempdir().unwrap();
        let mut job = job(home.path(), &[&file]);
        job.symbol = symbol.and_then(Name::new);
        let report = run(&job).unwrap();
        let events = told(home.path());
        assert_eq!(count(&events, is_trade), trades, "{path}");
        assert_eq!(count(&events, is_quote), quotes, "{path}");
        assert_eq!(count(&events, is_bar), bars, "{path}");
        assert!(report.files[0].refused.is_empty(), "{path}: {:?}", report.files[0].refused);
    }
}

/// Wherever a recorded best bid and ask has the number that the book has, the two agree.
#[test]
fn the_recorded_futures_book_agrees_with_best_bid_and_ask() {
    let Some(file) = shared("market/binance/usdm_btcusdt_20240808.gz") else { return };
    let home = tempfile::tempdir().unwrap();
    run(&job(home.path(), &[&file])).unwrap();
    let mut book = smc_core::book::Book::new();
    let (mut is_live, mut agreed, mut last) = (false, 0, None);
    for event in told(home.path()) {
        match event.body {
            EventBody::Feed(state) => {
                is_live = state == FeedState::Live;
                book.on_feed(state, event.ts_recv);
            }
            EventBody::Book(update) => {
                book.on_update(&update, event.ts_recv);
                if is_live
                    && update.is_last
                    && let Some(quote) = last.filter(|quote: &Quote| quote.update_id == update.update_id)
                {
                    let top = book.trusted_top().unwrap();
                    assert_eq!((top.bid.price, top.ask.price), (quote.bid, quote.ask));
                    agreed += 1;
                }
            }
            EventBody::Quote(quote) => last = Some(quote),
            _ => {}
        }
    }
    assert!(agreed > 10, "{agreed} places where both have a number");
}

#[test]
fn every_format_has_a_word() {
    for format in Format::ALL {
        assert_eq!(format.word().parse(), Ok(*format));
    }
    assert!("parquet".parse::<Format>().unwrap_err().contains("ohlcv"));
}
