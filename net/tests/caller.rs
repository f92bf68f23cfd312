//! Requests over kept-alive connections, and answers that never end, against TLS servers that break off where they like.
#![allow(clippy::unwrap_used)] // a test may crash

mod common;

use std::io::{Read, Write};
use std::net::TcpListener;
use std::thread::{self, JoinHandle};

use common::{Authority, BOTH, Stream, endpoint, serve};
use rustls::{ServerConnection, StreamOwned};
use smc_net::{Call, Caller, Endpoint, Method, NetError, Outcome, StreamClient, StreamLimits};

const SECOND: u64 = 1_000_000_000;
const OK: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

/// What the server does with one connection: answers so many requests, then ends it with or without reading one more.
#[derive(Clone, Copy)]
struct Script {
    answers: usize,
    reads_one_more: bool,
}

/// Serves the connections in turn; gives back the request lines of each.
fn server(scripts: &'static [Script]) -> (Endpoint, JoinHandle<Vec<Vec<String>>>) {
    let authority = Authority::new();
    let config = authority.server(BOTH, |_| ());
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let thread = thread::spawn(move || {
        let mut all = Vec::new();
        for script in scripts {
            let (socket, _) = listener.accept().unwrap();
            let mut stream = StreamOwned::new(ServerConnection::new(config.clone()).unwrap(), socket);
            let mut lines = Vec::new();
            for _ in 0..script.answers {
                lines.extend(request(&mut stream));
                stream.write_all(OK).unwrap();
                stream.flush().unwrap();
            }
            if script.reads_one_more {
                lines.extend(request(&mut stream));
            }
            stream.conn.send_close_notify();
            let _ = stream.flush();
            all.push(lines);
        }
        all
    });
    (endpoint(address, authority.trust()), thread)
}

fn request(stream: &mut Stream) -> Option<String> {
    let (mut head, mut byte) = (Vec::new(), [0]);
    while !head.ends_with(b"\r\n\r\n") {
        if !stream.read(&mut byte).is_ok_and(|count| count == 1) {
            return None;
        }
        head.push(byte[0]);
    }
    String::from_utf8(head).unwrap().lines().next().map(str::to_owned)
}

fn call(tag: u64, method: Method) -> Call {
    let path = format!("/{tag}");
    Call { tag, method, path, headers: Vec::new(), body: Vec::new(), is_repeatable: method == Method::Get }
}

type Told = (u64, Result<u16, (bool, NetError)>);

/// Turns at one moment until one outcome is told.
fn told(caller: &mut Caller, now_ns: u64) -> Told {
    let [told] = all_told(caller, now_ns);
    told
}

/// Turns at one moment until so many outcomes are told, by their tags: one turn may tell several.
fn all_told<const N: usize>(caller: &mut Caller, now_ns: u64) -> [Told; N] {
    let mut said = Vec::new();
    while said.len() < N {
        caller.turn(now_ns, &mut |tag, outcome| {
            let outcome = match outcome {
                Outcome::Answer(response) => Ok(response.status),
                Outcome::NotSent(error) => Err((false, error)),
                Outcome::Unknown(error) => Err((true, error)),
            };
            said.push((tag, outcome));
        });
        thread::yield_now();
    }
    said.sort_by_key(|told| told.0);
    said.try_into().unwrap()
}

/// Turns until every connection is known to be gone.
fn until_not_ready(caller: &mut Caller) {
    while caller.is_ready() {
        caller.turn(0, &mut |_, _| panic!("nothing was asked"));
        thread::yield_now();
    }
}

#[test]
fn a_read_on_a_connection_that_was_closed_meanwhile_is_repeated_once() {
    // The second connection is cut as well: the same read is not sent a third time.
    let (endpoint, server) =
        server(&[Script { answers: 1, reads_one_more: true }, Script { answers: 0, reads_one_more: true }]);
    let mut caller = Caller::new(endpoint, 1, 10 * SECOND);
    assert!(caller.call(0, call(1, Method::Get)));
    assert_eq!(told(&mut caller, 0), (1, Ok(200)));
    assert!(caller.call(0, call(2, Method::Get)));
    assert_eq!(told(&mut caller, 0), (2, Err((true, NetError::Closed { code: None }))));
    assert_eq!(server.join().unwrap(), [vec!["GET /1 HTTP/1.1", "GET /2 HTTP/1.1"], vec!["GET /2 HTTP/1.1"]]);
}

#[test]
fn a_request_that_may_have_done_something_is_never_sent_twice() {
    let (endpoint, server) = server(&[Script { answers: 1, reads_one_more: true }]);
    let mut caller = Caller::new(endpoint, 1, 10 * SECOND);
    assert!(caller.call(0, call(1, Method::Get)));
    assert_eq!(told(&mut caller, 0), (1, Ok(200)));
    assert!(caller.is_ready());
    assert!(caller.call(0, call(2, Method::Post)));
    assert_eq!(told(&mut caller, 0), (2, Err((true, NetError::Closed { code: None }))));
    assert_eq!(caller.open(), 0, "not kept for another connection");
    assert_eq!(server.join().unwrap(), [["GET /1 HTTP/1.1", "POST /2 HTTP/1.1"]]);
}

/// Sent and failed in one and the same poll: it has left.
#[test]
fn a_cut_in_the_poll_that_sends_is_unknown() {
    let (endpoint, server) = server(&[Script { answers: 0, reads_one_more: true }]);
    let mut caller = Caller::new(endpoint, 1, 10 * SECOND);
    assert!(caller.call(0, call(1, Method::Post)));
    assert_eq!(told(&mut caller, 0), (1, Err((true, NetError::Closed { code: None }))));
    assert_eq!(server.join().unwrap(), [["POST /1 HTTP/1.1"]]);
}

#[test]
fn an_idle_connection_that_the_venue_closes_costs_nothing() {
    let (endpoint, server) =
        server(&[Script { answers: 1, reads_one_more: false }, Script { answers: 1, reads_one_more: false }]);
    let mut caller = Caller::new(endpoint, 1, 10 * SECOND);
    assert!(caller.call(0, call(1, Method::Get)));
    assert_eq!(told(&mut caller, 0), (1, Ok(200)));
    until_not_ready(&mut caller);
    assert!(caller.call(0, call(2, Method::Post)));
    assert_eq!(told(&mut caller, 0), (2, Ok(200)));
    assert_eq!(server.join().unwrap().len(), 2);
}

#[test]
fn what_no_one_listens_to_is_not_sent_and_pauses_grow() {
    let authority = Authority::new();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let mut caller = Caller::new(endpoint(address, authority.trust()), 1, SECOND);
    let mut now = 0;
    for pause in [250_000_000, 500_000_000] {
        assert!(caller.call(now, call(7, Method::Post)));
        let (tag, outcome) = told(&mut caller, now);
        assert!(tag == 7 && matches!(outcome, Err((false, NetError::Io(_)))), "{outcome:?}");
        assert!(!caller.keep_warm(now + pause - 1), "a pause of {pause} ns is kept");
        now += pause;
        assert!(!caller.is_ready());
    }
    // Within a pause that is longer than a request may take, it is given up unsent.
    now += 1;
    assert!(caller.keep_warm(now));
    for _ in 0..1_000 {
        caller.turn(now, &mut |_, _| panic!("nothing was asked"));
    }
    assert!(caller.call(now, call(8, Method::Post)));
    assert_eq!(told(&mut caller, now + SECOND + 1), (8, Err((false, NetError::TimedOut))));
}

#[test]
fn no_answer_in_time_is_unknown() {
    let authority = Authority::new();
    let (address, server) = serve(authority.server(BOTH, |_| ()), |mut stream: Stream| {
        let line = request(&mut stream);
        let _ = stream.read(&mut [0]); // until the client has had enough
        line
    });
    let mut caller = Caller::new(endpoint(address, authority.trust()), 1, SECOND);
    assert!(caller.call(0, call(1, Method::Put)));
    let mut turns = 0;
    while caller.in_flight() > 0 || turns < 1_000 {
        turns += 1;
        caller.turn(SECOND, &mut |_, _| panic!("its time is not over"));
        thread::yield_now();
    }
    assert_eq!(told(&mut caller, SECOND + 1), (1, Err((true, NetError::TimedOut))));
    drop(caller);
    assert_eq!(server.join().unwrap().as_deref(), Some("PUT /1 HTTP/1.1"));
}

#[test]
fn a_request_that_cannot_be_written_holds_nobody_up() {
    let (endpoint, server) = server(&[Script { answers: 1, reads_one_more: false }]);
    let mut caller = Caller::new(endpoint, 1, 10 * SECOND);
    assert!(caller.call(0, Call { path: "/a b".into(), ..call(1, Method::Post) }));
    assert!(caller.call(0, call(2, Method::Get)));
    let refused = (1, Err((false, NetError::BadRequest("path"))));
    assert_eq!(all_told(&mut caller, 0), [refused, (2, Ok(200))]);
    server.join().unwrap();
}

#[test]
fn a_call_keeps_its_secrets() {
    let headers = vec![("Authorization".to_owned(), "Bearer abcdef".to_owned())];
    let path = "/v3/orders?signature=abcdef".to_owned();
    let call = Call { path, headers, body: b"abcdef".to_vec(), ..call(1, Method::Post) };
    assert!(!format!("{call:?}").contains("abcdef"));
}

#[test]
fn an_endless_answer_comes_line_by_line_until_it_ends() {
    let authority = Authority::new();
    let (address, server) = serve(authority.server(BOTH, |_| ()), |mut stream: Stream| {
        let line = request(&mut stream);
        let head = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
        for piece in [head, "5\r\n{\"a\":\r\n", "4\r\n1}\n{\r\n", "b\r\n\"b\":2}\n\n{\"c\r\n", "0\r\n\r\n"] {
            stream.write_all(piece.as_bytes()).unwrap();
            stream.flush().unwrap();
        }
        line
    });
    let endpoint = endpoint(address, authority.trust());
    let headers = [("Authorization", "Bearer t")];
    let mut client = StreamClient::connect(&endpoint, "/stream", &headers, StreamLimits::default()).unwrap();
    assert!(!client.is_open());
    let mut lines = Vec::new();
    let end = loop {
        match client.poll(&mut |line: &mut [u8]| lines.push(String::from_utf8_lossy(line).into_owned())) {
            Ok(_) => thread::yield_now(),
            Err(error) => break error,
        }
    };
    // What has no line end was cut short and is not told.
    assert_eq!((lines, end), (vec!["{\"a\":1}".into(), "{\"b\":2}".into()], NetError::Closed { code: None }));
    assert_eq!(client.poll(&mut |_: &mut [u8]| ()), Err(NetError::Closed { code: None }));
    assert_eq!(server.join().unwrap().as_deref(), Some("GET /stream HTTP/1.1"));
}

#[test]
fn a_refused_stream_says_why() {
    let authority = Authority::new();
    let (address, server) = serve(authority.server(BOTH, |_| ()), |mut stream: Stream| {
        request(&mut stream);
        stream.write_all(b"HTTP/1.1 401 Unauthorized\r\nContent-Length: 2\r\n\r\nno").unwrap();
        stream.flush().unwrap();
    });
    let endpoint = endpoint(address, authority.trust());
    let mut client = StreamClient::connect(&endpoint, "/", &[], StreamLimits::default()).unwrap();
    let end = loop {
        match client.poll(&mut |_: &mut [u8]| panic!("no line")) {
            Ok(_) => thread::yield_now(),
            Err(error) => break error,
        }
    };
    assert_eq!(end, NetError::StreamRefused { status: 401, body: b"no".to_vec() });
    assert!(client.is_dead() && !client.is_open());
    server.join().unwrap();
}
