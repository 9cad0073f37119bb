//! Texts that will name pods below a Service that does not name them any more.

use manifest::read::Located;

use super::intent::{Intent, PodsKind};
use crate::lint::mentions::{Pod, each_text, is_pod_name, mentions};
use crate::lint::{Objects, Workload};

/// The texts of objects that name pods of the intent's StatefulSet below another Service than the one which names them once
/// the design is applied, a line each. A design changes no text of anyone's.
pub(super) fn stale_names(intent: &Intent, objects: &Objects) -> Vec<String> {
    let Some(pods) = intent.pods().filter(|pods| pods.kind == PodsKind::StatefulSet) else {
        return Vec::new();
    };
    let is_it = |set: &&Workload| {
        set.is("StatefulSet") && Some(&set.document.value) == pods.existing.workload.as_ref()
    };
    let (Some(set), Some(names)) = (objects.workloads.iter().find(is_it), intent.peer_service())
    else {
        return Vec::new();
    };
    // The Services under which someone may have looked for its pods.
    let mut others: Vec<&str> = objects
        .selecting(set)
        .map(|service| service.reference.name.as_str())
        .chain(set.subdomain())
        .filter(|name| *name != names)
        .collect();
    others.sort_unstable();
    others.dedup();
    let mut lines = Vec::new();
    let known = objects.all.iter().map(|item| &item.document.located);
    let foreign = objects.foreign.iter().map(|foreign| &foreign.located);
    for located in known.chain(foreign).filter(|_| !others.is_empty()) {
        each_text(&located.value, &mut |path, text| {
            if path.starts_with("metadata.") {
                return;
            }
            let mut found: Vec<(String, &str)> = Vec::new();
            for mention in mentions(text) {
                let namespace = mention.namespace.unwrap_or(objects.namespace_of(located));
                let pod = match mention.pod {
                    Pod::Fixed { set: of, name } if of == set.reference.name => name.to_owned(),
                    Pod::Variable(variable)
                        if std::ptr::eq(&set.document.located, located)
                            && is_pod_name(set, variable) =>
                    {
                        format!("${variable}")
                    }
                    Pod::Fixed { .. } | Pod::Variable(_) => continue,
                };
                let is_other = namespace == set.reference.namespace;
                if let Some(other) =
                    others.iter().find(|other| is_other && **other == mention.service)
                {
                    found.push((format!("{pod}.{other}"), other));
                }
            }
            lines.extend(line(located, path, &found, &names));
        });
    }
    lines
}

/// The names in one text.
fn line(located: &Located, path: &str, found: &[(String, &str)], names: &str) -> Option<String> {
    let (first, other) = found.first()?;
    let (kind, at) = (located.value["kind"].as_str().unwrap_or_default(), located.position(path));
    let more = match found.len() - 1 {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    Some(format!(
        "to do: {kind} {}: {path} ({}:{}:{}) still says {first}{more}, and the pods' names are below {names} once the design is applied: write {names} in place of {other}",
        located.name(),
        located.source,
        at.line,
        at.column
    ))
}
