//! TLS that ends at the gateway.

use std::sync::Arc;

use rcgen::CertifiedKey;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::client::Resumption;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::{ClientConfig, RootCertStore};

use crate::backend::echo;
use crate::fixture::{Cluster, gateway, ingress, route};

/// A Secret with a certificate for a name, and who trusts it.
fn secret(name: &str, host: &str) -> (Value, TlsConnector) {
    let CertifiedKey { cert, signing_key } =
        rcgen::generate_simple_self_signed([host.to_owned()]).unwrap();
    let secret = json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name}, "type": "kubernetes.io/tls",
        "stringData": {"tls.crt": cert.pem(), "tls.key": signing_key.serialize_pem()}});
    let mut roots = RootCertStore::empty();
    roots.add(cert.der().clone()).unwrap();
    let mut config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    // Who resumes a session is shown no certificate.
    config.resumption = Resumption::disabled();
    (secret, TlsConnector::from(Arc::new(config)))
}

/// The answer to a GET of a host, or why there is no TLS.
async fn get(
    cluster: &Cluster,
    port: u16,
    host: &str,
    trust: &TlsConnector,
) -> Result<String, String> {
    let stream = cluster.connect(port).await;
    let name = host.to_owned().try_into().unwrap();
    let mut stream = trust.connect(name, stream).await.map_err(|error| error.to_string())?;
    let request = format!("GET / HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    let _ = stream.read_to_string(&mut answer).await;
    Ok(answer)
}

#[tokio::test]
async fn an_ingress_shows_the_certificate_of_each_host() {
    let cluster = Cluster::start(&[]).await;
    cluster.serve("web", 1, echo("web", Arc::default()).await).await;
    let ((a, trust_a), (b, trust_b)) = (secret("a", "a.example.com"), secret("b", "b.example.com"));
    let backend = json!({"service": {"name": "web", "port": {"number": 80}}});
    let tls = |name: &str| json!({"hosts": [format!("{name}.example.com")], "secretName": name});
    let spec = json!({"tls": [tls("a"), tls("b")], "defaultBackend": backend});
    cluster.apply(&[ingress("i", spec), a]).await;
    let answer = get(&cluster, 443, "a.example.com", &trust_a).await.unwrap();
    assert!(
        answer.starts_with("HTTP/1.1 200 ") && answer.contains("x-forwarded-proto: https"),
        "{answer}"
    );
    // The Secret comes later, and then changes.
    assert!(get(&cluster, 443, "b.example.com", &trust_b).await.is_err());
    cluster.apply(&[b]).await;
    get(&cluster, 443, "b.example.com", &trust_b).await.unwrap();
    let (other, trust_other) = secret("b", "b.example.com");
    cluster.apply(&[other]).await;
    assert!(get(&cluster, 443, "b.example.com", &trust_b).await.is_err());
    get(&cluster, 443, "b.example.com", &trust_other).await.unwrap();
}

#[tokio::test]
async fn a_listener_waits_for_its_certificate() {
    let tls = json!({"certificateRefs": [{"name": "cert"}]});
    let cluster = Cluster::start(&[
        gateway(json!([{"name": "https", "port": 8443, "protocol": "HTTPS", "tls": tls}])),
        route("r", json!([{"backendRefs": [{"name": "web", "port": 80}]}])),
    ])
    .await;
    cluster.serve("web", 1, echo("web", Arc::default()).await).await;
    let said = async || {
        let web = cluster.get("gateway.networking.k8s.io/v1", "Gateway", "web").await;
        let conditions = web["status"]["listeners"][0]["conditions"].clone();
        ["reason", "message"].map(|field| conditions[2][field].as_str().unwrap().to_owned())
    };
    let missing = "there is no Secret cert in namespace default";
    assert_eq!(said().await, ["InvalidCertificateRef", missing]);
    let bad = json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "cert"}, "stringData": {"tls.crt": "x"}});
    cluster.apply(&[bad]).await;
    assert_eq!(said().await, ["InvalidCertificateRef", "Secret default/cert: it has no tls.key"]);
    let (mut cert, trust) = secret("cert", "x.example.com");
    // The type of a Secret stays as it was made.
    cert["type"] = "Opaque".into();
    cluster.apply(&[cert]).await;
    assert_eq!(said().await, ["ResolvedRefs", ""]);
    let answer = get(&cluster, 8443, "x.example.com", &trust).await.unwrap();
    assert!(answer.contains("web GET / "), "{answer}");
}

#[tokio::test]
async fn a_port_turns_to_tls_at_once() {
    let (cert, trust) = secret("cert", "x.example.com");
    let cluster = Cluster::start(&[
        cert,
        gateway(json!([{"name": "http", "port": 8443, "protocol": "HTTP"}])),
        route("r", json!([{"backendRefs": [{"name": "web", "port": 80}]}])),
    ])
    .await;
    cluster.serve("web", 1, echo("web", Arc::default()).await).await;
    cluster.connect(8443).await;
    let tls = json!({"certificateRefs": [{"name": "cert"}]});
    let listener = json!([{"name": "https", "port": 8443, "protocol": "HTTPS", "tls": tls}]);
    cluster.apply(&[gateway(listener)]).await;
    assert_eq!(*cluster.network.taken.lock().unwrap(), []);
    let answer = get(&cluster, 8443, "x.example.com", &trust).await.unwrap();
    assert!(answer.contains("web GET / "), "{answer}");
}
