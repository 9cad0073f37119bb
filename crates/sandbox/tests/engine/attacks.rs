//! What a container must not be able to do.

use sandbox::Exit;

use crate::support::{Trial, container};

#[tokio::test(flavor = "multi_thread")]
async fn a_container_has_no_power_beyond_itself() {
    let trial = Trial::start().await;
    let pod = trial.pod("a", 5).await;
    for line in [
        "mount -t tmpfs none /mnt",
        "mount -o remount,bind,rw /usr",
        "umount /proc/sys",
        "busybox hostname other",
        "ip link set eth0 down",
        "ip address add 10.244.1.9/24 dev eth0",
        "nft add table inet x",
        "unshare -U true",
        "unshare -m true",
        "unshare -n true",
        "busybox mknod /tmp/disk b 254 0",
        "busybox sysctl -w net.ipv4.ip_unprivileged_port_start=1024",
        "echo 1 > /proc/sysrq-trigger",
        "echo x > /proc/self/mem_limit",
        "busybox chroot /proc/1/root/../.. ls /folder",
        "ls /proc/1/root/host",
        "test $(readlink /proc/1/exe) != $(readlink -f /bin/sh)",
        "echo -1000 > /proc/self/oom_score_adj",
        "ulimit -n 1000000",
    ] {
        let ended = trial.shell(&pod, line).await.unwrap().end().await;
        assert_ne!(ended.exit, Exit::Code(0), "{line}: {}", ended.out);
        assert!(matches!(ended.exit, Exit::Code(_)), "{line}: {:?}", ended.exit);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn killing_all_that_is_seen_kills_the_container_alone() {
    let trial = Trial::start().await;
    let (a, b) = (trial.pod("a", 5).await, trial.pod("b", 6).await);
    let other = trial.run(container(&b, "main", &["sleep", "1000"])).await.unwrap();
    let line = "sleep 1000 & kill -9 -1; for p in $(busybox seq 2 300); do kill -9 $p 2>/dev/null; done; exit 3";
    let ended = trial.shell(&a, line).await.unwrap().end().await;
    assert_eq!(ended.exit, Exit::Code(3));
    let id = container(&b, "main", &[]).id;
    assert_eq!(trial.exec(&id, &["echo", "alive"]).await.unwrap().end().await.out, "alive\n");
    other.process.signal(9).await.unwrap();
    assert_eq!(other.process.exit().await, Exit::Signal(9));
}

/// What joins a container is this program for a moment: as it is seen in there, nobody may look into it, nor write to its file.
#[tokio::test(flavor = "multi_thread")]
async fn the_engines_program_cannot_be_seized() {
    let trial = Trial::start().await;
    let pod = trial.pod("a", 5).await;
    let look = "import glob, os\nprint('ready', flush=True)\nwhile not os.path.exists('/tmp/stop'):\n  for path in glob.glob('/proc/[0-9]*'):\n    \
                for name in ('exe', 'root', 'cwd', 'fd'):\n      try:\n        if name == 'exe' and not os.readlink(path + '/exe').startswith('/usr/'): \
                print('exe', os.readlink(path + '/exe'))\n        if name == 'fd' and os.path.exists(path + '/fd/3') and path != '/proc/self' and \
                os.readlink(path + '/fd/3').startswith('socket'): print('fd', path)\n        os.close(os.open(path + '/exe', os.O_WRONLY))\n        \
                print('written', path)\n      except OSError: pass\n";
    let spec = container(&pod, "main", &["python3", "-c", look]);
    let id = spec.id.clone();
    let mut looking = trial.run(spec).await.unwrap();
    assert_eq!(looking.line().await, "ready");
    for _ in 0..30 {
        let ended = trial.exec(&id, &["true"]).await.unwrap().end().await;
        assert_eq!(ended.exit, Exit::Code(0));
    }
    trial.exec(&id, &["touch", "/tmp/stop"]).await.unwrap().end().await;
    let ended = looking.end().await;
    assert_eq!((ended.exit, ended.out.as_str(), ended.err.as_str()), (Exit::Code(0), "", ""));
}
