//! Makes alike what differs from run to run, and from one kubectl to the next.

use std::sync::LazyLock;

use regex::{Captures, Regex};

/// The letters and digits of generated names.
const GENERATED: &str = "bcdfghjklmnpqrstvwxz2456789";

/// How kubectl begins when the server does not do something.
const REFUSED: &str = "<refused>: ";

/// What is replaced by what, in this order.
static RULES: LazyLock<Vec<(Regex, &str)>> = LazyLock::new(|| {
    let generated = |least: u8, most: u8| format!("[{GENERATED}]{{{least},{most}}}");
    [
        ("\u{1b}\\[[0-9;]*m".to_owned(), ""),
        // Columns are as wide as their widest cell.
        (r"(\S) {2,}".to_owned(), "$1  "),
        (r"\b\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z".to_owned(), "<time>"),
        (
            r"\b[A-Z][a-z]{2}, \d\d [A-Z][a-z]{2} \d{4} \d\d:\d\d:\d\d [+-]\d{4}".to_owned(),
            "<time>",
        ),
        (r"\b[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\b".to_owned(), "<uid>"),
        (r#"resourceVersion"?: "\d+""#.to_owned(), "resourceVersion: <revision>"),
        (r"\bgeneration: \d+".to_owned(), "generation: <count>"),
        (r"\b10\.244\.\d+\.\d+\b".to_owned(), "<pod address>"),
        (r"\b172\.18\.\d+\.\d+\b".to_owned(), "<node address>"),
        (r"\b127\.0\.0\.1:\d+".to_owned(), "127.0.0.1:<port>"),
        (r"\bnode-\d+\b".to_owned(), "node-<n>"),
        // curl.
        (r"\bafter \d+ (ms|milliseconds)\b".to_owned(), "after <time>"),
        (r"\bafter <time>: Could not".to_owned(), "after <time>: Couldn't"),
        (r"\bHandling connection for \d+".to_owned(), "Handling connection for <port>"),
        (r":3\d{4}/".to_owned(), ":<node port>/"),
        // A ReplicaSet's pod, a revision, anything with a generated name.
        (format!("-{}-{}\\b", generated(8, 10), generated(5, 5)), "-<hash>-<suffix>"),
        (format!("-{}\\b", generated(8, 10)), "-<hash>"),
        (format!("-{}\\b", generated(5, 5)), "-<suffix>"),
        (r"(^|[ (])(\d+(ms|[smhd]))(\d+[smhd])?($|[ )])".to_owned(), "$1<age>$5"),
        // kubectl 1.33 and newer.
        (r#"^(\S+ "[^"]+" (force )?deleted) from \S+ namespace"#.to_owned(), "$1"),
        // kubectl 1.36: what of the object an Event is about; that a WebSocket was refused.
        (r"( is not valid for pod \S+) out of: .*$".to_owned(), "$1"),
        (r"spec\.containers\{[^}]+\}: ".to_owned(), ""),
        (r"^error: ((unable to upgrade|error upgrading) connection: )+".to_owned(), REFUSED),
        (r"^Error from server \(NotImplemented\): ".to_owned(), REFUSED),
    ]
    .into_iter()
    .map(|(pattern, text)| (Regex::new(&pattern).expect("a pattern"), text))
    .collect()
});

/// Cluster IPs; the first addresses of the range have fixed owners.
static CLUSTER_IP: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r"\b10\.(9[6-9]|10\d|11[01])\.\d+\.\d+\b").expect("a pattern"));

/// What some kubectl prints and some does not.
fn by_version(command: &str, line: &str) -> bool {
    // Up to 1.30, `describe` reads v1 Endpoints and does not know the policy.
    let of_describe = ["Warning: v1 Endpoints is deprecated", "Internal Traffic Policy: "];
    command.contains("describe") && of_describe.iter().any(|start| line.starts_with(start))
        || line.to_lowercase().starts_with("warning: version difference between client")
        || line.starts_with("All commands and output from this ")
        || line.starts_with("--profile=legacy is deprecated")
        // On the way to the last line, as often as it is looked at.
        || command.contains("rollout status") && line.starts_with("Waiting for ")
        // `kubectl cp` may be gone before it arrives.
        || line.starts_with("tar: ") && line.contains("emoving leading")
        // Whether kubectl finds the command still running.
        || line == "If you don't see a command prompt, try pressing enter."
        || line.starts_with("Warning: ") && line.contains("Rolling back will not update")
}

/// The lines of a command's output, as they are compared.
pub(super) fn lines(command: &str, output: &[String]) -> Vec<String> {
    let everywhere = output.iter().filter(|line| !by_version(command, line));
    let mut lines: Vec<String> = everywhere.map(|line| normal(line)).collect();
    while lines.last().is_some_and(String::is_empty) {
        lines.pop();
    }
    // What happened at once has no order, nor have answers.
    if ["events", "drain", "nslookup"].iter().any(|word| command.contains(word)) {
        lines.sort();
    }
    lines
}

fn normal(line: &str) -> String {
    let line = CLUSTER_IP.replace_all(line, |found: &Captures<'_>| {
        let address = &found[0];
        if address.starts_with("10.96.0.") { address.to_owned() } else { "<cluster IP>".to_owned() }
    });
    RULES.iter().fold(line.into_owned(), |line, (pattern, text)| {
        pattern.replace_all(&line, *text).into_owned()
    })
}

#[test]
fn what_differs_from_run_to_run_is_made_alike() {
    let check = |line: &str, expected: &str| assert_eq!(normal(line), expected);
    check("redis-0   1/1     Running   0          5m3s", "redis-0  1/1  Running  0  <age>");
    check(
        "web-7d4b9c6f5d-x2x4p   1/1   Running   0   12s   10.244.1.3   node-2   <none>",
        "web-<hash>-<suffix>  1/1  Running  0  <age>  <pod address>  node-<n>  <none>",
    );
    check("redis-headless-tpsx8   IPv4   6379", "redis-headless-<suffix>  IPv4  6379");
    check(
        "kubernetes   ClusterIP   10.96.0.1   <none>",
        "kubernetes  ClusterIP  10.96.0.1  <none>",
    );
    check("a   ClusterIP   10.102.121.221   <none>", "a  ClusterIP  <cluster IP>  <none>");
    check("Start Time:   Wed, 25 Nov 2026 07:08:13 +0000", "Start Time:  <time>");
    check("  3m (x4 over 10m)   Warning", "  <age> (x4 over <age>)  Warning");
    check(r#"pod "a" deleted from default namespace"#, r#"pod "a" deleted"#);
    check("port 6379/TCP of redis-headless", "port 6379/TCP of redis-headless");
    check(
        r#"service "a" deleted from x namespace (server dry run)"#,
        r#"service "a" deleted (server dry run)"#,
    );
    check("error: unable to upgrade connection: no", "<refused>: no");
}
