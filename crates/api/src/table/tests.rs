use super::*;
use serde_json::json;

const NOW: &str = "2026-01-02T03:04:05Z";
/// Five minutes before [`NOW`].
const CREATED: &str = "2026-01-02T02:59:05Z";

fn now() -> Timestamp {
    NOW.parse().unwrap()
}

/// `item` with a name and a time of creation, unless it has its own.
fn named(mut item: Value) -> Value {
    let metadata = item.as_object_mut().unwrap().entry("metadata").or_insert_with(|| json!({}));
    for (field, value) in [("name", "a"), ("creationTimestamp", CREATED)] {
        metadata.as_object_mut().unwrap().entry(field).or_insert_with(|| value.into());
    }
    item
}

/// Checks the row of one object: its cells, joined by ` | `, in the order of the columns.
#[track_caller]
pub(super) fn check(kind: KindId, item: Value, row: &str) {
    let table = table(Kind::of(kind), &[named(item)], &Map::new(), IncludeObject::None, now());
    let cells = table["rows"][0]["cells"].as_array().unwrap();
    assert_eq!(cells.len(), table["columnDefinitions"].as_array().unwrap().len());
    let cells: Vec<String> = cells
        .iter()
        .map(|cell| cell.as_str().map_or_else(|| cell.to_string(), str::to_owned))
        .collect();
    assert_eq!(cells.join(" | "), row);
}

/// Checks the columns of a kind, a star after those that are shown by `-o wide` only.
#[track_caller]
pub(super) fn check_columns(kind: KindId, columns: &str) {
    let table = table(Kind::of(kind), &[], &Map::new(), IncludeObject::Metadata, now());
    let columns_are: Vec<String> = table["columnDefinitions"]
        .as_array()
        .unwrap()
        .iter()
        .map(|column| {
            let wide = if column["priority"] == 1 { "*" } else { "" };
            format!("{}{wide}", column["name"].as_str().unwrap())
        })
        .collect();
    assert_eq!(columns_are.join(", "), columns);
    assert_eq!(table["rows"], json!([]));
}

#[test]
fn columns_of_each_kind() {
    let check = check_columns;
    check(KindId::Namespace, "Name, Status, Age");
    check(
        KindId::Node,
        "Name, Status, Roles, Age, Version, Internal-IP*, External-IP*, OS-Image*, Kernel-Version*, Container-Runtime*",
    );
    check(
        KindId::Pod,
        "Name, Ready, Status, Restarts, Age, IP*, Node*, Nominated Node*, Readiness Gates*",
    );
    check(KindId::Service, "Name, Type, Cluster-IP, External-IP, Port(s), Age, Selector*");
    check(KindId::Endpoints, "Name, Endpoints, Age");
    check(KindId::EndpointSlice, "Name, AddressType, Ports, Endpoints, Age");
    check(KindId::StatefulSet, "Name, Ready, Age, Containers*, Images*");
    check(
        KindId::Deployment,
        "Name, Ready, Up-to-date, Available, Age, Containers*, Images*, Selector*",
    );
    check(
        KindId::ReplicaSet,
        "Name, Desired, Current, Ready, Age, Containers*, Images*, Selector*",
    );
    check(
        KindId::Event,
        "Last Seen, Type, Reason, Object, Subobject*, Source*, Message, First Seen*, Count*, Name*",
    );
}

#[test]
fn a_table_carries_metadata_columns_and_objects() {
    let metadata = json!({"resourceVersion": "7", "continue": "x"});
    let item = json!({"metadata": {"name": "default"}, "status": {"phase": "Active"}});
    let of = |include| {
        let items = std::slice::from_ref(&item);
        table(Kind::of(KindId::Namespace), items, metadata.as_object().unwrap(), include, now())
    };
    let whole = of(IncludeObject::Metadata);
    assert_eq!(whole["kind"], "Table");
    assert_eq!(whole["apiVersion"], "meta.k8s.io/v1");
    assert_eq!(whole["metadata"], metadata);
    assert_eq!(
        whole["columnDefinitions"][0],
        json!({
            "name": "Name",
            "type": "string",
            "format": "name",
            "description": "The object's name, unique in its namespace.",
            "priority": 0,
        })
    );
    assert_eq!(
        whole["rows"],
        json!([{
            "cells": ["default", "Active", "<unknown>"],
            "object": {
                "kind": "PartialObjectMetadata",
                "apiVersion": "meta.k8s.io/v1",
                "metadata": {"name": "default"},
            },
        }])
    );
    assert_eq!(of(IncludeObject::Object)["rows"][0]["object"], item);
    assert_eq!(of(IncludeObject::None)["rows"][0].get("object"), None);
    assert_eq!(IncludeObject::from_query(""), Some(IncludeObject::Metadata));
    assert_eq!(IncludeObject::from_query("Object"), Some(IncludeObject::Object));
    assert_eq!(IncludeObject::from_query("all"), None);
}

#[test]
fn services() {
    let check = |spec: Value, row: &str| check(KindId::Service, json!({"spec": spec}), row);
    check(
        json!({"type": "ClusterIP", "clusterIP": "None", "clusterIPs": ["None"], "selector": {"tier": "data", "app": "db"},
            "ports": [{"port": 5432, "protocol": "TCP"}]}),
        "a | ClusterIP | None | <none> | 5432/TCP | 5m | app=db,tier=data",
    );
    check(
        json!({"type": "NodePort", "clusterIPs": ["10.96.0.7"], "ports": [
            {"port": 80, "nodePort": 30080, "protocol": "TCP"}, {"port": 53, "protocol": "UDP"}]}),
        "a | NodePort | 10.96.0.7 | <none> | 80:30080/TCP,53/UDP | 5m | <none>",
    );
    check(
        json!({"type": "ExternalName", "externalName": "db.prod.example.com"}),
        "a | ExternalName | <none> | db.prod.example.com | <none> | 5m | <none>",
    );
    check(
        json!({"type": "LoadBalancer", "clusterIPs": ["10.96.0.8"], "ports": [{"port": 1, "protocol": "TCP"}]}),
        "a | LoadBalancer | 10.96.0.8 | <pending> | 1/TCP | 5m | <none>",
    );
    check(
        json!({"type": "ClusterIP", "clusterIPs": ["10.96.0.9"], "externalIPs": ["192.0.2.1", "192.0.2.2"]}),
        "a | ClusterIP | 10.96.0.9 | 192.0.2.1,192.0.2.2 | <none> | 5m | <none>",
    );
}

#[test]
fn the_ingress_of_a_load_balancer() {
    check(
        KindId::Service,
        json!({
            "spec": {"type": "LoadBalancer", "clusterIPs": ["10.96.0.8"], "externalIPs": ["192.0.2.9"]},
            "status": {"loadBalancer": {"ingress": [{"ip": "192.0.2.2"}, {"hostname": "lb.example.com"}, {"ip": "192.0.2.1"}]}},
        }),
        "a | LoadBalancer | 10.96.0.8 | 192.0.2.1,192.0.2.2,lb.example.com,192.0.2.9 | <none> | 5m | <none>",
    );
}

#[test]
fn endpoints() {
    let check =
        |subsets: Value, row: &str| check(KindId::Endpoints, json!({"subsets": subsets}), row);
    check(json!([]), "a | <none> | 5m");
    check(
        json!([{"addresses": [{"ip": "10.0.0.1"}, {"ip": "10.0.0.2"}], "ports": [{"port": 80}]}]),
        "a | 10.0.0.1:80,10.0.0.2:80 | 5m",
    );
    check(
        json!([{"addresses": [{"ip": "10.0.0.1"}, {"ip": "10.0.0.2"}], "ports": [{"port": 80}, {"port": 443}]}]),
        "a | 10.0.0.1:80,10.0.0.2:80,10.0.0.1:443 + 1 more... | 5m",
    );
    check(json!([{"addresses": [{"ip": "10.0.0.1"}]}]), "a | 10.0.0.1 | 5m");
    check(
        json!([{"addresses": [{"ip": "fd00::1"}], "ports": [{"port": 80}]}]),
        "a | [fd00::1]:80 | 5m",
    );
    check(
        json!([{"notReadyAddresses": [{"ip": "10.0.0.1"}], "ports": [{"port": 80}]}]),
        "a |  | 5m",
    );
}

#[test]
fn endpoint_slices() {
    let check = |slice: Value, row: &str| check(KindId::EndpointSlice, slice, row);
    check(json!({"addressType": "IPv4"}), "a | IPv4 | <unset> | <unset> | 5m");
    check(
        json!({"addressType": "IPv4", "ports": [{"name": "", "port": 80}], "endpoints": [
            {"addresses": ["10.244.1.3"]}, {"addresses": ["10.244.1.4"]}, {"addresses": ["10.244.2.5"]}]}),
        "a | IPv4 | 80 | 10.244.1.3,10.244.1.4,10.244.2.5 | 5m",
    );
    check(
        json!({"addressType": "IPv6", "ports": [{"name": "any"}, {}, {"port": 1}, {"port": 2}, {"port": 3}], "endpoints": [
            {"addresses": ["fd00::1", "fd00::2"]}, {"addresses": ["fd00::3"]}, {"addresses": ["fd00::4"]}]}),
        "a | IPv6 | any,*,1 + 2 more... | fd00::1,fd00::2,fd00::3 + 1 more... | 5m",
    );
}

#[test]
fn workloads() {
    let spec = json!({
        "replicas": 3,
        "selector": {"matchLabels": {"app": "db"}, "matchExpressions": [
            {"key": "tier", "operator": "In", "values": ["b", "a"]},
            {"key": "legacy", "operator": "DoesNotExist"},
            {"key": "zone", "operator": "Exists"},
            {"key": "env", "operator": "NotIn", "values": ["test"]},
        ]},
        "template": {"spec": {"containers": [
            {"name": "postgres", "image": "postgres:17"}, {"name": "proxy", "image": "proxy:1"}]}},
    });
    check(
        KindId::StatefulSet,
        json!({"spec": spec, "status": {"readyReplicas": 2}}),
        "a | 2/3 | 5m | postgres,proxy | postgres:17,proxy:1",
    );
    check(
        KindId::Deployment,
        json!({"spec": spec, "status": {"readyReplicas": 2, "updatedReplicas": 1}}),
        "a | 2/3 | 1 | 0 | 5m | postgres,proxy | postgres:17,proxy:1 | app=db,env notin (test),!legacy,tier in (a,b),zone",
    );
    check(
        KindId::ReplicaSet,
        json!({"spec": {"replicas": 3}, "status": {"replicas": 2, "readyReplicas": 1}}),
        "a | 3 | 2 | 1 | 5m |  |  | <none>",
    );
}

#[test]
fn nodes() {
    check(
        KindId::Node,
        json!({
            "metadata": {"labels": {"node-role.kubernetes.io/worker": "", "kubernetes.io/role": "edge", "x": "y"}},
            "spec": {"unschedulable": true},
            "status": {
                "conditions": [{"type": "Ready", "status": "True"}],
                "addresses": [{"type": "Hostname", "address": "n"}, {"type": "InternalIP", "address": "192.168.0.1"}],
                "nodeInfo": {"kubeletVersion": "v1.36.0", "osImage": "simulated"},
            },
        }),
        "a | Ready,SchedulingDisabled | edge,worker | 5m | v1.36.0 | 192.168.0.1 | <none> | simulated | <unknown> | <unknown>",
    );
    check(
        KindId::Node,
        json!({"status": {"conditions": [{"type": "Ready", "status": "Unknown"}]}}),
        "a | NotReady | <none> | 5m |  | <none> | <none> | <unknown> | <unknown> | <unknown>",
    );
    check(
        KindId::Node,
        json!({}),
        "a | Unknown | <none> | 5m |  | <none> | <none> | <unknown> | <unknown> | <unknown>",
    );
}

#[test]
fn events() {
    check(
        KindId::Event,
        json!({
            "type": "Normal", "reason": "SuccessfulCreate", "message": " create Pod db-0\n", "count": 3,
            "firstTimestamp": "2026-01-02T03:00:05Z", "lastTimestamp": "2026-01-02T03:04:00Z",
            "involvedObject": {"kind": "StatefulSet", "name": "db", "fieldPath": "spec.containers{db}"},
            "source": {"component": "statefulset-controller", "host": "node-1"},
        }),
        "5s | Normal | SuccessfulCreate | statefulset/db | spec.containers{db} | statefulset-controller, node-1 | create Pod db-0 | 4m | 3 | a",
    );
    check(
        KindId::Event,
        json!({
            "eventTime": "2026-01-02T03:04:01.000000Z", "involvedObject": {"kind": "Node"},
            "reportingComponent": "scheduler", "series": {"count": 9, "lastObservedTime": "2026-01-02T03:04:03.000000Z"},
        }),
        "2s |  |  | node |  | scheduler |  | 4s | 9 | a",
    );
    check(KindId::Event, json!({}), "<unknown> |  |  |  |  |  |  | <unknown> | 1 | a");
}

#[test]
fn namespaces() {
    check(KindId::Namespace, json!({"status": {"phase": "Terminating"}}), "a | Terminating | 5m");
}

/// Checks the columns Ready, Status and Restarts of a pod.
#[track_caller]
fn check_pod(pod: Value, ready_status_restarts: &str) {
    let cells = cells(KindId::Pod, &named(pod), now());
    let cells: Vec<&str> = cells[1..4].iter().map(|cell| cell.as_str().unwrap()).collect();
    assert_eq!(cells.join(" | "), ready_status_restarts);
}

/// A pod of containers `names` in `phase`, with the statuses of its containers.
fn pod(names: &[&str], phase: &str, statuses: Value) -> Value {
    let containers: Vec<Value> = names.iter().map(|name| json!({"name": name})).collect();
    json!({"spec": {"containers": containers}, "status": {"phase": phase, "containerStatuses": statuses}})
}

#[test]
fn pods_wide() {
    let mut running = pod(&["db"], "Running", json!([{"ready": true, "state": {"running": {}}}]));
    running["spec"]["nodeName"] = "node-2".into();
    running["spec"]["readinessGates"] = json!([{"conditionType": "x"}, {"conditionType": "y"}]);
    running["status"]["podIPs"] = json!([{"ip": "10.244.2.12"}, {"ip": "fd00::2"}]);
    running["status"]["conditions"] = json!([{"type": "x", "status": "True"}]);
    check(KindId::Pod, running, "a | 1/1 | Running | 0 | 5m | 10.244.2.12 | node-2 | <none> | 1/2");
    check(
        KindId::Pod,
        pod(&["db"], "Pending", json!([])),
        "a | 0/1 | Pending | 0 | 5m | <none> | <none> | <none> | <none>",
    );
}

#[test]
fn the_state_of_a_pod() {
    let running = || json!({"ready": true, "state": {"running": {}}});
    check_pod(pod(&["a", "b"], "Running", json!([running(), running()])), "2/2 | Running | 0");
    check_pod(
        pod(&["a"], "Running", json!([{"ready": false, "state": {"running": {}}}])),
        "0/1 | Running | 0",
    );
    check_pod(
        pod(&["a"], "Pending", json!([{"state": {"waiting": {"reason": "ContainerCreating"}}}])),
        "0/1 | ContainerCreating | 0",
    );
    check_pod(
        pod(
            &["a"],
            "Running",
            json!([{"restartCount": 4, "state": {"waiting": {"reason": "CrashLoopBackOff"}},
                "lastState": {"terminated": {"finishedAt": "2026-01-02T03:03:05Z"}}}]),
        ),
        "0/1 | CrashLoopBackOff | 4 (60s ago)",
    );
    check_pod(
        pod(
            &["a"],
            "Succeeded",
            json!([{"state": {"terminated": {"reason": "Completed", "exitCode": 0}}}]),
        ),
        "0/1 | Completed | 0",
    );
    check_pod(
        pod(
            &["a", "b"],
            "Running",
            json!([{"state": {"terminated": {"reason": "Completed"}}}, running()]),
        ),
        "1/2 | NotReady | 0",
    );
    check_pod(
        pod(&["a"], "Failed", json!([{"state": {"terminated": {"exitCode": 3}}}])),
        "0/1 | ExitCode:3 | 0",
    );
    check_pod(
        pod(&["a"], "Failed", json!([{"state": {"terminated": {"exitCode": 137, "signal": 9}}}])),
        "0/1 | Signal:9 | 0",
    );
    let mut evicted = pod(&["a"], "Failed", json!([]));
    evicted["status"]["reason"] = "Evicted".into();
    check_pod(evicted, "0/1 | Evicted | 0");
    let mut gated = pod(&["a"], "Pending", json!([]));
    gated["status"]["conditions"] =
        json!([{"type": "PodScheduled", "status": "False", "reason": "SchedulingGated"}]);
    check_pod(gated, "0/1 | SchedulingGated | 0");
}

#[test]
fn a_pod_that_is_being_deleted() {
    let deleted = |phase: &str, statuses: Value| {
        let mut pod = pod(&["a"], phase, statuses);
        pod["metadata"] = json!({"deletionTimestamp": NOW});
        pod
    };
    let running = json!([{"ready": true, "state": {"running": {}}}]);
    check_pod(deleted("Running", running.clone()), "1/1 | Terminating | 0");
    let completed = json!([{"state": {"terminated": {"reason": "Completed"}}}]);
    check_pod(deleted("Succeeded", completed), "0/1 | Completed | 0");
    let mut lost = deleted("Running", running);
    lost["status"]["reason"] = "NodeLost".into();
    check_pod(lost, "1/1 | Unknown | 0");
}

#[test]
fn a_pod_with_init_containers() {
    let with_init = |init: Value, statuses: Value, containers: Value| {
        let mut pod = pod(&["a"], "Pending", containers);
        pod["spec"]["initContainers"] = init;
        pod["status"]["initContainerStatuses"] = statuses;
        pod
    };
    let two = || json!([{"name": "x"}, {"name": "y"}]);
    let done = || json!({"name": "x", "state": {"terminated": {"exitCode": 0}}});
    let waiting = || json!([{"state": {"waiting": {"reason": "PodInitializing"}}}]);
    let check = |second: Value, text: &str| {
        check_pod(with_init(two(), json!([done(), second]), waiting()), text);
    };
    check(json!({"name": "y", "state": {"running": {}}}), "0/1 | Init:1/2 | 0");
    check(
        json!({"name": "y", "restartCount": 2, "state": {"waiting": {"reason": "CrashLoopBackOff"}}}),
        "0/1 | Init:CrashLoopBackOff | 2",
    );
    check(
        json!({"name": "y", "state": {"terminated": {"exitCode": 1, "reason": "Error"}}}),
        "0/1 | Init:Error | 0",
    );
    check(
        json!({"name": "y", "state": {"terminated": {"exitCode": 4}}}),
        "0/1 | Init:ExitCode:4 | 0",
    );
    let sidecar = with_init(
        json!([{"name": "proxy", "restartPolicy": "Always"}]),
        json!([{"name": "proxy", "started": true, "ready": true, "restartCount": 1, "state": {"running": {}}}]),
        json!([{"ready": true, "restartCount": 2, "state": {"running": {}}}]),
    );
    check_pod(sidecar, "2/2 | Pending | 3");
}

#[test]
fn rows_of_pods_that_ended_say_so() {
    let conditions = |phase: &str| {
        let pod = pod(&[], phase, json!([]));
        let table = table(Kind::of(KindId::Pod), &[pod], &Map::new(), IncludeObject::None, now());
        table["rows"][0].get("conditions").cloned()
    };
    assert_eq!(conditions("Running"), None);
    assert_eq!(
        conditions("Failed"),
        Some(
            json!([{"type": "Completed", "status": "True", "reason": "Failed", "message": "The pod failed."}])
        )
    );
    assert_eq!(conditions("Succeeded").unwrap()[0]["reason"], "Succeeded");
}
