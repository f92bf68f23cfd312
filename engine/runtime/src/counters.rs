//! Counters in mapped memory: one writer (the engine thread), any number of readers in any process.
//!
//! ```text
//! file `counters.smc`, little-endian u64 slots
//! | magic | version | pid | slot 0 | slot 1 | …
//! ```
//!
//! A plain relaxed store per change; a reader may be slow, late or dead. Slots are independent: a reader may
//! see one newer than another.

use memmap2::{MmapOptions, MmapRaw};
use smc_core::event::{RiskScope, ScopeKind};
use smc_core::output::{Control, TradingState};
use smc_core::risk::{STRATEGIES_MAX, VENUES_MAX};
use smc_journal::{MapWatch, preallocate};
use std::fs::OpenOptions;
use std::io;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};

const MAGIC: u64 = u64::from_le_bytes(*b"SMCcount");
const VERSION: u64 = 3;
const HEADER_SLOTS: usize = 3;
/// Instruments that have slots of their own; later ones are left out of the counters, not of trading.
pub const INSTRUMENTS_MAX: usize = 16;

/// Acts of people whose journal numbers are kept.
pub const ACTS_KEPT: usize = 16;

/// Name of the file in the journal's directory.
pub const FILE_NAME: &str = "counters.smc";

/// What is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(usize)]
#[allow(missing_docs, reason = "the names say it; units are in them")]
pub enum Slot {
    EventsIn = 0,
    OutputsOut,
    JournalSeq,
    LastEventNs,
    State,
    OrdersSent,
    CancelsSent,
    OrdersDenied,
    OpenOrders,
    Fills,
    Signals,
    Structures,
    RealisedE8,
    EquityE8,
    FeedMessages,
    FeedRefused,
    FeedGaps,
    FeedResyncs,
    FeedReconnects,
    GatewayReconnects,
    RingFull,
    FeedLive,
    GatewayReady,
    DigestA,
    DigestB,
    FeesE8,
    /// First of [`INSTRUMENTS_MAX`] positions, signed 1e-8.
    PositionE8,
    /// First of [`INSTRUMENTS_MAX`] last prices, 1e-8.
    LastPriceE8 = Slot::PositionE8 as usize + INSTRUMENTS_MAX,
    /// First of [`INSTRUMENTS_MAX`] instruments' own states: the state, and 256 times the control that holds it.
    InstrumentState = Slot::LastPriceE8 as usize + INSTRUMENTS_MAX,
    /// First of the strategies' states likewise.
    StrategyState = Slot::InstrumentState as usize + INSTRUMENTS_MAX,
    /// First of the venues' states likewise.
    VenueState = Slot::StrategyState as usize + STRATEGIES_MAX,
    /// The engine's own state likewise.
    EngineState = Slot::VenueState as usize + VENUES_MAX,
    /// Acts of people taken, in the order in which they were said.
    ActsTaken = Slot::EngineState as usize + 1,
    /// First of [`ACTS_KEPT`] journal numbers: of the act `n` at `n % ACTS_KEPT`.
    ActSeq = Slot::ActsTaken as usize + 1,
    End = Slot::ActSeq as usize + ACTS_KEPT,
}

const FILE_BYTES: usize = (HEADER_SLOTS + Slot::End as usize) * 8;

/// The writer's end; clones of the reader's end may be made from it.
pub struct Counters {
    /// Whoever cuts the file must not stop the engine. Dropped before the map.
    _watch: MapWatch,
    map: MmapRaw,
}

/// A reader's end.
pub struct CountersView {
    _watch: MapWatch,
    map: MmapRaw,
}

fn slots(map: &MmapRaw) -> &[AtomicU64] {
    // SAFETY: a mapping is page-aligned, hence 8-byte aligned; it is at least FILE_BYTES long (checked when
    // mapped); every bit pattern is a u64; all access, here and in other processes, is atomic; the slice
    // lives no longer than the borrow of the map.
    unsafe { std::slice::from_raw_parts(map.as_mut_ptr().cast(), FILE_BYTES / 8) }
}

impl Counters {
    /// Makes (or makes anew) the file `path`.
    pub fn create(path: &Path) -> io::Result<Self> {
        let file = OpenOptions::new().read(true).write(true).create(true).truncate(true).open(path)?;
        // Reserved, not only long: a store into a hole of a full disk would kill the thread that stores.
        preallocate(&file, FILE_BYTES as u64)?;
        let map = MmapOptions::new().len(FILE_BYTES).map_raw(&file)?;
        let counters = Self { _watch: MapWatch::of(&map), map };
        let header = slots(&counters.map);
        header[1].store(VERSION, Ordering::Relaxed);
        header[2].store(u64::from(std::process::id()), Ordering::Relaxed);
        header[0].store(MAGIC, Ordering::Release);
        Ok(counters)
    }

    /// Stores `value` in the `nth` slot from `slot`.
    pub fn set_nth(&self, slot: Slot, nth: usize, value: u64) {
        slots(&self.map)[HEADER_SLOTS + slot as usize + nth].store(value, Ordering::Relaxed);
    }

    /// Stores `value`.
    pub fn set(&self, slot: Slot, value: u64) {
        self.set_nth(slot, 0, value);
    }

    /// Stores `value` so that whoever reads it by [`CountersView::latest`] also sees all that was stored before.
    pub fn publish(&self, slot: Slot, value: u64) {
        slots(&self.map)[HEADER_SLOTS + slot as usize].store(value, Ordering::Release);
    }

    /// Adds to a slot; only its one writer may.
    pub fn add(&self, slot: Slot, value: u64) {
        let cell = &slots(&self.map)[HEADER_SLOTS + slot as usize];
        cell.store(cell.load(Ordering::Relaxed).wrapping_add(value), Ordering::Relaxed);
    }
}

/// Kinds of scopes with the slots of their states.
const SCOPES: [(ScopeKind, Slot, usize); 4] = [
    (ScopeKind::Engine, Slot::EngineState, 1),
    (ScopeKind::Venue, Slot::VenueState, VENUES_MAX),
    (ScopeKind::Instrument, Slot::InstrumentState, INSTRUMENTS_MAX),
    (ScopeKind::Strategy, Slot::StrategyState, STRATEGIES_MAX),
];

impl Counters {
    /// Publishes which scopes are held down, by what. A reader may see some of the change before the rest.
    pub fn set_held(&self, held: impl Iterator<Item = (RiskScope, Control, TradingState)>) {
        let mut words = [0u64; Slot::End as usize];
        for (scope, control, state) in held {
            let place =
                SCOPES.iter().find(|(kind, _, count)| *kind == scope.kind && usize::from(scope.id) < *count);
            if let Some((_, slot, _)) = place {
                let word = &mut words[*slot as usize + usize::from(scope.id)];
                // Of two that hold one scope the worse.
                if state as u64 > *word % 256 {
                    *word = state as u64 + 256 * control as u64;
                }
            }
        }
        for (_, slot, count) in SCOPES {
            (0..count).for_each(|nth| self.set_nth(slot, nth, words[slot as usize + nth]));
        }
    }
}

impl CountersView {
    /// Scopes that are held down: which, how far, by the control of which number.
    pub fn held(&self) -> Vec<(RiskScope, u64, u64)> {
        let words = SCOPES.iter().flat_map(|(kind, slot, count)| {
            (0..*count).map(move |nth| (RiskScope { kind: *kind, id: nth as u16 }, self.nth(*slot, nth)))
        });
        words.filter(|(_, word)| *word > 0).map(|(scope, word)| (scope, word % 256, word / 256)).collect()
    }

    /// Maps an existing file; refuses what is not a counter file of this version.
    pub fn open(path: &Path) -> io::Result<Self> {
        let file = OpenOptions::new().read(true).open(path)?;
        let map = MmapOptions::new().map_raw_read_only(&file)?;
        let is_ours = map.len() >= FILE_BYTES && {
            let header = slots(&map);
            header[0].load(Ordering::Acquire) == MAGIC && header[1].load(Ordering::Relaxed) == VERSION
        };
        if is_ours {
            Ok(Self { _watch: MapWatch::of(&map), map })
        } else {
            Err(io::Error::other("not a counter file of this version"))
        }
    }

    /// The value of the `nth` slot from `slot`.
    pub fn nth(&self, slot: Slot, nth: usize) -> u64 {
        slots(&self.map)[HEADER_SLOTS + slot as usize + nth].load(Ordering::Relaxed)
    }

    /// The value.
    pub fn get(&self, slot: Slot) -> u64 {
        self.nth(slot, 0)
    }

    /// The value that was [published](Counters::publish) last.
    pub fn latest(&self, slot: Slot) -> u64 {
        slots(&self.map)[HEADER_SLOTS + slot as usize].load(Ordering::Acquire)
    }

    /// The value, signed.
    pub fn signed(&self, slot: Slot) -> i64 {
        self.get(slot) as i64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reader_sees_what_the_writer_stored_and_refuses_strange_files() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join(FILE_NAME);
        let counters = Counters::create(&path).unwrap();
        counters.set(Slot::RealisedE8, (-5i64) as u64);
        counters.add(Slot::EventsIn, 3);
        counters.add(Slot::EventsIn, 4);
        counters.set_nth(Slot::LastPriceE8, INSTRUMENTS_MAX - 1, 9);
        let view = CountersView::open(&path).unwrap();
        assert_eq!((view.signed(Slot::RealisedE8), view.get(Slot::EventsIn)), (-5, 7));
        assert_eq!(view.nth(Slot::LastPriceE8, INSTRUMENTS_MAX - 1), 9);
        std::fs::write(&path, b"short").unwrap();
        assert!(CountersView::open(&path).is_err());
    }
}
