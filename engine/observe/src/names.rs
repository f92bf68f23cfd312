//! What people call instruments, venues and scopes.

use smc_core::InstrumentId;
use smc_core::event::{RiskScope, ScopeKind};
use smc_replay::scope_name;
use smc_settings::file::{FileConfig, InstrumentSection};

/// Names by number.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Names {
    /// Of the instruments, in the order of their ids: the symbol, and the venue too where two have the same.
    pub symbols: Vec<String>,
    /// Of the venues that orders go to, by their numbers. One that the configuration does not name, as that of a journal does
    /// not, is `venue0`.
    pub venues: Vec<String>,
    /// The asset that equity is counted in.
    pub asset: String,
}

impl Names {
    /// Those of a configuration.
    pub fn of(config: &FileConfig) -> Self {
        let is_alone =
            |symbol: &str| config.instruments.iter().filter(|other| other.symbol == symbol).count() == 1;
        let symbol = |section: &InstrumentSection| match &section.venue {
            Some(venue) if !is_alone(&section.symbol) => format!("{venue}:{}", section.symbol),
            _ => section.symbol.clone(),
        };
        let venue = |(number, name): (usize, &str)| match config.venue_named(name) {
            Some(venue) => venue.name.to_owned(),
            None if name.is_empty() => format!("venue{number}"),
            None => name.to_owned(),
        };
        Self {
            symbols: config.instruments.iter().map(symbol).collect(),
            venues: config.venue_names().into_iter().enumerate().map(venue).collect(),
            asset: config.engine.quote_asset.clone(),
        }
    }

    /// Of an instrument; empty for none, `instrument 7` for one that is not configured.
    pub fn symbol(&self, id: InstrumentId) -> String {
        match self.symbols.get(id.index()) {
            Some(symbol) => symbol.clone(),
            None if id == InstrumentId::NONE => String::new(),
            None => format!("instrument {}", id.0),
        }
    }

    /// Of a venue.
    pub fn venue(&self, number: u8) -> String {
        self.venues.get(usize::from(number)).cloned().unwrap_or_else(|| format!("venue{number}"))
    }

    /// `engine`, `venue binance-spot`, `instrument BTCUSDT`, `strategy 1`.
    pub fn scope(&self, scope: RiskScope) -> String {
        let name = match scope.kind {
            ScopeKind::Venue => self.venues.get(usize::from(scope.id)).map(|name| format!("venue {name}")),
            ScopeKind::Instrument => {
                self.symbols.get(usize::from(scope.id)).map(|name| format!("instrument {name}"))
            }
            ScopeKind::Engine | ScopeKind::Strategy => None,
        };
        name.unwrap_or_else(|| scope_name(scope))
    }
}
