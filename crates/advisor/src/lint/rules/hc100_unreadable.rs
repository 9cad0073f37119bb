use manifest::read::Level;

use crate::lint::texts::Why;
use crate::lint::{Findings, Objects, Rule};

pub(super) const RULE: Rule = Rule {
    code: "HC100",
    level: Level::Error,
    title: "a text that cannot be read",
    explanation: "\
A file that cannot be opened, that is not UTF-8, not YAML and not JSON, in which a key is there twice, or in which an object has no `apiVersion`
or no `kind`. `kubectl apply` stops at it. What else the text holds is checked nevertheless: documents between `---` lines stand for themselves.",
    remedy: "Mend the text at the place shown. Most often it is the indentation, a tab, or a text with a colon that needs quotes.",
    sources: &["YAML 1.2.2 specification", "Kubernetes documentation, Objects in Kubernetes, Required fields"],
    check,
};

fn check(objects: &Objects, findings: &mut Findings<'_>) {
    findings.of_unread(objects, Why::Broken);
}
