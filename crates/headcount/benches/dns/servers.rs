//! The servers that are compared, each a process of its own on one core.

use std::fs;
use std::io::{self, Write as _};
use std::net::{SocketAddr, TcpListener, UdpSocket};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::client;

/// What is measured.
#[derive(Clone, Debug)]
pub(crate) enum Kind {
    /// Sends back what it gets, padded to the lengths of a file, by our own I/O.
    Echo {
        /// Datagrams a system call.
        batch: usize,
        /// The file of lengths.
        lengths: PathBuf,
    },
    /// Our own server: the verb `dns`.
    Headcount {
        /// Another build than this one.
        program: Option<PathBuf>,
        /// The folder of manifests.
        manifests: PathBuf,
    },
    /// Knot DNS with a zone file.
    Knot {
        /// The zone of the manifests.
        zone: PathBuf,
    },
    /// NSD with a zone file.
    Nsd {
        /// The zone of the manifests.
        zone: PathBuf,
    },
}

impl Kind {
    pub(crate) fn title(&self) -> String {
        let calls = |batch: &usize| match batch {
            1 => "one datagram a call".to_owned(),
            _ => format!("up to {batch} a call"),
        };
        match self {
            Self::Echo { batch, .. } => format!("bare echo, {}", calls(batch)),
            Self::Headcount { program: None, .. } => "headcount".to_owned(),
            Self::Headcount { program: Some(_), .. } => "headcount, another build".to_owned(),
            Self::Knot { .. } => "Knot, one worker".to_owned(),
            Self::Nsd { .. } => "NSD, one server".to_owned(),
        }
    }

    /// Whether it answers questions.
    pub(crate) fn is_dns(&self) -> bool {
        !matches!(self, Self::Echo { .. })
    }

    fn command(&self, folder: &Path, address: SocketAddr) -> io::Result<Command> {
        let mut command = Command::new("taskset");
        command.args(["-c", CORE]);
        match self {
            Self::Echo { batch, lengths } => {
                command.arg(std::env::current_exe()?).arg("echo").arg(address.to_string());
                command.arg(batch.to_string()).arg(lengths);
            }
            Self::Headcount { program, manifests } => {
                let own = Path::new(env!("CARGO_BIN_EXE_headcount"));
                command.arg(program.as_deref().unwrap_or(own)).arg("dns").arg("-f").arg(manifests);
                command.arg("--listen").arg(address.to_string());
            }
            Self::Knot { zone } => {
                command.arg(program("knotd")?).arg("-c").arg(knot_config(folder, address, zone)?);
            }
            Self::Nsd { zone } => {
                command.arg(program("nsd")?).arg("-d").arg("-c");
                command.arg(nsd_config(folder, address, zone)?);
            }
        }
        Ok(command)
    }
}

/// The core that servers run on; dnsperf has another.
const CORE: &str = "1";

/// A server that runs, until it is dropped.
pub(crate) struct Server {
    pub(crate) kind: Kind,
    pub(crate) address: SocketAddr,
    child: Child,
    _folder: tempfile::TempDir,
}

impl Server {
    /// Starts it and waits until it answers.
    pub(crate) fn start(kind: Kind) -> io::Result<Self> {
        let folder = tempfile::tempdir()?;
        let address = free_port()?;
        let log = folder.path().join("log");
        let file = fs::File::create(&log)?;
        let mut child = kind
            .command(folder.path(), address)?
            .stdin(Stdio::null())
            .stdout(file.try_clone()?)
            .stderr(file)
            .spawn()?;
        let deadline = Instant::now() + Duration::from_secs(60);
        let answers = || match kind.is_dns() {
            true => {
                let reply = client::ask(address, "cluster.local. SOA", false);
                let answer = reply.and_then(|reply| client::answer(&reply));
                answer.is_ok_and(|(_, records)| !records.is_empty())
            }
            false => echoes(address).is_ok(),
        };
        while !answers() {
            let ended = child.try_wait()?;
            if ended.is_some() || Instant::now() > deadline {
                let log = fs::read_to_string(&log)?;
                return Err(io::Error::other(format!("{} does not start:\n{log}", kind.title())));
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        Ok(Self { kind, address, child, _folder: folder })
    }

    /// Its first process.
    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // Those with children of their own end them when they are asked to.
        let asked = Command::new("kill").arg(self.child.id().to_string()).status();
        if !asked.is_ok_and(|status| status.success()) {
            let _ = self.child.kill();
        }
        let _ = self.child.wait();
    }
}

fn echoes(address: SocketAddr) -> io::Result<()> {
    let socket = UdpSocket::bind("127.0.0.1:0")?;
    socket.connect(address)?;
    socket.set_read_timeout(Some(Duration::from_millis(100)))?;
    socket.send(&[0; 12])?;
    socket.recv(&mut [0; 1024]).map(drop)
}

fn free_port() -> io::Result<SocketAddr> {
    loop {
        let address = TcpListener::bind("127.0.0.1:0")?.local_addr()?;
        if UdpSocket::bind(address).is_ok() {
            return Ok(address);
        }
    }
}

/// A program: of those unpacked below target/tools, else of PATH and where Debian has servers.
pub(crate) fn program(name: &str) -> io::Result<PathBuf> {
    let unpacked = crate::root().join("target/tools");
    let path = std::env::var_os("PATH").unwrap_or_default();
    let folders = std::env::split_paths(&path).chain([PathBuf::from("/usr/sbin")]);
    let mut found = std::iter::once(unpacked).chain(folders).map(|folder| folder.join(name));
    found.find(|path| path.is_file()).ok_or_else(|| {
        io::Error::other(format!("there is no {name}; `just bench-dns` unpacks what is needed"))
    })
}

fn knot_config(folder: &Path, address: SocketAddr, zone: &Path) -> io::Result<PathBuf> {
    let (ip, port, folder_text) = (address.ip(), address.port(), folder.display());
    let text = format!(
        "server:\n  listen: {ip}@{port}\n  rundir: {folder_text}\n  udp-workers: 1\n  tcp-workers: 1\n  \
         background-workers: 1\n\
         log:\n  - target: stderr\n    any: info\n\
         database:\n  storage: {folder_text}\n\
         template:\n  - id: default\n    journal-content: none\n    zonefile-load: whole\n    zonefile-sync: -1\n\
         zone:\n  - domain: cluster.local\n    file: {}\n",
        zone.display(),
    );
    write(folder.join("knot.conf"), &text)
}

fn nsd_config(folder: &Path, address: SocketAddr, zone: &Path) -> io::Result<PathBuf> {
    let path = |name: &str| folder.join(name).display().to_string();
    // Debian's NSD limits the rate of alike answers unless it is told not to.
    let text = format!(
        "server:\n  ip-address: {}\n  port: {}\n  server-count: 1\n  username: \"\"\n  zonesdir: \"{}\"\n  \
         database: \"\"\n  pidfile: \"{}\"\n  xfrdfile: \"{}\"\n  xfrdir: \"{}\"\n  zonelistfile: \"{}\"\n  \
         minimal-responses: yes\n  rrl-ratelimit: 0\n  rrl-whitelist-ratelimit: 0\n\
         remote-control:\n  control-enable: no\n\
         zone:\n  name: \"cluster.local\"\n  zonefile: \"{}\"\n",
        address.ip(),
        address.port(),
        folder.display(),
        path("pid"),
        path("xfrd.state"),
        folder.display(),
        path("zone.list"),
        zone.display(),
    );
    write(folder.join("nsd.conf"), &text)
}

fn write(path: PathBuf, text: &str) -> io::Result<PathBuf> {
    fs::File::create(&path)?.write_all(text.as_bytes())?;
    Ok(path)
}
