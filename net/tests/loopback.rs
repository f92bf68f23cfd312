//! The WebSocket client against real TLS servers on the loopback: tungstenite, and raw bytes where it is too polite.
#![allow(clippy::unwrap_used)] // a test may crash

mod common;

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::thread;

use common::{Authority, BOTH, Stream, endpoint, open, serve};
use rustls::{ServerConnection, StreamOwned};
use smc_net::{NetError, TlsError, WsClient, WsLimits, WsViolation};
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

/// Echo, fragments, pings, and the goodbye with its code, as tungstenite sends them.
#[test]
fn fragments_pings_and_the_close_code_arrive() {
    let authority = Authority::new();
    let (address, server) = serve(authority.server(BOTH, |_| ()), |stream| {
        let mut ws = tungstenite::accept(stream).unwrap();
        let piece = |text: &str, kind, last| {
            Message::Frame(Frame::message(text.to_owned(), OpCode::Data(kind), last))
        };
        ws.write(piece("one ", Data::Text, false)).unwrap();
        ws.write(Message::Ping("are you there".into())).unwrap();
        ws.write(piece("message", Data::Continue, true)).unwrap();
        ws.write(Message::binary(vec![1, 2, 3])).unwrap();
        ws.flush().unwrap();
        assert_eq!(ws.read().unwrap(), Message::Pong("are you there".into()));
        ws.close(Some(CloseFrame { code: 1012.into(), reason: "restart".into() })).unwrap();
        // Our echo of the close, then the end.
        assert!(matches!(ws.read().unwrap(), Message::Close(Some(close)) if u16::from(close.code) == 1012));
        ws.read().unwrap_err()
    });
    let mut client = connect(address, &authority);
    let mut messages = Vec::new();
    assert_eq!(until_dead(&mut client, &mut messages), NetError::Closed { code: Some(1012) });
    assert_eq!(messages, [b"one message".to_vec(), vec![1, 2, 3]]);
    assert_eq!(client.send_text(b"late"), Err(NetError::Closed { code: Some(1012) }));
    assert!(matches!(server.join().unwrap(), tungstenite::Error::ConnectionClosed));
}

#[test]
fn our_goodbye_is_heard_and_answered() {
    let authority = Authority::new();
    let (address, server) = serve(authority.server(BOTH, |_| ()), |stream| {
        let mut ws = tungstenite::accept(stream).unwrap();
        let close = ws.read().unwrap();
        while ws.read().is_ok() {}
        close
    });
    let mut client = connect(address, &authority);
    open(&mut client);
    client.close();
    assert_eq!(client.send_text(b"late"), Err(NetError::NotOpen));
    assert_eq!(until_dead(&mut client, &mut Vec::new()), NetError::Closed { code: Some(1000) });
    assert!(matches!(server.join().unwrap(), Message::Close(Some(close)) if u16::from(close.code) == 1000));
}

/// The answer to the upgrade and the first frames in one record: nothing may be lost between the phases.
#[test]
fn frames_on_the_heels_of_the_upgrade_arrive() {
    let authority = Authority::new();
    let (address, server) = serve(authority.server(BOTH, |_| ()), |mut stream| {
        let mut answer = upgrade_answer(&read_head(&mut stream));
        answer.extend(b"\x81\x05first\x81\x06sec");
        stream.write_all(&answer).unwrap();
        stream.flush().unwrap();
        stream.write_all(b"ond\x88\x02\x03\xe8").unwrap();
        stream.flush().unwrap();
        let _ = stream.read(&mut [0; 100]);
    });
    let mut messages = Vec::new();
    let error = until_dead(&mut connect(address, &authority), &mut messages);
    assert_eq!(
        (messages, error),
        (vec![b"first".to_vec(), b"second".to_vec()], NetError::Closed { code: Some(1000) })
    );
    server.join().unwrap();
}

/// What the server does after the upgrade's answer, and how the connection must end.
fn ends_with(after: impl FnOnce(&mut Stream) + Send + 'static) -> NetError {
    let authority = Authority::new();
    let (address, server) = serve(authority.server(BOTH, |_| ()), move |mut stream| {
        let answer = upgrade_answer(&read_head(&mut stream));
        stream.write_all(&answer).unwrap();
        after(&mut stream);
        let mut rest = Vec::new();
        let _ = stream.read_to_end(&mut rest);
        rest
    });
    let limits = WsLimits { message_bytes_max: 1000, ..WsLimits::default() };
    let mut client = WsClient::connect(&endpoint(address, authority.trust()), "/", limits).unwrap();
    let error = until_dead(&mut client, &mut Vec::new());
    assert_eq!(client.poll(&mut |_: &mut [u8]| ()), Err(error.clone()), "the reason stays");
    let rest = server.join().unwrap();
    let is_ours = matches!(error, NetError::Ws(_) | NetError::TooLarge { .. });
    assert_eq!(rest.first() == Some(&0x88), is_ours, "a close frame tells the peer of its mistake");
    error
}

#[test]
fn a_peer_that_breaks_the_rules_is_left_with_the_reason() {
    let say = |bytes: &'static [u8]| ends_with(move |stream| stream.write_all(bytes).unwrap());
    assert_eq!(say(b"\xff\xff garbage"), NetError::Ws(WsViolation::ReservedBits));
    assert_eq!(say(b"\x82\x7e\x03\xe9"), NetError::TooLarge { got: 1001, max: 1000 });
    // Garbage below TLS.
    let error = ends_with(|stream| {
        stream.flush().unwrap();
        stream.sock.write_all(b"\x17\x03\x03\x00\x20 this was never sealed by anyone").unwrap();
    });
    assert_eq!(error, NetError::Tls(TlsError::BadRecord));
    let error = ends_with(|stream| {
        stream.flush().unwrap();
        stream.sock.write_all(b"HTTP/1.1 400 Bad Request").unwrap();
    });
    assert_eq!(error, NetError::Tls(TlsError::RecordTooLarge { got: 0x502f, max: 16_640 }));
    // An orderly TLS goodbye without a close frame, and none at all.
    let error = ends_with(|stream| stream.conn.send_close_notify());
    assert_eq!(error, NetError::Closed { code: None });
    let error = ends_with(|stream| stream.sock.shutdown(std::net::Shutdown::Write).unwrap());
    assert_eq!(error, NetError::Truncated);
}

#[test]
fn keys_are_renewed_in_the_middle_of_traffic() {
    let authority = Authority::new();
    let (address, server) = serve(authority.server(&[&rustls::version::TLS13], |_| ()), |stream| {
        let mut ws = tungstenite::accept(stream).unwrap();
        for i in 0..200 {
            let message = ws.read().unwrap();
            if i % 10 == 0 {
                ws.get_mut().conn.refresh_traffic_keys().unwrap();
            }
            ws.send(message).unwrap();
        }
    });
    let mut client = connect(address, &authority);
    open(&mut client);
    for i in 0..200u32 {
        client.send_binary(&i.to_be_bytes()).unwrap();
        let mut echoed = None;
        while echoed.is_none() {
            let polled = client.poll(&mut |m: &mut [u8]| echoed = Some(m.to_vec()));
            assert!(polled.is_ok() || i == 199, "{polled:?}");
            thread::yield_now();
        }
        assert_eq!(echoed.unwrap(), i.to_be_bytes());
    }
    server.join().unwrap();
}

/// A peer that does not read: what does not fit is refused with numbers, what was taken arrives whole and in order.
#[test]
fn a_full_send_buffer_refuses_and_loses_nothing() {
    let authority = Authority::new();
    let (go, wait) = std::sync::mpsc::channel::<()>();
    let (address, server) = serve(authority.server(BOTH, |_| ()), move |stream| {
        let mut ws = tungstenite::accept(stream).unwrap();
        wait.recv().unwrap();
        let mut read = Vec::new();
        while let Ok(Message::Text(text)) = ws.read() {
            read.push(text.to_string());
        }
        read
    });
    let mut client = connect(address, &authority);
    open(&mut client);
    let mut taken = Vec::new();
    let refusal = loop {
        let message = format!("{:>9000}", taken.len());
        match client.send_text(message.as_bytes()) {
            Ok(()) => taken.push(message),
            Err(error) => break error,
        }
    };
    assert!(matches!(refusal, NetError::SendBufferFull { needed, free } if needed > free), "{refusal:?}");
    assert!(!refusal.is_fatal() && client.is_open() && client.pending_send() > 0);
    go.send(()).unwrap();
    while client.pending_send() > 0 {
        client.poll(&mut |_: &mut [u8]| ()).unwrap();
        thread::yield_now();
    }
    client.close();
    until_dead(&mut client, &mut Vec::new());
    assert!(server.join().unwrap() == taken);
}

/// Every raw byte of a connection's life is counted on our side as it is on the server's.
#[test]
fn byte_counts_are_those_of_the_socket() {
    for version in [&rustls::version::TLS13, &rustls::version::TLS12] {
        let authority = Authority::new();
        let config = authority.server(&[version], |_| ());
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let server = thread::spawn(move || {
            let socket = Counted { socket: listener.accept().unwrap().0, read: 0, written: 0 };
            let stream = StreamOwned::new(ServerConnection::new(config).unwrap(), socket);
            let mut ws = tungstenite::accept(stream).unwrap();
            for len in [1usize, 100, 70_000] {
                ws.send(Message::text("x".repeat(len))).unwrap();
                ws.read().unwrap();
            }
            (ws.get_ref().sock.read, ws.get_ref().sock.written)
        });
        let mut client = connect(address, &authority);
        let mut received = 0;
        while received < 3 {
            let mut lens = Vec::new();
            let polled = client.poll(&mut |m: &mut [u8]| lens.push(m.len()));
            received += lens.len();
            assert!(polled.is_ok() || received == 3, "{polled:?}");
            for len in lens {
                client.send_text("y".repeat(len).as_bytes()).unwrap();
            }
        }
        while client.pending_send() > 0 {
            client.poll(&mut |_: &mut [u8]| ()).unwrap();
        }
        let (read, written) = server.join().unwrap();
        assert_eq!((client.bytes_sent(), client.bytes_received()), (read, written), "{version:?}");
    }
}

struct Counted {
    socket: TcpStream,
    read: u64,
    written: u64,
}

impl Read for Counted {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let count = self.socket.read(out)?;
        self.read += count as u64;
        Ok(count)
    }
}

impl Write for Counted {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let count = self.socket.write(bytes)?;
        self.written += count as u64;
        Ok(count)
    }
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn connect(address: SocketAddr, authority: &Authority) -> WsClient {
    WsClient::connect(&endpoint(address, authority.trust()), "/ws?x=1", WsLimits::default()).unwrap()
}

/// The head of a request.
fn read_head(stream: &mut impl Read) -> String {
    let (mut head, mut byte) = (Vec::new(), [0]);
    while !head.ends_with(b"\r\n\r\n") {
        stream.read_exact(&mut byte).unwrap();
        head.push(byte[0]);
    }
    String::from_utf8(head).unwrap()
}

fn upgrade_answer(request: &str) -> Vec<u8> {
    let key = request.lines().find_map(|l| l.strip_prefix("Sec-WebSocket-Key: ")).unwrap();
    let accept = tungstenite::handshake::derive_accept_key(key.as_bytes());
    format!(
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: WebSocket\r\nConnection: keep-alive, Upgrade\r\n\
         Sec-WebSocket-Accept: {accept}\r\n\r\n"
    )
    .into_bytes()
}
