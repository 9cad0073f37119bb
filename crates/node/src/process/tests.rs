use std::sync::{Arc, Mutex};
use std::time::Duration;

use api::store::Memory;
use api::{ApiServer, Config as ApiConfig};
use cluster::{Recorder, Watches};
use futures::future::{BoxFuture, FutureExt as _, ready};
use k8s_openapi::api::core::v1::{Event, Pod};
use kube::api::{DeleteParams, Patch, PatchParams, PostParams};
use kube::{Api, Client};
use serde_json::{Value, json};
use tokio::io::AsyncWriteExt as _;
use tokio::time::{Instant, sleep, timeout};

use super::fake::{Part, Stage};
use super::life::BackOffSettings;
use super::shared::Shared;
use super::*;
use crate::contents::NotYet;
use crate::{Config, Logs, Outlets, Simulation};

const SECOND: Duration = Duration::from_secs(1);

/// A cluster whose pods are played.
struct Theatre {
    client: Client,
    stage: Stage,
    processes: Processes,
    /// What a watcher saw of the pod `p`, each line once.
    seen: Arc<Mutex<Vec<String>>>,
    folder: tempfile::TempDir,
    _watches: cluster::RunningWatches,
    _simulation: Simulation,
}

impl Theatre {
    async fn open(stage: Stage) -> Self {
        let store = Arc::new(Memory::new());
        Self::on(store, stage, tempfile::tempdir().unwrap()).await
    }

    async fn on(store: Arc<Memory>, stage: Stage, folder: tempfile::TempDir) -> Self {
        let services = vec!["10.96.0.0/12".parse().unwrap()];
        let mut config = ApiConfig::new(services, "127.0.0.1:6443".parse().unwrap());
        config.kubelet = Some(Arc::new(Reachable));
        let server = ApiServer::new(store, config).unwrap();
        server.bootstrap().await.unwrap();
        let client = Client::new(server, "default");
        let mut watches = Watches::new(client.clone());
        let recorder = Recorder::start(client.clone(), watches.activity().clone());
        let start = Instant::now();
        let base = Timestamp::from_second(1_800_000_000).unwrap();
        let clock = move || life::after(base, start.elapsed());
        let shared = Shared::new(
            Arc::new(stage.clone()),
            folder.path().to_owned(),
            BackOffSettings::default(),
            Box::new(clock),
        );
        shared.contents.set(Box::new(stage.clone())).ok().unwrap();
        let settings = Settings {
            folder: folder.path().to_owned(),
            cluster_domain: "cluster.local".to_owned(),
            dns: Vec::new(),
            resolv_conf: PathBuf::new(),
            images: Images::default(),
            owner: Arc::new(|uid, gid| (uid, gid)),
        };
        let processes = Processes { shared: Arc::new(shared), settings };
        let config = Config { nodes: 1, pod_ranges: vec!["10.244.0.0/16".parse().unwrap()] };
        let outlets = Outlets { recorder, logs: Logs::default() };
        let simulation = Simulation::start(&mut watches, &config, outlets, Some(processes.clone()))
            .await
            .unwrap();
        let seen = Arc::default();
        tokio::spawn(watch_pod(client.clone(), Arc::clone(&seen)));
        Self {
            client,
            stage,
            processes,
            seen,
            folder,
            _watches: watches.start(),
            _simulation: simulation,
        }
    }

    fn pods(&self) -> Api<Pod> {
        Api::default_namespaced(self.client.clone())
    }

    /// Creates the pod `p` with this spec.
    async fn create(&self, spec: Value) {
        let pod = json!({"metadata": {"name": "p"}, "spec": spec});
        let pod: Pod = serde_json::from_value(pod).unwrap();
        self.pods().create(&PostParams::default(), &pod).await.unwrap();
    }

    /// Waits until the pod's line is this.
    #[track_caller]
    fn until(&self, line: &str) -> impl Future<Output = ()> {
        let caller = std::panic::Location::caller();
        async move {
            for _ in 0..1_000 {
                if self.seen.lock().unwrap().last().is_some_and(|last| last == line) {
                    return;
                }
                sleep(Duration::from_millis(100)).await;
            }
            panic!("{caller}: never {line}: {:#?}", self.seen.lock().unwrap());
        }
    }

    fn seen(&self) -> Vec<String> {
        self.seen.lock().unwrap().clone()
    }

    async fn get(&self) -> Value {
        serde_json::to_value(self.pods().get("p").await.unwrap()).unwrap()
    }

    async fn events(&self) -> Vec<String> {
        sleep(5 * SECOND).await;
        let events = Api::<Event>::default_namespaced(self.client.clone());
        let events = events.list(&Default::default()).await.unwrap().items;
        let mut lines: Vec<String> = events
            .into_iter()
            .map(|event| {
                let reason = event.reason.unwrap_or_default();
                format!("{} {reason}: {}", event.type_.unwrap(), event.message.unwrap_or_default())
            })
            .collect();
        lines.sort();
        lines
    }
}

/// All pods have processes, as far as the API asks.
struct Reachable;

impl api::Kubelet for Reachable {
    fn log(&self, _: &api::Container, _: &api::LogOptions) -> Result<api::LogStream, api::NoLog> {
        Err(api::NoLog::NotAvailable)
    }

    fn reachable(&self, _: &api::Pod) -> Result<(), api::Refusal> {
        Ok(())
    }

    fn exec<'a>(
        &'a self,
        _: &'a api::Container,
        _: &'a [String],
        _: api::StreamOptions,
    ) -> BoxFuture<'a, Result<api::Streams, api::Refusal>> {
        ready(Err(api::Refusal::Simulated)).boxed()
    }

    fn attach<'a>(
        &'a self,
        _: &'a api::Container,
        _: api::StreamOptions,
    ) -> BoxFuture<'a, Result<api::Streams, api::Refusal>> {
        ready(Err(api::Refusal::Simulated)).boxed()
    }

    fn port_forward<'a>(
        &'a self,
        _: &'a api::Pod,
        _: u16,
    ) -> BoxFuture<'a, Result<Box<dyn api::Duplex>, api::Refusal>> {
        ready(Err(api::Refusal::Simulated)).boxed()
    }
}

/// Writes down each change of the pod `p`.
async fn watch_pod(client: Client, seen: Arc<Mutex<Vec<String>>>) {
    use futures::TryStreamExt as _;
    use kube::api::{WatchEvent, WatchParams};
    let pods = Api::<Pod>::default_namespaced(client);
    let watch = pods.watch(&WatchParams::default(), "0").await.unwrap();
    let mut watch = std::pin::pin!(watch);
    while let Some(event) = watch.try_next().await.unwrap() {
        let line = match event {
            WatchEvent::Added(pod) | WatchEvent::Modified(pod) => line(&pod),
            WatchEvent::Deleted(_) => "gone".to_owned(),
            _ => continue,
        };
        let mut seen = seen.lock().unwrap();
        if seen.last() != Some(&line) {
            seen.push(line);
        }
    }
}

/// `Running c:running(1,ready)`: the phase and each container's state, with its restarts.
fn line(pod: &Pod) -> String {
    let Some(status) = &pod.status else { return String::new() };
    let init = status.init_container_statuses.iter().flatten();
    let containers = init.chain(status.container_statuses.iter().flatten()).map(|container| {
        let state = container.state.clone().unwrap_or_default();
        let state = match (state.waiting, state.running, state.terminated) {
            (Some(waiting), ..) => waiting.reason.unwrap_or_default(),
            (_, Some(_), _) => "running".to_owned(),
            (.., Some(ended)) => {
                format!("{} {}", ended.reason.unwrap_or_default(), ended.exit_code)
            }
            _ => "nothing".to_owned(),
        };
        let ready = if container.ready { "+" } else { "-" };
        format!(" {}{ready}{state}/{}", container.name, container.restart_count)
    });
    let going = if pod.metadata.deletion_timestamp.is_some() { "ending " } else { "" };
    format!(
        "{going}{}{}",
        status.phase.as_deref().unwrap_or_default(),
        containers.collect::<String>()
    )
}

fn one(extra: Value) -> Value {
    let mut container = json!({"name": "c", "image": "c:1"});
    for (key, value) in extra.as_object().into_iter().flatten() {
        container[key] = value.clone();
    }
    json!({"containers": [container]})
}

#[tokio::test(start_paused = true)]
async fn a_pod_starts_runs_and_ends() {
    let theatre = Theatre::open(Stage::default()).await;
    theatre.create(one(json!({}))).await;
    theatre.until("Running c+running/0").await;
    assert_eq!(theatre.seen(), ["Pending", "Running c+running/0"], "one write");
    let status = theatre.get().await["status"].clone();
    assert_eq!(status["podIP"], "10.244.1.2");
    assert_eq!(status["hostIP"], "172.18.0.2");
    let container = &status["containerStatuses"][0];
    assert_eq!(container["imageID"], "/usr/bin/c");
    assert!(container["containerID"].as_str().unwrap().ends_with("/c/0"), "{container}");
    let asked = theatre.stage.asked();
    assert!(asked[0].contains("10.244.1.2/24") && asked[0].contains("10.244.1.1"), "{asked:?}");
    assert_eq!(asked[1..], ["start c"]);
    assert_eq!(
        theatre.events().await,
        [
            "Normal Created: Created container: c",
            "Normal Pulled: Image \"c:1\" runs as the program /usr/bin/c of this machine",
            "Normal Scheduled: Successfully assigned default/p to node-1",
            "Normal Started: Started container c",
        ]
    );
    theatre.pods().delete("p", &DeleteParams::default()).await.unwrap();
    theatre.until("gone").await;
    sleep(SECOND).await;
    assert_eq!(theatre.stage.asked(), ["signal 15 to c", "remove", "clear away"]);
}

#[tokio::test(start_paused = true)]
async fn a_container_that_fails_waits_longer_and_longer() {
    let stage = Stage::default().plays("c", &[Part::Ends("", SECOND, 3)]);
    let theatre = Theatre::open(stage).await;
    theatre.create(one(json!({}))).await;
    theatre.until("Running c-CrashLoopBackOff/3").await;
    let seen = theatre.seen();
    let without: Vec<&str> =
        seen.iter().map(String::as_str).filter(|l| !l.contains("Error")).collect();
    assert_eq!(
        without,
        [
            "Pending",
            "Running c+running/0",
            "Running c+running/1",
            "Running c-CrashLoopBackOff/1",
            "Running c+running/2",
            "Running c-CrashLoopBackOff/2",
            "Running c+running/3",
            "Running c-CrashLoopBackOff/3",
        ]
    );
    let container = theatre.get().await["status"]["containerStatuses"][0].clone();
    let message = container["state"]["waiting"]["message"].as_str().unwrap();
    assert!(
        message.starts_with("back-off 40s restarting failed container=c pod=p_default("),
        "{message}"
    );
    assert_eq!(container["lastState"]["terminated"]["exitCode"], 3);
    let events = theatre.events().await;
    let back_off = "Warning BackOff: Back-off restarting failed container c in pod p_default(";
    assert!(events.iter().any(|event| event.starts_with(back_off)), "{events:#?}");
}

#[tokio::test(start_paused = true)]
async fn pods_come_to_their_ends() {
    async fn check(policy: &str, parts: &[Part], expected: &str) {
        let theatre = Theatre::open(Stage::default().plays("c", parts)).await;
        let mut spec = one(json!({}));
        spec["restartPolicy"] = policy.into();
        theatre.create(spec).await;
        theatre.until(expected).await;
        // Nothing is left of it but its object.
        assert_eq!(theatre.stage.asked().last().unwrap(), "remove");
    }
    let ends = |code| Part::Ends("", SECOND, code);
    check("Never", &[ends(0)], "Succeeded c-Completed 0/0").await;
    check("Never", &[ends(2)], "Failed c-Error 2/0").await;
    check("OnFailure", &[ends(2), ends(0)], "Succeeded c-Completed 0/1").await;
    let missing = "exec: \"c\": executable file not found in $PATH";
    check("Never", &[Part::Fails(missing)], "Failed c-StartError 128/0").await;
}

#[tokio::test(start_paused = true)]
async fn init_containers_and_sidecars_come_first() {
    let ends = Part::Ends("", SECOND, 0);
    let stage = Stage::default()
        .plays("a", &[Part::Ends("", SECOND, 1), ends.clone()])
        .plays("c", &[Part::Ends("", 5 * SECOND, 0)]);
    let theatre = Theatre::open(stage).await;
    theatre
        .create(json!({
            "restartPolicy": "OnFailure",
            "initContainers": [
                {"name": "a", "image": "a"},
                {"name": "s", "image": "s", "restartPolicy": "Always",
                    "startupProbe": {"exec": {"command": ["up"]}, "periodSeconds": 1, "failureThreshold": 9}},
                {"name": "b", "image": "b"},
            ],
            "containers": [{"name": "c", "image": "c"}],
        }))
        .await;
    theatre.stage.command("up", 1);
    theatre
        .until("Pending a+Completed 0/1 s-running/0 b-PodInitializing/0 c-PodInitializing/0")
        .await;
    sleep(3 * SECOND).await;
    theatre.stage.command("up", 0);
    theatre.until("Pending a+Completed 0/1 s+running/0 b-running/0 c-PodInitializing/0").await;
    // It runs for ever, as it is played; so it is told to end.
    let uid = theatre.pods().get("p").await.unwrap().metadata.uid.unwrap();
    let live = theatre.processes.shared.known(&uid).unwrap().lives["b"].clone();
    live.process.signal(15).await.unwrap();
    theatre.until("Running a+Completed 0/1 s+running/0 b+Completed 0/0 c+running/0").await;
    theatre
        .until("Succeeded a+Completed 0/1 s-Completed 0/0 b+Completed 0/0 c-Completed 0/0")
        .await;
    let asked = theatre.stage.asked();
    let asked: Vec<&str> =
        asked.iter().map(String::as_str).filter(|line| !line.starts_with("exec")).collect();
    assert_eq!(
        asked[1..],
        [
            "start a",
            "start a",
            "start s",
            "start b",
            "signal 15 to b",
            "start c",
            "signal 15 to s",
            "remove",
        ]
    );
}

#[tokio::test(start_paused = true)]
async fn a_container_that_does_not_listen_to_signals_is_killed() {
    let stage = Stage::default().plays("c", &[Part::Runs(None)]);
    let theatre = Theatre::open(stage).await;
    theatre.create(one(json!({}))).await;
    theatre.until("Running c+running/0").await;
    theatre.stage.asked();
    theatre.pods().delete("p", &DeleteParams::default()).await.unwrap();
    theatre.until("gone").await;
    sleep(40 * SECOND).await;
    assert_eq!(theatre.stage.asked(), ["signal 15 to c", "signal 9 to c", "remove", "clear away"]);
}

#[tokio::test(start_paused = true)]
async fn a_pod_that_hangs_is_removed_later() {
    let theatre = Theatre::open(Stage::default()).await;
    theatre.create(one(json!({}))).await;
    theatre.until("Running c+running/0").await;
    theatre.stage.asked();
    theatre.stage.stick(2);
    theatre.pods().delete("p", &DeleteParams::default()).await.unwrap();
    theatre.until("gone").await;
    sleep(SECOND).await;
    assert_eq!(
        theatre.stage.asked(),
        ["signal 15 to c", "remove", "remove", "remove", "clear away"]
    );
}

#[tokio::test(start_paused = true)]
async fn a_pod_that_is_deleted_at_once_is_forgotten() {
    let stage = Stage::default().plays("c", &[Part::Runs(None)]);
    let theatre = Theatre::open(stage).await;
    theatre.create(one(json!({}))).await;
    theatre.until("Running c+running/0").await;
    let uid = theatre.pods().get("p").await.unwrap().metadata.uid.unwrap();
    let at_once = DeleteParams { grace_period_seconds: Some(0), ..DeleteParams::default() };
    theatre.pods().delete("p", &at_once).await.unwrap();
    theatre.until("gone").await;
    sleep(40 * SECOND).await;
    assert_eq!(theatre.stage.asked().last().unwrap(), "clear away");
    assert!(theatre.processes.shared.known(&uid).is_none());
}

#[tokio::test(start_paused = true)]
async fn probes_decide() {
    let stage = Stage::default().plays("c", &[Part::Runs(Some(0))]);
    let theatre = Theatre::open(stage).await;
    theatre
        .create(one(json!({
            "ports": [{"name": "web", "containerPort": 80}],
            "readinessProbe": {"tcpSocket": {"port": "web"}, "periodSeconds": 5, "failureThreshold": 2},
            "livenessProbe": {"exec": {"command": ["alive"]}, "periodSeconds": 3, "initialDelaySeconds": 20},
        })))
        .await;
    theatre.stage.command("alive", 0);
    theatre.until("Running c-running/0").await;
    theatre.stage.listen(&[80]);
    theatre.until("Running c+running/0").await;
    theatre.stage.listen(&[]);
    theatre.until("Running c-running/0").await;
    theatre.stage.command("alive", 1);
    theatre.until("Running c-running/1").await;
    let events = theatre.events().await;
    for expected in [
        "Warning Unhealthy: Readiness probe failed: dial tcp 10.244.1.2:80: connect: connection refused",
        "Warning Unhealthy: Liveness probe failed: alive says 1",
        "Normal Killing: Container c failed liveness probe, will be restarted",
    ] {
        assert!(events.iter().any(|event| event == expected), "{expected}: {events:#?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_command_that_starts_after_its_time_is_killed() {
    let theatre = Theatre::open(Stage::default()).await;
    theatre.stage.command("alive", 0);
    theatre.stage.slow("alive", 3 * SECOND);
    let probe = json!({"exec": {"command": ["alive"]}, "timeoutSeconds": 1, "periodSeconds": 3600});
    theatre.create(one(json!({"readinessProbe": probe}))).await;
    theatre.until("Running c-running/0").await;
    sleep(10 * SECOND).await;
    assert_eq!(theatre.stage.asked()[1..], ["start c", "exec alive in c", "signal 9 to alive"]);
}

#[tokio::test(start_paused = true)]
async fn two_may_type_to_a_container() {
    let theatre = Theatre::open(Stage::default()).await;
    theatre.create(one(json!({"stdin": true}))).await;
    theatre.until("Running c+running/0").await;
    let uid = theatre.pods().get("p").await.unwrap().metadata.uid.unwrap();
    let options = StreamOptions { stdin: true, stdout: true, ..StreamOptions::default() };
    let mut first = theatre.processes.attach(&uid, "c", options).await.unwrap();
    // More than a pipe takes, so that the first is still at it.
    first.stdin.as_mut().unwrap().write_all(&[b'x'; 100 << 10]).await.unwrap();
    sleep(SECOND).await;
    let second = timeout(SECOND, theatre.processes.attach(&uid, "c", options)).await;
    assert!(second.unwrap().unwrap().stdin.is_some());
}

#[tokio::test(start_paused = true)]
async fn what_is_missing_is_waited_for() {
    let missing = |reason, message: &str| NotYet { reason, message: message.to_owned() };
    let theatre = Theatre::open(Stage::default()).await;
    theatre.stage.miss("pod", Some(missing("FailedMount", "configmap \"x\" not found")));
    theatre.stage.miss("c", Some(missing("ErrImagePull", "no program")));
    theatre.create(one(json!({}))).await;
    theatre.until("Pending c-ContainerCreating/0").await;
    sleep(5 * SECOND).await;
    theatre.stage.miss("pod", None);
    theatre.until("Pending c-ImagePullBackOff/0").await;
    theatre.stage.miss("c", Some(missing("CreateContainerConfigError", "secret \"y\" not found")));
    theatre.until("Pending c-CreateContainerConfigError/0").await;
    theatre.stage.miss("c", None);
    theatre.until("Running c+running/0").await;
    let events = theatre.events().await;
    for expected in [
        "Warning FailedMount: configmap \"x\" not found",
        "Warning Failed: Failed to pull image \"c:1\": no program",
        "Warning Failed: Error: ErrImagePull",
        "Normal BackOff: Back-off pulling image \"c:1\"",
        "Warning Failed: Error: secret \"y\" not found",
    ] {
        assert!(events.iter().any(|event| event == expected), "{expected}: {events:#?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_person_plays_not_ready() {
    let theatre = Theatre::open(Stage::default()).await;
    theatre.create(one(json!({}))).await;
    theatre.until("Running c+running/0").await;
    for (value, expected) in [("false", "Running c-running/0"), ("true", "Running c+running/0")] {
        let patch = json!({"metadata": {"annotations": {"headcount.dev/ready": value}}});
        let patch = Patch::Merge(patch);
        theatre.pods().patch("p", &PatchParams::default(), &patch).await.unwrap();
        theatre.until(expected).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_pod_of_an_earlier_life_starts_again() {
    let store = Arc::new(Memory::new());
    let folder = tempfile::tempdir().unwrap();
    let theatre = Theatre::on(store.clone(), Stage::default(), folder).await;
    theatre.create(one(json!({}))).await;
    theatre.until("Running c+running/0").await;
    let Theatre { folder, .. } = theatre;
    let theatre = Theatre::on(store, Stage::default(), folder).await;
    theatre.until("Running c+running/1").await;
    let container = theatre.get().await["status"]["containerStatuses"][0].clone();
    let last = &container["lastState"]["terminated"];
    assert_eq!(
        (&last["reason"], &last["exitCode"]),
        (&"ContainerStatusUnknown".into(), &137.into())
    );
    assert_eq!(theatre.get().await["status"]["podIP"], "10.244.1.2");
    let events = theatre.events().await;
    assert!(events.iter().any(|event| event.contains("SandboxChanged")), "{events:#?}");
}

#[tokio::test(start_paused = true)]
async fn what_a_worker_that_broke_off_left_is_removed() {
    let (store, stage) = (Arc::new(Memory::new()), Stage::default());
    let folder = tempfile::tempdir().unwrap();
    let theatre = Theatre::on(store.clone(), stage.clone(), folder).await;
    theatre.create(one(json!({}))).await;
    theatre.until("Running c+running/0").await;
    let Theatre { folder, .. } = theatre;
    let theatre = Theatre::on(store, stage, folder).await;
    theatre.until("Running c+running/1").await;
}

#[tokio::test(start_paused = true)]
async fn a_pod_has_its_time() {
    let theatre = Theatre::open(Stage::default()).await;
    let mut spec = one(json!({}));
    spec["activeDeadlineSeconds"] = 60.into();
    theatre.create(spec).await;
    theatre.until("Failed c-Completed 0/0").await;
    assert_eq!(theatre.get().await["status"]["reason"], "DeadlineExceeded");
}

#[tokio::test(start_paused = true)]
async fn hooks_run_and_fail() {
    let theatre = Theatre::open(Stage::default()).await;
    theatre.stage.command("hello", 0);
    theatre.stage.command("goodbye", 4);
    theatre
        .create(one(json!({"lifecycle": {
            "postStart": {"exec": {"command": ["hello"]}},
            "preStop": {"exec": {"command": ["goodbye"]}},
        }})))
        .await;
    theatre.until("Running c+running/0").await;
    sleep(SECOND).await;
    theatre.pods().delete("p", &DeleteParams::default()).await.unwrap();
    sleep(SECOND).await;
    let asked = theatre.stage.asked();
    assert_eq!(
        asked[1..],
        [
            "start c",
            "exec hello in c",
            "exec goodbye in c",
            "signal 15 to c",
            "remove",
            "clear away"
        ]
    );
    let events = theatre.events().await;
    let failed = "Warning FailedPreStopHook: PreStopHook failed: command 'goodbye' exited with 4: goodbye says 4";
    assert!(events.iter().any(|event| event == failed), "{events:#?}");
}
