//! Settings from defaults, then the file, then the flags.

use super::{Args, Failure, failure};
use crate::columns;
use serde::Deserialize;
use smc_core::calendar::Calendar;
use smc_core::smc::{ObMitigation, SmcParams};
use smc_parity::{ParityError, Period, Session};
use smc_settings::calendar::{CalendarSection, SessionEntry};
use smc_settings::smc::SmcSection;
use std::io::Write;

/// Everything that can be set.
pub(super) struct Settings {
    pub params: SmcParams,
    pub calendar: Calendar,
    pub tables: columns::Params,
}

/// Sessions when nobody names any.
const SESSIONS: [&str; 4] = ["sydney", "tokyo", "london", "new-york"];
/// The package's default.
const SWING_LENGTH: u16 = 50;

impl Settings {
    /// Everything that can be said, as changed by the file and then by the flags.
    pub fn of(args: &Args, notes: &mut dyn Write) -> Result<Self, Failure> {
        let file = File::read(args, notes)?;
        let params = params(args, &file.smc)?;
        let calendar = calendar(args, &file)?;
        let tables = tables(args, &file.smc)?;
        Ok(Self { params, calendar, tables })
    }
}

fn params(args: &Args, file: &SmcSection) -> Result<SmcParams, Failure> {
    let mut params = SmcParams::everything();
    file.apply(&mut params);
    if let Some(is_body) = args.close_mitigation {
        params.ob_mitigation = if is_body { ObMitigation::Body } else { ObMitigation::Wick };
    }
    if let Some(is_joined) = args.join_consecutive {
        params.fvg_join = is_joined;
    }
    args.smc.apply(&mut params);
    params.validate().map_err(|error| Failure(error.to_string()))?;
    Ok(params)
}

fn calendar(args: &Args, file: &File) -> Result<Calendar, Failure> {
    let mut section = file.calendar.clone().unwrap_or_else(|| CalendarSection {
        sessions: SESSIONS.map(|word| SessionEntry::Preset(word.into())).into(),
        ..CalendarSection::default()
    });
    if let Some(sessions) = &args.sessions {
        let none = SessionEntry::Preset("none".into());
        section.sessions = sessions.iter().filter(|entry| **entry != none).cloned().collect();
    }
    if let Some(roll) = &args.roll {
        section.roll = Some(roll.clone());
    }
    section.resolve().map_err(|error| Failure(error.to_string()))
}

fn tables(args: &Args, file: &SmcSection) -> Result<columns::Params, Failure> {
    let wrong = |flag: &'static str| move |error: ParityError| failure(flag, error);
    if !args.range_percent.is_finite() || args.range_percent < 0.0 {
        return Err(failure("--range-percent", "must be a part such as 0.01"));
    }
    let hours = (args.session_start.as_deref(), args.session_end.as_deref());
    let session = match (args.session.as_str(), hours) {
        ("Custom", (start, end)) => Session::custom(start.unwrap_or(""), end.unwrap_or("")),
        (name, _) => Session::named(name),
    };
    Ok(columns::Params {
        swing_length: args.smc.swing_length.or(file.swing_length).unwrap_or(SWING_LENGTH).into(),
        close_break: args.smc.close_break.or(file.close_break).unwrap_or(true),
        close_mitigation: args.close_mitigation.unwrap_or(false),
        join_consecutive: args.join_consecutive.unwrap_or(false),
        range_percent: args.range_percent,
        session: session.map_err(wrong("--session"))?,
        time_zone: args.time_zone.clone(),
        period: Period::parse(&args.period).map_err(wrong("--period"))?,
    })
}

/// The sections that matter here. A whole engine configuration is welcome; the rest plays no part.
#[derive(Default, Deserialize)]
struct File {
    #[serde(default)]
    smc: SmcSection,
    calendar: Option<CalendarSection>,
}

const SECTIONS: [&str; 2] = ["smc", "calendar"];

impl File {
    fn read(args: &Args, notes: &mut dyn Write) -> Result<Self, Failure> {
        let Some(path) = &args.config else { return Ok(Self::default()) };
        let text = std::fs::read_to_string(path).map_err(|error| failure(path.display(), error))?;
        let wrong = |error: toml::de::Error| {
            let start = error.span().map_or(0, |span| span.start.min(text.len()));
            let line = text.get(..start).map_or(1, |before| before.matches('\n').count() + 1);
            failure(format_args!("{}:{line}", path.display()), error.message().replace('\n', ", "))
        };
        let file: Self = toml::from_str(&text).map_err(wrong)?;
        let whole: toml::Table = toml::from_str(&text).map_err(wrong)?;
        let others: Vec<&str> =
            whole.keys().map(String::as_str).filter(|key| !SECTIONS.contains(key)).collect();
        if !others.is_empty() {
            // Only a word: a slip in a section's name would go unnoticed without it.
            let _ = writeln!(notes, "smc: {}: not used here: {}", path.display(), others.join(", "));
        }
        Ok(file)
    }
}
