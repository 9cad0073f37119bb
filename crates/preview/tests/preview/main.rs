//! What manifests come to: the names of their Services, and what each answers.

#![allow(clippy::unwrap_used, reason = "tests: a panic is the report")]

mod addresses;
mod not_ready;
mod services;
mod zones;

use directory::Name;
use preview::{Change, PodName, Settings, SettleError, Settled, settle};
use serde_json::Value;

/// The objects of a YAML text, as they would be accepted.
fn objects(text: &str) -> Vec<Value> {
    let (documents, problems) = manifest::read::read("test.yaml", text);
    assert_eq!(problems, []);
    let (checked, problems) = manifest::read::check(documents, "default");
    let errors: Vec<_> = problems.into_iter().filter(|problem| problem.is_error()).collect();
    assert_eq!(errors, []);
    checked.into_iter().map(|checked| checked.value).collect()
}

fn settings(not_ready: &[&str]) -> Settings {
    let not_ready = not_ready.iter().map(|pod| pod.parse::<PodName>().unwrap()).collect();
    Settings { domain: Name::parse("cluster.local").unwrap(), not_ready }
}

fn try_settle(text: &str, not_ready: &[&str]) -> Result<Settled, SettleError> {
    settle(objects(text), &settings(not_ready))
}

fn settled(text: &str, not_ready: &[&str]) -> Settled {
    try_settle(text, not_ready).unwrap()
}

/// All that is said of the Services, a line for each thing; names without what they share.
fn lines(settled: &Settled) -> Vec<String> {
    let mut lines = Vec::new();
    for service in settled.services() {
        let (ready, total) = service.endpoints;
        lines.push(format!("{} {} {ready}/{total}", service.service, service.shape));
        let below = format!(".{}.svc.cluster.local.", service.service.namespace);
        let short = |text: &str| text.replace(&below, "");
        for record in &service.records {
            let mark = match record.change {
                Change::Same => "",
                Change::Removed => "- ",
                Change::Added => "+ ",
                Change::Reweighted { .. } => "~ ",
            };
            let rtype = record.record.data.rtype();
            let (owner, data) = (short(&record.owner), short(&record.data));
            lines.push(format!("  {mark}{owner} {rtype} {data} ({})", record.purpose));
        }
        lines.extend(service.nothing.iter().map(|reason| format!("  nothing: {reason}")));
        lines.extend(
            service
                .absent
                .iter()
                .map(|name| format!("  no {}: {}", short(&name.name), name.reason)),
        );
        lines.extend(service.notes.iter().map(|note| format!("  note: {note}")));
    }
    lines
}

#[track_caller]
fn check(text: &str, not_ready: &[&str], expected: &str) {
    let seen = lines(&settled(text, not_ready)).join("\n");
    assert_eq!(seen, expected.trim_matches('\n'), "\n--- seen\n{seen}\n---\n");
}

/// A StatefulSet of this name and size, with a headless Service `NAME-peers`. `set` goes into the set's spec, `service`
/// into the Service's, `annotation` into the pods' annotations.
fn peers(name: &str, replicas: usize, [set, service, annotation]: [&str; 3]) -> String {
    format!(
        "
apiVersion: v1
kind: Service
metadata: {{ name: {name}-peers }}
spec:
  clusterIP: None
  selector: {{ app: {name} }}
  ports: [{{ name: peer, port: 7000 }}]
  {service}
---
apiVersion: apps/v1
kind: StatefulSet
metadata: {{ name: {name} }}
spec:
  serviceName: {name}-peers
  replicas: {replicas}
  {set}
  selector: {{ matchLabels: {{ app: {name} }} }}
  template:
    metadata: {{ labels: {{ app: {name} }}, annotations: {{ {annotation} }} }}
    spec: {{ containers: [{{ name: c, image: i }}] }}
---
"
    )
}

const PLAIN: [&str; 3] = ["", "", ""];
const NOT_READY: &str = "headcount.dev/ready: 'false'";
