//! The nodes' side of pods' subresources: what the API asks, the simulation answers, or the pods that are processes.

use api::{
    Container, Duplex, End, Kubelet, LogOptions, LogStream, NoLog, Pod, Refusal, StreamOptions,
    Streams, TerminalSize,
};
use futures::StreamExt as _;
use futures::future::{BoxFuture, FutureExt as _};
use node::{Logs, Processes, StreamEnd};
use tokio::sync::watch;

/// Answers for all nodes.
pub(super) struct NodeKubelet {
    /// Of pods that are simulated.
    pub(super) logs: Logs,
    /// Pods that are processes, if any is.
    pub(super) processes: Option<Processes>,
}

impl NodeKubelet {
    /// The processes of a pod that has such.
    fn processes(&self, uid: &str) -> Result<&Processes, Refusal> {
        let processes = self.processes.as_ref().filter(|processes| processes.runs(uid));
        processes.ok_or(Refusal::Simulated)
    }
}

impl Kubelet for NodeKubelet {
    fn log(&self, container: &Container, options: &LogOptions) -> Result<LogStream, NoLog> {
        let Container { namespace: _, pod: _, uid, name } = container;
        let LogOptions { follow, previous, since, timestamps, tail_lines, limit_bytes } = *options;
        let options = node::LogOptions { follow, since, timestamps, tail_lines, limit_bytes };
        match self.processes(uid) {
            Ok(processes) => {
                let log = processes.log(uid, name, previous, options);
                let log = log.map_err(|none| match none {
                    node::NoLog::NoPrevious => NoLog::NoPrevious,
                    node::NoLog::Waiting(reason) => NoLog::Waiting(reason),
                })?;
                Ok(Box::pin(log))
            }
            // A simulated container never ends before its pod does.
            Err(_) if previous => Err(NoLog::NoPrevious),
            Err(_) => Ok(Box::pin(self.logs.read(uid, name, options).map(Into::into))),
        }
    }

    fn reachable(&self, pod: &Pod) -> Result<(), Refusal> {
        self.processes(&pod.uid).map(drop)
    }

    fn exec<'a>(
        &'a self,
        container: &'a Container,
        command: &'a [String],
        options: StreamOptions,
    ) -> BoxFuture<'a, Result<Streams, Refusal>> {
        async move {
            let Container { namespace: _, pod: _, uid, name } = container;
            let processes = self.processes(uid)?;
            let begun = processes.exec(uid, name, command, wanted(options)).await;
            begun.map(streams).map_err(Refusal::Reason)
        }
        .boxed()
    }

    fn attach<'a>(
        &'a self,
        container: &'a Container,
        options: StreamOptions,
    ) -> BoxFuture<'a, Result<Streams, Refusal>> {
        async move {
            let Container { namespace: _, pod: _, uid, name } = container;
            let attached = self.processes(uid)?.attach(uid, name, wanted(options)).await;
            attached.map(streams).map_err(Refusal::Reason)
        }
        .boxed()
    }

    fn port_forward<'a>(
        &'a self,
        pod: &'a Pod,
        port: u16,
    ) -> BoxFuture<'a, Result<Box<dyn Duplex>, Refusal>> {
        async move {
            let connected = self.processes(&pod.uid)?.port_forward(&pod.uid, port).await;
            connected.map(|stream| Box::new(stream) as Box<dyn Duplex>).map_err(Refusal::Reason)
        }
        .boxed()
    }
}

fn wanted(options: StreamOptions) -> node::StreamOptions {
    let StreamOptions { stdin, stdout, stderr, tty } = options;
    node::StreamOptions { stdin, stdout, stderr, tty }
}

fn streams(streams: node::Streams) -> Streams {
    let node::Streams { stdin, stdout, stderr, resize, end } = streams;
    let end = end.map(|end| match end {
        StreamEnd::Code(code) => End::Code(code),
        StreamEnd::Failed(why) => End::Failed(why),
    });
    let resize = resize.map(|resize| {
        let (sizes, mut seen) = watch::channel(None);
        tokio::spawn(async move {
            while seen.changed().await.is_ok() {
                let size = *seen.borrow_and_update();
                if let Some(TerminalSize { width, height }) = size {
                    resize(width, height);
                }
            }
        });
        sizes
    });
    Streams { stdin, stdout, stderr, resize, end: end.boxed() }
}
