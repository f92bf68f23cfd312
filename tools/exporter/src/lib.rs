//! Metrics of an engine over HTTP: Prometheus text 0.0.4 and OpenMetrics 1.0.0 at `/metrics`, health at `/healthz`.
//!
//! Runs on a thread of its own at low priority, in the engine's process or outside it, and reads what is there already: the
//! mapped counters and latencies, the picture of the observer, the kernel's own figures. The page is made at most every
//! 250 ms and shared by all who ask, so a storm of scrapes costs copies. Never asks the engine anything.
//!
//! `docs/metrics.md` lists every metric; a test holds it against the page.

mod host;
mod http;
mod metrics;
mod server;
mod source;
mod text;

pub use http::{Answer, Parsed, REQUEST_MAX, parse};
pub use metrics::{ChannelReading, FAMILIES, Reading, page};
pub use server::{Exporter, ExporterError, Port};
pub use source::{Health, Source};
pub use text::{Family, Format, Type};
