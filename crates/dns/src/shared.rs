//! One query, whatever transport it came by: from our own zone, from the cache, or later from an upstream.

use std::net::SocketAddr;
use std::sync::atomic::Ordering;

use crate::counters::Tally;
use crate::forward::{Own, Ready, Waiting};
use crate::live::Serving;
use crate::server::Shared;
use crate::{Answering, End, Outcome, Rotation, Transport, respond};

/// Whom a query is from, and who counts it.
pub(crate) struct Asking<'t> {
    pub(crate) client: SocketAddr,
    pub(crate) tally: &'t mut Tally,
}

impl<A: Answering> Shared<A> {
    /// Answers a query: the reply is in `out` (empty when none is due), unless the query waits for an upstream.
    /// Takes no lock but the cache's and does no I/O.
    pub(crate) fn answer(
        &self,
        serving: &Serving<A>,
        rotation: &Rotation,
        asking: Asking<'_>,
        query: &[u8],
        out: &mut Vec<u8>,
    ) -> Result<Outcome, Box<Waiting>> {
        let Serving { config, answering } = serving;
        let Asking { client, tally } = asking;
        let begun = tally.begin();
        let outcome = respond(config, answering, rotation, tally.transport(), query, out);
        if let Some(forwarder) = &self.forwarder {
            let own = Own { config, rotation, answer: &mut own(serving, rotation) };
            let transport = tally.transport();
            if let Some(waiting) = forwarder.begin(own, transport, client.ip(), query, outcome, out)
            {
                out.clear();
                return Err(Box::new(waiting));
            }
        }
        tally.end(begun, config.log, query, client, self.end(outcome, out), out);
        Ok(outcome)
    }

    /// Answers a query whose waiting is over.
    pub(crate) fn complete(&self, client: SocketAddr, ready: Ready, out: &mut Vec<u8>) {
        let (transport, outcome) = ready.whence();
        let rotation = Rotation::new(self.turn.fetch_add(1, Ordering::Relaxed));
        let serving = self.live.load();
        let answer = &mut own(&serving, &rotation);
        ready.write(Own { config: &serving.config, rotation: &rotation, answer }, out);
        let mut tally = self.counters.later_tally(transport);
        let (begun, end) = (tally.begin_untimed(), self.end(outcome, out));
        // A reply has the question of its query.
        tally.end(begun, serving.config.log, out, client, end, out);
    }

    fn end(&self, outcome: Outcome, reply: &[u8]) -> End {
        match (outcome, &self.forwarder) {
            (Outcome::NotOurs | Outcome::AliasNotOurs, Some(_)) => End::of_forwarded(reply),
            (outcome, _) => End::Own(outcome),
        }
    }
}

/// What our own zone says of a name that an upstream's alias leads to: all of it, so as over TCP.
fn own<A: Answering>(
    serving: &Serving<A>,
    rotation: &Rotation,
) -> impl FnMut(&[u8], &mut Vec<u8>) -> Outcome {
    move |query, out| {
        let Serving { config, answering } = serving;
        respond(config, answering, rotation, Transport::Tcp, query, out)
    }
}
