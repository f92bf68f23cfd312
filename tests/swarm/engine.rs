//! `swarm-engine CONFIG JOURNAL SOCKET NOW`: the engine as the swarm runs it, at a time that the swarm tells.
//!
//! Says on the socket that it runs, then does what it is told; killed at any moment, as a test of that should be.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a process that cannot start is a failed run")]

use smc_core::TsNs;
use smc_core::event::Command;
use smc_runtime::clock::Clock;
use smc_runtime::config::FileConfig;
use smc_runtime::launch::{Options, automatic, launch};
use smc_runtime::progress::Progress;
use std::io::Write;
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use tests::swarm::protocol::{NO, OVER, READY, Request, YES};

/// Looks at the threads before "not yet" is said, each a chance for them to get on.
const LOOKS: u32 = 30;

fn main() {
    let args: Vec<String> = std::env::args().collect();
    let [_, config, journal, socket, now] = args.as_slice() else { panic!("CONFIG JOURNAL SOCKET NOW") };
    let mut swarm = UnixStream::connect(socket).expect("the swarm listens");
    let config = FileConfig::parse(&std::fs::read_to_string(config).unwrap()).unwrap();
    let (clock, handle) = Clock::virtual_at(TsNs(now.parse().unwrap()));
    let topology = config.process.topology.clone();
    let (topology, idle) = automatic(topology.as_deref(), Some("yield")).unwrap();
    let progress = Arc::new(Progress::default());
    let options = Options {
        config,
        clock: Some(clock),
        journal: journal.into(),
        control: None,
        topology,
        idle,
        kill: Arc::default(),
        speed: 1.0,
        set_log_level: None,
        progress: progress.clone(),
    };
    let mut running = launch(options).unwrap_or_else(|error| panic!("{error}"));
    swarm.write_all(&[READY]).unwrap();
    let (received, sent) = running.preamble;
    while let Ok(request) = Request::read(&mut swarm) {
        let answer = match request {
            Request::Now(now) => {
                handle.store(now, Ordering::Release);
                continue;
            }
            Request::IsQuiet(to_us, from_us) | Request::IsQuietButConnecting(to_us, from_us) => {
                let now = TsNs(handle.load(Ordering::Acquire));
                let (to_us, from_us) = (to_us.saturating_sub(received), from_us.saturating_sub(sent));
                let is_quiet = || match request {
                    Request::IsQuiet(..) => progress.is_quiet(now, to_us, from_us),
                    _ => is_quiet_but_connecting(&progress, now, to_us, from_us),
                };
                // What it has said and the swarm has not read: no look will find it quiet.
                let is_unread = || progress.feed.read().sent + progress.gateway.read().sent > from_us;
                let mut is_quiet_now = false;
                for _ in 0..LOOKS {
                    is_quiet_now = is_quiet();
                    if is_quiet_now || is_unread() {
                        break;
                    }
                    std::thread::yield_now();
                }
                if progress.is_over.load(Ordering::Acquire) {
                    eprintln!("over: {:?}", running.stop());
                    let _ = swarm.write_all(&[OVER]);
                    return;
                } else if is_quiet_now {
                    YES
                } else {
                    NO
                }
            }
            Request::Shutdown => {
                if running.command(Command::Shutdown) {
                    YES
                } else {
                    NO
                }
            }
            Request::Kill => {
                if running.command(Command::Kill) {
                    YES
                } else {
                    NO
                }
            }
            Request::Describe => {
                eprintln!("{}; preamble {received} received, {sent} sent", progress.describe());
                YES
            }
            Request::Stop => {
                let ended = running.stop();
                let is_good = ended.as_ref().is_ok_and(|ended| ended.error.is_none());
                if !is_good {
                    eprintln!("{ended:?}");
                }
                swarm.write_all(&[if is_good { YES } else { NO }]).unwrap();
                return;
            }
        };
        if swarm.write_all(&[answer]).is_err() {
            return;
        }
    }
}

/// As [`Progress::is_quiet`], whatever is being connected.
fn is_quiet_but_connecting(progress: &Progress, now: TsNs, to_us: u64, from_us: u64) -> bool {
    let (feed, gateway, engine) = (progress.feed.read(), progress.gateway.read(), progress.engine.read());
    [feed.now, gateway.now, engine.now] == [now.0; 3]
        && feed.received + gateway.received == to_us
        && engine.popped == [feed.pushed, gateway.pushed, progress.commands.load(Ordering::Acquire)]
        && gateway.popped[0] == engine.pushed
        && feed.sent + gateway.sent == from_us
}
