//! Files that only their owner may read.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::Path;

/// Writes a file with mode 0600, whole or not at all: who reads it meanwhile, or after a crash, finds the
/// old contents or the new.
pub fn write_private(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let name = path.file_name().ok_or_else(|| {
        io::Error::new(io::ErrorKind::InvalidInput, "the path does not name a file")
    })?;
    let folder = match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    let mut temporary = std::ffi::OsString::from(".");
    temporary.push(name);
    temporary.push(format!(".{}.tmp", std::process::id()));
    let temporary = folder.join(temporary);
    // What a crash of a process with our number left behind; and a link set there by someone else is not
    // followed, as the file below must be new.
    match fs::remove_file(&temporary) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        Ok(()) | Err(_) => {}
    }
    let result = write_new(&temporary, bytes).and_then(|()| fs::rename(&temporary, path));
    if let Err(error) = result {
        // The first error is the one to tell.
        _ = fs::remove_file(&temporary);
        return Err(error);
    }
    File::open(folder)?.sync_all()
}

/// Takes a file that is there from everybody but its owner, should others be able to read or write it.
pub(crate) fn keep_private(file: &File, path: &Path) -> io::Result<()> {
    let mode = file.metadata()?.permissions().mode() & 0o777;
    if mode & 0o077 == 0 {
        return Ok(());
    }
    tracing::warn!(path = %path.display(), "others could read this file (mode {mode:o}); its mode is now 600");
    file.set_permissions(fs::Permissions::from_mode(0o600))
}

fn write_new(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_others_could_read_is_taken_from_them() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("secret");
        for (mode, kept) in [(0o666, 0o600), (0o640, 0o600), (0o600, 0o600), (0o400, 0o400)] {
            let file = File::create(&path).unwrap();
            file.set_permissions(fs::Permissions::from_mode(mode)).unwrap();
            keep_private(&file, &path).unwrap();
            assert_eq!(file.metadata().unwrap().permissions().mode() & 0o777, kept, "{mode:o}");
            fs::remove_file(&path).unwrap();
        }
    }

    #[test]
    fn replaces_whole_and_private() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("secret");
        fs::write(&path, "old").unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
        write_private(&path, b"new").unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"new");
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        let left: Vec<_> = fs::read_dir(folder.path()).unwrap().collect();
        assert_eq!(left.len(), 1, "no temporary file is left");
    }

    #[test]
    fn errors_leave_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("taken");
        fs::create_dir(&path).unwrap();
        fs::write(path.join("file"), "x").unwrap();
        write_private(&path, b"new").unwrap_err();
        write_private(&folder.path().join("missing/secret"), b"new").unwrap_err();
        write_private(Path::new("/"), b"new").unwrap_err();
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }
}
