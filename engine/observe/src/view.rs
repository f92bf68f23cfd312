//! The reader's end: the newest picture, for any number of readers.

use crate::picture::Picture;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

/// Shows what an observer has published last. Clones show the same.
#[derive(Clone)]
pub struct View(Arc<Shared>);

struct Shared {
    /// The lock is held for as long as it takes to copy a pointer.
    picture: Mutex<Arc<Picture>>,
    wants_snapshot: AtomicBool,
    is_over: AtomicBool,
}

impl View {
    pub(crate) fn new(first: Picture) -> Self {
        let (wants_snapshot, is_over) = (AtomicBool::new(false), AtomicBool::new(false));
        Self(Arc::new(Shared { picture: Mutex::new(Arc::new(first)), wants_snapshot, is_over }))
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
        self.0.is_over.load(Ordering::Acquire)
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

    pub(crate) fn end(&self) {
        self.0.is_over.store(true, Ordering::Release);
    }
}
