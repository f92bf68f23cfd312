//! `[calendar]`: trading days and sessions by the names people use, resolved into the core's tables.
//!
//! Zones come from the tables that the time-zone library carries, never from the machine, so the same build
//! resolves the same instants everywhere. Resolved are the years 1970 to 2100; the last offset holds after.
//!
//! ```toml
//! [calendar]
//! roll = "17:00 America/New_York"      # when a trading day begins; default "00:00 UTC"
//! sessions = [
//!   "london", "ict-ny-am",             # presets, see PRESETS
//!   { name = "lunch", start = "12:00", end = "13:30", zone = "Europe/London" },
//! ]
//! ```
//!
//! A zone is a name of the IANA database, `UTC`, or a fixed offset such as `UTC+3` or `UTC-03:30`, where plus is
//! east of Greenwich. (The database's own `Etc/GMT+3` means west, as it always has.)

use std::fmt;

use jiff::Timestamp;
use jiff::tz::TimeZoneDatabase;
use serde::de::value::MapAccessDeserializer;
use serde::de::{Deserializer, MapAccess, Visitor};
use serde::{Deserialize, Serialize};
use smc_core::calendar::{Calendar, OffsetStep, Roll, SESSIONS_MAX, SessionWindow, ZoneOffsets};
use smc_core::words::{Name, TsNs};

/// `[calendar]`
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct CalendarSection {
    /// When a trading day begins: `HH:MM zone`. From noon on it begins the date that follows.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub roll: Option<String>,
    /// Sessions and kill zones; their places are the indices that events name.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub sessions: Vec<SessionEntry>,
}

/// One session: a preset's name, or a table.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub enum SessionEntry {
    /// One of [`PRESETS`].
    Preset(String),
    /// A window of one's own.
    Window(WindowSection),
}

/// A daily window `[start, end)`, over midnight when the end is not after the start.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct WindowSection {
    /// What it is called, up to fifteen bytes.
    pub name: String,
    /// `HH:MM` on the zone's wall clock.
    pub start: String,
    /// `HH:MM` on the zone's wall clock; `24:00` is midnight.
    pub end: String,
    /// The zone.
    pub zone: String,
}

/// A well-known window.
#[derive(Clone, Copy, Debug)]
pub struct Preset {
    /// What the file says.
    pub word: &'static str,
    /// What the window is called then; the word, where that fits a [`Name`].
    pub name: &'static str,
    /// `HH:MM`.
    pub start: &'static str,
    /// `HH:MM`.
    pub end: &'static str,
    /// The zone whose clock it follows.
    pub zone: &'static str,
}

const NEW_YORK: &str = "America/New_York";

/// The windows that have names: sessions and kill zones by UTC, then those by New York's wall clock.
pub const PRESETS: [Preset; 12] = [
    preset("sydney", "21:00", "06:00", "UTC"),
    preset("tokyo", "00:00", "09:00", "UTC"),
    preset("london", "07:00", "16:00", "UTC"),
    preset("new-york", "13:00", "22:00", "UTC"),
    preset("asian-kz", "00:00", "04:00", "UTC"),
    preset("london-open-kz", "06:00", "09:00", "UTC"),
    preset("new-york-kz", "11:00", "14:00", "UTC"),
    preset("london-close-kz", "14:00", "16:00", "UTC"),
    preset("ict-asia", "20:00", "00:00", NEW_YORK),
    preset("ict-london", "02:00", "05:00", NEW_YORK),
    preset("ict-ny-am", "07:00", "10:00", NEW_YORK),
    Preset { name: "ict-ldn-close", ..preset("ict-london-close", "10:00", "12:00", NEW_YORK) },
];

const fn preset(word: &'static str, start: &'static str, end: &'static str, zone: &'static str) -> Preset {
    Preset { word, name: word, start, end, zone }
}

/// Why a calendar was refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CalendarError {
    /// The key, as a path: `calendar.sessions[2].zone`.
    pub key: String,
    /// What is wrong with it.
    pub fault: CalendarFault,
}

/// What is wrong with a value of the calendar.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CalendarFault {
    /// Not `HH:MM zone`.
    Roll(String),
    /// Not `HH:MM`.
    Clock(String),
    /// No zone of the database and no fixed offset.
    Zone(String),
    /// No preset of that name.
    Preset(String),
    /// Empty, or longer than a [`Name`].
    Name(String),
    /// Two sessions of one name.
    Twice(String),
    /// More than [`SESSIONS_MAX`].
    TooMany(usize),
}

impl fmt::Display for CalendarError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: ", self.key)?;
        match &self.fault {
            CalendarFault::Roll(text) => {
                write!(f, "`{text}` is not `HH:MM zone`, such as `17:00 {NEW_YORK}`")
            }
            CalendarFault::Clock(text) => write!(f, "`{text}` is not `HH:MM`"),
            CalendarFault::Zone(text) => {
                write!(f, "`{text}` is no time zone; write `Europe/London`, `UTC` or `UTC+3`")
            }
            CalendarFault::Preset(text) => {
                let words: Vec<_> = PRESETS.iter().map(|preset| preset.word).collect();
                write!(f, "`{text}` is no preset; there are {}", words.join(", "))
            }
            CalendarFault::Name(text) => write!(f, "`{text}` is empty or longer than {} bytes", Name::MAX),
            CalendarFault::Twice(text) => write!(f, "`{text}` is the name of two sessions"),
            CalendarFault::TooMany(count) => write!(f, "{count} sessions, at most {SESSIONS_MAX}"),
        }
    }
}

impl std::error::Error for CalendarError {}

impl CalendarSection {
    /// The core's calendar.
    pub fn resolve(&self) -> Result<Calendar, CalendarError> {
        let roll = match &self.roll {
            None => Roll::default(),
            Some(text) => roll(text).map_err(|fault| fault.of("calendar.roll"))?,
        };
        if self.sessions.len() > SESSIONS_MAX {
            return Err(CalendarFault::TooMany(self.sessions.len()).of("calendar.sessions"));
        }
        let mut sessions: Vec<SessionWindow> = Vec::with_capacity(self.sessions.len());
        for (at, entry) in self.sessions.iter().enumerate() {
            let window = entry.window().map_err(|(field, fault)| {
                fault
                    .of(&format!("calendar.sessions[{at}]{}{field}", if field.is_empty() { "" } else { "." }))
            })?;
            if sessions.iter().any(|other| other.name == window.name) {
                let name = window.name.as_str().to_owned();
                return Err(CalendarFault::Twice(name).of(&format!("calendar.sessions[{at}]")));
            }
            sessions.push(window);
        }
        Ok(Calendar { roll, sessions })
    }
}

impl CalendarFault {
    fn of(self, key: &str) -> CalendarError {
        CalendarError { key: key.into(), fault: self }
    }
}

impl SessionEntry {
    /// The window, or the field that is wrong; no field for the entry as a whole.
    fn window(&self) -> Result<SessionWindow, (&'static str, CalendarFault)> {
        let (name, start, end, zone) = match self {
            Self::Preset(word) => {
                let found = PRESETS.iter().find(|preset| preset.word == word);
                let Preset { name, start, end, zone, .. } =
                    found.ok_or_else(|| ("", CalendarFault::Preset(word.clone())))?;
                (*name, *start, *end, *zone)
            }
            Self::Window(WindowSection { name, start, end, zone }) => {
                (name.as_str(), start.as_str(), end.as_str(), zone.as_str())
            }
        };
        let is_midnight = end == "24:00";
        Ok(SessionWindow {
            name: Name::new(name)
                .filter(|name| !name.as_bytes().is_empty())
                .ok_or_else(|| ("name", CalendarFault::Name(name.into())))?,
            offsets: zone_offsets(zone).map_err(|fault| ("zone", fault))?,
            start_secs: clock_secs(start).map_err(|fault| ("start", fault))?,
            end_secs: clock_secs(if is_midnight { "00:00" } else { end }).map_err(|fault| ("end", fault))?,
        })
    }
}

/// A string is a preset's name, a table a window; so each has its own errors.
impl<'de> Deserialize<'de> for SessionEntry {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Entry;
        impl<'de> Visitor<'de> for Entry {
            type Value = SessionEntry;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a preset's name or a table of name, start, end and zone")
            }

            fn visit_str<E>(self, word: &str) -> Result<SessionEntry, E> {
                Ok(SessionEntry::Preset(word.into()))
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<SessionEntry, A::Error> {
                WindowSection::deserialize(MapAccessDeserializer::new(map)).map(SessionEntry::Window)
            }
        }
        from.deserialize_any(Entry)
    }
}

/// The offsets of a zone from 1970 to 2100.
pub fn offsets(zone: &str) -> Result<ZoneOffsets, CalendarError> {
    zone_offsets(zone).map_err(|fault| fault.of("zone"))
}

/// 2101-01-01T00:00:00Z.
const RESOLVED_UNTIL_SECS: i64 = 4_133_980_800;

fn zone_offsets(zone: &str) -> Result<ZoneOffsets, CalendarFault> {
    let fault = || CalendarFault::Zone(zone.into());
    if let Some(fixed) = zone.strip_prefix("UTC") {
        return fixed_secs(fixed).map(ZoneOffsets::fixed).ok_or_else(fault);
    }
    let zone = TimeZoneDatabase::bundled().get(zone).map_err(|_| fault())?;
    if zone.is_unknown() {
        return Err(fault());
    }
    let first = OffsetStep { since: TsNs(0), offset_secs: zone.to_offset(Timestamp::UNIX_EPOCH).seconds() };
    let mut steps = vec![first];
    for change in zone.following(Timestamp::UNIX_EPOCH) {
        let (secs, offset_secs) = (change.timestamp().as_second(), change.offset().seconds());
        if secs >= RESOLVED_UNTIL_SECS {
            break;
        }
        // Some changes are of the zone's abbreviation only.
        if steps.last().is_some_and(|step| step.offset_secs != offset_secs) {
            // Later than the epoch, and far from what nanoseconds can hold.
            let since = TsNs(secs.unsigned_abs() * 1_000_000_000);
            steps.push(OffsetStep { since, offset_secs });
        }
    }
    ZoneOffsets::new(&steps).ok_or_else(fault)
}

/// Nothing, `+3`, `-03:30`: seconds east of UTC. Real zones stay below sixteen hours; more is a slip.
fn fixed_secs(text: &str) -> Option<i32> {
    if text.is_empty() {
        return Some(0);
    }
    let (sign, size) = match text.split_at_checked(1)? {
        ("+", size) => (1, size),
        ("-", size) => (-1, size),
        _ => return None,
    };
    let (hours, minutes) = size.split_once(':').unwrap_or((size, "00"));
    let (hours, minutes) = (digits(hours, 1, 15)?, digits(minutes, 2, 59)?);
    Some(sign * (hours * 3_600 + minutes * 60))
}

fn roll(text: &str) -> Result<Roll, CalendarFault> {
    let (clock, zone) = text.split_once(' ').ok_or_else(|| CalendarFault::Roll(text.into()))?;
    Ok(Roll { offsets: zone_offsets(zone.trim())?, at_secs: clock_secs(clock)? })
}

/// `HH:MM` in seconds of the day.
fn clock_secs(text: &str) -> Result<u32, CalendarFault> {
    let of = |text: &str| {
        let (hours, minutes) = text.split_once(':')?;
        u32::try_from(digits(hours, 2, 23)? * 3_600 + digits(minutes, 2, 59)? * 60).ok()
    };
    of(text).ok_or_else(|| CalendarFault::Clock(text.into()))
}

/// A number of at least `len_min` and at most two digits, up to `max`.
fn digits(text: &str, len_min: usize, max: i32) -> Option<i32> {
    let is_plain = (len_min..=2).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse().ok().filter(|number| is_plain && *number <= max)
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::civil::date;
    use jiff::tz::TimeZone;

    fn utc(year: i16, month: i8, day: i8, hour: i8, minute: i8) -> TsNs {
        let civil = date(year, month, day).at(hour, minute, 0, 0);
        TsNs(civil.to_zoned(TimeZone::UTC).unwrap().timestamp().as_nanosecond() as u64)
    }

    /// At the instant the offset is `after`, a nanosecond earlier `before`; both in hours.
    fn check_change(zone: &str, at: TsNs, before: f64, after: f64) {
        let offsets = offsets(zone).unwrap();
        let hours = |ts| f64::from(offsets.span_at(ts).offset_secs) / 3_600.0;
        assert_eq!((hours(TsNs(at.0 - 1)), hours(at)), (before, after), "{zone} {at:?}");
    }

    #[test]
    fn zones_change_when_their_laws_said_so() {
        // New York's summer began on the first Sunday of April until 2006, on the second of March since 2007.
        check_change("America/New_York", utc(2006, 4, 2, 7, 0), -5.0, -4.0);
        check_change("America/New_York", utc(2006, 10, 29, 6, 0), -4.0, -5.0);
        check_change("America/New_York", utc(2007, 3, 11, 7, 0), -5.0, -4.0);
        check_change("America/New_York", utc(2007, 11, 4, 6, 0), -4.0, -5.0);
        check_change("America/New_York", utc(1974, 1, 6, 7, 0), -5.0, -4.0);
        check_change("America/New_York", utc(2099, 3, 8, 7, 0), -5.0, -4.0);
        // London kept summer time until 1971-10-31.
        check_change("Europe/London", utc(1971, 10, 31, 2, 0), 1.0, 0.0);
        check_change("Europe/London", utc(2023, 3, 26, 1, 0), 0.0, 1.0);
        check_change("Europe/London", utc(2023, 10, 29, 1, 0), 1.0, 0.0);
        check_change("Europe/London", utc(2100, 10, 31, 1, 0), 1.0, 0.0);
        // Sydney, and the longer summer of the Olympic year.
        check_change("Australia/Sydney", utc(2000, 8, 26, 16, 0), 10.0, 11.0);
        check_change("Australia/Sydney", utc(2023, 4, 1, 16, 0), 11.0, 10.0);
        check_change("Australia/Lord_Howe", utc(2023, 4, 1, 15, 0), 11.0, 10.5);
        let never = |zone: &str| offsets(zone).unwrap().span_at(utc(2023, 6, 1, 0, 0));
        for (zone, secs) in [("Asia/Kolkata", 19_800), ("UTC", 0), ("UTC+3", 10_800), ("UTC-03:30", -12_600)]
        {
            let span = never(zone);
            assert_eq!((span.since, span.until, span.offset_secs), (TsNs(0), TsNs(u64::MAX), secs), "{zone}");
        }
        // Tokyo has had none since 1951.
        assert_eq!(never("Asia/Tokyo").offset_secs, 9 * 3_600);
        // The database's own sign, for who asks for it.
        assert_eq!(never("Etc/GMT+3").offset_secs, -10_800);
    }

    #[test]
    fn offsets_at_random_instants_are_the_librarys() {
        let mut random = 5u64;
        let zones = [
            "America/New_York",
            "Europe/London",
            "Europe/Dublin",
            "Australia/Sydney",
            "Australia/Lord_Howe",
            "America/Sao_Paulo",
            "America/Havana",
            "Africa/Casablanca",
            "Asia/Kathmandu",
            "Asia/Tehran",
            "Pacific/Apia",
            "Pacific/Kwajalein",
            "Asia/Tokyo",
        ];
        for name in zones {
            let ours = offsets(name).unwrap();
            let zone = TimeZoneDatabase::bundled().get(name).unwrap();
            let check = |secs: i64| {
                let theirs = zone.to_offset(Timestamp::from_second(secs).unwrap()).seconds();
                let span = ours.span_at(TsNs(secs as u64 * 1_000_000_000));
                assert_eq!(span.offset_secs, theirs, "{name} {secs}");
                span
            };
            for _ in 0..3_000 {
                random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                let span = check((random >> 20) as i64 % RESOLVED_UNTIL_SECS);
                // The two sides of the changes around it.
                for edge in [span.since.0, span.until.0] {
                    let secs = (edge / 1_000_000_000) as i64;
                    if (1..RESOLVED_UNTIL_SECS).contains(&secs) {
                        check(secs);
                        check(secs - 1);
                    }
                }
            }
        }
    }

    fn section(text: &str) -> Result<CalendarSection, toml::de::Error> {
        toml::from_str(text)
    }

    #[test]
    fn presets_and_tables_become_windows() {
        let text = r#"
            roll = "17:00 America/New_York"
            sessions = ["london", "ict-asia", "ict-london-close",
                        { name = "lunch", start = "12:00", end = "13:30", zone = "UTC+3" }]
        "#;
        let section = section(text).unwrap();
        let calendar = section.resolve().unwrap();
        assert_eq!(calendar.roll.at_secs, 17 * 3_600);
        assert_eq!(calendar.roll.offsets.span_at(utc(2023, 7, 1, 0, 0)).offset_secs, -4 * 3_600);
        let windows: Vec<_> = calendar
            .sessions
            .iter()
            .map(|window| {
                let offset_secs = window.offsets.span_at(utc(2023, 1, 1, 0, 0)).offset_secs;
                (window.name.as_str(), window.start_secs / 60, window.end_secs / 60, offset_secs / 3_600)
            })
            .collect();
        let expected = [
            ("london", 420, 960, 0),
            ("ict-asia", 1_200, 0, -5),
            ("ict-ldn-close", 600, 720, -5),
            ("lunch", 720, 810, 3),
        ];
        assert_eq!(windows, expected);
        // What is written reads back to the same.
        let text = toml::to_string(&section).unwrap();
        assert_eq!(toml::from_str::<CalendarSection>(&text).unwrap(), section, "{text}");
    }

    #[test]
    fn every_preset_resolves_and_nothing_is_midnight_utc() {
        let sessions = PRESETS.iter().map(|preset| SessionEntry::Preset(preset.word.into())).collect();
        let calendar = CalendarSection { roll: None, sessions }.resolve().unwrap();
        assert_eq!(calendar.sessions.len(), PRESETS.len());
        let empty = section("").unwrap().resolve().unwrap();
        assert_eq!((empty.roll.at_secs, empty.sessions.len()), (0, 0));
    }

    #[test]
    fn a_wrong_calendar_is_refused_by_its_key() {
        let window = |key: &str, value: &str| {
            let mut fields = vec![("name", "a"), ("start", "01:00"), ("end", "02:00"), ("zone", "UTC")];
            for field in &mut fields {
                if field.0 == key {
                    field.1 = value;
                }
            }
            let fields: Vec<_> = fields.iter().map(|(key, value)| format!("{key} = '{value}'")).collect();
            format!("sessions = ['london', {{ {} }}]", fields.join(", "))
        };
        let long = "a".repeat(Name::MAX + 1);
        let many = format!("sessions = [{}]", "'london', ".repeat(SESSIONS_MAX + 1));
        let refused = [
            ("roll = '17:00'".into(), "calendar.roll"),
            ("roll = '25:00 UTC'".into(), "calendar.roll"),
            ("roll = '1:00 UTC'".into(), "calendar.roll"),
            ("roll = '17:00 New_York'".into(), "calendar.roll"),
            ("sessions = ['londn']".into(), "calendar.sessions[0]"),
            ("sessions = ['london', 'tokyo', 'london']".into(), "calendar.sessions[2]"),
            (many, "calendar.sessions"),
            (window("name", ""), "calendar.sessions[1].name"),
            (window("name", &long), "calendar.sessions[1].name"),
            (window("start", "24:00"), "calendar.sessions[1].start"),
            (window("start", "+1:00"), "calendar.sessions[1].start"),
            (window("end", "01:60"), "calendar.sessions[1].end"),
            (window("end", ""), "calendar.sessions[1].end"),
            (window("zone", ""), "calendar.sessions[1].zone"),
            (window("zone", "Mars/Phobos"), "calendar.sessions[1].zone"),
            (window("zone", "UTC+16"), "calendar.sessions[1].zone"),
            (window("zone", "UTC+1:5"), "calendar.sessions[1].zone"),
            (window("zone", "UTC 3"), "calendar.sessions[1].zone"),
            (window("zone", "Etc/Unknown"), "calendar.sessions[1].zone"),
        ];
        for (text, key) in refused {
            let error = section(&text).unwrap().resolve().err().unwrap();
            assert_eq!(error.key, key, "{text}: {error}");
            assert!(error.to_string().starts_with(key));
        }
        assert!(section(&window("end", "24:00")).unwrap().resolve().is_ok());
        assert_eq!(offsets("Nowhere").err().unwrap().fault, CalendarFault::Zone("Nowhere".into()));
        // What the parser itself refuses, it names.
        let unknown = window("", "").replace("zone", "zoen");
        for (text, named) in [("rol = ''", "rol"), ("sessions = [3]", "preset"), (unknown.as_str(), "zoen")] {
            let error = section(text).err().unwrap().to_string();
            assert!(error.contains(named), "{error}");
        }
    }
}
