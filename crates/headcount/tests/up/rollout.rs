//! Rollouts, revisions, claims and collection, as a stock kubectl sees them.

use std::time::Instant;

use crate::support::{PATIENCE, Up};

const SET: &str = r#"
apiVersion: apps/v1
kind: StatefulSet
metadata: {name: web, annotations: {kubernetes.io/change-cause: first}}
spec:
  replicas: 3
  serviceName: web
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web, tier: front}}
    spec: {containers: [{name: nginx, image: "nginx:1", ports: [{containerPort: 80}]}]}
  volumeClaimTemplates:
  - metadata: {name: data}
    spec: {accessModes: [ReadWriteOnce], resources: {requests: {storage: 1Gi}}}
"#;

const DEPLOYMENT: &str = r#"
apiVersion: apps/v1
kind: Deployment
metadata: {name: api}
spec:
  replicas: 2
  selector: {matchLabels: {app: api}}
  template:
    metadata: {labels: {app: api}}
    spec: {containers: [{name: nginx, image: "nginx:1"}]}
"#;

const DAEMON_SET: &str = r#"
apiVersion: apps/v1
kind: DaemonSet
metadata: {name: agent}
spec:
  selector: {matchLabels: {app: agent}}
  template:
    metadata: {labels: {app: agent}}
    spec: {containers: [{name: agent, image: "agent:1"}]}
"#;

fn apply(up: &Up, manifest: &str) {
    let output = up.kubectl_output(&["apply", "-f", "-"], manifest);
    assert!(output.status.success(), "{output:?}");
}

/// Runs kubectl with these words and checks that it prints these lines, blanks at their ends and between columns
/// aside. One that begins with `error:` is what it says as it fails.
#[track_caller]
fn check(up: &Up, words: &str, wanted: &[&str]) {
    let output = up.kubectl_output(&words.split(' ').collect::<Vec<_>>(), "");
    let stream = if output.status.success() { &output.stdout } else { &output.stderr };
    let text = String::from_utf8_lossy(stream);
    // Newer ones warn of undoing what was applied.
    let lines: Vec<String> = text
        .lines()
        .filter(|line| !line.starts_with("Warning: "))
        .map(|line| line.split_whitespace().collect::<Vec<_>>().join(" "))
        .filter(|line| !line.is_empty())
        .collect();
    assert_eq!(lines, wanted, "kubectl {words}: {output:?}\n{}", up.stderr());
}

/// Waits for the end of a rollout, which is told in this last line.
#[track_caller]
fn roll_out(up: &Up, what: &str, last: &str) {
    // How far it is when it is asked is chance; that it ends is not.
    let text = up.kubectl(&["rollout", "status", what]);
    assert_eq!(text.lines().last(), Some(last), "{text}");
}

/// Asks until the answer satisfies `wanted`.
fn until(up: &Up, words: &str, wanted: impl Fn(&str) -> bool) -> String {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let output = up.kubectl_output(&words.split(' ').collect::<Vec<_>>(), "");
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        if wanted(&text) {
            return text;
        }
        assert!(Instant::now() < deadline, "kubectl {words} still says {output:?}");
    }
}

const IMAGES: &str = "get pods -o jsonpath={.items[*].spec.containers[0].image}";

#[test]
fn kubectl_rolls_a_stateful_set_out_and_back() {
    let up = Up::ephemeral(&[]);
    apply(&up, SET);
    let done = "partitioned roll out complete: 3 new pods have been updated...";
    roll_out(&up, "statefulset/web", done);
    check(&up, "set image statefulset/web nginx=nginx:2", &["statefulset.apps/web image updated"]);
    roll_out(&up, "statefulset/web", done);
    check(&up, IMAGES, &["nginx:2 nginx:2 nginx:2"]);
    let titles = ["statefulset.apps/web", "REVISION CHANGE-CAUSE"];
    let history = "rollout history statefulset/web";
    check(&up, history, &[&titles[..], &["1 first", "2 first"]].concat());
    let first = up.kubectl(&["rollout", "history", "sts/web", "--revision=1"]);
    assert!(first.starts_with("statefulset.apps/web with revision #1\n"), "{first}");
    assert!(first.contains("Image:\tnginx:1\n") && first.contains("tier=front"), "{first}");

    check(&up, "rollout undo statefulset/web", &["statefulset.apps/web rolled back"]);
    roll_out(&up, "statefulset/web", done);
    check(&up, IMAGES, &["nginx:1 nginx:1 nginx:1"]);
    check(&up, history, &[&titles[..], &["2 first", "3 first"]].concat());
    check(
        &up,
        "rollout undo statefulset/web --to-revision=9",
        &["error: unable to find specified revision 9 in history"],
    );
    check(&up, "rollout restart statefulset/web", &["statefulset.apps/web restarted"]);
    roll_out(&up, "statefulset/web", done);
    check(&up, history, &[&titles[..], &["2 first", "3 first", "4 first"]].concat());
    check(
        &up,
        "rollout undo statefulset/web --to-revision=2",
        &["statefulset.apps/web rolled back"],
    );
    roll_out(&up, "statefulset/web", done);
    check(&up, IMAGES, &["nginx:2 nginx:2 nginx:2"]);
    check(
        &up,
        "rollout pause statefulset/web",
        &["error: statefulsets.apps \"web\" pausing is not supported"],
    );

    // Below the partition the old template stays, whoever has to be made again.
    let partition = r#"{"spec":{"updateStrategy":{"rollingUpdate":{"partition":2}}}}"#;
    check(&up, &format!("patch statefulset/web -p {partition}"), &["statefulset.apps/web patched"]);
    check(&up, "set image statefulset/web nginx=nginx:3", &["statefulset.apps/web image updated"]);
    let partly = "partitioned roll out complete: 1 new pods have been updated...";
    roll_out(&up, "statefulset/web", partly);
    up.kubectl(&["delete", "pod", "web-0"]);
    until(&up, IMAGES, |images| images == "nginx:2 nginx:2 nginx:3");
}

#[test]
fn kubectl_rolls_a_deployment_out_and_back() {
    let up = Up::ephemeral(&[]);
    apply(&up, DEPLOYMENT);
    let history = |lines: &[&str]| {
        let titles = ["deployment.apps/api", "REVISION CHANGE-CAUSE"];
        check(&up, "rollout history deployment/api", &[&titles, lines].concat());
    };
    let run =
        |words: &str, what: &str| check(&up, words, &[&format!("deployment.apps/api {what}")]);
    let wait = || {
        roll_out(&up, "deployment/api", "deployment \"api\" successfully rolled out");
    };
    wait();
    history(&["1 <none>"]);
    run("set image deployment/api nginx=nginx:2", "image updated");
    wait();
    run("annotate deployment/api kubernetes.io/change-cause=second", "annotated");
    until(&up, "rollout history deployment/api", |text| text.contains("second"));
    history(&["1 <none>", "2 second"]);
    run("rollout undo deployment/api", "rolled back");
    wait();
    check(
        &up,
        "rollout undo deployment/api --to-revision=3",
        &["deployment.apps/api skipped rollback (current template already matches revision 3)"],
    );
    let first = "get rs -o jsonpath={.items[?(@.metadata.annotations.deployment\\.kubernetes\\.io/revision==\"3\")].metadata.annotations.deployment\\.kubernetes\\.io/revision-history}";
    check(&up, first, &["1"]);

    run("rollout pause deployment/api", "paused");
    run("set image deployment/api nginx=nginx:4", "image updated");
    until(
        &up,
        "get deployment/api -o jsonpath={.status.conditions[?(@.type==\"Progressing\")].reason}",
        |reason| reason == "DeploymentPaused",
    );
    check(&up, IMAGES, &["nginx:1 nginx:1"]);
    check(
        &up,
        "rollout undo deployment/api",
        &[
            "error: you cannot rollback a paused deployment; resume it first with 'kubectl rollout resume' and try again",
        ],
    );
    check(
        &up,
        "rollout restart deployment/api",
        &[
            "error: deployments.apps \"api\" can't restart paused deployment (run rollout resume first)",
        ],
    );
    run("rollout resume deployment/api", "resumed");
    wait();
    check(&up, IMAGES, &["nginx:4 nginx:4"]);
    check(
        &up,
        "get deployment/api -o jsonpath={.status.conditions[*].reason}",
        &["MinimumReplicasAvailable NewReplicaSetAvailable"],
    );
}

#[test]
fn kubectl_finds_no_rollout_of_a_daemon_set() {
    let up = Up::ephemeral(&[]);
    apply(&up, DAEMON_SET);
    check(
        &up,
        "rollout status daemonset/agent --watch=false",
        &["Waiting for daemon set spec update to be observed..."],
    );
    check(
        &up,
        "rollout history daemonset/agent",
        &["daemonset.apps/agent", "No rollout history found."],
    );
    check(&up, "rollout undo daemonset/agent", &["error: no last revision to roll back to"]);
    check(&up, "rollout restart daemonset/agent", &["daemonset.apps/agent restarted"]);
}

#[test]
fn kubectl_sees_claims_stay_or_go() {
    let up = Up::ephemeral(&[]);
    apply(&up, SET);
    up.kubectl(&["rollout", "status", "statefulset/web"]);
    let claims = "get pvc --no-headers -o custom-columns=N:.metadata.name,P:.status.phase,L:.metadata.labels";
    let all = ["data-web-0", "data-web-1", "data-web-2"];
    let rows = all.map(|name| format!("{name} Bound map[app:web]"));
    check(&up, claims, &rows.each_ref().map(String::as_str));
    let policy = r#"{"spec":{"persistentVolumeClaimRetentionPolicy":{"whenScaled":"Delete"}}}"#;
    up.kubectl(&["patch", "statefulset/web", "-p", policy]);
    up.kubectl(&["scale", "statefulset/web", "--replicas=1"]);
    up.kubectl(&["wait", "--for=delete", "pvc/data-web-1", "pvc/data-web-2", "--timeout=30s"]);
    check(&up, claims, &[&rows[0]]);
    up.kubectl(&["delete", "statefulset/web"]);
    up.kubectl(&["wait", "--for=delete", "pod/web-0", "--timeout=30s"]);
    check(&up, claims, &[&rows[0]]);
}

#[test]
fn kubectl_deletes_what_objects_of_any_kind_own() {
    let up = Up::ephemeral(&[]);
    up.kubectl(&["create", "configmap", "owner"]);
    let uid = up.kubectl(&["get", "configmap", "owner", "-o", "jsonpath={.metadata.uid}"]);
    let owned = |kind: &str, rest: &str| {
        format!(
            "{kind}\nmetadata: {{name: owned, ownerReferences: [{{apiVersion: v1, kind: ConfigMap, name: owner, uid: {uid}, blockOwnerDeletion: true}}]}}\n{rest}\n---\n"
        )
    };
    let pod = "{restartPolicy: Never, containers: [{name: c, image: c}]}";
    let manifest = [
        owned("apiVersion: v1\nkind: Secret", ""),
        owned("apiVersion: v1\nkind: Pod", &format!("spec: {pod}")),
        owned("apiVersion: batch/v1\nkind: Job", &format!("spec: {{template: {{spec: {pod}}}}}")),
    ];
    apply(&up, &manifest.concat());
    check(&up, "get secret,pod,job -o name", &["secret/owned", "pod/owned", "job.batch/owned"]);
    up.kubectl(&["delete", "configmap", "owner", "--cascade=foreground"]);
    check(&up, "get secret,pod,job -o name", &[]);
}

#[test]
fn kubectl_deletes_a_namespace_with_all_that_is_in_it() {
    let up = Up::ephemeral(&[]);
    up.kubectl(&["create", "namespace", "x"]);
    until(&up, "-n x get sa -o name", |text| text == "serviceaccount/default\n");
    up.kubectl(&["-n", "x", "delete", "sa", "default"]);
    until(&up, "-n x get sa -o name", |text| text == "serviceaccount/default\n");
    up.kubectl(&["-n", "x", "create", "secret", "generic", "free"]);
    up.kubectl(&["-n", "x", "create", "configmap", "held"]);
    let hold = r#"{"metadata":{"finalizers":["example.com/hold"]}}"#;
    up.kubectl(&["-n", "x", "patch", "configmap", "held", "-p", hold]);
    up.kubectl(&["delete", "namespace", "x", "--wait=false"]);
    up.kubectl(&["-n", "x", "wait", "--for=delete", "secret/free", "--timeout=30s"]);
    check(&up, "get namespace x -o jsonpath={.status.phase}", &["Terminating"]);
    check(&up, "-n x get configmap -o name", &["configmap/held"]);
    let free = r#"{"metadata":{"finalizers":null}}"#;
    up.kubectl(&["-n", "x", "patch", "configmap", "held", "--type=merge", "-p", free]);
    up.kubectl(&["wait", "--for=delete", "namespace/x", "--timeout=30s"]);
}

#[test]
fn kubectl_is_told_which_pods_cannot_be_made() {
    let up = Up::ephemeral(&[]);
    // Its pods' label with the revision is longer than a label may be.
    let name = "w".repeat(60);
    apply(&up, &SET.replace("metadata: {name: web,", &format!("metadata: {{name: {name},")));
    let events = until(&up, "get events", |text| text.contains("FailedCreate"));
    let failed = format!(
        "create Pod {name}-0 in StatefulSet {name} failed error: Pod \"{name}-0\" is invalid: "
    );
    assert!(events.contains("Warning") && events.contains(&failed), "{events}");
    let described = up.kubectl(&["describe", "statefulset", &name]);
    assert!(described.contains(&failed), "{described}");
    let observed =
        up.kubectl(&["get", "sts", &name, "-o", "jsonpath={.status.observedGeneration}"]);
    assert_eq!(observed, "1");
}
