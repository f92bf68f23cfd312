//! One engine, several venues: their feeds as one feed, their gateways as one gateway.
//!
//! What a venue says without naming an instrument is about its own account; with several venues it is told of an instrument
//! of that venue, by which the core knows whose it is. With one venue nothing is changed.

use crate::venue::{MarketFeed, OrderGateway, Unlinked};
use smc_core::engine::Engine;
use smc_core::event::{Event, EventBody, KeyScope};
use smc_core::orders::Order;
use smc_core::output::{CancelOrder, OrderKind, ReplaceOrder, TimeInForce};
use smc_core::risk::ApprovedOrder;
use smc_core::strategy::Strategy;
use smc_core::words::{ClientOrderId, InstrumentId, Price, Qty, TsNs};
use smc_feeds::binance_spot::{BinanceSpotFeed, BinanceSpotSbeFeed};
use smc_feeds::binance_usdm::BinanceUsdmFeed;
use smc_feeds::bybit::BybitFeed;
use smc_feeds::oanda::OandaFeed;
use smc_gateway::binance_spot::{BinanceSpotGateway, GatewayFatal};
use smc_gateway::binance_usdm::BinanceUsdmGateway;
use smc_gateway::bybit::BybitGateway;
use smc_gateway::oanda::{OandaGateway, Recalled};

/// A feed of any venue.
pub enum AnyFeed {
    /// Binance spot.
    BinanceSpot(Box<BinanceSpotFeed>),
    /// Binance spot by its binary streams.
    BinanceSpotSbe(Box<BinanceSpotSbeFeed>),
    /// Binance USD-M futures.
    BinanceUsdm(Box<BinanceUsdmFeed>),
    /// Bybit, spot or linear.
    Bybit(Box<BybitFeed>),
    /// Oanda.
    Oanda(Box<OandaFeed>),
}

/// A gateway of any venue.
pub enum AnyGateway {
    /// Binance spot.
    BinanceSpot(Box<BinanceSpotGateway>),
    /// Binance USD-M futures.
    BinanceUsdm(Box<BinanceUsdmGateway>),
    /// Bybit, spot or linear.
    Bybit(Box<BybitGateway>),
    /// Oanda.
    Oanda(Box<OandaGateway>),
}

/// Says the same of whichever feed it is.
macro_rules! feed {
    ($any:expr, $feed:ident => $what:expr) => {
        match $any {
            AnyFeed::BinanceSpot($feed) => $what,
            AnyFeed::BinanceSpotSbe($feed) => $what,
            AnyFeed::BinanceUsdm($feed) => $what,
            AnyFeed::Bybit($feed) => $what,
            AnyFeed::Oanda($feed) => $what,
        }
    };
}

/// Says the same of whichever gateway it is.
macro_rules! gateway {
    ($any:expr, $gateway:ident => $what:expr) => {
        match $any {
            AnyGateway::BinanceSpot($gateway) => $what,
            AnyGateway::BinanceUsdm($gateway) => $what,
            AnyGateway::Bybit($gateway) => $what,
            AnyGateway::Oanda($gateway) => $what,
        }
    };
}

/// All feeds of an engine.
pub struct Feeds {
    venues: Vec<(Place, AnyFeed)>,
    /// Of each feed, the number of its venue.
    numbers: Vec<u8>,
    holds: Holds,
}

/// All gateways of an engine; a venue's number is its place here.
pub struct Gateways {
    venues: Vec<(Place, AnyGateway)>,
    /// Of each venue, whether orders could ever be sent, and whether its refusal for good was told since.
    lives: Vec<Life>,
    /// Of each instrument, the venue of its orders.
    venue_of: Vec<u8>,
    holds: Holds,
}

/// How long a venue that a person disconnects is still served: what was withdrawn there is to arrive.
const HANG_UP_AFTER_NS: u64 = 2_000_000_000;

/// Venues that a person wants disconnected, as one side of the engine follows it.
struct Holds {
    wanted: Unlinked,
    /// Since when each is held, and whether its connections have been closed.
    since: Vec<Option<(TsNs, bool)>>,
}

/// What to do with a venue in this turn.
enum Link {
    Turn,
    HangUp,
    Rest,
}

impl Holds {
    fn new(venues: usize) -> Self {
        Self { wanted: Unlinked::default(), since: vec![None; venues] }
    }

    /// Of the venue `number`, which stands at `at` here.
    #[inline]
    fn look(&mut self, at: usize, number: u8, now: TsNs) -> Link {
        if self.wanted.none() { Link::Turn } else { self.look_at_held(at, number, now) }
    }

    #[cold]
    fn look_at_held(&mut self, at: usize, number: u8, now: TsNs) -> Link {
        let Some(slot) = self.since.get_mut(at) else { return Link::Turn };
        if !self.wanted.has(number) {
            *slot = None;
            return Link::Turn;
        }
        let (since, is_closed) = slot.get_or_insert((now, false));
        if std::mem::replace(is_closed, now.since(*since) >= HANG_UP_AFTER_NS) {
            Link::Rest
        } else if *is_closed {
            Link::HangUp
        } else {
            Link::Turn
        }
    }
}

/// What a gateway has come to.
#[derive(Clone, Copy, Debug, Default)]
struct Life {
    was_ready: bool,
    is_lost: bool,
}

/// Whose the words are that name no instrument.
#[derive(Clone, Debug)]
struct Place {
    /// The instruments of the venue, where there are several venues; else none.
    instruments: Vec<InstrumentId>,
}

impl Place {
    /// Tells an event so that the core knows whose it is.
    fn tell(&self, event: Event, emit: &mut impl FnMut(Event)) {
        if event.instrument != InstrumentId::NONE || self.instruments.is_empty() {
            return emit(event);
        }
        match event.body {
            // Of all: that is, of each of ours.
            EventBody::Feed(_) | EventBody::Round(_) | EventBody::Rate(_) => {
                let is_once = matches!(event.body, EventBody::Rate(_));
                let told = if is_once { 1 } else { self.instruments.len() };
                self.instruments
                    .iter()
                    .take(told)
                    .for_each(|&instrument| emit(Event { instrument, ..event }));
            }
            // Of the account.
            _ => self
                .instruments
                .first()
                .into_iter()
                .for_each(|&instrument| emit(Event { instrument, ..event })),
        }
    }
}

/// What the venue that speaks of parts of orders is told of one. An order that was adopted, or that came with an entry, may
/// turn out larger than it is known.
fn recalled(order: &Order) -> Recalled {
    let is_growing = order.is_open() && (order.is_adopted || order.parent != ClientOrderId::NONE);
    Recalled {
        client_order_id: order.client_order_id,
        asked: if is_growing { Qty::ZERO } else { order.qty },
        filled: order.filled_qty,
        is_immediate: order.kind == OrderKind::Market || order.time_in_force != TimeInForce::Gtc,
        has_stop: order.terms.stop_on_fill > Price::ZERO,
        has_target: order.terms.target_on_fill > Price::ZERO,
    }
}

/// Which instruments each venue has; empty lists where there is only one.
fn places(venues: impl Iterator<Item = Vec<InstrumentId>>) -> Vec<Place> {
    let mut places: Vec<Place> = venues.map(|instruments| Place { instruments }).collect();
    if let [only] = places.as_mut_slice() {
        only.instruments.clear();
    }
    places
}

impl Feeds {
    /// Feeds with the instruments whose prices they bring and their venues' numbers.
    pub fn new(venues: Vec<(AnyFeed, Vec<InstrumentId>, u8)>) -> Self {
        let numbers: Vec<u8> = venues.iter().map(|(_, _, number)| *number).collect();
        let (feeds, instruments): (Vec<_>, Vec<_>) =
            venues.into_iter().map(|(feed, instruments, _)| (feed, instruments)).unzip();
        let venues: Vec<_> = places(instruments.into_iter()).into_iter().zip(feeds).collect();
        let holds = Holds::new(venues.len());
        Self { venues, numbers, holds }
    }

    /// Follows which venues a person wants disconnected.
    pub fn follow(&mut self, unlinked: &Unlinked) {
        self.holds.wanted = unlinked.clone();
    }
}

impl Gateways {
    /// Gateways in the order of their venues' numbers. `venue_of`: of each instrument, the venue of its orders.
    pub fn new(gateways: Vec<AnyGateway>, venue_of: Vec<u8>) -> Self {
        let ids = |venue: usize| {
            let ours = venue_of.iter().enumerate().filter(move |&(_, &at)| usize::from(at) == venue);
            ours.map(|(id, _)| InstrumentId(id as u16)).collect()
        };
        let places = places((0..gateways.len()).map(ids));
        let lives = vec![Life::default(); gateways.len()];
        let holds = Holds::new(gateways.len());
        Self { venues: places.into_iter().zip(gateways).collect(), lives, venue_of, holds }
    }

    /// Follows which venues a person wants disconnected.
    pub fn follow(&mut self, unlinked: &Unlinked) {
        self.holds.wanted = unlinked.clone();
    }

    /// Takes over an order that the engine believes to be working; see the gateway's own words. False when there is no
    /// room for it.
    pub fn resolve(&mut self, now: TsNs, instrument: InstrumentId, id: ClientOrderId, filled: Qty) -> bool {
        let Some(any) = self.of(instrument) else { return false };
        gateway!(any, gateway => gateway.resolve(now, instrument, id, filled))
    }

    /// Hands over what a core that was rebuilt knows, before the first turn: the orders that may still work, which are asked
    /// about, and where the venue numbers all that happens to an account, how far that was told. False when there is no room.
    pub fn hand_over<S: Strategy>(&mut self, core: &Engine<S>, now: TsNs) -> bool {
        let mut is_taken = true;
        for order in core.open_orders() {
            is_taken &= self.resolve(now, order.instrument, order.client_order_id, order.filled_qty);
        }
        for order in core.open_orders().chain(core.ended_orders()) {
            if let Some(AnyGateway::Oanda(gateway)) = self.of(order.instrument) {
                gateway.recall(&recalled(order));
            }
        }
        for (venue, (_, any)) in self.venues.iter_mut().enumerate() {
            if let AnyGateway::Oanda(gateway) = any {
                let is_there = |&(_, &at): &(usize, &u8)| usize::from(at) == venue;
                let instruments = self.venue_of.iter().enumerate().filter(is_there);
                let trades = instruments.flat_map(|(id, _)| core.trades_counted(InstrumentId(id as u16)));
                gateway.resume(core.told_to(venue as u8), trades);
            }
        }
        is_taken
    }

    fn of(&mut self, instrument: InstrumentId) -> Option<&mut AnyGateway> {
        let venue = self.venue_of.get(instrument.index())?;
        self.venues.get_mut(usize::from(*venue)).map(|(_, gateway)| gateway)
    }
}

impl MarketFeed for Feeds {
    #[inline]
    fn turn(&mut self, now: TsNs, emit: &mut impl FnMut(Event)) -> u32 {
        let mut handled = 0;
        for (at, ((place, any), number)) in self.venues.iter_mut().zip(&self.numbers).enumerate() {
            let mut emit = |event| place.tell(event, emit);
            match self.holds.look(at, *number, now) {
                Link::Turn => handled += feed!(any, feed => feed.turn(now, &mut emit)),
                Link::HangUp => feed!(any, feed => feed.hang_up(now, &mut emit)),
                Link::Rest => {}
            }
        }
        handled
    }

    fn is_subscribed(&self) -> bool {
        self.venues.iter().all(|(_, any)| feed!(any, feed => feed.is_subscribed()))
    }

    fn bytes(&self) -> (u64, u64) {
        let of = |any: &AnyFeed| feed!(any, feed => (feed.bytes_received(), feed.bytes_sent()));
        sum(self.venues.iter().map(|(_, any)| of(any)))
    }

    fn in_flight(&self) -> u32 {
        self.venues.iter().map(|(_, any)| feed!(any, feed => feed.in_flight())).sum()
    }

    fn tallies(&self) -> [u64; 5] {
        let mut all = [0; 5];
        for (_, any) in &self.venues {
            let counted = feed!(any, feed => {
                let counters = feed.counters();
                [counters.messages, counters.refused, counters.gaps, counters.resyncs, counters.reconnects]
            });
            all.iter_mut().zip(counted).for_each(|(sum, count)| *sum += count);
        }
        all
    }
}

impl OrderGateway for Gateways {
    #[inline]
    fn turn(&mut self, now: TsNs, emit: &mut impl FnMut(Event)) -> u32 {
        let mut handled = 0;
        for (venue, ((place, any), life)) in self.venues.iter_mut().zip(&mut self.lives).enumerate() {
            let mut emit = |event| place.tell(event, emit);
            match self.holds.look(venue, venue as u8, now) {
                Link::Turn => {}
                Link::HangUp => {
                    gateway!(any, gateway => gateway.hang_up(now, &mut emit));
                    continue;
                }
                Link::Rest => continue,
            }
            let fatal = gateway!(any, gateway => {
                handled += gateway.turn(now, &mut emit);
                life.was_ready = life.was_ready || gateway.is_ready();
                gateway.fatal()
            });
            if let Some(reason) = fatal.filter(|_| life.was_ready && !life.is_lost) {
                life.is_lost = true;
                handled += 1;
                emit(loss(venue, reason, now));
            }
        }
        handled
    }

    fn place(&mut self, now: TsNs, order: &ApprovedOrder) -> bool {
        let Some(any) = self.of(order.order().instrument) else { return false };
        gateway!(any, gateway => gateway.place(now, order).is_ok())
    }

    fn cancel(&mut self, now: TsNs, cancel: &CancelOrder) -> bool {
        let Some(any) = self.of(cancel.instrument) else { return false };
        gateway!(any, gateway => gateway.cancel(now, cancel).is_ok())
    }

    fn replace(&mut self, now: TsNs, replace: &ReplaceOrder) -> bool {
        let Some(any) = self.of(replace.order.order().instrument) else { return false };
        gateway!(any, gateway => gateway.replace(now, replace).is_ok())
    }

    fn want_round(&mut self, now: TsNs, venue: u8) {
        if let Some((_, any)) = self.venues.get_mut(usize::from(venue)) {
            gateway!(any, gateway => gateway.want_round(now));
        }
    }

    fn is_ready(&self) -> bool {
        self.venues.iter().all(|(_, any)| gateway!(any, gateway => gateway.is_ready()))
    }

    fn fatal(&self) -> Option<String> {
        // A venue that turns us away at run time is lost alone: the others go on, and whoever looks sees it down.
        let at_start = self.venues.iter().zip(&self.lives).filter(|(_, life)| !life.was_ready);
        at_start
            .map(|((_, any), _)| any)
            .find_map(|any| gateway!(any, gateway => gateway.fatal().map(ToString::to_string)))
    }

    fn bytes(&self) -> (u64, u64) {
        let of =
            |any: &AnyGateway| gateway!(any, gateway => (gateway.bytes_received(), gateway.bytes_sent()));
        sum(self.venues.iter().map(|(_, any)| of(any)))
    }

    fn in_flight(&self) -> u32 {
        self.venues.iter().map(|(_, any)| gateway!(any, gateway => gateway.in_flight())).sum()
    }
}

/// A venue has turned us away for good: says so to whoever looks, and gives the event that stops orders there.
#[cold]
fn loss(venue: usize, reason: &GatewayFatal, now: TsNs) -> Event {
    tracing::error!(venue, %reason, "no more orders at a venue: it has turned us away");
    let body = EventBody::Key(KeyScope { can_trade: false, can_withdraw: false });
    Event { seq: 0, ts_event: now, ts_recv: now, instrument: InstrumentId::NONE, body }
}

fn sum(bytes: impl Iterator<Item = (u64, u64)>) -> (u64, u64) {
    bytes.fold((0, 0), |(received, sent), (more, out)| (received + more, sent + out))
}
