//! A strategy of one's own on the engine: the few lines of the module's example, run in the seeded world.

mod engine_harness;

use engine_harness::*;
use smc_core::calendar::{SessionWindow, ZoneOffsets};
use smc_core::config::EngineConfig;
use smc_core::output::*;
use smc_core::state::{State, StateError, StateIo};
use smc_core::strategy::{EntryKind, Intent, Intents, MarketView, Strategy};
use smc_core::words::*;
use smc_core::{Engine, Outbox};

/// The one session of the calendar.
const OPEN: usize = 0;

/// Buys the first fair value gap after a change of character, while the session is open.
#[derive(Default)]
struct FirstGap {
    turn: Option<u32>,
}

impl Strategy for FirstGap {
    fn on_structure(&mut self, view: &MarketView<'_>, said: &Structure, intents: &mut Intents) {
        let Some(smc) = view.structure_of(said.timeframe) else { return };
        match (said.kind, said.direction) {
            (StructureKind::Choch, Direction::Up) if smc.is_in_session(OPEN) => self.turn = Some(said.id),
            (StructureKind::Choch, Direction::Down) => self.turn = None,
            (StructureKind::FvgCreated, Direction::Up) => {
                let Some(turn) = self.turn.take() else { return };
                let (entry, stop) = (said.top, Price(said.bottom.0 - smc.atr().0));
                let target = Price(entry.0 + 2 * (entry.0 - stop.0));
                let expires = TsNs(view.now.0 + 10 * said.timeframe.nanos());
                let entry = Intent::enter(Direction::Up, entry, stop, target, EntryKind::Rest, expires);
                intents.push(entry.because(&[turn, said.id]));
            }
            _ => {}
        }
    }
}

/// All it takes to be saved with the engine.
impl State for FirstGap {
    fn state(&mut self, io: &mut StateIo<'_>) -> Result<(), StateError> {
        io.option(&mut self.turn, || 0, |io, id| io.number(id))
    }
}

fn config_with(open_secs: (u32, u32)) -> EngineConfig {
    let mut config = config();
    config.calendar.sessions = vec![SessionWindow {
        name: name("open"),
        offsets: ZoneOffsets::fixed(0),
        start_secs: open_secs.0,
        end_secs: open_secs.1,
    }];
    config
}

fn run(open_secs: (u32, u32)) -> World<FirstGap> {
    let mut world = World::new(4, config_with(open_secs), FirstGap::default(), Manners::default());
    world.make_ready();
    world.run(40_000);
    world
}

#[test]
fn a_strategy_of_a_few_lines_trades_and_gives_its_reasons() {
    // The world begins at midnight UTC and lasts a little more than an hour.
    let world = run((0, 3_600));
    let outputs: Vec<&Output> = world.outputs().collect();
    let mut signals = 0;
    for (at, output) in outputs.iter().enumerate() {
        let Output::Signal(signal) = output else { continue };
        signals += 1;
        let [turn, gap, rest @ ..] = signal.reasons;
        let was_said = |id, kind| {
            outputs[..at]
                .iter()
                .any(|said| matches!(said, Output::Structure(s) if s.id == id && s.kind == kind))
        };
        assert!(was_said(turn, StructureKind::Choch) && was_said(gap, StructureKind::FvgCreated));
        assert_eq!(rest, [0; REASONS_MAX - 2]);
        assert_eq!(signal.direction, Direction::Up);
    }
    assert!(signals > 3, "{signals}");
    assert!(world.venue.fills > 3, "{} fills", world.venue.fills);
}

#[test]
fn outside_its_session_it_does_nothing() {
    let world = run((12 * 3_600, 13 * 3_600));
    assert_eq!(world.engine.counters().signals, 0);
}

/// A change of character waits for its gap across the restart.
#[test]
fn it_is_saved_with_its_engine() {
    let world = run((0, 3_600));
    let new = || Engine::new(config_with((0, 3_600)), FirstGap::default()).unwrap();
    let (events, mut outbox, mut cuts) = (world.events(), Outbox::new(), Vec::new());
    let mut first = new();
    for (at, event) in events.iter().enumerate() {
        first.on_event(event, &mut outbox);
        outbox.clear();
        let is_near = cuts.last().is_some_and(|last| at < last + 9_000);
        if is_near || first.strategy().turn.is_none() {
            continue;
        }
        cuts.push(at);
        let (mut saved, mut second) = (Vec::new(), new());
        first.save(&mut saved);
        assert_eq!(second.load(&saved), Ok(()));
        assert_eq!(second.strategy().turn, first.strategy().turn);
        for event in &events[at + 1..] {
            second.on_event(event, &mut outbox);
            outbox.clear();
        }
        assert_eq!(second.digest(), world.engine.digest());
    }
    assert!(cuts.len() > 3, "{cuts:?}");
}
