//! A file that is cut while it is mapped must not kill the process that maps it.
//!
//! Touching a page behind the end of its file raises SIGBUS. The handler here puts an anonymous page of zeros in its
//! place and notes it at the map: the interrupted thread goes on, its bytes go nowhere, and whoever asks
//! [`MapWatch`] afterwards knows. The writer asks after every record, before anything that rests on it is sent. A
//! reader sees zeros, which are no record. Faults outside registered maps go to the handler that was there before.

use memmap2::MmapRaw;
use std::sync::Once;
use std::sync::atomic::{AtomicBool, AtomicPtr, AtomicUsize, Ordering};

/// Maps watched at a time; more are not, and a cut under those kills, as it would without this file.
const SLOTS: usize = 4_096;
const PAGE: usize = 4_096;

/// One watched map. Free while `end` is zero.
struct Slot {
    start: AtomicUsize,
    end: AtomicUsize,
    is_taken: AtomicBool,
    is_torn: AtomicBool,
}

static TABLE: [Slot; SLOTS] = [const {
    Slot {
        start: AtomicUsize::new(0),
        end: AtomicUsize::new(0),
        is_taken: AtomicBool::new(false),
        is_torn: AtomicBool::new(false),
    }
}; SLOTS];

static INSTALL: Once = Once::new();
/// What handled SIGBUS before us; leaked once, so that the handler may read it at any time.
static BEFORE: AtomicPtr<libc::sigaction> = AtomicPtr::new(core::ptr::null_mut());

/// Keeps a cut of the file under a map from killing whoever touches the map, until dropped. To be dropped before the
/// map is: put it into a field above.
pub struct MapWatch {
    slot: Option<&'static Slot>,
    torn: &'static AtomicBool,
}

impl MapWatch {
    /// Watches all of a map.
    pub fn of(map: &MmapRaw) -> Self {
        let (start, len) = (map.as_ptr() as usize, map.len());
        INSTALL.call_once(install);
        let free = TABLE.iter().find(|slot| {
            slot.is_taken.compare_exchange(false, true, Ordering::AcqRel, Ordering::Relaxed).is_ok()
        });
        if let Some(slot) = free {
            slot.is_torn.store(false, Ordering::Relaxed);
            slot.start.store(start, Ordering::Relaxed);
            slot.end.store(start.saturating_add(len), Ordering::Release);
        }
        // Without a slot nobody handles the fault, but whoever finds the file cut still has a flag to set.
        let torn = free.map_or_else(|| &*Box::leak(Box::default()), |slot| &slot.is_torn);
        Self { slot: free, torn }
    }

    /// Set once a page was touched that the file does not have any more; also by others who find the file cut or gone.
    pub(crate) fn torn(&self) -> &'static AtomicBool {
        self.torn
    }
}

impl Drop for MapWatch {
    fn drop(&mut self) {
        if let Some(slot) = self.slot {
            slot.end.store(0, Ordering::Release);
            slot.is_taken.store(false, Ordering::Release);
        }
    }
}

fn install() {
    // SAFETY: plain calls with valid pointers to zeroed plain structures. The handler has the signature that
    // SA_SIGINFO asks for and does only what a signal handler may (below).
    unsafe {
        let mut before: libc::sigaction = core::mem::zeroed();
        if libc::sigaction(libc::SIGBUS, core::ptr::null(), &raw mut before) != 0 {
            return;
        }
        BEFORE.store(Box::into_raw(Box::new(before)), Ordering::Release);
        let mut ours: libc::sigaction = core::mem::zeroed();
        let handler: extern "C" fn(libc::c_int, *mut libc::siginfo_t, *mut libc::c_void) = on_sigbus;
        ours.sa_sigaction = handler as usize;
        ours.sa_flags = libc::SA_SIGINFO | libc::SA_ONSTACK;
        libc::sigemptyset(&raw mut ours.sa_mask);
        libc::sigaction(libc::SIGBUS, &raw const ours, core::ptr::null_mut());
    }
}

/// Runs on the thread that touched the page. Atomics and system calls only.
extern "C" fn on_sigbus(signal: libc::c_int, info: *mut libc::siginfo_t, context: *mut libc::c_void) {
    // SAFETY: the kernel gives a valid siginfo to a SA_SIGINFO handler.
    let address = unsafe { (*info).si_addr() } as usize;
    for slot in &TABLE {
        let (end, start) = (slot.end.load(Ordering::Acquire), slot.start.load(Ordering::Relaxed));
        if !(start..end).contains(&address) {
            continue;
        }
        // SAFETY: the page lies inside a map of ours that is still registered, so nothing else lives there.
        let page = unsafe {
            libc::mmap(
                (address & !(PAGE - 1)) as *mut libc::c_void,
                PAGE,
                libc::PROT_READ | libc::PROT_WRITE,
                libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_FIXED,
                -1,
                0,
            )
        };
        slot.is_torn.store(true, Ordering::Release);
        if page != libc::MAP_FAILED {
            return;
        }
    }
    hand_on(signal, info, context);
}

/// Not ours: as if this file did not exist.
fn hand_on(signal: libc::c_int, info: *mut libc::siginfo_t, context: *mut libc::c_void) {
    let before = BEFORE.load(Ordering::Acquire);
    // SAFETY: `before` was leaked by `install` before this handler could run, and is never changed. A handler found
    // there is called with the arguments its own flags ask for; without one the default is put back, and the
    // fault, which comes again at once, ends the process.
    unsafe {
        let (action, flags) = ((*before).sa_sigaction, (*before).sa_flags);
        if action == libc::SIG_DFL || action == libc::SIG_IGN {
            let mut default: libc::sigaction = core::mem::zeroed();
            default.sa_sigaction = libc::SIG_DFL;
            libc::sigaction(signal, &raw const default, core::ptr::null_mut());
        } else if flags & libc::SA_SIGINFO != 0 {
            type Handler = extern "C" fn(libc::c_int, *mut libc::siginfo_t, *mut libc::c_void);
            core::mem::transmute::<usize, Handler>(action)(signal, info, context);
        } else {
            core::mem::transmute::<usize, extern "C" fn(libc::c_int)>(action)(signal);
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::map::Region;
    use crate::record::Source;
    use std::fs::File;

    #[test]
    fn pages_of_a_cut_file_read_as_zeros_and_the_map_says_so() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("file");
        std::fs::write(&path, vec![7; 16_384]).unwrap();
        let region = Region::open(&File::open(&path).unwrap()).unwrap();
        assert_eq!(region.word(8_192), Some(0x0707_0707_0707_0707));
        File::options().write(true).open(&path).unwrap().set_len(4_096).unwrap();
        assert!(!region.is_torn());
        assert_eq!(region.word(8_192), Some(0));
        assert!(region.is_torn());
        assert_eq!(region.word(0), Some(0x0707_0707_0707_0707), "what is left is read as before");
    }
}
