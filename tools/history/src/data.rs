//! Files and journals into a market.

use smc_backtest::Market;
use smc_core::codec;
use smc_core::event::{Event, EventBody};
use smc_core::instrument::InstrumentSpec;
use smc_core::words::{InstrumentId, Name, TsNs};
use smc_import::{Known, gather};
use smc_journal::{JournalError, Reader, RecordKind};
use smc_settings::file::FileConfig;
use std::fmt;
use std::io::Read;
use std::path::{Path, PathBuf};

/// Where a market came from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Source {
    /// Name of the file or directory, without its place.
    pub name: String,
    /// Its length.
    pub bytes: u64,
    /// BLAKE3 of it: of a file its content, of a journal the chain of its segments.
    pub hash: String,
    /// Its format.
    pub format: String,
    /// Events taken from it.
    pub events: u64,
    /// Rows of it that could not be used.
    pub refused: u64,
}

/// A row that could not be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refused {
    /// The file.
    pub file: PathBuf,
    /// Its line.
    pub line: u64,
    /// Why.
    pub reason: String,
}

/// A market, and what it was made of.
#[derive(Debug, Default)]
pub struct Loaded {
    /// In the order of the configuration's instruments.
    pub market: Market,
    /// In the order in which they were given.
    pub sources: Vec<Source>,
    /// The first rows that could not be used; all are counted in `sources`.
    pub refused: Vec<Refused>,
}

impl Loaded {
    /// One hash over all sources.
    pub fn hash(&self) -> String {
        let mut hasher = blake3::Hasher::new();
        self.sources.iter().for_each(|source| {
            hasher.update(source.hash.as_bytes());
        });
        hasher.finalize().to_hex().to_string()
    }
}

/// Why there is no market.
#[derive(Debug)]
pub enum DataError {
    /// A file cannot be used.
    File(PathBuf, String),
    /// A journal cannot be read.
    Journal(PathBuf, JournalError),
    /// A record of a journal does not read.
    Content(PathBuf, u64),
    /// An instrument of a file is not in the configuration.
    Symbol(PathBuf, Name),
    /// The configuration's instruments cannot be told apart by their symbols alone.
    Ambiguous(Name),
    /// No file tells of an instrument.
    Missing(Name),
    /// No data was given.
    Nothing,
}

impl fmt::Display for DataError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path, reason) => write!(f, "{}: {reason}", path.display()),
            Self::Journal(path, error) => write!(f, "{}: {error}", path.display()),
            Self::Content(path, seq) => write!(f, "{}: record {seq} does not read", path.display()),
            Self::Symbol(path, symbol) => write!(
                f,
                "{}: {symbol} is no instrument of the configuration; say --symbol where its name misleads",
                path.display()
            ),
            Self::Ambiguous(symbol) => {
                write!(
                    f,
                    "{symbol} is traded at several venues of the configuration; a backtest needs one of them"
                )
            }
            Self::Missing(symbol) => write!(f, "no data of {symbol}; give a file of it"),
            Self::Nothing => f.write_str("no data; give files or a journal with --data"),
        }
    }
}

impl std::error::Error for DataError {}

/// Rows that are kept to be shown.
const REFUSED_SHOWN_MAX: usize = 20;

/// Loads files (archives, captures, candles, bars: all that `smc journal import` knows) and journals (directories), in any
/// order; what several of them tell of an instrument is put in the order of its time.
pub fn load(config: &FileConfig, files: &[PathBuf], known: &Known) -> Result<Loaded, DataError> {
    let symbols: Vec<Name> =
        config.instruments.iter().filter_map(|section| Name::new(&section.symbol)).collect();
    if let Some((_, twice)) =
        symbols.iter().enumerate().find(|(at, symbol)| symbols.iter().take(*at).any(|s| s == *symbol))
    {
        return Err(DataError::Ambiguous(*twice));
    }
    if files.is_empty() {
        return Err(DataError::Nothing);
    }
    let mut specs: Vec<Option<InstrumentSpec>> = vec![None; symbols.len()];
    let mut loaded = Loaded::default();
    for path in files {
        if path.is_dir() {
            journal(path, &symbols, &mut specs, &mut loaded)?;
        } else {
            file(path, known, &symbols, &mut specs, &mut loaded)?;
        }
    }
    // Stable: what one file told of one instant stays in its order.
    let market = &mut loaded.market;
    if !market.events.is_sorted_by_key(|event| event.ts_event) {
        market.events.sort_by_key(|event| event.ts_event);
    }
    let missing = |at: usize| DataError::Missing(symbols.get(at).copied().unwrap_or_default());
    let specs = specs.into_iter().enumerate().map(|(at, spec)| spec.ok_or_else(|| missing(at)));
    market.instruments = specs.collect::<Result<_, _>>()?;
    Ok(loaded)
}

fn file(
    path: &Path,
    known: &Known,
    symbols: &[Name],
    specs: &mut [Option<InstrumentSpec>],
    loaded: &mut Loaded,
) -> Result<(), DataError> {
    let fail = |reason: String| DataError::File(path.to_owned(), reason);
    let (bytes, hash) = hash_of(path).map_err(|error| fail(error.to_string()))?;
    // A configuration of one instrument says which it is, where the file does not.
    let only = match symbols {
        [only] => Some(*only),
        _ => None,
    };
    let mut told = Known { symbol: known.symbol.or(only), ..*known };
    if told.symbol.is_none() {
        told.symbol = symbols.iter().copied().find(|symbol| is_named(path, *symbol));
    }
    let refused = &mut loaded.refused;
    let gathered = gather(path, &told, &mut |line, reason| {
        if refused.len() < REFUSED_SHOWN_MAX {
            refused.push(Refused { file: path.to_owned(), line, reason: reason.to_owned() });
        }
    });
    let gathered = gathered.map_err(fail)?;
    let symbol = gathered.spec.symbol;
    let at = symbols.iter().position(|known| *known == symbol);
    let at = at.ok_or_else(|| DataError::Symbol(path.to_owned(), symbol))?;
    let instrument = InstrumentId(at as u16);
    if let Some(slot) = specs.get_mut(at) {
        // Of several files the finest steps.
        let before = slot.unwrap_or(gathered.spec);
        *slot = Some(InstrumentSpec {
            tick: before.tick.min(gathered.spec.tick),
            lot: before.lot.min(gathered.spec.lot),
            qty_min: before.qty_min.min(gathered.spec.qty_min),
            ..gathered.spec
        });
    }
    let first = loaded.market.events.len();
    let mut last = TsNs(0);
    loaded.market.events.extend(gathered.drafts.iter().map(|draft| {
        // What was received later was told later: exchanges stamp their streams apart from each other.
        last = last.max(draft.ts_event);
        Event { seq: 0, ts_event: last, ts_recv: draft.ts_recv.max(last), instrument, body: draft.body }
    }));
    loaded.sources.push(Source {
        name: path.file_name().unwrap_or_default().to_string_lossy().into_owned(),
        bytes,
        hash,
        format: gathered.format.word().to_owned(),
        events: (loaded.market.events.len() - first) as u64,
        refused: gathered.refused,
    });
    Ok(())
}

/// The file's name tells the symbol, however it is written.
fn is_named(path: &Path, symbol: Name) -> bool {
    let plain = |text: &str| -> String {
        text.chars().filter(char::is_ascii_alphanumeric).map(|c| c.to_ascii_uppercase()).collect()
    };
    let file = path.file_name().unwrap_or_default().to_string_lossy();
    plain(&file).contains(&plain(symbol.as_str()))
}

fn hash_of(path: &Path) -> std::io::Result<(u64, String)> {
    let mut file = std::fs::File::open(path)?;
    let (mut hasher, mut buffer, mut bytes) = (blake3::Hasher::new(), vec![0; 1 << 16], 0);
    loop {
        match file.read(&mut buffer)? {
            0 => return Ok((bytes, hasher.finalize().to_hex().to_string())),
            count => {
                hasher.update(buffer.get(..count).unwrap_or_default());
                bytes += count as u64;
            }
        }
    }
}

/// The market of a journal: what it told of prices, and the candles before the first of them.
fn journal(
    dir: &Path,
    symbols: &[Name],
    specs: &mut [Option<InstrumentSpec>],
    loaded: &mut Loaded,
) -> Result<(), DataError> {
    let fail = |error| DataError::Journal(dir.to_owned(), error);
    let reader = Reader::open(dir).map_err(fail)?;
    let mut places: Vec<Option<InstrumentId>> = Vec::new();
    let (mut hasher, mut last, mut has_prices) = (blake3::Hasher::new(), TsNs(0), false);
    let (mut bytes, first) = (0, loaded.market.events.len());
    let mut bars: Vec<Event> = Vec::new();
    for record in reader.records() {
        let record = record.map_err(|damage| fail(damage.into()))?;
        bytes += record.payload.len() as u64;
        hasher.update(record.payload);
        if record.kind != RecordKind::Input {
            continue;
        }
        let event: Event =
            codec::decode(record.payload).map_err(|_| DataError::Content(dir.to_owned(), record.seq))?;
        let place = event.instrument.index();
        if let EventBody::Instrument(spec) = event.body {
            let at = symbols.iter().position(|known| *known == spec.symbol);
            let at = at.ok_or_else(|| DataError::Symbol(dir.to_owned(), spec.symbol))?;
            places.resize(places.len().max(place + 1), None);
            places[place] = Some(InstrumentId(at as u16));
            if let Some(slot) = specs.get_mut(at) {
                slot.get_or_insert(spec);
            }
            continue;
        }
        let instrument = match places.get(place).copied().flatten() {
            Some(instrument) => instrument,
            None if event.instrument == InstrumentId::NONE => event.instrument,
            None => continue,
        };
        match event.body {
            EventBody::Trade(_) | EventBody::Quote(_) | EventBody::Book(_) => has_prices = true,
            EventBody::Bar(..) => {
                bars.push(Event { instrument, ..event });
                continue;
            }
            EventBody::Feed(_) | EventBody::Mark(_) => {}
            _ => continue,
        }
        last = last.max(event.ts_event);
        let ts_recv = event.ts_recv.max(last);
        loaded.market.events.push(Event { seq: 0, ts_event: last, ts_recv, instrument, body: event.body });
    }
    if has_prices {
        // Candles beside prices are the past of these.
        let begin = loaded.market.events.get(first).map_or(TsNs(u64::MAX), |event| event.ts_recv);
        loaded.market.warm_up.extend(bars.into_iter().filter(|event| event.ts_event <= begin));
    } else {
        loaded.market.events.truncate(first);
        loaded.market.events.extend(bars);
    }
    loaded.sources.push(Source {
        name: dir.file_name().unwrap_or_default().to_string_lossy().into_owned(),
        bytes,
        hash: hasher.finalize().to_hex().to_string(),
        format: "journal".to_owned(),
        events: (loaded.market.events.len() - first) as u64,
        refused: 0,
    });
    Ok(())
}
