//! NetworkPolicies.

use std::fmt::Display;

use ipnet::IpNet;
use k8s_openapi::api::networking::v1 as networking;
use k8s_openapi::apimachinery::pkg::apis::meta::v1 as meta;
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;
use k8s_openapi::serde::Deserialize as _;
use manifest::selector::LabelSelector;
use manifest::{Stored, StoredObject};

use super::Protocol;

/// A NetworkPolicy.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Policy {
    /// The pods of its namespace that it isolates.
    pub(crate) pods: LabelSelector,
    /// What may come in; `None` where it does not isolate in this direction.
    pub(crate) ingress: Option<Vec<PolicyRule>>,
    /// What may go out, likewise.
    pub(crate) egress: Option<Vec<PolicyRule>>,
}

/// What one rule lets pass.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct PolicyRule {
    /// From or to whom; anyone, where it is empty.
    pub(crate) peers: Vec<Peer>,
    /// On which ports; any of any protocol, where it is empty.
    pub(crate) ports: Vec<PolicyPort>,
}

/// Who is at the other end.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Peer {
    /// Addresses of a range, but for some.
    Block(IpNet, Vec<IpNet>),
    /// Pods.
    Pods {
        /// Of such namespaces; of the policy's own, where there is none.
        namespaces: Option<LabelSelector>,
        pods: LabelSelector,
    },
}

/// A port of the pod that is spoken to.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum PolicyPort {
    /// Every one.
    All(Protocol),
    /// From the first to the last.
    Range(Protocol, u16, u16),
    /// The one of this name.
    Named(Protocol, String),
}

impl Policy {
    /// A policy, and what of it cannot be understood: rules, which let nothing pass then. `None` of another kind.
    ///
    /// # Errors
    ///
    /// Why it cannot be told which pods it isolates.
    pub(super) fn read(object: &StoredObject) -> Result<Option<(Self, Vec<String>)>, String> {
        if object.kind != Stored::NetworkPolicy {
            return Ok(None);
        }
        let spec = object.content.get("spec").cloned().unwrap_or_default();
        let spec: Option<networking::NetworkPolicySpec> =
            Option::deserialize(spec).map_err(|error| format!("spec: {error}"))?;
        let networking::NetworkPolicySpec { egress, ingress, pod_selector, policy_types } =
            spec.unwrap_or_default();
        let types = policy_types.unwrap_or_default();
        let has = |name: &str| types.iter().any(|listed| listed == name);
        let isolates_in = types.is_empty() || has("Ingress");
        let isolates_out = has("Egress") || types.is_empty() && egress.is_some();
        let ingress = ingress.into_iter().flatten().map(|rule| (rule.from, rule.ports));
        let egress = egress.into_iter().flatten().map(|rule| (rule.to, rule.ports));
        let pods = selector("spec.podSelector", pod_selector.as_ref())?;
        let mut wrong = Vec::new();
        let policy = Self {
            pods,
            ingress: isolates_in.then(|| rules("spec.ingress", ingress, &mut wrong)),
            egress: isolates_out.then(|| rules("spec.egress", egress, &mut wrong)),
        };
        Ok(Some((policy, wrong)))
    }
}

/// Peers and ports of a rule as they are written.
type Written =
    (Option<Vec<networking::NetworkPolicyPeer>>, Option<Vec<networking::NetworkPolicyPort>>);

/// The rules that can be understood. Of the others it is told in `wrong`.
fn rules(
    field: &str,
    rules: impl Iterator<Item = Written>,
    wrong: &mut Vec<String>,
) -> Vec<PolicyRule> {
    let mut read = Vec::new();
    for (index, written) in rules.enumerate() {
        match rule(&format!("{field}[{index}]"), written) {
            Ok(rule) => read.push(rule),
            Err(error) => wrong.push(format!("{error}; this rule lets nothing pass")),
        }
    }
    read
}

fn rule(field: &str, (peers, ports): Written) -> Result<PolicyRule, String> {
    let peers = peers.unwrap_or_default().into_iter().map(|written| peer(field, written));
    let ports = ports.unwrap_or_default().into_iter().map(|written| port(field, written));
    Ok(PolicyRule {
        peers: peers.collect::<Result<_, String>>()?,
        ports: ports.collect::<Result<_, String>>()?,
    })
}

fn peer(field: &str, peer: networking::NetworkPolicyPeer) -> Result<Peer, String> {
    let networking::NetworkPolicyPeer { ip_block, namespace_selector, pod_selector } = peer;
    if let Some(networking::IPBlock { cidr, except }) = ip_block {
        let except = except.iter().flatten().map(|range| parsed(field, range));
        return Ok(Peer::Block(parsed(field, &cidr)?, except.collect::<Result<_, _>>()?));
    }
    let namespaces = namespace_selector.as_ref();
    Ok(Peer::Pods {
        namespaces: namespaces.map(|namespaces| selector(field, Some(namespaces))).transpose()?,
        pods: selector(field, pod_selector.as_ref())?,
    })
}

fn port(field: &str, port: networking::NetworkPolicyPort) -> Result<PolicyPort, String> {
    let networking::NetworkPolicyPort { end_port, port, protocol } = port;
    let number = |number: i32| {
        let port = u16::try_from(number).ok().filter(|port| *port > 0);
        port.ok_or_else(|| format!("{field}: {number} is no port"))
    };
    let protocol = Protocol::parse(protocol.as_deref())
        .ok_or_else(|| format!("{field}: {} is no protocol", protocol.unwrap_or_default()))?;
    Ok(match port {
        None => PolicyPort::All(protocol),
        Some(IntOrString::Int(first)) => {
            let (first, last) = (number(first)?, number(end_port.unwrap_or(first))?);
            if last < first {
                return Err(format!("{field}: ports end at {last}, before they begin at {first}"));
            }
            PolicyPort::Range(protocol, first, last)
        }
        Some(IntOrString::String(name)) => PolicyPort::Named(protocol, name),
    })
}

/// A selector that is left out selects everything.
fn selector(field: &str, selector: Option<&meta::LabelSelector>) -> Result<LabelSelector, String> {
    let read = selector.map(LabelSelector::from_object).transpose();
    read.map(|read| read.unwrap_or_else(LabelSelector::everything))
        .map_err(|error| wrong(field, error))
}

fn parsed(field: &str, range: &str) -> Result<IpNet, String> {
    range
        .parse::<IpNet>()
        .map(|range| range.trunc())
        .map_err(|error| wrong(field, format!("{range}: {error}")))
}

fn wrong(field: &str, error: impl Display) -> String {
    format!("{field}: {error}")
}
