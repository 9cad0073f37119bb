//! The nodes' side of pods' subresources: what the API asks, the simulation answers.

use api::{Container, Kubelet, LogOptions, LogStream, NoLog};
use futures::StreamExt as _;
use node::Logs;

/// Answers for simulated nodes.
pub(super) struct SimulatedKubelet(pub(super) Logs);

impl Kubelet for SimulatedKubelet {
    fn log(&self, container: &Container, options: &LogOptions) -> Result<LogStream, NoLog> {
        let Container { namespace: _, pod: _, uid, name } = container;
        let LogOptions { follow, previous, since, timestamps, tail_lines, limit_bytes } = *options;
        // A simulated container never ends before its pod does.
        if previous {
            return Err(NoLog::NoPrevious);
        }
        let options = node::LogOptions { follow, since, timestamps, tail_lines, limit_bytes };
        Ok(Box::pin(self.0.read(uid, name, options).map(Into::into)))
    }
}
