//! A client that costs little beside the server: one kept connection, HTTP/1.1 over TLS, nothing decoded.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;

use rustls_pki_types::{CertificateDer, ServerName};
use tokio_rustls::rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};

use crate::support::{PATIENCE, Up};

/// The token that the servers of this benchmark are started with.
pub(crate) const TOKEN: &str = "token-of-a-benchmark";

/// Where a server is, and how it is known.
#[derive(Clone)]
pub(crate) struct Target {
    address: SocketAddr,
    tls: Arc<ClientConfig>,
}

impl Target {
    pub(crate) fn of(up: &Up) -> Self {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let kubeconfig = kube::config::Kubeconfig::read_from(&up.kubeconfig).unwrap();
        let options = kube::config::KubeConfigOptions::default();
        let config = kube::Config::from_custom_kubeconfig(kubeconfig, &options);
        let config = runtime.block_on(config).unwrap();
        let mut roots = RootCertStore::empty();
        for certificate in config.root_cert.unwrap() {
            roots.add(CertificateDer::from(certificate)).unwrap();
        }
        let provider = Arc::new(tokio_rustls::rustls::crypto::ring::default_provider());
        let tls = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
        let address = config.cluster_url.authority().unwrap().as_str().parse().unwrap();
        Self { address, tls: Arc::new(tls) }
    }

    pub(crate) fn connect(&self) -> Connection {
        let stream = TcpStream::connect(self.address).unwrap();
        stream.set_nodelay(true).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        let name = ServerName::from(self.address.ip());
        let tls = ClientConnection::new(self.tls.clone(), name).unwrap();
        let stream = StreamOwned::new(tls, stream);
        Connection { stream: BufReader::with_capacity(1 << 16, stream), body: Vec::new() }
    }
}

/// A kept connection.
pub(crate) struct Connection {
    stream: BufReader<StreamOwned<ClientConnection, TcpStream>>,
    body: Vec<u8>,
}

/// How long an answer's body is.
enum Length {
    Bytes(usize),
    Chunked,
}

impl Connection {
    /// Sends a request and reads the answer in whole, which must be a success.
    pub(crate) fn ask(&mut self, method: &str, path: &str, body: &[u8]) -> &[u8] {
        self.send(method, path, body);
        match self.head() {
            Length::Bytes(length) => {
                self.body.resize(length, 0);
                self.stream.read_exact(&mut self.body).unwrap();
            }
            Length::Chunked => {
                self.body.clear();
                while self.chunk() > 0 {}
            }
        }
        &self.body
    }

    /// Begins a watch; [`Self::events`] reads on.
    pub(crate) fn watch(&mut self, path: &str) {
        self.send("GET", path, b"");
        assert!(matches!(self.head(), Length::Chunked), "a watch has no length");
    }

    /// The next lines of a watch.
    pub(crate) fn events(&mut self) -> &[u8] {
        self.body.clear();
        while self.body.last() != Some(&b'\n') {
            assert!(self.chunk() > 0, "the watch ended");
        }
        &self.body
    }

    fn send(&mut self, method: &str, path: &str, body: &[u8]) {
        let content = match method {
            "PATCH" if path.contains("fieldManager=") => "application/apply-patch+yaml",
            "PATCH" => "application/merge-patch+json",
            _ => "application/json",
        };
        let mut request = format!(
            "{method} {path} HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer {TOKEN}\r\nuser-agent: benchmark\r\n\
             content-type: {content}\r\ncontent-length: {}\r\n\r\n",
            body.len()
        )
        .into_bytes();
        request.extend_from_slice(body);
        let stream = self.stream.get_mut();
        stream.write_all(&request).unwrap();
        stream.flush().unwrap();
    }

    fn head(&mut self) -> Length {
        let mut line = String::new();
        self.stream.read_line(&mut line).unwrap();
        let status = line.trim_end().to_owned();
        let mut length = Length::Bytes(0);
        loop {
            line.clear();
            self.stream.read_line(&mut line).unwrap();
            let Some((name, value)) = line.trim_end().split_once(": ") else { break };
            if name.eq_ignore_ascii_case("content-length") {
                length = Length::Bytes(value.parse().unwrap());
            } else if name.eq_ignore_ascii_case("transfer-encoding") {
                length = Length::Chunked;
            }
        }
        if !status.contains(" 20") {
            let mut body = vec![0; if let Length::Bytes(length) = length { length } else { 0 }];
            self.stream.read_exact(&mut body).unwrap();
            panic!("{status}: {}", String::from_utf8_lossy(&body));
        }
        length
    }

    /// Adds the next chunk to the body; 0 at the end.
    fn chunk(&mut self) -> usize {
        let mut line = String::new();
        self.stream.read_line(&mut line).unwrap();
        let length = usize::from_str_radix(line.trim_end(), 16).unwrap();
        let start = self.body.len();
        self.body.resize(start + length + 2, 0);
        self.stream.read_exact(&mut self.body[start..]).unwrap();
        self.body.truncate(start + length);
        length
    }
}
