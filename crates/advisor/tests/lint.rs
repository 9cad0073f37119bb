//! The engine around the rules: what is allowed, what is said once, what is mended, and that nothing makes it stumble.

use std::collections::BTreeMap;
use std::sync::Arc;

use advisor::lint::rules::by_code;
use advisor::lint::{
    Allowance, Finding, Objects, Options, Report, Selection, Texts, check, fix, run,
};
use proptest::prelude::*;

fn objects(texts: &[(&str, &str)]) -> Objects {
    let mut read = Texts::default();
    for (name, text) in texts {
        read.add(name, Ok(text.as_bytes()));
    }
    Objects::read(read, Options::default())
}

fn lint(text: &str, selection: &Selection) -> Report {
    run(&objects(&[("a.yaml", text)]), selection)
}

/// `CODE line` of each finding.
fn places<'f>(findings: impl IntoIterator<Item = &'f Finding>) -> Vec<String> {
    let place = |finding: &Finding| format!("{} {}", finding.code, finding.primary.span.start.line);
    findings.into_iter().map(place).collect()
}

fn only(codes: &[&str]) -> Selection {
    let only = codes.iter().map(|code| by_code(code).expect("a rule")).collect();
    Selection { only, ..Selection::default() }
}

const SET: &str = "\
apiVersion: apps/v1
kind: StatefulSet
metadata:
  name: db
  annotations: {headcount.dev/allow: ALLOW}
spec:
  serviceName: db
  selector: {matchLabels: {app: db}}
  template:
    metadata: {labels: {app: db}}
    spec: {containers: [{name: db, image: example.org/db}]}
";

#[test]
fn annotations_allow_with_a_reason_and_must_be_needed() {
    let check = |allow: &str, found: &[&str], allowed: &[&str]| {
        let report = lint(&SET.replace("ALLOW", allow), &only(&["HC001", "HC107"]));
        assert_eq!(places(&report.findings), found, "{allow}");
        let reasons: Vec<_> =
            report.allowed.iter().map(|it| it.reason.as_deref().unwrap_or("none")).collect();
        assert_eq!(reasons, allowed, "{allow}");
    };
    check("", &["HC001 7"], &[]);
    check("HC001 another chart brings it", &[], &["another chart brings it"]);
    check("'hc001: another chart, really'", &[], &["another chart, really"]);
    // Without a reason it holds, and is remarked upon.
    check("HC001", &["HC107 5"], &[""]);
    // Of a rule that did not run nothing can be said.
    check("HC002 why not", &["HC001 7"], &[]);
    check("HC999 no such", &["HC107 5", "HC001 7"], &[]);
    let report = lint(&SET.replace("ALLOW", "'HC001 yes, HC002 no'"), &Selection::default());
    assert_eq!(places(&report.findings), ["HC107 5"], "nothing of HC002 is found");
    assert!(report.findings[0].message.contains("HC002"), "{}", report.findings[0].message);
}

#[test]
fn the_command_line_allows_without_a_reason() {
    let check = |allow: &str, found: &[&str]| {
        let allow = vec![Allowance::parse(allow).expect("a code")];
        let selection = Selection { allow, ..only(&["HC001"]) };
        let report = lint(SET, &selection);
        assert_eq!(places(&report.findings), found);
        assert_eq!(report.allowed.len() + report.findings.len(), 1);
        assert!(report.allowed.iter().all(|it| it.reason.is_none()));
    };
    check("HC001", &[]);
    check("HC001=StatefulSet/db", &[]);
    check("HC001=StatefulSet/default/db", &[]);
    check("HC001=StatefulSet/prod/db", &["HC001 7"]);
    check("HC002", &["HC001 7"]);
}

#[test]
fn custom_resources_are_allowed_by_annotation_too() {
    let text = "apiVersion: v1\nkind: Deploymnt\nmetadata:\n  name: a\n  annotations: {headcount.dev/allow: HC104 a webhook}\n";
    let report = lint(text, &only(&["HC104", "HC107"]));
    assert_eq!(places(&report.findings), [""; 0]);
    assert_eq!(report.allowed.len(), 1);
}

#[test]
fn what_a_rule_explains_is_not_refused_again() {
    let text = "apiVersion: v1\nkind: Service\nmetadata: {name: db}\nspec:\n  type: NodePort\n  clusterIP: None\n  ports:\n  - port: 70000\n";
    let codes = |selection: &Selection| places(&lint(text, selection).findings);
    // The API refuses both; of the first a rule says why.
    let all = codes(&Selection::default());
    assert_eq!(all.iter().filter(|it| it.starts_with("HC101")).collect::<Vec<_>>(), ["HC101 8"]);
    assert_eq!(all.iter().filter(|it| it.starts_with("HC016")).count(), 1, "{all:?}");
    assert_eq!(codes(&only(&["HC101"])), ["HC101 6", "HC101 8"]);
}

#[test]
fn a_broken_text_hides_no_other() {
    let texts = [
        (
            "a.yaml",
            "a: [\n---\napiVersion: v1\nkind: Service\nmetadata: {name: A}\nspec: {clusterIP: None}\n",
        ),
        ("b/kustomization.yaml", "resources: [a.yaml]\n"),
        ("b/Chart.yaml", "apiVersion: v2\nname: chart\nversion: 1.0.0\n"),
        ("b/values.yaml", "replicas: 1\n"),
        ("b/templates/a.yaml", "kind: Service\n{{- if .x }}\n  {{ end }}\n"),
        ("c.yaml", "metadata: {name: half}\n"),
        ("empty.yaml", "# nothing\n"),
    ];
    let mut read = Texts::default();
    for (name, text) in texts {
        read.add(name, Ok(text.as_bytes()));
    }
    read.add("d.yaml", Ok(&[b'a', b'\n', 0xff]));
    read.add("e.yaml", Err("permission denied".to_owned()));
    let selection = only(&["HC100", "HC101", "HC105", "HC106"]);
    let report = run(&Objects::read(read, Options::default()), &selection);
    let found: Vec<_> = report
        .findings
        .iter()
        .map(|it| format!("{}:{} {}", it.primary.source, it.primary.span.start.line, it.code))
        .collect();
    assert_eq!(
        found,
        [
            "a.yaml:1 HC100",
            "a.yaml:5 HC101",
            "b/Chart.yaml:1 HC105",
            "b/kustomization.yaml:1 HC105",
            "b/templates/a.yaml:2 HC106",
            "b/values.yaml:1 HC105",
            "c.yaml:1 HC100",
            "c.yaml:1 HC100",
            "d.yaml:2 HC100",
            "e.yaml:1 HC100",
        ]
    );
    assert_eq!(report.findings[9].message, "could not be read: permission denied");
}

/// Mends as the verb does: until there is no fix left.
fn mend(text: &str) -> (String, Vec<String>) {
    let name: Arc<str> = "a.yaml".into();
    let mut texts = BTreeMap::from([(Arc::clone(&name), text.to_owned())]);
    let mut made = Vec::new();
    for _ in 0..8 {
        let found = check(&objects(&[("a.yaml", &texts[&name])]));
        let fixes = fix(&mut texts, &found);
        assert!(fixes.refused.is_empty(), "{:?}", fixes.refused);
        if fixes.made.is_empty() {
            return (texts[&name].clone(), made);
        }
        made.extend(fixes.made.iter().map(|it| it.code.to_owned()));
    }
    panic!("no end of fixes: {made:?}");
}

#[test]
fn fixes_are_made_until_none_is_left_and_comments_stay() {
    let service = |name: &str, spec: &str| {
        format!(
            "apiVersion: v1\nkind: Service\nmetadata:\n  name: {name} # the name\nspec:\n  clusterIP: None # headless\n{spec}  selector: {{app: db}}\n---\n"
        )
    };
    let ignored = "  # of no use\n  sessionAffinity: ClientIP # sticky\n";
    let (text, made) = mend(&(service("a", ignored) + &service("b", "") + &service("c", ignored)));
    let kept = "  # of no use\n";
    assert_eq!(text, service("a", kept) + &service("b", "") + &service("c", kept));
    assert_eq!(made, ["HC017", "HC017"]);
}

#[test]
fn every_fix_of_the_fixtures_mends_its_finding() {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures");
    let mut seen = 0;
    for rule in advisor::lint::rules::RULES {
        for entry in std::fs::read_dir(folder.join(rule.code)).expect("fixtures") {
            let path = entry.expect("an entry").path();
            let name: Arc<str> = path.display().to_string().into();
            let text = std::fs::read_to_string(&path).expect("a fixture");
            let found = run(&objects(&[(&name, &text)]), &only(&[rule.code])).findings;
            let wanted = found.iter().filter(|finding| finding.fix.is_some()).count();
            let mut texts = BTreeMap::from([(Arc::clone(&name), text)]);
            let fixes = fix(&mut texts, &found);
            assert!(fixes.refused.is_empty(), "{name}: {:?}", fixes.refused);
            let left = run(&objects(&[(&name, &texts[&name])]), &only(&[rule.code])).findings;
            assert!(
                left.len() + fixes.made.len() <= found.len(),
                "{name}: of {} findings {} are mended, and {} remain",
                found.len(),
                fixes.made.len(),
                left.len()
            );
            seen += wanted;
        }
    }
    assert!(seen > 0, "no fixture has a fix");
}

/// Texts that are nearly manifests: words of manifests, in some order and at some depth.
fn nearly_a_manifest() -> impl Strategy<Value = String> {
    let word = prop::sample::select(vec![
        "apiVersion: v1",
        "apiVersion: apps/v1",
        "kind: Service",
        "kind: StatefulSet",
        "kind: NetworkPolicy",
        "kind: Ingress",
        "kind: Pod",
        "kind: CronJob",
        "metadata:",
        "name: a",
        "name: ''",
        "namespace: b",
        "spec:",
        "clusterIP: None",
        "type: ExternalName",
        "externalName: a.b",
        "externalName: 1.2.3.4",
        "serviceName: a",
        "ports:",
        "- port: 80",
        "port: 0",
        "targetPort: x",
        "selector:",
        "app: a",
        "template:",
        "labels:",
        "containers:",
        "- name: a",
        "image: redis:7",
        "env:",
        "value: a.b.svc.cluster.local",
        "---",
        "replicas: -1",
        "replicas: 2147483647",
        "{{ x }}",
        "- ",
        "annotations:",
        "headcount.dev/allow: HC001,",
        "&a",
        "*a",
        "\u{e9}: [",
        "egress:",
        "- to: []",
        "rules:",
        "subsets:",
        "addresses: [127.0.0.1]",
        "policyTypes: [Egress]",
        "publishNotReadyAddresses: true",
    ]);
    let line = (0usize..5, word).prop_map(|(depth, word)| format!("{}{word}", "  ".repeat(depth)));
    proptest::collection::vec(line, 0..30).prop_map(|lines| lines.join("\n"))
}

proptest! {
    #[test]
    fn no_text_makes_it_stumble(text in ".{0,200}", nearly in nearly_a_manifest(), bytes in proptest::collection::vec(any::<u8>(), 0..60)) {
        for text in [text.as_bytes(), nearly.as_bytes(), bytes.as_slice()] {
            let mut read = Texts::default();
            read.add("a.yaml", Ok(text));
            let objects = Objects::read(read, Options::default());
            let report = run(&objects, &Selection::default());
            if let Ok(text) = std::str::from_utf8(text) {
                let mut texts = BTreeMap::from([(Arc::from("a.yaml"), text.to_owned())]);
                fix(&mut texts, &report.findings);
            }
        }
    }

    #[test]
    fn no_value_in_a_good_manifest_makes_it_stumble(shape in prop::sample::select(vec!["etcd", "kafka", "nats", "consul"]), line in any::<prop::sample::Index>(), new in "[ \\-a-z:0-9\\[\\]{}\"]{0,12}") {
        let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/shapes/{shape}.yaml"));
        let text = std::fs::read_to_string(path).expect("a shape");
        let mut lines: Vec<&str> = text.lines().collect();
        let at = line.index(lines.len());
        let head = lines[at].split_once(':').map_or("", |(head, _)| head);
        let line = format!("{head}: {new}");
        lines[at] = &line;
        check(&objects(&[("a.yaml", &lines.join("\n"))]));
    }
}
