//! Tells people when something goes wrong: conditions of an engine, each said once, over channels that cannot hold each other
//! up.
//!
//! ```text
//!  journal ─► Follower ─► Rules ─┐ (thread: reads)        ┌─► queue ─► thread ─► webhook
//!  handed in from outside ───────┴─► Desk ─► notices ─────┼─► queue ─► thread ─► chat
//!  (engine thread ended, …)          once, reminders,     └─► queue ─► thread ─► mail
//!                                    flood limit, over
//! ```
//!
//! Follows the journal as any reader does: in the engine's process or beside it, it costs the engine nothing. What it knows lives
//! in memory; a new process reads the newest segment and says what still holds. [`desk`] and [`rules`] are pure, time is an
//! argument; files, clocks and sockets are in [`follow`], [`run`] and [`channel`].

pub mod channel;
pub mod desk;
pub mod follow;
pub mod notice;
pub mod rules;
pub mod run;
mod secret;

pub use channel::{ChannelState, Fault};
pub use desk::{Condition, Desk, Lasts};
pub use follow::{Pulse, Watched};
pub use notice::{Notice, Phase, Severity};
pub use rules::{Names, STATE, state_condition, state_key};
pub use run::{Alerts, Handle, Opened, StartError, places, test_channels};
