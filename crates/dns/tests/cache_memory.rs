//! The cache's bound against what the allocator says. Alone in its binary: other tests would be counted too.

#[allow(dead_code, reason = "the directory alone")]
#[path = "support/any_query.rs"]
mod any_query;
#[path = "support/made.rs"]
mod made;
mod support;
#[path = "support/upstream.rs"]
mod upstream;

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicUsize, Ordering};

use directory::RecordType;
use dns::Config;
use dns::forward::{CacheConfig, ForwardConfig, Upstream};
use made::Made;
use support::{config, framed, name, query, read_framed, server};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use upstream::{Does, FakeUpstream};

/// Octets allocated and not freed, each rounded up as the C library's allocator does: 16 octets at a time, 8 of them
/// its own.
static LIVE: AtomicUsize = AtomicUsize::new(0);

struct Counting;

fn taken(size: usize) -> usize {
    (size + 8).next_multiple_of(16).max(32)
}

// SAFETY: every call goes to the system's allocator as it came.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        LIVE.fetch_add(taken(layout.size()), Ordering::Relaxed);
        // SAFETY: per the caller's contract.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        LIVE.fetch_sub(taken(layout.size()), Ordering::Relaxed);
        // SAFETY: per the caller's contract.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// Asks for names on one connection.
async fn ask(stream: &mut TcpStream, numbers: std::ops::Range<u32>) {
    let asked = numbers.clone().flat_map(|number| {
        let name = name(&format!("host-{number}.department.example.com"));
        framed(&query(number as u16, &name, RecordType::A, None))
    });
    stream.write_all(&asked.collect::<Vec<_>>()).await.expect("sent");
    for _ in numbers {
        read_framed(stream).await.expect("a reply");
    }
}

#[tokio::test]
async fn the_cache_takes_no_more_memory_than_it_may() {
    const BYTES_MAX: usize = 1 << 20;
    let upstream = FakeUpstream::start(|query, _| {
        Does::Send(vec![Made::to(query).a(600, [192, 0, 2, 1]).a(600, [192, 0, 2, 2]).octets()])
    })
    .await;
    let forward = ForwardConfig {
        upstreams: vec![Upstream::udp(upstream.address)],
        cache: CacheConfig { bytes_max: BYTES_MAX, ..CacheConfig::default() },
        ..ForwardConfig::default()
    };
    let config = Config { forward: Some(forward), ..config() };
    let server = server(any_query::small_directory().clone(), config);
    let mut stream = TcpStream::connect(server.local_addresses()[0]).await.expect("connected");
    // What is made once.
    ask(&mut stream, 0..50).await;
    let before = LIVE.load(Ordering::Relaxed);
    for batch in 1..100 {
        ask(&mut stream, batch * 50..(batch + 1) * 50).await;
    }
    let grown = || LIVE.load(Ordering::Relaxed).saturating_sub(before);
    // What the last questions took is given back when their tasks have ended.
    let settled = async {
        while grown() > BYTES_MAX {
            tokio::task::yield_now().await;
        }
    };
    let _ = tokio::time::timeout(std::time::Duration::from_secs(5), settled).await;
    let grown = grown();
    let (entries, bytes) = server.forwarder().expect("it forwards").cache_usage();
    assert!(bytes <= BYTES_MAX && bytes > BYTES_MAX * 9 / 10, "{bytes} for {entries}");
    // Tables grow with how many questions are under way at once, which a loaded machine decides; they stay.
    let tables = BYTES_MAX / 4;
    assert!(
        grown <= BYTES_MAX + tables,
        "{grown} octets for {entries} entries that count for {bytes}"
    );
    assert!(grown > BYTES_MAX / 2, "the count is not far above: {grown} for {bytes}");
    server.shutdown().await;
}
