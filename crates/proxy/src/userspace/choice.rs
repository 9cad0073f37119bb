//! Which endpoint a client gets.

use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, Instant};

/// So many clients are remembered of a Service's address.
const CLIENTS_MAX: usize = 4096;

/// The endpoints of an address.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Backends {
    pub(super) endpoints: Vec<SocketAddr>,
    /// For so long a client stays with its endpoint.
    pub(super) affinity: Option<Duration>,
}

/// What is remembered of an address' clients.
#[derive(Debug, Default)]
pub(super) struct Choice {
    clients: HashMap<IpAddr, (SocketAddr, Instant)>,
}

impl Choice {
    /// An endpoint for a client: its own of before, or one by chance.
    pub(super) fn choose(
        &mut self,
        Backends { endpoints, affinity }: &Backends,
        client: IpAddr,
        now: Instant,
        chance: u64,
    ) -> Option<SocketAddr> {
        let by_chance = || {
            let index = chance.checked_rem(endpoints.len() as u64)?;
            endpoints.get(usize::try_from(index).ok()?).copied()
        };
        let Some(affinity) = affinity else { return by_chance() };
        let is_fresh = |(_, last): &(SocketAddr, Instant)| now.duration_since(*last) < *affinity;
        let known = self.clients.get(&client).filter(|known| is_fresh(known));
        let own =
            known.map(|(endpoint, _)| *endpoint).filter(|endpoint| endpoints.contains(endpoint));
        let endpoint = own.or_else(by_chance)?;
        if self.clients.len() >= CLIENTS_MAX && !self.clients.contains_key(&client) {
            self.clients.retain(|_, known| is_fresh(known));
            // Too many even so: who has been silent for longest is forgotten.
            if self.clients.len() >= CLIENTS_MAX
                && let Some(silent) = self.clients.iter().min_by_key(|(_, (_, last))| *last)
            {
                let silent = *silent.0;
                self.clients.remove(&silent);
            }
        }
        self.clients.insert(client, (endpoint, now));
        Some(endpoint)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn choices() {
        let start = Instant::now();
        let endpoints = |last: &[u8]| -> Vec<SocketAddr> {
            last.iter().map(|last| SocketAddr::from(([10, 244, 0, *last], 80))).collect()
        };
        let mut choice = Choice::default();
        let mut check = |of: &[u8],
                         affinity: Option<u64>,
                         client: u8,
                         second: u64,
                         chance: u64,
                         expected: Option<u8>| {
            let backends =
                Backends { endpoints: endpoints(of), affinity: affinity.map(Duration::from_secs) };
            let client = IpAddr::from([10, 244, 1, client]);
            let chosen =
                choice.choose(&backends, client, start + Duration::from_secs(second), chance);
            assert_eq!(chosen, expected.map(|last| endpoints(&[last])[0]));
        };
        check(&[], None, 1, 0, 7, None);
        check(&[1, 2, 3], None, 1, 0, 7, Some(2));
        check(&[1, 2], Some(10), 1, 0, 0, Some(1));
        check(&[1, 2], Some(10), 1, 9, 1, Some(1));
        check(&[1, 2], Some(10), 2, 9, 1, Some(2));
        // The time runs from the last connection, and ends; an endpoint that has gone is left.
        check(&[1, 2], Some(10), 1, 18, 1, Some(1));
        check(&[1, 2], Some(10), 1, 28, 1, Some(2));
        check(&[1], Some(10), 1, 29, 1, Some(1));
    }

    #[test]
    fn no_more_clients_are_remembered_than_may() {
        let mut choice = Choice::default();
        let backends = Backends {
            endpoints: vec!["10.244.0.1:80".parse().unwrap()],
            affinity: Some(Duration::from_secs(60)),
        };
        let start = Instant::now();
        for number in 0..5000_u32 {
            let now = start + Duration::from_millis(number.into());
            choice.choose(&backends, IpAddr::from(number.to_be_bytes()), now, 0);
        }
        assert_eq!(choice.clients.len(), CLIENTS_MAX);
        assert!(!choice.clients.contains_key(&IpAddr::from([0; 4])));
        assert!(choice.clients.contains_key(&IpAddr::from(4999_u32.to_be_bytes())));
    }
}
