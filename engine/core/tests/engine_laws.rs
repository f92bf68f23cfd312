//! What must hold of every run of the engine, on a seeded market with an honest and a rude venue.

mod engine_harness;

use engine_harness::*;
use smc_core::event::*;
use smc_core::output::*;
use smc_core::risk::{Check, Violations};
use smc_core::strategy::Confluence;
use smc_core::words::*;

const HONEST: Manners =
    Manners { twice: 0, overtake: 0, stop_refused: 0, unknown: 0, late: 0, partial: false, base_fees: false };
const RUDE: Manners = Manners {
    twice: 10,
    overtake: 10,
    stop_refused: 5,
    unknown: 5,
    late: 2,
    partial: true,
    base_fees: false,
};
const TICKS: u64 = 40_000;

fn run(seed: u64, manners: Manners) -> World<Confluence> {
    let mut world = world(seed, manners);
    world.run(TICKS);
    world
}

#[test]
fn the_seeded_market_is_traded() {
    for seed in 1..4 {
        let world = run(seed, HONEST);
        let counters = world.engine.counters();
        let stats = world.engine.positions().stats(BTC);
        println!("seed {seed}: {counters:?} {stats:?} realised {}", world.engine.realised());
        assert!(counters.signals > 0, "seed {seed}");
        assert!(stats.wins + stats.losses > 0, "seed {seed}");
    }
}

/// The prefix law: what the engine says after k events cannot depend on event k + 1.
#[test]
fn no_output_looks_ahead() {
    let world = run(2, RUDE);
    let events = world.events();
    let whole: Vec<Output> = world.outputs().copied().collect();
    let mut rng = Rng(7);
    for _ in 0..20 {
        let k = rng.below(events.len() as u64) as usize;
        let (part, _) = replay(&events[..k]);
        assert!(whole.starts_with(&part), "event {k} changed the past");
        let said: usize = world.steps[..k].iter().map(|step| step.outputs.len()).sum();
        assert_eq!(part.len(), said, "the past of event {k} is shorter");
    }
}

#[test]
fn a_replay_says_the_same() {
    let world = run(3, RUDE);
    let (outputs, digest) = replay(&world.events());
    assert!(world.outputs().eq(&outputs));
    assert_eq!(digest, world.engine.digest());
    let (_, other) = replay(&world.events()[..world.steps.len() - 5_000]);
    assert_ne!(digest, other);
}

#[test]
fn every_order_is_preceded_by_its_decision() {
    let world = run(1, RUDE);
    let outputs: Vec<&Output> = world.outputs().collect();
    let mut orders = 0;
    for (at, output) in outputs.iter().enumerate() {
        if let Output::NewOrder(approved) = output {
            let Output::Decision(decision) = outputs[at - 1] else { panic!("no decision before {output:?}") };
            assert_eq!(decision.client_order_id, approved.order().client_order_id);
            assert_eq!(decision.codes, 0);
            orders += 1;
        }
        if let Output::Decision(decision) = output {
            let is_sent = matches!(outputs.get(at + 1), Some(Output::NewOrder(approved))
                if approved.order().client_order_id == decision.client_order_id);
            assert_eq!(is_sent, decision.codes == 0, "{decision:?}");
        }
    }
    assert_eq!(orders, world.engine.orders_sent());
    assert!(orders > 0);
}

/// The venue of the harness panics on a closing fill beyond the position.
#[test]
fn a_rude_venue_never_makes_it_exit_too_much() {
    let mut fills = 0;
    for seed in 10..18 {
        let mut world = run(seed, RUDE);
        world.command(Command::Flatten);
        world.run(300);
        assert_eq!(world.engine.position(BTC).0, world.venue.position, "seed {seed}: books disagree");
        assert_eq!(world.venue.open(), 0, "seed {seed}: orders left after flatten");
        assert_eq!(world.engine.open_orders().count(), 0, "seed {seed}");
        let dust = Qty(world.venue.position).abs();
        assert!(dust.0 < SCALE / 1_000, "seed {seed}: {dust} left after flatten");
        fills += world.venue.fills;
    }
    assert!(fills > 50, "too few fills to mean anything: {fills}");
}

#[test]
fn fees_taken_from_what_was_bought_are_not_sold_again() {
    for seed in 20..24 {
        let mut world = world(seed, Manners { base_fees: true, ..HONEST });
        // No inventory: selling what the fee took would be refused for want of balance.
        world.venue.base = 0;
        for body in world.venue.balances() {
            world.feed(InstrumentId::NONE, body);
        }
        world.run(TICKS);
        assert_eq!(world.engine.counters().rejects, 0, "seed {seed}");
        world.command(Command::Flatten);
        world.run(100);
        assert!((0..SCALE / 1_000).contains(&world.venue.base), "seed {seed}: {} left", world.venue.base);
    }
}

/// In the very event that tells of an entry's fill: a stop goes out, or the old one is being replaced, or the
/// position is already being closed.
#[test]
fn a_stop_follows_every_entry_fill() {
    let mut protected = 0;
    for seed in [1, 2, 3, 4] {
        let world = run(seed, Manners { partial: true, ..HONEST });
        let mut entries = Vec::new();
        let mut stop_qty = 0;
        let mut held = 0i64;
        for step in &world.steps {
            for output in &step.outputs {
                match output {
                    Output::NewOrder(o) if o.order().purpose == Purpose::Entry => {
                        entries.push(o.order().client_order_id);
                    }
                    Output::NewOrder(o) if o.order().purpose == Purpose::Stop => stop_qty = o.order().qty.0,
                    Output::Position(p) => held = p.qty.0.abs(),
                    _ => {}
                }
            }
            let EventBody::Order(update) = step.event.body else { continue };
            let is_entry_fill = matches!(update.kind, OrderUpdateKind::Fill { .. })
                && entries.contains(&update.client_order_id);
            // Ten quote units are dust here.
            if is_entry_fill && held > SCALE / 1_000 {
                let acts = step.outputs.iter().any(|o| match o {
                    Output::NewOrder(o) => o.order().purpose == Purpose::Stop,
                    Output::Cancel(_) => true,
                    _ => false,
                });
                assert!(acts || stop_qty > 0, "seed {seed}, event {}: naked", step.event.seq);
                protected += u32::from(acts);
            }
            if held == 0 {
                stop_qty = 0;
            }
        }
    }
    assert!(protected > 3, "{protected}");
}

#[test]
fn positions_stay_within_limits() {
    let mut config = config();
    let limit = Qty(SCALE / 10);
    config.instruments[0].limits.position_qty_max = limit;
    let strategy = confluence(&config);
    let mut world = World::new(1, config, strategy, RUDE);
    world.make_ready();
    world.run(TICKS);
    let mut positions = 0;
    for output in world.outputs() {
        if let Output::Position(position) = output {
            assert!(position.qty.abs() <= limit, "{position:?}");
            positions += 1;
        }
    }
    assert!(positions > 0);
}

#[test]
fn nothing_is_sent_before_everything_is_ready() {
    for missing in 0..4 {
        let config = config();
        let strategy = confluence(&config);
        let mut world = World::new(1, config, strategy, HONEST);
        if missing != 0 {
            world.feed(BTC, EventBody::Instrument(spec()));
        }
        if missing != 1 {
            world.feed(BTC, EventBody::Feed(FeedState::Live));
        }
        if missing != 2 {
            world.feed(InstrumentId::NONE, EventBody::Gateway(GatewayState::Ready));
        }
        if missing != 3 {
            for body in world.venue.balances() {
                world.feed(InstrumentId::NONE, body);
            }
        }
        world.run(TICKS);
        assert_eq!(world.engine.orders_sent(), 0, "missing {missing}");
        // Without a live feed no price is trusted, so there is no signal to deny.
        if missing != 1 {
            assert!(world.engine.counters().orders_denied > 0, "missing {missing}");
        }
    }
}

#[test]
fn a_kill_cancels_all_and_sends_nothing_more() {
    let mut rng = Rng(99);
    let mut cancelled = 0;
    for seed in 30..40 {
        let mut world = world(seed, RUDE);
        // Somewhere in the run, preferably while something is working.
        let least = rng.below(TICKS / 2);
        world.run(least);
        for _ in 0..TICKS / 2 {
            if world.engine.open_orders().count() > 0 {
                break;
            }
            world.tick();
        }
        let working: Vec<ClientOrderId> = world.engine.open_orders().map(|o| o.client_order_id).collect();
        let sent = world.engine.orders_sent();
        let said = world.command(Command::Kill);
        assert_eq!(world.engine.state(), TradingState::Halt);
        assert!(matches!(said.first(), Some(Output::State(change)) if change.command == Some(Command::Kill)));
        for id in working {
            let order = world.engine.open_orders().find(|o| o.client_order_id == id).copied();
            let is_cancelled = said.iter().any(|o| matches!(o, Output::Cancel(c) if c.client_order_id == id));
            assert!(is_cancelled || order.is_none_or(|o| o.is_cancel_pending()), "{id} left working");
            cancelled += u32::from(is_cancelled);
        }
        world.run(3_000);
        assert_eq!(world.engine.orders_sent(), sent, "seed {seed}: an order after the kill");
        assert_eq!(world.venue.open(), 0, "seed {seed}: still working at the venue");
        world.command(Command::Resume);
        assert_eq!(world.engine.state(), TradingState::Halt, "only arming leaves HALT");
        world.command(Command::Arm);
        assert_eq!(world.engine.state(), TradingState::Normal);
        world.run(TICKS / 2);
    }
    assert!(cancelled > 0);
}

#[test]
fn a_pause_stops_entries_and_says_why() {
    let mut world = world(1, HONEST);
    world.command(Command::Pause);
    world.run(TICKS);
    assert_eq!(world.engine.orders_sent(), 0);
    let codes = world.outputs().find_map(|output| match output {
        Output::Decision(decision) => Some(Violations::from_bits(decision.codes)),
        _ => None,
    });
    assert!(codes.unwrap().contains(Check::StateReduceOnly));
    world.command(Command::Resume);
    assert_eq!(world.engine.state(), TradingState::Normal);
    world.run(TICKS);
    assert!(world.engine.orders_sent() > 0);
}

/// Rows J7, J8, J10: what the journal cannot keep is not done, and cancels pass.
#[test]
fn j07_j08_j10_a_journal_that_cannot_keep_up_stops_orders_until_it_can() {
    let states = [
        (JournalState::Low, TradingState::Warn),
        (JournalState::Behind, TradingState::CancelOnly),
        (JournalState::Lost, TradingState::Halt),
    ];
    for (journal, state) in states {
        let (mut cancelled, mut warned) = (0, 0);
        for seed in 50..56 {
            let mut world = world(seed, HONEST);
            while world.engine.open_orders().count() == 0 {
                world.tick();
            }
            let sent = world.engine.orders_sent();
            let said = world.feed(InstrumentId::NONE, EventBody::Journal(journal));
            assert_eq!(world.engine.state(), state);
            assert!(matches!(said.first(), Some(Output::State(change)) if change.to == state));
            world.run(3_000);
            if state == TradingState::Warn {
                warned += world.engine.orders_sent() - sent;
                continue;
            }
            assert_eq!(world.engine.orders_sent(), sent, "seed {seed}: an order nobody can keep");
            let entries = world.engine.open_orders().filter(|order| order.purpose == Purpose::Entry).count();
            assert_eq!(entries, 0, "seed {seed}: an entry still works");
            cancelled += world.engine.counters().cancels;
            // What a person commanded meanwhile holds when the journal is well again.
            world.command(Command::Pause);
            world.command(Command::Arm);
            assert_eq!(world.engine.state(), state, "arming does not mend a disk");
            world.feed(InstrumentId::NONE, EventBody::Journal(JournalState::Good));
            assert_eq!(world.engine.state(), TradingState::ReduceOnly);
            world.command(Command::Resume);
            assert_eq!(world.engine.state(), TradingState::Normal);
            world.run(TICKS);
            assert!(world.engine.orders_sent() > sent);
        }
        assert!(cancelled > 0 || warned > 0, "a warning is no ban");
    }
}

#[test]
fn after_shutdown_nothing_brings_entries_back() {
    let mut world = world(1, HONEST);
    world.command(Command::Shutdown);
    world.command(Command::Resume);
    world.run(TICKS);
    assert_eq!(world.engine.orders_sent(), 0);
    assert_eq!(world.engine.state(), TradingState::ReduceOnly);
    // … but a new process, unless a person had paused or killed.
    world.command(Command::Start);
    assert_eq!(world.engine.state(), TradingState::Normal);
    world.run(TICKS);
    assert!(world.engine.orders_sent() > 0);
    for (command, state) in [(Command::Pause, TradingState::ReduceOnly), (Command::Kill, TradingState::Halt)]
    {
        world.command(command);
        world.feed(InstrumentId::NONE, EventBody::Journal(JournalState::Lost));
        world.command(Command::Shutdown);
        world.command(Command::Start);
        assert_eq!(world.engine.state(), state);
    }
}

/// Every signal can be explained from what was said before it: a swept low (for a long), a later break upwards, an
/// open zone of that break, enough reward for the risk.
#[test]
fn signals_rest_on_what_was_said_before() {
    let mut signals = 0;
    for seed in 1..6 {
        let world = run(seed, HONEST);
        let params = world.engine.config().strategy;
        let outputs: Vec<&Output> = world.outputs().collect();
        for (at, output) in outputs.iter().enumerate() {
            let Output::Signal(signal) = output else { continue };
            signals += 1;
            let of = |id: u32, kinds: &[StructureKind]| -> (usize, Structure) {
                let found = outputs[..at].iter().enumerate().rev().find_map(|(at, output)| match output {
                    Output::Structure(s) if s.id == id && kinds.contains(&s.kind) => Some((at, *s)),
                    _ => None,
                });
                found.unwrap_or_else(|| panic!("{id} of {signal:?} was never said"))
            };
            let [sweep, shift, zone, target, bias_id, session] = signal.reasons;
            let (swept_at, sweep) = of(sweep, &[StructureKind::PoolSwept, StructureKind::LevelSwept]);
            let (shifted_at, shift) = of(shift, &[StructureKind::Choch, StructureKind::Bos]);
            let (_, zone) = of(zone, &[StructureKind::ObCreated, StructureKind::FvgCreated]);
            let highest = world.engine.config().timeframes.last();
            let breaks = [StructureKind::Choch, StructureKind::Bos];
            let bias = outputs[..at].iter().rev().find_map(|output| match output {
                Output::Structure(s) if breaks.contains(&s.kind) => {
                    (Some(&s.timeframe) == highest).then_some((s.direction, s.id))
                }
                _ => None,
            });
            assert_eq!(bias, Some((signal.direction, bias_id)));
            assert_eq!(session, 0, "no session is named");
            assert_eq!(sweep.direction, signal.direction.opposite());
            assert_eq!((shift.direction, zone.direction), (signal.direction, signal.direction));
            assert_eq!((sweep.timeframe, shift.timeframe), (zone.timeframe, zone.timeframe));
            assert!(shift.known_bar >= sweep.known_bar, "{swept_at} {shifted_at}");
            assert!(zone.known_bar >= sweep.known_bar);
            let sign = signal.direction.side().sign();
            let (risk, reward) =
                ((signal.entry.0 - signal.stop.0) * sign, (signal.target.0 - signal.entry.0) * sign);
            assert!(risk > 0);
            // A tick of rounding on each price.
            let least = risk / 1_000 * i64::from(params.reward_to_risk_ppm_min / 1_000);
            assert!(reward + 4_000_000 >= least, "{signal:?}");
            let is_beyond_zone = match signal.direction {
                Direction::Up => signal.stop < zone.bottom && signal.entry <= zone.top,
                Direction::Down => signal.stop > zone.top && signal.entry >= zone.bottom,
            };
            assert!(is_beyond_zone, "{signal:?} {zone:?}");
            if target != 0 {
                let (_, target) = of(
                    target,
                    &[StructureKind::PoolFormed, StructureKind::PoolExtended, StructureKind::SwingLocked],
                );
                assert_eq!(target.direction, signal.direction);
            }
        }
    }
    assert!(signals > 20, "{signals}");
}

#[test]
fn lower_timeframes_speak_first_within_an_event() {
    let world = run(1, HONEST);
    let mut together = 0;
    for step in &world.steps {
        let mut last = 0;
        for output in &step.outputs {
            if let Output::BarClosed(_, timeframe, bar) = output {
                assert!(timeframe.secs() > last);
                assert!(bar.open_ts.0 + timeframe.nanos() <= step.event.ts_recv.0, "closed before its end");
                together += u32::from(last > 0);
                last = timeframe.secs();
            }
        }
    }
    assert!(together > 100);
}

/// Warm-up: the venue's candles make the same structure as the market watched live, and are never traded.
#[test]
fn old_candles_warm_up_and_are_not_traded() {
    let live = run(1, HONEST);
    let mut warm = world(1, HONEST);
    let (bid, ask, size) = (Price(200_000 * SCALE), Price(200_001 * SCALE), Qty(SCALE));
    let quote = Quote { bid, bid_qty: size, ask, ask_qty: size, update_id: 1 };
    warm.feed(BTC, EventBody::Quote(quote));
    warm.now += 86_400 * SECOND;
    let structures = |outputs: &[Output]| -> Vec<Structure> {
        outputs
            .iter()
            .filter_map(|output| match output {
                Output::Structure(structure) => Some(*structure),
                _ => None,
            })
            .collect()
    };
    for step in &live.steps {
        let closed: Vec<(Timeframe, Bar)> = step
            .outputs
            .iter()
            .filter_map(|output| match output {
                Output::BarClosed(_, timeframe, bar) => Some((*timeframe, *bar)),
                _ => None,
            })
            .collect();
        let mut said = Vec::new();
        for (timeframe, bar) in closed {
            said.extend(warm.feed(BTC, EventBody::Bar(timeframe, bar)));
        }
        assert_eq!(structures(&said), structures(&step.outputs));
    }
    assert_eq!(warm.engine.orders_sent() + warm.engine.counters().signals, 0);
    assert!(warm.engine.counters().intents_ignored > 0);
}
