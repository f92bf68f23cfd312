//! The guard over the trading: states by scope, kills, breakers, limits changed while it runs.
#![allow(clippy::unwrap_used, reason = "a step that fails is a failed test")]

mod engine_harness;

use engine_harness::*;
use smc_core::config::EngineConfig;
use smc_core::event::{
    Act, Balance, Command, EventBody, JournalState, KeyScope, LimitName, MarkPrice, OrderUpdate,
    OrderUpdateKind, Quote, RequestBudget, RiskScope, VenueClock,
};
use smc_core::orders::Order;
use smc_core::output::{AlertKind, Control, Output, Purpose, REASONS_MAX, TradingState};
use smc_core::risk::{BreakerParams, Check, Violations};
use smc_core::strategy::{EntryKind, Intent, Intents, Management, MarketView, Strategy};
use smc_core::words::{Direction, InstrumentId, Name, Price, Qty, SCALE, Side, TsNs};

const ENGINE: RiskScope = RiskScope::ENGINE;
const SYMBOL: RiskScope = RiskScope::instrument(BTC);
const STRATEGY: RiskScope = RiskScope::strategy(1);

/// Breakers as shipped, on a venue that does as it should.
fn guarded(seed: u64) -> World<Eager> {
    eager_with(EngineConfig { breakers: BreakerParams::default(), ..config() }, seed, Manners::default())
}

fn act(command: Command, scope: RiskScope) -> Act {
    Act { scope, operator: 501, reason: Name::new("test").unwrap(), ..Act::from(command) }
}

fn say(world: &mut World<Eager>, act: Act) -> Vec<Output> {
    world.feed(InstrumentId::NONE, EventBody::Operator(act))
}

fn limit(scope: RiskScope, limit: LimitName, value: i64) -> Act {
    Act { limit, value, ..act(Command::SetLimit, scope) }
}

/// Runs until the engine has what is looked for.
fn run_until(world: &mut World<Eager>, what: &str, mut is_so: impl FnMut(&World<Eager>) -> bool) {
    for _ in 0..20_000 {
        if is_so(world) {
            return;
        }
        world.tick();
    }
    panic!("never: {what}");
}

fn entries(outputs: &[Output]) -> usize {
    let is_entry =
        |output: &&Output| matches!(output, Output::NewOrder(o) if o.order().purpose == Purpose::Entry);
    outputs.iter().filter(is_entry).count()
}

fn alerts(outputs: &[Output], kind: AlertKind) -> Vec<i64> {
    let found = outputs.iter().filter_map(|output| match output {
        Output::Alert(alert) if alert.kind == kind => Some(alert.detail),
        _ => None,
    });
    found.collect()
}

/// The scope's state as the engine tells it.
fn held(world: &World<Eager>, scope: RiskScope) -> TradingState {
    world.engine.held().find(|(known, ..)| *known == scope).map_or(TradingState::Normal, |(.., state)| state)
}

#[test]
fn a_kill_cancels_everything_at_once_and_survives_a_restart() {
    for scope in [ENGINE, SYMBOL, STRATEGY, RiskScope::venue(0)] {
        let mut world = guarded(3);
        run_until(&mut world, "a position with its stop", |world| {
            world.engine.open_orders().any(|order| order.purpose == Purpose::Stop)
        });
        let open = world.engine.open_orders().count();
        let outputs = say(&mut world, act(Command::Kill, scope));
        let cancels = outputs.iter().filter(|output| matches!(output, Output::Cancel(_))).count();
        assert_eq!(cancels, open, "{scope:?}");
        assert!(!outputs.iter().any(|output| matches!(output, Output::NewOrder(_))));

        // kill -9: what a snapshot and the journal's tail bring back.
        let mut state = Vec::new();
        world.engine.save(&mut state);
        let config = world.engine.config().clone();
        let mut engine = smc_core::Engine::new(config, Eager::new(7, 400)).unwrap();
        engine.load(&state).unwrap();
        world.engine = engine;
        say(&mut world, act(Command::Start, ENGINE));
        assert_eq!(held(&world, scope), TradingState::Halt);
        let sent = world.engine.orders_sent();
        world.run(2_000);
        assert_eq!(world.engine.orders_sent(), sent, "{scope:?}: nothing leaves until a person arms");

        say(&mut world, act(Command::Arm, scope));
        run_until(&mut world, "orders again", |world| world.engine.orders_sent() > sent);
    }
}

#[test]
fn the_whole_engine_armed_leaves_what_was_killed_by_itself() {
    let mut world = guarded(4);
    say(&mut world, act(Command::Kill, STRATEGY));
    say(&mut world, act(Command::Kill, ENGINE));
    say(&mut world, act(Command::Arm, ENGINE));
    assert_eq!((world.engine.state(), held(&world, STRATEGY)), (TradingState::Normal, TradingState::Halt));
    world.run(500);
    assert_eq!(world.engine.orders_sent(), 0);
    say(&mut world, act(Command::Arm, STRATEGY));
    run_until(&mut world, "orders", |world| world.engine.orders_sent() > 0);
}

/// K5: everything is cancelled, then what is held is closed, and nothing else happens.
#[test]
fn kill_flatten_closes_what_is_held_and_stays_killed() {
    let mut world = guarded(5);
    run_until(&mut world, "a position", |world| {
        world.engine.open_orders().any(|order| order.purpose == Purpose::Stop) && world.venue.position != 0
    });
    say(&mut world, act(Command::KillFlatten, ENGINE));
    let first = world.steps.len();
    world.run(300);
    assert_eq!(world.venue.position, 0, "closed");
    let orders = world.steps[first..].iter().flat_map(|step| &step.outputs);
    for output in orders {
        if let Output::NewOrder(order) = output {
            assert_eq!(order.order().purpose, Purpose::Flatten);
        }
    }
    assert_eq!(world.engine.state(), TradingState::Halt);
    say(&mut world, act(Command::Arm, ENGINE));
    run_until(&mut world, "entries again", |world| world.venue.position != 0);
}

/// A control that halts by itself takes no protection away; entries go.
#[test]
fn a_halt_that_no_person_made_leaves_stops_where_they_are() {
    let mut world = guarded(6);
    run_until(&mut world, "a stop", |world| {
        world.engine.open_orders().any(|order| order.purpose == Purpose::Stop)
    });
    let stops =
        |world: &World<Eager>| world.engine.open_orders().filter(|o| o.purpose == Purpose::Stop).count();
    let outputs = world.feed(InstrumentId::NONE, EventBody::Journal(JournalState::Lost));
    assert_eq!(world.engine.state(), TradingState::Halt);
    assert_eq!(stops(&world), 1);
    let cancelled = outputs.iter().filter_map(|output| match output {
        Output::Cancel(cancel) => {
            world.engine.open_orders().find(|o| o.client_order_id == cancel.client_order_id)
        }
        _ => None,
    });
    assert!(cancelled.into_iter().all(|order| order.purpose == Purpose::Entry));
}

/// Losses are followed from the equity; neither time, a new day, arming nor a restart leaves the halt they made.
#[test]
fn a_loss_warns_reduces_halts_and_only_a_reset_ends_it() {
    let breakers = BreakerParams { daily_loss_ppm: 1_000, ..patient() };
    let mut world = eager_with(EngineConfig { breakers, ..config() }, 7, Manners::default());
    let mut seen = Vec::new();
    run_until(&mut world, "a halt", |world| {
        let state = world.engine.state();
        if seen.last() != Some(&state) {
            seen.push(state);
        }
        state == TradingState::Halt
    });
    assert_eq!(seen, TradingState::ALL_BUT_CANCEL_ONLY);
    let told = alerts(&world.outputs().copied().collect::<Vec<_>>(), AlertKind::Control);
    assert_eq!(told, [Control::DailyLoss as i64; 3], "each level is told");

    for _ in 0..3 {
        world.now += 86_400 * SECOND;
        world.run(20);
        say(&mut world, act(Command::Arm, ENGINE));
        say(&mut world, act(Command::Resume, ENGINE));
        say(&mut world, act(Command::Start, ENGINE));
        assert_eq!(world.engine.state(), TradingState::Halt);
    }
    say(&mut world, act(Command::ResetLoss, ENGINE));
    assert_eq!(world.engine.state(), TradingState::Normal);
    let sent = world.engine.orders_sent();
    run_until(&mut world, "orders again", |world| world.engine.orders_sent() > sent);
}

#[test]
fn six_losing_trades_in_a_row_pause_the_strategy_for_an_hour() {
    let breakers = BreakerParams { loss_streak_max: 6, ..patient() };
    // Costs far beyond the target: every trade loses.
    let mut world = eager_with(EngineConfig { breakers, ..config() }, 8, Manners::default());
    world.venue.fee_ppm = 3_000;
    run_until(&mut world, "a pause", |world| held(world, STRATEGY) == TradingState::ReduceOnly);
    let stats = world.engine.positions().stats(BTC);
    assert_eq!((stats.losses_in_a_row, stats.wins), (6, 0));
    let (begun, sent) = (world.now, world.engine.orders_sent());
    world.run(500);
    assert_eq!(world.engine.orders_sent(), sent);
    world.now = begun + 3_600 * SECOND - 300 * MS;
    world.tick();
    assert_eq!(held(&world, STRATEGY), TradingState::ReduceOnly);
    world.run(5);
    assert_eq!(held(&world, STRATEGY), TradingState::Normal);
}

#[test]
fn refusals_in_a_row_leave_the_venue_with_cancels_only_until_a_person_looks() {
    let breakers = BreakerParams { rejects_max: 5, ..patient() };
    let manners = Manners { stop_refused: 100, ..Manners::default() };
    let mut world = eager_with(EngineConfig { breakers, ..config() }, 9, manners);
    let venue = RiskScope::venue(0);
    // Every stop is refused; six refusals within ten seconds.
    world.venue.manners.stop_refused = 100;
    for id in 1..=6u64 {
        run_until(&mut world, "a refusal", |world| {
            world.engine.counters().rejects >= id || held(world, venue) > TradingState::Normal
        });
    }
    if held(&world, venue) == TradingState::Normal {
        // Too far apart in time: the window is the rule.
        return;
    }
    assert_eq!(held(&world, venue), TradingState::CancelOnly);
    world.now += 3_600 * SECOND;
    world.run(50);
    assert_eq!(held(&world, venue), TradingState::CancelOnly);
    say(&mut world, act(Command::Arm, ENGINE));
    assert_eq!(held(&world, venue), TradingState::Normal);
}

fn quote(world: &mut World<Eager>, mid: i64, half_spread: i64) -> Vec<Output> {
    let size = Qty(10 * SCALE);
    let (bid, ask) = (Price(mid - half_spread), Price(mid + half_spread));
    world.feed(BTC, EventBody::Quote(Quote { bid, bid_qty: size, ask, ask_qty: size, update_id: world.seq }))
}

#[test]
fn a_flash_move_withdraws_entries_and_pauses_for_five_minutes() {
    let breakers = BreakerParams { flash_move_ppm: 50_000, ..patient() };
    let mut world = eager_with(EngineConfig { breakers, ..config() }, 10, Manners::default());
    run_until(&mut world, "a working entry", |world| {
        world
            .engine
            .open_orders()
            .any(|order| order.purpose == Purpose::Entry && order.leaves_qty() == order.qty)
    });
    let mid = (world.bid + world.ask) / 2;
    let outputs = quote(&mut world, mid / 100 * 106 / TICK * TICK, TICK);
    assert_eq!(held(&world, SYMBOL), TradingState::ReduceOnly);
    assert!(outputs.iter().any(|output| matches!(output, Output::Cancel(_))), "quotes are pulled");
    assert_eq!(alerts(&outputs, AlertKind::Control), [Control::FlashMove as i64]);
    let begun = world.now;
    world.now = begun + 299 * SECOND;
    world.feed(InstrumentId::NONE, EventBody::Timer);
    assert_eq!(held(&world, SYMBOL), TradingState::ReduceOnly);
    world.now = begun + 300 * SECOND;
    world.feed(InstrumentId::NONE, EventBody::Timer);
    assert_eq!(held(&world, SYMBOL), TradingState::Normal);
}

/// The codes of the last refused entry.
fn refused(outputs: &[Output]) -> Option<Violations> {
    outputs.iter().rev().find_map(|output| match output {
        Output::Decision(decision) if decision.codes != 0 => Some(Violations::from_bits(decision.codes)),
        _ => None,
    })
}

/// Runs until an entry is asked for, and says what it was refused for.
fn next_refusal(world: &mut World<Eager>) -> Violations {
    for _ in 0..2_000 {
        let first = world.steps.len();
        world.tick();
        let outputs: Vec<Output> =
            world.steps[first..].iter().flat_map(|step| step.outputs.clone()).collect();
        assert_eq!(entries(&outputs), 0, "an entry went out");
        if let Some(codes) = refused(&outputs) {
            return codes;
        }
    }
    panic!("nothing was asked for");
}

#[test]
fn clock_key_budget_and_two_prices_each_stop_entries_by_their_own_code() {
    let only = |check| {
        let mut set = Violations::NONE;
        set.note(check, true);
        set
    };
    let none = InstrumentId::NONE;
    let clock = |offset_ns| EventBody::Clock(VenueClock { offset_ns });
    let key = |can_withdraw| EventBody::Key(KeyScope { can_trade: true, can_withdraw });
    let budget = |left| {
        let resets_at = TsNs(u64::MAX);
        EventBody::Budget(RequestBudget { left, limit: 100, banned_until: TsNs(0), resets_at })
    };
    let cases = [
        (Check::Clock, clock(500_000_001), clock(-500_000_000)),
        (Check::WithdrawScope, key(true), key(false)),
        (Check::VenueBudget, budget(20), budget(21)),
    ];
    for (check, bad, good) in cases {
        let mut world = guarded(11);
        world.feed(none, bad);
        assert_eq!(next_refusal(&mut world), only(check));
        world.feed(none, good);
        run_until(&mut world, "an entry", |world| world.engine.orders_sent() > 0);
    }

    let mut world = guarded(12);
    world.tick();
    let mid = (world.bid + world.ask) / 2;
    world.feed(BTC, EventBody::Mark(MarkPrice { price: Price(mid / 100 * 99) }));
    world.run(30);
    let codes = next_refusal(&mut world);
    assert!(codes.contains(Check::StaleData), "{codes}");
    assert_eq!(held(&world, SYMBOL), TradingState::ReduceOnly);
}

#[test]
fn a_ban_means_cancels_only_until_it_is_over_also_after_a_restart() {
    let mut world = guarded(13);
    let until = world.now + 60 * SECOND;
    let budget = RequestBudget { left: 100, limit: 100, banned_until: TsNs(until), resets_at: TsNs(0) };
    world.feed(InstrumentId::NONE, EventBody::Budget(budget));
    world.run(100);
    assert_eq!(held(&world, RiskScope::venue(0)), TradingState::CancelOnly);
    let mut state = Vec::new();
    world.engine.save(&mut state);
    let mut engine = smc_core::Engine::new(world.engine.config().clone(), Eager::new(7, 400)).unwrap();
    engine.load(&state).unwrap();
    world.engine = engine;
    world.run(100);
    assert_eq!(world.engine.orders_sent(), 0);
    world.now = until;
    run_until(&mut world, "an order", |world| world.engine.orders_sent() > 0);
}

#[test]
fn a_lower_limit_acts_on_the_next_order_and_withdraws_what_exceeds_it() {
    let mut world = guarded(14);
    run_until(&mut world, "a working entry", |world| {
        world
            .engine
            .open_orders()
            .any(|order| order.purpose == Purpose::Entry && order.leaves_qty() == order.qty)
    });
    let qty = world.engine.open_orders().next().unwrap().qty;
    let same = say(&mut world, limit(SYMBOL, LimitName::OrderQtyMax, qty.0));
    assert!(!same.iter().any(|output| matches!(output, Output::Cancel(_))), "equal passes");
    assert_eq!(alerts(&same, AlertKind::LimitChanged), [qty.0]);
    let lower = say(&mut world, limit(SYMBOL, LimitName::OrderQtyMax, qty.0 - LOT));
    assert!(lower.iter().any(|output| matches!(output, Output::Cancel(_))));
    let codes = refused(&lower).unwrap();
    assert!(codes.contains(Check::MaxOrderQty) && codes.contains(Check::MaxOrderLifetime), "{codes}");

    for (scope, name, value) in [
        (SYMBOL, LimitName::OrderQtyMax, -1),
        (SYMBOL, LimitName::OrderQtyMax, 0),
        (SYMBOL, LimitName::GrossMax, 1),
        (ENGINE, LimitName::OrderQtyMax, 1),
        (ENGINE, LimitName::LeverageMaxMilli, i64::MAX),
        (ENGINE, LimitName::DailyLossPpm, 0),
        (RiskScope::strategy(200), LimitName::GrossMax, 1),
        (RiskScope::instrument(InstrumentId(7)), LimitName::RepeatMax, 1),
        (RiskScope::venue(1), LimitName::GrossMax, 1),
    ] {
        let outputs = say(&mut world, limit(scope, name, value));
        assert_eq!(alerts(&outputs, AlertKind::LimitRefused), [value], "{scope:?} {name:?}");
        assert!(alerts(&outputs, AlertKind::LimitChanged).is_empty());
    }
}

#[test]
fn a_strategys_and_a_venues_limits_hold_beside_the_accounts() {
    for scope in [STRATEGY, RiskScope::venue(0)] {
        let mut world = guarded(15);
        say(&mut world, limit(scope, LimitName::GrossMax, SCALE));
        let codes = next_refusal(&mut world);
        assert!(codes.contains(Check::MaxGross), "{scope:?}: {codes}");
    }
}

/// Working entries are judged anew after each minute, by what is true then.
#[test]
fn an_entry_that_waits_is_checked_again() {
    let mut world = guarded(16);
    run_until(&mut world, "a working entry", |world| {
        world
            .engine
            .open_orders()
            .any(|order| order.purpose == Purpose::Entry && order.leaves_qty() == order.qty)
    });
    // The market is gone, and with it the reference; the entry would wait for its own end.
    say(&mut world, limit(SYMBOL, LimitName::ReferenceAgeMaxNs, SECOND as i64));
    let outputs = say(&mut world, limit(ENGINE, LimitName::OrderLifetimeNsMax, SECOND as i64));
    assert!(!outputs.iter().any(|output| matches!(output, Output::Cancel(_))));
    let mut cancelled = None;
    for _ in 0..30 {
        world.now += 100 * MS;
        let outputs = world.feed(InstrumentId::NONE, EventBody::Timer);
        cancelled = cancelled.or_else(|| refused(&outputs));
    }
    let codes = cancelled.unwrap();
    assert!(codes.contains(Check::StaleData) && codes.contains(Check::MaxOrderLifetime), "{codes}");
}

/// What an order has tied up is not missing to it: it stays while the account covers all orders, and goes when not.
#[test]
fn an_entry_that_takes_most_of_the_balance_stays_until_the_balance_does_not_cover_it() {
    let mut world = guarded(17);
    run_until(&mut world, "a working purchase", |world| {
        let is_meant = |order: &Order| {
            order.purpose == Purpose::Entry && order.side == Side::Buy && order.leaves_qty() == order.qty
        };
        world.engine.open_orders().any(is_meant)
    });
    let bought = world.engine.open_orders().filter(|order| order.side == Side::Buy);
    let tied: i64 = bought.map(|order| order.price.notional_ceil(order.leaves_qty()).0).sum();
    say(&mut world, limit(ENGINE, LimitName::OrderLifetimeNsMax, SECOND as i64));
    let mut withdrawn = |locked: i64| {
        let balance = Balance { asset: name("USDT"), free: Qty(1), locked: Qty(locked) };
        world.feed(InstrumentId::NONE, EventBody::Balance(balance));
        let mut codes = None;
        for _ in 0..12 {
            world.now += 100 * MS;
            let mid = (world.bid + world.ask) / 2;
            quote(&mut world, mid, TICK);
            codes = codes.or_else(|| refused(&world.feed(InstrumentId::NONE, EventBody::Timer)));
        }
        codes
    };
    assert_eq!(withdrawn(tied), None);
    let codes = withdrawn(tied - 2).unwrap();
    assert!(codes.contains(Check::Margin) && codes.contains(Check::MaxOrderLifetime), "{codes}");
}

/// Wants the same purchase at every quote.
struct Loop;

impl Strategy for Loop {
    fn on_quote(&mut self, _: &MarketView<'_>, quote: &Quote, intents: &mut Intents) {
        let (entry, width) = (quote.bid, quote.bid.0 / 100 / TICK * TICK);
        intents.push(Intent::Enter {
            direction: Direction::Up,
            entry,
            stop: Price(entry.0 - width),
            target: Price(entry.0 + width),
            kind: EntryKind::Rest,
            manage: Management::PLAIN,
            reasons: [0; REASONS_MAX],
            expires: TsNs(u64::MAX),
        });
    }
}

/// One entry for ever, on a venue that refuses, cancels or loses each of them: at most five reach it.
#[test]
fn a_strategy_that_repeats_one_entry_for_ever_gets_five_to_the_venue() {
    let canceled = OrderUpdateKind::Canceled { cum_qty: Qty(0) };
    for end in [OrderUpdateKind::Reject { code: -2010 }, canceled, OrderUpdateKind::NotFound] {
        let mut config = config();
        config.instruments[0].limits.repeat_max = 5;
        let mut world = World::new(1, config, Loop, Manners::default());
        world.make_ready();
        for n in 0..3_000i64 {
            world.now += 400 * MS;
            let (bid, ask) = (Price(6_000_000_000_000 + n * TICK), Price(6_000_000_000_000 + (n + 2) * TICK));
            let size = Qty(10 * SCALE);
            world.feed(BTC, EventBody::Quote(Quote { bid, bid_qty: size, ask, ask_qty: size, update_id: 0 }));
            let open: Vec<_> = world.engine.open_orders().map(|order| order.client_order_id).collect();
            for client_order_id in open {
                let update = OrderUpdate { client_order_id, venue_order_id: 0, kind: end };
                world.feed(BTC, EventBody::Order(update));
            }
            world.feed(InstrumentId::NONE, EventBody::Timer);
        }
        assert_eq!(world.engine.orders_sent(), 5, "{end:?}");
        let disabled = world.engine.held().find(|(scope, ..)| *scope == STRATEGY);
        assert_eq!(disabled.map(|(_, control, _)| control), Some(Control::RepeatExec), "{end:?}");
        // A person lets it try again.
        world.feed(InstrumentId::NONE, EventBody::Operator(act(Command::Arm, ENGINE)));
        let (bid, ask) = (Price(7_000_000_000_000), Price(7_000_000_000_000 + 2 * TICK));
        let size = Qty(10 * SCALE);
        world.now += 400 * MS;
        world.feed(BTC, EventBody::Quote(Quote { bid, bid_qty: size, ask, ask_qty: size, update_id: 0 }));
        assert_eq!(world.engine.orders_sent(), 6, "{end:?}");
    }
}

/// With a limit on value at risk nothing is entered before it can be told, then what is within it; at its edge the limit
/// denies. Beyond it without an order it warns.
#[test]
fn value_at_risk_denies_what_cannot_be_told_and_what_is_too_much() {
    let with = |most| {
        let mut config = EngineConfig { breakers: patient(), ..config() };
        config.var = smc_core::engine::VarParams { window: 50, timeframe: Some(0), ..Default::default() };
        config.account_limits.var_ppm_max = most;
        eager_with(config, 40, Manners::default())
    };
    let mut world = with(Some(1_000_000));
    let codes = next_refusal(&mut world);
    assert!(codes.contains(Check::VarLimit) && codes.iter().count() == 1, "{codes}");
    run_until(&mut world, "a window of bars and an entry", |world| world.engine.orders_sent() > 0);
    assert!(world.engine.counters().bars > 51);

    // The figure of a book that holds something, and a limit one below it.
    run_until(&mut world, "a position", |world| world.venue.position != 0);
    let figure = world.engine.var_ppm().unwrap();
    assert!(figure > 1);
    let outputs = say(&mut world, limit(ENGINE, LimitName::VarPpmMax, i64::from(figure) - 1));
    assert_eq!(alerts(&outputs, AlertKind::LimitChanged).len(), 1);
    let told = |world: &World<Eager>| {
        let all: Vec<Output> = world.outputs().copied().collect();
        alerts(&all, AlertKind::Control).contains(&(Control::ValueAtRisk as i64))
    };
    run_until(&mut world, "a warning or a refusal", |world| {
        told(world)
            || world.outputs().filter_map(|o| refused(&[*o])).any(|codes| codes.contains(Check::VarLimit))
    });
}

/// The states a day's loss goes through.
trait Steps {
    const ALL_BUT_CANCEL_ONLY: [TradingState; 4];
}

impl Steps for TradingState {
    const ALL_BUT_CANCEL_ONLY: [TradingState; 4] = [Self::Normal, Self::Warn, Self::ReduceOnly, Self::Halt];
}

#[test]
fn a_scope_that_does_not_exist_changes_nothing() {
    let mut world = guarded(30);
    run_until(&mut world, "an order", |world| world.engine.open_orders().count() > 0);
    for scope in [RiskScope::instrument(InstrumentId(9)), RiskScope::strategy(99), RiskScope::venue(77)] {
        for command in [Command::Kill, Command::Pause, Command::Arm, Command::Flatten] {
            let outputs = say(&mut world, act(command, scope));
            assert!(
                !outputs.iter().any(|output| matches!(output, Output::Cancel(_))),
                "{command:?} {scope:?}"
            );
        }
    }
    assert_eq!(world.engine.held().count(), 0);
}

/// A person takes a venue off: entries are withdrawn and none follow, what protects stays, and only `Connect` ends it.
#[test]
fn a_disconnected_venue_gets_no_entry_keeps_its_stops_and_waits_for_a_connect() {
    let mut world = guarded(31);
    run_until(&mut world, "a position with a stop", |world| {
        let has_stop = world.engine.open_orders().any(|order| order.purpose == Purpose::Stop);
        world.engine.position(BTC) != Qty::ZERO && has_stop
    });
    let venue = RiskScope::venue(0);
    let outputs = say(&mut world, act(Command::Disconnect, venue));
    assert_eq!(held(&world, venue), TradingState::CancelOnly);
    let stops: Vec<_> = world.engine.open_orders().filter(|order| order.purpose == Purpose::Stop).collect();
    let is_cancelled = |output: &Output, id| matches!(output, Output::Cancel(it) if it.client_order_id == id);
    assert!(!stops.is_empty());
    for stop in stops {
        assert!(!outputs.iter().any(|output| is_cancelled(output, stop.client_order_id)), "{stop:?}");
    }
    // Neither what ends a pause nor the acts that decide nothing let go of it.
    for command in [Command::Resume, Command::Arm, Command::Rotate, Command::Snapshot, Command::Acknowledge] {
        say(&mut world, act(command, venue));
        assert_eq!(held(&world, venue), TradingState::CancelOnly, "{command:?}");
    }
    let sent = world.engine.orders_sent();
    world.run(500);
    assert_eq!(world.engine.orders_sent(), sent);
    assert!(!world.engine.open_orders().any(|order| order.purpose == Purpose::Entry));
    // A kill of the venue is more than that: a connect does not end it.
    say(&mut world, act(Command::Kill, venue));
    say(&mut world, act(Command::Connect, venue));
    assert_eq!(held(&world, venue), TradingState::Halt);
    say(&mut world, act(Command::Arm, venue));
    say(&mut world, act(Command::Disconnect, venue));
    say(&mut world, act(Command::Connect, venue));
    assert_eq!(held(&world, venue), TradingState::Normal);
    run_until(&mut world, "an entry again", |world| {
        world.engine.open_orders().any(|order| order.purpose == Purpose::Entry)
    });
}
