//! Redis: servers and sentinels that know one another by host names.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::members::{Death, Members, becomes, without_rights};
use crate::support::Up;

/// What the sentinel of a pod says of whom it watches: who leads, who follows with what state of the link, and the other sentinels.
fn view(
    members: &Members,
    ordinal: usize,
) -> (String, BTreeSet<(String, String)>, BTreeSet<String>) {
    let ask = |what: &str| -> Value {
        let words = ["redis-cli", "-p", "26379", "--json", "sentinel", what, "main"];
        serde_json::from_str(&members.exec_in(ordinal, "sentinel", &words)).unwrap_or_default()
    };
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let all = |value: Value| value.as_array().cloned().unwrap_or_default();
    let leader = text(&ask("get-master-addr-by-name")[0]);
    let replicas = all(ask("replicas"));
    let replicas = replicas.iter().map(|it| (text(&it["ip"]), text(&it["master-link-status"])));
    let sentinels = all(ask("sentinels"));
    let sentinels = sentinels.iter().filter(|it| it["flags"] == "sentinel");
    (leader, replicas.collect(), sentinels.map(|it| text(&it["ip"])).collect())
}

/// All sentinels say that this one leads and the others follow it; each is told by its name.
#[track_caller]
fn check_led_by(members: &Members, leader: usize) {
    let hosts = |but: usize| (0..3).filter(move |it| *it != but).map(|it| members.host(it));
    for ordinal in 0..3 {
        let replicas = hosts(leader).map(|host| (host, "ok".to_owned())).collect();
        let expected = (members.host(leader), replicas, hosts(ordinal).collect());
        becomes("a sentinel knows all", expected, || view(members, ordinal));
    }
}

fn value(members: &Members, ordinal: usize) -> String {
    members.exec_in(ordinal, "redis", &["redis-cli", "get", "motto"]).trim().to_owned()
}

#[test]
fn redis_and_its_sentinels_know_one_another_by_name() {
    let members = Members::form(without_rights(), "redis-sentinel", "redis-node", "redis-peers");
    check_led_by(&members, 0);
    let motto = || "names outlive addresses".to_owned();
    members.exec(0, &["redis-cli", "set", "motto", &motto()]);
    becomes("another has it", motto(), || value(&members, 2));

    // The leader goes; when it is back it follows the one that the sentinels chose.
    members.kill(0, Death::Asked);
    let next = (1..3).find(|it| view(&members, 1).0 == members.host(*it));
    let next = next.expect("another leads");
    check_led_by(&members, next);
    assert_eq!(value(&members, 0), motto());

    // One that follows goes.
    let follower = 3 - next;
    members.kill(follower, Death::Forced);
    check_led_by(&members, next);
    assert_eq!(value(&members, follower), motto());

    // Who asks any sentinel, through the Service, is told a name too.
    let ask = ["redis-cli", "-h", "redis-sentinel", "-p", "26379", "sentinel"];
    let told = members.run(&[&ask[..], &["get-master-addr-by-name", "main"]].concat());
    assert_eq!(told.lines().next(), Some(&*members.host(next)));
}

/// The servers of the image's own command answer others, with its arguments and without.
#[test]
fn redis_answers_others() {
    let up = Up::ephemeral(&["--pods", "process", "-f", "examples/redis"]);
    up.kubectl(&["rollout", "status", "statefulset/redis", "--timeout=60s"]);
    let cli = |host: &str, words: &[&str]| {
        let arguments = [&["exec", "redis-1", "--", "redis-cli", "-h", host], words].concat();
        up.kubectl(&arguments).trim().to_owned()
    };
    let first = "redis-0.redis-headless";
    assert_eq!(cli(first, &["ping"]), "PONG");
    assert_eq!(cli(first, &["config", "get", "appendonly"]), "appendonly\nno");

    // Options alone are the server's.
    let args = ["--image=redis:7", "--restart=Never", "--", "--appendonly", "yes"];
    up.kubectl(&[&["run", "options"], &args[..]].concat());
    up.kubectl(&["wait", "--for=condition=Ready", "pod/options", "--timeout=30s"]);
    let address = up.kubectl(&["get", "pod", "options", "-o", "jsonpath={.status.podIP}"]);
    becomes("it listens", "appendonly\nyes".to_owned(), || {
        let words =
            ["exec", "redis-1", "--", "redis-cli", "-h", &address, "config", "get", "appendonly"];
        String::from_utf8_lossy(&up.kubectl_output(&words, "").stdout).trim().to_owned()
    });
}
