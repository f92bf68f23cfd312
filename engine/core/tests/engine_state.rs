//! The whole engine saved and brought back: it goes on as if nothing had happened, no other engine takes its
//! state, and no bytes can make one that crashes.
#![allow(clippy::unwrap_used, reason = "a test may crash")]

mod engine_harness;
mod engine_storm;

use engine_harness::{BTC, Eager, Manners, Rng, World};
use engine_storm::{Dice, Mixed, Storm};
use smc_core::config::EngineConfig;
use smc_core::event::*;
use smc_core::state::{State, StateError};
use smc_core::strategy::{Confluence, Strategy};
use smc_core::words::*;
use smc_core::{Engine, Outbox};

/// Version and fingerprint.
const HEAD: usize = 9;
impl Dice for Rng {
    fn below(&mut self, n: u64) -> u64 {
        self.next() % n
    }
}

const RUDE: Manners =
    Manners { twice: 10, overtake: 10, stop_refused: 5, unknown: 5, late: 2, partial: true, base_fees: true };

fn confluence(config: EngineConfig) -> Engine<Confluence> {
    let strategy = Confluence::for_config(&config);
    Engine::new(config, strategy).unwrap()
}

fn eager(config: EngineConfig) -> Engine<Eager> {
    Engine::new(config, Eager::new(5, 400)).unwrap()
}

fn saved<S: Strategy + State>(engine: &mut Engine<S>) -> Vec<u8> {
    let mut bytes = Vec::new();
    engine.save(&mut bytes);
    bytes
}

/// `count` events of a storm, as the engine's own words lead it on.
fn storm<S: Strategy>(mut engine: Engine<S>, seed: u64, count: usize) -> Vec<Event> {
    let (mut storm, mut rng, mut outbox) = (Storm::default(), Rng(seed), Outbox::new());
    let mut events = storm.opening();
    events.iter().for_each(|event| feed(&mut engine, &mut outbox, event));
    while events.len() < count {
        let event = storm.next(&engine, &mut rng);
        feed(&mut engine, &mut outbox, &event);
        events.push(event);
    }
    let counters = engine.counters();
    let stats = engine.positions().stats(BTC);
    println!("seed {seed}: {counters:?} {stats:?} {} open", engine.open_orders().count());
    assert!(counters.fills > 20 && counters.bars > 500, "too quiet to prove anything");
    events
}

fn feed<S: Strategy>(engine: &mut Engine<S>, outbox: &mut Outbox, event: &Event) {
    engine.on_event(event, outbox);
    outbox.clear();
}

/// Everything said to `events`, as bytes.
fn said<S: Strategy>(engine: &mut Engine<S>, events: &[Event]) -> Vec<u8> {
    let (mut all, mut outbox) = (Vec::new(), Outbox::new());
    for event in events {
        engine.on_event(event, &mut outbox);
        outbox.encoded().for_each(|(_, bytes)| all.extend_from_slice(bytes));
        outbox.clear();
    }
    all
}

/// Cut anywhere, saved, loaded onto a fresh engine or onto one with another past, and fed the rest: the same words,
/// the same digest, the same state at the end. And saving changed nothing.
fn check_continuation<S: Strategy + State>(
    new: impl Fn() -> Engine<S>,
    events: &[Event],
    cuts: usize,
    rng: &mut Rng,
) {
    let mut plain = new();
    let whole = said(&mut plain, events);
    let end = saved(&mut plain);
    let mut cuts: Vec<usize> = (0..cuts).map(|_| rng.next() as usize % events.len()).collect();
    cuts.extend([0, 1, events.len()]);
    cuts.sort_unstable();
    let (mut first, mut fed, mut heard, mut used) = (new(), 0, 0, new());
    for (nth, cut) in cuts.into_iter().enumerate() {
        heard += said(&mut first, &events[fed..cut]).len();
        fed = cut;
        let bytes = saved(&mut first);
        let mut second = if nth % 2 == 0 { new() } else { std::mem::replace(&mut used, new()) };
        assert_eq!(second.load(&bytes), Ok(()), "cut at {cut}");
        assert!(saved(&mut second) == bytes, "cut at {cut}: saved again, it is not the same");
        check_reads(&first, &second);
        assert!(said(&mut second, &events[cut..]) == whole[heard..], "cut at {cut}: other words");
        assert_eq!(second.digest(), plain.digest());
        assert_eq!(second.counters(), plain.counters());
        assert_eq!(second.equity(), plain.equity());
        assert!(saved(&mut second) == end, "cut at {cut}: another end");
        used = second;
    }
    said(&mut first, &events[fed..]);
    assert!(saved(&mut first) == end, "saving changed something");
}

fn check_reads<S>(a: &Engine<S>, b: &Engine<S>) {
    assert_eq!(
        (a.state(), a.now(), a.digest(), a.counters()),
        (b.state(), b.now(), b.digest(), b.counters())
    );
    assert_eq!((a.equity(), a.fees(), a.realised()), (b.equity(), b.fees(), b.realised()));
    assert!(a.open_orders().eq(b.open_orders()));
    for id in a.positions().instruments() {
        let of = |engine: &Engine<S>| {
            let positions = engine.positions();
            let stats = (positions.stats(id), positions.base_fee(id), positions.unrealised(id));
            (engine.plan(id), positions.qty(id), positions.average(id), positions.fees(id), stats)
        };
        assert_eq!(of(a), of(b));
        let (a, b) = (a.book(id).unwrap(), b.book(id).unwrap());
        assert_eq!((a.feed(), a.top(), a.mark()), (b.feed(), b.top(), b.mark()));
        assert_eq!((a.reference(), a.last_trade()), (b.reference(), b.last_trade()));
        for side in [Side::Buy, Side::Sell] {
            assert!(a.levels(side).eq(b.levels(side)));
        }
    }
    for asset in ["USDT", "BTC", "ETH", "BNB", "DOGE"].map(engine_storm::name) {
        assert_eq!(a.positions().balance(asset), b.positions().balance(asset));
    }
}

#[test]
fn a_loaded_engine_goes_on_word_for_word_in_a_storm() {
    for seed in 1..7 {
        let mut rng = Rng(seed);
        let config = if seed % 2 == 0 { engine_storm::config() } else { engine_storm::rich_config() };
        let new = || Mixed::engine(config.clone());
        check_continuation(new, &storm(new(), seed, 20_000), 12, &mut rng);
    }
}

/// A long one, in which every ring has gone round.
#[test]
fn a_loaded_engine_goes_on_after_its_rings_have_gone_round() {
    let new = || Engine::new(engine_storm::config(), Eager::new(2, 200)).unwrap();
    let events = storm(new(), 11, 200_000);
    let mut engine = new();
    said(&mut engine, &events);
    let counters = engine.counters();
    assert!(counters.orders_sent > 2_100 && counters.fills > 1_100, "{counters:?}");
    check_continuation(new, &events, 6, &mut Rng(5));
}

/// The built-in strategy on a market that it trades, with a rude venue and an operator.
fn troubled(config: EngineConfig, seed: u64) -> World<Confluence> {
    let strategy = Confluence::for_config(&config);
    let mut world = World::new(seed, config, strategy, RUDE);
    world.make_ready();
    let mut rng = Rng(seed);
    for _ in 0..25_000 {
        world.tick();
        match rng.next() % 4_000 {
            0 => drop(world.command(Command::Kill)),
            1 => drop(world.command(Command::Flatten)),
            2 => drop(world.command(Command::Pause)),
            3 => drop(world.feed(BTC, EventBody::Feed(FeedState::Down))),
            4 => drop(world.feed(InstrumentId::NONE, EventBody::Gateway(GatewayState::Down))),
            5..25 => {
                world.command(Command::Arm);
                world.command(Command::Resume);
                world.feed(BTC, EventBody::Feed(FeedState::Live));
                world.feed(InstrumentId::NONE, EventBody::Gateway(GatewayState::Ready));
            }
            _ => {}
        }
    }
    world
}

#[test]
fn the_built_in_strategy_goes_on_word_for_word() {
    let (mut fills, mut signals) = (0, 0);
    for seed in 1..8 {
        let mut config = engine_harness::config();
        if seed % 2 == 0 {
            let rich = engine_storm::rich_config();
            (config.smc, config.calendar, config.strategy) = (rich.smc, rich.calendar, rich.strategy);
        }
        let world = troubled(config.clone(), seed);
        fills += world.engine.fills();
        signals += world.engine.counters().signals;
        check_continuation(|| confluence(config.clone()), &world.events(), 8, &mut Rng(seed));
    }
    println!("{fills} fills, {signals} signals");
    assert!(fills > 80 && signals > 25, "{fills} fills, {signals} signals");
}

#[test]
fn another_configuration_or_strategy_refuses_the_state() {
    let config = engine_storm::rich_config();
    let bytes = saved(&mut confluence(config.clone()));
    assert_eq!(confluence(config.clone()).load(&bytes), Ok(()));
    type Change = fn(&mut EngineConfig);
    let changes: [Change; 14] = [
        |c| c.instance += 1,
        |c| c.order_sequence_first += 1,
        |c| c.instruments[1].limits.repeat_max += 1,
        |c| c.instruments.truncate(1),
        |c| c.account_limits.messages_max += 1,
        |c| c.timeframes.truncate(3),
        |c| c.bars.close_grace_ns += 1,
        |c| c.bars.source = smc_core::config::BarSource::QuoteMid,
        |c| c.smc.pivot_right += 1,
        |c| c.calendar.sessions[1].end_secs += 60,
        |c| c.strategy.cooldown_bars += 1,
        |c| c.sizing.fee_ppm += 1,
        |c| c.execution.retry_ns += 1,
        |c| c.starting_equity = Some(Money(SCALE)),
    ];
    for change in changes {
        let mut other = config.clone();
        change(&mut other);
        let refusal = confluence(other).load(&bytes);
        assert!(matches!(refusal, Err(StateError::OtherSettings { .. })), "{refusal:?}");
    }
    // The same configuration, but a strategy built from another.
    let mut params = config.strategy;
    params.sweep_age_bars_max += 1;
    let other = Confluence::for_config(&EngineConfig { strategy: params, ..config.clone() });
    let refusal = Engine::new(config.clone(), other).unwrap().load(&bytes);
    assert!(matches!(refusal, Err(StateError::OtherSettings { .. })), "{refusal:?}");
    let of_eager = saved(&mut eager(config.clone()));
    assert!(Engine::new(config.clone(), Eager::new(6, 400)).unwrap().load(&of_eager).is_err());
    assert!(confluence(config.clone()).load(&of_eager).is_err());
    let newer = [&[bytes[0] + 1], &bytes[1..]].concat();
    assert_eq!(confluence(config).load(&newer), Err(StateError::OtherVersion { got: bytes[0] + 1 }));
}

/// An engine in a storm, and the storm as it stands.
fn caught(config: EngineConfig, seed: u64, count: usize) -> (Engine<Mixed>, Storm) {
    let (mut engine, mut storm, mut rng, mut outbox) =
        (Mixed::engine(config), Storm::default(), Rng(seed), Outbox::new());
    for event in storm.opening() {
        feed(&mut engine, &mut outbox, &event);
    }
    // On, until there is something to damage.
    for fed in 0.. {
        if fed >= count && engine.open_orders().count() > 1 && engine.plan(BTC).is_some() {
            break;
        }
        assert!(fed < 200_000, "the storm has blown over");
        let event = storm.next(&engine, &mut rng);
        feed(&mut engine, &mut outbox, &event);
    }
    println!("seed {seed}: {:?}", engine.counters());
    (engine, storm)
}

#[test]
fn half_a_state_is_none() {
    let config = engine_storm::rich_config();
    let (mut engine, _) = caught(config.clone(), 3, 1_000);
    let mut bytes = saved(&mut engine);
    println!("{} bytes", bytes.len());
    let mut second = Mixed::engine(config);
    for cut in 0..bytes.len() {
        assert!(second.load(&bytes[..cut]).is_err(), "{cut} of {} bytes", bytes.len());
    }
    bytes.push(0);
    assert_eq!(second.load(&bytes), Err(StateError::Spare { bytes: 1 }));
}

/// A flipped bit is refused or makes another state; no later event may trip over that, and it saves and loads like
/// any other. `SMC_STATE_FLIPS` (3000) bits are flipped, from `SMC_TEST_SEED` (1) on.
#[test]
fn damaged_states_are_refused_or_run() {
    #[allow(clippy::disallowed_methods, reason = "the core reads no environment, its tests may")]
    let number = |key: &str, default: u64| {
        std::env::var(key).ok().and_then(|text| text.parse().ok()).unwrap_or(default)
    };
    let (flips, seed) = (number("SMC_STATE_FLIPS", 3_000), number("SMC_TEST_SEED", 1));
    println!("SMC_STATE_FLIPS={flips} SMC_TEST_SEED={seed}");
    let (mut loaded, mut refused, mut outbox) = (0u64, 0u64, Outbox::new());
    for (nth, config) in [engine_storm::config(), engine_storm::rich_config()].into_iter().enumerate() {
        let (mut engine, storm) = caught(config.clone(), seed + nth as u64, 4_000);
        let bytes = saved(&mut engine);
        let mut rng = Rng(seed ^ 0xF11B);
        for flip in 0..flips / 2 {
            let mut damaged = bytes.clone();
            // Structure is most of the bytes and has tests of its own: every second flip is before it.
            let end = if flip % 2 == 0 { bytes.len() } else { bytes.len() / 6 };
            let at = HEAD + rng.next() as usize % (end - HEAD);
            damaged[at] ^= 1 << (rng.next() % 8);
            let mut second = Mixed::engine(config.clone());
            if second.load(&damaged).is_err() {
                refused += 1;
                continue;
            }
            loaded += 1;
            let (mut storm, mut rng) = (storm.clone(), Rng(seed + flip));
            for _ in 0..2_000 {
                let event = storm.next(&second, &mut rng);
                feed(&mut second, &mut outbox, &event);
            }
            let again = saved(&mut second);
            let mut third = Mixed::engine(config.clone());
            assert_eq!(third.load(&again), Ok(()), "flip {flip} at {at} of {}", bytes.len());
            assert!(saved(&mut third) == again);
        }
    }
    println!("{loaded} loaded, {refused} refused");
    assert!(loaded > flips / 10 && refused > flips / 10, "{loaded} loaded, {refused} refused");
}
