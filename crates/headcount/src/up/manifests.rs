//! The files behind `-f`: which they are, and their text.

use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use crate::error::Error;

/// A manifest file's content, or why it could not be read.
pub(super) struct File {
    /// The path as people wrote it, for messages.
    pub(super) name: String,
    pub(super) content: io::Result<Vec<u8>>,
}

/// Reads what `-f` names. A path that is not there stops everything; a file in a folder that cannot be read
/// is reported like any other bad manifest.
pub(super) fn read(paths: &[PathBuf]) -> Result<Vec<File>, Error> {
    let mut files = Vec::new();
    for path in paths {
        if path.as_os_str() == "-" {
            let mut bytes = Vec::new();
            let content = io::stdin().read_to_end(&mut bytes).map(|_| bytes);
            files.push(File { name: "<stdin>".to_owned(), content });
            continue;
        }
        let metadata = std::fs::metadata(path).map_err(|error| {
            Error::caused(format_args!("could not read {}", path.display()), &error)
                .hint("-f takes a file or a folder of manifests")
        })?;
        if metadata.is_dir() {
            let found = manifests_in(path).map_err(|error| {
                Error::caused(format_args!("could not read the folder {}", path.display()), &error)
            })?;
            if found.is_empty() {
                return Err(Error::new(format!(
                    "{} has no manifests: no .yaml, .yml or .json file",
                    path.display()
                )));
            }
            files.extend(found.iter().map(|path| open(path)));
        } else {
            files.push(open(path));
        }
    }
    Ok(files)
}

fn open(path: &Path) -> File {
    File { name: path.display().to_string(), content: std::fs::read(path) }
}

/// The manifests in a folder, by name; where there are none, those of its folders. So a scenario's later
/// steps can lie in folders below it without being applied with its first.
fn manifests_in(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let mut entries = std::fs::read_dir(folder)?
        .map(|entry| entry.map(|entry| entry.path()))
        .collect::<Result<Vec<_>, _>>()?;
    entries.sort();
    let is_manifest = |path: &PathBuf| {
        path.is_file() && path.extension().is_some_and(|e| e == "yaml" || e == "yml" || e == "json")
    };
    let files: Vec<_> = entries.iter().filter(|path| is_manifest(path)).cloned().collect();
    if !files.is_empty() {
        return Ok(files);
    }
    let mut below = Vec::new();
    for path in entries {
        // A link to a folder could lead in a circle.
        if path.is_dir() && !path.is_symlink() {
            below.extend(manifests_in(&path)?);
        }
    }
    Ok(below)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_stands_for_its_files_or_else_its_folders() {
        let root = tempfile::tempdir().expect("a temporary folder");
        let write = |path: &str| {
            let path = root.path().join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, "kind: Service").unwrap();
        };
        for path in [
            "README.md",
            "b/two.yml",
            "b/one.yaml",
            "b/later/three.yaml",
            "a/x/four.json",
            "a/notes.txt",
        ] {
            write(path);
        }
        let names: Vec<_> = read(&[root.path().to_owned()])
            .unwrap_or_else(|_| panic!("readable"))
            .into_iter()
            .map(|file| file.name.strip_prefix(root.path().to_str().unwrap()).unwrap().to_owned())
            .collect();
        assert_eq!(names, ["/a/x/four.json", "/b/one.yaml", "/b/two.yml"]);
    }
}
