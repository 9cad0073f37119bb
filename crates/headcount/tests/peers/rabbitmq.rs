//! Nodes of RabbitMQ.

use serde_json::Value;

use crate::members::{Death, Members, becomes};

/// The nodes that run, as one of them says.
fn running(members: &Members, ordinal: usize) -> Vec<String> {
    let words = ["rabbitmqctl", "--formatter", "json", "cluster_status"];
    let text = members.exec_in(ordinal, "rabbitmq", &words);
    let status: Value = serde_json::from_str(&text).unwrap_or_default();
    let nodes = status["running_nodes"].as_array().into_iter().flatten();
    let mut nodes: Vec<_> = nodes.filter_map(|node| node.as_str().map(str::to_owned)).collect();
    nodes.sort();
    nodes
}

fn parameters(members: &Members, ordinal: usize) -> String {
    members.exec(ordinal, &["rabbitmqctl", "-q", "list_global_parameters"])
}

#[test]
fn rabbitmq_forms_by_dns() {
    let members = Members::form("rabbitmq", "rabbitmq", "rabbitmq");
    let all: Vec<_> = (0..3).map(|ordinal| format!("rabbit@{}", members.host(ordinal))).collect();
    becomes("three nodes run", all.clone(), || running(&members, 2));
    members
        .exec(0, &["rabbitmqctl", "set_global_parameter", "motto", r#""names outlive addresses""#]);
    let motto = "motto\t\"names outlive addresses\"";
    assert!(parameters(&members, 2).contains(motto));

    members.kill(0, Death::Forced);
    becomes("three nodes run", all, || running(&members, 0));
    assert!(parameters(&members, 0).contains(motto));
}
