//! What to run after applying a design, and what it prints then.

use super::choice::count;
use super::exposure::external_service;
use super::intent::{Expose, Identity, Intent, PodsKind, Port, Shape, Workload};
use crate::peers::Reach;

/// A thing to check.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// What it shows.
    pub shows: String,
    /// What to run.
    pub command: String,
    /// What it prints then; what differs from cluster to cluster is in angle brackets.
    pub expect: Vec<String>,
}

pub(super) fn checklist(intent: &Intent) -> Vec<Step> {
    let mut steps = vec![services(intent)];
    match &intent.workload {
        Workload::Pods(pods) => {
            steps.push(rollout(intent, pods.kind));
            steps.push(slices(intent));
            if let Some(service) = intent.peer_service() {
                steps.push(headless_slices(intent, &service));
            }
            if let Some(service) = intent.client_service() {
                steps.push(client_slices(intent, &service));
            }
            if let Some(service) = intent.peer_service() {
                steps.push(look_up_all(intent, &service));
                steps.extend(look_up_one(intent, &service));
                steps.extend(look_up_ports(intent, &service));
            }
            if let Some(service) = intent.client_service() {
                steps.push(look_up_virtual(intent, &service));
            }
            steps.extend(come_back(intent));
        }
        Workload::Host(host) => {
            steps.push(no_slices(intent));
            steps.push(look_up_alias(intent, host));
            steps.extend(reach(intent));
            steps.extend(certificate(intent, host));
        }
        Workload::Addresses { .. } => {
            steps.push(kept_slices(intent));
            match intent.shape() {
                Shape::Addresses(Identity::Stable) => steps.push(look_up_all(intent, &intent.name)),
                _ => steps.push(look_up_virtual(intent, &intent.name)),
            }
            steps.extend(reach(intent));
        }
    }
    steps.extend(from_elsewhere(intent));
    steps.extend(exposure(intent));
    steps
}

/// Rows as kubectl prints them: columns three apart.
fn table(rows: &[Vec<String>]) -> Vec<String> {
    let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
    let width = |at: usize| {
        rows.iter().filter_map(|row| row.get(at)).map(|cell| cell.chars().count()).max()
    };
    let widths: Vec<usize> = (0..columns).map(|at| width(at).unwrap_or(0) + 3).collect();
    let line = |row: &Vec<String>| {
        let cells = row.iter().zip(&widths).map(|(cell, width)| format!("{cell:width$}"));
        cells.collect::<String>().trim_end().to_owned()
    };
    rows.iter().map(line).collect()
}

fn row<const N: usize>(cells: [&str; N]) -> Vec<String> {
    cells.map(str::to_owned).to_vec()
}

fn services(intent: &Intent) -> Step {
    let mut rows = vec![row(["NAME", "TYPE", "CLUSTER-IP"])];
    let peers = intent.peer_service();
    let client = intent.client_service();
    let mut names = Vec::new();
    let virtual_address = client.as_ref().map(|client| format!("<cluster IP of {client}>"));
    if let Some(peers) = &peers {
        rows.push(row([peers, "ClusterIP", "None"]));
        names.push(peers.clone());
    }
    if let (Some(client), Some(address)) = (&client, &virtual_address) {
        rows.push(row([client, "ClusterIP", address]));
        names.push(client.clone());
    }
    let (columns, shows) = match intent.shape() {
        Shape::ExternalName => {
            rows = vec![row(["NAME", "TYPE", "TARGET"])];
            if let Workload::Host(host) = &intent.workload {
                rows.push(row([&intent.name, "ExternalName", host]));
            }
            names.push(intent.name.clone());
            (
                "NAME:.metadata.name,TYPE:.spec.type,TARGET:.spec.externalName",
                "the alias has its target, bare: no scheme, no port, no path",
            )
        }
        Shape::Addresses(Identity::Stable) => {
            rows.push(row([&intent.name, "ClusterIP", "None"]));
            names.push(intent.name.clone());
            (
                "NAME:.metadata.name,TYPE:.spec.type,CLUSTER-IP:.spec.clusterIP",
                "the Service is headless",
            )
        }
        Shape::Addresses(Identity::Any) | Shape::ClusterIp => (
            "NAME:.metadata.name,TYPE:.spec.type,CLUSTER-IP:.spec.clusterIP",
            "the Service has a virtual address",
        ),
        Shape::Headless | Shape::HeadlessAndClient => (
            "NAME:.metadata.name,TYPE:.spec.type,CLUSTER-IP:.spec.clusterIP",
            "the Service of the pods' names is headless; that for clients, if there is one, has an address",
        ),
    };
    Step {
        shows: shows.to_owned(),
        command: format!(
            "kubectl -n {} get service {} -o custom-columns={columns}",
            intent.namespace,
            names.join(" ")
        ),
        expect: table(&rows),
    }
}

/// What `kubectl rollout status` ends with.
fn rolled_out(intent: &Intent, kind: PodsKind) -> String {
    let name = &intent.name;
    let replicas = intent.pods().map_or(0, |pods| pods.replicas);
    match kind {
        PodsKind::StatefulSet => {
            format!("partitioned roll out complete: {replicas} new pods have been updated...")
        }
        PodsKind::Deployment => format!("deployment \"{name}\" successfully rolled out"),
    }
}

fn rollout(intent: &Intent, kind: PodsKind) -> Step {
    let Intent { name, namespace, .. } = intent;
    let resource = kind.kind().to_lowercase();
    Step {
        shows: "all pods are there and ready".to_owned(),
        command: format!("kubectl -n {namespace} rollout status {resource}/{name} --timeout=5m"),
        expect: vec![rolled_out(intent, kind)],
    }
}

/// The slices as kubectl lists them: each Service's own, with the pods' addresses and the ports that they listen on.
fn slices(intent: &Intent) -> Step {
    let pods = pods(intent);
    let mut endpoints: Vec<String> =
        pods.iter().take(3).map(|pod| format!("<IP of {pod}>")).collect();
    if pods.len() > 3 {
        endpoints.push(format!("+ {} more...", pods.len() - 3));
    }
    let endpoints = match pods.len() > 3 {
        true => format!("{} {}", endpoints[..3].join(","), endpoints[3]),
        false => endpoints.join(","),
    };
    let ports = |ports: &mut dyn Iterator<Item = &Port>| {
        let all: Vec<String> = ports.map(|port| port.target.to_string()).collect();
        match all.len() > 3 {
            true => format!("{} + {} more...", all[..3].join(","), all.len() - 3),
            false => all.join(","),
        }
    };
    let mut rows = vec![row(["NAME", "ADDRESSTYPE", "PORTS", "ENDPOINTS", "AGE"])];
    let mut services = Vec::new();
    if let Some(service) = intent.peer_service() {
        let ports = ports(&mut intent.listened());
        rows.push(row([&format!("{service}-<hash>"), "IPv4", &ports, &endpoints, "<age>"]));
        services.push(service);
    }
    if let Some(service) = intent.client_service() {
        let ports = ports(&mut intent.client_ports());
        let behind = match leads(intent) {
            Some(_) => format!("<IP of the {} that leads>", intent.what()),
            None => endpoints,
        };
        rows.push(row([&format!("{service}-<hash>"), "IPv4", &ports, &behind, "<age>"]));
        services.push(service);
    }
    Step {
        shows: "the controller keeps slices for each Service: the pods' addresses, and the ports that pods listen on; `<unset>` under ENDPOINTS means that the selector matches no pod, under PORTS that a named port is declared by none".to_owned(),
        command: format!(
            "kubectl -n {} get endpointslices -l 'kubernetes.io/service-name in ({})'",
            intent.namespace,
            services.join(",")
        ),
        expect: table(&rows),
    }
}

/// The label of the pod that leads, where clients go to that one alone.
fn leads(intent: &Intent) -> Option<(&'static str, &'static str)> {
    match intent.software()?.reach {
        Reach::Leader { label, value, .. } => Some((label, value)),
        Reach::Any | Reach::SeedThenPods | Reach::Pods => None,
    }
}

/// A line for each pod: the first ones and the last, where they are many.
fn per_pod(pods: &[String], line: impl Fn(&str) -> Vec<String>) -> Vec<String> {
    let of = |pods: &[String]| pods.iter().flat_map(|pod| line(pod)).collect::<Vec<_>>();
    match pods {
        [first @ .., last] if pods.len() > 6 => {
            let mut lines = of(&first[..3]);
            lines.push(format!("<and so on, {} in all>", pods.len()));
            lines.extend(line(last));
            lines
        }
        _ => of(pods),
    }
}

fn slices_command(intent: &Intent, service: &str, format: &str) -> String {
    format!(
        "kubectl -n {} get endpointslices -l kubernetes.io/service-name={service} -o jsonpath='{{range .items[*].endpoints[*]}}{format}{{\"\\n\"}}{{end}}' | sort",
        intent.namespace
    )
}

/// The pods of a StatefulSet, or as many placeholders as a Deployment has.
fn pods(intent: &Intent) -> Vec<String> {
    match intent.pod_names() {
        names if !names.is_empty() => names,
        _ => {
            let replicas = intent.pods().map_or(0, |pods| pods.replicas);
            (0..replicas).map(|_| format!("{}-<hash>", intent.name)).collect()
        }
    }
}

fn headless_slices(intent: &Intent, service: &str) -> Step {
    let has_names = !intent.pod_names().is_empty();
    let (field, first) =
        if has_names { ("{.hostname}", "hostname") } else { ("{.targetRef.name}", "name") };
    let shows = match (intent.publishes_not_ready(), has_names) {
        (true, true) => format!(
            "every pod of `{service}` is published by its {first}, ready=true from its first moment; serving tells whether its probe passes"
        ),
        (true, false) => format!(
            "every pod of `{service}` is published, ready=true from its first moment; serving tells whether its probe passes"
        ),
        (false, _) => {
            format!("every pod of `{service}` is published by its {first} once it is ready")
        }
    };
    let lines =
        per_pod(&pods(intent), |pod| vec![format!("{pod} <IP of {pod}> ready=true serving=true")]);
    Step {
        shows,
        command: slices_command(
            intent,
            service,
            &format!(
                "{field} {{.addresses[0]}} ready={{.conditions.ready}} serving={{.conditions.serving}}"
            ),
        ),
        expect: lines,
    }
}

fn client_slices(intent: &Intent, service: &str) -> Step {
    let (shows, expect) = match leads(intent) {
        Some((label, value)) => (
            format!(
                "`{service}` has the leader behind it, and nobody while there is none: {} sets {label}={value}",
                intent.what()
            ),
            vec![format!("{}-<ordinal> ready=true", intent.name)],
        ),
        None => (
            format!(
                "`{service}` has every pod behind it that is ready; one that is not stays listed with ready=false, and gets no connection"
            ),
            per_pod(&pods(intent), |pod| vec![format!("{pod} ready=true")]),
        ),
    };
    Step {
        shows,
        command: slices_command(intent, service, "{.targetRef.name} ready={.conditions.ready}"),
        expect,
    }
}

fn no_slices(intent: &Intent) -> Step {
    let Intent { name, namespace, .. } = intent;
    Step {
        shows: "an alias has no endpoints: kube-proxy and policies know nothing of it".to_owned(),
        command: format!(
            "kubectl -n {namespace} get endpointslices -l kubernetes.io/service-name={name}"
        ),
        expect: vec![format!("No resources found in {namespace} namespace.")],
    }
}

fn kept_slices(intent: &Intent) -> Step {
    let Workload::Addresses { addresses, .. } = &intent.workload else { return no_slices(intent) };
    Step {
        shows: "the slices belong to the Service, and list every address; Kubernetes checks none of them".to_owned(),
        command: slices_command(intent, &intent.name, "{.addresses[0]} ready={.conditions.ready}"),
        expect: addresses.iter().map(|address| format!("{address} ready=true")).collect(),
    }
}

fn debug(namespace: &str, command: &str) -> String {
    format!(
        "kubectl -n {namespace} run dns-check --image=busybox:1.36 --rm -it --restart=Never -- {command}"
    )
}

/// What busybox's nslookup prints of a name's addresses, after the lines about its server.
fn answer(name: &str, addresses: impl IntoIterator<Item = String>) -> Vec<String> {
    let addresses: Vec<String> = addresses.into_iter().collect();
    per_pod(&addresses, |address| vec![format!("Name:   {name}"), format!("Address: {address}")])
}

fn look_up_all(intent: &Intent, service: &str) -> Step {
    let name = intent.full_name(service);
    let addresses: Vec<String> = match &intent.workload {
        Workload::Addresses { addresses, .. } => {
            addresses.iter().map(ToString::to_string).collect()
        }
        Workload::Pods(_) | Workload::Host(_) => {
            pods(intent).iter().map(|pod| format!("<IP of {pod}>")).collect()
        }
    };
    let many = count(addresses.len(), "address");
    Step {
        shows: format!(
            "`{service}` answers with {many}, in any order, and with no virtual one; NXDOMAIN means that it has no ready endpoint"
        ),
        command: debug(&intent.namespace, &format!("nslookup {name}")),
        expect: answer(&name, addresses),
    }
}

fn look_up_one(intent: &Intent, service: &str) -> Option<Step> {
    let pod = intent.pod_names().pop()?;
    let name = format!("{pod}.{}", intent.full_name(service));
    Some(Step {
        shows: "a pod by its name: one address, its own".to_owned(),
        command: debug(&intent.namespace, &format!("nslookup {name}")),
        expect: answer(&name, [format!("<IP of {pod}>")]),
    })
}

fn look_up_ports(intent: &Intent, service: &str) -> Option<Step> {
    let port = intent.listened().find(|port| port.for_peers).or(intent.ports.first())?;
    let name = format!("{}.{}", port.srv_labels(), intent.full_name(service));
    let pods = intent.pod_names();
    let weight = (100 / pods.len().max(1)).max(1);
    let expect = match pods.is_empty() {
        true => vec![format!(
            "{name}   service = 0 <weight> {} <dashed IP of a pod>.{}",
            port.target,
            intent.full_name(service)
        )],
        false => per_pod(&pods, |pod| {
            let target = format!("{pod}.{}", intent.full_name(service));
            vec![format!("{name}   service = 0 {weight} {} {target}", port.target)]
        }),
    };
    Some(Step {
        shows: format!(
            "SRV gives the port {} with each name: {} is the port that pods listen on",
            port.name, port.target
        ),
        command: debug(&intent.namespace, &format!("nslookup -type=srv {name}")),
        expect,
    })
}

fn look_up_virtual(intent: &Intent, service: &str) -> Step {
    let name = intent.full_name(service);
    Step {
        shows: format!(
            "`{service}` answers with its one address, that of kubectl get service; it does so even with no pod behind it"
        ),
        command: debug(&intent.namespace, &format!("nslookup {name}")),
        expect: answer(&name, [format!("<cluster IP of {service}>")]),
    }
}

fn look_up_alias(intent: &Intent, host: &str) -> Step {
    let name = intent.full_name(&intent.name);
    let mut expect = vec![format!("{name}   canonical name = {host}")];
    expect.extend(answer(host, [format!("<address of {host}>")]));
    Step {
        shows: "the alias, then the target's own addresses; NXDOMAIN here is the target's"
            .to_owned(),
        command: debug(&intent.namespace, &format!("nslookup {name}")),
        expect,
    }
}

/// A connection to the target, on the first of its ports.
fn reach(intent: &Intent) -> Option<Step> {
    let port = intent.ports.first()?;
    let name = intent.full_name(&intent.name);
    Some(Step {
        shows: format!(
            "port {} can be reached from a pod; a time-out here with a name that resolves is a firewall or a policy",
            port.number
        ),
        command: debug(&intent.namespace, &format!("nc -zv -w 5 {name} {}", port.number)),
        expect: vec![format!("{name} (<address>:{}) open", port.number)],
    })
}

fn certificate(intent: &Intent, host: &str) -> Option<Step> {
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
    })
}

fn come_back(intent: &Intent) -> Option<Step> {
    let pod = intent.pod_names().into_iter().next()?;
    let service = intent.peer_service()?;
    let Intent { name, namespace, .. } = intent;
    Some(Step {
        shows: format!(
            "`{pod}` comes back under its name with another address; look it up again: `{pod}.{}` has the new one",
            intent.full_name(&service)
        ),
        command: format!(
            "kubectl -n {namespace} delete pod {pod} && kubectl -n {namespace} rollout status statefulset/{name} --timeout=5m"
        ),
        expect: vec![format!("pod \"{pod}\" deleted"), rolled_out(intent, PodsKind::StatefulSet)],
    })
}

fn from_elsewhere(intent: &Intent) -> Option<Step> {
    let namespace = intent.client_namespaces.first()?;
    let service = intent.entry_service();
    let name = intent.full_name(&service);
    let short = format!("{service}.{}", intent.namespace);
    let (first, addresses) = match &intent.workload {
        Workload::Host(host) => (
            Some(format!("{name}   canonical name = {host}")),
            answer(host, [format!("<address of {host}>")]),
        ),
        _ if intent.client_service().is_some() => {
            (None, answer(&name, [format!("<cluster IP of {service}>")]))
        }
        Workload::Addresses { addresses, .. } => {
            (None, answer(&name, addresses.iter().map(ToString::to_string)))
        }
        Workload::Pods(_) => {
            (None, answer(&name, pods(intent).iter().map(|pod| format!("<IP of {pod}>"))))
        }
    };
    Some(Step {
        shows: format!(
            "the full name resolves from {namespace}, too; programs there may say `{short}`, which busybox's nslookup does not complete"
        ),
        command: debug(namespace, &format!("nslookup {name}")),
        expect: first.into_iter().chain(addresses).collect(),
    })
}

fn exposure(intent: &Intent) -> Option<Step> {
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
    Some(Step { shows, command, expect })
}
