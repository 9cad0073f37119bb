//! What a container sees of files: a root in memory, with the host's programs and libraries read-only, devices that harm nobody, and what is asked to be mounted.

use std::ffi::CString;
use std::fs;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;

use rustix::fs::{CWD, Mode, OFlags, openat};
use rustix::mount::{MountAttrFlags, MountFlags, UnmountFlags, mount, unmount};
use rustix::process::pivot_root;

use crate::failure::Failure;
use crate::filesystem::{file_system, memory};
use crate::host::{FOLDER, HOST, ROOT};
use crate::spec::{ContainerSpec, Mount, MountSource, PROGRAMS};
use crate::sys::{self, Forbid};
use crate::tree::{self, Links};

/// What programs look up in `/etc` and what says nothing of the host but its time and whom it trusts.
const SETTINGS: &[&str] = &[
    "alternatives",
    "ca-certificates",
    "crypto-policies",
    "ld.so.cache",
    "ld.so.conf",
    "ld.so.conf.d",
    "localtime",
    "mime.types",
    "pki",
    "protocols",
    "rpc",
    "services",
    "ssl/certs",
    "ssl/openssl.cnf",
    "static",
    "timezone",
];

/// Copied, so that a container may have users of its own.
const COPIED: &[&str] = &["group", "passwd"];

/// No service of the host's answers here: what asks for users and names finds files and the resolver.
const NSSWITCH: &str = "passwd: files\ngroup: files\nshadow: files\nhosts: files dns\nnetworks: files\n\
                        protocols: files\nservices: files\nethers: files\nrpc: files\n";

const FOLDERS: &[(&str, u32)] = &[
    ("dev", 0o755),
    ("etc", 0o755),
    ("home", 0o755),
    ("mnt", 0o755),
    ("opt", 0o755),
    ("proc", 0o555),
    ("root", 0o700),
    ("run", 0o755),
    ("run/lock", 0o1777),
    ("srv", 0o755),
    ("sys", 0o555),
    ("tmp", 0o1777),
    ("var", 0o755),
    ("var/cache", 0o755),
    ("var/lib", 0o755),
    ("var/log", 0o755),
    ("var/spool", 0o755),
    ("var/tmp", 0o1777),
];

const DEVICES: &[&str] = &["full", "null", "random", "tty", "urandom", "zero"];

const LINKS: &[(&str, &str)] = &[
    ("/proc/self/fd", "dev/fd"),
    ("/proc/self/fd/0", "dev/stdin"),
    ("/proc/self/fd/1", "dev/stdout"),
    ("/proc/self/fd/2", "dev/stderr"),
    ("pts/ptmx", "dev/ptmx"),
    ("/proc/self/mounts", "etc/mtab"),
    ("/run", "var/run"),
    ("/run/lock", "var/lock"),
];

/// What `/proc` says of the whole machine, and where it can be changed.
const HIDDEN: &[&str] = &["kcore", "keys", "latency_stats", "sched_debug", "timer_list"];
const FIXED: &[&str] = &["bus", "fs", "irq", "sys", "sysrq-trigger"];

/// Bytes of `/dev/shm`, as other runtimes have it.
const SHARED_BYTES: u64 = 64 << 20;

/// Puts the root of a container together and goes there: the host's files are out of reach then. The mount namespace must be the calling
/// process's own. What is given back is the folder of limits of user namespaces, which cannot be written to any more by its path.
pub(crate) fn enter(spec: &ContainerSpec, folder: &Path) -> Result<OwnedFd, Failure> {
    let failed = |error| Failure::system("the container's root folder", error);
    let bytes = spec.limits.root_bytes;
    let inodes = bytes / 4096 + 4096;
    let options =
        CString::new(format!("mode=0755,size={bytes},nr_inodes={inodes}")).map_err(failed_text)?;
    let flags = MountFlags::NOSUID | MountFlags::NODEV;
    mount("tmpfs", ROOT, "tmpfs", flags, options.as_c_str())
        .map_err(|error| failed(error.into()))?;
    let root = open(ROOT).map_err(failed)?;
    host_files(&root).map_err(failed)?;
    devices(&root).map_err(failed)?;
    let limits = kernel(&root).map_err(failed)?;
    if spec.read_only_root {
        memory(&root, Path::new("tmp"), bytes, "1777").map_err(failed)?;
    }
    for each in &spec.mounts {
        mount_one(&root, each, folder)
            .map_err(|error| Failure::system(format!("mount {}", each.target.display()), error))?;
    }
    tree::folder(&root, &spec.process.working_dir).map_err(|error| {
        Failure::system(format!("working folder {}", spec.process.working_dir.display()), error)
    })?;
    if spec.read_only_root {
        sys::forbid(&root, c"", false, &Forbid::WRITING).map_err(failed)?;
    }
    go(&root).map_err(failed)?;
    Ok(limits)
}

fn failed_text(error: impl ToString) -> Failure {
    Failure::system("the container's root folder", error)
}

fn open(path: impl AsRef<Path>) -> io::Result<OwnedFd> {
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
    Ok(openat(CWD, path.as_ref(), flags, Mode::empty())?)
}

fn host_files(root: &OwnedFd) -> io::Result<()> {
    let at = Path::new(ROOT);
    for (name, mode) in FOLDERS {
        fs::create_dir(at.join(name))?;
        fs::set_permissions(at.join(name), fs::Permissions::from_mode(*mode))?;
    }
    let host = open(HOST)?;
    for name in PROGRAMS {
        let there = Path::new(HOST).join(name);
        match fs::symlink_metadata(&there) {
            Ok(found) if found.is_symlink() => symlink(fs::read_link(&there)?, at.join(name))?,
            Ok(found) if found.is_dir() => {
                tree::bind(open(&there)?, root, Path::new(name), None)?;
            }
            _ => {}
        }
    }
    for name in SETTINGS {
        let path = Path::new("etc").join(name);
        settings(&host, root, &path)?;
    }
    for entry in fs::read_dir(Path::new(HOST).join("etc"))?.flatten() {
        // Debian's packages of Java and their kin keep settings that they do not start without.
        if entry.file_name().to_string_lossy().starts_with("java") {
            settings(&host, root, &Path::new("etc").join(entry.file_name()))?;
        }
    }
    for name in COPIED {
        if let Ok(content) = fs::read(Path::new(HOST).join("etc").join(name)) {
            fs::write(at.join("etc").join(name), content)?;
        }
    }
    fs::write(at.join("etc/nsswitch.conf"), NSSWITCH)?;
    for (target, link) in LINKS {
        symlink(target, at.join(link))?;
    }
    Ok(())
}

/// Shows something of the host's settings, if it is there and this user may read it.
fn settings(host: &OwnedFd, root: &OwnedFd, path: &Path) -> io::Result<()> {
    match tree::find(host, path, Links::Within) {
        Ok(found) => tree::bind(found, root, path, None),
        Err(_) => Ok(()),
    }
}

fn devices(root: &OwnedFd) -> io::Result<()> {
    let host = open(Path::new(HOST).join("dev"))?;
    for name in DEVICES {
        let device = tree::find(&host, Path::new(name), Links::Refused)?;
        tree::bind(device, root, &Path::new("dev").join(name), None)?;
    }
    fs::create_dir(Path::new(ROOT).join("dev/pts"))?;
    let options = [("mode", "0620"), ("ptmxmode", "0666")];
    let pts = file_system(c"devpts", &options, MountAttrFlags::MOUNT_ATTR_NOEXEC)?;
    tree::attach(pts, tree::find(root, Path::new("dev/pts"), Links::Refused)?)?;
    memory(root, Path::new("dev/shm"), SHARED_BYTES, "1777")
}

/// What the kernel shows of itself and of the container's processes.
fn kernel(root: &OwnedFd) -> io::Result<OwnedFd> {
    let flags = MountAttrFlags::MOUNT_ATTR_NOEXEC | MountAttrFlags::MOUNT_ATTR_NODEV;
    let proc = file_system(c"proc", &[], flags)?;
    tree::attach(&proc, tree::find(root, Path::new("proc"), Links::Refused)?)?;
    let limits = tree::find(&proc, Path::new("sys/user"), Links::Refused)?;
    let null = tree::find(root, Path::new("dev/null"), Links::Refused)?;
    for name in HIDDEN {
        if tree::find(&proc, Path::new(name), Links::Refused).is_ok() {
            tree::bind(&null, root, &Path::new("proc").join(name), None)?;
        }
    }
    for name in FIXED {
        if let Ok(found) = tree::find(&proc, Path::new(name), Links::Refused) {
            let at = Path::new("proc").join(name);
            tree::bind(found, root, &at, Some(&Forbid::WRITING))?;
        }
    }
    // Not every system lets one have it, and little asks for it.
    let flags = flags | MountAttrFlags::MOUNT_ATTR_RDONLY;
    if let Ok(sys) = file_system(c"sysfs", &[], flags) {
        tree::attach(sys, tree::find(root, Path::new("sys"), Links::Refused)?)?;
    }
    Ok(limits)
}

fn mount_one(root: &OwnedFd, mount: &Mount, folder: &Path) -> io::Result<()> {
    let read_only = mount.read_only.then_some(&Forbid::WRITING);
    match &mount.source {
        MountSource::Own(path) => {
            let below = path.strip_prefix(folder).map_err(|_| {
                io::Error::other(format!("{} is not below {}", path.display(), folder.display()))
            })?;
            let source = tree::find(open(FOLDER)?, below, Links::Refused)?;
            tree::bind(source, root, &mount.target, read_only)
        }
        MountSource::Host(path) => {
            let source = tree::find(open(HOST)?, path, Links::Within)?;
            tree::bind(source, root, &mount.target, Some(&Forbid::WRITING))
        }
        MountSource::Memory(bytes) => memory(root, &mount.target, *bytes, "1777"),
    }
}

/// Makes a folder the root, and drops all that was mounted before.
fn go(root: &OwnedFd) -> io::Result<()> {
    rustix::process::fchdir(root)?;
    pivot_root(".", ".")?;
    // The old root lies over the new one now, at the same place.
    unmount(".", UnmountFlags::DETACH)?;
    std::env::set_current_dir("/")
}
