//! Which Services select which workloads.
//!
//! Services with one selector select alike, and workloads with one set of labels are selected alike, so both are compared
//! as groups: five thousand Services over five thousand workloads of one label are one comparison.

use std::collections::{BTreeMap, HashMap};

use k8s_openapi::api::core::v1::Service;

use super::objects::Item;
use super::workload::Workload;

type Labels = BTreeMap<String, String>;

#[derive(Debug, Default)]
pub(super) struct Selecting {
    /// Services by namespace and selector, and the workloads that they select.
    selectors: HashMap<(String, Labels), usize>,
    selected: Vec<Selected>,
    /// The group of labels that each workload is in.
    groups: Vec<usize>,
    /// The selectors that select each group.
    selecting: Vec<Vec<usize>>,
}

#[derive(Debug, Default)]
struct Selected {
    services: Vec<usize>,
    workloads: Vec<usize>,
}

impl Selecting {
    pub(super) fn new(services: &[Item<Service>], workloads: &[Workload]) -> Self {
        let mut by_labels: HashMap<(&str, &Labels), usize> = HashMap::new();
        // Each group's workloads, the first of which stands for all.
        let mut members: Vec<Vec<usize>> = Vec::new();
        let mut groups = Vec::with_capacity(workloads.len());
        for (at, workload) in workloads.iter().enumerate() {
            let next = members.len();
            let group =
                *by_labels.entry((&workload.reference.namespace, &workload.labels)).or_insert(next);
            if group == next {
                members.push(Vec::new());
            }
            members[group].push(at);
            groups.push(group);
        }
        let mut by_label: HashMap<(&str, &str, &str), Vec<usize>> = HashMap::new();
        for ((namespace, labels), group) in &by_labels {
            for (key, value) in *labels {
                by_label.entry((namespace, key, value)).or_default().push(*group);
            }
        }
        let mut index =
            Self { groups, selecting: vec![Vec::new(); members.len()], ..Self::default() };
        for (at, service) in services.iter().enumerate() {
            let Some(selector) = service.selector() else { continue };
            let namespace = service.reference.namespace.as_str();
            let key = (namespace.to_owned(), selector.clone());
            let next = index.selected.len();
            let known = *index.selectors.entry(key).or_insert(next);
            if known == next {
                let candidates = selector.iter().map(|(key, value)| {
                    let label = (namespace, key.as_str(), value.as_str());
                    by_label.get(&label).map(Vec::as_slice).unwrap_or_default()
                });
                let narrowest = candidates.min_by_key(|groups| groups.len()).unwrap_or_default();
                let mut selected = Selected::default();
                for group in narrowest {
                    let labels = &workloads[members[*group][0]].labels;
                    if selector.iter().all(|(key, value)| labels.get(key) == Some(value)) {
                        selected.workloads.extend(&members[*group]);
                        index.selecting[*group].push(known);
                    }
                }
                selected.workloads.sort_unstable();
                index.selected.push(selected);
            }
            index.selected[known].services.push(at);
        }
        index
    }

    /// The workloads that a Service selects, in their order.
    pub(super) fn selected<'s>(
        &'s self,
        service: &Item<Service>,
    ) -> impl Iterator<Item = usize> + 's {
        let key = service.selector().map(|it| (service.reference.namespace.clone(), it.clone()));
        let selected = key.and_then(|key| self.selectors.get(&key)).map(|at| &self.selected[*at]);
        selected.into_iter().flat_map(|selected| selected.workloads.iter().copied())
    }

    /// The Services that select a workload; those with one selector beside one another.
    pub(super) fn selecting(&self, workload: usize) -> impl Iterator<Item = usize> + '_ {
        let group = self.groups.get(workload);
        let selectors = group.into_iter().flat_map(|group| &self.selecting[*group]);
        selectors.flat_map(|at| self.selected[*at].services.iter().copied())
    }
}
