//! A network to try rules in: this process' own namespace plays the nodes, further ones the pods.

use std::fs::File;
use std::io::{ErrorKind, Read as _, Write as _};
use std::net::{IpAddr, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::os::fd::{AsFd as _, OwnedFd};
use std::process::{Command, Stdio};
use std::thread;
use std::time::Duration;

use proxy::{Change, Config, Ruleset, World};
use rustix::net::{AddressFamily, SocketFlags, SocketType, socket_with};
use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};

/// Set in the process that has its own namespaces.
const INSIDE: &str = "PROXY_TEST_INSIDE";

/// How long an answer may take before it counts as none. Refusals and answers come within a millisecond.
const PATIENCE: Duration = Duration::from_millis(400);

/// Runs a test in namespaces of its own, by running this test alone once more.
pub(crate) fn run(test: &str, body: impl FnOnce(&mut Lab)) {
    if std::env::var_os(INSIDE).is_some() {
        return body(&mut Lab::new());
    }
    for (tool, package) in [("unshare", "util-linux"), ("ip", "iproute2"), ("nft", "nftables")] {
        let found = Command::new(tool)
            .arg("--version")
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status();
        assert!(found.is_ok(), "this test needs `{tool}`, of Debian's package {package}");
    }
    let program = std::env::current_exe().expect("this program's path");
    let output = Command::new("unshare")
        .args(["--user", "--map-root-user", "--net", "--mount", "--"])
        .arg(program)
        .args([test, "--exact", "--nocapture", "--test-threads=1"])
        .env(INSIDE, "1")
        .output()
        .expect("unshare");
    let said =
        [output.stdout, output.stderr].map(|text| String::from_utf8_lossy(&text).into_owned());
    assert!(output.status.success(), "in namespaces of its own: {}{}", said[0], said[1]);
    assert!(said[0].contains("1 passed"), "no test is called {test}: {}", said[0]);
}

/// What came of speaking to an address.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Outcome {
    /// The name of who answered, and the address that it saw.
    Answered(String, IpAddr),
    Refused,
    Prohibited,
    NoAnswer,
}

impl Outcome {
    /// Who answered.
    pub(crate) fn by(&self) -> &str {
        match self {
            Self::Answered(name, _) => name,
            Self::Refused => "refused",
            Self::Prohibited => "prohibited",
            Self::NoAnswer => "no answer",
        }
    }
}

/// Who speaks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    Node,
    Pod(String),
}

pub(crate) fn pod(name: &str) -> Place {
    Place::Pod(name.to_owned())
}

pub(crate) struct Lab {
    pub(crate) config: Config,
    applied: Option<Ruleset>,
    pods: usize,
}

impl Lab {
    fn new() -> Self {
        sh("mount -t tmpfs none /run && ip link set lo up
            echo 1 > /proc/sys/net/ipv4/ip_forward
            echo 1 > /proc/sys/net/ipv6/conf/all/forwarding
            echo 0 > /proc/sys/net/ipv6/conf/default/accept_dad
            echo 1 > /proc/sys/net/ipv6/ip_nonlocal_bind
            echo 0 > /proc/sys/net/ipv4/icmp_ratelimit
            ip addr add 172.18.0.2/32 dev lo && ip addr add 172.18.0.3/32 dev lo
            ip -6 addr add fc00::2/128 dev lo
            ip route add local 10.96.0.0/16 dev lo && ip -6 route add local fd00:10:96::/112 dev lo");
        let config = Config {
            pod_ranges: vec![net("10.244.0.0/16"), net("fd00:10:244::/56")],
            service_ranges: vec![net("10.96.0.0/16"), net("fd00:10:96::/112")],
            balancer_ranges: vec![net("172.18.255.0/24")],
            egress: vec!["172.18.0.2:15001".parse().unwrap()],
            served: Vec::new(),
        };
        Self { config, applied: None, pods: 0 }
    }

    /// A pod of this name at 10.244.N.M and fd00:10:244:N::M.
    pub(crate) fn pod(&mut self, name: &str, node: u8, host: u8) {
        self.pods += 1;
        let link = format!("veth{}", self.pods);
        let (v4, v6) = (format!("10.244.{node}"), format!("fd00:10:244:{node}:"));
        sh(&format!(
            "ip netns add {name}
             ip link add {link} type veth peer name eth0 netns {name}
             ip addr add {v4}.1/32 dev {link} && ip -6 addr add {v6}:1/128 dev {link} nodad
             ip link set {link} up
             ip -n {name} link set lo up
             ip -n {name} addr add {v4}.{host}/32 dev eth0
             ip -n {name} -6 addr add {v6}:{host}/128 dev eth0 nodad
             ip netns exec {name} sysctl -q -w net.ipv6.conf.eth0.accept_dad=0
             ip -n {name} link set eth0 up
             ip -n {name} route add {v4}.1 dev eth0 scope link
             ip -n {name} route add default via {v4}.1
             ip -n {name} -6 route add {v6}:1 dev eth0
             ip -n {name} -6 route add default via {v6}:1
             ip route add {v4}.{host}/32 dev {link} && ip -6 route add {v6}:{host}/128 dev {link}"
        ));
    }

    /// Answers on a TCP and a UDP port of any address, with its name and the client's address.
    pub(crate) fn serve(&self, place: &Place, port: u16) {
        self.serve_at(place, &format!("[::]:{port}"));
    }

    pub(crate) fn serve_at(&self, place: &Place, address: &str) {
        let name = match place {
            Place::Node => "node".to_owned(),
            Place::Pod(name) => name.clone(),
        };
        let address = address.to_owned();
        let (tcp, udp) = within(place, move || {
            (TcpListener::bind(&address).unwrap(), UdpSocket::bind(&address).unwrap())
        });
        let of_udp = name.clone();
        thread::spawn(move || {
            loop {
                let (mut stream, peer) = tcp.accept().unwrap();
                // Who went away meanwhile is no matter.
                let _ = stream.write_all(told(&name, peer).as_bytes());
            }
        });
        thread::spawn(move || {
            let mut buffer = [0; 64];
            loop {
                let (_, peer) = udp.recv_from(&mut buffer).unwrap();
                let _ = udp.send_to(told(&of_udp, peer).as_bytes(), peer);
            }
        });
    }

    /// Makes the rules of these objects the ones in force, whatever was there.
    pub(crate) fn apply_whole(&mut self, world: &World) {
        let rules = Ruleset::of(world, &self.config);
        nft(&rules.whole());
        self.applied = Some(rules);
    }

    /// Makes the rules in force those of these objects, by what is different.
    pub(crate) fn apply(&mut self, world: &World) {
        let rules = Ruleset::of(world, &self.config);
        match &self.applied {
            Some(applied) => {
                nft(&rules.change_from(applied));
                rules.forget_flows(applied, &netfilter()).unwrap();
            }
            None => nft(&rules.whole()),
        }
        self.applied = Some(rules);
    }
}

fn told(name: &str, peer: SocketAddr) -> String {
    format!("{name} {}", peer.ip().to_canonical())
}

pub(crate) fn net(text: &str) -> ipnet::IpNet {
    text.parse().unwrap()
}

fn sh(script: &str) {
    let output = Command::new("sh").args(["-ec", script]).output().unwrap();
    assert!(output.status.success(), "{script}: {}", String::from_utf8_lossy(&output.stderr));
}

/// Makes a change.
pub(crate) fn nft(change: &Change) {
    change.scripts().for_each(run_nft);
}

pub(crate) fn run_nft(script: &str) {
    let mut nft = Command::new("nft");
    nft.args(["-f", "-"]).stdin(Stdio::piped()).stderr(Stdio::piped());
    let mut nft = nft.spawn().unwrap();
    nft.stdin.take().unwrap().write_all(script.as_bytes()).unwrap();
    let output = nft.wait_with_output().unwrap();
    assert!(output.status.success(), "{}\n{script}", String::from_utf8_lossy(&output.stderr));
}

/// Does something in a network.
pub(crate) fn within<T: Send + 'static>(
    place: &Place,
    what: impl FnOnce() -> T + Send + 'static,
) -> T {
    let place = place.clone();
    let thread = thread::spawn(move || {
        if let Place::Pod(name) = place {
            let namespace = File::open(format!("/run/netns/{name}")).unwrap();
            move_into_link_name_space(namespace.as_fd(), Some(LinkNameSpaceType::Network)).unwrap();
        }
        what()
    });
    thread.join().unwrap()
}

/// Connects by TCP and reads the answer.
pub(crate) fn tcp(from: &Place, to: &str) -> Outcome {
    tcp_within(from, to, PATIENCE)
}

/// The same for someone who waits longer, or not so long.
pub(crate) fn tcp_within(from: &Place, to: &str, patience: Duration) -> Outcome {
    let to: SocketAddr = to.parse().unwrap();
    within(from, move || {
        let mut text = String::new();
        let answer = TcpStream::connect_timeout(&to, patience).and_then(|mut stream| {
            stream.set_read_timeout(Some(patience))?;
            stream.read_to_string(&mut text)
        });
        outcome(answer.map(|_| text))
    })
}

/// Sends a datagram and waits for the answer.
pub(crate) fn udp(from: &Place, to: &str) -> Outcome {
    let to: SocketAddr = to.parse().unwrap();
    let any = if to.is_ipv4() { "0.0.0.0:0" } else { "[::]:0" };
    let socket = within(from, move || UdpSocket::bind(any).unwrap());
    socket.connect(to).unwrap();
    ask(&socket)
}

/// Asks over a connected socket.
pub(crate) fn ask(socket: &UdpSocket) -> Outcome {
    socket.set_read_timeout(Some(PATIENCE)).unwrap();
    let mut buffer = [0; 64];
    let answer = socket.send(b"?").and_then(|_| socket.recv(&mut buffer));
    outcome(answer.map(|length| String::from_utf8_lossy(&buffer[..length]).into_owned()))
}

fn outcome(answer: std::io::Result<String>) -> Outcome {
    match answer {
        Ok(text) => {
            let (name, peer) = text.split_once(' ').expect("a name and an address");
            Outcome::Answered(name.to_owned(), peer.parse().unwrap())
        }
        // What this namespace itself sends is refused in the call already.
        Err(error) if error.raw_os_error() == Some(1) => Outcome::Refused,
        Err(error) => match error.kind() {
            ErrorKind::ConnectionRefused => Outcome::Refused,
            ErrorKind::HostUnreachable | ErrorKind::PermissionDenied => Outcome::Prohibited,
            ErrorKind::TimedOut | ErrorKind::WouldBlock => Outcome::NoAnswer,
            _ => panic!("{error}"),
        },
    }
}

/// A socket by which the kernel's table of flows is read and changed.
pub(crate) fn netfilter() -> OwnedFd {
    let protocol = Some(rustix::net::netlink::NETFILTER);
    socket_with(AddressFamily::NETLINK, SocketType::RAW, SocketFlags::CLOEXEC, protocol).unwrap()
}
