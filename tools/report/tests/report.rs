//! What a report promises, on made runs.
#![allow(clippy::unwrap_used, reason = "tests may panic")]

mod made;

use smc_backtest::{Costs, Ended, EquityPoint, Outcome, Record, Trade};
use smc_core::digest::Digest;
use smc_core::engine::Counters;
use smc_core::output::{Purpose, Scope, Signal, Structure, StructureKind};
use smc_core::words::{Direction, InstrumentId, Money, Name, Price, Qty, Timeframe, TsNs};
use smc_metrics::bootstrap::Resampling;
use smc_metrics::figure::Undefined;
use smc_metrics::promotion::{Bound, Criterion};
use smc_report::figures::Group;
use smc_report::{Benchmark, Instrument, Meta, Report, Source, TrialCount, Verdict, chart, files, page};
use std::collections::BTreeMap;
use std::path::Path;

const DAY: u64 = 86_400_000_000_000;
const START: u64 = 1_704_067_200_000_000_000;

fn money(text: &str) -> Money {
    Money::parse(text.as_bytes()).unwrap()
}

fn price(text: &str) -> Price {
    Price::parse(text.as_bytes()).unwrap()
}

fn at(day: u64, minutes: u64) -> TsNs {
    TsNs(START + day * DAY + minutes * 60_000_000_000)
}

fn quick(title: &str) -> Meta {
    Meta { resampling: Resampling { seed: 1, resamples: 50, block_mean: None }, ..Meta::new(title) }
}

/// A run of nothing.
fn empty() -> Outcome {
    Outcome {
        span: (at(0, 0), at(0, 0)),
        currency: Name::new("USDT").unwrap(),
        starting_equity: money("1000"),
        equity: money("1000"),
        trades: Vec::new(),
        open: Vec::new(),
        points: Vec::new(),
        period_ns: DAY,
        costs: Costs::default(),
        counters: Counters::default(),
        denied: [0; 32],
        inputs: 0,
        digest: Digest::default(),
        ended: Ended::EndOfData,
        record: Record::default(),
    }
}

/// Six days, two trades and one that is open, over the turn of a year.
fn small() -> Outcome {
    let timeframe = Timeframe::parse("15m").unwrap();
    let signal = Signal {
        id: 1,
        strategy: 0,
        instrument: InstrumentId(0),
        direction: Direction::Up,
        entry: price("100"),
        stop: price("98"),
        target: price("104"),
        reasons: [5, 6, 7, 0, 0, 0],
    };
    let won = Trade {
        instrument: InstrumentId(0),
        direction: Direction::Up,
        signal: Some(signal),
        opened: at(1, 60),
        closed: at(2, 90),
        qty: Qty::parse(b"5").unwrap(),
        entry: price("100"),
        exit: price("104"),
        gross: money("20"),
        fees: money("1"),
        cash: money("-0.5"),
        net: money("18.5"),
        risked: money("10"),
        mae: money("4"),
        mfe: money("20"),
        exit_by: Some(Purpose::Target),
        slippage: Money::ZERO,
        fills: 2,
    };
    let lost = Trade {
        signal: None,
        direction: Direction::Down,
        opened: at(3, 0),
        closed: at(3, 45),
        exit: price("101"),
        gross: money("-5"),
        fees: money("1"),
        cash: Money::ZERO,
        net: money("-6"),
        risked: Money::ZERO,
        mae: money("5"),
        mfe: money("1"),
        exit_by: Some(Purpose::Flatten),
        ..won
    };
    let open = Trade {
        net: money("2"),
        gross: money("2.5"),
        fees: money("0.5"),
        cash: Money::ZERO,
        exit_by: None,
        ..won
    };
    let structure = |kind, id, cause_id, top: &str, bottom: &str| Structure {
        instrument: InstrumentId(0),
        timeframe,
        kind,
        direction: Direction::Up,
        id,
        cause_id,
        bar: 2,
        known_bar: 4,
        top: price(top),
        bottom: price(bottom),
        extra: 1_250_000,
        value: 0,
        scope: Scope::Swing,
    };
    let swept =
        Structure { direction: Direction::Down, ..structure(StructureKind::LevelSwept, 5, 0, "97", "97") };
    let point = |day: u64, equity: &str, low: &str, exposure: &str, exposed_ns| EquityPoint {
        ts: at(day, 1_439),
        equity: money(equity),
        low: money(low),
        exposure: money(exposure),
        turnover: money("100"),
        exposed_ns,
    };
    Outcome {
        span: (TsNs(START - DAY), at(5, 0)),
        equity: money("1014.5"),
        trades: vec![won, lost],
        open: vec![open],
        points: vec![
            EquityPoint { ts: TsNs(START - 1), ..point(0, "1000", "1000", "0", 0) },
            point(0, "1000", "995", "0", 0),
            point(1, "1010", "996", "505", DAY / 2),
            point(2, "1018.5", "1010", "0", DAY / 4),
            point(3, "1012.5", "1011", "0", DAY / 24),
            point(4, "1014.5", "1012", "500", DAY),
        ],
        costs: Costs {
            maker_fees: money("1.5"),
            taker_fees: money("1"),
            spread: money("0.2"),
            impact: money("0.1"),
            funding: money("0.5"),
            financing: Money::ZERO,
            turnover: money("1500"),
            fills: [3, 2],
        },
        denied: std::array::from_fn(|nth| u64::from(nth == 9) * 3),
        inputs: 77,
        record: Record {
            bars: Vec::new(),
            structures: vec![
                (at(0, 60), swept),
                (at(0, 120), structure(StructureKind::Choch, 6, 5, "99", "99")),
                (at(0, 120), structure(StructureKind::ObCreated, 7, 6, "100", "98.5")),
            ],
        },
        ..empty()
    }
}

fn file(meta: &Meta, outcome: &Outcome, name: &str) -> String {
    files(meta, outcome).unwrap().into_iter().find(|(known, _)| *known == name).unwrap().1
}

/// Rows of figures on a page: by name, with their HTML.
fn rows(html: &str) -> Vec<(&str, &str)> {
    let pieces = html.split(" data-metric=\"").skip(1);
    pieces
        .map(|piece| {
            let (name, rest) = piece.split_once('"').unwrap();
            let end = rest.find("</tr>").unwrap_or(rest.len()).min(rest.find("</div>").unwrap_or(rest.len()));
            (name, &rest[..end])
        })
        .collect()
}

/// The text inside of the first element with this class.
fn inside<'a>(html: &'a str, class: &str) -> Option<&'a str> {
    let mut from = 0;
    while let Some(found) = html[from..].find("class=\"") {
        let start = from + found + 7;
        let names = &html[start..start + html[start..].find('"')?];
        from = start + names.len();
        if names.split(' ').any(|name| name == class) {
            let text = &html[from + html[from..].find('>')? + 1..];
            return text.find("</").map(|end| &text[..end]);
        }
    }
    None
}

#[test]
fn the_document_is_the_golden_one() {
    let meta = Meta {
        strategy: "small".into(),
        version: "1".into(),
        configuration: "a = 1\n".into(),
        sources: vec![Source { name: "bars.csv".into(), hash: "00ff".into() }],
        instruments: vec![Instrument { symbol: "AAAUSDT".into(), price_decimals: 1, qty_decimals: 2 }],
        seed: 4,
        trials: Some(TrialCount { made: 3, independent: Some((2, 0.01)) }),
        generated_by: "a test".into(),
        benchmark: Some(Benchmark {
            name: "cash".into(),
            returns: vec![0.0, 0.001, 0.001, -0.001, 0.0, 0.002],
        }),
        verdict: Some(Verdict {
            step: "to paper".into(),
            rows: vec![
                (Criterion { name: "trades", value: Ok(2.0), bound: Bound::AtLeast(200.0) }, 2),
                (Criterion { name: "pbo", value: Err(Undefined::NoVariation), bound: Bound::AtMost(0.1) }, 0),
            ],
        }),
        ..quick("A small run")
    };
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden");
    for name in ["report.json", "trades.csv", "equity.csv", "metrics.csv", "monthly.csv"] {
        let text = file(&meta, &small(), name);
        if std::env::var_os("SMC_GOLDEN_WRITE").is_some() {
            std::fs::create_dir_all(&dir).unwrap();
            std::fs::write(dir.join(name), &text).unwrap();
        }
        let golden = std::fs::read_to_string(dir.join(name)).unwrap();
        for (nth, (got, expected)) in text.lines().zip(golden.lines()).enumerate() {
            assert_eq!(got, expected, "{name}, line {}; SMC_GOLDEN_WRITE=1 rewrites it", nth + 1);
        }
        assert_eq!(text.lines().count(), golden.lines().count(), "{name}");
    }
}

#[test]
fn no_text_of_the_input_is_markup() {
    const BAD: &str = "</script><img src=x onerror=alert(1)>\"'&\u{2028}";
    const ESCAPED: &str = "&lt;/script&gt;&lt;img src=x onerror=alert(1)&gt;&quot;&#39;&amp;\u{2028}";
    let text = |name: &str| format!("{name}{BAD}");
    let meta = Meta {
        strategy: text("strategy"),
        version: text("version"),
        configuration: text("configuration"),
        sources: vec![Source { name: text("source"), hash: text("hash") }],
        instruments: vec![Instrument { symbol: text("symbol"), price_decimals: 2, qty_decimals: 2 }],
        sessions: vec![text("session")],
        reason_names: std::array::from_fn(|_| text("role")),
        generated_by: text("by"),
        benchmark: Some(Benchmark { name: text("benchmark"), returns: vec![0.0; 6] }),
        verdict: Some(Verdict { step: text("step"), rows: Vec::new() }),
        ..quick(&text("title"))
    };
    let outcome = Outcome { currency: Name::new("<b>&\"x'</b>").unwrap(), ..small() };
    let html = file(&meta, &outcome, "report.html");
    assert!(!html.contains("<img") && !html.contains("<b>&"));
    // The data and the script, and nothing else that runs.
    assert_eq!((html.matches("<script").count(), html.matches("</script").count()), (2, 2));
    let names = [
        "title",
        "strategy",
        "version",
        "configuration",
        "source",
        "hash",
        "symbol",
        "by",
        "benchmark",
        "step",
    ];
    for name in names {
        assert!(html.contains(&format!("{name}{ESCAPED}")), "{name}");
    }
    let data = html.split_once("id=\"data\">").unwrap().1.split_once("</script>").unwrap().0;
    assert!(!data.contains('\u{2028}'));
    let data: serde_json::Value = serde_json::from_str(data).unwrap();
    assert_eq!((&data["symbols"][0], &data["roles"][0]), (&text("symbol").into(), &text("role").into()));
    let trades = file(&meta, &outcome, "trades.csv");
    assert!(trades.contains("\"symbol</script><img src=x onerror=alert(1)>\"\"'&\u{2028}\""));
}

#[test]
fn nothing_is_shown_without_formula_and_sample() {
    let html = file(&quick("made"), &small(), "report.html");
    let outcome = small();
    let meta = quick("made");
    let report = Report::of(&meta, &outcome).unwrap();
    let rows = rows(&html);
    // Eight cards, and the table.
    assert_eq!(rows.len(), report.figures.len() + 8);
    let known: BTreeMap<String, (usize, &str)> = report
        .figures
        .iter()
        .map(|figure| (format!("{}.{}", figure.group.key(), figure.name), (figure.n, figure.formula)))
        .collect();
    assert_eq!(known.len(), report.figures.len());
    for (name, html) in rows {
        let (n, formula) = known[name];
        assert_eq!(inside(html, "formula"), Some(formula), "{name}");
        let sample = inside(html, "n").unwrap();
        let digits: String = sample.chars().filter(char::is_ascii_digit).collect();
        assert_eq!(digits, n.to_string(), "{name}: {sample}");
        assert!(!inside(html, "interval").unwrap().is_empty(), "{name}");
    }
    for caption in html.split("<figcaption>").skip(1) {
        assert!(caption.starts_with("n = "), "{}", &caption[..40]);
    }
}

#[test]
fn a_figure_without_a_value_says_why() {
    let one = Outcome { points: small().points[..1].to_vec(), ..empty() };
    for outcome in [empty(), one] {
        let meta = quick("nothing");
        let report = Report::of(&meta, &outcome).unwrap();
        let undefined: Vec<_> = report.figures.iter().filter(|figure| figure.value.is_err()).collect();
        assert!(undefined.len() > 20);
        let html = file(&meta, &outcome, "report.html");
        let rows: BTreeMap<_, _> = rows(&html).into_iter().collect();
        for figure in undefined {
            let name = format!("{}.{}", figure.group.key(), figure.name);
            let reason = figure.value.as_ref().unwrap_err();
            assert_eq!(inside(rows[name.as_str()], "value"), Some(format!("— {reason}").as_str()), "{name}");
            assert!(
                figure.interval.is_err() && figure.n == outcome.points.len() || figure.of == "trades",
                "{name}"
            );
        }
        assert!(!html.contains("NaN") && !html.contains("inf %") && !html.contains("null %"));
    }
    // Ruin is a figure, not an error.
    let mut ruined = small();
    ruined.points[3].equity = money("-5");
    ruined.points[3].low = money("-50");
    let meta = quick("ruin");
    let report = Report::of(&meta, &ruined).unwrap();
    assert_eq!(report.figure(Group::Returns, "cagr").unwrap().value, Ok(-1.0));
    assert!(file(&meta, &ruined, "report.html").contains("−100"));
}

#[test]
fn months_come_to_the_total_return() {
    let wish = made::Wish { seed: 3, secs: 3_600, bars: 9_000, instruments: vec![(100.0, 0.01)], edge: 0.1 };
    for outcome in [small(), made::outcome(&wish)] {
        let meta = quick("months");
        let report = Report::of(&meta, &outcome).unwrap();
        let total = *report.figure(Group::Returns, "total_return").unwrap().value.as_ref().unwrap();
        let product = |values: Vec<f64>| values.into_iter().map(|value| 1.0 + value).product::<f64>() - 1.0;
        let of_years = product(report.years.iter().map(|year| year.total.value).collect());
        let months = || report.years.iter().flat_map(|year| year.months.iter().flatten());
        assert!((of_years - total).abs() < 1e-12, "{of_years} {total}");
        assert!((product(months().map(|cell| cell.value).collect()) - total).abs() < 1e-12);
        assert_eq!(months().map(|cell| cell.n).sum::<usize>(), outcome.points.len());
        assert!(report.years.len() == 2);
    }
}

/// A period that ends at midnight is of the day before, and so of its month.
#[test]
fn the_last_day_of_a_month_belongs_to_it() {
    let mut outcome = small();
    outcome.points.truncate(1);
    // The year's last day, told by a bar that closes with it.
    outcome.points[0].ts = TsNs(START);
    let meta = quick("months");
    let report = Report::of(&meta, &outcome).unwrap();
    let months: Vec<bool> = report.years[0].months.iter().map(Option::is_some).collect();
    assert_eq!((report.years.len(), months.iter().position(|has| *has)), (1, Some(11)));
}

#[test]
fn the_same_run_gives_the_same_bytes() {
    let wish = || made::Wish {
        seed: 8,
        secs: 3_600,
        bars: 3_000,
        instruments: vec![(100.0, 0.01), (7.0, 0.001)],
        edge: 0.1,
    };
    let (first, second) = (made::outcome(&wish()), made::outcome(&wish()));
    assert!(first.trades.len() > 10);
    let [first, second] = [&first, &second].map(|outcome| files(&quick("same"), outcome).unwrap());
    assert_eq!(first, second);
    let html = &first[0].1;
    for outside in ["http://", "https://", "src=", "@import", "url("] {
        let known = html.replace("http://www.w3.org/2000/svg", "").replace("url(#inside)", "");
        assert!(!known.contains(outside), "{outside}");
    }
}

/// Half a million bars and points, ten thousand trades: a page that a browser opens.
#[test]
fn a_huge_run_gives_a_page_that_opens() {
    let wish = made::Wish {
        seed: 2,
        secs: 60,
        bars: 250_000,
        instruments: vec![(30_000.0, 0.1), (2_000.0, 0.01)],
        edge: 0.1,
    };
    let mut outcome = made::outcome(&wish);
    let few = outcome.trades.clone();
    while outcome.trades.len() < 10_000 {
        let more = (10_000 - outcome.trades.len()).min(few.len());
        outcome.trades.extend_from_slice(&few[..more]);
    }
    let mut random = smc_metrics::Random::new(1);
    let mut equity = 1e5;
    outcome.period_ns = 60_000_000_000;
    outcome.points = (0..500_000)
        .map(|nth| {
            equity *= 1.0 + 1e-5 * random.normal();
            let equity = Money((equity * 1e8) as i64);
            EquityPoint {
                ts: TsNs(START + nth * 60_000_000_000),
                equity,
                low: equity,
                exposure: Money::ZERO,
                turnover: Money::ZERO,
                exposed_ns: 0,
            }
        })
        .collect();
    let meta =
        Meta { resampling: Resampling { seed: 1, resamples: 2, block_mean: None }, ..Meta::new("huge") };
    let report = Report::of(&meta, &outcome).unwrap();
    let charts = chart::Charts::of(&outcome, &report.causes, &meta);
    assert!(charts.bars_kept <= chart::BARS_MAX && charts.bars_all == 500_000);
    let drawn = charts.trades.iter().filter(|trade| trade.series.is_some()).count();
    assert!(drawn >= 100, "{drawn}");
    // What is drawn has its bars.
    for (trade, drawn) in outcome.trades.iter().zip(&charts.trades) {
        let Some(series) = drawn.series else { continue };
        let bars = &charts.series[series].bars;
        for ts in [trade.opened, trade.closed] {
            assert!(bars.iter().any(|bar| bar.open_ts <= ts && ts.0 < bar.open_ts.0 + 60_000_000_000));
        }
    }
    let html = page::html(&report).unwrap();
    assert!(html.len() < 6_000_000, "{} bytes", html.len());
    assert!(html.contains("Of 500,000 bars the ") && html.contains("Of 500,000 points "));
    assert_eq!(html.matches("\"b\":\"").count(), 10_000 + outcome.open.len());
}

#[test]
fn files_are_written() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("new/report");
    smc_report::write(&path, &quick("written"), &small()).unwrap();
    let mut names: Vec<_> = std::fs::read_dir(&path)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    assert_eq!(
        names,
        ["equity.csv", "metrics.csv", "monthly.csv", "report.html", "report.json", "trades.csv"]
    );
    let wrong =
        Meta { benchmark: Some(Benchmark { name: "short".into(), returns: vec![0.0] }), ..quick("wrong") };
    let error = smc_report::write(&path, &wrong, &small()).unwrap_err();
    assert_eq!(error.to_string(), "benchmark: 1 of them, 6 expected");
}
