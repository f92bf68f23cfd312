//! The configured venues before the start: where each is, who we are there, and what has to be known of it.

use super::LaunchError;
use super::questions::{Account, Questions, category};
use crate::account_lock::{AccountLock, user_dir};
use crate::clock::Clock;
use crate::config::{AccountSection, FileConfig, NamedVenue, VenueKind, VenueSection};
use crate::venues::{AnyFeed, AnyGateway, Feeds, Gateways};
use crate::warm_up::{self, Candle};
use smc_core::TsNs;
use smc_core::config::{BarSource, EngineConfig};
use smc_core::digest::Digest;
use smc_core::instrument::InstrumentSpec;
use smc_core::words::{InstrumentId, Name, Timeframe};
use smc_feeds::binance_spot::{
    BinanceSpotFeed, BinanceSpotSbeFeed, BinaryStream, FeedSettings, candle_interval,
};
use smc_feeds::binance_usdm::BinanceUsdmFeed;
use smc_feeds::bybit::BybitFeed;
use smc_feeds::oanda::OandaFeed;
use smc_gateway::binance_spot::{self, BinanceSpotGateway, GatewayInstrument};
use smc_gateway::binance_usdm::{self, BinanceUsdmGateway};
use smc_gateway::bybit::{self, BybitGateway};
use smc_gateway::oanda::{self, OandaGateway};
use smc_gateway::sign::{self, KeyError, KeyKind, Signer};
use smc_net::{Endpoint, Hold, Secret, TlsSettings};
use std::net::IpAddr;
use std::path::Path;

/// The venues of a configuration: first those that orders go to, by their numbers, then those that only prices come from.
pub(crate) struct Links {
    links: Vec<Link>,
    /// Of each instrument, the place in `links` of its prices, and the symbol there.
    data: Vec<(usize, Name)>,
}

/// One venue.
pub(super) struct Link {
    name: String,
    at: VenueSection,
    pub account: Option<AccountSection>,
    tls: TlsSettings,
    /// Feed and gateway have one address.
    hold: Hold,
    pub questions: Questions,
}

impl Link {
    pub fn open(venue: &NamedVenue<'_>) -> Result<Self, LaunchError> {
        let tls = trust(venue.at)?;
        let rest = endpoint("rest", &venue.at.rest, &tls)?;
        let account = venue.account.cloned();
        let asks = match (venue.at.kind, &account) {
            (VenueKind::Oanda, Some(account)) => {
                let token = token(account)?;
                Some(Account { id: account.api_key.clone(), bearer: format!("Bearer {token}") })
            }
            _ => None,
        };
        let questions = Questions::open(venue.at.kind, &rest, asks)?;
        Ok(Self {
            name: venue.name.to_owned(),
            at: venue.at.clone(),
            account,
            tls,
            hold: Hold::default(),
            questions,
        })
    }

    /// On this machine, and so a simulator.
    pub fn is_simulated(&self) -> bool {
        environment(&self.at) == "sim"
    }

    /// A clock that starts at the venue's time.
    pub fn clock(&mut self) -> Result<Clock, LaunchError> {
        self.questions.clock(self.at.speed)
    }

    fn endpoint(&self, key: &'static str, text: &str) -> Result<Endpoint, LaunchError> {
        endpoint(key, text, &self.tls)
    }

    /// Where the binary streams are, and the key whose name they want: any but an Ed25519 key would be turned away there.
    fn binary(&self) -> Result<Option<BinaryStream>, LaunchError> {
        let Some(address) = &self.at.sbe else { return Ok(None) };
        let account = self.account()?;
        let fault = |error: KeyError| LaunchError::Key(account.key_file.clone(), error.to_string());
        let signer = Signer::new(&sign::Secret::from(read(&account.key_file)?)).map_err(fault)?;
        if signer.kind() != KeyKind::Ed25519 {
            return Err(fault(KeyError::NotEd25519));
        }
        let endpoint = self.endpoint("sbe", address)?;
        Ok(Some(BinaryStream { endpoint, api_key: account.api_key.clone() }))
    }

    fn account(&self) -> Result<&AccountSection, LaunchError> {
        self.account.as_ref().ok_or(LaunchError::Section("account"))
    }
}

impl Links {
    /// Connects to every venue that is named.
    pub fn open(file: &FileConfig, config: &EngineConfig) -> Result<Self, LaunchError> {
        let mut links: Vec<Link> = Vec::new();
        for name in file.venue_names() {
            links.push(Link::open(&named(file, name)?)?);
        }
        let mut data = Vec::new();
        for (section, instrument) in file.instruments.iter().zip(&config.instruments) {
            let Some(wanted) = &section.data else {
                data.push((usize::from(instrument.venue), instrument.symbol));
                continue;
            };
            let symbol = Name::new(&wanted.symbol)
                .ok_or_else(|| LaunchError::Symbol(wanted.symbol.clone(), "longer than any symbol".into()))?;
            let known = links.iter().position(|link| link.name == wanted.venue);
            let place = match known {
                Some(place) => place,
                None => {
                    links.push(Link::open(&named(file, &wanted.venue)?)?);
                    links.len() - 1
                }
            };
            data.push((place, symbol));
        }
        Ok(Self { links, data })
    }

    /// The rules of every instrument, from the venue of its orders.
    pub fn instruments(&mut self, config: &EngineConfig) -> Result<Vec<InstrumentSpec>, LaunchError> {
        let mut specs: Vec<Option<InstrumentSpec>> = vec![None; config.instruments.len()];
        for (venue, link) in self.links.iter_mut().enumerate() {
            let ours =
                |at: &&usize| config.instruments.get(**at).is_some_and(|i| usize::from(i.venue) == venue);
            let all: Vec<usize> = (0..config.instruments.len()).collect();
            let places: Vec<usize> = all.iter().filter(ours).copied().collect();
            let symbols: Vec<Name> =
                places.iter().filter_map(|&at| config.instruments.get(at)).map(|i| i.symbol).collect();
            if symbols.is_empty() {
                continue;
            }
            for (at, mut spec) in places.into_iter().zip(link.questions.instruments(&symbols)?) {
                spec.contract.can_oco &= link.at.native_pairs;
                if let Some(slot) = specs.get_mut(at) {
                    *slot = Some(spec);
                }
            }
        }
        let missing = |at: usize| {
            let symbol = config.instruments.get(at).map(|i| i.symbol.to_string()).unwrap_or_default();
            LaunchError::Symbol(symbol, "no venue".into())
        };
        specs.into_iter().enumerate().map(|(at, spec)| spec.ok_or_else(|| missing(at))).collect()
    }

    /// The past of every instrument and timeframe, in the order of its telling, from the venue of its prices.
    pub fn candles(
        &mut self,
        config: &EngineConfig,
        count: u16,
        now: TsNs,
    ) -> Result<Vec<Candle>, LaunchError> {
        let mut candles = Vec::new();
        for (id, &(place, symbol)) in (0u16..).map(InstrumentId).zip(&self.data) {
            let Some(link) = self.links.get_mut(place) else { continue };
            for &timeframe in config.timeframes.iter().filter(|_| count > 0) {
                let bars = link.questions.bars(symbol, timeframe, count, now)?;
                candles.extend(bars.into_iter().map(|bar| Candle { instrument: id, timeframe, bar }));
            }
        }
        warm_up::in_order(&mut candles);
        Ok(candles)
    }

    /// For venues that tell the time: see [`Questions::wait_longer`].
    pub fn wait_longer(&mut self) {
        self.links.iter_mut().for_each(|link| link.questions.wait_longer());
    }

    /// A clock that starts at the first venue's time.
    pub fn clock(&mut self) -> Result<Clock, LaunchError> {
        let first = self.links.first_mut().ok_or(LaunchError::Section("venue"))?;
        first.clock()
    }

    /// One feed for each venue that prices come from.
    pub fn feeds(&self, file: &FileConfig, config: &EngineConfig) -> Result<Feeds, LaunchError> {
        let mut feeds = Vec::new();
        for (place, link) in self.links.iter().enumerate() {
            let ids = (0u16..).map(InstrumentId).zip(&self.data).filter(|(_, data)| data.0 == place);
            let symbols: Vec<(InstrumentId, Name)> = ids.map(|(id, data)| (id, data.1)).collect();
            let is_here = |&(id, _): &(InstrumentId, Name)| {
                config.instruments.get(id.index()).is_some_and(|own| usize::from(own.venue) == place)
            };
            // Prices for orders elsewhere, and prices for orders here: two feeds, for only one of them tells the rules.
            let (here, elsewhere): (Vec<_>, Vec<_>) = symbols.into_iter().partition(is_here);
            for (symbols, is_traded) in [(here, true), (elsewhere, false)] {
                if !symbols.is_empty() {
                    let ids = symbols.iter().map(|&(id, _)| id).collect();
                    feeds.push((feed(file, link, config, &symbols, is_traded)?, ids, place as u8));
                }
            }
        }
        Ok(Feeds::new(feeds))
    }

    /// One gateway for each venue that orders go to.
    pub fn gateways(&self, config: &EngineConfig, specs: &[InstrumentSpec]) -> Result<Gateways, LaunchError> {
        let venue_of: Vec<u8> = config.instruments.iter().map(|instrument| instrument.venue).collect();
        let venues = venue_of.iter().max().map_or(0, |&last| usize::from(last) + 1);
        let gateways = self.links.iter().take(venues).enumerate().map(|(venue, link)| {
            let ids = (0u16..).map(InstrumentId).zip(specs).zip(&venue_of);
            let ours = ids.filter(|(_, at)| usize::from(**at) == venue).map(|((id, spec), _)| (id, *spec));
            gateway(link, config, &ours.collect::<Vec<_>>())
        });
        Ok(Gateways::new(gateways.collect::<Result<_, _>>()?, venue_of))
    }

    /// No other engine may trade on these accounts.
    pub fn lock_accounts(&self, journal: &Path) -> Result<Vec<AccountLock>, LaunchError> {
        let lock = |link: &Link| {
            let account = link.account.as_ref()?;
            let port = link.at.orders.replace(['/', ':', '[', ']'], "-");
            Some(AccountLock::take(&user_dir(), &format!("{}-{port}", account_name(account)), journal))
        };
        self.links.iter().filter_map(lock).collect::<Result<_, _>>().map_err(LaunchError::Account)
    }

    /// Which accounts, as the journal names them.
    pub fn account_name(&self) -> String {
        let names: Vec<String> =
            self.links.iter().filter_map(|link| link.account.as_ref()).map(account_name).collect();
        match names.as_slice() {
            [only] => only.clone(),
            many => {
                let mut digest = Digest::default();
                many.iter().for_each(|name| digest.fold(name.as_bytes()));
                format!("keys-{:.24}", digest.to_string())
            }
        }
    }

    /// What the orders are: a journal of one is never continued in another.
    pub fn environment(&self) -> &'static str {
        let traded = self.links.iter().filter(|link| link.account.is_some());
        let mut found: Vec<&'static str> = traded.map(|link| environment(&link.at)).collect();
        found.sort_unstable();
        found.dedup();
        match found.as_slice() {
            [only] => only,
            _ => "mixed",
        }
    }

    /// Bytes read from and written to the connections that asked.
    pub fn bytes(&self) -> (u64, u64) {
        let of = |link: &Link| (link.questions.client.bytes_received(), link.questions.client.bytes_sent());
        self.links.iter().map(of).fold((0, 0), |(received, sent), (r, s)| (received + r, sent + s))
    }
}

pub(super) fn named<'a>(file: &'a FileConfig, name: &str) -> Result<NamedVenue<'a>, LaunchError> {
    file.venue_named(name).ok_or_else(|| match name {
        "" => LaunchError::Section("venue"),
        name => LaunchError::Venue(name.to_owned()),
    })
}

fn trust(section: &VenueSection) -> Result<TlsSettings, LaunchError> {
    if section.plain {
        return Ok(TlsSettings::plain_on_loopback());
    }
    let Some(path) = &section.ca_file else {
        return TlsSettings::system_roots()
            .map_err(|error| LaunchError::Tls("system roots".into(), error.to_string()));
    };
    let pem = read(path)?;
    TlsSettings::from_ca_pem(&pem).map_err(|error| LaunchError::Tls(path.clone(), error.to_string()))
}

fn read(path: &Path) -> Result<String, LaunchError> {
    std::fs::read_to_string(path).map_err(|error| LaunchError::File(path.to_owned(), error))
}

fn endpoint(key: &'static str, text: &str, tls: &TlsSettings) -> Result<Endpoint, LaunchError> {
    let parts = text.rsplit_once(':').and_then(|(host, port)| Some((host, port.parse().ok()?)));
    let (host, port) = parts.ok_or_else(|| LaunchError::Address(key, text.into()))?;
    Ok(Endpoint { host: host.trim_matches(['[', ']']).into(), port, address: None, tls: tls.clone() })
}

pub(super) fn feed(
    file: &FileConfig,
    link: &Link,
    config: &EngineConfig,
    symbols: &[(InstrumentId, Name)],
    is_traded: bool,
) -> Result<AnyFeed, LaunchError> {
    let streams = link.endpoint("market", &link.at.market)?;
    let rest = link.endpoint("rest", &link.at.rest)?;
    let hold = link.hold.clone();
    let silence = link.at.silence_max_ms.map(|ms| ms.saturating_mul(1_000_000));
    // The venue's candles are made of trades: they must not stand for bars of mids.
    let is_of_trades = |(id, _): &(InstrumentId, Name)| config.bar_source(*id) == BarSource::Trades;
    let wants_candles = file.engine.warm_up_bars > 0 && symbols.iter().all(is_of_trades);
    let fault = |error: &dyn std::fmt::Display| LaunchError::Feed(error.to_string());
    match link.at.kind {
        VenueKind::BinanceSpot => {
            let binary = link.binary()?;
            let settings = match binary.clone() {
                None => FeedSettings::new(streams, rest),
                Some(binary) => FeedSettings::binary(binary, streams, rest),
            };
            let mut settings = binance(FeedSettings { hold, ..settings }, silence);
            if wants_candles {
                settings.streams.klines =
                    kline_streams(config, |timeframe| candle_interval(timeframe) == timeframe);
            }
            if binary.is_some() {
                let feed = BinanceSpotSbeFeed::new(settings, symbols).map_err(|error| fault(&error))?;
                return Ok(AnyFeed::BinanceSpotSbe(Box::new(feed)));
            }
            let feed = BinanceSpotFeed::new(settings, symbols).map_err(|error| fault(&error))?;
            Ok(AnyFeed::BinanceSpot(Box::new(feed)))
        }
        VenueKind::BinanceUsdm => {
            let mut settings =
                binance(FeedSettings { hold, ..FeedSettings::futures(streams, rest) }, silence);
            (settings.streams.mark, settings.streams.contract) = (is_traded, is_traded);
            if wants_candles {
                let is_offered = |timeframe: Timeframe| {
                    timeframe.secs() >= 60 && smc_feeds::binance_usdm::candle_interval(timeframe) == timeframe
                };
                settings.streams.klines = kline_streams(config, is_offered);
            }
            let feed = BinanceUsdmFeed::new(settings, symbols).map_err(|error| fault(&error))?;
            Ok(AnyFeed::BinanceUsdm(Box::new(feed)))
        }
        kind @ (VenueKind::BybitSpot | VenueKind::BybitLinear) => {
            let mut settings = smc_feeds::bybit::FeedSettings::new(streams, category(kind));
            settings.streams.ticker = is_traded;
            if let Some(silence) = silence {
                (settings.silence.best_ns, settings.silence.depth_ns) = (silence, silence);
                settings.silence.connection_ns = silence.saturating_mul(3);
            }
            if wants_candles {
                let is_offered = |timeframe| smc_feeds::bybit::candle_interval(timeframe) == Some(timeframe);
                settings.streams.klines = kline_streams(config, is_offered);
            }
            let feed = BybitFeed::new(settings, symbols).map_err(|error| fault(&error))?;
            Ok(AnyFeed::Bybit(Box::new(feed)))
        }
        VenueKind::Oanda => {
            let account = link.account()?;
            let token = Secret::new(&token(account)?);
            let mut settings = smc_feeds::oanda::FeedSettings::new(streams, rest, &account.api_key, token);
            settings.tells_rules = is_traded;
            if let Some(silence) = silence {
                settings.silence.price_ns = silence;
            }
            let feed = OandaFeed::new(settings, symbols).map_err(|error| fault(&error))?;
            Ok(AnyFeed::Oanda(Box::new(feed)))
        }
    }
}

pub(super) fn gateway(
    link: &Link,
    config: &EngineConfig,
    instruments: &[(InstrumentId, InstrumentSpec)],
) -> Result<AnyGateway, LaunchError> {
    let account = link.account()?;
    let key = read(&account.key_file)?;
    let orders = link.endpoint("orders", &link.at.orders)?;
    let rest = link.endpoint("rest", &link.at.rest)?;
    let hold = link.hold.clone();
    let fault = |error: &dyn std::fmt::Display| LaunchError::Key(account.key_file.clone(), error.to_string());
    let instruments: Vec<GatewayInstrument> =
        instruments.iter().map(|&(id, spec)| GatewayInstrument { id, spec }).collect();
    let has_switch = !matches!(link.at.kind, VenueKind::BinanceSpot | VenueKind::Oanda);
    if account.dead_man_ms > 0 && !has_switch {
        return Err(LaunchError::NoDeadMan(link.at.kind));
    }
    match link.at.kind {
        VenueKind::BinanceSpot => {
            let settings = binance_spot::GatewaySettings {
                recv_window_ms: account.recv_window_ms,
                rest: Some(rest),
                hold,
                ..binance_spot::GatewaySettings::new(orders, &account.api_key, &key, config.instance)
            };
            let gateway = BinanceSpotGateway::new(settings, &instruments).map_err(|error| fault(&error))?;
            Ok(AnyGateway::BinanceSpot(Box::new(gateway)))
        }
        VenueKind::BinanceUsdm => {
            // The account's events come from the host of the prices.
            let events = link.endpoint("market", &link.at.market)?;
            let key = sign::Secret::from(key);
            let settings = binance_usdm::GatewaySettings {
                recv_window_ms: account.recv_window_ms,
                dead_man_ms: account.dead_man_ms,
                hold,
                ..binance_usdm::GatewaySettings::new(
                    orders,
                    events,
                    rest,
                    &account.api_key,
                    key,
                    config.instance,
                )
            };
            let gateway = BinanceUsdmGateway::new(settings, &instruments).map_err(|error| fault(&error))?;
            Ok(AnyGateway::BinanceUsdm(Box::new(gateway)))
        }
        VenueKind::BybitSpot | VenueKind::BybitLinear => {
            let category = match link.at.kind {
                VenueKind::BybitSpot => bybit::Category::Spot,
                _ => bybit::Category::Linear,
            };
            let seconds = u16::try_from(account.dead_man_ms.div_ceil(1_000)).unwrap_or(u16::MAX);
            let settings = bybit::GatewaySettings {
                recv_window_ms: account.recv_window_ms,
                dead_man_s: Some(seconds).filter(|&seconds| seconds > 0),
                ..bybit::GatewaySettings::new(orders, rest, category, &account.api_key, &key, config.instance)
            };
            let gateway = BybitGateway::new(settings, &instruments).map_err(|error| fault(&error))?;
            Ok(AnyGateway::Bybit(Box::new(gateway)))
        }
        VenueKind::Oanda => {
            // Orders are REST requests; the stream of transactions comes from the host of the prices.
            let stream = link.endpoint("market", &link.at.market)?;
            let token = Secret::new(key.trim());
            let settings =
                oanda::GatewaySettings::new(stream, orders, &account.api_key, token, config.instance);
            let gateway = OandaGateway::new(settings, &instruments).map_err(|error| fault(&error))?;
            Ok(AnyGateway::Oanda(Box::new(gateway)))
        }
    }
}

/// Both of Binance's markets know the same silences.
const fn binance(mut settings: FeedSettings, silence: Option<u64>) -> FeedSettings {
    if let Some(silence) = silence {
        settings.silence.book_ticker_ns = silence;
        settings.silence.depth_ns = silence;
        settings.silence.connection_ns = silence.saturating_mul(3);
    }
    settings
}

/// The one line of Oanda's key file.
fn token(account: &AccountSection) -> Result<String, LaunchError> {
    Ok(read(&account.key_file)?.trim().to_owned())
}

/// The timeframes whose closed candles the venue sends: they stand for the bars whose first trades we missed.
fn kline_streams<const N: usize>(
    config: &EngineConfig,
    is_offered: impl Fn(Timeframe) -> bool,
) -> [Option<Timeframe>; N] {
    let offered = config.timeframes.iter().filter(|&&timeframe| is_offered(timeframe));
    let mut streams = [None; N];
    for (stream, &timeframe) in streams.iter_mut().zip(offered) {
        *stream = Some(timeframe);
    }
    streams
}

/// Which account, as the journal and the account's lock name it: enough to tell two apart, not the key's name itself.
fn account_name(section: &AccountSection) -> String {
    let mut digest = Digest::default();
    digest.fold(section.api_key.as_bytes());
    format!("key-{:.24}", digest.to_string())
}

/// What the orders are: a journal of one is never continued in another.
fn environment(section: &VenueSection) -> &'static str {
    let host = section.orders.rsplit_once(':').map_or(section.orders.as_str(), |(host, _)| host);
    let is_local =
        host == "localhost" || host.trim_matches(['[', ']']).parse().is_ok_and(|ip: IpAddr| ip.is_loopback());
    match host {
        _ if is_local => "sim",
        _ if host.contains("testnet") || host.contains("demo") || host.contains("practice") => "testnet",
        _ => "live",
    }
}
