//! What to run after applying a design, and what it prints then.

mod lookups;
mod objects;
mod outside;
mod slices;

use super::intent::{Identity, Intent, Shape, Workload};
use lookups::{look_up_alias, look_up_all, look_up_one, look_up_ports, look_up_virtual};
use objects::{come_back, rollout, services};
use outside::{certificate, exposure, reach};
use slices::{client_slices, headless_slices, kept_slices, no_slices};

/// A thing to check.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// What it shows.
    pub shows: String,
    /// What to run.
    pub command: String,
    /// What it prints then; what differs from cluster to cluster is in angle brackets.
    pub expect: Vec<String>,
    /// The same from outside of the pods, for a look-up.
    pub local: Option<Local>,
}

/// A look-up from the machine that `headcount up` runs on: its pods are simulated unless they are asked to run, and a simulated
/// pod has no shell to ask from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Local {
    /// What to run.
    pub command: String,
    /// What it prints then.
    pub expect: Vec<String>,
}

pub(super) fn checklist(intent: &Intent) -> Vec<Step> {
    let mut steps = vec![services(intent)];
    match &intent.workload {
        Workload::Pods(pods) => {
            steps.push(rollout(intent, pods.kind));
            steps.push(slices::slices(intent));
            if let Some(service) = intent.peer_service() {
                steps.push(headless_slices(intent, &service));
            }
            if let Some(service) = intent.client_service() {
                steps.push(client_slices(intent, &service));
            }
            if let Some(service) = intent.peer_service() {
                steps.push(look_up_all(intent, &service));
                steps.extend(look_up_one(intent, &service));
                steps.extend(look_up_ports(intent, &service));
            }
            if let Some(service) = intent.client_service() {
                steps.push(look_up_virtual(intent, &service));
            }
            steps.extend(come_back(intent));
        }
        Workload::Host(host) => {
            steps.push(no_slices(intent));
            steps.push(look_up_alias(intent, host));
            steps.extend(reach(intent));
            steps.extend(certificate(intent, host));
        }
        Workload::Addresses { .. } => {
            steps.push(kept_slices(intent));
            match intent.shape() {
                Shape::Addresses(Identity::Stable) => steps.push(look_up_all(intent, &intent.name)),
                _ => steps.push(look_up_virtual(intent, &intent.name)),
            }
            steps.extend(reach(intent));
        }
    }
    steps.extend(lookups::from_elsewhere(intent));
    steps.extend(exposure(intent));
    steps
}

/// Rows as kubectl prints them: columns three apart.
fn table(rows: &[Vec<String>]) -> Vec<String> {
    let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
    let width = |at: usize| {
        rows.iter().filter_map(|row| row.get(at)).map(|cell| cell.chars().count()).max()
    };
    let widths: Vec<usize> = (0..columns).map(|at| width(at).unwrap_or(0) + 3).collect();
    let line = |row: &Vec<String>| {
        let cells = row.iter().zip(&widths).map(|(cell, width)| format!("{cell:width$}"));
        cells.collect::<String>().trim_end().to_owned()
    };
    rows.iter().map(line).collect()
}

fn row<const N: usize>(cells: [&str; N]) -> Vec<String> {
    cells.map(str::to_owned).to_vec()
}

/// A line for each pod: the first ones and the last, where they are many.
fn per_pod(pods: &[String], line: impl Fn(&str) -> Vec<String>) -> Vec<String> {
    let of = |pods: &[String]| pods.iter().flat_map(|pod| line(pod)).collect::<Vec<_>>();
    match pods {
        [first @ .., last] if pods.len() > 6 => {
            let mut lines = of(&first[..3]);
            lines.push(format!("<and so on, {} in all>", pods.len()));
            lines.extend(line(last));
            lines
        }
        _ => of(pods),
    }
}

/// The pods of a StatefulSet, or as many placeholders as a Deployment has.
fn pods(intent: &Intent) -> Vec<String> {
    match intent.pod_names() {
        names if !names.is_empty() => names,
        _ => {
            let replicas = intent.pods().map_or(0, |pods| pods.replicas);
            (0..replicas).map(|_| format!("{}-<hash>", intent.name)).collect()
        }
    }
}
