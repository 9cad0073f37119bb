//! Links to busybox under the names of all that it can do.

use std::fs;
use std::io;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex, PoisonError};

use super::disk;

/// A folder of links, made when it is first needed.
#[derive(Clone, Debug, Default)]
pub(super) struct Applets(Arc<Mutex<Option<PathBuf>>>);

impl Applets {
    /// Makes the links in a folder below `base`, once for each busybox.
    pub(super) fn make(
        &self,
        base: &Path,
        busybox: &Path,
        owner: (u32, u32),
    ) -> io::Result<PathBuf> {
        let mut made = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let folder = base.join("busybox");
        if made.as_deref() == Some(busybox) && folder.is_dir() {
            return Ok(folder);
        }
        let asked = Command::new(busybox).arg("--list").stdin(Stdio::null()).output()?;
        if !asked.status.success() {
            return Err(io::Error::other(format!(
                "{} --list: {}",
                busybox.display(),
                asked.status
            )));
        }
        link(&folder, busybox, &String::from_utf8_lossy(&asked.stdout), owner)?;
        *made = Some(busybox.to_owned());
        Ok(folder)
    }
}

/// Links to a program under these names, one a line. Containers that run keep the folder that they have mounted, so it is
/// completed and not replaced.
fn link(folder: &Path, program: &Path, names: &str, owner: (u32, u32)) -> io::Result<()> {
    // Who is not root in a container goes by these links, too.
    disk::folder(folder, 0o755, owner)?;
    for name in names.lines().filter(|name| !name.is_empty() && !name.contains(['/', '\0'])) {
        let path = folder.join(name);
        match fs::read_link(&path) {
            Ok(there) if there == program => continue,
            Ok(_) => fs::remove_file(&path)?,
            Err(_) => {}
        }
        symlink(program, path)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::MetadataExt;

    use super::*;

    #[test]
    fn links_are_made_and_completed() {
        let base = tempfile::tempdir().unwrap();
        let metadata = fs::metadata(base.path()).unwrap();
        let owner = (metadata.uid(), metadata.gid());
        let folder = base.path().join("busybox");
        let shown = || {
            let mut names: Vec<String> = fs::read_dir(&folder)
                .unwrap()
                .map(|entry| entry.unwrap().file_name().into_string().unwrap())
                .collect();
            names.sort();
            names
        };
        link(&folder, Path::new("/bin/one"), "sh\n[\n\n../up\nwget\n", owner).unwrap();
        assert_eq!(shown(), ["[", "sh", "wget"]);
        link(&folder, Path::new("/bin/two"), "sh\nnslookup", owner).unwrap();
        assert_eq!(shown(), ["[", "nslookup", "sh", "wget"]);
        assert_eq!(fs::read_link(folder.join("sh")).unwrap(), Path::new("/bin/two"));
    }

    #[test]
    fn a_program_says_its_names() {
        let base = tempfile::tempdir().unwrap();
        let metadata = fs::metadata(base.path()).unwrap();
        let owner = (metadata.uid(), metadata.gid());
        let applets = Applets::default();
        // It says what it was asked with.
        let echo = Path::new("/bin/echo");
        let folder = applets.make(base.path(), echo, owner).unwrap();
        assert_eq!(fs::read_link(folder.join("--list")).unwrap(), echo);
        fs::remove_file(folder.join("--list")).unwrap();
        applets.make(base.path(), echo, owner).unwrap();
        assert!(!folder.join("--list").exists(), "it is asked once");
        let error = applets.make(base.path(), Path::new("/bin/false"), owner).unwrap_err();
        assert_eq!(error.to_string(), "/bin/false --list: exit status: 1");
    }
}
