//! The port from outside: what it answers, and whom it drops.
#![allow(clippy::unwrap_used, clippy::panic, reason = "this is test code, which the lint cannot see")]

use smc_exporter::{Exporter, Port, Source};
use smc_runtime::counters::{Counters, FILE_NAME, Slot};
use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::time::{Duration, Instant};

/// A port over a directory that holds counters of this process, and no journal.
fn serve(dir: &Path) -> (Exporter, Counters) {
    let counters = Counters::create(&dir.join(FILE_NAME)).unwrap();
    counters.set(Slot::JournalSeq, 1);
    let exporter = Port::open("0").unwrap().serve(Source::outside(dir).unwrap()).unwrap();
    (exporter, counters)
}

fn connect(at: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect(at).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    stream
}

/// Everything that comes until the other end closes.
fn rest(stream: &mut TcpStream) -> String {
    let mut text = Vec::new();
    match stream.read_to_end(&mut text) {
        Ok(_) => {}
        Err(error) if error.kind() == ErrorKind::ConnectionReset => {}
        Err(error) => panic!("{error}"),
    }
    String::from_utf8(text).unwrap()
}

fn ask(at: SocketAddr, head: &str) -> (u16, String, String) {
    let mut stream = connect(at);
    stream.write_all(format!("{head}\r\nHost: x\r\n\r\n").as_bytes()).unwrap();
    let answer = rest(&mut stream);
    let (head, body) = answer.split_once("\r\n\r\n").unwrap_or_else(|| panic!("{answer:?}"));
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    let length = head.lines().find_map(|line| line.strip_prefix("Content-Length: ")).unwrap();
    assert_eq!(length.parse::<usize>().unwrap(), body.len());
    (status, head.to_owned(), body.to_owned())
}

#[test]
fn it_answers_and_knows_whether_the_engine_lives() {
    let dir = tempfile::tempdir().unwrap();
    let (exporter, counters) = serve(dir.path());
    let at = exporter.address();
    assert!(at.ip().is_loopback());
    let (status, head, body) = ask(at, "GET /metrics HTTP/1.1");
    assert_eq!(status, 200);
    assert!(
        head.contains("Content-Type: text/plain; version=0.0.4") && body.contains("\nsmc_engine_alive 1\n")
    );
    let (_, head, body) =
        ask(at, "GET /metrics HTTP/1.1\r\nAccept: application/openmetrics-text; version=1.0.0");
    assert!(head.contains("application/openmetrics-text; version=1.0.0") && body.ends_with("# EOF\n"));
    assert_eq!(ask(at, "GET /healthz HTTP/1.1").0, 200);
    assert_eq!(ask(at, "GET / HTTP/1.1").0, 404);
    let (status, head, _) = ask(at, "POST /metrics HTTP/1.1");
    assert!(status == 405 && head.contains("Allow: GET"));
    assert_eq!(ask(at, "GET /metrics HTTP/1.1\r\nContent-Length: 3").0, 400);
    assert_eq!(ask(at, &format!("GET /metrics HTTP/1.1\r\nX: {}", "a".repeat(9_000))).0, 400);
    drop(counters);
    std::fs::remove_file(dir.path().join(FILE_NAME)).unwrap();
    std::thread::sleep(Duration::from_millis(300));
    let (status, _, body) = ask(at, "GET /healthz HTTP/1.1");
    assert!(status == 503 && body.starts_with("dead"), "{status} {body}");
    drop(exporter);
    assert!(TcpStream::connect(at).is_err(), "the port is closed with it");
}

#[test]
fn a_request_may_come_a_byte_at_a_time_but_not_for_ever() {
    let dir = tempfile::tempdir().unwrap();
    let (exporter, _counters) = serve(dir.path());
    let mut slow = connect(exporter.address());
    for byte in b"GET /healthz HTTP/1.1\r\n\r\n" {
        slow.write_all(&[*byte]).unwrap();
        std::thread::sleep(Duration::from_millis(5));
    }
    assert!(rest(&mut slow).starts_with("HTTP/1.1 200"));
    let mut never = connect(exporter.address());
    never.write_all(b"GET /metrics HTT").unwrap();
    let began = Instant::now();
    assert_eq!(rest(&mut never), "", "no answer to what is no request");
    let waited = began.elapsed();
    assert!((Duration::from_millis(1_500)..Duration::from_secs(5)).contains(&waited), "{waited:?}");
}

#[test]
fn the_seventeenth_is_told_so_and_room_comes_back() {
    let dir = tempfile::tempdir().unwrap();
    let (exporter, _counters) = serve(dir.path());
    let at = exporter.address();
    let mut silent: Vec<TcpStream> = (0..16).map(|_| connect(at)).collect();
    std::thread::sleep(Duration::from_millis(300));
    let mut further = connect(at);
    assert!(rest(&mut further).starts_with("HTTP/1.1 503"));
    silent.iter_mut().for_each(|stream| assert_eq!(rest(stream), "", "silence ends after two seconds"));
    let (status, _, body) = ask(at, "GET /metrics HTTP/1.1");
    assert!(status == 200 && body.contains("smc_scrapes_refused_total 1\n"), "{status}");
}

/// Two hundred at once, with garbage among them: all are answered or dropped, and the pages were made few times.
#[test]
fn a_storm_passes() {
    let dir = tempfile::tempdir().unwrap();
    let (exporter, _counters) = serve(dir.path());
    let at = exporter.address();
    let mut seen = 0u32;
    for nth in 0..200u32 {
        let mut stream = connect(at);
        match nth % 4 {
            0 => drop(stream),
            1 => {
                // It may have been refused and closed already.
                let _ = stream.write_all(&[(nth % 251) as u8; 3_000]);
                let _ = stream.shutdown(std::net::Shutdown::Write);
                let _ = stream.read_to_end(&mut Vec::new());
            }
            _ => {
                let _ = stream.write_all(b"GET /metrics HTTP/1.1\r\n\r\n");
                seen += u32::from(rest(&mut stream).starts_with("HTTP/1.1 200"));
            }
        }
    }
    assert_eq!(seen, 100, "one after the other there is room for each");
}

#[test]
fn an_address_that_is_none_is_refused_and_one_that_is_taken_too() {
    for text in ["", "localhost", "1.2.3.4", "70000", "127.0.0.1:x"] {
        let error = Port::open(text).map(|port| port.address()).unwrap_err().to_string();
        assert!(error.contains("expected"), "{error}");
    }
    let port = Port::open("127.0.0.1:0").unwrap();
    let taken = Port::open(&port.address().to_string()).map(|port| port.address()).unwrap_err().to_string();
    assert!(taken.contains("in use"), "{taken}");
}
