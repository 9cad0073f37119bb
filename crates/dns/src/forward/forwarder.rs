//! The forwarder: the cache first, then upstreams, each question once however many wait for it.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use arc_swap::ArcSwap;
use directory::RecordType;
use tokio::runtime::Handle;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::time::{Instant, timeout, timeout_at};

use super::cache::{Cache, Freshness, Hit};
use super::compose::{Asker, Own, Trouble, last_target};
use super::config::{ForwardConfig, Order};
use super::counters::{ForwardCounters, ForwardEvent};
use super::exchange::{Exchange, Network};
use super::question::{Question, Wishes};
use super::reply::Reply;
use super::server::{Group, Routes, Server, UpstreamState, order};
use super::tls::{ForwardError, connector};
use crate::respond::limit;
use crate::wire::{Query, flag, is_truncated};
use crate::{Outcome, Transport};

/// How long a query waits for upstreams when an answer past its time is at hand (RFC 8767 §5, the client response
/// timer).
const STALE_AFTER: Duration = Duration::from_millis(1800);

/// How often each server is tried for a question, at most: a datagram may be lost.
const ROUNDS: usize = 3;

/// How long a question that no upstream answered is not asked again (RFC 9520 §3.2).
const NO_REPLY_TTL: Duration = Duration::from_secs(1);

/// How long a health check waits for its reply.
const CHECK_TIMEOUT: Duration = Duration::from_secs(1);

/// Asks upstreams, and keeps their answers.
pub struct Forwarder {
    state: ArcSwap<State>,
    flights: Mutex<HashMap<Box<[u8]>, Flight>>,
    counters: ForwardCounters,
    runtime: Handle,
}

/// What follows from a configuration.
struct State {
    config: ForwardConfig,
    routes: Routes,
    exchange: Box<dyn Exchange>,
    cache: Arc<Cache>,
    waiting: Arc<Semaphore>,
    concurrent: Arc<Semaphore>,
}

/// A question under way; `None` until it has come to an end.
type Flight = watch::Receiver<Option<Fetched>>;
type Fetched = Result<Hit, Trouble>;

/// A query that waits for an upstream.
pub(crate) struct Waiting {
    query: Vec<u8>,
    transport: Transport,
    outcome: Outcome,
    own_reply: Vec<u8>,
    flight: Flight,
    stale: Option<Hit>,
    forwarder: Arc<Forwarder>,
    _turn: OwnedSemaphorePermit,
}

/// A query whose answer has come, or will not.
pub(crate) struct Ready {
    waiting: Waiting,
    fetched: Fetched,
}

impl State {
    fn new(config: ForwardConfig, cache: Arc<Cache>) -> Result<Self, ForwardError> {
        let network = Network { tls: connector(&config)?, limits: config.cache };
        Ok(Self::with(config, cache, Box::new(network)))
    }

    fn with(config: ForwardConfig, cache: Arc<Cache>, exchange: Box<dyn Exchange>) -> Self {
        let semaphore = |max: usize| Arc::new(Semaphore::new(max.clamp(1, Semaphore::MAX_PERMITS)));
        Self {
            routes: Routes::new(&config),
            exchange,
            cache,
            waiting: semaphore(config.waiting_max.min(u32::MAX as usize)),
            concurrent: semaphore(config.concurrent_max),
            config,
        }
    }
}

impl Forwarder {
    /// A forwarder that does its work on this runtime.
    ///
    /// # Errors
    ///
    /// `tls://` upstreams are named, and there is no authority to check them by.
    pub fn new(config: ForwardConfig, runtime: Handle) -> Result<Arc<Self>, ForwardError> {
        let cache = Arc::new(Cache::new(config.cache));
        Ok(Self::of(State::new(config, cache)?, runtime))
    }

    fn of(state: State, runtime: Handle) -> Arc<Self> {
        Arc::new(Self {
            state: ArcSwap::from_pointee(state),
            flights: Mutex::default(),
            counters: ForwardCounters::default(),
            runtime,
        })
    }

    /// Goes by other settings from now on; what is under way ends by the old ones. What was kept stays unless
    /// other servers are asked from now on: they may say otherwise.
    ///
    /// # Errors
    ///
    /// As [`Forwarder::new`]; then the old settings stay.
    pub fn set_config(&self, config: ForwardConfig) -> Result<(), ForwardError> {
        let old = self.state.load_full();
        if old.config == config {
            return Ok(());
        }
        let is_same = old.config.upstreams == config.upstreams
            && old.config.stub_zones == config.stub_zones
            && old.config.cache == config.cache;
        let cache = if is_same { old.cache.clone() } else { Arc::new(Cache::new(config.cache)) };
        self.state.store(Arc::new(State::new(config, cache)?));
        Ok(())
    }

    /// What became of queries so far.
    pub fn counters(&self) -> &ForwardCounters {
        &self.counters
    }

    /// How each upstream fares.
    pub fn upstreams(&self) -> Vec<UpstreamState> {
        self.state.load().routes.states()
    }

    /// How many answers are kept, and the octets of memory that they count for.
    pub fn cache_usage(&self) -> (usize, usize) {
        self.state.load().cache.usage()
    }

    /// How many queries wait for upstreams.
    pub fn waiting(&self) -> usize {
        let state = self.state.load();
        state.config.waiting_max.max(1).saturating_sub(state.waiting.available_permits())
    }

    /// Waits until no query waits any more.
    pub(crate) async fn drained(&self) {
        let state = self.state.load_full();
        let all = state.config.waiting_max.clamp(1, Semaphore::MAX_PERMITS.min(u32::MAX as usize));
        // Never closed, so never an error.
        let _ = state.waiting.acquire_many(u32::try_from(all).unwrap_or(u32::MAX)).await;
    }

    /// Where the forwarder does its work.
    pub(crate) fn runtime(&self) -> &Handle {
        &self.runtime
    }

    /// Takes over a query whose reply by our own zone is in `out`. Either `out` is the reply then, or the query waits.
    pub(crate) fn begin(
        self: &Arc<Self>,
        own: Own<'_>,
        transport: Transport,
        octets: &[u8],
        outcome: Outcome,
        out: &mut Vec<u8>,
    ) -> Option<Waiting> {
        let config = own.config;
        let is_alias = match outcome {
            Outcome::NotOurs => false,
            // Aliases that do not fit: the client comes again over TCP.
            Outcome::AliasNotOurs if is_truncated(out) => return None,
            Outcome::AliasNotOurs => true,
            _ => return None,
        };
        let query = Query::parse(octets).ok()?;
        let question = target(&query, octets, is_alias.then_some(&**out))?;
        let state = self.state.load_full();
        let group = state.routes.group(question.name())?;
        let own_reply = if is_alias { out.clone() } else { Vec::new() };
        let asker = Asker::new(octets, &query, limit(config, transport, query.edns), config);

        let mut stale = None;
        match state.cache.get(question.key(), Instant::now().into_std()) {
            None => {}
            Some(hit) if hit.freshness == Freshness::Stale => stale = Some(hit),
            Some(hit) => {
                let event = match hit.freshness {
                    Freshness::StaleHeld => ForwardEvent::Stale,
                    Freshness::Due | Freshness::Fresh | Freshness::Stale => ForwardEvent::Hit,
                };
                self.counters.count(event);
                if hit.freshness == Freshness::Due && self.fly(&state, group, question).is_ok() {
                    self.counters.count(ForwardEvent::Prefetched);
                }
                asker.complete(&own_reply, &hit, own, out);
                return None;
            }
        }
        let begun = match state.waiting.clone().try_acquire_owned() {
            Ok(turn) => self.fly(&state, group, question).ok().map(|flight| (turn, flight)),
            Err(_) => None,
        };
        match (begun, stale) {
            (Some((turn, flight)), stale) => {
                self.counters.count(ForwardEvent::Miss);
                Some(Waiting {
                    query: octets.to_vec(),
                    transport,
                    outcome,
                    own_reply,
                    flight,
                    stale,
                    forwarder: self.clone(),
                    _turn: turn,
                })
            }
            (None, Some(hit)) => {
                self.counters.count(ForwardEvent::Stale);
                asker.complete(&own_reply, &hit, own, out);
                None
            }
            (None, None) => {
                self.counters.count(ForwardEvent::Busy);
                asker.fail(Trouble::Busy, out);
                None
            }
        }
    }

    /// Joins a question that is under way, or begins it.
    fn fly(
        self: &Arc<Self>,
        state: &Arc<State>,
        group: &Group,
        question: Question,
    ) -> Result<Flight, Trouble> {
        let mut flights = self.flights();
        if let Some(flight) = flights.get(question.key()) {
            self.counters.count(ForwardEvent::Joined);
            return Ok(flight.clone());
        }
        let turn = state.concurrent.clone().try_acquire_owned().map_err(|_| Trouble::Busy)?;
        let (landed, flight) = watch::channel(None);
        flights.insert(question.key().into(), flight.clone());
        drop(flights);
        let ending = Ending { forwarder: self.clone(), key: question.key().into() };
        let (state, group) = (state.clone(), group.clone());
        self.runtime.spawn(async move {
            let _held = turn;
            let fetched = state.fetch(&group, &question).await;
            // Whoever asks from now on finds it in the cache.
            drop(ending);
            landed.send_replace(Some(fetched));
        });
        Ok(flight)
    }

    fn flights(&self) -> MutexGuard<'_, HashMap<Box<[u8]>, Flight>> {
        self.flights.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Takes a question off the list of those under way, even when its task dies.
struct Ending {
    forwarder: Arc<Forwarder>,
    key: Box<[u8]>,
}

impl Drop for Ending {
    fn drop(&mut self) {
        self.forwarder.flights().remove(&self.key);
    }
}

/// What is asked of upstreams for a query: the name asked for, or the one that our aliases lead to.
fn target(query: &Query<'_>, octets: &[u8], aliases: Option<&[u8]>) -> Option<Question> {
    let wire = query.question.wire;
    let wishes = Wishes {
        dnssec_ok: query.edns.is_some_and(|edns| edns.dnssec_ok),
        checking_disabled: u16::from(octets[3]) & flag::CHECKING_DISABLED != 0,
    };
    match aliases {
        None => Question::new(&wire[..wire.len() - 4], query.question.rtype, wishes),
        Some(reply) => Question::new(last_target(reply)?.octets(), query.question.rtype, wishes),
    }
}

impl Waiting {
    /// Waits for the answer.
    pub(crate) async fn ready(mut self) -> Ready {
        let wait = async {
            match self.flight.wait_for(Option::is_some).await {
                Ok(fetched) => fetched.clone().unwrap_or(Err(Trouble::NoReply)),
                // Its task has died.
                Err(_) => Err(Trouble::NoReply),
            }
        };
        let fetched = match self.stale.take() {
            None => wait.await,
            Some(stale) => timeout(STALE_AFTER, wait).await.unwrap_or(Ok(stale)),
        };
        Ready { waiting: self, fetched }
    }
}

impl Ready {
    /// By which transport the query came, and what our own zone said of it.
    pub(crate) fn whence(&self) -> (Transport, Outcome) {
        (self.waiting.transport, self.waiting.outcome)
    }

    /// Writes the reply.
    pub(crate) fn write(self, own: Own<'_>, out: &mut Vec<u8>) {
        let config = own.config;
        let Waiting { query: octets, transport, own_reply, forwarder, .. } = &self.waiting;
        out.clear();
        // It was read when it came.
        let Ok(query) = Query::parse(octets) else { return };
        let asker = Asker::new(octets, &query, limit(config, *transport, query.edns), config);
        match &self.fetched {
            Ok(hit) => {
                match hit.freshness {
                    Freshness::Fresh | Freshness::Due => {}
                    Freshness::Stale | Freshness::StaleHeld => {
                        forwarder.counters.count(ForwardEvent::Stale);
                    }
                }
                asker.complete(own_reply, hit, own, out);
            }
            Err(trouble) => {
                forwarder.counters.count(ForwardEvent::Failed);
                asker.fail(*trouble, out);
            }
        }
    }
}

impl State {
    /// Asks the servers of a group, and keeps what they say. Where they fail, what is kept past its time stands in.
    async fn fetch(self: &Arc<Self>, group: &Group, question: &Question) -> Fetched {
        let result = self.resolve(group, question).await;
        let now = Instant::now().into_std();
        let is_answer = result.as_ref().is_ok_and(|reply| reply.is_answer());
        if !is_answer && let Some(hit) = self.cache.hold(question.key(), now) {
            return Ok(hit);
        }
        let reply = match &result {
            Ok(reply) => reply.clone(),
            Err(Trouble::NoReply) => Arc::new(Reply::no_reply(question, NO_REPLY_TTL)),
            Err(trouble) => return Err(*trouble),
        };
        self.cache.put(question.key(), &reply, now);
        result.map(|reply| Hit { reply, age: 0, freshness: Freshness::Fresh })
    }

    /// Asks one server after another until one answers, or the time is over. One that says it can't or won't is not
    /// asked again; when all say so, the last such reply is the result.
    async fn resolve(
        self: &Arc<Self>,
        group: &Group,
        question: &Question,
    ) -> Result<Arc<Reply>, Trouble> {
        let deadline = Instant::now() + self.config.timeout;
        let is_down: Vec<bool> = group.iter().map(|server| server.is_down()).collect();
        let first = match self.config.order {
            Order::AsListed => 0,
            Order::Random => random_below(group.len()),
        };
        let order = order(&is_down, first);
        let mut refusal = None;
        let mut has_refused = vec![false; group.len()];
        let mut trouble = Trouble::Busy;
        for at in order.iter().copied().cycle().take(order.len() * ROUNDS) {
            if Instant::now() >= deadline {
                break;
            }
            let server = &group[at];
            if has_refused[at] {
                continue;
            }
            let Ok(_turn) = server.turns.try_acquire() else { continue };
            let attempt_end = deadline.min(Instant::now() + self.config.attempt_timeout);
            let asked = timeout_at(attempt_end, self.exchange.ask(server, question)).await;
            server.count(!matches!(asked, Ok(Ok(_))));
            match asked {
                Ok(Ok(reply)) => {
                    server.answered();
                    if reply.is_answer() {
                        return Ok(Arc::new(reply));
                    }
                    has_refused[at] = true;
                    refusal = Some(reply);
                    if has_refused.iter().all(|refused| *refused) {
                        break;
                    }
                }
                Ok(Err(error)) => {
                    tracing::debug!(upstream = %server.upstream, %question, %error, "asking an upstream");
                    trouble = Trouble::NoReply;
                    self.check(server);
                }
                Err(_elapsed) => {
                    trouble = Trouble::NoReply;
                    self.check(server);
                }
            }
        }
        refusal.map(Arc::new).ok_or(trouble)
    }

    /// Begins to check the health of a server that has failed to answer, until it answers. That one question has no
    /// answer may be the question's fault.
    fn check(self: &Arc<Self>, server: &Arc<Server>) {
        // Any reply will do; every server knows who the root's servers are.
        let question = Question::new(&[0], RecordType::NS, Wishes::default());
        let Some(question) = question.filter(|_| server.begin_check()) else { return };
        let (state, server) = (Arc::downgrade(self), server.clone());
        tokio::spawn(async move {
            // Ends with the settings that it belongs to.
            while let Some(state) = state.upgrade() {
                let asked = timeout(CHECK_TIMEOUT, state.exchange.ask(&server, &question)).await;
                if matches!(asked, Ok(Ok(_))) {
                    server.answered();
                    break;
                }
                server.check_failed();
                let interval = state.config.health_check_interval;
                drop(state);
                tokio::time::sleep(interval).await;
            }
            server.end_check();
        });
    }
}

/// Where to begin among servers. Nothing hangs on its being hard to guess.
fn random_below(count: usize) -> usize {
    let random = getrandom::u32().unwrap_or_default();
    (u64::from(random) * count as u64 >> 32) as usize
}

#[cfg(test)]
mod tests;
