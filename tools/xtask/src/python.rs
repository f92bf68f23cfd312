//! Virtual environments of Python packages, under `target/`: made once, kept while they are complete.

use crate::step::root;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// One environment.
pub struct Environment {
    /// Its directory under `target/`.
    pub name: &'static str,
    /// What pip installs, paths from the workspace's root.
    pub packages: &'static [&'static str],
    /// What tells that it is complete.
    pub imports: &'static str,
    /// A variable that names another Python, which takes the place of all this.
    pub variable: &'static str,
}

impl Environment {
    /// The interpreter, whether or not it is there.
    pub fn python(&self) -> PathBuf {
        std::env::var_os(self.variable).map_or_else(|| self.path().join("bin/python"), PathBuf::from)
    }

    /// Makes the environment unless it is there and complete.
    pub fn make(&self) -> Result<(), String> {
        if std::env::var_os(self.variable).is_some() || self.is_complete(&self.python()) {
            return Ok(());
        }
        let made =
            run(Command::new("python3").args(["-m", "venv", "--clear"]).arg(self.path())).and_then(|()| {
                let install =
                    ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--retries", "1"];
                run(Command::new(self.python()).args(install).args(self.packages))
            });
        if made.is_err() {
            // Half an environment would fail the test; without one it says that it skipped.
            let _ = std::fs::remove_dir_all(self.path());
        }
        made
    }

    fn path(&self) -> PathBuf {
        root().join("target").join(self.name)
    }

    fn is_complete(&self, python: &Path) -> bool {
        let mut command = Command::new(python);
        command.args(["-c", &format!("import {}", self.imports)]).stdout(Stdio::null()).stderr(Stdio::null());
        command.status().is_ok_and(|status| status.success())
    }
}

fn run(command: &mut Command) -> Result<(), String> {
    match command.current_dir(root()).status() {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => Err(format!("{:?}: {status}", command.get_program())),
        Err(error) => Err(format!("{:?}: {error}", command.get_program())),
    }
}
