//! How a command ends when it does not end well: one clear line, and the exit code people can rely on.

use std::fmt::Display;
use std::process::ExitCode;

/// Why a command failed.
#[derive(Debug)]
pub enum Failure {
    /// The answer is no: verification failed, an order was refused. Exit 1.
    No(String),
    /// Wrong use or bad input. Exit 2.
    Wrong(String),
}

impl Failure {
    /// Wrong use or bad input, told as `subject: reason`.
    pub fn wrong(subject: impl Display, reason: impl Display) -> Self {
        Self::Wrong(format!("{subject}: {reason}"))
    }

    /// Prints the line and gives the exit code.
    pub fn report(&self) -> ExitCode {
        let (text, code) = match self {
            Self::No(text) => (text, 1),
            Self::Wrong(text) => (text, 2),
        };
        if !text.is_empty() {
            eprintln!("smc: {text}");
        }
        ExitCode::from(code)
    }
}

/// What every command gives back.
pub type Outcome = Result<(), Failure>;
