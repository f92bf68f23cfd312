//! The hot path costs no allocation, no page fault and no system call but reading and writing sockets.
//!
//! The engine runs inline (feed, engine and gateway on the one thread named `engine`) against a real simulator over
//! loopback TLS and trades often. After a warm-up every allocation of that thread is counted, with the place it came
//! from. System calls are counted from outside, by `strace` on `smc run`, in a steady window, and page faults there as the
//! kernel counts them: its journal lies in memory, with the mirror on the disk, for a file system that writes a page back
//! takes it away from the writer first.
//!
//! `SMC_HOT_PATH_SECONDS` makes both windows that long; `cargo xtask hot-path` sets it to ten minutes.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "helpers of a test fail it")]

use smc_runtime::config::FileConfig;
use smc_runtime::counters::Slot;
use smc_runtime::idle::Idle;
use smc_runtime::launch::{Options, Running, Topology, launch};
use std::alloc::{GlobalAlloc, Layout, System};
use std::backtrace::Backtrace;
use std::cell::Cell;
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::atomic::{AtomicI32, AtomicU64, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};
use tests::{Child, SimProcess, config_text, wait_until};

/// Events before anything is counted.
const WARM_UP: u64 = 20_000;
/// Events that are counted.
const COUNTED: u64 = 40_000;
/// Events before anything is traced.
const SEEN: u64 = 2_000;
/// Events of the window that is traced.
const TRACED: u64 = 5_000;

/// How long both windows are at least.
fn window() -> Duration {
    let seconds = std::env::var("SMC_HOT_PATH_SECONDS").ok().and_then(|text| text.parse().ok());
    Duration::from_secs(seconds.unwrap_or(0))
}

/// Thread whose allocations are counted; 0 for none.
static WATCHED: AtomicI32 = AtomicI32::new(0);
static ALLOCATIONS: AtomicU64 = AtomicU64::new(0);
static FREES: AtomicU64 = AtomicU64::new(0);
/// Where the first allocations came from.
static PLACES: Mutex<Vec<String>> = Mutex::new(Vec::new());
const PLACES_MAX: usize = 20;

thread_local! {
    static THREAD: Cell<i32> = const { Cell::new(0) };
    static IS_LOOKING: Cell<bool> = const { Cell::new(false) };
}

struct Counting;

impl Counting {
    fn is_watched() -> bool {
        let watched = WATCHED.load(Ordering::Relaxed);
        watched != 0
            && THREAD.with(|id| {
                if id.get() == 0 {
                    // SAFETY: no preconditions.
                    id.set(unsafe { libc::gettid() });
                }
                id.get() == watched
            })
            && !IS_LOOKING.with(Cell::get)
    }

    fn note(layout: Layout) {
        if !Self::is_watched() {
            return;
        }
        ALLOCATIONS.fetch_add(1, Ordering::Relaxed);
        IS_LOOKING.with(|flag| flag.set(true));
        if let Ok(mut places) = PLACES.lock()
            && places.len() < PLACES_MAX
        {
            places.push(format!("{layout:?}\n{}", Backtrace::force_capture()));
        }
        IS_LOOKING.with(|flag| flag.set(false));
    }
}

// SAFETY: every call is passed on to the system allocator unchanged; the counting besides touches no memory of it.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        Self::note(layout);
        // SAFETY: the caller's promise is passed on.
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        Self::note(layout);
        // SAFETY: as above.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn realloc(&self, ptr: *mut u8, layout: Layout, new_size: usize) -> *mut u8 {
        Self::note(layout);
        // SAFETY: as above.
        unsafe { System.realloc(ptr, layout, new_size) }
    }

    unsafe fn dealloc(&self, ptr: *mut u8, layout: Layout) {
        if Self::is_watched() {
            FREES.fetch_add(1, Ordering::Relaxed);
        }
        // SAFETY: as above.
        unsafe { System.dealloc(ptr, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// The thread of a process that bears a name.
fn thread_named(process: u32, name: &str) -> Option<i32> {
    let threads = std::fs::read_dir(format!("/proc/{process}/task")).ok()?;
    threads.flatten().find_map(|entry| {
        let comm = std::fs::read_to_string(entry.path().join("comm")).ok()?;
        (comm.trim_end() == name).then(|| entry.file_name().to_str()?.parse().ok())?
    })
}

/// Page faults of a thread since it began, those included that needed no disk.
fn faults(process: u32, thread: i32) -> u64 {
    let stat = std::fs::read_to_string(format!("/proc/{process}/task/{thread}/stat")).unwrap();
    // The second field is the name, in brackets, and may hold anything; minflt and majflt are the tenth and the twelfth.
    let fields: Vec<&str> = stat.rsplit_once(')').unwrap().1.split_whitespace().collect();
    [7, 9].into_iter().map(|at| fields[at].parse::<u64>().unwrap()).sum()
}

fn start(sim: &SimProcess, home: &Path) -> Running {
    let config = FileConfig::parse(&config_text(sim, 1, "inline", "yield")).unwrap();
    let options = Options {
        config,
        clock: None,
        journal: home.join("journal"),
        control: None,
        topology: Topology::Inline,
        idle: Idle::Yield,
        kill: Arc::default(),
        speed: 1.0,
        set_log_level: None,
        progress: Default::default(),
    };
    launch(options).unwrap()
}

#[test]
fn a_turn_allocates_nothing_after_the_warm_up() {
    let home = tempfile::tempdir().unwrap();
    std::fs::create_dir(home.path().join("journal")).unwrap();
    the_count_counts();
    let sim = SimProcess::start(&home.path().join("sim"), 120.0, 3);
    let running = start(&sim, home.path());
    let get = |slot| running.status.counters.get(slot);
    wait_until("the warm-up", || get(Slot::EventsIn) > WARM_UP && get(Slot::Fills) > 20);
    let before = [Slot::EventsIn, Slot::OrdersSent, Slot::CancelsSent, Slot::Fills].map(get);
    let started = Instant::now();
    WATCHED.store(thread_named(std::process::id(), "engine").unwrap(), Ordering::Relaxed);
    std::thread::sleep(window());
    wait_until("the counted events", || {
        get(Slot::EventsIn) > before[0] + COUNTED && get(Slot::OrdersSent) > before[1] + 50
    });
    WATCHED.store(0, Ordering::Relaxed);
    let seconds = started.elapsed().as_secs_f64();
    let after = [Slot::EventsIn, Slot::OrdersSent, Slot::CancelsSent, Slot::Fills].map(get);
    let (allocations, frees) = (ALLOCATIONS.load(Ordering::Relaxed), FREES.load(Ordering::Relaxed));
    let [events, orders, cancels, fills] = std::array::from_fn(|at| after[at] - before[at]);
    println!(
        "{seconds:.1} s, {events} events, {orders} orders, {cancels} cancels, {fills} fills: {allocations} allocations, \
         {frees} frees"
    );
    assert!(!running.is_over());
    let ended = running.end().unwrap();
    assert_eq!(ended.error, None);
    assert_eq!(reconnects(home.path()), 0, "a reconnect may allocate: nothing was proved");
    let places = PLACES.lock().unwrap();
    assert_eq!(allocations, 0, "{}", places.join("\n\n"));
    assert_eq!(frees, 0);
}

/// A count that never moves proves nothing.
fn the_count_counts() {
    // SAFETY: no preconditions.
    WATCHED.store(unsafe { libc::gettid() }, Ordering::Relaxed);
    drop(std::hint::black_box(Box::new(7)));
    WATCHED.store(0, Ordering::Relaxed);
    assert_eq!((ALLOCATIONS.swap(0, Ordering::Relaxed), FREES.swap(0, Ordering::Relaxed)), (1, 1));
    PLACES.lock().unwrap().clear();
}

fn reconnects(home: &Path) -> u64 {
    let path = home.join("journal").join(smc_runtime::counters::FILE_NAME);
    smc_runtime::counters::CountersView::open(&path).unwrap().get(Slot::FeedReconnects)
}

/// Whether a tracer is installed and may trace.
fn can_trace() -> bool {
    let tried = std::process::Command::new("strace").args(["-qq", "-o", "/dev/null", "true"]).output();
    tried.is_ok_and(|output| output.status.success())
}

/// Seconds since the epoch, as `strace -ttt` prints them.
fn wall() -> f64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs_f64()
}

/// A directory in memory that goes with the test, where the system has one.
fn in_memory() -> Option<tempfile::TempDir> {
    tempfile::tempdir_in("/dev/shm").ok()
}

#[test]
fn a_turn_calls_the_kernel_only_to_read_and_write_sockets() {
    if !can_trace() {
        println!("skipped: no strace on this machine, or it may not trace");
        return;
    }
    let home = tempfile::tempdir().unwrap();
    let sim = SimProcess::start(&home.path().join("sim"), 20.0, 3);
    let path = |name: &str| home.path().join(name);
    let text = |name: &str| path(name).to_str().unwrap().to_owned();
    let memory = in_memory();
    let journal = memory.as_ref().map_or_else(|| path("journal"), |dir| dir.path().join("journal"));
    let config = config_text(&sim, 1, "inline", "spin") + &format!("mirror = \"{}\"\n", text("mirror"));
    std::fs::write(path("smc.toml"), config).unwrap();
    let trace = text("trace");
    // A trace of every look at an empty socket for minutes fills a disk; it is what is allowed that is left out.
    let calls_of = if window().is_zero() { "trace=all" } else { "trace=!recvfrom" };
    let tool = [
        "strace",
        "-f",
        "--seccomp-bpf",
        "-ttt",
        "-qq",
        "-e",
        "signal=none",
        "-e",
        calls_of,
        "-o",
        trace.as_str(),
    ];
    let (config, control) = (text("smc.toml"), text("control"));
    let words = ["run", "--config", &config, "--journal", journal.to_str().unwrap(), "--control", &control];
    let mut child = Child::smc_under(&tool, &words, &path("log"));
    let counters = journal.join(smc_runtime::counters::FILE_NAME);
    wait_until("the counters", || {
        assert!(!child.is_over(), "{}", std::fs::read_to_string(path("log")).unwrap_or_default());
        smc_runtime::counters::CountersView::open(&counters).is_ok()
    });
    let view = smc_runtime::counters::CountersView::open(&counters).unwrap();
    wait_until("orders", || view.get(Slot::OrdersSent) > 2 && view.get(Slot::EventsIn) > SEEN);
    let traced = std::fs::read_to_string(format!("/proc/{0}/task/{0}/children", child.id())).unwrap();
    let process: u32 = traced.split_whitespace().next().unwrap().parse().unwrap();
    let engine = thread_named(process, "engine").unwrap();

    let before = [Slot::EventsIn, Slot::OrdersSent].map(|slot| view.get(slot));
    let (from, faults_before) = (wall(), faults(process, engine));
    assert!(faults_before > 0, "a thread that has started has touched its stack");
    std::thread::sleep(window());
    wait_until("the traced events", || {
        view.get(Slot::EventsIn) > before[0] + TRACED && view.get(Slot::OrdersSent) > before[1] + 5
    });
    let (to, faults) = (wall(), faults(process, engine) - faults_before);
    let after = [Slot::EventsIn, Slot::OrdersSent].map(|slot| view.get(slot));
    std::thread::sleep(Duration::from_millis(200));
    // The traced process itself: a tracer that is killed may leave it running.
    // SAFETY: plain system call; the process is a live child of our own child.
    unsafe { libc::kill(process as i32, libc::SIGTERM) };
    wait_until("the end", || child.is_over());

    let calls = calls(&std::fs::read_to_string(path("trace")).unwrap(), engine, from, to);
    let (events, orders) = (after[0] - before[0], after[1] - before[1]);
    println!("{:.1} s, {events} events, {orders} orders: {calls:?}, {faults} page faults", to - from);
    let allowed = ["read", "write", "recvfrom", "sendto", "recvmsg", "sendmsg"];
    let others: BTreeMap<_, _> = calls.iter().filter(|(name, _)| !allowed.contains(&name.as_str())).collect();
    assert!(calls.values().sum::<u64>() > 0, "the trace saw nothing");
    assert!(others.is_empty(), "the hot path calls the kernel for more than sockets: {others:?}");
    match memory {
        Some(_) => assert_eq!(faults, 0, "page faults"),
        None => println!("page faults not judged: no /dev/shm on this machine"),
    }
}

/// Calls by name that thread `thread` began between two moments.
fn calls(trace: &str, thread: i32, from: f64, to: f64) -> BTreeMap<String, u64> {
    let mut calls = BTreeMap::new();
    for line in trace.lines() {
        // 1234  1700000000.123456 recvfrom(9, …) = -1 EAGAIN …
        let mut words = line.split_whitespace();
        let is_ours = words.next().and_then(|word| word.parse().ok()) == Some(thread);
        let Some(at) = words.next().and_then(|word| word.parse::<f64>().ok()) else { continue };
        let Some((name, _)) = words.next().and_then(|word| word.split_once('(')) else { continue };
        if is_ours && (from..to).contains(&at) {
            *calls.entry(name.to_owned()).or_default() += 1;
        }
    }
    calls
}
