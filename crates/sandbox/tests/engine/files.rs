//! What a container sees of files.

use std::fs;
use std::os::unix::fs::{MetadataExt as _, symlink};

use sandbox::{Exit, Mount, MountSource};

use crate::support::{Trial, container, own};

#[tokio::test]
async fn of_the_host_programs_alone() {
    let trial = Trial::start().await;
    let pod = trial.pod("a", 5).await;
    fs::write(trial.volume("other").join("secret"), "secret").unwrap();
    let folder = trial.folder.path().display().to_string();
    for (line, expected) in [
        (
            "busybox ls /",
            "bin\ndev\netc\nhome\nlib\nlib64\nmnt\nopt\nproc\nroot\nrun\nsbin\nsrv\nsys\ntmp\nusr\nvar\n",
        ),
        (
            "busybox ls /home /root /mnt /tmp /opt /srv",
            "/home:\n\n/mnt:\n\n/opt:\n\n/root:\n\n/srv:\n\n/tmp:\n",
        ),
        ("ls /etc/shadow /etc/ssh /host /folder /program 2>&1 | grep -c 'No such file'", "5\n"),
        (&format!("ls {folder} 2>&1 | grep -c 'No such file'"), "1\n"),
        ("touch /usr/bin/x 2>&1", "touch: cannot touch '/usr/bin/x': Read-only file system\n"),
        ("echo 1 2>/dev/null > /proc/sys/net/ipv4/ip_forward || echo no", "no\n"),
        ("grep -c . /proc/self/mountinfo | grep -q ... || echo few", "few\n"),
        ("busybox ls -d /proc/[0-9]* | grep -c .", "3\n"),
        ("cat /proc/kcore 2>/dev/null | busybox head -c 1 | busybox wc -c", "0\n"),
        ("echo x > /etc/x && echo y > /tmp/y && cat /etc/x /tmp/y", "x\ny\n"),
        (
            "for f in null zero full random urandom tty shm pts ptmx fd; do test -e /dev/$f || echo $f; done",
            "",
        ),
        ("busybox head -c 2 /dev/zero | busybox od -An -tx1", " 00 00\n"),
        (
            "test -e /dev/sda || test -e /dev/vda || test -e /dev/mem || test -e /dev/kmsg || echo none",
            "none\n",
        ),
    ] {
        let ended = trial.shell(&pod, line).await.unwrap().end().await;
        assert_eq!(ended.out, expected, "{line}: {}", ended.err);
    }
}

#[tokio::test]
async fn volumes() {
    let trial = Trial::start().await;
    let pod = trial.pod("a", 5).await;
    let (data, settings) = (trial.volume("data"), trial.volume("settings"));
    fs::write(settings.join("name"), "value").unwrap();
    let mut spec = container(
        &pod,
        "main",
        &[
            "sh",
            "-c",
            "cat /etc/app/name /etc/app.conf; echo mine > /data/file; echo x > /etc/app/name; echo y > /data/ro/y; \
           echo z > /cache/z; cat /cache/z; head -c 2000000 /dev/zero > /cache/big; cat /host/etc/app.conf; echo > /host/x",
        ],
    );
    spec.mounts = vec![
        own(&data, "/data", false),
        own(&settings, "/data/ro", true),
        own(&settings, "/etc/app", true),
        own(&settings.join("name"), "/etc/app.conf", false),
        Mount { source: MountSource::Memory(1 << 20), target: "/cache".into(), read_only: false },
        Mount {
            source: MountSource::Host("/usr/share".into()),
            target: "/host".into(),
            read_only: false,
        },
    ];
    let ended = trial.run(spec).await.unwrap().end().await;
    assert_eq!(ended.out, "valuevaluez\n");
    for error in [
        "cannot create /etc/app/name: Read-only file system",
        "cannot create /data/ro/y: Read-only file system",
        "cannot create /host/x: Read-only file system",
        "No space left on device",
    ] {
        assert!(ended.err.contains(error), "{error}: {}", ended.err);
    }
    let file = data.join("file");
    assert_eq!(fs::read_to_string(&file).unwrap(), "mine\n");
    let owner = fs::metadata(&file).unwrap();
    assert_eq!((owner.uid(), owner.gid()), trial.engine.owner(0, 0));
}

#[tokio::test]
async fn volumes_where_the_host_has_nothing() {
    let trial = Trial::start().await;
    let pod = trial.pod("a", 5).await;
    let data = trial.volume("data");
    fs::write(data.join("page"), "page\n").unwrap();
    let line = "cat /usr/share/nothing/like/it/page /usr/local/etc/nothing.conf /usr/local/etc/deep/one/page /one/two/three; \
                busybox ls /usr/share | busybox wc -l; touch /usr/share/doc/x /usr/local/bin/x";
    let mut spec = container(&pod, "main", &["sh", "-c", line]);
    spec.mounts = vec![
        own(&data, "/usr/share/nothing/like/it", false),
        own(&data.join("page"), "/usr/local/etc/nothing.conf", false),
        own(&data, "/usr/local/etc/deep/one", false),
        own(&data.join("page"), "/one/two/three", false),
    ];
    let ended = trial.run(spec).await.unwrap().end().await;
    let entries = fs::read_dir("/usr/share").unwrap().count() + 1;
    assert_eq!(ended.out, format!("page\npage\npage\npage\n{entries}\n"), "{}", ended.err);
    assert_eq!(ended.err.matches("Read-only file system").count(), 2, "{}", ended.err);
}

#[tokio::test]
async fn links_in_volumes_lead_nowhere_else() {
    let trial = Trial::start().await;
    let pod = trial.pod("a", 5).await;
    let (data, secret) = (trial.volume("data"), trial.volume("secret"));
    fs::write(secret.join("file"), "secret").unwrap();
    symlink(&secret, data.join("absolute")).unwrap();
    symlink("../secret", data.join("relative")).unwrap();
    symlink("../secret/file", data.join("file")).unwrap();
    symlink("/etc", data.join("etc")).unwrap();
    symlink("../../../../../../etc", data.join("up")).unwrap();

    // As a source: not followed, neither as the last part nor on the way.
    for path in ["absolute", "relative", "file", "relative/file"] {
        let mut spec = container(&pod, "main", &["true"]);
        spec.mounts = vec![own(&data.join(path), "/mnt", false)];
        let failure = trial.run(spec).await.err().unwrap().to_string();
        assert!(
            failure.starts_with("mount /mnt: Too many levels of symbolic links"),
            "{path}: {failure}"
        );
    }
    for path in [trial.folder.path().join("data/../secret"), "/etc".into()] {
        let mut spec = container(&pod, "main", &["true"]);
        spec.mounts = vec![own(&path, "/mnt", false)];
        assert!(trial.run(spec).await.is_err(), "{}", path.display());
    }

    // As a target: followed as the container would.
    for link in ["etc", "up"] {
        let mut spec = container(&pod, "main", &["cat", "/etc/given/file"]);
        spec.mounts =
            vec![own(&data, "/data", false), own(&secret, &format!("/data/{link}/given"), true)];
        assert_eq!(trial.run(spec).await.unwrap().end().await.out, "secret", "{link}");
    }
    assert!(!std::path::Path::new("/etc/given").exists());
}

#[tokio::test]
async fn a_root_that_cannot_be_written_to() {
    let trial = Trial::start().await;
    let pod = trial.pod("a", 5).await;
    let data = trial.volume("data");
    let line = "for f in / /etc /var/lib /data /tmp /dev/shm /app; do touch $f/x 2>/dev/null && echo $f; done";
    let mut spec = container(&pod, "main", &["sh", "-c", line]);
    spec.read_only_root = true;
    spec.process.working_dir = "/app".into();
    spec.mounts = vec![own(&data, "/data", false)];
    assert_eq!(trial.run(spec).await.unwrap().end().await.out, "/data\n/tmp\n/dev/shm\n");
}

#[tokio::test]
async fn what_is_written_is_limited() {
    let trial = Trial::start().await;
    let pod = trial.pod("a", 5).await;
    let line = "busybox head -c 9000000 /dev/zero > /var/lib/big; busybox stat -c %s /var/lib/big; i=0; \
                rm /var/lib/big; while : > /tmp/$i; do i=$((i+1)); done";
    let mut spec = container(&pod, "main", &["sh", "-c", line]);
    spec.limits.root_bytes = 4 << 20;
    let ended = trial.run(spec).await.unwrap().end().await;
    let size: u64 = ended.out.trim().parse().unwrap();
    assert!((3 << 20..=4 << 20).contains(&size), "{size}");
    assert!(ended.err.contains("No space left on device"), "{}", ended.err);
    assert_eq!(ended.exit, Exit::Code(2));
}
