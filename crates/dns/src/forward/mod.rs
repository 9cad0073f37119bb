//! Forwarding: names outside our zones are asked of other servers, and their answers are kept for a while.
//!
//! | file | holds |
//! |---|---|
//! | `config`, `upstream`, `resolv_conf` | the settings |
//! | `question`, `reply`, `records`, `write` | messages to and from upstreams, without I/O |
//! | `cache` | what was answered, bounded in octets |
//! | `compose` | a client's reply, of our own records and an upstream's |
//! | `server` | upstreams: who is asked for which name, in which order |
//! | `exchange`, `stream`, `tls` | the network |
//! | `state` | a question's way: attempts, health, keeping |
//! | `forwarder` | a query's way: the cache, then waiting |
//!
//! **Forged replies.** A question goes out from a port that the system chose by chance, with an id and a case of
//! letters chosen by chance (`getrandom`), and one is under way only once. A reply must come from the address asked
//! and match in id and question to the letter; a few that do not, and the question is asked over TCP. A reply is kept
//! for its own question alone, so a lie in it can't be about other names.
//!
//! **Loops.** A query that comes back to us from an upstream joins the question that it came from, so it costs one
//! place in the list of those that wait, and both fail when their time is over.

mod cache;
mod compose;
mod config;
mod counters;
mod exchange;
mod forwarder;
mod question;
mod records;
mod reply;
mod resolv_conf;
mod server;
mod state;
mod stream;
mod tls;
mod upstream;
mod write;

pub(crate) use compose::{Own, ttl_min};
pub use config::{Authorities, CacheConfig, ForwardConfig, Order, StubZone};
pub use counters::{ForwardCounters, ForwardEvent};
pub use forwarder::Forwarder;
pub(crate) use forwarder::{Ready, Waiting};
pub use question::{Chance, Question, Sent, Wishes};
pub use reply::{Reply, Unbelieved};
pub use resolv_conf::{Unusable, resolv_conf};
pub use server::UpstreamState;
pub use tls::ForwardError;
pub use upstream::{Upstream, UpstreamError, UpstreamProtocol, interface_index};
