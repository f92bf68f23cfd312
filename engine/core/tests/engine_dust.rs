//! A venue that takes its fee out of what we bought: hundreds of trades leave dust and nothing else.
#![allow(clippy::unwrap_used, reason = "helpers of tests, which the lint cannot see")]

mod engine_harness;

use engine_harness::*;
use smc_core::event::*;
use smc_core::output::*;
use smc_core::words::*;

/// What the trades of one run did, order by order.
#[derive(Default)]
struct Tally {
    position: i64,
    entry_qty: i64,
    entries: [u32; 2],
    exits: u32,
    stops: u32,
    refused: u32,
    denied: u32,
    /// Exits of next to nothing: what a fee that was not allowed for left of a trade.
    remainders: u32,
}

impl Tally {
    fn add(&mut self, output: &Output, fee_ppm: i64) {
        match output {
            Output::Position(p) => self.position = p.qty.0,
            Output::Alert(alert) => self.alert(alert),
            Output::Decision(decision) => self.denied += u32::from(decision.codes != 0),
            Output::NewOrder(approved) => {
                let order = approved.order();
                match (order.purpose, order.kind) {
                    (Purpose::Entry, _) => {
                        self.entries[order.side as usize] += 1;
                        self.entry_qty = order.qty.0;
                    }
                    (_, OrderKind::Market) => {
                        self.exits += 1;
                        self.remainders += u32::from(order.qty.0 < self.entry_qty / 100);
                    }
                    _ => self.stops += 1,
                }
                if order.purpose != Purpose::Entry {
                    self.check_closing(order, fee_ppm);
                }
            }
            _ => {}
        }
    }

    /// The market may jump over a stop before it arrives; that is refused, and told of a real position.
    fn alert(&mut self, alert: &Alert) {
        match alert.kind {
            AlertKind::VenueReject => self.refused += 1,
            AlertKind::Unprotected => assert!(self.position.abs() > 10_000, "{alert:?} of dust"),
            _ => panic!("{alert:?}"),
        }
    }

    /// A closing order goes the right way, is no dust, and cannot turn the position.
    fn check_closing(&self, order: &NewOrder, fee_ppm: i64) {
        let kept = if order.side == Side::Buy { order.qty.0 * fee_ppm / 1_000_000 } else { 0 };
        assert!(self.position * order.side.sign() < 0, "position {}: {order:?}", self.position);
        assert!(order.qty.0 - kept <= self.position.abs(), "position {}: {order:?}", self.position);
        assert!(order.qty.0 >= 4_000, "an order for dust: {order:?}");
    }
}

/// The smallest order is 5, so no trade leaves more; and none of what earlier trades left adds up.
#[test]
fn hundreds_of_round_trips_leave_dust_alone() {
    for (seed, fee_ppm, partial) in [(40, 1_000, false), (41, 1_000, true), (42, 750, true), (43, 333, true)]
    {
        let mut world = eager(seed, Manners { partial, base_fees: true, ..Manners::default() });
        world.venue.fee_ppm = fee_ppm;
        let mut tally = Tally::default();
        let (mut idle, mut told) = (0u32, 0);
        for _ in 0..30_000 {
            world.tick();
            for step in &world.steps[told..] {
                step.outputs.iter().for_each(|output| tally.add(output, fee_ppm as i64));
            }
            told = world.steps.len();
            assert_eq!(world.engine.position(BTC).0, world.venue.position, "seed {seed}: books disagree");
            if world.engine.plan(BTC).is_none() && world.engine.open_orders().count() == 0 {
                let left = world.engine.position(BTC).abs();
                let value = Price(world.bid).notional_floor(left);
                assert!(value < Money(5 * SCALE + SCALE / 10), "seed {seed}: {left} is no dust");
                idle += 1;
            }
        }
        let stats = world.engine.positions().stats(BTC);
        let trips = stats.wins + stats.losses;
        println!("seed {seed}: {trips} trips, {:?} entries, {} stops", tally.entries, tally.stops);
        assert!(trips > 200 && idle > 200, "seed {seed}: {trips} trips, {idle} idle");
        assert!(tally.entries.iter().all(|&n| n > 100), "seed {seed}: {:?}", tally.entries);
        assert!(trips <= tally.entries.iter().sum::<u32>(), "seed {seed}: dust counted as trades");
        assert!(tally.refused < 5 && tally.denied == 0, "seed {seed}: {} refused", tally.refused);
        // A short needs a second exit only while the fee is still unknown.
        assert!(tally.exits > 50 && tally.remainders <= 1, "seed {seed}: {}", tally.remainders);
    }
}

/// What we say the account is worth is what the venue holds for us.
#[test]
fn equity_is_the_venues_two_balances() {
    let mut world = eager(44, Manners { partial: true, base_fees: true, ..Manners::default() });
    world.keep = false;
    let start = world.venue.quote;
    for _ in 0..5_000 {
        world.tick();
    }
    world.command(Command::Flatten);
    world.run(100);
    let mark = world.engine.book(BTC).unwrap().mark();
    let change = i128::from(world.venue.quote - start) * i128::from(SCALE)
        + i128::from(world.venue.position) * i128::from(mark.0);
    let ours = i128::from(world.engine.equity().0 - start) * i128::from(SCALE);
    // Both sides round each fill's value and fee to the unit.
    let units = i128::from(world.venue.fills) * 2 * i128::from(SCALE);
    assert!((change - ours).abs() <= units, "{change} against {ours}");
}

/// An entry as large as the limits let it be leaves its exit room: fees taken in the base asset make a short's exit
/// larger than its entry, and the price may have run. A denied exit would be tried at every timer for nothing.
#[test]
fn an_exit_is_never_too_large_for_the_limits_of_an_order() {
    for (seed, by_qty) in [(45, true), (46, false), (47, true)] {
        let mut config = config();
        let limits = &mut config.instruments[0].limits;
        if by_qty {
            limits.order_qty_max = Qty(SCALE / 50);
        } else {
            limits.order_notional_max = Money(1_000 * SCALE);
        }
        let manners = Manners { partial: true, base_fees: true, ..Manners::default() };
        let mut world = eager_with(config, seed, manners);
        let (mut denied, mut exits, mut told) = (0, 0, 0);
        for _ in 0..10_000 {
            world.tick();
            for output in world.steps[told..].iter().flat_map(|step| &step.outputs) {
                match output {
                    Output::Decision(decision) => denied += u32::from(decision.codes != 0),
                    Output::NewOrder(order) => exits += u32::from(order.order().purpose != Purpose::Entry),
                    _ => {}
                }
            }
            told = world.steps.len();
        }
        assert!(exits > 100, "seed {seed}: {exits} exits prove nothing");
        assert_eq!(denied, 0, "seed {seed}");
    }
}
