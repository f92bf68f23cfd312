//! One look for a setup: the conditions in the order a trader would name them; the first that fails ends it.

use super::Settings;
use super::memory::{Mark, Memory, Sweep};
use super::place::Place;
use crate::output::REASONS_MAX;
use crate::smc::{PeriodKind, SmcEngine, Swing};
use crate::strategy::{BiasSource, ConfluenceParams, Intent, MarketView};
use crate::words::{Direction, Price, Timeframe, TsNs, ppm_of};

/// One look in one direction at one closed bar.
pub(super) struct Search<'a> {
    pub params: &'a ConfluenceParams,
    pub settings: Settings,
    pub view: &'a MarketView<'a>,
    pub smc: &'a SmcEngine,
    pub memory: &'a Memory,
    /// The last break on the bias timeframe.
    pub bias_id: u32,
    pub timeframe: Timeframe,
    pub direction: Direction,
    /// Index of the bar that just closed.
    pub bar: u32,
}

impl Search<'_> {
    pub fn setup(&self) -> Option<Intent> {
        let bias_id = self.bias()?;
        let sweep = self.sweep()?;
        let since_bar = since_bar(sweep);
        let shift = self.shift(since_bar)?;
        let place = self.place(since_bar, sweep)?;
        if !self.is_well_placed(place.entry) {
            return None;
        }
        let (target, target_id) = self.target(&place)?;
        Some(Intent::Enter {
            direction: self.direction,
            entry: place.entry,
            stop: place.stop,
            target,
            kind: self.params.entry_kind,
            reasons: self.reasons(sweep, shift, place.zone_id, target_id, bias_id),
            expires: self.expiry(),
            manage: self.params.manage,
        })
    }

    /// The structure behind an agreeing bias; none when it is asked for and does not agree.
    pub fn bias(&self) -> Option<u32> {
        if !self.params.require_bias {
            return Some(0);
        }
        self.bias_now().filter(|(bias, _)| *bias == self.direction).map(|(_, id)| id)
    }

    /// The last sweep, if it is young; none when one is asked for and there is none.
    pub fn sweep(&self) -> Option<Option<Sweep>> {
        let sweep = self.memory.sweeps[self.direction as usize]
            .filter(|sweep| self.is_young(&sweep.mark, self.params.sweep_age_bars_max));
        (sweep.is_some() || !self.params.require_sweep).then_some(sweep)
    }

    /// The last shift, if it is young and no older than the sweep; none when one is asked for and there is none.
    pub fn shift(&self, since_bar: u32) -> Option<Option<Mark>> {
        let shift = self.memory.shifts[self.direction as usize]
            .filter(|s| self.is_young(s, self.params.shift_age_bars_max) && s.known_bar >= since_bar);
        (shift.is_some() || !self.params.require_shift).then_some(shift)
    }

    /// Where to get in.
    pub fn place(&self, since_bar: u32, sweep: Option<Sweep>) -> Option<Place> {
        if self.params.require_zone { self.nearest_zone(since_bar, sweep) } else { self.at_market() }
    }

    /// In the right half and in the band, where those are asked for.
    pub fn is_well_placed(&self, entry: Price) -> bool {
        (!self.params.require_discount || self.is_cheap(entry) == Some(true))
            && (!self.params.require_ote || self.is_in_ote(entry) == Some(true))
    }

    /// In the order that the module's doc promises.
    fn reasons(
        &self,
        sweep: Option<Sweep>,
        shift: Option<Mark>,
        zone_id: u32,
        target_id: u32,
        bias_id: u32,
    ) -> [u32; REASONS_MAX] {
        let sweep_id = sweep.map_or(0, |sweep| sweep.mark.id);
        let shift_id = shift.map_or(0, |shift| shift.id);
        [sweep_id, shift_id, zone_id, target_id, bias_id, self.session_id()]
    }

    /// Where the bias points, and the structure that makes it.
    pub fn bias_now(&self) -> Option<(Direction, u32)> {
        Some(match self.params.bias_source {
            BiasSource::Structure => {
                let smc = self.view.structure_of(self.settings.bias_timeframe?)?;
                (smc.bias()?, self.bias_id)
            }
            BiasSource::PreviousDayHalf => {
                let day = self.smc.previous_period(PeriodKind::Day)?;
                let close = self.smc.last_bar()?.close;
                let beyond_middle = 2 * i128::from(close.0) - i128::from(day.high.0) - i128::from(day.low.0);
                let bias = match beyond_middle {
                    1.. => Direction::Up,
                    0 => return None,
                    _ => Direction::Down,
                };
                (bias, day.id)
            }
            BiasSource::PreviousDayDraw => {
                let day = self.smc.previous_period(PeriodKind::Day)?;
                let bias = match (day.is_high_broken, day.is_low_broken) {
                    (false, true) => Direction::Up,
                    (true, false) => Direction::Down,
                    _ => return None,
                };
                (bias, day.id)
            }
        })
    }

    /// The first entry session that is open on the chart.
    fn session_id(&self) -> u32 {
        let mut open = self.params.entry_sessions.indices().filter(|&index| self.smc.is_in_session(index));
        open.find_map(|index| self.smc.session(index)).map_or(0, |session| session.id)
    }

    pub fn is_young(&self, mark: &Mark, age_bars_max: u32) -> bool {
        self.bar.saturating_sub(mark.known_bar) <= age_bars_max
    }

    /// Discount for a long, premium for a short; none while there is no range.
    fn is_cheap(&self, entry: Price) -> Option<bool> {
        let (top, bottom) = self.smc.dealing_range()?;
        let middle_x2 = i128::from(top.0) + i128::from(bottom.0);
        let entry_x2 = 2 * i128::from(entry.0);
        Some(match self.direction {
            Direction::Up => entry_x2 < middle_x2,
            Direction::Down => entry_x2 > middle_x2,
        })
    }

    /// In the band of a leg in the trade's direction; none while there is no such leg.
    fn is_in_ote(&self, entry: Price) -> Option<bool> {
        let (near, far) = self.ote_band()?;
        Some(!self.is_beyond(entry.0, near.0) && !self.is_beyond(far.0, entry.0))
    }

    /// Near and far edge of the optimal-trade-entry band of the last leg.
    pub fn ote_band(&self) -> Option<(Price, Price)> {
        let (origin, end) = self.leg()?;
        let height = end.price.0 - origin.price.0;
        let (from, to) = self.settings.ote_ppm;
        Some((Price(end.price.0 - ppm_of(height, from)), Price(end.price.0 - ppm_of(height, to))))
    }

    /// The last leg, if it went in the trade's direction: from the last locked swing to the provisional one.
    pub fn leg(&self) -> Option<(Swing, Swing)> {
        let end = self.smc.current_swing().filter(|swing| swing.direction == self.direction)?;
        let origin = self.smc.last_swing(self.direction.opposite())?;
        self.is_beyond(end.price.0, origin.price.0).then_some((origin, end))
    }

    fn expiry(&self) -> TsNs {
        let wait = self.timeframe.nanos().saturating_mul(u64::from(self.params.entry_lifetime_bars));
        TsNs(self.view.now.0.saturating_add(wait))
    }

    /// `a` lies further in the trade's direction than `b`.
    pub fn is_beyond(&self, a: i64, b: i64) -> bool {
        self.signed_by(a) > self.signed_by(b)
    }

    pub fn signed_by(&self, value: i64) -> i64 {
        value.saturating_mul(self.direction.side().sign())
    }
}

/// What counts must have come at the sweep or later.
pub(super) fn since_bar(sweep: Option<Sweep>) -> u32 {
    sweep.map_or(0, |sweep| sweep.mark.known_bar)
}
