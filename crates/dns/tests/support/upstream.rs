//! A DNS server that answers as a test wants, over UDP and TCP on the same port of loopback.
#![allow(dead_code, unreachable_pub, reason = "each test file uses its part")]

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, UdpSocket};
use tokio::sync::Notify;
use tokio::task::JoinSet;

/// By which transport a query came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum By {
    Udp,
    Tcp,
}

/// What is done about a query.
#[derive(Clone, Debug)]
pub enum Does {
    /// These messages are sent, in this order.
    Send(Vec<Vec<u8>>),
    /// After this time.
    Later(Duration, Vec<u8>),
    /// When the test says so.
    When(Arc<Notify>, Vec<u8>),
    /// Sent from another address.
    FromElsewhere(Vec<u8>),
    /// Nothing.
    Nothing,
    /// The connection is closed.
    Close,
}

type Script = Arc<dyn Fn(&[u8], By) -> Does + Send + Sync>;

/// The server; it ends with this.
pub struct FakeUpstream {
    pub address: SocketAddr,
    by_udp: Arc<AtomicUsize>,
    by_tcp: Arc<AtomicUsize>,
    connections: Arc<AtomicUsize>,
    _tasks: JoinSet<()>,
}

impl FakeUpstream {
    pub async fn start(script: impl Fn(&[u8], By) -> Does + Send + Sync + 'static) -> Self {
        // A port of both protocols.
        let (udp, tcp) = loop {
            let udp = UdpSocket::bind("127.0.0.1:0").await.expect("a socket");
            let address = udp.local_addr().expect("an address");
            if let Ok(tcp) = TcpListener::bind(address).await {
                break (udp, tcp);
            }
        };
        Self::on(udp, tcp, script)
    }

    /// Serves sockets that are there.
    pub fn on(
        udp: UdpSocket,
        tcp: TcpListener,
        script: impl Fn(&[u8], By) -> Does + Send + Sync + 'static,
    ) -> Self {
        let script: Script = Arc::new(script);
        let address = udp.local_addr().expect("an address");
        let counter = || Arc::new(AtomicUsize::new(0));
        let (by_udp, by_tcp, connections) = (counter(), counter(), counter());
        let mut tasks = JoinSet::new();
        tasks.spawn(serve_udp(Arc::new(udp), script.clone(), by_udp.clone()));
        tasks.spawn(serve_tcp(tcp, script, by_tcp.clone(), connections.clone()));
        Self { address, by_udp, by_tcp, connections, _tasks: tasks }
    }

    /// Queries so far.
    pub fn asked(&self, by: By) -> usize {
        match by {
            By::Udp => self.by_udp.load(Ordering::SeqCst),
            By::Tcp => self.by_tcp.load(Ordering::SeqCst),
        }
    }

    pub fn connections(&self) -> usize {
        self.connections.load(Ordering::SeqCst)
    }
}

async fn serve_udp(socket: Arc<UdpSocket>, script: Script, count: Arc<AtomicUsize>) {
    let mut query = vec![0; 4096];
    loop {
        let Ok((length, from)) = socket.recv_from(&mut query).await else { continue };
        count.fetch_add(1, Ordering::SeqCst);
        let does = script(&query[..length], By::Udp);
        let socket = socket.clone();
        tokio::spawn(async move {
            match does {
                Does::Send(messages) => {
                    for message in messages {
                        let _ = socket.send_to(&message, from).await;
                    }
                }
                Does::Later(time, message) => {
                    tokio::time::sleep(time).await;
                    let _ = socket.send_to(&message, from).await;
                }
                Does::When(told, message) => {
                    told.notified().await;
                    let _ = socket.send_to(&message, from).await;
                }
                Does::FromElsewhere(message) => {
                    let other = UdpSocket::bind("127.0.0.2:0").await.expect("a socket");
                    let _ = other.send_to(&message, from).await;
                }
                Does::Nothing | Does::Close => {}
            }
        });
    }
}

async fn serve_tcp(
    listener: TcpListener,
    script: Script,
    count: Arc<AtomicUsize>,
    connections: Arc<AtomicUsize>,
) {
    let mut tasks = JoinSet::new();
    loop {
        let Ok((stream, _)) = listener.accept().await else { continue };
        connections.fetch_add(1, Ordering::SeqCst);
        tasks.spawn(serve_stream(stream, script.clone(), count.clone()));
    }
}

/// Serves one connection, of TCP or of TLS.
async fn serve_stream(
    stream: impl tokio::io::AsyncRead + tokio::io::AsyncWrite + Send + 'static,
    script: Script,
    count: Arc<AtomicUsize>,
) {
    let (mut reader, writer) = tokio::io::split(stream);
    let writer = Arc::new(tokio::sync::Mutex::new(writer));
    let mut later = JoinSet::new();
    while let Ok(length) = reader.read_u16().await {
        let mut query = vec![0; usize::from(length)];
        if reader.read_exact(&mut query).await.is_err() {
            return;
        }
        count.fetch_add(1, Ordering::SeqCst);
        let at_once = Duration::ZERO;
        let (time, messages) = match script(&query, By::Tcp) {
            Does::Send(messages) => (at_once, messages),
            Does::FromElsewhere(message) | Does::When(_, message) => (at_once, vec![message]),
            Does::Later(time, message) => (time, vec![message]),
            Does::Nothing => continue,
            Does::Close => return,
        };
        let writer = writer.clone();
        later.spawn(async move {
            tokio::time::sleep(time).await;
            for message in messages {
                let framed = super::framed(&message);
                let mut writer = writer.lock().await;
                let _ = writer.write_all(&framed).await;
                let _ = writer.flush().await;
            }
        });
    }
}
