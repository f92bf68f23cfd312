//! Broken input gives one clear line on standard error, names what is wrong, and exits 2. Nothing panics.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "helpers of a test fail it")]

use std::fs;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use tests::{BUSY, SimProcess, config_text, only_line, smc};

/// A simulator and a configuration that works with it, before a test breaks one thing.
struct Bench {
    home: tempfile::TempDir,
    sim: SimProcess,
    good: String,
    attempts: AtomicU32,
}

impl Bench {
    fn new() -> Self {
        let home = tempfile::tempdir().unwrap();
        let sim = SimProcess::start(&home.path().join("sim"), 20.0, 1);
        let good = config_text(&sim, 1, "inline", "yield");
        Self { home, sim, good, attempts: AtomicU32::new(0) }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.home.path().join(name)
    }

    fn address(&self) -> &str {
        &self.sim.address
    }

    /// The configuration with one text in it replaced.
    #[track_caller]
    fn with(&self, from: &str, to: &str) -> String {
        assert!(self.good.contains(from), "{from}");
        self.good.replace(from, to)
    }

    /// Runs the engine with `config`, which must be refused with all of `named` in its one line.
    #[track_caller]
    fn refuses(&self, config: &str, named: &[&str]) {
        let nth = self.attempts.fetch_add(1, Ordering::Relaxed);
        let file = self.path(&format!("config-{nth}.toml"));
        fs::write(&file, config).unwrap();
        let (journal, control) = (self.path(&format!("journal-{nth}")), self.path(&format!("control-{nth}")));
        refused(
            &[
                "run",
                "--config",
                text(&file),
                "--journal",
                text(&journal),
                "--control",
                text(&control),
                "--seconds",
                "20",
            ],
            named,
        );
    }
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

/// One line, exit 2, and every one of `named` in the line.
#[track_caller]
fn refused(args: &[&str], named: &[&str]) {
    let done = smc(args);
    let line = only_line(&done);
    println!("{line}");
    assert_eq!(done.code, 2, "{args:?}: {line}");
    assert_eq!(done.stdout, "", "{args:?}");
    for word in named {
        assert!(line.contains(word), "`{word}` is not in: {line}");
    }
}

#[test]
fn what_the_configuration_says_wrongly_is_named() {
    let bench = Bench::new();
    for (from, to, named) in [
        ("require_bias", "require_bais", &["require_bais", "line "][..]),
        ("[risk]\n", "[risk]\nunheard_of = 1\n", &["unheard_of"]),
        ("[process]\n", "[process]\ncpu = 3\n", &["cpu"]),
        ("gross_max = \"2000000\"\n", "", &["gross_max", "missing"]),
        ("order_qty_max = \"5\"\n", "", &["order_qty_max", "missing"]),
        ("order_qty_max = \"5\"", "order_qty_max = \"-5\"", &["order_qty_max"]),
        ("order_qty_max = \"5\"", "order_qty_max = \"0\"", &["order_qty_max"]),
        ("order_qty_max = \"5\"", "order_qty_max = 5.5", &["line "]),
        ("net_max = \"2000000\"", "net_max = \"-1\"", &["net_max"]),
        ("collar_ppm = 10000", "collar_ppm = -1", &["line "]),
        ("repeat_max = 1000", "repeat_max = 99999999999999999999", &["line "]),
        ("\"1s\", \"5s\"", "\"1s\", \"7s\"", &["7s", "timeframe"]),
        ("\"1s\", \"5s\"", "\"5s\", \"1s\"", &["timeframes"]),
        ("\"1s\", \"5s\"", "\"1s\", \"soon\"", &["soon"]),
        ("\"1s\", \"5s\"", "", &["timeframes"]),
        ("instance = 1\n", "instance = 70000\n", &["line "]),
        ("[engine]\n", "[engine\n", &["line "]),
        ("[engine]\n", "[engine]\ninstance = 2\n", &["duplicate", "line 4"]),
        ("binance-spot", "mt-gox", &["mt-gox"]),
        ("topology = \"inline\"", "topology = \"parallel\"", &["parallel", "topology"]),
        ("idle = \"yield\"", "idle = \"doze\"", &["doze", "idle"]),
        ("entry_kind = \"take\"", "entry_kind = \"grab\"", &["grab"]),
        ("speed = 20.0", "speed = \"fast\"", &["line "]),
        ("speed = 20.0", "speed = -1.0", &["speed"]),
        ("speed = 20.0", "speed = nan", &["speed"]),
        ("segment_mib = 8", "segment_mib = 0", &["segment"]),
        ("segment_mib = 8", "segment_mib = 17592186044424", &["segment"]),
    ] {
        bench.refuses(&bench.with(from, to), &[&["config-", ".toml"], named].concat());
    }
    bench.refuses(BUSY, &["venue"]);
    bench.refuses("", &["line ", "config-"]);
    bench.refuses("\u{0}\u{1}", &["line "]);
    let without = bench.good.split("[account]").next().unwrap().to_owned();
    bench.refuses(&without, &["account"]);
}

#[test]
fn what_the_venue_does_not_accept_is_named() {
    let bench = Bench::new();
    let other = SimProcess::start(&bench.path("other"), 20.0, 2);
    let (ca, key) = (bench.sim.keys.join("ca.pem"), bench.sim.keys.join("key.pem"));
    let strange = |name: &str| other.keys.join(name);

    bench.refuses(&bench.with(text(&ca), text(&strange("ca.pem"))), &["certificate", "venue.ca_file"]);
    bench.refuses(&bench.with(text(&key), text(&strange("key.pem"))), &["Signature"]);
    bench.refuses(&bench.with("api_key = \"", "api_key = \"x"), &["key"]);
    for file in [&ca, &key] {
        let absent = format!("{}.absent", text(file));
        bench.refuses(&bench.with(text(file), &absent), &[&absent, "No such file"]);
    }
    let garbage = bench.path("garbage.pem");
    for content in ["", "not a pem", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"] {
        fs::write(&garbage, content).unwrap();
        for file in [&ca, &key] {
            bench.refuses(&bench.with(text(file), text(&garbage)), &["garbage.pem"]);
        }
    }
    bench.refuses(&bench.with("BTCUSDT", "NOSUCHUSDT"), &["NOSUCHUSDT"]);
    bench.refuses(&bench.with("BTCUSDT", "ABCDEFGHIJKLMNOPQ"), &["ABCDEFGHIJKLMNOPQ"]);
    bench.refuses(&bench.with("BTCUSDT", "BTC/\\\"&x"), &["instruments.symbol"]);
}

#[test]
fn an_address_where_nobody_listens_is_named() {
    let bench = Bench::new();
    let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string();
    for key in ["market", "orders", "rest"] {
        let from = format!("{key} = \"{}\"", bench.address());
        // A stream or an order session that cannot be had is retried for ever: only the rules decide the start.
        if key == "rest" {
            bench.refuses(&bench.with(&from, &format!("{key} = \"{free}\"")), &[&free]);
        }
        for bad in ["127.0.0.1", "127.0.0.1:", "127.0.0.1:99999", ""] {
            bench.refuses(&bench.with(&from, &format!("{key} = \"{bad}\"")), &["config-"]);
        }
        bench.refuses(&bench.with(&from, &format!("{key} = \"api.example.com:443\"")), &["--live"]);
    }
    // Somebody listens who speaks another language.
    let deaf = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = deaf.local_addr().unwrap().to_string();
    let talker = std::thread::spawn(move || {
        use std::io::{Read, Write};
        let (mut stream, _) = deaf.accept().unwrap();
        let mut hello = [0; 64];
        let _ = stream.read(&mut hello);
        let _ = stream.write_all(b"220 mail.example.com ESMTP\r\n");
        let _ = stream.read(&mut hello);
    });
    let from = format!("rest = \"{}\"", bench.address());
    bench.refuses(&bench.with(&from, &format!("rest = \"{address}\"")), &[&address]);
    talker.join().unwrap();
}

#[test]
fn files_ports_and_directories_are_named() {
    let bench = Bench::new();
    let (journal, control, keys) = (bench.path("journal"), bench.path("control"), bench.path("keys"));
    let rest = ["--journal", text(&journal), "--control", text(&control)];
    let run = |config: &str| [&["run", "--config", config][..], &rest].concat().join("\n");
    let words = |joined: &str| joined.split('\n').map(String::from).collect::<Vec<_>>();
    for config in ["/no/such/smc.toml", text(bench.home.path())] {
        let args = words(&run(config));
        refused(&args.iter().map(String::as_str).collect::<Vec<_>>(), &[config]);
    }

    let keys = text(&keys);
    refused(&["sim", "--listen", bench.address(), "--keys", keys], &[bench.address(), "in use"]);
    refused(
        &["sim", "--listen", "127.0.0.1:0", "--keys", keys, "--data", "/no/such/data.gz"],
        &["/no/such/data.gz"],
    );
    refused(&["sim", "--listen", "127.0.0.1:0", "--keys", "/proc/none"], &["/proc/none"]);
    refused(
        &["sim", "--listen", "127.0.0.1:0", "--keys", keys, "--audit", "/no/such/audit"],
        &["/no/such/audit"],
    );
    refused(&["sim", "--listen", "127.0.0.1:0", "--keys", keys, "--speed", "0"], &["--speed"]);
    refused(&["sim", "--listen", "127.0.0.1:0", "--keys", keys, "--speed", "nan"], &["--speed"]);

    let demo = |home: &str, rest: &[&str], named: &[&str]| {
        let home = bench.path(home);
        refused(
            &[&["demo", "--headless", "--fast", "--seconds", "1", "--journal", text(&home)], rest].concat(),
            named,
        );
    };
    let garbage = bench.path("garbage.gz");
    for (nth, content) in [&b""[..], b"hello\n", b"\x1f\x8b\x08\x00broken", b"{}\n{}\n"].iter().enumerate() {
        fs::write(&garbage, content).unwrap();
        demo(&format!("garbage-{nth}"), &["--data", text(&garbage)], &["garbage.gz"]);
    }
    demo("a", &["--data", "/no/such/data.gz"], &["/no/such/data.gz"]);
    demo("b", &["--config", "/no/such/smc.toml"], &["/no/such/smc.toml"]);
    demo("c", &["--timeframes", "7s"], &["--timeframes", "7s"]);
    demo("d", &["--timeframes", "5s,1s"], &["timeframes"]);
    demo("e", &["--topology", "parallel"], &["parallel"]);
    demo("f", &["--speed=-3"], &["speed"]);
    fs::create_dir_all(bench.path("g/journal")).unwrap();
    demo("g", &[], &["journal", "already"]);
    demo("h", &["--control", "/proc/none/control.sock"], &["/proc/none"]);

    let nothing = bench.path("nothing");
    fs::create_dir(&nothing).unwrap();
    for dir in ["/no/such/journal", text(&nothing)] {
        for command in [
            &["replay"][..],
            &["replay", "--verify"],
            &["journal", "ls"],
            &["journal", "verify"],
            &["journal", "dump"],
        ] {
            refused(&[command, &[dir]].concat(), &[dir]);
        }
    }
    refused(&["ctl", "status", "--socket", "/no/such/control.sock"], &["/no/such/control.sock"]);
}

/// A journal that already holds something is never written over.
#[test]
fn a_used_journal_directory_is_refused() {
    let bench = Bench::new();
    let used = bench.path("used");
    fs::create_dir(&used).unwrap();
    fs::write(used.join("00000001.smcj"), b"somebody's records").unwrap();
    let (config, control) = (bench.path("smc.toml"), bench.path("control"));
    fs::write(&config, &bench.good).unwrap();
    refused(
        &["run", "--config", text(&config), "--journal", text(&used), "--control", text(&control)],
        &[text(&used)],
    );
    assert_eq!(fs::read(used.join("00000001.smcj")).unwrap(), b"somebody's records");
}

/// The parser's own messages may take several lines; they still exit 2 and never panic.
#[test]
fn wrong_words_exit_2() {
    for args in [
        &["fly"][..],
        &[],
        &["demo", "--unheard"],
        &["demo", "--seconds", "-1"],
        &["demo", "--seconds", "many"],
        &["demo", "--seed", "18446744073709551616"],
        &["run"],
        &["sim", "--listen", "here"],
        &["sim", "--venue", "mt-gox"],
        &["journal"],
        &["journal", "burn", "x"],
        &["replay"],
        &["ctl"],
        &["ctl", "explode"],
        &["decode", "-"],
    ] {
        let done = smc(args);
        assert_eq!(done.code, 2, "{args:?}: {}", done.stderr);
        assert!(!done.stderr.contains("panicked") && !done.stderr.is_empty(), "{args:?}: {}", done.stderr);
        assert_eq!(done.stdout, "", "{args:?}");
    }
}
