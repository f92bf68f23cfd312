//! Bytes of a server: WebSocket frames in any chunking, and HTTP answers. The first byte chooses.

#![no_main]

use libfuzzer_sys::fuzz_target;
use smc_net::http::response::ResponseReader;
use smc_net::ws::{Frame, FrameReader};

const MESSAGE_BYTES_MAX: usize = 4096;

fuzz_target!(|data: &[u8]| {
    let Some((&choice, bytes)) = data.split_first() else { return };
    if choice & 1 == 0 {
        let whole = messages(bytes, bytes.len().max(1));
        let pieces = messages(bytes, usize::from(choice >> 1) + 1);
        assert_eq!(whole, pieces, "the chunking changed the messages");
    } else {
        answers(bytes, usize::from(choice >> 1) + 1);
    }
});

/// The messages of a byte stream that arrives `chunk` bytes at a time, up to the first violation.
fn messages(bytes: &[u8], chunk: usize) -> (Vec<Vec<u8>>, bool) {
    let mut reader = FrameReader::new(MESSAGE_BYTES_MAX);
    let (mut buffer, mut found) = (Vec::new(), Vec::new());
    for piece in bytes.chunks(chunk) {
        buffer.extend_from_slice(piece);
        loop {
            let used = match reader.next(&mut buffer) {
                Err(_) => return (found, false),
                Ok((_, Frame::Incomplete)) => break,
                Ok((used, Frame::Message { payload, .. })) => {
                    assert!(payload.len() <= MESSAGE_BYTES_MAX);
                    found.push(payload.to_vec());
                    used
                }
                Ok((used, _)) => used,
            };
            assert!(used > 0 && used <= buffer.len());
            buffer.drain(..used);
        }
    }
    (found, true)
}

fn answers(bytes: &[u8], chunk: usize) {
    let mut reader = ResponseReader::new(MESSAGE_BYTES_MAX);
    for piece in bytes.chunks(chunk) {
        let mut rest = piece;
        while !rest.is_empty() {
            let Ok(used) = reader.push(rest) else { return };
            assert!(used <= rest.len());
            rest = &rest[used..];
            match reader.take() {
                Some(answer) => assert!(answer.body.len() <= MESSAGE_BYTES_MAX),
                None if used == 0 => return,
                None => {}
            }
        }
    }
}
