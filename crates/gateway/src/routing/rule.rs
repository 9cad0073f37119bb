//! The rules of an HTTPRoute.

use std::sync::Arc;
use std::time::Duration;

use http::Method;
use manifest::gateway::{BackendRef, HTTPRoute, HttpMatch, HttpRouteRule};

use super::Said;
use super::backend::{Backend, Missing, PortName, resolve};
use super::condition::{Condition, PathMatch};
use super::filter::{Filters, header_name};
use super::grant::is_granted;
use super::table::{Action, Forward, Share};
use crate::objects::{Name, Objects};

/// The rules of a route that can be followed.
pub(super) struct Ruled {
    /// One for each match of each rule.
    pub(super) rules: Vec<(Condition, Arc<Action>)>,
    /// What is said of rules that cannot.
    pub(super) dropped: Vec<String>,
    /// Whether all backends are there.
    pub(super) resolved: Said,
}

/// Reads the rules of a route.
pub(super) fn read(objects: &Objects, name: &Name, route: &HTTPRoute) -> Ruled {
    let (mut rules, mut dropped) = (Vec::new(), Vec::new());
    let mut resolved = Said::yes("ResolvedRefs", "ResolvedRefs", "");
    for (place, rule) in route.spec.rules.iter().enumerate() {
        match read_rule(objects, name, rule, &mut resolved) {
            Ok(read) => rules.extend(read),
            Err(why) => dropped.push(format!("rules[{place}]: {why}")),
        }
    }
    Ruled { rules, dropped, resolved }
}

fn read_rule(
    objects: &Objects,
    name: &Name,
    rule: &HttpRouteRule,
    resolved: &mut Said,
) -> Result<Vec<(Condition, Arc<Action>)>, String> {
    let conditions = match rule.matches.as_slice() {
        [] => vec![Condition::of_path(PathMatch::prefix("/"))],
        matches => matches.iter().map(read_match).collect::<Result<_, _>>()?,
    };
    let timeout = timeout(rule)?;
    let read = conditions.into_iter().map(|condition| {
        let filters = Filters::read(&rule.filters, &condition.path)?;
        let action = match filters.redirect.clone() {
            Some(redirect) => Action::Redirect(redirect, filters),
            None => {
                let share = |reference| share(objects, name, reference, &condition, resolved);
                let backends = rule.backend_refs.iter().map(share).collect::<Result<_, _>>()?;
                Action::Forward(Forward { backends, filters, timeout })
            }
        };
        Ok((condition, Arc::new(action)))
    });
    read.collect()
}

fn read_match(wanted: &HttpMatch) -> Result<Condition, String> {
    let HttpMatch { path, headers, query_params, method } = wanted;
    let path = path.clone().unwrap_or_default();
    let value = path.value.as_deref().unwrap_or("/");
    let path = match path.type_.as_deref().unwrap_or("PathPrefix") {
        "Exact" => PathMatch::Exact(value.to_owned()),
        "PathPrefix" => PathMatch::prefix(value),
        other => return Err(format!("paths of type {other} are not served here")),
    };
    let is_exact = |kind: &Option<String>| match kind.as_deref().unwrap_or("Exact") {
        "Exact" => Ok(()),
        other => Err(format!("matches of type {other} are not served here")),
    };
    let mut condition = Condition::of_path(path);
    if let Some(method) = method {
        let method = Method::from_bytes(method.as_bytes());
        condition.method = Some(method.map_err(|error| error.to_string())?);
    }
    for header in headers {
        is_exact(&header.type_)?;
        let name = header_name(&header.name)?;
        // Of several of a name the first counts.
        if condition.headers.iter().all(|(held, _)| *held != name) {
            condition.headers.push((name, header.value.clone()));
        }
    }
    for parameter in query_params {
        is_exact(&parameter.type_)?;
        if condition.query.iter().all(|(held, _)| *held != parameter.name) {
            condition.query.push((parameter.name.clone(), parameter.value.clone()));
        }
    }
    Ok(condition)
}

/// The backend of a reference. What is missing is told, and answers for its share.
fn share(
    objects: &Objects,
    route: &Name,
    reference: &BackendRef,
    condition: &Condition,
    resolved: &mut Said,
) -> Result<Share, String> {
    let filters = Filters::read(&reference.filters, &condition.path)?;
    if filters.redirect.is_some() {
        return Err("a backend with a filter of type RequestRedirect is not served here".to_owned());
    }
    let weight = reference.weight.map_or(1, |weight| u32::try_from(weight).unwrap_or(0));
    let backend = backend(objects, route, reference).map_err(|(reason, why)| {
        if resolved.holds {
            *resolved = Said::no("ResolvedRefs", reason, why.as_str());
        }
        why
    });
    Ok(Share { weight, backend, filters })
}

fn backend(
    objects: &Objects,
    route: &Name,
    reference: &BackendRef,
) -> Result<Backend, (&'static str, String)> {
    let BackendRef { group, kind, name, namespace, port, .. } = reference;
    let kind = kind.as_deref().unwrap_or("Service");
    if kind != "Service" || group.as_deref().is_some_and(|group| !group.is_empty()) {
        return Err((
            "InvalidKind",
            format!("backend {kind} {name}: only Services are served here"),
        ));
    }
    let namespace =
        namespace.as_deref().filter(|namespace| !namespace.is_empty()).unwrap_or(&route.0);
    if !is_granted(objects, ("HTTPRoute", &route.0), ("Service", namespace, name)) {
        let message = format!(
            "no ReferenceGrant in namespace {namespace} lets HTTPRoutes of namespace {} refer to Service {name}",
            route.0
        );
        return Err(("RefNotPermitted", message));
    }
    let port = PortName::Number(port.unwrap_or_default());
    resolve(objects, &(namespace.to_owned(), name.clone()), &port)
        .map_err(|missing: Missing| ("BackendNotFound", missing.to_string()))
}

/// The shorter of a rule's timeouts: for the whole request, and for the backend's answer.
fn timeout(rule: &HttpRouteRule) -> Result<Option<Duration>, String> {
    let Some(timeouts) = &rule.timeouts else { return Ok(None) };
    let mut shortest: Option<Duration> = None;
    for text in [&timeouts.request, &timeouts.backend_request].into_iter().flatten() {
        let read = duration(text)
            .ok_or_else(|| format!("{text:?} is no duration (e.g. 500ms or 1m30s)"))?;
        // Zero means that there is none.
        if !read.is_zero() {
            shortest = Some(shortest.map_or(read, |held| held.min(read)));
        }
    }
    Ok(shortest)
}

/// A duration of the Gateway API (GEP-2257): up to four of numbers with units, as `1h30m`.
fn duration(text: &str) -> Option<Duration> {
    const PARTS_MAX: usize = 4;
    let (mut rest, mut total) = (text, Duration::ZERO);
    for _ in 0..PARTS_MAX {
        let digits = rest.find(|character: char| !character.is_ascii_digit())?;
        let number: u64 = rest[..digits].parse().ok()?;
        let unit = &rest[digits..];
        let (part, after) = if let Some(after) = unit.strip_prefix("ms") {
            (Duration::from_millis(number), after)
        } else if let Some(after) = unit.strip_prefix('s') {
            (Duration::from_secs(number), after)
        } else if let Some(after) = unit.strip_prefix('m') {
            (Duration::from_secs(number.checked_mul(60)?), after)
        } else {
            (Duration::from_secs(number.checked_mul(3600)?), unit.strip_prefix('h')?)
        };
        total = total.checked_add(part)?;
        if after.is_empty() {
            return Some(total);
        }
        rest = after;
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations() {
        for (text, millis) in [
            ("0s", Some(0)),
            ("500ms", Some(500)),
            ("1m30s", Some(90_000)),
            ("1h1m1s1ms", Some(3_661_001)),
            ("1h1m1s1ms1s", None),
            ("", None),
            ("5", None),
            ("s", None),
            ("-1s", None),
            ("99999999999999999999s", None),
            ("18446744073709551615h", None),
        ] {
            assert_eq!(duration(text), millis.map(Duration::from_millis), "{text}");
        }
    }
}
