//! What happens to a bracket inside bars: the run against the rule, on bars that a coin draws.
#![allow(clippy::unwrap_used, reason = "a test that cannot begin has failed")]

mod common;

use common::{MINUTE_NS, config, market, perpetual, venue, walk};
use proptest::prelude::*;
use smc_backtest::{Trade, VenueSettings, Wanted, run};
use smc_core::event::Bar;
use smc_core::output::Purpose;
use smc_core::strategy::{EntryKind, Intent, Intents, MarketView, Strategy};
use smc_core::words::{Direction, Price, SCALE, Timeframe, TsNs};
use smc_metrics::bracket::{self, Bracket, Exit};

const TICK: i64 = SCALE / 100;

/// Takes at the close of one bar, with stop and target so many ticks from it.
struct Once {
    at: u64,
    seen: u64,
    direction: Direction,
    stop: i64,
    target: i64,
}

impl Strategy for Once {
    fn on_bar(&mut self, view: &MarketView<'_>, _: Timeframe, bar: &Bar, intents: &mut Intents) {
        self.seen += 1;
        if self.seen != self.at {
            return;
        }
        let sign = self.direction.side().sign();
        // Far beyond, so that any opening is taken; stop and target are measured from the close.
        let price = |ticks: i64| Price(bar.close.0 + sign * ticks * TICK);
        let expires = TsNs(view.now.0 + MINUTE_NS);
        let [entry, stop, target] = [price(self.target - 1), price(-self.stop), price(self.target)];
        intents.push(Intent::enter(self.direction, entry, stop, target, EntryKind::Take, expires));
    }
}

fn trade(bars: &[Bar], at: u64, direction: Direction, stop: i64, target: i64) -> Option<Trade> {
    let venue = VenueSettings { slippage_ticks: 0, ..venue() };
    let once = Once { at, seen: 0, direction, stop, target };
    let mut config = config(&["1m"]);
    config.sizing.risk_fraction_ppm = 10_000;
    let outcome = run(&config, once, &market(bars), &venue, Wanted::default()).unwrap();
    outcome.trades.first().copied()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    /// The first exit of the rule is the run's exit: bar, price and reason.
    #[test]
    fn a_bracket_ends_as_the_rule_says(
        seed in 0u64..1_000_000, at in 1u64..20, is_long: bool, stop in 2i64..60, target in 2i64..60,
    ) {
        let bars = walk(seed, 200);
        let direction = if is_long { Direction::Up } else { Direction::Down };
        let sign = direction.side().sign();
        let close = bars[at as usize - 1].close.0;
        let price = |ticks: i64| close + sign * ticks * TICK;
        let bracket = Bracket {
            side: direction.side(),
            stop: price(-stop),
            target: price(target),
            touch_fills: false,
        };
        let plain = |bar: &Bar| bracket::Bar { open: bar.open.0, high: bar.high.0, low: bar.low.0 };
        let entry = bars[at as usize].open.0;
        // An opening at or beyond either end is another story: the order is not taken there, or it is out at once.
        let is_inside = sign * (entry - bracket.stop) > 0 && sign * (bracket.target - entry) >= TICK;
        prop_assume!(is_inside);
        let first = bracket.on_bar(&plain(&bars[at as usize]), true).map(|(exit, price)| (0, exit, price));
        let later = || {
            let rest: Vec<_> = bars[at as usize + 1..].iter().map(plain).collect();
            bracket.on_bars(&rest).map(|(nth, exit, price)| (nth + 1, exit, price))
        };
        let wanted = first.or_else(later);
        let found = trade(&bars, at, direction, stop, target);
        let Some((nth, exit, price)) = wanted else {
            prop_assert!(found.is_none());
            return Ok(());
        };
        let found = found.expect("the rule has an exit");
        prop_assert_eq!(found.entry, Price(entry));
        prop_assert_eq!(found.exit, Price(price));
        let bar = &bars[at as usize + nth];
        let at = if exit == Exit::StopGap || (exit == Exit::Target && sign * (bar.open.0 - bracket.target) > 0) {
            bar.open_ts
        } else {
            TsNs(bar.open_ts.0 + MINUTE_NS)
        };
        prop_assert_eq!(found.closed, at);
        let purpose = if exit == Exit::Target { Purpose::Target } else { Purpose::Stop };
        prop_assert_eq!(found.exit_by, Some(purpose));
        prop_assert_eq!(found.instrument.index(), 0);
        prop_assert_eq!(perpetual().tick, Price(TICK));
    }
}
