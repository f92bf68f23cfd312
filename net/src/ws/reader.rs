//! Frames that we receive, parsed in place. Pure; a message that came in one frame is handed out where it lies, one
//! that came in fragments is joined in a buffer made at the start.

use crate::error::{NetError, WsViolation};

/// What the front of the received bytes was.
#[derive(Debug, PartialEq, Eq)]
pub enum Frame<'a> {
    /// Not a whole frame yet.
    Incomplete,
    /// A piece of a message, kept.
    Fragment,
    /// A whole message.
    Message {
        /// Binary rather than text.
        is_binary: bool,
        /// Its payload.
        payload: &'a mut [u8],
    },
    /// A ping; the answer must carry the same payload.
    Ping(&'a [u8]),
    /// An answer to a ping of ours, or an unasked one.
    Pong,
    /// The peer says goodbye, with its code where it gives one.
    Close(Option<u16>),
}

/// Reads the frames of a server, one at a time.
pub struct FrameReader {
    /// The fragments so far. Its capacity is the limit, so it never grows.
    joined: Vec<u8>,
    /// The fragmented message under way: whether it is binary.
    message: Option<bool>,
    message_bytes_max: usize,
}

/// The fixed part of a frame.
struct Header {
    is_final: bool,
    opcode: u8,
    bytes: usize,
    payload_len: u64,
}

impl FrameReader {
    /// A reader that takes messages of at most `message_bytes_max` bytes.
    pub fn new(message_bytes_max: usize) -> Self {
        Self { joined: Vec::with_capacity(message_bytes_max), message: None, message_bytes_max }
    }

    /// Reads the frame at the front of `bytes`. Returns the bytes it takes up, which the caller drops before the next
    /// call, and the frame. Takes up nothing when it is incomplete.
    pub fn next<'a>(&'a mut self, bytes: &'a mut [u8]) -> Result<(usize, Frame<'a>), NetError> {
        let Some(header) = parse_header(bytes)? else { return Ok((0, Frame::Incomplete)) };
        self.check(&header)?;
        let end = header.bytes + header.payload_len as usize;
        let Some(payload) = bytes.get_mut(header.bytes..end) else { return Ok((0, Frame::Incomplete)) };
        let frame = match (header.opcode, header.is_final) {
            (1 | 2, true) => Frame::Message { is_binary: header.opcode == 2, payload },
            (9, _) => Frame::Ping(payload),
            (10, _) => Frame::Pong,
            (8, _) => Frame::Close(close_code(payload)?),
            (opcode, is_final) => self.join(opcode, is_final, payload),
        };
        Ok((end, frame))
    }

    /// Refuses by the header alone, before the payload has come.
    fn check(&self, header: &Header) -> Result<(), NetError> {
        let already = match (header.opcode, self.message) {
            (0, None) => return Err(WsViolation::Continuation.into()),
            (0, Some(_)) => self.joined.len() as u64,
            (1 | 2, Some(_)) => return Err(WsViolation::Interleaved.into()),
            (1 | 2, None) => 0,
            (8..=10, _) if !header.is_final => return Err(WsViolation::ControlFragmented.into()),
            (8..=10, _) if header.payload_len > 125 => return Err(WsViolation::ControlTooLong.into()),
            (8..=10, _) => return Ok(()),
            (opcode, _) => return Err(WsViolation::Opcode(opcode).into()),
        };
        let (got, max) = (already.saturating_add(header.payload_len), self.message_bytes_max as u64);
        if got > max { Err(NetError::TooLarge { got, max }) } else { Ok(()) }
    }

    #[cold]
    fn join(&mut self, opcode: u8, is_final: bool, payload: &[u8]) -> Frame<'_> {
        if opcode != 0 {
            self.joined.clear();
            self.message = Some(opcode == 2);
        }
        self.joined.extend_from_slice(payload);
        if !is_final {
            return Frame::Fragment;
        }
        let is_binary = self.message.take().unwrap_or(false);
        Frame::Message { is_binary, payload: &mut self.joined }
    }
}

fn parse_header(bytes: &[u8]) -> Result<Option<Header>, WsViolation> {
    let Some(&[first, second]) = bytes.first_chunk::<2>() else { return Ok(None) };
    if first & 0x70 != 0 {
        return Err(WsViolation::ReservedBits);
    }
    if second & 0x80 != 0 {
        return Err(WsViolation::Masked);
    }
    let (bytes, payload_len, shortest) = match second {
        126 => match bytes.first_chunk::<4>() {
            Some(&[_, _, a, b]) => (4, u64::from(u16::from_be_bytes([a, b])), 126),
            None => return Ok(None),
        },
        127 => match bytes.first_chunk::<10>() {
            Some(&[_, _, a, b, c, d, e, f, g, h]) => {
                (10, u64::from_be_bytes([a, b, c, d, e, f, g, h]), 1 << 16)
            }
            None => return Ok(None),
        },
        len => (2, u64::from(len), 0),
    };
    if payload_len < shortest || payload_len > i64::MAX as u64 {
        return Err(WsViolation::Length);
    }
    Ok(Some(Header { is_final: first & 0x80 != 0, opcode: first & 0x0f, bytes, payload_len }))
}

fn close_code(payload: &[u8]) -> Result<Option<u16>, WsViolation> {
    match *payload {
        [] => Ok(None),
        [_] => Err(WsViolation::ClosePayload),
        [a, b, ..] => Ok(Some(u16::from_be_bytes([a, b]))),
    }
}
