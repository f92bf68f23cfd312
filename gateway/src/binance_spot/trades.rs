//! Which trades of the account were handed on, and from which number the venue's list has to be read again.
//!
//! Fixed size, no allocation after start. Reports of one instrument come in the order of their numbers but for what was
//! lost; so everything that lies [`RECENT`] reports behind is taken to be complete, and a list is read from there.

use smc_core::words::{InstrumentId, Money, Name, Price, Qty, Side};

/// Trades remembered exactly, an instrument.
const RECENT: usize = 64;
/// Older trades remembered against repetition; a power of two.
const TRADES_MAX: usize = 1_024;
/// Trades that may wait for the name of their order.
const STRANGE_MAX: usize = 256;
const NONE: u64 = u64::MAX;

/// A trade of an order that we do not know: whose it is, the venue has to say.
#[derive(Clone, Copy, Debug)]
pub(super) struct StrangeTrade {
    pub instrument: InstrumentId,
    pub order_id: u64,
    pub trade_id: u64,
    pub side: Side,
    pub price: Price,
    pub qty: Qty,
    pub fee: Money,
    pub fee_asset: Name,
    pub is_maker: bool,
    pub time_ms: u64,
    /// The question about its order, while it is under way.
    pub asked: Option<u64>,
    /// Questions without an answer so far.
    pub asks: u32,
}

/// What was seen.
pub(super) struct Trades {
    trails: Vec<Trail>,
    table: Vec<(u64, InstrumentId)>,
    strange: Vec<StrangeTrade>,
}

struct Trail {
    instrument: InstrumentId,
    /// The list is read from this number on; none before its end was seen once.
    from: Option<u64>,
    recent: [u64; RECENT],
    next: usize,
}

impl Trades {
    pub fn new(instruments: impl Iterator<Item = InstrumentId>) -> Self {
        let trail = |instrument| Trail { instrument, from: None, recent: [NONE; RECENT], next: 0 };
        Self {
            trails: instruments.map(trail).collect(),
            table: vec![(NONE, InstrumentId::NONE); TRADES_MAX],
            strange: Vec::with_capacity(STRANGE_MAX),
        }
    }

    /// True the first time a trade is seen. A very old one may be forgotten; the core counts by number as well.
    pub fn is_new(&mut self, instrument: InstrumentId, trade_id: u64) -> bool {
        let spread = trade_id ^ (u64::from(instrument.0) << 7);
        let Some(slot) = self.table.get_mut((spread % TRADES_MAX as u64) as usize) else { return true };
        let is_known = *slot == (trade_id, instrument);
        *slot = (trade_id, instrument);
        let Some(trail) = self.trails.iter_mut().find(|trail| trail.instrument == instrument) else {
            return !is_known;
        };
        if is_known || trail.recent.contains(&trade_id) {
            return false;
        }
        if let Some(slot) = trail.recent.get_mut(trail.next % RECENT) {
            let gone = core::mem::replace(slot, trade_id);
            if let Some(from) = trail.from.as_mut().filter(|_| gone != NONE) {
                *from = (*from).max(gone.saturating_add(1));
            }
        }
        trail.next = trail.next.wrapping_add(1);
        true
    }

    /// The first number to be read; none while only the end of the list is wanted.
    pub fn from(&self, instrument: InstrumentId) -> Option<u64> {
        self.trails.iter().find(|trail| trail.instrument == instrument)?.from
    }

    /// Everything below `from` was read.
    pub fn read_to(&mut self, instrument: InstrumentId, from: u64) {
        if let Some(trail) = self.trails.iter_mut().find(|trail| trail.instrument == instrument) {
            trail.from = Some(trail.from.map_or(from, |before| before.max(from)));
        }
    }

    /// Keeps a trade until its order has a name; false when there is no room.
    pub fn keep(&mut self, trade: StrangeTrade) -> bool {
        let has_room = self.strange.len() < STRANGE_MAX;
        if has_room {
            self.strange.push(trade);
        }
        has_room
    }

    pub fn has_room(&self) -> bool {
        self.strange.len() < STRANGE_MAX
    }

    pub fn strange(&mut self) -> &mut [StrangeTrade] {
        &mut self.strange
    }

    /// Takes the oldest trade of an order whose name is known now.
    pub fn take(&mut self, instrument: InstrumentId, order_id: u64) -> Option<StrangeTrade> {
        let is_of = |trade: &StrangeTrade| trade.instrument == instrument && trade.order_id == order_id;
        let at = self.strange.iter().position(is_of)?;
        Some(self.strange.remove(at))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: InstrumentId = InstrumentId(0);

    #[test]
    fn a_trade_is_new_once_per_instrument() {
        let mut trades = Trades::new([A, InstrumentId(1)].into_iter());
        for trade_id in 1_000..1_100 {
            assert!(trades.is_new(A, trade_id));
            assert!(!trades.is_new(A, trade_id));
        }
        assert!(trades.is_new(InstrumentId(1), 1_099));
    }

    /// Whatever was handed on and lies at or above the number to be read from is remembered exactly.
    #[test]
    fn what_is_read_again_was_not_handed_on() {
        let mut trades = Trades::new([A].into_iter());
        trades.read_to(A, 5);
        let ids: Vec<u64> = (0..5_000).map(|n| 5 + n * 1_021 + n % 7).collect();
        for (at, &id) in ids.iter().enumerate() {
            assert!(trades.is_new(A, id));
            let from = trades.from(A).unwrap();
            if at % 100 == 0 {
                let again = ids[..=at].iter().filter(|&&id| id >= from);
                assert!(again.clone().count() <= RECENT);
                for &id in again {
                    assert!(trades.trails[0].recent.contains(&id), "{id}");
                }
            }
        }
    }
}
