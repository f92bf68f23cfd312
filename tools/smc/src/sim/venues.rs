//! What each simulated venue is made of: its market, its accounts and their keys, and where its clients call.

use super::{API_KEY, Args, Venue, account, account_with, generated, market};
use crate::failure::Failure;
use smc_core::instrument::Contract;
use smc_core::words::{Price, Qty, SCALE};
use std::net::SocketAddr;
use std::path::Path;
use venue_sim::credentials::{Credentials, Secret, Token};
use venue_sim::market::{
    FxGenerator, FxGeneratorSettings, FxTicks, GeneratorSettings, Merged, PERPETUAL, QuoteSource,
};
use venue_sim::{AccountSettings, LimitSettings, OandaSettings, SimSettings, VenueKind};

/// The accounts at a simulated Oanda: the first nets, the second hedges.
const OANDA_ACCOUNTS: [&str; 2] = ["101-004-1234567-001", "101-004-1234567-002"];
/// Units at each recorded price, which come without any.
const RECORDED_UNITS: i64 = 1_000_000;

/// A venue before it listens.
pub struct Made {
    /// Everything but what the command line says of all venues.
    pub settings: SimSettings,
    /// Name of the file that holds the accounts' key.
    pub key_file: &'static str,
    /// The key, for the client.
    pub key: String,
}

impl Made {
    /// Makes the venue that was asked for, with new keys.
    pub fn new(args: &Args) -> Result<Self, Failure> {
        match args.venue {
            Venue::BinanceSpot => {
                let credentials = Credentials::generate().map_err(failed)?;
                let market = market(args.data.as_deref(), args.seed)?;
                Ok(Self::with_pem(SimSettings::new(market, vec![account(&credentials)]), &credentials))
            }
            Venue::BinanceUsdm => usdm(args),
            Venue::Bybit => bybit(args),
            Venue::Oanda => oanda(args),
        }
    }

    fn with_pem(settings: SimSettings, credentials: &Credentials) -> Self {
        Self { settings, key_file: "key.pem", key: credentials.private_pem().to_owned() }
    }
}

fn failed(error: String) -> Failure {
    Failure::wrong("credentials", error)
}

fn usdm(args: &Args) -> Result<Made, Failure> {
    let credentials = Credentials::generate().map_err(failed)?;
    // The grid of the live contract: a tenth, and a thousandth of a coin.
    let (tick, lot) = (Price(SCALE / 10), Qty(SCALE / 1_000));
    let market = match args.data.as_deref() {
        Some(path) => market(Some(path), args.seed)?,
        None => generated(GeneratorSettings { seed: args.seed, tick, lot, ..GeneratorSettings::default() })?,
    };
    let account = account_with(&credentials, &[("USDT", Qty(100_000 * SCALE))], 2, 5);
    let mut settings = SimSettings::new(market, vec![account]);
    settings.kind = VenueKind::BinanceUsdm;
    settings.limits = LimitSettings::binance_usdm();
    Ok(Made::with_pem(settings, &credentials))
}

fn bybit(args: &Args) -> Result<Made, Failure> {
    let secret = Secret::generate().map_err(failed)?;
    let market = || market(args.data.as_deref(), args.seed);
    let both = Merged::new(vec![(market()?, Contract::SPOT), (market()?, PERPETUAL)]);
    let balances = [("USDT", Qty(100_000 * SCALE)), ("BTC", Qty(5 * SCALE))];
    let mut account = AccountSettings::new(API_KEY, secret.credential(), &balances);
    (account.maker_fee_bps, account.taker_fee_bps) = (1, 2);
    let mut settings = SimSettings::new(Box::new(both), vec![account]);
    settings.kind = VenueKind::Bybit;
    Ok(Made { settings, key_file: "secret", key: secret.text().to_owned() })
}

fn oanda(args: &Args) -> Result<Made, Failure> {
    let token = Token::generate().map_err(failed)?;
    let mut oanda = OandaSettings::new(quotes(args.data.as_deref(), args.seed)?);
    oanda.hedging = OANDA_ACCOUNTS.iter().skip(1).map(|id| (*id).to_owned()).collect();
    let balance = [("USD", Qty(100_000 * SCALE))];
    let accounts = OANDA_ACCOUNTS.map(|id| AccountSettings::new(id, token.credential(), &balance));
    let settings = SimSettings::oanda(oanda, accounts.to_vec());
    Ok(Made { settings, key_file: "token", key: token.text().to_owned() })
}

/// A dealer: recorded where a file is given, generated otherwise.
fn quotes(data: Option<&Path>, seed: u64) -> Result<Box<dyn QuoteSource>, Failure> {
    match data {
        Some(path) => {
            let ticks = FxTicks::open(&[path.to_owned()], RECORDED_UNITS);
            Ok(Box::new(ticks.map_err(|error| Failure::Wrong(error.to_string()))?))
        }
        None => {
            let dealer = FxGenerator::new(FxGeneratorSettings { seed, ..FxGeneratorSettings::default() });
            Ok(Box::new(dealer.ok_or_else(|| Failure::Wrong("generator settings".into()))?))
        }
    }
}

impl Venue {
    /// Where a client of the venue calls, each address under the name of what it is for.
    pub fn urls(self, address: SocketAddr) -> Vec<(&'static str, String)> {
        let paths: &[(&str, &str, &str)] = match self {
            Self::BinanceSpot => &[
                ("rest", "https", "/api/v3"),
                ("streams", "wss", "/stream"),
                ("orders", "wss", "/ws-api/v3"),
            ],
            Self::BinanceUsdm => &[
                ("rest", "https", "/fapi"),
                ("public", "wss", "/public/stream"),
                ("market", "wss", "/market/stream"),
                ("private", "wss", "/private/ws"),
                ("orders", "wss", "/ws-fapi/v1"),
            ],
            Self::Bybit => &[
                ("rest", "https", "/v5"),
                ("spot", "wss", "/v5/public/spot"),
                ("linear", "wss", "/v5/public/linear"),
                ("private", "wss", "/v5/private"),
                ("orders", "wss", "/v5/trade"),
            ],
            // Streams are answers that do not end, under the same address.
            Self::Oanda => &[("rest", "https", "/v3")],
        };
        paths.iter().map(|(name, scheme, path)| (*name, format!("{scheme}://{address}{path}"))).collect()
    }
}
