//! What the kernel says of the machine and of the engine's process, and how late a sleeping thread wakes.

use smc_runtime::latency::Bucketed;
use smc_runtime::mapped::Process;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// How long the thread that measures lateness sleeps.
const NAP: Duration = Duration::from_millis(20);

/// Figures of one process.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct ProcessUse {
    /// Memory that is in RAM.
    pub resident_bytes: u64,
    /// Processor time, seconds.
    pub cpu_seconds: f64,
    /// Since it started, seconds.
    pub up_seconds: f64,
}

/// Of a process that lives; none where the kernel does not say.
pub fn process_use(process: Process) -> Option<ProcessUse> {
    let read = |name: &str| std::fs::read_to_string(format!("/proc/{}/{name}", process.pid)).ok();
    let ticks = rustix::param::clock_ticks_per_second() as f64;
    let (stat, statm) = (read("stat")?, read("statm")?);
    // Fields 14 and 15 of proc_pid_stat(5), counted behind the name, which ends the second.
    let mut fields = stat.rsplit_once(')')?.1.split_ascii_whitespace().skip(11);
    let (user, system): (u64, u64) = (fields.next()?.parse().ok()?, fields.next()?.parse().ok()?);
    let pages: u64 = statm.split_ascii_whitespace().nth(1)?.parse().ok()?;
    let uptime = std::fs::read_to_string("/proc/uptime").ok()?;
    let uptime: f64 = uptime.split_ascii_whitespace().next()?.parse().ok()?;
    Some(ProcessUse {
        resident_bytes: pages.saturating_mul(rustix::param::page_size() as u64),
        cpu_seconds: user.saturating_add(system) as f64 / ticks,
        up_seconds: (uptime - process.started_ticks as f64 / ticks).max(0.0),
    })
}

/// Mean number of processes that want to run, over a minute.
pub fn load1() -> Option<f64> {
    std::fs::read_to_string("/proc/loadavg").ok()?.split_ascii_whitespace().next()?.parse().ok()
}

/// Bytes that an ordinary user may still write where `dir` is.
pub fn disk_free(dir: &Path) -> Option<u64> {
    let stat = rustix::fs::statvfs(dir).ok()?;
    Some(stat.f_bavail.saturating_mul(stat.f_frsize))
}

/// Bytes that the files in `dir` take up on the disk.
pub fn disk_used(dir: &Path) -> Option<u64> {
    use std::os::unix::fs::MetadataExt;
    let files = std::fs::read_dir(dir).ok()?.filter_map(|entry| entry.ok()?.metadata().ok());
    // A block is 512 bytes here, whatever the file system's is (stat(2)).
    Some(files.filter(std::fs::Metadata::is_file).map(|meta| meta.blocks().saturating_mul(512)).sum())
}

/// How late a thread of ordinary priority is woken: what the machine does to everybody who is not pinned and spinning.
pub struct Jitter {
    late: Arc<Mutex<Bucketed>>,
    stop: Arc<AtomicBool>,
}

impl Jitter {
    /// Begins to measure.
    pub fn start() -> std::io::Result<Self> {
        let (late, stop): (Arc<Mutex<Bucketed>>, Arc<AtomicBool>) = Default::default();
        let (into, until) = (late.clone(), stop.clone());
        let body = move || {
            while !until.load(Ordering::Acquire) {
                let began = Instant::now();
                std::thread::sleep(NAP);
                let late = began.elapsed().saturating_sub(NAP);
                let nanos = u64::try_from(late.as_nanos()).unwrap_or(u64::MAX);
                into.lock().unwrap_or_else(PoisonError::into_inner).note(nanos);
            }
        };
        std::thread::Builder::new().name("jitter".into()).spawn(body)?;
        Ok(Self { late, stop })
    }

    /// So far.
    pub fn late(&self) -> Bucketed {
        *self.late.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Jitter {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Release);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kernel_is_understood() {
        let own = Process::of(std::process::id()).unwrap();
        let used = process_use(own).unwrap();
        assert!((1 << 16..1 << 40).contains(&used.resident_bytes), "{used:?}");
        assert!((0.0..1e7).contains(&used.up_seconds) && used.cpu_seconds >= 0.0, "{used:?}");
        assert!(load1().is_some_and(|load| load >= 0.0));
        let dir = tempfile::tempdir().unwrap();
        assert!(disk_free(dir.path()).is_some_and(|free| free > 0));
        std::fs::write(dir.path().join("a"), vec![1; 100_000]).unwrap();
        assert!(disk_used(dir.path()).is_some_and(|used| used < 1 << 20));
        assert!(disk_free(&dir.path().join("none")).is_none());
    }
}
