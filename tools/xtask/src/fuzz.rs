//! Coverage-guided fuzzing of every parser with libFuzzer, on the stable compiler.
//!
//! The instrumentation flags are the ones `cargo fuzz` passes, without the sanitizer (which needs nightly): a
//! panic, an overflow, an endless loop or memory beyond the limit is a finding. Findings are kept under
//! `tests/fuzz/artifacts/TARGET`, the grown corpus under `tests/fuzz/corpus/TARGET`; neither is committed.

use crate::step::{Step, root};
use std::process::Command;

/// Each with the part of the time it gets: market structure has its laws besides.
const TARGETS: [(&str, u64); 6] =
    [("control", 1), ("frames", 1), ("json", 1), ("journal", 1), ("smc", 2), ("state", 2)];
const TRIPLE: &str = "x86_64-unknown-linux-gnu";
const FLAGS: &str = "-Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4 \
    -Cllvm-args=-sanitizer-coverage-inline-8bit-counters -Cllvm-args=-sanitizer-coverage-pc-table \
    -Cllvm-args=-sanitizer-coverage-trace-compares -Cdebug-assertions -Coverflow-checks \
    -Ccodegen-units=1 --cfg fuzzing";

/// Builds the targets, then runs all of them side by side for `seconds` or its part of them each.
pub fn steps(seconds: u64) -> Vec<Step> {
    let fuzz = root().join("tests/fuzz");
    let manifest = fuzz.join("Cargo.toml");
    let target = root().join("target/fuzz");
    let (manifest, target_text) = (manifest.to_string_lossy(), target.to_string_lossy());
    let build = [
        "build",
        "--release",
        "--target",
        TRIPLE,
        "--manifest-path",
        &manifest,
        "--target-dir",
        &target_text,
    ];
    let run = |(name, part): (&str, u64)| {
        let (corpus, artifacts) = (fuzz.join("corpus").join(name), fuzz.join("artifacts").join(name));
        for dir in [&corpus, &artifacts] {
            // A directory that cannot be made is reported by the fuzzer itself.
            let _ = std::fs::create_dir_all(dir);
        }
        let mut command = Command::new(target.join(TRIPLE).join("release").join(name));
        command
            .arg(&corpus)
            .arg(fuzz.join("seeds").join(name))
            .arg(format!("-artifact_prefix={}/", artifacts.display()))
            .arg(format!("-max_total_time={}", seconds.div_ceil(part)))
            .args([
                "-timeout=10",
                "-rss_limit_mb=2048",
                "-max_len=8192",
                "-print_final_stats=1",
                "-verbosity=0",
            ]);
        command
    };
    vec![
        Step::cargo("fuzz targets build", &build).env("RUSTFLAGS", FLAGS),
        Step::together(
            &format!("fuzzing {} for {seconds} s", TARGETS.map(|(name, _)| name).join(", ")),
            TARGETS.into_iter().map(run).collect(),
        ),
    ]
}
