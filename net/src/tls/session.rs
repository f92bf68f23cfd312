//! One TLS session from the first byte to the open record layer. Pure: bytes in, bytes out.

use rustls::client::UnbufferedClientConnection;
use rustls::pki_types::ServerName;
use rustls::unbuffered::{ConnectionState, EncodeError, UnbufferedStatus};

use crate::error::{NetError, TlsError};
use crate::inbox::Inbox;
use crate::outbox::{Lane, Outbox};
use crate::tls::record::RecordLayer;
use crate::tls::settings::TlsSettings;

/// The handshake, held by rustls.
pub(crate) struct Handshake(Box<UnbufferedClientConnection>);

/// How far a step of the handshake came.
pub(crate) enum Step {
    /// It needs more bytes from the peer.
    Going(Handshake),
    /// It is done: the record layer takes over. Bytes already received stay in the inbox.
    Done(Box<RecordLayer>),
}

impl Handshake {
    /// None without TLS.
    pub(crate) fn new(settings: &TlsSettings, host: &str) -> Result<Option<Self>, NetError> {
        let Some(config) = settings.config() else { return Ok(None) };
        let name = ServerName::try_from(host.to_owned()).map_err(|_| NetError::HostName)?;
        UnbufferedClientConnection::new(config, name)
            .map(|connection| Some(Self(Box::new(connection))))
            .map_err(|e| TlsError::Handshake(e).into())
    }

    /// Takes what was received as far as it goes and puts what must be sent into the outbox.
    pub(crate) fn step(mut self, inbox: &mut Inbox, outbox: &mut Outbox) -> Result<Step, NetError> {
        loop {
            let UnbufferedStatus { discard, state } = self.0.process_tls_records(inbox.cipher());
            let mut blocked = false;
            match state {
                Ok(ConnectionState::EncodeTlsData(mut data)) => {
                    append(outbox, |out| data.encode(out))?;
                }
                Ok(ConnectionState::TransmitTlsData(data)) => data.done(),
                Ok(ConnectionState::BlockedHandshake) => blocked = true,
                Ok(ConnectionState::WriteTraffic(_)) => {
                    inbox.discard_cipher(discard);
                    let (secrets, kernel) =
                        (*self.0).dangerous_into_kernel_connection().map_err(TlsError::Handshake)?;
                    return Ok(Step::Done(Box::new(RecordLayer::new(secrets, kernel)?)));
                }
                Ok(ConnectionState::ReadTraffic(_) | ConnectionState::ReadEarlyData(_)) => {
                    return Err(TlsError::EarlyData.into());
                }
                Ok(_) => return Err(NetError::Closed { code: None }),
                Err(error) => {
                    inbox.discard_cipher(discard);
                    self.encode_alert(inbox, outbox);
                    return Err(TlsError::Handshake(error).into());
                }
            }
            inbox.discard_cipher(discard);
            if blocked {
                return Ok(Step::Going(self));
            }
        }
    }

    /// After an error rustls holds the alert that tells the peer why; best effort.
    #[cold]
    fn encode_alert(&mut self, inbox: &mut Inbox, outbox: &mut Outbox) {
        // Only while it holds one: beyond that it would read on behind its own error.
        while self.0.wants_write() {
            let UnbufferedStatus { state, .. } = self.0.process_tls_records(inbox.cipher());
            let Ok(ConnectionState::EncodeTlsData(mut data)) = state else { return };
            if append(outbox, |out| data.encode(out)).is_err() {
                return;
            }
        }
    }
}

/// Encodes straight into the outbox, asking rustls for the size first.
fn append(
    outbox: &mut Outbox,
    mut encode: impl FnMut(&mut [u8]) -> Result<usize, EncodeError>,
) -> Result<(), NetError> {
    let needed = match encode(&mut []) {
        Err(EncodeError::InsufficientSize(size)) => size.required_size,
        Ok(_) | Err(_) => return Ok(()),
    };
    outbox.reserve(needed, Lane::Control)?;
    encode(outbox.append(needed)).map(|_| ()).map_err(|_| TlsError::Key.into())
}
