//! Entries sized by the engine: the methods, the gate of the lower bound, and heat over two instruments.
#![allow(clippy::unwrap_used, reason = "helpers of tests, which the lint cannot see")]

mod engine_harness;
mod engine_storm;

use engine_harness::{BTC, Eager, Manners, Rng, World};
use engine_storm::{Dice, Mixed, Storm};
use smc_core::config::{EngineConfig, SizingMethod};
use smc_core::engine::Cap;
use smc_core::output::Purpose;
use smc_core::sizing::policy::Verdict;
use smc_core::sizing::{Rate, SizeReason};
use smc_core::words::*;
use smc_core::{Engine, Outbox};

impl Dice for Rng {
    fn below(&mut self, n: u64) -> u64 {
        self.next() % n
    }
}

/// A run that trades all the time and cheaply, event by event through an engine that says why.
fn watch(ticks: u64, change: impl FnOnce(&mut EngineConfig), mut look: impl FnMut(&Engine<Eager>)) {
    let mut config = engine_harness::config();
    config.sizing.fee_ppm = 20;
    change(&mut config);
    let strategy = || Eager::new(7, 400);
    let mut world = World::new(5, config.clone(), strategy(), Manners::default());
    world.venue.fee_ppm = 20;
    world.make_ready();
    world.run(ticks);
    let (mut engine, mut outbox) = (Engine::new(config, strategy()).unwrap(), Outbox::new());
    engine.note_why();
    for event in world.events() {
        engine.on_event(&event, &mut outbox);
        outbox.clear();
        look(&engine);
    }
    assert_eq!(engine.digest(), world.engine.digest());
}

/// Ten round trips of a coin that costs fees: the probation ends, no edge is shown, and no entry leaves any more.
#[test]
fn kelly_trades_its_probation_and_then_asks_for_an_edge() {
    let change = |config: &mut EngineConfig| {
        config.sizing.method = SizingMethod::Kelly;
        config.sizing.kelly.probation_trades = 10;
    };
    let (mut probation, mut refused, mut sent) = (0, 0, 0);
    watch(20_000, change, |engine| {
        let stats = engine.positions().stats(BTC);
        for sizing in engine.why().sizings {
            let stake = sizing.stake.unwrap();
            assert_eq!((stake.evidence.wins, stake.evidence.losses), (stats.wins, stats.losses));
            if stake.verdict == Verdict::Probation {
                assert!(stats.wins + stats.losses < 10 && sizing.risk_fraction <= Rate::from_ppm(1_000));
                probation += 1;
            } else {
                assert_eq!((stake.verdict, sizing.size.reason), (Verdict::NoEdge, SizeReason::NoEdge));
                assert_eq!((sizing.size.qty, engine.orders_sent()), (Qty::ZERO, sent));
                assert!(stats.wins + stats.losses >= 10);
                refused += 1;
            }
        }
        sent = engine.orders_sent();
    });
    println!("{probation} in probation, {refused} refused");
    assert!(probation >= 10 && refused > 10);
}

#[test]
fn a_fixed_quantity_is_that_or_less() {
    let fixed = Qty(SCALE / 100);
    let change = |config: &mut EngineConfig| {
        config.sizing.method = SizingMethod::FixedQuantity;
        config.sizing.quantity = Qty(fixed.0 + 1);
    };
    let mut seen = 0;
    watch(3_000, change, |engine| {
        for sizing in engine.why().sizings {
            assert_eq!((sizing.size.reason, sizing.size.qty), (SizeReason::Capped, fixed));
            assert_eq!(sizing.tightest().0, Cap::FixedQuantity);
            seen += 1;
        }
    });
    assert!(seen > 10);
}

/// In a storm over two instruments no entry makes all stops together cost more than the limit, and the limit is what
/// cuts some of them.
#[test]
fn no_entry_heats_the_account_beyond_its_limit() {
    let mut config = engine_storm::config();
    config.sizing.fee_ppm = 20;
    config.sizing.risk_fraction_ppm = 1_000;
    config.sizing.heat.open_ppm_max = 150;
    config.sizing.heat.cluster_ppm_max = 150;
    let mut engine = Mixed::engine(config);
    let (mut storm, mut rng, mut outbox) = (Storm::default(), Rng(9), Outbox::new());
    storm.opening().iter().for_each(|event| feed(&mut engine, &mut outbox, event));
    engine.note_why();
    let (mut entries, mut cut) = (0, 0);
    for _ in 0..60_000 {
        let event = storm.next(&engine, &mut rng);
        feed(&mut engine, &mut outbox, &event);
        for sizing in engine.why().sizings.iter().filter(|sizing| sizing.size.qty > Qty::ZERO) {
            let limit = sizing.equity.0 as f64 * 150e-6;
            let heat = heat(&engine);
            // Dust is no trade; less than a cent can be lost on it here.
            assert!(heat <= limit + 1e6, "{heat} of {limit}: {sizing:?}");
            entries += 1;
            let is_heat = matches!(sizing.tightest().0, Cap::OpenHeat | Cap::ClusterHeat);
            cut += u32::from(sizing.size.reason == SizeReason::Capped && is_heat);
        }
    }
    println!("{entries} entries, {cut} cut by heat");
    assert!(entries > 100 && cut > 5);
}

fn feed(engine: &mut Engine<Mixed>, outbox: &mut Outbox, event: &smc_core::Event) {
    engine.on_event(event, outbox);
    outbox.clear();
}

/// What all planned trades would lose from their entries, or from what they paid on average, to their stops, by the definition and roughly. A trade whose
/// price ran away may count for more in the engine, never for less.
fn heat(engine: &Engine<Mixed>) -> f64 {
    let of = |id: InstrumentId| {
        let Some(plan) = engine.plan(id) else { return 0.0 };
        let working: i64 = engine
            .open_orders()
            .filter(|order| order.instrument == id && order.purpose == Purpose::Entry)
            .map(|order| order.leaves_qty().0)
            .sum();
        let held = (engine.position(id).0 * plan.direction.side().sign()).max(0);
        let stop = plan.stop.0 as f64;
        let loss = |from: i64, qty: i64| {
            // From beyond the stop nothing more is lost.
            let distance = (from as f64 - stop) * plan.direction.side().sign() as f64;
            (distance.max(0.0) + 20e-6 * (from as f64 + stop)) * qty as f64 / 1e8
        };
        loss(plan.entry.0, working) + loss(engine.positions().average(id).0, held)
    };
    engine.positions().instruments().map(of).sum()
}

/// The highest equity is seen, and what lies below it takes from the stake.
#[test]
fn a_drawdown_takes_from_the_stake() {
    let change = |config: &mut EngineConfig| {
        config.sizing.method = SizingMethod::Kelly;
        config.sizing.kelly.probation_trades = 100_000;
        config.sizing.kelly.drawdown_limit_ppm = 500;
    };
    let (mut highest, mut stopped) = (Money::ZERO, 0);
    watch(30_000, change, |engine| {
        assert!(engine.equity_high() >= highest, "it never falls");
        highest = engine.equity_high();
        for sizing in engine.why().sizings {
            let stake = sizing.stake.unwrap();
            let below = (highest.0 - sizing.equity.0) as f64 / highest.0 as f64;
            assert!(stake.evidence.drawdown >= below - 1e-12);
            assert_eq!(stake.verdict == Verdict::Drawdown, below >= 0.000_5, "{stake:?}");
            let most = 0.001 * (1.0 - below / 0.000_5);
            assert!(sizing.risk_fraction.0 as f64 <= most.max(0.0) * 1e8 + 1.0);
            stopped += u32::from(sizing.size.reason == SizeReason::Drawdown);
        }
    });
    println!("{stopped} stopped by drawdown");
    assert!(stopped > 0);
}
