//! `smc detect` as a library: its flags, and what it does with them. Writes only where it is told.

mod args;
mod kinds;
mod picture;
mod run;
mod settings;
mod sinks;
mod summary;

pub use args::Args;
pub use run::run;

/// Why it ended: one line that names the file and, where one is to blame, the line. Wrong use or bad input.
#[derive(Debug, PartialEq, Eq)]
pub struct Failure(pub String);

impl std::fmt::Display for Failure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Failure {}

fn failure(subject: impl std::fmt::Display, reason: impl std::fmt::Display) -> Failure {
    Failure(format!("{subject}: {reason}"))
}
