//! A folder of files that change all at once, in the layout that programs know from Kubernetes: each name at the top is a
//! link into `..data`, which is a link to the folder of the present files and is replaced in one step.

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::os::unix::fs::{MetadataExt, symlink};
use std::path::{Path, PathBuf};

use jiff::Timestamp;

use super::disk;
use super::volumes::Payload;

const DATA: &str = "..data";
const NEXT_DATA: &str = "..data_tmp";

/// Makes a folder hold exactly these files. Whether anything was to change.
pub(super) fn write(
    folder: &Path,
    payload: &Payload,
    owner: (u32, u32),
    now: Timestamp,
) -> io::Result<bool> {
    let data = folder.join(DATA);
    let present = match fs::read_link(&data) {
        Ok(present) => Some(present),
        Err(error) if error.kind() == io::ErrorKind::NotFound => None,
        Err(error) => return Err(error),
    };
    if let Some(present) = &present
        && holds(&folder.join(present), payload)
    {
        return Ok(false);
    }
    let next = make_next(folder, owner, now)?;
    let next_path = folder.join(&next);
    for (path, file) in payload.files() {
        let path = next_path.join(path);
        if let Some(parent) = path.parent() {
            let mut missing = next_path.clone();
            for part in parent.strip_prefix(&next_path).map_err(io::Error::other)?.components() {
                missing.push(part);
                disk::folder(&missing, 0o755, owner)?;
            }
        }
        disk::file(&path, &file.bytes, file.mode, owner)?;
    }
    let names: BTreeSet<&str> =
        payload.files().filter_map(|(path, _)| path.split('/').next()).collect();
    for name in &names {
        match symlink(Path::new(DATA).join(name), folder.join(name)) {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
            _ => {}
        }
    }
    // Left by a life that broke off.
    match fs::remove_file(folder.join(NEXT_DATA)) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    symlink(&next, folder.join(NEXT_DATA))?;
    fs::rename(folder.join(NEXT_DATA), &data)?;
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let name = entry.file_name();
        let stays = name == DATA || name == next.as_os_str();
        match name.to_str() {
            Some(name) if stays || names.contains(name) => {}
            _ if entry.file_type()?.is_dir() => disk::remove(&entry.path())?,
            _ => fs::remove_file(entry.path())?,
        }
    }
    Ok(true)
}

/// A new folder in a folder, named by the time.
fn make_next(folder: &Path, owner: (u32, u32), now: Timestamp) -> io::Result<PathBuf> {
    let time = now.strftime("..%Y_%m_%d_%H_%M_%S").to_string();
    let mut number = now.subsec_nanosecond();
    loop {
        let name = PathBuf::from(format!("{time}.{number}"));
        if disk::folder(&folder.join(&name), 0o755, owner)? {
            return Ok(name);
        }
        number += 1;
    }
}

/// Whether a folder has these files, and no others.
fn holds(folder: &Path, payload: &Payload) -> bool {
    let same = payload.files().all(|(path, file)| {
        let path = folder.join(path);
        fs::symlink_metadata(&path).is_ok_and(|there| there.mode() & 0o7777 == file.mode)
            && fs::read(&path).is_ok_and(|bytes| bytes == file.bytes)
    });
    same && count(folder).is_ok_and(|count| count == payload.files().count())
}

/// How many files there are in a folder and below.
fn count(folder: &Path) -> io::Result<usize> {
    let mut files = 0;
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        files += if entry.file_type()?.is_dir() { count(&entry.path())? } else { 1 };
    }
    Ok(files)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn payload(files: &[(&str, &str)]) -> Payload {
        let mut payload = Payload::default();
        for (path, text) in files {
            payload.add(path, text.as_bytes().to_vec(), 0o640).unwrap();
        }
        payload
    }

    /// What a folder shows at its top, and what its names lead to.
    fn shown(folder: &Path) -> Vec<String> {
        let mut names: Vec<String> = fs::read_dir(folder)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .filter(|name| !name.starts_with(".."))
            .collect();
        names.sort();
        names
    }

    fn hidden(folder: &Path) -> usize {
        fs::read_dir(folder)
            .unwrap()
            .filter(|entry| entry.as_ref().unwrap().file_name().to_string_lossy().starts_with(".."))
            .count()
    }

    #[test]
    fn files_change_all_at_once() {
        let base = tempfile::tempdir().unwrap();
        let folder = base.path();
        let metadata = fs::metadata(folder).unwrap();
        let owner = (metadata.uid(), metadata.gid());
        let write = |files: &[(&str, &str)]| {
            write(folder, &payload(files), owner, Timestamp::UNIX_EPOCH).unwrap()
        };
        let read = |path: &str| fs::read_to_string(folder.join(path)).unwrap();

        assert!(write(&[("a", "1"), ("conf.d/x/y", "2")]));
        assert_eq!(shown(folder), ["a", "conf.d"]);
        assert_eq!(read("a"), "1");
        assert_eq!(read("conf.d/x/y"), "2");
        assert_eq!(fs::read_link(folder.join("a")).unwrap(), Path::new("..data/a"));
        let present = fs::read_link(folder.join("..data")).unwrap();
        assert_eq!(present, Path::new("..1970_01_01_00_00_00.0"));
        assert_eq!(fs::metadata(folder.join("a")).unwrap().mode() & 0o7777, 0o640);

        assert!(!write(&[("a", "1"), ("conf.d/x/y", "2")]));
        assert_eq!(fs::read_link(folder.join("..data")).unwrap(), present);

        // Who has a file open keeps what was there.
        let open = fs::File::open(folder.join("a")).unwrap();
        assert!(write(&[("a", "3"), ("b", "4")]));
        assert_eq!(io::read_to_string(open).unwrap(), "1");
        assert_eq!(shown(folder), ["a", "b"]);
        assert_eq!((read("a"), read("b")), ("3".to_owned(), "4".to_owned()));
        assert_eq!(hidden(folder), 2, "the link and the present files");

        // One that is gone is news, too.
        assert!(write(&[("b", "4")]));
        assert_eq!(shown(folder), ["b"]);
        assert!(write(&[]));
        assert_eq!(shown(folder), [""; 0]);
        assert!(!write(&[]));
    }

    #[test]
    fn what_an_earlier_life_left_goes() {
        let base = tempfile::tempdir().unwrap();
        let folder = base.path();
        let metadata = fs::metadata(folder).unwrap();
        symlink("..gone", folder.join("..data_tmp")).unwrap();
        symlink("..gone", folder.join("..data")).unwrap();
        symlink("..data/old", folder.join("old")).unwrap();
        fs::create_dir_all(folder.join("..2020/x")).unwrap();
        let owner = (metadata.uid(), metadata.gid());
        assert!(write(folder, &payload(&[("a", "1")]), owner, Timestamp::UNIX_EPOCH).unwrap());
        assert_eq!((shown(folder), hidden(folder)), (vec!["a".to_owned()], 2));
    }
}
