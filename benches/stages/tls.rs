//! The connection: TLS records and WebSocket frames, in memory, as they pass between the socket's buffers and the venue's
//! module. The peer is rustls' own server.

use super::{ED25519, Named, Stage, Turn};
use rcgen::{Certificate, CertificateParams, KeyPair};
use rustls::crypto::{CryptoProvider, aws_lc_rs as provider};
use rustls::pki_types::PrivateKeyDer;
use rustls::{ServerConfig, ServerConnection};
use smc_net::TlsSettings;
use smc_net::bench::TlsSession;
use smc_net::ws::{Frame, FrameReader, FrameWriter, MaskSource, Opcode};
use std::hint::black_box;
use std::io::{Read, Write};
use std::sync::Arc;

pub const STAGES: &[Named] = &[
    ("tls/open a record of 200 bytes", || Box::new(Open::new())),
    ("ws/parse a frame", parse),
    ("ws/mask a frame", mask),
    ("tls/mask and seal an order", || Box::new(Seal::new())),
];

/// The length of a market message, and of an order request.
const MESSAGE_BYTES: usize = 200;
const ORDER_BYTES: usize = 264;

fn printable(len: usize) -> Vec<u8> {
    (0..len).map(|at| b' ' + (at % 90) as u8).collect()
}

/// A frame as a server sends it: not masked.
fn served(payload: &[u8]) -> Vec<u8> {
    let mut frame = vec![0x81];
    match payload.len() {
        len @ 0..=125 => frame.push(len as u8),
        len => {
            frame.push(126);
            frame.extend(u16::try_from(len).expect("a short message").to_be_bytes());
        }
    }
    frame.extend(payload);
    frame
}

fn parse() -> Box<dyn Stage> {
    let mut reader = FrameReader::new(1 << 20);
    let mut frames: Vec<Vec<u8>> =
        (0..1_024).map(|nth| served(&printable(MESSAGE_BYTES - 64 + nth % 128))).collect();
    for frame in &mut frames {
        let (len, sent) = (frame.len(), frame.clone());
        let (taken, parsed) = reader.next(frame).expect("a sound frame");
        assert_eq!(taken, len);
        assert!(matches!(parsed, Frame::Message { is_binary: false, payload } if sent.ends_with(payload)));
    }
    let mut frames = Turn::new(frames);
    Box::new(move || _ = black_box(reader.next(black_box(frames.next())).is_ok()))
}

fn mask() -> Box<dyn Stage> {
    let order = printable(ORDER_BYTES);
    let mut masks = MaskSource::new(7);
    let mut out = vec![0; order.len() + 14];
    let key = masks.next_key();
    let writer = FrameWriter::new(Opcode::Text, &order, key);
    let len = writer.len();
    writer.fill(0, &mut out[..len]);
    let unmasked = out[len - order.len()..len].iter().zip(key.iter().cycle()).map(|(byte, key)| byte ^ key);
    assert!(unmasked.eq(order.iter().copied()));
    Box::new(move || {
        let writer = FrameWriter::new(Opcode::Text, black_box(&order), masks.next_key());
        writer.fill(0, &mut out[..len]);
        black_box(&mut out);
    })
}

/// The same certificate at every run: one whose length is left to chance moves all that is allocated after it, and with
/// the places of messages the counts of those who read them in pieces of a cache line.
pub(super) fn localhost() -> (Certificate, KeyPair) {
    let key = KeyPair::from_pem(ED25519).expect("a key");
    let params = CertificateParams::new(["localhost".to_owned()]).expect("a name");
    (params.self_signed(&key).expect("a certificate"), key)
}

/// Our end of a connection and rustls' of it, shaken hands.
struct Pair {
    session: TlsSession,
    server: ServerConnection,
}

impl Pair {
    /// The suite that we ask for first.
    fn new() -> Self {
        let (certificate, key) = localhost();
        let settings = TlsSettings::from_ca_pem(&certificate.pem()).expect("its own authority");
        let key = PrivateKeyDer::try_from(key.serialize_der()).expect("a key");
        let suites = vec![provider::cipher_suite::TLS13_AES_128_GCM_SHA256];
        let provider = CryptoProvider { cipher_suites: suites, ..provider::default_provider() };
        let config = ServerConfig::builder_with_provider(Arc::new(provider))
            .with_protocol_versions(&[&rustls::version::TLS13])
            .expect("a version of the suite")
            .with_no_client_auth()
            .with_single_cert(vec![certificate.der().clone()], key)
            .expect("a certificate and its key");
        let mut server = ServerConnection::new(Arc::new(config)).expect("a server");
        let session = TlsSession::open(&settings, "localhost", &mut |mut sent| {
            while !sent.is_empty() {
                server.read_tls(&mut sent).expect("memory reads");
                server.process_new_packets().expect("a sound handshake");
            }
            said(&mut server)
        });
        let mut pair = Self { session: session.expect("a session"), server };
        // The tickets come first.
        let mut heard = Vec::new();
        pair.serve(b"hello");
        while pair.session.open_next(&mut |bytes| heard.extend_from_slice(bytes)).expect("sound records") {}
        assert_eq!(heard, b"hello");
        pair
    }

    /// Lets a record with this payload arrive.
    fn serve(&mut self, payload: &[u8]) {
        self.server.writer().write_all(payload).expect("memory writes");
        self.session.receive(&said(&mut self.server)).expect("room");
    }
}

fn said(server: &mut ServerConnection) -> Vec<u8> {
    let mut bytes = Vec::new();
    while server.wants_write() {
        server.write_tls(&mut bytes).expect("memory writes");
    }
    bytes
}

struct Open {
    pair: Pair,
    message: Vec<u8>,
}

impl Open {
    fn new() -> Self {
        let (mut pair, message) = (Pair::new(), printable(MESSAGE_BYTES));
        pair.serve(&message);
        let mut heard = Vec::new();
        assert!(pair.session.open_next(&mut |bytes| heard.extend_from_slice(bytes)).expect("a sound record"));
        assert_eq!(heard, message);
        Self { pair, message }
    }
}

impl Stage for Open {
    fn prepare(&mut self) {
        for _ in 0..self.batch() {
            self.pair.serve(&self.message);
        }
    }

    #[inline]
    fn step(&mut self) {
        let opened = self.pair.session.open_next(&mut |bytes| _ = black_box(bytes));
        assert!(opened.is_ok_and(|is_payload| is_payload));
    }
}

struct Seal {
    session: TlsSession,
    masks: MaskSource,
    order: Vec<u8>,
}

impl Seal {
    fn new() -> Self {
        let Pair { mut session, mut server } = Pair::new();
        let (masks, order) = (MaskSource::new(7), printable(ORDER_BYTES));
        let frame = FrameWriter::new(Opcode::Text, &order, [0; 4]);
        session.send_frame(&frame).expect("room");
        let mut sealed = session.unsent();
        server.read_tls(&mut sealed).expect("memory reads");
        server.process_new_packets().expect("a sound record");
        let mut heard = vec![0; frame.len()];
        server.reader().read_exact(&mut heard).expect("all of it");
        assert!(heard.ends_with(&order), "under a mask of zeros it is what it was");
        session.sent();
        Self { session, masks, order }
    }
}

impl Stage for Seal {
    #[inline]
    fn step(&mut self) {
        let frame = FrameWriter::new(Opcode::Text, black_box(&self.order), self.masks.next_key());
        assert!(self.session.send_frame(&frame).is_ok());
        black_box(self.session.unsent());
        self.session.sent();
    }
}
