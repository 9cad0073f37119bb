//! Requests from several connections at once, and what they cost.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use crate::client::{Connection, Target};
use crate::support::Up;

/// How many connections ask at once; as in the figures of kube-apiserver.
pub(crate) const CONNECTIONS: usize = 8;

/// What some requests cost.
pub(crate) struct Cost {
    times: Vec<Duration>,
    elapsed: Duration,
    /// The server's own CPU time.
    cpu: Duration,
}

/// Sends `count` requests, each of which waits for its connection's one before.
pub(crate) fn load(
    up: &Up,
    target: &Target,
    count: usize,
    request: impl Fn(&mut Connection, usize) + Sync,
) -> Cost {
    let next = AtomicUsize::new(0);
    let connections: Vec<_> = (0..CONNECTIONS).map(|_| target.connect()).collect();
    let (started, cpu) = (Instant::now(), up.cpu_time());
    let times = std::thread::scope(|scope| {
        let (next, request) = (&next, &request);
        let each = |mut connection: Connection| {
            scope.spawn(move || {
                let mut times = Vec::new();
                loop {
                    let index = next.fetch_add(1, Ordering::Relaxed);
                    if index >= count {
                        return times;
                    }
                    let sent = Instant::now();
                    request(&mut connection, index);
                    times.push(sent.elapsed());
                }
            })
        };
        let threads: Vec<_> = connections.into_iter().map(each).collect();
        threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect()
    });
    Cost { times, elapsed: started.elapsed(), cpu: up.cpu_time() - cpu }
}

impl std::fmt::Display for Cost {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let count = self.times.len() as f64;
        write!(
            f,
            "{:.0}/s, {}, {:.0} us of the server's CPU each",
            count / self.elapsed.as_secs_f64(),
            Spread(&self.times),
            self.cpu.as_secs_f64() * 1e6 / count,
        )
    }
}

/// Percentiles of times.
pub(crate) struct Spread<'a>(pub(crate) &'a [Duration]);

impl std::fmt::Display for Spread<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut times = self.0.to_vec();
        times.sort();
        let at = |percent: usize| times[(times.len() * percent / 100).min(times.len() - 1)];
        let ms = |time: Duration| time.as_secs_f64() * 1e3;
        write!(f, "p50 {:.2} ms, p99 {:.2} ms", ms(at(50)), ms(at(99)))
    }
}
