//! Who may do what: the second factor of an operator.
//!
//! Pure: time is an argument, secrets are handed in, nothing is read or kept elsewhere. Lies outside the core because a
//! code decides only whether a command becomes an event; what is journaled is the command.
#![forbid(unsafe_code)]

pub mod totp;

pub use totp::{Hash, Totp, TotpError};
