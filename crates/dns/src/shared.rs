//! One query, whatever transport it came by: from our own zone, from the cache, or later from an upstream.

use std::net::IpAddr;
use std::sync::atomic::Ordering;

use crate::forward::{Own, Ready, Waiting};
use crate::server::Shared;
use crate::{Answering, Outcome, Rotation, Transport, respond};

impl<A: Answering> Shared<A> {
    /// Answers a query: the reply is in `out` (empty when none is due), unless the query waits for an upstream.
    /// Takes no lock but the cache's and does no I/O.
    pub(crate) fn answer(
        &self,
        rotation: &Rotation,
        transport: Transport,
        client: IpAddr,
        query: &[u8],
        out: &mut Vec<u8>,
    ) -> Result<Outcome, Box<Waiting>> {
        let Self { config, answering, counters, forwarder, .. } = self;
        let outcome = respond(config, answering, rotation, transport, query, out);
        if let Some(forwarder) = forwarder {
            let own = Own { config, rotation, answer: &mut self.own(rotation) };
            if let Some(waiting) = forwarder.begin(own, transport, client, query, outcome, out) {
                out.clear();
                return Err(Box::new(waiting));
            }
        }
        counters.count(transport, outcome, out);
        Ok(outcome)
    }

    /// Answers a query whose waiting is over.
    pub(crate) fn complete(&self, ready: Ready, out: &mut Vec<u8>) {
        let (transport, outcome) = ready.whence();
        let rotation = Rotation::new(self.turn.fetch_add(1, Ordering::Relaxed));
        let answer = &mut self.own(&rotation);
        ready.write(Own { config: &self.config, rotation: &rotation, answer }, out);
        self.counters.count(transport, outcome, out);
    }

    /// What our own zone says of a name that an upstream's alias leads to: all of it, so as over TCP.
    fn own(&self, rotation: &Rotation) -> impl FnMut(&[u8], &mut Vec<u8>) -> Outcome {
        move |query, out| {
            respond(&self.config, &self.answering, rotation, Transport::Tcp, query, out)
        }
    }
}
