//! Several markets as one: their symbols side by side, their operations in the order of time.

use super::{Kline, MarketOp, MarketSource, SymbolInfo};
use smc_core::TsNs;
use smc_core::instrument::{Contract, ContractKind};
use smc_core::words::{Qty, SCALE};

/// A perpetual contract of one base unit, settled in the quote asset: a twentieth secures it at first.
pub const PERPETUAL: Contract = Contract {
    kind: ContractKind::Linear,
    size: Qty(SCALE),
    margin_initial_ppm: 50_000,
    margin_maintenance_ppm: 5_000,
    can_replace: true,
    can_oco: false,
    can_attach: true,
    can_reduce_only: true,
};

struct Part {
    source: Box<dyn MarketSource>,
    /// Index of its first symbol among all.
    first: usize,
    pending: Option<MarketOp>,
}

/// The markets. All open when the last of them does: what the others do before is part of the opening.
pub struct Merged {
    symbols: Vec<SymbolInfo>,
    parts: Vec<Part>,
    start: TsNs,
}

impl Merged {
    /// Joins markets, each traded under a contract.
    pub fn new(markets: Vec<(Box<dyn MarketSource>, Contract)>) -> Self {
        let start = markets.iter().map(|(source, _)| source.start_ts()).max().unwrap_or(TsNs(0));
        let mut symbols = Vec::new();
        let mut parts = Vec::new();
        for (mut source, contract) in markets {
            let first = symbols.len();
            symbols.extend(source.symbols().iter().map(|info| {
                let mut info = *info;
                info.spec.contract = contract;
                info
            }));
            let pending = source.next();
            parts.push(Part { source, first, pending });
        }
        Self { symbols, parts, start }
    }
}

impl MarketSource for Merged {
    fn symbols(&self) -> &[SymbolInfo] {
        &self.symbols
    }

    fn start_ts(&self) -> TsNs {
        self.start
    }

    fn next(&mut self) -> Option<MarketOp> {
        let is_first = |part: &&mut Part| part.pending.map(|op| op.at);
        let part = self.parts.iter_mut().filter(|part| part.pending.is_some()).min_by_key(is_first)?;
        let op = part.pending?;
        part.pending = part.source.next();
        Some(MarketOp { at: op.at.max(self.start), symbol: part.first + op.symbol, kind: op.kind })
    }

    fn klines(&self, symbol: usize) -> &[Kline] {
        let part = self.parts.iter().rev().find(|part| part.first <= symbol);
        part.map_or(&[], |part| part.source.klines(symbol - part.first))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::market::RandomWalk;

    #[test]
    fn operations_of_all_markets_come_in_the_order_of_time() {
        let walk = |seed, start| Box::new(RandomWalk::new(seed, TsNs(start), 50)) as Box<dyn MarketSource>;
        let mut merged = Merged::new(vec![(walk(1, 1_000), Contract::SPOT), (walk(2, 5_000), PERPETUAL)]);
        assert_eq!(merged.start_ts(), TsNs(5_000));
        let kinds: Vec<_> = merged.symbols().iter().map(|info| info.spec.contract.is_spot()).collect();
        assert_eq!(kinds, [true, false]);
        let ops: Vec<MarketOp> = std::iter::from_fn(|| merged.next()).collect();
        assert!(ops.is_sorted_by_key(|op| op.at));
        assert!(ops.iter().all(|op| op.at >= TsNs(5_000)));
        let alone = |seed| {
            let mut walk = walk(seed, 0);
            std::iter::from_fn(|| walk.next()).count()
        };
        let of = |symbol| ops.iter().filter(|op| op.symbol == symbol).count();
        assert_eq!((of(0), of(1)), (alone(1), alone(2)));
    }
}
