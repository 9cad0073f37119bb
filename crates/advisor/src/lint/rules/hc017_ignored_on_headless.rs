use manifest::read::Level;

use crate::lint::{Change, Findings, Objects, Rule};

pub(super) const RULE: Rule = Rule {
    code: "HC017",
    level: Level::Warning,
    title: "a headless Service has settings that only kube-proxy would act on",
    explanation: "\
`sessionAffinity`, `externalIPs`, `internalTrafficPolicy` and `loadBalancerIP` say what is done with traffic to a Service's virtual address. A
headless Service has no such address: DNS hands out the pods' own addresses, kube-proxy leaves the Service out, and the API takes the settings,
with a warning for some, and nobody acts on them. Clients stay with one pod only if they keep its name or their connection, and nothing listens
on the external addresses.",
    remedy: "Remove the setting. For affinity or a way in from outside write a second Service, with a cluster IP, for the clients.",
    sources: &[
        "kubernetes/kubernetes: pkg/api/service/warnings.go",
        "kubernetes/kubernetes: pkg/proxy/util ShouldSkipService",
    ],
    check,
};

fn check(objects: &Objects, findings: &mut Findings<'_>) {
    for service in &objects.services {
        if !service.is_headless() || service.type_name() != "ClusterIP" {
            continue;
        }
        let Some(spec) = &service.object.spec else { continue };
        let name = &service.reference.name;
        let affinity = spec.session_affinity.as_deref().filter(|affinity| *affinity != "None");
        let local = spec.internal_traffic_policy.as_deref().filter(|policy| *policy == "Local");
        let outside = spec.external_ips.as_ref().filter(|ips| !ips.is_empty());
        let balancer = spec.load_balancer_ip.as_deref().filter(|ip| !ip.is_empty());
        let ignored = [
            affinity.map(|value| {
                (
                    "sessionAffinity",
                    value.to_owned(),
                    "each look-up gives all pods, and each connection may go to another one: remove it",
                )
            }),
            outside.map(|ips| {
                (
                    "externalIPs",
                    ips.join(", "),
                    "no node takes traffic to these addresses for it: give them to a second Service, one with a cluster IP",
                )
            }),
            local.map(|value| {
                (
                    "internalTrafficPolicy",
                    value.to_owned(),
                    "clients get the pods of all nodes: remove it, or put a Service with a cluster IP before the pods",
                )
            }),
            balancer.map(|ip| {
                (
                    "loadBalancerIP",
                    ip.to_owned(),
                    "nothing is reached at this address: give it to a second Service, of type LoadBalancer",
                )
            }),
        ];
        for (key, value, help) in ignored.into_iter().flatten() {
            let field = format!("spec.{key}");
            let finding = findings.add(
                service.subject(),
                service.label(&field, "ignored"),
                format!("{key} {value} does nothing: Service {name} is headless"),
            );
            finding.with(service.label("spec.clusterIP", "headless")).help(help);
            // An affinity's configuration is refused without it.
            let more = Some("spec.sessionAffinityConfig".to_owned())
                .filter(|config| key == "sessionAffinity" && service.document.has(config));
            if matches!(key, "sessionAffinity" | "internalTrafficPolicy") {
                let removed = std::iter::once(field.clone()).chain(more);
                let changes = removed.map(|field| Change::Remove { field }).collect();
                finding.fix(format!("remove {field}"), &service.document, changes);
            }
        }
    }
}
