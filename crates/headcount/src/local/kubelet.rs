//! The nodes' side of pods' subresources: what the API asks, the simulation answers.

use api::{
    Container, Duplex, Kubelet, LogOptions, LogStream, NoLog, Pod, Refusal, StreamOptions, Streams,
};
use futures::StreamExt as _;
use futures::future::{BoxFuture, FutureExt as _, ready};
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
    fn reachable(&self, _pod: &Pod) -> Result<(), Refusal> {
        Err(Refusal::Simulated)
    }

    fn exec<'a>(
        &'a self,
        _container: &'a Container,
        _command: &'a [String],
        _options: StreamOptions,
    ) -> BoxFuture<'a, Result<Streams, Refusal>> {
        ready(Err(Refusal::Simulated)).boxed()
    }

    fn attach<'a>(
        &'a self,
        _container: &'a Container,
        _options: StreamOptions,
    ) -> BoxFuture<'a, Result<Streams, Refusal>> {
        ready(Err(Refusal::Simulated)).boxed()
    }

    fn port_forward<'a>(
        &'a self,
        _pod: &'a Pod,
        _port: u16,
    ) -> BoxFuture<'a, Result<Box<dyn Duplex>, Refusal>> {
        ready(Err(Refusal::Simulated)).boxed()
    }
}
