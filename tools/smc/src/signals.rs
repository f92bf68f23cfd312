//! Ctrl-C and SIGTERM ask for an orderly end, SIGUSR1 for the kill switch, SIGHUP for a new log file.

use std::io::{self, IsTerminal};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

/// Sets `stop` on the first SIGINT or SIGTERM; a second one ends the process at once.
pub fn stop_on_signal(stop: &Arc<AtomicBool>) -> io::Result<()> {
    for signal in [signal_hook::consts::SIGINT, signal_hook::consts::SIGTERM] {
        // In this order: the flag of the first signal arms the exit for the second.
        signal_hook::flag::register_conditional_shutdown(signal, 2, stop.clone())?;
        signal_hook::flag::register(signal, stop.clone())?;
    }
    Ok(())
}

/// Sets `kill` on SIGUSR1: everything is cancelled and nothing is sent until a person arms again.
pub fn kill_on_signal(kill: &Arc<AtomicBool>) -> io::Result<()> {
    signal_hook::flag::register(signal_hook::consts::SIGUSR1, kill.clone()).map(|_| ())
}

/// Sets the flag it gives at each SIGHUP: the log file was renamed. In a terminal the signal says that this was closed, and asks
/// for an orderly end.
pub fn hang_up(stop: &Arc<AtomicBool>) -> io::Result<Arc<AtomicBool>> {
    let told = Arc::new(AtomicBool::new(false));
    let flag = if io::stderr().is_terminal() { stop.clone() } else { told.clone() };
    signal_hook::flag::register(signal_hook::consts::SIGHUP, flag)?;
    Ok(told)
}
