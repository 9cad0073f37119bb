//! Stand-ins for what runs containers and for what they find, played by tests; time is tokio's, which tests pause.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::io::Write as _;
use std::net::SocketAddr;
use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures::future::BoxFuture;
use k8s_openapi::api::core::v1::Pod;
use sandbox::{
    ContainerId, ContainerSpec, Exit, Limits, Network, PodId, PodSpec, ProcessSpec, Stdio, User,
};
use tokio::sync::watch;
use tokio::time::sleep;

use super::furnish::{Furnish, Furnished};
use super::runtime::{Duplex, Failure, Process, Runtime};
use crate::contents::{NotYet, Place};

/// What a container does that is started.
#[derive(Clone, Debug)]
pub(super) enum Part {
    /// It cannot be started.
    Fails(&'static str),
    /// It writes this, and ends with a code after a time.
    Ends(&'static str, Duration, i32),
    /// It runs until it is told to end, and then ends with a code; or does not care.
    Runs(Option<i32>),
}

/// Plays containers by their names: each life its next part, the last one again and again.
#[derive(Clone, Debug, Default)]
pub(super) struct Stage(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    parts: HashMap<String, Vec<Part>>,
    /// What was asked for, in order.
    asked: Vec<String>,
    /// How the commands end that are run beside containers, by their first word.
    commands: HashMap<String, i32>,
    /// How long the starts of these commands take.
    slow: HashMap<String, Duration>,
    pods: HashSet<PodId>,
    /// So many removals fail.
    stuck: u32,
    /// Ports on which somebody listens.
    listening: Vec<u16>,
    /// What is missing for a start, by container.
    missing: HashMap<String, NotYet>,
}

impl Stage {
    pub(super) fn plays(self, container: &str, parts: &[Part]) -> Self {
        self.0.lock().unwrap().parts.insert(container.to_owned(), parts.to_vec());
        self
    }

    pub(super) fn command(&self, command: &str, code: i32) {
        self.0.lock().unwrap().commands.insert(command.to_owned(), code);
    }

    pub(super) fn slow(&self, command: &str, start: Duration) {
        self.0.lock().unwrap().slow.insert(command.to_owned(), start);
    }

    pub(super) fn stick(&self, removals: u32) {
        self.0.lock().unwrap().stuck = removals;
    }

    pub(super) fn listen(&self, ports: &[u16]) {
        self.0.lock().unwrap().listening = ports.to_vec();
    }

    pub(super) fn miss(&self, container: &str, missing: Option<NotYet>) {
        let mut state = self.0.lock().unwrap();
        match missing {
            Some(missing) => state.missing.insert(container.to_owned(), missing),
            None => state.missing.remove(container),
        };
    }

    /// What was asked for since this was called last.
    pub(super) fn asked(&self) -> Vec<String> {
        let mut asked = std::mem::take(&mut self.0.lock().unwrap().asked);
        // A folder is removed with its pod's end, and looked for again when the API says that the pod is gone.
        asked.dedup_by(|again, before| again == before && again == "clear away");
        asked
    }

    fn ask(&self, what: String) {
        self.0.lock().unwrap().asked.push(what);
    }
}

struct Played {
    name: String,
    stage: Stage,
    part: Part,
    exit: watch::Sender<Option<Exit>>,
    /// Open as long as it runs.
    _stdio: Mutex<Option<Vec<OwnedFd>>>,
}

impl Process for Arc<Played> {
    fn take_terminal(&mut self) -> Option<OwnedFd> {
        None
    }

    fn exit(&self) -> BoxFuture<'_, Exit> {
        Box::pin(async move {
            let mut exit = self.exit.subscribe();
            let exit = exit.wait_for(Option::is_some).await.unwrap();
            exit.unwrap()
        })
    }

    fn signal(&self, signal: i32) -> BoxFuture<'_, Result<(), Failure>> {
        Box::pin(async move {
            self.stage.ask(format!("signal {signal} to {}", self.name));
            match (signal, &self.part) {
                (9, _) => self.end(Exit::Signal(9)),
                (15, Part::Runs(Some(code))) => self.end(Exit::Code(*code)),
                _ => {}
            }
            Ok(())
        })
    }
}

impl Played {
    fn end(&self, exit: Exit) {
        self._stdio.lock().unwrap().take();
        self.exit.send_if_modified(|known| {
            let first = known.is_none();
            known.get_or_insert(exit);
            first
        });
    }
}

impl Runtime for Stage {
    fn create_pod(&self, spec: PodSpec) -> BoxFuture<'_, Result<(), Failure>> {
        self.ask(format!("create {:?}", spec.network));
        let made = match self.0.lock().unwrap().pods.insert(spec.id.clone()) {
            true => Ok(()),
            false => Err(Failure(format!("pod {} exists already", spec.id.0))),
        };
        Box::pin(async { made })
    }

    fn remove_pod(&self, id: PodId) -> BoxFuture<'_, Result<(), Failure>> {
        self.ask("remove".to_owned());
        let mut state = self.0.lock().unwrap();
        let removed = match state.stuck.checked_sub(1) {
            Some(stuck) => {
                state.stuck = stuck;
                Err(Failure("1 of its processes did not end".to_owned()))
            }
            None if state.pods.remove(&id) => Ok(()),
            None => Err(Failure(format!("there is no pod {}", id.0))),
        };
        Box::pin(async { removed })
    }

    fn start_container(
        &self,
        spec: ContainerSpec,
        stdio: Stdio,
    ) -> BoxFuture<'_, Result<Box<dyn Process>, Failure>> {
        Box::pin(async move {
            let ContainerId { name, restarts, .. } = spec.id;
            self.ask(format!("start {name}"));
            let part = {
                let state = self.0.lock().unwrap();
                let parts = state.parts.get(&name).cloned().unwrap_or(vec![Part::Runs(Some(0))]);
                parts[parts.len().min(restarts as usize + 1) - 1].clone()
            };
            let Stdio::Pipes { stdin, stdout, stderr } = stdio else { panic!("a terminal") };
            let text = match &part {
                Part::Fails(why) => return Err(Failure((*why).to_owned())),
                Part::Ends(text, ..) => *text,
                Part::Runs(_) => "",
            };
            if let Some(stdout) = &stdout {
                let mut stdout = std::fs::File::from(stdout.try_clone().unwrap());
                stdout.write_all(text.as_bytes()).unwrap();
            }
            let stdio = Some([stdin, stdout, stderr].into_iter().flatten().collect());
            let (exit, _) = watch::channel(None);
            let stage = self.clone();
            let played = Arc::new(Played { name, stage, part, exit, _stdio: Mutex::new(stdio) });
            if let Part::Ends(_, after, code) = played.part {
                let played = played.clone();
                tokio::spawn(async move {
                    sleep(after).await;
                    played.end(Exit::Code(code));
                });
            }
            Ok(Box::new(played) as Box<dyn Process>)
        })
    }

    fn exec(
        &self,
        container: ContainerId,
        process: ProcessSpec,
        stdio: Stdio,
    ) -> BoxFuture<'_, Result<Box<dyn Process>, Failure>> {
        Box::pin(async move {
            let command = process.command[0].clone();
            self.ask(format!("exec {command} in {}", container.name));
            let start = self.0.lock().unwrap().slow.get(&command).copied();
            sleep(start.unwrap_or_default()).await;
            let Some(code) = self.0.lock().unwrap().commands.get(&command).copied() else {
                let text = format!("exec: \"{command}\": executable file not found in $PATH");
                return Err(Failure(text));
            };
            if let Stdio::Pipes { stdout: Some(stdout), .. } = &stdio {
                let mut stdout = std::fs::File::from(stdout.try_clone().unwrap());
                // Who asked may not wait for it any more.
                let _ = writeln!(stdout, "{command} says {code}");
            }
            let (exit, _) = watch::channel(Some(Exit::Code(code)));
            let part = Part::Runs(None);
            let (name, stage) = (command, self.clone());
            let played = Played { name, stage, part, exit, _stdio: Mutex::new(None) };
            Ok(Box::new(Arc::new(played)) as Box<dyn Process>)
        })
    }

    fn connect(
        &self,
        _: Network,
        to: SocketAddr,
    ) -> BoxFuture<'_, Result<Box<dyn Duplex>, Failure>> {
        let listening = self.0.lock().unwrap().listening.contains(&to.port());
        Box::pin(async move {
            match listening {
                true => Ok(Box::new(tokio::io::duplex(64).0) as Box<dyn Duplex>),
                false => Err(Failure("connect: Connection refused (os error 111)".to_owned())),
            }
        })
    }
}

impl Furnish for Stage {
    fn prepare<'a>(
        &'a self,
        pod: &'a Pod,
        _: &'a Place,
    ) -> BoxFuture<'a, Result<Box<dyn Furnished>, NotYet>> {
        let pod_id = PodId(pod.metadata.uid.clone().unwrap());
        let missing = self.0.lock().unwrap().missing.get("pod").cloned();
        Box::pin(async move {
            match missing {
                Some(missing) => Err(missing),
                None => Ok(Box::new(Props { stage: self.clone(), pod_id }) as Box<dyn Furnished>),
            }
        })
    }

    fn refresh<'a>(&'a self, _: &'a Pod, _: &'a Place) -> BoxFuture<'a, Result<(), NotYet>> {
        Box::pin(async { Ok(()) })
    }

    fn sweep(&self, _: BTreeSet<String>) -> BoxFuture<'_, std::io::Result<()>> {
        Box::pin(async { Ok(()) })
    }

    fn remove<'a>(&'a self, _: &'a str) -> BoxFuture<'a, std::io::Result<()>> {
        self.ask("clear away".to_owned());
        Box::pin(async { Ok(()) })
    }
}

struct Props {
    stage: Stage,
    pod_id: PodId,
}

impl Furnished for Props {
    fn container(&self, name: &str, restarts: u32) -> Result<ContainerSpec, NotYet> {
        Ok(ContainerSpec {
            id: ContainerId { pod: self.pod_id.clone(), name: name.to_owned(), restarts },
            process: ProcessSpec {
                command: vec![name.to_owned()],
                env: Vec::new(),
                working_dir: PathBuf::from("/"),
                user: User::default(),
            },
            hostname: "p".to_owned(),
            mounts: Vec::new(),
            read_only_root: false,
            limits: Limits::default(),
        })
    }

    fn program(&self, name: &str) -> Result<(String, PathBuf), NotYet> {
        match self.stage.0.lock().unwrap().missing.get(name).cloned() {
            Some(missing) => Err(missing),
            None => Ok((format!("{name}:1"), PathBuf::from(format!("/usr/bin/{name}")))),
        }
    }

    fn termination_log(&self, _: &str, _: u32) -> PathBuf {
        PathBuf::from("/dev/null")
    }
}
