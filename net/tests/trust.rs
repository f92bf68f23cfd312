//! Whom we refuse to talk to: verification has no switch, and these are the ways past it that must stay shut.
#![allow(clippy::unwrap_used)] // a test may crash

mod common;

use std::io::{Read, Write};
use std::net::TcpListener;
use std::thread;
use std::time::Duration;

use common::{Authority, BOTH, Stream, endpoint, serve};
use rcgen::{CertificateParams, date_time_ymd};
use rustls::{CertificateError, Error};
use smc_net::{HttpClient, NetError, TlsError, TlsSettings, WsClient, WsLimits, get_blocking};

/// How a connection ends and what the server made of it.
fn refusal(
    change: impl FnOnce(&mut CertificateParams),
    trust: impl FnOnce(&Authority) -> TlsSettings,
) -> (NetError, String) {
    let authority = Authority::new();
    let (address, server) = serve(authority.server(BOTH, change), |mut stream: Stream| {
        stream.read(&mut [0; 100]).map(|_| "the client went on".to_owned()).unwrap_or_else(|e| e.to_string())
    });
    let endpoint = endpoint(address, trust(&authority));
    let mut client = WsClient::connect(&endpoint, "/", WsLimits::default()).unwrap();
    let error = loop {
        match client.poll(&mut |_: &mut [u8]| ()) {
            Ok(_) => thread::yield_now(),
            Err(error) => break error,
        }
    };
    (error, server.join().unwrap())
}

fn certificate_error(error: NetError) -> CertificateError {
    let NetError::Tls(TlsError::Handshake(Error::InvalidCertificate(e))) = error else { panic!("{error:?}") };
    e
}

#[test]
fn an_unknown_authority_is_refused_and_told() {
    let (error, server) = refusal(|_| (), |_| Authority::new().trust());
    // Both authorities have the same name, so it is the signature that gives the wrong one away.
    assert!(matches!(
        certificate_error(error),
        CertificateError::UnknownIssuer | CertificateError::BadSignature
    ));
    assert!(server.contains("alert"), "{server}");
}

#[test]
fn another_host_name_is_refused() {
    let rename = |params: &mut CertificateParams| {
        *params = CertificateParams::new(vec!["other.example".into()]).unwrap();
    };
    let (error, server) = refusal(rename, Authority::trust);
    assert!(matches!(
        certificate_error(error),
        CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. }
    ));
    assert!(server.contains("alert"), "{server}");
}

#[test]
fn an_expired_and_a_future_certificate_are_refused() {
    let expire = |params: &mut CertificateParams| params.not_after = date_time_ymd(2020, 1, 1);
    let (error, _) = refusal(expire, Authority::trust);
    assert!(matches!(
        certificate_error(error),
        CertificateError::Expired | CertificateError::ExpiredContext { .. }
    ));
    let postpone = |params: &mut CertificateParams| params.not_before = date_time_ymd(2200, 1, 1);
    let (error, _) = refusal(postpone, Authority::trust);
    assert!(matches!(
        certificate_error(error),
        CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. }
    ));
}

/// A server that is no TLS server, one that is not there, and one that hangs up.
#[test]
fn what_is_no_tls_server_ends_typed() {
    let authority = Authority::new();
    let answer = |bytes: &'static [u8]| {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let server = thread::spawn(move || {
            let (mut socket, _) = listener.accept().unwrap();
            socket.write_all(bytes).unwrap();
            socket.shutdown(std::net::Shutdown::Write).unwrap();
            let _ = socket.read_to_end(&mut Vec::new());
        });
        let endpoint = endpoint(address, authority.trust());
        let error = get_blocking(&endpoint, "/", Duration::from_secs(60)).unwrap_err();
        server.join().unwrap();
        error
    };
    assert!(matches!(answer(b"HTTP/1.1 400 Bad Request\r\n\r\n"), NetError::Tls(TlsError::Handshake(_))));
    assert_eq!(answer(b""), NetError::Truncated);
    assert_eq!(answer(b"\x16\x03\x03\x01"), NetError::Truncated);
    let nobody = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let error = get_blocking(&endpoint(nobody, authority.trust()), "/", Duration::from_secs(60)).unwrap_err();
    assert_eq!(error, NetError::Io(std::io::ErrorKind::ConnectionRefused));
}

#[test]
fn a_server_that_says_nothing_runs_into_the_callers_patience() {
    let authority = Authority::new();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let endpoint = endpoint(listener.local_addr().unwrap(), authority.trust());
    assert_eq!(get_blocking(&endpoint, "/", Duration::from_millis(5)), Err(NetError::TimedOut));
    // Polling alone never blocks and never gives up.
    let mut client = HttpClient::connect(&endpoint).unwrap();
    for _ in 0..1000 {
        assert_eq!(client.poll(), Ok(None));
    }
}

/// TLS can be left out towards this machine alone, and what is said there goes out as it is.
#[test]
fn without_tls_only_this_machine_is_spoken_to() {
    let plain = TlsSettings::plain_on_loopback();
    let elsewhere = "192.0.2.1:443".parse().unwrap();
    let refused = HttpClient::connect(&endpoint(elsewhere, plain.clone())).map(|_| ());
    assert_eq!(refused, Err(NetError::PlainBeyondLoopback(elsewhere)));

    let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let here = endpoint(listener.local_addr().unwrap(), plain);
    let server = thread::spawn(move || {
        let (mut socket, _) = listener.accept().unwrap();
        let mut request = [0; 4];
        socket.read_exact(&mut request).unwrap();
        socket.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi").unwrap();
        // What the client still says is read, or the answer would be cut off with the connection.
        let _ = socket.set_read_timeout(Some(Duration::from_millis(200)));
        let _ = socket.read_to_end(&mut Vec::new());
        request
    });
    let response = get_blocking(&here, "/", Duration::from_secs(5)).unwrap();
    assert_eq!((response.status, response.body.as_ref()), (200, &b"hi"[..]));
    assert_eq!(&server.join().unwrap(), b"GET ");
}
