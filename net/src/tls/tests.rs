//! Our session and record layer against rustls' server, in memory: no socket, no thread.

use std::io::{Read, Write};
use std::sync::Arc;

use proptest::prelude::*;
use rustls::crypto::{CryptoProvider, aws_lc_rs as provider};
use rustls::pki_types::PrivateKeyDer;
use rustls::{ServerConfig, ServerConnection, SupportedCipherSuite};

use super::record::{Alert, Opened, RecordLayer};
use super::session::{Handshake, Step};
use super::settings::TlsSettings;
use crate::error::{NetError, TlsError};
use crate::inbox::Inbox;
use crate::outbox::{Lane, Outbox};

/// A client of ours and a server of theirs, after the handshake.
struct Pair {
    records: RecordLayer,
    inbox: Inbox,
    outbox: Outbox,
    server: ServerConnection,
}

impl Pair {
    fn new(suite: SupportedCipherSuite) -> Self {
        let certified = rcgen::generate_simple_self_signed(vec!["localhost".into()]).unwrap();
        let settings = TlsSettings::from_ca_pem(&certified.cert.pem()).unwrap();
        let key = PrivateKeyDer::try_from(certified.signing_key.serialize_der()).unwrap();
        let provider = CryptoProvider { cipher_suites: vec![suite], ..provider::default_provider() };
        let config = ServerConfig::builder_with_provider(Arc::new(provider))
            .with_protocol_versions(&[suite.version()])
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![certified.cert.der().clone()], key)
            .unwrap();
        Self::shake_hands(&settings, Arc::new(config))
    }

    fn shake_hands(settings: &TlsSettings, config: Arc<ServerConfig>) -> Self {
        let mut server = ServerConnection::new(config).unwrap();
        let (mut inbox, mut outbox) = (Inbox::new(100_000), Outbox::new(1_000_000));
        let mut handshake = Handshake::new(settings, "localhost").unwrap().unwrap();
        let records = loop {
            let step = handshake.step(&mut inbox, &mut outbox).unwrap();
            give_to_server(&mut outbox, &mut server);
            match step {
                Step::Going(going) => handshake = going,
                Step::Done(records) => break *records,
            }
            // In small pieces: the handshake must wait for the rest, not fail.
            for piece in from_server(&mut server).chunks(100) {
                receive(&mut inbox, piece);
                match handshake.step(&mut inbox, &mut outbox).unwrap() {
                    Step::Going(going) => handshake = going,
                    Step::Done(records) => {
                        give_to_server(&mut outbox, &mut server);
                        return Self { records: *records, inbox, outbox, server };
                    }
                }
            }
        };
        Self { records, inbox, outbox, server }
    }

    fn send(&mut self, data: &[u8]) -> Result<(), NetError> {
        let fill = |at: usize, out: &mut [u8]| out.copy_from_slice(&data[at..at + out.len()]);
        self.records.seal_into(&mut self.outbox, data.len(), Lane::Data, fill)
    }

    fn at_server(&mut self) -> Vec<u8> {
        give_to_server(&mut self.outbox, &mut self.server)
    }

    /// Lets `bytes` arrive in pieces and returns what they carried.
    fn arrive(&mut self, bytes: &[u8], piece_len: usize) -> Result<Vec<u8>, NetError> {
        let mut data = Vec::new();
        for piece in bytes.chunks(piece_len) {
            receive(&mut self.inbox, piece);
            loop {
                match self.records.open(self.inbox.cipher())? {
                    Opened::Incomplete => break,
                    Opened::Payload { record_len, at, len } => self.inbox.opened(record_len, at, len),
                    Opened::Handled { record_len } => self.inbox.discard_cipher(record_len),
                    Opened::CloseNotify => return Err(NetError::Closed { code: None }),
                }
            }
            let plain = self.inbox.plain();
            data.extend_from_slice(plain);
            let len = plain.len();
            self.inbox.consume(len);
        }
        Ok(data)
    }

    fn server_says(&mut self, data: &[u8], piece_len: usize) -> Result<Vec<u8>, NetError> {
        self.server.set_buffer_limit(None);
        self.server.writer().write_all(data).unwrap();
        let bytes = from_server(&mut self.server);
        self.arrive(&bytes, piece_len)
    }
}

/// Returns what the server could read of it.
fn give_to_server(outbox: &mut Outbox, server: &mut ServerConnection) -> Vec<u8> {
    let mut data = Vec::new();
    while outbox.pending() > 0 {
        let mut unsent = outbox.unsent();
        let count = server.read_tls(&mut unsent).unwrap();
        outbox.sent(count);
        server.process_new_packets().unwrap();
        let _ = server.reader().read_to_end(&mut data);
    }
    data
}

fn from_server(server: &mut ServerConnection) -> Vec<u8> {
    let mut bytes = Vec::new();
    while server.wants_write() {
        server.write_tls(&mut bytes).unwrap();
    }
    bytes
}

fn receive(inbox: &mut Inbox, bytes: &[u8]) {
    inbox.space()[..bytes.len()].copy_from_slice(bytes);
    inbox.received(bytes.len());
}

fn sample(len: usize) -> Vec<u8> {
    (0..len).map(|i| (i * 31 % 251) as u8).collect()
}

const TLS13: SupportedCipherSuite = provider::cipher_suite::TLS13_AES_128_GCM_SHA256;
const TLS12: SupportedCipherSuite = provider::cipher_suite::TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256;

#[test]
fn every_suite_carries_data_both_ways_in_pieces_of_any_size() {
    let suites = provider::DEFAULT_CIPHER_SUITES.iter().filter(|s| !format!("{s:?}").contains("RSA"));
    let mut count = 0;
    for &suite in suites {
        let mut pair = Pair::new(suite);
        for (len, piece_len) in [(1, 1), (200, 7), (16_384, 5000), (16_385, 4096), (50_000, 33_000)] {
            let data = sample(len);
            pair.send(&data).unwrap();
            assert_eq!(pair.at_server(), data, "{suite:?} {len} up");
            assert_eq!(pair.server_says(&data, piece_len).unwrap(), data, "{suite:?} {len} down");
        }
        count += 1;
    }
    assert_eq!(count, 6, "three suites in each of two versions");
}

#[test]
fn a_second_connection_resumes_the_first() {
    let certified = rcgen::generate_simple_self_signed(vec!["localhost".into()]).unwrap();
    let settings = TlsSettings::from_ca_pem(&certified.cert.pem()).unwrap();
    let key = PrivateKeyDer::try_from(certified.signing_key.serialize_der()).unwrap();
    let config = ServerConfig::builder_with_provider(Arc::new(provider::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certified.cert.der().clone()], key)
        .unwrap();
    let config = Arc::new(config);
    let mut first = Pair::shake_hands(&settings, config.clone());
    assert_eq!(first.server.handshake_kind(), Some(rustls::HandshakeKind::Full));
    // The tickets come with the first data.
    assert_eq!(first.server_says(b"hello", 3).unwrap(), b"hello");
    let mut second = Pair::shake_hands(&settings, config);
    assert_eq!(second.server.handshake_kind(), Some(rustls::HandshakeKind::Resumed));
    second.send(b"again").unwrap();
    assert_eq!(second.at_server(), b"again");
    assert_eq!(second.server_says(b"welcome", 100).unwrap(), b"welcome");
}

#[test]
fn the_server_renews_its_key_and_asks_us_to_renew_ours() {
    let mut pair = Pair::new(TLS13);
    for round in 0..5u8 {
        pair.server.refresh_traffic_keys().unwrap();
        assert_eq!(pair.server_says(&[round; 100], 50).unwrap(), [round; 100]);
        pair.send(&[round; 10]).unwrap();
        assert_eq!(pair.at_server(), [round; 10]);
    }
}

#[test]
fn our_key_is_renewed_before_its_limit() {
    let mut pair = Pair::new(TLS13);
    pair.records.set_records_max(10);
    for round in 0..100u8 {
        pair.send(&[round; 10]).unwrap();
        assert_eq!(pair.at_server(), [round; 10]);
    }
}

#[test]
fn a_key_that_cannot_be_renewed_ends_in_a_typed_error() {
    let mut pair = Pair::new(TLS12);
    pair.records.set_records_max(10);
    let errors: Vec<NetError> = (0..12).filter_map(|_| pair.send(b"x").err()).collect();
    assert!(errors.len() >= 2);
    assert!(errors.iter().all(|e| *e == NetError::Tls(TlsError::KeyLimit { records: 10 })), "{errors:?}");
}

#[test]
fn goodbyes_are_understood_on_both_sides() {
    for suite in [TLS13, TLS12] {
        let mut pair = Pair::new(suite);
        pair.records.seal_alert_into(&mut pair.outbox, Alert::CloseNotify).unwrap();
        give_to_server(&mut pair.outbox, &mut pair.server);
        assert_eq!(pair.server.reader().read(&mut [0; 8]).unwrap(), 0, "an orderly end of data");
        pair.server.send_close_notify();
        let bytes = from_server(&mut pair.server);
        assert_eq!(pair.arrive(&bytes, 3), Err(NetError::Closed { code: None }));
    }
}

#[test]
fn a_fatal_alert_keeps_its_number() {
    let mut pair = Pair::new(TLS13);
    // A record that we cannot have sealed makes the server complain.
    let mut bad = &[23, 3, 3, 0, 20, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0][..];
    pair.server.read_tls(&mut bad).unwrap();
    pair.server.process_new_packets().unwrap_err();
    let bytes = from_server(&mut pair.server);
    assert_eq!(pair.arrive(&bytes, 9), Err(NetError::Tls(TlsError::Alert(20))));
}

#[test]
fn one_flipped_bit_anywhere_is_never_accepted() {
    for suite in [TLS13, TLS12] {
        let mut probe = Pair::new(suite);
        probe.server_says(b"tickets first", 1000).unwrap();
        probe.server.writer().write_all(b"sound").unwrap();
        let len = from_server(&mut probe.server).len();
        for bit in (0..len * 8).step_by(3) {
            let mut pair = Pair::new(suite);
            pair.server_says(b"tickets first", 1000).unwrap();
            pair.server.writer().write_all(b"sound").unwrap();
            let mut bytes = from_server(&mut pair.server);
            bytes[bit / 8] ^= 1 << (bit % 8);
            // A flip in the length may leave us waiting; no other flip may pass.
            match pair.arrive(&bytes, 1000) {
                Err(_) => {}
                Ok(data) => assert!(data.is_empty() && (24..40).contains(&bit), "bit {bit} gave {data:?}"),
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn arbitrary_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..2000), piece in 1usize..300) {
        for suite in [TLS13, TLS12] {
            let mut pair = Pair::new(suite);
            let _ = pair.arrive(&bytes, piece);
            // And where the handshake still goes on.
            let mut handshake = Handshake::new(&settings(), "localhost").unwrap().unwrap();
            let (mut inbox, mut outbox) = (Inbox::new(10_000), Outbox::new(100_000));
            for piece in bytes.chunks(piece) {
                receive(&mut inbox, piece);
                match handshake.step(&mut inbox, &mut outbox) {
                    Ok(Step::Going(going)) => handshake = going,
                    Ok(Step::Done(_)) => panic!("no server, no session"),
                    Err(_) => break,
                }
            }
        }
    }

    /// Whatever a peer with the right keys puts into records of any content type.
    #[test]
    fn arbitrary_messages_never_panic(
        messages in proptest::collection::vec((20u8..25, proptest::collection::vec(any::<u8>(), 0..60)), 1..8),
    ) {
        for suite in [TLS13, TLS12] {
            let mut pair = Pair::new(suite);
            for (content, message) in &messages {
                let _ = pair.records.on_message(*content, message, 0);
            }
        }
    }
}

fn settings() -> TlsSettings {
    let certified = rcgen::generate_simple_self_signed(vec!["localhost".into()]).unwrap();
    TlsSettings::from_ca_pem(&certified.cert.pem()).unwrap()
}

#[test]
fn what_is_no_certificate_is_refused() {
    assert_eq!(TlsSettings::from_ca_pem("").unwrap_err(), TlsError::NoCertificate);
    let cut = "-----BEGIN CERTIFICATE-----\nMIIB";
    assert!(matches!(TlsSettings::from_ca_pem(cut).unwrap_err(), TlsError::BadPem | TlsError::NoCertificate));
    let wrong = "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n";
    assert!(matches!(TlsSettings::from_ca_pem(wrong).unwrap_err(), TlsError::Settings(_)));
}

#[test]
fn a_host_that_is_no_name_is_refused() {
    assert_eq!(Handshake::new(&settings(), "no host").map(|_| ()), Err(NetError::HostName));
}
