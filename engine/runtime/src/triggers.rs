//! The kill switch for when everything else is broken: a file that appears, or a signal.
//!
//! A thread of its own looks every 20 ms and says `Kill` to the engine. The file is looked at by name alone: whoever may
//! write its directory may stop the engine, with `touch`. While it stands the engine is killed again if anybody armed it.

use crate::control::{Operators, act_event};
use smc_core::event::{Act, Command};
use smc_core::output::TradingState;
use smc_core::words::Name;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

const LOOK_EVERY: Duration = Duration::from_millis(20);

/// What is watched.
pub struct Triggers {
    /// Stands for "stop everything" while it exists.
    pub flag: Option<PathBuf>,
    /// Set by a signal.
    pub signal: Arc<AtomicBool>,
}

impl Triggers {
    /// Looks until `stop`. `state` says how the engine stands.
    pub fn watch(&self, operators: &Operators, state: &impl Fn() -> u64, stop: &AtomicBool) {
        // A kill that was queued and not yet taken is not asked for again.
        let mut asked_for = 0u32;
        while !stop.load(Ordering::Acquire) {
            let is_killed = state() >= TradingState::Halt as u64;
            let is_flagged = self.flag.as_ref().is_some_and(|flag| flag.exists());
            let reason = match (self.signal.load(Ordering::Acquire), is_flagged) {
                (true, _) => Some("signal"),
                (false, true) if !is_killed && asked_for == 0 => Some("flag file"),
                _ => None,
            };
            asked_for = asked_for.saturating_sub(1);
            if let Some(reason) = reason.and_then(Name::new) {
                let act = Act { reason, ..Act::from(Command::Kill) };
                if operators.push(act_event(act)) {
                    self.signal.store(false, Ordering::Release);
                    asked_for = 25;
                }
            }
            std::thread::sleep(LOOK_EVERY);
        }
    }
}
