//! Folders and files as pods find them.

use std::collections::BTreeSet;
use std::fs::{self, DirBuilder, OpenOptions, Permissions};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt, chown};
use std::path::Path;

/// Makes a folder of this mode and owner, or leaves the one that is there as it is. Whether it was made.
pub(super) fn folder(path: &Path, mode: u32, owner: (u32, u32)) -> io::Result<bool> {
    match DirBuilder::new().mode(0o700).create(path) {
        Ok(()) => {}
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            return match fs::symlink_metadata(path)?.is_dir() {
                true => Ok(false),
                false => Err(io::ErrorKind::NotADirectory.into()),
            };
        }
        Err(error) => return Err(error),
    }
    own(path, owner)?;
    // After the owner: a change of it takes the bit away that hands the group down.
    fs::set_permissions(path, Permissions::from_mode(mode))?;
    Ok(true)
}

/// Makes a folder and those above it up to `base`, which exists. Nobody but their owner looks into them.
pub(super) fn private_folders(base: &Path, path: &Path, owner: (u32, u32)) -> io::Result<()> {
    let mut missing = base.to_owned();
    for part in path.strip_prefix(base).map_err(io::Error::other)?.components() {
        missing.push(part);
        folder(&missing, 0o700, owner)?;
    }
    Ok(())
}

/// Gives an existing folder, whose group is another, to this one, with the right to write and to hand the group down.
pub(super) fn share(path: &Path, owner: (u32, u32)) -> io::Result<()> {
    let metadata = fs::symlink_metadata(path)?;
    if metadata.gid() != owner.1 {
        chown(path, None, Some(owner.1))?;
        fs::set_permissions(path, Permissions::from_mode(metadata.mode() & 0o7777 | 0o2770))?;
    }
    Ok(())
}

fn own(path: &Path, (uid, gid): (u32, u32)) -> io::Result<()> {
    let metadata = fs::symlink_metadata(path)?;
    match (metadata.uid(), metadata.gid()) == (uid, gid) {
        true => Ok(()),
        false => chown(path, Some(uid), Some(gid)),
    }
}

/// Writes a file, in its place: what is mounted of it shows the new content. One that has this content stays untouched.
pub(super) fn file(path: &Path, bytes: &[u8], mode: u32, owner: (u32, u32)) -> io::Result<()> {
    if holds(path, bytes).unwrap_or(false) {
        return Ok(());
    }
    let mut open = OpenOptions::new();
    // Whoever may not read it later may not while it is written.
    let mut file = open.write(true).create(true).truncate(true).mode(0o600).open(path)?;
    file.write_all(bytes)?;
    drop(file);
    own(path, owner)?;
    fs::set_permissions(path, Permissions::from_mode(mode))
}

/// Whether a file has this content. A container may have written whatever it likes into it, so no more is read than there should be.
fn holds(path: &Path, bytes: &[u8]) -> io::Result<bool> {
    let file = fs::File::open(path)?;
    if file.metadata()?.len() != bytes.len() as u64 {
        return Ok(false);
    }
    let mut there = Vec::with_capacity(bytes.len());
    file.take(bytes.len() as u64 + 1).read_to_end(&mut there)?;
    Ok(there == bytes)
}

/// Removes a folder and all in it, also what its owner has forbidden to himself; a folder that is not there is removed already.
pub(super) fn remove(path: &Path) -> io::Result<()> {
    let removed = match fs::remove_dir_all(path) {
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
            allow(path)?;
            fs::remove_dir_all(path)
        }
        removed => removed,
    };
    match removed {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        removed => removed,
    }
}

/// Lets the owner into a folder and all folders in it.
fn allow(path: &Path) -> io::Result<()> {
    let mut folders = vec![path.to_owned()];
    while let Some(folder) = folders.pop() {
        fs::set_permissions(&folder, Permissions::from_mode(0o700))?;
        for entry in fs::read_dir(&folder)? {
            let entry = entry?;
            if entry.file_type()?.is_dir() {
                folders.push(entry.path());
            }
        }
    }
    Ok(())
}

/// Removes the folders in a folder whose names are not to stay. A folder that is not there has none.
pub(super) fn retain(path: &Path, stays: &BTreeSet<String>) -> io::Result<()> {
    let entries = match fs::read_dir(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        entries => entries?,
    };
    for entry in entries {
        let entry = entry?;
        if !entry.file_name().to_str().is_some_and(|name| stays.contains(name)) {
            remove(&entry.path())?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn me() -> (u32, u32) {
        let folder = tempfile::tempdir().unwrap();
        let metadata = fs::metadata(folder.path()).unwrap();
        (metadata.uid(), metadata.gid())
    }

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).unwrap().mode() & 0o7777
    }

    #[test]
    fn a_folder_is_made_once() {
        let base = tempfile::tempdir().unwrap();
        let path = base.path().join("a");
        assert!(folder(&path, 0o2777, me()).unwrap());
        assert_eq!(mode(&path), 0o2777);
        fs::set_permissions(&path, Permissions::from_mode(0o700)).unwrap();
        assert!(!folder(&path, 0o2777, me()).unwrap());
        assert_eq!(mode(&path), 0o700);
        fs::write(base.path().join("file"), "").unwrap();
        assert!(folder(&base.path().join("file"), 0o700, me()).is_err());
        std::os::unix::fs::symlink("a", base.path().join("link")).unwrap();
        assert!(folder(&base.path().join("link"), 0o700, me()).is_err());
    }

    #[test]
    fn a_folder_of_the_group_stays_as_it_is() {
        let base = tempfile::tempdir().unwrap();
        fs::set_permissions(base.path(), Permissions::from_mode(0o750)).unwrap();
        share(base.path(), me()).unwrap();
        assert_eq!(mode(base.path()), 0o750);
        // Only root may give it to any group.
        let other = (me().0, me().1 + 1);
        if share(base.path(), other).is_ok() {
            assert_eq!(mode(base.path()), 0o2770);
            assert_eq!(fs::metadata(base.path()).unwrap().gid(), other.1);
        }
    }

    #[test]
    fn folders_above_are_private() {
        let base = tempfile::tempdir().unwrap();
        private_folders(base.path(), &base.path().join("a/b/c"), me()).unwrap();
        assert_eq!(mode(&base.path().join("a")), 0o700);
        assert_eq!(mode(&base.path().join("a/b/c")), 0o700);
        assert!(private_folders(&base.path().join("a"), &base.path().join("b"), me()).is_err());
    }

    #[test]
    fn a_file_is_written_in_its_place() {
        let base = tempfile::tempdir().unwrap();
        let path = base.path().join("hosts");
        file(&path, b"one, which is longer", 0o644, me()).unwrap();
        let before = fs::metadata(&path).unwrap();
        assert_eq!(before.mode() & 0o777, 0o644);
        file(&path, b"two", 0o644, me()).unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"two");
        assert_eq!(fs::metadata(&path).unwrap().ino(), before.ino());
    }

    #[test]
    fn a_file_that_a_container_wrote_into_is_not_read() {
        let base = tempfile::tempdir().unwrap();
        let path = base.path().join("hosts");
        for (there, same) in [("one", true), ("two", false), ("on", false), ("one more", false)] {
            fs::write(&path, there).unwrap();
            assert_eq!(holds(&path, b"one").unwrap(), same, "{there}");
        }
        // Larger than any memory, and nothing of it on the disk.
        fs::File::create(&path).unwrap().set_len(8 << 40).unwrap();
        file(&path, b"one", 0o644, me()).unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"one");
    }

    #[test]
    fn what_is_forbidden_is_removed_too() {
        let base = tempfile::tempdir().unwrap();
        let path = base.path().join("pod");
        fs::create_dir_all(path.join("a/b/c")).unwrap();
        fs::write(path.join("a/b/file"), "").unwrap();
        fs::write(base.path().join("outside"), "").unwrap();
        std::os::unix::fs::symlink("../../outside", path.join("a/link")).unwrap();
        fs::set_permissions(path.join("a/b"), Permissions::from_mode(0o000)).unwrap();
        remove(&path).unwrap();
        assert!(!path.exists());
        assert!(base.path().join("outside").exists());
        remove(&path).unwrap();
    }

    #[test]
    fn folders_that_are_not_to_stay_go() {
        let base = tempfile::tempdir().unwrap();
        for name in ["a", "b"] {
            fs::create_dir_all(base.path().join(name).join("c")).unwrap();
        }
        retain(base.path(), &BTreeSet::from(["b".to_owned()])).unwrap();
        assert!(!base.path().join("a").exists());
        assert!(base.path().join("b/c").exists());
        retain(&base.path().join("none"), &BTreeSet::new()).unwrap();
    }
}
