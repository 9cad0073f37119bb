//! docs/codes.md is made of the rules. `UPDATE_TRANSCRIPTS=1 cargo test -p advisor --test manual` writes it anew.

use std::fmt::Write as _;
use std::path::Path;

use advisor::lint::rules::RULES;
use advisor::lint::{Rule, examples, findings_in_example};

const HEAD: &str = "\
# The codes of lint

What each means, what follows, and how to mend it. This page is made of the rules themselves; `headcount explain CODE` prints the same, with what `lint`
says of the example. A code never changes its meaning. Numbers that are missing are of faults that only a live cluster shows; from HC100 on, codes are about
texts and objects that cannot be used.

| code | level | what is wrong |
|---|---|---|
";

fn page() -> String {
    let mut page = HEAD.to_owned();
    for Rule { code, level, title, .. } in RULES {
        let anchor = code.to_lowercase();
        let _ = writeln!(page, "| [{code}](#{anchor}) | {level} | {title} |");
    }
    for Rule { code, level, title, explanation, remedy, sources, check: _ } in RULES {
        let title = title.replacen(|_: char| true, &title[..1].to_uppercase(), 1);
        let _ = write!(page, "\n## {code}\n\n**{title}** ({level})\n\n{explanation}\n\n{remedy}\n");
        if let Some((_, text)) = examples(code).find(|(name, _)| name.starts_with("bad")) {
            // Some examples are of texts that have a fence, or are too long to read here.
            let fence = if text.contains("```") { "````" } else { "```" };
            let _ = write!(
                page,
                "\n<details><summary>Example</summary>\n\n{fence}yaml\n{}\n{fence}\n\n</details>\n",
                text.trim_end()
            );
        }
        let _ = write!(page, "\nKnown from: {}.\n", sources.join("; "));
    }
    page
}

#[test]
fn the_page_of_codes_is_current() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/codes.md");
    let page = page();
    if std::env::var_os("UPDATE_TRANSCRIPTS").is_some() {
        std::fs::write(&path, &page).expect("the page is written");
    }
    let kept = std::fs::read_to_string(&path).expect("docs/codes.md");
    let differs = kept.lines().zip(page.lines()).position(|(old, new)| old != new);
    assert_eq!(
        differs.map(|at| kept.lines().nth(at)),
        differs.map(|at| page.lines().nth(at)),
        "docs/codes.md is not what the rules say"
    );
    assert!(kept == page, "docs/codes.md ends differently");
}

#[test]
fn each_rule_has_an_example_and_speaks_of_it() {
    let silent: Vec<_> = RULES
        .iter()
        .filter(|rule| findings_in_example(rule).iter().all(|finding| finding.code != rule.code))
        .map(|rule| rule.code)
        .collect();
    assert!(silent.is_empty(), "no bad.yaml with a finding of {silent:?}");
}
