//! The engine of a wire run, in a process of its own, as in life. The load generator can stop that process while the echo
//! needs its core, and talks to it by lines: `take` gives what was measured since the last `take`, `end` ends it.

use crate::failure::{Failure, Outcome};
use clap::Parser;
use rustix::process::{Pid, Signal, kill_process};
use serde::{Deserialize, Serialize};
use smc_core::event::Command;
use smc_runtime::config::FileConfig;
use smc_runtime::latency::Stretch;
use smc_runtime::launch::{Options, automatic, launch};
use smc_runtime::progress::Progress;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Stdio};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::{Duration, Instant};

/// How long the engine may take to connect and log on.
const START_MAX: Duration = Duration::from_secs(20);
/// The limit on entries without an exit (`repeat_max`) is begun anew so often: fewer than its thousand fit in between.
const ARM_EVERY: Duration = Duration::from_millis(20);
/// How long it may take for an answer.
const ANSWER_MAX: Duration = Duration::from_secs(20);

const CONFIG: &str = "smc.toml";
const JOURNAL: &str = "journal";

/// The engine's side: not for people.
#[derive(Parser)]
pub struct Args {
    /// Holds `smc.toml`; gets the journal
    home: PathBuf,
}

/// What the engine says of a slice.
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct Inside {
    /// Nanoseconds from the return of the read to the sealed order, with how often.
    pub wire_to_wire: Vec<(u64, u64)>,
    /// Measurements that found no room.
    pub lost: u64,
    /// Page faults of the engine's thread since it started.
    pub faults: u64,
    /// How often that thread was pushed off its core.
    pub switches: u64,
}

/// How it ended.
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct Ended {
    /// Why, when not because it was told to.
    pub error: Option<String>,
    /// Orders that left.
    pub orders: u64,
    /// Events that came.
    pub events: u64,
}

/// Runs the engine until it is told to end.
pub fn serve(args: &Args) -> Outcome {
    let path = args.home.join(CONFIG);
    let text = std::fs::read_to_string(&path).map_err(|error| Failure::wrong(path.display(), error))?;
    let config = FileConfig::parse(&text).map_err(|error| Failure::wrong(path.display(), error))?;
    let (topology, idle) = automatic(config.process.topology.as_deref(), config.process.idle.as_deref())
        .map_err(Failure::Wrong)?;
    let progress = Arc::new(Progress::default());
    let options = Options {
        config,
        clock: None,
        journal: args.home.join(JOURNAL),
        control: None,
        topology,
        idle,
        kill: Arc::default(),
        speed: 1.0,
        set_log_level: None,
        progress: progress.clone(),
    };
    let mut running = launch(options).map_err(|error| Failure::Wrong(error.to_string()))?;
    let is_ready =
        || progress.is_started.load(Ordering::Acquire) && progress.gateway_ready.load(Ordering::Acquire);
    while !is_ready() && !running.is_over() {
        std::thread::sleep(Duration::from_millis(1));
    }
    println!("ready");
    let (lines, told) = channel();
    std::thread::spawn(move || std::io::stdin().lines().try_for_each(|line| lines.send(line)).is_ok());
    loop {
        match told.recv_timeout(ARM_EVERY).map(|line| line.unwrap_or_default()).as_deref() {
            // No limit on entries without an exit is loose enough for a load generator: a person would arm again.
            Err(RecvTimeoutError::Timeout) => drop(running.command(Command::Arm)),
            Ok("take") => {
                let latencies = &running.status.latencies;
                let histogram = latencies.take(Stretch::WireToWire);
                let counted = histogram.iter_recorded();
                let wire_to_wire = counted.map(|at| (at.value_iterated_to(), at.count_at_value())).collect();
                let (faults, switches) = own_thread();
                say(&Inside { wire_to_wire, lost: latencies.lost(), faults, switches });
            }
            Ok("end") => break,
            _ => return Err(Failure::No("the load generator is gone".into())),
        }
    }
    let status = running.status.status();
    let ended = running.end().map_err(Failure::No)?;
    say(&Ended { error: ended.error, orders: status.orders_sent, events: status.events_in });
    Ok(())
}

fn say(what: &impl Serialize) {
    println!("{}", serde_json::json!(what));
}

/// Minor page faults, and switches against its will, of the thread called `engine`, as Linux counts them; 0 where it does
/// not say.
fn own_thread() -> (u64, u64) {
    let read = |path: PathBuf| std::fs::read_to_string(path).unwrap_or_default();
    let Ok(tasks) = std::fs::read_dir("/proc/self/task") else { return (0, 0) };
    let mut paths = tasks.filter_map(|task| Some(task.ok()?.path()));
    let Some(engine) = paths.find(|path| read(path.join("comm")).trim() == "engine") else { return (0, 0) };
    // The tenth field; the second is the name in brackets.
    let stat = read(engine.join("stat"));
    let faults = stat.rsplit_once(')').and_then(|(_, rest)| rest.split_whitespace().nth(7)?.parse().ok());
    let status = read(engine.join("status"));
    let switches =
        status.lines().find_map(|line| line.strip_prefix("nonvoluntary_ctxt_switches:")?.trim().parse().ok());
    (faults.unwrap_or_default(), switches.unwrap_or_default())
}

/// The load generator's side.
pub struct Engine {
    child: Child,
    pid: Pid,
    to: ChildStdin,
    from: Receiver<String>,
    home: PathBuf,
}

impl Engine {
    /// Starts it on a configuration. `meanwhile` is called while it connects: somebody has to answer it.
    pub fn start(home: &Path, config: &str, mut meanwhile: impl FnMut()) -> Result<Self, Failure> {
        let fail = |error| Failure::wrong("the engine's process", error);
        std::fs::write(home.join(CONFIG), config).map_err(fail)?;
        let program = std::env::current_exe().map_err(fail)?;
        let mut command = std::process::Command::new(program);
        command.args(["bench", "wire-engine"]).arg(home).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().map_err(fail)?;
        let (Some(to), Some(out)) = (child.stdin.take(), child.stdout.take()) else {
            return Err(Failure::No("the engine's process has no pipes".into()));
        };
        let (lines, from) = channel();
        std::thread::spawn(move || {
            let said = BufReader::new(out).lines().map_while(Result::ok);
            said.for_each(|line| drop(lines.send(line)));
        });
        let pid = Pid::from_child(&child);
        let engine = Self { child, pid, to, from, home: home.to_owned() };
        let started = Instant::now();
        loop {
            meanwhile();
            match engine.from.recv_timeout(Duration::from_micros(50)) {
                Ok(line) if line == "ready" => return Ok(engine),
                Err(RecvTimeoutError::Timeout) if started.elapsed() < START_MAX => {}
                other => return Err(Failure::No(format!("the engine did not start: {other:?}"))),
            }
        }
    }

    /// Where it writes.
    pub fn journal(&self) -> PathBuf {
        self.home.join(JOURNAL)
    }

    /// Takes its core away, until it goes on or is dropped.
    pub fn stop(&self) -> Outcome {
        kill_process(self.pid, Signal::STOP).map_err(|error| Failure::wrong("SIGSTOP", error))
    }

    /// Gives it back.
    pub fn go_on(&self) -> Outcome {
        kill_process(self.pid, Signal::CONT).map_err(|error| Failure::wrong("SIGCONT", error))
    }

    /// What it measured since the last time.
    pub fn take(&mut self) -> Result<Inside, Failure> {
        self.ask("take")
    }

    /// Ends it.
    pub fn end(mut self) -> Result<Ended, Failure> {
        let ended = self.ask("end")?;
        self.child.wait().map_err(|error| Failure::wrong("the engine's process", error))?;
        Ok(ended)
    }

    fn ask<T: for<'a> Deserialize<'a>>(&mut self, what: &str) -> Result<T, Failure> {
        let gone =
            |error: &dyn std::fmt::Display| Failure::No(format!("the engine does not answer: {error}"));
        writeln!(self.to, "{what}").map_err(|error| gone(&error))?;
        let line = self.from.recv_timeout(ANSWER_MAX).map_err(|error| gone(&error))?;
        serde_json::from_str(&line).map_err(|error| gone(&error))
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        // One that has ended by itself is reaped; any other ends here, stopped or not.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
