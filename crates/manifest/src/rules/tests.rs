//! One row per violation, with the exact text.

use serde_json::{Map, Value, json};

use super::{default, normalize, validate};
use crate::kind::{Kind, KindId, Stored};

/// An object of the kind with these fields, in the stored shape.
fn object(kind: &Kind, fields: Value) -> Value {
    let mut object = json!({"metadata": {"name": "x"}});
    if kind.namespaced {
        object["metadata"]["namespace"] = "default".into();
    }
    merge(&mut object, fields);
    let mut value = normalize(kind, object).unwrap().value;
    default(kind, &mut value);
    value
}

/// Lays `over` upon `value`, objects field by field.
fn merge(value: &mut Value, over: Value) {
    match (value, over) {
        (Value::Object(value), Value::Object(over)) => {
            for (key, over) in over {
                merge(value.entry(key).or_insert(Value::Null), over);
            }
        }
        (value, over) => *value = over,
    }
}

fn texts(kind: &Kind, new: &Value, old: Option<&Value>) -> Vec<String> {
    validate(kind, new, old)
        .iter()
        .map(|error| error.to_string().split(" (e.g. '").next().unwrap_or_default().to_owned())
        .collect()
}

#[track_caller]
fn check(id: KindId, fields: Value, expected: &[&str]) {
    let kind = Kind::of(id);
    assert_eq!(texts(kind, &object(kind, fields), None), expected);
}

#[track_caller]
fn check_update(id: KindId, old: Value, new: Value, expected: &[&str]) {
    let kind = Kind::of(id);
    let old = object(kind, old);
    assert_eq!(texts(kind, &old, None), Vec::<String>::new());
    assert_eq!(texts(kind, &object(kind, new), Some(&old)), expected);
}

/// A spec with one good container, and `over` laid upon it.
fn pod_spec(over: Value) -> Value {
    let mut spec = json!({"containers": [{"name": "c", "image": "redis:7"}]});
    merge(&mut spec, over);
    json!({"spec": spec})
}

/// A spec with one container, good but for `over`.
fn container(over: Value) -> Value {
    let mut container = json!({"name": "c", "image": "redis:7"});
    merge(&mut container, over);
    json!({"spec": {"containers": [container]}})
}

/// A good workload's spec, and `over` laid upon it.
fn workload(over: Value) -> Value {
    let mut spec = json!({
        "selector": {"matchLabels": {"app": "db"}},
        "template": {"metadata": {"labels": {"app": "db"}}, "spec": {"containers": [{"name": "c", "image": "redis:7"}]}},
    });
    merge(&mut spec, over);
    json!({"spec": spec})
}

const LABEL: &str = "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must \
                     start and end with an alphanumeric character";

#[test]
fn pods() {
    use KindId::Pod;
    check(Pod, pod_spec(json!({})), &[]);
    check(Pod, json!({}), &["spec.containers: Required value"]);
    check(Pod, container(json!({"name": ""})), &["spec.containers[0].name: Required value"]);
    check(
        Pod,
        container(json!({"name": "C"})),
        &[&format!("spec.containers[0].name: Invalid value: \"C\": {LABEL}")],
    );
    check(
        Pod,
        pod_spec(json!({"containers": [{"name": "c", "image": "i"}, {"name": "c", "image": "i"}]})),
        &["spec.containers[1].name: Duplicate value: \"c\""],
    );
    check(Pod, container(json!({"image": ""})), &["spec.containers[0].image: Required value"]);
    check(
        Pod,
        container(json!({"image": " i"})),
        &[
            "spec.containers[0].image: Invalid value: \" i\": must not have leading or trailing whitespace",
        ],
    );
    check(
        Pod,
        container(json!({"imagePullPolicy": "Never?"})),
        &[
            "spec.containers[0].imagePullPolicy: Unsupported value: \"Never?\": supported values: \"Always\", \
           \"IfNotPresent\", \"Never\"",
        ],
    );
    check(
        Pod,
        container(
            json!({"ports": [{"containerPort": 70000, "name": "a--b"}, {"containerPort": 0, "protocol": "X"},
            {"containerPort": 1, "name": "p", "hostPort": 65536}, {"containerPort": 2, "name": "p"}]}),
        ),
        &[
            "spec.containers[0].ports[0].name: Invalid value: \"a--b\": must not contain consecutive hyphens",
            "spec.containers[0].ports[0].containerPort: Invalid value: 70000: must be between 1 and 65535, inclusive",
            "spec.containers[0].ports[1].containerPort: Required value",
            "spec.containers[0].ports[1].protocol: Unsupported value: \"X\": supported values: \"SCTP\", \"TCP\", \"UDP\"",
            "spec.containers[0].ports[2].hostPort: Invalid value: 65536: must be between 1 and 65535, inclusive",
            "spec.containers[0].ports[3].name: Duplicate value: \"p\"",
        ],
    );
    check(
        Pod,
        container(json!({"env": [{"name": ""}, {"name": "A=B"},
            {"name": "C", "value": "x", "valueFrom": {"fieldRef": {"fieldPath": "status.podIP"}}}]})),
        &[
            "spec.containers[0].env[0].name: Required value",
            "spec.containers[0].env[1].name: Invalid value: \"A=B\": a valid environment variable name must consist \
             only of printable ASCII characters other than '='",
            "spec.containers[0].env[2].valueFrom: Invalid value: \"\": may not be specified when `value` is not empty",
        ],
    );
    check(
        Pod,
        json!({"spec": {"volumes": [{"name": "v"}, {"name": "v"}, {"name": "V"}], "containers": [
            {"name": "c", "image": "i", "volumeMounts": [{"name": "v", "mountPath": "/a"}, {"name": "w", "mountPath": "/a"},
                {"name": "v", "mountPath": ""}]}]}}),
        &[
            "spec.volumes[1].name: Duplicate value: \"v\"",
            &format!("spec.volumes[2].name: Invalid value: \"V\": {LABEL}"),
            "spec.containers[0].volumeMounts[1].name: Not found: \"w\"",
            "spec.containers[0].volumeMounts[1].mountPath: Invalid value: \"/a\": must be unique",
            "spec.containers[0].volumeMounts[2].mountPath: Required value",
        ],
    );
    check(
        Pod,
        container(json!({"readinessProbe": {"periodSeconds": -1},
            "livenessProbe": {"successThreshold": 2, "tcpSocket": {"port": 0}, "httpGet": {"port": "Web"}}})),
        &[
            "spec.containers[0].livenessProbe: Forbidden: may not specify more than 1 handler type",
            "spec.containers[0].livenessProbe.httpGet.port: Invalid value: \"Web\": must contain only alpha-numeric \
             characters (a-z, 0-9), and hyphens (-)",
            "spec.containers[0].livenessProbe.tcpSocket.port: Invalid value: 0: must be between 1 and 65535, inclusive",
            "spec.containers[0].livenessProbe.successThreshold: Invalid value: 2: must be 1",
            "spec.containers[0].readinessProbe: Required value: must specify a handler type",
            "spec.containers[0].readinessProbe.periodSeconds: Invalid value: -1: must be greater than or equal to 0",
        ],
    );
    check(
        Pod,
        pod_spec(json!({"initContainers": [
            {"name": "i", "image": "i", "readinessProbe": {"exec": {"command": ["x"]}}},
            {"name": "s", "image": "i", "restartPolicy": "Always", "readinessProbe": {"exec": {"command": ["x"]}}}]})),
        &[
            "spec.initContainers[0].readinessProbe: Forbidden: may not be set for init containers without \
           restartPolicy=Always",
        ],
    );
}

#[test]
fn what_pods_are_called_and_where_they_ask() {
    use KindId::Pod;
    check(Pod, pod_spec(json!({"hostname": "db-0", "subdomain": "db"})), &[]);
    check(
        Pod,
        pod_spec(
            json!({"hostname": "db.0", "subdomain": "DB", "restartPolicy": "Maybe", "nodeName": "N"}),
        ),
        &[
            "spec.restartPolicy: Unsupported value: \"Maybe\": supported values: \"Always\", \"Never\", \"OnFailure\"",
            "spec.hostname: Invalid value: \"db.0\": must not contain dots",
            &format!("spec.subdomain: Invalid value: \"DB\": {LABEL}"),
            "spec.nodeName: Invalid value: \"N\": a lowercase RFC 1123 subdomain must consist of lower case \
             alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character",
        ],
    );
    check(
        Pod,
        pod_spec(
            json!({"dnsPolicy": "None", "terminationGracePeriodSeconds": -1, "hostAliases": [{"ip": "x", "hostnames": ["a\n"]}],
            "readinessGates": [{"conditionType": "a b"}]}),
        ),
        &[
            "spec.dnsConfig.nameservers: Required value: must provide at least one DNS nameserver when `dnsPolicy` is None",
            "spec.terminationGracePeriodSeconds: Invalid value: -1: must be greater than or equal to 0",
            "spec.hostAliases[0].ip: Invalid value: \"x\": must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)",
            "spec.hostAliases[0].hostnames[0]: Invalid value: \"a\\n\": a lowercase RFC 1123 subdomain must consist of \
             lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character",
            "spec.readinessGates[0].conditionType: Invalid value: \"a b\": name part must consist of alphanumeric \
             characters, '-', '_' or '.', and must start and end with an alphanumeric character",
        ],
    );
    check(
        Pod,
        pod_spec(
            json!({"dnsPolicy": "First", "dnsConfig": {"nameservers": ["1.1.1.1", "1.1.1.2", "1.1.1.3", "x"],
            "searches": [".", "a.b.", "a b"], "options": [{"value": "1"}]}}),
        ),
        &[
            "spec.dnsPolicy: Unsupported value: \"First\": supported values: \"ClusterFirst\", \
             \"ClusterFirstWithHostNet\", \"Default\", \"None\"",
            "spec.dnsConfig.nameservers: Invalid value: [\"1.1.1.1\",\"1.1.1.2\",\"1.1.1.3\",\"x\"]: must not have more \
             than 3 nameservers",
            "spec.dnsConfig.nameservers[3]: Invalid value: \"x\": must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)",
            "spec.dnsConfig.searches[2]: Invalid value: \"a b\": a lowercase RFC 1123 subdomain must consist of lower case \
             alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character",
            "spec.dnsConfig.options[0]: Required value: must not be empty",
        ],
    );
}

#[test]
fn updates_of_pods() {
    use KindId::Pod;
    const FORBIDDEN: &str = "spec: Forbidden: pod updates may not change fields other than \
        `spec.containers[*].image`,`spec.initContainers[*].image`,`spec.activeDeadlineSeconds`,`spec.tolerations` \
        (only additions to existing tolerations),`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if \
        it was previously negative)";
    let pod = || container(json!({}));
    check_update(Pod, pod(), pod(), &[]);
    check_update(Pod, pod(), container(json!({"image": "redis:8"})), &[]);
    check_update(Pod, pod(), pod_spec(json!({"nodeName": "node-1"})), &[]);
    check_update(Pod, pod(), pod_spec(json!({"tolerations": [{"operator": "Exists"}]})), &[]);
    check_update(Pod, pod(), pod_spec(json!({"hostname": "a"})), &[FORBIDDEN]);
    check_update(Pod, pod(), container(json!({"name": "d"})), &[FORBIDDEN]);
    check_update(
        Pod,
        pod_spec(json!({"nodeName": "node-1"})),
        pod_spec(json!({"nodeName": "node-2"})),
        &[FORBIDDEN],
    );
    check_update(
        Pod,
        pod_spec(json!({"tolerations": [{"key": "a", "operator": "Exists"}]})),
        pod(),
        &[
            "spec.tolerations: Forbidden: existing toleration can not be modified except its tolerationSeconds",
        ],
    );
    check_update(
        Pod,
        pod(),
        pod_spec(
            json!({"containers": [{"name": "c", "image": "redis:7"}, {"name": "d", "image": "i"}]}),
        ),
        &["spec.containers: Forbidden: pod updates may not add or remove containers"],
    );
}

#[test]
fn selectors_of_workloads() {
    for id in [KindId::StatefulSet, KindId::Deployment, KindId::ReplicaSet] {
        check(id, workload(json!({})), &[]);
        check(
            id,
            workload(json!({"selector": {"matchLabels": {"app": "web"}}})),
            &[
                "spec.template.metadata.labels: Invalid value: {\"app\":\"db\"}: `selector` does not match template `labels`",
            ],
        );
        check(id, workload(json!({"selector": null})), &["spec.selector: Required value"]);
        check(
            id,
            workload(
                json!({"selector": {"matchExpressions": [{"key": "app", "operator": "Like"}]}}),
            ),
            &[
                "spec.selector.matchExpressions[0].operator: Invalid value: \"Like\": not a valid selector operator",
            ],
        );
        check(
            id,
            workload(json!({"selector": {"matchExpressions": [{"key": "app", "operator": "In"},
                {"key": "app", "operator": "Exists", "values": ["db"]}]}})),
            &[
                "spec.selector.matchExpressions[0].values: Required value: must be specified when `operator` is 'In' or 'NotIn'",
                "spec.selector.matchExpressions[1].values: Forbidden: may not be specified when `operator` is 'Exists' or \
                 'DoesNotExist'",
            ],
        );
        check(
            id,
            workload(json!({"replicas": -1, "minReadySeconds": 0})),
            &["spec.replicas: Invalid value: -1: must be greater than or equal to 0"],
        );
        check(
            id,
            workload(
                json!({"template": {"spec": {"restartPolicy": "Never", "activeDeadlineSeconds": 1}}}),
            ),
            &[
                "spec.template.spec.restartPolicy: Unsupported value: \"Never\": supported values: \"Always\"",
                "spec.template.spec.activeDeadlineSeconds: Forbidden: activeDeadlineSeconds in this workload is not \
                 supported",
            ],
        );
        check(
            id,
            workload(
                json!({"template": {"metadata": {"labels": {"a b": "c"}}, "spec": {"containers": []}}}),
            ),
            &[
                "spec.template.metadata.labels: Invalid value: \"a b\": name part must consist of alphanumeric \
                 characters, '-', '_' or '.', and must start and end with an alphanumeric character",
                "spec.template.spec.containers: Required value",
            ],
        );
    }
    let other = json!({"selector": {"matchLabels": {"tier": "x"}}, "template": {"metadata": {"labels": {"tier": "x"}}}});
    for id in [KindId::Deployment, KindId::ReplicaSet] {
        check_update(
            id,
            workload(json!({})),
            workload(other.clone()),
            &[
                "spec.selector: Invalid value: {\"matchLabels\":{\"app\":\"db\",\"tier\":\"x\"}}: field is immutable",
            ],
        );
        check_update(id, workload(json!({})), workload(json!({"replicas": 0})), &[]);
    }
}

#[test]
fn stateful_sets() {
    use KindId::StatefulSet;
    let spec =
        object(Kind::of(StatefulSet), workload(json!({"serviceName": "db"})))["spec"].clone();
    for (field, expected) in [
        ("podManagementPolicy", json!("OrderedReady")),
        ("updateStrategy", json!({"type": "RollingUpdate", "rollingUpdate": {"partition": 0}})),
        (
            "persistentVolumeClaimRetentionPolicy",
            json!({"whenDeleted": "Retain", "whenScaled": "Retain"}),
        ),
        ("replicas", json!(1)),
        ("revisionHistoryLimit", json!(10)),
    ] {
        assert_eq!(spec[field], expected, "{field}");
    }
    assert_eq!(spec["template"]["spec"]["restartPolicy"], "Always");
    assert_eq!(spec["template"]["spec"].get("enableServiceLinks"), None);

    check(
        StatefulSet,
        workload(
            json!({"podManagementPolicy": "Any", "serviceName": "A_B", "ordinals": {"start": -1},
            "persistentVolumeClaimRetentionPolicy": {"whenScaled": "Keep"},
            "updateStrategy": {"rollingUpdate": {"partition": -1, "maxUnavailable": "0%"}}}),
        ),
        &[
            "spec.podManagementPolicy: Unsupported value: \"Any\": supported values: \"OrderedReady\", \"Parallel\"",
            "spec.updateStrategy.rollingUpdate.partition: Invalid value: -1: must be greater than or equal to 0",
            "spec.updateStrategy.rollingUpdate.maxUnavailable: Invalid value: 0: cannot be 0",
            "spec.persistentVolumeClaimRetentionPolicy.whenScaled: Unsupported value: \"Keep\": supported values: \
             \"Delete\", \"Retain\"",
            "spec.ordinals.start: Invalid value: -1: must be greater than or equal to 0",
            "spec.serviceName: Invalid value: \"A_B\": a lowercase RFC 1123 subdomain must consist of lower case \
             alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character",
        ],
    );
    check(
        StatefulSet,
        workload(json!({"updateStrategy": {"type": "Sometimes"}})),
        &[
            "spec.updateStrategy: Invalid value: \"Sometimes\": must be 'RollingUpdate' or 'OnDelete'",
        ],
    );
    check(
        StatefulSet,
        workload(
            json!({"updateStrategy": {"type": "OnDelete", "rollingUpdate": {"partition": 1}}}),
        ),
        &[
            "spec.updateStrategy.rollingUpdate: Invalid value: null: only allowed for updateStrategy 'RollingUpdate'",
        ],
    );
    // A claim counts as a volume.
    let claims = json!({"template": {"spec": {"containers": [
        {"name": "c", "image": "i", "volumeMounts": [{"name": "data", "mountPath": "/data"}]}]}},
        "volumeClaimTemplates": [{"metadata": {"name": "data"}}]});
    check(StatefulSet, workload(claims.clone()), &[]);

    const FORBIDDEN: &str = "spec: Forbidden: updates to statefulset spec for fields other than 'replicas', \
        'ordinals', 'template', 'updateStrategy', 'revisionHistoryLimit', 'persistentVolumeClaimRetentionPolicy' and \
        'minReadySeconds' are forbidden";
    let set = || workload(json!({"serviceName": "db"}));
    let changed = |over: Value| {
        let mut set = set();
        merge(&mut set["spec"], over);
        set
    };
    check_update(StatefulSet, set(), set(), &[]);
    check_update(
        StatefulSet,
        set(),
        changed(
            json!({"replicas": 5, "minReadySeconds": 1, "revisionHistoryLimit": 2, "ordinals": {"start": 1},
            "updateStrategy": {"type": "OnDelete"}, "persistentVolumeClaimRetentionPolicy": {"whenScaled": "Delete"},
            "template": {"metadata": {"labels": {"more": "x"}}}}),
        ),
        &[],
    );
    check_update(StatefulSet, set(), changed(json!({"serviceName": "other"})), &[FORBIDDEN]);
    check_update(
        StatefulSet,
        set(),
        changed(json!({"podManagementPolicy": "Parallel"})),
        &[FORBIDDEN],
    );
    check_update(StatefulSet, set(), changed(claims), &[FORBIDDEN]);
    check_update(
        StatefulSet,
        set(),
        changed(
            json!({"selector": {"matchLabels": {"b": "c"}}, "template": {"metadata": {"labels": {"b": "c"}}}}),
        ),
        &[FORBIDDEN],
    );
}

#[test]
fn deployments() {
    use KindId::Deployment;
    let spec = object(Kind::of(Deployment), workload(json!({})))["spec"].clone();
    for (field, expected) in [
        ("replicas", json!(1)),
        (
            "strategy",
            json!({"type": "RollingUpdate", "rollingUpdate": {"maxSurge": "25%", "maxUnavailable": "25%"}}),
        ),
        ("revisionHistoryLimit", json!(10)),
        ("progressDeadlineSeconds", json!(600)),
    ] {
        assert_eq!(spec[field], expected, "{field}");
    }
    check(
        Deployment,
        workload(
            json!({"strategy": {"type": "Slow"}, "progressDeadlineSeconds": 5, "minReadySeconds": 5}),
        ),
        &[
            "spec.strategy.type: Unsupported value: \"Slow\": supported values: \"Recreate\", \"RollingUpdate\"",
            "spec.progressDeadlineSeconds: Invalid value: 5: must be greater than minReadySeconds",
        ],
    );
    check(
        Deployment,
        workload(json!({"strategy": {"type": "Recreate", "rollingUpdate": {}}})),
        &[
            "spec.strategy.rollingUpdate: Forbidden: may not be specified when strategy `type` is 'Recreate'",
        ],
    );
    check(
        Deployment,
        workload(json!({"strategy": {"rollingUpdate": {"maxSurge": 0, "maxUnavailable": "0%"}}})),
        &[
            "spec.strategy.rollingUpdate.maxUnavailable: Invalid value: \"0%\": may not be 0 when `maxSurge` is 0",
        ],
    );
    check(
        Deployment,
        workload(
            json!({"strategy": {"rollingUpdate": {"maxSurge": "some", "maxUnavailable": -1}}}),
        ),
        &[
            "spec.strategy.rollingUpdate.maxUnavailable: Invalid value: -1: must be greater than or equal to 0",
            "spec.strategy.rollingUpdate.maxSurge: Invalid value: \"some\": a valid percent string must be a numeric \
             string followed by an ending '%'",
        ],
    );
}

#[test]
fn endpoints() {
    use KindId::Endpoints;
    let subset = |subset: Value| json!({"subsets": [subset]});
    let good = json!({"addresses": [{"ip": "10.0.0.1", "hostname": "a"}], "ports": [{"port": 80}]});
    check(Endpoints, json!({}), &[]);
    check(Endpoints, subset(good.clone()), &[]);
    assert_eq!(
        object(Kind::of(Endpoints), subset(good))["subsets"][0]["ports"],
        json!([{"port": 80, "protocol": "TCP"}])
    );
    check(
        Endpoints,
        subset(json!({"ports": [{"port": 80}]})),
        &["subsets[0]: Required value: must specify `addresses` or `notReadyAddresses`"],
    );
    check(
        Endpoints,
        subset(
            json!({"addresses": [{"ip": "127.0.0.1"}, {"ip": "db.example.com"}, {"ip": "10.0.0.1", "hostname": "A"}],
            "notReadyAddresses": [{"ip": "169.254.0.1"}]}),
        ),
        &[
            "subsets[0].addresses[0].ip: Invalid value: \"127.0.0.1\": may not be in the loopback range (127.0.0.0/8, ::1/128)",
            "subsets[0].addresses[1].ip: Invalid value: \"db.example.com\": must be a valid IP address, (e.g. 10.9.8.7 or \
             2001:db8::ffff)",
            &format!("subsets[0].addresses[2].hostname: Invalid value: \"A\": {LABEL}"),
            "subsets[0].notReadyAddresses[0].ip: Invalid value: \"169.254.0.1\": may not be in the link-local range \
             (169.254.0.0/16, fe80::/10)",
        ],
    );
    check(
        Endpoints,
        subset(
            json!({"addresses": [{"ip": "10.0.0.1"}], "ports": [{"port": 0, "name": "A"}, {"port": 1, "protocol": "x"}]}),
        ),
        &[
            &format!("subsets[0].ports[0].name: Invalid value: \"A\": {LABEL}"),
            "subsets[0].ports[0].port: Invalid value: 0: must be between 1 and 65535, inclusive",
            "subsets[0].ports[1].name: Required value",
            "subsets[0].ports[1].protocol: Unsupported value: \"x\": supported values: \"SCTP\", \"TCP\", \"UDP\"",
        ],
    );
}

#[test]
fn endpoint_slices() {
    use KindId::EndpointSlice;
    let slice = |endpoints: Value| json!({"addressType": "IPv4", "endpoints": endpoints});
    check(EndpointSlice, slice(json!([{"addresses": ["10.0.0.1"], "hostname": "a"}])), &[]);
    assert_eq!(
        object(
            Kind::of(EndpointSlice),
            json!({"addressType": "IPv4", "ports": [{"port": 80}, {"name": ""}]})
        )["ports"],
        json!([{"name": "", "port": 80, "protocol": "TCP"}, {"name": "", "protocol": "TCP"}])
    );
    check(EndpointSlice, json!({}), &["addressType: Required value"]);
    check(
        EndpointSlice,
        json!({"addressType": "IPv5"}),
        &[
            "addressType: Unsupported value: \"IPv5\": supported values: \"FQDN\", \"IPv4\", \"IPv6\"",
        ],
    );
    check(
        EndpointSlice,
        slice(
            json!([{"addresses": []}, {"addresses": ["::1", "x", "127.0.0.1"], "hostname": "A"}]),
        ),
        &[
            "endpoints[0].addresses: Required value: must contain at least 1 address",
            "endpoints[1].addresses[0]: Invalid value: \"::1\": must be a valid IPv4 address",
            "endpoints[1].addresses[1]: Invalid value: \"x\": must be a valid IPv4 address",
            "endpoints[1].addresses[2]: Invalid value: \"127.0.0.1\": may not be in the loopback range (127.0.0.0/8, ::1/128)",
            &format!("endpoints[1].hostname: Invalid value: \"A\": {LABEL}"),
        ],
    );
    check(
        EndpointSlice,
        json!({"addressType": "IPv6", "endpoints": [{"addresses": ["10.0.0.1"]}, {"addresses": ["2001:db8::1"]}]}),
        &["endpoints[0].addresses[0]: Invalid value: \"10.0.0.1\": must be a valid IPv6 address"],
    );
    check(
        EndpointSlice,
        json!({"addressType": "FQDN", "endpoints": [{"addresses": ["a.b."]}, {"addresses": ["a b"]}]}),
        &[
            "endpoints[1].addresses[0]: Invalid value: \"a b\": a lowercase RFC 1123 subdomain must consist of lower case \
           alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character",
        ],
    );
    let many = |count: usize| vec![json!({"addresses": ["10.0.0.1"]}); count];
    check(EndpointSlice, slice(many(1000).into()), &[]);
    check(
        EndpointSlice,
        slice(many(1001).into()),
        &["endpoints: Too many: 1001: must have at most 1000 items"],
    );
    check(
        EndpointSlice,
        slice(json!([{"addresses": vec!["10.0.0.1"; 101]}])),
        &["endpoints[0].addresses: Too many: 101: must have at most 100 items"],
    );
    check(
        EndpointSlice,
        json!({"addressType": "IPv4", "ports": [{"port": 1, "name": "a"}, {"port": 2, "name": "a"}, {"port": 0, "name": "A"},
            {"port": 3, "name": "b", "protocol": "x", "appProtocol": "-"}]}),
        &[
            "ports[1].name: Duplicate value: \"a\"",
            &format!("ports[2].name: Invalid value: \"A\": {LABEL}"),
            "ports[2].port: Invalid value: 0: must be between 1 and 65535, inclusive",
            "ports[3].protocol: Unsupported value: \"x\": supported values: \"SCTP\", \"TCP\", \"UDP\"",
            "ports[3].appProtocol: Invalid value: \"-\": name part must consist of alphanumeric characters, '-', '_' or \
             '.', and must start and end with an alphanumeric character",
        ],
    );
    check_update(
        EndpointSlice,
        json!({"addressType": "IPv4"}),
        json!({"addressType": "IPv6"}),
        &["addressType: Invalid value: \"IPv6\": field is immutable"],
    );
}

#[test]
fn namespaces_nodes_and_events() {
    use KindId::{Event, Namespace, Node};
    let namespace = object(Kind::of(Namespace), json!({}));
    assert_eq!(
        namespace,
        json!({"apiVersion": "v1", "kind": "Namespace",
            "metadata": {"name": "x", "labels": {"kubernetes.io/metadata.name": "x"}},
            "spec": {"finalizers": ["kubernetes"]}, "status": {"phase": "Active"}})
    );
    let deleted = json!({"metadata": {"deletionTimestamp": "2026-01-01T00:00:00Z"}, "status": {"phase": "Terminating"}});
    assert_eq!(object(Kind::of(Namespace), deleted).get("spec"), None);
    check(
        Namespace,
        json!({"spec": {"finalizers": ["mine"]}}),
        &[
            "spec.finalizers[0]: Invalid value: \"mine\": name is neither a standard finalizer name nor is it fully qualified",
        ],
    );

    check(
        Node,
        json!({"spec": {"podCIDR": "10.244.0.0/24", "podCIDRs": ["10.244.0.0/24", "fd00::/64"]}}),
        &[],
    );
    check(
        Node,
        json!({"spec": {"podCIDR": "10.244.1.0/24", "podCIDRs": ["10.244.0.0/24", "x"],
            "taints": [{"key": "a b", "value": "c d", "effect": "Never"}]}}),
        &[
            "spec.podCIDRs[1]: Invalid value: \"x\": must be a valid CIDR value, (e.g. 10.9.8.0/24 or 2001:db8::/64)",
            "spec.podCIDRs: Invalid value: [\"10.244.0.0/24\",\"x\"]: first value must match `podCIDR`",
            "spec.taints[0].key: Invalid value: \"a b\": name part must consist of alphanumeric characters, '-', '_' or \
             '.', and must start and end with an alphanumeric character",
            "spec.taints[0].value: Invalid value: \"c d\": a valid label must be an empty string or consist of \
             alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character",
            "spec.taints[0].effect: Unsupported value: \"Never\": supported values: \"NoExecute\", \"NoSchedule\", \
             \"PreferNoSchedule\"",
        ],
    );
    check_update(
        Node,
        json!({"spec": {"podCIDRs": ["10.244.0.0/24"]}}),
        json!({"spec": {"podCIDRs": ["10.244.1.0/24"]}}),
        &[
            "spec.podCIDRs: Forbidden: node updates may not change podCIDR except from \"\" to valid",
        ],
    );

    check(Event, json!({"involvedObject": {"namespace": "default"}}), &[]);
    check(Event, json!({"involvedObject": {"kind": "Node"}}), &[]);
    check(
        Event,
        json!({"involvedObject": {"namespace": "other"}}),
        &["involvedObject.namespace: Invalid value: \"other\": does not match event.namespace"],
    );
    check(
        Event,
        json!({"eventTime": "2026-01-01T00:00:00.000000Z", "involvedObject": {"namespace": "other"}, "action": "a".repeat(129)}),
        &[
            "reportingController: Required value",
            "reportingController: Invalid value: \"\": name part must be non-empty",
            "reportingController: Invalid value: \"\": name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character",
            "reportingInstance: Required value",
            "action: Invalid value: \"\": can have at most 128 characters",
            "reason: Required value",
        ],
    );
}

/// An Event as a client of `events.k8s.io/v1` makes it, with `over` laid upon it, in the stored form.
fn newer_event(over: Value) -> Value {
    let kind = Kind::of(KindId::Stored(Stored::Event));
    let mut event = json!({
        "eventTime": "2026-01-01T00:00:00.000000Z", "type": "Normal", "reason": "R", "action": "A", "note": "n",
        "regarding": {"kind": "Pod", "name": "p", "namespace": "default"},
        "reportingController": "example.com/c", "reportingInstance": "c-1",
    });
    merge(&mut event, over);
    object(kind, event)
}

#[test]
fn events_of_the_newer_version() {
    let kind = Kind::of(KindId::Stored(Stored::Event));
    let check = |over: Value, expected: &[&str]| {
        assert_eq!(texts(kind, &newer_event(over.clone()), None), expected, "{over}");
    };
    check(json!({}), &[]);
    check(
        json!({"eventTime": null, "type": "Odd", "deprecatedCount": 1, "deprecatedSource": {"host": "h"},
            "deprecatedFirstTimestamp": "2026-01-01T00:00:00Z", "deprecatedLastTimestamp": "2026-01-01T00:00:00Z",
            "series": {"count": 1, "lastObservedTime": "2026-01-01T00:00:00.000000Z"}}),
        &[
            "series.count: Invalid value: \"\": should be at least 2",
            "eventTime: Required value",
            "type: Invalid value: \"\": has invalid value: Odd",
            "firstTimestamp: Invalid value: \"\": needs to be unset",
            "lastTimestamp: Invalid value: \"\": needs to be unset",
            "count: Invalid value: \"\": needs to be unset",
            "source: Invalid value: \"\": needs to be unset",
        ],
    );
    check(
        json!({"note": "n".repeat(1025)}),
        &["message: Invalid value: \"\": can have at most 1024 characters"],
    );

    let update = |over: Value, expected: &[&str]| {
        let (old, new) = (newer_event(json!({})), newer_event(over.clone()));
        assert_eq!(texts(kind, &new, Some(&old)), expected, "{over}");
    };
    update(json!({"series": {"count": 2, "lastObservedTime": "2026-01-01T00:00:01.000000Z"}}), &[]);
    update(
        json!({"note": "other", "type": "Warning"}),
        &[
            "message: Invalid value: \"other\": field is immutable",
            "type: Invalid value: \"Warning\": field is immutable",
        ],
    );
}

#[test]
fn defaults_are_complete_at_once() {
    for kind in Kind::all() {
        let spec = match kind.id {
            KindId::Pod => pod_spec(json!({})),
            KindId::StatefulSet | KindId::Deployment | KindId::ReplicaSet => workload(json!({})),
            KindId::Stored(Stored::CronJob) => {
                let template = workload(json!({}))["spec"]["template"].clone();
                json!({"spec": {"schedule": "* * * * *", "jobTemplate": {"spec": {"template": template}}}})
            }
            KindId::Stored(Stored::ControllerRevision) => {
                json!({"data": {"spec": {"template": {"spec": {}}}}, "revision": 1})
            }
            KindId::Stored(Stored::ServiceImport) => json!({"spec": {"type": "Headless"}}),
            KindId::Stored(Stored::GatewayClass) => {
                json!({"spec": {"controllerName": "example.com/x"}})
            }
            KindId::Stored(Stored::Gateway) => json!({"spec": {
                "gatewayClassName": "x",
                "listeners": [{"name": "http", "port": 80, "protocol": "HTTP"}],
            }}),
            KindId::Stored(Stored::HTTPRoute) => json!({"spec": {"parentRefs": [{"name": "x"}]}}),
            KindId::Stored(Stored::ReferenceGrant) => json!({"spec": {
                "from": [{"kind": "HTTPRoute", "namespace": "a"}],
                "to": [{"kind": "Service"}],
            }}),
            KindId::Service => json!({"spec": {"ports": [{"port": 80}]}}),
            KindId::EndpointSlice => json!({"addressType": "IPv4"}),
            KindId::Namespace
            | KindId::Node
            | KindId::Endpoints
            | KindId::Event
            | KindId::Stored(_) => Value::Object(Map::new()),
        };
        let once = match kind.id {
            KindId::Stored(Stored::Event) => newer_event(json!({})),
            _ => object(kind, spec),
        };
        let mut served = once.clone();
        kind.to_served(&mut served);
        let mut twice = normalize(kind, served).unwrap().value;
        default(kind, &mut twice);
        assert_eq!(twice, once, "{}", kind.kind);
        assert_eq!(texts(kind, &once, Some(&once)), Vec::<String>::new(), "{}", kind.kind);
    }
}

#[test]
fn service_imports() {
    let kind = Kind::of(KindId::Stored(Stored::ServiceImport));
    let check = |spec: Value, errors: &[&str]| {
        let import = object(kind, json!({"spec": spec}));
        assert_eq!(texts(kind, &import, None), errors, "{spec}");
    };
    check(json!({"type": "Headless"}), &[]);
    check(
        json!({"type": "ClusterSetIP", "ips": ["10.0.0.9", "fd00::9"], "ports": [{"port": 80}]}),
        &[],
    );
    check(
        json!({"type": "ClusterIP", "ips": ["10.0.0", "::1", "::2"], "ports": [{"name": "a"}, {"port": 70000}]}),
        &[
            "spec.type: Unsupported value: \"ClusterIP\": supported values: \"ClusterSetIP\", \"Headless\"",
            "spec.ips: Too many: 3: must have at most 2 items",
            "spec.ips[0]: Invalid value: \"10.0.0\": must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)",
            "spec.ports[0].port: Invalid value: 0: must be between 1 and 65535, inclusive",
            "spec.ports[1].port: Invalid value: 70000: must be between 1 and 65535, inclusive",
        ],
    );
    check(json!({}), &["spec.type: Required value: ClusterSetIP or Headless"]);
}
