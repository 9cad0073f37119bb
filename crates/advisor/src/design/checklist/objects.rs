//! The objects as kubectl shows them, and pods that come and go.

use super::{Step, row, table};
use crate::design::intent::{Identity, Intent, PodsKind, Shape, Workload};

pub(super) fn services(intent: &Intent) -> Step {
    let mut rows = vec![row(["NAME", "TYPE", "CLUSTER-IP"])];
    let peers = intent.peer_service();
    let client = intent.client_service();
    let mut names = Vec::new();
    let virtual_address = client.as_ref().map(|client| format!("<cluster IP of {client}>"));
    if let Some(peers) = &peers {
        rows.push(row([peers, "ClusterIP", "None"]));
        names.push(peers.clone());
    }
    if let (Some(client), Some(address)) = (&client, &virtual_address) {
        rows.push(row([client, "ClusterIP", address]));
        names.push(client.clone());
    }
    let (columns, shows) = match intent.shape() {
        Shape::ExternalName => {
            rows = vec![row(["NAME", "TYPE", "TARGET"])];
            if let Workload::Host(host) = &intent.workload {
                rows.push(row([&intent.name, "ExternalName", host]));
            }
            names.push(intent.name.clone());
            (
                "NAME:.metadata.name,TYPE:.spec.type,TARGET:.spec.externalName",
                "the alias has its target, bare: no scheme, no port, no path",
            )
        }
        Shape::Addresses(Identity::Stable) => {
            rows.push(row([&intent.name, "ClusterIP", "None"]));
            names.push(intent.name.clone());
            (
                "NAME:.metadata.name,TYPE:.spec.type,CLUSTER-IP:.spec.clusterIP",
                "the Service is headless",
            )
        }
        Shape::Addresses(Identity::Any) | Shape::ClusterIp => (
            "NAME:.metadata.name,TYPE:.spec.type,CLUSTER-IP:.spec.clusterIP",
            "the Service has a virtual address",
        ),
        Shape::Headless | Shape::HeadlessAndClient => (
            "NAME:.metadata.name,TYPE:.spec.type,CLUSTER-IP:.spec.clusterIP",
            "the Service of the pods' names is headless; that for clients, if there is one, has an address",
        ),
    };
    Step {
        shows: shows.to_owned(),
        command: format!(
            "kubectl -n {} get service {} -o custom-columns={columns}",
            intent.namespace,
            names.join(" ")
        ),
        expect: table(&rows),
        local: None,
    }
}

/// What `kubectl rollout status` ends with.
fn rolled_out(intent: &Intent, kind: PodsKind) -> String {
    let name = &intent.name;
    let replicas = intent.pods().map_or(0, |pods| pods.replicas);
    match kind {
        PodsKind::StatefulSet => {
            format!("partitioned roll out complete: {replicas} new pods have been updated...")
        }
        PodsKind::Deployment => format!("deployment \"{name}\" successfully rolled out"),
    }
}

pub(super) fn rollout(intent: &Intent, kind: PodsKind) -> Step {
    let Intent { name, namespace, .. } = intent;
    let resource = kind.kind().to_lowercase();
    Step {
        shows: "all pods are there and ready".to_owned(),
        command: format!("kubectl -n {namespace} rollout status {resource}/{name} --timeout=5m"),
        expect: vec![rolled_out(intent, kind)],
        local: None,
    }
}

pub(super) fn come_back(intent: &Intent) -> Option<Step> {
    let pod = intent.pod_names().into_iter().next()?;
    let service = intent.peer_service()?;
    let Intent { name, namespace, .. } = intent;
    Some(Step {
        shows: format!(
            "`{pod}` comes back under its name with another address; look it up again: `{pod}.{}` has the new one",
            intent.full_name(&service)
        ),
        command: format!(
            "kubectl -n {namespace} delete pod {pod} && kubectl -n {namespace} rollout status statefulset/{name} --timeout=5m"
        ),
        expect: vec![format!("pod \"{pod}\" deleted"), rolled_out(intent, PodsKind::StatefulSet)],
        local: None,
    })
}
