//! What becomes of frames on their way to a client: lost, twice, late, out of order, spoiled, cut.

use super::Fault;
use super::lines;
use super::spoil::{huge_chunk, huge_header, spoil, spoil_bytes};
use super::venue::{FaultyVenue, NOBODY, PAINTER};
use crate::dialect::{ConnId, Frame, Said};
use smc_core::TsNs;
use std::collections::{BTreeMap, VecDeque};

/// A frame that nothing overtakes leaves after so long.
const OVERTAKEN_MS: u64 = 1_000;
/// Market frames that overtake one far out of its place.
const OVERTAKERS_MAX: u64 = 20;

/// What of a connection is held.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Hold {
    /// Everything.
    All,
    /// Private events; answers pass them.
    Private,
}

/// A frame that others overtake.
struct Overtaken {
    frame: Frame,
    /// How many still do.
    left: u64,
    /// How long it waits for them at most.
    until: TsNs,
}

/// Frames on their way out.
#[derive(Default)]
pub(super) struct Outgoing {
    ready: VecDeque<(ConnId, Frame)>,
    held: BTreeMap<(ConnId, Hold), (TsNs, VecDeque<Frame>)>,
    /// Connections whose market frames vanish until then.
    muted: BTreeMap<ConnId, TsNs>,
    /// A frame that waits for others of its kind to overtake it.
    overtaken: BTreeMap<(ConnId, bool), Overtaken>,
}

impl Outgoing {
    /// Holds a connection's frames until then.
    pub fn hold(&mut self, conn: ConnId, what: Hold, until: TsNs) {
        self.held.entry((conn, what)).or_insert((until, VecDeque::new()));
    }

    /// Lets a connection's market frames vanish until then.
    pub fn mute(&mut self, conn: ConnId, until: TsNs) {
        self.muted.insert(conn, until);
    }

    fn is_muted(&self, conn: ConnId, now: TsNs) -> bool {
        self.muted.get(&conn).is_some_and(|until| now < *until)
    }

    /// Queues a frame behind whatever is held of its connection.
    pub fn push(&mut self, conn: ConnId, frame: Frame) {
        match self.held.get_mut(&(conn, Hold::All)) {
            Some((_, frames)) => frames.push_back(frame),
            None => self.ready.push_back((conn, frame)),
        }
    }

    fn push_private(&mut self, conn: ConnId, frame: Frame) {
        match self.held.get_mut(&(conn, Hold::Private)) {
            Some((_, frames)) => frames.push_back(frame),
            None => self.push(conn, frame),
        }
    }

    /// Lets go of what has been held long enough. Private events first: they join what is held of everything.
    pub fn release(&mut self, now: TsNs) {
        for what in [Hold::Private, Hold::All] {
            let is_over = |(key, (until, _)): (&(ConnId, Hold), &(TsNs, _))| {
                (key.1 == what && *until <= now).then_some(*key)
            };
            let over: Vec<_> = self.held.iter().filter_map(is_over).collect();
            for key in over {
                let Some((_, frames)) = self.held.remove(&key) else { continue };
                frames.into_iter().for_each(|frame| self.push(key.0, frame));
            }
        }
        let is_over = |(key, one): (&(ConnId, bool), &Overtaken)| (one.until <= now).then_some(*key);
        let over: Vec<_> = self.overtaken.iter().filter_map(is_over).collect();
        for key in over {
            let Some(Overtaken { frame, .. }) = self.overtaken.remove(&key) else { continue };
            if key.1 { self.push_private(key.0, frame) } else { self.push(key.0, frame) }
        }
        self.muted.retain(|_, until| now < *until);
    }

    pub fn forget(&mut self, conn: ConnId) {
        self.ready.retain(|(to, _)| *to != conn);
        self.held.retain(|(to, _), _| *to != conn);
        self.overtaken.retain(|(to, _), _| *to != conn);
        self.muted.remove(&conn);
    }

    pub fn pop(&mut self) -> Option<(ConnId, Frame)> {
        self.ready.pop_front()
    }
}

/// One message of the market or about an account.
enum Message {
    /// JSON.
    Text(String),
    /// A binary frame.
    Bytes(Vec<u8>),
}

impl FaultyVenue {
    /// One frame of the venue, and what goes wrong with it. An opportunity of every fault named here.
    pub(super) fn sift_one(&mut self, conn: ConnId, frame: Frame) {
        match conn {
            PAINTER => return self.keep_picture(frame),
            NOBODY => return,
            _ => {}
        }
        let frame = if self.rolls(Fault::Cut) { self.torn(frame) } else { frame };
        match (frame, self.lines.get_mut(&conn)) {
            (Frame::Text(text), _) => self.sift_text(conn, text),
            (Frame::Binary(bytes), _) => self.market_frame(conn, Message::Bytes(bytes)),
            (Frame::Part(bytes), Some(lines)) if !lines.is_head(&bytes) => {
                let whole = lines.take(&bytes);
                whole.into_iter().for_each(|line| self.sift_text(conn, line));
            }
            (frame, _) => self.out.push(conn, frame),
        }
    }

    /// One message: a text, or a line of a stream.
    fn sift_text(&mut self, conn: ConnId, text: String) {
        match self.inner.said(&text) {
            Said::Market => self.market_frame(conn, Message::Text(text)),
            Said::Report => self.report(conn, text),
            Said::Account => {
                let frame = self.pack(conn, Message::Text(text));
                self.out.push_private(conn, frame);
            }
            Said::Answer if self.loses_answer == Some(conn) => self.loses_answer = None,
            Said::Answer => self.out.push(conn, Frame::Text(text)),
        }
    }

    /// A message as its connection carries it.
    fn pack(&mut self, conn: ConnId, message: Message) -> Frame {
        match message {
            Message::Bytes(bytes) => Frame::Binary(bytes),
            Message::Text(text) if self.lines.contains_key(&conn) => {
                Frame::Part(lines::chunks(text, &mut self.random))
            }
            Message::Text(text) => Frame::Text(text),
        }
    }

    fn torn(&mut self, frame: Frame) -> Frame {
        if matches!(frame, Frame::Close | Frame::Torn(..)) {
            return frame;
        }
        self.struck(Fault::Cut);
        let share = self.share_ppm(0, 1_000_000);
        Frame::Torn(Box::new(frame), share)
    }

    fn market_frame(&mut self, conn: ConnId, message: Message) {
        if self.out.is_muted(conn, self.inner.now()) {
            return;
        }
        if self.rolls(Fault::Gap) {
            return self.struck(Fault::Gap);
        }
        if self.rolls(Fault::Huge) {
            self.struck(Fault::Huge);
            // As raw bytes: no WebSocket library would send it.
            let head = match self.lines.contains_key(&conn) {
                true => Frame::Part(huge_chunk()),
                false => Frame::Http(huge_header()),
            };
            return self.out.push(conn, head);
        }
        if self.rolls(Fault::Malformed) {
            self.struck(Fault::Malformed);
            let spoiled = match message {
                Message::Text(text) => Message::Text(spoil(&text, &mut self.random)),
                Message::Bytes(bytes) => Message::Bytes(spoil_bytes(bytes, &mut self.random)),
            };
            let frame = self.pack(conn, spoiled);
            return self.out.push(conn, frame);
        }
        let frame = self.pack(conn, message);
        if self.rolls(Fault::Duplicate) {
            self.struck(Fault::Duplicate);
            self.out.push(conn, frame.clone());
        }
        self.in_or_out_of_order(conn, frame, Fault::Reorder);
    }

    fn report(&mut self, conn: ConnId, text: String) {
        if self.rolls(Fault::LateReport) {
            self.struck(Fault::LateReport);
            let until = self.later(10, 5_000);
            self.out.hold(conn, Hold::Private, until);
        }
        let frame = self.pack(conn, Message::Text(text));
        if self.rolls(Fault::RepeatedReport) {
            self.struck(Fault::RepeatedReport);
            self.out.push_private(conn, frame.clone());
        }
        self.in_or_out_of_order(conn, frame, Fault::SwappedReport);
    }

    /// Lets the next frames of the kind go before this one: one of them, or enough for a message of the same stream to be
    /// among them.
    fn in_or_out_of_order(&mut self, conn: ConnId, frame: Frame, fault: Fault) {
        let is_report = fault == Fault::SwappedReport;
        let key = (conn, is_report);
        if !self.out.overtaken.contains_key(&key) && self.rolls(fault) {
            let until = self.later(OVERTAKEN_MS, OVERTAKEN_MS + 1);
            let is_far = !is_report && self.random.chance(0.5);
            let left = if is_far { 2 + self.random.bits() % OVERTAKERS_MAX } else { 1 };
            self.out.overtaken.insert(key, Overtaken { frame, left, until });
            return;
        }
        let before = self.out.overtaken.get_mut(&key).map(|before| {
            before.left -= 1;
            before.left
        });
        let before = before.filter(|left| *left == 0).and_then(|_| self.out.overtaken.remove(&key));
        if before.is_some() {
            self.struck(fault);
        }
        for frame in std::iter::once(frame).chain(before.map(|before| before.frame)) {
            if is_report { self.out.push_private(conn, frame) } else { self.out.push(conn, frame) }
        }
    }
}
