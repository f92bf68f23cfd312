//! History as the exchange saw it, in order.

use smc_core::event::{Bar, Event, EventBody};
use smc_core::instrument::InstrumentSpec;
use smc_core::words::{InstrumentId, Price, Timeframe, TsNs};
use smc_metrics::Random;
use std::fmt;

/// What happened in the markets of a configuration.
#[derive(Clone, Debug, Default)]
pub struct Market {
    /// Rules of each instrument, in the order of the configuration.
    pub instruments: Vec<InstrumentSpec>,
    /// Trades, quotes, book updates, bars, feed states, marks, in the order in which the exchange told them. The exchange's
    /// time is `ts_event`, of bars their close; where `ts_recv` is later, that is when it was heard.
    pub events: Vec<Event>,
    /// Bars of the past, told before the first price: structure as if it had been watched. Nothing is traded in them.
    pub warm_up: Vec<Event>,
}

/// What is known of an instrument's prices.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Detail {
    /// Nothing.
    Nothing,
    /// Bars of this length: the way inside of one is not known.
    Bars(Timeframe),
    /// Trades alone.
    Trades,
    /// Best prices, with trades or without.
    Quotes,
    /// The book.
    Book,
}

/// Why a market cannot be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MarketError {
    /// An event of an instrument that the market does not have.
    Stranger(InstrumentId),
    /// An event whose time lies before that of the one before it; its place.
    OutOfOrder(usize),
    /// Bars of several lengths of one instrument.
    SeveralBars(InstrumentId),
    /// Bars beside prices of one instrument: it would trade twice.
    BarsAndPrices(InstrumentId),
    /// Nothing of an instrument.
    Nothing(InstrumentId),
}

impl fmt::Display for MarketError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Stranger(id) => write!(f, "an event of instrument {}, which is not configured", id.0),
            Self::OutOfOrder(at) => write!(f, "event {at} lies before the one before it"),
            Self::SeveralBars(id) => {
                write!(f, "instrument {}: bars of several lengths; give the shortest alone", id.0)
            }
            Self::BarsAndPrices(id) => write!(f, "instrument {}: bars and prices; give one of them", id.0),
            Self::Nothing(id) => write!(f, "instrument {}: no data", id.0),
        }
    }
}

impl std::error::Error for MarketError {}

impl Market {
    /// What is known of each instrument; refused when the events do not fit together.
    pub fn details(&self) -> Result<Vec<Detail>, MarketError> {
        let mut details = vec![Detail::Nothing; self.instruments.len()];
        let mut last = TsNs(0);
        for (at, event) in self.events.iter().enumerate() {
            if event.ts_event < last {
                return Err(MarketError::OutOfOrder(at));
            }
            last = event.ts_event;
            let id = event.instrument;
            let found = match event.body {
                EventBody::Bar(timeframe, _) => Detail::Bars(timeframe),
                EventBody::Trade(_) => Detail::Trades,
                EventBody::Quote(_) => Detail::Quotes,
                EventBody::Book(_) => Detail::Book,
                _ => continue,
            };
            let detail = details.get_mut(id.index()).ok_or(MarketError::Stranger(id))?;
            *detail = match (*detail, found) {
                (Detail::Nothing, found) => found,
                (Detail::Bars(a), Detail::Bars(b)) if a != b => return Err(MarketError::SeveralBars(id)),
                (Detail::Bars(_), Detail::Bars(_)) => *detail,
                (Detail::Bars(_), _) | (_, Detail::Bars(_)) => return Err(MarketError::BarsAndPrices(id)),
                (Detail::Book, _) | (_, Detail::Book) => Detail::Book,
                (Detail::Quotes, _) | (_, Detail::Quotes) => Detail::Quotes,
                _ => Detail::Trades,
            };
        }
        match details.iter().position(|detail| *detail == Detail::Nothing) {
            Some(at) => Err(MarketError::Nothing(InstrumentId(at as u16))),
            None => Ok(details),
        }
    }

    /// From the first event to the last.
    pub fn span(&self) -> Option<(TsNs, TsNs)> {
        Some((self.events.first()?.ts_event, self.events.last()?.ts_event))
    }

    /// The events of a span: from the first moment to before the second.
    #[must_use]
    pub fn between(&self, from: TsNs, to: TsNs) -> Self {
        let first = self.events.partition_point(|event| event.ts_event < from);
        let end = self.events.partition_point(|event| event.ts_event < to);
        let events = self.events.get(first..end.max(first)).unwrap_or_default().to_vec();
        Self { instruments: self.instruments.clone(), events, warm_up: self.warm_up.clone() }
    }

    /// A market of bars: one series an instrument.
    pub fn of_bars<B>(instruments: Vec<InstrumentSpec>, timeframe: Timeframe, series: Vec<B>) -> Self
    where
        B: IntoIterator<Item = Bar, IntoIter: ExactSizeIterator>,
    {
        Self::of_bars_in(Vec::new(), instruments, timeframe, series)
    }

    /// The same in the memory of events that are not needed any more: a year of minutes takes 80 MB, and thousands of them are
    /// made one after the other in a permutation test.
    pub fn of_bars_in<B>(
        mut events: Vec<Event>,
        instruments: Vec<InstrumentSpec>,
        timeframe: Timeframe,
        series: Vec<B>,
    ) -> Self
    where
        B: IntoIterator<Item = Bar, IntoIter: ExactSizeIterator>,
    {
        let series: Vec<B::IntoIter> = series.into_iter().map(IntoIterator::into_iter).collect();
        let count = series.len();
        events.clear();
        events.reserve(series.iter().map(ExactSizeIterator::len).sum());
        for (id, bars) in (0u16..).map(InstrumentId).zip(series) {
            events.extend(bars.map(|bar| {
                let close = TsNs(bar.open_ts.0.saturating_add(timeframe.nanos()));
                let body = EventBody::Bar(timeframe, bar);
                Event { seq: 0, ts_event: close, ts_recv: close, instrument: id, body }
            }));
        }
        if count > 1 {
            // Of one instant in the order of the instruments: a stable sort of what was laid out so.
            events.sort_by_key(|event| event.ts_event);
        }
        Self { instruments, events, warm_up: Vec::new() }
    }

    /// The same with every price moved by up to so many ticks either way, drawn with a seed: for tests of how much a result
    /// hangs on a hair. What makes a bar a bar, and a quote a quote, still holds; books stay as they are.
    #[must_use]
    pub fn jittered(&self, ticks: u32, seed: u64) -> Self {
        let (mut random, reach) = (Random::new(seed), i64::from(ticks));
        let mut moved = |price: Price, tick: Price| {
            let by = random.below(2 * ticks as usize + 1) as i64 - reach;
            Price((price.0 + by * tick.0).max(tick.0))
        };
        let mut market = self.clone();
        for event in &mut market.events {
            let Some(tick) = self.instruments.get(event.instrument.index()).map(|spec| spec.tick) else {
                continue;
            };
            match &mut event.body {
                EventBody::Trade(trade) => trade.price = moved(trade.price, tick),
                EventBody::Quote(quote) => {
                    let spread = quote.ask.0 - quote.bid.0;
                    quote.bid = moved(quote.bid, tick);
                    quote.ask = Price(quote.bid.0 + spread);
                }
                EventBody::Bar(_, bar) => {
                    let [open, close] = [bar.open, bar.close].map(|price| moved(price, tick));
                    (bar.open, bar.close) = (open, close);
                    bar.high = moved(bar.high, tick).max(open).max(close);
                    bar.low = moved(bar.low, tick).min(open).min(close);
                }
                _ => {}
            }
        }
        market
    }

    /// The bars of an instrument.
    pub fn bars(&self, instrument: InstrumentId) -> impl Iterator<Item = &Bar> {
        self.events.iter().filter(move |event| event.instrument == instrument).filter_map(
            |event| match &event.body {
                EventBody::Bar(_, bar) => Some(bar),
                _ => None,
            },
        )
    }
}
