//! The pure half of the feed: lines and answers in, events out.
//!
//! Knows no socket. Says of each instrument whether its data can be trusted, and whether its market is open. Runs on the
//! feed's thread for every line and does not allocate there. Time is an argument.
//!
//! A price of a closed market is no quote, for nobody can trade on it; it values what is held, and so is told as a mark until
//! the market opens again, if anything is held here.

use smc_core::event::{AssetRate, Event, EventBody, FeedState, MarkPrice, Quote};
use smc_core::instrument::{InstrumentSpec, TradingStatus};
use smc_core::words::{InstrumentId, Name, Price, Qty, TsNs};

use super::decode::Decoder;
use super::message::{DecodeError, Decoded, Tick};
use super::pricing::{Pricing, pricing};
use super::settings::{FeedCounters, FeedSettings, Silence};
use super::spec::instrument_spec;

/// All instruments of one feed.
pub struct Market {
    decoder: Decoder,
    instruments: Vec<Instrument>,
    rates: Vec<AssetRate>,
    silence: Silence,
    tells_rules: bool,
    is_open: bool,
    counters: FeedCounters,
    last_refusal: Option<DecodeError>,
}

struct Instrument {
    id: InstrumentId,
    symbol: Name,
    state: Option<FeedState>,
    /// The venue's rules, with the status said last.
    spec: Option<InstrumentSpec>,
    /// None until a price of this connection has told it.
    is_tradeable: Option<bool>,
    /// The venue's time of the last price of this connection.
    priced: TsNs,
    /// When the stream last brought a price that was not of the past.
    heard: TsNs,
    /// The price of a closed market was told, by us or perhaps by a process before us.
    is_marked: bool,
}

impl Market {
    /// Takes all memory it will use on the hot path.
    pub fn new(settings: &FeedSettings, instruments: &[(InstrumentId, Name)]) -> Self {
        let places: Vec<_> =
            (0u16..).zip(instruments).map(|(at, &(_, name))| (InstrumentId(at), name)).collect();
        let instruments = instruments.iter().map(|&(id, symbol)| Instrument {
            id,
            symbol,
            state: None,
            spec: None,
            is_tradeable: None,
            priced: TsNs(0),
            heard: TsNs(0),
            is_marked: settings.tells_rules,
        });
        Self {
            decoder: Decoder::new(&places),
            instruments: instruments.collect(),
            rates: Vec::new(),
            silence: settings.silence,
            tells_rules: settings.tells_rules,
            is_open: false,
            counters: FeedCounters::default(),
            last_refusal: None,
        }
    }

    /// Takes one line of the stream.
    #[inline]
    pub fn on_line<E: FnMut(Event)>(&mut self, line: &mut [u8], now: TsNs, emit: &mut E) {
        self.counters.messages += 1;
        match self.decoder.decode(line) {
            Ok(Decoded::Price(tick)) => self.on_tick(&tick, true, now, emit),
            Ok(Decoded::Heartbeat { .. }) => {}
            Err(error) => self.refuse(error),
        }
    }

    /// Takes the answer to the question for prices. Whether it was one.
    pub fn on_pricing<E: FnMut(Event)>(&mut self, body: &mut [u8], now: TsNs, emit: &mut E) -> bool {
        let instruments = &self.instruments;
        let place = |symbol: &str| {
            let at = instruments.iter().position(|instrument| instrument.symbol.as_str() == symbol)?;
            u16::try_from(at).ok().map(InstrumentId)
        };
        match pricing(body, place) {
            Ok(Pricing { ticks, rates, .. }) => {
                // Worth nothing without a stream that would take it back.
                if self.is_open {
                    ticks.iter().for_each(|tick| self.on_tick(tick, false, now, emit));
                }
                rates.into_iter().for_each(|rate| self.on_rate(rate, now, emit));
                true
            }
            Err(error) => {
                self.refuse(error);
                false
            }
        }
    }

    /// Takes the answer to the question for rules. Whether every instrument has its own now.
    pub fn on_rules<E: FnMut(Event)>(&mut self, body: &[u8], now: TsNs, emit: &mut E) -> bool {
        let mut is_whole = true;
        for at in 0..self.instruments.len() {
            let Some(instrument) = self.instruments.get_mut(at) else { break };
            // Parsing undoes escapes in place: each has a copy of its own.
            match instrument_spec(&mut body.to_vec(), instrument.symbol.as_str()) {
                Ok(spec) => instrument.on_rules(spec, self.tells_rules, now, emit),
                Err(_) => {
                    is_whole = false;
                    self.counters.refused += 1;
                }
            }
        }
        is_whole
    }

    /// The stream is gone, or not there yet.
    pub fn on_down<E: FnMut(Event)>(&mut self, now: TsNs, emit: &mut E) {
        self.is_open = false;
        for instrument in &mut self.instruments {
            // Another stream may show other prices; what this one said last is no measure for it.
            (instrument.priced, instrument.is_tradeable) = (TsNs(0), None);
        }
        self.settle_all(now, emit);
    }

    /// The venue answers: prices may come.
    pub fn on_open<E: FnMut(Event)>(&mut self, now: TsNs, emit: &mut E) {
        self.is_open = true;
        self.counters.resyncs += 1;
        self.instruments.iter_mut().for_each(|instrument| instrument.heard = now);
        self.settle_all(now, emit);
    }

    /// Looks for silent instruments. True when the prices of every open market, or those that should have come first, have
    /// been missing for so long that another stream should be tried.
    pub fn check_silence<E: FnMut(Event)>(&mut self, now: TsNs, emit: &mut E) -> bool {
        self.settle_all(now, emit);
        let limit = self.silence.prices_ns;
        let is_closed = |one: &Instrument| one.is_tradeable == Some(false);
        let is_mute = |one: &Instrument| is_closed(one) || now.since(one.heard) > limit;
        limit != 0
            && self.is_open
            && !self.instruments.iter().all(is_closed)
            && self.instruments.iter().all(is_mute)
    }

    /// Whether every instrument is live.
    pub fn is_live(&self) -> bool {
        self.instruments.iter().all(|instrument| instrument.state == Some(FeedState::Live))
    }

    /// What was counted here; connections are counted by the feed.
    pub fn counters(&self) -> FeedCounters {
        FeedCounters { tape_uses: self.decoder.tape_uses(), ..self.counters }
    }

    /// Why the last refused line was refused.
    pub const fn last_refusal(&self) -> Option<DecodeError> {
        self.last_refusal
    }

    fn refuse(&mut self, error: DecodeError) {
        self.counters.refused += 1;
        self.last_refusal = Some(error);
    }

    #[inline]
    fn on_tick<E: FnMut(Event)>(&mut self, tick: &Tick, is_streamed: bool, now: TsNs, emit: &mut E) {
        let Some(instrument) = self.instruments.get_mut(tick.symbol.index()) else { return };
        let is_first = instrument.is_tradeable.is_none();
        // What only speaks of the past is silent, or one wrong stamp could keep an instrument still and fresh.
        if is_streamed && tick.ts >= instrument.priced {
            instrument.heard = now;
        }
        if tick.ts < instrument.priced || tick.ts == instrument.priced && !is_first {
            self.counters.old += 1;
            return;
        }
        instrument.priced = tick.ts;
        if instrument.is_tradeable != Some(tick.is_tradeable) {
            instrument.is_tradeable = Some(tick.is_tradeable);
            instrument.tell_status(self.tells_rules, now, emit);
        }
        if is_first || instrument.state != Some(FeedState::Live) {
            self.settle(tick.symbol.index(), now, emit);
        }
        let Some(instrument) = self.instruments.get_mut(tick.symbol.index()) else { return };
        if !instrument.show(tick, self.tells_rules, now, emit) {
            self.counters.refused += 1;
        }
    }

    fn on_rate<E: FnMut(Event)>(&mut self, rate: AssetRate, now: TsNs, emit: &mut E) {
        // In the currency of an account that nothing is traded on.
        if !self.tells_rules {
            return;
        }
        match self.rates.iter_mut().find(|known| known.asset == rate.asset) {
            Some(known) if *known == rate => return,
            Some(known) => *known = rate,
            None => self.rates.push(rate),
        }
        emit(event(InstrumentId::NONE, now, now, EventBody::Rate(rate)));
    }

    fn settle_all<E: FnMut(Event)>(&mut self, now: TsNs, emit: &mut E) {
        for at in 0..self.instruments.len() {
            self.settle(at, now, emit);
        }
    }

    /// Works out the instrument's state and tells it when it has changed.
    fn settle<E: FnMut(Event)>(&mut self, at: usize, now: TsNs, emit: &mut E) {
        let limit = self.silence.price_ns;
        let Some(instrument) = self.instruments.get_mut(at) else { return };
        let is_silent = limit != 0 && now.since(instrument.heard) > limit;
        let state = match instrument.is_tradeable {
            _ if !self.is_open => FeedState::Down,
            None => FeedState::Syncing,
            Some(true) if is_silent => FeedState::Stale,
            // A closed market is told by its status; where none is told, its data must not be trusted.
            Some(false) if !self.tells_rules => FeedState::Stale,
            Some(_) => FeedState::Live,
        };
        if instrument.state != Some(state) {
            self.counters.stale += u64::from(state == FeedState::Stale);
            instrument.state = Some(state);
            emit(event(instrument.id, now, now, EventBody::Feed(state)));
        }
    }
}

impl Instrument {
    /// Tells a price; false when it is none that could be.
    #[inline]
    fn show<E: FnMut(Event)>(&mut self, tick: &Tick, tells_marks: bool, now: TsNs, emit: &mut E) -> bool {
        if !tick.is_tradeable {
            let (bid, ask) = (tick.closeout_bid, tick.closeout_ask);
            let is_sound = Price::ZERO < bid && bid <= ask;
            if is_sound && tells_marks {
                self.is_marked = true;
                let price = Price(bid.0 + (ask.0 - bid.0) / 2);
                emit(event(self.id, tick.ts, now, EventBody::Mark(MarkPrice { price })));
            }
            return is_sound;
        }
        let (Some(bid), Some(ask)) = (tick.bid, tick.ask) else { return false };
        if ask.price <= bid.price || bid.qty <= Qty::ZERO || ask.qty <= Qty::ZERO {
            return false;
        }
        if std::mem::take(&mut self.is_marked) {
            emit(event(self.id, tick.ts, now, EventBody::Mark(MarkPrice { price: Price::ZERO })));
        }
        // The venue numbers nothing; its time only rises within a connection, which is what a number is for.
        let quote = Quote {
            bid: bid.price,
            bid_qty: bid.qty,
            ask: ask.price,
            ask_qty: ask.qty,
            update_id: tick.ts.0,
        };
        emit(event(self.id, tick.ts, now, EventBody::Quote(quote)));
        true
    }

    fn on_rules<E: FnMut(Event)>(&mut self, rules: InstrumentSpec, is_told: bool, now: TsNs, emit: &mut E) {
        let status = self.spec.map_or(TradingStatus::Unknown, |spec| spec.status);
        let is_new = self.spec != Some(InstrumentSpec { status, ..rules });
        self.spec = Some(InstrumentSpec { status, ..rules });
        if is_new && !self.tell_status(is_told, now, emit) && is_told && self.is_tradeable.is_some() {
            self.tell(now, emit);
        }
    }

    /// Tells the rules when the status that the prices say is another than was told. Whether it did.
    #[cold]
    fn tell_status<E: FnMut(Event)>(&mut self, is_told: bool, now: TsNs, emit: &mut E) -> bool {
        let (Some(spec), Some(is_tradeable)) = (&mut self.spec, self.is_tradeable) else { return false };
        let status = if is_tradeable { TradingStatus::Trading } else { TradingStatus::Halted };
        let is_other = spec.status != status;
        spec.status = status;
        if is_other && is_told {
            self.tell(now, emit);
        }
        is_other
    }

    fn tell<E: FnMut(Event)>(&self, now: TsNs, emit: &mut E) {
        if let Some(spec) = self.spec {
            emit(event(self.id, now, now, EventBody::Instrument(spec)));
        }
    }
}

#[inline]
fn event(instrument: InstrumentId, ts_event: TsNs, ts_recv: TsNs, body: EventBody) -> Event {
    Event { seq: 0, ts_event, ts_recv, instrument, body }
}
