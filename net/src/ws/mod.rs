//! WebSocket (RFC 6455) as a client: frames in, frames out, the upgrade, and the polled connection.

pub(crate) mod client;
pub mod frame;
pub mod reader;
pub mod upgrade;

pub use frame::{FrameWriter, MaskSource, Opcode};
pub use reader::{Frame, FrameReader};
