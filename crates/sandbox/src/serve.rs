//! The engine: first of its PID namespace, it does what it is asked until nobody can ask any more.

use std::collections::{HashMap, VecDeque};
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::path::PathBuf;
use std::process::exit;
use std::sync::atomic::{AtomicU32, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;

use rustix::mount::{MountFlags, mount};
use rustix::process::{
    Resource, Rlimit, Signal, getrlimit, pidfd_send_signal, set_parent_process_death_signal,
    setrlimit,
};

use crate::container::Task;
use crate::failure::{Failure, Unsupported};
use crate::network::{self, Cluster};
use crate::nft;
use crate::pod::{Pod, Running, Starting};
use crate::processes::{Processes, reap};
use crate::protocol::{self, Answer, Message, Progress, Question, Request, Streams, UNDER_WAY_MAX};
use crate::spawn::spawn;
use crate::spec::{
    ContainerId, ContainerSpec, Limits, Network, PodId, PodNetwork, PodSpec, Settings,
};
use crate::sys::{self, Forbid};
use crate::users::Users;

/// Enough for what a request needs, which is one file name here and there.
const STACK_BYTES: usize = 256 << 10;

/// Interfaces of pods are numbered from here.
const FIRST_INTERFACE: u32 = 100;

struct Serving {
    control: Mutex<OwnedFd>,
    folder: PathBuf,
    users: Users,
    cluster: Cluster,
    nft: Option<PathBuf>,
    pods: Mutex<HashMap<PodId, Arc<Pod>>>,
    processes: Processes,
    next_interface: AtomicU32,
    next_owner: AtomicU32,
    under_way: AtomicUsize,
}

/// What came of a request.
enum Outcome {
    Done,
    Socket(OwnedFd),
    Started {
        process: Arc<OwnedFd>,
        terminal: Option<OwnedFd>,
        pod: Arc<Pod>,
        number: u64,
        _starting: Starting,
    },
}

/// Serves as the engine; standard input is the socket to the guard.
pub(crate) fn run() -> ! {
    sys::default_signals();
    // Whatever becomes of the guard, this does not outlive it.
    let _ = set_parent_process_death_signal(Some(Signal::KILL));
    let stdin = io::stdin();
    let Ok(Some(((settings, users), mut beside))) =
        protocol::read::<(Settings, Users)>(stdin.as_fd())
    else {
        exit(1)
    };
    let Some(control) = beside.pop_front() else { exit(1) };
    let serving = match Serving::set_up(&control, settings, users) {
        Ok(serving) => Arc::new(serving),
        Err(unsupported) => {
            let _ = protocol::write(&control, &Progress::Unsupported(unsupported), &[]);
            exit(1)
        }
    };
    let waiting = Arc::clone(&serving);
    let waiter = thread::Builder::new().stack_size(STACK_BYTES).spawn(move || {
        let _ = waiting.processes.wait(|process, exit| {
            waiting.say(&Message::Exited { process, exit }, None);
        });
        // Without it nobody would hear of any exit.
        exit(1)
    });
    let ready = Progress::Ready { nft: serving.nft.is_some() };
    if waiter.is_err() || protocol::write(&control, &ready, &[]).is_err() {
        exit(1)
    }
    while let Ok(Some((question, beside))) = protocol::read(&control) {
        serving.take(question, beside);
    }
    // With this process, the kernel ends all others here.
    exit(0)
}

impl Serving {
    fn set_up(control: &OwnedFd, settings: Settings, users: Users) -> Result<Self, Unsupported> {
        let wrong = |error: io::Error| Unsupported::Program(error.to_string());
        let failed = |what: &str| {
            let what = what.to_owned();
            move |error: io::Error| Unsupported::Mounts { what, error: error.to_string() }
        };
        let flags = MountFlags::NOSUID | MountFlags::NODEV | MountFlags::NOEXEC;
        mount("proc", "/proc", "proc", flags, None).map_err(|error| {
            failed("mount /proc (not possible where parts of /proc are hidden, as in a container)")(
                error.into(),
            )
        })?;
        sys::forbid(rustix::fs::CWD, c"/", false, &Forbid::WRITING)
            .map_err(failed("make the engine's root folder read-only"))?;
        let files = getrlimit(Resource::Nofile).maximum;
        setrlimit(Resource::Nofile, Rlimit { current: files, maximum: files })
            .map_err(|error| wrong(error.into()))?;
        let cluster = Cluster::set_up(&settings, users)?;
        // On a thread of its own, for it is left in the host's root folder.
        let nft = thread::spawn(nft::find).join().unwrap_or(None);
        Ok(Self {
            control: Mutex::new(control.try_clone().map_err(wrong)?),
            folder: settings.folder,
            users,
            cluster,
            nft,
            pods: Mutex::default(),
            processes: Processes::new().map_err(wrong)?,
            next_interface: AtomicU32::new(FIRST_INTERFACE),
            next_owner: AtomicU32::new(0),
            under_way: AtomicUsize::new(0),
        })
    }

    /// Does what is asked on a thread of its own, which may move to other namespaces, and may wait.
    fn take(self: &Arc<Self>, question: Question, beside: VecDeque<OwnedFd>) {
        let Question { id, request } = question;
        if self.under_way.fetch_add(1, Ordering::Relaxed) >= UNDER_WAY_MAX {
            self.under_way.fetch_sub(1, Ordering::Relaxed);
            let result = Err(Failure::system("too much is asked at once", UNDER_WAY_MAX));
            self.say(&Message::Answer { id, result }, None);
            return;
        }
        let serving = Arc::clone(self);
        let spawned = thread::Builder::new().stack_size(STACK_BYTES).spawn(move || {
            let outcome = serving.perform(request, beside);
            // First, for with the answer comes the next question.
            serving.under_way.fetch_sub(1, Ordering::Relaxed);
            serving.answer(id, outcome);
        });
        if let Err(error) = spawned {
            self.under_way.fetch_sub(1, Ordering::Relaxed);
            let result = Err(Failure::system("a thread", error));
            self.say(&Message::Answer { id, result }, None);
        }
    }

    fn answer(&self, id: u64, outcome: Result<Outcome, Failure>) {
        let (result, beside) = match &outcome {
            Ok(Outcome::Done) => (Ok(Answer::Done), None),
            Ok(Outcome::Socket(socket)) => (Ok(Answer::Socket), Some(socket)),
            Ok(Outcome::Started { number, terminal, .. }) => {
                (Ok(Answer::Process(*number)), terminal.as_ref())
            }
            Err(failure) => (Err(failure.clone()), None),
        };
        self.say(&Message::Answer { id, result }, beside);
        // Only now, so that nobody hears of an end before the beginning.
        if let Ok(Outcome::Started { process, pod, number, .. }) = &outcome
            && self.processes.watch(*number, process, pod).is_err()
        {
            let _ = pidfd_send_signal(process, Signal::KILL);
            let exit = reap(process);
            pod.ended(*number);
            self.say(&Message::Exited { process: *number, exit }, None);
        }
    }

    fn say(&self, message: &Message, beside: Option<&OwnedFd>) {
        let control = self.control.lock().unwrap_or_else(PoisonError::into_inner);
        let beside = beside.map(AsFd::as_fd);
        if protocol::write(&*control, message, beside.as_slice()).is_err() {
            // Nobody is there, or half a frame is out.
            exit(1)
        }
    }

    fn perform(&self, request: Request, beside: VecDeque<OwnedFd>) -> Result<Outcome, Failure> {
        match request {
            Request::CreatePod(spec) => self.create_pod(spec).map(|()| Outcome::Done),
            Request::RemovePod(id) => self.remove_pod(&id).map(|()| Outcome::Done),
            Request::Start { spec, stdio } => self.start(spec, stdio, &beside),
            Request::Exec { container, process, stdio } => {
                let pod = self.pod(&container.pod)?;
                let (first, limits) = pod.container(&container)?;
                let task = Task::Exec { process, limits };
                self.run(&pod, &task, stdio, &beside, Some(&first), None)
            }
            Request::Signal { process, signal } => {
                self.processes.signal(process, signal).map(|()| Outcome::Done)
            }
            Request::End { patience } => {
                self.processes.end(patience);
                Ok(Outcome::Done)
            }
            Request::Connect { network, to } => {
                self.socket(&network, || network::begin_connection(to), format!("connect to {to}"))
            }
            Request::Listen { network, at } => {
                self.socket(&network, || network::listener(at), format!("listen on {at}"))
            }
            Request::Bind { network, at } => {
                self.socket(&network, || network::datagrams(at), format!("bind {at}"))
            }
            Request::AddAddress(address) => self
                .cluster
                .add_address(address)
                .map(|()| Outcome::Done)
                .map_err(|error| Failure::system(format!("add address {address}"), error)),
            Request::OpenOutside { inside } => self
                .cluster
                .open_outside(&inside)
                .map(|()| Outcome::Done)
                .map_err(|error| Failure::system("open a way to the outside", error)),
            Request::Netfilter => self.socket(
                &Network::Cluster,
                network::netfilter,
                "open a socket of netfilter".to_owned(),
            ),
            Request::Nft(script) => match &self.nft {
                Some(program) => nft::run(program, &script).map(|()| Outcome::Done),
                None => Err(Failure::NoProgram("nft".into())),
            },
        }
    }

    fn create_pod(&self, spec: PodSpec) -> Result<(), Failure> {
        let exists = || Failure::Exists(format!("pod {}", spec.id.0));
        if self.pods().contains_key(&spec.id) {
            return Err(exists());
        }
        let network = match &spec.network {
            PodNetwork::Node => None,
            PodNetwork::Own(addresses) => {
                let index = self.next_interface.fetch_add(1, Ordering::Relaxed);
                let network = self.cluster.add_pod(index, addresses).map_err(|error| {
                    Failure::system(format!("the network of pod {}", spec.id.0), error)
                })?;
                Some(network)
            }
        };
        let pod = Arc::new(Pod::new(spec.id.clone(), network));
        // Another one may have come meanwhile; one of the two stays.
        let mut pods = self.pods();
        if pods.contains_key(&spec.id) {
            drop(pods);
            self.disconnect(&pod)?;
            return Err(exists());
        }
        pods.insert(spec.id.clone(), pod);
        Ok(())
    }

    fn remove_pod(&self, id: &PodId) -> Result<(), Failure> {
        let pod = self.pod(id)?;
        let ended = pod.end();
        // What does not end has no network any more, whose addresses are another's next; the rest goes when it is asked for again.
        self.disconnect(&pod)?;
        ended?;
        self.pods().remove(id);
        Ok(())
    }

    fn disconnect(&self, pod: &Pod) -> Result<(), Failure> {
        let Some(network) = &pod.network else { return Ok(()) };
        self.cluster
            .remove_pod(network)
            .map_err(|error| Failure::system("remove the network of a pod", error))
    }

    fn start(
        &self,
        spec: Box<ContainerSpec>,
        stdio: Streams,
        beside: &VecDeque<OwnedFd>,
    ) -> Result<Outcome, Failure> {
        let pod = self.pod(&spec.id.pod)?;
        if pod.container(&spec.id).is_ok() {
            return Err(Failure::Exists(format!("container {}", spec.id.name)));
        }
        self.users.check(&spec.process.user)?;
        let first_of = (spec.id.clone(), spec.limits);
        let owner = self.users.owner(self.next_owner.fetch_add(1, Ordering::Relaxed));
        let task = Task::Start { spec, folder: self.folder.clone(), owner };
        self.run(&pod, &task, stdio, beside, None, Some(first_of))
    }

    fn run(
        &self,
        pod: &Arc<Pod>,
        task: &Task,
        stdio: Streams,
        beside: &VecDeque<OwnedFd>,
        first: Option<&OwnedFd>,
        first_of: Option<(ContainerId, Limits)>,
    ) -> Result<Outcome, Failure> {
        let starting = pod.begin()?;
        let spawned = spawn(pod, task, stdio, self.users, beside, first)?;
        let number = self.processes.number();
        let process = Arc::new(spawned.process);
        let running = Running { process: Arc::clone(&process), first_of };
        if let Err(gone) = starting.runs(number, running) {
            let _ = pidfd_send_signal(&*process, Signal::KILL);
            reap(&process);
            return Err(gone);
        }
        let (pod, terminal) = (Arc::clone(pod), spawned.terminal);
        Ok(Outcome::Started { process, terminal, pod, number, _starting: starting })
    }

    fn socket(
        &self,
        network: &Network,
        make: impl FnOnce() -> io::Result<OwnedFd>,
        what: String,
    ) -> Result<Outcome, Failure> {
        let made = match network {
            Network::Cluster => make(),
            Network::Pod(id) => {
                let pod = self.pod(id)?;
                match &pod.network {
                    Some(network) => network.enter().and_then(|()| make()),
                    None => make(),
                }
            }
        };
        made.map(Outcome::Socket).map_err(|error| Failure::system(what, error))
    }

    fn pod(&self, id: &PodId) -> Result<Arc<Pod>, Failure> {
        let pod = self.pods().get(id).map(Arc::clone);
        pod.ok_or_else(|| Failure::Gone(format!("pod {}", id.0)))
    }

    fn pods(&self) -> MutexGuard<'_, HashMap<PodId, Arc<Pod>>> {
        self.pods.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
