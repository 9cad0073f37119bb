//! A forwarder's settings in force: who is asked, in what order, for how long, and what is kept of it.

use std::sync::Arc;
use std::time::Duration;

use directory::RecordType;
use tokio::sync::Semaphore;
use tokio::time::{Instant, timeout, timeout_at};

use super::cache::{Cache, Freshness, Hit};
use super::compose::Trouble;
use super::config::{ForwardConfig, Order};
use super::exchange::{Exchange, Network};
use super::question::{Question, Wishes};
use super::reply::Reply;
use super::server::{Group, Routes, Server, order};
use super::tls::{ForwardError, connector};
use crate::clients::Clients;

/// How often each server is tried for a question, at most: a datagram may be lost.
const ROUNDS: usize = 3;

/// How long a question that no upstream answered is not asked again (RFC 9520 §3.2).
const NO_REPLY_TTL: Duration = Duration::from_secs(1);

/// How long a health check waits for its reply.
const CHECK_TIMEOUT: Duration = Duration::from_secs(1);

/// What follows from a configuration.
pub(super) struct State {
    pub(super) config: ForwardConfig,
    pub(super) routes: Routes,
    exchange: Box<dyn Exchange>,
    pub(super) cache: Arc<Cache>,
    pub(super) waiting: Arc<Clients>,
    pub(super) concurrent: Arc<Semaphore>,
}

/// What came of a question.
pub(super) type Fetched = Result<Hit, Trouble>;

impl State {
    pub(super) fn new(config: ForwardConfig, cache: Arc<Cache>) -> Result<Self, ForwardError> {
        let network = Network { tls: connector(&config)?, limits: config.cache };
        Ok(Self::with(config, cache, Box::new(network)))
    }

    pub(super) fn with(
        config: ForwardConfig,
        cache: Arc<Cache>,
        exchange: Box<dyn Exchange>,
    ) -> Self {
        let concurrent_max = config.concurrent_max.clamp(1, Semaphore::MAX_PERMITS);
        Self {
            routes: Routes::new(&config),
            exchange,
            cache,
            waiting: Clients::new(config.waiting_max, config.waiting_per_client_max),
            concurrent: Arc::new(Semaphore::new(concurrent_max)),
            config,
        }
    }

    /// Asks the servers of a group, and keeps what they say. Where they fail, what is kept past its time stands in.
    pub(super) async fn fetch(self: &Arc<Self>, group: &Group, question: &Question) -> Fetched {
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
    ((u64::from(random) * count as u64) >> 32) as usize
}
