//! **Drift**: what the venue says is held beyond what we hold.
//!
//! Until the two agree it is reserved as if it were an open order that will fill, so that the worst case covers the
//! venue's truth as well as ours. While something is in doubt, a fill that is told later may be part of what the venue
//! told already, or new to both. Nobody can say which, so both are reserved until the next round tells.

use super::{Orders, Reserved};
use crate::state::{StateError, StateIo};
use crate::words::{InstrumentId, Qty};

/// Drift of one instrument.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Drift {
    /// When the venue told its position last.
    told: Qty,
    /// Least it can be now.
    least: Qty,
    /// Most it can be now.
    most: Qty,
    /// When it was told, fills may have been on their way.
    is_loose: bool,
}

impl Orders {
    /// What the venue said it holds less what we held then; 0 while the two agreed.
    pub(crate) fn drift(&self, instrument: InstrumentId) -> Qty {
        self.drift.get(instrument.index()).map_or(Qty::ZERO, |drift| drift.told)
    }

    /// The venue told its position.
    pub(crate) fn set_drift(&mut self, instrument: InstrumentId, told: Qty) {
        self.change_drift(instrument, |drift| {
            *drift = Drift { told, least: told, most: told, is_loose: false }
        });
    }

    /// Fills may be on their way which the venue's position already shows.
    pub(crate) fn loosen_drift(&mut self, instrument: InstrumentId, is_loose: bool) {
        self.change_drift(instrument, |drift| drift.is_loose = is_loose);
    }

    /// Our position moved by a fill.
    pub(crate) fn on_moved(&mut self, instrument: InstrumentId, moved: Qty) {
        self.change_drift(instrument, |drift| {
            if drift.is_loose {
                drift.least = Qty(drift.least.0.saturating_sub(moved.0.max(0)));
                drift.most = Qty(drift.most.0.saturating_sub(moved.0.min(0)));
            }
        });
    }

    fn change_drift(&mut self, instrument: InstrumentId, change: impl FnOnce(&mut Drift)) {
        let at = instrument.index();
        if let (Some(drift), Some(reserved)) = (self.drift.get_mut(at), self.reserved.get_mut(at)) {
            reserved.add_drift(drift, -1);
            change(drift);
            reserved.add_drift(drift, 1);
        }
    }
}

impl Reserved {
    /// More held at the venue counts as still to be bought, less as still to be sold.
    pub(super) fn add_drift(&mut self, drift: &Drift, sign: i128) {
        self.buy_qty += i128::from(drift.most.0.max(0)) * sign;
        self.sell_qty -= i128::from(drift.least.0.min(0)) * sign;
    }
}

impl Drift {
    pub(super) fn state(&mut self, io: &mut StateIo<'_>) -> Result<(), StateError> {
        let Self { told, least, most, is_loose } = self;
        io.number(told)?;
        io.number(least)?;
        io.number(most)?;
        io.sound(least <= told && told <= most)?;
        io.flag(is_loose)
    }
}
