//! The mirror: a second journal, on another disk, that follows the first.
//!
//! A thread of the writer's process, neither the writer's nor the helper's: it reads the journal as any follower does,
//! every record checked, and copies whole records by plain writes into files of the same names, then asks the disk to
//! keep them, each sync window. The writer does not know of it and never waits for it. What is in the mirror at any
//! moment is a valid prefix of the journal, with one torn record behind it if the process was killed within a write: a file
//! is there before the end mark that leads to it, and a chain block is copied when everything before it has been. Spares, indexes and snapshots are not mirrored.
//!
//! A mirror that fails is told once, in [`Health`], and left as it is; the journal goes on. When the journal is resumed
//! the mirror is compared byte for byte and brought to the same state first. It is only ever added to: where it has
//! something that the journal has not, it is refused by name, and `repair` is the way to get that back.

use crate::error::{Damage, JournalError, Reason};
use crate::format::{HEADER_BYTES, IDENTITY_BYTES, LINK_AT, SYNCED_AT, synced_word};
use crate::helper::write_link;
use crate::live::{Board, Health};
use crate::lock::Lock;
use crate::record::Source;
use crate::segment::{Step, Walk, behind, read_head};
use crate::set::{self, Segment};
use crate::writer::Start;
use crate::{JournalSettings, SyncPolicy, map, snapshot};
use std::collections::VecDeque;
use std::fmt;
use std::fs::{self, File};
use std::io;
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

/// Sync window where the journal itself is not synced.
const WINDOW: Duration = Duration::from_millis(10);
/// Copied by one write; also the step of comparing.
const PIECE_BYTES: u64 = 256 << 10;
/// Copied between two syncs when the mirror is far behind.
const TURN_BYTES_MAX: u64 = 32 << 20;

/// Why a directory cannot be this journal's mirror.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MirrorFault {
    /// It is the journal's own directory.
    SameDirectory,
    /// What stands there is not what the journal has at that place.
    Diverges {
        /// Segment number.
        segment: u32,
        /// Byte offset in the segment.
        offset: u64,
    },
    /// It goes on where the journal ends: what the journal lost can be had from it.
    Ahead {
        /// Segment number.
        segment: u32,
        /// Byte offset in the segment.
        offset: u64,
    },
    /// It is damaged itself.
    Damaged(Damage),
}

/// A mirror's directory, locked.
pub(crate) struct Site {
    dir: PathBuf,
    lock: Lock,
}

/// The running thread. Dropped, it copies what is committed and ends.
pub(crate) struct Mirror {
    is_stopping: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Site {
    /// Takes the directory that the settings name, if they name one. The journal's own must be there.
    pub fn open(settings: &JournalSettings) -> Result<Option<Self>, JournalError> {
        let Some(dir) = &settings.mirror else { return Ok(None) };
        fs::create_dir_all(dir).map_err(JournalError::io("create", dir))?;
        let identity = |dir: &Path| {
            let found = fs::metadata(dir).map_err(JournalError::io("read", dir))?;
            Ok::<_, JournalError>((found.dev(), found.ino()))
        };
        if identity(dir)? == identity(&settings.dir)? {
            return Err(JournalError::Mirror { dir: dir.clone(), fault: MirrorFault::SameDirectory });
        }
        Ok(Some(Self { dir: dir.clone(), lock: Lock::take(dir)? }))
    }

    /// For a new journal: nothing may be there.
    pub fn check_empty(&self) -> Result<(), JournalError> {
        if set::numbers(&self.dir)?.is_empty() && snapshot::base_numbers(&self.dir)?.is_empty() {
            return Ok(());
        }
        Err(JournalError::NotEmpty { dir: self.dir.clone() })
    }

    /// For a journal that is resumed: compares what is there with everything before `start`, and adds what is missing.
    pub fn catch_up(&self, journal: &Path, start: &Start) -> Result<(), JournalError> {
        let last = start.number - 1;
        let missing =
            |segment| JournalError::Damage(Damage { segment, offset: 0, seq: 0, reason: Reason::Missing });
        let open = |number| Segment::open(journal, number)?.ok_or_else(|| missing(number));
        for number in self.begin(journal)?..=last {
            let source = open(number)?;
            let mut next = None;
            if number < last {
                // The next file is there before the end mark that leads to it.
                let segment = open(number + 1)?;
                if self.find(number + 1)?.is_none() {
                    self.make(&segment, false)?;
                }
                next = segment.head.link;
            }
            let used = next.map_or(start.link.prev_used, |link| link.prev_used);
            if self.find(number)?.is_none() {
                self.make(&source, true)?;
            }
            let copy = self.find(number)?.ok_or_else(|| missing(number))?;
            self.complete(&source, &copy, used)?;
        }
        self.remove_spares(last)
    }

    /// Where comparing begins: at the journal's first segment or, if more was pruned from the mirror, at the mirror's. A
    /// mirror that begins with a pruned journal needs its base.
    fn begin(&self, journal: &Path) -> Result<u32, JournalError> {
        let base = snapshot::base_numbers(journal)?.pop();
        let first = base.unwrap_or(1);
        let own_base = snapshot::base_numbers(&self.dir)?.pop();
        let numbers = set::numbers(&self.dir)?;
        if let Some(number) = base
            && own_base.is_none()
            && numbers.is_empty()
        {
            let (from, to) = (snapshot::base_path(journal, number), snapshot::base_path(&self.dir, number));
            copy_whole(&from, &to).map_err(JournalError::io("copy", &from))?;
            return Ok(first);
        }
        let own_first = own_base.unwrap_or(1);
        let hole = (own_first..first).find(|number| numbers.binary_search(number).is_err());
        match hole {
            Some(segment) => {
                let damage = Damage { segment, offset: 0, seq: 0, reason: Reason::Missing };
                Err(self.fault(MirrorFault::Damaged(damage)))
            }
            None => Ok(first.max(own_first)),
        }
    }

    /// Compares one segment with the journal's up to where its records end, and fills in what is missing.
    fn complete(&self, source: &Segment, copy: &Segment, used: u64) -> Result<(), JournalError> {
        let segment = source.number;
        let diverges = |offset| self.fault(MirrorFault::Diverges { segment, offset });
        let identity = IDENTITY_BYTES as u64;
        if source.region.bytes(0, identity) != copy.region.bytes(0, identity) {
            return Err(diverges(0));
        }
        if copy.head.link.is_some() && copy.head.link != source.head.link {
            return Err(diverges(LINK_AT));
        }
        // All of it is compared before anything is written.
        let mut missing = Vec::new();
        for at in (HEADER_BYTES..used).step_by(PIECE_BYTES as usize) {
            let len = PIECE_BYTES.min(used - at);
            let wanted = source.region.bytes(at, len).unwrap_or_default();
            let found = copy.region.bytes(at, len).unwrap_or_default();
            if wanted == found {
                continue;
            }
            if let Some(offset) = divergence(wanted, found) {
                return Err(diverges(at + offset));
            }
            missing.push((at, wanted));
        }
        if behind(&copy.region, used, u64::MAX).bytes > 0 {
            return Err(self.fault(MirrorFault::Ahead { segment, offset: used }));
        }
        if missing.is_empty() && copy.head.link == source.head.link && copy.head.synced >= used {
            return Ok(());
        }
        let path = set::path(&self.dir, segment);
        let io = |source| JournalError::io("complete", &path)(source);
        let file = File::options().write(true).open(&path).map_err(io)?;
        for (at, wanted) in missing {
            file.write_all_at(wanted, at).map_err(io)?;
        }
        file.sync_data().map_err(io)?;
        if let Some(link) = source.head.link.filter(|_| copy.head.link.is_none()) {
            write_link(&file, &link).map_err(io)?;
        }
        file.write_all_at(&synced_word(used).to_le_bytes(), SYNCED_AT).map_err(io)?;
        file.sync_data().map_err(io)
    }

    /// Removes segments behind the journal's last that hold nothing, highest first.
    fn remove_spares(&self, last: u32) -> Result<(), JournalError> {
        for number in set::numbers(&self.dir)?.into_iter().rev().take_while(|&number| number > last) {
            let Some(segment) = self.find(number)? else { continue };
            if behind(&segment.region, HEADER_BYTES, u64::MAX).bytes > 0 {
                return Err(self.fault(MirrorFault::Ahead { segment: number, offset: HEADER_BYTES }));
            }
            let path = set::path(&self.dir, number);
            fs::remove_file(&path).map_err(JournalError::io("remove", &path))?;
        }
        Ok(())
    }

    /// Follows the journal from the segment that its writer begins with.
    pub fn follow(
        mut self,
        settings: &JournalSettings,
        start: &Start,
        board: Arc<Board>,
    ) -> Result<Mirror, JournalError> {
        let window = match settings.sync {
            SyncPolicy::Every(window) => window,
            SyncPolicy::Off => WINDOW,
        };
        let missing = Damage { segment: start.number, offset: 0, seq: 0, reason: Reason::Missing };
        let source = Segment::open(&settings.dir, start.number)?.ok_or(missing)?;
        let copy = self.make(&source, true)?;
        self.lock.write_owner(&self.dir, start.number)?;
        let walk = Walk::new(start.number, start.link.first_seq, Some(start.link.prev_crc));
        let is_stopping = Arc::new(AtomicBool::new(false));
        let follower = Follower {
            journal: settings.dir.clone(),
            site: self,
            board,
            is_stopping: Arc::clone(&is_stopping),
            window,
            walk,
            pairs: VecDeque::from([Pair { source, copy, is_tied: true }]),
        };
        let thread = std::thread::Builder::new()
            .name("smc-mirror".into())
            .spawn(move || follower.run())
            .map_err(JournalError::io("start the mirror's thread of", &settings.dir))?;
        Ok(Mirror { is_stopping, thread: Some(thread) })
    }

    fn find(&self, number: u32) -> Result<Option<Segment>, JournalError> {
        match Segment::open(&self.dir, number) {
            Err(JournalError::Damage(damage)) => Err(self.fault(MirrorFault::Damaged(damage))),
            other => other,
        }
    }

    /// Makes the file of a segment: its identity and nothing else, or its chain block too.
    fn make(&self, source: &Segment, with_link: bool) -> Result<Copy, JournalError> {
        let path = set::path(&self.dir, source.number);
        let draft = path.with_extension("tmp");
        let make = || -> io::Result<File> {
            let file = File::options().write(true).create(true).truncate(true).open(&draft)?;
            map::preallocate(&file, source.region.len())?;
            file.write_all_at(source.region.bytes(0, IDENTITY_BYTES as u64).unwrap_or_default(), 0)?;
            if let Some(link) = source.head.link.filter(|_| with_link) {
                write_link(&file, &link)?;
            }
            file.sync_all()?;
            fs::rename(&draft, &path)?;
            File::open(&self.dir)?.sync_all()?;
            Ok(file)
        };
        let file = make().map_err(|source| {
            let _ = fs::remove_file(&draft);
            JournalError::io("prepare", &path)(source)
        })?;
        Ok(Copy { file, len: source.region.len(), written: HEADER_BYTES, synced: HEADER_BYTES })
    }

    fn fault(&self, fault: MirrorFault) -> JournalError {
        JournalError::Mirror { dir: self.dir.clone(), fault }
    }
}

impl Drop for Mirror {
    fn drop(&mut self) {
        self.is_stopping.store(true, Ordering::Release);
        if let Some(thread) = self.thread.take() {
            thread.thread().unpark();
            // A panic there was told by its guard.
            let _ = thread.join();
        }
    }
}

/// The mirror's end of the journal.
struct Follower {
    journal: PathBuf,
    site: Site,
    board: Arc<Board>,
    is_stopping: Arc<AtomicBool>,
    window: Duration,
    /// In the journal's segment of the last pair; everything before it is copied.
    walk: Walk,
    /// Never empty. Before the last: those whose chain block the journal's helper has not written yet.
    pairs: VecDeque<Pair>,
}

/// A segment of the journal and its copy.
struct Pair {
    source: Segment,
    copy: Copy,
    /// The chain block is copied.
    is_tied: bool,
}

/// A file of the mirror while it is written.
struct Copy {
    file: File,
    len: u64,
    written: u64,
    synced: u64,
}

/// Why the mirror stops; the number is the operating system's, 0 if it had none.
struct Failed(i32);

impl Follower {
    /// Runs until told to stop; then everything committed is copied and synced.
    fn run(mut self) {
        let _gone = Gone(Arc::clone(&self.board));
        loop {
            let is_stopping = self.is_stopping.load(Ordering::Acquire);
            match self.turn() {
                Err(Failed(errno)) => return self.board.raise(Health::MIRROR_FAILED, errno),
                Ok(true) if is_stopping => return,
                Ok(true) => std::thread::park_timeout(self.window / 2),
                Ok(false) => {}
            }
        }
    }

    /// One pass; true if nothing is left to copy.
    fn turn(&mut self) -> Result<bool, Failed> {
        let mut room = TURN_BYTES_MAX;
        let mut is_all = false;
        while room > 0 && !is_all {
            let copied = self.copy_piece()?;
            is_all = copied == 0;
            room = room.saturating_sub(copied);
        }
        if let Some(pair) = self.pairs.back_mut() {
            pair.copy.sync(&self.board)?;
        }
        self.tie()?;
        Ok(is_all)
    }

    /// Copies the next records, and goes on to the next segment at an end mark; how many bytes that were.
    fn copy_piece(&mut self) -> Result<u64, Failed> {
        let Some(pair) = self.pairs.back_mut() else { return Ok(0) };
        let region = &pair.source.region;
        let from = self.walk.offset;
        let mut is_ended = false;
        while !is_ended && self.walk.offset - from < PIECE_BYTES {
            match self.walk.step(region) {
                Ok(Step::Record(_)) => {}
                Ok(Step::End) => is_ended = true,
                Ok(Step::Nothing) => break,
                Err(_) => return Err(Failed(0)),
            }
        }
        if region.is_torn() {
            return Err(Failed(0));
        }
        let len = self.walk.offset - from;
        if len == 0 {
            return Ok(0);
        }
        // The next file is there before the end mark that leads to it.
        let next =
            if is_ended { Some(begin_next(&self.journal, &self.site, self.walk.segment)?) } else { None };
        pair.copy.put(region.bytes(from, len).unwrap_or_default())?;
        if let Some(next) = next {
            pair.copy.sync(&self.board)?;
            self.walk = Walk::new(next.source.number, self.walk.next_seq, self.walk.prev_crc);
            self.pairs.push_back(next);
        }
        Ok(len)
    }

    /// Copies the chain blocks that have been written meanwhile, in their order.
    fn tie(&mut self) -> Result<(), Failed> {
        while let Some(pair) = self.pairs.iter_mut().find(|pair| !pair.is_tied) {
            let Some(link) = read_head(&pair.source.region).ok().and_then(|head| head.link) else { break };
            write_link(&pair.copy.file, &link)?;
            pair.is_tied = true;
        }
        while self.pairs.len() > 1 && self.pairs.front().is_some_and(|pair| pair.is_tied) {
            self.pairs.pop_front();
        }
        Ok(())
    }
}

/// The segment behind an end mark: it was there before the mark was.
fn begin_next(journal: &Path, site: &Site, number: u32) -> Result<Pair, Failed> {
    let source = Segment::open(journal, number.saturating_add(1))?.ok_or(Failed(0))?;
    let copy = site.make(&source, false)?;
    Ok(Pair { source, copy, is_tied: false })
}

impl Copy {
    /// Writes whole records behind those written before.
    fn put(&mut self, records: &[u8]) -> io::Result<()> {
        self.file.write_all_at(records, self.written)?;
        self.written += records.len() as u64;
        Ok(())
    }

    /// Has the disk keep what was written, and notes it in the header.
    fn sync(&mut self, board: &Board) -> io::Result<()> {
        if self.synced == self.written {
            return Ok(());
        }
        let now = self.file.metadata()?;
        if now.len() != self.len || now.nlink() == 0 {
            return Err(io::Error::other("cut or deleted"));
        }
        self.file.sync_data()?;
        self.file.write_all_at(&synced_word(self.written).to_le_bytes(), SYNCED_AT)?;
        board.mirrored_total.fetch_add(self.written - self.synced, Ordering::Relaxed);
        self.synced = self.written;
        Ok(())
    }
}

/// Where the two differ other than by a word that was not written.
fn divergence(wanted: &[u8], found: &[u8]) -> Option<u64> {
    let words = wanted.as_chunks::<8>().0.iter().zip(found.as_chunks::<8>().0);
    let at = words.into_iter().position(|(wanted, found)| wanted != found && *found != [0; 8])?;
    Some(at as u64 * 8)
}

/// Copies a small file: whole and on disk, or not at all.
pub(crate) fn copy_whole(from: &Path, to: &Path) -> io::Result<()> {
    let draft = to.with_extension("tmp");
    fs::copy(from, &draft)?;
    File::open(&draft)?.sync_all()?;
    fs::rename(&draft, to)?;
    to.parent().map_or(Ok(()), |dir| File::open(dir)?.sync_all())
}

impl From<io::Error> for Failed {
    fn from(error: io::Error) -> Self {
        Self(error.raw_os_error().unwrap_or(0))
    }
}

impl From<JournalError> for Failed {
    fn from(error: JournalError) -> Self {
        match error {
            JournalError::Io { source, .. } => source.into(),
            _ => Self(0),
        }
    }
}

/// Tells the writer when the thread ends by a panic.
struct Gone(Arc<Board>);

impl Drop for Gone {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.0.raise(Health::MIRROR_FAILED, 0);
        }
    }
}

impl fmt::Display for MirrorFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::SameDirectory => f.write_str("is the journal's own directory"),
            Self::Diverges { segment, offset } => {
                write!(f, "is of another journal: segment {segment:08} differs at offset {offset}")
            }
            Self::Ahead { segment, offset } => write!(
                f,
                "has more than the journal: segment {segment:08} goes on at offset {offset}; repair the journal from it, \
                 or give an empty directory"
            ),
            Self::Damaged(damage) => write!(f, "is damaged: {damage}; give an empty directory"),
        }
    }
}
