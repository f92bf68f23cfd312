//! The operator's hand on a running engine: the control socket answers, `kill` stops trading while the market goes
//! on, nonsense does no harm, and nobody else gets in.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "helpers of a test fail it")]

use serde_json::Value;
use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::time::Duration;
use tests::{Child, SimProcess, binary, config_text, finish, only_line, records_of, smc, wait_until};

/// A simulator and engines that trade often.
struct Bench {
    home: tempfile::TempDir,
    sim: SimProcess,
}

struct Engine {
    child: Child,
    socket: PathBuf,
    journal: PathBuf,
}

impl Bench {
    fn new() -> Self {
        let home = tempfile::tempdir().unwrap();
        let sim = SimProcess::start(&home.path().join("sim"), 60.0, 5);
        Self { home, sim }
    }

    /// Words that run an engine with this instance number.
    fn words(&self, instance: u16, topology: &str, socket: &Path) -> (Vec<String>, PathBuf) {
        let path = |name: &str| self.home.path().join(format!("{name}-{instance}"));
        let (config, journal) = (path("config.toml"), path("journal"));
        std::fs::write(&config, config_text(&self.sim, instance, topology, "yield")).unwrap();
        let text = |path: &Path| path.to_str().unwrap().to_owned();
        let words =
            ["run", "--config", &text(&config), "--journal", &text(&journal), "--control", &text(socket)];
        (words.map(String::from).to_vec(), journal)
    }

    fn start(&self, instance: u16, topology: &str) -> Engine {
        let socket = self.home.path().join(format!("own-{instance}")).join("control.sock");
        self.start_at(instance, topology, socket)
    }

    fn start_at(&self, instance: u16, topology: &str, socket: PathBuf) -> Engine {
        let (words, journal) = self.words(instance, topology, &socket);
        let log = self.home.path().join(format!("log-{instance}"));
        let mut child = Child::smc(&words, &log);
        wait_until("the engine answers", || {
            assert!(!child.is_over(), "{}", std::fs::read_to_string(&log).unwrap_or_default());
            UnixStream::connect(&socket).is_ok()
        });
        Engine { child, socket, journal }
    }
}

impl Engine {
    fn ctl(&self, action: &str) -> Value {
        let done = smc(&["ctl", action, "--json", "--socket", self.socket.to_str().unwrap()]);
        assert_eq!((done.code, done.stderr.as_str()), (0, ""), "{action}: {}", done.stdout);
        serde_json::from_str(&done.stdout).unwrap()
    }

    /// With words of one's own.
    fn ask(&self, words: &[&str]) -> Value {
        let all: Vec<&str> =
            ["ctl"].iter().chain(words).copied().chain(["--json", "--socket", self.socket()]).collect();
        let done = smc(&all);
        assert_eq!((done.code, done.stderr.as_str()), (0, ""), "{words:?}: {}", done.stdout);
        serde_json::from_str(&done.stdout).unwrap()
    }

    fn socket(&self) -> &str {
        self.socket.to_str().unwrap()
    }

    fn number(&self, key: &str) -> u64 {
        let status = self.ctl("status");
        status[key].as_u64().unwrap_or_else(|| panic!("{key}: {status}"))
    }

    /// Sends bytes, says that no more will come, and reads until the other end closes or is silent.
    fn say(&self, bytes: &[u8]) -> String {
        let mut stream = UnixStream::connect(&self.socket).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(2))).unwrap();
        // An engine that has heard enough closes while we still write.
        let _ = stream.write_all(bytes);
        let mut answer = String::new();
        let _ = BufReader::new(stream).read_line(&mut answer);
        answer
    }

    /// Ends it in order; its journal must replay.
    fn end(self) {
        let (code, _) = self.child.end();
        assert_eq!(code, 0);
        let done = smc(&["replay", "--verify", self.journal.to_str().unwrap()]);
        assert_eq!(done.code, 0, "{}{}", done.stdout, done.stderr);
    }
}

#[test]
fn status_says_what_the_design_promises() {
    let bench = Bench::new();
    let engine = bench.start(1, "pipelined");
    wait_until("orders", || engine.number("orders_sent") > 3);
    let status = engine.ctl("status");
    let states = ["NORMAL", "WARN", "REDUCE_ONLY", "CANCEL_ONLY", "HALT"];
    assert!(states.contains(&status["state"].as_str().unwrap()), "{status}");
    for key in ["seq", "orders_sent", "open_orders"] {
        assert!(status[key].is_u64(), "{key}: {status}");
    }
    assert!(status["positions"]["BTCUSDT"].is_string(), "{status}");
    assert!(status["equity"].as_str().unwrap().parse::<f64>().unwrap() > 0.0, "{status}");
    let wire = &status["latency_ns"]["wire_to_wire"];
    for key in ["p50", "p99", "p999", "max", "count"] {
        assert!(wire[key].is_u64(), "{key}: {status}");
    }
    let seq = engine.number("seq");
    wait_until("the journal goes on", || engine.number("seq") > seq);
    let table = smc(&["ctl", "status", "--socket", engine.socket.to_str().unwrap()]);
    assert!(table.stdout.contains("NORMAL") && table.stdout.contains("BTCUSDT"), "{}", table.stdout);
    engine.end();
}

#[test]
fn kill_halts_trading_while_the_market_goes_on() {
    let bench = Bench::new();
    for (instance, topology) in [(11, "inline"), (12, "pipelined")] {
        let engine = bench.start(instance, topology);
        wait_until("orders", || engine.number("orders_sent") > 3);
        assert_eq!(engine.ctl("kill")["ok"], true);
        wait_until("HALT", || engine.ctl("status")["state"] == "HALT");
        let (orders, events) = (engine.number("orders_sent"), engine.number("events_in"));
        wait_until("the market goes on", || engine.number("events_in") > events + 3_000);
        assert_eq!(engine.number("orders_sent"), orders, "{topology}: an order after the kill");
        wait_until("nothing works any more", || engine.number("open_orders") == 0);
        // Resume is for a pause; a halt wants to be armed again.
        engine.ctl("resume");
        let events = engine.number("events_in");
        wait_until("the market goes on", || engine.number("events_in") > events + 500);
        assert_eq!(engine.ctl("status")["state"], "HALT");
        engine.ctl("arm");
        wait_until("armed", || engine.ctl("status")["state"] != "HALT");
        engine.end();
    }
}

#[test]
fn pause_and_resume_are_events_of_the_journal() {
    let bench = Bench::new();
    let engine = bench.start(21, "inline");
    wait_until("orders", || engine.number("orders_sent") > 0);
    engine.ctl("pause");
    wait_until("paused", || engine.ctl("status")["state"] != "NORMAL");
    engine.ctl("resume");
    wait_until("resumed", || engine.ctl("status")["state"] == "NORMAL");
    let journal = engine.journal.clone();
    engine.end();
    let dump = smc(&["journal", "dump", "--kind", "input", journal.to_str().unwrap()]);
    for command in ["command: Pause", "command: Resume", "command: Shutdown"] {
        assert_eq!(dump.stdout.matches(command).count(), 1, "{command}");
    }
    assert!(!records_of(&journal).is_empty());
}

/// K1 to K3: one part is killed, the rest goes on; `status` says which, and by whom.
#[test]
fn a_part_can_be_killed_by_itself_and_armed_again() {
    let bench = Bench::new();
    let engine = bench.start(31, "inline");
    wait_until("orders", || engine.number("orders_sent") > 0);
    for scope in ["strategy 1", "instrument BTCUSDT", "venue 0"] {
        engine.ask(&["kill", "--scope", scope, "--reason", "drill"]);
        let held = |engine: &Engine| engine.ctl("status")["held"].clone();
        wait_until("held", || held(&engine).as_array().unwrap().iter().any(|held| held["scope"] == scope));
        let all = held(&engine);
        let one = all.as_array().unwrap().iter().find(|held| held["scope"] == scope).unwrap();
        assert_eq!((&one["state"], &one["control"]), (&"HALT".into(), &"operator".into()), "{all}");
        assert_ne!(engine.ctl("status")["state"], "HALT", "the engine itself goes on");
        let orders = engine.number("orders_sent");
        wait_until("nothing works any more", || engine.number("open_orders") == 0);
        let events = engine.number("events_in");
        wait_until("the market goes on", || engine.number("events_in") > events + 1_000);
        assert_eq!(engine.number("orders_sent"), orders, "{scope}");
        engine.ask(&["arm", "--scope", scope]);
        wait_until("armed", || !held(&engine).as_array().unwrap().iter().any(|held| held["scope"] == scope));
    }
    let done = smc(&["ctl", "set-limit", "speed", "1", "--socket", engine.socket()]);
    assert!(done.code == 1 && done.stderr.contains("order_qty_max"), "{}", done.stderr);
    engine.ask(&["set-limit", "order_qty_max", "0.5", "--scope", "instrument BTCUSDT"]);
    let journal = engine.journal.clone();
    engine.end();
    let dump = smc(&["journal", "dump", "--kind", "input", journal.to_str().unwrap()]);
    let is_journaled = |text: &str| dump.stdout.contains(text);
    assert!(is_journaled("reason: drill") || is_journaled("drill"), "who and why are in the journal");
    assert!(is_journaled("OrderQtyMax"));
}

/// The kill switch for when nothing else works: a file, and a signal. Killed stays killed after kill -9.
#[test]
fn a_flag_file_or_a_signal_kills_and_kill_9_does_not_revive() {
    let bench = Bench::new();
    let (words, journal) = bench.words(41, "pipelined", &bench.home.path().join("k").join("control.sock"));
    let flag = bench.home.path().join("STOP");
    let text = std::fs::read_to_string(&words[2]).unwrap();
    let process = format!("[process]\nkill_flag = \"{}\"\n", flag.display());
    std::fs::write(&words[2], text.replace("[process]\n", &process)).unwrap();
    let socket = PathBuf::from(words.last().unwrap().clone());
    let log = bench.home.path().join("log-41");
    let start = || {
        let child = Child::smc(&words, &log);
        wait_until("the engine answers", || UnixStream::connect(&socket).is_ok());
        Engine { child, socket: socket.clone(), journal: journal.clone() }
    };
    let mut engine = start();
    wait_until("orders", || engine.number("orders_sent") > 0);
    std::fs::write(&flag, "").unwrap();
    wait_until("HALT", || engine.ctl("status")["state"] == "HALT");
    let refused = smc(&["ctl", "arm", "--socket", engine.socket()]);
    assert!(refused.code == 1 && refused.stderr.contains("flag"), "{}", refused.stderr);
    engine.child.kill();
    std::fs::remove_file(&flag).unwrap();

    let mut engine = start();
    wait_until("the order path is up", || engine.ctl("status")["gateway_ready"] == true);
    let (orders, events) = (engine.number("orders_sent"), engine.number("events_in"));
    wait_until("the market goes on", || engine.number("events_in") > events + 1_000);
    assert_eq!(engine.ctl("status")["state"], "HALT");
    assert_eq!(engine.number("orders_sent"), orders, "an order of a killed engine");
    engine.ctl("arm");
    wait_until("armed", || engine.ctl("status")["state"] != "HALT");
    // SAFETY: plain system call on our own child.
    unsafe { libc::kill(engine.child.id() as i32, libc::SIGUSR1) };
    wait_until("HALT by the signal", || engine.ctl("status")["state"] == "HALT");
    engine.child.kill();
}

/// A person disconnects a venue: nothing is sent there and nothing heard until it is connected again, and then trading goes on.
#[test]
fn a_venue_is_disconnected_stays_so_and_is_used_again() {
    let bench = Bench::new();
    for (instance, topology) in [(61, "inline"), (62, "pipelined")] {
        let engine = bench.start(instance, topology);
        wait_until("orders", || engine.number("orders_sent") > 0);
        let answer = engine.ask(&["disconnect", "0", "--reason", "upgrade"]);
        assert_eq!(answer["taken"], true, "{answer}");
        let held = engine.ctl("status")["held"].clone();
        assert_eq!(
            (&held[0]["scope"], &held[0]["state"]),
            (&"venue 0".into(), &"CANCEL_ONLY".into()),
            "{held}"
        );
        wait_until("hung up", || engine.ctl("status")["gateway_ready"] == false);
        let messages = || engine.ctl("status")["feed"]["messages"].as_u64().unwrap();
        let (orders, heard) = (engine.number("orders_sent"), messages());
        // Longer than any pause between two tries to connect at first.
        std::thread::sleep(Duration::from_secs(2));
        assert_eq!((engine.number("orders_sent"), messages()), (orders, heard), "{topology}: not hung up");
        // A resume is for pauses.
        engine.ask(&["resume", "--scope", "venue 0"]);
        assert_eq!(engine.ctl("status")["gateway_ready"], false);
        engine.ask(&["connect", "0"]);
        wait_until("used again", || engine.number("orders_sent") > orders && messages() > heard);
        assert!(
            !engine.ctl("status")["held"].as_array().unwrap().iter().any(|held| held["scope"] == "venue 0")
        );
        engine.end();
    }
}

/// What decides nothing is an act too, and does what it says.
#[test]
fn the_journal_rotates_and_a_snapshot_is_taken_when_a_person_asks() {
    let bench = Bench::new();
    let engine = bench.start(71, "inline");
    wait_until("orders", || engine.number("orders_sent") > 0);
    let files = |part: &str| {
        let all = std::fs::read_dir(&engine.journal).unwrap().flatten();
        all.filter(|entry| entry.file_name().to_string_lossy().contains(part)).count()
    };
    let segment = || {
        let ls = smc(&["journal", "ls", engine.journal.to_str().unwrap()]);
        assert_eq!(ls.code, 0, "{}{}", ls.stdout, ls.stderr);
        ls.stdout.lines().count()
    };
    let (segments, snapshots) = (segment(), files("snapshot"));
    engine.ctl("rotate");
    wait_until("another segment", || segment() > segments);
    engine.ctl("snapshot");
    wait_until("a snapshot", || files("snapshot") > snapshots);
    engine.ask(&["log-level", "debug", "--reason", "a look"]);
    wait_until("it is told who did it", || {
        let acts = engine.ctl("acts");
        acts["acts"]
            .as_array()
            .unwrap()
            .iter()
            .any(|act| act["command"] == "log level" && act["reason"] == "a look")
    });
    engine.end();
}

/// The most memory that a process ever held.
fn peak_kib(pid: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    line.trim().trim_end_matches(" kB").parse().unwrap()
}

#[test]
fn nonsense_is_answered_or_cut_off_and_does_no_harm() {
    let bench = Bench::new();
    let engine = bench.start(31, "pipelined");
    for line in [
        &b"hello\n"[..],
        b"\n",
        b"{}\n",
        b"[]\n",
        b"{\"cmd\":\"explode\"}\n",
        b"{\"cmd\":\"status\",\"more\":1}\n",
        b"{\"cmd\":7}\n",
        b"\xff\xfe\x00\n",
        b"{\"cmd\":\"status\"\n",
    ] {
        let answer = engine.say(line);
        let answer: Value = serde_json::from_str(&answer).unwrap_or_else(|error| panic!("{line:?}: {error}"));
        assert!(answer["error"].is_string(), "{line:?}: {answer}");
    }
    let cut_off = engine.say(&vec![b'x'; 1 << 20]);
    assert!(cut_off.is_empty() || cut_off.contains("longer than"), "a line without an end: {cut_off}");
    let mut long = vec![b' '; 100_000];
    long.push(b'\n');
    let answer = engine.say(&long);
    assert!(answer.is_empty() || answer.contains("error"), "{answer}");
    assert!(engine.say(&b"[".repeat(4_000)).is_empty());
    // A gigabyte in one line: cut off while it is being written, and never held.
    let before = peak_kib(engine.child.id());
    let mut endless = UnixStream::connect(&engine.socket).unwrap();
    endless.set_write_timeout(Some(Duration::from_secs(10))).unwrap();
    let piece = vec![b'x'; 1 << 20];
    let taken = (0..1_024).take_while(|_| endless.write_all(&piece).is_ok()).count();
    let grown = peak_kib(engine.child.id()) - before;
    println!("of a line of 1 GiB {taken} MiB were taken before it was cut off; {grown} KiB more of memory");
    assert!(taken < 1_024 && grown < 16_384, "{taken} MiB taken, {grown} KiB more of memory");
    // One letter at a time, and in the end an answer.
    let mut slow = UnixStream::connect(&engine.socket).unwrap();
    for byte in b"{\"cmd\":\"status\"}\n" {
        slow.write_all(&[*byte]).unwrap();
        std::thread::sleep(Duration::from_millis(20));
    }
    let mut answer = String::new();
    BufReader::new(slow).read_line(&mut answer).unwrap();
    assert!(answer.contains("\"state\""), "{answer}");
    // More clients than are served, none of whom says anything, then half a request from each.
    let mut crowd: Vec<UnixStream> = (0..40).map(|_| UnixStream::connect(&engine.socket).unwrap()).collect();
    for client in &mut crowd {
        let _ = client.write_all(b"{\"cmd\":");
    }
    drop(crowd);
    // A watcher that never reads.
    let mut deaf = UnixStream::connect(&engine.socket).unwrap();
    for _ in 0..2_000 {
        if deaf.write_all(b"{\"cmd\":\"status\"}\n").is_err() {
            break;
        }
        if deaf.set_nonblocking(true).is_err() {
            break;
        }
    }
    let events = engine.number("events_in");
    wait_until("the engine goes on", || engine.number("events_in") > events + 500);
    assert_eq!(engine.ctl("status")["state"], "NORMAL");
    drop(deaf);
    let unknown = smc(&["ctl", "explode", "--socket", engine.socket.to_str().unwrap()]);
    assert_eq!(unknown.code, 2);
    engine.end();
}

#[test]
fn several_requests_on_one_connection_are_answered_in_order() {
    let bench = Bench::new();
    let engine = bench.start(41, "inline");
    let mut stream = UnixStream::connect(&engine.socket).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
    stream.write_all(b"{\"cmd\":\"status\"}\n{\"cmd\":\"pause\"}\nnonsense\n{\"cmd\":\"sta").unwrap();
    stream.write_all(b"tus\"}\n").unwrap();
    let mut lines = BufReader::new(stream).lines();
    let mut next = || -> Value { serde_json::from_str(&lines.next().unwrap().unwrap()).unwrap() };
    assert!(next()["seq"].is_u64());
    assert_eq!(next()["ok"], true);
    assert!(next()["error"].is_string());
    assert!(next()["seq"].is_u64());
    engine.end();
}

#[test]
fn the_socket_is_its_owners_alone() {
    let bench = Bench::new();
    let engine = bench.start(51, "inline");
    let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&engine.socket), 0o600);
    assert_eq!(mode(engine.socket.parent().unwrap()), 0o700);
    assert_eq!(mode(&engine.journal), 0o700);

    // A second engine may not take a live engine's socket.
    let (words, _) = bench.words(52, "inline", &engine.socket);
    // Of another account: the same one would be refused before.
    let config = bench.home.path().join("config.toml-52");
    let text = std::fs::read_to_string(&config).unwrap();
    std::fs::write(&config, text.replace("api_key = \"", "api_key = \"another-")).unwrap();
    let done = smc(&words);
    assert_eq!(done.code, 2, "{}", done.stderr);
    assert!(only_line(&done).contains(engine.socket.to_str().unwrap()), "{}", done.stderr);
    assert!(engine.ctl("status")["seq"].is_u64(), "the first engine still answers");
    let socket = engine.socket.clone();
    engine.end();
    assert!(!socket.exists(), "an engine that ends in order removes its socket");

    // A stale one, left by an engine that was killed, is replaced.
    let mut killed = bench.start_at(53, "inline", socket.clone());
    killed.child.kill();
    assert!(socket.exists());
    let engine = bench.start_at(54, "inline", socket.clone());
    assert!(engine.ctl("status")["seq"].is_u64());
    engine.end();

    // Something that is no socket is left alone.
    std::fs::write(&socket, b"a letter").unwrap();
    let (words, _) = bench.words(55, "inline", &socket);
    let done = smc(&words);
    assert_eq!(done.code, 2, "{}", done.stderr);
    only_line(&done);
    assert_eq!(std::fs::read(&socket).unwrap(), b"a letter");
    std::fs::remove_file(&socket).unwrap();
}

/// With nothing but the two names: a demo in one terminal, a look by `smc ctl` in another. A second demo does not take the first one's
/// place. A kill that names no place never reaches a demo: it was meant for an engine, wherever that listens.
#[test]
fn a_demo_is_looked_at_without_being_told_where_and_never_acted_on_for_an_engine() {
    let home = tempfile::tempdir().unwrap();
    let runtime = format!("XDG_RUNTIME_DIR={}", home.path().display());
    let path = |name: &str| home.path().join(name).to_str().unwrap().to_owned();
    let demo = |name: &str| {
        let words = ["demo", "--headless", "--seconds", "600", "--speed", "1", "--journal", &path(name)];
        Child::smc_under(&["env", &runtime], &words, &home.path().join(format!("{name}.log")))
    };
    let say = |words: &[&str]| {
        finish(std::process::Command::new("env").arg(&runtime).arg(binary()).arg("ctl").args(words), b"")
    };
    let ctl = || say(&["status", "--json"]);
    let journal_of = |text: &str| serde_json::from_str::<Value>(text).unwrap()["journal"].clone();

    assert_eq!(ctl().code, 2, "nobody is there");
    let first = demo("first");
    wait_until("the demo answers", || ctl().code == 0);
    let second = demo("second");
    let own = home.path().join("second").join("control.sock");
    wait_until("the second answers at a place of its own", || UnixStream::connect(&own).is_ok());
    let done = ctl();
    assert_eq!(journal_of(&done.stdout), format!("{}/journal", path("first")));
    assert!(only_line(&done).contains("this is the demo"), "{}", done.stderr);

    let limit = ["set-limit", "order_qty_max", "0.5", "--scope", "instrument BTCUSDT"];
    for act in [&["kill"][..], &["flatten"], &["arm"], &["watch"], &limit] {
        let done = say(act);
        assert_eq!((done.code, done.stdout.as_str()), (2, ""), "{act:?}");
        assert!(only_line(&done).contains("--socket"), "{}", done.stderr);
    }
    let state = || serde_json::from_str::<Value>(&ctl().stdout).unwrap()["state"].clone();
    assert_ne!(state(), "HALT");
    let place = home.path().join("smc").join("demo.sock");
    assert_eq!(say(&["kill", "--socket", place.to_str().unwrap()]).code, 0);
    assert_eq!(state(), "HALT");

    // What an engine left behind when it was killed.
    drop(UnixListener::bind(home.path().join("smc").join("control.sock")).unwrap());
    let done = ctl();
    assert_eq!(done.code, 2, "{}", done.stdout);
    assert!(only_line(&done).contains("no engine answers"), "{}", done.stderr);
    for demo in [first, second] {
        let (code, told) = demo.end();
        assert_eq!(code, 0, "{told}");
    }
}

#[test]
fn an_engine_that_does_not_answer_is_told_to_the_operator() {
    let home = tempfile::tempdir().unwrap();
    let socket = home.path().join("control.sock");
    let listener = UnixListener::bind(&socket).unwrap();
    let closer = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let mut line = [0; 64];
        let _ = stream.read(&mut line);
    });
    let done = smc(&["ctl", "status", "--socket", socket.to_str().unwrap()]);
    closer.join().unwrap();
    assert_eq!(done.code, 1, "{}", done.stderr);
    only_line(&done);
    let done = smc(&["ctl", "status", "--socket", socket.to_str().unwrap()]);
    assert_eq!(done.code, 2, "{}", done.stderr);
    only_line(&done);
}
