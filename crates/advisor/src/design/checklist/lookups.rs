//! Names, asked from a pod and from the machine that `headcount up` runs on.

use std::net::IpAddr;

use super::{Local, Step, per_pod, pods};
use crate::design::choice::count;
use crate::design::intent::{Intent, Workload};

pub(super) fn debug(namespace: &str, command: &str) -> String {
    format!(
        "kubectl -n {namespace} run dns-check --image=busybox:1.36 --rm -it --restart=Never -- {command}"
    )
}

/// What busybox's nslookup prints of a name's addresses, after the lines about its server.
fn answer(name: &str, addresses: impl IntoIterator<Item = String>) -> Vec<String> {
    let addresses: Vec<String> = addresses.into_iter().collect();
    per_pod(&addresses, |address| vec![format!("Name:   {name}"), format!("Address: {address}")])
}

/// The same from the machine of `headcount up`, at the address where its DNS listens unless it was told another.
fn local(query: &str, expect: Vec<String>) -> Option<Local> {
    Some(Local { command: format!("dig @127.0.0.1 -p 1053 +short {query}"), expect })
}

/// The addresses of a name: A unless some are of IPv6, each on its line.
fn local_addresses(name: &str, addresses: &[String]) -> Option<Local> {
    // What is not known yet stands in angle brackets, and is of the family that a cluster has first.
    let is_v6 = |address: &String| address.parse().is_ok_and(|address: IpAddr| address.is_ipv6());
    let v6 = addresses.iter().filter(|address| is_v6(address)).count();
    let query = match v6 {
        0 => name.to_owned(),
        all if all == addresses.len() => format!("{name} AAAA"),
        _ => format!("{name} A {name} AAAA"),
    };
    local(&query, per_pod(addresses, |address| vec![address.to_owned()]))
}

pub(super) fn look_up_all(intent: &Intent, service: &str) -> Step {
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
        local: local_addresses(&name, &addresses),
        expect: answer(&name, addresses),
    }
}

pub(super) fn look_up_one(intent: &Intent, service: &str) -> Option<Step> {
    let pod = intent.pod_names().pop()?;
    let name = format!("{pod}.{}", intent.full_name(service));
    Some(Step {
        shows: "a pod by its name: one address, its own".to_owned(),
        command: debug(&intent.namespace, &format!("nslookup {name}")),
        local: local_addresses(&name, &[format!("<IP of {pod}>")]),
        expect: answer(&name, [format!("<IP of {pod}>")]),
    })
}

pub(super) fn look_up_ports(intent: &Intent, service: &str) -> Option<Step> {
    let port = intent.listened().find(|port| port.for_peers).or(intent.ports.first())?;
    let name = format!("{}.{}", port.srv_labels(), intent.full_name(service));
    let pods = intent.pod_names();
    let weight = (100 / pods.len().max(1)).max(1);
    let service = intent.full_name(service);
    let data = match pods.is_empty() {
        true => vec![format!("0 <weight> {} <dashed IP of a pod>.{service}", port.target)],
        false => per_pod(&pods, |pod| vec![format!("0 {weight} {} {pod}.{service}", port.target)]),
    };
    // What stands between the first pods and the last is no record.
    let each = |line: &dyn Fn(&str) -> String| -> Vec<String> {
        let is_record = |data: &&String| data.starts_with("0 ");
        data.iter().map(|it| if is_record(&it) { line(it) } else { it.clone() }).collect()
    };
    Some(Step {
        shows: format!(
            "SRV gives the port {} with each name: {} is the port that pods listen on",
            port.name, port.target
        ),
        command: debug(&intent.namespace, &format!("nslookup -type=srv {name}")),
        expect: each(&|data| format!("{name}   service = {data}")),
        local: local(&format!("{name} SRV"), each(&|data| format!("{data}."))),
    })
}

pub(super) fn look_up_virtual(intent: &Intent, service: &str) -> Step {
    let name = intent.full_name(service);
    // A Service in front of addresses of IPv6 alone has one of that family.
    let query = match &intent.workload {
        Workload::Addresses { addresses, .. } if addresses.iter().all(IpAddr::is_ipv6) => {
            format!("{name} AAAA")
        }
        Workload::Addresses { .. } | Workload::Pods(_) | Workload::Host(_) => name.clone(),
    };
    Step {
        shows: format!(
            "`{service}` answers with its one address, that of kubectl get service; it does so even with no pod behind it"
        ),
        command: debug(&intent.namespace, &format!("nslookup {name}")),
        local: local(&query, vec![format!("<cluster IP of {service}>")]),
        expect: answer(&name, [format!("<cluster IP of {service}>")]),
    }
}

pub(super) fn look_up_alias(intent: &Intent, host: &str) -> Step {
    let name = intent.full_name(&intent.name);
    let mut expect = vec![format!("{name}   canonical name = {host}")];
    expect.extend(answer(host, [format!("<address of {host}>")]));
    Step {
        shows: "the alias, then the target's own addresses; NXDOMAIN here is the target's"
            .to_owned(),
        command: debug(&intent.namespace, &format!("nslookup {name}")),
        expect,
        local: local(&format!("{name} CNAME"), vec![format!("{host}.")]),
    }
}

pub(super) fn from_elsewhere(intent: &Intent) -> Option<Step> {
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
        // DNS does not see from which namespace it is asked.
        local: None,
    })
}
