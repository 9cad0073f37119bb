use manifest::kind::{KindId, Stored};
use serde_json::{Value, json};

use crate::table::tests;

#[track_caller]
fn check(kind: Stored, item: Value, row: &str) {
    tests::check(KindId::Stored(kind), item, row);
}

/// As `pkg/printers/internalversion` of Kubernetes has them.
#[test]
fn columns_of_each_kind() {
    let check = |kind, columns: &str| tests::check_columns(KindId::Stored(kind), columns);
    check(Stored::ConfigMap, "Name, Data, Age");
    check(Stored::Secret, "Name, Type, Data, Age");
    check(Stored::ServiceAccount, "Name, Secrets, Age");
    check(
        Stored::PersistentVolumeClaim,
        "Name, Status, Volume, Capacity, Access Modes, StorageClass, VolumeAttributesClass, Age, VolumeMode*",
    );
    check(
        Stored::PersistentVolume,
        "Name, Capacity, Access Modes, Reclaim Policy, Status, Claim, StorageClass, VolumeAttributesClass, Reason, Age, VolumeMode*",
    );
    check(Stored::ResourceQuota, "Name, Request, Limit, Age");
    check(Stored::ControllerRevision, "Name, Controller, Revision, Age");
    check(
        Stored::DaemonSet,
        "Name, Desired, Current, Ready, Up-to-date, Available, Node Selector, Age, Containers*, Images*, Selector*",
    );
    check(
        Stored::HorizontalPodAutoscaler,
        "Name, Reference, Targets, MinPods, MaxPods, Replicas, Age",
    );
    check(Stored::Job, "Name, Status, Completions, Duration, Age, Containers*, Images*, Selector*");
    check(
        Stored::CronJob,
        "Name, Schedule, Timezone, Suspend, Active, Last Schedule, Age, Containers*, Images*, Selector*",
    );
    check(Stored::Lease, "Name, Holder, Age");
    check(Stored::NetworkPolicy, "Name, Pod-Selector, Age");
    check(Stored::Ingress, "Name, Class, Hosts, Address, Ports, Age");
    check(Stored::IngressClass, "Name, Controller, Parameters, Age");
    check(
        Stored::PodDisruptionBudget,
        "Name, Min Available, Max Unavailable, Allowed Disruptions, Age",
    );
    for kind in [Stored::LimitRange, Stored::Role, Stored::ClusterRole] {
        check(kind, "Name, Created At");
    }
    for kind in [Stored::RoleBinding, Stored::ClusterRoleBinding] {
        check(kind, "Name, Role, Age, Users*, Groups*, ServiceAccounts*");
    }
    check(Stored::ServiceImport, "Name, Type, IP, Age");
    check(Stored::GatewayClass, "Name, Controller, Accepted, Age, Description*");
    check(Stored::Gateway, "Name, Class, Address, Programmed, Age");
    check(Stored::HTTPRoute, "Name, Hostnames, Age");
    check(Stored::ReferenceGrant, "Name, Age");
    check(Stored::PriorityClass, "Name, Value, Global-Default, Age, PreemptionPolicy");
    check(
        Stored::StorageClass,
        "Name, Provisioner, ReclaimPolicy, VolumeBindingMode, AllowVolumeExpansion, Age",
    );
}

#[test]
fn configuration() {
    check(
        Stored::ConfigMap,
        json!({"data": {"a": "", "b": ""}, "binaryData": {"c": ""}}),
        "a | 3 | 5m",
    );
    check(Stored::Secret, json!({"type": "Opaque", "data": {"a": ""}}), "a | Opaque | 1 | 5m");
    check(Stored::ServiceAccount, json!({}), "a | 0 | 5m");
    check(Stored::Lease, json!({"spec": {"holderIdentity": "node-1"}}), "a | node-1 | 5m");
    check(
        Stored::PriorityClass,
        json!({"value": 7, "preemptionPolicy": "Never"}),
        "a | 7 | false | 5m | Never",
    );
    check(
        Stored::ResourceQuota,
        json!({
            "spec": {"hard": {"secrets": "9"}},
            "status": {"hard": {"pods": "4", "limits.cpu": "2", "configmaps": "8"}, "used": {"pods": "1"}},
        }),
        "a | configmaps: 0/8, pods: 1/4 | limits.cpu: 0/2 | 5m",
    );
    check(Stored::ResourceQuota, json!({"spec": {"hard": {"pods": "4"}}}), "a |  |  | 5m");
}

#[test]
fn volumes_and_claims() {
    let bound = json!({
        "spec": {"volumeName": "v", "storageClassName": "fast", "volumeMode": "Filesystem"},
        "status": {"phase": "Bound", "capacity": {"storage": "1Gi"}, "accessModes": ["ReadWriteMany", "ReadWriteOnce"]},
    });
    check(
        Stored::PersistentVolumeClaim,
        bound,
        "a | Bound | v | 1Gi | RWO,RWX | fast | <unset> | 5m | Filesystem",
    );
    // What a claim will get is not known before it has its volume.
    check(
        Stored::PersistentVolumeClaim,
        json!({
            "metadata": {"annotations": {"volume.beta.kubernetes.io/storage-class": "slow"}},
            "spec": {"accessModes": ["ReadWriteOnce"]},
            "status": {"phase": "Pending", "accessModes": ["ReadWriteOnce"]},
        }),
        "a | Pending |  |  |  | slow | <unset> | 5m | <unset>",
    );
    check(
        Stored::PersistentVolume,
        json!({
            "metadata": {"deletionTimestamp": "2026-01-02T03:04:05Z"},
            "spec": {
                "accessModes": ["ReadOnlyMany"], "persistentVolumeReclaimPolicy": "Retain",
                "claimRef": {"namespace": "prod", "name": "data-db-0"},
            },
            "status": {"phase": "Bound"},
        }),
        "a | 0 | ROX | Retain | Terminating | prod/data-db-0 |  | <unset> |  | 5m | <unset>",
    );
    check(
        Stored::ServiceImport,
        json!({"spec": {"type": "ClusterSetIP", "ips": ["10.0.0.9", "fd00::9"]}}),
        "a | ClusterSetIP | [\"10.0.0.9\",\"fd00::9\"] | 5m",
    );
    check(Stored::ServiceImport, json!({"spec": {"type": "Headless"}}), "a | Headless |  | 5m");
    check(
        Stored::StorageClass,
        json!({
            "metadata": {"annotations": {"storageclass.beta.kubernetes.io/is-default-class": "true"}},
            "provisioner": "p", "reclaimPolicy": "Delete", "volumeBindingMode": "Immediate",
        }),
        "a (default) | p | Delete | Immediate | false | 5m",
    );
}

#[test]
fn jobs() {
    let job =
        |status: Value| json!({"spec": {"completions": 3, "parallelism": 2}, "status": status});
    let condition = |kind: &str| json!([{"type": kind, "status": "True"}]);
    check(
        Stored::Job,
        job(json!({"succeeded": 1, "startTime": "2026-01-02T03:03:35Z"})),
        "a | Running | 1/3 | 30s | 5m |  |  | <none>",
    );
    check(
        Stored::Job,
        job(json!({
            "succeeded": 3, "conditions": condition("Complete"),
            "startTime": "2026-01-02T03:00:00Z", "completionTime": "2026-01-02T03:00:07Z",
        })),
        "a | Complete | 3/3 | 7s | 5m |  |  | <none>",
    );
    for status in ["Failed", "Suspended", "FailureTarget"] {
        check(
            Stored::Job,
            job(json!({"conditions": condition(status)})),
            &format!("a | {status} | 0/3 |  | 5m |  |  | <none>"),
        );
    }
    check(
        Stored::Job,
        json!({"spec": {"parallelism": 2}}),
        "a | Running | 0/1 of 2 |  | 5m |  |  | <none>",
    );
    let template = json!({"spec": {"containers": [{"name": "c", "image": "i:1"}]}});
    check(
        Stored::CronJob,
        json!({
            "spec": {"schedule": "0 * * * *", "suspend": false, "jobTemplate": {"spec": {"template": template}}},
            "status": {"active": [{}], "lastScheduleTime": "2026-01-02T03:03:05Z"},
        }),
        "a | 0 * * * * | <none> | False | 1 | 60s | 5m | c | i:1 | <none>",
    );
    check(
        Stored::CronJob,
        json!({"spec": {"schedule": "@daily", "timeZone": "Etc/UTC", "suspend": true}}),
        "a | @daily | Etc/UTC | True | 0 | <none> | 5m |  |  | <none>",
    );
}

#[test]
fn workloads() {
    let status = json!({
        "desiredNumberScheduled": 3, "currentNumberScheduled": 3, "numberReady": 2,
        "updatedNumberScheduled": 1, "numberAvailable": 2,
    });
    check(
        Stored::DaemonSet,
        json!({
            "spec": {
                "selector": {"matchLabels": {"app": "x"}},
                "template": {"spec": {"nodeSelector": {"disk": "ssd"}, "containers": [{"name": "c", "image": "i:1"}]}},
            },
            "status": status,
        }),
        "a | 3 | 3 | 2 | 1 | 2 | disk=ssd | 5m | c | i:1 | app=x",
    );
    check(
        Stored::ControllerRevision,
        json!({
            "metadata": {"ownerReferences": [{"controller": true, "apiVersion": "apps/v1", "kind": "StatefulSet", "name": "db"}]},
            "revision": 2,
        }),
        "a | statefulset.apps/db | 2 | 5m",
    );
    check(Stored::ControllerRevision, json!({"revision": 1}), "a | <none> | 1 | 5m");
    check(
        Stored::PodDisruptionBudget,
        json!({"spec": {"minAvailable": "50%"}, "status": {"disruptionsAllowed": 1}}),
        "a | 50% | N/A | 1 | 5m",
    );
    check(
        Stored::PodDisruptionBudget,
        json!({"spec": {"maxUnavailable": 2}}),
        "a | N/A | 2 | 0 | 5m",
    );
}

#[test]
fn autoscalers() {
    let check = |metrics: Value, measured: Value, targets: &str| {
        check(
            Stored::HorizontalPodAutoscaler,
            json!({
                "spec": {"scaleTargetRef": {"kind": "Deployment", "name": "web"}, "maxReplicas": 5, "metrics": metrics},
                "status": {"currentMetrics": measured, "currentReplicas": 2},
            }),
            &format!("a | Deployment/web | {targets} | <unset> | 5 | 2 | 5m"),
        );
    };
    let resource =
        |target: Value| json!({"type": "Resource", "resource": {"name": "cpu", "target": target}});
    let pods = json!({"type": "Pods", "pods": {"metric": {"name": "m"}, "target": {"averageValue": "10"}}});
    let external = |target: Value| json!({"type": "External", "external": {"metric": {"name": "m"}, "target": target}});
    check(json!([]), json!([]), "<none>");
    check(
        json!([resource(json!({"averageUtilization": 80}))]),
        json!([{"type": "Resource", "resource": {"current": {"averageUtilization": 0}}}]),
        "cpu: 0%/80%",
    );
    check(
        json!([resource(json!({"averageValue": "1"})), resource(json!({}))]),
        json!([]),
        "cpu: <unknown>/1, cpu: <unknown>/<auto>",
    );
    check(
        json!([pods, external(json!({"averageValue": "2"})), external(json!({"value": "3"}))]),
        json!([{"type": "Pods", "pods": {"current": {"averageValue": "7"}}}]),
        "7/10, <unknown>/2 (avg) + 1 more...",
    );
    check(json!([external(json!({"value": "3"}))]), json!([]), "<unknown>/3");
}

#[test]
fn networking_and_roles() {
    check(
        Stored::Ingress,
        json!({
            "spec": {
                "ingressClassName": "nginx",
                "rules": [{"host": "a.example.com"}, {}, {"host": "b.example.com"}, {"host": "c.example.com"}, {}],
                "tls": [{}],
            },
            "status": {"loadBalancer": {"ingress": [{"ip": "192.0.2.2"}, {"hostname": "lb"}, {"ip": "192.0.2.1"}]}},
        }),
        "a | nginx | a.example.com,b.example.com,c.example.com + 2 more... | 192.0.2.1,192.0.2.2,lb | 80, 443 | 5m",
    );
    check(Stored::Ingress, json!({"spec": {"rules": [{}]}}), "a | <none> | * |  | 80 | 5m");
    check(
        Stored::IngressClass,
        json!({"spec": {"controller": "c", "parameters": {"apiGroup": "g", "kind": "K", "name": "n"}}}),
        "a | c | K.g/n | 5m",
    );
    check(
        Stored::NetworkPolicy,
        json!({"spec": {"podSelector": {"matchLabels": {"app": "x"}}}}),
        "a | app=x | 5m",
    );
    check(
        Stored::RoleBinding,
        json!({
            "roleRef": {"kind": "Role", "name": "r"},
            "subjects": [
                {"kind": "User", "name": "u"}, {"kind": "User", "name": "v"}, {"kind": "Group", "name": "g"},
                {"kind": "ServiceAccount", "namespace": "ns", "name": "s"},
            ],
        }),
        "a | Role/r | 5m | u, v | g | ns/s",
    );
    check(Stored::Role, json!({}), "a | 2026-01-02T02:59:05Z");
}
