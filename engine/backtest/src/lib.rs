//! The unchanged engine over history, against an exchange in simulated time.
//!
//! Pure: no thread, file or clock. A run is a function of its market, its configuration and its seed, to the byte.
//!
//! | module | does |
//! |---|---|
//! | [`settings`] | what the exchange is: latency, queues, fees, funding, financing, impact |
//! | [`market`] | history as the exchange saw it, in order |
//! | [`exchange`] | the exchange: our orders between those of the others |
//! | [`simulation`] | the run: who hears what when |
//! | [`outcome`] | what it came to |
#![forbid(unsafe_code)]

pub mod exchange;
pub mod market;
pub mod outcome;
pub mod settings;
pub mod simulation;
mod watch;

pub use market::Market;
pub use outcome::{Costs, Ended, EquityPoint, Outcome, Record, Trade};
pub use settings::VenueSettings;
pub use simulation::{BacktestError, Wanted, fitting_period_ns, run, run_logged, run_recorded};
