//! Puts the bad fixtures of the rules into the crate, as the examples of its manual.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::{env, fs, io};

fn main() -> io::Result<()> {
    println!("cargo:rerun-if-changed=fixtures");
    let fixtures = Path::new(&env::var("CARGO_MANIFEST_DIR").unwrap_or_default()).join("fixtures");
    let mut list = String::from("&[\n");
    for folder in sorted(&fixtures)? {
        let code = name(&folder);
        for path in sorted(&folder)? {
            let name = name(&path);
            // One example will do; what it is compared with belongs to it.
            if name == "bad.yaml" || name.starts_with("live") {
                let path = path.display().to_string();
                _ = writeln!(list, "({code:?}, {name:?}, include_str!({path:?})),");
            }
        }
    }
    list.push(']');
    fs::write(Path::new(&env::var("OUT_DIR").unwrap_or_default()).join("examples.rs"), list)
}

fn sorted(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let entries = fs::read_dir(folder)?.map(|entry| entry.map(|entry| entry.path()));
    let mut paths = entries.collect::<io::Result<Vec<_>>>()?;
    paths.sort();
    Ok(paths)
}

fn name(path: &Path) -> String {
    path.file_name().unwrap_or_default().to_string_lossy().into_owned()
}
