//! What the API says of its types, as a stock kubectl (1.30 or newer, from PATH) shows and uses it.

use crate::support::Up;

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// What a kubectl that must fail says on stderr.
fn refused(up: &Up, arguments: &[&str], stdin: &str) -> String {
    let output = up.kubectl_output(arguments, stdin);
    assert!(!output.status.success(), "{arguments:?}: {output:?}");
    text(&output.stderr)
}

/// As a cluster of Kubernetes prints it, whose OpenAPI has the same descriptions.
#[test]
fn kubectl_explains_fields_with_types_and_descriptions() {
    let up = Up::ephemeral(&[]);
    assert_eq!(
        up.kubectl(&["explain", "sts.spec.template.spec.containers.ports", "--recursive"]),
        "GROUP:      apps
KIND:       StatefulSet
VERSION:    v1

FIELD: ports <[]ContainerPort>


DESCRIPTION:
    List of ports to expose from the container. Not specifying a port here DOES
    NOT prevent that port from being exposed. Any port which is listening on the
    default \"0.0.0.0\" address inside a container will be accessible from the
    network. Modifying this array with strategic merge patch may corrupt the
    data. For more information See
    https://github.com/kubernetes/kubernetes/issues/108255. Cannot be updated.
    ContainerPort represents a network port in a single container.
    
FIELDS:
  containerPort\t<integer> -required-
  hostIP\t<string>
  hostPort\t<integer>
  name\t<string>
  protocol\t<string>
  enum: SCTP, TCP, UDP

"
    );
    let service = up.kubectl(&["explain", "service.spec"]);
    for part in [
        "KIND:       Service\nVERSION:    v1\n\nFIELD: spec <ServiceSpec>\n",
        "\n  clusterIPs\t<[]string>\n    ClusterIPs is a list of IP addresses assigned to this service, and are\n",
        "\n  ports\t<[]ServicePort>\n    The list of ports that are exposed by this service.",
        "\n  publishNotReadyAddresses\t<boolean>\n",
        "\n  selector\t<map[string]string>\n",
        "\n  type\t<string>\n  enum: ClusterIP, ExternalName, LoadBalancer, NodePort\n    type determines how",
        "\n  sessionAffinityConfig\t<SessionAffinityConfig>\n",
    ] {
        assert!(service.contains(part), "{part:?}\n{service}");
    }
    let check = |field: &str, line: &str| {
        let explained = up.kubectl(&["explain", field]);
        assert!(explained.lines().any(|l| l == line), "{line:?}\n{explained}");
    };
    check("svc.spec.ports.targetPort", "FIELD: targetPort <IntOrString>");
    check("pod.metadata.creationTimestamp", "FIELD: creationTimestamp <string>");
    check("pod.spec.containers.resources.limits", "FIELD: limits <map[string]Quantity>");
    check("pod.metadata.labels", "FIELD: labels <map[string]string>");
    check("endpointslices.endpoints", "FIELD: endpoints <[]Endpoint>");
    check("deploy", "VERSION:    v1");
}

#[test]
fn kubectl_explains_every_kind_that_is_served() {
    let up = Up::ephemeral(&[]);
    let names = up.kubectl(&["api-resources", "--verbs=get", "-o", "name"]);
    assert!(names.lines().count() > 30, "{names}");
    for name in names.lines() {
        // A resource in a group of its own name is too much for kubectl's parser.
        let arguments: &[&str] = match name {
            "events.events.k8s.io" => &["events", "--api-version=events.k8s.io/v1"],
            name => &[name],
        };
        let explained = up.kubectl(&[&["explain", "--recursive"], arguments].concat());
        let fields = explained.split_once("\nFIELDS:\n").map(|(_, fields)| fields);
        let has =
            |field: &str| fields.is_some_and(|fields| fields.contains(&format!("\n  {field}\t<")));
        assert!(has("kind") && has("metadata"), "{name}: {explained}");
        assert!(!explained.contains("<no description>"), "{name}");
    }
}

#[test]
fn kubectl_is_told_what_there_is_not() {
    let up = Up::ephemeral(&[]);
    let check = |arguments: &[&str], stdin: &str, stderr: &str| {
        assert_eq!(refused(&up, arguments, stdin), stderr);
    };
    check(&["explain", "nosuch"], "", "the server doesn't have a resource type \"nosuch\"\n");
    check(&["explain", "pod.spec.nosuch"], "", "error: field \"nosuch\" does not exist\n");
    check(&["get", "nosuch"], "", "error: the server doesn't have a resource type \"nosuch\"\n");
    let unknown = "apiVersion: example.com/v1\nkind: Certificate\nmetadata: {name: x}\n";
    check(
        &["apply", "-f", "-"],
        unknown,
        "error: resource mapping not found for name: \"x\" namespace: \"\" from \"STDIN\": \
         no matches for kind \"Certificate\" in version \"example.com/v1\"\nensure CRDs are installed first\n",
    );
    // The second version of OpenAPI has no types; kubectl asks for it only when it is told to.
    check(
        &["explain", "pod", "--output=plaintext-openapiv2"],
        "",
        "error: couldn't find resource for \"/v1, Kind=Pod\"\n",
    );
    let path = "/apis/apps/v1/namespaces/default/widgets";
    let stderr = refused(&up, &["get", "--raw", path], "");
    assert!(
        stderr.contains("could not find the requested resource (apps/v1 has controllerrevisions, "),
        "{stderr}"
    );
}

#[test]
fn kubectl_lists_resources_and_versions() {
    let up = Up::ephemeral(&[]);
    let resources = up.kubectl(&["api-resources"]);
    let row = |name: &str| {
        let line = resources.lines().find(|line| line.split_whitespace().next() == Some(name));
        line.map(|line| line.split_whitespace().skip(1).collect::<Vec<_>>()).unwrap_or_default()
    };
    assert_eq!(row("NAME"), ["SHORTNAMES", "APIVERSION", "NAMESPACED", "KIND"]);
    assert_eq!(row("services"), ["svc", "v1", "true", "Service"]);
    assert_eq!(row("secrets"), ["v1", "true", "Secret"]);
    assert_eq!(row("statefulsets"), ["sts", "apps/v1", "true", "StatefulSet"]);
    assert_eq!(row("networkpolicies"), ["netpol", "networking.k8s.io/v1", "true", "NetworkPolicy"]);
    assert_eq!(row("storageclasses"), ["sc", "storage.k8s.io/v1", "false", "StorageClass"]);
    let all = up.kubectl(&["api-resources", "--categories=all", "-o", "name"]);
    assert_eq!(
        all.lines().collect::<Vec<_>>(),
        [
            "pods",
            "services",
            "daemonsets.apps",
            "deployments.apps",
            "replicasets.apps",
            "statefulsets.apps",
            "horizontalpodautoscalers.autoscaling",
            "cronjobs.batch",
            "jobs.batch",
        ]
    );
    let many = up.kubectl(&["api-resources", "--verbs=deletecollection", "-o", "name"]);
    assert!(
        many.lines().any(|name| name == "pods") && !many.lines().any(|name| name == "namespaces")
    );
    let versions = up.kubectl(&["api-versions"]);
    for version in ["v1", "apps/v1", "discovery.k8s.io/v1"] {
        assert!(versions.lines().any(|line| line == version), "{versions}");
    }
}

#[test]
fn kubectl_reads_the_documents_as_they_are() {
    let up = Up::ephemeral(&[]);
    let raw = |path: &str| -> serde_json::Value {
        serde_json::from_str(&up.kubectl(&["get", "--raw", path])).expect("JSON")
    };
    let index = raw("/openapi/v3");
    let url = index["paths"]["api/v1"]["serverRelativeURL"].as_str().expect("a URL");
    let document = raw(url);
    assert_eq!(document, raw("/openapi/v3/api/v1"));
    assert!(document["paths"]["/api/v1/namespaces/{namespace}/pods/{name}"]["patch"].is_object());
    // The hashes are the content's, whoever serves it.
    let again = Up::ephemeral(&[]);
    let other: serde_json::Value =
        serde_json::from_str(&again.kubectl(&["get", "--raw", "/openapi/v3"])).expect("JSON");
    assert_eq!(other, index);
}

/// kubectl builds its patches from the merge keys in the schemas. What others added stays; what was applied and is no
/// longer there goes.
#[test]
fn kubectl_apply_merges_lists_by_the_keys_in_the_schemas() {
    let up = Up::ephemeral(&[]);
    let deployment = |containers: &str| {
        format!(
            r#"{{"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {{"name": "web"}}, "spec": {{
            "selector": {{"matchLabels": {{"app": "web"}}}},
            "template": {{"metadata": {{"labels": {{"app": "web"}}}}, "spec": {{"containers": [{containers}]}}}}}}}}"#
        )
    };
    let apply = |manifest: &str| {
        let output = up.kubectl_output(&["apply", "-f", "-"], manifest);
        assert!(output.status.success() && output.stderr.is_empty(), "{output:?}");
        text(&output.stdout)
    };
    let two = r#"{"name": "a", "image": "a:1", "ports": [{"containerPort": 80}, {"containerPort": 81}]}, {"name": "b", "image": "b:1"}"#;
    assert_eq!(apply(&deployment(two)), "deployment.apps/web created\n");
    assert_eq!(apply(&deployment(two)), "deployment.apps/web unchanged\n");
    let injected = r#"{"spec": {"template": {"spec": {"containers": [
        {"name": "proxy", "image": "p:1"}, {"name": "a", "ports": [{"containerPort": 9}]}]}}}}"#;
    up.kubectl(&["patch", "deploy", "web", "-p", injected]);
    let one = r#"{"name": "a", "image": "a:2", "ports": [{"containerPort": 80}]}"#;
    assert_eq!(apply(&deployment(one)), "deployment.apps/web configured\n");
    let shown = up.kubectl(&[
        "get",
        "deploy",
        "web",
        "-o",
        "jsonpath={range .spec.template.spec.containers[*]}{.name} {.image} {.ports[*].containerPort};{end}",
    ]);
    let mut containers: Vec<&str> = shown.split_terminator(';').collect();
    containers.sort_unstable();
    let (a, proxy) = (containers[0].split(' ').collect::<Vec<_>>(), containers[1].trim_end());
    assert_eq!(proxy, "proxy p:1");
    assert_eq!(a[..2], ["a", "a:2"]);
    let mut ports = a[2..].to_vec();
    ports.sort_unstable();
    assert_eq!(ports, ["80", "9"], "{shown}");

    // An unknown field on the way of a patch, in the words of Kubernetes.
    let unknown = deployment(r#"{"name": "a", "image": "a:2", "portz": []}"#);
    let stderr = refused(&up, &["apply", "-f", "-"], &unknown);
    assert!(
        stderr.starts_with("The request is invalid: patch: Invalid value: \"{")
            && stderr.contains(
                "\": strict decoding error: unknown field \"spec.template.spec.containers[1].portz\""
            ),
        "{stderr}"
    );
    let stderr = refused(&up, &["create", "-f", "-"], &unknown.replace("web", "other"));
    assert!(
        stderr.contains(
            "Deployment in version \"v1\" cannot be handled as a Deployment: strict decoding error: unknown field "
        ),
        "{stderr}"
    );
}
