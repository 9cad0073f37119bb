//! The forwarder in paused time, with upstreams that are functions.

use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};

use directory::Name;
use tokio::time::{advance, sleep};

use super::*;
use crate::forward::config::Order;
use crate::forward::exchange::{Exchange, Failed};
use crate::forward::question::{Chance, Sent};
use crate::forward::reply::{Reply, Unbelieved};
use crate::forward::server::Server;
use crate::forward::{CacheConfig, Upstream};
use crate::{Config, EdeMode, Rotation, respond};

/// What an upstream does.
#[derive(Clone, Copy, Debug)]
enum Does {
    /// An address with this TTL.
    Address(u32),
    /// NXDOMAIN, with this in both places of SOA.
    Missing(u32),
    /// Such a response code.
    Code(u8),
    /// Nothing, ever.
    Silent,
    /// An address, after this time.
    Slow(Duration),
    /// The system says at once that nobody is there.
    Closed,
}

/// Upstreams by their place in the list.
struct Scripted {
    does: Mutex<Vec<Does>>,
    asked: Vec<AtomicUsize>,
}

impl Scripted {
    fn does(&self, at: usize, does: Does) {
        self.does.lock().expect("no test died")[at] = does;
    }

    fn asked(&self, at: usize) -> usize {
        self.asked[at].load(Ordering::SeqCst)
    }
}

impl Exchange for Arc<Scripted> {
    fn ask<'a>(
        &'a self,
        server: &'a Server,
        question: &'a Question,
    ) -> Pin<Box<dyn Future<Output = Result<Reply, Failed>> + Send + 'a>> {
        Box::pin(async move {
            let at = usize::from(server.upstream.address.port()) - 1;
            // Checks are not counted.
            let is_check = question.name() == [0];
            let count = self.asked[at].fetch_add(usize::from(!is_check), Ordering::SeqCst);
            let does = self.does.lock().expect("no test died")[at];
            let address = [192, 0, 2, count as u8];
            match does {
                Does::Address(ttl) => Ok(reply(question, 0, Some((ttl, address)), None)),
                Does::Missing(ttl) => Ok(reply(question, 3, None, Some(ttl))),
                Does::Code(code) => Ok(reply(question, code, None, None)),
                Does::Silent => std::future::pending().await,
                Does::Slow(time) => {
                    sleep(time).await;
                    Ok(reply(question, 0, Some((1, address)), None))
                }
                Does::Closed => Err(Failed::Unbelieved(Unbelieved::Stranger)),
            }
        })
    }
}

fn reply(question: &Question, rcode: u8, a: Option<(u32, [u8; 4])>, soa: Option<u32>) -> Reply {
    let sent = Sent::new(question, &Chance { id: 1, case: [0; 32] });
    let mut message = sent.message()[..12 + sent.question().len()].to_vec();
    message[2..4].copy_from_slice(&[0x80, rcode]);
    message[11] = 0;
    if let Some((ttl, address)) = a {
        message[7] = 1;
        message.extend([0xC0, 12, 0, 1, 0, 1]);
        message.extend(ttl.to_be_bytes());
        message.extend([0, 4]);
        message.extend(address);
    }
    if let Some(ttl) = soa {
        message[9] = 1;
        message.extend([0xC0, 12, 0, 6, 0, 1]);
        message.extend(ttl.to_be_bytes());
        message.extend([0, 22, 0, 0]);
        message.extend([1, 2, 3, 4, ttl].map(u32::to_be_bytes).concat());
    }
    Reply::read(&message, &sent, question, &CacheConfig::default()).expect("a reply")
}

struct Case {
    forwarder: Arc<Forwarder>,
    upstreams: Arc<Scripted>,
    config: Config,
    reader: directory::Reader,
}

/// What a client sees: code, the last number of the address, TTL, and the INFO-CODE.
#[derive(Debug, PartialEq, Eq)]
struct Seen {
    rcode: u8,
    address: Option<u8>,
    ttl: Option<u32>,
    error: Option<u8>,
}

const fn seen(address: u8, ttl: u32) -> Seen {
    Seen { rcode: 0, address: Some(address), ttl: Some(ttl), error: None }
}

const fn failed(error: u8) -> Seen {
    Seen { rcode: 2, address: None, ttl: None, error: Some(error) }
}

impl Case {
    fn new(does: &[Does], change: impl FnOnce(&mut ForwardConfig)) -> Self {
        let upstreams = (1..=does.len() as u16)
            .map(|port| Upstream::udp(SocketAddr::from(([192, 0, 2, 53], port))))
            .collect();
        let mut forward =
            ForwardConfig { upstreams, order: Order::AsListed, ..ForwardConfig::default() };
        change(&mut forward);
        let scripted = Arc::new(Scripted {
            does: Mutex::new(does.to_vec()),
            asked: does.iter().map(|_| AtomicUsize::new(0)).collect(),
        });
        let cache = Arc::new(Cache::new(forward.cache));
        let domain = Name::parse("cluster.local").expect("a name");
        let (_, reader) = directory::new(directory::ZoneConfig::new(domain));
        let state = State::with(forward.clone(), cache, Box::new(scripted.clone()));
        Self {
            forwarder: Forwarder::of(state, Handle::current()),
            upstreams: scripted,
            config: Config { ede: EdeMode::Code, forward: Some(forward), ..Config::default() },
            reader,
        }
    }

    /// Asks for an address.
    async fn ask(&self, name: &str) -> Seen {
        self.ask_from(1, name).await
    }

    /// As the client of this number.
    async fn ask_from(&self, client: u8, name: &str) -> Seen {
        let mut query = vec![0, 9, 1, 0, 0, 1, 0, 0, 0, 0, 0, 1];
        query.extend(Name::parse(name).expect("a name").wire());
        query.extend([0, 1, 0, 1, 0, 0, 41, 4, 208, 0, 0, 0, 0, 0, 0]);
        let rotation = Rotation::new(0);
        let mut out = Vec::new();
        let transport = Transport::Udp;
        let client = [10, 0, 0, client].into();
        let outcome = respond(&self.config, &self.reader, &rotation, transport, &query, &mut out);
        let mut answer = |query: &[u8], out: &mut Vec<u8>| {
            respond(&self.config, &self.reader, &Rotation::new(0), Transport::Tcp, query, out)
        };
        let config = &self.config;
        let own = Own { config, rotation: &rotation, answer: &mut answer };
        let begun = self.forwarder.begin(own, transport, client, &query, outcome, &mut out);
        if let Some(waiting) = begun {
            let ready = waiting.ready().await;
            ready.write(Own { config, rotation: &rotation, answer: &mut answer }, &mut out);
        }
        read(&out, query.len())
    }

    fn count(&self, event: ForwardEvent) -> u64 {
        self.forwarder.counters().get(event)
    }
}

/// The reply to a query of this length with an OPT record.
fn read(reply: &[u8], query_len: usize) -> Seen {
    let mut at = query_len - 11;
    let (mut address, mut ttl) = (None, None);
    if reply[7] == 1 {
        ttl = Some(u32::from_be_bytes(*reply[at + 6..].first_chunk().expect("a TTL")));
        address = Some(reply[at + 15]);
        at += 16;
    }
    if reply[9] == 1 {
        ttl = Some(u32::from_be_bytes(*reply[at + 6..].first_chunk().expect("a TTL")));
    }
    // An INFO-CODE without text is the last number.
    let has_error = reply[reply.len() - 6..].starts_with(&[0, 15, 0, 2]);
    Seen { rcode: reply[3] & 0xF, address, ttl, error: has_error.then(|| reply[reply.len() - 1]) }
}

const SECOND: Duration = Duration::from_secs(1);

#[tokio::test(start_paused = true)]
async fn answers_live_for_their_ttl() {
    let case = Case::new(&[Does::Address(60)], |_| {});
    assert_eq!(case.ask("a.example").await, seen(0, 60));
    advance(20 * SECOND).await;
    assert_eq!(case.ask("A.Example").await, seen(0, 40));
    advance(39 * SECOND).await;
    assert_eq!(case.ask("a.example").await, seen(0, 1));
    advance(SECOND).await;
    assert_eq!(case.ask("a.example").await, seen(1, 60), "asked anew");
    // Never longer than allowed; not at all with 0.
    case.upstreams.does(0, Does::Address(100_000));
    assert_eq!(case.ask("long.example").await.ttl, Some(3600));
    case.upstreams.does(0, Does::Address(0));
    let asked = case.upstreams.asked(0);
    for _ in 0..3 {
        assert_eq!(case.ask("none.example").await.ttl, Some(0));
    }
    assert_eq!(case.upstreams.asked(0), asked + 3);
}

#[tokio::test(start_paused = true)]
async fn negative_answers_and_failures_live_shorter() {
    let missing = |ttl| Seen { rcode: 3, address: None, ttl: Some(ttl), error: None };
    let case = Case::new(&[Does::Missing(900)], |_| {});
    assert_eq!(case.ask("a.example").await, missing(30));
    advance(29 * SECOND).await;
    assert_eq!(case.ask("a.example").await, missing(1));
    advance(SECOND).await;
    case.upstreams.does(0, Does::Missing(10));
    assert_eq!(case.ask("a.example").await, missing(10));
    assert_eq!(case.upstreams.asked(0), 2);

    case.upstreams.does(0, Does::Code(2));
    for _ in 0..2 {
        assert_eq!(case.ask("b.example").await, failed(22));
    }
    assert_eq!(case.upstreams.asked(0), 3);
    advance(5 * SECOND).await;
    case.upstreams.does(0, Does::Address(60));
    assert_eq!(case.ask("b.example").await, seen(3, 60));
}

#[tokio::test(start_paused = true)]
async fn answers_past_their_time_stand_in_when_upstreams_fail() {
    let stale = Seen { error: Some(3), ..seen(0, 30) };
    let case = Case::new(&[Does::Address(10)], |_| {});
    assert_eq!(case.ask("a.example").await, seen(0, 10));
    advance(11 * SECOND).await;
    for does in [Does::Silent, Does::Closed, Does::Code(2), Does::Code(5)] {
        case.upstreams.does(0, does);
        let begin = Instant::now();
        assert_eq!(case.ask("a.example").await, stale, "{does:?}");
        assert!(begin.elapsed() <= STALE_AFTER + SECOND / 10, "nobody waits for the last");
        // Until all attempts are over, and for a while after that, nobody waits at all.
        advance(4 * SECOND).await;
        let asked = case.upstreams.asked(0);
        let begin = Instant::now();
        assert_eq!(case.ask("a.example").await, stale, "{does:?}");
        assert_eq!((begin.elapsed(), case.upstreams.asked(0)), (Duration::ZERO, asked));
        advance(5 * SECOND).await;
    }
    // A fresh answer takes its place.
    case.upstreams.does(0, Does::Address(10));
    assert_eq!(case.ask("a.example").await.ttl, Some(10));
    // After an hour it is over.
    advance(3700 * SECOND).await;
    case.upstreams.does(0, Does::Closed);
    assert_eq!(case.ask("a.example").await, failed(22));
}

#[tokio::test(start_paused = true)]
async fn what_is_popular_is_fetched_before_its_end() {
    let case = Case::new(&[Does::Address(100)], |_| {});
    for _ in 0..5 {
        case.ask("often.example").await;
    }
    case.ask("seldom.example").await;
    advance(91 * SECOND).await;
    for _ in 0..3 {
        assert_eq!(case.ask("often.example").await, seen(0, 9), "nobody waits");
    }
    case.ask("seldom.example").await;
    sleep(SECOND).await;
    assert_eq!(case.count(ForwardEvent::Prefetched), 1);
    advance(10 * SECOND).await;
    assert_eq!(case.ask("often.example").await, seen(2, 89));
    assert_eq!(case.upstreams.asked(0), 3);
    // Not when it is switched off.
    let case = Case::new(&[Does::Address(100)], |forward| forward.cache.prefetch = false);
    for _ in 0..5 {
        case.ask("often.example").await;
    }
    advance(91 * SECOND).await;
    case.ask("often.example").await;
    sleep(SECOND).await;
    assert_eq!(case.upstreams.asked(0), 1);
}

#[tokio::test(start_paused = true)]
async fn a_query_takes_so_long_at_most() {
    let case = Case::new(&[Does::Silent, Does::Silent], |_| {});
    let begin = Instant::now();
    assert_eq!(case.ask("a.example").await, failed(22));
    assert!((3900..=4100).contains(&begin.elapsed().as_millis()));
    // Each was tried twice, in turn: 1.3 s, and what is left of 4 s.
    assert_eq!((case.upstreams.asked(0), case.upstreams.asked(1)), (2, 2));
    // It is not asked again at once.
    assert_eq!(case.ask("a.example").await, failed(22));
    assert_eq!(case.upstreams.asked(0), 2);
    // Where nobody is there, nobody waits.
    let case = Case::new(&[Does::Closed, Does::Closed], |_| {});
    let begin = Instant::now();
    assert_eq!(case.ask("a.example").await, failed(22));
    assert_eq!(begin.elapsed(), Duration::ZERO);
    assert_eq!((case.upstreams.asked(0), case.upstreams.asked(1)), (3, 3));
}

#[tokio::test(start_paused = true)]
async fn a_lost_datagram_is_not_the_end() {
    let case = Case::new(&[Does::Slow(2 * SECOND)], |_| {});
    let asking = case.ask("a.example");
    let mending = async {
        sleep(SECOND).await;
        case.upstreams.does(0, Does::Address(60));
    };
    let (reply, ()) = tokio::join!(asking, mending);
    assert_eq!(reply, seen(1, 60), "the second was answered");
}

#[tokio::test(start_paused = true)]
async fn an_upstream_that_is_down_is_passed_over_until_it_answers() {
    let case = Case::new(&[Does::Silent, Does::Address(0)], |_| {});
    // The first to come waits for it; its checks then fail, twice.
    let begin = Instant::now();
    assert_eq!(case.ask("a.example").await.rcode, 0);
    assert_eq!(begin.elapsed().as_millis(), 1300);
    sleep(3 * SECOND).await;
    let begin = Instant::now();
    for _ in 0..5 {
        assert_eq!(case.ask("a.example").await.rcode, 0);
    }
    assert_eq!((begin.elapsed(), case.upstreams.asked(0)), (Duration::ZERO, 1));
    assert!(case.forwarder.upstreams()[0].is_down);
    // It returns.
    case.upstreams.does(0, Does::Address(0));
    sleep(2 * SECOND).await;
    assert!(!case.forwarder.upstreams()[0].is_down);
    case.ask("a.example").await;
    assert_eq!(case.upstreams.asked(0), 2);
}

#[tokio::test(start_paused = true)]
async fn one_question_without_an_answer_is_not_the_upstreams_fault() {
    // Checks are answered at once; this question takes long.
    let case = Case::new(&[Does::Silent], |_| {});
    let asking = case.ask("a.example");
    let mending = async {
        sleep(SECOND / 10).await;
        case.upstreams.does(0, Does::Address(60));
    };
    let (reply, ()) = tokio::join!(asking, mending);
    assert_eq!(reply, seen(1, 60));
    let state = &case.forwarder.upstreams()[0];
    assert_eq!((state.is_down, state.asked, state.failed), (false, 2, 1));
}

#[tokio::test(start_paused = true)]
async fn upstreams_take_turns_where_the_order_is_random() {
    let case = Case::new(&[Does::Address(0); 4], |forward| forward.order = Order::Random);
    for _ in 0..400 {
        case.ask("a.example").await;
    }
    for at in 0..4 {
        // A share of less than 50 of 400 is as likely as one of 10^9.
        assert!(case.upstreams.asked(at) >= 50, "{at}: {}", case.upstreams.asked(at));
    }
}

#[tokio::test(start_paused = true)]
async fn a_slow_upstream_does_not_take_the_turn_of_others() {
    let case = Case::new(&[Does::Silent, Does::Address(60)], |forward| {
        forward.concurrent_per_upstream_max = 1;
    });
    let (first, second) = tokio::join!(case.ask("a.example"), async {
        tokio::task::yield_now().await;
        let begin = Instant::now();
        let reply = case.ask("b.example").await;
        assert_eq!(
            begin.elapsed(),
            Duration::ZERO,
            "the first has no turn left, so the second is asked"
        );
        reply
    });
    assert_eq!((first.rcode, second.rcode), (0, 0));
    assert_eq!(case.upstreams.asked(0), 1);
}

#[tokio::test(start_paused = true)]
async fn all_who_wait_are_counted_and_drained() {
    let case = Case::new(&[Does::Slow(SECOND)], |forward| forward.waiting_max = 2);
    let counted = async {
        tokio::task::yield_now().await;
        assert_eq!(case.forwarder.waiting(), 2);
        assert_eq!(case.ask("c.example").await, failed(0), "no third");
        let begin = Instant::now();
        case.forwarder.drained().await;
        assert_eq!(begin.elapsed().as_millis(), 1000);
    };
    let (one, two, ()) = tokio::join!(case.ask("a.example"), case.ask("a.example"), counted);
    assert_eq!((one, two), (seen(0, 1), seen(0, 1)));
    assert_eq!(case.forwarder.waiting(), 0);
    assert_eq!(case.count(ForwardEvent::Joined), 1);
}

#[tokio::test(start_paused = true)]
async fn a_client_that_waits_for_much_leaves_room_for_others() {
    let case = Case::new(&[Does::Slow(SECOND)], |forward| forward.waiting_per_client_max = 2);
    let others = async {
        tokio::task::yield_now().await;
        assert_eq!(case.ask("c.example").await, failed(0), "it has two");
        assert_eq!(case.ask_from(2, "d.example").await.rcode, 0);
        // What it waited for has come.
        sleep(SECOND).await;
        assert_eq!(case.ask("c.example").await.rcode, 0);
    };
    let (one, two, ()) = tokio::join!(case.ask("a.example"), case.ask("b.example"), others);
    assert_eq!((one.rcode, two.rcode), (0, 0));
}
