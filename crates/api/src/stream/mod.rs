//! Sessions: exec, attach and port-forward, for which a client and the server leave HTTP.
//!
//! A request asks for one by `Upgrade`, to WebSocket or to SPDY; both exist over HTTP/1.1 alone. What was asked for is
//! looked at, and the node asked, while failures can still be answered as such. Then the answer is 101, and the session
//! is left with the connection, whose end is its end.

#[cfg(any(test, feature = "fuzzing"))]
pub mod any_octets;
mod channels;
mod port_forward;
mod remote_command;
mod session;
mod spdy;
mod upgrade;
mod websocket;

pub(crate) use channels::Process;
pub(crate) use upgrade::{Handover, Upgrade};

use std::sync::Arc;

use http::{HeaderMap, Response};

use crate::body::Body;
use crate::kubelet::{Container, Kubelet, Pod, Refusal, StreamOptions};
use crate::status::{Reason, StatusError};
use channels::Protocol;
use upgrade::{Agreed, Transport};

/// The protocol of port-forwards.
const PORT_FORWARD: &str = "portforward.k8s.io";

/// The same, where a WebSocket carries SPDY.
const TUNNELLED_PORT_FORWARD: &str = "SPDY/3.1+portforward.k8s.io";

/// A refusal of the node, in the words in which Kubernetes hands it on.
pub(crate) fn refused(why: &Refusal) -> StatusError {
    let message = format!("Internal error occurred: unable to upgrade connection: {why}");
    StatusError::new(Reason::InternalError, message)
}

/// Begins a session with a process.
pub(crate) async fn process(
    kubelet: &dyn Kubelet,
    container: &Container,
    process: Process,
    options: StreamOptions,
    headers: &HeaderMap,
    upgrade: Option<Upgrade>,
) -> Result<Response<Body>, StatusError> {
    let names = Protocol::ALL.map(Protocol::name);
    let agreed = Agreed::on(headers, &names, &[Protocol::V4.name()])?;
    let place = upgrade.ok_or_else(upgrade::required)?.take_place()?;
    let streams = match &process {
        Process::Exec(command) => kubelet.exec(container, command, options).await,
        Process::Attach => kubelet.attach(container, options).await,
    };
    let streams = streams.map_err(|why| refused(&why))?;
    let protocol =
        if agreed.protocol == Some(Protocol::V5.name()) { Protocol::V5 } else { Protocol::V4 };
    let transport = agreed.transport;
    place.leave(async move |carrier| match transport {
        Transport::WebSocket => {
            let socket = websocket::accept(carrier).await;
            let (inputs, outputs) = websocket::session(socket, protocol);
            session::run(process, streams, inputs, outputs).await;
        }
        Transport::Spdy => remote_command::serve(carrier, process, options, streams).await,
    });
    Ok(agreed.response())
}

/// Begins port-forwards to a pod.
pub(crate) fn port_forward(
    kubelet: Arc<dyn Kubelet>,
    pod: Pod,
    headers: &HeaderMap,
    upgrade: Option<Upgrade>,
) -> Result<Response<Body>, StatusError> {
    let agreed = Agreed::on(headers, &[TUNNELLED_PORT_FORWARD], &[PORT_FORWARD])?;
    let place = upgrade.ok_or_else(upgrade::required)?.take_place()?;
    let transport = agreed.transport;
    place.leave(async move |carrier| match transport {
        Transport::WebSocket => {
            let socket = websocket::accept(carrier).await;
            port_forward::serve(websocket::Tunnel::new(socket), kubelet, pod).await;
        }
        Transport::Spdy => port_forward::serve(carrier, kubelet, pod).await,
    });
    Ok(agreed.response())
}
