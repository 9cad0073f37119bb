//! Paths within volumes. Containers write to volumes, so a link there may lead anywhere: none is followed.

use std::io;
use std::os::fd::OwnedFd;
use std::path::{Component, Path, PathBuf};

use rustix::fs::{
    AtFlags, CWD, FileType, Mode, OFlags, fchmod, fchown, fstat, mkdirat, openat, statat,
};
use rustix::io::Errno;
use rustix::process::{Gid, Uid};

/// The parts of a path within a volume.
///
/// # Errors
///
/// In kubelet's words: it leads out of the volume.
pub(super) fn parts(sub_path: &str) -> Result<Vec<String>, String> {
    if sub_path.starts_with('/') {
        return Err(format!("error SubPath `{sub_path}` must not be an absolute path"));
    }
    let mut parts = Vec::new();
    for part in Path::new(sub_path).components() {
        match part {
            Component::Normal(part) => parts.push(part.to_string_lossy().into_owned()),
            Component::CurDir => {}
            Component::ParentDir | Component::RootDir | Component::Prefix(_) => {
                return Err(format!(
                    "unable to provision SubPath `{sub_path}`: must not contain '..'"
                ));
            }
        }
    }
    Ok(parts)
}

/// The folder or file at a path within a volume that containers write to. Folders that are missing are made, with the volume's
/// own mode.
pub(super) fn writable(volume: &Path, parts: &[String], owner: (u32, u32)) -> io::Result<PathBuf> {
    let open = |at: &OwnedFd, name: &str| {
        openat(at, name, OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC, Mode::empty())
    };
    let mut folder =
        openat(CWD, volume, OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC, Mode::empty())?;
    let mode = Mode::from_raw_mode(fstat(&folder)?.st_mode);
    for (at, part) in parts.iter().enumerate() {
        folder = match open(&folder, part) {
            Ok(next) => next,
            Err(Errno::NOENT) => match mkdirat(&folder, part.as_str(), Mode::RWXU) {
                Ok(()) => {
                    let next = open(&folder, part)?;
                    let (uid, gid) = owner;
                    fchown(&next, Some(Uid::from_raw(uid)), Some(Gid::from_raw(gid)))?;
                    fchmod(&next, mode)?;
                    next
                }
                Err(Errno::EXIST) => open(&folder, part)?,
                Err(error) => return Err(error.into()),
            },
            Err(error) => {
                let is_last = at + 1 == parts.len();
                let kind = statat(&folder, part.as_str(), AtFlags::SYMLINK_NOFOLLOW)
                    .map(|stat| FileType::from_raw_mode(stat.st_mode));
                return match kind {
                    Ok(FileType::RegularFile) if is_last => Ok(volume.join(parts.join("/"))),
                    _ => Err(error.into()),
                };
            }
        };
    }
    Ok(volume.join(parts.join("/")))
}

/// The file or folder at a path within a volume of projected files, whose links are our own.
pub(super) fn projected(volume: &Path, parts: &[String]) -> io::Result<PathBuf> {
    let volume = volume.canonicalize()?;
    let path = volume.join(parts.join("/")).canonicalize()?;
    match path.starts_with(&volume) {
        true => Ok(path),
        false => Err(io::ErrorKind::PermissionDenied.into()),
    }
}

#[cfg(test)]
mod tests {
    use std::fs::{self, Permissions};
    use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};

    use super::*;

    #[test]
    fn paths_stay_in_their_volume() {
        #[track_caller]
        fn check(sub_path: &str, expected: Result<&[&str], &str>) {
            let seen = parts(sub_path);
            let expected =
                expected.map(|parts| parts.iter().map(|part| (*part).to_owned()).collect());
            assert_eq!(seen, expected.map_err(str::to_owned), "{sub_path}");
        }
        check("", Ok(&[]));
        check("a", Ok(&["a"]));
        check("./a//b/", Ok(&["a", "b"]));
        check("...", Ok(&["..."]));
        check("/a", Err("error SubPath `/a` must not be an absolute path"));
        check("a/../b", Err("unable to provision SubPath `a/../b`: must not contain '..'"));
    }

    #[test]
    fn folders_are_made_and_links_are_not_followed() {
        let base = tempfile::tempdir().unwrap();
        let outside = base.path().join("outside");
        let volume = base.path().join("volume");
        fs::create_dir_all(outside.join("deep")).unwrap();
        fs::create_dir(&volume).unwrap();
        fs::set_permissions(&volume, Permissions::from_mode(0o2770)).unwrap();
        let metadata = fs::metadata(&volume).unwrap();
        let owner = (metadata.uid(), metadata.gid());
        let find = |path: &str| writable(&volume, &parts(path).unwrap(), owner);

        assert_eq!(find("").unwrap(), volume.join(""));
        assert_eq!(find("a/b").unwrap(), volume.join("a/b"));
        assert_eq!(fs::metadata(volume.join("a/b")).unwrap().mode() & 0o7777, 0o2770);
        assert_eq!(find("a/b").unwrap(), volume.join("a/b"));
        fs::write(volume.join("a/file"), "").unwrap();
        assert_eq!(find("a/file").unwrap(), volume.join("a/file"));
        assert!(find("a/file/x").is_err());

        symlink(&outside, volume.join("link")).unwrap();
        symlink("a", volume.join("inner")).unwrap();
        symlink("nowhere", volume.join("dangling")).unwrap();
        for path in ["link", "link/deep", "link/new", "inner/b", "dangling", "dangling/x"] {
            assert!(find(path).is_err(), "{path}");
        }
        assert!(!outside.join("new").exists());
        symlink(&volume, base.path().join("alias")).unwrap();
        assert!(writable(&base.path().join("alias"), &[], owner).is_err());
    }

    #[test]
    fn links_of_projected_files_are_followed() {
        let base = tempfile::tempdir().unwrap();
        let volume = base.path().canonicalize().unwrap().join("volume");
        fs::create_dir_all(volume.join("..1")).unwrap();
        fs::write(volume.join("..1/a"), "").unwrap();
        symlink("..1", volume.join("..data")).unwrap();
        symlink("..data/a", volume.join("a")).unwrap();
        symlink(base.path(), volume.join("out")).unwrap();
        assert_eq!(projected(&volume, &["a".to_owned()]).unwrap(), volume.join("..1/a"));
        assert!(projected(&volume, &["none".to_owned()]).is_err());
        assert!(projected(&volume, &["out".to_owned()]).is_err());
    }
}
