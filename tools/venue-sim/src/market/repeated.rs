//! A recorded market again and again, from any instant on.

use super::{Kline, MarketOp, MarketOpKind, MarketSource, SymbolInfo};
use smc_core::words::Qty;
use smc_core::{Price, Side, TsNs};
use std::collections::BTreeMap;

/// Silence between the end of one round and the opening of the next.
const PAUSE_NS: u64 = 1_000_000_000;

/// A market made anew whenever it is over. The next round's opening book takes the place of the last book in one step.
pub struct Repeated<Open> {
    open: Open,
    symbols: Vec<SymbolInfo>,
    source: Box<dyn MarketSource>,
    start: TsNs,
    /// When the round opens, and when it does by the source's own clock.
    opens: (TsNs, TsNs),
    /// The first operation after the opening, which had to be read to know that the opening was over.
    held: Option<MarketOp>,
    /// Operations of the step from one round to the next, last first.
    step: Vec<MarketOp>,
    /// Background quantity by symbol, side and price.
    book: BTreeMap<(usize, bool, i64), Qty>,
    last: TsNs,
}

impl<Open: FnMut() -> Option<Box<dyn MarketSource>>> Repeated<Open> {
    /// Opens at `start`, or when the source does; none when the source cannot be opened. A source that cannot be opened
    /// later ends the market there.
    pub fn new(mut open: Open, start: Option<TsNs>) -> Option<Self> {
        let source = open()?;
        let own = source.start_ts();
        let start = start.unwrap_or(own);
        Some(Self {
            open,
            symbols: source.symbols().to_vec(),
            source,
            start,
            opens: (start, own),
            held: None,
            step: Vec::new(),
            book: BTreeMap::new(),
            last: start,
        })
    }

    /// An operation of the round with the time of the whole.
    fn retimed(&self, mut op: MarketOp) -> MarketOp {
        let (here, own) = self.opens;
        op.at = TsNs(here.0.saturating_add(op.at.since(own)));
        op
    }

    fn begin_again(&mut self) -> Option<()> {
        self.source = (self.open)().filter(|source| source.symbols() == self.symbols)?;
        self.opens = (TsNs(self.last.0 + PAUSE_NS), self.source.start_ts());
        let mut opening = BTreeMap::new();
        while let Some(op) = self.source.next() {
            if op.at > self.opens.1 {
                self.held = Some(op);
                break;
            }
            if let MarketOpKind::Level { side, price, qty } = op.kind {
                opening.insert((op.symbol, side == Side::Buy, price.0), qty);
            }
        }
        let gone = self.book.keys().filter(|key| !opening.contains_key(*key)).map(|key| (*key, Qty(0)));
        let changed = opening.iter().filter(|(key, qty)| self.book.get(key) != Some(qty));
        let levels = gone.chain(changed.map(|(key, qty)| (*key, *qty)));
        self.step = levels
            .map(|((symbol, is_bid, price), qty)| {
                let side = if is_bid { Side::Buy } else { Side::Sell };
                let kind = MarketOpKind::Level { side, price: Price(price), qty };
                MarketOp { at: self.opens.0, symbol, kind }
            })
            .collect();
        self.step.reverse();
        (!self.step.is_empty() || self.held.is_some()).then_some(())
    }
}

impl<Open: FnMut() -> Option<Box<dyn MarketSource>> + Send> MarketSource for Repeated<Open> {
    fn symbols(&self) -> &[SymbolInfo] {
        &self.symbols
    }

    fn start_ts(&self) -> TsNs {
        self.start
    }

    fn next(&mut self) -> Option<MarketOp> {
        let op = loop {
            if let Some(op) = self.step.pop() {
                break op;
            }
            if let Some(op) = self.held.take().or_else(|| self.source.next()) {
                break self.retimed(op);
            }
            self.begin_again()?;
        };
        if let MarketOpKind::Level { side, price, qty } = op.kind {
            let key = (op.symbol, side == Side::Buy, price.0);
            if qty.0 == 0 {
                self.book.remove(&key);
            } else {
                self.book.insert(key, qty);
            }
        }
        self.last = op.at;
        Some(op)
    }

    fn klines(&self, _symbol: usize) -> &[Kline] {
        // Their times are the recording's.
        &[]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::market::RandomWalk;

    fn walk() -> Option<Box<dyn MarketSource>> {
        Some(Box::new(RandomWalk::new(7, TsNs(5_000), 50)))
    }

    #[test]
    fn every_round_shows_the_same_books_and_time_never_goes_back() {
        let alone: Vec<MarketOp> = std::iter::from_fn({
            let mut walk = walk().unwrap();
            move || walk.next()
        })
        .collect();
        let apply = |book: &mut BTreeMap<(bool, i64), i64>, op: &MarketOp| {
            let MarketOpKind::Level { side, price, qty } = op.kind else { return };
            let key = (side == Side::Buy, price.0);
            book.remove(&key);
            if qty.0 > 0 {
                book.insert(key, qty.0);
            }
        };
        let mut end = BTreeMap::new();
        alone.iter().for_each(|op| apply(&mut end, op));

        let mut again = Repeated::new(walk, Some(TsNs(1 << 60))).unwrap();
        assert_eq!(again.start_ts(), TsNs(1 << 60));
        let (mut book, mut last, mut rounds) = (BTreeMap::new(), TsNs(1 << 60), 0);
        for _ in 0..alone.len() * 3 {
            let op = again.next().unwrap();
            assert!(op.at >= last);
            if op.at.since(last) >= PAUSE_NS {
                assert_eq!(book, end, "round {rounds} ends in another book");
                rounds += 1;
            }
            last = op.at;
            apply(&mut book, &op);
        }
        assert!(rounds >= 2, "{rounds}");
    }
}
