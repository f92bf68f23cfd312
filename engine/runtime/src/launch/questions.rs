//! What the venue is asked before the start: its rules, its time, its candles. Blocking, over one connection.

use super::LaunchError;
use crate::clock::Clock;
use crate::config::VenueKind;
use crate::warm_up;
use smc_core::TsNs;
use smc_core::event::Bar;
use smc_core::instrument::InstrumentSpec;
use smc_core::words::{Name, Timeframe};
use smc_feeds::binance_spot::{
    CANDLES_MAX, candle_interval, candles as parse_candles, candles_path, instrument_spec,
};
use smc_net::{Endpoint, HttpClient, HttpResponse, NetError};
use std::time::{Duration, Instant};

/// How long the venue may take for one answer.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(10);

/// Questions before the start, over one connection that stays open.
pub(super) struct Questions {
    pub client: HttpClient,
    kind: VenueKind,
    venue: String,
}

impl Questions {
    pub fn open(kind: VenueKind, endpoint: &Endpoint) -> Result<Self, LaunchError> {
        let venue = format!("{}:{}", endpoint.host, endpoint.port);
        let client = HttpClient::connect(endpoint);
        let client = client.map_err(|error| LaunchError::Rules(format!("{venue}: {error}")))?;
        Ok(Self { client, kind, venue })
    }

    fn fault(&self, reason: &dyn std::fmt::Display) -> LaunchError {
        LaunchError::Rules(format!("{}: {reason}", self.venue))
    }

    fn ask(&mut self, path: &str) -> Result<HttpResponse, LaunchError> {
        let started = Instant::now();
        let mut is_asked = false;
        loop {
            if !is_asked {
                is_asked = self.client.get(path, &[]).is_ok();
            }
            match self.client.poll() {
                Err(error @ NetError::Tls(_)) => {
                    return Err(self.fault(&format!("{error}; is venue.ca_file this venue's authority?")));
                }
                Err(error) => return Err(self.fault(&error)),
                Ok(Some(response)) => return Ok(response),
                Ok(None) if started.elapsed() > ANSWER_TIMEOUT => {
                    return Err(self.fault(&"no answer within 10 s"));
                }
                Ok(None) => std::thread::sleep(Duration::from_micros(200)),
            }
        }
    }

    /// The rules of instruments.
    pub fn instruments(&mut self, symbols: &[Name]) -> Result<Vec<InstrumentSpec>, LaunchError> {
        if self.kind != VenueKind::BinanceSpot {
            return Err(LaunchError::Kind(self.kind));
        }
        let symbols: Vec<String> = symbols.iter().map(ToString::to_string).collect();
        let quoted: Vec<String> = symbols.iter().map(|symbol| format!("%22{symbol}%22")).collect();
        let response = self.ask(&format!("/api/v3/exchangeInfo?symbols=%5B{}%5D", quoted.join(",")))?;
        if response.status != 200 {
            let text = String::from_utf8_lossy(&response.body);
            // The venue's word for a symbol it does not know.
            return Err(match text.contains("-1121") {
                true => LaunchError::Symbol(symbols.join(", "), "the venue does not list it".into()),
                false => self.fault(&format!("status {}: {text}", response.status)),
            });
        }
        let rules = symbols.iter().map(|symbol| {
            let rules = instrument_spec(&mut response.body.to_vec(), symbol);
            rules.map_err(|error| LaunchError::Symbol(symbol.clone(), error.to_string()))
        });
        rules.collect()
    }

    /// The last `count` bars of a symbol that were closed at `now`.
    pub fn bars(
        &mut self,
        symbol: Name,
        timeframe: Timeframe,
        count: u16,
        now: TsNs,
    ) -> Result<Vec<Bar>, LaunchError> {
        let interval = candle_interval(timeframe);
        let parts = timeframe.secs() / interval.secs();
        // One more than wanted: the last one is still forming.
        let limit = (u32::from(count) + 1).saturating_mul(parts).min(u32::from(CANDLES_MAX)) as u16;
        let response = self.ask(&candles_path(symbol, interval, limit))?;
        if response.status != 200 {
            let text = String::from_utf8_lossy(&response.body);
            return Err(self.fault(&format!("candles: status {}: {text}", response.status)));
        }
        let found = parse_candles(&mut response.body.to_vec(), interval);
        let found = found.map_err(|error| self.fault(&format!("{symbol}: {error}")))?;
        let mut bars = warm_up::bars(&found, interval, timeframe, now);
        Ok(bars.split_off(bars.len().saturating_sub(usize::from(count))))
    }

    /// A clock that starts at the venue's time.
    pub fn clock(&mut self, speed: f64) -> Result<Clock, LaunchError> {
        Ok(Clock::Scaled { epoch: self.time()?, started: Instant::now(), speed })
    }

    /// The venue's time.
    pub fn time(&mut self) -> Result<TsNs, LaunchError> {
        let response = self.ask("/api/v3/time")?;
        let text = String::from_utf8_lossy(&response.body);
        let digits: String = text.chars().filter(char::is_ascii_digit).collect();
        let ms = digits.parse().map_err(|_| self.fault(&format!("no time in `{text}`")))?;
        Ok(TsNs::from_ms(ms))
    }
}
