//! The deployed binary built once more for the way it is taken: an instrumented build trades at the simulated venue, and
//! what it did most is laid out for the processor (profile-guided optimisation).
//!
//! Needs `llvm-profdata` of the compiler's own LLVM: rustup's `llvm-tools`, or the system's package `llvm-22`.

use crate::step::{Step, root};
use std::path::PathBuf;
use std::process::Command;

/// Runs that the profile is taken from: all that a live engine does most, on generated markets.
const TRAINING: [&[&str]; 4] = [
    &["bench", "wire", "--transport", "tls", "--load", "closed", "--rounds", "3", "--seconds", "1", "--json"],
    &[
        "bench",
        "wire",
        "--transport",
        "tls",
        "--load",
        "open_2k",
        "--rounds",
        "1",
        "--seconds",
        "1",
        "--json",
    ],
    &["bench", "engine", "--passes", "1", "--json"],
    &["bench", "stages", "--seconds", "1", "--json"],
];

pub fn steps() -> Vec<Step> {
    vec![
        Step::check("an instrumented binary", instrumented),
        Step::check("it trades", train),
        Step::check("the binary, laid out by what it did", optimised),
    ]
}

fn home() -> PathBuf {
    root().join("target").join("pgo")
}

fn instrumented() -> Result<(), String> {
    let raw = home().join("raw");
    let _ = std::fs::remove_dir_all(&raw);
    profdata()?;
    build("instrumented", &format!("-Cprofile-generate={}", raw.display()))
}

fn train() -> Result<(), String> {
    let program = home().join("instrumented/dist/smc");
    for words in TRAINING {
        println!("smc {}", words.join(" "));
        run(Command::new(&program).args(words).stdout(std::process::Stdio::null()))?;
    }
    let raw = std::fs::read_dir(home().join("raw")).map_err(|error| error.to_string())?;
    let raw: Vec<PathBuf> = raw.filter_map(|entry| Some(entry.ok()?.path())).collect();
    run(Command::new(profdata()?).arg("merge").arg("-o").arg(home().join("merged.profdata")).args(raw))
}

fn optimised() -> Result<(), String> {
    build("optimised", &format!("-Cprofile-use={}", home().join("merged.profdata").display()))?;
    println!("{}", home().join("optimised/dist/smc").display());
    Ok(())
}

fn build(name: &str, flags: &str) -> Result<(), String> {
    let cargo = std::env::var("CARGO").unwrap_or_else(|_| "cargo".into());
    let mut command = Command::new(cargo);
    command.args(["build", "--profile", "dist", "--package", "smc"]).current_dir(root());
    run(command.env("CARGO_TARGET_DIR", home().join(name)).env("RUSTFLAGS", flags))
}

/// The first that runs: the toolchain's own, the system's of the same version, any.
fn profdata() -> Result<String, String> {
    let own = Command::new("rustc").args(["--print", "target-libdir"]).current_dir(root()).output();
    let own = own.map(|out| String::from_utf8_lossy(&out.stdout).trim().to_owned()).unwrap_or_default();
    let own = PathBuf::from(own).join("../bin/llvm-profdata").display().to_string();
    let found = [own, "llvm-profdata-22".to_owned(), "llvm-profdata".to_owned()]
        .into_iter()
        .find(|name| Command::new(name).arg("--version").output().is_ok_and(|out| out.status.success()));
    found.ok_or_else(|| {
        "no llvm-profdata: `rustup component add llvm-tools`, or the system's package llvm-22".to_owned()
    })
}

fn run(command: &mut Command) -> Result<(), String> {
    match command.status() {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => Err(format!("{command:?}: {status}")),
        Err(error) => Err(format!("{command:?}: {error}")),
    }
}
