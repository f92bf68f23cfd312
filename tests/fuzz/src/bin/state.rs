//! The whole engine's saved state: a sound one goes on word for word, and no bytes make an engine that a later event
//! can crash.
//!
//! The first byte chooses one of a few engines caught in a storm and what is loaded: its own state, that state with
//! bytes changed, or with bytes of the input from some place on. The rest throws the dice for the events after it.

#![no_main]

use libfuzzer_sys::fuzz_target;
use smc_core::event::Event;
use smc_core::output::Output;
use smc_core::{Engine, Outbox};
use std::cell::RefCell;
use storm::{Dice, Mixed, Storm};

#[path = "../../../../engine/core/tests/engine_storm/mod.rs"]
mod storm;

/// Version and fingerprint, which a loaded state must bear.
const STATE_HEAD: usize = 9;
/// Engines to choose from, and events before they are caught.
const CAUGHT: usize = 8;
const EVENTS_BEFORE: u64 = 600;
/// Events after the load.
const EVENTS_AFTER: usize = 300;

/// One moment of a storm.
struct Caught {
    state: Vec<u8>,
    storm: Storm,
}

thread_local! {
    static CATCHES: Vec<Caught> = (0..CAUGHT as u64).map(catch).collect();
    static OUTBOX: RefCell<Outbox> = RefCell::new(Outbox::new());
}

fuzz_target!(|data: &[u8]| {
    let mut input = Input(data);
    let choice = usize::from(input.byte());
    CATCHES.with(|catches| {
        let Caught { state, storm } = &catches[choice % CAUGHT];
        match choice / CAUGHT % 4 {
            0 => go_on_from(state, storm.clone(), input),
            1 | 2 => {
                let mut state = state.clone();
                for _ in 0..=input.byte() % 8 {
                    let at = STATE_HEAD + usize::from(input.short()) % (state.len() - STATE_HEAD);
                    state[at] = input.byte();
                }
                load_and_run(&state, storm.clone(), input);
            }
            _ => {
                let from = STATE_HEAD + usize::from(input.short()) % (state.len() - STATE_HEAD);
                let len = usize::from(input.byte()).min(input.0.len());
                let (bytes, rest) = input.0.split_at(len);
                let behind = (from + len).min(state.len());
                load_and_run(&[&state[..from], bytes, &state[behind..]].concat(), storm.clone(), Input(rest));
            }
        }
    });
});

fn engine() -> Engine<Mixed> {
    Mixed::engine(storm::rich_config())
}

fn catch(seed: u64) -> Caught {
    let (mut engine, mut storm, mut dice) = (engine(), Storm::default(), Seeded(seed));
    for event in storm.opening() {
        say(&mut engine, &event);
    }
    // Different lengths: some with hardly a bar.
    for _ in 0..EVENTS_BEFORE * (1 + seed % 4 * 3) {
        let event = storm.next(&engine, &mut dice);
        say(&mut engine, &event);
    }
    let mut state = vec![];
    engine.save(&mut state);
    Caught { state, storm }
}

/// The engine that loaded it and one that loaded what that one saved hear the same and say the same.
fn go_on_from(state: &[u8], mut storm: Storm, mut dice: Input<'_>) {
    let (mut first, mut second) = (engine(), engine());
    assert_eq!(first.load(state), Ok(()), "a sound state is refused");
    for nth in 0..EVENTS_AFTER {
        let event = storm.next(&first, &mut dice);
        let said = say(&mut first, &event);
        if nth > EVENTS_AFTER / 2 {
            assert!(say(&mut second, &event) == said, "a snapshot went another way");
        } else if nth == EVENTS_AFTER / 2 {
            let (mut saved, mut again) = (vec![], vec![]);
            first.save(&mut saved);
            assert_eq!(second.load(&saved), Ok(()), "a sound state is refused");
            second.save(&mut again);
            assert!(again == saved, "a state does not read back");
        }
    }
    assert_eq!(first.digest(), second.digest());
}

/// A state that nobody vouches for is refused or runs.
fn load_and_run(state: &[u8], mut storm: Storm, mut dice: Input<'_>) {
    let mut engine = engine();
    if engine.load(state).is_ok() {
        for _ in 0..EVENTS_AFTER {
            let event = storm.next(&engine, &mut dice);
            say(&mut engine, &event);
        }
    }
}

fn say(engine: &mut Engine<Mixed>, event: &Event) -> Vec<Output> {
    OUTBOX.with_borrow_mut(|outbox| {
        engine.on_event(event, outbox);
        outbox.drain().collect()
    })
}

/// SplitMix64.
struct Seeded(u64);

impl Dice for Seeded {
    fn below(&mut self, n: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        (z ^ (z >> 31)) % n
    }
}

/// Bytes, and zeros after their end.
struct Input<'a>(&'a [u8]);

impl Input<'_> {
    fn byte(&mut self) -> u8 {
        let Some((&byte, rest)) = self.0.split_first() else { return 0 };
        self.0 = rest;
        byte
    }

    fn short(&mut self) -> u16 {
        u16::from_le_bytes([self.byte(), self.byte()])
    }
}

impl Dice for Input<'_> {
    fn below(&mut self, n: u64) -> u64 {
        let wide = if n <= 256 {
            u64::from(self.byte())
        } else {
            u64::from(self.short()) << 16 | u64::from(self.short())
        };
        wide % n
    }
}
