//! TLS of health checks: one configuration for each kind of verification, made once and shared by all attempts.

use std::{
    net::IpAddr,
    sync::{Arc, Mutex, OnceLock, PoisonError},
    time::{Duration, Instant},
};

use rustls::{
    ClientConfig, DigitallySignedStruct, Error, RootCertStore, SignatureScheme,
    client::{
        Resumption,
        danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
    },
    crypto::{CryptoProvider, ring},
    pki_types::{CertificateDer, ServerName, UnixTime},
};
use rustls_native_certs::{CertificateResult, ErrorKind};
use tokio::net::TcpStream;
use tokio_rustls::{TlsConnector, client::TlsStream};

use super::{fault::Fault, keep_open::KeepOpen};
use crate::{
    config::model::{Check, Failure, Host, HostName},
    observe::local_error::LocalError,
};

/// The system's root certificates are read again after this time, in which an operator may have added some.
const ROOTS_AGE: Duration = Duration::from_secs(3_600);

/// The same if there were none, or they could not be read.
const NO_ROOTS_AGE: Duration = Duration::from_secs(30);

/// The system's root certificates as they were read last.
static ROOTS: Mutex<Option<Roots>> = Mutex::new(None);

/// What verifies by the system's root certificates, until they are read again.
#[derive(Clone)]
struct Roots {
    config: Result<Arc<ClientConfig>, LocalError>,
    until: Instant,
}

/// Makes a TLS connection of a TCP connection to a server.
pub(super) async fn connect(
    check: &Check,
    server: IpAddr,
    stream: KeepOpen<TcpStream>,
) -> Result<TlsStream<KeepOpen<TcpStream>>, Fault> {
    let config = match check.verify {
        true => verifying().map_err(Fault::Local)?,
        false => accepting(),
    };
    let connected = TlsConnector::from(config).connect(name(check, server), stream).await;
    connected.map_err(|_| Fault::Server(Failure::Tls))
}

/// The name that is sent and that a verified certificate must have. An address is verified, but not sent.
fn name(check: &Check, server: IpAddr) -> ServerName<'static> {
    let host = check.host.as_ref().map(|Host { name, .. }| name);
    match (&check.sni, host) {
        (Some(name), _) | (None, Some(HostName::Dns(name))) => {
            ServerName::try_from(name.clone()).unwrap_or_else(|_| server.into())
        }
        (None, Some(HostName::Ip(address))) => (*address).into(),
        (None, None) => server.into(),
    }
}

/// Verifies certificates by the system's roots.
fn verifying() -> Result<Arc<ClientConfig>, LocalError> {
    let mut roots = ROOTS.lock().unwrap_or_else(PoisonError::into_inner);
    let now = Instant::now();
    let roots = match roots.take() {
        Some(read) if now < read.until => roots.insert(read),
        before => roots.insert(read(
            before.and_then(|before| before.config.ok()),
            rustls_native_certs::load_native_certs(),
            now,
        )),
    };
    roots.config.clone()
}

/// Trap: where files have run out, some roots are missing from what was read, and healthy servers would fail. What was
/// read before is kept then.
fn read(before: Option<Arc<ClientConfig>>, found: CertificateResult, now: Instant) -> Roots {
    if let Some(error) = found.errors.iter().find_map(shortage) {
        return Roots { config: before.ok_or(error), until: now + NO_ROOTS_AGE };
    }
    let mut store = RootCertStore::empty();
    store.add_parsable_certificates(found.certs);
    match store.is_empty() {
        true => Roots { config: Err(LocalError::Roots), until: now + NO_ROOTS_AGE },
        false => {
            Roots { config: Ok(Arc::new(finished(builder().with_root_certificates(store)))), until: now + ROOTS_AGE }
        }
    }
}

/// What this host lacked to read a file of root certificates.
fn shortage(error: &rustls_native_certs::Error) -> Option<LocalError> {
    let ErrorKind::Io { inner, .. } = &error.kind else { return None };
    match inner.raw_os_error()? {
        libc::EMFILE | libc::ENFILE => Some(LocalError::Files),
        libc::ENOMEM | libc::ENOBUFS => Some(LocalError::Memory),
        _ => None,
    }
}

/// Accepts any certificate.
fn accepting() -> Arc<ClientConfig> {
    static CONFIG: OnceLock<Arc<ClientConfig>> = OnceLock::new();
    let make = || {
        let verifier = Arc::new(Accept(Arc::new(ring::default_provider())));
        Arc::new(finished(builder().dangerous().with_custom_certificate_verifier(verifier)))
    };
    Arc::clone(CONFIG.get_or_init(make))
}

fn builder() -> rustls::ConfigBuilder<ClientConfig, rustls::WantsVerifier> {
    ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .expect("ring has the cipher suites of both versions")
}

/// Each attempt makes a whole handshake, as a new client would, so no session is kept.
fn finished(builder: rustls::ConfigBuilder<ClientConfig, rustls::client::WantsClientCert>) -> ClientConfig {
    let mut config = builder.with_no_client_auth();
    config.resumption = Resumption::disabled();
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    config
}

/// Accepts any certificate, even one that rustls cannot read.
#[derive(Debug)]
struct Accept(Arc<CryptoProvider>);

impl ServerCertVerifier for Accept {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn verify_tls13_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}

#[cfg(test)]
mod tests {
    use std::{fs, io, path::PathBuf, process::Command};

    use rustls::pki_types::pem::PemObject as _;

    use super::*;

    /// A certificate that signs itself.
    fn root() -> CertificateDer<'static> {
        let directory = tempfile::tempdir().unwrap();
        let (key, certificate) = (directory.path().join("key"), directory.path().join("certificate"));
        let mut openssl = Command::new("openssl");
        openssl.args([
            "req",
            "-x509",
            "-newkey",
            "ec",
            "-pkeyopt",
            "ec_paramgen_curve:P-256",
            "-nodes",
            "-subj",
            "/CN=a",
        ]);
        assert!(openssl.arg("-keyout").arg(key).arg("-out").arg(&certificate).output().unwrap().status.success());
        CertificateDer::from_pem_slice(&fs::read(certificate).unwrap()).unwrap()
    }

    fn found(certs: &[CertificateDer<'static>], error: Option<i32>) -> CertificateResult {
        let mut found = CertificateResult::default();
        found.certs = certs.to_vec();
        found.errors.extend(error.map(|error| rustls_native_certs::Error {
            context: "failed to open file",
            kind: ErrorKind::Io {
                inner: io::Error::from_raw_os_error(error),
                path: PathBuf::from("/etc/ssl/certs/a.pem"),
            },
        }));
        found
    }

    #[test]
    fn roots_that_could_not_all_be_read_are_not_used() {
        let (now, root) = (Instant::now(), [root()]);
        let whole = read(None, found(&root, None), now);
        assert_eq!(whole.until, now + ROOTS_AGE);
        let config = whole.config.unwrap();
        for (error, reason) in [(libc::EMFILE, LocalError::Files), (libc::ENOMEM, LocalError::Memory)] {
            let partial = read(None, found(&root, Some(error)), now);
            assert_eq!((partial.config.err(), partial.until), (Some(reason), now + NO_ROOTS_AGE));
            let kept = read(Some(Arc::clone(&config)), found(&root, Some(error)), now);
            assert!(Arc::ptr_eq(&kept.config.unwrap(), &config) && kept.until == now + NO_ROOTS_AGE);
        }
        // One that nobody may read, or that is none, will not be there later.
        let other = read(Some(Arc::clone(&config)), found(&root, Some(libc::EACCES)), now);
        assert!(!Arc::ptr_eq(&other.config.unwrap(), &config) && other.until == now + ROOTS_AGE);
        assert_eq!(read(Some(config), found(&[], None), now).config.err(), Some(LocalError::Roots));
    }
}
