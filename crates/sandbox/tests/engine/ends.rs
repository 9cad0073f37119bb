//! Nothing is left when an engine ends, whatever way it ends.

use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use sandbox::{Engine, Exit, Failure};

use crate::support::{self, Trial, container, with_argument};

/// The variable that tells [`holder`] what to run.
const HELD: &str = "SANDBOX_TESTS_HELD";

/// An argument that no other process has.
fn unique() -> String {
    let name = tempfile::Builder::new().prefix("").rand_bytes(8).tempdir().unwrap();
    let number = name.path().file_name().unwrap().as_encoded_bytes().iter();
    format!("9{}", number.map(|byte| format!("{byte:03}")).collect::<String>())
}

async fn running(argument: &str) -> (Trial, support::Running) {
    let trial = Trial::start().await;
    let pod = trial.pod("a", 5).await;
    let command = ["sh", "-c", "trap '' TERM INT HUP; sleep $0 & sleep $0", argument];
    let running = trial.run(container(&pod, "main", &command)).await.unwrap();
    while with_argument(argument).len() < 3 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    (trial, running)
}

#[tokio::test(flavor = "multi_thread")]
async fn by_request() {
    let argument = unique();
    let (trial, running) = running(&argument).await;
    trial.engine.shutdown().await;
    assert_eq!(with_argument(&argument), [0_u32; 0]);
    assert_eq!(running.process.exit().await, Exit::Signal(9));
    let after = trial.engine.create_pod(pod("b")).await.unwrap_err();
    assert_eq!(after, Failure::Ended);
}

fn pod(name: &str) -> sandbox::PodSpec {
    sandbox::PodSpec { id: sandbox::PodId(name.into()), network: sandbox::PodNetwork::Node }
}

#[tokio::test(flavor = "multi_thread")]
async fn by_being_dropped() {
    let argument = unique();
    let (trial, running) = running(&argument).await;
    drop(trial);
    assert_eq!(running.process.exit().await, Exit::Signal(9));
    gone(&argument).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn with_its_guard() {
    let argument = unique();
    let (trial, _running) = running(&argument).await;
    let guard = rustix::process::Pid::from_raw(trial.engine.pid().try_into().unwrap()).unwrap();
    rustix::process::kill_process(guard, rustix::process::Signal::KILL).unwrap();
    trial.engine.ended().await;
    gone(&argument).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn with_who_holds_it() {
    let argument = unique();
    let mut holder = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "ends::holder", "--nocapture"])
        .env(HELD, &argument)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let lines = BufReader::new(holder.stdout.take().unwrap()).lines();
    let found =
        lines.map(Result::unwrap).find_map(|line| Some(line.split_once("held by ")?.1.to_owned()));
    let guard: u32 = found.unwrap().parse().unwrap();
    assert_eq!(with_argument(&argument).len(), 3);
    holder.kill().unwrap();
    holder.wait().unwrap();
    gone(&argument).await;
    let begun = Instant::now();
    while std::path::Path::new(&format!("/proc/{guard}/ns/net")).exists() {
        assert!(begun.elapsed() < Duration::from_secs(10), "the guard is still there");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// Holds an engine until it is killed, if it is asked to.
#[tokio::test(flavor = "multi_thread")]
async fn holder() {
    let Ok(argument) = std::env::var(HELD) else { return };
    let (trial, _running) = running(&argument).await;
    writeln!(std::io::stdout(), "held by {}", trial.engine.pid()).unwrap();
    let mut line = String::new();
    std::io::stdin().read_line(&mut line).unwrap();
}

async fn gone(argument: &str) {
    let begun = Instant::now();
    loop {
        let left = with_argument(argument);
        if left.is_empty() {
            return;
        }
        assert!(begun.elapsed() < Duration::from_secs(10), "{left:?} are still there");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

#[tokio::test]
async fn what_cannot_start_says_why() {
    let folder = tempfile::tempdir().unwrap();
    let mut settings = support::settings(folder.path());
    settings.program = Some("/bin/true".into());
    let silent = Engine::start(settings.clone()).await.unwrap_err().to_string();
    assert!(silent.starts_with("the engine that runs the pods did not start: "), "{silent}");
    settings.program = Some(support::program());
    settings.folder = folder.path().join("missing");
    let missing = Engine::start(settings).await.unwrap_err().to_string();
    assert!(missing.ends_with("/missing: No such file or directory (os error 2)"), "{missing}");

    // Root's engine gives out other users, who must be able to get to what is theirs.
    if rustix::process::getuid().is_root() {
        let settings = support::settings(folder.path());
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o700)).unwrap();
        let locked = Engine::start(settings.clone()).await.unwrap_err().to_string();
        let expected = "must be passable for user 1879048192 or group 1879048192 (chmod 711): Permission denied (os error 13)";
        assert!(locked.ends_with(expected), "{locked}");
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o711)).unwrap();
        Engine::start(settings).await.unwrap();
    }
}
