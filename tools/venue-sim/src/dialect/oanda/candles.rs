//! Candles of any granularity from the bars that the market keeps, aligned as the venue aligns them.
//!
//! Times without a price have no candle. Before the market's start there are minutes only.

use super::market::{BAR_S, Market};
use super::refusal::Refusal;
use super::wire::{Obj, decimal};
use crate::market::fx::calendar::{self, DAY_S};
use crate::market::fx::{FxBar, Ohlc};
use smc_core::TsNs;

/// Most candles of one answer.
pub const COUNT_MAX: usize = 5_000;
/// Candles when nothing else is asked.
pub const COUNT: usize = 500;

/// Length of a candle.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Granularity {
    /// So many seconds.
    Seconds(i64),
    /// From one weekly alignment to the next.
    Week,
    /// A calendar month of trading days.
    Month,
}

impl Granularity {
    /// Reads `M5` and the like.
    pub fn parse(text: &str) -> Option<Self> {
        let seconds = match text {
            "S5" => 5,
            "S10" => 10,
            "S15" => 15,
            "S30" => 30,
            "M1" => 60,
            "M2" => 120,
            "M4" => 240,
            "M5" => 300,
            "M10" => 600,
            "M15" => 900,
            "M30" => 1_800,
            "H1" => 3_600,
            "H2" => 7_200,
            "H3" => 10_800,
            "H4" => 14_400,
            "H6" => 21_600,
            "H8" => 28_800,
            "H12" => 43_200,
            "D" => DAY_S,
            "W" => return Some(Self::Week),
            "M" => return Some(Self::Month),
            _ => return None,
        };
        Some(Self::Seconds(seconds))
    }
}

/// Where days and weeks begin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Alignment {
    /// Hour of the day.
    pub hour: i64,
    /// Day of the week, Sunday is 0.
    pub weekday: i64,
    /// By New York's clock; else by UTC.
    pub is_new_york: bool,
}

impl Default for Alignment {
    fn default() -> Self {
        Self { hour: 17, weekday: 5, is_new_york: true }
    }
}

impl Alignment {
    /// Start of the candle that holds a second, and its end.
    fn around(&self, granularity: Granularity, second: i64) -> (i64, i64) {
        let hour_s = 3_600;
        match granularity {
            Granularity::Seconds(length) if length <= hour_s => {
                let start = second - second.rem_euclid(length);
                (start, start + length)
            }
            _ => {
                let local = second + if self.is_new_york { calendar::new_york_offset_s(second) } else { 0 };
                let shifted = local - self.hour * hour_s;
                let day = shifted.div_euclid(DAY_S);
                let (start, end) = match granularity {
                    Granularity::Seconds(length) => {
                        let start = day * DAY_S + shifted.rem_euclid(DAY_S) / length * length;
                        (start, start + length)
                    }
                    Granularity::Week => {
                        let first = day - (calendar::weekday(day) - self.weekday).rem_euclid(7);
                        (first * DAY_S, (first + 7) * DAY_S)
                    }
                    Granularity::Month => {
                        // A trading day has the date on which it ends, when it begins in the afternoon.
                        let late = i64::from(self.hour >= 12);
                        let (year, month, _) = calendar::date_of(day + late);
                        let (next_year, next_month) =
                            if month == 12 { (year + 1, 1) } else { (year, month + 1) };
                        let first = |year, month| (calendar::days_of(year, month, 1) - late) * DAY_S;
                        (first(year, month), first(next_year, next_month))
                    }
                };
                let back = |shifted: i64| {
                    let local = shifted + self.hour * hour_s;
                    if self.is_new_york { calendar::from_new_york_s(local) } else { local }
                };
                (back(start), back(end))
            }
        }
    }
}

/// What is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ask {
    /// Index of the instrument.
    pub instrument: usize,
    /// As it was written, for the answer.
    pub name: String,
    /// Length of a candle.
    pub granularity: Granularity,
    /// Middle, bid and ask.
    pub prices: [bool; 3],
    /// Most candles.
    pub count: usize,
    /// Not before the candle that holds this.
    pub from: Option<TsNs>,
    /// Before this.
    pub to: Option<TsNs>,
    /// Whether the candle that holds `from` belongs to it.
    pub has_first: bool,
    /// Whether each candle opens where the last one closed.
    pub is_smooth: bool,
    /// Where days and weeks begin.
    pub alignment: Alignment,
}

/// Reads `MBA`: which prices.
pub fn parse_prices(text: &str) -> Option<[bool; 3]> {
    let mut prices = [false; 3];
    for letter in text.bytes() {
        *prices.get_mut(b"MBA".iter().position(|it| *it == letter)?)? = true;
    }
    prices.contains(&true).then_some(prices)
}

/// The candles, oldest first, as the venue writes them.
pub fn answer(market: &Market, ask: &Ask, now: TsNs) -> Result<Obj, Refusal> {
    let mut candles = gather(market, ask);
    if candles.len() > ask.count {
        if ask.from.is_some() && ask.to.is_some() {
            return Err(Refusal::Malformed("Maximum value for 'count' exceeded".to_owned()));
        }
        match ask.from {
            Some(_) => candles.truncate(ask.count),
            None => drop(candles.drain(..candles.len() - ask.count)),
        }
    }
    if ask.is_smooth {
        for at in 1..candles.len() {
            let before = candles[at - 1].0;
            let bar = &mut candles[at].0;
            for (mine, last) in
                [(&mut bar.mid, before.mid), (&mut bar.bid, before.bid), (&mut bar.ask, before.ask)]
            {
                mine.open = last.close;
                mine.high = mine.high.max(last.close);
                mine.low = mine.low.min(last.close);
            }
        }
    }
    let decimals = market.rules(ask.instrument).price_decimals;
    let json = |(bar, end): &(FxBar, i64)| candle(bar, *end <= calendar::seconds(now), ask.prices, decimals);
    let name = market.rules(ask.instrument).name;
    Ok(Obj::new()
        .text("instrument", name.as_str())
        .text("granularity", &ask.name)
        .list("candles", candles.iter().map(json)))
}

/// Candles with their ends. Without a `from` the search begins at the end and stops once it has enough.
fn gather(market: &Market, ask: &Ask) -> Vec<(FxBar, i64)> {
    let (minutes, fine) = market.bars(ask.instrument);
    let to = ask.to.map_or(i64::MAX, |to| i64::try_from(to.0.div_ceil(1_000_000_000)).unwrap_or(i64::MAX));
    let from = ask.from.map(|from| {
        let (start, end) = ask.alignment.around(ask.granularity, calendar::seconds(from));
        if ask.has_first { start } else { end }
    });
    let is_fine = matches!(ask.granularity, Granularity::Seconds(length) if length < 60);
    let minutes = if is_fine { &[] } else { minutes };
    let mut found: Vec<(FxBar, i64)> = Vec::new();
    for bar in minutes.iter().chain(fine).rev() {
        if bar.open_s >= to {
            continue;
        }
        if from.is_some_and(|from| bar.open_s < from) {
            break;
        }
        let (start, end) = ask.alignment.around(ask.granularity, bar.open_s);
        let is_enough = from.is_none() && found.len() == ask.count;
        match found.last_mut().filter(|(last, _)| last.open_s == start) {
            Some((last, _)) => {
                let mut joined = FxBar { open_s: start, ..*bar };
                joined.join(last);
                *last = joined;
            }
            None if is_enough => break,
            None => found.push((FxBar { open_s: start, ..*bar }, end)),
        }
    }
    // A `to` inside a candle leaves that candle whole in the venue's answer; the bars after it are added here.
    if let Some((last, end)) = found.first_mut().filter(|(_, end)| to < *end) {
        for bar in minutes.iter().chain(fine).filter(|bar| (to..*end).contains(&bar.open_s)) {
            last.join(bar);
        }
    }
    found.reverse();
    found
}

fn candle(bar: &FxBar, is_complete: bool, prices: [bool; 3], decimals: u32) -> String {
    let four = |it: &Ohlc| {
        let price = |value| decimal(value, decimals);
        Obj::new()
            .text("o", &price(it.open))
            .text("h", &price(it.high))
            .text("l", &price(it.low))
            .text("c", &price(it.close))
            .done()
    };
    let start = TsNs(u64::try_from(bar.open_s).unwrap_or(0) * calendar::SECOND_NS);
    let mut object = Obj::new()
        .raw("complete", if is_complete { "true" } else { "false" })
        .raw("volume", &bar.volume.to_string())
        .time("time", start);
    for (is_wanted, (key, it)) in prices.iter().zip([("mid", &bar.mid), ("bid", &bar.bid), ("ask", &bar.ask)])
    {
        if *is_wanted {
            object = object.raw(key, &four(it));
        }
    }
    object.done()
}

const _: () = assert!(BAR_S == 5, "the finest granularity is S5");

#[cfg(test)]
mod tests {
    use super::*;

    fn at(date: (i64, i64, i64), hour: i64) -> i64 {
        calendar::days_of(date.0, date.1, date.2) * DAY_S + hour * 3_600
    }

    #[test]
    fn days_begin_at_five_in_new_york_weeks_on_friday_and_months_with_their_first_trading_day() {
        let alignment = Alignment::default();
        let start = |text: &str, second| alignment.around(Granularity::parse(text).expect("known"), second).0;
        // Wednesday 2026-01-07 08:00 UTC; New York is five hours behind.
        let now = at((2026, 1, 7), 8);
        assert_eq!(start("D", now), at((2026, 1, 6), 22));
        assert_eq!(start("H4", now), at((2026, 1, 7), 6));
        assert_eq!(start("H1", now + 59), now);
        assert_eq!(start("W", now), at((2026, 1, 2), 22));
        assert_eq!(start("M", now), at((2025, 12, 31), 22));
        // In summer the same day begins an hour earlier by UTC.
        assert_eq!(start("D", at((2026, 7, 7), 8)), at((2026, 7, 6), 21));
        let utc = Alignment { hour: 0, weekday: 1, is_new_york: false };
        assert_eq!(utc.around(Granularity::Month, now), (at((2026, 1, 1), 0), at((2026, 2, 1), 0)));
        assert_eq!(utc.around(Granularity::Week, now).0, at((2026, 1, 5), 0));
    }

    #[test]
    fn prices_are_named_by_their_letters() {
        assert_eq!(parse_prices("BA"), Some([false, true, true]));
        assert_eq!(parse_prices("MBA"), Some([true; 3]));
        assert_eq!((parse_prices(""), parse_prices("X"), parse_prices("m")), (None, None, None));
    }
}
