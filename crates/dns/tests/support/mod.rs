//! What the tests share: queries made by hand, replies read by a library that knows nothing of our code.
#![allow(dead_code, unreachable_pub, reason = "each test file uses its part")]

use std::net::SocketAddr;
use std::num::NonZeroUsize;
use std::time::Duration;

use directory::{
    Answer, Ending, Name, NameRef, Negative, Rdata, Reason, Record, RecordOwner, RecordType, Sink,
    script,
};
use dns::{Answering, Config, EdeMode, Outcome, Rotation, Server, Transport, respond};
use hickory_proto::op::{Message, ResponseCode};
use hickory_proto::rr::rdata::opt::{EdnsCode, EdnsOption};
use hickory_proto::rr::{self, RData};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpStream, UdpSocket};

/// Waiting longer than this means that no reply comes.
const PATIENCE: Duration = Duration::from_secs(10);

pub fn name(text: &str) -> Name {
    Name::parse(text).expect("a name")
}

/// Answers every question the same.
pub struct Always(pub Answer);

impl Answering for Always {
    fn answer(&self, asked: NameRef<'_>, _: RecordType, sink: &mut impl Sink) -> Ending {
        give(&self.0, asked, sink)
    }

    fn zone(&self, _: NameRef<'_>) -> Option<Vec<Record>> {
        None
    }
}

/// Gives a finished answer to a sink, as the directory gives the parts of one.
fn give(answer: &Answer, asked: NameRef<'_>, sink: &mut impl Sink) -> Ending {
    fn owner_of<'r>(record: &'r Record, asked: NameRef<'_>) -> RecordOwner<'r> {
        match record.owner.wire() == asked.wire() {
            true => RecordOwner::Asked,
            false => RecordOwner::Target((&record.owner).into()),
        }
    }
    let negative = |exists, negative: &Negative, sink: &mut _| {
        let Negative { soa: Record { owner, ttl, data }, reason } = negative;
        Sink::negative(sink, exists, (owner.into(), *ttl, data.by_ref()), || reason.clone());
    };
    match answer {
        Answer::Records { records, additional } => {
            let rotates =
                |data: &Rdata| matches!(data, Rdata::A(_) | Rdata::Aaaa(_) | Rdata::Srv { .. });
            let start = match records.first() {
                Some(record) if rotates(&record.data) => sink.start(records.len()),
                _ => 0,
            };
            for record in records[start..].iter().chain(&records[..start]) {
                if sink.answer(owner_of(record, asked), record.ttl, record.data.by_ref()).is_err() {
                    return Ending::Records;
                }
            }
            let key = |record: &Record| {
                let Record { owner, ttl, data } = record;
                (owner.wire().to_vec(), *ttl, data.rtype())
            };
            let one_set = |a: &Record, b: &Record| key(a) == key(b);
            for set in additional.chunk_by(one_set) {
                let addresses = set.iter().map(|record| match record.data {
                    Rdata::A(address) => address.into(),
                    Rdata::Aaaa(address) => address.into(),
                    _ => panic!("glue is addresses"),
                });
                if sink.additional((&set[0].owner).into(), set[0].ttl, addresses).is_err() {
                    break;
                }
            }
            Ending::Records
        }
        Answer::Alias { chain, target } => {
            if let Answer::Loop(_) | Answer::NotSynced = **target {
                return give(target, asked, sink);
            }
            for record in chain {
                let Rdata::Cname(to) = &record.data else { panic!("a chain is of CNAME records") };
                sink.alias(owner_of(record, asked), record.ttl, to.into());
            }
            give(target, asked, sink)
        }
        Answer::NoData(with) => {
            negative(true, with, sink);
            Ending::NoData
        }
        Answer::NoSuchName(with) => {
            negative(false, with, sink);
            Ending::NoSuchName
        }
        Answer::Loop(reason) => {
            sink.looped(|| reason.clone());
            Ending::Loop
        }
        Answer::NotOurs => Ending::NotOurs,
        Answer::NotSynced => Ending::NotSynced,
    }
}

/// A query with RD; with an OPT record when an EDNS size is given.
pub fn query(id: u16, name: &Name, rtype: RecordType, edns_size: Option<u16>) -> Vec<u8> {
    let mut query = id.to_be_bytes().to_vec();
    query.extend([1, 0, 0, 1, 0, 0, 0, 0, 0, u8::from(edns_size.is_some())]);
    query.extend(name.wire());
    query.extend(rtype.0.to_be_bytes());
    query.extend([0, 1]);
    if let Some(size) = edns_size {
        query.extend([0, 0, 41]);
        query.extend(size.to_be_bytes());
        query.extend([0, 0, 0, 0, 0, 0]);
    }
    query
}

/// Settings of tests: EDE with text, few threads.
pub fn config() -> Config {
    Config { ede: EdeMode::Text, udp_threads: NonZeroUsize::new(2), ..Config::default() }
}

/// Calls [`respond`] with an answer that starts with its first record.
pub fn reply(answering: &impl Answering, transport: Transport, query: &[u8]) -> (Outcome, Vec<u8>) {
    let mut out = Vec::new();
    let outcome = respond(&config(), answering, &Rotation::new(0), transport, query, &mut out);
    (outcome, out)
}

/// A reply as the library reads it, its records as our own type.
#[derive(Debug, PartialEq)]
pub struct Decoded {
    pub id: u16,
    pub rcode: ResponseCode,
    pub authoritative: bool,
    pub truncated: bool,
    pub recursion_desired: bool,
    pub recursion_available: bool,
    pub questions: Vec<(Name, u16, u16)>,
    pub answer: Vec<Record>,
    pub authority: Vec<Record>,
    pub additional: Vec<Record>,
    /// UDP size, version and DO of the OPT record.
    pub edns: Option<(u16, u8, bool)>,
    /// INFO-CODE and EXTRA-TEXT.
    pub ede: Option<(u16, String)>,
}

#[track_caller]
pub fn decode(reply: &[u8]) -> Decoded {
    let message = Message::from_vec(reply).expect("the library reads the reply");
    let metadata = message.metadata;
    let records = |records: &[rr::Record]| records.iter().map(record).collect();
    let ede = message.edns.as_ref().and_then(|edns| {
        let Some(EdnsOption::Unknown(15, data)) = edns.option(EdnsCode::Unknown(15)) else {
            return None;
        };
        let (code, text) = data.split_first_chunk::<2>().expect("an INFO-CODE");
        let text = String::from_utf8(text.to_vec()).expect("EXTRA-TEXT is UTF-8");
        Some((u16::from_be_bytes(*code), text))
    });
    Decoded {
        id: metadata.id,
        rcode: metadata.response_code,
        authoritative: metadata.authoritative,
        truncated: metadata.truncation,
        recursion_desired: metadata.recursion_desired,
        recursion_available: metadata.recursion_available,
        questions: message
            .queries
            .iter()
            .map(|query| (own_name(&query.name), query.query_type.into(), query.query_class.into()))
            .collect(),
        answer: records(&message.answers),
        authority: records(&message.authorities),
        additional: records(&message.additionals),
        edns: message.edns.map(|edns| (edns.max_payload(), edns.version(), edns.flags().dnssec_ok)),
        ede,
    }
}

fn record(record: &rr::Record) -> Record {
    assert_eq!(record.dns_class, rr::DNSClass::IN);
    let text = |octets: &[u8]| String::from_utf8(octets.to_vec()).expect("text is UTF-8");
    let data = match &record.data {
        RData::A(address) => Rdata::A(address.0),
        RData::AAAA(address) => Rdata::Aaaa(address.0),
        RData::CNAME(target) => Rdata::Cname(own_name(&target.0)),
        RData::PTR(target) => Rdata::Ptr(own_name(&target.0)),
        RData::NS(target) => Rdata::Ns(own_name(&target.0)),
        RData::SRV(srv) => Rdata::Srv {
            priority: srv.priority,
            weight: srv.weight,
            port: srv.port,
            target: own_name(&srv.target),
        },
        RData::SOA(soa) => Rdata::Soa {
            mname: own_name(&soa.mname),
            rname: own_name(&soa.rname),
            serial: soa.serial,
            refresh: soa.refresh as u32,
            retry: soa.retry as u32,
            expire: soa.expire as u32,
            minimum: soa.minimum,
        },
        RData::TXT(txt) => {
            assert_eq!(txt.txt_data.len(), 1);
            Rdata::Txt(text(&txt.txt_data[0]))
        }
        RData::HINFO(hinfo) => Rdata::Hinfo { cpu: text(&hinfo.cpu), os: text(&hinfo.os) },
        other => panic!("a record that we don't publish: {other:?}"),
    };
    Record { owner: own_name(&record.name), ttl: record.ttl, data }
}

fn own_name(name: &rr::Name) -> Name {
    let mut wire = Vec::new();
    for label in name.iter() {
        wire.push(label.len() as u8);
        wire.extend(label);
    }
    wire.push(0);
    Name::from_wire(&wire).expect("a name")
}

/// Whether records are the same to the octet: names compare without case elsewhere.
pub fn lines(records: &[Record]) -> Vec<String> {
    records.iter().map(Record::to_string).collect()
}

/// A reply in the form that scripts compare.
pub fn outcome(reply: Decoded) -> script::Outcome {
    let rcode = match reply.rcode {
        ResponseCode::NoError => script::Rcode::NoError,
        ResponseCode::NXDomain => script::Rcode::NxDomain,
        ResponseCode::ServFail => script::Rcode::ServFail,
        ResponseCode::Refused => script::Rcode::NotOurs,
        other => panic!("{other} is no answer"),
    };
    // Our own answers are authoritative; errors are not.
    let own = matches!(rcode, script::Rcode::NoError | script::Rcode::NxDomain);
    assert_eq!(reply.authoritative, own);
    assert!(!reply.recursion_available);
    script::Outcome {
        rcode,
        answer: lines(&reply.answer),
        additional: lines(&reply.additional),
        soa: lines(&reply.authority).pop(),
        ede: reply.ede,
    }
}

pub fn soa() -> Record {
    let data = Rdata::Soa {
        mname: name("ns.dns.cluster.local"),
        rname: name("hostmaster.cluster.local"),
        serial: 7,
        refresh: 7200,
        retry: 1800,
        expire: 86400,
        minimum: 1,
    };
    Record { owner: name("cluster.local"), ttl: 1, data }
}

pub fn negative(reason: Reason) -> Negative {
    Negative { soa: soa(), reason }
}

pub fn a(owner: &str, address: [u8; 4]) -> Record {
    Record { owner: name(owner), ttl: 5, data: Rdata::A(address.into()) }
}

/// `count` A records of one owner.
pub fn addresses(owner: &str, count: u16) -> Vec<Record> {
    (0..count).map(|n| a(owner, [10, 244, (n >> 8) as u8, n as u8])).collect()
}

/// A server on loopback, at a port that the system chose.
pub fn server(answering: impl Answering + Send + Sync + 'static, config: Config) -> Server {
    Server::bind(&["127.0.0.1:0".parse().expect("an address")], config, answering)
        .expect("the server starts")
}

pub async fn ask_udp(server: SocketAddr, query: &[u8]) -> Vec<u8> {
    let socket = UdpSocket::bind("127.0.0.1:0").await.expect("a socket");
    socket.connect(server).await.expect("connected");
    socket.send(query).await.expect("sent");
    receive(&socket).await
}

pub async fn receive(socket: &UdpSocket) -> Vec<u8> {
    let mut reply = vec![0; 65_535];
    let length = tokio::time::timeout(PATIENCE, socket.recv(&mut reply))
        .await
        .expect("a reply in time")
        .expect("a reply");
    reply.truncate(length);
    reply
}

pub async fn ask_tcp(server: SocketAddr, query: &[u8]) -> Vec<u8> {
    let mut stream = TcpStream::connect(server).await.expect("connected");
    stream.write_all(&framed(query)).await.expect("sent");
    read_framed(&mut stream).await.expect("a reply")
}

pub fn framed(message: &[u8]) -> Vec<u8> {
    let mut framed = (message.len() as u16).to_be_bytes().to_vec();
    framed.extend(message);
    framed
}

/// The next message of a stream; `None` when it was closed.
pub async fn read_framed(stream: &mut (impl AsyncRead + Unpin)) -> Option<Vec<u8>> {
    let read = async {
        let length = stream.read_u16().await.ok()?;
        let mut message = vec![0; usize::from(length)];
        stream.read_exact(&mut message).await.ok()?;
        Some(message)
    };
    tokio::time::timeout(PATIENCE, read).await.expect("a reply or the end in time")
}

/// Reads until the other end closes, however it does so.
pub async fn read_to_end(stream: &mut (impl AsyncRead + Unpin)) {
    let end = tokio::time::timeout(PATIENCE, stream.read_to_end(&mut Vec::new())).await;
    let _ = end.expect("the end in time");
}
