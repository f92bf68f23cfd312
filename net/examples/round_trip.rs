//! What one message costs on the client's thread: `send_text` (mask, seal, write) and the `poll` that receives (read,
//! open, parse), against an echo server on the loopback that spins on its own thread.
//!
//! `cargo run --release -p smc-net --example round_trip [MESSAGES]`. Closed loop, so it shows the warm floor and nothing
//! of a market's pace; the system calls are in the numbers (the `bare` lines are those alone), and one clock read.

#![allow(clippy::unwrap_used)] // a measurement may crash

use std::io::{ErrorKind, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::thread;
use std::time::Instant;

use rustls::pki_types::PrivateKeyDer;
use rustls::{ServerConfig, ServerConnection, StreamOwned};
use smc_net::{Endpoint, TlsSettings, WsClient, WsLimits};
use tungstenite::Error;

fn main() {
    let count: usize = std::env::args().nth(1).map_or(20_000, |n| n.parse().unwrap());
    let certified = rcgen::generate_simple_self_signed(vec!["localhost".into()]).unwrap();
    let key = PrivateKeyDer::try_from(certified.signing_key.serialize_der()).unwrap();
    let config = ServerConfig::builder()
        .with_no_client_auth()
        .with_single_cert(vec![certified.cert.der().clone()], key)
        .unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || echo(listener, Arc::new(config)));
    let endpoint = Endpoint {
        host: "localhost".into(),
        port: address.port(),
        address: Some(address),
        tls: TlsSettings::from_ca_pem(&certified.cert.pem()).unwrap(),
    };
    let mut client = WsClient::connect(&endpoint, "/", WsLimits::default()).unwrap();
    while !client.is_open() {
        client.poll(&mut |_: &mut [u8]| ()).unwrap();
    }
    let payload = [b'x'; 200];
    let (mut bare_writes, mut bare_reads, mut bare_empty) = bare(count);
    [&mut bare_writes, &mut bare_reads, &mut bare_empty]
        .into_iter()
        .for_each(|v| drop(v.drain(..count / 10)));
    let (mut sends, mut polls, mut empty, mut trips) = (vec![], vec![], vec![], vec![]);
    for round in 0..count + count / 10 {
        let start = Instant::now();
        client.send_text(&payload).unwrap();
        let sent = Instant::now();
        let mut polled_at = sent;
        while client.poll(&mut |m: &mut [u8]| assert!(m == payload)).unwrap() == 0 {
            let now = Instant::now();
            empty.push((now - polled_at).as_nanos());
            polled_at = now;
        }
        let end = Instant::now();
        if round == count / 10 {
            [&mut sends, &mut polls, &mut empty, &mut trips].into_iter().for_each(Vec::clear);
        }
        sends.push((sent - start).as_nanos());
        polls.push((end - polled_at).as_nanos());
        trips.push((end - start).as_nanos());
    }
    for (name, values) in [
        ("bare write", bare_writes),
        ("send_text", sends),
        ("bare read", bare_reads),
        ("poll with data", polls),
        ("bare empty read", bare_empty),
        ("poll without", empty),
        ("round trip", trips),
    ] {
        report(name, values);
    }
}

/// The machine's own limit: as many bytes written to and read from a plain socket whose other end is on this thread.
fn bare(count: usize) -> (Vec<u128>, Vec<u128>, Vec<u128>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let mut near = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    let (mut far, _) = listener.accept().unwrap();
    for socket in [&near, &far] {
        socket.set_nodelay(true).unwrap();
        socket.set_nonblocking(true).unwrap();
    }
    let (sealed, mut room) = ([7; 230], [0; 4096]);
    let (mut writes, mut reads, mut empty) = (vec![], vec![], vec![]);
    for _ in 0..count + count / 10 {
        let start = Instant::now();
        near.write_all(&sealed).unwrap();
        let written = Instant::now();
        assert_eq!(far.read(&mut room).unwrap(), sealed.len());
        let read = Instant::now();
        far.read(&mut room).unwrap_err();
        empty.push(read.elapsed().as_nanos());
        writes.push((written - start).as_nanos());
        reads.push((read - written).as_nanos());
    }
    (writes, reads, empty)
}

fn report(name: &str, mut values: Vec<u128>) {
    values.sort_unstable();
    let at = |part: f64| values.get((values.len() as f64 * part) as usize).copied().unwrap_or_default();
    println!("{name:>15}: p50 {} ns, p90 {} ns, p99 {} ns, n {}", at(0.5), at(0.9), at(0.99), values.len());
}

/// Spins like the client, so that no wake-up hides what is measured.
fn echo(listener: TcpListener, config: Arc<ServerConfig>) {
    let (socket, _) = listener.accept().unwrap();
    socket.set_nodelay(true).unwrap();
    let stream = StreamOwned::new(ServerConnection::new(config).unwrap(), socket);
    let mut ws = tungstenite::accept(stream).unwrap();
    ws.get_ref().sock.set_nonblocking(true).unwrap();
    loop {
        match ws.read() {
            Ok(message) => ws.send(message).unwrap(),
            Err(Error::Io(e)) if e.kind() == ErrorKind::WouldBlock => {}
            Err(_) => return,
        }
    }
}
