//! The rules: a file each, named by code and subject. Codes up to HC099 are of what goes wrong with Services, shared with
//! live checks; from HC100 on, of texts and objects that cannot be used.

use super::rule::Rule;

macro_rules! rules {
    ($($module:ident),* $(,)?) => {
        $(mod $module;)*

        /// Every rule, by code.
        pub const RULES: &[Rule] = &[$($module::RULE),*];
    };
}

rules! {
    hc001_governing_service_missing,
    hc002_governing_service_not_headless,
    hc003_selector_matches_nothing,
    hc004_names_of_another_service,
    hc005_service_name_changed,
    hc006_overlapping_controllers,
    hc007_selector_too_broad,
    hc008_conflicting_ports,
    hc009_named_target_port_missing,
    hc010_target_port_protocol,
    hc011_headless_port_not_target,
    hc012_unnamed_port,
    hc014_headless_without_ports,
    hc015_port_name_refused,
    hc016_headless_with_a_type,
    hc017_ignored_on_headless,
    hc018_readiness_waits_for_peers,
    hc019_published_client_service,
    hc020_tolerate_unready_annotation,
    hc021_published_for_clients,
    hc022_ordered_quorum,
    hc023_ordered_rollout_stuck,
    hc024_update_takes_the_quorum,
    hc026_partial_peer_list,
    hc027_external_name_address,
    hc028_external_name_spelling,
    hc029_external_name_trailing_dot,
    hc030_external_name_short,
    hc031_external_name_target_missing,
    hc032_external_name_loop,
    hc033_external_name_ports,
    hc034_external_name_selector,
    hc035_external_name_host,
    hc036_external_name_own_host,
    hc037_search_path_ambiguous,
    hc038_endpoints_stray,
    hc039_slice_stray,
    hc040_slice_port_name,
    hc041_endpoints_deprecated,
    hc043_endpoint_address,
    hc044_stateful_set_name_too_long,
    hc045_service_name_begins_with_digit,
    hc046_hard_coded_domain,
    hc047_service_variable,
    hc048_wildcard_query,
    hc049_cluster_ip_changed,
    hc050_egress_without_dns,
    hc051_host_network_dns,
    hc052_jvm_name_cache,
    hc053_nginx_upstream,
    hc055_large_answer,
    hc056_ndots,
    hc057_headless_single_stack,
    hc058_certificate_without_pod_names,
    hc059_ingress_needs_node_ports,
    hc060_istio_headless,
    hc061_peers_behind_cluster_ip,
    hc062_policy_blocks_clients,
    // Texts and objects that cannot be used.
    hc100_unreadable,
    hc101_refused_value,
    hc102_unknown_field,
    hc103_object_twice,
    hc104_kind_not_served,
    hc105_not_kubernetes,
    hc106_template,
    hc107_allowance,
}

pub(super) use hc101_refused_value::RULE as REFUSED_VALUE;
pub(super) use hc107_allowance::{RULE as ALLOWANCE, unused as unused_allowance};

/// The rule with this code, in any case.
pub fn by_code(code: &str) -> Option<&'static Rule> {
    RULES.iter().find(|rule| rule.code.eq_ignore_ascii_case(code))
}
