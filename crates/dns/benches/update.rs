//! From a change to the answer that shows it, idle and under load: `just bench-update`.
//!
//! The time runs from the writer's return, which is the acknowledgement, to the reply that shows the change; the first reply
//! must. Under load another thread asks 50,000 questions a second whose answers are known whatever changes. Everything
//! shares the machine.

#![allow(clippy::print_stdout, reason = "what a benchmark is for")]

#[path = "../tests/churn/mod.rs"]
mod churn;

use std::error::Error;
use std::net::{SocketAddr, UdpSocket};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use churn::{Cluster, Steady, ask, client, query, rcode};
use directory::{Change, Name, ZoneConfig};
use dns::{Config, Server};

/// How long each part is measured.
const TIME: Duration = Duration::from_secs(15);

/// Questions a second, under load, and how many are sent at once.
const RATE: u32 = 50_000;
const BURST: u32 = 50;

fn main() -> Result<(), Box<dyn Error>> {
    let domain = Name::parse("cluster.local").expect("a name");
    let (mut writer, reader) = directory::new(ZoneConfig::new(domain));
    writer.set_synced();
    let mut cluster = Cluster::new(|changes| writer.apply_all(changes));
    let runtime = tokio::runtime::Runtime::new()?;
    let server = runtime.block_on(async {
        Server::bind(&["127.0.0.1:0".parse().expect("an address")], Config::default(), reader)
    })?;
    let address = server.local_addresses()[0];
    println!("| changes a second | queries a second | p50, ms | p99, ms | p99.9, ms | worst, ms |");
    println!("|---|---|---|---|---|---|");
    measure(&mut cluster, address, Duration::from_millis(4))?;

    let (stop, answered) = (AtomicBool::new(false), AtomicU64::new(0));
    let result = thread::scope(|scope| {
        let load = scope.spawn(|| load(address, &stop, &answered));
        let started = Instant::now();
        let measured = measure(&mut cluster, address, Duration::from_millis(1));
        let rate = answered.load(Ordering::Relaxed) as f64 / started.elapsed().as_secs_f64();
        stop.store(true, Ordering::Relaxed);
        println!("\nload: {rate:.0} answers a second, each right");
        let loaded = load.join().expect("the load thread ends");
        measured.and(loaded.map_err(Into::into))
    });
    runtime.block_on(server.shutdown());
    result
}

/// Makes a change each `pause`, asks for it, and prints how long it took to be seen.
fn measure(
    cluster: &mut Cluster<impl FnMut(Vec<Change>)>,
    server: SocketAddr,
    pause: Duration,
) -> Result<(), Box<dyn Error>> {
    let socket = client(server)?;
    let mut times = Vec::new();
    let started = Instant::now();
    let mut next = started;
    while started.elapsed() < TIME {
        thread::sleep(next.saturating_duration_since(Instant::now()));
        next += pause;
        let seen = cluster.change();
        let acknowledged = Instant::now();
        let reply = ask(&socket, &query(times.len() as u16, &seen.name))?;
        times.push(acknowledged.elapsed());
        if (rcode(&reply) == 0) != seen.exists {
            return Err(format!("{} is not what it was changed to", seen.name).into());
        }
    }
    times.sort_unstable();
    let rate = times.len() as f64 / started.elapsed().as_secs_f64();
    let at = |part: usize| times[(times.len() - 1) * part / 1000].as_secs_f64() * 1e3;
    let load = if pause > Duration::from_millis(1) { "none" } else { "see below" };
    println!(
        "| {rate:.0} | {load} | {:.3} | {:.3} | {:.3} | {:.3} |",
        at(500),
        at(990),
        at(999),
        at(1000)
    );
    Ok(())
}

/// Asks at a steady rate and looks at every reply.
fn load(server: SocketAddr, stop: &AtomicBool, answered: &AtomicU64) -> Result<(), String> {
    let sockets: Vec<UdpSocket> =
        (0..8).map(|_| client(server)).collect::<Result<_, _>>().map_err(|e| e.to_string())?;
    let mut reply = [0; 2048];
    let mut number = 0usize;
    let mut next = Instant::now();
    while !stop.load(Ordering::Relaxed) {
        next += Duration::from_secs(1) * BURST / RATE;
        let socket = &sockets[number / BURST as usize % sockets.len()];
        let asked: Vec<Steady> = (0..BURST as usize).map(|at| Steady::of(number + at)).collect();
        for (id, question) in (0..).zip(&asked) {
            socket.send(&question.query(id)).map_err(|error| error.to_string())?;
        }
        for _ in 0..BURST {
            let Ok(length) = socket.recv(&mut reply) else { break };
            let id = usize::from(u16::from_be_bytes([reply[0], reply[1]]));
            let is_right = asked.get(id).is_some_and(|asked| asked.is_right(&reply[..length]));
            if !is_right {
                return Err("an answer misses an endpoint, or has one too many".to_owned());
            }
            answered.fetch_add(1, Ordering::Relaxed);
        }
        number += BURST as usize;
        thread::sleep(next.saturating_duration_since(Instant::now()));
    }
    Ok(())
}
