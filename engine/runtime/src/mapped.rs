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

/// Which kind of file it is.
#[derive(Clone, Copy, Debug)]
pub struct Kind {
    /// First eight bytes.
    pub magic: [u8; 8],
    /// Its layout.
    pub version: u64,
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

/// What the file holds: every field a word that each side may touch at any time.
#[repr(C)]
struct Layout<const WORDS: usize> {
    magic: AtomicU64,
    version: AtomicU64,
    pid: AtomicU64,
    started_ticks: AtomicU64,
    words: [AtomicU64; WORDS],
}

/// A mapping that is long enough for the layout.
struct Map<const WORDS: usize> {
    /// Whoever cuts the file must not stop the engine. Dropped before the map.
    _watch: MapWatch,
    map: MmapRaw,
}

impl<const WORDS: usize> Map<WORDS> {
    const BYTES: usize = size_of::<Layout<WORDS>>();

    /// None where the file is too short.
    fn new(map: MmapRaw) -> Option<Self> {
        (map.len() >= Self::BYTES).then(|| Self { _watch: MapWatch::of(&map), map })
    }

    /// How many words there are is known when compiling, so that a store to a named one is a store and no more.
    #[inline]
    fn layout(&self) -> &Layout<WORDS> {
        // SAFETY: a mapping is page-aligned, hence aligned for words; it is at least that long (checked by `new`, the only
        // way to make one); every bit pattern is a u64; all access, here and in other processes, is atomic; the reference
        // lives no longer than the borrow of the map.
        unsafe { &*self.map.as_mut_ptr().cast() }
    }
}

/// The writer's end of so many words.
pub(crate) struct Mapped<const WORDS: usize>(Map<WORDS>);

/// A reader's end.
pub(crate) struct MappedView<const WORDS: usize>(Map<WORDS>);

impl<const WORDS: usize> Mapped<WORDS> {
    /// Makes (or makes anew) the file `path`.
    pub fn create(path: &Path, kind: Kind) -> io::Result<Self> {
        let file = OpenOptions::new().read(true).write(true).create(true).truncate(true).open(path)?;
        // Reserved, not only long: a store into a hole of a full disk would kill the thread that stores.
        preallocate(&file, Map::<WORDS>::BYTES as u64)?;
        let map = Map::new(MmapOptions::new().len(Map::<WORDS>::BYTES).map_raw(&file)?);
        let made = Self(map.ok_or_else(|| io::Error::other("mapped shorter than asked for"))?);
        let (pid, layout) = (std::process::id(), made.0.layout());
        layout.version.store(kind.version, Ordering::Relaxed);
        layout.pid.store(u64::from(pid), Ordering::Relaxed);
        layout.started_ticks.store(Process::of(pid).map_or(0, |own| own.started_ticks), Ordering::Relaxed);
        layout.magic.store(u64::from_le_bytes(kind.magic), Ordering::Release);
        Ok(made)
    }

    /// Word `at`.
    #[inline]
    pub fn word(&self, at: usize) -> &AtomicU64 {
        &self.0.layout().words[at]
    }
}

impl<const WORDS: usize> MappedView<WORDS> {
    /// Maps an existing file; refuses what is not of this kind and version.
    pub fn open(path: &Path, kind: Kind) -> io::Result<Self> {
        let file = OpenOptions::new().read(true).open(path)?;
        let map = Map::<WORDS>::new(MmapOptions::new().map_raw_read_only(&file)?);
        let is_ours = |map: &Map<WORDS>| {
            let layout = map.layout();
            layout.magic.load(Ordering::Acquire) == u64::from_le_bytes(kind.magic)
                && layout.version.load(Ordering::Relaxed) == kind.version
        };
        let map = map.filter(is_ours).ok_or_else(|| io::Error::other("another kind or version of file"))?;
        Ok(Self(map))
    }

    /// The word that was stored last with release: what was stored before it is seen too.
    pub fn latest(&self, at: usize) -> u64 {
        self.0.layout().words[at].load(Ordering::Acquire)
    }

    /// Word `at`, now.
    pub fn word(&self, at: usize) -> u64 {
        self.0.layout().words[at].load(Ordering::Relaxed)
    }

    /// Who writes it.
    pub fn writer(&self) -> Process {
        let layout = self.0.layout();
        let pid = layout.pid.load(Ordering::Relaxed);
        let started_ticks = layout.started_ticks.load(Ordering::Relaxed);
        Process { pid: u32::try_from(pid).unwrap_or(0), started_ticks }
    }
}
