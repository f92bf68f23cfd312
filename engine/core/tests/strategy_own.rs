//! A strategy of one's own on the engine: the few lines of the module's example, run in the seeded world.

mod engine_harness;

use engine_harness::*;
use smc_core::calendar::{SessionWindow, ZoneOffsets};
use smc_core::output::*;
use smc_core::strategy::{EntryKind, Intent, Intents, MarketView, Strategy};
use smc_core::words::*;

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

fn run(open_secs: (u32, u32)) -> World<FirstGap> {
    let mut config = config();
    config.calendar.sessions = vec![SessionWindow {
        name: name("open"),
        offsets: ZoneOffsets::fixed(0),
        start_secs: open_secs.0,
        end_secs: open_secs.1,
    }];
    let mut world = World::new(4, config, FirstGap::default(), Manners::default());
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
