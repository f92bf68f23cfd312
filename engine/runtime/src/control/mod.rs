//! The control port: a Unix socket that speaks one JSON object per line, on a thread of its own. See `docs/control.md`.
//!
//! A request that changes anything becomes an event in the engine's control ring: ordered, journaled, replayed. Its answer comes
//! when the engine has taken it, with the number of its record and the state after it. Reading never touches the hot thread:
//! numbers come from mapped counters, from histograms and from the observer's picture.
//!
//! The kernel says who is at the other end, the configuration what they may do ([`people`]); what takes risk on wants a one-time
//! code besides ([`desk`]); whoever comes through a relay seals each command ([`smc_operator::seal`]).

mod client;
pub mod desk;
pub mod people;
mod port;
pub mod protocol;
mod status;

pub use port::{ControlError, ControlPort, Services, directory_is_ours};
pub use status::{HeldScope, Status, StatusSource, state_name};

use smc_core::event::{Act, Event, EventBody};
use smc_core::{InstrumentId, TsNs};
use std::sync::{Arc, Mutex, PoisonError};

/// The way into the engine for everybody but the hot threads: a ring with a lock, for there are several who may say
/// something and none of them is in a hurry.
#[derive(Clone)]
pub struct Operators(Arc<Mutex<Inlet>>);

struct Inlet {
    ring: rtrb::Producer<Event>,
    pushed: u64,
}

impl Operators {
    /// Over the ring that the engine reads.
    pub fn new(ring: rtrb::Producer<Event>) -> Self {
        Self(Arc::new(Mutex::new(Inlet { ring, pushed: 0 })))
    }

    /// How many have been pushed with this one, by which [`Slot::ActsTaken`](crate::counters::Slot::ActsTaken) tells when it was
    /// taken; none when the ring is full.
    pub fn push(&self, event: Event) -> Option<u64> {
        // Nothing that holds the lock can panic.
        let mut inlet = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        inlet.ring.push(event).ok()?;
        inlet.pushed += 1;
        Some(inlet.pushed)
    }
}

/// The event of an act; the engine thread stamps it.
pub const fn act_event(act: Act) -> Event {
    Event {
        seq: 0,
        ts_event: TsNs(0),
        ts_recv: TsNs(0),
        instrument: InstrumentId::NONE,
        body: EventBody::Operator(act),
    }
}
