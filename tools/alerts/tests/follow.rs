//! What a follower makes of a journal that lives on, is damaged, hangs, or is another one; time is an argument.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a step that fails is a failed test")]

use smc_alerts::follow::{Follower, judge, tell};
use smc_alerts::{Desk, Names, Phase, Pulse, Severity, Watched};
use smc_core::TsNs;
use smc_core::codec::Buffer;
use smc_core::event::{Event, EventBody, FeedState, GatewayState, JournalState, RiskScope};
use smc_core::output::{Control, NewOrder, Output, StateChange, TradingState};
use smc_core::words::InstrumentId;
use smc_journal::{Header, JournalSettings, RecordKind, Writer};
use std::path::{Path, PathBuf};
use std::time::Duration;

const SILENCE: Duration = Duration::from_secs(10);

struct Book {
    dir: PathBuf,
    writer: Writer,
    buffer: Buffer,
}

fn settings(dir: &Path) -> (JournalSettings, Header) {
    let settings = JournalSettings { segment_bytes: 8 << 20, ..JournalSettings::new(dir) };
    (settings, Header { environment: "sim".into(), ..Header::default() })
}

impl Book {
    fn new(dir: &Path) -> Self {
        let (settings, header) = settings(dir);
        let (dir, writer) = (dir.to_owned(), Writer::create(&settings, &header).unwrap());
        Self { dir, writer, buffer: Buffer::default() }
    }

    /// Ends in order, and the next process goes on.
    fn close(self) -> PathBuf {
        self.writer.close().unwrap();
        self.dir
    }

    fn go_on(dir: PathBuf) -> Self {
        let (settings, header) = settings(&dir);
        let (writer, _) = Writer::resume(&settings, &header).unwrap();
        let mut book = Self { dir, writer, buffer: Buffer::default() };
        book.run();
        // A tail looks for the segment of who goes on at every 50 ms of the wall's clock, which does not run in these tests.
        std::thread::sleep(Duration::from_millis(60));
        book
    }

    fn state(&mut self, from: TradingState, to: TradingState, cause: Control) {
        let change = StateChange { scope: RiskScope::ENGINE, from, to, cause, command: None };
        let payload = self.buffer.encode(&Output::<NewOrder>::State(change));
        self.writer.append(RecordKind::Output, TsNs(1), payload).unwrap();
    }

    fn input(&mut self, body: EventBody) {
        let instrument = InstrumentId::NONE;
        let event = Event { seq: 0, ts_event: TsNs(1), ts_recv: TsNs(1), instrument, body };
        let payload = self.buffer.encode(&event);
        self.writer.append(RecordKind::Input, TsNs(1), payload).unwrap();
    }

    fn run(&mut self) {
        self.writer.append(RecordKind::Run, TsNs(1), &[]).unwrap();
    }
}

/// A follower with its desk, and a clock of its own.
struct Rig {
    follower: Follower,
    desk: Desk,
    now: Duration,
}

impl Rig {
    fn new(journal: PathBuf, is_inside: bool) -> Self {
        let names = Names {
            instruments: vec![("BTCUSDT".into(), 0)],
            venues: vec!["v".into()],
            clock_offset_ns_max: 500_000_000,
        };
        let watched = Watched { journal, names, silence_max: SILENCE, disk_free_min: 0, is_inside };
        let now = Duration::ZERO;
        Self { follower: Follower::new(watched, now), desk: Desk::new("here", "", 1_000), now }
    }

    /// Looks for so long, at every tenth of a second; what was said.
    fn look(&mut self, seconds: u64) -> Vec<String> {
        let (mut said, until) = (Vec::new(), self.now + Duration::from_secs(seconds));
        while self.now < until {
            let mut is_more = true;
            while is_more {
                let found = self.follower.turn(self.now);
                is_more = found.is_more;
                tell(found, self.now, &mut self.desk);
                judge(self.follower.pulse(), SILENCE, self.now, &mut self.desk);
                self.desk.turn(self.now, &mut |notice| {
                    if notice.severity > Severity::Info || notice.phase == Phase::Over {
                        said.push(format!("{:?} {}", notice.phase, notice.title));
                    }
                });
            }
            self.now += Duration::from_millis(100);
        }
        said
    }
}

/// A halt is state of the core and survives the process: it is not over because another process goes on, and where it was called
/// over with an orderly end it is told again. What is the process's own is over.
#[test]
fn a_halt_outlives_the_process_and_an_order_path_does_not() {
    use TradingState::{CancelOnly, Halt, Normal};
    let dir = tempfile::tempdir().unwrap();
    let mut book = Book::new(&dir.path().join("journal"));
    let mut rig = Rig::new(dir.path().join("journal"), false);
    book.input(EventBody::Feed(FeedState::Live));
    rig.look(1);
    book.state(Normal, CancelOnly, Control::Journal);
    book.input(EventBody::Journal(JournalState::Behind));
    let told = rig.look(1);
    assert_eq!(told, ["Began the journal is behind", "Began engine is CANCEL_ONLY by Journal"]);
    for key in ["state/engine", "journal"] {
        assert!(rig.desk.acknowledge(key, "eva"));
    }
    // As critical as what was acknowledged, and worse.
    book.state(CancelOnly, Halt, Control::DailyLoss);
    book.input(EventBody::Journal(JournalState::Lost));
    assert_eq!(rig.look(1), ["Began the journal is lost", "Began engine is HALT by DailyLoss"]);
    book.input(EventBody::Gateway(GatewayState::Down));
    assert_eq!(rig.look(21), ["Began the engine is silent", "Began v: no orders and no cancels can be sent"]);
    // kill -9, and again.
    book.run();
    let told = rig.look(8);
    assert_eq!(
        told,
        [
            "Over v: no orders and no cancels can be sent",
            "Over the journal is lost",
            "Over the engine is silent"
        ],
        "the halt goes on, and was told"
    );
    // Whoever comes only now knows it too.
    assert_eq!(Rig::new(dir.path().join("journal"), false).look(5), ["Began engine is HALT by DailyLoss"]);
    let path = book.close();
    assert_eq!(rig.look(1), ["Over engine is HALT by DailyLoss"]);
    let mut book = Book::go_on(path);
    assert_eq!(rig.look(5), ["Began engine is HALT by DailyLoss"]);
    book.state(Halt, Normal, Control::DailyLoss);
    assert_eq!(rig.look(1), ["Over engine is HALT by DailyLoss"]);
}

/// The record names the control that let go, not the one that still holds.
#[test]
fn what_still_holds_is_not_laid_at_the_door_of_who_let_go() {
    use TradingState::{Halt, Normal, ReduceOnly};
    let dir = tempfile::tempdir().unwrap();
    let mut book = Book::new(dir.path());
    book.state(Normal, ReduceOnly, Control::Drawdown);
    book.state(ReduceOnly, Halt, Control::Operator);
    book.state(Halt, ReduceOnly, Control::Operator);
    let mut rig = Rig::new(dir.path().to_owned(), false);
    assert_eq!(rig.look(1), ["Began engine is REDUCE_ONLY"]);
    let (_, severity, ..) = rig.desk.open().next().unwrap();
    assert_eq!(severity, Severity::Warning);
}

/// What began long ago and never ended is told by whoever begins to look, however much was said since.
#[test]
fn a_long_past_forgets_nothing_that_holds() {
    let dir = tempfile::tempdir().unwrap();
    let mut book = Book::new(dir.path());
    book.state(TradingState::Normal, TradingState::Halt, Control::Drawdown);
    book.input(EventBody::Feed(FeedState::Down));
    (0..10_000).for_each(|_| book.input(EventBody::Feed(FeedState::Live)));
    for is_inside in [false, true] {
        assert_eq!(Rig::new(dir.path().to_owned(), is_inside).look(1), ["Began engine is HALT by Drawdown"]);
    }
}

/// Damage far into a segment: it is told, what stands before it too, the engine counts as silent, and the segment is not read over
/// and over meanwhile.
#[test]
fn a_journal_that_cannot_be_read_to_its_end_is_told_and_not_read_for_ever() {
    let dir = tempfile::tempdir().unwrap();
    let mut book = Book::new(dir.path());
    book.state(TradingState::Normal, TradingState::Halt, Control::Drawdown);
    (0..30_000).for_each(|_| book.input(EventBody::Feed(FeedState::Live)));
    let path = dir.path().join("00000001.smcj");
    let mut bytes = std::fs::read(&path).unwrap();
    let used = bytes.iter().rposition(|byte| *byte != 0).unwrap();
    bytes[used / 10 * 9] ^= 0x40;
    // In place: the file that is mapped stays the file that lies there.
    std::io::Write::write_all(&mut std::fs::OpenOptions::new().write(true).open(&path).unwrap(), &bytes)
        .unwrap();
    let mut rig = Rig::new(dir.path().to_owned(), false);
    let mut said = rig.look(30);
    said.sort();
    said.dedup();
    assert_eq!(
        said,
        [
            "Began engine is HALT by Drawdown",
            "Began the engine is silent",
            "Began the journal cannot be read"
        ]
    );
    let (mut passes, end) = (0, rig.now + Duration::from_secs(60));
    while rig.now < end {
        passes += u32::from(rig.follower.turn(rig.now).is_more);
        rig.now += Duration::from_millis(20);
    }
    assert!(passes < 60, "{passes} passes over good records within a minute");
}

/// Another journal at the same path: a fresh engine after somebody has moved the old one away.
#[test]
fn a_journal_that_was_replaced_is_left_for_the_new_one() {
    use TradingState::{Halt, Normal};
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("journal");
    let mut book = Book::new(&path);
    book.state(Normal, Halt, Control::Drawdown);
    let mut rig = Rig::new(path.clone(), false);
    assert_eq!(rig.look(1), ["Began engine is HALT by Drawdown"]);
    book.close();
    rig.look(1);
    std::fs::rename(&path, dir.path().join("old")).unwrap();
    let mut book = Book::new(&path);
    book.state(Normal, Halt, Control::RejectStorm);
    assert_eq!(rig.look(3), ["Began engine is HALT by RejectStorm"]);
    assert_eq!(rig.look(12), ["Began the engine is silent"], "heard of no more");
}

/// A look that does not come back is judged by who waits for none.
#[test]
fn a_reader_that_hangs_is_told_of() {
    let mut desk = Desk::new("here", "", 100);
    let pulse = Pulse { heard_at: Some(Duration::ZERO), ..Pulse::default() };
    let mut said = Vec::new();
    for second in 0..20 {
        let now = Duration::from_secs(second);
        judge(pulse, SILENCE, now, &mut desk);
        desk.turn(now, &mut |notice| said.push((second, notice.key)));
    }
    assert_eq!(said, [(10, "engine/silent".to_owned()), (15, "journal/blind".to_owned())]);
}
