//! Whom we trust and which ciphers we offer. Verification cannot be switched off; TLS as a whole can, towards this
//! machine alone, to measure what it costs.

use std::sync::Arc;
use std::{fmt, fs};

use rustls::client::Resumption;
use rustls::crypto::{CryptoProvider, aws_lc_rs as provider};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{ClientConfig, RootCertStore};

use crate::error::TlsError;

/// Where Linux distributions keep the bundle of trusted roots.
const SYSTEM_BUNDLES: [&str; 3] =
    ["/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt", "/etc/ssl/cert.pem"];

/// Tickets kept, so that a reconnect skips the certificate exchange.
const RESUMPTION_SESSIONS: usize = 32;

/// The trust and cipher settings of a connection; cheap to clone.
#[derive(Clone)]
pub struct TlsSettings(Option<Arc<ClientConfig>>);

impl fmt::Debug for TlsSettings {
    /// Without the whole of rustls' configuration, which fills a page.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TlsSettings").finish_non_exhaustive()
    }
}

impl TlsSettings {
    /// No TLS: for measuring it against a simulator on this machine. A connection to any other machine is refused with
    /// [`NetError::PlainBeyondLoopback`](crate::NetError::PlainBeyondLoopback).
    pub const fn plain_on_loopback() -> Self {
        Self(None)
    }

    /// Trusts the certificate authorities in this PEM text and no others.
    pub fn from_ca_pem(pem: &str) -> Result<Self, TlsError> {
        let mut roots = RootCertStore::empty();
        for certificate in CertificateDer::pem_slice_iter(pem.as_bytes()) {
            roots.add(certificate.map_err(|_| TlsError::BadPem)?).map_err(TlsError::Settings)?;
        }
        Self::from_roots(roots)
    }

    /// Trusts what this machine's system bundle trusts. Reads a file: start-up only.
    pub fn system_roots() -> Result<Self, TlsError> {
        let bundle =
            SYSTEM_BUNDLES.iter().find_map(|path| fs::read(path).ok()).ok_or(TlsError::NoSystemRoots)?;
        let mut roots = RootCertStore::empty();
        // A system bundle may hold an odd old root; one that does not parse is simply not trusted.
        roots.add_parsable_certificates(CertificateDer::pem_slice_iter(&bundle).flatten());
        Self::from_roots(roots)
    }

    fn from_roots(roots: RootCertStore) -> Result<Self, TlsError> {
        if roots.is_empty() {
            return Err(TlsError::NoCertificate);
        }
        let mut config = ClientConfig::builder_with_provider(Arc::new(crypto()))
            .with_safe_default_protocol_versions()
            .map_err(TlsError::Settings)?
            .with_root_certificates(roots)
            .with_no_client_auth();
        // The record layer after the handshake is ours and needs the keys.
        config.enable_secret_extraction = true;
        config.resumption = Resumption::in_memory_sessions(RESUMPTION_SESSIONS);
        Ok(Self(Some(Arc::new(config))))
    }

    /// For connections that are not ours to make: mail begins without TLS. None without TLS.
    pub fn config(&self) -> Option<Arc<ClientConfig>> {
        self.0.clone()
    }
}

/// AES-128-GCM first: with AES hardware it is the quickest suite, and ChaCha20 costs about 115 ns more per record.
fn crypto() -> CryptoProvider {
    use provider::cipher_suite::*;
    CryptoProvider {
        cipher_suites: vec![
            TLS13_AES_128_GCM_SHA256,
            TLS13_AES_256_GCM_SHA384,
            TLS13_CHACHA20_POLY1305_SHA256,
            TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256,
            TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,
            TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384,
            TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384,
            TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256,
            TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256,
        ],
        ..provider::default_provider()
    }
}
