//! Streams over HTTP: prices and transactions, one JSON object a line, in chunks whose borders mean nothing.
//!
//! Pure. Lines that fall on one instant leave together; from the seed, some chunks end inside a line.

use super::faults::Dice;
use super::settings::OandaFaults;
use super::wire;
use crate::dialect::{Frame, Lane};
use smc_core::TsNs;
use std::collections::BTreeSet;

/// One chunk in so many ends inside a line.
const SPLIT_ONE_IN: u64 = 4;

/// What a stream carries.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Prices of these instruments, at most one of each in a window.
    Prices(Vec<usize>),
    /// The account's transactions.
    Transactions,
}

/// One open stream.
pub struct Stream {
    /// Index of the account.
    pub account: usize,
    /// What it carries.
    pub kind: Kind,
    /// Path and query: streams with equal times are served in this order, not in that of their connections.
    pub purpose: String,
    /// When it was opened: its windows are counted from here.
    opened: TsNs,
    /// Length of a window in nanoseconds.
    window_ns: u64,
    /// Whether times are written as seconds.
    is_unix: bool,
    /// Instruments with a new price in the current window.
    fresh: BTreeSet<usize>,
    /// When the current window ends, if it has seen a price.
    window_end: Option<TsNs>,
    /// Nothing more will ever be said.
    is_mute: bool,
    /// Lines that have not left.
    lines: String,
}

impl Stream {
    /// A stream that has said nothing.
    pub fn new(
        account: usize,
        kind: Kind,
        purpose: String,
        opened: TsNs,
        window_ns: u64,
        is_unix: bool,
    ) -> Self {
        Self {
            account,
            kind,
            purpose,
            opened,
            window_ns: window_ns.max(1),
            is_unix,
            fresh: BTreeSet::new(),
            window_end: None,
            is_mute: false,
            lines: String::new(),
        }
    }

    /// Whom it serves.
    pub fn lane(&self) -> Lane {
        match self.kind {
            Kind::Prices(_) => Lane::Market,
            Kind::Transactions => Lane::Orders,
        }
    }

    /// Whether it carries the transactions of an account.
    pub fn tells(&self, account: usize) -> bool {
        self.kind == Kind::Transactions && self.account == account
    }

    /// Takes note of a new price.
    pub fn on_quote(&mut self, instrument: usize, now: TsNs) {
        let Kind::Prices(wanted) = &self.kind else { return };
        if !wanted.contains(&instrument) || self.is_mute {
            return;
        }
        self.fresh.insert(instrument);
        let passed = now.0.saturating_sub(self.opened.0) / self.window_ns;
        self.window_end.get_or_insert(TsNs(self.opened.0 + (passed + 1) * self.window_ns));
    }

    /// When its window ends, if there is something to say.
    pub fn due(&self) -> Option<TsNs> {
        self.window_end
    }

    /// The instruments to be told now that the window has ended.
    pub fn close_window(&mut self, now: TsNs) -> BTreeSet<usize> {
        if self.window_end.is_none_or(|end| end > now) {
            return BTreeSet::new();
        }
        self.window_end = None;
        std::mem::take(&mut self.fresh)
    }

    /// Falls silent for good.
    pub fn mute(&mut self) {
        self.is_mute = true;
        self.window_end = None;
    }

    /// Adds a line.
    pub fn say(&mut self, line: &str) {
        if self.is_mute {
            return;
        }
        let line = if self.is_unix { wire::unix_times(line) } else { line.to_owned() };
        self.lines.push_str(&line);
        self.lines.push('\n');
    }

    /// The chunks of all lines said since the last call; a stream that is cut ends inside one.
    pub fn flush(&mut self, dice: &mut Dice, faults: &OandaFaults) -> Vec<Frame> {
        if self.lines.is_empty() {
            return Vec::new();
        }
        let lines = std::mem::take(&mut self.lines).into_bytes();
        let border = 1 + dice.below(lines.len() as u64 - 1) as usize;
        if dice.falls(faults.cut_stream) {
            let whole = chunk(&lines);
            self.mute();
            return vec![Frame::Part(whole.get(..border).unwrap_or_default().to_vec()), Frame::Close];
        }
        if dice.below(SPLIT_ONE_IN) > 0 {
            return vec![Frame::Part(chunk(&lines))];
        }
        let (first, second) = lines.split_at(border);
        vec![Frame::Part(chunk(first)), Frame::Part(chunk(second))]
    }
}

/// The head of a stream's answer.
pub fn head(request: u64) -> Frame {
    let head = format!(
        "HTTP/1.1 200 OK\r\nContent-Type: application/octet-stream\r\nTransfer-Encoding: chunked\r\nRequestID: {request}\r\n\r\n"
    );
    Frame::Part(head.into_bytes())
}

fn chunk(bytes: &[u8]) -> Vec<u8> {
    let mut chunk = format!("{:x}\r\n", bytes.len()).into_bytes();
    chunk.extend_from_slice(bytes);
    chunk.extend_from_slice(b"\r\n");
    chunk
}

#[cfg(test)]
mod tests {
    use super::*;

    fn dechunk(frames: &[Frame]) -> (Vec<u8>, usize) {
        let bytes: Vec<u8> = frames
            .iter()
            .flat_map(|f| match f {
                Frame::Part(bytes) => bytes.clone(),
                _ => Vec::new(),
            })
            .collect();
        let (mut rest, mut out, mut count) = (&bytes[..], Vec::new(), 0);
        while let Some(at) = rest.windows(2).position(|it| it == b"\r\n") {
            let len =
                usize::from_str_radix(std::str::from_utf8(&rest[..at]).expect("ascii"), 16).expect("hex");
            out.extend_from_slice(&rest[at + 2..at + 2 + len]);
            assert_eq!(&rest[at + 2 + len..at + 4 + len], b"\r\n");
            rest = &rest[at + 4 + len..];
            count += 1;
        }
        (out, count)
    }

    #[test]
    fn chunks_hold_several_lines_and_end_inside_lines_but_lose_nothing() {
        let (mut dice, none) = (Dice::new(7), OandaFaults::default());
        let mut stream = Stream::new(0, Kind::Transactions, String::new(), TsNs(0), 1, false);
        let mut counts = BTreeSet::new();
        for _ in 0..64 {
            stream.say("{\"a\":1}");
            stream.say("{\"b\":2}");
            let (bytes, count) = dechunk(&stream.flush(&mut dice, &none));
            assert_eq!(bytes, b"{\"a\":1}\n{\"b\":2}\n");
            counts.insert(count);
        }
        assert_eq!(counts, BTreeSet::from([1, 2]));
        assert!(stream.flush(&mut dice, &none).is_empty());
    }

    #[test]
    fn a_window_tells_each_instrument_once_and_only_at_its_end() {
        let mut stream = Stream::new(0, Kind::Prices(vec![0, 2]), String::new(), TsNs(100), 250, false);
        for (instrument, now) in [(0, 110), (1, 120), (0, 130), (2, 349)] {
            stream.on_quote(instrument, TsNs(now));
        }
        assert_eq!(stream.due(), Some(TsNs(350)));
        assert!(stream.close_window(TsNs(349)).is_empty());
        assert_eq!(stream.close_window(TsNs(350)), BTreeSet::from([0, 2]));
        assert_eq!(stream.due(), None);
        stream.on_quote(0, TsNs(350));
        assert_eq!(stream.due(), Some(TsNs(600)), "windows stay on their grid");
    }
}
