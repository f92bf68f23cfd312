//! What stands around a running engine: a service manager, a log, alerts, a bundle for support; and that no secret is in any
//! of it. The manager is a socket of this test, the channel a web server of it.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a step that fails is a failed test")]

use serde_json::Value;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use tests::{Random, SimProcess, binary, config_text, smc, wait_until};

/// Market seconds per second.
const SPEED: f64 = 20.0;
/// What the manager waits for a word.
const WATCHDOG: Duration = Duration::from_secs(2);

/// Files of an engine.
struct Home {
    dir: tempfile::TempDir,
    sim: SimProcess,
    manager: UnixDatagram,
}

/// An engine that is killed when the test lets go of it.
struct Engine(Child);

impl Drop for Engine {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Engine {
    fn pid(&self) -> i32 {
        self.0.id() as i32
    }

    fn signal(&self, signal: i32) {
        // SAFETY: a signal to a child that is not waited for yet; no memory of ours is involved.
        unsafe { libc::kill(self.pid(), signal) };
    }

    fn code(&mut self) -> Option<i32> {
        self.0.wait().unwrap().code()
    }
}

impl Home {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let sim = SimProcess::start(&dir.path().join("sim"), SPEED, 5);
        let manager = UnixDatagram::bind(dir.path().join("notify")).unwrap();
        manager.set_nonblocking(true).unwrap();
        Self { dir, sim, manager }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn text(&self, name: &str) -> String {
        self.path(name).to_str().unwrap().to_owned()
    }

    fn secret(&self, name: &str, text: &str) {
        std::fs::write(self.path(name), text).unwrap();
        std::fs::set_permissions(self.path(name), std::fs::Permissions::from_mode(0o600)).unwrap();
    }

    fn config(&self, more: &str) {
        std::fs::write(self.path("smc.toml"), config_text(&self.sim, 1, "inline", "yield") + more).unwrap();
    }

    fn files(&self) -> [String; 4] {
        ["--config".into(), self.text("smc.toml"), "--journal".into(), self.text("journal")]
    }

    fn start(&self, log: &str) -> Engine {
        let log = std::fs::File::create(self.path(log)).unwrap();
        let mut command = Command::new(binary());
        command
            .arg("run")
            .args(self.files())
            .args(["--control", &self.text("own/control")])
            .env("NOTIFY_SOCKET", self.path("notify"))
            .env("WATCHDOG_USEC", WATCHDOG.as_micros().to_string())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log);
        Engine(command.spawn().unwrap())
    }

    /// What the manager was told since it was last asked.
    fn told(&self) -> Vec<String> {
        let mut bytes = [0; 1_024];
        std::iter::from_fn(|| {
            self.manager
                .recv(&mut bytes)
                .ok()
                .map(|count| String::from_utf8_lossy(&bytes[..count]).into_owned())
        })
        .collect()
    }

    fn wait_for(&self, word: &str) {
        wait_until(word, || self.told().iter().any(|told| told.lines().any(|line| line == word)));
    }

    /// Words for the watchdog within so long.
    fn beats(&self, within: Duration) -> usize {
        self.told();
        std::thread::sleep(within);
        self.told().iter().filter(|told| told.contains("WATCHDOG=1")).count()
    }
}

/// First line and body of each POST.
type Posts = Arc<Mutex<Vec<(String, String)>>>;

/// Takes POSTs and keeps them.
fn web() -> (u16, Posts) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let (port, kept) = (listener.local_addr().unwrap().port(), Arc::default());
    let ours: Posts = Arc::clone(&kept);
    std::thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let mut reader = BufReader::new(stream.try_clone().unwrap());
            let (mut first, mut line, mut length) = (String::new(), String::new(), 0);
            while reader.read_line(&mut line).unwrap_or(0) > 2 {
                length =
                    line.strip_prefix("Content-Length: ").map_or(length, |text| text.trim().parse().unwrap());
                if first.is_empty() {
                    first.clone_from(&line);
                }
                line.clear();
            }
            let mut body = vec![0; length];
            let _ = reader.read_exact(&mut body);
            ours.lock().unwrap().push((first, String::from_utf8_lossy(&body).into_owned()));
            let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
        }
    });
    (port, kept)
}

/// The engine thread alone is stopped, as a debugger does it: the process lives, answers, and is not vouched for.
#[test]
fn ready_is_told_once_orders_can_be_sent_and_a_hung_engine_thread_is_not_vouched_for() {
    let home = Home::new();
    home.config("");
    let mut engine = home.start("err");
    home.wait_for("READY=1");
    let said = std::fs::read_to_string(home.path("err")).unwrap();
    assert!(said.contains("smc: ready; journal "), "{said}");
    assert!(home.beats(WATCHDOG) >= 2, "four words in the time that the manager waits");

    let tid =
        std::fs::read_dir(format!("/proc/{}/task", engine.pid())).unwrap().flatten().find_map(|entry| {
            let name = std::fs::read_to_string(entry.path().join("comm")).ok()?;
            (name.trim() == "engine").then(|| entry.file_name().to_string_lossy().parse::<i32>().ok())?
        });
    let tid = tid.expect("a thread called engine");
    let nothing = std::ptr::null_mut::<libc::c_void>();
    // SAFETY: these calls name a thread of our child and take no memory of ours.
    let seized = unsafe { libc::ptrace(libc::PTRACE_SEIZE, tid, nothing, nothing) };
    if seized == 0 {
        let mut status = 0;
        // SAFETY: as above; the status is ours.
        unsafe {
            libc::ptrace(libc::PTRACE_INTERRUPT, tid, nothing, nothing);
            libc::waitpid(tid, &raw mut status, libc::__WALL);
        }
        // One look may still see what was taken before.
        std::thread::sleep(WATCHDOG / 2);
        assert_eq!(home.beats(WATCHDOG), 0, "the engine thread stands still");
        // SAFETY: as above.
        unsafe { libc::ptrace(libc::PTRACE_DETACH, tid, nothing, nothing) };
        home.wait_for("WATCHDOG=1");
    } else {
        println!("skipped: tracing is not permitted here");
    }
    engine.signal(libc::SIGSTOP);
    std::thread::sleep(Duration::from_millis(200));
    assert_eq!(home.beats(WATCHDOG), 0);
    engine.signal(libc::SIGCONT);
    home.wait_for("WATCHDOG=1");
    engine.signal(libc::SIGTERM);
    home.wait_for("STOPPING=1");
    assert_eq!(engine.code(), Some(0));
}

/// T7: signals in any number and a kill in the middle of the end leave what the next start goes on from.
#[test]
fn t07_a_second_signal_or_a_kill_during_the_end_leaves_what_goes_on() {
    let home = Home::new();
    home.config("");
    let mut random = Random::from_env(3);
    for round in 0..6 {
        let log = format!("err-{round}");
        let mut engine = home.start(&log);
        home.wait_for("READY=1");
        std::thread::sleep(Duration::from_millis(300 + random.below(500)));
        engine.signal(libc::SIGTERM);
        std::thread::sleep(Duration::from_millis(random.below(120)));
        match round % 3 {
            0 => engine.signal(libc::SIGTERM),
            1 => engine.signal(libc::SIGKILL),
            _ => {
                (0..50).for_each(|nth| engine.signal(if nth % 2 == 0 { libc::SIGHUP } else { libc::SIGTERM }))
            }
        }
        let code = engine.code();
        let said = std::fs::read_to_string(home.path(&log)).unwrap();
        assert!(!said.contains("panicked"), "{said}");
        assert!(matches!(code, None | Some(0 | 2)), "{code:?}: {said}");
        if round > 0 {
            assert!(said.contains("continuing a journal; records "), "{said}");
        }
    }
    let mut engine = home.start("last");
    home.wait_for("READY=1");
    engine.signal(libc::SIGTERM);
    assert_eq!(engine.code(), Some(0));
    let done = smc(&["replay", "--verify", &home.text("journal")]);
    assert_eq!(done.code, 0, "{}{}", done.stdout, done.tail());
}

/// Planted secrets are in no log, journal, message on standard error, or bundle; what people are to see is.
#[test]
fn a_kill_is_told_and_planted_secrets_are_nowhere() {
    let home = Home::new();
    let (port, kept) = web();
    let totp = "CANARYCANARYCANARYCANARY";
    home.secret("totp", totp);
    home.secret("hook", "canary-shared-secret");
    home.secret("bot", "4711:canary-bot-token");
    let alerts = format!(
        r#"log = "json"
log_file = "{0}/smc.log"
log_level = "trace"
totp_file = "{0}/totp"

# canary-in-a-comment
[alerts]
[[alerts.channel]]
kind = "webhook"
url = "http://127.0.0.1:{port}/canary-path"
secret_file = "{0}/hook"
[[alerts.channel]]
kind = "telegram"
url = "http://127.0.0.1:{port}"
token_file = "{0}/bot"
chat_id = "canary-chat"
"#,
        home.dir.path().display()
    );
    home.config(&alerts);
    let mut engine = home.start("err");
    home.wait_for("READY=1");
    let killed = Instant::now();
    engine.signal(libc::SIGUSR1);
    let told = |phrase: &str, path: &str| {
        kept.lock().unwrap().iter().any(|(first, body)| first.contains(path) && body.contains(phrase))
    };
    wait_until("the kill reaches the hook", || told("state/engine", "/canary-path"));
    wait_until("the kill reaches the chat", || told("state/engine", "/bot4711:"));
    println!("from the signal to both channels: {} ms", killed.elapsed().as_millis());

    // Another hand renames the log.
    std::fs::rename(home.path("smc.log"), home.path("smc.log.old")).unwrap();
    engine.signal(libc::SIGHUP);
    wait_until("the log is opened anew", || home.path("smc.log").exists());
    let bundle = |name: &str| {
        let out = home.text(name);
        let done = smc(&[
            &["support-bundle".to_owned()],
            &home.files()[..],
            &["--out".to_owned(), out, "--raw".to_owned()],
        ]
        .concat());
        assert_eq!(done.code, 0, "{}", done.tail());
        done.stdout + &done.stderr
    };
    let mut said = bundle("live.zip");
    let doctor = smc(&[&["doctor".to_owned(), "--json".to_owned()], &home.files()[..]].concat());
    let findings: Value = serde_json::from_str(&doctor.stdout).expect("one document");
    let verdict = |what: &str| {
        findings["findings"].as_array().unwrap().iter().find(|row| row["what"] == what).unwrap()["verdict"]
            .clone()
    };
    assert_eq!(
        (verdict("config"), verdict("chain"), verdict("secret")),
        ("ok".into(), "ok".into(), "ok".into())
    );
    said.push_str(&(doctor.stdout + &doctor.stderr));
    engine.signal(libc::SIGTERM);
    assert_eq!(engine.code(), Some(0));
    said.push_str(&bundle("dead.zip"));

    let key = std::fs::read_to_string(home.sim.keys.join("key.pem")).unwrap();
    let key_line = key.lines().find(|line| line.len() > 20 && !line.starts_with('-')).unwrap();
    let canaries = [totp, "canary", &home.sim.api_key, key_line].map(str::as_bytes);
    let check = |name: &str, bytes: &[u8]| {
        for canary in canaries {
            let is_there = bytes.windows(canary.len()).any(|window| window == canary);
            assert!(!is_there, "{} is in {name}", String::from_utf8_lossy(canary));
        }
    };
    check("what was printed", said.as_bytes());
    check_files(&home, &check);
    let mut names = Vec::new();
    for bundle in ["live.zip", "dead.zip"] {
        let mut zip = zip::ZipArchive::new(std::fs::File::open(home.path(bundle)).unwrap()).unwrap();
        for nth in 0..zip.len() {
            let mut file = zip.by_index(nth).unwrap();
            let (name, mut bytes) = (file.name().unwrap().into_owned(), Vec::new());
            file.read_to_end(&mut bytes).unwrap();
            // The log was opened anew a moment ago.
            assert!(!bytes.is_empty() || name == "log.txt", "{name}");
            check(&name, &bytes);
            names.push(name);
        }
    }
    for wanted in ["version.txt", "config.toml", "counters.json", "doctor.txt", "journal.txt", "log.txt"] {
        assert_eq!(names.iter().filter(|name| *name == wanted).count(), 2, "{names:?}");
    }
    assert!(names.iter().any(|name| name.starts_with("journal/0")), "{names:?}");
    let lines = std::fs::read_to_string(home.path("smc.log.old")).unwrap();
    let ready = lines.lines().map(|line| serde_json::from_str::<Value>(line).expect("JSON lines"));
    assert!(
        ready.into_iter().any(|line| line["message"] == "ready" && line["fields"]["journal"].is_string())
    );
}

fn check_files(home: &Home, check: &impl Fn(&str, &[u8])) {
    let of =
        |dir: &Path| std::fs::read_dir(dir).unwrap().flatten().map(|entry| entry.path()).collect::<Vec<_>>();
    let own = ["smc.log", "smc.log.old", "err"].map(|name| home.path(name));
    let mut count = 0;
    for path in of(&home.path("journal")).into_iter().chain(own).filter(|path| path.is_file()) {
        check(&path.display().to_string(), &std::fs::read(&path).unwrap());
        count += 1;
    }
    assert!(count >= 5, "the journal, its counters, the log and standard error were looked at");
}
