//! An engine in a process of its own, as a peer of the simulator's lock step.

use super::protocol::{NO, OVER, READY, Request, YES};
use smc_core::TsNs;
use std::io::{ErrorKind, Read};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Mutex, MutexGuard, PoisonError};
use venue_sim::Peer;

/// Where an engine's process finds what it needs.
pub struct Files {
    /// `swarm-engine`.
    pub program: PathBuf,
    /// Its configuration.
    pub config: PathBuf,
    /// Its journal.
    pub journal: PathBuf,
    /// Where it speaks to us.
    pub socket: PathBuf,
    /// Its standard error.
    pub log: PathBuf,
}

/// One life of an engine.
pub struct Remote(Mutex<Life>);

struct Life {
    child: std::process::Child,
    listener: UnixListener,
    stream: Option<UnixStream>,
    state: State,
    /// Questions about quiet that it still answers before it is killed.
    questions_left: Option<u64>,
    /// Bytes of the simulator's connections before this life.
    base: (u64, u64),
    /// The time that it is to be told with the next question: telling it alone would wake it twice.
    now: Option<TsNs>,
    /// Why it is over.
    why: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Starting,
    Running,
    /// Killed by us.
    Killed,
    /// It ended, or its engine did.
    Over,
}

impl Remote {
    /// Starts one. `base` is what the simulator has sent and received before.
    pub fn start(files: &Files, now: TsNs, base: (u64, u64)) -> std::io::Result<Self> {
        let _ = std::fs::remove_file(&files.socket);
        let listener = UnixListener::bind(&files.socket)?;
        listener.set_nonblocking(true)?;
        let log = std::fs::File::options().create(true).append(true).open(&files.log)?;
        let mut command = Command::new(&files.program);
        command.args([&files.config, &files.journal, &files.socket]).arg(now.0.to_string());
        let child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log).spawn()?;
        let state = State::Starting;
        Ok(Self(Mutex::new(Life {
            child,
            listener,
            stream: None,
            state,
            questions_left: None,
            base,
            now: None,
            why: None,
        })))
    }

    fn life(&self) -> MutexGuard<'_, Life> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Kills it (SIGKILL) once it has been asked so many times whether it is quiet: in the middle of its work.
    pub fn kill_after(&self, questions: u64) {
        self.life().questions_left = Some(questions);
    }

    /// Kills it now, unless that has been done. True when it had been running until here or until it was killed by us.
    pub fn kill(&self) -> bool {
        let mut life = self.life();
        let was_running = matches!(life.state, State::Running | State::Killed);
        // One that still starts as well: it would greet whoever listens for the next.
        if life.state != State::Over {
            life.kill();
        }
        was_running
    }

    /// How it went, when it is gone and not by our hand.
    pub fn is_over(&self) -> Option<String> {
        let mut life = self.life();
        let why = life.why.take().filter(|_| life.state == State::Over)?;
        let _ = life.child.kill();
        Some(format!("{why}; {:?}", life.child.wait()))
    }

    /// Cancels entries; false when it is gone.
    pub fn shutdown(&self) -> bool {
        self.life().ask(Request::Shutdown) == Some(YES)
    }

    /// Throws the kill switch; false when it is gone.
    pub fn kill_switch(&self) -> bool {
        self.life().ask(Request::Kill) == Some(YES)
    }

    /// Lets it say on its standard error how far it is, for a run that hangs.
    pub fn describe(&self) {
        self.life().ask(Request::Describe);
    }

    /// The bytes that count as before it.
    pub fn base(&self) -> (u64, u64) {
        self.life().base
    }

    /// Closes the journal; false when that failed.
    pub fn stop(&self) -> bool {
        let mut life = self.life();
        let is_stopped = life.ask(Request::Stop) == Some(YES);
        life.state = State::Killed;
        is_stopped && life.child.wait().is_ok_and(|status| status.success())
    }
}

impl Drop for Remote {
    fn drop(&mut self) {
        let mut life = self.life();
        let _ = life.child.kill();
        let _ = life.child.wait();
    }
}

impl Life {
    fn kill(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        self.state = State::Killed;
    }

    /// Takes its greeting, if it has come.
    fn hear(&mut self) -> std::io::Result<()> {
        if self.stream.is_none() {
            let (stream, _) = self.listener.accept()?;
            stream.set_nonblocking(true)?;
            self.stream = Some(stream);
        }
        let Some(stream) = &mut self.stream else { return Ok(()) };
        let mut greeting = [0];
        stream.read_exact(&mut greeting)?;
        stream.set_nonblocking(false)?;
        let is_ready = greeting[0] == READY;
        if is_ready {
            self.state = State::Running;
        } else {
            self.over(format!("greeted with {greeting:?}"));
        }
        Ok(())
    }

    fn over(&mut self, why: String) {
        self.state = State::Over;
        self.why.get_or_insert(why);
    }

    fn is_quiet(&mut self, sim_sent: u64, sim_received: u64, question: fn(u64, u64) -> Request) -> bool {
        match self.questions_left {
            Some(0) if self.state == State::Running => self.kill(),
            left => self.questions_left = left.map(|left| left.saturating_sub(1)),
        }
        let (sent, received) = self.base;
        self.ask(question(sim_sent - sent, sim_received - received)) != Some(NO)
    }

    fn ask(&mut self, request: Request) -> Option<u8> {
        let stream = self.stream.as_mut().filter(|_| self.state == State::Running)?;
        let mut answer = [0];
        let told = self.now.take().map_or(Ok(()), |now| Request::Now(now.0).write(stream));
        let asked = told.and_then(|()| request.write(stream)).and_then(|()| stream.read_exact(&mut answer));
        if asked.is_err() || answer[0] == OVER {
            self.over(format!("asked {request:?}: {asked:?}"));
            return None;
        }
        Some(answer[0])
    }
}

impl Peer for Remote {
    fn set_now(&self, now: TsNs) {
        self.life().now = Some(now);
    }

    /// Also when it is gone: the market goes on.
    fn is_started(&self) -> bool {
        let mut life = self.life();
        if life.state != State::Starting {
            return true;
        }
        match life.hear() {
            Err(error) if error.kind() != ErrorKind::WouldBlock => life.over(format!("greeting: {error}")),
            _ => {
                if let Ok(Some(status)) = life.child.try_wait() {
                    life.over(format!("ended before it ran: {status}"));
                }
            }
        }
        life.state != State::Starting
    }

    fn is_quiet(&self, sim_sent: u64, sim_received: u64) -> bool {
        self.life().is_quiet(sim_sent, sim_received, Request::IsQuiet)
    }

    fn is_quiet_but_connecting(&self, sim_sent: u64, sim_received: u64) -> bool {
        self.life().is_quiet(sim_sent, sim_received, Request::IsQuietButConnecting)
    }
}

/// The file's text, for messages.
pub fn told(log: &Path) -> String {
    std::fs::read_to_string(log).unwrap_or_default()
}
