//! Recorded bars, and the engines whose cost is measured on them. Nothing here is timed.
#![allow(clippy::expect_used, reason = "a bench that cannot be set up must stop")]

use smc_core::calendar::Calendar;
use smc_core::event::Bar;
use smc_core::output::Structure;
use smc_core::smc::{IdSource, SmcEngine, SmcParams};
use smc_core::words::{InstrumentId, Timeframe};
use smc_settings::calendar::{CalendarSection, SessionEntry};
use std::path::Path;

/// Where the shared data may lie, seen from this crate.
const DATA: &str = "shared/data";

/// The bars of a recorded file; none where it is not at hand.
pub fn recorded(name: &str) -> Option<Vec<Bar>> {
    let ancestors = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors();
    let Some(path) = ancestors.map(|at| at.join(DATA).join(name)).find(|path| path.exists()) else {
        println!("skipped: {DATA}/{name} absent");
        return None;
    };
    Some(smc_detect::live::sound_bars(&path).expect("the file reads"))
}

/// New York's roll and four sessions on its clock.
pub fn calendar() -> Calendar {
    let names = ["ict-asia", "ict-london", "ict-ny-am", "ict-london-close"];
    let section = CalendarSection {
        roll: Some("17:00 America/New_York".to_owned()),
        sessions: names.map(|name| SessionEntry::Preset(name.to_owned())).to_vec(),
    };
    section.resolve().expect("the calendar is sound")
}

/// Pivots, swings and breaks of structure alone.
pub fn lean() -> SmcParams {
    SmcParams { order_blocks: false, gaps: false, liquidity: false, ..SmcParams::default() }
}

/// Everything that can be said, sessions and previous levels included.
pub fn full() -> SmcParams {
    SmcParams::everything()
}

/// Runs an engine over the bars; how many structures it said, and a fold of them that nobody can optimise away.
pub fn run(engine: &mut SmcEngine, bars: &[Bar]) -> (u64, i64) {
    let (mut ids, mut said, mut fold) = (IdSource::new(), 0, 0);
    for bar in bars {
        engine.on_bar(bar, &mut ids, &mut |structure: Structure| {
            said += 1;
            fold ^= structure.top.0 ^ structure.extra;
        });
    }
    (said, fold)
}

/// A new engine.
pub fn engine(params: &SmcParams, calendar: &Calendar) -> SmcEngine {
    let timeframe = Timeframe::from_secs(900).expect("a timeframe");
    SmcEngine::with_calendar(InstrumentId(0), timeframe, params, calendar)
}
