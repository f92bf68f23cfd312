//! What a venue is asked before the start: its rules, its time, its candles. Blocking, over one connection.

use super::LaunchError;
use crate::clock::Clock;
use crate::config::VenueKind;
use crate::warm_up;
use smc_core::TsNs;
use smc_core::event::Bar;
use smc_core::instrument::InstrumentSpec;
use smc_core::words::{Name, Timeframe};
use smc_feeds::bybit::Category;
use smc_feeds::oanda::PriceSide;
use smc_feeds::{binance_spot, binance_usdm, bybit, oanda};
use smc_net::{Endpoint, HttpClient, HttpResponse, NetError};
use std::fmt::Display;
use std::time::{Duration, Instant};

/// How long the venue may take for one answer.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(10);
/// The same for a simulator that tells the time, on a machine that has much else to do.
const SIMULATED_TIMEOUT: Duration = Duration::from_secs(120);

/// Questions before the start, over one connection that stays open.
pub(super) struct Questions {
    pub client: HttpClient,
    kind: VenueKind,
    venue: String,
    /// Where the venue answers nobody without one.
    account: Option<Account>,
    /// Wall time for one answer.
    timeout: Duration,
}

/// Who asks.
pub(super) struct Account {
    /// The account's id.
    pub id: String,
    /// `Bearer` and the token.
    pub bearer: String,
}

impl Questions {
    pub fn open(kind: VenueKind, endpoint: &Endpoint, account: Option<Account>) -> Result<Self, LaunchError> {
        let venue = format!("{}:{}", endpoint.host, endpoint.port);
        let client = HttpClient::connect(endpoint);
        let client = client.map_err(|error| LaunchError::Rules(format!("{venue}: {error}")))?;
        Ok(Self { client, kind, venue, account, timeout: ANSWER_TIMEOUT })
    }

    /// The venue tells the time: what it takes of ours says nothing of it.
    pub fn wait_longer(&mut self) {
        self.timeout = SIMULATED_TIMEOUT;
    }

    fn fault(&self, reason: &dyn Display) -> LaunchError {
        LaunchError::Rules(format!("{}: {reason}", self.venue))
    }

    fn account_id(&self) -> Result<String, LaunchError> {
        let account = self.account.as_ref().ok_or(LaunchError::Section("account"))?;
        Ok(account.id.clone())
    }

    fn ask(&mut self, path: &str) -> Result<HttpResponse, LaunchError> {
        let started = Instant::now();
        let mut is_asked = false;
        loop {
            if !is_asked {
                let bearer = self.account.as_ref().map(|account| ("Authorization", account.bearer.as_str()));
                is_asked = self.client.get(path, bearer.as_slice()).is_ok();
            }
            match self.client.poll() {
                Err(error @ NetError::Tls(_)) => {
                    return Err(self.fault(&format!("{error}; is venue.ca_file this venue's authority?")));
                }
                Err(error) => return Err(self.fault(&error)),
                Ok(Some(response)) => return Ok(response),
                Ok(None) if started.elapsed() > self.timeout => {
                    return Err(self.fault(&format_args!("no answer within {} s", self.timeout.as_secs())));
                }
                Ok(None) => std::thread::sleep(Duration::from_micros(200)),
            }
        }
    }

    /// The body of a good answer.
    fn body(&mut self, path: &str) -> Result<Vec<u8>, LaunchError> {
        let response = self.ask(path)?;
        if response.status == 200 {
            return Ok(response.body.to_vec());
        }
        let text = String::from_utf8_lossy(&response.body);
        Err(self.fault(&format!("status {}: {text}", response.status)))
    }

    /// The rules of instruments.
    pub fn instruments(&mut self, symbols: &[Name]) -> Result<Vec<InstrumentSpec>, LaunchError> {
        let each = |rules: &dyn Fn(&str) -> Result<InstrumentSpec, String>| {
            let one = |symbol: &Name| {
                rules(symbol.as_str()).map_err(|error| LaunchError::Symbol(symbol.to_string(), error))
            };
            symbols.iter().map(one).collect()
        };
        match self.kind {
            VenueKind::BinanceSpot => {
                let body = self.spot_rules(symbols)?;
                each(&|symbol| binance_spot::instrument_spec(&mut body.clone(), symbol).map_err(text))
            }
            VenueKind::BinanceUsdm => {
                let body = self.body("/fapi/v1/exchangeInfo")?;
                each(&|symbol| binance_usdm::instrument_spec(&mut body.clone(), symbol).map_err(text))
            }
            VenueKind::BybitSpot | VenueKind::BybitLinear => {
                let category = category(self.kind);
                let mut specs = Vec::new();
                for &symbol in symbols {
                    let mut body = self.body(&bybit::instruments_path(category, symbol))?;
                    let spec = bybit::instrument_spec(&mut body, category, symbol.as_str());
                    specs.push(spec.map_err(|error| LaunchError::Symbol(symbol.to_string(), text(error)))?);
                }
                Ok(specs)
            }
            VenueKind::Oanda => {
                let path = oanda::instruments_path(&self.account_id()?, symbols.iter());
                let body = self.body(&path)?;
                each(&|symbol| oanda::instrument_spec(&mut body.clone(), symbol).map_err(text))
            }
        }
    }

    /// Those of some: the whole list is megabytes.
    fn spot_rules(&mut self, symbols: &[Name]) -> Result<Vec<u8>, LaunchError> {
        let quoted: Vec<String> = symbols.iter().map(|symbol| format!("%22{symbol}%22")).collect();
        let response = self.ask(&format!("/api/v3/exchangeInfo?symbols=%5B{}%5D", quoted.join(",")))?;
        let text = String::from_utf8_lossy(&response.body);
        match response.status {
            200 => Ok(response.body.to_vec()),
            // The venue's word for a symbol it does not know.
            _ if text.contains("-1121") => {
                let names: Vec<String> = symbols.iter().map(ToString::to_string).collect();
                Err(LaunchError::Symbol(names.join(", "), "the venue does not list it".into()))
            }
            status => Err(self.fault(&format!("status {status}: {text}"))),
        }
    }

    /// The last `count` bars of a symbol that were closed at `now`; none of a length that the venue's candles do not make.
    pub fn bars(
        &mut self,
        symbol: Name,
        timeframe: Timeframe,
        count: u16,
        now: TsNs,
    ) -> Result<Vec<Bar>, LaunchError> {
        let Some((interval, most)) = self.interval(timeframe) else { return Ok(Vec::new()) };
        let parts = timeframe.secs() / interval.secs();
        // One more than wanted: the last one is still forming.
        let limit = (u32::from(count) + 1).saturating_mul(parts).min(u32::from(most)) as u16;
        let path = match self.kind {
            VenueKind::BinanceSpot => binance_spot::candles_path(symbol, interval, limit),
            VenueKind::BinanceUsdm => binance_usdm::candles_path(symbol, interval, limit),
            VenueKind::BybitSpot | VenueKind::BybitLinear => {
                bybit::candles_path(category(self.kind), symbol, interval, limit)
            }
            VenueKind::Oanda => {
                let account = self.account_id()?;
                let path = oanda::candles_path(&account, symbol, interval, limit, PriceSide::Mid);
                let Some(path) = path else { return Ok(Vec::new()) };
                path
            }
        };
        let mut body = self.body(&path)?;
        let found = match self.kind {
            VenueKind::BinanceSpot => binance_spot::candles(&mut body, interval).map_err(text),
            VenueKind::BinanceUsdm => binance_usdm::candles(&mut body, interval).map_err(text),
            VenueKind::BybitSpot | VenueKind::BybitLinear => {
                bybit::candles(&mut body, interval).map_err(text)
            }
            VenueKind::Oanda => oanda::candles(&mut body, interval, PriceSide::Mid).map_err(text),
        };
        let found = found.map_err(|error| self.fault(&format!("{symbol}: {error}")))?;
        let mut bars = warm_up::bars(&found, interval, timeframe, now);
        Ok(bars.split_off(bars.len().saturating_sub(usize::from(count))))
    }

    /// The candles that bars of `timeframe` are made of, and how many of them one answer has at most.
    fn interval(&self, timeframe: Timeframe) -> Option<(Timeframe, u16)> {
        let (interval, most) = match self.kind {
            VenueKind::BinanceSpot => (binance_spot::candle_interval(timeframe), binance_spot::CANDLES_MAX),
            VenueKind::BinanceUsdm => (binance_usdm::candle_interval(timeframe), binance_usdm::CANDLES_MAX),
            VenueKind::BybitSpot | VenueKind::BybitLinear => {
                (bybit::candle_interval(timeframe)?, bybit::CANDLES_MAX)
            }
            VenueKind::Oanda => (oanda::candle_interval(timeframe), oanda::CANDLES_MAX),
        };
        // Futures have none shorter than a minute.
        let is_there = self.kind != VenueKind::BinanceUsdm || interval.secs() >= 60;
        is_there.then_some((interval, most))
    }

    /// A clock that starts at the venue's time.
    pub fn clock(&mut self, speed: f64) -> Result<Clock, LaunchError> {
        Ok(Clock::Scaled { epoch: self.time()?, started: Instant::now(), speed })
    }

    /// The venue's time.
    pub fn time(&mut self) -> Result<TsNs, LaunchError> {
        let told = match self.kind {
            VenueKind::BinanceSpot => {
                let body = self.body("/api/v3/time")?;
                let digits: String =
                    String::from_utf8_lossy(&body).chars().filter(char::is_ascii_digit).collect();
                digits.parse().map(TsNs::from_ms).map_err(|_| format!("no time in `{digits}`"))
            }
            VenueKind::BinanceUsdm => {
                let mut body = self.body(binance_usdm::SERVER_TIME_PATH)?;
                binance_usdm::server_time(&mut body).ok_or_else(|| "no time in its answer".to_owned())
            }
            VenueKind::BybitSpot | VenueKind::BybitLinear => {
                let mut body = self.body(bybit::TIME_PATH)?;
                bybit::server_time(&mut body).map_err(text)
            }
            VenueKind::Oanda => {
                // Any instrument: what is wanted is the answer's own time.
                let any = Name::new("EUR_USD");
                let path = oanda::pricing_path(&self.account_id()?, any.iter());
                let mut body = self.body(&path)?;
                oanda::server_time(&mut body).map_err(text)
            }
        };
        told.map_err(|error| self.fault(&error))
    }
}

fn text(error: impl Display) -> String {
    error.to_string()
}

/// Bybit's word for a market.
pub(super) const fn category(kind: VenueKind) -> Category {
    match kind {
        VenueKind::BybitSpot => Category::Spot,
        _ => Category::Linear,
    }
}
