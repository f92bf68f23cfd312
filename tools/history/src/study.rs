//! A configuration and its history, and a run of it.

use crate::data::{DataError, Loaded, load};
use crate::log::JournalLog;
use crate::venue;
use smc_backtest::{BacktestError, Outcome, VenueSettings, Wanted, run, run_logged};
use smc_core::config::EngineConfig;
use smc_core::strategy::Confluence;
use smc_import::Known;
use smc_journal::JournalError;
use smc_settings::file::{FileConfig, FileError};
use std::fmt;
use std::path::{Path, PathBuf};

/// A configuration and its history.
#[derive(Debug)]
pub struct Study {
    /// As it was read.
    pub file: FileConfig,
    /// The core's part of it.
    pub config: EngineConfig,
    /// The market and where it came from.
    pub loaded: Loaded,
    /// The exchange.
    pub venue: VenueSettings,
}

/// Why there is no study, or no outcome.
#[derive(Debug)]
pub enum StudyError {
    /// The configuration cannot be read.
    Read(PathBuf, std::io::Error),
    /// It is refused.
    Config(PathBuf, FileError),
    /// The data.
    Data(DataError),
    /// The run.
    Run(BacktestError),
    /// The journal that should have kept it.
    Journal(PathBuf, JournalError),
}

impl fmt::Display for StudyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Read(path, error) => write!(f, "{}: {error}", path.display()),
            Self::Config(path, error) => write!(f, "{}: {error}", path.display()),
            Self::Data(error) => write!(f, "{error}"),
            Self::Run(error) => write!(f, "{error}"),
            Self::Journal(path, error) => write!(f, "journal {}: {error}", path.display()),
        }
    }
}

impl std::error::Error for StudyError {}

impl Study {
    /// A configuration file and files of data.
    pub fn open(config: &Path, data: &[PathBuf], known: &Known) -> Result<Self, StudyError> {
        let text =
            std::fs::read_to_string(config).map_err(|error| StudyError::Read(config.to_owned(), error))?;
        let file = FileConfig::parse(&text).map_err(|error| StudyError::Config(config.to_owned(), error))?;
        let base = config.parent().unwrap_or(Path::new("."));
        Self::of(file, base, data, known)
    }

    /// The same of a configuration that was read; its files are found beside `base`.
    pub fn of(file: FileConfig, base: &Path, data: &[PathBuf], known: &Known) -> Result<Self, StudyError> {
        let config = file.engine().map_err(|error| StudyError::Config(base.to_owned(), error))?;
        let venue = venue::settings(&file, base).map_err(StudyError::Data)?;
        let mut loaded = load(&file, data, known).map_err(StudyError::Data)?;
        for (at, spec) in loaded.market.instruments.iter_mut().enumerate() {
            venue::rules(&file, spec, at).map_err(StudyError::Data)?;
        }
        Ok(Self { file, config, loaded, venue })
    }

    /// A run with the built-in strategy.
    pub fn run(&self, wanted: Wanted) -> Result<Outcome, StudyError> {
        let strategy = Confluence::for_config(&self.config);
        run(&self.config, strategy, &self.loaded.market, &self.venue, wanted).map_err(StudyError::Run)
    }

    /// The same, written into a journal in an empty directory.
    pub fn run_into(&self, dir: &Path, segment_bytes: u64, wanted: Wanted) -> Result<Outcome, StudyError> {
        let fail = |error| StudyError::Journal(dir.to_owned(), error);
        let mut log = JournalLog::create(dir, &self.file.deciding_text(), segment_bytes).map_err(fail)?;
        log.note(&self.note()).map_err(|error| StudyError::Run(BacktestError::Log(error)))?;
        let strategy = Confluence::for_config(&self.config);
        let outcome = run_logged(&self.config, strategy, &self.loaded.market, &self.venue, wanted, &mut log);
        let outcome = outcome.map_err(StudyError::Run)?;
        log.close().map_err(fail)?;
        Ok(outcome)
    }

    /// What a journal keeps of where the market came from and what stood in for the venue.
    fn note(&self) -> String {
        let mut text = String::from("source = \"backtest\"\n");
        for source in &self.loaded.sources {
            text +=
                &format!("# {} ({} bytes, {}, {})\n", source.name, source.bytes, source.format, source.hash);
        }
        text + &format!("# exchange: {:?}\n", self.venue)
    }
}
