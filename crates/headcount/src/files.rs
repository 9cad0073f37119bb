//! The files behind `-f`: which they are, and their text.

use std::io::{self, Read};
use std::path::{Path, PathBuf};

use tokio::sync::oneshot;

use crate::error::Error;

/// The largest manifest file that is read; far beyond any that people or tools write, and well within memory.
const FILE_BYTES_MAX: u64 = 256 << 20;

/// What stdin is called in messages.
pub(crate) const STDIN: &str = "<stdin>";

/// A manifest file's content, or why it could not be read.
pub(crate) struct File {
    /// The path as people wrote it, for messages.
    pub(crate) name: String,
    pub(crate) content: io::Result<Vec<u8>>,
}

/// Reads what `-f` names. A path that is not there stops everything; a file in a folder that cannot be read
/// is reported like any other bad manifest. A pipe is read until its writers are done, which may be never: the caller
/// may stop waiting.
pub(crate) async fn read(paths: Vec<PathBuf>) -> Result<Vec<File>, Error> {
    let (send, receive) = oneshot::channel();
    // Not one of the runtime's threads: it would wait for them when it ends.
    std::thread::spawn(move || drop(send.send(read_all(&paths))));
    receive.await.unwrap_or_else(|_| Err(Error::new("reading the manifests ended unexpectedly")))
}

/// As [`read`], for who has nothing else to do meanwhile.
pub(crate) fn read_all(paths: &[PathBuf]) -> Result<Vec<File>, Error> {
    Ok(list(paths)?.iter().map(|path| open(path)).collect())
}

/// The files that paths stand for, `-` among them.
pub(crate) fn list(paths: &[PathBuf]) -> Result<Vec<PathBuf>, Error> {
    let mut files = Vec::new();
    let mut has_stdin = false;
    for path in paths {
        if is_stdin(path) {
            // It ends once; whoever names it again means the same.
            if !std::mem::replace(&mut has_stdin, true) {
                files.push(path.clone());
            }
            continue;
        }
        let metadata = std::fs::metadata(path).map_err(|error| {
            Error::caused(format_args!("could not read {}", path.display()), &error)
                .hint("name a file or a folder of manifests")
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
            files.extend(found);
        } else {
            files.push(path.clone());
        }
    }
    Ok(files)
}

/// Reads one of the files that [`list`] names.
pub(crate) fn open(path: &Path) -> File {
    if is_stdin(path) {
        return File { name: STDIN.to_owned(), content: read_whole(io::stdin().lock()) };
    }
    File {
        name: path.display().to_string(),
        content: std::fs::File::open(path).and_then(read_whole),
    }
}

/// Whether a path is what stands for stdin.
pub(crate) fn is_stdin(path: &Path) -> bool {
    path.as_os_str() == "-"
}

/// Everything up to the end, which devices and pipes need not have.
fn read_whole(from: impl Read) -> io::Result<Vec<u8>> {
    read_at_most(from, FILE_BYTES_MAX)
}

fn read_at_most(from: impl Read, bytes_max: u64) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let read = from.take(bytes_max + 1).read_to_end(&mut bytes)?;
    if read as u64 > bytes_max {
        let message = format!("it is larger than {bytes_max} bytes");
        return Err(io::Error::new(io::ErrorKind::FileTooLarge, message));
    }
    Ok(bytes)
}

/// The manifests in a folder, by name; where there are none, those of its folders. So a scenario's later
/// steps can lie in folders below it without being applied with its first. A link that leads nowhere is one of them,
/// to be reported when it is read; pipes and devices are not.
fn manifests_in(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let mut entries = std::fs::read_dir(folder)?
        .map(|entry| entry.map(|entry| entry.path()))
        .collect::<Result<Vec<_>, _>>()?;
    entries.sort();
    let is_manifest = |path: &PathBuf| {
        path.extension().is_some_and(|e| e == "yaml" || e == "yml" || e == "json")
            && std::fs::metadata(path).map_or(true, |metadata| metadata.is_file())
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
        let names: Vec<_> = read_all(&[root.path().to_owned()])
            .unwrap_or_else(|_| panic!("readable"))
            .into_iter()
            .map(|file| file.name.strip_prefix(root.path().to_str().unwrap()).unwrap().to_owned())
            .collect();
        assert_eq!(names, ["/a/x/four.json", "/b/one.yaml", "/b/two.yml"]);
    }
    #[cfg(unix)]
    #[test]
    fn a_link_that_leads_nowhere_is_reported_and_the_rest_is_read() {
        let root = tempfile::tempdir().expect("a temporary folder");
        std::fs::write(root.path().join("a.yaml"), "kind: Service").unwrap();
        std::os::unix::fs::symlink("nowhere", root.path().join("b.yaml")).unwrap();
        std::os::unix::fs::symlink("/dev/null", root.path().join("c.yaml")).unwrap();
        let files = read_all(&[root.path().to_owned()]).unwrap_or_else(|_| panic!("readable"));
        let kinds: Vec<_> =
            files.iter().map(|file| file.content.as_ref().map_err(io::Error::kind)).collect();
        assert_eq!(kinds, [Ok(&b"kind: Service".to_vec()), Err(io::ErrorKind::NotFound)]);
    }

    #[test]
    fn what_never_ends_is_read_up_to_a_bound() {
        let error = read_at_most(io::repeat(0), 1000).expect_err("endless");
        assert_eq!(error.to_string(), "it is larger than 1000 bytes");
        assert_eq!(
            read_at_most(io::repeat(0).take(1000), 1000).map(|bytes| bytes.len()).ok(),
            Some(1000)
        );
    }
}
