//! One engine, two venues: what happens at one is no business of the other.
#![allow(clippy::unwrap_used, missing_docs, dead_code)]

mod engine_harness;

use engine_harness::*;
use smc_core::config::{EngineConfig, InstrumentConfig};
use smc_core::engine::Engine;
use smc_core::event::{
    AccountSequence, Act, AssetRate, Balance, Command, Event, EventBody, FeedState, GatewayState, KeyScope,
    Quote, RequestBudget, RiskScope,
};
use smc_core::outbox::Outbox;
use smc_core::output::{Output, TradingState};
use smc_core::risk::{Check, Violations};
use smc_core::words::{InstrumentId, Money, Name, Price, Qty, SCALE, TsNs};

/// The same symbol at both venues.
const HERE: InstrumentId = InstrumentId(0);
const THERE: InstrumentId = InstrumentId(1);

struct Desk {
    engine: Engine<Eager>,
    now: u64,
    seq: u64,
}

fn config(asset_there: &str) -> EngineConfig {
    let config = engine_harness::config();
    let instruments = vec![
        InstrumentConfig { symbol: name("BTCUSDT"), venue: 0, bars_from: None, limits: limits() },
        InstrumentConfig { symbol: name("BTCUSDT"), venue: 1, bars_from: None, limits: limits() },
    ];
    let venue_assets = vec![(1, name(asset_there))];
    EngineConfig { instruments, venue_assets, ..config }
}

impl Desk {
    fn new(asset_there: &str) -> Self {
        let engine = Engine::new(config(asset_there), Eager::new(1, 400)).unwrap();
        Self { engine, now: START_NS, seq: 0 }
    }

    /// Everything is up, with so much quote currency at each venue.
    fn ready(here: i64, there: i64) -> Self {
        let mut desk = Self::new("USDT");
        for (id, free) in [(HERE, here), (THERE, there)] {
            desk.tell(id, EventBody::Instrument(spec()));
            desk.tell(id, EventBody::Feed(FeedState::Live));
            desk.tell(id, EventBody::Gateway(GatewayState::Ready));
            desk.tell(id, balance("USDT", free));
        }
        desk
    }

    fn tell(&mut self, instrument: InstrumentId, body: EventBody) -> Vec<Output> {
        self.seq += 1;
        self.now += MS;
        let ts = TsNs(self.now);
        let mut outbox = Outbox::new();
        let event = Event { seq: self.seq, ts_event: ts, ts_recv: ts, instrument, body };
        self.engine.on_event(&event, &mut outbox);
        outbox.drain().collect()
    }

    /// The market moves a tick, so that the strategy wants an entry.
    fn quote(&mut self, instrument: InstrumentId) -> Vec<Output> {
        self.now += SECOND;
        let (bid, ask) = (Price(60_000 * SCALE), Price(60_000 * SCALE + TICK));
        let size = Qty(10 * SCALE);
        let body = EventBody::Quote(Quote { bid, bid_qty: size, ask, ask_qty: size, update_id: self.seq });
        self.tell(instrument, body)
    }

    /// Quotes until an entry is let through or refused.
    fn entry(&mut self, instrument: InstrumentId) -> Result<Qty, Violations> {
        for _ in 0..20 {
            for output in self.quote(instrument) {
                match output {
                    Output::NewOrder(order) => return Ok(order.order().qty),
                    // A sale of coins that nobody has is of nothing.
                    Output::Decision(decision) if decision.codes != 0 && decision.qty > Qty::ZERO => {
                        return Err(Violations::from_bits(decision.codes));
                    }
                    _ => {}
                }
            }
        }
        panic!("nothing was asked for");
    }
}

fn balance(asset: &str, free: i64) -> EventBody {
    EventBody::Balance(Balance { asset: name(asset), free: Qty(free * SCALE), locked: Qty::ZERO })
}

#[test]
fn equity_is_what_all_accounts_held_at_first_and_a_purchase_is_paid_from_its_own() {
    let mut desk = Desk::new("USDT");
    desk.tell(HERE, balance("USDT", 100_000));
    assert_eq!(desk.engine.positions().known_equity(), None, "one account is not told yet");
    desk.tell(THERE, balance("USDT", 900));
    assert_eq!(desk.engine.equity(), Money(100_900 * SCALE));
    let mut desk = Desk::ready(100_000, 900);
    let (here, there) = (desk.entry(HERE).unwrap(), desk.entry(THERE).unwrap());
    assert!(there.0 * 60_000 <= 900 * SCALE, "{there}");
    assert!(here > there, "{here} {there}");
}

#[test]
fn an_account_in_another_currency_counts_once_its_worth_is_known() {
    let mut desk = Desk::new("EUR");
    desk.tell(HERE, balance("USDT", 1_000));
    desk.tell(THERE, balance("EUR", 1_000));
    assert_eq!(desk.engine.positions().known_equity(), None);
    let price = Price(SCALE + SCALE / 10);
    desk.tell(InstrumentId::NONE, EventBody::Rate(AssetRate { asset: name("EUR"), price }));
    assert_eq!(desk.engine.equity(), Money(2_100 * SCALE));
}

#[test]
fn a_venue_tells_rates_in_the_asset_of_its_own_account() {
    let yen = |desk: &mut Desk| {
        desk.tell(THERE, EventBody::Rate(AssetRate { asset: name("JPY"), price: Price(SCALE / 200) }));
        desk.engine.positions().rate_of(name("JPY"))
    };
    // Half a hundredth of a euro each, and a euro is 1.25.
    let mut desk = Desk::new("EUR");
    assert_eq!(yen(&mut desk), None, "nobody has told what a euro is worth");
    let ours_in_euros = AssetRate { asset: name("USDT"), price: Price(SCALE * 4 / 5) };
    desk.tell(THERE, EventBody::Rate(ours_in_euros));
    assert_eq!(yen(&mut desk), Some(Price(SCALE / 160)));

    // What is fixed is known from the beginning and stays, whatever a venue tells.
    let fixed = EngineConfig { fixed_rates: vec![(name("EUR"), Price(2 * SCALE))], ..config("EUR") };
    let mut desk = Desk { engine: Engine::new(fixed, Eager::new(1, 400)).unwrap(), now: START_NS, seq: 0 };
    desk.tell(HERE, balance("USDT", 1_000));
    desk.tell(THERE, balance("EUR", 1_000));
    assert_eq!(desk.engine.equity(), Money(3_000 * SCALE));
    desk.tell(THERE, EventBody::Rate(ours_in_euros));
    desk.tell(HERE, EventBody::Rate(AssetRate { asset: name("EUR"), price: Price(SCALE) }));
    assert_eq!((desk.engine.equity(), yen(&mut desk)), (Money(3_000 * SCALE), Some(Price(SCALE / 100))));
}

#[test]
fn an_order_path_a_ban_and_a_key_concern_their_own_venue_only() {
    let is_only_there = |tell: &[EventBody], check: Check| {
        let mut desk = Desk::ready(100_000, 100_000);
        for body in tell {
            desk.tell(THERE, *body);
        }
        let codes = desk.entry(THERE).unwrap_err();
        assert!(codes.contains(check), "{codes}");
        assert!(desk.entry(HERE).is_ok(), "{check:?}");
    };
    is_only_there(&[EventBody::Gateway(GatewayState::Down)], Check::StateBlocked);
    let budget =
        RequestBudget { left: 0, limit: 100, banned_until: TsNs(u64::MAX), resets_at: TsNs(u64::MAX) };
    is_only_there(&[EventBody::Budget(budget)], Check::StateBlocked);
    let budget = RequestBudget { banned_until: TsNs(0), ..budget };
    is_only_there(&[EventBody::Budget(budget)], Check::VenueBudget);
    is_only_there(&[EventBody::Key(KeyScope { can_trade: true, can_withdraw: true })], Check::WithdrawScope);
}

#[test]
fn a_venue_can_be_killed_by_itself_and_the_state_survives() {
    let mut desk = Desk::ready(100_000, 100_000);
    assert!(desk.entry(HERE).is_ok() && desk.entry(THERE).is_ok());
    let scope = RiskScope::venue(1);
    let reason = Name::new("test").unwrap();
    let kill = Act { scope, operator: 501, reason, ..Act::from(Command::Kill) };
    let outputs = desk.tell(InstrumentId::NONE, EventBody::Operator(kill));
    let cancelled: Vec<InstrumentId> = outputs
        .iter()
        .filter_map(|output| match output {
            Output::Cancel(cancel) => Some(cancel.instrument),
            _ => None,
        })
        .collect();
    assert_eq!(cancelled, [THERE]);
    let held: Vec<_> = desk.engine.held().collect();
    assert!(held.iter().any(|&(held, _, level)| held == scope && level == TradingState::Halt), "{held:?}");

    let (mut bytes, mut again) = (Vec::new(), Vec::new());
    desk.engine.save(&mut bytes);
    let mut engine = Engine::new(config("USDT"), Eager::new(1, 400)).unwrap();
    engine.load(&bytes).unwrap();
    engine.save(&mut again);
    assert_eq!(bytes, again);
    assert_eq!(engine.equity(), desk.engine.equity());
}

/// A process that goes on from a journal asks each venue for what came after this.
#[test]
fn how_far_each_account_was_told_is_remembered_and_survives() {
    let mut desk = Desk::new("USDT");
    for (id, told_to) in [(HERE, 7), (THERE, 900), (HERE, 12)] {
        desk.tell(id, EventBody::Sequence(AccountSequence { told_to }));
    }
    let mut saved = Vec::new();
    desk.engine.save(&mut saved);
    let mut engine = Engine::new(config("USDT"), Eager::new(1, 400)).unwrap();
    assert_eq!(engine.told_to(0), 0);
    engine.load(&saved).unwrap();
    assert_eq!([0, 1, 2].map(|venue| engine.told_to(venue)), [12, 900, 0]);
}
