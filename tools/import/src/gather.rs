//! A file's events in memory, for who wants to run over them and keep no journal of them.

use crate::format::{Format, Guess, guess};
use crate::job::spec_of;
use crate::rows::{self, Draft, Hints, Step, Taken};
use crate::source::open;
use smc_core::instrument::InstrumentSpec;
use smc_core::words::{Name, Price, Qty, Timeframe};
use std::collections::BTreeMap;
use std::path::Path;

/// What is known of a file before it is read.
#[derive(Clone, Copy, Debug, Default)]
pub struct Known {
    /// The format; found out where it is not told.
    pub format: Option<Format>,
    /// The instrument; found out where it is not told.
    pub symbol: Option<Name>,
    /// Base and quote asset; taken from the symbol where they are not told.
    pub assets: (Option<Name>, Option<Name>),
    /// Price and quantity steps; as fine as all rows where they are not told.
    pub steps: (Option<Price>, Option<Qty>),
    /// Length of bars that do not say it.
    pub timeframe: Option<Timeframe>,
}

/// A file's content.
#[derive(Clone, Debug)]
pub struct Gathered {
    /// Its format.
    pub format: Format,
    /// The instrument, its steps as fine as its rows.
    pub spec: InstrumentSpec,
    /// In the file's order.
    pub drafts: Vec<Draft>,
    /// Rows left out on purpose, by reason.
    pub skipped: BTreeMap<&'static str, u64>,
    /// Rows that could not be used.
    pub refused: u64,
}

/// Reads all of a file. `refuse` hears every row that cannot be used: line, reason.
pub fn gather(path: &Path, known: &Known, refuse: &mut dyn FnMut(u64, &str)) -> Result<Gathered, String> {
    let hints = Hints { symbol: known.symbol.unwrap_or_default(), timeframe: known.timeframe };
    let Guess { format, symbol } = guess(path, known.format, &hints)?;
    let symbol = symbol.ok_or("which instrument this is cannot be seen; say --symbol")?;
    let text = open(path).map_err(|error| error.to_string())?;
    let hints = Hints { symbol, timeframe: known.timeframe };
    let mut rows = rows::open(format, text, &hints)?;
    let (mut drafts, mut skipped, mut refused) = (Vec::new(), BTreeMap::new(), 0);
    loop {
        match rows.step(&mut drafts) {
            Step::End => break,
            Step::Broken(error) => return Err(error.to_string()),
            Step::Row(_, Ok(Taken::Events | Taken::Nothing)) => {}
            Step::Row(_, Ok(Taken::Skipped(reason))) => *skipped.entry(reason).or_default() += 1,
            Step::Row(line, Err(reason)) => {
                refused += 1;
                refuse(line, &reason);
            }
        }
    }
    if drafts.is_empty() {
        return Err("no row of it can be used".into());
    }
    let spec = spec_of(known.assets, known.steps, symbol, drafts.iter())?;
    Ok(Gathered { format, spec, drafts, skipped, refused })
}
