//! Tickers: the last prices and the day's statistics; on linear a snapshot and then what changed, on spot always all.
//!
//! Pure.

use super::depth::Paper;
use super::words::{Stepped, plain, rate_ppm};
use crate::dialect::binance_spot::candles::{Bar, Candles, INTERVALS};
use smc_core::words::{SCALE, clamp_i64};
use smc_core::{Price, TsNs};

/// Hours between two payments of funding.
pub const FUNDING_HOURS: u64 = 8;

/// Prices that do not come from the book.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Quote {
    /// Mark price, 1e-8.
    pub mark: i64,
    /// Index price, 1e-8.
    pub index: i64,
    /// Rate of the next funding, in ppm.
    pub funding_ppm: i64,
    /// When funding is paid next.
    pub funding_at: TsNs,
    /// Open interest in base units, 1e-8.
    pub open_interest: i64,
    /// Highest price of a buy and lowest of a sell, 1e-8.
    pub price_limit: Option<(i64, i64)>,
}

/// What a ticker is made of besides the quote.
pub struct Facts<'a> {
    /// Category, symbol and steps.
    pub paper: Paper<'a>,
    /// The book's number.
    pub seq: u64,
    /// Best bid: price and quantity.
    pub bid: (i64, i64),
    /// Best ask: price and quantity.
    pub ask: (i64, i64),
    /// Last price, and how it moved.
    pub last: Option<(Price, &'static str)>,
    /// The candles, for the day's statistics.
    pub candles: &'a Candles,
}

type Fields = Vec<(&'static str, String)>;

/// What the readers of the topic have.
#[derive(Clone, Debug, Default)]
pub struct Ticker {
    sent: Fields,
}

impl Ticker {
    /// What is due; none when nothing changed.
    pub fn update(&mut self, facts: &Facts<'_>, quote: &Quote, now: TsNs) -> Option<String> {
        let fields = fields(facts, quote);
        if fields == self.sent {
            return None;
        }
        let old = std::mem::replace(&mut self.sent, fields);
        if facts.paper.category.is_spot() {
            return Some(message(facts, "snapshot", &self.sent, now));
        }
        let changed: Fields = self
            .sent
            .iter()
            .enumerate()
            .filter(|(at, field)| old.get(*at) != Some(*field))
            .map(|(_, f)| f.clone())
            .collect();
        Some(message(facts, "delta", &changed, now))
    }

    /// All fields, for a new reader.
    pub fn snapshot(facts: &Facts<'_>, quote: &Quote, now: TsNs) -> String {
        message(facts, "snapshot", &fields(facts, quote), now)
    }

    /// All fields of `market/tickers`: on spot best bid and ask too, which the topic does not have.
    pub fn rest_fields(facts: &Facts<'_>, quote: &Quote) -> Fields {
        let mut all = fields(facts, quote);
        if facts.paper.category.is_spot() {
            all.extend(top_fields(facts));
        } else {
            let unused = ["predictedDeliveryPrice", "basisRate", "deliveryFeeRate", "basis", "basisRateYear"];
            all.extend(unused.map(|name| (name, String::new())));
            all.push(("deliveryTime", "0".to_owned()));
        }
        all
    }
}

fn message(facts: &Facts<'_>, kind: &str, fields: &[(&'static str, String)], now: TsNs) -> String {
    let (symbol, seq, ts) = (facts.paper.symbol, facts.seq, now.as_ms());
    let mut data = format!(r#"{{"symbol":"{symbol}""#);
    for (name, value) in fields {
        data.push_str(&format!(r#","{name}":"{value}""#));
    }
    data.push('}');
    if facts.paper.category.is_spot() {
        format!(r#"{{"topic":"tickers.{symbol}","ts":{ts},"type":"{kind}","cs":{seq},"data":{data}}}"#)
    } else {
        format!(r#"{{"topic":"tickers.{symbol}","type":"{kind}","data":{data},"cs":{seq},"ts":{ts}}}"#)
    }
}

fn top_fields(facts: &Facts<'_>) -> [(&'static str, String); 4] {
    let price = |value| Stepped { value, step: facts.paper.tick }.to_string();
    let qty = |value| Stepped { value, step: facts.paper.lot }.to_string();
    [
        ("bid1Price", price(facts.bid.0)),
        ("bid1Size", qty(facts.bid.1)),
        ("ask1Price", price(facts.ask.0)),
        ("ask1Size", qty(facts.ask.1)),
    ]
}

fn fields(facts: &Facts<'_>, quote: &Quote) -> Fields {
    let price = |value: i64| Stepped { value, step: facts.paper.tick }.to_string();
    let day = Day::of(facts.candles);
    let (last, direction) = match facts.last {
        Some((last, direction)) => (last.0, direction),
        None => (day.last, "ZeroPlusTick"),
    };
    let change =
        if day.before == 0 { 0 } else { i128::from(last - day.before) * 1_000_000 / i128::from(day.before) };
    let change = rate_ppm(clamp_i64(change));
    if facts.paper.category.is_spot() {
        return vec![
            ("lastPrice", price(last)),
            ("highPrice24h", price(day.high)),
            ("lowPrice24h", price(day.low)),
            ("prevPrice24h", price(day.before)),
            ("volume24h", plain(day.volume)),
            ("turnover24h", plain(day.turnover)),
            ("price24hPcnt", change),
            ("usdIndexPrice", plain(quote.index)),
        ];
    }
    let interest_value =
        clamp_i64(i128::from(quote.open_interest) * i128::from(quote.mark) / i128::from(SCALE));
    let mut all = vec![
        ("tickDirection", direction.to_owned()),
        ("price24hPcnt", change),
        ("lastPrice", price(last)),
        ("prevPrice24h", price(day.before)),
        ("highPrice24h", price(day.high)),
        ("lowPrice24h", price(day.low)),
        ("prevPrice1h", price(day.hour_before)),
        ("markPrice", price(quote.mark)),
        ("indexPrice", price(quote.index)),
        ("openInterest", plain(quote.open_interest)),
        ("openInterestValue", plain(interest_value)),
        ("turnover24h", plain(day.turnover)),
        ("volume24h", plain(day.volume)),
        ("fundingIntervalHour", FUNDING_HOURS.to_string()),
        ("fundingCap", "0.005".to_owned()),
        ("nextFundingTime", quote.funding_at.as_ms().to_string()),
        ("fundingRate", rate_ppm(quote.funding_ppm)),
    ];
    all.extend(top_fields(facts));
    all.extend(["preOpenPrice", "preQty", "curPreListingPhase"].map(|name| (name, String::new())));
    all
}

/// Statistics of about a day: the last twenty-four candles of an hour, the forming one among them.
struct Day {
    before: i64,
    hour_before: i64,
    last: i64,
    high: i64,
    low: i64,
    volume: i64,
    turnover: i64,
}

impl Day {
    fn of(candles: &Candles) -> Self {
        let hour = INTERVALS.iter().position(|(_, seconds)| *seconds == 3_600).unwrap_or(0);
        let bars: Vec<&Bar> = candles.bars(hour).rev().take(24).collect();
        let sum = |part: fn(&Bar) -> i64| bars.iter().fold(0i64, |sum, bar| sum.saturating_add(part(bar)));
        Self {
            before: bars.last().map_or(0, |bar| bar.kline.open.0),
            hour_before: bars.first().map_or(0, |bar| bar.kline.open.0),
            last: bars.first().map_or(0, |bar| bar.kline.close.0),
            high: bars.iter().map(|bar| bar.kline.high.0).max().unwrap_or(0),
            low: bars.iter().map(|bar| bar.kline.low.0).min().unwrap_or(0),
            volume: sum(|bar| bar.kline.volume.0),
            turnover: sum(|bar| bar.kline.quote_volume),
        }
    }
}
