//! The settings as a file: one YAML mapping, whose JSON Schema follows from the types here.

pub(super) mod forward;
mod values;

use manifest::read::{self, Problem};
use schemars::JsonSchema;
use serde::Deserialize;

use forward::{Encrypted, Forward};
pub(super) use values::{
    AtLeastOne, Domain, Listen, MaxUdpSize, OneIn, Positive, Range, ServiceName, Threads, Ttl,
};

/// The settings of `headcount dns`. What is left out has its default.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
#[schemars(title = "headcount dns", rename_all = "camelCase")]
pub(super) struct ConfigFile {
    /// Where to listen for DNS over UDP and TCP: addresses with ports. Default: 127.0.0.1:1053.
    pub(super) listen: Option<AtLeastOne<Listen>>,
    /// The zone that the cluster's names are in. Default: what the kubeconfig of `headcount up` says, else cluster.local.
    pub(super) cluster_domain: Option<Domain>,
    /// The zone of ServiceImports (the Multi-Cluster Services API), clusterset.local as a rule. Default: none, and none is
    /// read.
    pub(super) cluster_set_domain: Option<Domain>,
    /// Times to live of answers.
    pub(super) ttl: Ttls,
    /// Times to live of negative answers.
    pub(super) negative_ttl: NegativeTtls,
    /// How names of pods by their addresses are answered. Default: insecure for a cluster, verified for manifests.
    pub(super) pods: Option<Pods>,
    /// An endpoint without hostname is named by its pod instead of its address.
    pub(super) endpoint_pod_names: bool,
    /// Endpoints that still serve while they terminate are answered, too.
    pub(super) serving_while_terminating: bool,
    /// A ClusterIP Service without a ready endpoint answers NXDOMAIN.
    pub(super) ignore_empty_service: bool,
    /// A reverse name answers with its first PTR record alone.
    pub(super) single_ptr: bool,
    /// `Z.pin._zone.S.N.svc` and `Z.prefer._zone.S.N.svc` answer with the endpoints in topology zone Z.
    pub(super) zone_names: bool,
    /// `X.N.search` is answered by walking the search path of namespace N.
    pub(super) search_names: bool,
    /// Address ranges whose reverse names are answered whether an address is known or not: those of pods and Services.
    pub(super) reverse: Vec<Range>,
    /// The Services in front of this server, as namespace/name: those that exist are the zone's NS names. Default:
    /// kube-system/kube-dns.
    pub(super) dns_services: Option<Vec<ServiceName>>,
    /// How much negative answers say of their reason by Extended DNS Errors, to clients that use EDNS. Default: code for a
    /// cluster, text for manifests.
    pub(super) ede: Option<Ede>,
    /// The longest reply over UDP, in octets, whatever a client offers.
    pub(super) max_udp_size: MaxUdpSize,
    /// How many threads serve UDP for each address. Default: one per core.
    pub(super) udp_threads: Option<Threads>,
    /// Bounds of TCP.
    pub(super) tcp: Tcp,
    /// Address ranges of clients that may take whole zones (AXFR), over TCP. Default: nobody.
    pub(super) transfer_to: Vec<Range>,
    /// Listeners that show a certificate: DNS over TLS and over HTTPS.
    pub(super) encrypted: Option<Encrypted>,
    /// Whom names outside the cluster's zone are asked of. Without it they are REFUSED; `forward: {}` asks the servers in
    /// /etc/resolv.conf.
    pub(super) forward: Option<Forward>,
    /// Where /health says whether the server lives. Default: port 8080 in a pod, else nowhere.
    pub(super) health: Option<Listen>,
    /// Where /ready says whether queries should come here. Default: port 8181 in a pod, else nowhere.
    pub(super) ready: Option<Listen>,
    /// Where /metrics has counters for Prometheus, and /debug/top who asks for what. Default: port 9153 in a pod, else
    /// nowhere.
    pub(super) metrics: Option<Listen>,
    /// For so many seconds after it was asked to stop, the server is not ready and answers still. Default: 5 in a pod, else 0.
    pub(super) lameduck_seconds: Option<u32>,
    /// Which queries are written on stdout.
    pub(super) query_log: QueryLog,
    /// With queryLog sampled: one query in so many is written, at random.
    pub(super) query_log_one_in: OneIn,
}

/// Which queries are written down.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(super) enum QueryLog {
    /// None.
    #[default]
    Off,
    /// Those that end in an error: SERVFAIL, REFUSED, FORMERR, NOTIMP, BADVERS.
    Errors,
    /// One in queryLogOneIn.
    Sampled,
}

/// Times to live of answers, in seconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub(super) struct Ttls {
    /// Of Services with cluster IPs.
    pub(super) cluster_ip: Ttl,
    /// Of headless Services, and of the endpoints of every Service.
    pub(super) headless: Ttl,
    /// Of the aliases that ExternalName Services are.
    pub(super) external_name: Ttl,
    /// Of names of pods by their addresses.
    pub(super) pod: Ttl,
    /// Of reverse names.
    pub(super) reverse: Ttl,
    /// Of the zone's own records: SOA, NS, ns.dns, dns-version.
    pub(super) zone: Ttl,
}

impl Default for Ttls {
    fn default() -> Self {
        let directory::Ttl { cluster_ip, headless, external_name, pod, reverse, zone } =
            directory::Ttl::default();
        Self {
            cluster_ip: Ttl(cluster_ip),
            headless: Ttl(headless),
            external_name: Ttl(external_name),
            pod: Ttl(pod),
            reverse: Ttl(reverse),
            zone: Ttl(zone),
        }
    }
}

/// Times to live of negative answers, in seconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub(super) struct NegativeTtls {
    /// Where the Service exists: no endpoint is ready, or there is no such endpoint or port.
    pub(super) service: Ttl,
    /// Where the namespace exists and the Service does not.
    pub(super) missing_service: Ttl,
    /// Where the namespace does not exist.
    pub(super) missing_namespace: Ttl,
    /// Of all other names.
    pub(super) other: Ttl,
}

impl Default for NegativeTtls {
    fn default() -> Self {
        let directory::NegativeTtl { service, missing_service, missing_namespace, other } =
            directory::NegativeTtl::default();
        Self {
            service: Ttl(service),
            missing_service: Ttl(missing_service),
            missing_namespace: Ttl(missing_namespace),
            other: Ttl(other),
        }
    }
}

/// How `10-1-2-3.NAMESPACE.pod` is answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema, clap::ValueEnum)]
#[serde(rename_all = "camelCase")]
pub(super) enum Pods {
    /// Not at all
    Disabled,
    /// Any address, in a namespace that exists
    Insecure,
    /// Addresses of live pods of the namespace: every pod is watched
    Verified,
}

/// How much negative answers say.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(super) enum Ede {
    /// Nothing.
    Off,
    /// A code: nothing of the objects leaks.
    Code,
    /// A code and the reason as text.
    Text,
}

/// Bounds of TCP.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub(super) struct Tcp {
    /// Connections served at once, over all addresses.
    pub(super) connections: Positive,
    /// Connections of one client served at once.
    pub(super) connections_per_client: Positive,
    /// After so many seconds without a whole query a connection is closed.
    pub(super) idle_seconds: Positive,
}

impl Default for Tcp {
    fn default() -> Self {
        let dns::TcpLimits { connections, connections_per_client, idle_timeout, shutdown_grace: _ } =
            dns::TcpLimits::default();
        let small = |count: u64| Positive(u32::try_from(count).unwrap_or(u32::MAX));
        Self {
            connections: small(connections as u64),
            connections_per_client: small(connections_per_client as u64),
            idle_seconds: small(idle_timeout.as_secs()),
        }
    }
}

impl ConfigFile {
    /// Reads a text; a text without any setting is one, too.
    pub(super) fn parse(name: &str, bytes: &[u8]) -> Result<Self, Vec<Problem>> {
        let text = read::text(name, bytes).map_err(|problem| vec![problem])?;
        let is_blank = |line: &str| line.trim().is_empty() || line.trim_start().starts_with('#');
        if text.lines().all(is_blank) {
            return Ok(Self::default());
        }
        read::typed(&read::read_mapping(name, text)?)
    }

    /// The JSON Schema of the file.
    pub(super) fn schema() -> String {
        let schema = schemars::generate::SchemaSettings::draft2020_12()
            .into_generator()
            .into_root_schema_for::<Self>();
        format!("{:#}\n", schema.to_value())
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    #[test]
    fn what_is_wrong_is_said_with_its_place() {
        #[track_caller]
        fn check(text: &str, expected: &[&str]) {
            let problems = ConfigFile::parse("dns.yaml", text.as_bytes()).expect_err(text);
            let shown: Vec<String> = problems.iter().map(ToString::to_string).collect();
            assert_eq!(shown, expected, "{text}");
        }
        check(
            "listen: [127.0.0.1]\nttl:\n  headless: 3601\n  clusterIp: soon\npods: verify\n",
            &[
                "dns.yaml:1:10: error: listen[0]: Invalid value: \"127.0.0.1\": an address to listen on is an IP address and a port, such as 127.0.0.1:1053 or [::1]:1053",
                "dns.yaml:3:13: error: ttl.headless: Invalid value: 3601: a time to live is 0 to 3600 seconds",
                "dns.yaml:4:14: error: ttl.clusterIp: expected an integer, got the string \"soon\"",
                "dns.yaml:5:7: error: pods: expected disabled, insecure or verified, got the string \"verify\"",
            ],
        );
        // What a part that is wrong leaves wanting is no error of its own.
        check(
            "tcp: { idleSeconds: 0 }\nforward: { stubZones: [{ zone: a..b, upstreams: [] }] }\nlisten: []\n",
            &[
                "dns.yaml:1:21: error: tcp.idleSeconds: Invalid value: 0: it is at least 1",
                "dns.yaml:2:32: error: forward.stubZones[0].zone: Invalid value: \"a..b\": a label is empty",
                "dns.yaml:2:38: error: forward.stubZones[0].upstreams: Invalid value: []: name at least one",
                "dns.yaml:3:1: error: listen: Invalid value: []: name at least one",
            ],
        );
        check(
            "max_udp_size: 1400\nttl: { headles: 1 }\nnothing: like it\n",
            &[
                "dns.yaml:1:15: error: max_udp_size: there is no such field\n  help: did you mean maxUdpSize?",
                "dns.yaml:2:17: error: ttl.headles: there is no such field\n  help: did you mean headless?",
                "dns.yaml:3:10: error: nothing: there is no such field",
            ],
        );
        check(
            "maxUdpSize: 100\nudpThreads: 0\nreverse: [10.0.0.0]\ndnsServices: [kube-dns]\nclusterDomain: a b\n",
            &[
                "dns.yaml:1:13: error: maxUdpSize: Invalid value: 100: a size is 512 to 4096 octets",
                "dns.yaml:2:13: error: udpThreads: Invalid value: 0: there are 1 to 1024 threads",
                "dns.yaml:3:11: error: reverse[0]: Invalid value: \"10.0.0.0\": not an address range such as 10.244.0.0/16 or fd00::/64",
                "dns.yaml:4:15: error: dnsServices[0]: Invalid value: \"kube-dns\": a Service is named here as NAMESPACE/NAME, such as kube-system/kube-dns",
                "dns.yaml:5:16: error: clusterDomain: Invalid value: \"a b\": a domain is labels of lowercase letters, digits and '-', such as cluster.local",
            ],
        );
        check(
            "forward: { upstreams: [dns.example.org] }\nencrypted: { tls: ['[::]:853'], key: k }\n",
            &[
                "dns.yaml:1:24: error: forward.upstreams[0]: Invalid value: \"dns.example.org\": `dns.example.org` is not an IP address with or without a port, such as 192.0.2.53 or [2001:db8::53]:5353",
                "dns.yaml:2:1: error: encrypted: Invalid value: {\"key\":\"k\",\"tls\":[\"[::]:853\"]}: missing field `certificate`",
            ],
        );
        check("- a\n", &["dns.yaml:1:1: error: expected a mapping of keys to values"]);
        check("pods: [\n", &["dns.yaml:1:7: error: not YAML: unclosed bracket '['"]);
    }

    #[test]
    fn what_is_left_out_has_its_default() {
        let parse = |text: &str| ConfigFile::parse("dns.yaml", text.as_bytes()).expect(text);
        assert_eq!(parse(""), ConfigFile::default());
        assert_eq!(parse("# nothing yet\n"), ConfigFile::default());
        assert_eq!(parse("ttl: {}\nlisten:\n"), ConfigFile::default());
        let some = parse("ede: off\nttl: { headless: 0 }\nlisten: ['[::1]:53']\n");
        assert_eq!(some.ede, Some(Ede::Off));
        assert_eq!(some.ttl, Ttls { headless: Ttl(0), ..Ttls::default() });
        assert_eq!(some.listen, Some(AtLeastOne(vec![Listen("[::1]:53".parse().unwrap())])));
    }

    /// The fuzz target begins with them.
    #[test]
    fn the_fuzz_seeds_are_read_or_refused() {
        for (name, problems) in [("all", 0), ("anchors", 1), ("unclosed", 1), ("wrong", 2)] {
            let seeds = concat!(env!("CARGO_MANIFEST_DIR"), "/../../fuzz/seeds/configuration");
            let bytes = std::fs::read(Path::new(seeds).join(name)).expect(name);
            let found = ConfigFile::parse(name, &bytes).err().unwrap_or_default();
            assert_eq!(found.len(), problems, "{name}: {found:#?}");
        }
    }

    /// `UPDATE_TRANSCRIPTS=1` writes it.
    #[test]
    fn the_schema_is_that_of_the_code() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/dns.schema.json");
        if std::env::var_os("UPDATE_TRANSCRIPTS").is_some() {
            std::fs::write(path, ConfigFile::schema()).expect("written");
        }
        let committed = std::fs::read_to_string(path).expect("the schema");
        assert!(
            committed == ConfigFile::schema(),
            "docs/dns.schema.json is not what the code says"
        );
    }

    #[test]
    fn the_schema_has_the_bounds_that_are_checked() {
        let schema: serde_json::Value =
            serde_json::from_str(&ConfigFile::schema()).expect("a schema");
        let check = |kind: &str, setting: &str| {
            let bound = |name: &str| schema["$defs"][kind][name].as_u64();
            let is_taken = |number: u64| {
                let text = setting.replace('N', &number.to_string());
                ConfigFile::parse("dns.yaml", text.as_bytes()).is_ok()
            };
            let least = bound("minimum").expect("every number has one");
            assert!(is_taken(least), "{setting}: {least}");
            assert!(least == 0 || !is_taken(least - 1), "{setting}: {least} is the least");
            if let Some(most) = bound("maximum") {
                assert!(is_taken(most), "{setting}: {most}");
                assert!(!is_taken(most + 1), "{setting}: {most} is the most");
            }
            (least, bound("maximum"))
        };
        assert_eq!(check("Ttl", "ttl: { headless: N }"), (0, Some(3600)));
        assert_eq!(check("MaxUdpSize", "maxUdpSize: N"), (512, Some(4096)));
        assert_eq!(check("Threads", "udpThreads: N"), (1, Some(1024)));
        assert_eq!(check("OneIn", "queryLogOneIn: N"), (1, None));
        assert_eq!(check("Positive", "tcp: { idleSeconds: N }"), (1, None));
        let servers = &schema["$defs"]["StubZone"]["properties"]["upstreams"];
        assert_eq!(servers["minItems"], 1, "{servers}");
        assert!(schema["properties"]["listen"].to_string().contains("\"minItems\":1"));
    }
}
