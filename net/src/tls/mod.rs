//! TLS as a client: rustls does the handshake, [`record::RecordLayer`] the traffic, in place and without allocating.

pub(crate) mod record;
pub(crate) mod session;
pub(crate) mod settings;
