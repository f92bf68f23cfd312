//! Oanda v20: orders and account over REST, and the transaction stream.
//!
//! ```text
//! place, cancel, replace ─► session ─► encode ─► REST, orders' connections   gateway   joins them, reconnects
//!                            │  ▲  └─► questions ─► REST, one connection     session   what to send next (pure)
//!                            │  └─ orders, ledger, rounds, budget, clock     apply     what a transaction means (pure)
//! events ◄── apply ◄── answers, stream ◄── tape ◄── both                     proofs    what became of doubts (pure)
//! ```
//!
//! Promises: an order is sent once and never again under any id; its outcome is reported as the venue proved it, and as
//! unknown until then; a fill is handed on once per transaction; cancels pass when nothing else may.
//!
//! The account's transactions are one rising sequence, and they alone say what happened: over the stream, in the lists that
//! fill its holes, and in the answers to orders. An order never arrived when the venue does not know its name and a list of
//! everything since it was sent does not show it, both asked for when it could not be under way any more.
//!
//! How far the sequence was told without a hole is told too, with every round and between them. A process that goes on from a
//! journal begins there: it lists what came after and tells it in the venue's order before its first round, whatever parts an
//! order has filled in and whether it still works. What the journal had beyond that is known by the numbers of its trades.
//!
//! Stop and target of an entry are given the ids after its own and belong to the trade which its fill opens: they close what
//! is left of that trade, whatever their quantity was, and end with it.
//!
//! Known limits: hedging accounts are refused. Of an entry that fills in several parts, each of which opens a trade, the
//! venue may refuse the stops after the first, whose name they would share. Where a journal does not say how far the account was
//! told (an older one), or the venue does not go back to there, a new process asks about each order by its name: an order that
//! ended more than 5000 transactions before its start and is not found by its name is told as never arrived, and of one that
//! filled in parts only the last is sure to be found; the position of the round that follows tells the difference. Financing of instruments that are not ours is the account's.

mod answers;
mod apply;
mod budget;
#[cfg(test)]
mod chaos_tests;
mod clock;
#[cfg(test)]
mod corpus_tests;
mod describe;
#[cfg(test)]
mod desk;
mod encode;
pub mod errors;
#[cfg(test)]
mod fake;
mod gateway;
#[cfg(test)]
mod gateway_tests;
mod ledger;
pub mod message;
mod orders;
mod proofs;
mod rounds;
mod session;
#[cfg(test)]
mod session_tests;
mod settings;
mod tape;

pub use describe::describe;
#[cfg(feature = "bench")]
pub use encode::encoding;
pub use gateway::OandaGateway;
pub use settings::{
    GatewayCounters, GatewayError, GatewayFatal, GatewayInstrument, GatewaySettings, Recalled, SendError,
};
pub use tape::{Scratch, decode_answer, decode_any, decode_line};
