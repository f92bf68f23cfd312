//! Recorded quotes: LEAN's daily tick files, `ms,bid,ask` a line, in a zip of one file or as text.
//!
//! The stamp counts from midnight in New York of the day in the file's name (`eurusd_tick_20140501_quote.zip`, or
//! `20140501_eurusd_tick_quote.csv`). The files hold the best prices only; the liquidity behind them is a setting.

use super::calendar::{self, DAY_S, SECOND_NS};
use super::{FxInstrument, FxLevel, FxQuote, LEVELS, QuoteSource};
use flate2::read::DeflateDecoder;
use smc_core::words::SCALE;
use smc_core::{Price, Qty, TsNs};
use std::fmt;
use std::io::Read;
use std::path::{Path, PathBuf};

/// Largest file taken, unpacked.
const TEXT_MAX: u64 = 256 << 20;
/// A silence this long while the market is closed by the calendar is told as a price that is not tradeable.
const CLOSED_AFTER_S: u64 = 900;

/// Recorded quotes of one instrument.
pub struct FxTicks {
    instruments: [FxInstrument; 1],
    quotes: std::vec::IntoIter<FxQuote>,
    start_ts: TsNs,
    count: usize,
}

/// Why a recording was not taken.
#[derive(Debug, PartialEq, Eq)]
pub enum FxTicksError {
    /// A file cannot be read.
    File(PathBuf, String),
    /// A name holds no instrument and day.
    Name(PathBuf),
    /// No zip of one deflated or stored file.
    Zip(PathBuf),
    /// A line is no stamp and two prices in order, or goes back in time.
    Line(PathBuf, usize),
    /// The files are of different instruments, or hold nothing.
    Mixed,
}

impl fmt::Display for FxTicksError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path, error) => write!(f, "{}: {error}", path.display()),
            Self::Name(path) => write!(f, "{}: the name has no instrument and day", path.display()),
            Self::Zip(path) => write!(f, "{}: not a zip of one file", path.display()),
            Self::Line(path, line) => {
                write!(f, "{}: line {line} is no quote after the one before", path.display())
            }
            Self::Mixed => write!(f, "recorded quotes: no file, or files of different instruments"),
        }
    }
}

impl std::error::Error for FxTicksError {}

impl FxTicks {
    /// Reads whole days, in the order given. `units`: liquidity at each price, whole units.
    pub fn open(paths: &[PathBuf], units: i64) -> Result<Self, FxTicksError> {
        let mut quotes = Vec::new();
        let mut name: Option<String> = None;
        for path in paths {
            let (instrument, day) = named(path).ok_or_else(|| FxTicksError::Name(path.clone()))?;
            if name.get_or_insert_with(|| instrument.clone()) != &instrument {
                return Err(FxTicksError::Mixed);
            }
            read_day(path, day, units.clamp(1, 1_000_000_000), &mut quotes)?;
        }
        let instrument = name.as_deref().and_then(FxInstrument::named).ok_or(FxTicksError::Mixed)?;
        let start_ts = quotes.first().ok_or(FxTicksError::Mixed)?.at;
        let count = quotes.len();
        Ok(Self { instruments: [instrument], quotes: quotes.into_iter(), start_ts, count })
    }

    /// Quotes in all, those that only say that the market has closed included.
    pub fn count(&self) -> usize {
        self.count
    }
}

/// `EUR_USD` and the day since the epoch, from a file's name.
fn named(path: &Path) -> Option<(String, i64)> {
    let stem = path.file_stem()?.to_str()?.to_ascii_uppercase();
    let part = |len: usize, is: fn(&u8) -> bool| {
        stem.split('_').find(|part| part.len() == len && part.as_bytes().iter().all(is))
    };
    let pair = part(6, u8::is_ascii_alphabetic)?;
    let day: i64 = part(8, u8::is_ascii_digit)?.parse().ok()?;
    let (base, quote) = pair.split_at(3);
    let (year, month, date) = (day / 10_000, day / 100 % 100, day % 100);
    let is_date = (1..=12).contains(&month) && (1..=31).contains(&date);
    is_date.then(|| (format!("{base}_{quote}"), calendar::days_of(year, month, date)))
}

fn read_day(path: &Path, day: i64, units: i64, quotes: &mut Vec<FxQuote>) -> Result<(), FxTicksError> {
    let bytes =
        std::fs::read(path).map_err(|error| FxTicksError::File(path.to_owned(), error.to_string()))?;
    let text = if bytes.starts_with(b"PK") {
        unzip(&bytes).ok_or_else(|| FxTicksError::Zip(path.to_owned()))?
    } else {
        String::from_utf8(bytes).map_err(|error| FxTicksError::File(path.to_owned(), error.to_string()))?
    };
    let midnight_s = calendar::from_new_york_s(day * DAY_S);
    for (index, line) in text.lines().enumerate() {
        let wrong = || FxTicksError::Line(path.to_owned(), index + 1);
        let quote = parse(line, midnight_s, units).ok_or_else(wrong)?;
        if let Some(last) = quotes.last().copied() {
            if quote.at < last.at {
                return Err(wrong());
            }
            close_between(&last, quote.at, quotes);
        }
        quotes.push(quote);
    }
    Ok(())
}

/// Says that the market has closed where it did between two quotes.
fn close_between(last: &FxQuote, next: TsNs, quotes: &mut Vec<FxQuote>) {
    let at = TsNs(last.at.0 + CLOSED_AFTER_S * SECOND_NS);
    if at < next && !calendar::is_open(at) && last.is_tradeable {
        quotes.push(FxQuote { at, is_tradeable: false, ..*last });
    }
}

fn parse(line: &str, midnight_s: i64, units: i64) -> Option<FxQuote> {
    let mut fields = line.trim().split(',');
    let ms: i64 = fields.next()?.parse().ok()?;
    let mut price = || Price::parse(fields.next()?.as_bytes()).ok();
    let (bid, ask) = (price()?, price()?);
    if !(0..2 * DAY_S * 1_000).contains(&ms) || bid.0 <= 0 || ask <= bid {
        return None;
    }
    let ns = u64::try_from(midnight_s.checked_mul(1_000)?.checked_add(ms)?).ok()?.checked_mul(1_000_000)?;
    let side = |price| {
        let mut ladder = [FxLevel::default(); LEVELS];
        ladder[0] = FxLevel { price, units: Qty(units * SCALE) };
        ladder
    };
    Some(FxQuote {
        at: TsNs(ns),
        instrument: 0,
        bids: side(bid),
        asks: side(ask),
        closeout_bid: bid,
        closeout_ask: ask,
        is_tradeable: true,
    })
}

/// The text of the first file of a zip: local header of 30 bytes, name, extra field, then the data.
fn unzip(bytes: &[u8]) -> Option<String> {
    let short = |at: usize| Some(u16::from_le_bytes(bytes.get(at..at + 2)?.try_into().ok()?));
    let method = short(8)?;
    let from = 30 + usize::from(short(26)?) + usize::from(short(28)?);
    let data = bytes.get(from..)?;
    let mut text = String::new();
    match method {
        8 => DeflateDecoder::new(data).take(TEXT_MAX).read_to_string(&mut text).ok()?,
        0 => {
            let len = u32::from_le_bytes(bytes.get(22..26)?.try_into().ok()?) as usize;
            data.get(..len)?.take(TEXT_MAX).read_to_string(&mut text).ok()?
        }
        _ => return None,
    };
    Some(text)
}

impl QuoteSource for FxTicks {
    fn instruments(&self) -> &[FxInstrument] {
        &self.instruments
    }

    fn start_ts(&self) -> TsNs {
        self.start_ts
    }

    fn next(&mut self) -> Option<FxQuote> {
        self.quotes.next()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shared(day: &str) -> Option<PathBuf> {
        let dir = concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared/data/market/oanda");
        let path = Path::new(dir).join(format!("eurusd_tick_{day}_quote.zip"));
        if !path.exists() {
            println!("skipped: {} is not there", path.display());
        }
        path.exists().then_some(path)
    }

    #[test]
    fn recorded_days_are_read_whole_and_a_weekend_between_them_closes_the_market() {
        let (Some(friday), Some(monday)) = (shared("20140502"), shared("20140505")) else { return };
        let day = |paths: &[PathBuf]| FxTicks::open(paths, 1_000_000).expect("a recorded day");
        let alone = day(std::slice::from_ref(&friday)).count();
        let mut both = day(&[friday.clone(), monday.clone()]);
        let all: Vec<_> = std::iter::from_fn(|| both.next()).collect();
        assert!(all.is_sorted_by_key(|quote| quote.at) && alone > 10_000 && all.len() > alone);
        assert_eq!(all.iter().filter(|quote| !quote.is_tradeable).count(), 1);
        // 2014-05-02 00:00 New York is 04:00 UTC.
        assert_eq!(
            calendar::seconds(all[0].at) / 60,
            (calendar::days_of(2014, 5, 2) * DAY_S + 4 * 3_600) / 60
        );
        assert_eq!(
            FxTicks::open(&[monday, friday], 1).err().map(|e| matches!(e, FxTicksError::Line(_, 1))),
            Some(true)
        );
    }

    #[test]
    fn what_is_no_quote_is_refused_by_name() {
        for line in ["", "1", "1,1.1", "1,1.2,1.1", "-1,1.1,1.2", "1,x,1.2", "999999999999,1.1,1.2"] {
            assert_eq!(parse(line, 0, 1), None, "{line}");
        }
        assert!(parse("292,1.38676,1.38686", 0, 1).is_some());
        assert_eq!(unzip(b"PK\x03\x04"), None);
    }
}
