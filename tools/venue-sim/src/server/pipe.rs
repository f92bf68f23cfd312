//! One connection over a non-blocking socket, with TLS or without, as a plain `Read + Write`, its raw bytes counted.

use super::taken::Taken;
use crate::dialect::ConnId;
use rustls::{ServerConfig, ServerConnection};
use std::io::{self, ErrorKind, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::Arc;

/// Plaintext that may wait for a client that does not read; beyond it the client is cut off.
const BACKLOG_MAX: usize = 8 << 20;

/// The connection. Reads and writes never block: what the socket does not take now waits inside.
pub struct Pipe {
    tcp: TcpStream,
    layer: Layer,
    /// Plaintext written since nothing last waited.
    backlog: usize,
    /// What is written stays inside until [`Pipe::tear`].
    pub is_held: bool,
    /// Raw bytes read from the socket and not looked at yet.
    early: Vec<u8>,
    /// Raw bytes read from the socket.
    pub received: u64,
    /// Raw bytes written to the socket.
    pub sent: u64,
}

/// What stands between the bytes and the socket.
enum Layer {
    Tls(Box<ServerConnection>),
    /// Bytes that wait for the socket.
    Plain(Vec<u8>),
}

impl Layer {
    fn has_unsent(&self) -> bool {
        match self {
            Self::Tls(tls) => tls.wants_write(),
            Self::Plain(unsent) => !unsent.is_empty(),
        }
    }

    /// Hands over what it takes of what waits.
    fn write_to(&mut self, to: &mut impl Write) -> io::Result<usize> {
        match self {
            Self::Tls(tls) => tls.write_tls(to),
            Self::Plain(unsent) => {
                let count = to.write(unsent)?;
                unsent.drain(..count);
                Ok(count)
            }
        }
    }
}

impl Pipe {
    /// Takes over an accepted socket; without a configuration it is spoken plainly.
    pub fn new(tcp: TcpStream, config: Option<Arc<ServerConfig>>) -> io::Result<Self> {
        tcp.set_nonblocking(true)?;
        tcp.set_nodelay(true)?;
        let layer = match config {
            None => Layer::Plain(Vec::new()),
            Some(config) => {
                let mut tls = ServerConnection::new(config).map_err(io::Error::other)?;
                tls.set_buffer_limit(None);
                Layer::Tls(Box::new(tls))
            }
        };
        Ok(Self { tcp, layer, backlog: 0, is_held: false, early: Vec::new(), received: 0, sent: 0 })
    }

    /// Gives the socket and its keys away.
    pub fn into_taken(self, id: ConnId) -> Taken {
        let tls = match self.layer {
            Layer::Tls(tls) => Some(tls),
            Layer::Plain(_) => None,
        };
        Taken::new(id, self.tcp, tls)
    }

    /// The socket, to ask the system about it.
    pub fn socket(&self) -> BorrowedFd<'_> {
        self.tcp.as_fd()
    }

    /// Whether bytes wait for the socket.
    pub fn has_unsent(&self) -> bool {
        self.layer.has_unsent()
    }

    /// Sends the first bytes of what waits, `share_ppm` of them, and ends its side of the connection.
    pub fn tear(&mut self, share_ppm: u32) -> io::Result<()> {
        let mut bytes = Vec::new();
        while self.layer.has_unsent() {
            self.layer.write_to(&mut bytes)?;
        }
        let kept = bytes.len() as u64 * u64::from(share_ppm) / 1_000_000;
        bytes.truncate(usize::try_from(kept).unwrap_or(usize::MAX));
        // A socket that takes less now tears a little earlier.
        if let Ok(n) = self.tcp.write(&bytes) {
            self.sent += n as u64;
        }
        self.tcp.shutdown(Shutdown::Write)
    }

    /// Reads and counts what the client says, and looks at it only when it is asked to read. True at its end: what it
    /// said before is then of no interest.
    pub fn hoard(&mut self) -> bool {
        let mut chunk = [0; 4096];
        loop {
            match self.tcp.read(&mut chunk) {
                Ok(0) => return true,
                Ok(n) => {
                    self.received += n as u64;
                    self.early.extend_from_slice(chunk.get(..n).unwrap_or_default());
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => return false,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(_) => return true,
            }
        }
    }

    /// Says no more, and reads and counts what the client still says, without a look at it. True at its end.
    pub fn linger(&mut self) -> bool {
        // Fails where it has been done before.
        let _ = self.tcp.shutdown(Shutdown::Write);
        let mut scrap = [0; 4096];
        loop {
            match self.tcp.read(&mut scrap) {
                Ok(0) => return true,
                Ok(n) => self.received += n as u64,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return false,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(_) => return true,
            }
        }
    }

    /// Reads what the socket holds; true when the peer closed it.
    fn fill(&mut self) -> io::Result<bool> {
        let Layer::Tls(tls) = &mut self.layer else { return Ok(true) };
        let n = if self.early.is_empty() {
            let n = tls.read_tls(&mut self.tcp)?;
            self.received += n as u64;
            n
        } else {
            let n = tls.read_tls(&mut self.early.as_slice())?;
            self.early.drain(..n);
            n
        };
        if let Err(error) = tls.process_new_packets() {
            // Best effort: the alert tells the client what was wrong.
            let _ = self.flush();
            return Err(io::Error::new(ErrorKind::InvalidData, error));
        }
        self.flush()?;
        Ok(n == 0)
    }

    fn read_plain(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        if self.early.is_empty() {
            let n = self.tcp.read(buf)?;
            self.received += n as u64;
            return Ok(n);
        }
        let n = self.early.as_slice().read(buf)?;
        self.early.drain(..n);
        Ok(n)
    }
}

impl Read for Pipe {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        loop {
            let Layer::Tls(tls) = &mut self.layer else { return self.read_plain(buf) };
            match tls.reader().read(buf) {
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                other => return other,
            }
            if self.fill()? {
                return Ok(0);
            }
        }
    }
}

impl Write for Pipe {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        if self.backlog.saturating_add(buf.len()) > BACKLOG_MAX {
            return Err(io::Error::new(ErrorKind::TimedOut, "the client does not read"));
        }
        self.backlog += buf.len();
        match &mut self.layer {
            Layer::Tls(tls) => tls.writer().write(buf),
            Layer::Plain(unsent) => unsent.write(buf),
        }
    }

    /// Hands the socket what it takes now; what it does not take waits, and that is no error.
    fn flush(&mut self) -> io::Result<()> {
        while self.layer.has_unsent() && !self.is_held {
            match self.layer.write_to(&mut self.tcp) {
                Ok(n) => self.sent += n as u64,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                Err(error) => return Err(error),
            }
        }
        self.backlog = 0;
        Ok(())
    }
}
