//! Which format a file has: by what stands in it, and by its name where that is not enough.

use crate::rows::Hints;
use crate::source::{Lines, open};
use smc_core::words::Name;
use std::fmt;
use std::io;
use std::path::Path;
use std::str::FromStr;

macro_rules! formats {
    ($($(#[$doc:meta])* $format:ident = $word:literal;)*) => {
        /// A layout that can be read. `FORMATS.md` describes each.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Format {
            $($(#[$doc])* $format,)*
        }

        impl Format {
            /// All of them.
            pub const ALL: &[Self] = &[$(Self::$format),*];

            /// As the command line says it.
            pub const fn word(self) -> &'static str {
                match self {
                    $(Self::$format => $word,)*
                }
            }
        }
    };
}

formats! {
    /// Binance archive, single trades.
    BinanceTrades = "binance-trades";
    /// Binance archive, aggregate trades.
    BinanceAggTrades = "binance-agg-trades";
    /// Binance archive, candles.
    BinanceKlines = "binance-klines";
    /// Binance archive, best bid and ask.
    BinanceBookTicker = "binance-book-ticker";
    /// A collector's trades: id, side, quantity, price, time.
    SidedTrades = "sided-trades";
    /// Bybit archive, trades.
    BybitTrades = "bybit-trades";
    /// Bybit archive, order book.
    BybitBook = "bybit-book";
    /// Recorded feed of Binance spot.
    BinanceSpotCapture = "binance-spot-capture";
    /// Recorded feed of Binance USD-M futures.
    BinanceUsdmCapture = "binance-usdm-capture";
    /// Quotes of a New York day.
    LeanTicks = "lean-ticks";
    /// Hours of bids and asks.
    LeanHours = "lean-hours";
    /// Oanda's REST candles.
    OandaCandles = "oanda-candles";
    /// Bars with time, open, high, low, close.
    Ohlcv = "ohlcv";
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

impl FromStr for Format {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let found = Self::ALL.iter().copied().find(|format| format.word() == text);
        found.ok_or_else(|| format!("no format `{text}`; there are {}", words()))
    }
}

fn words() -> String {
    Format::ALL.iter().map(|format| format.word()).collect::<Vec<_>>().join(", ")
}

/// What was found out about a file.
pub struct Guess {
    /// Its format.
    pub format: Format,
    /// The symbol that its content or name tells.
    pub symbol: Option<Name>,
}

/// Lines looked at.
const LINES: usize = 400;

/// Looks at the first lines of a file.
pub fn guess(path: &Path, told: Option<Format>, hints: &Hints) -> Result<Guess, String> {
    let broken = |error: io::Error| error.to_string();
    let text = open(path).map_err(broken)?;
    let name = text.name.to_ascii_lowercase();
    let mut lines = Lines::new(text.reader);
    let mut first = Vec::new();
    while first.len() < LINES
        && let Some(line) = lines.read()
    {
        match line {
            Ok(line) if line.trim().is_empty() => {}
            Ok(line) => first.push(line.chars().take(20_000).collect::<String>()),
            Err(crate::source::LineError::Io(error)) => return Err(error.to_string()),
            Err(_) => {}
        }
    }
    if first.is_empty() {
        return Err("the file is empty".into());
    }
    let format = match told {
        Some(format) => format,
        None => by_content(&first, &name)?,
    };
    let symbol = Some(hints.symbol).filter(|symbol| !symbol.as_bytes().is_empty());
    Ok(Guess { format, symbol: symbol.or_else(|| symbol_in(format, &first, &name)) })
}

fn by_content(lines: &[String], name: &str) -> Result<Format, String> {
    let first = lines.first().map_or("", |line| line.trim());
    if crate::rows::timed(first).is_some() {
        // Only the futures' depth names its predecessor, only their best prices carry an event name.
        let is_usdm = lines.iter().any(|line| {
            line.contains("\"pu\":") || line.contains("\"e\":\"bookTicker\"") || line.contains("@depth@0ms")
        });
        return Ok(if is_usdm { Format::BinanceUsdmCapture } else { Format::BinanceSpotCapture });
    }
    if first.starts_with('{') {
        if first.contains("\"topic\":\"orderbook.") {
            return Ok(Format::BybitBook);
        }
        if lines.iter().any(|line| line.contains("\"candles\"")) {
            return Ok(Format::OandaCandles);
        }
        return Err(unknown("JSON of no kind that is known here"));
    }
    if let Some(format) = by_header(first) {
        return Ok(format);
    }
    let fields: Vec<&str> = first.split(',').map(str::trim).collect();
    let is_number = |at: usize| fields.get(at).is_some_and(|text| crate::number::decimal(text).is_some());
    let is_truth = |at: usize| fields.get(at).is_some_and(|text| crate::number::truth(text).is_some());
    let is_stamp = |at: usize| {
        fields.get(at).is_some_and(|text| text.len() >= 12 && crate::number::stamp(text).is_some())
    };
    let by_shape = match fields.len() {
        12 if is_stamp(0) && is_stamp(6) => Some(Format::BinanceKlines),
        6 | 7 if is_stamp(4) && is_truth(5) && is_number(3) => Some(Format::BinanceTrades),
        7 | 8 if is_stamp(5) && is_truth(6) && is_number(4) => Some(Format::BinanceAggTrades),
        7 if is_stamp(5) && is_stamp(6) && (1..5).all(is_number) => Some(Format::BinanceBookTicker),
        5 if matches!(fields.get(1), Some(&"buy" | &"sell")) && is_stamp(4) => Some(Format::SidedTrades),
        3 if name.contains("tick") && (0..3).all(is_number) => Some(Format::LeanTicks),
        11 if !is_number(0) && (1..11).all(is_number) => Some(Format::LeanHours),
        _ => None,
    };
    // Everything else that reads as bars is bars.
    by_shape.or_else(|| smc_detect::csv::is_bars(first).then_some(Format::Ohlcv)).ok_or_else(|| {
        let shown: String = first.chars().take(60).collect();
        unknown(&format!("`{shown}` is no row of a known layout"))
    })
}

fn by_header(line: &str) -> Option<Format> {
    let names: Vec<String> = line.split(',').map(|name| name.trim().to_ascii_lowercase()).collect();
    let has = |name: &str| names.iter().any(|found| found == name);
    if has("agg_trade_id") || has("a") && has("transact_time") {
        Some(Format::BinanceAggTrades)
    } else if has("id") && has("is_buyer_maker") {
        Some(Format::BinanceTrades)
    } else if has("best_bid_price") {
        Some(Format::BinanceBookTicker)
    } else if has("open_time") && has("close_time") {
        Some(Format::BinanceKlines)
    } else if has("trdmatchid") || has("tickdirection") {
        Some(Format::BybitTrades)
    } else {
        None
    }
}

fn unknown(what: &str) -> String {
    format!("{what}; say --format, one of {}", words())
}

/// What the content says, else how archives are named: `BTCUSDT-trades-2024-01.csv`, `eurusd_tick_…`.
fn symbol_in(format: Format, lines: &[String], name: &str) -> Option<Name> {
    let quoted = |key: &str| {
        lines.iter().find_map(|line| line.split_once(key)?.1.split('"').next()).map(str::to_owned)
    };
    let told = match format {
        Format::BinanceSpotCapture | Format::BinanceUsdmCapture | Format::BybitBook => quoted("\"s\":\""),
        Format::OandaCandles => quoted("\"instrument\":\"").map(|name| name.replace('_', "")),
        Format::BybitTrades => lines.get(1).and_then(|line| line.split(',').nth(1)).map(str::to_owned),
        _ => None,
    };
    let by_name = || {
        let word = name.split(['-', '_', '.']).find(|word| {
            (5..=15).contains(&word.len())
                && word.bytes().all(|byte| byte.is_ascii_alphanumeric())
                && !word.bytes().all(|byte| byte.is_ascii_digit())
        })?;
        Some(word.to_ascii_uppercase())
    };
    Name::new(&told.or_else(by_name)?).filter(|name| !name.as_bytes().is_empty())
}
