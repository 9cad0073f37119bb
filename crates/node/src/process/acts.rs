//! What a worker does, each act in a task of its own; what becomes of it is told back.

use std::fs::File;
use std::io::{self, Read as _, Seek as _, SeekFrom};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use k8s_openapi::api::core::v1::{Container, Pod};
use sandbox::{Exit, PodId, PodNetwork, PodSpec, Stdio};
use tokio::io::AsyncReadExt as _;
use tokio::sync::{Mutex as AsyncMutex, mpsc, watch};
use tokio::time::{sleep, timeout};
use tracing::warn;

use super::furnish::Furnished;
use super::logs::{self, LogFile};
use super::output::Output;
use super::runtime::{Failure, Process};
use super::shared::{Live, Shared};
use super::stdio::{self, Wanted};
use crate::contents::{NotYet, Place};

/// How long the last lines of a container that has ended are waited for.
const DRAIN: Duration = Duration::from_secs(2);

/// What became of an act, or happened by itself.
pub(super) enum Happening {
    Prepared(Result<Arc<dyn Furnished>, NotPrepared>),
    Dismantled,
    Started {
        container: usize,
        result: Result<Begun, NotStarted>,
    },
    /// What follows a container's start is done, or has failed.
    Hooked {
        container: usize,
        restarts: u32,
        result: Result<(), String>,
    },
    /// A hook before a container's end has failed.
    HookFailed {
        container: usize,
        message: String,
    },
    Ended {
        container: usize,
        restarts: u32,
        exit: Exit,
        message: Option<String>,
    },
    Probed {
        container: usize,
        restarts: u32,
        kind: super::probe::Kind,
        outcome: super::probe::Outcome,
    },
}

/// Why a pod is not prepared.
pub(super) enum NotPrepared {
    /// Something that it refers to is missing.
    Missing(NotYet),
    Failed(Failure),
}

/// A container that was started.
pub(super) struct Begun {
    pub(super) live: Arc<Live>,
    pub(super) image: String,
    pub(super) program: PathBuf,
}

/// Why a container was not started.
pub(super) enum NotStarted {
    Missing(NotYet),
    Failed(Failure),
}

/// Writes what a pod's processes find, and makes its network.
pub(super) async fn prepare(
    shared: Arc<Shared>,
    pod: Arc<Pod>,
    place: Arc<Place>,
) -> Result<Arc<dyn Furnished>, NotPrepared> {
    let _turn = shared.starts.acquire().await;
    let furnished = shared.contents().prepare(&pod, &place).await.map_err(NotPrepared::Missing)?;
    let spec = PodSpec { id: pod_id(&pod), network: network(&pod, &place) };
    if let Err(error) = shared.runtime.create_pod(spec.clone()).await {
        // A worker that broke off may have left it there.
        let left = shared.runtime.remove_pod(spec.id.clone()).await;
        left.map_err(|_| NotPrepared::Failed(error))?;
        shared.runtime.create_pod(spec).await.map_err(NotPrepared::Failed)?;
    }
    Ok(furnished.into())
}

/// Ends all of a pod and what its containers shared; what hangs is given time.
pub(super) async fn dismantle(shared: &Shared, id: PodId) -> Result<(), Failure> {
    const TRIES: u32 = 5;
    const DELAY: Duration = Duration::from_secs(5);
    for _ in 1..TRIES {
        match shared.runtime.remove_pod(id.clone()).await {
            Ok(()) => return Ok(()),
            Err(error) => warn!(pod = id.0, %error, "trying again"),
        }
        sleep(DELAY).await;
    }
    shared.runtime.remove_pod(id).await
}

pub(super) fn pod_id(pod: &Pod) -> PodId {
    PodId(pod.metadata.uid.clone().unwrap_or_default())
}

fn network(pod: &Pod, place: &Place) -> PodNetwork {
    match crate::pods::host_network(pod) {
        true => PodNetwork::Node,
        false => PodNetwork::Own(place.addresses.clone()),
    }
}

/// What the start of a container needs.
pub(super) struct Start {
    pub(super) shared: Arc<Shared>,
    pub(super) pod: Arc<Pod>,
    pub(super) place: Arc<Place>,
    /// What was prepared just now, if it was.
    pub(super) furnished: Option<Arc<dyn Furnished>>,
    pub(super) container: Container,
    pub(super) index: usize,
    pub(super) restarts: u32,
    pub(super) news: mpsc::Sender<Happening>,
}

impl Start {
    /// Starts a container, and tells of its end when that comes.
    pub(super) async fn run(self) {
        let (end, ended) = watch::channel(None);
        let furnished = self.furnish().await;
        let begun = match &furnished {
            Ok(furnished) => self.begin(furnished.as_ref(), ended).await,
            Err(missing) => Err(NotStarted::Missing(missing.clone())),
        };
        let Self { index, restarts, news, .. } = &self;
        let live = begun.as_ref().ok().map(|begun| begun.live.clone());
        let started = Happening::Started { container: *index, result: begun };
        if news.send(started).await.is_err() {
            return;
        }
        let (Some(live), Ok(furnished)) = (live, furnished) else { return };
        let exit = live.process.exit().await;
        let mut written = live.written.clone();
        let _ = timeout(DRAIN, async { while written.changed().await.is_ok() {} }).await;
        let message = self.last_words(furnished, exit).await;
        end.send_replace(Some(exit));
        let ended = Happening::Ended { container: *index, restarts: *restarts, exit, message };
        let _ = news.send(ended).await;
        // Nobody reads there any more, so who writes there is done soon.
        *live.stdin.lock().await = None;
    }

    async fn furnish(&self) -> Result<Arc<dyn Furnished>, NotYet> {
        match &self.furnished {
            Some(furnished) => Ok(furnished.clone()),
            None => Ok(self.shared.contents().prepare(&self.pod, &self.place).await?.into()),
        }
    }

    async fn begin(
        &self,
        furnished: &dyn Furnished,
        end: watch::Receiver<Option<Exit>>,
    ) -> Result<Begun, NotStarted> {
        let Self { shared, container, restarts, .. } = self;
        let name = &container.name;
        let turn = shared.starts.acquire().await;
        let (image, program) = furnished.program(name).map_err(NotStarted::Missing)?;
        let spec = furnished.container(name, *restarts).map_err(NotStarted::Missing)?;
        let (id, process_spec) = (spec.id.clone(), spec.process.clone());
        let stdin = container.stdin == Some(true);
        let stdin_once = container.stdin_once == Some(true);
        let tty = container.tty == Some(true);
        let wanted = Wanted { stdin, stdout: true, stderr: true, tty };
        let broken = |error: io::Error| NotStarted::Failed(Failure(error.to_string()));
        let (stdio, mut ends) = stdio::open(wanted).map_err(broken)?;
        let started = shared.runtime.start_container(spec, stdio).await;
        let mut process = started.map_err(NotStarted::Failed)?;
        drop(turn);
        ends.take_terminal(process.as_mut(), stdin).map_err(broken)?;
        let uid = self.pod.metadata.uid.as_deref().unwrap_or_default();
        let path = logs::path(&shared.folder, uid, name, *restarts);
        let (folder, of, called) = (shared.folder.clone(), uid.to_owned(), name.clone());
        let oldest = restarts.saturating_sub(1);
        let forget = move || logs::forget_before(&folder, &of, &called, oldest);
        let _ = tokio::task::spawn_blocking(forget).await;
        let interactive = stdin && stdin_once;
        let (output, written) =
            Output::start(ends.stdout, ends.stderr, LogFile::new(path), interactive);
        let live = Arc::new(Live {
            id,
            process: Arc::from(process),
            spec: process_spec,
            output,
            written,
            stdin: AsyncMutex::new(ends.stdin),
            stdin_once,
            terminal: ends.terminal,
            end,
        });
        shared.note_life(uid, name, live.clone());
        Ok(Begun { live, image, program })
    }

    /// What a container that has ended says of it.
    async fn last_words(&self, furnished: Arc<dyn Furnished>, exit: Exit) -> Option<String> {
        let Self { shared, container, restarts, .. } = self;
        let uid = self.pod.metadata.uid.as_deref().unwrap_or_default();
        let log = logs::path(&shared.folder, uid, &container.name, *restarts);
        let policy = container.termination_message_policy.as_deref();
        let fall_back = policy == Some("FallbackToLogsOnError") && exit.code() != 0;
        let (name, restarts) = (container.name.clone(), *restarts);
        let read = tokio::task::spawn_blocking(move || {
            // One that is not there says nothing, either.
            let words = read_end(&furnished.termination_log(&name, restarts)).ok();
            let words = words.filter(|words| !words.is_empty());
            words.or_else(|| fall_back.then(|| logs::last_words(&log)).flatten())
        });
        read.await.ok().flatten()
    }
}

/// The end of a file of last words.
fn read_end(path: &Path) -> io::Result<String> {
    /// As much as Kubernetes takes.
    const BYTES: u64 = 4096;
    let mut file = File::open(path)?;
    let length = file.metadata()?.len();
    file.seek(SeekFrom::Start(length.saturating_sub(BYTES)))?;
    let mut bytes = Vec::new();
    file.take(BYTES).read_to_end(&mut bytes)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// Runs a process beside a container's first one, and gives how it ended and the beginning of what it wrote.
pub(super) async fn run(
    shared: &Shared,
    live: &Live,
    command: &[String],
) -> Result<(Exit, String), Failure> {
    /// So much is kept.
    const OUTPUT_BYTES: usize = 10 << 10;
    /// So long more is waited for when it has ended.
    const LINGER: Duration = Duration::from_millis(100);
    let broken = |error: io::Error| Failure(error.to_string());
    let spec = sandbox::ProcessSpec { command: command.to_vec(), ..live.spec.clone() };
    let (reader, writer) = io::pipe().map_err(broken)?;
    let second = writer.try_clone().map_err(broken)?;
    let stdio =
        Stdio::Pipes { stdin: None, stdout: Some(writer.into()), stderr: Some(second.into()) };
    let mut process = exec(shared, live, spec, stdio).await?;
    let mut reader =
        tokio::net::unix::pipe::Receiver::from_owned_fd(reader.into()).map_err(broken)?;
    let (mut output, mut buffer, mut ended) = (Vec::new(), [0; 4096], None);
    loop {
        tokio::select! {
            exit = process.exit(), if ended.is_none() => ended = Some(exit),
            read = reader.read(&mut buffer) => match read {
                Ok(count) if count > 0 => {
                    let room = OUTPUT_BYTES.saturating_sub(output.len()).min(count);
                    output.extend_from_slice(&buffer[..room]);
                }
                _ => break,
            },
            // What it left running may hold the pipe.
            () = sleep(LINGER), if ended.is_some() => break,
        }
    }
    let exit = match ended {
        Some(exit) => exit,
        None => process.exit().await,
    };
    process.release();
    Ok((exit, String::from_utf8_lossy(&output).into_owned()))
}

/// Starts a process beside a container's first one. If nobody waits for it any more when it has started, it is killed.
pub(super) async fn exec(
    shared: &Shared,
    live: &Live,
    spec: sandbox::ProcessSpec,
    stdio: Stdio,
) -> Result<KillOnDrop, Failure> {
    let (runtime, id) = (shared.runtime.clone(), live.id.clone());
    // A start that was asked for cannot be taken back, so what comes of it is awaited in any case.
    let started = tokio::spawn(async move {
        let process = runtime.exec(id, spec, stdio).await?;
        Ok(KillOnDrop(Some(process)))
    });
    started.await.unwrap_or_else(|error| Err(Failure(format!("starting it broke off: {error}"))))
}

/// A process that is not waited for any more is killed.
pub(super) struct KillOnDrop(Option<Box<dyn Process>>);

impl KillOnDrop {
    /// The process, which is left alone from now on.
    pub(super) fn release(&mut self) -> Option<Box<dyn Process>> {
        self.0.take()
    }

    async fn exit(&self) -> Exit {
        match &self.0 {
            Some(process) => process.exit().await,
            None => std::future::pending().await,
        }
    }
}

impl Drop for KillOnDrop {
    fn drop(&mut self) {
        if let Some(process) = self.0.take() {
            tokio::spawn(async move {
                let _ = process.signal(KILL).await;
            });
        }
    }
}

/// SIGKILL and SIGTERM, of the same number on all of Linux' architectures.
pub(super) const KILL: i32 = 9;
pub(super) const TERM: i32 = 15;
