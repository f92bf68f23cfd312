//! Oanda's feed through real sockets: a stream that is cut, the second that follows it, and the questions beside it.
#![allow(clippy::unwrap_used)] // a test may crash

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;

use rustls::pki_types::PrivateKeyDer;
use rustls::{ServerConfig, ServerConnection, StreamOwned};
use smc_core::event::{Event, EventBody};
use smc_core::words::{InstrumentId, Name, TsNs};
use smc_feeds::oanda::{FeedSettings, OandaFeed};
use smc_net::{Endpoint, Secret, TlsSettings};

const RULES: &str = r#"{"instruments":[{"name":"EUR_USD","displayPrecision":5,"tradeUnitsPrecision":0,"minimumTradeSize":"1","maximumOrderUnits":"100000000","marginRate":"0.05"}]}"#;
const PRICING: &str = r#"{"time":"2026-07-22T07:01:00Z","prices":[],"homeConversions":[{"currency":"USD","accountGain":"0.9","accountLoss":"0.9","positionValue":"0.9"}]}"#;
const MS: u64 = 1_000_000;

/// A venue whose streams say what they are given; dropping the sender cuts the stream.
fn venue() -> (Endpoint, Receiver<Sender<String>>) {
    let signed = rcgen::generate_simple_self_signed(vec!["localhost".into()]).unwrap();
    let key = PrivateKeyDer::try_from(signed.signing_key.serialize_der()).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![signed.cert.der().clone()], key)
        .unwrap();
    let config = Arc::new(config);
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let (streams, opened) = channel();
    thread::spawn(move || {
        while let Ok((socket, _)) = listener.accept() {
            let (config, streams) = (config.clone(), streams.clone());
            thread::spawn(move || {
                serve(StreamOwned::new(ServerConnection::new(config).unwrap(), socket), &streams)
            });
        }
    });
    let tls = TlsSettings::from_ca_pem(&signed.cert.pem()).unwrap();
    (Endpoint { host: "localhost".into(), port: address.port(), address: Some(address), tls }, opened)
}

fn serve(mut stream: StreamOwned<ServerConnection, TcpStream>, streams: &Sender<Sender<String>>) {
    loop {
        let (mut head, mut byte) = (Vec::new(), [0]);
        while !head.ends_with(b"\r\n\r\n") {
            if !stream.read(&mut byte).is_ok_and(|count| count == 1) {
                return;
            }
            head.push(byte[0]);
        }
        let head = String::from_utf8(head).unwrap();
        assert!(head.contains("\r\nAuthorization: Bearer 0000aaaa-4444eeee\r\n"));
        if head.starts_with("GET /v3/accounts/1-2/pricing/stream?instruments=EUR_USD&snapshot=true ") {
            let (lines, said) = channel();
            stream.write_all(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n").unwrap();
            stream.flush().unwrap();
            streams.send(lines).unwrap();
            for line in said {
                // Cut in two chunks that mean nothing.
                let (first, second) = line.split_at(line.len() / 3);
                for piece in [first, second] {
                    let _ = write!(stream, "{:x}\r\n{piece}\r\n", piece.len());
                }
                let _ = stream.flush();
            }
            return;
        }
        let body = if head.contains("/instruments?instruments=EUR_USD ") { RULES } else { PRICING };
        let length = body.len();
        write!(stream, "HTTP/1.1 200 OK\r\nContent-Length: {length}\r\n\r\n{body}").unwrap();
        stream.flush().unwrap();
    }
}

fn price(second: u32) -> String {
    format!(
        concat!(
            r#"{{"type":"PRICE","time":"2026-07-22T07:01:{:02}.000000000Z","#,
            r#""bids":[{{"price":"1.14108","liquidity":500000}}],"asks":[{{"price":"1.14123","liquidity":1}}],"#,
            r#""closeoutBid":"1.14","closeoutAsk":"1.15","status":"tradeable","tradeable":true,"#,
            r#""instrument":"EUR_USD"}}"#,
            "\n"
        ),
        second
    )
}

fn word(event: &Event) -> Option<String> {
    match event.body {
        EventBody::Feed(state) => Some(format!("{state:?}")),
        EventBody::Quote(quote) => Some(format!("quote {}", quote.bid)),
        _ => None,
    }
}

#[test]
fn a_stream_that_is_cut_is_followed_by_another_and_not_too_soon() {
    let (endpoint, opened) = venue();
    let token = Secret::new("0000aaaa-4444eeee");
    let settings = FeedSettings::new(endpoint.clone(), endpoint, "1-2", token);
    let mut feed = OandaFeed::new(settings, &[(InstrumentId(0), Name::new("EUR_USD").unwrap())]).unwrap();
    let mut now = TsNs(1_000_000 * MS);
    let (mut told, mut others) = (Vec::new(), Vec::new());
    let mut until = |feed: &mut OandaFeed, now: &mut TsNs, step: u64, words: &[&str]| {
        while told.len() < words.len() {
            *now = TsNs(now.0 + step);
            feed.turn(*now, &mut |event| match word(&event) {
                Some(word) => told.push(word),
                None => others.push(event.body),
            });
            thread::yield_now();
        }
        assert_eq!(told, words);
        told.clear();
        others.len()
    };
    until(&mut feed, &mut now, 0, &["Down", "Syncing"]);
    assert!(feed.is_subscribed());
    let first = opened.recv().unwrap();
    first.send(price(1)).unwrap();
    until(&mut feed, &mut now, 0, &["Live", "quote 1.14108"]);
    let begun = now;
    drop(first);
    until(&mut feed, &mut now, 0, &["Down"]);
    until(&mut feed, &mut now, MS / 10, &["Syncing"]);
    assert!(now.since(begun) >= 1_000 * MS, "two streams within {} ns", now.since(begun));
    let second = opened.recv().unwrap();
    second.send(price(1)).unwrap();
    until(&mut feed, &mut now, 0, &["Live", "quote 1.14108"]);
    // Neither line nor heartbeat for too long: given up.
    now = TsNs(now.0 + 10_001 * MS);
    let others = until(&mut feed, &mut now, 0, &["Down"]);
    assert!(others >= 2, "rules and what the dollar is worth were told");
    let counters = feed.counters();
    assert_eq!((counters.reconnects, counters.disconnects, counters.refused), (1, 2, 0));
    assert!(feed.bytes_received() > 0 && feed.bytes_sent() > 0);
}
