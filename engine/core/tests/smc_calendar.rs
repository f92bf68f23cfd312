//! Previous periods and sessions against a slow twin that reads the clock minute by minute.
#![allow(clippy::unwrap_used, reason = "a test may crash")]

mod smc_common;

use std::collections::BTreeMap;

use smc_common::{Random, golden_bars, mirrored, of_kind, walk};
use smc_core::calendar::{Calendar, OffsetStep, Roll, SessionWindow, ZoneOffsets};
use smc_core::event::Bar;
use smc_core::output::{Structure, StructureKind as Kind};
use smc_core::smc::{IdSource, PeriodKind, Periods, SmcEngine, SmcParams};
use smc_core::words::{Direction, Name};
use smc_core::{InstrumentId, Price, Timeframe, TsNs};

const MINUTE_NS: u64 = 60_000_000_000;
const DAY: i64 = 1_440;

// Zones, in minutes.

/// One line of the civil calendar.
#[derive(Clone, Copy)]
struct Date {
    year: i64,
    month: i64,
    of_month: i64,
    /// Monday is 0.
    weekday: i64,
    week: i64,
}

/// Every day from 1970-01-01 to beyond 2100, by counting.
fn dates() -> Vec<Date> {
    let mut date = Date { year: 1970, month: 1, of_month: 1, weekday: 3, week: 0 };
    let mut dates = vec![];
    while date.year < 2102 {
        dates.push(date);
        let is_leap = date.year % 4 == 0 && (date.year % 100 != 0 || date.year % 400 == 0);
        let len = match date.month {
            2 => 28 + i64::from(is_leap),
            4 | 6 | 9 | 11 => 30,
            _ => 31,
        };
        date.of_month += 1;
        if date.of_month > len {
            (date.of_month, date.month) = (1, date.month + 1);
        }
        if date.month > 12 {
            (date.month, date.year) = (1, date.year + 1);
        }
        date.weekday = (date.weekday + 1) % 7;
        date.week += i64::from(date.weekday == 0);
    }
    dates
}

/// A zone with summer time: `(month, first day of the month that may be the Sunday, UTC minute of its day)`.
fn zone(winter: i64, summer: i64, begins: (i64, i64, i64), ends: (i64, i64, i64)) -> ZoneOffsets {
    let mut steps = vec![OffsetStep { since: TsNs(0), offset_secs: winter as i32 * 60 }];
    for (day, date) in dates().iter().enumerate().skip(30) {
        for ((month, from, minute), offset) in [(begins, summer), (ends, winter)] {
            let is_it = date.month == month && (from..from + 7).contains(&date.of_month) && date.weekday == 6;
            if is_it {
                let since = TsNs((day as i64 * DAY + minute) as u64 * MINUTE_NS);
                steps.push(OffsetStep { since, offset_secs: offset as i32 * 60 });
            }
        }
    }
    ZoneOffsets::new(&steps).unwrap()
}

fn new_york() -> ZoneOffsets {
    zone(-300, -240, (3, 8, 7 * 60), (11, 1, 6 * 60))
}

fn london() -> ZoneOffsets {
    zone(0, 60, (3, 25, 60), (10, 25, 60))
}

/// Clocks change at local midnight, both ways: 00:00 to 01:00 and 24:00 to 23:00.
fn midnight() -> ZoneOffsets {
    zone(-180, -120, (10, 15, 180), (2, 15, 120))
}

fn zones() -> Vec<ZoneOffsets> {
    vec![
        ZoneOffsets::fixed(0),
        ZoneOffsets::fixed(330 * 60),
        new_york(),
        london(),
        midnight(),
        // Adelaide's hour and Lord Howe's half hour, from a half-hour offset; the Sunday is the UTC one.
        zone(570, 630, (10, 1, 990), (4, 1, 990)),
        zone(630, 660, (10, 1, 930), (4, 1, 900)),
    ]
}

// The twin.

/// Known, kind, side, bar, top, bottom, extra, value.
type Fact = (u32, Kind, u8, u32, i64, i64, i64, i64);

/// What a zone's clocks have shown at most, minute by minute from `first` on.
struct Shown {
    first: u64,
    minutes: Vec<i64>,
}

impl Shown {
    fn new(zone: &ZoneOffsets, bars: &[Bar]) -> Self {
        let minute = |bar: &Bar| bar.open_ts.0 / MINUTE_NS;
        let first = minute(&bars[0]).saturating_sub(4 * 1_440);
        let mut most = i64::MIN;
        let minutes = (first..=minute(&bars[bars.len() - 1])).map(|now| {
            let offset = zone.span_at(TsNs(now * MINUTE_NS)).offset_secs / 60;
            most = most.max(now as i64 + i64::from(offset));
            most
        });
        Self { first, minutes: minutes.collect() }
    }

    fn at(&self, bar: &Bar) -> i64 {
        self.minutes[(bar.open_ts.0 / MINUTE_NS - self.first) as usize]
    }
}

struct Twin<'a> {
    bars: &'a [Bar],
    facts: Vec<Fact>,
}

impl Twin<'_> {
    fn find(bars: &[Bar], periods: Periods, calendar: &Calendar) -> Vec<Fact> {
        let mut twin = Twin { bars, facts: vec![] };
        twin.periods(periods, &calendar.roll);
        for (index, window) in calendar.sessions.iter().enumerate() {
            twin.sessions(index as i64, window);
        }
        twin.facts.sort();
        twin.facts
    }

    fn high(&self, bars: std::ops::Range<usize>) -> i64 {
        self.bars[bars].iter().map(|bar| bar.high.0).max().unwrap()
    }

    fn low(&self, bars: std::ops::Range<usize>) -> i64 {
        self.bars[bars].iter().map(|bar| bar.low.0).min().unwrap()
    }

    fn periods(&mut self, periods: Periods, roll: &Roll) {
        let shown = Shown::new(&roll.offsets, self.bars);
        let dates = dates();
        let at = i64::from(roll.at_secs / 60);
        let day_of = |bar: &Bar| {
            // From noon on the roll begins the date that follows.
            let minute = shown.at(bar);
            let date = minute.div_euclid(DAY);
            let is_past = minute.rem_euclid(DAY) >= at;
            if at < 720 { date - i64::from(!is_past) } else { date + i64::from(is_past) }
        };
        let date = |bar: &Bar| dates.get(day_of(bar) as usize).copied();
        let of_minutes = |bar: &Bar| (bar.open_ts.0 / MINUTE_NS / u64::from(periods.minutes.max(1))) as i64;
        let (n, code_of) = (self.bars.len(), |is_kept: bool, code: i64| is_kept.then_some(code));
        for code in [
            code_of(periods.day, 1),
            code_of(periods.week, 2),
            code_of(periods.month, 3),
            code_of(periods.minutes > 0, 4),
        ]
        .into_iter()
        .flatten()
        {
            let label = |k: usize| match code {
                1 => day_of(&self.bars[k]),
                2 => date(&self.bars[k]).map_or(-1, |date| date.week),
                3 => date(&self.bars[k]).map_or(-1, |date| date.year * 100 + date.month),
                _ => of_minutes(&self.bars[k]),
            };
            let mut starts: Vec<usize> = (0..n).filter(|&k| k == 0 || label(k) != label(k - 1)).collect();
            starts.push(n);
            for at in starts.windows(3) {
                let &[before, first, end] = at else { unreachable!() };
                let (high, low) = (self.high(before..first), self.low(before..first));
                self.facts.push((first as u32, Kind::PeriodRolled, 0, first as u32, high, low, code, 0));
                self.level(first..end, first, high, 1, Some(code), code);
                self.level(first..end, first, low, -1, Some(code), code);
            }
        }
    }

    /// The first bar of `watch` beyond the level, and whether it came back.
    fn level(
        &mut self,
        mut watch: std::ops::Range<usize>,
        bar: usize,
        level: i64,
        sign: i64,
        broken: Option<i64>,
        swept: i64,
    ) {
        let extreme = |k: usize| if sign > 0 { self.bars[k].high.0 } else { self.bars[k].low.0 };
        let Some(k) = watch.find(|&k| sign * extreme(k) > sign * level) else { return };
        let (known, side, depth) = (k as u32, u8::from(sign < 0), (extreme(k) - level).abs());
        if let Some(code) = broken {
            self.facts.push((known, Kind::PeriodLevelBroken, side, bar as u32, level, level, code, 0));
        }
        if sign * self.bars[k].close.0 <= sign * level {
            self.facts.push((known, Kind::LevelSwept, side, bar as u32, level, level, depth, swept));
        }
    }

    fn sessions(&mut self, index: i64, window: &SessionWindow) {
        let shown = Shown::new(&window.offsets, self.bars);
        let (start, mut end) = (i64::from(window.start_secs / 60), i64::from(window.end_secs / 60));
        if end <= start {
            end += DAY;
        }
        let date_of = |k: usize| {
            let minute = shown.at(&self.bars[k]);
            let today = minute.div_euclid(DAY);
            (today - 2..=today + 1).find(|date| (date * DAY + start..date * DAY + end).contains(&minute))
        };
        let n = self.bars.len();
        let mut runs = vec![];
        let mut k = 0;
        while k < n {
            let end = (k..n).find(|&j| date_of(j) != date_of(k)).unwrap_or(n);
            if date_of(k).is_some() {
                runs.push((k, end));
            }
            k = end;
        }
        for (at, &(first, end)) in runs.iter().enumerate() {
            let bar = first as u32;
            let (high, low) = (self.high(first..first + 1), self.low(first..first + 1));
            self.facts.push((bar, Kind::SessionOpened, 0, bar, high, low, index, 0));
            if end < n {
                let (high, low) = (self.high(first..end), self.low(first..end));
                self.facts.push((end as u32, Kind::SessionClosed, 0, bar, high, low, index, 0));
                let until = runs.get(at + 1).map_or(n, |next| next.1);
                self.level(end..until, first, high, 1, None, 16 + index);
                self.level(end..until, first, low, -1, None, 16 + index);
            }
        }
    }
}

// The engine.

fn params(periods: Periods) -> SmcParams {
    SmcParams { periods, ..SmcParams::default() }
}

fn engine(periods: Periods, calendar: &Calendar) -> SmcEngine {
    let timeframe = Timeframe::parse("15m").unwrap();
    SmcEngine::with_calendar(InstrumentId(1), timeframe, &params(periods), calendar)
}

fn is_of_calendar(fact: &Structure) -> bool {
    use Kind::*;
    matches!(fact.kind, PeriodRolled | PeriodLevelBroken | SessionOpened | SessionClosed)
        || fact.kind == LevelSwept && fact.value != 0
}

fn say_all(bars: &[Bar], periods: Periods, calendar: &Calendar) -> Vec<Structure> {
    let (mut engine, mut ids, mut said) = (engine(periods, calendar), IdSource::new(), vec![]);
    for bar in bars {
        engine.on_bar(bar, &mut ids, &mut |fact| said.push(fact));
    }
    said
}

fn facts(said: &[Structure]) -> Vec<Fact> {
    let mut facts: Vec<Fact> = said
        .iter()
        .filter(|fact| is_of_calendar(fact))
        .map(|fact| {
            let Structure { known_bar, kind, direction, bar, top, bottom, extra, value, .. } = *fact;
            (known_bar, kind, direction as u8, bar, top.0, bottom.0, extra, value)
        })
        .collect();
    facts.sort();
    facts
}

fn check(bars: &[Bar], periods: Periods, calendar: &Calendar) -> usize {
    let (ours, twins) = (facts(&say_all(bars, periods, calendar)), Twin::find(bars, periods, calendar));
    if let Some(at) = (0..ours.len().max(twins.len())).find(|&at| ours.get(at) != twins.get(at)) {
        panic!("fact {at}: engine {:?}, twin {:?}", ours.get(at), twins.get(at));
    }
    ours.len()
}

fn window(name: &str, offsets: &ZoneOffsets, start: u32, end: u32) -> SessionWindow {
    SessionWindow {
        name: Name::new(name).unwrap(),
        offsets: offsets.clone(),
        start_secs: start * 60,
        end_secs: end * 60,
    }
}

/// Windows plain, over midnight, whole days, and around the hours at which clocks change.
fn windows(zone: &ZoneOffsets) -> Vec<SessionWindow> {
    let hours = [(480, 1_020), (1_200, 0), (0, 0), (150, 300), (90, 150), (125, 155), (0, 90), (60, 120)];
    hours.iter().map(|&(start, end)| window("w", zone, start, end)).collect()
}

/// A walk whose times have holes of hours and days, from `start` on.
fn gappy(seed: u64, count: usize, start_minute: u64, step_minutes: u64) -> Vec<Bar> {
    let mut random = Random(seed);
    let mut minute = start_minute;
    let mut bars = walk(seed, count, 30);
    for bar in &mut bars {
        bar.open_ts = TsNs(minute * MINUTE_NS);
        let hole = match random.below(120) {
            0 => random.below(9 * 1_440),
            1..=6 => random.below(600),
            _ => 0,
        };
        minute += step_minutes * (1 + hole as u64 / step_minutes);
    }
    bars
}

const ALL: Periods = Periods { minutes: 240, ..Periods::CALENDAR };

#[test]
fn every_fact_is_the_twins_in_every_zone_from_1970_to_2100() {
    let mut random = Random(1);
    let mut said = 0;
    for offsets in zones() {
        for at_minute in [0, 180, 719, 720, 1_020, 1_439] {
            let start = random.below(68_000_000) as u64;
            let bars = gappy(random.next(), 1_200, start, [1, 7, 15, 60, 240][random.below(5) as usize]);
            let roll = Roll { offsets: offsets.clone(), at_secs: at_minute * 60 };
            let calendar = Calendar { roll, sessions: windows(&offsets) };
            let minutes = [1, 5, 240, 1_440, 10_080, 77][random.below(6) as usize];
            said += check(&bars, Periods { minutes, ..ALL }, &calendar);
        }
    }
    assert!(said > 10_000, "{said}");
}

/// The first bars of time, and the last years.
#[test]
fn the_ends_of_time_are_the_twins() {
    for offsets in zones() {
        let roll = Roll { offsets: offsets.clone(), at_secs: 17 * 3_600 };
        let calendar = Calendar { roll, sessions: windows(&offsets) };
        for start in [0, 68_370_000, 68_700_000] {
            check(&gappy(3, 800, start, 15), ALL, &calendar);
        }
    }
}

/// Quarter hours through both changes of a year, in every zone: the hours that matter are all there.
#[test]
fn changes_of_the_clock_are_the_twins() {
    let dates = dates();
    let minute_of = |year, month, day| {
        let is_it = |date: &Date| (date.year, date.month, date.of_month) == (year, month, day);
        dates.iter().position(is_it).unwrap() as u64 * 1_440
    };
    for offsets in zones() {
        for at_minute in [0, 15, 45, 1_020, 1_425] {
            let roll = Roll { offsets: offsets.clone(), at_secs: at_minute * 60 };
            let calendar = Calendar { roll, sessions: windows(&offsets) };
            for (month, day) in [(2, 12), (3, 8), (3, 22), (4, 1), (10, 1), (10, 15), (10, 25), (11, 1)] {
                let mut bars = walk(7, 900, 9);
                for (k, bar) in bars.iter_mut().enumerate() {
                    bar.open_ts = TsNs((minute_of(2023, month, day) + 15 * k as u64) * MINUTE_NS);
                }
                check(&bars, ALL, &calendar);
            }
        }
    }
}

/// Four sessions that people watch, on a day that begins at 17:00 in New York.
fn forex() -> Calendar {
    let sessions = vec![
        window("tokyo", &ZoneOffsets::fixed(0), 0, 540),
        window("london", &london(), 480, 1_020),
        window("new-york", &new_york(), 420, 600),
        window("ict-asia", &new_york(), 1_200, 0),
    ];
    Calendar { roll: Roll { offsets: new_york(), at_secs: 17 * 3_600 }, sessions }
}

#[test]
fn real_bars_are_the_twins() {
    let Some(bars) = golden_bars() else { return };
    let said = check(&bars, ALL, &Calendar::default()) + check(&bars, ALL, &forex());
    println!("{said} facts equal");
}

/// The prefix law, and every id leads back to the object that it is of.
#[test]
fn nothing_looks_ahead_and_ids_are_of_their_objects() {
    let bars = gappy(11, 1_500, 28_000_000, 15);
    let whole = say_all(&bars, ALL, &forex());
    for n in (0..bars.len()).step_by(61) {
        let part = say_all(&bars[..n], ALL, &forex());
        assert!(whole.starts_with(&part), "bar {n} changed the past");
        assert!(whole[part.len()..].iter().all(|fact| fact.known_bar as usize >= n));
    }
    let mut born: BTreeMap<u32, &Structure> = BTreeMap::new();
    let mut told = BTreeMap::new();
    for fact in whole.iter().filter(|fact| is_of_calendar(fact)) {
        let creation = matches!(fact.kind, Kind::PeriodRolled | Kind::SessionOpened);
        if creation {
            assert!(born.insert(fact.id, fact).is_none());
            continue;
        }
        let object = born[&fact.id];
        assert_eq!(object.bar, fact.bar, "{fact:?}");
        match (fact.kind, object.kind) {
            (Kind::PeriodLevelBroken | Kind::SessionClosed, _) => assert_eq!(object.extra, fact.extra),
            (Kind::LevelSwept, Kind::PeriodRolled) => assert_eq!(object.extra, fact.value),
            (Kind::LevelSwept, Kind::SessionOpened) => assert_eq!(object.extra + 16, fact.value),
            other => panic!("{other:?}"),
        }
        let once = (fact.id, fact.kind, fact.direction as u8);
        assert_eq!(told.insert(once, ()), None, "{fact:?} twice");
    }
    assert!(of_kind(&whole, Kind::SessionClosed).count() > 50);
}

/// Rolls, closes, opens come before everything else of a bar; levels of the calendar after single levels.
#[test]
fn the_order_inside_a_bar_is_fixed() {
    let bars = gappy(12, 3_000, 28_000_000, 30);
    let rank = |fact: &Structure| match fact.kind {
        Kind::PeriodRolled => 0,
        Kind::SessionClosed => 1,
        Kind::SessionOpened => 2,
        Kind::LevelSwept if fact.value == 0 => 4,
        Kind::PeriodLevelBroken => 5,
        Kind::LevelSwept if fact.value < 16 => 5,
        Kind::LevelSwept => 6,
        Kind::PivotConfirmed | Kind::SwingLocked | Kind::SwingStarted | Kind::SwingExtended => 7,
        Kind::PoolFormed | Kind::PoolExtended => 7,
        _ => 3,
    };
    for pair in say_all(&bars, ALL, &forex()).windows(2) {
        let is_later = pair[0].known_bar < pair[1].known_bar;
        // Gaps, blocks, breaks and pools swept have an order of their own, before the single levels.
        assert!(is_later || rank(&pair[0]) <= rank(&pair[1]), "{pair:?}");
    }
}

#[test]
fn the_mirror_image_takes_the_other_side() {
    let bars = gappy(13, 3_000, 28_000_000, 30);
    let mut image = facts(&say_all(&mirrored(&bars), ALL, &forex()));
    for fact in &mut image {
        // A period or session itself has no side.
        if matches!(fact.1, Kind::PeriodLevelBroken | Kind::LevelSwept) {
            fact.2 = 1 - fact.2;
        }
        (fact.4, fact.5) = (-fact.5, -fact.4);
    }
    image.sort();
    assert_eq!(facts(&say_all(&bars, ALL, &forex())), image);
}

/// What can be asked is what was said.
#[test]
fn the_readable_state_is_the_fold_of_the_events() {
    let bars = gappy(14, 3_000, 28_000_000, 30);
    let (mut engine, mut ids) = (engine(ALL, &forex()), IdSource::new());
    let kinds = [PeriodKind::Day, PeriodKind::Week, PeriodKind::Month, PeriodKind::Minutes];
    let mut rolled: [Option<Structure>; 4] = [None; 4];
    let mut broken = [[false; 2]; 4];
    let mut open: [Option<Structure>; 4] = [None; 4];
    let mut closed: [Option<Structure>; 4] = [None; 4];
    let mut swept: [Option<Structure>; 2] = [None; 2];
    for bar in &bars {
        engine.on_bar(bar, &mut ids, &mut |fact| match fact.kind {
            Kind::PeriodRolled => {
                rolled[fact.extra as usize - 1] = Some(fact);
                broken[fact.extra as usize - 1] = [false; 2];
            }
            Kind::PeriodLevelBroken => broken[fact.extra as usize - 1][fact.direction as usize] = true,
            Kind::SessionOpened => open[fact.extra as usize] = Some(fact),
            Kind::SessionClosed => {
                open[fact.extra as usize] = None;
                closed[fact.extra as usize] = Some(fact);
            }
            Kind::LevelSwept if fact.value != 0 => swept[fact.direction as usize] = Some(fact),
            _ => {}
        });
        for (at, kind) in kinds.into_iter().enumerate() {
            let previous = engine.previous_period(kind).map(|p| (p.id, p.bar, p.high, p.low));
            assert_eq!(previous, rolled[at].map(|fact| (fact.id, fact.bar, fact.top, fact.bottom)));
            if let Some(previous) = engine.previous_period(kind) {
                assert_eq!([previous.is_high_broken, previous.is_low_broken], broken[at]);
            }
        }
        for at in 0..4 {
            let running = engine.session(at).filter(|session| session.is_open);
            assert_eq!(engine.is_in_session(at), running.is_some());
            assert_eq!(running.map(|s| (s.id, s.opened_bar)), open[at].map(|fact| (fact.id, fact.bar)));
            let last = engine.last_session(at).map(|s| (s.id, s.opened_bar, s.high, s.low, s.is_open));
            assert_eq!(last, closed[at].map(|fact| (fact.id, fact.bar, fact.top, fact.bottom, false)));
            if let Some(session) = running {
                let bars = &bars[session.opened_bar as usize..engine.bar_count() as usize];
                assert_eq!(session.high, bars.iter().map(|bar| bar.high).max().unwrap());
                assert_eq!(session.low, bars.iter().map(|bar| bar.low).min().unwrap());
            } else {
                assert_eq!(engine.session(at), engine.last_session(at));
            }
        }
        for direction in [Direction::Up, Direction::Down] {
            let last = engine.last_level_sweep(direction);
            let fact = swept[direction as usize];
            assert_eq!(
                last.map(|s| (s.id, s.code, s.level, s.known_bar)),
                fact.map(|fact| (fact.id, fact.value, fact.top, fact.known_bar))
            );
            if let (Some(sweep), Some(fact)) = (last, fact) {
                assert_eq!((sweep.extreme.0 - sweep.level.0).abs(), fact.extra);
            }
        }
    }
    assert!(swept.iter().all(Option::is_some) && engine.session(4).is_none() && !engine.is_in_session(9));
}

/// An engine saved between two bars goes on word for word, and only onto the same calendar.
#[test]
fn a_saved_engine_goes_on_with_the_same_calendar_only() {
    let bars = gappy(15, 1_200, 28_000_000, 30);
    let periods = ALL;
    let params = SmcParams { periods, ..SmcParams::everything() };
    let new = |calendar: &Calendar| {
        SmcEngine::with_calendar(InstrumentId(1), Timeframe::parse("30m").unwrap(), &params, calendar)
    };
    let run = |engine: &mut SmcEngine, ids: &mut IdSource, bars: &[Bar]| {
        let mut said = vec![];
        bars.iter().for_each(|bar| engine.on_bar(bar, ids, &mut |fact| said.push(fact)));
        said
    };
    let whole = run(&mut new(&forex()), &mut IdSource::new(), &bars);
    for cut in (0..bars.len()).step_by(37) {
        let (mut before, mut after, mut ids) = (new(&forex()), new(&forex()), IdSource::new());
        let mut said = run(&mut before, &mut ids, &bars[..cut]);
        let mut bytes = vec![];
        before.save(&mut bytes);
        assert_eq!(after.load(&bytes), Ok(()));
        said.extend(run(&mut after, &mut ids, &bars[cut..]));
        assert!(said == whole, "cut at {cut}");
        let mut later = forex();
        later.sessions[2].start_secs += 60;
        let mut other_roll = forex();
        other_roll.roll.at_secs = 0;
        for other in [Calendar::default(), later, other_roll] {
            assert!(new(&other).load(&bytes).is_err());
        }
    }
}

/// Bars of an hour from a UTC minute on, flat but for their number.
fn hourly(start_minute: u64, count: usize) -> Vec<Bar> {
    let mut bars = walk(1, count, 1);
    for (k, bar) in bars.iter_mut().enumerate() {
        bar.open_ts = TsNs((start_minute + 60 * k as u64) * MINUTE_NS);
        for price in [&mut bar.open, &mut bar.high, &mut bar.low, &mut bar.close] {
            *price = Price(k as i64);
        }
    }
    bars
}

/// UTC hours after `start_minute` at which session 0 opened and closed.
fn hours_of(said: &[Structure], kind: Kind) -> Vec<u32> {
    of_kind(said, kind).filter(|fact| fact.extra == 0).map(|fact| fact.known_bar).collect()
}

/// London goes to summer time on 2023-03-26 and back on 2023-10-29, New York on 03-12 and 11-05.
#[test]
fn windows_keep_the_wall_clock_through_the_changes_of_2023() {
    let no_periods = Periods::default();
    let run = |zone: &ZoneOffsets, (start, end): (u32, u32), day: u64| {
        let calendar = Calendar { sessions: vec![window("w", zone, start, end)], ..Calendar::default() };
        let said = say_all(&hourly(day * 1_440, 72), no_periods, &calendar);
        (hours_of(&said, Kind::SessionOpened), hours_of(&said, Kind::SessionClosed))
    };
    // Days since the epoch of the Saturdays before.
    let (us_march, uk_march, uk_october, us_november) = (19_427, 19_441, 19_658, 19_665);
    assert_eq!(run(&london(), (480, 1_020), uk_march), (vec![8, 31, 55], vec![17, 40, 64]));
    assert_eq!(run(&london(), (480, 1_020), uk_october), (vec![7, 32, 56], vec![16, 41, 65]));
    assert_eq!(run(&new_york(), (420, 600), us_march), (vec![12, 35, 59], vec![15, 38, 62]));
    assert_eq!(run(&new_york(), (420, 600), us_november), (vec![11, 36, 60], vec![14, 39, 63]));
    // 02:00 to 05:00 in New York: on 03-12 the clock goes from 01:59 to 03:00, so the window has two hours.
    assert_eq!(run(&new_york(), (120, 300), us_march), (vec![7, 31, 54], vec![10, 33, 57]));
    // 01:00 to 03:00: on 11-05 the hour from 01:00 comes twice, and the session has three hours.
    assert_eq!(run(&new_york(), (60, 180), us_november), (vec![5, 29, 54], vec![7, 32, 56]));
    // 00:00 to 01:30 in London: the first 01:30 ends it, the second 01:00 does not bring it back.
    assert_eq!(run(&london(), (0, 90), uk_october), (vec![0, 23, 48], vec![1, 25, 50]));
}

/// A day that begins on Sunday evening is Monday: a week has five.
#[test]
fn a_forex_week_has_five_days_from_sunday_evening() {
    // 2023-05-07 was a Sunday; 17:00 in New York was 21:00 UTC.
    let sunday = 19_484 * 1_440 + 21 * 60;
    let bars = hourly(sunday - 24 * 60, 24 * 9);
    let is_of_week = |bar: &&Bar| (sunday..sunday + 5 * 1_440).contains(&(bar.open_ts.0 / MINUTE_NS));
    let weekdays: Vec<Bar> = bars.iter().filter(is_of_week).copied().collect();
    let said = say_all(&weekdays, Periods { week: true, day: true, ..Periods::default() }, &forex());
    let rolls: Vec<_> = of_kind(&said, Kind::PeriodRolled).map(|fact| (fact.known_bar, fact.extra)).collect();
    assert_eq!(rolls, [(24, 1), (48, 1), (72, 1), (96, 1)]);
    let said = say_all(&bars, Periods { week: true, ..Periods::default() }, &forex());
    let rolls: Vec<_> = of_kind(&said, Kind::PeriodRolled).map(|fact| fact.known_bar).collect();
    assert_eq!(rolls, [24, 24 + 7 * 24]);
}
