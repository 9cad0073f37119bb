use k8s_openapi::api::core::v1::{Service, ServicePort};
use manifest::read::{Level, Located};

use crate::lint::external_name::{Place, Proxied, Target, own_host};
use crate::lint::{Findings, Item, Label, Objects, Rule};

pub(super) const RULE: Rule = Rule {
    code: "HC035",
    level: Level::Warning,
    title: "an ExternalName leads to a site that is known by its host name",
    explanation: "\
An alias changes where clients connect, not what they say there. A client of `http://api` sends `Host: api`, and over TLS asks for the
certificate of `api`, while the target knows itself by its public name. An ingress controller that routes by host answers 404 from its
default backend; an HTTPS site shows a certificate for another name and the handshake fails. When the target is the host of an Ingress,
an HTTPRoute or a Gateway among the given files this is certain, and a warning; a target outside with an HTTP or HTTPS port declared is a
note, for clients can be told to send the right name.",
    remedy: "\
Within the cluster, use the Service behind the Ingress, not its host. For sites outside, let clients use the real name, or tell them the
Host header and the TLS server name (`curl --connect-to`, a server-name option of the client, an egress gateway that rewrites).",
    sources: &[
        "kubernetes/kubernetes#61226, #13748",
        "Kubernetes documentation, Service, type ExternalName (warning on HTTP and HTTPS)",
        "RFC 9110, section 7.2; RFC 6066, section 3",
    ],
    check,
};

/// A host that a proxy of the cluster serves, and what says so.
struct Served<'o> {
    host: &'o str,
    by: &'o Located,
    field: String,
    /// The Service behind it, where there is one.
    backend: Option<&'o str>,
}

fn check(objects: &Objects, findings: &mut Findings<'_>) {
    let aliases =
        objects.services.iter().filter_map(|service| Some((service, Target::name_of(service)?)));
    let mut outside = aliases
        .filter(|(_, name)| Place::of(name, &objects.options.cluster_domain) == Place::Outside)
        .filter(|(_, name)| name.contains('.') && own_host(name).is_none())
        .peekable();
    if outside.peek().is_none() {
        return;
    }
    let served = served(objects);
    let proxied = Proxied::new(objects);
    for (service, target) in outside {
        let http = http_port(service);
        // Under a wildcard there may be hosts of another kind, such as databases.
        let serves = |served: &&Served<'_>| {
            served.host == target || (http.is_some() && covers(served.host, target))
        };
        match (served.iter().find(serves), http) {
            (Some(served), _) => behind_ingress(service, target, served, objects, findings),
            (None, Some((at, web))) if !proxied.has(service) => {
                site_outside(service, target, at, web, findings);
            }
            (None, _) => {}
        }
    }
}

fn behind_ingress(
    service: &Item<Service>,
    target: &str,
    served: &Served<'_>,
    objects: &Objects,
    findings: &mut Findings<'_>,
) {
    let name = &service.reference.name;
    let kind = served.by.value["kind"].as_str().unwrap_or_default();
    let finding = findings.add(
        service.subject(),
        service.label("spec.externalName", "served by host name"),
        format!(
            "clients of {name} ask for the host {name}, and {kind} {} serves {target} by that \
             host name only",
            served.by.name()
        ),
    );
    finding.with(Label::new(served.by, &served.field, "the host that must be asked for"));
    finding.help(
        "expect 404 from the ingress controller, and over HTTPS a certificate for another name",
    );
    finding.help(match served.backend {
        Some(backend) => format!(
            "within the cluster use the Service behind it, {backend} in namespace {}; clients that \
             need {target} itself use that name",
            match served.by.namespace() {
                "" => &objects.options.namespace,
                namespace => namespace,
            }
        ),
        None => format!("let clients use {target} itself, or the Service behind it"),
    });
}

fn site_outside(
    service: &Item<Service>,
    target: &str,
    at: usize,
    web: Web,
    findings: &mut Findings<'_>,
) {
    let name = &service.reference.name;
    let finding = findings.add(
        service.subject(),
        service.label(
            &format!("spec.ports[{at}].port"),
            "clients speak to the target by the alias's name",
        ),
        match web {
            Web::Https => {
                format!("an HTTPS client of {name} asks {target} for the certificate of {name}")
            }
            Web::Http => format!("an HTTP client of {name} asks {target} for the host {name}"),
        },
    );
    finding.level(Level::Note);
    let port = service.ports()[at].port;
    match web {
        Web::Https => finding
            .help(format!(
                "the TLS handshake fails unless clients use {target} itself or set the server name"
            ))
            .help(format!(
                "as such a client: curl --connect-to {target}:{port}:{name}:{port} \
                 https://{target}:{port}/"
            )),
        Web::Http => finding.help(format!(
            "sites that share an address answer 404 or another site: clients use {target} itself, \
             or send Host: {target}"
        )),
    };
}

/// Which protocol with host names a port is for.
#[derive(Clone, Copy)]
enum Web {
    Http,
    Https,
}

/// The first port that is for one of these.
fn http_port(service: &Item<Service>) -> Option<(usize, Web)> {
    service.ports().iter().enumerate().find_map(|(at, port)| Some((at, web(port)?)))
}

fn web(port: &ServicePort) -> Option<Web> {
    let named = |text: &str| match text.split('-').next() {
        Some("https") => Some(Web::Https),
        Some("http") => Some(Web::Http),
        _ => None,
    };
    if let Some(protocol) = port.app_protocol.as_deref() {
        return named(&protocol.to_ascii_lowercase());
    }
    let by_number = match port.port {
        443 => Some(Web::Https),
        80 => Some(Web::Http),
        _ => None,
    };
    // An `http` port 443 is one of TLS all the same.
    by_number.or_else(|| port.name.as_deref().and_then(named))
}

/// Whether a served host is a wildcard such as `*.example.com` that covers a name.
fn covers(host: &str, name: &str) -> bool {
    host.strip_prefix("*.").is_some_and(|domain| {
        name.strip_suffix(domain).is_some_and(|rest| rest.len() > 1 && rest.ends_with('.'))
    })
}

fn served(objects: &Objects) -> Vec<Served<'_>> {
    let ingresses = objects.ingresses.iter().flat_map(|ingress| {
        let rules = ingress.object.spec.iter().flat_map(|spec| spec.rules.iter().flatten());
        rules.enumerate().filter_map(|(at, rule)| {
            let path = rule.http.as_ref().and_then(|http| http.paths.first());
            Some(Served {
                host: rule.host.as_deref()?,
                by: &ingress.document,
                field: format!("spec.rules[{at}].host"),
                backend: path.and_then(|path| Some(path.backend.service.as_ref()?.name.as_str())),
            })
        })
    });
    let routes = objects.foreign.iter().filter(|foreign| {
        foreign.kind() == "Route" && foreign.api_version().starts_with("route.openshift.io/")
    });
    let routes = routes.map(|route| (route.kind(), &route.located));
    let others = objects.gateway_api().chain(routes).flat_map(|(kind, by)| {
        let spec = &by.value["spec"];
        let hosts: Vec<(&str, String)> = match kind {
            "HTTPRoute" | "GRPCRoute" | "TLSRoute" => {
                let hosts = spec["hostnames"].as_array().into_iter().flatten().enumerate();
                hosts
                    .filter_map(|(at, host)| {
                        Some((host.as_str()?, format!("spec.hostnames[{at}]")))
                    })
                    .collect()
            }
            "Gateway" => {
                let listeners = spec["listeners"].as_array().into_iter().flatten().enumerate();
                let hosts = listeners.filter_map(|(at, listener)| {
                    Some((listener["hostname"].as_str()?, format!("spec.listeners[{at}].hostname")))
                });
                hosts.collect()
            }
            "Route" => spec["host"]
                .as_str()
                .map(|host| (host, "spec.host".to_owned()))
                .into_iter()
                .collect(),
            _ => Vec::new(),
        };
        let backend = spec["rules"][0]["backendRefs"][0]["name"].as_str();
        hosts.into_iter().map(move |(host, field)| Served { host, by, field, backend })
    });
    ingresses.chain(others).collect()
}

#[cfg(test)]
mod tests {
    use super::covers;

    #[test]
    fn wildcards() {
        for (host, name, expected) in [
            ("*.example.com", "shop.example.com", true),
            ("*.example.com", "a.shop.example.com", true),
            ("*.example.com", "example.com", false),
            ("*.example.com", "myexample.com", false),
            ("shop.example.com", "shop.example.com", false),
            ("*", "shop.example.com", false),
        ] {
            assert_eq!(covers(host, name), expected, "{host} {name}");
        }
    }
}
