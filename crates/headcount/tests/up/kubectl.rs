//! A stock kubectl (1.30 or newer, from PATH) against a running `headcount up`.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;

use crate::support::{Up, stock_kubectl};

/// A printed table as rows of cells; cells are separated by two spaces or more.
fn rows(text: &str) -> Vec<Vec<String>> {
    text.lines()
        .map(|line| {
            line.split("  ")
                .map(str::trim)
                .filter(|cell| !cell.is_empty())
                .map(str::to_owned)
                .collect()
        })
        .collect()
}

#[test]
fn kubectl_get_prints_the_tables_people_know() {
    let up = Up::ephemeral(&["-f", "examples/redis", "-f", "examples/prod-database"]);
    let services = rows(&up.kubectl(&["get", "svc"]));
    assert_eq!(services[0], ["NAME", "TYPE", "CLUSTER-IP", "EXTERNAL-IP", "PORT(S)", "AGE"]);
    let service =
        |name: &str| services.iter().find(|row| row[0] == name).expect(name)[1..5].to_vec();
    assert_eq!(service("redis-headless"), ["ClusterIP", "None", "<none>", "6379/TCP"]);
    assert_eq!(service("prod-database")[..3], ["ExternalName", "<none>", "db.prod.example.com"]);
    assert_eq!(service("kubernetes"), ["ClusterIP", "10.96.0.1", "<none>", "443/TCP"]);

    let pods = rows(&up.kubectl(&["get", "pods", "-o", "wide"]));
    assert_eq!(pods[0][..5], ["NAME", "READY", "STATUS", "RESTARTS", "AGE"]);
    let redis: Vec<_> = pods.iter().filter(|row| row[0].starts_with("redis-")).collect();
    assert_eq!(redis.len(), 3);
    assert!(
        redis
            .iter()
            .all(|row| row[1] == "1/1" && row[2] == "Running" && row[5].starts_with("10.244.")),
        "{pods:?}"
    );

    let slices = rows(&up.kubectl(&[
        "get",
        "endpointslices",
        "-l",
        "kubernetes.io/service-name=redis-headless",
    ]));
    assert_eq!(slices[0], ["NAME", "ADDRESSTYPE", "PORTS", "ENDPOINTS", "AGE"]);
    assert_eq!(slices[1][1..3], ["IPv4", "6379"]);
    assert_eq!(slices[1][3].split(',').count(), 3);

    let endpoints = rows(&up.kubectl(&["get", "ep", "redis-headless"]));
    assert_eq!(endpoints[1][1].matches(":6379").count(), 3);

    let sets = rows(&up.kubectl(&["get", "sts"]));
    assert_eq!(sets[1][..2], ["redis", "3/3"]);
    let dns = up.kubectl(&["get", "pods", "-n", "kube-system", "-l", "k8s-app=kube-dns"]);
    assert!(dns.contains("Running"), "{dns}");
    assert!(up.kubectl(&["get", "nodes"]).matches(" Ready ").count() == 3);
    assert!(up.kubectl(&["get", "all", "-A"]).contains("statefulset.apps/redis"));
}

#[test]
fn kubectl_makes_changes_and_deletes() {
    let up = Up::ephemeral(&["-f", "examples/redis"]);
    let peers = "redis-headless.default.svc.cluster.local.";

    let applied = up.kubectl(&["apply", "-f", "examples/mysql"]);
    assert!(applied.contains("service/mysql created"), "{applied}");
    assert!(up.kubectl(&["apply", "-f", "examples/mysql"]).contains("service/mysql unchanged"));
    up.kubectl(&["wait", "--for=condition=Ready", "pod/mysql-0", "--timeout=30s"]);
    up.kubectl(&[
        "wait",
        "--for=jsonpath={.status.readyReplicas}=3",
        "statefulset/mysql",
        "--timeout=30s",
    ]);
    assert_eq!(up.records("mysql-0.mysql.default.svc.cluster.local.", "A").len(), 1);

    assert!(up.kubectl(&["create", "-f", "examples/mongodb"]).contains("created"));
    let again = up.kubectl_output(&["create", "-f", "examples/mongodb"], "");
    assert!(String::from_utf8_lossy(&again.stderr).contains("AlreadyExists"), "{again:?}");

    up.kubectl(&["annotate", "pod", "redis-1", "headcount.dev/ready=false"]);
    up.until(peers, "A", |reply| reply.data("A").len() == 2);
    up.kubectl(&["annotate", "pod", "redis-1", "headcount.dev/ready=true", "--overwrite"]);
    up.until(peers, "A", |reply| reply.data("A").len() == 3);

    up.kubectl(&["scale", "statefulset", "redis", "--replicas=5"]);
    up.until(peers, "A", |reply| reply.data("A").len() == 5);
    up.kubectl(&["label", "pod", "redis-4", "app=other", "--overwrite"]);
    up.until(peers, "A", |reply| reply.data("A").len() < 5);

    up.kubectl(&["delete", "svc", "redis-headless"]);
    up.until(peers, "A", |reply| reply.data("A").is_empty());
    up.kubectl(&["delete", "-f", "examples/mysql"]);
    up.kubectl(&["wait", "--for=delete", "pod/mysql-0", "--timeout=30s"]);
}

#[test]
fn kubectl_is_told_what_is_wrong_in_kubernetes_words() {
    let up = Up::ephemeral(&[]);
    let apply = |manifest: &str| {
        let output = up.kubectl_output(&["apply", "-f", "-"], manifest);
        assert!(!output.status.success(), "{output:?}");
        String::from_utf8_lossy(&output.stderr).into_owned()
    };
    let service = |spec: &str| {
        format!(
            r#"{{"apiVersion": "v1", "kind": "Service", "metadata": {{"name": "x"}}, "spec": {spec}}}"#
        )
    };
    let stderr = apply(&service(r#"{"ports": [{"port": 70000}]}"#));
    assert!(
        stderr.contains(
            "spec.ports[0].port: Invalid value: 70000: must be between 1 and 65535, inclusive"
        ),
        "{stderr}"
    );
    let stderr = apply(&service(r#"{"type": "ClusterIP"}"#));
    assert!(stderr.contains("spec.ports: Required value"), "{stderr}");
    let stderr = apply(&service(r#"{"type": "Foo", "ports": [{"port": 80}]}"#));
    assert!(stderr.contains("spec.type: Unsupported value: \"Foo\""), "{stderr}");
    let stderr = apply(&service(r#"{"portz": []}"#));
    assert!(stderr.contains("unknown field \"spec.portz\""), "{stderr}");
    let absent = up.kubectl_output(&["get", "svc", "absent"], "");
    assert_eq!(
        String::from_utf8_lossy(&absent.stderr),
        "Error from server (NotFound): services \"absent\" not found\n"
    );
}

#[test]
fn kubectl_migrates_an_external_name_to_a_cluster_ip() {
    let up = Up::ephemeral(&["-f", "examples/prod-database"]);
    let name = "prod-database.default.svc.cluster.local.";
    assert_eq!(up.records(name, "CNAME"), ["db.prod.example.com."]);
    up.kubectl(&["delete", "svc", "prod-database"]);
    up.kubectl(&["apply", "-f", "examples/prod-database/migration"]);
    let reply = up.until(name, "A", |reply| !reply.data("A").is_empty());
    assert!(reply.data("A")[0].starts_with("10."), "{reply:?}");
    assert!(reply.data("CNAME").is_empty());
}

#[test]
fn kubectl_get_watches() {
    let up = Up::ephemeral(&["-f", "examples/redis"]);
    let mut watch = up.kubectl_spawn(&["get", "pods", "-l", "app=redis", "-w", "--no-headers"]);
    let mut lines = BufReader::new(watch.stdout.take().expect("piped")).lines();
    let mut next = || lines.next().expect("a line").expect("text");
    for name in ["redis-0", "redis-1", "redis-2"] {
        assert!(next().starts_with(name));
    }
    up.kubectl(&["scale", "statefulset", "redis", "--replicas=4"]);
    let states: Vec<String> = std::iter::repeat_with(&mut next)
        .map(|line| line.split_whitespace().take(3).collect::<Vec<_>>().join(" "))
        .take_while(|line| line != "redis-3 1/1 Running")
        .collect();
    assert!(states.iter().all(|state| state.starts_with("redis-3 0/1 ")), "{states:?}");
    watch.kill().expect("a child of ours");
    watch.wait().expect("a child of ours");
}

#[test]
fn kubectl_proxy_serves_the_api() {
    let up = Up::ephemeral(&[]);
    let mut proxy = up.kubectl_spawn(&["proxy", "--port=0"]);
    let mut line = String::new();
    let stdout = proxy.stdout.take().expect("piped");
    BufReader::new(stdout).read_line(&mut line).expect("text");
    let address = line.trim().strip_prefix("Starting to serve on ").expect("where it serves");
    let mut stream = TcpStream::connect(address).expect("the proxy listens");
    let request =
        "GET /api/v1/namespaces/default/services/kubernetes HTTP/1.0\r\nHost: localhost\r\n\r\n";
    stream.write_all(request.as_bytes()).expect("the proxy reads");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("an answer");
    assert!(
        answer.contains("200 OK") && answer.contains("\"clusterIP\":\"10.96.0.1\""),
        "{answer}"
    );
    proxy.kill().expect("a child of ours");
    proxy.wait().expect("a child of ours");
}

#[test]
fn kubectl_autoscale_makes_an_autoscaler() {
    let up = Up::ephemeral(&["-f", "examples/redis"]);
    let arguments = ["autoscale", "statefulset", "redis", "--min=2", "--max=4"];
    let output = up.kubectl_output(&arguments, "");
    // Older ones know autoscaling/v1 only, which is not served.
    assert_eq!(output.status.success(), stock_kubectl() >= 33, "{output:?}");
    if output.status.success() {
        let range = "-o=jsonpath={.spec.minReplicas} to {.spec.maxReplicas}";
        assert_eq!(up.kubectl(&["get", "hpa", "redis", range]), "2 to 4");
    }
}
