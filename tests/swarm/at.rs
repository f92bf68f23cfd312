//! The venues that a run can be at: what their simulators are made of, how an engine is configured for them, and how what
//! is so there reads in the words of the journal.

use super::run::Scene;
use crate::BUSY;
use smc_core::TsNs;
use smc_core::instrument::{Contract, ContractKind};
use smc_core::words::{Name, Price, Qty, SCALE, number_of_text};
use std::path::Path;
use venue_sim::credentials::{Credentials, Secret, Token};
use venue_sim::market::{
    FxGenerator, FxGeneratorSettings, Generator, GeneratorSettings, MarketSource, Merged, PERPETUAL,
};
use venue_sim::{
    AccountSettings, Credential, LimitSettings, OandaSettings, Sim, SimSettings, Truth, VenueKind,
};

/// The name of the account's key; at Oanda the account's id.
const API_KEY: &str = "swarm-key";
const OANDA_ACCOUNT: &str = "101-004-1234567-001";
/// What an account begins with, of base and of quote asset.
const BASE: Qty = Qty(5 * SCALE);
const QUOTE: Qty = Qty(100_000 * SCALE);
/// Mean time between two prices of the dealer: most are told, though a stream tells four a second at most.
const DEALER_STEP_NS: u64 = 300_000_000;
/// How far the dealer's prices move, so that seconds make swings.
const DEALER_NOISE: f64 = 0.000_05;

/// A price that a stream holds back is told within so long.
const WINDOW_NS: u64 = 260_000_000;

/// Where a run trades.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum At {
    /// Binance spot.
    #[default]
    Spot,
    /// Binance USDⓈ-M futures.
    Usdm,
    /// Bybit, coins.
    BybitSpot,
    /// Bybit, a perpetual.
    BybitLinear,
    /// Oanda.
    Oanda,
}

/// A venue that listens, and what an engine must know of it.
pub struct Opened {
    /// The venue.
    pub sim: Sim,
    /// The account at the opening: the asset that is traded, and the one it is paid in.
    pub first: [(Name, Qty); 2],
}

impl At {
    /// All there are.
    pub const ALL: [Self; 5] = [Self::Spot, Self::Usdm, Self::BybitSpot, Self::BybitLinear, Self::Oanda];

    /// The configuration's word.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Spot => "binance-spot",
            Self::Usdm => "binance-usdm",
            Self::BybitSpot => "bybit-spot",
            Self::BybitLinear => "bybit-linear",
            Self::Oanda => "oanda",
        }
    }

    /// What is traded: a venue may have a contract of the same name beside it.
    pub const fn contract(self) -> ContractKind {
        match self {
            Self::Spot | Self::BybitSpot => ContractKind::Spot,
            Self::Usdm | Self::BybitLinear => ContractKind::Linear,
            Self::Oanda => ContractKind::Fx,
        }
    }

    /// Coins change hands; else a position is held.
    pub fn is_spot(self) -> bool {
        self.contract() == ContractKind::Spot
    }

    /// The venue sends a book that has numbers; else prices alone.
    pub fn has_book(self) -> bool {
        self != Self::Oanda
    }

    /// Best levels of a side that must be equal: the engine is told a hundred at least, half of fifty at Bybit.
    pub fn levels(self) -> usize {
        if matches!(self, Self::BybitSpot | Self::BybitLinear) { 25 } else { 50 }
    }

    /// Whether the venue's own rule keeps an address out for ten minutes that came too often, whatever it says.
    pub fn is_shut_long(self) -> bool {
        matches!(self, Self::BybitSpot | Self::BybitLinear)
    }

    /// Best prices carry the number of the book that they are the top of.
    pub fn has_numbered_quotes(self) -> bool {
        !matches!(self, Self::BybitSpot | Self::BybitLinear)
    }

    /// Quantities of the best prices are the book's. Oanda's go down with what we take, which no price tells.
    pub fn has_true_quantities(self) -> bool {
        self != Self::Oanda
    }

    /// Every change of an amount is told at once. Oanda tells the balance in rounds alone.
    pub fn tells_amounts(self) -> bool {
        self != Self::Oanda
    }

    /// What rounding may make of an amount of money, 1e-8, in one fill: Oanda books to a hundredth of a cent.
    pub fn grain(self) -> i64 {
        if self == Self::Oanda { 10_000 } else { 2 }
    }

    /// What is so at the venue, of what the run trades, trades under the numbers that the journal has.
    pub fn of(self, mut truth: Truth) -> Truth {
        let kind = self.contract();
        truth.orders.retain(|order| order.kind == kind);
        truth.trades.retain(|trade| trade.kind == kind);
        truth.positions.retain(|position| position.kind == kind);
        truth.books.retain(|book| book.kind == kind);
        if matches!(self, Self::BybitSpot | Self::BybitLinear) {
            for trade in &mut truth.trades {
                trade.trade_id = number_of_text(trade.trade_name.as_bytes());
            }
        }
        truth
    }

    /// Whether the venue has told all of its prices at `now`, up to which it has run: a dealer's wait for the end of a quarter
    /// of a second, Bybit's books have a number once they are told. The venue's own clock stands at the last thing it did.
    pub fn has_told(self, sim: &Sim, now: TsNs) -> bool {
        let is_told = |update_id: u64| match self {
            Self::Oanda => update_id.saturating_add(WINDOW_NS) < now.0,
            _ => update_id > 0,
        };
        self.of(sim.truth(0)).books.iter().all(|book| is_told(book.update_id))
    }

    /// Opens the venue, its key and its certificate in `home`.
    pub fn open(self, scene: &Scene, home: &Path) -> Result<Opened, String> {
        let write =
            |name: &str, text: &str| std::fs::write(home.join(name), text).map_err(|error| error.to_string());
        let (mut settings, first) = match self {
            Self::Spot | Self::Usdm => {
                let credentials = Credentials::generate()?;
                write("key", credentials.private_pem())?;
                self.binance(scene.seed, credentials.credential())?
            }
            Self::BybitSpot | Self::BybitLinear => {
                let secret = Secret::generate()?;
                write("key", secret.text())?;
                bybit(scene.seed, secret.credential())?
            }
            Self::Oanda => {
                let token = Token::generate()?;
                write("key", token.text())?;
                oanda(scene.seed, token.credential())?
            }
        };
        settings.seed = scene.seed;
        settings.faults = Some(scene.plan.clone());
        let sim = Sim::bind(settings).map_err(|error| error.to_string())?;
        write("ca.pem", sim.ca_pem())?;
        let first = first.map(|(asset, qty)| (Name::new(asset).unwrap_or_default(), qty));
        Ok(Opened { sim, first })
    }

    fn binance(self, seed: u64, credential: Credential) -> Result<Made, String> {
        let mut market = GeneratorSettings { seed, ..GeneratorSettings::default() };
        let mut first = FIRST;
        if self == Self::Usdm {
            // The grid of the live contract: a tenth, and a thousandth of a coin.
            (market.tick, market.lot) = (Price(SCALE / 10), Qty(SCALE / 1_000));
            first[0].1 = Qty::ZERO;
        }
        let market = generated(market)?;
        let mut settings = SimSettings::new(market, vec![account(credential, &first)]);
        if self == Self::Usdm {
            (settings.kind, settings.limits) = (VenueKind::BinanceUsdm, LimitSettings::binance_usdm());
        }
        Ok((settings, first))
    }

    /// The whole configuration of an engine for a venue at `address`.
    pub fn config_text(self, scene: &Scene, home: &Path, address: &str) -> String {
        let mut decides = BUSY.to_owned();
        let mut say = |from: &str, to: &str| decides = decides.replace(from, to);
        if scene.is_patient {
            say("entry_kind = \"take\"", "entry_kind = \"rest\"");
            say("lifetime_bars = 1", "lifetime_bars = 30");
        }
        if self == Self::Oanda {
            say("BTCUSDT", "EUR_USD");
            say("quote_asset = \"USDT\"", "quote_asset = \"USD\"");
            say("timer_ms = 250", "timer_ms = 250\nbars_from = \"quotes\"");
            say("order_qty_max = \"5\"", "order_qty_max = \"100000\"");
            say("position_qty_max = \"15\"", "position_qty_max = \"300000\"");
        }
        scene.tweaks.iter().for_each(|(from, to)| say(from, to));
        let (home, kind) = (home.display(), self.word());
        let (topology, dead_man_ms) = (scene.topology, scene.dead_man_ms);
        let api_key = if self == Self::Oanda { OANDA_ACCOUNT } else { API_KEY };
        let pairs = if scene.has_pairs { "native_pairs = true\n" } else { "" };
        format!(
            r#"{decides}
[venue]
kind = "{kind}"
market = "{address}"
orders = "{address}"
rest = "{address}"
ca_file = "{home}/ca.pem"
{pairs}
[account]
api_key = "{api_key}"
key_file = "{home}/key"
dead_man_ms = {dead_man_ms}

[process]
topology = "{topology}"
segment_mib = 4
sync_ms = 0
unsynced_max_ms = 0
snapshot_records = 0
"#
        )
    }
}

/// A simulator before it listens, and what its account begins with.
type Made = (SimSettings, [(&'static str, Qty); 2]);

const FIRST: [(&str, Qty); 2] = [("BTC", BASE), ("USDT", QUOTE)];

fn bybit(seed: u64, credential: Credential) -> Result<Made, String> {
    let market = || generated(GeneratorSettings { seed, ..GeneratorSettings::default() });
    let both = Merged::new(vec![(market()?, Contract::SPOT), (market()?, PERPETUAL)]);
    let mut settings = SimSettings::new(Box::new(both), vec![account(credential, &FIRST)]);
    settings.kind = VenueKind::Bybit;
    Ok((settings, FIRST))
}

fn oanda(seed: u64, credential: Credential) -> Result<Made, String> {
    let first = [("EUR", Qty::ZERO), ("USD", QUOTE)];
    let dealer = FxGeneratorSettings {
        seed,
        instruments: vec![("EUR_USD".to_owned(), 1.1)],
        step_ns: DEALER_STEP_NS,
        noise: DEALER_NOISE,
        ..FxGeneratorSettings::default()
    };
    let dealer = FxGenerator::new(dealer).ok_or("the dealer's settings")?;
    let account = AccountSettings::new(OANDA_ACCOUNT, credential, &first[1..]);
    Ok((SimSettings::oanda(OandaSettings::new(Box::new(dealer)), vec![account]), first))
}

fn generated(settings: GeneratorSettings) -> Result<Box<dyn MarketSource>, String> {
    Ok(Box::new(Generator::new(settings).ok_or("the market's settings")?))
}

fn account(credential: Credential, first: &[(&str, Qty)]) -> AccountSettings {
    let owned: Vec<_> = first.iter().copied().filter(|(_, qty)| *qty > Qty::ZERO).collect();
    AccountSettings {
        maker_fee_bps: 1,
        taker_fee_bps: 2,
        ..AccountSettings::new(API_KEY, credential, &owned)
    }
}
