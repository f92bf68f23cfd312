//! The engine seen from outside: a second core that follows the journal's tail, and the picture it publishes.
//!
//! An [`Observer`] runs on a thread of its own, behind the engine by as much as it likes; what it knows it has from the
//! journal alone. So asking costs the trading thread nothing, and an observer that is slow, stopped or dead changes
//! nothing. It also checks the live engine (digest by digest) and takes the snapshots.
//!
//! Knows the core, its settings, the journal and replay; no socket, no clock but for how often it publishes.

mod draw;
mod form;
mod limits;
mod names;
mod observer;
pub mod picture;
mod tally;
mod view;

pub use names::Names;
pub use observer::{Observer, ObserverError};
pub use picture::Picture;
pub use view::{Over, View};
