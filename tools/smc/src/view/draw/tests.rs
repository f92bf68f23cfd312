//! Frames painted into memory.

use super::super::model::samples::{Word, market, short_and_stopped};
use super::*;
use ratatui::Terminal;
use ratatui::backend::TestBackend;
use smc_runtime::latency::Percentiles;
use std::collections::BTreeMap;

fn told(words: Vec<Word>) -> Model {
    let mut model = Model::default();
    for word in words {
        match word {
            Word::Event(event) => model.on_event(&event),
            Word::Output(output) => model.on_output(&output),
        }
    }
    model
}

fn status() -> Status {
    let wire = Percentiles { p50: 17_600, p99: 420_900, p999: 500_000, max: 1_250_000, count: 14 };
    Status {
        held: Vec::new(),
        state: "NORMAL".into(),
        seq: 18_658,
        time_ns: 0,
        events_in: 20_000,
        orders_sent: 4,
        cancels_sent: 0,
        orders_denied: 0,
        open_orders: 0,
        fills: 3,
        signals: 1,
        structures: 228,
        positions: BTreeMap::new(),
        last_prices: BTreeMap::new(),
        equity: "999744.32".into(),
        realised_pnl: "-2.1".into(),
        latency_ns: BTreeMap::from([("wire_to_wire".into(), wire)]),
        latency_samples_lost: 0,
        feed: BTreeMap::from([("messages".into(), 9_000)]),
        gateway_ready: true,
        digest: "0123456789abcdef0123456789abcdef".into(),
        ..Status::default()
    }
}

/// As a control socket would send it: one of everything.
fn picture() -> Picture {
    let text = r#"{
        "seq": 18658, "time": 1700000000000000000, "state": "REDUCE_ONLY",
        "held": [{"scope": "instrument 0", "name": "instrument BTCUSDT", "control": "flash move", "state": "REDUCE_ONLY"}],
        "instruments": [{"id": 0, "symbol": "BTCUSDT", "venue": "binance-spot", "status": "trading",
            "position": "-0.5", "average": "61200", "last": "61100", "bid": "61099.5", "ask": "61100.5",
            "is_trusted": true, "mark": "61100", "open_pnl": "50", "realised": "-2.1", "fees": "1", "feed": "live",
            "feed_since": 1700000000000000000, "last_price_at": 1699999999000000000, "open_orders": 1,
            "reconcile": "NORMAL", "reconcile_cause": null, "plan": null, "leaving": null, "charts": []}],
        "orders": [{"client_order_id": "x0001000100000001", "venue_order_id": 7, "instrument": 0,
            "symbol": "BTCUSDT", "side": "buy", "kind": "stop limit", "purpose": "stop", "price": "61400",
            "stop_price": "61390", "qty": "0.5", "filled": "0", "status": "working", "sent_at": 1699999999000000000,
            "strategy": 1, "signal": 3, "is_adopted": false}],
        "limits": [
            {"scope": "engine", "scope_name": "engine", "name": "gross_max", "unit": "USDT", "limit": "100000",
                "used": "30550", "use_ppm": 305000, "raw": 10000000000000},
            {"scope": "instrument 0", "scope_name": "instrument BTCUSDT", "name": "position_qty_max", "unit": "base",
                "limit": "0.5", "used": "0.5", "use_ppm": 1000000, "raw": 50000000},
            {"scope": "engine", "scope_name": "engine", "name": "collar_ppm", "unit": "ratio", "limit": "0.01",
                "used": null, "use_ppm": null, "raw": 10000}],
        "money": {"asset": "USDT", "equity": "999744.32", "equity_high": "1000000", "realised": "-2.1", "open": "50",
            "fees": "1", "gross": "30550", "net": "-30550", "var_ppm": null, "drawdown_ppm": 256, "daily_loss_ppm": 256},
        "strategies": [], "venues": [{"number": 0, "name": "binance-spot", "gateway": "ready", "feed": "live",
            "budget_left": 5900, "budget_limit": 6000, "banned_until": null, "clock_offset_ns": -1200000,
            "key_can_trade": true, "key_can_withdraw": false, "reconnects": 2, "last_round": null}],
        "counts": {"structures": {}, "decisions": 0, "denials": {}, "acks": 0, "rejects": {}, "ring_full": 0,
            "alerts": {}, "state_changes": 0, "acts": {}, "signals": 0, "fills": 0},
        "alerts": [{"seq": 18001, "ts": 1700000000000000000, "kind": "control", "scope": "instrument BTCUSDT",
            "order": null, "detail": 12, "state": null, "text": "flash move acted"}],
        "acts": [{"seq": 18002, "ts": 1700000000000000000, "command": "pause", "scope": "engine", "limit": "",
            "value": 0, "operator": 1000, "reason": "news", "state": "REDUCE_ONLY"}],
        "last_order": 17000,
        "journal": {"seq": 18658, "state": "good", "unsynced_ns": null, "segment": 0, "is_closed": false},
        "digest": "00"
    }"#;
    serde_json::from_str(text).unwrap()
}

const PAGES: [Page; 5] = [Page::Market, Page::Risk, Page::Orders, Page::Venues, Page::Alerts];

fn painted(model: &Model, choice: Choice, width: u16, height: u16) -> String {
    let mut terminal = Terminal::new(TestBackend::new(width, height)).unwrap();
    let (status, theme, picture) = (status(), Theme::new(Depth::Exact), picture());
    let scene = Scene {
        model,
        status: &status,
        theme: &theme,
        choice,
        speed: 60.0,
        topology: "inline",
        events_per_second: 4_321,
        picture: Some(&picture),
        has_kill: true,
        word: None,
    };
    terminal.draw(|frame| draw(&scene, frame)).unwrap();
    let buffer = terminal.backend().buffer();
    let rows = buffer.content().chunks(usize::from(width.max(1)));
    rows.map(|row| row.iter().map(|cell| cell.symbol()).collect::<String>() + "\n").collect()
}

fn assert_shows(text: &str, words: &[&str]) {
    for word in words {
        assert!(text.contains(word), "`{word}` is missing in\n{text}");
    }
}

/// The entry is filled in part, its stop is working.
fn in_a_trade() -> Model {
    let mut words = short_and_stopped();
    words.truncate(words.len() - 4);
    told(words)
}

#[test]
fn a_small_terminal_shows_what_matters() {
    let text = painted(&in_a_trade(), Choice::default(), 80, 24);
    assert_shows(
        &text,
        &[
            "BTCUSDT",
            "100.40",
            "00:00:44",
            "60×",
            "NORMAL",
            "● feed",
            "● orders",
            " 5s ",
            "▼ short 1.000",
            "realised -0.10",
            "equity 999 744.32",
            "2 working",
            "▲ stop  3.000 @ 101.00",
            "33%",
            "BOS",
            "OB 1",
            "FVG 1",
            "EQ 1",
            "signal 1 short",
            "wire→wire",
            "p99.9 500µs",
            "max 1.25ms",
            "events/s 4 321",
            "digest 0123",
            "q quit",
            "entry",
        ],
    );
}

#[test]
fn a_large_terminal_shows_everything() {
    let text = painted(&in_a_trade(), Choice::default(), 145, 45);
    assert_shows(
        &text,
        &[
            "BTCUSDT  100.40 ▼",
            "2026-01-01 00:00:44 UTC",
            "inline",
            "feed live",
            "orders ready",
            "▼ short 1.000 @ 100.50",
            "open +0.10",
            "fees 0.60",
            "won 0  lost 0",
            "▼ entry",
            "▲ stop",
            "100.50",
            "fills",
            "sell 1.000 @ 100.50",
            "log",
            "sweep",
            "order block",
            "equal levels",
            "EQL2",
            "OB▼",
            "FVG▼",
            "wire → decision",
            "decision → wire",
            "wire → wire",
            "17.6µs",
            "421µs",
            "1.25ms",
            "journal record",
            "feed messages 9 000",
            "0123456789abcdef0123456789abcdef",
            "tab 1-9 timeframe",
            "00:00:00",
        ],
    );
}

#[test]
fn a_position_without_a_stop_is_called_out() {
    let mut words = short_and_stopped();
    // Up to the first fill; the stop comes after it.
    words.truncate(words.len() - 8);
    words.push(super::super::model::samples::report(44, 11, smc_core::event::OrderUpdateKind::Ack));
    words.extend(super::super::model::samples::fill(44, 11, 10_050, -1, -1, -10));
    assert_shows(&painted(&told(words), Choice::default(), 145, 45), &["no stop"]);
    assert!(!painted(&in_a_trade(), Choice::default(), 145, 45).contains("no stop"));
}

#[test]
fn an_empty_model_says_what_it_waits_for() {
    assert_shows(&painted(&Model::default(), Choice::default(), 80, 24), &["waiting", "flat", "NORMAL"]);
}

#[test]
fn the_other_pages_show_what_the_observer_sees() {
    let page = |page| painted(&in_a_trade(), Choice { page, ..Choice::default() }, 130, 40);
    let risk = page(Page::Risk);
    assert_shows(&risk, &["REDUCE_ONLY", "flash move", "position_qty_max", "100.0%", "30.5%", "999 744.32"]);
    let (most, less) = (risk.find("position_qty_max").unwrap(), risk.find("gross_max").unwrap());
    assert!(most < less && less < risk.find("collar_ppm").unwrap(), "the most used first\n{risk}");
    assert_shows(&page(Page::Orders), &["-0.5 @ 61200", "+50.00", "0 of 0.5 @ 61400 stop 61390", "working"]);
    assert_shows(&page(Page::Venues), &["binance-spot", "ready", "5900 of 6000", "-1.2 ms", "1.0 s ago"]);
    assert_shows(&page(Page::Alerts), &["flash move acted", "18001", "pause", "user 1000", "news"]);
}

#[test]
fn no_size_and_no_choice_panics() {
    let models = [Model::default(), told(market()), in_a_trade(), told(short_and_stopped())];
    let sizes =
        (1..=60).flat_map(|height| [1, 2, 3, 7, 12, 23, 31, 64, 80, 101, 133, 160, 200].map(|w| (w, height)));
    for (width, height) in sizes.chain((1..=200).map(|width| (width, 24))) {
        for (nth, model) in models.iter().enumerate() {
            let choice = Choice {
                market: nth / 3,
                timeframe: usize::from(width % 3),
                pitch: usize::from(height % 4),
                page: Page::Market,
            };
            painted(model, choice, width, height);
        }
        for page in PAGES {
            painted(&models[2], Choice { page, ..Choice::default() }, width, height);
        }
    }
}

/// Prices at the ends of their range come from no venue, but a journal may hold them.
#[test]
fn no_price_panics() {
    use super::super::model::samples::{bar, fill, news, order, trade};
    use smc_core::output::{Purpose, StructureKind};
    use smc_core::words::Side;
    const FAR: i64 = i64::MAX / 1_000_000;
    for (low, high) in [(-FAR, FAR), (FAR, FAR), (-FAR, -FAR), (0, 0), (FAR, -FAR)] {
        let mut words = vec![trade(1, low), trade(2, high), bar(0, [low, high, low, high]), trade(7, high)];
        words.push(news(StructureKind::FvgCreated, 1, u32::MAX, 0, [low, high]));
        words.push(news(StructureKind::PoolFormed, 2, 0, u32::MAX, [low, high]));
        words.push(news(StructureKind::Choch, 3, 7, u32::MAX - 1, [high, high]));
        words.push(order(1, Side::Buy, Purpose::Stop, high));
        words.extend(fill(8, 1, low, 90_000_000_000, 90_000_000_000, FAR));
        let model = told(words);
        for (width, height) in [(80, 24), (200, 60), (20, 8)] {
            painted(&model, Choice::default(), width, height);
        }
    }
}
