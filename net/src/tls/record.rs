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

use aws_lc_rs::aead::{AES_128_GCM, AES_256_GCM, Aad, CHACHA20_POLY1305, LessSafeKey, Nonce, UnboundKey};
use rustls::client::ClientConnectionData;
use rustls::kernel::KernelConnection;
use rustls::{ConnectionTrafficSecrets, ExtractedSecrets, ProtocolVersion};

use crate::error::{NetError, TlsError};

pub(crate) const HEADER_BYTES: usize = 5;
/// The most payload that one record may carry.
pub(crate) const PAYLOAD_BYTES_MAX: usize = 16_384;
const TAG_BYTES: usize = 16;
const EXPLICIT_NONCE_BYTES: usize = 8;
/// RFC 8446 section 5.2: ciphertext is at most 256 bytes longer than payload. TLS 1.2 would allow 2048; GCM needs 24.
const CIPHERTEXT_BYTES_MAX: usize = PAYLOAD_BYTES_MAX + 256;
/// A handshake message after the handshake is a ticket; none comes near this.
const HANDSHAKE_BYTES_MAX: usize = 64 * 1024;

const ALERT: u8 = 21;
const HANDSHAKE: u8 = 22;
pub(crate) const APPLICATION_DATA: u8 = 23;

const HELLO_REQUEST: u8 = 0;
const NEW_SESSION_TICKET: u8 = 4;
const KEY_UPDATE: u8 = 24;

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

/// One direction.
struct Half {
    key: LessSafeKey,
    iv: [u8; 12],
    /// Whether the record carries part of its nonce (TLS 1.2 with GCM).
    explicit_nonce: bool,
    /// Number of the next record under this key; part of its nonce, so it never repeats.
    seq: u64,
    /// Records that may be sealed under one key (RFC 8446 section 5.5).
    records_max: u64,
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

    /// Bytes that sealing `payload_len` bytes of data takes on the wire, a key renewal included when one is due.
    pub(crate) fn sealed_len(&self, payload_len: usize) -> usize {
        let records = payload_len.div_ceil(PAYLOAD_BYTES_MAX);
        payload_len + records * self.overhead() + self.overhead() + 5
    }

    /// Bytes that a record is longer than its payload.
    pub(crate) fn overhead(&self) -> usize {
        self.payload_at() + self.suffix()
    }

    /// Where the payload begins in a record that is to be sealed.
    pub(crate) fn payload_at(&self) -> usize {
        HEADER_BYTES + if self.tx.explicit_nonce { EXPLICIT_NONCE_BYTES } else { 0 }
    }

    fn suffix(&self) -> usize {
        TAG_BYTES + usize::from(self.tls13)
    }

    /// Seals `record`, whose payload stands at [`RecordLayer::payload_at`] with room for the rest around it.
    pub(crate) fn seal(&mut self, content: u8, record: &mut [u8]) -> Result<(), TlsError> {
        if self.tx.seq >= self.tx.records_max {
            return Err(TlsError::KeyLimit { records: self.tx.seq });
        }
        if self.tls13 { self.tx.seal_tls13(content, record) } else { self.tx.seal_tls12(content, record) }
    }

    /// True when the sending key must be renewed before the next record of data.
    #[inline]
    pub(crate) fn is_key_update_due(&self) -> bool {
        // The last record under a key is kept for the key update itself, one more for an alert.
        self.tls13 && (self.key_update_wanted || self.tx.seq + 2 >= self.tx.records_max)
    }

    /// Seals a key update into `record` (of `overhead() + 5` bytes) and sends under the new key from then on.
    #[cold]
    pub(crate) fn seal_key_update(&mut self, record: &mut [u8]) -> Result<(), TlsError> {
        let at = self.payload_at();
        // The last byte: we do not ask the peer to renew its key in turn.
        if let Some(payload) = record.get_mut(at..at + 5) {
            payload.copy_from_slice(&[KEY_UPDATE, 0, 0, 1, 0]);
        }
        self.seal(HANDSHAKE, record)?;
        let secrets = self.kernel.update_tx_secret().map_err(|_| TlsError::Key)?;
        self.tx = Half { records_max: self.tx.records_max, ..Half::new(secrets, self.tls13)? };
        self.key_update_wanted = false;
        Ok(())
    }

    /// Seals an alert into `record` (of `overhead() + 2` bytes).
    #[cold]
    pub(crate) fn seal_alert(&mut self, alert: Alert, record: &mut [u8]) -> Result<(), TlsError> {
        let at = self.payload_at();
        let level = if alert == Alert::CloseNotify { 1 } else { 2 };
        if let Some(payload) = record.get_mut(at..at + 2) {
            payload.copy_from_slice(&[level, alert as u8]);
        }
        self.seal(ALERT, record)
    }

    #[cold]
    fn on_message(&mut self, content: u8, payload: &[u8], record_len: usize) -> Result<Opened, NetError> {
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
        self.rx = Half::new(secrets, self.tls13)?;
        Ok(())
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

impl Half {
    fn new((seq, secrets): (u64, ConnectionTrafficSecrets), tls13: bool) -> Result<Self, TlsError> {
        use ConnectionTrafficSecrets as Secrets;
        let (algorithm, key, iv) = match &secrets {
            Secrets::Aes128Gcm { key, iv } => (&AES_128_GCM, key, iv),
            Secrets::Aes256Gcm { key, iv } => (&AES_256_GCM, key, iv),
            Secrets::Chacha20Poly1305 { key, iv } => (&CHACHA20_POLY1305, key, iv),
            _ => return Err(TlsError::Key),
        };
        let is_gcm = !matches!(secrets, Secrets::Chacha20Poly1305 { .. });
        let key = UnboundKey::new(algorithm, key.as_ref()).map_err(|_| TlsError::Key)?;
        Ok(Self {
            key: LessSafeKey::new(key),
            iv: iv.as_ref().try_into().map_err(|_| TlsError::Key)?,
            explicit_nonce: is_gcm && !tls13,
            seq,
            // 2^24 full records of GCM keep the advantage below 2^-57; ChaCha20 knows no such limit.
            records_max: if is_gcm { 1 << 24 } else { u64::MAX },
        })
    }

    fn nonce(&self) -> [u8; 12] {
        let mut nonce = self.iv;
        for (byte, seq) in nonce.iter_mut().skip(4).zip(self.seq.to_be_bytes()) {
            *byte ^= seq;
        }
        nonce
    }

    fn open_tls13(&mut self, header: [u8; HEADER_BYTES], body: &mut [u8]) -> Result<(u8, usize), TlsError> {
        if body.len() <= TAG_BYTES {
            return Err(TlsError::RecordTooShort { got: body.len() });
        }
        let nonce = Nonce::assume_unique_for_key(self.nonce());
        let inner =
            self.key.open_in_place(nonce, Aad::from(header), body).map_err(|_| TlsError::BadRecord)?;
        self.seq = self.seq.checked_add(1).ok_or(TlsError::KeyLimit { records: u64::MAX })?;
        // The content type is the last byte that is not padding.
        let at = inner.iter().rposition(|&b| b != 0).ok_or(TlsError::UnexpectedContent(0))?;
        let content = inner.get(at).copied().unwrap_or_default();
        Ok((content, at))
    }

    fn open_tls12(
        &mut self,
        content: u8,
        version: [u8; 2],
        body: &mut [u8],
    ) -> Result<(usize, usize), TlsError> {
        let got = body.len();
        let skipped = if self.explicit_nonce { EXPLICIT_NONCE_BYTES } else { 0 };
        let len = got.checked_sub(skipped + TAG_BYTES).ok_or(TlsError::RecordTooShort { got })?;
        let (explicit, sealed) = body.split_at_mut(skipped);
        let mut nonce = self.nonce();
        if let Some(part) = nonce.get_mut(4..).filter(|_| self.explicit_nonce) {
            part.copy_from_slice(explicit);
        }
        let aad = tls12_aad(self.seq, content, version, len);
        let nonce = Nonce::assume_unique_for_key(nonce);
        self.key.open_in_place(nonce, Aad::from(aad), sealed).map_err(|_| TlsError::BadRecord)?;
        self.seq = self.seq.checked_add(1).ok_or(TlsError::KeyLimit { records: u64::MAX })?;
        Ok((skipped, len))
    }

    fn seal_tls13(&mut self, content: u8, record: &mut [u8]) -> Result<(), TlsError> {
        let (header, rest) = record.split_at_mut_checked(HEADER_BYTES).ok_or(TlsError::Key)?;
        let (inner, tag) = rest.split_last_chunk_mut::<TAG_BYTES>().ok_or(TlsError::Key)?;
        *inner.last_mut().ok_or(TlsError::Key)? = content;
        let [l0, l1] = ((inner.len() + TAG_BYTES) as u16).to_be_bytes();
        let aad = [APPLICATION_DATA, 3, 3, l0, l1];
        header.copy_from_slice(&aad);
        self.seal_inner(aad, inner, tag)
    }

    fn seal_tls12(&mut self, content: u8, record: &mut [u8]) -> Result<(), TlsError> {
        let (header, rest) = record.split_at_mut_checked(HEADER_BYTES).ok_or(TlsError::Key)?;
        let [l0, l1] = (rest.len() as u16).to_be_bytes();
        header.copy_from_slice(&[content, 3, 3, l0, l1]);
        let skipped = if self.explicit_nonce { EXPLICIT_NONCE_BYTES } else { 0 };
        let (explicit, rest) = rest.split_at_mut_checked(skipped).ok_or(TlsError::Key)?;
        if let (true, [_, _, _, _, part @ ..]) = (self.explicit_nonce, self.nonce()) {
            explicit.copy_from_slice(&part);
        }
        let (inner, tag) = rest.split_last_chunk_mut::<TAG_BYTES>().ok_or(TlsError::Key)?;
        self.seal_inner(tls12_aad(self.seq, content, [3, 3], inner.len()), inner, tag)
    }

    fn seal_inner<const N: usize>(
        &mut self,
        aad: [u8; N],
        inner: &mut [u8],
        tag_out: &mut [u8; TAG_BYTES],
    ) -> Result<(), TlsError> {
        let nonce = Nonce::assume_unique_for_key(self.nonce());
        let tag =
            self.key.seal_in_place_separate_tag(nonce, Aad::from(aad), inner).map_err(|_| TlsError::Key)?;
        tag_out.copy_from_slice(tag.as_ref());
        self.seq += 1;
        Ok(())
    }
}

fn tls12_aad(seq: u64, content: u8, [v0, v1]: [u8; 2], len: usize) -> [u8; 13] {
    let [a, b, c, d, e, f, g, h] = seq.to_be_bytes();
    let [l0, l1] = (len as u16).to_be_bytes();
    [a, b, c, d, e, f, g, h, content, v0, v1, l0, l1]
}
