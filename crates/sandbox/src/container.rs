//! What goes ahead of a container's own program, in the same process: it makes or joins the container, gives up its rights, and runs the program in its place.

use std::convert::Infallible;
use std::fs;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio, exit};

use rustix::fs::{Access, AtFlags, CWD, Mode, OFlags, accessat, fchown, openat};
use rustix::process::{
    DumpableBehavior, Resource, Rlimit, getrlimit, ioctl_tiocsctty, set_dumpable_behavior,
    setrlimit, setsid, umask,
};
use rustix::pty::{OpenptFlags, openpt, ptsname, unlockpt};
use rustix::termios::{Winsize, tcsetwinsize};
use rustix::thread::{
    CapabilitySet, Gid, ThreadNameSpaceType, Uid, UnshareFlags, move_into_thread_name_spaces,
    remove_capability_from_bounding_set, set_no_new_privs, set_thread_groups, set_thread_res_gid,
    set_thread_res_uid,
};
use serde::{Deserialize, Serialize};

use crate::failure::Failure;
use crate::protocol::{self, Streams};
use crate::root;
use crate::spec::{ContainerSpec, Limits, ProcessSpec, WindowSize};
use crate::sys;
use crate::users::Users;

/// What is to be run.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum Task {
    /// The first process of a container.
    Start {
        spec: Box<ContainerSpec>,
        folder: PathBuf,
        /// The engine's user that the container's user namespace belongs to, if the engine has several. All processes of the
        /// namespace, whoever's they are in it, count as this user's, under the limit that the namespace was made under; so each container has another one.
        owner: Option<u32>,
    },
    /// Another one, in the container of the process whose descriptor comes first of those beside.
    Exec { process: Box<ProcessSpec>, limits: Limits },
}

/// What the engine is told of it.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum Step {
    /// The user namespace is there, and its users are to be mapped.
    Unmapped,
    /// The other side of the terminal is beside.
    Terminal,
    /// All is done but to run the program: what ends the conversation now is the program.
    Running,
    /// It cannot be.
    Failed(Failure),
}

/// The rights over its own user namespace that a container's root keeps: to be what it needs to be over its own files and users.
const KEPT: CapabilitySet = CapabilitySet::CHOWN
    .union(CapabilitySet::DAC_OVERRIDE)
    .union(CapabilitySet::FOWNER)
    .union(CapabilitySet::FSETID)
    .union(CapabilitySet::KILL)
    .union(CapabilitySet::NET_BIND_SERVICE)
    .union(CapabilitySet::SETGID)
    .union(CapabilitySet::SETPCAP)
    .union(CapabilitySet::SETUID)
    .union(CapabilitySet::SYS_CHROOT);

/// When memory runs out, what runs in containers goes first.
const OOM_SCORE: &str = "500";

/// Where programs are looked up without a `PATH`.
const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// Goes ahead of a program; standard input is the socket to the engine.
pub(crate) fn run() -> ! {
    sys::default_signals();
    let Ok(control) = io::stdin().as_fd().try_clone_to_owned() else { exit(1) };
    let failure = match perform(&control) {
        Ok(never) => match never {},
        Err(failure) => failure,
    };
    let _ = protocol::write(&control, &Step::Failed(failure), &[]);
    exit(1)
}

fn perform(control: &OwnedFd) -> Result<Infallible, Failure> {
    let Some(((task, streams, users), mut descriptors)) =
        protocol::read::<(Task, Streams, Users)>(control)
            .map_err(|error| Failure::system("what to run", error))?
    else {
        exit(0)
    };
    umask(Mode::from(0o022));
    sys::leave_keys();
    fs::write("/proc/self/oom_score_adj", OOM_SCORE)
        .map_err(|error| Failure::system("oom_score_adj", error))?;
    let (process, limits, stdio) = match task {
        Task::Start { spec, folder, owner } => {
            let mut stdio = Pipes::take(streams, descriptors);
            let namespaces = start(control, &spec, &folder, &mut stdio, streams)?;
            own_users(control, &spec, owner, &namespaces)?;
            (spec.process, spec.limits, stdio)
        }
        Task::Exec { process, limits } => {
            let first = descriptors.pop_front().ok_or(Failure::Ended)?;
            let mut stdio = Pipes::take(streams, descriptors);
            join(control, &first, &process, &mut stdio, streams)?;
            (*process, limits, stdio)
        }
    };
    give_up(&process, limits, users)
        .map_err(|error| Failure::system("the process's limits and user", error))?;
    run_program(control, &process, stdio)
}

/// Makes the container around this process, but for its users.
fn start(
    control: &OwnedFd,
    spec: &ContainerSpec,
    folder: &Path,
    stdio: &mut Pipes,
    streams: Streams,
) -> Result<OwnedFd, Failure> {
    let failed = |error: io::Error| Failure::system("the container's namespaces", error);
    let flags = UnshareFlags::NEWNS | UnshareFlags::NEWUTS | UnshareFlags::NEWIPC;
    sys::unshare(flags).map_err(failed)?;
    let namespaces = root::enter(spec, folder)?;
    rustix::system::sethostname(spec.hostname.as_bytes())
        .map_err(|error| Failure::system(format!("host name {}", spec.hostname), error))?;
    if let Streams::Terminal(size) = streams {
        stdio.open_terminal(control, size, &spec.process)?;
    }
    Ok(namespaces)
}

/// Makes the container's users, last, so that they have no power over the other namespaces.
fn own_users(
    control: &OwnedFd,
    spec: &ContainerSpec,
    owner: Option<u32>,
    namespaces: &OwnedFd,
) -> Result<(), Failure> {
    let failed = |error: io::Error| Failure::system("the container's users", error);
    if let Some(owner) = owner {
        limit(Resource::Nproc, spec.limits.processes).map_err(failed)?;
        let owner = Uid::from_raw(owner);
        set_thread_res_uid(owner, owner, owner).map_err(|error| failed(error.into()))?;
    }
    sys::unshare(UnshareFlags::NEWUSER).map_err(failed)?;
    protocol::write(control, &Step::Unmapped, &[]).map_err(failed)?;
    protocol::read::<()>(control).map_err(failed)?.ok_or(Failure::Ended)?;
    // No more namespaces from here, in which a user would have all rights again.
    forbid_namespaces(namespaces).map_err(failed)
}

fn forbid_namespaces(limits: &OwnedFd) -> io::Result<()> {
    let flags = OFlags::WRONLY | OFlags::CLOEXEC;
    let file = openat(limits, "max_user_namespaces", flags, Mode::empty())?;
    rustix::io::write(file, b"0")?;
    Ok(())
}

/// Goes into the container of a process.
fn join(
    control: &OwnedFd,
    first: &OwnedFd,
    process: &ProcessSpec,
    stdio: &mut Pipes,
    streams: Streams,
) -> Result<(), Failure> {
    let failed = |error: rustix::io::Errno| Failure::system("join the container", error);
    // What runs in there must not look into this process before it is one of theirs.
    set_dumpable_behavior(DumpableBehavior::NotDumpable).map_err(failed)?;
    let others = ThreadNameSpaceType::MOUNT
        | ThreadNameSpaceType::HOST_NAME_AND_NIS_DOMAIN_NAME
        | ThreadNameSpaceType::INTER_PROCESS_COMMUNICATION;
    move_into_thread_name_spaces(first.as_fd(), others).map_err(failed)?;
    if let Streams::Terminal(size) = streams {
        stdio.open_terminal(control, size, process)?;
    }
    move_into_thread_name_spaces(first.as_fd(), ThreadNameSpaceType::USER).map_err(failed)
}

/// Where the program will read and write.
#[derive(Debug)]
struct Pipes {
    stdin: Option<OwnedFd>,
    stdout: Option<OwnedFd>,
    stderr: Option<OwnedFd>,
    terminal: Option<OwnedFd>,
}

impl Pipes {
    fn take(streams: Streams, descriptors: impl IntoIterator<Item = OwnedFd>) -> Self {
        let mut descriptors = descriptors.into_iter();
        let mut next = |there: bool| if there { descriptors.next() } else { None };
        match streams {
            Streams::Pipes { stdin, stdout, stderr } => Self {
                stdin: next(stdin),
                stdout: next(stdout),
                stderr: next(stderr),
                terminal: None,
            },
            Streams::Terminal(_) => {
                Self { stdin: None, stdout: None, stderr: None, terminal: None }
            }
        }
    }

    fn open_terminal(
        &mut self,
        control: &OwnedFd,
        size: WindowSize,
        process: &ProcessSpec,
    ) -> Result<(), Failure> {
        self.terminal(control, size, process)
            .map_err(|error| Failure::system("the container's terminal", error))
    }

    fn terminal(
        &mut self,
        control: &OwnedFd,
        size: WindowSize,
        process: &ProcessSpec,
    ) -> io::Result<()> {
        let flags = OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC;
        let master = openpt(flags)?;
        unlockpt(&master)?;
        let name = ptsname(&master, Vec::new())?;
        let flags = OFlags::RDWR | OFlags::NOCTTY | OFlags::CLOEXEC;
        let terminal = openat(CWD, name.as_c_str(), flags, Mode::empty())?;
        // With one user alone it is that one's already.
        let _ = fchown(&terminal, Some(Uid::from_raw(process.user.uid)), None);
        let size = Winsize { ws_col: size.columns, ws_row: size.rows, ws_xpixel: 0, ws_ypixel: 0 };
        tcsetwinsize(&terminal, size)?;
        protocol::write(control, &Step::Terminal, &[master.as_fd()])?;
        self.stdin = Some(terminal.try_clone()?);
        self.stdout = Some(terminal.try_clone()?);
        self.stderr = Some(terminal.try_clone()?);
        self.terminal = Some(terminal);
        Ok(())
    }
}

/// Takes on the limits and the user of the program.
fn give_up(process: &ProcessSpec, limits: Limits, users: Users) -> io::Result<()> {
    // Where there is one user alone, only now: the limit that a user namespace is made under holds for all of its owner's processes.
    limit(Resource::Nproc, limits.processes)?;
    limit(Resource::Nofile, limits.open_files)?;
    limit(Resource::Core, 0)?;
    for capability in CapabilitySet::all().difference(KEPT).iter() {
        match remove_capability_from_bounding_set(capability) {
            // An older kernel, which does not know it.
            Ok(()) | Err(rustix::io::Errno::INVAL) => {}
            Err(error) => return Err(error.into()),
        }
    }
    set_no_new_privs(true)?;
    if users == Users::Range {
        let user = &process.user;
        let groups: Vec<_> = user.groups.iter().copied().map(Gid::from_raw).collect();
        set_thread_groups(&groups)?;
        let (uid, gid) = (Uid::from_raw(user.uid), Gid::from_raw(user.gid));
        set_thread_res_gid(gid, gid, gid)?;
        set_thread_res_uid(uid, uid, uid)?;
    }
    Ok(())
}

fn limit(resource: Resource, most: u64) -> io::Result<()> {
    let most = getrlimit(resource).maximum.map_or(most, |maximum| maximum.min(most));
    Ok(setrlimit(resource, Rlimit { current: Some(most), maximum: Some(most) })?)
}

fn run_program(
    control: &OwnedFd,
    process: &ProcessSpec,
    stdio: Pipes,
) -> Result<Infallible, Failure> {
    let failed = |error: io::Error| Failure::system("start the process", error);
    let asked = process.command.first().map_or("", String::as_str);
    std::env::set_current_dir(&process.working_dir).map_err(|error| {
        Failure::system(format!("working folder {}", process.working_dir.display()), error)
    })?;
    let program = find_program(process, asked)?;
    setsid().map_err(|error| failed(error.into()))?;
    if let Some(terminal) = &stdio.terminal {
        ioctl_tiocsctty(terminal).map_err(|error| failed(error.into()))?;
    }
    let or_null = |descriptor: Option<OwnedFd>| descriptor.map_or(Stdio::null(), Stdio::from);
    let mut command = Command::new(&program);
    command
        .arg0(asked)
        .args(process.command.iter().skip(1))
        .env_clear()
        .envs(process.env.iter().map(|(name, value)| (name, value)))
        .stdin(or_null(stdio.stdin))
        .stdout(or_null(stdio.stdout))
        .stderr(or_null(stdio.stderr));
    protocol::write(control, &Step::Running, &[]).map_err(failed)?;
    Err(cannot_run(asked, &command.exec()))
}

/// Finds a program as a shell does, by the container's own environment and files.
fn find_program(process: &ProcessSpec, asked: &str) -> Result<PathBuf, Failure> {
    if asked.contains('/') {
        return match fs::metadata(asked) {
            Ok(found) if found.is_dir() => {
                Err(cannot_run(asked, &io::ErrorKind::IsADirectory.into()))
            }
            Ok(_) => Ok(PathBuf::from(asked)),
            Err(error) => Err(cannot_run(asked, &error)),
        };
    }
    let path = process.env.iter().rfind(|(name, _)| name == "PATH");
    let path = path.map_or(PATH, |(_, value)| value);
    path.split(':')
        .map(|folder| Path::new(if folder.is_empty() { "." } else { folder }).join(asked))
        .find(|candidate| {
            !asked.is_empty()
                && candidate.is_file()
                && accessat(CWD, candidate, Access::EXEC_OK, AtFlags::EACCESS).is_ok()
        })
        .ok_or_else(|| Failure::NoProgram(asked.to_owned()))
}

/// In the words of other runtimes.
fn cannot_run(asked: &str, error: &io::Error) -> Failure {
    let reason = match error.kind() {
        io::ErrorKind::NotFound => format!("stat {asked}: no such file or directory"),
        io::ErrorKind::PermissionDenied => "permission denied".to_owned(),
        io::ErrorKind::IsADirectory => "is a directory".to_owned(),
        _ if error.raw_os_error() == Some(libc::ENOEXEC) => "exec format error".to_owned(),
        _ => error.to_string(),
    };
    Failure::CannotRun { program: asked.to_owned(), reason }
}
