use super::*;
use serde_json::json;
use std::collections::{BTreeMap, BTreeSet};

fn body(path: &str) -> Value {
    let document = document(path, None, "").unwrap_or_else(|| panic!("{path} is missing"));
    serde_json::from_slice(&document.body).unwrap()
}

const KUBECTL: &str = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList,\
    application/json;g=apidiscovery.k8s.io;v=v2beta1;as=APIGroupDiscoveryList,application/json";

#[test]
fn paths_that_are_documents() {
    for path in [
        "/api",
        "/api/",
        "/apis",
        "/api/v1",
        "/apis/apps",
        "/apis/apps/v1",
        "/apis/discovery.k8s.io/v1",
        "/version",
        "/openapi/v3",
        "/openapi/v3/api/v1",
        "/openapi/v3/apis/apps/v1",
    ] {
        assert_eq!(
            document(path, None, "*/*").map(|d| d.content_type),
            Some("application/json"),
            "{path}"
        );
    }
    for path in [
        "",
        "/",
        "api",
        "/api/v2",
        "/api/v1/pods",
        "/apis/apps/v2",
        "/apis/example.com",
        "/apis/example.com/v1",
        "/apis//v1",
        "/openapi/v2",
        "/openapi/v3/apis//v1",
        "/openapi/v3/apis/example.com/v1",
        "/version/x",
    ] {
        assert_eq!(document(path, None, ""), None, "{path}");
    }
}

#[test]
fn aggregated_discovery_is_given_to_those_who_ask() {
    let check = |accept: &str, aggregated: bool| {
        let content_type = document("/apis", None, accept).unwrap().content_type;
        assert_eq!(content_type == AGGREGATED, aggregated, "{accept}");
    };
    check(KUBECTL, true);
    check("application/json; g=apidiscovery.k8s.io; v=v2; as=APIGroupDiscoveryList; q=0.9", true);
    check("application/json", false);
    check("", false);
    check("*/*", false);
    check(
        "application/json, application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList",
        false,
    );
    check("application/json;g=apidiscovery.k8s.io;v=v2beta1;as=APIGroupDiscoveryList", false);
    check("application/vnd.kubernetes.protobuf", false);
}

#[test]
fn groups() {
    assert_eq!(
        body("/api"),
        json!({"kind": "APIVersions", "versions": ["v1"], "serverAddressByClientCIDRs": []})
    );
    let version = json!({"groupVersion": "apps/v1", "version": "v1"});
    assert_eq!(
        body("/apis/apps"),
        json!({
            "kind": "APIGroup",
            "apiVersion": "v1",
            "name": "apps",
            "versions": [version],
            "preferredVersion": version,
        })
    );
    let list = body("/apis");
    let names: BTreeSet<&str> =
        list["groups"].as_array().unwrap().iter().map(|g| g["name"].as_str().unwrap()).collect();
    let kinds = Kind::all().iter().map(|kind| kind.group).filter(|group| !group.is_empty());
    let reviews = ["authentication.k8s.io", "authorization.k8s.io"];
    assert_eq!(names, kinds.chain(reviews).collect());
    assert!(names.contains("networking.k8s.io"));
}

/// The resources of a plain list: name, kind, short names.
fn resources(path: &str) -> Vec<String> {
    let list = body(path);
    list["resources"]
        .as_array()
        .unwrap()
        .iter()
        .map(|resource| {
            let short: Vec<&str> = resource["shortNames"]
                .as_array()
                .into_iter()
                .flatten()
                .filter_map(Value::as_str)
                .collect();
            format!(
                "{} {} {}",
                resource["name"].as_str().unwrap(),
                resource["kind"].as_str().unwrap(),
                short.join(",")
            )
            .trim_end()
            .to_owned()
        })
        .collect()
}

#[test]
fn resources_and_their_subresources() {
    assert_eq!(
        resources("/api/v1"),
        [
            "configmaps ConfigMap cm",
            "endpoints Endpoints ep",
            "events Event ev",
            "limitranges LimitRange limits",
            "namespaces Namespace ns",
            "namespaces/finalize Namespace",
            "namespaces/status Namespace",
            "nodes Node no",
            "nodes/status Node",
            "persistentvolumeclaims PersistentVolumeClaim pvc",
            "persistentvolumeclaims/status PersistentVolumeClaim",
            "persistentvolumes PersistentVolume pv",
            "persistentvolumes/status PersistentVolume",
            "pods Pod po",
            "pods/binding Binding",
            "pods/eviction Eviction",
            "pods/log Pod",
            "pods/status Pod",
            "resourcequotas ResourceQuota quota",
            "resourcequotas/status ResourceQuota",
            "secrets Secret",
            "serviceaccounts ServiceAccount sa",
            "services Service svc",
            "services/status Service",
        ]
    );
    assert_eq!(
        resources("/apis/apps/v1"),
        [
            "controllerrevisions ControllerRevision",
            "daemonsets DaemonSet ds",
            "daemonsets/status DaemonSet",
            "deployments Deployment deploy",
            "deployments/scale Scale",
            "deployments/status Deployment",
            "replicasets ReplicaSet rs",
            "replicasets/scale Scale",
            "replicasets/status ReplicaSet",
            "statefulsets StatefulSet sts",
            "statefulsets/scale Scale",
            "statefulsets/status StatefulSet",
        ]
    );
    assert_eq!(resources("/apis/discovery.k8s.io/v1"), ["endpointslices EndpointSlice"]);
    assert_eq!(
        resources("/apis/authorization.k8s.io/v1"),
        [
            "selfsubjectaccessreviews SelfSubjectAccessReview",
            "selfsubjectrulesreviews SelfSubjectRulesReview",
        ]
    );
    let list = body("/apis/apps/v1");
    let at = |name: &str| {
        let mut resources = list["resources"].as_array().unwrap().iter();
        resources.find(|resource| resource["name"] == name).unwrap()
    };
    assert_eq!(
        (&list["kind"], &list["groupVersion"]),
        (&json!("APIResourceList"), &json!("apps/v1"))
    );
    assert_eq!(
        *at("deployments"),
        json!({
            "name": "deployments",
            "singularName": "deployment",
            "namespaced": true,
            "kind": "Deployment",
            "verbs": ["create", "delete", "deletecollection", "get", "list", "patch", "update", "watch"],
            "shortNames": ["deploy"],
            "categories": ["all"],
        })
    );
    assert_eq!(
        *at("deployments/scale"),
        json!({
            "name": "deployments/scale",
            "singularName": "",
            "namespaced": true,
            "group": "autoscaling",
            "version": "v1",
            "kind": "Scale",
            "verbs": ["get", "patch", "update"],
        })
    );
}

/// Both forms of discovery must name the same resources.
#[test]
fn aggregated_discovery_says_the_same_as_the_lists() {
    for (path, prefix) in [("/api", "/api"), ("/apis", "/apis")] {
        let aggregated = document(path, None, KUBECTL).unwrap();
        assert_eq!(aggregated.content_type, AGGREGATED);
        let aggregated: Value = serde_json::from_slice(&aggregated.body).unwrap();
        for group in aggregated["items"].as_array().unwrap() {
            let version = &group["versions"][0];
            assert_eq!(version["freshness"], "Current");
            let name = group["metadata"]["name"].as_str();
            let root = name.map_or_else(|| prefix.to_owned(), |name| format!("{prefix}/{name}"));
            let list = body(&format!("{root}/{}", version["version"].as_str().unwrap()));
            let plain: BTreeMap<String, Value> = list["resources"]
                .as_array()
                .unwrap()
                .iter()
                .map(|r| (r["name"].as_str().unwrap().to_owned(), r["verbs"].clone()))
                .collect();
            let mut found = BTreeMap::new();
            for resource in version["resources"].as_array().unwrap() {
                let name = resource["resource"].as_str().unwrap();
                found.insert(name.to_owned(), resource["verbs"].clone());
                for sub in resource["subresources"].as_array().into_iter().flatten() {
                    let sub_name = sub["subresource"].as_str().unwrap();
                    found.insert(format!("{name}/{sub_name}"), sub["verbs"].clone());
                }
            }
            assert_eq!(found, plain, "{root}");
        }
    }
}

#[test]
fn an_aggregated_resource() {
    let core = document("/api", None, KUBECTL).unwrap().body;
    let core: Value = serde_json::from_slice(&core).unwrap();
    assert_eq!(core["apiVersion"], "apidiscovery.k8s.io/v2");
    let resources = core["items"][0]["versions"][0]["resources"].as_array().unwrap();
    let pods = resources.iter().find(|resource| resource["resource"] == "pods").unwrap();
    assert_eq!(
        *pods,
        json!({
            "resource": "pods",
            "responseKind": {"group": "", "version": "v1", "kind": "Pod"},
            "scope": "Namespaced",
            "singularResource": "pod",
            "shortNames": ["po"],
            "categories": ["all"],
            "verbs": ["create", "delete", "deletecollection", "get", "list", "patch", "update", "watch"],
            "subresources": [
                {
                    "subresource": "binding",
                    "responseKind": {"group": "", "version": "v1", "kind": "Binding"},
                    "verbs": ["create"],
                },
                {
                    "subresource": "eviction",
                    "responseKind": {"group": "policy", "version": "v1", "kind": "Eviction"},
                    "verbs": ["create"],
                },
                {
                    "subresource": "log",
                    "responseKind": {"group": "", "version": "v1", "kind": "Pod"},
                    "verbs": ["get"],
                },
                {
                    "subresource": "status",
                    "responseKind": {"group": "", "version": "v1", "kind": "Pod"},
                    "verbs": ["get", "patch", "update"],
                },
            ],
        })
    );
}

#[test]
fn the_version_is_one_that_kubectl_can_compare() {
    let version = body("/version");
    assert_eq!((&version["major"], &version["minor"]), (&json!("1"), &json!("36")));
    let text = version["gitVersion"].as_str().unwrap();
    assert!(text.starts_with("v1.36."), "{text}");
    assert!(version["platform"].as_str().unwrap().contains('/'));
}

#[test]
fn openapi_v2_is_a_document_without_a_path() {
    // Document.swagger (1), Document.info (2) with Info.title (1) and Info.version (2), of gnostic's OpenAPIv2.proto.
    let field = |number: u8, text: &[u8]| {
        let length = u8::try_from(text.len()).expect("a short text");
        [&[number << 3 | 2, length], text].concat()
    };
    let info = [field(1, b"Kubernetes"), field(2, b"unversioned")].concat();
    assert_eq!(OPENAPI_V2, [field(1, b"2.0"), field(2, &info)].concat());
}
