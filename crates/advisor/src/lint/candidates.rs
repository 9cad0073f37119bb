//! Workloads by pieces of their pods' labels, to find those that a selector almost takes.

use std::collections::{BTreeMap, HashMap, HashSet};

use serde_json::Value;

use super::{Objects, Workload};

/// How many of those that share a piece are looked at; more would rarely tell more.
const OF_A_PIECE_MAX: usize = 32;

type Labels = BTreeMap<String, String>;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Piece<'o> {
    Key(&'o str),
    Value(&'o str),
}

/// An index of all workloads.
#[derive(Debug, Default)]
pub(super) struct Candidates<'o> {
    /// By a label, over all namespaces.
    by_label: HashMap<(&'o str, &'o str), Vec<&'o Workload>>,
    /// By a key or a value of a label, in a namespace.
    by_piece: HashMap<(&'o str, Piece<'o>), Vec<&'o Workload>>,
    /// By namespace, labels of pods that only another mistake, or ignorance of a kind, hides.
    hidden: HashMap<&'o str, Vec<&'o Value>>,
    /// Namespaces and names of objects of kinds that are not known here.
    foreign: HashSet<(&'o str, &'o str)>,
}

impl<'o> Candidates<'o> {
    pub(super) fn of(objects: &'o Objects) -> Self {
        let mut of = Self::default();
        for workload in &objects.workloads {
            let namespace = workload.reference.namespace.as_str();
            for (key, value) in &workload.labels {
                of.by_label.entry((key, value)).or_default().push(workload);
                for piece in [Piece::Key(key), Piece::Value(value)] {
                    let workloads = of.by_piece.entry((namespace, piece)).or_default();
                    if workloads.len() < OF_A_PIECE_MAX {
                        workloads.push(workload);
                    }
                }
            }
            // A selector that does not fit the template is refused; which of the two is right is not known.
            let own = &workload.document.value["spec"]["selector"]["matchLabels"];
            let fits = |(key, value): (&String, &Value)| {
                workload.labels.get(key).map(String::as_str) == value.as_str()
            };
            if !own.as_object().into_iter().flatten().all(fits) {
                of.hidden.entry(namespace).or_default().push(own);
            }
        }
        let refused = objects.refused.iter();
        let refused =
            refused.map(|(document, reference, _)| (reference.namespace.as_str(), &document.value));
        let foreign = objects.foreign.iter().map(|foreign| &foreign.located);
        of.foreign = foreign
            .clone()
            .map(|located| (objects.namespace_of(located), located.name()))
            .collect();
        let foreign = foreign.map(|located| (objects.namespace_of(located), &located.value));
        for (namespace, value) in refused.chain(foreign) {
            if let Some(labels) = template_labels(value) {
                of.hidden.entry(namespace).or_default().push(labels);
            }
        }
        of
    }

    /// A workload of any namespace whose pods have these labels.
    pub(super) fn labelled(&self, labels: &Labels) -> Option<&'o Workload> {
        let with = labels.iter().map(|(key, value)| {
            let workloads = self.by_label.get(&(key.as_str(), value.as_str()));
            workloads.map(Vec::as_slice).unwrap_or_default()
        });
        let rarest = with.min_by_key(|workloads| workloads.len())?;
        let has = |workload: &&&Workload| {
            labels.iter().all(|(key, value)| workload.labels.get(key) == Some(value))
        };
        rarest.iter().find(has).copied()
    }

    /// Workloads of a namespace whose pods' labels share a key or a value with these; some may be there twice.
    pub(super) fn near<'s>(
        &'s self,
        namespace: &'s str,
        labels: &'s Labels,
    ) -> impl Iterator<Item = &'o Workload> + 's {
        let pieces = labels.iter().flat_map(|(key, value)| [Piece::Key(key), Piece::Value(value)]);
        pieces.flat_map(move |piece| {
            self.by_piece.get(&(namespace, piece)).into_iter().flatten().copied()
        })
    }

    /// Whether pods with these labels are hidden in a namespace.
    pub(super) fn hides(&self, namespace: &str, labels: &Labels) -> bool {
        self.hidden.get(namespace).into_iter().flatten().any(|hidden| {
            labels.iter().all(|(key, value)| hidden[key.as_str()].as_str() == Some(value))
        })
    }

    /// Whether an operator most likely makes the pods with these labels: they have the name of an object of its kind,
    /// as in `strimzi.io/cluster: NAME`.
    pub(super) fn is_of_an_operator(&self, namespace: &str, labels: &Labels) -> bool {
        labels.values().any(|value| self.foreign.contains(&(namespace, value.as_str())))
    }
}

/// The labels of the pods that an object makes, whatever its kind is.
fn template_labels(object: &Value) -> Option<&Value> {
    if object["kind"] == "Pod" {
        return object.pointer("/metadata/labels");
    }
    let made = ["/spec/template", "/spec/jobTemplate/spec/template"];
    made.iter().find_map(|template| object.pointer(template)?.pointer("/metadata/labels"))
}
