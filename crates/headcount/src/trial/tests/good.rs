//! Plans that are right, and what is told of them.

use std::time::Duration;

use directory::Name;

use super::plans::{self, Case};
use crate::trial::{Outcome, Plan, Report, verify_within};

fn whens(report: &Report) -> Vec<&str> {
    let mut whens: Vec<&str> = report.checks.iter().map(|check| check.when.as_str()).collect();
    whens.dedup();
    whens
}

async fn check_passes(name: &str, case: &Case) -> Report {
    let report = case.verify().await;
    assert_eq!(report.outcome, Outcome::Passed, "{name}:\n{}", report.lines().join("\n"));
    report
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_shape_passes() {
    for (name, case) in plans::all() {
        let report = check_passes(name, &case).await;
        println!("{}", report.lines().join("\n"));
    }
}
