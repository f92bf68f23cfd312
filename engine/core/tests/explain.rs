//! What explains a decision is what made it: the gate's findings, the strategy's looks, the engine's notes.
#![allow(clippy::unwrap_used, reason = "a helper that panics fails its test")]

mod engine_harness;
mod strategy_common;

use engine_harness::{Manners, Rng, World, eager, world};
use smc_core::book::Reference;
use smc_core::config::EngineConfig;
use smc_core::engine::Step;
use smc_core::event::{Bar, EventBody, FeedState};
use smc_core::instrument::TradingStatus;
use smc_core::output::*;
use smc_core::risk::{AccountLimits, Amount, CHECKS, Check, Exposure, Facts, Margining, Violations};
use smc_core::sizing::{Rate, SizeReason};
use smc_core::strategy::{
    Confluence, ConfluenceParams, Intent, Intents, Look, MarketView, SessionSet, Standing, Strategy,
};
use smc_core::words::*;

const STATES: [TradingState; 5] = [
    TradingState::Normal,
    TradingState::Warn,
    TradingState::ReduceOnly,
    TradingState::CancelOnly,
    TradingState::Halt,
];

/// Mostly sound, each part now and then at, over or far beyond its limit.
fn facts(rng: &mut Rng) -> (Facts, NewOrder) {
    let mut near = |limit: i64| match rng.below(8) {
        0 => limit,
        1 => limit + 1,
        2 => limit.saturating_mul(3),
        3 => -limit,
        4 => 0,
        _ => limit / 2,
    };
    let (limits, account) = (engine_harness::limits(), engine_harness::account_limits());
    let price = near(60_000 * SCALE);
    let order = NewOrder {
        client_order_id: ClientOrderId::new(1, 1, 7),
        instrument: InstrumentId(0),
        side: Side::Buy,
        kind: OrderKind::Limit,
        time_in_force: TimeInForce::Gtc,
        price: Price(price / 1_000_000 * 1_000_000 + near(4) / 4),
        stop_price: Price(near(59_000 * SCALE)),
        qty: Qty(near(2 * SCALE)),
        purpose: Purpose::Entry,
        signal_id: 0,
        terms: OrderTerms::PLAIN,
    };
    let position = Qty(near(2 * SCALE));
    let margins = [
        Margining::Unknown,
        Margining::Part { needed: Money(near(800 * SCALE)), free: Money(near(1_000 * SCALE)) },
        Margining::Whole { needed: near(SCALE).into(), free: near(SCALE).into() },
    ];
    let (left, offset, var) = (near(2 * SCALE), near(500_000_000), near(50_000).unsigned_abs() as u32);
    let (equity, gross) = (Money(near(100_000 * SCALE)), near(300_000 * SCALE));
    let exposure = Exposure { gross: i128::from(gross.abs()), net: i128::from(near(300_000 * SCALE)) };
    let (same, other) = (i128::from(near(SCALE)).abs(), i128::from(near(SCALE)).abs());
    let reference_price = Price(60_000 * SCALE + near(1_200 * SCALE));
    let now = TsNs(1_000 * engine_harness::SECOND);
    let reference_ts = TsNs(now.0.saturating_add_signed(near(5 * engine_harness::SECOND as i64)));
    let (open, repeats) = (near(10).unsigned_abs() as u32, near(20).unsigned_abs() as u32);
    let sides = [Side::Buy, Side::Sell];
    let kinds = [OrderKind::Limit, OrderKind::LimitMaker, OrderKind::Market, OrderKind::StopLimit];
    let statuses = [
        TradingStatus::Trading,
        TradingStatus::Unknown,
        TradingStatus::Halted,
        TradingStatus::CancelOnly,
        TradingStatus::Trading,
    ];
    let margin = margins[rng.below(3) as usize];
    let parent_left = rng.chance(70).then_some(left.into());
    let clock_offset_ns = rng.chance(70).then_some(offset);
    let var_ppm = rng.chance(70).then_some(var);
    let (own, used) = (rng.below(5) as u32, rng.below(60) as u32);
    let open_orders_scope = rng.chance(50).then_some((own, 3));
    let requests = rng.chance(70).then_some((used, 100));
    let account = AccountLimits { var_ppm_max: rng.chance(80).then_some(50_000), ..account };
    let facts = Facts {
        state: STATES[rng.below(5) as usize],
        loss_level: STATES[rng.below(5) as usize],
        is_allowed: rng.chance(90),
        status: statuses[rng.below(5) as usize],
        tick: Price(if rng.chance(95) { 1_000_000 } else { 0 }),
        lot: Qty(if rng.chance(95) { 1_000 } else { 0 }),
        qty_min: Qty(1_000),
        notional_min: Money(5 * SCALE),
        limits,
        account,
        now,
        reference: rng.chance(90).then_some(Reference { price: reference_price, ts: reference_ts }),
        unit_at_reference: rng.chance(90).then_some(reference_price),
        unit_at_price: rng.chance(90).then_some(order.price),
        unit_in_quote: order.price,
        position,
        base_fee: Rate::from_ppm(if rng.chance(50) { 1_000 } else { 0 }),
        same_side_qty: same,
        other_side_qty: other,
        others: rng.chance(90).then_some(exposure),
        equity,
        open_orders: open,
        open_orders_all: open + rng.below(60) as u32,
        is_throttled: rng.chance(10),
        is_duplicate: rng.chance(10),
        repeats,
        is_repeat_latched: rng.chance(10),
        is_self_trade: rng.chance(10),
        open_orders_scope,
        margin,
        parent_left,
        requests,
        clock_offset_ns,
        is_key_fit: rng.chance(80),
        var_ppm,
    };
    let side = sides[rng.below(2) as usize];
    (facts, NewOrder { side, kind: kinds[rng.below(4) as usize], ..order })
}

/// The violated findings are the gate's codes, and each finding's own numbers say the same.
#[test]
fn findings_are_the_codes_and_their_numbers_agree() {
    let seed = 0x5EED_0021;
    println!("seed {seed:#x}");
    let mut rng = Rng(seed);
    let mut seen = [[0u32; 2]; CHECKS];
    for _ in 0..20_000 {
        let (facts, order) = facts(&mut rng);
        let mut set = Violations::NONE;
        for (finding, check) in facts.findings(&order).into_iter().zip(Check::ALL) {
            assert_eq!(finding.check, check);
            set.note(check, finding.is_violated);
            seen[check as usize - 1][usize::from(finding.is_violated)] += 1;
            let holds = finding.is_exempt || finding.bound.holds(finding.measured);
            assert_eq!(holds, !finding.is_violated, "{finding:?} of {order:?} with {facts:?}");
        }
        assert_eq!(set, facts.violations(&order));
    }
    // A check of working orders, which no new one can fail.
    seen[Check::MaxOrderLifetime as usize - 1] = [101; 2];
    assert!(seen.iter().flatten().all(|&n| n > 100), "a check that never (or always) fails: {seen:?}");
}

/// Over a whole run: the decision's codes are those of the kept facts, the order is the one asked about, an
/// entry's quantity is that of its sizing, and each cancel has its move.
#[test]
fn the_notes_of_an_event_are_about_its_outputs() {
    let manners = Manners { partial: true, stop_refused: 20, ..Manners::default() };
    let mut counts = [0; 4];
    for seed in 1..4 {
        println!("seed {seed}");
        follow(|| eager(seed, manners), &mut counts);
        follow(|| world(seed, manners), &mut counts);
    }
    assert!(counts.iter().all(|&n| n > 20), "decisions, refusals, entries, cancels: {counts:?}");
}

/// Makes a run, then goes through its events again, one by one, and looks at the notes after each.
fn follow<S: Strategy>(make: impl Fn() -> World<S>, counts: &mut [u32; 4]) {
    let mut made = make();
    for tick in 0..6_000 {
        // Now and then the market data is gone for a while, and entries are refused.
        let state = match tick % 400 {
            300 => Some(FeedState::Stale),
            350 => Some(FeedState::Live),
            _ => None,
        };
        if let Some(state) = state {
            made.feed(engine_harness::BTC, EventBody::Feed(state));
        }
        made.tick();
    }
    let mut again = make();
    let ready = again.steps.len();
    again.engine.note_why();
    for step in &made.steps[ready..] {
        again.engine.on_event(&step.event, &mut again.outbox);
        let outputs: Vec<Output> = again.outbox.drain().collect();
        assert_eq!(outputs, step.outputs);
        check(&outputs, &again, counts);
    }
}

fn check<S: Strategy>(outputs: &[Output], world: &World<S>, counts: &mut [u32; 4]) {
    let why = world.engine.why();
    let decisions = outputs.iter().filter_map(|output| match output {
        Output::Decision(decision) => Some(decision),
        _ => None,
    });
    let mut asked = why.asked.iter();
    for decision in decisions {
        let asked = asked.next().unwrap();
        assert_eq!(asked.order.client_order_id, decision.client_order_id);
        let violated = asked.findings().into_iter().filter(|finding| finding.is_violated);
        let mut set = Violations::NONE;
        violated.for_each(|finding| set.note(finding.check, true));
        assert_eq!(set.bits(), decision.codes);
        counts[0] += 1;
        counts[1] += u32::from(decision.codes != 0);
        if asked.order.purpose == Purpose::Entry {
            let sizing = why.sizings.iter().find(|s| s.signal_id == asked.order.signal_id).unwrap();
            assert_eq!(sizing.size.qty, asked.order.qty);
            let (by_risk, (_, least)) = (sizing.qty_by_risk(), sizing.tightest());
            match sizing.size.reason {
                SizeReason::Ok => assert_eq!(by_risk, asked.order.qty),
                SizeReason::Capped => assert!(least < by_risk && least >= asked.order.qty),
                _ => assert_eq!(asked.order.qty, Qty::ZERO),
            }
            counts[2] += 1;
        }
    }
    assert_eq!(asked.next().map(|asked| asked.order), None);
    for output in outputs {
        if let Output::Cancel(cancel) = output {
            let id = cancel.client_order_id;
            assert!(why.moves.iter().any(|taken| taken.step == Step::Cancel(id)), "{cancel:?}");
            counts[3] += 1;
        }
    }
    if outputs.is_empty() && !why.moves.iter().any(|taken| taken.step != Step::Finish) {
        assert!(why.asked.is_empty() && why.sizings.is_empty());
    }
}

/// Looks before it lets the strategy decide.
struct Looking {
    inner: Confluence,
    met: u32,
    failed: [u32; smc_core::strategy::CONDITIONS],
}

impl Strategy for Looking {
    fn on_structure(&mut self, view: &MarketView<'_>, structure: &Structure, intents: &mut Intents) {
        self.inner.on_structure(view, structure, intents);
    }

    fn on_bar(&mut self, view: &MarketView<'_>, timeframe: Timeframe, bar: &Bar, intents: &mut Intents) {
        let looks = self.inner.looks(view, timeframe);
        let mut own = Intents::default();
        self.inner.on_bar(view, timeframe, bar, &mut own);
        let wanted = own.iter().find_map(|intent| match intent {
            Intent::Enter { direction, entry, .. } => Some((*direction, *entry)),
            Intent::Exit => None,
        });
        let met = looks.iter().flatten().find(|look| look.is_met());
        assert_eq!(met.map(|look| look.direction), wanted.map(|(direction, _)| direction), "{looks:?}");
        if let Some((look, (_, entry))) = met.zip(wanted) {
            self.met += 1;
            assert_eq!(entry_of(look), Some(entry));
        }
        for look in looks.iter().flatten() {
            for (condition, failed) in look.conditions.iter().zip(&mut self.failed) {
                *failed += u32::from(condition.standing == Standing::Failed);
            }
        }
        own.iter().for_each(|intent| intents.push(*intent));
    }
}

fn entry_of(look: &Look) -> Option<Price> {
    look.conditions.iter().find_map(|condition| match condition.measure {
        smc_core::strategy::Measure::Zones { place, .. } => place.map(|(entry, _)| entry),
        _ => None,
    })
}

/// "Everything holds" exactly when the strategy asks for a trade, under many sets of parameters.
#[test]
fn a_look_holds_exactly_when_there_is_a_signal() {
    let base = ConfluenceParams::default();
    let sets = [
        base,
        ConfluenceParams { require_bias: false, accept_higher_sweeps: true, ..base },
        ConfluenceParams { require_sweep: false, require_shift: false, require_discount: false, ..base },
        ConfluenceParams { require_zone: false, require_liquidity_target: true, ..base },
        ConfluenceParams { require_ote: true, accept_ote: true, accept_breakers: true, ..base },
        ConfluenceParams {
            entry_sessions: SessionSet::of(1),
            entry_margin_min: 30,
            signals_per_day_max: 1,
            exit_sessions: SessionSet::of(2),
            exit_margin_min: 60,
            require_bias: false,
            ..base
        },
    ];
    let (mut met, mut failed) = (0, [0; smc_core::strategy::CONDITIONS]);
    for (nth, params) in sets.into_iter().enumerate() {
        let seed = 40 + nth as u64;
        println!("set {nth}, seed {seed}");
        let (inner, config): (Confluence, EngineConfig) = strategy_common::confluence(params);
        let mut looking = Looking { inner, met: 0, failed: Default::default() };
        let bars = strategy_common::minutes(seed, 12);
        let mut held_for = 0;
        strategy_common::watch(&mut looking, &config, &bars, |_| {
            held_for += 1;
            // Only a late one is taken up, so that the strategy goes on looking.
            held_for == 4
        });
        met += looking.met;
        failed.iter_mut().zip(looking.failed).for_each(|(sum, n)| *sum += n);
        assert!(looking.met > 0, "set {nth} never signals");
    }
    println!("{met} signals; failed conditions {failed:?}");
    assert!(failed.iter().all(|&n| n > 0), "a condition never fails: {failed:?}");
    let nothing = Amount::Nothing;
    assert!(!smc_core::risk::Bound::AtMost(Amount::Count(1)).holds(nothing));
}
