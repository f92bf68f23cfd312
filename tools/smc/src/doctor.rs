//! `smc doctor`: is this machine, with this configuration, fit to run the engine?
//!
//! Reads and asks; changes nothing but a file that it makes and removes in the directories that must be writable. Venues are not
//! spoken to: that is `smc venue check`. The host's tuning is `tuning/check`.

use crate::failure::{Failure, Outcome};
use clap::Parser;
use rustix::process::{Resource, getegid, geteuid, getrlimit};
use serde_json::{Value, json};
use smc_exporter::{ExporterError, Port};
use smc_journal::{Ending, JournalSettings, Reader};
use smc_runtime::clock::clock_sync;
use smc_runtime::config::FileConfig;
use smc_runtime::control::desk::Factor;
use smc_runtime::control::directory_is_ours;
use smc_runtime::control::people::People;
use smc_runtime::idle::{Idle, cores};
use smc_runtime::launch::{Topology, automatic};
use smc_runtime::resume::{self, ResumeError};
use std::fmt::Display;
use std::fs::Metadata;
use std::io::ErrorKind;
use std::net::{TcpStream, ToSocketAddrs};
use std::os::unix::fs::MetadataExt;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Check an installation: configuration, files, disk, clock, limits, cores, channels.
///
/// Prints a table with what to do; exit code 1 when something would keep the engine from running as it should. Sends no order and
/// speaks to no venue: keys, rules and clocks there are proved by `smc venue check`, the host's tuning by `tuning/check`.
#[derive(Parser)]
pub struct Args {
    /// The configuration file
    #[arg(long, value_name = "FILE")]
    pub config: PathBuf,
    /// Directory of the journal, instead of the configuration's
    #[arg(long, value_name = "DIR")]
    pub journal: Option<PathBuf>,
    /// Path of the control socket, instead of the configuration's
    #[arg(long, value_name = "PATH")]
    pub control: Option<PathBuf>,
    /// One JSON document
    #[arg(long)]
    pub json: bool,
}

const GIB: u64 = 1 << 30;
/// A channel that does not take a connection in this time is not reachable.
const CONNECT: Duration = Duration::from_secs(3);
/// Clock errors that a venue would notice first.
const CLOCK_ERROR_US_MAX: u64 = 200_000;

/// How something is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Verdict {
    Ok,
    Warn,
    Bad,
}

impl Verdict {
    const fn word(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Warn => "warn",
            Self::Bad => "BAD",
        }
    }
}

/// What was found about one thing.
#[derive(Clone, Debug)]
pub struct Finding {
    what: &'static str,
    verdict: Verdict,
    found: String,
    /// What to do; empty where nothing is.
    todo: String,
}

/// What findings about people are about: their names are in them.
const PEOPLE: &str = "people";

impl Finding {
    /// For strangers: without the names of people.
    pub fn without_people(self) -> Self {
        match self.verdict {
            Verdict::Bad if self.what == PEOPLE => {
                Self { found: "an entry of [control] is wrong; smc doctor names it".into(), ..self }
            }
            _ => self,
        }
    }
}

#[derive(Default)]
struct Report(Vec<Finding>);

impl Report {
    fn note(&mut self, what: &'static str, verdict: Verdict, found: impl Display, todo: impl Display) {
        let inert = |text: &dyn Display| smc_log::inert(&text.to_string());
        self.0.push(Finding { what, verdict, found: inert(&found), todo: inert(&todo) });
    }

    fn ok(&mut self, what: &'static str, found: impl Display) {
        self.note(what, Verdict::Ok, found, "");
    }

    fn bad(&mut self, what: &'static str, found: impl Display, todo: impl Display) {
        self.note(what, Verdict::Bad, found, todo);
    }

    fn warn(&mut self, what: &'static str, found: impl Display, todo: impl Display) {
        self.note(what, Verdict::Warn, found, todo);
    }
}

/// Looks, prints, judges.
pub fn doctor(args: &Args) -> Outcome {
    let findings = examine(args);
    if args.json {
        println!("{}", as_json(&findings));
    } else {
        print!("{}", as_table(&findings));
    }
    match findings.iter().filter(|finding| finding.verdict == Verdict::Bad).count() {
        0 => Ok(()),
        bad => Err(Failure::No(format!("{bad} of {} things are bad", findings.len()))),
    }
}

/// One document.
pub fn as_json(findings: &[Finding]) -> Value {
    let rows = findings.iter().map(|finding| {
        json!({
            "what": finding.what, "verdict": finding.verdict.word().to_lowercase(), "found": finding.found,
            "todo": finding.todo,
        })
    });
    let is_fit = findings.iter().all(|finding| finding.verdict != Verdict::Bad);
    json!({ "is_fit": is_fit, "findings": rows.collect::<Vec<_>>() })
}

/// A table for people.
pub fn as_table(findings: &[Finding]) -> String {
    let mut text = String::new();
    for Finding { what, verdict, found, todo } in findings {
        text.push_str(&format!("{:<5} {what:<10} {found}\n", verdict.word()));
        if !todo.is_empty() {
            text.push_str(&format!("{:<16} → {todo}\n", ""));
        }
    }
    let count = |verdict| findings.iter().filter(|finding| finding.verdict == verdict).count();
    text.push_str(&format!(
        "\n{} ok, {} to look at, {} bad; venues: smc venue check, host: tuning/check\n",
        count(Verdict::Ok),
        count(Verdict::Warn),
        count(Verdict::Bad)
    ));
    text
}

/// Everything that can be looked at.
pub fn examine(args: &Args) -> Vec<Finding> {
    let mut report = Report::default();
    let build: String = smc_core::build_hash().iter().take(8).map(|byte| format!("{byte:02x}")).collect();
    report.ok("version", format!("smc {}, build {build}", env!("CARGO_PKG_VERSION")));
    let file = config(&args.config, &mut report);
    let mut is_simulated = false;
    if let Some(file) = &file {
        is_simulated = crate::run::is_local(file);
        if let Err(error) = crate::run::startable(file) {
            report.bad("config", error, "smc run refuses it; mend the key that is named");
        }
        secrets(file, &mut report);
        let journal = args.journal.clone().or_else(|| file.process.journal.clone());
        match journal {
            None => report.bad("journal", "no directory is configured", "process.journal, or --journal DIR"),
            Some(dir) => journal_dir(&dir, file, &mut report),
        }
        if let Some(mirror) = &file.process.mirror {
            directory("mirror", mirror, &mut report);
        }
        if let Some(path) = &file.process.log_file {
            directory("log", parent(path), &mut report);
        }
        if let Some(flag) = &file.process.kill_flag {
            kill_flag(flag, &mut report);
        }
        let control = args.control.clone().or_else(|| file.process.control.clone());
        let control = control.unwrap_or_else(crate::ctl::default_socket);
        control_dir(&control, people(file, &mut report), &mut report);
        if let Some(address) = &file.process.metrics {
            metrics(address, &mut report);
        }
        threads(file, &mut report);
        channels(file, &mut report);
    }
    clock(is_simulated, &mut report);
    limits(&mut report);
    time_zones(&mut report);
    units(&mut report);
    report.0
}

fn config(path: &Path, report: &mut Report) -> Option<FileConfig> {
    let text = match std::fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) => {
            report.bad(
                "config",
                format!("{}: {error}", path.display()),
                "the path, or the rights of its directory",
            );
            return None;
        }
    };
    if let Ok(about) = std::fs::metadata(path)
        && about.mode() & 0o022 != 0
    {
        report.bad("config", format!("others may change it: mode {:o}", about.mode() & 0o777), "chmod go-w");
    }
    match FileConfig::parse(&text) {
        Ok(file) => {
            let (instruments, venues) = (file.instruments.len(), file.venue_names().len());
            report.ok("config", format!("{}: {instruments} instruments at {venues} venues", path.display()));
            Some(file)
        }
        Err(error) => {
            report.bad("config", error, "mend the key that is named");
            None
        }
    }
}

fn secrets(file: &FileConfig, report: &mut Report) {
    let accounts = file.account.iter().chain(file.venues.iter().filter_map(|venue| venue.account.as_ref()));
    let keys = accounts.map(|account| &account.key_file);
    let alerts =
        file.alerts.iter().flat_map(|alerts| &alerts.channels).flat_map(|channel| channel.secret_files());
    for path in keys.chain(alerts) {
        match std::fs::File::open(path).and_then(|open| open.metadata()) {
            Err(error) => {
                report.bad("secret", format!("{}: {error}", path.display()), "as the user of the service")
            }
            Ok(about) => secret(path, &about, report),
        }
    }
}

/// Operators and their keys, and the second factor, read as the engine reads them; the group that may reach the socket.
fn people(file: &FileConfig, report: &mut Report) -> Option<u32> {
    if let Some(path) = &file.process.totp_file {
        match Factor::read(path, None) {
            Ok(_) => report.ok("secret", format!("{}: a one-time secret", path.display())),
            Err(error) => report.bad("secret", format!("{}: {error}", path.display()), "process.totp_file"),
        }
    }
    match People::read(&file.control) {
        Ok(people) => {
            report.ok(PEOPLE, format!("{} keys, all of them good", file.control.keys.len()));
            people.group
        }
        Err(error) => {
            report.bad(PEOPLE, error, "users, groups and key files of [control]");
            None
        }
    }
}

/// Whether the port can be had; it is given back at once.
fn metrics(address: &str, report: &mut Report) {
    match Port::open(address) {
        Ok(port) => report.ok("metrics", format!("{}: free", port.address())),
        Err(ExporterError::Listen(at, error)) if error.kind() == ErrorKind::AddrInUse => {
            report.warn("metrics", format!("{at}: taken"), "by the engine that runs, or process.metrics")
        }
        Err(error) => report.bad("metrics", error, "process.metrics"),
    }
}

fn secret(path: &Path, about: &Metadata, report: &mut Report) {
    let (path, mode) = (path.display(), about.mode() & 0o777);
    if mode & 0o027 != 0 {
        report.bad(
            "secret",
            format!("{path}: mode {mode:o}, others may read or change it"),
            format!("chmod 600 {path}"),
        );
    } else if about.uid() != geteuid().as_raw() && about.uid() != 0 {
        report.bad(
            "secret",
            format!("{path} belongs to user {}", about.uid()),
            "to the user of the service, or root",
        );
    } else if mode & 0o040 != 0 {
        report.warn(
            "secret",
            format!("{path}: mode {mode:o}, its group may read it"),
            format!("chmod 600 {path}"),
        );
    } else {
        report.ok("secret", format!("{path}: mode {mode:o}"));
    }
}

/// Whether we may make files there; by making one.
fn directory(what: &'static str, dir: &Path, report: &mut Report) -> bool {
    let about = match std::fs::metadata(dir) {
        Ok(about) => about,
        Err(error) => {
            report.warn(
                what,
                format!("{}: {error}", dir.display()),
                "it is made at the first start, if its parent allows",
            );
            return false;
        }
    };
    let trial = dir.join(format!(".smc-doctor-{}", std::process::id()));
    let made = std::fs::OpenOptions::new().write(true).create_new(true).open(&trial);
    let _ = std::fs::remove_file(&trial);
    match made {
        Err(error) => {
            report.bad(what, format!("{}: {error}", dir.display()), "it must be writable for the service")
        }
        Ok(_) if about.mode() & 0o022 != 0 => {
            let todo = format!("chmod go-w {}", dir.display());
            report.bad(
                what,
                format!("{}: mode {:o}, others may write", dir.display(), about.mode() & 0o777),
                todo,
            );
        }
        Ok(_) => report.ok(what, format!("{}: writable, mode {:o}", dir.display(), about.mode() & 0o777)),
    }
    true
}

fn journal_dir(dir: &Path, file: &FileConfig, report: &mut Report) {
    if !directory("journal", dir, report) {
        return;
    }
    if let Ok(found) = rustix::fs::statvfs(dir) {
        let free = found.f_bavail.saturating_mul(found.f_frsize);
        // The segment that is written, and the two that are made ahead.
        let least = file.process.segment_mib.unwrap_or(64).saturating_mul(3 << 20);
        let text = format!("{} MiB free", free >> 20);
        match free {
            free if free < least => report.bad("space", text, format!("{} MiB at least", least >> 20)),
            free if free < 10 * GIB => report.warn("space", text, "smc journal prune, or a larger disk"),
            _ => report.ok("space", text),
        }
    }
    match resume::agree(&JournalSettings::new(dir), &mut file.clone()) {
        // What cannot be read is told below, with the place.
        Ok(_) | Err(ResumeError::Journal(_)) => {}
        Err(error) => report.bad("journal", format!("{}: {error}", dir.display()), "smc run refuses it"),
    }
    let reader = match Reader::open(dir) {
        Ok(reader) => reader,
        Err(smc_journal::JournalError::Empty { .. }) => {
            return report.ok("chain", "no journal yet: the first start makes one");
        }
        Err(error) => return report.bad("chain", error, "smc journal verify; smc journal repair"),
    };
    let Some(last) = reader.segment_places().pop() else {
        return report.ok("chain", "nothing but the first segment");
    };
    let mut records = match reader.records_after(&last) {
        Ok(records) => records,
        Err(damage) => return report.bad("chain", damage, "smc journal verify; smc journal repair"),
    };
    let count = records.by_ref().filter(Result::is_ok).count();
    let text = format!("{count} records from {} on are sound", last.seq.saturating_add(1));
    match records.ending() {
        Some(Ending::Damaged(damage)) => {
            report.bad("chain", damage, "smc journal verify; smc journal repair")
        }
        Some(Ending::Torn { dropped_bytes, .. }) => {
            report.warn(
                "chain",
                format!("{text}, {dropped_bytes} bytes behind them are not"),
                "the next start drops them",
            );
        }
        _ => report.ok("chain", text),
    }
}

fn control_dir(socket: &Path, group: Option<u32>, report: &mut Report) {
    let dir = parent(socket);
    if let Err(error) = std::fs::symlink_metadata(dir) {
        return report.warn("control", format!("{}: {error}", dir.display()), "it is made at the start");
    }
    match directory_is_ours(dir, group) {
        Err(error) => report.bad("control", error, "a directory that the service's user alone may write"),
        Ok(()) => match UnixStream::connect(socket) {
            Ok(_) => report.ok("control", format!("{}: an engine listens", socket.display())),
            Err(_) if socket.exists() => {
                report.ok("control", format!("{}: left by an engine that is gone", socket.display()))
            }
            Err(_) => report.ok("control", format!("{}: free", socket.display())),
        },
    }
}

fn kill_flag(flag: &Path, report: &mut Report) {
    if flag.exists() {
        return report.bad(
            "kill flag",
            format!("{} stands: nothing is traded", flag.display()),
            "remove it when you mean it",
        );
    }
    match rustix::fs::access(parent(flag), rustix::fs::Access::WRITE_OK) {
        Ok(()) => report.ok("kill flag", format!("{}: touch stops everything", flag.display())),
        Err(error) => report.warn(
            "kill flag",
            format!("{}: {error}", flag.display()),
            "who is to stop the engine must be able to make it",
        ),
    }
}

fn parent(path: &Path) -> &Path {
    path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

fn threads(file: &FileConfig, report: &mut Report) {
    let process = &file.process;
    let (topology, idle) = match automatic(process.topology.as_deref(), process.idle.as_deref()) {
        Ok(words) => words,
        Err(error) => return report.bad("threads", error, "process.topology, process.idle"),
    };
    let (busy, cores) = (if topology == Topology::Inline { 1 } else { 3 }, cores());
    let isolated = std::fs::read_to_string("/sys/devices/system/cpu/isolated").unwrap_or_default();
    let isolated = match isolated.trim() {
        "" => "no isolated cores".to_owned(),
        list => format!("isolated: {list}"),
    };
    let text =
        format!("{topology:?}, {idle:?}: {busy} busy threads on {cores} cores, {isolated}").to_lowercase();
    if idle == Idle::Spin && cores <= busy {
        report.bad(
            "threads",
            text,
            "process.idle = \"yield\": spinning threads need a core each, and one must be left",
        );
    } else if process.first_core.is_some_and(|first| first + busy > cores) {
        report.warn("threads", text, "process.first_core counts beyond the cores this process may use");
    } else if process.first_core.is_none() && idle == Idle::Spin {
        report.warn(
            "threads",
            text,
            "process.first_core: spinning threads are best pinned (tuning/README.md)",
        );
    } else {
        report.ok("threads", text);
    }
}

fn channels(file: &FileConfig, report: &mut Report) {
    let Some(alerts) = &file.alerts else {
        return report.warn(
            "alerts",
            "nobody is told when something goes wrong",
            "[alerts] (docs/operations.md)",
        );
    };
    for (name, place) in smc_alerts::places(alerts) {
        let place = match place {
            Ok(place) => place,
            Err(reason) => {
                report.bad("alerts", format!("{name}: {reason}"), "alerts.channel");
                continue;
            }
        };
        let found = place.to_socket_addrs().ok().and_then(|mut found| found.next());
        let outcome = match found {
            None => Err("its name does not resolve".to_owned()),
            Some(address) => TcpStream::connect_timeout(&address, CONNECT).map_err(|error| error.to_string()),
        };
        match outcome {
            Ok(_) => {
                report.ok("alerts", format!("{name}: {place} takes connections; smc alerts --test sends"))
            }
            Err(reason) => {
                report.bad("alerts", format!("{name}: {place}: {reason}"), "network, firewall, address")
            }
        }
    }
    if alerts.channels.len() < 2 {
        report.warn("alerts", "fewer than two channels", "a second way, of another kind");
    }
}

fn clock(is_simulated: bool, report: &mut Report) {
    match clock_sync() {
        None => {
            report.warn("clock", "the kernel does not say whether it is synchronised", "chronyc tracking")
        }
        // A simulated venue has a time of its own.
        Some(found) if !found.is_synchronised => {
            report.note(
                "clock",
                if is_simulated { Verdict::Warn } else { Verdict::Bad },
                "not synchronised: venues refuse requests of another time",
                "chrony or systemd-timesyncd",
            );
        }
        Some(found) if found.error_us_max > CLOCK_ERROR_US_MAX => {
            let text = format!("synchronised, but may be off by {} ms", found.error_us_max / 1_000);
            report.warn("clock", text, "chronyc tracking: a nearer time server");
        }
        Some(found) => report
            .ok("clock", format!("synchronised, off by at most {} ms", found.error_us_max.div_ceil(1_000))),
    }
}

fn limits(report: &mut Report) {
    let files = getrlimit(Resource::Nofile).current;
    let shown = |limit: Option<u64>| limit.map_or_else(|| "unlimited".to_owned(), |limit| limit.to_string());
    match files {
        Some(count) if count < 256 => report.bad("limits", format!("{count} open files"), "LimitNOFILE=4096"),
        Some(count) if count < 1_024 => {
            report.warn("limits", format!("{count} open files"), "LimitNOFILE=4096")
        }
        count => report.ok("limits", format!("{} open files", shown(count))),
    }
    let core = getrlimit(Resource::Core).current;
    if core != Some(0) {
        report.warn("limits", format!("core dumps of {} bytes may hold keys", shown(core)), "LimitCORE=0");
    }
    let memory = getrlimit(Resource::Memlock).current;
    report.ok("limits", format!("{} bytes of locked memory", shown(memory)));
    let (uid, gid) = (geteuid().as_raw(), getegid().as_raw());
    if uid == 0 {
        report.warn("user", "root", "run it as the user of the service: sudo -u smc smc doctor …");
    } else {
        report.ok("user", format!("{uid}, group {gid}"));
    }
}

/// The tables that the binary carries; sessions and trading days rest on them.
fn time_zones(report: &mut Report) {
    let known = ["America/New_York", "Europe/London", "Asia/Tokyo"];
    let absent: Vec<_> = known.into_iter().filter(|zone| jiff::tz::TimeZone::get(zone).is_err()).collect();
    if absent.is_empty() {
        report.ok("zones", "time zones are in the binary");
    } else {
        report.bad("zones", format!("unknown: {}", absent.join(", ")), "another build");
    }
}

fn units(report: &mut Report) {
    let dirs = ["/etc/systemd/system", "/usr/local/lib/systemd/system", "/usr/lib/systemd/system"];
    let path = dirs.iter().map(|dir| Path::new(dir).join("smc.service")).find(|path| path.exists());
    let Some(path) = path else {
        return report.warn("unit", "smc.service is not installed", "tuning/README.md, the service");
    };
    let text = std::fs::read_to_string(&path).unwrap_or_default();
    let has = |line: &str| text.lines().any(|found| found.trim().starts_with(line));
    if has("Type=notify") && has("WatchdogSec=") {
        report.ok("unit", format!("{}: notifies, watched", path.display()));
    } else {
        report.warn(
            "unit",
            format!("{}: without Type=notify or WatchdogSec", path.display()),
            "the unit of this version",
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    fn of<'a>(findings: &'a [Finding], what: &str) -> Vec<&'a Finding> {
        findings.iter().filter(|finding| finding.what == what).collect()
    }

    fn args(config: &Path, journal: &Path, control: &Path) -> Args {
        let (config, journal) = (config.to_owned(), Some(journal.to_owned()));
        Args { config, journal, control: Some(control.to_owned()), json: false }
    }

    const VENUE: &str = "[venue]\nkind = \"binance-spot\"\nmarket = \"127.0.0.1:1\"\norders = \"127.0.0.1:1\"\nrest = \"127.0.0.1:1\"\n";

    /// What is wrong is found by name, with what to do; a torn configuration still has the machine looked at.
    #[test]
    fn what_is_wrong_is_named_and_says_what_to_do() {
        let dir = tempfile::tempdir().unwrap();
        let mode = |path: &Path, mode| {
            std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap()
        };
        let path = |name: &str| dir.path().join(name);
        let (config, journal, control) = (path("smc.toml"), path("journal"), path("run"));
        std::fs::create_dir(&journal).unwrap();
        std::fs::create_dir(&control).unwrap();
        mode(&journal, 0o700);
        mode(&control, 0o775);
        std::fs::write(path("key.pem"), "canary").unwrap();
        std::fs::write(path("totp"), "JBSWY3DPEHPK3PXPJBSWY3DP").unwrap();
        mode(&path("key.pem"), 0o644);
        mode(&path("totp"), 0o600);
        std::fs::write(path("flag"), "").unwrap();
        let preset = crate::presets::find("demo").unwrap().text;
        let text = format!(
            "{preset}\n{VENUE}[account]\napi_key = \"canary\"\nkey_file = \"{0}/key.pem\"\n[process]\ntotp_file = \"{0}/totp\"\nkill_flag = \"{0}/flag\"\nidle = \"yield\"\n",
            dir.path().display()
        );
        std::fs::write(&config, text).unwrap();
        mode(&config, 0o600);
        let findings = examine(&args(&config, &journal, &control.join("control")));
        let verdicts =
            |what: &str| of(&findings, what).iter().map(|finding| finding.verdict).collect::<Vec<_>>();
        assert_eq!(verdicts("config"), [Verdict::Ok]);
        assert_eq!(verdicts("secret"), [Verdict::Bad, Verdict::Ok]);
        assert_eq!((verdicts("journal"), verdicts("chain")), (vec![Verdict::Ok], vec![Verdict::Ok]));
        assert_eq!((verdicts("control"), verdicts("kill flag")), (vec![Verdict::Bad], vec![Verdict::Bad]));
        assert_eq!((verdicts("alerts"), verdicts("zones")), (vec![Verdict::Warn], vec![Verdict::Ok]));
        assert!(of(&findings, "secret")[0].todo.contains("chmod 600"));
        let told = as_table(&findings) + &as_json(&findings).to_string();
        assert!(!told.contains("canary"), "{told}");
        assert!(std::fs::read_dir(&journal).unwrap().next().is_none(), "nothing is left behind");

        // What the engine itself makes, with and without a group.
        for open in [0o700, 0o750, 0o755] {
            mode(&control, open);
            let findings = examine(&args(&config, &journal, &control.join("control")));
            assert_eq!(of(&findings, "control")[0].verdict, Verdict::Ok, "{open:o}");
        }
        std::fs::write(&config, "nonsense").unwrap();
        let findings = examine(&args(&config, &journal, &control));
        assert_eq!(of(&findings, "config")[0].verdict, Verdict::Bad);
        assert!(!of(&findings, "limits").is_empty());
    }

    /// What `smc run` would refuse is found here, by the same functions; and a simulated venue needs no clock of ours.
    #[test]
    fn what_the_start_refuses_is_bad() {
        let dir = tempfile::tempdir().unwrap();
        let path = |name: &str| dir.path().join(name);
        let (config, journal) = (path("smc.toml"), path("journal"));
        std::fs::create_dir(&journal).unwrap();
        let preset = crate::presets::find("demo").unwrap().text;
        let file = FileConfig::parse(preset).unwrap();
        let settings = JournalSettings::new(&journal);
        let header = smc_journal::Header { environment: "sim".into(), ..Default::default() };
        let mut writer = smc_journal::Writer::create(&settings, &header).unwrap();
        let text = file.deciding_text();
        writer.append(smc_journal::RecordKind::Config, smc_core::TsNs(1), text.as_bytes()).unwrap();
        writer.close().unwrap();
        let secret = |name: &str, text: &str, mode: u32| {
            std::fs::write(path(name), text).unwrap();
            std::fs::set_permissions(path(name), std::fs::Permissions::from_mode(mode)).unwrap();
        };
        let venue = |speed: f64| format!("{VENUE}speed = {speed:?}\n");
        let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let more = |speed| {
            format!(
                "{0}[process]\nidle = \"yield\"\nmetrics = \"{1}\"\ntotp_file = \"{2}/totp\"\n[control.keys.canary]\nfile = \"{2}/seal\"\nrole = \"admin\"\noperator = 4000000001\n",
                venue(speed),
                taken.local_addr().unwrap(),
                dir.path().display()
            )
        };
        let verdicts = |text: String| -> Vec<(&'static str, Verdict)> {
            std::fs::write(&config, text).unwrap();
            std::fs::set_permissions(&config, std::fs::Permissions::from_mode(0o600)).unwrap();
            let findings = examine(&args(&config, &journal, &path("control").join("socket")));
            assert!(
                findings.iter().all(|it| it.what != "clock" || it.verdict != Verdict::Bad),
                "{}",
                as_table(&findings)
            );
            let told: Vec<Finding> = findings.iter().cloned().map(Finding::without_people).collect();
            assert!(!as_table(&told).contains("canary"), "{}", as_table(&told));
            let looked = ["config", "journal", "secret", "people", "metrics"];
            let looked = findings.iter().filter(|it| looked.contains(&it.what));
            looked.map(|it| (it.what, it.verdict)).filter(|(_, verdict)| *verdict != Verdict::Ok).collect()
        };
        secret("totp", "JBSWY3DPEHPK3PXPJBSWY3DP", 0o600);
        secret("seal", &"ab".repeat(32), 0o600);
        assert_eq!(verdicts(format!("{preset}\n{}", more(1.0))), [("metrics", Verdict::Warn)]);
        secret("totp", "JBSWY3DPEHPK3PXPJBSWY3DP", 0o640);
        secret("seal", &"ab".repeat(32), 0o640);
        let other =
            preset.replacen("warm_up_bars", "#", 1).replacen("[engine]", "[engine]\nwarm_up_bars = 7", 1);
        assert_eq!(
            verdicts(format!("{other}\n{}", more(0.0))),
            [
                ("config", Verdict::Bad),
                ("journal", Verdict::Bad),
                ("secret", Verdict::Bad),
                ("people", Verdict::Bad),
                ("metrics", Verdict::Warn)
            ]
        );
    }
}
