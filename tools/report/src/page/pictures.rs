//! Pictures that need no motion: equity and drawdown, what trades came to, exposure.

use super::Page;
use super::plot::{Axis, SIDE, area, columns, dots, line, log_ticks, nice_step, rows, rows_at};
use crate::figures::excursion;
use crate::text::{Escaped, grouped, money_decimals, percent};
use smc_backtest::Trade;
use smc_core::words::TsNs;
use smc_detect::csv::civil;
use std::collections::BTreeSet;

/// Dots nearer than this, in units, are one.
const DOT: f64 = 4.0;
/// Share of trades that an axis of excursions leaves out on a side where they are rare and far.
const FAR: f64 = 0.01;
/// Highest per lowest equity from which the picture is one of logarithms.
const LOG_FROM: f64 = 5.0;

impl Page<'_> {
    /// Equity has grown or fallen so much that even parts of the picture should be even factors.
    pub(super) fn is_log(&self) -> bool {
        let values = || self.curve.iter().flat_map(|point| [Some(point.equity), point.benchmark]).flatten();
        let (low, high) = (values().fold(f64::INFINITY, f64::min), values().fold(0.0, f64::max));
        low > 0.0 && high / low > LOG_FROM
    }

    pub(super) fn equity(&mut self) {
        let report = self.report;
        let curve = self.curve;
        if curve.is_empty() {
            self.push(format_args!("<p class=\"empty\">No period has ended, so there is no curve.</p>\n"));
            return;
        }
        let is_log = self.is_log();
        let scale = |value: f64| if is_log { libm::log(value) } else { value };
        let time = time_axis(curve.first().map(|point| point.secs), curve.last().map(|point| point.secs));
        let start = crate::text::float(report.outcome.starting_equity.0);
        let values = curve.iter().flat_map(|point| [Some(point.equity), point.benchmark]).flatten();
        let money = Axis::around(values.chain([start]).map(scale), 0.04);
        let x = |point: &crate::curve::CurvePoint| time.x(point.secs as f64);
        let ours = line(curve.iter().map(|point| (x(point), money.y(scale(point.equity)))));
        let theirs =
            line(curve.iter().filter_map(|point| Some((x(point), money.y(scale(point.benchmark?))))));
        let fall = Axis {
            low: Axis::around(curve.iter().map(|point| point.drawdown_low), 0.06).low.min(-0.001),
            high: 0.0,
        };
        let depth = |low: bool| -> Vec<(f64, f64)> {
            let depth =
                |point: &crate::curve::CurvePoint| if low { point.drawdown_low } else { point.drawdown };
            curve.iter().map(|point| (x(point), fall.y(depth(point)))).collect()
        };
        let name = report.meta.benchmark.as_ref().map(|benchmark| benchmark.name.clone());
        self.push(format_args!("<div class=\"tools screen\" id=\"spans\" role=\"toolbar\" aria-label=\"Time shown\"><span class=\"key\"><i class=\"k1\"></i>Equity</span>"));
        if let Some(name) = name {
            self.push(format_args!("<span class=\"key\"><i class=\"k2\"></i>{}</span>", Escaped(name)));
        }
        self.push(format_args!("<span class=\"grow\"></span><output id=\"read\"></output></div>\n"));
        self.push(format_args!(
            "<div class=\"together\">\n<div class=\"frame tall\" data-plot=\"equity\" data-low=\"{}\" data-high=\"{}\"{}><div class=\"ticks\">",
            money.low,
            money.high,
            if is_log { " data-log" } else { "" }
        ));
        if is_log {
            let ticks = log_ticks(&money).into_iter().map(|tick| (libm::log(tick), amount(tick, 0)));
            rows_at(&mut self.out, &money, ticks);
        } else {
            rows(&mut self.out, &money, 6.0, amount);
        }
        columns(&mut self.out, months(&time));
        self.push(format_args!(
            "</div><svg viewBox=\"0 0 {SIDE} {SIDE}\" preserveAspectRatio=\"none\" role=\"img\" aria-label=\"Equity over time\">\
             <path class=\"start\" d=\"M0 {y}H{SIDE}\"/><path class=\"theirs\" d=\"{theirs}\"/><path class=\"ours\" d=\"{ours}\"/></svg></div>\n",
            y = super::plot::short(money.y(scale(start)))
        ));
        self.push(format_args!(
            "<div class=\"frame low\" data-plot=\"drawdown\" data-low=\"{}\" data-high=\"{}\"><div class=\"ticks\">",
            fall.low, fall.high
        ));
        rows(&mut self.out, &fall, 3.0, |value, decimals| percent(value, decimals.saturating_sub(2)));
        columns(&mut self.out, months(&time));
        self.push(format_args!(
            "</div><svg viewBox=\"0 0 {SIDE} {SIDE}\" preserveAspectRatio=\"none\" role=\"img\" aria-label=\"Drawdown over time\">\
             <path class=\"fall pale\" d=\"{}\"/><path class=\"fall\" d=\"{}\"/></svg></div>\n</div>\n",
            area(&depth(true), 0.0),
            area(&depth(false), 0.0)
        ));
    }

    pub(super) fn histogram(&mut self) {
        let multiples: Vec<f64> = self.report.outcome.trades.iter().filter_map(Trade::r).collect();
        let n = multiples.len();
        self.push(format_args!("<figure><h3>Distribution of R</h3>"));
        if n == 0 {
            self.push(format_args!(
                "<p class=\"empty\">No closed trade had a stop, so none has an R.</p><figcaption>n = 0 trades</figcaption></figure>\n"
            ));
            return;
        }
        let (low, high) = inner(&multiples);
        let (step, _) = nice_step(((high - low) / 40.0).max(0.05));
        let axis = Axis { low: (low / step).floor() * step, high: ((high / step).floor() + 1.0) * step };
        let bins = ((axis.high - axis.low) / step).round().clamp(1.0, 200.0) as usize;
        let mut counts = vec![0usize; bins];
        let mut outside = 0;
        for r in &multiples {
            let bin = ((r - axis.low) / step).floor();
            outside += usize::from(bin < 0.0 || bin >= bins as f64);
            counts[bin.clamp(0.0, (bins - 1) as f64) as usize] += 1;
        }
        let most = counts.iter().copied().max().unwrap_or(1) as f64;
        let up = Axis { low: 0.0, high: most * 1.08 };
        self.push(format_args!("<div class=\"frame\"><div class=\"ticks\">"));
        rows(
            &mut self.out,
            &up,
            4.0,
            |value, _| if value.fract() == 0.0 { grouped(value, 0) } else { String::new() },
        );
        let (ticks, decimals) = axis.ticks(7.0);
        columns(&mut self.out, ticks.into_iter().map(|tick| (axis.part(tick), grouped(tick, decimals))));
        self.push(format_args!(
            "</div><svg viewBox=\"0 0 {SIDE} {SIDE}\" preserveAspectRatio=\"none\" role=\"img\" aria-label=\"How many trades came to how many R\">"
        ));
        let width = SIDE / bins as f64;
        for (nth, count) in counts.iter().enumerate().filter(|(_, count)| **count > 0) {
            let from = axis.low + nth as f64 * step;
            let y = up.y(*count as f64);
            self.push(format_args!(
                "<rect class=\"{}\" x=\"{}\" y=\"{}\" width=\"{}\" height=\"{}\"><title>{} to {} R: {count}</title></rect>",
                if from + step / 2.0 < 0.0 { "loss" } else { "gain" },
                super::plot::short(nth as f64 * width + width * 0.06),
                super::plot::short(y),
                super::plot::short(width * 0.88),
                super::plot::short(SIDE - y),
                grouped(from, 2),
                grouped(from + step, 2)
            ));
        }
        let without = self.report.outcome.trades.len() - n;
        let mut note = format!(
            "n = {} trades; net profit per risk, bins of {} R.",
            grouped(n as f64, 0),
            grouped(step, 2)
        );
        if outside > 0 {
            note += &format!(" {outside} beyond the edges are counted in the outermost bins.");
        }
        if without > 0 {
            note += &format!(" {without} trades had no stop and so no R.");
        }
        self.push(format_args!("</svg></div><figcaption>{note}</figcaption></figure>\n"));
    }

    pub(super) fn excursions(&mut self) {
        let all: Vec<[f64; 3]> = self.report.outcome.trades.iter().filter_map(excursion).collect();
        self.scatter("Adverse excursion (MAE) and result", "R under water at worst", &all, 1);
        self.scatter("Favourable excursion (MFE) and result", "R ahead at best", &all, 2);
    }

    fn scatter(&mut self, title: &str, below: &str, all: &[[f64; 3]], column: usize) {
        self.push(format_args!("<figure><h3>{title}</h3>"));
        if all.is_empty() {
            self.push(format_args!(
                "<p class=\"empty\">No closed trade had a stop, so none has an R.</p><figcaption>n = 0 trades</figcaption></figure>\n"
            ));
            return;
        }
        let far = inner(&all.iter().map(|row| row[column]).collect::<Vec<f64>>()).1;
        let across = Axis { low: -0.02 * far.max(0.1), high: far.max(0.1) * 1.05 };
        let (low, high) = inner(&all.iter().map(|row| row[0]).collect::<Vec<f64>>());
        let up = Axis::around([low, high, 0.0], 0.06);
        let (mut outside, mut seen) = (0, [BTreeSet::new(), BTreeSet::new()]);
        for row in all {
            let (x, y) = (across.x(row[column]), up.y(row[0]));
            outside += usize::from(!(0.0..=SIDE).contains(&x) || !(0.0..=SIDE).contains(&y));
            let cell = |unit: f64| (unit.clamp(0.0, SIDE) / DOT).round() as u32;
            seen[usize::from(row[0] > 0.0)].insert((cell(x), cell(y)));
        }
        self.push(format_args!("<div class=\"frame\"><div class=\"ticks\">"));
        rows(&mut self.out, &up, 5.0, grouped);
        let (ticks, decimals) = across.ticks(5.0);
        columns(&mut self.out, ticks.into_iter().map(|tick| (across.part(tick), grouped(tick, decimals))));
        self.push(format_args!(
            "</div><svg viewBox=\"0 0 {SIDE} {SIDE}\" preserveAspectRatio=\"none\" role=\"img\" aria-label=\"{title}, a dot a trade\"><path class=\"start\" d=\"M0 {}H{SIDE}\"/>",
            super::plot::short(up.y(0.0))
        ));
        let drawn: usize = seen.iter().map(BTreeSet::len).sum();
        for (cells, class) in seen.iter().zip(["dots loss", "dots gain"]) {
            let path = dots(cells.iter().map(|(x, y)| (f64::from(*x) * DOT, f64::from(*y) * DOT)));
            self.push(format_args!("<path class=\"{class}\" d=\"{path}\"/>"));
        }
        let mut note =
            format!("n = {} trades. Across: {below}; up: R at the end.", grouped(all.len() as f64, 0));
        if outside > 0 {
            note += &format!(" {outside} beyond the edges lie on them.");
        }
        if drawn < all.len() {
            note += " Dots that cover each other are drawn once.";
        }
        self.push(format_args!("</svg></div><figcaption>{note}</figcaption></figure>\n"));
    }

    pub(super) fn exposure(&mut self) {
        let curve = self.curve;
        let n = self.report.curve.points.len();
        self.push(format_args!("<figure><h3>Exposure over time</h3>"));
        if curve.is_empty() {
            self.push(format_args!(
                "<p class=\"empty\">No period has ended.</p><figcaption>n = 0 periods</figcaption></figure>\n"
            ));
            return;
        }
        let time = time_axis(curve.first().map(|point| point.secs), curve.last().map(|point| point.secs));
        let most = curve.iter().map(|point| point.exposure).fold(0.0, f64::max);
        let up = Axis { low: 0.0, high: if most > 0.0 { most * 1.08 } else { 1.0 } };
        let points: Vec<(f64, f64)> =
            curve.iter().map(|point| (time.x(point.secs as f64), up.y(point.exposure))).collect();
        self.push(format_args!("<div class=\"frame\"><div class=\"ticks\">"));
        rows(&mut self.out, &up, 4.0, |value, decimals| percent(value, decimals.saturating_sub(2)));
        let places = months(&time);
        let every = places.len().div_ceil(5).max(1);
        columns(&mut self.out, places.into_iter().step_by(every));
        self.push(format_args!(
            "</div><svg viewBox=\"0 0 {SIDE} {SIDE}\" preserveAspectRatio=\"none\" role=\"img\" aria-label=\"Exposure over time\"><path class=\"held\" d=\"{}\"/></svg></div>",
            area(&points, SIDE)
        ));
        let costs = &self.report.outcome.costs;
        let decimals = money_decimals(self.report.outcome.starting_equity);
        self.push(format_args!(
            "<figcaption>n = {} periods. Sum of absolute positions per equity at the end of each period. {} {} were bought and sold in all.</figcaption></figure>\n",
            grouped(n as f64, 0),
            crate::text::money(costs.turnover, decimals),
            Escaped(self.report.outcome.currency)
        ));
    }
}

fn time_axis(first: Option<u64>, last: Option<u64>) -> Axis {
    let first = first.unwrap_or(0) as f64;
    Axis { low: first, high: last.map_or(first + 1.0, |last| (last as f64).max(first + 1.0)) }
}

/// An amount on an axis: millions where there are many.
fn amount(value: f64, decimals: usize) -> String {
    match value.abs() {
        10e6.. => grouped(value / 1e6, usize::from(value % 1e6 != 0.0)) + " M",
        _ => grouped(value, decimals),
    }
}

/// Where most values are: without the furthest hundredth on a side whose end is far from it.
fn inner(values: &[f64]) -> (f64, f64) {
    let mut sorted = values.to_vec();
    sorted.sort_unstable_by(f64::total_cmp);
    let at = |part: f64| sorted[((sorted.len() - 1) as f64 * part).round() as usize];
    let (low, high, middle) = (at(0.0), at(1.0), at(0.5));
    let (near_low, near_high) = (at(FAR), at(1.0 - FAR));
    // Twice as far from the middle as all but a hundredth.
    let is_far = |end: f64, near: f64| (end - middle).abs() > 2.0 * (near - middle).abs() && end != near;
    (
        if is_far(low, near_low) { near_low } else { low },
        if is_far(high, near_high) { near_high } else { high },
    )
}

const MONTHS: [&str; 12] =
    ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

/// Beginnings of days, months or years on a time axis, about eight of them, as parts of it.
fn months(axis: &Axis) -> Vec<(f64, String)> {
    const DAY: u64 = 86_400;
    let (low, high) = (axis.low as u64, axis.high as u64);
    let days = (high - low) / DAY;
    let mut ticks = Vec::new();
    if days < 1 {
        let step =
            [300, 900, 3_600, 10_800].into_iter().find(|step| (high - low) / step <= 8).unwrap_or(10_800);
        let mut at = low.div_ceil(step) * step;
        while at <= high {
            ticks.push((axis.part(at as f64), format!("{:02}:{:02}", at / 3_600 % 24, at / 60 % 60)));
            at += step;
        }
        return ticks;
    }
    // Months apart; 0 is days.
    let apart = match days {
        0..45 => 0,
        45..280 => 1,
        280..800 => 3,
        800..1_700 => 6,
        many => 12 * many.div_ceil(365 * 8).max(1) as i64,
    };
    let every = days.div_ceil(8).max(1);
    for day in low.div_ceil(DAY)..=high / DAY {
        let (year, month, of_month) = civil(TsNs(day * DAY * 1_000_000_000));
        let part = axis.part((day * DAY) as f64);
        let name = MONTHS[(month - 1) as usize % 12];
        if apart == 0 {
            if (day - low.div_ceil(DAY)).is_multiple_of(every) {
                ticks.push((part, format!("{of_month} {name}")));
            }
        } else if of_month == 1 && (year * 12 + i64::from(month) - 1).rem_euclid(apart) == 0 {
            let word = if apart >= 12 { year.to_string() } else { format!("{name} {year}") };
            ticks.push((part, word));
        }
    }
    ticks
}
