//! A recorded market: the venue's own messages, read back as book changes and trades.
//!
//! A file is gzip or plain text, a message a line: local receive time in nanoseconds, a space, the JSON of the
//! combined stream (`trade`, `bookTicker`, `depth@100ms`), as recorded from the live venue.
//!
//! - Market time is local receive time moved so that the first depth message lands on its own event time.
//! - The best bid and ask come from `bookTicker`, the rest of the book from depth. Depth messages lag by up to
//!   100 ms, so levels better than the present best, and levels at the best from an older update, are left out.
//! - The first two seconds build the opening book (recordings hold no snapshot).

use super::{MarketOp, MarketOpKind, MarketSource, SymbolInfo};
use flate2::read::MultiGzDecoder;
use serde_json::Value;
use smc_core::instrument::{Contract, InstrumentSpec, TradingStatus};
use smc_core::words::{Money, Name, SCALE};
use smc_core::{Price, Qty, Side, TsNs};
use std::collections::{BTreeMap, VecDeque};
use std::fmt;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::{Path, PathBuf};

/// Market time that goes into the opening book.
const OPENING_NS: u64 = 2_000_000_000;

/// Why a recording cannot be used.
#[derive(Debug)]
pub enum CaptureError {
    /// The file cannot be read.
    Io(PathBuf, io::Error),
    /// A line is not what it should be.
    Line {
        /// Which file.
        path: PathBuf,
        /// Counted from 1.
        line: u64,
        /// What is wrong.
        reason: &'static str,
    },
    /// No line of the first two seconds tells a best bid and ask.
    NoBook(PathBuf),
}

impl fmt::Display for CaptureError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Io(path, error) => write!(f, "{}: {error}", path.display()),
            Self::Line { path, line, reason } => write!(f, "{}: line {line}: {reason}", path.display()),
            Self::NoBook(path) => {
                write!(f, "{}: no best bid and ask in the first two seconds", path.display())
            }
        }
    }
}

impl std::error::Error for CaptureError {}

/// The market. See the module's description.
pub struct Capture {
    symbols: [SymbolInfo; 1],
    start_ts: TsNs,
    lines: Lines,
    book: RecordedBook,
    ready: VecDeque<MarketOp>,
}

impl Capture {
    /// Opens a recording of one spot symbol and reads its opening book.
    pub fn open(path: &Path) -> Result<Self, CaptureError> {
        let mut lines = Lines::open(path)?;
        let mut book = RecordedBook::default();
        let mut opening = VecDeque::new();
        let mut first = None;
        let mut symbol = None;
        while let Some((at, message)) = lines.next()? {
            let first = *first.get_or_insert(at);
            if symbol.is_none() {
                symbol = message["s"].as_str().and_then(Name::new);
            }
            book.apply(&message, at, &mut opening).map_err(|reason| lines.fault(reason))?;
            if at.0 >= first.0 + OPENING_NS {
                break;
            }
        }
        let is_whole = !book.bids.is_empty() && !book.asks.is_empty();
        let (Some(symbol), true) = (symbol, is_whole) else {
            return Err(CaptureError::NoBook(path.to_owned()));
        };
        let start_ts = opening.back().map_or(TsNs(0), |op: &MarketOp| op.at);
        let spec = spec_of(symbol).ok_or_else(|| lines.fault("symbol without a known quote asset"))?;
        // Only the book that stands at the end of the opening, without how it came about.
        let level = |side| {
            move |(price, qty): (&i64, &i64)| MarketOp {
                at: start_ts,
                symbol: 0,
                kind: MarketOpKind::Level { side, price: Price(*price), qty: Qty(*qty) },
            }
        };
        let ready =
            book.bids.iter().map(level(Side::Buy)).chain(book.asks.iter().map(level(Side::Sell))).collect();
        Ok(Self { symbols: [SymbolInfo::new(spec)], start_ts, lines, book, ready })
    }

    /// Reads on until something happens; a broken line ends the market there, and says so on standard error.
    fn refill(&mut self) -> Option<()> {
        while self.ready.is_empty() {
            let step = self.lines.next().and_then(|line| match line {
                None => Ok(None),
                Some((at, message)) => {
                    let at = at.max(TsNs(self.start_ts.0 + 1));
                    self.book
                        .apply(&message, at, &mut self.ready)
                        .map_err(|reason| self.lines.fault(reason))?;
                    Ok(Some(()))
                }
            });
            match step {
                Ok(Some(())) => {}
                Ok(None) => return None,
                Err(error) => {
                    eprintln!("the recording ends early: {error}");
                    return None;
                }
            }
        }
        Some(())
    }
}

impl MarketSource for Capture {
    fn symbols(&self) -> &[SymbolInfo] {
        &self.symbols
    }

    fn start_ts(&self) -> TsNs {
        self.start_ts
    }

    fn next(&mut self) -> Option<MarketOp> {
        self.refill()?;
        self.ready.pop_front()
    }
}

/// Recordings hold no rules; these are the venue's for its dollar pairs.
fn spec_of(symbol: Name) -> Option<InstrumentSpec> {
    let quote = ["USDT", "USDC", "FDUSD"].into_iter().find(|quote| symbol.as_str().ends_with(quote))?;
    let base = symbol.as_str().strip_suffix(quote)?;
    Some(InstrumentSpec {
        symbol,
        base: Name::new(base)?,
        quote: Name::new(quote)?,
        tick: Price(SCALE / 100),
        lot: Qty(1_000),
        qty_min: Qty(1_000),
        qty_max: Qty(9_000 * SCALE),
        notional_min: Money(5 * SCALE),
        status: TradingStatus::Trading,
        contract: Contract::SPOT,
    })
}

/// The lines of a recording with their market time.
struct Lines {
    path: PathBuf,
    reader: BufReader<Box<dyn Read + Send>>,
    text: String,
    line: u64,
    /// Market time minus local time, from the first depth message.
    offset: Option<i64>,
    /// Read ahead of the first depth message: line, local time, message.
    held: VecDeque<(u64, u64, Value)>,
    /// Line of the message given out last.
    current: u64,
    last: TsNs,
}

impl Lines {
    fn open(path: &Path) -> Result<Self, CaptureError> {
        let fail = |error| CaptureError::Io(path.to_owned(), error);
        let mut file = File::open(path).map_err(fail)?;
        let mut magic = [0; 2];
        let is_gzip = file.read(&mut magic).map_err(fail)? == 2 && magic == [0x1f, 0x8b];
        io::Seek::rewind(&mut file).map_err(fail)?;
        let reader: Box<dyn Read + Send> =
            if is_gzip { Box::new(MultiGzDecoder::new(file)) } else { Box::new(file) };
        let reader = BufReader::with_capacity(1 << 16, reader);
        let path = path.to_owned();
        Ok(Self {
            path,
            reader,
            text: String::new(),
            line: 0,
            offset: None,
            held: VecDeque::new(),
            current: 0,
            last: TsNs(0),
        })
    }

    fn fault(&self, reason: &'static str) -> CaptureError {
        CaptureError::Line { path: self.path.clone(), line: self.current, reason }
    }

    fn next(&mut self) -> Result<Option<(TsNs, Value)>, CaptureError> {
        // Until a depth message tells the offset, lines are held back.
        while self.offset.is_none() {
            let Some((local, message)) = self.read()? else { break };
            if message["e"] == "depthUpdate" {
                let event = message["E"].as_u64().ok_or_else(|| self.fault("depth without event time"))?;
                self.offset = i64::try_from(i128::from(event) * 1_000_000 - i128::from(local)).ok();
            }
            self.held.push_back((self.line, local, message));
        }
        let item = match self.held.pop_front() {
            Some(item) => Some(item),
            None => self.read()?.map(|(local, message)| (self.line, local, message)),
        };
        let Some((line, local, message)) = item else { return Ok(None) };
        self.current = line;
        let at = TsNs(local.saturating_add_signed(self.offset.unwrap_or(0))).max(self.last);
        self.last = at;
        Ok(Some((at, message)))
    }

    fn read(&mut self) -> Result<Option<(u64, Value)>, CaptureError> {
        loop {
            self.text.clear();
            self.line += 1;
            self.current = self.line;
            let read = self
                .reader
                .read_line(&mut self.text)
                .map_err(|error| CaptureError::Io(self.path.clone(), error))?;
            if read == 0 {
                return Ok(None);
            }
            let (local, json) =
                self.text.trim_end().split_once(' ').ok_or_else(|| self.fault("no receive time"))?;
            let local = local.parse().map_err(|_| self.fault("receive time is no number"))?;
            let mut message: Value = serde_json::from_str(json).map_err(|_| self.fault("not JSON"))?;
            if let Some(data) = message.get_mut("data") {
                return Ok(Some((local, data.take())));
            }
        }
    }
}

/// The recorded venue's book, as far as the messages tell it.
#[derive(Default)]
struct RecordedBook {
    bids: BTreeMap<i64, i64>,
    asks: BTreeMap<i64, i64>,
    /// Update id of the last `bookTicker`.
    top_id: u64,
}

impl RecordedBook {
    fn apply(&mut self, message: &Value, at: TsNs, out: &mut VecDeque<MarketOp>) -> Result<(), &'static str> {
        let mut say = |kind| out.push_back(MarketOp { at, symbol: 0, kind });
        match message["e"].as_str() {
            Some("trade") => {
                let aggressor =
                    if message["m"].as_bool().ok_or("trade without m")? { Side::Sell } else { Side::Buy };
                let price = Price(decimal(&message["p"])?);
                say(MarketOpKind::Trade { price, qty: Qty(decimal(&message["q"])?), aggressor });
            }
            Some("depthUpdate") => {
                let last_id = message["u"].as_u64().ok_or("depth without u")?;
                for (side, levels) in [(Side::Buy, &message["b"]), (Side::Sell, &message["a"])] {
                    for level in levels.as_array().ok_or("depth without levels")? {
                        self.deep_level(side, decimal(&level[0])?, decimal(&level[1])?, last_id, &mut say);
                    }
                }
            }
            None if message.get("B").is_some() => self.top(message, &mut say)?,
            _ => {}
        }
        Ok(())
    }

    fn deep_level(
        &mut self,
        side: Side,
        price: i64,
        qty: i64,
        last_id: u64,
        say: &mut impl FnMut(MarketOpKind),
    ) {
        let best = match side {
            Side::Buy => self.bids.last_key_value().map(|(price, _)| -*price),
            Side::Sell => self.asks.first_key_value().map(|(price, _)| *price),
        };
        let rank = -side.sign() * price;
        let is_told_by_top = best.is_some_and(|best| rank < best || rank == best && last_id < self.top_id);
        if self.top_id > 0 && !is_told_by_top {
            self.set(side, price, qty, say);
        }
    }

    fn top(&mut self, message: &Value, say: &mut impl FnMut(MarketOpKind)) -> Result<(), &'static str> {
        let (bid, bid_qty) = (decimal(&message["b"])?, decimal(&message["B"])?);
        let (ask, ask_qty) = (decimal(&message["a"])?, decimal(&message["A"])?);
        if bid >= ask {
            return Err("best bid not below best ask");
        }
        self.top_id = message["u"].as_u64().ok_or("bookTicker without u")?;
        while let Some((&price, _)) = self.bids.last_key_value()
            && price > bid
        {
            self.set(Side::Buy, price, 0, say);
        }
        while let Some((&price, _)) = self.asks.first_key_value()
            && price < ask
        {
            self.set(Side::Sell, price, 0, say);
        }
        self.set(Side::Buy, bid, bid_qty, say);
        self.set(Side::Sell, ask, ask_qty, say);
        Ok(())
    }

    fn set(&mut self, side: Side, price: i64, qty: i64, say: &mut impl FnMut(MarketOpKind)) {
        let book = match side {
            Side::Buy => &mut self.bids,
            Side::Sell => &mut self.asks,
        };
        let before = if qty > 0 { book.insert(price, qty) } else { book.remove(&price) };
        if before.unwrap_or(0) != qty {
            say(MarketOpKind::Level { side, price: Price(price), qty: Qty(qty) });
        }
    }
}

fn decimal(value: &Value) -> Result<i64, &'static str> {
    let text = value.as_str().ok_or("number is not decimal text")?;
    let value = Price::parse(text.as_bytes()).map_err(|_| "not a decimal number")?.0;
    if value < 0 { Err("negative number") } else { Ok(value) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn recording() -> Option<PathBuf> {
        let mut dir = Path::new(env!("CARGO_MANIFEST_DIR"));
        loop {
            let path = dir.join("shared/data/market/binance/spot_btcusdt_20240809.gz");
            if path.exists() {
                return Some(path);
            }
            dir = match dir.parent() {
                Some(parent) => parent,
                None => {
                    println!("skipped: spot_btcusdt_20240809.gz absent");
                    return None;
                }
            };
        }
    }

    #[test]
    fn the_recording_reads_to_its_end_with_an_honest_book() {
        let Some(path) = recording() else { return };
        let mut market = Capture::open(&path).unwrap();
        assert_eq!(market.symbols()[0].spec.symbol.as_str(), "BTCUSDT");
        let (mut trades, mut last) = (0u64, market.start_ts());
        let (mut bids, mut asks) = (BTreeMap::new(), BTreeMap::new());
        while let Some(op) = market.next() {
            assert!(op.at >= last);
            if op.at > last && !bids.is_empty() && !asks.is_empty() {
                assert!(bids.keys().next_back() < asks.keys().next(), "crossed at {last:?}");
            }
            last = op.at;
            match op.kind {
                MarketOpKind::Level { side, price, qty } => {
                    let book = if side == Side::Buy { &mut bids } else { &mut asks };
                    if qty.0 > 0 {
                        book.insert(price.0, qty.0)
                    } else {
                        book.remove(&price.0)
                    };
                }
                MarketOpKind::Trade { .. } => trades += 1,
            }
        }
        // All trades of the file but those of the opening two seconds.
        assert!((10_000..=10_147).contains(&trades), "{trades} trades");
        assert!(last.since(market.start_ts()) > 295_000_000_000);
    }

    #[test]
    fn broken_recordings_are_refused_by_line() {
        let dir = std::env::temp_dir().join(format!("capture-{}", std::process::id()));
        std::fs::create_dir_all(&dir).unwrap();
        let path = dir.join("bad.txt");
        for (text, reason) in [
            ("1 {\"stream\":1,\"data\":\n", "not JSON"),
            ("x {}\n", "receive time is no number"),
            ("1723161600001658384\n", "no receive time"),
            (
                "1 {\"data\":{\"e\":\"trade\",\"s\":\"BTCUSDT\",\"p\":\"-1\",\"q\":\"1\",\"m\":true}}\n",
                "negative number",
            ),
        ] {
            std::fs::write(&path, text).unwrap();
            let error = Capture::open(&path).err().unwrap().to_string();
            assert!(error.contains("line 1") && error.contains(reason), "{error}");
        }
        std::fs::write(&path, "").unwrap();
        assert!(matches!(Capture::open(&path), Err(CaptureError::NoBook(_))));
        assert!(matches!(Capture::open(&dir.join("absent")), Err(CaptureError::Io(..))));
        std::fs::remove_dir_all(&dir).unwrap();
    }
}
