//! What becomes of requests: lost, done and unanswered, refused, met by a venue that listens to nobody.

use super::Fault;
use super::venue::{FaultyVenue, NOBODY, PAINTER, PICTURES_MAX};
use crate::dialect::{self, Asked, ConnId, Frame, HttpRequest, Lane, Request};
use smc_core::TsNs;

/// A picture is old after so long.
const OLD_NS: u64 = 1_000_000_000;

/// Requests that were under way when a client was told to wait are not held against it.
const PATIENCE_NS: u64 = 1_000_000_000;

/// What every request meets until it is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Trouble {
    pub status: u16,
    pub until: TsNs,
    /// The refusal says until when.
    pub is_told_when: bool,
    /// When that was first said, to each kind of request where each has a limit of its own.
    pub told_at: [Option<TsNs>; 3],
}

impl Trouble {
    fn words(&self) -> dialect::Trouble {
        let retry_at_ms = self.is_told_when.then(|| self.until.as_ms());
        dialect::Trouble { status: self.status, retry_at_ms, is_done: false }
    }
}

/// What becomes of one request.
enum Fate {
    /// It is done and answered.
    Done,
    /// It never arrives.
    Dropped,
    /// It is done and not answered.
    Unanswered,
    /// It is refused with this, and done nevertheless where that says so.
    Refused(dialect::Trouble),
}

impl FaultyVenue {
    /// Notes that a refusal tells the client to wait, and whether it had been told before and did not.
    fn note_patience(&mut self, asked: Asked) {
        let now = self.inner.now();
        let place = if self.inner.keeps_limits_apart() { asked as usize } else { 0 };
        let Some(trouble) = self.trouble.as_mut().filter(|trouble| trouble.is_told_when) else { return };
        let Some(told_at) = trouble.told_at.get_mut(place) else { return };
        if now.since(*told_at.get_or_insert(now)) > PATIENCE_NS && asked != Asked::Cancel {
            self.counts.too_early += 1;
        }
    }

    /// One request's fate. An opportunity of every fault named here.
    fn fate(&mut self) -> Fate {
        if let Some(words) = self.present_trouble() {
            return Fate::Refused(words);
        }
        let troubles = [(Fault::RateLimited, 429), (Fault::Banned, 418), (Fault::Forbidden, 403)];
        for (fault, status) in troubles {
            if self.rolls(fault) {
                self.struck(fault);
                let until = self.later(1_000, 15_000);
                let is_told_when = self.inner.tells_when(status);
                self.trouble = Some(Trouble { status, until, is_told_when, told_at: [None; 3] });
                return self.present_trouble().map_or(Fate::Done, Fate::Refused);
            }
        }
        let plain = |status, is_done| dialect::Trouble { status, retry_at_ms: None, is_done };
        if self.rolls(Fault::DroppedRequest) {
            self.struck(Fault::DroppedRequest);
            Fate::Dropped
        } else if self.rolls(Fault::LostAnswer) {
            self.struck(Fault::LostAnswer);
            Fate::Unanswered
        } else if self.rolls(Fault::ServerError) {
            self.struck(Fault::ServerError);
            Fate::Refused(plain(503, false))
        } else if self.rolls(Fault::UnknownOutcome) {
            self.struck(Fault::UnknownOutcome);
            Fate::Refused(plain(if self.random.chance(0.5) { 503 } else { 408 }, true))
        } else {
            Fate::Done
        }
    }

    /// What everybody meets now, if anything.
    fn present_trouble(&mut self) -> Option<dialect::Trouble> {
        let now = self.inner.now();
        self.trouble = self.trouble.filter(|trouble| now < trouble.until);
        self.trouble.filter(|_| !self.is_held).map(|trouble| trouble.words())
    }

    /// The status under which an upgrade is refused, if it is.
    pub(super) fn refuses_upgrade(&mut self) -> Option<u16> {
        self.present_trouble().map(|words| words.status)
    }

    pub(super) fn meet_text(&mut self, conn: ConnId, text: &str) {
        if self.lanes.get(&conn) != Some(&Lane::Orders) {
            // Market connections carry a few requests for streams; a venue in trouble loses them.
            if self.rolls(Fault::DroppedRequest) {
                return self.struck(Fault::DroppedRequest);
            }
            self.inner.on_text(conn, text);
            return self.sift();
        }
        let asked = self.asked_of(Request::Text(text));
        match self.fate() {
            Fate::Done => self.inner.on_text(conn, text),
            Fate::Dropped => {}
            Fate::Unanswered => self.do_silently(conn, text),
            Fate::Refused(words) => {
                self.note_patience(asked);
                if words.is_done {
                    self.do_silently(conn, text);
                }
                if let Some(refusal) = self.inner.refuse_text(conn, text, words) {
                    self.out.push(conn, Frame::Text(refusal));
                }
            }
        }
        self.sift();
    }

    /// What a request is for. The market may be faster than a cancel.
    fn asked_of(&mut self, request: Request<'_>) -> Asked {
        let asked = self.inner.asked(request);
        if asked == Asked::Cancel && self.rolls(Fault::FillBeforeCancel) {
            let share = if self.random.chance(0.5) { 1_000_000 } else { self.share_ppm(100_000, 900_000) };
            if self.inner.fill_resting(Some(request), share) {
                self.struck(Fault::FillBeforeCancel);
            }
        }
        asked
    }

    /// Lets the venue do what a text asks; its answer is lost, what it says besides is not.
    fn do_silently(&mut self, conn: ConnId, text: &str) {
        self.sift();
        self.loses_answer = Some(conn);
        self.inner.on_text(conn, text);
        self.sift();
        self.loses_answer = None;
    }

    pub(super) fn meet_http(&mut self, conn: ConnId, request: &HttpRequest) {
        self.sift();
        let is_snapshot = self.inner.is_snapshot(request);
        if is_snapshot {
            self.picture_request.get_or_insert_with(|| request.clone());
        }
        let asked = self.asked_of(Request::Http(request));
        if self.inner.takes_orders_by_http() {
            self.lanes.entry(conn).or_insert(Lane::Orders);
        }
        match self.fate() {
            Fate::Done => match self.old_picture(is_snapshot, request) {
                Some(bytes) => self.out.push(conn, Frame::Http(bytes)),
                None => self.answer(conn, request),
            },
            Fate::Dropped => {}
            Fate::Unanswered => self.answer_nobody(request),
            Fate::Refused(words) => {
                self.note_patience(asked);
                if words.is_done {
                    self.answer_nobody(request);
                }
                let refusal = self.inner.refuse_http(words);
                self.out.push(conn, Frame::Http(refusal));
            }
        }
        self.sift();
    }

    /// Lets the venue answer, perhaps with a stream.
    fn answer(&mut self, conn: ConnId, request: &HttpRequest) {
        self.inner.on_http(conn, request);
        if let Some(lane) = self.inner.line_stream(conn) {
            self.lanes.insert(conn, lane);
            self.lines.entry(conn).or_default();
        }
    }

    /// Lets the venue do what a request asks, and nobody hear of it; a stream that it opened is closed.
    fn answer_nobody(&mut self, request: &HttpRequest) {
        self.inner.on_http(NOBODY, request);
        self.sift();
        self.inner.close(NOBODY);
    }

    fn old_picture(&mut self, is_snapshot: bool, request: &HttpRequest) -> Option<Vec<u8>> {
        let is_ours = self.picture_request.as_ref().is_some_and(|ours| ours.target == request.target);
        if !is_snapshot || !is_ours || !self.rolls(Fault::StaleSnapshot) {
            return None;
        }
        let now = self.inner.now();
        let old: Vec<&Vec<u8>> =
            self.pictures.iter().filter(|(at, _)| now.since(*at) >= OLD_NS).map(|(_, bytes)| bytes).collect();
        let bytes = old.get(self.random.bits() as usize % old.len().max(1)).map(|bytes| (*bytes).clone())?;
        self.struck(Fault::StaleSnapshot);
        Some(bytes)
    }

    /// Asks the venue for the book as a client would, to have an old answer later.
    pub(super) fn take_picture(&mut self) {
        if let Some(request) = self.picture_request.clone() {
            self.inner.on_http(PAINTER, &request);
        }
    }

    pub(super) fn keep_picture(&mut self, frame: Frame) {
        let Frame::Http(bytes) = frame else { return };
        if !bytes.starts_with(b"HTTP/1.1 200") {
            return;
        }
        if self.pictures.len() == PICTURES_MAX {
            self.pictures.pop_front();
        }
        self.pictures.push_back((self.inner.now(), bytes));
    }
}
