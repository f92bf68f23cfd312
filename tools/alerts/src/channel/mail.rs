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
use std::io::{self, ErrorKind, Read, Write};
use std::net::{IpAddr, TcpStream, ToSocketAddrs};
use std::time::{Duration, Instant};

/// The longest answer that is read.
const ANSWER_BYTES_MAX: usize = 64 * 1024;
/// A server that was given the message may take so many times as long to say that it has it (RFC 5321, 4.5.3.2.6, would allow
/// ten minutes).
const TAKING_FACTOR: u32 = 6;
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
    /// Since the epoch, ns: with the notice's number the same message has the same name at each try, and no other has it.
    started_ns: i128,
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
        Ok(Self {
            host,
            port,
            mode,
            tls,
            login,
            from: from.into(),
            to: to.to_vec(),
            started_ns: jiff::Timestamp::now().as_nanosecond(),
        })
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

    fn secured(&self, stream: Timed) -> Result<Session, Fault> {
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
        format!(
            "From: <{from}>\r\nTo: {to}\r\nSubject: {subject}\r\nDate: {date}\r\nMessage-ID: <{started}.{pid}.{number}@smc>\r\n\
             Auto-Submitted: auto-generated\r\nX-Smc-Key: {key}\r\nMIME-Version: 1.0\r\n\
             Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: base64\r\n\r\n{body}\r\n",
            from = self.from,
            to = self.to.iter().map(|to| format!("<{to}>")).collect::<Vec<_>>().join(", "),
            subject = words.join("\r\n "),
            started = self.started_ns,
            pid = std::process::id(),
            number = notice.number,
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
    fn deliver(&mut self, notice: &Notice, within: Duration) -> Result<u64, Fault> {
        let until = Instant::now() + within;
        let stream = self.connect(until)?;
        let hello = hello(&stream);
        let stream = Timed { stream, until };
        let mut session = match self.mode {
            MailTls::Implicit => self.secured(stream)?,
            MailTls::Starttls | MailTls::None => Session::Plain(stream),
        };
        session.expect(2)?;
        let mut offers = session.ask(&hello, 2)?;
        if self.mode == MailTls::Starttls {
            let is_offered =
                offers.lines().any(|line| line.get(4..).is_some_and(|word| word.trim() == "STARTTLS"));
            // Somebody on the way may have struck it out: nothing is told in the clear, and it may come back.
            if !is_offered {
                return Err(Fault::Later("the mail server offers no STARTTLS".into(), None));
            }
            session.ask("STARTTLS", 2)?;
            let Session::Plain(stream) = session else { return Err(Fault::Refused("TLS within TLS".into())) };
            session = self.secured(stream)?;
            offers = session.ask(&hello, 2)?;
        }
        if let Some((user, password)) = &self.login {
            if !offers
                .lines()
                .any(|line| line.to_ascii_uppercase().contains("AUTH") && line.contains("PLAIN"))
            {
                return Err(Fault::Later("the mail server offers no AUTH PLAIN".into(), None));
            }
            let words = STANDARD.encode(format!("\0{user}\0{}", password.expose()));
            session.ask(&format!("AUTH PLAIN {words}"), 2)?;
        }
        session.ask(&format!("MAIL FROM:<{}>", self.from), 2)?;
        let refused = self.receivers(&mut session)?;
        let of_the_words = |fault| match fault {
            Answer::No(code) if code / 100 == 5 => {
                Fault::Refused(format!("the mail server answered {code} to the message"))
            }
            other => other.into(),
        };
        session.ask("DATA", 3).map_err(of_the_words)?;
        // Once it has all of it, a server may take its time, and must not be sent it twice.
        session.timed().until = Instant::now() + within * TAKING_FACTOR;
        // Base64 and headers of ours: no line begins with a dot.
        session.ask(&format!("{}.", self.message(notice)), 2).map_err(of_the_words)?;
        // It has been taken; how the farewell goes changes nothing.
        session.timed().until = Instant::now() + Duration::from_secs(1);
        let _ = session.ask("QUIT", 2);
        Ok(refused)
    }

    fn place(&self) -> String {
        format!("{}:{}", self.host, self.port)
    }
}

impl Mail {
    /// Names the mailboxes; how many are not taken. One of them that is bad keeps nothing from the others, and is told in the log by
    /// its place, for an address is a person's.
    fn receivers(&self, session: &mut Session) -> Result<u64, Fault> {
        let mut bad = Vec::new();
        for (to, place) in self.to.iter().zip(1..) {
            match session.ask(&format!("RCPT TO:<{to}>"), 2) {
                Ok(_) => {}
                Err(Answer::No(code)) => bad.push((place, code)),
                Err(other) => return Err(other.into()),
            }
        }
        if bad.len() < self.to.len() {
            for (place, code) in &bad {
                tracing::error!(
                    place = *place,
                    code = *code,
                    "a mailbox of `to` is not taken by the mail server"
                );
            }
            return Ok(bad.len() as u64);
        }
        let reason = format!("the mail server takes none of the mailboxes: {:?}", bad.first());
        match bad.iter().all(|(_, code): &(u32, u32)| code / 100 == 5) {
            true => Err(Fault::Refused(reason)),
            false => Err(Fault::Later(reason, None)),
        }
    }
}

/// As whom we greet: the machine's whole name, or the address that the server sees (RFC 5321, 4.1.3).
fn hello(stream: &TcpStream) -> String {
    let name = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    let name = name.trim();
    let is_name = name.contains('.')
        && !name.starts_with('.')
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-.".contains(&byte));
    match stream.local_addr().map(|address| address.ip().to_canonical()) {
        _ if is_name => format!("EHLO {name}"),
        Ok(IpAddr::V4(ip)) => format!("EHLO [{ip}]"),
        Ok(IpAddr::V6(ip)) => format!("EHLO [IPv6:{ip}]"),
        Err(_) => "EHLO [127.0.0.1]".into(),
    }
}

/// A socket whose every read and write ends by `until`: a peer that drips holds nobody for ever, in TLS neither.
struct Timed {
    stream: TcpStream,
    until: Instant,
}

impl Timed {
    fn left(&self) -> io::Result<Duration> {
        let left = self.until.saturating_duration_since(Instant::now());
        if left.is_zero() { Err(ErrorKind::TimedOut.into()) } else { Ok(left) }
    }
}

impl Read for Timed {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        self.stream.set_read_timeout(Some(self.left()?))?;
        self.stream.read(bytes)
    }
}

impl Write for Timed {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.stream.set_write_timeout(Some(self.left()?))?;
        self.stream.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.stream.flush()
    }
}

/// What the server's word comes to, where it is not the one that was waited for.
enum Answer {
    /// Its code.
    No(u32),
    /// There was none that could be read.
    Broken(String),
}

impl From<Answer> for Fault {
    /// A server that is full, shuts down or has lost its passwords refuses everything, also with codes that sound final: only what is
    /// said of a mailbox or of the message is about this notice.
    fn from(answer: Answer) -> Self {
        match answer {
            Answer::No(code) => Self::Later(format!("the mail server answered {code}"), None),
            Answer::Broken(reason) => Self::Later(reason, None),
        }
    }
}

impl From<io::Error> for Answer {
    fn from(error: io::Error) -> Self {
        Self::Broken(match error.kind() {
            ErrorKind::WouldBlock | ErrorKind::TimedOut => "the mail server takes too long".into(),
            _ => format!("mail server: {error}"),
        })
    }
}

/// The talk with the server.
enum Session {
    Plain(Timed),
    Tls(Box<StreamOwned<ClientConnection, Timed>>),
}

impl Session {
    fn timed(&mut self) -> &mut Timed {
        match self {
            Self::Plain(stream) => stream,
            Self::Tls(stream) => &mut stream.sock,
        }
    }

    fn io(&mut self) -> &mut dyn ReadWrite {
        match self {
            Self::Plain(stream) => stream,
            Self::Tls(stream) => &mut **stream,
        }
    }

    /// Sends a line and reads the answer, whose code must begin with `class`.
    fn ask(&mut self, line: &str, class: u32) -> Result<String, Answer> {
        let io = self.io();
        io.write_all(format!("{line}\r\n").as_bytes())?;
        io.flush()?;
        self.expect(class)
    }

    fn expect(&mut self, class: u32) -> Result<String, Answer> {
        let mut text = Vec::new();
        let mut piece = [0; 1024];
        loop {
            let count = match self.io().read(&mut piece) {
                Ok(0) => return Err(Answer::Broken("the mail server hung up".into())),
                Ok(count) => count,
                Err(error) if error.kind() == ErrorKind::Interrupted => 0,
                Err(error) => return Err(error.into()),
            };
            text.extend_from_slice(piece.get(..count).unwrap_or_default());
            if text.len() > ANSWER_BYTES_MAX {
                return Err(Answer::Broken("the mail server's answer has no end".into()));
            }
            let so_far = String::from_utf8_lossy(&text);
            // The last line of an answer has a blank behind its code.
            let last = so_far.strip_suffix('\n').and_then(|whole| whole.lines().last());
            let Some(last) = last.filter(|last| last.as_bytes().get(3).is_none_or(|byte| *byte != b'-'))
            else {
                continue;
            };
            let code: u32 = last.get(..3).and_then(|code| code.parse().ok()).unwrap_or(0);
            return if code / 100 == class { Ok(so_far.into_owned()) } else { Err(Answer::No(code)) };
        }
    }
}

trait ReadWrite: Read + Write {}
impl<T: Read + Write> ReadWrite for T {}
