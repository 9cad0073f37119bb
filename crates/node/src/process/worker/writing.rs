//! What a worker asks of the API: its pod, and that the pod's status be written.

use std::sync::Arc;
use std::time::Duration;

use futures::future::BoxFuture;
use jiff::Timestamp;
use k8s_openapi::api::core::v1::{Pod, PodStatus};
use kube::Api;
use manifest::ObjectRef;
use tokio::sync::watch;
use tokio::time::{Instant, sleep};
use tracing::warn;

use super::{SETTLE, Wish, Worker};
use crate::hands::{Answer, Hands};
use crate::process::status::status;

/// The delay after a first failed request, and the longest.
const FIRST_RETRY: Duration = Duration::from_millis(50);
const LONGEST_RETRY: Duration = Duration::from_secs(30);

impl Worker {
    /// The write that is due, and whether what is written is the truth.
    pub(super) fn write_due(
        &mut self,
        now: Timestamp,
    ) -> (Option<BoxFuture<'static, kube::Result<Answer>>>, bool) {
        let status = status(&self.pod, &self.life, &self.circumstances, now);
        self.shared.note_status(&self.uid, &status);
        let settling = self.life.is_settling();
        let same = |known: &Option<PodStatus>| known.as_ref() == Some(&status);
        if self.gone || same(&self.pod.status) || same(&self.wrote) {
            self.stale = None;
            return (None, !settling);
        }
        let since = *self.stale.get_or_insert_with(Instant::now);
        let retry = retry_delay(self.failures);
        let due = match settling {
            true => since + SETTLE.max(retry),
            false => since + retry,
        };
        if due > Instant::now() {
            return (None, false);
        }
        self.wrote = Some(status.clone());
        let (hands, target, uid) = (self.hands.clone(), self.target.clone(), self.uid.clone());
        let write = async move { hands.write(&target, &uid, None, Some(&status)).await };
        (Some(Box::pin(write)), false)
    }

    pub(super) fn written(&mut self, answer: kube::Result<Answer>) {
        match answer {
            Ok(Answer::Wrote(pod)) => {
                (self.failures, self.stale) = (0, None);
                let known = Arc::make_mut(&mut self.pod);
                (known.metadata, known.status) = (pod.metadata, pod.status);
            }
            // It is gone; the watch will say so.
            Ok(Answer::Gone { .. } | Answer::Nothing) => self.leave(),
            Err(error) => {
                warn!(target = ?self.target, %error, "trying again");
                self.wrote = None;
                self.failures = self.failures.saturating_add(1);
                self.stale = Some(Instant::now());
            }
        }
    }
}

/// The whole pod; none when it is gone.
pub(super) async fn fetch(
    hands: &Hands,
    target: &ObjectRef,
    uid: &str,
    wishes: &mut watch::Receiver<Wish>,
) -> Option<Pod> {
    let pods = Api::<Pod>::namespaced(hands.client.clone(), &target.namespace);
    let mut failures = 0;
    loop {
        match pods.get(&target.name).await {
            Ok(pod) => return (pod.metadata.uid.as_deref() == Some(uid)).then_some(pod),
            Err(kube::Error::Api(status)) if status.is_not_found() => return None,
            Err(error) => {
                warn!(?target, %error, "trying again");
                failures += 1;
                sleep(retry_delay(failures)).await;
            }
        }
        if wishes.borrow().gone {
            return None;
        }
    }
}

pub(super) fn retry_delay(failures: u32) -> Duration {
    match failures.checked_sub(1) {
        None => Duration::ZERO,
        Some(doubled) => FIRST_RETRY.saturating_mul(1 << doubled.min(16)).min(LONGEST_RETRY),
    }
}
