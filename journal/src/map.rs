//! The memory map: the one home of this crate's `unsafe` memory access, and of the two calls std lacks.
//!
//! A [`Region`] maps a whole segment. Whoever holds it may load words and borrow committed bytes; only a
//! [`Pen`], of which the writer makes one per segment, stores. Files are expected to keep their length while
//! mapped; the helper thread watches for one that does not, and `sigbus` keeps a touch behind its end from killing.

use crate::live::Live;
use crate::record::Source;
use crate::sigbus::MapWatch;
use memmap2::{Advice, MmapOptions, MmapRaw};
use std::fs::File;
use std::io;
use std::os::fd::AsRawFd;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering, compiler_fence};

const PAGE: u64 = 4096;

/// A whole segment in memory, shared with its file.
pub(crate) struct Region {
    /// Dropped before the map, in the order of the fields.
    watch: MapWatch,
    map: MmapRaw,
    len: u64,
}

impl Region {
    /// Maps a file for reading.
    pub fn open(file: &File) -> io::Result<Self> {
        Ok(Self::of(MmapOptions::new().map_raw_read_only(file)?))
    }

    /// Maps a preallocated file for writing. "Random" keeps the kernel from caching it in large folios:
    /// syncing a part of one write-protects all of it, the page being written among it. Measured by
    /// `examples/append_speed.rs`, 200,000 appends at 10 to 16 MB/s, synced each 5 ms: 250 to 1,800 faults on
    /// the writer's thread with large folios, about 10 without.
    pub fn open_for_writing(file: &File) -> io::Result<Self> {
        let map = MmapOptions::new().map_raw(file)?;
        map.advise(Advice::Random)?;
        Ok(Self::of(map))
    }

    fn of(map: MmapRaw) -> Self {
        let len = map.len() as u64;
        Self { watch: MapWatch::of(&map), map, len }
    }

    /// The file was found cut under the map: pages behind its end hold zeros and go nowhere.
    pub fn is_torn(&self) -> bool {
        self.watch.torn().load(Ordering::Acquire)
    }

    /// The file is not what it was: whoever asks will know.
    pub fn tear(&self) {
        self.watch.torn().store(true, Ordering::Release);
    }

    /// Makes the pages of a writable map present and writable without changing them, so that no store there
    /// faults until the next write-back. Cheap where they already are.
    pub fn prefault(&self, from: u64, len: u64) -> io::Result<()> {
        let (from, len) = self.pages(from, len);
        if len == 0 || self.map.advise_range(Advice::PopulateWrite, from, len).is_ok() {
            return Ok(());
        }
        // Before Linux 5.14: touch each page. A compare-exchange with the value found always writes.
        for at in (from..from + len).step_by(PAGE as usize) {
            let Some(word) = self.atomic(at as u64) else { break };
            let found = word.load(Ordering::Relaxed);
            let _ = word.compare_exchange(found, found, Ordering::Relaxed, Ordering::Relaxed);
        }
        Ok(())
    }

    /// Asks the disk to keep these bytes and waits.
    pub fn sync(&self, from: u64, len: u64) -> io::Result<()> {
        let (from, len) = self.pages(from, len);
        if len == 0 { Ok(()) } else { self.map.flush_range(from, len) }
    }

    /// The whole pages around a range, within the map.
    fn pages(&self, from: u64, len: u64) -> (usize, usize) {
        let start = (from & !(PAGE - 1)).min(self.len);
        let end = from.saturating_add(len).next_multiple_of(PAGE).min(self.len);
        (start as usize, end.saturating_sub(start) as usize)
    }

    #[inline]
    fn atomic(&self, offset: u64) -> Option<&AtomicU64> {
        if offset & 7 != 0 || offset.checked_add(8)? > self.len {
            return None;
        }
        // SAFETY: in bounds and aligned (maps start at a page, offset is a multiple of eight, as checked);
        // lives as long as the map, which `self` keeps. Other writers to these words use atomics too.
        Some(unsafe { AtomicU64::from_ptr(self.map.as_mut_ptr().add(offset as usize).cast()) })
    }
}

impl Source for Region {
    #[inline]
    fn len(&self) -> u64 {
        self.len
    }

    #[inline]
    fn word(&self, offset: u64) -> Option<u64> {
        if offset & 7 != 0 || offset.checked_add(8)? > self.len {
            return None;
        }
        // SAFETY: as in `atomic`; a load never writes, so a read-only map will do.
        let word = unsafe { &*self.map.as_ptr().add(offset as usize).cast::<AtomicU64>() };
        Some(word.load(Ordering::Acquire))
    }

    #[inline]
    fn bytes(&self, from: u64, len: u64) -> Option<&[u8]> {
        if from.checked_add(len)? > self.len {
            return None;
        }
        // SAFETY: in bounds of the map, which `self` keeps. Callers ask for bytes behind a commit word they
        // loaded with Acquire, which no writer touches again; where the search behind a torn tail looks at
        // bytes that a live writer may be storing, they are only compared with a checksum and judged again.
        Some(unsafe { core::slice::from_raw_parts(self.map.as_ptr().add(from as usize), len as usize) })
    }
}

/// The writer's end of a segment: the only thing that stores records.
pub(crate) struct Pen {
    live: Arc<Live>,
    /// Start of `live`'s map, which `live` keeps.
    base: *mut u8,
    len: u64,
    torn: &'static AtomicBool,
}

// SAFETY: the pointer is into a map that the `Arc` keeps alive and that is not bound to a thread.
unsafe impl Send for Pen {}

impl Pen {
    /// The caller makes only one per segment: a prepared segment is handed over once.
    pub fn new(live: Arc<Live>) -> Self {
        let (base, len) = (live.region.map.as_mut_ptr(), live.region.len);
        let torn = live.region.watch.torn();
        Self { live, base, len, torn }
    }

    /// The segment written to.
    pub fn live(&self) -> &Live {
        &self.live
    }

    /// The segment written to, for the helper thread.
    pub fn shared(&self) -> Arc<Live> {
        Arc::clone(&self.live)
    }

    /// The file is not under the map any more: what was stored last may have gone nowhere.
    #[inline]
    pub fn is_torn(&self) -> bool {
        // The stores asked about come first: a fault in one of them sets the flag before this load runs.
        compiler_fence(Ordering::SeqCst);
        self.torn.load(Ordering::Relaxed)
    }

    /// Stores a record and commits it: the commit word goes last, with Release. The space must be unwritten;
    /// the padding there is already zero.
    #[inline]
    pub fn write(&mut self, offset: u64, words: [u64; 4], payload: &[u8]) {
        let end = offset + 32 + payload.len() as u64;
        assert!(offset & 7 == 0);
        assert!(end <= self.len);
        // SAFETY: offset is aligned and the record within the map, as asserted; the map is writable
        // (`Live` maps for writing) and `&mut self` of the segment's only pen makes this the only store here.
        // Readers do not look behind a zero commit word, and see these bytes once they see it non-zero.
        unsafe {
            let at = self.base.add(offset as usize);
            let head = at.cast::<u64>();
            head.add(1).write(words[1]);
            head.add(2).write(words[2]);
            head.add(3).write(words[3]);
            core::ptr::copy_nonoverlapping(payload.as_ptr(), at.add(32), payload.len());
            AtomicU64::from_ptr(head).store(words[0], Ordering::Release);
        }
    }
}

/// Reserves every block of a file: later stores need no space and cannot fail for want of it.
pub fn preallocate(file: &File, bytes: u64) -> io::Result<()> {
    let bytes = i64::try_from(bytes).map_err(|_| io::Error::from(io::ErrorKind::InvalidInput))?;
    // SAFETY: a plain call on a descriptor that `file` keeps open.
    match unsafe { libc::posix_fallocate(file.as_raw_fd(), 0, bytes) } {
        0 => Ok(()),
        errno => Err(io::Error::from_raw_os_error(errno)),
    }
}

/// Free and total blocks of the file system a file is on.
pub(crate) fn free_blocks(file: &File) -> io::Result<(u64, u64)> {
    let mut out = core::mem::MaybeUninit::<libc::statvfs>::uninit();
    // SAFETY: the descriptor is open and the buffer is of the type the call fills.
    if unsafe { libc::fstatvfs(file.as_raw_fd(), out.as_mut_ptr()) } != 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the call succeeded, so it filled the buffer.
    let stat = unsafe { out.assume_init() };
    Ok((stat.f_bavail, stat.f_blocks))
}
