//! `smc alerts`: tell people when something goes wrong; and the same within `smc run`.

use crate::failure::{Failure, Outcome};
use clap::Parser;
use serde_json::json;
use smc_alerts::{
    Alerts, Handle, Names, Opened, STATE, Severity, Watched, state_condition, state_key, test_channels,
};
use smc_core::output::{Control, TradingState};
use smc_observe::Over;
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
    // As everywhere else: with its venue where two have the same symbol, or one's condition would be taken for the other's.
    let symbols = smc_observe::Names::of(file).symbols;
    let instrument = |(section, symbol): (&InstrumentSection, String)| {
        let venue = number(section.venue.as_deref()).and_then(|at| u8::try_from(at).ok()).unwrap_or(0);
        (symbol, venue)
    };
    let shown = |name: &&str| {
        file.venue_named(name).map_or_else(|| (*name).to_owned(), |venue| venue.name.to_owned())
    };
    Names {
        instruments: file.instruments.iter().zip(symbols).map(instrument).collect(),
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

/// What held before anybody looked: no record of the newest segment need say it. Told once for each process that goes on with the
/// journal, and only of an engine that lives. What was told and no longer holds is over, once the counters say so too: the record
/// that would have said it may have died with the former process.
struct Standing {
    path: PathBuf,
    life: Life,
    /// Of the process that was told of.
    told: Option<u64>,
}

/// A process that writes the counters.
#[derive(Default)]
struct Life {
    view: Option<CountersView>,
    events: Option<u64>,
    /// What was open before the counters were seen to move: what they say then is newer than it.
    open: Vec<String>,
}

impl Standing {
    fn new(journal: &Path) -> Self {
        Self { path: journal.join(FILE_NAME), life: Life::default(), told: None }
    }

    fn look(&mut self, names: &Names, alerts: &Handle) {
        let lives = alerts.pulse().lives;
        if self.told == Some(lives) {
            return;
        }
        if self.told.take().is_some() {
            // The file was made anew: what is mapped is the dead one's.
            self.life = Life::default();
        }
        let Life { view, events, open } = &mut self.life;
        if view.is_none() {
            *view = CountersView::open(&self.path).ok();
        }
        let Some(seen) = view else { return };
        let (taken, held) = (seen.get(Slot::EventsIn), seen.held());
        // Before its first event a process may not have published what it is held by.
        if taken == 0 || events.replace(taken).is_none_or(|before| before == taken) {
            let of_states = alerts.open().into_iter().map(|(key, ..)| key);
            *open = of_states.filter(|key| key.starts_with(STATE)).collect();
            // The file may have been made anew meanwhile, by the next process.
            *view = None;
            return;
        }
        self.told = Some(lives);
        let now = Clock::System.now().0;
        let is_over = |key: &&String| held.iter().all(|(scope, ..)| state_key(names, *scope) != **key);
        open.iter().filter(is_over).for_each(|key| alerts.over(key, "the counters say NORMAL"));
        for (scope, state, control) in held {
            let by = usize::try_from(control).ok().and_then(|at| Control::ALL.get(at)).copied();
            let condition =
                state_of(state).and_then(|state| state_condition(names, scope, state, by, None, now));
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
pub struct Inside {
    alerts: Alerts,
    is_observer_told: bool,
}

/// Channels of the engine's own process, where the configuration wants them: secrets read and nothing started. Before the engine is,
/// for one that cannot be read is no reason to leave a running engine.
pub fn open(section: &Option<AlertsSection>) -> Result<Option<(AlertsSection, Opened)>, Failure> {
    let Some(section) = section else { return Ok(None) };
    let opened = Opened::read(section).map_err(|error| Failure::Wrong(error.to_string()))?;
    Ok(Some((section.clone(), opened)))
}

/// Starts what was opened.
pub fn beside_engine(
    opened: Option<(AlertsSection, Opened)>,
    names: &Names,
    journal: &Path,
) -> Result<Option<Inside>, Failure> {
    let Some((section, opened)) = opened else { return Ok(None) };
    let started = opened.start(watched(&section, names, journal, true));
    let alerts = started.map_err(|error| Failure::Wrong(error.to_string()))?;
    let (handle, names, mut standing) = (alerts.handle(), names.clone(), Standing::new(journal));
    let look = move || {
        while standing.told.is_none() {
            standing.look(&names, &handle);
            std::thread::sleep(LOOK_EVERY * 4);
        }
    };
    let thread = std::thread::Builder::new().name("standing".into()).spawn(look);
    thread.map_err(|error| Failure::wrong("alerts", error))?;
    Ok(Some(Inside { alerts, is_observer_told: false }))
}

impl Inside {
    /// For who shows how the channels fare.
    pub fn handle(&self) -> Handle {
        self.alerts.handle()
    }

    /// The observer is gone though the engine lives: told once.
    pub fn observer_ended(&mut self, over: &Over) {
        if std::mem::replace(&mut self.is_observer_told, true) {
            return;
        }
        let (title, page) = match over.is_mismatch {
            true => ("the engine does not do what its inputs say", "SmcDigestMismatch.md"),
            false => ("nobody observes the engine any more", "SmcObserverDown.md"),
        };
        let text = format!("{}; no metrics of its state, no snapshots, no limits for `smc ctl`", over.reason);
        self.handle().raise_own("engine/observer", Severity::Critical, title, text, page);
    }

    /// The engine thread is gone though nobody asked it to go.
    pub fn engine_ended(&self) {
        let text = "no order and no cancel leaves any more; stops at the venue stand".to_owned();
        let title = "the engine thread has ended by itself";
        self.handle().raise_own("engine/thread", Severity::Critical, title, text, "SmcEngineDown.md");
    }

    /// Tells why the engine has ended, if it was not asked to, and waits a little for what is on its way.
    pub fn end(self, error: Option<&str>) {
        if let Some(error) = error {
            let title = "the engine has ended with an error";
            self.handle().raise_own(
                "engine/ended",
                Severity::Critical,
                title,
                error.into(),
                "SmcEngineDown.md",
            );
        }
        self.alerts.end(FAREWELL);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use smc_core::event::RiskScope;
    use smc_core::words::InstrumentId;
    use smc_runtime::counters::Counters;

    /// Two venues trade the same symbol: what happens to one is not what happens to the other.
    #[test]
    fn one_symbol_at_two_venues_is_two_things() {
        let text = crate::presets::find("demo").unwrap().text;
        let mut file = FileConfig::parse(text).unwrap();
        let mut first = file.instruments.remove(0);
        first.venue = Some("left".into());
        let second = InstrumentSection { venue: Some("right".into()), ..first.clone() };
        file.instruments = vec![first, second];
        let names = names(&file);
        let key = |id| state_key(&names, RiskScope::instrument(InstrumentId(id)));
        assert_ne!(key(0), key(1));
        assert!(key(0).contains("left") && key(1).contains("right"), "{} {}", key(0), key(1));
    }

    #[test]
    fn the_end_of_the_observer_is_told_once_and_a_wrong_digest_by_its_name() {
        let dir = tempfile::tempdir().unwrap();
        let section: AlertsSection =
            toml::from_str("[[channel]]\nkind = \"webhook\"\nurl = \"http://127.0.0.1:1/\"\n").unwrap();
        let opened = open(&Some(section)).unwrap();
        let mut inside = beside_engine(opened, &Names::default(), dir.path()).unwrap().unwrap();
        for (reason, is_mismatch) in [("record 7: the digest", true), ("another", false)] {
            inside.observer_ended(&Over { reason: reason.into(), is_mismatch });
        }
        let told: Vec<_> = inside.handle().open();
        let told = told.iter().find(|(key, ..)| key == "engine/observer").unwrap();
        assert_eq!(
            (told.1, told.2.as_str()),
            (Severity::Critical, "the engine does not do what its inputs say")
        );
        inside.alerts.end(Duration::ZERO);
    }

    /// The next process finds what the last one was held by, and tells it; what was told and is not so any more is over.
    #[test]
    fn each_life_is_looked_at_anew_and_only_when_it_lives() {
        let dir = tempfile::tempdir().unwrap();
        let hook = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let address = hook.local_addr().unwrap();
        let section = format!("[[channel]]\nkind = \"webhook\"\nurl = \"http://{address}/\"\n");
        let section: AlertsSection = toml::from_str(&section).unwrap();
        let names = Names { instruments: vec![("BTCUSDT".into(), 0)], ..Names::default() };
        let watched = watched(&section, &names, dir.path(), false);
        let alerts = Alerts::start(&section, watched).unwrap();
        let handle = alerts.handle();
        let states = || -> Vec<(String, String)> {
            let open = handle.open().into_iter().filter(|(key, ..)| key.starts_with(STATE));
            open.map(|(key, _, title, _)| (key, title)).collect()
        };
        let mut standing = Standing::new(dir.path());
        let counters = Counters::create(&dir.path().join(FILE_NAME)).unwrap();
        let halt = (RiskScope::ENGINE, Control::DailyLoss, TradingState::Halt);
        counters.set_held([halt].into_iter());
        counters.set(Slot::EventsIn, 1);
        standing.look(&names, &handle);
        assert!(states().is_empty(), "nobody has moved yet");
        counters.set(Slot::EventsIn, 2);
        standing.look(&names, &handle);
        let expected = ("state/engine".to_owned(), "engine is HALT by DailyLoss".to_owned());
        assert_eq!(states(), [expected]);
        // As a new process is seen to go on; this time somebody has armed it, and no record says so.
        counters.set_held(std::iter::empty());
        counters.set(Slot::EventsIn, 3);
        standing.look(&names, &handle);
        assert_eq!(states().len(), 1, "told once a life");
        standing.told = Some(u64::MAX);
        for taken in [4, 5] {
            counters.set(Slot::EventsIn, taken);
            standing.look(&names, &handle);
        }
        assert!(states().is_empty(), "{:?}", states());
        alerts.end(Duration::ZERO);
    }
}
