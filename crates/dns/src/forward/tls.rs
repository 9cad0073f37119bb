//! Who may sign upstreams' certificates.

use std::path::PathBuf;
use std::sync::Arc;

use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::CertificateDer;
use tokio_rustls::rustls::pki_types::pem::{self, PemObject};
use tokio_rustls::rustls::{ClientConfig, RootCertStore};

use super::config::{Authorities, ForwardConfig};
use super::upstream::UpstreamProtocol;

/// Forwarding can't be set up.
#[derive(Debug, thiserror::Error)]
pub enum ForwardError {
    /// The file of authorities can't be read.
    #[error("cannot read the authorities of upstream servers in {}", path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        source: pem::Error,
    },
    /// There are no authorities.
    #[error("no authority to check `tls://` upstream servers by: {0}")]
    None(String),
    /// The TLS library refuses.
    #[error("cannot set up TLS to upstream servers")]
    Tls(#[source] tokio_rustls::rustls::Error),
}

/// What TLS connections are made with; `None` when no upstream wants it.
pub(super) fn connector(config: &ForwardConfig) -> Result<Option<TlsConnector>, ForwardError> {
    let stubs = config.stub_zones.iter().flat_map(|stub| &stub.upstreams);
    let is_tls = |protocol: &UpstreamProtocol| matches!(protocol, UpstreamProtocol::Tls(_));
    if !stubs.chain(&config.upstreams).any(|upstream| is_tls(&upstream.protocol)) {
        return Ok(None);
    }
    let certificates = match &config.authorities {
        Authorities::System => {
            let found = rustls_native_certs::load_native_certs();
            if found.certs.is_empty() {
                let errors: Vec<_> = found.errors.iter().map(ToString::to_string).collect();
                let why = match &*errors {
                    [] => "this system has none; name a file of them".to_owned(),
                    errors => errors.join("; "),
                };
                return Err(ForwardError::None(why));
            }
            found.certs
        }
        Authorities::File(path) => CertificateDer::pem_file_iter(path)
            .and_then(Iterator::collect)
            .map_err(|source| ForwardError::File { path: path.clone(), source })?,
    };
    let mut roots = RootCertStore::empty();
    // A system may have some that the library does not take; one that works is enough.
    let (added, _) = roots.add_parsable_certificates(certificates);
    if added == 0 {
        let of = match &config.authorities {
            Authorities::System => "the system has no certificate that can be used".to_owned(),
            Authorities::File(path) => {
                format!("{} has no certificate that can be used", path.display())
            }
        };
        return Err(ForwardError::None(of));
    }
    let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(ForwardError::Tls)?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(Some(TlsConnector::from(Arc::new(config))))
}
