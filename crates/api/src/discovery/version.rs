//! `/version`.

use serde_json::{Value, json};

/// The Kubernetes version whose behaviour is followed; kubectl compares its own minor version with this one.
const MAJOR: &str = "1";
const MINOR: &str = "36";

/// The same as one text, with the version of this program as build metadata.
pub(super) const GIT_VERSION: &str = concat!("v1.36.0+headcount-", env!("CARGO_PKG_VERSION"));

pub(super) fn document() -> Value {
    json!({
        "major": MAJOR,
        "minor": MINOR,
        "gitVersion": GIT_VERSION,
        "gitCommit": "",
        "gitTreeState": "",
        "buildDate": "",
        "goVersion": "",
        "compiler": "rustc",
        "platform": format!("{}/{}", std::env::consts::OS, architecture()),
    })
}

/// The processor architecture by the name that Kubernetes uses.
fn architecture() -> &'static str {
    match std::env::consts::ARCH {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        other => other,
    }
}
