//! Proves a configuration at its venues before anything is traded: addresses, clocks, rules, keys, limits, accounts and
//! prices. Connects as the engine would, sends no order, and writes nothing. For tools: it blocks and reads the clock.

use super::LaunchError;
use super::links::{Link, feed, gateway, named};
use crate::clock::Clock;
use crate::config::{FileConfig, FileError};
use crate::venue::{MarketFeed, OrderGateway};
use crate::venues::{Feeds, Gateways};
use smc_core::TsNs;
use smc_core::config::{EngineConfig, InstrumentConfig};
use smc_core::event::{Event, EventBody};
use smc_core::instrument::{InstrumentSpec, TradingStatus};
use smc_core::words::{ClientOrderId, InstrumentId, Name, Qty};
use std::time::{Duration, Instant};

/// How long logging on and the first prices may take.
const PATIENCE: Duration = Duration::from_secs(20);
/// How long the order path is listened to after it is ready: facts that come late.
const LISTEN: Duration = Duration::from_millis(500);

/// What was found about one thing.
#[derive(Clone, Debug)]
pub struct Finding {
    /// The venue.
    pub venue: String,
    /// What was looked at.
    pub what: &'static str,
    /// How it is.
    pub verdict: Verdict,
    /// What was found, for people.
    pub detail: String,
}

/// How something is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// As it should be.
    Good,
    /// Not told by the venue, or worth a look: the engine would start.
    Doubtful,
    /// The engine would not start, or not trade.
    Bad,
}

/// Collects findings of one venue.
struct Report<'a> {
    venue: &'a str,
    findings: Vec<Finding>,
}

impl Report<'_> {
    fn note(&mut self, what: &'static str, verdict: Verdict, detail: impl ToString) {
        let (venue, detail) = (self.venue.to_owned(), detail.to_string());
        self.findings.push(Finding { venue, what, verdict, detail });
    }

    fn bad(&mut self, what: &'static str, error: &LaunchError) {
        self.note(what, Verdict::Bad, error);
    }
}

/// Looks at every venue that the configuration trades at, one after the other.
pub fn check(file: &FileConfig) -> Result<Vec<Finding>, FileError> {
    let config = file.engine()?;
    let mut findings = Vec::new();
    for (venue, name) in (0u8..).zip(file.venue_names()) {
        let known = named(file, name);
        let shown = known.as_ref().map_or(name, |known| known.name);
        let mut report = Report { venue: shown, findings: Vec::new() };
        let opened = known.as_ref().map_err(ToString::to_string);
        match opened.and_then(|known| Link::open(known).map_err(|error| error.to_string())) {
            Err(error) => report.note("address", Verdict::Bad, error),
            Ok(mut link) => check_link(file, &config, venue, &mut link, &mut report),
        }
        findings.extend(report.findings);
    }
    Ok(findings)
}

fn check_link(file: &FileConfig, config: &EngineConfig, venue: u8, link: &mut Link, report: &mut Report<'_>) {
    let asked = Instant::now();
    let ours = Clock::System.now();
    match link.questions.time() {
        Err(error) => return report.bad("address", &error),
        Ok(theirs) => {
            let took = asked.elapsed();
            report.note(
                "address",
                Verdict::Good,
                format!("answers after {:.1} ms", took.as_secs_f64() * 1e3),
            );
            match link.is_simulated() {
                true => report.note("clock", Verdict::Good, "simulated: the engine takes the venue's"),
                false => check_clock(config, ours, theirs, took, report),
            }
        }
    }
    let here: Vec<(InstrumentId, &InstrumentConfig)> = (0u16..)
        .map(InstrumentId)
        .zip(&config.instruments)
        .filter(|(_, instrument)| instrument.venue == venue)
        .collect();
    let mut specs = Vec::new();
    for (id, instrument) in here {
        match link.questions.instruments(&[instrument.symbol]) {
            Err(error) => report.bad("instrument", &error),
            Ok(found) => {
                for spec in found {
                    check_rules(instrument, &spec, report);
                    specs.push((id, spec));
                }
            }
        }
    }
    if specs.is_empty() {
        return;
    }
    // A simulated venue lives in a time of its own, and takes only requests of that time.
    let clock = match link.is_simulated() {
        true => link.clock(),
        false => Ok(Clock::System),
    };
    let clock = match clock {
        Ok(clock) => clock,
        Err(error) => return report.bad("clock", &error),
    };
    match gateway(link, config, &specs) {
        Err(error) => report.bad("key", &error),
        Ok(any) => {
            let venues = vec![0; config.instruments.len()];
            check_orders(Gateways::new(vec![any], venues), link, &clock, report);
        }
    }
    let symbols: Vec<(InstrumentId, Name)> = specs.iter().map(|(id, spec)| (*id, spec.symbol)).collect();
    match feed(file, link, config, &symbols, true) {
        Err(error) => report.bad("prices", &error),
        Ok(any) => check_prices(Feeds::new(vec![(any, Vec::new(), 0)]), &symbols, &clock, report),
    }
}

fn check_clock(config: &EngineConfig, ours: TsNs, theirs: TsNs, took: Duration, report: &mut Report<'_>) {
    // The answer was made about half way.
    let middle = ours.0.saturating_add(took.as_nanos() as u64 / 2);
    let offset_ns = i128::from(theirs.0) - i128::from(middle);
    let most = config.account_limits.clock_offset_ns_max;
    let text = format!("theirs minus ours {:.1} ms, at most {} ms", offset_ns as f64 / 1e6, most / 1_000_000);
    let is_near = offset_ns.unsigned_abs() <= u128::from(most);
    let verdict = if is_near { Verdict::Good } else { Verdict::Bad };
    report.note("clock", verdict, text);
}

fn check_rules(instrument: &InstrumentConfig, spec: &InstrumentSpec, report: &mut Report<'_>) {
    let InstrumentSpec { symbol, tick, lot, qty_min, notional_min, .. } = *spec;
    let status = match spec.status {
        TradingStatus::Trading => Verdict::Good,
        // Told with the prices, as at Oanda.
        TradingStatus::Unknown => Verdict::Doubtful,
        _ => Verdict::Bad,
    };
    let rules = format!(
        "{symbol} {:?}: tick {tick}, lot {lot}, smallest order {qty_min} worth {notional_min}",
        spec.status
    );
    report.note("instrument", status, rules);
    if let Some(rule) = spec.fault(instrument.symbol) {
        report.note("instrument", Verdict::Bad, format!("{symbol}: rules that make no sense: {rule:?}"));
    }
    let limits = &instrument.limits;
    if limits.order_qty_max < qty_min || limits.order_notional_max < notional_min {
        report.note(
            "limits",
            Verdict::Bad,
            format!("{symbol}: no order is both allowed here and large enough there"),
        );
    }
}

/// What the order path said until it was ready, and a little longer.
fn check_orders(mut gateway: Gateways, link: &Link, clock: &Clock, report: &mut Report<'_>) {
    let mut heard: Vec<Event> = Vec::new();
    let started = Instant::now();
    let mut ready_at = None;
    while started.elapsed() < PATIENCE && ready_at.is_none_or(|at: Instant| at.elapsed() < LISTEN) {
        if gateway.turn(clock.now(), &mut |event| heard.push(event)) == 0 {
            std::thread::sleep(Duration::from_micros(200));
        }
        if gateway.is_ready() {
            ready_at.get_or_insert_with(Instant::now);
        }
        if let Some(reason) = gateway.fatal() {
            return report.note("key", Verdict::Bad, reason);
        }
    }
    let Some(ready_at) = ready_at else {
        return report.note("key", Verdict::Bad, format!("not ready after {} s", PATIENCE.as_secs()));
    };
    let took = ready_at.duration_since(started);
    let account = link.account.as_ref().map_or("", |account| account.api_key.as_str());
    let shown: String = account.chars().take(6).collect();
    report.note(
        "key",
        Verdict::Good,
        format!("{shown}… is accepted; ready after {:.0} ms", took.as_secs_f64() * 1e3),
    );
    tell_scope(&heard, report);
    tell_budget(&heard, report);
    tell_account(&heard, report);
}

fn tell_scope(heard: &[Event], report: &mut Report<'_>) {
    let last = heard.iter().rev().find_map(|event| match event.body {
        EventBody::Key(scope) => Some(scope),
        _ => None,
    });
    match last {
        None => report.note("scopes", Verdict::Doubtful, "the venue does not say what the key may do"),
        Some(scope) if scope.can_withdraw => {
            report.note("scopes", Verdict::Bad, "the key can withdraw: no order will be sent with it");
        }
        Some(scope) if !scope.can_trade => report.note("scopes", Verdict::Bad, "the key cannot trade"),
        Some(_) => report.note("scopes", Verdict::Good, "trades, cannot withdraw"),
    }
}

fn tell_budget(heard: &[Event], report: &mut Report<'_>) {
    let last = heard.iter().rev().find_map(|event| match event.body {
        EventBody::Budget(budget) => Some((budget, event.ts_recv)),
        _ => None,
    });
    match last {
        None => report.note("limits", Verdict::Doubtful, "the venue does not say what is left of them"),
        Some((budget, now)) if now < budget.banned_until => report.note("limits", Verdict::Bad, "banned"),
        Some((budget, _)) => {
            report.note(
                "limits",
                Verdict::Good,
                format!("{} of {} requests left", budget.left, budget.limit),
            );
        }
    }
}

fn tell_account(heard: &[Event], report: &mut Report<'_>) {
    let mut balances: Vec<String> = Vec::new();
    for event in heard {
        if let EventBody::Balance(balance) = event.body
            && (balance.free.0 != 0 || balance.locked.0 != 0)
        {
            balances.push(format!(
                "{} {}",
                balance.asset,
                Qty(balance.free.0.saturating_add(balance.locked.0))
            ));
        }
    }
    balances.sort();
    balances.dedup();
    let verdict = if balances.is_empty() { Verdict::Doubtful } else { Verdict::Good };
    let text = if balances.is_empty() { "nothing in it".to_owned() } else { balances.join(", ") };
    report.note("account", verdict, text);
    let rows = heard.iter().filter_map(|event| match event.body {
        EventBody::VenueOrder(row) => Some(row),
        _ => None,
    });
    let (mut working, mut foreign) = (Vec::new(), 0);
    for row in rows.filter(|row| row.venue_order_id != 0) {
        if !working.contains(&row.venue_order_id) {
            working.push(row.venue_order_id);
            foreign += usize::from(row.client_order_id == ClientOrderId::NONE);
        }
    }
    let held =
        heard.iter().filter(|event| matches!(event.body, EventBody::VenuePosition(row) if row.qty.0 != 0));
    let verdict = if foreign > 0 { Verdict::Doubtful } else { Verdict::Good };
    let text =
        format!("{} working orders ({foreign} of other hands), {} positions", working.len(), held.count());
    report.note("open", verdict, text);
}

fn check_prices(mut feed: Feeds, symbols: &[(InstrumentId, Name)], clock: &Clock, report: &mut Report<'_>) {
    let mut waiting: Vec<(InstrumentId, Name)> = symbols.to_vec();
    let started = Instant::now();
    while !waiting.is_empty() && started.elapsed() < PATIENCE {
        let mut told: Vec<(InstrumentId, String)> = Vec::new();
        let handled = feed.turn(clock.now(), &mut |event| {
            if let EventBody::Quote(quote) = event.body {
                told.push((event.instrument, format!("{} to {}", quote.bid, quote.ask)));
            }
        });
        for (id, text) in told {
            if let Some(at) = waiting.iter().position(|&(known, _)| known == id) {
                let (_, name) = waiting.remove(at);
                let took = started.elapsed().as_secs_f64() * 1e3;
                report.note("prices", Verdict::Good, format!("{name} {text}, after {took:.0} ms"));
            }
        }
        if handled == 0 {
            std::thread::sleep(Duration::from_micros(200));
        }
    }
    for (_, name) in waiting {
        report.note("prices", Verdict::Doubtful, format!("{name}: none after {} s", PATIENCE.as_secs()));
    }
}
