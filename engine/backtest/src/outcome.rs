//! What a run came to: round trips, equity by period, costs, and what reports draw.

use smc_core::digest::Digest;
use smc_core::engine::Counters;
use smc_core::event::Bar;
use smc_core::output::{Purpose, Signal, Structure};
use smc_core::words::{Direction, InstrumentId, Money, Name, Price, Qty, Timeframe, TsNs};

/// How a run went. Money is in the account's currency.
#[derive(Clone, Debug, PartialEq)]
pub struct Outcome {
    /// Time of the first and of the last event.
    pub span: (TsNs, TsNs),
    /// The account's currency.
    pub currency: Name,
    /// What the account was worth before the first event.
    pub starting_equity: Money,
    /// What it was worth at the end, open positions at their marks.
    pub equity: Money,
    /// Round trips, in the order in which they closed.
    pub trades: Vec<Trade>,
    /// A trade that was open at the end, of each instrument that had one; not in `trades`.
    pub open: Vec<Trade>,
    /// The account at the end of each period, in order; periods without any event are left out.
    pub points: Vec<EquityPoint>,
    /// Length of a period in nanoseconds; periods begin at multiples of it since the epoch.
    pub period_ns: u64,
    /// What trading cost.
    pub costs: Costs,
    /// The engine's own counts.
    pub counters: Counters,
    /// Orders that the gate denied, by violated check: a denied order counts once for each.
    pub denied: [u64; 32],
    /// Events that the engine took, timers included.
    pub inputs: u64,
    /// Fingerprint of all that the engine said.
    pub digest: Digest,
    /// Why the run ended.
    pub ended: Ended,
    /// Bars and structures for charts; empty unless they were asked for.
    pub record: Record,
}

const DAY_NS: u64 = 86_400_000_000_000;

impl Outcome {
    /// Days that a year of this market has: 365, or 252 of one that rests at weekends. Where the periods are days and there is one of
    /// Sundays, as of currencies by UTC, which open on Sunday evening, it is among them: 252 and a fifth more. A run of less than a
    /// week does not tell.
    pub fn days_per_year(&self) -> f64 {
        // The first of January 1970 was a Thursday. Of markets that rest nothing is told on Saturdays, but for a word or two; a bar
        // that closes at midnight belongs to the Friday.
        let on = |day: u64| {
            let is_on = |point: &&EquityPoint| (point.ts.0.saturating_sub(1) / DAY_NS + 3) % 7 == day;
            self.points.iter().filter(is_on).count()
        };
        let (saturdays, sundays, all) = (on(5), on(6), self.points.len());
        let is_long = self.span.1.since(self.span.0) > 7 * DAY_NS;
        if !is_long || saturdays * 20 > all {
            return 365.0;
        }
        // Of shorter periods the hours of Sunday evening are those that Friday evening lacks.
        if self.period_ns != DAY_NS || all <= saturdays + sundays {
            return 252.0;
        }
        252.0 * (all - saturdays) as f64 / (all - saturdays - sundays) as f64
    }

    /// Periods that a year of this market has.
    pub fn periods_per_year(&self) -> f64 {
        self.days_per_year() * DAY_NS as f64 / self.period_ns as f64
    }

    /// Returns of the periods, as fractions of the equity at their beginning. Ends with the first period that leaves
    /// nothing.
    pub fn returns(&self) -> Vec<f64> {
        let mut before = self.starting_equity.0 as f64;
        let mut returns = Vec::with_capacity(self.points.len());
        for point in &self.points {
            if before <= 0.0 {
                break;
            }
            let after = point.equity.0 as f64;
            returns.push(after / before - 1.0);
            before = after;
        }
        returns
    }
}

/// Why a run ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// There was no more data.
    EndOfData,
    /// The venue would have liquidated the account then.
    Liquidated {
        /// When.
        at: TsNs,
        /// What the account was worth.
        equity: Money,
    },
}

/// One trade of one instrument, from flat to flat.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Trade {
    /// Which instrument.
    pub instrument: InstrumentId,
    /// Long or short.
    pub direction: Direction,
    /// What the strategy saw: entry, stop, target and the structures it rests on; none of a position that no signal
    /// opened.
    pub signal: Option<Signal>,
    /// First fill.
    pub opened: TsNs,
    /// Last fill; of an open trade the end of the run.
    pub closed: TsNs,
    /// Sum of what was bought (long) or sold (short) to open.
    pub qty: Qty,
    /// Average price of that.
    pub entry: Price,
    /// Average price of what closed it; of an open trade the mark.
    pub exit: Price,
    /// Profit before fees and cash.
    pub gross: Money,
    /// Fees of all its fills; positive is paid.
    pub fees: Money,
    /// Funding and financing while it was open; positive is received.
    pub cash: Money,
    /// `gross - fees + cash`.
    pub net: Money,
    /// What was put at risk: distance from the average entry to the signal's stop, times the quantity; zero where there is
    /// no signal.
    pub risked: Money,
    /// Furthest that the trade was under water, before costs; 0 or more.
    pub mae: Money,
    /// Furthest that it was above, before costs; 0 or more.
    pub mfe: Money,
    /// What the order that closed it was for; none of an open trade.
    pub exit_by: Option<Purpose>,
    /// Half spreads, impact and slippage in the prices of its fills, and so in `gross`; zero of a recorded run, where nobody knows.
    pub slippage: Money,
    /// Fills that made it and ended it.
    pub fills: u32,
}

impl Trade {
    /// Net profit in multiples of what was risked; none where nothing was put at risk by a stop.
    pub fn r(&self) -> Option<f64> {
        (self.risked.0 > 0).then(|| self.net.0 as f64 / self.risked.0 as f64)
    }
}

/// The account at the end of a period.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EquityPoint {
    /// Last event of the period.
    pub ts: TsNs,
    /// Cash and open profit.
    pub equity: Money,
    /// The lowest that equity was in the period, as far as it was looked at (at fills, bars, and the period's end).
    pub low: Money,
    /// Sum of the absolute values of positions.
    pub exposure: Money,
    /// Value bought and sold in the period.
    pub turnover: Money,
    /// Time with a position, in nanoseconds.
    pub exposed_ns: u64,
}

/// What trading cost; positive is paid.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Costs {
    /// Fees of fills that rested; negative where the venue pays.
    pub maker_fees: Money,
    /// Fees of fills that took.
    pub taker_fees: Money,
    /// Half spreads paid by fills that took: their distance from the middle.
    pub spread: Money,
    /// Our own impact and slippage, beyond the price that was shown.
    pub impact: Money,
    /// Funding of perpetual contracts.
    pub funding: Money,
    /// Financing of currency positions.
    pub financing: Money,
    /// Value of all fills.
    pub turnover: Money,
    /// Fills that rested, and that took.
    pub fills: [u64; 2],
}

/// What charts are drawn from.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Record {
    /// Closed bars, by instrument and timeframe, oldest first.
    pub bars: Vec<(InstrumentId, Timeframe, Bar)>,
    /// Structures as they were told, with the time of the telling.
    pub structures: Vec<(TsNs, Structure)>,
}
