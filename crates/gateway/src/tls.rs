//! The certificates of Secrets, and which of them a client is shown.

use std::sync::Arc;

use arc_swap::ArcSwap;
use k8s_openapi::api::core::v1::Secret;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::server::{ClientHello, ResolvesServerCert};
use tokio_rustls::rustls::sign::CertifiedKey;
use tokio_rustls::rustls::{self, ServerConfig};

use crate::objects::Certificate;
use crate::routing::Table;

/// Reads a Secret of type `kubernetes.io/tls`.
pub(crate) fn certificate(secret: &Secret) -> Certificate {
    let held = |key: &str| {
        let data = secret.data.as_ref().and_then(|data| data.get(key));
        data.map(|bytes| bytes.0.as_slice()).ok_or_else(|| format!("it has no {key}"))
    };
    let (chain, key) = (held("tls.crt")?, held("tls.key")?);
    let chain: Vec<_> = CertificateDer::pem_slice_iter(chain)
        .collect::<Result<_, _>>()
        .map_err(|error| format!("its tls.crt is not PEM: {error}"))?;
    if chain.is_empty() {
        return Err("its tls.crt has no certificate in PEM".to_owned());
    }
    let key = PrivateKeyDer::from_pem_slice(key)
        .map_err(|error| format!("its tls.key is no key in PEM: {error}"))?;
    let certified = CertifiedKey::from_der(chain, key, &ring::default_provider())
        .map_err(|error| format!("its tls.crt and tls.key cannot be used together: {error}"))?;
    Ok(Arc::new(certified))
}

/// Shows clients of a port the certificate that the table has for the name that they ask for.
#[derive(Debug)]
pub(crate) struct Shown {
    pub(crate) table: Arc<ArcSwap<Table>>,
    pub(crate) port: u16,
}

impl ResolvesServerCert for Shown {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let table = self.table.load();
        let shown = table.ports.get(&self.port)?.certificates.as_ref()?;
        // Who names no host is shown what there is for all.
        let name = hello.server_name().unwrap_or_default().to_ascii_lowercase();
        let fitting = shown.iter().filter(|(host, _)| host.matches(&name));
        fitting.min_by_key(|(host, _)| host.rank()).map(|(_, key)| key.clone())
    }
}

impl Shown {
    /// What TLS is ended with at the port.
    pub(crate) fn config(self) -> Result<Arc<ServerConfig>, rustls::Error> {
        let builder = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()));
        let builder = builder.with_safe_default_protocol_versions()?;
        let mut config = builder.with_no_client_auth().with_cert_resolver(Arc::new(self));
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(Arc::new(config))
    }
}
