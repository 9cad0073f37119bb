//! The certificate that clients of DNS over TLS and HTTPS are shown: read from files, and again when told.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use arc_swap::ArcSwap;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::pem::{self, PemObject};
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::server::{ClientHello, ResolvesServerCert};
use tokio_rustls::rustls::sign::CertifiedKey;
use tokio_rustls::rustls::{self, ServerConfig};

use crate::EncryptedConfig;

/// Why there is no certificate to show.
#[derive(Debug, thiserror::Error)]
pub enum CertificateError {
    /// A file can't be read, or is not PEM.
    #[error("cannot read {what} of DNS over TLS and HTTPS from {}", path.display())]
    File {
        /// A certificate, or its key.
        what: &'static str,
        /// Which.
        path: PathBuf,
        /// Why.
        source: pem::Error,
    },
    /// The file has none.
    #[error("{} has no certificate: DNS over TLS and HTTPS need one in PEM", .0.display())]
    Empty(PathBuf),
    /// Key and certificate do not go together, or are of a kind that can't be used.
    #[error("cannot use the certificate in {} with the key in {}", certificate.display(), key.display())]
    Unusable {
        /// The certificate's file.
        certificate: PathBuf,
        /// The key's file.
        key: PathBuf,
        /// Why.
        source: rustls::Error,
    },
}

/// The certificate and key of now. New connections see what was read last.
#[derive(Debug)]
pub(crate) struct Certificate {
    current: ArcSwap<CertifiedKey>,
    certificate: PathBuf,
    key: PathBuf,
}

impl ResolvesServerCert for Certificate {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.current.load_full())
    }
}

impl Certificate {
    pub(crate) fn read(config: &EncryptedConfig) -> Result<Arc<Self>, CertificateError> {
        let EncryptedConfig { certificate, key, .. } = config;
        let current = ArcSwap::from_pointee(read(certificate, key)?);
        Ok(Arc::new(Self { current, certificate: certificate.clone(), key: key.clone() }))
    }

    /// Reads the files again. After an error, what was read before is shown still.
    pub(crate) fn reload(&self) -> Result<(), CertificateError> {
        self.current.store(Arc::new(read(&self.certificate, &self.key)?));
        Ok(())
    }

    /// Accepts connections that speak one of these protocols, or name none.
    pub(crate) fn acceptor(
        self: &Arc<Self>,
        protocols: &[&str],
    ) -> Result<TlsAcceptor, CertificateError> {
        let builder = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .map_err(|source| unusable(&self.certificate, &self.key, source))?;
        let mut config = builder.with_no_client_auth().with_cert_resolver(self.clone());
        config.alpn_protocols = protocols.iter().map(|name| name.as_bytes().to_vec()).collect();
        Ok(Arc::new(config).into())
    }
}

fn read(certificate: &Path, key: &Path) -> Result<CertifiedKey, CertificateError> {
    let failed =
        |what, path: &Path, source| CertificateError::File { what, path: path.to_owned(), source };
    let chain = CertificateDer::pem_file_iter(certificate)
        .and_then(Iterator::collect::<Result<Vec<_>, _>>)
        .map_err(|source| failed("the certificate", certificate, source))?;
    if chain.is_empty() {
        return Err(CertificateError::Empty(certificate.to_owned()));
    }
    let read_key =
        PrivateKeyDer::from_pem_file(key).map_err(|source| failed("the key", key, source))?;
    CertifiedKey::from_der(chain, read_key, &ring::default_provider())
        .map_err(|source| unusable(certificate, key, source))
}

fn unusable(certificate: &Path, key: &Path, source: rustls::Error) -> CertificateError {
    CertificateError::Unusable { certificate: certificate.to_owned(), key: key.to_owned(), source }
}
