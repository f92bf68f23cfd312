//! Returns by calendar month, and years of them.

use crate::text::float;
use smc_backtest::Outcome;
use smc_core::words::TsNs;
use smc_detect::csv::civil;

/// One year.
#[derive(Clone, Debug, PartialEq)]
pub struct Year {
    /// Of the calendar, UTC.
    pub year: i64,
    /// January first; none for months without a period.
    pub months: [Option<Cell>; 12],
    /// The year as a whole.
    pub total: Cell,
}

/// A return and the periods behind it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Cell {
    /// A fraction of equity at the beginning.
    pub value: f64,
    /// Periods.
    pub n: usize,
}

impl Cell {
    const NOTHING: Self = Self { value: 0.0, n: 0 };

    /// Goes on with a span that took equity `from` one value `to` another.
    fn grow(&mut self, from: f64, to: f64, n: usize) {
        self.value = (1.0 + self.value) * (to / from) - 1.0;
        self.n += n;
    }
}

/// Years in order. A period belongs to the month of its last event; one that ends with a month belongs to that month. Like [`Outcome::returns`], it ends with the first
/// period that leaves nothing; all months together are the total return.
pub fn years(outcome: &Outcome) -> Vec<Year> {
    let mut years: Vec<Year> = Vec::new();
    let mut before = float(outcome.starting_equity.0);
    let month_of = |at: usize| {
        // A bar that closes at midnight closes the day before.
        let within = outcome.points[at].ts.0.saturating_sub(1);
        let (year, month, _) = civil(TsNs(within));
        (year, month as usize - 1)
    };
    let mut at = 0;
    while at < outcome.points.len() && before > 0.0 {
        let (year, month) = month_of(at);
        let mut end = at;
        // To the end of the month, or of the account.
        while end + 1 < outcome.points.len()
            && month_of(end + 1) == (year, month)
            && outcome.points[end].equity.0 > 0
        {
            end += 1;
        }
        let (after, n) = (float(outcome.points[end].equity.0), end + 1 - at);
        if years.last().is_none_or(|last| last.year != year) {
            years.push(Year { year, months: [None; 12], total: Cell::NOTHING });
        }
        if let Some(last) = years.last_mut() {
            last.months[month].get_or_insert(Cell::NOTHING).grow(before, after, n);
            last.total.grow(before, after, n);
        }
        (before, at) = (after, end + 1);
    }
    years
}
