//! Asking by an HTTP request.

use std::sync::{Arc, LazyLock};
use std::time::Duration;

use bytes::Bytes;
use http::header::{
    ACCEPT, CONNECTION, HOST, HeaderMap, HeaderName, HeaderValue, LOCATION, USER_AGENT as AGENT,
};
use http::{Request, StatusCode, Uri};
use http_body_util::Empty;
use hyper_util::rt::TokioIo;
use k8s_openapi::api::core::v1::HTTPGetAction;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::client::danger::{
    HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier,
};
use tokio_rustls::rustls::crypto::CryptoProvider;
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use tokio_rustls::rustls::{
    ClientConfig, DigitallySignedStruct, Error as TlsError, SignatureScheme,
};

use super::{Seen, Target, join};
use crate::process::runtime::Duplex;

/// What a server sees who asks: the kubelet of this version.
pub(super) const USER_AGENT: &str = "kube-probe/1.36";

const REDIRECTS_MAX: usize = 10;

pub(super) async fn look(target: &Target, action: &HTTPGetAction, time: Duration) -> Seen {
    let port = match target.port(&action.port) {
        Ok(port) => port,
        Err(error) => return Seen::Errored(error),
    };
    let secure =
        action.scheme.as_deref().is_some_and(|scheme| scheme.eq_ignore_ascii_case("HTTPS"));
    let host = target.host(action.host.as_deref());
    let path = action.path.as_deref().unwrap_or_default();
    let path = if path.starts_with('/') { path.to_owned() } else { format!("/{path}") };
    let mut place = Place { secure, host, port, path };
    let headers = headers(action);
    let asked = timeout(time, async {
        for _ in 0..=REDIRECTS_MAX {
            let (status, location) = ask(target, &place, &headers).await?;
            let next = location.filter(|_| status.is_redirection());
            match next.and_then(|location| place.follow(&location)) {
                // Another host is not the container any more: that it answers is enough.
                None => return Ok(status),
                Some(next) if next.host != place.host => return Ok(status),
                Some(next) => place = next,
            }
        }
        Err(format!("stopped after {REDIRECTS_MAX} redirects"))
    });
    let asked = asked.await.unwrap_or_else(|_| {
        Err("context deadline exceeded (Client.Timeout exceeded while awaiting headers)".to_owned())
    });
    match asked {
        Ok(status) if (200..400).contains(&status.as_u16()) => Seen::Well,
        Ok(status) => {
            Seen::Unwell(format!("HTTP probe failed with statuscode: {}", status.as_u16()))
        }
        Err(error) => Seen::Unwell(format!("Get \"{}\": {error}", place.url())),
    }
}

/// Where is asked.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Place {
    secure: bool,
    host: String,
    port: u16,
    path: String,
}

impl Place {
    fn url(&self) -> String {
        let scheme = if self.secure { "https" } else { "http" };
        format!("{scheme}://{}{}", join(&self.host, self.port), self.path)
    }

    /// Where a redirection leads; none if that is not to be made out.
    fn follow(&self, location: &str) -> Option<Self> {
        if location.starts_with('/') && !location.starts_with("//") {
            return Some(Self { path: location.to_owned(), ..self.clone() });
        }
        let uri: Uri = location.parse().ok()?;
        let secure = match uri.scheme_str()? {
            "http" => false,
            "https" => true,
            _ => return None,
        };
        let host = uri.host()?.trim_matches(['[', ']']).to_owned();
        let port = uri.port_u16().unwrap_or(if secure { 443 } else { 80 });
        let path = uri.path_and_query().map_or("/", |path| path.as_str()).to_owned();
        Some(Self { secure, host, port, path })
    }
}

fn headers(action: &HTTPGetAction) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for header in action.http_headers.iter().flatten() {
        let name = HeaderName::from_bytes(header.name.as_bytes());
        // What HTTP cannot carry is not sent.
        if let (Ok(name), Ok(value)) = (name, HeaderValue::from_str(&header.value)) {
            headers.append(name, value);
        }
    }
    headers.entry(AGENT).or_insert(HeaderValue::from_static(USER_AGENT));
    headers.entry(ACCEPT).or_insert(HeaderValue::from_static("*/*"));
    headers.insert(CONNECTION, HeaderValue::from_static("close"));
    headers
}

async fn ask(
    target: &Target,
    place: &Place,
    headers: &HeaderMap,
) -> Result<(StatusCode, Option<String>), String> {
    let stream = target.connect(Some(&place.host), place.port).await?;
    let stream: Box<dyn Duplex> = if place.secure {
        let name = ServerName::try_from(place.host.clone()).map_err(|error| error.to_string())?;
        let connector = TlsConnector::from(TLS.clone()?);
        Box::new(connector.connect(name, stream).await.map_err(|error| error.to_string())?)
    } else {
        stream
    };
    let shaken = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await;
    let (mut sender, connection) = shaken.map_err(|error| error.to_string())?;
    let mut request = Request::get(&place.path).body(Empty::<Bytes>::new());
    if let Ok(request) = &mut request {
        *request.headers_mut() = headers.clone();
        let host = HeaderValue::from_str(&join(&place.host, place.port));
        if let Ok(host) = host {
            request.headers_mut().entry(HOST).or_insert(host);
        }
    }
    let request = request.map_err(|error| error.to_string())?;
    let response = sender.send_request(request);
    tokio::pin!(response);
    // A connection that has ended may have brought the answer.
    let response = tokio::select! {
        response = &mut response => response,
        _ = connection => response.await,
    };
    let response = response.map_err(in_go)?;
    let location = response.headers().get(LOCATION);
    let location = location.and_then(|location| location.to_str().ok()).map(str::to_owned);
    Ok((response.status(), location))
}

/// A request that failed, in Go's words, which people look for.
fn in_go(error: hyper::Error) -> String {
    if error.is_incomplete_message() || error.is_canceled() {
        "EOF".to_owned()
    } else {
        error.to_string()
    }
}

/// As the kubelet does: what certificate a container has is its own affair.
static TLS: LazyLock<Result<Arc<ClientConfig>, String>> = LazyLock::new(|| {
    let provider = Arc::new(tokio_rustls::rustls::crypto::ring::default_provider());
    let builder = ClientConfig::builder_with_provider(provider.clone());
    let builder = builder.with_safe_default_protocol_versions().map_err(|e| e.to_string())?;
    let verifier = Arc::new(Anybody(provider));
    let config = builder.dangerous().with_custom_certificate_verifier(verifier);
    Ok(Arc::new(config.with_no_client_auth()))
});

/// Takes any certificate, of who can sign with it.
#[derive(Debug)]
struct Anybody(Arc<CryptoProvider>);

impl ServerCertVerifier for Anybody {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, TlsError> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, TlsError> {
        let algorithms = &self.0.signature_verification_algorithms;
        tokio_rustls::rustls::crypto::verify_tls12_signature(
            message,
            certificate,
            signature,
            algorithms,
        )
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, TlsError> {
        let algorithms = &self.0.signature_verification_algorithms;
        tokio_rustls::rustls::crypto::verify_tls13_signature(
            message,
            certificate,
            signature,
            algorithms,
        )
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
