//! What each controller decides: objects in, actions out.
//!
//! Pure: the world is a value, the clock and chance are arguments. `cluster` runs the decisions against an
//! API; `records` runs them against nothing but the manifests.
//!
//! ```text
//! watch events, results of own writes ──► World::apply, World::remove ──► Work, into a queue
//!                                         World ◄── reconcile(&World, &Work, &mut Context) ──► Decision ──► API
//! ```
//!
//! Every decision is a function of the world alone and idempotent: once its actions are applied to the world, the
//! same work decides nothing.

pub mod action;
pub mod context;
mod endpoint_slice;
mod endpoints;
pub mod labels;
mod mirror;
mod owner;
mod pod;
mod selector;
mod service;
pub mod work;
pub mod world;

pub use action::{Action, Owner, Propagation};
pub use context::{Context, Decision};
pub use work::{Key, Work};
pub use world::World;

/// Decides what one piece of work asks of the API.
pub fn reconcile(world: &World, work: &Work, context: &mut Context<'_>) -> Decision {
    match work {
        Work::EndpointSlices(key) => endpoint_slice::decide(world, key, context),
        Work::Mirror(key) => mirror::decide(world, key, context),
        Work::Endpoints(key) => endpoints::decide(world, key),
        Work::StatefulSet(_)
        | Work::Deployment(_)
        | Work::ReplicaSet(_)
        | Work::Garbage(_)
        | Work::Namespace(_) => Decision::default(),
    }
}
