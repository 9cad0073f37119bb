//! Faults planted into plans that are right: each is found, and what is told names it.

use advisor::design::{Backends, Expected, Targets};
use serde_json::json;

use super::plans::{self, Case};
use crate::trial::{Outcome, Report};

/// The plan fails, and each of these is in a line that tells of a failure.
async fn check_fails(case: Case, told: &[&str]) -> Report {
    let report = case.verify().await;
    let text = report.lines().join("\n");
    assert_eq!(report.outcome, Outcome::Failed, "{}\n{text}", case.manifests);
    let failures: Vec<String> = report.failures().map(|check| check.line()).collect();
    for told in told {
        assert!(failures.iter().any(|line| line.contains(told)), "{told:?} is not in\n{text}");
    }
    report
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_governing_service_that_is_not_there() {
    let case = plans::stateful().with("serviceName: db-peers", "serviceName: db-peer");
    check_fails(
        case,
        &["A db-0.db-peers.prod.svc.cluster.local.: expected 10.244.2.2 (db-0); answered NXDOMAIN"],
    )
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_selector_that_matches_nothing() {
    let case = plans::stateful().with(
        "publishNotReadyAddresses: true\n  selector: {app: db}",
        "publishNotReadyAddresses: true\n  selector: {app: database}",
    );
    check_fails(case, &["A db-peers.prod.svc.cluster.local.", "answered NXDOMAIN"]).await;
    let case = plans::deployment().with("selector: {app: web}", "selector: {app: site}");
    check_fails(case, &["EndpointSlices of Service web", "answered no ready endpoint"]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_port_of_another_number_or_name() {
    let peers = plans::stateful().with("targetPort: 2380", "targetPort: 2381");
    check_fails(peers, &["answered db-0.db-peers.prod.svc.cluster.local. port 2381"]).await;
    let name = plans::stateful().with("{name: peer, port: 2380, t", "{name: peers, port: 2380, t");
    check_fails(name, &["SRV _peer._tcp.db-peers.prod.svc.cluster.local.", "NXDOMAIN"]).await;
    let service = plans::deployment().with("port: 80,", "port: 81,");
    check_fails(service, &["answered web.default.svc.cluster.local. port 81"]).await;
    let target = plans::deployment().with("containerPort: 8080", "containerPort: 8081");
    check_fails(target, &["EndpointSlices of Service web", "port 8080; answered", "port 8081"])
        .await;
    let by_hand = plans::by_hand().with(
        "addressType: IPv4\nports: [{name: postgresql,",
        "addressType: IPv4\nports: [{name: pg,",
    );
    check_fails(by_hand, &["port 5432 as \"pg\", which is no port of the Service"]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_target_port_by_a_name_that_the_pods_lack() {
    let case = plans::deployment().with("targetPort: http", "targetPort: web");
    check_fails(case, &["EndpointSlices of Service web", "no port of the Service"]).await;
    let case = plans::headless().with("targetPort: http", "targetPort: web");
    check_fails(case, &["SRV _http._tcp.web.default.svc.cluster.local."]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn peers_that_are_not_published_before_they_are_ready() {
    let case = plans::stateful().with("  publishNotReadyAddresses: true\n", "");
    let report = check_fails(case, &["A db-peers.prod.svc.cluster.local.", "NXDOMAIN"]).await;
    let whens: Vec<&str> = report.failures().map(|check| check.when.as_str()).collect();
    for when in ["while db-2 is not ready", "before db-0, db-1 and db-2 were ever ready"] {
        assert!(whens.contains(&when), "{whens:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn clients_that_are_sent_to_pods_that_are_not_ready() {
    let case = plans::deployment().with("clusterIP:\n", "publishNotReadyAddresses: true\n");
    let report = check_fails(case, &["EndpointSlices of Service web"]).await;
    assert!(report.failures().all(|check| check.when.ends_with("is not ready")));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_virtual_address_instead_of_the_pods_and_the_other_way_round() {
    let case = plans::stateful().with("  clusterIP: None\n", "");
    check_fails(case, &["A db-peers.prod.svc.cluster.local.: expected 10.244.2.2 (db-0)"]).await;
    let case = plans::headless().with("clusterIP: None", "clusterIP:");
    check_fails(case, &["A web.default.svc.cluster.local.: expected 10.244."]).await;
    let case = plans::deployment().with("clusterIP:\n", "clusterIP: None\n");
    check_fails(case, &["expected none: Service web is headless; answered 10.244."]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn clients_that_are_not_sent_to_the_leader() {
    let slices = "EndpointSlices of Service db";
    // Nobody sets that label.
    let case = plans::leader().with("role: leader", "role: primary");
    let report = check_fails(case, &[slices, "(db-0), port 2379; answered no ready"]).await;
    let first = report.failures().next().map(|check| check.when.as_str());
    assert_eq!(first, Some("while db-0 leads (role=leader)"));
    // Everyone has it.
    let case = plans::leader()
        .with("metadata: {labels: {app: db}}", "metadata: {labels: {app: db, role: leader}}");
    check_fails(case, &[&format!("{slices}: expected no ready endpoint; answered 10.244.")]).await;
    // Nobody asks for it.
    let case = plans::leader().with("app: db, role: leader", "app: db");
    check_fails(case, &[&format!("{slices}: expected no ready endpoint; answered 10.244.")]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_slice_of_no_service() {
    let unlabelled = "labels: {kubernetes.io/service-name: orders}";
    let case = plans::by_hand().with(unlabelled, "labels: {app: orders}");
    check_fails(case, &["EndpointSlices of Service orders", "answered no ready endpoint"]).await;
    let case = plans::by_hand_headless().with(unlabelled, "labels: {app: orders}");
    check_fails(case, &["A orders.default.svc.cluster.local.", "NXDOMAIN"]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn another_address_in_a_slice() {
    let case = plans::by_hand().with("192.0.2.11", "192.0.2.12");
    check_fails(case, &["192.0.2.11 (kept by hand), port 5432; answered 192.0.2.10, 192.0.2.12"])
        .await;
    let case = plans::by_hand_headless().with("192.0.2.11", "192.0.2.12");
    check_fails(case, &["A orders.default.svc.cluster.local.: expected", "192.0.2.12"]).await;
}

/// The virtual address is of IPv4, and leads to no address of IPv6.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_address_of_another_family() {
    let case = |case: Case| {
        let mut case = case
            .with("addressType: IPv4", "addressType: IPv6")
            .with("192.0.2.10", "'2001:db8::a'")
            .with("192.0.2.11", "'2001:db8::b'");
        let outside = || {
            let addresses = ["2001:db8::a", "2001:db8::b"];
            Backends::Addresses(addresses.map(|it| it.parse().expect("an address")).to_vec())
        };
        for expectation in &mut case.expectations {
            match &mut expectation.answer {
                Expected::Each(backends)
                | Expected::Virtual { behind: backends, .. }
                | Expected::Ports { targets: Targets::Each { of: backends, .. }, .. } => {
                    *backends = outside();
                }
                Expected::Ports { .. } | Expected::Alias(_) => {}
            }
        }
        case
    };
    check_fails(case(plans::by_hand()), &["EndpointSlices of Service orders", "no ready endpoint"])
        .await;
    let report = case(plans::by_hand_headless()).verify().await;
    assert_eq!(report.outcome, Outcome::Passed, "{:#?}", report.lines());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn another_host_outside() {
    let case = plans::external_name().with("billing.example.com", "billing.example.org");
    check_fails(
        case,
        &["CNAME billing.shop.svc.cluster.local.: expected billing.example.com.; answered billing.example.org."],
    )
    .await;
    let case = plans::external_name().with("billing.example.com", "192.0.2.1");
    check_fails(case, &["CNAME billing.shop.svc.cluster.local.", "NXDOMAIN"]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pods_that_do_not_come() {
    let fewer = plans::stateful().with("replicas: 3", "replicas: 2");
    let fewer = check_fails(fewer, &["pods db-0, db-1 and db-2", "db-2 is not there"]);
    let more = plans::deployment().with("replicas: 3", "replicas: 4");
    let more = check_fails(more, &["there are 4 pods of Deployment web instead of 3"]);
    let nowhere = plans::stateful().with(
        "      containers:\n        - name: db",
        "      nodeSelector: {disk: fast}\n      containers:\n        - name: db",
    );
    let nowhere = check_fails(nowhere, &["db-0 is not ready: 0/3 nodes are available"]);
    // They wait for what does not come, together.
    futures::join!(fewer, more, nowhere);
}

/// Whatever else a plan holds, an object that the API refuses fails it, in the API's words.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_object_that_is_refused() {
    let refused = [
        ("kind: Service, metadata: {name: Wrong}, spec: {ports: [{port: 80}]}", "metadata.name"),
        ("kind: Service, metadata: {name: extra}, spec: {}", "spec.ports: Required value"),
        ("kind: Service, metadata: {}, spec: {}", "metadata.name is missing"),
        ("kind: ConfigMap, metadata: {name: extra, namespace: Other}", "Namespace Other"),
        ("kind: Servce, metadata: {name: extra}", "kind \"Servce\" in \"v1\" is not served"),
    ];
    let mut tried = 0;
    for ((_, mut case), (object, told)) in plans::all().into_iter().zip(refused.iter().cycle()) {
        case.manifests.push_str(&format!("---\n{{apiVersion: v1, {object}}}\n"));
        let report = check_fails(case, &[told]).await;
        assert!(report.failures().all(|check| check.when == "when applied"));
        tried += 1;
    }
    assert!(tried >= refused.len());
}

/// What no cluster has by itself is left out, and told of.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_object_of_a_kind_that_people_install() {
    let mut case = plans::deployment();
    case.manifests.push_str(
        "---\n{apiVersion: cert-manager.io/v1, kind: Certificate, metadata: {name: web}, spec: {}}\n",
    );
    let report = case.verify().await;
    assert_eq!(report.outcome, Outcome::Passed, "{:?}", report.lines());
    assert!(report.notes.iter().any(|note| note.starts_with("Certificate web was not tried")));
    assert_eq!(json!(report)["outcome"], "passed");
}
