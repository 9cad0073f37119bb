use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use k8s_openapi::api::core::v1::Endpoints;
use k8s_openapi::api::rbac::v1::{PolicyRule, RoleRef, Subject as Bound};
use manifest::read::Level;
use manifest::{KindId, Stored};
use serde::Deserialize;
use serde_json::Value;

use super::hc038_endpoints_stray::strays;
use crate::lint::by_hand::{SlicePort, slice_yaml};
use crate::lint::{Findings, Item, Objects, Rule, Version};

/// The first that warns about Endpoints.
const SINCE: Version = Version { major: 1, minor: 33 };
/// What a role that lacks it needs.
const ADDED: &str =
    "{apiGroups: [discovery.k8s.io], resources: [endpointslices], verbs: [get, list, watch]}";
/// The most addresses that are shown as a slice.
const SHOWN_MAX: usize = 8;

pub(super) const RULE: Rule = Rule {
    code: "HC041",
    level: Level::Note,
    title: "v1 Endpoints are used, or may be read, where EndpointSlices are due",
    explanation: "\
The Endpoints API is deprecated since Kubernetes 1.33: it still works, and the API answers with a warning. Endpoints know one address
family and at most 1,000 addresses of what controllers write, and have no conditions besides ready. Clients move to EndpointSlices; a role
that lets a client watch `endpoints` and not `endpointslices` makes the newer version of that client fail with 403 Forbidden.",
    remedy: "\
Write an EndpointSlice labelled `kubernetes.io/service-name`, and delete the Endpoints, or their copy will list the same addresses a
second time. In roles add the resource `endpointslices` of the group `discovery.k8s.io` with the same verbs.",
    sources: &["KEP-4974 (Deprecate v1.Endpoints)", "Kubernetes API, core/v1 Endpoints"],
    check,
};

fn check(objects: &Objects, findings: &mut Findings<'_>) {
    if objects.options.kubernetes < SINCE {
        return;
    }
    let strays: BTreeSet<_> = strays(objects).map(|item| &item.reference).collect();
    for endpoints in objects.endpoints.iter().filter(|item| item.is_by_hand()) {
        // Those that nobody takes have a worse fault.
        if strays.contains(&endpoints.reference) {
            continue;
        }
        let name = &endpoints.reference.name;
        let finding = findings.add(
            endpoints.subject(),
            endpoints.label("kind", "deprecated since 1.33"),
            format!("Endpoints {name} are of an API that is deprecated since Kubernetes {SINCE}"),
        );
        finding.help(match slice(endpoints) {
            Some(slice) => format!(
                "write an EndpointSlice instead, and delete the Endpoints: \
                {slice}"
            ),
            None => format!(
                "write EndpointSlices labelled kubernetes.io/service-name: {name} \
                instead, one for each family and list of ports, and delete the Endpoints"
            ),
        });
    }
    roles(objects, findings);
}

/// The same as a slice, where one will do and is short.
fn slice(endpoints: &Item<Endpoints>) -> Option<String> {
    let [subset] = endpoints.object.subsets.as_deref()? else { return None };
    let ready = subset.addresses.as_deref()?;
    let addresses: Vec<IpAddr> =
        ready.iter().filter_map(|address| address.ip.parse().ok()).collect();
    let is_same = |address: &IpAddr| address.is_ipv4() == addresses[0].is_ipv4();
    let is_plain =
        ready.iter().all(|address| address.hostname.is_none() && address.target_ref.is_none());
    let fits =
        !addresses.is_empty() && addresses.len() == ready.len() && addresses.len() <= SHOWN_MAX;
    if !fits || !is_plain || !addresses.iter().all(is_same) || subset.not_ready_addresses.is_some()
    {
        return None;
    }
    let ports = subset.ports.iter().flatten().map(|port| SlicePort {
        name: port.name.clone().unwrap_or_default(),
        protocol: port.protocol.clone().unwrap_or_else(|| "TCP".to_owned()),
        number: Some(port.port),
    });
    let ports: Vec<SlicePort> = ports.collect();
    let of = &endpoints.reference;
    Some(slice_yaml(&endpoints.document, &of.name, &ports, &addresses))
}

/// A Role or ClusterRole, as far as it is looked at.
#[derive(Deserialize)]
struct Role {
    rules: Option<Vec<PolicyRule>>,
}

/// A RoleBinding or ClusterRoleBinding.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Binding {
    role_ref: RoleRef,
    subjects: Option<Vec<Bound>>,
}

fn roles(objects: &Objects, findings: &mut Findings<'_>) {
    let of_kind = |kinds: [Stored; 2]| {
        let all = objects.all.iter();
        all.filter(move |item| kinds.map(KindId::Stored).contains(&item.document.kind.id))
    };
    let roles = of_kind([Stored::Role, Stored::ClusterRole])
        .filter_map(|item| Some((item, Role::deserialize(&item.object).ok()?.rules?)));
    let roles: Vec<(&Item<Value>, Vec<PolicyRule>)> = roles.collect();
    let mut holders: BTreeMap<RoleKey, BTreeSet<Holder>> = BTreeMap::new();
    for item in of_kind([Stored::RoleBinding, Stored::ClusterRoleBinding]) {
        if let Ok(binding) = Binding::deserialize(&item.object) {
            let (role, given) = bound(binding, &item.reference.namespace);
            holders.entry(role).or_default().extend(given);
        }
    }
    let holders_of = |item: &Item<Value>| {
        let of = &item.reference;
        holders.get(&(of.kind.to_owned(), of.namespace.clone(), of.name.clone()))
    };
    // Who has a role may have another one, which gives what this one lacks.
    let with_slices = roles.iter().filter(|(_, rules)| rules.iter().any(reads_slices));
    let with_slices: BTreeSet<&Holder> =
        with_slices.filter_map(|(item, _)| holders_of(item)).flatten().collect();
    for (item, rules) in &roles {
        let Some((rule, resource)) = watches_endpoints(rules) else { continue };
        let mut given = holders_of(item).into_iter().flatten();
        if rules.iter().any(reads_slices) || given.any(|holder| with_slices.contains(holder)) {
            continue;
        }
        let (kind, name) = (item.reference.kind, &item.reference.name);
        let field = format!("rules[{rule}].resources[{resource}]");
        findings
            .add(
                item.subject(),
                item.label(&field, "without endpointslices"),
                format!("{kind} {name} lets its holders watch endpoints, and not endpointslices"),
            )
            .help("clients that have moved to EndpointSlices get 403 Forbidden")
            .help(format!("add a rule to it: {ADDED}"));
    }
}

/// A role by kind, namespace and name.
type RoleKey = (String, String, String);
/// Who is given a role: kind, namespace and name.
type Holder = (String, String, String);

fn bound(binding: Binding, namespace: &str) -> (RoleKey, Vec<Holder>) {
    let RoleRef { kind, name, .. } = binding.role_ref;
    let of = if kind == "Role" { namespace.to_owned() } else { String::new() };
    let subjects = binding.subjects.into_iter().flatten();
    let holders = subjects.map(|Bound { kind, name, namespace: of, .. }| {
        (kind, of.unwrap_or_else(|| namespace.to_owned()), name)
    });
    ((kind, of, name), holders.collect())
}

/// Where a role gives what is needed to follow Endpoints, and no more than that: who writes them uses them as a lock or keeps
/// them himself.
fn watches_endpoints(rules: &[PolicyRule]) -> Option<(usize, usize)> {
    let named = |rule: &PolicyRule| {
        let resources = rule.resources.iter().flatten();
        let at = resources.into_iter().position(|resource| resource == "endpoints")?;
        has(rule.api_groups.as_deref(), "").then_some(at)
    };
    let writes = |rule: &PolicyRule| {
        ["create", "update", "patch", "delete", "*"]
            .iter()
            .any(|verb| rule.verbs.iter().any(|is| is == verb))
    };
    if rules.iter().any(|rule| named(rule).is_some() && writes(rule)) {
        return None;
    }
    rules.iter().enumerate().find_map(|(at, rule)| {
        let verbs = ["list", "watch"];
        let follows = verbs.iter().all(|verb| rule.verbs.iter().any(|is| is == verb));
        (follows && rule.resource_names.is_none()).then(|| Some((at, named(rule)?)))?
    })
}

fn reads_slices(rule: &PolicyRule) -> bool {
    has(rule.api_groups.as_deref(), "discovery.k8s.io")
        && has(rule.resources.as_deref(), "endpointslices")
}

fn has(list: Option<&[String]>, wanted: &str) -> bool {
    list.unwrap_or_default().iter().any(|is| is == wanted || is == "*")
}
