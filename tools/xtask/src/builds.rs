//! The same journal, replayed by programs that were built in different ways, comes to the same digest: with and without
//! optimisation and checked arithmetic, and for processors with other instructions.

use crate::step::{Step, root};
use std::process::Command;

/// Name, profile flags, compiler flags. What this machine cannot run is left out.
const WAYS: [(&str, &[&str], &str); 3] = [
    ("debug", &[], ""),
    ("release", &["--release"], ""),
    ("release for x86-64-v3", &["--release"], "-C target-cpu=x86-64-v3"),
];

pub fn steps() -> Vec<Step> {
    vec![
        Step::cargo("the binary that makes a journal", &["build", "--release", "--package", "smc"]),
        Step::check("builds agree on a digest", agree),
    ]
}

fn agree() -> Result<(), String> {
    let home = root().join("target").join("builds");
    let _ = std::fs::remove_dir_all(home.join("journal"));
    std::fs::create_dir_all(&home).map_err(|error| format!("{}: {error}", home.display()))?;
    let mut demo = Command::new(root().join("target/release/smc"));
    demo.args(["demo", "--fast", "--headless", "--json", "--seconds", "20", "--journal"])
        .arg(home.join("journal"));
    let document = output(&mut demo)?;
    let digest = document.split("\"digest\":\"").nth(1).and_then(|rest| rest.get(..32));
    let digest = digest.ok_or_else(|| format!("no digest in {document}"))?;
    println!("{digest}  the live run");
    let has_v3 = !cfg!(target_arch = "x86_64") || runs_v3();
    for (name, profile, flags) in WAYS {
        if flags.contains("v3") && !has_v3 {
            println!("skipped: this processor does not run {name}");
            continue;
        }
        let cargo = std::env::var("CARGO").unwrap_or_else(|_| "cargo".into());
        let mut command = Command::new(cargo);
        command.args(["run", "--quiet", "--package", "smc-replay", "--example", "digest"]).args(profile);
        command.arg("--").arg(home.join("journal/journal"));
        command.current_dir(root());
        if !flags.is_empty() {
            // A target of its own, or cargo would build everything anew at every change of flags.
            let target = home.join(name.replace(' ', "-"));
            command.env("CARGO_TARGET_DIR", target).env("RUSTFLAGS", flags);
        }
        let found = output(&mut command).map_err(|error| format!("{name}: {error}"))?;
        println!("{}  {name}", found.trim());
        if found.trim() != digest {
            return Err(format!("{name} comes to another digest"));
        }
    }
    Ok(())
}

#[cfg(target_arch = "x86_64")]
fn runs_v3() -> bool {
    std::arch::is_x86_feature_detected!("avx2") && std::arch::is_x86_feature_detected!("bmi2")
}

#[cfg(not(target_arch = "x86_64"))]
fn runs_v3() -> bool {
    false
}

fn output(command: &mut Command) -> Result<String, String> {
    let done = command.output().map_err(|error| error.to_string())?;
    if done.status.success() {
        return Ok(String::from_utf8_lossy(&done.stdout).into_owned());
    }
    Err(format!("{}: {}", done.status, String::from_utf8_lossy(&done.stderr)))
}
