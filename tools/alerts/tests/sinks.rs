//! From a record of a journal to people: a web server and a mail server of this test, good ones and bad ones.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a step that fails is a failed test")]

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::pki_types::PrivateKeyDer;
use rustls::{ServerConfig, ServerConnection, StreamOwned};
use serde_json::Value;
use smc_alerts::{Alerts, ChannelState, Names, Severity, Watched, test_channels};
use smc_core::TsNs;
use smc_core::codec::Buffer;
use smc_core::event::RiskScope;
use smc_core::output::{Control, NewOrder, Output, StateChange, TradingState};
use smc_core::words::InstrumentId;
use smc_journal::{Header, JournalSettings, RecordKind, Writer};
use smc_settings::file::AlertsSection;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

const PATIENCE: Duration = Duration::from_secs(30);

fn now() -> TsNs {
    TsNs(SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_nanos() as u64)
}

/// What a sink was told, and when.
struct Heard {
    at: Instant,
    head: String,
    body: String,
}

/// A server on a port of its own; each connection is served by a thread.
fn serve(each: impl Fn(TcpStream) + Send + Sync + 'static) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let each = Arc::new(each);
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let each = each.clone();
            std::thread::spawn(move || each(stream));
        }
    });
    port
}

/// Takes POSTs and answers with `status`, a line behind it.
fn web(answers: impl Fn(u32) -> String + Send + Sync + 'static) -> (u16, Receiver<Heard>) {
    let (tell, heard) = channel();
    let (tell, nth) = (Mutex::new(tell), AtomicU32::new(0));
    let port = serve(move |mut stream| {
        let mut reader = BufReader::new(stream.try_clone().unwrap());
        let (mut head, mut line) = (String::new(), String::new());
        while reader.read_line(&mut line).unwrap_or(0) > 2 {
            head.push_str(&line);
            line.clear();
        }
        let length = head.lines().find_map(|line| line.strip_prefix("Content-Length: ")).unwrap_or("0");
        let mut body = vec![0; length.parse().unwrap()];
        reader.read_exact(&mut body).unwrap();
        let (at, body) = (Instant::now(), String::from_utf8(body).unwrap());
        tell.lock().unwrap().send(Heard { at, head, body }).unwrap();
        let answer = answers(nth.fetch_add(1, Ordering::Relaxed));
        let _ = write!(stream, "HTTP/1.1 {answer}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
    });
    (port, heard)
}

/// Accepts and never says a word.
fn hung() -> u16 {
    let kept = Mutex::new(Vec::new());
    serve(move |stream| kept.lock().unwrap().push(stream))
}

/// A certificate for localhost, and the authority behind it as PEM.
fn certificate() -> (Arc<ServerConfig>, String) {
    let mut params = CertificateParams::new(Vec::<String>::new()).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let authority = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
    let key = KeyPair::generate().unwrap();
    let leaf = CertificateParams::new(vec!["localhost".into()]).unwrap().signed_by(&key, &authority).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![leaf.der().clone()], PrivateKeyDer::try_from(key.serialize_der()).unwrap())
        .unwrap();
    (Arc::new(config), authority.pem())
}

/// Every line that a mail server was sent before TLS, and whole messages.
struct MailSink {
    port: u16,
    heard: Receiver<Heard>,
    clear: Arc<Mutex<String>>,
}

fn mail(tls: Option<Arc<ServerConfig>>) -> MailSink {
    let (tell, heard) = channel();
    let (tell, clear) = (Mutex::new(tell), Arc::new(Mutex::new(String::new())));
    let seen = clear.clone();
    let port = serve(move |stream| {
        let tell = tell.lock().unwrap().clone();
        let mut plain = stream.try_clone().unwrap();
        let offer = if tls.is_some() { "STARTTLS" } else { "HELP" };
        let _ = write!(plain, "220 sink\r\n");
        // Byte by byte: what comes after STARTTLS belongs to TLS.
        let mut line = String::new();
        while read_line(&mut plain, &mut line) {
            seen.lock().unwrap().push_str(&line);
            match line.trim_end() {
                "STARTTLS" => {
                    let _ = write!(plain, "220 go\r\n");
                    let session = ServerConnection::new(tls.clone().unwrap()).unwrap();
                    return talk(&mut StreamOwned::new(session, stream), &tell, "250 taken");
                }
                "QUIT" => return,
                _ => _ = write!(plain, "250-sink\r\n250 {offer}\r\n"),
            }
        }
    });
    MailSink { port, heard, clear }
}

fn read_line(stream: &mut impl Read, line: &mut String) -> bool {
    line.clear();
    let mut byte = [0];
    while stream.read(&mut byte).is_ok_and(|count| count == 1) {
        line.push(char::from(byte[0]));
        if byte[0] == b'\n' {
            return true;
        }
    }
    false
}

/// A mailbox `gone@` is not there.
fn talk(stream: &mut (impl Read + Write), tell: &Sender<Heard>, taken: &str) {
    let (mut line, mut head, mut body, mut is_data) = (String::new(), String::new(), String::new(), false);
    while read_line(stream, &mut line) {
        let word = line.trim_end();
        let answer = match word {
            "." if is_data => {
                is_data = false;
                let (head, body) = (std::mem::take(&mut head), std::mem::take(&mut body));
                tell.send(Heard { at: Instant::now(), head, body }).unwrap();
                &format!("{taken}\r\n")
            }
            _ if is_data => {
                body.push_str(&line);
                continue;
            }
            "DATA" => {
                is_data = true;
                "354 go on\r\n"
            }
            "QUIT" => return,
            _ if word.starts_with("RCPT TO:<gone@") => "550 no such mailbox\r\n",
            _ => {
                head.push_str(&line);
                "250-sink\r\n250 AUTH PLAIN\r\n"
            }
        };
        let _ = stream.write_all(answer.as_bytes()).and_then(|()| stream.flush());
    }
}

/// Files and a journal.
struct Rig {
    dir: tempfile::TempDir,
    writer: Writer,
}

impl Rig {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let settings =
            JournalSettings { segment_bytes: 1 << 20, ..JournalSettings::new(dir.path().join("journal")) };
        let header = Header { environment: "sim".into(), ..Header::default() };
        let writer = Writer::create(&settings, &header).unwrap();
        Self { dir, writer }
    }

    fn secret(&self, name: &str, text: &str) -> PathBuf {
        let path = self.dir.path().join(name);
        std::fs::write(&path, text).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
        path
    }

    fn watched(&self, silence_max: Duration) -> Watched {
        let instruments = (0..64).map(|nth| (format!("SYM{nth:02}"), 0)).collect();
        let names = Names { instruments, venues: vec!["v".into()], clock_offset_ns_max: 500_000_000 };
        let journal = self.dir.path().join("journal");
        Watched { journal, names, silence_max, disk_free_min: 0, is_inside: true }
    }

    fn state(&mut self, instrument: u16, to: TradingState) -> Instant {
        let scope = RiskScope::instrument(InstrumentId(instrument));
        let from = TradingState::Normal;
        let change = StateChange { scope, from, to, cause: Control::Drawdown, command: None };
        let mut buffer = Buffer::default();
        let payload = buffer.encode(&Output::<NewOrder>::State(change));
        self.writer.append(RecordKind::Output, now(), payload).unwrap();
        Instant::now()
    }
}

fn section(text: &str) -> AlertsSection {
    toml::from_str(text).unwrap()
}

fn webhook(port: u16, more: &str) -> String {
    format!("[[channel]]\nkind = \"webhook\"\nurl = \"http://127.0.0.1:{port}/hook\"\n{more}\n")
}

fn mail_to(port: u16, home: &Path, more: &str) -> String {
    let home = home.display();
    format!(
        "[[channel]]\nkind = \"mail\"\nhost = \"localhost:{port}\"\nfrom = \"smc@here\"\nto = [\"ops@here\"]\nca_file = \"{home}/ca.pem\"\n{more}\n"
    )
}

fn wait(what: &str, mut is_so: impl FnMut() -> bool) {
    let started = Instant::now();
    while !is_so() {
        assert!(started.elapsed() < PATIENCE, "waited for: {what}");
        std::thread::sleep(Duration::from_millis(2));
    }
}

fn line_of(what: &str, mut took: Vec<Duration>) {
    took.sort();
    let at = |part: f64| took[((took.len() - 1) as f64 * part) as usize].as_secs_f64() * 1e3;
    println!("{what}: {} notices, median {:.1} ms, most {:.1} ms", took.len(), at(0.5), at(1.0));
}

fn base64(text: &str) -> String {
    use base64::Engine;
    let bytes = base64::engine::general_purpose::STANDARD.decode(text.replace("\r\n", "")).unwrap();
    String::from_utf8(bytes).unwrap()
}

/// From a breach in the journal to both sinks, one after the other; mail over STARTTLS with a password, the hook signed.
#[test]
fn a_breach_reaches_web_and_mail_in_order() {
    let mut rig = Rig::new();
    let (config, ca) = certificate();
    std::fs::write(rig.dir.path().join("ca.pem"), ca).unwrap();
    let (password, shared) =
        (rig.secret("password", "canary-password\n"), rig.secret("shared", "canary-shared"));
    let ((web_port, web), mail) = (web(|_| "204 No Content".into()), mail(Some(config)));
    let text = "per_minute_max = 1000\n".to_owned()
        + &webhook(web_port, &format!("secret_file = \"{}\"", shared.display()))
        + &mail_to(
            mail.port,
            rig.dir.path(),
            &format!("user = \"smc\"\npassword_file = \"{}\"", password.display()),
        );
    let alerts = Alerts::start(&section(&text), rig.watched(PATIENCE)).unwrap();
    let (mut to_web, mut to_mail) = (Vec::new(), Vec::new());
    for nth in 0..40 {
        let said = rig.state(nth, TradingState::Halt);
        let hook = web.recv_timeout(PATIENCE).expect("the web is told");
        let letter = mail.heard.recv_timeout(PATIENCE).expect("mail is told");
        to_web.push(hook.at - said);
        to_mail.push(letter.at - said);
        let document: Value = serde_json::from_str(&hook.body).unwrap();
        assert_eq!(document["key"], format!("state/sym{nth:02}"));
        assert_eq!((&document["severity"], &document["phase"]), (&"critical".into(), &"began".into()));
        assert_eq!(document["seq"], u64::from(nth) + 1);
        assert!(hook.head.contains("X-Smc-Signature: sha256="), "{}", hook.head);
        assert!(letter.head.contains("MAIL FROM:<smc@here>") && letter.head.contains("RCPT TO:<ops@here>"));
        let (head, body) = letter.body.split_once("\r\n\r\n").unwrap();
        let body = base64(body);
        assert!(
            head.contains("Subject: =?utf-8?B?") && body.contains(&format!("state/sym{nth:02}")),
            "{head} {body}"
        );
    }
    line_of("breach to webhook", to_web);
    line_of("breach to mail (STARTTLS, AUTH)", to_mail);
    let clear = mail.clear.lock().unwrap().clone();
    assert!(
        !clear.contains("AUTH") && clear.contains("STARTTLS"),
        "nothing but the offer in the clear: {clear}"
    );
    // The end of one is told once.
    rig.state(3, TradingState::Normal);
    let over: Value = serde_json::from_str(&web.recv_timeout(PATIENCE).unwrap().body).unwrap();
    assert_eq!((&over["key"], &over["phase"]), (&"state/sym03".into(), &"over".into()));
    assert!(alerts.handle().acknowledge("state/sym04", "eva"));
    alerts.end(PATIENCE);
}

/// A sink that takes connections and never answers holds up nobody but itself.
#[test]
fn a_hung_sink_does_not_delay_the_other() {
    let mut rig = Rig::new();
    let (port, web) = web(|_| "200 OK".into());
    let text =
        "per_minute_max = 1000\n".to_owned() + &webhook(hung(), "name = \"hung\"") + &webhook(port, "");
    let alerts = Alerts::start(&section(&text), rig.watched(PATIENCE)).unwrap();
    let mut took = Vec::new();
    for nth in 0..30 {
        let said = rig.state(nth, TradingState::Halt);
        took.push(web.recv_timeout(PATIENCE).expect("told").at - said);
    }
    line_of("breach to webhook beside a hung one", took);
    let states = alerts.handle().channels();
    let of = |name: &str| states.iter().find(|state| state.name == name).cloned().unwrap();
    assert_eq!((of("hung").sent, of("hung").waiting), (0, 30));
    wait("the last answer is read", || {
        alerts.handle().channels().iter().any(|state| state.name == "webhook" && state.sent == 30)
    });
    let ChannelState { refused, dropped, .. } = of("webhook");
    assert_eq!((refused, dropped), (0, 0));
    let (started, handle) = (Instant::now(), alerts.handle());
    alerts.end(Duration::from_millis(100));
    assert!(started.elapsed() < PATIENCE / 3, "the end does not wait for what hangs");
    // One is under way and nobody knows; the others are counted, and stand in the log.
    let left = handle.channels().into_iter().find(|state| state.name == "hung").unwrap();
    assert_eq!((left.dropped, left.sent), (29, 0));
}

/// A mail server that turns everybody away, cannot take the message now, and then takes it: the message has one name, and the
/// mailbox that is not there keeps nothing from the other.
#[test]
fn mail_is_not_given_up_for_a_mood_of_the_server_or_for_one_mailbox() {
    let mut rig = Rig::new();
    let (tell, heard) = channel();
    let (tell, nth) = (Mutex::new(tell), AtomicU32::new(0));
    let port = serve(move |mut stream| {
        let tell = tell.lock().unwrap().clone();
        let (greeting, taken) = match nth.fetch_add(1, Ordering::Relaxed) {
            0 => ("554 too many of you", ""),
            1 => ("220 sink", "451 later"),
            _ => ("220 sink", "250 taken"),
        };
        let _ = write!(stream, "{greeting}\r\n");
        talk(&mut stream, &tell, taken);
    });
    let text = format!(
        "[[channel]]\nkind = \"mail\"\ntls = \"none\"\nhost = \"127.0.0.1:{port}\"\nfrom = \"smc@here\"\nto = [\"gone@here\", \"ops@here\"]\n"
    );
    let alerts = Alerts::start(&section(&text), rig.watched(PATIENCE)).unwrap();
    rig.state(0, TradingState::Halt);
    let mut names = Vec::new();
    for _ in 0..2 {
        let Heard { head, body, .. } = heard.recv_timeout(PATIENCE).expect("mail is told");
        assert!(head.contains("RCPT TO:<ops@here>") && !head.contains("EHLO smc\r"), "{head}");
        let greeted = head.lines().find_map(|line| line.strip_prefix("EHLO ")).unwrap();
        assert!(greeted == "[127.0.0.1]" || greeted.contains('.'), "{greeted}");
        names.push(body.lines().find(|line| line.starts_with("Message-ID:")).unwrap().to_owned());
    }
    assert_eq!(names[0], names[1], "the same message again");
    wait("it is sent", || alerts.handle().channels()[0].sent == 1);
    let state = alerts.handle().channels().remove(0);
    assert_eq!((state.retried, state.refused, state.dropped), (2, 1, 0));
    alerts.end(PATIENCE);
    let tested = test_channels(&section(&text), PATIENCE);
    assert_eq!(tested[0].2, Err("1 of its receivers did not take it".into()));
}

/// A byte now and then is an answer that never ends, within TLS too.
#[test]
fn a_server_that_drips_holds_nobody_beyond_the_time_of_a_try() {
    let rig = Rig::new();
    let (_, ca) = certificate();
    std::fs::write(rig.dir.path().join("ca.pem"), ca).unwrap();
    let port = serve(|mut stream| {
        // The head of a record of sixteen KiB, and then the rest of it.
        let _ = stream.write_all(&[0x16, 3, 3, 0x40, 0]);
        while stream.write_all(&[0]).is_ok() {
            std::thread::sleep(Duration::from_millis(50));
        }
    });
    let text = mail_to(port, rig.dir.path(), "tls = \"implicit\"");
    let started = Instant::now();
    let outcome = test_channels(&section(&text), Duration::from_secs(1)).remove(0).2;
    assert!(outcome.unwrap_err().contains("too long"));
    assert!(started.elapsed() < Duration::from_secs(10), "{:?}", started.elapsed());
}

/// A channel for what is critical is told the end of it, whatever it has become meanwhile.
#[test]
fn who_was_told_the_beginning_is_told_the_end() {
    let mut rig = Rig::new();
    let (port, web) = web(|_| "200 OK".into());
    let text = webhook(port, "min_severity = \"critical\"");
    let alerts = Alerts::start(&section(&text), rig.watched(PATIENCE)).unwrap();
    let phase = || -> Value {
        let document: Value = serde_json::from_str(&web.recv_timeout(PATIENCE).expect("told").body).unwrap();
        document["phase"].clone()
    };
    rig.state(0, TradingState::Halt);
    assert_eq!(phase(), "began");
    rig.state(1, TradingState::ReduceOnly);
    rig.state(0, TradingState::ReduceOnly);
    rig.state(0, TradingState::Normal);
    assert_eq!(phase(), "over");
    rig.state(1, TradingState::Normal);
    alerts.end(PATIENCE);
    assert!(web.try_recv().is_err(), "what this channel was never told ends without a word");
}

/// S12: a redirect is an answer, a wrong certificate and a missing STARTTLS are the end, a secret that others can read is not
/// read; an error of the server is tried again.
#[test]
fn what_is_not_safe_is_refused_and_what_may_pass_is_tried_again() {
    let mut rig = Rig::new();
    let (config, _) = certificate();
    let (_, other_ca) = certificate();
    std::fs::write(rig.dir.path().join("ca.pem"), other_ca).unwrap();
    let (away, redirected) = web(|_| "200 OK".into());
    let (redirecting, _told) = web(move |_| format!("302 Found\r\nLocation: http://127.0.0.1:{away}/"));
    let (busy, tries) = web(|nth| if nth == 0 { "503 Busy".into() } else { "200 OK".into() });
    let (strange, clear) = (mail(Some(config)), mail(None));
    let text = webhook(redirecting, "name = \"redirect\"")
        + &webhook(busy, "name = \"busy\"")
        + &mail_to(strange.port, rig.dir.path(), "name = \"strange\"")
        + &mail_to(clear.port, rig.dir.path(), "name = \"clear\"");
    let alerts = Alerts::start(&section(&text), rig.watched(PATIENCE)).unwrap();
    rig.state(0, TradingState::Halt);
    let handle = alerts.handle();
    let of = |name: &str| handle.channels().into_iter().find(|state| state.name == name).unwrap();
    wait("the redirect is refused", || of("redirect").refused == 1);
    wait("the busy one is tried again", || of("busy").sent == 1 && of("busy").retried == 1);
    wait("a strange certificate is not believed", || of("strange").retried + of("strange").refused > 0);
    wait("no mail in the clear", || of("clear").retried > 0);
    assert!(redirected.try_recv().is_err(), "nobody was followed");
    assert_eq!(tries.try_iter().count(), 2);
    assert!(!clear.clear.lock().unwrap().contains("MAIL") && strange.heard.try_recv().is_err());
    alerts.end(Duration::ZERO);

    let open = rig.secret("open", "x");
    std::fs::set_permissions(&open, std::fs::Permissions::from_mode(0o644)).unwrap();
    let text = webhook(busy, &format!("secret_file = \"{}\"", open.display()));
    let error = Alerts::start(&section(&text), rig.watched(PATIENCE)).err().expect("refused").to_string();
    assert!(error.contains("others may read it"), "{error}");
}

/// A journal that stands still belongs to an engine that does not live; one that was closed does not.
#[test]
fn silence_is_told_and_an_orderly_end_is_not() {
    let mut rig = Rig::new();
    let (port, web) = web(|_| "200 OK".into());
    let text = webhook(port, "min_severity = \"info\"");
    let alerts = Alerts::start(&section(&text), rig.watched(Duration::from_millis(300))).unwrap();
    let next = || -> (String, String) {
        let document: Value = serde_json::from_str(&web.recv_timeout(PATIENCE).expect("told").body).unwrap();
        (document["key"].as_str().unwrap().into(), document["phase"].as_str().unwrap().into())
    };
    let pair = |key: &str, phase: &str| (key.to_owned(), phase.to_owned());
    rig.state(0, TradingState::Halt);
    assert_eq!(next(), pair("state/sym00", "began"));
    assert_eq!(next(), pair("engine/silent", "began"));
    rig.state(1, TradingState::Warn);
    let mut both = [next(), next()];
    both.sort();
    assert_eq!(both, [pair("engine/silent", "over"), pair("state/sym01", "began")]);
    rig.writer.close().unwrap();
    let mut last = [next(), next(), next()];
    last.sort();
    assert_eq!(
        last,
        [pair("engine/life", "began"), pair("state/sym00", "over"), pair("state/sym01", "over")]
    );
    std::thread::sleep(Duration::from_millis(500));
    let rest: Vec<_> = web.try_iter().map(|heard| heard.body).collect();
    assert!(rest.is_empty(), "{rest:?}");
    // From outside, to the end.
    alerts.handle().raise_own(
        "engine/thread",
        Severity::Critical,
        "the engine thread has ended",
        String::new(),
        "",
    );
    assert_eq!(next(), pair("engine/thread", "began"));
    alerts.end(PATIENCE);
}

/// `smc alerts --test`, and a chat.
#[test]
fn a_test_message_reaches_a_chat_whose_token_is_in_no_error() {
    let rig = Rig::new();
    let token = rig.secret("token", "4711:canary");
    let (port, web) = web(|nth| if nth == 0 { "200 OK".into() } else { "401 Unauthorized".into() });
    let text = format!(
        "[[channel]]\nkind = \"telegram\"\nurl = \"http://localhost:{port}\"\nchat_id = \"42\"\ntoken_file = \"{}\"\n",
        token.display()
    );
    let section = section(&text);
    let outcomes = test_channels(&section, PATIENCE);
    assert!(outcomes[0].2.is_ok(), "{outcomes:?}");
    let heard = web.recv_timeout(PATIENCE).unwrap();
    assert!(heard.head.starts_with("POST /bot4711:canary/sendMessage HTTP/1.1"), "{}", heard.head);
    let document: Value = serde_json::from_str(&heard.body).unwrap();
    assert_eq!(document["chat_id"], "42");
    assert!(document["text"].as_str().unwrap().starts_with("INFO: a test of the alerts"));
    let refused = format!("{:?} {section:?}", test_channels(&section, PATIENCE));
    assert!(refused.contains("401") && !refused.contains("canary"), "{refused}");
}
