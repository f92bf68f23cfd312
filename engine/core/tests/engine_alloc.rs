//! After construction the engine takes no memory: a counting allocator watches every event of a busy run.
#![allow(unsafe_code, reason = "a global allocator cannot be written without")]

mod engine_harness;

use engine_harness::*;
use smc_core::event::*;
use smc_core::{Engine, Outbox};
use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

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
    let events = recorded.events();

    let config = config();
    let strategy = confluence(&config);
    let mut engine = Engine::new(config, strategy).unwrap();
    let mut outbox = Outbox::new();
    let before = TAKEN.with(Cell::get);
    for event in &events {
        engine.on_event(event, &mut outbox);
        outbox.clear();
        let taken = TAKEN.with(Cell::get) - before;
        assert_eq!(taken, 0, "event {} took memory: {:?}", event.seq, event.body);
    }
    assert_eq!(engine.digest(), recorded.engine.digest());
}
