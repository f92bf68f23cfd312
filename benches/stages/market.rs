//! What prices become inside the engine: book, bars, market structure, a strategy's look at it.

use super::{Named, Stage, Turn};
use crate::{BTC, Random, SEED, START, calendar, walk};
use smc_core::bars::BarSet;
use smc_core::book::{Book, LADDER_LEVELS_MAX};
use smc_core::calendar::Calendar;
use smc_core::event::{Bar, BookUpdate, FeedState, Level, Quote};
use smc_core::output::Structure;
use smc_core::smc::{IdSource, SmcEngine, SmcParams};
use smc_core::strategy::{Confluence, ConfluenceParams, Intents, MarketView, Strategy};
use smc_core::words::{Price, Qty, SCALE, Side, Timeframe, TsNs};
use std::hint::black_box;

pub const STAGES: &[Named] = &[
    ("book/quote", quote),
    ("book/update of four levels", update),
    ("bars/trade that closes none, 4 timeframes", trade),
    ("smc/bar, 1 timeframe", || one_timeframe(&SmcParams::default(), &Calendar::default())),
    ("smc/bar with everything, 1 timeframe", || one_timeframe(&SmcParams::everything(), &calendar())),
    ("smc/trade that closes bars, 4 timeframes", || Box::new(Closing::new())),
    ("strategy/closed bars, 4 timeframes", || Box::new(Looking::new())),
];

const SECOND_NS: u64 = 1_000_000_000;
const CENT: i64 = SCALE / 100;
const MID: i64 = 60_000 * SCALE;
/// Bars or seconds that a structure has seen before anybody measures.
const HISTORY: u64 = 4_000;

fn timeframes() -> Vec<Timeframe> {
    ["1s", "5s", "15s", "1m"].map(|text| Timeframe::parse(text).expect("a timeframe")).to_vec()
}

/// A live book with all its levels, a cent apart.
fn full_book() -> Book {
    let mut book = Book::new();
    book.on_feed(FeedState::Live, START);
    for side in [Side::Buy, Side::Sell] {
        for nth in 0..LADDER_LEVELS_MAX as i64 {
            let price = Price(MID - side.sign() * (nth + 1) * CENT);
            let levels =
                [Level { price, qty: Qty(SCALE) }, Level::default(), Level::default(), Level::default()];
            let is_snapshot_start = side == Side::Buy && nth == 0;
            let is_last = nth + 1 == LADDER_LEVELS_MAX as i64;
            book.on_update(
                &BookUpdate { update_id: 1, is_snapshot_start, is_last, side, len: 1, levels },
                START,
            );
        }
    }
    assert!(book.is_trusted());
    book
}

fn quote() -> Box<dyn Stage> {
    let mut book = full_book();
    let mut random = Random(SEED);
    let quotes = (0..1_024).map(|_| {
        let bid = Price(MID + (random.below(2_001) as i64 - 1_000) * CENT);
        let ask = Price(bid.0 + CENT);
        Quote { bid, bid_qty: Qty(SCALE), ask, ask_qty: Qty(SCALE), update_id: 0 }
    });
    let mut quotes = Turn::new(quotes.collect());
    let mut update_id = 2;
    Box::new(move || {
        update_id += 1;
        let quote = Quote { update_id, ..*quotes.next() };
        book.on_quote(black_box(&quote), START);
        black_box(book.reference());
    })
}

/// Levels near the best price: three of four change, the fourth goes and comes back.
fn update() -> Box<dyn Stage> {
    let mut book = full_book();
    let mut random = Random(SEED);
    let updates = (0..1_024).map(|nth| {
        let side = if nth % 2 == 0 { Side::Buy } else { Side::Sell };
        let levels = std::array::from_fn(|_| {
            let price = Price(MID - side.sign() * (1 + random.below(20) as i64) * CENT);
            Level { price, qty: Qty(random.below(4).min(1) as i64 * SCALE) }
        });
        BookUpdate { update_id: 0, is_snapshot_start: false, is_last: true, side, len: 4, levels }
    });
    let mut updates = Turn::new(updates.collect());
    let mut update_id = 2;
    Box::new(move || {
        update_id += 1;
        let update = BookUpdate { update_id, ..*updates.next() };
        book.on_update(black_box(&update), START);
        black_box(book.reference());
    })
}

fn trade() -> Box<dyn Stage> {
    let mut bars =
        BarSet::new(&["1m", "5m", "15m", "1h"].map(|text| Timeframe::parse(text).expect("a timeframe")));
    let mut nth = 0;
    Box::new(move || {
        nth += 1;
        let (ts, price) = (TsNs(START.0 + nth as u64 % 60_000_000), Price(MID + nth % 1_024));
        assert!(!bars.on_trade(black_box(ts), black_box(price), Qty(SCALE)));
    })
}

/// One closed bar of a walk; after the last one the walk begins again at a later time.
fn one_timeframe(params: &SmcParams, calendar: &Calendar) -> Box<dyn Stage> {
    const QUARTER_NS: u64 = 900 * SECOND_NS;
    let timeframe = Timeframe::parse("15m").expect("a timeframe");
    let mut smc = SmcEngine::with_calendar(BTC, timeframe, params, calendar);
    let mut bars = Turn::new(walk(2 * HISTORY as usize));
    let (mut ids, mut nth, mut said) = (IdSource::new(), 0, 0u64);
    let mut step = move || {
        let bar = Bar { open_ts: TsNs(START.0 + nth * QUARTER_NS), ..*bars.next() };
        nth += 1;
        smc.on_bar(black_box(&bar), &mut ids, &mut |structure| {
            said += 1;
            black_box(structure);
        });
        said
    };
    let said = (0..HISTORY).map(|_| step()).last().unwrap_or(0);
    assert!(said > HISTORY / 10, "{said} structures in {HISTORY} bars");
    Box::new(move || _ = step())
}

/// One trade a second, each of which closes a bar of a second and with it, as time goes, one of 5, 15 and 60 seconds.
struct Market {
    bars: BarSet,
    smc: Vec<SmcEngine>,
    ids: IdSource,
    random: Random,
    price: i64,
    ts: TsNs,
}

impl Market {
    fn new() -> Self {
        let params = SmcParams::default();
        let smc = |timeframe| SmcEngine::with_calendar(BTC, timeframe, &params, &Calendar::default());
        Self {
            bars: BarSet::new(&timeframes()),
            smc: timeframes().into_iter().map(smc).collect(),
            ids: IdSource::new(),
            random: Random(SEED),
            price: MID,
            ts: START,
        }
    }

    /// The next second's price.
    fn next(&mut self) -> (TsNs, Price) {
        self.ts = TsNs(self.ts.0 + SECOND_NS);
        self.price = (self.price + (self.random.below(2_001) as i64 - 1_000) * CENT).max(MID / 2);
        (self.ts, Price(self.price))
    }
}

/// Runs a stage before anybody measures it.
fn aged<S: Stage>(mut stage: S) -> S {
    for _ in 0..HISTORY {
        stage.prepare();
        stage.step();
    }
    stage
}

/// Trades that close bars: the bars, then their structure, shortest timeframe first.
struct Closing {
    market: Market,
    next: (TsNs, Price),
    said: u64,
}

impl Closing {
    fn new() -> Self {
        let closing = aged(Self { market: Market::new(), next: (START, Price(MID)), said: 0 });
        let said = closing.said;
        assert!(said > HISTORY / 4, "{said} structures in {HISTORY} seconds");
        closing
    }
}

impl Stage for Closing {
    #[inline]
    fn batch(&self) -> u64 {
        1
    }

    fn prepare(&mut self) {
        self.next = self.market.next();
    }

    #[inline]
    fn step(&mut self) {
        let (ts, price) = self.next;
        if !self.market.bars.on_trade(ts, price, Qty(SCALE)) {
            return;
        }
        for (slot, smc) in self.market.smc.iter_mut().enumerate() {
            if let Some(bar) = self.market.bars.closed(slot) {
                smc.on_bar(&bar, &mut self.market.ids, &mut |structure| {
                    self.said += 1;
                    black_box(structure);
                });
            }
        }
    }
}

/// The strategy's part of them: it is told each structure and bar, and looks.
struct Looking {
    market: Market,
    strategy: Confluence,
    timeframes: Vec<Timeframe>,
    book: Book,
    now: TsNs,
    /// What closed, by timeframe: the bar, and what was said at it.
    closed: Vec<(Option<Bar>, Vec<Structure>)>,
    intents: u64,
}

impl Looking {
    fn new() -> Self {
        let (market, timeframes, book) = (Market::new(), timeframes(), full_book());
        // One that finds something now and then, so that it has to look to the end.
        let params =
            ConfluenceParams { entry_timeframes: 4, cooldown_bars: 0, ..ConfluenceParams::default() };
        let strategy = Confluence::new(params, 1, &timeframes);
        let closed = timeframes.iter().map(|_| (None, Vec::with_capacity(256))).collect();
        let looking = Self { market, strategy, timeframes, book, now: START, closed, intents: 0 };
        let looking = aged(looking);
        assert!(looking.intents > 0, "it never wanted anything");
        looking
    }
}

impl Stage for Looking {
    #[inline]
    fn batch(&self) -> u64 {
        1
    }

    fn prepare(&mut self) {
        for (bar, structures) in &mut self.closed {
            *bar = None;
            structures.clear();
        }
        let (ts, price) = self.market.next();
        self.now = ts;
        if !self.market.bars.on_trade(ts, price, Qty(SCALE)) {
            return;
        }
        for (slot, (bar, structures)) in self.closed.iter_mut().enumerate() {
            *bar = self.market.bars.closed(slot);
            if let (Some(bar), Some(smc)) = (bar, self.market.smc.get_mut(slot)) {
                smc.on_bar(bar, &mut self.market.ids, &mut |structure| structures.push(structure));
            }
        }
    }

    #[inline]
    fn step(&mut self) {
        let view = MarketView {
            now: self.now,
            instrument: BTC,
            spec: None,
            book: &self.book,
            position: Qty::ZERO,
            is_engaged: false,
            timeframes: &self.timeframes,
            smc: &self.market.smc,
        };
        for (&timeframe, (bar, structures)) in self.timeframes.iter().zip(&self.closed) {
            let Some(bar) = bar else { continue };
            let mut intents = Intents::default();
            for structure in structures {
                self.strategy.on_structure(&view, black_box(structure), &mut intents);
            }
            self.strategy.on_bar(&view, timeframe, bar, &mut intents);
            self.intents += black_box(&intents).iter().count() as u64;
        }
    }
}
