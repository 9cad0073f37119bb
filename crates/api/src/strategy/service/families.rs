//! IP families of Services (Kubernetes documentation, "IPv4/IPv6 dual-stack").

use manifest::field::{FieldError, FieldPath};
use serde_json::{Value, json};

use super::{cluster_ips, is_headless, needs_cluster_ip, set_cluster_ips};
use crate::allocate::Family;
use crate::object::strings;

/// Fills in `ipFamilyPolicy` and `ipFamilies` from the addresses, the selector and the cluster's families. What does
/// not fit is left for [`check`].
pub(crate) fn prepare_families(service: &mut Value, configured: &[Family]) {
    if !needs_cluster_ip(service) {
        return;
    }
    let Some(primary) = configured.first() else { return };
    let mut families: Vec<String> =
        strings(&service["spec"]["ipFamilies"]).into_iter().map(str::to_owned).collect();
    let ips: Vec<String> = cluster_ips(service).into_iter().map(str::to_owned).collect();
    let headless_without_selector = is_headless(service)
        && service["spec"]["selector"].as_object().is_none_or(serde_json::Map::is_empty);

    if service["spec"]["ipFamilyPolicy"].as_str().unwrap_or("").is_empty() {
        let dual = families.len() == 2 || ips.len() == 2 || headless_without_selector;
        service["spec"]["ipFamilyPolicy"] =
            if dual { "RequireDualStack" } else { "SingleStack" }.into();
    }
    let policy = service["spec"]["ipFamilyPolicy"].as_str().unwrap_or("").to_owned();

    for ip in ips.iter().skip(families.len()) {
        if let Ok(ip) = ip.parse() {
            families.push(Family::of(ip).name().to_owned());
        }
    }
    if families.is_empty() {
        families.push(primary.name().to_owned());
    }
    let wants_second = match policy.as_str() {
        "PreferDualStack" => configured.len() == 2,
        "RequireDualStack" => configured.len() == 2 || headless_without_selector,
        _ => false,
    };
    if wants_second && families.len() == 1 {
        let second = if families[0] == Family::V4.name() { Family::V6 } else { Family::V4 };
        families.push(second.name().to_owned());
    }
    service["spec"]["ipFamilies"] = json!(families);
}

/// From dual to single stack: the second family and its address go, unless the client changed them.
pub(super) fn trim_to_single_stack(old: &Value, new: &mut Value) {
    let policy =
        |service: &Value| service["spec"]["ipFamilyPolicy"].as_str().unwrap_or("").to_owned();
    if policy(old) == "SingleStack" || policy(new) != "SingleStack" || !needs_cluster_ip(new) {
        return;
    }
    if cluster_ips(old) == cluster_ips(new) && cluster_ips(new).len() == 2 {
        let first = cluster_ips(new)[0].to_owned();
        set_cluster_ips(new, &[first]);
    }
    let families = &mut new["spec"]["ipFamilies"];
    if old["spec"]["ipFamilies"] == *families
        && let Some(list) = families.as_array_mut()
    {
        list.truncate(1);
    }
}

/// What of the families this cluster cannot give.
pub(super) fn check(service: &Value, configured: &[Family]) -> Vec<FieldError> {
    let spec = FieldPath::new("spec");
    let mut errors = Vec::new();
    let headless_without_selector = is_headless(service)
        && service["spec"]["selector"].as_object().is_none_or(serde_json::Map::is_empty);
    if headless_without_selector {
        // Its addresses come from slices that somebody writes, of whichever family.
        return errors;
    }
    if service["spec"]["ipFamilyPolicy"] == "RequireDualStack" && configured.len() < 2 {
        errors.push(FieldError::invalid(
            &spec.child("ipFamilyPolicy"),
            "RequireDualStack",
            "this cluster is not configured for dual-stack services",
        ));
    }
    if service["spec"]["ipFamilyPolicy"] == "SingleStack" {
        let lists = [
            ("ipFamilies", strings(&service["spec"]["ipFamilies"]).len()),
            ("clusterIPs", cluster_ips(service).len()),
        ];
        for (field, _) in lists.iter().filter(|(_, length)| *length > 1) {
            errors.push(FieldError::invalid(
                &spec.child("ipFamilyPolicy"),
                "SingleStack",
                format!(
                    "must be RequireDualStack or PreferDualStack when multiple '{field}' are specified"
                ),
            ));
        }
    }
    let families = spec.child("ipFamilies");
    for (index, family) in strings(&service["spec"]["ipFamilies"]).into_iter().enumerate() {
        let known = ["IPv4", "IPv6"].contains(&family);
        if known && !configured.iter().any(|configured| configured.name() == family) {
            let detail = "not configured on this cluster";
            errors.push(FieldError::invalid(&families.index(index), family, detail));
        }
    }
    errors
}
