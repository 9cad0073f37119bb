//! The safe mendings of rules: made in the text, they leave nothing to mend, and touch nothing else.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use advisor::lint::{Finding, Objects, Options, check as lint, fix};
use manifest::read::read_any;

fn findings(text: &str) -> Vec<Finding> {
    let reading = read_any("all.yaml", text);
    assert_eq!(reading.problems, []);
    lint(&Objects::new(reading.documents, reading.foreign, Options::default()))
}

/// The lines of a text that another one does not have as often.
fn without<'t>(text: &'t str, other: &str) -> Vec<&'t str> {
    let mut others: Vec<&str> = other.lines().collect();
    let mut left = Vec::new();
    for line in text.lines() {
        match others.iter().position(|other| *other == line) {
            Some(at) => {
                others.swap_remove(at);
            }
            None => left.push(line),
        }
    }
    left
}

/// Makes the fixes of a fixture; lines that begin with `-` went away, and those with `+` came.
#[track_caller]
fn check(fixture: &str, expected: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures").join(fixture);
    let before = std::fs::read_to_string(path).expect("a fixture");
    let mut text = before.clone();
    while findings(&text).iter().any(|finding| finding.fix.is_some()) {
        let mut texts = BTreeMap::from([(Arc::from("all.yaml"), text.clone())]);
        let fixes = fix(&mut texts, &findings(&text));
        assert!(!fixes.made.is_empty() && fixes.refused.is_empty(), "{fixture}: {fixes:?}");
        text = texts.remove("all.yaml").expect("the text");
    }
    let gone = without(&before, &text).into_iter().map(|line| format!("-{line}\n"));
    let came = without(&text, &before).into_iter().map(|line| format!("+{line}\n"));
    assert_eq!(gone.chain(came).collect::<String>(), expected, "{fixture}: {text}");
}

#[test]
fn what_does_nothing_goes() {
    check(
        "HC017/bad.yaml",
        "\
-  sessionAffinity: ClientIP # HC017
-  sessionAffinityConfig:
-    clientIP:
-      timeoutSeconds: 60
-  internalTrafficPolicy: Local # HC017
",
    );
}

#[test]
fn a_field_takes_the_place_of_its_annotation() {
    // Of two lines that are alike the later one counts as new.
    check(
        "HC020/bad.yaml",
        r#"-  annotations:
-    service.alpha.kubernetes.io/tolerate-unready-endpoints: "true" # HC020
-  annotations:
-    service.alpha.kubernetes.io/tolerate-unready-endpoints: "true" # HC020
-  annotations:
-    service.alpha.kubernetes.io/tolerate-unready-endpoints: "false" # HC020
+  annotations: {}
+  annotations: {}
+  publishNotReadyAddresses: true
+  annotations: {}
"#,
    );
}
