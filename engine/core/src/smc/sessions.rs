//! Sessions and kill zones: daily windows on a zone's wall clock, their highs and lows.
//!
//! Pure; while nothing opens, closes or is taken, a bar costs one comparison with the next boundary, two
//! with the nearest watched levels and two per open session; no allocation after the constructor. A bar
//! belongs to the window that its open time lies in, `[start, end)` local time, over midnight when `end <=
//! start`.
//!
//! Local times are those of [`WallClock`], so every date has one window at most: a start or end that clocks
//! put forward leap over is at the leap, one that they show twice counts the first time, a window that lies
//! in the leap altogether does not exist, and one that spans a repeated hour is an hour longer.
//!
//! * `SessionOpened {id, bar = known, top / bottom = high and low of that bar, extra = index in the
//!   calendar, direction Up}`: the first bar of a window.
//! * `SessionClosed {id, bar = first bar of the session, top / bottom = its high and low, extra = index,
//!   direction Up}`: the first bar that is outside, or in the window of another day. All closes of a bar
//!   come before its openings, in the order of the calendar.
//! * `LevelSwept {id, direction = side, bar = first bar of the session, top = bottom = level, extra =
//!   depth, value = 16 + index}`: a closed session's high and low are watched until the next session of
//!   that index closes. The first bar beyond (`high > level`; the bar that closed the session may be it)
//!   ends the watch of that side, and this is said when it closed back at or inside.

use alloc::boxed::Box;

use super::levels::{LevelSweeps, SESSION_CODE};
use super::snapshot::{self, sound};
use super::view::{Candle, Fact, Say, Sides, seen_from};
use crate::calendar::{Calendar, DAY_SECS, SESSIONS_MAX, SessionWindow, WallClock};
use crate::output::{Structure, StructureKind};
use crate::state::{StateError, StateIo};
use crate::words::{Direction, Price, TsNs};

/// A session that is open or over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Session {
    /// Its object id.
    pub id: u32,
    /// Its first bar.
    pub opened_bar: u32,
    /// Highest high so far.
    pub high: Price,
    /// Lowest low so far.
    pub low: Price,
    /// Its window is not over.
    pub is_open: bool,
}

/// All sessions of one engine.
pub(super) struct Sessions {
    /// In the order of the calendar.
    slots: Box<[Slot]>,
    /// The first instant at which any of them may open or close. A cache.
    next: TsNs,
    /// Bit `n` set: session `n` is open.
    open: u16,
    /// The nearest watched level of each side, as the side sees it; [`NEVER`] without one.
    nearest: Sides<i64>,
}

const _: () = assert!(SESSIONS_MAX <= u16::BITS as usize);

/// A level that no price exceeds.
const NEVER: i64 = i64::MAX;

/// One window and what came of it.
struct Slot {
    window: Window,
    /// Until this instant `now` holds. A cache: 0 after loading.
    next: TsNs,
    /// Local date of the window that the last bar lay in. A cache.
    now: Option<i64>,
    /// Local date of the window that is open; means something only then.
    date: i64,
    /// The session that is open.
    running: Option<Session>,
    /// The last one that closed.
    last: Option<Session>,
    /// Sides of `last` that no bar has gone beyond.
    is_watched: Sides<bool>,
}

struct Window {
    clock: WallClock,
    start_secs: i64,
    /// Up to a day after `start_secs`, so beyond midnight where the window is.
    end_secs: i64,
}

impl Sessions {
    pub fn new(calendar: &Calendar) -> Self {
        let slots: Box<[Slot]> = calendar.sessions.iter().take(SESSIONS_MAX).map(Slot::new).collect();
        let next = TsNs(if slots.is_empty() { u64::MAX } else { 0 });
        Self { slots, next, open: 0, nearest: Sides { up: NEVER, down: NEVER } }
    }

    /// A bar opens: sessions that are over close, then others open.
    #[inline]
    pub fn open<F: FnMut(Structure)>(&mut self, ts: TsNs, candle: &Candle, say: &mut Say<'_, F>) {
        if self.next <= ts {
            self.turn(ts, candle, say);
        }
    }

    /// Highs and lows of open sessions run on; levels of closed ones are tested.
    #[inline]
    pub fn take<F: FnMut(Structure)>(
        &mut self,
        seen: &Sides<Candle>,
        sweeps: &mut LevelSweeps,
        say: &mut Say<'_, F>,
    ) {
        let mut open = self.open;
        while open != 0 {
            let at = open.trailing_zeros() as usize;
            open &= open - 1;
            if let Some(session) = &mut self.slots[at].running {
                session.high.0 = session.high.0.max(seen.up.high);
                session.low.0 = session.low.0.min(seen.up.low);
            }
        }
        if self.nearest.up < seen.up.high {
            self.test_levels(Direction::Up, &seen.up, sweeps, say);
        }
        if self.nearest.down < seen.down.high {
            self.test_levels(Direction::Down, &seen.down, sweeps, say);
        }
    }

    pub fn running(&self, index: usize) -> Option<&Session> {
        self.slots.get(index)?.running.as_ref()
    }

    pub fn last(&self, index: usize) -> Option<&Session> {
        self.slots.get(index)?.last.as_ref()
    }

    /// The watched level of the last closed session, and its id.
    pub fn untaken(&self, index: usize, direction: Direction) -> Option<(Price, u32)> {
        let slot = self.slots.get(index)?;
        let level = slot.watched(direction)?;
        Some((Price(seen_from(direction, level)), slot.last?.id))
    }

    #[inline(never)]
    fn turn<F: FnMut(Structure)>(&mut self, ts: TsNs, candle: &Candle, say: &mut Say<'_, F>) {
        for (at, slot) in self.slots.iter_mut().enumerate() {
            if slot.next <= ts {
                (slot.now, slot.next) = slot.window.at(ts);
            }
            if slot.running.is_some() && slot.now != Some(slot.date) {
                slot.close(at, say);
            }
        }
        for (at, slot) in self.slots.iter_mut().enumerate() {
            if let (Some(date), None) = (slot.now, slot.running) {
                slot.open(date, at, candle, say);
            }
        }
        self.refresh();
    }

    #[inline(never)]
    fn test_levels<F: FnMut(Structure)>(
        &mut self,
        direction: Direction,
        candle: &Candle,
        sweeps: &mut LevelSweeps,
        say: &mut Say<'_, F>,
    ) {
        for (at, slot) in self.slots.iter_mut().enumerate() {
            let Some(level) = slot.watched(direction).filter(|level| *level < candle.high) else { continue };
            *slot.is_watched.of_mut(direction) = false;
            if let Some(Session { id, opened_bar, .. }) = slot.last.filter(|_| candle.close <= level) {
                sweeps.tell(direction, id, SESSION_CODE + at as i64, opened_bar, level, candle, say);
            }
        }
        self.refresh();
    }

    /// Makes the caches over all sessions again.
    fn refresh(&mut self) {
        self.next = TsNs(u64::MAX);
        self.open = 0;
        self.nearest = Sides { up: NEVER, down: NEVER };
        for (at, slot) in self.slots.iter().enumerate() {
            self.next = self.next.min(slot.next);
            self.open |= u16::from(slot.running.is_some()) << at;
            self.nearest.up = self.nearest.up.min(slot.watched(Direction::Up).unwrap_or(NEVER));
            self.nearest.down = self.nearest.down.min(slot.watched(Direction::Down).unwrap_or(NEVER));
        }
    }
}

impl Slot {
    fn new(window: &SessionWindow) -> Self {
        let (start_secs, end_secs) = (window.start_secs % DAY_SECS, window.end_secs % DAY_SECS);
        let over_midnight = if end_secs <= start_secs { DAY_SECS } else { 0 };
        Self {
            window: Window {
                clock: WallClock::new(&window.offsets),
                start_secs: i64::from(start_secs),
                end_secs: i64::from(end_secs + over_midnight),
            },
            next: TsNs(0),
            now: None,
            date: 0,
            running: None,
            last: None,
            is_watched: Sides::default(),
        }
    }

    fn open<F: FnMut(Structure)>(&mut self, date: i64, at: usize, candle: &Candle, say: &mut Say<'_, F>) {
        let (high, low) = (Price(candle.high), Price(candle.low));
        let session = Session { id: say.new_id(), opened_bar: say.known, high, low, is_open: true };
        self.date = date;
        self.running = Some(session);
        tell(StructureKind::SessionOpened, &session, at, say);
    }

    fn close<F: FnMut(Structure)>(&mut self, at: usize, say: &mut Say<'_, F>) {
        let Some(session) = self.running.take() else { return };
        self.last = Some(Session { is_open: false, ..session });
        self.is_watched = Sides { up: true, down: true };
        tell(StructureKind::SessionClosed, &session, at, say);
    }

    /// The last session's level, as the side sees it, while it is watched.
    fn watched(&self, direction: Direction) -> Option<i64> {
        let last = self.last.filter(|_| *self.is_watched.of(direction))?;
        Some(match direction {
            Direction::Up => last.high.0,
            Direction::Down => seen_from(Direction::Down, last.low.0),
        })
    }
}

impl Window {
    /// The date whose window `ts` lies in, and the instant until which the answer holds.
    fn at(&mut self, ts: TsNs) -> (Option<i64>, TsNs) {
        let day_secs = i64::from(DAY_SECS);
        let now_secs = self.clock.read(ts);
        // The last date whose window has begun.
        let date = (now_secs - self.start_secs).div_euclid(day_secs);
        let end_secs = date * day_secs + self.end_secs;
        if now_secs < end_secs {
            (Some(date), self.clock.when(end_secs))
        } else {
            (None, self.clock.when((date + 1) * day_secs + self.start_secs))
        }
    }
}

fn tell<F: FnMut(Structure)>(kind: StructureKind, session: &Session, at: usize, say: &mut Say<'_, F>) {
    let Session { id, opened_bar: bar, high, low, .. } = *session;
    say.fact(
        Direction::Up,
        Fact { kind, id, cause_id: 0, bar, top: high.0, bottom: low.0, extra: at as i64, value: 0 },
    );
}

impl Sessions {
    pub fn state(&mut self, io: &mut StateIo<'_>, count: u32) -> Result<(), StateError> {
        self.slots.iter_mut().try_for_each(|slot| slot.state(io, count))?;
        if io.is_loading() && !self.slots.is_empty() {
            self.refresh();
        }
        Ok(())
    }
}

impl Slot {
    fn state(&mut self, io: &mut StateIo<'_>, count: u32) -> Result<(), StateError> {
        self.next = if io.is_loading() { TsNs(0) } else { self.next };
        io.number(&mut self.date)?;
        io.option(&mut self.running, || BLANK, |io, session| fields(session, true, io, count))?;
        io.option(&mut self.last, || BLANK, |io, session| fields(session, false, io, count))?;
        io.flag(&mut self.is_watched.up)?;
        io.flag(&mut self.is_watched.down)
    }
}

const BLANK: Session = Session { id: 0, opened_bar: 0, high: Price(0), low: Price(0), is_open: false };

fn fields(session: &mut Session, is_open: bool, io: &mut StateIo<'_>, count: u32) -> Result<(), StateError> {
    session.is_open = is_open;
    io.number(&mut session.id)?;
    snapshot::bar(io, &mut session.opened_bar, count)?;
    snapshot::price(io, &mut session.high.0)?;
    snapshot::price(io, &mut session.low.0)?;
    sound(io, session.id > 0 && session.low <= session.high)
}
