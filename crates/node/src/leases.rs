//! The nodes' leases: by them a node shows that it lives (`kube-node-lease`).
//!
//! A kubelet renews its lease every ten seconds. Simulated nodes live as long as this process, and a laptop should not
//! be woken for that: their leases last an hour and are renewed three times in it.

use std::collections::BTreeMap;
use std::time::Duration;

use cluster::Activity;
use jiff::Timestamp;
use k8s_openapi::api::coordination::v1::Lease;
use kube::api::{DeleteParams, Patch, PatchParams, PostParams};
use kube::{Api, Client};
use serde_json::json;
use tokio::sync::mpsc;
use tokio::time::{MissedTickBehavior, interval};
use tracing::debug;

/// The namespace of nodes' leases.
const NAMESPACE: &str = "kube-node-lease";

const LASTS_SECONDS: i32 = 3600;

const RENEWED: Duration = Duration::from_secs(20 * 60);

/// So many nodes that came or went wait to be taken note of.
const WAITING: usize = 256;

/// A node that came, or went.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Known {
    /// It is there, with this UID.
    Here { node: String, uid: String },
    /// It is gone, and its lease goes with it.
    Gone { node: String },
}

/// Takes note of nodes without ever waiting.
#[derive(Clone, Debug)]
pub(crate) struct Leases(mpsc::Sender<Known>);

impl Leases {
    /// Starts a task that keeps the leases until this is dropped. It lets other work go first.
    pub(crate) fn start(client: Client, activity: Activity) -> Self {
        let (sender, receiver) = mpsc::channel(WAITING);
        tokio::spawn(run(client, activity, receiver));
        Self(sender)
    }

    pub(crate) fn note(&self, known: Known) {
        if let Err(error) = self.0.try_send(known) {
            debug!(%error, "a node's lease is not kept");
        }
    }
}

async fn run(client: Client, activity: Activity, mut nodes: mpsc::Receiver<Known>) {
    let leases = Api::<Lease>::namespaced(client, NAMESPACE);
    let mut known = BTreeMap::new();
    let mut ticks = interval(RENEWED);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    // The first tick is at once.
    ticks.tick().await;
    loop {
        tokio::select! {
            node = nodes.recv() => match node {
                Some(Known::Here { node, uid }) => {
                    if known.get(&node) != Some(&uid) {
                        activity.idle().await;
                        renew(&leases, &node, &uid).await;
                        known.insert(node, uid);
                    }
                }
                Some(Known::Gone { node }) => {
                    known.remove(&node);
                    // Its owner is gone. On a cluster with a collector for leases, that one may have been faster.
                    if let Err(error) = leases.delete(&node, &DeleteParams::default()).await {
                        debug!(%node, %error, "a node's lease stays");
                    }
                }
                None => return,
            },
            _ = ticks.tick() => {
                for (node, uid) in &known {
                    renew(&leases, node, uid).await;
                }
            }
        }
    }
}

/// Renews a node's lease, or makes it. A failure is made good at the next time.
async fn renew(leases: &Api<Lease>, node: &str, uid: &str) {
    let lease = lease(node, uid, Timestamp::now());
    let renewal = Patch::Merge(
        json!({ "metadata": { "ownerReferences": lease.metadata.owner_references }, "spec": lease.spec }),
    );
    let renewed = match leases.patch(node, &PatchParams::default(), &renewal).await {
        Err(kube::Error::Api(status)) if status.is_not_found() => {
            leases.create(&PostParams::default(), &lease).await
        }
        answer => answer,
    };
    if let Err(error) = renewed {
        debug!(%node, %error, "a node's lease was not renewed");
    }
}

fn lease(node: &str, uid: &str, now: Timestamp) -> Lease {
    let now = now.strftime("%Y-%m-%dT%H:%M:%S.%6fZ").to_string();
    let lease = json!({
        "metadata": {
            "name": node,
            "namespace": NAMESPACE,
            "ownerReferences": [{ "apiVersion": "v1", "kind": "Node", "name": node, "uid": uid }],
        },
        "spec": {
            "holderIdentity": node,
            "leaseDurationSeconds": LASTS_SECONDS,
            "renewTime": now,
        },
    });
    serde_json::from_value(lease).expect("a literal Lease")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lease_is_held_and_owned_by_its_node() {
        let lease = serde_json::to_value(lease("node-1", "u", Timestamp::UNIX_EPOCH)).unwrap();
        assert_eq!(
            lease["spec"],
            json!({"holderIdentity": "node-1", "leaseDurationSeconds": 3600, "renewTime": "1970-01-01T00:00:00.000000Z"})
        );
        assert_eq!(lease["metadata"]["ownerReferences"][0]["uid"], "u");
    }
}
