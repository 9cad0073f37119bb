//! The listeners of Gateways: which are open, and what is to be said of them.

use std::collections::BTreeMap;
use std::sync::Arc;

use manifest::gateway::{
    CertificateReference, GROUP, Gateway, Listener, RouteGroupKind, RouteNamespaces,
};
use manifest::selector::LabelSelector;
use tokio_rustls::rustls::sign::CertifiedKey;

use super::grant::is_granted;
use super::host::HostPattern;
use super::table::{Route, Site};
use super::{GatewayReport, ListenerReport, Place, Plan, Said, age};
use crate::CONTROLLER;
use crate::objects::{Name, Objects};

/// A listener of a Gateway that is ours.
#[derive(Debug)]
pub(super) struct Opened {
    pub(super) name: String,
    pub(super) port: u16,
    pub(super) host: HostPattern,
    /// Whose routes it takes.
    pub(super) namespaces: RouteNamespaces,
    /// The kinds of routes that it takes: HTTPRoute, or nothing.
    pub(super) kinds: Vec<RouteGroupKind>,
    pub(super) routes: Vec<Route>,
    pub(super) attached: i32,
    certificates: Option<Vec<Arc<CertifiedKey>>>,
    conditions: Vec<Said>,
}

impl Opened {
    /// Whether nothing speaks against it.
    pub(super) fn is_accepted(&self) -> bool {
        self.holds("Accepted")
    }

    fn holds(&self, kind: &str) -> bool {
        self.conditions.iter().all(|said| said.kind != kind || said.holds)
    }

    /// Whether it takes routes of this namespace.
    pub(super) fn allows(&self, objects: &Objects, gateway: &Name, namespace: &str) -> bool {
        if self.kinds.is_empty() {
            return false;
        }
        match self.namespaces.from.as_deref().unwrap_or("Same") {
            "All" => true,
            "Same" => gateway.0 == namespace,
            "Selector" => {
                let selector = self.namespaces.selector.as_ref().map(LabelSelector::from_object);
                let labels = objects.namespaces.get(namespace);
                selector
                    .and_then(Result::ok)
                    .zip(labels)
                    .is_some_and(|(selector, labels)| selector.matches(labels))
            }
            _ => false,
        }
    }
}

/// A Gateway that is ours, with its listeners.
#[derive(Debug)]
pub(super) struct Opening {
    pub(super) listeners: Vec<Opened>,
    /// Why nothing of it is served.
    refused: Option<Said>,
}

/// Opens the listeners of all Gateways of our classes. Where two want a port for different protocols, the older has it,
/// and Ingresses before all.
pub(super) fn open(objects: &Objects, place: &Place, plan: &mut Plan) -> BTreeMap<Name, Opening> {
    let is_ours = |gateway: &Gateway| {
        let class = objects.gateway_classes.get(&gateway.spec.gateway_class_name);
        class.is_some_and(|class| class.spec.controller_name == CONTROLLER)
    };
    let mut gateways: Vec<_> =
        objects.gateways.iter().filter(|(_, gateway)| is_ours(gateway)).collect();
    gateways.sort_by_key(|(name, gateway)| (age(&gateway.metadata), *name));
    let (http, https) = place.ingress_ports;
    let mut protocols =
        BTreeMap::from([(http, ("HTTP".to_owned(), None)), (https, ("HTTPS".to_owned(), None))]);
    let mut opened = BTreeMap::new();
    for (name, gateway) in gateways {
        let own = place.address.to_string();
        let others = gateway.spec.addresses.iter().filter(|address| {
            !address.value.is_empty()
                && (address.value != own || address.type_.as_deref() == Some("Hostname"))
        });
        let refused = others.map(|address| address.value.as_str()).next().map(|value| {
            let message = format!("the gateway listens at {own} alone, and cannot at {value}");
            Said::no("Accepted", "UnsupportedAddress", message)
        });
        let listeners = gateway.spec.listeners.iter().map(|listener| {
            let number = u16::try_from(listener.port).unwrap_or_default();
            let of = (listener.protocol.clone(), Some(name.clone()));
            let (protocol, by) = protocols.entry(number).or_insert(of).clone();
            let conflict = (protocol != listener.protocol).then(|| {
                let by = by.map_or("Ingresses".to_owned(), |(namespace, name)| {
                    format!("Gateway {namespace}/{name}")
                });
                format!("port {number} is taken for {protocol} by {by}")
            });
            open_one(objects, name, listener, number, conflict, plan)
        });
        opened.insert(name.clone(), Opening { listeners: listeners.collect(), refused });
    }
    opened
}

fn open_one(
    objects: &Objects,
    gateway: &Name,
    listener: &Listener,
    port: u16,
    conflict: Option<String>,
    plan: &mut Plan,
) -> Opened {
    let is_http = listener.protocol == "HTTP";
    let accepted = if !is_http && listener.protocol != "HTTPS" {
        let message =
            format!("protocol {} is not served here: HTTP and HTTPS are", listener.protocol);
        Said::no("Accepted", "UnsupportedProtocol", message)
    } else if let Some(conflict) = &conflict {
        Said::no("Accepted", "PortUnavailable", conflict.as_str())
    } else {
        Said::yes("Accepted", "Accepted", "")
    };
    let conflicted = match conflict {
        Some(message) => Said::yes("Conflicted", "ProtocolConflict", message),
        None => Said::no("Conflicted", "NoConflicts", ""),
    };
    let routes = listener.allowed_routes.clone().unwrap_or_default();
    let route = RouteGroupKind { group: Some(GROUP.to_owned()), kind: "HTTPRoute".to_owned() };
    let is_route = |kind: &RouteGroupKind| {
        kind.kind == "HTTPRoute" && kind.group.as_deref().unwrap_or(GROUP) == GROUP
    };
    let kinds = if routes.kinds.is_empty() || routes.kinds.iter().any(is_route) {
        vec![route]
    } else {
        Vec::new()
    };
    let mut resolved = match routes.kinds.iter().find(|kind| !is_route(kind)) {
        Some(kind) => {
            let message = format!("routes of kind {} are not served here: HTTPRoute is", kind.kind);
            Said::no("ResolvedRefs", "InvalidRouteKinds", message)
        }
        None => Said::yes("ResolvedRefs", "ResolvedRefs", ""),
    };
    let certificates = (!is_http).then(|| {
        let references =
            listener.tls.as_ref().map(|tls| tls.certificate_refs.as_slice()).unwrap_or_default();
        let mut found = Vec::new();
        if references.is_empty() {
            resolved = Said::no(
                "ResolvedRefs",
                "InvalidCertificateRef",
                "tls.certificateRefs names no Secret",
            );
        }
        for reference in references {
            match certificate(objects, gateway, reference, plan) {
                Ok(certificate) => found.push(certificate),
                Err(said) => resolved = said,
            }
        }
        found
    });
    Opened {
        name: listener.name.clone(),
        port,
        host: HostPattern::of_gateway(listener.hostname.as_deref()),
        namespaces: routes.namespaces.unwrap_or_default(),
        kinds,
        routes: Vec::new(),
        attached: 0,
        certificates,
        conditions: vec![accepted, conflicted, resolved],
    }
}

fn certificate(
    objects: &Objects,
    gateway: &Name,
    reference: &CertificateReference,
    plan: &mut Plan,
) -> Result<Arc<CertifiedKey>, Said> {
    let CertificateReference { group, kind, name, namespace } = reference;
    let invalid = |message: String| Said::no("ResolvedRefs", "InvalidCertificateRef", message);
    let kind = kind.as_deref().unwrap_or("Secret");
    if kind != "Secret" || group.as_deref().is_some_and(|group| !group.is_empty()) {
        return Err(invalid(format!("{kind} {name} is no Secret")));
    }
    let namespace =
        namespace.as_deref().filter(|namespace| !namespace.is_empty()).unwrap_or(&gateway.0);
    if !is_granted(objects, ("Gateway", &gateway.0), ("Secret", namespace, name)) {
        let message = format!(
            "no ReferenceGrant in namespace {namespace} lets Gateways of namespace {} refer to Secret {name}",
            gateway.0
        );
        return Err(Said::no("ResolvedRefs", "RefNotPermitted", message));
    }
    let secret = (namespace.to_owned(), name.clone());
    plan.secrets.insert(secret.clone());
    match objects.certificates.get(&secret) {
        Some(Ok(certificate)) => Ok(certificate.clone()),
        Some(Err(why)) => Err(invalid(format!("Secret {namespace}/{name}: {why}"))),
        None => Err(invalid(format!("there is no Secret {name} in namespace {namespace}"))),
    }
}

/// Puts what the listeners have into the table, and says what became of them.
pub(super) fn report(opened: BTreeMap<Name, Opening>, place: &Place, plan: &mut Plan) {
    for (gateway, Opening { listeners, refused }) in opened {
        let mut reports = Vec::new();
        for mut listener in listeners {
            let lacks_certificate = listener.certificates.as_ref().is_some_and(Vec::is_empty);
            let bound = place.bound.get(&listener.port);
            let is_open = refused.is_none() && listener.is_accepted() && !lacks_certificate;
            let programmed = match (is_open, bound) {
                (false, _) if refused.is_some() => {
                    Said::no("Programmed", "Invalid", "the Gateway is not accepted")
                }
                (false, _) => Said::no("Programmed", "Invalid", "see the other conditions"),
                (true, Some(Ok(()))) => Said::yes("Programmed", "Programmed", ""),
                (true, Some(Err(why))) => {
                    let (address, port) = (place.address, listener.port);
                    let message = format!("cannot listen at {address} port {port}: {why}");
                    Said::no("Programmed", "Invalid", message)
                }
                (true, None) => Said::no("Programmed", "Pending", "not yet"),
            };
            if is_open {
                let port = plan.table.ports.entry(listener.port).or_default();
                if let Some(certificates) = listener.certificates.take() {
                    let shown = port.certificates.get_or_insert_default();
                    shown.extend(certificates.into_iter().map(|key| (listener.host.clone(), key)));
                }
                let routes = std::mem::take(&mut listener.routes);
                match port.sites.iter_mut().find(|site| site.host == listener.host) {
                    Some(site) => site.routes.extend(routes),
                    None => port.sites.push(Site { host: listener.host.clone(), routes }),
                }
            }
            let Opened { name, kinds, attached, mut conditions, .. } = listener;
            conditions.push(programmed);
            reports.push(ListenerReport { name, kinds, attached, conditions });
        }
        let conditions = overall(&reports, refused);
        let is_reached = conditions.iter().any(|said| said.kind == "Programmed" && said.holds);
        plan.gateways.push(GatewayReport {
            name: gateway,
            is_reached,
            conditions,
            listeners: reports,
        });
    }
}

/// What the listeners come to: a Gateway is accepted and programmed if any of them is.
fn overall(listeners: &[ListenerReport], refused: Option<Said>) -> Vec<Said> {
    let counts = |kind: &str| {
        let holds = |report: &&ListenerReport| {
            report.conditions.iter().any(|said| said.kind == kind && said.holds)
        };
        listeners.iter().filter(holds).count()
    };
    let is_valid = |report: &&ListenerReport| {
        report.conditions.iter().all(|said| said.holds != (said.kind == "Conflicted"))
    };
    let invalid: Vec<&str> = listeners
        .iter()
        .filter(|report| !is_valid(report))
        .map(|report| report.name.as_str())
        .collect();
    let told = || format!("listeners that are not as they should be: {}", invalid.join(", "));
    let accepted = match refused {
        Some(refused) => refused,
        None if counts("Accepted") == 0 => Said::no("Accepted", "ListenersNotValid", told()),
        None if !invalid.is_empty() => Said::yes("Accepted", "ListenersNotValid", told()),
        None => Said::yes("Accepted", "Accepted", ""),
    };
    let programmed = match (accepted.holds, counts("Programmed")) {
        (true, 1..) => Said::yes("Programmed", "Programmed", ""),
        (true, 0) => Said::no("Programmed", "Invalid", told()),
        (false, _) => Said::no("Programmed", "Invalid", "the Gateway is not accepted"),
    };
    vec![accepted, programmed]
}
