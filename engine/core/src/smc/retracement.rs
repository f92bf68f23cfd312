//! Retracement: how much of the last leg price has taken back, and the band where many wait for it (OTE).
//!
//! Pure; a bar that reaches nothing costs a handful of comparisons and no division: the prices of levels
//! and band are made when the leg changes. The leg goes from the last locked swing to the provisional one;
//! it begins when that swing is known and is made anew when it is extended. Its direction is the side of
//! that swing: after a swing high the leg is `Up` and a retracement falls. What price did before the swing
//! was known is not counted. Written for the up leg; the down leg is its mirror image.
//!
//! With origin `a`, end `b` and height `h = b - a`, the retracement at a price is `(b - price) / h`. A leg
//! without height has none. In whole prices, exactly: it is at least `p` ppm where `price <= b - ceil(p h /
//! 1e6)`, and at most `p` where `price >= b - floor(p h / 1e6)`.
//!
//! Kept with `range_events` only. Readable ([`Retracement`]), and said after the range, band first:
//!
//! * `OteEntered {id 0, cause_id = the swing, direction of the leg, bar = the swing's, top / bottom = the
//!   whole prices of the band}`: the close is from `ote_from_ppm` to `ote_to_ppm`, both included, and was
//!   not. A leg so low that no whole price is in its band has none.
//! * `OteLeft`, same fields: the close no longer is, or the leg is another one now; then the new leg's band
//!   is tested afresh at the same bar.
//! * `RetracementReached {id 0, cause_id = the swing, direction of the leg, bar = the swing's, top = bottom
//!   = price of the level, extra = its ppm}`: the first low at or under the level since the leg began or
//!   was extended, the bar that made it known included. Several at one bar come in ascending order.

use super::params::{RETRACEMENT_LEVELS_MAX, SmcParams};
use super::snapshot::{self, sound};
use super::swings::Swing;
use super::view::{Candle, Fact, Say, Sides, seen_from};
use crate::output::{Structure, StructureKind};
use crate::state::{StateError, StateIo};
use crate::words::{Direction, Price, clamp_i64, div_ceil};

/// How far price has come back; in ppm of the leg, 0 at its end, 1 000 000 at its origin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Retracement {
    /// Direction of the leg: `Up` after a swing high.
    pub direction: Direction,
    /// The swing at its end.
    pub swing_id: u32,
    /// Price of its origin.
    pub origin: Price,
    /// Price of its end.
    pub end: Price,
    /// Of the last bar's wick; below 0 when it lies beyond the end. Rounded down.
    pub current_ppm: i64,
    /// Greatest of all bars since the direction changed, each measured on the leg as it was then.
    pub deepest_ppm: i64,
}

/// The leg; prices as its side sees them.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Leg {
    direction: Direction,
    swing_id: u32,
    bar: u32,
    origin: i64,
    end: i64,
}

/// The last leg and what has become of it.
pub(super) struct Retracements {
    is_kept: bool,
    levels_ppm: [u32; RETRACEMENT_LEVELS_MAX],
    ote_ppm: (u32, u32),
    leg: Option<Leg>,
    /// The leg is another one since the last look.
    is_new: bool,
    /// Low of the last bar.
    low: i64,
    /// Lowest low since the leg began or was extended.
    deepest_low: i64,
    /// Deepest on the shorter legs of this direction.
    deepest_before_ppm: Option<i64>,
    /// Levels reached, in ascending order.
    reached: usize,
    /// The band that the last close was in: its leg and its prices.
    inside: Option<(Leg, (i64, i64))>,
    /// Prices of the levels, falling; [`NEVER`] where there is none. Made with the leg.
    level_prices: [i64; RETRACEMENT_LEVELS_MAX],
    /// Top and bottom of the band; no price is in `top < bottom`. Made with the leg.
    band: (i64, i64),
}

/// Of a whole.
const PPM: i64 = 1_000_000;
/// A level that no low reaches.
const NEVER: i64 = i64::MIN;
/// A band that no close is in.
const NO_BAND: (i64, i64) = (i64::MIN, i64::MAX);

impl Retracements {
    pub fn new(params: &SmcParams) -> Self {
        Self {
            is_kept: params.range_events,
            levels_ppm: params.retracement_levels_ppm,
            ote_ppm: (params.ote_from_ppm, params.ote_to_ppm),
            leg: None,
            is_new: false,
            low: 0,
            deepest_low: 0,
            deepest_before_ppm: None,
            reached: 0,
            inside: None,
            level_prices: [NEVER; RETRACEMENT_LEVELS_MAX],
            band: NO_BAND,
        }
    }

    /// A pivot became or extended the provisional swing; `origin` is the locked one before it.
    pub fn on_swing(&mut self, swing: &Swing, origin: Option<&Swing>) {
        let Some(origin) = origin.filter(|_| self.is_kept) else { return };
        let Swing { direction, id: swing_id, bar, price, .. } = *swing;
        let (origin, end) = (seen_from(direction, origin.price.0), seen_from(direction, price.0));
        let is_same_way = self.leg.is_some_and(|leg| leg.direction == direction);
        self.deepest_before_ppm = if is_same_way { self.deepest_ppm() } else { None };
        self.leg = Some(Leg { direction, swing_id, bar, origin, end });
        self.is_new = true;
        self.reached = 0;
        self.make_prices();
    }

    /// The end of the bar: it retraces, and what that reaches is said.
    #[inline]
    pub fn tell<F: FnMut(Structure)>(&mut self, seen: &Sides<Candle>, say: &mut Say<'_, F>) {
        let Some(Leg { direction, .. }) = self.leg else { return };
        let candle = seen.of(direction);
        self.low = candle.low;
        self.deepest_low = if self.is_new { candle.low } else { self.deepest_low.min(candle.low) };
        let is_inside = self.band.1 <= candle.close && candle.close <= self.band.0;
        if is_inside != self.inside.is_some() || self.is_new {
            self.tell_band(is_inside, say);
        }
        // Past the last level the price is NEVER or the index is beyond.
        while let Some(price) = self.level_prices.get(self.reached)
            && candle.low <= *price
        {
            self.tell_reached(say);
        }
        self.is_new = false;
    }

    pub fn now(&self) -> Option<Retracement> {
        let Leg { direction, swing_id, origin, end, .. } = self.leg?;
        Some(Retracement {
            direction,
            swing_id,
            origin: Price(seen_from(direction, origin)),
            end: Price(seen_from(direction, end)),
            current_ppm: self.leg?.ppm_at(self.low)?,
            deepest_ppm: self.deepest_ppm()?,
        })
    }

    /// Deepest since the direction changed; none when no leg had a height.
    fn deepest_ppm(&self) -> Option<i64> {
        self.leg.and_then(|leg| leg.ppm_at(self.deepest_low)).max(self.deepest_before_ppm)
    }

    fn make_prices(&mut self) {
        self.level_prices = [NEVER; RETRACEMENT_LEVELS_MAX];
        self.band = NO_BAND;
        let Some(leg) = self.leg.filter(|leg| leg.origin < leg.end) else { return };
        let used = self.levels_ppm.iter().take_while(|ppm| **ppm > 0);
        for (price, ppm) in self.level_prices.iter_mut().zip(used) {
            // A level far beyond any price saturates to one that no price reaches.
            *price = leg.end.saturating_sub(leg.part(*ppm).0);
        }
        self.band = (leg.end - leg.part(self.ote_ppm.0).0, leg.end - leg.part(self.ote_ppm.1).1);
    }

    #[inline(never)]
    fn tell_band<F: FnMut(Structure)>(&mut self, is_inside: bool, say: &mut Say<'_, F>) {
        if let Some((leg, band)) = self.inside.take() {
            leg.say(StructureKind::OteLeft, band, 0, say);
        }
        if let Some(leg) = self.leg.filter(|_| is_inside) {
            leg.say(StructureKind::OteEntered, self.band, 0, say);
            self.inside = Some((leg, self.band));
        }
    }

    #[inline(never)]
    fn tell_reached<F: FnMut(Structure)>(&mut self, say: &mut Say<'_, F>) {
        let at = self.reached;
        self.reached += 1;
        if let Some(leg) = self.leg {
            let price = self.level_prices[at];
            leg.say(StructureKind::RetracementReached, (price, price), i64::from(self.levels_ppm[at]), say);
        }
    }
}

impl Leg {
    /// Retracement at a price; none on a leg without height.
    fn ppm_at(&self, price: i64) -> Option<i64> {
        let (height, back) = (self.end - self.origin, self.end.saturating_sub(price));
        if height <= 0 {
            return None;
        }
        Some(match back.checked_mul(PPM) {
            Some(back) => back.div_euclid(height),
            None => clamp_i64((i128::from(back) * i128::from(PPM)).div_euclid(height.into())),
        })
    }

    /// `ppm` of the height, rounded up; and rounded down.
    fn part(&self, ppm: u32) -> (i64, i64) {
        // Prices are within ±2^61, so the height fits; the product nearly always, which saves the wide division.
        match (self.end - self.origin).checked_mul(i64::from(ppm)) {
            Some(part) => (part / PPM + i64::from(part % PPM > 0), part / PPM),
            None => {
                let part = i128::from(self.end - self.origin) * i128::from(ppm);
                (clamp_i64(div_ceil(part, PPM.into())), clamp_i64(part / i128::from(PPM)))
            }
        }
    }

    fn say<F: FnMut(Structure)>(
        &self,
        kind: StructureKind,
        (top, bottom): (i64, i64),
        extra: i64,
        say: &mut Say<'_, F>,
    ) {
        let Self { direction, swing_id: cause_id, bar, .. } = *self;
        say.fact(direction, Fact { kind, id: 0, cause_id, bar, top, bottom, extra, value: 0 });
    }
}

impl Retracements {
    pub fn state(&mut self, io: &mut StateIo<'_>, count: u32) -> Result<(), StateError> {
        let blank = Leg { direction: Direction::Up, swing_id: 0, bar: 0, origin: 0, end: 0 };
        io.option(&mut self.leg, || blank, |io, leg| leg.state(io, count))?;
        snapshot::price(io, &mut self.low)?;
        snapshot::price(io, &mut self.deepest_low)?;
        io.option(&mut self.deepest_before_ppm, || 0, |io, ppm| io.number(ppm))?;
        io.len(&mut self.reached, RETRACEMENT_LEVELS_MAX)?;
        // Between bars the band that the close is in is always the leg's.
        let mut is_inside = self.inside.is_some();
        io.flag(&mut is_inside)?;
        if io.is_loading() {
            self.is_new = false;
            self.make_prices();
            self.inside = self.leg.filter(|_| is_inside).map(|leg| (leg, self.band));
        }
        sound(io, !is_inside || self.leg.is_some() && self.band.1 <= self.band.0)
    }
}

impl Leg {
    fn state(&mut self, io: &mut StateIo<'_>, count: u32) -> Result<(), StateError> {
        snapshot::direction(io, &mut self.direction)?;
        io.number(&mut self.swing_id)?;
        snapshot::bar(io, &mut self.bar, count)?;
        snapshot::price(io, &mut self.origin)?;
        snapshot::price(io, &mut self.end)
    }
}

#[cfg(test)]
mod tests {
    use super::super::IdSource;
    use super::super::params::RangeBands;
    use super::super::range::DealingRange;
    use super::super::swings::SwingLabel;
    use super::*;
    use crate::output::Scope;
    use crate::state::State;
    use crate::words::{InstrumentId, Timeframe};
    use alloc::vec;
    use alloc::vec::Vec;

    /// Range and retracement as one thing that is fed, saved and loaded.
    struct Both {
        range: DealingRange,
        retracements: Retracements,
    }

    impl State for Both {
        fn state(&mut self, io: &mut StateIo<'_>) -> Result<(), StateError> {
            self.range.state(io, u32::MAX)?;
            self.retracements.state(io, u32::MAX)
        }
    }

    fn both() -> Both {
        let params = SmcParams { range_events: true, range_bands: RangeBands::Bands, ..SmcParams::default() };
        Both { range: DealingRange::new(&params), retracements: Retracements::new(&params) }
    }

    /// A bar, and the swing that it makes known with the one before it.
    type Step = (Candle, Option<(Swing, Option<Swing>)>);

    /// A walk whose every seventh bar makes a swing known, now and then the same one extended.
    fn steps() -> Vec<Step> {
        let mut random = 3u64;
        let mut next = |below: u64| {
            random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            ((random >> 33) % below) as i64
        };
        let (mut close, mut swings): (i64, Vec<Swing>) = (0, vec![]);
        let mut steps = vec![];
        for k in 0..700u32 {
            let open = close;
            close += next(41) - 20;
            let (high, low) = (open.max(close) + next(8), open.min(close) - next(8));
            let candle = Candle { open, high, low, close, ..Candle::default() };
            let swing = (k % 7 == 6).then(|| {
                let last = swings.last().copied();
                let up = last.is_none_or(|last| last.direction == Direction::Down);
                let (direction, price) =
                    if up { (Direction::Up, high + 20) } else { (Direction::Down, low - 20) };
                let mut swing = Swing {
                    id: k,
                    direction,
                    bar: k,
                    price: Price(price),
                    known_bar: k,
                    label: SwingLabel::None,
                };
                if let Some(last) = last.filter(|_| next(3) == 0) {
                    let beyond = seen_from(last.direction, 5);
                    swing = Swing { price: Price(last.price.0 + beyond), bar: k, ..last };
                    swings.pop();
                }
                swings.push(swing);
                (swing, swings.len().checked_sub(2).map(|at| swings[at]))
            });
            steps.push((candle, swing));
        }
        steps
    }

    fn run(both: &mut Both, steps: &[Step], known: usize) -> Vec<Structure> {
        let (mut said, mut ids) = (vec![], IdSource::new());
        for (at, (candle, swing)) in steps.iter().enumerate() {
            let seen = Sides::new(|direction| candle.seen_from(direction));
            let known = (known + at) as u32;
            let mut say = Say {
                instrument: InstrumentId(0),
                timeframe: Timeframe::from_secs(60).unwrap(),
                known,
                scope: Scope::Swing,
                ids: &mut ids,
                emit: &mut |fact| said.push(fact),
            };
            both.range.on_bar(known, &seen);
            if let Some((swing, origin)) = swing {
                both.range.on_swing(swing);
                both.retracements.on_swing(swing, origin.as_ref());
            }
            both.range.tell(candle, &mut say);
            both.retracements.tell(&seen, &mut say);
        }
        said
    }

    #[test]
    fn a_loaded_state_goes_on_as_if_nothing_had_happened() {
        let steps = steps();
        let whole = run(&mut both(), &steps, 0);
        assert!(whole.iter().any(|fact| fact.kind == StructureKind::OteLeft) && whole.len() > 300);
        for cut in 0..steps.len() {
            let (mut before, mut after) = (both(), both());
            let mut said = run(&mut before, &steps[..cut], 0);
            let mut bytes = vec![];
            StateIo::save(&mut before, &mut bytes);
            assert_eq!(StateIo::load(&mut after, &bytes), Ok(()));
            assert_eq!(after.retracements.now(), before.retracements.now());
            assert_eq!(after.range.edges(), before.range.edges());
            said.extend(run(&mut after, &steps[cut..], cut));
            assert_eq!(said, whole, "cut at {cut}");
        }
    }

    #[test]
    fn a_broken_state_is_refused_or_harmless() {
        let steps = steps();
        let mut before = both();
        run(&mut before, &steps[..300], 0);
        let mut bytes = vec![];
        StateIo::save(&mut before, &mut bytes);
        for len in 0..bytes.len() {
            assert!(StateIo::load(&mut both(), &bytes[..len]).is_err());
        }
        let mut refused = 0;
        for at in 0..bytes.len() {
            for flip in [1, 0x80, 0xFF] {
                let mut broken = bytes.clone();
                broken[at] ^= flip;
                let mut after = both();
                match StateIo::load(&mut after, &broken) {
                    Ok(()) => {
                        let _ = (after.retracements.now(), after.range.position_ppm(Price(0)));
                        run(&mut after, &steps[300..400], 300);
                    }
                    Err(_) => refused += 1,
                }
            }
        }
        assert!(refused > 20, "{refused}");
    }
}
