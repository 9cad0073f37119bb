//! The notation of the zone's settings and of trimmed objects.

use std::net::IpAddr;
use std::str::FromStr;
use std::sync::Arc;

use super::{ScriptError, Statement};
use crate::view::{
    EndpointView, ImportedFrom, ObjectName, PodView, Protocol, ServicePort, ServiceShape,
    ServiceView, SlicePort, SliceView,
};
use crate::{Change, Name, PodMode, ZoneConfig};

/// What a script that does not say otherwise runs with.
pub(super) fn default_zone() -> ZoneConfig {
    let domain = [&b"cluster"[..], b"local"].into_iter();
    let domain = domain.fold(crate::name::NameBuilder::new(), |name, label| name.label(label));
    let domain = domain.under(&Name::root());
    let mut config = ZoneConfig::new(domain.unwrap_or_else(Name::root));
    config.reverse = ["10.244.0.0/16", "10.96.0.0/12", "fd00:10:244::/48", "fd00:10:96::/112"]
        .into_iter()
        .filter_map(|range| range.parse().ok())
        .collect();
    config
}

type Parsed<T> = Result<T, String>;

/// `zone SETTING...`; false when the script begins before the first sync.
pub(super) fn zone(
    statement: &Statement<'_>,
    config: &mut ZoneConfig,
) -> Result<bool, ScriptError> {
    let mut synced = true;
    for word in &statement.words[1..] {
        let result = match *word {
            "unsynced" => {
                synced = false;
                Ok(())
            }
            word => setting(word, config),
        };
        result.map_err(|message| ScriptError { line: statement.line, message })?;
    }
    no_body(statement)?;
    Ok(synced)
}

fn setting(word: &str, config: &mut ZoneConfig) -> Parsed<()> {
    let (key, value) = word.split_once('=').unwrap_or((word, ""));
    match key {
        "domain" => config.domain = Name::parse(value).map_err(|error| error.to_string())?,
        "cluster-set" => {
            config.cluster_set_domain =
                Some(Name::parse(value).map_err(|error| error.to_string())?);
        }
        "server" => config.server_addresses = addresses(value)?,
        "dns" => config.dns_services = list(value, id)?,
        "reverse" => config.reverse = list(value, |text| parse(text, "an address range"))?,
        "pods" => {
            config.pods = match value {
                "disabled" => PodMode::Disabled,
                "insecure" => PodMode::Insecure,
                "verified" => PodMode::Verified,
                _ => return Err(format!("{word}: not one of disabled, insecure, verified")),
            }
        }
        "endpoint-pod-names" => config.endpoint_pod_names = true,
        "publish-serving-terminating" => config.publish_serving_terminating = true,
        "ignore-empty-service" => config.ignore_empty_service = true,
        "single-ptr" => config.single_ptr = true,
        "zone-names" => config.zone_names = true,
        "search-names" => config.search_names = true,
        "ttl.cluster-ip" => config.ttl.cluster_ip = seconds(value)?,
        "ttl.headless" => config.ttl.headless = seconds(value)?,
        "ttl.external-name" => config.ttl.external_name = seconds(value)?,
        "ttl.pod" => config.ttl.pod = seconds(value)?,
        "ttl.reverse" => config.ttl.reverse = seconds(value)?,
        "ttl.zone" => config.ttl.zone = seconds(value)?,
        "negative.service" => config.negative_ttl.service = seconds(value)?,
        "negative.missing-service" => config.negative_ttl.missing_service = seconds(value)?,
        "negative.missing-namespace" => config.negative_ttl.missing_namespace = seconds(value)?,
        "negative.other" => config.negative_ttl.other = seconds(value)?,
        _ => return Err(format!("{word}: no such setting")),
    }
    Ok(())
}

/// An object that appears or changes, or `gone KIND NAME`.
pub(super) fn change(statement: &Statement<'_>) -> Result<Change, ScriptError> {
    let line = statement.line;
    let at = |message| ScriptError { line, message };
    let (kind, words) = (statement.words[0], &statement.words[1..]);
    if kind != "slice" {
        no_body(statement)?;
    }
    let change = match (kind, words) {
        ("namespace", [name]) => Ok(Change::Namespace((*name).into())),
        ("service", [name, rest @ ..]) => service(name, rest).map(Change::Service),
        ("import", [name, rest @ ..]) => service(name, rest).map(Change::Import),
        ("slice", [name, rest @ ..]) => {
            let mut view = slice(name, rest).map_err(at)?;
            for &(line, text) in &statement.body {
                let endpoint = endpoint(text);
                view.endpoints.push(endpoint.map_err(|message| ScriptError { line, message })?);
            }
            Ok(Change::Slice(view))
        }
        ("pod", [name, rest @ ..]) => pod(name, rest).map(Change::Pod),
        ("gone", ["namespace", name]) => Ok(Change::NamespaceGone((*name).into())),
        ("gone", ["service", name]) => id(name).map(Change::ServiceGone),
        ("gone", ["import", name]) => id(name).map(Change::ImportGone),
        ("gone", ["slice", name]) => id(name).map(Change::SliceGone),
        ("gone", ["pod", name]) => id(name).map(Change::PodGone),
        ("gone", [kind, ..]) => Err(format!("{kind}: no such kind")),
        ("namespace" | "service" | "import" | "slice" | "pod" | "gone", _) => {
            Err(format!("{kind}: a name is missing, or words are too many"))
        }
        _ => Err(format!("{kind}: no such statement")),
    };
    change.map_err(at)
}

/// `NAMESPACE/NAME headless|ip=ADDRESSES|external=NAME PORT...`
fn service(name: &str, words: &[&str]) -> Parsed<ServiceView> {
    let mut shape = None;
    let mut ports = Vec::new();
    for word in words {
        match word.split_once('=') {
            None if *word == "headless" => shape = Some(ServiceShape::Headless),
            Some(("ip", value)) => shape = Some(ServiceShape::ClusterIp(addresses(value)?)),
            Some(("external", value)) => {
                shape = Some(ServiceShape::ExternalName(value.to_owned()));
            }
            _ => {
                let (name, port, protocol) = port(word)?;
                let port = port.ok_or_else(|| format!("{word}: a Service's port has a number"))?;
                ports.push(ServicePort { name, port, protocol });
            }
        }
    }
    let shape =
        shape.ok_or("one of headless, ip=ADDRESSES or external=NAME is missing".to_owned())?;
    Ok(ServiceView { id: id(name)?, shape, ports })
}

/// `NAMESPACE/NAME [of=SERVICE] [import=NAME cluster=NAME] PORT...`
fn slice(name: &str, words: &[&str]) -> Parsed<SliceView> {
    let (mut service, mut import, mut cluster) = (None, None, None);
    let mut ports = Vec::new();
    for word in words {
        match word.split_once('=') {
            Some(("of", value)) => service = Some(Arc::from(value)),
            Some(("import", value)) => import = Some(Arc::from(value)),
            Some(("cluster", value)) => cluster = Some(Arc::from(value)),
            _ => {
                let (name, port, protocol) = port(word)?;
                ports.push(SlicePort { name, port, protocol });
            }
        }
    }
    let import = match (import, cluster) {
        (Some(import), Some(cluster)) => Some(ImportedFrom { import, cluster }),
        (None, None) if service.is_none() => return Err("of=SERVICE is missing".to_owned()),
        (None, None) => None,
        _ => return Err("import=NAME and cluster=NAME go together".to_owned()),
    };
    Ok(SliceView { id: id(name)?, service, import, ports, endpoints: Vec::new() })
}

/// `ADDRESSES [hostname=NAME] [pod=NAME] [zone=NAME] [not-ready] [serving] [terminating]`
fn endpoint(text: &str) -> Parsed<EndpointView> {
    let mut words = text.split_whitespace();
    let mut endpoint = EndpointView {
        addresses: addresses(words.next().unwrap_or_default())?,
        hostname: None,
        ready: true,
        serving: true,
        terminating: false,
        pod: None,
        zone: None,
    };
    for word in words {
        match word.split_once('=') {
            Some(("hostname", value)) => endpoint.hostname = Some(value.into()),
            Some(("pod", value)) => endpoint.pod = Some(value.into()),
            Some(("zone", value)) => endpoint.zone = Some(value.into()),
            None if word == "not-ready" => (endpoint.ready, endpoint.serving) = (false, false),
            None if word == "serving" => endpoint.serving = true,
            None if word == "terminating" => endpoint.terminating = true,
            _ => return Err(format!("{word}: no such field of an endpoint")),
        }
    }
    Ok(endpoint)
}

/// `NAMESPACE/NAME [ADDRESSES] [subdomain=NAME]`
fn pod(name: &str, words: &[&str]) -> Parsed<PodView> {
    let mut view = PodView { id: id(name)?, addresses: Vec::new(), subdomain: None };
    for word in words {
        match word.split_once('=') {
            Some(("subdomain", value)) => view.subdomain = Some(value.into()),
            _ => view.addresses = addresses(word)?,
        }
    }
    Ok(view)
}

/// `NAME:PORT[/PROTOCOL]`; the name may be empty, the port of a slice `*` for one without number.
fn port(word: &str) -> Parsed<(String, Option<u16>, Protocol)> {
    let expected = || format!("{word}: expected NAME:PORT or NAME:PORT/PROTOCOL");
    let (name, rest) = word.split_once(':').ok_or_else(expected)?;
    let (port, protocol) = match rest.split_once('/') {
        None => (rest, Protocol::Tcp),
        Some((port, "tcp")) => (port, Protocol::Tcp),
        Some((port, "udp")) => (port, Protocol::Udp),
        Some((port, "sctp")) => (port, Protocol::Sctp),
        Some(_) => return Err(expected()),
    };
    let port = match port {
        "*" => None,
        port => Some(port.parse().map_err(|_| expected())?),
    };
    Ok((name.to_owned(), port, protocol))
}

fn id(text: &str) -> Parsed<ObjectName> {
    let (namespace, name) =
        text.split_once('/').ok_or_else(|| format!("{text}: expected NAMESPACE/NAME"))?;
    Ok(ObjectName::new(namespace, name))
}

/// Addresses between commas; none when empty.
fn addresses(text: &str) -> Parsed<Vec<IpAddr>> {
    list(text, |text| parse(text, "an address"))
}

fn list<T>(text: &str, parse: impl Fn(&str) -> Parsed<T>) -> Parsed<Vec<T>> {
    text.split(',').filter(|text| !text.is_empty()).map(parse).collect()
}

fn seconds(text: &str) -> Parsed<u32> {
    parse(text, "a number of seconds")
}

fn parse<T: FromStr>(text: &str, what: &str) -> Parsed<T> {
    text.parse().map_err(|_| format!("{text}: not {what}"))
}

fn no_body(statement: &Statement<'_>) -> Result<(), ScriptError> {
    match statement.body.first() {
        None => Ok(()),
        Some(&(line, _)) => {
            let message = "nothing may be indented here".to_owned();
            Err(ScriptError { line, message })
        }
    }
}
