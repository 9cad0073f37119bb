//! `headcount dns` with a certificate: DNS over TLS and HTTPS, renewal by SIGHUP; whole zones for those who may have them.

use std::io::{Read as _, Write as _};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;
use hickory_proto::op::{Message, Query, ResponseCode};
use hickory_proto::rr::{Name, RecordType};
use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, ServerName};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::{ClientConfig, RootCertStore};

use crate::dns::{DB, service};
use crate::support::server::{Dns, folder};
use crate::support::{PATIENCE, signal};

/// Another certificate for `dns.example`, and its key, in the folder.
fn renew(folder: &Path) {
    let made = rcgen::generate_simple_self_signed(["dns.example".to_owned()]).expect("made");
    std::fs::write(folder.join("tls.key"), made.signing_key.serialize_pem()).expect("written");
    std::fs::write(folder.join("tls.crt"), made.cert.pem()).expect("written");
}

fn served() -> TempDir {
    let settings = "encrypted: { tls: ['127.0.0.1:0'], https: ['127.0.0.1:0'], certificate: tls.crt, key: tls.key }\n";
    let folder = folder(&[("db.yaml", &service("db", "10.0.0.7")), ("dns.conf", settings)]);
    renew(folder.path());
    folder
}

const ARGUMENTS: [&str; 6] =
    ["-f", "manifests", "--listen", "127.0.0.1:0", "--config", "manifests/dns.conf"];

async fn connect(
    address: SocketAddr,
    authority: &Path,
    protocol: &str,
) -> std::io::Result<TlsStream<TcpStream>> {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_file(authority).expect("a certificate")).expect("added");
    let mut config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .expect("versions")
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = vec![protocol.as_bytes().to_vec()];
    let stream = TcpStream::connect(address).await?;
    let name = ServerName::try_from("dns.example").expect("a name");
    TlsConnector::from(Arc::new(config)).connect(name, stream).await
}

fn query(name: &str, rtype: RecordType) -> Vec<u8> {
    let mut message = Message::query();
    message.add_query(Query::query(Name::from_ascii(name).expect("a name"), rtype));
    message.to_vec().expect("a query")
}

fn addresses(reply: &[u8]) -> Vec<String> {
    let message = Message::from_vec(reply).expect("a well-formed reply");
    message.answers.iter().map(|record| record.data.to_string()).collect()
}

async fn over_tls(dns: &Dns, authority: &Path) -> std::io::Result<Vec<String>> {
    let mut stream = connect(dns.word("tls"), authority, "dot").await?;
    let query = query(DB, RecordType::A);
    stream.write_u16(query.len() as u16).await?;
    stream.write_all(&query).await?;
    let mut reply = vec![0; stream.read_u16().await?.into()];
    stream.read_exact(&mut reply).await?;
    Ok(addresses(&reply))
}

async fn over_https(dns: &Dns, authority: &Path) -> std::io::Result<Vec<String>> {
    let query = query(DB, RecordType::A);
    let mut stream = connect(dns.word("https"), authority, "http/1.1").await?;
    let head = format!(
        "POST /dns-query HTTP/1.1\r\nHost: dns.example\r\nContent-Type: application/dns-message\r\n\
         Content-Length: {}\r\nConnection: close\r\n\r\n",
        query.len()
    );
    stream.write_all(&[head.as_bytes(), &query].concat()).await?;
    let mut reply = Vec::new();
    stream.read_to_end(&mut reply).await?;
    let reply = Bytes::from(reply);
    assert!(reply.starts_with(b"HTTP/1.1 200 OK\r\n"), "{reply:?}");
    let body = reply.windows(4).position(|four| four == b"\r\n\r\n").expect("a body") + 4;
    Ok(addresses(&reply[body..]))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn queries_come_encrypted_and_a_hang_up_reads_the_certificate_again() {
    let dns = Dns::start(served(), &ARGUMENTS);
    let current: PathBuf = dns.folder.path().join("tls.crt");
    assert_eq!(over_tls(&dns, &current).await.expect("a reply"), ["10.0.0.7"]);
    assert_eq!(over_https(&dns, &current).await.expect("a reply"), ["10.0.0.7"]);

    let old = dns.folder.path().join("old.crt");
    std::fs::copy(&current, &old).expect("copied");
    renew(dns.folder.path());
    assert!(over_tls(&dns, &old).await.is_ok(), "nobody said that there is another");
    signal(dns.pid(), "HUP");
    let renewed = async {
        while over_tls(&dns, &current).await.is_err() {
            tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(PATIENCE, renewed).await.expect("the new certificate is shown");
    assert!(over_tls(&dns, &old).await.is_err() && over_https(&dns, &old).await.is_err());
    assert_eq!(over_https(&dns, &current).await.expect("a reply"), ["10.0.0.7"]);
    assert_eq!(dns.stderr(), "");

    // One that is of no use changes nothing, and is said to be so.
    std::fs::write(dns.folder.path().join("tls.key"), "no key").expect("written");
    signal(dns.pid(), "HUP");
    dns.until("it is said", |dns| {
        dns.stderr()
            == "error: cannot read the key of DNS over TLS and HTTPS from tls.key: no items found\n  \
                note: the certificate stays as it was\n"
    });
    assert_eq!(over_tls(&dns, &current).await.expect("a reply"), ["10.0.0.7"]);
}

#[test]
fn a_certificate_that_is_of_no_use_is_said_to_be_so_at_the_start() {
    #[track_caller]
    fn check(spoil: impl Fn(&Path), expected: &str) {
        let folder = served();
        spoil(folder.path());
        let output = crate::support::headcount(folder.path())
            .arg("dns")
            .args(ARGUMENTS)
            .current_dir(folder.path())
            .output()
            .expect("headcount runs");
        assert_eq!(String::from_utf8_lossy(&output.stderr), expected);
        assert_eq!(output.status.code(), Some(2));
    }
    check(
        |folder| std::fs::remove_file(folder.join("tls.crt")).expect("removed"),
        "error: cannot read the certificate of DNS over TLS and HTTPS from tls.crt: I/O error: No such file or directory (os error 2)\n",
    );
    check(
        |folder| std::fs::write(folder.join("tls.crt"), "").expect("written"),
        "error: tls.crt has no certificate: DNS over TLS and HTTPS need one in PEM\n",
    );
    check(
        |folder| {
            let key = std::fs::read(folder.join("tls.key")).expect("a key");
            renew(folder);
            std::fs::write(folder.join("tls.key"), key).expect("written");
        },
        "error: cannot use the certificate in tls.crt with the key in tls.key: keys may not be consistent: KeyMismatch\n",
    );
}

/// The reply to AXFR over TCP, asked from an address.
fn transfer(dns: &Dns, from: Ipv4Addr, zone: &str) -> Message {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let stream = runtime.expect("a runtime").block_on(async {
        let socket = tokio::net::TcpSocket::new_v4().expect("a socket");
        socket.bind((IpAddr::from(from), 0).into()).expect("an address of this machine");
        let stream = socket.connect(dns.addresses[0]).await.expect("a connection");
        stream.into_std().expect("a stream")
    });
    stream.set_nonblocking(false).expect("set");
    stream.set_read_timeout(Some(PATIENCE)).expect("set");
    let mut stream = stream;
    let query = query(zone, RecordType::AXFR);
    stream.write_all(&(query.len() as u16).to_be_bytes()).expect("sent");
    stream.write_all(&query).expect("sent");
    let mut length = [0; 2];
    stream.read_exact(&mut length).expect("a length");
    let mut reply = vec![0; u16::from_be_bytes(length).into()];
    stream.read_exact(&mut reply).expect("a reply");
    Message::from_vec(&reply).expect("a well-formed reply")
}

#[cfg(target_os = "linux")]
#[test]
fn whole_zones_go_to_those_who_may_have_them_and_the_setting_may_change() {
    let settings = "transferTo: [127.0.0.2/32]\n";
    let files = [("db.yaml", &*service("db", "10.0.0.7")), ("dns.conf", settings)];
    let dns = Dns::start(folder(&files), &ARGUMENTS);
    let (other, friend) = (Ipv4Addr::LOCALHOST, Ipv4Addr::new(127, 0, 0, 2));
    let refused = |from| {
        let reply = transfer(&dns, from, "cluster.local.");
        (reply.metadata.response_code, reply.answers.len()) == (ResponseCode::Refused, 0)
    };
    assert!(refused(other));
    let zone = transfer(&dns, friend, "cluster.local.").answers;
    let types: Vec<_> = zone.iter().map(|record| record.record_type()).collect();
    assert_eq!([types[0], types[types.len() - 1]], [RecordType::SOA; 2], "{types:?}");
    assert!(zone.iter().any(|record| {
        (record.name.to_string(), record.data.to_string()) == (DB.to_owned(), "10.0.0.7".to_owned())
    }));
    let reply = transfer(&dns, friend, "example.org.");
    assert_eq!(reply.metadata.response_code, ResponseCode::Refused, "no zone of ours");

    std::fs::write(dns.path("dns.conf"), "transferTo: [127.0.0.1/32]\n").expect("written");
    dns.until("the other may have it", |_| !refused(other));
    assert!(refused(friend));
    assert_eq!(dns.stderr(), "");
}
