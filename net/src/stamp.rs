//! When this thread last took bytes from a socket, and when it last had bytes ready for one.
//!
//! For latency figures alone: nothing decides by them. Kept by thread and not by connection, so that whoever handles a
//! message need not know which connection brought it.

use std::cell::Cell;
use std::sync::OnceLock;
use std::time::Instant;

thread_local! {
    static RECEIVED_AT: Cell<u64> = const { Cell::new(0) };
    static SEALED_AT: Cell<u64> = const { Cell::new(0) };
}

/// Monotonic nanoseconds since the process first asked; what latencies are differences of.
#[inline]
pub fn mono_ns() -> u64 {
    static START: OnceLock<Instant> = OnceLock::new();
    let start = START.get_or_init(Instant::now);
    u64::try_from(start.elapsed().as_nanos()).unwrap_or(u64::MAX)
}

/// [`mono_ns`] at which a read of a socket last brought this thread bytes, before anything was done with them; 0 before
/// the first.
#[inline]
pub fn received_at() -> u64 {
    RECEIVED_AT.get()
}

/// [`mono_ns`] at which this thread last had a message sealed, before it was given to the socket; 0 before the first.
#[inline]
pub fn sealed_at() -> u64 {
    SEALED_AT.get()
}

#[inline]
pub(crate) fn received() {
    RECEIVED_AT.set(mono_ns());
}

#[inline]
pub(crate) fn sealed() {
    SEALED_AT.set(mono_ns());
}
