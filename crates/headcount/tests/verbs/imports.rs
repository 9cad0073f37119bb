//! `headcount dns` and ServiceImports: of manifests and of a cluster.

use hickory_proto::op::ResponseCode;

use crate::support::Up;
use crate::support::server::{Dns, folder};

const ON: &str = "clusterSetDomain: clusterset.local\n";

/// A ServiceImport of each type.
const IMPORTS: &str = "\
apiVersion: multicluster.x-k8s.io/v1alpha1
kind: ServiceImport
metadata: { name: web }
spec: { type: ClusterSetIP, ips: [10.112.0.9], ports: [{ name: http, port: 80 }] }
---
apiVersion: multicluster.x-k8s.io/v1alpha1
kind: ServiceImport
metadata: { name: db }
spec: { type: Headless, ports: [{ name: pg, port: 5432 }] }
";

/// A slice of `db` with this address, in a cluster.
fn slice(cluster: &str, address: &str) -> String {
    format!(
        "\
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata:
  name: db-{cluster}
  labels: {{ multicluster.kubernetes.io/service-name: db, multicluster.kubernetes.io/source-cluster: {cluster} }}
addressType: IPv4
ports: [{{ name: pg, port: 5432 }}]
endpoints: [{{ addresses: [{address}], hostname: db-0 }}]
"
    )
}

const WEB: &str = "web.default.svc.clusterset.local.";
const DB: &str = "db.default.svc.clusterset.local.";
const OWN_DB: &str = "db.default.svc.cluster.local.";

#[test]
fn imports_of_manifests_are_served_where_they_have_a_zone() {
    let own = crate::dns::service("db", "10.244.0.1");
    let files = [
        ("imports.yaml", IMPORTS),
        ("east.yaml", &slice("east", "10.8.0.5")),
        ("west.yaml", &slice("west", "10.9.0.5")),
        ("own.yaml", &own),
        ("dns.conf", ON),
    ];
    let arguments =
        ["-f", "manifests", "--listen", "127.0.0.1:0", "--config", "manifests/dns.conf"];
    let dns = Dns::start(folder(&files), &arguments);
    assert!(dns.ready.contains(" services=1 endpoints=1 imports=2 in "), "{}", dns.ready);
    assert_eq!(dns.ask(WEB, "A").data("A"), ["10.112.0.9"]);
    let mut addresses = dns.ask(DB, "A").data("A");
    addresses.sort();
    assert_eq!(addresses, ["10.8.0.5", "10.9.0.5"]);
    assert_eq!(dns.ask(&format!("db-0.west.{DB}"), "A").data("A"), ["10.9.0.5"]);
    assert_eq!(dns.ask(OWN_DB, "A").data("A"), ["10.244.0.1"]);
    std::fs::write(dns.path("west.yaml"), slice("west", "10.9.0.6")).expect("written");
    dns.until("the endpoint is another", |dns| {
        dns.ask(&format!("db-0.west.{DB}"), "A").data("A") == ["10.9.0.6"]
    });
    std::fs::remove_file(dns.path("imports.yaml")).expect("removed");
    dns.until("they are gone", |dns| dns.ask(WEB, "A").rcode() == ResponseCode::NXDomain);
    // Off, the zone is nobody's, and slices of imports are not the Service's own.
    std::fs::write(dns.path("dns.conf"), "").expect("written");
    dns.until("it is off", |dns| dns.ask(DB, "A").rcode() == ResponseCode::Refused);
    assert_eq!(dns.ask(OWN_DB, "A").data("A"), ["10.244.0.1"]);
    assert_eq!(dns.stderr(), "");
    assert!(dns.stop().0.success());
}

#[test]
fn imports_of_a_cluster_are_served_and_followed() {
    let objects = folder(&[("imports.yaml", IMPORTS), ("east.yaml", &slice("east", "10.8.0.5"))]);
    let up = Up::ephemeral(&["-f", &objects.path().join("manifests").display().to_string()]);
    let kubeconfig = up.kubeconfig.display().to_string();
    let dns = Dns::start(
        folder(&[("dns.conf", ON)]),
        &["--kubeconfig", &kubeconfig, "--listen", "127.0.0.1:0", "--config", "manifests/dns.conf"],
    );
    assert!(dns.ready.contains(" imports=2 in "), "{}", dns.ready);
    assert_eq!(dns.ask(WEB, "A").data("A"), ["10.112.0.9"]);
    assert_eq!(dns.ask(DB, "A").data("A"), ["10.8.0.5"]);
    let srv = dns.ask(&format!("_pg._tcp.{DB}"), "SRV").data("SRV");
    assert_eq!(srv, [format!("0 100 5432 db-0.east.{DB}")]);
    up.kubectl(&["delete", "endpointslice", "db-east"]);
    dns.until("no endpoint is left", |dns| dns.ask(DB, "A").rcode() == ResponseCode::NXDomain);
    up.kubectl(&[
        "patch",
        "serviceimport",
        "web",
        "--type=merge",
        "-p",
        "{\"spec\":{\"ips\":[\"10.112.0.10\"]}}",
    ]);
    dns.until("the address is another", |dns| dns.ask(WEB, "A").data("A") == ["10.112.0.10"]);
    up.kubectl(&["delete", "svcim", "web"]);
    dns.until("it is gone", |dns| dns.ask(WEB, "A").rcode() == ResponseCode::NXDomain);
    assert!(dns.stop().0.success());
}

#[test]
fn a_domain_within_the_other_is_refused() {
    let files = folder(&[("db.yaml", &*crate::dns::service("db", "10.0.0.1"))]);
    std::fs::write(files.path().join("dns.yaml"), "clusterSetDomain: set.cluster.local\n")
        .expect("written");
    let arguments = ["dns", "-f", "manifests", "--listen", "127.0.0.1:0", "--config", "dns.yaml"];
    let output = std::process::Command::new(env!("CARGO_BIN_EXE_headcount"))
        .args(arguments)
        .current_dir(files.path())
        .output()
        .expect("it runs");
    assert_eq!(output.status.code(), Some(2));
    assert_eq!(
        String::from_utf8_lossy(&output.stderr),
        "error: the setting clusterSetDomain is set.cluster.local., and the cluster's zone cluster.local.: neither may lie in the \
         other\n  help: name another clusterSetDomain; clusterset.local is usual\n"
    );
}
