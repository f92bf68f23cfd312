//! The reader's end: the newest picture, for any number of readers.

use crate::picture::Picture;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

/// Shows what an observer has published last. Clones show the same.
#[derive(Clone)]
pub struct View(Arc<Shared>);

struct Shared {
    /// The lock is held for as long as it takes to copy a pointer.
    picture: Mutex<Arc<Picture>>,
    wants_snapshot: AtomicBool,
    over: OnceLock<Over>,
}

/// Why no newer picture comes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Over {
    /// For people.
    pub reason: String,
    /// The live engine's digest is not that of its inputs: the gravest reason there is.
    pub is_mismatch: bool,
}

impl View {
    pub(crate) fn new(first: Picture) -> Self {
        let (wants_snapshot, over) = (AtomicBool::new(false), OnceLock::new());
        Self(Arc::new(Shared { picture: Mutex::new(Arc::new(first)), wants_snapshot, over }))
    }

    /// The newest picture.
    pub fn picture(&self) -> Arc<Picture> {
        self.0.picture.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Asks for a snapshot behind the next input, beside those that the configuration wants.
    pub fn ask_snapshot(&self) {
        self.0.wants_snapshot.store(true, Ordering::Release);
    }

    /// The observer has ended: no newer picture comes.
    pub fn is_over(&self) -> bool {
        self.over().is_some()
    }

    /// Why it has, where it has.
    pub fn over(&self) -> Option<&Over> {
        self.0.over.get()
    }

    pub(crate) fn publish(&self, picture: Picture) {
        let picture = Arc::new(picture);
        let last =
            std::mem::replace(&mut *self.0.picture.lock().unwrap_or_else(PoisonError::into_inner), picture);
        // Freed here, outside the lock.
        drop(last);
    }

    pub(crate) fn take_wish(&self) -> bool {
        self.0.wants_snapshot.swap(false, Ordering::AcqRel)
    }

    /// The first reason counts.
    pub(crate) fn end(&self, over: Over) {
        let _ = self.0.over.set(over);
    }
}
