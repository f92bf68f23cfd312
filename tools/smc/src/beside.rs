//! Programs of their own: `smc NAME` is `smc-NAME`, which lies beside this binary, as with git and cargo.

use crate::failure::{Failure, Outcome};
use std::ffi::OsStr;
use std::os::unix::process::CommandExt;
use std::process::Command;

/// Those that belong to this project; others are started as well where they are there.
const PROGRAMS: &[&str] = &["parquet"];

/// Becomes the program `smc-NAME`; comes back only to say why not.
pub fn start<S: AsRef<OsStr>>(name: &str, args: impl IntoIterator<Item = S>) -> Outcome {
    let is_name = !name.is_empty()
        && name.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-');
    if !is_name {
        return Err(no_command(name));
    }
    let program = format!("smc-{name}");
    let here = std::env::current_exe().map_err(|error| Failure::wrong("smc", error))?;
    let path = here.with_file_name(&program);
    if !path.exists() && PROGRAMS.contains(&name) {
        let (path, build) = (path.display(), format!("cargo build --release -p {program}"));
        return Err(Failure::Wrong(format!("{path} is absent; it is a program of its own: {build}")));
    }
    if !path.exists() {
        return Err(no_command(name));
    }
    Err(Failure::wrong(path.display(), Command::new(&path).args(args).exec()))
}

fn no_command(name: &str) -> Failure {
    Failure::Wrong(format!("no command `{name}`; see smc --help"))
}
