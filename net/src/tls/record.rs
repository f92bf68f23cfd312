//! The TLS record layer after the handshake: opens and seals records in place, TLS 1.3 and 1.2.
//!
//! Pure. rustls has authenticated the peer and hands over the keys; from then on no byte passes through it, because its
//! record path allocates twice per message. The rare messages that follow a handshake (tickets, key updates, alerts)
//! are handled here, with rustls deriving the new keys.
//!
//! ```text
//!  TLS 1.3:  23 | 3 3 | length  || payload | content type | zero padding || tag 16
//!  TLS 1.2:  type | 3 3 | length || [explicit nonce 8, GCM only] payload  || tag 16
//! ```

use rustls::client::ClientConnectionData;
use rustls::kernel::KernelConnection;
use rustls::{ExtractedSecrets, ProtocolVersion};

use crate::error::{NetError, TlsError};
use crate::outbox::{Lane, Outbox};
use crate::tls::half::{EXPLICIT_NONCE_BYTES, HEADER_BYTES, Half, TAG_BYTES};

/// The most payload that one record may carry.
const PAYLOAD_BYTES_MAX: usize = 16_384;
/// RFC 8446 section 5.2: ciphertext is at most 256 bytes longer than payload. TLS 1.2 would allow 2048; GCM needs 24.
const CIPHERTEXT_BYTES_MAX: usize = PAYLOAD_BYTES_MAX + 256;
/// A handshake message after the handshake is a ticket; none comes near this.
const HANDSHAKE_BYTES_MAX: usize = 64 * 1024;

const ALERT: u8 = 21;
const HANDSHAKE: u8 = 22;
const APPLICATION_DATA: u8 = 23;

const HELLO_REQUEST: u8 = 0;
const NEW_SESSION_TICKET: u8 = 4;
const KEY_UPDATE: u8 = 24;

/// A key update message without its record.
const KEY_UPDATE_BYTES: usize = 5;

const CLOSE_NOTIFY: u8 = 0;
const USER_CANCELED: u8 = 90;

/// What the record at the front of the receive buffer was.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Opened {
    /// No whole record is there yet.
    Incomplete,
    /// Payload for the layer above, at `at..at + len` of a record of `record_len` bytes.
    Payload { record_len: usize, at: usize, len: usize },
    /// A message between the TLS layers, dealt with.
    Handled { record_len: usize },
    /// The peer will send no more, in order.
    CloseNotify,
}

/// The keys and counters of one open connection.
pub(crate) struct RecordLayer {
    tls13: bool,
    rx: Half,
    tx: Half,
    kernel: KernelConnection<ClientConnectionData>,
    /// A handshake message that spans records, so far.
    handshake: Vec<u8>,
    /// The peer asked us to renew our sending key; done with the next sealed bytes.
    key_update_wanted: bool,
}

impl RecordLayer {
    pub(crate) fn new(
        secrets: ExtractedSecrets,
        kernel: KernelConnection<ClientConnectionData>,
    ) -> Result<Self, TlsError> {
        let tls13 = match kernel.protocol_version() {
            ProtocolVersion::TLSv1_3 => true,
            ProtocolVersion::TLSv1_2 => false,
            _ => return Err(TlsError::Key),
        };
        Ok(Self {
            tls13,
            rx: Half::new(secrets.rx, tls13)?,
            tx: Half::new(secrets.tx, tls13)?,
            kernel,
            handshake: Vec::new(),
            key_update_wanted: false,
        })
    }

    /// Opens the record at the front of `received`, in place.
    pub(crate) fn open(&mut self, received: &mut [u8]) -> Result<Opened, NetError> {
        let Some(&[content, v0, v1, l0, l1]) = received.first_chunk::<HEADER_BYTES>() else {
            return Ok(Opened::Incomplete);
        };
        let len = usize::from(u16::from_be_bytes([l0, l1]));
        if len > CIPHERTEXT_BYTES_MAX {
            return Err(TlsError::RecordTooLarge { got: len, max: CIPHERTEXT_BYTES_MAX }.into());
        }
        if self.tls13 && content != APPLICATION_DATA {
            return Err(TlsError::UnexpectedContent(content).into());
        }
        let record_len = HEADER_BYTES + len;
        let Some(body) = received.get_mut(HEADER_BYTES..record_len) else {
            return Ok(Opened::Incomplete);
        };
        let (content, skipped, len) = if self.tls13 {
            let (content, len) = self.rx.open_tls13([content, v0, v1, l0, l1], body)?;
            (content, 0, len)
        } else {
            let (skipped, len) = self.rx.open_tls12(content, [v0, v1], body)?;
            (content, skipped, len)
        };
        if len > PAYLOAD_BYTES_MAX {
            return Err(TlsError::RecordTooLarge { got: len, max: PAYLOAD_BYTES_MAX }.into());
        }
        if content == APPLICATION_DATA && self.handshake.is_empty() {
            return Ok(Opened::Payload { record_len, at: HEADER_BYTES + skipped, len });
        }
        let payload = body.get(skipped..skipped + len).unwrap_or_default();
        self.on_message(content, payload, record_len)
    }

    /// Seals `len` bytes of data, which `fill(offset, out)` writes piece by piece, into the outbox. Refuses all of it when
    /// there is no room.
    #[inline]
    pub(crate) fn seal_into(
        &mut self,
        outbox: &mut Outbox,
        len: usize,
        lane: Lane,
        mut fill: impl FnMut(usize, &mut [u8]),
    ) -> Result<(), NetError> {
        // One record more than the data takes: room for a key update.
        let records = len.div_ceil(PAYLOAD_BYTES_MAX) + 1;
        outbox.reserve(len + records * self.overhead() + KEY_UPDATE_BYTES, lane)?;
        let (overhead, payload_at) = (self.overhead(), self.payload_at());
        let mut offset = 0;
        while offset < len {
            if self.is_key_update_due() {
                self.seal_key_update(outbox)?;
            }
            let count = (len - offset).min(PAYLOAD_BYTES_MAX);
            let record = outbox.append(overhead + count);
            fill(offset, record.get_mut(payload_at..payload_at + count).unwrap_or_default());
            self.seal(APPLICATION_DATA, record)?;
            offset += count;
        }
        Ok(())
    }

    /// Seals an alert into the outbox.
    #[cold]
    pub(crate) fn seal_alert_into(&mut self, outbox: &mut Outbox, alert: Alert) -> Result<(), NetError> {
        let level = if alert == Alert::CloseNotify { 1 } else { 2 };
        self.seal_message(outbox, ALERT, &[level, alert as u8])
    }

    /// Seals a key update and sends under the new key from then on.
    #[cold]
    fn seal_key_update(&mut self, outbox: &mut Outbox) -> Result<(), NetError> {
        // The last byte: we do not ask the peer to renew its key in turn.
        self.seal_message(outbox, HANDSHAKE, &[KEY_UPDATE, 0, 0, 1, 0])?;
        let secrets = self.kernel.update_tx_secret().map_err(|_| TlsError::Key)?;
        self.tx.renew(secrets, self.tls13)?;
        self.key_update_wanted = false;
        Ok(())
    }

    fn seal_message(&mut self, outbox: &mut Outbox, content: u8, message: &[u8]) -> Result<(), NetError> {
        let (len, at) = (message.len() + self.overhead(), self.payload_at());
        outbox.reserve(len, Lane::Control)?;
        let record = outbox.append(len);
        if let Some(payload) = record.get_mut(at..at + message.len()) {
            payload.copy_from_slice(message);
        }
        Ok(self.seal(content, record)?)
    }

    /// True when the sending key must be renewed before the next record of data.
    #[inline]
    fn is_key_update_due(&self) -> bool {
        // The last records under a key are kept for the key update itself and for an alert.
        self.tls13 && (self.key_update_wanted || self.tx.seq.saturating_add(2) >= self.tx.records_max)
    }

    /// Bytes that a record is longer than its payload.
    fn overhead(&self) -> usize {
        self.payload_at() + TAG_BYTES + usize::from(self.tls13)
    }

    /// Where the payload begins in a record that is to be sealed.
    fn payload_at(&self) -> usize {
        HEADER_BYTES + if self.tx.explicit_nonce { EXPLICIT_NONCE_BYTES } else { 0 }
    }

    /// Seals `record`, whose payload stands at [`RecordLayer::payload_at`] with room for the rest around it.
    fn seal(&mut self, content: u8, record: &mut [u8]) -> Result<(), TlsError> {
        if self.tx.seq >= self.tx.records_max {
            return Err(TlsError::KeyLimit { records: self.tx.seq });
        }
        if self.tls13 { self.tx.seal_tls13(content, record) } else { self.tx.seal_tls12(content, record) }
    }

    #[cold]
    pub(super) fn on_message(
        &mut self,
        content: u8,
        payload: &[u8],
        record_len: usize,
    ) -> Result<Opened, NetError> {
        match content {
            HANDSHAKE => self.on_handshake(payload)?,
            // A handshake message that spans records must not be interrupted.
            _ if !self.handshake.is_empty() => return Err(TlsError::UnexpectedContent(content).into()),
            ALERT => match *payload {
                [_, CLOSE_NOTIFY] => return Ok(Opened::CloseNotify),
                [1, USER_CANCELED] => {}
                // A warning in TLS 1.2 that closes nothing, for example "no renegotiation".
                [1, _] if !self.tls13 => {}
                [_, code] => return Err(TlsError::Alert(code).into()),
                _ => return Err(TlsError::BadAlert.into()),
            },
            _ => return Err(TlsError::UnexpectedContent(content).into()),
        }
        Ok(Opened::Handled { record_len })
    }

    fn on_handshake(&mut self, payload: &[u8]) -> Result<(), NetError> {
        if payload.is_empty() {
            return Err(TlsError::BadHandshake.into());
        }
        let got = self.handshake.len().saturating_add(payload.len());
        if got > HANDSHAKE_BYTES_MAX {
            return Err(NetError::TooLarge { got: got as u64, max: HANDSHAKE_BYTES_MAX as u64 });
        }
        self.handshake.extend_from_slice(payload);
        let joined = std::mem::take(&mut self.handshake);
        let mut rest = joined.as_slice();
        while let Some((&[kind, a, b, c], tail)) = rest.split_first_chunk::<4>() {
            let len = u32::from_be_bytes([0, a, b, c]) as usize;
            let Some((body, tail)) = tail.split_at_checked(len) else { break };
            rest = tail;
            match kind {
                NEW_SESSION_TICKET if self.tls13 => {
                    self.kernel.handle_new_session_ticket(body).map_err(|_| TlsError::BadHandshake)?;
                }
                // The key changes with the next record, so nothing may follow in this one.
                KEY_UPDATE if self.tls13 && rest.is_empty() => self.on_key_update(body)?,
                // Renegotiation is not offered; RFC 5246 section 7.4.1.1 lets us ignore the wish.
                HELLO_REQUEST if !self.tls13 && body.is_empty() => {}
                other => return Err(TlsError::UnexpectedHandshake(other).into()),
            }
        }
        self.handshake.extend_from_slice(rest);
        Ok(())
    }

    fn on_key_update(&mut self, body: &[u8]) -> Result<(), TlsError> {
        match body {
            [0] => {}
            [1] => self.key_update_wanted = true,
            _ => return Err(TlsError::BadHandshake),
        }
        let secrets = self.kernel.update_rx_secret().map_err(|_| TlsError::Key)?;
        self.rx.renew(secrets, self.tls13)
    }

    /// Lets a test reach the key limit before 16 million records.
    #[cfg(test)]
    pub(crate) fn set_records_max(&mut self, records_max: u64) {
        self.tx.records_max = records_max;
    }
}

/// The alerts that we send.
#[derive(Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Alert {
    CloseNotify = CLOSE_NOTIFY,
    UnexpectedMessage = 10,
    BadRecordMac = 20,
    RecordOverflow = 22,
    DecodeError = 50,
}

impl Alert {
    /// The alert that tells the peer of `error`, where there is one to tell.
    pub(crate) fn of(error: &TlsError) -> Option<Self> {
        Some(match error {
            TlsError::BadRecord => Self::BadRecordMac,
            TlsError::RecordTooLarge { .. } => Self::RecordOverflow,
            TlsError::RecordTooShort { .. } | TlsError::BadAlert | TlsError::BadHandshake => {
                Self::DecodeError
            }
            TlsError::UnexpectedContent(_) | TlsError::UnexpectedHandshake(_) => Self::UnexpectedMessage,
            _ => return None,
        })
    }
}
