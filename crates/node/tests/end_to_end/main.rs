//! The whole loop in one process: manifests in, directory answers out.

#![allow(clippy::unwrap_used)]

mod fixture;

use std::sync::Arc;

use api::store::Memory;
use cluster::Outcome;
use directory::RecordType;
use fixture::{Cluster, stateful};
use kube::api::DeleteParams;
use manifest::KindId;
use serde_json::json;

const A: RecordType = RecordType::A;
const AAAA: RecordType = RecordType::AAAA;
const SRV: RecordType = RecordType::SRV;
const PTR: RecordType = RecordType::PTR;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_cluster_has_its_own_names() {
    let cluster = Cluster::start().await;
    cluster.check("kubernetes.default.svc.cluster.local", A, &["10.96.0.1"]);
    cluster.check("kube-dns.kube-system.svc.cluster.local", A, &["10.96.0.10"]);
    cluster.check(
        "_dns._udp.kube-dns.kube-system.svc.cluster.local",
        SRV,
        &["0 100 53 kube-dns.kube-system.svc.cluster.local."],
    );
    cluster.check("10-244-1-2.kube-dns.kube-system.svc.cluster.local", A, &["10.244.1.2"]);
    cluster.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stateful_set_answers_by_name_and_follows_readiness() {
    let cluster = Cluster::start().await;
    cluster.apply_all(&stateful("redis", "redis-headless", 3, json!({}))).await;
    cluster.idle().await;
    let service = "redis-headless.default.svc.cluster.local";
    cluster.check(service, A, &["10.244.1.3", "10.244.2.2", "10.244.3.2"]);
    cluster.check("redis-0.redis-headless.default.svc.cluster.local", A, &["10.244.2.2"]);
    cluster.check(
        "2.2.244.10.in-addr.arpa",
        PTR,
        &["redis-0.redis-headless.default.svc.cluster.local."],
    );
    cluster.check(
        "_tcp._tcp.redis-headless.default.svc.cluster.local",
        SRV,
        &[
            "0 33 6379 redis-0.redis-headless.default.svc.cluster.local.",
            "0 33 6379 redis-1.redis-headless.default.svc.cluster.local.",
            "0 33 6379 redis-2.redis-headless.default.svc.cluster.local.",
        ],
    );

    cluster.annotate_ready("redis-0", false).await;
    cluster.check(service, A, &["10.244.1.3", "10.244.3.2"]);
    cluster.check("redis-0.redis-headless.default.svc.cluster.local", A, &["NXDOMAIN"]);
    cluster.annotate_ready("redis-0", true).await;
    cluster.check(service, A, &["10.244.1.3", "10.244.2.2", "10.244.3.2"]);
    cluster.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_deleted_pod_comes_back_under_its_name_with_a_new_address() {
    let cluster = Cluster::start().await;
    cluster.apply_all(&stateful("redis", "redis-headless", 3, json!({}))).await;
    cluster.idle().await;
    let name = "redis-1.redis-headless.default.svc.cluster.local";
    cluster.check(name, A, &["10.244.3.2"]);
    let pods = cluster.pods("default");
    let before = pods.get("redis-1").await.unwrap().metadata.uid;
    let deleted = pods.delete("redis-1", &DeleteParams::default()).await.unwrap();
    if let Some(pod) = deleted.left() {
        cluster.watches.activity().wrote(KindId::Pod, pod.metadata.resource_version.as_deref());
    }
    cluster.idle().await;
    let after = pods.get("redis-1").await.unwrap();
    assert_ne!(after.metadata.uid, before);
    cluster.check(name, A, &["10.244.3.3"]);
    cluster.check("2.3.244.10.in-addr.arpa", PTR, &["NXDOMAIN"]);
    cluster.check(
        "redis-headless.default.svc.cluster.local",
        A,
        &["10.244.1.3", "10.244.2.2", "10.244.3.3"],
    );
    cluster.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn scaling_and_applying_again_follow_the_manifest() {
    let cluster = Cluster::start().await;
    let [service, mut set] = stateful("web", "web", 4, json!({"podManagementPolicy": "Parallel"}));
    cluster.apply_all(&[service.clone(), set.clone()]).await;
    cluster.idle().await;
    let count = || cluster.ask("web.default.svc.cluster.local", A).len();
    assert_eq!(count(), 4);
    assert_eq!(cluster.apply(&service).await, Outcome::Unchanged);
    assert_eq!(cluster.apply(&set).await, Outcome::Unchanged);
    for replicas in [2, 5, 0] {
        set["spec"]["replicas"] = replicas.into();
        assert_eq!(cluster.apply(&set).await, Outcome::Configured);
        cluster.idle().await;
        let expected = if replicas == 0 { vec!["NXDOMAIN".to_owned()] } else { Vec::new() };
        let seen = cluster.ask("web.default.svc.cluster.local", A);
        assert!(seen == expected || seen.len() == replicas, "{replicas}: {seen:?}");
    }
    cluster.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_deployment_is_carried_out_and_rolled() {
    let cluster = Cluster::start().await;
    let mut deployment = json!({
        "apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "api"},
        "spec": {
            "replicas": 3,
            "selector": {"matchLabels": {"app": "api"}},
            "template": {
                "metadata": {"labels": {"app": "api"}},
                "spec": {"containers": [{"name": "c", "image": "api:1"}]},
            },
        },
    });
    let service = json!({
        "apiVersion": "v1", "kind": "Service", "metadata": {"name": "api"},
        "spec": {"clusterIP": "None", "selector": {"app": "api"}, "ports": [{"port": 80}]},
    });
    cluster.apply_all(&[service, deployment.clone()]).await;
    cluster.idle().await;
    let before = cluster.ask("api.default.svc.cluster.local", A);
    assert_eq!(before.len(), 3);
    deployment["spec"]["template"]["spec"]["containers"][0]["image"] = "api:2".into();
    cluster.apply(&deployment).await;
    cluster.idle().await;
    let after = cluster.ask("api.default.svc.cluster.local", A);
    assert_eq!(after.len(), 3);
    assert!(after.iter().all(|address| !before.contains(address)), "{before:?} {after:?}");
    cluster.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_namespace_goes_with_all_that_is_in_it() {
    let cluster = Cluster::start().await;
    cluster
        .apply(&json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "logging"}}))
        .await;
    for mut manifest in stateful("es", "es", 3, json!({})) {
        manifest["metadata"]["namespace"] = "logging".into();
        cluster.apply(&manifest).await;
    }
    cluster.idle().await;
    assert_eq!(cluster.ask("es.logging.svc.cluster.local", A).len(), 3);
    let namespaces =
        kube::Api::<k8s_openapi::api::core::v1::Namespace>::all(cluster.client.clone());
    let deleted = namespaces.delete("logging", &DeleteParams::default()).await.unwrap();
    let version = deleted.left().and_then(|namespace| namespace.metadata.resource_version);
    cluster.watches.activity().wrote(KindId::Namespace, version.as_deref());
    cluster.idle().await;
    assert!(namespaces.get_opt("logging").await.unwrap().is_none());
    assert!(cluster.pods("logging").list(&Default::default()).await.unwrap().items.is_empty());
    cluster.check("es.logging.svc.cluster.local", A, &["NXDOMAIN"]);
    cluster.check("logging.svc.cluster.local", A, &["NXDOMAIN"]);
    cluster.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pods_have_addresses_of_both_families() {
    let cluster = Cluster::dual_stack().await;
    let [mut service, set] = stateful("db", "db", 2, json!({}));
    service["spec"]["ipFamilyPolicy"] = "RequireDualStack".into();
    cluster.apply_all(&[service, set]).await;
    cluster.idle().await;
    cluster.check("db-0.db.default.svc.cluster.local", A, &["10.244.2.2"]);
    cluster.check("db-0.db.default.svc.cluster.local", AAAA, &["fd00:10:244:2::2"]);
    cluster.check("db.default.svc.cluster.local", AAAA, &["fd00:10:244:2::2", "fd00:10:244:3::2"]);
    cluster.check("kube-dns.kube-system.svc.cluster.local", AAAA, &["fd00:10:96::a"]);
    cluster.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_restart_finds_everything_as_it_was() {
    let store = Arc::new(Memory::new());
    let start = || Cluster::on(store.clone(), &["10.244.0.0/16"], &["10.96.0.0/12"]);
    let cluster = start().await;
    cluster.apply_all(&stateful("redis", "redis", 3, json!({}))).await;
    cluster.idle().await;
    let before = cluster.ask("redis.default.svc.cluster.local", A);
    assert_eq!(before.len(), 3);
    cluster.shutdown().await;

    let cluster = start().await;
    assert_eq!(cluster.ask("redis.default.svc.cluster.local", A), before);
    cluster.check("10-244-1-2.kube-dns.kube-system.svc.cluster.local", A, &["10.244.1.2"]);
    cluster
        .apply(&json!({
            "apiVersion": "v1", "kind": "Pod", "metadata": {"name": "new"},
            "spec": {"containers": [{"name": "c", "image": "i"}]},
        }))
        .await;
    cluster.idle().await;
    let new = cluster.pods("default").get("new").await.unwrap().status.unwrap().pod_ip.unwrap();
    assert!(!before.contains(&new), "{new} is taken");
    cluster.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn endpoints_written_by_hand_are_mirrored() {
    let service = json!({"apiVersion": "v1", "kind": "Service", "metadata": {"name": "external-api"},
        "spec": {"clusterIP": "None", "ports": [{"port": 443}]}});
    let endpoints = json!({"apiVersion": "v1", "kind": "Endpoints", "metadata": {"name": "external-api"},
        "subsets": [{"addresses": [{"ip": "192.0.2.10"}, {"ip": "192.0.2.11"}], "ports": [{"port": 443}]}]});
    for manifests in [[&service, &endpoints], [&endpoints, &service]] {
        let cluster = Cluster::start().await;
        for manifest in manifests {
            cluster.apply(manifest).await;
            cluster.idle().await;
        }
        cluster.check("external-api.default.svc.cluster.local", A, &["192.0.2.10", "192.0.2.11"]);
        cluster.shutdown().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn refusals_name_the_field() {
    let cluster = Cluster::start().await;
    let check = async |manifest: serde_json::Value, field: &str| {
        let error = cluster.try_apply(&manifest).await.unwrap_err();
        let fields: Vec<&str> = error.causes().iter().map(|cause| cause.field.as_str()).collect();
        assert!(fields.contains(&field), "{error}: {fields:?}");
    };
    check(
        json!({"apiVersion": "v1", "kind": "Service", "metadata": {"name": "s"}, "spec": {"ports": [{"port": 70000}]}}),
        "spec.ports[0].port",
    )
    .await;
    check(
        json!({"apiVersion": "v1", "kind": "Service", "metadata": {"name": "s"}, "spec": {}}),
        "spec.ports",
    )
    .await;
    let nameless = json!({"apiVersion": "v1", "kind": "Service", "metadata": {}});
    assert_eq!(
        cluster.try_apply(&nameless).await.unwrap_err().to_string(),
        "metadata.name is missing"
    );
    cluster.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn thirty_services_of_ten_pods() {
    let cluster = Cluster::start().await;
    for number in 0..30 {
        let name = format!("app-{number}");
        cluster
            .apply_all(&stateful(&name, &name, 10, json!({"podManagementPolicy": "Parallel"})))
            .await;
    }
    cluster.idle().await;
    for number in 0..30 {
        let answers = cluster.ask(&format!("app-{number}.default.svc.cluster.local"), A);
        assert_eq!(answers.len(), 10, "app-{number}");
    }
    cluster.shutdown().await;
}

/// Every Event of a namespace, as `Kind/name reason count: message`, once all that is expected is there.
async fn events_with(cluster: &Cluster, expected: &[&str]) -> Vec<String> {
    use k8s_openapi::api::core::v1::Event;
    let api = kube::Api::<Event>::namespaced(cluster.client.clone(), "default");
    let deadline = std::time::Instant::now() + std::time::Duration::from_secs(20);
    loop {
        let events = api.list(&Default::default()).await.unwrap().items;
        let mut seen: Vec<String> = events
            .into_iter()
            .map(|event| {
                let about = event.involved_object;
                format!(
                    "{}/{} {} {}: {}",
                    about.kind.unwrap_or_default(),
                    about.name.unwrap_or_default(),
                    event.reason.unwrap_or_default(),
                    event.count.unwrap_or_default(),
                    event.message.unwrap_or_default(),
                )
            })
            .collect();
        seen.sort();
        if expected.iter().all(|expected| seen.iter().any(|seen| seen.starts_with(expected))) {
            return seen;
        }
        assert!(std::time::Instant::now() < deadline, "{expected:#?} is not in {seen:#?}");
        tokio::time::sleep(std::time::Duration::from_millis(2)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_happens_is_told_in_events_and_logs() {
    use futures::StreamExt as _;
    let cluster = Cluster::start().await;
    cluster.apply_all(&stateful("redis", "redis", 2, json!({}))).await;
    cluster.idle().await;
    cluster.annotate_ready("redis-0", false).await;
    cluster.annotate_ready("redis-0", true).await;
    cluster.annotate_ready("redis-0", false).await;
    let unready = "Pod/redis-0 Unhealthy 2: Readiness probe failed: annotation headcount.dev/ready is \"false\"";
    events_with(
        &cluster,
        &[
            "StatefulSet/redis SuccessfulCreate 1: create Pod redis-0 in StatefulSet redis successful",
            "Pod/redis-0 Scheduled 1: Successfully assigned default/redis-0 to node-",
            "Pod/redis-0 Started 1: Started container redis (simulated: no image is pulled and no process runs)",
            unready,
            "Pod/redis-0 Ready 1: Readiness probe succeeded",
        ],
    )
    .await;

    let pod = cluster.pods("default").get("redis-0").await.unwrap();
    let uid = pod.metadata.uid.unwrap();
    let log: String = cluster.logs.read(&uid, "redis", Default::default()).collect().await;
    let lines: Vec<&str> = log.lines().collect();
    assert_eq!(lines.len(), 7, "{log}");
    assert!(
        lines[0].starts_with("scheduled: runs on node-")
            && lines[1].starts_with("addresses: 10.244."),
        "{log}"
    );
    assert_eq!(
        lines[3..],
        [
            "ready",
            "not ready: annotation headcount.dev/ready is \"false\"",
            "ready again",
            "not ready: annotation headcount.dev/ready is \"false\"",
        ]
    );
    let follow = node::LogOptions { follow: true, tail_lines: Some(0), ..Default::default() };
    let rest = cluster.logs.read(&uid, "redis", follow);
    cluster.pods("default").delete("redis-0", &DeleteParams::default()).await.unwrap();
    assert_eq!(rest.collect::<String>().await, "stopping container redis\n");
    events_with(&cluster, &["Pod/redis-0 Killing 1: Stopping container redis"]).await;
    cluster.shutdown().await;
}
