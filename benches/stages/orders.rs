//! From a wish to the bytes of an order, and back: sizing, the gate, encoding and signing at every venue, a fill's way into
//! the positions.

use super::tls::localhost;
use super::{ED25519, Named, Stage};
use crate::{BTC, START, limits, spec};
use smc_core::book::Reference;
use smc_core::event::{KeyScope, OrderUpdate, OrderUpdateKind, RequestBudget, VenueClock};
use smc_core::instrument::InstrumentSpec;
use smc_core::orders::{OrderEffect, Orders};
use smc_core::output::{NewOrder, OrderKind, OrderTerms, Position, Purpose, TimeInForce, TradingState};
use smc_core::position::PositionBook;
use smc_core::risk::{AccountLimits, Check, Gate, GateView, Limits, Margining, VenueFacts, Verdict};
use smc_core::sizing::policy::{Evidence, KellyParams, stake};
use smc_core::sizing::record::TradeRecord;
use smc_core::sizing::{Rate, SizeReason, size_entry};
use smc_core::words::{ClientOrderId, Money, Price, Qty, SCALE, Side, TsNs};
use smc_gateway::bybit::Category;
use smc_gateway::oanda::GatewaySettings;
use smc_gateway::sign::{Secret, Signer};
use smc_gateway::{binance_spot, binance_usdm, bybit, oanda};
use smc_net::{Endpoint, TlsSettings};
use std::hint::black_box;

pub const STAGES: &[Named] = &[
    ("size/fixed fraction", || fixed_fraction()),
    ("size/kelly", || kelly()),
    ("gate/check", || Box::new(Checks::new())),
    ("gate/cancel", || Box::new(Cancels::new())),
    ("fill/order table and positions", || fill()),
    ("encode/spot/session", || encode(binance_spot_encoding(ED25519))),
    ("encode/spot/hmac", || encode(binance_spot_encoding(HMAC))),
    ("encode/usdm/session", || encode(usdm_encoding(ED25519, true))),
    ("encode/usdm/hmac", || encode(usdm_encoding(HMAC, false))),
    ("encode/usdm/ed25519", || encode(usdm_encoding(ED25519, false))),
    ("encode/bybit/session", || encode(bybit::encoding(Category::Linear, &[instrument()]).expect("sound"))),
    ("encode/oanda/token", || encode(oanda_encoding())),
    ("sign/hmac", || sign(HMAC)),
    ("sign/ed25519", || sign(ED25519)),
];

const PRICE: Price = Price(60_000 * SCALE);
const SECOND_NS: u64 = 1_000_000_000;
/// Larger than anything here.
const PLENTY: i64 = 1_000_000_000_000_000_000;

/// An entry near the price; the n-th of its kind.
fn entry(n: u64, price: Price, qty: Qty) -> NewOrder {
    NewOrder {
        client_order_id: ClientOrderId::new(1, 0, n),
        instrument: BTC,
        side: Side::Buy,
        kind: OrderKind::Limit,
        time_in_force: TimeInForce::Gtc,
        price,
        stop_price: Price::ZERO,
        qty,
        purpose: Purpose::Entry,
        signal_id: 1,
        terms: OrderTerms::PLAIN,
    }
}

/// The quantity that loses a quarter of a percent of equity at its stop.
fn size(n: i64, risk: Rate) -> (Qty, SizeReason) {
    let (entry, stop) = (Price(PRICE.0 + n % 512 * (SCALE / 100)), Price(PRICE.0 - (300 + n % 64) * SCALE));
    let (equity, spread, fee) = (Money(100_000 * SCALE), Price(SCALE / 100), Rate::from_ppm(1_000));
    let size = size_entry(
        black_box(equity),
        risk,
        black_box(entry),
        black_box(stop),
        spread,
        fee,
        Qty(10 * SCALE),
        &spec(),
    );
    (size.qty, size.reason)
}

fn fixed_fraction() -> Box<dyn Stage> {
    let (qty, reason) = size(0, Rate::from_ppm(2_500));
    // 250 lost of 300 to the stop and 0.1 % of both prices, 119.7.
    assert_eq!((qty, reason), (Qty(59_566_000), SizeReason::Ok), "{qty} {reason:?}");
    let mut n = 0;
    Box::new(move || {
        n += 1;
        black_box(size(n, Rate::from_ppm(2_500)));
    })
}

fn kelly() -> Box<dyn Stage> {
    let mut record = TradeRecord::default();
    let (wins, losses) = (60, 40);
    (0..wins).for_each(|_| record.count(Money(19 * SCALE), Money(10 * SCALE)));
    (0..losses).for_each(|_| record.count(Money(-10 * SCALE), Money(10 * SCALE)));
    let step = move |n: i64| {
        let reward = 2.0 + (n % 64) as f64 / 100.0;
        let (drawdown, volatility) = ((n % 16) as f64 / 1_000.0, Some(0.001));
        let evidence = Evidence { wins, losses, record, reward, cost: 0.2, drawdown, volatility };
        let stake = stake(black_box(&KellyParams::default()), black_box(&evidence));
        size(n, stake.risk_fraction)
    };
    let (qty, reason) = step(0);
    assert!(qty > Qty::ZERO && reason == SizeReason::Ok, "{qty} {reason:?}");
    let mut n = 0;
    Box::new(move || {
        n += 1;
        black_box(step(n));
    })
}

/// A gate with something for every check to look at: clock, budget, key, margin, value at risk. The equity was counted
/// before, as it is in the engine, where the size of the order is made from it.
struct Desk {
    gate: Gate,
    orders: Orders,
    positions: PositionBook,
    venue: VenueFacts,
    spec: InstrumentSpec,
    nth: u64,
}

/// Orders that are open together: the first of them meets none, the last seven.
const TOGETHER: u64 = 8;

impl Desk {
    fn new() -> Self {
        let (account, limits) = limits();
        let mut positions = PositionBook::new(1, spec().quote, Some(Money(1_000_000 * SCALE)));
        positions.set_assets(BTC, spec().base, spec().quote);
        positions.mark(BTC, PRICE);
        let account = AccountLimits { var_ppm_max: Some(50_000), ..account };
        let resets_at = TsNs(u64::MAX);
        let venue = VenueFacts {
            clock: Some(VenueClock { offset_ns: 1_000_000 }),
            budget: Some(RequestBudget { left: 5_000, limit: 6_000, banned_until: TsNs(0), resets_at }),
            key: Some(KeyScope { can_trade: true, can_withdraw: false }),
        };
        let mut gate = Gate::new(account, &[Some(limits)]).expect("sound limits");
        gate.open_parent(BTC, 1, Qty(i64::MAX));
        let mut desk = Self { gate, orders: Orders::new(1), positions, venue, spec: spec(), nth: 0 };
        let refused = desk.check(Qty(3 * SCALE)).outcome.expect_err("more than its limit");
        assert!(refused.contains(Check::MaxOrderQty), "{refused}");
        desk
    }

    #[inline]
    fn check(&mut self, qty: Qty) -> Verdict {
        self.nth += 1;
        let now = TsNs(START.0 + self.nth * SECOND_NS);
        let order = entry(self.nth, PRICE, qty);
        let (state, loss_level) = (TradingState::Normal, TradingState::Normal);
        let reference = Some(Reference { price: PRICE, ts: now });
        let (venue, spec, positions) = (&self.venue, Some(&self.spec), &self.positions);
        let margin = Margining::Part { needed: Money(1), free: Money(SCALE) };
        let var_ppm = Some(1_000);
        let view = GateView { now, state, loss_level, spec, reference, positions, venue, margin, var_ppm };
        self.gate.check(black_box(&order), &view, &mut self.orders)
    }

    fn accept(&mut self) {
        assert!(self.check(Qty(SCALE / 1_000)).outcome.is_ok());
    }

    #[inline]
    fn cancel(&mut self, nth: u64) {
        let kind = OrderUpdateKind::Canceled { cum_qty: Qty::ZERO };
        let client_order_id = ClientOrderId::new(1, 0, nth);
        let update = OrderUpdate { client_order_id, venue_order_id: nth, kind };
        let now = TsNs(START.0 + self.nth * SECOND_NS);
        if let OrderEffect::Closed(order) = self.orders.on_update(BTC, black_box(&update), now) {
            self.gate.on_closed(&order, TsNs(now.0 + SECOND_NS / 2));
        }
    }
}

/// One order through every check, accepted. What it reserved is given back before the next batch.
struct Checks(Desk);

impl Checks {
    fn new() -> Self {
        Self(Desk::new())
    }
}

impl Stage for Checks {
    #[inline]
    fn batch(&self) -> u64 {
        TOGETHER
    }

    fn prepare(&mut self) {
        let last = self.0.nth;
        (last.saturating_sub(TOGETHER) + 1..=last).for_each(|nth| self.0.cancel(nth));
        assert!(self.0.orders.is_empty());
    }

    #[inline]
    fn step(&mut self) {
        self.0.accept();
    }
}

/// A cancelled order's way back through the table and the gate.
struct Cancels {
    desk: Desk,
    next: u64,
}

impl Cancels {
    fn new() -> Self {
        let desk = Desk::new();
        Self { next: desk.nth + 1, desk }
    }
}

impl Stage for Cancels {
    #[inline]
    fn batch(&self) -> u64 {
        TOGETHER
    }

    fn prepare(&mut self) {
        assert!(self.desk.orders.is_empty());
        (0..TOGETHER).for_each(|_| self.desk.accept());
    }

    #[inline]
    fn step(&mut self) {
        self.desk.cancel(self.next);
        self.next += 1;
    }
}

/// Fills that build a position up, take it down in parts and turn it: found by its order, counted once, booked for the
/// account and its strategy. The table holds eight open orders, a full history and a full memory of trades.
struct Fills {
    orders: Orders,
    positions: PositionBook,
    trade_id: u64,
}

impl Fills {
    fn new() -> Self {
        let (account, limits) = limits();
        let account = AccountLimits { gross_max: Money(PLENTY), net_max: Money(PLENTY), ..account };
        let (order_qty_max, order_notional_max) = (Qty(PLENTY), Money(PLENTY));
        let limits = Limits { order_qty_max, order_notional_max, position_qty_max: order_qty_max, ..limits };
        let mut gate = Gate::new(account, &[Some(limits)]).expect("sound limits");
        let mut orders = Orders::new(1);
        let mut positions = PositionBook::new(1, spec().quote, Some(Money(PLENTY)));
        positions.set_assets(BTC, spec().base, spec().quote);
        positions.mark(BTC, PRICE);
        for nth in 1..=TOGETHER {
            let now = TsNs(START.0 + nth * SECOND_NS);
            let side = if nth.is_multiple_of(2) { Side::Buy } else { Side::Sell };
            let price = Price(PRICE.0 - 50 * side.sign() * SCALE);
            // The last two are filled over and over, being larger than all the fills of a run.
            let order = NewOrder { side, signal_id: 0, ..entry(nth, price, Qty(2_000_000_000_000)) };
            let (state, loss_level) = (TradingState::Normal, TradingState::Normal);
            let spec = InstrumentSpec { qty_max: Qty(PLENTY), ..spec() };
            let reference = Some(Reference { price: PRICE, ts: now });
            let (venue, margin) = (&VenueFacts::default(), Margining::Whole { needed: 0, free: 0 });
            let (spec, positions, var_ppm) = (Some(&spec), &positions, None);
            let view =
                GateView { now, state, loss_level, spec, reference, positions, venue, margin, var_ppm };
            gate.check(&order, &view, &mut orders).outcome.expect("within all limits");
        }
        Self { orders, positions, trade_id: 0 }
    }

    #[inline]
    fn fill(&mut self) -> Position {
        self.trade_id += 1;
        let nth = self.trade_id;
        let side = if nth % 16 < 8 { Side::Buy } else { Side::Sell };
        let client_order_id =
            ClientOrderId::new(1, 0, if side == Side::Buy { TOGETHER } else { TOGETHER - 1 });
        let kind = OrderUpdateKind::Fill {
            trade_id: nth,
            side,
            price: Price(PRICE.0 + (nth as i64 * 7_919) % (100 * SCALE)),
            qty: Qty(1_000 + (nth as i64 * 104_729) % 10_000),
            cum_qty: Qty::ZERO,
            fee: Money(1_234),
            fee_asset: spec().quote,
            is_maker: true,
        };
        let update = OrderUpdate { client_order_id, venue_order_id: 0, kind };
        let OrderEffect::Filled(fill) = self.orders.on_update(BTC, black_box(&update), START) else {
            unreachable!("no fill")
        };
        self.positions.on_fill(&fill, Qty::ZERO).position
    }
}

fn fill() -> Box<dyn Stage> {
    let mut fills = Fills::new();
    for _ in 0..4_096 {
        black_box(fills.fill());
    }
    assert_eq!(fills.positions.stats(BTC).fills, 4_096);
    Box::new(move || _ = black_box(fills.fill()))
}

/// Requests and venue time begin here: sixteen and thirteen digits.
const ID: u64 = 6_000_000_000_000_001;
const TIME_MS: u64 = 1_700_000_000_123;
const API_KEY: &str = "vmPUZE6mv9SD5VNHk4HlWFsOr6aKE2zvsw0MuIgwCIPy6utIco14y7Ju91duEh8A";
/// A published example of the venue's documents; it opens nothing.
const HMAC: &str = "NhqPtmdSJYdKjVHjA7PZj4Mge3R5YNiP1e3UZjInClVN65XAbvqqM6A7H5fATj0j";

/// A venue's encoder: number, venue's time in milliseconds, order; the bytes go to the last argument.
type Encoding =
    Box<dyn FnMut(u64, u64, &NewOrder, &mut dyn FnMut(&[u8])) -> Result<(), binance_spot::SendError>>;

fn key(text: &str) -> Signer {
    Signer::new(&Secret::new(text)).expect("a key")
}

fn instrument() -> binance_spot::GatewayInstrument {
    binance_spot::GatewayInstrument { id: BTC, spec: spec() }
}

fn binance_spot_encoding(secret: &str) -> Encoding {
    binance_spot::encoding(&[instrument()], API_KEY, key(secret)).expect("sound settings")
}

fn usdm_encoding(secret: &str, is_session: bool) -> Encoding {
    binance_usdm::encoding(&[instrument()], API_KEY, key(secret), is_session).expect("sound settings")
}

fn oanda_encoding() -> Encoding {
    let tls = TlsSettings::from_ca_pem(&localhost().0.pem()).expect("its own authority");
    let nobody = Endpoint { host: "api-fxpractice.oanda.com".into(), port: 443, address: None, tls };
    let token = smc_net::Secret::new("0123456789abcdef0123456789abcdef-0123456789abcdef0123456789abcdef");
    let settings = GatewaySettings::new(nobody.clone(), nobody, "101-004-1234567-001", token, 7);
    // A venue counts whole units: one lot of a thousandth would be refused.
    let mut pair = instrument();
    pair.spec.lot = Qty(SCALE / 1_000);
    oanda::encoding(&settings, &[pair])
}

/// A limit order to buy near 61 837.63: number, time, price and quantity change from order to order.
fn encode(mut encoding: Encoding) -> Box<dyn Stage> {
    let order = |n: u64| NewOrder {
        client_order_id: ClientOrderId::new(7, 1, n),
        ..entry(
            n,
            Price((6_183_763 + (n % 500) as i64) * (SCALE / 100)),
            Qty((1 + (n % 900) as i64) * (SCALE / 1_000)),
        )
    };
    let first = order(1);
    let mut is_said = false;
    let encoded = encoding(ID, TIME_MS, &first, &mut |bytes| {
        let text = String::from_utf8_lossy(bytes);
        is_said = text.contains(&first.client_order_id.to_string())
            && text.contains(&format!("\"price\":\"{}\"", first.price));
    });
    encoded.expect("a sound order");
    assert!(is_said, "the request names order and price");
    let mut n = 0;
    Box::new(move || {
        n += 1;
        let encoded = encoding(ID + n, TIME_MS + n, black_box(&order(n)), &mut |bytes| _ = black_box(bytes));
        assert!(encoded.is_ok());
    })
}

/// As long as what is signed of a spot order.
fn sign(secret: &str) -> Box<dyn Stage> {
    let (signer, payload) = (key(secret), "x".repeat(300));
    assert_ne!(signer.sign(payload.as_bytes()).as_str(), signer.sign(b"x").as_str());
    Box::new(move || _ = black_box(signer.sign(black_box(payload.as_bytes()))))
}
