//! What a gateway is told at start.

use crate::sign::Secret;
use smc_net::Endpoint;
use std::fmt;

pub use crate::common::{GatewayCounters, GatewayError, GatewayFatal, GatewayInstrument, SendError};

/// The venue's kinds of market. One gateway serves one of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Category {
    /// Coins against coins.
    Spot,
    /// Contracts settled in USDT or USDC.
    Linear,
}

impl Category {
    /// The venue's word.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Spot => "spot",
            Self::Linear => "linear",
        }
    }
}

/// Where to connect and as whom. Live trading differs from the testnet and the simulator by these alone.
#[derive(Clone)]
pub struct GatewaySettings {
    /// Host of the private and the trade socket.
    pub stream: Endpoint,
    /// Host of the REST interface.
    pub rest: Endpoint,
    /// Path of the private socket, `/v5/private`.
    pub private_path: String,
    /// Path of the trade socket, `/v5/trade`.
    pub trade_path: String,
    /// Which market.
    pub category: Category,
    /// The account's key.
    pub api_key: String,
    /// Its secret: HMAC text, or an RSA key in PKCS#8 PEM. Never shown.
    pub secret: Secret,
    /// How long a request may be under way before the venue drops it: 1 to 60 000 ms.
    pub recv_window_ms: u32,
    /// Our engine's instance: the first part of every client order id that is ours.
    pub instance: u16,
    /// Takes fills from the faster topic, which knows no fees; these follow as commissions. Linear only.
    pub has_fast_fills: bool,
    /// Seconds without any connection of ours after which the venue cancels our orders, 3 to 300; none for accounts that
    /// have no such switch. Where it is asked for and refused, the gateway stays down.
    pub dead_man_s: Option<u16>,
}

impl GatewaySettings {
    /// The usual paths and a window of five seconds, the venue's own.
    pub fn new(
        stream: Endpoint,
        rest: Endpoint,
        category: Category,
        api_key: &str,
        secret: &str,
        instance: u16,
    ) -> Self {
        Self {
            stream,
            rest,
            private_path: "/v5/private".to_owned(),
            trade_path: "/v5/trade".to_owned(),
            category,
            api_key: api_key.to_owned(),
            secret: Secret::new(secret),
            recv_window_ms: 5_000,
            instance,
            has_fast_fills: false,
            dead_man_s: None,
        }
    }
}

impl fmt::Debug for GatewaySettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("GatewaySettings")
            .field("stream", &self.stream.host)
            .field("rest", &self.rest.host)
            .field("category", &self.category)
            .field("recv_window_ms", &self.recv_window_ms)
            .field("instance", &self.instance)
            .field("has_fast_fills", &self.has_fast_fills)
            .field("dead_man_s", &self.dead_man_s)
            .finish_non_exhaustive()
    }
}
