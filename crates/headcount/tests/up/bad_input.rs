//! Manifests that are wrong: each is reported with file, line, field and what to do; the rest is applied.

use crate::support::Up;
use hickory_proto::op::ResponseCode;

#[test]
fn every_mistake_is_reported_where_it_is_and_the_rest_is_applied() {
    let up = Up::ephemeral(&["-f", "crates/headcount/tests/fixtures/bad", "-f", "examples/redis"]);
    assert_eq!(up.stderr(), include_str!("../fixtures/bad.stderr"));

    assert_eq!(up.records("redis-headless.default.svc.cluster.local.", "A").len(), 3);
    let rcode = |name: &str| up.ask(&format!("{name}.default.svc.cluster.local."), "A").rcode();
    assert_eq!(rcode("before-the-error"), ResponseCode::NoError);
    for absent in ["broken", "typo", "out-of-range", "with-scheme"] {
        assert_eq!(rcode(absent), ResponseCode::NXDomain, "{absent}");
    }
    for service in ["before-the-error", "after-the-error", "matches-nothing"] {
        assert!(up.printed.contains(&format!("service/{service} created")), "{}", up.printed);
    }
    let (status, _) = up.stop();
    assert_eq!(status.code(), Some(1), "findings");
}
