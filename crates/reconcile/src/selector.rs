//! Label selectors of sets and Deployments.

use std::collections::BTreeMap;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::LabelSelector;

/// Whether a selector matches these labels. An empty selector matches nothing here: the API refuses it for the
/// kinds that have one, and a set that takes every pod of its namespace is never what was meant.
pub(crate) fn matches(selector: &LabelSelector, labels: &BTreeMap<String, String>) -> bool {
    let pairs = selector.match_labels.iter().flatten();
    let expressions = selector.match_expressions.as_deref().unwrap_or_default();
    if selector.match_labels.as_ref().is_none_or(BTreeMap::is_empty) && expressions.is_empty() {
        return false;
    }
    pairs.into_iter().all(|(key, value)| labels.get(key) == Some(value))
        && expressions.iter().all(|requirement| {
            let value = labels.get(&requirement.key);
            let among = || {
                value.is_some_and(|value| {
                    requirement.values.iter().flatten().any(|wanted| wanted == value)
                })
            };
            match requirement.operator.as_str() {
                "In" => among(),
                "NotIn" => !among(),
                "Exists" => value.is_some(),
                "DoesNotExist" => value.is_none(),
                _ => false,
            }
        })
}
