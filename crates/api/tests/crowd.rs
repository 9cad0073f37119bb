//! Ten thousand watches: everyone else is served as usual, and memory stays bounded. Alone in its binary, since the
//! process's memory is what it looks at, and what another test has freed would hide what this one takes.

#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used)]

mod tls;

use std::time::{Duration, Instant};

use api::serve::Limits;
use http_body_util::BodyExt as _;
use tls::{CONFIG_MAPS, Protocol, resident, serve, sized};

#[tokio::test]
async fn ten_thousand_watches_see_a_write() {
    const CONNECTIONS: usize = 10;
    const STREAMS: usize = 1000;
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
