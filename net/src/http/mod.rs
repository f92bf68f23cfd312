//! HTTP/1.1 as a client: requests out, answers in, and the polled keep-alive connection.

pub mod caller;
pub(crate) mod client;
pub mod request;
pub mod response;
