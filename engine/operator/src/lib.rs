//! Who may do what: roles, the second factor of an operator, and commands that come sealed from afar.
//!
//! Pure: time and chance are arguments, secrets are handed in, nothing is read or kept elsewhere. Lies outside the core because
//! all of it decides only whether a command becomes an event; what is journaled is the command.
#![forbid(unsafe_code)]

pub mod guesses;
pub mod role;
pub mod seal;
pub mod totp;

pub use guesses::Guesses;
pub use role::{Role, Roles};
pub use seal::{Challenge, Seal, SealError};
pub use totp::{Hash, Totp, TotpError};
