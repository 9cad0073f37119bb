#![allow(clippy::print_stdout, reason = "how a build script speaks to cargo")]
//! Finds the behaviour scripts, so that each is a test of its own wherever they are run.

use std::fmt::Write;
use std::path::Path;
use std::{env, fs, io};

fn main() -> io::Result<()> {
    println!("cargo::rerun-if-changed=tests/scripts");
    let folder =
        Path::new(&env::var("CARGO_MANIFEST_DIR").map_err(io::Error::other)?).join("tests/scripts");
    let mut scripts = Vec::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "script") {
            scripts.push(path);
        }
    }
    scripts.sort();
    let mut tests = String::new();
    for path in &scripts {
        let name = path.file_stem().unwrap_or_default().to_string_lossy();
        let test = name.replace('-', "_");
        let _ = writeln!(
            tests,
            "#[test] fn {test}() {{ $run({name:?}, include_str!({:?})) }}",
            path.display().to_string()
        );
    }
    let text = format!(
        "/// One test for each behaviour script: calls the path given with the script's name and text.\n\
         #[macro_export]\nmacro_rules! each_script {{ ($run:path) => {{\n{tests}}} }}\n"
    );
    let out = env::var("OUT_DIR").map_err(io::Error::other)?;
    fs::write(Path::new(&out).join("each_script.rs"), text)
}
