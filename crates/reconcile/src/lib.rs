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
pub mod labels;
mod owner;
mod pod;
mod selector;
pub mod work;
pub mod world;

pub use action::{Action, Owner, Propagation};
pub use context::{Context, Decision};
pub use work::{Key, Work};
pub use world::World;

/// Decides what one piece of work asks of the API.
pub fn reconcile(world: &World, work: &Work, context: &mut Context<'_>) -> Decision {
    let _ = (world, work, context);
    Decision::default()
}
