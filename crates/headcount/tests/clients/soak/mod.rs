//! Reflectors and a controller of kube-rs while the world changes at random, watches expire and the server is restarted.
//!
//! When the changes have ended, each reflector holds what the server lists, to the resourceVersion, and the controller
//! has made of each Service what it is there for. `HEADCOUNT_SOAK_SECONDS` is for how long (`just soak`: a minute).

mod changes;
mod controller;
mod mirror;

use std::time::{Duration, Instant};

use k8s_openapi::api::apps::v1::StatefulSet;
use k8s_openapi::api::core::v1::{ConfigMap, Namespace, Pod, Service};
use k8s_openapi::api::discovery::v1::EndpointSlice;
use kube::api::{Api, Patch, PatchParams, PostParams};
use kube::core::PartialObjectMeta;
use kube::runtime::watcher;
use kube::{Client, ResourceExt as _};
use serde_json::json;
use tokio::sync::watch;

use crate::support::random::Random;
use crate::support::{PATIENCE, Up};
use changes::Writers;
use controller::Controller;
use mirror::Mirror;

/// The namespace of the changes, and that of the large objects.
const SPACE: &str = "soak";
const LARGE: &str = "soak-large";

/// How many clients write.
const WRITERS: u64 = 4;

/// The least that belongs to a soak.
const SECONDS_MIN: u64 = 4;

/// How many bytes of history push out all before them (`api::store`), and what a connection buffers.
const HISTORY_BYTES: usize = 76 << 20;

/// What breaks a client's comfort.
#[derive(Clone, Copy, Debug)]
enum Disturbance {
    /// The server is asked to stop, and started again.
    Restart,
    /// The server is killed, and started again.
    Crash,
    /// A watch falls behind until its place in the history is gone.
    Expiry,
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn soak_of_reflectors_and_a_controller() {
    let seconds = std::env::var("HEADCOUNT_SOAK_SECONDS").ok();
    let seconds = seconds.map_or(SECONDS_MIN, |text| text.parse().expect("a number of seconds"));
    let pause = Duration::from_secs(seconds.clamp(SECONDS_MIN, 12)) / 3;
    let folder = tempfile::tempdir().expect("a temporary folder");
    let data = ["--data-dir", folder.path().to_str().expect("a UTF-8 path")];
    let mut up = Up::start(&data);
    let address = up.api();
    let again = [&data[..], &["--api-listen", &address]].concat();
    let client = up.client().await;
    let namespaces: Api<Namespace> = Api::all(client.clone());
    for name in [SPACE, LARGE] {
        let namespace = serde_json::from_value(json!({ "metadata": { "name": name } }));
        let namespace = namespace.expect("a namespace");
        namespaces.create(&PostParams::default(), &namespace).await.expect("created");
    }

    let (reading, paused) = watch::channel(true);
    let mirrors = mirrors(&client);
    let large: Api<ConfigMap> = Api::namespaced(client.clone(), LARGE);
    let sluggish = Mirror::start("large ConfigMaps", large.clone(), list_watch(), Some(paused));
    let controller = Controller::start(client.clone(), SPACE);
    let writers = Writers::start(&client, SPACE, WRITERS);

    let started = Instant::now();
    // The expiry writes more than fits into a short run, where the restarts are what makes watches expire.
    let steps: &[Disturbance] = match seconds {
        0..=SECONDS_MIN => &[Disturbance::Restart, Disturbance::Crash],
        _ => &[Disturbance::Restart, Disturbance::Expiry, Disturbance::Crash],
    };
    while started.elapsed() < Duration::from_secs(seconds) {
        for disturbance in steps {
            tokio::time::sleep(pause / 2).await;
            // What was missed would be mended by the next list, so it is looked for before.
            writers.hold();
            all_must_agree(&mirrors).await;
            writers.resume();
            tokio::time::sleep(pause / 2).await;
            match disturbance {
                Disturbance::Restart | Disturbance::Crash => {
                    let begun = expired(&mirrors);
                    writers.hold();
                    match disturbance {
                        Disturbance::Crash => up.kill(),
                        Disturbance::Restart | Disturbance::Expiry => drop(up.stop()),
                    }
                    up = Up::start(&again);
                    writers.resume();
                    // A new server knows nothing of what was before: who was behind is told so.
                    until("a watch expires", || expired(&mirrors) > begun).await;
                }
                Disturbance::Expiry => {
                    let begun = sluggish.expired();
                    reading.send_replace(false);
                    fill_history(&large).await;
                    reading.send_replace(true);
                    until("the sluggish watch expires", || sluggish.expired() > begun).await;
                }
            }
        }
    }
    tokio::time::sleep(pause).await;
    let changes = writers.stop().await;
    assert!(changes > 20, "only {changes} changes were made");

    sluggish.must_agree().await;
    all_must_agree(&mirrors).await;
    controller.must_have_settled().await;
    // What the controller did until it had settled has arrived, too.
    all_must_agree(&mirrors).await;
}

async fn all_must_agree(mirrors: &[Mirror]) {
    for mirror in mirrors {
        mirror.must_agree().await;
    }
}

/// Reflectors of several kinds, in both ways to begin, with selectors and with metadata alone.
fn mirrors(client: &Client) -> Vec<Mirror> {
    let streaming = || list_watch().streaming_lists();
    let config_maps: Api<ConfigMap> = Api::namespaced(client.clone(), SPACE);
    let services: Api<Service> = Api::namespaced(client.clone(), SPACE);
    let sets: Api<StatefulSet> = Api::all(client.clone());
    let pods: Api<Pod> = Api::namespaced(client.clone(), SPACE);
    let slices: Api<EndpointSlice> = Api::all(client.clone());
    let metadata: Api<PartialObjectMeta<Pod>> = Api::all(client.clone());
    vec![
        Mirror::start("Services, listed", services.clone(), list_watch(), None),
        Mirror::start("Services, streamed", services.clone(), streaming(), None),
        Mirror::start("red Services", services, list_watch().labels("colour=red"), None),
        Mirror::start("ConfigMaps in pages", config_maps.clone(), list_watch().page_size(2), None),
        Mirror::start("blue ConfigMaps", config_maps, streaming().labels("colour in (blue)"), None),
        Mirror::start("StatefulSets", sets, streaming(), None),
        Mirror::start("Pods", pods.clone(), list_watch().any_semantic(), None),
        Mirror::start("running Pods", pods, streaming().fields("status.phase=Running"), None),
        Mirror::start("the metadata of Pods", metadata, streaming(), None),
        Mirror::start("EndpointSlices", slices, list_watch(), None),
    ]
}

fn list_watch() -> watcher::Config {
    watcher::Config::default()
}

/// How many watches have expired.
fn expired(mirrors: &[Mirror]) -> usize {
    mirrors.iter().map(Mirror::expired).sum()
}

/// Writes as much as the history of watches holds, of what cannot be packed.
async fn fill_history(large: &Api<ConfigMap>) {
    let bytes = 900_000;
    let parameters = PatchParams::apply("soak").force();
    let empty = json!({ "apiVersion": "v1", "kind": "ConfigMap", "metadata": { "name": "large" } });
    large.patch("large", &parameters, &Patch::Apply(&empty)).await.expect("applied");
    let mut random = Random::new(0);
    for _ in 0..HISTORY_BYTES / bytes {
        let text = random.letters(bytes);
        let turn = Patch::Merge(json!({ "data": { "x": text } }));
        let written = large.patch("large", &PatchParams::default(), &turn).await.expect("patched");
        assert_eq!(written.name_any(), "large");
    }
}

/// Waits for something that happens in other tasks.
async fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !holds() {
        assert!(Instant::now() < deadline, "still waiting: {what}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}
