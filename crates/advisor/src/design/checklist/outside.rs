//! What is outside of the cluster: targets, and clients.

use super::Step;
use super::lookups::debug;
use crate::design::exposure::external_service;
use crate::design::intent::{Expose, Intent};

/// A connection to the target, on the first of its ports.
pub(super) fn reach(intent: &Intent) -> Option<Step> {
    let port = intent.ports.first()?;
    let name = intent.full_name(&intent.name);
    Some(Step {
        shows: format!(
            "port {} can be reached from a pod; a time-out here with a name that resolves is a firewall or a policy",
            port.number
        ),
        command: debug(&intent.namespace, &format!("nc -zv -w 5 {name} {}", port.number)),
        expect: vec![format!("{name} (<address>:{}) open", port.number)],
        local: None,
    })
}

pub(super) fn certificate(intent: &Intent, host: &str) -> Option<Step> {
    let port =
        intent.ports.iter().find(|port| port.name.contains("https") || port.number == 443)?;
    let name = intent.full_name(&intent.name);
    Some(Step {
        shows: format!(
            "the certificate is for {host}, and holds when that is the server name; without -servername it is for `{name}`, and does not"
        ),
        command: format!(
            "kubectl -n {} run tls-check --image=alpine/openssl --rm -it --restart=Never -- s_client -connect {name}:{} -servername {host} -verify_hostname {host} -brief",
            intent.namespace, port.number
        ),
        expect: vec![
            "Verification: OK".to_owned(),
            format!("Verified peername: {host} <or a wildcard>"),
        ],
        local: None,
    })
}

pub(super) fn exposure(intent: &Intent) -> Option<Step> {
    let Intent { name, namespace, host, .. } = intent;
    let (command, expect, shows) = match intent.expose {
        Expose::None => return None,
        Expose::Ingress => (
            format!(
                "kubectl -n {namespace} get ingress {name} -o jsonpath='{{.status.loadBalancer.ingress[0]}}'"
            ),
            vec!["{\"ip\":\"<address of the controller>\"}".to_owned()],
            format!(
                "a controller has taken the Ingress; nothing printed means that none feels responsible (ingressClassName). {host} must resolve to that address outside"
            ),
        ),
        Expose::Gateway => (
            format!(
                "kubectl -n {namespace} get httproute {name} -o jsonpath='{{.status.parents[*].conditions[?(@.type==\"Accepted\")].status}}'"
            ),
            vec!["True".to_owned()],
            format!("the Gateway has taken the route; {host} must resolve to its address outside"),
        ),
        Expose::LoadBalancer | Expose::NodePort => {
            let service = match intent.exposes_each_pod() {
                true => intent
                    .pod_names()
                    .first()
                    .map(|pod| format!("{pod}-external"))
                    .unwrap_or_default(),
                false => external_service(intent),
            };
            let (path, what) = match intent.expose {
                Expose::LoadBalancer => {
                    ("{.status.loadBalancer.ingress[0]}", "{\"ip\":\"<outside address>\"}")
                }
                _ => ("{.spec.ports[*].nodePort}", "<a port from 30000 to 32767 for each port>"),
            };
            (
                format!("kubectl -n {namespace} get service {service} -o jsonpath='{path}'"),
                vec![what.to_owned()],
                format!("`{service}` has what clients outside dial"),
            )
        }
    };
    Some(Step { shows, command, expect, local: None })
}
