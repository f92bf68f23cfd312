//! The clients against real TLS servers on the loopback: tungstenite for WebSocket, raw bytes for HTTP.

mod common;

use std::io::{Read, Write};
use std::thread;
use std::time::Duration;

use common::{Authority, BOTH, endpoint, open, serve};
use smc_net::{HttpClient, NetError, TlsError, WsClient, WsLimits, WsViolation, get_blocking};
use tungstenite::Message;
use tungstenite::protocol::frame::coding::{Data, OpCode};
use tungstenite::protocol::frame::{CloseFrame, Frame};

/// Polls until the connection dies.
fn until_dead(client: &mut WsClient, messages: &mut Vec<Vec<u8>>) -> NetError {
    loop {
        match client.poll(&mut |m: &mut [u8]| messages.push(m.to_vec())) {
            Ok(_) => thread::yield_now(),
            Err(error) => return error,
        }
    }
}

/// Every version of TLS that we speak carries messages of every length class both ways, and the byte counts agree.
#[test]
fn messages_go_both_ways() {
    for version in [&rustls::version::TLS13, &rustls::version::TLS12] {
        let authority = Authority::new();
        let lengths = [0usize, 1, 125, 126, 16_384, 16_385, 65_535, 65_536, 500_000];
        let (address, server) = serve(authority.server(&[version], |_| ()), move |stream| {
            let mut ws = tungstenite::accept(stream).unwrap();
            for _ in lengths {
                let message = ws.read().unwrap();
                ws.send(message).unwrap();
            }
            ws.close(None).unwrap();
            while ws.read().is_ok() {}
        });
        let limits = WsLimits { send_buffer_bytes: 1 << 20, ..WsLimits::default() };
        let mut client = WsClient::connect(&endpoint(address, authority.trust()), "/ws", limits).unwrap();
        assert_eq!(client.send_text(b"too early"), Err(NetError::NotOpen));
        open(&mut client);
        for len in lengths {
            let sent: Vec<u8> = (0..len).map(|i| b'a' + (i % 26) as u8).collect();
            client.send_text(&sent).unwrap();
            let mut echoed = None;
            while echoed.is_none() {
                // The last echo may come together with the goodbye.
                let polled = client.poll(&mut |m: &mut [u8]| echoed = Some(m.to_vec()));
                assert!(polled.is_ok() || echoed.is_some(), "{polled:?}");
                thread::yield_now();
            }
            assert!(echoed.unwrap() == sent, "{len} bytes under {version:?}");
            assert_eq!(client.pending_send(), 0);
        }
        assert_eq!(until_dead(&mut client, &mut Vec::new()), NetError::Closed { code: None });
        assert!(!client.is_open() && client.is_dead());
        server.join().unwrap();
    }
}
