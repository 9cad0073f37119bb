//! The processes that the engine waits for: its children, each the first of a PID namespace or joined to one.

use std::collections::HashMap;
use std::fs;
use std::io;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use rustix::event::epoll::{self, CreateFlags, Event, EventData, EventFlags};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use rustix::process::{Signal, WaitId, WaitIdOptions, pidfd_send_signal, waitid};

use crate::failure::Failure;
use crate::pod::Pod;
use crate::spec::Exit;

/// All processes, by their numbers.
#[derive(Debug)]
pub(crate) struct Processes {
    epoll: OwnedFd,
    next: AtomicU64,
    table: Mutex<Table>,
}

/// Each with its pod.
type Table = HashMap<u64, (Arc<OwnedFd>, Arc<Pod>)>;

impl Processes {
    pub(crate) fn new() -> io::Result<Self> {
        Ok(Self {
            epoll: epoll::create(CreateFlags::CLOEXEC)?,
            next: AtomicU64::new(0),
            table: Mutex::default(),
        })
    }

    pub(crate) fn number(&self) -> u64 {
        self.next.fetch_add(1, Ordering::Relaxed)
    }

    /// Begins to wait for a process.
    pub(crate) fn watch(
        &self,
        number: u64,
        process: &Arc<OwnedFd>,
        pod: &Arc<Pod>,
    ) -> io::Result<()> {
        self.lock().insert(number, (Arc::clone(process), Arc::clone(pod)));
        Ok(epoll::add(&self.epoll, process, EventData::new_u64(number), EventFlags::IN)?)
    }

    pub(crate) fn signal(&self, number: u64, signal: i32) -> Result<(), Failure> {
        let failed = |error: String| Failure::system(format!("signal {signal}"), error);
        let gone = || Failure::Gone("the process".into());
        let signal =
            Signal::from_named_raw(signal).ok_or_else(|| failed("there is no such".into()))?;
        let process = self.lock().get(&number).map(|(process, _)| Arc::clone(process));
        match pidfd_send_signal(process.ok_or_else(gone)?, signal) {
            Ok(()) => Ok(()),
            Err(Errno::SRCH) => Err(gone()),
            Err(error) => Err(failed(error.to_string())),
        }
    }

    /// Asks all processes to end, and waits for those that listen; no longer than that. The first of a PID namespace does not even hear of a signal
    /// that it has no handler for, so nothing comes of waiting for such.
    pub(crate) fn end(&self, patience: Duration) {
        let until = Instant::now() + patience;
        let mut asked: Vec<_> = self.lock().values().map(|(process, _)| process.clone()).collect();
        asked.retain(|process| {
            let listens = listens(process, Signal::TERM);
            // An error means that it has ended.
            pidfd_send_signal(process, Signal::TERM).is_ok() && listens
        });
        while let Some(left) = until.checked_duration_since(Instant::now())
            && !asked.is_empty()
        {
            let mut of: Vec<_> =
                asked.iter().map(|process| PollFd::new(process, PollFlags::IN)).collect();
            let left = Timespec::try_from(left).ok();
            if !matches!(poll(&mut of, left.as_ref()), Ok(1..) | Err(Errno::INTR)) {
                return;
            }
            let ended: Vec<bool> = of.iter().map(|fd| !fd.revents().is_empty()).collect();
            let mut ended = ended.into_iter();
            asked.retain(|_| ended.next() == Some(false));
        }
    }

    /// Waits for processes for ever, and tells of each that has ended.
    pub(crate) fn wait(&self, tell: impl Fn(u64, Exit)) -> io::Result<()> {
        let mut events = Vec::with_capacity(64);
        loop {
            events.clear();
            match epoll::wait(&self.epoll, rustix::buffer::spare_capacity(&mut events), None) {
                Ok(_) | Err(Errno::INTR) => {}
                Err(error) => return Err(error.into()),
            }
            for event in &events {
                let Event { data, .. } = *event;
                let number = data.u64();
                let Some((process, pod)) = self.lock().remove(&number) else { continue };
                epoll::delete(&self.epoll, &process)?;
                let exit = reap(&process);
                pod.ended(number);
                tell(number, exit);
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, Table> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whether a process has a handler for a signal; not, where that cannot be found out.
fn listens(process: &OwnedFd, signal: Signal) -> bool {
    let read = |path: String| fs::read_to_string(path).unwrap_or_default();
    let field = |text: &str, name: &str| {
        text.lines().find_map(|line| Some(line.strip_prefix(name)?.trim().to_owned()))
    };
    let known = read(format!("/proc/self/fdinfo/{}", process.as_raw_fd()));
    let status = field(&known, "Pid:").map(|pid| read(format!("/proc/{pid}/status")));
    let caught = status.and_then(|status| field(&status, "SigCgt:"));
    caught
        .and_then(|caught| u64::from_str_radix(&caught, 16).ok())
        .is_some_and(|caught| caught & (1 << (signal.as_raw() - 1)) != 0)
}

/// Waits for a child and lets the kernel forget it.
pub(crate) fn reap(process: &OwnedFd) -> Exit {
    let status = loop {
        match waitid(WaitId::PidFd(process.as_fd()), WaitIdOptions::EXITED) {
            Err(Errno::INTR) => {}
            other => break other.ok().flatten(),
        }
    };
    let code = status.as_ref().and_then(|status| status.exit_status());
    let signal = status.as_ref().and_then(|status| status.terminating_signal());
    match (code, signal) {
        (Some(code), _) => Exit::Code(code),
        (None, signal) => Exit::Signal(signal.unwrap_or(Signal::KILL.as_raw())),
    }
}
