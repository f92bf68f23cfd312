//! One direction of an open TLS connection: its key, and the count of records that makes every nonce unique.
//!
//! Pure. Seals and opens single records in place, TLS 1.3 and 1.2; what the records mean is `record`'s business.

use aws_lc_rs::aead::{AES_128_GCM, AES_256_GCM, Aad, CHACHA20_POLY1305, LessSafeKey, Nonce, UnboundKey};
use rustls::ConnectionTrafficSecrets;

use crate::error::TlsError;

pub(crate) const HEADER_BYTES: usize = 5;
pub(crate) const TAG_BYTES: usize = 16;
pub(crate) const EXPLICIT_NONCE_BYTES: usize = 8;
/// The outer content type of every TLS 1.3 record.
const APPLICATION_DATA: u8 = 23;

/// One direction.
pub(crate) struct Half {
    key: LessSafeKey,
    iv: [u8; 12],
    /// Whether the record carries part of its nonce (TLS 1.2 with GCM).
    pub(crate) explicit_nonce: bool,
    /// Number of the next record under this key; part of its nonce, so it never repeats.
    pub(crate) seq: u64,
    /// Records that may be sealed under one key (RFC 8446 section 5.5).
    pub(crate) records_max: u64,
}

impl Half {
    pub(crate) fn new(
        (seq, secrets): (u64, ConnectionTrafficSecrets),
        tls13: bool,
    ) -> Result<Self, TlsError> {
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

    /// Goes on under a new key.
    pub(crate) fn renew(
        &mut self,
        secrets: (u64, ConnectionTrafficSecrets),
        tls13: bool,
    ) -> Result<(), TlsError> {
        *self = Self { records_max: self.records_max, ..Self::new(secrets, tls13)? };
        Ok(())
    }

    fn nonce(&self) -> [u8; 12] {
        let mut nonce = self.iv;
        for (byte, seq) in nonce.iter_mut().skip(4).zip(self.seq.to_be_bytes()) {
            *byte ^= seq;
        }
        nonce
    }

    pub(crate) fn open_tls13(
        &mut self,
        header: [u8; HEADER_BYTES],
        body: &mut [u8],
    ) -> Result<(u8, usize), TlsError> {
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

    pub(crate) fn open_tls12(
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

    pub(crate) fn seal_tls13(&mut self, content: u8, record: &mut [u8]) -> Result<(), TlsError> {
        let (header, rest) = record.split_at_mut_checked(HEADER_BYTES).ok_or(TlsError::Key)?;
        let (inner, tag) = rest.split_last_chunk_mut::<TAG_BYTES>().ok_or(TlsError::Key)?;
        *inner.last_mut().ok_or(TlsError::Key)? = content;
        let [l0, l1] = ((inner.len() + TAG_BYTES) as u16).to_be_bytes();
        let aad = [APPLICATION_DATA, 3, 3, l0, l1];
        header.copy_from_slice(&aad);
        self.seal_inner(aad, inner, tag)
    }

    pub(crate) fn seal_tls12(&mut self, content: u8, record: &mut [u8]) -> Result<(), TlsError> {
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
