//! A trading engine whose journal's disk fails, stalls or fills up, in a real process: rows J7, J8, J10 and J11.
//!
//! Faults come from `journal/tests/io_faults.c`, loaded before libc; a small file system comes from a mount namespace.
//! What is not to be had here is said and skipped.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a step that fails is a failed test")]

use smc_core::codec;
use smc_core::event::{Event, EventBody, JournalState};
use smc_core::output::{NewOrder, Output, TradingState};
use smc_journal::{JournalSettings, RecordKind, Tail};
use std::path::{Path, PathBuf};
use std::process::Command;
use tests::{Child, SimProcess, config_text, only_line, records_of, smc, wait_until};

/// Market seconds per second.
const SPEED: f64 = 60.0;

struct Desk {
    home: tempfile::TempDir,
    sim: SimProcess,
    journal: PathBuf,
}

impl Desk {
    fn new(process: &str) -> Self {
        let home = tempfile::tempdir().unwrap();
        let sim = SimProcess::start(&home.path().join("sim"), SPEED, 11);
        // Other tests look away from the disk; these are about it.
        let text = config_text(&sim, 1, "inline", "yield").replace("unsynced_max_ms = 0\n", "") + process;
        std::fs::write(home.path().join("smc.toml"), text).unwrap();
        let journal = home.path().join("journal");
        Self { home, sim, journal }
    }

    fn path(&self, name: &str) -> String {
        self.home.path().join(name).to_str().unwrap().to_owned()
    }

    fn args(&self, journal: &Path) -> Vec<String> {
        let journal = journal.to_str().unwrap();
        let control = self.path("control");
        let words = ["run", "--config", &self.path("smc.toml"), "--journal", journal, "--control", &control];
        words.map(String::from).to_vec()
    }

    fn log(&self) -> PathBuf {
        self.home.path().join("log")
    }

    fn told(&self) -> String {
        std::fs::read_to_string(self.log()).unwrap_or_default()
    }

    /// `smc run` with a fault; none where there is no C compiler.
    fn run_with(&self, fault: &str) -> Option<Child> {
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("../journal/tests/io_faults.c");
        let library = self.path("io_faults.so");
        let mut cc = Command::new("cc");
        let built = cc.args(["-shared", "-fPIC", "-O1", "-o", &library]).arg(source).arg("-ldl").status();
        if !built.is_ok_and(|status| status.success()) {
            println!("skipped: no C compiler");
            return None;
        }
        let (preload, fault) = (format!("LD_PRELOAD={library}"), format!("SMC_IO_FAULT={fault}"));
        Some(Child::smc_under(&["env", &preload, &fault], &self.args(&self.journal), &self.log()))
    }
}

/// What the journal says so far, as a follower sees it.
struct Watcher {
    tail: Option<Tail>,
    dir: PathBuf,
    /// Journal states, trading states and orders, in order.
    story: Vec<Word>,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Word {
    Journal(JournalState),
    Trading(TradingState),
    Order,
}

impl Watcher {
    fn new(dir: &Path) -> Self {
        Self { tail: None, dir: dir.to_owned(), story: Vec::new() }
    }

    fn look(&mut self) -> &[Word] {
        if self.tail.is_none() {
            self.tail = Tail::open(&self.dir).ok();
        }
        let Some(tail) = &mut self.tail else { return &self.story };
        while let Some(record) = tail.poll().unwrap() {
            self.story.extend(match record.kind {
                RecordKind::Input => match codec::decode::<Event>(record.payload).unwrap().body {
                    EventBody::Journal(state) => Some(Word::Journal(state)),
                    _ => None,
                },
                RecordKind::Output => match codec::decode::<Output<NewOrder>>(record.payload).unwrap() {
                    Output::State(change) => Some(Word::Trading(change.to)),
                    Output::NewOrder(_) => Some(Word::Order),
                    _ => None,
                },
                _ => None,
            });
        }
        &self.story
    }

    fn place_of(&self, word: Word) -> usize {
        self.story
            .iter()
            .position(|found| *found == word)
            .unwrap_or_else(|| panic!("{word:?} in {:?}", self.story))
    }
}

/// The disk keeps up, whether or not it is nearly full: the machine of a test may be.
fn is_caught_up(word: &Word) -> bool {
    matches!(word, Word::Journal(JournalState::Good | JournalState::Low))
}

/// The engine trades, then a sync fails: HALT as a journaled event, no order after it, cancels pass, and the journal
/// that is left holds everything and replays. The next process, on a disk that works, goes on.
#[test]
fn j07_a_failed_sync_halts_and_the_next_process_goes_on() {
    let desk = Desk::new("sync_ms = 2\n");
    // Far enough behind the start that orders have been sent.
    let Some(mut engine) = desk.run_with("msync:1500:5") else { return };
    let mut watcher = Watcher::new(&desk.journal);
    wait_until("the journal is lost", || {
        assert!(!engine.is_over(), "{}", desk.told());
        watcher.look().contains(&Word::Journal(JournalState::Lost))
    });
    wait_until("HALT", || watcher.look().contains(&Word::Trading(TradingState::Halt)));
    let orders = |watcher: &mut Watcher| watcher.look().iter().filter(|word| **word == Word::Order).count();
    let before = orders(&mut watcher);
    std::thread::sleep(std::time::Duration::from_millis(500));
    assert_eq!(orders(&mut watcher), before, "an order after HALT");
    let (code, _) = engine.end();
    assert_eq!(code, 1, "a journal that cannot be closed is told: {}", desk.told());
    assert!(desk.told().contains("sync failed") && !desk.told().contains("panicked"), "{}", desk.told());
    let done = smc(&["replay", "--json", desk.journal.to_str().unwrap()]);
    assert!(done.stdout.contains("\"replay\":\"identical\""), "{} {}", done.stdout, done.tail());

    let mut args = desk.args(&desk.journal);
    args.extend(["--seconds", "2"].map(String::from));
    let next = smc(&args);
    assert_eq!(next.code, 0, "{}", next.tail());
    watcher.look();
    let lost = watcher.place_of(Word::Journal(JournalState::Lost));
    let rest = &watcher.story[lost..];
    let is_back = |word: &Word| matches!(word, Word::Trading(TradingState::Normal | TradingState::Warn));
    assert!(rest.iter().any(is_back), "{rest:?}");
}

/// The disk stands still for longer than agreed: CANCEL_ONLY meanwhile, and back when it has caught up.
#[test]
fn j10_a_stalled_disk_means_cancel_only_until_it_has_caught_up() {
    let desk = Desk::new("sync_ms = 2\nunsynced_max_ms = 300\n");
    let Some(mut engine) = desk.run_with("msync:1500:stall:2500") else { return };
    let mut watcher = Watcher::new(&desk.journal);
    let behind = Word::Journal(JournalState::Behind);
    let healed = |story: &[Word]| {
        let behind = story.iter().position(|word| *word == behind);
        behind.is_some_and(|at| story[at..].iter().any(is_caught_up))
    };
    wait_until("the disk is behind and comes back", || {
        assert!(!engine.is_over(), "{}", desk.told());
        healed(watcher.look())
    });
    let from = watcher.place_of(behind);
    let to = from + watcher.story[from..].iter().position(is_caught_up).unwrap();
    let during = &watcher.story[from..to];
    assert!(during.contains(&Word::Trading(TradingState::CancelOnly)), "{during:?}");
    assert!(!during.contains(&Word::Order), "an order while the disk stood still: {during:?}");
    wait_until("orders again", || watcher.look()[to..].contains(&Word::Order));
    assert_eq!(engine.end().0, 0, "{}", desk.told());
    let done = smc(&["replay", "--verify", desk.journal.to_str().unwrap()]);
    assert_eq!(done.code, 0, "{}", done.tail());
}

/// The disk is full: no further segment, so CANCEL_ONLY; the run ends, if it does, in order and with a sound journal.
#[test]
fn j08_a_full_disk_means_cancel_only_and_a_sound_journal() {
    let desk = Desk::new("sync_ms = 2\n");
    let disk = desk.home.path().join("disk");
    std::fs::create_dir(&disk).unwrap();
    // Room for two segments of 8 MiB and some: the third that is prepared ahead cannot be had.
    let script = "mount -t tmpfs -o size=22m none \"$0\" && cd / && \"$@\"; code=$?; cp -r \"$0\" \"$0.kept\"; exit $code";
    let journal = disk.join("journal");
    let tool = ["unshare", "--mount", "sh", "-c", script, disk.to_str().unwrap()];
    let mut args = desk.args(&journal);
    args.extend(["--seconds", "4"].map(String::from));
    let mut engine = Child::smc_under(&tool, &args, &desk.log());
    wait_until("the run ends", || engine.is_over());
    let kept = desk.home.path().join("disk.kept/journal");
    if !kept.exists() {
        println!("skipped: no small file system to be had: {}", desk.told());
        return;
    }
    let mut watcher = Watcher::new(&kept);
    let story = watcher.look().to_vec();
    let at = story.iter().position(|word| *word == Word::Journal(JournalState::Behind));
    let at = at.unwrap_or_else(|| panic!("{story:?}: {}", desk.told()));
    assert!(story[at..].contains(&Word::Trading(TradingState::CancelOnly)), "{story:?}");
    assert!(!story[at..].contains(&Word::Order), "{story:?}");
    let done = smc(&["replay", "--verify", kept.to_str().unwrap()]);
    assert_eq!(done.code, 0, "{}", done.tail());
}

/// A file that someone cuts under the trading thread: no signal, a clean end, and what may still fill is cancelled.
#[test]
fn j09_a_journal_cut_under_a_trading_engine_ends_it_cleanly() {
    let desk = Desk::new("");
    let mut engine = Child::smc(&desk.args(&desk.journal), &desk.log());
    let mut watcher = Watcher::new(&desk.journal);
    wait_until("orders", || watcher.look().contains(&Word::Order));
    drop(watcher);
    let file = std::fs::File::options().write(true).open(desk.journal.join("00000001.smcj")).unwrap();
    file.set_len(4096).unwrap();
    wait_until("the engine ends by itself", || engine.is_over());
    let (code, _) = engine.end();
    let told = desk.told();
    assert_eq!(code, 1, "an error, not a signal: {told}");
    assert!(told.contains("cut or deleted") && !told.contains("panicked"), "{told}");
}

/// Rows J11 and J13: the same account twice, from a copied directory; and a journal of another account.
#[test]
fn j11_j13_a_copied_journal_and_another_account_are_refused() {
    let desk = Desk::new("");
    let mut engine = Child::smc(&desk.args(&desk.journal), &desk.log());
    let mut watcher = Watcher::new(&desk.journal);
    wait_until("orders", || watcher.look().contains(&Word::Order));
    let copy = desk.home.path().join("copy");
    assert!(Command::new("cp").arg("-r").args([&desk.journal, &copy]).status().unwrap().success());
    let refused = smc(&desk.args(&copy));
    assert_eq!(refused.code, 2);
    assert!(only_line(&refused).contains("the account is in use by another engine"), "{}", refused.stderr);
    assert!(!engine.is_over());
    assert_eq!(engine.end().0, 0, "{}", desk.told());

    // The same journal under another key.
    let records = records_of(&desk.journal).len();
    let header = smc_journal::Reader::open(&desk.journal).unwrap().header().clone();
    assert_eq!(header.environment, "sim");
    assert!(header.account.starts_with("key-") && !header.account.contains(&desk.sim.api_key));
    let mut other = header.clone();
    other.account = "key-of-somebody-else".into();
    let error = smc_journal::Writer::resume(&JournalSettings::new(&desk.journal), &other).err().unwrap();
    assert!(error.to_string().contains("account"), "{error}");
    let mut live = header;
    live.environment = "live".into();
    assert!(smc_journal::Writer::resume(&JournalSettings::new(&desk.journal), &live).is_err());
    assert_eq!(records_of(&desk.journal).len(), records, "nothing was written");
}
