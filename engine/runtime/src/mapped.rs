//! Numbers in a mapped file: one writer, any number of readers in any process.
//!
//! ```text
//! little-endian u64 words
//! | magic | version | pid | start of that process, clock ticks since boot | word 0 | word 1 | …
//! ```
//!
//! A plain relaxed store per change; a reader may be slow, late or dead. Words are independent: a reader may see one newer
//! than another. A process's number may be another's later; with the tick at which it started it is not.

use memmap2::{MmapOptions, MmapRaw};
use smc_journal::{MapWatch, preallocate};
use std::fs::OpenOptions;
use std::io;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};

const HEADER_WORDS: usize = 4;

/// Which kind of file it is.
#[derive(Clone, Copy, Debug)]
pub struct Kind {
    /// First eight bytes.
    pub magic: [u8; 8],
    /// Its layout.
    pub version: u64,
    /// Words behind the header.
    pub words: usize,
}

impl Kind {
    const fn bytes(&self) -> usize {
        (HEADER_WORDS + self.words) * 8
    }
}

/// A process, told apart from later ones with the same number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Process {
    /// Its number.
    pub pid: u32,
    /// When it started, in clock ticks since the machine did.
    pub started_ticks: u64,
}

impl Process {
    /// The process of that number; none where there is none, or the system does not say.
    pub fn of(pid: u32) -> Option<Self> {
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        // The name, in parentheses, may hold anything. What stands behind it begins with the third field; the start is the
        // 22nd (proc_pid_stat(5)). Z and X have ended, and nobody has asked how yet.
        let mut fields = stat.rsplit_once(')')?.1.split_ascii_whitespace();
        let is_over = matches!(fields.next()?, "Z" | "X");
        let started_ticks = fields.nth(18)?.parse().ok()?;
        (!is_over).then_some(Self { pid, started_ticks })
    }

    /// It is still there.
    pub fn is_alive(&self) -> bool {
        Self::of(self.pid) == Some(*self)
    }
}

/// The writer's end.
pub(crate) struct Mapped {
    /// Whoever cuts the file must not stop the engine. Dropped before the map.
    _watch: MapWatch,
    map: MmapRaw,
    kind: Kind,
}

/// A reader's end.
pub(crate) struct MappedView {
    _watch: MapWatch,
    map: MmapRaw,
    kind: Kind,
}

fn words<'a>(map: &'a MmapRaw, kind: &Kind) -> &'a [AtomicU64] {
    assert!(map.len() >= kind.bytes());
    // SAFETY: a mapping is page-aligned, hence 8-byte aligned; it is at least that long (asserted above); every bit
    // pattern is a u64; all access, here and in other processes, is atomic; the slice lives no longer than the borrow
    // of the map.
    unsafe { std::slice::from_raw_parts(map.as_mut_ptr().cast(), kind.bytes() / 8) }
}

impl Mapped {
    /// Makes (or makes anew) the file `path`.
    pub fn create(path: &Path, kind: Kind) -> io::Result<Self> {
        let file = OpenOptions::new().read(true).write(true).create(true).truncate(true).open(path)?;
        // Reserved, not only long: a store into a hole of a full disk would kill the thread that stores.
        preallocate(&file, kind.bytes() as u64)?;
        let map = MmapOptions::new().len(kind.bytes()).map_raw(&file)?;
        let made = Self { _watch: MapWatch::of(&map), map, kind };
        let pid = std::process::id();
        let header = words(&made.map, &kind);
        header[1].store(kind.version, Ordering::Relaxed);
        header[2].store(u64::from(pid), Ordering::Relaxed);
        header[3].store(Process::of(pid).map_or(0, |own| own.started_ticks), Ordering::Relaxed);
        header[0].store(u64::from_le_bytes(kind.magic), Ordering::Release);
        Ok(made)
    }

    /// Word `at`.
    #[inline]
    pub fn word(&self, at: usize) -> &AtomicU64 {
        &words(&self.map, &self.kind)[HEADER_WORDS + at]
    }
}

impl MappedView {
    /// Maps an existing file; refuses what is not of this kind and version.
    pub fn open(path: &Path, kind: Kind) -> io::Result<Self> {
        let file = OpenOptions::new().read(true).open(path)?;
        let map = MmapOptions::new().map_raw_read_only(&file)?;
        let is_ours = map.len() >= kind.bytes() && {
            let header = words(&map, &kind);
            header[0].load(Ordering::Acquire) == u64::from_le_bytes(kind.magic)
                && header[1].load(Ordering::Relaxed) == kind.version
        };
        if is_ours {
            Ok(Self { _watch: MapWatch::of(&map), map, kind })
        } else {
            Err(io::Error::other("another kind or version of file"))
        }
    }

    /// Word `at`, now.
    pub fn word(&self, at: usize) -> u64 {
        words(&self.map, &self.kind)[HEADER_WORDS + at].load(Ordering::Relaxed)
    }

    /// Who writes it.
    pub fn writer(&self) -> Process {
        let header = words(&self.map, &self.kind);
        let pid = header[2].load(Ordering::Relaxed);
        let started_ticks = header[3].load(Ordering::Relaxed);
        Process { pid: u32::try_from(pid).unwrap_or(0), started_ticks }
    }
}
