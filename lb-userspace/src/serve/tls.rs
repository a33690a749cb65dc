//! The listener's certificate and key.

use std::{path::PathBuf, sync::Arc};

use anyhow::{Context as _, Result, bail};
use rustls::{
    ServerConfig,
    crypto::ring,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject as _},
};

/// Reads a certificate, with those of its issuers, and its key.
pub(super) fn read(paths: &[PathBuf]) -> Result<ServerConfig> {
    let [certificate, key] = paths else { bail!("--tls-cert and --tls-key belong together") };
    let reading = |option: &str, path: &PathBuf| format!("reading {option} {}", path.display());
    let chain: Result<Vec<_>, _> =
        CertificateDer::pem_file_iter(certificate).with_context(|| reading("--tls-cert", certificate))?.collect();
    let chain = chain.with_context(|| reading("--tls-cert", certificate))?;
    if chain.is_empty() {
        bail!("--tls-cert {} has no certificate in PEM", certificate.display());
    }
    let private = PrivateKeyDer::from_pem_file(key).with_context(|| reading("--tls-key", key))?;
    let mut config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_single_cert(chain, private)
        .with_context(|| format!("--tls-cert {} and --tls-key {}", certificate.display(), key.display()))?;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(config)
}
