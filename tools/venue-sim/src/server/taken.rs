//! A WebSocket connection outside the simulator's hands: its socket and its keys, for a load generator that decides itself
//! when which byte leaves.

use crate::dialect::ConnId;
use rustls::ServerConnection;
use std::io::{self, Read, Write};
use std::net::TcpStream;

/// First byte of a whole text frame.
const TEXT: u8 = 0x81;
/// Of a frame from a client: the mask bit of the second byte.
const MASKED: u8 = 0x80;

/// The connection; everything before was read and sent.
pub struct Taken {
    /// The socket, not blocking.
    pub tcp: TcpStream,
    pub(super) id: ConnId,
    tls: Option<Box<ServerConnection>>,
    /// Opened and not yet whole frames.
    plain: Vec<u8>,
}

impl Taken {
    pub(super) fn new(id: ConnId, tcp: TcpStream, tls: Option<Box<ServerConnection>>) -> Self {
        Self { tcp, id, tls, plain: Vec::with_capacity(1 << 16) }
    }

    /// Appends one text message to `wire` as it must be sent: framed, and sealed where there is TLS. Sealed messages must
    /// be sent in the order of their sealing.
    pub fn seal(&mut self, text: &[u8], wire: &mut Vec<u8>) -> io::Result<()> {
        let mut frame = Vec::with_capacity(text.len() + 10);
        frame.push(TEXT);
        match (u8::try_from(text.len()), u16::try_from(text.len())) {
            (Ok(len @ 0..126), _) => frame.push(len),
            (_, Ok(len)) => {
                frame.push(126);
                frame.extend_from_slice(&len.to_be_bytes());
            }
            _ => {
                frame.push(127);
                frame.extend_from_slice(&(text.len() as u64).to_be_bytes());
            }
        }
        frame.extend_from_slice(text);
        let Some(tls) = &mut self.tls else { return wire.write_all(&frame) };
        tls.writer().write_all(&frame)?;
        while tls.wants_write() {
            tls.write_tls(wire)?;
        }
        Ok(())
    }

    /// Opens what was read from the socket and hands on every whole text message in it.
    pub fn open(&mut self, mut read: &[u8], mut on_text: impl FnMut(&mut [u8])) -> io::Result<()> {
        match &mut self.tls {
            None => self.plain.extend_from_slice(read),
            Some(tls) => {
                while !read.is_empty() {
                    tls.read_tls(&mut read)?;
                    tls.process_new_packets().map_err(io::Error::other)?;
                    match tls.reader().read_to_end(&mut self.plain) {
                        Err(error) if error.kind() != io::ErrorKind::WouldBlock => return Err(error),
                        _ => {}
                    }
                }
            }
        }
        let mut at = 0;
        while let Some((opcode, payload, end)) = frame_at(&mut self.plain, at) {
            if opcode == TEXT {
                on_text(payload);
            }
            at = end;
        }
        self.plain.drain(..at);
        Ok(())
    }
}

/// The client's frame at `at`: its first byte, its payload without the mask, and where it ends. None while it is not
/// whole.
fn frame_at(bytes: &mut [u8], at: usize) -> Option<(u8, &mut [u8], usize)> {
    let [first, second] = *bytes.get(at..)?.first_chunk::<2>()?;
    let (len, mut head) = match second & !MASKED {
        126 => (usize::from(u16::from_be_bytes(*bytes.get(at + 2..)?.first_chunk()?)), at + 4),
        127 => (usize::try_from(u64::from_be_bytes(*bytes.get(at + 2..)?.first_chunk()?)).ok()?, at + 10),
        len => (usize::from(len), at + 2),
    };
    let mut mask = [0; 4];
    if second & MASKED != 0 {
        mask = *bytes.get(head..)?.first_chunk()?;
        head += 4;
    }
    let end = head.checked_add(len)?;
    let payload = bytes.get_mut(head..end)?;
    payload.iter_mut().zip(mask.iter().cycle()).for_each(|(byte, mask)| *byte ^= mask);
    Some((first, payload, end))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_come_out_as_they_went_in_however_they_are_cut() {
        let listener = std::net::TcpListener::bind(("127.0.0.1", 0)).expect("loopback");
        let tcp = TcpStream::connect(listener.local_addr().expect("an address")).expect("a connection");
        let texts = ["{}".to_owned(), "x".repeat(125), "y".repeat(126), "z".repeat(70_000)];
        let mask = [0x12, 0x34, 0x56, 0x78];
        let mut wire = Vec::new();
        for text in &texts {
            let mut frame = Vec::new();
            let mut server = Taken::new(1, tcp.try_clone().expect("a second handle"), None);
            server.seal(text.as_bytes(), &mut frame).expect("no socket is written");
            // The same as a client sends it.
            let head = frame.len() - text.len();
            frame[1] |= MASKED;
            wire.extend_from_slice(&frame[..head]);
            wire.extend_from_slice(&mask);
            wire.extend(text.bytes().zip(mask.iter().cycle()).map(|(byte, mask)| byte ^ mask));
        }
        for piece in [1, 7, 1_000, wire.len()] {
            let mut taken = Taken::new(1, tcp.try_clone().expect("a second handle"), None);
            let mut heard = Vec::new();
            for part in wire.chunks(piece) {
                let on_text = |text: &mut [u8]| heard.push(String::from_utf8_lossy(text).into_owned());
                taken.open(part, on_text).expect("plain bytes");
            }
            assert_eq!(heard, texts, "in pieces of {piece}");
        }
    }
}
