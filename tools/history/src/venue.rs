//! `[backtest]` into the exchange's settings.

use crate::data::DataError;
use smc_backtest::VenueSettings;
use smc_backtest::settings::{Delay, Fees, Financing, Funding, Impact, Queue};
use smc_core::instrument::{Contract, ContractKind, InstrumentSpec};
use smc_core::words::{Money, Name, Price, Qty, SCALE, TsNs};
use smc_import::number;
use smc_metrics::queue::QueueModel;
use smc_settings::file::{
    BacktestSection, FileConfig, KindWord, LatencyWord, QueueWord, RulesSection, VenueKind, Weekday, utc,
};
use std::path::{Path, PathBuf};

/// What an account begins with where nothing is said: as many units of the quote asset.
const BALANCE: i64 = 100_000 * SCALE;
const HOUR_NS: u64 = 3_600_000_000_000;

/// A file of the section that cannot be used, or a key that makes no sense.
fn refuse(key: &str, reason: &str) -> DataError {
    DataError::File(PathBuf::from(format!("backtest.{key}")), reason.to_owned())
}

/// The exchange of a configuration. Files of the section are found beside `base`.
pub fn settings(config: &FileConfig, base: &Path) -> Result<VenueSettings, DataError> {
    let section = &config.backtest;
    let mut venue = VenueSettings::default();
    venue.seed = section.seed.unwrap_or(venue.seed);
    venue.balances = balances(config)?;
    venue.fees = fees(config)?;
    let ns = |ms: Option<f64>, key: &str, default: &Delay| match ms {
        None => Ok(default.clone()),
        Some(ms) if (0.0..=3.6e6).contains(&ms) => Ok(Delay::Constant((ms * 1e6) as u64)),
        Some(_) => Err(refuse(key, "milliseconds between 0 and 3,600,000")),
    };
    venue.feed = ns(section.feed_ms, "feed_ms", &venue.feed)?;
    venue.entry = ns(section.entry_ms, "entry_ms", &venue.entry)?;
    venue.response = ns(section.response_ms, "response_ms", &venue.response)?;
    if let Some(file) = &section.latency_file {
        (venue.entry, venue.response) = latencies(&base.join(file), section.latency)?;
    }
    let power = section.queue_power.unwrap_or(2.0);
    venue.queue = match section.queue {
        QueueWord::RiskAverse => Queue::RiskAverse,
        QueueWord::Power => Queue::Probable(QueueModel::Power(power)),
        QueueWord::Power2 => Queue::Probable(QueueModel::Power2(power)),
        QueueWord::Power3 => Queue::Probable(QueueModel::Power3(power)),
        QueueWord::Log => Queue::Probable(QueueModel::Log),
        QueueWord::Log2 => Queue::Probable(QueueModel::Log2),
    };
    venue.funding = funding(section, base)?;
    if let Some(financing) = section.financing {
        let time = financing.roll.time.ok_or_else(|| refuse("financing.roll", "a time such as 22:00:00"))?;
        venue.financing = Some(Financing {
            long_e8: financing.long.0,
            short_e8: financing.short.0,
            roll_s: u32::from(time.hour) * 3_600
                + u32::from(time.minute) * 60
                + u32::from(time.second.unwrap_or(0)),
            triple_on: match financing.triple {
                Weekday::Monday => 0,
                Weekday::Tuesday => 1,
                Weekday::Wednesday => 2,
                Weekday::Thursday => 3,
                Weekday::Friday => 4,
            },
        });
    }
    venue.impact = section.impact.map(|impact| Impact {
        factor: impact.factor,
        sigma_day: impact.sigma_day,
        adv: impact.adv,
    });
    venue.spread = section.spread.map_or(venue.spread, |spread| Price(spread.0));
    venue.slippage_ticks = section.slippage_ticks.unwrap_or(venue.slippage_ticks);
    venue.touch_fills = section.touch_fills;
    venue.keeps_brackets = section.keeps_brackets.unwrap_or(venue.keeps_brackets);
    venue.unsized_qty = section.unsized_qty.map_or(venue.unsized_qty, |qty| Qty(qty.0));
    venue.missed_fills_ppm = section.missed_fills_ppm;
    venue.check().map_err(|error| refuse(error.name, error.reason))?;
    Ok(venue)
}

fn name(key: &str, text: &str) -> Result<Name, DataError> {
    let found = Name::new(text).filter(|name| !name.as_bytes().is_empty());
    found.ok_or_else(|| refuse(key, "an asset of 1 to 15 letters"))
}

fn balances(config: &FileConfig) -> Result<Vec<(Name, Qty)>, DataError> {
    let given = &config.backtest.balances;
    if given.is_empty() {
        return Ok(vec![(name("balances", &config.engine.quote_asset)?, Qty(BALANCE))]);
    }
    given.iter().map(|(asset, qty)| Ok((name("balances", asset)?, Qty(qty.0)))).collect()
}

fn fees(config: &FileConfig) -> Result<Vec<Fees>, DataError> {
    let section = &config.backtest;
    if section.fees.is_empty() {
        let usual = config.sizing.fee_ppm.unwrap_or(1_000).min(100_000) as i32;
        let (maker, taker) = (section.maker_fee_ppm.unwrap_or(usual), section.taker_fee_ppm.unwrap_or(usual));
        return Ok(vec![Fees { from: TsNs(0), maker_ppm: maker, taker_ppm: taker }]);
    }
    if section.maker_fee_ppm.is_some() || section.taker_fee_ppm.is_some() {
        return Err(refuse("fees", "either by date or maker_fee_ppm and taker_fee_ppm, not both"));
    }
    let step = |fees: &smc_settings::file::FeesSection| {
        let from = utc(fees.from).ok_or_else(|| refuse("fees.from", "a date such as 2024-01-01"))?;
        Ok(Fees { from, maker_ppm: fees.maker_ppm, taker_ppm: fees.taker_ppm })
    };
    section.fees.iter().map(step).collect()
}

/// Rows of a small CSV file, without header and comments, as whole numbers or whatever `read` makes of a cell.
fn rows<T>(path: &Path, columns: usize, read: impl Fn(&[&str]) -> Option<T>) -> Result<Vec<T>, DataError> {
    let fail = |reason: String| DataError::File(path.to_owned(), reason);
    let text = std::fs::read_to_string(path).map_err(|error| fail(error.to_string()))?;
    let mut out = Vec::new();
    for (nth, line) in (1u64..).zip(text.lines()) {
        let line = line.trim();
        let is_header = nth == 1 && line.starts_with(|first: char| first.is_ascii_alphabetic());
        if line.is_empty() || line.starts_with('#') || is_header {
            continue;
        }
        let cells: Vec<&str> = line.split(',').map(str::trim).collect();
        let row = (cells.len() >= columns).then(|| read(&cells)).flatten();
        out.push(row.ok_or_else(|| fail(format!("line {nth}: `{line}` is no row of {columns} numbers")))?);
    }
    if out.is_empty() { Err(fail("no rows".into())) } else { Ok(out) }
}

/// Send, exchange and receive times of orders into the two ways.
fn latencies(path: &Path, how: LatencyWord) -> Result<(Delay, Delay), DataError> {
    let number = |text: &str| text.parse::<u64>().ok();
    let mut rows = rows(path, 3, |cells| {
        let [send, exchange, receive] = [number(cells[0])?, number(cells[1])?, number(cells[2])?];
        (send <= exchange && exchange <= receive).then_some((send, exchange, receive))
    })?;
    rows.sort_unstable();
    Ok(match how {
        LatencyWord::Samples => (
            Delay::Samples(rows.iter().map(|(send, exchange, _)| exchange - send).collect()),
            Delay::Samples(rows.iter().map(|(_, exchange, receive)| receive - exchange).collect()),
        ),
        LatencyWord::Recorded => (
            Delay::Recorded(rows.iter().map(|&(send, exchange, _)| (TsNs(send), exchange - send)).collect()),
            Delay::Recorded(
                rows.iter().map(|&(_, exchange, receive)| (TsNs(exchange), receive - exchange)).collect(),
            ),
        ),
    })
}

fn funding(section: &BacktestSection, base: &Path) -> Result<Funding, DataError> {
    match (&section.funding_file, section.funding_rate) {
        (Some(_), Some(_)) => Err(refuse("funding_file", "either a file or funding_rate, not both")),
        (Some(file), None) => {
            let mut points = rows(&base.join(file), 2, |cells| {
                Some((number::stamp(cells[0])?, Price::parse(cells[1].as_bytes()).ok()?.0))
            })?;
            points.sort_unstable();
            Ok(Funding::Recorded(points))
        }
        (None, Some(rate)) => {
            let hours = section.funding_hours.unwrap_or(8);
            if !(1..=168).contains(&hours) {
                return Err(refuse("funding_hours", "1 to 168"));
            }
            Ok(Funding::Every { interval_ns: u64::from(hours) * HOUR_NS, rate_e8: rate.0 })
        }
        (None, None) => Ok(Funding::None),
    }
}

/// An instrument as the configuration has it, where it says more than the data.
pub fn rules(config: &FileConfig, spec: &mut InstrumentSpec, at: usize) -> Result<(), DataError> {
    let symbol = spec.symbol.as_str().to_owned();
    let rules = config.backtest.rules.get(&symbol).copied().unwrap_or_default();
    let venue =
        config.instruments.get(at).and_then(|instrument| instrument.venue.as_deref()).unwrap_or_default();
    let venue = config.venue_named(venue).map(|venue| venue.at.kind);
    let kind = rules.kind.unwrap_or(match venue {
        Some(VenueKind::BinanceUsdm | VenueKind::BybitLinear) => KindWord::Linear,
        Some(VenueKind::Oanda) => KindWord::Fx,
        _ => KindWord::Spot,
    });
    spec.contract = contract(kind, &rules, venue);
    spec.tick = rules.tick.map_or(spec.tick, |tick| Price(tick.0));
    spec.lot = rules.lot.map_or(spec.lot, |lot| Qty(lot.0));
    spec.qty_min = rules.qty_min.map_or(spec.lot, |qty| Qty(qty.0));
    spec.notional_min = rules.notional_min.map_or(spec.notional_min, |value| Money(value.0));
    match spec.fault(spec.symbol) {
        None => Ok(()),
        Some(rule) => Err(refuse(&format!("rules.{symbol}"), &format!("rule {rule} makes no sense"))),
    }
}

fn contract(kind: KindWord, rules: &RulesSection, venue: Option<VenueKind>) -> Contract {
    let size = rules.size.map_or(Qty(SCALE), |size| Qty(size.0));
    let core = match kind {
        KindWord::Spot => ContractKind::Spot,
        KindWord::Linear => ContractKind::Linear,
        KindWord::Inverse => ContractKind::Inverse,
        KindWord::Fx => ContractKind::Fx,
    };
    if core == ContractKind::Spot {
        return Contract { size, ..Contract::SPOT };
    }
    let margin_initial_ppm = rules.margin_initial_ppm.unwrap_or(50_000);
    let margin_maintenance_ppm = rules.margin_maintenance_ppm.unwrap_or(margin_initial_ppm / 2);
    // What Oanda can do with orders, where it is Oanda; the others keep no pairs.
    let is_oanda = venue == Some(VenueKind::Oanda) || core == ContractKind::Fx;
    Contract {
        kind: core,
        size,
        margin_initial_ppm,
        margin_maintenance_ppm,
        can_replace: is_oanda,
        can_oco: false,
        can_attach: is_oanda,
        can_reduce_only: true,
    }
}
