//! How the engine starts a process in a container.

use std::collections::VecDeque;
use std::fs;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use rustix::net::sockopt::{Timeout, set_socket_timeout};
use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};
use rustix::thread::{ThreadNameSpaceType, UnshareFlags, move_into_thread_name_spaces};

use crate::container::{Step, Task};
use crate::failure::Failure;
use crate::host::PROGRAM;
use crate::pod::Pod;
use crate::processes::reap;
use crate::protocol::{self, Streams};
use crate::spec::User;
use crate::start::CONTAINER;
use crate::sys;
use crate::users::Users;

/// A start that does not get on for so long hangs: at a file system that does not answer, say.
const PATIENCE: Duration = Duration::from_secs(20);

/// A process that runs its program.
#[derive(Debug)]
pub(crate) struct Spawned {
    pub(crate) process: OwnedFd,
    pub(crate) terminal: Option<OwnedFd>,
}

/// Starts a process, and returns when its program runs. The calling thread is in other namespaces then, and fit for nothing else.
pub(crate) fn spawn(
    pod: &Pod,
    task: &Task,
    streams: Streams,
    users: Users,
    beside: &VecDeque<OwnedFd>,
    first: Option<&OwnedFd>,
) -> Result<Spawned, Failure> {
    let failed = |error: io::Error| Failure::system("start a process", error);
    if let Some(network) = &pod.network {
        network.enter().map_err(failed)?;
    }
    match first {
        None => sys::unshare(UnshareFlags::NEWPID).map_err(failed)?,
        Some(first) => {
            move_into_thread_name_spaces(first.as_fd(), ThreadNameSpaceType::PROCESS_ID)
                .map_err(|_| Failure::Gone("the container".into()))?;
        }
    }
    let (control, theirs) = protocol::pair().map_err(failed)?;
    set_socket_timeout(&control, Timeout::Recv, Some(PATIENCE))
        .map_err(|error| failed(error.into()))?;
    let child = Command::new(PROGRAM)
        .arg(CONTAINER)
        .env_clear()
        .stdin(Stdio::from(theirs))
        .stdout(Stdio::null())
        .spawn()
        .map_err(failed)?;
    let pid = Pid::from_child(&child);
    let process = pidfd_open(pid, PidfdFlags::empty()).map_err(|error| failed(error.into()))?;
    let descriptors: Vec<_> = first.into_iter().chain(beside).map(AsFd::as_fd).collect();
    let user = match task {
        Task::Start { spec, .. } => &spec.process.user,
        Task::Exec { process, .. } => &process.user,
    };
    let begun = protocol::write(&control, &(task, streams, users), &descriptors)
        .map_err(failed)
        .and_then(|()| follow(&control, pid, user, users));
    match begun {
        Ok(terminal) => Ok(Spawned { process, terminal }),
        Err(failure) => {
            let _ = pidfd_send_signal(&process, Signal::KILL);
            reap(&process);
            Err(failure)
        }
    }
}

/// Follows what the process says until it is its program's.
fn follow(
    control: &OwnedFd,
    pid: Pid,
    user: &User,
    users: Users,
) -> Result<Option<OwnedFd>, Failure> {
    let failed = |error: io::Error| match error.kind() {
        io::ErrorKind::WouldBlock => {
            Failure::system("start a process", format!("no progress for {} s", PATIENCE.as_secs()))
        }
        _ => Failure::system("start a process", error),
    };
    let mut terminal = None;
    let mut running = false;
    loop {
        match protocol::read::<Step>(control).map_err(failed)? {
            Some((Step::Unmapped, _)) => {
                map(pid, user, users).map_err(|error| {
                    let (uid, gid) = (user.uid, user.gid);
                    Failure::system(format!("map user {uid} and group {gid}"), error)
                })?;
                protocol::write(control, &(), &[]).map_err(failed)?;
            }
            Some((Step::Terminal, mut beside)) => terminal = beside.pop_front(),
            Some((Step::Running, _)) => running = true,
            Some((Step::Failed(failure), _)) => return Err(failure),
            // Running a program closes the socket.
            None if running => return Ok(terminal),
            None => return Err(Failure::system("start a process", "it ended before its program")),
        }
    }
}

/// Maps the users of a container's namespace to the engine's.
fn map(pid: Pid, user: &User, users: Users) -> io::Result<()> {
    let (uids, gids) = users.container_maps(user);
    let of = Path::new("/proc").join(pid.as_raw_pid().to_string());
    fs::write(of.join("gid_map"), gids)?;
    fs::write(of.join("uid_map"), uids)
}
