use serde_json::json;

use super::*;

#[test]
fn looks_are_counted() {
    fn check(thresholds: (i32, i32), looks: &str, expected: &str) {
        let (successes, failures) = thresholds;
        let probe = json!({"successThreshold": successes, "failureThreshold": failures});
        let mut tally = Tally::new(&serde_json::from_value(probe).unwrap());
        let decided: String = looks
            .chars()
            .map(|look| match tally.count(look == '+') {
                Some(true) => '+',
                Some(false) => '-',
                None => '.',
            })
            .collect();
        assert_eq!(decided, expected, "{thresholds:?} {looks}");
    }
    check((1, 3), "+", "+");
    check((1, 3), "---+", "..-+");
    check((1, 3), "+--+---+", "+.....-+");
    check((2, 1), "+-+++-", ".-.+.-");
    check((1, 1), "++--", "+.-.");
}

#[test]
fn failed_connections_are_told_as_people_know_them() {
    let check = |failure: &str, expected: &str| assert_eq!(in_go(failure), expected);
    check(
        "connect to 10.0.0.1:80: Connection refused (os error 111)",
        "connect: connection refused",
    );
    check("No route to host (os error 113)", "connect: no route to host");
    check("the engine that runs the pods has ended", "the engine that runs the pods has ended");
    assert_eq!(join("10.0.0.1", 80), "10.0.0.1:80");
    assert_eq!(join("fd00::1", 80), "[fd00::1]:80");
}
