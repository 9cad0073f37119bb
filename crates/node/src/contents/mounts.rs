//! What a container has mounted, and in which order.

use std::path::{Component, Path, PathBuf};

use sandbox::Mount;

/// A path in a container, without detours.
///
/// # Errors
///
/// Nothing can be mounted there.
pub(super) fn target(path: &str) -> Result<PathBuf, String> {
    let mut target = PathBuf::from("/");
    for part in Path::new(path).components() {
        match part {
            Component::Normal(part) => target.push(part),
            Component::ParentDir => {
                target.pop();
            }
            Component::RootDir | Component::CurDir | Component::Prefix(_) => {}
        }
    }
    if path.contains('\0') {
        return Err(format!("{path:?} contains a NUL character"));
    }
    if target == Path::new("/") {
        return Err(format!("{path:?} cannot be mounted because it is the root of the container"));
    }
    for own in ["/proc", "/sys"] {
        if target.starts_with(own) {
            return Err(format!("{path:?} cannot be mounted because it is inside {own}"));
        }
    }
    Ok(target)
}

/// Puts mounts in order: what is mounted below another comes after it. A volume hides what the image has at its place and below, and
/// takes the place of a file of the pod's.
pub(super) fn arrange(image: Vec<Mount>, pod: Vec<Mount>, volumes: Vec<Mount>) -> Vec<Mount> {
    let is_hidden =
        |mount: &Mount| volumes.iter().any(|volume| mount.target.starts_with(&volume.target));
    let is_replaced = |mount: &Mount| volumes.iter().any(|volume| mount.target == volume.target);
    let image = image.into_iter().filter(|mount| !is_hidden(mount)).collect::<Vec<_>>();
    let pod = pod.into_iter().filter(|mount| !is_replaced(mount)).collect::<Vec<_>>();
    let mut all = [image, pod, volumes].concat();
    all.sort_by_key(|mount| mount.target.components().count());
    all
}

#[cfg(test)]
mod tests {
    use sandbox::MountSource;

    use super::*;

    #[test]
    fn targets() {
        #[track_caller]
        fn check(path: &str, expected: Result<&str, &str>) {
            assert_eq!(target(path), expected.map(PathBuf::from).map_err(str::to_owned), "{path}");
        }
        check("/data", Ok("/data"));
        check("data", Ok("/data"));
        check("/a/./b//c/", Ok("/a/b/c"));
        check("/a/../../b", Ok("/b"));
        check("/process", Ok("/process"));
        check("/", Err("\"/\" cannot be mounted because it is the root of the container"));
        check("/a/..", Err("\"/a/..\" cannot be mounted because it is the root of the container"));
        check("/proc/sys", Err("\"/proc/sys\" cannot be mounted because it is inside /proc"));
        check("/x/../sys", Err("\"/x/../sys\" cannot be mounted because it is inside /sys"));
        check("/a\0b", Err("\"/a\\0b\" contains a NUL character"));
    }

    #[test]
    fn order() {
        #[track_caller]
        fn check(image: &[&str], pod: &[&str], volumes: &[&str], expected: &[&str]) {
            let mounts = |from: &str, targets: &[&str]| {
                let mount = |target: &&str| Mount {
                    source: MountSource::Own(from.into()),
                    target: target.into(),
                    read_only: false,
                };
                targets.iter().map(mount).collect()
            };
            let seen: Vec<String> =
                arrange(mounts("i", image), mounts("p", pod), mounts("v", volumes))
                    .into_iter()
                    .map(|mount| match mount.source {
                        MountSource::Own(from) => {
                            format!("{}:{}", from.display(), mount.target.display())
                        }
                        other => format!("{other:?}"),
                    })
                    .collect();
            assert_eq!(seen, expected);
        }
        check(
            &["/busybox"],
            &["/etc/hosts", "/dev/termination-log"],
            &["/data/logs", "/data"],
            &["i:/busybox", "v:/data", "p:/etc/hosts", "p:/dev/termination-log", "v:/data/logs"],
        );
        check(&["/conf/zoo.cfg"], &[], &["/conf"], &["v:/conf"]);
        check(&["/conf/zoo.cfg"], &[], &["/conf/zoo.cfg"], &["v:/conf/zoo.cfg"]);
        check(&["/conf/zoo.cfg"], &[], &["/conf/x"], &["i:/conf/zoo.cfg", "v:/conf/x"]);
        // A volume at /etc does not take the pod's hosts away.
        check(&[], &["/etc/hosts"], &["/etc"], &["v:/etc", "p:/etc/hosts"]);
        check(&[], &["/etc/hosts"], &["/etc/hosts"], &["v:/etc/hosts"]);
    }
}
