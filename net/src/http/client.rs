//! A keep-alive HTTP/1.1 connection that lives from poll to poll, one request at a time.
//!
//! Cold path: it allocates for requests and answers. It reads no clock; how long an answer may take is the caller's to
//! decide. It never connects again by itself, so that its byte counts stay those of one connection.

use std::thread;
use std::time::{Duration, Instant};

use crate::error::{HttpViolation, NetError};
use crate::http::request::{Method, encode_request};
use crate::http::response::{HttpResponse, ResponseReader};
use crate::link::{Endpoint, Link};
use crate::outbox::Lane;

/// Reads of the socket in one poll.
const READS_PER_POLL_MAX: u32 = 4;
/// Received bytes that may wait to be parsed; all of them are consumed at once.
const RECEIVE_BYTES: usize = 64 * 1024;
/// The longest request.
const SEND_BYTES: usize = 64 * 1024;
/// The longest body: a venue's whole exchange information is about 20 MB.
const BODY_BYTES_MAX: usize = 64 * 1024 * 1024;
/// How long [`get_blocking`] sleeps when there is nothing to do.
const BLOCKING_NAP: Duration = Duration::from_micros(200);

/// An HTTP/1.1 client over TLS.
pub struct HttpClient {
    link: Link,
    authority: String,
    reader: ResponseReader,
    /// Encoded and not yet given to the link, which may still be connecting.
    request: Vec<u8>,
    is_in_flight: bool,
    dead: Option<NetError>,
}

impl HttpClient {
    /// Starts to connect and returns at once; [`HttpClient::poll`] does the rest. Only resolving a name may wait.
    pub fn connect(endpoint: &Endpoint) -> Result<Self, NetError> {
        Ok(Self {
            link: Link::connect(endpoint, RECEIVE_BYTES, SEND_BYTES)?,
            authority: endpoint.authority(),
            reader: ResponseReader::new(BODY_BYTES_MAX),
            request: Vec::new(),
            is_in_flight: false,
            dead: None,
        })
    }

    /// Asks for a path; [`HttpClient::poll`] sends it once connected and brings the answer.
    pub fn get(&mut self, path_and_query: &str, headers: &[(&str, &str)]) -> Result<(), NetError> {
        self.request(Method::Get, path_and_query, headers, b"")
    }

    /// As [`HttpClient::get`], with any method and a body.
    pub fn request(
        &mut self,
        method: Method,
        path_and_query: &str,
        headers: &[(&str, &str)],
        body: &[u8],
    ) -> Result<(), NetError> {
        if let Some(error) = &self.dead {
            return Err(error.clone());
        }
        if self.is_in_flight {
            return Err(NetError::Busy);
        }
        if body.len() > SEND_BYTES / 2 {
            return Err(NetError::SendBufferFull { needed: body.len(), free: SEND_BYTES / 2 });
        }
        let request = encode_request(method, &self.authority, path_and_query, headers, body)?;
        self.request = request;
        self.is_in_flight = true;
        Ok(())
    }

    /// One bounded pass: connects, sends, reads. The answer once it is whole. An error means that the connection is
    /// dead; every later call returns the same one.
    pub fn poll(&mut self) -> Result<Option<HttpResponse>, NetError> {
        if let Some(error) = &self.dead {
            return Err(error.clone());
        }
        match self.turn() {
            Ok(None) => Ok(None),
            Ok(Some(response)) => {
                self.is_in_flight = false;
                if !response.is_keep_alive {
                    self.die(NetError::Closed { code: None });
                }
                Ok(Some(response))
            }
            Err(error) => {
                self.die(error.clone());
                // An answer without a length ends with the connection.
                let is_orderly = matches!(error, NetError::Closed { .. });
                match self.reader.take_at_end(is_orderly) {
                    Some(response) => {
                        self.is_in_flight = false;
                        Ok(Some(response))
                    }
                    None => Err(error),
                }
            }
        }
    }

    /// True when no request waits for its answer and the connection lives.
    pub fn is_idle(&self) -> bool {
        !self.is_in_flight && self.dead.is_none()
    }

    /// True once connected, while the connection lives.
    pub fn is_open(&self) -> bool {
        self.dead.is_none() && self.link.is_open()
    }

    /// True when a request given now leaves at once: connected, and no other waits for its answer.
    pub fn is_ready(&self) -> bool {
        self.is_idle() && self.is_open()
    }

    /// True while no byte of the request under way has been given to the connection.
    pub fn is_unsent(&self) -> bool {
        !self.request.is_empty()
    }

    /// Sends what can be sent without reading: the request leaves before the call returns if the connection stands. What
    /// goes wrong is told by the next poll.
    pub(crate) fn nudge(&mut self) {
        if self.dead.is_some() {
            return;
        }
        let sent = match self.link.advance() {
            Ok(true) => self.send(),
            Ok(false) => Ok(()),
            Err(error) => Err(error),
        };
        if let Err(error) = sent {
            self.die(error);
        }
    }

    /// True once only a new connection helps.
    pub fn is_dead(&self) -> bool {
        self.dead.is_some()
    }

    /// Raw bytes read from the socket so far, TLS and handshake included.
    pub fn bytes_received(&self) -> u64 {
        self.link.bytes_received()
    }

    /// Raw bytes that the socket took so far, TLS and handshake included.
    pub fn bytes_sent(&self) -> u64 {
        self.link.bytes_sent()
    }

    /// Bytes that wait for the connection or the socket.
    pub fn pending_send(&self) -> usize {
        self.link.pending_send() + self.request.len()
    }

    fn turn(&mut self) -> Result<Option<HttpResponse>, NetError> {
        if !self.link.advance()? {
            return Ok(None);
        }
        self.send()?;
        for _ in 0..READS_PER_POLL_MAX {
            let is_more = self.link.receive()?;
            while self.link.open_next()? {
                if !self.is_in_flight && !self.link.is_plain_empty() {
                    return Err(HttpViolation::Unasked.into());
                }
                let consumed = self.reader.push(self.link.plain())?;
                self.link.consume(consumed);
                if let Some(response) = self.reader.take() {
                    // One request, one answer: more bytes belong to nothing.
                    return if self.link.is_plain_empty() {
                        Ok(Some(response))
                    } else {
                        Err(HttpViolation::Unasked.into())
                    };
                }
            }
            if !is_more {
                break;
            }
        }
        Ok(None)
    }

    fn send(&mut self) -> Result<(), NetError> {
        if !self.request.is_empty() {
            let request = std::mem::take(&mut self.request);
            self.link.send(request.len(), Lane::Data, |offset, out| {
                out.iter_mut().zip(request.iter().skip(offset)).for_each(|(out, byte)| *out = *byte);
            })?;
        }
        self.link.flush()?;
        Ok(())
    }

    #[cold]
    fn die(&mut self, error: NetError) {
        self.link.shut_down(&error);
        self.dead = Some(error);
    }
}

/// One request on a connection of its own, waiting for the answer. For start-up and tools: it blocks, sleeps and reads
/// the clock.
pub fn get_blocking(endpoint: &Endpoint, path: &str, timeout: Duration) -> Result<HttpResponse, NetError> {
    let start = Instant::now();
    let mut client = HttpClient::connect(endpoint)?;
    client.get(path, &[("Connection", "close")])?;
    loop {
        let received = client.bytes_received();
        if let Some(response) = client.poll()? {
            return Ok(response);
        }
        if start.elapsed() > timeout {
            return Err(NetError::TimedOut);
        }
        if received == client.bytes_received() {
            thread::sleep(BLOCKING_NAP);
        }
    }
}
