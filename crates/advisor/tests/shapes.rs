//! Good practice for ten kinds of peer software lints clean; with one setting turned wrong, the finding that is meant is
//! the only one.

use std::path::Path;

use advisor::lint::{Objects, Options, check as lint};
use manifest::read::read_any;

/// One setting of a shape turned wrong.
struct Turned {
    shape: &'static str,
    /// What is replaced, where it is there first.
    from: &'static str,
    to: &'static str,
    /// The one finding: its code, and a part of the line that it points at.
    code: &'static str,
    line: &'static str,
}

const fn turned(
    shape: &'static str,
    from: &'static str,
    to: &'static str,
    code: &'static str,
    line: &'static str,
) -> Turned {
    Turned { shape, from, to, code, line }
}

const TURNED: &[Turned] = &[turned(
    "etcd",
    "serviceName: etcd-peers",
    "serviceName: etcd-peer",
    "HC001",
    "serviceName: etcd-peer",
)];

fn text(shape: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/shapes/{shape}.yaml"));
    std::fs::read_to_string(path).expect("a shape")
}

/// The findings in a text: code, and the line pointed at.
fn findings(text: &str) -> Vec<(&'static str, String)> {
    let reading = read_any("shape.yaml", text);
    assert_eq!(reading.problems, []);
    let objects = Objects::new(reading.documents, reading.foreign, Options::default());
    let line = |at: usize| text.lines().nth(at - 1).unwrap_or_default().to_owned();
    let found = lint(&objects);
    found.iter().map(|finding| (finding.code, line(finding.primary.span.start.line))).collect()
}

#[test]
fn good_practice_is_clean() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/shapes");
    let mut shapes = 0;
    for file in std::fs::read_dir(folder).expect("the shapes") {
        let path = file.expect("an entry").path();
        let shape = path.file_stem().and_then(|name| name.to_str()).expect("a name");
        assert_eq!(findings(&text(shape)), [], "{shape}");
        shapes += 1;
    }
    assert!(shapes >= 10);
}

#[test]
fn one_setting_turned_wrong_is_the_one_finding() {
    for Turned { shape, from, to, code, line } in TURNED {
        let good = text(shape);
        assert!(good.contains(from), "{shape}: {from:?} is not there");
        let found = findings(&good.replacen(from, to, 1));
        let [(found_code, found_line)] = found.as_slice() else {
            panic!("{shape} with {to:?}: one finding of {code} expected, found {found:?}");
        };
        assert_eq!(found_code, code, "{shape} with {to:?}");
        assert!(found_line.contains(line), "{shape} with {to:?}: {code} points at {found_line:?}");
    }
}
