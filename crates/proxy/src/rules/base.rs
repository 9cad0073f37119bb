//! The chains that packets come by: which come first, and what is the same for all Services and policies.
//!
//! A pod's packet comes by prerouting, then by forward, or by input where it is for the nodes. What this process sends comes by
//! output. Services are refused and resolved before routing; policies judge after that, by pods' own addresses.

use manifest::IpFamily;

use super::policies::{EGRESS, INGRESS, SELF};
use super::services::{
    CLUSTER_IPS, HAIRPIN, NO_ENDPOINT_IPS, NO_ENDPOINT_NODE_PORTS, NODE_IPS, OUTER_IPS, listed,
};
use super::table::{Table, Words};
use crate::config::{Config, of_family};

/// Adds them to a table that has all the sets.
pub(super) fn add(config: &Config, family: IpFamily, table: &mut Table) {
    let words = Words::of(family);
    let ip = words.ip;
    let inside = listed(&config.inside(family)).unwrap_or_default();
    let key = "meta l4proto . th dport";

    // Refused before anything else may take them. The kernel sends few errors of ICMP a second, and resets without bound.
    let resets = "reject with tcp reset";
    for (protocol, refuse) in [("meta l4proto tcp ", resets), ("", "reject")] {
        let set = format!("{protocol}{ip} daddr . {key} @{NO_ENDPOINT_IPS} {refuse}");
        table.rule("no-endpoints", set);
        let set =
            format!("{protocol}{ip} daddr @{NODE_IPS} {key} @{NO_ENDPOINT_NODE_PORTS} {refuse}");
        table.rule("no-endpoints", set);
    }
    let refuse = vec!["ct state new jump no-endpoints".to_owned()];
    table.base(
        "no-endpoints-prerouting",
        "type filter hook prerouting priority -120;",
        refuse.clone(),
    );
    table.base("no-endpoints-output", "type filter hook output priority -120;", refuse);

    // What pods send outside is judged by the address that they dial, which is lost when it is taken.
    let not_outside = [
        "iifname \"lo\" accept".to_owned(),
        "ct state != new accept".to_owned(),
        format!("{ip} daddr {inside} accept"),
        format!("{ip} daddr @{NODE_IPS} accept"),
        format!("{ip} daddr . {key} @{OUTER_IPS} accept"),
    ];
    let mut judge = not_outside.to_vec();
    judge.push(format!("{ip} saddr vmap @{EGRESS}"));
    table.base("outside-egress", "type filter hook prerouting priority -115;", judge);
    let egress = config.egress(family);
    let mut reject = not_outside.to_vec();
    reject.extend(egress.map(|_| "meta l4proto tcp accept".to_owned()));
    reject.push(prohibited(words));
    table.base("outside", "type filter hook prerouting priority -110;", reject);

    // Anyone may send by any address of version 6 (IPV6_FREEBIND), and no setting is against it: by another pod's, or by one of the link, one would
    // be judged by other policies than one's own.
    let kinds = "nd-router-solicit, nd-router-advert, nd-neighbor-solicit, nd-neighbor-advert";
    let neighbours = format!("icmpv6 type {{ {kinds} }} accept");
    if family == IpFamily::V6 {
        let forged = vec![
            "iifname \"lo\" accept".to_owned(),
            neighbours.clone(),
            "ip6 saddr fe80::/10 drop".to_owned(),
            "fib saddr . iif oif missing drop".to_owned(),
        ];
        table.base("forged", "type filter hook prerouting priority -300;", forged);
    }

    let services = "jump services".to_owned();
    let mut prerouting = vec![services.clone()];
    prerouting.extend(egress.map(|egress| {
        format!(
            "iifname != \"lo\" {ip} daddr != {inside} {ip} daddr != @{NODE_IPS} meta l4proto tcp dnat to {egress}"
        )
    }));
    table.base("nat-prerouting", "type nat hook prerouting priority -100;", prerouting);
    // What the nodes send outside themselves (pods in their network, people's programs) comes this way.
    let mut output = vec![services];
    output.extend(egress.map(|egress| {
        format!(
            "{ip} daddr != {inside} {ip} daddr != @{NODE_IPS} meta l4proto tcp dnat to {egress}"
        )
    }));
    table.base("nat-output", "type nat hook output priority -100;", output);
    // A pod that reaches itself by its Service must not see its own address, or it would answer itself past the rules. What this
    // process sends to a Service has that Service's address, which is no address to answer to.
    let postrouting = vec![
        "oifname \"lo\" accept".to_owned(),
        format!("ct status dnat {ip} saddr . {ip} daddr @{HAIRPIN} masquerade"),
        "ct status dnat fib saddr type local masquerade".to_owned(),
    ];
    table.base("nat-postrouting", "type nat hook postrouting priority 100;", postrouting);

    // A verdict ends one base chain alone, so each direction has its own.
    let mut known = vec!["ct state established,related accept".to_owned()];
    if family == IpFamily::V6 {
        known.push(neighbours);
    }
    known.push(format!("{ip} saddr . {ip} daddr @{SELF} accept"));
    let taken =
        egress.map(|egress| format!("{ip} daddr {} tcp dport {}", egress.ip(), egress.port()));
    let mut before_input = vec!["iifname \"lo\" accept".to_owned()];
    before_input.extend(taken.iter().map(|taken| format!("ct status dnat {taken} accept")));
    let (out, into) = (format!("{ip} saddr vmap @{EGRESS}"), format!("{ip} daddr vmap @{INGRESS}"));
    for (name, priority, judge) in [("egress", 0, out), ("ingress", 10, into)] {
        let forward = known.iter().chain([&judge]).cloned().collect();
        let hook = format!("type filter hook forward priority {priority};");
        table.base(&format!("{name}-forward"), &hook, forward);
        let input = before_input.iter().chain(&known).chain([&judge]).cloned().collect();
        let hook = format!("type filter hook input priority {priority};");
        table.base(&format!("{name}-input"), &hook, input);
    }

    // Services' addresses are local; what no Service has is refused all the same, and who listens for the outside is not to be dialled.
    let mut local = vec!["ct state != new accept".to_owned()];
    local.extend(taken.map(|taken| format!("ct status & dnat == 0 {taken} drop")));
    for served in config.served.iter().filter(|served| IpFamily::of(served.ip()) == family) {
        local.push(format!("{ip} daddr {} tcp dport {} accept", served.ip(), served.port()));
    }
    local.push(format!("meta l4proto tcp {ip} daddr @{CLUSTER_IPS} {resets}"));
    local.push(format!("{ip} daddr @{CLUSTER_IPS} reject"));
    if let Some(ranges) = listed(&of_family(config.service_ranges.iter().copied(), family)) {
        local.push(format!("{ip} daddr {ranges} drop"));
    }
    table.base("local-input", "type filter hook input priority 20;", local);
}

/// Refuses what cannot get outside, in a way that shows at once why.
pub(super) fn prohibited(Words { icmp, .. }: Words) -> String {
    format!("reject with {icmp} type admin-prohibited")
}
