//! The bad fixtures of the rules, which are the examples of the manual.

use super::finding::Finding;
use super::objects::{Objects, Options};
use super::rule::{Findings, Rule};
use super::texts::Texts;

/// Code, file, text.
const EXAMPLES: &[(&str, &str, &str)] = include!(concat!(env!("OUT_DIR"), "/examples.rs"));

/// The files of a rule's example: `bad.yaml`, and what it is compared with, if anything.
pub fn examples(code: &str) -> impl Iterator<Item = (&'static str, &'static str)> {
    EXAMPLES.iter().filter(move |(of, ..)| *of == code).map(|(_, name, text)| (*name, *text))
}

/// What a rule finds in its example.
pub fn findings_in_example(rule: &Rule) -> Vec<Finding> {
    let Some((name, text)) = examples(rule.code).find(|(name, _)| name.starts_with("bad")) else {
        return Vec::new();
    };
    let objects = objects(rule.code, name, text);
    let mut findings = Findings::new(rule);
    (rule.check)(&objects, &mut findings);
    findings.into_vec()
}

/// The objects of a fixture, with the options that its first line sets.
fn objects(code: &str, name: &str, text: &str) -> Objects {
    let mut options = Options::default();
    let mut live = None;
    let settings = text.lines().next().and_then(|line| line.strip_prefix("# lint: "));
    for setting in settings.unwrap_or_default().split(' ') {
        match setting.split_once('=') {
            Some(("kubernetes", version)) => {
                options.kubernetes = version.parse().unwrap_or(options.kubernetes);
            }
            Some(("namespace", namespace)) => options.namespace = namespace.to_owned(),
            Some(("domain", domain)) => options.cluster_domain = domain.to_owned(),
            Some(("against", file)) => {
                live = examples(code).find(|(name, _)| *name == file);
            }
            _ => {}
        }
    }
    let read = |name: &str, text: &str, options: Options| {
        let mut texts = Texts::default();
        texts.add(name, Ok(text.as_bytes()));
        Objects::read(texts, options)
    };
    let mut objects = read(name, text, options.clone());
    objects.live = live.map(|(name, text)| Box::new(read(name, text, options)));
    objects
}
