//! Where to get in and where the idea is wrong: the zone price would reach first, at the wanted depth.
//!
//! Steps are bounded by the zones that the structure engine keeps.

use super::memory::Sweep;
use super::search::Search;
use crate::output::Scope;
use crate::smc::{Zone, ZoneState};
use crate::strategy::StopAt;
use crate::words::{Direction, Price, ppm_of};

/// A stop nearer than this many ticks would be hit by noise of the grid itself.
const STOP_DISTANCE_TICKS_MIN: i64 = 3;

/// Entry and stop that a zone offers.
#[derive(Clone, Copy)]
pub(super) struct Place {
    pub zone_id: u32,
    pub entry: Price,
    pub stop: Price,
}

/// What makes an offer, the better of equals last.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Kind {
    Block,
    InnerBlock,
    Gap,
    Breaker,
    InnerBreaker,
    InvertedGap,
    Ote,
}

/// A zone as the trade sees it: price comes to `near`, and the idea is wrong behind `behind`.
#[derive(Clone, Copy)]
struct Offer {
    id: u32,
    near: Price,
    far: Price,
    behind: Price,
}

impl Search<'_> {
    /// The open zone of the trade's direction that price would reach first; of several at one price a turned one, a gap before
    /// a block, and the newest.
    pub fn nearest_zone(&self, since_bar: u32, sweep: Option<Sweep>) -> Option<Place> {
        let zones = self.timely_zones(since_bar).map(|(kind, zone)| (kind, self.offer_of(zone)));
        let ote = self.ote_offer(since_bar).map(|offer| (Kind::Ote, offer));
        let places = zones
            .chain(ote)
            .filter_map(|(kind, offer)| Some((kind, offer.id, self.place_at(&offer, sweep)?)));
        let nearest = places.max_by_key(|(kind, id, place)| (self.signed_by(place.entry.0), *kind, *id));
        nearest.map(|(_, _, place)| place)
    }

    /// Zones of the direction that are timely.
    pub fn zones_since(&self, since_bar: u32) -> usize {
        self.timely_zones(since_bar).count()
    }

    /// Open zones that speak for the direction, of whatever age and kind.
    pub fn zones_open(&self) -> usize {
        let inner = self.smc.order_blocks_of(Scope::Internal);
        let zones = self.smc.order_blocks().chain(inner).chain(self.smc.fair_value_gaps());
        zones.filter(|zone| zone.role() == self.direction).count()
    }

    fn timely_zones(&self, since_bar: u32) -> impl Iterator<Item = (Kind, &Zone)> {
        self.born_zones(since_bar).chain(self.turned_zones(since_bar))
    }

    /// Blocks and gaps that still are what they were born as. Books are read from the newest on: behind the first that is too
    /// old all are.
    fn born_zones(&self, since_bar: u32) -> impl Iterator<Item = (Kind, &Zone)> {
        let (params, direction) = (self.params, self.direction);
        let is_timely = move |zone: &&Zone| self.is_timely(zone.known_bar, since_bar);
        let is_whole = |zone: &&Zone| !zone.is_flipped();
        let blocks = params.accept_order_blocks.then(|| {
            self.smc.newest_order_blocks(Scope::Swing, direction).take_while(is_timely).filter(is_whole)
        });
        let inner = params.accept_internal_blocks.then(|| {
            self.smc.newest_order_blocks(Scope::Internal, direction).take_while(is_timely).filter(is_whole)
        });
        let gaps = params.accept_gaps.then(|| {
            let is_open = |zone: &&Zone| zone.state == ZoneState::Fresh;
            self.smc.newest_gaps(direction).take_while(is_timely).filter(is_open)
        });
        let of = |kind| move |zone| (kind, zone);
        let blocks = blocks.into_iter().flatten().map(of(Kind::Block));
        let inner = inner.into_iter().flatten().map(of(Kind::InnerBlock));
        blocks.chain(inner).chain(gaps.into_iter().flatten().map(of(Kind::Gap)))
    }

    /// Breakers and inverted gaps: what counts is when they changed sides, and most bars remember none that did lately.
    fn turned_zones(&self, since_bar: u32) -> impl Iterator<Item = (Kind, &Zone)> {
        let (params, role) = (self.params, self.direction);
        let has_turned = self.memory.flipped_bars(role).any(|bar| self.is_timely(bar, since_bar));
        let accepts_breakers = has_turned && params.accept_breakers;
        let blocks = accepts_breakers.then(|| self.smc.breakers(Scope::Swing, role));
        let inner = (accepts_breakers && params.accept_internal_blocks)
            .then(|| self.smc.breakers(Scope::Internal, role));
        let gaps = (has_turned && params.accept_inverted_gaps).then(|| self.smc.inverted_gaps(role));
        let of = |kind| move |zone| (kind, zone);
        let blocks = blocks.into_iter().flatten().map(of(Kind::Breaker));
        let inner = inner.into_iter().flatten().map(of(Kind::InnerBreaker));
        let all = blocks.chain(inner).chain(gaps.into_iter().flatten().map(of(Kind::InvertedGap)));
        all.filter(move |(_, zone)| {
            let flipped = self.memory.flipped_bar(role, zone.id);
            flipped.is_some_and(|bar| self.is_timely(bar, since_bar))
        })
    }

    /// The optimal-trade-entry band of the leg that followed; the idea is wrong behind the leg's origin.
    fn ote_offer(&self, since_bar: u32) -> Option<Offer> {
        let (origin, end) = self.leg().filter(|_| self.params.accept_ote)?;
        if !self.is_timely(end.known_bar, since_bar) {
            return None;
        }
        let (near, far) = self.ote_band()?;
        Some(Offer { id: end.id, near, far, behind: origin.price })
    }

    fn is_timely(&self, known_bar: u32, since_bar: u32) -> bool {
        known_bar >= since_bar && self.bar.saturating_sub(known_bar) <= self.params.zone_age_bars_max
    }

    fn offer_of(&self, zone: &Zone) -> Offer {
        let (near, far) = match self.direction {
            Direction::Up => (zone.top, zone.bottom),
            Direction::Down => (zone.bottom, zone.top),
        };
        Offer { id: zone.id, near, far, behind: far }
    }

    /// Entry in the zone at the wanted depth, or at the market where the market already is deeper.
    fn place_at(&self, offer: &Offer, sweep: Option<Sweep>) -> Option<Place> {
        let touch = self.touch()?;
        let depth = ppm_of(offer.near.0 - offer.far.0, self.params.entry_depth_ppm);
        let wanted = offer.near.0 - depth;
        let entry = Price(if self.is_beyond(wanted, touch.0) { touch.0 } else { wanted });
        if self.is_beyond(offer.far.0, entry.0) || entry == offer.behind {
            return None;
        }
        let behind = match (self.params.stop_at, sweep) {
            (StopAt::Sweep, Some(sweep)) if self.is_beyond(offer.behind.0, sweep.extreme.0) => sweep.extreme,
            _ => offer.behind,
        };
        Some(Place { zone_id: offer.id, entry, stop: self.stop_beyond(behind, entry) })
    }

    /// Without a zone: the best price now, the stop beyond the last swing against the trade.
    pub fn at_market(&self) -> Option<Place> {
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
        let buffer = ppm_of(self.smc.atr().0, self.params.stop_buffer_atr_ppm);
        let ticks = self.view.spec.map_or(0, |spec| spec.tick.0.saturating_mul(STOP_DISTANCE_TICKS_MIN));
        let spread = self.view.book.spread().map_or(0, |spread| spread.0);
        let noise = ppm_of(entry.0, self.params.stop_distance_ppm_min).max(ticks).max(spread);
        let distance = (entry.0 - level.0).abs().saturating_add(buffer).max(noise);
        Price(entry.0.saturating_sub(self.signed_by(distance)))
    }
}
