//! One fault, one finding: rules on the same subject keep out of one another's way.

use manifest::read::{Level, Problem};

use super::tests::{fixture_files, objects, run};
use super::{Finding, rules};

/// The rules on aliases, and on endpoints that are kept by hand.
const ALIASES_AND_SLICES: std::ops::RangeInclusive<&str> = "HC027"..="HC043";

fn found_by_any(path: &std::path::Path) -> Vec<Finding> {
    let objects = objects(path);
    let rules = rules::RULES.iter().filter(|rule| ALIASES_AND_SLICES.contains(&rule.code));
    rules.flat_map(|rule| run(rule, &objects)).collect()
}

#[test]
fn of_rules_on_one_subject_one_speaks() {
    for rule in rules::RULES.iter().filter(|rule| ALIASES_AND_SLICES.contains(&rule.code)) {
        for path in fixture_files(rule.code) {
            let found = found_by_any(&path);
            let others: Vec<_> = found.iter().filter(|finding| finding.code != rule.code).collect();
            assert!(others.is_empty(), "{}: {others:#?}", path.display());
            for finding in &found {
                let once = |other: &&Finding| other.primary == finding.primary;
                assert_eq!(
                    found.iter().filter(once).count(),
                    1,
                    "{}: {finding:#?}",
                    path.display()
                );
            }
        }
    }
}

/// What the API refuses, validation says too; the engine leaves that out where a rule speaks of the same field.
#[test]
fn what_is_refused_is_found_at_the_field_that_is_refused() {
    let mut refused_fields = 0;
    for code in ["HC027", "HC028", "HC043"] {
        for path in fixture_files(code) {
            let found = found_by_any(&path);
            let objects = objects(&path);
            let problems: Vec<_> = objects.refused.iter().flat_map(|(_, _, all)| all).collect();
            let same = |finding: &Finding, problem: &Problem| {
                Some(&finding.primary.field) == problem.field.as_ref()
                    && finding.primary.span.start == problem.position()
            };
            for problem in &problems {
                assert!(found.iter().any(|finding| same(finding, problem)), "{problem}");
            }
            // And nothing else is said to be refused.
            for finding in &found {
                let is_said = finding.help.iter().any(|help| help.contains("the API refuses it"));
                let is_so = problems.iter().any(|problem| same(finding, problem));
                assert_eq!(is_said, is_so, "{finding:#?}");
            }
            refused_fields += problems.len();
        }
    }
    assert!(refused_fields > 0, "nothing was refused");
}

/// How bad the cases of one rule are, and which of them mend themselves.
#[test]
fn levels_and_mendings() {
    let (error, warning, note) = (Level::Error, Level::Warning, Level::Note);
    let check = |code: &str, file: &str, line: usize, level: Level, fix: &str| {
        let path = fixture_files(code).into_iter().find(|path| path.ends_with(file));
        let found = found_by_any(&path.expect("a fixture"));
        let here = |finding: &&Finding| finding.primary.span.start.line == line;
        let Finding { level: is, fix: mending, .. } =
            found.iter().find(here).unwrap_or_else(|| panic!("{code} {file}:{line}: nothing"));
        let title = mending.as_ref().map_or("", |fix| &fix.title);
        assert_eq!((*is, title), (level, fix), "{code} {file}:{line}");
    };
    check("HC027", "bad.yaml", 7, error, "");
    check("HC028", "bad.yaml", 7, error, "set externalName to api.example.com");
    // A port or a path that goes may be missed.
    check("HC028", "bad.yaml", 15, error, "");
    check("HC028", "bad.yaml", 23, error, "");
    check("HC028", "bad.yaml", 31, error, "set externalName to db.example.com");
    check("HC028", "bad.yaml", 39, error, "");
    check("HC029", "bad.yaml", 8, error, "remove the dot at the end of externalName");
    // In which namespace is a guess where none is written.
    check("HC030", "bad.yaml", 8, warning, "");
    check("HC030", "bad.yaml", 17, warning, "set externalName to db.prod.svc.cluster.local");
    check("HC030", "bad.yaml", 26, warning, "");
    check("HC031", "bad.yaml", 8, warning, "");
    check("HC032", "bad.yaml", 7, error, "");
    check("HC032", "bad_chain.yaml", 7, warning, "");
    check("HC033", "bad.yaml", 11, warning, "");
    check("HC034", "bad.yaml", 8, note, "remove spec.selector");
    check("HC034", "bad_matching.yaml", 8, warning, "");
    check("HC035", "bad.yaml", 8, warning, "");
    check("HC035", "bad_outside.yaml", 11, note, "");
    check("HC036", "bad.yaml", 7, warning, "");
    check("HC037", "bad.yaml", 4, warning, "");
    check("HC038", "bad.yaml", 12, warning, "");
    check("HC039", "bad.yaml", 13, warning, "label the slice kubernetes.io/service-name: db");
    check("HC039", "bad.yaml", 28, warning, "");
    check("HC040", "bad.yaml", 18, warning, "set the name of the slice's port to \"sql\"");
    check("HC040", "bad.yaml", 64, warning, "");
    check("HC041", "bad.yaml", 10, note, "");
    check("HC043", "bad.yaml", 22, error, "");
    check("HC043", "bad_unused.yaml", 16, warning, "");
}
