//! What a cluster's names answer, by the Kubernetes DNS specification: slow, obvious, and nothing of our server's.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::fs;
use std::io;
use std::path::Path;

use hickory_proto::op::ResponseCode::{self, NXDomain, NoError};
use serde_json::Value;

/// The objects of a folder of manifests.
pub(crate) struct Expected {
    namespaces: HashSet<String>,
    /// By `NAME.NAMESPACE`.
    services: HashMap<String, Value>,
    /// The endpoints of a Service's slices.
    endpoints: HashMap<String, Vec<Value>>,
}

/// A response code, and the answer section in no order.
pub(crate) type Answer = (ResponseCode, BTreeSet<String>);

const SUFFIX: &str = ".svc.cluster.local.";

impl Expected {
    pub(crate) fn read(folder: &Path) -> io::Result<Self> {
        let mut expected = Self {
            namespaces: HashSet::new(),
            services: HashMap::new(),
            endpoints: HashMap::new(),
        };
        for entry in fs::read_dir(folder)? {
            let text = fs::read_to_string(entry?.path())?;
            for document in manifest::read::read("manifest", &text).0 {
                expected.add(document.located.value);
            }
        }
        Ok(expected)
    }

    fn add(&mut self, object: Value) {
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let metadata = &object["metadata"];
        let named = |name: &Value| format!("{}.{}", text(name), text(&metadata["namespace"]));
        match object["kind"].as_str() {
            Some("Namespace") => {
                self.namespaces.insert(text(&metadata["name"]));
            }
            Some("Service") => {
                self.services.insert(named(&metadata["name"]), object["spec"].clone());
            }
            Some("EndpointSlice") => {
                let service = named(&metadata["labels"]["kubernetes.io/service-name"]);
                let ready =
                    |endpoint: &&Value| endpoint["conditions"]["ready"] != Value::Bool(false);
                let endpoints = object["endpoints"].as_array().into_iter().flatten().filter(ready);
                self.endpoints.entry(service).or_default().extend(endpoints.cloned());
            }
            _ => {}
        }
    }

    /// What a name and a type answer, written as dnsperf has them.
    pub(crate) fn answer(&self, question: &str) -> Answer {
        let missing = (NXDomain, BTreeSet::new());
        let Some((name, rtype)) = question.split_once(' ') else { return missing };
        let Some(below) = name.strip_suffix(SUFFIX) else { return missing };
        let labels: Vec<&str> = below.split('.').collect();
        let (rest, service) = labels.split_at(labels.len().saturating_sub(2));
        let [_, namespace] = service else { return missing };
        let service = service.join(".");
        match self.services.get(&service) {
            Some(spec) if self.namespaces.contains(*namespace) => {
                self.of_service(&service, spec, rest, name, rtype).unwrap_or(missing)
            }
            _ => missing,
        }
    }

    /// The answer of a name that is a Service's, or below it by the labels in `rest`. `None` when there is none.
    fn of_service(
        &self,
        service: &str,
        spec: &Value,
        rest: &[&str],
        name: &str,
        rtype: &str,
    ) -> Option<Answer> {
        let owner = format!("{service}{SUFFIX}");
        let some = |lines: BTreeSet<String>| Some((NoError, lines));
        if let Some(target) = spec["externalName"].as_str() {
            let alias = format!("{name} 5 IN CNAME {target}.");
            let (code, mut lines) = match rtype != "CNAME" && target.ends_with(".cluster.local") {
                true => self.answer(&format!("{target}. {rtype}")),
                false => (NoError, BTreeSet::new()),
            };
            lines.insert(alias);
            return rest.is_empty().then_some((code, lines));
        }
        let headless = spec["clusterIP"] == "None";
        let empty = Vec::new();
        let endpoints = self.endpoints.get(service).unwrap_or(&empty);
        // Nobody is there: so is no name (Kubernetes DNS specification 2.4.1).
        if headless && endpoints.is_empty() {
            return None;
        }
        let addresses = |of: &[&Value]| match rtype {
            "A" => of
                .iter()
                .flat_map(|endpoint| endpoint["addresses"].as_array().into_iter().flatten())
                .map(|address| format!("{name} 5 IN A {}", address.as_str().unwrap_or_default()))
                .collect(),
            _ => BTreeSet::new(),
        };
        match rest {
            [] if headless => some(addresses(&endpoints.iter().collect::<Vec<_>>())),
            [] => some(match rtype {
                "A" => [format!("{name} 5 IN A {}", spec["clusterIP"].as_str()?)].into(),
                _ => BTreeSet::new(),
            }),
            [port, "_tcp"] => {
                let of_port = |value: &&Value| value["name"].as_str() == port.strip_prefix('_');
                let number = spec["ports"].as_array()?.iter().find(of_port)?["port"].as_u64()?;
                let record = |weight: usize, target: &str| {
                    format!("{name} 5 IN SRV 0 {weight} {number} {target}")
                };
                some(match (rtype, headless) {
                    ("SRV", true) => {
                        let weight = (100 / endpoints.len()).max(1);
                        let hosts = endpoints.iter().filter_map(|it| it["hostname"].as_str());
                        hosts.map(|host| record(weight, &format!("{host}.{owner}"))).collect()
                    }
                    ("SRV", false) => [record(100, &owner)].into(),
                    _ => BTreeSet::new(),
                })
            }
            [host] => {
                let of: Vec<&Value> =
                    endpoints.iter().filter(|it| it["hostname"] == *host).collect();
                (!of.is_empty()).then(|| (NoError, addresses(&of)))
            }
            _ => None,
        }
    }
}
