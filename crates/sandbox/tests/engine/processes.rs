//! How processes begin and end.

use std::fs;

use sandbox::{Exit, Failure};

use crate::support::{Trial, children, container, own, process};

#[tokio::test]
async fn exits() {
    let trial = Trial::start().await;
    let pod = trial.pod("a", 5).await;
    for (line, exit) in [
        ("exit 0", Exit::Code(0)),
        ("exit 3", Exit::Code(3)),
        ("sh -c 'kill -TERM $$'; exit $?", Exit::Code(143)),
        ("busybox sleep 1000 & exit 4", Exit::Code(4)),
    ] {
        let running = trial.shell(&pod, line).await.unwrap();
        assert_eq!(running.end().await.exit, exit, "{line}");
    }
    assert_eq!(children(&trial.engine), [0_u32; 0]);
}

#[tokio::test]
async fn what_a_process_is_given() {
    let trial = Trial::start().await;
    let pod = trial.pod("web-0", 5).await;
    let line = "echo $GREETING $0 $1; pwd; id -u; id -g; hostname; busybox ls /proc/self/fd; ulimit -n; ulimit -c; umask; echo $$; \
                cat /proc/self/oom_score_adj; grep NoNewPrivs /proc/self/status; env | busybox sort";
    let mut spec = container(&pod, "main", &["/bin/sh", "-c", line, "zero", "one"]);
    spec.process.working_dir = "/srv/app".into();
    spec.process.user.uid = 1000;
    spec.process.user.gid = 2000;
    spec.limits.open_files = 777;
    let ended = trial.run(spec).await.unwrap().end().await;
    assert_eq!(
        ended.out,
        "hello zero one\n/srv/app\n1000\n2000\nweb-0\n0\n1\n2\n3\n777\n0\n0022\n1\n500\nNoNewPrivs:\t1\nGREETING=hello\nPWD=/srv/app\n",
        "{}",
        ended.err
    );
}

#[tokio::test]
async fn users_with_groups_and_rights() {
    let trial = Trial::start().await;
    let pod = trial.pod("a", 5).await;
    let many = trial.engine.owner(0, 0) != trial.engine.owner(1, 1);
    let mut spec = container(&pod, "main", &["sh", "-c", "id -G; grep CapEff /proc/self/status"]);
    spec.process.user.uid = 1000;
    spec.process.user.gid = 1000;
    spec.process.user.groups = vec![5000, 6000];
    let out = trial.run(spec.clone()).await.unwrap().end().await.out;
    let groups = if many { "1000 5000 6000" } else { "1000" };
    let shown = out.lines().next().unwrap();
    assert!(shown.starts_with(groups), "{out}");
    assert!(out.contains("CapEff:\t0000000000000000"), "{out}");

    spec.process.user.uid = 70_000;
    match trial.run(spec).await.err() {
        Some(failure) => {
            assert!(many);
            assert_eq!(
                failure.to_string(),
                "run as 70000: users and groups have numbers below 65536"
            );
        }
        None => assert!(!many),
    }
}

#[tokio::test]
async fn programs_that_cannot_be_run() {
    let trial = Trial::start().await;
    let pod = trial.pod("a", 5).await;
    let data = trial.volume("data");
    fs::write(data.join("text"), "no program").unwrap();
    for (command, failure) in [
        (&["nothing-like-it"][..], Failure::NoProgram("nothing-like-it".into())),
        (&[][..], Failure::NoProgram(String::new())),
        (
            &["/bin/nothing"][..],
            cannot("/bin/nothing", "stat /bin/nothing: no such file or directory"),
        ),
        (&["/tmp"][..], cannot("/tmp", "is a directory")),
        (&["/data/text"][..], cannot("/data/text", "permission denied")),
    ] {
        let mut spec = container(&pod, "main", command);
        spec.mounts = vec![own(&data, "/data", true)];
        assert_eq!(trial.run(spec).await.err(), Some(failure), "{command:?}");
    }
    // By the container's own PATH.
    let mut spec = container(&pod, "main", &["busybox", "true"]);
    spec.process.env = vec![("PATH".into(), "/nowhere".into())];
    assert_eq!(trial.run(spec).await.err(), Some(Failure::NoProgram("busybox".into())));
    assert_eq!(children(&trial.engine), [0_u32; 0]);
}

fn cannot(program: &str, reason: &str) -> Failure {
    Failure::CannotRun { program: program.into(), reason: reason.into() }
}

#[tokio::test]
async fn signals() {
    let trial = Trial::start().await;
    let pod = trial.pod("a", 5).await;
    let line = "trap 'echo term; exit 7' TERM; echo ready; while :; do busybox sleep 0.01; done";
    let mut running = trial.shell(&pod, line).await.unwrap();
    assert_eq!(running.line().await, "ready");
    running.process.signal(15).await.unwrap();
    let ended = running.end().await;
    assert_eq!((ended.exit, ended.out.as_str()), (Exit::Code(7), "term\n"));

    // The first process of a container hears no signal that it does not listen for, as in any container; it cannot shut out the last.
    let mut running = trial.shell(&pod, "echo ready; read x; while :; do :; done").await.unwrap();
    assert_eq!(running.line().await, "ready");
    running.process.signal(15).await.unwrap();
    running.process.signal(9).await.unwrap();
    assert_eq!(running.process.exit().await, Exit::Signal(9));
    assert_eq!(running.process.exit().await, Exit::Signal(9));
    let gone = running.process.signal(9).await.unwrap_err();
    assert_eq!(gone.to_string(), "the process is not there");
}

#[tokio::test]
async fn a_process_beside() {
    let trial = Trial::start().await;
    let pod = trial.pod("a", 5).await;
    let mut spec = container(
        &pod,
        "main",
        &["sh", "-c", "echo file > /tmp/file; echo ready; exec sleep 1000"],
    );
    spec.process.user.uid = 1000;
    let id = spec.id.clone();
    let mut running = trial.run(spec.clone()).await.unwrap();
    assert_eq!(running.line().await, "ready");
    let again = trial.run(spec).await.err().unwrap();
    assert_eq!(again.to_string(), "container main is there already");

    let ended = trial
        .exec(&id, &["sh", "-c", "cat /tmp/file; hostname; cat /proc/1/cmdline | busybox tr '\\0' ' '; ip -o -4 a show eth0 | busybox wc -l"])
        .await
        .unwrap()
        .end()
        .await;
    assert_eq!(
        (ended.exit, ended.out.as_str()),
        (Exit::Code(0), "file\na\nsleep 1000 1\n"),
        "{}",
        ended.err
    );
    let missing = trial.exec(&id, &["nothing-like-it"]).await.err();
    assert_eq!(missing, Some(Failure::NoProgram("nothing-like-it".into())));

    // It is signalled by itself, and ends with the container.
    let beside = trial.exec(&id, &["sleep", "1000"]).await.unwrap();
    beside.process.signal(15).await.unwrap();
    assert_eq!(beside.process.exit().await, Exit::Signal(15));
    let beside = trial.exec(&id, &["sleep", "1000"]).await.unwrap();
    running.process.signal(9).await.unwrap();
    assert_eq!(running.process.exit().await, Exit::Signal(9));
    assert_eq!(beside.process.exit().await, Exit::Signal(9));
    let gone = trial.engine.exec(&id, process(&["true"]), nothing()).await.unwrap_err();
    assert_eq!(gone.to_string(), "container main is not there");
}

fn nothing() -> sandbox::Stdio {
    sandbox::Stdio::Pipes { stdin: None, stdout: None, stderr: None }
}

#[tokio::test]
async fn containers_of_a_pod_share_its_network_and_nothing_else() {
    let trial = Trial::start().await;
    let pod = trial.pod("a", 5).await;
    let server = ["busybox", "nc", "-l", "-p", "7", "-e", "echo", "hi"];
    let server = trial.run(container(&pod, "server", &server)).await.unwrap();
    let line = "until busybox nc 127.0.0.1 7 </dev/null 2>/dev/null; do busybox sleep 0.01; done; busybox ps | grep -c '[n]c -l' ";
    let ended = trial.shell(&pod, line).await.unwrap().end().await;
    assert_eq!(ended.out, "hi\n0\n", "{}", ended.err);
    assert_eq!(server.end().await.exit, Exit::Code(0));
}
