//! One thread's or connection's way to count.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Instant;

use super::place::{Adders, Place, QueryType};
use super::sample::{Sample, question, type_of};
use super::{Counters, End, QueryLog, SAMPLED, SAMPLED_NO_SUCH_NAME};
use crate::respond::Transport;

/// Counts the queries of one thread or connection.
pub(crate) struct Tally {
    counters: Arc<Counters>,
    place: Arc<Place>,
    transport: Transport,
    adders: Adders,
    chance: Chance,
    all: Picker,
    no_such_names: Picker,
    logged: Picker,
}

/// A query that has begun to be answered.
pub(crate) struct Begun {
    sampled: bool,
    at: Option<Instant>,
}

impl Tally {
    /// The only one that counts in this place.
    pub(super) fn alone(counters: Arc<Counters>, place: Arc<Place>, transport: Transport) -> Self {
        Self::new(counters, place, transport, Adders::One)
    }

    /// One of several that count in this place.
    pub(super) fn shared(counters: Arc<Counters>, place: Arc<Place>, transport: Transport) -> Self {
        Self::new(counters, place, transport, Adders::Many)
    }

    fn new(
        counters: Arc<Counters>,
        place: Arc<Place>,
        transport: Transport,
        adders: Adders,
    ) -> Self {
        // Threads, and connections of short life, must not all begin at the same place.
        let mut chance = Chance::new(&place);
        Self {
            all: Picker::new(SAMPLED, &mut chance),
            no_such_names: Picker::new(SAMPLED_NO_SUCH_NAME, &mut chance),
            logged: Picker::new(1, &mut chance),
            counters,
            place,
            transport,
            adders,
            chance,
        }
    }

    /// To be called before a query is answered.
    pub(crate) fn begin(&mut self) -> Begun {
        let sampled = self.all.picks(SAMPLED, &mut self.chance);
        Begun { sampled, at: sampled.then(Instant::now) }
    }

    /// As [`Tally::begin`], of a query whose time was its upstream's.
    pub(crate) fn begin_untimed(&mut self) -> Begun {
        Begun { sampled: self.all.picks(SAMPLED, &mut self.chance), at: None }
    }

    pub(crate) fn transport(&self) -> Transport {
        self.transport
    }

    /// To be called when it is. `reply` is empty when none is sent.
    pub(crate) fn end(
        &mut self,
        begun: Begun,
        log: QueryLog,
        query: &[u8],
        client: SocketAddr,
        end: End,
        reply: &[u8],
    ) {
        let rtype = type_of(query).map_or(QueryType::Unknown, QueryType::from);
        self.place.count(self.adders, rtype, end);
        if crate::wire::is_truncated(reply) {
            self.place.count_truncated(self.adders);
        }
        let Begun { sampled, at } = begun;
        if let Some(start) = at {
            self.place.count_duration(self.adders, start.elapsed());
        }
        if !self.counters.is_sampled() {
            return;
        }
        let of_all = if sampled { SAMPLED } else { 0 };
        let mut of_no_such_name = 0;
        if end.is_no_such_name() && self.no_such_names.picks(SAMPLED_NO_SUCH_NAME, &mut self.chance)
        {
            of_no_such_name = SAMPLED_NO_SUCH_NAME;
        }
        let logged = match log {
            QueryLog::Off => false,
            QueryLog::Errors => end.is_error(),
            QueryLog::OneIn(mean) => self.logged.picks(mean, &mut self.chance),
        };
        if of_all > 0 || of_no_such_name > 0 || logged {
            let ((name, rtype), transport) = (question(query), self.transport);
            let reply_length = reply.len();
            self.counters.give(Sample {
                client,
                transport,
                end,
                name,
                rtype,
                reply_length,
                of_all,
                of_no_such_name,
                logged,
            });
        }
    }
}

/// Picks one in so many. The gaps are random: clients ask in patterns, and a fixed gap would see but some of each.
struct Picker {
    left: u32,
}

impl Picker {
    fn new(mean: u32, chance: &mut Chance) -> Self {
        // From anywhere within a gap, so that one that asks once is picked as often as others.
        Self { left: chance.below(mean) + 1 }
    }

    fn picks(&mut self, mean: u32, chance: &mut Chance) -> bool {
        self.left = self.left.saturating_sub(1);
        if self.left > 0 {
            return false;
        }
        self.left = chance.gap(mean);
        true
    }
}

/// Random numbers (xorshift64*), good enough for gaps.
struct Chance(u64);

impl Chance {
    fn new(place: &Arc<Place>) -> Self {
        use std::hash::{BuildHasher as _, RandomState};
        Self(RandomState::new().hash_one(Arc::as_ptr(place)) | 1)
    }

    /// A number from 1 to twice the mean, less one: `mean` on average.
    fn gap(&mut self, mean: u32) -> u32 {
        1 + self.below(mean.max(1).saturating_mul(2) - 1)
    }

    /// A number below this one.
    fn below(&mut self, bound: u32) -> u32 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        let number = (self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 32) as u32;
        ((u64::from(number) * u64::from(bound)) >> 32) as u32
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_in_so_many_is_picked_whatever_the_pattern() {
        for mean in [1, 2, 8, 64] {
            let mut chance = Chance(42);
            let mut picker = Picker::new(mean, &mut chance);
            let mut picked = [0_u32; 3];
            for turn in 0..30_000 * mean as usize {
                picked[turn % 3] += u32::from(picker.picks(mean, &mut chance));
            }
            for count in picked {
                assert!((9_500..=10_500).contains(&count), "one in {mean}: {picked:?}");
            }
        }
    }
}
