//! The binary under test and the processes that tests start.

use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// Longest wait for anything that must come; far beyond what a busy machine needs.
const PATIENCE: Duration = Duration::from_secs(60);

/// `SMC_BIN`, or the release build in the target directory of this very test.
pub fn binary() -> PathBuf {
    if let Some(path) = std::env::var_os("SMC_BIN") {
        return path.into();
    }
    let test = std::env::current_exe().expect("the path of this test");
    // target/PROFILE/deps/NAME
    let target = test.ancestors().nth(3).expect("a target directory");
    let path = target.join("release").join("smc");
    assert!(path.exists(), "{} is absent: cargo build --release -p smc", path.display());
    path
}

/// A process that has ended.
pub struct Finished {
    /// Exit code; -1 after a signal.
    pub code: i32,
    /// Standard output.
    pub stdout: String,
    /// Standard error.
    pub stderr: String,
}

impl Finished {
    /// The end of standard error, for messages.
    pub fn tail(&self) -> &str {
        let from = self.stderr.len().saturating_sub(2_000);
        self.stderr.get(from..).unwrap_or(&self.stderr)
    }
}

/// Runs `smc` with `args` to its end, standard input empty.
pub fn smc<S: AsRef<std::ffi::OsStr>>(args: &[S]) -> Finished {
    finish(Command::new(binary()).args(args), b"")
}

/// Runs a command to its end with `input` on its standard input.
pub fn finish(command: &mut Command, input: &[u8]) -> Finished {
    use std::io::Write;
    let piped = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = piped.spawn().expect("the process starts");
    let mut stdin = child.stdin.take().expect("piped");
    let output = std::thread::scope(|scope| {
        // A child that has heard enough closes its end.
        scope.spawn(move || drop(stdin.write_all(input)));
        child.wait_with_output().expect("the process ends")
    });
    let text = |bytes| String::from_utf8_lossy(bytes).into_owned();
    Finished {
        code: output.status.code().unwrap_or(-1),
        stdout: text(&output.stdout),
        stderr: text(&output.stderr),
    }
}

/// The one line a refusal consists of.
#[track_caller]
pub fn only_line(done: &Finished) -> &str {
    assert!(!done.stderr.contains("panicked"), "{}", done.stderr);
    let text = done.stderr.trim_end_matches('\n');
    assert!(!text.is_empty() && !text.contains('\n'), "one line was expected: {:?}", done.stderr);
    text
}

/// Waits for what must come sooner or later.
#[track_caller]
pub fn wait_until(what: &str, is_so: impl FnMut() -> bool) {
    wait_until_within(PATIENCE, what, is_so);
}

/// As [`wait_until`], for what takes long.
#[track_caller]
pub fn wait_until_within(patience: Duration, what: &str, mut is_so: impl FnMut() -> bool) {
    let started = Instant::now();
    while !is_so() {
        assert!(started.elapsed() < patience, "waited {patience:?} for: {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// A process that is killed when the test lets go of it.
pub struct Child(std::process::Child);

impl Child {
    /// Starts `smc` with `args`; standard error goes to `log`.
    pub fn smc<S: AsRef<std::ffi::OsStr>>(args: &[S], log: &Path) -> Self {
        Self::start(Command::new(binary()).args(args), log)
    }

    /// Starts `tool` before the words of `smc`: a tracer, say.
    pub fn smc_under<S: AsRef<std::ffi::OsStr>>(tool: &[&str], args: &[S], log: &Path) -> Self {
        let (tool, first) = tool.split_first().expect("a tool");
        Self::start(Command::new(tool).args(first).arg(binary()).args(args), log)
    }

    /// Starts `smc` with `args`; what it prints goes to `log`, all of it.
    pub fn smc_told<S: AsRef<std::ffi::OsStr>>(args: &[S], log: &Path) -> Self {
        let file = std::fs::File::create(log).expect("a log file");
        let also = file.try_clone().expect("a second handle");
        let child = Command::new(binary()).args(args).stdin(Stdio::null()).stdout(file).stderr(also).spawn();
        Self(child.expect("the process starts"))
    }

    /// Sends it a signal.
    pub fn signal(&self, signal: i32) {
        // SAFETY: a signal to a child that is not waited for yet; no memory of ours is involved.
        let told = unsafe { libc::kill(self.id() as i32, signal) };
        assert_eq!(told, 0, "the process takes signals");
    }

    fn start(command: &mut Command, log: &Path) -> Self {
        let log = std::fs::File::create(log).expect("a log file");
        let quiet = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(log);
        Self(quiet.spawn().expect("the process starts"))
    }

    /// Its process id.
    pub fn id(&self) -> u32 {
        self.0.id()
    }

    /// SIGKILL, as a machine that loses its process: nothing is flushed, nobody is told.
    pub fn kill(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }

    /// SIGTERM, then its exit code and standard output.
    pub fn end(mut self) -> (i32, String) {
        // SAFETY: plain system call; the process is our child and not yet waited for, so the id is still its own.
        unsafe { libc::kill(self.0.id() as i32, libc::SIGTERM) };
        let mut text = String::new();
        let mut stdout = self.0.stdout.take().expect("piped");
        stdout.read_to_string(&mut text).expect("text");
        (self.0.wait().expect("it ends").code().unwrap_or(-1), text)
    }

    /// True when it has ended by itself.
    pub fn is_over(&mut self) -> bool {
        !matches!(self.0.try_wait(), Ok(None))
    }

    fn first_line(&mut self) -> String {
        let mut line = String::new();
        let stdout = self.0.stdout.as_mut().expect("piped");
        BufReader::new(stdout).read_line(&mut line).expect("a line");
        line
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        self.kill();
    }
}

/// `smc sim` on a free port, its market following the wall clock.
pub struct SimProcess {
    /// `host:port`.
    pub address: String,
    /// Directory of ca.pem and key.pem.
    pub keys: PathBuf,
    /// Name of the API key.
    pub api_key: String,
    /// File with a line per order request.
    pub audit: PathBuf,
    /// Market seconds per second.
    pub speed: f64,
    child: Child,
}

impl SimProcess {
    /// Starts Binance spot with its files in `home`.
    pub fn start(home: &Path, speed: f64, seed: u64) -> Self {
        Self::of("binance-spot", home, speed, seed)
    }

    /// Starts any venue that `smc sim` knows.
    pub fn of(venue: &str, home: &Path, speed: f64, seed: u64) -> Self {
        std::fs::create_dir_all(home).expect("a directory");
        let (keys, audit) = (home.join("keys"), home.join("audit.log"));
        let path = |path: &Path| path.to_str().expect("UTF-8 path").to_owned();
        let words =
            ["sim", "--venue", venue, "--json", "--listen", "127.0.0.1:0", "--speed"].map(String::from);
        let mut args = words.to_vec();
        args.extend([speed.to_string(), "--seed".into(), seed.to_string(), "--keys".into(), path(&keys)]);
        args.extend(["--audit".into(), path(&audit)]);
        let log = home.join("sim.log");
        let mut child = Child::smc(&args, &log);
        let line = child.first_line();
        let told = std::fs::read_to_string(&log).unwrap_or_default();
        let document: serde_json::Value =
            serde_json::from_str(&line).unwrap_or_else(|error| panic!("smc sim: {error}: {line}{told}"));
        let text = |key: &str| document[key].as_str().expect("text").to_owned();
        Self { address: text("address"), api_key: text("api_key"), keys, audit, speed, child }
    }

    /// Stops it in order and gives the lines of its audit file.
    pub fn end(self) -> Vec<String> {
        let (code, _) = self.child.end();
        assert_eq!(code, 0, "the simulator ends in order");
        let text = std::fs::read_to_string(&self.audit).expect("an audit file");
        text.lines().map(String::from).collect()
    }
}
