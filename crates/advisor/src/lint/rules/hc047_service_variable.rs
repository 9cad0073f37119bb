use std::collections::HashMap;

use k8s_openapi::api::core::v1::{Container, Service};
use manifest::read::Level;

use crate::lint::{Findings, Item, Objects, Rule, Workload};
use crate::peers::repository;

pub(super) const RULE: Rule = Rule {
    code: "HC047",
    level: Level::Warning,
    title: "a Service's name makes an environment variable that the software reads as its own",
    explanation: "\
The kubelet gives every container variables for each Service of its namespace that has a cluster IP when the container starts: `kafka` makes
`KAFKA_PORT=tcp://10.96.0.9:9092`, `KAFKA_SERVICE_HOST` and more. Some software has a setting by such a name, reads the address as its port, and
stops. It depends on whether Service or pod came first, so it may show at a restart months later.

Headless Services and those of type ExternalName have no cluster IP and make no variables. A variable that the pod's own `env` sets has its own
value.",
    remedy: "\
Set `enableServiceLinks: false` in the pod's spec, which leaves only the variables of the Service `kubernetes`; or rename the Service.",
    sources: &[
        "kubernetes/kubernetes: pkg/kubelet getServiceEnvVarMap, pkg/kubelet/envvars FromServices",
        "confluentinc/cp-docker-images#388, #286",
        "confluentinc/kafka-images#169",
        "wurstmeister/kafka-docker#122",
        "big-data-europe/docker-spark#128",
        "vllm-project/vllm: vllm/envs.py get_vllm_port",
        "RedisLabs/redislabs-docs#676",
    ],
    check,
};

/// Software that reads a variable of the form `NAME_PORT`.
struct Reads {
    /// The end of its image's path.
    image: &'static str,
    /// What of the image reads it.
    part: Part,
    variable: &'static str,
    /// What becomes of it.
    then: &'static str,
}

enum Part {
    /// Whatever is started.
    All,
    /// The script that is started where the container says nothing else.
    Default(&'static str),
    /// What is started where command, arguments or environment have one of these.
    Named(&'static [&'static str]),
}

const fn reads(
    image: &'static str,
    part: Part,
    variable: &'static str,
    then: &'static str,
) -> Reads {
    Reads { image, part, variable, then }
}

const CONFLUENT: &str = "its start script takes the variable for a setting that is gone, says that it is deprecated, and exits";
const CONFLUENT_START: Part = Part::Default("/etc/confluent/docker/");
const SPARK: &str = "the master stops with a NumberFormatException";
const SPARK_MASTER: Part =
    Part::Named(&["deploy.master.Master", "start-master", "SPARK_MODE=master"]);
const VALUE_ERROR: &str = "it stops with a ValueError, for the value is no number";

const READERS: &[Reads] = &[
    reads("confluentinc/cp-kafka", CONFLUENT_START, "KAFKA_PORT", CONFLUENT),
    reads("confluentinc/cp-server", CONFLUENT_START, "KAFKA_PORT", CONFLUENT),
    reads("confluentinc/cp-schema-registry", CONFLUENT_START, "SCHEMA_REGISTRY_PORT", CONFLUENT),
    reads("confluentinc/cp-kafka-rest", CONFLUENT_START, "KAFKA_REST_PORT", CONFLUENT),
    reads(
        "wurstmeister/kafka",
        Part::Default("start-kafka.sh"),
        "KAFKA_PORT",
        "it becomes the broker's setting port, which is refused: not a number of type INT",
    ),
    reads("spark", SPARK_MASTER, "SPARK_MASTER_PORT", SPARK),
    reads("spark-master", Part::All, "SPARK_MASTER_PORT", SPARK),
    reads("vllm/vllm-openai", Part::All, "VLLM_PORT", VALUE_ERROR),
    reads("redislabs/redisinsight", Part::All, "REDISINSIGHT_PORT", VALUE_ERROR),
];

fn check(objects: &Objects, findings: &mut Findings<'_>) {
    let mut by_variable: HashMap<(&str, String), &Item<Service>> = HashMap::new();
    for service in &objects.services {
        if !service.is_headless() && !service.is_external_name() && !service.ports().is_empty() {
            let key = (service.reference.namespace.as_str(), variable(&service.reference.name));
            by_variable.entry(key).or_insert(service);
        }
    }
    for workload in &objects.workloads {
        if workload.pod.enable_service_links == Some(false) {
            continue;
        }
        for (path, container) in workload.containers() {
            let image = repository(container.image.as_deref().unwrap_or_default());
            let Some((reader, service)) = READERS.iter().find_map(|reader| {
                let before = image.strip_suffix(reader.image)?;
                let is_of = before.is_empty() || before.ends_with('/');
                let key = (workload.reference.namespace.as_str(), reader.variable.to_owned());
                let is_read = is_of && runs(container, &reader.part);
                let service = by_variable.get(&key).filter(|_| is_read)?;
                Some((reader, service))
            }) else {
                continue;
            };
            if is_set(reader.variable, container, workload, objects) {
                continue;
            }
            let (name, variable) = (&service.reference.name, reader.variable);
            let port = service.ports().first().map_or(0, |port| port.port);
            findings
                .add(
                    workload.subject(),
                    workload.pod_label(&format!("{path}.image"), format!("reads {variable}")),
                    format!(
                        "Service {name} gives the pods of {} {variable}=tcp://ADDRESS:{port}, which {} reads as its own setting",
                        workload.reference.name, image
                    ),
                )
                .with(service.label("metadata.name", "makes the variable"))
                .help(format!("{}: set enableServiceLinks: false in the pod's spec, or rename the Service", reader.then));
        }
    }
}

/// Whether the pod sets or unsets the variable itself, which goes before what the kubelet gives.
fn is_set(name: &str, container: &Container, workload: &Workload, objects: &Objects) -> bool {
    let sources = container.env_from.iter().flatten();
    let mut maps = sources.filter_map(|source| {
        let prefix = source.prefix.as_deref().unwrap_or_default();
        Some((source.config_map_ref.as_ref()?.name.as_str(), name.strip_prefix(prefix)?))
    });
    container.env.iter().flatten().any(|variable| variable.name == name)
        || container
            .command
            .iter()
            .chain(&container.args)
            .flatten()
            .any(|text| text.contains(&format!("unset {name}")))
        || maps.any(|(map, key)| {
            objects.all.iter().any(|item| {
                item.reference.kind == "ConfigMap"
                    && item.reference.namespace == workload.reference.namespace
                    && item.reference.name == map
                    && item.object["data"].get(key).is_some()
            })
        })
}

/// Whether a container starts the part of its image that reads the variable.
fn runs(container: &Container, part: &Part) -> bool {
    let mut started = container.command.iter().chain(&container.args).flatten();
    match part {
        Part::All => true,
        Part::Default(script) => {
            (container.command.is_none() && container.args.is_none())
                || started.any(|text| text.contains(script))
        }
        Part::Named(names) => {
            let has = |text: &str| names.iter().any(|name| text.contains(name));
            let mut variables = container.env.iter().flatten().filter_map(|variable| {
                Some(format!("{}={}", variable.name, variable.value.as_deref()?))
            });
            started.any(|text| has(text)) || variables.any(|text| has(&text))
        }
    }
}

/// The variable that a Service's name makes: `my-app` gives `MY_APP_PORT`.
fn variable(service: &str) -> String {
    let name = service.replace(['-', '.'], "_").to_uppercase();
    match name.starts_with(|c: char| c.is_ascii_digit()) {
        true => format!("_{name}_PORT"),
        false => format!("{name}_PORT"),
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn names_become_variables() {
        for (service, expected) in [
            ("kafka", "KAFKA_PORT"),
            ("spark-master", "SPARK_MASTER_PORT"),
            ("3scale", "_3SCALE_PORT"),
        ] {
            assert_eq!(super::variable(service), expected);
        }
    }
}
