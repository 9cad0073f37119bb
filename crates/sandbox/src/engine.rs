//! The side of an engine that asks.

use std::collections::{HashMap, VecDeque};
use std::io;
use std::net::{IpAddr, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::os::fd::{AsFd, OwnedFd};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::thread;
use std::time::Duration;

use ipnet::IpNet;
use rustix::net::Shutdown;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, oneshot, watch};

use crate::failure::{Failure, Unsupported};
use crate::protocol::{self, Answer, Message, Question, Request, Streams, UNDER_WAY_MAX};
use crate::spec::{
    ContainerId, ContainerSpec, Exit, Network, PodId, PodSpec, ProcessSpec, Settings, Stdio,
};
use crate::start::{self, Started};
use crate::users::Users;

pub use crate::start::run_if_asked;

/// A running engine. Clones share it; when the last one is dropped, everything in it ends.
#[derive(Clone, Debug)]
pub struct Engine(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    pid: u32,
    users: Users,
    nft: bool,
    control: Arc<OwnedFd>,
    shared: Arc<Shared>,
    questions: mpsc::Sender<(Question, Vec<OwnedFd>)>,
    next: AtomicU64,
    under_way: Arc<Semaphore>,
    ended: watch::Receiver<bool>,
}

impl Drop for Inner {
    fn drop(&mut self) {
        // The threads hold the socket too; this ends it for them and for the engine.
        let _ = rustix::net::shutdown(&self.control, Shutdown::Both);
    }
}

/// What those who ask share with the thread that reads.
#[derive(Debug, Default)]
struct Shared {
    /// `None` when nothing more will be answered.
    pending: Mutex<Option<HashMap<u64, Pending>>>,
    exits: Mutex<HashMap<u64, watch::Sender<Option<Exit>>>>,
}

#[derive(Debug)]
struct Pending {
    reply: oneshot::Sender<Reply>,
    /// Held until the answer is there, whether somebody still waits or not.
    _permit: OwnedSemaphorePermit,
}

type Reply = Result<Answered, Failure>;

#[derive(Debug)]
struct Answered {
    answer: Answer,
    exit: Option<watch::Receiver<Option<Exit>>>,
    descriptors: VecDeque<OwnedFd>,
}

/// A process in a container. Dropping it does nothing to the process.
#[derive(Debug)]
pub struct Process {
    id: u64,
    exit: watch::Receiver<Option<Exit>>,
    engine: Weak<Inner>,
    /// The other side of its terminal, if it has one.
    pub terminal: Option<OwnedFd>,
}

impl Engine {
    /// Starts an engine, which is how one finds out whether any can run here.
    pub async fn start(settings: Settings) -> Result<Self, Unsupported> {
        let started = tokio::task::spawn_blocking(move || start::start(&settings))
            .await
            .map_err(|error| Unsupported::Program(error.to_string()))??;
        Self::over(started).map_err(|error| Unsupported::Program(error.to_string()))
    }

    fn over(started: Started) -> io::Result<Self> {
        let Started { mut child, control, users, nft } = started;
        let control = Arc::new(control);
        let shared =
            Arc::new(Shared { pending: Mutex::new(Some(HashMap::new())), ..Shared::default() });
        let (questions, asked) = mpsc::channel(UNDER_WAY_MAX);
        let (has_ended, ended) = watch::channel(false);
        let pid = child.id();

        let writer = Arc::clone(&control);
        thread::Builder::new().name("engine-ask".into()).spawn(move || send(&writer, asked))?;
        let (reader, heard) = (Arc::clone(&control), Arc::clone(&shared));
        thread::Builder::new().name("engine-hear".into()).spawn(move || {
            heard.hear(&reader);
            let _ = rustix::net::shutdown(&reader, Shutdown::Both);
            let _ = child.wait();
            let _ = has_ended.send(true);
        })?;
        Ok(Self(Arc::new(Inner {
            pid,
            users,
            nft,
            control,
            shared,
            questions,
            next: AtomicU64::new(0),
            under_way: Arc::new(Semaphore::new(UNDER_WAY_MAX)),
            ended,
        })))
    }

    /// The id of the process by which others enter the cluster's network (`/proc/ID/ns/net`).
    pub fn pid(&self) -> u32 {
        self.0.pid
    }

    /// The owner that files of a container's user and group have on the host.
    pub fn owner(&self, uid: u32, gid: u32) -> (u32, u32) {
        self.0.users.on_host(uid, gid)
    }

    /// Resolves when the engine has ended, and with it all that ran in it.
    pub async fn ended(&self) {
        // An error means that the thread is gone that waited for the engine.
        let _ = self.0.ended.clone().wait_for(|ended| *ended).await;
    }

    /// Asks all that runs to end (SIGTERM), and returns when those have that listen to it, or after so long. What is left
    /// ends with the engine.
    pub async fn end(&self, patience: Duration) -> Result<(), Failure> {
        self.0.ask(Request::End { patience }, Vec::new()).await.map(drop)
    }

    /// Ends everything, and returns when nothing is left.
    pub async fn shutdown(&self) {
        let _ = rustix::net::shutdown(&self.0.control, Shutdown::Both);
        self.ended().await;
    }

    /// Makes a pod, with its network and nothing that runs in it.
    pub async fn create_pod(&self, spec: PodSpec) -> Result<(), Failure> {
        self.0.ask(Request::CreatePod(spec), Vec::new()).await.map(drop)
    }

    /// Ends all that runs in a pod and removes its network.
    pub async fn remove_pod(&self, id: &PodId) -> Result<(), Failure> {
        self.0.ask(Request::RemovePod(id.clone()), Vec::new()).await.map(drop)
    }

    /// Starts a container in a pod.
    pub async fn start_container(
        &self,
        spec: ContainerSpec,
        stdio: Stdio,
    ) -> Result<Process, Failure> {
        let (stdio, descriptors) = streams(stdio);
        let request = Request::Start { spec: Box::new(spec), stdio };
        self.process(self.0.ask(request, descriptors).await?)
    }

    /// Starts a process beside a container's first one; it ends with the container.
    pub async fn exec(
        &self,
        container: &ContainerId,
        process: ProcessSpec,
        stdio: Stdio,
    ) -> Result<Process, Failure> {
        let (stdio, descriptors) = streams(stdio);
        let container = container.clone();
        let request = Request::Exec { container, process: Box::new(process), stdio };
        self.process(self.0.ask(request, descriptors).await?)
    }

    /// A connection that is made in a network.
    pub async fn connect(
        &self,
        network: Network,
        to: SocketAddr,
    ) -> Result<tokio::net::TcpStream, Failure> {
        let failed = |error: io::Error| Failure::system(format!("connect to {to}"), error);
        let socket = self.0.socket(Request::Connect { network, to }).await?;
        let stream = tokio::net::TcpStream::from_std(TcpStream::from(socket)).map_err(failed)?;
        // The engine has only begun: whether it is connected shows when it can be written to.
        stream.writable().await.map_err(failed)?;
        match stream.take_error() {
            Ok(None) => Ok(stream),
            Ok(Some(error)) | Err(error) => Err(failed(error)),
        }
    }

    /// A listener in a network.
    pub async fn listen(
        &self,
        network: Network,
        at: SocketAddr,
    ) -> Result<tokio::net::TcpListener, Failure> {
        let socket = self.0.socket(Request::Listen { network, at }).await?;
        tokio::net::TcpListener::from_std(TcpListener::from(socket))
            .map_err(|error| Failure::system(format!("listen on {at}"), error))
    }

    /// A UDP socket in a network, with `SO_REUSEPORT`, so that several can be had of one address.
    pub async fn bind(&self, network: Network, at: SocketAddr) -> Result<UdpSocket, Failure> {
        Ok(UdpSocket::from(self.0.socket(Request::Bind { network, at }).await?))
    }

    /// Makes an address the nodes' own, for what listens on it.
    pub async fn add_address(&self, address: IpAddr) -> Result<(), Failure> {
        self.0.ask(Request::AddAddress(address), Vec::new()).await.map(drop)
    }

    /// Lets rules of nftables lead elsewhere what goes outside, that is to no address of these ranges: without a way, nothing would
    /// come so far that a rule sees it.
    pub async fn open_outside(&self, inside: Vec<IpNet>) -> Result<(), Failure> {
        self.0.ask(Request::OpenOutside { inside }, Vec::new()).await.map(drop)
    }

    /// A socket of netfilter (`NETLINK_NETFILTER`) in the cluster's network, by which flows can be forgotten. It blocks.
    pub async fn netfilter(&self) -> Result<OwnedFd, Failure> {
        self.0.socket(Request::Netfilter).await
    }

    /// Whether `nft` is there and works in the cluster's network.
    pub fn has_nft(&self) -> bool {
        self.0.nft
    }

    /// Runs a script of nftables in the cluster's network, as one transaction (`nft -f -`).
    pub async fn nft(&self, script: &str) -> Result<(), Failure> {
        self.0.ask(Request::Nft(script.to_owned()), Vec::new()).await.map(drop)
    }

    fn process(&self, mut answered: Answered) -> Result<Process, Failure> {
        let (Answer::Process(id), Some(exit)) = (answered.answer, answered.exit) else {
            return Err(Failure::system("start a process", "the engine answered with none"));
        };
        let terminal = answered.descriptors.pop_front();
        Ok(Process { id, exit, engine: Arc::downgrade(&self.0), terminal })
    }
}

impl Process {
    /// Its number in the engine.
    pub fn id(&self) -> u64 {
        self.id
    }

    /// Its exit; can be awaited more than once.
    pub async fn exit(&self) -> Exit {
        match self.exit.clone().wait_for(Option::is_some).await.map(|exit| *exit) {
            Ok(Some(exit)) => exit,
            // The engine has ended, and the kernel with it all that it ran.
            Ok(None) | Err(_) => Exit::Signal(rustix::process::Signal::KILL.as_raw()),
        }
    }

    /// Sends a signal to this process alone (a container's first process: when it ends, all of the container ends).
    pub async fn signal(&self, signal: i32) -> Result<(), Failure> {
        let engine = self.engine.upgrade().ok_or(Failure::Ended)?;
        engine.ask(Request::Signal { process: self.id, signal }, Vec::new()).await.map(drop)
    }
}

impl Inner {
    async fn ask(&self, request: Request, descriptors: Vec<OwnedFd>) -> Reply {
        let permit =
            Arc::clone(&self.under_way).acquire_owned().await.map_err(|_| Failure::Ended)?;
        let id = self.next.fetch_add(1, Ordering::Relaxed);
        let (reply, answer) = oneshot::channel();
        match lock(&self.shared.pending).as_mut() {
            Some(pending) => pending.insert(id, Pending { reply, _permit: permit }),
            None => return Err(Failure::Ended),
        };
        // There is room for as many as may be under way; who waited here and was dropped would leave its place taken for good.
        self.questions
            .try_send((Question { id, request }, descriptors))
            .map_err(|_| Failure::Ended)?;
        answer.await.unwrap_or(Err(Failure::Ended))
    }

    async fn socket(&self, request: Request) -> Result<OwnedFd, Failure> {
        let mut answered = self.ask(request, Vec::new()).await?;
        answered
            .descriptors
            .pop_front()
            .ok_or_else(|| Failure::system("make a socket", "the engine answered with none"))
    }
}

impl Shared {
    /// Reads what the engine says until it ends.
    fn hear(&self, control: &OwnedFd) {
        while let Ok(Some((message, descriptors))) = protocol::read(control) {
            match message {
                Message::Answer { id, result } => self.answered(id, result, descriptors),
                Message::Exited { process, exit } => {
                    if let Some(sender) = lock(&self.exits).remove(&process) {
                        sender.send_replace(Some(exit));
                    }
                }
            }
        }
        // Who waits is told by what is dropped here.
        drop(lock(&self.pending).take());
        lock(&self.exits).clear();
    }

    fn answered(&self, id: u64, result: Result<Answer, Failure>, descriptors: VecDeque<OwnedFd>) {
        let exit = match result {
            // Before any exit can be heard, for this thread hears it.
            Ok(Answer::Process(process)) => {
                let (sender, exit) = watch::channel(None);
                lock(&self.exits).insert(process, sender);
                Some(exit)
            }
            _ => None,
        };
        let pending = lock(&self.pending).as_mut().and_then(|pending| pending.remove(&id));
        if let Some(pending) = pending {
            let _ = pending.reply.send(result.map(|answer| Answered { answer, exit, descriptors }));
        }
    }
}

/// Writes what is asked until nobody asks any more.
fn send(control: &OwnedFd, mut asked: mpsc::Receiver<(Question, Vec<OwnedFd>)>) {
    while let Some((question, descriptors)) = asked.blocking_recv() {
        let beside: Vec<_> = descriptors.iter().map(AsFd::as_fd).collect();
        if protocol::write(control, &question, &beside).is_err() {
            // Half a frame may be out: there is no going on.
            let _ = rustix::net::shutdown(control, Shutdown::Both);
            return;
        }
    }
}

fn streams(stdio: Stdio) -> (Streams, Vec<OwnedFd>) {
    match stdio {
        Stdio::Terminal(size) => (Streams::Terminal(size), Vec::new()),
        Stdio::Pipes { stdin, stdout, stderr } => (
            Streams::Pipes {
                stdin: stdin.is_some(),
                stdout: stdout.is_some(),
                stderr: stderr.is_some(),
            },
            [stdin, stdout, stderr].into_iter().flatten().collect(),
        ),
    }
}

/// What a panic left behind is as good as before: nothing is half done under these locks.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
