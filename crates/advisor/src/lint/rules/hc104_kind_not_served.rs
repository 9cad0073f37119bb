use manifest::read::{Foreign, Level};

use crate::lint::{Findings, Objects, Rule, Version};

pub(super) const RULE: Rule = Rule {
    code: "HC104",
    level: Level::Error,
    title: "a kind that no API server has under this apiVersion",
    explanation: "\
The `apiVersion` is one of Kubernetes' own groups, and there is no such kind in it: the version was removed, the kind belongs to another group,
or one of the two is misspelt. The API server answers `no matches for kind`, and nothing of the object is applied. Kinds of other groups are
not looked at, for a custom resource may define them.",
    remedy: "\
Write the apiVersion that the kind has today. Where a version was removed, some of its fields have other names in the new one: the deprecation
guide lists them.",
    sources: &["Kubernetes documentation, Deprecated API migration guide", "Kubernetes documentation, API groups"],
    check,
};

/// Versions that are gone: the kind, the first Kubernetes without it, and its place today.
#[rustfmt::skip]
const REMOVED: &[(&str, &str, (u16, u16), &str)] = &[
    ("extensions/v1beta1", "DaemonSet", (1, 16), "apps/v1"),
    ("extensions/v1beta1", "Deployment", (1, 16), "apps/v1"),
    ("extensions/v1beta1", "ReplicaSet", (1, 16), "apps/v1"),
    ("extensions/v1beta1", "NetworkPolicy", (1, 16), "networking.k8s.io/v1"),
    ("extensions/v1beta1", "Ingress", (1, 22), "networking.k8s.io/v1"),
    ("apps/v1beta1", "Deployment", (1, 16), "apps/v1"),
    ("apps/v1beta1", "StatefulSet", (1, 16), "apps/v1"),
    ("apps/v1beta2", "DaemonSet", (1, 16), "apps/v1"),
    ("apps/v1beta2", "Deployment", (1, 16), "apps/v1"),
    ("apps/v1beta2", "ReplicaSet", (1, 16), "apps/v1"),
    ("apps/v1beta2", "StatefulSet", (1, 16), "apps/v1"),
    ("networking.k8s.io/v1beta1", "Ingress", (1, 22), "networking.k8s.io/v1"),
    ("networking.k8s.io/v1beta1", "IngressClass", (1, 22), "networking.k8s.io/v1"),
    ("coordination.k8s.io/v1beta1", "Lease", (1, 22), "coordination.k8s.io/v1"),
    ("rbac.authorization.k8s.io/v1beta1", "ClusterRole", (1, 22), "rbac.authorization.k8s.io/v1"),
    ("rbac.authorization.k8s.io/v1beta1", "ClusterRoleBinding", (1, 22), "rbac.authorization.k8s.io/v1"),
    ("rbac.authorization.k8s.io/v1beta1", "Role", (1, 22), "rbac.authorization.k8s.io/v1"),
    ("rbac.authorization.k8s.io/v1beta1", "RoleBinding", (1, 22), "rbac.authorization.k8s.io/v1"),
    ("scheduling.k8s.io/v1beta1", "PriorityClass", (1, 22), "scheduling.k8s.io/v1"),
    ("storage.k8s.io/v1beta1", "StorageClass", (1, 22), "storage.k8s.io/v1"),
    ("batch/v1beta1", "CronJob", (1, 25), "batch/v1"),
    ("discovery.k8s.io/v1beta1", "EndpointSlice", (1, 25), "discovery.k8s.io/v1"),
    ("events.k8s.io/v1beta1", "Event", (1, 25), "events.k8s.io/v1"),
    ("policy/v1beta1", "PodDisruptionBudget", (1, 25), "policy/v1"),
    ("autoscaling/v2beta1", "HorizontalPodAutoscaler", (1, 25), "autoscaling/v2"),
    ("autoscaling/v2beta2", "HorizontalPodAutoscaler", (1, 26), "autoscaling/v2"),
];

/// Versions that Kubernetes has and headcount's own API has not.
const SERVED_ELSEWHERE: &[(&str, &str)] = &[("autoscaling/v1", "HorizontalPodAutoscaler")];

/// Groups that clusters have by definitions, of which only some kinds are served here: a cluster may have others.
const DEFINED: [&str; 2] = [manifest::gateway::GROUP, "multicluster.x-k8s.io"];

fn check(objects: &Objects, findings: &mut Findings<'_>) {
    for foreign in &objects.foreign {
        let (api_version, kind) = (foreign.api_version(), foreign.kind());
        let known = |entry: &(&str, &str)| *entry == (api_version, kind);
        let removed = REMOVED.iter().find(|(version, it, ..)| known(&(*version, *it)));
        let (message, help) = match removed {
            Some((.., (major, minor), today)) => {
                let since = Version { major: *major, minor: *minor };
                if objects.options.kubernetes < since {
                    continue;
                }
                let message = format!("Kubernetes has no {kind} of {api_version} since {since}");
                (
                    message,
                    format!(
                        "write apiVersion: {today}, and compare the fields with that version's"
                    ),
                )
            }
            None => {
                let Some(near) = meant(foreign).filter(|_| !SERVED_ELSEWHERE.iter().any(known))
                else {
                    continue;
                };
                let message = format!("there is no {kind} of {api_version}");
                (message, format!("did you mean {} of {}?", near.kind, near.api_version()))
            }
        };
        let field =
            if Some(kind) == meant(foreign).map(|near| near.kind) { "apiVersion" } else { "kind" };
        let label = crate::lint::Label::new(&foreign.located, field, "");
        findings.add(objects.subject_of(&foreign.located), label, message).help(help);
    }
}

/// The kind that was meant, where the group is one of Kubernetes' own or no group that a custom resource could have.
fn meant(foreign: &Foreign) -> Option<&'static manifest::Kind> {
    let near = foreign.suggestion()?;
    let group = foreign.api_version().split_once('/').map_or("", |(group, _)| group);
    let own = manifest::Kind::all().iter().any(|kind| kind.group == group);
    let own = own && !DEFINED.contains(&group);
    // A custom resource's group has a dot.
    (own || !group.contains('.')).then_some(near)
}
