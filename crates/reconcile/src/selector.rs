//! Label selectors of sets and Deployments.

use k8s_openapi::apimachinery::pkg::apis::meta::v1;
use manifest::selector::LabelSelector;

/// The selector in a form that matches. An empty or malformed one matches nothing here: the API refuses both, and
/// a set that takes every pod of its namespace is never what was meant.
pub(crate) fn compile(selector: &v1::LabelSelector) -> LabelSelector {
    match LabelSelector::from_object(selector) {
        Ok(selector) if !selector.is_everything() => selector,
        _ => LabelSelector::nothing(),
    }
}
