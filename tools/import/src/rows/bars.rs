//! Bars from CSV as people have them, by the reader that `smc detect` uses.

use super::binance::closed_bar;
use super::{Draft, Hints, Rows, Step, Taken};
use smc_core::TsNs;
use smc_core::words::Timeframe;
use smc_detect::csv::{CsvFault, Row, Rows as CsvRows};
use smc_detect::live::bar_of;
use std::collections::VecDeque;
use std::io::BufRead;

/// Rows looked at to find out how long a bar is.
const LOOKED_AT: usize = 64;

/// Rows of a CSV file.
pub struct Bars {
    rows: CsvRows<Box<dyn BufRead>>,
    /// Read already, to find the timeframe.
    first: VecDeque<Result<Row, smc_detect::csv::CsvError>>,
    timeframe: Timeframe,
    last: Option<TsNs>,
}

impl Bars {
    pub fn new(reader: Box<dyn BufRead>, hints: &Hints) -> Result<Self, String> {
        let mut rows = CsvRows::new(reader).map_err(|error| error.to_string())?.lenient();
        let first: VecDeque<_> = rows.by_ref().take(LOOKED_AT).collect();
        let timeframe = hints.timeframe.or_else(|| shortest(&first));
        let timeframe =
            timeframe.ok_or("how long a bar is cannot be seen from the first rows; say --timeframe")?;
        Ok(Self { rows, first, timeframe, last: None })
    }
}

/// The shortest step between two rows, if it is a timeframe.
fn shortest(rows: &VecDeque<Result<Row, smc_detect::csv::CsvError>>) -> Option<Timeframe> {
    let times: Vec<u64> = rows.iter().filter_map(|row| Some(row.as_ref().ok()?.time.0)).collect();
    let steps =
        times.windows(2).filter_map(|pair| pair.last()?.checked_sub(*pair.first()?)).filter(|step| *step > 0);
    let step = steps.min()?;
    (step % 1_000_000_000 == 0).then(|| Timeframe::from_secs(u32::try_from(step / 1_000_000_000).ok()?))?
}

impl Rows for Bars {
    fn step(&mut self, out: &mut Vec<Draft>) -> Step {
        let row = match self.first.pop_front().or_else(|| self.rows.next()) {
            None => return Step::End,
            Some(Ok(row)) => row,
            Some(Err(error)) => {
                return match error.fault {
                    CsvFault::Io(error) => Step::Broken(error),
                    fault => Step::Row(error.line, Err(fault.to_string())),
                };
            }
        };
        let bar = bar_of(&row, self.last).map_err(|reason| reason.to_string());
        let draft = bar.and_then(|mut bar| {
            // The file counts no trades; a bar that is there had some.
            bar.trades = bar.trades.max(1);
            closed_bar(self.timeframe, bar)
        });
        Step::Row(
            row.line,
            draft.map(|draft| {
                self.last = Some(row.time);
                out.push(draft);
                Taken::Events
            }),
        )
    }
}
