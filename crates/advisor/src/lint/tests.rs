//! Every rule against its fixtures: `fixtures/CODE/good*.yaml` and `bad*.yaml`.
//!
//! In a bad one, a comment `# CODE` ends each line at which that rule's primary place is, and `# CODE with` each at which
//! something stands that it is compared with. A line `# lint: kubernetes=1.30 namespace=prod against=live.yaml` at the top
//! sets options. In a good one, no rule finds anything of its own code.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use manifest::read::read_any;

use super::rules::RULES;
use super::{Finding, Findings, Objects, Options, Rule, Texts};

fn fixtures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures")
}

/// The fixtures of a rule that are read by themselves.
pub(super) fn fixture_files(code: &str) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(fixtures().join(code)).expect("a folder");
    let files = entries.map(|entry| entry.expect("an entry").path());
    let is_live = |path: &PathBuf| {
        path.file_name().is_some_and(|name| name.as_encoded_bytes().starts_with(b"live"))
    };
    files.filter(|path| !is_live(path)).collect()
}

/// Reads a fixture; all its files beside `live*.yaml` are one text.
pub(super) fn objects(path: &Path) -> Objects {
    objects_of(path, &std::fs::read_to_string(path).expect("a fixture"))
}

/// As [`objects`], of a fixture with another text.
pub(super) fn objects_of(path: &Path, text: &str) -> Objects {
    let mut options = Options::default();
    let mut live = None;
    for word in
        text.lines().next().and_then(|line| line.strip_prefix("# lint: ")).unwrap_or("").split(' ')
    {
        match word.split_once('=') {
            Some(("kubernetes", version)) => {
                options.kubernetes = version.parse().expect("a version")
            }
            Some(("namespace", namespace)) => options.namespace = namespace.to_owned(),
            Some(("domain", domain)) => options.cluster_domain = domain.to_owned(),
            Some(("against", file)) => live = Some(objects(&path.with_file_name(file))),
            Some(_) => panic!("{}: {word} sets nothing", path.display()),
            None => {}
        }
    }
    let mut texts = Texts::default();
    texts.add(&path.display().to_string(), Ok(text.as_bytes()));
    let mut objects = Objects::read(texts, options);
    // The rules from HC100 on are about texts that hold no objects, too.
    let is_of_texts =
        path.components().any(|it| it.as_os_str().to_string_lossy().starts_with("HC1"));
    assert!(is_of_texts || objects.unread.is_empty(), "{}: {:?}", path.display(), objects.unread);
    objects.live = live.map(Box::new);
    objects
}

/// What a rule finds in a text, for the tests of rules' words and levels.
pub(super) fn found(rule: &Rule, text: &str) -> Vec<Finding> {
    let reading = read_any("test.yaml", text);
    assert_eq!(reading.problems, []);
    let objects = Objects::new(reading.documents, reading.foreign, Options::default());
    assert!(objects.refused.is_empty(), "{:?}", objects.refused);
    run(rule, &objects)
}

fn run(rule: &Rule, objects: &Objects) -> Vec<Finding> {
    let mut findings = Findings::new(rule);
    (rule.check)(objects, &mut findings);
    findings.into_vec()
}

/// Lines, and whether what is there is only compared with.
type Places = BTreeSet<(usize, bool)>;

/// The places that a rule finds, and those that the comments mark.
fn places(rule: &Rule, path: &Path) -> (Places, Places) {
    let objects = objects(path);
    let found = run(rule, &objects)
        .iter()
        .flat_map(|finding| {
            let here = |source: &str| source == path.display().to_string();
            let others = finding.secondary.iter().filter(move |label| here(&label.source));
            std::iter::once((finding.primary.span.start.line, false))
                .chain(others.map(|label| (label.span.start.line, true)))
                .collect::<Vec<_>>()
        })
        .collect();
    let text = std::fs::read_to_string(path).expect("a fixture");
    let marks = text.lines().enumerate().filter_map(|(at, line)| {
        let comment = line.rsplit_once("# ")?.1;
        match comment.strip_prefix(rule.code)? {
            "" => Some((at + 1, false)),
            " with" => Some((at + 1, true)),
            _ => None,
        }
    });
    (found, marks.collect())
}

#[test]
fn every_rule_finds_what_is_bad_and_nothing_in_what_is_good() {
    for rule in RULES {
        let folder = fixtures().join(rule.code);
        let files =
            std::fs::read_dir(&folder).unwrap_or_else(|_| panic!("no {}", folder.display()));
        let mut seen = (0, 0);
        for file in files {
            let path = file.expect("an entry").path();
            let name = path.file_name().and_then(|name| name.to_str()).expect("a name").to_owned();
            let (found, marked) = match name.split('.').next().unwrap_or_default() {
                name if name.starts_with("good") => {
                    seen.0 += 1;
                    let (found, _) = places(rule, &path);
                    (found, BTreeSet::new())
                }
                name if name.starts_with("bad") => {
                    seen.1 += 1;
                    let (found, marked) = places(rule, &path);
                    assert!(
                        marked.iter().any(|(_, with)| !with),
                        "{}: nothing is marked",
                        path.display()
                    );
                    (found, marked)
                }
                name if name.starts_with("live") => continue,
                _ => panic!("{}: neither good nor bad", path.display()),
            };
            assert_eq!(found, marked, "{}: found (left), marked (right)", path.display());
        }
        assert!(seen.0 > 0 && seen.1 > 0, "{} needs a good and a bad fixture", rule.code);
    }
}

#[test]
fn every_fixture_has_its_rule_and_every_file_its_place() {
    let codes: BTreeSet<_> = RULES.iter().map(|rule| rule.code.to_owned()).collect();
    assert_eq!(codes.len(), RULES.len(), "a code is there twice");
    let sorted: Vec<_> = codes.iter().map(String::as_str).collect();
    assert_eq!(sorted, RULES.iter().map(|rule| rule.code).collect::<Vec<_>>(), "not in order");
    let names = |folder: &Path| -> BTreeSet<String> {
        let entries = std::fs::read_dir(folder).expect("a folder");
        entries
            .map(|entry| entry.expect("an entry").file_name().into_string().expect("UTF-8"))
            .collect()
    };
    assert_eq!(names(&fixtures()), codes, "folders of fixtures (left), rules (right)");
    let files = names(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src/lint/rules"));
    let of_files: BTreeSet<_> = files
        .iter()
        .filter_map(|name| name.split('_').next().filter(|code| code.starts_with("hc")))
        .map(str::to_uppercase)
        .collect();
    assert_eq!(of_files, codes, "files (left), rules (right)");
}

#[test]
fn the_texts_of_rules_are_whole() {
    for Rule { code, title, explanation, remedy, sources, .. } in RULES {
        assert!(!title.ends_with('.') && title.len() < 90, "{code}: title");
        assert!(explanation.ends_with('.') && explanation.len() > 80, "{code}: explanation");
        assert!(remedy.ends_with('.') && !sources.is_empty(), "{code}: remedy and sources");
    }
}
