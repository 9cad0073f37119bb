use crate::lint::{Findings, Objects, Rule};
use manifest::read::Level;

pub(super) const RULE: Rule = Rule {
    code: "HC044",
    level: Level::Error,
    title: "a StatefulSet's name is too long for the labels of its pods",
    explanation: "\
Each pod of a StatefulSet carries the label `controller-revision-hash`, and its value is the StatefulSet's name, a hyphen and a hash of up to ten
characters. A label's value has at most 63, so a name of more than 52 leaves no room: the StatefulSet itself is accepted, but its pods are refused, and
only its events say so (`FailedCreate … must be no more than 63 characters`). Now and then a hash has nine characters, and a name of 53 works until the
template changes.",
    remedy: "Shorten the name to 52 characters. Under a new name the pods, their DNS names and their volume claims are new, too.",
    sources: &["kubernetes/kubernetes#64023", "Kubernetes, pkg/controller/history: ControllerRevisionName"],
    check,
};

/// The longest label value, without a hyphen and a hash of a 32-bit number in decimal digits.
const NAME_BYTES_MAX: usize = 63 - 1 - 10;

fn check(objects: &Objects, findings: &mut Findings<'_>) {
    for set in &objects.stateful_sets {
        let name = &set.reference.name;
        let length = name.len();
        if length <= NAME_BYTES_MAX {
            continue;
        }
        let over = length - NAME_BYTES_MAX;
        findings
            .add(
                set.subject(),
                set.label("metadata.name", format!("{over} too many")),
                format!("StatefulSet {name} has a name of {length} characters; the labels of its pods have room for {NAME_BYTES_MAX}"),
            )
            .help(format!(
                "the pods would be labelled controller-revision-hash={name}-HASH, which is over 63 characters, and are refused (FailedCreate in \
                 kubectl describe statefulset); shorten the name by {over}"
            ));
    }
}
