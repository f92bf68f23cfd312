//! The kill switch for when everything else is broken: a file that appears.
//!
//! A thread of its own is woken by the kernel when something appears in the file's directory, looks every 20 ms besides (the
//! directory itself may come and go), and says `Kill` to the engine. The file is looked at by name alone: whoever may write
//! its directory may stop the engine, with `touch`. While it stands the engine is killed again if anybody armed it.
//!
//! The other trigger, a signal, needs no thread: the engine's own looks at its flag before each event.

use crate::control::{Operators, act_event};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::inotify;
use smc_core::event::{Act, Command};
use smc_core::output::TradingState;
use smc_core::words::Name;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

const LOOK_EVERY: Duration = Duration::from_millis(20);
/// Looks after which a kill that was queued and had no effect is said again.
const PATIENCE: u32 = 25;

/// What is watched.
pub struct Triggers {
    /// Stands for "stop everything" while it exists.
    pub flag: Option<PathBuf>,
}

impl Triggers {
    /// Looks until `stop`. `state` says how the engine stands.
    pub fn watch(&self, operators: &Operators, state: &impl Fn() -> u64, stop: &AtomicBool) {
        let Some(flag) = &self.flag else { return };
        let bell = bell(flag);
        // A kill that was queued and not yet taken is not asked for again.
        let mut asked_for = 0u32;
        while !stop.load(Ordering::Acquire) {
            let is_killed = state() >= TradingState::Halt as u64;
            if !is_killed && asked_for == 0 && flag.exists() {
                let reason = Name::new("flag file").unwrap_or(Name::EMPTY);
                let act = Act { reason, ..Act::from(Command::Kill) };
                if operators.push(act_event(act)).is_some() {
                    asked_for = PATIENCE;
                }
            }
            asked_for = asked_for.saturating_sub(1);
            rest(bell.as_ref());
        }
    }
}

/// Rings when something appears in the directory of `flag`; none where the kernel offers none, and looking must do.
fn bell(flag: &Path) -> Option<OwnedFd> {
    let dir = flag.parent().filter(|dir| !dir.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let flags = inotify::CreateFlags::NONBLOCK | inotify::CreateFlags::CLOEXEC;
    let bell = inotify::init(flags).ok()?;
    let what = inotify::WatchFlags::CREATE | inotify::WatchFlags::MOVED_TO;
    inotify::add_watch(&bell, dir, what).ok()?;
    Some(bell)
}

/// Until the bell rings, or for [`LOOK_EVERY`].
fn rest(bell: Option<&OwnedFd>) {
    let Some(bell) = bell else { return std::thread::sleep(LOOK_EVERY) };
    let time = Timespec { tv_sec: 0, tv_nsec: LOOK_EVERY.as_nanos() as i64 };
    let has_rung = poll(&mut [PollFd::new(bell, PollFlags::IN)], Some(&time)).is_ok_and(|ready| ready > 0);
    if has_rung {
        let mut heard = [0; 4_096];
        // What it says does not matter; unread it would ring for ever.
        while rustix::io::read(bell, &mut heard).is_ok_and(|read| read > 0) {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Instant;

    /// How long it takes is printed, not asserted.
    #[test]
    fn a_flag_that_appears_kills_at_once_and_again_when_somebody_arms() {
        let dir = tempfile::tempdir().unwrap();
        let flag = dir.path().join("STOP");
        let (ring, mut heard) = rtrb::RingBuffer::new(8);
        let (operators, stop) = (Operators::new(ring), AtomicBool::new(false));
        let triggers = Triggers { flag: Some(flag.clone()) };
        std::thread::scope(|scope| {
            scope.spawn(|| triggers.watch(&operators, &|| 0, &stop));
            std::thread::sleep(Duration::from_millis(50));
            assert!(heard.is_empty(), "nothing stands there yet");
            let begun = Instant::now();
            std::fs::write(&flag, "").unwrap();
            let mut kill = || loop {
                if let Ok(event) = heard.pop() {
                    break event;
                }
                std::thread::yield_now();
            };
            let smc_core::event::EventBody::Operator(act) = kill().body else { unreachable!() };
            println!("from the flag to the engine's ring: {:?}", begun.elapsed());
            assert_eq!((act.command, act.operator), (Command::Kill, Act::PROCESS));
            assert_eq!(act.reason, Name::new("flag file").unwrap());
            // The state never becomes HALT here: it is said again.
            kill();
            stop.store(true, Ordering::Release);
        });
    }
}
