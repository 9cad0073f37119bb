//! Ten thousand watches, and clients that do not read what they asked for: everyone else is served as usual, and memory
//! stays bounded. Alone in its binary, since the process's memory is what it looks at.

#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used)]

mod tls;

use std::time::{Duration, Instant};

use api::serve::Limits;
use http_body_util::BodyExt as _;
use tls::{CONFIG_MAPS, PROTOCOLS, Protocol, Served, serve, sized};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::sync::Mutex;

/// One test at a time.
static ALONE: Mutex<()> = Mutex::const_new(());

/// The process's resident memory in bytes.
fn resident() -> usize {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.trim().trim_end_matches(" kB").parse::<usize>().unwrap() * 1024
}

const MIB: usize = 1024 * 1024;

#[tokio::test]
async fn ten_thousand_watches_see_a_write() {
    const CONNECTIONS: usize = 10;
    const STREAMS: usize = 1000;
    let _alone = ALONE.lock().await;
    let served = serve(Limits::default()).await;
    let before = resident();
    let mut watches = Vec::new();
    for _ in 0..CONNECTIONS {
        let client = served.connect(Protocol::Http2).await;
        for _ in 0..STREAMS {
            let head = format!("GET {CONFIG_MAPS}?watch=true&allowWatchBookmarks=true");
            let response = client.another().send(&head, &[], sized("")).await.unwrap();
            assert_eq!(response.status(), 200);
            watches.push(response.into_body());
        }
    }
    // Both ends of each watch: the client is in this process.
    let each = resident().saturating_sub(before) / watches.len();
    assert!(each < 48 * 1024, "{each} bytes a watch");

    let mut writer = served.connect(Protocol::Http1).await;
    let start = Instant::now();
    writer.create("seen", 1000).await;
    for watch in &mut watches {
        let frame = watch.frame().await.unwrap().unwrap().into_data().unwrap();
        assert!(frame.starts_with(br#"{"type":"ADDED","object":{"#));
        assert!(frame.ends_with(b"}\n"));
    }
    let all = start.elapsed();
    assert!(all < Duration::from_secs(30), "{all:?} until the last one knew");
    eprintln!("{each} bytes a watch (both ends), {all:?} from a write to the last watch");
}

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
    const OBJECTS: usize = 60;
    const CLIENTS: usize = 20;
    let _alone = ALONE.lock().await;
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
    assert!(grown < 2 * OBJECTS * MIB, "{grown} bytes for {} clients", 3 * CLIENTS);
    eprintln!("{} MiB for {} clients that read nothing", grown / MIB, unread.len());
}
