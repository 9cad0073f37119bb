use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;
use manifest::read::Level;

use crate::lint::{Findings, Objects, Rule};

pub(super) const RULE: Rule = Rule {
    code: "HC015",
    level: Level::Error,
    title: "a port's name is too long, or has a character that port names may not have",
    explanation: "\
Two kinds of names are called a port's name. The name of a *container's* port, and a `targetPort` that refers to it, is a service name as of RFC
6335: at most 15 characters of `a-z`, `0-9` and `-`, one of them a letter. The name of a *Service's* port is a DNS label: the same characters,
and up to 63 of them. The API refuses the whole object otherwise, and a refused Service publishes nothing.

A Service's port name of all 63 characters is taken, and has no SRV record by that name even so: its label there is `_NAME`, of 64 octets, and
DNS has room for 63.",
    remedy: "Shorten the name, write it in lower case, and `-` for `_`; a container's port and the `targetPort` that names it together.",
    sources: &[
        "RFC 6335 §5.1",
        "RFC 1035 §2.3.4",
        "kubernetes/kubernetes: ValidateService, validateContainerPorts (IsValidPortName)",
    ],
    check,
};

/// The longest name of a container's port (RFC 6335 §5.1).
const CONTAINER_BYTES_MAX: usize = 15;
/// The longest DNS label (RFC 1035 §2.3.4).
const LABEL_BYTES_MAX: usize = 63;

fn check(objects: &Objects, findings: &mut Findings<'_>) {
    for service in &objects.services {
        for (at, port) in service.ports().iter().enumerate() {
            if let Some(name) = port.name.as_deref().filter(|name| !name.is_empty()) {
                let field = format!("spec.ports[{at}].name");
                if let Some(wrong) = wrong(name, LABEL_BYTES_MAX) {
                    findings
                        .add(service.subject(), service.label(&field, ""), message(name, &wrong))
                        .help(mending(name, LABEL_BYTES_MAX - 1));
                } else if name.len() == LABEL_BYTES_MAX {
                    findings
                        .add(
                            service.subject(),
                            service.label(&field, ""),
                            format!("the port name {name} leaves no room for the _ of its SRV record"),
                        )
                        .level(Level::Warning)
                        .help("the Service is accepted, and nobody can ask for this port by its name: shorten it");
                }
            }
            if let Some(IntOrString::String(name)) = &port.target_port
                && let Some(wrong) = wrong(name, CONTAINER_BYTES_MAX)
            {
                let field = format!("spec.ports[{at}].targetPort");
                findings
                    .add(service.subject(), service.label(&field, ""), message(name, &wrong))
                    .help(match name.bytes().all(|byte| byte.is_ascii_digit()) {
                        true => format!("a number has no quotes: targetPort: {name}"),
                        false => format!(
                            "{}; a targetPort names a port of the pods' containers",
                            mending(name, CONTAINER_BYTES_MAX)
                        ),
                    });
            }
        }
    }
    for workload in &objects.workloads {
        let all = workload.pod.init_containers.iter().flatten().enumerate();
        let init = all.map(|(at, container)| (format!("spec.initContainers[{at}]"), container));
        let main = workload.pod.containers.iter().enumerate();
        let main = main.map(|(at, container)| (format!("spec.containers[{at}]"), container));
        for (path, container) in init.chain(main) {
            for (at, port) in container.ports.iter().flatten().enumerate() {
                let Some(name) = port.name.as_deref().filter(|name| !name.is_empty()) else {
                    continue;
                };
                if let Some(wrong) = wrong(name, CONTAINER_BYTES_MAX) {
                    let place = workload.pod_label(&format!("{path}.ports[{at}].name"), "");
                    findings
                        .add(workload.subject(), place, message(name, &wrong))
                        .help(mending(name, CONTAINER_BYTES_MAX));
                }
            }
        }
    }
}

fn message(name: &str, wrong: &str) -> String {
    format!("the port name {name} is refused: {wrong}")
}

/// What the API would say against the name; a name for a label may be of digits alone.
fn wrong(name: &str, bytes_max: usize) -> Option<String> {
    let is_container = bytes_max == CONTAINER_BYTES_MAX;
    if name.len() > bytes_max {
        return Some(format!("it has {} characters, {bytes_max} are allowed", name.len()));
    }
    if name.chars().any(|c| c.is_ascii_uppercase()) {
        return Some("it has letters in upper case".to_owned());
    }
    let is_of_name = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    if let Some(c) = name.chars().find(|c| !is_of_name(*c)) {
        return Some(format!("it has the character {c:?}"));
    }
    if name.starts_with('-') || name.ends_with('-') {
        return Some("it begins or ends with a hyphen".to_owned());
    }
    if is_container && name.contains("--") {
        return Some("it has two hyphens in a row".to_owned());
    }
    (is_container && !name.chars().any(|c| c.is_ascii_lowercase()))
        .then(|| "it has no letter".to_owned())
}

fn mending(name: &str, bytes_max: usize) -> String {
    let respelled: String = name
        .to_lowercase()
        .chars()
        .map(|c| if c.is_ascii_alphanumeric() { c } else { '-' })
        .take(bytes_max)
        .collect();
    let respelled = respelled.trim_matches('-');
    match wrong(respelled, bytes_max) {
        None if !respelled.is_empty() => {
            format!("write {respelled} for example, here and wherever this port is named")
        }
        _ => format!("write a name of at most {bytes_max} of a-z, 0-9 and -, with a letter in it"),
    }
}
