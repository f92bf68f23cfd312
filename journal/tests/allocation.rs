//! The hot path takes no memory, also not when it goes on to the next segment.
#![allow(clippy::unwrap_used)] // helper functions of tests, too

mod common;

use common::{header, settings};
use smc_core::TsNs;
use smc_journal::{AppendError, RecordKind, Tail, Writer};
use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

struct Counting;

thread_local! {
    static COUNT: Cell<u64> = const { Cell::new(0) };
}

// SAFETY: hands every call on to the system's allocator unchanged.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        COUNT.with(|count| count.set(count.get() + 1));
        // SAFETY: as the caller promised.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, at: *mut u8, layout: Layout) {
        COUNT.with(|count| count.set(count.get() + 1));
        // SAFETY: as the caller promised.
        unsafe { System.dealloc(at, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

#[test]
fn append_takes_and_gives_back_no_memory_over_rotations() {
    let dir = tempfile::tempdir().unwrap();
    let mut writer = Writer::create(&settings(dir.path(), 1 << 14), &header()).unwrap();
    let mut tail = Tail::open(dir.path()).unwrap();
    let payload = [7; 128];
    let before = COUNT.get();
    let mut waits = 0u64;
    while writer.segment() < 20 {
        match writer.append(RecordKind::Input, TsNs(1), &payload) {
            Ok(_) => {}
            Err(AppendError::NoSegment) => {
                waits += 1;
                std::thread::yield_now();
            }
            Err(error) => panic!("{error}"),
        }
    }
    assert_eq!(COUNT.get() - before, 0, "{waits} waits");
    while tail.next_seq() < 50 {
        tail.poll().unwrap();
    }
    writer.close().unwrap();
}
