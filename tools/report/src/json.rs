//! The report as one JSON document, for programs. `REPORT.md` has its fields.
//!
//! Prices, quantities and money are texts of exact decimals, so that no reader rounds them; times are ISO 8601 in UTC;
//! returns and figures are numbers.

use crate::cause::said;
use crate::figures::Shown;
use crate::report::{Report, ReportError};
use serde::Serialize;
use smc_backtest::{Ended, Trade};
use smc_core::output::Purpose;
use smc_core::risk::Check;
use smc_core::words::{Direction, TsNs};
use smc_detect::csv::Iso;

/// Version of the document; it rises when a field changes its meaning or goes.
pub const SCHEMA: u32 = 1;

#[derive(Serialize)]
struct Document<'a> {
    schema: u32,
    title: &'a str,
    strategy: &'a str,
    version: &'a str,
    generated_by: &'a str,
    seed: u64,
    trials: Option<TrialsJson>,
    sources: Vec<SourceJson<'a>>,
    configuration: &'a str,
    run: RunJson,
    metrics: Vec<MetricJson<'a>>,
    monthly: Vec<YearJson>,
    costs: CostsJson,
    verdict: Option<VerdictJson<'a>>,
    trades: Vec<TradeJson<'a>>,
    open: Vec<TradeJson<'a>>,
    equity: Vec<PointJson>,
}

#[derive(Serialize)]
struct TrialsJson {
    made: u64,
    independent: Option<u64>,
    sharpe_variance: Option<f64>,
}

#[derive(Serialize)]
struct SourceJson<'a> {
    name: &'a str,
    hash: &'a str,
}

#[derive(Serialize)]
struct RunJson {
    from: String,
    to: String,
    currency: String,
    starting_equity: String,
    equity: String,
    period_ns: u64,
    periods: usize,
    trades: usize,
    open_trades: usize,
    inputs: u64,
    digest: String,
    ended: EndedJson,
    counters: CountersJson,
    denied: Vec<DeniedJson>,
}

#[derive(Serialize)]
#[serde(tag = "why", rename_all = "snake_case")]
enum EndedJson {
    EndOfData,
    Liquidated { at: String, equity: String },
}

#[derive(Serialize)]
struct CountersJson {
    events: u64,
    bars: u64,
    structures: u64,
    signals: u64,
    intents_ignored: u64,
    orders_sent: u64,
    orders_denied: u64,
    cancels: u64,
    fills: u64,
    rejects: u64,
}

#[derive(Serialize)]
struct DeniedJson {
    check: &'static str,
    orders: u64,
}

#[derive(Serialize)]
struct MetricJson<'a> {
    group: &'static str,
    name: &'static str,
    label: &'static str,
    formula: &'static str,
    value: Option<f64>,
    reason: Option<&'a str>,
    n: usize,
    of: &'static str,
    periods_per_year: Option<f64>,
    interval: Option<IntervalJson>,
    no_interval: Option<&'static str>,
}

#[derive(Serialize)]
struct IntervalJson {
    low: f64,
    high: f64,
    level: f64,
    resamples: usize,
}

#[derive(Serialize)]
struct YearJson {
    year: i64,
    total: CellJson,
    months: [Option<CellJson>; 12],
}

#[derive(Serialize)]
struct CellJson {
    value: f64,
    n: usize,
}

#[derive(Serialize)]
struct CostsJson {
    maker_fees: String,
    taker_fees: String,
    spread: String,
    impact: String,
    funding: String,
    financing: String,
    turnover: String,
    fills_maker: u64,
    fills_taker: u64,
    unexplained: String,
}

#[derive(Serialize)]
struct VerdictJson<'a> {
    step: &'a str,
    passed: bool,
    criteria: Vec<CriterionJson>,
}

#[derive(Serialize)]
struct CriterionJson {
    name: &'static str,
    value: Option<f64>,
    reason: Option<String>,
    asked: String,
    holds: bool,
    n: usize,
}

#[derive(Serialize)]
struct TradeJson<'a> {
    nr: usize,
    instrument: String,
    direction: &'static str,
    opened: String,
    closed: String,
    qty: String,
    entry: String,
    exit: String,
    stop: Option<String>,
    target: Option<String>,
    gross: String,
    fees: String,
    cash: String,
    net: String,
    risked: String,
    r: Option<f64>,
    mae: String,
    mfe: String,
    exit_by: Option<&'static str>,
    fills: u32,
    signal: Option<u32>,
    reasons: Vec<ReasonJson<'a>>,
}

#[derive(Serialize)]
struct ReasonJson<'a> {
    role: &'a str,
    id: u32,
    chain: Vec<StructureJson>,
}

#[derive(Serialize)]
struct StructureJson {
    id: u32,
    kind: String,
    timeframe: String,
    direction: &'static str,
    known: String,
    top: String,
    bottom: String,
    words: String,
}

#[derive(Serialize)]
struct PointJson {
    ts: String,
    equity: String,
    low: String,
    drawdown: f64,
    exposure: String,
    turnover: String,
    exposed_ns: u64,
    benchmark: Option<f64>,
}

/// The whole document, indented, with a line end.
pub fn json(report: &Report<'_>) -> Result<String, ReportError> {
    let (outcome, meta) = (report.outcome, report.meta);
    let trades = |trades: &[Trade], first: usize| -> Vec<TradeJson<'_>> {
        trades.iter().enumerate().map(|(at, it)| trade(report, it, first + at)).collect()
    };
    let document = Document {
        schema: SCHEMA,
        title: &meta.title,
        strategy: &meta.strategy,
        version: &meta.version,
        generated_by: &meta.generated_by,
        seed: meta.seed,
        trials: meta.trials.map(|trials| TrialsJson {
            made: trials.made,
            independent: trials.independent.map(|(count, _)| count),
            sharpe_variance: trials.independent.map(|(_, variance)| variance),
        }),
        sources: meta.sources.iter().map(|it| SourceJson { name: &it.name, hash: &it.hash }).collect(),
        configuration: &meta.configuration,
        run: run(report),
        metrics: report.figures.iter().map(metric).collect(),
        monthly: monthly(report),
        costs: costs(report),
        verdict: verdict(report),
        trades: trades(&outcome.trades, 1),
        open: trades(&outcome.open, outcome.trades.len() + 1),
        equity: equity(report),
    };
    serde_json::to_string_pretty(&document).map(|text| text + "\n").map_err(ReportError::Json)
}

fn iso(ts: TsNs) -> String {
    Iso(ts).to_string()
}

fn run(report: &Report<'_>) -> RunJson {
    let outcome = report.outcome;
    let counters = &outcome.counters;
    RunJson {
        from: iso(outcome.span.0),
        to: iso(outcome.span.1),
        currency: outcome.currency.to_string(),
        starting_equity: outcome.starting_equity.to_string(),
        equity: outcome.equity.to_string(),
        period_ns: outcome.period_ns,
        periods: outcome.points.len(),
        trades: outcome.trades.len(),
        open_trades: outcome.open.len(),
        inputs: outcome.inputs,
        digest: outcome.digest.to_string(),
        ended: match outcome.ended {
            Ended::EndOfData => EndedJson::EndOfData,
            Ended::Liquidated { at, equity } => {
                EndedJson::Liquidated { at: iso(at), equity: equity.to_string() }
            }
        },
        counters: CountersJson {
            events: counters.events,
            bars: counters.bars,
            structures: counters.structures,
            signals: counters.signals,
            intents_ignored: counters.intents_ignored,
            orders_sent: counters.orders_sent,
            orders_denied: counters.orders_denied,
            cancels: counters.cancels,
            fills: counters.fills,
            rejects: counters.rejects,
        },
        denied: denied(report).map(|(check, orders)| DeniedJson { check, orders }).collect(),
    }
}

/// Orders denied, by the checks that did so.
pub(crate) fn denied(report: &Report<'_>) -> impl Iterator<Item = (&'static str, u64)> {
    let counts = &report.outcome.denied;
    Check::ALL.into_iter().map(Check::name).zip(counts.iter().copied()).filter(|(_, orders)| *orders > 0)
}

fn metric(figure: &Shown) -> MetricJson<'_> {
    MetricJson {
        group: figure.group.key(),
        name: figure.name,
        label: figure.label,
        formula: figure.formula,
        value: figure.value.as_ref().ok().copied(),
        reason: figure.value.as_ref().err().map(String::as_str),
        n: figure.n,
        of: figure.of,
        periods_per_year: figure.per_year.map(|per_year| per_year.get()),
        interval: figure.interval.ok().map(|it| IntervalJson {
            low: it.low,
            high: it.high,
            level: it.level,
            resamples: it.resamples,
        }),
        no_interval: figure.interval.err(),
    }
}

fn monthly(report: &Report<'_>) -> Vec<YearJson> {
    let cell = |cell: &crate::monthly::Cell| CellJson { value: cell.value, n: cell.n };
    let years = report.years.iter();
    years
        .map(|year| YearJson {
            year: year.year,
            total: cell(&year.total),
            months: year.months.each_ref().map(|month| month.as_ref().map(cell)),
        })
        .collect()
}

fn costs(report: &Report<'_>) -> CostsJson {
    let costs = &report.outcome.costs;
    CostsJson {
        maker_fees: costs.maker_fees.to_string(),
        taker_fees: costs.taker_fees.to_string(),
        spread: costs.spread.to_string(),
        impact: costs.impact.to_string(),
        funding: costs.funding.to_string(),
        financing: costs.financing.to_string(),
        turnover: costs.turnover.to_string(),
        fills_maker: costs.fills[0],
        fills_taker: costs.fills[1],
        unexplained: smc_core::words::Money(report.unexplained).to_string(),
    }
}

fn verdict<'a>(report: &Report<'a>) -> Option<VerdictJson<'a>> {
    let verdict = report.meta.verdict.as_ref()?;
    let criteria = verdict.rows.iter().map(|(criterion, n)| CriterionJson {
        name: criterion.name,
        value: criterion.value.ok(),
        reason: criterion.value.err().map(|reason| reason.to_string()),
        asked: asked(criterion.bound),
        holds: criterion.holds(),
        n: *n,
    });
    Some(VerdictJson {
        step: &verdict.step,
        passed: verdict.rows.iter().all(|(criterion, _)| criterion.holds()),
        criteria: criteria.collect(),
    })
}

/// What a criterion asks, as a sign and a number.
pub(crate) fn asked(bound: smc_metrics::promotion::Bound) -> String {
    use smc_metrics::promotion::Bound;
    match bound {
        Bound::AtLeast(least) => format!("≥ {least}"),
        Bound::AtMost(most) => format!("≤ {most}"),
        Bound::Above(limit) => format!("> {limit}"),
        Bound::Below(limit) => format!("< {limit}"),
    }
}

pub(crate) const fn exit_word(purpose: Purpose) -> &'static str {
    match purpose {
        Purpose::Entry => "entry",
        Purpose::Stop => "stop",
        Purpose::Target => "target",
        Purpose::Flatten => "flatten",
    }
}

pub(crate) const fn side(direction: Direction) -> &'static str {
    match direction {
        Direction::Up => "long",
        Direction::Down => "short",
    }
}

fn trade<'a>(report: &Report<'a>, it: &Trade, nr: usize) -> TradeJson<'a> {
    TradeJson {
        nr,
        instrument: report.meta.symbol(it.instrument),
        direction: side(it.direction),
        opened: iso(it.opened),
        closed: iso(it.closed),
        qty: it.qty.to_string(),
        entry: it.entry.to_string(),
        exit: it.exit.to_string(),
        stop: it.signal.map(|signal| signal.stop.to_string()),
        target: it.signal.map(|signal| signal.target.to_string()),
        gross: it.gross.to_string(),
        fees: it.fees.to_string(),
        cash: it.cash.to_string(),
        net: it.net.to_string(),
        risked: it.risked.to_string(),
        r: it.r(),
        mae: it.mae.to_string(),
        mfe: it.mfe.to_string(),
        exit_by: it.exit_by.map(exit_word),
        fills: it.fills,
        signal: it.signal.map(|signal| signal.id),
        reasons: reasons(report, it),
    }
}

fn reasons<'a>(report: &Report<'a>, it: &Trade) -> Vec<ReasonJson<'a>> {
    let (meta, causes) = (report.meta, &report.causes);
    let Some(signal) = it.signal else { return Vec::new() };
    let chains = causes.reasons(it).into_iter().zip(&meta.reason_names).zip(signal.reasons);
    let told = chains.filter_map(|((chain, role), id)| Some((chain?, role, id)));
    told.map(|(chain, role, id)| ReasonJson {
        role,
        id,
        chain: chain
            .into_iter()
            .map(|place| {
                let (ts, it) = causes.at(place);
                StructureJson {
                    id: it.id,
                    kind: format!("{:?}", it.kind),
                    timeframe: it.timeframe.to_string(),
                    direction: if it.direction == Direction::Up { "up" } else { "down" },
                    known: iso(*ts),
                    top: it.top.to_string(),
                    bottom: it.bottom.to_string(),
                    words: said(it, meta),
                }
            })
            .collect(),
    })
    .collect()
}

fn equity(report: &Report<'_>) -> Vec<PointJson> {
    let points = report.outcome.points.iter().zip(&report.curve.points);
    points
        .map(|(point, drawn)| PointJson {
            ts: iso(point.ts),
            equity: point.equity.to_string(),
            low: point.low.to_string(),
            drawdown: drawn.drawdown,
            exposure: point.exposure.to_string(),
            turnover: point.turnover.to_string(),
            exposed_ns: point.exposed_ns,
            benchmark: drawn.benchmark,
        })
        .collect()
}
