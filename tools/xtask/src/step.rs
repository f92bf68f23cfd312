//! A step of a task: a named command, timed, whose failure ends the task.

use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::time::Instant;

/// One thing to do.
pub struct Step {
    name: String,
    work: Work,
    may_fail: bool,
}

enum Work {
    Command(Box<Command>),
    Check(Box<dyn FnOnce() -> Result<(), String>>),
    /// Commands side by side.
    Together(Vec<Command>),
}

impl Step {
    /// A cargo command in the workspace.
    pub fn cargo(name: &str, args: &[&str]) -> Self {
        let cargo = std::env::var("CARGO").unwrap_or_else(|_| "cargo".into());
        Self::program(name, &cargo, args)
    }

    /// Any command in the workspace.
    pub fn program(name: &str, program: &str, args: &[&str]) -> Self {
        let mut command = Command::new(program);
        command.args(args).current_dir(root());
        Self { name: name.into(), work: Work::Command(Box::new(command)), may_fail: false }
    }

    /// Something this program looks at itself.
    pub fn check(name: &str, check: impl FnOnce() -> Result<(), String> + 'static) -> Self {
        Self { name: name.into(), work: Work::Check(Box::new(check)), may_fail: false }
    }

    /// Commands that run side by side; the step fails when one does.
    pub fn together(name: &str, commands: Vec<Command>) -> Self {
        Self { name: name.into(), work: Work::Together(commands), may_fail: false }
    }

    /// Its failure is told and does not end the task.
    pub fn may_fail(mut self) -> Self {
        self.may_fail = true;
        self
    }

    /// Sets a variable of the command's environment.
    pub fn env(mut self, key: &str, value: &str) -> Self {
        if let Work::Command(command) = &mut self.work {
            command.env(key, value);
        }
        self
    }

    fn run(self) -> Result<(), String> {
        match self.work {
            Work::Command(mut command) => status(command.status()),
            Work::Check(check) => check(),
            Work::Together(commands) => {
                let children: Vec<_> = commands.into_iter().map(|mut command| command.spawn()).collect();
                let ends = children.into_iter().map(|child| status(child.and_then(|mut child| child.wait())));
                ends.collect::<Vec<_>>().into_iter().collect()
            }
        }
    }
}

fn status(ended: std::io::Result<std::process::ExitStatus>) -> Result<(), String> {
    match ended {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => Err(status.to_string()),
        Err(error) => Err(error.to_string()),
    }
}

/// Runs the steps in order and says how long each took; stops at the first that fails.
pub fn run_all(steps: Vec<Step>) -> ExitCode {
    let mut times = Vec::new();
    let (count, begun) = (steps.len(), Instant::now());
    for (nth, step) in steps.into_iter().enumerate() {
        let (name, may_fail, started) = (step.name.clone(), step.may_fail, Instant::now());
        println!("\n==> {}/{count} {name} ({:.0} s)", nth + 1, begun.elapsed().as_secs_f64());
        let outcome = step.run();
        let seconds = started.elapsed().as_secs_f64();
        match outcome {
            Ok(()) => times.push(format!("{seconds:>7.1} s  {name}")),
            Err(error) if may_fail => times.push(format!("{seconds:>7.1} s  {name} (skipped: {error})")),
            Err(error) => {
                eprintln!("\nxtask: {name} failed: {error}");
                return ExitCode::FAILURE;
            }
        }
    }
    let seconds = begun.elapsed().as_secs_f64();
    println!("\nall done in {seconds:.0} s:\n{}", times.join("\n"));
    ExitCode::SUCCESS
}

/// The workspace's root.
pub fn root() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.ancestors().nth(2).unwrap_or(here).to_owned()
}
