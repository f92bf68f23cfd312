//! HTTP/1.1 as a client: requests out, answers in, the polled keep-alive connection, and answers that never end.

pub mod caller;
pub(crate) mod client;
pub mod request;
pub mod response;
pub mod stream;
