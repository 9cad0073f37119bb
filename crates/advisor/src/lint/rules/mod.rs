//! The rules: a file each, named by code and subject. Codes up to HC099 are of what goes wrong with Services, shared with
//! live checks; from HC100 on, of texts and objects that cannot be used.

use super::rule::Rule;

// Each module twice: rustfmt does not follow modules that a macro declares.
mod hc001_governing_service_missing;
mod hc002_governing_service_not_headless;
mod hc003_selector_matches_nothing;
mod hc004_names_of_another_service;
mod hc005_service_name_changed;
mod hc006_overlapping_controllers;
mod hc007_selector_too_broad;
mod hc008_conflicting_ports;
mod hc009_named_target_port_missing;
mod hc010_target_port_protocol;
mod hc011_headless_port_not_target;
mod hc012_unnamed_port;
mod hc014_headless_without_ports;
mod hc015_port_name_refused;
mod hc016_headless_with_a_type;
mod hc017_ignored_on_headless;
mod hc018_readiness_waits_for_peers;
mod hc019_published_client_service;
mod hc020_tolerate_unready_annotation;
mod hc021_published_for_clients;
mod hc022_ordered_quorum;
mod hc023_ordered_rollout_stuck;
mod hc024_update_takes_the_quorum;
mod hc026_partial_peer_list;
mod hc027_external_name_address;
mod hc028_external_name_spelling;
mod hc029_external_name_trailing_dot;
mod hc030_external_name_short;
mod hc031_external_name_target_missing;
mod hc032_external_name_loop;
mod hc033_external_name_ports;
mod hc034_external_name_selector;
mod hc035_external_name_host;
mod hc036_external_name_own_host;
mod hc037_search_path_ambiguous;
mod hc038_endpoints_stray;
mod hc039_slice_stray;
mod hc040_slice_port_name;
mod hc041_endpoints_deprecated;
mod hc043_endpoint_address;
mod hc044_stateful_set_name_too_long;
mod hc045_service_name_begins_with_digit;
mod hc046_hard_coded_domain;
mod hc047_service_variable;
mod hc048_wildcard_query;
mod hc049_cluster_ip_changed;
mod hc050_egress_without_dns;
mod hc051_host_network_dns;
mod hc052_jvm_name_cache;
mod hc053_nginx_upstream;
mod hc055_large_answer;
mod hc056_ndots;
mod hc057_headless_single_stack;
mod hc058_certificate_without_pod_names;
mod hc059_ingress_needs_node_ports;
mod hc060_istio_headless;
mod hc061_peers_behind_cluster_ip;
mod hc062_policy_blocks_clients;
mod hc100_unreadable;
mod hc101_refused_value;
mod hc102_unknown_field;
mod hc103_object_twice;
mod hc104_kind_not_served;
mod hc105_not_kubernetes;
mod hc106_template;
mod hc107_allowance;

/// Every rule, by code.
pub const RULES: &[Rule] = &[
    hc001_governing_service_missing::RULE,
    hc002_governing_service_not_headless::RULE,
    hc003_selector_matches_nothing::RULE,
    hc004_names_of_another_service::RULE,
    hc005_service_name_changed::RULE,
    hc006_overlapping_controllers::RULE,
    hc007_selector_too_broad::RULE,
    hc008_conflicting_ports::RULE,
    hc009_named_target_port_missing::RULE,
    hc010_target_port_protocol::RULE,
    hc011_headless_port_not_target::RULE,
    hc012_unnamed_port::RULE,
    hc014_headless_without_ports::RULE,
    hc015_port_name_refused::RULE,
    hc016_headless_with_a_type::RULE,
    hc017_ignored_on_headless::RULE,
    hc018_readiness_waits_for_peers::RULE,
    hc019_published_client_service::RULE,
    hc020_tolerate_unready_annotation::RULE,
    hc021_published_for_clients::RULE,
    hc022_ordered_quorum::RULE,
    hc023_ordered_rollout_stuck::RULE,
    hc024_update_takes_the_quorum::RULE,
    hc026_partial_peer_list::RULE,
    hc027_external_name_address::RULE,
    hc028_external_name_spelling::RULE,
    hc029_external_name_trailing_dot::RULE,
    hc030_external_name_short::RULE,
    hc031_external_name_target_missing::RULE,
    hc032_external_name_loop::RULE,
    hc033_external_name_ports::RULE,
    hc034_external_name_selector::RULE,
    hc035_external_name_host::RULE,
    hc036_external_name_own_host::RULE,
    hc037_search_path_ambiguous::RULE,
    hc038_endpoints_stray::RULE,
    hc039_slice_stray::RULE,
    hc040_slice_port_name::RULE,
    hc041_endpoints_deprecated::RULE,
    hc043_endpoint_address::RULE,
    hc044_stateful_set_name_too_long::RULE,
    hc045_service_name_begins_with_digit::RULE,
    hc046_hard_coded_domain::RULE,
    hc047_service_variable::RULE,
    hc048_wildcard_query::RULE,
    hc049_cluster_ip_changed::RULE,
    hc050_egress_without_dns::RULE,
    hc051_host_network_dns::RULE,
    hc052_jvm_name_cache::RULE,
    hc053_nginx_upstream::RULE,
    hc055_large_answer::RULE,
    hc056_ndots::RULE,
    hc057_headless_single_stack::RULE,
    hc058_certificate_without_pod_names::RULE,
    hc059_ingress_needs_node_ports::RULE,
    hc060_istio_headless::RULE,
    hc061_peers_behind_cluster_ip::RULE,
    hc062_policy_blocks_clients::RULE,
    hc100_unreadable::RULE,
    hc101_refused_value::RULE,
    hc102_unknown_field::RULE,
    hc103_object_twice::RULE,
    hc104_kind_not_served::RULE,
    hc105_not_kubernetes::RULE,
    hc106_template::RULE,
    hc107_allowance::RULE,
];

pub(super) use hc101_refused_value::RULE as REFUSED_VALUE;
pub(super) use hc107_allowance::{RULE as ALLOWANCE, unused as unused_allowance};

/// The rule with this code, in any case.
pub fn by_code(code: &str) -> Option<&'static Rule> {
    RULES.iter().find(|rule| rule.code.eq_ignore_ascii_case(code))
}
