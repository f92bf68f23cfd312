//! Rows into live events: the engine's own structure code, bar by bar, on one or more timeframes.
//!
//! Never looks ahead: what is said after row `n` depends on the rows up to `n` alone. A bad row is told as a
//! [`Rejection`] and changes nothing. Rows missing in between (weekends, holes) are not invented; the bars before and after
//! them are neighbours. Longer bars are folded from shorter ones and close when their time is over or, after
//! a hole, before the next row is looked at; a longer bar that the file does not finish is never told.
//!
//! Order at one moment: the shorter timeframe first. `seq` counts everything that is said.

use crate::csv::{Cell, Row};
use smc_core::bars::BarBuilder;
use smc_core::calendar::Calendar;
use smc_core::event::Bar;
use smc_core::output::Structure;
use smc_core::smc::{IdSource, PRICE_MAX, SmcEngine, SmcParams};
use smc_core::words::{InstrumentId, Price, Qty, Timeframe, TsNs};
use std::fmt;

/// One thing said.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Event {
    /// From 1, over all timeframes.
    pub seq: u64,
    /// On which timeframe.
    pub timeframe: Timeframe,
    /// Index of the bar whose close made it known.
    pub known: u32,
    /// That bar's time, as the file stamps bars: its open.
    pub ts: TsNs,
    /// Time of the bar it talks about.
    pub ts_bar: TsNs,
    /// What.
    pub what: What,
}

/// What a row made of itself, in order: each closed bar before what is said about it.
#[derive(Clone, Copy, Debug)]
pub enum Said<'a> {
    /// A bar closed.
    Bar(Timeframe, &'a Bar),
    /// Something became known.
    Event(&'a Event),
}

/// A structure of the market, or a row that cannot be a bar.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum What {
    /// The engine's word.
    Structure(Structure),
    /// The row was refused; nothing changed.
    Rejected(Rejection),
}

/// A row that cannot be a bar.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Rejection {
    /// In the file, from 1.
    pub line: u64,
    /// Why.
    pub reason: Reason,
    /// What the row says.
    pub row: Row,
}

/// Why a row cannot be a bar.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// A price is empty or NaN.
    Missing,
    /// A price or volume is infinite.
    Infinite,
    /// A price is beyond what the engine can hold.
    Price,
    /// High under low.
    HighLow,
    /// Open or close outside high and low.
    Shape,
    /// Negative volume.
    Volume,
    /// The time of the bar before.
    Duplicate,
    /// A time before that of the bar before.
    Time,
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Missing => "a price is missing or NaN",
            Self::Infinite => "a value is infinite",
            Self::Price => "a price is too large",
            Self::HighLow => "high is under low",
            Self::Shape => "open or close lies outside high and low",
            Self::Volume => "volume is negative",
            Self::Duplicate => "same time as the bar before",
            Self::Time => "time goes back",
        })
    }
}

/// One timeframe.
struct Rung {
    engine: SmcEngine,
    /// None for the timeframe of the rows themselves.
    builder: Option<BarBuilder>,
    /// Open times of the bars taken, by index.
    opened: Vec<TsNs>,
}

/// Market structure over the rows of one file.
pub struct Live {
    base: Timeframe,
    /// Shortest first.
    rungs: Vec<Rung>,
    ids: IdSource,
    seq: u64,
    /// Rows taken as bars.
    count: u32,
    last: Option<TsNs>,
    holes: u64,
}

/// A timeframe that cannot be folded from the rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotMultiple {
    /// Which.
    pub timeframe: Timeframe,
    /// The rows'.
    pub base: Timeframe,
}

impl fmt::Display for NotMultiple {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} is not a multiple of the file's {}", self.timeframe, self.base)
    }
}

impl Live {
    /// Rows are bars of `base`; order and repetition of `timeframes` do not matter.
    pub fn new(
        base: Timeframe,
        timeframes: &[Timeframe],
        params: &SmcParams,
        calendar: &Calendar,
    ) -> Result<Self, NotMultiple> {
        let mut sorted = timeframes.to_vec();
        sorted.sort_unstable();
        sorted.dedup();
        if let Some(&timeframe) = sorted.iter().find(|timeframe| timeframe.secs() % base.secs() != 0) {
            return Err(NotMultiple { timeframe, base });
        }
        let rung = |&timeframe: &Timeframe| Rung {
            engine: SmcEngine::with_calendar(InstrumentId(0), timeframe, params, calendar),
            builder: (timeframe != base).then(|| BarBuilder::new(timeframe)),
            opened: Vec::new(),
        };
        let rungs = sorted.iter().map(rung).collect();
        Ok(Self { base, rungs, ids: IdSource::new(), seq: 0, count: 0, last: None, holes: 0 })
    }

    /// Takes one row; hands on what it made known. False when the row is no bar.
    pub fn on_row(&mut self, row: &Row, said: &mut impl FnMut(Said<'_>)) -> bool {
        let bar = match self.bar(row) {
            Ok(bar) => bar,
            Err(reason) => {
                self.reject(row, reason, said);
                return false;
            }
        };
        let ends = TsNs(bar.open_ts.0.saturating_add(self.base.nanos()));
        if self.last.is_some_and(|last| last.0.saturating_add(self.base.nanos()) < bar.open_ts.0) {
            self.holes += 1;
        }
        self.last = Some(bar.open_ts);
        self.count += 1;
        let Self { rungs, ids, seq, .. } = self;
        let mut take = |rung: &mut Rung, bar: &Bar| {
            said(Said::Bar(rung.engine.timeframe(), bar));
            rung.take(bar, ids, seq, said);
        };
        // After a hole: what ended in it ended before this bar began.
        for rung in rungs.iter_mut() {
            if let Some(over) = rung.builder.as_mut().and_then(|builder| builder.on_clock(bar.open_ts)) {
                take(rung, &over);
            }
        }
        for rung in rungs.iter_mut() {
            let Some(builder) = &mut rung.builder else {
                take(rung, &bar);
                continue;
            };
            let before = builder.on_bar(&bar);
            let over = builder.on_clock(ends);
            for bar in [before, over].iter().flatten() {
                take(rung, bar);
            }
        }
        true
    }

    /// Rows taken as bars.
    pub const fn bar_count(&self) -> u32 {
        self.count
    }

    /// Places where rows are missing: nights, weekends, losses.
    pub const fn holes(&self) -> u64 {
        self.holes
    }

    /// The engines, shortest timeframe first.
    pub fn engines(&self) -> impl Iterator<Item = &SmcEngine> {
        self.rungs.iter().map(|rung| &rung.engine)
    }

    fn bar(&self, row: &Row) -> Result<Bar, Reason> {
        let price = |cell: Cell| match cell {
            Cell::Number(price, _) if price.0.unsigned_abs() <= PRICE_MAX.0.unsigned_abs() => Ok(price),
            Cell::Number(..) | Cell::Huge(_) => Err(Reason::Price),
            Cell::Missing => Err(Reason::Missing),
            Cell::Infinite => Err(Reason::Infinite),
        };
        let [open, high, low, close] =
            [price(row.open)?, price(row.high)?, price(row.low)?, price(row.close)?];
        let volume = match row.volume {
            Cell::Number(Price(volume), _) if volume < 0 => return Err(Reason::Volume),
            Cell::Number(Price(volume), _) => Qty(volume),
            Cell::Missing => Qty(0),
            Cell::Huge(volume) if volume < 0.0 => return Err(Reason::Volume),
            Cell::Huge(_) => Qty(i64::MAX),
            Cell::Infinite => return Err(Reason::Infinite),
        };
        if high < low {
            return Err(Reason::HighLow);
        }
        if open < low || high < open || close < low || high < close {
            return Err(Reason::Shape);
        }
        match self.last {
            Some(last) if row.time == last => Err(Reason::Duplicate),
            Some(last) if row.time < last => Err(Reason::Time),
            _ => Ok(Bar { open_ts: row.time, open, high, low, close, volume, trades: 0 }),
        }
    }

    #[cold]
    fn reject(&mut self, row: &Row, reason: Reason, said: &mut impl FnMut(Said<'_>)) {
        self.seq += 1;
        said(Said::Event(&Event {
            seq: self.seq,
            timeframe: self.base,
            known: self.count,
            ts: row.time,
            ts_bar: row.time,
            what: What::Rejected(Rejection { line: row.line, reason, row: *row }),
        }));
    }
}

impl Rung {
    fn take(&mut self, bar: &Bar, ids: &mut IdSource, seq: &mut u64, said: &mut impl FnMut(Said<'_>)) {
        let Self { engine, opened, .. } = self;
        opened.push(bar.open_ts);
        engine.on_bar(bar, ids, &mut |structure| {
            *seq += 1;
            let opened_at = |bar: u32| opened.get(bar as usize).copied().unwrap_or(bar_never_seen(opened));
            said(Said::Event(&Event {
                seq: *seq,
                timeframe: structure.timeframe,
                known: structure.known_bar,
                ts: opened_at(structure.known_bar),
                ts_bar: opened_at(structure.bar),
                what: What::Structure(structure),
            }));
        });
    }
}

/// Every event talks about a bar that was; should one not, it is stamped with the last.
fn bar_never_seen(opened: &[TsNs]) -> TsNs {
    opened.last().copied().unwrap_or_default()
}
