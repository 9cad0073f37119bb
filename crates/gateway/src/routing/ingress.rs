//! The rules of Ingresses.

use std::sync::Arc;

use k8s_openapi::api::networking::v1::{Ingress, IngressBackend, IngressClass};

use super::backend::{At, Backend, Missing, PortName, resolve};
use super::condition::{Condition, PathMatch};
use super::filter::Filters;
use super::host::HostPattern;
use super::table::{Action, Forward, Order, Port, Route, Share};
use super::{Plan, age};
use crate::CONTROLLER;
use crate::objects::{Name, Objects};

/// What marks a class as that of Ingresses that name none.
pub(crate) const IS_DEFAULT: &str = "ingressclass.kubernetes.io/is-default-class";

/// How classes were named before there was a field.
const OLD_CLASS: &str = "kubernetes.io/ingress.class";

/// Whether an Ingress is for this controller: its class is, or it names none and no other class is the default.
pub(crate) fn is_ours(objects: &Objects, ingress: &Ingress) -> bool {
    let names_us = |class: &IngressClass| {
        class.spec.as_ref().and_then(|spec| spec.controller.as_deref()) == Some(CONTROLLER)
    };
    let named = ingress.spec.as_ref().and_then(|spec| spec.ingress_class_name.as_deref());
    let annotated = ingress.metadata.annotations.as_ref().and_then(|all| all.get(OLD_CLASS));
    match named.or(annotated.map(String::as_str)) {
        Some(name) => objects.ingress_classes.get(name).is_some_and(names_us),
        None => {
            let is_default = |class: &&IngressClass| {
                let annotations = class.metadata.annotations.as_ref();
                annotations.and_then(|all| all.get(IS_DEFAULT)).is_some_and(|value| value == "true")
            };
            let mut defaults = objects.ingress_classes.values().filter(is_default).peekable();
            defaults.peek().is_none() || defaults.any(names_us)
        }
    }
}

/// Adds the rules of all Ingresses that are ours, and tells which those are.
pub(crate) fn plan(objects: &Objects, (http, https): (u16, u16), plan: &mut Plan) {
    let ours = objects.ingresses.iter().filter(|(_, ingress)| is_ours(objects, ingress));
    for (name, ingress) in ours {
        plan.ingresses.push(name.clone());
        let has_tls = encrypt(objects, name, ingress, https, plan);
        for port in [Some(http), has_tls.then_some(https)].into_iter().flatten() {
            let port = plan.table.ports.entry(port).or_default();
            add(objects, name, ingress, port);
        }
    }
}

/// Shows the certificates of an Ingress's hosts. Whether it asks for any.
fn encrypt(objects: &Objects, name: &Name, ingress: &Ingress, https: u16, plan: &mut Plan) -> bool {
    let sections = ingress.spec.as_ref().and_then(|spec| spec.tls.as_deref()).unwrap_or_default();
    if sections.is_empty() {
        return false;
    }
    let port = plan.table.ports.entry(https).or_default();
    let shown = port.certificates.get_or_insert_default();
    for section in sections {
        let Some(secret) = &section.secret_name else { continue };
        let secret = (name.0.clone(), secret.clone());
        plan.secrets.insert(secret.clone());
        let Some(Ok(key)) = objects.certificates.get(&secret) else { continue };
        let hosts = section.hosts.as_deref().unwrap_or_default();
        if hosts.is_empty() {
            shown.push((HostPattern::Any, key.clone()));
        }
        for host in hosts {
            shown.push((HostPattern::of_ingress(Some(host)), key.clone()));
        }
    }
    true
}

fn add(objects: &Objects, name: &Name, ingress: &Ingress, port: &mut Port) {
    let Some(spec) = &ingress.spec else { return };
    let from = format!("Ingress {}/{}", name.0, name.1);
    let age = age(&ingress.metadata);
    let route =
        |host: HostPattern, path: PathMatch, backend: &IngressBackend, place: usize| Route {
            host,
            condition: Condition::of_path(path),
            action: Arc::new(action(objects, name, backend)),
            from: from.clone(),
            order: (age, name.clone(), place),
        };
    let rules = spec.rules.as_deref().unwrap_or_default();
    let mut place = 0;
    for rule in rules {
        let host = HostPattern::of_ingress(rule.host.as_deref());
        let paths = rule.http.iter().flat_map(|http| &http.paths);
        for path in paths {
            let text = path.path.as_deref().filter(|path| !path.is_empty()).unwrap_or("/");
            // What is left to the implementation is a prefix here.
            let matched = match path.path_type.as_str() {
                "Exact" => PathMatch::Exact(text.to_owned()),
                _ => PathMatch::prefix(text),
            };
            port.ingress.push(route(host.clone(), matched, &path.backend, place));
            place += 1;
        }
        // A rule without paths sends all of its host to the default backend.
        if rule.http.is_none()
            && let Some(backend) = &spec.default_backend
        {
            port.ingress.push(route(host, PathMatch::prefix("/"), backend, place));
            place += 1;
        }
    }
    if let Some(backend) = &spec.default_backend {
        let default = route(HostPattern::Any, PathMatch::prefix("/"), backend, place);
        let order = |route: &Route| -> Order { route.order.clone() };
        if port.default.as_ref().is_none_or(|held| order(&default) < order(held)) {
            port.default = Some(default);
        }
    }
}

/// A Service that is not there is one that cannot answer: it may come.
fn action(objects: &Objects, ingress: &Name, backend: &IngressBackend) -> Action {
    let resolved = match &backend.service {
        Some(service) => {
            let port = service.port.as_ref();
            let number = port.and_then(|port| port.number).map(PortName::Number);
            let named = port.and_then(|port| port.name.clone()).map(PortName::Name);
            let port = number.or(named).unwrap_or(PortName::Number(0));
            let of = (ingress.0.clone(), service.name.clone());
            Ok(resolve(objects, &of, &port).unwrap_or_else(|missing: Missing| Backend {
                name: format!("{}/{} port {port}", of.0, of.1),
                at: At::Nowhere(missing.to_string()),
            }))
        }
        None => Err("only Services are served, and its backend is another resource".to_owned()),
    };
    let share = Share { weight: 1, backend: resolved, filters: Filters::default() };
    Action::Forward(Forward { backends: vec![share], filters: Filters::default(), timeout: None })
}
