//! A real TLS server on the loopback, in a thread of its own, and the certificates for it.
#![allow(dead_code)] // each test file uses a part

use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::thread::{self, JoinHandle};

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::pki_types::PrivateKeyDer;
use rustls::{ServerConfig, ServerConnection, StreamOwned, SupportedProtocolVersion};
use smc_net::{Endpoint, TlsSettings, WsClient};

pub type Stream = StreamOwned<ServerConnection, TcpStream>;

/// A certificate authority of our own.
pub struct Authority(CertifiedIssuer<'static, KeyPair>);

impl Authority {
    pub fn new() -> Self {
        let mut params = CertificateParams::new(Vec::<String>::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        Self(CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap())
    }

    pub fn pem(&self) -> String {
        self.0.pem()
    }

    pub fn trust(&self) -> TlsSettings {
        TlsSettings::from_ca_pem(&self.pem()).unwrap()
    }

    /// A server configuration for `localhost`, changed at will.
    pub fn server(
        &self,
        versions: &[&'static SupportedProtocolVersion],
        change: impl FnOnce(&mut CertificateParams),
    ) -> Arc<ServerConfig> {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(vec!["localhost".into()]).unwrap();
        change(&mut params);
        let certificate = params.signed_by(&key, &self.0).unwrap();
        let key = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let config = ServerConfig::builder_with_provider(provider)
            .with_protocol_versions(versions)
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![certificate.der().clone()], key)
            .unwrap();
        Arc::new(config)
    }
}

pub const BOTH: &[&SupportedProtocolVersion] = &[&rustls::version::TLS13, &rustls::version::TLS12];

/// Listens, takes one connection and gives it to `serve`.
pub fn serve<T: Send + 'static>(
    config: Arc<ServerConfig>,
    serve: impl FnOnce(Stream) -> T + Send + 'static,
) -> (SocketAddr, JoinHandle<T>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let thread = thread::spawn(move || {
        let (socket, _) = listener.accept().unwrap();
        socket.set_nodelay(true).unwrap();
        serve(StreamOwned::new(ServerConnection::new(config).unwrap(), socket))
    });
    (address, thread)
}

pub fn endpoint(address: SocketAddr, tls: TlsSettings) -> Endpoint {
    Endpoint { host: "localhost".into(), port: address.port(), address: Some(address), tls }
}

/// Polls until the connection is open.
pub fn open(client: &mut WsClient) {
    while !client.is_open() {
        client.poll(&mut |_: &mut [u8]| panic!("no message yet")).unwrap();
        thread::yield_now();
    }
}
