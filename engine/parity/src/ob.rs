//! `ob`: order blocks that survived, with the volume of the break. O(n + b log b) for b blocks.
//!
//! The package walks all bars twice, for bullish blocks and then for bearish ones, over arrays that both share.
//! So do we; only its scan over all active blocks is replaced by two heaps, which hold the block that price
//! reaches next on top.

use std::cmp::Ordering;
use std::collections::BinaryHeap;

use crate::bars::Bars;
use crate::error::ParityError;
use crate::swings::{Swing, Swings};
use crate::table::Table;

/// Order blocks: 1 bullish, -1 bearish, stamped on the bar that made the zone.
///
/// A close strictly beyond the last swing of a side makes one block per swing: for a swing high the bar with the
/// lowest low between the swing and the break, the last of equals; its low and high are the zone. `OBVolume` is
/// the volume of the break bar and the two before it. `Percentage` compares the break bar and the one before
/// with the third, the smaller by the larger (100 when both are 0). A block is broken when price leaves the zone
/// on its far side: the low (or the lower end of the body, `close_mitigation`) strictly below the bottom.
///
/// Quirks: a broken block whose other side is crossed later is erased, so only survivors are seen. The pivot is
/// the last of the whole swing table, bookends included, not the last one known. `MitigatedIndex` is one row
/// early for bullish blocks, exact for bearish ones, 0 when there is none. Arrays are shared by both sides and
/// not cleared: a bearish block on the row of a bullish one overwrites its zone and inherits "broken" and
/// `MitigatedIndex`; of an erased one it still inherits "broken". Where the swing lies on the bar just before the break, that bar is the block, and a bullish
/// one has `Top` and `Bottom` the wrong way round.
///
/// Columns `OB`, `MitigatedIndex` double, `Top`, `Bottom`, `OBVolume`, `Percentage` single.
pub fn ob(bars: &Bars, swings: &Swings, close_mitigation: bool) -> Result<Table, ParityError> {
    let swings = swings.of(bars)?;
    let mut blocks = vec![Block::default(); bars.len()];
    for side in [Side::Bullish, Side::Bearish] {
        Pass::new(bars, side, close_mitigation).run(&swings, &mut blocks);
    }
    let double = |of: fn(&Block) -> f64| -> Vec<f64> {
        blocks.iter().map(|block| if block.side == 0 { f64::NAN } else { of(block) }).collect()
    };
    let single = |of: fn(&Block) -> f32| -> Vec<f32> {
        blocks.iter().map(|block| if block.side == 0 { f32::NAN } else { of(block) }).collect()
    };
    Ok(Table::default()
        .with("OB", double(|block| f64::from(block.side)))
        .with("Top", single(|block| block.top))
        .with("Bottom", single(|block| block.bottom))
        .with("OBVolume", single(|block| block.volume))
        .with("MitigatedIndex", double(|block| block.mitigated as f64))
        .with("Percentage", single(|block| block.percentage)))
}

/// One row of the arrays that both passes share.
#[derive(Clone, Copy, Default)]
struct Block {
    /// 1, -1, or 0 for no block.
    side: i8,
    top: f32,
    bottom: f32,
    volume: f32,
    percentage: f32,
    mitigated: usize,
    /// Broken once; crossed back it is erased, all but this.
    is_breaker: bool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Side {
    Bullish,
    Bearish,
}

/// One walk over all bars. Prices are seen so that the side's blocks lie below price: bearish ones in a mirror.
struct Pass<'a> {
    bars: &'a Bars,
    side: Side,
    close_mitigation: bool,
    /// Blocks not broken yet; the one with the nearest far edge on top.
    whole: BinaryHeap<Edge>,
    /// Broken ones; the one whose near edge is crossed back first on top.
    broken: BinaryHeap<Edge>,
}

impl<'a> Pass<'a> {
    const fn new(bars: &'a Bars, side: Side, close_mitigation: bool) -> Self {
        Self { bars, side, close_mitigation, whole: BinaryHeap::new(), broken: BinaryHeap::new() }
    }

    fn run(mut self, swings: &[Swing], blocks: &mut [Block]) {
        let is_high = self.side == Side::Bullish;
        let mut swings = swings.iter().filter(|swing| swing.is_high == is_high).peekable();
        let mut pivot = None;
        for row in 0..self.bars.len() {
            while let Some(swing) = swings.next_if(|swing| swing.row < row) {
                pivot = Some(swing.row);
            }
            self.age(row, blocks);
            if let Some(beyond) = pivot.filter(|&pivot| self.breaks(row, pivot)) {
                pivot = None;
                self.create(beyond, row, blocks);
            }
        }
    }

    /// Erases what was broken and is crossed back, then breaks what this bar leaves.
    fn age(&mut self, row: usize, blocks: &mut [Block]) {
        let high = self.seen(self.bars.high[row], self.bars.low[row]);
        while let Some(edge) = self.broken.pop_if_above(-high) {
            blocks[edge.row] = Block { is_breaker: true, ..Block::default() };
        }
        let (open, close) = (self.bars.open[row], self.bars.close[row]);
        let source = match (self.side, self.close_mitigation) {
            (Side::Bullish, false) => self.bars.low[row],
            (Side::Bullish, true) => open.min(close),
            (Side::Bearish, false) => -self.bars.high[row],
            (Side::Bearish, true) => -open.max(close),
        };
        while let Some(edge) = self.whole.pop_if_above(source) {
            let block = &mut blocks[edge.row];
            block.is_breaker = true;
            block.mitigated = if self.side == Side::Bullish { row - 1 } else { row };
            self.watch(edge.row, block);
        }
    }

    fn breaks(&self, row: usize, pivot: usize) -> bool {
        match self.side {
            Side::Bullish => self.bars.close[row] > self.bars.high[pivot],
            Side::Bearish => self.bars.close[row] < self.bars.low[pivot],
        }
    }

    fn create(&mut self, pivot: usize, row: usize, blocks: &mut [Block]) {
        let extreme = |at: usize| self.seen(self.bars.low[at], self.bars.high[at]);
        let between =
            (pivot + 1..row).reduce(|best, at| if extreme(at) <= extreme(best) { at } else { best });
        let at = between.unwrap_or(row - 1);
        let (mut top, mut bottom) = (self.bars.high[at] as f32, self.bars.low[at] as f32);
        if between.is_none() && self.side == Side::Bullish {
            (top, bottom) = (bottom, top);
        }
        let volume = |back: usize| row.checked_sub(back).map_or(0.0, |row| self.bars.volume[row]);
        let (late, early) = ((volume(0) + volume(1)) as f32, volume(2) as f32);
        let block = &mut blocks[at];
        block.side = if self.side == Side::Bullish { 1 } else { -1 };
        (block.top, block.bottom) = (top, bottom);
        block.volume = (volume(0) + volume(1) + volume(2)) as f32;
        block.percentage =
            if late.max(early) == 0.0 { 100.0 } else { late.min(early) / late.max(early) * 100.0 };
        self.watch(at, block);
    }

    fn watch(&mut self, row: usize, block: &Block) {
        let (top, bottom) = (f64::from(block.top), f64::from(block.bottom));
        if block.is_breaker {
            self.broken.push(Edge { row, level: -self.seen(top, bottom) });
        } else {
            self.whole.push(Edge { row, level: self.seen(bottom, top) });
        }
    }

    /// The bullish price of a pair as it is, the bearish one with its sign changed.
    fn seen(&self, bullish: f64, bearish: f64) -> f64 {
        if self.side == Side::Bullish { bullish } else { -bearish }
    }
}

/// A level that price comes down to, and the block it belongs to.
#[derive(PartialEq)]
struct Edge {
    level: f64,
    row: usize,
}

trait PopAbove {
    fn pop_if_above(&mut self, price: f64) -> Option<Edge>;
}

impl PopAbove for BinaryHeap<Edge> {
    /// Takes out the highest level when it is strictly above `price`.
    fn pop_if_above(&mut self, price: f64) -> Option<Edge> {
        if self.peek().is_some_and(|edge| edge.level > price) { self.pop() } else { None }
    }
}

impl Eq for Edge {}

impl Ord for Edge {
    fn cmp(&self, other: &Self) -> Ordering {
        self.level.total_cmp(&other.level).then(self.row.cmp(&other.row))
    }
}

impl PartialOrd for Edge {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}
