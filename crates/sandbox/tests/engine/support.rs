//! An engine to try things with, and what one asks of it most.

use std::fs;
use std::io::{self, Read as _, pipe};
use std::net::IpAddr;
use std::os::fd::OwnedFd;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use sandbox::{
    ContainerId, ContainerSpec, Engine, Exit, Failure, Limits, Mount, MountSource, PodAddress,
    PodId, PodNetwork, PodSpec, Process, ProcessSpec, Settings, Stdio, User,
};
use tempfile::TempDir;

/// Where the engine's program is, when it is not where it was built.
pub(crate) const PROGRAM: &str = "SANDBOX_TESTS_PROGRAM";

/// An engine, and the folder that it may give out.
pub(crate) struct Trial {
    pub(crate) engine: Engine,
    pub(crate) folder: TempDir,
}

/// What ended, and what it wrote.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Ended {
    pub(crate) exit: Exit,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Trial {
    pub(crate) async fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let settings = settings(folder.path());
        let engine = Engine::start(settings).await.unwrap();
        Self { engine, folder }
    }

    /// A pod of the first node.
    pub(crate) async fn pod(&self, name: &str, last: u8) -> PodId {
        let id = PodId(name.into());
        let network = PodNetwork::Own(vec![
            address(&format!("10.244.1.{last}/24"), "10.244.1.1"),
            address(&format!("fd00:10:244:1::{last}/64"), "fd00:10:244:1::1"),
        ]);
        self.engine.create_pod(PodSpec { id: id.clone(), network }).await.unwrap();
        id
    }

    /// A folder that can be mounted, and that the users of containers own.
    pub(crate) fn volume(&self, name: &str) -> PathBuf {
        let path = self.folder.path().join(name);
        fs::create_dir_all(&path).unwrap();
        let (uid, gid) = self.engine.owner(0, 0);
        std::os::unix::fs::chown(&path, Some(uid), Some(gid)).unwrap();
        path
    }

    /// Starts a container whose only part is a line for the shell.
    pub(crate) async fn shell(&self, pod: &PodId, line: &str) -> Result<Running, Failure> {
        self.run(container(pod, "main", &["sh", "-c", line])).await
    }

    /// Runs a line for the shell to its end, and returns what it wrote.
    pub(crate) async fn output(&self, pod: &PodId, line: &str) -> String {
        let ended = self.shell(pod, line).await.unwrap().end().await;
        assert_eq!((ended.exit, ended.err.as_str()), (Exit::Code(0), ""), "{line}: {}", ended.out);
        ended.out
    }

    pub(crate) async fn run(&self, spec: ContainerSpec) -> Result<Running, Failure> {
        let (stdio, out, err) = pipes();
        let process = self.engine.start_container(spec, stdio).await?;
        Ok(Running { process, out, err })
    }

    pub(crate) async fn exec(
        &self,
        id: &ContainerId,
        command: &[&str],
    ) -> Result<Running, Failure> {
        let (stdio, out, err) = pipes();
        let process = self.engine.exec(id, process(command), stdio).await?;
        Ok(Running { process, out, err })
    }
}

/// A process and what it writes.
pub(crate) struct Running {
    pub(crate) process: Process,
    out: io::PipeReader,
    err: io::PipeReader,
}

impl Running {
    /// Reads a line that it writes.
    pub(crate) async fn line(&mut self) -> String {
        let mut out = self.out.try_clone().unwrap();
        let read = move || {
            let (mut line, mut byte) = (Vec::new(), [0]);
            while out.read(&mut byte).unwrap() == 1 && byte != *b"\n" {
                line.push(byte[0]);
            }
            String::from_utf8(line).unwrap()
        };
        tokio::task::spawn_blocking(read).await.unwrap()
    }

    pub(crate) async fn end(self) -> Ended {
        let Self { process, mut out, mut err } = self;
        let read = tokio::task::spawn_blocking(move || {
            let (mut written, mut said) = (String::new(), String::new());
            out.read_to_string(&mut written).unwrap();
            err.read_to_string(&mut said).unwrap();
            (written, said)
        });
        let exit = process.exit().await;
        let (out, err) = read.await.unwrap();
        Ended { exit, out, err }
    }
}

pub(crate) fn settings(folder: &Path) -> Settings {
    // The users of containers are others than who runs the test.
    fs::set_permissions(folder, fs::Permissions::from_mode(0o755)).unwrap();
    Settings {
        folder: folder.to_owned(),
        service_ranges: vec!["10.96.0.0/12".parse().unwrap(), "fd00:10:96::/112".parse().unwrap()],
        node_addresses: vec![ip("172.18.0.2"), ip("172.18.0.3")],
        program: Some(program()),
    }
}

pub(crate) fn program() -> PathBuf {
    let built = || env!("CARGO_BIN_EXE_sandbox-engine").into();
    std::env::var_os(PROGRAM).unwrap_or_else(built).into()
}

pub(crate) fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

pub(crate) fn address(address: &str, gateway: &str) -> PodAddress {
    PodAddress { address: address.parse().unwrap(), gateway: ip(gateway) }
}

pub(crate) fn container(pod: &PodId, name: &str, command: &[&str]) -> ContainerSpec {
    ContainerSpec {
        id: ContainerId { pod: pod.clone(), name: name.into(), restarts: 0 },
        process: process(command),
        hostname: pod.0.clone(),
        mounts: Vec::new(),
        read_only_root: false,
        limits: Limits::default(),
    }
}

pub(crate) fn process(command: &[&str]) -> ProcessSpec {
    ProcessSpec {
        command: command.iter().map(|&part| part.to_owned()).collect(),
        env: vec![("GREETING".into(), "hello".into())],
        working_dir: "/".into(),
        user: User::default(),
    }
}

pub(crate) fn own(source: &Path, target: &str, read_only: bool) -> Mount {
    Mount { source: MountSource::Own(source.to_owned()), target: target.into(), read_only }
}

/// Of all processes of the machine, those that have something in their command line.
pub(crate) fn with_argument(argument: &str) -> Vec<u32> {
    let mut found = Vec::new();
    for entry in fs::read_dir("/proc").unwrap().flatten() {
        let Ok(pid) = entry.file_name().to_string_lossy().parse() else { continue };
        let line = fs::read(entry.path().join("cmdline")).unwrap_or_default();
        if line.split(|byte| *byte == 0).any(|part| part == argument.as_bytes()) {
            found.push(pid);
        }
    }
    found
}

/// The engine's children.
pub(crate) fn children(engine: &Engine) -> Vec<u32> {
    let of = |pid: u32| -> Vec<u32> {
        let path = format!("/proc/{pid}/task");
        let threads = fs::read_dir(path).unwrap().flatten();
        let children = threads
            .filter_map(|thread| fs::read_to_string(thread.path().join("children")).ok())
            .collect::<Vec<_>>()
            .join(" ");
        children.split_whitespace().map(|pid| pid.parse().unwrap()).collect()
    };
    let guarded = of(engine.pid());
    assert_eq!(guarded.len(), 1, "the guard has the engine alone: {guarded:?}");
    of(guarded[0])
}

fn pipes() -> (Stdio, io::PipeReader, io::PipeReader) {
    let (out, stdout) = pipe().unwrap();
    let (err, stderr) = pipe().unwrap();
    let stdio = Stdio::Pipes {
        stdin: None,
        stdout: Some(OwnedFd::from(stdout)),
        stderr: Some(OwnedFd::from(stderr)),
    };
    (stdio, out, err)
}
