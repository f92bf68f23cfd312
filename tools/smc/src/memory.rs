//! Memory whose pages are there from the start.
//!
//! The kernel gives a page only when it is first written, which costs the writer a fault: a microsecond and more, and
//! with it the engine would pay for its tables on the hot path, bar by bar, for hours. Whoever asks for a piece is mostly
//! in a constructor, and pays there. What a process holds is then flat from its start as well.

use std::alloc::{GlobalAlloc, Layout, System};

const PAGE: usize = 4_096;

/// The system's allocator, with every page of a piece written once. Of small ones too: a table of a few kilobytes lies across
/// pages of the heap as well.
pub struct Faulted;

// SAFETY: all memory is the system's, unchanged but for bytes of it that nobody has written yet, or zeros in zeros.
#[allow(unsafe_code, reason = "a global allocator cannot be written without")]
unsafe impl GlobalAlloc for Faulted {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the caller's promise about the layout is ours.
        let piece = unsafe { System.alloc(layout) };
        // SAFETY: the piece is as long as the layout says, and its bytes mean nothing yet.
        unsafe { touch(piece, 0, layout.size()) };
        piece
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        // SAFETY: as above.
        let piece = unsafe { System.alloc_zeroed(layout) };
        // SAFETY: the piece is as long as the layout says; its zeros stay zeros.
        unsafe { touch(piece, 0, layout.size()) };
        piece
    }

    unsafe fn dealloc(&self, piece: *mut u8, layout: Layout) {
        // SAFETY: the caller's promise is ours: the piece came from the system with this layout.
        unsafe { System.dealloc(piece, layout) };
    }

    unsafe fn realloc(&self, piece: *mut u8, layout: Layout, len: usize) -> *mut u8 {
        // SAFETY: as above.
        let piece = unsafe { System.realloc(piece, layout, len) };
        // SAFETY: the piece is `len` long, and its bytes behind the old ones mean nothing yet.
        unsafe { touch(piece, layout.size(), len) };
        piece
    }
}

/// Writes a zero into every page between two places of a piece.
///
/// # Safety
///
/// The piece is null or at least `to` long, and its bytes from `from` on are unwritten or zero.
#[allow(unsafe_code, reason = "a global allocator cannot be written without")]
unsafe fn touch(piece: *mut u8, from: usize, to: usize) {
    if piece.is_null() || from >= to {
        return;
    }
    // The last byte lies in a page of its own where the piece does not begin with one.
    for at in (from..to).step_by(PAGE).chain([to - 1]) {
        // SAFETY: `at` lies in the piece. Volatile, for nobody reads it.
        unsafe { piece.add(at).write_volatile(0) };
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn pieces_keep_what_is_written_and_zeros_are_zeros() {
        let zeros = vec![0u64; 100_000];
        assert!(zeros.iter().all(|&word| word == 0));
        let mut grown: Vec<u32> = (0..5_000).collect();
        for len in [50_000, 500_000] {
            grown.extend(grown.len() as u32..len);
            assert!(grown.iter().zip(0..).all(|(&word, at)| word == at), "{len}");
        }
    }
}
