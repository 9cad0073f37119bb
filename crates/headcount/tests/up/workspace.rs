//! The shape of the workspace is the one that ARCHITECTURE.md draws.

use std::collections::{BTreeMap, BTreeSet};

use crate::support::root;

/// Which crates of the workspace a crate may look at.
const LADDER: [(&str, &[&str]); 13] = [
    ("directory", &[]),
    ("manifest", &[]),
    ("reconcile", &["manifest"]),
    ("preview", &["directory", "manifest", "reconcile"]),
    ("advisor", &["directory", "manifest", "reconcile", "preview"]),
    ("api", &["manifest"]),
    ("dns", &["directory"]),
    ("cluster", &["directory", "manifest", "reconcile", "preview"]),
    ("sandbox", &[]),
    ("node", &["manifest", "cluster", "sandbox"]),
    ("proxy", &["manifest", "cluster", "sandbox"]),
    ("gateway", &["manifest", "cluster"]),
    (
        "headcount",
        &[
            "directory",
            "manifest",
            "reconcile",
            "preview",
            "advisor",
            "api",
            "cluster",
            "dns",
            "sandbox",
            "node",
            "proxy",
            "gateway",
        ],
    ),
];

/// The names in one table of a Cargo.toml.
fn table(text: &str, name: &str) -> BTreeSet<String> {
    let lines = text.lines().skip_while(|line| *line != format!("[{name}]")).skip(1);
    lines
        .take_while(|line| !line.starts_with('['))
        .filter_map(|line| {
            line.split(['.', ' ', '='])
                .next()
                .filter(|name| !name.is_empty() && !name.starts_with('#'))
        })
        .map(str::to_owned)
        .collect()
}

/// Each crate's `[dependencies]` and `[dev-dependencies]`.
fn crates() -> BTreeMap<String, (BTreeSet<String>, BTreeSet<String>)> {
    let folders = std::fs::read_dir(root().join("crates")).expect("crates");
    let crates = folders.map(|folder| {
        let folder = folder.expect("an entry");
        let text = std::fs::read_to_string(folder.path().join("Cargo.toml")).expect("a Cargo.toml");
        let name = folder.file_name().into_string().expect("a UTF-8 name");
        let mut dependencies = table(&text, "dependencies");
        dependencies.extend(table(&text, "target.'cfg(target_os = \"linux\")'.dependencies"));
        (name, (dependencies, table(&text, "dev-dependencies")))
    });
    crates.collect()
}

#[test]
fn crates_look_only_down_the_ladder() {
    let crates = crates();
    assert_eq!(crates.len(), LADDER.len(), "a crate without a place in the ladder");
    for (name, allowed) in LADDER {
        let (dependencies, _) = &crates[name];
        let own = dependencies.iter().filter(|dependency| crates.contains_key(*dependency));
        let up: Vec<_> = own.filter(|dependency| !allowed.contains(&dependency.as_str())).collect();
        assert!(up.is_empty(), "{name} may not look at {up:?}");
    }
}

#[test]
fn every_dependency_has_its_reason() {
    let text = std::fs::read_to_string(root().join("ARCHITECTURE.md")).expect("ARCHITECTURE.md");
    let (_, list) = text.split_once("## Dependencies").expect("a list of dependencies");
    let listed: BTreeSet<_> = list
        .lines()
        .filter_map(|line| line.strip_prefix("| "))
        .flat_map(|row| {
            row.split(" |").next().unwrap_or("").trim_start_matches("*tests:* ").split(", ")
        })
        .filter(|name| *name != "crate")
        .map(str::to_owned)
        .collect();
    let crates = crates();
    let used: BTreeSet<_> = crates
        .values()
        .flat_map(|(dependencies, of_tests)| dependencies.iter().chain(of_tests))
        .filter(|name| !crates.contains_key(*name))
        .cloned()
        .collect();
    assert_eq!(listed, used, "ARCHITECTURE.md lists (left) what the crates use (right)");
}
