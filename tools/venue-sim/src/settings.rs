//! What a simulated venue is made of, and why it would not start.

use crate::dialect::oanda::OandaSettings;
use crate::faults::FaultPlan;
use crate::market::{MarketSource, Nothing};
use smc_core::{Qty, TsNs};
use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;

/// Whose dialect a simulator speaks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum VenueKind {
    /// Binance spot.
    #[default]
    BinanceSpot,
    /// Binance USDⓈ-M futures.
    BinanceUsdm,
    /// Bybit v5, spot and linear.
    Bybit,
    /// Oanda v20.
    Oanda,
}

/// Everything that [`Sim::bind`](crate::Sim::bind) needs.
pub struct SimSettings {
    /// Whose dialect.
    pub kind: VenueKind,
    /// Where to listen. Port 0 takes a free one; see [`Sim::local_addr`](crate::Sim::local_addr).
    pub listen: SocketAddr,
    /// Start of all ids that the venue hands out.
    pub seed: u64,
    /// The background market.
    pub market: Box<dyn MarketSource>,
    /// What is Oanda's own: it has quotes instead of a background market.
    pub oanda: Option<OandaSettings>,
    /// Market seconds for each second of the wall clock, in [`Sim::run`](crate::Sim::run).
    pub speed: f64,
    /// Who may trade.
    pub accounts: Vec<AccountSettings>,
    /// How much a client may ask for.
    pub limits: LimitSettings,
    /// Writes the certificate authority (PEM) here, for clients in other processes.
    pub ca_file: Option<PathBuf>,
    /// Appends one line for each order request, written before the request is answered.
    pub audit: Option<PathBuf>,
    /// What goes wrong; nothing unless set.
    pub faults: Option<FaultPlan>,
    /// Spoken without TLS: to measure what it costs.
    pub plain: bool,
}

impl SimSettings {
    /// A venue on a free loopback port, at the speed of the wall clock, with the venue's usual limits.
    pub fn new(market: Box<dyn MarketSource>, accounts: Vec<AccountSettings>) -> Self {
        Self {
            kind: VenueKind::default(),
            listen: SocketAddr::from(([127, 0, 0, 1], 0)),
            seed: 1,
            market,
            oanda: None,
            speed: 1.0,
            accounts,
            limits: LimitSettings::default(),
            ca_file: None,
            audit: None,
            faults: None,
            plain: false,
        }
    }

    /// An Oanda on a free loopback port, at the speed of the wall clock.
    pub fn oanda(oanda: OandaSettings, accounts: Vec<AccountSettings>) -> Self {
        Self { kind: VenueKind::Oanda, oanda: Some(oanda), ..Self::new(Box::new(Nothing), accounts) }
    }
}

/// One trading account.
#[derive(Clone, Debug)]
pub struct AccountSettings {
    /// The API key that names the account; at Oanda the account's id.
    pub api_key: String,
    /// How its requests are signed.
    pub credential: Credential,
    /// What it owns at the start: asset and free amount.
    pub balances: Vec<(String, Qty)>,
    /// Fee of a fill that rested in the book, in 1/100 of a percent.
    pub maker_fee_bps: u32,
    /// Fee of a fill that took from the book, in 1/100 of a percent.
    pub taker_fee_bps: u32,
}

impl AccountSettings {
    /// An account with the venue's standard fee of 10 basis points.
    pub fn new(api_key: &str, credential: Credential, balances: &[(&str, Qty)]) -> Self {
        Self {
            api_key: api_key.to_owned(),
            credential,
            balances: balances.iter().map(|(asset, qty)| ((*asset).to_owned(), *qty)).collect(),
            maker_fee_bps: 10,
            taker_fee_bps: 10,
        }
    }
}

/// What the venue checks signatures with.
#[derive(Clone, Debug)]
pub enum Credential {
    /// An Ed25519 public key: may log on to a session.
    Ed25519([u8; 32]),
    /// A shared secret for HMAC-SHA256: signs each request, cannot log on.
    Hmac(String),
    /// An RSA public key (PKCS #1 DER): signs each request, cannot log on.
    Rsa(Vec<u8>),
    /// A bearer token, sent with each request as it is. Several accounts may have the same.
    Token(String),
}

/// Request limits, as the venue announces them in `exchangeInfo`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LimitSettings {
    /// Request weight per minute.
    pub weight_per_minute: u32,
    /// Unfilled orders per ten seconds and account.
    pub orders_per_10s: u32,
    /// Unfilled orders per day and account; spot.
    pub orders_per_day: u32,
    /// Order requests per minute and account; futures.
    pub orders_per_minute: u32,
    /// Messages a market stream connection may send per second, pongs included.
    pub stream_messages_per_second: u32,
}

impl Default for LimitSettings {
    fn default() -> Self {
        Self {
            weight_per_minute: 6_000,
            orders_per_10s: 100,
            orders_per_day: 200_000,
            orders_per_minute: 1_200,
            stream_messages_per_second: 5,
        }
    }
}

impl LimitSettings {
    /// The usual limits of Binance USDⓈ-M futures.
    pub fn binance_usdm() -> Self {
        Self {
            weight_per_minute: 2_400,
            orders_per_10s: 300,
            stream_messages_per_second: 10,
            ..Self::default()
        }
    }
}

/// Why a simulator did not start.
#[derive(Debug)]
pub enum SimError {
    /// The address cannot be listened on; `AddrInUse` when another process has it.
    Listen {
        /// The address asked for.
        address: SocketAddr,
        /// What the system said.
        source: std::io::Error,
    },
    /// No certificate could be made.
    Certificate(String),
    /// A file (certificate authority or audit log) cannot be written.
    File {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The settings contradict themselves.
    Settings(String),
}

impl SimError {
    /// Whether another process listens on the address.
    pub fn is_addr_in_use(&self) -> bool {
        matches!(self, Self::Listen { source, .. } if source.kind() == std::io::ErrorKind::AddrInUse)
    }
}

impl fmt::Display for SimError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Listen { address, source } => write!(f, "cannot listen on {address}: {source}"),
            Self::Certificate(reason) => write!(f, "cannot make a certificate: {reason}"),
            Self::File { path, source } => write!(f, "cannot write {}: {source}", path.display()),
            Self::Settings(reason) => write!(f, "simulator settings: {reason}"),
        }
    }
}

impl std::error::Error for SimError {}

/// Why a lock-step run ended before its time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LockStepError {
    /// The peer did not become quiet within the wall time allowed.
    PeerNotQuiet {
        /// Market time of the frame it did not finish.
        now: TsNs,
        /// Bytes the simulator had sent in total.
        sent: u64,
        /// Bytes the simulator had received in total.
        received: u64,
        /// Wall seconds waited.
        waited_s: u64,
    },
}

impl fmt::Display for LockStepError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::PeerNotQuiet { now, sent, received, waited_s } => write!(
                f,
                "the peer was not quiet after {waited_s} s at market time {} ns ({sent} bytes sent, {received} received)",
                now.0
            ),
        }
    }
}

impl std::error::Error for LockStepError {}
