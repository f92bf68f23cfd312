//! The HTTP client, and the WebSocket upgrade where it fails, against a TLS server that writes raw bytes.
#![allow(clippy::unwrap_used)] // a test may crash

mod common;

use std::io::{Read, Write};
use std::thread;
use std::time::Duration;

use common::{Authority, BOTH, Stream, endpoint, serve};
use smc_net::{
    Endpoint, HttpClient, HttpResponse, HttpViolation, Method, NetError, WsClient, WsLimits, get_blocking,
};

/// Answers every request, told apart by what its head begins with, with raw bytes; gives back the requests.
fn server(answers: &'static [&'static [u8]]) -> (Endpoint, thread::JoinHandle<Vec<String>>) {
    let authority = Authority::new();
    let (address, server) = serve(authority.server(BOTH, |_| ()), move |mut stream: Stream| {
        let mut requests = Vec::new();
        for answer in answers {
            let (mut head, mut byte) = (Vec::new(), [0]);
            while !head.ends_with(b"\r\n\r\n") && stream.read(&mut byte).is_ok_and(|n| n == 1) {
                head.push(byte[0]);
            }
            requests.push(String::from_utf8(head).unwrap());
            // In two parts, so that the answer comes in two records.
            let (first, second) = answer.split_at(answer.len() / 2);
            for part in [first, second] {
                stream.write_all(part).unwrap();
                stream.flush().unwrap();
            }
        }
        stream.conn.send_close_notify();
        let _ = stream.flush();
        requests
    });
    (endpoint(address, authority.trust()), server)
}

fn answer(client: &mut HttpClient) -> Result<HttpResponse, NetError> {
    loop {
        match client.poll() {
            Ok(None) => thread::yield_now(),
            Ok(Some(response)) => return Ok(response),
            Err(error) => return Err(error),
        }
    }
}

#[test]
fn one_connection_serves_request_after_request() {
    let (endpoint, server) = server(&[
        b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nfirst",
        b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 404 No\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nsec\r\n3\r\nond\r\n0\r\n\r\n",
        b"HTTP/1.1 204 Nothing\r\n\r\n",
        b"HTTP/1.0 200 OK\r\n\r\nuntil the end",
    ]);
    let port = endpoint.port;
    let mut client = HttpClient::connect(&endpoint).unwrap();
    assert!(client.is_idle());
    client.get("/a?b=c", &[("X-MBX-APIKEY", "key")]).unwrap();
    assert_eq!(client.get("/", &[]), Err(NetError::Busy));
    assert!(!client.is_idle());
    let first = answer(&mut client).unwrap();
    assert_eq!((first.status, first.body.as_ref()), (200, &b"first"[..]));
    assert!(client.is_idle());
    client.get("/second", &[]).unwrap();
    let second = answer(&mut client).unwrap();
    assert_eq!((second.status, second.body.as_ref()), (404, &b"second"[..]));
    client.request(Method::Delete, "/third", &[], b"").unwrap();
    assert_eq!(answer(&mut client).unwrap().status, 204);
    client.get("/fourth", &[]).unwrap();
    assert_eq!(answer(&mut client).unwrap().body.as_ref(), b"until the end");
    assert_eq!(client.get("/fifth", &[]), Err(NetError::Closed { code: None }));
    let requests = server.join().unwrap();
    assert_eq!(
        requests[0],
        format!("GET /a?b=c HTTP/1.1\r\nHost: localhost:{port}\r\nX-MBX-APIKEY: key\r\n\r\n")
    );
    assert!(requests[2].starts_with("DELETE /third HTTP/1.1\r\n"));
}

#[test]
fn a_blocking_get_brings_a_large_body() {
    let body: &'static [u8] = vec![b'x'; 3_000_000].leak();
    let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", body.len());
    let whole: &'static [u8] = [head.as_bytes(), body].concat().leak();
    let (endpoint, server) = server(vec![whole].leak());
    let response = get_blocking(&endpoint, "/api/v3/exchangeInfo", Duration::from_secs(60)).unwrap();
    assert!(response.body == body);
    assert!(server.join().unwrap()[0].contains("Connection: close"));
}

#[test]
fn an_answer_cut_short_or_unasked_is_no_answer() {
    let end = |bytes: &'static [u8]| {
        let (endpoint, server) = server(vec![bytes].leak());
        let mut client = HttpClient::connect(&endpoint).unwrap();
        client.get("/", &[]).unwrap();
        let ended = answer(&mut client).unwrap_err();
        assert_eq!(client.poll(), Err(ended.clone()), "the reason stays");
        server.join().unwrap();
        ended
    };
    assert_eq!(end(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nfirs"), NetError::Closed { code: None });
    assert_eq!(
        end(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab"),
        NetError::Closed { code: None }
    );
    assert_eq!(end(b"SSH-2.0-OpenSSH_9.2\r\n\r\n"), NetError::Http(HttpViolation::Head));
    let more =
        b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nfHTTP/1.1 200 OK\r\nContent-Length: 9999999\r\n\r\nxx";
    assert_eq!(end(more), NetError::Http(HttpViolation::Unasked));
}

#[test]
fn a_refused_upgrade_says_why() {
    let upgrade = |bytes: &'static [u8]| {
        let (endpoint, server) = server(vec![bytes].leak());
        let mut client = WsClient::connect(&endpoint, "/ws", WsLimits::default()).unwrap();
        let error = loop {
            match client.poll(&mut |_: &mut [u8]| ()) {
                Ok(_) => thread::yield_now(),
                Err(error) => break error,
            }
        };
        server.join().unwrap();
        error
    };
    let refused = |status, body: &[u8]| NetError::UpgradeRefused { status, body: body.to_vec() };
    let known = b"HTTP/1.1 429 Too Many\r\nContent-Length: 9\r\n\r\nslow down";
    assert_eq!(upgrade(known), refused(429, b"slow down"));
    assert_eq!(upgrade(b"HTTP/1.1 403 No\r\n\r\nuntil the end"), refused(403, b"until the end"));
    assert_eq!(upgrade(b"HTTP/1.1 502 Bad\r\nContent-Length: 999999\r\n\r\n<html>"), refused(502, b"<html>"));
    assert_eq!(upgrade(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"), refused(200, b""));
}
