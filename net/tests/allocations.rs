//! After the handshake, receiving and sending allocate nothing on the client's thread.
#![allow(clippy::unwrap_used)] // a test may crash

mod common;

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::io::{Read, Write};

use common::{Authority, endpoint, open, serve};
use smc_net::{StreamClient, StreamLimits, WsClient, WsLimits};
use tungstenite::Message;

const MESSAGES: u32 = 1_000;

struct Counting;

thread_local! {
    static ALLOCATIONS: Cell<u64> = const { Cell::new(0) };
}

fn count() {
    // A thread that is ending has no counter any more, and nobody asks for it.
    let _ = ALLOCATIONS.try_with(|c| c.set(c.get() + 1));
}

// SAFETY: every call goes on to the system allocator unchanged; counting touches a thread-local without allocating.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count();
        // SAFETY: the caller's promise, passed on.
        unsafe { System.alloc(layout) }
    }
    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        count();
        // SAFETY: the caller's promise, passed on.
        unsafe { System.alloc_zeroed(layout) }
    }
    unsafe fn realloc(&self, ptr: *mut u8, layout: Layout, new_size: usize) -> *mut u8 {
        count();
        // SAFETY: the caller's promise, passed on.
        unsafe { System.realloc(ptr, layout, new_size) }
    }
    unsafe fn dealloc(&self, ptr: *mut u8, layout: Layout) {
        // SAFETY: the caller's promise, passed on.
        unsafe { System.dealloc(ptr, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

#[test]
fn a_thousand_messages_both_ways_allocate_nothing() {
    for version in [&rustls::version::TLS13, &rustls::version::TLS12] {
        let authority = Authority::new();
        let (address, server) = serve(authority.server(&[version], |_| ()), |stream| {
            let mut ws = tungstenite::accept(stream).unwrap();
            let (mut texts, mut pongs) = (0, 0);
            while texts <= MESSAGES {
                let message = ws.read().unwrap();
                if message.is_pong() {
                    assert_eq!(message, Message::Pong(vec![7; 20].into()));
                    pongs += 1;
                    continue;
                }
                texts += 1;
                if texts % 100 == 7 {
                    ws.send(Message::Ping(vec![7; 20].into())).unwrap();
                }
                ws.send(message).unwrap();
            }
            assert_eq!(pongs, 10);
        });
        let mut client =
            WsClient::connect(&endpoint(address, authority.trust()), "/", WsLimits::default()).unwrap();
        open(&mut client);
        // The first exchange brings the session tickets, which rustls stores.
        exchange(&mut client, b"first");
        let payload = [b'x'; 700];
        let before = ALLOCATIONS.get();
        assert!(before > 0, "the counter works");
        for i in 0..MESSAGES as usize {
            exchange(&mut client, &payload[..i % 700]);
        }
        assert_eq!(ALLOCATIONS.get() - before, 0, "{version:?}");
        server.join().unwrap();
    }
}

/// Lines of an endless answer, over the borders of chunks and records, in memory that was there before.
#[test]
fn ten_thousand_lines_of_a_stream_allocate_nothing() {
    let authority = Authority::new();
    let (address, server) = serve(authority.server(&[&rustls::version::TLS13], |_| ()), |mut stream| {
        let mut head = [0; 4_096];
        assert!(stream.read(&mut head).unwrap() > 0);
        let body = "{\"type\":\"HEARTBEAT\"}\n".repeat(10_000);
        stream.write_all(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n").unwrap();
        for piece in body.as_bytes().chunks(1_537) {
            stream.write_all(format!("{:x}\r\n", piece.len()).as_bytes()).unwrap();
            stream.write_all(piece).unwrap();
            stream.write_all(b"\r\n").unwrap();
        }
        stream.flush().unwrap();
        let _ = stream.read(&mut head);
    });
    let endpoint = endpoint(address, authority.trust());
    let limits = StreamLimits { line_bytes_max: 4_096, receive_bytes: 16 * 1_024 };
    let mut client = StreamClient::connect(&endpoint, "/", &[], limits).unwrap();
    let (mut lines, mut before) = (0, 0);
    while lines < 10_000 {
        let polled = client.poll(&mut |line: &mut [u8]| {
            assert_eq!(line, b"{\"type\":\"HEARTBEAT\"}");
            lines += 1;
            if lines == 200 {
                before = ALLOCATIONS.get(); // by now every chunk's size line has had its memory
            }
        });
        polled.unwrap();
        std::thread::yield_now();
    }
    assert!(before > 0, "the counter works");
    assert_eq!(ALLOCATIONS.get() - before, 0);
    drop(client);
    server.join().unwrap();
}

fn exchange(client: &mut WsClient, payload: &[u8]) {
    client.send_text(payload).unwrap();
    let mut echoed = 0;
    while echoed == 0 {
        let polled = client.poll(&mut |m: &mut [u8]| {
            assert!(m == payload);
            echoed += 1;
        });
        assert!(polled.is_ok() || echoed == 1, "{polled:?}");
        std::thread::yield_now();
    }
}
