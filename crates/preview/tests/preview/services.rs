//! Each shape of a Service.

use crate::{check, peers, settled, try_settle};
use preview::SettleError;

#[test]
fn peers_have_names_and_ports() {
    check(&peers("db", 2, "", ""), &[], "");
}

const WEB: &str = "
apiVersion: v1
kind: Service
metadata: { name: web }
spec: { selector: { app: web }, ports: [{ port: 80, targetPort: http }] }
---
apiVersion: apps/v1
kind: Deployment
metadata: { name: web }
spec:
  replicas: 2
  selector: { matchLabels: { app: web } }
  template:
    metadata: { labels: { app: web } }
    spec: { containers: [{ name: c, image: i, ports: [{ name: http, containerPort: 8080 }] }] }
";

#[test]
fn a_virtual_address_hides_its_pods_and_each_has_a_name_by_its_address() {
    check(WEB, &[], "");
}
