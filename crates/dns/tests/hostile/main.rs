//! Clients that mean harm: another client is answered all the same, and memory stays bounded.
//!
//! `just hostile` runs them for longer and prints what the other client sees. Alone in its binary, for the memory is the
//! process's.

#[path = "../support/made.rs"]
mod made;
#[path = "../support/mod.rs"]
mod support;
#[path = "../support/upstream.rs"]
mod upstream;

#[allow(dead_code, reason = "the benchmark uses the rest")]
mod attack;
#[allow(dead_code, reason = "the benchmark uses the rest")]
mod honest;
mod scene;

use attack::{Attack, Pace};
use honest::Until;
use scene::Scene;
use support::framed;

/// What the server may take beyond what it had before, in octets: every connection has at most a message and some
/// replies in memory, 200 kB together; the rest is the attackers' own, and what the allocator keeps.
const MEMORY_MAX: usize = scene::CONNECTIONS * 200_000 + (24 << 20);

/// So many questions does the honest client ask under each attack: of each kind by each way, several times.
const ASKED: usize = 64;

#[track_caller]
fn check(attack: Attack) {
    let scene = Scene::start();
    let before = scene::memory_peak();
    let seen = scene.run(Some(attack), Pace::Bounded, Until::Asked(ASKED));
    assert!(seen.attacks > 0, "{attack:?} did nothing");
    assert_eq!(seen.honest.unanswered, 0, "{attack:?}: {:?}", seen.honest);
    let grown = scene::memory_peak().saturating_sub(before);
    assert!(grown <= MEMORY_MAX, "{attack:?}: {grown} octets");
    scene.stop();
}

// One after the other, so that each has the machine.
#[test]
fn an_honest_client_is_answered_whatever_others_do() {
    for attack in Attack::ALL {
        check(attack);
    }
}
