//! `/etc/hosts`, `/etc/hostname` and `/etc/resolv.conf`.

use std::fmt::Write as _;
use std::net::IpAddr;

use k8s_openapi::api::core::v1::{Pod, PodDNSConfigOption, PodSpec};

use super::Place;

/// The longest host name that a kernel takes.
const HOST_NAME_MAX: usize = 64;

/// The longest label of a domain name.
const LABEL_MAX: usize = 63;

/// What resolvers take at most of a resolv.conf, as Kubernetes has it.
const NAMESERVERS_MAX: usize = 3;
const SEARCHES_MAX: usize = 32;
const SEARCH_CHARS_MAX: usize = 2048;
const SEARCH_NAME_CHARS_MAX: usize = 253;

/// What a pod is called inside.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct HostName {
    /// In `/etc/hosts` and the variable `HOSTNAME`.
    pub(super) short: String,
    /// Under which it is found in DNS, if it has a subdomain.
    pub(super) domain: Option<String>,
    /// What the kernel says.
    pub(super) kernel: String,
}

/// The host name of a pod.
pub(super) fn host_name(pod: &Pod, place: &Place, zone: &str) -> Result<HostName, String> {
    let spec = pod.spec.as_ref();
    let stated = |field: fn(&PodSpec) -> Option<&String>| {
        spec.and_then(field).map(String::as_str).filter(|name| !name.is_empty())
    };
    if is_host_network(pod) {
        let name = cut(&place.node_name, HOST_NAME_MAX);
        return Ok(HostName { short: name.clone(), domain: None, kernel: name });
    }
    if let Some(name) = stated(|spec| spec.hostname_override.as_ref()) {
        let name = cut(name, HOST_NAME_MAX);
        return Ok(HostName { short: name.clone(), domain: None, kernel: name });
    }
    let name = pod.metadata.name.as_deref().unwrap_or_default();
    let short = cut(stated(|spec| spec.hostname.as_ref()).unwrap_or(name), LABEL_MAX);
    let namespace = pod.metadata.namespace.as_deref().unwrap_or_default();
    let domain = stated(|spec| spec.subdomain.as_ref())
        .map(|subdomain| format!("{subdomain}.{namespace}.svc.{zone}"));
    let kernel = match &domain {
        Some(domain) if spec.and_then(|spec| spec.set_hostname_as_fqdn) == Some(true) => {
            let full = format!("{short}.{domain}");
            if full.len() > HOST_NAME_MAX {
                return Err(format!(
                    "failed to construct FQDN from pod hostname and cluster domain, FQDN {full} is too long \
                     ({HOST_NAME_MAX} characters is the max, {} characters requested)",
                    full.len()
                ));
            }
            full
        }
        _ => short.clone(),
    };
    Ok(HostName { short, domain, kernel })
}

/// A name of no more than so many characters, which are ASCII, that does not end in a separator.
fn cut(name: &str, max: usize) -> String {
    match name.get(..max) {
        Some(cut) if name.len() > max => cut.trim_end_matches(['-', '.']).to_owned(),
        _ => name.to_owned(),
    }
}

pub(super) fn is_host_network(pod: &Pod) -> bool {
    pod.spec.as_ref().and_then(|spec| spec.host_network).unwrap_or(false)
}

/// The content of `/etc/hosts`.
pub(super) fn hosts(pod: &Pod, place: &Place, name: &HostName) -> String {
    let header = match is_host_network(pod) {
        true => "# Kubernetes-managed hosts file (host network).",
        false => "# Kubernetes-managed hosts file.",
    };
    let mut text = format!(
        "{header}\n\
         127.0.0.1\tlocalhost\n\
         ::1\tlocalhost ip6-localhost ip6-loopback\n\
         fe00::0\tip6-localnet\n\
         fe00::0\tip6-mcastprefix\n\
         fe00::1\tip6-allnodes\n\
         fe00::2\tip6-allrouters\n"
    );
    let HostName { short, domain, kernel: _ } = name;
    for address in place.ips() {
        let _ = match domain {
            Some(domain) => writeln!(text, "{address}\t{short}.{domain}\t{short}"),
            None => writeln!(text, "{address}\t{short}"),
        };
    }
    let aliases = pod.spec.as_ref().and_then(|spec| spec.host_aliases.as_deref());
    if let Some(aliases) = aliases.filter(|aliases| !aliases.is_empty()) {
        text.push_str("\n# Entries added by HostAliases.\n");
        for alias in aliases {
            let names = alias.hostnames.as_deref().unwrap_or_default().join("\t");
            let _ = writeln!(text, "{}\t{names}", alias.ip);
        }
    }
    text
}

/// The resolv.conf of an ordinary pod of a namespace, whose node adds nothing to it.
pub fn resolv_conf(namespace: &str, zone: &str, dns: &[IpAddr]) -> String {
    let mut pod = Pod::default();
    pod.metadata.namespace = Some(namespace.to_owned());
    ResolvConf::default().of_pod(&pod, dns, zone).text()
}

/// What a resolv.conf says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct ResolvConf {
    pub(super) nameservers: Vec<String>,
    pub(super) searches: Vec<String>,
    pub(super) options: Vec<String>,
}

impl ResolvConf {
    /// Reads a text; of several lines of searches or options the last one counts.
    pub(super) fn parse(text: &str) -> Self {
        let mut conf = Self::default();
        for line in text.lines() {
            let mut words = line.split_whitespace().map(str::to_owned);
            match words.next().as_deref() {
                Some("nameserver") => conf.nameservers.extend(words.next()),
                Some("search") => {
                    let bare =
                        |name: String| name.strip_suffix('.').map(str::to_owned).unwrap_or(name);
                    conf.searches = words.map(bare).collect();
                }
                Some("options") => conf.options = words.collect(),
                _ => {}
            }
        }
        conf
    }

    /// What a pod is given, on a node that has this one itself.
    pub(super) fn of_pod(&self, pod: &Pod, dns: &[IpAddr], zone: &str) -> Self {
        let spec = pod.spec.as_ref();
        let namespace = pod.metadata.namespace.as_deref().unwrap_or_default();
        let policy = spec.and_then(|spec| spec.dns_policy.as_deref()).unwrap_or("ClusterFirst");
        let nameservers = dns.iter().map(IpAddr::to_string).collect();
        // The nodes' own servers are out of a pod's reach; the cluster's asks them.
        let of_node = |nameservers| Self { nameservers, ..self.clone() };
        let mut conf = match policy {
            "None" => Self::default(),
            "Default" => of_node(nameservers),
            "ClusterFirst" if is_host_network(pod) => of_node(nameservers),
            _ => Self {
                nameservers,
                searches: [
                    format!("{namespace}.svc.{zone}"),
                    format!("svc.{zone}"),
                    zone.to_owned(),
                ]
                .into_iter()
                .chain(self.searches.iter().cloned())
                .collect(),
                options: vec!["ndots:5".to_owned()],
            },
        };
        if let Some(config) = spec.and_then(|spec| spec.dns_config.as_ref()) {
            conf.nameservers.extend(config.nameservers.iter().flatten().cloned());
            conf.searches.extend(config.searches.iter().flatten().cloned());
            for option in config.options.iter().flatten() {
                conf.set_option(option);
            }
        }
        let Self { nameservers, searches, options: _ } = &mut conf;
        without_duplicates(nameservers);
        without_duplicates(searches);
        nameservers.truncate(NAMESERVERS_MAX);
        searches.truncate(SEARCHES_MAX);
        searches.retain(|name| name.len() <= SEARCH_NAME_CHARS_MAX);
        while searches.join(" ").len() > SEARCH_CHARS_MAX {
            searches.pop();
        }
        conf
    }

    /// An option takes the place of the one of its name.
    fn set_option(&mut self, PodDNSConfigOption { name, value }: &PodDNSConfigOption) {
        let Some(name) = name else { return };
        let text = match value.as_deref().filter(|value| !value.is_empty()) {
            Some(value) => format!("{name}:{value}"),
            None => name.clone(),
        };
        let known = |option: &&mut String| option.split(':').next() == Some(name);
        match self.options.iter_mut().find(known) {
            Some(option) => *option = text,
            None => self.options.push(text),
        }
    }

    /// As a file.
    pub(super) fn text(&self) -> String {
        let Self { nameservers, searches, options } = self;
        let mut text = String::new();
        if !searches.is_empty() {
            let _ = writeln!(text, "search {}", searches.join(" "));
        }
        for nameserver in nameservers {
            let _ = writeln!(text, "nameserver {nameserver}");
        }
        if !options.is_empty() {
            let _ = writeln!(text, "options {}", options.join(" "));
        }
        text
    }
}

fn without_duplicates(texts: &mut Vec<String>) {
    let mut seen = std::collections::HashSet::new();
    texts.retain(|text| seen.insert(text.clone()));
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn pod(spec: &Value) -> Pod {
        let value = json!({"metadata": {"name": "db-0", "namespace": "prod"}, "spec": spec});
        let mut pod: Pod = serde_json::from_value(value).unwrap();
        pod.metadata.uid = Some("u".to_owned());
        pod
    }

    #[test]
    fn host_names() {
        #[track_caller]
        fn check(spec: Value, expected: Result<(&str, Option<&str>, &str), &str>) {
            let seen = host_name(&pod(&spec), &Place::example(), "cluster.local");
            let expected = expected.map(|(short, domain, kernel)| HostName {
                short: short.to_owned(),
                domain: domain.map(str::to_owned),
                kernel: kernel.to_owned(),
            });
            assert_eq!(seen, expected.map_err(str::to_owned), "{spec}");
        }
        let domain = Some("db.prod.svc.cluster.local");
        check(json!({"containers": []}), Ok(("db-0", None, "db-0")));
        check(json!({"containers": [], "hostname": "a"}), Ok(("a", None, "a")));
        check(json!({"containers": [], "subdomain": "db"}), Ok(("db-0", domain, "db-0")));
        check(
            json!({"containers": [], "subdomain": "db", "setHostnameAsFQDN": true}),
            Ok(("db-0", domain, "db-0.db.prod.svc.cluster.local")),
        );
        check(json!({"containers": [], "setHostnameAsFQDN": true}), Ok(("db-0", None, "db-0")));
        check(json!({"containers": [], "hostNetwork": true}), Ok(("node-1", None, "node-1")));
        check(
            json!({"containers": [], "hostnameOverride": "db.example.com", "subdomain": "db"}),
            Ok(("db.example.com", None, "db.example.com")),
        );
        let long = "a".repeat(62);
        check(json!({"containers": [], "hostname": format!("{long}-b")}), Ok((&long, None, &long)));
        check(
            json!({"containers": [], "subdomain": "db", "hostname": "a".repeat(40), "setHostnameAsFQDN": true}),
            Err(&format!(
                "failed to construct FQDN from pod hostname and cluster domain, FQDN {}.db.prod.svc.cluster.local is \
                 too long (64 characters is the max, 66 characters requested)",
                "a".repeat(40)
            )),
        );
    }

    const LOCAL: &str = "127.0.0.1\tlocalhost\n\
        ::1\tlocalhost ip6-localhost ip6-loopback\n\
        fe00::0\tip6-localnet\n\
        fe00::0\tip6-mcastprefix\n\
        fe00::1\tip6-allnodes\n\
        fe00::2\tip6-allrouters\n";

    #[test]
    fn hosts_files() {
        #[track_caller]
        fn check(spec: Value, header: &str, expected: &str) {
            let (pod, place) = (pod(&spec), Place::example());
            let name = host_name(&pod, &place, "cluster.local").unwrap();
            assert_eq!(hosts(&pod, &place, &name), format!("{header}\n{LOCAL}{expected}"));
        }
        let managed = "# Kubernetes-managed hosts file.";
        check(json!({"containers": []}), managed, "10.244.1.2\tdb-0\nfd00::2\tdb-0\n");
        check(
            json!({"containers": [], "subdomain": "db"}),
            managed,
            "10.244.1.2\tdb-0.db.prod.svc.cluster.local\tdb-0\nfd00::2\tdb-0.db.prod.svc.cluster.local\tdb-0\n",
        );
        check(
            json!({"containers": [], "hostAliases": [{"ip": "1.2.3.4", "hostnames": ["a", "b"]}, {"ip": "::5"}]}),
            managed,
            "10.244.1.2\tdb-0\nfd00::2\tdb-0\n\n# Entries added by HostAliases.\n1.2.3.4\ta\tb\n::5\t\n",
        );
        check(
            json!({"containers": [], "hostNetwork": true}),
            "# Kubernetes-managed hosts file (host network).",
            "10.244.1.2\tnode-1\nfd00::2\tnode-1\n",
        );
    }

    #[test]
    fn resolv_confs() {
        #[track_caller]
        fn check(spec: Value, expected: &str) {
            let host = ResolvConf::parse(
                "# a comment\nnameserver 192.0.2.53 \nnameserver\nsearch first\n\
                 search example.org. lab.example.org\noptions edns0 trust-ad\nsortlist x\n",
            );
            let dns = ["10.96.0.10".parse().unwrap()];
            let seen = host.of_pod(&pod(&spec), &dns, "cluster.local");
            assert_eq!(seen.text(), expected, "{spec}");
        }
        let cluster = "search prod.svc.cluster.local svc.cluster.local cluster.local example.org lab.example.org\n\
                       nameserver 10.96.0.10\noptions ndots:5\n";
        let host =
            "search example.org lab.example.org\nnameserver 10.96.0.10\noptions edns0 trust-ad\n";
        check(json!({"containers": []}), cluster);
        check(json!({"containers": [], "dnsPolicy": "ClusterFirst"}), cluster);
        check(
            json!({"containers": [], "dnsPolicy": "ClusterFirstWithHostNet", "hostNetwork": true}),
            cluster,
        );
        check(json!({"containers": [], "hostNetwork": true}), host);
        check(json!({"containers": [], "dnsPolicy": "Default"}), host);
        check(
            json!({"containers": [], "dnsPolicy": "None", "dnsConfig": {"nameservers": ["1.1.1.1"]}}),
            "nameserver 1.1.1.1\n",
        );
        check(
            json!({"containers": [], "dnsConfig": {
                "nameservers": ["1.1.1.1", "10.96.0.10", "1.1.1.2", "1.1.1.3"],
                "searches": ["svc.cluster.local", "a.b"],
                "options": [{"name": "ndots", "value": "2"}, {"name": "single-request"}, {"name": "timeout", "value": "1"}]}}),
            "search prod.svc.cluster.local svc.cluster.local cluster.local example.org lab.example.org a.b\n\
             nameserver 10.96.0.10\nnameserver 1.1.1.1\nnameserver 1.1.1.2\n\
             options ndots:2 single-request timeout:1\n",
        );
    }

    #[test]
    fn what_a_resolver_does_not_take_is_left_out() {
        let searches: Vec<String> = (0..40).map(|n| format!("{n}.{}", "a".repeat(60))).collect();
        let spec =
            json!({"containers": [], "dnsPolicy": "None", "dnsConfig": {"searches": searches}});
        let conf = ResolvConf::default().of_pod(&pod(&spec), &[], "cluster.local");
        assert_eq!(conf.searches.len(), 32);
        let searches: Vec<String> = (0..20).map(|n| format!("{n}.{}", "a".repeat(200))).collect();
        let spec =
            json!({"containers": [], "dnsPolicy": "None", "dnsConfig": {"searches": searches}});
        let conf = ResolvConf::default().of_pod(&pod(&spec), &[], "cluster.local");
        assert_eq!(conf.searches.len(), 10);
        let spec = json!({"containers": [], "dnsPolicy": "None", "dnsConfig": {"searches": ["a".repeat(254), "b"]}});
        let conf = ResolvConf::default().of_pod(&pod(&spec), &[], "cluster.local");
        assert_eq!(conf.searches, ["b"]);
    }
}
