//! Prometheus rules, Grafana dashboards and runbooks of `tools/monitoring`: their checks, and a real Prometheus that scrapes a
//! demo and is asked every expression.
//!
//! Python's standard library runs them. Prometheus is the system's package, unpacked under `target/` and not installed: the
//! package would start a service. A machine that has neither is told what it skipped.

use crate::step::{Step, root};
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

const CHECK: &str = "tools/monitoring/check.py";
const LIVE: &str = "tools/monitoring/live.py";
const TESTS: &str = "tools/monitoring/tests";

/// Everything, with a demo that is scraped for so many seconds.
pub fn steps(seconds: u64) -> Vec<Step> {
    let mut steps =
        vec![Step::cargo("the binary that is watched", &["build", "--release", "--package", "smc"])];
    steps.extend(short(seconds));
    steps
}

/// The same in the test command, which has built the binary.
pub fn short(seconds: u64) -> Vec<Step> {
    vec![
        Step::check("Prometheus", install).may_fail(),
        Step::check("rules, dashboards and runbooks", || {
            let smc = target().join("release/smc").into_os_string();
            python(&[CHECK.into(), "--commands".into(), smc])
        }),
        Step::check("their checks can fail", || {
            python(&["-m".into(), "unittest".into(), "discover".into(), TESTS.into()])
        }),
        Step::check("a demo, scraped and asked", move || {
            let smc = target().join("release/smc").into_os_string();
            python(&[LIVE.into(), smc, "--seconds".into(), seconds.to_string().into()])
        }),
    ]
}

fn target() -> PathBuf {
    root().join(std::env::var_os("CARGO_TARGET_DIR").unwrap_or_else(|| "target".into()))
}

/// Where the unpacked package has its programs.
fn unpacked() -> PathBuf {
    target().join("prometheus")
}

/// The machine's own programs first, then the unpacked ones.
fn path() -> Result<OsString, String> {
    let own = std::env::var_os("PATH").unwrap_or_default();
    let all = std::env::split_paths(&own).chain([unpacked().join("usr/bin")]);
    std::env::join_paths(all).map_err(|error| error.to_string())
}

fn is_there(program: &str) -> bool {
    let answers = |program: &Path| {
        let mut command = Command::new(program);
        command.arg("--version").stdout(Stdio::null()).stderr(Stdio::null());
        command.status().is_ok_and(|status| status.success())
    };
    answers(Path::new(program)) || answers(&unpacked().join("usr/bin").join(program))
}

/// From the system's packages, without rights of any kind.
fn install() -> Result<(), String> {
    if is_there("promtool") && is_there("prometheus") {
        return Ok(());
    }
    let home = unpacked();
    let _ = std::fs::remove_dir_all(&home);
    std::fs::create_dir_all(&home).map_err(|error| format!("{}: {error}", home.display()))?;
    run(Command::new("apt-get").args(["download", "prometheus"]).current_dir(&home))?;
    let files = std::fs::read_dir(&home).map_err(|error| format!("{}: {error}", home.display()))?;
    let mut paths = files.filter_map(Result::ok).map(|file| file.path());
    let package = paths.find(|path| path.extension().is_some_and(|end| end == "deb"));
    let package = package.ok_or("apt-get downloaded no package")?;
    run(Command::new("dpkg-deb").arg("--extract").arg(package).arg(&home))
}

/// A program of the monitoring, with Prometheus on its path. A machine without Python is told what it skipped.
fn python(words: &[OsString]) -> Result<(), String> {
    if !is_there("python3") {
        println!("skipped: no python3 on this machine");
        return Ok(());
    }
    run(Command::new("python3").args(words).env("PATH", path()?).current_dir(root()))
}

fn run(command: &mut Command) -> Result<(), String> {
    match command.status() {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => Err(format!("{:?}: {status}", command.get_program())),
        Err(error) => Err(format!("{:?}: {error}", command.get_program())),
    }
}
