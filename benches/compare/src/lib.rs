//! What the comparisons share: recorded data, engines, and the rounds in which everything is measured.
#![allow(clippy::expect_used, reason = "a bench that cannot be set up must stop")]

use smc_core::calendar::Calendar;
use smc_core::event::Bar;
use smc_core::output::Structure;
use smc_core::smc::{IdSource, SmcEngine, SmcParams};
use smc_core::words::{InstrumentId, Timeframe};
use smc_settings::calendar::{CalendarSection, SessionEntry};
use std::io::Read;
use std::path::{Path, PathBuf};

/// Where the shared data may lie, seen from this crate.
const DATA: &str = "shared/data";

const ROUNDS: usize = 61;

/// One of those compared: what it is, and a run that says how many nanoseconds it took.
pub type Contender<'a> = (&'a str, Box<dyn FnMut() -> f64 + 'a>);

/// Nanoseconds a unit of work, best and median of each, all of them in every round so that the machine's moods hit all
/// alike. One round where `cargo test` only wants to know that it runs.
pub fn race(contenders: &mut [Contender<'_>], units: usize) -> Vec<(f64, f64)> {
    let rounds = if std::env::args().any(|arg| arg == "--bench") { ROUNDS } else { 1 };
    let mut times = vec![Vec::with_capacity(rounds); contenders.len()];
    for _ in 0..rounds {
        for ((_, contender), times) in contenders.iter_mut().zip(&mut times) {
            times.push(contender() / units as f64);
        }
    }
    let result = |mut times: Vec<f64>| {
        times.sort_by(f64::total_cmp);
        (times[0], times[times.len() / 2])
    };
    times.into_iter().map(result).collect()
}

fn shared(name: &str) -> Option<PathBuf> {
    let mut ancestors = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().map(|at| at.join(DATA).join(name));
    let found = ancestors.find(|path| path.exists());
    if found.is_none() {
        println!("skipped: {DATA}/{name} absent");
    }
    found
}

/// The bars of a recorded file; none where it is not at hand.
pub fn recorded(name: &str) -> Option<Vec<Bar>> {
    Some(smc_detect::live::sound_bars(&shared(name)?).expect("the file reads"))
}

/// The messages of a recorded capture, as they came; none where it is not at hand.
pub fn captured(name: &str) -> Option<Vec<Vec<u8>>> {
    let file = std::fs::File::open(shared(name)?).expect("the capture opens");
    let mut text = String::new();
    flate2::read::MultiGzDecoder::new(file).read_to_string(&mut text).expect("the capture unpacks");
    Some(text.lines().filter_map(|line| Some(line.split_once(' ')?.1.as_bytes().to_vec())).collect())
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
