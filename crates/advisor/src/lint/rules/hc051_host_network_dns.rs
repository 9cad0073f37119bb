use manifest::read::Level;

use crate::lint::told::Texts;
use crate::lint::{Change, Findings, Objects, Rule};

pub(super) const RULE: Rule = Rule {
    code: "HC051",
    level: Level::Warning,
    title: "pods on their node's network ask the node's DNS for names of the cluster",
    explanation: "\
`dnsPolicy: ClusterFirst`, the default, means the cluster's DNS only for pods that have a network of their own. For a pod with `hostNetwork: true` the
kubelet takes it for `Default`: the pod's `resolv.conf` is that of its node, without the cluster's DNS server and without its search list. Names of
Services are then NXDOMAIN, while names of the outside go on working. `ClusterFirstWithHostNet` is the policy that was meant.",
    remedy: "Set `dnsPolicy: ClusterFirstWithHostNet`.",
    sources: &["Kubernetes, pkg/kubelet/network/dns: getPodDNSType", "kubernetes/kubernetes#35761"],
    check,
};

const FIELD: &str = "spec.dnsPolicy";
const MEANT: &str = "ClusterFirstWithHostNet";

fn check(objects: &Objects, findings: &mut Findings<'_>) {
    let texts = Texts::new(objects);
    let domain = &objects.options.cluster_domain;
    for workload in &objects.workloads {
        let pod = &workload.pod;
        let by_cluster = matches!(pod.dns_policy.as_deref(), None | Some("ClusterFirst"));
        // Servers of the pod's own may well be the cluster's.
        let own_servers = pod.dns_config.as_ref().is_some_and(|dns| dns.nameservers.is_some());
        if pod.host_network != Some(true) || !by_cluster || own_servers {
            continue;
        }
        let namespace = &workload.reference.namespace;
        let texts = texts.of(workload);
        let asked = texts.iter().find_map(|text| {
            let host = text.hosts().find(|host| {
                host.is_of_cluster(domain) || host.service(objects, namespace).is_some()
            })?;
            Some((text, host))
        });
        let Some((text, host)) = asked else { continue };
        let written = workload.pod_field(FIELD);
        let has = workload.document.has(&written);
        let place = if has { FIELD } else { "spec.hostNetwork" };
        let name = &workload.reference.name;
        let name_asked = host.name.trim_start_matches('.');
        let finding = findings.add(
            workload.subject(),
            workload.pod_label(place, "the node's DNS"),
            format!("the pods of {name} are on their node's network and ask the node's DNS, which does not know {name_asked}"),
        );
        finding.with(text.label_of(&host, "a name of the cluster"));
        finding.help(format!("it answers NXDOMAIN there: set dnsPolicy: {MEANT}"));
        let change = match has {
            true => Change::Set { field: written, to: MEANT.to_owned() },
            false => Change::Add {
                parent: workload.pod_field("spec"),
                key: "dnsPolicy".to_owned(),
                value: MEANT.to_owned(),
            },
        };
        finding.fix(format!("set dnsPolicy to {MEANT}"), &workload.document, vec![change]);
    }
}
