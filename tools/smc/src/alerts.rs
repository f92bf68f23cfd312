//! `smc alerts`: tell people when something goes wrong; and the same within `smc run`.

use crate::failure::{Failure, Outcome};
use clap::Parser;
use serde_json::json;
use smc_alerts::{Alerts, Handle, Names, Severity, Watched, state_condition, test_channels};
use smc_core::output::{Control, TradingState};
use smc_runtime::clock::Clock;
use smc_runtime::config::{AlertsSection, FileConfig, InstrumentSection};
use smc_runtime::counters::{CountersView, FILE_NAME, Slot};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// Tell people when something goes wrong with an engine.
///
/// Runs beside the engine, best as a service of its own; `smc run` does the same by itself where the configuration has
/// [alerts], but a process of its own also tells that the engine has died. Follows the journal and costs the engine nothing. Each
/// condition is told once when it begins, again after 5, 15 and 60 minutes, and when it is over. Ends by SIGTERM or SIGINT.
#[derive(Parser)]
pub struct Args {
    /// The engine's configuration file, with [alerts]
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
    /// The engine's journal, instead of the configuration's
    #[arg(long, value_name = "DIR")]
    journal: Option<PathBuf>,
    /// Send one message over each channel and end; exit 1 when one did not take it
    #[arg(long)]
    test: bool,
    /// With --test: one JSON document
    #[arg(long, requires = "test")]
    json: bool,
}

/// How long one channel may take for the test message.
const TEST_TIME: Duration = Duration::from_secs(15);
/// How long the end waits for messages that are on their way.
const FAREWELL: Duration = Duration::from_secs(3);
/// Between two looks for a signal.
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// Follows, or tests.
pub fn alerts(args: &Args) -> Outcome {
    let named = |error: &dyn std::fmt::Display| Failure::wrong(args.config.display(), error);
    let text = std::fs::read_to_string(&args.config).map_err(|error| named(&error))?;
    let file = FileConfig::parse(&text).map_err(|error| named(&error))?;
    let section = file.alerts.as_ref().ok_or_else(|| named(&"section [alerts] is missing"))?;
    if args.test {
        return test(section, args.json);
    }
    crate::log::start(&file.process)?;
    let journal = args.journal.clone().or_else(|| file.process.journal.clone());
    let journal = journal.ok_or_else(|| named(&"process.journal: no directory; or pass --journal DIR"))?;
    let end = Arc::new(AtomicBool::new(false));
    let signals = crate::signals::stop_on_signal(&end).and_then(|()| crate::signals::hang_up(&end));
    let hang_up = signals.map_err(|error| Failure::wrong("signals", error))?;
    let names = names(&file);
    let alerts =
        Alerts::start(section, watched(section, &names, &journal, false)).map_err(|error| named(&error))?;
    let handle = alerts.handle();
    tracing::info!(journal = %journal.display(), channels = section.channels.len(), "alerts: watching");
    let mut standing = Standing::new(&journal);
    while !end.load(Ordering::Acquire) {
        standing.look(&names, &handle);
        if hang_up.swap(false, Ordering::AcqRel)
            && let Some(log) = smc_log::handle()
        {
            log.reopen();
        }
        std::thread::sleep(LOOK_EVERY);
    }
    alerts.end(FAREWELL);
    Ok(())
}

fn test(section: &AlertsSection, as_json: bool) -> Outcome {
    let outcomes = test_channels(section, TEST_TIME);
    if outcomes.is_empty() {
        return Err(Failure::wrong("alerts", "no [[alerts.channel]]"));
    }
    let rows = outcomes.iter().map(|(name, place, outcome)| match outcome {
        Ok(took) => json!({ "channel": name, "place": place, "ok": true, "ms": took.as_millis() as u64 }),
        Err(reason) => json!({ "channel": name, "place": place, "ok": false, "reason": reason }),
    });
    if as_json {
        println!("{}", json!({ "channels": rows.collect::<Vec<_>>() }));
    } else {
        for (name, place, outcome) in &outcomes {
            match outcome {
                Ok(took) => println!("{name:<12} {place:<28} sent in {} ms", took.as_millis()),
                Err(reason) => println!("{name:<12} {place:<28} NOT SENT: {reason}"),
            }
        }
    }
    match outcomes.iter().filter(|(_, _, outcome)| outcome.is_err()).count() {
        0 => Ok(()),
        failed => Err(Failure::No(format!("{failed} of {} channels did not take it", outcomes.len()))),
    }
}

/// Names of what a configuration trades.
pub fn names(file: &FileConfig) -> Names {
    let venues: Vec<&str> = file.venue_names();
    let number = |name: Option<&str>| venues.iter().position(|known| *known == name.unwrap_or_default());
    let instrument = |section: &InstrumentSection| {
        let venue = number(section.venue.as_deref()).and_then(|at| u8::try_from(at).ok()).unwrap_or(0);
        (section.symbol.clone(), venue)
    };
    let shown = |name: &&str| {
        file.venue_named(name).map_or_else(|| (*name).to_owned(), |venue| venue.name.to_owned())
    };
    Names {
        instruments: file.instruments.iter().map(instrument).collect(),
        venues: venues.iter().map(shown).collect(),
        clock_offset_ns_max: file.risk.clock_offset_max_ms.saturating_mul(1_000_000),
    }
}

fn watched(section: &AlertsSection, names: &Names, journal: &Path, is_inside: bool) -> Watched {
    Watched {
        journal: journal.to_owned(),
        names: names.clone(),
        silence_max: Duration::from_secs(section.silence_s.max(1)),
        disk_free_min: section.disk_free_mib.saturating_mul(1 << 20),
        is_inside,
    }
}

/// What held before anybody looked: no record of the newest segment need say it. Told once, and only of an engine that lives;
/// the journal says when it is over.
struct Standing {
    path: PathBuf,
    view: Option<CountersView>,
    events: Option<u64>,
    is_told: bool,
}

impl Standing {
    fn new(journal: &Path) -> Self {
        Self { path: journal.join(FILE_NAME), view: None, events: None, is_told: false }
    }

    fn look(&mut self, names: &Names, alerts: &Handle) {
        if self.is_told {
            return;
        }
        if self.view.is_none() {
            self.view = CountersView::open(&self.path).ok();
        }
        let Some(view) = &self.view else { return };
        let events = view.get(Slot::EventsIn);
        if self.events.replace(events).is_none_or(|before| before == events) {
            return;
        }
        self.is_told = true;
        let now = Clock::System.now().0;
        for (scope, state, control) in view.held() {
            let cause = usize::try_from(control).ok().and_then(|at| Control::ALL.get(at)).copied();
            let condition = state_of(state).and_then(|state| {
                state_condition(names, scope, state, cause.unwrap_or(Control::Operator), None, now)
            });
            if let Some(condition) = condition {
                alerts.raise(condition);
            }
        }
    }
}

const fn state_of(number: u64) -> Option<TradingState> {
    Some(match number {
        1 => TradingState::Warn,
        2 => TradingState::ReduceOnly,
        3 => TradingState::CancelOnly,
        4 => TradingState::Halt,
        _ => return None,
    })
}

/// Alerts in the engine's own process.
pub struct Inside(Alerts);

/// Starts them where the configuration wants them.
pub fn beside_engine(
    section: &Option<AlertsSection>,
    names: &Names,
    journal: &Path,
) -> Result<Option<Inside>, Failure> {
    let Some(section) = section else { return Ok(None) };
    let started = Alerts::start(section, watched(section, names, journal, true));
    let alerts = started.map_err(|error| Failure::Wrong(error.to_string()))?;
    let (handle, names, mut standing) = (alerts.handle(), names.clone(), Standing::new(journal));
    let look = move || {
        while !standing.is_told {
            standing.look(&names, &handle);
            std::thread::sleep(LOOK_EVERY * 4);
        }
    };
    let thread = std::thread::Builder::new().name("standing".into()).spawn(look);
    thread.map_err(|error| Failure::wrong("alerts", error))?;
    Ok(Some(Inside(alerts)))
}

impl Inside {
    /// The engine thread is gone though nobody asked it to go.
    pub fn engine_ended(&self) {
        let text = "no order and no cancel leaves any more; stops at the venue stand".to_owned();
        let title = "the engine thread has ended by itself";
        self.0.handle().raise_own("engine/thread", Severity::Critical, title, text, "SmcEngineDown.md");
    }

    /// Tells why the engine has ended, if it was not asked to, and waits a little for what is on its way.
    pub fn end(self, error: Option<&str>) {
        if let Some(error) = error {
            let title = "the engine has ended with an error";
            self.0.handle().raise_own(
                "engine/ended",
                Severity::Critical,
                title,
                error.into(),
                "SmcEngineDown.md",
            );
        }
        self.0.end(FAREWELL);
    }
}
