//! The swarm: a faulty simulated venue in this process, the real engine in a process of its own, in lock step, and a
//! checker that believes neither.
//!
//! ```text
//!   this process                                    the engine's process (`swarm-engine`)
//!   Sim with a fault plan  ══ TLS on loopback ══►   launch(): feed, engine, gateway, journal
//!   remote::Remote         ── Unix socket ──────►   the time; is everybody quiet; the end
//!        │ kill -9, start again
//!        ▼
//!   truth of the venue ─► checker ◄─ journal
//! ```
//!
//! Market time moves only when the engine has dealt with everything before, so a seed gives the same market, the same
//! faults and, but for the moment of a kill, the same run.

mod at;
mod checker;
pub mod protocol;
mod remote;
pub mod rows;
mod run;
mod story;

pub use at::At;
pub use checker::{Evidence, HAND, check};
pub use run::{Outcome, Scene, run};
pub use story::{Fate, Story, Told, Witness};
