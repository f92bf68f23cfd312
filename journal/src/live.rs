//! What the writer and its helper thread share: the segment being written, its marks, and the health word.
//!
//! Each mark has one writer: the hot thread stores `committed`, `last_crc`, `first_seq` and `is_left`; the helper
//! stores health and the synced mark. Only that a file was cut may be found, and told, by either.

use crate::map::Region;
use std::fmt;
use std::fs::File;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};

/// A segment in use or prepared for use.
pub(crate) struct Live {
    pub number: u32,
    pub path: PathBuf,
    pub file: File,
    pub region: Region,
    pub marks: Marks,
}

/// Stored by the hot thread, read by the helper. On lines of their own.
#[repr(align(128))]
#[derive(Default)]
pub(crate) struct Marks {
    /// Everything below is committed. 0 while the segment is a spare.
    pub committed: AtomicU64,
    /// Number of the first record; valid once `committed` is not zero.
    pub first_seq: AtomicU64,
    /// Checksum before the first record; valid once `committed` is not zero.
    pub first_prev_crc: AtomicU32,
    /// The writer has gone on and does not come back.
    pub is_left: AtomicBool,
}

/// What the helper tells the writer. On a line that only trouble dirties.
#[repr(align(128))]
#[derive(Default)]
pub(crate) struct Board {
    health: AtomicU64,
    /// Sum of bytes synced, as the writer counts bytes committed.
    pub synced_total: AtomicU64,
    /// The same of bytes that the mirror's disk keeps; the mirror's thread stores it.
    pub mirrored_total: AtomicU64,
    pub is_stopping: AtomicBool,
    /// Makes the next sync fail, as a disk would.
    #[cfg(test)]
    pub fail_sync: AtomicBool,
}

/// The state of the writer's helper thread, in one word.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub struct Health(u64);

impl Health {
    pub(crate) const SYNC_FAILED: u64 = 1;
    pub(crate) const PREPARE_FAILED: u64 = 2;
    pub(crate) const CUT: u64 = 4;
    pub(crate) const HELPER_GONE: u64 = 8;
    pub(crate) const LOW_SPACE: u64 = 16;
    pub(crate) const MIRROR_FAILED: u64 = 32;
    const TROUBLE: u64 = Self::SYNC_FAILED | Self::PREPARE_FAILED | Self::CUT | Self::HELPER_GONE;

    /// Nothing is wrong with the journal; little free space alone is not wrong yet, and a mirror is only a copy.
    pub fn is_ok(self) -> bool {
        self.0 & Self::TROUBLE == 0
    }

    /// The disk refused to keep bytes. Stays: nothing is synced any more. Halt, keep cancels.
    pub fn sync_failed(self) -> bool {
        self.0 & Self::SYNC_FAILED != 0
    }

    /// The next segment cannot be had (disk full, quota). Goes away when it can.
    pub fn prepare_failed(self) -> bool {
        self.0 & Self::PREPARE_FAILED != 0
    }

    /// A segment in use was cut or deleted. Stays.
    pub fn is_cut(self) -> bool {
        self.0 & Self::CUT != 0
    }

    /// The helper thread ended though it was not told to. Stays.
    pub fn helper_gone(self) -> bool {
        self.0 & Self::HELPER_GONE != 0
    }

    /// Less than a fifth of the file system is free.
    pub fn low_space(self) -> bool {
        self.0 & Self::LOW_SPACE != 0
    }

    /// The mirror is no longer written. Stays until the journal is resumed; trading need not stop for it.
    pub fn mirror_failed(self) -> bool {
        self.0 & Self::MIRROR_FAILED != 0
    }

    /// The operating system's error number of the last trouble, 0 if it had none.
    pub fn errno(self) -> i32 {
        (self.0 >> 32) as i32
    }
}

impl Board {
    #[inline]
    pub fn health(&self) -> Health {
        Health(self.health.load(Ordering::Relaxed))
    }

    #[inline]
    pub fn is_cut(&self) -> bool {
        self.health().is_cut()
    }

    /// Sets a flag and, if it came with one, the error number. Rare: two threads may do so.
    pub fn raise(&self, flag: u64, errno: i32) {
        let with = |old: u64| {
            let errno = if errno == 0 { old >> 32 } else { u64::from(errno as u32) };
            Some((old & 0xFFFF_FFFF) | flag | errno << 32)
        };
        let _ = self.health.fetch_update(Ordering::Release, Ordering::Relaxed, with);
    }

    pub fn lower(&self, flag: u64) {
        if self.health.load(Ordering::Relaxed) & flag != 0 {
            self.health.fetch_and(!flag, Ordering::Release);
        }
    }
}

impl fmt::Display for Health {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let words = [
            (Self::SYNC_FAILED, "sync failed"),
            (Self::PREPARE_FAILED, "next segment cannot be had"),
            (Self::CUT, "segment file cut or deleted"),
            (Self::HELPER_GONE, "helper thread gone"),
            (Self::LOW_SPACE, "less than 20 % of the disk free"),
            (Self::MIRROR_FAILED, "mirror no longer written"),
        ];
        let mut separator = "";
        for (flag, text) in words {
            if self.0 & flag != 0 {
                write!(f, "{separator}{text}")?;
                separator = ", ";
            }
        }
        if separator.is_empty() {
            return f.write_str("ok");
        }
        match self.errno() {
            0 => Ok(()),
            errno => write!(f, " ({})", std::io::Error::from_raw_os_error(errno)),
        }
    }
}

impl fmt::Debug for Health {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Health({self})")
    }
}
