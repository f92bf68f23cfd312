//! The WebSocket and HTTP codecs against tungstenite and against themselves: any bytes, cut anywhere.

use std::io::Cursor;

use proptest::prelude::*;
use smc_net::http::response::ResponseReader;
use smc_net::ws::{Frame, FrameReader, FrameWriter, Opcode};
use smc_net::{HttpResponse, HttpViolation, NetError, WsViolation};
use tungstenite::protocol::frame::coding::{CloseCode, Data, OpCode};
use tungstenite::protocol::frame::{CloseFrame, Frame as TheirFrame};
use tungstenite::protocol::{Role, WebSocket, WebSocketConfig};
use tungstenite::Message;

/// What a reader makes of a stream of bytes.
#[derive(Debug, Clone, PartialEq)]
enum Seen {
    Message(bool, Vec<u8>),
    Ping(Vec<u8>),
    Pong,
    Close(Option<u16>),
}

/// Feeds `bytes` in pieces to our reader, as a connection would.
fn read_frames(bytes: &[u8], cuts: &[usize], max: usize) -> (Vec<Seen>, Option<NetError>) {
    let (mut reader, mut held, mut seen) = (FrameReader::new(max), Vec::new(), Vec::new());
    let (mut at, mut cuts) = (0, cuts.iter().cycle());
    while at < bytes.len() {
        let end = (at + cuts.next().unwrap()).min(bytes.len());
        held.extend_from_slice(&bytes[at..end]);
        at = end;
        loop {
            let consumed = match reader.next(&mut held) {
                Err(error) => return (seen, Some(error)),
                Ok((_, Frame::Incomplete)) => break,
                Ok((consumed, frame)) => {
                    match frame {
                        Frame::Message { is_binary, payload } => {
                            seen.push(Seen::Message(is_binary, payload.to_vec()));
                        }
                        Frame::Ping(payload) => seen.push(Seen::Ping(payload.to_vec())),
                        Frame::Pong => seen.push(Seen::Pong),
                        Frame::Close(code) => seen.push(Seen::Close(code)),
                        Frame::Fragment | Frame::Incomplete => {}
                    }
                    consumed
                }
            };
            assert!((2..=held.len()).contains(&consumed));
            held.drain(..consumed);
        }
    }
    (seen, None)
}

/// One thing that a server may send, and what we must see of it.
#[derive(Debug, Clone)]
enum Sent {
    Whole(bool, Vec<u8>),
    /// Pieces of one message, a ping between them.
    Fragments(bool, Vec<Vec<u8>>),
    Ping(Vec<u8>),
    Pong(Vec<u8>),
    Close(Option<u16>),
}

fn payload() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        8 => proptest::collection::vec(any::<u8>(), 0..300),
        1 => (65_530usize..65_545).prop_map(|len| (0..len).map(|i| i as u8).collect()),
    ]
}

fn sent() -> impl Strategy<Value = Sent> {
    let control = || proptest::collection::vec(any::<u8>(), 0..126);
    prop_oneof![
        (any::<bool>(), payload()).prop_map(|(binary, p)| Sent::Whole(binary, p)),
        (any::<bool>(), proptest::collection::vec(payload(), 2..5)).prop_map(|(b, p)| Sent::Fragments(b, p)),
        control().prop_map(Sent::Ping),
        control().prop_map(Sent::Pong),
        proptest::option::of(1000u16..1004).prop_map(Sent::Close),
    ]
}

/// Encodes by tungstenite.
fn encode(sent: &[Sent]) -> (Vec<u8>, Vec<Seen>) {
    let (mut bytes, mut seen) = (Vec::new(), Vec::new());
    let mut push = |frame: TheirFrame| frame.format(&mut bytes).unwrap();
    for item in sent {
        match item {
            Sent::Whole(binary, p) => {
                let data = if *binary { Data::Binary } else { Data::Text };
                push(TheirFrame::message(p.clone(), OpCode::Data(data), true));
                seen.push(Seen::Message(*binary, p.clone()));
            }
            Sent::Fragments(binary, pieces) => {
                for (i, p) in pieces.iter().enumerate() {
                    let data = match (i, *binary) {
                        (0, true) => Data::Binary,
                        (0, false) => Data::Text,
                        _ => Data::Continue,
                    };
                    push(TheirFrame::message(p.clone(), OpCode::Data(data), i + 1 == pieces.len()));
                    if i == 0 {
                        push(TheirFrame::ping("between"));
                        seen.push(Seen::Ping(b"between".to_vec()));
                    }
                }
                seen.push(Seen::Message(*binary, pieces.concat()));
            }
            Sent::Ping(p) => {
                push(TheirFrame::ping(p.clone()));
                seen.push(Seen::Ping(p.clone()));
            }
            Sent::Pong(p) => {
                push(TheirFrame::pong(p.clone()));
                seen.push(Seen::Pong);
            }
            Sent::Close(code) => {
                let close = code.map(|code| CloseFrame { code: CloseCode::from(code), reason: "why".into() });
                push(TheirFrame::close(close));
                seen.push(Seen::Close(*code));
            }
        }
    }
    (bytes, seen)
}

proptest! {
    #[test]
    fn their_frames_cut_anywhere_read_as_they_were_sent(
        sent in proptest::collection::vec(sent(), 1..8),
        cuts in proptest::collection::vec(1usize..4000, 1..30),
    ) {
        let (bytes, seen) = encode(&sent);
        prop_assert_eq!(read_frames(&bytes, &cuts, 1 << 20), (seen, None));
    }

    #[test]
    fn our_frames_read_in_tungstenite_as_we_sent_them(
        messages in proptest::collection::vec(("[ -~]{0,400}", any::<[u8; 4]>(), any::<bool>()), 1..10),
    ) {
        let mut bytes = Vec::new();
        for (text, mask, is_text) in &messages {
            let opcode = if *is_text { Opcode::Text } else { Opcode::Binary };
            let frame = FrameWriter::new(opcode, text.as_bytes(), *mask);
            let at = bytes.len();
            bytes.resize(at + frame.len(), 0);
            frame.fill(0, &mut bytes[at..]);
        }
        let mut theirs = WebSocket::from_raw_socket(Cursor::new(bytes), Role::Server, None);
        for (text, _, is_text) in messages {
            let expected = if is_text { Message::text(text) } else { Message::binary(text.into_bytes()) };
            prop_assert_eq!(theirs.read().unwrap(), expected);
        }
    }

    #[test]
    fn arbitrary_bytes_never_panic_and_cuts_change_nothing(
        bytes in proptest::collection::vec(prop_oneof![any::<u8>(), Just(0x81u8), Just(1u8), Just(0x80u8), Just(0x89u8)], 0..300),
        cuts in proptest::collection::vec(1usize..40, 1..10),
    ) {
        let whole = read_frames(&bytes, &[bytes.len().max(1)], 200);
        prop_assert_eq!(&read_frames(&bytes, &cuts, 200), &whole);
        // What tungstenite takes we take and the other way round, but for what is stricter on our side.
        let config = WebSocketConfig::default().max_message_size(Some(200)).max_frame_size(Some(200));
        let mut theirs = WebSocket::from_raw_socket(Cursor::new(bytes), Role::Client, Some(config));
        let mut count = 0;
        while let Ok(message) = theirs.read() {
            if let Message::Text(_) | Message::Binary(_) = &message {
                let ours = whole.0.iter().filter(|s| matches!(s, Seen::Message(..))).nth(count);
                let is_strict = matches!(whole.1, Some(NetError::Ws(WsViolation::Length)));
                let same = ours.is_some_and(|o| matches!(o, Seen::Message(_, p) if *p == message.clone().into_data()));
                prop_assert!(same || is_strict, "{ours:?} {message:?}");
                count += 1;
            }
            if message.is_close() { break }
        }
    }
}

#[test]
fn every_violation_has_its_name() {
    let refused = |bytes: &[u8]| read_frames(bytes, &[1], 100).1;
    let named = |violation| Some(NetError::Ws(violation));
    assert_eq!(refused(&[0xc1, 0]), named(WsViolation::ReservedBits));
    assert_eq!(refused(&[0x83, 0]), named(WsViolation::Opcode(3)));
    assert_eq!(refused(&[0x8f, 0]), named(WsViolation::Opcode(15)));
    assert_eq!(refused(&[0x81, 0x80, 0, 0, 0, 0]), named(WsViolation::Masked));
    assert_eq!(refused(&[0x09, 0]), named(WsViolation::ControlFragmented));
    assert_eq!(refused(&[0x89, 126, 0, 126]), named(WsViolation::ControlTooLong));
    assert_eq!(refused(&[0x81, 126, 0, 125]), named(WsViolation::Length));
    assert_eq!(refused(&[0x81, 127, 0, 0, 0, 0, 0, 0, 255, 255]), named(WsViolation::Length));
    assert_eq!(refused(&[0x81, 127, 128, 0, 0, 0, 0, 0, 0, 0]), named(WsViolation::Length));
    assert_eq!(refused(&[0x80, 0]), named(WsViolation::Continuation));
    assert_eq!(refused(&[0x01, 0, 0x81, 0]), named(WsViolation::Interleaved));
    assert_eq!(refused(&[0x88, 1, 0]), named(WsViolation::ClosePayload));
    assert_eq!(refused(&[0x81, 101]), Some(NetError::TooLarge { got: 101, max: 100 }));
    let long = [&[0x01, 60][..], &[b'a'; 60], &[0x00, 41]].concat();
    assert_eq!(refused(&long), Some(NetError::TooLarge { got: 101, max: 100 }));
}

/// Feeds `bytes` in pieces to our reader and takes every answer.
fn read_responses(bytes: &[u8], cuts: &[usize]) -> (Vec<HttpResponse>, Option<NetError>) {
    let (mut reader, mut seen) = (ResponseReader::new(1000), Vec::new());
    let (mut at, mut cuts) = (0, cuts.iter().cycle());
    while at < bytes.len() {
        let end = (at + cuts.next().unwrap()).min(bytes.len());
        let mut piece = &bytes[at..end];
        while !piece.is_empty() {
            match reader.push(piece) {
                Ok(used) => piece = &piece[used..],
                Err(error) => return (seen, Some(error)),
            }
            seen.extend(reader.take());
        }
        at = end;
    }
    seen.extend(reader.take_at_end(true));
    (seen, None)
}

proptest! {
    #[test]
    fn answers_cut_anywhere_read_the_same(
        bodies in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..200), 1..5),
        chunk in 1usize..50,
        cuts in proptest::collection::vec(1usize..60, 1..10),
    ) {
        let mut bytes = Vec::new();
        for (i, body) in bodies.iter().enumerate() {
            if i % 2 == 0 {
                bytes.extend(format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", body.len()).bytes());
                bytes.extend(body);
            } else {
                bytes.extend(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
                for part in body.chunks(chunk) {
                    bytes.extend(format!("{:X};x=y\r\n", part.len()).bytes());
                    bytes.extend(part);
                    bytes.extend(b"\r\n");
                }
                bytes.extend(b"0\r\nTrailer: t\r\n\r\n");
            }
        }
        let (seen, error) = read_responses(&bytes, &cuts);
        prop_assert_eq!(error, None);
        let read: Vec<Vec<u8>> = seen.iter().map(|r| r.body.to_vec()).collect();
        prop_assert_eq!(read, bodies);
    }

    #[test]
    fn arbitrary_answers_never_panic_and_cuts_change_nothing(
        parts in proptest::collection::vec(prop_oneof![
            Just(b"HTTP/1.1 200 OK\r\n".to_vec()), Just(b"HTTP/1.1 100 Go on\r\n\r\n".to_vec()),
            Just(b"Content-Length: 3\r\n".to_vec()), Just(b"Transfer-Encoding: chunked\r\n".to_vec()),
            Just(b"\r\n".to_vec()), Just(b"3\r\nabc\r\n".to_vec()), Just(b"0\r\n".to_vec()),
            Just(b"Connection: close\r\n".to_vec()), Just(b"ffffffffffffffff\r\n".to_vec()),
            proptest::collection::vec(any::<u8>(), 0..8),
        ], 0..12),
        cuts in proptest::collection::vec(1usize..30, 1..10),
    ) {
        let bytes = parts.concat();
        let whole = read_responses(&bytes, &[bytes.len().max(1)]);
        prop_assert_eq!(read_responses(&bytes, &cuts), whole);
    }
}

#[test]
fn http_framing_is_strict() {
    let read = |head: &str, rest: &str| {
        read_responses(format!("HTTP/1.1 200 OK\r\n{head}\r\n{rest}").as_bytes(), &[7])
    };
    let refused = |head: &str, rest: &str| read(head, rest).1;
    let named = |violation| Some(NetError::Http(violation));
    assert_eq!(
        refused("Content-Length: 1\r\nContent-Length: 2\r\n", ""),
        named(HttpViolation::ContentLength)
    );
    assert_eq!(refused("Content-Length: +1\r\n", ""), named(HttpViolation::ContentLength));
    assert_eq!(refused("Content-Length: 99999999999999999999\r\n", ""), named(HttpViolation::ContentLength));
    let both = "Content-Length: 1\r\nTransfer-Encoding: chunked\r\n";
    assert_eq!(refused(both, ""), named(HttpViolation::TransferEncoding));
    assert_eq!(refused("Transfer-Encoding: gzip\r\n", ""), named(HttpViolation::TransferEncoding));
    assert_eq!(refused("Transfer-Encoding: chunked\r\n", "xyz\r\n"), named(HttpViolation::ChunkSize));
    assert_eq!(refused("Transfer-Encoding: chunked\r\n", "1\r\nab\r\n"), named(HttpViolation::ChunkEnd));
    assert_eq!(refused("Content-Length: 1001\r\n", ""), Some(NetError::TooLarge { got: 1001, max: 1000 }));
    let chunk = "Transfer-Encoding: chunked\r\n";
    assert_eq!(refused(chunk, "3e9\r\n"), Some(NetError::TooLarge { got: 1001, max: 1000 }));
    let long = format!("X: {}\r\n", "x".repeat(40_000));
    assert_eq!(refused(&long, ""), Some(NetError::TooLarge { got: 32_768, max: 32_768 }));
    assert_eq!(refused(&"X: y\r\n".repeat(200), ""), named(HttpViolation::TooManyHeaders));
    let (answers, error) = read("", "until the end");
    assert_eq!((answers[0].body.as_ref(), error), (&b"until the end"[..], None));
    assert!(!answers[0].is_keep_alive);
    let (answers, _) = read("Content-Length: 2\r\nX-Mbx-Used-Weight: 7\r\nConnection: close\r\n", "ok");
    assert_eq!(answers[0].header("x-mbx-used-weight"), Some("7"));
    assert!(!answers[0].is_keep_alive);
}
