//! One event as one flat JSON object on one line.
//!
//! Every line has `seq`, `known`, `bar`, `ts`, `ts_bar`, `tf`, `kind`; every structure has `side` (1 bullish or at
//! the highs, -1 the mirror image), `id` (the object), `cause` (the object that caused it, 0 for none) and `scope`.
//! `ts` is the stamp, as in the file, of the bar whose close made it known (index `known`), `ts_bar` that of the bar
//! it talks about (index `bar`); in nearly all files a bar's stamp is the moment it opened.
//! `kind` is the name in the engine's documentation, such as `FvgCreated`. Prices are exact decimal
//! numbers. What else a line has depends on its kind and is named for it:
//!
//! | kind | fields |
//! |---|---|
//! | `PivotConfirmed`, `SwingStarted` | `price` |
//! | `SwingExtended` | `price`, `bar_before` |
//! | `SwingLocked` | `price`, `label` (`HH`, `LH`, `HL`, `LL` or null) |
//! | `Bos`, `Choch`, `Mss` | `level`, `bias_before` (-1, 0, 1), `displacement` (in ATR) |
//! | `PatternConfirmed` | `level`, `tag` (`BOS`, `CHOCH`) |
//! | `PatternBroken`, `PatternSuperseded` | `level`, `tag`, `bar_broken` |
//! | `FvgCreated`, `FvgJoined` | `top`, `bottom`, `height` (in ATR) |
//! | `FvgMitigated`, `FvgInverted`, `IfvgInvalidated` | `top`, `bottom` |
//! | `ObCreated` | `top`, `bottom`, `volume`, `balance` (0 to 1) |
//! | `ObTested`, `ObBroken`, `BreakerInvalidated` | `top`, `bottom` |
//! | `PoolFormed`, `PoolExtended`, `PoolSwept`, `PoolRun` | `level`, `top`, `bottom`, `members` |
//! | `LevelSwept` | `level`, `depth`, `level_of` (`pivot`, `day`, `week`, `month`, `minutes`, `session`), `session` |
//! | `PeriodRolled` | `high`, `low`, `period` |
//! | `PeriodLevelBroken` | `level`, `period` |
//! | `SessionOpened`, `SessionClosed` | `high`, `low`, `session` |
//! | `RangeChanged` | `top`, `bottom` |
//! | `ZoneChanged` | `top`, `bottom`, `zone`, `zone_before` |
//! | `OteEntered`, `OteLeft` | `top`, `bottom` |
//! | `RetracementReached` | `level`, `part` (of the leg) |
//! | `Expired` | `top`, `bottom` |
//! | `InputRejected` | `line`, `reason`, `open`, `high`, `low`, `close` (null where no number stands) |

use crate::csv::{Cell, Iso};
use crate::live::{Event, Rejection, What};
use smc_core::calendar::Calendar;
use smc_core::output::{Scope, Structure, StructureKind};
use smc_core::words::{Direction, Price};
use std::fmt::{self, Display, Write};

/// The name of a kind, as `kind` says it.
pub fn kind_name(what: &What) -> String {
    match what {
        What::Structure(structure) => format!("{:?}", structure.kind),
        What::Rejected(_) => format!("{:?}", StructureKind::InputRejected),
    }
}

/// Appends the object, without a line end. The calendar gives sessions their names.
pub fn write(event: &Event, calendar: &Calendar, out: &mut String) {
    let mut object = Object { out, is_first: true };
    // A `String` takes whatever is written.
    let _ = match &event.what {
        What::Structure(structure) => structure_fields(event, structure, calendar, &mut object),
        What::Rejected(rejection) => rejection_fields(event, rejection, &mut object),
    };
    out.push('}');
}

struct Object<'a> {
    out: &'a mut String,
    is_first: bool,
}

impl Object<'_> {
    /// A number, or something else that needs no quotes.
    fn plain(&mut self, key: &str, value: impl Display) -> fmt::Result {
        let before = if std::mem::take(&mut self.is_first) { '{' } else { ',' };
        write!(self.out, "{before}\"{key}\":{value}")
    }

    fn text(&mut self, key: &str, value: impl Display) -> fmt::Result {
        self.plain(key, "\"")?;
        for c in value.to_string().chars() {
            match c {
                '"' | '\\' => write!(self.out, "\\{c}")?,
                c if c.is_control() => write!(self.out, "\\u{:04x}", u32::from(c))?,
                c => self.out.push(c),
            }
        }
        self.out.push('"');
        Ok(())
    }

    fn head(&mut self, event: &Event, bar: u32, kind: StructureKind) -> fmt::Result {
        self.plain("seq", event.seq)?;
        self.plain("known", event.known)?;
        self.plain("bar", bar)?;
        self.text("ts", Iso(event.ts))?;
        self.text("ts_bar", Iso(event.ts_bar))?;
        self.text("tf", event.timeframe)?;
        self.text("kind", format_args!("{kind:?}"))
    }
}

/// Millionths as a number.
fn part(ppm: i64) -> Price {
    Price(ppm.saturating_mul(100))
}

fn structure_fields(event: &Event, s: &Structure, calendar: &Calendar, to: &mut Object<'_>) -> fmt::Result {
    use StructureKind as Kind;
    to.head(event, s.bar, s.kind)?;
    to.plain("side", side(s.direction))?;
    to.plain("id", s.id)?;
    to.plain("cause", s.cause_id)?;
    to.text("scope", if s.scope == Scope::Internal { "internal" } else { "swing" })?;
    match s.kind {
        Kind::PivotConfirmed | Kind::SwingStarted => to.plain("price", s.top),
        Kind::SwingExtended => {
            to.plain("price", s.top)?;
            to.plain("bar_before", s.extra)
        }
        Kind::SwingLocked => {
            to.plain("price", s.top)?;
            match label(s.extra) {
                Some(label) => to.text("label", label),
                None => to.plain("label", "null"),
            }
        }
        Kind::Bos | Kind::Choch | Kind::Mss => {
            to.plain("level", s.top)?;
            to.plain("bias_before", s.value)?;
            to.plain("displacement", part(s.extra))
        }
        Kind::PatternConfirmed => {
            to.plain("level", s.top)?;
            to.text("tag", tag(s.extra))
        }
        Kind::PatternBroken | Kind::PatternSuperseded => {
            to.plain("level", s.top)?;
            to.text("tag", tag(s.extra))?;
            to.plain("bar_broken", s.value)
        }
        Kind::FvgCreated | Kind::FvgJoined => {
            zone(s, to)?;
            to.plain("height", part(s.extra))
        }
        Kind::ObCreated => {
            zone(s, to)?;
            to.plain("volume", Price(s.value))?;
            to.plain("balance", part(s.extra))
        }
        Kind::PoolFormed | Kind::PoolExtended | Kind::PoolSwept | Kind::PoolRun => {
            to.plain("level", Price(s.value))?;
            zone(s, to)?;
            to.plain("members", s.extra)
        }
        Kind::LevelSwept => {
            to.plain("level", s.top)?;
            to.plain("depth", Price(s.extra))?;
            match session_of(s.value) {
                Some(index) => {
                    to.text("level_of", "session")?;
                    to.text("session", session_name(calendar, index))
                }
                None => to.text("level_of", period(s.value)),
            }
        }
        Kind::PeriodRolled => {
            to.plain("high", s.top)?;
            to.plain("low", s.bottom)?;
            to.text("period", period(s.extra))
        }
        Kind::PeriodLevelBroken => {
            to.plain("level", s.top)?;
            to.text("period", period(s.extra))
        }
        Kind::SessionOpened | Kind::SessionClosed => {
            to.plain("high", s.top)?;
            to.plain("low", s.bottom)?;
            to.text("session", session_name(calendar, s.extra))
        }
        Kind::ZoneChanged => {
            zone(s, to)?;
            to.text("zone", range_zone(s.extra))?;
            to.text("zone_before", range_zone(s.value))
        }
        Kind::RetracementReached => {
            to.plain("level", s.top)?;
            to.plain("part", part(s.extra))
        }
        Kind::FvgMitigated
        | Kind::FvgInverted
        | Kind::IfvgInvalidated
        | Kind::ObTested
        | Kind::ObBroken
        | Kind::BreakerInvalidated
        | Kind::Expired
        | Kind::RangeChanged
        | Kind::OteEntered
        | Kind::OteLeft
        | Kind::InputRejected => zone(s, to),
    }
}

fn rejection_fields(event: &Event, rejection: &Rejection, to: &mut Object<'_>) -> fmt::Result {
    to.head(event, event.known, StructureKind::InputRejected)?;
    to.plain("line", rejection.line)?;
    to.text("reason", rejection.reason)?;
    let row = &rejection.row;
    for (key, cell) in [("open", row.open), ("high", row.high), ("low", row.low), ("close", row.close)] {
        match cell {
            Cell::Number(price, _) => to.plain(key, price)?,
            Cell::Huge(float) => to.plain(key, format_args!("{float:e}"))?,
            Cell::Missing | Cell::Infinite => to.plain(key, "null")?,
        }
    }
    Ok(())
}

fn zone(s: &Structure, to: &mut Object<'_>) -> fmt::Result {
    to.plain("top", s.top)?;
    to.plain("bottom", s.bottom)
}

/// 1 or -1.
pub const fn side(direction: Direction) -> i8 {
    match direction {
        Direction::Up => 1,
        Direction::Down => -1,
    }
}

/// The swing label of an event's `extra`.
pub const fn label(extra: i64) -> Option<&'static str> {
    match extra {
        1 => Some("HH"),
        2 => Some("LH"),
        3 => Some("HL"),
        4 => Some("LL"),
        _ => None,
    }
}

const fn tag(extra: i64) -> &'static str {
    if extra == 0 { "BOS" } else { "CHOCH" }
}

/// The period of its code; the codes of a swept level.
pub const fn period(code: i64) -> &'static str {
    match code {
        0 => "pivot",
        1 => "day",
        2 => "week",
        3 => "month",
        _ => "minutes",
    }
}

/// Codes from here on are sessions.
const SESSION_FIRST: i64 = 16;

fn session_of(code: i64) -> Option<i64> {
    (code >= SESSION_FIRST).then(|| code - SESSION_FIRST)
}

/// What the calendar calls a session; its number when the calendar does not know it.
pub fn session_name(calendar: &Calendar, index: i64) -> String {
    let window = usize::try_from(index).ok().and_then(|index| calendar.sessions.get(index));
    window.map_or_else(|| index.to_string(), |window| window.name.to_string())
}

const fn range_zone(code: i64) -> &'static str {
    match code {
        1 => "discount",
        2 => "equilibrium",
        3 => "premium",
        4 => "between",
        _ => "undefined",
    }
}
