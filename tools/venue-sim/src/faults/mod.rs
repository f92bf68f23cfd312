//! What goes wrong at a venue, from a seed: a venue around a venue, which knows no dialect's words.
//!
//! Pure. [`FaultyVenue`] stands between the server and a dialect. It sees every request before the dialect and every
//! frame before the socket, loses, doubles, holds and spoils some of them as its [`FaultPlan`] says, and counts what it
//! did. Times are market times. A venue without a plan has none of this around it.

mod frames;
mod lines;
mod plan;
mod requests;
mod spoil;
#[cfg(test)]
mod tests;
mod venue;

pub use plan::FaultPlan;
pub use venue::FaultyVenue;

/// One thing that can go wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub enum Fault {
    /// A connection ends within the bytes of a frame.
    Cut,
    /// A connection just accepted gets no answer for a while.
    SlowHandshake,
    /// All frames of a connection are held for a while, then come at once.
    Clog,
    /// A market frame comes twice.
    Duplicate,
    /// Two market frames of a connection change places.
    Reorder,
    /// A market frame is lost.
    Gap,
    /// A market connection says nothing for a while; pings go on.
    Mute,
    /// A market frame is damaged so that it cannot be true.
    Malformed,
    /// A frame announces more bytes than anybody should take.
    Huge,
    /// A picture of the book is an old one.
    StaleSnapshot,
    /// A request is lost before it was done.
    DroppedRequest,
    /// A request is done and its answer lost.
    LostAnswer,
    /// A request is refused with 503 and was not done.
    ServerError,
    /// A request is answered with 503 or 408 and was done.
    UnknownOutcome,
    /// 429 with a time to wait until.
    RateLimited,
    /// 418 with a time to wait until.
    Banned,
    /// 403, the firewall's word.
    Forbidden,
    /// 503 to everything for a while; connections may be cut as it begins.
    Maintenance,
    /// The private events of a connection are ended by the venue.
    LoggedOut,
    /// The venue announces that it will close a connection, and does.
    Shutdown,
    /// A resting order is filled in part.
    PartFill,
    /// An order is filled, in part or whole, right before its cancel is read.
    FillBeforeCancel,
    /// Private events come later than answers that were made after them.
    LateReport,
    /// A report about an order comes twice.
    RepeatedReport,
    /// Two reports about orders change places.
    SwappedReport,
}

impl Fault {
    /// All there are, in the order of their numbers.
    pub const ALL: [Self; 25] = [
        Self::Cut,
        Self::SlowHandshake,
        Self::Clog,
        Self::Duplicate,
        Self::Reorder,
        Self::Gap,
        Self::Mute,
        Self::Malformed,
        Self::Huge,
        Self::StaleSnapshot,
        Self::DroppedRequest,
        Self::LostAnswer,
        Self::ServerError,
        Self::UnknownOutcome,
        Self::RateLimited,
        Self::Banned,
        Self::Forbidden,
        Self::Maintenance,
        Self::LoggedOut,
        Self::Shutdown,
        Self::PartFill,
        Self::FillBeforeCancel,
        Self::LateReport,
        Self::RepeatedReport,
        Self::SwappedReport,
    ];

    /// Its name in tables.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Cut => "cut",
            Self::SlowHandshake => "slow handshake",
            Self::Clog => "clog",
            Self::Duplicate => "duplicate",
            Self::Reorder => "reorder",
            Self::Gap => "gap",
            Self::Mute => "mute",
            Self::Malformed => "malformed",
            Self::Huge => "huge",
            Self::StaleSnapshot => "stale snapshot",
            Self::DroppedRequest => "dropped request",
            Self::LostAnswer => "lost answer",
            Self::ServerError => "server error",
            Self::UnknownOutcome => "unknown outcome",
            Self::RateLimited => "rate limited",
            Self::Banned => "banned",
            Self::Forbidden => "forbidden",
            Self::Maintenance => "maintenance",
            Self::LoggedOut => "logged out",
            Self::Shutdown => "shutdown",
            Self::PartFill => "part fill",
            Self::FillBeforeCancel => "fill before cancel",
            Self::LateReport => "late report",
            Self::RepeatedReport => "repeated report",
            Self::SwappedReport => "swapped report",
        }
    }

    /// The chance at one opportunity, in ppm, when it is drawn at all: least and most. An opportunity is a frame, a
    /// request, an accepted connection, or a tenth of a second of the market; which, is said where the fault is done.
    const fn odds_ppm(self) -> (u32, u32) {
        match self {
            Self::Cut => (200, 3_000),
            Self::SlowHandshake => (50_000, 400_000),
            Self::Clog => (1_000, 10_000),
            Self::Duplicate | Self::Reorder => (500, 20_000),
            Self::Gap => (300, 5_000),
            Self::Mute => (300, 3_000),
            Self::Malformed => (300, 4_000),
            Self::Huge => (200, 1_500),
            Self::StaleSnapshot => (200_000, 700_000),
            Self::DroppedRequest | Self::LostAnswer | Self::ServerError | Self::UnknownOutcome => {
                (10_000, 120_000)
            }
            Self::RateLimited => (5_000, 50_000),
            Self::Banned | Self::Forbidden => (3_000, 30_000),
            Self::Maintenance => (500, 4_000),
            Self::LoggedOut | Self::Shutdown => (500, 4_000),
            Self::PartFill => (2_000, 50_000),
            Self::FillBeforeCancel => (100_000, 700_000),
            Self::LateReport => (10_000, 200_000),
            Self::RepeatedReport | Self::SwappedReport => (20_000, 300_000),
        }
    }

    /// Its effect may last a minute beyond it, since clients wait that long when nobody tells them how long.
    const fn is_long(self) -> bool {
        matches!(self, Self::RateLimited | Self::Banned | Self::Forbidden | Self::Maintenance)
    }
}

/// How often each fault has struck, and what a client did that it should not.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    struck: [u64; Fault::ALL.len()],
    /// Requests, cancels aside, that a client made more than a second after it was told to wait longer.
    pub too_early: u64,
}

impl Counts {
    /// Of one.
    pub fn of(&self, fault: Fault) -> u64 {
        self.struck.get(fault as usize).copied().unwrap_or(0)
    }

    fn count(&mut self, fault: Fault) {
        if let Some(count) = self.struck.get_mut(fault as usize) {
            *count += 1;
        }
    }

    /// Adds another run's.
    pub fn add(&mut self, other: &Self) {
        self.struck.iter_mut().zip(other.struck).for_each(|(sum, count)| *sum += count);
        self.too_early += other.too_early;
    }
}
