//! What a gateway is told at start.

pub use crate::common::{GatewayCounters, GatewayError, GatewayFatal, GatewayInstrument, SendError};
use crate::sign::Secret;
use smc_net::{Endpoint, Hold};
use std::fmt;

/// Where to connect and as whom. Live trading differs from the testnet and the simulator by these alone.
#[derive(Clone)]
pub struct GatewaySettings {
    /// Host of the WebSocket API.
    pub orders: Endpoint,
    /// Its path, `/ws-fapi/v1`.
    pub orders_path: String,
    /// Host of the account's events.
    pub events: Endpoint,
    /// Their path without the listen key, `/private/ws/`.
    pub events_path: String,
    /// Host of the REST interface.
    pub rest: Endpoint,
    /// The account's key.
    pub api_key: String,
    /// Its private half: a shared secret, or an Ed25519 or RSA key in PKCS#8 PEM. Never shown.
    pub secret: Secret,
    /// How long a request may be under way before the venue drops it: 1 to 60 000 ms. Small is safe: a stuck order dies
    /// instead of filling late.
    pub recv_window_ms: u32,
    /// Our engine's instance: the first part of every client order id that is ours.
    pub instance: u16,
    /// The venue cancels every order of our instruments, stops included, when it has not heard from us for so long; the
    /// timer is set anew four times in that time. 0: never.
    pub dead_man_ms: u32,
    /// Shared with whoever else speaks to the venue from this address.
    pub hold: Hold,
}

impl GatewaySettings {
    /// The usual paths, a window of one second, no dead man's switch.
    pub fn new(
        orders: Endpoint,
        events: Endpoint,
        rest: Endpoint,
        api_key: &str,
        secret: Secret,
        instance: u16,
    ) -> Self {
        Self {
            orders,
            orders_path: "/ws-fapi/v1".to_owned(),
            events,
            events_path: "/private/ws/".to_owned(),
            rest,
            api_key: api_key.to_owned(),
            secret,
            recv_window_ms: 1_000,
            instance,
            dead_man_ms: 0,
            hold: Hold::default(),
        }
    }
}

impl fmt::Debug for GatewaySettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("GatewaySettings")
            .field("orders", &self.orders.host)
            .field("events", &self.events.host)
            .field("rest", &self.rest.host)
            .field("recv_window_ms", &self.recv_window_ms)
            .field("instance", &self.instance)
            .field("dead_man_ms", &self.dead_man_ms)
            .finish_non_exhaustive()
    }
}
