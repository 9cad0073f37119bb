//! What one container takes, others still have.

use std::time::Duration;

use sandbox::Exit;
use tokio::time::timeout;

use crate::support::{Trial, children, container};

/// A fork bomb: each of its processes makes more for ever. It says once that it is at its bound.
const BOMB: &str = "
import os, time
lit = False
while True:
    try:
        os.fork()
    except OSError:
        if os.getpid() == 1 and not lit:
            print('lit', flush=True)
            lit = True
        time.sleep(0.01)
";

/// A number of processes of each of many users. It says how many it could start.
const MANY_USERS: &str = "
import os, time
started = 0
for user in range(1, 101):
    for _ in range(8):
        try:
            if os.fork() == 0:
                os.setuid(user)
                time.sleep(1000)
            started += 1
        except OSError:
            pass
print(started, flush=True)
time.sleep(1000)
";

#[tokio::test(flavor = "multi_thread")]
async fn a_fork_bomb_is_contained() {
    let trial = Trial::start().await;
    let (a, b) = (trial.pod("a", 5).await, trial.pod("b", 6).await);
    let mut spec = container(&a, "bomb", &["python3", "-c", BOMB]);
    spec.limits.processes = 50;
    let id = spec.id.clone();
    let mut bomb = trial.run(spec).await.unwrap();
    assert_eq!(bomb.line().await, "lit");
    // It cannot start one more, and others can.
    let full = async {
        while let Ok(running) = trial.exec(&id, &["sh", "-c", "true & true & wait"]).await {
            if running.end().await.err.contains("Cannot fork") {
                break;
            }
        }
    };
    timeout(Duration::from_secs(20), full).await.unwrap();
    let counted =
        trial.output(&b, "for i in $(busybox seq 100); do sleep 5 & done; echo all").await;
    assert_eq!(counted, "all\n");

    timeout(Duration::from_secs(10), trial.engine.remove_pod(&a)).await.unwrap().unwrap();
    assert_eq!(bomb.process.exit().await, Exit::Signal(9));
    assert_eq!(children(&trial.engine), [0_u32; 0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bomb_of_many_users_is_contained() {
    let trial = Trial::start().await;
    let pod = trial.pod("a", 5).await;
    let many = trial.engine.owner(0, 0) != trial.engine.owner(1, 1);
    if !many {
        return;
    }
    // Root of a container may become others, who each have a number of processes of their own.
    let mut spec = container(&pod, "main", &["python3", "-c", MANY_USERS]);
    spec.limits.processes = 200;
    let mut running = trial.run(spec).await.unwrap();
    // It counts itself.
    assert_eq!(running.line().await, "199");
}

#[tokio::test(flavor = "multi_thread")]
async fn more_requests_than_are_done_at_once() {
    let trial = Trial::start().await;
    let pod = trial.pod("a", 5).await;
    let connections = (0..500).map(|_| {
        let engine = trial.engine.clone();
        let network = sandbox::Network::Pod(pod.clone());
        tokio::spawn(async move { engine.bind(network, "0.0.0.0:0".parse().unwrap()).await })
    });
    for connection in connections.collect::<Vec<_>>() {
        connection.await.unwrap().unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn descriptors_are_limited() {
    let trial = Trial::start().await;
    let pod = trial.pod("a", 5).await;
    let line = "import os\nn = 0\ntry:\n    while True: os.open('/', 0); n += 1\nexcept OSError as e: print(n < 100, e.strerror)";
    let mut spec = container(&pod, "main", &["python3", "-c", line]);
    spec.limits.open_files = 100;
    let ended = trial.run(spec).await.unwrap().end().await;
    assert_eq!(ended.out, "True Too many open files\n", "{}", ended.err);
}
