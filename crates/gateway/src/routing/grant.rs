//! References to objects of other namespaces, which these must have granted.

use manifest::gateway::GROUP;

use crate::objects::Objects;

/// Whether an object of the Gateway API may refer to an object of the core group in another namespace.
pub(super) fn is_granted(
    objects: &Objects,
    (from_kind, from_namespace): (&str, &str),
    (to_kind, to_namespace, to_name): (&str, &str, &str),
) -> bool {
    if from_namespace == to_namespace {
        return true;
    }
    let grants = objects.grants.iter().filter(|((namespace, _), _)| namespace == to_namespace);
    grants.map(|(_, grant)| &grant.spec).any(|grant| {
        let from = grant.from.iter().any(|from| {
            from.group == GROUP && from.kind == from_kind && from.namespace == from_namespace
        });
        let to = grant.to.iter().any(|to| {
            let name = to.name.as_deref().filter(|name| !name.is_empty());
            to.group.is_empty() && to.kind == to_kind && name.is_none_or(|name| name == to_name)
        });
        from && to
    })
}
