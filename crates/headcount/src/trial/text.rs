//! Names, and what expectations speak of, in words.

use advisor::design::{Backends, Expectation, Expected, Targets};
use directory::Name;

/// A name in lower case, with its dot at the end.
pub(super) fn absolute(name: &str) -> String {
    let name = name.to_lowercase();
    if name.ends_with('.') { name } else { name + "." }
}

/// The Service that a name of the zone is of: the label before its namespace's.
pub(super) fn service_of(name: &str, domain: &Name) -> Option<String> {
    let suffix = format!(".svc.{}", absolute(&domain.to_string()));
    let name = absolute(name);
    let before = name.strip_suffix(&suffix)?;
    before.rsplit('.').nth(1).map(str::to_owned)
}

/// What stands behind an expectation's answer, if anything does that can be told.
pub(super) fn behind(expected: &Expected) -> Option<&Backends> {
    match expected {
        Expected::Each(backends)
        | Expected::Virtual { behind: backends, .. }
        | Expected::Ports { targets: Targets::Each { of: backends, .. }, .. } => Some(backends),
        Expected::Ports { targets: Targets::Service(_), .. } | Expected::Alias(_) => None,
    }
}

/// The pods that stand behind an answer, or of which one does, where their names are known beforehand.
pub(super) fn named(backends: &Backends) -> Option<&[String]> {
    match backends {
        Backends::Pods(pods) | Backends::Leader { pods, .. } => Some(pods),
        Backends::Deployment { .. } | Backends::Addresses(_) => None,
    }
}

/// The pods that expectations speak of, each once: those of a StatefulSet together.
pub(super) fn pods_behind(expectations: &[Expectation]) -> Vec<Backends> {
    let mut known: Vec<Backends> = Vec::new();
    for backends in expectations.iter().filter_map(|expectation| behind(&expectation.answer)) {
        match backends {
            Backends::Pods(names) | Backends::Leader { pods: names, .. } => {
                for name in names {
                    let of_set = known.iter_mut().find_map(|known| match known {
                        Backends::Pods(known) if set_of(known.first()?) == set_of(name) => {
                            Some(known)
                        }
                        Backends::Pods(_)
                        | Backends::Leader { .. }
                        | Backends::Deployment { .. }
                        | Backends::Addresses(_) => None,
                    });
                    match of_set {
                        Some(known) if known.contains(name) => {}
                        Some(known) => known.push(name.clone()),
                        None => known.push(Backends::Pods(vec![name.clone()])),
                    }
                }
            }
            Backends::Deployment { .. } if known.contains(backends) => {}
            Backends::Deployment { .. } => known.push(backends.clone()),
            Backends::Addresses(_) => {}
        }
    }
    for backends in &mut known {
        if let Backends::Pods(names) = backends {
            names.sort_by_key(|name| ordinal(name));
        }
    }
    known
}

/// The StatefulSet whose pod has this name: all before the last `-`.
pub(super) fn set_of(pod: &str) -> &str {
    pod.rsplit_once('-').map_or(pod, |(set, _)| set)
}

/// The number that a StatefulSet's pod has.
pub(super) fn ordinal(pod: &str) -> Option<u64> {
    pod.rsplit_once('-')?.1.parse().ok()
}

/// `db-0, db-1 and db-2`, for people; of many, the first and last.
pub(super) fn list(names: &[String]) -> String {
    match names {
        [] => String::new(),
        [one] => one.clone(),
        [first, .., last] if names.len() > 4 => format!("{first} to {last}"),
        [before @ .., last] => format!("{} and {last}", before.join(", ")),
    }
}

/// `pods db-0, db-1 and db-2`, `3 pods of Deployment web`.
pub(super) fn backends(backends: &Backends) -> String {
    match backends {
        Backends::Pods(names) if names.len() == 1 => format!("pod {}", list(names)),
        Backends::Pods(names) => format!("pods {}", list(names)),
        Backends::Leader { pods, label, value } => {
            format!("the one of {} that leads ({label}={value})", list(pods))
        }
        Backends::Deployment { name, replicas: 1 } => format!("1 pod of Deployment {name}"),
        Backends::Deployment { name, replicas } => format!("{replicas} pods of Deployment {name}"),
        Backends::Addresses(addresses) => {
            let addresses: Vec<String> = addresses.iter().map(ToString::to_string).collect();
            list(&addresses)
        }
    }
}

#[cfg(test)]
mod tests {
    use advisor::design::WhileNotReady;

    use super::*;

    #[test]
    fn the_service_of_a_name() {
        let check = |name: &str, domain: &str, expected: Option<&str>| {
            let domain = Name::parse(domain).expect("a name");
            assert_eq!(service_of(name, &domain).as_deref(), expected, "{name}");
        };
        check("db.prod.svc.cluster.local.", "cluster.local", Some("db"));
        check("DB-0.db-peers.prod.svc.Cluster.Local", "cluster.local", Some("db-peers"));
        check("_peer._tcp.db-peers.prod.svc.k8s.example.", "k8s.example.", Some("db-peers"));
        check("prod.svc.cluster.local.", "cluster.local", None);
        check("db.prod.svc.example.", "cluster.local", None);
    }

    #[test]
    fn pods_are_told_once_by_their_sets() {
        let pods = |names: &[&str]| Backends::Pods(names.iter().map(|it| (*it).into()).collect());
        let web = Backends::Deployment { name: "web".to_owned(), replicas: 2 };
        let expectations: Vec<Expectation> =
            [pods(&["db-10"]), web.clone(), pods(&["db-9", "db-10", "a-0"]), web.clone()]
                .into_iter()
                .map(|backends| Expectation {
                    name: "a.".to_owned(),
                    answer: Expected::Each(backends),
                    purpose: String::new(),
                    not_ready: WhileNotReady::Leaves,
                })
                .collect();
        assert_eq!(pods_behind(&expectations), [pods(&["db-9", "db-10"]), web, pods(&["a-0"])]);
    }

    #[test]
    fn lists() {
        let check = |names: &[&str], expected: &str| {
            let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
            assert_eq!(list(&names), expected);
        };
        check(&[], "");
        check(&["a"], "a");
        check(&["a", "b"], "a and b");
        check(&["a", "b", "c", "d"], "a, b, c and d");
        check(&["a", "b", "c", "d", "e"], "a to e");
    }
}
