//! The line that belongs to every figure: where it was measured, and how quiet it was there.

use serde::Serialize;
use std::time::Instant;

/// Where a figure comes from.
#[derive(Clone, Debug, Serialize)]
pub struct Machine {
    /// The processor's own name for itself; a guest's may lie.
    pub cpu: String,
    /// Cores this process may use.
    pub cores: usize,
    /// Kernel release.
    pub kernel: String,
    /// Compiler the workspace is pinned to.
    pub rustc: &'static str,
    /// How this binary was built.
    pub profile: &'static str,
    /// Version of this binary.
    pub version: &'static str,
    /// Load of the last minute when the run began.
    pub load: String,
    /// Part of 200 ms that a spinning thread did not get, in percent, when the run began.
    pub lost_percent: f64,
}

impl Machine {
    /// Looks around; takes a fifth of a second.
    pub fn look() -> Self {
        let read = |path: &str| std::fs::read_to_string(path).unwrap_or_default();
        let cpu = read("/proc/cpuinfo");
        let cpu = cpu.lines().find_map(|line| line.strip_prefix("model name")?.split_once(": "));
        let load = read("/proc/loadavg");
        Self {
            cpu: cpu.map_or("unknown", |(_, name)| name).into(),
            cores: smc_runtime::idle::cores(),
            kernel: read("/proc/sys/kernel/osrelease").trim().into(),
            rustc: env!("CARGO_PKG_RUST_VERSION"),
            profile: profile(),
            version: env!("CARGO_PKG_VERSION"),
            load: load.split(' ').next().unwrap_or_default().into(),
            lost_percent: lost_percent(200),
        }
    }

    /// One line for people.
    pub fn line(&self) -> String {
        format!(
            "{}, {} cores, kernel {}, rustc {}, smc {} ({}), load {}, a spinning thread lost {:.1} %",
            self.cpu,
            self.cores,
            self.kernel,
            self.rustc,
            self.version,
            self.profile,
            self.load,
            self.lost_percent
        )
    }
}

/// Only `dist` aborts on panic.
const fn profile() -> &'static str {
    if cfg!(debug_assertions) {
        "dev"
    } else if cfg!(panic = "abort") {
        "dist"
    } else {
        "release"
    }
}

/// A hiccup meter: the part of so many milliseconds that passed in steps too long to be ours, in percent.
pub fn lost_percent(span_ms: u64) -> f64 {
    const HICCUP_NS: u64 = 5_000;
    let started = Instant::now();
    let (mut last, mut lost) = (0, 0);
    while last < span_ms * 1_000_000 {
        let now = started.elapsed().as_nanos() as u64;
        if now - last > HICCUP_NS {
            lost += now - last;
        }
        last = now;
    }
    lost as f64 * 100.0 / last as f64
}
