//! Services whose endpoints come and go, and questions that tell at once whether an answer is right.
#![allow(dead_code, unreachable_pub, reason = "the benchmark and the soak each use their part")]

use std::io;
use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::time::Duration;

use directory::view::{EndpointView, ObjectName, ServiceShape, ServiceView, SliceView};
use directory::{Change, Name};

/// Endpoints of a slice, as Kubernetes' controller fills them.
const SLICE: usize = 100;

/// Slices of the large Service: 5,000 endpoints.
const SLICES: usize = 50;

/// Small Services, of [`SMALL_ENDPOINTS`] each.
pub const SMALL: usize = 500;

/// Their endpoints; the last [`CHANGING`] of them come and go, the others stay.
pub const SMALL_ENDPOINTS: usize = 10;
const CHANGING: usize = 2;

/// The cluster, and where its changes go: those that are given together are to be seen in their order, or at once.
pub struct Cluster<Apply> {
    apply: Apply,
    /// Of the large Service: which endpoints are in each slice, and which of all are ready.
    slices: Vec<Vec<usize>>,
    ready: Vec<bool>,
    /// Of the small ones: which of the changing endpoints are ready.
    small: Vec<[bool; CHANGING]>,
    turn: usize,
}

/// What a change must be seen by: an endpoint's name, and whether it exists now.
#[derive(Clone)]
pub struct Seen {
    pub name: Name,
    pub exists: bool,
}

impl<Apply: FnMut(Vec<Change>)> Cluster<Apply> {
    pub fn new(apply: Apply) -> Self {
        let slices: Vec<Vec<usize>> =
            (0..SLICES).map(|at| (at * SLICE..(at + 1) * SLICE).collect()).collect();
        let ready = vec![true; SLICE * SLICES];
        let mut cluster =
            Self { apply, slices, ready, small: vec![[true; CHANGING]; SMALL], turn: 0 };
        let service = |name: String| {
            let id = ObjectName::new("prod", name);
            Change::Service(ServiceView { id, shape: ServiceShape::Headless, ports: Vec::new() })
        };
        (cluster.apply)(vec![service("big".to_owned())]);
        let changes: Vec<_> = (0..SLICES).map(|at| cluster.large_slice(at)).collect();
        (cluster.apply)(changes);
        for at in 0..SMALL {
            let changes = vec![service(format!("small-{at}")), cluster.small_slice(at)];
            (cluster.apply)(changes);
        }
        cluster
    }

    /// One endpoint becomes ready or stops being so: every second time in the large Service. Of that, the endpoints of
    /// even number stay ready.
    pub fn change(&mut self) -> Seen {
        self.turn += 1;
        let step = self.turn / 2;
        if self.turn.is_multiple_of(2) {
            let endpoint = (step * 7919 % self.ready.len()) | 1;
            self.ready[endpoint] = !self.ready[endpoint];
            let holds = |slice: &Vec<usize>| slice.contains(&endpoint);
            let at = self.slices.iter().position(holds).expect("each endpoint is in a slice");
            let change = self.large_slice(at);
            (self.apply)(vec![change]);
            return Seen { name: large_name(endpoint), exists: self.ready[endpoint] };
        }
        let (at, which) = (step * 31 % SMALL, step % CHANGING);
        self.small[at][which] = !self.small[at][which];
        let change = self.small_slice(at);
        (self.apply)(vec![change]);
        let name = format!("e-{}.small-{at}", SMALL_ENDPOINTS - CHANGING + which);
        Seen { name: in_zone(&name), exists: self.small[at][which] }
    }

    /// A ready endpoint of the large Service moves to another slice, as one change of both; its name.
    pub fn move_endpoint(&mut self) -> Name {
        self.turn += 1;
        let from = self.turn * 13 % SLICES;
        let to = (from + 1 + self.turn % (SLICES - 1)) % SLICES;
        let place = self.slices[from].iter().position(|endpoint| endpoint.is_multiple_of(2));
        let endpoint = match place {
            Some(place) => self.slices[from].remove(place),
            None => return large_name(0),
        };
        self.slices[to].push(endpoint);
        // The new one first: where each is seen by itself, the endpoint is never in none.
        let changes = vec![self.large_slice(to), self.large_slice(from)];
        (self.apply)(changes);
        large_name(endpoint)
    }

    fn large_slice(&self, at: usize) -> Change {
        let endpoint = |&number: &usize| {
            let [.., high, low] = number.to_be_bytes();
            endpoint([10, 244, high, low], format!("e-{number}"), self.ready[number])
        };
        Change::Slice(SliceView {
            id: ObjectName::new("prod", format!("big-{at}")),
            service: Some("big".into()),
            import: None,
            ports: Vec::new(),
            endpoints: self.slices[at].iter().map(endpoint).collect(),
        })
    }

    fn small_slice(&self, at: usize) -> Change {
        let endpoint = |number: usize| {
            let changing = number.checked_sub(SMALL_ENDPOINTS - CHANGING);
            let ready = changing.is_none_or(|which| self.small[at][which]);
            endpoint(small_address(at, number), format!("e-{number}"), ready)
        };
        Change::Slice(SliceView {
            id: ObjectName::new("prod", format!("small-{at}-1")),
            service: Some(format!("small-{at}").into()),
            import: None,
            ports: Vec::new(),
            endpoints: (0..SMALL_ENDPOINTS).map(endpoint).collect(),
        })
    }
}

fn endpoint(address: [u8; 4], hostname: String, ready: bool) -> EndpointView {
    EndpointView {
        addresses: vec![IpAddr::from(address)],
        hostname: Some(hostname.into()),
        ready,
        serving: ready,
        terminating: false,
        pod: None,
        zone: None,
    }
}

fn small_address(service: usize, number: usize) -> [u8; 4] {
    let [.., high, low] = service.to_be_bytes();
    [11, high, low, number as u8]
}

fn in_zone(name: &str) -> Name {
    Name::parse(&format!("{name}.prod.svc.cluster.local")).expect("a name")
}

/// The name of an endpoint of the large Service.
pub fn large_name(endpoint: usize) -> Name {
    in_zone(&format!("e-{endpoint}.big"))
}

/// A question whose answer is known in part whatever changes meanwhile.
pub enum Steady {
    /// An endpoint of the large Service that is always ready.
    Large(usize),
    /// All of a small Service.
    Small(usize),
}

impl Steady {
    /// The question of a number, of both kinds in turn.
    pub fn of(number: usize) -> Self {
        match number.is_multiple_of(2) {
            true => Self::Large((number.wrapping_mul(7919) % (SLICE * SLICES)) & !1),
            false => Self::Small(number.wrapping_mul(31) % SMALL),
        }
    }

    pub fn query(&self, id: u16) -> Vec<u8> {
        match self {
            Self::Large(endpoint) => query(id, &large_name(*endpoint)),
            Self::Small(at) => query(id, &in_zone(&format!("small-{at}"))),
        }
    }

    /// Whether a reply has every endpoint that is always ready, and only endpoints of its own.
    pub fn is_right(&self, reply: &[u8]) -> bool {
        let Some(addresses) = addresses(reply) else { return false };
        match self {
            Self::Large(endpoint) => {
                let [.., high, low] = endpoint.to_be_bytes();
                addresses == [[10, 244, high, low]]
            }
            Self::Small(at) => {
                let is_there = |number| addresses.contains(&small_address(*at, number));
                (0..SMALL_ENDPOINTS - CHANGING).all(is_there)
                    && addresses.iter().all(|[net, high, low, number]| {
                        small_address(*at, usize::from(*number)) == [*net, *high, *low, *number]
                            && usize::from(*number) < SMALL_ENDPOINTS
                    })
            }
        }
    }
}

/// A query for A records.
pub fn query(id: u16, name: &Name) -> Vec<u8> {
    let mut query = id.to_be_bytes().to_vec();
    query.extend([1, 0, 0, 1, 0, 0, 0, 0, 0, 0]);
    query.extend(name.wire());
    query.extend([0, 1, 0, 1]);
    query
}

/// The addresses of a reply to such a query, all owned by the question's name; `None` when it is no such reply.
pub fn addresses(reply: &[u8]) -> Option<Vec<[u8; 4]>> {
    let end = 12 + reply.get(12..)?.iter().position(|octet| *octet == 0)? + 5;
    let count = usize::from(u16::from_be_bytes([reply[6], reply[7]]));
    let records = reply.get(end..end + 16 * count)?;
    let address = |record: &[u8]| record[12..16].try_into().ok();
    records.chunks(16).map(address).collect()
}

/// The response code of a reply.
pub fn rcode(reply: &[u8]) -> u8 {
    reply[3] & 0xF
}

/// A socket that asks the server, and waits a second for a reply.
pub fn client(server: SocketAddr) -> io::Result<UdpSocket> {
    let socket = UdpSocket::bind("127.0.0.1:0")?;
    socket.connect(server)?;
    socket.set_read_timeout(Some(Duration::from_secs(1)))?;
    Ok(socket)
}

/// Asks until a reply with the query's id comes, as a resolver does: three times at most.
pub fn ask(socket: &UdpSocket, query: &[u8]) -> io::Result<Vec<u8>> {
    let mut reply = [0; 2048];
    for _ in 0..3 {
        socket.send(query)?;
        while let Ok(length) = socket.recv(&mut reply) {
            if reply[..2] == query[..2] {
                return Ok(reply[..length].to_vec());
            }
        }
    }
    Err(io::Error::other("no reply to three queries"))
}
