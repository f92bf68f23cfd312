//! After construction the engine takes no memory: a counting allocator watches every event of a busy run.
#![allow(unsafe_code, reason = "a global allocator cannot be written without")]
#![allow(clippy::unwrap_used, reason = "a test may crash")]

mod engine_harness;
mod engine_storm;

use engine_harness::{Eager, Manners, Rng, World, config, name, world};
use engine_storm::{Dice, Mixed, Storm};
use smc_core::calendar::{SessionWindow, ZoneOffsets};
use smc_core::config::EngineConfig;
use smc_core::event::*;
use smc_core::output::Output;
use smc_core::smc::SmcParams;
use smc_core::strategy::{Confluence, ConfluenceParams, SessionSet, ShiftScope, StopAt, Strategy};
use smc_core::{Engine, Outbox};
use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

impl Dice for Rng {
    fn below(&mut self, n: u64) -> u64 {
        self.next() % n
    }
}

struct Counting;

thread_local! {
    static TAKEN: Cell<u64> = const { Cell::new(0) };
}

// SAFETY: hands every call on to the system's allocator unchanged; counting touches no memory of the caller.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        TAKEN.with(|taken| taken.set(taken.get() + 1));
        // SAFETY: the caller's promise is passed on as it is.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: the caller's promise is passed on as it is.
        unsafe { System.dealloc(pointer, layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        TAKEN.with(|taken| taken.set(taken.get() + 1));
        // SAFETY: the caller's promise is passed on as it is.
        unsafe { System.realloc(pointer, layout, size) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

#[test]
fn no_event_takes_memory() {
    let mut recorded = world(1, Manners { partial: true, ..Manners::default() });
    recorded.run(30_000);
    recorded.command(Command::Kill);
    assert!(recorded.engine.fills() > 0, "a run without trades proves little");
    check(&recorded, config());
}

/// Every kind of sweep, zone and target, sessions and an exit by the clock.
#[test]
fn no_event_takes_memory_with_every_condition_in_use() {
    let window = |text, end_secs| SessionWindow {
        name: name(text),
        offsets: ZoneOffsets::fixed(0),
        start_secs: 0,
        end_secs,
    };
    let mut rich = config();
    rich.smc = SmcParams::everything();
    rich.calendar.sessions = vec![window("all-day", 0), window("half-an-hour", 1_800)];
    rich.strategy = ConfluenceParams {
        entry_sessions: SessionSet::of(0),
        signals_per_session_max: 1_000,
        signals_per_day_max: 1_000,
        exit_sessions: SessionSet::of(1),
        exit_margin_min: 1,
        require_bias: false,
        accept_day_sweeps: true,
        sweep_sessions: SessionSet::of(1),
        accept_higher_sweeps: true,
        require_sweep_in_session: true,
        shift_scope: ShiftScope::Either,
        accept_internal_blocks: true,
        accept_breakers: true,
        accept_inverted_gaps: true,
        accept_ote: true,
        stop_at: StopAt::Sweep,
        target_day: true,
        target_week: true,
        target_sessions: SessionSet::of(1),
        ..ConfluenceParams::default()
    };
    let strategy = Confluence::for_config(&rich);
    let mut recorded = World::new(1, rich.clone(), strategy, Manners::default());
    recorded.make_ready();
    recorded.run(30_000);
    assert!(recorded.engine.fills() > 0, "a run without trades proves little");
    check(&recorded, rich);
}

fn check(recorded: &World<Confluence>, config: EngineConfig) {
    let events = recorded.events();
    let strategy = Confluence::for_config(&config);
    let mut engine = Engine::new(config.clone(), strategy).unwrap();
    let mut outbox = Outbox::new();
    let (first, rest) = events.split_at(events.len() / 3);
    run(&mut engine, &mut outbox, first);
    // The same after a load: it fills the memory that the constructors took, and no less of it.
    let (mut saved, mut loaded) =
        (Vec::new(), Engine::new(config.clone(), Confluence::for_config(&config)).unwrap());
    engine.save(&mut saved);
    loaded.load(&saved).unwrap();
    for engine in [&mut engine, &mut loaded] {
        run(engine, &mut outbox, rest);
        assert_eq!(engine.digest(), recorded.engine.digest());
    }
}

fn run<S: Strategy>(engine: &mut Engine<S>, outbox: &mut Outbox, events: &[Event]) {
    let before = TAKEN.with(Cell::get);
    for event in events {
        engine.on_event(event, outbox);
        outbox.clear();
        let taken = TAKEN.with(Cell::get) - before;
        assert_eq!(taken, 0, "event {} took memory: {:?}", event.seq, event.body);
    }
}

/// Orders of every kind: pairs, replacements, parts, stops that come with their entry.
#[test]
fn no_event_takes_memory_in_a_storm() {
    let new = || Mixed::engine(engine_storm::config());
    let (mut first, mut storm, mut rng, mut outbox) = (new(), Storm::default(), Rng(5), Outbox::new());
    let mut events = storm.opening();
    let mut fed = 0;
    let mut replaced = 0;
    while fed < 60_000 {
        if events.len() == fed {
            events.push(storm.next(&first, &mut rng));
        }
        first.on_event(&events[fed], &mut outbox);
        replaced += outbox.drain().filter(|output| matches!(output, Output::Replace(_))).count();
        fed += 1;
    }
    let counters = first.counters();
    println!("{counters:?} {replaced} replaced");
    assert!(
        counters.fills > 500 && counters.orders_attached > 100 && replaced > 50,
        "{counters:?} {replaced}"
    );
    run(&mut new(), &mut outbox, &events);
}

/// Everything that has room for a certain number is filled to it after the load: orders, their history, trades, the
/// book, balances, the memories of the gate.
#[test]
fn a_loaded_engine_has_room_for_as_much_as_a_new_one() {
    let new = || Engine::new(engine_storm::rich_config(), Eager::new(2, 200)).unwrap();
    let (mut first, mut storm, mut rng, mut outbox) = (new(), Storm::default(), Rng(11), Outbox::new());
    let mut rest = Vec::new();
    for event in storm.opening() {
        first.on_event(&event, &mut outbox);
        outbox.clear();
    }
    let (mut saved, mut second) = (Vec::new(), new());
    for fed in 0..150_000 {
        if fed == 500 {
            first.save(&mut saved);
        }
        let event = if fed % 100 == 50 { storm.balance_of(fed) } else { storm.next(&first, &mut rng) };
        first.on_event(&event, &mut outbox);
        outbox.clear();
        if fed >= 500 {
            rest.push(event);
        }
    }
    let counters = first.counters();
    assert!(counters.orders_sent > 1_500 && counters.fills > 1_200, "{counters:?}");
    second.load(&saved).unwrap();
    run(&mut second, &mut outbox, &rest);
    assert_eq!(second.digest(), first.digest());
}
