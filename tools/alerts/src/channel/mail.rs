//! Mail (SMTP, RFC 5321): one message over a connection of its own.
//!
//! Ours, because what one sender of short texts needs is this file, over the TLS settings that everything else here trusts;
//! the usual crate (`lettre`) would bring some twenty others and a trust of its own. A password is sent over TLS only, and a
//! server that does not offer STARTTLS where it was asked for is told nothing.

use super::{Fault, Transport};
use crate::notice::Notice;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use rustls::pki_types::ServerName;
use rustls::{ClientConnection, StreamOwned};
use smc_log::Redacted;
use smc_net::TlsSettings;
use smc_settings::file::MailTls;
use std::io::{ErrorKind, Read, Write};
use std::net::{TcpStream, ToSocketAddrs};
use std::time::{Duration, Instant};

/// The longest answer that is read.
const ANSWER_BYTES_MAX: usize = 64 * 1024;
/// Bytes of a line of base64.
const LINE_BYTES: usize = 76;

pub(crate) struct Mail {
    host: String,
    port: u16,
    mode: MailTls,
    tls: TlsSettings,
    login: Option<(String, Redacted<String>)>,
    from: String,
    to: Vec<String>,
}

impl Mail {
    pub fn new(
        address: &str,
        mode: MailTls,
        tls: TlsSettings,
        login: Option<(String, Redacted<String>)>,
        from: &str,
        to: &[String],
    ) -> Result<Self, String> {
        let (host, port) = address.rsplit_once(':').ok_or("mail: host is `host:port`")?;
        let port = port.parse().map_err(|_| "mail: host is `host:port`")?;
        let host = host.trim_matches(['[', ']']).to_owned();
        if mode == MailTls::None {
            let is_here =
                host == "localhost" || host.parse().is_ok_and(|ip: std::net::IpAddr| ip.is_loopback());
            if !is_here {
                return Err("mail: without TLS only this machine is spoken to".into());
            }
            if login.is_some() {
                return Err("mail: a password is sent over TLS only".into());
            }
        }
        let is_address = |text: &&str| {
            text.contains('@')
                && text.bytes().all(|byte| byte.is_ascii_graphic() && !b"<>(),;\"\\".contains(&byte))
        };
        if to.is_empty() || !to.iter().map(String::as_str).chain([from]).all(|text| is_address(&text)) {
            return Err("mail: `from` and `to` are plain addresses, name@host".into());
        }
        Ok(Self { host, port, mode, tls, login, from: from.into(), to: to.to_vec() })
    }

    fn connect(&self, until: Instant) -> Result<TcpStream, Fault> {
        let later = |error: std::io::Error| Fault::Later(format!("mail server: {error}"), None);
        let found: Vec<_> = (self.host.as_str(), self.port).to_socket_addrs().map_err(later)?.collect();
        let address = found.iter().find(|address| address.is_ipv4()).or(found.first());
        let address = address.ok_or_else(|| Fault::Later("the mail server has no address".into(), None))?;
        if self.mode == MailTls::None && !address.ip().is_loopback() {
            return Err(Fault::Refused("without TLS only this machine is spoken to".into()));
        }
        let left = until.saturating_duration_since(Instant::now()).max(Duration::from_millis(1));
        let stream = TcpStream::connect_timeout(address, left).map_err(later)?;
        stream.set_nodelay(true).map_err(later)?;
        Ok(stream)
    }

    fn secured(&self, stream: TcpStream) -> Result<Session, Fault> {
        let config = self.tls.config().ok_or_else(|| Fault::Refused("no trust configured".into()))?;
        let name =
            ServerName::try_from(self.host.clone()).map_err(|error| Fault::Refused(error.to_string()))?;
        let tls = ClientConnection::new(config, name).map_err(|error| Fault::Refused(error.to_string()))?;
        Ok(Session::Tls(Box::new(StreamOwned::new(tls, stream))))
    }

    fn message(&self, notice: &Notice) -> String {
        let now = jiff::Zoned::now();
        let date = jiff::fmt::rfc2822::to_string(&now).unwrap_or_default();
        // Encoded words have at most 75 letters: 45 bytes a piece.
        let headline = smc_log::inert(&notice.headline());
        let words: Vec<String> =
            pieces(&headline, 42).map(|piece| format!("=?utf-8?B?{}?=", STANDARD.encode(piece))).collect();
        let body = STANDARD.encode(notice.body().replace('\n', "\r\n"));
        let lines: Vec<&str> = pieces(&body, LINE_BYTES).collect();
        let id = now.timestamp().as_nanosecond();
        format!(
            "From: <{from}>\r\nTo: {to}\r\nSubject: {subject}\r\nDate: {date}\r\nMessage-ID: <{id}.{pid}@smc>\r\n\
             Auto-Submitted: auto-generated\r\nX-Smc-Key: {key}\r\nMIME-Version: 1.0\r\n\
             Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: base64\r\n\r\n{body}\r\n",
            from = self.from,
            to = self.to.iter().map(|to| format!("<{to}>")).collect::<Vec<_>>().join(", "),
            subject = words.join("\r\n "),
            pid = std::process::id(),
            key = notice.key.replace(|letter: char| !letter.is_ascii_graphic(), "_"),
            body = lines.join("\r\n"),
        )
    }
}

/// Pieces of at most `bytes`, cut between letters.
fn pieces(text: &str, bytes: usize) -> impl Iterator<Item = &str> {
    let mut rest = text;
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let end =
            (1..=bytes.min(rest.len())).rev().find(|&at| rest.is_char_boundary(at)).unwrap_or(rest.len());
        let (piece, left) = rest.split_at(end);
        rest = left;
        Some(piece)
    })
}

impl Transport for Mail {
    fn deliver(&mut self, notice: &Notice, within: Duration) -> Result<(), Fault> {
        let until = Instant::now() + within;
        let stream = self.connect(until)?;
        let mut session = match self.mode {
            MailTls::Implicit => self.secured(stream)?,
            MailTls::Starttls | MailTls::None => Session::Plain(stream),
        };
        session.expect(2, until)?;
        let mut offers = session.ask("EHLO smc", 2, until)?;
        if self.mode == MailTls::Starttls {
            let is_offered =
                offers.lines().any(|line| line.get(4..).is_some_and(|word| word.trim() == "STARTTLS"));
            if !is_offered {
                return Err(Fault::Refused("the mail server offers no STARTTLS".into()));
            }
            session.ask("STARTTLS", 2, until)?;
            let Session::Plain(stream) = session else { return Err(Fault::Refused("TLS within TLS".into())) };
            session = self.secured(stream)?;
            offers = session.ask("EHLO smc", 2, until)?;
        }
        if let Some((user, password)) = &self.login {
            if !offers
                .lines()
                .any(|line| line.to_ascii_uppercase().contains("AUTH") && line.contains("PLAIN"))
            {
                return Err(Fault::Refused("the mail server offers no AUTH PLAIN".into()));
            }
            let words = STANDARD.encode(format!("\0{user}\0{}", password.expose()));
            session.ask(&format!("AUTH PLAIN {words}"), 2, until)?;
        }
        session.ask(&format!("MAIL FROM:<{}>", self.from), 2, until)?;
        for to in &self.to {
            session.ask(&format!("RCPT TO:<{to}>"), 2, until)?;
        }
        session.ask("DATA", 3, until)?;
        // Base64 and headers of ours: no line begins with a dot.
        session.ask(&format!("{}.", self.message(notice)), 2, until)?;
        // It has been taken; how the farewell goes changes nothing.
        let _ = session.ask("QUIT", 2, until);
        Ok(())
    }

    fn place(&self) -> String {
        format!("{}:{}", self.host, self.port)
    }
}

/// The talk with the server.
enum Session {
    Plain(TcpStream),
    Tls(Box<StreamOwned<ClientConnection, TcpStream>>),
}

impl Session {
    fn io(&mut self, until: Instant) -> Result<&mut dyn ReadWrite, Fault> {
        let left = until.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err(Fault::Later("the mail server takes too long".into(), None));
        }
        let socket = match self {
            Self::Plain(stream) => &*stream,
            Self::Tls(stream) => &stream.sock,
        };
        socket.set_read_timeout(Some(left)).map_err(fault)?;
        socket.set_write_timeout(Some(left)).map_err(fault)?;
        Ok(match self {
            Self::Plain(stream) => stream,
            Self::Tls(stream) => &mut **stream,
        })
    }

    /// Sends a line and reads the answer, whose code must begin with `class`.
    fn ask(&mut self, line: &str, class: u32, until: Instant) -> Result<String, Fault> {
        let io = self.io(until)?;
        io.write_all(format!("{line}\r\n").as_bytes()).map_err(fault)?;
        io.flush().map_err(fault)?;
        self.expect(class, until)
    }

    fn expect(&mut self, class: u32, until: Instant) -> Result<String, Fault> {
        let mut text = Vec::new();
        let mut piece = [0; 1024];
        loop {
            // The clock is asked at each piece: a server that drips does not hold us for ever.
            let count = match self.io(until)?.read(&mut piece) {
                Ok(0) => return Err(Fault::Later("the mail server hung up".into(), None)),
                Ok(count) => count,
                Err(error) if error.kind() == ErrorKind::Interrupted => 0,
                Err(error) => return Err(fault(error)),
            };
            text.extend_from_slice(piece.get(..count).unwrap_or_default());
            if text.len() > ANSWER_BYTES_MAX {
                return Err(Fault::Refused("the mail server's answer has no end".into()));
            }
            let so_far = String::from_utf8_lossy(&text);
            // The last line of an answer has a blank behind its code.
            let last = so_far.strip_suffix('\n').and_then(|whole| whole.lines().last());
            let Some(last) = last.filter(|last| last.as_bytes().get(3).is_none_or(|byte| *byte != b'-'))
            else {
                continue;
            };
            let code: u32 = last.get(..3).and_then(|code| code.parse().ok()).unwrap_or(0);
            return match code / 100 {
                found if found == class => Ok(so_far.into_owned()),
                5 => Err(Fault::Refused(format!("the mail server answered {code}"))),
                _ => Err(Fault::Later(format!("the mail server answered {code}"), None)),
            };
        }
    }
}

trait ReadWrite: Read + Write {}
impl<T: Read + Write> ReadWrite for T {}

fn fault(error: std::io::Error) -> Fault {
    let reason = match error.kind() {
        ErrorKind::WouldBlock | ErrorKind::TimedOut => "the mail server takes too long".into(),
        _ => format!("mail server: {error}"),
    };
    Fault::Later(reason, None)
}
