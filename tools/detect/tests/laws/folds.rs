//! The events, folded, against the batch tables of the same bars, every cell.
//!
//! The tables compute in floats. Here they get prices counted in ticks: whole numbers that single precision
//! holds exactly, so that no difference can hide behind rounding.

use crate::market::{Market, markets};
use smc_core::InstrumentId;
use smc_core::calendar::{Calendar, SessionWindow, ZoneOffsets};
use smc_core::output::{Structure, StructureKind as Kind};
use smc_core::smc::{IdSource, PeriodKind, Periods, Session, SmcEngine, SmcParams, Tolerance};
use smc_core::words::{Direction, Name, Price};
use smc_detect::csv::Iso;
use smc_parity::{
    Bars, Period, Row, Session as TableSession, Swings, Table, bos_choch_unrounded, fvg, liquidity_within,
    previous_high_low, sessions, swing_highs_lows,
};
use std::collections::BTreeMap;

const LENGTHS: [u16; 6] = [1, 2, 3, 5, 10, 50];
const DAY_NS: u64 = 86_400_000_000_000;

impl Market {
    /// A price in ticks.
    fn ticks(&self, price: Price) -> f64 {
        assert!(price.0 % self.tick == 0 && price.0 / self.tick < 1 << 24);
        (price.0 / self.tick) as f64
    }

    fn table_bars(&self) -> Bars {
        let row = |bar: &smc_core::event::Bar| Row {
            time_ns: bar.open_ts.0.try_into().unwrap(),
            open: self.ticks(bar.open),
            high: self.ticks(bar.high),
            low: self.ticks(bar.low),
            close: self.ticks(bar.close),
            volume: 1.0,
        };
        self.bars.iter().map(row).collect()
    }

    fn say(&self, params: &SmcParams) -> Vec<Structure> {
        let mut said = vec![];
        self.run(params, &Calendar::default(), |_, facts| said.extend_from_slice(facts));
        said
    }

    /// After each bar: the engine, and what it said.
    fn run(&self, params: &SmcParams, calendar: &Calendar, mut after: impl FnMut(&SmcEngine, &[Structure])) {
        let mut engine = SmcEngine::with_calendar(InstrumentId(0), self.timeframe, params, calendar);
        let (mut ids, mut facts) = (IdSource::new(), vec![]);
        for bar in &self.bars {
            facts.clear();
            engine.on_bar(bar, &mut ids, &mut |fact| facts.push(fact));
            after(&engine, &facts);
        }
    }
}

/// Nothing is let go, and only what is asked for is kept.
fn roomy(tick: i64) -> SmcParams {
    SmcParams {
        order_blocks: false,
        gaps: false,
        liquidity: false,
        tick: Price(tick),
        fvg_cap: 60_000,
        pool_cap: 60_000,
        level_cap: 60_000,
        ..SmcParams::default()
    }
}

fn sign(fact: &Structure) -> f64 {
    if fact.direction == Direction::Up { 1.0 } else { -1.0 }
}

fn of_kind(said: &[Structure], kind: Kind) -> impl Iterator<Item = &Structure> {
    said.iter().filter(move |fact| fact.kind == kind)
}

/// Rows by number; a row that is not there says nothing in its first column.
type Rows<const N: usize> = BTreeMap<usize, [f64; N]>;

fn compare<const N: usize>(what: &str, table: &Table, names: [&str; N], ours: &Rows<N>) {
    let columns = names.map(|name| table.column(name).unwrap());
    let mut rows = 0;
    for row in 0..table.len() {
        let theirs = columns.map(|column| column.at(row));
        let is_said = theirs.iter().any(|cell| !cell.is_nan());
        rows += usize::from(is_said);
        let same = match ours.get(&row) {
            Some(ours) => ours.iter().zip(&theirs).all(|(a, b)| a == b || a.is_nan() && b.is_nan()),
            None => !is_said,
        };
        assert!(same, "{what} row {row}: events {:?}, table {theirs:?}", ours.get(&row));
    }
    assert_eq!(rows, ours.len(), "{what}");
    println!("{what}: {rows} rows equal");
}

#[test]
fn swings_and_patterns_are_the_tables() {
    for market in markets() {
        let bars = market.table_bars();
        for length in LENGTHS {
            for close_break in [true, false] {
                let params = SmcParams { patterns: true, close_break, ..roomy(market.tick) };
                let said = market.say(&params.with_swing_length(length));
                let what = format!("{} {length} {close_break}", market.name);
                let swings = swing_highs_lows(&bars, length.into()).without_bookends();
                let table = swings.clone().into_table();
                compare(&format!("{what} swings"), &table, ["HighLow", "Level"], &swing_rows(&market, &said));
                let table = bos_choch_unrounded(&bars, &swings, close_break).unwrap();
                let names = ["BOS", "CHOCH", "Level", "BrokenIndex"];
                compare(&format!("{what} patterns"), &table, names, &pattern_rows(&market, &said));
            }
        }
    }
}

/// Locked swings and the last provisional one.
fn swing_rows(market: &Market, said: &[Structure]) -> Rows<2> {
    let last = said.iter().rfind(|fact| matches!(fact.kind, Kind::SwingStarted | Kind::SwingExtended));
    let row = |fact: &Structure| (fact.bar as usize, [sign(fact), market.ticks(fact.top)]);
    of_kind(said, Kind::SwingLocked).chain(last).map(row).collect()
}

/// Patterns that broke; those superseded keep the bar of their break alone.
fn pattern_rows(market: &Market, said: &[Structure]) -> Rows<4> {
    let mut rows = Rows::new();
    for fact in said {
        let row = fact.bar as usize;
        match fact.kind {
            Kind::PatternBroken => {
                let mut cells = [f64::NAN, f64::NAN, market.ticks(fact.top), fact.value as f64];
                cells[fact.extra as usize] = sign(fact);
                assert!(rows.insert(row, cells).is_none(), "{fact:?}");
            }
            Kind::PatternSuperseded => rows.get_mut(&row).unwrap()[..3].fill(f64::NAN),
            Kind::Expired => panic!("{fact:?}"),
            _ => {}
        }
    }
    rows
}

#[test]
fn gaps_are_the_table_joined_or_not() {
    for market in markets() {
        let bars = market.table_bars();
        for fvg_join in [false, true] {
            let said = market.say(&SmcParams { gaps: true, fvg_join, ..roomy(market.tick) });
            let (mut rows, mut of_id) = (Rows::new(), BTreeMap::new());
            for fact in &said {
                match fact.kind {
                    Kind::FvgCreated | Kind::FvgJoined => {
                        if let Some(taken) = of_id.get(&fact.cause_id) {
                            rows.remove(taken);
                        }
                        let cells = [sign(fact), market.ticks(fact.top), market.ticks(fact.bottom), 0.0];
                        assert!(rows.insert(fact.bar as usize, cells).is_none());
                        of_id.insert(fact.id, fact.bar as usize);
                    }
                    Kind::FvgMitigated => rows.get_mut(&of_id[&fact.id]).unwrap()[3] = fact.known_bar.into(),
                    Kind::Expired => panic!("{fact:?}"),
                    _ => {}
                }
            }
            let what = format!("{} gaps {fvg_join}", market.name);
            compare(&what, &fvg(&bars, fvg_join), ["FVG", "Top", "Bottom", "MitigatedIndex"], &rows);
        }
    }
}

#[test]
fn pools_are_the_table() {
    for market in markets() {
        let bars = market.table_bars();
        for length in LENGTHS {
            for ticks in [1, 7, 60] {
                let tolerance = Tolerance::FixedTicks(Price(ticks * market.tick));
                let params = SmcParams { liquidity: true, pool_tolerance: tolerance, ..roomy(market.tick) };
                let said = market.say(&params.with_swing_length(length));
                let pivots: BTreeMap<usize, [f64; 2]> = of_kind(&said, Kind::PivotConfirmed)
                    .map(|fact| (fact.bar as usize, [sign(fact), market.ticks(fact.top)]))
                    .collect();
                let cells = |row| pivots.get(&row).map_or((f64::NAN, f64::NAN), |cells| (cells[0], cells[1]));
                let source = Swings::from_rows((0..bars.len()).map(cells));
                let table = liquidity_within(&bars, &source, ticks as f64).unwrap();
                let rows = pool_rows(&market, &said);
                let what = format!("{} pools {length} {ticks}", market.name);
                compare(&what, &table, ["Liquidity", "Level", "End", "Swept"], &rows);
            }
        }
    }
}

/// Level as the table has it: the mean of the members in single precision. What the event says as mean is the
/// same in whole units, rounded to the side that is not swept.
fn pool_rows(market: &Market, said: &[Structure]) -> Rows<4> {
    let pivots: BTreeMap<u32, &Structure> =
        of_kind(said, Kind::PivotConfirmed).map(|fact| (fact.id, fact)).collect();
    let seeds: BTreeMap<(u32, bool), &Structure> = of_kind(said, Kind::PivotConfirmed)
        .map(|fact| ((fact.bar, fact.direction == Direction::Up), fact))
        .collect();
    let mut members: BTreeMap<u32, Vec<i64>> = BTreeMap::new();
    let mut rows = Rows::new();
    for fact in said {
        let row = fact.bar as usize;
        match fact.kind {
            Kind::PoolFormed | Kind::PoolExtended => {
                let joining = pivots[&fact.cause_id];
                let seed = seeds[&(fact.bar, fact.direction == Direction::Up)];
                let of = members.entry(fact.id).or_insert_with(|| vec![seed.top.0]);
                of.push(joining.top.0);
                assert_eq!(of.len() as i64, fact.extra);
                let (sum, side) = (of.iter().sum::<i64>(), sign(fact) as i64);
                assert_eq!(fact.value, side * (side * sum).div_euclid(fact.extra), "{fact:?}");
                let mean = (sum / market.tick) as f64 / fact.extra as f64;
                let cells = [sign(fact), f64::from(mean as f32), joining.bar.into(), 0.0];
                assert_eq!(rows.insert(row, cells).is_none(), fact.kind == Kind::PoolFormed);
            }
            Kind::PoolSwept | Kind::PoolRun => rows.get_mut(&row).unwrap()[3] = fact.known_bar.into(),
            Kind::Expired => panic!("{fact:?}"),
            _ => {}
        }
    }
    rows
}

/// A row of the table shows the period before the live one where its bar opens exactly at the table's label or
/// before it, which for weeks is their last day; elsewhere the live one.
#[test]
fn previous_highs_and_lows_are_the_table_but_for_its_shift() {
    let periods = Periods { minutes: 240, ..Periods::CALENDAR };
    let kinds = [
        (PeriodKind::Day, "1D"),
        (PeriodKind::Week, "W"),
        (PeriodKind::Month, "MS"),
        (PeriodKind::Minutes, "4h"),
    ];
    for market in markets() {
        let bars = market.table_bars();
        for (kind, name) in kinds {
            let table = previous_high_low(&bars, Period::parse(name).unwrap());
            let columns = ["PreviousHigh", "PreviousLow", "BrokenHigh", "BrokenLow"];
            let [high, low, high_broken, low_broken] = columns.map(|name| table.column(name).unwrap());
            // The table's row, made of what the engine says: the levels shown, the run they are shown in.
            let (mut shown, mut before, mut live) = (None, None, None);
            let (mut row, mut broken, mut rolls, mut early) = (0, [false; 2], 0, 0);
            market.run(
                &SmcParams { periods, ..roomy(market.tick) },
                &Calendar::default(),
                |engine, facts| {
                    let now = engine.previous_period(kind);
                    if now.map(|period| period.bar)
                        != live.map(|period: smc_core::smc::PreviousPeriod| period.bar)
                    {
                        (before, live) = (live, now);
                        rolls += 1;
                        assert!(facts.iter().any(|fact| fact.kind == Kind::PeriodRolled
                            && fact.extra == kind as i64
                            && Some(fact.id) == now.map(|period| period.id)));
                    }
                    let open_ts = market.bars[row].open_ts.0;
                    let is_labelled = match kind {
                        // Sundays: the epoch was a Thursday.
                        PeriodKind::Week => (open_ts / DAY_NS) % 7 == 3 && open_ts % DAY_NS > 0,
                        PeriodKind::Minutes => open_ts % (DAY_NS / 6) > 0,
                        PeriodKind::Day => open_ts % DAY_NS > 0,
                        PeriodKind::Month => {
                            !Iso(market.bars[row].open_ts).to_string().contains("-01T00:00:00")
                        }
                    };
                    let here = if is_labelled { live } else { before };
                    if here.map(|period| period.bar)
                        != shown.map(|period: smc_core::smc::PreviousPeriod| period.bar)
                    {
                        (shown, broken) = (here, [false; 2]);
                    }
                    let ticks = |price: Option<Price>| price.map_or(f64::NAN, |price| market.ticks(price));
                    let levels =
                        [ticks(shown.map(|period| period.high)), ticks(shown.map(|period| period.low))];
                    let bar = &market.bars[row];
                    broken[0] |= market.ticks(bar.high) > levels[0];
                    broken[1] |= market.ticks(bar.low) < levels[1];
                    let ours = [
                        levels[0],
                        levels[1],
                        f64::from(u8::from(broken[0])),
                        f64::from(u8::from(broken[1])),
                    ];
                    let theirs = [high, low, high_broken, low_broken].map(|column| column.at(row));
                    let is_same = ours.iter().zip(&theirs).all(|(a, b)| a == b || a.is_nan() && b.is_nan());
                    assert!(is_same, "{} {name} row {row}: {ours:?}, table {theirs:?}", market.name);
                    // The event of a break comes with the first such bar of the live period.
                    for fact in facts
                        .iter()
                        .filter(|fact| fact.kind == Kind::PeriodLevelBroken && fact.extra == kind as i64)
                    {
                        let side = usize::from(fact.direction == Direction::Down);
                        assert_eq!(Some(fact.id), live.map(|period| period.id));
                        assert!(!is_labelled || broken[side], "{fact:?}");
                        early += u32::from(!is_labelled);
                    }
                    row += 1;
                },
            );
            println!(
                "{} {name}: {rolls} rolls, {row} rows equal, {early} breaks before the label",
                market.name
            );
        }
    }
}

/// The table's end is inclusive and counts in minutes, so its window ends a minute earlier here. Windows with no
/// row between them are one to the table, two sessions to us.
#[test]
fn sessions_are_the_table_but_for_its_end() {
    const HOURS: [(u32, u32); 5] = [(7, 16), (13, 22), (21, 6), (0, 9), (0, 4)];
    let window = |&(start, end): &(u32, u32)| SessionWindow {
        name: Name::default(),
        offsets: ZoneOffsets::fixed(0),
        start_secs: start * 3_600,
        end_secs: end * 3_600,
    };
    let calendar = Calendar { sessions: HOURS.iter().map(window).collect(), ..Calendar::default() };
    for market in markets() {
        let bars = market.table_bars();
        let tables = HOURS.map(|(start, end)| {
            let last = format!("{}:59", (end + 23) % 24);
            sessions(&bars, TableSession::custom(&format!("{start}:00"), &last).unwrap(), "UTC").unwrap()
        });
        let mut running: [Option<(Session, f64, f64)>; HOURS.len()] = [None; HOURS.len()];
        let (mut row, mut opened, mut merged) = (0, 0, 0);
        market.run(&roomy(market.tick), &calendar, |engine, facts| {
            opened += facts.iter().filter(|fact| fact.kind == Kind::SessionOpened).count();
            for (index, (table, running)) in tables.iter().zip(&mut running).enumerate() {
                let live = engine.session(index).filter(|_| engine.is_in_session(index));
                *running = live.map(|&live| {
                    let (mut high, mut low) = (market.ticks(live.high), market.ticks(live.low));
                    if let Some((before, before_high, before_low)) = *running {
                        merged += u32::from(before.id != live.id);
                        (high, low) = (high.max(before_high), low.min(before_low));
                    }
                    (live, high, low)
                });
                let ours = running.map_or([0.0; 3], |(_, high, low)| [1.0, high, low]);
                let theirs = ["Active", "High", "Low"].map(|name| table.column(name).unwrap().at(row));
                assert_eq!(ours, theirs, "{} {:?} row {row}", market.name, HOURS[index]);
            }
            row += 1;
        });
        println!("{}: {opened} sessions, {merged} of them one to the table", market.name);
        assert!(opened > 40);
    }
}
