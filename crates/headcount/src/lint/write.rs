//! Changed texts into their files, each whole or not at all.

use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::Path;

/// Puts a text in the place of a file's content: a temporary file beside it takes the file's name and permissions, so
/// that nobody reads half of it. Where the path is a link, the file that it leads to is replaced.
pub(super) fn replace(path: &Path, text: &str) -> io::Result<()> {
    let path = fs::canonicalize(path)?;
    let folder = path.parent().ok_or_else(|| io::Error::other("it is no file"))?;
    let metadata = fs::metadata(&path)?;
    // A file that nobody may write could be replaced all the same, for that takes the folder alone.
    if metadata.permissions().readonly() {
        return Err(io::Error::new(io::ErrorKind::PermissionDenied, "it is read-only"));
    }
    let mut temporary = tempfile::Builder::new().prefix(".headcount-").tempfile_in(folder)?;
    temporary.write_all(text.as_bytes())?;
    keep_owner(temporary.as_file(), &metadata);
    temporary.as_file().set_permissions(metadata.permissions())?;
    temporary.as_file().sync_all()?;
    temporary.persist(&path).map_err(|error| error.error)?;
    File::open(folder)?.sync_all()
}

/// Gives the file the owner and group of the one that it replaces, which only root may do, and then need not.
#[cfg(unix)]
fn keep_owner(file: &File, was: &fs::Metadata) {
    use std::os::unix::fs::{MetadataExt as _, fchown};
    _ = fchown(file, Some(was.uid()), Some(was.gid()));
}

#[cfg(not(unix))]
fn keep_owner(_: &File, _: &fs::Metadata) {}

#[cfg(test)]
mod tests {
    use super::*;

    #[cfg(unix)]
    #[test]
    fn links_and_permissions_stay_and_what_is_read_only_stays_as_it_is() {
        use std::os::unix::fs::{PermissionsExt as _, symlink};
        let folder = tempfile::tempdir().expect("a folder");
        let (file, link) = (folder.path().join("a.yaml"), folder.path().join("b.yaml"));
        fs::write(&file, "old").expect("written");
        fs::set_permissions(&file, fs::Permissions::from_mode(0o640)).expect("set");
        symlink("a.yaml", &link).expect("linked");
        replace(&link, "new").expect("replaced");
        assert_eq!(fs::read_to_string(&file).expect("read"), "new");
        assert_eq!(fs::metadata(&file).expect("there").permissions().mode() & 0o777, 0o640);
        assert!(fs::symlink_metadata(&link).expect("there").is_symlink());
        assert_eq!(fs::read_dir(folder.path()).expect("listed").count(), 2);
        assert!(replace(&folder.path().join("c.yaml"), "x").is_err());
        fs::set_permissions(&file, fs::Permissions::from_mode(0o440)).expect("set");
        let refused = replace(&file, "newer").expect_err("read-only").kind();
        assert_eq!(refused, io::ErrorKind::PermissionDenied);
        assert_eq!(fs::read_to_string(&file).expect("read"), "new");
    }
}
