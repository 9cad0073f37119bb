//! The Gateway API's kinds: the defaults of their definitions, and of what these ask for, that without which nobody could
//! act on them.

#[cfg(test)]
mod tests;

use serde_json::{Map, Value, json};

use super::defaults::{existing, items, object, set};
use super::names;
use crate::field::{FieldError, FieldPath};
use crate::gateway::GROUP;

const LISTENERS_MAX: usize = 64;
const PARENTS_MAX: usize = 32;
const HOSTNAMES_MAX: usize = 16;
const RULES_MAX: usize = 16;
const MATCHES_MAX: usize = 64;
const FILTERS_MAX: usize = 16;
const BACKENDS_MAX: usize = 16;
const GRANTED_MAX: usize = 16;
const WEIGHT_MAX: i64 = 1_000_000;

const FILTERS: [(&str, &str); 7] = [
    ("RequestHeaderModifier", "requestHeaderModifier"),
    ("ResponseHeaderModifier", "responseHeaderModifier"),
    ("RequestMirror", "requestMirror"),
    ("RequestRedirect", "requestRedirect"),
    ("URLRewrite", "urlRewrite"),
    ("CORS", "cors"),
    ("ExtensionRef", "extensionRef"),
];

/// Fills in what the author of a Gateway left out.
pub(super) fn default_gateway(gateway: &mut Map<String, Value>) {
    let Some(spec) = existing(gateway, "spec") else { return };
    for listener in items(spec, "listeners") {
        if let Some(routes) = object(listener, "allowedRoutes")
            && let Some(namespaces) = object(routes, "namespaces")
        {
            set(namespaces, "from", "Same");
        }
        if let Some(tls) = existing(listener, "tls") {
            set(tls, "mode", "Terminate");
            for certificate in items(tls, "certificateRefs") {
                set(certificate, "group", "");
                set(certificate, "kind", "Secret");
            }
        }
    }
    for address in items(spec, "addresses") {
        set(address, "type", "IPAddress");
    }
}

/// Fills in what the author of an HTTPRoute left out.
pub(super) fn default_route(route: &mut Map<String, Value>) {
    let Some(spec) = existing(route, "spec") else { return };
    for parent in items(spec, "parentRefs") {
        set(parent, "group", GROUP);
        set(parent, "kind", "Gateway");
    }
    set(spec, "rules", json!([{}]));
    for rule in items(spec, "rules") {
        set(rule, "matches", json!([{ "path": {} }]));
        for wanted in items(rule, "matches") {
            if let Some(path) = object(wanted, "path") {
                set(path, "type", "PathPrefix");
                set(path, "value", "/");
            }
            for field in ["headers", "queryParams"] {
                items(wanted, field).for_each(|named| set(named, "type", "Exact"));
            }
        }
        default_filters(rule);
        for backend in items(rule, "backendRefs") {
            set(backend, "group", "");
            set(backend, "kind", "Service");
            set(backend, "weight", 1);
            default_filters(backend);
        }
    }
}

fn default_filters(of: &mut Map<String, Value>) {
    for filter in items(of, "filters") {
        if let Some(redirect) = existing(filter, "requestRedirect") {
            set(redirect, "statusCode", 302);
        }
    }
}

/// A class names its controller, and stays with it.
pub(super) fn class(new: &Value, old: Option<&Value>, errors: &mut Vec<FieldError>) {
    let spec = FieldPath::new("spec");
    let at = spec.child("controllerName");
    let name = text(&new["spec"], "controllerName");
    let well_formed = name.split_once('/').is_some_and(|(domain, path)| {
        names::dns_1123_subdomain(domain).is_empty() && !path.is_empty()
    });
    if !well_formed {
        errors.push(FieldError::invalid(
            &at,
            name,
            "must be a domain and a path (e.g. 'example.com/controller')",
        ));
    }
    if let Some(old) = old
        && old["spec"]["controllerName"] != new["spec"]["controllerName"]
    {
        errors.push(FieldError::invalid(&at, name, "Value is immutable"));
    }
}

/// A Gateway has listeners that can be told apart.
pub(super) fn gateway(spec: &Value, errors: &mut Vec<FieldError>) {
    let path = FieldPath::new("spec");
    if text(spec, "gatewayClassName").is_empty() {
        let detail = "the name of a GatewayClass";
        errors.push(FieldError::required(&path.child("gatewayClassName"), detail));
    }
    let (listeners, at) = (list(spec, "listeners"), path.child("listeners"));
    if listeners.is_empty() {
        errors.push(FieldError::required(&at, "at least one listener"));
    }
    too_many(&at, listeners, LISTENERS_MAX, errors);
    for (index, listener) in listeners.iter().enumerate() {
        let at = at.index(index);
        let name = text(listener, "name");
        let problems = names::dns_1123_subdomain(name).into_iter();
        errors
            .extend(problems.map(|problem| FieldError::invalid(&at.child("name"), name, problem)));
        let earlier = &listeners[..index];
        if earlier.iter().any(|other| text(other, "name") == name) {
            errors.push(FieldError::duplicate(&at.child("name"), name));
        }
        let same = |field: &str, other: &Value| listener[field] == other[field];
        if earlier
            .iter()
            .any(|other| ["port", "protocol", "hostname"].iter().all(|field| same(field, other)))
        {
            let detail =
                "Combination of port, protocol and hostname must be unique for each listener";
            errors.push(FieldError::invalid(&at, name, detail));
        }
        port(&at.child("port"), &listener["port"], errors);
        if let Some(name) = listener["hostname"].as_str() {
            hostname(&at.child("hostname"), name, errors);
        }
        let protocol = text(listener, "protocol");
        let has_tls = !listener["tls"].is_null();
        match protocol {
            "" => errors.push(FieldError::required(&at.child("protocol"), "HTTP or HTTPS")),
            "HTTP" | "TCP" | "UDP" if has_tls => {
                let detail = format!("tls must not be specified for protocol {protocol}");
                errors.push(FieldError::forbidden(&at.child("tls"), detail));
            }
            "HTTPS" if listener["tls"]["mode"].as_str().is_some_and(|mode| mode != "Terminate") => {
                let detail = "tls mode must be Terminate for protocol HTTPS";
                errors.push(FieldError::invalid(
                    &at.child("tls").child("mode"),
                    text(&listener["tls"], "mode"),
                    detail,
                ));
            }
            _ => {}
        }
        let from = &listener["allowedRoutes"]["namespaces"]["from"];
        one_of(
            &at.child("allowedRoutes").child("namespaces").child("from"),
            from,
            &["All", "Selector", "Same", "None"],
            errors,
        );
    }
}

/// An HTTPRoute has rules that can be followed.
pub(super) fn route(spec: &Value, errors: &mut Vec<FieldError>) {
    let path = FieldPath::new("spec");
    let (parents, at) = (list(spec, "parentRefs"), path.child("parentRefs"));
    too_many(&at, parents, PARENTS_MAX, errors);
    for (index, parent) in parents.iter().enumerate() {
        let at = at.index(index);
        required(&at.child("name"), text(parent, "name"), errors);
        if !parent["port"].is_null() {
            port(&at.child("port"), &parent["port"], errors);
        }
        let same = |other: &Value| {
            ["group", "kind", "namespace", "name", "sectionName", "port"]
                .iter()
                .all(|field| other[*field] == parent[*field])
        };
        if parents[..index].iter().any(same) {
            let detail = "sectionName or port must be unique when parentRefs includes 2 or more references to the same parent";
            errors.push(FieldError::invalid(&at, text(parent, "name"), detail));
        }
    }
    let (hostnames, at) = (list(spec, "hostnames"), path.child("hostnames"));
    too_many(&at, hostnames, HOSTNAMES_MAX, errors);
    for (index, name) in hostnames.iter().enumerate() {
        hostname(&at.index(index), name.as_str().unwrap_or_default(), errors);
    }
    let (rules, at) = (list(spec, "rules"), path.child("rules"));
    too_many(&at, rules, RULES_MAX, errors);
    for (index, rule) in rules.iter().enumerate() {
        route_rule(&at.index(index), rule, errors);
    }
}

fn route_rule(at: &FieldPath<'_>, rule: &Value, errors: &mut Vec<FieldError>) {
    let (matches, backends) = (list(rule, "matches"), list(rule, "backendRefs"));
    too_many(&at.child("matches"), matches, MATCHES_MAX, errors);
    too_many(&at.child("backendRefs"), backends, BACKENDS_MAX, errors);
    for (index, wanted) in matches.iter().enumerate() {
        route_match(&at.child("matches").index(index), wanted, errors);
    }
    filters(at, rule, matches, errors);
    let redirects = list(rule, "filters").iter().any(|filter| filter["type"] == "RequestRedirect");
    if redirects && !backends.is_empty() {
        let detail = "RequestRedirect filter must not be used together with backendRefs";
        errors.push(FieldError::forbidden(&at.child("backendRefs"), detail));
    }
    for (index, backend) in backends.iter().enumerate() {
        let refs = at.child("backendRefs");
        let at = refs.index(index);
        required(&at.child("name"), text(backend, "name"), errors);
        let is_service = text(backend, "group").is_empty() && text(backend, "kind") == "Service";
        if !backend["port"].is_null() {
            port(&at.child("port"), &backend["port"], errors);
        } else if is_service {
            errors.push(FieldError::required(
                &at.child("port"),
                "Must have port for Service reference",
            ));
        }
        if let Some(weight) =
            backend["weight"].as_i64().filter(|weight| !(0..=WEIGHT_MAX).contains(weight))
        {
            let detail = "must be between 0 and 1000000, inclusive";
            errors.push(FieldError::invalid(&at.child("weight"), weight, detail));
        }
        filters(&at, backend, matches, errors);
    }
}

fn route_match(at: &FieldPath<'_>, wanted: &Value, errors: &mut Vec<FieldError>) {
    let (path, value) = (&wanted["path"], text(&wanted["path"], "value"));
    let here = at.child("path");
    one_of(
        &here.child("type"),
        &path["type"],
        &["Exact", "PathPrefix", "RegularExpression"],
        errors,
    );
    if path["type"] != "RegularExpression" && !path.is_null() {
        if !value.starts_with('/') {
            errors.push(FieldError::invalid(
                &here.child("value"),
                value,
                "value must be an absolute path and start with '/'",
            ));
        }
        for bad in ["//", "/./", "/../", "%2f", "%2F", "#"] {
            if value.contains(bad) {
                errors.push(FieldError::invalid(
                    &here.child("value"),
                    value,
                    format!("must not contain '{bad}'"),
                ));
            }
        }
    }
    for field in ["headers", "queryParams"] {
        for (index, named) in list(wanted, field).iter().enumerate() {
            let all = at.child(field);
            let here = all.index(index);
            required(&here.child("name"), text(named, "name"), errors);
            one_of(&here.child("type"), &named["type"], &["Exact", "RegularExpression"], errors);
        }
    }
    let methods = ["GET", "HEAD", "POST", "PUT", "DELETE", "CONNECT", "OPTIONS", "TRACE", "PATCH"];
    one_of(&at.child("method"), &wanted["method"], &methods, errors);
}

/// The filters of a rule or of a backend.
fn filters(of: &FieldPath<'_>, holder: &Value, matches: &[Value], errors: &mut Vec<FieldError>) {
    let (held, all) = (list(holder, "filters"), of.child("filters"));
    too_many(&all, held, FILTERS_MAX, errors);
    let has = |kind: &str| held.iter().any(|filter| filter["type"] == kind);
    if has("RequestRedirect") && has("URLRewrite") {
        let detail = "May specify either requestRedirect or urlRewrite, but not both";
        errors.push(FieldError::forbidden(&all, detail));
    }
    for (index, filter) in held.iter().enumerate() {
        let at = all.index(index);
        let kind = text(filter, "type");
        let Some((_, field)) = FILTERS.iter().find(|(name, _)| *name == kind) else {
            let supported = FILTERS.map(|(name, _)| name);
            errors.push(FieldError::not_supported(&at.child("type"), kind, &supported));
            continue;
        };
        if filter[*field].is_null() {
            let detail = format!("filter.{field} must be specified for {kind} filter.type");
            errors.push(FieldError::required(&at.child(field), detail));
        }
        let repeatable = matches!(kind, "RequestMirror" | "ExtensionRef");
        if !repeatable && held[..index].iter().any(|other| other["type"] == kind) {
            errors.push(FieldError::forbidden(&at, format!("{kind} filter cannot be repeated")));
        }
        let modifier = &filter[*field]["path"];
        let path = at.child(field);
        let path = path.child("path");
        match modifier["type"].as_str() {
            None if modifier.is_null() => {}
            Some("ReplaceFullPath") if modifier["replaceFullPath"].is_null() => {
                errors.push(FieldError::required(&path.child("replaceFullPath"), "the whole path"));
            }
            Some("ReplaceFullPath") => {}
            Some("ReplacePrefixMatch") => {
                if modifier["replacePrefixMatch"].is_null() {
                    let detail = "what takes the place of the prefix";
                    errors.push(FieldError::required(&path.child("replacePrefixMatch"), detail));
                }
                if matches.len() != 1 || matches[0]["path"]["type"] != "PathPrefix" {
                    let detail = format!(
                        "When using {kind} filter with path.replacePrefixMatch, exactly one PathPrefix match must be specified"
                    );
                    errors.push(FieldError::forbidden(&path, detail));
                }
            }
            other => {
                let supported = ["ReplaceFullPath", "ReplacePrefixMatch"];
                let value = other.unwrap_or_default();
                errors.push(FieldError::not_supported(&path.child("type"), value, &supported));
            }
        }
        if kind == "RequestRedirect" {
            let code = &filter[*field]["statusCode"];
            if code.as_i64().is_some_and(|code| ![301, 302, 303, 307, 308].contains(&code)) {
                let supported = ["301", "302", "303", "307", "308"];
                let at = at.child(field);
                errors.push(FieldError::not_supported(
                    &at.child("statusCode"),
                    code.clone(),
                    &supported,
                ));
            }
        }
    }
}

/// A grant says who may refer to what.
pub(super) fn grant(spec: &Value, errors: &mut Vec<FieldError>) {
    let path = FieldPath::new("spec");
    for (field, needed) in [("from", &["kind", "namespace"][..]), ("to", &["kind"])] {
        let (held, at) = (list(spec, field), path.child(field));
        if held.is_empty() {
            errors.push(FieldError::required(&at, "at least one"));
        }
        too_many(&at, held, GRANTED_MAX, errors);
        for (index, item) in held.iter().enumerate() {
            for field in needed {
                required(&at.index(index).child(field), text(item, field), errors);
            }
        }
    }
}

fn text<'v>(value: &'v Value, field: &str) -> &'v str {
    value[field].as_str().unwrap_or_default()
}

fn list<'v>(value: &'v Value, field: &str) -> &'v [Value] {
    value[field].as_array().map_or(&[], Vec::as_slice)
}

fn required(at: &FieldPath<'_>, value: &str, errors: &mut Vec<FieldError>) {
    if value.is_empty() {
        errors.push(FieldError::required(at, ""));
    }
}

fn too_many(at: &FieldPath<'_>, held: &[Value], most: usize, errors: &mut Vec<FieldError>) {
    if held.len() > most {
        errors.push(FieldError::too_many(at, held.len(), most));
    }
}

fn port(at: &FieldPath<'_>, value: &Value, errors: &mut Vec<FieldError>) {
    let number = value.as_i64().unwrap_or_default();
    if let Some(problem) = names::port_number(number) {
        errors.push(FieldError::invalid(at, number, problem));
    }
}

/// A host name, of which the first label may be `*`.
fn hostname(at: &FieldPath<'_>, name: &str, errors: &mut Vec<FieldError>) {
    let problems = names::dns_1123_subdomain(name.strip_prefix("*.").unwrap_or(name));
    errors.extend(problems.into_iter().map(|problem| FieldError::invalid(at, name, problem)));
    if name.parse::<std::net::IpAddr>().is_ok() {
        errors.push(FieldError::invalid(at, name, "must be a host name, not an IP address"));
    }
}

/// That a value, if there is one, is one of these.
fn one_of(at: &FieldPath<'_>, value: &Value, supported: &[&str], errors: &mut Vec<FieldError>) {
    if let Some(text) = value.as_str().filter(|text| !supported.contains(text)) {
        errors.push(FieldError::not_supported(at, text, supported));
    }
}
