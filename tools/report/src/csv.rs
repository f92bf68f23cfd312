//! The report as tables: commas, a head, numbers that no reader rounds. `REPORT.md` has the columns.

use crate::json::{exit_word, side};
use crate::report::Report;
use smc_backtest::Trade;
use smc_detect::csv::Iso;
use std::fmt::{Display, Write};

/// A table in the making.
struct Table {
    out: String,
    at_start: bool,
}

impl Table {
    fn new(head: &str) -> Self {
        Self { out: format!("{head}\n"), at_start: true }
    }

    /// A cell. Quoted where it must be; texts that a spreadsheet would run as a formula get a quote before them.
    fn text(&mut self, text: &str) -> &mut Self {
        let is_formula = text.starts_with(['=', '+', '-', '@', '\t', '\r']);
        let text = if is_formula { format!("'{text}") } else { text.to_owned() };
        if text.contains([',', '"', '\n', '\r']) {
            self.number(format_args!("\"{}\"", text.replace('"', "\"\"")))
        } else {
            self.number(text)
        }
    }

    /// A cell that needs no quotes.
    fn number(&mut self, value: impl Display) -> &mut Self {
        let before = if std::mem::take(&mut self.at_start) { "" } else { "," };
        // A `String` takes whatever is written.
        let _ = write!(self.out, "{before}{value}");
        self
    }

    /// A number, or an empty cell.
    fn maybe(&mut self, value: Option<impl Display>) -> &mut Self {
        match value {
            Some(value) => self.number(value),
            None => self.number(""),
        }
    }

    fn end(&mut self) {
        self.out.push('\n');
        self.at_start = true;
    }
}

/// Closed trades in order, then open ones.
pub fn trades(report: &Report<'_>) -> String {
    let mut table = Table::new(
        "nr,instrument,direction,state,opened,closed,qty,entry,exit,stop,target,gross,fees,cash,net,risked,r,mae,mfe,exit_by,fills,signal",
    );
    let outcome = report.outcome;
    let all =
        outcome.trades.iter().map(|it| (it, "closed")).chain(outcome.open.iter().map(|it| (it, "open")));
    for (at, (it, state)) in all.enumerate() {
        trade(&mut table, report, it, at + 1, state);
    }
    table.out
}

fn trade(table: &mut Table, report: &Report<'_>, it: &Trade, nr: usize, state: &str) {
    table.number(nr).text(&report.meta.symbol(it.instrument)).number(side(it.direction)).number(state);
    table.number(Iso(it.opened)).number(Iso(it.closed)).number(it.qty).number(it.entry).number(it.exit);
    table.maybe(it.signal.map(|signal| signal.stop)).maybe(it.signal.map(|signal| signal.target));
    table.number(it.gross).number(it.fees).number(it.cash).number(it.net).number(it.risked).maybe(it.r());
    table.number(it.mae).number(it.mfe).maybe(it.exit_by.map(exit_word)).number(it.fills);
    table.maybe(it.signal.map(|signal| signal.id)).end();
}

/// A row a period.
pub fn equity(report: &Report<'_>) -> String {
    let mut table = Table::new("ts,equity,low,drawdown,exposure,turnover,exposed_ns,benchmark");
    for (point, drawn) in report.outcome.points.iter().zip(&report.curve.points) {
        table.number(Iso(point.ts)).number(point.equity).number(point.low).number(drawn.drawdown);
        table.number(point.exposure).number(point.turnover).number(point.exposed_ns);
        table.maybe(drawn.benchmark).end();
    }
    table.out
}

/// A row a figure.
pub fn metrics(report: &Report<'_>) -> String {
    let mut table = Table::new(
        "group,name,formula,value,low,high,level,resamples,n,of,periods_per_year,reason,no_interval",
    );
    for figure in &report.figures {
        let interval = figure.interval.ok();
        table.number(figure.group.key()).number(figure.name).number(figure.formula);
        table.maybe(figure.value.as_ref().ok());
        table.maybe(interval.map(|it| it.low)).maybe(interval.map(|it| it.high));
        table.maybe(interval.map(|it| it.level)).maybe(interval.map(|it| it.resamples));
        table.number(figure.n).number(figure.of).maybe(figure.per_year.map(|per_year| per_year.get()));
        table.text(figure.value.as_ref().err().map_or("", String::as_str));
        table.text(figure.interval.err().unwrap_or("")).end();
    }
    table.out
}

/// A row a month that has periods; `month` 0 is the year as a whole.
pub fn monthly(report: &Report<'_>) -> String {
    let mut table = Table::new("year,month,return,n");
    for year in &report.years {
        let months = year.months.iter().enumerate().filter_map(|(at, cell)| Some((at + 1, (*cell)?)));
        for (month, cell) in months.chain([(0, year.total)]) {
            table.number(year.year).number(month).number(cell.value).number(cell.n).end();
        }
    }
    table.out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_stays_in_its_cell_and_runs_nowhere() {
        let mut table = Table::new("a,b,c");
        table.text("x,\"y\"").text("=1+1").text("").end();
        assert_eq!(table.out, "a,b,c\n\"x,\"\"y\"\"\",'=1+1,\n");
    }
}
