//! from the kill to the socket. Two hundred resting orders at a simulated venue over real TLS; how long until the
//! cancel of each has been handed to the socket is printed, not asserted. That every order is gone, and that nothing new
//! was sent, is.

#![allow(clippy::unwrap_used, reason = "a step that fails is a failed test")]

use smc_core::book::Reference;
use smc_core::event::{
    Act, Command, Event, EventBody, FeedState, GatewayState, OrderUpdateKind, ReconcileRound, VenueOrder,
};
use smc_core::instrument::{Contract, InstrumentSpec, TradingStatus};
use smc_core::orders::Orders;
use smc_core::output::{
    CancelOrder, NewOrder, OrderKind, OrderTerms, Output, Purpose, TimeInForce, TradingState,
};
use smc_core::position::PositionBook;
use smc_core::risk::{AccountLimits, ApprovedOrder, Gate, GateView, Limits, Margining, VenueFacts};
use smc_core::strategy::Confluence;
use smc_core::words::{ClientOrderId, InstrumentId, Money, Name, Price, Qty, SCALE, Side, TsNs};
use smc_core::{Engine, Outbox};
use smc_gateway::binance_spot::{BinanceSpotGateway, GatewayInstrument, GatewaySettings};
use smc_net::{Endpoint, TlsSettings, get_blocking};
use smc_runtime::config::FileConfig;
use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};
use tests::{SimProcess, config_text, wait_until_within};

const ORDERS: u64 = 200;
const BTC: InstrumentId = InstrumentId(0);
/// Far below the market, so that nothing fills.
const PRICE: i64 = 50_000;

/// The venue's clock runs faster than life.
struct Clock {
    begun: Instant,
    at: u64,
    speed: f64,
}

impl Clock {
    fn now(&self) -> TsNs {
        TsNs(self.at + (self.begun.elapsed().as_nanos() as f64 * self.speed) as u64)
    }
}

struct Desk {
    gateway: BinanceSpotGateway,
    clock: Clock,
    heard: Vec<Event>,
}

impl Desk {
    fn turn(&mut self) {
        let now = self.clock.now();
        let heard = &mut self.heard;
        self.gateway.turn(now, &mut |event| heard.push(event));
    }

    fn venue_ids(&self) -> BTreeMap<ClientOrderId, u64> {
        let acks = self.heard.iter().filter_map(|event| match &event.body {
            EventBody::Order(update) => Some((update.client_order_id, update.venue_order_id)),
            _ => None,
        });
        acks.collect()
    }

    /// Orders of which such a report was heard.
    fn count(&self, is_it: impl Fn(&OrderUpdateKind) -> bool) -> usize {
        let updates = self.heard.iter().filter_map(|event| match &event.body {
            EventBody::Order(update) if is_it(&update.kind) => Some(update.client_order_id),
            _ => None,
        });
        updates.collect::<BTreeSet<_>>().len()
    }
}

fn order(nth: u64) -> NewOrder {
    NewOrder {
        client_order_id: ClientOrderId::new(1, 1, nth),
        instrument: BTC,
        side: Side::Buy,
        kind: OrderKind::Limit,
        time_in_force: TimeInForce::Gtc,
        price: Price((PRICE * 100 - nth as i64) * SCALE / 100),
        stop_price: Price::ZERO,
        qty: Qty(SCALE / 1_000),
        purpose: Purpose::Entry,
        signal_id: 0,
        terms: OrderTerms::PLAIN,
    }
}

/// Approvals come from a gate alone, here as everywhere.
fn approvals(config: &FileConfig, spec: &InstrumentSpec) -> Vec<ApprovedOrder> {
    let engine = config.engine().unwrap();
    let limits = Limits { open_orders_max: 250, collar_passive_ppm: 900_000, ..engine.instruments[0].limits };
    let account = AccountLimits { open_orders_max: 250, ..engine.account_limits };
    let mut gate = Gate::new(account, &[Some(limits)]).unwrap();
    let mut positions = PositionBook::new(1, spec.quote, Some(Money(1_000_000 * SCALE)));
    positions.set_assets(BTC, spec.base, spec.quote);
    positions.mark(BTC, Price(60_000 * SCALE));
    let mut orders = Orders::new(1);
    let venue = VenueFacts::default();
    let approve = |nth| {
        let now = TsNs(nth * 1_000_000_000);
        let reference = Some(Reference { price: Price(60_000 * SCALE), ts: now });
        let (state, margin) = (TradingState::Normal, Margining::Whole { needed: 0, free: 0 });
        let view = GateView {
            now,
            state,
            loss_level: state,
            spec: Some(spec),
            reference,
            positions: &positions,
            venue: &venue,
            margin,
            var_ppm: None,
        };
        gate.check(&order(nth), &view, &mut orders).outcome.unwrap()
    };
    (1..=ORDERS).map(approve).collect()
}

/// An engine that has found all of them at the venue, as after a restart without a journal, and the cancels that it has
/// asked for already: orders that serve no trade are taken away one by one.
fn engine(
    config: &FileConfig,
    spec: &InstrumentSpec,
    venue_ids: &BTreeMap<ClientOrderId, u64>,
    outbox: &mut Outbox,
) -> (Engine<Confluence>, Vec<CancelOrder>) {
    let config = config.engine().unwrap();
    let strategy = Confluence::for_config(&config);
    let mut engine = Engine::new(config, strategy).unwrap();
    let mut cancels = Vec::new();
    let mut feed = |instrument, body| {
        let now = TsNs(1_000_000_000_000);
        engine.on_event(&Event { seq: 0, ts_event: now, ts_recv: now, instrument, body }, outbox);
        cancels.extend(outbox.drain().filter_map(|output| match output {
            Output::Cancel(cancel) => Some(cancel),
            _ => None,
        }));
    };
    feed(BTC, EventBody::Instrument(*spec));
    feed(BTC, EventBody::Feed(FeedState::Live));
    feed(BTC, EventBody::Round(ReconcileRound { number: 1, is_end: false, is_complete: false }));
    for nth in 1..=ORDERS {
        let NewOrder { client_order_id, side, kind, price, stop_price, qty, .. } = order(nth);
        let venue_order_id = venue_ids[&client_order_id];
        let filled_qty = Qty::ZERO;
        let row =
            VenueOrder { client_order_id, venue_order_id, side, kind, price, stop_price, qty, filled_qty };
        feed(BTC, EventBody::VenueOrder(row));
    }
    feed(InstrumentId::NONE, EventBody::Gateway(GatewayState::Ready));
    (engine, cancels)
}

#[test]
fn two_hundred_cancels_follow_a_kill_and_nothing_else_does() {
    let home = tempfile::tempdir().unwrap();
    let sim = SimProcess::start(&home.path().join("sim"), 60.0, 9);
    let config = FileConfig::parse(&config_text(&sim, 1, "inline", "yield")).unwrap();
    let market = venue_sim::market::GeneratorSettings::default();
    let name = |text| Name::new(text).unwrap();
    let spec = InstrumentSpec {
        symbol: name("BTCUSDT"),
        base: name("BTC"),
        quote: name("USDT"),
        tick: market.tick,
        lot: market.lot,
        qty_min: market.lot,
        qty_max: Qty(9_000 * SCALE),
        notional_min: Money(5 * SCALE),
        status: TradingStatus::Trading,
        contract: Contract::SPOT,
    };
    let section = config.venue.as_ref().unwrap();
    let pem = std::fs::read_to_string(section.ca_file.as_ref().unwrap()).unwrap();
    let tls = TlsSettings::from_ca_pem(&pem).unwrap();
    let (host, port) = section.orders.rsplit_once(':').unwrap();
    let endpoint = Endpoint { host: host.into(), port: port.parse().unwrap(), address: None, tls };
    let account = config.account.as_ref().unwrap();
    let key = std::fs::read_to_string(&account.key_file).unwrap();
    let answer = get_blocking(&endpoint, "/api/v3/time", Duration::from_secs(10)).unwrap();
    let digits: String = String::from_utf8_lossy(&answer.body).chars().filter(char::is_ascii_digit).collect();
    let clock =
        Clock { begun: Instant::now(), at: digits.parse::<u64>().unwrap() * 1_000_000, speed: sim.speed };
    let settings = GatewaySettings {
        recv_window_ms: 60_000,
        ..GatewaySettings::new(endpoint, &account.api_key, &key, 1)
    };
    let gateway = BinanceSpotGateway::new(settings, &[GatewayInstrument { id: BTC, spec }]).unwrap();
    let mut desk = Desk { gateway, clock, heard: Vec::new() };
    let patience = Duration::from_secs(60);
    wait_until_within(patience, "the order path", || {
        desk.turn();
        desk.gateway.is_ready()
    });
    for approved in approvals(&config, &spec) {
        wait_until_within(patience, "room at the venue", || {
            desk.turn();
            let now = desk.clock.now();
            desk.gateway.place(now, &approved).is_ok()
        });
    }
    wait_until_within(patience, "acks", || {
        desk.turn();
        let refused = desk.count(|kind| matches!(kind, OrderUpdateKind::Reject { .. }));
        assert_eq!(refused, 0, "{:?}", desk.heard.last());
        desk.count(|kind| *kind == OrderUpdateKind::Ack) == ORDERS as usize
    });

    let mut outbox = Outbox::new();
    let (mut engine, mut cancels) = engine(&config, &spec, &desk.venue_ids(), &mut outbox);
    let now = TsNs(1_000_000_000_001);
    let body = EventBody::Operator(Act { operator: 7, ..Act::from(Command::Kill) });
    let kill = Event { seq: 0, ts_event: now, ts_recv: now, instrument: InstrumentId::NONE, body };
    let sent_before = desk.gateway.bytes_sent();
    let started = Instant::now();
    engine.on_event(&kill, &mut outbox);
    let decided = started.elapsed();
    for output in outbox.outputs() {
        match output {
            Output::NewOrder(_) | Output::Replace(_) => panic!("an order after the kill: {output:?}"),
            Output::Cancel(cancel) => cancels.push(*cancel),
            _ => {}
        }
    }
    for cancel in &cancels {
        let now = desk.clock.now();
        desk.gateway.cancel(now, cancel).unwrap();
    }
    let handed = started.elapsed();
    let bytes = desk.gateway.bytes_sent() - sent_before;
    assert!(bytes > 100 * ORDERS, "{bytes} bytes of {} cancels", cancels.len());
    let count = cancels.len() as u64;
    println!("{count} cancels: decided after {decided:?}, handed to the socket after {handed:?}");
    assert_eq!(count, ORDERS);
    wait_until_within(patience, "every order is gone", || {
        desk.turn();
        desk.count(|kind| matches!(kind, OrderUpdateKind::Canceled { .. })) == ORDERS as usize
    });
}
