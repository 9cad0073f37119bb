//! Clients that do not read what they asked for: everyone else is served as usual, and memory stays bounded. Alone in its
//! binary, since the process's memory is what it looks at, and what another test has freed would hide what this one takes.

#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used)]

mod tls;

use api::serve::Limits;
use tls::{CONFIG_MAPS, PROTOCOLS, Protocol, Served, resident, serve, sized};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

const MIB: usize = 1024 * 1024;

/// Asks for something and reads only the first bytes of the answer.
async fn ask_and_ignore(
    served: &Served,
    path: &str,
) -> tokio_rustls::client::TlsStream<tokio::net::TcpStream> {
    let mut stream = served.tls(Protocol::Http1).await;
    let request = format!(
        "GET {path} HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer {}\r\n\r\n",
        served.token()
    );
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut first = [0; 15];
    stream.read_exact(&mut first).await.unwrap();
    assert_eq!(&first, b"HTTP/1.1 200 OK");
    stream
}

#[tokio::test]
async fn unread_lists_and_watches_cost_little() {
    const OBJECTS: usize = 24;
    const CLIENTS: usize = 20;
    let served = serve(Limits::default()).await;
    let mut writer = served.connect(Protocol::Http2).await;
    for index in 0..OBJECTS {
        writer.create(&format!("m{index:02}"), MIB).await;
    }
    // The first reading of all of it, so that what the reader itself takes is there already.
    assert_eq!(writer.get(CONFIG_MAPS).await.1["items"].as_array().unwrap().len(), OBJECTS);

    let before = resident();
    let mut unread = Vec::new();
    for _ in 0..CLIENTS {
        unread.push(ask_and_ignore(&served, CONFIG_MAPS).await);
        unread.push(ask_and_ignore(&served, &format!("{CONFIG_MAPS}?watch=true")).await);
        let client = served.connect(Protocol::Http2).await;
        // hyper's client takes in what the windows of HTTP/2 allow, and no more.
        let list = client.another().send(&format!("GET {CONFIG_MAPS}"), &[], sized("")).await;
        assert_eq!(list.unwrap().status(), 200);
    }
    for protocol in PROTOCOLS {
        let mut other = served.connect(protocol).await;
        assert_eq!(other.get(&format!("{CONFIG_MAPS}/m07")).await.0, 200, "{protocol:?}");
    }
    let grown = resident().saturating_sub(before);
    assert!(grown < 5 * OBJECTS * MIB, "{grown} bytes for {} clients", 3 * CLIENTS);
    eprintln!("{} MiB for {} clients that read nothing", grown / MIB, unread.len());
}
