//! What an honest client sees while another means harm: `just hostile`.
//!
//! Server, upstream, attacker and honest client share the machine; the attacker throws as fast as a core can.

#![allow(clippy::print_stdout, reason = "what a benchmark is for")]

#[path = "../tests/hostile/attack.rs"]
#[allow(dead_code, reason = "the test uses the rest")]
mod attack;
#[path = "../tests/hostile/honest.rs"]
#[allow(dead_code, reason = "the test uses the rest")]
mod honest;
#[path = "../tests/support/made.rs"]
mod made;
#[path = "../tests/hostile/scene.rs"]
mod scene;
#[path = "../tests/support/mod.rs"]
mod support;
#[path = "../tests/support/upstream.rs"]
mod upstream;

use std::time::Duration;

use attack::{Attack, Pace};
use honest::Until;
use scene::{Outcome, Scene};
use support::framed;

const TIME: Duration = Duration::from_secs(10);

fn main() {
    println!(
        "{:<18} {:>12} {:>8} {:>10} {:>8} {:>10} {:>10} {:>8}",
        "attack", "sent/s", "asked", "answered", "retried", "p50 µs", "p99 µs", "peak MB"
    );
    let attacks = Attack::ALL.into_iter().flat_map(|attack| [None, Some(attack)]);
    for attack in attacks {
        let scene = Scene::start();
        let Outcome { attacks, honest } = scene.run(attack, Pace::Full, Until::After(TIME));
        scene.stop();
        let title = attack.map_or_else(|| "(none)".to_owned(), |attack| format!("{attack:?}"));
        let answered = (honest.asked - honest.unanswered) as f64 / honest.asked as f64 * 100.0;
        let micros = |thousandths| honest.at(thousandths).as_secs_f64() * 1e6;
        println!(
            "{title:<18} {:>12.0} {:>8} {answered:>9.2}% {:>8} {:>10.0} {:>10.0} {:>8.1}",
            attacks as f64 / TIME.as_secs_f64(),
            honest.asked,
            honest.retried,
            micros(500),
            micros(990),
            scene::memory_peak() as f64 / 1e6,
        );
    }
}
