//! What StatefulSets, Deployments and ReplicaSets have in common.

use k8s_openapi::api::core::v1::PodTemplateSpec;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{LabelSelector, LabelSelectorRequirement};
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;
use serde::Serialize;
use serde_json::Value;

use super::{metadata, names};
use crate::field::{FieldError, FieldPath};
use crate::selector;

/// Checks a workload's selector and that its own template's pods are selected. `spec` is the workload's.
pub(crate) fn selector(
    of: &LabelSelector,
    template: Option<&PodTemplateSpec>,
    spec: &FieldPath<'_>,
    errors: &mut Vec<FieldError>,
) {
    let path = spec.child("selector");
    let LabelSelector { match_labels, match_expressions } = of;
    let has_labels = match_labels.as_ref().is_some_and(|labels| !labels.is_empty());
    let has_expressions = match_expressions.as_ref().is_some_and(|terms| !terms.is_empty());
    if !has_labels && !has_expressions {
        errors.push(FieldError::required(&path, ""));
        return;
    }
    let before = errors.len();
    label_selector(of, &path, errors);
    if errors.len() > before {
        return;
    }
    let labels = template
        .and_then(|template| template.metadata.as_ref()?.labels.clone())
        .unwrap_or_default();
    let matches =
        selector::LabelSelector::from_object(of).is_ok_and(|selector| selector.matches(&labels));
    if !matches {
        let path = spec.child("template");
        let path = path.child("metadata");
        errors.push(FieldError::invalid(
            &path.child("labels"),
            json(&labels),
            "`selector` does not match template `labels`",
        ));
    }
}

/// Checks a selector at `path` (Kubernetes' `ValidateLabelSelector`).
pub(crate) fn label_selector(
    of: &LabelSelector,
    path: &FieldPath<'_>,
    errors: &mut Vec<FieldError>,
) {
    let LabelSelector { match_labels, match_expressions } = of;
    metadata::labels(&path.child("matchLabels"), match_labels.as_ref(), errors);
    let list = path.child("matchExpressions");
    for (index, expression) in match_expressions.iter().flatten().enumerate() {
        let path = list.index(index);
        let LabelSelectorRequirement { key, operator, values } = expression;
        let has_values = values.as_ref().is_some_and(|values| !values.is_empty());
        match operator.as_str() {
            "In" | "NotIn" if !has_values => errors.push(FieldError::required(
                &path.child("values"),
                "must be specified when `operator` is 'In' or 'NotIn'",
            )),
            "Exists" | "DoesNotExist" if has_values => errors.push(FieldError::forbidden(
                &path.child("values"),
                "may not be specified when `operator` is 'Exists' or 'DoesNotExist'",
            )),
            "In" | "NotIn" | "Exists" | "DoesNotExist" => {}
            other => errors.push(FieldError::invalid(
                &path.child("operator"),
                other,
                "not a valid selector operator",
            )),
        }
        errors.extend(
            names::qualified_name(key)
                .into_iter()
                .map(|text| FieldError::invalid(&path.child("key"), key.as_str(), text)),
        );
        let list = path.child("values");
        for (index, value) in values.iter().flatten().enumerate() {
            let problems = names::label_value(value).into_iter();
            let at = list.index(index);
            errors.extend(problems.map(|text| FieldError::invalid(&at, value.as_str(), text)));
        }
    }
}

/// Checks that a field keeps its value.
pub(crate) fn immutable<T: PartialEq + Serialize>(
    new: &T,
    old: &T,
    path: &FieldPath<'_>,
    errors: &mut Vec<FieldError>,
) {
    if new != old {
        errors.push(FieldError::invalid(path, json(new), "field is immutable"));
    }
}

/// Checks a count.
pub(crate) fn not_negative(count: Option<i32>, path: &FieldPath<'_>, errors: &mut Vec<FieldError>) {
    if let Some(count) = count.filter(|count| *count < 0) {
        errors.push(FieldError::invalid(path, count, "must be greater than or equal to 0"));
    }
}

/// Checks a count or a percentage.
pub(crate) fn count_or_percentage(
    value: &IntOrString,
    path: &FieldPath<'_>,
    errors: &mut Vec<FieldError>,
) {
    match value {
        IntOrString::Int(count) => not_negative(Some(*count), path, errors),
        IntOrString::String(text) => {
            let digits = text.strip_suffix('%').unwrap_or_default();
            if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
                errors.push(FieldError::invalid(
                    path,
                    text.as_str(),
                    "a valid percent string must be a numeric string followed by an ending '%' (e.g. '1%',  or \
                     '93%', regex used for validation is '[0-9]+%')",
                ));
            }
        }
    }
}

/// Whether a count or a percentage is none at all.
pub(crate) fn is_zero(value: &IntOrString) -> bool {
    match value {
        IntOrString::Int(count) => *count == 0,
        IntOrString::String(text) => text
            .strip_suffix('%')
            .is_some_and(|digits| !digits.is_empty() && digits.bytes().all(|digit| digit == b'0')),
    }
}

fn json<T: Serialize>(value: &T) -> Value {
    serde_json::to_value(value).unwrap_or_default()
}
