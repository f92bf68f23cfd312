//! What a gateway is told at start.

pub use crate::common::{GatewayCounters, GatewayError, GatewayFatal, GatewayInstrument, SendError};
use crate::sign::Secret;
use smc_net::{Endpoint, Hold};
use std::fmt;

/// Where to connect and as whom. Live trading differs from the testnet and the simulator by these alone.
#[derive(Clone)]
pub struct GatewaySettings {
    /// Host of the WebSocket API.
    pub endpoint: Endpoint,
    /// Path of the WebSocket API, `/ws-api/v3`.
    pub path: String,
    /// Host of the REST interface: for what the key may do, and for cancels and questions while the WebSocket API cannot
    /// be reached. None does without.
    pub rest: Option<Endpoint>,
    /// The account's key.
    pub api_key: String,
    /// Its private half: Ed25519 (which logs a session on) or RSA in PKCS#8 PEM, or the shared secret of HMAC. Never shown.
    pub secret: Secret,
    /// How long a request may be under way before the venue drops it: 1 to 60 000 ms. Small is safe: a stuck
    /// order dies instead of filling late.
    pub recv_window_ms: u32,
    /// Our engine's instance: the first part of every client order id that is ours.
    pub instance: u16,
    /// Shared with whoever else speaks to the venue from this address.
    pub hold: Hold,
}

impl GatewaySettings {
    /// The usual path and a window of one second.
    pub fn new(endpoint: Endpoint, api_key: &str, secret: &str, instance: u16) -> Self {
        Self {
            endpoint,
            path: "/ws-api/v3".to_owned(),
            rest: None,
            api_key: api_key.to_owned(),
            secret: Secret::new(secret),
            recv_window_ms: 1_000,
            instance,
            hold: Hold::default(),
        }
    }
}

impl fmt::Debug for GatewaySettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("GatewaySettings")
            .field("host", &self.endpoint.host)
            .field("port", &self.endpoint.port)
            .field("path", &self.path)
            .field("recv_window_ms", &self.recv_window_ms)
            .field("instance", &self.instance)
            .finish_non_exhaustive()
    }
}
