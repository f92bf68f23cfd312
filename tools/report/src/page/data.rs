//! What the page's script is given: one JSON object of arrays, as short as it can be.

use crate::chart::{Charts, Shape, Thing};
use crate::curve::CurvePoint;
use crate::figures::excursion;
use crate::json::exit_word;
use crate::report::{Report, ReportError};
use crate::text::{fixed, float, money_decimals};
use serde::Serialize;
use smc_backtest::Trade;
use smc_core::output::REASONS_MAX;
use smc_core::words::{Direction, InstrumentId, Price};

/// Rows that the table of trades has at most.
pub const ROWS_MAX: usize = 20_000;

const NS: u64 = 1_000_000_000;

#[derive(Serialize)]
struct Data<'a> {
    currency: &'a str,
    money_decimals: usize,
    roles: &'a [String; REASONS_MAX],
    benchmark: Option<&'a str>,
    curve: CurveData,
    series: Vec<SeriesData>,
    things: Vec<ThingData<'a>>,
    /// By trade: symbol.
    symbols: Vec<String>,
    trades: Vec<TradeData<'a>>,
}

#[derive(Serialize)]
struct CurveData {
    /// Seconds since the point before.
    t: Vec<u64>,
    /// Equity.
    e: Vec<f64>,
    /// Drawdown, and that of lows, in percent.
    d: Vec<f64>,
    l: Vec<f64>,
    /// Benchmark; empty without one.
    b: Vec<f64>,
}

#[derive(Serialize)]
struct SeriesData {
    symbol: usize,
    name: String,
    secs: u32,
    decimals: u8,
    first: u64,
    /// Per bar: lengths of a bar since the bar before, then in steps of the last decimal: open less the close before,
    /// upper wick, lower wick, close less open.
    bars: Vec<i64>,
    cuts: Vec<usize>,
}

/// Shape, colours, symbol, times in seconds, top, bottom, label, words.
#[derive(Serialize)]
struct ThingData<'a>(&'static str, u8, usize, [u64; 3], f64, f64, &'a str, &'a str);

#[derive(Serialize)]
struct TradeData<'a> {
    /// Symbol.
    s: usize,
    /// 1 long, -1 short.
    d: i8,
    /// Opened and closed, seconds.
    o: u64,
    c: u64,
    q: String,
    /// Entry, exit, stop, target.
    p: [Option<f64>; 4],
    r: Option<f64>,
    /// Adverse and favourable excursion in R.
    #[serde(skip_serializing_if = "Option::is_none")]
    x: Option<[f64; 2]>,
    /// Net, fees, cash.
    m: [f64; 3],
    /// What closed it; empty while it is open.
    b: &'a str,
    /// Its series; -1 where its bars are not on the page.
    k: i64,
    /// By role: none, or places of structures; absent where the page does not tell.
    #[serde(skip_serializing_if = "Option::is_none")]
    w: Option<&'a [Option<Vec<usize>>; REASONS_MAX]>,
}

/// The object as text that may stand in a `<script>` element.
pub fn data(report: &Report<'_>, charts: &Charts, curve: &[CurvePoint]) -> Result<String, ReportError> {
    let (outcome, meta) = (report.outcome, report.meta);
    let decimals = money_decimals(outcome.starting_equity);
    let mut symbols = Symbols { ids: Vec::new() };
    let series = charts.series.iter().map(|series| {
        let decimals = price_decimals(report, series.instrument, series.bars.iter().map(|bar| bar.close));
        SeriesData {
            symbol: symbols.place(series.instrument),
            name: format!("{} · {}", meta.symbol(series.instrument), series.timeframe),
            secs: series.timeframe.secs(),
            decimals,
            first: series.bars.first().map_or(0, |bar| bar.open_ts.0 / NS),
            bars: bars(series, decimals),
            cuts: series.cuts.clone(),
        }
    });
    let series: Vec<SeriesData> = series.collect();
    let things: Vec<ThingData<'_>> =
        charts.things.iter().map(|thing| thing_data(thing, symbols.place(thing.instrument))).collect();
    let trades = outcome.trades.iter().chain(&outcome.open).zip(&charts.trades).take(ROWS_MAX);
    let trades: Vec<TradeData<'_>> = trades
        .map(|(it, drawn)| TradeData {
            s: symbols.place(it.instrument),
            d: if it.direction == Direction::Up { 1 } else { -1 },
            o: it.opened.0 / NS,
            c: it.closed.0 / NS,
            q: it.qty.to_string(),
            p: prices(report, it),
            r: it.r().map(|r| rounded(r, 3)),
            x: excursion(it).map(|[_, mae, mfe]| [rounded(mae, 2), rounded(mfe, 2)]),
            m: [it.net, it.fees, it.cash].map(|amount| rounded(float(amount.0), decimals)),
            b: it.exit_by.map_or("", exit_word),
            k: drawn.series.map_or(-1, |at| at as i64),
            w: drawn.reasons.as_ref(),
        })
        .collect();
    let data = Data {
        currency: outcome.currency.as_str(),
        money_decimals: decimals,
        roles: &meta.reason_names,
        benchmark: meta.benchmark.as_ref().map(|benchmark| benchmark.name.as_str()),
        curve: curve_data(curve, decimals),
        series,
        things,
        symbols: symbols.ids.iter().map(|id| meta.symbol(*id)).collect(),
        trades,
    };
    let text = serde_json::to_string(&data).map_err(ReportError::Json)?;
    Ok(crate::text::script_safe(&text))
}

/// Instruments in the order in which they came.
struct Symbols {
    ids: Vec<InstrumentId>,
}

impl Symbols {
    fn place(&mut self, id: InstrumentId) -> usize {
        let found = self.ids.iter().position(|known| *known == id);
        found.unwrap_or_else(|| {
            self.ids.push(id);
            self.ids.len() - 1
        })
    }
}

fn curve_data(points: &[CurvePoint], decimals: usize) -> CurveData {
    let mut before = 0;
    CurveData {
        t: points.iter().map(|point| point.secs - std::mem::replace(&mut before, point.secs)).collect(),
        e: points.iter().map(|point| rounded(point.equity, decimals)).collect(),
        d: points.iter().map(|point| rounded(point.drawdown * 100.0, 3)).collect(),
        l: points.iter().map(|point| rounded(point.drawdown_low * 100.0, 3)).collect(),
        b: points.iter().filter_map(|point| point.benchmark).map(|value| rounded(value, decimals)).collect(),
    }
}

/// The instrument's decimals; those that its prices need where it is not known.
fn price_decimals(report: &Report<'_>, id: InstrumentId, prices: impl Iterator<Item = Price> + Clone) -> u8 {
    if report.meta.instruments.get(id.index()).is_some() {
        return report.meta.price_decimals(id);
    }
    let is_exact = |decimals: &u8| {
        let step = 10i64.pow(8 - u32::from(*decimals));
        prices.clone().all(|price| price.0 % step == 0)
    };
    (0..8).find(is_exact).unwrap_or(8)
}

fn bars(series: &crate::chart::Series, decimals: u8) -> Vec<i64> {
    let step = 10i64.pow(8 - u32::from(decimals));
    let steps = |price: Price| price.0.div_euclid(step) + i64::from(price.0.rem_euclid(step) * 2 >= step);
    let mut out = Vec::with_capacity(series.bars.len() * 5);
    let (mut open_ts, mut close) = (series.bars.first().map_or(0, |bar| bar.open_ts.0), 0);
    for bar in &series.bars {
        let [open, high, low, end] = [bar.open, bar.high, bar.low, bar.close].map(steps);
        out.push(((bar.open_ts.0 - open_ts) / series.timeframe.nanos()) as i64);
        out.extend([open - close, high - open.max(end), open.min(end) - low, end - open]);
        (open_ts, close) = (bar.open_ts.0, end);
    }
    out
}

fn thing_data(thing: &Thing, symbol: usize) -> ThingData<'_> {
    let shape = match thing.shape {
        Shape::Zone => "z",
        Shape::Break => "b",
        Shape::Sweep => "s",
        Shape::Level => "l",
        Shape::Pair => "p",
        Shape::Span => "t",
        Shape::Words => "w",
    };
    let colours = u8::from(thing.is_up) + 2 * u8::from(thing.is_gap);
    let [top, bottom] = thing.edges.map(|price| float(price.0));
    ThingData(shape, colours, symbol, thing.times.map(|ns| ns / NS), top, bottom, thing.label, &thing.words)
}

fn prices(report: &Report<'_>, it: &Trade) -> [Option<f64>; 4] {
    let decimals = report.meta.price_decimals(it.instrument);
    let number = |price: Price| fixed(price.0, decimals).parse().unwrap_or(0.0);
    let signal = it.signal;
    [
        Some(number(it.entry)),
        Some(number(it.exit)),
        signal.map(|signal| number(signal.stop)),
        signal.map(|signal| number(signal.target)).filter(|target| *target > 0.0),
    ]
}

/// The nearest number with so few decimals, for a short text.
fn rounded(value: f64, decimals: usize) -> f64 {
    let value: f64 = format!("{value:.decimals$}").parse().unwrap_or(value);
    value + 0.0
}
