//! The validity of pods and pod templates (Kubernetes' `ValidatePodSpec` and `ValidatePodUpdate`).

use std::collections::BTreeSet;

use k8s_openapi::api::core::v1::{Pod, PodDNSConfig, PodSpec, PodTemplateSpec};

use super::container::{container, init_container};
use crate::field::{FieldError, FieldPath};
use crate::rules::{metadata, names, net};

type Errors = Vec<FieldError>;

/// The longest list of search domains, in names and in characters with the spaces between.
const SEARCHES_MAX: usize = 32;
const SEARCH_CHARACTERS_MAX: usize = 2048;
const NAMESERVERS_MAX: usize = 3;

/// The names of the volumes that containers may mount.
pub(crate) type Volumes<'v> = BTreeSet<&'v str>;

/// Checks a pod, and, given the stored one, that only what may change does.
pub(crate) fn validate(new: &Pod, old: Option<&Pod>, errors: &mut Errors) {
    let path = FieldPath::new("spec");
    let Some(spec) = &new.spec else {
        errors.push(FieldError::required(&path, ""));
        return;
    };
    validate_spec(spec, &path, Volumes::new(), errors);
    if let Some(old) = old.and_then(|old| old.spec.as_ref()) {
        validate_update(spec, old, &path, errors);
    }
}

/// Checks a workload's pod template; `claims` are the volumes that the workload adds.
pub(crate) fn validate_template(
    template: &PodTemplateSpec,
    path: &FieldPath<'_>,
    claims: Volumes<'_>,
    errors: &mut Errors,
) {
    if let Some(meta) = &template.metadata {
        let path = path.child("metadata");
        metadata::labels(&path.child("labels"), meta.labels.as_ref(), errors);
        metadata::annotations(&path.child("annotations"), meta.annotations.as_ref(), errors);
    }
    let path = path.child("spec");
    let Some(spec) = &template.spec else {
        errors.push(FieldError::required(&path, ""));
        return;
    };
    validate_spec(spec, &path, claims, errors);
    if let Some(policy) = spec.restart_policy.as_deref()
        && policy != "Always"
    {
        errors.push(FieldError::not_supported(&path.child("restartPolicy"), policy, &["Always"]));
    }
    if spec.active_deadline_seconds.is_some() {
        errors.push(FieldError::forbidden(
            &path.child("activeDeadlineSeconds"),
            "activeDeadlineSeconds in this workload is not supported",
        ));
    }
}

fn validate_spec<'v>(
    spec: &'v PodSpec,
    path: &FieldPath<'_>,
    mut volumes: Volumes<'v>,
    errors: &mut Errors,
) {
    let list = path.child("volumes");
    let mut own = BTreeSet::new();
    for (index, volume) in spec.volumes.iter().flatten().enumerate() {
        let path = list.index(index);
        label(&path.child("name"), &volume.name, errors);
        if !own.insert(volume.name.as_str()) {
            errors.push(FieldError::duplicate(&path.child("name"), volume.name.as_str()));
        }
    }
    volumes.extend(own);

    let list = path.child("containers");
    if spec.containers.is_empty() {
        errors.push(FieldError::required(&list, ""));
    }
    let mut seen = BTreeSet::new();
    for (index, one) in spec.containers.iter().enumerate() {
        container(one, &list.index(index), &volumes, &mut seen, errors);
    }
    let list = path.child("initContainers");
    for (index, one) in spec.init_containers.iter().flatten().enumerate() {
        init_container(one, &list.index(index), &volumes, &mut seen, errors);
    }

    known(
        &path.child("restartPolicy"),
        spec.restart_policy.as_deref(),
        &["Always", "Never", "OnFailure"],
        errors,
    );
    dns(spec, path, errors);
    for (field, text) in [("hostname", &spec.hostname), ("subdomain", &spec.subdomain)] {
        if let Some(text) = text.as_deref() {
            label(&path.child(field), text, errors);
        }
    }
    for (field, text) in
        [("nodeName", &spec.node_name), ("serviceAccountName", &spec.service_account_name)]
    {
        if let Some(text) = text.as_deref() {
            let path = path.child(field);
            errors.extend(
                names::dns_1123_subdomain(text)
                    .into_iter()
                    .map(|problem| FieldError::invalid(&path, text, problem)),
            );
        }
    }
    metadata::labels(&path.child("nodeSelector"), spec.node_selector.as_ref(), errors);
    if let Some(seconds) = spec.termination_grace_period_seconds.filter(|seconds| *seconds < 0) {
        errors.push(FieldError::invalid(
            &path.child("terminationGracePeriodSeconds"),
            seconds,
            NOT_NEGATIVE,
        ));
    }
    let list = path.child("hostAliases");
    for (index, alias) in spec.host_aliases.iter().flatten().enumerate() {
        let path = list.index(index);
        if net::address(&alias.ip).is_none() {
            errors.push(FieldError::invalid(
                &path.child("ip"),
                alias.ip.as_str(),
                net::NOT_AN_ADDRESS,
            ));
        }
        let list = path.child("hostnames");
        for (index, name) in alias.hostnames.iter().flatten().enumerate() {
            let path = list.index(index);
            errors.extend(
                names::dns_1123_subdomain(name)
                    .into_iter()
                    .map(|problem| FieldError::invalid(&path, name.as_str(), problem)),
            );
        }
    }
    let list = path.child("readinessGates");
    for (index, gate) in spec.readiness_gates.iter().flatten().enumerate() {
        let path = list.index(index);
        errors.extend(names::qualified_name(&gate.condition_type).into_iter().map(|problem| {
            FieldError::invalid(&path.child("conditionType"), gate.condition_type.as_str(), problem)
        }));
    }
}

pub(super) const NOT_NEGATIVE: &str = "must be greater than or equal to 0";

/// A required DNS label.
pub(super) fn label(path: &FieldPath<'_>, text: &str, errors: &mut Errors) {
    if text.is_empty() {
        errors.push(FieldError::required(path, ""));
    } else {
        errors.extend(
            names::dns_1123_label(text)
                .into_iter()
                .map(|problem| FieldError::invalid(path, text, problem)),
        );
    }
}

/// A required value out of a list.
pub(crate) fn known(
    path: &FieldPath<'_>,
    value: Option<&str>,
    supported: &[&str],
    errors: &mut Errors,
) {
    match value {
        None | Some("") => errors.push(FieldError::required(path, "")),
        Some(value) if supported.contains(&value) => {}
        Some(value) => errors.push(FieldError::not_supported(path, value, supported)),
    }
}

fn dns(spec: &PodSpec, path: &FieldPath<'_>, errors: &mut Errors) {
    const POLICIES: [&str; 4] = ["ClusterFirst", "ClusterFirstWithHostNet", "Default", "None"];
    let policy = spec.dns_policy.as_deref();
    known(&path.child("dnsPolicy"), policy, &POLICIES, errors);
    let path = path.child("dnsConfig");
    let empty = PodDNSConfig::default();
    let PodDNSConfig { nameservers, options, searches } =
        spec.dns_config.as_ref().unwrap_or(&empty);
    let nameservers = nameservers.as_deref().unwrap_or_default();
    let list = path.child("nameservers");
    if policy == Some("None") && nameservers.is_empty() {
        errors.push(FieldError::required(
            &list,
            "must provide at least one DNS nameserver when `dnsPolicy` is None",
        ));
    }
    if nameservers.len() > NAMESERVERS_MAX {
        errors.push(FieldError::invalid(
            &list,
            nameservers.to_vec(),
            format!("must not have more than {NAMESERVERS_MAX} nameservers"),
        ));
    }
    for (index, server) in nameservers.iter().enumerate() {
        if net::address(server).is_none() {
            let path = list.index(index);
            errors.push(FieldError::invalid(&path, server.as_str(), net::NOT_AN_ADDRESS));
        }
    }
    let searches = searches.as_deref().unwrap_or_default();
    let list = path.child("searches");
    if searches.len() > SEARCHES_MAX {
        errors.push(FieldError::invalid(
            &list,
            searches.to_vec(),
            format!("must not have more than {SEARCHES_MAX} search paths"),
        ));
    }
    if searches.join(" ").len() > SEARCH_CHARACTERS_MAX {
        errors.push(FieldError::invalid(
            &list,
            searches.to_vec(),
            format!(
                "must not have more than {SEARCH_CHARACTERS_MAX} characters (including spaces) in the search list"
            ),
        ));
    }
    for (index, search) in searches.iter().enumerate() {
        // A lone dot asks for names as they are; a trailing one is tolerated.
        let bare = search.strip_suffix('.').unwrap_or(search);
        if search == "." {
            continue;
        }
        let path = list.index(index);
        errors.extend(
            names::dns_1123_subdomain(bare)
                .into_iter()
                .map(|problem| FieldError::invalid(&path, search.as_str(), problem)),
        );
    }
    let list = path.child("options");
    for (index, option) in options.iter().flatten().enumerate() {
        if option.name.as_deref().is_none_or(str::is_empty) {
            errors.push(FieldError::required(&list.index(index), "must not be empty"));
        }
    }
}

/// Almost everything of a pod's spec is fixed once it is stored.
fn validate_update(new: &PodSpec, old: &PodSpec, path: &FieldPath<'_>, errors: &mut Errors) {
    for (field, new, old) in [
        ("containers", new.containers.len(), old.containers.len()),
        (
            "initContainers",
            new.init_containers.as_ref().map_or(0, Vec::len),
            old.init_containers.as_ref().map_or(0, Vec::len),
        ),
    ] {
        if new != old {
            errors.push(FieldError::forbidden(
                &path.child(field),
                "pod updates may not add or remove containers",
            ));
            return;
        }
    }
    let old_tolerations = old.tolerations.as_deref().unwrap_or_default();
    let new_tolerations = new.tolerations.as_deref().unwrap_or_default();
    if !old_tolerations.iter().all(|toleration| new_tolerations.contains(toleration)) {
        errors.push(FieldError::forbidden(
            &path.child("tolerations"),
            "existing toleration can not be modified except its tolerationSeconds",
        ));
    }

    // What may change is made equal; whatever differs then may not.
    let mut allowed = new.clone();
    allowed.active_deadline_seconds = old.active_deadline_seconds;
    allowed.tolerations.clone_from(&old.tolerations);
    if old.termination_grace_period_seconds.is_some_and(|seconds| seconds < 0)
        && new.termination_grace_period_seconds == Some(1)
    {
        allowed.termination_grace_period_seconds = old.termination_grace_period_seconds;
    }
    // Kubernetes has a Binding for this; here the scheduler writes the field, once.
    if old.node_name.as_deref().is_none_or(str::is_empty) {
        allowed.node_name.clone_from(&old.node_name);
    }
    let pairs = allowed.containers.iter_mut().zip(&old.containers).chain(
        allowed.init_containers.iter_mut().flatten().zip(old.init_containers.iter().flatten()),
    );
    for (new, old) in pairs {
        new.image.clone_from(&old.image);
    }
    if allowed != *old {
        errors.push(FieldError::forbidden(
            path,
            "pod updates may not change fields other than `spec.containers[*].image`,\
             `spec.initContainers[*].image`,`spec.activeDeadlineSeconds`,`spec.tolerations` (only additions to \
             existing tolerations),`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was \
             previously negative)",
        ));
    }
}
