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

mod action;
mod claim;
mod context;
mod deployment;
mod endpoint_slice;
mod endpoints;
mod garbage;
mod hash;
mod mirror;
mod namespace;
mod number;
mod owner;
mod pod;
mod replica_set;
mod selector;
mod service;
mod stateful_set;
mod work;
pub mod world;

pub use action::{Action, Owner, Propagation};
pub use context::{Context, Decision};
pub use service::target_port;
pub use work::{Key, Work};
pub use world::World;

/// Decides what one piece of work asks of the API.
pub fn reconcile(world: &World, work: &Work, context: &mut Context<'_>) -> Decision {
    let mut decision = match work {
        Work::EndpointSlices(key) => endpoint_slice::decide(world, key, context),
        Work::Mirror(key) => mirror::decide(world, key, context),
        Work::Endpoints(key) => endpoints::decide(world, key),
        Work::StatefulSet(key) => stateful_set::decide(world, key, context),
        Work::Deployment(key) => deployment::decide(world, key, context),
        Work::ReplicaSet(key) => replica_set::decide(world, key, context),
        Work::Garbage(target) => garbage::decide(world, target),
        Work::Namespace(name) => namespace::decide(world, name),
    };
    // The API takes nothing new into a namespace that is being deleted: neither objects nor Events.
    if work.namespace().is_some_and(|namespace| world.terminating(namespace)) {
        decision
            .actions
            .retain(|action| !matches!(action, Action::Create(_) | Action::Record { .. }));
    }
    decision
}
