//! The first strategy: several things must agree before it asks for a trade.
//!
//! Long shown, short is the mirror image. The highest timeframe points up; on an entry timeframe the lows were
//! swept; then structure broke upwards; an order block or fair value gap of that move is still open, lies in
//! the discount half of the dealing range and has room to opposing liquidity. Entry at the zone, stop beyond
//! it, target at the liquidity. Every condition is a field of [`ConfluenceParams`].
//!
//! Pure and causal: it acts on closed bars only, at the bar that makes the last condition true or while all of
//! them stay true. Steps per entry bar are bounded by the zones and pools its engine keeps.

use super::{ConfluenceParams, Intent, Intents, MarketView, Strategy};
use crate::event::Bar;
use crate::output::{Structure, StructureKind};
use crate::smc::{SmcEngine, Zone};
use crate::words::{Direction, InstrumentId, Price, Timeframe, TsNs};
use alloc::vec::Vec;

const DIRECTIONS: [Direction; 2] = [Direction::Up, Direction::Down];
const ONE_PPM: i128 = 1_000_000;
/// A stop nearer than this many ticks would be hit by noise of the grid itself.
const STOP_DISTANCE_TICKS_MIN: i64 = 3;

/// The confluence strategy for all instruments.
pub struct Confluence {
    params: ConfluenceParams,
    /// The timeframes on which it seeks entries, ascending.
    entry_timeframes: Vec<Timeframe>,
    /// One memory per instrument and entry timeframe, instrument-major.
    memories: Vec<Memory>,
}

/// What happened lately on one entry timeframe, by the trade direction it speaks for.
#[derive(Clone, Copy, Default)]
struct Memory {
    sweeps: [Option<Mark>; 2],
    shifts: [Option<Mark>; 2],
    /// No signal before this bar.
    quiet_until_bar: u32,
}

/// A structure worth remembering.
#[derive(Clone, Copy)]
struct Mark {
    id: u32,
    known_bar: u32,
}

/// Entry and stop that a zone offers.
#[derive(Clone, Copy)]
struct Place {
    zone_id: u32,
    entry: Price,
    stop: Price,
}

impl Confluence {
    /// For `instruments` instruments on `timeframes` (ascending), as the engine's configuration has them.
    pub fn new(params: ConfluenceParams, instruments: usize, timeframes: &[Timeframe]) -> Self {
        let wanted = usize::from(params.entry_timeframes).clamp(1, timeframes.len().max(1));
        let entry_timeframes: Vec<Timeframe> = timeframes.iter().copied().take(wanted).collect();
        let memories = alloc::vec![Memory::default(); instruments * entry_timeframes.len()];
        Self { params, entry_timeframes, memories }
    }

    /// With everything an engine's configuration says of it.
    pub fn for_config(config: &crate::config::EngineConfig) -> Self {
        Self::new(config.strategy, config.instruments.len(), &config.timeframes)
    }

    fn memory(&mut self, instrument: InstrumentId, timeframe: Timeframe) -> Option<&mut Memory> {
        let at = self.entry_timeframes.iter().position(|&t| t == timeframe)?;
        self.memories.get_mut(instrument.index() * self.entry_timeframes.len() + at)
    }
}

impl Strategy for Confluence {
    fn on_structure(&mut self, view: &MarketView<'_>, structure: &Structure, intents: &mut Intents) {
        let params = self.params;
        let Some(memory) = self.memory(view.instrument, structure.timeframe) else { return };
        memory.note(structure, &params);
        let is_against = match structure.direction {
            Direction::Up => view.position.0 < 0,
            Direction::Down => view.position.0 > 0,
        };
        if params.exit_on_opposite_choch && structure.kind.is_turn() && is_against {
            intents.push(Intent::Exit);
        }
    }

    fn on_bar(&mut self, view: &MarketView<'_>, timeframe: Timeframe, _bar: &Bar, intents: &mut Intents) {
        let params = self.params;
        let Some(memory) = self.memory(view.instrument, timeframe) else { return };
        let Some(smc) = view.structure_of(timeframe) else { return };
        let Some(bar) = smc.bar_count().checked_sub(1) else { return };
        if view.is_engaged || bar < memory.quiet_until_bar {
            return;
        }
        let found = DIRECTIONS.iter().find_map(|&direction| {
            let search = Search { params: &params, view, smc, direction, bar };
            Some((direction, search.setup(memory, timeframe)?))
        });
        if let Some((direction, intent)) = found {
            memory.quiet_until_bar = bar.saturating_add(params.cooldown_bars).saturating_add(1);
            // One sweep and one shift make one trade.
            memory.sweeps[direction as usize] = None;
            memory.shifts[direction as usize] = None;
            intents.push(intent);
        }
    }
}

impl Memory {
    fn note(&mut self, structure: &Structure, params: &ConfluenceParams) {
        let mark = Some(Mark { id: structure.id, known_bar: structure.known_bar });
        match structure.kind {
            // Swept lows speak for a long.
            StructureKind::PoolSwept => self.sweeps[structure.direction.opposite() as usize] = mark,
            StructureKind::LevelSwept if params.accept_level_sweeps => {
                self.sweeps[structure.direction.opposite() as usize] = mark;
            }
            kind if kind.is_turn() => self.shifts[structure.direction as usize] = mark,
            StructureKind::Bos if params.accept_bos => self.shifts[structure.direction as usize] = mark,
            _ => {}
        }
    }
}

/// One look for a setup in one direction at one closed bar.
struct Search<'a> {
    params: &'a ConfluenceParams,
    view: &'a MarketView<'a>,
    smc: &'a SmcEngine,
    direction: Direction,
    /// Index of the bar that just closed.
    bar: u32,
}

impl Search<'_> {
    /// All conditions in the order a trader would name them; the first that fails ends the search.
    fn setup(&self, memory: &Memory, timeframe: Timeframe) -> Option<Intent> {
        let params = self.params;
        if params.require_bias && self.view.structure_of_highest()?.bias() != Some(self.direction) {
            return None;
        }
        let sweep =
            memory.sweeps[self.direction as usize].filter(|s| self.is_young(s, params.sweep_age_bars_max));
        if params.require_sweep && sweep.is_none() {
            return None;
        }
        let since_bar = sweep.map_or(0, |sweep| sweep.known_bar);
        let shift = memory.shifts[self.direction as usize]
            .filter(|s| self.is_young(s, params.shift_age_bars_max) && s.known_bar >= since_bar);
        if params.require_shift && shift.is_none() {
            return None;
        }
        let place = if params.require_zone { self.nearest_zone(since_bar)? } else { self.at_market()? };
        if params.require_discount && !self.is_cheap(place.entry)? {
            return None;
        }
        let (target, target_id) = self.target(&place)?;
        Some(Intent::Enter {
            direction: self.direction,
            entry: place.entry,
            stop: place.stop,
            target,
            kind: params.entry_kind,
            reasons: [id_of(sweep), id_of(shift), place.zone_id, target_id],
            expires: self.expiry(timeframe),
        })
    }

    fn is_young(&self, mark: &Mark, age_bars_max: u32) -> bool {
        self.bar.saturating_sub(mark.known_bar) <= age_bars_max
    }

    /// The open zone of the trade's direction that price would reach first.
    fn nearest_zone(&self, since_bar: u32) -> Option<Place> {
        let blocks = self.smc.order_blocks().filter(|_| self.params.accept_order_blocks);
        let gaps = self.smc.fair_value_gaps().filter(|_| self.params.accept_gaps);
        blocks
            .chain(gaps)
            .filter(|zone| !zone.is_flipped() && zone.direction == self.direction)
            .filter(|zone| zone.known_bar >= since_bar)
            .filter(|zone| self.bar.saturating_sub(zone.known_bar) <= self.params.zone_age_bars_max)
            .filter_map(|zone| self.place_at(zone))
            .max_by_key(|place| self.signed(place.entry))
    }

    /// Entry in the zone at the wanted depth, or at the market where the market already is deeper.
    fn place_at(&self, zone: &Zone) -> Option<Place> {
        let touch = self.touch()?;
        let (near, far) = match self.direction {
            Direction::Up => (zone.top, zone.bottom),
            Direction::Down => (zone.bottom, zone.top),
        };
        let depth = part(near.0 - far.0, self.params.entry_depth_ppm);
        let wanted = near.0 - depth;
        let entry = Price(if self.is_beyond(wanted, touch.0) { touch.0 } else { wanted });
        if !self.is_beyond(entry.0, far.0) {
            return None;
        }
        Some(Place { zone_id: zone.id, entry, stop: self.stop_beyond(far, entry) })
    }

    /// Without a zone: the best price now, the stop beyond the last swing against the trade.
    fn at_market(&self) -> Option<Place> {
        let entry = self.touch()?;
        let swing = self.smc.last_swing(self.direction.opposite())?;
        if !self.is_beyond(entry.0, swing.price.0) {
            return None;
        }
        Some(Place { zone_id: swing.id, entry, stop: self.stop_beyond(swing.price, entry) })
    }

    /// The price at which we would rest first in line: best bid for a long.
    fn touch(&self) -> Option<Price> {
        match self.direction {
            Direction::Up => self.view.book.best_bid().map(|level| level.price),
            Direction::Down => self.view.book.best_ask().map(|level| level.price),
        }
    }

    /// Beyond `level` by the buffer, and never nearer to the entry than noise reaches.
    fn stop_beyond(&self, level: Price, entry: Price) -> Price {
        let buffer = part(self.smc.atr().0, self.params.stop_buffer_atr_ppm);
        let ticks = self.view.spec.map_or(0, |spec| spec.tick.0.saturating_mul(STOP_DISTANCE_TICKS_MIN));
        let spread = self.view.book.spread().map_or(0, |spread| spread.0);
        let noise = part(entry.0, self.params.stop_distance_ppm_min).max(ticks).max(spread);
        let distance = (entry.0 - level.0).abs().saturating_add(buffer).max(noise);
        Price(entry.0.saturating_sub(self.signed_by(distance)))
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

    /// The nearest liquidity that pays enough, else a multiple of the risk where that is allowed.
    fn target(&self, place: &Place) -> Option<(Price, u32)> {
        let cost = part(place.entry.0, self.params.round_trip_cost_ppm);
        let risk = (place.entry.0 - place.stop.0).abs().saturating_add(cost);
        let reward_min = part(risk, self.params.reward_to_risk_ppm_min);
        let reward_max = part(risk, self.params.reward_to_risk_ppm_max);
        let reward = |price: Price| self.signed_by(price.0 - place.entry.0).saturating_sub(cost);
        let pools = self.smc.pools().filter(|pool| pool.direction == self.direction);
        let swing = self.smc.last_swing(self.direction);
        let liquidity = pools
            .map(|pool| (pool.level, pool.id))
            .chain(swing.map(|swing| (swing.price, swing.id)))
            .filter(|(price, _)| (reward_min..=reward_max).contains(&reward(*price)))
            .min_by_key(|(price, _)| reward(*price));
        if liquidity.is_some() || self.params.require_liquidity_target {
            return liquidity;
        }
        let distance = part(risk, self.params.target_risk_ppm).saturating_add(cost);
        Some((Price(place.entry.0.saturating_add(self.signed_by(distance))), 0))
    }

    fn expiry(&self, timeframe: Timeframe) -> TsNs {
        let wait = timeframe.nanos().saturating_mul(u64::from(self.params.entry_lifetime_bars));
        TsNs(self.view.now.0.saturating_add(wait))
    }

    /// `a` lies further in the trade's direction than `b`.
    fn is_beyond(&self, a: i64, b: i64) -> bool {
        self.signed_by(a) > self.signed_by(b)
    }

    fn signed(&self, price: Price) -> i64 {
        self.signed_by(price.0)
    }

    fn signed_by(&self, value: i64) -> i64 {
        value.saturating_mul(self.direction.side().sign())
    }
}

fn id_of(mark: Option<Mark>) -> u32 {
    mark.map_or(0, |mark| mark.id)
}

/// `value × ppm`, rounded towards zero.
fn part(value: i64, ppm: u32) -> i64 {
    crate::words::clamp_i64(i128::from(value) * i128::from(ppm) / ONE_PPM)
}
