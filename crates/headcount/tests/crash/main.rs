//! `headcount up` killed (SIGKILL) while eight clients write through its socket, and started again on the same data, over
//! and over: what was acknowledged is there, nothing is there by half, revisions only rise, and a watcher that resumes
//! misses nothing or is told 410.
//!
//! `HEADCOUNT_CRASH_ROUNDS` says how often (6 unless told; `just crash` does 100), `HEADCOUNT_CRASH_SEED` how it goes.

#[path = "../up/support/mod.rs"]
mod support;
mod watcher;
mod writer;

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use kube::Client;
use kube::api::{Api, ApiResource, DynamicObject, GroupVersionKind, ListParams};
use support::Up;
use support::random::Random;
use tokio::sync::watch;
use watcher::Watcher;
use writer::{Object, Writer};

/// So many clients write at once.
const WRITERS: u64 = 8;

/// Acknowledged writes before a kill, at most.
const WRITES_MAX: u64 = 300;

/// The kinds that are written: stored only, with allocated addresses, of another group.
fn kinds() -> Vec<ApiResource> {
    [
        ("", "ConfigMap", "configmaps"),
        ("", "Service", "services"),
        ("coordination.k8s.io", "Lease", "leases"),
    ]
    .into_iter()
    .map(|(group, kind, plural)| {
        ApiResource::from_gvk_with_plural(&GroupVersionKind::gvk(group, "v1", kind), plural)
    })
    .collect()
}

fn api(client: &Client, kind: &ApiResource) -> Api<DynamicObject> {
    Api::default_namespaced_with(client.clone(), kind)
}

fn revision(text: Option<&str>) -> u64 {
    text.expect("a resourceVersion").parse().expect("a number")
}

fn number(variable: &str, default: u64) -> u64 {
    match std::env::var(variable) {
        Ok(text) => text.parse().unwrap_or_else(|_| panic!("{variable}={text} is no number")),
        Err(_) => default,
    }
}

/// Our objects of a kind as the API lists them, and the list's revision.
async fn listed(client: &Client, kind: &ApiResource) -> (BTreeMap<String, Object>, u64) {
    let list =
        api(client, kind).list(&ListParams::default().labels(writer::LABEL)).await.expect("a list");
    let at = revision(list.metadata.resource_version.as_deref());
    let objects = list
        .items
        .iter()
        .map(|object| (object.metadata.name.clone().expect("a name"), Object::of(object)));
    (objects.collect(), at)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_acknowledged_outlives_the_process() {
    let rounds = number("HEADCOUNT_CRASH_ROUNDS", 6);
    let seed = number("HEADCOUNT_CRASH_SEED", 1);
    let mut random = Random::new(seed);
    let kinds = kinds();
    let folder = tempfile::tempdir().expect("a temporary folder");
    let arguments = ["--data-dir", folder.path().to_str().expect("UTF-8")];
    let mut writers: Vec<Writer> = (0..WRITERS).map(|id| Writer::new(id, seed, &kinds)).collect();
    let mut watchers: Vec<Watcher> = kinds.iter().cloned().map(Watcher::new).collect();
    let mut newest = 0;
    let (mut acknowledged, mut unknown, mut resumed, mut told) = (0, 0, 0, 0);
    let start = Instant::now();

    for round in 0..=rounds {
        let up = Up::start(&arguments);
        let client = up.client().await;
        for (kind, watcher) in kinds.iter().zip(&mut watchers) {
            // What is there is what was acknowledged, and no older.
            let (objects, at) = listed(&client, kind).await;
            assert!(at >= newest, "round {round}: {at} after {newest}");
            for writer in &mut writers {
                writer.compare(kind, &objects, round);
            }
            watcher.follow(&client, round).await;
            resumed += u64::from(watcher.resumed);
            told += u64::from(!watcher.resumed);
            assert_eq!(
                watcher.objects,
                listed(&client, kind).await.0,
                "round {round}: {}",
                kind.kind
            );
        }
        if round == rounds {
            let (status, _) = up.stop();
            assert_eq!(status.code(), Some(0));
            break;
        }

        let (count, mut counted) = watch::channel(0);
        let wanted = 1 + random.below(WRITES_MAX);
        let writing = writers.into_iter().map(|writer| {
            tokio::spawn(writer.write_until_it_dies(client.clone(), count.clone(), newest))
        });
        let writing: Vec<_> = writing.collect();
        let watching: Vec<_> = watchers
            .into_iter()
            .map(|watcher| tokio::spawn(watcher.watch_until_it_dies(client.clone())))
            .collect();
        counted.wait_for(|count| *count >= wanted).await.expect("writers write");
        // At any point of whatever happens after that write.
        tokio::time::sleep(Duration::from_micros(random.below(20_000))).await;
        up.kill();

        writers = Vec::new();
        for writer in writing {
            writers.push(writer.await.expect("a writer"));
        }
        watchers = Vec::new();
        for watcher in watching {
            watchers.push(watcher.await.expect("a watcher"));
        }
        for writer in &writers {
            newest = newest.max(writer.newest);
            acknowledged += writer.acknowledged;
            unknown += u64::from(writer.in_flight.is_some());
        }
        for watcher in &mut watchers {
            for (kind, at) in writers.iter().flat_map(|writer| &writer.revisions) {
                if *kind == watcher.kind.kind {
                    watcher.expected.push(*at);
                }
            }
        }
    }
    eprintln!(
        "{rounds} kills in {:.1} s: {acknowledged} writes acknowledged, {unknown} under way when it was killed; watches resumed {resumed} times and were told 410 {told} times",
        start.elapsed().as_secs_f32()
    );
    assert!(acknowledged >= rounds, "{acknowledged} writes");
}
