//! Who may do what at the control socket: the whole matrix of roles and commands by users of the system that the kernel vouches
//! for, strangers, one-time codes, and sealed commands through a relay. Needs to be root, to be somebody else.

#![allow(clippy::unwrap_used, reason = "a step that fails is a failed test")]

use serde_json::{Value, json};
use smc_operator::{Hash, Seal, Totp};
use smc_runtime::control::protocol::{COMMANDS, Needs};
use std::collections::BTreeMap;
use std::fs;
use std::io::{self, BufRead, BufReader, Write};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use tests::{Child, SimProcess, config_text, smc, wait_until};

const GROUP: u32 = 4_000;
const VIEWER: u32 = 3_001;
const OPERATOR: u32 = 3_002;
const RISK: u32 = 3_003;
const ADMIN: u32 = 3_004;
const RELAY: u32 = 3_005;
const STRANGER: u32 = 3_999;

struct Engine {
    child: Child,
    socket: PathBuf,
    journal: PathBuf,
    home: tempfile::TempDir,
    _sim: SimProcess,
}

impl Engine {
    /// With a `[control]` section and, before it, further lines of `[process]`.
    fn start(process: &str, control: &str) -> Self {
        let home = tempfile::tempdir().unwrap();
        // Others must get as far as the socket's own directory.
        fs::set_permissions(home.path(), fs::Permissions::from_mode(0o755)).unwrap();
        let sim = SimProcess::start(&home.path().join("sim"), 60.0, 5);
        let (config, journal) = (home.path().join("smc.toml"), home.path().join("journal"));
        let text = config_text(&sim, 1, "inline", "yield");
        let text = text.replace("[process]\n", &format!("[process]\n{process}"));
        fs::write(&config, format!("{text}\n{control}")).unwrap();
        let socket = home.path().join("run").join("control.sock");
        let path = |path: &Path| path.to_str().unwrap().to_owned();
        let words =
            ["run", "--config", &path(&config), "--journal", &path(&journal), "--control", &path(&socket)];
        let log = home.path().join("log");
        let mut child = Child::smc(&words.map(String::from), &log);
        wait_until("the engine answers", || {
            assert!(!child.is_over(), "{}", fs::read_to_string(&log).unwrap_or_default());
            UnixStream::connect(&socket).is_ok()
        });
        Self { child, socket, journal, home, _sim: sim }
    }

    fn ask_as(&self, uid: u32, gid: u32, lines: &[Value]) -> io::Result<Vec<Value>> {
        let socket = self.socket.clone();
        let lines = lines.to_vec();
        // The kernel keeps these numbers by thread; only the C library makes them the process's.
        std::thread::spawn(move || {
            become_somebody(uid, gid)?;
            let mut stream = UnixStream::connect(&socket)?;
            stream.set_read_timeout(Some(Duration::from_secs(30)))?;
            let mut reader = BufReader::new(stream.try_clone()?);
            let mut answers = Vec::new();
            for line in lines {
                if stream.write_all(format!("{line}\n").as_bytes()).is_err() {
                    break;
                }
                let mut answer = String::new();
                if reader.read_line(&mut answer)? == 0 {
                    break;
                }
                answers.push(serde_json::from_str(&answer).unwrap());
            }
            Ok(answers)
        })
        .join()
        .unwrap()
    }

    /// Ends it in order; its journal must replay. Its directory goes when what is given back is dropped.
    fn end(self) -> tempfile::TempDir {
        assert_eq!(self.child.end().0, 0);
        let done = smc(&["replay", "--verify", self.journal.to_str().unwrap()]);
        assert_eq!(done.code, 0, "{}{}", done.stdout, done.stderr);
        self.home
    }
}

fn become_somebody(uid: u32, gid: u32) -> io::Result<()> {
    let keep = u32::MAX;
    // SAFETY: plain system calls that change the calling thread alone; the list of groups is empty.
    let done = unsafe {
        [
            libc::syscall(libc::SYS_setgroups, 0, std::ptr::null::<libc::gid_t>()),
            libc::syscall(libc::SYS_setresgid, keep, gid, keep),
            libc::syscall(libc::SYS_setresuid, keep, uid, keep),
        ]
    };
    if done.iter().all(|code| *code == 0) { Ok(()) } else { Err(io::Error::last_os_error()) }
}

fn is_root() -> bool {
    // SAFETY: no preconditions.
    let is_root = unsafe { libc::geteuid() } == 0;
    if !is_root {
        println!("skipped: only root can be somebody else");
    }
    is_root
}

fn control(more: &str) -> String {
    format!(
        "[control]\ngroup = \"{GROUP}\"\nview = [\"{VIEWER}\"]\noperate = [\"{OPERATOR}\"]\nrisk = [\"{RISK}\"]\n\
         admin = [\"{ADMIN}\"]\nrelay = [\"{RELAY}\"]\n{more}"
    )
}

/// The table of `docs/control.md`: command, role, whether a code is asked for.
fn documented() -> BTreeMap<String, (String, bool)> {
    let text = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/control.md")).unwrap();
    let table = text.split("## Commands").nth(1).unwrap().split("\n## ").next().unwrap();
    let rows = table.lines().filter(|line| line.starts_with("| `"));
    rows.map(|line| {
        let mut cells = line.split('|').skip(1).map(str::trim);
        let cmd = cells.next().unwrap().trim_matches('`').to_owned();
        (cmd, (cells.next().unwrap().to_owned(), cells.next().unwrap() == "code"))
    })
    .collect()
}

#[test]
fn the_documented_table_is_the_one_that_holds() {
    let documented = documented();
    let held = COMMANDS.iter().map(|(cmd, needs, _)| {
        let (role, code) = match needs {
            Needs::Nothing => ("", false),
            Needs::Role(role) => (role.name(), false),
            Needs::Code(role) => (role.name(), true),
        };
        ((*cmd).to_owned(), (role.to_owned(), code))
    });
    assert_eq!(documented, held.collect());
}

/// One well-formed request of each command.
fn request(cmd: &str) -> Value {
    match cmd {
        "set-limit" => {
            json!({ "cmd": cmd, "limit": "repeat_max", "value": "2", "scope": "instrument BTCUSDT" })
        }
        "log-level" => json!({ "cmd": cmd, "value": "info" }),
        "acknowledge" => json!({ "cmd": cmd, "value": "1" }),
        "disconnect" | "connect" => json!({ "cmd": cmd, "scope": "venue 0" }),
        "challenge" => json!({ "cmd": cmd, "key": "none" }),
        "sealed" => json!({ "cmd": cmd, "key": "none", "counter": 1, "time": 1, "request": "{}", "mac": "" }),
        _ => json!({ "cmd": cmd }),
    }
}

#[test]
fn s11_each_role_may_do_exactly_what_is_documented() {
    if !is_root() {
        return;
    }
    let engine = Engine::start("", &control(""));
    let meta = fs::metadata(&engine.socket).unwrap();
    assert_eq!((meta.mode() & 0o777, meta.gid()), (0o660, GROUP));
    assert_eq!(fs::metadata(engine.socket.parent().unwrap()).unwrap().mode() & 0o777, 0o750);
    let roles = ["view", "operate", "risk", "admin"];
    let users = [VIEWER, OPERATOR, RISK, ADMIN];
    let mut asked = 0;
    for (cmd, (role, _)) in documented() {
        for (own, uid) in users.into_iter().enumerate() {
            let answers = engine.ask_as(uid, GROUP, &[request(&cmd)]).unwrap();
            let is_allowed = roles.iter().position(|name| *name == role).is_none_or(|needed| own >= needed);
            let answer = &answers[0];
            assert_eq!(answer["kind"] != "role", is_allowed, "{cmd} by {}: {answer}", roles[own]);
            if is_allowed && !matches!(cmd.as_str(), "sealed") {
                assert!(answer.get("error").is_none(), "{cmd} by {}: {answer}", roles[own]);
            }
            asked += 1;
        }
        // Known to nobody, but let as far as the socket by the group.
        // Told so and sent away; who still writes may find the door closed before hearing it.
        let refused = engine.ask_as(STRANGER, GROUP, &[request(&cmd)]).unwrap_or_default();
        let is_refused = refused.first().is_none_or(|answer| answer["kind"] == "role");
        assert!(is_refused, "{cmd} by a stranger: {refused:?}");
        // A relay's own word counts for nothing.
        if !matches!(cmd.as_str(), "sealed" | "challenge") {
            let answers = engine.ask_as(RELAY, GROUP, &[request(&cmd)]).unwrap();
            assert_eq!(answers[0]["kind"], "role", "{cmd} by a relay: {answers:?}");
        }
    }
    assert_eq!(asked, 4 * COMMANDS.len());
    println!("{asked} pairs of role and command, and each command by a stranger and a relay");
    let error = engine.ask_as(STRANGER, STRANGER, &[json!({ "cmd": "status" })]).unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::PermissionDenied, "another group does not reach the socket");
    engine.end();
}

fn private_file(path: &Path, text: &str) {
    fs::write(path, text).unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(0o600)).unwrap();
}

fn now_s() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs()
}

/// S5: each one-time code is taken once; stopping, pausing and lowering never need one.
#[test]
fn s5_a_code_that_was_used_is_refused_and_stopping_needs_none() {
    let home = tempfile::tempdir().unwrap();
    let secret = home.path().join("totp");
    private_file(&secret, "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ");
    let engine = Engine::start(&format!("totp_file = \"{}\"\n", secret.display()), "");
    let totp = Totp::new(b"12345678901234567890", Hash::Sha1, 6, 30).unwrap();
    let mut stream = UnixStream::connect(&engine.socket).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
    let mut lines = BufReader::new(stream.try_clone().unwrap()).lines();
    let mut ask = |request: Value| -> Value {
        stream.write_all(format!("{request}\n").as_bytes()).unwrap();
        serde_json::from_str(&lines.next().unwrap().unwrap()).unwrap()
    };
    assert_eq!(ask(json!({ "cmd": "kill", "reason": "drill" }))["state"], "HALT");
    for cmd in ["arm", "flatten", "kill-flatten", "reset-loss"] {
        assert_eq!(ask(json!({ "cmd": cmd }))["kind"], "code", "{cmd}");
    }
    let limit = |value: &str| json!({ "cmd": "set-limit", "limit": "order_qty_max", "value": value, "scope": "instrument BTCUSDT" });
    wait_until("the observer knows the limits", || ask(json!({ "cmd": "limits" }))["limits"].is_array());
    assert_eq!(ask(limit("1000000"))["kind"], "code", "raising");
    assert_eq!(ask(limit("0.00001"))["taken"], true, "lowering");
    let code = totp.code(totp.step(now_s()));
    let answer = ask(json!({ "cmd": "arm", "code": code, "reason": "drill over" }));
    assert_eq!((&answer["taken"], answer["state"] != "HALT"), (&true.into(), true), "{answer}");
    assert_eq!(ask(json!({ "cmd": "kill" }))["state"], "HALT");
    let again = ask(json!({ "cmd": "arm", "code": code }));
    assert_eq!(again["kind"], "code", "the same code again: {again}");
    assert!(engine.home.path().join("journal/operator.codes").exists());
    engine.end();
}

/// A session recorded by the relay and sent again is refused, line by line.
#[test]
fn s5_sealed_commands_come_through_a_relay_and_a_recorded_session_does_nothing() {
    if !is_root() {
        return;
    }
    let home = tempfile::tempdir().unwrap();
    let file = home.path().join("laptop.key");
    private_file(&file, &"5a".repeat(32));
    let keys = format!(
        "[control.keys.laptop]\nfile = \"{}\"\nrole = \"operate\"\noperator = 2001\n",
        file.display()
    );
    let engine = Engine::start("", &control(&keys));
    let seal = Seal::new(&[0x5a; 32]).unwrap();
    let socket = engine.socket.clone();
    let session = std::thread::spawn(move || {
        become_somebody(RELAY, GROUP).unwrap();
        let mut stream = UnixStream::connect(&socket).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
        let mut lines = BufReader::new(stream.try_clone().unwrap()).lines();
        let mut recorded = Vec::new();
        let mut ask = |request: &Value| -> Value {
            recorded.push(request.clone());
            stream.write_all(format!("{request}\n").as_bytes()).unwrap();
            serde_json::from_str(&lines.next().unwrap().unwrap()).unwrap()
        };
        let nonce =
            ask(&json!({ "cmd": "challenge", "key": "laptop" }))["nonce"].as_str().unwrap().to_owned();
        let sealed = |counter: u64, request: &str| {
            let time = now_s();
            let mac = seal.sign(&nonce, counter, time, request);
            json!({ "cmd": "sealed", "key": "laptop", "counter": counter, "time": time, "request": request, "mac": mac })
        };
        let pause = sealed(1, r#"{"cmd":"pause","reason":"remote"}"#);
        assert_eq!(ask(&pause)["taken"], true);
        assert_eq!(ask(&pause)["kind"], "seal", "the same line again");
        assert_eq!(ask(&sealed(2, r#"{"cmd":"arm"}"#))["kind"], "role", "the key's role counts");
        assert_eq!(ask(&sealed(3, r#"{"cmd":"sealed"}"#))["kind"], "request", "not in each other");
        let mut changed = sealed(4, r#"{"cmd":"pause"}"#);
        changed["request"] = r#"{"cmd":"resume"}"#.into();
        assert_eq!(ask(&changed)["kind"], "seal");
        recorded
    });
    let recorded = session.join().unwrap();
    let replayed = engine.ask_as(RELAY, GROUP, &recorded).unwrap();
    assert!(replayed[0]["nonce"].is_string());
    for answer in &replayed[1..] {
        assert_eq!(answer["kind"], "seal", "{answer}");
    }
    let journal = engine.journal.clone();
    let _home = engine.end();
    let dump = smc(&["journal", "dump", "--kind", "input", journal.to_str().unwrap()]);
    let acts: Vec<_> = dump.stdout.lines().filter(|line| line.contains("command: Pause")).collect();
    assert_eq!(acts.len(), 1, "{acts:?}");
    assert!(acts[0].contains("operator: 2001"), "{acts:?}");
}
