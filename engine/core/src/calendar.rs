//! Wall clocks for a core that has none: offsets of time zones and daily windows, resolved outside.
//!
//! Plain data. Whoever builds the configuration asks a time-zone library; the core gets tables and needs no
//! rule of any country. The tables are part of the configuration: the same build resolves the same ones.

use alloc::sync::Arc;
use alloc::vec::Vec;

use crate::words::{Name, TsNs};

/// Sessions one calendar can hold.
pub const SESSIONS_MAX: usize = 16;
/// Seconds of a day.
pub const DAY_SECS: u32 = 86_400;

/// What daily life looks like where an instrument trades.
#[derive(Clone, Debug, Default)]
pub struct Calendar {
    /// When a trading day begins.
    pub roll: Roll,
    /// Sessions and kill zones, at most [`SESSIONS_MAX`].
    pub sessions: Vec<SessionWindow>,
}

/// When a trading day begins: at this local time. From noon on it begins the day that follows (forex: 17:00 in
/// New York begins Monday on Sunday evening).
#[derive(Clone, Debug, Default)]
pub struct Roll {
    /// The zone's offsets.
    pub offsets: ZoneOffsets,
    /// Local time of day in seconds, below [`DAY_SECS`]; 0 is midnight.
    pub at_secs: u32,
}

/// A daily window on the wall clock of a zone: `[start, end)`, over midnight when `end <= start`.
#[derive(Clone, Debug)]
pub struct SessionWindow {
    /// What traders call it.
    pub name: Name,
    /// The zone's offsets.
    pub offsets: ZoneOffsets,
    /// Local start in seconds of the day, below [`DAY_SECS`].
    pub start_secs: u32,
    /// Local end in seconds of the day, below [`DAY_SECS`]; equal to the start means a whole day.
    pub end_secs: u32,
}

/// Offset of a zone from UTC as time goes on. Shared, immutable.
#[derive(Clone, Debug)]
pub struct ZoneOffsets {
    /// Ascending by instant; the first one holds since ever. Never empty.
    steps: Arc<[OffsetStep]>,
}

/// From `since` on the zone's clocks show UTC plus `offset_secs`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OffsetStep {
    /// First instant of it.
    pub since: TsNs,
    /// Seconds east of UTC, within a day either way.
    pub offset_secs: i32,
}

/// A stretch of time with one offset.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OffsetSpan {
    /// First instant.
    pub since: TsNs,
    /// First instant after it.
    pub until: TsNs,
    /// Seconds east of UTC.
    pub offset_secs: i32,
}

impl Default for ZoneOffsets {
    fn default() -> Self {
        Self::fixed(0)
    }
}

impl ZoneOffsets {
    /// A zone that never changes its clocks.
    pub fn fixed(offset_secs: i32) -> Self {
        Self { steps: Arc::new([OffsetStep { since: TsNs(0), offset_secs }]) }
    }

    /// From steps in ascending order; none when there is no step, the order is broken or an offset is a day or
    /// more.
    pub fn new(steps: &[OffsetStep]) -> Option<Self> {
        let is_sane = |step: &OffsetStep| step.offset_secs.unsigned_abs() < DAY_SECS;
        let is_ascending = steps.is_sorted_by(|a, b| a.since < b.since);
        (!steps.is_empty() && is_ascending && steps.iter().all(is_sane)).then(|| Self { steps: steps.into() })
    }

    /// The stretch that `ts` lies in. A binary search: keep the answer until `until`.
    pub fn span_at(&self, ts: TsNs) -> OffsetSpan {
        let at = self.steps.partition_point(|step| step.since <= ts).saturating_sub(1);
        let until = self.steps.get(at + 1).map_or(TsNs(u64::MAX), |step| step.since);
        let since = if at == 0 { TsNs(0) } else { self.steps[at].since };
        OffsetSpan { since, until, offset_secs: self.steps[at].offset_secs }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn offsets_hold_from_their_step_to_the_next() {
        let step = |since, offset_secs| OffsetStep { since: TsNs(since), offset_secs };
        let zone = ZoneOffsets::new(&[step(100, -3_600), step(200, 0), step(300, 3_600)]).unwrap();
        let span = |ts| {
            let OffsetSpan { since, until, offset_secs } = zone.span_at(TsNs(ts));
            (since.0, until.0, offset_secs)
        };
        assert_eq!([span(0), span(100), span(199)], [(0, 200, -3_600); 3]);
        assert_eq!([span(200), span(299)], [(200, 300, 0); 2]);
        assert_eq!(span(u64::MAX - 1), (300, u64::MAX, 3_600));
        assert!(ZoneOffsets::new(&[]).is_none());
        assert!(ZoneOffsets::new(&[step(2, 0), step(1, 0)]).is_none());
        assert!(ZoneOffsets::new(&[step(2, 86_400)]).is_none());
    }
}
