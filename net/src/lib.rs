//! The network edge: TLS, WebSocket and HTTP/1.1 as a client speaks them.
//!
//! Every protocol is a state machine over bytes (`tls`, `ws`, `http`) that knows no socket and can be tested and fuzzed
//! alone. One file, `link`, joins them to a non-blocking socket. Nothing here blocks (but for [`get_blocking`], which
//! says so), decides by a clock, logs, or starts a thread; the caller polls and the caller decides when waiting was too long.
//!
//! ```text
//!  recv ─► inbox ─► TLS record opened in place ─► frame parsed in place ─► caller's `&mut [u8]`
//!  send ◄─ outbox ◄─ TLS record sealed in place ◄─ frame header and mask ◄─ caller's payload
//! ```
//!
//! After the handshake neither direction allocates. Certificates are always verified: there is no way to switch it off.
//! To a simulator on this machine TLS can be left out, to measure what it costs.

#[cfg(feature = "bench")]
pub mod bench;
pub mod date;
mod error;
mod hold;
pub mod http;
mod inbox;
mod link;
mod outbox;
mod secret;
pub mod stamp;
mod tls;
pub mod ws;

pub use error::{HttpViolation, NetError, TlsError, WsViolation};
pub use hold::Hold;
pub use http::caller::{Call, Caller, Outcome};
pub use http::client::{HttpClient, get_blocking};
pub use http::request::Method;
pub use http::response::HttpResponse;
pub use http::stream::{StreamClient, StreamLimits};
pub use link::Endpoint;
pub use secret::Secret;
pub use tls::settings::TlsSettings;
pub use ws::client::{WsClient, WsLimits};
