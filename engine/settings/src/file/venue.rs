//! `[venue]`, `[[venues]]` and `[account]`: where orders go to and prices come from, and who we are there.

use serde::{Deserialize, Serialize};
use std::fmt;
use std::path::PathBuf;

/// `[[venues]]`: a further venue and who we are there.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct FurtherSection {
    /// What instruments call it.
    pub name: String,
    /// Where it is.
    pub at: VenueSection,
    /// Who we are there; none where only prices come from it.
    #[serde(default)]
    pub account: Option<AccountSection>,
}

/// A venue of the configuration, whichever section it stands in.
#[derive(Clone, Copy, Debug)]
pub struct NamedVenue<'a> {
    /// What instruments call it.
    pub name: &'a str,
    /// Where it is.
    pub at: &'a VenueSection,
    /// Who we are there.
    pub account: Option<&'a AccountSection>,
}

/// `[venue]`, with the addresses of its site where the file gives none of its own.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(try_from = "Written")]
pub struct VenueSection {
    /// Which venue.
    pub kind: VenueKind,
    /// What instruments call it, where there are several; without it its kind.
    pub name: Option<String>,
    /// `host:port` of the market streams.
    pub market: String,
    /// `host:port` of the WebSocket API; of the REST API at Oanda, which has no other.
    pub orders: String,
    /// `host:port` of the REST API.
    pub rest: String,
    /// Certificate authority to trust instead of the system's, PEM.
    pub ca_file: Option<PathBuf>,
    /// Market seconds per second, for a simulated venue that runs faster than life.
    pub speed: f64,
    /// Longest silence of quotes and of the book before nothing is entered any more; after three times that the
    /// connection is made anew. Without the key 5 s. Longer where an instrument trades rarely.
    pub silence_max_ms: Option<u64>,
    /// `host:port` of the binary market streams (SBE), live `stream-sbe.binance.com:9443`. With it quotes, trades and the
    /// book come from there, and only candles from `market`. Binance spot only, with an Ed25519 key.
    pub sbe: Option<String>,
    /// Stop and target rest at the venue together, as a pair of which one ends the other (OCO), where it keeps such pairs:
    /// the target is filled without us. Without the key the stop alone rests there and the target is watched. Binance spot
    /// only.
    #[serde(skip_serializing_if = "is_false")]
    pub native_pairs: bool,
    /// Without TLS, to a simulator on this machine alone: to measure what TLS costs.
    #[serde(skip_serializing_if = "is_false")]
    pub plain: bool,
}

#[allow(clippy::trivially_copy_pass_by_ref)] // what serde hands over
const fn is_false(value: &bool) -> bool {
    !*value
}

/// `[venue]` as the file writes it.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    kind: VenueKind,
    name: Option<String>,
    site: Option<Site>,
    market: Option<String>,
    orders: Option<String>,
    rest: Option<String>,
    ca_file: Option<PathBuf>,
    #[serde(default = "real_time")]
    speed: f64,
    silence_max_ms: Option<u64>,
    sbe: Option<String>,
    #[serde(default)]
    native_pairs: bool,
    #[serde(default)]
    plain: bool,
}

const fn real_time() -> f64 {
    1.0
}

impl TryFrom<Written> for VenueSection {
    type Error = String;

    fn try_from(written: Written) -> Result<Self, String> {
        if written.sbe.is_some() && written.kind != VenueKind::BinanceSpot {
            return Err(format!("sbe: {} has no binary market streams", written.kind));
        }
        if written.native_pairs && written.kind != VenueKind::BinanceSpot {
            return Err(format!("native_pairs: {} keeps no pairs that we could place", written.kind));
        }
        let [market, orders, rest] = match written.site {
            Some(site) => site.addresses(written.kind).map(Some),
            None => [None; 3],
        };
        let given = |key: &str, own: Option<String>, of_site: Option<&str>| {
            own.or_else(|| of_site.map(str::to_owned))
                .ok_or_else(|| format!("missing field `{key}`; or site = \"live\", \"testnet\" or \"sim\""))
        };
        let is_sim = matches!(written.site, Some(Site::Sim));
        Ok(Self {
            kind: written.kind,
            name: written.name,
            market: given("market", written.market, market)?,
            orders: given("orders", written.orders, orders)?,
            rest: given("rest", written.rest, rest)?,
            ca_file: written.ca_file.or_else(|| is_sim.then(|| "sim-keys/ca.pem".into())),
            speed: written.speed,
            silence_max_ms: written.silence_max_ms,
            sbe: written.sbe,
            native_pairs: written.native_pairs,
            plain: written.plain,
        })
    }
}

/// `site`: which of a venue's places.
#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Site {
    /// Real money.
    Live,
    /// The venue's own place for trying; Oanda calls it practice.
    Testnet,
    /// `smc sim` as it starts without flags, with the authority that it writes.
    Sim,
}

impl Site {
    /// `host:port` of market streams, orders and REST, as the venues document them.
    const fn addresses(self, kind: VenueKind) -> [&'static str; 3] {
        match (self, kind) {
            (Self::Sim, _) => ["127.0.0.1:9443"; 3],
            (Self::Live, VenueKind::BinanceSpot) => {
                ["stream.binance.com:443", "ws-api.binance.com:443", "api.binance.com:443"]
            }
            (Self::Testnet, VenueKind::BinanceSpot) => [
                "stream.testnet.binance.vision:443",
                "ws-api.testnet.binance.vision:443",
                "testnet.binance.vision:443",
            ],
            (Self::Live, VenueKind::BinanceUsdm) => {
                ["fstream.binance.com:443", "ws-fapi.binance.com:443", "fapi.binance.com:443"]
            }
            (Self::Testnet, VenueKind::BinanceUsdm) => [
                "fstream.binancefuture.com:443",
                "testnet.binancefuture.com:443",
                "demo-fapi.binance.com:443",
            ],
            (Self::Live, VenueKind::BybitSpot | VenueKind::BybitLinear) => {
                ["stream.bybit.com:443", "stream.bybit.com:443", "api.bybit.com:443"]
            }
            (Self::Testnet, VenueKind::BybitSpot | VenueKind::BybitLinear) => {
                ["stream-testnet.bybit.com:443", "stream-testnet.bybit.com:443", "api-testnet.bybit.com:443"]
            }
            (Self::Live, VenueKind::Oanda) => {
                ["stream-fxtrade.oanda.com:443", "api-fxtrade.oanda.com:443", "api-fxtrade.oanda.com:443"]
            }
            (Self::Testnet, VenueKind::Oanda) => [
                "stream-fxpractice.oanda.com:443",
                "api-fxpractice.oanda.com:443",
                "api-fxpractice.oanda.com:443",
            ],
        }
    }
}

/// Which venue.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum VenueKind {
    /// Binance spot.
    BinanceSpot,
    /// Binance USDⓈ-M futures.
    BinanceUsdm,
    /// Bybit v5, spot.
    BybitSpot,
    /// Bybit v5, USDT and USDC perpetuals.
    BybitLinear,
    /// Oanda v20.
    Oanda,
}

impl VenueKind {
    /// As the configuration writes it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::BinanceSpot => "binance-spot",
            Self::BinanceUsdm => "binance-usdm",
            Self::BybitSpot => "bybit-spot",
            Self::BybitLinear => "bybit-linear",
            Self::Oanda => "oanda",
        }
    }
}

impl std::fmt::Display for VenueKind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}

/// `[account]`
#[derive(Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct AccountSection {
    /// The API key's name, as the venue shows it; at Oanda the account's id.
    pub api_key: String,
    /// What requests are signed with: a private key as PKCS#8 PEM (Ed25519 or RSA), or one line with the shared secret,
    /// at Oanda the token.
    pub key_file: PathBuf,
    /// How long a request stays valid.
    #[serde(default = "thousand")]
    pub recv_window_ms: u32,
    /// The venue cancels every order of ours, stops included, when it has not heard from us for so long. 0, the default:
    /// never. Binance futures and Bybit have such a switch; `smc watchdog` needs none and leaves stops alone.
    #[serde(default)]
    pub dead_man_ms: u32,
}

/// Without the key's name, which is half of what a venue asks for.
impl fmt::Debug for AccountSection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { api_key: _, key_file, recv_window_ms, dead_man_ms } = self;
        f.debug_struct("AccountSection")
            .field("api_key", &format_args!("[redacted]"))
            .field("key_file", key_file)
            .field("recv_window_ms", recv_window_ms)
            .field("dead_man_ms", dead_man_ms)
            .finish()
    }
}

const fn thousand() -> u32 {
    1_000
}

#[cfg(test)]
mod tests {
    use super::*;

    const KINDS: [&str; 5] = ["binance-spot", "binance-usdm", "bybit-spot", "bybit-linear", "oanda"];

    #[test]
    fn a_site_gives_the_addresses_and_the_file_may_change_each() {
        for kind in KINDS {
            let at = |rest: &str| toml::from_str::<VenueSection>(&format!("kind = \"{kind}\"\n{rest}"));
            let live = at("site = \"live\"").unwrap();
            let testnet = at("site = \"testnet\"\nrest = \"proxy:1\"").unwrap();
            assert_eq!((testnet.rest.as_str(), &live.ca_file), ("proxy:1", &None));
            // The two never share a host: an address that was mixed up would trade real money in a trial.
            assert_ne!(live.market, testnet.market, "{kind}");
            assert_ne!(live.orders, testnet.orders, "{kind}");
            let sim = at("site = \"sim\"").unwrap();
            assert_eq!((sim.orders.as_str(), sim.ca_file.is_some()), ("127.0.0.1:9443", true));
        }
    }

    #[test]
    fn binary_streams_are_refused_where_there_are_none() {
        for kind in KINDS {
            let text = format!("kind = \"{kind}\"\nsite = \"live\"\nsbe = \"a:4\"");
            match toml::from_str::<VenueSection>(&text) {
                Ok(section) => assert_eq!((kind, section.sbe.as_deref()), ("binance-spot", Some("a:4"))),
                Err(error) => assert!(error.message().contains("no binary market streams"), "{error}"),
            }
        }
    }

    #[test]
    fn pairs_are_refused_where_there_are_none_and_off_without_a_word() {
        for kind in KINDS {
            let at = |rest: &str| {
                toml::from_str::<VenueSection>(&format!("kind = \"{kind}\"\nsite = \"live\"\n{rest}"))
            };
            let plain = at("").unwrap();
            assert!(!plain.native_pairs);
            // A journal that was begun before there was the key goes on.
            assert!(!toml::to_string(&plain).unwrap().contains("native_pairs"));
            match at("native_pairs = true") {
                Ok(section) => assert_eq!((kind, section.native_pairs), ("binance-spot", true)),
                Err(error) => assert!(error.message().contains("keeps no pairs"), "{error}"),
            }
        }
    }

    #[test]
    fn without_a_site_every_address_is_asked_for_by_name() {
        for key in ["market", "orders", "rest"] {
            let keys = ["market", "orders", "rest"].iter().filter(|other| **other != key);
            let text: String = keys.map(|key| format!("{key} = \"a:1\"\n")).collect();
            let error = toml::from_str::<VenueSection>(&format!("kind = \"oanda\"\n{text}")).unwrap_err();
            assert!(error.message().contains(&format!("`{key}`")), "{error}");
        }
        assert!(toml::from_str::<VenueSection>("kind = \"oanda\"\nsite = \"demo\"").is_err());
    }
}
