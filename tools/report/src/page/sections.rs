//! The sections of the page, in their order.

use super::Page;
use crate::chart::DRAWN_MAX;
use crate::figures::{CostShare, Group, Shown};
use crate::json::{asked, denied};
use crate::page::data::ROWS_MAX;
use crate::text::{Escaped, day, duration, float, grouped, minute, money_decimals, percent, signed};
use smc_backtest::Ended;

impl Page<'_> {
    pub(super) fn sections(&mut self) {
        self.head();
        self.push(format_args!("<main>\n"));
        self.headline();
        self.verdict();
        self.performance();
        self.monthly();
        self.trades();
        self.distribution();
        self.activity();
        self.metrics();
        self.run();
        self.push(format_args!("</main>\n"));
        self.foot();
    }

    fn money_decimals(&self) -> usize {
        money_decimals(self.report.outcome.starting_equity)
    }

    fn head(&mut self) {
        let (meta, outcome) = (self.report.meta, self.report.outcome);
        let symbols: Vec<&str> = meta.instruments.iter().map(|it| it.symbol.as_str()).collect();
        let named = match symbols.len() {
            0..=4 => symbols.join(", "),
            many => format!("{}, and {} more", symbols[..3].join(", "), many - 3),
        };
        let trials = meta.trials.map_or_else(
            || "not counted: no ledger of trials".into(),
            |trials| format!("{} in the ledger", grouped(trials.made as f64, 0)),
        );
        let (from, to) = outcome.span;
        self.push(format_args!(
            "<header>\n<div class=\"bar\"><p class=\"kicker\">Simulated performance</p>\
             <button id=\"theme\" type=\"button\" aria-label=\"Light or dark\">Light / dark</button></div>\n\
             <h1>{}</h1>\n<dl class=\"facts\">\n",
            Escaped(&meta.title)
        ));
        let rows = [
            ("Strategy", meta.strategy.clone()),
            ("Version", meta.version.clone()),
            ("Instruments", named),
            ("Period", format!("{} to {}", day(from), day(to))),
            ("Trials", trials),
        ];
        for (name, value) in rows.iter().filter(|(_, value)| !value.is_empty()) {
            self.push(format_args!("<div><dt>{name}</dt><dd>{}</dd></div>\n", Escaped(value)));
        }
        self.push(format_args!(
            "</dl>\n<p class=\"notice\">A simulation of the past, after all costs that were simulated; no money was traded, \
             and nothing here says what will happen. {} Every figure carries its formula, its sample size and, where it can \
             be resampled, the interval that holds it in nine of ten resamples.</p>\n</header>\n",
            match meta.trials.map(|trials| trials.made) {
                None => "How many variants were tried before this one is not known, and the best of many looks good by chance.",
                Some(0 | 1) => "It is the only variant that was tried.",
                Some(_) => "It was chosen among the variants counted above, and the best of many looks good by chance.",
            }
        ));
        if let Ended::Liquidated { at, equity } = outcome.ended {
            self.push(format_args!(
                "<p class=\"alarm\">The venue would have liquidated the account on {} at {} {}. Everything here ends there.</p>\n",
                minute(at),
                crate::text::money(equity, self.money_decimals()),
                Escaped(outcome.currency)
            ));
        }
    }

    fn headline(&mut self) {
        let by_trade = match self.report.figure(Group::TradesR, "expectancy_r") {
            Some(figure) if figure.n > 0 => Group::TradesR,
            _ => Group::TradesMoney,
        };
        let wanted = [
            (Group::Returns, "total_return"),
            (Group::Returns, "cagr"),
            (Group::Returns, "max_drawdown"),
            (Group::Returns, "sharpe"),
            (Group::Returns, "ann_vol"),
            (by_trade, "expectancy_r"),
            (Group::TradesMoney, "profit_factor"),
            (by_trade, "win_rate"),
        ];
        let decimals = self.money_decimals();
        self.push(format_args!("<section aria-label=\"Headline figures\">\n<div class=\"cards\">\n"));
        for (group, name) in wanted {
            let Some(figure) = self.report.figure(group, name).cloned() else { continue };
            let tone = match (&figure.value, name) {
                (Ok(value), "total_return" | "cagr" | "expectancy_r" | "sharpe") if *value < 0.0 => " bad",
                (Ok(value), "total_return" | "cagr" | "expectancy_r" | "sharpe") if *value > 0.0 => " good",
                _ => "",
            };
            self.push(format_args!(
                "<div class=\"card\" data-metric=\"{}.{}\"><h3>{}{}</h3><p class=\"value{tone}\">{}</p><p class=\"interval\">{}</p>\
                 <p class=\"sample\"><span class=\"n\">n = {} {}</span> · <code class=\"formula\">{}</code></p></div>\n",
                group.key(),
                name,
                Escaped(figure.label),
                yearly(&figure),
                Escaped(figure.written(decimals)),
                Escaped(interval_or_reason(&figure, decimals)),
                grouped(figure.n as f64, 0),
                figure.of,
                figure.formula
            ));
        }
        self.push(format_args!("</div>\n</section>\n"));
    }

    fn verdict(&mut self) {
        let Some(verdict) = &self.report.meta.verdict else { return };
        let failed = verdict.rows.iter().filter(|(criterion, _)| !criterion.holds()).count();
        let said = match failed {
            0 => "All criteria hold.".to_owned(),
            1 => "One criterion does not hold.".to_owned(),
            many => format!("{many} criteria do not hold."),
        };
        self.push(format_args!(
            "<section>\n<h2>Validation gate</h2>\n<p class=\"lead\"><b class=\"{}\">{}</b> {} {said}</p>\n\
             <div class=\"scroll\"><table class=\"metrics gate\"><thead><tr><th>Criterion</th><th class=\"num\">Asked</th>\
             <th class=\"num\">Found</th><th class=\"num\">n</th><th>Holds</th></tr></thead><tbody>\n",
            if failed == 0 { "pass" } else { "fail" },
            if failed == 0 { "Passed" } else { "Not passed" },
            Escaped(&verdict.step),
        ));
        for (criterion, n) in &verdict.rows {
            let found = criterion.value.map_or_else(
                |reason| reason.to_string(),
                |value| grouped(value, if value.fract() == 0.0 { 0 } else { 4 }),
            );
            self.push(format_args!(
                "<tr><th>{}</th><td class=\"num\">{}</td><td class=\"num\">{}</td><td class=\"num\">{}</td>\
                 <td><b class=\"{}\">{}</b></td></tr>\n",
                Escaped(criterion.name.replace('_', " ")),
                Escaped(asked(criterion.bound)),
                Escaped(found),
                grouped(*n as f64, 0),
                if criterion.holds() { "pass" } else { "fail" },
                if criterion.holds() { "yes" } else { "no" }
            ));
        }
        self.push(format_args!("</tbody></table></div>\n</section>\n"));
    }

    fn performance(&mut self) {
        let outcome = self.report.outcome;
        let decimals = self.money_decimals();
        let currency = outcome.currency;
        let change = float(outcome.equity.0.saturating_sub(outcome.starting_equity.0));
        let periods = self.report.curve.points.len();
        self.push(format_args!(
            "<section>\n<h2>Equity and drawdown</h2>\n<p class=\"lead\">{} became {} {} ({} {}), in {} periods of {}.</p>\n",
            grouped(float(outcome.starting_equity.0), decimals),
            grouped(float(outcome.equity.0), decimals),
            Escaped(currency),
            signed(grouped(change, decimals), change),
            Escaped(currency),
            grouped(periods as f64, 0),
            duration(outcome.period_ns)
        ));
        self.equity();
        let scale = if self.is_log() { " The scale of equity is logarithmic." } else { "" };
        let thinned = if self.curve.len() < periods {
            format!(
                " Of {} points {} are drawn: of each of {} columns the first, the last and every extreme.",
                grouped(periods as f64, 0),
                grouped(self.curve.len() as f64, 0),
                super::CURVE_COLUMNS
            )
        } else {
            String::new()
        };
        self.push(format_args!(
            "<p class=\"note\">n = {} periods. Equity at the end of each period, open positions at their marks. Drawdown \
             from the highest such end (dark); pale, the lowest that equity was within the period.{scale}{thinned}\
             <span class=\"screen\"> Drag or pinch to look closer; double click for all.</span></p>\n</section>\n",
            grouped(periods as f64, 0)
        ));
    }

    fn monthly(&mut self) {
        const MONTHS: [&str; 12] =
            ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
        let report = self.report;
        let largest = report.years.iter().flat_map(|year| year.months.iter().flatten());
        let largest = largest.map(|cell| cell.value.abs()).fold(0.0, f64::max);
        if report.years.is_empty() {
            self.push(format_args!(
                "<section>\n<h2>Returns by month</h2>\n<p class=\"empty\">No period has ended.</p>\n</section>\n"
            ));
            return;
        }
        self.push(format_args!(
            "<section>\n<h2>Returns by month</h2>\n<div class=\"scroll\"><table class=\"months\"><thead><tr><th>Year</th>"
        ));
        for month in MONTHS {
            self.push(format_args!("<th>{month}</th>"));
        }
        self.push(format_args!("<th>n</th><th class=\"year\">Year</th></tr></thead><tbody>\n"));
        for year in &report.years {
            self.push(format_args!("<tr><th>{}</th>", year.year));
            for (cell, name) in year.months.iter().zip(MONTHS) {
                let Some(cell) = cell else {
                    self.push(format_args!("<td class=\"none\">·</td>"));
                    continue;
                };
                let heat = if largest > 0.0 { cell.value.abs() / largest } else { 0.0 };
                self.push(format_args!(
                    "<td class=\"{}\" style=\"--h:{heat:.2}\" title=\"{name} {}: {}, n = {} periods\">{}</td>",
                    if cell.value < 0.0 { "loss" } else { "gain" },
                    year.year,
                    signed(percent(cell.value, 4), cell.value),
                    cell.n,
                    signed(grouped(cell.value * 100.0, 1), cell.value)
                ));
            }
            let total = year.total;
            self.push(format_args!(
                "<td class=\"n\">{}</td><td class=\"year {}\">{}</td></tr>\n",
                total.n,
                if total.value < 0.0 { "bad" } else { "good" },
                signed(grouped(total.value * 100.0, 1), total.value)
            ));
        }
        self.push(format_args!(
            "</tbody></table></div>\n<p class=\"note\">Percent of equity at the beginning of the month, compounded in the year, \
             in UTC; n is the count of periods. All years together are the total return.</p>\n</section>\n"
        ));
    }

    fn trades(&mut self) {
        let (outcome, charts) = (self.report.outcome, self.charts);
        let (closed, open) = (outcome.trades.len(), outcome.open.len());
        let drawn = charts.trades.iter().filter(|trade| trade.series.is_some()).count();
        let told = charts.trades.iter().filter(|trade| trade.reasons.is_some()).count();
        let mut note = format!("n = {} closed trades", grouped(closed as f64, 0));
        if open > 0 {
            note += &format!(" and {open} that {} open at the end", if open == 1 { "was" } else { "were" });
        }
        note += ".";
        if charts.bars_all == 0 {
            note += " The run kept no bars, so there is no chart.";
        } else if charts.bars_kept < charts.bars_all {
            note += &format!(
                " Of {} bars the {} around {} trades are on this page, the largest gains and losses first, the others spread \
                 evenly over the run; dotted lines are where bars were left out.",
                grouped(charts.bars_all as f64, 0),
                grouped(charts.bars_kept as f64, 0),
                grouped(drawn as f64, 0)
            );
        } else {
            note += &format!(" All {} bars are on this page.", grouped(charts.bars_all as f64, 0));
        }
        if told < charts.trades.len() {
            note += &format!(
                " Reasons are told for {} trades; report.json has all.",
                grouped(told.min(DRAWN_MAX) as f64, 0)
            );
        }
        if closed + open > ROWS_MAX {
            note += &format!(
                " The table has the first {} trades; trades.csv has all.",
                grouped(ROWS_MAX as f64, 0)
            );
        }
        self.push(format_args!("<section id=\"trades\">\n<h2>Trades and why they were made</h2>\n"));
        if charts.bars_kept > 0 {
            self.push(format_args!(
                "<div class=\"tools screen\" role=\"toolbar\" aria-label=\"Chart\"><select id=\"series\" aria-label=\"Instrument\"></select>\
                 <span class=\"grow\"></span><button type=\"button\" data-do=\"before\">‹ Trade</button>\
                 <button type=\"button\" data-do=\"after\">Trade ›</button><button type=\"button\" data-do=\"out\" aria-label=\"Zoom out\">−</button>\
                 <button type=\"button\" data-do=\"in\" aria-label=\"Zoom in\">+</button>\
                 <button type=\"button\" data-do=\"fit\">Fit trade</button></div>\n\
                 <div id=\"chart\" tabindex=\"0\" role=\"application\" aria-label=\"Bars, trades and the structures behind them. Arrow keys move, plus and minus zoom, n and p go to the next and previous trade.\"></div>\n\
                 <p class=\"note screen\">Drag to move; pinch, plus and minus or the wheel (after a click) to zoom; N and P for the next and previous trade.</p>\n"
            ));
        }
        self.push(format_args!(
            "<noscript><p class=\"alarm\">Chart and table of trades need the script on this page (it loads nothing). \
             trades.csv and report.json have the same.</p></noscript>\n\
             <div class=\"pair\"><div id=\"why\" class=\"panel\" aria-live=\"polite\"></div><div id=\"table\" class=\"panel\"></div></div>\n\
             <p class=\"note\">{}</p>\n</section>\n",
            Escaped(note)
        ));
    }

    fn distribution(&mut self) {
        self.push(format_args!("<section>\n<h2>What trades came to</h2>\n<div class=\"grid\">\n"));
        self.histogram();
        self.excursions();
        self.push(format_args!("</div>\n</section>\n"));
    }

    fn activity(&mut self) {
        self.push(format_args!("<section>\n<h2>Exposure and costs</h2>\n<div class=\"grid two\">\n"));
        self.exposure();
        self.costs();
        self.push(format_args!("</div>\n</section>\n"));
    }

    fn costs(&mut self) {
        let (outcome, decimals) = (self.report.outcome, self.money_decimals());
        let costs = &outcome.costs;
        let share = CostShare::of(outcome);
        let trades = outcome.trades.len() + outcome.open.len();
        let gross: f64 = outcome.trades.iter().chain(&outcome.open).map(|trade| float(trade.gross.0)).sum();
        let [spread, impact] = [costs.spread, costs.impact].map(|cost| float(cost.0));
        let [maker, taker] = [costs.maker_fees, costs.taker_fees].map(|cost| float(cost.0));
        let [funding, financing] = [costs.funding, costs.financing].map(|cost| float(cost.0));
        let before = gross + spread + impact;
        let net = float(outcome.equity.0.saturating_sub(outcome.starting_equity.0));
        let fills = costs.fills[0].saturating_add(costs.fills[1]);
        let other = net - (gross - maker - taker - funding - financing);
        let is_other = other.abs() > 0.005 * net.abs().max(1e-6);
        let rows = [
            ("Profit before all costs", before, true, trades as u64, "trades"),
            ("Spread", -spread, false, costs.fills[1], "taking fills"),
            ("Impact and slippage", -impact, false, costs.fills[1], "taking fills"),
            ("Maker fees", -maker, false, costs.fills[0], "resting fills"),
            ("Taker fees", -taker, false, costs.fills[1], "taking fills"),
            ("Funding", -funding, false, trades as u64, "trades"),
            ("Financing", -financing, false, trades as u64, "trades"),
            ("Not of a trade", other, false, trades as u64, "trades"),
            ("Change of equity", net, true, trades as u64, "trades"),
        ];
        let largest = rows.iter().map(|row| row.1.abs()).fold(0.0, f64::max).max(1e-12);
        self.push(format_args!(
            "<figure><h3>From profit to equity, {}</h3><div class=\"scroll\"><table class=\"costs\"><tbody>\n",
            Escaped(outcome.currency)
        ));
        for (name, amount, is_sum, n, of) in rows {
            if amount == 0.0 && !is_sum || name == "Not of a trade" && !is_other {
                continue;
            }
            self.push(format_args!(
                "<tr class=\"{}\" title=\"n = {n} {of}\"><th>{name}</th><td class=\"num\">{}</td><td class=\"line\"><i class=\"{}\" style=\"width:{:.1}%\"></i></td></tr>\n",
                if is_sum { "sum" } else { "" },
                signed(grouped(amount, decimals), amount),
                if amount < 0.0 { "loss" } else { "gain" },
                amount.abs() / largest * 100.0
            ));
        }
        let of_gross = if share.gross_profit > 0.0 {
            format!("{} of the gross profit of winning trades", percent(share.paid / share.gross_profit, 1))
        } else {
            "no share of gross profit, since nothing was gained".to_owned()
        };
        self.push(format_args!(
            "</tbody></table></div><figcaption>n = {} trades, {} fills ({} resting, {} taking). Costs are {of_gross} \
             (<code>6.cost_share</code>), which is counted at the prices of fills, so after spread and impact: the share is rather \
             too large than too small.</figcaption></figure>\n",
            grouped(trades as f64, 0),
            grouped(fills as f64, 0),
            grouped(costs.fills[0] as f64, 0),
            grouped(costs.fills[1] as f64, 0)
        ));
    }

    fn metrics(&mut self) {
        let decimals = self.money_decimals();
        let currency = self.report.outcome.currency;
        self.push(format_args!(
            "<section>\n<h2>All figures</h2>\n<div class=\"scroll\"><table class=\"metrics\" id=\"metrics\"><thead><tr><th>Figure</th>\
             <th class=\"num\">Value</th><th class=\"num\">90 % interval</th><th class=\"num\">n</th><th>Formula</th></tr></thead>\n"
        ));
        let report = self.report;
        for chunk in report.figures.chunk_by(|a, b| a.group == b.group) {
            let Some(first) = chunk.first() else { continue };
            let unit = match first.group {
                Group::TradesMoney => format!(", {currency}"),
                Group::Benchmark => {
                    report.meta.benchmark.as_ref().map_or(String::new(), |it| format!(": {}", it.name))
                }
                _ => String::new(),
            };
            self.push(format_args!(
                "<tbody><tr class=\"group\"><th colspan=\"5\">{}{}</th></tr>\n",
                first.group.title(),
                Escaped(unit)
            ));
            for figure in chunk {
                let value = match &figure.value {
                    Ok(value) => figure.write(*value, decimals),
                    Err(reason) => format!("— {reason}"),
                };
                self.push(format_args!(
                    "<tr data-metric=\"{}.{}\"><th>{}{}</th><td class=\"num value{}\">{}</td><td class=\"num interval\">{}</td>\
                     <td class=\"num n\">{}<small> {}</small></td><td><code class=\"formula\">{}</code></td></tr>\n",
                    figure.group.key(),
                    figure.name,
                    Escaped(figure.label),
                    yearly(figure),
                    if figure.value.is_err() { " reason" } else { "" },
                    Escaped(value),
                    Escaped(interval(figure, decimals)),
                    grouped(figure.n as f64, 0),
                    figure.of,
                    figure.formula
                ));
            }
            self.push(format_args!("</tbody>\n"));
        }
        let resampled = report.figures.iter().filter_map(|figure| figure.interval.ok());
        let most = resampled.map(|interval| interval.resamples).max().unwrap_or(0);
        self.push(format_args!(
            "</table></div>\n<p class=\"note\">Formulas are named by section of the project's reference on validation; <code>own</code> ones \
             are not in it. Intervals are the 5 % and 95 % quantiles of the stationary bootstrap with up to {} resamples from seed {}; \
             a dash says why there is none. Risk-free rate {} a period; {} days a year.</p>\n</section>\n",
            grouped(most as f64, 0),
            report.meta.resampling.seed,
            percent(report.meta.risk_free, 4),
            grouped(report.meta.days_per_year.get(), 0)
        ));
    }

    fn run(&mut self) {
        let (meta, outcome) = (self.report.meta, self.report.outcome);
        let counters = outcome.counters;
        let count = |value: u64| grouped(value as f64, 0);
        let rows = [
            ("Seed", meta.seed.to_string()),
            ("Digest of all that the engine said", outcome.digest.to_string()),
            ("First and last event", format!("{} to {} UTC", minute(outcome.span.0), minute(outcome.span.1))),
            ("Inputs", count(outcome.inputs)),
            ("Bars closed", count(counters.bars)),
            ("Structures told", count(counters.structures)),
            ("Signals", count(counters.signals)),
            (
                "Orders sent, denied",
                format!("{}, {}", count(counters.orders_sent), count(counters.orders_denied)),
            ),
            (
                "Fills, refusals by the venue",
                format!("{}, {}", count(counters.fills), count(counters.rejects)),
            ),
        ];
        self.push(format_args!("<section>\n<h2>How it was made</h2>\n<dl class=\"facts wide\">\n"));
        for (name, value) in rows {
            self.push(format_args!("<div><dt>{name}</dt><dd>{}</dd></div>\n", Escaped(value)));
        }
        let denials: Vec<String> =
            denied(self.report).map(|(check, orders)| format!("{check} {}", count(orders))).collect();
        if !denials.is_empty() {
            self.push(format_args!(
                "<div><dt>Orders denied, by check</dt><dd>{}</dd></div>\n",
                Escaped(denials.join(", "))
            ));
        }
        self.push(format_args!("</dl>\n"));
        if !meta.sources.is_empty() {
            self.push(format_args!(
                "<h3>Data</h3>\n<div class=\"scroll\"><table class=\"metrics\"><thead><tr><th>Source</th><th>Hash</th></tr></thead><tbody>\n"
            ));
            for source in &meta.sources {
                self.push(format_args!(
                    "<tr><th>{}</th><td><code>{}</code></td></tr>\n",
                    Escaped(&source.name),
                    Escaped(&source.hash)
                ));
            }
            self.push(format_args!("</tbody></table></div>\n"));
        }
        if !meta.configuration.is_empty() {
            self.push(format_args!(
                "<details><summary>Configuration</summary><pre>{}</pre></details>\n",
                Escaped(&meta.configuration)
            ));
        }
        self.push(format_args!("</section>\n"));
    }

    fn foot(&mut self) {
        let meta = self.report.meta;
        self.push(format_args!(
            "<footer><p>{}</p><p>Made from the run alone: the same run gives the same page, byte for byte. Times are UTC.</p></footer>\n",
            Escaped(&meta.generated_by)
        ));
    }
}

fn yearly(figure: &Shown) -> &'static str {
    if figure.per_year.is_some() { " <small>a year</small>" } else { "" }
}

/// The interval, or why there is none.
fn interval(figure: &Shown, decimals: usize) -> String {
    match figure.interval {
        Ok(it) => figure.span(&it, decimals),
        Err(reason) => format!("— {reason}"),
    }
}

/// The same for a card, where a value that is missing is said first.
fn interval_or_reason(figure: &Shown, decimals: usize) -> String {
    match (&figure.value, figure.interval) {
        (Err(reason), _) => reason.clone(),
        (_, Ok(it)) => {
            let percent = grouped(it.level * 100.0, 0);
            format!("{percent} %: {}", figure.span(&it, decimals))
        }
        (_, Err(reason)) => format!("no interval: {reason}"),
    }
}
