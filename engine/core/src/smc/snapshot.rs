//! Saving an engine between two bars and going on from there as if nothing had happened.
//!
//! Off the hot path; saving allocates. The bytes begin with a version and a fingerprint of instrument, timeframe
//! and settings, so that they load only onto an engine that was built the same. Then each part names its fields
//! in the file where it lives; what follows from settings or from other fields is not among them. Rings and
//! slots are saved by what they hold, in order, so that equal states have equal bytes whatever their past.
//!
//! Loading believes nothing: a bar not yet seen, a price out of bounds, a list too long or out of order is an
//! error, and what passes cannot make a later bar panic. An engine that failed to load must be thrown away.

use alloc::vec::Vec;

use super::pivots::Pivot;
use super::view::Candle;
use super::{IdSource, PRICE_MAX, SmcEngine, SmcParams};
use crate::calendar::Calendar;
use crate::event::Bar;
use crate::state::{self, State, StateError, StateIo};
use crate::words::{Direction, InstrumentId, Timeframe};

/// First byte of a saved engine.
const VERSION: u8 = 1;

impl SmcEngine {
    /// Appends the state after the last bar.
    pub fn save(&mut self, to: &mut Vec<u8>) {
        StateIo::save(self, to);
    }

    /// Brings a saved state back, onto an engine built with the same arguments.
    pub fn load(&mut self, bytes: &[u8]) -> Result<(), StateError> {
        StateIo::load(self, bytes)
    }
}

impl State for SmcEngine {
    fn state(&mut self, io: &mut StateIo<'_>) -> Result<(), StateError> {
        let (mut version, mut fingerprint) = (VERSION, self.fingerprint);
        io.number(&mut version)?;
        io.number(&mut fingerprint)?;
        sound(io, version == VERSION && fingerprint == self.fingerprint)?;
        io.number(&mut self.count)?;
        let count = self.count;
        io.option(&mut self.last_bar, || Bar::BLANK, bar_state)?;
        sound(io, self.last_bar.is_some() == (count > 0))?;
        io.number(&mut self.range_sum)?;
        sound(io, self.range_sum >= 0 && self.range_sum <= i128::from(count) * i128::from(i64::MAX))?;
        self.atr.state(io, count)?;
        if let Some(slow_atr) = &mut self.slow_atr {
            slow_atr.state(io, count)?;
        }
        if let Some(recent_range) = &mut self.recent_range {
            recent_range.state(io, count)?;
        }
        self.history.state(io, count)?;
        self.swing.state(io, count)?;
        if let Some(internal) = &mut self.internal {
            internal.state(io, count)?;
        }
        if let Some(patterns) = &mut self.patterns {
            patterns.state(io, count)?;
        }
        if let Some(gaps) = &mut self.gaps {
            gaps.state(io, count)?;
        }
        if let Some(sides) = &mut self.liquidity {
            sides.up.state(io, count)?;
            sides.down.state(io, count)?;
        }
        self.range.state(io, count)?;
        self.retracements.state(io, count)?;
        self.levels.state(io, count)
    }
}

impl State for IdSource {
    fn state(&mut self, io: &mut StateIo<'_>) -> Result<(), StateError> {
        io.number(&mut self.next)?;
        sound(io, self.next > 0)
    }
}

/// Refuses what was loaded unless `is_sound`.
pub(super) fn sound(io: &StateIo<'_>, is_sound: bool) -> Result<(), StateError> {
    io.sound(is_sound)
}

/// A price within [`PRICE_MAX`], as it is or as a side sees it.
pub(super) fn price(io: &mut StateIo<'_>, price: &mut i64) -> Result<(), StateError> {
    io.number(price)?;
    sound(io, (-PRICE_MAX.0..=PRICE_MAX.0).contains(price))
}

/// A bar among the `count` seen.
pub(super) fn bar(io: &mut StateIo<'_>, bar: &mut u32, count: u32) -> Result<(), StateError> {
    io.number(bar)?;
    sound(io, *bar < count)
}

pub(super) fn direction(io: &mut StateIo<'_>, direction: &mut Direction) -> Result<(), StateError> {
    io.choice(direction, &[Direction::Up, Direction::Down])
}

pub(super) fn pivot(io: &mut StateIo<'_>, pivot: &mut Pivot, count: u32) -> Result<(), StateError> {
    io.number(&mut pivot.id)?;
    bar(io, &mut pivot.bar, count)?;
    price(io, &mut pivot.price)
}

pub(super) fn candle(io: &mut StateIo<'_>, candle: &mut Candle) -> Result<(), StateError> {
    let Candle { open, high, low, close, volume, is_wild } = candle;
    for value in [&mut *open, &mut *high, &mut *low, &mut *close] {
        price(io, value)?;
    }
    io.number(volume)?;
    io.flag(is_wild)?;
    let is_shaped = low <= open && open <= high && low <= close && close <= high;
    sound(io, is_shaped && *volume >= 0)
}

fn bar_state(io: &mut StateIo<'_>, bar: &mut Bar) -> Result<(), StateError> {
    bar.state(io)?;
    sound(io, super::fault_of(bar).is_none())
}

/// One number for all that an engine was built from.
pub(super) fn fingerprint(
    instrument: InstrumentId,
    timeframe: Timeframe,
    params: &SmcParams,
    calendar: &Calendar,
) -> u64 {
    state::fingerprint(&(instrument, timeframe, params, calendar))
}
