//! Which bars and structures the page draws: all while they are few, else those around trades.

use crate::cause::{Causes, is_sweep, pool_level, said, short};
use crate::meta::Meta;
use crate::text::minute;
use smc_backtest::{Outcome, Trade};
use smc_core::event::Bar;
use smc_core::output::{REASONS_MAX, Structure, StructureKind};
use smc_core::words::{Direction, InstrumentId, Price, Timeframe, TsNs};
use std::collections::BTreeMap;

/// Bars that a page holds, of all instruments together.
pub const BARS_MAX: usize = 40_000;
/// Trades that are drawn with their reasons.
pub const DRAWN_MAX: usize = 1_500;
/// Largest gains and losses that come before all others.
const LARGEST: usize = 100;
/// Bars before and after a trade, the most first; taken is the first at which all trades fit.
const ROOMS: [(usize, usize); 4] = [(400, 200), (200, 100), (100, 50), (60, 30)];
/// Bars before a trade that its structures may add.
const REACH_MAX: usize = 240;

/// Everything that is drawn of bars and structures.
#[derive(Debug, Default)]
pub struct Charts {
    /// One an instrument that has bars.
    pub series: Vec<Series>,
    /// Structures behind the drawn trades.
    pub things: Vec<Thing>,
    /// By trade, closed ones and then open ones: what is known of it here.
    pub trades: Vec<Drawn>,
    /// Bars of the drawn timeframes that the record has.
    pub bars_all: usize,
    /// Bars that are on the page.
    pub bars_kept: usize,
}

/// Bars of one instrument.
#[derive(Debug)]
pub struct Series {
    /// Whose.
    pub instrument: InstrumentId,
    /// How long a bar is.
    pub timeframe: Timeframe,
    /// Bars that are kept, oldest first.
    pub bars: Vec<Bar>,
    /// Places in `bars` before which bars were left out.
    pub cuts: Vec<usize>,
}

/// What is drawn of a structure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    /// A box from its bar until it ends.
    Zone,
    /// A level from its bar to the bar that broke it.
    Break,
    /// A level from its bar to the bar that took it and closed back.
    Sweep,
    /// A level that stands.
    Level,
    /// Two levels that stand.
    Pair,
    /// A span of time.
    Span,
    /// Nothing.
    Words,
}

/// A structure.
#[derive(Clone, Debug)]
pub struct Thing {
    /// What is drawn.
    pub shape: Shape,
    /// A gap, rather than a block.
    pub is_gap: bool,
    /// Bullish, or at the highs.
    pub is_up: bool,
    /// Whose.
    pub instrument: InstrumentId,
    /// Open time of its bar, when it was known, and when it ended (0 while it stands); nanoseconds.
    pub times: [u64; 3],
    /// Upper and lower edge.
    pub edges: [Price; 2],
    /// A few letters.
    pub label: &'static str,
    /// In words.
    pub words: String,
}

/// What the page knows of one trade.
#[derive(Clone, Debug, Default)]
pub struct Drawn {
    /// The series that has its bars; none when they were left out.
    pub series: Option<usize>,
    /// By place: the structure and what it came from, as places in [`Charts::things`]; none where the signal names none,
    /// empty where the record does not have it.
    pub reasons: Option<[Option<Vec<usize>>; REASONS_MAX]>,
}

type Key = (InstrumentId, Timeframe);

impl Charts {
    /// Of a run.
    pub fn of(outcome: &Outcome, causes: &Causes<'_>, meta: &Meta) -> Self {
        let mut bars: BTreeMap<Key, Vec<Bar>> = BTreeMap::new();
        for (instrument, timeframe, bar) in &outcome.record.bars {
            bars.entry((*instrument, *timeframe)).or_default().push(*bar);
        }
        let trades: Vec<&Trade> = outcome.trades.iter().chain(&outcome.open).collect();
        let reasons: Vec<_> = trades.iter().map(|trade| causes.reasons(trade)).collect();
        let keys = keys(&bars, &trades, &reasons, causes);
        let mut plan = Plan::new(&keys, &bars, &trades, &reasons, causes);
        plan.fill();
        let mut charts = Self { bars_all: plan.count(), ..Self::default() };
        let mut things = Things { charts: &mut charts, places: BTreeMap::new(), causes, bars: &bars, meta };
        for (nth, reasons) in reasons.iter().enumerate() {
            let series = plan.drawn[nth].then(|| keys.iter().position(|key| key.0 == trades[nth].instrument));
            let is_told = plan.told[nth];
            let reasons = is_told.then(|| {
                reasons.clone().map(|chain| {
                    Some(chain?.into_iter().map(|place| things.place(place)).collect::<Vec<usize>>())
                })
            });
            things.charts.trades.push(Drawn { series: series.flatten(), reasons });
        }
        for (key, mask) in keys.iter().zip(&plan.masks) {
            let all = &bars[key];
            let (mut kept, mut cuts) = (Vec::new(), Vec::new());
            for (at, bar) in all.iter().enumerate().filter(|(at, _)| mask[*at]) {
                let follows = at > 0 && mask[at - 1];
                if !follows && !kept.is_empty() {
                    cuts.push(kept.len());
                }
                kept.push(*bar);
            }
            charts.bars_kept += kept.len();
            charts.series.push(Series { instrument: key.0, timeframe: key.1, bars: kept, cuts });
        }
        charts
    }
}

/// The timeframe of each instrument that is drawn: that of most sweeps, shifts and zones behind its trades; the shortest
/// of those with bars where no trade says.
fn keys(
    bars: &BTreeMap<Key, Vec<Bar>>,
    trades: &[&Trade],
    reasons: &[[Option<Vec<u32>>; REASONS_MAX]],
    causes: &Causes<'_>,
) -> Vec<Key> {
    let mut votes: BTreeMap<Key, usize> = bars.keys().map(|key| (*key, 0)).collect();
    for (trade, reasons) in trades.iter().zip(reasons) {
        for chain in reasons[..3].iter().flatten() {
            let timeframe = chain.first().map(|place| causes.at(*place).1.timeframe);
            if let Some(votes) = timeframe.and_then(|timeframe| votes.get_mut(&(trade.instrument, timeframe)))
            {
                *votes += 1;
            }
        }
    }
    let mut keys: BTreeMap<InstrumentId, (usize, Timeframe)> = BTreeMap::new();
    for ((instrument, timeframe), votes) in votes {
        let best = keys.entry(instrument).or_insert((votes, timeframe));
        if votes > best.0 {
            *best = (votes, timeframe);
        }
    }
    keys.into_iter().map(|(instrument, (_, timeframe))| (instrument, timeframe)).collect()
}

/// Which bars are kept and which trades are drawn.
struct Plan<'a> {
    keys: &'a [Key],
    /// By key: the bars.
    bars: Vec<&'a [Bar]>,
    /// By key: which of them are kept.
    masks: Vec<Vec<bool>>,
    /// By trade: its bars, as key and places, without room; none when it has none.
    spans: Vec<Option<(usize, usize, usize)>>,
    /// By trade, its size, for the order.
    sizes: Vec<u64>,
    drawn: Vec<bool>,
    told: Vec<bool>,
}

impl<'a> Plan<'a> {
    fn new(
        keys: &'a [Key],
        all: &'a BTreeMap<Key, Vec<Bar>>,
        trades: &[&Trade],
        reasons: &[[Option<Vec<u32>>; REASONS_MAX]],
        causes: &Causes<'_>,
    ) -> Self {
        let bars: Vec<&[Bar]> = keys.iter().map(|key| all[key].as_slice()).collect();
        let span = |(trade, reasons): (&&Trade, &[Option<Vec<u32>>; REASONS_MAX])| {
            let nth = keys.iter().position(|key| key.0 == trade.instrument)?;
            let (timeframe, bars) = (keys[nth].1, bars[nth]);
            let (opened, closed) = (place_of(bars, trade.opened)?, place_of(bars, trade.closed)?);
            // Sweep, shift and zone belong on the picture, if they are not too far away.
            let mut from = opened;
            for place in reasons[..3].iter().flatten().filter_map(|chain| chain.first()) {
                let (ts, it) = causes.at(*place);
                if it.timeframe == timeframe {
                    let back = (it.known_bar - it.bar.min(it.known_bar)) as usize + 1;
                    let formed = place_of(bars, *ts).map_or(opened, |known| known.saturating_sub(back));
                    from = from.min(formed.max(opened.saturating_sub(REACH_MAX)));
                }
            }
            Some((nth, from, closed))
        };
        Self {
            keys,
            masks: bars.iter().map(|bars| vec![false; bars.len()]).collect(),
            spans: trades.iter().zip(reasons).map(span).collect(),
            sizes: trades.iter().map(|trade| trade.net.0.unsigned_abs()).collect(),
            drawn: vec![false; trades.len()],
            told: vec![false; trades.len()],
            bars,
        }
    }

    fn count(&self) -> usize {
        self.bars.iter().map(|bars| bars.len()).sum()
    }

    fn fill(&mut self) {
        let order = self.order();
        for nth in order.iter().take(DRAWN_MAX) {
            self.told[*nth] = true;
        }
        if self.count() <= BARS_MAX {
            self.masks.iter_mut().for_each(|mask| mask.fill(true));
            for nth in order.into_iter().take(DRAWN_MAX) {
                self.drawn[nth] = self.spans[nth].is_some();
            }
            return;
        }
        for (nth, room) in ROOMS.into_iter().enumerate() {
            self.masks.iter_mut().for_each(|mask| mask.fill(false));
            self.drawn.fill(false);
            if self.draw(&order, room) || nth + 1 == ROOMS.len() {
                break;
            }
        }
        // Without a single trade that could be drawn, the newest bars of each.
        if !self.drawn.contains(&true) {
            let share = BARS_MAX / self.keys.len().max(1);
            for mask in &mut self.masks {
                let from = mask.len().saturating_sub(share);
                mask[from..].fill(true);
            }
        }
    }

    /// Takes trades in order while their bars fit; false when one did not.
    fn draw(&mut self, order: &[usize], (before, after): (usize, usize)) -> bool {
        let (mut left, mut fits) = (BARS_MAX, true);
        for nth in order.iter().take(DRAWN_MAX).copied() {
            let Some((key, from, until)) = self.spans[nth] else { continue };
            let mask = &mut self.masks[key];
            let span = from.saturating_sub(before)..(until + after + 1).min(mask.len());
            let more = mask[span.clone()].iter().filter(|kept| !**kept).count();
            if more > left {
                fits = false;
                continue;
            }
            left -= more;
            mask[span].fill(true);
            self.drawn[nth] = true;
        }
        fits
    }

    /// The largest gains and losses first, the others spread evenly over the run: by their places with bits reversed.
    fn order(&self) -> Vec<usize> {
        let mut order: Vec<usize> = (0..self.sizes.len()).collect();
        order.sort_by_key(|nth| (std::cmp::Reverse(self.sizes[*nth]), *nth));
        let largest = order.len().min(LARGEST);
        let bits = usize::BITS - order.len().leading_zeros();
        order[largest..].sort_by_key(|nth| (nth.reverse_bits() >> (usize::BITS - bits.max(1)), *nth));
        order
    }
}

/// The bar that a moment lies in: the last that opened at or before it.
fn place_of(bars: &[Bar], ts: TsNs) -> Option<usize> {
    bars.partition_point(|bar| bar.open_ts <= ts).checked_sub(1)
}

/// Structures on their way to the page, each once.
struct Things<'a, 'b> {
    charts: &'b mut Charts,
    /// Place in the record to place on the page.
    places: BTreeMap<u32, usize>,
    causes: &'b Causes<'a>,
    bars: &'b BTreeMap<Key, Vec<Bar>>,
    meta: &'b Meta,
}

impl Things<'_, '_> {
    fn place(&mut self, told: u32) -> usize {
        if let Some(place) = self.places.get(&told) {
            return *place;
        }
        let place = self.charts.things.len();
        let thing = self.thing(told);
        self.charts.things.push(thing);
        self.places.insert(told, place);
        place
    }

    fn thing(&self, told: u32) -> Thing {
        let (ts, it) = *self.causes.at(told);
        let formed = self.formed(ts, &it);
        let shape = shape(&it);
        let is_over = matches!(shape, Shape::Zone | Shape::Level | Shape::Span);
        let ended = self.causes.ended(it.id).filter(|ended| is_over && *ended > ts);
        let level = pool_level(&it);
        let is_pool = matches!(
            it.kind,
            StructureKind::PoolFormed
                | StructureKind::PoolExtended
                | StructureKind::PoolSwept
                | StructureKind::PoolRun
        );
        let known = minute(ts);
        let scope = if it.scope == smc_core::output::Scope::Internal { " internal" } else { "" };
        Thing {
            shape,
            is_gap: matches!(it.kind, StructureKind::FvgCreated | StructureKind::FvgJoined),
            is_up: it.direction == Direction::Up,
            instrument: it.instrument,
            times: [formed.0, ts.0, ended.map_or(0, |ended| ended.0)],
            edges: if is_pool { [level, level] } else { [it.top, it.bottom] },
            label: short(&it),
            words: format!("{} ({}{scope}, known {known})", sentence(&said(&it, self.meta)), it.timeframe),
        }
    }

    /// When the bar that a structure talks about opened: counted back in the bars of its timeframe, or by the clock where
    /// there are none.
    fn formed(&self, ts: TsNs, it: &Structure) -> TsNs {
        let back = it.known_bar.saturating_sub(it.bar) as usize;
        let bars = self.bars.get(&(it.instrument, it.timeframe)).map_or(&[][..], Vec::as_slice);
        // What is told at a moment is about the last bar that was over by then, however late it was closed.
        let over = bars.partition_point(|bar| bar.open_ts.0.saturating_add(it.timeframe.nanos()) <= ts.0);
        let known = over.checked_sub(1).filter(|known| *known >= back);
        match known {
            Some(known) => bars[known - back].open_ts,
            None => TsNs(ts.0.saturating_sub((back as u64 + 1) * it.timeframe.nanos())),
        }
    }
}

/// With a capital letter.
fn sentence(words: &str) -> String {
    let mut chars = words.chars();
    chars.next().map_or_else(String::new, |first| first.to_uppercase().chain(chars).collect())
}

const fn shape(it: &Structure) -> Shape {
    use StructureKind as K;
    match it.kind {
        K::FvgCreated | K::FvgJoined | K::ObCreated => Shape::Zone,
        kind if kind.is_break() => Shape::Break,
        kind if is_sweep(kind) => Shape::Sweep,
        K::PoolFormed
        | K::PoolExtended
        | K::PivotConfirmed
        | K::SwingStarted
        | K::SwingExtended
        | K::SwingLocked
        | K::PeriodLevelBroken => Shape::Level,
        K::PeriodRolled => Shape::Pair,
        K::SessionOpened => Shape::Span,
        _ => Shape::Words,
    }
}
