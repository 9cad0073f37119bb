//! The forwarder: the cache first, then upstreams, each question once however many wait for it.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use arc_swap::ArcSwap;
use tokio::runtime::Handle;
use tokio::sync::{OwnedSemaphorePermit, watch};
use tokio::time::{Instant, timeout};

use super::cache::{Cache, Freshness, Hit};
use super::compose::{Asker, Own, Trouble, last_target};
use super::config::ForwardConfig;
use super::counters::{ForwardCounters, ForwardEvent};
use super::question::{Question, Wishes};
use super::server::{Group, UpstreamState};
use super::state::{Fetched, State};
use super::tls::ForwardError;
use crate::clients::Entered;
use crate::respond::limit;
use crate::wire::{Query, flag, is_truncated};
use crate::{Outcome, Transport};

/// How long a query waits for upstreams when an answer past its time is at hand (RFC 8767 §5, the client response
/// timer).
const STALE_AFTER: Duration = Duration::from_millis(1800);

/// Asks upstreams, and keeps their answers.
pub struct Forwarder {
    state: ArcSwap<State>,
    flights: Mutex<HashMap<Box<[u8]>, Flight>>,
    counters: ForwardCounters,
    runtime: Handle,
}

/// A question under way; `None` until it has come to an end.
type Flight = watch::Receiver<Option<Fetched>>;

/// A query that waits for an upstream.
pub(crate) struct Waiting {
    query: Vec<u8>,
    transport: Transport,
    outcome: Outcome,
    own_reply: Vec<u8>,
    flight: Flight,
    stale: Option<Hit>,
    forwarder: Arc<Forwarder>,
    _turn: (Entered, OwnedSemaphorePermit),
}

/// A query whose answer has come, or will not.
pub(crate) struct Ready {
    waiting: Waiting,
    fetched: Fetched,
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
        self.state.load().waiting.taken()
    }

    /// Waits until no query waits any more.
    pub(crate) async fn drained(&self) {
        self.state.load_full().waiting.all_gone().await;
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
        client: IpAddr,
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
        let turn = state.waiting.enter(client).zip(state.waiting.try_slot());
        let begun = turn.and_then(|turn| Some((turn, self.fly(&state, group, question).ok()?)));
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

#[cfg(test)]
mod tests;
