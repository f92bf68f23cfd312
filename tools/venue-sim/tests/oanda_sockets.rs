//! The simulated Oanda through real sockets: connections and a stream.
#![allow(missing_docs, clippy::unwrap_used)]

mod common;

use common::connect_tls;
use common::oanda::{NET, TOKEN, accounts};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use venue_sim::market::{FxGenerator, FxGeneratorSettings};
use venue_sim::{OandaSettings, Sim, SimSettings};

/// Runs a simulator while `client` works with its address and its certificate authority.
fn served<T>(speed: f64, per_second: Option<u32>, client: impl FnOnce(SocketAddr, &str) -> T) -> (T, Sim) {
    let quotes =
        FxGenerator::new(FxGeneratorSettings { history_minutes: 800, ..FxGeneratorSettings::default() });
    let mut oanda = OandaSettings::new(Box::new(quotes.unwrap()));
    oanda.limits.connections_per_second = per_second;
    let mut sim = Sim::bind(SimSettings { speed, ..SimSettings::oanda(oanda, accounts()) }).unwrap();
    let (address, ca) = (sim.local_addr(), sim.ca_pem().to_owned());
    let stop = AtomicBool::new(false);
    let done = std::thread::scope(|scope| {
        scope.spawn(|| sim.run(&stop));
        let done = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| client(address, &ca)));
        stop.store(true, Ordering::Relaxed);
        done
    });
    (done.unwrap_or_else(|panic| std::panic::resume_unwind(panic)), sim)
}

fn ask(method: &str, path: &str, body: &str) -> String {
    let len = body.len();
    format!(
        "{method} /v3/accounts/{NET}{path} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {TOKEN}\r\nContent-Length: {len}\r\n\r\n{body}"
    )
}

/// Reads one answer off a connection that is kept: status and body.
fn read_answer(reader: &mut impl BufRead) -> (u16, String) {
    let mut line = String::new();
    reader.read_line(&mut line).unwrap();
    let status = line.split(' ').nth(1).unwrap().parse().unwrap();
    let mut len = 0;
    loop {
        let mut header = String::new();
        reader.read_line(&mut header).unwrap();
        if header == "\r\n" {
            break;
        }
        if let Some(value) = header.to_ascii_lowercase().strip_prefix("content-length:") {
            len = value.trim().parse().unwrap();
        }
    }
    let mut body = vec![0; len];
    reader.read_exact(&mut body).unwrap();
    (status, String::from_utf8(body).unwrap())
}

#[test]
fn one_connection_is_kept_and_another_streams() {
    let ((), sim) = served(20.0, None, |address, ca| {
        let mut stream = connect_tls(address, ca);
        stream.write_all(ask("GET", "/pricing/stream?instruments=EUR_USD", "").as_bytes()).unwrap();
        let mut rest = connect_tls(address, ca);
        for _ in 0..3 {
            let order = r#"{"order":{"type":"MARKET","instrument":"EUR_USD","units":"100"}}"#;
            rest.write_all(ask("POST", "/orders", order).as_bytes()).unwrap();
            let (status, body) = read_answer(&mut BufReader::new(&mut rest));
            assert!(status == 201 && body.contains("orderFillTransaction"), "{body}");
        }
        // A heartbeat every five seconds of the market: two of them.
        let (mut beats, mut reader) = (0, BufReader::new(stream));
        while beats < 2 {
            let mut line = String::new();
            assert!(reader.read_line(&mut line).unwrap() > 0, "the stream ended");
            beats += usize::from(line.contains("HEARTBEAT"));
        }
    });
    assert_eq!((sim.summary().fills, sim.orders_seen().len()), (3, 3));
}

#[test]
fn the_third_new_connection_of_a_second_is_refused() {
    served(1.0, Some(2), |address, _| {
        let sockets: Vec<TcpStream> = (0..3).map(|_| TcpStream::connect(address).unwrap()).collect();
        let is_refused = |mut socket: &TcpStream| {
            socket.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
            // A server that has taken the connection waits for the client to speak.
            match socket.read(&mut [0; 1]) {
                Ok(len) => len == 0,
                Err(error) => error.kind() == std::io::ErrorKind::ConnectionReset,
            }
        };
        assert!(is_refused(&sockets[2]));
        for socket in &sockets[..2] {
            socket.set_nonblocking(true).unwrap();
            assert_eq!((&*socket).read(&mut [0; 1]).unwrap_err().kind(), std::io::ErrorKind::WouldBlock);
        }
    });
}
