//! A TLS connection without its socket, for `benches`: the record layer between a receive and a send buffer, joined as
//! `link` joins them. The peer is the caller's; it is verified like any other.

use crate::error::{NetError, TlsError};
use crate::inbox::Inbox;
use crate::outbox::{Lane, Outbox};
use crate::tls::record::{Opened, RecordLayer};
use crate::tls::session::{Handshake, Step};
use crate::tls::settings::TlsSettings;
use crate::ws::FrameWriter;

/// Bytes that may wait in each direction.
const BUFFER_BYTES: usize = 256 * 1024;

/// Our end of an open connection.
pub struct TlsSession {
    records: Box<RecordLayer>,
    inbox: Inbox,
    outbox: Outbox,
}

impl TlsSession {
    /// Shakes hands with a peer that answers bytes with bytes, at once. Settings without TLS open nothing.
    pub fn open(
        settings: &TlsSettings,
        host: &str,
        peer: &mut dyn FnMut(&[u8]) -> Vec<u8>,
    ) -> Result<Self, NetError> {
        let (mut inbox, mut outbox) = (Inbox::new(BUFFER_BYTES), Outbox::new(BUFFER_BYTES));
        let mut handshake = Handshake::new(settings, host)?.ok_or(NetError::NotOpen)?;
        loop {
            let step = handshake.step(&mut inbox, &mut outbox)?;
            let answer = peer(outbox.unsent());
            outbox.sent(outbox.pending());
            receive(&mut inbox, &answer)?;
            match step {
                Step::Going(_) if answer.is_empty() => return Err(NetError::Truncated),
                Step::Going(going) => handshake = going,
                Step::Done(records) => return Ok(Self { records, inbox, outbox }),
            }
        }
    }

    /// Takes what arrived. Refused when there is no room for all of it.
    pub fn receive(&mut self, bytes: &[u8]) -> Result<(), NetError> {
        receive(&mut self.inbox, bytes)
    }

    /// Opens records until one carries payload, which the caller gets to see. False when no whole record is left.
    #[inline]
    pub fn open_next(&mut self, on_payload: &mut impl FnMut(&mut [u8])) -> Result<bool, NetError> {
        loop {
            match self.records.open(self.inbox.cipher())? {
                Opened::Payload { record_len, at, len } => {
                    self.inbox.opened(record_len, at, len);
                    on_payload(self.inbox.plain());
                    self.inbox.consume(len);
                    return Ok(true);
                }
                Opened::Handled { record_len } => self.inbox.discard_cipher(record_len),
                Opened::CloseNotify => return Err(NetError::Closed { code: None }),
                Opened::Incomplete => return Ok(false),
            }
        }
    }

    /// Masks and seals a frame into the send buffer.
    #[inline]
    pub fn send_frame(&mut self, frame: &FrameWriter<'_>) -> Result<(), NetError> {
        let fill = |offset, out: &mut [u8]| frame.fill(offset, out);
        self.records.seal_into(&mut self.outbox, frame.len(), Lane::Data, fill)
    }

    /// What waits for the socket.
    #[inline]
    pub fn unsent(&self) -> &[u8] {
        self.outbox.unsent()
    }

    /// All of it is sent.
    #[inline]
    pub fn sent(&mut self) {
        self.outbox.sent(self.outbox.pending());
    }
}

fn receive(inbox: &mut Inbox, bytes: &[u8]) -> Result<(), NetError> {
    let space = inbox.space();
    let max = space.len();
    let Some(room) = space.get_mut(..bytes.len()) else {
        return Err(TlsError::RecordTooLarge { got: bytes.len(), max }.into());
    };
    room.copy_from_slice(bytes);
    inbox.received(bytes.len());
    Ok(())
}
