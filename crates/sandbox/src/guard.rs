//! The engine's first process: it makes the namespaces, prepares what is mounted in them, starts the engine as the first of its PID namespace, and sees to
//! it that nothing outlives who asked for it.

use std::fs;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::process::{Command, Stdio, exit};

use rustix::event::{PollFd, PollFlags, poll};
use rustix::process::{
    Pid, PidfdFlags, Signal, WaitId, WaitIdOptions, pidfd_open, pidfd_send_signal, setsid, waitid,
};
use rustix::thread::UnshareFlags;

use crate::failure::Unsupported;
use crate::host::{self, PROGRAM};
use crate::protocol::{self, Progress};
use crate::spec::Settings;
use crate::start::ENGINE;
use crate::sys;
use crate::users::Users;

/// Serves as guard; standard input is the socket to who asked.
pub(crate) fn run() -> ! {
    sys::default_signals();
    let Ok(control) = io::stdin().as_fd().try_clone_to_owned() else { exit(1) };
    match begin(&control) {
        Ok(engine) => watch(&control, &engine),
        Err(unsupported) => {
            let _ = protocol::write(&control, &Progress::Unsupported(unsupported), &[]);
            exit(1)
        }
    }
}

/// Starts the engine, and returns its process.
fn begin(control: &OwnedFd) -> Result<OwnedFd, Unsupported> {
    let wrong = |error: io::Error| Unsupported::Program(error.to_string());
    // A signal from the terminal is for who asked, not for the engine.
    let _ = setsid();
    sys::close_others_on_exec().map_err(wrong)?;
    let Some(((settings, users), _)) =
        protocol::read::<(Settings, Users)>(control).map_err(wrong)?
    else {
        exit(0)
    };
    namespaces(control, users)?;
    host::prepare(&settings, users)?;

    let (ours, theirs) = protocol::pair().map_err(wrong)?;
    let child = Command::new(PROGRAM)
        .arg(ENGINE)
        .env_clear()
        .stdin(Stdio::from(theirs))
        .stdout(Stdio::null())
        .spawn()
        .map_err(|error| Unsupported::Program(format!("{PROGRAM}: {error}")))?;
    let engine = pidfd_open(Pid::from_child(&child), PidfdFlags::empty())
        .map_err(|error| wrong(error.into()))?;
    protocol::write(&ours, &(settings, users), &[control.as_fd()]).map_err(wrong)?;
    Ok(engine)
}

fn namespaces(control: &OwnedFd, users: Users) -> Result<(), Unsupported> {
    let wrong = |error: io::Error| Unsupported::Program(error.to_string());
    sys::unshare(UnshareFlags::NEWUSER).map_err(|error| no_user_namespaces(&error))?;
    match users {
        Users::One { .. } => {
            let (uids, gids) = users.maps();
            fs::write("/proc/self/setgroups", "deny")
                .and_then(|()| fs::write("/proc/self/uid_map", uids))
                .and_then(|()| fs::write("/proc/self/gid_map", gids))
                // Where a security module is against it, the namespace is there and has no rights.
                .map_err(|error| no_user_namespaces(&error))?;
        }
        Users::Range => {
            protocol::write(control, &Progress::Unmapped, &[]).map_err(wrong)?;
            if protocol::read::<()>(control).map_err(wrong)?.is_none() {
                exit(0);
            }
        }
    }
    let others = UnshareFlags::NEWNET
        | UnshareFlags::NEWNS
        | UnshareFlags::NEWPID
        | UnshareFlags::NEWUTS
        | UnshareFlags::NEWIPC;
    sys::unshare(others).map_err(|error| match error.kind() {
        io::ErrorKind::PermissionDenied => no_user_namespaces(&error),
        _ => Unsupported::Namespaces(error.to_string()),
    })
}

/// Says which settings of this system may be the cause.
fn no_user_namespaces(error: &io::Error) -> Unsupported {
    let settings = [
        ("kernel.unprivileged_userns_clone", "1"),
        ("user.max_user_namespaces", "more than 0"),
        ("kernel.apparmor_restrict_unprivileged_userns", "0"),
    ];
    let here: Vec<_> = settings
        .into_iter()
        .filter_map(|(name, needed)| {
            let value = fs::read_to_string(format!("/proc/sys/{}", name.replace('.', "/"))).ok()?;
            let value = value.trim();
            let at_fault = if needed == "more than 0" { value == "0" } else { value != needed };
            at_fault.then(|| format!("{name} is {value} (must be {needed})"))
        })
        .collect();
    let hint = match here.is_empty() {
        true => "none of its settings is against them: a container or a service that this runs in may be".to_owned(),
        false => format!("set with sysctl: {}", here.join(", ")),
    };
    let error = match error.kind() {
        // Nothing is full but the number of namespaces that may be.
        io::ErrorKind::StorageFull => "no more are allowed".to_owned(),
        _ => error.to_string(),
    };
    Unsupported::UserNamespaces { error, hint }
}

/// Waits until who asked is gone or the engine has ended, and leaves nothing.
fn watch(control: &OwnedFd, engine: &OwnedFd) -> ! {
    loop {
        // That the other side is gone is always told.
        let mut of = [PollFd::new(control, PollFlags::empty()), PollFd::new(engine, PollFlags::IN)];
        if poll(&mut of, None).is_ok() && of.iter().any(|fd| !fd.revents().is_empty()) {
            break;
        }
    }
    // With the first of the namespace the kernel ends all others, and this returns when they are gone.
    let _ = pidfd_send_signal(engine, Signal::KILL);
    let _ = waitid(WaitId::PidFd(engine.as_fd()), WaitIdOptions::EXITED);
    exit(0)
}
