//! The slow twin of the market-structure engine: each concept straight from its definition, looking at the
//! whole history again for every fact. Facts have no ids; they are compared as sorted lists.

use smc_core::event::Bar;
use smc_core::output::{Scope, StructureKind as Kind};
use smc_core::smc::{
    BlockBar, BlockZone, FvgMiddle, ObMitigation, PivotProfile, SmcParams, Tolerance, VolatilityFilter,
    ZoneState,
};
use smc_core::words::Direction;

/// Known, kind, scope, side (+1 or -1), bar, top, bottom, extra, value.
pub type Fact = (usize, Kind, Scope, i64, usize, i64, i64, i64, i64);
/// Side, bar, top, bottom, state.
pub type ZoneNow = (i64, usize, i64, i64, ZoneState);

/// What the twin found.
pub struct Found {
    pub facts: Vec<Fact>,
    pub swing: FoundInScope,
    pub internal: Option<FoundInScope>,
    pub gaps: Vec<ZoneNow>,
    /// Side, seed's bar, mean level rounded away from the sweep, members; two members or more, unswept.
    pub pools: Vec<(i64, usize, i64, usize)>,
}

/// What the twin found in one scope.
pub struct FoundInScope {
    pub bias: i64,
    pub blocks: Vec<ZoneNow>,
    pub range: Option<(i64, i64)>,
}

struct Pivot {
    known: usize,
    side: i64,
    bar: usize,
    price: i64,
}

struct Twin<'a> {
    bars: &'a [Bar],
    params: SmcParams,
    scope: Scope,
    /// Averages after each bar, in 1/256 price units.
    atr: Vec<i128>,
    slow_atr: Vec<i128>,
    facts: Vec<Fact>,
}

pub fn side(direction: Direction) -> i64 {
    if direction == Direction::Up { 1 } else { -1 }
}

pub fn find(bars: &[Bar], params: &SmcParams) -> Found {
    let mut twin = Twin {
        bars,
        params: *params,
        scope: Scope::Swing,
        atr: atr(bars, params.atr_len),
        slow_atr: atr(bars, params.vol_len),
        facts: vec![],
    };
    let pivots = twin.pivots();
    let swing = twin.of_scope(&pivots, &[]);
    if params.patterns {
        twin.patterns(&pivots);
    }
    let (mut gaps, mut pools) = (vec![], vec![]);
    if params.gaps {
        gaps = twin.gaps();
    }
    if params.liquidity {
        pools = twin.pools(&pivots);
        twin.levels(&pivots);
    }
    let internal = params.internal.map(|inner| {
        twin.scope = Scope::Internal;
        twin.params = SmcParams {
            pivot_profile: inner.pivot_profile,
            pivot_left: inner.pivot_left,
            pivot_right: inner.pivot_right,
            pivot_first: inner.pivot_first,
            order_blocks: params.order_blocks && inner.order_blocks,
            ..*params
        };
        let inner_pivots = twin.pivots();
        twin.of_scope(&inner_pivots, if inner.ignores_swing_level { &pivots } else { &[] })
    });
    twin.facts.sort();
    Found { facts: twin.facts, swing, internal, gaps, pools }
}

fn true_range(bars: &[Bar], k: usize) -> i64 {
    let (mut high, mut low) = (bars[k].high.0, bars[k].low.0);
    if k > 0 {
        high = high.max(bars[k - 1].close.0);
        low = low.min(bars[k - 1].close.0);
    }
    high - low
}

fn atr(bars: &[Bar], len: u16) -> Vec<i128> {
    let len = usize::from(len);
    let mut out: Vec<i128> = vec![];
    for k in 0..bars.len() {
        let range = |j: usize| i128::from(true_range(bars, j)) << 8;
        out.push(if k < len {
            (0..=k).map(range).sum::<i128>() / (k as i128 + 1)
        } else {
            out[k - 1] + (((range(k) - out[k - 1]) * ((1i128 << 62) / len as i128)) >> 62)
        });
    }
    out
}

fn ppm(distance: i64, average: i128) -> i64 {
    if average == 0 { 0 } else { ((i128::from(distance.abs()) * 1_000_000 * 256) / average) as i64 }
}

/// As a price, rounded away from the sweep.
fn mean(side: i64, members: &[i64]) -> i64 {
    side * members.iter().sum::<i64>().div_euclid(members.len() as i64)
}

impl Twin<'_> {
    // A bar as a side sees it: `side * price`, and the greater price is the high.
    fn high(&self, side: i64, k: usize) -> i64 {
        (side * self.bars[k].high.0).max(side * self.bars[k].low.0)
    }
    fn low(&self, side: i64, k: usize) -> i64 {
        (side * self.bars[k].high.0).min(side * self.bars[k].low.0)
    }
    fn open(&self, side: i64, k: usize) -> i64 {
        side * self.bars[k].open.0
    }
    fn close(&self, side: i64, k: usize) -> i64 {
        side * self.bars[k].close.0
    }

    fn say(&mut self, known: usize, kind: Kind, side: i64, bar: usize, span: (i64, i64), extra: i64) {
        self.say_more(known, kind, side, bar, span, (extra, 0));
    }

    fn say_more(
        &mut self,
        known: usize,
        kind: Kind,
        side: i64,
        bar: usize,
        span: (i64, i64),
        (extra, value): (i64, i64),
    ) {
        let (a, b) = (side * span.0, side * span.1);
        self.facts.push((known, kind, self.scope, side, bar, a.max(b), a.min(b), extra, value));
    }

    fn of_scope(&mut self, pivots: &[Pivot], ignored: &[Pivot]) -> FoundInScope {
        let range = self.swings(pivots);
        let (bias, blocks) = self.breaks_and_blocks(pivots, ignored);
        FoundInScope { bias, blocks, range }
    }

    fn is_pivot(&self, side: i64, i: usize, k: usize) -> bool {
        let price = self.high(side, i);
        match self.params.pivot_profile {
            PivotProfile::Window => (i.saturating_sub(self.params.pivot_left.into())..=k)
                .filter(|&j| j != i)
                .all(|j| self.high(side, j) < price || self.params.pivot_ties && self.high(side, j) == price),
            PivotProfile::Leg => (i + 1..=k).all(|j| self.high(side, j) < price),
        }
    }

    fn pivots(&mut self) -> Vec<Pivot> {
        let (right, first) = (usize::from(self.params.pivot_right), self.params.pivot_first as usize);
        let is_leg = self.params.pivot_profile == PivotProfile::Leg;
        let mut found: Vec<Pivot> = vec![];
        for k in right..self.bars.len() {
            let bar = k - right;
            if bar < first && !is_leg {
                continue;
            }
            let order = if self.params.pivot_high_first { [1, -1] } else { [-1, 1] };
            let Some(side) = order.into_iter().find(|&side| self.is_pivot(side, bar, k)) else { continue };
            if is_leg && found.last().is_some_and(|last| last.side == side) {
                continue;
            }
            let price = self.high(side, bar);
            found.push(Pivot { known: k, side, bar, price });
            self.say(k, Kind::PivotConfirmed, side, bar, (price, price), 0);
        }
        found
    }

    /// Cuts the pivots into runs of one side; returns the dealing range.
    fn swings(&mut self, pivots: &[Pivot]) -> Option<(i64, i64)> {
        let mut edges = [None, None];
        let mut locked_before: [Option<i64>; 2] = [None, None];
        for run in pivots.chunk_by(|a, b| a.side == b.side) {
            let (side, at) = (run[0].side, usize::from(run[0].side < 0));
            let mut best = &run[0];
            self.say(best.known, Kind::SwingStarted, side, best.bar, (best.price, best.price), 0);
            for pivot in &run[1..] {
                if pivot.price > best.price {
                    let span = (pivot.price, pivot.price);
                    self.say(pivot.known, Kind::SwingExtended, side, pivot.bar, span, best.bar as i64);
                    best = pivot;
                }
            }
            let later = (best.known + 1..self.bars.len()).map(|k| self.high(side, k));
            edges[at] = later.chain([best.price]).max();
            let Some(next) = pivots.iter().find(|pivot| pivot.known > best.known && pivot.side != side)
            else {
                continue;
            };
            let label = match locked_before[at].replace(best.price) {
                None => 0,
                Some(before) if best.price > before => [1, 4][at],
                Some(_) => [2, 3][at],
            };
            self.say(next.known, Kind::SwingLocked, side, best.bar, (best.price, best.price), label);
        }
        Some((edges[0]?, -edges[1]?))
    }

    /// All patterns with the whole history at hand: when each was known, broken and superseded.
    fn patterns(&mut self, pivots: &[Pivot]) {
        struct Row {
            side: i64,
            bar: usize,
            level: i64,
            tag: i64,
            known: usize,
            first_break: Option<usize>,
        }
        let runs: Vec<&[Pivot]> = pivots.chunk_by(|a, b| a.side == b.side).collect();
        let first_of_best = |run: &[Pivot]| {
            let most = run.iter().map(|pivot| pivot.price).max().unwrap();
            run.iter().position(|pivot| pivot.price == most).unwrap()
        };
        let mut rows = vec![];
        for four in runs.windows(4) {
            let [a, b, c] = [0, 1, 2].map(|at| &four[at][first_of_best(four[at])]);
            let (low, last) = (-a.price.min(c.price), -c.price);
            let tag = match -a.price {
                first if first < last => 0,
                first if last < first => 1,
                _ => continue,
            };
            let maker = four[3].iter().find(|d| low < b.price && last < b.price && b.price < d.price);
            if let Some(maker) = maker {
                let first_break =
                    (b.bar + 2..self.bars.len()).find(|&j| self.break_source(b.side, j) > b.price);
                let (side, bar, level, known) = (b.side, b.bar, b.price, maker.known);
                rows.push(Row { side, bar, level, tag, known, first_break });
            }
        }
        for (at, row) in rows.iter().enumerate() {
            let span = (row.level, row.level);
            self.say_more(row.known, Kind::PatternConfirmed, row.side, row.bar, span, (row.tag, 0));
            let Some(first_break) = row.first_break else { continue };
            let (known, numbers) = (row.known.max(first_break), (row.tag, first_break as i64));
            self.say_more(known, Kind::PatternBroken, row.side, row.bar, span, numbers);
            let superseded = rows[at + 1..].iter().filter_map(|later| {
                let before = later.first_break.filter(|&before| before <= first_break)?;
                Some(before.max(later.known).max(known))
            });
            if let Some(known) = superseded.min() {
                self.say_more(known, Kind::PatternSuperseded, row.side, row.bar, span, numbers);
            }
        }
    }

    fn break_source(&self, side: i64, k: usize) -> i64 {
        if self.params.close_break { self.close(side, k) } else { self.high(side, k) }
    }

    /// `ignored`: pivots whose level, while it is the newest of its side, does not break here.
    fn is_break(&self, side: i64, k: usize, level: i64, ignored: &[Pivot]) -> bool {
        let source = |k| self.break_source(side, k);
        let least = i64::from(self.params.displacement_min_ppm);
        let newest = ignored.iter().rfind(|pivot| pivot.side == side && pivot.known < k);
        let has_filter = least > 0 || !ignored.is_empty();
        let is_held_back = self.displacement(k) < least || newest.is_some_and(|pivot| pivot.price == level);
        source(k) > level && (!has_filter || !is_held_back && source(k - 1) <= level)
    }

    fn displacement(&self, k: usize) -> i64 {
        ppm(self.bars[k].close.0 - self.bars[k].open.0, self.atr[k])
    }

    fn breaks_and_blocks(&mut self, pivots: &[Pivot], ignored: &[Pivot]) -> (i64, Vec<ZoneNow>) {
        let mut breaks = vec![];
        for pivot in pivots {
            let newer = pivots.iter().find(|other| other.side == pivot.side && other.known > pivot.known);
            let end = newer.map_or(self.bars.len() - 1, |newer| newer.known);
            let is_break = |k: &usize| self.is_break(pivot.side, *k, pivot.price, ignored);
            if let Some(k) = (pivot.known + 1..=end).find(is_break) {
                breaks.push((k, -pivot.side, pivot));
            }
        }
        breaks.sort_by_key(|&(k, order, _)| (k, order));
        let (mut bias, mut now) = (0, vec![]);
        for (k, _, pivot) in breaks {
            let (displacement, least) = (self.displacement(k), i64::from(self.params.mss_min_ppm));
            let kind = match (bias == -pivot.side, least) {
                (false, _) => Kind::Bos,
                (true, 1..) if displacement >= least => Kind::Mss,
                (true, _) => Kind::Choch,
            };
            let numbers = (displacement, bias);
            bias = pivot.side;
            self.say_more(k, kind, bias, pivot.bar, (pivot.price, pivot.price), numbers);
            if let Some(x) = self.block_bar(pivot, k).filter(|_| self.params.order_blocks) {
                now.extend(self.block(bias, x, k));
            }
        }
        (bias, now)
    }

    fn is_wild(&self, k: usize) -> bool {
        let height = i128::from(self.high(1, k) - self.low(1, k));
        match self.params.ob_filter {
            VolatilityFilter::Off => false,
            VolatilityFilter::Atr => height >= 2 * (self.slow_atr[k] >> 8),
            VolatilityFilter::MeanTrueRange => {
                let sum: i128 = (0..=k).map(|j| i128::from(true_range(self.bars, j))).sum();
                height * k.max(1) as i128 >= 2 * sum
            }
        }
    }

    fn block_bar(&self, pivot: &Pivot, k: usize) -> Option<usize> {
        let side = pivot.side;
        let eligible: Vec<usize> = (pivot.bar + 1..k).filter(|&x| !self.is_wild(x)).collect();
        let least = eligible.iter().map(|&x| self.low(side, x)).min()?;
        let extreme = eligible.iter().rev().find(|&&x| self.low(side, x) == least);
        let opposite = eligible.iter().rev().find(|&&x| self.close(side, x) < self.open(side, x));
        match self.params.ob_block {
            BlockBar::Extreme => extreme.copied(),
            BlockBar::LastOpposite => opposite.or(extreme).copied(),
        }
    }

    fn block(&mut self, side: i64, x: usize, k: usize) -> Option<ZoneNow> {
        let (open, close) = (self.open(side, x), self.close(side, x));
        let (top, bottom) = match self.params.ob_zone {
            BlockZone::Wick => (self.high(side, x), self.low(side, x)),
            BlockZone::Body => (open.max(close), open.min(close)),
        };
        let volume = |back| k.checked_sub(back).map_or(0, |j| self.bars[j].volume.0);
        let (late, early) = (volume(0) + volume(1), volume(2));
        let most = late.max(early);
        let balance = if most == 0 { 1_000_000 } else { late.min(early) * 1_000_000 / most };
        self.say_more(k, Kind::ObCreated, side, x, (top, bottom), (balance, late + early));
        let n = self.bars.len();
        let touched = (k + 1..n).find(|&j| self.low(side, j) <= top);
        let broken = (k + 1..n).find(|&j| match self.params.ob_mitigation {
            ObMitigation::Wick => self.low(side, j) < bottom,
            ObMitigation::Close => self.close(side, j) < bottom,
            ObMitigation::Body => self.open(side, j).min(self.close(side, j)) < bottom,
            ObMitigation::MeanThreshold => 2 * self.close(side, j) < top + bottom,
        });
        let ended = broken.and_then(|b| (b + 1..n).find(|&j| self.high(side, j) > top));
        let kinds = [Kind::ObTested, Kind::ObBroken, Kind::BreakerInvalidated];
        self.life(side, x, (top, bottom), kinds, [touched, broken, ended])
    }

    fn gaps(&mut self) -> Vec<ZoneNow> {
        // Side, k, top, bottom, the last of it being joined: in the order of `k`.
        let mut found: Vec<(i64, usize, i64, i64)> = vec![];
        for k in 2..self.bars.len() {
            for side in [1, -1] {
                let (bottom, top, i) = (self.high(side, k - 2), self.low(side, k), k - 1);
                let is_middle = match self.params.fvg_middle {
                    FvgMiddle::Body => self.close(side, i) > self.open(side, i),
                    FvgMiddle::CloseBeyond => self.close(side, i) > bottom,
                    FvgMiddle::Any => true,
                };
                let height = ppm(top - bottom, self.atr[k]);
                let is_high = top - bottom >= self.params.fvg_size_min.0
                    && height >= i64::from(self.params.fvg_size_min_atr_ppm)
                    && (!self.params.fvg_auto_threshold || self.is_large_body(side, i, k));
                if bottom < top && is_middle && is_high {
                    found.push((side, k, top, bottom));
                }
            }
        }
        if self.params.fvg_join {
            let is_next =
                |a: &(i64, usize, i64, i64), b: &(i64, usize, i64, i64)| (a.0, a.1 + 1) == (b.0, b.1);
            let runs: Vec<Vec<_>> = found.chunk_by(is_next).map(<[_]>::to_vec).collect();
            found.clear();
            for run in runs {
                for upto in 1..=run.len() {
                    let (side, k, ..) = run[upto - 1];
                    let top = run[..upto].iter().map(|gap| gap.2).max().unwrap();
                    let bottom = run[..upto].iter().map(|gap| gap.3).min().unwrap();
                    let kind = if upto == 1 { Kind::FvgCreated } else { Kind::FvgJoined };
                    self.say(k, kind, side, k - 1, (top, bottom), ppm(top - bottom, self.atr[k]));
                    if upto == run.len() {
                        found.push((side, k, top, bottom));
                    }
                }
            }
        } else {
            for &(side, k, top, bottom) in &found {
                self.say(k, Kind::FvgCreated, side, k - 1, (top, bottom), ppm(top - bottom, self.atr[k]));
            }
        }
        found.into_iter().filter_map(|(side, k, top, bottom)| self.gap(side, k, top, bottom)).collect()
    }

    fn is_large_body(&self, side: i64, i: usize, k: usize) -> bool {
        let ratio = |bar: &Bar| {
            let body = i128::from((bar.close.0 - bar.open.0).abs());
            (body * 1_000_000_000).checked_div(i128::from(bar.open.0.abs())).unwrap_or(0)
        };
        let sum: i128 = self.bars[..=k].iter().map(ratio).sum();
        self.close(side, i) > self.open(side, i) && ratio(&self.bars[i]) * (k as i128 + 1) > 2 * sum
    }

    fn gap(&mut self, side: i64, k: usize, top: i64, bottom: i64) -> Option<ZoneNow> {
        let n = self.bars.len();
        let depth = i64::from(self.params.fvg_mitigation.depth_ppm());
        let touched = (k + 1..n).find(|&j| (top - self.low(side, j)) * 1_000_000 >= (top - bottom) * depth);
        let broken = (k + 1..n).find(|&j| self.close(side, j) < bottom);
        let ended = broken.and_then(|b| (b + 1..n).find(|&j| self.close(side, j) > top));
        let kinds = [Kind::FvgMitigated, Kind::FvgInverted, Kind::IfvgInvalidated];
        self.life(side, k - 1, (top, bottom), kinds, [touched, broken, ended])
    }

    /// Says what happened to a zone; returns how it stands after the last bar, unless it ended.
    fn life(
        &mut self,
        side: i64,
        bar: usize,
        span: (i64, i64),
        kinds: [Kind; 3],
        at: [Option<usize>; 3],
    ) -> Option<ZoneNow> {
        for (kind, at) in kinds.into_iter().zip(at) {
            if let Some(known) = at {
                self.say(known, kind, side, bar, span, 0);
            }
        }
        let state = match at {
            [_, _, Some(_)] => return None,
            [_, Some(_), _] => ZoneState::Flipped,
            [Some(_), ..] => ZoneState::Touched,
            _ => ZoneState::Fresh,
        };
        let (a, b) = (side * span.0, side * span.1);
        Some((side, bar, a.max(b), a.min(b), state))
    }

    fn tolerance(&self, pivot: &Pivot) -> i64 {
        let part = |of: i64, ppm: u32| (i128::from(of.abs()) * i128::from(ppm) / 1_000_000) as i64;
        let raw = match self.params.pool_tolerance {
            Tolerance::AtrMult(ppm) => part((self.slow_atr[pivot.known] >> 8) as i64, ppm),
            Tolerance::FixedTicks(distance) => distance.0,
            Tolerance::PctOfPrice(ppm) => part(pivot.price, ppm),
            Tolerance::RangePct { ppm, bars } => {
                let window = pivot.known.saturating_sub(usize::from(bars) - 1)..=pivot.known;
                let high = window.clone().map(|k| self.high(1, k)).max().unwrap();
                let low = -window.map(|k| self.high(-1, k)).max().unwrap();
                part(high - low, ppm)
            }
        };
        raw.max(self.params.tick.0)
    }

    fn pools(&mut self, pivots: &[Pivot]) -> Vec<(i64, usize, i64, usize)> {
        // Seed's bar, seed, tolerance, members' prices, in the order they came; swept ones leave.
        type Pool = (usize, i64, i64, Vec<i64>);
        let mut open = vec![];
        for side in [1, -1] {
            let mut pools: Vec<Pool> = vec![];
            for k in 0..self.bars.len() {
                let (high, close) = (self.high(side, k), self.close(side, k));
                let (swept, kept): (Vec<Pool>, _) =
                    pools.into_iter().partition(|(_, seed, tolerance, _)| high >= seed + tolerance);
                pools = kept;
                for (bar, seed, tolerance, members) in swept.iter().filter(|pool| pool.3.len() > 1) {
                    let is_back = close < seed + tolerance;
                    let kind = if is_back { Kind::PoolSwept } else { Kind::PoolRun };
                    let span = (seed + tolerance, seed - tolerance);
                    self.say_more(k, kind, side, *bar, span, (members.len() as i64, mean(side, members)));
                }
                for pivot in pivots.iter().filter(|pivot| pivot.known == k && pivot.side == side) {
                    let taker = pools.iter_mut().find(|(_, seed, tolerance, _)| {
                        seed - tolerance <= pivot.price && pivot.price <= seed + tolerance
                    });
                    let Some((bar, seed, tolerance, members)) = taker else {
                        pools.push((pivot.bar, pivot.price, self.tolerance(pivot), vec![pivot.price]));
                        continue;
                    };
                    members.push(pivot.price);
                    let kind = if members.len() == 2 { Kind::PoolFormed } else { Kind::PoolExtended };
                    let (bar, span) = (*bar, (*seed + *tolerance, *seed - *tolerance));
                    let numbers = (members.len() as i64, mean(side, members));
                    self.say_more(k, kind, side, bar, span, numbers);
                }
            }
            open.extend(
                pools
                    .into_iter()
                    .filter(|pool| pool.3.len() > 1)
                    .map(|(bar, _, _, members)| (side, bar, mean(side, &members), members.len())),
            );
        }
        open
    }

    fn levels(&mut self, pivots: &[Pivot]) {
        for pivot in pivots {
            let taken = (pivot.bar + 1..self.bars.len()).find(|&j| self.high(pivot.side, j) > pivot.price);
            if let Some(k) = taken.filter(|&k| self.close(pivot.side, k) <= pivot.price) {
                let depth = self.high(pivot.side, k) - pivot.price;
                let span = (pivot.price, pivot.price);
                self.say(k, Kind::LevelSwept, pivot.side, pivot.bar, span, depth);
            }
        }
    }
}
